-- What the dump and restore test starts with: every kind of row there is.

CREATE EXTENSION pg_credit;

-- Roles belong to the cluster and outlive the databases of this test.
SELECT 'CREATE ROLE lifecycle_spender' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'lifecycle_spender') \gexec
SELECT credit_allow('lifecycle_spender', 'spend');

-- Some time ago: lots that have expired since, swept and not swept.
SET credit.clock = '2024-01-01 00:00:00+00';
SELECT credit_account('acme', time_zone => 'Europe/Berlin', metadata => '{"plan": "team"}');
SELECT credit_member('acme', 'alice', department => 'research');
SELECT credit_member('acme', 'bob', department => 'sales', active => false);
SELECT credit_grant('acme', 100, category => 'promotional', expires_at => '2024-02-01 00:00:00+00', key => 'welcome');
SELECT credit_grant('acme', 100, category => 'promotional', expires_at => '2024-03-01 00:00:00+00');
SELECT credit_debit('acme', 12.345678, member => 'alice', key => 'first debit');
SELECT * FROM credit_maintain();
CALL credit_maintain(time_limit => '1 minute', max_rows => 10);
SET credit.clock = '2024-02-10 00:00:00+00';
SELECT credit_expire('acme');

-- Usage that came late: paid by what an expired lot lost.
SELECT credit_account('late', late_usage => 'original', late_grace => '1 month 2 days');
SELECT credit_grant('late', 100, paid => 70, currency => 'USD', expires_at => '2024-02-11 00:00:00+00'), credit_grant('late', 5);
SET credit.clock = '2024-02-12 00:00:00+00';
SELECT credit_debit('late', 101.5, at => '2024-02-10 12:00:00+00', key => 'late'), credit_debit('late', 1, at => '2024-02-10 12:00:00+00');
SELECT credit_grant('late', 9, expires_at => '2024-02-13 00:00:00+00');
SET credit.clock = '2024-02-14 00:00:00+00';
SELECT credit_debit('late', 2.5, at => '2024-02-12 12:00:00+00');
RESET credit.clock;

-- Now: lots of all kinds, a unit of money, debits across lots, a void, a changed expiry.
SELECT credit_grant('acme', 250, member => 'alice', category => 'promotional', expires_after => '10 years');
SELECT credit_grant('acme', 1000, paid => 800, currency => 'EUR', priority => 10, metadata => '{"invoice": 7}');
SELECT credit_grant('acme', 50, applies_to => ARRAY['chat', 'search']);
SELECT credit_grant('acme', 5000, effective_at => now() + '9 years', expires_at => now() + '10 years');
SELECT credit_debit('acme', 275.5, member => 'alice', operation => 'chat', metadata => '{"request": "r-1"}');
SELECT credit_void('acme', credit_grant('acme', 33));
SELECT credit_set_expiry('acme', credit_grant('acme', 44), now() + '20 years');
INSERT INTO credit.unit (unit, decimals, rounding, currency) VALUES ('usd', 2, 'half_up', 'USD');
SELECT credit_account('umbrella', unit => 'usd');
SELECT credit_grant('umbrella', 99.99, paid => 99.99, currency => 'USD');
SELECT credit_debit('umbrella', 0.01);

-- A conversion between two units of an account, with a rate that cannot be written.
SELECT credit_unit('third', decimals => 3, currency => 'USD', fiat_per_credit => 0.03);
SELECT credit_convert('umbrella', 10.01, 'usd', 'third');

-- Credits that went to a member, and an account that lets nobody else get any.
SELECT credit_transfer('acme', 1, to_member => 'alice', key => 'transfer');
SELECT credit_account('closed', transfers => 'none');

-- A department's cap, half used, one that warns, and one that has ended.
SELECT credit_account('capped');
SELECT credit_grant('capped', 1000);
SELECT credit_member('capped', 'dan', department => 'eng/ml');
SELECT credit_cap('capped', 100, department => 'eng', every => 'year', anchor => '2000-01-01 00:00:00+00');
SELECT credit_cap('capped', 1000, action => 'warn');
SELECT credit_debit('capped', 50, member => 'dan');
SELECT credit_end_cap('capped', credit_cap('capped', 10, operation => 'chat'));
SELECT credit_cap('capped', 70, operation => 'mail', rolling => '30 days');
SELECT credit_debit('capped', 20, operation => 'mail');

