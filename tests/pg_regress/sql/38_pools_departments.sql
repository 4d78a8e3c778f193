-- Departments as a tree by path, and what members are.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_account('acme'), credit_grant('acme', 1000);
SELECT credit_member('acme', 'alice', department => 'eng/ml'), credit_member('acme', 'bob', department => 'eng'),
    credit_member('acme', 'crawler', department => 'eng/ml/vision', kind => 'agent'),
    credit_member('acme', 'billing', department => 'finance', kind => 'service'), credit_member('acme', 'otto', department => 'engineering');
SELECT * FROM credit.departments ORDER BY account, department;
SELECT member, department, kind, active FROM credit.member ORDER BY member;

-- A member who moves leaves behind what was spent where it was spent.
SELECT credit_debit('acme', 10, member => 'alice') > 0 AS spent;
SELECT credit_member('acme', 'alice', department => 'research');
SELECT credit_debit('acme', 5, member => 'alice') > 0 AS spent;
-- NULL keeps the department, '' is none.
SELECT credit_member('acme', 'alice', active => true);
SELECT credit_debit('acme', 3, member => 'alice') > 0 AS spent;
SELECT credit_member('acme', 'alice', department => '');
SELECT credit_debit('acme', 2, member => 'alice') > 0 AS spent;
SELECT department, - sum(amount) AS spent FROM credit.ledger WHERE account = 'acme' AND kind = 'debit' GROUP BY department ORDER BY department;

-- A whole department moves, with all below it and with the policy it goes by; what only begins like it stays.
SELECT credit_pooling('acme', 'per_seat', department => 'eng/ml') AS rule;
SELECT credit_debit('acme', 4, member => 'bob') > 0 AS spent;
SELECT credit_move_department('acme', 'eng', 'product/eng') AS members;
SELECT department, parent, depth, members, members_within FROM credit.departments ORDER BY department;
SELECT credit_try_debit('acme', 1, member => 'crawler') AS still_per_seat, credit_debit('acme', 1, member => 'bob') > 0 AS still_pooled;
SELECT department, - sum(amount) AS spent FROM credit.ledger WHERE account = 'acme' AND kind = 'debit' GROUP BY department ORDER BY department;
SELECT rule, department, pooling FROM credit.pooling WHERE department IS NOT NULL ORDER BY rule;
SELECT credit_move_department('acme', 'eng', 'research') AS nobody_left;

-- Inactive: no more spending, at once; the seats of a department count both ways.
SELECT credit_member('acme', 'bob', active => false);
SELECT credit_debit('acme', 1, member => 'bob');
SELECT department, members, active_members, members_within, active_members_within FROM credit.departments WHERE department LIKE 'product%' ORDER BY department;

-- Refused, and nothing changed.
SELECT credit_member('acme', 'bob', department => '/eng');
SELECT credit_member('acme', 'bob', department => 'eng/');
SELECT credit_member('acme', 'bob', department => 'eng//ml');
SELECT credit_member('acme', 'bob', department => 'eng/ ml');
SELECT credit_member('acme', 'bob', kind => 'robot');
SELECT credit_move_department('acme', 'product', 'product');
SELECT credit_move_department('acme', 'product', 'product/old');
SELECT credit_move_department('acme', 'product', repeat('x', 250));
SELECT credit_move_department('acme', 'product', NULL);
UPDATE credit.member SET department = 'a//b' WHERE member = 'bob';
SELECT member, department, kind FROM credit.member ORDER BY member;
SELECT * FROM credit_verify();
