//! Finding an account, its unit and its member, and checking what they demand.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use chrono::{DateTime, Utc};

use crate::domain::amount::Amount;
use crate::error::{self, Result};
use crate::ledger::context::{self, Unit};
use crate::server::heap::tally::{self, Step};
use crate::server::locks::arrival;
use crate::server::time_zone::{self, TimeZone};
use crate::server::{clock, invalidation, transactions};
use crate::settings;
use crate::store::Snapshot;
use crate::store::ledger::accounts::{self, AccountTerms, Context, Member};
use crate::store::rates::units;

/// How many contexts one backend remembers at most; then the memory starts anew.
const MAX_REMEMBERED: usize = 4096;

/// Account, unit and member as they were asked for.
type Key<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// The contexts that debits of this backend used and the units of them, valid for one generation.
#[derive(Default)]
struct Remembered {
    generation: u64,
    contexts: HashMap<String, Rc<Context>>,
    units: HashMap<String, Unit>,
}

thread_local! {
    static REMEMBERED: RefCell<Remembered> = RefCell::default();

    /// The rules such as EST5EDT that are names of time zones, once one was asked for: a handful of names. To find them the
    /// server reads hundreds of files, so it is asked once for all of them, and what is not among them costs nothing either.
    static LISTED_RULES: OnceCell<HashSet<String>> = const { OnceCell::new() };
}

impl Remembered {
    fn get(&self, generation: u64, key: Key<'_>) -> Option<Rc<Context>> {
        if self.generation == generation { self.contexts.get(&text(key)).cloned() } else { None }
    }

    /// A unit that an account of this generation has: an account that is met for the first time costs one index lookup less.
    fn unit(&self, generation: u64, unit: &str) -> Option<Unit> {
        if self.generation == generation { self.units.get(unit).cloned() } else { None }
    }

    fn put(&mut self, generation: u64, key: Key<'_>, context: Rc<Context>) {
        if self.generation != generation || self.contexts.len() == MAX_REMEMBERED {
            *self = Remembered { generation, ..Remembered::default() };
        }
        if !self.units.contains_key(&context.unit) {
            let unit = Unit { decimals: context.unit_decimals(), currency: context.currency.clone() };
            self.units.insert(context.unit.clone(), unit);
        }
        self.contexts.insert(text(key), context);
    }
}

/// One text for a key: names contain no control characters, so none can be mistaken for another.
fn text((account, unit, member): Key<'_>) -> String {
    [account, unit.unwrap_or("\u{1}"), member.unwrap_or("\u{1}")].join("\0")
}

/// The account as a writer sees it.
///
/// # Errors
/// P0002 when the account or the unit does not exist.
pub fn find(account: &str, unit: Option<&str>, member: Option<&str>) -> Result<Context> {
    checked(account, member, accounts::context(account, unit, member), Snapshot::Fresh)
}

/// The account as a debit sees it: remembered from the last time, unless something changed since.
///
/// # Errors
/// As [`find`].
pub fn find_remembered(account: &str, unit: Option<&str>, member: Option<&str>) -> Result<Rc<Context>> {
    let generation = invalidation::generation();
    let key = (account, unit, member);
    if let Some(context) = REMEMBERED.with_borrow(|remembered| remembered.get(generation, key))
        && (!context.has_pooling_rules || context.pooling_holds(clock::now()))
    {
        return Ok(context);
    }
    let remembered_unit = |unit: &str| REMEMBERED.with_borrow(|remembered| remembered.unit(generation, unit));
    // Read directly it would be newer than an older snapshot, which then lacks what was issued for the account.
    let directly = if invalidation::sees_latest() { context::read(account, unit, member, remembered_unit) } else { Err(()) };
    tally::count(Step::ReadAccount, directly.is_ok());
    let context = Rc::new(match directly {
        Ok(found) => checked(account, member, found, Snapshot::Fresh)?,
        Err(()) => find(account, unit, member)?,
    });
    // Also where it is not remembered: a debit by it must hear of changes meanwhile.
    invalidation::watch(context.relation);
    // A snapshot from before a change must not be remembered beyond it; nor a member who is about to be registered.
    if invalidation::sees_latest() && member.is_some() == context.member.is_some() {
        REMEMBERED.with_borrow_mut(|remembered| remembered.put(generation, key, context.clone()));
    }
    Ok(context)
}

