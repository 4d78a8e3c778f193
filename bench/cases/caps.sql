-- Caps the whole account and each department of acme-FIRST, far above what is debited.
SELECT credit_cap('acme-' || :first_account, :granted / 2, every => 'year');
SELECT count(credit_cap('acme-' || :first_account, :granted / 4, department => 'department-' || number)) FROM generate_series(0, 9) AS number;
