//! Many debits at once, with the result of making them one by one in their order.

use crate::domain::amount::Amount;
use crate::domain::ledger::drawdown::Rank;

/// A lot that may pay for some of the debits.
#[derive(Clone, Debug)]
pub struct BatchLot {
    /// Its place in the drawdown order.
    pub rank: Rank,
    /// The member it belongs to; `None` for a pooled lot.
    pub owner: Option<String>,
    /// The operations it is limited to.
    pub applies_to: Option<Vec<String>>,
    /// The amount that it has.
    pub available: Amount,
}

/// One of the debits.
#[derive(Clone, Copy, Debug)]
pub struct BatchDebit<'a> {
    /// The member who uses the credits.
    pub member: Option<&'a str>,
    /// Whether pooled lots pay too.
    pub pool: bool,
    /// The operation that uses the credits.
    pub operation: Option<&'a str>,
    /// How much.
    pub amount: Amount,
}

/// How a debit ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// The amount that each lot pays, by the lot's position, in drawdown order.
    Paid(Vec<(usize, Amount)>),
    /// It does not fit and takes nothing.
    Short {
        /// The amount that it could have had.
        available: Amount,
    },
    /// The credits are there, but a cap leaves less; it takes nothing.
    Capped {
        /// The id of the cap that leaves least.
        cap: i64,
        /// The amount of the debit that the cap counts.
        requested: Amount,
        /// The amount that was used of the cap by then.
        used: Amount,
        /// The amount that it left.
        left: Amount,
    },
}

/// A cap that counts some of the debits.
#[derive(Clone, Debug)]
pub struct BatchCap {
    pub cap: i64,
    /// The limit, if it blocks.
    pub limit: Option<Amount>,
    /// Only what pooled lots pay counts.
    pub pool: bool,
    /// The amount that is used of the cap.
    pub used: Amount,
    /// The amount that open holds have of the cap.
    pub held: Amount,
}

impl BatchCap {
    /// The amount that it leaves, if it blocks.
    fn left(&self) -> Option<Amount> {
        let left = |limit: Amount| limit.checked_sub(self.used)?.checked_sub(self.held);
        self.limit.map(|limit| left(limit).unwrap_or_default().max(Amount::ZERO))
    }
}

impl BatchLot {
    /// Whether the lot may pay for the debit.
    pub fn pays_for(&self, debit: &BatchDebit<'_>) -> bool {
        let owner = match &self.owner {
            Some(owner) => debit.member == Some(owner.as_str()),
            None => debit.pool,
        };
        let operation = match (&self.applies_to, debit.operation) {
            (None, _) => true,
            (Some(operations), Some(operation)) => operations.iter().any(|known| known == operation),
            (Some(_), None) => false,
        };
        owner && operation
    }
}

/// Credits that an expired lot lost at one time: usage that came late may take them back.
#[derive(Clone, Copy, Debug)]
pub struct BatchLoss {
    /// The lot was the pool's.
    pub pooled: bool,
    /// The credits that nobody took back yet.
    pub available: Amount,
}

/// The part that an expired lot pays of a debit.
#[derive(Clone, Copy, Debug, Default)]
struct Lapsed {
    amount: Amount,
    /// How much of it lots of the pool pay.
    pooled: Amount,
}

/// Draws a debit that the caps at the positions `counting` count: what it takes is counted in them. If it is usage that came
/// late, the losses at the positions `paying` pay first, in their order, and lots what those do not cover. How it ends, and what
/// each loss pays.
pub fn draw_late(
    lots: &mut [BatchLot],
    (losses, paying): (&mut [BatchLoss], &[usize]),
    caps: &mut [BatchCap],
    counting: &[usize],
    debit: &BatchDebit<'_>,
) -> (Drawn, Vec<(usize, Amount)>) {
    let mut rest = debit.amount;
    let mut parts = Vec::new();
    for position in paying {
        let part = losses[*position].available.min(rest);
        if part.is_positive() {
            rest = rest.checked_sub(part).expect("a difference below its minuend");
            parts.push((*position, part));
        }
    }
    let sum = |parts: &mut dyn Iterator<Item = &(usize, Amount)>| parts.map(|(_, part)| *part).sum();
    let pooled = sum(&mut parts.iter().filter(|(position, _)| losses[*position].pooled));
    let drawn = draw_rest(lots, caps, counting, debit, Lapsed { amount: sum(&mut parts.iter()), pooled });
    if !matches!(drawn, Drawn::Paid(_)) {
        return (drawn, Vec::new());
    }
    for (position, part) in &parts {
        let loss = &mut losses[*position];
        loss.available = loss.available.checked_sub(*part).expect("a part of what is there");
    }
    (drawn, parts)
}

