-- Refunds: credits go back to the lots that paid. Withdrawals: a part of a lot is taken out.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 12:00:00+00';

SELECT credit_grant('acme', 10, expires_at => '2026-07-01Z', paid => 5, currency => 'USD') AS first,
    credit_grant('acme', 100, paid => 20, currency => 'USD') AS second \gset
SELECT credit_debit('acme', 12.5, member => 'alice', operation => 'chat', run => 'r1') AS posting \gset

-- In reverse order of the draw, as usage of the same member, operation and run; again with the key, nothing more.
SELECT credit_refund('acme', :posting, 3, reason => 'failed', key => 'k') AS refund \gset
SELECT credit_refund('acme', :posting, 3, reason => 'failed', key => 'k') = :refund AS the_same;
SELECT line, kind, lot = :first AS first_lot, amount, member, operation, run, corrects = :posting AS corrects
FROM credit.ledger WHERE posting = :refund ORDER BY line;
SELECT credit_balance('acme');

-- Never more than was debited.
SELECT credit_refund('acme', :posting, 11);
SELECT credit_refund('acme', :refund);
SELECT credit_refund('acme', 1000000);
SELECT account, amount, reason FROM credit.refunds;

-- Into a lot that has expired: they expire at once, or a new lot gets them for the time of grace, with its cost basis.
SET credit.clock = '2026-07-02 12:00:00+00';
SELECT credit_refund('acme', :posting, 1) > 0 AS refunded;
SELECT credit_balance('acme');
SELECT credit_account('acme', refund_expired => 'grace', refund_grace => '10 days');
SELECT credit_refund('acme', :posting, 1) > 0 AS refunded;
SELECT credit_balance('acme');
SELECT parent = :first AS from_first, granted, paid, cost_basis, expires_at FROM credit.lots WHERE parent IS NOT NULL;

-- Into a lot whose expiry was changed: to the one that lives on.
SELECT credit_grant('globex', 10, expires_at => '2026-08-01Z') AS lot \gset
SELECT credit_debit('globex', 4) AS posting \gset
SELECT credit_set_expiry('globex', :lot, '2026-09-01Z') AS moved \gset
SELECT credit_refund('globex', :posting, 2) > 0 AS refunded;
SELECT parent = :lot AS moved, available, expires_at FROM credit.lots WHERE account = 'globex' AND available > 0;

-- A part of what is left is withdrawn; a void takes all of it, and what comes back later is voided too.
SELECT credit_withdraw('globex', :moved, 2, reason => 'goodwill ended') > 0 AS withdrawn;
SELECT credit_withdraw('globex', :moved, 20);
SELECT credit_grant('initech', 10) AS lot \gset
SELECT credit_debit('initech', 4) AS posting \gset
SELECT credit_hold('initech', 3) AS hold \gset
SELECT credit_void('initech', :lot);
SELECT credit_refund('initech', :posting) > 0 AS refunded, credit_release('initech', :hold);
SELECT credit_balance('initech');

-- Consumption by the day on which it, or a refund, was recorded.
SELECT * FROM credit.consumption_by_day_made;
SELECT * FROM credit_verify();
