-- What usage belongs to: a run (a task, session or conversation) and dimensions, on every debit and charge, and in the views.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-10 00:00:00+00';

SELECT credit_account('acme', late_usage => 'original', late_grace => '10 days'), credit_member('acme', 'ann', department => 'eng');
SELECT credit_grant('acme', 100, paid => 50, currency => 'USD') > 0 AS granted,
    credit_grant('acme', 5, expires_at => '2026-01-20') > 0 AS granted;
SELECT credit_rate_card('list', unit => 'credit', is_default => true);
SELECT credit_rate('list', 'chat', credits => 0.5), credit_rate('list', 'image', credits => 2),
    credit_publish('list', effective_at => '2026-01-01');

-- They come last, so calls by position stay as they are. Dimensions are kept in one form: texts, in the order of their names.
SELECT credit_debit('acme', 1, 'ann', 'chat', NULL, NULL, NULL, '{"n": 1}', 'task-1', '{"tier": 2, "model": "large"}') > 0 AS debited;
SELECT credit_try_debit('acme', 2, run => 'task-1') > 0 AS debited;
SELECT credit_charge('acme', 'chat', 4, dimensions => '{"model": "small"}', run => 'task-2') > 0 AS charged;
SELECT credit_charge_request('acme', ARRAY['chat', 'image'], ARRAY[2, 1], run => 'task-2') > 0 AS charged;
SELECT count(posting) FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 1], runs => ARRAY['task-1', NULL],
    dimensions => ARRAY[NULL, '{"model": "small"}']::jsonb[]);
SELECT count(posting) FROM credit_debit_many_json('[{"account": "acme", "amount": 1, "run": "task-3", "dimensions": {"model": "large"}}]');
SELECT count(posting) FROM credit_charge_many(ARRAY['acme', 'acme'], ARRAY['chat', 'chat'], ARRAY[2, 2], runs => ARRAY['task-3', NULL]);
SELECT amount, member, operation, run, dimensions, hold FROM credit.ledger WHERE kind = 'debit' ORDER BY posting, line;

-- An empty object is none.
SELECT credit_debit('acme', 1, dimensions => '{}') AS posting \gset
SELECT run, dimensions FROM credit.ledger WHERE posting = :posting;

-- Under a key they are a part of the request.
SELECT credit_debit('acme', 1, run => 'task-4', dimensions => '{"model": "large"}', key => 'k') AS posting \gset
SELECT credit_debit('acme', 1.0, run => 'task-4', dimensions => '{"model":"large"}', key => 'k') = :posting AS repeated;
\set VERBOSITY default
SELECT credit_debit('acme', 1, run => 'task-5', dimensions => '{"model": "large"}', key => 'k');
SELECT credit_debit('acme', 1, run => 'task-4', dimensions => '{"model": "small"}', key => 'k');
SELECT credit_debit('acme', 1, run => 'task-4', key => 'k');

-- They are checked as other names, and as the dimensions of charges.
\set VERBOSITY terse
SELECT credit_debit('acme', 1, run => '');
SELECT credit_debit('acme', 1, run => repeat('x', 256));
SELECT credit_debit('acme', 1, dimensions => '[]');
SELECT credit_debit('acme', 1, dimensions => '{"model": {"name": "large"}}');
SELECT credit_charge('acme', 'chat', 1, run => '');
SELECT posting FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 1], runs => ARRAY['task-1', '']);
SELECT posting FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 1], runs => ARRAY['task-1']);
\set VERBOSITY default

-- A line that is inserted may name its run. A correction has that of its debit.
INSERT INTO credit.entry (account, kind, amount, lot, member, operation, run) VALUES ('acme', 'debit', -2, 1, 'ann', 'chat', 'task-6');
SELECT max(posting) AS posting FROM credit.entry \gset
INSERT INTO credit.entry (account, kind, amount, lot, corrects, run) VALUES ('acme', 'adjustment', 0.5, 1, :posting, 'another');
INSERT INTO credit.entry (account, kind, amount, lot, run) VALUES ('acme', 'debit', -2, 1, '');
SELECT kind, amount, member, operation, run FROM credit.ledger WHERE run = 'task-6' ORDER BY posting;

-- Late usage that an expired lot pays has them too.
SET credit.clock = '2026-01-22 00:00:00+00';
SELECT credit_grant('late', 5, expires_at => '2026-01-25') > 0 AS granted, credit_grant('late', 10) > 0 AS granted;
SELECT credit_account('late', late_usage => 'original', late_grace => '10 days');
SET credit.clock = '2026-01-26 00:00:00+00';
SELECT credit_debit('late', 7, at => '2026-01-24', run => 'task-7', dimensions => '{"model": "large"}') > 0 AS debited;
SELECT kind, amount, run, dimensions FROM credit.ledger WHERE account = 'late' AND kind IN ('debit', 'expiry_reversal') ORDER BY posting, line;

-- Reports: by run, by dimension, and what departments owe for each.
SELECT run, started_at, ended_at, credits, requests, value, currency FROM credit.consumption_by_run WHERE account = 'acme' ORDER BY run;
SELECT day, dimension, label, credits, requests FROM credit.consumption_by_dimension WHERE account = 'acme' ORDER BY day, dimension, label;
SELECT department, part, used, value FROM credit_chargeback('acme', '2026-01-01', '2026-02-01', by => 'run');
SELECT department, part, used, value FROM credit_chargeback('acme', '2026-01-01', '2026-02-01', by => 'model');
SELECT department, part, used FROM credit_chargeback('acme', '2026-01-01', '2026-02-01');
SELECT * FROM credit_verify();