/// Draws from lots what expired lots do not pay; caps count all of it.
fn draw_rest(lots: &mut [BatchLot], caps: &mut [BatchCap], counting: &[usize], debit: &BatchDebit<'_>, lapsed: Lapsed) -> Drawn {
    let rest = debit.amount.checked_sub(lapsed.amount).expect("a part of the amount");
    let drawn = match draw(lots, &BatchDebit { amount: rest, ..*debit }) {
        Drawn::Short { available } => Drawn::Short { available: available.checked_add(lapsed.amount).unwrap_or(available) },
        drawn => drawn,
    };
    if counting.is_empty() {
        return drawn;
    }
    let Drawn::Paid(parts) = &drawn else { return drawn };
    let of_pool = parts.iter().filter(|(lot, _)| lots[*lot].owner.is_none()).map(|(_, part)| *part);
    let pooled: Amount = of_pool.chain([lapsed.pooled]).sum();
    let requested = |cap: &BatchCap| if cap.pool { pooled } else { debit.amount };
    let reached = counting.iter().filter_map(|position| {
        let cap = &caps[*position];
        let left = cap.left()?;
        (left < requested(cap)).then_some((left, *position))
    });
    if let Some((left, position)) = reached.min() {
        for (lot, part) in parts {
            let lot = &mut lots[*lot];
            lot.available = lot.available.checked_add(*part).expect("what it had");
        }
        let reached = &caps[position];
        return Drawn::Capped { cap: reached.cap, requested: requested(reached), used: reached.used, left };
    }
    for position in counting {
        let cap = &mut caps[*position];
        cap.used = cap.used.checked_add(requested(cap)).expect("what is used of a cap");
    }
    drawn
}

