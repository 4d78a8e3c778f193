-- The same for the hand-written wallet.
INSERT INTO wallet.lot (account, effective_at, expires_at, granted, remaining)
SELECT 'acme-' || :first_account, now() - interval '100 days', now() - interval '1 day' - lot * interval '1 minute', 100, 100
FROM generate_series(0, :expired_lots - 1) AS lot;
INSERT INTO wallet.entry (account, posting, line, kind, amount, lot, occurred_at, recorded_at, recorded_by, posted)
SELECT account, nextval('wallet.posting_id'), 1, 'grant', granted, lot, effective_at, effective_at, session_user, true
FROM wallet.lot WHERE expires_at < now();
VACUUM (ANALYZE) wallet.lot, wallet.entry;
