-- Direct inserts: rows written into the tables, not by the functions, are checked and applied exactly once.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- A lot: only what is to be said. The account and the member are created, the rest is filled in, the grant is in the ledger.
INSERT INTO credit.lot (account, granted) VALUES ('acme', 100) RETURNING lot AS general \gset
INSERT INTO credit.lot (account, granted, paid, currency, expires_at, applies_to)
VALUES ('acme', 50, 40, 'USD', '2026-02-01 00:00:00+00', '{chat}') RETURNING lot AS limited \gset
INSERT INTO credit.lot (account, granted, member) VALUES ('acme', 5, 'alice') RETURNING lot AS of_alice \gset
SELECT lot, unit, member, category, source, priority, remaining, cost_basis, applies_to, effective_at, expires_at
FROM credit.lots WHERE account = 'acme' ORDER BY lot;
SELECT posting, line, kind, lot, amount FROM credit.ledger WHERE account = 'acme' ORDER BY posting;

-- A lot is checked as credit_grant() checks it.
INSERT INTO credit.lot (account, granted) VALUES ('acme', 0);
INSERT INTO credit.lot (account, granted, expires_at) VALUES ('acme', 1, '2025-01-01 00:00:00+00');
INSERT INTO credit.lot (account, granted, category) VALUES ('acme', 1, 'gift');

-- An entry names its lot: a debit of it, or an adjustment.
INSERT INTO credit.entry (account, kind, amount, lot, member, operation)
VALUES ('acme', 'debit', -30, :general, 'alice', 'image') RETURNING posting, line, recorded_at;
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 10, :general, 4);
SELECT lot, remaining FROM credit.lots WHERE account = 'acme' ORDER BY lot;
SELECT posting, kind, amount, member, operation, corrects FROM credit.ledger WHERE account = 'acme' AND posting > 3 ORDER BY posting;

-- Several at once are applied one after the other; each is its own posting.
INSERT INTO credit.entry (account, kind, amount, lot) SELECT 'acme', 'debit', -0.5, :general FROM generate_series(1, 10);
SELECT lot, remaining FROM credit.lots WHERE account = 'acme' AND lot = :general;

-- What is not there cannot be taken, in one row or in several: all of them or none.
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'debit', -75.1, :general);
INSERT INTO credit.entry (account, kind, amount, lot) SELECT 'acme', 'debit', -40, :general FROM generate_series(1, 2);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'adjustment', -75.1, :general);
SELECT lot, remaining FROM credit.lots WHERE account = 'acme' AND lot = :general;

-- An entry must respect the terms of its lot.
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'debit', 1, :general);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'debit', -1, 4711);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'debit', -1, :limited);
INSERT INTO credit.entry (account, kind, amount, lot, operation) VALUES ('acme', 'debit', -1, :limited, 'image');
INSERT INTO credit.entry (account, kind, amount, lot, member) VALUES ('acme', 'debit', -1, :of_alice, 'bob');
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 1, :general, 4711);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'grant', 1, :general);
INSERT INTO credit.entry (account, kind, amount, lot, occurred_at) VALUES ('acme', 'debit', -1, :general, '2027-01-01 00:00:00+00');
SET credit.clock = '2026-02-01 00:00:00+00';
INSERT INTO credit.entry (account, kind, amount, lot, operation) VALUES ('acme', 'debit', -1, :limited, 'chat');
SET credit.clock = '2026-01-01 00:00:00+00';

-- An adjustment may add to a lot that is used up: it is open again.
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'debit', -75, :general);
SELECT lot, status, remaining FROM credit.lots WHERE account = 'acme' AND lot = :general;
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('acme', 'adjustment', 3, :general);
SELECT lot, status, remaining FROM credit.lots WHERE account = 'acme' AND lot = :general;
SELECT credit_debit('acme', 3) > 0 AS debited;

-- A row that is not inserted after all has taken nothing.
INSERT INTO credit.entry (account, kind, amount, lot, member) VALUES ('acme', 'debit', -1, :of_alice, 'alice')
ON CONFLICT DO NOTHING;
CREATE FUNCTION skip_this() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER zz_skip_this BEFORE INSERT ON credit.entry FOR EACH ROW WHEN (NEW.operation = 'skip') EXECUTE FUNCTION skip_this();
INSERT INTO credit.entry (account, kind, amount, lot, member, operation) VALUES ('acme', 'debit', -1, :of_alice, 'alice', 'skip');
DROP TRIGGER zz_skip_this ON credit.entry;
DROP FUNCTION skip_this();
SELECT lot, remaining FROM credit.lots WHERE account = 'acme' AND lot = :of_alice;

-- Adoption in place: a trigger on the application's own table debits as its rows arrive.
-- After the insert: a row that is not inserted costs nothing, and one that the credits do not cover is not there either.
CREATE TABLE usage (id integer PRIMARY KEY, customer text, employee text, tokens integer);
CREATE FUNCTION usage_is_debited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM credit_debit(NEW.customer, NEW.tokens / 1000.0, member => NEW.employee, operation => 'chat',
        key => 'usage ' || NEW.id, metadata => jsonb_build_object('usage', NEW.id));
    RETURN NULL;
END
$$;
CREATE TRIGGER usage_is_debited AFTER INSERT ON usage FOR EACH ROW EXECUTE FUNCTION usage_is_debited();
INSERT INTO usage VALUES (1, 'acme', 'alice', 1500), (2, 'acme', 'bob', 20000);
INSERT INTO usage VALUES (2, 'acme', 'bob', 20000), (1, 'acme', 'alice', 1500) ON CONFLICT DO NOTHING;
\set SHOW_CONTEXT never
INSERT INTO usage VALUES (3, 'acme', 'bob', 40000);
\set SHOW_CONTEXT errors
SELECT u.id, u.tokens, l.line, l.amount, l.member, l.operation, l.lot
FROM usage u JOIN credit.ledger l ON l.account = 'acme' AND l.metadata -> 'usage' = to_jsonb(u.id) ORDER BY u.id, l.line;
DROP TABLE usage;
DROP FUNCTION usage_is_debited();

SELECT * FROM credit_verify();
