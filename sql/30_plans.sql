-- Plans: plans and their tiers (volume discounts), what was agreed with customers, what they bought, and the plan that an account
-- is on. List prices, tiers and agreements are versions, half-open in time, [effective_at, ended_at), and never rewritten: an
-- agreement names the instant as of which the plan was agreed. What was agreed, bought, changed, charged or paid back never
-- changes, and sessions that remember rate cards hear of changes.
--
-- A subscription is a version too, and never rewritten apart from its end. Versions with one `origin` share their periods: they
-- begin `phase` and any number of billing periods after `anchor`, on the account's calendar.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Plans and their tiers -----------------------------------------------------------------------------------------------

CREATE TABLE credit.plan (
    plan          text COLLATE "C" PRIMARY KEY CHECK (length(plan) BETWEEN 1 AND 255),
    unit          text COLLATE "C" NOT NULL,
    currency      text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    model         text COLLATE "C" NOT NULL CHECK (model IN ('volume', 'graduated', 'package', 'stairstep')),
    reach         text COLLATE "C" NOT NULL DEFAULT 'purchase' CHECK (reach IN ('purchase', 'cumulative')),
    floor_margin  numeric CHECK (floor_margin >= 0 AND floor_margin < 1),
    below_floor   text COLLATE "C" NOT NULL DEFAULT 'refuse' CHECK (below_floor IN ('refuse', 'flag')),
    expiry        interval,
    rate_card     text COLLATE "C",
    created_at    timestamptz NOT NULL,
    note          text COLLATE "C"
);
COMMENT ON TABLE credit.plan IS 'Plans: what credits are sold by. What they cost is in credit.plan_price and credit.tier.';
COMMENT ON COLUMN credit.plan.plan IS 'The plan.';
COMMENT ON COLUMN credit.plan.unit IS 'The unit of its credits.';
COMMENT ON COLUMN credit.plan.currency IS 'ISO 4217 code of the money it is paid with.';
COMMENT ON COLUMN credit.plan.model IS
    'How the tiers make a price: volume, all credits at the reached tier''s; graduated, each band at its own; package, in '
    'bundles; stairstep, one price from one tier to the next.';
COMMENT ON COLUMN credit.plan.reach IS
    'What reaches a tier: this purchase, or all that was bought in the year of the account''s agreement (cumulative).';
COMMENT ON COLUMN credit.plan.floor_margin IS 'The least margin, as a part of the price: 0.3 is 30 %. NULL for none.';
COMMENT ON COLUMN credit.plan.below_floor IS 'What happens below the floor margin: refuse or flag.';
COMMENT ON COLUMN credit.plan.expiry IS
    'How long its lots live, where neither purchase, agreement nor tier say it. NULL for ever.';
COMMENT ON COLUMN credit.plan.rate_card IS
    'The rate card of accounts that have an agreement about the plan, where neither account nor agreement name one.';
COMMENT ON COLUMN credit.plan.created_at IS 'When it was created.';
COMMENT ON COLUMN credit.plan.note IS 'For people. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.plan', '');

CREATE TRIGGER plan_90_refuse_rename BEFORE UPDATE ON credit.plan
    FOR EACH ROW WHEN (OLD.plan <> NEW.plan) EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan ENABLE ALWAYS TRIGGER plan_90_refuse_rename;
COMMENT ON TRIGGER plan_90_refuse_rename ON credit.plan IS 'Plans are never renamed: versions name them (ENABLE ALWAYS).';

CREATE TRIGGER plan_91_refuse_delete BEFORE DELETE ON credit.plan
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan ENABLE ALWAYS TRIGGER plan_91_refuse_delete;
COMMENT ON TRIGGER plan_91_refuse_delete ON credit.plan IS 'Plans are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER plan_92_refuse_truncate BEFORE TRUNCATE ON credit.plan
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan ENABLE ALWAYS TRIGGER plan_92_refuse_truncate;
COMMENT ON TRIGGER plan_92_refuse_truncate ON credit.plan IS 'Plans are never deleted (ENABLE ALWAYS).';

-- Which rate card an account uses follows from its agreements and their plans.
CREATE TRIGGER plan_95_announce AFTER INSERT OR UPDATE OF plan, unit, rate_card ON credit.plan
    FOR EACH STATEMENT EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.plan ENABLE ALWAYS TRIGGER plan_95_announce;
COMMENT ON TRIGGER plan_95_announce ON credit.plan IS 'Tells the backends that remember rate cards (ENABLE ALWAYS).';

-- The list price of one credit, from `effective_at` until the next row of the plan.
CREATE TABLE credit.plan_price (
    effective_at  timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL,
    plan          text COLLATE "C" NOT NULL,
    list_price    numeric NOT NULL CHECK (list_price >= 0 AND list_price < 1e15),
    recorded_by   text COLLATE "C" NOT NULL,
    PRIMARY KEY (plan, effective_at)
);
COMMENT ON TABLE credit.plan_price IS 'List prices of plans, as versions: each counts from effective_at until the next one.';
COMMENT ON COLUMN credit.plan_price.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.plan_price.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.plan_price.plan IS 'The plan.';
COMMENT ON COLUMN credit.plan_price.list_price IS 'Money for one credit.';
COMMENT ON COLUMN credit.plan_price.recorded_by IS 'The login role of the session that recorded it.';
SELECT pg_catalog.pg_extension_config_dump('credit.plan_price', '');

CREATE TRIGGER plan_price_90_refuse_update BEFORE UPDATE ON credit.plan_price
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_price ENABLE ALWAYS TRIGGER plan_price_90_refuse_update;
COMMENT ON TRIGGER plan_price_90_refuse_update ON credit.plan_price IS 'List prices never change (ENABLE ALWAYS).';

CREATE TRIGGER plan_price_91_refuse_delete BEFORE DELETE ON credit.plan_price
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_price ENABLE ALWAYS TRIGGER plan_price_91_refuse_delete;
COMMENT ON TRIGGER plan_price_91_refuse_delete ON credit.plan_price IS 'List prices are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER plan_price_92_refuse_truncate BEFORE TRUNCATE ON credit.plan_price
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_price ENABLE ALWAYS TRIGGER plan_price_92_refuse_truncate;
COMMENT ON TRIGGER plan_price_92_refuse_truncate ON credit.plan_price IS 'List prices are never deleted (ENABLE ALWAYS).';

-- What one credit costs the provider when so many are bought, from `effective_at` until the next row of the same quantity.
CREATE TABLE credit.plan_cost (
    effective_at   timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    plan           text COLLATE "C" NOT NULL,
    from_quantity  numeric NOT NULL CHECK (from_quantity >= 0 AND from_quantity < 1e15),
    unit_cost      numeric NOT NULL CHECK (unit_cost >= 0 AND unit_cost < 1e15),
    recorded_by    text COLLATE "C" NOT NULL,
    PRIMARY KEY (plan, from_quantity, effective_at)
);
COMMENT ON TABLE credit.plan_cost IS
    'What one credit costs the provider, by how many are bought. The newest of the highest quantity that is reached counts.';
COMMENT ON COLUMN credit.plan_cost.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.plan_cost.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.plan_cost.plan IS 'The plan.';
COMMENT ON COLUMN credit.plan_cost.from_quantity IS 'From how many credits on.';
COMMENT ON COLUMN credit.plan_cost.unit_cost IS 'Money for one credit, in the plan''s currency.';
COMMENT ON COLUMN credit.plan_cost.recorded_by IS 'The login role of the session that recorded it.';
SELECT pg_catalog.pg_extension_config_dump('credit.plan_cost', '');

CREATE TRIGGER plan_cost_90_refuse_update BEFORE UPDATE ON credit.plan_cost
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_cost ENABLE ALWAYS TRIGGER plan_cost_90_refuse_update;
COMMENT ON TRIGGER plan_cost_90_refuse_update ON credit.plan_cost IS 'Costs never change (ENABLE ALWAYS).';

CREATE TRIGGER plan_cost_91_refuse_delete BEFORE DELETE ON credit.plan_cost
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_cost ENABLE ALWAYS TRIGGER plan_cost_91_refuse_delete;
COMMENT ON TRIGGER plan_cost_91_refuse_delete ON credit.plan_cost IS 'Costs are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER plan_cost_92_refuse_truncate BEFORE TRUNCATE ON credit.plan_cost
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_cost ENABLE ALWAYS TRIGGER plan_cost_92_refuse_truncate;
COMMENT ON TRIGGER plan_cost_92_refuse_truncate ON credit.plan_cost IS 'Costs are never deleted (ENABLE ALWAYS).';

CREATE SEQUENCE credit.tier_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.tier_id IS 'Ids of versions of tiers.';
SELECT pg_catalog.pg_extension_config_dump('credit.tier_id', '');

