-- Who spends the pool: by account, agreement, department and member, each from an instant on.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_account('acme', pooling => 'pooled');
SELECT credit_member('acme', 'alice', department => 'eng/ml'), credit_member('acme', 'bob', department => 'eng'),
    credit_member('acme', 'mia', department => 'marketing'), credit_member('acme', 'left', department => 'eng', active => false);
SELECT credit_grant('acme', 100, member => 'alice'), credit_grant('acme', 1000);

-- What a change would mean, for each member and the pool; nothing changes by looking.
SELECT * FROM credit_pooling_preview('acme', 'per_seat');
SELECT * FROM credit_pooling_preview('acme', 'per_seat', department => 'eng');
SELECT * FROM credit_pooling_preview('acme', 'per_seat', member => 'mia', effective_at => '2026-02-01');
SELECT count(*) AS rules, bool_or(has_pooling_rules) AS looked_for FROM credit.account LEFT JOIN credit.pooling USING (account);

-- Dated: until the instant all spend the pool, from then on those of eng only what is their own.
SELECT credit_pooling('acme', 'per_seat', department => 'eng', effective_at => '2026-01-10 12:00:00+00') AS rule;
SET credit.clock = '2026-01-10 11:59:59.999999+00';
SELECT credit_debit('acme', 10, member => 'bob') > 0 AS debited;
SELECT credit_balance('acme', member => 'alice') AS alice, credit_balance('acme', member => 'bob') AS bob, credit_balance('acme', member => 'mia') AS mia;
SET credit.clock = '2026-01-10 12:00:00+00';
SELECT credit_debit('acme', 10, member => 'bob');
SELECT credit_try_debit('acme', 101, member => 'alice') AS too_much, credit_debit('acme', 40, member => 'alice') > 0 AS her_own;
SELECT credit_debit('acme', 10, member => 'mia') > 0 AS elsewhere, credit_debit('acme', 10) > 0 AS nobodys;
SELECT credit_balance('acme', member => 'alice') AS alice, credit_balance('acme', member => 'bob') AS bob, credit_balance('acme', member => 'mia') AS mia;
SELECT owner, debited, uncovered FROM credit_explain_debit('acme', 100, member => 'alice');
SELECT mode, item, shortfall FROM (VALUES ('each')) AS m (mode), credit_debit_many('{acme,acme,acme}', '{1,1,1}', members => '{bob,alice,mia}', mode => 'each') AS d;
-- As it was just before, and as it is.
SELECT credit_balance('acme', member => 'bob', at => '2026-01-10 11:59:59.999999+00') AS before, credit_balance('acme', member => 'bob', at => '2026-01-10 12:00:00+00') AS after;

-- The nearest override counts: bob's own before eng's, eng/ml's before eng's; NULL takes one away.
SELECT credit_pooling('acme', 'pooled', department => 'eng/ml'), credit_pooling('acme', 'pooled', member => 'bob');
SELECT credit_pooling('acme', NULL, member => 'bob', effective_at => '2026-01-20');
SELECT credit_balance('acme', member => 'alice') AS alice, credit_balance('acme', member => 'bob') AS bob, credit_balance('acme', member => 'bob', at => '2026-01-20') AS bob_then;
SET credit.clock = '2026-01-20 00:00:00+00';
SELECT credit_try_debit('acme', 1, member => 'bob') AS bob, credit_debit('acme', 100, member => 'alice') > 0 AS alice;
-- Who moves goes by the rules of where he is now.
SELECT credit_member('acme', 'bob', department => 'marketing');
SELECT credit_debit('acme', 1, member => 'bob') > 0 AS moved;

-- A clock that goes back sees what counted then.
SET credit.clock = '2026-01-05 00:00:00+00';
SELECT credit_member('acme', 'bob', department => 'eng');
SELECT credit_balance('acme', member => 'bob') AS bob;
SELECT credit_debit('acme', 1, member => 'bob') > 0 AS debited;
SET credit.clock = '2026-01-20 00:00:00+00';
SELECT credit_try_debit('acme', 1, member => 'bob') AS bob;

