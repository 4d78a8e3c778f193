//! Tests of the lots that schedules bring.

use super::*;
use crate::domain::calendar::tests::{Ahead, date};
use crate::domain::exact::Rounding;
use proptest::prelude::*;

fn amount(whole: i64) -> Amount {
    Amount::parse(&whole.to_string()).unwrap()
}

fn monthly(anchor: DateTime<Utc>) -> Terms {
    Terms {
        cycle: Cycle { anchor, every: Span::of_months(1) },
        amount: amount(1000),
        starts_at: anchor,
        ends_at: None,
        periods: None,
        validity: Validity::PeriodEnd,
        proration: Proration { first: false, last: false },
        rollover: None,
        precision: Precision { decimals: 2, rounding: Rounding::HalfEven },
        ends_lots: false,
    }
}

/// The steps that are due where nothing was granted before.
fn alone(terms: &Terms, seats: &[Line], held: Vec<Held>, until: DateTime<Utc>, calendar: &Ahead) -> Due {
    due(terms, seats, &[], held, until, calendar)
}

fn new_line(terms: &Terms) -> Line {
    Line { since: Some(terms.starts_at), issued: None }
}

fn lots(terms: &Terms, until: DateTime<Utc>) -> Vec<(DateTime<Utc>, Option<DateTime<Utc>>, String)> {
    let due = alone(terms, &[new_line(terms)], Vec::new(), until, &Ahead(0));
    due.lots.iter().map(|lot| (lot.effective_at, lot.expires_at, lot.granted.to_string())).collect()
}

#[test]
fn months_end_where_they_do() {
    let terms = monthly(date(2026, 1, 31));
    let starts: Vec<_> = lots(&terms, date(2026, 3, 31)).iter().map(|lot| (lot.0, lot.1.unwrap())).collect();
    let (january, february, march, april) = (date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30));
    assert_eq!(starts, [(january, february), (february, march), (march, april)]);
    assert_eq!(lots(&terms, date(2026, 1, 30)), []);
}

#[test]
fn the_first_period_is_the_one_that_contains_the_start() {
    let mut terms = Terms { starts_at: date(2026, 4, 11), ..monthly(date(2026, 1, 1)) };
    assert_eq!(lots(&terms, date(2026, 4, 30)), [(date(2026, 4, 11), Some(date(2026, 5, 1)), "1000".into())]);
    terms.proration.first = true;
    assert_eq!(lots(&terms, date(2026, 4, 30))[0].2, "666.67");
    terms.ends_at = Some(date(2026, 5, 11));
    terms.proration.last = true;
    let last = (date(2026, 5, 1), Some(date(2026, 5, 11)), "322.58".to_owned());
    assert_eq!(lots(&terms, date(2026, 9, 1))[1..], [last]);
    let counted = Terms { periods: Some(2), ..monthly(date(2026, 1, 1)) };
    assert_eq!(lots(&counted, date(2027, 1, 1)).len(), 2);
}

#[test]
fn what_is_issued_lives_as_declared() {
    let until = date(2026, 1, 1);
    let ends = |validity| lots(&Terms { validity, ..monthly(date(2026, 1, 1)) }, until)[0].1;
    assert_eq!(ends(Validity::Never), None);
    assert_eq!(ends(Validity::Periods(3)), Some(date(2026, 4, 1)));
    assert_eq!(ends(Validity::After(Span::of_months(12))), Some(date(2027, 1, 1)));
    assert_eq!(ends(Validity::Until(date(2026, 1, 15))), Some(date(2026, 1, 15)));
    let terms = Terms { validity: Validity::Until(date(2026, 2, 15)), ..monthly(date(2026, 1, 1)) };
    assert_eq!(lots(&terms, date(2027, 1, 1)).len(), 2);
}

