INSERT INTO insert_only.entry (account, posting, line, kind, amount, lot, occurred_at, recorded_at, recorded_by, posted)
SELECT 'acme-' || account, nextval('insert_only.posting_id'), 1, 'grant', :granted, 1, now(), now(), session_user, true
FROM generate_series(:first_account, :last_account) AS account;
