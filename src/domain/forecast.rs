//! What will expire unused if credits go on being used as they were.
//!
//! Every member and operation goes on at its own even pace, and draws from the lots in drawdown order. Between two instants at
//! which a lot begins or ends nothing changes but what is left, so these stretches are simulated as one debit each.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::amount::{Amount, MAX_DECIMALS};
use super::drawdown::{Expiry, Rank};

/// A lot as it is now.
#[derive(Clone, Debug)]
pub struct Lot {
    pub rank: Rank,
    /// Whose it is; `None` for the pool.
    pub member: Option<String>,
    /// The operations it pays for; `None` for all.
    pub applies_to: Option<Vec<String>>,
    pub remaining: Amount,
}

/// What one member used for one operation in the time that is looked at.
#[derive(Clone, Debug)]
pub struct Usage {
    pub member: Option<String>,
    pub operation: Option<String>,
    pub amount: Amount,
}

/// What the usage is carried on by.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long the usage took.
    pub window: TimeDelta,
    /// Amounts have so many decimals.
    pub decimals: u32,
    /// Members spend their own lots only.
    pub per_seat: bool,
}

/// What becomes of a lot until it expires; of one that never does, until the last other one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    pub lot: i64,
    pub used: Amount,
    /// What is left of it when it expires.
    pub lost: Amount,
}

/// What becomes of each lot, in drawdown order.
///
/// # Panics
/// When the window has no length.
pub fn forecast(lots: &[Lot], usage: &[Usage], pace: Pace, now: DateTime<Utc>) -> Vec<Fate> {
    assert!(pace.window > TimeDelta::zero(), "a window without length");
    let mut lots: Vec<&Lot> = lots.iter().collect();
    lots.sort_by_key(|lot| lot.rank);
    let mut simulation = Simulation::new(&lots, now);
    let mut from = now;
    for until in turning_points(&lots, now) {
        for stream in usage {
            let due = pace.due(stream.amount, until - now) - pace.due(stream.amount, from - now);
            simulation.draw(stream, due, from, pace.per_seat);
        }
        simulation.expire(until);
        from = until;
    }
    simulation.fates()
}

/// The instants from now on at which a lot begins or ends, up to the last end.
fn turning_points(lots: &[&Lot], now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let ends = lots.iter().filter_map(|lot| end(lot));
    let Some(last) = ends.clone().max() else { return Vec::new() };
    let begins = lots.iter().map(|lot| lot.rank.effective_at);
    let mut points: Vec<_> = ends.chain(begins).filter(|at| *at > now && *at <= last).collect();
    points.sort_unstable();
    points.dedup();
    points
}

fn end(lot: &Lot) -> Option<DateTime<Utc>> {
    match lot.rank.expiry {
        Expiry::At(expires_at) => Some(expires_at),
        Expiry::Never => None,
    }
}

impl Pace {
    /// What is used of an amount per window after so long, in billionths: rounded down to what can be debited, so that a stretch
    /// takes neither more nor less than its parts.
    fn due(&self, amount: Amount, elapsed: TimeDelta) -> i128 {
        let micros = |length: TimeDelta| i128::from(length.num_microseconds().unwrap_or(i64::MAX));
        let (window, elapsed) = (micros(self.window), micros(elapsed));
        let smallest = 10_i128.pow(MAX_DECIMALS - self.decimals);
        let amount = amount.nanos() / smallest;
        // Divided before it is multiplied, so that it stays within an i128; more than that nobody has.
        let whole = (amount / window).saturating_mul(elapsed);
        whole.saturating_add(amount % window * elapsed / window).saturating_mul(smallest)
    }
}

struct Simulation<'a> {
    lots: &'a [&'a Lot],
    left: Vec<i128>,
    lost: Vec<i128>,
    /// The lots of each owner that hold something and have not expired, in drawdown order.
    of_owner: BTreeMap<Option<&'a str>, Vec<usize>>,
}

