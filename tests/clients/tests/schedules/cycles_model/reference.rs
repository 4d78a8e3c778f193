//! The model: it goes through the days of a policy and knows nothing of events, lines or late runs. When a day begins it lets
//! lots end, carries what the policy says, and issues what begins.

use chrono::NaiveDate;

use super::policy::{Life, Policy, later};

#[derive(Clone, Debug)]
pub struct Lot {
    period: usize,
    rolled: u32,
    original: i64,
    remaining: i64,
    effective: NaiveDate,
    expires: Option<NaiveDate>,
    priority: i64,
    number: usize,
}

/// What there is on a day.
pub struct Model<'a> {
    policy: &'a Policy,
    lots: Vec<Lot>,
    made: usize,
    pub granted: i64,
    pub debited: i64,
    pub lapsed: i64,
    /// How many lots have begun or ended.
    pub changes: usize,
}

impl<'a> Model<'a> {
    /// Nothing is there yet.
    pub fn new(policy: &'a Policy) -> Model<'a> {
        Model { policy, lots: Vec::new(), made: 0, granted: 0, debited: 0, lapsed: 0, changes: 0 }
    }

    fn add(&mut self, mut lot: Lot) {
        lot.number = self.made;
        self.made += 1;
        self.changes += 1;
        self.lots.push(lot);
    }

    /// A day begins.
    pub fn begin(&mut self, day: NaiveDate) {
        self.carry(day);
        self.issue(day);
    }

    /// Lots end, and what the policy says of them goes on.
    fn carry(&mut self, day: NaiveDate) {
        let is_over = |lot: &Lot| lot.expires == Some(day);
        if !self.lots.iter().any(is_over) {
            return;
        }
        self.changes += 1;
        self.lots.sort_by_key(|lot| (lot.period, std::cmp::Reverse(lot.rolled)));
        let Some(rollover) = &self.policy.rollover else {
            self.lapsed += self.lots.iter().filter(|lot| is_over(lot)).map(|lot| lot.remaining).sum::<i64>();
            self.lots.retain(|lot| !is_over(lot));
            return;
        };
        let part = |lot: &Lot| match lot.rolled >= rollover.times {
            true => 0,
            false => (lot.remaining * rollover.percent_of_unused / 100).min(lot.original * rollover.percent_of_original / 100),
        };
        let rolls: i64 = self.lots.iter().filter(|lot| is_over(lot)).map(part).sum();
        let enough = rolls >= rollover.min;
        let living: i64 = self.lots.iter().filter(|lot| !is_over(lot) && lot.rolled > 0).map(|lot| lot.remaining).sum();
        let mut excess = rollover.max.map_or(0, |most| (living + if enough { rolls } else { 0 } - most).max(0));
        let mut carried = Vec::new();
        for lot in &mut self.lots {
            if is_over(lot) {
                let amount = if enough { part(lot) } else { 0 };
                let cut = excess.min(amount);
                excess -= cut;
                self.lapsed += lot.remaining - (amount - cut);
                if amount > cut {
                    carried.push(Lot { rolled: lot.rolled + 1, remaining: amount - cut, ..lot.clone() });
                }
            } else if lot.rolled > 0 {
                let cut = excess.min(lot.remaining);
                excess -= cut;
                lot.remaining -= cut;
                self.lapsed += cut;
            }
        }
        self.lots.retain(|lot| !is_over(lot));
        let priority = rollover.priority;
        let expires = match rollover.life {
            Some(life) => later(day, life, 1),
            None => self.policy.start(self.policy.period_of(day) + 1),
        };
        for lot in carried {
            self.add(Lot { effective: day, expires: Some(expires), priority, ..lot });
        }
    }

    /// A period begins, or the first one does in its midst.
    fn issue(&mut self, day: NaiveDate) {
        let policy = self.policy;
        if day < policy.starts || policy.ends.is_some_and(|ends| day >= ends) {
            return;
        }
        let period = policy.period_of(day);
        let (start, whole_end) = (policy.start(period), policy.start(period + 1));
        if day != start.max(policy.starts)
            || policy.periods.is_some_and(|periods| period - policy.period_of(policy.starts) >= periods)
        {
            return;
        }
        let end = policy.ends.map_or(whole_end, |ends| ends.min(whole_end));
        let from = if policy.prorates.0 { day } else { start };
        let to = if policy.prorates.1 { end } else { whole_end };
        let (part, whole) = ((to - from).num_days(), (whole_end - start).num_days());
        let amount = half_even(policy.amount * part, whole);
        let expires = match policy.life {
            Life::Never => None,
            Life::PeriodEnd => Some(end),
            Life::Periods(periods) => Some(policy.start(period + periods)),
            Life::After(life) => Some(later(day, life, 1)),
            Life::Until(until) => Some(until),
        };
        if amount > 0 && expires.is_none_or(|expires| expires > day) {
            self.granted += amount;
            self.add(Lot {
                period,
                rolled: 0,
                original: amount,
                remaining: amount,
                effective: day,
                expires,
                priority: 50,
                number: 0,
            });
        }
    }

    /// What can be spent.
    pub fn balance(&self) -> i64 {
        self.lots.iter().map(|lot| lot.remaining).sum()
    }

    /// Draws an amount that is there.
    pub fn debit(&mut self, amount: i64) {
        self.lots.sort_by_key(|lot| (lot.priority, lot.expires.unwrap_or(NaiveDate::MAX), lot.effective, lot.number));
        let mut left = amount;
        for lot in &mut self.lots {
            let drawn = left.min(lot.remaining);
            lot.remaining -= drawn;
            left -= drawn;
        }
        assert_eq!(left, 0, "the model covers what it debits");
        self.debited += amount;
    }
}

fn half_even(numerator: i64, denominator: i64) -> i64 {
    let (quotient, rest) = (numerator / denominator, numerator % denominator);
    match (2 * rest).cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Equal => quotient + quotient % 2,
        std::cmp::Ordering::Greater => quotient + 1,
    }
}
