-- Rates, the credit-to-value mapping: what a unit is worth in money, how many credits an operation costs, how that changed, and
-- what is earned by it. Versions are half-open in time, [effective_at, ended_at), and never rewritten: a change ends one version
-- and begins another. What was published never changes, and sessions that remember it hear of changes.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Units and their value -----------------------------------------------------------------------------------------------

CREATE FUNCTION credit.unit_check() RETURNS trigger LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'unit_check_wrapper';
COMMENT ON FUNCTION credit.unit_check() IS 'Trigger: keeps the name and at least the decimals of a unit in use (55000).';

CREATE TABLE credit.unit (
    unit        text COLLATE "C" PRIMARY KEY CHECK (length(unit) BETWEEN 1 AND 255),
    decimals    smallint NOT NULL DEFAULT 6 CHECK (decimals BETWEEN 0 AND 9),
    rounding    text COLLATE "C" NOT NULL DEFAULT 'half_even' CHECK (rounding IN ('half_even', 'half_up', 'up', 'down')),
    currency    text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$'),
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE credit.unit IS
    'Pricing units: what amounts are counted in. The unit ''credit'' (6 decimals) is created on first use; others are created '
    'by credit_unit(). A unit in use can gain decimals; its rounding and currency stay, and it cannot be renamed or deleted '
    '(55000).';
COMMENT ON COLUMN credit.unit.unit IS 'The unit''s name, such as credit or usd. 1 to 255 characters.';
COMMENT ON COLUMN credit.unit.decimals IS
    'How many decimals an amount of this unit may have, 0 to 9. An amount with more is refused (22023), never rounded.';
COMMENT ON COLUMN credit.unit.rounding IS
    'How a computed price is rounded to the decimals: half_even, half_up, up or down. Amounts that a caller gives are never '
    'rounded.';
COMMENT ON COLUMN credit.unit.currency IS
    'The currency of the unit''s value in money, as three capital letters (ISO 4217). A unit with a currency and no row in '
    'credit.unit_value is money itself: one of it is one of the currency.';
COMMENT ON COLUMN credit.unit.created_at IS 'When the unit was created.';
SELECT pg_catalog.pg_extension_config_dump('credit.unit', '');

-- A unit's decimals are in amounts already posted.
CREATE TRIGGER unit_90_check BEFORE INSERT OR UPDATE OR DELETE ON credit.unit
    FOR EACH ROW EXECUTE FUNCTION credit.unit_check();
COMMENT ON TRIGGER unit_90_check ON credit.unit IS
    'A unit in use keeps its name, its rounding, its currency if it has one, and at least its decimals.';

CREATE TRIGGER unit_92_refuse_truncate BEFORE TRUNCATE ON credit.unit
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
COMMENT ON TRIGGER unit_92_refuse_truncate ON credit.unit IS 'Units are not truncated: lots name them.';

-- Debits remember units; they hear of a change when it commits. For each row, so that logical replication fires it too.
CREATE TRIGGER unit_95_announce AFTER UPDATE OR DELETE ON credit.unit
    FOR EACH ROW EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.unit ENABLE ALWAYS TRIGGER unit_95_announce;
COMMENT ON TRIGGER unit_95_announce ON credit.unit IS 'Tells the backends that remember units (ENABLE ALWAYS).';

-- What one credit of an abstract unit is worth, from `effective_at` until the next row of the unit. A unit with a currency and
-- without a row here is money: one of it is one of its currency.
CREATE TABLE credit.unit_value (
    effective_at     timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    fiat_per_credit  numeric NOT NULL CHECK (fiat_per_credit > 0 AND fiat_per_credit < 1e15),
    recorded_by      text COLLATE "C" NOT NULL,
    note             text COLLATE "C",
    PRIMARY KEY (unit, effective_at)
);
COMMENT ON TABLE credit.unit_value IS
    'What one credit of an abstract unit is worth in the unit''s currency, from when on: until the next row of the unit. '
    'Written by credit_unit(); never changed (42501).';
COMMENT ON COLUMN credit.unit_value.effective_at IS 'The first instant of this value.';
COMMENT ON COLUMN credit.unit_value.recorded_at IS 'When it was recorded, by the clock at the write.';
COMMENT ON COLUMN credit.unit_value.unit IS 'The unit.';
COMMENT ON COLUMN credit.unit_value.fiat_per_credit IS 'Money for one credit, in the unit''s currency. Above 0, below 10^15.';
COMMENT ON COLUMN credit.unit_value.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.unit_value.note IS 'Why, for people. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.unit_value', '');

CREATE TRIGGER unit_value_90_refuse_update BEFORE UPDATE ON credit.unit_value
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.unit_value ENABLE ALWAYS TRIGGER unit_value_90_refuse_update;
COMMENT ON TRIGGER unit_value_90_refuse_update ON credit.unit_value IS 'What a credit was worth never changes (ENABLE ALWAYS).';

CREATE TRIGGER unit_value_91_refuse_delete BEFORE DELETE ON credit.unit_value
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.unit_value ENABLE ALWAYS TRIGGER unit_value_91_refuse_delete;
COMMENT ON TRIGGER unit_value_91_refuse_delete ON credit.unit_value IS
    'What a credit was worth is never deleted (ENABLE ALWAYS).';

CREATE TRIGGER unit_value_92_refuse_truncate BEFORE TRUNCATE ON credit.unit_value
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.unit_value ENABLE ALWAYS TRIGGER unit_value_92_refuse_truncate;
COMMENT ON TRIGGER unit_value_92_refuse_truncate ON credit.unit_value IS
    'What a credit was worth is never deleted (ENABLE ALWAYS).';

