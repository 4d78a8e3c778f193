//! Tests of the most that plans may bring in all, whatever an account changes.

use super::*;
use crate::domain::calendar::tests::{Ahead, date};
use crate::domain::calendar::{Cycle, Span};
use crate::domain::exact::{Precision, Rounding};
use crate::domain::plans::subscription::{Decimals, Moved, Segment, entitlement, outstanding};
use crate::domain::schedules::schedule::{Line, Proration, Terms, Validity, due};
use proptest::prelude::*;

const CALENDAR: Ahead = Ahead(0);

fn amount(nanos: i128) -> Amount {
    Amount::from_nanos(nanos).unwrap()
}

fn whole(number: i64) -> Amount {
    amount(i128::from(number) * 1_000_000_000)
}

/// A schedule of a plan that an account comes to, in months from the anchor.
fn monthly(credits: i64, anchor: DateTime<Utc>, starts_at: DateTime<Utc>) -> Terms {
    Terms {
        cycle: Cycle { anchor, every: Span::of_months(1) },
        amount: whole(credits),
        starts_at,
        ends_at: None,
        periods: None,
        validity: Validity::PeriodEnd,
        proration: Proration { first: true, last: false },
        rollover: None,
        precision: Precision { decimals: 9, rounding: Rounding::Down },
        ends_lots: false,
    }
}

fn seat() -> Seat {
    Seat { unit: "credit".to_owned(), member: String::new() }
}

/// An account that changes its plan within one period of a schedule.
struct Account {
    anchor: DateTime<Utc>,
    history: History,
    /// The schedule in force, and what it brought.
    current: Option<(Terms, Option<LastGrant>)>,
    /// The credits that were granted in all, and those of them that lapsed.
    granted: Amount,
    lapsed: Amount,
}

impl Account {
    fn new(anchor: DateTime<Utc>) -> Account {
        Account { anchor, history: History::default(), current: None, granted: Amount::ZERO, lapsed: Amount::ZERO }
    }

    fn change(&mut self, at: DateTime<Utc>, credits: i64, lapses: i64) -> Amount {
        self.change_in(&CALENDAR, at, credits, lapses)
    }

    /// Comes to a plan; the part in percent of what the last one brought lapses.
    fn change_in(&mut self, calendar: &Ahead, at: DateTime<Utc>, credits: i64, lapses: i64) -> Amount {
        self.leave(calendar, at, lapses);
        let terms = monthly(credits, self.anchor, at);
        let before = vec![self.history.before(&seat(), at)];
        let line = Line { since: Some(at), issued: None };
        let due = due(&terms, &[line], &before, Vec::new(), at, calendar);
        let brought = due.lots.first().map(|lot| LastGrant {
            of: (lot.effective_at, terms.cycle.start(calendar, lot.period + 1)),
            granted: lot.granted,
            lapsed: Fraction::zero(),
        });
        let granted = brought.as_ref().map_or(Amount::ZERO, |brought| brought.granted);
        self.granted = self.granted.checked_add(granted).unwrap();
        self.current = Some((terms, brought));
        granted
    }

    fn leave(&mut self, calendar: &Ahead, at: DateTime<Utc>, lapses: i64) {
        let Some((_, Some(brought))) = self.current.take() else { return };
        let lapsed = amount(brought.granted.nanos() * i128::from(lapses) / 100);
        self.lapsed = self.lapsed.checked_add(lapsed).unwrap();
        let last = LastGrant { lapsed: Fraction::from(lapsed), ..brought };
        self.history.leave(&seat(), last.left_over(at, calendar));
    }
}