-- Versions of tiers: each has a discount off the list price, a price of its own, or only a flat one; or it is negotiated.
CREATE TABLE credit.tier (
    version          bigint PRIMARY KEY,
    effective_at     timestamptz NOT NULL,
    ended_at         timestamptz CHECK (ended_at >= effective_at),
    recorded_at      timestamptz NOT NULL,
    negotiated       boolean NOT NULL DEFAULT false,
    plan             text COLLATE "C" NOT NULL,
    tier             text COLLATE "C" NOT NULL CHECK (length(tier) BETWEEN 1 AND 255),
    from_quantity    numeric NOT NULL CHECK (from_quantity >= 0 AND from_quantity < 1e15),
    discount         numeric CHECK (discount >= 0 AND discount <= 1),
    unit_price       numeric CHECK (unit_price >= 0 AND unit_price < 1e15),
    flat             numeric CHECK (flat >= 0 AND flat < 1e15),
    billing_period   text COLLATE "C" CHECK (billing_period IN ('month', 'quarter', 'year')),
    commitment       interval,
    expiry           interval,
    recorded_by      text COLLATE "C" NOT NULL,
    override_reason  text COLLATE "C",
    note             text COLLATE "C",
    CHECK (discount IS NULL OR unit_price IS NULL),
    CHECK (negotiated = (discount IS NULL AND unit_price IS NULL AND flat IS NULL))
);
COMMENT ON TABLE credit.tier IS 'Versions of the tiers of plans, in force in [effective_at, ended_at).';
COMMENT ON COLUMN credit.tier.version IS 'The version''s id.';
COMMENT ON COLUMN credit.tier.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.tier.ended_at IS 'Until when; NULL when it is open.';
COMMENT ON COLUMN credit.tier.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.tier.negotiated IS 'Whether it has a price by agreement only.';
COMMENT ON COLUMN credit.tier.plan IS 'The plan.';
COMMENT ON COLUMN credit.tier.tier IS 'The tier.';
COMMENT ON COLUMN credit.tier.from_quantity IS 'From how many credits on it counts; the size of the bundle for packages.';
COMMENT ON COLUMN credit.tier.discount IS 'Part of the list price that is taken off: 0.12 is 12 %.';
COMMENT ON COLUMN credit.tier.unit_price IS 'Money for one credit.';
COMMENT ON COLUMN credit.tier.flat IS
    'Money besides: for whoever reaches the tier, or enters the band; the price of a bundle or step.';
COMMENT ON COLUMN credit.tier.billing_period IS
    'How often it is billed: month, quarter or year. The billing period of subscriptions in it.';
COMMENT ON COLUMN credit.tier.commitment IS 'For how long a subscription in it commits.';
COMMENT ON COLUMN credit.tier.expiry IS 'How long the lots live that are bought in it. NULL as the plan says.';
COMMENT ON COLUMN credit.tier.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.tier.override_reason IS 'Why it may be below the floor margin.';
COMMENT ON COLUMN credit.tier.note IS 'For people. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.tier', '');

CREATE INDEX tier_by_plan ON credit.tier (plan, effective_at);
COMMENT ON INDEX credit.tier_by_plan IS 'The versions of a plan''s tiers.';

CREATE UNIQUE INDEX tier_current ON credit.tier (plan, tier) WHERE ended_at IS NULL;
COMMENT ON INDEX credit.tier_current IS 'A tier has one version that is open.';

-- The end of a version may be set, and moved as long as it has not come. Everything else of it stays.
CREATE TRIGGER tier_90_refuse_update BEFORE UPDATE ON credit.tier
    FOR EACH ROW WHEN (NEW.ended_at IS NULL OR OLD.ended_at <= credit.now() OR ROW(
        OLD.version, OLD.effective_at, OLD.recorded_at, OLD.negotiated, OLD.plan, OLD.tier, OLD.from_quantity, OLD.discount,
        OLD.unit_price, OLD.flat, OLD.billing_period, OLD.commitment, OLD.expiry, OLD.recorded_by, OLD.override_reason, OLD.note)
        IS DISTINCT FROM ROW(
        NEW.version, NEW.effective_at, NEW.recorded_at, NEW.negotiated, NEW.plan, NEW.tier, NEW.from_quantity, NEW.discount,
        NEW.unit_price, NEW.flat, NEW.billing_period, NEW.commitment, NEW.expiry, NEW.recorded_by, NEW.override_reason, NEW.note))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.tier ENABLE ALWAYS TRIGGER tier_90_refuse_update;
COMMENT ON TRIGGER tier_90_refuse_update ON credit.tier IS
    'Versions of tiers never change, but for their end, until it has come (ENABLE ALWAYS).';

CREATE TRIGGER tier_91_refuse_delete BEFORE DELETE ON credit.tier
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.tier ENABLE ALWAYS TRIGGER tier_91_refuse_delete;
COMMENT ON TRIGGER tier_91_refuse_delete ON credit.tier IS 'Versions of tiers are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER tier_92_refuse_truncate BEFORE TRUNCATE ON credit.tier
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.tier ENABLE ALWAYS TRIGGER tier_92_refuse_truncate;
COMMENT ON TRIGGER tier_92_refuse_truncate ON credit.tier IS 'Versions of tiers are never deleted (ENABLE ALWAYS).';

-- Agreements and purchases --------------------------------------------------------------------------------------------

CREATE SEQUENCE credit.agreement_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.agreement_id IS 'Ids of agreements.';
SELECT pg_catalog.pg_extension_config_dump('credit.agreement_id', '');

-- What was agreed with an account about a plan, while it is valid: a price of its own or the plan as of `agreed_at`, what it
-- commits to buy in each year, and its own terms.
CREATE TABLE credit.agreement (
    agreement            bigint NOT NULL,
    effective_at         timestamptz NOT NULL,
    ended_at             timestamptz CHECK (ended_at >= effective_at),
    agreed_at            timestamptz NOT NULL,
    recorded_at          timestamptz NOT NULL,
    account              text COLLATE "C" NOT NULL,
    plan                 text COLLATE "C" NOT NULL,
    tier                 text COLLATE "C",
    unit_price           numeric CHECK (unit_price >= 0 AND unit_price < 1e15),
    discount             numeric CHECK (discount >= 0 AND discount <= 1),
    committed_quantity   numeric[],
    committed_money      numeric[],
    expiry               interval,
    pooling              text COLLATE "C" CHECK (pooling IN ('pooled', 'per_seat')),
    rate_card            text COLLATE "C",
    recorded_by          text COLLATE "C" NOT NULL,
    override_reason      text COLLATE "C",
    note                 text COLLATE "C",
    PRIMARY KEY (account, agreement),
    CHECK (num_nonnulls(tier, unit_price, discount) <= 1),
    CHECK (committed_quantity IS NULL OR committed_money IS NULL)
);
COMMENT ON TABLE credit.agreement IS 'What was agreed with accounts about plans, valid in [effective_at, ended_at).';
COMMENT ON COLUMN credit.agreement.agreement IS 'The agreement''s id.';
COMMENT ON COLUMN credit.agreement.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.agreement.ended_at IS 'Until when; NULL when it is open.';
COMMENT ON COLUMN credit.agreement.agreed_at IS 'The instant as of which list price and tiers of the plan count.';
COMMENT ON COLUMN credit.agreement.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.agreement.account IS 'The account.';
COMMENT ON COLUMN credit.agreement.plan IS 'The plan.';
COMMENT ON COLUMN credit.agreement.tier IS 'The tier whose price all credits have, whatever the quantity.';
COMMENT ON COLUMN credit.agreement.unit_price IS 'Money for one credit.';
COMMENT ON COLUMN credit.agreement.discount IS 'Part of the list price that is taken off.';
COMMENT ON COLUMN credit.agreement.committed_quantity IS 'How many credits it commits to buy in each year, from effective_at on.';
COMMENT ON COLUMN credit.agreement.committed_money IS 'How much money it commits to pay in each year, from effective_at on.';
COMMENT ON COLUMN credit.agreement.expiry IS 'How long the lots live that are bought by it.';
COMMENT ON COLUMN credit.agreement.pooling IS
    'How the account pools its credits from effective_at until ended_at, unless the account is told otherwise meanwhile; see '
    'credit.pooling.';
COMMENT ON COLUMN credit.agreement.rate_card IS 'The account''s rate card, where the account names none.';
COMMENT ON COLUMN credit.agreement.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.agreement.override_reason IS 'Why it may be below the floor margin.';
COMMENT ON COLUMN credit.agreement.note IS 'For people. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.agreement', '');

CREATE UNIQUE INDEX agreement_current ON credit.agreement (account, plan) WHERE ended_at IS NULL;
COMMENT ON INDEX credit.agreement_current IS 'An account has one open agreement about a plan.';

