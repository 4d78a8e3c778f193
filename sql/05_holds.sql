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
    FOR EACH ROW WHEN (OLD.state <> 'open' AND NOT (OLD.state = 'expired' AND NEW.state = 'captured') OR ROW(
        OLD.hold, OLD.held_at, OLD.rate, OLD.account, OLD.unit, OLD.amount, OLD.lots, OLD.pooled, OLD.held, OLD.member,
        OLD.department, OLD.operation, OLD.quantity, OLD.run, OLD.recorded_by, OLD.dimensions, OLD.metadata)
        IS DISTINCT FROM ROW(
        NEW.hold, NEW.held_at, NEW.rate, NEW.account, NEW.unit, NEW.amount, NEW.lots, NEW.pooled, NEW.held, NEW.member,
        NEW.department, NEW.operation, NEW.quantity, NEW.run, NEW.recorded_by, NEW.dimensions, NEW.metadata))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.hold ENABLE ALWAYS TRIGGER hold_90_refuse_update;
COMMENT ON TRIGGER hold_90_refuse_update ON credit.hold IS
    'A settled hold never changes, but that the first capture may find it expired (ENABLE ALWAYS).';

CREATE TRIGGER hold_91_refuse_delete BEFORE DELETE ON credit.hold
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.hold ENABLE ALWAYS TRIGGER hold_91_refuse_delete;
COMMENT ON TRIGGER hold_91_refuse_delete ON credit.hold IS 'Holds are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER hold_92_refuse_truncate BEFORE TRUNCATE ON credit.hold
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.hold ENABLE ALWAYS TRIGGER hold_92_refuse_truncate;
COMMENT ON TRIGGER hold_92_refuse_truncate ON credit.hold IS 'Holds are never deleted (ENABLE ALWAYS).';

-- Views ---------------------------------------------------------------------------------------------------------------

-- One row per hold, with what became of it as it is now.
CREATE VIEW credit.holds AS
SELECT h.account, h.hold, CASE WHEN h.state = 'open' AND h.expires_at <= clock.now THEN 'expired' ELSE h.state END AS state,
    h.unit, h.amount, trim_scale(sums.captured) AS captured, trim_scale(h.amount - sums.captured - still.open) AS released,
    trim_scale(still.open) AS open, trim_scale(h.shortfall) AS shortfall,
    h.member, h.department, h.operation, h.quantity, h.run, h.dimensions, h.held_at, h.expires_at,
    CASE WHEN h.state = 'open' AND h.expires_at <= clock.now THEN h.expires_at ELSE h.settled_at END AS settled_at, h.posting,
    h.rate, h.lots, h.held AS held_by_lot, h.captured AS captured_by_lot, h.recorded_by, h.metadata
FROM (SELECT credit.now() AS now) AS clock, credit.hold h,
    LATERAL (SELECT COALESCE(sum(part.captured), 0) AS captured, COALESCE(sum(part.open), 0) AS open
             FROM unnest(h.captured, h.open) AS part (captured, open)) AS sums,
    LATERAL (SELECT CASE WHEN h.expires_at > clock.now THEN sums.open ELSE 0 END AS open) AS still;
COMMENT ON VIEW credit.holds IS 'One row per hold: who, for what, until when, and what became of it. Filter on account.';
COMMENT ON COLUMN credit.holds.account IS 'The account whose credits are held.';
COMMENT ON COLUMN credit.holds.hold IS 'The hold''s id, as credit_hold() returned it.';
COMMENT ON COLUMN credit.holds.state IS
    'open; captured, by a last capture; released; expired, whether or not its credits were given back.';
COMMENT ON COLUMN credit.holds.unit IS 'The unit of its amounts.';
COMMENT ON COLUMN credit.holds.amount IS 'What was held at first.';
COMMENT ON COLUMN credit.holds.captured IS 'What of that was captured.';
COMMENT ON COLUMN credit.holds.released IS 'What of that went back.';
COMMENT ON COLUMN credit.holds.open IS 'What is still held now; 0 once it has expired.';
COMMENT ON COLUMN credit.holds.shortfall IS 'What captures beyond what was held could not draw.';
COMMENT ON COLUMN credit.holds.member IS 'The member who spends; NULL for none.';
COMMENT ON COLUMN credit.holds.department IS 'The member''s department when the credits were held.';
COMMENT ON COLUMN credit.holds.operation IS 'What they are held for; NULL when not said.';
COMMENT ON COLUMN credit.holds.quantity IS 'The quantity whose price was held; NULL where the amount was given.';
COMMENT ON COLUMN credit.holds.run IS 'The task, session or conversation it belongs to; NULL when not said.';
COMMENT ON COLUMN credit.holds.dimensions IS 'What the usage is of, beside its operation; NULL when not said.';
COMMENT ON COLUMN credit.holds.held_at IS 'When the credits were held.';
COMMENT ON COLUMN credit.holds.expires_at IS 'From when on its credits are available to everybody again.';
COMMENT ON COLUMN credit.holds.settled_at IS 'When it was settled; NULL while it is not.';
COMMENT ON COLUMN credit.holds.posting IS 'The posting of its last capture; NULL for none.';
COMMENT ON COLUMN credit.holds.rate IS 'The version of the rate that captures are priced by; NULL where the amount was given.';
COMMENT ON COLUMN credit.holds.lots IS 'The lots that pay, in drawdown order.';
COMMENT ON COLUMN credit.holds.held_by_lot IS 'What was taken of each lot.';
COMMENT ON COLUMN credit.holds.captured_by_lot IS 'What of that was captured.';
COMMENT ON COLUMN credit.holds.recorded_by IS 'The login role of the session that held the credits.';
COMMENT ON COLUMN credit.holds.metadata IS 'Anything the application keeps with the hold.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_hold(text, numeric, text, text, text, interval, text, jsonb, text, jsonb) IS
'Takes an amount out of what anybody else can spend, from the lots that a debit would draw, for a spend of which the cost is '
'known later; returns the hold''s id. It ends after expires_after: 15 minutes unless given, at most 31 days. Under a key, a '
'repetition returns the same hold.
Errors: as credit_debit(); 22023 for an expires_after with months, not above zero or longer than 31 days.';

