//! The tables `credit.account` and `credit.member`.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use pgrx::pg_sys;
use pgrx::pg_sys::{BOOLOID, INT4OID, INTERVALOID, TEXTARRAYOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use crate::domain::debits::late::LateUsage;
use crate::domain::pools::pooling::{Pooling, Resolved};
use crate::server::heap::{self, read};
use crate::store::caps::{self, Cap};
use crate::store::pools::pooling;
use crate::store::statement::{Row, Snapshot, Statement};
use crate::values;

/// An account as a debit or grant of one of its units and members sees it.
#[derive(Debug)]
pub struct Context {
    /// Whether the member spends the pool, and until when that counts.
    pub pooling: Resolved,
    /// Whether the account's policy has instants from which it changes, or overrides.
    pub has_pooling_rules: bool,
    /// Members must be registered before they can be named.
    pub require_members: bool,
    /// A debit that names somebody new gives them a seat.
    pub self_seating: bool,
    /// The unit that was asked for, or the account's own.
    pub unit: String,
    /// How many decimals the unit has; `None` when there is no such unit.
    pub decimals: Option<u32>,
    /// The unit's currency.
    pub currency: Option<String>,
    /// The member that was asked for, if registered.
    pub member: Option<Member>,
    /// From this instant on something of its schedules is due that was not issued yet.
    pub refresh_at: Option<DateTime<Utc>>,
    /// Until when periods of the account have been closed.
    pub closed_until: Option<DateTime<Utc>>,
    /// The treatment of usage that comes after a lot's expiry.
    pub late_usage: LateUsage,
    /// Whether the account has caps at all.
    pub has_caps: bool,
    /// The caps that may count a debit of the member.
    pub caps: Vec<Cap>,
    /// The id of the table credit.account, whose invalidation ends what is remembered of it.
    pub relation: pg_sys::Oid,
}

impl Context {
    /// The decimals of the unit, which a context that was checked has.
    pub fn unit_decimals(&self) -> u32 {
        self.decimals.expect("a context with a unit")
    }

    /// Whether something of the account's schedules must be issued before it is known what is usable.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.refresh_at.is_some_and(|refresh_at| refresh_at <= now)
    }

    /// The context with the caps that apply. An account without any pays nothing for them.
    pub fn with_caps(mut self, snapshot: Snapshot, account: &str, member: Option<&str>) -> Context {
        if self.has_caps {
            let department = self.member.as_ref().and_then(|member| member.department.as_deref());
            self.caps = caps::applying(snapshot, account, &self.unit, member, department);
        }
        self
    }

    /// Whether pooled lots pay for a debit that names this member, or none.
    pub fn pool_pays(&self, member: Option<&str>) -> bool {
        self.pooling.pooling == Pooling::Pooled || member.is_none()
    }

    /// Whether the policy still counts at an instant. Only where there are rules it may not.
    pub fn pooling_holds(&self, at: DateTime<Utc>) -> bool {
        !self.has_pooling_rules || self.pooling.holds(at)
    }

    /// The context with the policy that the rules make for the member at an instant.
    pub fn with_pooling(mut self, snapshot: Snapshot, account: &str, member: Option<&str>, at: DateTime<Utc>) -> Context {
        let department = self.member.as_ref().and_then(|member| member.department.as_deref());
        let policy = pooling::policy_of(snapshot, account, self.pooling.pooling, member, department);
        self.pooling = policy.resolve(member, department, at);
        self
    }

    /// Whether what was decided by this is right by `now` too. A member who was not registered may have been since; a seat
    /// changes nothing.
    pub fn holds(&self, now: &Context) -> bool {
        let of_account =
            |context: &Context| (context.pooling.pooling, context.require_members, context.self_seating, context.decimals);
        let of_member = |member: &Member| (member.active, member.department.clone());
        let member_holds = match (&self.member, &now.member) {
            (None, Some(registered)) => of_member(registered) == (true, None),
            (before, now) => before.as_ref().map(of_member) == now.as_ref().map(of_member),
        };
        let caps = |context: &Context| context.caps.iter().map(Cap::key).collect::<Vec<_>>();
        member_holds
            && caps(self) == caps(now)
            && of_account(self) == of_account(now)
            && self.unit == now.unit
            && self.currency == now.currency
    }
}

