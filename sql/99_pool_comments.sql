-- Comments of pools and seats.

COMMENT ON FUNCTION credit_transfer(text, numeric, text, text, text, bigint, text, jsonb) IS
'Moves credits from from_member to to_member of an account; NULL is the pool. Returns the posting''s id. Gives what is usable now of the giver''s own lots, in drawdown order and but for lots limited to operations, or of the one lot that is named, in effect or not. Each lot that gives becomes a lot of the receiver (source transfer) with the giver''s as its parent and the same effect, expiry, category, priority, scope and cost basis. Who may give to whom is the account''s policy (credit_account, transfers). Under a key, a repetition returns the same posting.
Errors: 23514 insufficient credits; 22023 malformed argument, or giver and receiver are the same; P0002 unknown account, unit or lot, or unregistered member; 55000 inactive receiver, the policy forbids it, or the lot is another owner''s, empty or expired; 23505 key used for another request; 40001 and 40P01: repeat the transaction.';

COMMENT ON FUNCTION credit_rebalance(text, text, interval, jsonb) IS
'Transfers among the members of an account what some leave unused and others lack; a row per transfer. A member needs what he used within burn_window (30 days), of whichever lots; who holds more of his own, usable now and for any operation, gives of the rest, and who holds less gets what is missing: the greatest need first, from the greatest surplus. Inactive members give all and get nothing. Only between members whom the account''s policy lets transfer to each other. All or nothing; a second call right after it moves nothing.
Errors: 22023 malformed argument; P0002 unknown account or unit; 55000 a member becomes inactive meanwhile; 40001 and 40P01: repeat the transaction.';
COMMENT ON FUNCTION credit_rebalance_preview(text, text, interval) IS
'What credit_rebalance() would transfer, of what has been issued: it writes nothing, and works on a standby.
Errors: 22023 malformed argument; P0002 unknown account or unit.';
