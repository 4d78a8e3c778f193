-- Gives the account acme-FIRST :holds captured holds, each with a refund of a part of it.
SELECT count(credit_refund('acme-' || :first_account, credit_capture('acme-' || :first_account,
    credit_hold('acme-' || :first_account, 2), 1), 0.5))
FROM generate_series(1, :holds);
VACUUM (ANALYZE) credit.hold, credit.slot, credit.entry;
