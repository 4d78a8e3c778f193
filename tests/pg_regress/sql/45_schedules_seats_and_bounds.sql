-- A role that may only debit brings no credits: an admin gives a seat. New members, texts and dates in the past are bounded.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-06-01 00:00+00';

SELECT credit_unit('credit', 2), credit_grant('acme', 100) > 0 AS granted, credit_member('acme', 'boss');
SELECT credit_schedule('acme', 100, '1 month', per_member => true, into_pool => true) > 0 AS into_the_pool,
    credit_schedule('acme', 7, '1 month', per_member => true) > 0 AS to_each;
SELECT credit_balance('acme'), credit_balance('acme', 'boss');

-- Naming members brings nothing, however it is done: they spend the pool.
SELECT count(credit_debit('acme', 0.01, member => 'ghost ' || i)) FROM generate_series(1, 3) i;
SELECT count(credit_try_debit('acme', 0.01, member => 'ghost 4'));
SELECT count(posting) FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[0.01, 0.01], members => ARRAY['ghost 5', 'ghost 6']);
SELECT count(posting) FROM credit_debit_many_json('[{"account": "acme", "amount": 0.01, "member": "ghost 7"}]');
INSERT INTO credit.entry (account, kind, amount, lot, member)
SELECT 'acme', 'debit', -0.01, min(lot), 'ghost 8' FROM credit.lots WHERE account = 'acme' AND member IS NULL;
SELECT credit_balance('acme'), credit_balance('acme', 'ghost 1');
SET credit.clock = '2026-07-01 00:00+00';
SELECT credit_refresh();
SELECT credit_debit('acme', 0.01, member => 'ghost 1') > 0 AS debited, credit_balance('acme'), credit_balance('acme', 'ghost 1');
SELECT member, active, created_at, seated_at, self_registered FROM credit.member WHERE account = 'acme' ORDER BY member;

-- A view lists members without a seat, with what gives one. A seat counts from then on.
SELECT member, kind, registered_at, schedules, seated_by FROM credit.unseated_members WHERE account = 'acme' ORDER BY member LIMIT 2;
SELECT credit_member('acme', 'ghost 1', department => 'eng'), credit_grant('acme', 1, member => 'ghost 2') > 0 AS granted,
    credit_member('acme', 'ghost 3', active => false);
SELECT credit_balance('acme'), credit_balance('acme', 'ghost 1'), credit_balance('acme', 'ghost 2'), credit_balance('acme', 'ghost 3');
SELECT member FROM credit.unseated_members WHERE account = 'acme' ORDER BY member;
-- A seat is given once, also by a change of something else. A member who is made active has one.
SET credit.clock = '2026-07-02 00:00+00';
SELECT credit_member('acme', 'ghost 1', department => 'sales'), credit_grant('acme', 1, member => 'ghost 1') > 0 AS granted,
    credit_member('acme', 'ghost 3', kind => 'agent'), credit_member('acme', 'ghost 4', active => true);
SELECT member, active, seated_at FROM credit.member WHERE account = 'acme' AND member IN ('ghost 1', 'ghost 3', 'ghost 4') ORDER BY member;
SELECT credit_member('acme', 'ghost 3', active => true);
SELECT seated_at FROM credit.member WHERE account = 'acme' AND member = 'ghost 3';
-- A lot that is inserted directly gives one; a transfer does not.
INSERT INTO credit.lot (account, granted, member) VALUES ('acme', 1, 'ghost 5');
SELECT credit_transfer('acme', 1, NULL, 'ghost 6') > 0 AS moved;
SELECT member FROM credit.unseated_members WHERE account = 'acme' ORDER BY member;

-- A schedule that is declared later gives to members who have a seat, and says how many have none.
SELECT credit_account('late'), credit_grant('late', 10) > 0 AS granted, credit_member('late', 'ann');
SELECT credit_debit('late', 1, member => 'bob') > 0 AS debited;
SELECT credit_schedule('late', 5, '1 month', per_member => true) > 0 AS declared;
SELECT member, schedules FROM credit.unseated_members WHERE account = 'late';
SELECT credit_balance('late', 'ann'), credit_balance('late', 'bob');
SELECT credit_member(account, member) FROM credit.unseated_members WHERE account = 'late';
SELECT credit_balance('late', 'bob');

