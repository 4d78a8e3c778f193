-- The least that keeps a balance from going below zero: one row per account, locked and decremented by one statement, and a
-- line of the ledger, in one function call. It knows no lots, no expiry and no drawdown order.
CREATE SCHEMA row_lock;
CREATE SEQUENCE row_lock.posting_id;

CREATE TABLE row_lock.balance (
    account  text COLLATE "C" PRIMARY KEY,
    balance  numeric NOT NULL CHECK (balance >= 0)
) WITH (fillfactor = 50);

CREATE TABLE row_lock.entry (LIKE credit.entry INCLUDING DEFAULTS INCLUDING INDEXES)
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE FUNCTION row_lock.debit(account_debited text, amount numeric, member_debited text DEFAULT NULL, operation_debited text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    posting_made bigint;
    instant timestamptz;
BEGIN
    UPDATE row_lock.balance SET balance = balance - amount WHERE account = account_debited AND balance >= amount;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'insufficient credits' USING ERRCODE = 'check_violation';
    END IF;
    instant := clock_timestamp();
    INSERT INTO row_lock.entry (account, posting, line, kind, amount, lot, member, operation, occurred_at, recorded_at,
        recorded_by, posted)
    VALUES (account_debited, nextval('row_lock.posting_id'), 1, 'debit', - amount, 1, member_debited, operation_debited, instant,
        instant, session_user, true)
    RETURNING posting INTO posting_made;
    RETURN posting_made;
END $$;