-- Rate cards and rates ------------------------------------------------------------------------------------------------

CREATE TABLE credit.rate_card (
    card               text COLLATE "C" PRIMARY KEY CHECK (length(card) BETWEEN 1 AND 255),
    unit               text COLLATE "C" NOT NULL,
    is_default         boolean NOT NULL DEFAULT false,
    notice             interval NOT NULL DEFAULT '0',
    agreement          text COLLATE "C" CHECK (length(agreement) BETWEEN 1 AND 255),
    note               text COLLATE "C",
    created_at         timestamptz NOT NULL,
    published_at       timestamptz,
    notice_kept_until  timestamptz
);
COMMENT ON TABLE credit.rate_card IS
    'Rate cards: price lists in credits of one unit. Created and changed by credit_rate_card(); never renamed or deleted '
    '(42501).';
COMMENT ON COLUMN credit.rate_card.card IS 'The card''s name. 1 to 255 characters; compared by byte.';
COMMENT ON COLUMN credit.rate_card.unit IS
    'The unit its prices are in, and charges are debited in. It cannot change once rates are published (55000).';
COMMENT ON COLUMN credit.rate_card.is_default IS
    'Accounts of the unit that name no card are charged by this one. At most one for each unit.';
COMMENT ON COLUMN credit.rate_card.notice IS
    'How long before it takes effect a worse rate must be published while accounts use the card (else 55000).';
COMMENT ON COLUMN credit.rate_card.agreement IS
    'The reference of the contract behind a negotiated card; NULL for a list everybody gets.';
COMMENT ON COLUMN credit.rate_card.note IS 'For people. Not interpreted.';
COMMENT ON COLUMN credit.rate_card.created_at IS 'When the card was created.';
COMMENT ON COLUMN credit.rate_card.published_at IS 'When rates of it were last published; NULL when none were.';
COMMENT ON COLUMN credit.rate_card.notice_kept_until IS
    'A longer notice that was in effect while accounts used the card holds until then, although the card has a shorter one by '
    'now.';
SELECT pg_catalog.pg_extension_config_dump('credit.rate_card', '');

-- Accounts of a unit that name no card use the unit's default card.
CREATE UNIQUE INDEX rate_card_default ON credit.rate_card (unit) WHERE is_default;
COMMENT ON INDEX credit.rate_card_default IS 'At most one default card for each unit.';

CREATE TRIGGER rate_card_90_refuse_rename BEFORE UPDATE ON credit.rate_card
    FOR EACH ROW WHEN (OLD.card <> NEW.card) EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.rate_card ENABLE ALWAYS TRIGGER rate_card_90_refuse_rename;
COMMENT ON TRIGGER rate_card_90_refuse_rename ON credit.rate_card IS
    'Cards are never renamed: versions name them (ENABLE ALWAYS).';

CREATE TRIGGER rate_card_91_refuse_delete BEFORE DELETE ON credit.rate_card
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.rate_card ENABLE ALWAYS TRIGGER rate_card_91_refuse_delete;
COMMENT ON TRIGGER rate_card_91_refuse_delete ON credit.rate_card IS
    'Cards are never deleted: versions name them (ENABLE ALWAYS).';

CREATE TRIGGER rate_card_92_refuse_truncate BEFORE TRUNCATE ON credit.rate_card
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.rate_card ENABLE ALWAYS TRIGGER rate_card_92_refuse_truncate;
COMMENT ON TRIGGER rate_card_92_refuse_truncate ON credit.rate_card IS
    'Cards are never deleted: versions name them (ENABLE ALWAYS).';

-- Charges remember cards; they hear of a change when it commits.
CREATE TRIGGER rate_card_95_announce AFTER INSERT OR UPDATE ON credit.rate_card
    FOR EACH STATEMENT EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.rate_card ENABLE ALWAYS TRIGGER rate_card_95_announce;
COMMENT ON TRIGGER rate_card_95_announce ON credit.rate_card IS 'Tells the backends that remember cards (ENABLE ALWAYS).';

CREATE SEQUENCE credit.rate_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.rate_id IS
    'Ids of rates, drafts and versions alike. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps '
    'are normal.';
SELECT pg_catalog.pg_extension_config_dump('credit.rate_id', '');

-- Published rates. A hash stands for (card, operation, dimensions) in the constraint, so that no other extension is needed
-- to say that the versions of one rate do not overlap.
CREATE TABLE credit.rate (
    rate             bigint PRIMARY KEY,
    effective_at     timestamptz NOT NULL,
    ended_at         timestamptz,
    published_at     timestamptz NOT NULL,
    block            boolean NOT NULL DEFAULT false,
    card             text COLLATE "C" NOT NULL,
    operation        text COLLATE "C" NOT NULL CHECK (length(operation) BETWEEN 1 AND 255),
    dimensions       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(dimensions) = 'object'),
    credits          numeric NOT NULL CHECK (credits >= 0 AND credits < 1e15),
    per              numeric NOT NULL DEFAULT 1 CHECK (per > 0 AND per < 1e15),
    minimum          numeric CHECK (minimum > 0 AND minimum < 1e15),
    tier_from        numeric[],
    tier_credits     numeric[],
    tier_scope       text COLLATE "C" CHECK (tier_scope IN ('call', 'day', 'month', 'quarter', 'year')),
    unit_cost        numeric CHECK (unit_cost >= 0 AND unit_cost < 1e15),
    published_by     text COLLATE "C" NOT NULL,
    override_reason  text COLLATE "C",
    note             text COLLATE "C",
    CHECK (ended_at >= effective_at),
    CHECK ((tier_from IS NULL) = (tier_scope IS NULL) AND (tier_from IS NULL) = (tier_credits IS NULL)),
    CHECK (cardinality(tier_from) > 0 AND cardinality(tier_from) = cardinality(tier_credits)),
    CONSTRAINT rate_versions_do_not_overlap EXCLUDE USING gist
        (int8range(hashtextextended(card || E'\x01' || operation || E'\x01' || dimensions::text, 0),
             hashtextextended(card || E'\x01' || operation || E'\x01' || dimensions::text, 0), '[]') WITH &&,
         tstzrange(effective_at, ended_at) WITH &&)
);
COMMENT ON TABLE credit.rate IS
    'Published rates, as versions that never change: what an operation costs within [effective_at, ended_at). Written by '
    'credit_publish(). The versions of one card, operation and dimensions never overlap (23P01).';