/// Debits from lots in drawdown order, and leaves in the lots what they have then: the next debit of the batch goes on from
/// there.
pub fn draw(lots: &mut [BatchLot], debit: &BatchDebit<'_>) -> Drawn {
    let mut uncovered = debit.amount;
    let mut paid = Vec::new();
    for (position, lot) in lots.iter().enumerate() {
        if uncovered.is_zero() {
            break;
        }
        if lot.available.is_positive() && lot.pays_for(debit) {
            let part = lot.available.min(uncovered);
            uncovered = uncovered.checked_sub(part).expect("a difference below its minuend");
            paid.push((position, part));
        }
    }
    if uncovered.is_positive() {
        return Drawn::Short { available: debit.amount.checked_sub(uncovered).expect("a difference below its minuend") };
    }
    for (position, part) in &paid {
        let lot = &mut lots[*position];
        lot.available = lot.available.checked_sub(*part).expect("a part of what is there");
    }
    Drawn::Paid(paid)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ledger::drawdown::{self, Expiry, Source};

    fn lot(lot: i64, owner: Option<&str>, applies_to: Option<&str>, nanos: i128) -> BatchLot {
        let applies_to = applies_to.map(|operation| vec![operation.to_owned()]);
        BatchLot {
            rank: Rank {
                pooled: owner.is_none(),
                priority: 50,
                general: applies_to.is_none(),
                expiry: Expiry::Never,
                paid: false,
                effective_at: DateTime::<Utc>::UNIX_EPOCH,
                lot,
            },
            owner: owner.map(str::to_owned),
            applies_to,
            available: Amount::from_nanos(nanos).unwrap(),
        }
    }

    fn debit(member: Option<&'static str>, operation: Option<&'static str>, nanos: i128) -> BatchDebit<'static> {
        BatchDebit { member, pool: true, operation, amount: Amount::from_nanos(nanos).unwrap() }
    }

    fn amounts(drawn: &Drawn) -> Vec<(usize, i128)> {
        match drawn {
            Drawn::Paid(parts) => parts.iter().map(|(position, amount)| (*position, amount.nanos())).collect(),
            Drawn::Short { available } => vec![(usize::MAX, available.nanos())],
            Drawn::Capped { cap, .. } => vec![(*cap as usize, -1)],
        }
    }

    #[test]
    fn a_debit_that_does_not_fit_leaves_the_rest_to_the_next() {
        let mut lots = [lot(1, Some("alice"), None, 3), lot(2, None, None, 5)];
        let debits = [debit(Some("alice"), None, 4), debit(None, None, 5), debit(Some("bob"), None, 4), debit(None, None, 1)];
        let drawn: Vec<_> = debits.iter().map(|debit| amounts(&draw(&mut lots, debit))).collect();
        assert_eq!(drawn, [vec![(0, 3), (1, 1)], vec![(usize::MAX, 4)], vec![(1, 4)], vec![(usize::MAX, 0)]]);
    }

    #[test]
    fn caps_count_what_is_paid_and_the_one_that_leaves_least_is_named() {
        let mut lots = [lot(1, Some("alice"), None, 3), lot(2, None, None, 20)];
        let of = |nanos: i128| Amount::from_nanos(nanos).unwrap();
        let nothing = Amount::ZERO;
        let cap = |cap, limit: Option<i128>, pool| BatchCap { cap, limit: limit.map(of), pool, used: nothing, held: nothing };
        let mut caps = [cap(0, Some(9), false), cap(1, Some(3), true), cap(2, None, false)];
        let mut draw = |member, nanos, counting: &[usize]| {
            amounts(&draw_late(&mut lots, (&mut [], &[]), &mut caps, counting, &debit(member, None, nanos)).0)
        };
        // Alice's own 3 do not count to the pool's cap.
        assert_eq!(draw(Some("alice"), 6, &[0, 1, 2]), [(0, 3), (1, 3)]);
        assert_eq!(draw(Some("alice"), 1, &[0, 1, 2]), [(1, -1)]);
        assert_eq!(draw(None, 4, &[0, 2]), [(0, -1)]);
        assert_eq!(draw(None, 3, &[0, 2]), [(1, 3)]);
        assert_eq!(draw(None, 15, &[0]), [(usize::MAX, 14)]);
        assert_eq!(draw(None, 14, &[2]), [(1, 14)]);
        assert_eq!(caps.map(|cap| cap.used.nanos()), [9, 3, 23]);
    }

    #[test]
    fn expired_lots_pay_late_usage_first_and_caps_count_all_of_it() {
        let of = |nanos: i128| Amount::from_nanos(nanos).unwrap();
        let mut lots = [lot(1, Some("alice"), None, 3), lot(2, None, None, 5)];
        let mut losses = [BatchLoss { pooled: false, available: of(2) }, BatchLoss { pooled: true, available: of(4) }];
        let (limit, held) = (Some(of(9)), of(3));
        let mut caps = [BatchCap { cap: 7, limit, pool: true, used: Amount::ZERO, held }];
        let mut late = |member, nanos, paying: &[usize]| {
            let (drawn, parts) = draw_late(&mut lots, (&mut losses, paying), &mut caps, &[0], &debit(member, None, nanos));
            (amounts(&drawn), parts.iter().map(|(position, part)| (*position, part.nanos())).collect::<Vec<_>>())
        };
        // Neither what is not there nor what a cap does not leave takes anything back.
        assert_eq!(late(Some("alice"), 15, &[0, 1]), (vec![(usize::MAX, 14)], vec![]));
        assert_eq!(late(Some("alice"), 14, &[0, 1]), (vec![(7, -1)], vec![]));
        assert_eq!(late(Some("alice"), 7, &[0, 1]), (vec![(0, 1)], vec![(0, 2), (1, 4)]));
        // Credits that were taken back are gone for the next debit.
        assert_eq!(late(None, 2, &[1]), (vec![(1, 2)], vec![]));
        assert_eq!(late(None, 1, &[1]), (vec![(7, -1)], vec![]));
        assert_eq!(caps[0].used, of(6));
    }

    proptest! {
        // Each debit gets what a debit on its own would get from what the earlier ones left.
        #[test]
        fn equals_debiting_one_by_one(
            pools in prop::collection::vec((0_i128..20, prop::bool::ANY, prop::option::of(prop::bool::ANY)), 1..8),
            wanted in prop::collection::vec((1_i128..12, prop::option::of(prop::bool::ANY), prop::bool::ANY), 1..20),
        ) {
            let name = |first: bool| if first { "alice" } else { "bob" };
            let mut lots: Vec<_> = pools.iter().enumerate()
                .map(|(id, (nanos, scoped, owner))| lot(id as i64, owner.map(name), scoped.then_some("chat"), *nanos))
                .collect();
            lots.sort_by_key(|lot| lot.rank);
            let debits: Vec<_> = wanted.iter()
                .map(|(nanos, member, chat)| debit(member.map(name), chat.then_some("chat"), *nanos))
                .collect();
            let mut left = lots.clone();
            for debit in &debits {
                let drawn = draw(&mut lots, debit);
                let sources: Vec<_> = left.iter().filter(|lot| lot.pays_for(debit))
                    .map(|lot| Source { rank: lot.rank, available: lot.available }).collect();
                let plan = drawdown::plan(&sources, debit.amount);
                match drawn {
                    Drawn::Capped { .. } => prop_assert!(false, "no caps"),
                    Drawn::Short { available } => {
                        let covered: Amount = plan.iter().map(|draw| draw.amount).sum();
                        prop_assert!(covered < debit.amount);
                        prop_assert_eq!(covered, available);
                    }
                    Drawn::Paid(parts) => {
                        let expected: Vec<_> = plan.iter().map(|draw| (draw.lot, draw.amount)).collect();
                        let parts: Vec<_> = parts.iter().map(|(position, part)| (left[*position].rank.lot, *part)).collect();
                        prop_assert_eq!(&parts, &expected);
                        for (id, part) in parts {
                            let lot = left.iter_mut().find(|lot| lot.rank.lot == id).unwrap();
                            lot.available = lot.available.checked_sub(part).unwrap();
                        }
                    }
                }
            }
            prop_assert!(lots.iter().zip(&left).all(|(one, other)| one.available == other.available));
        }
    }
}
