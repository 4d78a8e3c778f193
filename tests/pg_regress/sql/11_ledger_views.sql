-- The views: balances, lots, ledger.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- Some history.
SELECT credit_account('acme') \gset
SELECT credit_member('acme', 'alice', department => 'research') \gset
SELECT credit_member('acme', 'bob', department => 'sales') \gset
SELECT credit_grant('acme', 1000, paid => 800, currency => 'USD', expires_at => '2027-01-01 00:00:00+00') \gset
SELECT credit_grant('acme', 100, expires_at => '2026-02-01 00:00:00+00') \gset
SELECT credit_grant('acme', 20, applies_to => '{chat}') \gset
SELECT credit_grant('acme', 10, member => 'alice', expires_at => '2026-03-01 00:00:00+00') \gset
SELECT credit_grant('acme', 500, effective_at => '2026-06-01 00:00:00+00') \gset
SELECT credit_debit('acme', 150, member => 'alice', operation => 'chat') \gset
SELECT credit_debit('acme', 40.25, member => 'bob', operation => 'image') \gset
SELECT credit_debit('acme', 1) \gset
SET credit.clock = '2026-01-15 00:00:00+00';

-- Who has what now. Lots not yet in effect do not count.
SELECT * FROM credit.balances WHERE account = 'acme' ORDER BY member NULLS FIRST;

SELECT lot, member, category, status, granted, remaining, available, effective_at, expires_at, applies_to
FROM credit.lots WHERE account = 'acme' ORDER BY lot;

SELECT posting, line, kind, amount, lot, member, department, operation, cost_basis, value, currency
FROM credit.ledger WHERE account = 'acme' AND kind = 'debit' ORDER BY posting, line;

-- Use by department, in credits and in money at the lots' cost basis.
SELECT department, sum(-amount) AS debited, sum(-value) AS value FROM credit.ledger
WHERE account = 'acme' AND kind = 'debit' GROUP BY department ORDER BY department NULLS LAST;

-- What is still owed to the customer: paid credits not used yet, at their cost basis.
SELECT currency, sum(remaining * cost_basis) AS owed FROM credit.lots
WHERE account = 'acme' AND category = 'paid' AND status <> 'expired' GROUP BY currency;

-- What EXPLAIN says about a query, without what differs between versions: the tables that it would read wholly.
CREATE FUNCTION read_wholly(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        line := substring(line FROM 'Seq Scan on ([a-z_]+)');
        IF line IS NOT NULL THEN RETURN NEXT line; END IF;
    END LOOP;
END
$$;
SET enable_seqscan = off;

-- A filter on account reaches the tables' indexes through the views.
SELECT read_wholly($$SELECT * FROM credit.ledger WHERE account = 'acme' AND posting = 7$$);
SELECT read_wholly($$SELECT * FROM credit.lots WHERE account = 'acme'$$);
SELECT read_wholly($$SELECT * FROM credit.balances WHERE account = 'acme'$$);

-- Joins to one's own tables. The ids of pg_credit compare by byte (COLLATE "C"), a text column elsewhere usually by the
-- database's collation, and an index serves its own collation only. So filter on account, and name the collation in the join.
CREATE TABLE customer (id text PRIMARY KEY, name text);
INSERT INTO customer VALUES ('acme', 'Acme Corporation');
SELECT read_wholly($$SELECT * FROM customer c JOIN credit.balances b ON b.account = c.id WHERE b.account = 'acme'$$);
SELECT read_wholly($$SELECT * FROM customer c JOIN credit.balances b ON b.account COLLATE "default" = c.id WHERE b.account = 'acme'$$);
RESET enable_seqscan;
SELECT c.name, b.available FROM customer c JOIN credit.balances b ON b.account COLLATE "default" = c.id WHERE b.account = 'acme';
DROP TABLE customer;
DROP FUNCTION read_wholly(text);

-- The columns are of plain types.
SELECT table_name, string_agg(DISTINCT data_type, ', ' ORDER BY data_type) AS types
FROM information_schema.columns WHERE table_schema = 'credit' AND table_name IN ('balances', 'lots', 'ledger') GROUP BY table_name ORDER BY table_name;

SELECT * FROM credit_verify();
