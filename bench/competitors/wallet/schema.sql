-- A hand-written wallet such as a good team writes: the account's row is locked, its lots are drawn down in a loop, every
-- change is a line of the ledger. One function call per debit, never below zero, the same drawdown order and the same ledger
-- columns and indexes as pg_credit.
CREATE SCHEMA wallet;
CREATE SEQUENCE wallet.lot_id;
CREATE SEQUENCE wallet.posting_id;

CREATE TABLE wallet.account (
    account     text COLLATE "C" PRIMARY KEY,
    unit        text COLLATE "C" NOT NULL DEFAULT 'credit',
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE wallet.member (
    account     text COLLATE "C" NOT NULL,
    member      text COLLATE "C" NOT NULL,
    department  text COLLATE "C",
    PRIMARY KEY (account, member)
);

CREATE TABLE wallet.lot (
    lot           bigint NOT NULL DEFAULT nextval('wallet.lot_id'),
    effective_at  timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    priority      smallint NOT NULL DEFAULT 50,
    closed        boolean NOT NULL DEFAULT false,
    account       text COLLATE "C" NOT NULL,
    member        text COLLATE "C",
    category      text COLLATE "C" NOT NULL DEFAULT 'promotional',
    granted       numeric NOT NULL,
    remaining     numeric NOT NULL CHECK (remaining >= 0),
    applies_to    text[] COLLATE "C",
    PRIMARY KEY (account, lot)
) WITH (fillfactor = 50);

-- The drawdown order as an index; `remaining` is in none, so updates stay on their page.
CREATE INDEX lot_drawdown ON wallet.lot (account, (member IS NULL), priority, (applies_to IS NULL), expires_at,
    (category = 'paid'), effective_at, lot) WHERE NOT closed;

CREATE TABLE wallet.entry (LIKE credit.entry INCLUDING DEFAULTS INCLUDING INDEXES)
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE FUNCTION wallet.debit(account_debited text, amount numeric, member_debited text DEFAULT NULL, operation_debited text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    posting_made bigint;
    department_now text;
    instant timestamptz;
    uncovered numeric := amount;
    drawn numeric;
    line_number integer := 0;
    source record;
BEGIN
    IF amount IS NULL OR amount <= 0 THEN
        RAISE EXCEPTION 'the amount must be above zero' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM FROM wallet.account WHERE account = account_debited FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no account %', account_debited USING ERRCODE = 'no_data_found';
    END IF;
    IF member_debited IS NOT NULL THEN
        SELECT department INTO department_now FROM wallet.member WHERE account = account_debited AND member = member_debited;
    END IF;
    posting_made := nextval('wallet.posting_id');
    instant := clock_timestamp();
    FOR source IN
        SELECT lot, remaining FROM wallet.lot
        WHERE account = account_debited AND NOT closed AND (member IS NULL OR member = member_debited)
            AND effective_at <= instant AND (expires_at IS NULL OR expires_at > instant)
            AND (applies_to IS NULL OR operation_debited = ANY (applies_to))
        ORDER BY member IS NULL, priority, applies_to IS NULL, expires_at, category = 'paid', effective_at, lot
    LOOP
        drawn := least(source.remaining, uncovered);
        UPDATE wallet.lot SET remaining = remaining - drawn, closed = (remaining = drawn)
            WHERE account = account_debited AND lot = source.lot;
        line_number := line_number + 1;
        INSERT INTO wallet.entry (account, posting, line, kind, amount, lot, member, department, operation, occurred_at,
            recorded_at, recorded_by, posted)
        VALUES (account_debited, posting_made, line_number, 'debit', - drawn, source.lot, member_debited, department_now,
            operation_debited, instant, instant, session_user, true);
        uncovered := uncovered - drawn;
        EXIT WHEN uncovered = 0;
    END LOOP;
    IF uncovered > 0 THEN
        RAISE EXCEPTION 'insufficient credits' USING ERRCODE = 'check_violation';
    END IF;
    RETURN posting_made;
END $$;
