-- Corrections: a debit gets back at most what it took, line by line, and everybody who counts it sees the same. What a lot hands on costs at
-- most what is left of its price.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-10 12:00:00+00';

-- A department of one member, a cap, and a debit that two lots pay: the one that expires first, and the rest of it the other.
SELECT credit_account('acme'), credit_member('acme', 'mia', department => 'eng');
SELECT credit_grant('acme', 1000, paid => 100, currency => 'USD') AS lot \gset
SELECT credit_grant('acme', 10, expires_at => '2026-09-01') AS small \gset
SELECT credit_grant('acme', 7, priority => 90) AS other \gset
SELECT credit_cap('acme', 50, member => 'mia') > 0 AS capped;
SELECT credit_debit('acme', 50, member => 'mia', operation => 'chat') AS posting \gset
SELECT line, lot, amount FROM credit.ledger WHERE account = 'acme' AND posting = :posting ORDER BY line;

-- It gets member, department and operation of what it corrects, whatever they are by now.
SELECT credit_member('acme', 'mia', department => 'sales', active => false);
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 15, :lot, :posting)
RETURNING member, department, operation, corrects = :posting AS corrects;
SELECT credit_member('acme', 'mia', department => 'eng', active => true);
SELECT line, given_back, quantity FROM credit.correction WHERE account = 'acme' AND posting = :posting;
SELECT used, headroom FROM credit.caps WHERE account = 'acme';
SELECT member, operation, department, credits, trim_scale(value) AS value FROM credit.consumption WHERE account = 'acme' ORDER BY credits;
SELECT department, used FROM credit_chargeback('acme', '2026-06-01', '2026-07-01');
SELECT used FROM credit_true_up('acme', '2026-06-01', '2026-07-01');

-- At most what it took, line by line: of its own lot, and of the others nothing.
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 25.000001, :lot, :posting);
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 11, :small, :posting);
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 1, :other, :posting);
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 1, :lot, 4711);
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 1, :lot, 1);
INSERT INTO credit.entry (account, kind, amount, lot, corrects, member) VALUES ('acme', 'adjustment', 1, :lot, :posting, 'bob');
INSERT INTO credit.entry (account, kind, amount, lot, corrects, quantity) VALUES ('acme', 'adjustment', 1, :lot, :posting, 3);
INSERT INTO credit.entry (account, kind, amount, lot, corrects, occurred_at)
VALUES ('acme', 'adjustment', 1, :lot, :posting, '2026-06-10 11:00+00');

-- Several in one statement are all bounded together: all of them, or none.
INSERT INTO credit.entry (account, kind, amount, lot, corrects)
SELECT 'acme', 'adjustment', 10, :lot, :posting FROM generate_series(1, 3);
INSERT INTO credit.entry (account, kind, amount, lot, corrects)
SELECT account, 'adjustment', - amount - COALESCE(given_back, 0), lot, posting
FROM credit.entry LEFT JOIN credit.correction USING (account, posting, line) WHERE account = 'acme' AND posting = :posting AND kind = 'debit';
SELECT line, given_back FROM credit.correction WHERE account = 'acme' AND posting = :posting ORDER BY line;
SELECT lot, granted, remaining FROM credit.lots WHERE account = 'acme' ORDER BY lot;
SELECT used, headroom FROM credit.caps WHERE account = 'acme';
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 0.000001, :lot, :posting);

-- What was given back may be taken again, and no more. What was charged too little is a debit, which may name the posting.
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', -30, :lot, :posting);
SELECT used, headroom FROM credit.caps WHERE account = 'acme';
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', -11, :lot, :posting);
INSERT INTO credit.entry (account, kind, amount, lot, member, operation, corrects) VALUES ('acme', 'debit', -5, :lot, 'mia', 'chat', :posting);
INSERT INTO credit.entry (account, kind, amount, lot, member, corrects) VALUES ('acme', 'debit', -5, :lot, 'mia', 1);
SELECT used, headroom FROM credit.caps WHERE account = 'acme';
SELECT sum(credits) AS credits FROM credit.consumption WHERE account = 'acme' AND member = 'mia';

