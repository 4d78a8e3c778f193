//! Departments: a tree by path. `eng/ml` lies below `eng`, whether or not anybody belongs to `eng` itself.

/// The character between the levels of a path.
pub const SEPARATOR: char = '/';

/// The rule that a path breaks, to complete "must …"; `None` for one that is well-formed.
pub fn broken_rule(path: &str) -> Option<&'static str> {
    if path.starts_with(SEPARATOR) || path.ends_with(SEPARATOR) {
        Some("not begin or end with a slash")
    } else if path.split(SEPARATOR).any(str::is_empty) {
        Some("not hold an empty level")
    } else if path.split(SEPARATOR).any(|level| level.trim().len() != level.len()) {
        Some("not hold a level that begins or ends with white space")
    } else {
        None
    }
}

/// Whether a department is another one, or lies anywhere below it.
pub fn is_within(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
}

/// The department and those above it, the nearest first.
pub fn upwards(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once(SEPARATOR).map(|(above, _)| above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_levels() {
        for path in ["eng", "eng/ml", "R & D/new things", "研究/一", "a-b/c.d"] {
            assert_eq!(broken_rule(path), None, "{path}");
        }
        for path in ["/eng", "eng/", "/", "eng//ml", "eng/ ml", "eng /ml"] {
            assert!(broken_rule(path).is_some(), "{path}");
        }
    }

    #[test]
    fn only_whole_levels_lie_below() {
        assert!(is_within("eng", "eng") && is_within("eng/ml", "eng") && is_within("eng/ml/vision", "eng/ml"));
        assert!(!is_within("eng", "eng/ml") && !is_within("engineering", "eng") && !is_within("eng/mlops", "eng/ml"));
    }

    #[test]
    fn the_way_up_ends_at_the_top() {
        assert_eq!(upwards("eng/ml/vision").collect::<Vec<_>>(), ["eng/ml/vision", "eng/ml", "eng"]);
        assert_eq!(upwards("eng").collect::<Vec<_>>(), ["eng"]);
    }
}