-- Rules of pooling, one that counts and one that will; departments; a pool that seats feed.
SELECT credit_account('seated'), credit_grant('seated', 1000);
SELECT credit_member('seated', 'ann', department => 'eng/ml'), credit_member('seated', 'bea', department => 'eng', kind => 'agent');
SELECT credit_pooling('seated', 'per_seat', department => 'eng/ml'), credit_pooling('seated', 'per_seat', member => 'bea', effective_at => '2090-01-01 00:00:00+00');
SELECT credit_move_department('seated', 'eng', 'product');
SELECT credit_schedule('seated', 10, '1 year', per_member => true, into_pool => true, anchor => '2000-01-01 00:00:00+00');
-- A member without a seat, and one who took it.
SELECT credit_account('guests', self_seating => true); SELECT credit_grant('guests', 10);
SELECT credit_schedule('guests', 10, '1 year', per_member => true, anchor => '2000-01-01 00:00:00+00');
SELECT credit_debit('guests', 1, member => 'gus'); SELECT credit_account('guests', self_seating => false);
SELECT credit_debit('guests', 1, member => 'hal');

-- Written past the functions: applied by the triggers, once.
INSERT INTO credit.lot (account, unit, granted, category, source, effective_at)
    SELECT account, unit, 70, 'paid', 'adjustment', now() FROM credit.account WHERE account = 'acme';
INSERT INTO credit.entry (account, lot, kind, amount)
    SELECT account, max(lot), 'debit', -7 FROM credit.lot WHERE account = 'acme' AND granted = 70 GROUP BY account;

-- A correction of a part of a debit, and a lot that gained.
SELECT credit_account('corrected'), credit_grant('corrected', 100, paid => 50, currency => 'USD');
SELECT credit_debit('corrected', 30, member => 'carl', operation => 'chat');
INSERT INTO credit.entry (account, kind, amount, lot, corrects)
    SELECT account, 'adjustment', 10, lot, posting FROM credit.entry WHERE account = 'corrected' AND kind = 'debit';
INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'adjustment', 5, lot FROM credit.lot WHERE account = 'corrected';

-- A rate card with versions past, present and announced, a draft, and usage of a period.
SELECT credit_unit('compute', currency => 'USD', fiat_per_credit => 0.01);
SELECT credit_unit('compute', fiat_per_credit => 0.02, effective_at => '2090-01-01 00:00:00+00');
SELECT credit_rate_card('list', unit => 'compute', notice => '30 days', agreement => 'A-7');
SELECT credit_rate('list', 'chat', credits => 0.25, per => 1000, unit_cost => 0.000001, note => 'first');
SELECT credit_rate('list', 'chat', credits => 0.2, per => 1000, dimensions => '{"model": "mini", "size": 1.50}');
SELECT credit_rate('list', 'image', credits => 1, minimum => 0.5, tier_from => '{10}', tier_credits => '{0.5}', tier_scope => 'year');
SELECT credit_publish('list', effective_at => now() - interval '1 hour');
SELECT credit_account('priced', unit => 'compute', rate_card => 'list', time_zone => 'Asia/Tokyo');
SELECT credit_grant('priced', 0.1), credit_grant('priced', 100);
SELECT credit_charge('priced', 'chat', 1000, dimensions => '{"model": "mini", "size": 1.5, "region": "eu"}', key => 'first charge');
SELECT credit_charge('priced', 'image', 12, member => 'alice');
SELECT credit_rate('list', 'chat', credits => 0.125, per => 1000);
SELECT credit_publish('list');
SELECT credit_rate('list', 'chat', credits => 0.5, per => 1000);
SELECT credit_publish('list', effective_at => '2090-01-01 00:00:00+00');
SELECT credit_rate('list', 'report', credits => 2, per => 10, block => true);

-- A plan with versions and costs, agreements past and present, and purchases: paid at once, pending, and void.
SELECT credit_standard_plan('api', 'credit', 'USD', 0.01);
SELECT credit_plan_cost('api', 0.002), credit_plan_cost('api', 0.001, from_quantity => 1000000);
SELECT credit_tier('api', 'growth', 50000, discount => 0.15, expiry => '18 months', note => 'again');
SELECT credit_agreement('buyer', 'api', discount => 0.3, committed_money => '{1000, 2000}', note => 'first');
SELECT credit_agreement('buyer', 'api', unit_price => 0.005, expiry => '2 years', ended_at => '2090-01-01 00:00:00+00');
SELECT credit_purchase('buyer', 'api', 1000, bonus => 7, key => 'first order');
SELECT credit_purchase('buyer', 'api', budget => 12.34, instalments => 3, instalment_period => '1 month', member => 'alice');
SELECT credit_purchase('buyer', 'api', 500, pending => true, metadata => '{"order": 3}');
SELECT credit_void('buyer', credit_purchase('buyer', 'api', 5, pending => true));

