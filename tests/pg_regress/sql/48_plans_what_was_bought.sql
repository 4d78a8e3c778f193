-- Credits that an adjustment added to a lot were not bought: they leave last, and neither a void nor a change of plan takes them for bought ones.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 00:00:00+00';

SELECT credit_plan('dear', unit => 'credit', currency => 'USD', list_price => 1), credit_plan('cheap', unit => 'credit', currency => 'USD', list_price => 0.5);
SELECT credit_tier('dear', 'list', 0, discount => 0) > 0 AS dear, credit_tier('cheap', 'list', 0, discount => 0) > 0 AS cheap;

-- A downgrade pays back what is left of the credits that were bought. With 100 given on top, 100 used are the bought ones, as they are without.
SELECT name, charge, granted FROM unnest('{given,plain}'::text[]) AS name, credit_change_plan(name, 'dear', 100);
INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'adjustment', 100, lot FROM credit.lot WHERE account = 'given';
SELECT credit_debit(name, 100) > 0 AS debited FROM unnest('{given,plain}'::text[]) AS name;
SELECT name, charge, credit, returned, note FROM unnest('{given,plain}'::text[]) AS name, credit_change_plan(name, 'cheap', 10, at => '2026-06-01 00:00:00+00');
SELECT account, credit_balance(account) FROM credit.account ORDER BY account;

-- A void of bought and of given credits gives up what was bought, and no more: what a change grants then is what is missing of the plan.
SELECT charge, granted FROM credit_change_plan('voids', 'dear', 100);
INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'adjustment', 100, lot FROM credit.lot WHERE account = 'voids';
SELECT credit_void(account, lot) FROM credit.lot WHERE account = 'voids';
SELECT amount, granted, paid FROM credit.voided WHERE account = 'voids';
SELECT quantity, paid, kept_quantity, kept_paid FROM credit.purchases WHERE account = 'voids';
SELECT charge, granted FROM credit_change_plan('voids', 'dear', 150);

-- What was bought is used up: a void of the rest gives up nothing of it.
SELECT credit_purchase('used', 'dear', 100) AS lot \gset
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('used', 'adjustment', 100, :lot);
SELECT credit_debit('used', 100) > 0 AS debited;
SELECT credit_void('used', :lot) AS voided;
SELECT amount, granted, paid FROM credit.voided WHERE account = 'used';
SELECT quantity, paid, kept_quantity, kept_paid FROM credit.purchases WHERE account = 'used';
SELECT * FROM credit_verify();