COMMENT ON COLUMN credit.rate.rate IS 'The version''s id: that of the draft it was. Entries of charges name it.';
COMMENT ON COLUMN credit.rate.effective_at IS 'The first instant whose usage this version prices.';
COMMENT ON COLUMN credit.rate.ended_at IS
    'The first instant whose usage it does not price any more; NULL while no end is known. Equal to effective_at for an '
    'announced version that another one superseded: it was never in force.';
COMMENT ON COLUMN credit.rate.published_at IS 'When it was published, by the clock at the write.';
COMMENT ON COLUMN credit.rate.block IS 'Every started per of a call costs as much as a whole one.';
COMMENT ON COLUMN credit.rate.card IS 'The card it is on.';
COMMENT ON COLUMN credit.rate.operation IS 'The operation it prices.';
COMMENT ON COLUMN credit.rate.dimensions IS
    'It prices usage that has all of these; of several rates the one with the most. A flat JSON object of texts.';
COMMENT ON COLUMN credit.rate.credits IS 'Credits, in the card''s unit, for each per of the quantity (of its first band).';
COMMENT ON COLUMN credit.rate.per IS 'The quantity that credits are for.';
COMMENT ON COLUMN credit.rate.minimum IS 'The least that a quantity above zero costs, in the card''s unit; NULL for none.';
COMMENT ON COLUMN credit.rate.tier_from IS 'Where the second and later bands of the quantity begin; NULL for one band.';
COMMENT ON COLUMN credit.rate.tier_credits IS 'Credits for each per in these bands.';
COMMENT ON COLUMN credit.rate.tier_scope IS
    'What the bands are counted over: a call, or what the account used in a day, month, quarter or year of its time zone.';
COMMENT ON COLUMN credit.rate.unit_cost IS
    'What one of the quantity costs the provider, in the currency of the card''s unit; NULL when unknown.';
COMMENT ON COLUMN credit.rate.published_by IS 'The login role of the session that published it.';
COMMENT ON COLUMN credit.rate.override_reason IS 'Why it got worse without the card''s notice; NULL when the notice was kept.';
COMMENT ON COLUMN credit.rate.note IS 'For people. Not interpreted.';
COMMENT ON INDEX credit.rate_versions_do_not_overlap IS
    'The versions of one card, operation and dimensions never overlap in time.';
COMMENT ON CONSTRAINT rate_versions_do_not_overlap ON credit.rate IS
    'The versions of one card, operation and dimensions never overlap in time.';
SELECT pg_catalog.pg_extension_config_dump('credit.rate', '');

CREATE INDEX rate_by_operation ON credit.rate (card, operation, effective_at);
COMMENT ON INDEX credit.rate_by_operation IS 'The versions of an operation, for pricing.';

-- The end of a version may be set, and moved to an earlier one that is still to come. (What was to come when the transaction
-- began may be past by now.)
CREATE TRIGGER rate_90_refuse_update BEFORE UPDATE ON credit.rate
    FOR EACH ROW WHEN (NEW.ended_at IS NULL OR NEW.ended_at > OLD.ended_at OR OLD.ended_at <= credit.now()
        OR NEW.ended_at < LEAST(pg_catalog.now(), credit.now()) OR ROW(
        OLD.rate, OLD.effective_at, OLD.published_at, OLD.block, OLD.card, OLD.operation, OLD.dimensions, OLD.credits, OLD.per,
        OLD.minimum, OLD.tier_from, OLD.tier_credits, OLD.tier_scope, OLD.unit_cost, OLD.published_by, OLD.override_reason,
        OLD.note)
        IS DISTINCT FROM ROW(
        NEW.rate, NEW.effective_at, NEW.published_at, NEW.block, NEW.card, NEW.operation, NEW.dimensions, NEW.credits, NEW.per,
        NEW.minimum, NEW.tier_from, NEW.tier_credits, NEW.tier_scope, NEW.unit_cost, NEW.published_by, NEW.override_reason,
        NEW.note))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.rate ENABLE ALWAYS TRIGGER rate_90_refuse_update;
COMMENT ON TRIGGER rate_90_refuse_update ON credit.rate IS
    'Versions never change, but for their end, until it has come (ENABLE ALWAYS).';

CREATE TRIGGER rate_91_refuse_delete BEFORE DELETE ON credit.rate
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.rate ENABLE ALWAYS TRIGGER rate_91_refuse_delete;
COMMENT ON TRIGGER rate_91_refuse_delete ON credit.rate IS 'Versions are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER rate_92_refuse_truncate BEFORE TRUNCATE ON credit.rate
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.rate ENABLE ALWAYS TRIGGER rate_92_refuse_truncate;
COMMENT ON TRIGGER rate_92_refuse_truncate ON credit.rate IS 'Versions are never deleted (ENABLE ALWAYS).';

