//! The values that distinguish the uses of one operation (model, region, quality), and which of several rates applies.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use crate::domain::names;

/// Names and their values, as text. A rate has those it is limited to, a usage all that are known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimensions(BTreeMap<String, String>);

/// Why a JSON value is no set of dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DimensionsError {
    /// It is not an object.
    NotAnObject,
    /// This name's value is neither a text, a number nor a boolean.
    NotPlain(String),
    /// This name, or its value, is empty, too long, padded or not printable: two of them would look the same.
    Malformed(String),
    /// There are more than [`MAX_DIMENSIONS`].
    TooMany,
}

/// The most dimensions of a rate or a usage.
pub const MAX_DIMENSIONS: usize = 16;

impl Dimensions {
    /// Reads a flat JSON object; numbers and booleans count as text, 1.50 as 1.5.
    pub fn parse(json: &str) -> Result<Dimensions, DimensionsError> {
        let Ok(Value::Object(object)) = serde_json::from_str(json) else { return Err(DimensionsError::NotAnObject) };
        if object.len() > MAX_DIMENSIONS {
            return Err(DimensionsError::TooMany);
        }
        let pair = |(name, value): (String, Value)| {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => without_trailing_zeros(&number.to_string()).to_owned(),
                Value::Bool(flag) => flag.to_string(),
                _ => return Err(DimensionsError::NotPlain(name)),
            };
            let can_name = names::check(&name).and_then(|()| names::check(&text));
            if can_name.is_ok() { Ok((name, text)) } else { Err(DimensionsError::Malformed(name)) }
        };
        object.into_iter().map(pair).collect::<Result<_, _>>().map(Dimensions)
    }

    /// As a JSON object, always the same for the same dimensions.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("texts are JSON")
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn names(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    /// Those with these names, if it has them all.
    fn part(&self, names: &BTreeSet<String>) -> Option<Dimensions> {
        let pair = |name: &String| self.0.get_key_value(name).map(|(name, value)| (name.clone(), value.clone()));
        names.iter().map(pair).collect::<Option<_>>().map(Dimensions)
    }

    /// How many there are: the more, the more specific.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a rate with these applies to a usage with those.
    pub fn match_usage(&self, usage: &Dimensions) -> bool {
        self.0.iter().all(|(name, value)| usage.0.get(name) == Some(value))
    }

    /// Whether some usage has both.
    pub fn meet(&self, other: &Dimensions) -> bool {
        self.0.iter().all(|(name, value)| other.0.get(name).is_none_or(|others| others == value))
    }

    /// The usage that has both and nothing else.
    pub fn union(&self, other: &Dimensions) -> Dimensions {
        Dimensions(self.0.iter().chain(&other.0).map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// A number as it is meant, however it was written.
fn without_trailing_zeros(number: &str) -> &str {
    let is_fraction = number.contains('.') && !number.contains(['e', 'E']);
    if is_fraction { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// The most specific of the rates that apply to the usage, by position. Publishing sees to it that there is only one.
pub fn most_specific<'a>(rates: impl IntoIterator<Item = &'a Dimensions>, usage: &Dimensions) -> Option<usize> {
    let matching = rates.into_iter().enumerate().filter(|(_, rate)| rate.match_usage(usage));
    matching.max_by_key(|(_, rate)| rate.count()).map(|(position, _)| position)
}

/// The way from a usage to the rates that apply to it, without trying all of them: there may be thousands of one operation.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The sets of names that rates have, the largest first.
    names: Vec<BTreeSet<String>>,
    /// Where in the list the rates with these dimensions are.
    positions: HashMap<Dimensions, Vec<usize>>,
}

impl Index {
    /// Adds the rate at a position of the list.
    pub fn add(&mut self, rate: &Dimensions, position: usize) {
        let names = rate.names();
        if !self.names.contains(&names) {
            self.names.push(names);
            self.names.sort_by_key(|names| Reverse(names.len()));
        }
        self.positions.entry(rate.clone()).or_default().push(position);
    }

    /// The rates with exactly these dimensions.
    pub fn same(&self, dimensions: &Dimensions) -> &[usize] {
        self.positions.get(dimensions).map_or(&[], Vec::as_slice)
    }

    /// The rates that apply to the usage, the most specific first.
    pub fn applying<'a>(&'a self, usage: &'a Dimensions) -> impl Iterator<Item = usize> {
        let part = |names: &BTreeSet<String>| usage.part(names).map(|part| self.same(&part)).unwrap_or_default();
        self.names.iter().flat_map(part).copied()
    }
}

/// Two of the rates that would both be the most specific for some usage.
///
/// Rates with the same names have different values and no usage in common, so only those with other names are compared.
pub fn tie<'a>(rates: &[&'a Dimensions]) -> Option<(&'a Dimensions, &'a Dimensions)> {
    let known: BTreeSet<&Dimensions> = rates.iter().copied().collect();
    let mut by_names: BTreeMap<BTreeSet<String>, Vec<&'a Dimensions>> = BTreeMap::new();
    for rate in &known {
        by_names.entry(rate.names()).or_default().push(rate);
    }
    // Whatever has both has all of their union: a rate for that, or for enough of it, decides.
    let decided = |one: &Dimensions, union: &Dimensions| {
        known.contains(union) || known.iter().any(|rate| rate.count() > one.count() && rate.match_usage(union))
    };
    let groups: Vec<_> = by_names.iter().collect();
    for (position, (names, rates)) in groups.iter().enumerate() {
        let others = groups[position + 1..].iter().filter(|(others, _)| others.len() == names.len());
        for other in others.flat_map(|(_, others)| others.iter()) {
            let undecided = |one: &&&'a Dimensions| one.meet(other) && !decided(one, &one.union(other));
            if let Some(one) = rates.iter().find(undecided) {
                return Some((one, other));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dimensions(json: &str) -> Dimensions {
        Dimensions::parse(json).unwrap()
    }

    #[test]
    fn reads_flat_objects_only() {
        assert_eq!(dimensions(r#"{"b": 1, "a": true}"#).to_json(), r#"{"a":"true","b":"1"}"#);
        assert_eq!(dimensions(r#"{"a": 1.50, "b": 10, "c": 10.0}"#).to_json(), r#"{"a":"1.5","b":"10","c":"10"}"#);
        for malformed in [r#"{"": "x"}"#, r#"{"a": ""}"#, r#"{"a": " x"}"#, r#"{"a": "x\n"}"#] {
            assert!(matches!(Dimensions::parse(malformed), Err(DimensionsError::Malformed(_))), "{malformed}");
        }
        assert_eq!(Dimensions::parse("[1]"), Err(DimensionsError::NotAnObject));
        assert_eq!(Dimensions::parse(r#"{"a": null}"#), Err(DimensionsError::NotPlain("a".into())));
        assert_eq!(Dimensions::parse(r#"{"a": {"b": 1}}"#), Err(DimensionsError::NotPlain("a".into())));
    }

    #[test]
    fn the_most_specific_wins() {
        let rates = [dimensions("{}"), dimensions(r#"{"model":"a"}"#), dimensions(r#"{"model":"a","region":"eu"}"#)];
        let wins = |usage| most_specific(&rates, &dimensions(usage));
        assert_eq!(wins(r#"{"model":"b"}"#), Some(0));
        assert_eq!(wins(r#"{"model":"a","region":"us"}"#), Some(1));
        assert_eq!(wins(r#"{"model":"a","region":"eu","quality":"high"}"#), Some(2));
        assert_eq!(most_specific(&rates[1..], &dimensions("{}")), None);
    }

    #[test]
    fn a_tie_needs_a_usage_that_has_both() {
        let (model, region, other) =
            (dimensions(r#"{"model":"a"}"#), dimensions(r#"{"region":"eu"}"#), dimensions(r#"{"model":"b"}"#));
        let both = dimensions(r#"{"model":"a","region":"eu"}"#);
        assert_eq!(tie(&[&model, &other]), None);
        assert_eq!(tie(&[&model, &region]), Some((&model, &region)));
        assert_eq!(tie(&[&model, &region, &both]), None);
    }

    proptest! {
        #[test]
        fn without_a_tie_one_rate_decides(
            rates in prop::collection::btree_set(prop::collection::btree_map("[ab]", "[xy]", 0..3), 1..5),
            usage in prop::collection::btree_map("[abc]", "[xy]", 0..4),
        ) {
            let rates: Vec<_> = rates.into_iter().map(Dimensions).collect();
            let usage = Dimensions(usage);
            if tie(&rates.iter().collect::<Vec<_>>()).is_none()
                && let Some(best) = most_specific(&rates, &usage)
            {
                let as_specific = rates.iter().filter(|rate| rate.match_usage(&usage) && rate.count() == rates[best].count());
                prop_assert_eq!(as_specific.count(), 1);
            }
        }

        #[test]
        fn the_index_finds_what_a_search_through_all_finds(
            rates in prop::collection::vec(prop::collection::btree_map("[ab]", "[xy]", 0..3), 0..6),
            usage in prop::collection::btree_map("[abc]", "[xy]", 0..4),
        ) {
            let rates: Vec<_> = rates.into_iter().map(Dimensions).collect();
            let usage = Dimensions(usage);
            let mut index = Index::default();
            rates.iter().enumerate().for_each(|(position, rate)| index.add(rate, position));
            let found: Vec<_> = index.applying(&usage).collect();
            let mut matching: Vec<_> = (0..rates.len()).filter(|position| rates[*position].match_usage(&usage)).collect();
            prop_assert!(found.is_sorted_by_key(|position| Reverse(rates[*position].count())));
            matching.sort_unstable();
            let mut sorted = found.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, matching);
        }

        #[test]
        fn a_tie_is_found_wherever_two_rates_decide_equally(
            rates in prop::collection::btree_set(prop::collection::btree_map("[abc]", "[xy]", 0..3), 1..5),
        ) {
            let rates: Vec<_> = rates.into_iter().map(Dimensions).collect();
            let found = tie(&rates.iter().collect::<Vec<_>>());
            // Usage that has just what two rates have shows every tie there is.
            let ambiguous = rates.iter().flat_map(|one| {
                rates.iter().filter(|other| one.meet(other)).map(|other| one.union(other))
            }).any(|usage| {
                let most = rates.iter().filter(|rate| rate.match_usage(&usage)).map(Dimensions::count).max();
                rates.iter().filter(|rate| rate.match_usage(&usage) && Some(rate.count()) == most).count() > 1
            });
            prop_assert_eq!(found.is_some(), ambiguous);
        }
    }
}
