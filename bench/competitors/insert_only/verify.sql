SELECT 'the ledger has ' || count(*) || ' debits, pgbench made ' || :debits FROM insert_only.entry WHERE kind = 'debit' HAVING count(*) <> :debits;