-- Charges remember rates; they hear of a change when it commits.
CREATE TRIGGER rate_95_announce AFTER INSERT OR UPDATE ON credit.rate
    FOR EACH STATEMENT EXECUTE FUNCTION credit.announce_change();
ALTER TABLE credit.rate ENABLE ALWAYS TRIGGER rate_95_announce;
COMMENT ON TRIGGER rate_95_announce ON credit.rate IS 'Tells the backends that remember rates (ENABLE ALWAYS).';

-- Rates that are prepared. Publishing turns them into versions, under the same ids.
CREATE TABLE credit.rate_draft (
    rate          bigint NOT NULL,
    effective_at  timestamptz,
    created_at    timestamptz NOT NULL,
    withdrawn     boolean NOT NULL DEFAULT false,
    block         boolean NOT NULL DEFAULT false,
    card          text COLLATE "C" NOT NULL,
    operation     text COLLATE "C" NOT NULL CHECK (length(operation) BETWEEN 1 AND 255),
    dimensions    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(dimensions) = 'object'),
    credits       numeric CHECK (credits >= 0 AND credits < 1e15),
    per           numeric NOT NULL DEFAULT 1 CHECK (per > 0 AND per < 1e15),
    minimum       numeric CHECK (minimum > 0 AND minimum < 1e15),
    tier_from     numeric[],
    tier_credits  numeric[],
    tier_scope    text COLLATE "C" CHECK (tier_scope IN ('call', 'day', 'month', 'quarter', 'year')),
    unit_cost     numeric CHECK (unit_cost >= 0 AND unit_cost < 1e15),
    created_by    text COLLATE "C" NOT NULL,
    note          text COLLATE "C",
    PRIMARY KEY (card, operation, dimensions),
    CHECK (withdrawn = (credits IS NULL)),
    CHECK ((tier_from IS NULL) = (tier_scope IS NULL) AND (tier_from IS NULL) = (tier_credits IS NULL)),
    CHECK (cardinality(tier_from) > 0 AND cardinality(tier_from) = cardinality(tier_credits))
);
COMMENT ON TABLE credit.rate_draft IS
    'Rates that are prepared with credit_rate(), at most one for each card, operation and dimensions. credit_publish() turns '
    'them into versions.';
COMMENT ON COLUMN credit.rate_draft.rate IS 'The id the version will have.';
COMMENT ON COLUMN credit.rate_draft.effective_at IS 'When it shall take effect; NULL leaves that to credit_publish().';
COMMENT ON COLUMN credit.rate_draft.created_at IS 'When it was prepared.';
COMMENT ON COLUMN credit.rate_draft.withdrawn IS 'Publishing ends the rate instead of beginning a new version.';
COMMENT ON COLUMN credit.rate_draft.block IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.card IS 'The card.';
COMMENT ON COLUMN credit.rate_draft.operation IS 'The operation.';
COMMENT ON COLUMN credit.rate_draft.dimensions IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.credits IS 'As in credit.rate; NULL when the rate is withdrawn.';
COMMENT ON COLUMN credit.rate_draft.per IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.minimum IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.tier_from IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.tier_credits IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.tier_scope IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.unit_cost IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.created_by IS 'The login role of the session that prepared it.';
COMMENT ON COLUMN credit.rate_draft.note IS 'For people. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.rate_draft', '');

-- Views ---------------------------------------------------------------------------------------------------------------

-- One row per unit, with what one of it is worth in money now. A unit with a currency and no value in credit.unit_value is money.
CREATE VIEW credit.units AS
SELECT u.unit, u.decimals, u.rounding, u.currency,
    CASE WHEN u.currency IS NOT NULL AND first.effective_at IS NULL THEN 'money' ELSE 'abstract' END AS kind,
    CASE WHEN u.currency IS NOT NULL AND first.effective_at IS NULL THEN 1
        ELSE trim_scale(present.fiat_per_credit) END AS fiat_per_credit,
    present.effective_at AS since, trim_scale(next.fiat_per_credit) AS next_fiat_per_credit, next.effective_at AS next_at
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.unit u
    LEFT JOIN LATERAL (SELECT v.effective_at FROM credit.unit_value v WHERE v.unit = u.unit
        ORDER BY v.effective_at LIMIT 1) AS first ON true
    LEFT JOIN LATERAL (SELECT v.effective_at, v.fiat_per_credit FROM credit.unit_value v
        WHERE v.unit = u.unit AND v.effective_at <= clock.now ORDER BY v.effective_at DESC LIMIT 1) AS present ON true
    LEFT JOIN LATERAL (SELECT v.effective_at, v.fiat_per_credit FROM credit.unit_value v
        WHERE v.unit = u.unit AND v.effective_at > clock.now ORDER BY v.effective_at LIMIT 1) AS next ON true;
COMMENT ON VIEW credit.units IS 'One row per unit, with what one of it is worth in money now.';
COMMENT ON COLUMN credit.units.unit IS 'The unit.';
COMMENT ON COLUMN credit.units.decimals IS 'The decimals that amounts of it may have.';
COMMENT ON COLUMN credit.units.rounding IS 'How computed prices in it are rounded, once: half_even, half_up, up or down.';
COMMENT ON COLUMN credit.units.currency IS 'The currency of its value (ISO 4217); NULL when it has none.';
COMMENT ON COLUMN credit.units.kind IS 'money: one of it is one of the currency. abstract: what it buys is said by rate cards.';
COMMENT ON COLUMN credit.units.fiat_per_credit IS 'Money per credit now, in currency; NULL when no value is in force.';
COMMENT ON COLUMN credit.units.since IS 'Since when this value is in force; NULL for money.';
COMMENT ON COLUMN credit.units.next_fiat_per_credit IS 'The next announced value; NULL when none is.';
COMMENT ON COLUMN credit.units.next_at IS 'When it comes into force.';

