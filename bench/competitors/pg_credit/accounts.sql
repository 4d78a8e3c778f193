-- The accounts acme-FIRST to acme-LAST with :lots open lots each, the earliest expiry first in drawdown order.
SELECT count(credit_grant('acme-' || account, :granted, expires_after => make_interval(days => 30 + lot)))
FROM generate_series(:first_account, :last_account) AS account, generate_series(1, :lots) AS lot;
SELECT count(credit_member('acme-' || account, 'member-' || member, department => 'department-' || member % 10))
FROM generate_series(:first_account, :last_account) AS account, generate_series(1, :members) AS member;
