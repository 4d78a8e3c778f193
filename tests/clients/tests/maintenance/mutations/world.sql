-- A small world in which every feature was used, so that every table has rows.
SET timezone = 'UTC';
SET credit.key_retention_days = 3000;
SET credit.clock = '2026-01-01 00:00:00+00';
SELECT credit_unit('credit', decimals => 6), credit_unit('token', decimals => 2), credit_unit('usd', decimals => 2,
    currency => 'USD');
SELECT credit_unit('credit', fiat_per_credit => 0.01, currency => 'USD', note => 'list');
SELECT credit_rate_card('list', unit => 'credit', is_default => true, notice => '7 days', note => 'ours');
SELECT credit_rate('list', 'chat', credits => 2, unit_cost => 0.004, note => 'first'), credit_rate('list', 'image', credits => 3,
    per => 2, minimum => 1, block => true),
    credit_rate('list', 'search', credits => 1, tier_from => '{10}', tier_credits => '{0.5}', tier_scope => 'month'),
    credit_rate('list', 'chat', credits => 5, dimensions => '{"model": "large"}');
SELECT count(*) FROM credit_publish('list');
SELECT credit_plan('small', unit => 'credit', currency => 'USD', list_price => 0.01, expiry => '2 years', note => 'p'),
    credit_plan('large', unit => 'credit', currency => 'USD', list_price => 0.02, model => 'graduated');
SELECT credit_tier('small', 'one', 0, discount => 0) > 0, credit_tier('small', 'two', 100, discount => 0.1) > 0,
    credit_tier('large', 'one', 0, unit_price => 0.02) > 0,
    credit_tier('large', 'two', 200, unit_price => 0.015) > 0;
SELECT credit_plan_cost('small', 0.001), credit_plan_cost('large', 0.002, from_quantity => 100);
SELECT credit_schedule(plan => 'large', amount => 20, every => '1 month', key => 'monthly') > 0;
-- lots, moves, debits, late usage, breakage, corrections, conversions
SELECT credit_account('acme', unit => 'credit', late_usage => 'original', late_grace => '90 days', metadata => '{"since": 2020}');
SELECT credit_member('acme', 'alice', department => 'eng/ml', metadata => '{"a": 1}'), credit_member('acme', 'bob',
    department => 'sales', kind => 'agent');
SELECT credit_grant('acme', 100, paid => 50, currency => 'USD', key => 'first', metadata => '{"order": 1}');
SELECT credit_grant('acme', 30, member => 'alice', source => 'top_up', priority => 10, expires_at => '2026-02-15 00:00+00');
SELECT credit_grant('acme', 40, applies_to => '{chat}', expires_at => '2026-03-10 00:00+00', category => 'promotional');
SET credit.clock = '2026-01-05 00:00:00+00';
SELECT credit_debit('acme', 4, member => 'alice', operation => 'mail', key => 'd1', metadata => '{"x": 1}');
SELECT count(*) FROM credit_charge('acme', 'chat', 5, member => 'bob', key => 'c1');
SELECT count(*) FROM credit_charge('acme', 'chat', 2, member => 'bob', dimensions => '{"model": "large"}');
SELECT count(*) FROM credit_charge('acme', 'search', 12, member => 'alice');
SELECT count(*) FROM credit_charge('acme', 'image', 3);
SELECT count(*) FROM credit_transfer('acme', 20, to_member => 'bob', key => 't1');
SELECT count(*) FROM credit_convert('acme', 10, 'credit', 'token', rate => 2.5, key => 'v1');
SELECT count(*) FROM credit_debit_many('{acme,acme}', '{1,2}', members => '{alice,bob}', operations => '{mail,NULL}',
    keys => '{b1,b2}');
SELECT credit_grant('acme', 7, key => 'mistake');
SELECT credit_void('acme', (SELECT max(lot) FROM credit.lot));
INSERT INTO credit.entry (account, kind, amount, lot, corrects, metadata)
    SELECT 'acme', 'adjustment', 1, lot, posting, '{"reason": "empty"}'
    FROM credit.entry WHERE kind = 'debit' AND operation = 'mail' ORDER BY posting LIMIT 1;
INSERT INTO credit.lot (account, granted, paid, currency, effective_at) VALUES ('acme', 12, 6, 'USD', '2026-01-06 00:00+00');
SET credit.clock = '2026-03-12 00:00:00+00';
SELECT credit_expire();
SELECT credit_debit('acme', 3, member => 'alice', operation => 'mail', at => '2026-02-10 00:00+00');
-- purchases
SELECT credit_agreement('buyer', 'small', unit_price => 0.008, committed_quantity => '{1000,2000}', expiry => '3 years',
    note => 'a') > 0;
SELECT credit_purchase('buyer', 'small', 300, bonus => 10, key => 'p1', metadata => '{"po": 1}') > 0;
SELECT credit_purchase('acme', 'small', 120, key => 'p2') > 0, credit_purchase('acme', 'large', 250, by_band => true) > 0,
    credit_purchase('acme', 'small', 90, instalments => 3, instalment_period => '1 month') > 0;
SELECT credit_purchase('acme', 'small', 50, pending => true) > 0, credit_purchase('acme', 'small', 60, pending => true) > 0,
    credit_purchase('acme', 'small', 70, pending => true) > 0;