/// Forgets what was remembered of the account, so that it is read again: it said that something is due which may have been
/// issued.
pub fn forget(account: &str, unit: Option<&str>, member: Option<&str>) {
    REMEMBERED.with_borrow_mut(|remembered| remembered.contexts.remove(&text((account, unit, member))));
}

/// The account as a check of a debit sees it: as the debit a moment later will, where that reads what is committed by then.
///
/// # Errors
/// As [`find_for_reader`].
pub fn find_remembered_for_reader(account: &str, unit: Option<&str>, member: Option<&str>) -> Result<Rc<Context>> {
    if !invalidation::sees_latest() || transactions::are_parallel() {
        return find_for_reader(account, unit, member).map(Rc::new);
    }
    let context = find_remembered(account, unit, member)?;
    check_registered(account, member, &context)?;
    Ok(context)
}

/// The account as the calling query sees it.
///
/// # Errors
/// As [`find`], and P0002 for an unregistered member where members must be registered.
pub fn find_for_reader(account: &str, unit: Option<&str>, member: Option<&str>) -> Result<Context> {
    let context = checked(account, member, accounts::context_of_reader(account, unit, member), Snapshot::OfCaller)?;
    check_registered(account, member, &context)?;
    Ok(context)
}

/// Checks that a named member is registered where they must be.
fn check_registered(account: &str, member: Option<&str>, context: &Context) -> Result<()> {
    match (member, &context.member) {
        (Some(name), None) if context.require_members => Err(error::unknown_member(account, name)),
        _ => Ok(()),
    }
}

/// The context that was found, with the policy that counts for the member now.
fn checked(account: &str, member: Option<&str>, found: Option<Context>, snapshot: Snapshot) -> Result<Context> {
    let context = found.ok_or_else(|| error::unknown_account(account))?;
    if context.decimals.is_none() {
        return Err(error::unknown_unit(&context.unit));
    }
    Ok(if context.has_pooling_rules { context.with_pooling(snapshot, account, member, clock::now()) } else { context })
}

/// Locks the account's row, for what may add lots to the account: so nobody makes a cap for it meanwhile.
pub fn lock(account: &str) {
    arrival::let_in(account);
    accounts::lock(account);
}

/// Finds the account or creates it with the defaults, in its named unit or the default one.
pub fn find_or_create(account: &str, unit: Option<&str>, member: Option<&str>, now: DateTime<Utc>) -> Result<Context> {
    match find(account, unit, member) {
        Err(_) if accounts::context(account, None, None).is_none() => {
            create(account, AccountTerms { unit, ..AccountTerms::default() }, now)?;
            find(account, unit, member)
        }
        found => found,
    }
}

/// Creates the account unless somebody else just did.
pub fn create(account: &str, terms: AccountTerms<'_>, now: DateTime<Utc>) -> Result<bool> {
    let unit = terms.unit.unwrap_or(units::DEFAULT_UNIT);
    if unit == units::DEFAULT_UNIT {
        units::ensure_default(now);
    }
    match units::exists(unit) {
        true => Ok(accounts::create(account, unit, terms, now)),
        false => Err(error::unknown_unit(unit)),
    }
}

/// Checks that the amount has no more decimals than the unit.
///
/// # Errors
/// 22023.
pub fn check_decimals(argument: &str, amount: Amount, context: &Context) -> Result<Amount> {
    let decimals = context.unit_decimals();
    amount.within(decimals).map_err(|_| error::too_many_decimals(argument, &amount.to_string(), decimals))
}

/// Checks that the member may spend, or may be registered.
///
/// # Errors
/// P0002 where members must be registered first; 55000 for an inactive one.
pub fn check_member(account: &str, member: Option<&str>, context: &Context) -> Result<()> {
    match (member, &context.member) {
        (Some(name), Some(member)) if !member.active => Err(error::inactive_member(account, name)),
        (Some(name), None) if context.require_members => Err(error::unknown_member(account, name)),
        _ => Ok(()),
    }
}