-- The rates in force now, in both directions, and the next change that is announced. No costs: this is for customers.
CREATE VIEW credit.conversion_table AS
SELECT r.card, c.unit, r.operation, r.dimensions, trim_scale(r.credits) AS credits, trim_scale(r.per) AS per, r.block,
    trim_scale(r.minimum) AS minimum, tiers.text AS tiers, r.tier_scope,
    trim_scale(r.credits / r.per) AS credits_per_unit, trim_scale(r.per / NULLIF(r.credits, 0)) AS units_per_credit,
    trim_scale(r.credits * u.fiat_per_credit / r.per) AS fiat_per_unit, u.currency, r.effective_at AS since,
    trim_scale(next.credits) AS next_credits, trim_scale(next.per) AS next_per,
    COALESCE(next.effective_at, r.ended_at) AS next_at, r.rate
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.rate r
    JOIN credit.rate_card c ON c.card = r.card
    LEFT JOIN credit.units u ON u.unit = c.unit
    LEFT JOIN LATERAL (SELECT string_agg('from ' || trim_scale(t.above) || ': ' || trim_scale(t.credits), ', '
        ORDER BY t.above) AS text
        FROM unnest(r.tier_from, r.tier_credits) AS t (above, credits)) AS tiers ON true
    LEFT JOIN LATERAL (SELECT n.effective_at, n.credits, n.per FROM credit.rate n
        WHERE n.card = r.card AND n.operation = r.operation AND n.dimensions = r.dimensions AND n.effective_at > clock.now
            AND n.ended_at IS DISTINCT FROM n.effective_at ORDER BY n.effective_at LIMIT 1) AS next ON true
WHERE r.effective_at <= clock.now AND (r.ended_at IS NULL OR r.ended_at > clock.now);
COMMENT ON VIEW credit.conversion_table IS
    'The published table: one row per rate in force now, in both directions, with the next announced change. It shows no costs. '
    'Filter on card.';
COMMENT ON COLUMN credit.conversion_table.card IS 'The rate card.';
COMMENT ON COLUMN credit.conversion_table.unit IS 'The unit that the card charges in.';
COMMENT ON COLUMN credit.conversion_table.operation IS 'What is charged for.';
COMMENT ON COLUMN credit.conversion_table.dimensions IS 'The dimensions that usage must have for this rate; {} for any.';
COMMENT ON COLUMN credit.conversion_table.credits IS 'Credits per `per` units of quantity; with tiers, in the first band.';
COMMENT ON COLUMN credit.conversion_table.per IS 'The quantity that `credits` buy.';
COMMENT ON COLUMN credit.conversion_table.block IS 'Whether each started `per` is charged wholly.';
COMMENT ON COLUMN credit.conversion_table.minimum IS 'What a call costs at least, in credits; NULL for no minimum.';
COMMENT ON COLUMN credit.conversion_table.tiers IS 'The further bands: from which quantity, how many credits per `per`.';
COMMENT ON COLUMN credit.conversion_table.tier_scope IS
    'Within what the bands count: a call, or an account''s day, month, quarter or year.';
COMMENT ON COLUMN credit.conversion_table.credits_per_unit IS 'Credits for one unit of quantity; with tiers, in the first band.';
COMMENT ON COLUMN credit.conversion_table.units_per_credit IS 'The quantity that one credit buys; NULL when it is free.';
COMMENT ON COLUMN credit.conversion_table.fiat_per_unit IS
    'Money for one unit of quantity, in currency; NULL when the unit has no value now.';
COMMENT ON COLUMN credit.conversion_table.currency IS 'The currency of fiat_per_unit (ISO 4217).';
COMMENT ON COLUMN credit.conversion_table.since IS 'Since when the rate is in force.';
COMMENT ON COLUMN credit.conversion_table.next_credits IS
    'The credits of the next announced version; NULL when none is announced.';
COMMENT ON COLUMN credit.conversion_table.next_per IS 'The quantity that next_credits buy.';
COMMENT ON COLUMN credit.conversion_table.next_at IS
    'When the rate changes, or ends when next_credits is NULL; NULL for neither.';
COMMENT ON COLUMN credit.conversion_table.rate IS 'The version''s id, as ledger lines name it.';

-- Every version there ever was, with what it changed. A version that was superseded before it began was never in force.
CREATE VIEW credit.rate_history AS
SELECT r.card, r.operation, r.dimensions,
    row_number() OVER (PARTITION BY r.card, r.operation, r.dimensions ORDER BY r.effective_at, r.rate) AS version, r.rate,
    CASE WHEN r.ended_at = r.effective_at THEN 'superseded'
         WHEN r.effective_at > clock.now THEN 'announced'
         WHEN r.ended_at <= clock.now THEN 'past'
         ELSE 'current' END AS status,
    trim_scale(r.credits) AS credits, trim_scale(r.per) AS per, r.block, trim_scale(r.minimum) AS minimum, tiers.text AS tiers,
    r.tier_scope, r.effective_at, r.ended_at, previous.rate AS previous, trim_scale(previous.credits) AS previous_credits,
    trim_scale(previous.per) AS previous_per,
    trim_scale(round(100 * (r.credits * previous.per - previous.credits * r.per) / NULLIF(previous.credits * r.per, 0),
        4)) AS change_percent,
    r.published_at, r.published_by, r.override_reason, r.note
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.rate r
    LEFT JOIN LATERAL (SELECT string_agg('from ' || trim_scale(t.above) || ': ' || trim_scale(t.credits), ', '
        ORDER BY t.above) AS text
        FROM unnest(r.tier_from, r.tier_credits) AS t (above, credits)) AS tiers ON true
    LEFT JOIN LATERAL (SELECT p.rate, p.credits, p.per FROM credit.rate p
        WHERE p.card = r.card AND p.operation = r.operation AND p.dimensions = r.dimensions AND p.effective_at < r.effective_at
            AND r.ended_at IS DISTINCT FROM r.effective_at AND p.ended_at IS DISTINCT FROM p.effective_at
                ORDER BY p.effective_at DESC LIMIT 1) AS previous ON true;
