-- Pools: which members were told when to spend the pool, or only what is their own, and departments as members make them. Rules
-- are history, and debits that remember a policy hear of a new one.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- The rules of spending the pool --------------------------------------------------------------------------------------

CREATE SEQUENCE credit.pooling_rule MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.pooling_rule IS
    'Ids of the rules in credit.pooling. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps are '
    'normal.';
SELECT pg_catalog.pg_extension_config_dump('credit.pooling_rule', '');

-- A rule is for the account, for what an agreement says of it, for a department with all below it, or for a member. Rules are
-- only added: of those for the same, the one that began last counts, and of two that begin at once the one that was made last.
CREATE TABLE credit.pooling (
    rule          bigint NOT NULL,
    agreement     bigint,
    effective_at  timestamptz CHECK (isfinite(effective_at)),
    recorded_at   timestamptz NOT NULL,
    account       text COLLATE "C" NOT NULL,
    member        text COLLATE "C",
    department    text COLLATE "C" CHECK (length(department) BETWEEN 1 AND 255 AND department !~ '(^|/)(/|$)'),
    pooling       text COLLATE "C" CHECK (pooling IN ('pooled', 'per_seat')),
    recorded_by   text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, rule),
    CHECK (num_nonnulls(agreement, member, department) <= 1),
    CHECK (pooling IS NOT NULL OR num_nonnulls(agreement, member, department) = 1),
    CHECK (effective_at IS NOT NULL OR num_nonnulls(agreement, member, department) = 0)
);
COMMENT ON TABLE credit.pooling IS
    'The rules of spending the pool: of an account, of its departments and of its members, each from an instant on. Only '
    'added to (42501), by credit_pooling(), credit_account() and credit_agreement(). A member goes by a rule of their own, else '
    'by that of the nearest department above them, else by the account''s; of the rules for the same the one that began last '
    'counts, and of those that begin at once the one with the highest id.';
COMMENT ON COLUMN credit.pooling.rule IS 'The rule''s id.';
COMMENT ON COLUMN credit.pooling.agreement IS
    'The agreement that says it of the account; it counts like a rule of the account, until the agreement ends (pooling NULL).';
COMMENT ON COLUMN credit.pooling.effective_at IS 'From when on it counts; NULL for what an account said before its first change.';
COMMENT ON COLUMN credit.pooling.recorded_at IS
    'When it was recorded, by the clock at the write. Never after effective_at, so that the policy of the past stays as it was.';
COMMENT ON COLUMN credit.pooling.account IS 'The account.';
COMMENT ON COLUMN credit.pooling.member IS 'The member it is for; NULL for others.';
COMMENT ON COLUMN credit.pooling.department IS 'The department it is for, with all below it; NULL for others.';
COMMENT ON COLUMN credit.pooling.pooling IS
    'pooled: own lots first, then the pool. per_seat: own lots only. NULL takes an override away.';
COMMENT ON COLUMN credit.pooling.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON INDEX credit.pooling_pkey IS 'The rules of an account by id.';
SELECT pg_catalog.pg_extension_config_dump('credit.pooling', '');

CREATE INDEX pooling_by_member ON credit.pooling (account, member, rule);
COMMENT ON INDEX credit.pooling_by_member IS
    'A member''s rules, and those that are nobody''s own: what a debit of the member goes by.';

CREATE TRIGGER pooling_90_refuse_change BEFORE UPDATE OR DELETE ON credit.pooling
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.pooling ENABLE ALWAYS TRIGGER pooling_90_refuse_change;
COMMENT ON TRIGGER pooling_90_refuse_change ON credit.pooling IS 'Rules are history: they are not changed (42501).';

CREATE TRIGGER pooling_92_refuse_truncate BEFORE TRUNCATE ON credit.pooling
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.pooling ENABLE ALWAYS TRIGGER pooling_92_refuse_truncate;
COMMENT ON TRIGGER pooling_92_refuse_truncate ON credit.pooling IS 'Rules are history: they are not removed (42501).';

CREATE TRIGGER pooling_95_announce AFTER INSERT ON credit.pooling
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.pooling ENABLE ALWAYS TRIGGER pooling_95_announce;
COMMENT ON TRIGGER pooling_95_announce ON credit.pooling IS 'Debits that remember a policy hear of a new rule when it commits.';

-- Views ---------------------------------------------------------------------------------------------------------------

-- One row per department that a member belongs to, and per level above it.
CREATE VIEW credit.departments AS
SELECT placed.account, placed.path AS department,
    CASE WHEN placed.depth > 1 THEN left(placed.path, length(placed.path) - strpos(reverse(placed.path), '/')) END AS parent,
        placed.depth,
    count(*) FILTER (WHERE placed.path = placed.department) AS members,
    count(*) FILTER (WHERE placed.path = placed.department AND placed.active) AS active_members,
    count(*) AS members_within, count(*) FILTER (WHERE placed.active) AS active_members_within