/// A registered member.
#[derive(Debug)]
pub struct Member {
    pub active: bool,
    pub department: Option<String>,
    /// Whether schedules of members give them something.
    pub seated: bool,
}

macro_rules! context {
    ($unit:literal) => {
        concat!(
            "SELECT a.pooling, a.require_members, ",
            $unit,
            ", u.decimals, u.currency, m.active, m.department, a.tableoid, a.refresh_at, a.late_usage, a.has_caps,
                a.has_pooling_rules,
                 a.closed_until, a.self_seating, m.seated_at IS NOT NULL
             FROM credit.account a
             LEFT JOIN credit.unit u ON u.unit = ",
            $unit,
            " LEFT JOIN credit.member m ON m.account = a.account AND m.member = $2
             WHERE a.account = $1"
        )
    };
}

static CONTEXT: Statement = Statement::by_index(context!("a.unit"), &[TEXTOID, TEXTOID]);

static CONTEXT_OF_UNIT: Statement = Statement::by_index(context!("$3"), &[TEXTOID, TEXTOID, TEXTOID]);

static CREATE: Statement = Statement::new(
    "INSERT INTO credit.account (account, unit, pooling, time_zone, require_members, metadata, created_at, rate_card, late_usage,
        late_grace,
         transfers, self_seating, refund_expired, refund_grace)
     VALUES ($1, $2, COALESCE($3, 'pooled'), COALESCE($4, 'UTC'), COALESCE($5, false), $6::jsonb, $7, $8, COALESCE($9, 'current'),
         COALESCE($10, interval '0'), COALESCE($11, 'free'), COALESCE($12, false),
         COALESCE($13, 'expire'), COALESCE($14, interval '30 days'))
     ON CONFLICT DO NOTHING",
    &[
        TEXTOID,
        TEXTOID,
        TEXTOID,
        TEXTOID,
        BOOLOID,
        TEXTOID,
        TIMESTAMPTZOID,
        TEXTOID,
        TEXTOID,
        INTERVALOID,
        TEXTOID,
        BOOLOID,
        TEXTOID,
        INTERVALOID,
    ],
);

static CHANGE: Statement = Statement::new(
    "UPDATE credit.account SET unit = COALESCE($2, unit), time_zone = COALESCE($3, time_zone),
         require_members = COALESCE($4, require_members), metadata = COALESCE($5::jsonb, metadata),
         rate_card = COALESCE($6, rate_card), late_usage = COALESCE($7, late_usage),
         late_grace = COALESCE($8, late_grace), transfers = COALESCE($9, transfers), self_seating = COALESCE($10, self_seating),
         refund_expired = COALESCE($11, refund_expired), refund_grace = COALESCE($12, refund_grace)
     WHERE account = $1",
    &[TEXTOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID, TEXTOID, TEXTOID, INTERVALOID, TEXTOID, BOOLOID, TEXTOID, INTERVALOID],
);

// A lock alone would leave no mark: a transaction with an older snapshot (REPEATABLE READ) would go on with what was bought and
// agreed then.
static LOCK: Statement = Statement::by_index("UPDATE credit.account SET created_at = created_at WHERE account = $1", &[TEXTOID]);

static LOCK_IF_FREE: Statement =
    Statement::by_index("SELECT true FROM credit.account WHERE account = $1 FOR NO KEY UPDATE SKIP LOCKED", &[TEXTOID]);

static REFRESH_AT: Statement = Statement::by_index("SELECT refresh_at FROM credit.account WHERE account = $1", &[TEXTOID]);

