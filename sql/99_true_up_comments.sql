-- Comments of the true-up.

COMMENT ON SEQUENCE credit.true_up_id IS 'Ids of closed periods. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps are normal.';

COMMENT ON TABLE credit.true_up_terms IS 'What is declared of an account''s true-up in a unit. What is not declared comes from its agreements, else from its schedules. Written by credit_true_up_terms(), and by a schedule with true_up.';
COMMENT ON COLUMN credit.true_up_terms.anchor IS 'Where a period begins; the others are counted from it, on the account''s calendar.';
COMMENT ON COLUMN credit.true_up_terms.recorded_at IS 'When it was declared last.';
COMMENT ON COLUMN credit.true_up_terms.every IS 'The length of a period.';
COMMENT ON COLUMN credit.true_up_terms.account IS 'The account.';
COMMENT ON COLUMN credit.true_up_terms.unit IS 'The unit.';
COMMENT ON COLUMN credit.true_up_terms.commitment IS 'What is promised for each period, in credits; NULL: what was agreed, else what schedules grant.';
COMMENT ON COLUMN credit.true_up_terms.shortfall IS 'What becomes of what is missing: due, carry (the next period makes up for it) or forgive.';
COMMENT ON COLUMN credit.true_up_terms.overage IS 'What becomes of what goes beyond: due, carry (it counts in the next period) or forgive.';
COMMENT ON COLUMN credit.true_up_terms.eligible IS 'Which consumption counts: all, or paid (of paid lots).';
COMMENT ON COLUMN credit.true_up_terms.unit_price IS 'What a missing credit costs; NULL: as agreed, else as the schedule.';
COMMENT ON COLUMN credit.true_up_terms.overage_price IS 'What a credit beyond costs; NULL: as a missing one.';
COMMENT ON COLUMN credit.true_up_terms.currency IS 'The currency of the prices (ISO 4217).';
COMMENT ON COLUMN credit.true_up_terms.grant_shortfall IS 'Whether what is paid of a shortfall is granted, as a lot of source commitment that never expires.';
COMMENT ON COLUMN credit.true_up_terms.recorded_by IS 'The role that declared it.';

COMMENT ON TABLE credit.true_up IS 'One row per closed period of an account and unit. Immutable but for settled_at. Written by credit_true_up_post().';
COMMENT ON COLUMN credit.true_up.true_up IS 'The closed period.';
COMMENT ON COLUMN credit.true_up.starts_at IS 'Its first instant.';
COMMENT ON COLUMN credit.true_up.ends_at IS 'The first instant after it: nothing is dated before it any more.';
COMMENT ON COLUMN credit.true_up.posted_at IS 'When it was closed.';
COMMENT ON COLUMN credit.true_up.settled_at IS 'When what was due was settled (credit_true_up_settle); NULL until then.';
COMMENT ON COLUMN credit.true_up.granted_lot IS 'The lot of what was missing, where that is granted.';
COMMENT ON COLUMN credit.true_up.account IS 'The account.';
COMMENT ON COLUMN credit.true_up.unit IS 'The unit of all quantities.';
COMMENT ON COLUMN credit.true_up.committed IS 'What was promised.';
COMMENT ON COLUMN credit.true_up.used IS 'What was consumed of what counts, less what was corrected.';
COMMENT ON COLUMN credit.true_up.granted IS 'What was granted in it.';
COMMENT ON COLUMN credit.true_up.expired IS 'What expired in it, less what late usage took back.';
COMMENT ON COLUMN credit.true_up.rolled_in IS 'What rolled over into lots of it.';
COMMENT ON COLUMN credit.true_up.rolled_out IS 'What rolled over out of lots.';
COMMENT ON COLUMN credit.true_up.carried_in IS 'What the period before left: overage that counts here, or below zero what was missing then.';
COMMENT ON COLUMN credit.true_up.prepaid IS 'What was granted in it for money.';
COMMENT ON COLUMN credit.true_up.prepaid_left IS 'What was prepaid by its end and neither used nor needed for a commitment: it counts in the next period.';
COMMENT ON COLUMN credit.true_up.shortfall IS 'What is missing: committed less used and carried in, at least 0.';
COMMENT ON COLUMN credit.true_up.overage IS 'What goes beyond, at least 0.';
COMMENT ON COLUMN credit.true_up.unit_price IS 'What a missing credit costs.';
COMMENT ON COLUMN credit.true_up.overage_price IS 'What a credit beyond costs.';
COMMENT ON COLUMN credit.true_up.amount_due IS 'What is to be paid, in the currency; NULL where no price is known.';
COMMENT ON COLUMN credit.true_up.currency IS 'The currency (ISO 4217).';
COMMENT ON COLUMN credit.true_up.carried_forward IS 'What the next period gets.';
COMMENT ON COLUMN credit.true_up.recorded_by IS 'The role that closed it.';

COMMENT ON INDEX credit.true_up_by_end IS 'Finds the closed periods around an instant.';

