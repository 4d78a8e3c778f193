//! The right to spend the pool: an account's policy, and the rules that override it for departments and members, each from an
//! instant on.
//!
//! A member goes by their own override, else by that of the nearest department above them, else by the account's policy. The
//! policy of an agreement is the account's policy while it lasts, unless the account was told otherwise since.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::domain::pools::department;

/// Whether members spend the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their own lots first, then the pool.
    Pooled,
    /// Their own lots only.
    PerSeat,
}

impl Pooling {
    /// The names that SQL uses.
    pub const NAMES: &'static str = "pooled, per_seat";

    /// The policy of a name.
    pub fn of_name(name: &str) -> Option<Pooling> {
        match name {
            "pooled" => Some(Pooling::Pooled),
            "per_seat" => Some(Pooling::PerSeat),
            _ => None,
        }
    }

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Pooling::Pooled => "pooled",
            Pooling::PerSeat => "per_seat",
        }
    }
}

/// The target of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// All members.
    Account,
    /// All members, as an agreement says it.
    Agreement(i64),
    /// The members of a department and of all below it.
    Department(String),
    /// One member.
    Member(String),
}

/// A rule, which counts for its target from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The members that the rule is for.
    pub target: Target,
    /// From when on; `None` for what was there before the first change.
    pub effective_at: Option<DateTime<Utc>>,
    /// `None` where nothing special counts any more.
    pub pooling: Option<Pooling>,
}

/// The policy that counts at an instant, and the instants between which no other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The policy that counts.
    pub pooling: Pooling,
    /// Since when; `None` since ever.
    pub from: Option<DateTime<Utc>>,
    /// The first instant at which something else may count; `None` for never, as far as is known.
    pub until: Option<DateTime<Utc>>,
}

impl Resolved {
    /// A policy that nothing is known to change.
    pub fn always(pooling: Pooling) -> Resolved {
        Resolved { pooling, from: None, until: None }
    }

    /// Whether it is what counts at an instant too.
    pub fn holds(&self, at: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// When a rule begins, and its place among those that begin then: of one instant the last word counts.
type Since = (Option<DateTime<Utc>>, usize);

/// All the rules of an account that somebody may go by.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The policy that counts where no rule for the account does.
    base: Pooling,
    /// How many rules were made.
    made: usize,
    /// The rules of each target, the earliest first.
    rules: HashMap<Target, Vec<(Since, Option<Pooling>)>>,
}

impl Policy {
    /// The rules in the order in which they were made.
    pub fn new(base: Pooling, rules: impl IntoIterator<Item = Rule>) -> Policy {
        rules.into_iter().fold(Policy { base, made: 0, rules: HashMap::new() }, Policy::with)
    }

    /// The same policy with one more rule.
    pub fn with(mut self, Rule { target, effective_at, pooling }: Rule) -> Policy {
        let since = (effective_at, self.made);
        let rules = self.rules.entry(target).or_default();
        rules.insert(rules.partition_point(|(known, _)| *known < since), (since, pooling));
        self.made += 1;
        self
    }

    /// Whether anything was ever said about the target.
    pub fn has_rules(&self, target: &Target) -> bool {
        self.rules.contains_key(target)
    }

    /// The policy that counts at an instant for a member of a department, or without a member for those who have no rule of their
    /// own.
    pub fn resolve(&self, member: Option<&str>, department: Option<&str>, at: DateTime<Utc>) -> Resolved {
        let mut course = Course { at, from: None, until: None };
        let mut of_target = |target: &Target| self.rules.get(target).and_then(|rules| course.follow(rules));
        let member = member.map(|member| Target::Member(member.to_owned()));
        let departments = department.into_iter().flat_map(department::upwards);
        let overriding = member.into_iter().chain(departments.map(|path| Target::Department(path.to_owned())));
        // All are looked at, also behind the one that counts: each may change later.
        let overrides: Vec<_> = overriding.filter_map(|target| of_target(&target)).collect();
        let for_all = self.rules.keys().filter(|target| matches!(target, Target::Account | Target::Agreement(_)));
        let of_account = for_all.filter_map(of_target).max_by_key(|(since, _)| *since);
        let pooling = overrides.first().copied().or(of_account).map_or(self.base, |(_, pooling)| pooling);
        Resolved { pooling, from: course.from, until: course.until }
    }
}

/// The nearest changes around an instant of the rules that were followed.
struct Course {
    at: DateTime<Utc>,
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

impl Course {
    /// The policy of a target's rules at the instant, and since when it counts.
    fn follow(&mut self, rules: &[(Since, Option<Pooling>)]) -> Option<(Since, Pooling)> {
        let next =
            rules.partition_point(|((effective_at, _), _)| effective_at.is_none_or(|effective_at| effective_at <= self.at));
        if let Some(((Some(until), _), _)) = rules.get(next) {
            self.until = Some(self.until.map_or(*until, |known| known.min(*until)));
        }
        let (since, pooling) = rules[..next].last()?;
        self.from = self.from.max(since.0);
        Some((*since, (*pooling)?))
    }
}

#[cfg(test)]
mod tests;
