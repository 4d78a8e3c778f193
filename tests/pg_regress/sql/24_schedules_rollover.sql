-- Rollover: what of a lot's unused part goes on when it expires.

-- Every file starts with a new extension, a fixed clock and UTC: it stands alone and always prints the same.
DROP EXTENSION pg_credit;
CREATE EXTENSION pg_credit;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET intervalstyle = 'postgres';
SET credit.clock = '2026-04-01 00:00+00';

-- At most half of what is unused, once, for one more month.
SELECT credit_schedule('beta', 1000, every => interval '1 month', anchor => '2026-04-01 00:00+00', expires => 'period_end',
    paid => 10, currency => 'EUR', rollover => '{"fraction_of_unused": 0.5, "max_periods": 1, "expires_after": "1 month"}') > 0 AS declared;
SELECT credit_debit('beta', 300) > 0 AS debited;

-- Just before the end everything is usable; at the end half of the unused 700 goes on, beside the new 1000.
SELECT set_config('credit.clock', '2026-04-30 23:59:59.999999+00', false) AS clock, credit_balance('beta');
SELECT set_config('credit.clock', '2026-05-01 00:00+00', false) AS clock;
SELECT credit_balance('beta') AS counted;
-- Of two lots that expire together, the one that was rolled pays first.
SELECT source, available, debited FROM credit_explain_debit('beta', 400);
SELECT credit_debit('beta', 400) > 0 AS debited;
SELECT source, granted, remaining, category, paid, cost_basis, effective_at, expires_at, parent IS NOT NULL AS has_parent
FROM credit.lots WHERE account = 'beta' ORDER BY lot;
SELECT kind, amount, source, occurred_at FROM credit.ledger WHERE account = 'beta' ORDER BY posting, line;

-- Months later: the chain is computed in its order, at the instants it would have happened.
SET credit.clock = '2026-08-15 00:00+00';
SELECT credit_balance('beta') AS counted;
SELECT credit_refresh() AS issued;
SELECT credit_balance('beta') AS issued;
SELECT source, granted, available, effective_at, expires_at FROM credit.lots WHERE account = 'beta' ORDER BY effective_at, lot;
SELECT kind, amount, source, occurred_at FROM credit.ledger WHERE account = 'beta' AND occurred_at >= '2026-06-01' ORDER BY posting, line;
SELECT at, credit_balance('beta', at => at) FROM unnest('{2026-05-31 23:59+00, 2026-06-01 00:00+00, 2026-07-01 00:00+00, 2026-08-01 00:00+00}'::timestamptz[]) AS at;

-- A limit on all that is carried: the oldest is trimmed. Carried credits live for three months here.
SET credit.clock = '2026-01-01 00:00+00';
SELECT credit_schedule('cap', 100, interval '1 month', rollover => '{"max_amount": 150, "expires_after": "3 months", "drawn": "last"}') > 0 AS declared;
SELECT m AS clock, set_config('credit.clock', m, false) IS NOT NULL AS set, credit_balance('cap'), credit_refresh() AS issued
FROM unnest('{2026-02-01 00:00+00, 2026-03-01 00:00+00, 2026-04-01 00:00+00, 2026-05-01 00:00+00}'::text[]) AS m;
SELECT source, granted, available, priority, effective_at, expires_at FROM credit.lots WHERE account = 'cap' ORDER BY lot;

-- Too little does not roll, and never more than a part of what was issued.
SET credit.clock = '2026-01-01 00:00+00';
SELECT credit_schedule('least', 100, interval '1 month', rollover => '{"min_amount": 50, "max_fraction_of_original": 0.25}') > 0 AS declared;
SELECT credit_schedule('part', 100, interval '1 month', rollover => '{"max_fraction_of_original": 0.25}') > 0 AS declared;
SET credit.clock = '2026-02-01 00:00+00';
SELECT credit_balance('least') AS least, credit_balance('part') AS part;

-- What was extended by hand, or voided, does not roll.
SELECT credit_schedule('hand', 100, interval '1 month', rollover => '{}') > 0 AS declared;
SELECT credit_set_expiry('hand', lot, '2027-01-01 00:00+00') > 0 AS extended FROM credit.lots WHERE account = 'hand';
SET credit.clock = '2026-03-01 00:00+00';
SELECT credit_refresh(account => 'hand') AS issued;
SELECT credit_void('hand', lot) FROM credit.lots WHERE account = 'hand' AND expires_at = '2026-04-01 00:00+00';
SET credit.clock = '2026-04-01 00:00+00';
SELECT credit_balance('hand') AS counted;
SELECT credit_refresh(account => 'hand') AS issued;
SELECT credit_balance('hand') AS issued;
SELECT * FROM credit_verify();
