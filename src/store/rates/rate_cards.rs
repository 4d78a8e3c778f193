//! The table `credit.rate_card`, and which card an account uses.

use chrono::{DateTime, Utc};
use pgrx::pg_sys::{BOOLOID, INT8OID, INTERVALOID, TEXTOID, TIMESTAMPTZOID};
use pgrx::prelude::*;

use crate::domain::exact::{Precision, Rounding};
use crate::store::statement::{Row, Rows, Statement};

/// A card and the unit it is in.
#[derive(Clone, Debug)]
pub struct Card {
    pub card: String,
    pub unit: String,
    /// How its prices are written.
    pub precision: Precision,
    /// Until then it is the account's card, unless something changes.
    pub until: Option<DateTime<Utc>>,
}

static CARD: Statement = Statement::by_index(
    "SELECT c.card, c.unit, u.decimals, u.rounding, NULL::timestamptz FROM credit.rate_card c JOIN credit.unit u
        ON u.unit = c.unit WHERE c.card = $1",
    &[TEXTOID],
);

static CARD_OF_RATE: Statement = Statement::by_index(
    "SELECT c.card, c.unit, u.decimals, u.rounding, NULL::timestamptz
     FROM credit.rate r JOIN credit.rate_card c ON c.card = r.card JOIN credit.unit u ON u.unit = c.unit WHERE r.rate = $1",
    &[INT8OID],
);

// The account's own card, that of the newest agreement that names one or whose plan does, or the default one of its unit; and the
// instant at which an agreement begins or ends next.
static CARD_OF_ACCOUNT: Statement = Statement::by_index(
    "SELECT c.card, c.unit, u.decimals, u.rounding,
         (SELECT min(bound.at) FROM credit.agreement g, LATERAL (VALUES (g.effective_at), (g.ended_at)) AS bound (at)
          WHERE g.account = a.account AND bound.at > $2)
     FROM credit.account a
     JOIN credit.rate_card c ON c.card = COALESCE(a.rate_card,
         (SELECT COALESCE(g.rate_card, p.rate_card) FROM credit.agreement g JOIN credit.plan p ON p.plan = g.plan
          WHERE g.account = a.account AND g.effective_at <= $2 AND (g.ended_at IS NULL OR g.ended_at > $2)
              AND COALESCE(g.rate_card, p.rate_card) IS NOT NULL
          ORDER BY g.effective_at DESC, g.agreement DESC LIMIT 1),
         (SELECT d.card FROM credit.rate_card d WHERE d.unit = a.unit AND d.is_default))
     JOIN credit.unit u ON u.unit = c.unit WHERE a.account = $1",
    &[TEXTOID, TIMESTAMPTZOID],
);

// The notice is a promise to customers everywhere, so its days are not those of the session that publishes.
macro_rules! notice_until {
    () => {
        "GREATEST(credit.add_interval($2, notice, 'UTC'), notice_kept_until), COALESCE(notice_kept_until > $2, false)"
    };
}

static LOCK: Statement = Statement::by_index(
    concat!("SELECT unit, ", notice_until!(), " FROM credit.rate_card WHERE card = $1 FOR NO KEY UPDATE"),
    &[TEXTOID, TIMESTAMPTZOID],
);

static READ: Statement = Statement::by_index(
    concat!("SELECT unit, ", notice_until!(), " FROM credit.rate_card WHERE card = $1"),
    &[TEXTOID, TIMESTAMPTZOID],
);

static MARK_PUBLISHED: Statement =
    Statement::by_index("UPDATE credit.rate_card SET published_at = $2 WHERE card = $1", &[TEXTOID, TIMESTAMPTZOID]);

static CREATE: Statement = Statement::new(
    "INSERT INTO credit.rate_card (card, unit, is_default, notice, agreement, note, created_at)
     VALUES ($1, $2, COALESCE($3, false), COALESCE($4, '0'), $5, $6, $7) ON CONFLICT (card) DO NOTHING",
    &[TEXTOID, TEXTOID, BOOLOID, INTERVALOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static CHANGE: Statement = Statement::by_index(
    "UPDATE credit.rate_card SET unit = COALESCE($2, unit), is_default = COALESCE($3, is_default), notice = COALESCE($4, notice),
         agreement = COALESCE($5, agreement), note = COALESCE($6, note), notice_kept_until = COALESCE($7, notice_kept_until)
     WHERE card = $1",
    &[TEXTOID, TEXTOID, BOOLOID, INTERVALOID, TEXTOID, TEXTOID, TIMESTAMPTZOID],
);

static DEFAULT_OF_UNIT: Statement =
    Statement::new("SELECT card FROM credit.rate_card WHERE unit = $1 AND is_default AND card <> $2", &[TEXTOID, TEXTOID]);

static HAS_RATES: Statement = Statement::new("SELECT EXISTS (SELECT FROM credit.rate WHERE card = $1)", &[TEXTOID]);

static USERS: Statement = Statement::new(
    "SELECT count(*) FROM credit.account a
     WHERE a.rate_card = $1 OR (a.rate_card IS NULL
         AND (EXISTS (SELECT FROM credit.rate_card c WHERE c.card = $1 AND c.is_default AND c.unit = a.unit)
             OR EXISTS (SELECT FROM credit.agreement g JOIN credit.plan p ON p.plan = g.plan
                 WHERE g.account = a.account AND COALESCE(g.rate_card, p.rate_card) = $1
                     AND (g.ended_at IS NULL OR g.ended_at > credit.now()))))",
    &[TEXTOID],
);

static IS_USED: Statement = Statement::new(
    "SELECT EXISTS (SELECT FROM credit.account a
     WHERE a.rate_card = $1 OR (a.rate_card IS NULL
         AND (EXISTS (SELECT FROM credit.rate_card c WHERE c.card = $1 AND c.is_default AND c.unit = a.unit)
             OR EXISTS (SELECT FROM credit.agreement g JOIN credit.plan p ON p.plan = g.plan
                 WHERE g.account = a.account AND COALESCE(g.rate_card, p.rate_card) = $1
                     AND (g.ended_at IS NULL OR g.ended_at > credit.now())))))",
    &[TEXTOID],
);

fn card_of_rows(rows: Rows) -> Option<Card> {
    rows.first().map(|row: Row<'_>| {
        let rounding: Rounding = row.get::<String>(4).parse().expect("a rounding that the table allows");
        Card {
            card: row.get(1),
            unit: row.get(2),
            precision: Precision { decimals: row.get::<i16>(3) as u32, rounding },
            until: row.optional(5),
        }
    })
}

