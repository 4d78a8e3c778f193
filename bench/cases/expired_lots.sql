-- Gives the account acme-FIRST :expired_lots lots that have expired with credits left and that nobody has swept.
SELECT COALESCE(max(lot), 0) + 1 AS first_lot FROM credit.lot \gset
SELECT now() - interval '100 days' AS begin, now() - interval '1 day' AS expiry \gset
INSERT INTO credit.lot (lot, effective_at, expires_at, recorded_at, posted, account, unit, category, source, granted, recorded_by)
SELECT :first_lot + lot, :'begin', :'expiry'::timestamptz - lot * interval '1 minute', :'begin', true, 'acme-' || :first_account, 'credit',
    'promotional', 'allocation', 100, session_user
FROM generate_series(0, :expired_lots - 1) AS lot;
INSERT INTO credit.slot (lot, slot, account, remaining)
SELECT :first_lot + lot, 0, 'acme-' || :first_account, 100 FROM generate_series(0, :expired_lots - 1) AS lot;
INSERT INTO credit.entry (posting, lot, occurred_at, recorded_at, line, posted, account, kind, amount, recorded_by)
SELECT nextval('credit.posting_id'), :first_lot + lot, :'begin', :'begin', 1, true, 'acme-' || :first_account, 'grant', 100, session_user
FROM generate_series(0, :expired_lots - 1) AS lot;
SELECT setval('credit.lot_id', max(lot)) FROM credit.lot;
VACUUM (ANALYZE) credit.lot, credit.slot, credit.entry;