/// Checks that the server knows a time zone under just this name. Rules of which it has no file, such as UTC+3, are none: their
/// sign means the contrary of what most people take it for.
///
/// # Errors
/// 22023.
pub fn check_time_zone(name: &str) -> Result<()> {
    match time_zone::find(name) {
        TimeZone::Named(spelt) if spelt == name => Ok(()),
        TimeZone::Rule(spelt) if is_listed(&spelt) && spelt == name => Ok(()),
        TimeZone::Rule(spelt) if !is_listed(&spelt) => Err(error::unknown_time_zone(name, None)),
        TimeZone::Named(spelt) | TimeZone::Rule(spelt) => Err(error::unknown_time_zone(name, Some(&spelt))),
        TimeZone::Unknown => Err(error::unknown_time_zone(name, None)),
    }
}

fn is_listed(rule: &str) -> bool {
    LISTED_RULES.with(|rules| rules.get_or_init(accounts::listed_rules).contains(rule))
}

/// Whether somebody is named who is not registered yet.
pub fn is_newcomer(member: Option<&str>, context: &Context) -> bool {
    member.is_some() && context.member.is_none()
}

/// Whether [`make_room_for_seat`] locks the account's row.
pub fn has_seats(account: &str) -> bool {
    !invalidation::sees_latest() || accounts::has_seats(account)
}

/// Before caps and lots, for a newcomer, with a seat or without: locks the account's row if its schedules give to seats. It comes
/// before the member's row everywhere, and a call that holds a lot must not wait for it. With an older snapshot, which may not
/// show such a schedule, it locks the row in any case: the transaction that declared one has changed it (40001).
pub fn make_room_for_seat(account: &str) {
    arrival::let_in(account);
    if invalidation::sees_latest() { accounts::lock_for_seat(account) } else { accounts::lock_row(account) }
}

/// The registered member; one that is named for the first time is registered, without a department. A seat is written for them
/// where the account gives one to whom a debit names.
///
/// # Errors
/// As [`check_member`], and 54000 where debits registered too many today.
pub fn active_member<'a>(
    account: &str,
    member: Option<&str>,
    context: &'a Context,
    now: DateTime<Utc>,
) -> Result<Option<&'a Member>> {
    check_member(account, member, context)?;
    if let (Some(name), None) = (member, &context.member) {
        register_newcomer(account, name, context, registered_lately(account, now), now)?;
    }
    Ok(context.member.as_ref())
}

/// How many members of the account debits registered within a day, as far as that matters.
pub fn registered_lately(account: &str, now: DateTime<Utc>) -> i32 {
    accounts::self_registered(account, now, settings::max_new_members_per_day())
}

/// Registers a newcomer whom a debit names, where `registered` were before them within a day.
///
/// # Errors
/// 54000.
pub fn register_newcomer(account: &str, member: &str, context: &Context, registered: i32, now: DateTime<Utc>) -> Result<()> {
    let most = settings::max_new_members_per_day();
    if registered >= most {
        return Err(error::too_many_new_members(account, member, most));
    }
    accounts::register_member(account, member, context.self_seating, now);
    Ok(())
}

/// Registers the member whom a direct insert into the ledger names, as [`active_member`] does, for a caller that has taken
/// nothing from a lot yet: a seat is written at once.
///
/// # Errors
/// As [`active_member`].
pub fn register_member(account: &str, member: Option<&str>, context: &Context, now: DateTime<Utc>) -> Result<()> {
    let is_newcomer = is_newcomer(member, context);
    if is_newcomer {
        make_room_for_seat(account);
    }
    active_member(account, member, context, now)?;
    if is_newcomer && context.self_seating {
        accounts::seat_added(account, now);
    }
    Ok(())
}

/// Gives a seat to the member whom a grant names, and registers them if they are new. Nothing was taken from a lot yet.
///
/// # Errors
/// As [`check_member`].
pub fn seat_member(account: &str, member: Option<&str>, context: &Context, now: DateTime<Utc>) -> Result<()> {
    check_member(account, member, context)?;
    if let Some(name) = member.filter(|_| context.member.as_ref().is_none_or(|known| !known.seated)) {
        make_room_for_seat(account);
        accounts::seat_member(account, name, now);
        accounts::seat_added(account, now);
    }
    Ok(())
}
