-- What `make dashboard` looks at: half a year of the account acme, and a smaller account beside it. It needs a database with pg_credit in
-- it and a superuser, and nothing else. The time of the database stays at the end of it: 18 June 2026.

\set QUIET on
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE SCHEMA story;

-- Who uses how much on a day of work, and with what.
CREATE TABLE story.member (account text, member text, department text, appetite numeric, operation text, PRIMARY KEY (account, member));
INSERT INTO story.member VALUES
    ('acme', 'alice', 'eng/ml', 420, 'training'), ('acme', 'arjun', 'eng/ml', 260, 'training'), ('acme', 'evaluator', 'eng/ml', 150, 'agent'),
    ('acme', 'bob', 'eng/platform', 95, 'code'), ('acme', 'chen', 'eng/platform', 120, 'code'), ('acme', 'ci-agent', 'eng/platform', 180, 'agent'),
    ('acme', 'diego', 'eng', 60, 'code'), ('acme', 'mia', 'marketing', 75, 'image'), ('acme', 'noah', 'marketing', 50, 'chat'),
    ('acme', 'olga', 'sales', 40, 'chat'), ('acme', 'pia', 'sales', 18, 'chat'), ('acme', 'support-agent', 'support', 210, 'agent'),
    ('acme', 'ruth', 'support', 25, 'chat'),
    ('globex', 'gina', 'research', 70, 'chat'), ('globex', 'hugo', 'research', 30, 'code'), ('globex', 'ivo', 'legal', 20, 'chat');

-- What is wanted each day at noon: more from month to month, little at weekends, and never the same twice. The rest is nobody's: a batch
-- job that names no member.
CREATE VIEW story.usage AS
SELECT day + time '12:00' AS at, account, member, operation,
    round(appetite * CASE WHEN extract(isodow FROM day) < 6 THEN 1 ELSE 0.15 END * (0.7 + 0.1 * extract(month FROM day))
        * (60 + ('x' || left(md5(account || COALESCE(member, '') || day), 4))::bit(16)::integer % 81) / 100, 2) AS amount
FROM generate_series('2026-01-01', '2026-06-17', interval '1 day') AS day,
    (SELECT account, member, operation, appetite FROM story.member UNION ALL VALUES ('acme', NULL, 'embedding', 35)) AS who;

CREATE PROCEDURE story.prepare() LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('credit.clock', '2026-01-01 00:00+00', false);
    PERFORM credit_account(account) FROM (VALUES ('acme'), ('globex')) AS a (account);
    PERFORM credit_member(account, member, department => department) FROM story.member;
    -- The year's contract, a welcome gift, and what comes every month and is gone with it.
    PERFORM credit_grant('acme', 180000, expires_at => '2027-01-01', paid => 1620, currency => 'USD');
    PERFORM credit_grant('acme', 12000, category => 'promotional', expires_at => '2026-08-01', priority => 200);
    PERFORM credit_schedule('acme', 20000, '1 month', paid => 220, currency => 'USD');
    PERFORM credit_grant('globex', 30000, expires_at => '2026-09-01', paid => 330, currency => 'USD');
END
$$;

-- What happens on some days besides: lots of members' own at the start of a month, a top-up, and a move to another department.
CREATE PROCEDURE story.happen(today date) LANGUAGE plpgsql AS $$
BEGIN
    IF extract(day FROM today) = 1 THEN
        PERFORM credit_grant('acme', amount, member => member, expires_after => '1 month', paid => amount / 100, currency => 'USD')
            FROM (VALUES ('alice', 3000), ('bob', 2700), ('mia', 2500), ('olga', 2000), ('pia', 1300)) AS own (member, amount);
    ELSIF today = '2026-03-15' THEN
        PERFORM credit_member('acme', 'arjun', department => 'eng/platform');
    ELSIF today = '2026-05-20' THEN
        PERFORM credit_grant('acme', 30000, expires_after => '2 months', paid => 360, currency => 'USD');
    END IF;
END
$$;

-- Day by day. Maintenance runs on Sundays and so never in the last days: what the dashboard shows of them comes from the ledger.
CREATE PROCEDURE story.live() LANGUAGE plpgsql AS $$
DECLARE
    today date;
BEGIN
    FOR today IN SELECT DISTINCT at::date FROM story.usage ORDER BY 1 LOOP
        PERFORM set_config('credit.clock', today || ' 00:00+00', false);
        CALL story.happen(today);
        IF extract(isodow FROM today) = 7 THEN
            COMMIT;
            PERFORM credit_maintain();
        END IF;
        PERFORM set_config('credit.clock', today || ' 12:00+00', false);
        PERFORM credit_debit(account, amount, member => member, operation => operation)
            FROM (SELECT * FROM story.usage WHERE at::date = today ORDER BY account, member) AS wanted;
        COMMIT;
    END LOOP;
END
$$;

CALL story.prepare();
CALL story.live();

-- Who looks at it may read, and sees the time at which the story ends.
SELECT 'CREATE ROLE credit_dashboard LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'credit_dashboard') \gexec
SELECT credit_allow('credit_dashboard', 'read') \g /dev/null
SELECT format('ALTER DATABASE %I SET credit.clock = %L', current_database(), '2026-06-18 09:00+00') \gexec
SELECT format('ALTER DATABASE %I SET timezone = %L', current_database(), 'UTC') \gexec
DROP SCHEMA story CASCADE;