static SET_REFRESH_AT: Statement = Statement::by_index(
    "UPDATE credit.account SET refresh_at = $2 WHERE account = $1 AND refresh_at IS DISTINCT FROM $2",
    &[TEXTOID, TIMESTAMPTZOID],
);

// Only an account that has schedules is ever due.
static SEAT_ADDED: Statement = Statement::by_index(
    "UPDATE credit.account a SET refresh_at = $2 WHERE account = $1 AND (refresh_at IS NULL OR refresh_at > $2)
         AND EXISTS (SELECT FROM credit.schedule s WHERE s.account = a.account AND s.per_member)",
    &[TEXTOID, TIMESTAMPTZOID],
);

static LOCK_ROW: Statement =
    Statement::by_index("SELECT account FROM credit.account WHERE account = $1 FOR NO KEY UPDATE", &[TEXTOID]);

static LOCK_ROWS: Statement = Statement::by_index(
    "SELECT FROM credit.account WHERE account = ANY ($1) ORDER BY account FOR NO KEY UPDATE",
    &[TEXTARRAYOID],
);

static HAS_SEATS: Statement =
    Statement::by_index("SELECT EXISTS (SELECT FROM credit.schedule s WHERE s.account = $1 AND s.per_member)", &[TEXTOID]);

static LOCK_FOR_SEAT: Statement = Statement::by_index(
    "SELECT FROM credit.account a WHERE account = $1 AND EXISTS (SELECT FROM credit.schedule s WHERE s.account = a.account
        AND s.per_member)
     FOR NO KEY UPDATE",
    &[TEXTOID],
);

// Those that somebody holds are passed over: they must not keep the others from their turn.
static DUE: Statement = Statement::by_index(
    "SELECT account FROM credit.account WHERE refresh_at <= $1 ORDER BY refresh_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
    &[TIMESTAMPTZOID, INT4OID],
);

static CLOSED_UNTIL: Statement = Statement::by_index("SELECT closed_until FROM credit.account WHERE account = $1", &[TEXTOID]);

// Fails with 40001 where an older snapshot does not show the row as it is.
static CLOSED_UNTIL_LATEST: Statement =
    Statement::by_index("SELECT closed_until FROM credit.account WHERE account = $1 FOR SHARE", &[TEXTOID]);

static BEFORE_GRACE: Statement = Statement::new(
    "SELECT credit.add_interval($2, - late_grace, time_zone) FROM credit.account WHERE account = $1",
    &[TEXTOID, TIMESTAMPTZOID],
);

static ADD_INTERVAL: Statement = Statement::new(
    "SELECT credit.add_interval($2, $3, time_zone) FROM credit.account WHERE account = $1",
    &[TEXTOID, TIMESTAMPTZOID, INTERVALOID],
);

static IS_IN_USE: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM credit.lot WHERE account = $1) OR EXISTS (SELECT FROM credit.member WHERE account = $1)
         OR EXISTS (SELECT FROM credit.schedule WHERE account = $1)",
    &[TEXTOID],
);

static HAS_LOTS: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM credit.lot WHERE account = $1) OR EXISTS (SELECT FROM credit.schedule WHERE account = $1)",
    &[TEXTOID],
);

static LISTED_RULES: Statement =
    Statement::new("SELECT name FROM pg_catalog.pg_timezone_names WHERE name ~ '[0-9]' AND name !~ '[a-z]' LIMIT 1000", &[]);

// Named by a debit: a seat only where the account gives it.
static REGISTER_MEMBER: Statement = Statement::new(
    "INSERT INTO credit.member (account, member, created_at, seated_at, self_registered)
     VALUES ($1, $2, $3, CASE WHEN $4 THEN $3 END, true) ON CONFLICT DO NOTHING",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID, BOOLOID],
);

