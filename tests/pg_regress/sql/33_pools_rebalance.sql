-- Rebalancing: what light users leave unused goes to heavy ones.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET credit.clock = '2026-01-01 00:00:00+00';

SELECT credit_account('acme');
SELECT credit_member('acme', 'heavy', department => 'eng'), credit_member('acme', 'hungry', department => 'sales'),
    credit_member('acme', 'light', department => 'eng'), credit_member('acme', 'lighter', department => 'sales'), credit_member('acme', 'left');
SELECT member, credit_grant('acme', 300, member => member, expires_at => '2026-07-01', paid => 30, currency => 'EUR') AS lot
FROM (VALUES ('heavy'), ('light'), ('lighter'), ('left')) AS m (member);
SELECT credit_grant('acme', 1000) AS pool;
SELECT credit_debit('acme', 290, member => 'heavy') > 0 AS long_ago;
SET credit.clock = '2026-03-01 00:00:00+00';
SELECT credit_debit('acme', 200, member => 'heavy') > 0, credit_debit('acme', 60.5, member => 'hungry') > 0, credit_debit('acme', 40, member => 'light') > 0;
SELECT credit_member('acme', 'left', active => false);

-- What it would do, by the usage of the last 30 days; nothing changes by looking.
SELECT * FROM credit_rebalance_preview('acme');
SELECT * FROM credit_rebalance_preview('acme', burn_window => '90 days');
SELECT from_member, to_member, amount FROM credit_rebalance('acme', metadata => '{"quarter": 1}');
SELECT * FROM credit_rebalance('acme');
SELECT member, source, remaining, expires_at, cost_basis, metadata FROM credit.lots WHERE account = 'acme' AND member IS NOT NULL AND remaining > 0 ORDER BY member, lot;
SELECT credit_balance('acme') AS everything;

-- Only between members whom the policy lets transfer to each other.
SET credit.clock = '2026-03-15 00:00:00+00';
SELECT credit_debit('acme', 100, member => 'hungry') > 0, credit_debit('acme', 250, member => 'heavy') > 0;
SELECT credit_account('acme', transfers => 'department');
SELECT * FROM credit_rebalance_preview('acme');
SELECT credit_account('acme', transfers => 'pool');
SELECT * FROM credit_rebalance_preview('acme');
SELECT * FROM credit_rebalance('acme', burn_window => '0 days');
SELECT * FROM credit_rebalance('nobody');
SELECT * FROM credit_verify();