-- Where the account says so, a debit that names somebody new gives them a seat: from the next debit on.
SELECT credit_account('open', self_seating => true), credit_grant('open', 10) > 0 AS granted;
SELECT credit_schedule('open', 100, '1 month', per_member => true) > 0 AS declared;
SELECT credit_debit('open', 10.01, member => 'ann');
SELECT credit_debit('open', 1, member => 'ann') > 0 AS debited, credit_balance('open', 'ann');
SELECT count(posting), credit_balance('open', 'bob'), credit_balance('open', 'cy')
FROM credit_debit_many(ARRAY['open', 'open'], ARRAY[1, 1], members => ARRAY['bob', 'cy']);
SELECT credit_account('open', self_seating => false), credit_debit('open', 1, member => 'dan') > 0 AS debited;
SELECT credit_balance('open', 'dan'), (SELECT self_seating FROM credit.account WHERE account = 'open');

-- Within 24 hours debits register a bounded number of members of an account. An admin registers more.
SET credit.max_new_members_per_day = 3;
SELECT credit_grant('busy', 100) > 0 AS granted, credit_member('busy', 'registered');
SELECT count(credit_debit('busy', 1, member => 'new ' || i)) FROM generate_series(1, 3) i;
SELECT credit_debit('busy', 1, member => 'new 4');
SELECT credit_try_debit('busy', 1, member => 'new 4');
SELECT * FROM credit_debit_many(ARRAY['busy', 'busy'], ARRAY[1, 1], members => ARRAY['new 1', 'new 4'], mode => 'each');
SELECT credit_debit('busy', 1, member => 'new 3') > 0 AS who_is_known, credit_member('busy', 'new 4'), credit_grant('busy', 1, member => 'new 5') > 0 AS granted;
SELECT credit_debit('late', 1, member => 'another account') > 0 AS debited;
SET credit.clock = '2026-07-02 23:59:59+00';
SELECT credit_debit('busy', 1, member => 'new 6');
SET credit.clock = '2026-07-03 00:00+00';
SELECT count(*) FROM credit_debit_many(ARRAY['busy', 'busy', 'busy'], ARRAY[1, 1, 1], members => ARRAY['new 6', 'new 7', 'new 8']);
SELECT * FROM credit_debit_many(ARRAY['busy'], ARRAY[1], members => ARRAY['new 9']);
-- A clock that stood a month ahead blocks nobody once it stands right.
SET credit.clock = '2026-06-03 00:00+00';
SELECT credit_debit('busy', 1, member => 'new 9') > 0 AS debited;
SET credit.max_new_members_per_day = 0;
SELECT credit_debit('busy', 1, member => 'new 10');
RESET credit.max_new_members_per_day;
SET credit.clock = '2026-07-03 00:00+00';

-- The text of metadata, dimensions and notes is bounded.
SHOW credit.max_metadata_bytes;
SET credit.max_metadata_bytes = 64;
SELECT credit_debit('acme', 1, metadata => jsonb_build_object('a', repeat('x', 55))) > 0 AS sixty_four_bytes;
SELECT credit_debit('acme', 1, metadata => jsonb_build_object('a', repeat('x', 56)));
SELECT credit_grant('acme', 1, metadata => jsonb_build_object('a', repeat('é', 28)));
SELECT * FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 1], metadata => ARRAY[NULL, jsonb_build_object('a', repeat('x', 56))]);
SELECT * FROM credit_debit_many_json(jsonb_build_array('{"account": "acme", "amount": 1}'::jsonb,
    jsonb_build_object('account', 'acme', 'amount', 1, 'metadata', repeat('x', 63))));
