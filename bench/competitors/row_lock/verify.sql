SELECT 'account ' || account || ' does not hold what its entries add up to'
FROM row_lock.balance FULL JOIN (SELECT account, sum(amount) AS amount FROM row_lock.entry GROUP BY account) AS e USING (account)
WHERE balance IS DISTINCT FROM amount;
SELECT 'the ledger has ' || count(*) || ' debits, pgbench made ' || :debits FROM row_lock.entry WHERE kind = 'debit' HAVING count(*) <> :debits;
