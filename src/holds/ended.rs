//! Holds whose time is over and that nobody has given back. Their credits are free for everybody: a debit that would be refused
//! gives them back first, and maintenance does. No debit looks for them before that.

use std::collections::{BTreeMap, BTreeSet};

use crate::caps::settle::Holder;
use crate::caps::whole;
use crate::domain::holds::hold::State;
use crate::holds::give_back::{self, Ending};
use crate::ledger::{account, closed, whole_lot};
use crate::server::clock;
use crate::server::locks::arrival;
use crate::store::Snapshot;
use crate::store::caps;
use crate::store::debits::eligible;
use crate::store::holds::{self as store, Hold};

/// How many ended holds of an account are given back at once.
const MOST: i32 = 1_000;

/// Those of the accounts that have ended holds, in the order of their names.
pub fn of<'a>(accounts: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let named: Vec<&str> = accounts.iter().copied().collect();
    let with_ended = store::with_ended(&named, clock::now());
    accounts.iter().copied().filter(|account| with_ended.iter().any(|with| with == account)).collect()
}

/// Gives back what ended holds of some accounts still have, for those who draw next; `false` where that is to be taken back and
/// made again, since a lot expired meanwhile.
///
/// All that the drawing needs is locked first, in the order of all locks: the holds, then the caps, then the lots, each account
/// by account. The keys are locked before. The drawing itself waits for nothing then
/// ([`crate::server::contention::WaitingForNothing`]): where a lot or a cap has come, or something is due, all of it is taken
/// back.
///
/// `between` locks what comes between caps and lots.
pub fn give_back_for(drawers: &[Holder<'_>], between: impl FnOnce()) -> bool {
    let accounts: BTreeSet<&str> = drawers.iter().map(|drawer| drawer.account).collect();
    let ended = lock_ended(&of(&accounts));
    lock_caps(drawers, &ended);
    between();
    if !lock_lots(drawers, &ended) {
        return false;
    }
    settle(ended);
    true
}

/// Locks holds, given in the order of their accounts and ids, and all that capturing them may wait for. What other holds have
/// whose time is over is given back. `false` where that is to be taken back and made again, since a lot expired meanwhile.
pub fn lock_with_holds(holds: &[(&str, i64)]) -> bool {
    let mut own: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    holds.iter().for_each(|(account, hold)| own.entry(account).or_default().push(*hold));
    let mut locked: BTreeMap<&str, Vec<Hold>> =
        own.iter().map(|(account, own)| (*account, lock_some(account, MOST, own))).collect();
    let wanted: BTreeMap<&str, Vec<Hold>> = own.iter().map(|(account, own)| (*account, among(&locked[account], own))).collect();
    let drawers = wanted.iter().flat_map(|(account, holds)| holds.iter().map(|hold| give_back::holder(account, hold)));
    let drawers: Vec<_> = drawers.collect();
    lock_caps(&drawers, &locked);
    if !lock_lots(&drawers, &locked) {
        return false;
    }
    for (account, own) in &own {
        locked.get_mut(account).expect("the same accounts").retain(|hold| !own.contains(&hold.hold));
    }
    settle(locked);
    true
}

fn among(holds: &[Hold], ids: &[i64]) -> Vec<Hold> {
    holds.iter().filter(|hold| ids.contains(&hold.hold)).cloned().collect()
}

/// Gives back what ended holds of all accounts have, of at most `limit` holds; of how many.
pub fn give_back_of_all(limit: i32) -> i64 {
    let mut ended = BTreeMap::new();
    let accounts = store::accounts_with_ended(clock::now(), limit);
    let mut left = limit;
    for account in &accounts {
        if left <= 0 {
            break;
        }
        let holds = lock_some(account, left, &[]);
        left -= holds.len() as i32;
        ended.insert(account.as_str(), holds);
    }
    lock_caps(&[], &ended);
    lock_lots(&[], &ended);
    settle(ended) as i64
}

fn lock_ended<'a>(accounts: &BTreeSet<&'a str>) -> BTreeMap<&'a str, Vec<Hold>> {
    accounts.iter().map(|account| (*account, lock_some(account, MOST, &[]))).collect()
}

/// Locks ended holds of an account in the order of their ids. While this waits, a capture may settle one, or somebody may let it
/// go on. Those that are also wanted are locked in their turn, if they are open.
fn lock_some(account: &str, limit: i32, wanted: &[i64]) -> Vec<Hold> {
    let mut ids = store::ended(account, clock::now(), limit);
    ids.extend(wanted);
    ids.sort_unstable();
    ids.dedup();
    arrival::let_in(account);
    let now = clock::now();
    let locked = ids.iter().filter_map(|hold| store::lock(account, *hold));
    let is_meant = |hold: &Hold| hold.has_ended(now) || (hold.state == State::Open && wanted.contains(&hold.hold));
    locked.filter(is_meant).collect()
}

/// Locks the caps that count the holds, and those that count who draws next.
fn lock_caps(drawers: &[Holder<'_>], ended: &BTreeMap<&str, Vec<Hold>>) {
    for account in &accounts(drawers, ended) {
        let holders = ended.get(account).into_iter().flatten().map(|hold| give_back::holder(account, hold));
        let holders = holders.chain(drawers.iter().copied().filter(|drawer| drawer.account == *account));
        let caps: BTreeSet<i64> = holders.flat_map(|of| caps_of(&of)).collect();
        caps.iter().for_each(|cap| {
            whole::lock_one(account, *cap);
        });
    }
}

/// The caps that count it, by the department that is said and by the one that the member has now. Those that have just ended are
/// among them while this session remembers them.
fn caps_of(of: &Holder<'_>) -> BTreeSet<i64> {
    let Holder { account, unit, member, department, .. } = *of;
    let Ok(context) = account::find_remembered(account, Some(unit), member) else { return BTreeSet::new() };
    let applying = |department| caps::applying(Snapshot::Fresh, account, unit, member, department).into_iter();
    let now = context.member.as_ref().and_then(|member| member.department.as_deref());
    let moved = applying(department).chain(applying(now)).map(|cap| cap.cap);
    moved.chain(context.caps.iter().map(|cap| cap.cap)).collect()
}

/// Locks the lots of the holds, and those from which somebody draws next; whether none of them has expired meanwhile.
fn lock_lots(drawers: &[Holder<'_>], ended: &BTreeMap<&str, Vec<Hold>>) -> bool {
    for account in accounts(drawers, ended) {
        let mut lots: Vec<i64> = ended.get(account).into_iter().flatten().flat_map(Hold::lots).collect();
        let mut members_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for drawer in drawers.iter().filter(|drawer| drawer.account == account) {
            members_of.entry(drawer.unit).or_default().extend(drawer.member);
        }
        for (unit, members) in members_of {
            lots.extend(eligible::open_lots_of(account, unit, &members));
        }
        if whole_lot::lock_in_order(account, &lots).is_none() {
            return false;
        }
    }
    true
}

fn accounts<'a>(drawers: &[Holder<'a>], ended: &BTreeMap<&'a str, Vec<Hold>>) -> BTreeSet<&'a str> {
    drawers.iter().map(|drawer| drawer.account).chain(ended.keys().copied()).collect()
}

fn settle(ended: BTreeMap<&str, Vec<Hold>>) -> usize {
    let mut count = 0;
    for (account, holds) in ended {
        let _movable = closed::go_on(account);
        count += holds.len();
        let ending = |hold: Hold| Ending { state: State::Expired, at: hold.expires_at, hold };
        give_back::settle(account, holds.into_iter().map(ending).collect());
    }
    count
}
