-- The ledger: accounts and their members, lots, slots and entries, corrections, expiries, voids, and the keys of requests.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Accounts and members ------------------------------------------------------------------------------------------------

CREATE FUNCTION credit.account_check() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'account_check_wrapper';
COMMENT ON FUNCTION credit.account_check() IS
    'Trigger: keeps an account''s id (42501), and its time zone once it has a lot (55000).';

CREATE TABLE credit.account (
    account          text COLLATE "C" PRIMARY KEY CHECK (length(account) BETWEEN 1 AND 255),
    unit             text COLLATE "C" NOT NULL,
    pooling          text COLLATE "C" NOT NULL DEFAULT 'pooled' CHECK (pooling IN ('pooled', 'per_seat')),
    time_zone        text COLLATE "C" NOT NULL DEFAULT 'UTC',
    require_members  boolean NOT NULL DEFAULT false,
    rate_card        text COLLATE "C",
    metadata         jsonb,
    created_at       timestamptz NOT NULL DEFAULT pg_catalog.now(),
    late_usage       text COLLATE "C" NOT NULL DEFAULT 'current' CHECK (late_usage IN ('reject', 'current', 'original')),
    late_grace       interval NOT NULL DEFAULT '0' CHECK (late_grace >= '0'),
    refresh_at       timestamptz,
    transfers        text COLLATE "C" NOT NULL DEFAULT 'free' CHECK (transfers IN ('free', 'department', 'pool', 'none')),
    closed_until     timestamptz,
    has_caps         boolean NOT NULL DEFAULT false,
    has_pooling_rules boolean NOT NULL DEFAULT false,
    self_seating     boolean NOT NULL DEFAULT false,
    refund_expired   text COLLATE "C" NOT NULL DEFAULT 'expire' CHECK (refund_expired IN ('expire', 'grace')),
    refund_grace     interval NOT NULL DEFAULT '30 days' CHECK (refund_grace > '0')
);
COMMENT ON TABLE credit.account IS
    'Accounts: the organisations that own credits. Created and changed by credit_account(); the first grant to an unknown '
    'account creates it with the defaults.';
COMMENT ON COLUMN credit.account.account IS
    'Your own id of the organisation. 1 to 255 characters; compared by byte. It never changes (42501).';
COMMENT ON COLUMN credit.account.unit IS 'The unit of grants, debits and balances that name none.';
COMMENT ON COLUMN credit.account.pooling IS
    'pooled: members spend their own lots first, then the pool. per_seat: members spend their own lots only. As it was told '
    'last; what counts where has_pooling_rules is in credit.pooling.';
COMMENT ON COLUMN credit.account.time_zone IS
    'The time zone whose calendar expires_after is counted on. It cannot change once the account has a lot (55000).';
COMMENT ON COLUMN credit.account.require_members IS
    'Whether members must be registered by credit_member() before they are named (else P0002). When false, naming a member '
    'registers it; a seat it gets by a grant only, or where self_seating says so.';
COMMENT ON COLUMN credit.account.metadata IS 'Anything the application keeps with the account. Not interpreted.';
COMMENT ON COLUMN credit.account.created_at IS 'When the account was created.';
COMMENT ON COLUMN credit.account.late_usage IS
    'What happens to usage that comes after the expiry of a lot which was in force when it happened. reject: it is refused '
    '(55000). current: the lots of now pay. original: the expired lots pay, with what they lost.';
COMMENT ON COLUMN credit.account.closed_until IS
    'Until when its periods have been closed by true-ups, of whichever unit; NULL when none was.';
COMMENT ON COLUMN credit.account.transfers IS
    'Between whom credit_transfer() moves credits: free, department (members of one department, and with the pool), pool (only '
    'to and from the pool) or none.';
COMMENT ON COLUMN credit.account.late_grace IS
    'How long after a lot''s expiry usage of its life still counts as in time, counted on the account''s calendar.';
COMMENT ON COLUMN credit.account.refund_expired IS
    'What happens to credits that credit_refund() gives back to a lot that has expired. expire: they expire at once. grace: a '
    'new lot gets them for refund_grace.';
COMMENT ON COLUMN credit.account.refund_grace IS
    'How long the lot lives that gets such credits, counted on the account''s calendar from the refund on.';
COMMENT ON COLUMN credit.account.rate_card IS 'The card the account is charged by; NULL for the default card of its unit.';
COMMENT ON COLUMN credit.account.refresh_at IS 'When its schedules bring something next that was not issued yet. NULL for never.';
COMMENT ON COLUMN credit.account.self_seating IS
    'Whether a debit or a charge that registers a member gives it a seat, and with it what schedules give to members. When '
    'false, only who may grant gives a seat: credit_member(), credit_grant(), credit_purchase() or a direct insert into '
    'credit.lot.';
COMMENT ON COLUMN credit.account.has_pooling_rules IS
    'Whether credit.pooling says more than the column pooling: overrides, or changes that were dated. Debits of an account '
    'without never look there.';
COMMENT ON COLUMN credit.account.has_caps IS 'Whether the account has caps that have not ended.';
SELECT pg_catalog.pg_extension_config_dump('credit.account', '');

CREATE INDEX account_due ON credit.account (refresh_at) WHERE refresh_at IS NOT NULL;
COMMENT ON INDEX credit.account_due IS 'The accounts of which something is due.';

-- The account's time zone dates its expiries.
CREATE TRIGGER account_90_check BEFORE UPDATE OF account, time_zone OR DELETE ON credit.account
    FOR EACH ROW EXECUTE FUNCTION credit.account_check();
COMMENT ON TRIGGER account_90_check ON credit.account IS
    'The account''s id never changes, nor its time zone once it has a lot; an account with lots or members is not deleted.';

CREATE TRIGGER account_92_refuse_truncate BEFORE TRUNCATE ON credit.account
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
COMMENT ON TRIGGER account_92_refuse_truncate ON credit.account IS 'Accounts are not truncated: the ledger names them.';

-- Debits remember accounts; they hear of a change when it commits. For each row, so that logical replication fires it too. A
-- purchase marks its account by writing created_at as it is: nobody remembers that.
CREATE TRIGGER account_95_announce
    AFTER UPDATE OF account, unit, pooling, time_zone, require_members, rate_card, metadata, late_usage, late_grace,
        has_caps, has_pooling_rules, closed_until, self_seating
    OR DELETE ON credit.account
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.account ENABLE ALWAYS TRIGGER account_95_announce;
COMMENT ON TRIGGER account_95_announce ON credit.account IS 'Tells the backends that remember accounts (ENABLE ALWAYS).';

