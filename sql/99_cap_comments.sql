-- Comments of spending caps.

COMMENT ON SEQUENCE credit.cap_id IS 'Ids of spending caps.';
COMMENT ON TABLE credit.cap IS 'Spending caps: what may be debited in each period, or any stretch of time of one length, for a member, a department with all below it, or an account.';
COMMENT ON COLUMN credit.cap.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.cap.anchor IS 'When a period begins: period n begins at the anchor plus n times its length, by the account''s calendar. The steps of a rolling window are counted from it in seconds.';
COMMENT ON COLUMN credit.cap.created_at IS 'When the cap was made.';
COMMENT ON COLUMN credit.cap.changed_at IS 'When its limit was last changed.';
COMMENT ON COLUMN credit.cap.ended_at IS 'When it was ended; NULL while it applies.';
COMMENT ON COLUMN credit.cap.slots IS 'In how many rows of credit.cap_slot the limit lies.';
COMMENT ON COLUMN credit.cap.account IS 'The account.';
COMMENT ON COLUMN credit.cap.unit IS 'The unit that is counted.';
COMMENT ON COLUMN credit.cap.member IS 'The member whose spending is limited; NULL for a department or the account.';
COMMENT ON COLUMN credit.cap.department IS 'The department whose spending is limited, with all below it; NULL for a member or the account.';
COMMENT ON COLUMN credit.cap.operation IS 'The operation that is limited; NULL for all.';
COMMENT ON COLUMN credit.cap.amount IS 'The limit of a period or window, in the unit.';
COMMENT ON COLUMN credit.cap.every IS 'The period: day, week, month, quarter or year; NULL for a rolling window.';
COMMENT ON COLUMN credit.cap.rolling IS 'The length of the rolling window, in which a day has 24 hours; NULL for a period of the calendar.';
COMMENT ON COLUMN credit.cap.step IS 'The length of the steps in which the rolling window is counted: what was debited counts until all of its step lies outside the window.';
COMMENT ON COLUMN credit.cap.covers IS 'What counts: everything, or pool: only what pooled lots pay.';
COMMENT ON COLUMN credit.cap.action IS 'What happens beyond the limit: block refuses the debit, warn posts it with a warning.';
COMMENT ON COLUMN credit.cap.recorded_by IS 'The role that made it.';
COMMENT ON INDEX credit.cap_pkey IS 'The caps of an account.';
COMMENT ON TABLE credit.cap_slot IS 'Parts of the caps'' limits with what was used of them.';
COMMENT ON COLUMN credit.cap_slot.cap IS 'The cap.';
COMMENT ON COLUMN credit.cap_slot.period_start IS 'When the period began that used belongs to; in a later one nothing is used yet. Of a rolling window: how far back it is complete.';
COMMENT ON COLUMN credit.cap_slot.slot IS 'The slot''s number, from 0.';
COMMENT ON COLUMN credit.cap_slot.account IS 'The account.';
COMMENT ON COLUMN credit.cap_slot.allowance IS 'The part of the limit, in the cap''s unit.';
COMMENT ON COLUMN credit.cap_slot.used IS 'What was used of it, in the cap''s unit.';
COMMENT ON COLUMN credit.cap_slot.steps IS 'When the steps began in which something was used, of a rolling window. Of the calendar: when the later periods begin in which a clock that was ahead has used something; mostly NULL.';
COMMENT ON COLUMN credit.cap_slot.used_by_step IS 'What was used in each of the steps or later periods, in the cap''s unit.';
COMMENT ON INDEX credit.cap_slot_pkey IS 'The slots of a cap.';
COMMENT ON COLUMN credit.account.has_caps IS 'Whether the account has caps that have not ended.';

COMMENT ON TRIGGER cap_95_announce ON credit.cap IS 'Tells debits that remember caps that one was added or changed.';
COMMENT ON TRIGGER cap_91_refuse_delete ON credit.cap IS 'A cap is ended with credit_end_cap(), not deleted: 42501.';
COMMENT ON TRIGGER cap_92_refuse_truncate ON credit.cap IS 'Caps are ended, not deleted: 42501.';
COMMENT ON TRIGGER cap_slot_91_refuse_delete ON credit.cap_slot IS 'Counters are never deleted: 42501.';
COMMENT ON TRIGGER cap_slot_92_refuse_truncate ON credit.cap_slot IS 'Counters are never deleted: 42501.';
COMMENT ON FUNCTION credit.cap_period(timestamptz, text, interval, interval, text, timestamptz) IS 'What of a cap counts at an instant: the period that contains it, by the calendar of a time zone; of a rolling window the step that runs and those before it that the window still sees.';
COMMENT ON FUNCTION credit.cap_used(numeric, timestamptz, timestamptz[], numeric[], timestamptz, timestamptz) IS 'What of a cap''s slot counts, by step, in the cap''s unit.';
COMMENT ON FUNCTION credit.cap_spent_by_step(text, bigint, timestamptz) IS 'What the ledger says was spent of a cap from an instant on, by step, in the cap''s unit.';
COMMENT ON FUNCTION credit.cap_spent(text, bigint, timestamptz) IS 'What the ledger says was spent of a cap from an instant on, in the cap''s unit.';

