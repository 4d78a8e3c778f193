-- The year that `make demo-year` shows: 2026 lived through by four accounts with the same usage and different cycles, in seconds, by
-- moving credit.clock. It needs a database with pg_credit in it and a superuser, and nothing else; what it shows stays in the schema year.

\set QUIET on
\pset footer off
\pset format aligned
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE SCHEMA year;

CREATE TABLE year.cycle (position integer PRIMARY KEY, account text UNIQUE, title text, terms text);
INSERT INTO year.cycle VALUES
    (1, 'monthly', 'Monthly, use it or lose it', '10,000 on the 1st, gone on the next 1st'),
    (2, 'rollover', 'Monthly with rollover', 'half of what is unused lives for one month more'),
    (3, 'annual', 'Annual allocation', '120,000 for the whole year'),
    (4, 'rolling', 'Rolling expiry', 'each purchase lives for a year from its own day');

-- What is wanted each day at 18:00: more on workdays, in spring and in autumn, less in the holidays, and never the same twice.
CREATE VIEW year.usage AS
SELECT day + time '18:00' AS at,
    CASE WHEN extract(isodow FROM day) < 6 THEN 400 ELSE 110 END
        * (ARRAY[80, 92, 105, 108, 98, 92, 70, 62, 104, 112, 108, 74])[extract(month FROM day)::integer] / 100
        * (75 + ('x' || left(md5(day::text), 4))::bit(16)::integer % 51) / 100 AS amount
FROM (SELECT date '2026-01-01' + number AS day FROM generate_series(0, 364) AS number) AS days;

-- What was wanted and not there.
CREATE TABLE year.refused (account text, at timestamptz, amount numeric);

CREATE PROCEDURE year.prepare() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('credit.clock', '2025-03-15 09:00+00', false);
    PERFORM credit_unit('token', decimals => 0);
    PERFORM credit_account(account, unit => 'token') FROM year.cycle ORDER BY position;
    -- Bought before the year: the one of March 15 is gone on March 15.
    PERFORM credit_grant('rolling', 45000, expires_at => '2026-03-15', paid => 450, currency => 'EUR');
    PERFORM set_config('credit.clock', '2025-08-20 09:00+00', false);
    PERFORM credit_grant('rolling', 50000, expires_at => '2026-08-20', paid => 500, currency => 'EUR');
    PERFORM set_config('credit.clock', '2026-01-01 00:00+00', false);
    PERFORM credit_schedule('monthly', 10000, '1 month', ends_at => '2027-01-01', paid => 100, currency => 'EUR');
    PERFORM credit_schedule('rollover', 10000, '1 month', ends_at => '2027-01-01', paid => 100, currency => 'EUR',
        rollover => '{"fraction_of_unused": 0.5, "max_periods": 1, "expires_after": "1 month"}');
    PERFORM credit_schedule('annual', 120000, '1 year', ends_at => '2027-01-01', paid => 1200, currency => 'EUR',
        true_up => '3 months');
    -- A fourth of it is promised for each quarter; what goes beyond counts in the next one.
    PERFORM credit_true_up_terms('annual', commitment => 30000, overage => 'carry');
END
$$;

-- What is bought along the year.
CREATE TABLE year.purchase (at timestamptz PRIMARY KEY, amount numeric);
INSERT INTO year.purchase VALUES ('2026-03-15', 20000), ('2026-06-10', 15000), ('2026-10-05', 25000);

-- Day by day, each in a transaction of its own: maintenance at night, as a job of cron would run it, and the usage in the evening.
CREATE PROCEDURE year.live() LANGUAGE plpgsql AS $$
DECLARE
    usage year.usage;
BEGIN
    FOR usage IN SELECT * FROM year.usage ORDER BY at LOOP
        PERFORM set_config('credit.clock', usage.at::date || ' 00:00+00', false);
        PERFORM credit_maintain();
        PERFORM credit_true_up_post(account, starts_at, ends_at, unit) FROM credit.true_ups_due;
        PERFORM credit_grant('rolling', amount, expires_after => '1 year', paid => amount / 100, currency => 'EUR')
            FROM year.purchase WHERE at = usage.at::date;
        PERFORM set_config('credit.clock', usage.at || '+00', false);
        INSERT INTO year.refused
            SELECT account, usage.at, usage.amount FROM year.cycle WHERE credit_try_debit(account, usage.amount) IS NULL;
        COMMIT;
    END LOOP;
    PERFORM set_config('credit.clock', '2027-01-01 00:00+00', false);
    PERFORM credit_maintain();
    PERFORM credit_true_up_post(account, starts_at, ends_at, unit) FROM credit.true_ups_due;
END
$$;

CALL year.prepare();
CALL year.live();