CREATE TABLE credit.member (
    account     text COLLATE "C" NOT NULL,
    member      text COLLATE "C" NOT NULL CHECK (length(member) BETWEEN 1 AND 255),
    department  text COLLATE "C" CHECK (length(department) BETWEEN 1 AND 255 AND department !~ '(^|/)(/|$)'),
    active      boolean NOT NULL DEFAULT true,
    metadata    jsonb,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now(),
    seated_at   timestamptz,
    kind        text COLLATE "C" NOT NULL DEFAULT 'user' CHECK (kind IN ('user', 'agent', 'service')),
    self_registered boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account, member)
);
COMMENT ON TABLE credit.member IS
    'Members of an account: seats, which are users, agents or services. Registered by credit_member(), or by the first grant or '
    'debit that names them; seated_at says which of them have a seat.';
COMMENT ON COLUMN credit.member.account IS 'The account the member belongs to.';
COMMENT ON COLUMN credit.member.member IS
    'Your own id of the member, unique within the account. 1 to 255 characters; compared by byte.';
COMMENT ON COLUMN credit.member.department IS
    'The cost centre that the member''s entries are booked to from now on, as a path from the top such as eng/ml; NULL for none.';
COMMENT ON COLUMN credit.member.active IS
    'An inactive member cannot be granted credits or debit them (55000). What it owns stays.';
COMMENT ON COLUMN credit.member.metadata IS 'Anything the application keeps with the member. Not interpreted.';
COMMENT ON COLUMN credit.member.created_at IS 'When the member was registered.';
COMMENT ON COLUMN credit.member.seated_at IS
    'Since when the member has a seat, and gets what schedules give to members; a member who comes back sits down anew. NULL: '
    'no seat, nobody who may grant gave one.';
COMMENT ON COLUMN credit.member.self_registered IS 'Whether a debit or a charge registered the member by naming it.';
COMMENT ON COLUMN credit.member.kind IS 'What the member is: user, agent or service. All of them are seats.';
SELECT pg_catalog.pg_extension_config_dump('credit.member', '');

-- Debits register only so many members of an account within a day.
CREATE INDEX member_self_registered ON credit.member (account, created_at) WHERE self_registered;
COMMENT ON INDEX credit.member_self_registered IS
    'The members whom debits registered lately: within 24 hours only credit.max_new_members_per_day of an account.';

-- The ledger names its members: a member is deactivated, not deleted.
CREATE TRIGGER member_91_refuse_delete BEFORE DELETE ON credit.member
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
COMMENT ON TRIGGER member_91_refuse_delete ON credit.member IS 'Members are deactivated, not deleted: the ledger names them.';

CREATE TRIGGER member_92_refuse_truncate BEFORE TRUNCATE ON credit.member
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
COMMENT ON TRIGGER member_92_refuse_truncate ON credit.member IS 'Members are deactivated, not deleted: the ledger names them.';

-- Debits remember members; they hear of a change when it commits. For each row, so that logical replication fires it too.
CREATE TRIGGER member_95_announce AFTER UPDATE ON credit.member
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.member ENABLE ALWAYS TRIGGER member_95_announce;
COMMENT ON TRIGGER member_95_announce ON credit.member IS 'Tells the backends that remember members (ENABLE ALWAYS).';

-- Lots and their slots ------------------------------------------------------------------------------------------------

-- Ids stay below 2^53, so that a client that reads numbers as doubles (JavaScript) keeps them exact.
CREATE SEQUENCE credit.lot_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.lot_id IS
    'Ids of lots. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps are normal.';
SELECT pg_catalog.pg_extension_config_dump('credit.lot_id', '');

CREATE FUNCTION credit.lot_check() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'lot_check_wrapper';
COMMENT ON FUNCTION credit.lot_check() IS
    'Trigger: checks a directly inserted lot like a grant and fills in what only the extension knows. Errors as credit_grant().';

CREATE FUNCTION credit.lot_apply() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'lot_apply_wrapper';
COMMENT ON FUNCTION credit.lot_apply() IS
    'Trigger: gives a directly inserted lot its slot and its grant line, and marks it as posted.';

-- A lot's terms never change; `slots`, `closed` and `posted` are its state.
CREATE TABLE credit.lot (
    lot           bigint NOT NULL,
    effective_at  timestamptz NOT NULL,
    expires_at    timestamptz,
    recorded_at   timestamptz NOT NULL,
    parent        bigint,
    moved_to      bigint,
    priority      smallint NOT NULL DEFAULT 50,
    slots         smallint NOT NULL DEFAULT 1 CHECK (slots > 0),
    closed        boolean NOT NULL DEFAULT false,
    posted        boolean NOT NULL DEFAULT false,
    account       text COLLATE "C" NOT NULL,
    unit          text COLLATE "C" NOT NULL,
    member        text COLLATE "C",
    category      text COLLATE "C" NOT NULL CHECK (category IN ('paid', 'promotional')),
    source        text COLLATE "C" NOT NULL CHECK (source IN
                      ('purchase', 'allocation', 'top_up', 'rollover', 'commitment', 'transfer', 'adjustment', 'overdraft')),
    granted       numeric NOT NULL CHECK (granted > 0 AND granted < 1e15),
    paid          numeric CHECK (paid >= 0 AND paid < 1e15),
    currency      text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$'),
    cost_basis    numeric CHECK (cost_basis >= 0),
    applies_to    text[] COLLATE "C" CHECK (cardinality(applies_to) > 0),
    recorded_by   text COLLATE "C" NOT NULL,
    metadata      jsonb,
    PRIMARY KEY (account, lot),
    CHECK (expires_at > effective_at),
    CHECK ((paid IS NULL) = (currency IS NULL) AND (paid IS NULL) = (cost_basis IS NULL))
);
COMMENT ON TABLE credit.lot IS
    'Lots: credits granted together under the same terms. The terms never change (42501); slots, closed and posted are state. A '
    'row inserted directly is checked like a grant and posted once. What is left of a lot is in credit.slot; read the view '
    'credit.lots.';
COMMENT ON COLUMN credit.lot.lot IS 'The lot''s id. Assigned by the extension.';
COMMENT ON COLUMN credit.lot.effective_at IS 'The first instant at which the lot is usable.';
COMMENT ON COLUMN credit.lot.expires_at IS
    'The first instant at which the lot is not usable any more, whether or not the expiry was posted; NULL for a lot that never '
    'expires.';
COMMENT ON COLUMN credit.lot.recorded_at IS 'When the lot was granted, by the clock at the write.';
COMMENT ON COLUMN credit.lot.parent IS 
    'The lot that this one came from, by a move, a transfer, a conversion or a rollover; NULL for a lot of its own.';
COMMENT ON COLUMN credit.lot.moved_to IS
    'The lot that lives on with another expiry, after credit_set_expiry(); NULL while it is this one.';
