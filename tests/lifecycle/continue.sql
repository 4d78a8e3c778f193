-- Work goes on in the restored database.

-- A grant and a debit, to the last decimal, and ids that are new.
DO $$
DECLARE
    before numeric := credit_balance('acme');
    last_lot bigint := (SELECT max(lot) FROM credit.lot);
    last_posting bigint := (SELECT max(posting) FROM credit.entry);
    new_lot bigint;
    new_posting bigint;
BEGIN
    new_lot := credit_grant('acme', 500, category => 'paid');
    new_posting := credit_debit('acme', 12.5, member => 'carol');
    ASSERT new_lot > last_lot, format('lot %s is not after %s', new_lot, last_lot);
    ASSERT new_posting > last_posting, format('posting %s is not after %s', new_posting, last_posting);
    ASSERT credit_balance('acme') = before + 487.5, format('%s after %s', credit_balance('acme'), before);
END $$;

-- Seats are as they were: one took it by a debit, the other gets one now.
DO $$
BEGIN
    ASSERT (SELECT string_agg(member, ' ') FROM credit.unseated_members WHERE account = 'guests') = 'hal';
    ASSERT credit_balance('guests', 'gus') = credit_balance('guests', 'hal') + 10, credit_balance('guests', 'hal');
    PERFORM credit_member('guests', 'hal');
    ASSERT credit_balance('guests', 'gus') = credit_balance('guests', 'hal'), credit_balance('guests', 'hal');
END $$;

-- Keys are remembered: the same request changes nothing.
DO $$
DECLARE
    before numeric := credit_balance('acme');
    recorded bigint := (SELECT result FROM credit.request WHERE account = 'acme' AND key = 'first debit');
BEGIN
    ASSERT credit_debit('acme', 12.345678, member => 'alice', key => 'first debit') = recorded;
    ASSERT credit_balance('acme') = before;
END $$;

-- Prices are the same, versions still do not overlap, and the period goes on from where it was.
DO $$
DECLARE
    before numeric := credit_balance('priced');
    last_rate bigint := (SELECT max(rate) FROM (SELECT rate FROM credit.rate UNION ALL SELECT rate FROM credit.rate_draft) r);
BEGIN
    ASSERT credit_price('list', 'chat', 4808) = 0.601;
    ASSERT credit_price('list', 'chat', 1000, dimensions => '{"size": 1.5, "model": "mini"}') = 0.2;
    ASSERT credit_price('list', 'chat', 1000, at => '2095-01-01') = 0.5;
    ASSERT credit_charge('priced', 'chat', 1000, dimensions => '{"model": "mini", "size": 1.5, "region": "eu"}', key => 'first charge')
        = (SELECT result FROM credit.request WHERE account = 'priced' AND key = 'first charge');
    ASSERT credit_balance('priced') = before;
    PERFORM credit_charge('priced', 'image', 2);
    ASSERT credit_balance('priced') = before - 1, format('%s after %s', credit_balance('priced'), before);
    ASSERT credit_rate('list', 'new', credits => 1) > last_rate, 'a rate id that is new';
    ASSERT credit_publish('list') = 2, 'the draft and the new one';
    ASSERT credit_price('list', 'report', 11) = 4;
    BEGIN
        INSERT INTO credit.rate (rate, effective_at, published_at, card, operation, credits, published_by)
        SELECT nextval('credit.rate_id'), effective_at, published_at, card, operation, credits, published_by FROM credit.rate
        WHERE operation = 'report';
        RAISE EXCEPTION 'two versions of one rate overlap';
    EXCEPTION WHEN exclusion_violation THEN
        NULL;
    END;
END $$;

-- A subscription goes on: its key is known, the period is not bought again, and the next one is by what was announced.
DO $$
DECLARE
    periods bigint := (SELECT count(*) FROM credit.subscription_purchase);
    last_subscription bigint;
BEGIN
    SET LOCAL credit.clock = '2090-02-10 12:00:00+00';
    ASSERT (SELECT granted FROM credit_change_plan('subscriber', 'monthly', 700, key => 'first plan')) = 700;
    ASSERT NOT EXISTS (SELECT FROM credit_renew('subscriber'));
    ASSERT (SELECT count(*) FROM credit.subscription_purchase) = periods;
    SET LOCAL credit.clock = '2090-03-01 12:00:00+00';
    ASSERT (SELECT granted FROM credit_renew('subscriber')) = 1000;
    last_subscription := (SELECT max(subscription) FROM credit.subscription);
    PERFORM credit_change_plan('newcomer', 'api', 5);
    ASSERT (SELECT max(subscription) FROM credit.subscription) > last_subscription, 'a subscription id that is new';
