-- Lots, and the order in which they are drawn.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- A lot is granted with its terms. What was paid for is 'paid' and a 'purchase'; everything else a promotional allocation.
SELECT credit_grant('acme', 100, paid => 80, currency => 'USD') AS purchased;
SELECT credit_grant('acme', 10, expires_at => '2026-03-01 00:00:00+00') AS expires_later;
SELECT credit_grant('acme', 10, expires_at => '2026-02-01 00:00:00+00') AS expires_sooner;

SELECT lot, category, source, granted, remaining, expires_at, paid, currency, cost_basis, status
FROM credit.lots WHERE account = 'acme' ORDER BY lot;

-- The sooner a lot expires, the earlier it is drawn; lots that never expire come last.
SELECT step, lot, category, expires_at, available, debited, remaining, uncovered FROM credit_explain_debit('acme', 25);

-- Explaining changes nothing.
SELECT credit_balance('acme');

-- One posting may draw several lots: one line for each.
SELECT credit_debit('acme', 25) AS posting \gset
SELECT line, lot, amount, category, value, currency FROM credit.ledger WHERE account = 'acme' AND posting = :posting ORDER BY line;

-- What a debit of more than there is would lack.
SELECT step, lot, debited, uncovered FROM credit_explain_debit('acme', 200);

-- The whole order. Each of these lots comes before the next one for one reason only.
SELECT credit_grant('order', 1, priority => 50, category => 'paid', effective_at => '2025-06-01 00:00:00+00') AS "8 the lower id";
SELECT credit_grant('order', 1, priority => 50, category => 'paid', effective_at => '2025-06-01 00:00:00+00') AS "9 the higher id";
SELECT credit_grant('order', 1, priority => 50, category => 'paid', effective_at => '2025-05-01 00:00:00+00') AS "7 in effect earlier";
SELECT credit_grant('order', 1, priority => 50) AS "6 promotional before paid";
SELECT credit_grant('order', 1, priority => 50, category => 'paid', expires_at => '2027-01-01 00:00:00+00') AS "5 expires";
SELECT credit_grant('order', 1, priority => 50, category => 'paid', expires_at => '2026-06-01 00:00:00+00') AS "4 expires sooner";
SELECT credit_grant('order', 1, priority => 50, category => 'paid', applies_to => '{chat}') AS "3 limited to operations";
SELECT credit_grant('order', 1, priority => 10, category => 'paid') AS "2 the lower priority";
SELECT credit_grant('order', 1, priority => 90, category => 'paid', member => 'alice') AS "1 the member's own";

SELECT step, lot, owner, debited FROM credit_explain_debit('order', 9, member => 'alice', operation => 'chat');

-- A debit draws in the order that was explained.
SELECT credit_debit('order', 9, member => 'alice', operation => 'chat') AS posting \gset
SELECT line, lot, amount FROM credit.ledger WHERE account = 'order' AND posting = :posting ORDER BY line;

-- A lot that takes effect later is not drawn before.
SELECT credit_grant('later', 5, effective_at => '2026-02-01 00:00:00+00');
SELECT credit_balance('later');
SELECT credit_try_debit('later', 5) IS NULL AS refused;
SELECT credit_balance('later', at => '2026-02-01 00:00:00+00');
SET credit.clock = '2026-02-01 00:00:00+00';
SELECT credit_try_debit('later', 5) IS NULL AS refused;

-- Amounts of another unit are other lots. A unit has its own decimals, and its currency when it is money.
INSERT INTO credit.unit (unit, decimals, currency) VALUES ('usd', 2, 'USD');
SELECT credit_grant('acme', 50, unit => 'usd', paid => 50) AS lot \gset
SELECT unit, granted, paid, currency, cost_basis FROM credit.lots WHERE account = 'acme' AND lot = :lot;
SELECT credit_debit('acme', 49.99, unit => 'usd') > 0 AS debited;
SELECT credit_balance('acme', unit => 'usd') AS usd, credit_balance('acme') AS credits;

SELECT * FROM credit_verify();
