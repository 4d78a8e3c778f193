-- True-ups: what is declared of them, and the periods that were closed. A period that was closed stays as it was closed.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Terms and closed periods --------------------------------------------------------------------------------------------

CREATE SEQUENCE credit.true_up_id MAXVALUE 9007199254740991;
COMMENT ON SEQUENCE credit.true_up_id IS
    'Ids of closed periods. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps are normal.';
SELECT pg_catalog.pg_extension_config_dump('credit.true_up_id', '');

-- What is not declared comes from the account's agreements, or its schedules.
CREATE TABLE credit.true_up_terms (
    anchor           timestamptz NOT NULL,
    recorded_at      timestamptz NOT NULL,
    every            interval NOT NULL CHECK (every > '0'),
    account          text COLLATE "C" NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    commitment       numeric CHECK (commitment >= 0 AND commitment < 1e15),
    shortfall        text COLLATE "C" NOT NULL DEFAULT 'due' CHECK (shortfall IN ('due', 'carry', 'forgive')),
    overage          text COLLATE "C" NOT NULL DEFAULT 'due' CHECK (overage IN ('due', 'carry', 'forgive')),
    eligible         text COLLATE "C" NOT NULL DEFAULT 'all' CHECK (eligible IN ('all', 'paid')),
    unit_price       numeric CHECK (unit_price >= 0 AND unit_price < 1e15),
    overage_price    numeric CHECK (overage_price >= 0 AND overage_price < 1e15),
    currency         text COLLATE "C" CHECK (currency ~ '^[A-Z]{3}$'),
    grant_shortfall  boolean NOT NULL DEFAULT false,
    recorded_by      text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, unit),
    CHECK ((unit_price IS NULL AND overage_price IS NULL) OR currency IS NOT NULL)
);
COMMENT ON TABLE credit.true_up_terms IS
    'What is declared of an account''s true-up in a unit. What is not declared comes from its agreements, else from its '
    'schedules. Written by credit_true_up_terms(), and by a schedule with true_up.';
COMMENT ON COLUMN credit.true_up_terms.anchor IS
    'Where a period begins; the others are counted from it, on the account''s calendar.';
COMMENT ON COLUMN credit.true_up_terms.recorded_at IS 'When it was declared last.';
COMMENT ON COLUMN credit.true_up_terms.every IS 'The length of a period.';
COMMENT ON COLUMN credit.true_up_terms.account IS 'The account.';
COMMENT ON COLUMN credit.true_up_terms.unit IS 'The unit.';
COMMENT ON COLUMN credit.true_up_terms.commitment IS
    'What is promised for each period, in credits; NULL: what was agreed, else what schedules grant.';
COMMENT ON COLUMN credit.true_up_terms.shortfall IS
    'What becomes of what is missing: due, carry (the next period makes up for it) or forgive.';
COMMENT ON COLUMN credit.true_up_terms.overage IS
    'What becomes of what goes beyond: due, carry (it counts in the next period) or forgive.';
COMMENT ON COLUMN credit.true_up_terms.eligible IS 'Which consumption counts: all, or paid (of paid lots).';
COMMENT ON COLUMN credit.true_up_terms.unit_price IS 'What a missing credit costs; NULL: as agreed, else as the schedule.';
COMMENT ON COLUMN credit.true_up_terms.overage_price IS 'What a credit beyond costs; NULL: as a missing one.';
COMMENT ON COLUMN credit.true_up_terms.currency IS 'The currency of the prices (ISO 4217).';
COMMENT ON COLUMN credit.true_up_terms.grant_shortfall IS
    'Whether what is paid of a shortfall is granted, as a lot of source commitment that never expires.';
COMMENT ON COLUMN credit.true_up_terms.recorded_by IS 'The role that declared it.';
SELECT pg_catalog.pg_extension_config_dump('credit.true_up_terms', '');

-- A closed period. Nothing of it changes but that its debt is settled.
CREATE TABLE credit.true_up (
    true_up          bigint NOT NULL,
    starts_at        timestamptz NOT NULL,
    ends_at          timestamptz NOT NULL CHECK (ends_at > starts_at),
    posted_at        timestamptz NOT NULL,
    settled_at       timestamptz,
    granted_lot      bigint,
    account          text COLLATE "C" NOT NULL,
    unit             text COLLATE "C" NOT NULL,
    committed        numeric NOT NULL,
    used             numeric NOT NULL,
    granted          numeric NOT NULL,
    expired          numeric NOT NULL,
    rolled_in        numeric NOT NULL,
    rolled_out       numeric NOT NULL,
    carried_in       numeric NOT NULL,
    prepaid          numeric NOT NULL,
    prepaid_left     numeric NOT NULL CHECK (prepaid_left >= 0),
    shortfall        numeric NOT NULL CHECK (shortfall >= 0),
    overage          numeric NOT NULL CHECK (overage >= 0 AND (overage = 0 OR shortfall = 0)),
    unit_price       numeric,
    overage_price    numeric,
    amount_due       numeric CHECK (amount_due >= 0),
    currency         text COLLATE "C",
    carried_forward  numeric NOT NULL,
    recorded_by      text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, true_up),
    CHECK ((amount_due IS NULL) = (currency IS NULL))
);
COMMENT ON TABLE credit.true_up IS
    'One row per closed period of an account and unit. Immutable but for settled_at. Written by credit_true_up_post().';
