-- Refunds and withdrawals: what went back, and when.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Views ---------------------------------------------------------------------------------------------------------------

-- One row per line of a correction that gave credits of a debit back, by credit_refund() or by a direct insert.
CREATE VIEW credit.refunds AS
SELECT e.account, e.posting, e.line, e.corrects AS debit, e.lot, l.unit, e.amount, e.member, e.department, e.operation, e.run,
    e.metadata ->> 'reason' AS reason, e.occurred_at, e.recorded_at, e.recorded_by, e.metadata
FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
WHERE e.kind = 'adjustment' AND e.corrects IS NOT NULL;
COMMENT ON VIEW credit.refunds IS 'What was given back of debits, line by line. Filter on account.';
COMMENT ON COLUMN credit.refunds.account IS 'The account.';
COMMENT ON COLUMN credit.refunds.posting IS 'The posting of the refund.';
COMMENT ON COLUMN credit.refunds.line IS 'The line''s number within its posting.';
COMMENT ON COLUMN credit.refunds.debit IS 'The posting that was refunded.';
COMMENT ON COLUMN credit.refunds.lot IS 'The lot that had paid.';
COMMENT ON COLUMN credit.refunds.unit IS 'The unit of the amount.';
COMMENT ON COLUMN credit.refunds.amount IS 'What was given back; below zero for what a correction took again.';
COMMENT ON COLUMN credit.refunds.member IS 'The member who had spent.';
COMMENT ON COLUMN credit.refunds.department IS 'The member''s department when the debit was recorded.';
COMMENT ON COLUMN credit.refunds.operation IS 'The operation of the debit.';
COMMENT ON COLUMN credit.refunds.run IS 'The task, session or conversation of the debit.';
COMMENT ON COLUMN credit.refunds.reason IS 'Why, as credit_refund() was told; NULL when it was not.';
COMMENT ON COLUMN credit.refunds.occurred_at IS
    'The instant that it belongs to: that of the usage, or when it was made where a true-up has closed that period.';
COMMENT ON COLUMN credit.refunds.recorded_at IS 'When it was made.';
COMMENT ON COLUMN credit.refunds.recorded_by IS 'The login role of the session that made it.';
COMMENT ON COLUMN credit.refunds.metadata IS 'Anything the application keeps with it.';

-- The usage by the day on which it was recorded, and refunds by the day on which they were made: what a day's books say, whatever
-- came back later. credit.consumption_daily has both under the day of the usage.
CREATE VIEW credit.consumption_by_day_made AS
SELECT e.account, l.unit, (e.recorded_at AT TIME ZONE a.time_zone)::date AS day,
    trim_scale(sum(- e.amount) FILTER (WHERE e.kind = 'debit')) AS debited,
    trim_scale(COALESCE(sum(e.amount) FILTER (WHERE e.kind = 'adjustment'), 0)) AS refunded,
    trim_scale(sum(- e.amount)) AS credits
FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot JOIN credit.account a ON a.account = e.account
WHERE e.kind = 'debit' OR e.kind = 'adjustment' AND e.corrects IS NOT NULL
GROUP BY e.account, l.unit, day;
COMMENT ON VIEW credit.consumption_by_day_made IS
    'The usage of each account by the day on which it was recorded, and refunds by the day on which they were made. Filter on '
    'account.';
COMMENT ON COLUMN credit.consumption_by_day_made.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_day_made.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_day_made.day IS 'The day, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_by_day_made.debited IS 'What was debited on that day; NULL for nothing.';
COMMENT ON COLUMN credit.consumption_by_day_made.refunded IS 'What was given back on that day, of whichever debits.';
COMMENT ON COLUMN credit.consumption_by_day_made.credits IS 'debited - refunded.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_refund(text, bigint, numeric, text, text, jsonb) IS
'Gives credits of a debit back to the lots that paid, the one that was drawn last first, with their cost basis and the member, '
'department and operation of the debit; all that is left of it unless amount is given. Returns the posting. All corrections of '
'a debit together never give back more than it took, line by line. What goes back to a lot that has expired expires at once, '
'or goes to a new lot: credit_account(refund_expired => ). Under a key, a repetition returns the same posting.
Errors: 22023 malformed argument; 22003 from 10^15 on; P0002 unknown account or posting; 55000 a posting that is no debit, or '
'more than can still be refunded; 23505 key used for another request.';

COMMENT ON FUNCTION @extschema@.credit_withdraw(text, bigint, numeric, text, text, jsonb) IS
'Takes a part of what is left of a lot out of the books, as credit_void() takes all of it; what holds have of it stays. Returns '
'the posting.
Errors: 22023 malformed argument; 22003 from 10^15 on; P0002 unknown account or lot; 23514 less is left; 55000 the lot has '
'expired; 23505 key used for another request.';

SET LOCAL search_path TO @extschema@, pg_temp;
