//! Tests of the forecast.

use super::*;
use crate::domain::calendar::tests::Ahead;
use crate::domain::calendar::{Cycle, Span};
use crate::domain::exact::{Precision, Rounding};
use crate::domain::schedules::rollover::Rollover;
use crate::domain::schedules::schedule::{Proration, Validity};
use proptest::prelude::*;

fn forecast(lots: &[Lot], usage: &[Usage], pace: Pace, now: DateTime<Utc>) -> Vec<Fate> {
    crate::domain::maintenance::forecast::forecast(lots, Vec::new(), usage, pace, now, &Ahead(0))
}

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
    Usage { member: None, operation: None, amount: amount(units), per_seat: false }
}

fn pace(days: i64) -> Pace {
    Pace { window: TimeDelta::days(days), decimals: 6 }
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
    let chat =
        Lot { rank: Rank { general: false, ..lot(2, 0, 10).rank }, applies_to: Some(vec!["chat".to_owned()]), ..lot(2, 5, 10) };
    let lots = [own, chat, lot(3, 5, 10)];
    let hers = Usage { member: alice, ..usage(30) };
    assert_eq!(used_and_lost(&lots, std::slice::from_ref(&hers), pace(30)), [(1, 5, 0), (2, 0, 5), (3, 5, 0)]);
    let per_seat = Usage { per_seat: true, ..hers };
    assert_eq!(used_and_lost(&lots, &[per_seat], pace(30)), [(1, 5, 0), (2, 0, 5), (3, 0, 5)]);
    let chats = Usage { operation: Some("chat".to_owned()), ..usage(30) };
    assert_eq!(used_and_lost(&lots, &[chats], pace(30)), [(1, 0, 5), (2, 5, 0), (3, 5, 0)]);
}

fn monthly(rollover: Option<Rollover>) -> Terms {
    Terms {
        cycle: Cycle { anchor: at(0), every: Span { days: 30, ..Span::default() } },
        amount: amount(100),
        starts_at: at(0),
        ends_at: None,
        periods: None,
        validity: Validity::PeriodEnd,
        proration: Proration { first: false, last: false },
        rollover,
        precision: Precision { decimals: 6, rounding: Rounding::HalfEven },
        ends_lots: false,
    }
}

fn issuing(terms: &Terms, held: Vec<Held>) -> Issuing<'_> {
    let line = Line { since: Some(at(0)), issued: Some(0) };
    Issuing { terms, member: None, seats: vec![line], before: Vec::new(), held, is_paid: true, priorities: [50, 50] }
}

fn units(amount: Amount) -> i128 {
    amount.nanos() / 1_000_000_000
}

#[test]
fn what_a_schedule_issues_competes() {
    // 90 in 30 days are 3 a day. The lot of 500 lives for 60 days; what is issued on day 30 expires with it, but came later.
    let terms = monthly(None);
    let lots = [lot(1, 100, 30), lot(2, 500, 90)];
    let alone = used_and_lost(&lots, &[usage(90)], pace(30));
    assert_eq!(alone, [(1, 90, 10), (2, 180, 320)]);
    let fates = crate::domain::maintenance::forecast::forecast(
        &lots,
        vec![issuing(&terms, Vec::new())],
        &[usage(90)],
        pace(30),
        at(0),
        &Ahead(0),
    );
    let told: Vec<_> = fates.iter().map(|fate| (fate.lot, units(fate.used), units(fate.lost))).collect();
    // Day 30 to 60: the issued lot expires first and pays. Day 60 to 90: both expire on day 90, and the older lot pays.
    assert_eq!(told, [(1, 90, 10), (2, 90, 410)]);
}