COMMENT ON VIEW credit.cap_spending IS 'What the ledger says was spent of every cap, line by line: for the extension itself.';
COMMENT ON COLUMN credit.cap_spending.account IS 'The account.';
COMMENT ON COLUMN credit.cap_spending.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.cap_spending.recorded_at IS 'When the line was recorded.';
COMMENT ON COLUMN credit.cap_spending.used_at IS 'When the debit was recorded, of a correction the debit that it corrects: it counts then.';
COMMENT ON COLUMN credit.cap_spending.amount IS 'What counts, in the unit; below zero for what was given back.';
COMMENT ON COLUMN credit.cap_spending.posting IS 'The posting of the line.';

COMMENT ON VIEW credit.cap_state IS 'Where every cap stands now, with the counters as they are kept: for the extension itself. credit.caps shows it to people.';
COMMENT ON COLUMN credit.cap_state.account IS 'The account.';
COMMENT ON COLUMN credit.cap_state.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.cap_state.at IS 'The instant for which this is: now, or later where the clock was set back behind what the counters say.';
COMMENT ON COLUMN credit.cap_state.starts_at IS 'When the running period began; of a rolling window: from when on debits count.';
COMMENT ON COLUMN credit.cap_state.ends_at IS 'When the next period begins, or the next step of a rolling window.';
COMMENT ON COLUMN credit.cap_state.running IS 'When the running step of a rolling window began; NULL for a period of the calendar.';
COMMENT ON COLUMN credit.cap_state.used IS 'What counts as used, in the unit.';
COMMENT ON COLUMN credit.cap_state.steps IS 'When the steps began in which something was used that counts; of the calendar the running period.';
COMMENT ON COLUMN credit.cap_state.used_by_step IS 'What was used in each of the steps, in the unit.';

COMMENT ON VIEW credit.caps IS 'Spending caps that apply now, with what was used in the running period and what is left.';
COMMENT ON COLUMN credit.caps.account IS 'The account.';
COMMENT ON COLUMN credit.caps.cap IS 'The cap''s id.';
COMMENT ON COLUMN credit.caps.unit IS 'The unit that is counted.';
COMMENT ON COLUMN credit.caps.member IS 'The member whose spending is limited, if one''s is.';
COMMENT ON COLUMN credit.caps.department IS 'The department whose spending is limited, with all below it.';
COMMENT ON COLUMN credit.caps.operation IS 'The operation that is limited; NULL for all.';
COMMENT ON COLUMN credit.caps.every IS 'The period: day, week, month, quarter or year; NULL for a rolling window.';
COMMENT ON COLUMN credit.caps.rolling IS 'The length of the rolling window; NULL for a period of the calendar.';
COMMENT ON COLUMN credit.caps.covers IS 'What counts: everything, or pool: only what pooled lots pay.';
COMMENT ON COLUMN credit.caps.action IS 'What happens beyond the limit: block or warn.';
COMMENT ON COLUMN credit.caps."limit" IS 'The limit of a period or window, in the unit.';
COMMENT ON COLUMN credit.caps.used IS 'What counts as used now, in the unit.';
COMMENT ON COLUMN credit.caps.headroom IS 'What is left of the limit, in the unit; never below 0.';
COMMENT ON COLUMN credit.caps.period_start IS 'When the running period began; of a rolling window: from when on debits count.';
COMMENT ON COLUMN credit.caps.resets_at IS 'When the next period begins; of a rolling window: when the next part of what is used counts no more, NULL if nothing is used.';
COMMENT ON COLUMN credit.caps.created_at IS 'When the cap was made.';
COMMENT ON COLUMN credit.caps.changed_at IS 'When its limit was last changed.';
COMMENT ON COLUMN credit.caps.recorded_by IS 'The role that made it.';

COMMENT ON FUNCTION credit_cap(text, numeric, text, text, text, text, text, interval, timestamptz, text, text) IS
'Limits what may be debited in each period (every: day, week, month, quarter, year; a month by default) or in any stretch of time of one length (rolling: whole minutes, up to 3660 days) for a member, a department with all below it, or the whole account; for one operation or all. Returns the cap''s id. The same scope, period or window, covers and action again changes the limit; what was used stays counted. A new cap counts what was spent in the running period. Debits count when they are recorded, whenever the usage was. covers ''pool'' counts only what pooled lots pay. action ''block'' refuses debits beyond the limit (54000), ''warn'' posts them with a warning. Periods begin at anchor plus whole periods, by the account''s calendar: by default at local midnight, on Mondays, on the first of the month, quarter or year. A rolling window is counted in 24 to 30 steps from the anchor on: a debit counts until all of its step lies outside the window.
Errors: 22023 malformed argument, member and department together, a period and a window together, or caps that contradict each other; P0002 unknown account, unit or member; 55000 inactive member, or another anchor for a cap that exists; 40001 and 40P01: repeat the transaction.';
COMMENT ON FUNCTION credit_end_cap(text, bigint) IS
'Ends a cap at once; false when it had ended before.
Errors: 22023 malformed argument; P0002 unknown account or cap.';
COMMENT ON FUNCTION credit_spendable(text, text, text, text) IS
'What could be debited now for a member (or the account without one), in the unit and for the operation: what the lots hold, and not more than the caps that block leave.
Errors: 22023 malformed argument; P0002 unknown account or unit, or unregistered member where members must be registered.';
