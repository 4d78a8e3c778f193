-- What every object is, its unit, and the errors it raises: what \dx+, \df+, \d+ and documentation tools show.
-- tests/clients/tests/catalog proves that nothing lacks a comment.

COMMENT ON SCHEMA credit IS 'pg_credit: the tables, views and internal functions of the credit economy. The functions to call are credit_*(), in the schema that the extension was created in.';

COMMENT ON DOMAIN credit.remaining IS 'What is left in a slot: never below 0 (23514). The last guard against overdraft, behind every function and trigger.';

-- Sequences

COMMENT ON SEQUENCE credit.lot_id IS 'Ids of lots. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps are normal.';
COMMENT ON SEQUENCE credit.posting_id IS 'Ids of postings. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps are normal.';

-- Tables

COMMENT ON TABLE credit.unit IS 'Pricing units: what amounts are counted in. The unit ''credit'' (6 decimals) is created on first use; others are created by credit_unit(). A unit in use can gain decimals; its rounding and currency stay, and it cannot be renamed or deleted (55000).';
COMMENT ON COLUMN credit.unit.unit IS 'The unit''s name, such as credit or usd. 1 to 255 characters.';
COMMENT ON COLUMN credit.unit.decimals IS 'How many decimals an amount of this unit may have, 0 to 9. An amount with more is refused (22023), never rounded.';
COMMENT ON COLUMN credit.unit.rounding IS 'How a computed price is rounded to the decimals: half_even, half_up, up or down. Amounts that a caller gives are never rounded.';
COMMENT ON COLUMN credit.unit.currency IS 'The currency of the unit''s value in money, as three capital letters (ISO 4217). A unit with a currency and no row in credit.unit_value is money itself: one of it is one of the currency.';
COMMENT ON COLUMN credit.unit.created_at IS 'When the unit was created.';

COMMENT ON TABLE credit.account IS 'Accounts: the organisations that own credits. Created and changed by credit_account(); the first grant to an unknown account creates it with the defaults.';
COMMENT ON COLUMN credit.account.account IS 'Your own id of the organisation. 1 to 255 characters; compared by byte. It never changes (42501).';
COMMENT ON COLUMN credit.account.unit IS 'The unit of grants, debits and balances that name none.';
COMMENT ON COLUMN credit.account.pooling IS 'pooled: a member spends his own lots first, then the pool. per_seat: a member spends his own lots only. As it was told last; what counts where has_pooling_rules is in credit.pooling.';
COMMENT ON COLUMN credit.account.time_zone IS 'The time zone whose calendar expires_after is counted on. It cannot change once the account has a lot (55000).';
COMMENT ON COLUMN credit.account.require_members IS 'Whether members must be registered by credit_member() before they are named (else P0002). When false, naming a member registers it; a seat it gets by a grant only, or where self_seating says so.';
COMMENT ON COLUMN credit.account.metadata IS 'Anything the application keeps with the account. Not interpreted.';
COMMENT ON COLUMN credit.account.created_at IS 'When the account was created.';
COMMENT ON COLUMN credit.account.late_usage IS 'What happens to usage that comes after the expiry of a lot which was in force when it happened. reject: it is refused (55000). current: the lots of now pay. original: the expired lots pay, with what they lost.';
COMMENT ON COLUMN credit.account.closed_until IS 'Until when its periods have been closed by true-ups, of whichever unit; NULL when none was.';
COMMENT ON COLUMN credit.account.transfers IS 'Between whom credit_transfer() moves credits: free, department (members of one department, and with the pool), pool (only to and from the pool) or none.';
COMMENT ON COLUMN credit.account.late_grace IS 'How long after a lot''s expiry usage of its life still counts as in time, counted on the account''s calendar.';

COMMENT ON TABLE credit.member IS 'Members of an account: seats, which are users, agents or services. Registered by credit_member(), or by the first grant or debit that names them; seated_at says which of them have a seat.';
COMMENT ON COLUMN credit.member.account IS 'The account the member belongs to.';
COMMENT ON COLUMN credit.member.member IS 'Your own id of the member, unique within the account. 1 to 255 characters; compared by byte.';
COMMENT ON COLUMN credit.member.department IS 'The cost centre that the member''s entries are booked to from now on, as a path from the top such as eng/ml; NULL for none.';
COMMENT ON COLUMN credit.member.active IS 'An inactive member cannot be granted credits or debit them (55000). What it owns stays.';
COMMENT ON COLUMN credit.member.metadata IS 'Anything the application keeps with the member. Not interpreted.';
COMMENT ON COLUMN credit.member.created_at IS 'When the member was registered.';