#[test]
fn an_upgrade_brings_the_difference_for_the_days_left() {
    let mut account = Account::new(date(2026, 6, 1));
    assert_eq!(account.change(date(2026, 6, 1), 1000, 0), whole(1000));
    assert_eq!(account.change(date(2026, 6, 2), 10_000, 0), whole(8700));
    assert_eq!(account.change(date(2026, 6, 10), 1000, 0), Amount::ZERO, "less than is there for these days");
    assert_eq!(account.change(date(2026, 6, 10), 10_000, 0), Amount::ZERO, "back again");
    assert_eq!(account.change(date(2026, 6, 16), 20_000, 0), whole(5000), "10000 more for half of the month");
    assert_eq!(account.change(date(2026, 7, 1), 1000, 0), whole(1000), "another period");
}

#[test]
fn what_lapsed_is_granted_anew_and_what_was_used_is_not() {
    let mut account = Account::new(date(2026, 6, 1));
    account.change(date(2026, 6, 1), 1000, 0);
    assert_eq!(account.change(date(2026, 6, 1), 1000, 60), whole(600), "400 were used");
    let mut account = Account::new(date(2026, 6, 1));
    account.change(date(2026, 6, 1), 3000, 0);
    assert_eq!(account.change(date(2026, 6, 16), 3000, 100), whole(1500), "15 of 30 days are left");
}

#[test]
fn a_year_in_advance_counts_for_its_months() {
    let (anchor, left_at) = (date(2026, 1, 1), date(2026, 2, 1));
    let last = LastGrant { of: (anchor, date(2027, 1, 1)), granted: whole(3650), lapsed: Fraction::zero() };
    let left = last.left_over(left_at, &CALENDAR).unwrap();
    assert_eq!(left.of, (left_at, date(2027, 1, 1)));
    let monthly = monthly(310, left_at, left_at);
    let line = [Line { since: Some(left_at), issued: None }];
    let granted = |before: Vec<Granted>| {
        let due = due(&monthly, &line, &[before], Vec::new(), date(2027, 1, 1), &CALENDAR);
        due.lots.iter().map(|lot| (lot.effective_at, lot.granted)).collect::<Vec<_>>()
    };
    // 10 a day are there, and 10 a day are due in February and May: then a little in shorter months, and all of it in the next
    // year.
    let expected: Vec<_> =
        [(2, 30), (4, 10), (6, 10), (9, 10), (11, 10)].map(|(month, more)| (date(2026, month, 1), whole(more))).into();
    let found = granted(vec![left]);
    assert_eq!(found[..5], expected);
    assert_eq!(found[5..], [(date(2027, 1, 1), whole(310))]);
    assert_eq!(granted(Vec::new()).len(), 12);
}

#[test]
fn two_schedules_of_a_plan_share_what_was_granted_before() {
    let (anchor, at) = (date(2026, 6, 1), date(2026, 6, 16));
    let mut history = History::default();
    let last = LastGrant { of: (anchor, date(2026, 7, 1)), granted: whole(3000), lapsed: Fraction::zero() };
    history.leave(&seat(), last.left_over(at, &CALENDAR));
    let granted = |history: &mut History, credits| {
        let terms = monthly(credits, anchor, at);
        let before = history.before(&seat(), at);
        let line = [Line { since: Some(at), issued: None }];
        let due = due(&terms, &line, std::slice::from_ref(&before), Vec::new(), at, &CALENDAR);
        history.use_up(&seat(), None, terms.used_of(at, &before, &CALENDAR));
        due.lots.iter().map(|lot| lot.granted).sum::<Amount>()
    };
    // 1500 are there: the first takes 1000 of them into account, the second 500.
    assert_eq!(granted(&mut history, 2000), Amount::ZERO);
    assert_eq!(granted(&mut history, 4000), whole(1500));
    assert_eq!(granted(&mut history, 2000), whole(1000));
    // Another seat was granted nothing.
    assert!(history.before(&Seat { member: "alice".to_owned(), ..seat() }, at).is_empty());
}

