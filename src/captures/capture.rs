//! Capturing a hold: what the spend cost is debited from what is held.
//!
//! What is held needs no lot: the lines are written, and the hold remembers them. A last capture gives the rest back. What goes
//! beyond the hold is drawn like a debit, under the same posting; it comes first, because it may have to wait, and the caps that
//! count it are locked whole before.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::caps::settle;
use crate::caps::{Counted, whole};
use crate::charges::charge;
use crate::debits::available;
use crate::debits::request::Debit;
use crate::debits::{backdating, closed_period, debit, write};
use crate::domain::amount::{Amount, MAX_DECIMALS};
use crate::domain::exact;
use crate::domain::holds::hold::{self as holds, Share, State};
use crate::domain::rates::dimensions::Dimensions;
use crate::error::{self, Result};
use crate::holds::{ended, give_back};
use crate::ledger::idempotency::{self, Keyed};
use crate::ledger::{account, closed};
use crate::rates::price;
use crate::schedules::refresh;
use crate::server::contention::{self, MAX_ATTEMPTS, WaitingForNothing};
use crate::server::locks::arrival;
use crate::server::{clock, subtransaction};
use crate::store::Snapshot;
use crate::store::caps;
use crate::store::holds::{self as store, Hold};
use crate::store::ledger::accounts::Context;
use crate::store::ledger::entries::{self, BatchLine, DebitLine, Usage};
use crate::store::ledger::{breakage, requests};

/// How much of a hold is captured.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// All that it still has.
    Everything,
    Amount(Amount),
    /// The price of a quantity, by the version of the rate that the hold pinned.
    Quantity(Amount),
}

/// What happens to a part that is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// It is drawn like a debit; the capture fails where it does not fit.
    Debit,
    /// The capture is refused.
    Refuse,
    /// As much of it is drawn as there is; the rest is noted.
    Available,
}

/// A request to capture, as the caller said it.
#[derive(Clone, Copy, Debug)]
pub struct Capture<'a> {
    pub account: &'a str,
    pub hold: i64,
    pub wanted: Wanted,
    /// Nothing more is captured of the hold: the rest goes back.
    pub is_final: bool,
    pub beyond: Beyond,
    /// When the usage happened; `None` for now.
    pub occurred_at: Option<DateTime<Utc>>,
    pub keyed: Option<Keyed<'a>>,
    pub metadata: Option<&'a str>,
}

/// A capture that is being made: the hold is locked.
struct Capturing<'a> {
    request: Capture<'a>,
    context: &'a Context,
    hold: Hold,
    posting: i64,
    usage: Option<Usage>,
}

/// Captures; the posting, or `None` where nothing was debited.
///
/// # Errors
/// P0002 unknown account or hold; 55000 settled, or expired and not final; 23514 where it does not fit, or more than is held is
/// refused; 54000 a cap, for what goes beyond the hold; 22023 decimals, or `at` in the future; 23505 key reused.
pub fn capture(request: Capture<'_>) -> Result<Option<i64>> {
    let Capture { account, keyed, .. } = request;
    let context = account::find_remembered(account, None, None)?;
    let _movable = closed::go_on_from(context.closed_until);
    let posting = entries::next_posting();
    if let Some(keyed) = keyed
        && let Some(earlier) = idempotency::claim(account, keyed, posting, clock::now())?
    {
        return Ok(charge::posted(earlier));
    }
    let at = price::instant(request.occurred_at)?;
    backdating::check(account, request.occurred_at)?;
    closed::keep_open(account, request.occurred_at);
    let (amount, usage) = priced(&request, at)?;
    arrival::let_in(account);
    let beyond = look_beyond(&request, amount);
    let posted = match beyond {
        Some(meets_ended) => capture_beyond(request, posting, (amount, usage), meets_ended)?,
        // It may be found settled by then, so that all of it goes beyond the hold: of an account with schedules that can end it.
        None if context.refresh_at.is_some() => capture_beyond(request, posting, (amount, usage), false)?,
        None => capture_locked(request, posting, amount, usage)?,
    };
    if let (Some(keyed), None) = (keyed, posted) {
        requests::settle_with_nothing(account, keyed.key);
    }
    Ok(posted)
}

/// Captures with the hold locked.
fn capture_locked(request: Capture<'_>, posting: i64, amount: Option<Amount>, usage: Option<Usage>) -> Result<Option<i64>> {
    let account = request.account;
    let hold = store::lock(account, request.hold).ok_or_else(|| error::unknown_hold(account, request.hold))?;
    check_open(&request, &hold)?;
    let context = account::find_remembered(account, Some(&hold.unit), None)?;
    let amount = amount.unwrap_or_else(|| hold.parts.left());
    account::check_decimals("amount", amount, &context)?;
    Capturing { request, context: &context, hold, posting, usage }.capture(amount)
}