COMMENT ON COLUMN credit.true_up.true_up IS 'The closed period.';
COMMENT ON COLUMN credit.true_up.starts_at IS 'Its first instant.';
COMMENT ON COLUMN credit.true_up.ends_at IS 'The first instant after it: nothing is dated before it any more.';
COMMENT ON COLUMN credit.true_up.posted_at IS 'When it was closed.';
COMMENT ON COLUMN credit.true_up.settled_at IS 'When what was due was settled (credit_true_up_settle); NULL until then.';
COMMENT ON COLUMN credit.true_up.granted_lot IS 'The lot of what was missing, where that is granted.';
COMMENT ON COLUMN credit.true_up.account IS 'The account.';
COMMENT ON COLUMN credit.true_up.unit IS 'The unit of all quantities.';
COMMENT ON COLUMN credit.true_up.committed IS 'What was promised.';
COMMENT ON COLUMN credit.true_up.used IS 'What was consumed of what counts, less what was corrected.';
COMMENT ON COLUMN credit.true_up.granted IS 'What was granted in it.';
COMMENT ON COLUMN credit.true_up.expired IS 'What expired in it, less what late usage took back.';
COMMENT ON COLUMN credit.true_up.rolled_in IS 'What rolled over into lots of it.';
COMMENT ON COLUMN credit.true_up.rolled_out IS 'What rolled over out of lots.';
COMMENT ON COLUMN credit.true_up.carried_in IS
    'What the period before left: overage that counts here, or below zero what was missing then.';
COMMENT ON COLUMN credit.true_up.prepaid IS 'What was granted in it for money.';
COMMENT ON COLUMN credit.true_up.prepaid_left IS
    'What was prepaid by its end and neither used nor needed for a commitment: it counts in the next period.';
COMMENT ON COLUMN credit.true_up.shortfall IS 'What is missing: committed less used and carried in, at least 0.';
COMMENT ON COLUMN credit.true_up.overage IS 'What goes beyond, at least 0.';
COMMENT ON COLUMN credit.true_up.unit_price IS 'What a missing credit costs.';
COMMENT ON COLUMN credit.true_up.overage_price IS 'What a credit beyond costs.';
COMMENT ON COLUMN credit.true_up.amount_due IS 'What is to be paid, in the currency; NULL where no price is known.';
COMMENT ON COLUMN credit.true_up.currency IS 'The currency (ISO 4217).';
COMMENT ON COLUMN credit.true_up.carried_forward IS 'What the next period gets.';
COMMENT ON COLUMN credit.true_up.recorded_by IS 'The role that closed it.';
SELECT pg_catalog.pg_extension_config_dump('credit.true_up', '');

CREATE UNIQUE INDEX true_up_by_end ON credit.true_up (account, unit, ends_at);
COMMENT ON INDEX credit.true_up_by_end IS 'Finds the closed periods around an instant.';

-- That its debt is settled may be written, once.
CREATE TRIGGER true_up_90_refuse_update BEFORE UPDATE ON credit.true_up
    FOR EACH ROW WHEN (OLD.settled_at IS NOT NULL OR ROW(
        OLD.true_up, OLD.starts_at, OLD.ends_at, OLD.posted_at, OLD.granted_lot, OLD.account, OLD.unit, OLD.committed, OLD.used,
        OLD.granted, OLD.expired, OLD.rolled_in, OLD.rolled_out, OLD.carried_in, OLD.prepaid, OLD.prepaid_left, OLD.shortfall,
        OLD.overage, OLD.unit_price, OLD.overage_price, OLD.amount_due, OLD.currency, OLD.carried_forward, OLD.recorded_by)
        IS DISTINCT FROM ROW(
        NEW.true_up, NEW.starts_at, NEW.ends_at, NEW.posted_at, NEW.granted_lot, NEW.account, NEW.unit, NEW.committed, NEW.used,
        NEW.granted, NEW.expired, NEW.rolled_in, NEW.rolled_out, NEW.carried_in, NEW.prepaid, NEW.prepaid_left, NEW.shortfall,
        NEW.overage, NEW.unit_price, NEW.overage_price, NEW.amount_due, NEW.currency, NEW.carried_forward, NEW.recorded_by))
    EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.true_up ENABLE ALWAYS TRIGGER true_up_90_refuse_update;
