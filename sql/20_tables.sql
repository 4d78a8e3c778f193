-- Tables. In every table of an account's rows `account` comes first in the primary key, in every unique index and in
-- every foreign key: one customer's rows stay together, and the schema can be distributed by account.
-- No foreign keys: they stand while pg_restore -j copies tables of an extension in any order, and refuse the copy (measured on
-- 15 to 18). Who writes checks, accounts and members are never deleted while something names them, and credit_verify() proves.
-- Identifiers compare by byte (COLLATE "C"): cheap index descents, and no index breaks when the system's collations change.

-- Every name below is looked up here, whatever the search path of who installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

CREATE TABLE credit.unit (
    unit        text COLLATE "C" PRIMARY KEY CHECK (length(unit) BETWEEN 1 AND 255),
    decimals    smallint NOT NULL DEFAULT 6 CHECK (decimals BETWEEN 0 AND 9),
    rounding    text COLLATE "C" NOT NULL DEFAULT 'half_even' CHECK (rounding IN ('half_even', 'half_up', 'up', 'down')),
    currency    text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$'),
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now()
);

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
    self_seating     boolean NOT NULL DEFAULT false
);

CREATE INDEX account_due ON credit.account (refresh_at) WHERE refresh_at IS NOT NULL;

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

-- Debits register only so many members of an account within a day.
CREATE INDEX member_self_registered ON credit.member (account, created_at) WHERE self_registered;

-- A lot's terms never change; `slots`, `closed` and `posted` are its state.
CREATE TABLE credit.lot (
    lot           bigint NOT NULL,
    effective_at  timestamptz NOT NULL,
    expires_at    timestamptz,
    recorded_at   timestamptz NOT NULL,
    parent        bigint,
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

-- The open lots in drawdown order (src/domain/drawdown.rs). A pooled lot stands under the member '' so that the pool is one
-- range of the index, and a lot that never expires under 'infinity' so that expired ones are passed over within the index. `remaining` is in no index: debits leave this one alone, it changes when a lot opens or closes.
CREATE INDEX lot_drawdown ON credit.lot (account, unit, (COALESCE(member, '')), priority, (applies_to IS NULL),
    (COALESCE(expires_at, 'infinity')), (category = 'paid'), effective_at, lot) WHERE NOT closed;
CREATE INDEX lot_due ON credit.lot (expires_at) WHERE NOT closed;

-- Its invalidation stands for lots that were added or opened again (src/server/invalidation.rs). It keeps its id as long as the extension
-- is there, nobody can rebuild it, and no plan depends on it.
CREATE TYPE credit.lot_announcement AS ();

-- The only row a debit updates. Half-empty pages keep every update on its page (HOT).
CREATE TABLE credit.slot (
    lot        bigint NOT NULL,
    slot       smallint NOT NULL,
    account    text COLLATE "C" NOT NULL,
    remaining  credit.remaining NOT NULL,
    PRIMARY KEY (account, lot, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- Append-only. One b-tree: an insert touches one leaf page per active account, however long the history is.
-- No CHECK, see credit.remaining: the functions and the trigger say what a line may be, and credit_verify() proves it.
CREATE TABLE credit.entry (
    posting      bigint NOT NULL,
    lot          bigint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    corrects     bigint,
    rate         bigint,
    line         integer NOT NULL,
    posted       boolean NOT NULL DEFAULT false,
    account      text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    amount       numeric NOT NULL,
    member       text COLLATE "C",
    department   text COLLATE "C",
    operation    text COLLATE "C",
    quantity     numeric,
    recorded_by  text COLLATE "C" NOT NULL,
    metadata     jsonb,
    dimensions   jsonb,
    PRIMARY KEY (account, posting, line)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- Both grow as the table does. New lines are found by their posting, so ranges are summarised as they fill up and not only by VACUUM.
CREATE INDEX entry_recorded_at ON credit.entry USING brin (recorded_at, posting) WITH (autosummarize = on);

-- Idempotency: what was asked under a key, and what it returned.
CREATE TABLE credit.request (
    result       bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    account      text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    function     text COLLATE "C" NOT NULL,
    fingerprint  bytea NOT NULL CHECK (length(fingerprint) = 32),
    PRIMARY KEY (account, key)
);

CREATE INDEX request_recorded_at ON credit.request USING brin (recorded_at) WITH (pages_per_range = 16);

-- The levels that roles were allowed, as credit_allow() recorded them: an upgrade grants from it again. A role is its name everywhere, and its
-- oid on the server where it was allowed: a role that is renamed keeps its oid, and a later role of the same name has another.
CREATE TABLE credit.access_record (
    granted_at         timestamptz NOT NULL DEFAULT pg_catalog.now(),
    system_identifier  bigint NOT NULL,
    role_oid           oid NOT NULL,
    role               text COLLATE "C" NOT NULL,
    level              text COLLATE "C" NOT NULL CHECK (level IN ('read', 'spend', 'admin')),
    granted_by         text COLLATE "C" NOT NULL DEFAULT session_user,
    PRIMARY KEY (role, level)
);

SELECT pg_catalog.pg_extension_config_dump('credit.unit', '');
SELECT pg_catalog.pg_extension_config_dump('credit.account', '');
SELECT pg_catalog.pg_extension_config_dump('credit.member', '');
SELECT pg_catalog.pg_extension_config_dump('credit.lot', '');
SELECT pg_catalog.pg_extension_config_dump('credit.slot', '');
SELECT pg_catalog.pg_extension_config_dump('credit.entry', '');
SELECT pg_catalog.pg_extension_config_dump('credit.request', '');
SELECT pg_catalog.pg_extension_config_dump('credit.access_record', '');

SET LOCAL search_path TO @extschema@, pg_temp;
