//! Rows inserted directly into `credit.lot` and `credit.entry`: checked before the insert, applied after it.
//!
//! Applying waits for the insert to have happened: a row that is then not inserted after all (another trigger, `ON CONFLICT
//! DO NOTHING`) must not have taken credit. A row is marked `posted` once it is applied; restored rows come posted.

use chrono::{DateTime, Utc};

use crate::caps::{self, Counted, whole};
use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::ledger::correction::Usage;
use crate::domain::ledger::layout;
use crate::domain::rates::dimensions::Dimensions;
use crate::error::{self, Result};
use crate::ledger::account;
use crate::ledger::closed;
use crate::ledger::correction::{self, Corrected, Correction};
use crate::ledger::whole_lot::{self, WholeLot};
use crate::schedules::refresh;
use crate::server::contention::MAX_ATTEMPTS;
use crate::server::locks::{arrival, named};
use crate::server::{clock, subtransaction};
use crate::store::ledger::accounts::{self, Context};
use crate::store::ledger::lots::{self, LotTerms};
use crate::store::ledger::slots::{self, Layout};
use crate::store::ledger::{corrections, entries};
use crate::store::{Snapshot, caps as store};

/// A line as it was inserted.
#[derive(Clone, Debug)]
pub struct InsertedEntry {
    pub account: String,
    /// `debit` or `adjustment`.
    pub kind: String,
    pub amount: Amount,
    pub lot: i64,
    pub member: Option<String>,
    pub operation: Option<String>,
    pub quantity: Option<Amount>,
    pub dimensions: Option<Dimensions>,
    pub run: Option<String>,
    pub occurred_at: Option<DateTime<Utc>>,
    /// The posting that it corrects.
    pub corrects: Option<i64>,
}

/// The values that the trigger fills in.
#[derive(Clone, Debug)]
pub struct Stamp {
    pub posting: i64,
    /// The use that the line is for; of a correction that of the line it corrects.
    pub usage: Usage,
    pub occurred_at: DateTime<Utc>,
    pub recorded_at: DateTime<Utc>,
}

impl InsertedEntry {
    /// The correction of a debit that it is, if it is one.
    fn correction(&self) -> Option<Correction<'_>> {
        let posting = self.corrects.filter(|_| self.kind == "adjustment")?;
        Some(Correction {
            account: &self.account,
            posting,
            lot: self.lot,
            amount: self.amount,
            quantity: self.quantity.unwrap_or_default(),
            member: self.member.as_deref(),
            operation: self.operation.as_deref(),
            dimensions: self.dimensions.as_ref(),
        })
    }

    /// The member who takes part in it. A correction names the member of the debit, who may have left since.
    fn acting_member(&self) -> Option<&str> {
        self.member.as_deref().filter(|_| self.correction().is_none())
    }
}

/// Checks a line and locks its lot; the stamp it is to be stored with.
///
/// # Errors
/// As a debit: 23514, 22023, P0002, 55000.
pub fn check_entry(entry: &InsertedEntry) -> Result<Stamp> {
    let account = entry.account.as_str();
    let _movable = closed::go_on(account);
    let acting = entry.acting_member();
    let terms = lots::terms(account, entry.lot).ok_or_else(|| error::unknown_lot(account, entry.lot))?;
    let context = account::find(account, Some(&terms.unit), acting)?;
    account::check_decimals("amount", entry.amount, &context)?;
    check_kind(entry, &terms, &context)?;
    let corrected = entry.correction().map(|correction| correction.find()).transpose()?;
    // An adjustment may be of a closed period, and open its lot again.
    named::share_closing(std::iter::once(account));
    arrival::let_in(account);
    if context.is_due(clock::now()) {
        refresh::first_touch(account)?;
    }
    account::register_member(account, acting, &context, clock::now())?;
    let may_be_capped = context.has_caps && entry.kind == "debit";
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        // No cap comes any more. Which of them count changes with the member's department, and none is waited for with the lot in
        // hand.
        let check = || check_locked(entry, &terms, corrected.as_ref());
        if let Some(stamp) = if may_be_capped { subtransaction::attempt(check)? } else { check()? } {
            return Ok(stamp);
        }
    }
    Err(error::too_contended(account, MAX_ATTEMPTS))
}