SELECT credit_charge('acme', 'chat', 1, dimensions => jsonb_build_object('model', repeat('x', 56)));
SELECT * FROM credit_charge_many(ARRAY['acme'], ARRAY['chat'], ARRAY[1], dimensions => ARRAY[jsonb_build_object('model', repeat('x', 56))]);
SELECT credit_account('acme', metadata => jsonb_build_object('a', repeat('x', 56)));
SELECT credit_member('acme', 'boss', metadata => jsonb_build_object('a', repeat('x', 56)));
SELECT credit_rate_card('llm', note => repeat('x', 65));
INSERT INTO credit.lot (account, granted, metadata) VALUES ('acme', 1, jsonb_build_object('a', repeat('x', 56)));
INSERT INTO credit.entry (account, kind, amount, lot, metadata)
SELECT 'acme', 'adjustment', 1, min(lot), jsonb_build_object('a', repeat('x', 56)) FROM credit.lots WHERE account = 'acme';
RESET credit.max_metadata_bytes;

-- Usage lies 400 days back at most; the account's late_grace comes before that.
SELECT credit_debit('acme', 1, at => '2025-05-29 00:00+00') > 0 AS four_hundred_days;
SELECT credit_debit('acme', 1, at => '2025-05-28 23:59:59+00');
SELECT credit_debit('acme', 1, at => '0044-03-15 00:00+00 BC');
SELECT * FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 1], at => ARRAY[NULL, '2025-05-28'::timestamptz]);
SELECT * FROM credit_debit_many_json('[{"account": "acme", "amount": 1, "at": "2025-05-28"}]');
SELECT credit_account('acme', late_grace => '1 month');
SELECT credit_debit('acme', 1, at => '2025-04-29 00:00+00') > 0 AS debited;
SELECT credit_debit('acme', 1, at => '2025-04-28 23:59:59+00');
SELECT credit_rate_card('llm', 'credit', is_default => true), credit_rate('llm', 'chat', 1) > 0 AS drafted, credit_rate('llm', 'free', 0) > 0 AS free;
SELECT count(*) FROM credit_publish('llm');
SELECT credit_charge('acme', 'chat', 1, at => '0044-03-15 00:00+00 BC');
SELECT credit_charge('acme', 'free', 1, at => '0044-03-15 00:00+00 BC');
SELECT * FROM credit_charge_many(ARRAY['acme', 'acme'], ARRAY['chat', 'chat'], ARRAY[1, 1], at => ARRAY[NULL, '2020-01-01'::timestamptz]);
SELECT credit_charge_request('acme', ARRAY['chat'], ARRAY[1], at => '2020-01-01');
-- A request that is repeated returns what it returned, however old it has become meanwhile.
SELECT credit_debit('acme', 1, at => '2025-04-29 00:00+00', key => 'old') AS old \gset
SET credit.clock = '2026-07-20 00:00+00';
SELECT credit_debit('acme', 1, at => '2025-04-29 00:00+00', key => 'old') = :old AS the_same;
SELECT posting = :old AS the_same FROM credit_debit_many(ARRAY['acme'], ARRAY[1], at => ARRAY['2025-04-29 00:00+00'::timestamptz], keys => ARRAY['old']);
SET credit.max_backdating_days = 1000;
SELECT credit_debit('acme', 1, at => '2024-01-01 00:00+00') > 0 AS debited;
RESET credit.max_backdating_days;
-- An admin who brings in history dates a line as it was.
INSERT INTO credit.entry (account, kind, amount, lot, occurred_at)
SELECT 'acme', 'debit', -1, max(lot), '2019-01-01 00:00+00' FROM credit.lots WHERE account = 'acme' AND member IS NULL;

-- Keys of debits and charges are forgotten, those of everything that brings something are kept.
SELECT credit_grant('acme', 5, key => 'grant') AS granted, credit_schedule('acme', 1, '1 year', key => 'schedule') AS scheduled,
    credit_debit('acme', 1, key => 'debit') AS debited, credit_charge('acme', 'chat', 1, key => 'charge') AS charged,
    credit_charge_request('acme', ARRAY['chat'], ARRAY[1], key => 'request') AS requested,
    credit_transfer('acme', 1, NULL, 'boss', key => 'transfer') AS moved \gset