impl<'a> Simulation<'a> {
    fn new(lots: &'a [&'a Lot], now: DateTime<Utc>) -> Simulation<'a> {
        let mut of_owner: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for (index, lot) in lots.iter().enumerate() {
            of_owner.entry(lot.member.as_deref()).or_default().push(index);
        }
        let left = lots.iter().map(|lot| lot.remaining.nanos()).collect();
        let mut simulation = Simulation { lots, left, lost: vec![0; lots.len()], of_owner };
        simulation.expire(now);
        simulation
    }

    /// Draws what is due as a debit would from `from` on; what no lot covers is not used.
    fn draw(&mut self, stream: &Usage, due: i128, from: DateTime<Utc>, per_seat: bool) {
        let own = stream.member.as_deref();
        let owners = [own, None].into_iter().take(if own.is_none() || per_seat { 1 } else { 2 });
        let mut uncovered = due;
        for index in owners.filter_map(|owner| self.of_owner.get(&owner)).flatten() {
            let lot = self.lots[*index];
            if lot.rank.effective_at <= from && lot.pays_for(stream.operation.as_deref()) {
                let drawn = self.left[*index].min(uncovered);
                self.left[*index] -= drawn;
                uncovered -= drawn;
                if uncovered == 0 {
                    break;
                }
            }
        }
    }

    /// Ends the lots whose time has come.
    fn expire(&mut self, at: DateTime<Utc>) {
        let Simulation { lots, left, lost, of_owner } = self;
        for indexes in of_owner.values_mut() {
            indexes.retain(|index| {
                let has_expired = end(lots[*index]).is_some_and(|expires_at| expires_at <= at);
                if has_expired {
                    lost[*index] = left[*index];
                }
                !has_expired && left[*index] > 0
            });
        }
    }

    fn fates(&self) -> Vec<Fate> {
        let amount = |nanos| Amount::from_nanos(nanos).expect("a part of what a lot holds");
        let fate = |(index, lot): (usize, &&Lot)| Fate {
            lot: lot.rank.lot,
            used: amount(lot.remaining.nanos() - self.left[index]),
            lost: amount(self.lost[index]),
        };
        self.lots.iter().enumerate().map(fate).collect()
    }
}