COMMENT ON TRIGGER true_up_90_refuse_update ON credit.true_up IS
    'Of a closed period only settled_at may be written, once (ENABLE ALWAYS).';

CREATE TRIGGER true_up_91_refuse_delete BEFORE DELETE ON credit.true_up
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.true_up ENABLE ALWAYS TRIGGER true_up_91_refuse_delete;
COMMENT ON TRIGGER true_up_91_refuse_delete ON credit.true_up IS 'Closed periods are never deleted (ENABLE ALWAYS).';

CREATE TRIGGER true_up_92_refuse_truncate BEFORE TRUNCATE ON credit.true_up
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.true_up ENABLE ALWAYS TRIGGER true_up_92_refuse_truncate;
COMMENT ON TRIGGER true_up_92_refuse_truncate ON credit.true_up IS 'Closed periods are never deleted (ENABLE ALWAYS).';

CREATE TABLE credit.true_up_line (
    true_up     bigint NOT NULL,
    line        integer NOT NULL,
    account     text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    reference   text COLLATE "C",
    quantity    numeric NOT NULL,
    unit_price  numeric,
    amount      numeric,
    PRIMARY KEY (account, true_up, line)
);
COMMENT ON TABLE credit.true_up_line IS 'The lines of closed periods: where each figure comes from.';
COMMENT ON COLUMN credit.true_up_line.true_up IS 'The closed period.';
COMMENT ON COLUMN credit.true_up_line.line IS 'The line, from 1.';
COMMENT ON COLUMN credit.true_up_line.account IS 'The account.';
COMMENT ON COLUMN credit.true_up_line.kind IS
    'committed, carried_in, prepaid_in, used, used_beside (does not count), used_late (of a closed period), granted, prepaid, '
    'expired, rolled_in, rolled_out, voided, returned, converted, adjusted, shortfall, overage, shortfall_due, overage_due, '
    'carried_forward or prepaid_left.';
COMMENT ON COLUMN credit.true_up_line.reference IS 'What it refers to: an agreement, a schedule, the terms or a closed period.';
COMMENT ON COLUMN credit.true_up_line.quantity IS 'How many credits.';
COMMENT ON COLUMN credit.true_up_line.unit_price IS 'What one of them costs.';
COMMENT ON COLUMN credit.true_up_line.amount IS 'What they cost together, in the currency of the period.';
SELECT pg_catalog.pg_extension_config_dump('credit.true_up_line', '');

CREATE TRIGGER true_up_line_90_refuse_change BEFORE UPDATE OR DELETE ON credit.true_up_line
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.true_up_line ENABLE ALWAYS TRIGGER true_up_line_90_refuse_change;
COMMENT ON TRIGGER true_up_line_90_refuse_change ON credit.true_up_line IS
    'The lines of a closed period never change (ENABLE ALWAYS).';

CREATE TRIGGER true_up_line_92_refuse_truncate BEFORE TRUNCATE ON credit.true_up_line
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.true_up_line ENABLE ALWAYS TRIGGER true_up_line_92_refuse_truncate;
COMMENT ON TRIGGER true_up_line_92_refuse_truncate ON credit.true_up_line IS
    'The lines of a closed period never change (ENABLE ALWAYS).';

-- Usage of a closed period that came after it, or what an adjustment takes back of it: it is in the ledger of the period that was
-- open then.
CREATE TABLE credit.true_up_correction (
    true_up      bigint NOT NULL,
    posting      bigint NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    account      text COLLATE "C" NOT NULL,
    amount       numeric NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (account, posting)
);
COMMENT ON TABLE credit.true_up_correction IS
    'Usage of closed periods that came after them: a posting of a later period, and what it corrects.';
COMMENT ON COLUMN credit.true_up_correction.true_up IS 'The closed period it belongs to.';
COMMENT ON COLUMN credit.true_up_correction.posting IS 'The posting, in the period that was open.';
COMMENT ON COLUMN credit.true_up_correction.occurred_at IS 'When the usage happened, the earliest where it was several.';
COMMENT ON COLUMN credit.true_up_correction.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.true_up_correction.account IS 'The account.';
COMMENT ON COLUMN credit.true_up_correction.amount IS 'How many credits; below zero where an adjustment took them back.';
SELECT pg_catalog.pg_extension_config_dump('credit.true_up_correction', '');

CREATE TRIGGER true_up_correction_90_refuse_change BEFORE UPDATE OR DELETE ON credit.true_up_correction
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.true_up_correction ENABLE ALWAYS TRIGGER true_up_correction_90_refuse_change;
COMMENT ON TRIGGER true_up_correction_90_refuse_change ON credit.true_up_correction IS
    'What corrects a closed period never changes (ENABLE ALWAYS).';