FROM (
    SELECT m.account, m.department, m.active, level.depth,
        array_to_string((string_to_array(m.department, '/'))[1:level.depth], '/') AS path
    FROM credit.member m, LATERAL generate_series(1, cardinality(string_to_array(m.department, '/'))) AS level (depth)
    WHERE m.department IS NOT NULL
) AS placed
GROUP BY placed.account, placed.path, placed.depth;
COMMENT ON VIEW credit.departments IS
    'The departments of each account, as a tree by path: those that members belong to, and every level above.';
COMMENT ON COLUMN credit.departments.account IS 'The account.';
COMMENT ON COLUMN credit.departments.department IS 'The path from the top, such as eng/ml.';
COMMENT ON COLUMN credit.departments.parent IS 'The department above; NULL at the top.';
COMMENT ON COLUMN credit.departments.depth IS 'How many levels the path has; 1 at the top.';
COMMENT ON COLUMN credit.departments.members IS 'How many members belong to it directly.';
COMMENT ON COLUMN credit.departments.active_members IS 'How many of them are active.';
COMMENT ON COLUMN credit.departments.members_within IS 'How many members belong to it or to a department below.';
COMMENT ON COLUMN credit.departments.active_members_within IS 'How many of those are active.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_pooling(text, text, text, text, timestamptz) IS
'Says who spends the pool of an account from effective_at (now) on: pooled (own lots first, then the pool) or per_seat (own '
'lots only). Of all members; or of one member, or of a department with all below it, which overrides it: the member''s own '
'counts first, then that of the nearest department above. NULL takes an override away. No lot changes its owner. A change that '
'is dated counts from exactly that instant on, also for debits that wait; one that counts now does so when it commits. Debits '
'that name no member always spend the pool. Returns the rule''s id.
Errors: 22023 malformed argument, both targets at once, or an instant that has passed; P0002 unknown account, or unregistered '
'member.';

COMMENT ON FUNCTION @extschema@.credit_pooling_preview(text, text, text, text, timestamptz, text) IS
'What each member could spend at effective_at (now) as things stand, and after credit_pooling() with the same arguments: '
'their own lots and, where they spend the pool, all of the pool; 0 for an inactive one. The last row, without a member, is '
'the pool, which debits without a member spend. Scoped lots count. Writes nothing, and works on a standby.
Errors: as credit_pooling(); P0002 unknown unit.';

COMMENT ON FUNCTION @extschema@.credit_move_department(text, text, text) IS
'Moves the members of a department, and of all below it, to another path, which may exist already; how many were moved. What '
'was spent stays where it was spent. The overrides of pooling that count for the department, or will, count for the new path '
'too, where nothing was said about that. Caps stay with the path they name.
Errors: 22023 malformed path, one below itself, or one that becomes longer than 255 characters; P0002 unknown account.';

COMMENT ON FUNCTION @extschema@.credit_transfer(text, numeric, text, text, text, bigint, text, jsonb) IS
'Moves credits from from_member to to_member of an account; NULL is the pool. Returns the posting''s id. Gives what is usable '
'now of the giver''s own lots, in drawdown order and but for lots limited to operations, or of the one lot that is named, in '
'effect or not. Each lot that gives becomes a lot of the receiver (source transfer) with the giver''s as its parent and the '
'same effect, expiry, category, priority, scope and cost basis. Who may give to whom is the account''s policy (credit_account, '
'transfers). Under a key, a repetition returns the same posting.
Errors: 23514 insufficient credits; 22023 malformed argument, or giver and receiver are the same; P0002 unknown account, unit '
'or lot, or unregistered member; 55000 inactive receiver, the policy forbids it, or the lot is another owner''s, empty or '
'expired; 23505 key used for another request; 40001 and 40P01: repeat the transaction.';

COMMENT ON FUNCTION @extschema@.credit_rebalance(text, text, interval, jsonb) IS
'Transfers among the members of an account what some leave unused and others lack; a row per transfer. A member needs what '
'they used within burn_window (30 days), of whichever lots; members who hold more of their own, usable now and for any '
'operation, give of the rest, and those who hold less get what is missing: the greatest need first, from the greatest '
'surplus. Inactive members give '
'all and get nothing. Only between members whom the account''s policy lets transfer to each other. All or nothing; a second '
'call right after it moves nothing.
Errors: 22023 malformed argument; P0002 unknown account or unit; 55000 a member becomes inactive meanwhile; 40001 and 40P01: '
'repeat the transaction.';

COMMENT ON FUNCTION @extschema@.credit_rebalance_preview(text, text, interval) IS
'What credit_rebalance() would transfer, of what has been issued: it writes nothing, and works on a standby.
Errors: 22023 malformed argument; P0002 unknown account or unit.';

SET LOCAL search_path TO @extschema@, pg_temp;
