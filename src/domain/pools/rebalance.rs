//! Rebalancing: what light users leave unused goes to heavy ones.
//!
//! A seat needs what it used in the window that is looked at. A member who holds more gives of the rest, a member who holds less
//! gets what is missing. The greatest need is covered first, from the greatest surplus: that takes the fewest transfers.

use crate::domain::amount::Amount;
use crate::domain::pools::transfers::{Owner, Transfers};

/// A member as rebalancing sees him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// His name.
    pub member: String,
    /// The department that the member belongs to.
    pub department: Option<String>,
    /// Whether the member still has a seat. A member who left needs nothing, and gives all that they have.
    pub active: bool,
    /// The credits that the member holds of their own.
    pub held: Amount,
    /// The credits that the member used in the window.
    pub used: Amount,
}

/// A transfer from one member to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The member who gives.
    pub from: String,
    /// The member who gets it.
    pub to: String,
    /// Above zero.
    pub amount: Amount,
}

/// A member, and the amount that they have too much or too little.
struct Side<'a> {
    seat: &'a Seat,
    amount: Amount,
}

/// The transfers that an account's policy allows, in the order in which they are planned.
pub fn plan(seats: &[Seat], policy: Transfers) -> Vec<Move> {
    let mut surplus = sides(seats, |seat| if seat.active { seat.held.checked_sub(seat.used) } else { Some(seat.held) });
    let mut missing = sides(seats, |seat| if seat.active { seat.used.checked_sub(seat.held) } else { None });
    let mut moves = Vec::new();
    for need in &mut missing {
        for giver in surplus.iter_mut().filter(|giver| policy.allows(&owner(giver.seat), &owner(need.seat))) {
            let amount = giver.amount.min(need.amount);
            if amount.is_positive() {
                giver.amount = giver.amount.checked_sub(amount).expect("a part of what is left");
                need.amount = need.amount.checked_sub(amount).expect("a part of what is missing");
                moves.push(Move { from: giver.seat.member.clone(), to: need.seat.member.clone(), amount });
            }
        }
    }
    moves
}

/// The members of whom `amount` is above zero, the greatest first; of equal ones by name.
fn sides<'a>(seats: &'a [Seat], amount: impl Fn(&Seat) -> Option<Amount>) -> Vec<Side<'a>> {
    let side = |seat: &'a Seat| amount(seat).filter(|amount| amount.is_positive()).map(|amount| Side { seat, amount });
    let mut sides: Vec<Side<'a>> = seats.iter().filter_map(side).collect();
    sides.sort_by(|one, other| other.amount.cmp(&one.amount).then_with(|| one.seat.member.cmp(&other.seat.member)));
    sides
}

fn owner(seat: &Seat) -> Owner {
    Owner::Member { department: seat.department.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn credits(amount: i64) -> Amount {
        Amount::parse(&amount.to_string()).unwrap()
    }

    fn seat(member: &str, department: Option<&str>, held: i64, used: i64) -> Seat {
        let department = department.map(str::to_owned);
        Seat { member: member.to_owned(), department, active: true, held: credits(held), used: credits(used) }
    }

    fn planned(seats: &[Seat], policy: Transfers) -> Vec<(String, String, String)> {
        plan(seats, policy).into_iter().map(|step| (step.from, step.to, step.amount.to_string())).collect()
    }

    fn step(from: &str, to: &str, amount: &str) -> (String, String, String) {
        (from.to_owned(), to.to_owned(), amount.to_owned())
    }

    #[test]
    fn the_greatest_need_is_covered_first_from_the_greatest_surplus() {
        let seats = [
            seat("light", None, 100, 10),
            seat("lighter", None, 200, 0),
            seat("heavy", None, 50, 270),
            seat("hungry", None, 0, 60),
            seat("even", None, 30, 30),
        ];
        let expected = [step("lighter", "heavy", "200"), step("light", "heavy", "20"), step("light", "hungry", "60")];
        assert_eq!(planned(&seats, Transfers::Free), expected);
    }

    #[test]
    fn who_left_gives_all_and_gets_nothing() {
        let left = Seat { active: false, ..seat("left", None, 40, 90) };
        let seats = [left, seat("heavy", None, 0, 30)];
        assert_eq!(planned(&seats, Transfers::Free), [step("left", "heavy", "30")]);
        let nobody_gives = [Seat { active: false, ..seat("left", None, 0, 90) }, seat("light", None, 50, 0)];
        assert_eq!(planned(&nobody_gives, Transfers::Free), []);
    }

    #[test]
    fn departments_keep_to_themselves_where_the_policy_says_so() {
        let seats = [
            seat("a", Some("eng"), 100, 0),
            seat("b", Some("sales"), 0, 50),
            seat("c", Some("eng"), 0, 30),
            seat("d", None, 0, 20),
        ];
        assert_eq!(planned(&seats, Transfers::Department), [step("a", "c", "30")]);
        assert_eq!(planned(&seats, Transfers::Pool), []);
    }

    proptest! {
        /// Nobody gives what they need or gets more than they lack, and as much moves as can.
        #[test]
        fn moves_exactly_what_is_spare_and_missing(seats in prop::collection::vec((0_i64..100, 0_i64..100, any::<bool>()),
            0..9)) {
            let seats: Vec<Seat> = seats.into_iter().enumerate()
                .map(|(number, (held, used, active))| Seat { active, ..seat(&format!("m{number}"), None, held, used) })
                .collect();
            let moves = plan(&seats, Transfers::Free);
            let (mut spare, mut missing) = (0, 0);
            for seat in &seats {
                let total = |side: fn(&Move) -> &String| -> i128 {
                    moves.iter().filter(|step| *side(step) == seat.member).map(|step| step.amount.nanos()).sum()
                };
                let (given, got) = (total(|step| &step.from), total(|step| &step.to));
                let need = if seat.active { seat.used.nanos() } else { 0 };
                let may_give = (seat.held.nanos() - need).max(0);
                let lacks = (need - seat.held.nanos()).max(0);
                prop_assert!(given <= may_give && got <= lacks && (given == 0 || got == 0));
                spare += may_give;
                missing += lacks;
            }
            let moved: i128 = moves.iter().map(|step| step.amount.nanos()).sum();
            prop_assert_eq!(moved, spare.min(missing));
        }
    }
}
