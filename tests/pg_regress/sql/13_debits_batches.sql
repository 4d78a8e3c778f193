-- Batches: many debits in one call, with the result of debiting them one by one.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_grant('acme', 10, expires_at => '2026-02-01 00:00:00+00') AS gift \gset
SELECT credit_grant('acme', 100) AS rest \gset
SELECT credit_grant('umbrella', 5) AS other \gset

-- As parallel arrays, or as a JSON array of objects whose names are the arguments of credit_debit(). A row for each item.
SELECT item, posting IS NOT NULL AS debited, shortfall
FROM credit_debit_many(ARRAY['acme', 'acme', 'umbrella'], ARRAY[8, 7, 5], members => ARRAY['alice', 'bob', NULL]);
SELECT item, posting IS NOT NULL AS debited, shortfall
FROM credit_debit_many_json('[{"account": "acme", "amount": 1, "operation": "chat"}, {"account": "acme", "amount": "2.5", "member": "bob"}]');

-- Each item is a posting of its own, drawn in turn: the second one emptied the lot that expires.
SELECT posting, line, CASE lot WHEN :gift THEN 'gift' WHEN :rest THEN 'rest' ELSE 'other' END AS lot, amount, member, operation
FROM credit.ledger WHERE kind = 'debit' ORDER BY account, posting, line;

-- All or nothing: when one does not fit, the call fails and names it.
SELECT * FROM credit_debit_many(ARRAY['acme', 'umbrella'], ARRAY[1, 1]);
SELECT credit_balance('acme');

-- Or each that fits.
SELECT item, posting IS NOT NULL AS debited, shortfall
FROM credit_debit_many(ARRAY['acme', 'umbrella', 'acme'], ARRAY[1, 1, 1], mode => 'each');
SELECT credit_balance('acme');

-- Keys count as those of credit_debit(), within a batch too.
SELECT count(DISTINCT posting) AS postings, count(*) AS items
FROM credit_debit_many_json('[{"account": "acme", "amount": 1, "key": "k"}, {"account": "acme", "amount": 1.0, "key": "k"}]');
SELECT posting = credit_debit('acme', 1, key => 'k') AS same_posting
FROM credit_debit_many_json('[{"account": "acme", "amount": 1, "key": "k"}]');
SELECT credit_balance('acme');

-- Errors name the item. Nothing is debited, in either mode.
SELECT * FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 0], mode => 'each');
SELECT * FROM credit_debit_many(ARRAY['acme', 'nobody'], ARRAY[1, 1], mode => 'each');
SELECT * FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1]);
SELECT * FROM credit_debit_many(ARRAY['acme'], ARRAY[1], mode => 'some');
SELECT * FROM credit_debit_many_json('[{"account": "acme", "amuont": 1}]');
SELECT count(*) AS items FROM credit_debit_many_json('[]');
SELECT credit_balance('acme');

SELECT * FROM credit_verify();