COMMENT ON VIEW credit.rate_history IS 'One row per version of a rate, with the change it brought. Filter on card.';
COMMENT ON COLUMN credit.rate_history.card IS 'The rate card.';
COMMENT ON COLUMN credit.rate_history.operation IS 'What is charged for.';
COMMENT ON COLUMN credit.rate_history.dimensions IS 'The dimensions that usage must have for this rate; {} for any.';
COMMENT ON COLUMN credit.rate_history.version IS
    'The version''s number among those of its card, operation and dimensions, from 1.';
COMMENT ON COLUMN credit.rate_history.rate IS 'The version''s id, as ledger lines name it.';
COMMENT ON COLUMN credit.rate_history.status IS 'past, current, announced, or superseded: it ended before it began.';
COMMENT ON COLUMN credit.rate_history.credits IS 'Credits per `per` units of quantity; with tiers, in the first band.';
COMMENT ON COLUMN credit.rate_history.per IS 'The quantity that `credits` buy.';
COMMENT ON COLUMN credit.rate_history.block IS 'Whether each started `per` is charged wholly.';
COMMENT ON COLUMN credit.rate_history.minimum IS 'What a call costs at least, in credits; NULL for no minimum.';
COMMENT ON COLUMN credit.rate_history.tiers IS 'The further bands: from which quantity, how many credits per `per`.';
COMMENT ON COLUMN credit.rate_history.tier_scope IS
    'Within what the bands count: a call, or an account''s day, month, quarter or year.';
COMMENT ON COLUMN credit.rate_history.effective_at IS 'The first instant at which the version prices.';
COMMENT ON COLUMN credit.rate_history.ended_at IS 'The first instant at which it does not price any more; NULL for no end.';
COMMENT ON COLUMN credit.rate_history.previous IS 'The version in force before; NULL for the first.';
COMMENT ON COLUMN credit.rate_history.previous_credits IS 'The credits of the previous version.';
COMMENT ON COLUMN credit.rate_history.previous_per IS 'The quantity that previous_credits buy.';
COMMENT ON COLUMN credit.rate_history.change_percent IS
    'How much dearer (positive) or cheaper a unit of quantity became, in percent, rounded to 4 decimals; with tiers, in the '
    'first band. NULL without a previous price above zero.';
COMMENT ON COLUMN credit.rate_history.published_at IS 'When the version was published.';
COMMENT ON COLUMN credit.rate_history.published_by IS 'The login role of the session that published it.';
COMMENT ON COLUMN credit.rate_history.override_reason IS
    'Why it was published sooner than the card''s notice; NULL where the notice was kept.';
COMMENT ON COLUMN credit.rate_history.note IS 'Anything said about the version.';

-- What is earned by each rate in force now, for a unit of quantity, before any lot's discount.
CREATE VIEW credit.margin AS
SELECT r.card, r.operation, r.dimensions, r.rate, u.currency, trim_scale(price.first) AS price,
    trim_scale(price.lowest) AS lowest_price,
    trim_scale(r.unit_cost) AS cost, trim_scale(price.first - r.unit_cost) AS margin,
    trim_scale(round(100 * (price.first - r.unit_cost) / NULLIF(price.first, 0), 4)) AS margin_percent,
    trim_scale(round(100 * (price.lowest - r.unit_cost) / NULLIF(price.lowest, 0), 4)) AS lowest_margin_percent
FROM (SELECT credit.now() AS now) AS clock CROSS JOIN credit.rate r
    JOIN credit.rate_card c ON c.card = r.card
    LEFT JOIN credit.units u ON u.unit = c.unit,
    LATERAL (SELECT r.credits * u.fiat_per_credit / r.per AS first,
        LEAST(r.credits, (SELECT min(t.credits)
            FROM unnest(r.tier_credits) AS t (credits))) * u.fiat_per_credit / r.per AS lowest) AS price
WHERE r.effective_at <= clock.now AND (r.ended_at IS NULL OR r.ended_at > clock.now);
COMMENT ON VIEW credit.margin IS
    'One row per rate in force now: its price in money, the provider''s cost, and what is between them, for a unit of quantity.';
COMMENT ON COLUMN credit.margin.card IS 'The rate card.';
COMMENT ON COLUMN credit.margin.operation IS 'What is charged for.';
COMMENT ON COLUMN credit.margin.dimensions IS 'The dimensions that usage must have for this rate; {} for any.';
COMMENT ON COLUMN credit.margin.rate IS 'The version''s id.';
COMMENT ON COLUMN credit.margin.currency IS 'The currency of prices and costs (ISO 4217): that of the card''s unit.';
COMMENT ON COLUMN credit.margin.price IS
    'Money for a unit of quantity, at the value of the card''s unit; with tiers, in the first band.';
COMMENT ON COLUMN credit.margin.lowest_price IS 'The same in the cheapest band.';
COMMENT ON COLUMN credit.margin.cost IS 'The provider''s price of a unit of quantity; NULL when unknown.';
COMMENT ON COLUMN credit.margin.margin IS 'price - cost.';
COMMENT ON COLUMN credit.margin.margin_percent IS 'The margin in percent of the price, rounded to 4 decimals.';
COMMENT ON COLUMN credit.margin.lowest_margin_percent IS 'The same in the cheapest band.';

