-- A check of a debit says when it would be allowed if nothing else happens, and the debit agrees.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 12:00:00+00';

SELECT credit_account('acme'), credit_member('acme', 'alice', department => 'eng'), credit_member('acme', 'bob', active => false);
SELECT credit_grant('acme', 100) > 0 AS granted, credit_grant('acme', 10, member => 'alice') > 0 AS granted;

-- The reasons, in their order.
SELECT reason FROM credit_check('nobody', 1);
SELECT reason FROM credit_check('acme', 1, member => 'bob');
SELECT reason, needed FROM credit_check('acme', operation => 'chat', quantity => 3);
SELECT credit_account('strict', require_members => true);
SELECT reason FROM credit_check('strict', 1, member => 'eve');
SELECT reason FROM credit_check('acme', 1, member => 'eve');
SELECT reason FROM credit_check('acme', 101);

-- A quantity is priced by the account's card; nothing is counted.
SELECT credit_rate_card('list', unit => 'credit') IS NOT NULL AS made;
SELECT credit_rate('list', 'chat', 2) IS NOT NULL AS rated;
SELECT credit_publish('list') IS NOT NULL AS published;
SELECT credit_account('acme', rate_card => 'list');
SELECT allowed, reason, needed, available FROM credit_check('acme', operation => 'chat', quantity => 3, member => 'alice');
SELECT allowed, reason, needed, available FROM credit_check('acme', operation => 'chat', quantity => 60, member => 'alice');
SELECT credit_check('acme', 1, operation => 'chat', quantity => 3);
SELECT credit_check('acme');
SELECT credit_check('acme', quantity => 3);

-- A rolling window leaves more step by step.
SELECT credit_cap('acme', 50, rolling => interval '1 day') AS cap \gset
SELECT credit_debit('acme', 20) > 0 AS debited;
SET credit.clock = '2026-06-01 18:00:00+00';
SELECT credit_debit('acme', 25) > 0 AS debited;
SELECT allowed, reason, cap = :cap AS by_cap, free_at, detail FROM credit_check('acme', 6);
SELECT allowed, reason, cap = :cap AS by_cap, free_at FROM credit_check('acme', 26);
-- Never: it is more than the limit.
SELECT allowed, reason, free_at FROM credit_check('acme', 51, member => 'alice');
SELECT free_at FROM credit_check('acme', 26) \gset
SELECT set_config('credit.clock', (timestamptz :'free_at' - interval '1 microsecond')::text, false);
SELECT credit_debit('acme', 26);
SELECT set_config('credit.clock', :'free_at', false);
SELECT credit_debit('acme', 26) > 0 AS debited;
SELECT credit_end_cap('acme', :cap);

-- Holds: what they have comes back when they end, but not to a lot that was voided.
SELECT credit_hold('acme', 25, expires_after => '2 hours') > 0 AS held;
SELECT allowed, reason, available, held, free_at FROM credit_check('acme', 29);
SELECT step, available, debited, uncovered, held FROM credit_explain_debit('acme', 29);
SELECT credit_grant('acme', 7) AS lot \gset
SELECT credit_hold('acme', 10, expires_after => '1 hour') AS hold \gset
SELECT open FROM credit.holds WHERE hold = :hold;
SELECT credit_void('acme', :lot);
SET credit.clock = '2026-06-03 00:00:00+00';
SELECT allowed, reason, available, held FROM credit_check('acme', 30);
SELECT credit_spendable('acme'), available FROM credit.balances WHERE account = 'acme' AND member IS NULL;
SELECT step, available, debited, uncovered, held FROM credit_explain_debit('acme', 29);
SELECT credit_try_debit('acme', 30);
SELECT credit_try_debit('acme', 29) > 0 AS debited;

-- Who may spend the pool changes by itself, too.
SELECT credit_grant('acme', 100) > 0 AS granted, credit_pooling('acme', 'per_seat') > 0 AS ruled;
SELECT credit_pooling('acme', 'pooled', effective_at => '2026-06-10') > 0 AS ruled;
SELECT reason, available, free_at FROM credit_check('acme', 50, member => 'alice');
SELECT * FROM credit_verify();
