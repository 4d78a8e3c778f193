-- Comments of maintenance, of what expires soon, and of late usage.

COMMENT ON TABLE credit.breakage IS 'What lots lost to expiry, and what late usage took back of it. One row per expiry entry: only taken_back may change, and grow.';
COMMENT ON COLUMN credit.breakage.lot IS 'The lot.';
COMMENT ON COLUMN credit.breakage.posting IS 'The posting of the expiry entry, which what is taken back corrects.';
COMMENT ON COLUMN credit.breakage.expires_at IS 'When that was lost, whenever it was posted: the lot''s expiry, or a limit on what is carried, or when its member left.';
COMMENT ON COLUMN credit.breakage.account IS 'The account.';
COMMENT ON COLUMN credit.breakage.expired IS 'What the expiry entry took, in the lot''s unit.';
COMMENT ON COLUMN credit.breakage.taken_back IS 'What late usage took back of it; at most what expired.';
COMMENT ON INDEX credit.breakage_expires_at IS 'Finds what expired after usage that comes late.';
COMMENT ON TRIGGER breakage_90_refuse_update ON credit.breakage IS 'What expired stays; more of it may be taken back. Raises 55000.';
COMMENT ON TRIGGER breakage_91_refuse_delete ON credit.breakage IS 'What expired is never forgotten.';
COMMENT ON TRIGGER breakage_92_refuse_truncate ON credit.breakage IS 'What expired is never forgotten.';

COMMENT ON SEQUENCE credit.maintenance_run_id IS 'Ids of runs of maintenance.';

COMMENT ON TABLE credit.maintenance_run IS 'The log of maintenance: one row per step of each run. Its times are real ones, whatever credit.clock says. Forgotten after 90 days.';
COMMENT ON COLUMN credit.maintenance_run.run IS 'The run''s id.';
COMMENT ON COLUMN credit.maintenance_run.started_at IS 'When the step began.';
COMMENT ON COLUMN credit.maintenance_run.finished_at IS 'When it ended; NULL while it runs, and for good when its session was interrupted.';
COMMENT ON COLUMN credit.maintenance_run.handled IS 'How many lots, keys or runs it did something about, all batches together.';
COMMENT ON COLUMN credit.maintenance_run.batches IS 'How many batches it did; 0 when another session was at the same step.';
COMMENT ON COLUMN credit.maintenance_run.step IS 'The step, as credit.maintenance_steps() names it.';
COMMENT ON COLUMN credit.maintenance_run.error IS 'The error that ended it; NULL for none.';
COMMENT ON COLUMN credit.maintenance_run.recorded_by IS 'The login role of the session.';

COMMENT ON FUNCTION credit.maintenance_steps() IS 'The steps of maintenance in their order.';
COMMENT ON FUNCTION credit.maintenance_deadline(interval, integer) IS
'For the procedure credit_maintain: the real time after time_limit, from which on no further batch of a step is begun; checks max_rows.
Errors: 22023 malformed argument.';
COMMENT ON FUNCTION credit.begin_maintenance(text) IS
'For the procedure credit_maintain: logs that a step begins, and returns the run''s id.
Errors: 22023 unknown step.';
COMMENT ON FUNCTION credit.maintain_batch(bigint, integer) IS
'For the procedure credit_maintain: does at most max_rows of the run''s step in this transaction and returns how many; NULL while another session is at a batch of the same step.
Errors: 22023 malformed argument; P0002 unknown run; 55000 the run has ended.';
COMMENT ON FUNCTION credit.end_maintenance(bigint, text) IS
'For the procedure credit_maintain: logs that a run ended, and by which error.
Errors: P0002 unknown run; 55000 the run has ended already.';
COMMENT ON PROCEDURE credit_maintain(interval, integer) IS
'Maintenance, one transaction for each batch of max_rows: all that is due, until time_limit has passed; then one batch of each step that is left. What is done stays done however the session ends; the next run goes on. Of two at once, one does a step and the other steps aside. Logged in credit.maintenance_run. A step that fails does not keep the others from being done; its error is raised at the end.
Errors: 22023 malformed argument; 2D000 called in a transaction block; what a step raised.';

