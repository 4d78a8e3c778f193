-- Late usage: it happened while a lot was in force, and comes after that lot has expired. The account says what happens then.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

-- Three accounts alike: 10 that expire with January, paid for; 100 that never do.
SELECT credit_account('strict', late_usage => 'reject', late_grace => '1 hour'), credit_account('usual'),
    credit_account('kind', late_usage => 'original', late_grace => '2 days');
SELECT account, late_usage, late_grace FROM credit.account ORDER BY account;
SELECT credit_grant(account, 10, paid => 8, currency => 'USD', expires_at => '2026-02-01 00:00:00+00') AS lot, account
FROM credit.account ORDER BY account \g /dev/null
SELECT credit_grant(account, 100) AS lot, account FROM credit.account ORDER BY account \g /dev/null
SELECT credit_debit(account, 3) > 0 AS debited FROM credit.account ORDER BY account;

-- A minute into February comes usage of January. Nobody has swept yet.
SET credit.clock = '2026-02-01 00:01:00+00';

-- current: the lots of now pay; the time is only recorded.
SELECT credit_debit('usual', 2, at => '2026-01-31 23:59:00+00') AS posting \gset
SELECT line, kind, amount, lot, occurred_at, recorded_at FROM credit.ledger WHERE account = 'usual' AND posting = :posting;

-- original: the expired lot pays with what it lost. Its expiry is posted, as much as it takes is taken back of it, and debited as of its time.
SELECT credit_debit('kind', 2, at => '2026-01-31 23:59:00+00', member => 'alice', operation => 'chat') AS posting \gset
SELECT line, kind, amount, value, member, occurred_at, recorded_at, corrects IS NOT NULL AS corrects
FROM credit.ledger WHERE account = 'kind' AND posting = :posting ORDER BY line;
SELECT expired, taken_back, expires_at FROM credit.breakage WHERE account = 'kind';
SELECT kind, amount, occurred_at FROM credit.ledger WHERE account = 'kind' AND kind LIKE 'expiry%' ORDER BY posting, line;
SELECT status, remaining FROM credit.lots WHERE account = 'kind' ORDER BY lot;

-- What the expired lot does not cover, the lots of now pay, under the same posting. Never more is taken back than what expired.
SELECT credit_debit('kind', 7.5, at => '2026-01-31 23:59:59.999999+00', key => 'late') AS posting \gset
SELECT line, kind, amount, lot, occurred_at FROM credit.ledger WHERE account = 'kind' AND posting = :posting ORDER BY line;
SELECT credit_debit('kind', 7.5, at => '2026-01-31 23:59:59.999999+00', key => 'late') = :posting AS same_posting;
SELECT expired, taken_back FROM credit.breakage WHERE account = 'kind';
SELECT credit_balance('kind');

-- Usage of the very instant of the expiry is not of the lot's life; usage of now is usage of now.
SELECT credit_grant('kind', 10, expires_at => '2026-03-01 00:00:00+00') AS february \gset
SET credit.clock = '2026-03-01 00:00:00+00';
SELECT credit_debit('kind', 1, at => '2026-03-01 00:00:00+00') AS posting \gset
SELECT kind, lot = :february AS february FROM credit.ledger WHERE account = 'kind' AND posting = :posting;

-- All or nothing: what does not fit changes nothing, and says what there is, the lapsed credits included.
SELECT credit_try_debit('kind', 200, at => '2026-02-28 12:00:00+00') IS NULL AS refused;
SELECT credit_debit('kind', 200, at => '2026-02-28 12:00:00+00');
SELECT count(*) FROM credit.breakage WHERE account = 'kind';

-- The grace counts from the expiry on: a microsecond before it ends the expired lot pays, at its end the lots of now.
SET credit.clock = '2026-03-02 23:59:59.999999+00';
SELECT credit_debit('kind', 1, at => '2026-02-28 12:00:00+00') AS posting \gset
SELECT kind, lot = :february AS february FROM credit.ledger WHERE account = 'kind' AND posting = :posting ORDER BY line;
SET credit.clock = '2026-03-03 00:00:00+00';
SELECT credit_debit('kind', 1, at => '2026-02-28 12:00:00+00') AS posting \gset
SELECT kind, lot = :february AS february FROM credit.ledger WHERE account = 'kind' AND posting = :posting ORDER BY line;

-- reject: usage that comes after the grace is refused; within it, and where no lot lost anything, the lots of now pay.
SET credit.clock = '2026-02-01 00:59:59.999999+00';
SELECT credit_debit('strict', 1, at => '2026-01-31 12:00:00+00') AS posting \gset
SELECT kind, amount FROM credit.ledger WHERE account = 'strict' AND posting = :posting;
SET credit.clock = '2026-02-01 01:00:00+00';
SELECT credit_debit('strict', 1, at => '2026-01-31 12:00:00+00');
SELECT credit_debit('strict', 1, at => '2026-02-01 00:00:00+00') > 0 AS debited;
SELECT credit_debit('strict', 1) > 0 AS debited;
SELECT sum(done) > 0 AS swept FROM credit_maintain();
SELECT credit_try_debit('strict', 1, at => '2026-01-31 12:00:00+00');
SELECT item, posting > 0 AS posted FROM credit_debit_many('{usual,strict}', '{1,1}', at => ARRAY['2026-01-31 12:00:00+00', '2026-01-31 12:00:00+00']::timestamptz[]);

