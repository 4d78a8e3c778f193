-- Two caps that nothing reaches: one of the calendar and one of a rolling window.
SELECT credit_cap('acme-' || :first_account, 1000000000000, every => 'month'),
    credit_cap('acme-' || :first_account, 1000000000000, rolling => interval '1 day');