COMMENT ON VIEW credit.expiring_soon IS 'Lots that hold something and expire within 90 days, in effect or not yet.';
COMMENT ON COLUMN credit.expiring_soon.account IS 'The account.';
COMMENT ON COLUMN credit.expiring_soon.lot IS 'The lot.';
COMMENT ON COLUMN credit.expiring_soon.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.expiring_soon.member IS 'The member whose lot it is; NULL for the pool.';
COMMENT ON COLUMN credit.expiring_soon.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.expiring_soon.source IS 'Where the lot came from.';
COMMENT ON COLUMN credit.expiring_soon.within_days IS 'The least of 7, 30, 60 and 90 days of 24 hours within which it expires.';
COMMENT ON COLUMN credit.expiring_soon.remaining IS 'What is left of it.';
COMMENT ON COLUMN credit.expiring_soon.value IS 'What is left at the lot''s cost basis, in currency; NULL when it has none.';
COMMENT ON COLUMN credit.expiring_soon.currency IS 'ISO 4217 code of value.';
COMMENT ON COLUMN credit.expiring_soon.effective_at IS 'From when on it is usable.';
COMMENT ON COLUMN credit.expiring_soon.expires_at IS 'From when on it is not usable any more.';

COMMENT ON VIEW credit.expiring_by_member IS 'What the lots of each owner that expire within 90 days hold: of a member, or of the pool (member NULL).';
COMMENT ON COLUMN credit.expiring_by_member.account IS 'The account.';
COMMENT ON COLUMN credit.expiring_by_member.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.expiring_by_member.member IS 'The member; NULL for the pool.';
COMMENT ON COLUMN credit.expiring_by_member.within_7_days IS 'What expires within 7 days.';
COMMENT ON COLUMN credit.expiring_by_member.within_30_days IS 'What expires within 30 days, those 7 included.';
COMMENT ON COLUMN credit.expiring_by_member.within_60_days IS 'What expires within 60 days.';
COMMENT ON COLUMN credit.expiring_by_member.within_90_days IS 'What expires within 90 days.';
COMMENT ON COLUMN credit.expiring_by_member.value IS 'What expires within 90 days at the lots'' cost basis, lots without one not counted; NULL when they were paid for in several currencies, or none was.';
COMMENT ON COLUMN credit.expiring_by_member.currency IS 'ISO 4217 code of value.';
COMMENT ON COLUMN credit.expiring_by_member.lots IS 'How many lots these are.';
COMMENT ON COLUMN credit.expiring_by_member.next_expiry IS 'When the first of them expires.';

COMMENT ON VIEW credit.expiring_by_account IS 'What the lots of each account that expire within 90 days hold.';
COMMENT ON COLUMN credit.expiring_by_account.account IS 'The account.';
COMMENT ON COLUMN credit.expiring_by_account.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.expiring_by_account.within_7_days IS 'What expires within 7 days.';
COMMENT ON COLUMN credit.expiring_by_account.within_30_days IS 'What expires within 30 days, those 7 included.';
COMMENT ON COLUMN credit.expiring_by_account.within_60_days IS 'What expires within 60 days.';
COMMENT ON COLUMN credit.expiring_by_account.within_90_days IS 'What expires within 90 days.';
COMMENT ON COLUMN credit.expiring_by_account.value IS 'What expires within 90 days at the lots'' cost basis, lots without one not counted; NULL when they were paid for in several currencies, or none was.';
COMMENT ON COLUMN credit.expiring_by_account.currency IS 'ISO 4217 code of value.';
COMMENT ON COLUMN credit.expiring_by_account.lots IS 'How many lots these are.';
COMMENT ON COLUMN credit.expiring_by_account.next_expiry IS 'When the first of them expires.';

COMMENT ON FUNCTION credit_expiry_forecast(text, text, interval) IS
'What each lot that expires will have lost by then, if every member goes on using credits for every operation as in the burn_window up to now: simulated in drawdown order. lost_value is at the lot''s cost basis, in currency. What schedules will issue until then is drawn on as well, and what they roll over (forecast_rolled) is not lost. The earliest expiry first; changes nothing.
Errors: 22023 malformed argument; P0002 unknown account or unit.';