-- A month of a cycle: what was granted and used in it, what of the rest was rolled or expired up to and with its end, and what was left
-- just before it.
CREATE VIEW year.month AS
SELECT c.account, m.month, e.granted, e.used, r.refused, e.rolled, e.expired, b.balance
FROM year.cycle c
    CROSS JOIN (SELECT month, month + interval '1 month' AS month_end
                FROM generate_series(timestamptz '2026-01-01', '2026-12-01', '1 month') AS month) AS m,
    LATERAL (SELECT COALESCE(sum(amount) FILTER (WHERE kind = 'grant' AND occurred_at >= month AND occurred_at < month_end), 0) AS granted,
                 COALESCE(- sum(amount) FILTER (WHERE kind = 'debit' AND occurred_at >= month AND occurred_at < month_end), 0) AS used,
                 COALESCE(sum(amount) FILTER (WHERE kind = 'roll_in' AND occurred_at > month AND occurred_at <= month_end), 0) AS rolled,
                 COALESCE(- sum(amount) FILTER (WHERE kind = 'expiry' AND occurred_at > month AND occurred_at <= month_end), 0) AS expired
             FROM credit.ledger l WHERE l.account = c.account) AS e,
    LATERAL (SELECT COALESCE(sum(amount), 0) AS refused FROM year.refused f
             WHERE f.account = c.account AND f.at >= month AND f.at < month_end) AS r,
    LATERAL credit_balance(c.account, at => month_end - interval '1 microsecond') AS b (balance);

-- What the picture shows: what each lot holds from an instant on, and what of it expired then.
CREATE VIEW year.by_lot AS
SELECT c.account, e.lot, l.source, l.effective_at, l.expires_at, e.at,
    sum(e.amount) OVER (PARTITION BY e.lot ORDER BY e.at) AS remaining, e.expired
FROM (SELECT account, lot, occurred_at AS at, sum(amount) AS amount, COALESCE(- sum(amount) FILTER (WHERE kind = 'expiry'), 0) AS expired
      FROM credit.ledger GROUP BY account, lot, occurred_at) AS e
    JOIN credit.lots l USING (account, lot) JOIN year.cycle c USING (account)
ORDER BY c.position, e.lot, e.at;

CREATE VIEW year.total AS
SELECT c.position, c.account, c.title, c.terms, credit_balance(c.account, at => '2026-01-01 00:00+00'::timestamptz - interval '1 microsecond') AS before,
    sum(granted) AS granted, sum(used) AS used, sum(refused) AS refused, sum(rolled) AS rolled, sum(expired) AS expired, credit_balance(c.account) AS left_over
FROM year.cycle c JOIN year.month USING (account) GROUP BY c.position ORDER BY c.position;

-- A balance that is not what the ledger says, or a year in which a credit was lost, ends the demo here.
DO $$
BEGIN
    IF EXISTS (SELECT FROM year.month m
               WHERE balance IS DISTINCT FROM (SELECT sum(amount) FROM credit.ledger l
                                 WHERE l.account = m.account AND l.occurred_at < m.month + interval '1 month')) THEN
        RAISE EXCEPTION 'the balance at the end of a month is not what its ledger says';
    END IF;
    IF EXISTS (SELECT FROM year.total WHERE before + granted IS DISTINCT FROM used + expired + left_over) THEN
        RAISE EXCEPTION 'a credit was lost in the year';
    END IF;
    IF EXISTS (SELECT FROM credit_verify()) THEN
        RAISE EXCEPTION 'credit_verify() found something';
    END IF;
END
$$;

-- A table of a cycle, month by month.
CREATE FUNCTION year.months(account text)
RETURNS TABLE (month text, granted numeric, used numeric, refused numeric, rolled numeric, expired numeric, balance numeric)
LANGUAGE sql AS $$
    SELECT to_char(m.month, 'YYYY-MM'), granted, used, refused, rolled, expired, balance FROM year.month m
    WHERE m.account = months.account ORDER BY m.month
$$;

\echo 'The same usage under four cycles. Of what is left at a month\'s end part is rolled, part expires; the balance is what was left before.'
\echo
SELECT title || ': ' || terms AS title FROM year.cycle WHERE account = 'monthly' \gset
\pset title :title
SELECT * FROM year.months('monthly');
SELECT title || ': ' || terms AS title FROM year.cycle WHERE account = 'rollover' \gset
\pset title :title
SELECT * FROM year.months('rollover');
SELECT title || ': ' || terms AS title FROM year.cycle WHERE account = 'annual' \gset
\pset title :title
SELECT * FROM year.months('annual');
SELECT title || ': ' || terms AS title FROM year.cycle WHERE account = 'rolling' \gset
\pset title :title
SELECT * FROM year.months('rolling');

\pset title 'The quarters of the annual allocation, trued up: the year was paid for in advance, so nothing is due'
SELECT to_char(starts_at, 'YYYY "Q"Q') AS quarter, committed, used, shortfall, overage, prepaid_left, amount_due, currency
FROM credit.true_up WHERE account = 'annual' ORDER BY starts_at;

\pset title 'The year'
SELECT title AS cycle, before, granted, used, refused, rolled, expired, left_over FROM year.total ORDER BY position;
