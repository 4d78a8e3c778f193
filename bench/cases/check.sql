-- Checks a debit :balance_reads times in the server; the last line is microseconds per check.
CREATE SCHEMA IF NOT EXISTS benchmark;
CREATE OR REPLACE FUNCTION benchmark.check_debits(account text, checks integer) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz := clock_timestamp();
    answer record;
BEGIN
    FOR number IN 1..checks LOOP
        SELECT * INTO answer FROM credit_check(account, 1.25);
    END LOOP;
    RETURN EXTRACT(epoch FROM clock_timestamp() - begun) * 1000000 / checks;
END $$;
SELECT benchmark.check_debits('acme-' || :first_account, :balance_reads);
