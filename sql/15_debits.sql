-- Debits: rows of the ledger that somebody inserts directly, and what debits remember of lots. Its tables are those of the
-- ledger.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Direct inserts ------------------------------------------------------------------------------------------------------

CREATE FUNCTION credit.entry_check() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'entry_check_wrapper';
COMMENT ON FUNCTION credit.entry_check() IS
    'Trigger: checks a directly inserted ledger line, locks its lot, and assigns posting, line and times. Errors: 22023, 23514, '
    'P0002, 55000.';

CREATE FUNCTION credit.entry_apply() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'entry_apply_wrapper';
COMMENT ON FUNCTION credit.entry_apply() IS
    'Trigger: applies a directly inserted ledger line to the lot''s slots, once, and marks it as posted.';

CREATE TRIGGER entry_10_check BEFORE INSERT ON credit.entry
    FOR EACH ROW WHEN (NOT NEW.posted) EXECUTE FUNCTION credit.entry_check();
COMMENT ON TRIGGER entry_10_check ON credit.entry IS
    'Checks a directly inserted ledger line. Rows that are posted already, as a restore writes them, pass.';

CREATE TRIGGER entry_20_apply AFTER INSERT ON credit.entry
    FOR EACH ROW WHEN (NOT NEW.posted) EXECUTE FUNCTION credit.entry_apply();
COMMENT ON TRIGGER entry_20_apply ON credit.entry IS 'Applies a directly inserted ledger line, after it was in fact inserted.';

-- The lot that comes first --------------------------------------------------------------------------------------------

-- Its invalidation stands for lots that were added or opened again (src/server/invalidation.rs). It keeps its id as long as the
-- extension is there, nobody can rebuild it, and no plan depends on it.
CREATE TYPE credit.lot_announcement AS ();
COMMENT ON TYPE credit.lot_announcement IS
    'Nothing is of this type. The server tells backends that it changed, which means to them that lots were added or opened '
    'again.';

CREATE FUNCTION credit.announce_lot() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'announce_lot_wrapper';
COMMENT ON FUNCTION credit.announce_lot() IS
    'Trigger function: tells every backend at commit that a lot was added or opened again, so that none passes it over.';

-- Debits remember which lot comes first. A lot's terms never change and a closed one holds nothing, so they only have to hear of
-- lots that are added or opened again.
CREATE TRIGGER lot_95_announce AFTER INSERT ON credit.lot
    FOR EACH ROW EXECUTE FUNCTION credit.announce_lot();
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_95_announce;
COMMENT ON TRIGGER lot_95_announce ON credit.lot IS 'Tells the backends that remember which lot comes first (ENABLE ALWAYS).';

CREATE TRIGGER lot_96_announce AFTER UPDATE OF closed ON credit.lot
    FOR EACH ROW WHEN (OLD.closed AND NOT NEW.closed) EXECUTE FUNCTION credit.announce_lot();
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_96_announce;
COMMENT ON TRIGGER lot_96_announce ON credit.lot IS 'Tells the backends that remember which lot comes first (ENABLE ALWAYS).';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_debit(text, numeric, text, text, text, timestamptz, text, jsonb, text, jsonb) IS
'Debits an amount from the usable lots in drawdown order and returns the posting''s id. All or nothing, in the caller''s '
'transaction. Under a key, a repetition returns the same posting.
Errors: 23514 insufficient credits; 54000 a spending cap, or too many new members; 22023 malformed argument, or an at in the '
'future or too far back; 22003 from 10^15 on; P0002 unknown account '
'or unit, or unregistered member where members must be; 23505 key used for another request; 55000 inactive member; 40001 and '
'40P01: repeat the transaction.';

COMMENT ON FUNCTION @extschema@.credit_try_debit(text, numeric, text, text, text, timestamptz, text, jsonb, text, jsonb) IS
    'As credit_debit(), but returns NULL instead of raising 23514 when the credits do not suffice; then it has changed nothing '
    'and stored no key. Every other error is raised, also 54000 of a spending cap: more credits would not help there.';

COMMENT ON FUNCTION @extschema@.credit_debit_available(text, numeric, text, text, text, timestamptz, text, jsonb, text, jsonb) IS
'Debits up to the amount, as far as the credits and the caps that block reach; returns the posting, how much was debited and '
'how much was missing (in the unit). Where nothing is there: NULL, 0 and the amount, nothing is written and no key stored. '
'Under a key, a repetition returns the same row.
Errors: 54000 too many new members; 22023 malformed argument, or an at in the future or too far back; 22003 from 10^15 on; P0002 '
'unknown account or unit, or unregistered member where members must be; 23505 key used for another request; 55000 inactive '
'member; 40001 and 40P01: repeat the transaction.';

COMMENT ON FUNCTION @extschema@.credit_debit_many(text[], numeric[], text[], text[], text[], timestamptz[], text[], jsonb[],
    text, text[], jsonb[]) IS
'Debits the elements of parallel arrays in turn, at most 100,000, with the result of debiting them one by one; returns a row '
'per item: its posting, or what was missing (in the unit). Mode all: nothing is debited when one does not fit; each: the others '
'are; available: each as far as credits and caps reach. Keys count as those of credit_debit().
Errors, with item= in the DETAIL: 23514 insufficient credits (mode all); 22023 and 22003 invalid argument; P0002 unknown '
'account, unit or member; 55000 inactive member; 23505 key reused; 40001 and 40P01 to be retried.';

COMMENT ON FUNCTION @extschema@.credit_debit_many_json(jsonb, text) IS
'credit_debit_many() for a JSON array of objects whose names are the arguments of credit_debit(); amounts may be numbers or '
'strings.
Errors: as the form with arrays, and 22023 for JSON that is not of this form.';

COMMENT ON FUNCTION @extschema@.credit_spendable(text, text, text, text) IS
'What could be debited now for a member (or the account without one), in the unit and for the operation: what the lots hold, '
'and not more than the caps that block leave.
Errors: 22023 malformed argument; P0002 unknown account or unit, or unregistered member where members must be registered.';

COMMENT ON FUNCTION @extschema@.credit_check(text, numeric, text, text, numeric, jsonb, text, text) IS
'Whether a debit of an amount, or of the price of a quantity of an operation, would be allowed now; one row. reason is NULL when '
'it is, else the first of unknown_account, unknown_member, inactive_member, no_rate, insufficient_credits and cap. needed is the '
'amount or the price, available what could be drawn, held what open holds have of it, cap the cap that leaves least and detail '
'its limit, used, held, headroom and resets_at. free_at is when it would be allowed if nothing else happens, among the next 64 '
'changes and within a year; NULL when it is, and beyond. It writes nothing and takes no locks.
Errors: 22023 malformed argument, or neither or both of amount and quantity; 22003 from 10^15 on; P0002 unknown unit.';

COMMENT ON FUNCTION @extschema@.credit_explain_debit(text, numeric, text, text, text) IS
'Which lots a debit would draw now, in order, without debiting: what each has, gives and keeps, and '
'what open holds have of it. A last row without a lot shows what no lot covers, or what the cap does not leave that stands in '
'the way. What holds have that have ended is not shown: a debit gives it back only where it lacks it.
Errors: 22023 malformed argument; 22003 from 10^15 on; P0002 unknown account or unit, or unregistered member where members must '
'be.';

SET LOCAL search_path TO @extschema@, pg_temp;