CREATE TRIGGER agreement_90_refuse_update BEFORE UPDATE ON credit.agreement
    FOR EACH ROW WHEN (NEW.ended_at IS NULL OR OLD.ended_at <= credit.now() OR ROW(
        OLD.agreement, OLD.effective_at, OLD.agreed_at, OLD.recorded_at, OLD.account, OLD.plan, OLD.tier, OLD.unit_price,
        OLD.discount, OLD.committed_quantity, OLD.committed_money, OLD.expiry, OLD.pooling, OLD.rate_card, OLD.recorded_by,
        OLD.override_reason, OLD.note)
        IS DISTINCT FROM ROW(
        NEW.agreement, NEW.effective_at, NEW.agreed_at, NEW.recorded_at, NEW.account, NEW.plan, NEW.tier, NEW.unit_price,
        NEW.discount, NEW.committed_quantity, NEW.committed_money, NEW.expiry, NEW.pooling, NEW.rate_card, NEW.recorded_by,
        NEW.override_reason, NEW.note))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.agreement ENABLE ALWAYS TRIGGER agreement_90_refuse_update;
COMMENT ON TRIGGER agreement_90_refuse_update ON credit.agreement IS
    'Agreements never change, but for their end, until it has come (ENABLE ALWAYS).';

CREATE TRIGGER agreement_91_refuse_delete BEFORE DELETE ON credit.agreement
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.agreement ENABLE ALWAYS TRIGGER agreement_91_refuse_delete;
COMMENT ON TRIGGER agreement_91_refuse_delete ON credit.agreement IS 'Agreements are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER agreement_92_refuse_truncate BEFORE TRUNCATE ON credit.agreement
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.agreement ENABLE ALWAYS TRIGGER agreement_92_refuse_truncate;
COMMENT ON TRIGGER agreement_92_refuse_truncate ON credit.agreement IS 'Agreements are never deleted (ENABLE ALWAYS).';

-- Which rate card an account uses follows from its agreements and their plans.
CREATE TRIGGER agreement_95_announce AFTER INSERT OR UPDATE ON credit.agreement
    FOR EACH STATEMENT EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.agreement ENABLE ALWAYS TRIGGER agreement_95_announce;
COMMENT ON TRIGGER agreement_95_announce ON credit.agreement IS 'Tells the backends that remember rate cards (ENABLE ALWAYS).';

CREATE SEQUENCE credit.purchase_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.purchase_id IS 'Ids of purchases.';
SELECT pg_catalog.pg_extension_config_dump('credit.purchase_id', '');

-- What an account bought, at which price, and why at that price. Its terms never change; `status` and `settled_at` are its state.
CREATE TABLE credit.purchase (
    purchase         bigint NOT NULL,
    recorded_at      timestamptz NOT NULL,
    settled_at       timestamptz,
    agreement        bigint,
    tier_version     bigint,
    account          text COLLATE "C" NOT NULL,
    plan             text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL CHECK (status IN ('pending', 'active', 'void')),
    tier             text COLLATE "C",
    quantity         numeric NOT NULL CHECK (quantity >= 0 AND quantity < 1e15),
    bonus            numeric CHECK (bonus > 0 AND bonus < 1e15),
    list_price       numeric NOT NULL CHECK (list_price >= 0),
    discount         numeric,
    unit_price       numeric,
    paid             numeric NOT NULL CHECK (paid >= 0 AND paid < 1e15),
    currency         text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    unit             text COLLATE "C" NOT NULL,
    member           text COLLATE "C",
    expiry           interval,
    recorded_by      text COLLATE "C" NOT NULL,
    override_reason  text COLLATE "C",
    metadata         jsonb,
    PRIMARY KEY (account, purchase),
    CHECK ((status = 'pending') = (settled_at IS NULL))
);
COMMENT ON TABLE credit.purchase IS 'What accounts bought, and at which price.';
COMMENT ON COLUMN credit.purchase.purchase IS 'The purchase''s id.';
COMMENT ON COLUMN credit.purchase.recorded_at IS 'When it was bought.';
COMMENT ON COLUMN credit.purchase.settled_at IS 'When it became active or void; NULL while it is pending.';
COMMENT ON COLUMN credit.purchase.agreement IS 'The agreement that counted.';
COMMENT ON COLUMN credit.purchase.tier_version IS 'The version of the tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.purchase.account IS 'The account.';
COMMENT ON COLUMN credit.purchase.plan IS 'The plan.';
COMMENT ON COLUMN credit.purchase.status IS 'pending, active or void. Only an active one has lots.';
COMMENT ON COLUMN credit.purchase.tier IS 'The tier that was reached.';
COMMENT ON COLUMN credit.purchase.quantity IS
    'How many credits were bought, in the unit; 0 for what a dearer plan charges besides.';
COMMENT ON COLUMN credit.purchase.bonus IS 'How many came on top.';
COMMENT ON COLUMN credit.purchase.list_price IS 'The list price of one credit.';
COMMENT ON COLUMN credit.purchase.discount IS 'The part of it that was taken off.';
COMMENT ON COLUMN credit.purchase.unit_price IS 'What one credit cost in the reached tier; NULL for bundles and steps.';
COMMENT ON COLUMN credit.purchase.paid IS 'What it cost, in the currency, with all its decimals.';
COMMENT ON COLUMN credit.purchase.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.purchase.unit IS 'The unit.';
COMMENT ON COLUMN credit.purchase.member IS 'Whose lots they are; NULL for the pool.';
COMMENT ON COLUMN credit.purchase.expiry IS 'How long its lots live; NULL for ever.';
COMMENT ON COLUMN credit.purchase.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.purchase.override_reason IS 'Why it may be below the floor margin.';
COMMENT ON COLUMN credit.purchase.metadata IS 'Your own data. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.purchase', '');

CREATE INDEX purchase_by_plan ON credit.purchase (account, plan, recorded_at);
COMMENT ON INDEX credit.purchase_by_plan IS 'What an account bought by a plan.';

-- A purchase that is pending may become active or void, once.
CREATE TRIGGER purchase_90_refuse_update BEFORE UPDATE ON credit.purchase
    FOR EACH ROW WHEN (OLD.status <> 'pending' OR NEW.status = 'pending' OR ROW(
        OLD.purchase, OLD.recorded_at, OLD.agreement, OLD.tier_version, OLD.account, OLD.plan, OLD.tier, OLD.quantity, OLD.bonus,
        OLD.list_price, OLD.discount, OLD.unit_price, OLD.paid, OLD.currency, OLD.unit, OLD.member, OLD.expiry, OLD.recorded_by,
        OLD.override_reason, OLD.metadata)
        IS DISTINCT FROM ROW(
        NEW.purchase, NEW.recorded_at, NEW.agreement, NEW.tier_version, NEW.account, NEW.plan, NEW.tier, NEW.quantity, NEW.bonus,
        NEW.list_price, NEW.discount, NEW.unit_price, NEW.paid, NEW.currency, NEW.unit, NEW.member, NEW.expiry, NEW.recorded_by,
        NEW.override_reason, NEW.metadata))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.purchase ENABLE ALWAYS TRIGGER purchase_90_refuse_update;
COMMENT ON TRIGGER purchase_90_refuse_update ON credit.purchase IS
    'What was bought never changes; a pending purchase becomes active or void, once (ENABLE ALWAYS).';

CREATE TRIGGER purchase_91_refuse_delete BEFORE DELETE ON credit.purchase
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.purchase ENABLE ALWAYS TRIGGER purchase_91_refuse_delete;
COMMENT ON TRIGGER purchase_91_refuse_delete ON credit.purchase IS 'Purchases are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER purchase_92_refuse_truncate BEFORE TRUNCATE ON credit.purchase
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.purchase ENABLE ALWAYS TRIGGER purchase_92_refuse_truncate;
COMMENT ON TRIGGER purchase_92_refuse_truncate ON credit.purchase IS 'Purchases are never deleted (ENABLE ALWAYS).';

-- The lots of a purchase, and what each of them cost. While it is pending they are only planned: the lots do not exist.
CREATE TABLE credit.purchase_lot (
    lot        bigint NOT NULL,
    purchase   bigint NOT NULL,
    step       interval,
    line       smallint NOT NULL CHECK (line > 0),
    account    text COLLATE "C" NOT NULL,
    category   text COLLATE "C" NOT NULL CHECK (category IN ('paid', 'promotional')),
    granted    numeric NOT NULL CHECK (granted > 0 AND granted < 1e15),
    paid       numeric NOT NULL CHECK (paid >= 0 AND paid < 1e15),
    PRIMARY KEY (account, lot)
);
COMMENT ON TABLE credit.purchase_lot IS
    'The lots of purchases. Those of a pending purchase are planned: the ids are taken, the lots do not exist.';
COMMENT ON COLUMN credit.purchase_lot.lot IS 'The lot.';
COMMENT ON COLUMN credit.purchase_lot.purchase IS 'The purchase.';
COMMENT ON COLUMN credit.purchase_lot.step IS 'How long after the activation it takes effect; NULL for at once.';
COMMENT ON COLUMN credit.purchase_lot.line IS 'Its position in the purchase, from 1.';
COMMENT ON COLUMN credit.purchase_lot.account IS 'The account.';
COMMENT ON COLUMN credit.purchase_lot.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.purchase_lot.granted IS 'How many credits.';
COMMENT ON COLUMN credit.purchase_lot.paid IS 'Its part of what was paid: the parts add up to it.';
SELECT pg_catalog.pg_extension_config_dump('credit.purchase_lot', '');

