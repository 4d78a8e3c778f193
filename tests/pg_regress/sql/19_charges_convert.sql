-- Conversions between units of one account.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-15 00:00:00+00';

INSERT INTO credit.unit (unit, decimals, currency) VALUES ('compute', 6, 'USD'), ('usd', 2, 'USD'), ('eur', 2, 'EUR'), ('seat', 0, NULL);
INSERT INTO credit.unit_value (unit, effective_at, recorded_at, fiat_per_credit, recorded_by) VALUES ('compute', '2026-01-01', '2026-01-01', 0.03, 'owner');
SELECT credit_account('acme', unit => 'compute');
SELECT credit_member('acme', 'alice', department => 'research');
SELECT credit_grant('acme', 10, paid => 1, currency => 'USD', expires_after => '1 year', priority => 10, metadata => '{"invoice": 7}') AS lot_1,
    credit_grant('acme', 7, paid => 2, currency => 'USD') AS lot_2, credit_grant('acme', 0.5) AS lot_3,
    credit_grant('acme', 4, applies_to => '{chat}') AS lot_4, credit_grant('acme', 6, member => 'alice') AS lot_5;

-- Without a rate: what both are worth now. In drawdown order, each lot with its terms and its part of the price; what comes out is cut once.
SELECT credit_convert('acme', 16.5, 'compute', 'usd', metadata => '{"ticket": 1}') AS posting \gset
SELECT line, kind, amount, unit, lot, category, value FROM credit.ledger WHERE account = 'acme' AND posting = :posting ORDER BY line;
SELECT lot, unit, member, category, source, priority, granted, remaining, paid, currency, expires_at, parent, metadata
FROM credit.lots WHERE account = 'acme' ORDER BY lot;
SELECT from_unit, to_unit, from_amount, to_amount, rate, recorded_at FROM credit.conversion;
SELECT credit_balance('acme', unit => 'compute') AS compute, credit_balance('acme', unit => 'usd') AS usd;

-- The rest of lot 2: what is carried of its price adds up to it.
SELECT credit_convert('acme', 1, NULL, 'usd') > 0 AS converted;
SELECT parent, sum(paid) FROM credit.lots WHERE account = 'acme' AND parent = 2 GROUP BY parent;

-- With a rate of one's own, for an operation, and for a member: their lots stay theirs.
SELECT credit_convert('acme', 4, 'compute', 'seat', rate => 2.5, operation => 'chat') > 0 AS converted;
SELECT credit_convert('acme', 6, 'compute', 'seat', rate => 0.5, member => 'alice') > 0 AS converted;
SELECT lot, unit, member, applies_to, remaining FROM credit.lots WHERE account = 'acme' AND unit = 'seat' ORDER BY lot;

-- Back again, at a rate that cannot be written: it is recorded to 18 decimals, and the amount is computed from the fraction.
SELECT credit_convert('acme', 0.16, 'usd', 'compute') AS posting \gset
SELECT to_amount, rate FROM credit.conversion WHERE account = 'acme' AND posting = :posting;

-- Under a key a request counts once.
SELECT credit_grant('acme', 100) \gset
SELECT credit_convert('acme', 10, 'compute', 'usd', key => 'k') AS posting \gset
SELECT credit_convert('acme', 10.0, 'compute', 'usd', key => 'k') = :posting AS repeated;
SELECT credit_convert('acme', 11, 'compute', 'usd', key => 'k');

-- Refused, and nothing changed.
SELECT credit_convert('acme', 1000, 'compute', 'usd');
SELECT credit_convert('acme', 1, 'compute', 'compute');
SELECT credit_convert('acme', 1, NULL, 'compute');
SELECT credit_convert('acme', 1, 'compute', 'seat');
SELECT credit_convert('acme', 1, 'compute', 'eur');
SELECT credit_convert('acme', 0.01, 'compute', 'usd');
SELECT credit_convert('acme', 1, 'compute', 'usd', rate => 0);
SELECT credit_convert('acme', 50, 'compute', 'usd', rate => 99999999999999);
SELECT credit_convert('acme', 0, 'compute', 'usd');
SELECT credit_convert('acme', 1, 'compute', 'gold');
SELECT credit_convert('acme', 1, 'gold', 'usd');
SELECT credit_convert('nobody', 1, 'compute', 'usd');
SELECT credit_convert('acme', 1, 'compute', NULL);
UPDATE credit.conversion SET rate = 1;
DELETE FROM credit.conversion;
TRUNCATE credit.conversion;
SELECT credit_balance('acme', unit => 'compute') AS compute, credit_balance('acme', unit => 'usd') AS usd, count(*) AS conversions
FROM credit.conversion;
SELECT * FROM credit_verify();

-- The proof finds what is wrong with conversions.
BEGIN;
SET LOCAL session_replication_role = replica;
ALTER TABLE credit.conversion DISABLE TRIGGER conversion_90_refuse_change;
ALTER TABLE credit.lot DISABLE TRIGGER lot_90_refuse_update;
UPDATE credit.conversion SET to_amount = to_amount + 1 WHERE posting = :posting;
UPDATE credit.lot SET paid = paid + 0.000000001 WHERE parent = 1;
UPDATE credit.lot SET expires_at = '2030-01-01' WHERE parent = 3;
SELECT invariant, lot, expected, found FROM credit_verify() ORDER BY invariant, lot, found COLLATE "C";
ROLLBACK;

-- There and back again: what comes out is cut, whatever the unit's rounding is, so nobody gains.
SELECT credit_unit('whole', decimals => 0, rounding => 'up'), credit_unit('cent', decimals => 0, currency => 'USD', fiat_per_credit => 0.01),
    credit_unit('micro', decimals => 0, currency => 'USD', fiat_per_credit => 0.000001);
SELECT credit_grant('there', 1.5) > 0 AS granted, credit_grant('back', 15000, unit => 'micro') > 0 AS granted;
SELECT credit_convert('there', 1.5, 'credit', 'whole', rate => 1) > 0 AS converted;
SELECT credit_balance('there', unit => 'whole') AS whole;
SELECT credit_convert('there', 1, 'whole', 'credit', rate => 1) > 0 AS converted;
SELECT credit_balance('there') AS credit, credit_balance('there', unit => 'whole') AS whole;
SELECT credit_convert('there', 0.5, 'credit', 'whole', rate => 1);
DO $$
BEGIN
    LOOP
        PERFORM credit_convert('back', credit_balance('back', unit => 'micro'), 'micro', 'cent');
        PERFORM credit_convert('back', credit_balance('back', unit => 'cent'), 'cent', 'micro');
        EXIT WHEN credit_balance('back', unit => 'micro') <= 10000;
    END LOOP;
END $$;
SELECT credit_balance('back', unit => 'micro') AS micro, credit_balance('back', unit => 'cent') AS cent;
SELECT DISTINCT invariant FROM credit_verify() WHERE account IN ('there', 'back');