#[test]
fn what_rolls_over_is_not_lost() {
    let rollover = Rollover { fraction_of_unused: Some("0.5".parse().unwrap()), ..Rollover::default() };
    let terms = monthly(Some(rollover));
    let held = |lot| Held {
        id: LotId::Known(lot),
        period: 0,
        rolled: 0,
        original: amount(100),
        remaining: amount(100),
        expires_at: Some(at(30)),
    };
    let lots = [lot(7, 100, 30), lot(8, 1, 60)];
    let fates = crate::domain::maintenance::forecast::forecast(
        &lots,
        vec![issuing(&terms, vec![held(7)])],
        &[usage(60)],
        pace(30),
        at(0),
        &Ahead(0),
    );
    let told: Vec<_> = fates.iter().map(|fate| [fate.used, fate.rolled, fate.lost].map(units)).collect();
    // 60 of 100 are used, 20 of the other 40 go on.
    assert_eq!(told, [[60, 20, 20], [1, 0, 0]]);
}

#[test]
fn it_does_not_overflow() {
    let most = Amount::from_nanos(999_999_999_999_999_999_999_999).unwrap();
    let lots = [Lot { remaining: most, ..lot(1, 0, 3_000_000) }];
    let usage = [Usage { amount: most, ..usage(0) }];
    let pace = Pace { window: TimeDelta::microseconds(1), ..pace(1) };
    let fates = forecast(&lots, &usage, pace, at(0));
    assert_eq!(fates, [Fate { lot: 1, used: most, rolled: Amount::ZERO, lost: Amount::ZERO }]);
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
    fn nothing_is_made_and_nothing_goes_missing(lots in some_lots(), amounts in prop::collection::vec(0_i128..10_000_000_000_000,
        0..5)) {
        let streams: Vec<_> = amounts.iter().map(|nanos| Usage { amount: Amount::from_nanos(*nanos).unwrap(),
            ..usage(0) }).collect();
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
    fn with_schedules_too_nothing_is_made_and_nothing_goes_missing(
        lots in some_lots(), units in 0_i128..3000, fraction in 0_i64..11, most in 0_i128..120, periods in 0_i32..3,
            carries in any::<bool>()
    ) {
        let rollover = Rollover {
            fraction_of_unused: Some(rust_decimal::Decimal::new(fraction, 1)),
            max_amount: (most < 100).then(|| amount(most)),
            max_periods: Some(periods),
            ..Rollover::default()
        };
        let terms = monthly(carries.then_some(rollover));
        let known = lot(99, 80, 30);
        let held = Held { id: LotId::Known(99), period: 0, rolled: 0, original: amount(100), remaining: amount(80),
            expires_at: Some(at(30)) };
        let all: Vec<_> = lots.iter().cloned().chain([known]).collect();
        let line = issuing(&terms, if carries { vec![held] } else { Vec::new() });
        let fates = crate::domain::maintenance::forecast::forecast(&all, vec![line], &[usage(units)], pace(30), at(0), &Ahead(0));
        prop_assert_eq!(fates.len(), all.len());
        let alone = forecast(&all, &[usage(units)], pace(30), at(0));
        for (fate, alone) in fates.iter().zip(alone) {
            let lot = all.iter().find(|lot| lot.rank.lot == fate.lot).unwrap();
            let sum: Amount = [fate.used, fate.rolled, fate.lost].into_iter().sum();
            prop_assert!(fate.used >= Amount::ZERO && fate.rolled >= Amount::ZERO && fate.lost >= Amount::ZERO);
            let adds_up = if end(lot).is_some() { sum == lot.remaining } else { sum <= lot.remaining && fate.lost.is_zero() };
            prop_assert!(adds_up);
            // Credits that come besides never have more of a lot used.
            prop_assert!(fate.used <= alone.used, "lot {}", fate.lot);
            prop_assert!(fate.rolled.is_zero() || fate.lot == 99);
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
    fn a_stretch_uses_what_its_parts_use(nanos in 0_i128..1_000_000_000_000_000_000_000_000, first in 0_i64..1_000_000_000_000,
        second in 0_i64..1_000_000_000_000) {
        let (amount, pace) = (Amount::from_nanos(nanos).unwrap(), pace(30));
        let due = |micros| pace.due(amount, TimeDelta::microseconds(micros));
        let exact = (amount.nanos() / 1000 * i128::from(first)) / i128::from(30 * DAY * 1_000_000) * 1000;
        prop_assert_eq!(due(first), exact);
        prop_assert!(due(first) <= due(first + second));
    }
}