COMMENT ON COLUMN credit.lot.priority IS 'The lower, the earlier the lot is drawn: 0 to 1000, 50 unless given.';
COMMENT ON COLUMN credit.lot.slots IS 'How many slots hold the lot''s remaining amount. Grows under contention, never shrinks.';
COMMENT ON COLUMN credit.lot.closed IS 'The lot holds nothing and debits do not look at it. A lot at zero may still be open.';
COMMENT ON COLUMN credit.lot.posted IS
    'The grant is in the ledger. True in every committed row; restored rows arrive posted, so triggers do not apply them again.';
COMMENT ON COLUMN credit.lot.account IS 'The account that owns the lot.';
COMMENT ON COLUMN credit.lot.unit IS 'The unit of the lot''s amounts.';
COMMENT ON COLUMN credit.lot.member IS
    'The member the lot belongs to; NULL for a pooled lot, which every member of a pooled account may spend.';
COMMENT ON COLUMN credit.lot.category IS 'paid: sold, so what is left is owed to the customer. promotional: given away.';
COMMENT ON COLUMN credit.lot.source IS
    'Where the credits come from: purchase, allocation, top_up, rollover, commitment, transfer, adjustment or overdraft.';
COMMENT ON COLUMN credit.lot.granted IS 'The amount granted, in the lot''s unit. Above 0, below 10^15.';
COMMENT ON COLUMN credit.lot.paid IS 'What was paid for the lot, in currency; NULL when unknown.';
COMMENT ON COLUMN credit.lot.currency IS 'The currency of paid, as three capital letters (ISO 4217).';
COMMENT ON COLUMN credit.lot.cost_basis IS 'Money per credit: paid / granted. A moved lot inherits it unchanged.';
COMMENT ON COLUMN credit.lot.applies_to IS
    'The operations the lot pays for; NULL for all of them, also for debits that name none.';
COMMENT ON COLUMN credit.lot.recorded_by IS 'The login role of the session that granted the lot.';
COMMENT ON COLUMN credit.lot.metadata IS 'Anything the application keeps with the lot. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.lot', '');

-- The open lots in drawdown order (src/domain/ledger/drawdown.rs). A pooled lot stands under the member '' so that the pool is
-- one range of the index, and a lot that never expires under 'infinity' so that expired ones are passed over within the index.
-- `remaining` is in no index: debits leave this one alone, it changes when a lot opens or closes.
CREATE INDEX lot_drawdown ON credit.lot (account, unit, (COALESCE(member, '')), priority, (applies_to IS NULL),
    (COALESCE(expires_at, 'infinity')), (category = 'paid'), effective_at, lot) WHERE NOT closed;
