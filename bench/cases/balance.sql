-- Reads a balance :balance_reads times in the server; the last line is microseconds per read.
CREATE SCHEMA IF NOT EXISTS benchmark;
CREATE OR REPLACE FUNCTION benchmark.read_balances(account text, reads integer) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    begun timestamptz := clock_timestamp();
BEGIN
    FOR read IN 1..reads LOOP
        PERFORM credit_balance(account);
    END LOOP;
    RETURN EXTRACT(epoch FROM clock_timestamp() - begun) * 1000000 / reads;
END $$;
SELECT benchmark.read_balances('acme-' || :first_account, :balance_reads);