COMMENT ON TABLE credit.true_up_line IS 'The lines of closed periods: where each figure comes from.';
COMMENT ON COLUMN credit.true_up_line.true_up IS 'The closed period.';
COMMENT ON COLUMN credit.true_up_line.line IS 'The line, from 1.';
COMMENT ON COLUMN credit.true_up_line.account IS 'The account.';
COMMENT ON COLUMN credit.true_up_line.kind IS 'committed, carried_in, prepaid_in, used, used_beside (does not count), used_late (of a closed period), granted, prepaid, expired, rolled_in, rolled_out, voided, returned, converted, adjusted, shortfall, overage, shortfall_due, overage_due, carried_forward or prepaid_left.';
COMMENT ON COLUMN credit.true_up_line.reference IS 'What it refers to: an agreement, a schedule, the terms or a closed period.';
COMMENT ON COLUMN credit.true_up_line.quantity IS 'How many credits.';
COMMENT ON COLUMN credit.true_up_line.unit_price IS 'What one of them costs.';
COMMENT ON COLUMN credit.true_up_line.amount IS 'What they cost together, in the currency of the period.';

COMMENT ON TABLE credit.true_up_correction IS 'Usage of closed periods that came after them: a posting of a later period, and what it corrects.';
COMMENT ON COLUMN credit.true_up_correction.true_up IS 'The closed period it belongs to.';
COMMENT ON COLUMN credit.true_up_correction.posting IS 'The posting, in the period that was open.';
COMMENT ON COLUMN credit.true_up_correction.occurred_at IS 'When the usage happened, the earliest where it was several.';
COMMENT ON COLUMN credit.true_up_correction.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.true_up_correction.account IS 'The account.';
COMMENT ON COLUMN credit.true_up_correction.amount IS 'How many credits; below zero where an adjustment took them back.';

COMMENT ON VIEW credit.true_ups_due IS 'One row per declared period that is over and not closed.';
COMMENT ON COLUMN credit.true_ups_due.account IS 'The account.';
COMMENT ON COLUMN credit.true_ups_due.unit IS 'The unit.';
COMMENT ON COLUMN credit.true_ups_due.starts_at IS 'The first instant of the period.';
COMMENT ON COLUMN credit.true_ups_due.ends_at IS 'The first instant after it.';

COMMENT ON FUNCTION credit_true_up_terms(text, interval, timestamptz, numeric, text, text, text, numeric, numeric, text, boolean, text) IS
'Declares how an account is trued up in a unit (NULL: its own), or changes what is given; NULL keeps what is there. Periods are every (3 months) long, counted from anchor (now). See credit.true_up_terms. Closed periods do not change. Returns the account.
Errors: 22023 malformed argument, or a price without a currency; P0002 unknown account or unit; 22003 from 10^15 on.';
COMMENT ON FUNCTION credit_true_up(text, timestamptz, timestamptz, text, boolean) IS
'What [starts_at, ends_at) comes to, of one account, or with all_accounts of all that have a commitment: committed by the declared terms, else by agreements (a month of a year is a twelfth of it), else by what schedules grant; used; shortfall and overage, and what is due of them at the agreed price once what was paid for in the period is counted. Without a period: the declared one that contains now. Writes nothing, works on a standby, and shows a closed period as it was closed (posted_at).
Errors: 22023 malformed argument, or a period without length; P0002 unknown account or unit; 55000 no declared period, or a commitment in money without a price; 22003.';
COMMENT ON FUNCTION credit_true_up_lines(text, timestamptz, timestamptz, text, boolean) IS
'The lines of credit_true_up(): where each figure comes from. The amounts of the lines add up to amount_due.
Errors: as credit_true_up().';
COMMENT ON FUNCTION credit_true_up_post(text, timestamptz, timestamptz, text, boolean) IS
'Closes [starts_at, ends_at) of one account, or with all_accounts of all that have a commitment: issues and expires what is due, writes the statement (credit.true_up, credit.true_up_line), grants what is missing where that is declared, and from then on refuses or redirects what would be dated before ends_at. Without a period: the declared one that follows the last closed one. Periods follow each other without gaps. A period that is closed already stays as it is and is returned. All or nothing.
With all_accounts: all that have a commitment in the unit that is named, else in their own.
Errors: 22023 malformed argument; P0002 unknown account or unit; 55000 the period has not ended, overlaps or leaves a gap, or a transaction that began before its end has not ended; 25001 at another isolation level than READ COMMITTED; 40001 and 40P01: repeat the transaction.';
COMMENT ON FUNCTION credit_true_up_settle(text, bigint) IS
'Says that what a closed period left due is settled; false when it was before.
Errors: 22023; P0002 unknown account or closed period.';

COMMENT ON TRIGGER true_up_90_refuse_update ON credit.true_up IS 'Of a closed period only settled_at may be written, once (ENABLE ALWAYS).';
COMMENT ON TRIGGER true_up_91_refuse_delete ON credit.true_up IS 'Closed periods are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER true_up_92_refuse_truncate ON credit.true_up IS 'Closed periods are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER true_up_line_90_refuse_change ON credit.true_up_line IS 'The lines of a closed period never change (ENABLE ALWAYS).';
COMMENT ON TRIGGER true_up_line_92_refuse_truncate ON credit.true_up_line IS 'The lines of a closed period never change (ENABLE ALWAYS).';
COMMENT ON TRIGGER true_up_correction_90_refuse_change ON credit.true_up_correction IS 'What corrects a closed period never changes (ENABLE ALWAYS).';
COMMENT ON TRIGGER true_up_correction_92_refuse_truncate ON credit.true_up_correction IS 'What corrects a closed period never changes (ENABLE ALWAYS).';