-- The revenue of usage that rates priced: from the ledger, so at the price each lot was paid for. Credits that were given back
-- are no revenue, and a quantity that was given back cost nothing.
CREATE VIEW credit.margin_by_account AS
SELECT e.account, r.card, e.operation, u.currency, trim_scale(sum(usage.quantity)) AS quantity,
    trim_scale(sum(- e.amount)) AS credits,
    trim_scale(sum(- e.amount * worth.fiat_per_credit)) AS list_value,
    COALESCE(trim_scale(round(sum(usage.value) FILTER (WHERE l.currency = u.currency), 9)), 0) AS revenue,
    COALESCE(trim_scale(sum(- e.amount) FILTER (WHERE l.currency IS DISTINCT FROM u.currency)), 0) AS credits_without_price,
    trim_scale(sum(usage.quantity * r.unit_cost)) AS cost,
    COALESCE(trim_scale(sum(usage.quantity) FILTER (WHERE r.unit_cost IS NULL)), 0) AS quantity_without_cost,
    trim_scale(COALESCE(round(sum(usage.value) FILTER (WHERE l.currency = u.currency), 9),
        0) - sum(usage.quantity * r.unit_cost)) AS margin,
    trim_scale(round(100 * (1 - sum(usage.quantity * r.unit_cost)
        / NULLIF(round(sum(usage.value) FILTER (WHERE l.currency = u.currency), 9), 0)), 4)) AS margin_percent
FROM credit.entry e
    JOIN credit.rate r ON r.rate = e.rate
    JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
    JOIN credit.units u ON u.unit = l.unit
    LEFT JOIN credit.lot_gain g ON g.account = e.account AND g.lot = e.lot
    -- What a correction gives back counts at the value of its debit.
    LEFT JOIN LATERAL (SELECT d.occurred_at FROM credit.entry d
        WHERE e.kind = 'adjustment' AND d.account = e.account AND d.posting = e.corrects AND d.kind = 'debit'
            ORDER BY d.line LIMIT 1) AS corrected ON true
    LEFT JOIN LATERAL (SELECT CASE u.kind WHEN 'money' THEN 1 ELSE (SELECT v.fiat_per_credit FROM credit.unit_value v
        WHERE v.unit = l.unit AND v.effective_at <= COALESCE(corrected.occurred_at, e.occurred_at)
        ORDER BY v.effective_at DESC LIMIT 1) END AS fiat_per_credit) AS worth ON true,
    LATERAL (SELECT CASE WHEN e.kind = 'debit' THEN e.quantity ELSE - sign(e.amount) * COALESCE(e.quantity, 0) END AS quantity,
        -- Its own share of the price, as the ledger's view has it, finer than the sum is rounded to: shares of thirds add up.
        round(round(- e.amount * l.paid, 18) / (l.granted + GREATEST(COALESCE(g.adjusted, 0), 0)), 18) AS value) AS usage
WHERE e.kind = 'debit' OR e.kind = 'adjustment' AND e.corrects IS NOT NULL
GROUP BY e.account, r.card, e.operation, u.currency;
COMMENT ON VIEW credit.margin_by_account IS
    'What was earned by usage that rates priced, from the ledger, by account, card and operation. Filter on account.';
COMMENT ON COLUMN credit.margin_by_account.account IS 'The account.';
COMMENT ON COLUMN credit.margin_by_account.card IS 'The rate card that priced.';
COMMENT ON COLUMN credit.margin_by_account.operation IS 'What was charged for.';
COMMENT ON COLUMN credit.margin_by_account.currency IS 'The currency of the money (ISO 4217): that of the card''s unit.';
COMMENT ON COLUMN credit.margin_by_account.quantity IS 'How much of the operation was used.';
COMMENT ON COLUMN credit.margin_by_account.credits IS 'The credits it cost.';
COMMENT ON COLUMN credit.margin_by_account.list_value IS 'What those credits were worth by the unit''s value at the time of use.';
COMMENT ON COLUMN credit.margin_by_account.revenue IS
    'What the customer paid for those credits: at the cost basis of the lots, where it is in this currency.';
COMMENT ON COLUMN credit.margin_by_account.credits_without_price IS
    'The credits among them that brought no revenue in this currency: given away, or sold in another.';
COMMENT ON COLUMN credit.margin_by_account.cost IS
    'What the provider charged: quantity x the cost of the rate that priced it, where it is known.';
COMMENT ON COLUMN credit.margin_by_account.quantity_without_cost IS 'The quantity whose cost is unknown.';
COMMENT ON COLUMN credit.margin_by_account.margin IS 'revenue - cost; NULL when no cost is known.';
COMMENT ON COLUMN credit.margin_by_account.margin_percent IS
    'The margin in percent of the revenue, rounded to 4 decimals; NULL without revenue or cost.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_unit(text, integer, text, text, numeric, timestamptz, text) IS
'Creates a unit, or changes what is given of it. With a currency alone it is money: one of it is one of the currency. With '
'fiat_per_credit it is abstract and worth that much in the currency, from effective_at (now) on; another value is another '
'version. Returns the unit.
Errors: 22023 malformed argument, or a value without a currency; 55000 what a unit in use cannot become, or a value that would '
'change the past.';

COMMENT ON FUNCTION @extschema@.credit_rate_card(text, text, interval, boolean, text, text) IS
'Creates a rate card in a unit, or changes what is given of it. notice: how long before it takes effect a worse rate must be '
'published. is_default: for accounts of the unit that name no card. agreement: the reference of the contract behind a '
'negotiated card. Returns the card.
Errors: 22023 malformed argument; P0002 unknown unit; 55000 another unit once rates are published, or a second default card of '
'the unit.';