-- A direct insert goes by the same rules.
INSERT INTO credit.entry (account, kind, amount, lot, member) SELECT account, 'debit', -1, lot, 'bob' FROM credit.lot WHERE account = 'acme' AND member IS NULL;
INSERT INTO credit.entry (account, kind, amount, lot, member) SELECT account, 'debit', -1, lot, 'alice' FROM credit.lot WHERE account = 'acme' AND member IS NULL;

-- The account itself: credit_account() says what counts from now on, and what it was before is remembered.
SELECT credit_account('beta');
SELECT credit_grant('beta', 50), credit_member('beta', 'ben');
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT credit_account('beta', pooling => 'per_seat');
SELECT has_pooling_rules, pooling FROM credit.account WHERE account = 'beta';
SELECT credit_balance('beta', member => 'ben') AS now, credit_balance('beta', member => 'ben', at => '2026-01-31') AS before;
SELECT credit_pooling('beta', 'pooled', effective_at => '2026-03-01') AS rule;
SELECT credit_balance('beta', member => 'ben', at => '2026-03-01') AS from_march;
SELECT rule, member, department, effective_at, pooling, recorded_at FROM credit.pooling WHERE account = 'beta' ORDER BY rule;
SET credit.clock = '2026-03-01 00:00:00+00';
SELECT credit_debit('beta', 5, member => 'ben') > 0 AS from_march;

-- An agreement says it while it lasts, unless the account is told otherwise meanwhile.
SELECT credit_plan('api', unit => 'credit', currency => 'EUR', list_price => 0.1);
SELECT credit_account('gamma'), credit_grant('gamma', 50), credit_member('gamma', 'gil');
SELECT credit_agreement('gamma', 'api', pooling => 'per_seat', effective_at => '2026-04-01', ended_at => '2026-06-01') > 0 AS agreed;
SELECT at, credit_balance('gamma', member => 'gil', at => at) AS gil
FROM unnest('{2026-03-01,2026-03-31,2026-04-01,2026-05-31,2026-06-01}'::timestamptz[]) AS at ORDER BY at;
SET credit.clock = '2026-05-01 00:00:00+00';
SELECT credit_try_debit('gamma', 1, member => 'gil') AS while_agreed;
SELECT credit_end_agreement('gamma', 'api', ended_at => '2026-05-15');
SELECT credit_balance('gamma', member => 'gil', at => '2026-05-15') AS afterwards;
SELECT credit_account('gamma', pooling => 'pooled');
SELECT credit_debit('gamma', 1, member => 'gil') > 0 AS told_otherwise;

-- What a forecast says a member goes on using is what he may use.
SELECT credit_account('delta'), credit_grant('delta', 300, expires_at => '2026-07-01'), credit_member('delta', 'dan');
SELECT credit_debit('delta', 30, member => 'dan') > 0 AS used;
SET credit.clock = '2026-05-16 00:00:00+00';
SELECT forecast_used, forecast_lost FROM credit_expiry_forecast('delta');
SELECT credit_pooling('delta', 'per_seat', member => 'dan') > 0 AS ruled;
SELECT forecast_used, forecast_lost FROM credit_expiry_forecast('delta');

-- Refused, and nothing changed.
SELECT credit_pooling('acme', NULL);
SELECT credit_pooling('acme', 'shared');
SELECT credit_pooling('acme', 'pooled', member => 'stranger');
SELECT credit_pooling('acme', 'pooled', member => 'bob', department => 'eng');
SELECT credit_pooling('acme', 'pooled', effective_at => '2026-01-01');
SELECT credit_pooling('acme', 'pooled', department => 'eng//ml');
SELECT * FROM credit_pooling_preview('nobody', 'pooled');
UPDATE credit.pooling SET pooling = 'pooled';
DELETE FROM credit.pooling;
TRUNCATE credit.pooling;
SELECT * FROM credit_verify();
-- What verify finds.
UPDATE credit.account SET has_pooling_rules = false WHERE account = 'acme';
SELECT invariant, account, expected, found FROM credit_verify();