COMMENT ON TABLE credit.lot IS 'Lots: credits granted together under the same terms. The terms never change (42501); slots, closed and posted are state. A row inserted directly is checked like a grant and posted once. What is left of a lot is in credit.slot; read the view credit.lots.';
COMMENT ON COLUMN credit.lot.lot IS 'The lot''s id. Assigned by the extension.';
COMMENT ON COLUMN credit.lot.effective_at IS 'The first instant at which the lot is usable.';
COMMENT ON COLUMN credit.lot.expires_at IS 'The first instant at which the lot is not usable any more, whether or not the expiry was posted; NULL for a lot that never expires.';
COMMENT ON COLUMN credit.lot.recorded_at IS 'When the lot was granted, by the clock at the write.';
COMMENT ON COLUMN credit.lot.parent IS 'The lot this one was moved from (credit_set_expiry()); NULL for a lot of its own.';
COMMENT ON COLUMN credit.lot.priority IS 'The lower, the earlier the lot is drawn: 0 to 1000, 50 unless given.';
COMMENT ON COLUMN credit.lot.slots IS 'How many slots hold the lot''s remaining amount. Grows under contention, never shrinks.';
COMMENT ON COLUMN credit.lot.closed IS 'The lot holds nothing and debits do not look at it. A lot at zero may still be open.';
COMMENT ON COLUMN credit.lot.posted IS 'The grant is in the ledger. True in every committed row; restored rows arrive posted, so triggers do not apply them again.';
COMMENT ON COLUMN credit.lot.account IS 'The account that owns the lot.';
COMMENT ON COLUMN credit.lot.unit IS 'The unit of the lot''s amounts.';
COMMENT ON COLUMN credit.lot.member IS 'The member the lot belongs to; NULL for a pooled lot, which every member of a pooled account may spend.';
COMMENT ON COLUMN credit.lot.category IS 'paid: sold, so what is left is owed to the customer. promotional: given away.';
COMMENT ON COLUMN credit.lot.source IS 'Where the credits come from: purchase, allocation, top_up, rollover, commitment, transfer, adjustment or overdraft.';
COMMENT ON COLUMN credit.lot.granted IS 'The amount granted, in the lot''s unit. Above 0, below 10^15.';
COMMENT ON COLUMN credit.lot.paid IS 'What was paid for the lot, in currency; NULL when unknown.';
COMMENT ON COLUMN credit.lot.currency IS 'The currency of paid, as three capital letters (ISO 4217).';
COMMENT ON COLUMN credit.lot.cost_basis IS 'Money per credit: paid / granted. A moved lot inherits it unchanged.';
COMMENT ON COLUMN credit.lot.applies_to IS 'The operations the lot pays for; NULL for all of them, also for debits that name none.';
COMMENT ON COLUMN credit.lot.recorded_by IS 'The login role of the session that granted the lot.';
COMMENT ON COLUMN credit.lot.metadata IS 'Anything the application keeps with the lot. Not interpreted.';

