//! Corrections of a debit: which of its lines gets something back, and how much at most.
//!
//! A correction names a posting and a lot. The lines that the lot paid of that posting are one usage, or several that the
//! correction tells apart by member, operation or dimensions; it gets their member, department, operation, dimensions and rate.
//! Of the lines of one usage the first is filled first. A line never gets back more than it took, and nothing that was not given
//! back is taken again.

use crate::domain::amount::Amount;
use crate::domain::rates::dimensions::Dimensions;

/// The attributes by which reports group a usage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub member: Option<String>,
    pub department: Option<String>,
    pub operation: Option<String>,
    pub dimensions: Option<Dimensions>,
    /// The task, session or conversation it belonged to.
    pub run: Option<String>,
    /// The version of the rate by which it was charged.
    pub rate: Option<i64>,
}

/// A line of a debit, with what was given back of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number of the line within its posting.
    pub line: i32,
    pub lot: i64,
    /// The amount that the lot paid; positive.
    pub debited: Amount,
    /// The quantity that it was the price of; zero where none was said.
    pub quantity: Amount,
    /// The amount that corrections gave back of it so far.
    pub given_back: Amount,
    /// The quantity that corrections gave back of it so far.
    pub quantity_given_back: Amount,
    pub usage: Usage,
}

/// The attributes by which a correction names the usage that it corrects; those that it leaves out may be anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Named<'a> {
    pub lot: i64,
    pub member: Option<&'a str>,
    pub operation: Option<&'a str>,
    pub dimensions: Option<&'a Dimensions>,
}

impl Named<'_> {
    fn matches(&self, line: &Line) -> bool {
        let is_text = |named: Option<&str>, of_line: &Option<String>| named.is_none() || named == of_line.as_deref();
        line.lot == self.lot
            && is_text(self.member, &line.usage.member)
            && is_text(self.operation, &line.usage.operation)
            && (self.dimensions.is_none() || self.dimensions == line.usage.dimensions.as_ref())
    }
}

/// The bound of what a correction may give back or take again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// The most that can be given back in all.
    pub debited: Amount,
    /// The part of it that was given back so far.
    pub given_back: Amount,
}

impl Bound {
    /// How much can still be given back.
    pub fn left(&self) -> Amount {
        less(self.debited, self.given_back)
    }
}

/// Why a posting cannot be corrected as it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorrectionError {
    /// No line of the posting is a debit.
    NoDebit,
    /// The lot paid none of it.
    NotOfLot,
    /// The lot paid some of it, but not for that member, operation or dimensions.
    NotOfUsage,
    /// The lot paid several usages of the posting: these.
    Ambiguous(Vec<Usage>),
    /// More is to be given back, or taken again, than the bound leaves.
    Amount(Bound),
    /// The same for the quantity.
    Quantity(Bound),
}

/// The part that one line gets back; below zero, the part that is taken again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The number of the line within its posting.
    pub line: i32,
    pub amount: Amount,
    pub quantity: Amount,
}

/// The usage that a correction corrects.
///
/// # Errors
/// [`CorrectionError`].
pub fn usage<'a>(lines: &'a [Line], named: Named<'_>) -> Result<&'a Usage, CorrectionError> {
    if lines.is_empty() {
        return Err(CorrectionError::NoDebit);
    }
    if lines.iter().all(|line| line.lot != named.lot) {
        return Err(CorrectionError::NotOfLot);
    }
    let mut usages: Vec<&Usage> = Vec::new();
    for line in lines.iter().filter(|line| named.matches(line)) {
        if !usages.contains(&&line.usage) {
            usages.push(&line.usage);
        }
    }
    match usages.as_slice() {
        [] => Err(CorrectionError::NotOfUsage),
        [usage] => Ok(usage),
        _ => Err(CorrectionError::Ambiguous(usages.into_iter().cloned().collect())),
    }
}

/// How a correction of a usage falls on its lines. A quantity is given back with a positive amount, and taken again with a
/// negative one.
///
/// # Errors
/// [`CorrectionError::Amount`] and [`CorrectionError::Quantity`].
pub fn parts(lines: &[Line], lot: i64, usage: &Usage, amount: Amount, quantity: Amount) -> Result<Vec<Part>, CorrectionError> {
    let own: Vec<&Line> = lines.iter().filter(|line| line.lot == lot && line.usage == *usage).collect();
    let of_amounts: Vec<Bound> = own.iter().map(|line| Bound { debited: line.debited, given_back: line.given_back }).collect();
    let of_quantities: Vec<Bound> =
        own.iter().map(|line| Bound { debited: line.quantity, given_back: line.quantity_given_back }).collect();
    let quantity = if amount.is_positive() { quantity } else { quantity.negated() };
    let amounts = fill(&of_amounts, amount).map_err(CorrectionError::Amount)?;
    let quantities = fill(&of_quantities, quantity).map_err(CorrectionError::Quantity)?;
    let part = |((line, amount), quantity): ((&&Line, Amount), Amount)| Part { line: line.line, amount, quantity };
    let parts = own.iter().zip(amounts).zip(quantities).map(part);
    Ok(parts.filter(|part| !part.amount.is_zero() || !part.quantity.is_zero()).collect())
}

