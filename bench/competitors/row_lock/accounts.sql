INSERT INTO row_lock.balance (account, balance)
SELECT 'acme-' || account, :granted::numeric * :lots FROM generate_series(:first_account, :last_account) AS account;
INSERT INTO row_lock.entry (account, posting, line, kind, amount, lot, occurred_at, recorded_at, recorded_by, posted)
SELECT account, nextval('row_lock.posting_id'), 1, 'grant', balance, 1, now(), now(), session_user, true FROM row_lock.balance;
