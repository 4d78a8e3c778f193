-- A row for everything that is wrong.
SELECT 'credit_verify(): ' || invariant || ', account ' || COALESCE(account, '') FROM credit_verify();
SELECT 'the ledger has ' || count(*) || ' debits, pgbench made ' || :debits FROM credit.entry WHERE kind = 'debit' HAVING count(*) <> :debits;