COMMENT ON INDEX credit.lot_drawdown IS
    'The open lots in drawdown order: a member''s own before the pool (which stands under the member ''''), priority, limited '
    'to operations first, earlier expiry, promotional before paid, earlier effect, lower id. The remaining amount is in no '
    'index.';

CREATE INDEX lot_due ON credit.lot (expires_at) WHERE NOT closed;
COMMENT ON INDEX credit.lot_due IS 'The open lots by expiry, for credit_expire().';

CREATE TRIGGER lot_10_check BEFORE INSERT ON credit.lot
    FOR EACH ROW WHEN (NOT NEW.posted) EXECUTE FUNCTION credit.lot_check();
COMMENT ON TRIGGER lot_10_check ON credit.lot IS
    'Checks a directly inserted lot. Rows that are posted already, as a restore writes them, pass.';

CREATE TRIGGER lot_20_apply AFTER INSERT ON credit.lot
    FOR EACH ROW WHEN (NOT NEW.posted) EXECUTE FUNCTION credit.lot_apply();
COMMENT ON TRIGGER lot_20_apply ON credit.lot IS 'Posts a directly inserted lot, after it was in fact inserted.';

-- A lot's terms never change; its slots only grow in number, and once posted it stays posted.
CREATE TRIGGER lot_90_refuse_update BEFORE UPDATE ON credit.lot
    FOR EACH ROW WHEN ((OLD.posted AND NOT NEW.posted) OR NEW.slots < OLD.slots OR ROW(
        OLD.lot, OLD.effective_at, OLD.expires_at, OLD.recorded_at, OLD.parent, OLD.priority, OLD.account, OLD.unit, OLD.member,
        OLD.category, OLD.source, OLD.granted, OLD.paid, OLD.currency, OLD.cost_basis, OLD.applies_to, OLD.recorded_by,
        OLD.metadata)
        IS DISTINCT FROM ROW(
        NEW.lot, NEW.effective_at, NEW.expires_at, NEW.recorded_at, NEW.parent, NEW.priority, NEW.account, NEW.unit, NEW.member,
        NEW.category, NEW.source, NEW.granted, NEW.paid, NEW.currency, NEW.cost_basis, NEW.applies_to, NEW.recorded_by,
        NEW.metadata))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_90_refuse_update;
COMMENT ON TRIGGER lot_90_refuse_update ON credit.lot IS
    'The terms of a lot never change. Also fires on replicas and restores (ENABLE ALWAYS).';

CREATE TRIGGER lot_91_refuse_delete BEFORE DELETE ON credit.lot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_91_refuse_delete;
COMMENT ON TRIGGER lot_91_refuse_delete ON credit.lot IS 'Lots are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER lot_92_refuse_truncate BEFORE TRUNCATE ON credit.lot
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.lot ENABLE ALWAYS TRIGGER lot_92_refuse_truncate;
COMMENT ON TRIGGER lot_92_refuse_truncate ON credit.lot IS 'Lots are never deleted (ENABLE ALWAYS).';

-- A domain instead of a CHECK on the slot: PostgreSQL parses a table's CHECK constraints anew for every statement, which cost
-- a debit more than its insert. It keeps a domain's.
CREATE DOMAIN credit.remaining AS numeric CHECK (VALUE >= 0);
COMMENT ON DOMAIN credit.remaining IS
    'What is left in a slot: never below 0 (23514). The last guard against overdraft, behind every function and trigger.';

-- The only row a debit updates. Half-empty pages keep every update on its page (HOT).
CREATE TABLE credit.slot (
    lot        bigint NOT NULL,
    slot       smallint NOT NULL,
    account    text COLLATE "C" NOT NULL,
    remaining  credit.remaining NOT NULL,
    PRIMARY KEY (account, lot, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE credit.slot IS
    'Slots: the parts of what is left of each lot, and the only rows a debit updates. Several slots let several debits of one '
    'lot commit at the same time. Never deleted (42501). Read the view credit.lots instead.';
COMMENT ON COLUMN credit.slot.lot IS 'The lot the slot is a part of.';
COMMENT ON COLUMN credit.slot.slot IS 'The slot''s number within its lot, from 0.';
COMMENT ON COLUMN credit.slot.account IS 'The account that owns the lot.';
COMMENT ON COLUMN credit.slot.remaining IS
    'What is left in this slot, in the lot''s unit. Never below 0 (the domain credit.remaining).';
SELECT pg_catalog.pg_extension_config_dump('credit.slot', '');

CREATE TRIGGER slot_91_refuse_delete BEFORE DELETE ON credit.slot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.slot ENABLE ALWAYS TRIGGER slot_91_refuse_delete;
COMMENT ON TRIGGER slot_91_refuse_delete ON credit.slot IS 'Slots are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER slot_92_refuse_truncate BEFORE TRUNCATE ON credit.slot
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.slot ENABLE ALWAYS TRIGGER slot_92_refuse_truncate;
COMMENT ON TRIGGER slot_92_refuse_truncate ON credit.slot IS 'Slots are never deleted (ENABLE ALWAYS).';

-- Entries -------------------------------------------------------------------------------------------------------------

CREATE SEQUENCE credit.posting_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.posting_id IS
    'Ids of postings. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps are normal.';
SELECT pg_catalog.pg_extension_config_dump('credit.posting_id', '');

-- Append-only. One b-tree: an insert touches one leaf page per active account, however long the history is.
-- No CHECK, see credit.remaining: the functions and the trigger say what a line may be, and credit_verify() proves it.
CREATE TABLE credit.entry (
    posting      bigint NOT NULL,
    lot          bigint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    corrects     bigint,
    rate         bigint,
    hold         bigint,
    line         integer NOT NULL,
    posted       boolean NOT NULL DEFAULT false,
    account      text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    amount       numeric NOT NULL,
    member       text COLLATE "C",
    department   text COLLATE "C",
    operation    text COLLATE "C",
    quantity     numeric,
    run          text COLLATE "C",
    recorded_by  text COLLATE "C" NOT NULL,
    metadata     jsonb,
    dimensions   jsonb,
    PRIMARY KEY (account, posting, line)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
COMMENT ON TABLE credit.entry IS
    'The ledger: one line per posting and lot. Append-only: UPDATE, DELETE and TRUNCATE are refused (42501). A line inserted '
    'directly (debit or adjustment, naming its lot) is checked and applied once. Read the view credit.ledger.';
COMMENT ON COLUMN credit.entry.posting IS 'The posting the line belongs to: all lines of one call. Assigned by the extension.';
COMMENT ON COLUMN credit.entry.lot IS 'The lot the line changes.';
COMMENT ON COLUMN credit.entry.occurred_at IS 'When the usage happened; for an expiry, when the lot expired.';
COMMENT ON COLUMN credit.entry.recorded_at IS
    'The clock at the write, with the locks held. The ledger as of an instant is the lines recorded up to it.';
COMMENT ON COLUMN credit.entry.corrects IS 'The posting that this line corrects; NULL for none.';
COMMENT ON COLUMN credit.entry.rate IS
    'The version of the rate that priced the line; NULL where the amount was given.';
COMMENT ON COLUMN credit.entry.hold IS 'The hold that was captured; NULL for none.';
COMMENT ON COLUMN credit.entry.line IS 'The line''s number within its posting, from 1, in drawdown order.';
COMMENT ON COLUMN credit.entry.posted IS
    'The line has been applied to the lot''s slots. True in every committed row; restored rows arrive posted, so triggers do '
    'not apply them again.';
COMMENT ON COLUMN credit.entry.account IS 'The account that owns the lot.';
COMMENT ON COLUMN credit.entry.kind IS
    'debit: used. grant: the lot''s first line. void: withdrawn. expiry: lapsed unused. expiry_reversal: taken back of that for '
    'late usage, which the next line debits. move_out and move_in: moved to another lot, with another expiry or of another '
    'owner. return: taken back unused by a change of plan. roll_out and roll_in: rolled over to the next period. convert_out '
    'and convert_in: converted to another unit. adjustment: a correction.';
COMMENT ON COLUMN credit.entry.amount IS 'What the lot gains (positive) or loses (negative), in the lot''s unit.';
COMMENT ON COLUMN credit.entry.member IS 'The member who spent, or who owns the lot; NULL for none.';
COMMENT ON COLUMN credit.entry.department IS 'The member''s department when the line was written.';
COMMENT ON COLUMN credit.entry.operation IS 'What was done with the credits, in your own words; NULL when not said.';
COMMENT ON COLUMN credit.entry.quantity IS
    'How much of the operation was priced; NULL where the amount was given, unless a direct insert gave it.';
COMMENT ON COLUMN credit.entry.run IS
    'The task, session or conversation that the usage belongs to, in your own words; NULL when not said.';
COMMENT ON COLUMN credit.entry.recorded_by IS 'The login role of the session that wrote the line.';
COMMENT ON COLUMN credit.entry.metadata IS 'Anything the application keeps with the line. Not interpreted.';
COMMENT ON COLUMN credit.entry.dimensions IS
    'What the usage was of, beside its operation (model, region, ...), as a flat JSON object of texts; NULL when that was not '
    'said.';
SELECT pg_catalog.pg_extension_config_dump('credit.entry', '');

-- Both grow as the table does. New lines are found by their posting, so ranges are summarised as they fill up and not only by
-- VACUUM.
CREATE INDEX entry_recorded_at ON credit.entry USING brin (recorded_at, posting) WITH (autosummarize = on);
COMMENT ON INDEX credit.entry_recorded_at IS
    'Block ranges by time of recording and by posting: small, and enough for queries about a period, and to find what is new.';

-- An entry may only ever change from not posted to posted, which entry_apply does.
CREATE TRIGGER entry_90_refuse_update BEFORE UPDATE ON credit.entry
    FOR EACH ROW WHEN (OLD.posted OR NOT NEW.posted OR ROW(
        OLD.posting, OLD.lot, OLD.occurred_at, OLD.recorded_at, OLD.corrects, OLD.rate, OLD.hold, OLD.line, OLD.account,
        OLD.kind, OLD.amount, OLD.member, OLD.department, OLD.operation, OLD.quantity, OLD.run, OLD.recorded_by,
        OLD.metadata, OLD.dimensions)
        IS DISTINCT FROM ROW(
        NEW.posting, NEW.lot, NEW.occurred_at, NEW.recorded_at, NEW.corrects, NEW.rate, NEW.hold, NEW.line, NEW.account,
        NEW.kind, NEW.amount, NEW.member, NEW.department, NEW.operation, NEW.quantity, NEW.run, NEW.recorded_by,
        NEW.metadata, NEW.dimensions))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.entry ENABLE ALWAYS TRIGGER entry_90_refuse_update;
COMMENT ON TRIGGER entry_90_refuse_update ON credit.entry IS
    'A ledger line never changes, but for posted turning true (ENABLE ALWAYS).';

CREATE TRIGGER entry_91_refuse_delete BEFORE DELETE ON credit.entry
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.entry ENABLE ALWAYS TRIGGER entry_91_refuse_delete;
COMMENT ON TRIGGER entry_91_refuse_delete ON credit.entry IS 'Ledger lines are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER entry_92_refuse_truncate BEFORE TRUNCATE ON credit.entry
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.entry ENABLE ALWAYS TRIGGER entry_92_refuse_truncate;
COMMENT ON TRIGGER entry_92_refuse_truncate ON credit.entry IS 'Ledger lines are never deleted (ENABLE ALWAYS).';

-- Idempotency: what was asked under a key, and what it returned.
CREATE TABLE credit.request (
    result       bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    account      text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    function     text COLLATE "C" NOT NULL,
    fingerprint  bytea NOT NULL CHECK (length(fingerprint) = 32),
    arguments    bytea,
    PRIMARY KEY (account, key)
);
COMMENT ON TABLE credit.request IS
    'Idempotency keys: what was asked under a key, and what it returned. Kept for credit.key_retention_days at least; '
    'credit_maintain() forgets older ones.';
COMMENT ON COLUMN credit.request.arguments IS
    'A short hash of each argument, to say which of them differs when the key is used for another request.';
COMMENT ON COLUMN credit.request.result IS 'What the call returned: a lot''s id or a posting''s.';
COMMENT ON COLUMN credit.request.recorded_at IS 'When the key was first used.';
COMMENT ON COLUMN credit.request.account IS 'The account of the call. Keys of different accounts are independent.';
COMMENT ON COLUMN credit.request.key IS 'The caller''s key. 1 to 255 characters; compared by byte.';
COMMENT ON COLUMN credit.request.function IS
    'The function; credit_debit for credit_debit() and credit_try_debit() alike.';
COMMENT ON COLUMN credit.request.fingerprint IS
    'SHA-256 of the function''s name and its arguments in normal form. The same key with another fingerprint is refused (23505).';
SELECT pg_catalog.pg_extension_config_dump('credit.request', '');

CREATE INDEX request_recorded_at ON credit.request USING brin (recorded_at) WITH (pages_per_range = 16);
COMMENT ON INDEX credit.request_recorded_at IS 'Block ranges by time of recording, for forgetting old keys.';

-- What came back, what expired, what was voided -----------------------------------------------------------------------

-- How much was given back of a line of a debit, whatever gave it: the bound of every correction. The ledger says it too, but only
-- by reading all of the account: here it is found by the line. A transaction that writes it holds the lot of the line, all of it.
CREATE TABLE credit.correction (
    posting     bigint NOT NULL,
    line        integer NOT NULL,
    account     text COLLATE "C" NOT NULL,
    given_back  numeric NOT NULL CHECK (given_back >= 0 AND given_back < 1e15),
    quantity    numeric NOT NULL DEFAULT 0 CHECK (quantity >= 0 AND quantity < 1e15),
    PRIMARY KEY (account, posting, line)
);
COMMENT ON TABLE credit.correction IS 'What was given back of a line of a debit. A line never gets back more than it took.';
COMMENT ON COLUMN credit.correction.posting IS 'The posting of the debit.';
COMMENT ON COLUMN credit.correction.line IS 'The line of it.';
COMMENT ON COLUMN credit.correction.account IS 'The account.';
COMMENT ON COLUMN credit.correction.given_back IS 'What was given back, less what was taken again.';
COMMENT ON COLUMN credit.correction.quantity IS 'The same of the quantity that the line is the price of.';
SELECT pg_catalog.pg_extension_config_dump('credit.correction', '');

-- What was given back may be taken again, so amounts change; the line that a row is about does not.
CREATE TRIGGER correction_90_refuse_update BEFORE UPDATE ON credit.correction
    FOR EACH ROW WHEN (ROW(OLD.account, OLD.posting, OLD.line) IS DISTINCT FROM ROW(NEW.account, NEW.posting, NEW.line))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.correction ENABLE ALWAYS TRIGGER correction_90_refuse_update;
COMMENT ON TRIGGER correction_90_refuse_update ON credit.correction IS
    'Amounts change, the line does not. Raises 55000 (ENABLE ALWAYS).';

CREATE TRIGGER correction_91_refuse_delete BEFORE DELETE ON credit.correction
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.correction ENABLE ALWAYS TRIGGER correction_91_refuse_delete;
COMMENT ON TRIGGER correction_91_refuse_delete ON credit.correction IS 'What was given back is never forgotten (ENABLE ALWAYS).';

CREATE TRIGGER correction_92_refuse_truncate BEFORE TRUNCATE ON credit.correction
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.correction ENABLE ALWAYS TRIGGER correction_92_refuse_truncate;
COMMENT ON TRIGGER correction_92_refuse_truncate ON credit.correction IS
    'What was given back is never forgotten (ENABLE ALWAYS).';

-- Credits that came back to a lot after it was granted. Those that adjustments added have no price; and where there is a row, the
-- lot may hand on the same credits twice, so a call that hands on looks at what was handed on before. A transaction that writes
-- it holds the lot, all of it.
CREATE TABLE credit.lot_gain (
    lot         bigint NOT NULL,
    account     text COLLATE "C" NOT NULL,
    adjusted    numeric NOT NULL DEFAULT 0 CHECK (adjusted > -1e15 AND adjusted < 1e15),
    given_back  numeric NOT NULL DEFAULT 0 CHECK (given_back >= 0 AND given_back < 1e15),
    PRIMARY KEY (account, lot)
);
COMMENT ON TABLE credit.lot_gain IS
    'What came back to a lot after it was granted. A lot of which nothing was corrected or adjusted has no row.';
COMMENT ON COLUMN credit.lot_gain.lot IS 'The lot.';
COMMENT ON COLUMN credit.lot_gain.account IS 'The account.';
COMMENT ON COLUMN credit.lot_gain.adjusted IS
    'What adjustments that correct no debit added, less what they took. It carries no price.';
COMMENT ON COLUMN credit.lot_gain.given_back IS 'What corrections of debits gave back, less what they took again.';
SELECT pg_catalog.pg_extension_config_dump('credit.lot_gain', '');

-- What was given back may be taken again, so amounts change; the lot that a row is about does not.
CREATE TRIGGER lot_gain_90_refuse_update BEFORE UPDATE ON credit.lot_gain
    FOR EACH ROW WHEN (ROW(OLD.account, OLD.lot) IS DISTINCT FROM ROW(NEW.account, NEW.lot))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.lot_gain ENABLE ALWAYS TRIGGER lot_gain_90_refuse_update;
COMMENT ON TRIGGER lot_gain_90_refuse_update ON credit.lot_gain IS
    'Amounts change, the lot does not. Raises 55000 (ENABLE ALWAYS).';

CREATE TRIGGER lot_gain_91_refuse_delete BEFORE DELETE ON credit.lot_gain
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.lot_gain ENABLE ALWAYS TRIGGER lot_gain_91_refuse_delete;
COMMENT ON TRIGGER lot_gain_91_refuse_delete ON credit.lot_gain IS 'What came back is never forgotten (ENABLE ALWAYS).';

CREATE TRIGGER lot_gain_92_refuse_truncate BEFORE TRUNCATE ON credit.lot_gain
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.lot_gain ENABLE ALWAYS TRIGGER lot_gain_92_refuse_truncate;
COMMENT ON TRIGGER lot_gain_92_refuse_truncate ON credit.lot_gain IS 'What came back is never forgotten (ENABLE ALWAYS).';

-- What a lot lost to an expiry, and how much of that late usage took back. The ledger says it too; here it is found by the time,
-- without reading the account's history. A lot of which a rollover carries less than it holds loses something each time. Whoever
-- takes back locks the row here and leaves the lot alone.
CREATE TABLE credit.breakage (
    lot         bigint NOT NULL,
    posting     bigint NOT NULL,
    expires_at  timestamptz NOT NULL,
    account     text COLLATE "C" NOT NULL,
    expired     numeric NOT NULL CHECK (expired > 0),
    taken_back  numeric NOT NULL DEFAULT 0 CHECK (taken_back >= 0),
    PRIMARY KEY (account, posting),
    CHECK (taken_back <= expired)
);
COMMENT ON TABLE credit.breakage IS
    'What lots lost to expiry, and what late usage took back of it. One row per expiry entry: only taken_back may change, and '
    'grow.';
COMMENT ON COLUMN credit.breakage.lot IS 'The lot.';
COMMENT ON COLUMN credit.breakage.posting IS 'The posting of the expiry entry, which what is taken back corrects.';
COMMENT ON COLUMN credit.breakage.expires_at IS
    'When that was lost, whenever it was posted: the lot''s expiry, or a limit on what is carried, or when its member left.';
COMMENT ON COLUMN credit.breakage.account IS 'The account.';
COMMENT ON COLUMN credit.breakage.expired IS 'What the expiry entry took, in the lot''s unit.';
COMMENT ON COLUMN credit.breakage.taken_back IS 'What late usage took back of it; at most what expired.';
SELECT pg_catalog.pg_extension_config_dump('credit.breakage', '');

CREATE INDEX breakage_expires_at ON credit.breakage (account, expires_at);
COMMENT ON INDEX credit.breakage_expires_at IS 'Finds what expired after usage that comes late.';

-- What expired is never forgotten; more of it may be taken back.
CREATE TRIGGER breakage_90_refuse_update BEFORE UPDATE ON credit.breakage
    FOR EACH ROW WHEN (NEW.taken_back < OLD.taken_back
        OR ROW(OLD.lot, OLD.posting, OLD.expires_at, OLD.account, OLD.expired)
        IS DISTINCT FROM ROW(NEW.lot, NEW.posting, NEW.expires_at, NEW.account, NEW.expired))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.breakage ENABLE ALWAYS TRIGGER breakage_90_refuse_update;
COMMENT ON TRIGGER breakage_90_refuse_update ON credit.breakage IS
    'What expired stays; more of it may be taken back. Raises 55000.';

CREATE TRIGGER breakage_91_refuse_delete BEFORE DELETE ON credit.breakage
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.breakage ENABLE ALWAYS TRIGGER breakage_91_refuse_delete;
COMMENT ON TRIGGER breakage_91_refuse_delete ON credit.breakage IS 'What expired is never forgotten.';

CREATE TRIGGER breakage_92_refuse_truncate BEFORE TRUNCATE ON credit.breakage
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.breakage ENABLE ALWAYS TRIGGER breakage_92_refuse_truncate;
COMMENT ON TRIGGER breakage_92_refuse_truncate ON credit.breakage IS 'What expired is never forgotten.';

-- Credits that credit_void() took out of lots, and their price. `origin` is the lot that the lot descends from in its unit: for
-- credits that were bought, the one that the purchase granted, whatever became of them since. The ledger has no index by lot.
CREATE TABLE credit.voided (
    posting  bigint NOT NULL,
    lot      bigint NOT NULL,
    origin   bigint NOT NULL,
    account  text COLLATE "C" NOT NULL,
    amount   numeric NOT NULL CHECK (amount >= 0 AND amount < 1e15),
    granted  numeric NOT NULL CHECK (granted >= 0),
    paid     numeric NOT NULL CHECK (paid >= 0 AND paid < 1e15),
    emptied  boolean NOT NULL,
    PRIMARY KEY (account, posting),
    CHECK (granted <= amount)
);
COMMENT ON TABLE credit.voided IS
    'What credit_void() took out of lots. One row per void entry, and one of 0 for a lot that was wholly held when it was '
    'voided.';
COMMENT ON COLUMN credit.voided.posting IS 'The posting of the void entry.';
COMMENT ON COLUMN credit.voided.lot IS 'The lot.';
COMMENT ON COLUMN credit.voided.origin IS
    'The lot that it descends from in its unit: of bought credits the one that the purchase granted; itself where it descends '
    'from none.';
COMMENT ON COLUMN credit.voided.account IS 'The account.';
COMMENT ON COLUMN credit.voided.amount IS 'How many credits; 0 where holds had all of them.';
COMMENT ON COLUMN credit.voided.granted IS
    'How many of them the lot was granted with. The others were added by adjustments, which leave last and have no price.';
COMMENT ON COLUMN credit.voided.paid IS
    'What they had cost: their part of the lot''s price, cut to nine decimals; 0 for what was given.';
COMMENT ON COLUMN credit.voided.emptied IS
    'Whether all that was left was voided: what comes back from holds later is voided too.';
SELECT pg_catalog.pg_extension_config_dump('credit.voided', '');

CREATE INDEX voided_by_origin ON credit.voided (account, origin);
COMMENT ON INDEX credit.voided_by_origin IS 'What was voided of what a purchase granted.';

CREATE TRIGGER voided_90_refuse_change BEFORE UPDATE OR DELETE ON credit.voided
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.voided ENABLE ALWAYS TRIGGER voided_90_refuse_change;
COMMENT ON TRIGGER voided_90_refuse_change ON credit.voided IS 'What was voided stays (ENABLE ALWAYS).';

CREATE TRIGGER voided_92_refuse_truncate BEFORE TRUNCATE ON credit.voided
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.voided ENABLE ALWAYS TRIGGER voided_92_refuse_truncate;
COMMENT ON TRIGGER voided_92_refuse_truncate ON credit.voided IS 'What was voided stays (ENABLE ALWAYS).';

-- Views ---------------------------------------------------------------------------------------------------------------

-- What open holds have of each lot. Holds whose time is over still have it until somebody gives it back; it is free for everybody
-- meanwhile, unless the lot was voided: then it is voided when it goes back.
CREATE VIEW credit.held AS
SELECT k.account, k.lot, k.held, k.ended,
    -- An aggregate, as the planner could answer EXISTS by reading the whole table.
    CASE WHEN k.ended > 0 AND (SELECT bool_or(v.emptied) FROM credit.voided v
        WHERE v.account = k.account AND v.lot = k.lot) IS NOT TRUE THEN k.ended ELSE 0 END AS free
FROM (SELECT h.account, o.lot, COALESCE(sum(o.open) FILTER (WHERE h.open_until > clock.now), 0) AS held,
        COALESCE(sum(o.open) FILTER (WHERE h.open_until <= clock.now), 0) AS ended
    FROM (SELECT credit.now() AS now) AS clock, credit.hold h, LATERAL unnest(h.lots, h.open) AS o (lot, open)
    WHERE h.open_until IS NOT NULL AND o.open > 0 GROUP BY h.account, o.lot) AS k;
COMMENT ON VIEW credit.held IS
    'What open holds have of each lot: for the extension itself. credit.lots and credit.holds show it to people.';
COMMENT ON COLUMN credit.held.account IS 'The account.';
COMMENT ON COLUMN credit.held.lot IS 'The lot.';
COMMENT ON COLUMN credit.held.held IS 'What holds have of it whose time is not over.';
COMMENT ON COLUMN credit.held.ended IS 'What holds have of it whose time is over.';
COMMENT ON COLUMN credit.held.free IS 'What of that can be spent: nothing where the lot was voided.';

-- One row per lot, with what is left and what state it is in now.
CREATE VIEW credit.lots AS
SELECT l.account, l.lot, l.unit, l.member, l.category, l.source, l.priority, l.applies_to,
    CASE WHEN l.expires_at <= clock.now THEN 'expired'
         WHEN s.remaining + h.free = 0 THEN CASE WHEN h.held > 0 THEN 'held' ELSE 'empty' END
         WHEN l.effective_at > clock.now THEN 'future'
         ELSE 'usable' END AS status,
    l.granted, trim_scale(s.remaining + h.held + h.ended) AS remaining, trim_scale(n.available) AS available,
    trim_scale(h.held) AS held, trim_scale(n.available + h.held) AS total,
    l.effective_at, l.expires_at, l.paid, l.currency, l.cost_basis, l.parent, s.slots, l.recorded_at, l.recorded_by, l.metadata
FROM (SELECT credit.now() AS now) AS clock, credit.lot l LEFT JOIN credit.held k ON k.account = l.account AND k.lot = l.lot,
    LATERAL (SELECT COALESCE(sum(remaining), 0) AS remaining, count(*) AS slots FROM credit.slot s
             WHERE s.account = l.account AND s.lot = l.lot) AS s,
    LATERAL (SELECT COALESCE(k.held, 0) AS held, COALESCE(k.ended, 0) AS ended, COALESCE(k.free, 0) AS free) AS h,
    LATERAL (SELECT CASE WHEN l.effective_at <= clock.now AND (l.expires_at IS NULL OR l.expires_at > clock.now)
        THEN s.remaining + h.free ELSE 0 END AS available) AS n;
COMMENT ON VIEW credit.lots IS 'One row per lot, with what is left of it and its state now. Filter on account.';
COMMENT ON COLUMN credit.lots.account IS 'The account that owns the lot.';
COMMENT ON COLUMN credit.lots.lot IS 'The lot''s id, as credit_grant() returned it.';
COMMENT ON COLUMN credit.lots.unit IS 'The unit of the lot''s amounts.';
COMMENT ON COLUMN credit.lots.member IS 'The member the lot belongs to; NULL for a pooled lot.';
COMMENT ON COLUMN credit.lots.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.lots.source IS
    'Where the credits come from: purchase, allocation, top_up, rollover, commitment, transfer, adjustment or overdraft.';
COMMENT ON COLUMN credit.lots.priority IS 'The lower, the earlier the lot is drawn.';
COMMENT ON COLUMN credit.lots.applies_to IS 'The operations the lot pays for; NULL for all.';
COMMENT ON COLUMN credit.lots.status IS
    'usable now; future: not yet effective; expired: past expires_at, posted or not; held: open holds have all that is left; '
    'empty: nothing is left, by use, void or a move.';
COMMENT ON COLUMN credit.lots.granted IS 'The amount granted.';
COMMENT ON COLUMN credit.lots.remaining IS
    'What the books hold of the lot. Of an expired lot, until its expiry is posted, also what lapsed.';
COMMENT ON COLUMN credit.lots.available IS 'What of it could be spent now.';
COMMENT ON COLUMN credit.lots.held IS 'What open holds have of it. A capture can spend it also when the lot has expired.';
COMMENT ON COLUMN credit.lots.total IS 'available + held.';
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

-- One row per owner that has credits now: a member, or the pool (member NULL).
CREATE VIEW credit.balances AS
SELECT l.account, l.unit, l.member, trim_scale(sum(p.available)) AS available, trim_scale(sum(p.held)) AS held,
    trim_scale(sum(p.available + p.held)) AS total,
    COALESCE(trim_scale(sum(p.available + p.held) FILTER (WHERE l.category = 'paid')), 0) AS paid,
    COALESCE(trim_scale(sum(p.available + p.held) FILTER (WHERE l.category = 'promotional')), 0) AS promotional,
    COALESCE(trim_scale(sum(p.available + p.held) FILTER (WHERE l.applies_to IS NOT NULL)), 0) AS limited_to_operations,
    count(DISTINCT l.lot) AS lots, min(l.expires_at) FILTER (WHERE p.available > 0) AS next_expiry
FROM (SELECT credit.now() AS now) AS clock,
    -- Lots that debits look at, and those that only holds still have something of.
    LATERAL (SELECT s.account, s.lot, s.remaining AS in_slots, 0 AS held, 0 AS free
        FROM credit.lot o JOIN credit.slot s ON s.account = o.account AND s.lot = o.lot WHERE NOT o.closed AND s.remaining > 0
        UNION ALL
        SELECT k.account, k.lot, 0, k.held, k.free FROM credit.held k) AS part
    JOIN credit.lot l ON l.account = part.account AND l.lot = part.lot,
    LATERAL (SELECT CASE WHEN l.effective_at <= clock.now AND (l.expires_at IS NULL OR l.expires_at > clock.now)
        THEN part.in_slots + part.free ELSE 0 END AS available, part.held) AS p
WHERE p.available + p.held > 0
GROUP BY l.account, l.unit, l.member;
COMMENT ON VIEW credit.balances IS
    'One row per owner that has credits now, usable or held: each member''s own lots, and the pool. An owner with none has no '
    'row. Filter on account.';
COMMENT ON COLUMN credit.balances.account IS 'The account.';
COMMENT ON COLUMN credit.balances.unit IS 'The unit of the amounts.';
COMMENT ON COLUMN credit.balances.member IS 'The member whose own lots are counted; NULL for the pool.';
COMMENT ON COLUMN credit.balances.available IS 'What is usable now, including lots limited to operations.';
COMMENT ON COLUMN credit.balances.held IS 'What open holds have. They can be captured also when the lot has expired.';
COMMENT ON COLUMN credit.balances.total IS 'available + held.';
COMMENT ON COLUMN credit.balances.paid IS 'The part of the total in paid lots.';
COMMENT ON COLUMN credit.balances.promotional IS 'The part of the total in promotional lots.';
COMMENT ON COLUMN credit.balances.limited_to_operations IS 'The part of the total in lots limited to operations.';
COMMENT ON COLUMN credit.balances.lots IS 'How many lots have the total.';
COMMENT ON COLUMN credit.balances.next_expiry IS
    'When the first of the lots expires that have something usable; NULL when none does.';

-- One row per ledger line, with its lot's terms and its own share of the lot's price, to 18 decimals. What adjustments added to a
-- lot came for nothing: where they added more than they took, they are worth nothing, and all credits of the lot have an equal
-- share of the price. So what leaves a lot is never worth more than it cost. The first line of a lot has all of its price.
CREATE VIEW credit.ledger AS
SELECT e.account, e.posting, e.line, e.kind, e.amount, l.unit, e.lot, e.member, e.department, e.operation, e.quantity, e.rate,
    l.category, l.source, l.currency, l.cost_basis,
    trim_scale(CASE WHEN g.adjusted > 0 AND e.kind = 'adjustment' AND e.corrects IS NULL THEN 0 * l.paid
        ELSE round(round(e.amount * l.paid, 18) / (l.granted + CASE WHEN g.adjusted > 0
            AND e.kind NOT IN ('grant', 'move_in', 'roll_in', 'convert_in')
            THEN g.adjusted ELSE 0 END), 18) END) AS value,
    e.occurred_at, e.recorded_at, e.recorded_by, e.corrects, e.metadata, e.run, e.dimensions, e.hold
FROM credit.entry e
JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
LEFT JOIN credit.lot_gain g ON g.account = e.account AND g.lot = e.lot;
COMMENT ON VIEW credit.ledger IS
    'One row per ledger line, with the terms of its lot and its value at the lot''s cost basis. Filter on account.';
COMMENT ON COLUMN credit.ledger.account IS 'The account.';
COMMENT ON COLUMN credit.ledger.posting IS 'The posting: all lines of one call.';
COMMENT ON COLUMN credit.ledger.line IS 'The line''s number within its posting, in drawdown order.';
COMMENT ON COLUMN credit.ledger.kind IS
    'debit, grant, void, expiry, expiry_reversal, move_out, move_in, return, roll_out, roll_in, convert_out, convert_in or '
    'adjustment.';
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
COMMENT ON COLUMN credit.ledger.value IS
    'Its share of the lot''s price, to 18 decimals: amount x cost_basis. Of a lot that gained credits by adjustments, amount x '
    'price / all credits that it got, and 0 for the adjustments. NULL when the price of the lot is unknown.';
COMMENT ON COLUMN credit.ledger.occurred_at IS 'When the usage happened; for an expiry, when the lot expired.';
COMMENT ON COLUMN credit.ledger.recorded_at IS 'When the line was written.';
COMMENT ON COLUMN credit.ledger.recorded_by IS 'The login role of the session that wrote it.';
COMMENT ON COLUMN credit.ledger.corrects IS 'The posting that it corrects.';
COMMENT ON COLUMN credit.ledger.metadata IS 'Anything the application keeps with the line.';
COMMENT ON COLUMN credit.ledger.run IS 'The task, session or conversation that the usage belongs to; NULL when not said.';
COMMENT ON COLUMN credit.ledger.dimensions IS
    'What the usage was of, beside its operation, as a flat JSON object of texts; NULL when not said.';
COMMENT ON COLUMN credit.ledger.hold IS 'The hold that was captured; NULL for none.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_account(text, text, text, text, boolean, text, text, interval, text, boolean, jsonb,
    text, interval) IS
'Creates an account, or changes what is given of it; NULL keeps what is there. Returns the account.
Errors: 22023 malformed argument; P0002 unknown unit or rate card; 55000 the time zone once the account has a lot.';

COMMENT ON FUNCTION @extschema@.credit_member(text, text, text, boolean, text, jsonb) IS
'Registers a member, or changes what is given of it; NULL keeps what is there. department: a path from the top, such as eng/ml; '
''''' takes the member out of every department. Entries keep the department of their time. active: false stops spending at '
'once, also of debits that wait. kind: user (a new member), agent or service. An active member gets a seat, if it has none. '
'Returns the member.
Errors: 22023 malformed argument; P0002 unknown account.';