COMMENT ON FUNCTION @extschema@.credit_hold_charge(text, text, numeric, text, jsonb, interval, text, jsonb, text) IS
'credit_hold() of the price of a quantity, by the account''s rate card. Captures are priced by the same version of the rate, '
'whatever applies by then. Bands that are counted over a period are counted by the capture.
Errors: as credit_charge() and credit_hold().';

CREATE FUNCTION @extschema@.credit_capture(account text, hold bigint, amount numeric DEFAULT NULL, final boolean DEFAULT true,
    beyond text DEFAULT 'debit', at timestamptz DEFAULT NULL, key text DEFAULT NULL, metadata jsonb DEFAULT NULL)
    RETURNS bigint LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'credit_capture_wrapper';
COMMENT ON FUNCTION @extschema@.credit_capture(text, bigint, numeric, boolean, text, timestamptz, text, jsonb) IS
'Debits an amount from a hold, all of it unless amount is given, and returns the posting''s id; NULL where nothing was debited. '
'final gives the rest back, else the hold stays open. What goes beyond the hold is drawn as a debit is (beyond debit), or the '
'capture is refused (refuse), or as much is drawn as there is (available) and the rest noted as shortfall. No cap refuses what '
'is held. The first capture of a hold that has expired still counts, if it is final.
Errors: 23514 insufficient credits, or more than is held (refuse); 54000 a spending cap, for what goes beyond; 22023 malformed '
'argument; 22003 from 10^15 on; P0002 unknown account or hold; 55000 a settled hold, or one that has expired; 23505 key used '
'for another request.';

CREATE FUNCTION @extschema@.credit_capture_charge(account text, hold bigint, quantity numeric, final boolean DEFAULT true,
    beyond text DEFAULT 'debit', at timestamptz DEFAULT NULL, key text DEFAULT NULL, metadata jsonb DEFAULT NULL)
    RETURNS bigint LANGUAGE c SECURITY DEFINER SET search_path = pg_catalog, credit, pg_temp
    AS 'MODULE_PATHNAME', 'credit_capture_charge_wrapper';
COMMENT ON FUNCTION @extschema@.credit_capture_charge(text, bigint, numeric, boolean, text, timestamptz, text, jsonb) IS
'credit_capture() of the price of a quantity, by the version of the rate that credit_hold_charge() pinned.
Errors: as credit_capture(); 55000 a hold that was made for an amount; 22003 a price from 10^15 on.';

COMMENT ON FUNCTION @extschema@.credit_hold_many(text[], numeric[], text[], text[], text[], interval, text[], jsonb[], text,
    text[], jsonb[]) IS
'Holds the elements of parallel arrays, at most 100,000, with the result of holding them one by one; returns a row per item: its '
'hold, or what was missing (in the unit) and the cap that did not leave it. Mode all: nothing is held when one does not fit; '
'each: the others are.
Errors, with item= in the DETAIL: as credit_hold().';

COMMENT ON FUNCTION @extschema@.credit_capture_many(text[], bigint[], numeric[], boolean[], text, timestamptz[], text[], jsonb[],
    text) IS
'Captures the elements of parallel arrays, at most 100,000, with the result of capturing them one by one; returns a row per '
'item: its posting, NULL where nothing was debited. Mode all: nothing is captured when one is refused; each: the others are, '
'and reason says why an item was not: insufficient_credits, cap or settled.
Errors, with item= in the DETAIL: as credit_capture().';

COMMENT ON FUNCTION @extschema@.credit_release(text, bigint, text) IS
'Gives back what a hold still has, and returns how much that was: 0 for one that is settled or has expired.
Errors: 22023 malformed argument; P0002 unknown account or hold; 23505 key used for another request.';

COMMENT ON FUNCTION @extschema@.credit_extend_hold(text, bigint, interval, text) IS
'Lets an open hold end expires_after from now, at most 31 days, and returns when that is.
Errors: 22023 malformed argument; P0002 unknown account or hold; 55000 a hold that is settled or has expired; 23505 key used '
'for another request.';

SET LOCAL search_path TO @extschema@, pg_temp;