END $$;

-- What schedules brought comes once, and what is due comes at first touch.
DO $$
DECLARE
    before numeric := credit_balance('cyclic', 'alice');
    last_period integer := (SELECT max(period) FROM credit.schedule_period WHERE account = 'cyclic');
BEGIN
    PERFORM credit_debit('cyclic', 1, member => 'alice');
    ASSERT credit_balance('cyclic', 'alice') = before - 1, format('%s after %s', credit_balance('cyclic', 'alice'), before);
    ASSERT (SELECT max(period) FROM credit.schedule_period WHERE account = 'cyclic') > last_period, 'a period that was due';
    ASSERT credit_schedule(plan => 'granting', amount => 20, every => interval '1 month', on_leave => 'expire', key => 'included')
        = (SELECT plan_schedule FROM credit.schedules WHERE account = 'granted'), 'what a plan grants, once';
    ASSERT (SELECT ends_at FROM credit.schedules WHERE account = 'granted later') = '2026-05-15 00:00:00+00', 'until it leaves';
    ASSERT credit_standard_schedule('cyclic b2b', 1000, years => 2, key => 'contract')
        = (SELECT schedule FROM credit.schedules WHERE account = 'cyclic b2b');
END $$;

-- A row written past the functions is applied once, and history still cannot be changed.
DO $$
DECLARE
    before numeric := credit_balance('acme');
BEGIN
    INSERT INTO credit.lot (account, unit, granted, category, source, effective_at)
        SELECT account, unit, 30, 'paid', 'adjustment', now() - interval '1 second' FROM credit.account WHERE account = 'acme';
    ASSERT credit_balance('acme') = before + 30, format('%s after %s', credit_balance('acme'), before);
    BEGIN
        DELETE FROM credit.entry;
        RAISE EXCEPTION 'the ledger could be deleted' USING ERRCODE = 'XX000';
    EXCEPTION WHEN internal_error THEN
        RAISE;
    WHEN OTHERS THEN
        NULL;
    END;
END $$;

-- What expired and was not taken back before can be taken back now.
SET credit.clock = '2024-02-15 00:00:00+00';
DO $$
BEGIN
    PERFORM credit_debit('late', 6.5, at => '2024-02-12 12:00:00+00');
    ASSERT (SELECT sum(expired - taken_back) FROM credit.breakage WHERE account = 'late') = 0, 'breakage';
    ASSERT credit_try_debit('late', 3, at => '2024-02-12 12:00:00+00') IS NULL, 'more than what expired';
END $$;
RESET credit.clock;

-- A correction is bounded by what was given back before, and what a lot gained has no price.
DO $$
BEGIN
    BEGIN
        INSERT INTO credit.entry (account, kind, amount, lot, corrects)
            SELECT account, 'adjustment', 20.5, lot, posting FROM credit.entry WHERE account = 'corrected' AND kind = 'debit';
        RAISE EXCEPTION 'more was given back than was debited' USING ERRCODE = 'XX000';
    EXCEPTION WHEN object_not_in_prerequisite_state THEN
        NULL;
    END;
    INSERT INTO credit.entry (account, kind, amount, lot, corrects)
        SELECT account, 'adjustment', 20, lot, posting FROM credit.entry WHERE account = 'corrected' AND kind = 'debit';
    PERFORM credit_set_expiry('corrected', (SELECT lot FROM credit.lot WHERE account = 'corrected'), now() + interval '1 year');
    ASSERT (SELECT (granted, paid) = (105, 50) FROM credit.lot WHERE account = 'corrected' AND parent IS NOT NULL), 'the price of what moved';
END $$;

-- Never below zero.
DO $$
BEGIN
    ASSERT credit_try_debit('crowd', 1000000) IS NULL;
END $$;

-- Caps count on, and are still enforced.
DO $$
BEGIN
    ASSERT credit_spendable('capped', member => 'dan') = 50, credit_spendable('capped', member => 'dan');
    BEGIN PERFORM credit_try_debit('capped', 51, member => 'dan'); ASSERT false, 'beyond a cap'; EXCEPTION WHEN program_limit_exceeded THEN NULL; END;
    ASSERT credit_debit('capped', 50, member => 'dan') > 0;
    BEGIN PERFORM credit_try_debit('capped', 1, member => 'dan'); ASSERT false, 'beyond a cap'; EXCEPTION WHEN program_limit_exceeded THEN NULL; END;
    ASSERT credit_spendable('capped', operation => 'mail') = 50, credit_spendable('capped', operation => 'mail');
    BEGIN PERFORM credit_try_debit('capped', 51, operation => 'mail'); ASSERT false, 'beyond a cap'; EXCEPTION WHEN program_limit_exceeded THEN NULL; END;
    ASSERT credit_debit('capped', 50, operation => 'mail') > 0;
    BEGIN PERFORM credit_try_debit('capped', 1, operation => 'mail'); ASSERT false, 'beyond a cap'; EXCEPTION WHEN program_limit_exceeded THEN NULL; END;
    ASSERT credit_cap('capped', 10, operation => 'search') > (SELECT max(cap) FROM credit.cap WHERE operation = 'chat');
