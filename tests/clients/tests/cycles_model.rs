//! Two years of schedules under random policies, against a model that goes through them day by day.
//!
//! The model knows nothing of events, lines or late runs: every local midnight it lets lots end, carries what the policy says, and
//! issues what begins. The database is touched now and then only, by debits, balances, refreshes and sweeps. Every midnight's and every
//! noon's balance must agree, also when it is asked for afterwards, and no credit may be lost.

use chrono::{Days, Months, NaiveDate};
use pg_credit_clients::{Client, Database, Random, Session};

const POLICIES: u64 = 200;
const DAYS: u64 = 730;

/// Time zones far from each other; in the last four the clocks change, in both hemispheres, by an hour or half of one.
const ZONES: [&str; 7] =
    ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland"];

/// A length of time: months and days.
type Length = (u32, u64);

/// What is declared; amounts in cents.
#[derive(Debug)]
struct Policy {
    zone: &'static str,
    amount: i64,
    every: Length,
    anchor: NaiveDate,
    starts: NaiveDate,
    ends: Option<NaiveDate>,
    periods: Option<usize>,
    life: Life,
    prorates: (bool, bool),
    rollover: Option<Rollover>,
}

#[derive(Debug)]
enum Life {
    Never,
    PeriodEnd,
    Periods(usize),
    After(Length),
    Until(NaiveDate),
}

#[derive(Debug)]
struct Rollover {
    percent_of_unused: i64,
    percent_of_original: i64,
    max: Option<i64>,
    min: i64,
    times: u32,
    life: Option<Length>,
    priority: i64,
}

fn later(from: NaiveDate, (months, days): Length, times: u64) -> NaiveDate {
    from + Months::new(months * times as u32) + Days::new(days * times)
}

impl Policy {
    fn random(random: &mut Random) -> Policy {
        let date = |random: &mut Random, days| NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + Days::new(random.below(days));
        let length = |random: &mut Random| [(1, 0), (1, 0), (3, 0), (12, 0), (0, 7), (0, 30), (1, 3)][random.below(7) as usize];
        let every = length(random);
        // Before the start, so that period numbers do not fall below zero.
        let anchor = match random.below(5) {
            0 => NaiveDate::from_ymd_opt(2024, 1, 31).unwrap(),
            1 => NaiveDate::from_ymd_opt(2024, 2, 29).unwrap(),
            _ => date(random, 60),
        };
        let starts = anchor + Days::new(random.below(60));
        let life = match random.below(8) {
            0 => Life::Never,
            1 => Life::Periods(1 + random.below(4) as usize),
            2 => Life::After(length(random)),
            3 => Life::Until(starts + Days::new(30 + random.below(400))),
            _ => Life::PeriodEnd,
        };
        let rolls = !matches!(life, Life::Never) && random.below(4) > 0;
        let rollover = rolls.then(|| Rollover {
            percent_of_unused: [100, 50, 33, 0][random.below(4) as usize],
            percent_of_original: [100, 100, 25][random.below(3) as usize],
            max: (random.below(2) == 0).then(|| random.below(30_000) as i64),
            min: [0, 0, 2_000][random.below(3) as usize],
            times: 1 + random.below(4) as u32,
            life: (random.below(2) == 0).then(|| length(random)),
            priority: [50, 49, 51][random.below(3) as usize],
        });
        Policy {
            zone: ZONES[random.below(ZONES.len() as u64) as usize],
            amount: 1 + random.below(20_000) as i64,
            every,
            anchor,
            starts,
            ends: (random.below(4) == 0).then(|| starts + Days::new(1 + random.below(500))),
            periods: (random.below(4) == 0).then(|| 1 + random.below(12) as usize),
            life,
            prorates: (random.below(2) == 0, random.below(2) == 0),
            rollover,
        }
    }

    fn start(&self, period: usize) -> NaiveDate {
        later(self.anchor, self.every, period as u64)
    }

    fn period_of(&self, day: NaiveDate) -> usize {
        (0..).find(|period| self.start(period + 1) > day).expect("a period")
    }

