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
    /// Where not all of it is there it takes what is there, in this many decimals; `None` where it takes nothing then.
    pub in_part: Option<u32>,
}

/// How a debit ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// The amount that each lot pays, by the lot's position, in drawdown order.
    Paid(Vec<(usize, Amount)>),
    /// It takes what is there, and that is less than was asked for.
    Part {
        /// As of [`Drawn::Paid`].
        parts: Vec<(usize, Amount)>,
        /// The amount that it takes.
        debited: Amount,
        /// The cap that does not leave the rest; `None` where the credits are missing.
        cap: Option<i64>,
    },
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
        /// The amount that the cap left.
        left: Amount,
    },
}

impl Drawn {
    /// The amount that each lot pays; `None` of a debit that takes nothing.
    pub fn parts(&self) -> Option<&[(usize, Amount)]> {
        match self {
            Drawn::Paid(parts) | Drawn::Part { parts, .. } => Some(parts),
            Drawn::Short { .. } | Drawn::Capped { .. } => None,
        }
    }
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
    /// The amount that open holds have of it.
    pub held: Amount,
}

impl BatchCap {
    /// The amount that it leaves, if it blocks.
    fn left(&self) -> Option<Amount> {
        let left = self.limit?.checked_sub(self.used).and_then(|left| left.checked_sub(self.held));
        Some(left.unwrap_or_default().max(Amount::ZERO))
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
    let (whole, of_losses) = draw_whole(lots, (losses, paying), caps, counting, debit);
    let Some(decimals) = debit.in_part.filter(|_| whole.parts().is_none()) else { return (whole, of_losses) };
    let (debited, cap) = reach(lots, (losses, paying), caps, counting, debit);
    // A cap may have more decimals than the unit.
    let debited = debited.cut(decimals);
    if !debited.is_positive() {
        let of_cap = cap.map(|cap| Drawn::Capped { cap: cap.cap, requested: debit.amount, used: cap.used, left: Amount::ZERO });
        return (of_cap.unwrap_or(Drawn::Short { available: Amount::ZERO }), Vec::new());
    }
    let cap = cap.map(|cap| cap.cap);
    let debit = BatchDebit { amount: debited, ..*debit };
    let (drawn, of_losses) = draw_whole(lots, (losses, paying), caps, counting, &debit);
    let Drawn::Paid(parts) = drawn else { unreachable!("what is there can be drawn") };
    (Drawn::Part { parts, debited, cap }, of_losses)
}

/// How much of a debit is there: as far as what pays reaches, in its order, and the caps that count it. Where a cap ends it, the
/// cap as it is.
fn reach<'a>(
    lots: &[BatchLot],
    (losses, paying): (&[BatchLoss], &[usize]),
    caps: &'a [BatchCap],
    counting: &[usize],
    debit: &BatchDebit<'_>,
) -> (Amount, Option<&'a BatchCap>) {
    let of_losses = paying.iter().map(|position| (losses[*position].available, losses[*position].pooled));
    let paying_lots = lots.iter().filter(|lot| lot.pays_for(debit));
    let of_lots = paying_lots.map(|lot| (lot.available, lot.owner.is_none()));
    // The caps that block, with what each leaves.
    let mut left: Vec<_> = counting.iter().filter_map(|position| Some((caps[*position].left()?, &caps[*position]))).collect();
    let mut reached = Amount::ZERO;
    for (available, pooled) in of_losses.chain(of_lots) {
        let wanted = available.min(debit.amount.checked_sub(reached).expect("at most the amount"));
        let counting = |(_, cap): &&(Amount, &BatchCap)| pooled || !cap.pool;
        let tightest = left.iter().filter(counting).min_by_key(|(left, _)| *left).copied();
        let part = tightest.map_or(wanted, |(left, _)| left.min(wanted));
        reached = reached.checked_add(part).expect("at most the amount");
        if part < wanted {
            return (reached, tightest.map(|(_, cap)| cap));
        }
        for (left, _) in left.iter_mut().filter(|(_, cap)| pooled || !cap.pool) {
            *left = left.checked_sub(part).expect("a part of what is left");
        }
    }
    (reached, None)
}