/// Locks the caps that count it and its lot, and checks it then; `None` when the member or the policy changed meanwhile.
fn check_locked(entry: &InsertedEntry, terms: &LotTerms, corrected: Option<&Corrected>) -> Result<Option<Stamp>> {
    let account = entry.account.as_str();
    let acting = entry.acting_member();
    let before = account::find(account, Some(&terms.unit), acting)?;
    lock_caps(entry, &before, corrected);
    let whole = whole_lot::lock(account, entry.lot).expect("lots are never deleted");
    // While this transaction waited, the member may have been deactivated, or the policy changed.
    let context = account::find(account, Some(&terms.unit), acting)?;
    let member = account::active_member(account, acting, &context, clock::now())?;
    check_kind(entry, terms, &context)?;
    if entry.kind == "debit" && before.has_caps && !before.holds(&context) {
        return Ok(None);
    }
    let now = clock::now();
    let occurred_at = occurred_at(entry, corrected, now)?;
    closed::check_open(account, &context.unit, occurred_at)?;
    match entry.kind.as_str() {
        "debit" => check_in_force(&whole, now)?,
        _ => check_not_ended(&whole, now)?,
    }
    remaining_after(&whole, entry)?;
    if let Some((correction, corrected)) = entry.correction().zip(corrected) {
        correction.check(&corrected.usage)?;
    }
    let own = || Usage {
        member: entry.member.clone(),
        department: member.and_then(|member| member.department.clone()),
        operation: entry.operation.clone(),
        dimensions: entry.dimensions.clone(),
        run: entry.run.clone(),
        rate: None,
    };
    let usage = corrected.map_or_else(own, |corrected| corrected.usage.clone());
    Ok(Some(Stamp { posting: entries::next_posting(), usage, occurred_at, recorded_at: now }))
}

/// When the line says that it happened: now, unless it says so.
fn occurred_at(entry: &InsertedEntry, corrected: Option<&Corrected>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let Some(occurred_at) = entry.occurred_at else { return Ok(now) };
    if occurred_at > now {
        return Err(error::future_instant("occurred_at", occurred_at, now));
    }
    match (entry.corrects, corrected) {
        (Some(posting), Some(corrected)) if occurred_at < corrected.occurred_at => {
            Err(error::correction_before_debit(&entry.account, posting, occurred_at, corrected.occurred_at))
        }
        _ => Ok(occurred_at),
    }
}

/// Applies an inserted line to its lot's slots. `usage` is what the row says of it by now.
pub fn apply_entry(entry: &InsertedEntry, usage: &Usage, posting: i64, line: i32, recorded_at: DateTime<Utc>) -> Result<()> {
    let account = entry.account.as_str();
    let _movable = closed::go_on(account);
    let whole = whole_lot::lock(account, entry.lot).expect("a lot that was just checked");
    let remaining = remaining_after(&whole, entry)?;
    count(entry, usage, recorded_at)?;
    let size = if entry.amount.is_positive() { entry.amount } else { entry.amount.negated() };
    let layout = Layout { account, lot: entry.lot, remaining: layout::spread(remaining, size, whole.state.slots, MAX_DECIMALS) };
    slots::set_slots(&[layout]);
    match remaining.is_zero() {
        true => lots::close(&[(account, entry.lot)]),
        false => lots::reopen(account, entry.lot),
    }
    if let Some(corrected_at) = record(entry, usage)? {
        closed::record_adjustment(account, entry.lot, corrected_at, posting, entry.amount.negated());
    }
    entries::mark_posted(account, posting, line);
    Ok(())
}

/// Records what came back to the lot and to the debit that is corrected; when that happened which is corrected.
fn record(entry: &InsertedEntry, usage: &Usage) -> Result<Option<DateTime<Utc>>> {
    if let Some(correction) = entry.correction() {
        let corrected = correction.find()?;
        correction.record(usage)?;
        return Ok(Some(corrected.occurred_at));
    }
    if entry.kind == "adjustment" {
        correction::record_gain(&entry.account, entry.lot, entry.amount)?;
    }
    entry.corrects.map(|posting| correction::named_debit(&entry.account, posting, entry.lot)).transpose()
}

/// Locks the caps that count an entry, before its lot.
fn lock_caps(entry: &InsertedEntry, context: &Context, corrected: Option<&Corrected>) {
    let counting: Vec<_> = context.caps.iter().filter(|cap| cap.counts(entry.operation.as_deref())).collect();
    if entry.kind == "debit" {
        whole::lock(&entry.account, &counting);
    } else if let Some(corrected) = corrected {
        whole::correct(&entry.account, &context.unit, corrected, true, Amount::ZERO, MAX_DECIMALS);
    }
}