CREATE TRIGGER true_up_correction_92_refuse_truncate BEFORE TRUNCATE ON credit.true_up_correction
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.true_up_correction ENABLE ALWAYS TRIGGER true_up_correction_92_refuse_truncate;
COMMENT ON TRIGGER true_up_correction_92_refuse_truncate ON credit.true_up_correction IS
    'What corrects a closed period never changes (ENABLE ALWAYS).';

-- Views ---------------------------------------------------------------------------------------------------------------

-- What follows the last closed period; where none was closed, from the first that was declared on.
CREATE VIEW credit.true_ups_due AS
SELECT t.account, t.unit, GREATEST(period.starts_at, closed.until) AS starts_at, period.ends_at
FROM credit.true_up_terms t
JOIN credit.account a ON a.account = t.account
CROSS JOIN (SELECT credit.now() AS now) AS clock
CROSS JOIN LATERAL (SELECT max(c.ends_at) AS until FROM credit.true_up c WHERE c.account = t.account
    AND c.unit = t.unit) AS closed
CROSS JOIN LATERAL generate_series(0, (EXTRACT(epoch FROM clock.now - t.anchor) / EXTRACT(epoch
    FROM t.every) * 1.1)::bigint) AS number
CROSS JOIN LATERAL (
    SELECT credit.add_interval(t.anchor, t.every * number, a.time_zone) AS starts_at,
        credit.add_interval(t.anchor, t.every * (number + 1), a.time_zone) AS ends_at) AS period
WHERE period.ends_at <= clock.now AND period.ends_at > COALESCE(closed.until, '-infinity');
COMMENT ON VIEW credit.true_ups_due IS 'One row per declared period that is over and not closed.';
COMMENT ON COLUMN credit.true_ups_due.account IS 'The account.';
COMMENT ON COLUMN credit.true_ups_due.unit IS 'The unit.';
COMMENT ON COLUMN credit.true_ups_due.starts_at IS 'The first instant of the period.';
COMMENT ON COLUMN credit.true_ups_due.ends_at IS 'The first instant after it.';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_true_up_terms(text, interval, timestamptz, numeric, text, text, text, numeric, numeric,
    text, boolean, text) IS
'Declares how an account is trued up in a unit (NULL: its own), or changes what is given; NULL keeps what is there. Periods are '
'every (3 months) long, counted from anchor (now). See credit.true_up_terms. Closed periods do not change. Returns the account.
Errors: 22023 malformed argument, or a price without a currency; P0002 unknown account or unit; 22003 from 10^15 on.';

COMMENT ON FUNCTION @extschema@.credit_true_up(text, timestamptz, timestamptz, text, boolean) IS
'What [starts_at, ends_at) comes to, of one account, or with all_accounts of all that have a commitment: committed by the '
'declared terms, else by agreements (a month of a year is a twelfth of it), else by what schedules grant; used; shortfall and '
'overage, and what is due of them at the agreed price once what was paid for in the period is counted. Without a period: the '
'declared one that contains now. Writes nothing, works on a standby, and shows a closed period as it was closed (posted_at).
Errors: 22023 malformed argument, or a period without length; P0002 unknown account or unit; 55000 no declared period, or a '
'commitment in money without a price; 22003.';

COMMENT ON FUNCTION @extschema@.credit_true_up_lines(text, timestamptz, timestamptz, text, boolean) IS
'The lines of credit_true_up(): where each figure comes from. The amounts of the lines add up to amount_due.
Errors: as credit_true_up().';

COMMENT ON FUNCTION @extschema@.credit_true_up_post(text, timestamptz, timestamptz, text, boolean) IS
'Closes [starts_at, ends_at) of one account, or with all_accounts of all that have a commitment: issues and expires what is '
'due, writes the statement (credit.true_up, credit.true_up_line), grants what is missing where that is declared, and from then '
'on refuses or redirects what would be dated before ends_at. Without a period: the declared one that follows the last closed '
'one. Periods follow each other without gaps. A period that is closed already stays as it is and is returned. All or nothing.
With all_accounts: all that have a commitment in the unit that is named, else in their own.
Errors: 22023 malformed argument; P0002 unknown account or unit; 55000 the period has not ended, overlaps or leaves a gap, or a '
'transaction that began before its end has not ended; 25001 at another isolation level than READ COMMITTED; 40001 and 40P01: '
'repeat the transaction.';

COMMENT ON FUNCTION @extschema@.credit_true_up_settle(text, bigint) IS
'Says that what a closed period left due is settled; false when it was before.
Errors: 22023; P0002 unknown account or closed period.';

SET LOCAL search_path TO @extschema@, pg_temp;
