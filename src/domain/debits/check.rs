//! Whether a debit would be allowed: the decision that it would meet now, and at any later instant if nothing else happens until
//! then. Credits come when lots come into effect, schedules bring them or holds end; caps have headroom again when what was
//! counted counts no more or holds end.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;

/// How many instants are looked at for when a debit would be allowed.
const MOST_INSTANTS: usize = 64;

/// Credits of the two owners that pay a debit: of the member's own lots, and of the pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credits {
    pub own: Amount,
    pub pooled: Amount,
}

impl Credits {
    /// All of them.
    pub fn all(self) -> Amount {
        self.own.saturating_add(self.pooled)
    }

    /// Adds credits of one of the owners.
    pub fn add(&mut self, pooled: bool, amount: Amount) {
        let of_owner = if pooled { &mut self.pooled } else { &mut self.own };
        *of_owner = of_owner.saturating_add(amount);
    }
}

/// An amount that counts as long as an instant lies ahead: what an open hold has, or what a cap has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    pub ends_at: DateTime<Utc>,
    pub amount: Amount,
}

/// A lot that could pay the debit while it is in force.
#[derive(Clone, Debug)]
pub struct Lot {
    pub lot: i64,
    pub pooled: bool,
    pub effective_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    /// The credits that nothing holds.
    pub available: Amount,
    /// The credits that holds have of it, given back or not: from the end of its hold on each is free.
    pub held: Vec<Until>,
    /// Until when the lot takes back what holds had; `None` for as long as it is in force.
    pub takes_back_until: Option<DateTime<Utc>>,
}

impl Lot {
    fn is_in_force(&self, at: DateTime<Utc>) -> bool {
        self.effective_at <= at && self.expires_at.is_none_or(|expires_at| at < expires_at)
    }

    fn takes_back(&self, at: DateTime<Utc>) -> bool {
        self.takes_back_until.is_none_or(|until| at < until)
    }

    /// The credits that ended holds had: they are free.
    pub fn ended(&self, at: DateTime<Utc>) -> Amount {
        if self.takes_back(at) { sum(self.held.iter().filter(|held| held.ends_at <= at)) } else { Amount::ZERO }
    }

    /// The credits that open holds have.
    pub fn held(&self, at: DateTime<Utc>) -> Amount {
        if self.takes_back(at) { sum(self.held.iter().filter(|held| at < held.ends_at)) } else { Amount::ZERO }
    }
}

/// A cap that counts the debit and blocks.
#[derive(Clone, Debug)]
pub struct Cap {
    pub cap: i64,
    /// It counts only what pooled lots pay.
    pub pool: bool,
    pub limit: Amount,
    /// What was used of it, and until when each part counts.
    pub used: Vec<Until>,
    /// What holds have of it, given back or not.
    pub held: Vec<Until>,
    /// When something that was used counts no more; `None` where nothing does.
    pub resets_at: Option<DateTime<Utc>>,
}

impl Cap {
    /// What counts as used of it.
    pub fn used(&self, at: DateTime<Utc>) -> Amount {
        counting(&self.used, at)
    }

    /// What open holds have of it.
    pub fn held(&self, at: DateTime<Utc>) -> Amount {
        counting(&self.held, at)
    }

    /// What is left of the limit.
    pub fn headroom(&self, at: DateTime<Utc>) -> Amount {
        let taken = self.used(at).saturating_add(self.held(at));
        self.limit.checked_sub(taken).unwrap_or_default().max(Amount::ZERO)
    }

    /// The first instant after another from which on less of it is taken.
    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.used.iter().chain(&self.held).map(|until| until.ends_at).filter(|ends_at| *ends_at > after).min()
    }
}

/// The schedules of the account, as far as their credits are not issued.
pub trait Schedules {
    /// What they will have brought to those who pay the debit by an instant, and what they will have taken of the lots.
    fn credits(&self, at: DateTime<Utc>) -> Credits;

    /// The first instant after another at which one of their periods begins.
    fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>>;
}

/// Everything that decides a debit, as it is at one instant.
pub struct World<'a> {
    pub lots: Vec<Lot>,
    pub caps: Vec<Cap>,
    /// Since when the pool pays, or does not, in the order of time; the first of them counts before, too.
    pub pool_pays: Vec<(DateTime<Utc>, bool)>,
    pub schedules: &'a dyn Schedules,
}

