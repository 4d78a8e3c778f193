-- Charges: priced by the account's rate card and debited in one call.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_unit('compute', decimals => 6, currency => 'USD', fiat_per_credit => 0.01);
SELECT credit_rate_card('list', unit => 'compute');
SELECT count(credit_rate('list', operation, credits, per => 1000))
FROM (VALUES ('gpt-4o.input', 0.25), ('gpt-4o.output', 1), ('search', 7)) AS rates (operation, credits);
SELECT credit_rate('list', 'image', credits => 1, tier_from => '{100}', tier_credits => '{0.5}', tier_scope => 'month') IS NOT NULL AS prepared;
SELECT credit_publish('list');
SELECT credit_account('acme', unit => 'compute', rate_card => 'list');
SELECT credit_grant('acme', 100) AS lot;

SELECT credit_charge('acme', 'gpt-4o.input', 4808, member => 'alice') > 0 AS charged;
SELECT credit_balance('acme');
SELECT operation, quantity, amount, rate, member FROM credit.ledger WHERE account = 'acme' AND kind = 'debit';

-- Zero costs nothing and posts nothing.
SELECT credit_charge('acme', 'gpt-4o.input', 0) IS NULL AS nothing;

-- The price alone changes nothing.
SELECT credit_price(NULL, 'gpt-4o.output', 1000, account => 'acme');

-- All operations of one request in one posting, or none of them.
SELECT credit_charge_request('acme', ARRAY['gpt-4o.input', 'gpt-4o.output', 'search'], ARRAY[1200, 350, 2], member => 'bob', key => 'request 7')
    AS posting \gset
SELECT line, operation, quantity, amount, member FROM credit.ledger WHERE account = 'acme' AND posting = :posting ORDER BY line;
SELECT credit_charge_request('acme', ARRAY['gpt-4o.input', 'gpt-4o.output', 'search'], ARRAY[1200, 350, 2], member => 'bob', key => 'request 7')
    = :posting AS same;
SELECT credit_charge_request('acme', ARRAY['gpt-4o.input', 'translate'], ARRAY[1200, 1]);
SELECT credit_charge_request('acme', ARRAY['gpt-4o.input', 'gpt-4o.output'], ARRAY[1200, 1000000]);
SELECT credit_balance('acme');

-- A repetition under a key returns the first posting, whatever the rate is by then; the price is that of the usage's instant.
SELECT credit_charge('acme', 'gpt-4o.output', 1000, key => 'request 8') AS posting \gset
SET credit.clock = '2026-01-02 00:00:00+00';
SELECT credit_rate('list', 'gpt-4o.output', credits => 2, per => 1000) IS NOT NULL AS prepared;
SELECT credit_publish('list');
SELECT credit_charge('acme', 'gpt-4o.output', 1000, key => 'request 8') = :posting AS same;
SELECT credit_charge('acme', 'gpt-4o.output', 1001, key => 'request 8');
SELECT credit_charge('acme', 'gpt-4o.output', 1000, at => '2026-01-01 23:59:59.999999+00') AS before,
    credit_charge('acme', 'gpt-4o.output', 1000, at => '2026-01-02 00:00:00+00') AS after \gset
SELECT occurred_at, quantity, amount FROM credit.ledger WHERE account = 'acme' AND posting IN (:before, :after) ORDER BY posting;

-- Tiers of a month count what the account used in its calendar month.
SELECT credit_grant('acme', 200) AS lot;
SELECT credit_charge('acme', 'image', 60) > 0 AS first, credit_charge('acme', 'image', 20) > 0 AS second;
SELECT credit_price(NULL, 'image', 40, account => 'acme') AS this_month, credit_price('list', 'image', 40) AS from_zero;
SELECT credit_charge('acme', 'image', 40) > 0 AS third;
SELECT period_start, quantity FROM credit.rate_usage;

-- Several lots: the quantity is divided like the price, and adds up.
SELECT credit_account('small', unit => 'compute', rate_card => 'list');
SELECT credit_grant('small', 0.000001), credit_grant('small', 0.1), credit_grant('small', 1);
SELECT credit_charge('small', 'search', 100) > 0 AS charged;
SELECT line, amount, quantity FROM credit.ledger WHERE account = 'small' AND kind = 'debit' ORDER BY line;
SELECT sum(amount), sum(quantity) FROM credit.ledger WHERE account = 'small' AND kind = 'debit';

-- Many at once.
SELECT item, posting IS NOT NULL AS charged, amount, shortfall
FROM credit_charge_many(ARRAY['small', 'acme', 'acme', 'small'], ARRAY['search', 'search', 'gpt-4o.input', 'gpt-4o.output'],
    ARRAY[1000, 1000, 0, 100], mode => 'each');

-- Refused, and nothing has changed.
SELECT credit_charge('acme', 'translate', 1);
SELECT credit_charge('acme', 'search', -1);
SELECT credit_charge('acme', 'search', 1, at => '2025-01-01 00:00:00+00');
SELECT credit_charge('acme', 'search', 1000000);
SELECT credit_account('plain');
SELECT credit_charge('plain', 'search', 1);

SELECT * FROM credit_verify();
