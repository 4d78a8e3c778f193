-- Nothing is due of what is voided or paid back, and credits that were given are not taken for bought ones wherever they were moved.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 00:00:00+00';
SELECT credit_unit('worth', currency => 'USD', fiat_per_credit => 2);

SELECT credit_plan('dear', unit => 'credit', currency => 'USD', list_price => 1), credit_plan('cheap', unit => 'credit', currency => 'USD', list_price => 0.5);
SELECT credit_tier('dear', 'list', 0, discount => 0) > 0 AS dear, credit_tier('cheap', 'list', 0, discount => 0) > 0 AS cheap;

-- Of three instalments the second is voided when a part of it is used, the third before: the rest is due, and is what is kept.
SELECT credit_purchase('parts', 'dear', 100, instalments => 3, instalment_period => '1 month') > 0 AS bought;
SELECT line, due_at, agreed, amount, granted, is_due FROM credit.instalments WHERE account = 'parts' ORDER BY line;
SET credit.clock = '2026-07-02 00:00:00+00';
SELECT credit_debit('parts', 50) > 0 AS debited;
SELECT line, credit_void(account, lot) FROM credit.purchase_lot WHERE account = 'parts' AND line > 1 ORDER BY line;
SELECT line, due_at, agreed, amount, granted, is_due FROM credit.instalments WHERE account = 'parts' ORDER BY line;
SELECT sum(i.agreed) AS agreed, b.paid, sum(i.amount) AS due, b.kept_paid
FROM credit.instalments i JOIN credit.purchases b USING (account, purchase) WHERE account = 'parts' GROUP BY b.paid, b.kept_paid;

-- Voids of a part of each lot, whose prices have more decimals than the currency: the parts still add up to what is kept.
SELECT credit_purchase('thirds', 'cheap', 100.07, instalments => 3, instalment_period => '1 month') > 0 AS bought;
INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'debit', -1.11, lot FROM credit.lot WHERE account = 'thirds' ORDER BY lot LIMIT 1;
SET credit.clock = '2026-10-01 00:00:00+00';
INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'debit', -1.11, lot FROM credit.lot WHERE account = 'thirds' ORDER BY lot OFFSET 1;
SELECT sum(credit_void(account, lot)) FROM credit.lot WHERE account = 'thirds';
SELECT line, agreed, amount FROM credit.instalments WHERE account = 'thirds' ORDER BY line;
SELECT sum(i.amount) AS due, b.kept_paid FROM credit.instalments i JOIN credit.purchases b USING (account, purchase) WHERE account = 'thirds' GROUP BY b.kept_paid;

-- A change of plan that pays back. A purchase that is not paid is due as agreed, and one that was given up is not due at all.
SET credit.clock = '2026-06-01 00:00:00+00';
SELECT charge, granted FROM credit_change_plan('back', 'dear', 100);
SELECT credit_debit('back', 30) > 0 AS debited;
SELECT charge, credit, returned FROM credit_change_plan('back', 'cheap', 10, at => '2026-06-01 00:00:00+00');
SELECT purchase, plan, agreed, amount, is_due FROM credit.instalments WHERE account = 'back' ORDER BY purchase;
SELECT credit_purchase('pending', 'dear', 10, pending => true) AS lot \gset
SELECT status, agreed, amount, is_due FROM credit.instalments WHERE account = 'pending';
SELECT credit_void('pending', :lot);
SELECT status, agreed, amount, is_due FROM credit.instalments WHERE account = 'pending';

-- The bought credits are used up; the given rest is moved to another expiry, and a part of it to a member. A void there gives up nothing that was bought.
SELECT credit_purchase('moved', 'dear', 100) AS lot \gset
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('moved', 'adjustment', 100, :lot);
SELECT credit_debit('moved', 100) > 0 AS debited;
SELECT credit_set_expiry('moved', :lot, '2027-06-01 00:00:00+00') AS later \gset
SELECT credit_member('moved', 'ann');
SELECT credit_transfer('moved', 40, to_member => 'ann') > 0 AS transferred;
SELECT credit_void('moved', :later);
SELECT credit_void(account, lot) FROM credit.lot WHERE account = 'moved' AND member = 'ann';
SELECT v.origin = :lot AS of_purchase, amount, granted, paid FROM credit.voided v WHERE account = 'moved' ORDER BY posting;
SELECT kept_quantity, kept_paid FROM credit.purchases WHERE account = 'moved';
SELECT amount FROM credit.instalments WHERE account = 'moved';