// Named by a grant.
static SEAT_MEMBER: Statement = Statement::by_index(
    "INSERT INTO credit.member AS m (account, member, created_at, seated_at) VALUES ($1, $2, $3, $3)
     ON CONFLICT (account, member) DO UPDATE SET seated_at = $3 WHERE m.active AND m.seated_at IS NULL",
    &[TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

// A clock that stood more than a day ahead does not count against those of now.
static SELF_REGISTERED: Statement = Statement::by_index(
    "SELECT count(*) FROM (SELECT FROM credit.member WHERE account = $1 AND self_registered
         AND created_at > $2 - interval '1 day' AND created_at < $2 + interval '1 day' LIMIT $3) m",
    &[TEXTOID, TIMESTAMPTZOID, INT4OID],
);

static UNSEATED: Statement =
    Statement::new("SELECT count(*) FROM credit.member WHERE account = $1 AND active AND seated_at IS NULL", &[TEXTOID]);

// A member who comes back sits down anew.
static SEATS_TAKEN: Statement = Statement::by_index(
    "SELECT ROW(count(*), sum(EXTRACT(epoch FROM seated_at)))::text FROM credit.member WHERE account = $1
        AND seated_at IS NOT NULL",
    &[TEXTOID],
);

static SAVE_MEMBER: Statement = Statement::new(
    "INSERT INTO credit.member AS m (account, member, department, active, metadata, created_at, kind, seated_at)
     VALUES ($1, $2, NULLIF($3, ''), COALESCE($4, true), $5::jsonb, $6, COALESCE($7, 'user'), CASE
         WHEN COALESCE($4, true) THEN $6 END)
     ON CONFLICT (account, member) DO UPDATE SET department = NULLIF(COALESCE($3, m.department), ''), kind = COALESCE($7, m.kind),
         seated_at = CASE WHEN COALESCE($4, m.active) AND (m.seated_at IS NULL OR NOT m.active) THEN $6 ELSE m.seated_at END,
         active = COALESCE($4, m.active), metadata = COALESCE($5::jsonb, m.metadata)",
    &[TEXTOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID, TIMESTAMPTZOID, TEXTOID],
);

/// The policy that an account's row names.
pub fn late_usage_of_name(name: &str) -> LateUsage {
    LateUsage::of_name(name).expect("a policy that the table allows")
}

/// The pooling that an account's row names.
pub fn pooling_of_name(name: &str) -> Pooling {
    Pooling::of_name(name).expect("a policy that the table allows")
}

fn context_of_row(row: Row<'_>) -> Context {
    Context {
        pooling: Resolved::always(pooling_of_name(&row.get::<String>(1))),
        has_pooling_rules: row.get(12),
        require_members: row.get(2),
        self_seating: row.get(14),
        unit: row.get(3),
        decimals: row.optional::<i16>(4).map(|decimals| decimals as u32),
        currency: row.optional(5),
        member: row.optional(6).map(|active| Member { active, department: row.optional(7), seated: row.get(15) }),
        relation: row.get(8),
        refresh_at: row.optional(9),
        closed_until: row.optional(13),
        late_usage: late_usage_of_name(&row.get::<String>(10)),
        has_caps: row.get(11),
        caps: Vec::new(),
    }
}

/// The account, the unit (its own unless one is named) and the member; `None` when there is no such account.
pub fn context(account: &str, unit: Option<&str>, member: Option<&str>) -> Option<Context> {
    let rows = match unit {
        None => CONTEXT.run(&[&account, &member]),
        Some(unit) => CONTEXT_OF_UNIT.run(&[&account, &member, &unit]),
    };
    rows.first().map(context_of_row).map(|context| context.with_caps(Snapshot::Fresh, account, member))
}

/// The same as the calling query sees it, for readers.
pub fn context_of_reader(account: &str, unit: Option<&str>, member: Option<&str>) -> Option<Context> {
    let rows = match unit {
        None => CONTEXT.read(&[&account, &member]),
        Some(unit) => CONTEXT_OF_UNIT.read(&[&account, &member, &unit]),
    };
    rows.first().map(context_of_row).map(|context| context.with_caps(Snapshot::OfCaller, account, member))
}

/// The terms that an account is created with or changed to; `None` keeps what is there.
#[derive(Clone, Copy, Default)]
pub struct AccountTerms<'a> {
    pub unit: Option<&'a str>,
    pub pooling: Option<&'a str>,
    pub time_zone: Option<&'a str>,
    pub require_members: Option<bool>,
    pub rate_card: Option<&'a str>,
    pub late_usage: Option<&'a str>,
    pub late_grace: Option<Interval>,
    pub transfers: Option<&'a str>,
    pub self_seating: Option<bool>,
    pub refund_expired: Option<&'a str>,
    pub refund_grace: Option<Interval>,
    pub metadata: Option<&'a str>,
}

