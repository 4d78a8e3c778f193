SELECT 'lot ' || lot || ' of ' || account || ' does not hold what its entries add up to'
FROM wallet.lot FULL JOIN (SELECT account, lot, sum(amount) AS amount FROM wallet.entry GROUP BY account, lot) AS e USING (account, lot)
WHERE remaining IS DISTINCT FROM amount;
SELECT 'the ledger has ' || count(DISTINCT posting) || ' debits, pgbench made ' || :debits FROM wallet.entry WHERE kind = 'debit'
HAVING count(DISTINCT posting) <> :debits;
