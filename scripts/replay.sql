-- Replays a trace of LLM requests, which scripts/replay.sh feeds on standard input, as debits of one organisation's members.
-- psql variables: account, and file for the title.

\set VERBOSITY terse
\pset footer off
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
-- Every request is a transaction of its own; a replay need not survive a crash.
SET synchronous_commit = off;

-- 1. The trace. Each request costs 1 credit per 1,000 context tokens and 3 per 1,000 generated tokens, exactly; the
-- requests go round the 25 members in the order of the file.

CREATE TEMP TABLE trace (
    request           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at                timestamptz NOT NULL,
    context_tokens    bigint NOT NULL CHECK (context_tokens >= 0),
    generated_tokens  bigint NOT NULL CHECK (generated_tokens >= 0),
    member            text GENERATED ALWAYS AS ('member-' || lpad((1 + (request - 1) % 25)::text, 2, '0')) STORED,
    credits           numeric GENERATED ALWAYS AS (context_tokens * 0.001 + generated_tokens * 0.003) STORED
);
\copy trace (at, context_tokens, generated_tokens) FROM pstdin WITH (FORMAT csv, HEADER)

SELECT count(*) AS requests, COALESCE(sum(credits), 0) AS credits, count(*) FILTER (WHERE credits > 0) AS debits,
    min(at) AS first, max(at) AS last, count(*) = 0 AS nothing
FROM trace \gset
\if :nothing
    DO $$ BEGIN RAISE EXCEPTION 'the file has no requests'; END $$;
\endif
SELECT EXISTS (SELECT FROM credit.account WHERE account = :'account') AS exists \gset
\if :exists
    DO $$ BEGIN RAISE EXCEPTION 'the account exists already: the clock would go back in it; use another'; END $$;
\endif

-- 2. The lots, granted at the first instant of the trace. What expires within it is drawn first; what is not used by then
-- lapses. The commitment covers all that the others do not.

SET credit.clock TO :'first';
SELECT set_config('replay.account', :'account', false) AS ignored \gset
CREATE TEMP TABLE grant_plan (
    name text, member text, category text, share numeric, price numeric, priority integer, expires_after_share numeric
);
INSERT INTO grant_plan VALUES
    ('welcome',    NULL,        'promotional', 0.05, NULL, 50, 0.10),
    ('trial seat', 'member-01', 'promotional', 0.02, NULL, 50, 0.30),
    ('trial seat', 'member-02', 'promotional', 0.02, NULL, 50, 0.60),
    ('pack one',   NULL,        'paid',        0.20, 0.80, 50, 0.25),
    ('pack two',   NULL,        'paid',        0.30, 0.75, 50, 0.50),
    ('campaign',   NULL,        'promotional', 0.30, NULL, 50, 0.75),
    ('commitment', NULL,        'paid',        1.00, 0.70, 60, NULL);
CREATE TEMP TABLE granted AS
SELECT p.name, g.amount, credit_grant(:'account', g.amount, member => p.member, category => p.category, priority => p.priority,
        expires_at => :'first'::timestamptz + g.span * p.expires_after_share,
        paid => round(g.amount * p.price, 2), currency => CASE WHEN p.price IS NOT NULL THEN 'USD' END,
        metadata => jsonb_build_object('name', p.name)) AS lot
FROM grant_plan p, LATERAL (
    SELECT greatest(round(:credits * p.share, 3), 1) AS amount,
        greatest(:'last'::timestamptz - :'first'::timestamptz, interval '1 minute') AS span) AS g;

-- 3. The debits, the clock moving with the trace. A request that cost nothing debits nothing.

DO $$
DECLARE
    account text := current_setting('replay.account');
    request record;
BEGIN
    FOR request IN SELECT * FROM trace WHERE credits > 0 ORDER BY at, request LOOP
        PERFORM set_config('credit.clock', request.at::text, false);
        PERFORM credit_debit(account, request.credits, member => request.member, operation => 'completion',
            metadata => jsonb_build_object('request', request.request));
        COMMIT;
    END LOOP;
END
$$;
SET credit.clock TO :'last';
SELECT count(*) AS ignored FROM credit_expire(:'account') \gset

-- 4. The report.

\echo
\echo 'Replay of' :file
\pset tuples_only on
\pset expanded on
\pset border 0
SELECT :requests AS "requests", :debits AS "of which debited", :'first'::timestamptz AS "first", :'last'::timestamptz AS "last",
    sum(-amount) AS "credits in total", count(DISTINCT posting) AS "postings", count(*) AS "ledger lines",
    credit_balance(:'account') AS "balance left"
FROM credit.ledger WHERE account = :'account' AND kind = 'debit';
\pset expanded off
\pset tuples_only off
\pset border 1

\echo 'The members who spent most'
SELECT member, count(DISTINCT posting) AS requests, sum(-amount) AS credits, sum(-amount) FILTER (WHERE category = 'paid') AS "from paid lots",
    sum(-amount) FILTER (WHERE category = 'promotional') AS "from promotional lots", round(sum(-value), 2) AS "value in USD"
FROM credit.ledger WHERE account = :'account' AND kind = 'debit' GROUP BY member ORDER BY credits DESC, member LIMIT 5;

\echo 'Which lot paid what, in drawdown order'
SELECT l.metadata ->> 'name' AS lot, COALESCE(l.member, 'pool') AS owner, l.category, date_trunc('second', l.expires_at) AS "expires at", l.granted,
    COALESCE(sum(-e.amount) FILTER (WHERE e.kind = 'debit'), 0) AS used,
    COALESCE(sum(-e.amount) FILTER (WHERE e.kind = 'expiry'), 0) AS expired, l.remaining, l.status
FROM credit.lots l JOIN credit.ledger e ON e.account = l.account AND e.lot = l.lot
WHERE l.account = :'account'
GROUP BY l.account, l.lot, l.metadata, l.member, l.category, l.priority, l.expires_at, l.granted, l.remaining, l.status
ORDER BY l.member NULLS LAST, l.priority, l.expires_at, l.lot;

\echo 'The proof'
CREATE TEMP VIEW compared AS
SELECT COALESCE(t.member, e.member) AS member, COALESCE(t.credits, 0) AS of_file, COALESCE(e.credits, 0) AS of_ledger
FROM (SELECT member, sum(credits) AS credits FROM trace WHERE credits > 0 GROUP BY member) AS t
FULL JOIN (SELECT member, sum(-amount) AS credits FROM credit.ledger
           WHERE account = current_setting('replay.account') AND kind = 'debit' GROUP BY member) AS e USING (member);
CREATE TEMP TABLE violation AS SELECT * FROM credit_verify();
SELECT 'credits in the file' AS "what", sum(of_file)::text AS "result" FROM compared
UNION ALL SELECT 'credits in the ledger', sum(of_ledger)::text FROM compared
UNION ALL SELECT 'members whose credits differ', count(*)::text FROM compared WHERE of_file <> of_ledger
UNION ALL SELECT 'violations that credit_verify() finds', count(*)::text FROM violation;
SELECT EXISTS (SELECT FROM compared WHERE of_file <> of_ledger) OR EXISTS (SELECT FROM violation) AS failed \gset
\if :failed
    SELECT * FROM compared WHERE of_file <> of_ledger ORDER BY member;
    SELECT * FROM violation;
    DO $$ BEGIN RAISE EXCEPTION 'the ledger differs from the file, or the books do not hold'; END $$;
\endif
