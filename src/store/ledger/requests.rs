//! The table `credit.request`: idempotency keys.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BYTEAOID, INT4OID, INT8OID, TEXTOID, TIMESTAMPTZOID};

use crate::domain::ledger::request::Body;
use crate::store::statement::Statement;

static REMEMBER: Statement = Statement::new(
    "INSERT INTO credit.request (account, key, function, fingerprint, result, recorded_at, arguments)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    &[TEXTOID, TEXTOID, TEXTOID, BYTEAOID, INT8OID, TIMESTAMPTZOID, BYTEAOID],
);

static FIND: Statement = Statement::by_index(
    "SELECT function, fingerprint, result, arguments FROM credit.request WHERE account = $1 AND key = $2",
    &[TEXTOID, TEXTOID],
);

static TAKE_BACK: Statement = Statement::new("DELETE FROM credit.request WHERE account = $1 AND key = $2", &[TEXTOID, TEXTOID]);

static SETTLE: Statement =
    Statement::by_index("UPDATE credit.request SET result = $3 WHERE account = $1 AND key = $2", &[TEXTOID, TEXTOID, INT8OID]);

/// Keys of debits and charges, which are many, from before $1. A grant, a purchase or a schedule that is asked for again years
/// later must not happen twice.
macro_rules! forgettable {
    () => {
        "recorded_at < $1 AND function IN ('credit_debit', 'credit_charge', 'credit_charge_request', 'credit_debit_available',
         'credit_hold', 'credit_hold_charge', 'credit_capture', 'credit_capture_charge', 'credit_release', 'credit_extend_hold')"
    };
}
pub(in crate::store) use forgettable;

static FORGET: Statement = Statement::new(
    concat!(
        "DELETE FROM credit.request r USING (SELECT account, key FROM credit.request WHERE ",
        forgettable!(),
        " LIMIT $2 FOR UPDATE SKIP LOCKED) old WHERE r.account = old.account AND r.key = old.key"
    ),
    &[TIMESTAMPTZOID, INT4OID],
);

/// A request that was made under a key.
pub struct Remembered {
    /// The SQL function that was called.
    pub function: String,
    /// The hash of the arguments that make a request the same one.
    pub fingerprint: Vec<u8>,
    /// The id that it returned.
    pub result: i64,
    /// A short hash of each argument; `None` of a request that was stored without.
    pub arguments: Option<Vec<u8>>,
}

/// Stores the request unless its key is taken; waits for a transaction that is just using the same key.
pub fn remember(account: &str, key: &str, function: &str, asked: &Body, result: i64, now: DateTime<Utc>) -> bool {
    let (whole, arguments) = (asked.whole.as_slice(), asked.arguments.as_bytes());
    REMEMBER.run(&[&account, &key, &function, &whole, &result, &now, &arguments]).count() == 1
}

/// The request that is remembered under a key of the account.
pub fn find(account: &str, key: &str) -> Option<Remembered> {
    let rows = FIND.run(&[&account, &key]);
    rows.first().map(|row| Remembered {
        function: row.get(1),
        fingerprint: row.get(2),
        result: row.get(3),
        arguments: row.optional(4),
    })
}

/// Takes back what this transaction claimed for a debit that then did not fit.
pub fn take_back(account: &str, key: &str) {
    TAKE_BACK.run(&[&account, &key]);
}

/// The result of a request under a key that posted nothing: the id of no posting.
pub const NOTHING: i64 = 0;

/// Records that what this transaction claimed the key for posted nothing.
pub fn settle_with_nothing(account: &str, key: &str) {
    assert_eq!(SETTLE.run(&[&account, &key, &NOTHING]).count(), 1, "the claimed key {key}");
}

/// Forgets at most `limit` keys of debits and charges older than `before`; two at once forget different ones.
pub fn forget(before: DateTime<Utc>, limit: i32) -> i64 {
    FORGET.run(&[&before, &limit]).count() as i64
}
