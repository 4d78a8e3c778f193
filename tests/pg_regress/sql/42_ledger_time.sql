-- Time: periods of the calendar however far away their anchor is, clocks that are set back, and time zones.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
-- The period that contains an instant is one of those that follow each other from the anchor, which are laid here one after the other.
-- Zones with summer time, with a day that was left out, and with a local mean time in the beginning.
CREATE FUNCTION wrong_periods(every text, length interval, days numeric, zone text, anchor timestamptz, clock timestamptz) RETURNS bigint LANGUAGE sql AS $$
    WITH begins AS MATERIALIZED (
        SELECT CASE n WHEN 0 THEN anchor ELSE (anchor AT TIME ZONE zone + n * length) AT TIME ZONE zone END AS at
        FROM (SELECT floor(EXTRACT(epoch FROM clock - anchor) / 86400 / days)::bigint AS near) g, generate_series(near - 5, near + 5) AS n
    ), expected AS (
        SELECT max(at) FILTER (WHERE at <= clock) AS starts_at, min(at) FILTER (WHERE at > clock) AS ends_at FROM begins
    )
    SELECT count(*) FROM expected e LEFT JOIN credit.cap_period(anchor, every, NULL, NULL, zone, clock) p ON true
    WHERE (p.starts_at, p.ends_at) IS DISTINCT FROM (e.starts_at, e.ends_at) OR NOT (p.starts_at <= clock AND clock < p.ends_at)
$$;
SELECT every, count(*) AS instants, sum(wrong_periods(every, length, days, zone, anchor, clock)) AS wrong
FROM (VALUES ('day', interval '1 day', 1), ('week', '7 days', 7), ('month', '1 month', 30.436875), ('quarter', '3 months', 91.310625), ('year', '1 year', 365.2425))
        AS e (every, length, days),
    (VALUES ('UTC'), ('America/New_York'), ('Europe/Berlin'), ('Pacific/Apia')) z (zone),
    LATERAL (SELECT TIMESTAMPTZ '2026-01-31 00:00:00' + make_interval(years => years, hours => 7 * years) AS anchor FROM generate_series(-200, 200, 50) AS years) a,
    LATERAL (SELECT TIMESTAMPTZ '2026-03-29 00:30:00' + make_interval(months => months, hours => months) AS clock FROM generate_series(0, 600, 120) AS months
        UNION ALL SELECT TIMESTAMPTZ '2011-12-30 12:00:00' UNION ALL SELECT TIMESTAMPTZ '2011-12-29 09:59:59.999999') c
GROUP BY every ORDER BY every;
-- Around every midnight of a year with both changes of summer time, and around the day that Apia left out.
SELECT zone, count(*) AS instants, sum(wrong_periods('day', '1 day', 1, zone, TIMESTAMPTZ '1990-01-31 02:30:00', clock)) AS wrong
FROM (VALUES ('America/New_York'), ('Europe/Berlin'), ('Pacific/Apia')) z (zone),
    generate_series(TIMESTAMPTZ '2011-01-01', TIMESTAMPTZ '2012-01-05', interval '15 hours 30 minutes') AS clock
GROUP BY zone ORDER BY zone;
DROP FUNCTION wrong_periods;

-- A cap of a customer of long ago, one of a customer to come, and the same cap decades later.
SET credit.clock = '2026-11-30 12:00+00';
SELECT credit_grant('acme', 1000) AS lot;
SELECT credit_cap('acme', 100, every => 'month', anchor => '2010-01-15') AS cap;
SELECT credit_cap('acme', 90, every => 'quarter', anchor => '2091-01-01', action => 'warn') AS cap;
SELECT credit_cap('acme', 600, every => 'year', anchor => '0044-03-15 BC') AS cap;
SELECT credit_debit('acme', 10) > 0 AS debited;
SELECT cap, every, used, period_start, resets_at FROM credit.caps WHERE account = 'acme' ORDER BY cap;
SET credit.clock = '2077-11-30 12:00+00';
SELECT credit_debit('acme', 100) > 0 AS debited;
SELECT credit_try_debit('acme', 1);
SELECT cap, every, used, period_start, resets_at FROM credit.caps WHERE account = 'acme' ORDER BY cap;
SELECT * FROM credit_verify();