COMMENT ON FUNCTION @extschema@.credit_grant(text, numeric, text, text, text, text, integer, timestamptz, timestamptz, interval,
    text[], numeric, text, text, jsonb) IS
'Grants a lot of credits and returns its id. Creates the account and registers the member when they are new. Under a key, a '
'repetition returns the same lot.
Errors: 22023 malformed or contradictory argument; 22003 from 10^15 on; P0002 unknown unit, or unregistered member where '
'members must be; 23505 key used for another request; 55000 inactive member.';

COMMENT ON FUNCTION @extschema@.credit_balance(text, text, text, timestamptz, text) IS
'The credits that are usable now, or were at an instant, or will be if nothing is debited, with what schedules bring '
'until then. With a '
'member: what that member could spend; without: all of the account. With an operation: without the lots limited to others.
Errors: 22023 malformed argument, or an instant that is more than 10,000 periods of a schedule ahead; P0002 unknown account or '
'unit, or unregistered member where members must be.';

COMMENT ON FUNCTION @extschema@.credit_void(text, bigint, jsonb) IS
'Withdraws what is left of a lot, closes it, and returns the amount: 0 when nothing is left or the lot has expired.
Errors: 22023 malformed argument; P0002 unknown lot.';

COMMENT ON FUNCTION @extschema@.credit_set_expiry(text, bigint, timestamptz, jsonb) IS
'Moves what is left of a lot to a new lot that expires at another instant (NULL: never), with the same terms and cost basis '
'otherwise. Returns the new lot''s id, or the lot''s own when it expires then already.
Errors: 22023 an instant that is not in the future or not after effective_at; P0002 unknown lot; 55000 the lot is empty or has '
'expired.';

COMMENT ON FUNCTION @extschema@.credit_expire(text, integer) IS
'Posts the expiries of one account that are due, at most max_lots; a row for each lot. Nothing usable depends on it: an expired '
'lot is never drawn. Lots that a running transaction holds are left to the next run.
Errors: 22023 malformed argument; P0002 unknown account.';
COMMENT ON FUNCTION @extschema@.credit_expire(integer) IS
'The same of all accounts.
Errors: 22023 malformed argument.';

SET LOCAL search_path TO @extschema@, pg_temp;