/// The answer to a debit at an instant.
#[derive(Debug)]
pub struct Decision<'a> {
    pub credits: Credits,
    /// The credits do not suffice.
    pub is_short: bool,
    /// The caps that leave too little; the one that leaves least is the first.
    pub in_the_way: Vec<&'a Cap>,
}

impl Decision<'_> {
    /// Whether the debit would be made.
    pub fn is_allowed(&self) -> bool {
        !self.is_short && self.in_the_way.is_empty()
    }
}

impl World<'_> {
    fn pool_pays(&self, at: DateTime<Utc>) -> bool {
        let begun = self.pool_pays.iter().take_while(|(since, _)| *since <= at).last();
        begun.or(self.pool_pays.first()).is_none_or(|(_, pays)| *pays)
    }

    /// The lots that would pay at an instant.
    pub fn paying(&self, at: DateTime<Utc>) -> impl Iterator<Item = &Lot> {
        let pool_pays = self.pool_pays(at);
        self.lots.iter().filter(move |lot| lot.is_in_force(at) && (pool_pays || !lot.pooled))
    }

    /// The credits at an instant.
    pub fn credits(&self, at: DateTime<Utc>) -> Credits {
        let mut credits = self.schedules.credits(at);
        if !self.pool_pays(at) {
            credits.pooled = Amount::ZERO;
        }
        for lot in self.paying(at) {
            credits.add(lot.pooled, lot.available.saturating_add(lot.ended(at)));
        }
        credits
    }

    /// What open holds have of the lots that would pay.
    pub fn held(&self, at: DateTime<Utc>) -> Amount {
        self.paying(at).map(|lot| lot.held(at)).fold(Amount::ZERO, Amount::saturating_add)
    }

    /// The answer to a debit of an amount at an instant.
    pub fn decide(&self, amount: Amount, at: DateTime<Utc>) -> Decision<'_> {
        let credits = self.credits(at);
        let from_pool = amount.checked_sub(credits.own).unwrap_or_default().max(Amount::ZERO);
        let counted = |cap: &Cap| if cap.pool { from_pool } else { amount };
        let mut in_the_way: Vec<&Cap> = self.caps.iter().filter(|cap| cap.headroom(at) < counted(cap)).collect();
        in_the_way.sort_by_key(|cap| cap.headroom(at));
        Decision { credits, is_short: credits.all() < amount, in_the_way }
    }

    /// The most that would be debited at an instant.
    pub fn spendable(&self, at: DateTime<Utc>) -> Amount {
        let credits = self.credits(at);
        let least = |pool: bool| self.caps.iter().filter(move |cap| cap.pool == pool).map(move |cap| cap.headroom(at));
        let of_pool = least(true).fold(credits.pooled, Amount::min);
        least(false).fold(credits.own.saturating_add(of_pool), Amount::min)
    }

    /// The first instant after `now`, until another, at which a debit that is refused now would be allowed; `None` also where
    /// more than 64 instants would have to be looked at.
    ///
    /// What is short stays short until credits come, and a cap in the way stays there until less of it is taken. So only the
    /// instants are looked at that may change what is in the way.
    pub fn free_at(&self, amount: Amount, now: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut at = now;
        for _ in 0..=MOST_INSTANTS {
            let decision = self.decide(amount, at);
            if decision.is_allowed() {
                return Some(at);
            }
            let mut next = at;
            if decision.is_short {
                next = next.max(self.next_credits(at)?);
            }
            for cap in decision.in_the_way {
                // A member's own credits that come leave less for the pool to pay.
                let own_come = if cap.pool { self.next_credits(at) } else { None };
                next = next.max(cap.next(at).into_iter().chain(own_come).min()?);
            }
            at = next;
            if at > until {
                return None;
            }
        }
        None
    }

    /// The first instant after another at which credits may come.
    fn next_credits(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let of_lot =
            |lot: &Lot| [lot.effective_at].into_iter().chain(lot.held.iter().map(|held| held.ends_at)).collect::<Vec<_>>();
        let of_lots = self.lots.iter().flat_map(of_lot);
        let of_pool = self.pool_pays.iter().map(|(since, _)| *since);
        let known = of_lots.chain(of_pool).filter(|at| *at > after);
        known.chain(self.schedules.next(after)).min()
    }
}

