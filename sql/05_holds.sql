-- Holds: credits that are set aside for a spend of which nobody knows yet what it costs. This file comes before the ledger's,
-- whose views say what is held.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Holds ---------------------------------------------------------------------------------------------------------------

CREATE SEQUENCE credit.hold_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.hold_id IS 'Ids of holds. Below 2^53, so that clients that read numbers as doubles keep them exact.';
SELECT pg_catalog.pg_extension_config_dump('credit.hold_id', '');

-- One row holds everything: what it took of which lots, and what is still open of that. The arrays are parallel, in drawdown
-- order.
CREATE TABLE credit.hold (
    hold         bigint NOT NULL,
    held_at      timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    open_until   timestamptz,
    settled_at   timestamptz,
    rate         bigint,
    posting      bigint,
    account      text COLLATE "C" NOT NULL,
    unit         text COLLATE "C" NOT NULL,
    state        text COLLATE "C" NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'captured', 'released', 'expired')),
    amount       numeric NOT NULL CHECK (amount >= 0 AND amount < 1e15),
    shortfall    numeric NOT NULL DEFAULT 0 CHECK (shortfall >= 0),
    lots         bigint[] NOT NULL,
    pooled       boolean[] NOT NULL,
    held         numeric[] NOT NULL,
    captured     numeric[] NOT NULL,
    open         numeric[] NOT NULL,
    member       text COLLATE "C",
    department   text COLLATE "C",
    operation    text COLLATE "C",
    quantity     numeric,
    run          text COLLATE "C",
    recorded_by  text COLLATE "C" NOT NULL,
    dimensions   jsonb,
    metadata     jsonb,
    PRIMARY KEY (account, hold),
    CHECK ((state = 'open') = (open_until IS NOT NULL) AND (state = 'open') = (settled_at IS NULL)),
    CHECK (open_until = expires_at)
);
COMMENT ON TABLE credit.hold IS
    'Holds: credits taken out of the lots'' slots for a spend that is not over. The ledger has lines only for what was captured. '
    'A settled hold never changes (42501). Read the view credit.holds.';
COMMENT ON COLUMN credit.hold.hold IS 'The hold''s id. Assigned by the extension.';
COMMENT ON COLUMN credit.hold.held_at IS 'When the credits were held, by the clock at the write.';
COMMENT ON COLUMN credit.hold.expires_at IS
    'The instant from which its credits are available to everybody again, whether or not they were given back yet.';
COMMENT ON COLUMN credit.hold.open_until IS 'expires_at while it is open; NULL once it is settled.';
COMMENT ON COLUMN credit.hold.settled_at IS
    'When it was settled: by the last capture, by a release, or where it expired, at expires_at.';
COMMENT ON COLUMN credit.hold.rate IS 'The version of the rate that captures are priced by; NULL where the amount was given.';
COMMENT ON COLUMN credit.hold.posting IS 'The posting of its last capture; NULL for none.';
COMMENT ON COLUMN credit.hold.account IS 'The account whose credits are held.';
COMMENT ON COLUMN credit.hold.unit IS 'The unit of its amounts.';
COMMENT ON COLUMN credit.hold.state IS
    'open, captured (by a last capture), released, or expired (and given back). An open one whose expires_at is over counts as '
    'expired.';
COMMENT ON COLUMN credit.hold.amount IS 'What was held at first, in the unit: the sum of held.';
COMMENT ON COLUMN credit.hold.shortfall IS 'What captures beyond what was held could not draw, in the unit.';
COMMENT ON COLUMN credit.hold.lots IS 'The lots that pay, in drawdown order.';
COMMENT ON COLUMN credit.hold.pooled IS 'Whether each of the lots was pooled, as caps on the pool count it.';
COMMENT ON COLUMN credit.hold.held IS 'What was taken of each lot, in the unit.';
COMMENT ON COLUMN credit.hold.captured IS 'What of that was captured. What was captured beyond it is in the ledger only.';
COMMENT ON COLUMN credit.hold.open IS 'What is still held of each lot. The rest of held was captured or given back.';
COMMENT ON COLUMN credit.hold.member IS 'The member who spends; NULL for none.';
COMMENT ON COLUMN credit.hold.department IS 'The member''s department when the credits were held.';
COMMENT ON COLUMN credit.hold.operation IS 'What they are held for, in your own words; NULL when not said.';
COMMENT ON COLUMN credit.hold.quantity IS 'The quantity whose price was held; NULL where the amount was given.';
COMMENT ON COLUMN credit.hold.run IS 'The task, session or conversation it belongs to; NULL when not said.';
COMMENT ON COLUMN credit.hold.recorded_by IS 'The login role of the session that held the credits.';
COMMENT ON COLUMN credit.hold.dimensions IS
    'What the usage is of, beside its operation, as a flat JSON object of texts; NULL when that was not said.';
COMMENT ON COLUMN credit.hold.metadata IS 'Anything the application keeps with the hold. Not interpreted.';
SELECT pg_catalog.pg_extension_config_dump('credit.hold', '');

CREATE INDEX hold_open_until ON credit.hold (account, open_until) WHERE open_until IS NOT NULL;
COMMENT ON INDEX credit.hold_open_until IS 'The open holds by their end.';

-- Only what is open may change, and what was asked for never does. A settled hold stays as it is.
CREATE TRIGGER hold_90_refuse_update BEFORE UPDATE ON credit.hold
    FOR EACH ROW WHEN (OLD.state <> 'open' OR ROW(
        OLD.hold, OLD.held_at, OLD.rate, OLD.account, OLD.unit, OLD.amount, OLD.lots, OLD.pooled, OLD.held, OLD.member,
        OLD.department, OLD.operation, OLD.quantity, OLD.run, OLD.recorded_by, OLD.dimensions, OLD.metadata)
        IS DISTINCT FROM ROW(
        NEW.hold, NEW.held_at, NEW.rate, NEW.account, NEW.unit, NEW.amount, NEW.lots, NEW.pooled, NEW.held, NEW.member,
        NEW.department, NEW.operation, NEW.quantity, NEW.run, NEW.recorded_by, NEW.dimensions, NEW.metadata))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.hold ENABLE ALWAYS TRIGGER hold_90_refuse_update;
COMMENT ON TRIGGER hold_90_refuse_update ON credit.hold IS 'A settled hold never changes (ENABLE ALWAYS).';

CREATE TRIGGER hold_91_refuse_delete BEFORE DELETE ON credit.hold
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.hold ENABLE ALWAYS TRIGGER hold_91_refuse_delete;
COMMENT ON TRIGGER hold_91_refuse_delete ON credit.hold IS 'Holds are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER hold_92_refuse_truncate BEFORE TRUNCATE ON credit.hold
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.hold ENABLE ALWAYS TRIGGER hold_92_refuse_truncate;
COMMENT ON TRIGGER hold_92_refuse_truncate ON credit.hold IS 'Holds are never deleted (ENABLE ALWAYS).';

SET LOCAL search_path TO @extschema@, pg_temp;
