-- Transfers between members, and between a member and the pool.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-15 00:00:00+00';

SELECT credit_account('acme');
SELECT credit_member('acme', 'alice', department => 'eng'), credit_member('acme', 'bob', department => 'eng'),
    credit_member('acme', 'mia', department => 'marketing'), credit_member('acme', 'gone', active => false);
SELECT credit_grant('acme', 100, expires_at => '2026-03-01', paid => 10, currency => 'USD', metadata => '{"invoice": 7}') AS lot_1,
    credit_grant('acme', 100, paid => 1, currency => 'USD', source => 'purchase') AS lot_2,
    credit_grant('acme', 50, applies_to => '{chat}', category => 'promotional') AS lot_3,
    credit_grant('acme', 60, effective_at => '2026-02-01', priority => 10) AS lot_4,
    credit_grant('acme', 30, member => 'alice') AS lot_5;

-- From the pool to a member, over two lots: each keeps its life, category and cost basis, and its price goes along.
SELECT credit_transfer('acme', 150, to_member => 'bob', metadata => '{"ticket": 1}') AS posting \gset
SELECT line, kind, amount, lot, member, department FROM credit.ledger WHERE account = 'acme' AND posting = :posting ORDER BY line;
SELECT lot, member, category, source, granted, remaining, paid, cost_basis, expires_at, parent, metadata
FROM credit.lots WHERE account = 'acme' ORDER BY lot;
SELECT credit_balance('acme', member => 'bob') AS bob_and_pool, credit_balance('acme', member => 'mia') AS mia_and_pool,
    credit_balance('acme') AS everything;

-- From member to member, back to the pool, and of a leaver: he may still give.
SELECT credit_transfer('acme', 25, 'alice', 'mia') > 0 AS transferred;
SELECT credit_transfer('acme', 149, from_member => 'bob') > 0 AS transferred;
SELECT credit_member('acme', 'bob', active => false);
SELECT credit_transfer('acme', 1, 'bob', 'mia') > 0 AS transferred;
SELECT member, sum(remaining) AS remaining, sum(remaining * cost_basis) AS worth FROM credit.lots WHERE account = 'acme' GROUP BY member ORDER BY member;

-- One lot by its number: limited to an operation, or not in effect yet.
SELECT credit_transfer('acme', 20, to_member => 'mia', lot => 3) > 0 AS transferred;
SELECT credit_transfer('acme', 60, to_member => 'mia', lot => 4) > 0 AS transferred;
SELECT lot, source, priority, applies_to, effective_at, remaining, parent FROM credit.lots WHERE member = 'mia' ORDER BY lot;
SELECT credit_transfer('acme', 31, to_member => 'mia', lot => 3);
SELECT credit_transfer('acme', 1, to_member => 'alice', lot => 4);
SELECT credit_transfer('acme', 1, from_member => 'mia', lot => 3);
SELECT credit_transfer('acme', 1, to_member => 'mia', lot => 77);

-- Under a key a request counts once.
SELECT credit_transfer('acme', 1, to_member => 'alice', key => 'k') AS posting \gset
SELECT credit_transfer('acme', 1.0, to_member => 'alice', key => 'k') = :posting AS repeated;
SELECT credit_transfer('acme', 2, to_member => 'alice', key => 'k');

-- The account's policy: within a department, with the pool only, or none.
SELECT credit_account('acme', transfers => 'department');
SELECT credit_member('acme', 'bob', active => true);
SELECT credit_transfer('acme', 1, 'alice', 'bob') > 0 AS transferred;
SELECT credit_transfer('acme', 1, 'alice', 'mia');
SELECT credit_account('acme', transfers => 'pool');
SELECT credit_transfer('acme', 1, 'alice', 'bob');
SELECT credit_transfer('acme', 1, 'alice') > 0 AS transferred;
SELECT credit_account('acme', transfers => 'none');
SELECT credit_transfer('acme', 1, 'alice');
SELECT credit_account('acme', transfers => 'anybody');
SELECT credit_account('acme', transfers => 'free');

-- Refused, and nothing changed.
SELECT credit_balance('acme') AS before \gset
SELECT credit_transfer('acme', 1);
SELECT credit_transfer('acme', 1, 'alice', 'alice');
SELECT credit_transfer('acme', 1, to_member => 'stranger');
SELECT credit_transfer('acme', 1, 'stranger', 'alice');
SELECT credit_transfer('acme', 1, to_member => 'gone');
SELECT credit_transfer('acme', 1000, to_member => 'alice');
SELECT credit_transfer('acme', 1000, from_member => 'alice');
SELECT credit_transfer('acme', 0, to_member => 'alice');
SELECT credit_transfer('acme', 0.0000001, to_member => 'alice');
SELECT credit_transfer('nobody', 1, to_member => 'alice');
SELECT credit_balance('acme') = :before AS unchanged;

-- At the instant of its expiry a lot gives nothing, named or not.
SELECT credit_grant('brief', 10, expires_at => '2026-01-16') AS brief \gset
SELECT credit_member('brief', 'alice');
SET credit.clock = '2026-01-16';
SELECT credit_transfer('brief', 1, to_member => 'alice');
SELECT credit_transfer('brief', 1, to_member => 'alice', lot => :brief);
SET credit.clock = '2026-01-15 23:59:59.999999+00';
SELECT credit_transfer('brief', 10, to_member => 'alice', lot => :brief) > 0 AS transferred;
SELECT credit_transfer('brief', 1, to_member => 'alice', lot => :brief);
SELECT * FROM credit_verify();
