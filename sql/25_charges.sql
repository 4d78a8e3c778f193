-- Charges: conversions between units, and the functions that charge by a rate card. What they count of a period is in
-- credit.rate_usage.

-- Every name below is looked up here, whatever the search path of the role that installs it.
SET LOCAL search_path TO pg_catalog, credit, pg_temp;

-- Conversions ---------------------------------------------------------------------------------------------------------

-- Conversions between units of one account: the posting has the entries, this row the rate.
CREATE TABLE credit.conversion (
    posting      bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    account      text COLLATE "C" NOT NULL,
    from_unit    text COLLATE "C" NOT NULL,
    to_unit      text COLLATE "C" NOT NULL,
    from_amount  numeric NOT NULL CHECK (from_amount > 0),
    to_amount    numeric NOT NULL CHECK (to_amount > 0),
    rate         numeric NOT NULL CHECK (rate > 0),
    recorded_by  text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, posting),
    CHECK (from_unit <> to_unit)
);
COMMENT ON TABLE credit.conversion IS
    'Conversions between units of an account: the posting has the entries, this row the rate. Written by credit_convert() only.';
COMMENT ON COLUMN credit.conversion.posting IS 'The posting.';
COMMENT ON COLUMN credit.conversion.recorded_at IS 'When it was written.';
COMMENT ON COLUMN credit.conversion.account IS 'The account.';
COMMENT ON COLUMN credit.conversion.from_unit IS 'The unit that was given.';
COMMENT ON COLUMN credit.conversion.to_unit IS 'The unit that was got.';
COMMENT ON COLUMN credit.conversion.from_amount IS 'How much was given, in from_unit.';
COMMENT ON COLUMN credit.conversion.to_amount IS 'How much was got, in to_unit, rounded once.';
COMMENT ON COLUMN credit.conversion.rate IS
    'Of to_unit for one of from_unit, to as many as 18 decimals; the amount is computed from the exact ratio.';
COMMENT ON COLUMN credit.conversion.recorded_by IS 'The login role of the session that wrote it.';
SELECT pg_catalog.pg_extension_config_dump('credit.conversion', '');

CREATE TRIGGER conversion_90_refuse_change BEFORE UPDATE OR DELETE ON credit.conversion
    FOR EACH ROW EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.conversion ENABLE ALWAYS TRIGGER conversion_90_refuse_change;
COMMENT ON TRIGGER conversion_90_refuse_change ON credit.conversion IS 'A recorded conversion never changes (ENABLE ALWAYS).';

CREATE TRIGGER conversion_92_refuse_truncate BEFORE TRUNCATE ON credit.conversion
    FOR EACH STATEMENT EXECUTE FUNCTION credit.refuse_change();
ALTER TABLE credit.conversion ENABLE ALWAYS TRIGGER conversion_92_refuse_truncate;
COMMENT ON TRIGGER conversion_92_refuse_truncate ON credit.conversion IS 'A recorded conversion never changes (ENABLE ALWAYS).';

-- Functions to call ---------------------------------------------------------------------------------------------------

COMMENT ON FUNCTION @extschema@.credit_charge(text, text, numeric, text, jsonb, timestamptz, text, jsonb, text) IS
'Prices a quantity of an operation by the account''s rate card as it was at the usage''s instant, and debits the price; the '
'entries keep quantity, dimensions and rate version. Returns the posting, NULL when it costs nothing. Under a key, a repetition '
'returns the same posting, whatever the rates are by then.
Errors: as credit_debit(); P0002 no card, or no rate that applies; 22003 a price from 10^15 on.';

COMMENT ON FUNCTION @extschema@.credit_charge_request(text, text[], numeric[], text, jsonb, timestamptz, text, jsonb, text) IS
'Charges several operations of one request (input, output, tool calls) as one posting: all of it or nothing, each operation '
'priced and rounded on its own. Returns the posting, NULL when all of it costs nothing.
Errors: as credit_charge(), with item= in the DETAIL.';

COMMENT ON FUNCTION @extschema@.credit_charge_many(text[], text[], numeric[], text[], jsonb[], timestamptz[], text[], jsonb[],
    text, text[]) IS
'Charges the elements of parallel arrays in turn, at most 100,000, with the result of charging them one by one; returns a row '
'per item: posting, price, and what was missing. Modes and keys as in credit_debit_many().
Errors: as credit_charge(), with item= in the DETAIL.';

COMMENT ON FUNCTION @extschema@.credit_convert(text, numeric, text, text, numeric, text, text, text, jsonb) IS
'Converts an amount of from_unit (NULL: the account''s own) into to_unit and returns the posting''s id. Takes what a debit of '
'this member and operation would draw; each lot that gives becomes a lot of the new unit with the same terms, and the part of '
'its price goes along, to the last decimal. rate: credits of to_unit for one of from_unit; unless given, what both are worth in '
'the same currency now. The whole is cut once, to the decimals of to_unit. Under a key, a repetition returns the same posting.
Errors: 23514 insufficient credits; 22023 malformed argument, one unit only, units without a common currency, or too little to '
'convert; 22003 from 10^15 on; P0002 unknown account or unit, or unregistered member where members must be; 23505 key used for '
'another request; 55000 inactive member; 40001 and 40P01: repeat the transaction.';

SET LOCAL search_path TO @extschema@, pg_temp;
