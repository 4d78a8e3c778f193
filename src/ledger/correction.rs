//! Corrections of debits: an entry that names a posting gives back what a lot paid for it, or takes again what was given back.
//!
//! `credit.correction` says how much was given back of a line, and `credit.lot_gain` how much came back to a lot. Both are
//! written with the whole lot locked: two corrections of a line follow each other, and no lock is added to those that a
//! debit takes.

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::domain::ledger::correction::{self, CorrectionError, Line, Named, Usage};
use crate::domain::rates::dimensions::Dimensions;
use crate::error::{self, Result};
use crate::store::ledger::corrections::{self, DebitLine};
use crate::store::ledger::entries;

/// A correction, as the entry says it.
#[derive(Clone, Copy, Debug)]
pub struct Correction<'a> {
    pub account: &'a str,
    /// The posting that it corrects.
    pub posting: i64,
    pub lot: i64,
    pub amount: Amount,
    pub quantity: Amount,
    pub member: Option<&'a str>,
    pub operation: Option<&'a str>,
    pub dimensions: Option<&'a Dimensions>,
}

/// The usage that is corrected. It never changes, so it may be read before anything is locked.
#[derive(Clone, Debug)]
pub struct Corrected {
    pub usage: Usage,
    pub recorded_at: DateTime<Utc>,
    pub occurred_at: DateTime<Utc>,
}

impl Correction<'_> {
    /// Finds what is corrected.
    ///
    /// # Errors
    /// P0002 unknown posting; 22023 no debit, another lot, or several usages.
    pub fn find(&self) -> Result<Corrected> {
        let lines = corrections::lines(self.account, self.posting);
        if lines.is_empty() && !entries::posting_exists(self.account, self.posting) {
            return Err(error::unknown_posting(self.account, self.posting));
        }
        let Correction { lot, member, operation, dimensions, .. } = *self;
        let of_lines: Vec<Line> = lines.iter().map(|line| line.line.clone()).collect();
        let usage = correction::usage(&of_lines, Named { lot, member, operation, dimensions });
        let usage = usage.map_err(|broken| self.refuse(&broken))?;
        let is_corrected = |line: &&DebitLine| line.line.lot == lot && line.line.usage == *usage;
        let first = lines.iter().find(is_corrected).expect("a line of the usage");
        Ok(Corrected { usage: usage.clone(), recorded_at: first.recorded_at, occurred_at: first.occurred_at })
    }

    /// Checks that as much may be given back, or taken again; final once the lot is locked.
    ///
    /// # Errors
    /// 55000.
    pub fn check(&self, usage: &Usage) -> Result<()> {
        self.parts(usage).map(|_| ())
    }

    /// Writes what the lines of the usage got back, with the lot locked.
    ///
    /// # Errors
    /// As [`Correction::check`].
    pub fn record(&self, usage: &Usage) -> Result<()> {
        for (line, part) in self.parts(usage)? {
            let sum = |of: Amount, and: Amount| of.checked_add(and).expect("at most what was debited");
            let given_back = sum(line.given_back, part.amount);
            corrections::write(self.account, self.posting, line.line, given_back, sum(line.quantity_given_back, part.quantity));
        }
        let known = corrections::gain(self.account, self.lot);
        let given_back = add(known.given_back, self.amount)?;
        corrections::write_gain(self.account, self.lot, corrections::Gain { given_back, ..known });
        Ok(())
    }

    fn parts(&self, usage: &Usage) -> Result<Vec<(Line, correction::Part)>> {
        let lines: Vec<Line> = corrections::lines(self.account, self.posting).into_iter().map(|line| line.line).collect();
        let parts =
            correction::parts(&lines, self.lot, usage, self.amount, self.quantity).map_err(|broken| self.refuse(&broken))?;
        let line = |part: correction::Part| lines.iter().find(|line| line.line == part.line).cloned().map(|line| (line, part));
        Ok(parts.into_iter().filter_map(line).collect())
    }

    fn refuse(&self, broken: &CorrectionError) -> pgrx::pg_sys::panic::ErrorReport {
        error::correction(self.account, self.posting, self.lot, (self.amount, self.quantity), broken)
    }
}

/// Writes what an adjustment that corrects no debit added to a lot, or took from it, with the lot locked.
///
/// # Errors
/// 22003.
pub fn record_gain(account: &str, lot: i64, amount: Amount) -> Result<()> {
    let known = corrections::gain(account, lot);
    let adjusted = add(known.adjusted, amount)?;
    corrections::write_gain(account, lot, corrections::Gain { adjusted, ..known });
    Ok(())
}

/// When the debit happened that another debit names.
///
/// # Errors
/// P0002 unknown posting; 22023 no debit.
pub fn named_debit(account: &str, posting: i64, lot: i64) -> Result<DateTime<Utc>> {
    match corrections::lines(account, posting).first() {
        Some(line) => Ok(line.occurred_at),
        None if !entries::posting_exists(account, posting) => Err(error::unknown_posting(account, posting)),
        None => Err(error::correction(account, posting, lot, (Amount::ZERO, Amount::ZERO), &CorrectionError::NoDebit)),
    }
}

fn add(known: Amount, amount: Amount) -> Result<Amount> {
    known.checked_add(amount).ok_or_else(|| error::amount_out_of_range("amount", &amount.to_string()))
}
