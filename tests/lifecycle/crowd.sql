-- One transaction of a pgbench client.
SELECT credit_debit('crowd', 1.25, member => 'member ' || :client_id);
