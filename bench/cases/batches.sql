-- :batches batches of :batch_size debits over the accounts, as arrays, in random order.
CREATE SCHEMA benchmark;
CREATE TABLE benchmark.batch (batch integer PRIMARY KEY, accounts text[] NOT NULL, amounts numeric[] NOT NULL);
INSERT INTO benchmark.batch
SELECT batch, array_agg('acme-' || account ORDER BY place), array_agg(amount ORDER BY place)
FROM (
    SELECT batch, :first_account + item % (:last_account - :first_account + 1) AS account,
        round((1 + random() * 399)::numeric / 100, 2) AS amount, random() AS place
    FROM generate_series(1, :batches) AS batch, generate_series(0, :batch_size - 1) AS item
) AS items
GROUP BY batch;
ANALYZE benchmark.batch;