#[test]
fn periods_within_a_day_are_measured_by_the_time() {
    let day = date(2026, 6, 1);
    let granted = Granted { of: (day, date(2026, 7, 1)), credits: Fraction::whole(720) };
    let hour = (day, day + chrono::TimeDelta::hours(1));
    assert_eq!(granted.within(hour, Measure::Time, &CALENDAR), Fraction::whole(1));
    assert_eq!(granted.within((day, date(2026, 6, 11)), Measure::Days, &CALENDAR), Fraction::whole(240));
    assert_eq!(share(hour, hour, Measure::Days, &CALENDAR), Fraction::whole(1), "a stretch within a day");
    assert_eq!(share(hour, (date(2026, 6, 2), date(2026, 6, 3)), Measure::Days, &CALENDAR), Fraction::zero());
}

/// The number of hours after the change before, a plan's credits a month, its price in cents, and how much of what there is
/// lapses in percent.
type Change = (i64, i64, i64, i64);

proptest! {
    /// A model that looks at every day by itself: on each the account has at most what the best plan until then brings for a day,
    /// and has paid at least what the plans cost on the days on which it held them.
    #[test]
    fn plans_bring_each_day_once_and_are_paid_for_each(
        ahead in -11_i64..12, keeps in any::<bool>(), first in (1_i64..20_000, 0_i64..20_000),
        changes in prop::collection::vec((0_i64..150, 1_i64..20_000, 0_i64..20_000, 0_i64..=100), 0..14),
    ) {
        let (changes, calendar): (Vec<Change>, _) = (changes, Ahead(ahead));
        let anchor = date(2026, 6, 1) - chrono::TimeDelta::hours(ahead);
        let days = 30_i64;
        let mut account = Account::new(anchor);
        let mut at = anchor;
        let mut of_day = vec![first; days as usize];
        let mut best = vec![first.0; days as usize];
        let decimals = Decimals { unit: 6, currency: 2 };
        let cents = |number: i64| amount(i128::from(number) * 10_000_000);
        let segment = |day: i64, price: i64| Segment { days_left: (days - day) as i32, quantity: whole(1), price: cents(price) };
        let mut segments = vec![segment(0, first.1)];
        let mut moved = outstanding(entitlement(&segments, days as i32, decimals), Moved::default());
        prop_assert_eq!(account.change_in(&calendar, at, first.0, 0), whole(first.0));
        for (hours, credits, price, lapses) in changes {
            at += chrono::TimeDelta::hours(hours);
            let day = calendar.day(at) - calendar.day(anchor);
            if day >= days { break }
            account.change_in(&calendar, at, credits, if keeps { 0 } else { lapses });
            for held in &mut of_day[day as usize..] { *held = (credits, price) }
            for most in &mut best[day as usize..] { *most = credits.max(*most) }
            segments.push(segment(day, price));
            let due = outstanding(entitlement(&segments, days as i32, decimals), moved);
            moved.charged = moved.charged.checked_add(due.charged).unwrap();

            let kept = account.granted.checked_sub(account.lapsed).unwrap();
            let most = whole(best.iter().sum::<i64>()).nanos() / i128::from(days) + 1;
            prop_assert!(kept.nanos() <= most, "{} of at most {}", kept, amount(most));
            if keeps {
                let entitled = whole(of_day.iter().map(|held| held.0).sum::<i64>()).nanos() / i128::from(days);
                // Rounded down at each change.
                prop_assert!(kept.nanos() + 20 >= entitled, "{} of {}", kept, amount(entitled));
            }
            let cost = of_day.iter().map(|held| held.1).sum::<i64>();
            let paid = (moved.charged.nanos() / 10_000_000) as i64;
            prop_assert!((paid * days - cost) * 2 >= -days, "{} cents for {} days of a cent", paid, cost);
        }
        // The next period is granted whole, whatever was before.
        let next = date(2026, 7, 1) - chrono::TimeDelta::hours(ahead);
        prop_assert_eq!(account.change_in(&calendar, next, 777, 0), whole(777));
    }
}