SET credit.clock = '2028-07-20 00:00+00';
SELECT done FROM credit_maintain() WHERE task = 'forget keys';
SELECT function, key FROM credit.request WHERE account = 'acme' ORDER BY function, key;
SELECT credit_grant('acme', 5, key => 'grant') = :granted AS granted_once, credit_schedule('acme', 1, '1 year', key => 'schedule') = :scheduled AS scheduled_once,
    credit_debit('acme', 1, key => 'debit') = :debited AS debited_once;

-- A NULL account never means all of them.
SELECT * FROM credit_expire(NULL);
SELECT credit_refresh(NULL);
SELECT credit_refresh(account => NULL);
SELECT * FROM credit_verify(NULL);
SELECT * FROM credit_reprice_preview('llm', account => NULL);
SELECT * FROM credit_true_up_post(NULL, '2026-06-01', '2026-07-01');
SELECT * FROM credit_true_up_post('acme', '2026-06-01', '2026-07-01', all_accounts => true);
SELECT * FROM credit_true_up(starts_at => '2026-06-01', ends_at => '2026-07-01');
SELECT * FROM credit_true_up_lines(NULL, '2026-06-01', '2026-07-01');
SELECT count(*) > 0 AS all_accounts FROM credit_expire();
SELECT credit_refresh() >= 0 AS all_accounts;

-- An error of one item of a batch names the item.
SELECT * FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 'NaN'::numeric]);
SELECT * FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 0.001]);
SELECT * FROM credit_debit_many(ARRAY['acme', 'acme'], ARRAY[1, 1e15]);
SELECT * FROM credit_debit_many(ARRAY['acme', ' acme'], ARRAY[1, 1]);
SELECT * FROM credit_debit_many_json('[{"account": "acme", "amount": 1}, {"account": "acme", "amount": "one"}]');
SELECT * FROM credit_debit_many_json('[{"account": "acme", "amount": 1}, {"account": "acme", "amount": 1, "at": "tomorrowish"}]');
SELECT * FROM credit_debit_many_json('[{"account": "acme", "amount": 1}, {"account": "acme", "amount": true}]');
SELECT * FROM credit_debit_many_json('[{"account": "acme", "amount": 1}, {"account": "acme", "amount": 1, "membr": "x"}]');
SELECT * FROM credit_debit_many_json('[{"account": "acme", "amount": 1}, 7]');
SELECT * FROM credit_debit_many_json('{}');
SELECT * FROM credit_charge_many(ARRAY['acme', 'acme'], ARRAY['chat', 'chat'], ARRAY[1, -1]);
SELECT * FROM credit_charge_many(ARRAY['acme', 'acme'], ARRAY['chat', NULL], ARRAY[1, 1]);
SELECT * FROM credit_charge_many(ARRAY['acme', 'acme'], ARRAY['chat', 'chat'], ARRAY[1, 1], dimensions => ARRAY[NULL, '[]'::jsonb]);
SELECT credit_charge_request('acme', ARRAY['chat', 'chat'], ARRAY[1, 'infinity'::numeric]);
SELECT credit_charge_request('acme', ARRAY['chat', 'none'], ARRAY[1, 1]);
SELECT credit_charge_request('acme', ARRAY['chat', 'chat'], ARRAY[1, 1], member => '');
SELECT credit_account('strict', rate_card => 'llm', late_usage => 'reject'), credit_grant('strict', 5, expires_after => '1 day') > 0 AS granted, credit_grant('strict', 5) > 0;
SET credit.clock = '2028-08-20 00:00+00';
SELECT credit_charge_request('strict', ARRAY['chat', 'chat'], ARRAY[1, 1], at => '2028-07-20 12:00+00');
SELECT * FROM credit_verify();
RESET credit.clock;