CREATE UNIQUE INDEX purchase_lot_by_purchase ON credit.purchase_lot (account, purchase, line);
COMMENT ON INDEX credit.purchase_lot_by_purchase IS 'The lots of a purchase in their order.';

CREATE TRIGGER purchase_lot_90_refuse_update BEFORE UPDATE ON credit.purchase_lot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.purchase_lot ENABLE ALWAYS TRIGGER purchase_lot_90_refuse_update;
COMMENT ON TRIGGER purchase_lot_90_refuse_update ON credit.purchase_lot IS 'Lots of purchases never change (ENABLE ALWAYS).';

CREATE TRIGGER purchase_lot_91_refuse_delete BEFORE DELETE ON credit.purchase_lot
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.purchase_lot ENABLE ALWAYS TRIGGER purchase_lot_91_refuse_delete;
COMMENT ON TRIGGER purchase_lot_91_refuse_delete ON credit.purchase_lot IS 'Lots of purchases are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER purchase_lot_92_refuse_truncate BEFORE TRUNCATE ON credit.purchase_lot
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.purchase_lot ENABLE ALWAYS TRIGGER purchase_lot_92_refuse_truncate;
COMMENT ON TRIGGER purchase_lot_92_refuse_truncate ON credit.purchase_lot IS
    'Lots of purchases are never deleted (ENABLE ALWAYS).';

-- Subscriptions -------------------------------------------------------------------------------------------------------

CREATE SEQUENCE credit.subscription_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.subscription_id IS 'Ids of subscriptions.';
SELECT pg_catalog.pg_extension_config_dump('credit.subscription_id', '');

CREATE TABLE credit.subscription (
    subscription     bigint NOT NULL,
    origin           bigint NOT NULL,
    predecessor      bigint,
    effective_at     timestamptz NOT NULL,
    ended_at         timestamptz CHECK (ended_at >= effective_at),
    agreed_at        timestamptz NOT NULL,
    anchor           timestamptz NOT NULL,
    committed_until  timestamptz CHECK (committed_until > effective_at),
    recorded_at      timestamptz NOT NULL,
    agreement        bigint,
    tier_version     bigint,
    phase            integer NOT NULL DEFAULT 0,
    account          text COLLATE "C" NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    plan             text COLLATE "C" NOT NULL,
    tier             text COLLATE "C",
    billing_period   text COLLATE "C" NOT NULL CHECK (billing_period IN ('month', 'quarter', 'year')),
    quantity         numeric NOT NULL CHECK (quantity > 0 AND quantity < 1e15),
    price            numeric NOT NULL CHECK (price >= 0 AND price < 1e15),
    currency         text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    list_price       numeric NOT NULL CHECK (list_price >= 0),
    discount         numeric,
    unit_price       numeric,
    expiry           interval,
    recorded_by      text COLLATE "C" NOT NULL,
    override_reason  text COLLATE "C",
    end_reason       text COLLATE "C",
    metadata         jsonb,
    left_at          timestamptz CHECK (left_at > ended_at),
    PRIMARY KEY (account, subscription)
);
COMMENT ON TABLE credit.subscription IS
    'The plans that accounts are on, as versions in force in [effective_at, ended_at). An account has one at a time in each '
    'unit.';
COMMENT ON COLUMN credit.subscription.subscription IS 'The subscription''s id.';
COMMENT ON COLUMN credit.subscription.origin IS 'The first of the subscriptions that share their periods.';
COMMENT ON COLUMN credit.subscription.predecessor IS 'The one before; NULL for the first.';
COMMENT ON COLUMN credit.subscription.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.subscription.ended_at IS
    'Until when; NULL when it is open. What was announced and does not come ended when it was to begin.';
COMMENT ON COLUMN credit.subscription.agreed_at IS 'The instant as of which list price and tiers of the plan counted.';
COMMENT ON COLUMN credit.subscription.anchor IS 'What its periods are counted from, on the account''s calendar.';
COMMENT ON COLUMN credit.subscription.committed_until IS 'Until when the account is committed to it; NULL for no commitment.';
COMMENT ON COLUMN credit.subscription.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.subscription.agreement IS 'The agreement that counted.';
COMMENT ON COLUMN credit.subscription.tier_version IS
    'The version of the tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.subscription.phase IS 'How many months after the anchor a period begins.';
COMMENT ON COLUMN credit.subscription.account IS 'The account.';
COMMENT ON COLUMN credit.subscription.unit IS 'The unit of its credits.';
COMMENT ON COLUMN credit.subscription.plan IS 'The plan.';
COMMENT ON COLUMN credit.subscription.tier IS 'The tier that was reached.';
COMMENT ON COLUMN credit.subscription.billing_period IS 'How long a period is: month, quarter or year.';
COMMENT ON COLUMN credit.subscription.quantity IS 'How many credits a whole period grants.';
COMMENT ON COLUMN credit.subscription.price IS 'What a whole period costs, in the currency, with all its decimals.';
COMMENT ON COLUMN credit.subscription.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.subscription.list_price IS 'The list price of one credit.';
COMMENT ON COLUMN credit.subscription.discount IS 'The part of it that is taken off.';
COMMENT ON COLUMN credit.subscription.unit_price IS 'What one credit costs in the reached tier; NULL for bundles and steps.';
COMMENT ON COLUMN credit.subscription.expiry IS 'How long its lots live; NULL for ever.';
COMMENT ON COLUMN credit.subscription.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.subscription.override_reason IS 'Why it may be below the floor margin, or leave a commitment.';
COMMENT ON COLUMN credit.subscription.left_at IS
    'When it was cancelled, where its end had passed by then: its schedules went on until then.';
COMMENT ON COLUMN credit.subscription.end_reason IS 'Why it was cancelled before its commitment ended.';
COMMENT ON COLUMN credit.subscription.metadata IS 'Your own data. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.subscription', '');

CREATE UNIQUE INDEX subscription_current ON credit.subscription (account, unit) WHERE ended_at IS NULL;
COMMENT ON INDEX credit.subscription_current IS 'An account has one open subscription in a unit.';

CREATE INDEX subscription_by_unit ON credit.subscription (account, unit, effective_at);
COMMENT ON INDEX credit.subscription_by_unit IS 'The subscriptions of an account in their order.';

-- The end of a version may be set, with its reason, and moved as long as it has not come. Everything else of it stays.
CREATE TRIGGER subscription_90_refuse_update BEFORE UPDATE ON credit.subscription
    FOR EACH ROW WHEN (NEW.ended_at IS NULL OR OLD.ended_at <= credit.now() OR ROW(
        OLD.subscription, OLD.origin, OLD.predecessor, OLD.effective_at, OLD.agreed_at, OLD.anchor, OLD.committed_until,
        OLD.recorded_at, OLD.agreement, OLD.tier_version, OLD.phase, OLD.account, OLD.unit, OLD.plan, OLD.tier,
        OLD.billing_period, OLD.quantity, OLD.price, OLD.currency, OLD.list_price, OLD.discount, OLD.unit_price, OLD.expiry,
        OLD.recorded_by, OLD.override_reason, OLD.metadata)
        IS DISTINCT FROM ROW(
        NEW.subscription, NEW.origin, NEW.predecessor, NEW.effective_at, NEW.agreed_at, NEW.anchor, NEW.committed_until,
        NEW.recorded_at, NEW.agreement, NEW.tier_version, NEW.phase, NEW.account, NEW.unit, NEW.plan, NEW.tier,
        NEW.billing_period, NEW.quantity, NEW.price, NEW.currency, NEW.list_price, NEW.discount, NEW.unit_price, NEW.expiry,
        NEW.recorded_by, NEW.override_reason, NEW.metadata))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.subscription ENABLE ALWAYS TRIGGER subscription_90_refuse_update;
COMMENT ON TRIGGER subscription_90_refuse_update ON credit.subscription IS
    'Only the end of a version that has not come can be set (ENABLE ALWAYS).';

CREATE TRIGGER subscription_91_refuse_delete BEFORE DELETE ON credit.subscription
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.subscription ENABLE ALWAYS TRIGGER subscription_91_refuse_delete;
COMMENT ON TRIGGER subscription_91_refuse_delete ON credit.subscription IS 'Versions stay (ENABLE ALWAYS).';

CREATE TRIGGER subscription_92_refuse_truncate BEFORE TRUNCATE ON credit.subscription
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.subscription ENABLE ALWAYS TRIGGER subscription_92_refuse_truncate;
COMMENT ON TRIGGER subscription_92_refuse_truncate ON credit.subscription IS 'Versions stay (ENABLE ALWAYS).';

