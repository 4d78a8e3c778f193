//! A policy: what is declared, drawn at random, with the cases that must occur dealt out by the seed.

use chrono::{Days, Months, NaiveDate};
use pg_credit_clients::Random;

/// Time zones far from each other; in the last four the clocks change, in both hemispheres, by an hour or half of one.
pub const ZONES: [&str; 7] =
    ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Auckland"];

/// When a day of a policy begins; no change of the clocks leaves one of them out.
const TIMES: [&str; 3] = ["00:00", "09:15", "23:59:59.999999"];

/// A length of time: months and days.
pub type Length = (u32, u64);

/// What is declared; amounts in cents.
#[derive(Debug)]
pub struct Policy {
    pub zone: &'static str,
    time: &'static str,
    pub amount: i64,
    pub every: Length,
    pub anchor: NaiveDate,
    pub starts: NaiveDate,
    pub ends: Option<NaiveDate>,
    pub periods: Option<usize>,
    pub life: Life,
    pub prorates: (bool, bool),
    pub rollover: Option<Rollover>,
}

#[derive(Debug)]
pub enum Life {
    Never,
    PeriodEnd,
    Periods(usize),
    After(Length),
    Until(NaiveDate),
}

#[derive(Debug)]
pub struct Rollover {
    pub percent_of_unused: i64,
    pub percent_of_original: i64,
    pub max: Option<i64>,
    pub min: i64,
    pub times: u32,
    pub life: Option<Length>,
    pub priority: i64,
}

/// So many lengths later, counted from the same day.
pub fn later(from: NaiveDate, (months, days): Length, times: u64) -> NaiveDate {
    from + Months::new(months * times as u32) + Days::new(days * times)
}

impl Policy {
    /// The policy of a seed.
    pub fn random(seed: u64, random: &mut Random) -> Policy {
        let date = |random: &mut Random, days| NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + Days::new(random.below(days));
        let length = |random: &mut Random| [(1, 0), (1, 0), (3, 0), (12, 0), (0, 7), (0, 30), (1, 3)][random.below(7) as usize];
        // Zones and anchors go through all their combinations. Anchors are before the start, so that period numbers do not fall
        // below zero.
        let (every, anchor) = match seed / ZONES.len() as u64 % 4 {
            0 => ([(1, 0), (3, 0)][random.below(2) as usize], NaiveDate::from_ymd_opt(2024, 1, 31).unwrap()),
            1 => ([(1, 0), (12, 0)][random.below(2) as usize], NaiveDate::from_ymd_opt(2024, 2, 29).unwrap()),
            _ => (length(random), date(random, 60)),
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
            zone: ZONES[(seed % ZONES.len() as u64) as usize],
            time: TIMES[random.below(3) as usize],
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

    /// When a period begins.
    pub fn start(&self, period: usize) -> NaiveDate {
        later(self.anchor, self.every, period as u64)
    }

    /// The period that contains the day.
    pub fn period_of(&self, day: NaiveDate) -> usize {
        (0..).find(|period| self.start(period + 1) > day).expect("a period")
    }

    /// When a day of the policy begins, as an SQL literal.
    pub fn instant(&self, day: NaiveDate) -> String {
        format!("'{day} {} {}'", self.time, self.zone)
    }

    /// The call that declares it.
    pub fn declaration(&self, account: &str) -> String {
        let at = |day: NaiveDate| self.instant(day);
        let length = |(months, days): Length| format!("'{months} months {days} days'");
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

/// Cents as an amount.
pub fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
