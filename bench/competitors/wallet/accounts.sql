INSERT INTO wallet.account (account) SELECT 'acme-' || account FROM generate_series(:first_account, :last_account) AS account;
INSERT INTO wallet.member (account, member, department)
SELECT 'acme-' || account, 'member-' || member, 'department-' || member % 10
FROM generate_series(:first_account, :last_account) AS account, generate_series(1, :members) AS member;
INSERT INTO wallet.lot (account, granted, remaining, expires_at)
SELECT 'acme-' || account, :granted, :granted, now() + make_interval(days => 30 + lot)
FROM generate_series(:first_account, :last_account) AS account, generate_series(1, :lots) AS lot;
INSERT INTO wallet.entry (account, posting, line, kind, amount, lot, occurred_at, recorded_at, recorded_by, posted)
SELECT account, nextval('wallet.posting_id'), 1, 'grant', granted, lot, now(), now(), session_user, true FROM wallet.lot;