impl Lot {
    fn pays_for(&self, operation: Option<&str>) -> bool {
        match &self.applies_to {
            None => true,
            Some(operations) => operation.is_some_and(|operation| operations.iter().any(|known| known == operation)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(day * DAY, 0).unwrap()
    }

    fn amount(units: i128) -> Amount {
        Amount::from_nanos(units * 1_000_000_000).unwrap()
    }

    /// A pooled lot that is in effect from the beginning; it never expires on day 0.
    fn lot(id: i64, remaining: i128, expires_on: i64) -> Lot {
        let expiry = if expires_on == 0 { Expiry::Never } else { Expiry::At(at(expires_on)) };
        let rank = Rank { pooled: true, priority: 50, general: true, expiry, paid: true, effective_at: at(0), lot: id };
        Lot { rank, member: None, applies_to: None, remaining: amount(remaining) }
    }

    fn usage(units: i128) -> Usage {
        Usage { member: None, operation: None, amount: amount(units) }
    }

    fn pace(days: i64) -> Pace {
        Pace { window: TimeDelta::days(days), decimals: 6, per_seat: false }
    }

    fn used_and_lost(lots: &[Lot], usage: &[Usage], pace: Pace) -> Vec<(i64, i128, i128)> {
        let units = |amount: Amount| amount.nanos() / 1_000_000_000;
        forecast(lots, usage, pace, at(0)).iter().map(|fate| (fate.lot, units(fate.used), units(fate.lost))).collect()
    }

    #[test]
    fn what_is_not_used_by_its_expiry_is_lost() {
        // 30 in 30 days is 1 a day: 10 days use 10 of the first, the next 10 use 10 of the second.
        let lots = [lot(1, 25, 10), lot(2, 5, 20), lot(3, 100, 0)];
        assert_eq!(used_and_lost(&lots, &[usage(30)], pace(30)), [(1, 10, 15), (2, 5, 0), (3, 5, 0)]);
        assert_eq!(used_and_lost(&lots, &[], pace(30)), [(1, 0, 25), (2, 0, 5), (3, 0, 0)]);
    }

    #[test]
    fn a_lot_is_only_drawn_while_it_is_in_effect_and_by_whom_it_pays_for() {
        let late = Lot { rank: Rank { effective_at: at(8), priority: 1, ..lot(1, 0, 10).rank }, ..lot(1, 25, 10) };
        assert_eq!(used_and_lost(&[late, lot(2, 25, 20)], &[usage(30)], pace(30)), [(1, 2, 23), (2, 18, 7)]);
        let alice = Some("alice".to_owned());
        let own = Lot { rank: Rank { pooled: false, ..lot(1, 0, 10).rank }, member: alice.clone(), ..lot(1, 5, 10) };
        let chat = Lot {
            rank: Rank { general: false, ..lot(2, 0, 10).rank },
            applies_to: Some(vec!["chat".to_owned()]),
            ..lot(2, 5, 10)
        };
        let lots = [own, chat, lot(3, 5, 10)];
        let hers = Usage { member: alice, ..usage(30) };
        assert_eq!(used_and_lost(&lots, std::slice::from_ref(&hers), pace(30)), [(1, 5, 0), (2, 0, 5), (3, 5, 0)]);
        let per_seat = Pace { per_seat: true, ..pace(30) };
        assert_eq!(used_and_lost(&lots, &[hers], per_seat), [(1, 5, 0), (2, 0, 5), (3, 0, 5)]);
        let chats = Usage { operation: Some("chat".to_owned()), ..usage(30) };
        assert_eq!(used_and_lost(&lots, &[chats], pace(30)), [(1, 0, 5), (2, 5, 0), (3, 5, 0)]);
    }

    #[test]
    fn it_does_not_overflow() {
        let most = Amount::from_nanos(999_999_999_999_999_999_999_999).unwrap();
        let lots = [Lot { remaining: most, ..lot(1, 0, 3_000_000) }];
        let usage = [Usage { amount: most, ..usage(0) }];
        let pace = Pace { window: TimeDelta::microseconds(1), ..pace(1) };
        let fates = forecast(&lots, &usage, pace, at(0));
        assert_eq!(fates, [Fate { lot: 1, used: most, lost: Amount::ZERO }]);
    }

    /// Day by day, one debit each: what an account does that debits so much every day.
    fn day_by_day(lots: &[Lot], daily: i128) -> Vec<(i64, i128, i128)> {
        let mut order: Vec<&Lot> = lots.iter().collect();
        order.sort_by_key(|lot| lot.rank);
        let mut left: Vec<i128> = order.iter().map(|lot| lot.remaining.nanos() / 1_000_000_000).collect();
        let last = order.iter().filter_map(|lot| end(lot)).max().unwrap_or(at(0));
        let mut day = 0;
        while at(day) < last {
            let mut due = daily;
            for (index, lot) in order.iter().enumerate() {
                if lot.rank.effective_at <= at(day) && end(lot).is_none_or(|end| end > at(day)) {
                    let drawn = left[index].min(due);
                    (left[index], due) = (left[index] - drawn, due - drawn);
                }
            }
            day += 1;
        }
        let result = |(index, lot): (usize, &&Lot)| {
            let had = lot.remaining.nanos() / 1_000_000_000;
            (lot.rank.lot, had - left[index], if end(lot).is_some() { left[index] } else { 0 })
        };
        order.iter().enumerate().map(result).collect()
    }

    fn some_lots() -> impl Strategy<Value = Vec<Lot>> {
        prop::collection::vec((0_i128..200, 0_i64..40, 0_i64..20, 0_i16..3), 0..10).prop_map(|terms| {
            let lots = terms.into_iter().zip(1..).filter(|((_, ends, begins, _), _)| *ends == 0 || begins < ends);
            lots.map(|((remaining, ends, begins, priority), id)| {
                let lot = lot(id, remaining, ends);
                Lot { rank: Rank { effective_at: at(begins), priority, ..lot.rank }, ..lot }
            })
            .collect()
        })
    }

    proptest! {
        #[test]
        fn it_is_what_debiting_day_by_day_comes_to(lots in some_lots(), daily in 0_i128..30) {
            prop_assert_eq!(used_and_lost(&lots, &[usage(daily * 7)], pace(7)), day_by_day(&lots, daily));
        }

        #[test]
        fn nothing_is_made_and_nothing_goes_missing(lots in some_lots(), amounts in prop::collection::vec(0_i128..10_000_000_000_000, 0..5)) {
            let streams: Vec<_> = amounts.iter().map(|nanos| Usage { amount: Amount::from_nanos(*nanos).unwrap(), ..usage(0) }).collect();
            for fate in forecast(&lots, &streams, pace(13), at(0)) {
                let lot = lots.iter().find(|lot| lot.rank.lot == fate.lot).unwrap();
                let sum = fate.used.checked_add(fate.lost).unwrap();
                prop_assert!(fate.used >= Amount::ZERO && fate.lost >= Amount::ZERO);
                let adds_up = match end(lot) {
                    Some(_) => sum == lot.remaining,
                    None => sum <= lot.remaining && fate.lost.is_zero(),
                };
                prop_assert!(adds_up);
            }
        }

        #[test]
        fn who_uses_faster_never_loses_more(lots in some_lots(), slow in 0_i128..300, more in 0_i128..300) {
            let fates = |units| forecast(&lots, &[usage(units)], pace(30), at(0));
            for (slow, fast) in fates(slow).iter().zip(fates(slow + more)) {
                prop_assert!(fast.lost <= slow.lost, "lot {}", slow.lot);
            }
        }

        #[test]
        fn a_stretch_uses_what_its_parts_use(nanos in 0_i128..1_000_000_000_000_000_000_000_000, first in 0_i64..1_000_000_000_000, second in 0_i64..1_000_000_000_000) {
            let (amount, pace) = (Amount::from_nanos(nanos).unwrap(), pace(30));
            let due = |micros| pace.due(amount, TimeDelta::microseconds(micros));
            let exact = (amount.nanos() / 1000 * i128::from(first)) / i128::from(30 * DAY * 1_000_000) * 1000;
            prop_assert_eq!(due(first), exact);
            prop_assert!(due(first) <= due(first + second));
        }
    }
}