/// Creates the account unless it exists; whether it did.
pub fn create(account: &str, unit: &str, terms: AccountTerms<'_>, now: DateTime<Utc>) -> bool {
    let AccountTerms {
        pooling,
        time_zone,
        require_members,
        rate_card,
        late_usage,
        late_grace,
        transfers,
        self_seating,
        refund_expired,
        refund_grace,
        metadata,
        ..
    } = terms;
    let created = CREATE.run(&[
        &account,
        &unit,
        &pooling,
        &time_zone,
        &require_members,
        &metadata,
        &now,
        &rate_card,
        &late_usage,
        &late_grace,
        &transfers,
        &self_seating,
        &refund_expired,
        &refund_grace,
    ]);
    created.count() == 1
}

/// Changes what is given, but for the pooling, which has a history of its own.
pub fn change(account: &str, terms: AccountTerms<'_>) {
    let AccountTerms {
        unit,
        time_zone,
        require_members,
        rate_card,
        late_usage,
        late_grace,
        transfers,
        self_seating,
        refund_expired,
        refund_grace,
        metadata,
        ..
    } = terms;
    let changed = CHANGE.run(&[
        &account,
        &unit,
        &time_zone,
        &require_members,
        &metadata,
        &rate_card,
        &late_usage,
        &late_grace,
        &transfers,
        &self_seating,
        &refund_expired,
        &refund_grace,
    ]);
    assert_eq!(changed.count(), 1, "account {account} to change");
}

/// Locks the account's row: its purchases and agreements happen one after the other. Debits wait for it where something is due,
/// or a seat comes.
pub fn lock(account: &str) {
    LOCK.run(&[&account]);
}

/// Locks the account's row if nobody holds it; whether it did.
pub fn lock_if_free(account: &str) -> bool {
    LOCK_IF_FREE.run(&[&account]).count() == 1
}

/// When something of the account's schedules is due next.
pub fn refresh_at(account: &str) -> Option<DateTime<Utc>> {
    REFRESH_AT.run(&[&account]).first().and_then(|row| row.optional(1))
}

/// Until when periods of the account have been closed; `is_latest` says whether statements see all that is committed.
pub fn closed_until(account: &str, is_latest: bool) -> Option<DateTime<Utc>> {
    let statement = if is_latest { &CLOSED_UNTIL } else { &CLOSED_UNTIL_LATEST };
    statement.run(&[&account]).first().and_then(|row| row.optional(1))
}

/// Says when something of the account's schedules is due next.
pub fn set_refresh_at(account: &str, refresh_at: Option<DateTime<Utc>>) {
    SET_REFRESH_AT.run(&[&account, &refresh_at]);
}

/// Says that a seat was added: where schedules give to seats, something is due.
pub fn seat_added(account: &str, now: DateTime<Utc>) {
    SEAT_ADDED.run(&[&account, &now]);
}

/// Locks the row of an account; snapshots from before go on seeing it as it is.
pub fn lock_row(account: &str) {
    LOCK_ROW.run(&[&account]);
}

/// Locks the rows of accounts, in the order of their names.
pub fn lock_rows(accounts: &[&str]) {
    LOCK_ROWS.run(&[&accounts.to_vec()]);
}

/// Whether schedules of the account give to seats.
pub fn has_seats(account: &str) -> bool {
    HAS_SEATS.run(&[&account]).first().expect("one row").get(1)
}

