-- Members: their own credits, the pool, departments.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- A pooled account (the default): a member spends what is his own first, then what belongs to nobody in particular.
SELECT credit_member('acme', 'alice');
SELECT credit_account('acme');
SELECT credit_member('acme', 'alice', department => 'research');
SELECT credit_grant('acme', 100) AS pool \gset
SELECT credit_grant('acme', 10, member => 'alice') AS of_alice \gset
SELECT credit_grant('acme', 20, member => 'bob') AS of_bob \gset

SELECT member, available, lots FROM credit.balances WHERE account = 'acme' ORDER BY member NULLS FIRST;

-- What each could spend; without a member: all of the account.
SELECT credit_balance('acme', member => 'alice') AS alice, credit_balance('acme', member => 'bob') AS bob,
    credit_balance('acme', member => 'carol') AS carol, credit_balance('acme') AS all;

SELECT credit_debit('acme', 15, member => 'alice') AS posting \gset
SELECT line, CASE lot WHEN :pool THEN 'the pool' WHEN :of_alice THEN 'alice' END AS paid_by, amount, member, department
FROM credit.ledger WHERE account = 'acme' AND posting = :posting ORDER BY line;

-- Without a member a debit uses nobody's own lots.
SELECT credit_try_debit('acme', 96) IS NULL AS refused;
SELECT credit_debit('acme', 95) > 0 AS debited;
SELECT member, available FROM credit.balances WHERE account = 'acme' ORDER BY member;

-- A member cannot spend another's.
SELECT credit_try_debit('acme', 1, member => 'alice') IS NULL AS refused;

-- The department is written down with every entry; a change concerns what comes after it.
SELECT credit_member('acme', 'alice', department => 'sales');
SELECT credit_grant('acme', 7, member => 'alice') > 0 AS granted;
SELECT credit_debit('acme', 7, member => 'alice') > 0 AS debited;
SELECT department, sum(-amount) AS debited FROM credit.ledger
WHERE account = 'acme' AND kind = 'debit' AND member = 'alice' GROUP BY department ORDER BY department;

-- Per seat: a member spends his own credits only. What is pooled serves debits that name no member.
SELECT credit_account('seats', pooling => 'per_seat');
SELECT credit_grant('seats', 100) > 0 AS granted;
SELECT credit_grant('seats', 10, member => 'alice') > 0 AS granted;
SELECT credit_balance('seats', member => 'alice') AS alice, credit_balance('seats', member => 'bob') AS bob;
SELECT credit_try_debit('seats', 11, member => 'alice') IS NULL AS refused;
SELECT credit_debit('seats', 10, member => 'alice') > 0 AS debited;
SELECT credit_debit('seats', 100) > 0 AS debited;

-- An account can demand that its members are registered.
SELECT credit_account('strict', require_members => true);
SELECT credit_grant('strict', 10) > 0 AS granted;
SELECT credit_debit('strict', 1, member => 'alice');
SELECT credit_balance('strict', member => 'alice');
SELECT credit_member('strict', 'alice');
SELECT credit_debit('strict', 1, member => 'alice') > 0 AS debited;

-- A member who has left is deactivated. What it owns stays, and nobody else can use it.
SELECT credit_member('strict', 'alice', active => false);
SELECT credit_debit('strict', 1, member => 'alice');
SELECT credit_grant('strict', 1, member => 'alice');

SELECT * FROM credit_verify();