CREATE SEQUENCE credit.plan_change_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.plan_change_id IS 'Ids of changes of plans.';
SELECT pg_catalog.pg_extension_config_dump('credit.plan_change_id', '');

-- What each call of credit_change_plan() did: the row that it returned.
CREATE TABLE credit.plan_change (
    change           bigint NOT NULL,
    subscription     bigint NOT NULL,
    effective_at     timestamptz NOT NULL,
    period_end       timestamptz NOT NULL,
    committed_until  timestamptz,
    recorded_at      timestamptz NOT NULL,
    days_left        integer NOT NULL CHECK (days_left BETWEEN 0 AND days_in_period),
    days_in_period   integer NOT NULL CHECK (days_in_period > 0),
    lots_kept        bigint NOT NULL CHECK (lots_kept >= 0),
    account          text COLLATE "C" NOT NULL,
    from_plan        text COLLATE "C",
    to_plan          text COLLATE "C" NOT NULL,
    charge           numeric NOT NULL CHECK (charge >= 0),
    credit           numeric NOT NULL CHECK (credit >= 0),
    currency         text COLLATE "C" NOT NULL,
    granted          numeric NOT NULL CHECK (granted >= 0),
    returned         numeric NOT NULL CHECK (returned >= 0),
    renewals         bigint NOT NULL CHECK (renewals >= 0),
    renewed_granted  numeric NOT NULL CHECK (renewed_granted >= 0),
    renewed_charge   numeric NOT NULL CHECK (renewed_charge >= 0),
    renewed_currency text COLLATE "C",
    new_price        numeric NOT NULL CHECK (new_price >= 0),
    note             text COLLATE "C",
    recorded_by      text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, change),
    CHECK ((renewals = 0) = (renewed_currency IS NULL))
);
COMMENT ON TABLE credit.plan_change IS 'What each call of credit_change_plan() did, as it returned it.';
COMMENT ON COLUMN credit.plan_change.change IS 'The change''s id.';
COMMENT ON COLUMN credit.plan_change.subscription IS 'The subscription that it began.';
COMMENT ON COLUMN credit.plan_change.effective_at IS 'When it took effect, or will.';
COMMENT ON COLUMN credit.plan_change.period_end IS 'When the period ends in which it was made; of a new period, when that ends.';
COMMENT ON COLUMN credit.plan_change.committed_until IS 'Until when the account is committed then.';
COMMENT ON COLUMN credit.plan_change.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.plan_change.days_left IS 'The days of the period that were left, the day of the change included.';
COMMENT ON COLUMN credit.plan_change.days_in_period IS 'The days of the whole period.';
COMMENT ON COLUMN credit.plan_change.lots_kept IS 'How many lots from before still held credits: they stay as they are.';
COMMENT ON COLUMN credit.plan_change.account IS 'The account.';
COMMENT ON COLUMN credit.plan_change.from_plan IS 'The plan before; NULL for the first one.';
COMMENT ON COLUMN credit.plan_change.to_plan IS 'The plan from then on.';
COMMENT ON COLUMN credit.plan_change.charge IS 'Money to be charged, in the currency.';
COMMENT ON COLUMN credit.plan_change.credit IS 'Money to be paid back, in the currency.';
COMMENT ON COLUMN credit.plan_change.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.plan_change.granted IS 'How many credits it granted.';
COMMENT ON COLUMN credit.plan_change.returned IS 'How many unused credits it took back.';
COMMENT ON COLUMN credit.plan_change.renewals IS 'How many periods had begun and were bought first.';
COMMENT ON COLUMN credit.plan_change.renewed_granted IS 'How many credits these granted, besides granted.';
COMMENT ON COLUMN credit.plan_change.renewed_charge IS 'What they cost, besides charge.';
COMMENT ON COLUMN credit.plan_change.renewed_currency IS 'The currency of that; NULL when nothing was renewed.';
COMMENT ON COLUMN credit.plan_change.new_price IS 'What a whole period costs from then on.';
COMMENT ON COLUMN credit.plan_change.note IS 'What to know of it; NULL for nothing.';
COMMENT ON COLUMN credit.plan_change.recorded_by IS 'The login role of the session that recorded it.';
SELECT pg_catalog.pg_extension_config_dump('credit.plan_change', '');

CREATE TRIGGER plan_change_90_refuse_change BEFORE UPDATE OR DELETE ON credit.plan_change
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_change ENABLE ALWAYS TRIGGER plan_change_90_refuse_change;
COMMENT ON TRIGGER plan_change_90_refuse_change ON credit.plan_change IS 'What happened stays (ENABLE ALWAYS).';

CREATE TRIGGER plan_change_92_refuse_truncate BEFORE TRUNCATE ON credit.plan_change
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.plan_change ENABLE ALWAYS TRIGGER plan_change_92_refuse_truncate;
COMMENT ON TRIGGER plan_change_92_refuse_truncate ON credit.plan_change IS 'What happened stays (ENABLE ALWAYS).';

-- The purchases of a subscription: one for each period, and one for what a change within the period granted besides.
CREATE TABLE credit.subscription_purchase (
    purchase      bigint NOT NULL,
    subscription  bigint NOT NULL,
    origin        bigint NOT NULL,
    change        bigint,
    renewed_in    bigint,
    period_start  timestamptz NOT NULL,
    period_end    timestamptz NOT NULL CHECK (period_end > period_start),
    account       text COLLATE "C" NOT NULL,
    reason        text COLLATE "C" NOT NULL CHECK (reason IN ('period', 'change')),
    PRIMARY KEY (account, purchase)
);
COMMENT ON TABLE credit.subscription_purchase IS
    'The purchases of subscriptions: one for each period, and what changes within it granted besides.';
COMMENT ON COLUMN credit.subscription_purchase.purchase IS 'The purchase.';
COMMENT ON COLUMN credit.subscription_purchase.subscription IS 'The subscription.';
COMMENT ON COLUMN credit.subscription_purchase.origin IS 'The first of the subscriptions that share the period.';
COMMENT ON COLUMN credit.subscription_purchase.change IS 'The change that made it; NULL for a renewal.';
COMMENT ON COLUMN credit.subscription_purchase.renewed_in IS
    'The change that had the period renewed first; NULL for one that credit_renew() bought.';
COMMENT ON COLUMN credit.subscription_purchase.period_start IS 'When the period begins.';
COMMENT ON COLUMN credit.subscription_purchase.period_end IS 'When the period ends.';
COMMENT ON COLUMN credit.subscription_purchase.account IS 'The account.';
COMMENT ON COLUMN credit.subscription_purchase.reason IS 'period, the period itself; or change, what a change granted besides.';
SELECT pg_catalog.pg_extension_config_dump('credit.subscription_purchase', '');

-- A period is bought once.
CREATE UNIQUE INDEX subscription_purchase_of_period ON credit.subscription_purchase (account, origin, period_start)
    WHERE reason = 'period';
COMMENT ON INDEX credit.subscription_purchase_of_period IS 'A period is bought once.';

CREATE INDEX subscription_purchase_by_origin ON credit.subscription_purchase (account, origin, period_start);
COMMENT ON INDEX credit.subscription_purchase_by_origin IS 'What a period was granted.';

CREATE TRIGGER subscription_purchase_90_refuse_change BEFORE UPDATE OR DELETE ON credit.subscription_purchase
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.subscription_purchase ENABLE ALWAYS TRIGGER subscription_purchase_90_refuse_change;
COMMENT ON TRIGGER subscription_purchase_90_refuse_change ON credit.subscription_purchase IS
    'What was bought stays (ENABLE ALWAYS).';

CREATE TRIGGER subscription_purchase_92_refuse_truncate BEFORE TRUNCATE ON credit.subscription_purchase
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.subscription_purchase ENABLE ALWAYS TRIGGER subscription_purchase_92_refuse_truncate;
COMMENT ON TRIGGER subscription_purchase_92_refuse_truncate ON credit.subscription_purchase IS
    'What was bought stays (ENABLE ALWAYS).';

-- Credits of a period that a change took back unused, and the money for them.
CREATE TABLE credit.subscription_return (
    posting       bigint NOT NULL,
    lot           bigint NOT NULL,
    subscription  bigint NOT NULL,
    origin        bigint NOT NULL,
    change        bigint NOT NULL,
    period_start  timestamptz NOT NULL,
    account       text COLLATE "C" NOT NULL,
    returned      numeric NOT NULL CHECK (returned > 0),
    credit        numeric NOT NULL CHECK (credit >= 0),
    PRIMARY KEY (account, posting)
);
COMMENT ON TABLE credit.subscription_return IS 'Unused credits that a change took back from a lot, and the money for them.';
COMMENT ON COLUMN credit.subscription_return.posting IS 'The posting in the ledger.';
COMMENT ON COLUMN credit.subscription_return.lot IS 'The lot.';
COMMENT ON COLUMN credit.subscription_return.subscription IS 'The subscription that began.';
COMMENT ON COLUMN credit.subscription_return.origin IS 'The first of the subscriptions whose period granted them.';
COMMENT ON COLUMN credit.subscription_return.change IS 'The change.';
COMMENT ON COLUMN credit.subscription_return.period_start IS 'When the period began that had granted them.';
COMMENT ON COLUMN credit.subscription_return.account IS 'The account.';
COMMENT ON COLUMN credit.subscription_return.returned IS 'How many credits.';
COMMENT ON COLUMN credit.subscription_return.credit IS
    'What is paid back for them: their cost basis, rounded down to the currency.';
