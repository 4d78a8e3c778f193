//! The proof finds whatever weakens a guard of the books.

use pg_credit_clients::{Database, Session};

/// A statement that weakens a guard, and how the proof names what it finds.
const WEAKENED: &[(&str, &str)] = &[
    ("DROP TRIGGER entry_91_refuse_delete ON credit.entry", "trigger credit.entry.entry_91_refuse_delete: missing"),
    ("ALTER TABLE credit.entry DISABLE TRIGGER entry_10_check", "trigger credit.entry.entry_10_check: disabled"),
    ("ALTER TABLE credit.lot ENABLE REPLICA TRIGGER lot_20_apply", "trigger credit.lot.lot_20_apply: replica"),
    ("ALTER TABLE credit.slot ENABLE TRIGGER slot_91_refuse_delete", "trigger credit.slot.slot_91_refuse_delete: enabled"),
    (
        "CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE OR REPLACE TRIGGER entry_10_check BEFORE INSERT ON credit.entry FOR EACH ROW WHEN (NOT NEW.posted)
             EXECUTE FUNCTION public.nothing()",
        "trigger credit.entry.entry_10_check: BEFORE INSERT ON credit.entry FOR EACH ROW \
            WHEN ((NOT new.posted)) EXECUTE FUNCTION public.nothing(), enabled",
    ),
    (
        "CREATE OR REPLACE TRIGGER entry_91_refuse_delete BEFORE DELETE ON credit.entry FOR EACH ROW WHEN (OLD.account <> 'mine')
             EXECUTE FUNCTION credit.refuse_change()",
        "trigger credit.entry.entry_91_refuse_delete: BEFORE DELETE ON credit.entry FOR EACH ROW \
            WHEN ((old.account <> 'mine'::text)) \
         EXECUTE FUNCTION refuse_change(), enabled",
    ),
    (
        "CREATE OR REPLACE TRIGGER entry_91_refuse_delete AFTER DELETE \
            ON credit.entry FOR EACH ROW EXECUTE FUNCTION credit.refuse_change()",
        "trigger credit.entry.entry_91_refuse_delete: AFTER DELETE \
            ON credit.entry FOR EACH ROW EXECUTE FUNCTION refuse_change(), enabled",
    ),
    (
        "CREATE OR REPLACE TRIGGER entry_91_refuse_delete BEFORE INSERT \
            ON credit.entry FOR EACH ROW EXECUTE FUNCTION credit.refuse_change()",
        "trigger credit.entry.entry_91_refuse_delete: BEFORE INSERT \
            ON credit.entry FOR EACH ROW EXECUTE FUNCTION refuse_change(), enabled",
    ),
    ("ALTER DOMAIN credit.remaining DROP CONSTRAINT remaining_check", "constraint credit.remaining.remaining_check: missing"),
    ("ALTER TABLE credit.lot DROP CONSTRAINT lot_granted_check", "constraint credit.lot.lot_granted_check: missing"),
    (
        "ALTER TABLE credit.lot DROP CONSTRAINT lot_granted_check; ALTER TABLE credit.lot ADD CONSTRAINT lot_granted_check CHECK \
            (granted > -1) NOT VALID",
        "constraint credit.lot.lot_granted_check: CHECK ((granted > ('-1'::integer)::numeric)) NOT VALID",
    ),
    ("ALTER TABLE credit.request DROP CONSTRAINT request_pkey", "constraint credit.request.request_pkey: missing"),
    ("DROP INDEX credit.agreement_current", "unique index credit.agreement_current: missing"),
    ("ALTER TABLE credit.lot ALTER COLUMN category DROP NOT NULL", "column credit.lot.category: missing"),
    (
        "ALTER TABLE credit.entry ALTER COLUMN posted SET DEFAULT true",
        "column credit.entry.posted: boolean NOT NULL DEFAULT true",
    ),
    (
        "ALTER FUNCTION credit.entry_check() SECURITY INVOKER",
        "function credit.entry_check: c, security invoker, search_path=pg_catalog, credit, pg_temp, library pg_credit, \
            entry_check_wrapper, of the owner",
    ),
    (
        "ALTER FUNCTION credit_void(text, bigint, jsonb) SET search_path = public",
        "function credit_void: c, security definer, search_path=public, library pg_credit, credit_void_wrapper, of the owner",
    ),
    (
        "ALTER FUNCTION credit_debit(text, numeric, text, text, text, timestamptz, text, jsonb, text, jsonb) SECURITY DEFINER",
        "function credit_debit: c, security definer, library pg_credit, credit_debit_wrapper, of the owner",
    ),
    (
        "CREATE OR REPLACE FUNCTION credit.refuse_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
             SET search_path = pg_catalog, credit, pg_temp AS 'BEGIN RETURN COALESCE(NEW, OLD); END'",
        "function credit.refuse_change: plpgsql, security definer",
    ),
    (
        "CREATE OR REPLACE FUNCTION credit.refuse_change() RETURNS trigger LANGUAGE c SECURITY DEFINER
             SET search_path = pg_catalog, credit, pg_temp AS 'pg_credit', 'lot_apply_wrapper'",
        "function credit.refuse_change: c, security definer, search_path=pg_catalog, credit, pg_temp, library pg_credit, \
            lot_apply_wrapper, of the owner",
    ),
    ("ALTER FUNCTION credit.now() OWNER TO @", "function credit.now: c, security invoker, library pg_credit, now_wrapper, of @"),
    ("ALTER TABLE credit.slot OWNER TO @", "table credit.slot: logged, of @"),
    ("ALTER VIEW credit.lots SET (security_invoker = true)", "view credit.lots: logged, of the owner, security_invoker=true"),
    ("ALTER TABLE credit.request SET UNLOGGED", "table credit.request: not logged, of the owner"),
    ("ALTER EXTENSION pg_credit DROP FUNCTION credit.lot_apply()", "function credit.lot_apply: missing"),
    ("ALTER EXTENSION pg_credit DROP TABLE credit.request", "table credit.request: missing"),
];

