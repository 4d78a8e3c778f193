//! The owners between whom an account allows transfers of credits.

/// The transfers that an account allows between members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfers {
    /// Anybody to anybody.
    Free,
    /// Members of one department among each other, and everybody with the pool.
    Department,
    /// Members to the pool and the pool to members.
    Pool,
    /// Nobody.
    Forbidden,
}

/// One side of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The organisation.
    Pool,
    /// A seat, with the department it belongs to.
    Member { department: Option<String> },
}

impl Transfers {
    /// The names that SQL uses.
    pub const NAMES: &'static str = "free, department, pool, none";

    /// The policy of a name.
    pub fn of_name(name: &str) -> Option<Transfers> {
        match name {
            "free" => Some(Transfers::Free),
            "department" => Some(Transfers::Department),
            "pool" => Some(Transfers::Pool),
            "none" => Some(Transfers::Forbidden),
            _ => None,
        }
    }

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Transfers::Free => "free",
            Transfers::Department => "department",
            Transfers::Pool => "pool",
            Transfers::Forbidden => "none",
        }
    }

    /// Whether one owner may give to the other. Members without a department share none.
    pub fn allows(self, from: &Owner, to: &Owner) -> bool {
        match (self, from, to) {
            (Transfers::Forbidden, ..) => false,
            (Transfers::Free, ..) | (_, Owner::Pool, _) | (_, _, Owner::Pool) => true,
            (Transfers::Department, Owner::Member { department: from }, Owner::Member { department: to }) => {
                from.is_some() && from == to
            }
            (Transfers::Pool, Owner::Member { .. }, Owner::Member { .. }) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(department: Option<&str>) -> Owner {
        Owner::Member { department: department.map(str::to_owned) }
    }

    #[test]
    fn each_policy_allows_what_it_says() {
        let pairs = [
            (member(Some("eng")), member(Some("eng"))),
            (member(Some("eng")), member(Some("sales"))),
            (member(None), member(None)),
            (member(Some("eng")), Owner::Pool),
            (Owner::Pool, member(None)),
        ];
        let allowed = |policy: Transfers| pairs.each_ref().map(|(from, to)| policy.allows(from, to));
        assert_eq!(allowed(Transfers::Free), [true; 5]);
        assert_eq!(allowed(Transfers::Department), [true, false, false, true, true]);
        assert_eq!(allowed(Transfers::Pool), [false, false, false, true, true]);
        assert_eq!(allowed(Transfers::Forbidden), [false; 5]);
    }

    #[test]
    fn names_are_those_of_sql() {
        for name in Transfers::NAMES.split(", ") {
            assert_eq!(Transfers::of_name(name).unwrap().name(), name);
        }
        assert_eq!(Transfers::of_name("anybody"), None);
    }
}