/// Counts an entry to the caps: a debit like any other, and a correction of one as it was counted.
fn count(entry: &InsertedEntry, usage: &Usage, recorded_at: DateTime<Utc>) -> Result<()> {
    let account = entry.account.as_str();
    let terms = lots::terms(account, entry.lot).expect("lots are never deleted");
    let is_pooled = terms.member.is_none();
    if let Some(correction) = entry.correction() {
        let corrected = Corrected { usage: usage.clone(), ..correction.find()? };
        whole::correct(account, &terms.unit, &corrected, is_pooled, entry.amount, MAX_DECIMALS);
    }
    if entry.kind != "debit" {
        return Ok(());
    }
    // Those that were locked before the lot: no cap came since, and the department is the line's.
    let (member, department) = (usage.member.as_deref(), usage.department.as_deref());
    let applying = store::applying(Snapshot::Fresh, account, &terms.unit, member, department);
    let amount = entry.amount.negated();
    let operation = entry.operation.as_deref();
    let counted = Counted { account, operation, amount, pooled: if is_pooled { amount } else { Amount::ZERO } };
    let counting: Vec<_> = applying.iter().filter(|cap| counted.by(cap).is_positive()).collect();
    let locked = whole::lock(account, &counting);
    let refusals = locked.iter().filter_map(|whole| whole.refuses(amount));
    if let Some(reached) = refusals.min_by_key(|reached| reached.headroom) {
        return Err(error::cap_reached(account, &reached));
    }
    for whole in &locked {
        whole.count(amount, recorded_at, amount, MAX_DECIMALS);
        if !whole.cap.blocks {
            caps::warn(account, whole.cap, amount);
        }
    }
    Ok(())
}

fn check_kind(entry: &InsertedEntry, terms: &LotTerms, context: &Context) -> Result<()> {
    let detail = format!("account={} lot={} kind={} amount={}", entry.account, entry.lot, entry.kind, entry.amount);
    let refuse = |message: &str, hint: &str| Err(error::invalid_entry(message, detail.clone(), hint));
    match entry.kind.as_str() {
        "debit" if entry.amount >= Amount::ZERO => {
            return refuse("the amount of a debit entry must be negative", "Insert what the lot loses: -12.5.");
        }
        "adjustment" if entry.amount.is_zero() => {
            return refuse("the amount of an adjustment must not be zero", "Insert what the lot gains or loses.");
        }
        "debit" | "adjustment" => {}
        _ => {
            return refuse(
                "only debit and adjustment entries can be inserted",
                "Use credit_grant(), credit_void() and the others.",
            );
        }
    }
    if entry.kind == "adjustment" {
        return Ok(());
    }
    if let Some(posting) = entry.corrects {
        correction::named_debit(&entry.account, posting, entry.lot)?;
    }
    if terms.member.is_some() && terms.member != entry.member {
        return refuse("the lot belongs to another member", "Debit a pooled lot, or the member's own.");
    }
    if terms.member.is_none() && !context.pool_pays(entry.member.as_deref()) {
        return refuse("the member spends his own lots only", "Debit a lot of the member.");
    }
    match (&terms.applies_to, &entry.operation) {
        (Some(operations), Some(operation)) if operations.contains(operation) => Ok(()),
        (None, _) => Ok(()),
        _ => refuse("the lot does not apply to this operation", "The lot's applies_to says what it pays for."),
    }
}

fn check_in_force(whole: &WholeLot<'_>, now: DateTime<Utc>) -> Result<()> {
    let state = whole.state;
    if state.effective_at > now {
        return Err(error::lot_not_usable(whole.account, whole.lot, "not yet effective"));
    }
    if state.has_expired(now) {
        return Err(error::lot_not_usable(whole.account, whole.lot, "expired"));
    }
    Ok(())
}

/// Credits that an adjustment adds to a lot whose life is over are lost, and those that it takes were lost already.
fn check_not_ended(whole: &WholeLot<'_>, now: DateTime<Utc>) -> Result<()> {
    let WholeLot { account, lot, state, .. } = *whole;
    if let Some(expired_at) = state.expires_at.filter(|expires_at| *expires_at <= now) {
        return Err(error::adjustment_of_ended_lot(account, lot, expired_at, false));
    }
    if let Some(ended_at) = corrections::ended_by_schedule(account, lot, now) {
        return Err(error::adjustment_of_ended_lot(account, lot, ended_at, true));
    }
    match corrections::expired_in_books(account, lot) {
        Some(expired_at) => Err(error::adjustment_of_ended_lot(account, lot, expired_at, false)),
        None => Ok(()),
    }
}

fn remaining_after(whole: &WholeLot<'_>, entry: &InsertedEntry) -> Result<Amount> {
    let remaining = whole.remaining();
    match remaining.checked_add(entry.amount) {
        None => Err(error::result_out_of_range(
            "what the lot holds",
            format!("lot={} remaining={remaining} amount={}", whole.lot, entry.amount),
        )),
        Some(left) if left < Amount::ZERO => {
            Err(error::insufficient(whole.account, entry.member.as_deref(), entry.amount.negated(), remaining))
        }
        Some(left) => Ok(left),
    }
}

/// Checks that an account's time zone may change to another.
///
/// # Errors
/// 55000 once the account has lots; 22023 for an unknown one.
pub fn check_time_zone(account: &str, time_zone: &str) -> Result<()> {
    if accounts::has_lots(account) {
        return Err(error::time_zone_in_use(account, time_zone));
    }
    account::check_time_zone(time_zone)
}