/// The same, where more is drawn than is held. Something that is due of the account comes before the hold is locked, and so does
/// what ended holds have: with all of it locked, nothing is waited for. Again where something has become due, or a lot or a cap
/// came meanwhile.
fn capture_beyond(
    request: Capture<'_>,
    posting: i64,
    (amount, usage): (Option<Amount>, Option<Usage>),
    meets_ended: bool,
) -> Result<Option<i64>> {
    for _ in 0..MAX_ATTEMPTS {
        pgrx::check_for_interrupts!();
        if account::find_remembered(request.account, None, None)?.is_due(clock::now()) {
            refresh::first_touch(request.account)?;
        }
        let captured = subtransaction::attempt(|| {
            if meets_ended && !ended::lock_with_holds(&[(request.account, request.hold)]) {
                return Ok(None);
            }
            let _waiting = meets_ended.then(WaitingForNothing::begin);
            capture_locked(request, posting, amount, usage).map(Some)
        });
        if let Some(captured) = contention::or_again(captured)?.flatten() {
            return Ok(captured);
        }
    }
    Err(error::too_contended(request.account, MAX_ATTEMPTS))
}

/// The amount that is wanted, `None` for everything; with the usage that it is the price of. A rate's version never changes, so
/// the hold need not be locked for it; where its bands are counted over a period, the quantity is counted now.
fn priced(request: &Capture<'_>, at: DateTime<Utc>) -> Result<(Option<Amount>, Option<Usage>)> {
    let Capture { account, hold, .. } = *request;
    match request.wanted {
        Wanted::Everything => Ok((None, None)),
        Wanted::Amount(amount) => Ok((Some(amount), None)),
        Wanted::Quantity(quantity) => {
            let found = store::find(account, hold).ok_or_else(|| error::unknown_hold(account, hold))?;
            let rate = found.rate.ok_or_else(|| error::hold_without_rate(account, hold))?;
            check_open(request, &found)?;
            let dimensions = found.dimensions.as_deref().and_then(|json| Dimensions::parse(json).ok()).unwrap_or_default();
            let operation = found.operation.as_deref().expect("a hold with a rate has an operation");
            let usage = price::Usage { account: Some(account), operation, quantity, dimensions: &dimensions, at };
            let price = price::charge_by(rate, &usage)?;
            Ok((Some(price.amount), Some(Usage { quantity, rate })))
        }
    }
}

/// Whether holds have ended whose credits what goes beyond the hold may need; `None` where nothing seems to go beyond it.
fn look_beyond(request: &Capture<'_>, amount: Option<Amount>) -> Option<bool> {
    let Capture { account, hold, beyond, .. } = *request;
    let found = store::find(account, hold).filter(|_| beyond != Beyond::Refuse)?;
    let goes_beyond = found.parts.open() < amount.unwrap_or_else(|| found.parts.left());
    goes_beyond.then(|| !ended::of(&BTreeSet::from([account])).is_empty())
}

fn check_open(request: &Capture<'_>, hold: &Hold) -> Result<()> {
    let Capture { account, is_final, .. } = *request;
    if hold.state != State::Open && !(hold.state == State::Expired && is_final) {
        let settled_at = hold.settled_at.unwrap_or(hold.expires_at);
        return Err(error::hold_settled(account, hold.hold, hold.state, settled_at));
    }
    if hold.has_ended(clock::now()) && !is_final {
        return Err(error::hold_ended(account, hold.hold, hold.expires_at));
    }
    Ok(())
}

