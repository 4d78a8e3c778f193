-- Gives the account acme-FIRST :holds open holds.
SELECT count(credit_hold('acme-' || :first_account, 1, expires_after => '1 day')) FROM generate_series(1, :holds);
VACUUM (ANALYZE) credit.hold, credit.slot;
