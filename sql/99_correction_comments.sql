-- Comments on what came back.

COMMENT ON TABLE credit.correction IS 'What was given back of a line of a debit. A line never gets back more than it took.';
COMMENT ON COLUMN credit.correction.posting IS 'The posting of the debit.';
COMMENT ON COLUMN credit.correction.line IS 'The line of it.';
COMMENT ON COLUMN credit.correction.account IS 'The account.';
COMMENT ON COLUMN credit.correction.given_back IS 'What was given back, less what was taken again.';
COMMENT ON COLUMN credit.correction.quantity IS 'The same of the quantity that the line is the price of.';
COMMENT ON TRIGGER correction_90_refuse_update ON credit.correction IS 'Amounts change, the line does not. Raises 55000 (ENABLE ALWAYS).';
COMMENT ON TRIGGER correction_91_refuse_delete ON credit.correction IS 'What was given back is never forgotten (ENABLE ALWAYS).';
COMMENT ON TRIGGER correction_92_refuse_truncate ON credit.correction IS 'What was given back is never forgotten (ENABLE ALWAYS).';

COMMENT ON TABLE credit.lot_gain IS 'What came back to a lot after it was granted. A lot of which nothing was corrected or adjusted has no row.';
COMMENT ON COLUMN credit.lot_gain.lot IS 'The lot.';
COMMENT ON COLUMN credit.lot_gain.account IS 'The account.';
COMMENT ON COLUMN credit.lot_gain.adjusted IS 'What adjustments that correct no debit added, less what they took. It carries no price.';
COMMENT ON COLUMN credit.lot_gain.given_back IS 'What corrections of debits gave back, less what they took again.';
COMMENT ON TRIGGER lot_gain_90_refuse_update ON credit.lot_gain IS 'Amounts change, the lot does not. Raises 55000 (ENABLE ALWAYS).';
COMMENT ON TRIGGER lot_gain_91_refuse_delete ON credit.lot_gain IS 'What came back is never forgotten (ENABLE ALWAYS).';
COMMENT ON TRIGGER lot_gain_92_refuse_truncate ON credit.lot_gain IS 'What came back is never forgotten (ENABLE ALWAYS).';