SELECT pg_catalog.pg_extension_config_dump('credit.subscription_return', '');

CREATE INDEX subscription_return_by_lot ON credit.subscription_return (account, lot);
COMMENT ON INDEX credit.subscription_return_by_lot IS 'What was returned of a lot.';

CREATE INDEX subscription_return_by_origin ON credit.subscription_return (account, origin, period_start);
COMMENT ON INDEX credit.subscription_return_by_origin IS 'What was returned in a period.';

CREATE TRIGGER subscription_return_90_refuse_change BEFORE UPDATE OR DELETE ON credit.subscription_return
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.subscription_return ENABLE ALWAYS TRIGGER subscription_return_90_refuse_change;
COMMENT ON TRIGGER subscription_return_90_refuse_change ON credit.subscription_return IS
    'What was paid back stays (ENABLE ALWAYS).';

CREATE TRIGGER subscription_return_92_refuse_truncate BEFORE TRUNCATE ON credit.subscription_return
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.subscription_return ENABLE ALWAYS TRIGGER subscription_return_92_refuse_truncate;
COMMENT ON TRIGGER subscription_return_92_refuse_truncate ON credit.subscription_return IS
    'What was paid back stays (ENABLE ALWAYS).';

-- Views ---------------------------------------------------------------------------------------------------------------

-- One row per purchase, and what is kept of it: less what was voided of its lots, or taken back and paid back by a change of
-- plan.
CREATE VIEW credit.purchases AS
SELECT b.account, b.purchase, b.plan, b.tier, b.agreement, b.status, b.recorded_at, b.settled_at, b.unit, b.quantity, b.paid,
    b.currency,
    CASE WHEN b.status = 'active' THEN b.quantity - COALESCE(gone.quantity, 0) ELSE 0 END AS kept_quantity,
    CASE WHEN b.status = 'active' THEN b.paid - COALESCE(round(gone.paid, scale(b.paid)), 0) ELSE 0 END AS kept_paid
FROM credit.purchase b
LEFT JOIN (
    -- A bonus comes last, and is not counted to the quantity. A lot that gained something is not worth more than it cost.
    SELECT g.account, l.purchase, sum(LEAST(g.amount, l.granted)) FILTER (WHERE NOT l.is_bonus) AS quantity,
        sum(LEAST(g.paid, l.paid)) AS paid
    FROM (
        SELECT account, lot, sum(amount) AS amount, sum(paid) AS paid
        FROM (SELECT account, origin AS lot, granted AS amount, paid FROM credit.voided
              UNION ALL SELECT account, lot, returned, credit FROM credit.subscription_return) AS x
        GROUP BY account, lot) AS g
    -- Looked up one by one: few purchases lose something.
    CROSS JOIN LATERAL (
        SELECT l.purchase, l.granted, l.paid, NOT EXISTS (SELECT FROM credit.purchase_lot n
            WHERE n.account = l.account AND n.purchase = l.purchase AND n.line > l.line) AND EXISTS (SELECT FROM credit.purchase o
            WHERE o.account = l.account AND o.purchase = l.purchase AND o.bonus IS NOT NULL) AS is_bonus
        FROM credit.purchase_lot l WHERE l.account = g.account AND l.lot = g.lot OFFSET 0) AS l
    GROUP BY g.account, l.purchase
) AS gone ON gone.account = b.account AND gone.purchase = b.purchase;
COMMENT ON VIEW credit.purchases IS
    'One row per purchase, and what is kept of it: less what was voided of its lots, or taken back and paid back by a change of '
    'plan.';
COMMENT ON COLUMN credit.purchases.account IS 'The account.';
COMMENT ON COLUMN credit.purchases.purchase IS 'The purchase.';
COMMENT ON COLUMN credit.purchases.plan IS 'The plan.';
COMMENT ON COLUMN credit.purchases.tier IS 'The tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.purchases.agreement IS 'The agreement that counted.';
COMMENT ON COLUMN credit.purchases.status IS 'pending, active or void.';
COMMENT ON COLUMN credit.purchases.recorded_at IS 'When it was ordered.';
COMMENT ON COLUMN credit.purchases.settled_at IS 'When it became active or void; NULL while it is pending.';
COMMENT ON COLUMN credit.purchases.unit IS 'The unit of its credits.';
COMMENT ON COLUMN credit.purchases.quantity IS 'How many credits were bought, without a bonus.';
COMMENT ON COLUMN credit.purchases.paid IS 'What they cost, in the currency.';
COMMENT ON COLUMN credit.purchases.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.purchases.kept_quantity IS 'How many of them count as bought; 0 of a purchase that is not active.';
COMMENT ON COLUMN credit.purchases.kept_paid IS 'What of the money counts as paid.';

-- One row per tier in force, and one for each that is not but was sold; what was sold by agreements with a price of their own is
-- a tier NULL.
CREATE VIEW credit.tier_economics AS
WITH sold AS (
    SELECT plan, tier, count(DISTINCT account) FILTER (WHERE kept_quantity > 0 OR kept_paid > 0) AS customers,
        sum(kept_quantity) AS quantity, sum(kept_paid) AS revenue
    FROM credit.purchases WHERE status = 'active' GROUP BY plan, tier
), known AS (
    SELECT v.plan, v.tier, v.from_quantity, v.discount, v.unit_price, v.negotiated, v.flat
    FROM credit.tier v CROSS JOIN (SELECT credit.now() AS now) AS clock
    WHERE v.effective_at <= clock.now AND (v.ended_at IS NULL OR v.ended_at > clock.now)
)
SELECT p.plan, t.tier, t.from_quantity, p.currency, price.list_price,
    trim_scale(round(1 - price.unit_price / NULLIF(price.list_price, 0), 6)) AS discount,
    trim_scale(price.unit_price) AS unit_price, cost.unit_cost,
    round(100 * (1 - cost.unit_cost / NULLIF(price.unit_price, 0)), 2) AS margin_percent, p.floor_margin,
    COALESCE(price.unit_price * (1 - p.floor_margin) < cost.unit_cost, false) AS below_floor,
    COALESCE(sold.customers, 0) AS customers, COALESCE(sold.quantity, 0) AS credits_sold, COALESCE(sold.revenue, 0) AS revenue
FROM credit.plan p
CROSS JOIN (SELECT credit.now() AS now) AS clock
JOIN (
    SELECT plan, tier, from_quantity, discount, unit_price, negotiated, flat FROM known
    UNION ALL
    SELECT s.plan, s.tier, NULL, NULL, NULL, true, NULL FROM sold s
    WHERE NOT EXISTS (SELECT FROM known k WHERE k.plan = s.plan AND k.tier = s.tier)
) AS t ON t.plan = p.plan
LEFT JOIN LATERAL (
    SELECT v.list_price, CASE
        WHEN t.negotiated THEN NULL
        WHEN p.model IN ('package', 'stairstep') AND t.from_quantity > 0 THEN
            COALESCE(t.unit_price, v.list_price * (1 - t.discount), 0) + COALESCE(t.flat, 0) / t.from_quantity
        ELSE COALESCE(t.unit_price, v.list_price * (1 - t.discount)) END AS unit_price
    FROM credit.plan_price v WHERE v.plan = p.plan AND v.effective_at <= clock.now ORDER BY v.effective_at DESC LIMIT 1
) AS price ON true
LEFT JOIN LATERAL (
    SELECT c.unit_cost FROM credit.plan_cost c WHERE c.plan = p.plan AND c.from_quantity <= t.from_quantity
        AND c.effective_at <= clock.now
    ORDER BY c.from_quantity DESC, c.effective_at DESC LIMIT 1
) AS cost ON true
LEFT JOIN sold ON sold.plan = p.plan AND sold.tier IS NOT DISTINCT FROM t.tier;
COMMENT ON VIEW credit.tier_economics IS
    'One row per tier in force: its price, cost and margin, and what was sold in it. A tier that is over has a row without a '
    'price as long as something was sold in it; sales at agreed prices have one without a tier.';