-- Subscriptions: begun, changed within a period, given back, announced, cancelled; in time zones and with a commitment.
SET credit.clock = '2090-01-31 12:00:00+00';
SELECT credit_plan('monthly', unit => 'credit', currency => 'JPY', list_price => 2), credit_tier('monthly', 'list', 0, discount => 0, commitment => '6 months');
SELECT credit_account('subscriber', time_zone => 'Asia/Tokyo');
SELECT credit_change_plan('subscriber', 'monthly', 700, key => 'first plan');
SET credit.clock = '2090-02-10 12:00:00+00';
SELECT credit_change_plan('subscriber', 'monthly', 1000);
SELECT credit_change_plan('subscriber', 'monthly', 10, at => '2090-02-10 12:00:00+00', override_reason => 'smaller');
SELECT credit_change_plan('subscriber', 'api', 1000, billing_period => 'year', override_reason => 'longer');
SELECT credit_change_plan('leaver', 'api', 100), credit_cancel_plan('leaver');
RESET credit.clock;

-- Schedules: issued, due but not issued, rolled over, ended, and for members.
SET credit.clock = '2026-01-31 00:00:00+00';
SELECT credit_schedule('cyclic', 100, interval '1 month', paid => 1, currency => 'USD', rollover => '{"fraction_of_unused": 0.5, "max_amount": 70}');
SELECT credit_schedule('cyclic', 10, interval '7 days', per_member => true, on_leave => 'return', metadata => '{"for": "seats"}');
SELECT credit_member('cyclic', 'alice'), credit_member('cyclic', 'bob'), credit_member('cyclic', 'bob', active => false);
SELECT credit_member('cyclic', 'bob', active => true);
SET credit.clock = '2026-04-15 00:00:00+00';
SELECT credit_refresh(account => 'cyclic');
SELECT credit_standard_schedule('cyclic b2b', 1000, years => 2, key => 'contract');
SELECT credit_end_schedule('cyclic b2b', schedule, '2090-01-01 00:00:00+00') FROM credit.schedules WHERE account = 'cyclic b2b';

-- A plan that grants something, to who was on it and to who came; one leaves it at the end of the period.
SELECT credit_plan('granting', unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier('granting', 'list', 0, discount => 0);
SELECT credit_change_plan('granted', 'granting', 100);
SELECT credit_schedule(plan => 'granting', amount => 20, every => interval '1 month', on_leave => 'expire', key => 'included');
SELECT credit_change_plan('granted later', 'granting', 100), credit_cancel_plan('granted later');
RESET credit.clock;

-- An account for many clients at once (crowd.sql), so that its lot is spread over several slots.
SELECT credit_grant('crowd', 100000);

-- True-ups: declared, closed with a lot for the shortfall, settled, carried, and corrected.
SET credit.clock = '2026-01-01 00:00:00+00';
SELECT credit_grant('committed', 1000);
SELECT credit_true_up_terms('committed', commitment => 500, anchor => '2026-01-01 00:00:00+00', unit_price => 0.02, currency => 'USD',
    grant_shortfall => true);
SET credit.clock = '2026-04-15 00:00:00+00';
SELECT shortfall, amount_due FROM credit_true_up_post('committed');
SELECT credit_true_up_settle('committed', true_up) FROM credit.true_up WHERE account = 'committed';
SELECT credit_debit('committed', 7, at => '2026-02-01 00:00:00+00');
SELECT credit_true_up_terms('committed', shortfall => 'carry', grant_shortfall => false);
SET credit.clock = '2026-07-15 00:00:00+00';
SELECT carried_forward FROM credit_true_up_post('committed');
RESET credit.clock;

-- Holds: open, in part captured, released, and expired without anybody having cleaned up; a refund, a withdrawal, a run.
SELECT credit_grant('held', 100) AS lot \gset
SELECT credit_cap('held', 90, every => 'year');
SELECT credit_hold('held', 20, expires_after => '31 days', key => 'open', run => 'night'),
    credit_hold('held', 5, expires_after => '1 microsecond', key => 'ended'), credit_hold('held', 4, key => 'released');
SELECT credit_capture('held', (SELECT result FROM credit.request WHERE account = 'held' AND key = 'open'), 6, final => false) AS posting \gset
SELECT credit_release('held', (SELECT result FROM credit.request WHERE account = 'held' AND key = 'released'));
SELECT credit_refund('held', :posting, 2, reason => 'failed'), credit_withdraw('held', :lot, 3);