SELECT count(credit_activate('acme', (SELECT lot FROM credit.purchase_lot JOIN credit.purchase USING (account,
    purchase) WHERE quantity = 60)));
SELECT credit_void('acme', (SELECT lot FROM credit.purchase_lot JOIN credit.purchase USING (account,
    purchase) WHERE quantity = 70));
-- subscriptions
SELECT count(*) FROM credit_change_plan('sub', 'small', 100, key => 's1');
SET credit.clock = '2026-03-20 00:00:00+00';
SELECT credit_debit('sub', 10, member => 'zoe');
SELECT count(*) FROM credit_change_plan('sub', 'large', 200);
SET credit.clock = '2026-03-25 00:00:00+00';
SELECT count(*) FROM credit_change_plan('sub', 'small', 40, at => '2026-03-25 00:00:00+00');
SELECT count(*) FROM credit_change_plan('leaver', 'small', 10);
SELECT count(*) FROM credit_cancel_plan('leaver');
-- schedules
SELECT credit_account('cyclic', time_zone => 'Europe/Berlin'), credit_member('cyclic', 'ann'), credit_member('cyclic', 'ben');
SELECT credit_schedule('cyclic', 100, '1 month', anchor => '2026-03-01 00:00+00', starts_at => '2026-03-25 00:00+00', paid => 10,
    currency => 'USD', rollover => '{"fraction_of_unused": 0.5}', key => 'm', metadata => '{"m": 1}', proration => 'first') > 0,
    credit_schedule('cyclic', 5, '1 month', per_member => true, expires_after => '40 days') > 0, credit_schedule('cyclic', 6,
    '1 month', per_member => true, into_pool => true, priority => 30) > 0,
    credit_schedule('cyclic', 8, '10 days', ends_at => '2026-04-20 00:00+00', expires => 'never') > 0;
-- true-ups
SELECT credit_account('trued', late_usage => 'current');
SELECT credit_true_up_terms('trued', every => '1 month', anchor => '2026-03-01 00:00+00', commitment => 50, unit_price => 0.1,
    overage_price => 0.2, currency => 'USD', overage => 'carry', grant_shortfall => true);
SELECT credit_grant('trued', 500), credit_grant('trued', 20, paid => 2, currency => 'USD'), credit_grant('trued', 9,
    expires_at => '2026-04-10 00:00+00');
SELECT credit_debit('trued', 30, operation => 'mail');
-- caps, pooling
SELECT credit_account('capped', pooling => 'per_seat'), credit_member('capped', 'cat', department => 'ops'),
    credit_grant('capped', 100), credit_grant('capped', 50, member => 'cat');
SELECT credit_cap('capped', 60, every => 'month') > 0, credit_cap('capped', 40, member => 'cat', rolling => '7 days',
    action => 'warn') > 0, credit_cap('capped', 30, department => 'ops', operation => 'mail', every => 'day',
    covers => 'pool') > 0;
SELECT credit_pooling('capped', 'pooled', department => 'ops'), credit_pooling('capped', 'pooled',
    effective_at => '2026-06-01 00:00+00');
SELECT credit_debit('capped', 10, member => 'cat', operation => 'mail'), credit_debit('capped', 45, member => 'cat');
SELECT credit_cap('capped', 99, operation => 'old', every => 'year') > 0;
SELECT credit_end_cap('capped', (SELECT max(cap) FROM credit.cap));
-- time passes
SET credit.clock = '2026-04-21 00:00:00+00';
SELECT credit_refresh() > 0;
SELECT count(*) FROM credit_true_up_post('trued', '2026-03-01 00:00+00', '2026-04-01 00:00+00');
SELECT credit_debit('trued', 15, at => '2026-03-28 00:00+00'), credit_debit('trued', 80);
SET credit.clock = '2026-05-02 00:00:00+00';
SELECT count(*) FROM credit_true_up_post('trued', '2026-04-01 00:00+00', '2026-05-01 00:00+00');
SELECT credit_true_up_settle('trued', (SELECT min(true_up) FROM credit.true_up));
SELECT count(*) FROM credit_renew('sub');
SELECT credit_rate('list', 'chat', credits => 2.5), credit_rate('list', 'fax', credits => 9, note => 'draft');
SELECT count(*) FROM credit_publish('list', effective_at => '2026-06-01 00:00+00');
SELECT credit_rate('list', 'image', credits => 4, note => 'draft');
SELECT credit_tier('small', 'two', 100, discount => 0.2) > 0;
SELECT credit_unit('credit', fiat_per_credit => 0.02);

SELECT credit_account('held'), credit_grant('held', 100) > 0, credit_cap('held', 90, every => 'year') > 0;
SELECT credit_hold('held', 5, run => 'run 1') > 0, credit_hold('held', 7, key => 'open', expires_after => '1 day') > 0,
    credit_hold_charge('held', 'chat', 2, expires_after => '1 day') > 0, credit_hold('held', 3) > 0;
SELECT credit_capture('held', (SELECT min(hold) FROM credit.hold), 4) > 0,
    credit_capture('held', (SELECT min(hold) + 1 FROM credit.hold), 2, final => false) > 0,
    credit_release('held', (SELECT max(hold) FROM credit.hold));
SELECT credit_refund('held', (SELECT min(posting) FROM credit.entry WHERE hold IS NOT NULL), 1) > 0;
SELECT credit_maintain();