#[test]
fn who_only_reads_may_pass_over_what_has_expired() {
    let validities = [
        Validity::PeriodEnd,
        Validity::Periods(3),
        Validity::After(Span::of_months(2)),
        Validity::Never,
        Validity::Until(date(2026, 9, 10)),
    ];
    for validity in validities {
        let terms = Terms { validity, ..monthly(date(2026, 1, 31)) };
        for day in 0..400 {
            let at = date(2026, 1, 20) + chrono::TimeDelta::days(day);
            let living = |line| -> Vec<Planned> {
                let lots = alone(&terms, &[line], Vec::new(), at, &Ahead(0)).lots;
                lots.into_iter().filter(|lot| lot.expires_at.is_none_or(|expires_at| expires_at > at)).collect()
            };
            let line = new_line(&terms);
            assert_eq!(living(passing_over_expired(&terms, line, at, &Ahead(0))), living(line), "{validity:?} at {at}");
        }
    }
}

#[test]
fn unused_credits_roll_before_fresh_ones_come() {
    let rollover = Rollover { fraction_of_unused: Some("0.5".parse().unwrap()), max_periods: Some(1), ..Rollover::default() };
    let terms = Terms { rollover: Some(rollover), ..monthly(date(2026, 4, 1)) };
    let due = alone(&terms, &[new_line(&terms)], Vec::new(), date(2026, 6, 1), &Ahead(0));
    let granted: Vec<_> = due.lots.iter().map(|lot| (lot.period, lot.rolled, lot.granted.to_string())).collect();
    let expected = [(0, 0, "1000"), (0, 1, "500"), (1, 0, "1000"), (1, 1, "500"), (2, 0, "1000")];
    assert_eq!(granted, expected.map(|(period, rolled, granted)| (period, rolled, granted.to_owned())));
    let lapsed: Amount =
        due.steps.iter().map(|step| if let Step::Lapse { amount, .. } = step { *amount } else { Amount::ZERO }).sum();
    assert_eq!(lapsed, amount(1500));
}

#[test]
fn a_seat_that_is_given_up_gets_nothing_and_rolls_nothing() {
    let terms = Terms { rollover: Some(Rollover::default()), ..monthly(date(2026, 4, 1)) };
    let id = LotId::Known(7);
    let expires_at = Some(date(2026, 5, 1));
    let held = Held { id, period: 0, rolled: 0, original: amount(1000), remaining: amount(10), expires_at };
    let due = alone(&terms, &[Line { since: None, issued: Some(0) }], vec![held], date(2026, 6, 1), &Ahead(0));
    assert_eq!(due.steps, [Step::Lapse { lot: id, amount: amount(10), at: date(2026, 5, 1), ends: true }]);
    assert_eq!((due.lots, due.next), (vec![], None));
}

#[test]
fn what_seats_bring_at_one_instant_is_one_lot() {
    let terms = Terms { proration: Proration { first: true, last: false }, ..monthly(date(2026, 4, 1)) };
    let seat = |day| Line { since: Some(date(2026, 3, day)), issued: None };
    // Two from the beginning on, one that came on the 16th, and one that had this period's part and came back.
    let late = Line { since: Some(date(2026, 4, 16)), issued: None };
    let back = Line { since: Some(date(2026, 4, 20)), issued: Some(0) };
    let due = alone(&terms, &[seat(1), late, seat(7), back], Vec::new(), date(2026, 5, 1), &Ahead(0));
    let brought: Vec<_> = due.lots.iter().map(|lot| (lot.period, lot.effective_at, lot.granted.to_string())).collect();
    let expected = [(0, date(2026, 4, 1), "2000"), (0, date(2026, 4, 16), "500"), (1, date(2026, 5, 1), "4000")];
    assert_eq!(brought, expected.map(|(period, at, granted)| (period, at, granted.to_owned())));
    let part = amount(1000);
    assert_eq!(due.parts[0], [(0, part), (2, part)]);
    assert_eq!(due.parts[1], [(1, amount(500))]);
    assert_eq!(due.parts[2].len(), 4);
    assert_eq!(due.next, Some(date(2026, 6, 1)));
}

