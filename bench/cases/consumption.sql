-- A year of usage of all accounts, a fifth of it of acme-FIRST with 200 members in teams, written as a restore would write it: posted
-- already, so no trigger applies it. The other accounts are those of accounts.sql.
SELECT date_trunc('month', now(), 'UTC') - interval '11 months' AS begin \gset
SET credit.clock = :'begin';

SELECT count(credit_member('acme-' || :first_account, 'member-' || member, department => 'division-' || member % 3 || '/team-' || member % 10))
FROM generate_series(1, 200) AS member;
-- What pays for the usage, and what members get for themselves each month and leave unused.
SELECT count(credit_grant('acme-' || account, :granted, paid => :granted / 100, currency => 'USD'))
FROM generate_series(:first_account, :last_account) AS account;
SELECT count(credit_grant('acme-' || :first_account, 50, member => 'member-' || member, effective_at => :'begin'::timestamptz + make_interval(months => month)))
FROM generate_series(0, 11) AS month, generate_series(1, 200) AS member;
CREATE TABLE paying_lot AS SELECT account, lot FROM credit.lot WHERE cost_basis IS NOT NULL;
ALTER TABLE paying_lot ADD PRIMARY KEY (account);

-- The debits number first to first + number - 1 of :history_entries, which the year holds, and those after.
CREATE FUNCTION write_debits(first bigint, number bigint, begin timestamptz, entries bigint, first_account integer, accounts integer, members integer)
RETURNS bigint LANGUAGE sql AS $$
    WITH debit AS (
        SELECT i, d.account, d.member, d.occurred_at, CASE WHEN d.account = first_account THEN 'division-' || member % 3 || '/team-' || member % 10
            ELSE 'department-' || member % 10 END AS department
        FROM generate_series(first, first + number - 1) AS i,
        LATERAL (SELECT begin + i * (interval '360 days' / entries) AS occurred_at,
            CASE WHEN i % 5 = 0 THEN first_account ELSE first_account + 1 + (i * 7919) % (accounts - 1) END AS account,
            CASE WHEN i % 5 = 0 THEN 1 + (i / 5) % 200 ELSE 1 + i / 5 % members END AS member) AS d
    ), written AS (
        INSERT INTO credit.entry (posting, lot, occurred_at, recorded_at, line, posted, account, kind, amount, member, department, operation, quantity, recorded_by)
        SELECT nextval('credit.posting_id'), l.lot, occurred_at, occurred_at, 1, true, l.account, 'debit', - (1 + i % 700) / 100.0, 'member-' || member,
            department, 'operation-' || (member % 3 + i % 11 / 10), i % 1000, session_user
        FROM debit JOIN paying_lot l ON l.account = 'acme-' || debit.account
        RETURNING account, lot, amount
    ), used AS (
        UPDATE credit.slot s SET remaining = s.remaining + w.amount
        FROM (SELECT account, lot, sum(amount) AS amount FROM written GROUP BY account, lot) w WHERE s.account = w.account AND s.lot = w.lot
    )
    SELECT count(*) FROM written
$$;
SELECT write_debits(0, :history_entries, :'begin', :history_entries, :first_account, 1 + :last_account - :first_account, :members);