END $$;

-- Rules of pooling count on, departments go by them, and a seat that is added raises the pool.
DO $$
DECLARE
    pool numeric := credit_balance('seated', member => 'bea');
BEGIN
    ASSERT credit_try_debit('seated', 1, member => 'ann') IS NULL;
    ASSERT credit_debit('seated', 1, member => 'bea') > 0;
    ASSERT credit_balance('seated', member => 'bea', at => '2090-01-01 00:00:00+00') = 0;
    PERFORM credit_member('seated', 'cleo');
    ASSERT credit_balance('seated', member => 'cleo') = pool - 1 + 10, credit_balance('seated', member => 'cleo');
    ASSERT credit_pooling('seated', NULL, department => 'product/ml') > (SELECT count(*) FROM credit.pooling WHERE account = 'seated') - 1;
    ASSERT credit_debit('seated', 1, member => 'ann') > 0;
END $$;

-- The role that may spend still may.
SET ROLE lifecycle_spender;
DO $$ BEGIN PERFORM credit_debit('acme', 1, member => 'alice'); END $$;
RESET ROLE;

-- Maintenance goes on, and numbers its runs on.
-- What was added up before is added up anew.
DO $$ BEGIN ASSERT credit.rolled_up_to() = 0, 'a watermark of another database'; END $$;
CALL credit_maintain(time_limit => '1 minute');
DO $$ BEGIN ASSERT credit.rolled_up_to() > 0, 'nothing is added up'; END $$;

DO $$
BEGIN
    ASSERT NOT EXISTS (SELECT FROM credit_verify()), 'the books are wrong';
END $$;

-- A closed period stays closed, and the next one begins with what it carried.
SET credit.clock = '2026-10-15 00:00:00+00';
DO $$
DECLARE
    last_true_up bigint := (SELECT max(true_up) FROM credit.true_up);
BEGIN
    ASSERT (SELECT true_up FROM credit_true_up_post('committed', '2026-01-01 00:00:00+00', '2026-04-01 00:00:00+00')) <= last_true_up;
    ASSERT (SELECT carried_in FROM credit_true_up('committed', '2026-07-01 00:00:00+00', '2026-10-01 00:00:00+00')) = -493;
    ASSERT (SELECT true_up FROM credit_true_up_post('committed')) > last_true_up;
END $$;
RESET credit.clock;

-- Debits of the restored tables go directly.
DO $$
DECLARE
    before bigint := (SELECT directly FROM credit.direct_steps() WHERE step = 'debit');
BEGIN
    PERFORM credit_debit('acme', 1), credit_debit('acme', 1);
    ASSERT (SELECT directly FROM credit.direct_steps() WHERE step = 'debit') = before + 2, (SELECT string_agg(s::text, ' ') FROM credit.direct_steps() s);
    ASSERT NOT EXISTS (SELECT FROM credit.status WHERE topic = 'speed' AND NOT is_well), (SELECT string_agg(detail, ', ') FROM credit.status WHERE topic = 'speed');
END $$;

-- An open hold is still open, is captured, and the cap goes on from there; one that ended keeps nobody from spending.
DO $$
DECLARE
    spare bigint := (SELECT result FROM credit.request WHERE account = 'held' AND key = 'open');
BEGIN
    ASSERT (SELECT state || ' ' || captured || ' ' || h.open FROM credit.holds h WHERE hold = spare) = 'open 6 14';
    ASSERT (SELECT available || ' ' || held || ' ' || total FROM credit.balances WHERE account = 'held') = '79 14 93';
    ASSERT (SELECT used || ' ' || held FROM credit.caps WHERE account = 'held') = '4 14';
    ASSERT credit_hold('held', 20, expires_after => '31 days', key => 'open', run => 'night') = spare;
    PERFORM credit_capture('held', spare, 10);
    ASSERT (SELECT used || ' ' || held FROM credit.caps WHERE account = 'held') = '14 0';
    PERFORM credit_debit('held', 75);
    ASSERT credit_balance('held') = 8, credit_balance('held');
    ASSERT (SELECT max(hold) FROM credit.hold) < credit_hold('held', 1, expires_after => '1 microsecond');
END $$;