#[test]
fn a_pool_that_seats_feed_rolls_as_one() {
    let rollover = Rollover { max_amount: Some(amount(1500)), max_periods: Some(1), ..Rollover::default() };
    let terms = Terms { rollover: Some(rollover), ..monthly(date(2026, 4, 1)) };
    let due = alone(&terms, &[new_line(&terms); 2], Vec::new(), date(2026, 5, 1), &Ahead(0));
    let granted: Vec<_> = due.lots.iter().map(|lot| (lot.period, lot.rolled, lot.granted)).collect();
    assert_eq!(granted, [(0, 0, amount(2000)), (0, 1, amount(1500)), (1, 0, amount(2000))]);
    // With nobody left, what was brought goes on all the same.
    let held = Held {
        id: LotId::Known(7),
        period: 0,
        rolled: 0,
        original: amount(2000),
        remaining: amount(10),
        expires_at: Some(date(2026, 5, 1)),
    };
    let alone = crate::domain::schedules::schedule::due(&terms, &[], &[], vec![held], date(2026, 5, 1), &Ahead(0));
    assert_eq!(alone.lots.iter().map(|lot| (lot.rolled, lot.granted)).collect::<Vec<_>>(), [(1, amount(10))]);
}

#[test]
fn more_than_a_lot_can_hold_is_several() {
    let most = Amount::from_nanos(600_000_000_000_000_000_000_000).unwrap();
    let terms = Terms { amount: most, ..monthly(date(2026, 4, 1)) };
    let due = alone(&terms, &[new_line(&terms); 3], Vec::new(), date(2026, 4, 1), &Ahead(0));
    assert_eq!(due.lots.iter().map(|lot| lot.granted).collect::<Vec<_>>(), [most; 3]);
}

/// Applies what is due to the lots that are held, as the ledger does.
fn settle(held: Vec<Held>, due: &Due) -> Vec<Held> {
    let mut all: Vec<(LotId, Held)> = held.into_iter().map(|lot| (lot.id, lot)).collect();
    for step in &due.steps {
        match *step {
            Step::Begin { lot } => {
                let Planned { period, rolled, granted, original, expires_at, .. } = due.lots[lot];
                let id = LotId::Known(period * 100 + i64::from(rolled));
                all.push((LotId::Planned(lot), Held { id, period, rolled, original, remaining: granted, expires_at }));
            }
            Step::Lapse { lot, ends: true, .. } => all.retain(|(id, _)| *id != lot),
            Step::Lapse { lot, amount, .. } => {
                let held = all.iter_mut().find(|(id, _)| *id == lot).unwrap();
                held.1.remaining = less(held.1.remaining, amount);
            }
        }
    }
    all.into_iter().map(|(_, lot)| lot).collect()
}

proptest! {
    /// Computed at every step or once at the end, the same is there.
    #[test]
    fn running_late_changes_nothing(
        fraction in 0..101_i64, most in 0..3000_i64, times in 0..4_i32, life in 1..5_i32, ahead in -12..15_i64,
        stops in prop::collection::vec(1..60_i64, 1..12),
    ) {
        let rollover = Rollover {
            fraction_of_unused: Some(rust_decimal::Decimal::new(fraction, 2)),
            max_amount: Some(amount(most)),
            max_periods: Some(times),
            expires_after: Some(Span::of_months(life)),
            ..Rollover::default()
        };
        let terms = Terms { rollover: Some(rollover), ..monthly(date(2026, 1, 31)) };
        let (mut line, mut held, mut now) = (new_line(&terms), Vec::new(), terms.starts_at);
        for stop in stops {
            now += chrono::TimeDelta::days(stop);
            let step = alone(&terms, &[line], held.clone(), now, &Ahead(ahead));
            prop_assert!(step.next.is_none_or(|next| next > now));
            line.issued = step.lots.iter().filter(|lot| lot.rolled == 0).map(|lot| lot.period).max().or(line.issued);
            held = settle(held, &step);
        }
        let late = settle(Vec::new(), &alone(&terms, &[new_line(&terms)], Vec::new(), now, &Ahead(ahead)));
        let spendable = |lots: &[Held]| {
            let mut lots: Vec<_> = lots.iter().map(|lot| (lot.period, lot.rolled, lot.remaining, lot.expires_at)).collect();
            lots.sort_unstable();
            lots
        };
        prop_assert_eq!(spendable(&held), spendable(&late));
    }
}