/// Locks the row of an account whose schedules give to seats, if it is one.
pub fn lock_for_seat(account: &str) {
    LOCK_FOR_SEAT.run(&[&account]);
}

/// Accounts of which something is due, the longest overdue first.
pub fn due(now: DateTime<Utc>, limit: i32) -> Vec<String> {
    DUE.run(&[&now, &limit]).iter().map(|row| row.get(1)).collect()
}

/// `at` plus a length of time by the account's calendar.
pub fn add_interval(account: &str, at: DateTime<Utc>, length: Interval) -> DateTime<Utc> {
    ADD_INTERVAL.run(&[&account, &at, &length]).first().expect("an existing account").get(1)
}

/// The account's time of grace before an instant; `None` when there is no such account.
pub fn before_grace(account: &str, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    BEFORE_GRACE.run(&[&account, &at]).first().map(|row| row.get(1))
}

/// Whether the account has lots, or schedules that will bring some.
pub fn has_lots(account: &str) -> bool {
    HAS_LOTS.run(&[&account]).first().expect("one row").get(1)
}

/// Whether the account has lots or members.
pub fn is_in_use(account: &str) -> bool {
    IS_IN_USE.run(&[&account]).first().expect("one row").get(1)
}

/// The rules such as EST5EDT that the server lists as time zones. That reads every file of time zones there is.
pub fn listed_rules() -> HashSet<String> {
    LISTED_RULES.run(&[]).iter().map(|row| row.get(1)).collect()
}

/// Registers a member that a debit named for the first time, without a department; with a seat, or without.
pub fn register_member(account: &str, member: &str, seated: bool, now: DateTime<Utc>) {
    REGISTER_MEMBER.run(&[&account, &member, &now, &seated]);
}

/// Gives a member a seat who has none, and registers one who is not registered yet.
pub fn seat_member(account: &str, member: &str, now: DateTime<Utc>) {
    SEAT_MEMBER.run(&[&account, &member, &now]);
}

/// How many members of the account debits registered within a day of `now`, up to `most`. Those whom other transactions are about
/// to register count too.
pub fn self_registered(account: &str, now: DateTime<Utc>, most: i32) -> i32 {
    let instant = |days| values::timestamptz(now + TimeDelta::days(days)).into_datum().expect("an instant");
    let mut conditions = [
        heap::equals(1, pg_sys::F_TEXTEQ, account.into_datum().expect("a text")),
        heap::greater(2, pg_sys::F_TIMESTAMPTZ_GT, instant(-1)),
        heap::less(2, pg_sys::F_TIMESTAMPTZ_LT, instant(1)),
    ];
    match read::count_with_uncommitted(|relations| relations.registration, &mut conditions, most) {
        Some(count) => count,
        None => SELF_REGISTERED.run(&[&account, &now, &most]).first().expect("one row").get::<i64>(1) as i32,
    }
}

/// How many active members of the account have no seat, as the calling query sees them.
pub fn unseated(account: &str) -> i64 {
    UNSEATED.run(&[&account]).first().expect("one row").get(1)
}

/// A text that differs between two snapshots when somebody took a seat of the account between them.
pub fn seats_taken(account: &str, snapshot: Snapshot) -> String {
    SEATS_TAKEN.execute(snapshot, &[&account]).first().expect("one row").get(1)
}

/// The terms that a member is created with or changed to; `None` keeps what is there.
#[derive(Clone, Copy, Default)]
pub struct MemberTerms<'a> {
    /// Empty takes them out of every department.
    pub department: Option<&'a str>,
    pub active: Option<bool>,
    pub kind: Option<&'a str>,
    pub metadata: Option<&'a str>,
}

/// Creates or changes a member.
pub fn save_member(account: &str, member: &str, terms: MemberTerms<'_>, now: DateTime<Utc>) {
    let MemberTerms { department, active, kind, metadata } = terms;
    SAVE_MEMBER.run(&[&account, &member, &department, &active, &metadata, &now, &kind]);
}
