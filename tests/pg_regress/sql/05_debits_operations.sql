-- Operations: lots that pay only for some of them.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_grant('acme', 100) AS general \gset
SELECT credit_grant('acme', 5, applies_to => ARRAY['search', 'chat', 'chat']) AS limited \gset
SELECT lot, applies_to, remaining FROM credit.lots WHERE account = 'acme' ORDER BY lot;

-- Limited lots are drawn first, by debits of their operations only.
SELECT lot, debited FROM credit_explain_debit('acme', 8, operation => 'chat');
SELECT lot, debited FROM credit_explain_debit('acme', 8, operation => 'image');
SELECT lot, debited FROM credit_explain_debit('acme', 8);

-- Without an operation the balance counts limited lots too; with one it is what that operation could spend.
SELECT credit_balance('acme') AS all, credit_balance('acme', operation => 'chat') AS chat,
    credit_balance('acme', operation => 'image') AS image;

SELECT credit_debit('acme', 8, operation => 'chat', member => 'alice', metadata => '{"request": "r-1", "tokens": 1834}') AS posting \gset
SELECT line, lot, amount, operation, member, metadata FROM credit.ledger
WHERE account = 'acme' AND posting = :posting ORDER BY line;

-- When a usage happened can be said; it cannot be in the future, and it does not make expired lots usable.
SELECT credit_debit('acme', 1, operation => 'image', at => '2025-12-31 23:00:00+00') AS posting \gset
SELECT occurred_at, recorded_at FROM credit.ledger WHERE account = 'acme' AND posting = :posting;
SELECT credit_debit('acme', 1, operation => 'image', at => '2026-01-01 00:00:01+00');

SELECT operation, sum(-amount) AS debited FROM credit.ledger
WHERE account = 'acme' AND kind = 'debit' GROUP BY operation ORDER BY operation;

SELECT * FROM credit_verify();