COMMENT ON FUNCTION @extschema@.credit_rate(text, text, numeric, numeric, timestamptz, numeric, jsonb, text, boolean, numeric,
    numeric[], numeric[], text, boolean) IS
'Prepares a rate: credits for each per of an operation''s quantity, in the place of what was prepared for the same operation '
'and dimensions. block: each started per. minimum: the least a price is. tier_from, tier_credits, tier_scope: bands of the '
'quantity with rates of their own, counted in a call or over what the account used in a day, month, quarter or year. unit_cost: '
'what one of the quantity costs the provider. withdraw: the rate ends. Nothing is charged by it before credit_publish(). '
'Returns the id its version will have.
Errors: 22023 malformed or contradictory argument; P0002 unknown card.';

COMMENT ON FUNCTION @extschema@.credit_discard_drafts(text, text, jsonb) IS
'Throws prepared rates away: of an operation, of its dimensions, or all of the card. Returns how many.
Errors: 22023 malformed argument; P0002 unknown card.';

COMMENT ON FUNCTION @extschema@.credit_publish(text, timestamptz, text, boolean) IS
'Makes versions of all rates prepared for a card, in one step: each ends the version it follows. effective_at (now unless '
'given) is for those that do not say it themselves. override_reason: why a rate may get worse without the card''s notice; it is '
'recorded. supersede: announced changes that begin at or after a new one give way. Returns how many.
Errors: 22023 two rates that would apply equally; P0002 unknown card, or nothing to withdraw; 55000 a change of the past, of '
'what is announced, or for the worse without notice.';

COMMENT ON FUNCTION @extschema@.credit_publish_preview(text, timestamptz, boolean) IS
'What credit_publish() would change: for each prepared rate what the same usage costs until and from then, the change in '
'percent, whether some quantity costs more, the earliest instant if that is too soon for the notice, and how many accounts are '
'charged by the card.
Errors: as credit_publish(), but for the notice.';

COMMENT ON FUNCTION @extschema@.credit_price(text, text, numeric, jsonb, timestamptz, text) IS
'What a quantity of an operation costs by a card, or by that of an account, at an instant (now): the number that '
'credit_charge() would debit, in the card''s unit. With an account, bands that are counted over a period begin with what it has '
'used.
Errors: 22023 malformed argument; P0002 unknown card or account, or no rate that applies; 22003 a price from 10^15 on.';

COMMENT ON FUNCTION @extschema@.credit_conversion_markdown(text) IS
'The rates of a card in force now, as a table in Markdown (GFM) for a page of documentation. Dates are UTC; units per credit '
'are rounded to 6 decimals, money to 12.
Errors: 22023 malformed argument; P0002 unknown card.';

COMMENT ON FUNCTION @extschema@.credit_export_rate_card(text, boolean) IS
'The rates of a card in force now, with the card and its unit, as JSON that credit_import_rate_card() reads; without the costs '
'where it is for others.
Errors: 22023 malformed argument; P0002 unknown card.';

COMMENT ON FUNCTION @extschema@.credit_import_rate_card(jsonb, boolean) IS
'Makes the card of a document that credit_export_rate_card() wrote, with its unit, or changes it, and prepares the rates that '
'differ from those in force; with publish they are published at once. Returns how many differed. Rates that the document does '
'not name stay. A unit that exists must be the same.
Errors: 22023 malformed document or rate; 55000 another unit, other drafts, or what publishing refuses; 22007 a notice that is '
'no length of time.';

COMMENT ON FUNCTION @extschema@.credit_reprice(text, text, numeric, text, timestamptz, numeric, jsonb) IS
'Writes the draft of the rate that follows when the provider''s price of a unit of quantity changes; credit_publish() publishes '
'it. policy pass_through: the customer keeps the difference, the margin stays the same share of the price; hold: the rate '
'stays, the margin moves; adjust: the margin becomes target_margin, a share (0.6 is 60%). Tiers keep their proportion, a '
'minimum stays; credits are rounded once, half to even, to 9 decimals. Returns the draft''s id, both rates, the change for the '
'customer in percent, and the margins as shares of the price of the first band.
Errors: 22023 malformed argument, no old cost, or no value in money; 22003 out of range; P0002 unknown card, or no rate in '
'force at effective_at (now unless given).';

COMMENT ON FUNCTION @extschema@.credit_reprice_preview(text, text, integer) IS
'The same as credit_reprice_preview(card, days), of one account.
Errors: 22023 malformed argument; P0002 unknown card or account; 22003 out of range.';
COMMENT ON FUNCTION @extschema@.credit_reprice_preview(text, integer) IS
'Replays the usage that the card priced in the last days by the card as it will be once its drafts are published: a row per '
'account with what it was charged, what it would have been, the difference, and the change in percent. unpriced: what was '
'charged for usage that the card would have no rate for; it is left out of the difference. Calls of one posting, operation and '
'rate count as one.
Errors: 22023 malformed argument; P0002 unknown card or account; 22003 out of range.';

COMMENT ON FUNCTION @extschema@.credit_check_design(numeric, integer) IS
'Inconsistencies of units, cards and rates, a row for each: severity (error or warning), what was found, about what, the '
'numbers, and a way out. max_spread: how far prices of an operation may lie apart without an agreement, as a share of the '
'lowest; days: how much usage counts, back from now.
Errors: 22023 malformed argument.';

SET LOCAL search_path TO @extschema@, pg_temp;
