-- Holds: credits are set aside for work whose cost is not known yet, and captured when it is.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 12:00:00+00';

-- A run: hold, repeat with the key, capture what it cost, and a second capture is refused.
SELECT credit_grant('acme', 100, expires_after => '1 year') AS lot \gset
SELECT credit_hold('acme', 30, member => 'alice', operation => 'chat', expires_after => '10 minutes', key => 'k', run => 'r')
    AS hold \gset
SELECT available, held, total FROM credit.balances WHERE account = 'acme';
SELECT credit_hold('acme', 30, member => 'alice', operation => 'chat', expires_after => '10 minutes', key => 'k', run => 'r')
    = :hold AS nothing_more_is_held;
SELECT credit_capture('acme', :hold, 12.5) AS posting \gset
SELECT credit_balance('acme');
SELECT amount, member, operation, run FROM credit.ledger WHERE posting = :posting;
SELECT state, amount, captured, released, open, settled_at FROM credit.holds WHERE hold = :hold;
SELECT credit_capture('acme', :hold, 1);
SELECT credit_release('acme', :hold);

-- Nobody else can spend what is held; who asks what is there gets the rest.
SELECT credit_hold('acme', 80) AS hold \gset
SELECT credit_debit('acme', 10);
SELECT posting IS NOT NULL AS posted, debited, shortfall FROM credit_debit_available('acme', 10);
SELECT credit_release('acme', :hold);
SELECT credit_balance('acme');

-- In parts; the last one gives the rest back.
SELECT credit_hold('acme', 20, expires_after => '1 hour') AS hold \gset
SELECT credit_capture('acme', :hold, 3, final => false) > 0 AS captured,
    credit_capture('acme', :hold, 4, final => false) > 0 AS captured;
SELECT state, captured, open FROM credit.holds WHERE hold = :hold;
SELECT credit_extend_hold('acme', :hold, '2 hours');
SELECT credit_capture('acme', :hold, 5) > 0 AS captured;
SELECT state, captured, released, open FROM credit.holds WHERE hold = :hold;

-- It cost more than was held: drawn like a debit, refused, or as far as the credits go.
SELECT credit_balance('acme') AS rest \gset
SELECT credit_debit('acme', :rest - 10) > 0 AS all_but_ten;
SELECT credit_hold('acme', 8) AS hold \gset
SELECT credit_capture('acme', :hold, 11, beyond => 'refuse');
SELECT credit_capture('acme', :hold, 11);
SELECT credit_capture('acme', :hold, 11, beyond => 'available') AS posting \gset
SELECT line, amount, hold = :hold AS of_the_hold, metadata FROM credit.ledger WHERE posting = :posting ORDER BY line;
SELECT state, captured, shortfall FROM credit.holds WHERE hold = :hold;
SELECT credit_balance('acme');

-- Expiry is enforced when read: from its instant on everybody has what it held, whether or not anybody has cleaned up.
SELECT credit_grant('globex', 10) > 0 AS granted;
SELECT credit_hold('globex', 10, expires_after => '10 minutes') AS hold \gset
SET credit.clock = '2026-06-01 12:09:59.999999+00';
SELECT credit_try_debit('globex', 4), credit_balance('globex');
SET credit.clock = '2026-06-01 12:10:00+00';
SELECT credit_balance('globex');
SELECT state, open, released, settled_at FROM credit.holds WHERE hold = :hold;
SELECT credit_debit('globex', 4) > 0 AS debited;
-- The first capture still counts, for the call did happen; the second does not.
SELECT credit_capture('globex', :hold, 2, final => false);
SELECT credit_capture('globex', :hold, 2) > 0 AS captured;
SELECT credit_capture('globex', :hold, 2);
SELECT credit_balance('globex');

-- What goes back to a lot that has expired expires at that moment; captures are paid by it all the same.
SELECT credit_grant('initech', 10, expires_after => '1 hour') > 0 AS granted;
SELECT credit_hold('initech', 6, expires_after => '3 hours') AS hold \gset
SET credit.clock = '2026-06-01 14:00:00+00';
SELECT available, held, total FROM credit.balances WHERE account = 'initech';
SELECT credit_capture('initech', :hold, 2) > 0 AS captured;
SELECT credit_expire('initech') AS lots;
SELECT kind, amount, occurred_at FROM credit.ledger WHERE account = 'initech' ORDER BY kind, amount;

-- Caps count what is held, and no cap refuses a capture.
SELECT credit_grant('umbrella', 100) > 0 AS granted, credit_cap('umbrella', 50) > 0 AS capped;
SELECT credit_hold('umbrella', 40) AS hold \gset
SELECT "limit", used, held, headroom FROM credit.caps WHERE account = 'umbrella';
SELECT credit_debit('umbrella', 11);
SELECT credit_capture('umbrella', :hold, 25) > 0 AS captured;
SELECT "limit", used, held, headroom FROM credit.caps WHERE account = 'umbrella';

-- A price: the version of the rate is pinned.
SELECT credit_rate_card('list', unit => 'credit', is_default => true);
SELECT credit_rate('list', 'chat', credits => 2);
SELECT credit_publish('list') IS NOT NULL AS published;
SELECT credit_hold_charge('umbrella', 'chat', 5) AS hold \gset
SELECT amount, quantity FROM credit.holds WHERE hold = :hold;
SELECT credit_capture_charge('umbrella', :hold, 3) > 0 AS captured;
SELECT amount, quantity FROM credit.ledger WHERE account = 'umbrella' AND quantity IS NOT NULL;

-- Many, with the result of one by one.
SELECT item, hold IS NOT NULL AS held, shortfall
FROM credit_hold_many(ARRAY['umbrella', 'umbrella'], ARRAY[1, 1000], mode => 'each');
SELECT item, posting IS NOT NULL AS captured, reason
FROM credit_capture_many(ARRAY['umbrella', 'umbrella'],
    ARRAY[:hold, (SELECT max(hold) FROM credit.holds WHERE state = 'open')], mode => 'each');

SELECT * FROM credit_verify();