/// The card of this name.
pub fn card(card: &str) -> Option<Card> {
    card_of_rows(CARD.run(&[&card]))
}

/// The same as the calling query sees it, for readers.
pub fn card_for_reader(card: &str) -> Option<Card> {
    card_of_rows(CARD.read(&[&card]))
}

/// The card of a version of a rate.
pub fn card_of_rate(rate: i64) -> Option<Card> {
    card_of_rows(CARD_OF_RATE.run(&[&rate]))
}

/// The card an account uses at an instant: its own, that of an agreement or its plan, or the default one of its unit.
pub fn card_of_account(account: &str, at: DateTime<Utc>) -> Option<Card> {
    card_of_rows(CARD_OF_ACCOUNT.run(&[&account, &at]))
}

/// The same as the calling query sees it, for readers.
pub fn card_of_account_for_reader(account: &str, at: DateTime<Utc>) -> Option<Card> {
    card_of_rows(CARD_OF_ACCOUNT.read(&[&account, &at]))
}

/// A card as a publisher sees it.
pub struct Published {
    pub unit: String,
    /// Before this instant nothing may get worse.
    pub notice_until: DateTime<Utc>,
    /// Whether that was promised to accounts that used the card, whether or not they still do.
    pub is_promised: bool,
}

fn published_of_rows(rows: Rows) -> Option<Published> {
    rows.first().map(|row: Row<'_>| Published { unit: row.get(1), notice_until: row.get(2), is_promised: row.get(3) })
}

/// Locks the card: publishing and changing it happen one after the other.
pub fn lock(card: &str, now: DateTime<Utc>) -> Option<Published> {
    published_of_rows(LOCK.run(&[&card, &now]))
}

/// The locked card again, as it is by now.
pub fn read_now(card: &str, now: DateTime<Utc>) -> Option<Published> {
    published_of_rows(READ.run(&[&card, &now]))
}

/// The same without the lock, for a preview.
pub fn read(card: &str, now: DateTime<Utc>) -> Option<Published> {
    published_of_rows(READ.read(&[&card, &now]))
}

/// The terms that a card is created with or changed to; `None` keeps what is there.
pub struct CardTerms<'a> {
    pub unit: Option<&'a str>,
    pub is_default: Option<bool>,
    pub notice: Option<Interval>,
    pub agreement: Option<&'a str>,
    pub note: Option<&'a str>,
}

/// Creates the card unless it exists; whether it did.
pub fn create(card: &str, unit: &str, terms: &CardTerms<'_>, now: DateTime<Utc>) -> bool {
    CREATE.run(&[&card, &unit, &terms.is_default, &terms.notice, &terms.agreement, &terms.note, &now]).count() == 1
}

/// Changes what is given of a locked card. The notice that was in effect holds until `notice_kept_until`.
pub fn change(card: &str, terms: &CardTerms<'_>, notice_kept_until: Option<DateTime<Utc>>) {
    let changed =
        CHANGE.run(&[&card, &terms.unit, &terms.is_default, &terms.notice, &terms.agreement, &terms.note, &notice_kept_until]);
    assert_eq!(changed.count(), 1, "card {card} to change");
}

/// Records that rates of a locked card were published. It also makes a publisher with an older snapshot fail (40001): it would
/// not see them.
pub fn mark_published(card: &str, now: DateTime<Utc>) {
    assert_eq!(MARK_PUBLISHED.run(&[&card, &now]).count(), 1, "card {card} to mark");
}

/// The default card of a unit, unless it is this one.
pub fn other_default_of_unit(unit: &str, card: &str) -> Option<String> {
    DEFAULT_OF_UNIT.run(&[&unit, &card]).first().map(|row| row.get(1))
}

/// Whether a card has rates, published or not.
pub fn has_rates(card: &str) -> bool {
    HAS_RATES.run(&[&card]).first().expect("one row").get(1)
}

/// Whether any account is charged by the card.
pub fn is_used(card: &str) -> bool {
    IS_USED.run(&[&card]).first().expect("one row").get(1)
}

/// How many accounts are charged by the card.
pub fn users(card: &str) -> i64 {
    USERS.read(&[&card]).first().expect("one row").get(1)
}