    fn declaration(&self, account: &str) -> String {
        let at = |day: NaiveDate| format!("'{day} 00:00 {}'", self.zone);
        let length = |(months, days): Length| format!("'{months} months {days} days'");
        let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
        let mut call = format!(
            "SELECT credit_schedule('{account}', {}, {}, anchor => {}, starts_at => {}, proration => '{}'",
            money(self.amount),
            length(self.every),
            at(self.anchor),
            at(self.starts),
            ["none", "first", "last", "both"][usize::from(self.prorates.0) + 2 * usize::from(self.prorates.1)],
        );
        if let Some(ends) = self.ends {
            call += &format!(", ends_at => {}", at(ends));
        }
        if let Some(periods) = self.periods {
            call += &format!(", periods => {periods}");
        }
        call += &match self.life {
            Life::Never => ", expires => 'never'".to_owned(),
            Life::PeriodEnd => String::new(),
            Life::Periods(periods) => format!(", expires => '{periods} periods'"),
            Life::After(life) => format!(", expires_after => {}", length(life)),
            Life::Until(day) => format!(", expires_at => {}", at(day)),
        };
        if let Some(rollover) = &self.rollover {
            let drawn = match rollover.priority {
                49 => r#", "drawn": "first""#,
                51 => r#", "drawn": "last""#,
                _ => "",
            };
            let most = rollover.max.map(|most| format!(r#", "max_amount": {}"#, money(most))).unwrap_or_default();
            let life = rollover
                .life
                .map(|life| format!(r#", "expires_after": "{}""#, length(life).replace('\'', "")))
                .unwrap_or_default();
            call += &format!(
                r#", rollover => '{{"fraction_of_unused": {}, "max_fraction_of_original": {}, "min_amount": {}, "max_periods": {}{most}{life}{drawn}}}'"#,
                money(rollover.percent_of_unused),
                money(rollover.percent_of_original),
                money(rollover.min),
                rollover.times,
            );
        }
        call + ")"
    }
}

#[derive(Clone, Debug)]
struct Lot {
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
struct Model<'a> {
    policy: &'a Policy,
    lots: Vec<Lot>,
    made: usize,
    granted: i64,
    debited: i64,
    lapsed: i64,
}

impl Model<'_> {
    fn add(&mut self, mut lot: Lot) {
        lot.number = self.made;
        self.made += 1;
        self.lots.push(lot);
    }

    fn midnight(&mut self, day: NaiveDate) {
        self.carry(day);
        self.issue(day);
    }

    /// Lots end, and what the policy says of them goes on.
    fn carry(&mut self, day: NaiveDate) {
        let is_over = |lot: &Lot| lot.expires == Some(day);
        if !self.lots.iter().any(is_over) {
            return;
        }
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

    fn balance(&self) -> i64 {
        self.lots.iter().map(|lot| lot.remaining).sum()
    }

    fn debit(&mut self, amount: i64) {
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

fn cents(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    whole.parse::<i64>().expect("a whole number") * 100 + format!("{fraction:0<2}").parse::<i64>().expect("at most two decimals")
}

/// Lives through two years of one policy and compares every day.
fn live_through(client: &mut Client, seed: u64) {
    let mut random = Random::new(seed);
    let policy = Policy::random(&mut random);
    let account = format!("account {seed}");
    let instant = |day: NaiveDate, time: &str| format!("{day} {time} {}", policy.zone);
    let clock = |day: NaiveDate, time: &str| format!("SET credit.clock = '{}'", instant(day, time));
    client.run(&format!(
        "{}; SELECT credit_account('{account}', unit => 'cent', time_zone => '{}')",
        clock(policy.starts, "00:00"),
        policy.zone
    ));
    client.run(&policy.declaration(&account));
    let mut model = Model { policy: &policy, lots: Vec::new(), made: 0, granted: 0, debited: 0, lapsed: 0 };
    let mut known = Vec::new();
    for day in policy.starts.iter_days().take(DAYS as usize) {
        model.midnight(day);
        let midnight = model.balance();
        // Most days nobody looks: then what is due comes late.
        match random.below(40) {
            0 => assert_eq!(
                cents(&client.text(&format!("{}; SELECT credit_balance('{account}')", clock(day, "00:00")))),
                midnight,
                "{day} {policy:?}"
            ),
            1 => client.run(&format!("{}; SELECT credit_refresh(account => '{account}')", clock(day, "00:00"))),
            2 => client.run(&format!("{}; SELECT credit_expire('{account}')", clock(day, "00:00"))),
            3 if midnight > 0 => {
                let amount = 1 + random.below(midnight as u64) as i64;
                model.debit(amount);
                client.run(&format!("{}; SELECT credit_debit('{account}', {amount} / 100.0)", clock(day, "12:00")));
            }
            4 => {
                let refusal = client.refusal(&format!(
                    "{}; SELECT credit_debit('{account}', {} / 100.0)",
                    clock(day, "12:00"),
                    midnight + 1
                ));
                assert_eq!(
                    cents(refusal.expect("23514").detail_of("available").expect("a balance")),
                    midnight,
                    "{day} {policy:?}"
                );
            }
            _ => {}
        }
        known.push((day, midnight, model.balance()));
    }
    let last = known.last().expect("days").0;
    client.run(&clock(last, "23:00"));
    // What is still due is computed for each of them, so before it is issued fewer are asked for.
    for (late, step) in [(true, 182), (false, 7)] {
        let asked = known.iter().skip(seed as usize % 7).step_by(step);
        let instants: Vec<_> = asked.clone().flat_map(|(day, ..)| [instant(*day, "00:00"), instant(*day, "13:00")]).collect();
        let balances = client.rows(&format!(
            "SELECT credit_balance('{account}', at => at) FROM unnest('{{{}}}'::timestamptz[]) WITH ORDINALITY AS v (at, n) ORDER BY n",
            instants.join(",")
        ));
        for ((instant, found), expected) in
            instants.iter().zip(&balances).zip(asked.flat_map(|(_, midnight, noon)| [*midnight, *noon]))
        {
            assert_eq!(cents(&found[0]), expected, "at {instant}, late: {late}, {policy:?}");
        }
        client.run(&format!("SELECT credit_refresh(account => '{account}'); SELECT credit_expire('{account}')"));
    }
    let sum = |client: &mut Client, kinds: &str| {
        let sql =
            format!("SELECT COALESCE(sum(abs(amount)), 0) FROM credit.entry WHERE account = '{account}' AND kind IN ({kinds})");
        cents(&client.text(&sql))
    };
    let booked = [sum(client, "'grant'"), sum(client, "'debit'"), sum(client, "'expiry'")];
    assert_eq!(booked, [model.granted, model.debited, model.lapsed], "granted, debited, lapsed: {policy:?}");
    assert_eq!(model.granted, model.debited + model.lapsed + model.balance(), "nothing is lost: {policy:?}");
}

#[test]
fn two_years_under_random_policies() {
    let database = Database::new();
    database.connect().run("SELECT credit_unit('cent', decimals => 2)");
    database.clients(4, |number, client| {
        (0..POLICIES).filter(|seed| seed % 4 == number as u64).for_each(|seed| live_through(client, seed));
    });
    database.verify();
}