fn counting(amounts: &[Until], at: DateTime<Utc>) -> Amount {
    sum(amounts.iter().filter(|until| at < until.ends_at))
}

fn sum<'a>(amounts: impl Iterator<Item = &'a Until>) -> Amount {
    amounts.map(|until| until.amount).fold(Amount::ZERO, Amount::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Periods that bring credits to one of the owners, for as long as the next one runs.
    struct Periods(Vec<(i64, bool, i128)>);

    impl Schedules for Periods {
        fn credits(&self, at: DateTime<Utc>) -> Credits {
            let mut credits = Credits::default();
            let running = self.0.iter().filter(|(begins, ..)| minute(*begins) <= at && at < minute(*begins + 7));
            running.for_each(|(_, pooled, amount)| credits.add(*pooled, of(*amount)));
            credits
        }

        fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
            self.0.iter().map(|(begins, ..)| minute(*begins)).filter(|begins| *begins > after).min()
        }
    }

    struct NoSchedules;

    impl Schedules for NoSchedules {
        fn credits(&self, _at: DateTime<Utc>) -> Credits {
            Credits::default()
        }

        fn next(&self, _after: DateTime<Utc>) -> Option<DateTime<Utc>> {
            None
        }
    }

    fn of(nanos: i128) -> Amount {
        Amount::from_nanos(nanos).unwrap()
    }

    fn minute(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 60, 0).unwrap()
    }

    fn until(ends_at: i64, amount: i128) -> Until {
        Until { ends_at: minute(ends_at), amount: of(amount) }
    }

    fn lot(pooled: bool, life: (i64, Option<i64>), available: i128, held: Vec<Until>) -> Lot {
        let (effective_at, expires_at) = (minute(life.0), life.1.map(minute));
        Lot { lot: 1, pooled, effective_at, expires_at, available: of(available), held, takes_back_until: None }
    }

    fn cap(pool: bool, limit: i128, used: Vec<Until>, held: Vec<Until>) -> Cap {
        let resets_at = used.iter().map(|until| until.ends_at).min();
        Cap { cap: 1, pool, limit: of(limit), used, held, resets_at }
    }

    fn world(lots: Vec<Lot>, caps: Vec<Cap>) -> World<'static> {
        World { lots, caps, pool_pays: vec![(minute(0), true)], schedules: &NoSchedules }
    }

    #[test]
    fn credits_are_there_while_their_lot_is_in_force() {
        let lots = vec![lot(false, (0, Some(5)), 10, vec![]), lot(true, (3, None), 7, vec![until(4, 2), until(9, 1)])];
        let world = world(lots, vec![]);
        let all = |number| world.credits(minute(number)).all();
        assert_eq!([0, 2, 3, 4, 5, 9].map(all), [10, 10, 17, 19, 9, 10].map(of));
        assert_eq!([0, 3, 4, 9].map(|number| world.held(minute(number))), [0, 3, 1, 0].map(of));
        assert_eq!(world.free_at(of(18), minute(0), minute(99)), Some(minute(4)));
        assert_eq!(world.free_at(of(20), minute(0), minute(99)), None);
    }

    #[test]
    fn a_lot_that_takes_nothing_back_has_only_what_is_in_its_slots() {
        let voided = Lot { takes_back_until: Some(minute(0)), ..lot(true, (0, None), 3, vec![until(4, 5), until(0, 9)]) };
        let world = world(vec![voided], vec![]);
        assert_eq!([0, 9].map(|number| world.credits(minute(number)).all()), [3, 3].map(of));
        assert_eq!(world.held(minute(0)), of(0));
    }

    #[test]
    fn a_cap_of_the_pool_counts_what_own_credits_do_not_pay() {
        let lots = vec![lot(false, (0, None), 4, vec![]), lot(false, (6, None), 3, vec![]), lot(true, (0, None), 100, vec![])];
        let world = world(lots, vec![cap(true, 5, vec![until(30, 2)], vec![until(20, 1)])]);
        let decided = world.decide(of(6), minute(0));
        assert!(decided.is_allowed() && !world.decide(of(7), minute(0)).is_allowed());
        assert_eq!(world.spendable(minute(0)), of(6));
        assert_eq!(
            [7, 10, 12, 13].map(|amount| world.free_at(of(amount), minute(0), minute(99))),
            [Some(minute(6)), Some(minute(20)), Some(minute(30)), None]
        );
    }

    #[test]
    fn the_cap_that_leaves_least_stands_first() {
        let caps = vec![cap(false, 5, vec![], vec![]), cap(false, 9, vec![until(3, 7)], vec![])];
        let world = world(vec![lot(true, (0, None), 100, vec![])], caps);
        let decided = world.decide(of(6), minute(0));
        assert_eq!(decided.in_the_way.iter().map(|cap| cap.limit).collect::<Vec<_>>(), [9, 5].map(of));
        assert_eq!(world.free_at(of(6), minute(0), minute(99)), None);
        assert_eq!(world.free_at(of(5), minute(0), minute(99)), Some(minute(3)));
    }

    #[test]
    fn at_most_64_instants_are_looked_at_and_only_those_that_matter() {
        let daily = |count: i64| -> Vec<Lot> { (1..=count).map(|day| lot(true, (day, Some(day + 1)), 1, vec![])).collect() };
        let last = |count| [daily(count), vec![lot(true, (count + 1, None), 50, vec![])]].concat();
        assert_eq!(world(last(63), vec![]).free_at(of(50), minute(0), minute(999)), Some(minute(64)));
        assert_eq!(world(last(64), vec![]).free_at(of(50), minute(0), minute(999)), None);
        // A cap alone is in the way: that lots come does not matter.
        let capped = [daily(200), vec![lot(true, (0, None), 50, vec![])]].concat();
        let capped = world(capped, vec![cap(false, 50, vec![until(300, 9)], vec![])]);
        assert_eq!(capped.free_at(of(50), minute(0), minute(999)), Some(minute(300)));
        assert_eq!(capped.free_at(of(50), minute(0), minute(299)), None);
    }

    fn untils() -> impl Strategy<Value = Vec<Until>> {
        proptest::collection::vec((0_i64..40, 1_i128..9).prop_map(|(ends_at, amount)| until(ends_at, amount)), 0..3)
    }

    prop_compose! {
        fn lots()(
            lots in proptest::collection::vec((any::<bool>(), -3_i64..30, 1_i64..30, 0_i128..9, untils(), 0_i64..60), 0..5),
        ) -> Vec<Lot> {
            let lot = |(pooled, from, length, available, held, back): (bool, i64, i64, i128, Vec<Until>, i64)| Lot {
                takes_back_until: (back < 20).then(|| minute(back)),
                ..lot(pooled, (from, (length < 25).then_some(from + length)), available, held)
            };
            lots.into_iter().map(lot).collect()
        }
    }

    proptest! {
        /// The search that passes over instants finds what a search of every minute finds.
        #[test]
        fn no_earlier_instant_is_passed_over(
            lots in lots(),
            caps in proptest::collection::vec((any::<bool>(), 0_i128..20, untils(), untils()), 0..3),
            pays in proptest::collection::vec((1_i64..40, any::<bool>()), 0..3),
            periods in proptest::collection::vec((0_i64..40, any::<bool>(), 1_i128..9), 0..3),
            amount in 1_i128..25,
        ) {
            let periods = Periods(periods);
            let mut pool_pays: Vec<_> = [(0, true)].into_iter().chain(pays).map(|(at, pays)| (minute(at), pays)).collect();
            pool_pays.sort();
            let caps = caps.into_iter().map(|(pool, limit, used, held)| cap(pool, limit, used, held)).collect();
            let world = World { lots, caps, pool_pays, schedules: &periods };
            let allowed = |number: &i64| world.decide(of(amount), minute(*number)).is_allowed();
            prop_assert_eq!(world.free_at(of(amount), minute(0), minute(90)), (0..=90).find(allowed).map(minute));
            // As much as can be spent is allowed, and no more.
            for number in [0, 7, 33] {
                let spendable = world.spendable(minute(number));
                prop_assert!(spendable.is_zero() || world.decide(spendable, minute(number)).is_allowed());
                prop_assert!(!world.decide(spendable.saturating_add(of(1)), minute(number)).is_allowed());
            }
        }
    }
}
