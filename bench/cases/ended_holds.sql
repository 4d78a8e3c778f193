-- Gives the account acme-FIRST :holds holds that have ended, and that nobody has given back.
SELECT count(credit_hold('acme-' || :first_account, 1, expires_after => '1 microsecond')) FROM generate_series(1, :holds);
VACUUM (ANALYZE) credit.hold, credit.slot;