COMMENT ON COLUMN credit.tier_economics.plan IS 'The plan.';
COMMENT ON COLUMN credit.tier_economics.tier IS 'The tier; NULL for what was sold at agreed prices.';
COMMENT ON COLUMN credit.tier_economics.from_quantity IS 'From how many credits on.';
COMMENT ON COLUMN credit.tier_economics.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.tier_economics.list_price IS 'The list price of one credit now.';
COMMENT ON COLUMN credit.tier_economics.discount IS 'The part of it that is taken off.';
COMMENT ON COLUMN credit.tier_economics.unit_price IS 'What one credit costs; of a bundle or step at its own quantity.';
COMMENT ON COLUMN credit.tier_economics.unit_cost IS 'What one credit costs the provider at that quantity.';
COMMENT ON COLUMN credit.tier_economics.margin_percent IS 'What is left of the price, in percent.';
COMMENT ON COLUMN credit.tier_economics.floor_margin IS 'The plan''s least margin.';
COMMENT ON COLUMN credit.tier_economics.below_floor IS 'Whether the price is below it.';
COMMENT ON COLUMN credit.tier_economics.customers IS 'How many accounts bought in it and kept something of that.';
COMMENT ON COLUMN credit.tier_economics.credits_sold IS 'How many credits they bought, less what was voided or taken back.';
COMMENT ON COLUMN credit.tier_economics.revenue IS
    'What they paid, in the currency, less the price of what was voided and what was paid back.';

-- One row per year of a commitment that has begun: what was promised, what was bought, what is missing.
CREATE VIEW credit.commitments AS
SELECT a.account, a.agreement, a.plan, year.number AS year, year.starts_at, year.ends_at,
    a.committed_quantity[year.number] AS committed_quantity, a.committed_money[year.number] AS committed_money, p.currency,
    bought.quantity AS bought, bought.paid,
    GREATEST(a.committed_quantity[year.number] - bought.quantity, 0) AS missing_quantity,
    GREATEST(a.committed_money[year.number] - bought.paid, 0) AS missing_money
FROM credit.agreement a
JOIN credit.plan p ON p.plan = a.plan
JOIN credit.account o ON o.account = a.account
CROSS JOIN (SELECT credit.now() AS now) AS clock
CROSS JOIN LATERAL (
    SELECT number, credit.add_interval(a.effective_at, make_interval(years => number - 1), o.time_zone) AS starts_at,
        LEAST(credit.add_interval(a.effective_at, make_interval(years => number), o.time_zone), a.ended_at) AS ends_at
    FROM generate_series(1, cardinality(COALESCE(a.committed_quantity, a.committed_money))) AS number
) AS year
CROSS JOIN LATERAL (
    SELECT COALESCE(sum(b.kept_quantity), 0) AS quantity, COALESCE(sum(b.kept_paid), 0) AS paid
    FROM credit.purchases b WHERE b.account = a.account AND b.plan = a.plan AND b.status = 'active'
        AND b.settled_at >= year.starts_at AND b.settled_at < year.ends_at
) AS bought
WHERE year.starts_at <= clock.now AND year.starts_at < year.ends_at;
COMMENT ON VIEW credit.commitments IS
    'One row per year of a commitment that has begun: what was promised, what was bought, what is missing.';
COMMENT ON COLUMN credit.commitments.account IS 'The account.';
COMMENT ON COLUMN credit.commitments.agreement IS 'The agreement.';
COMMENT ON COLUMN credit.commitments.plan IS 'The plan.';
COMMENT ON COLUMN credit.commitments.year IS 'The year of the agreement, from 1.';
COMMENT ON COLUMN credit.commitments.starts_at IS 'When the year begins.';
COMMENT ON COLUMN credit.commitments.ends_at IS 'When it ends, or the agreement does.';
COMMENT ON COLUMN credit.commitments.committed_quantity IS 'How many credits it commits to buy.';
COMMENT ON COLUMN credit.commitments.committed_money IS 'How much it commits to pay.';
COMMENT ON COLUMN credit.commitments.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.commitments.bought IS
    'How many credits it bought in the year by the plan, from when they were paid, less what was voided or taken back.';
COMMENT ON COLUMN credit.commitments.paid IS 'What it paid for them, less the price of what was voided and what was paid back.';
COMMENT ON COLUMN credit.commitments.missing_quantity IS 'How many credits are missing.';
COMMENT ON COLUMN credit.commitments.missing_money IS 'How much money is missing.';

-- One row per part of a purchase: when it is due and how much. The parts as agreed add up to what was paid, the amounts to what
-- is kept of it: what was voided of a part's lot, or paid back for it, makes that part smaller. The reductions are rounded one
-- after the other, as credit.purchases rounds their sum.
CREATE VIEW credit.instalments AS
SELECT p.account, p.purchase, p.line, p.plan, p.tier, p.billing_period, p.status, p.due_at,
    CASE WHEN p.status = 'void' THEN 0 * p.agreed
        ELSE p.agreed - round(p.gone_up_to, scale(p.paid)) + round(p.gone_up_to - p.gone, scale(p.paid)) END AS amount,
    p.agreed, p.currency, p.granted, p.lot, p.is_due
FROM (
    SELECT b.account, b.purchase, COALESCE(l.line, 1::smallint) AS line, b.plan, b.tier, t.billing_period, b.status, b.paid,
        credit.add_interval(COALESCE(b.settled_at, b.recorded_at), COALESCE(l.step, interval '0'), a.time_zone) AS due_at,
        COALESCE(l.paid, b.paid) AS agreed, b.currency, COALESCE(l.granted, 0) AS granted, l.lot,
        b.status = 'active' AND credit.add_interval(b.settled_at, COALESCE(l.step, interval '0'),
            a.time_zone) <= credit.now() AS is_due,
        LEAST(COALESCE(g.paid, 0), l.paid) AS gone,
        sum(LEAST(COALESCE(g.paid, 0), l.paid)) OVER (PARTITION BY b.account, b.purchase ORDER BY l.line) AS gone_up_to
    FROM credit.purchase b
    JOIN credit.account a ON a.account = b.account
    LEFT JOIN credit.purchase_lot l ON l.account = b.account AND l.purchase = b.purchase
    LEFT JOIN credit.tier t ON t.version = b.tier_version
    LEFT JOIN (
        SELECT account, lot, sum(paid) AS paid
        FROM (SELECT account, origin AS lot, paid FROM credit.voided UNION ALL SELECT account, lot, credit
            FROM credit.subscription_return) AS x
        GROUP BY account, lot) AS g ON g.account = l.account AND g.lot = l.lot
) AS p;
COMMENT ON VIEW credit.instalments IS
    'One row per part of a purchase: how much is due when. The amounts add up to what is kept of what was paid '
    '(credit.purchases.kept_paid), while it is not pending.';
COMMENT ON COLUMN credit.instalments.account IS 'The account.';
COMMENT ON COLUMN credit.instalments.purchase IS 'The purchase.';
COMMENT ON COLUMN credit.instalments.line IS 'Its position in the purchase, from 1.';
COMMENT ON COLUMN credit.instalments.plan IS 'The plan.';
COMMENT ON COLUMN credit.instalments.tier IS 'The tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.instalments.billing_period IS 'How often the tier is billed: month, quarter or year.';
COMMENT ON COLUMN credit.instalments.status IS 'Of the purchase: pending, active or void.';
COMMENT ON COLUMN credit.instalments.due_at IS
    'When it is due, on the account''s calendar; of a pending purchase, if it were activated when it was made.';
COMMENT ON COLUMN credit.instalments.amount IS
    'How much, in the currency, with all its decimals: as agreed, less the price of what was voided of its lot and what was '
    'paid back for it; 0 of a void purchase.';
COMMENT ON COLUMN credit.instalments.agreed IS 'How much was agreed. These add up to what was paid.';
COMMENT ON COLUMN credit.instalments.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.instalments.granted IS 'The credits it is for, in the unit of the plan.';
COMMENT ON COLUMN credit.instalments.lot IS 'Their lot.';
COMMENT ON COLUMN credit.instalments.is_due IS 'Whether it is due by now.';

-- One row per subscription in force, and per change that is announced.
CREATE VIEW credit.subscriptions AS
SELECT s.account, s.unit, s.subscription, s.plan, s.tier, s.quantity, s.price, s.currency, s.billing_period, s.effective_at,
    s.ended_at,
    s.committed_until, s.effective_at > clock.now AS is_announced, bought.period_start, bought.period_end
