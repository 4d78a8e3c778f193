//! Many charges in one call, with the result of making them one by one in their order.
//!
//! Their prices are debited together ([`crate::debits::batch`]). Where a price depends on what the account used before, charges
//! are priced in turn; then the keys come first and the counters of the periods next, each in one order, so that two batches
//! cannot deadlock over them. Where a price depends also on which of the charges before it fit, the first guess is that all do.
//! The next guess leaves out those that then do not fit, until it is right. Debiting them one by one would take lots out of their
//! order, and single debits would deadlock with that.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::iter::zip;

use chrono::{DateTime, Utc};

use crate::charges::charge::{self, Charge, Charged, Priced};
use crate::charges::periods;
use crate::debits::batch;
use crate::debits::batch::outcome::{ItemOutcome, Mode};
use crate::debits::request::Debit;
use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::ledger::{account, idempotency};
use crate::rates::price;
use crate::server::clock;
use crate::store::ledger::{entries, requests};
use crate::store::rates::{self, Period};

/// How often a guess may turn out wrong, beyond once for each charge, before 40001: others debit meanwhile.
const MAX_GUESSES: usize = 1000;

/// Charges each item in turn; one outcome per item, the same as charging one by one.
///
/// # Errors
/// As [`charge::charge`], with `item=` in the DETAIL; 23514 in mode [`Mode::All`] for the first that does not fit.
pub fn charge_many(charges: &[Charge<'_>], mode: Mode) -> Result<Vec<Charged>> {
    if depends_on_order(charges) {
        return in_order(charges, mode);
    }
    let mut outcomes = vec![Charged::default(); charges.len()];
    let mut priced = Vec::with_capacity(charges.len());
    for (index, charge) in charges.iter().enumerate() {
        let refused = |refusal| error::in_item(refusal, index);
        if let Some(earlier) = charge::earlier(charge.account, charge.keyed).map_err(refused)? {
            outcomes[index].posting = charge::posted(earlier);
            continue;
        }
        let found = charge::instant(charge, clock::now()).and_then(|at| charge::price_of(charge, at)).map_err(refused)?;
        match found.price.amount.is_zero() {
            // Its key belongs among those of the others.
            true if charge.keyed.is_some() => return in_order(charges, mode),
            true => outcomes[index].amount = Some(found.price.amount),
            false => {
                outcomes[index].amount = Some(found.price.amount);
                priced.push((index, found));
            }
        }
    }
    let debits: Vec<_> =
        priced.iter().map(|(index, priced)| Debit { item: Some(*index), ..priced.debit(&charges[*index]) }).collect();
    for ((index, _), outcome) in priced.iter().zip(batch::debit_many(&debits, mode)?) {
        outcomes[*index].posting = outcome.posting().and_then(charge::posted);
        outcomes[*index].short = outcome.short();
    }
    Ok(outcomes)
}

/// The keys first, then the counters of the periods, and then the charges.
fn in_order(charges: &[Charge<'_>], mode: Mode) -> Result<Vec<Charged>> {
    let now = clock::now();
    let keys = claim_keys(charges, now)?;
    let new: Vec<_> = zip(charges, &keys).filter(|(_, key)| !matches!(key, Key::Used(_))).map(|(item, _)| item).collect();
    let used = periods::hold_periods(&new, now)?;
    match mode {
        Mode::All => all_in_turn(charges, &keys, now),
        Mode::Each | Mode::Available => each_in_turn(charges, &keys, used, now),
    }
}

/// Whether a price depends on which of the charges before it fitted.
///
/// One that cannot be priced is refused later, unless it repeats what was charged before.
fn depends_on_order(charges: &[Charge<'_>]) -> bool {
    let mut seen = HashSet::new();
    let mut first_of_its_kind = charges.iter().filter(|charge| seen.insert((charge.account, charge.operation)));
    let depends =
        |charge: &Charge<'_>| charge::card_of(charge).is_ok_and(|card| price::counts_over_a_period(&card, charge.operation));
    first_of_its_kind.any(depends)
}

/// The state of an item's key.
#[derive(Clone, Copy)]
enum Key {
    /// It has none, or one that is claimed for this posting.
    New(Option<i64>),
    /// The request was made before, with this result.
    Used(i64),
    /// An earlier item of the batch has it.
    SameAs(usize),
}

/// Claims every key, in the order of accounts and keys.
fn claim_keys(charges: &[Charge<'_>], now: DateTime<Utc>) -> Result<Vec<Key>> {
    let mut keys = vec![Key::New(None); charges.len()];
    let mut keyed: Vec<_> = charges
        .iter()
        .enumerate()
        .filter_map(|(index, charge)| charge.keyed.map(|keyed| (charge.account, keyed.key, index, keyed)))
        .collect();
    keyed.sort_unstable_by_key(|(account, key, index, _)| (*account, *key, *index));
    let mut firsts: HashMap<(&str, &str, [u8; 32]), usize> = HashMap::new();
    for (account, key, index, keyed) in keyed {
        if let Some(first) = firsts.get(&(account, key, keyed.fingerprint.whole)) {
            keys[index] = Key::SameAs(*first);
            continue;
        }
        let posting = entries::next_posting();
        let earlier = idempotency::claim(account, keyed, posting, now).map_err(|refusal| error::in_item(refusal, index))?;
        keys[index] = earlier.map_or(Key::New(Some(posting)), Key::Used);
        if earlier.is_none() {
            firsts.insert((account, key, keyed.fingerprint.whole), index);
        }
    }
    Ok(keys)
}

/// All of them or none: each is priced as if those before it fitted, and then all are debited together.
fn all_in_turn(charges: &[Charge<'_>], keys: &[Key], now: DateTime<Utc>) -> Result<Vec<Charged>> {
    let mut outcomes = vec![Charged::default(); charges.len()];
    let mut priced: Vec<(usize, Option<i64>, Priced)> = Vec::with_capacity(charges.len());
    for (index, (charge, key)) in charges.iter().zip(keys).enumerate() {
        match *key {
            Key::Used(earlier) => outcomes[index].posting = charge::posted(earlier),
            Key::SameAs(_) => {}
            Key::New(posting) => {
                let found = charge::instant(charge, now).and_then(|at| charge::price_of(charge, at));
                let found = found.map_err(|refusal| error::in_item(refusal, index))?;
                outcomes[index].amount = Some(found.price.amount);
                match (found.price.amount.is_zero(), charge.keyed) {
                    (false, _) => priced.push((index, posting, found)),
                    (true, Some(keyed)) => requests::settle_with_nothing(charge.account, keyed.key),
                    (true, None) => {}
                }
            }
        }
    }
    let debits: Vec<_> = priced
        .iter()
        .map(|(index, posting, priced)| Debit {
            keyed: None,
            posting: *posting,
            item: Some(*index),
            ..priced.debit(&charges[*index])
        })
        .collect();
    let debited = batch::debit_many(&debits, Mode::All)?;
    for ((index, ..), outcome) in priced.iter().zip(debited) {
        if let ItemOutcome::Posted(posting) = outcome {
            outcomes[*index].posting = Some(posting);
        }
    }
    for (index, key) in keys.iter().enumerate() {
        if let Key::SameAs(first) = *key {
            outcomes[index].posting = outcomes[first].posting;
        }
    }
    Ok(outcomes)
}

/// Whichever fit: one that does not must not count to its period.
fn each_in_turn(
    charges: &[Charge<'_>],
    keys: &[Key],
    used: BTreeMap<Period, Amount>,
    now: DateTime<Utc>,
) -> Result<Vec<Charged>> {
    let mut turns = Turns { charges, keys, now, used, fits: vec![true; charges.len()], only: None };
    let mut outcomes = vec![Charged::default(); charges.len()];
    for only in apart(charges, now) {
        turns.only = only;
        turns.run(&mut outcomes)?;
    }
    Ok(outcomes)
}

/// The accounts one by one where the books of some are closed until later than the clock says: the others are not dated by them.
/// Otherwise all of them at once, `None`. The amount that one account can pay does not depend on the others.
fn apart<'a>(charges: &[Charge<'a>], now: DateTime<Utc>) -> Vec<Option<&'a str>> {
    let accounts: BTreeSet<&str> = charges.iter().map(|charge| charge.account).collect();
    let is_behind = |account: &&str| {
        let context = account::find_remembered(account, None, None);
        context.is_ok_and(|context| context.closed_until.is_some_and(|until| until > now))
    };
    if accounts.len() > 1 && accounts.iter().any(is_behind) { accounts.into_iter().map(Some).collect() } else { vec![None] }
}

/// Charges in their turn, with which of them are taken to fit.
struct Turns<'a> {
    charges: &'a [Charge<'a>],
    keys: &'a [Key],
    now: DateTime<Utc>,
    /// The usage of the periods before the call.
    used: BTreeMap<Period, Amount>,
    fits: Vec<bool>,
    /// The account whose charges it is about; all of them where there is none.
    only: Option<&'a str>,
}

/// The prices of charges, if those fit that are guessed to fit.
#[derive(Default)]
struct PricedTurns {
    /// Those that cost something.
    costing: Vec<(usize, Priced)>,
    /// Those that cost nothing.
    free: BTreeSet<usize>,
    /// The amounts that count to the periods.
    counted: BTreeMap<Period, Amount>,
    /// Of charges that have one key, the first that fits; by the first that has it.
    posted: HashMap<usize, usize>,
}

impl<'a> Turns<'a> {
    /// Makes the charges, guess by guess.
    fn run(&mut self, outcomes: &mut [Charged]) -> Result<()> {
        // Each guess is right at least up to the first that the one before was wrong about.
        for guess in 0..self.charges.len().saturating_add(MAX_GUESSES) {
            pgrx::check_for_interrupts!();
            let priced = self.price()?;
            let debits: Vec<Debit<'_>> = priced.costing.iter().map(|(index, priced)| self.debit(*index, priced)).collect();
            let expected: Vec<bool> = priced.costing.iter().map(|(index, _)| self.fits[*index]).collect();
            let ended = batch::debit_expected(&debits, &expected)?;
            if ended.as_expected {
                self.conclude(&priced, &ended.outcomes, outcomes);
                priced.counted.iter().for_each(|(period, quantity)| rates::add(period, *quantity));
                return Ok(());
            }
            let found: Vec<_> =
                zip(&priced.costing, &ended.outcomes).map(|((index, _), outcome)| (*index, outcome.is_posted())).collect();
            self.guess_again(&found, guess % 2 == 1);
        }
        let account = self.only.or_else(|| Some(self.charges.first()?.account)).unwrap_or_default();
        Err(error::too_contended(account, MAX_GUESSES as u32))
    }

    /// Takes over which charges fitted at the prices of a guess that was wrong. That is final up to the first that it was wrong
    /// about. Those behind it are priced differently now: every second time they are taken to end as that one does (`alike`).
    /// Where credits have run out and prices fall with what is used, each guess would otherwise find a few more that do not fit.
    fn guess_again(&mut self, found: &[(usize, bool)], alike: bool) {
        let first_wrong = found.iter().position(|(index, fits)| self.fits[*index] != *fits).unwrap_or_default();
        for (number, (index, fits)) in found.iter().enumerate() {
            self.fits[*index] = if alike && number > first_wrong { found[first_wrong].1 } else { *fits };
        }
    }

    /// The charges that it is about, by their index.
    fn concerned(&self) -> impl Iterator<Item = usize> + use<'a> {
        let (charges, only) = (self.charges, self.only);
        (0..charges.len()).filter(move |index| only.is_none_or(|only| charges[*index].account == only))
    }

    /// The charge that claimed the key.
    fn owner(&self, index: usize) -> usize {
        if let Key::SameAs(first) = self.keys[index] { first } else { index }
    }

    /// Prices the charges that neither an earlier request nor an earlier charge of the batch stands for.
    fn price(&mut self) -> Result<PricedTurns> {
        let mut turns = PricedTurns::default();
        for index in self.concerned() {
            let owner = self.owner(index);
            if matches!(self.keys[owner], Key::Used(_)) || turns.posted.contains_key(&owner) {
                continue;
            }
            let priced = self.price_one(index, &mut turns).map_err(|refusal| error::in_item(refusal, index))?;
            if priced.price.amount.is_zero() {
                turns.free.insert(index);
            } else {
                turns.costing.push((index, priced));
            }
        }
        Ok(turns)
    }

    fn price_one(&mut self, index: usize, turns: &mut PricedTurns) -> Result<Priced> {
        let charge = &self.charges[index];
        let at = charge::instant(charge, self.now)?;
        let Some(period) = charge::period_of(charge, at)? else {
            let priced = charge::price_after(charge, at, Amount::ZERO)?;
            self.take_turn(index, &priced, turns);
            return Ok(priced);
        };
        let before = *self.used.entry(period.clone()).or_insert_with(|| rates::hold(&period));
        let counted = turns.counted.get(&period).copied().unwrap_or(Amount::ZERO);
        let out_of_range = || error::amount_out_of_range("quantity", &charge.quantity.to_string());
        let priced = charge::price_after(charge, at, before.checked_add(counted).ok_or_else(out_of_range)?)?;
        if self.take_turn(index, &priced, turns) {
            turns.counted.insert(period, counted.checked_add(charge.quantity).ok_or_else(out_of_range)?);
        }
        Ok(priced)
    }

    /// Whether the charge is taken to fit.
    fn take_turn(&self, index: usize, priced: &Priced, turns: &mut PricedTurns) -> bool {
        let fits = self.fits[index] || priced.price.amount.is_zero();
        if fits {
            turns.posted.insert(self.owner(index), index);
        }
        fits
    }

    fn debit<'b>(&'b self, index: usize, priced: &'b Priced) -> Debit<'b> {
        let posting = if let Key::New(posting) = self.keys[self.owner(index)] { posting } else { None };
        Debit { keyed: None, posting, item: Some(index), ..priced.debit(&self.charges[index]) }
    }

    /// How each charge ended. The key of one that does not fit is free again.
    fn conclude(&self, priced: &PricedTurns, ended: &[ItemOutcome], outcomes: &mut [Charged]) {
        for ((index, priced), outcome) in zip(&priced.costing, ended) {
            outcomes[*index] = Charged { posting: outcome.posting(), amount: Some(priced.price.amount), short: outcome.short() };
        }
        for index in &priced.free {
            outcomes[*index].amount = Some(Amount::ZERO);
        }
        for index in self.concerned() {
            let charge = &self.charges[index];
            let owner = self.owner(index);
            let posted = priced.posted.get(&owner).copied();
            match (self.keys[owner], posted) {
                (Key::Used(earlier), _) => outcomes[index].posting = charge::posted(earlier),
                (_, Some(posted)) if posted < index => outcomes[index].posting = outcomes[posted].posting,
                (_, Some(posted)) if posted == index && priced.free.contains(&index) => {
                    charge.keyed.iter().for_each(|keyed| requests::settle_with_nothing(charge.account, keyed.key));
                }
                (_, None) if owner == index => {
                    charge.keyed.iter().for_each(|keyed| requests::take_back(charge.account, keyed.key));
                }
                _ => {}
            }
        }
    }
}
