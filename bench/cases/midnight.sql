-- A daily schedule for each account, all of them with the same midnights.
SELECT count(credit_schedule('acme-' || account, 100, '1 day', anchor => date_trunc('day', now(), 'UTC')))
FROM generate_series(:first_account, :last_account) AS account;
