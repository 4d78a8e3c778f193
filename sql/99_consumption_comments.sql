-- Comments of what was consumed.

COMMENT ON TABLE credit.rollup IS 'The ledger up to credit.rolled_up_to(), added up: one row per account, unit, day, member, department, operation and currency. '''' stands for none. Read credit.consumption instead, which also has what came since. Not dumped: it is computed anew from the ledger.';
COMMENT ON COLUMN credit.rollup.month IS 'First day of the month of the day.';
COMMENT ON COLUMN credit.rollup.day IS 'The day of the usage in the account''s time zone.';
COMMENT ON COLUMN credit.rollup.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.rollup.first_posting IS 'The first posting that is in it.';
COMMENT ON COLUMN credit.rollup.last_posting IS 'The last posting that is in it.';
COMMENT ON COLUMN credit.rollup.account IS 'The account.';
COMMENT ON COLUMN credit.rollup.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.rollup.member IS 'The member; '''' for usage without one.';
COMMENT ON COLUMN credit.rollup.department IS 'The department that the member had when it was recorded; '''' for none.';
COMMENT ON COLUMN credit.rollup.operation IS 'The operation; '''' for none.';
COMMENT ON COLUMN credit.rollup.currency IS 'ISO 4217 code of value; '''' for lots without a cost basis.';
COMMENT ON COLUMN credit.rollup.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.rollup.pooled IS 'What of credits the pool paid, and not a lot of the member.';
COMMENT ON COLUMN credit.rollup.overage IS 'What of credits lots of source overdraft paid.';
COMMENT ON COLUMN credit.rollup.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.rollup.value IS 'What was used at the price of the lots that paid, to nine decimals: the usages of a lot together have the price of what was used of it.';
COMMENT ON COLUMN credit.rollup.funded IS 'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.rollup.lapsed IS 'What lots of the member lost to their expiry, less what late usage took back.';
COMMENT ON INDEX credit.rollup_day IS 'Finds the days of a period.';

COMMENT ON TABLE credit.rollup_lot IS 'How far along each lot with a price the lines that are added up have come. Not dumped: it is computed anew from the ledger.';
COMMENT ON COLUMN credit.rollup_lot.account IS 'The account.';
COMMENT ON COLUMN credit.rollup_lot.lot IS 'The lot.';
COMMENT ON COLUMN credit.rollup_lot.gone IS 'What they took of it, other than by adjustments that correct nothing.';
COMMENT ON COLUMN credit.rollup_lot.gained IS 'What adjustments that correct nothing added to it, less what they took.';

COMMENT ON TABLE credit.rollup_watermark IS 'How far the ledger is added up in credit.rollup: one row. Not dumped, and without meaning in another database: there it is begun anew.';
COMMENT ON COLUMN credit.rollup_watermark.rolled_to IS 'Up to this posting the ledger is added up.';
COMMENT ON COLUMN credit.rollup_watermark.final_to IS 'Up to this posting it can be: all transactions that took a posting id up to here have ended.';
COMMENT ON COLUMN credit.rollup_watermark.mark IS 'The posting up to which it can be next; NULL when there is none.';
COMMENT ON COLUMN credit.rollup_watermark.mark_before IS 'The mark is final once all transactions before this one have ended.';
COMMENT ON COLUMN credit.rollup_watermark.system_identifier IS 'The server that this is true of, as in pg_control_system().';
COMMENT ON COLUMN credit.rollup_watermark.database IS 'The database that this is true of.';
COMMENT ON COLUMN credit.rollup_watermark.only_row IS 'True: there is one row.';

COMMENT ON FUNCTION credit.rolled_up_to() IS 'The last posting that is added up in credit.rollup, as the calling query sees it; 0 for none, and where what is there belongs to another server or database.';

COMMENT ON FUNCTION credit_rollup(integer, boolean) IS
'Adds up what is new in the ledger, of at most max_postings postings, and returns of how many it did: 0 when nothing new is final, or while another session is at it. Lines that a running transaction may still come before are left for later; the views read those from the ledger, so they are exact whenever this runs. Its cost is that of the new lines. With rebuild all is forgotten first and added up anew. A step of credit_maintain().
Errors: 22023 malformed argument.';
COMMENT ON FUNCTION credit_chargeback(text, timestamp with time zone, timestamp with time zone, text, integer) IS
'What each department used from starts_at until before ends_at, by the time of the usage, and what it was granted: a row for each department that the ledger names, one without a department for usage that has none. funded is what its members were granted for lots of their own, less what was taken from them other than by usage and expiry; cross_subsidy is used less funded, above zero what others paid for; value is what was used at the cost basis of the lots that paid, in currency, NULL when there are several; overage is what lots of source overdraft paid. depth is how many levels of eng/ml/search are told apart, NULL all. The sum of used is the consumption of the account, exactly.
Errors: 22023 malformed argument; P0002 unknown account or unit.';

COMMENT ON VIEW credit.consumption_line IS 'What each line of the ledger adds to the reports, for those that add something: what credit.rollup adds up.';
COMMENT ON COLUMN credit.consumption_line.month IS 'First day of the month of the day.';
COMMENT ON COLUMN credit.consumption_line.day IS 'The day of the usage in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_line.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_line.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_line.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_line.member IS 'The member; '''' for usage without one.';
COMMENT ON COLUMN credit.consumption_line.department IS 'The department that the member had when it was recorded; '''' for none.';
COMMENT ON COLUMN credit.consumption_line.operation IS 'The operation; '''' for none.';
COMMENT ON COLUMN credit.consumption_line.currency IS 'ISO 4217 code of value; '''' for lots without a cost basis.';
COMMENT ON COLUMN credit.consumption_line.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_line.pooled IS 'What of credits the pool paid, and not a lot of the member.';
COMMENT ON COLUMN credit.consumption_line.overage IS 'What of credits lots of source overdraft paid.';
COMMENT ON COLUMN credit.consumption_line.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_line.value IS 'Its own share of the price of the lot, to 18 decimals. credit.consumption_since has the value that adds up.';
COMMENT ON COLUMN credit.consumption_line.funded IS 'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.consumption_line.lapsed IS 'What lots of the member lost to their expiry, less what late usage took back.';
COMMENT ON COLUMN credit.consumption_line.posting IS 'The posting.';
COMMENT ON COLUMN credit.consumption_line.occurred_at IS 'When it happened.';
COMMENT ON COLUMN credit.consumption_line.line IS 'The line of the posting.';
COMMENT ON COLUMN credit.consumption_line.lot IS 'The lot.';
COMMENT ON COLUMN credit.consumption_line.granted IS 'What the lot was granted with.';
COMMENT ON COLUMN credit.consumption_line.paid IS 'What was paid for that; NULL when no price is known.';
COMMENT ON COLUMN credit.consumption_line.counts IS 'Whether it adds anything to the reports; else it only takes from a lot with a price.';
COMMENT ON COLUMN credit.consumption_line.gone IS 'What it takes of the lot, other than by an adjustment that corrects nothing.';
COMMENT ON COLUMN credit.consumption_line.gained IS 'What an adjustment that corrects nothing adds to the lot.';

COMMENT ON VIEW credit.consumption_since IS 'What each line adds that came since the ledger was added up, with a value that adds up: the price of the stretch of the lot that it took.';
COMMENT ON COLUMN credit.consumption_since.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_since.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_since.month IS 'First day of the month of the day.';
COMMENT ON COLUMN credit.consumption_since.day IS 'The day of the usage in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_since.member IS 'The member; '''' for usage without one.';
COMMENT ON COLUMN credit.consumption_since.department IS 'The department that the member had when it was recorded; '''' for none.';
COMMENT ON COLUMN credit.consumption_since.operation IS 'The operation; '''' for none.';
COMMENT ON COLUMN credit.consumption_since.currency IS 'ISO 4217 code of value; '''' for lots without a cost basis.';
COMMENT ON COLUMN credit.consumption_since.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_since.pooled IS 'What of credits the pool paid, and not a lot of the member.';
COMMENT ON COLUMN credit.consumption_since.overage IS 'What of credits lots of source overdraft paid.';
COMMENT ON COLUMN credit.consumption_since.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_since.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_since.funded IS 'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.consumption_since.lapsed IS 'What lots of the member lost to their expiry, less what late usage took back.';
COMMENT ON COLUMN credit.consumption_since.posting IS 'The posting.';
COMMENT ON COLUMN credit.consumption_since.occurred_at IS 'When it happened.';
COMMENT ON COLUMN credit.consumption_since.value IS 'The price of its stretch of the lot, to nine decimals.';

COMMENT ON VIEW credit.consumption IS 'What was consumed, up to now: what is added up and what came since, in one snapshot. Rows of the same keys may come more than once: add them up. Filter by account and month, or account and day.';
COMMENT ON COLUMN credit.consumption.month IS 'First day of the month of the day.';
COMMENT ON COLUMN credit.consumption.day IS 'The day of the usage in the account''s time zone.';
COMMENT ON COLUMN credit.consumption.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption.account IS 'The account.';
COMMENT ON COLUMN credit.consumption.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption.member IS 'The member; NULL for usage without one.';
COMMENT ON COLUMN credit.consumption.department IS 'The department that the member had when it was recorded; NULL for none.';
COMMENT ON COLUMN credit.consumption.operation IS 'The operation; NULL for none.';
COMMENT ON COLUMN credit.consumption.currency IS 'ISO 4217 code of value; NULL for lots without a cost basis.';
COMMENT ON COLUMN credit.consumption.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption.pooled IS 'What of credits the pool paid, and not a lot of the member.';
COMMENT ON COLUMN credit.consumption.overage IS 'What of credits lots of source overdraft paid.';
COMMENT ON COLUMN credit.consumption.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption.value IS 'What was used at the price of the lots that paid, to nine decimals: the usages of a lot together have the price of what was used of it.';
COMMENT ON COLUMN credit.consumption.funded IS 'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.consumption.lapsed IS 'What lots of the member lost to their expiry, less what late usage took back.';

COMMENT ON VIEW credit.consumption_by_member IS 'What each member used in each month; usage without a member has a row of its own.';
COMMENT ON COLUMN credit.consumption_by_member.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_member.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_member.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_by_member.member IS 'The member; NULL for usage without one.';
COMMENT ON COLUMN credit.consumption_by_member.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_by_member.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_by_member.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_by_member.value IS 'What was used at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_by_member.currency IS 'ISO 4217 code of value.';

COMMENT ON VIEW credit.consumption_by_department IS 'What each department used in each month; usage without a department has a row of its own.';
COMMENT ON COLUMN credit.consumption_by_department.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_department.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_department.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_by_department.department IS 'The department that the member had when it was recorded; NULL for none.';
COMMENT ON COLUMN credit.consumption_by_department.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_by_department.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_by_department.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_by_department.value IS 'What was used at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_by_department.currency IS 'ISO 4217 code of value.';

COMMENT ON VIEW credit.consumption_within_department IS 'What each department used in each month with everything below it: eng counts what eng/ml used. Rows of one depth do not overlap; those of depth 1 add up to the consumption, exactly.';
COMMENT ON COLUMN credit.consumption_within_department.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_within_department.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_within_department.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_within_department.department IS 'The path, of the department that the member had when it was recorded or of one above it; NULL for usage without one.';
COMMENT ON COLUMN credit.consumption_within_department.depth IS 'How many levels the path has; 1 for usage without a department.';
COMMENT ON COLUMN credit.consumption_within_department.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_within_department.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_within_department.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_within_department.value IS 'What was used at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_within_department.currency IS 'ISO 4217 code of value.';

COMMENT ON VIEW credit.consumption_by_operation IS 'What each operation used in each month.';
COMMENT ON COLUMN credit.consumption_by_operation.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_by_operation.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_by_operation.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_by_operation.operation IS 'The operation; NULL for none.';
COMMENT ON COLUMN credit.consumption_by_operation.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_by_operation.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_by_operation.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_by_operation.value IS 'What was used at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_by_operation.currency IS 'ISO 4217 code of value.';

COMMENT ON VIEW credit.consumption_daily IS 'What each account used on each day.';
COMMENT ON COLUMN credit.consumption_daily.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_daily.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_daily.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_daily.day IS 'The day, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_daily.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_daily.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_daily.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_daily.value IS 'What was used at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_daily.currency IS 'ISO 4217 code of value.';

COMMENT ON VIEW credit.consumption_monthly IS 'What each account used in each month.';
COMMENT ON COLUMN credit.consumption_monthly.account IS 'The account.';
COMMENT ON COLUMN credit.consumption_monthly.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.consumption_monthly.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.consumption_monthly.credits IS 'What was used, less what corrections gave back.';
COMMENT ON COLUMN credit.consumption_monthly.quantity IS 'The quantities that were charged, less those of corrections.';
COMMENT ON COLUMN credit.consumption_monthly.requests IS 'How many usages: debits and charged operations, however many lots paid for one.';
COMMENT ON COLUMN credit.consumption_monthly.value IS 'What was used at the cost basis of the lots that paid, those without one not counted; NULL when they were paid for in several currencies, or none was.';
COMMENT ON COLUMN credit.consumption_monthly.currency IS 'ISO 4217 code of value.';

COMMENT ON VIEW credit.heavy_and_light_users IS 'What each member used in each month against what it was granted for lots of its own: who needs more, and who leaves credits unused that others could use if they were pooled.';
COMMENT ON COLUMN credit.heavy_and_light_users.account IS 'The account.';
COMMENT ON COLUMN credit.heavy_and_light_users.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.heavy_and_light_users.month IS 'First day of the month, in the account''s time zone.';
COMMENT ON COLUMN credit.heavy_and_light_users.member IS 'The member.';
COMMENT ON COLUMN credit.heavy_and_light_users.funded IS 'What the member was granted for lots of its own, less what was taken from them other than by usage and expiry.';
COMMENT ON COLUMN credit.heavy_and_light_users.used IS 'What it used, less what corrections gave back.';
COMMENT ON COLUMN credit.heavy_and_light_users.used_of_own IS 'What of that its own lots paid.';
COMMENT ON COLUMN credit.heavy_and_light_users.used_of_pool IS 'What of that the pool paid: it ran out of its own.';
COMMENT ON COLUMN credit.heavy_and_light_users.lapsed IS 'What lots of the member lost to their expiry, less what late usage took back.';
COMMENT ON COLUMN credit.heavy_and_light_users.unused IS 'What it left of what it was granted in the month.';
COMMENT ON COLUMN credit.heavy_and_light_users.used_share IS 'used by funded, to 4 decimals; NULL when it was granted nothing.';
COMMENT ON COLUMN credit.heavy_and_light_users.class IS 'heavy when it used more than it was granted, light when less, even when the same; unfunded when it was granted nothing.';