FROM credit.subscription s
CROSS JOIN (SELECT credit.now() AS now) AS clock
LEFT JOIN LATERAL (
    SELECT p.period_start, p.period_end FROM credit.subscription_purchase p
    WHERE p.account = s.account AND p.origin = s.origin AND p.period_start <= clock.now AND p.period_end > clock.now
    ORDER BY p.period_start DESC LIMIT 1
) AS bought ON true
WHERE (s.ended_at IS NULL OR s.ended_at > clock.now) AND s.ended_at IS DISTINCT FROM s.effective_at;
COMMENT ON VIEW credit.subscriptions IS 'One row per subscription in force, and per change that is announced.';
COMMENT ON COLUMN credit.subscriptions.account IS 'The account.';
COMMENT ON COLUMN credit.subscriptions.unit IS 'The unit of its credits.';
COMMENT ON COLUMN credit.subscriptions.subscription IS 'The subscription.';
COMMENT ON COLUMN credit.subscriptions.plan IS 'The plan.';
COMMENT ON COLUMN credit.subscriptions.tier IS 'The tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.subscriptions.quantity IS 'How many credits a whole period grants.';
COMMENT ON COLUMN credit.subscriptions.price IS 'What a whole period costs, in the currency.';
COMMENT ON COLUMN credit.subscriptions.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.subscriptions.billing_period IS 'How long a period is: month, quarter or year.';
COMMENT ON COLUMN credit.subscriptions.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.subscriptions.ended_at IS 'Until when; NULL when it is open.';
COMMENT ON COLUMN credit.subscriptions.committed_until IS 'Until when the account is committed to it.';
COMMENT ON COLUMN credit.subscriptions.is_announced IS 'Whether it begins later.';
COMMENT ON COLUMN credit.subscriptions.period_start IS 'When the current period began, if it was bought.';
COMMENT ON COLUMN credit.subscriptions.period_end IS 'When it ends.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_plan(text, text, text, numeric, text, text, numeric, text, interval, text, text) IS
'Creates a plan, or changes what is given of it. unit: of its credits; currency: ISO 4217; list_price: money for one credit, '
'another one is another version from now on. model: volume, graduated, package or stairstep. reach: purchase, or cumulative '
'over the year of the account''s agreement. floor_margin: the least margin (0.3 is 30 %), and '
'below_floor what happens below it: refuse or flag. expiry: how long its lots live. rate_card: of accounts with an '
'agreement about the plan. Returns the plan.
Errors: 22023 malformed argument or unknown currency; P0002 unknown unit or rate card; 55000 another unit, currency or model '
'once it has tiers.';

COMMENT ON FUNCTION @extschema@.credit_tier(text, text, numeric, numeric, numeric, numeric, text, interval, interval, boolean,
    timestamptz, boolean, text, text) IS
'Makes a version of a tier from effective_at (now) on, in the place of the one before. from_quantity: from how many credits on '
'(the size of a bundle). discount off the list price (0.12), or unit_price; flat: money besides, or alone. negotiated: it has a '
'price by agreement only. billing_period, commitment: for your contracts. expiry: how long its lots live. withdraw: the tier '
'ends. override_reason: why it may be below the plan''s floor margin; it is recorded. Returns the version.
Errors: 22023 malformed argument, or tiers that leave a gap or overlap; P0002 unknown plan or tier; 55000 in the past, after a '
'version that is announced, or below the floor margin.';

COMMENT ON FUNCTION @extschema@.credit_plan_cost(text, numeric, numeric) IS
'Records what one credit costs the provider, in the plan''s currency, from from_quantity credits on (0), from now on. Returns '
'the plan.
Errors: 22023 malformed argument; P0002 unknown plan; 55000 when a cost from this instant on is known.';

COMMENT ON FUNCTION @extschema@.credit_standard_plan(text, text, text, numeric, numeric, numeric, numeric) IS
'Installs the standard structure as a plan by volume: starter at the list price and growth 12 % below it, billed by the month; '
'scale 25 % below it, billed by the year; enterprise by agreement only. growth_from, scale_from, enterprise_from: from how many '
'credits on. Every tier can be changed with credit_tier() afterwards. Returns the plan.
Errors: as credit_plan() and credit_tier().';

COMMENT ON FUNCTION @extschema@.credit_agreement(text, text, text, numeric, numeric, numeric[], numeric[], interval, text, text,
    timestamptz, timestamptz, text, text) IS
'Agrees with an account about a plan, from effective_at (now) until ended_at; it ends the agreement before. tier: all credits '
'at that tier''s price; or unit_price, or discount off the list price; without any of them the plan''s prices as they are now. '
'committed_quantity or committed_money: what it commits to buy or pay in each year. expiry, pooling, rate_card: its own; '
'pooling counts for the account while the agreement does, unless it is told otherwise meanwhile. override_reason: why it may be '
'below the plan''s floor margin; it is recorded. Returns the agreement.
Errors: 22023 malformed or contradictory argument; P0002 unknown plan, tier or rate card; 55000 in the past, before an '
'agreement that is announced, or below the floor margin.';

COMMENT ON FUNCTION @extschema@.credit_end_agreement(text, text, timestamptz) IS
'Ends what was agreed with an account about a plan, at ended_at (now), and what it said of the account''s pooling. Returns the '
'account.
Errors: 22023 malformed argument; P0002 no agreement; 55000 in the past, or when another agreement is announced.';

COMMENT ON FUNCTION @extschema@.credit_quote(text, numeric, text, numeric, text) IS
'What a quantity of credits costs by a plan, or how many credits a budget buys. With an account, by what was agreed with it: '
'agreement says by which. total is rounded once, to the currency. lines: each band or bundle, they add up to the total. '
'next_tier: how many more credits (next_quantity) reach it, what one of them costs (marginal_price) and the total then '
'(next_total). warning: where more credits cost less, or the margin is below the floor. margin_percent and that warning are for '
'roles that may read credit.plan_cost.
Errors: 22023 malformed argument, another currency than the plan''s, neither or both of quantity and budget; P0002 unknown '
'plan; 55000 a quantity that needs an agreement, or a price below the floor margin; 22003 a total out of range.';

COMMENT ON FUNCTION @extschema@.credit_purchase(text, text, numeric, numeric, text, boolean, numeric, boolean, boolean, integer,
    interval, boolean, text, interval, text, text, jsonb) IS
'Buys credits as credit_quote() says, and grants them as a lot; by_band: one for each band; instalments: so many, an '
'instalment_period apart (the billing period of the tier). prorate: only the part, of the quantity and its price, that is left '
'of the account''s billing period by days. pending: nothing is granted before credit_activate(); credit_void() gives it up. '
'bonus: credits on top, as a promotional lot, or with blend as a paid one that shares the cost basis; it counts to the costs. '
'member: whose lots. expiry: how long they live. override_reason: why it may be below the plan''s floor margin; it is recorded. '
'Under a key, a repetition buys nothing. Returns the first lot.
Errors: as credit_quote(); 22023 so few that nothing is left of their price when it is rounded; 23505 key reused; P0002 '
'unregistered and 55000 inactive member; to prorate, P0002 no subscription, and 55000 nothing left of its period.';

COMMENT ON FUNCTION @extschema@.credit_activate(text, bigint) IS
'Grants a purchase that is pending: its payment is confirmed. Its lots live from now on. Nothing when that was done before. '
'Returns the lot.
Errors: 22023 malformed argument; P0002 no such lot of a purchase; 55000 when the purchase was voided, or its member is '
'inactive.';

COMMENT ON FUNCTION @extschema@.credit_change_plan(text, text, numeric, timestamptz, boolean, text, timestamptz, text, text,
    jsonb) IS
'Puts an account on a plan with so many credits (quantity) for each billing period, or changes that; quantity stays as it was '
'unless given. What costs more for the same time takes effect at once: it grants and charges what the days that are left '
'entitle to, less what the period granted and charged already; its price also where it grants no more credits of its own. What '
'costs less takes effect when the period ends; with at => now() unused credits that the period does not entitle to any more are '
'taken back and credited at their cost basis, as far as the price of the days falls. Lots are kept. at: now, or the end of the '
'period. preview: nothing changes, and the row is what applying it at that instant gives. billing_period: month, quarter or '
'year; as the tier says, or as before. anchor: what periods are counted from, for the first subscription. override_reason: why '
'a commitment may be left, or a price be below the floor; it is recorded. Under a key, a repetition changes nothing and returns '
'the same row. charge and credit: money in currency; granted and returned: credits. Periods that had begun and were not bought '
'are bought first: renewals says how many, renewed_granted and renewed_charge (in renewed_currency) what they came to, besides '
'granted and charge.
Errors: as credit_quote(); 22023 no quantity for the first subscription; 55000 before a commitment ends, at another instant, '
'when nothing changes, or with periods to renew in two currencies; 23505 key reused; 40001 when a lot expired while it was '
'waited for.';

COMMENT ON FUNCTION @extschema@.credit_renew(text, timestamptz, text) IS
'Buys each period of an account''s subscriptions that has begun until at (now) and is not bought, in their order, usable from '
'when it began. A period whose credits would have expired is passed over. Two at once buy once. A row for each period: granted '
'in credits, paid in the currency.
Errors: 22023 malformed argument; P0002 unknown account; 55000 an instant in the future.';

COMMENT ON FUNCTION @extschema@.credit_cancel_plan(text, text, text) IS
'Ends the subscription of an account in a unit (its own) with the last period that was bought, and drops what is announced. It '
'buys nothing: where nobody renewed, that end has passed. override_reason: why a commitment may be left; it is recorded. '
'Returns when it ends.
Errors: 22023 malformed argument; P0002 unknown account, or no subscription; 55000 before its commitment ends.';

SET LOCAL search_path TO @extschema@, pg_temp;
