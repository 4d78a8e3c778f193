-- Gives the account acme-FIRST a past: :history_lots exhausted lots and :history_entries debits from them, written as a restore
-- would write them: posted already, so no trigger applies them.
SELECT COALESCE(max(lot), 0) + 1 AS first_lot FROM credit.lot \gset
SELECT COALESCE(max(posting), 0) + 1 AS first_posting FROM credit.entry \gset
SELECT :history_entries / :history_lots AS debits_per_lot \gset
SELECT now() - interval '600 days' AS begin \gset

INSERT INTO credit.lot (lot, effective_at, recorded_at, slots, closed, posted, account, unit, category, source, granted, recorded_by)
SELECT :first_lot + lot, :'begin', :'begin', 32, true, true, 'acme-' || :first_account, 'credit', 'promotional', 'allocation',
    1.25 * :debits_per_lot, session_user
FROM generate_series(0, :history_lots - 1) AS lot;
INSERT INTO credit.slot (lot, slot, account, remaining)
SELECT :first_lot + lot, slot, 'acme-' || :first_account, 0
FROM generate_series(0, :history_lots - 1) AS lot, generate_series(0, 31) AS slot;
INSERT INTO credit.entry (posting, lot, occurred_at, recorded_at, line, posted, account, kind, amount, recorded_by)
SELECT :first_posting + lot, :first_lot + lot, :'begin', :'begin', 1, true, 'acme-' || :first_account, 'grant', 1.25 * :debits_per_lot,
    session_user
FROM generate_series(0, :history_lots - 1) AS lot;
INSERT INTO credit.entry (posting, lot, occurred_at, recorded_at, line, posted, account, kind, amount, recorded_by)
SELECT :first_posting + :history_lots + debit, :first_lot + debit / :debits_per_lot, at, at, 1, true, 'acme-' || :first_account, 'debit', -1.25,
    session_user
FROM generate_series(0, :debits_per_lot::bigint * :history_lots - 1) AS debit,
    LATERAL (SELECT :'begin'::timestamptz + debit * (interval '590 days' / :history_entries)) AS recorded (at);
SELECT setval('credit.lot_id', max(lot)) FROM credit.lot;
SELECT setval('credit.posting_id', max(posting)) FROM credit.entry;
VACUUM (ANALYZE) credit.lot, credit.slot, credit.entry;