-- Subscriptions count from their anchor too, however far away it is.
SET credit.clock = '2026-11-30 12:00+00';
SELECT credit_plan('flat', unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier('flat', 'list', 0, discount => 0);
SELECT account, period_end, days_left, days_in_period, charge
FROM (VALUES ('bc', TIMESTAMPTZ '4713-01-31 BC', 'month'), ('ad', '0500-02-28', 'quarter'), ('yearly', '1000-01-01', 'year'), ('ahead', '2027-03-15', 'month')) a (account, anchor, billing),
    LATERAL credit_change_plan(account, 'flat', 3000, anchor => anchor, billing_period => billing);
-- Three months before the anchor are billed as any others.
SET credit.clock = '2027-02-20 12:00+00';
SELECT period_start, period_end, paid FROM credit_renew('ahead');
-- What no calendar holds is refused, and nothing else.
SELECT credit_cap('acme', 1000, every => 'year', anchor => 'infinity');
SELECT credit_cap('acme', 1000, every => 'year', anchor => '294276-01-01');
SELECT credit_schedule('acme', 1, '1 month', anchor => '4713-01-01 BC');
SELECT credit_true_up_terms('early', commitment => 5, unit_price => 1, currency => 'USD', every => '87600000 hours', anchor => '193000-01-01') FROM credit_account('early');
SELECT starts_at FROM credit_true_up('early');
SELECT credit_true_up_terms('early', every => '9999 years', anchor => '193000-01-01');
SELECT starts_at FROM credit_true_up('early');
SELECT credit_grant('early', 1, expires_after => '9999 years', effective_at => '200000-01-01') > 0 AS granted;

-- The clock is set back over midnight: the day that has begun goes on, and its limit holds.
SET credit.clock = '2026-06-10 00:00+00';
SELECT credit_grant('night', 1000) AS lot;
SELECT credit_cap('night', 10, every => 'day') AS cap;
SET credit.clock = '2026-06-11 00:00:00.5+00';
SELECT credit_debit('night', 4) > 0 AS debited;
SET credit.clock = '2026-06-10 23:59:59.9+00';
SELECT credit_debit('night', 5) > 0 AS debited, credit_spendable('night');
SELECT credit_debit('night', 2);
SELECT used, headroom, period_start FROM credit.caps WHERE account = 'night';
SET credit.clock = '2026-06-11 00:00:01+00';
SELECT credit_debit('night', 1) > 0 AS debited;
SELECT amount, recorded_at FROM credit.ledger WHERE account = 'night' AND kind = 'debit' ORDER BY posting;
SELECT * FROM credit_verify('night');

-- A clock that was a month ahead blocks nobody, and what it counted then counts when that month comes.
SET credit.clock = '2026-06-10 12:00+00';
SELECT credit_grant('ahead of it', 1000) AS lot;
SELECT credit_member('ahead of it', 'ann');
SELECT credit_cap('ahead of it', 10, every => 'month') AS cap;
SELECT credit_cap('ahead of it', 8, member => 'ann', rolling => '1 day') AS cap;
SELECT credit_debit('ahead of it', 3, member => 'ann') > 0 AS debited;
SET credit.clock = '2026-08-10 12:00+00';
SELECT credit_debit('ahead of it', 7, member => 'ann') > 0 AS debited;
SET credit.clock = '2026-06-10 13:00+00';
SELECT every, rolling, used, headroom FROM credit.caps WHERE account = 'ahead of it' ORDER BY cap;
SELECT credit_debit('ahead of it', 6, member => 'ann');
SELECT credit_debit('ahead of it', 5, member => 'ann') > 0 AS debited;
SELECT credit_debit('ahead of it', 3);
SELECT shortfall, cap FROM credit_debit_many(ARRAY['ahead of it', 'ahead of it'], ARRAY[1, 2], mode => 'each') ORDER BY item;
SELECT * FROM credit_verify('ahead of it');
SET credit.clock = '2026-08-10 12:30+00';
SELECT every, rolling, used, headroom FROM credit.caps WHERE account = 'ahead of it' ORDER BY cap;
SELECT credit_debit('ahead of it', 4);
SELECT credit_debit('ahead of it', 3) > 0 AS debited;
SELECT * FROM credit_verify('ahead of it');
-- So it is where the first to come is a batch, a line that is inserted, a correction, or another limit.
SET credit.clock = '2026-06-10 12:00+00';
SELECT credit_grant(name, 1000) FROM unnest(ARRAY['by batch', 'by line', 'by correction', 'by limit']) AS name;
SELECT credit_cap(name, 10, every => 'month') FROM unnest(ARRAY['by batch', 'by line', 'by correction', 'by limit']) AS name;
SELECT credit_debit(name, 3) > 0 FROM unnest(ARRAY['by batch', 'by line', 'by correction', 'by limit']) AS name;
SET credit.clock = '2026-08-10 12:00+00';
SELECT credit_debit(name, 9) > 0 FROM unnest(ARRAY['by batch', 'by line', 'by correction', 'by limit']) AS name;
SET credit.clock = '2026-06-10 13:00+00';
SELECT item, shortfall FROM credit_debit_many(ARRAY['by batch', 'by batch'], ARRAY[5, 3], mode => 'each') ORDER BY item;
INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'debit', -8, lot FROM credit.lot WHERE account = 'by line';
INSERT INTO credit.entry (account, kind, amount, lot) SELECT account, 'debit', -7, lot FROM credit.lot WHERE account = 'by line';
INSERT INTO credit.entry (account, kind, amount, lot, corrects) SELECT account, 'adjustment', 2, lot, posting FROM credit.ledger WHERE account = 'by correction' AND amount = -3;
SELECT credit_cap('by limit', 12, every => 'month');
SELECT account, "limit", used FROM credit.caps WHERE account LIKE 'by %' ORDER BY account;
SET credit.clock = '2026-08-10 12:00+00';
INSERT INTO credit.entry (account, kind, amount, lot, corrects) SELECT account, 'adjustment', 2, lot, posting FROM credit.ledger WHERE account = 'by correction' AND amount = -9;
SELECT account, "limit", used FROM credit.caps WHERE account LIKE 'by %' ORDER BY account;
SELECT * FROM credit_verify();

-- The clock is set back behind a period that is closed: it stays closed, whoever writes.
SET credit.clock = '2026-01-01 00:00+00';
SELECT credit_rate_card('list', unit => 'credit', is_default => true), credit_rate('list', 'chat', credits => 1), credit_publish('list');
SELECT credit_plan('early', unit => 'credit', currency => 'USD', list_price => 0.01), credit_tier('early', 'list', 0, discount => 0);
SELECT credit_unit('money', decimals => 2, currency => 'USD'), credit_unit('worth', decimals => 2, currency => 'USD');
SELECT credit_grant('open', 1000) > 0 AS granted;
SELECT credit_grant('closed', 1000) AS lot \gset
SELECT credit_grant('closed', 7, unit => 'money') > 0 AS granted;
SELECT credit_member('closed', 'ann'), credit_member('closed', 'bob');
SELECT credit_grant('closed', 5, expires_at => '2026-01-31 23:59:59.7+00') > 0 AS granted;
SELECT credit_schedule('closed', 10, '1 day', anchor => '2026-01-31 23:59:59.9+00', starts_at => '2026-01-31 23:59:59.9+00') > 0 AS scheduled;
SELECT credit_true_up_terms('closed', commitment => 500, anchor => '2026-01-01 00:00+00', unit_price => 0.02, currency => 'USD', every => '1 month');
SET credit.clock = '2026-02-01 00:00:01+00';
SELECT used, granted, expired, shortfall FROM credit_true_up_post('closed');
SET credit.clock = '2026-01-31 23:59:59.5+00';
SELECT credit_debit('closed', 7) AS debit \gset
SELECT credit_try_debit('closed', 7, member => 'ann') > 0 AS debited, credit_charge('closed', 'chat', 3) > 0 AS charged;
SELECT count(posting) FROM credit_debit_many(ARRAY['closed', 'open'], ARRAY[1, 2]);
SELECT count(posting) FROM credit_charge_many(ARRAY['closed', 'closed'], ARRAY['chat', 'chat'], ARRAY[1, 2]);
SELECT credit_grant('closed', 50) > 0 AS granted, credit_purchase('closed', 'early', 100) > 0 AS purchased;
INSERT INTO credit.lot (account, granted) VALUES ('closed', 20);
INSERT INTO credit.entry (account, kind, amount, lot) VALUES ('closed', 'debit', -1, :lot), ('closed', 'adjustment', 3, :lot);
INSERT INTO credit.entry (account, kind, amount, lot, corrects)
SELECT account, 'adjustment', 2, lot, posting FROM credit.ledger WHERE account = 'closed' AND posting = :debit;
SELECT credit_transfer('closed', 10, to_member => 'ann') > 0 AS transferred;
SELECT credit_convert('closed', 1, 'money', 'worth') > 0 AS converted;
SELECT recorded_at FROM credit.ledger WHERE account = 'open' AND kind = 'debit';
SELECT count(*) FROM credit_expire('closed');
SELECT credit_refresh(account => 'closed') >= 0 AS refreshed;
SELECT credit_void('closed', lot) AS voided FROM credit.lot WHERE account = 'closed' AND granted = 20;
SELECT credit_set_expiry('closed', lot, expires_at => '2027-01-01') > 0 AS moved FROM credit.lot WHERE account = 'closed' AND granted = 50;
SELECT credit_member('closed', 'bob', active => false);
SELECT min(occurred_at) >= '2026-02-01' AS after_it, min(recorded_at) >= '2026-02-01' AS recorded_after_it
FROM credit.ledger WHERE account = 'closed' AND posting >= :debit;
-- Whoever says that it happened in the closed period corrects it, as ever.
SELECT credit_debit('closed', 4, at => '2026-01-20') > 0 AS debited;
SELECT amount, occurred_at FROM credit.true_up_correction WHERE account = 'closed' ORDER BY posting;
SET credit.clock = '2026-02-02 00:00+00';
SELECT * FROM credit_verify('closed');
SELECT used, granted, expired FROM credit.true_up WHERE account = 'closed';

-- A change of plan goes on where the subscription was written last; where the clock is far behind, it says so.
SET credit.clock = '2027-03-10 12:00:10+00';
SELECT charge, effective_at FROM credit_change_plan('behind', 'flat', 300);
SET credit.clock = '2027-03-10 12:00:00+00';
SELECT charge, effective_at FROM credit_change_plan('behind', 'flat', 100, preview => true);
SELECT charge, effective_at FROM credit_change_plan('behind', 'flat', 400);
SELECT count(*) FROM credit_renew('behind');
SELECT credit_cancel_plan('behind');
SELECT credit_pooling('behind', 'per_seat') > 0 AS said;
SET credit.clock = '2027-03-05 12:00:00+00';
SELECT charge FROM credit_change_plan('behind', 'flat', 500);
SELECT charge FROM credit_change_plan('behind', 'flat', 500, preview => true);
SELECT * FROM credit_renew('behind');
SELECT credit_cancel_plan('behind');
SELECT credit_pooling('behind', 'pooled') > 0 AS said;
SELECT * FROM credit_verify('behind');

-- A balance to come counts what schedules bring until then: issue, rollover and expiry.
SET credit.clock = '2026-06-03 00:00+00';
SELECT credit_member('to come', 'ann'), credit_member('to come', 'bob') FROM credit_account('to come', pooling => 'per_seat');
SELECT credit_schedule('to come', 100, '1 month', rollover => '{"max_periods": 1}') > 0 AS declared;
SELECT credit_schedule('to come', 10, '1 week', per_member => true, expires => 'never') > 0 AS declared;
SELECT credit_grant('to come', 1000, expires_at => '2026-06-20') > 0 AS granted;
CREATE TEMPORARY TABLE foretold AS SELECT at, member, credit_balance('to come', member, at => at) AS balance
FROM (VALUES (NULL), ('ann')) m (member), generate_series(TIMESTAMPTZ '2026-06-03 00:00+00', '2026-09-20 00:00+00', interval '4 days 6 hours') AS at;
SELECT at, balance FROM foretold WHERE member IS NULL ORDER BY at LIMIT 12;
-- So it comes.
CREATE FUNCTION differs(at timestamptz, member text, balance numeric) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('credit.clock', at::text, false);
    RETURN credit_balance('to come', member) <> balance;
END $$;
SELECT count(*) AS foretold, count(*) FILTER (WHERE differs(at, member, balance)) AS wrong FROM foretold;
DROP FUNCTION differs;
SET credit.clock = '2026-06-03 00:00+00';
SELECT credit_balance('to come', at => '2050-01-01') > 100 AS counted;
SELECT credit_schedule('to come', 1, '1 day') > 0 AS declared;
SELECT credit_balance('to come', at => '9999-01-01');
DROP TABLE foretold;

-- Time zones by the names that the server lists, as it spells them.
SELECT credit_account('zones', time_zone => zone) FROM unnest(ARRAY['Europe/Berlin', 'UTC', 'EST5EDT', 'GMT', 'Etc/GMT+5']) AS zone;
SELECT credit_account('zones', time_zone => 'europe/berlin');
SELECT credit_account('zones', time_zone => 'est5edt');
SELECT credit_account('zones', time_zone => 'UTC+3');
SELECT credit_account('zones', time_zone => 'EST5EDT,M3.2.0,M11.1.0');
SELECT credit_account('zones', time_zone => 'PST');
SELECT credit_account('zones', time_zone => 'Mars/Olympus');
SELECT time_zone FROM credit.account WHERE account = 'zones';
