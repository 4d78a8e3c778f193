//! How a refund falls on the lines of a debit.

use crate::domain::amount::Amount;
use crate::domain::ledger::correction::Line;

/// What can still be refunded of a debit, line by line: what it took, less what came back by whatever correction.
pub fn refundable(lines: &[Line]) -> Amount {
    lines.iter().map(left).sum()
}

/// What the lines of a debit took.
pub fn debited(lines: &[Line]) -> Amount {
    lines.iter().map(|line| line.debited).sum()
}

/// The part of a refund that each line gets, in the reverse order of the draw: the lot that was drawn last gets its credits back
/// first. `None` where more is to be refunded than can be.
pub fn parts(lines: &[Line], amount: Amount) -> Option<Vec<(&Line, Amount)>> {
    let mut rest = amount;
    let mut parts = Vec::new();
    for line in lines.iter().rev() {
        let part = left(line).min(rest);
        if part.is_positive() {
            rest = rest.checked_sub(part).expect("a part of an amount");
            parts.push((line, part));
        }
    }
    rest.is_zero().then_some(parts)
}

fn left(line: &Line) -> Amount {
    line.debited.checked_sub(line.given_back).unwrap_or_default().max(Amount::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ledger::correction::Usage;
    use proptest::prelude::*;

    fn line(number: i32, debited: i128, given_back: i128) -> Line {
        let amount = |whole: i128| Amount::from_nanos(whole * 1_000_000_000).unwrap();
        Line {
            line: number,
            lot: i64::from(number) + 10,
            debited: amount(debited),
            quantity: Amount::ZERO,
            given_back: amount(given_back),
            quantity_given_back: Amount::ZERO,
            usage: Usage::default(),
        }
    }

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    #[test]
    fn the_lot_that_was_drawn_last_gets_its_credits_back_first() {
        let lines = [line(1, 10, 0), line(2, 5, 2)];
        let shown = |amount| {
            parts(&lines, amount).map(|parts| parts.iter().map(|(line, part)| format!("{} {part}", line.lot)).collect::<Vec<_>>())
        };
        assert_eq!(shown(amount("2")), Some(vec!["12 2".to_owned()]));
        assert_eq!(shown(amount("4")), Some(vec!["12 3".to_owned(), "11 1".to_owned()]));
        assert_eq!(shown(amount("13")), Some(vec!["12 3".to_owned(), "11 10".to_owned()]));
        assert_eq!(shown(amount("13.1")), None);
        assert_eq!((refundable(&lines), debited(&lines)), (amount("13"), amount("15")));
    }

    proptest! {
        #[test]
        fn no_line_gets_more_than_it_took(
            lines in prop::collection::vec((1_i128..1000, 0_i128..1000), 1..6), wanted in 1_i128..3000,
        ) {
            let lines: Vec<Line> = lines.into_iter().enumerate()
                .map(|(number, (debited, back))| line(number as i32 + 1, debited, back.min(debited))).collect();
            let wanted = Amount::from_nanos(wanted * 1_000_000_000).unwrap();
            match parts(&lines, wanted) {
                None => prop_assert!(refundable(&lines) < wanted),
                Some(parts) => {
                    prop_assert_eq!(parts.iter().map(|(_, part)| *part).sum::<Amount>(), wanted);
                    prop_assert!(parts.iter().all(|(line, part)| *part <= left(line)));
                }
            }
        }
    }
}