-- A row that is not inserted after all, or is rolled back to a savepoint, has given nothing back.
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 1, :lot, :posting) ON CONFLICT DO NOTHING;
BEGIN;
SAVEPOINT before;
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('acme', 'adjustment', 29, :lot, :posting);
ROLLBACK TO before;
COMMIT;
CREATE FUNCTION skip_this() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER zz_skip_this BEFORE INSERT ON credit.entry FOR EACH ROW WHEN (NEW.metadata ? 'skip') EXECUTE FUNCTION skip_this();
INSERT INTO credit.entry (account, kind, amount, lot, corrects, metadata) VALUES ('acme', 'adjustment', 1, :lot, :posting, '{"skip": 1}');
DROP TRIGGER zz_skip_this ON credit.entry;
DROP FUNCTION skip_this();
SELECT line, given_back FROM credit.correction WHERE account = 'acme' AND posting = :posting ORDER BY line;

-- Several usages of one posting: the correction says which of them it corrects. It gets their rate, and quantities are bounded too.
SELECT credit_rate_card('list', unit => 'credit', is_default => true);
SELECT credit_rate('list', 'chat', credits => 2), credit_rate('list', 'image', credits => 5, unit_cost => 0.1);
SELECT count(*) FROM credit_publish('list');
SELECT credit_grant('umbrella', 100, paid => 50, currency => 'USD') AS lot \gset
SELECT credit_charge_request('umbrella', '{chat,image}', '{3,4}', member => 'ann') AS posting \gset
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('umbrella', 'adjustment', 6, :lot, :posting);
INSERT INTO credit.entry (account, kind, amount, lot, corrects, operation) VALUES ('umbrella', 'adjustment', 6, :lot, :posting, 'mail');
INSERT INTO credit.entry (account, kind, amount, lot, corrects, operation, quantity)
VALUES ('umbrella', 'adjustment', 10, :lot, :posting, 'image', 2) RETURNING member, rate IS NOT NULL AS rated;
INSERT INTO credit.entry (account, kind, amount, lot, corrects, operation, quantity)
VALUES ('umbrella', 'adjustment', 1, :lot, :posting, 'image', 2.5);
INSERT INTO credit.entry (account, kind, amount, lot, corrects, operation) VALUES ('umbrella', 'adjustment', 11, :lot, :posting, 'image');
SELECT operation, credits, quantity FROM credit.consumption_by_operation WHERE account = 'umbrella' ORDER BY operation;
SELECT operation, quantity, credits, cost FROM credit.margin_by_account WHERE account = 'umbrella' ORDER BY operation;

-- The pace of a forecast is without what was given back.
SELECT credit_grant('pace', 100, expires_at => '2026-07-10 12:00+00') AS lot \gset
SELECT credit_debit('pace', 30) AS posting \gset
SELECT forecast_used, forecast_lost FROM credit_expiry_forecast('pace');
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('pace', 'adjustment', 30, :lot, :posting);
SELECT forecast_used, forecast_lost FROM credit_expiry_forecast('pace');

