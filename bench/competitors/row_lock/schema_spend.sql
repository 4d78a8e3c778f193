-- A spend of which the cost is known at its end, as it is written by hand: a row of the reservation, and two updates of the one
-- balance, each under its row lock.
CREATE SEQUENCE row_lock.reservation_id;

CREATE TABLE row_lock.reservation (
    reservation  bigint NOT NULL DEFAULT nextval('row_lock.reservation_id'),
    account      text COLLATE "C" NOT NULL,
    amount       numeric NOT NULL,
    expires_at   timestamptz NOT NULL,
    posting      bigint,
    PRIMARY KEY (account, reservation)
) WITH (fillfactor = 50);

CREATE FUNCTION row_lock.reserve(account_reserved text, amount_reserved numeric) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    reservation_made bigint;
BEGIN
    UPDATE row_lock.balance SET balance = balance - amount_reserved WHERE account = account_reserved AND balance >= amount_reserved;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'insufficient credits' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO row_lock.reservation (account, amount, expires_at)
    VALUES (account_reserved, amount_reserved, clock_timestamp() + interval '15 minutes')
    RETURNING reservation INTO reservation_made;
    RETURN reservation_made;
END $$;

CREATE FUNCTION row_lock.settle(account_debited text, reservation_settled bigint, cost numeric) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    posting_made bigint := nextval('row_lock.posting_id');
    reserved numeric;
    instant timestamptz := clock_timestamp();
BEGIN
    UPDATE row_lock.reservation SET posting = posting_made
    WHERE account = account_debited AND reservation = reservation_settled AND posting IS NULL RETURNING amount INTO reserved;
    IF NOT FOUND OR reserved < cost THEN
        RAISE EXCEPTION 'no such reservation, or too small' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE row_lock.balance SET balance = balance + reserved - cost WHERE account = account_debited;
    INSERT INTO row_lock.entry (account, posting, line, kind, amount, lot, occurred_at, recorded_at, recorded_by, posted)
    VALUES (account_debited, posting_made, 1, 'debit', - cost, 1, instant, instant, session_user, true);
    RETURN posting_made;
END $$;
