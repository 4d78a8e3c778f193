-- A card with :rates rates, the default one of the unit, so that the accounts use it.
SELECT credit_rate_card('list', unit => 'credit', is_default => true);
SELECT count(credit_rate('list', 'operation-' || rate, credits => 1 + rate % 9, per => 1000)) FROM generate_series(1, :rates) AS rate;
SELECT credit_publish('list');
VACUUM (ANALYZE) credit.rate, credit.rate_draft;