-- A lot whose life is over takes nothing: it would be lost at once. So where its rollover is settled, or its schedule ended it.
SELECT credit_grant('late', 10, expires_at => '2026-06-12') AS lot \gset
SELECT credit_debit('late', 4) AS posting \gset
SELECT credit_schedule('rolls', 100, '1 month', anchor => '2026-06-01', rollover => '{"fraction_of_unused": 0.5, "max_periods": 1}') > 0 AS declared;
SELECT credit_debit('rolls', 60) AS rolls_posting \gset
SELECT min(lot) AS rolls_lot FROM credit.lots WHERE account = 'rolls' \gset
SET credit.clock = '2026-06-12 00:00:00+00';
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('late', 'adjustment', 4, :lot, :posting);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('late', 'adjustment', -1, :lot);
SELECT credit_balance('late');
SET credit.clock = '2026-07-01 00:00:00+00';
SELECT credit_refresh();
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('rolls', 'adjustment', 5, :rolls_lot, :rolls_posting);
SELECT credit_balance('rolls');
-- A plan's schedule may end its lots when the account leaves the plan, before they expire.
SELECT credit_plan('small', unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier('small', 'list', 0, discount => 0) > 0 AS tier;
SELECT credit_plan('large', unit => 'credit', currency => 'USD', list_price => 0.02), credit_tier('large', 'list', 0, discount => 0) > 0 AS tier;
SELECT credit_schedule(plan => 'small', amount => 70, every => '1 month', on_leave => 'expire') > 0 AS declared;
SELECT to_plan FROM credit_change_plan('leaver', 'small', 100);
SELECT lot AS left_lot FROM credit.lots WHERE account = 'leaver' AND source = 'allocation' \gset
SELECT credit_debit('leaver', 60) AS left_posting \gset
SELECT count(*) FROM credit.ledger WHERE account = 'leaver' AND posting = :left_posting AND lot = :left_lot;
SELECT to_plan FROM credit_change_plan('leaver', 'large', 100);
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('leaver', 'adjustment', 5, :left_lot, :left_posting);
SELECT * FROM credit_verify();

-- A lot that gained: the credits that it was granted with leave it first, and only they have a price. However it is handed on.
SELECT credit_grant('gain', 10, paid => 5, currency => 'USD') AS lot \gset
SELECT credit_debit('gain', 5) > 0 AS debited;
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('gain', 'adjustment', 8, :lot);
SELECT adjusted, given_back FROM credit.lot_gain WHERE account = 'gain';
SELECT credit_member('gain', 'bob');
SELECT credit_transfer('gain', 2, to_member => 'bob') > 0 AS transferred;
SELECT credit_unit('tokens', decimals => 2);
SELECT credit_convert('gain', 1, NULL, 'tokens', rate => 10) > 0 AS converted;
SELECT credit_set_expiry('gain', :lot, '2099-01-01') > 0 AS moved;
SELECT source, unit, granted, paid FROM credit.lots WHERE account = 'gain' ORDER BY lot;
-- What a debit got back may leave again, and no price leaves twice.
SELECT credit_grant('twice', 3, paid => 0.01, currency => 'USD') AS lot \gset
SELECT credit_debit('twice', 1) AS posting \gset
SELECT credit_convert('twice', 2, NULL, 'tokens', rate => 1) > 0 AS converted;
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('twice', 'adjustment', 1, :lot, :posting);
SELECT credit_convert('twice', 1, NULL, 'tokens', rate => 1) > 0 AS converted;
SELECT unit, granted, paid FROM credit.lots WHERE account = 'twice' ORDER BY lot;
-- A rollover too.
SELECT credit_schedule('paid', 10, '1 month', anchor => '2026-07-01', paid => 5, currency => 'USD', rollover => '{}') > 0 AS declared;
SELECT credit_debit('paid', 5) > 0 AS debited;
INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'adjustment', 8, lot FROM credit.lot WHERE account = 'paid';
SET credit.clock = '2026-08-01 00:00:00+00';
SELECT credit_refresh(account => 'paid');
SELECT source, granted, paid FROM credit.lots WHERE account = 'paid' ORDER BY lot;
SELECT * FROM credit_verify();

-- What a direct insert says is a number, an instant and an object.
SELECT credit_grant('odd', 100) AS lot \gset
INSERT INTO credit.entry (account, kind, amount, lot, quantity) VALUES ('odd', 'debit', -1, :lot, 'NaN');
INSERT INTO credit.entry (account, kind, amount, lot, quantity) VALUES ('odd', 'debit', -1, :lot, 'Infinity');
INSERT INTO credit.entry (account, kind, amount, lot, quantity) VALUES ('odd', 'debit', -1, :lot, -1);
INSERT INTO credit.entry (account, kind, amount, lot, quantity) VALUES ('odd', 'debit', -1, :lot, 1e15);
INSERT INTO credit.entry (account, kind, amount, lot, quantity) VALUES ('odd', 'debit', -1, :lot, 0.0000000001);
INSERT INTO credit.entry (account, kind, amount, lot, occurred_at) VALUES ('odd', 'debit', -1, :lot, '-infinity');
INSERT INTO credit.entry (account, kind, amount, lot, metadata) VALUES ('odd', 'debit', -1, :lot, '[1]');
INSERT INTO credit.entry (account, kind, amount, lot, dimensions) VALUES ('odd', 'debit', -1, :lot, '{"model": {"a": 1}}');
INSERT INTO credit.lot (account, granted, metadata) VALUES ('odd', 1, '"text"');
INSERT INTO credit.lot (account, granted, effective_at) VALUES ('odd', 1, 'infinity');
INSERT INTO credit.lot (account, granted, expires_at) VALUES ('odd', 1, 'infinity');
INSERT INTO credit.lot (account, granted, paid, currency) VALUES ('odd', 1, 'NaN', 'USD');
INSERT INTO credit.entry (account, kind, amount, lot, quantity, dimensions, metadata)
VALUES ('odd', 'debit', -1, :lot, 12.5, '{"tries": 1.50}', '{"a": 1}') RETURNING quantity, dimensions;

-- What was given back never changes past the extension, and the proof compares it with the ledger.
DELETE FROM credit.correction;
UPDATE credit.correction SET line = 9;
TRUNCATE credit.lot_gain;
BEGIN;
ALTER TABLE credit.correction DISABLE TRIGGER USER;
UPDATE credit.correction SET given_back = given_back + 1 WHERE account = 'acme' AND given_back = 10 AND line = 1;
SELECT invariant, account, lot, expected, found FROM credit_verify() WHERE invariant LIKE '%given back%' OR invariant LIKE '%gets back%';
ROLLBACK;
BEGIN;
ALTER TABLE credit.correction DISABLE TRIGGER USER;
ALTER TABLE credit.lot_gain DISABLE TRIGGER USER;
DELETE FROM credit.correction WHERE account = 'pace';
UPDATE credit.lot_gain SET adjusted = 0 WHERE account = 'gain';
SELECT invariant, account, expected FROM credit_verify() WHERE invariant NOT LIKE 'the triggers%';
ROLLBACK;
BEGIN;
ALTER TABLE credit.entry DISABLE TRIGGER USER;
ALTER TABLE credit.lot DISABLE TRIGGER USER;
UPDATE credit.lot SET paid = 2 WHERE account = 'gain' AND source = 'transfer';
UPDATE credit.entry SET quantity = 'NaN' WHERE account = 'odd' AND kind = 'debit';
UPDATE credit.entry SET recorded_at = 'infinity' WHERE account = 'odd' AND kind = 'grant';
UPDATE credit.entry SET dimensions = '{"a": [1]}' WHERE account = 'odd' AND kind = 'debit';
UPDATE credit.entry SET corrects = 1 WHERE account = 'pace' AND kind = 'adjustment';
SELECT invariant, account, expected FROM credit_verify()
WHERE invariant ~ 'correct|gained|quantity is|dimensions are|instants are' ORDER BY invariant COLLATE "C", account, expected COLLATE "C";
ROLLBACK;
SELECT * FROM credit_verify();

-- What is settled stays settled, also where the clock is set back before it: what were given back now would be lost at the boundary.
SET credit.clock = '2026-06-01 00:00:00+00';
SELECT credit_schedule('back', 100, '1 month', anchor => '2026-06-01', rollover => '{"fraction_of_unused": 0.5}') > 0 AS declared;
SELECT credit_grant('back', 10, expires_at => '2026-07-01', priority => 1) AS expiring \gset
SELECT credit_debit('back', 15) AS posting \gset
SET credit.clock = '2026-07-01 00:10:00+00';
SELECT credit_refresh(account => 'back') > 0 AS rolled;
SELECT count(*) FROM credit_expire('back');
SET credit.clock = '2026-06-30 23:30:00+00';
INSERT INTO credit.entry (account, kind, amount, lot, corrects) SELECT 'back', 'adjustment', 5, lot, posting FROM credit.ledger
WHERE account = 'back' AND kind = 'debit' AND lot <> :expiring;
SELECT * FROM credit_verify();