#[test]
fn what_weakens_a_guard_is_found() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("SELECT credit_grant('acme', 100); SELECT credit_debit('acme', 1, member => 'alice')");
    let role = database.create_role("credit_other_owner");
    database.verify();
    let mut missed = Vec::new();
    for (weaken, expected) in WEAKENED {
        let expected = expected.replace('@', &role);
        session.run(&format!("BEGIN; {}", weaken.replace('@', &role)));
        let found = session.rows("SELECT found FROM credit_verify()").concat();
        session.run("ROLLBACK");
        if !found.iter().any(|found| found.starts_with(&expected)) {
            missed.push(format!("{weaken}\nexpected: {expected}\nfound only: {found:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
    database.verify();
}

/// However the session writes dates, intervals and names.
#[test]
fn the_settings_of_a_session_make_no_difference() {
    let database = Database::new();
    let mut session = database.connect();
    session.run(
        "SET intervalstyle = 'sql_standard'; SET datestyle = 'German'; SET timezone = 'Asia/Kathmandu'; \
            SET quote_all_identifiers = on;
         SET extra_float_digits = -10; SET standard_conforming_strings = off; SET escape_string_warning = off; \
             SET search_path = ''",
    );
    assert_eq!(session.rows("SELECT found FROM public.credit_verify()"), Vec::<Vec<String>>::new());
    assert_eq!(session.text("SHOW intervalstyle"), "sql_standard");
}

/// The list of guards is what a fresh installation has: nothing is missing in it.
#[test]
fn the_list_of_guards_is_complete() {
    let database = Database::new();
    let differing = "SELECT kind, object, expected, found FROM credit.guards() WHERE expected IS DISTINCT FROM found";
    let differing = database.connect().rows(differing);
    assert!(differing.is_empty(), "run scripts/guards.sh and build again:\n{differing:#?}");
}

/// A database that has yet to be upgraded to the library that it finds.
#[test]
fn another_version_is_said() {
    let database = Database::new();
    let mut session = database.connect();
    session.run("BEGIN; UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'pg_credit'");
    let found = session.rows("SELECT invariant, found FROM credit_verify()");
    assert_eq!(found, [["the library has the version that is installed", "0.0.9"]]);
    session.run("ROLLBACK");
}
