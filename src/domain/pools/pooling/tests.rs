use proptest::prelude::*;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
}

fn rule(target: Target, second: i64, pooling: Option<Pooling>) -> Rule {
    Rule { target, effective_at: (second >= 0).then(|| at(second)), pooling }
}

fn department(path: &str) -> Target {
    Target::Department(path.to_owned())
}

fn member(name: &str) -> Target {
    Target::Member(name.to_owned())
}

use Pooling::{PerSeat, Pooled};

#[test]
fn without_rules_the_account_says_it_for_ever() {
    let policy = Policy::new(PerSeat, []);
    assert_eq!(policy.resolve(Some("ann"), Some("eng/ml"), at(5)), Resolved::always(PerSeat));
    assert_eq!(policy.resolve(None, None, at(5)), Resolved::always(PerSeat));
}

#[test]
fn the_nearest_override_counts() {
    let rules = [
        rule(Target::Account, -1, Some(Pooled)),
        rule(department("eng"), 0, Some(PerSeat)),
        rule(department("eng/ml"), 0, Some(Pooled)),
        rule(member("bob"), 0, Some(PerSeat)),
    ];
    let policy = Policy::new(PerSeat, rules);
    let of = |name: &str, department: Option<&str>| policy.resolve(Some(name), department, at(1)).pooling;
    assert_eq!(of("ann", None), Pooled);
    assert_eq!(of("ann", Some("engineering")), Pooled);
    assert_eq!(of("ann", Some("eng")), PerSeat);
    assert_eq!(of("ann", Some("eng/web")), PerSeat);
    assert_eq!(of("ann", Some("eng/ml/vision")), Pooled);
    assert_eq!(of("bob", Some("eng/ml")), PerSeat);
}

#[test]
fn each_rule_counts_from_its_instant_on_and_not_before() {
    let rules = [rule(Target::Account, -1, Some(Pooled)), rule(member("ann"), 10, Some(PerSeat)), rule(member("ann"), 20, None)];
    let policy = Policy::new(Pooled, rules);
    let of = |second: i64| policy.resolve(Some("ann"), None, at(second));
    assert_eq!(of(9), Resolved { pooling: Pooled, from: None, until: Some(at(10)) });
    assert_eq!(of(10), Resolved { pooling: PerSeat, from: Some(at(10)), until: Some(at(20)) });
    assert_eq!(of(20), Resolved { pooling: Pooled, from: Some(at(20)), until: None });
    assert_eq!(policy.resolve(Some("eve"), None, at(15)), Resolved::always(Pooled), "it is nobody else's");
}

#[test]
fn of_one_instant_the_last_word_counts() {
    let rules = [
        rule(Target::Account, 10, Some(PerSeat)),
        rule(Target::Account, 5, Some(PerSeat)),
        rule(Target::Account, 10, Some(Pooled)),
    ];
    let policy = Policy::new(Pooled, rules);
    assert_eq!(policy.resolve(None, None, at(10)).pooling, Pooled);
    let changed = policy.with(rule(Target::Account, 10, Some(PerSeat)));
    assert_eq!(changed.resolve(None, None, at(10)).pooling, PerSeat);
    assert_eq!(changed.resolve(None, None, at(4)).pooling, Pooled);
}

#[test]
fn an_agreement_counts_until_it_ends_or_the_account_is_told_otherwise() {
    let rules = [
        rule(Target::Account, -1, Some(Pooled)),
        rule(Target::Agreement(1), 10, Some(PerSeat)),
        rule(Target::Agreement(1), 30, None),
        rule(Target::Account, 20, Some(Pooled)),
        rule(Target::Agreement(2), 40, Some(PerSeat)),
    ];
    let policy = Policy::new(Pooled, rules);
    let counts: Vec<_> = [5, 10, 19, 20, 30, 39, 40].map(|second| policy.resolve(None, None, at(second)).pooling).into();
    assert_eq!(counts, [Pooled, PerSeat, PerSeat, Pooled, Pooled, Pooled, PerSeat]);
}

#[test]
fn names_are_those_of_sql() {
    for name in Pooling::NAMES.split(", ") {
        assert_eq!(Pooling::of_name(name).unwrap().name(), name);
    }
    assert_eq!(Pooling::of_name("shared"), None);
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let targets = prop_oneof![
        Just(Target::Account),
        (0_i64..2).prop_map(Target::Agreement),
        "(a|b)(/(a|b))?".prop_map(Target::Department),
        "m|n".prop_map(Target::Member),
    ];
    (targets, -1_i64..8, prop::option::of(prop_oneof![Just(Pooled), Just(PerSeat)])).prop_map(|(target, second, pooling)| {
        // The account always has a policy.
        let pooling = if target == Target::Account { pooling.or(Some(PerSeat)) } else { pooling };
        rule(target, second, pooling)
    })
}

proptest! {
    /// A policy that is said to hold between two instants does, and the next rule takes effect as if all were made at once.
    #[test]
    fn a_resolution_holds_as_long_as_it_says(rules in prop::collection::vec(any_rule(), 0..12), path in "(a|b)(/(a|b))?",
        second in 0_i64..9) {
        let policy = Policy::new(Pooled, rules.clone());
        let resolved = policy.resolve(Some("m"), Some(&path), at(second));
        prop_assert!(resolved.holds(at(second)));
        for other in 0..10 {
            if resolved.holds(at(other)) {
                prop_assert_eq!(policy.resolve(Some("m"), Some(&path), at(other)), resolved);
            }
        }
        if let Some((last, before)) = rules.split_last() {
            let added = Policy::new(Pooled, before.to_vec()).with(last.clone());
            prop_assert_eq!(added.resolve(Some("m"), Some(&path), at(second)), resolved);
        }
    }
}