/// Gives back from the first on, or takes again from the last on, within the bounds; what the bounds come to, where that is too
/// much.
fn fill(bounds: &[Bound], amount: Amount) -> Result<Vec<Amount>, Bound> {
    let mut filled = vec![Amount::ZERO; bounds.len()];
    let mut rest = amount;
    if amount.is_positive() {
        for (part, bound) in filled.iter_mut().zip(bounds) {
            *part = bound.left().min(rest);
            rest = less(rest, *part);
        }
    } else {
        for (part, bound) in filled.iter_mut().zip(bounds).rev() {
            *part = bound.given_back.negated().max(rest);
            rest = less(rest, *part);
        }
    }
    let whole = |of: fn(&Bound) -> Amount| bounds.iter().map(of).sum();
    if rest.is_zero() {
        Ok(filled)
    } else {
        Err(Bound { debited: whole(|bound| bound.debited), given_back: whole(|bound| bound.given_back) })
    }
}

fn less(from: Amount, amount: Amount) -> Amount {
    from.checked_sub(amount).expect("a difference of parts of a debit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    fn used(operation: &str) -> Usage {
        Usage { member: Some("ada".into()), operation: Some(operation.into()), ..Usage::default() }
    }

    fn line(line: i32, lot: i64, debited: &str, given_back: &str, operation: &str) -> Line {
        let (debited, given_back) = (amount(debited), amount(given_back));
        let (quantity, quantity_given_back) = (amount("10"), Amount::ZERO);
        Line { line, lot, debited, quantity, given_back, quantity_given_back, usage: used(operation) }
    }

    #[test]
    fn a_correction_finds_the_usage_of_its_lot() {
        let lines = [line(1, 7, "5", "0", "chat"), line(2, 8, "1", "0", "chat"), line(3, 8, "2", "0", "image")];
        let of = |lot, operation| Named { lot, operation, ..Named::default() };
        assert_eq!(usage(&lines, of(7, None)), Ok(&used("chat")));
        assert_eq!(usage(&lines, of(8, None)), Err(CorrectionError::Ambiguous(vec![used("chat"), used("image")])));
        assert_eq!(usage(&lines, of(8, Some("image"))), Ok(&used("image")));
        assert_eq!(usage(&lines, of(8, Some("mail"))), Err(CorrectionError::NotOfUsage));
        assert_eq!(usage(&lines, Named { member: Some("bob"), ..of(7, None) }), Err(CorrectionError::NotOfUsage));
        assert_eq!(usage(&lines, of(9, None)), Err(CorrectionError::NotOfLot));
        assert_eq!(usage(&[], of(9, None)), Err(CorrectionError::NoDebit));
    }

    #[test]
    fn lines_are_filled_in_order_and_emptied_in_reverse() {
        let lines = [line(1, 7, "5", "1", "chat"), line(3, 7, "2", "0", "chat"), line(4, 7, "9", "0", "image")];
        let given = |parts: Result<Vec<Part>, CorrectionError>| {
            parts.map(|parts| parts.iter().map(|part| format!("{} {}", part.line, part.amount)).collect::<Vec<_>>())
        };
        let chat = used("chat");
        assert_eq!(given(parts(&lines, 7, &chat, amount("4.5"), Amount::ZERO)), Ok(vec!["1 4".into(), "3 0.5".into()]));
        assert_eq!(given(parts(&lines, 7, &chat, amount("-1"), Amount::ZERO)), Ok(vec!["1 -1".into()]));
        let bound = Bound { debited: amount("7"), given_back: amount("1") };
        assert_eq!(given(parts(&lines, 7, &chat, amount("6.000001"), Amount::ZERO)), Err(CorrectionError::Amount(bound)));
        assert_eq!(given(parts(&lines, 7, &chat, amount("-1.000001"), Amount::ZERO)), Err(CorrectionError::Amount(bound)));
        let bound = Bound { debited: amount("20"), given_back: Amount::ZERO };
        assert_eq!(given(parts(&lines, 7, &chat, amount("1"), amount("21"))), Err(CorrectionError::Quantity(bound)));
    }

    proptest! {
        /// Whatever is corrected, in whatever order: no line gets back more than it took, or less than nothing.
        #[test]
        fn no_line_gets_back_more_than_it_took(
            debits in prop::collection::vec(1_i128..1_000, 1..6), corrections in prop::collection::vec(-1_500_i128..1_500, 1..30),
        ) {
            let nanos = |nanos| Amount::from_nanos(nanos).unwrap();
            let mut lines: Vec<Line> =
                (1..).zip(&debits).map(|(number, debit)| Line { debited: nanos(*debit), ..line(number, 7, "1", "0",
                    "chat") }).collect();
            let mut net = 0;
            for correction in corrections.into_iter().filter(|correction| *correction != 0) {
                let fits = (0..=debits.iter().sum()).contains(&(net + correction));
                let given = parts(&lines, 7, &used("chat"), nanos(correction), Amount::ZERO);
                prop_assert_eq!(given.is_ok(), fits);
                for part in given.unwrap_or_default() {
                    let line = lines.iter_mut().find(|line| line.line == part.line).unwrap();
                    line.given_back = line.given_back.checked_add(part.amount).unwrap();
                    net += part.amount.nanos();
                }
                prop_assert!(lines.iter().all(|line| line.given_back >= Amount::ZERO && line.given_back <= line.debited));
                prop_assert_eq!(lines.iter().map(|line| line.given_back.nanos()).sum::<i128>(), net);
            }
        }
    }
}