-- Many at once, with the result of one by one. In mode each what does not fit leaves no trace.
SELECT credit_account('bulk', late_usage => 'original', late_grace => '1 month');
SELECT credit_grant('bulk', 10, expires_at => '2026-02-02 00:00:00+00') > 0 AS granted, credit_grant('bulk', 5, member => 'bob', expires_at => '2026-02-02 00:00:00+00') > 0 AS granted;
SET credit.clock = '2026-02-10 00:00:00+00';
SELECT item, posting > 0 AS posted, shortfall
FROM credit_debit_many('{bulk,bulk,bulk,bulk}', '{6,7,3,1}', members => '{bob,bob,NULL,NULL}', mode => 'each',
    at => ARRAY['2026-02-01 12:00:00+00', '2026-02-01 12:00:00+00', '2026-02-01 12:00:00+00', NULL]::timestamptz[]);
SELECT kind, member, amount FROM credit.ledger WHERE account = 'bulk' AND posting > (SELECT max(posting) FROM credit.breakage WHERE account = 'bulk') ORDER BY posting, line;

-- A charge is priced as of its time and debited as of its time; its quantity goes with the credits.
SELECT credit_rate_card('list', unit => 'credit', is_default => true), credit_rate('list', 'chat', credits => 1, per => 1000);
SELECT count(*) FROM credit_publish('list', effective_at => '2026-02-10 00:00:00+00');
SELECT credit_grant('bulk', 1, expires_at => '2026-02-11 00:00:00+00') > 0 AS granted, credit_grant('bulk', 10) > 0 AS granted;
SET credit.clock = '2026-02-11 00:00:00+00';
SELECT credit_charge('bulk', 'chat', 4000, at => '2026-02-10 12:00:00+00') AS posting \gset
SELECT line, kind, amount, quantity, occurred_at FROM credit.ledger WHERE account = 'bulk' AND posting = :posting ORDER BY line;

-- A lot that a limit on what is carried takes from loses something before it expires, and lives on: each loss has its own time. Usage of
-- before it is paid by it, usage of after it is not.
SET credit.clock = '2026-05-01 00:00:00+00';
SELECT credit_account('trim', late_usage => 'original', late_grace => '2 months');
SELECT credit_schedule('trim', 100, interval '1 month', rollover => '{"max_amount": 50, "expires_after": "3 months"}') > 0 AS declared;
SET credit.clock = '2026-06-20 00:00:00+00';
SELECT credit_debit('trim', 80) > 0 AS debited;
SET credit.clock = '2026-07-02 00:00:00+00';
SELECT credit_balance('trim');
SELECT credit_debit('trim', 5, at => '2026-07-01 00:00:00+00') > 0 AS debited;
SELECT lot - min(lot) OVER () AS lot, expired, taken_back, expires_at FROM credit.breakage WHERE account = 'trim' ORDER BY expires_at;
SELECT credit_debit('trim', 12, at => '2026-06-15 00:00:00+00') > 0 AS debited, credit_debit('trim', 45, at => '2026-05-20 00:00:00+00') > 0 AS debited;
SELECT lot - min(lot) OVER () AS lot, expired, taken_back, expires_at FROM credit.breakage WHERE account = 'trim' ORDER BY expires_at;
SELECT credit_debit('trim', 20, at => '2026-06-15 00:00:00+00') AS posting \gset
SELECT line, kind, amount, occurred_at FROM credit.ledger WHERE account = 'trim' AND posting = :posting ORDER BY line;
SELECT credit_balance('trim');
SET credit.clock = '2026-09-01 00:00:00+00';
SELECT credit_refresh() > 0 AS refreshed;
SELECT expired, taken_back, expires_at FROM credit.breakage WHERE account = 'trim' ORDER BY expires_at, posting;
UPDATE credit.breakage SET taken_back = 0 WHERE account = 'trim';
UPDATE credit.breakage SET expired = expired + 1 WHERE account = 'trim';

-- The charges of one request are one posting: what is late of them is paid by what expired, each in turn, the rest by the lots of now.
SET credit.clock = '2026-02-10 00:00:00+00';
SELECT credit_account('request', late_usage => 'original', late_grace => '1 month'), credit_member('request', 'bob');
SELECT credit_grant('request', 5, expires_at => '2026-02-12 00:00:00+00') > 0 AS granted, credit_grant('request', 10) > 0 AS granted;
SET credit.clock = '2026-02-12 00:00:00+00';
SELECT credit_charge_request('request', '{chat,chat}', '{3000,4000}', at => '2026-02-11 00:00:00+00') AS posting \gset
SELECT line, kind, amount, quantity, occurred_at FROM credit.ledger WHERE account = 'request' AND posting = :posting ORDER BY line;
SELECT expired, taken_back FROM credit.breakage WHERE account = 'request';
SELECT credit_charge_request('request', '{chat}', '{90000}', at => '2026-02-11 00:00:00+00');
SELECT credit_balance('request');

SELECT credit_account('kind', late_usage => 'sometimes');
SELECT credit_account('kind', late_grace => '-1 day');
SELECT * FROM credit_verify();