/// The same of all of the amount, or nothing of it.
fn draw_whole(
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
    if drawn.parts().is_none() {
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
        BatchDebit { member, pool: true, operation, amount: Amount::from_nanos(nanos).unwrap(), in_part: None }
    }

    fn amounts(drawn: &Drawn) -> Vec<(usize, i128)> {
        match drawn {
            Drawn::Paid(parts) | Drawn::Part { parts, .. } => {
                parts.iter().map(|(position, amount)| (*position, amount.nanos())).collect()
            }
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
        let cap =
            |cap, limit: Option<i128>, pool| BatchCap { cap, limit: limit.map(of), pool, used: Amount::ZERO, held: Amount::ZERO };
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
    fn a_debit_in_part_takes_what_credits_and_caps_leave() {
        let of = |nanos: i128| Amount::from_nanos(nanos).unwrap();
        let mut lots = [lot(1, Some("alice"), None, 3), lot(2, None, None, 20)];
        let mut caps = [BatchCap { cap: 7, limit: Some(of(9)), pool: true, used: of(2), held: of(1) }];
        let mut draw = |member, nanos, counting: &[usize]| {
            let debit = BatchDebit { in_part: Some(9), ..debit(member, None, nanos) };
            draw_late(&mut lots, (&mut [], &[]), &mut caps, counting, &debit).0
        };
        // Alice's own 3, and the 6 that the pool's cap leaves.
        let expected = Drawn::Part { parts: vec![(0, of(3)), (1, of(6))], debited: of(9), cap: Some(7) };
        assert_eq!(draw(Some("alice"), 30, &[0]), expected);
        let nothing = Drawn::Capped { cap: 7, requested: of(30), used: of(8), left: Amount::ZERO };
        assert_eq!(draw(Some("alice"), 30, &[0]), nothing);
        assert_eq!(draw(None, 4, &[]), Drawn::Paid(vec![(1, of(4))]));
        assert_eq!(draw(None, 12, &[]), Drawn::Part { parts: vec![(1, of(10))], debited: of(10), cap: None });
        assert_eq!(draw(None, 12, &[]), Drawn::Short { available: Amount::ZERO });
    }

    #[test]
    fn expired_lots_pay_late_usage_first_and_caps_count_all_of_it() {
        let of = |nanos: i128| Amount::from_nanos(nanos).unwrap();
        let mut lots = [lot(1, Some("alice"), None, 3), lot(2, None, None, 5)];
        let mut losses = [BatchLoss { pooled: false, available: of(2) }, BatchLoss { pooled: true, available: of(4) }];
        let mut caps = [BatchCap { cap: 7, limit: Some(of(6)), pool: true, used: Amount::ZERO, held: Amount::ZERO }];
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
                    Drawn::Capped { .. } | Drawn::Part { .. } => prop_assert!(false, "no caps, and all or nothing"),
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

        // What a debit in part takes can be debited, and not a nano more; and it takes it as a debit of that amount would.
        #[test]
        fn a_debit_in_part_takes_all_that_a_debit_could_have_had(
            pools in prop::collection::vec((0_i128..12, prop::bool::ANY, prop::option::of(prop::bool::ANY)), 1..6),
            lost in prop::collection::vec((0_i128..8, prop::bool::ANY), 0..4),
            limits in prop::collection::vec((prop::option::of(0_i128..40), prop::bool::ANY, 0_i128..10, 0_i128..10), 0..4),
            (wanted, member, chat) in (1_i128..60, prop::option::of(prop::bool::ANY), prop::bool::ANY),
        ) {
            let name = |first: bool| if first { "alice" } else { "bob" };
            let of = |nanos: i128| Amount::from_nanos(nanos).unwrap();
            let mut lots: Vec<_> = pools.iter().enumerate()
                .map(|(id, (nanos, scoped, owner))| lot(id as i64, owner.map(name), scoped.then_some("chat"), *nanos))
                .collect();
            lots.sort_by_key(|lot| lot.rank);
            let loss = |(nanos, pooled): &(i128, bool)| BatchLoss { pooled: *pooled, available: of(*nanos) };
            let losses: Vec<_> = lost.iter().map(loss).collect();
            let caps: Vec<_> = limits.iter().enumerate().map(|(id, (limit, pool, used, held))| BatchCap {
                cap: id as i64, limit: limit.map(of), pool: *pool, used: of(*used), held: of(*held),
            }).collect();
            let (paying, counting): (Vec<_>, Vec<_>) = ((0..losses.len()).collect(), (0..caps.len()).collect());
            let draw = |nanos: i128, in_part: Option<u32>| {
                let (mut lots, mut losses, mut caps) = (lots.clone(), losses.clone(), caps.clone());
                let debit = BatchDebit { in_part, ..debit(member.map(name), chat.then_some("chat"), nanos) };
                let (drawn, parts) = draw_late(&mut lots, (&mut losses, &paying), &mut caps, &counting, &debit);
                let left: Vec<_> = lots.iter().map(|lot| lot.available).collect();
                let used: Vec<_> = caps.iter().map(|cap| cap.used).collect();
                (drawn, parts, left, used)
            };
            let largest = (1..=wanted).rev().find(|nanos| draw(*nanos, None).0.parts().is_some()).unwrap_or(0);
            let (drawn, parts, left, used) = draw(wanted, Some(9));
            match &drawn {
                Drawn::Paid(_) => prop_assert_eq!(largest, wanted),
                Drawn::Part { debited, cap, .. } => {
                    prop_assert_eq!(debited.nanos(), largest);
                    prop_assert!(largest < wanted);
                    let is_capped = matches!(draw(largest + 1, None).0, Drawn::Capped { .. });
                    prop_assert_eq!(cap.is_some(), is_capped);
                }
                Drawn::Short { .. } | Drawn::Capped { .. } => prop_assert_eq!(largest, 0),
            }
            if largest > 0 {
                let plain = draw(largest, None);
                prop_assert_eq!((drawn.parts(), parts, left, used), (plain.0.parts(), plain.1, plain.2, plain.3));
            } else {
                prop_assert_eq!(left, lots.iter().map(|lot| lot.available).collect::<Vec<_>>());
            }
        }
    }
}