COMMENT ON INDEX credit.lot_drawdown IS 'The open lots in drawdown order: a member''s own before the pool (which stands under the member ''''), priority, limited to operations first, earlier expiry, promotional before paid, earlier effect, lower id. The remaining amount is in no index.';
COMMENT ON INDEX credit.lot_due IS 'The open lots by expiry, for credit_expire().';

COMMENT ON TABLE credit.slot IS 'Slots: the parts of what is left of each lot, and the only rows a debit updates. Several slots let several debits of one lot commit at the same time. Never deleted (42501). Read the view credit.lots instead.';
COMMENT ON COLUMN credit.slot.lot IS 'The lot the slot is a part of.';
COMMENT ON COLUMN credit.slot.slot IS 'The slot''s number within its lot, from 0.';
COMMENT ON COLUMN credit.slot.account IS 'The account that owns the lot.';
COMMENT ON COLUMN credit.slot.remaining IS 'What is left in this slot, in the lot''s unit. Never below 0 (the domain credit.remaining).';

COMMENT ON TABLE credit.entry IS 'The ledger: one line per posting and lot. Append-only: UPDATE, DELETE and TRUNCATE are refused (42501). A line inserted directly (debit or adjustment, naming its lot) is checked and applied once. Read the view credit.ledger.';
COMMENT ON COLUMN credit.entry.posting IS 'The posting the line belongs to: all lines of one call. Assigned by the extension.';
COMMENT ON COLUMN credit.entry.lot IS 'The lot the line changes.';
COMMENT ON COLUMN credit.entry.occurred_at IS 'When the usage happened; for an expiry, when the lot expired.';
COMMENT ON COLUMN credit.entry.recorded_at IS 'The clock at the write, with the locks held. The ledger as of an instant is the lines recorded up to it.';
COMMENT ON COLUMN credit.entry.corrects IS 'The posting that this line corrects; NULL for none.';
COMMENT ON COLUMN credit.entry.rate IS 'The version of the rate that priced the line. NULL in this version, which has no rate cards.';
COMMENT ON COLUMN credit.entry.line IS 'The line''s number within its posting, from 1, in drawdown order.';
COMMENT ON COLUMN credit.entry.posted IS 'The line has been applied to the lot''s slots. True in every committed row; restored rows arrive posted, so triggers do not apply them again.';
COMMENT ON COLUMN credit.entry.account IS 'The account that owns the lot.';
COMMENT ON COLUMN credit.entry.kind IS 'debit: used. grant: the lot''s first line. void: withdrawn. expiry: lapsed unused. expiry_reversal: taken back of that for late usage, which the next line debits. move_out and move_in: moved to another lot, with another expiry or of another owner. return: taken back unused by a change of plan. roll_out and roll_in: rolled over to the next period. adjustment: a correction.';
COMMENT ON COLUMN credit.entry.amount IS 'What the lot gains (positive) or loses (negative), in the lot''s unit.';
COMMENT ON COLUMN credit.entry.member IS 'The member who spent, or who owns the lot; NULL for none.';
COMMENT ON COLUMN credit.entry.department IS 'The member''s department when the line was written.';
COMMENT ON COLUMN credit.entry.operation IS 'What was done with the credits, in your own words; NULL when not said.';
COMMENT ON COLUMN credit.entry.quantity IS 'How much of the operation was priced. NULL for functions of this version, which price nothing; a direct insert may give it.';
COMMENT ON COLUMN credit.entry.recorded_by IS 'The login role of the session that wrote the line.';
COMMENT ON COLUMN credit.entry.metadata IS 'Anything the application keeps with the line. Not interpreted.';
COMMENT ON INDEX credit.entry_recorded_at IS 'Block ranges by time of recording and by posting: small, and enough for queries about a period, and to find what is new.';

COMMENT ON TABLE credit.request IS 'Idempotency keys: what was asked under a key, and what it returned. Kept for credit.key_retention_days at least; credit_maintain() forgets older ones.';
COMMENT ON COLUMN credit.request.result IS 'What the call returned: a lot''s id or a posting''s.';
COMMENT ON COLUMN credit.request.recorded_at IS 'When the key was first used.';
COMMENT ON COLUMN credit.request.account IS 'The account of the call. Keys of different accounts are independent.';
COMMENT ON COLUMN credit.request.key IS 'The caller''s key. 1 to 255 characters; compared by byte.';
COMMENT ON COLUMN credit.request.function IS 'The function: credit_grant, or credit_debit for credit_debit() and credit_try_debit() alike.';
COMMENT ON COLUMN credit.request.fingerprint IS 'SHA-256 of the function''s name and its arguments in normal form. The same key with another fingerprint is refused (23505).';
COMMENT ON INDEX credit.request_recorded_at IS 'Block ranges by time of recording, for forgetting old keys.';

COMMENT ON TABLE credit.access_record IS 'Who was allowed what, as credit_allow() recorded it. An upgrade and a restored dump grant from it again. credit.access says what became of it.';
COMMENT ON COLUMN credit.access_record.role IS 'The role''s name when it was allowed.';
COMMENT ON COLUMN credit.access_record.level IS 'read, spend or admin. credit.access_rule lists what each may do.';
COMMENT ON COLUMN credit.access_record.role_oid IS 'The role''s oid, which it keeps when it is renamed.';
COMMENT ON COLUMN credit.access_record.system_identifier IS 'The server whose oid that is; on another one only the name counts.';
COMMENT ON COLUMN credit.access_record.granted_at IS 'When it was granted.';
COMMENT ON COLUMN credit.access_record.granted_by IS 'The login role of the session that granted it.';

-- Views. Those of the access levels stand with their rules, in 90_access.sql, which is installed after this file.

COMMENT ON VIEW credit.lots IS 'One row per lot, with what is left of it and its state now. Filter on account.';
COMMENT ON COLUMN credit.lots.account IS 'The account that owns the lot.';
COMMENT ON COLUMN credit.lots.lot IS 'The lot''s id, as credit_grant() returned it.';
COMMENT ON COLUMN credit.lots.unit IS 'The unit of the lot''s amounts.';
COMMENT ON COLUMN credit.lots.member IS 'The member the lot belongs to; NULL for a pooled lot.';
COMMENT ON COLUMN credit.lots.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.lots.source IS 'Where the credits come from: purchase, allocation, top_up, rollover, commitment, transfer, adjustment or overdraft.';
COMMENT ON COLUMN credit.lots.priority IS 'The lower, the earlier the lot is drawn.';
COMMENT ON COLUMN credit.lots.applies_to IS 'The operations the lot pays for; NULL for all.';
COMMENT ON COLUMN credit.lots.status IS 'usable now; future: not yet effective; expired: past expires_at, posted or not; empty: nothing is left, by use, void or a move.';
COMMENT ON COLUMN credit.lots.granted IS 'The amount granted.';
COMMENT ON COLUMN credit.lots.remaining IS 'What the books hold of the lot. Of an expired lot, until its expiry is posted, also what lapsed.';
COMMENT ON COLUMN credit.lots.usable IS 'What of it could be spent now.';
COMMENT ON COLUMN credit.lots.effective_at IS 'The first instant at which the lot is usable.';
COMMENT ON COLUMN credit.lots.expires_at IS 'The first instant at which it is not usable any more; NULL for never.';
COMMENT ON COLUMN credit.lots.paid IS 'What was paid for the lot, in currency; NULL when unknown.';
COMMENT ON COLUMN credit.lots.currency IS 'The currency of paid (ISO 4217).';
COMMENT ON COLUMN credit.lots.cost_basis IS 'Money per credit.';
COMMENT ON COLUMN credit.lots.parent IS 'The lot this one was moved from.';
COMMENT ON COLUMN credit.lots.slots IS 'In how many slots the remaining amount is kept.';
COMMENT ON COLUMN credit.lots.recorded_at IS 'When the lot was granted.';
COMMENT ON COLUMN credit.lots.recorded_by IS 'The login role of the session that granted it.';
COMMENT ON COLUMN credit.lots.metadata IS 'Anything the application keeps with the lot.';

COMMENT ON VIEW credit.balances IS 'One row per owner that has usable credits now: each member''s own lots, and the pool. An owner with none has no row. Filter on account.';
COMMENT ON COLUMN credit.balances.account IS 'The account.';
COMMENT ON COLUMN credit.balances.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.balances.member IS 'The member whose own lots are counted; NULL for the pool.';
COMMENT ON COLUMN credit.balances.balance IS 'What is usable now, including lots limited to operations.';
COMMENT ON COLUMN credit.balances.paid IS 'The part of the balance in paid lots.';
COMMENT ON COLUMN credit.balances.promotional IS 'The part of the balance in promotional lots.';
COMMENT ON COLUMN credit.balances.limited_to_operations IS 'The part of the balance in lots limited to operations.';
COMMENT ON COLUMN credit.balances.lots IS 'How many lots hold the balance.';
COMMENT ON COLUMN credit.balances.next_expiry IS 'When the first of these lots expires; NULL when none does.';

COMMENT ON VIEW credit.ledger IS 'One row per ledger line, with the terms of its lot and its value at the lot''s cost basis. Filter on account.';
COMMENT ON COLUMN credit.ledger.account IS 'The account.';
COMMENT ON COLUMN credit.ledger.posting IS 'The posting: all lines of one call.';
COMMENT ON COLUMN credit.ledger.line IS 'The line''s number within its posting, in drawdown order.';
COMMENT ON COLUMN credit.ledger.kind IS 'debit, grant, void, expiry, expiry_reversal, move_out, move_in, return, roll_out, roll_in, convert_out, convert_in or adjustment.';
COMMENT ON COLUMN credit.ledger.amount IS 'What the lot gains (positive) or loses (negative).';
COMMENT ON COLUMN credit.ledger.unit IS 'The unit of the amount.';
COMMENT ON COLUMN credit.ledger.lot IS 'The lot.';
COMMENT ON COLUMN credit.ledger.member IS 'The member who spent, or who owns the lot.';
COMMENT ON COLUMN credit.ledger.department IS 'The member''s department when the line was written.';
COMMENT ON COLUMN credit.ledger.operation IS 'What was done with the credits.';
COMMENT ON COLUMN credit.ledger.quantity IS 'How much of the operation was priced; NULL when nothing was.';
COMMENT ON COLUMN credit.ledger.rate IS 'The version of the rate that priced it; NULL when nothing was.';
COMMENT ON COLUMN credit.ledger.category IS 'The lot''s category: paid or promotional.';
COMMENT ON COLUMN credit.ledger.source IS 'The lot''s source.';
COMMENT ON COLUMN credit.ledger.currency IS 'The currency of value (ISO 4217).';
COMMENT ON COLUMN credit.ledger.cost_basis IS 'The lot''s money per credit.';
COMMENT ON COLUMN credit.ledger.value IS 'Its share of the lot''s price, to 18 decimals: amount x cost_basis. Of a lot that gained credits by adjustments, amount x price / all credits that it got, and 0 for the adjustments. NULL when the price of the lot is unknown.';
COMMENT ON COLUMN credit.ledger.occurred_at IS 'When the usage happened; for an expiry, when the lot expired.';
COMMENT ON COLUMN credit.ledger.recorded_at IS 'When the line was written.';
COMMENT ON COLUMN credit.ledger.recorded_by IS 'The login role of the session that wrote it.';
COMMENT ON COLUMN credit.ledger.corrects IS 'The posting that it corrects.';
COMMENT ON COLUMN credit.ledger.metadata IS 'Anything the application keeps with the line.';

-- Internal functions and triggers

COMMENT ON FUNCTION credit.now() IS 'The instant the views go by: the real time at the call, or credit.clock when it is set.';
COMMENT ON FUNCTION credit.add_interval(timestamptz, interval, text) IS 'An instant plus an interval: months and days on the calendar of the time zone, hours and less absolute.';
COMMENT ON FUNCTION credit.lot_check() IS 'Trigger: checks a directly inserted lot like a grant and fills in what only the extension knows. Errors as credit_grant().';
COMMENT ON FUNCTION credit.lot_apply() IS 'Trigger: gives a directly inserted lot its slot and its grant line, and marks it as posted.';
COMMENT ON FUNCTION credit.entry_check() IS 'Trigger: checks a directly inserted ledger line, locks its lot, and assigns posting, line and times. Errors: 22023, 23514, P0002, 55000.';
COMMENT ON FUNCTION credit.entry_apply() IS 'Trigger: applies a directly inserted ledger line to the lot''s slots, once, and marks it as posted.';
COMMENT ON FUNCTION credit.refuse_change() IS 'Trigger: refuses the change (42501).';
COMMENT ON FUNCTION credit.account_check() IS 'Trigger: keeps an account''s id (42501), and its time zone once it has a lot (55000).';
COMMENT ON FUNCTION credit.unit_check() IS 'Trigger: keeps the name and at least the decimals of a unit in use (55000).';

COMMENT ON FUNCTION credit.announce_change() IS 'Trigger function: tells every backend at commit that accounts, units or members changed, so that none debits by what it remembers.';
COMMENT ON TYPE credit.lot_announcement IS 'Nothing is of this type. The server tells backends that it changed, which means to them that lots were added or opened again.';
COMMENT ON FUNCTION credit.announce_lot() IS 'Trigger function: tells every backend at commit that a lot was added or opened again, so that none passes it over.';
COMMENT ON TRIGGER lot_10_check ON credit.lot IS 'Checks a directly inserted lot. Rows that are posted already, as a restore writes them, pass.';
COMMENT ON TRIGGER lot_20_apply ON credit.lot IS 'Posts a directly inserted lot, after it was in fact inserted.';
COMMENT ON TRIGGER lot_90_refuse_update ON credit.lot IS 'The terms of a lot never change. Also fires on replicas and restores (ENABLE ALWAYS).';
COMMENT ON TRIGGER lot_91_refuse_delete ON credit.lot IS 'Lots are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER lot_92_refuse_truncate ON credit.lot IS 'Lots are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER lot_95_announce ON credit.lot IS 'Tells the backends that remember which lot comes first (ENABLE ALWAYS).';
COMMENT ON TRIGGER lot_96_announce ON credit.lot IS 'Tells the backends that remember which lot comes first (ENABLE ALWAYS).';
COMMENT ON TRIGGER entry_10_check ON credit.entry IS 'Checks a directly inserted ledger line. Rows that are posted already, as a restore writes them, pass.';
COMMENT ON TRIGGER entry_20_apply ON credit.entry IS 'Applies a directly inserted ledger line, after it was in fact inserted.';
COMMENT ON TRIGGER entry_90_refuse_update ON credit.entry IS 'A ledger line never changes, but for posted turning true (ENABLE ALWAYS).';
COMMENT ON TRIGGER entry_91_refuse_delete ON credit.entry IS 'Ledger lines are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER entry_92_refuse_truncate ON credit.entry IS 'Ledger lines are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER slot_91_refuse_delete ON credit.slot IS 'Slots are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER slot_92_refuse_truncate ON credit.slot IS 'Slots are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER account_90_check ON credit.account IS 'The account''s id never changes, nor its time zone once it has a lot; an account with lots or members is not deleted.';
COMMENT ON TRIGGER account_92_refuse_truncate ON credit.account IS 'Accounts are not truncated: the ledger names them.';
COMMENT ON TRIGGER account_95_announce ON credit.account IS 'Tells the backends that remember accounts (ENABLE ALWAYS).';
COMMENT ON TRIGGER member_91_refuse_delete ON credit.member IS 'Members are deactivated, not deleted: the ledger names them.';
COMMENT ON TRIGGER member_92_refuse_truncate ON credit.member IS 'Members are deactivated, not deleted: the ledger names them.';
COMMENT ON TRIGGER member_95_announce ON credit.member IS 'Tells the backends that remember members (ENABLE ALWAYS).';
COMMENT ON TRIGGER unit_92_refuse_truncate ON credit.unit IS 'Units are not truncated: lots name them.';
COMMENT ON TRIGGER unit_95_announce ON credit.unit IS 'Tells the backends that remember units (ENABLE ALWAYS).';
COMMENT ON TRIGGER unit_90_check ON credit.unit IS 'A unit in use keeps its name, its rounding, its currency if it has one, and at least its decimals.';

-- The functions to call. They are created in the schema that CREATE EXTENSION names.

COMMENT ON FUNCTION credit_account(text, text, text, text, boolean, text, text, interval, text, boolean, jsonb) IS
'Creates an account, or changes what is given of it; NULL keeps what is there. Returns the account.
Errors: 22023 malformed argument; P0002 unknown unit or rate card; 55000 the time zone once the account has a lot.';
COMMENT ON FUNCTION credit_member(text, text, text, boolean, text, jsonb) IS
'Registers a member, or changes what is given of it; NULL keeps what is there. department: a path from the top, such as eng/ml; '''' takes the member out of every department. Entries keep the department of their time. active: false stops spending at once, also of debits that wait. kind: user (a new member), agent or service. An active member gets a seat, if it has none. Returns the member.
Errors: 22023 malformed argument; P0002 unknown account.';
COMMENT ON FUNCTION credit_grant(text, numeric, text, text, text, text, integer, timestamptz, timestamptz, interval, text[], numeric, text, text, jsonb) IS
'Grants a lot of credits and returns its id. Creates the account and registers the member when they are new. Under a key, a repetition returns the same lot.
Errors: 22023 malformed or contradictory argument; 22003 from 10^15 on; P0002 unknown unit, or unregistered member where members must be; 23505 key used for another request; 55000 inactive member.';
COMMENT ON FUNCTION credit_debit(text, numeric, text, text, text, timestamptz, text, jsonb) IS
'Debits an amount from the usable lots in drawdown order and returns the posting''s id. All or nothing, in the caller''s transaction. Under a key, a repetition returns the same posting.
Errors: 23514 insufficient credits; 22023 malformed argument or an at in the future; 22003 from 10^15 on; P0002 unknown account or unit, or unregistered member where members must be; 23505 key used for another request; 55000 inactive member; 40001 and 40P01: repeat the transaction.';
COMMENT ON FUNCTION credit_debit_many(text[], numeric[], text[], text[], text[], timestamptz[], text[], jsonb[], text) IS
'Debits the elements of parallel arrays in turn, at most 100,000, with the result of debiting them one by one; returns a row per item: its posting, or what was missing (in the unit). Mode all: nothing is debited when one does not fit; each: the others are. Keys count as those of credit_debit().
Errors, with item= in the DETAIL: 23514 insufficient credits (mode all); 22023 and 22003 invalid argument; P0002 unknown account, unit or member; 55000 inactive member; 23505 key reused; 40001 and 40P01 to be retried.';
COMMENT ON FUNCTION credit_debit_many_json(jsonb, text) IS
'credit_debit_many() for a JSON array of objects whose names are the arguments of credit_debit(); amounts may be numbers or strings.
Errors: as the form with arrays, and 22023 for JSON that is not of this form.';
COMMENT ON FUNCTION credit_try_debit(text, numeric, text, text, text, timestamptz, text, jsonb) IS
'As credit_debit(), but returns NULL instead of raising 23514 when the credits do not suffice; then it has changed nothing and stored no key. Every other error is raised, also 54000 of a spending cap: more credits would not help there.';
COMMENT ON FUNCTION credit_balance(text, text, text, timestamptz, text) IS
'What is usable now, or was at an instant, or will be if nothing is debited, with what schedules bring until then. With a member: what that member could spend; without: all of the account. With an operation: without the lots limited to others.
Errors: 22023 malformed argument, or an instant that is more than 10,000 periods of a schedule ahead; P0002 unknown account or unit, or unregistered member where members must be.';
COMMENT ON FUNCTION credit_explain_debit(text, numeric, text, text, text) IS
'Which lots a debit would draw now, in order, without debiting: what each has, gives and keeps. A last row without a lot shows what no lot covers.
Errors: 22023 malformed argument; 22003 from 10^15 on; P0002 unknown account or unit, or unregistered member where members must be.';
COMMENT ON FUNCTION credit_void(text, bigint, jsonb) IS
'Withdraws what is left of a lot, closes it, and returns the amount: 0 when nothing is left or the lot has expired.
Errors: 22023 malformed argument; P0002 unknown lot.';
COMMENT ON FUNCTION credit_set_expiry(text, bigint, timestamptz, jsonb) IS
'Moves what is left of a lot to a new lot that expires at another instant (NULL: never), with the same terms and cost basis otherwise. Returns the new lot''s id, or the lot''s own when it expires then already.
Errors: 22023 an instant that is not in the future or not after effective_at; P0002 unknown lot; 55000 the lot is empty or has expired.';
COMMENT ON FUNCTION credit_expire(text, integer) IS
'Posts the expiries of one account that are due, at most max_lots; a row for each lot. Nothing usable depends on it: an expired lot is never drawn. Lots that a running transaction holds are left to the next run.
Errors: 22023 malformed argument; P0002 unknown account.';
COMMENT ON FUNCTION credit_expire(integer) IS
'The same of all accounts.
Errors: 22023 malformed argument.';
COMMENT ON FUNCTION credit_maintain(integer) IS
'Maintenance in the caller''s transaction: posts expiries, closes empty lots, forgets keys of debits and charges that are older than credit.key_retention_days and runs older than 90 days, at most max_rows of each; a row for each task. Safe to run twice at once.
Errors: 22023 malformed argument.';
COMMENT ON FUNCTION credit_repair_sequences() IS
    'Sets each sequence that is behind the ids in the books beyond them; a row for each. For the owner, after rows came without their sequences: logical failover, a partial restore.';
COMMENT ON FUNCTION credit_verify() IS
'Proves the books: a row for each violated invariant, none when all of them hold. Reads the whole ledger.';
COMMENT ON FUNCTION credit_verify(text) IS
'The same of one account.
Errors: 22023 malformed argument; P0002 unknown account.';
COMMENT ON FUNCTION credit_allow(text, text) IS
'Grants an existing role the level read, spend or admin, and records it in credit.access. For the owner of the extension.
Errors: 22023 unknown level; P0002 unknown role; 42501 not the owner.';
COMMENT ON FUNCTION credit_disallow(text, text) IS
'Takes a level from a role again; what its other levels grant stays. Also by a name that credit.access has and no role any more: of a role
that was renamed it takes the level under its name of now. For the owner of the extension.
Errors: 22023 unknown level; P0002 unknown role; 42501 not the owner.';
COMMENT ON FUNCTION credit_enable_triggers() IS
'Switches the triggers of the extension on as they were installed, and says how many were not: pg_restore --disable-triggers leaves those that
always fire as ordinary ones. What is missing or was replaced stays; credit_verify() names it. For the owner of the extension.
Errors: 42501 not the owner.';