-- Bought and given credits are moved together: a void gives up as many bought ones as their price bought.
SELECT credit_purchase('mixed', 'cheap', 100) AS lot \gset
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('mixed', 'adjustment', 100, :lot);
SELECT credit_debit('mixed', 50) > 0 AS debited;
SELECT credit_set_expiry('mixed', :lot, '2027-06-01 00:00:00+00') AS later \gset
SELECT granted, paid FROM credit.lot WHERE account = 'mixed' AND lot = :later;
SELECT credit_debit('mixed', 75) > 0 AS debited;
SELECT credit_void('mixed', :later);
SELECT amount, granted, paid FROM credit.voided WHERE account = 'mixed';
SELECT kept_quantity, kept_paid FROM credit.purchases WHERE account = 'mixed';
-- Without given ones all that is moved was bought.
SELECT credit_purchase('plain', 'cheap', 70.07) AS lot \gset
SELECT credit_debit('plain', 0.07) > 0 AS debited;
SELECT credit_set_expiry('plain', :lot, '2027-06-01 00:00:00+00') AS later \gset
SELECT credit_void('plain', :later);
SELECT amount, granted, paid FROM credit.voided WHERE account = 'plain';
SELECT kept_quantity, kept_paid FROM credit.purchases WHERE account = 'plain';

-- In the ledger's view what leaves a lot that gained credits is worth what the lot cost, and no more.
SELECT credit_grant('gains', 10, paid => 10, currency => 'USD') AS lot \gset
SELECT credit_debit('gains', 4) AS posting \gset
SELECT kind, amount, value FROM credit.ledger WHERE account = 'gains' ORDER BY posting, line;
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('gains', 'adjustment', 12, :lot);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('gains', 'adjustment', -2, :lot);
INSERT INTO credit.entry (account, kind, amount, lot, corrects) VALUES ('gains', 'adjustment', 1, :lot, :posting);
SELECT credit_debit('gains', 7) > 0 AS debited;
SELECT credit_set_expiry('gains', :lot, '2027-06-01 00:00:00+00') AS later \gset
SELECT lot = :lot AS of_lot, kind, amount, corrects IS NULL AS corrects_nothing, value FROM credit.ledger WHERE account = 'gains' ORDER BY posting, line;
SELECT lot = :lot AS of_lot, sum(amount), sum(value) FROM credit.ledger WHERE account = 'gains' AND lot = :lot AND kind <> 'grant' GROUP BY lot;
-- Of a lot that lost more than it gained, they add up to the price, too; of a lot without a price they are unknown.
SELECT credit_grant('loses', 10, paid => 10, currency => 'USD') AS lot \gset
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('loses', 'adjustment', 1, :lot);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('loses', 'adjustment', -4, :lot);
SELECT credit_debit('loses', 7) > 0 AS debited;
SELECT kind, amount, value FROM credit.ledger WHERE account = 'loses' ORDER BY posting, line;
SELECT credit_grant('gift', 10) AS lot \gset
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('gift', 'adjustment', 1, :lot);
SELECT kind, amount, value FROM credit.ledger WHERE account = 'gift' ORDER BY posting, line;
-- The revenue of priced usage goes by the same shares.
SELECT credit_rate_card('card', 'worth'), credit_rate('card', 'call', credits => 1, unit_cost => 0.1) IS NOT NULL AS priced;
SELECT count(*) FROM credit_publish('card');
SELECT credit_account('calls', rate_card => 'card');
SELECT credit_grant('calls', 10, unit => 'worth', paid => 10, currency => 'USD') AS lot \gset
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('calls', 'adjustment', 10, :lot);
SELECT credit_charge('calls', 'call', 15) > 0 AS charged;
SELECT account, credits, list_value, revenue, cost, margin FROM credit.margin_by_account WHERE account = 'calls';
SELECT credit_charge('calls', 'call', 5) > 0 AS charged;
SELECT account, credits, list_value, revenue, cost, margin FROM credit.margin_by_account WHERE account = 'calls';
SELECT * FROM credit_verify();