impl Capturing<'_> {
    fn capture(&mut self, amount: Amount) -> Result<Option<i64>> {
        let Capture { account, hold, beyond, is_final, .. } = self.request;
        let open = self.hold.parts.open();
        let from_hold = amount.min(open);
        let missing = amount.checked_sub(from_hold).expect("a part of an amount");
        if missing.is_positive() && beyond == Beyond::Refuse {
            return Err(error::hold_too_short(account, hold, amount, open));
        }
        let usages = self.usage.map(|usage| exact::split(usage.quantity, &[from_hold, missing], MAX_DECIMALS));
        let usage_of =
            |part: usize| self.usage.zip(usages.as_ref()).map(|(usage, parts)| Usage { quantity: parts[part], ..usage });
        let (of_hold, of_rest) = (usage_of(0), usage_of(1));
        let drawn = if missing.is_positive() { self.draw_beyond(missing, of_rest)? } else { Amount::ZERO };
        let shortfall = missing.checked_sub(drawn).expect("at most what was missing");
        let captured = self.hold.parts.capture(from_hold);
        let given_back = if is_final { self.hold.parts.give_back() } else { Vec::new() };
        let settled = give_back::of_hold(account, &self.hold, &captured, &given_back);
        let now = settle::settle(&[settled]);
        self.write_lines(&captured, of_hold, shortfall, now)?;
        let posted = (from_hold.is_positive() || drawn.is_positive()).then_some(self.posting);
        self.settle_hold(posted, shortfall, now);
        let back: Vec<_> = given_back.into_iter().map(|share| (share, now)).collect();
        give_back::to_lots(account, &back, now);
        Ok(posted)
    }

    /// Draws what is not held; how much that was.
    fn draw_beyond(&self, missing: Amount, usage: Option<Usage>) -> Result<Amount> {
        let Capture { account, beyond, occurred_at, metadata, .. } = self.request;
        let hold = &self.hold;
        self.lock_caps(missing);
        let request = Debit {
            account,
            amount: missing,
            member: hold.member.as_deref(),
            operation: hold.operation.as_deref(),
            unit: Some(&hold.unit),
            occurred_at,
            keyed: None,
            posting: Some(self.posting),
            metadata: metadata.or(hold.metadata.as_deref()),
            run: hold.run.as_deref(),
            dimensions: hold.dimensions.as_deref(),
            usage,
            hold: Some(hold.hold),
            hold_for: None,
            item: None,
        };
        match beyond {
            Beyond::Available => Ok(available::debit_available(request)?.debited),
            Beyond::Debit | Beyond::Refuse => debit::debit(request).map(|_| missing),
        }
    }

    /// Locks every cap whole that counts the hold or what goes beyond it: settling what was held must not wait for a cap while
    /// lots are locked.
    fn lock_caps(&self, missing: Amount) {
        let hold = &self.hold;
        if !self.context.has_caps {
            return;
        }
        let account = self.request.account;
        let (member, department, operation) = (hold.member.as_deref(), hold.department.as_deref(), hold.operation.as_deref());
        let of_hold = caps::applying(Snapshot::Fresh, account, &hold.unit, member, department);
        let now = account::find_remembered(account, Some(&hold.unit), member);
        let mut all = of_hold;
        if let Ok(context) = now {
            let department = context.member.as_ref().and_then(|member| member.department.as_deref());
            let of_now = caps::applying(Snapshot::Fresh, account, &hold.unit, member, department);
            all.extend(of_now);
            all.sort_by_key(|cap| cap.cap);
            all.dedup_by_key(|cap| cap.cap);
        }
        let counted = Counted { account, operation, amount: missing, pooled: Amount::ZERO };
        whole::gather(&all, counted, self.context.unit_decimals());
    }

    /// Writes the lines of what was held, behind those of what went beyond it.
    fn write_lines(&self, captured: &[Share], usage: Option<Usage>, shortfall: Amount, now: DateTime<Utc>) -> Result<()> {
        if captured.is_empty() {
            return Ok(());
        }
        let Capture { account, occurred_at, metadata, .. } = self.request;
        let hold = &self.hold;
        let amount = holds::sum(captured);
        let metadata = with_shortfall(metadata.or(hold.metadata.as_deref()), shortfall);
        let line = DebitLine {
            account,
            member: hold.member.as_deref(),
            department: hold.department.as_deref(),
            operation: hold.operation.as_deref(),
            occurred_at,
            metadata: metadata.as_deref(),
            run: hold.run.as_deref(),
            dimensions: hold.dimensions.as_deref(),
            hold: Some(hold.hold),
            usage,
        };
        // Usage of a closed period is recorded as of now.
        let as_debit = self.as_debit(amount);
        let correction = closed_period::correction(&as_debit, self.context)?;
        let line = DebitLine { occurred_at: line.occurred_at.filter(|_| correction.is_none()), ..line };
        let before = breakage::last_line(account, self.posting);
        let parts: Vec<_> = captured.iter().map(|share| (share.lot, share.amount)).collect();
        let mut lines = BatchLine::of_debit(line, self.posting, &parts);
        lines.iter_mut().for_each(|line| line.line += before);
        write::lines(&lines, now);
        correction.iter().for_each(|correction| correction.record(self.posting));
        Ok(())
    }

    fn as_debit(&self, amount: Amount) -> Debit<'_> {
        Debit {
            account: self.request.account,
            amount,
            member: self.hold.member.as_deref(),
            operation: self.hold.operation.as_deref(),
            unit: Some(&self.hold.unit),
            occurred_at: self.request.occurred_at,
            keyed: None,
            posting: Some(self.posting),
            metadata: self.request.metadata,
            run: None,
            dimensions: None,
            usage: None,
            hold: Some(self.hold.hold),
            hold_for: None,
            item: None,
        }
    }

    fn settle_hold(&mut self, posted: Option<i64>, shortfall: Amount, now: DateTime<Utc>) {
        let hold = &mut self.hold;
        hold.shortfall = hold.shortfall.checked_add(shortfall).expect("a sum of what was missing");
        hold.posting = posted.or(hold.posting);
        if self.request.is_final {
            hold.state = State::Captured;
            hold.settled_at = Some(now);
        }
        store::write(self.request.account, hold);
    }
}

/// Metadata that says what was missing, where something was.
fn with_shortfall(metadata: Option<&str>, shortfall: Amount) -> Option<String> {
    if shortfall.is_zero() {
        return metadata.map(str::to_owned);
    }
    let known = metadata.and_then(|json| serde_json::from_str(json).ok()).unwrap_or(serde_json::Value::Null);
    let mut object = match known {
        serde_json::Value::Object(object) => object,
        serde_json::Value::Null => serde_json::Map::new(),
        other => serde_json::Map::from_iter([("metadata".to_owned(), other)]),
    };
    object.insert("shortfall".to_owned(), serde_json::Value::from(shortfall.to_string()));
    Some(serde_json::Value::Object(object).to_string())
}
