-- Comments of subscriptions.

COMMENT ON TABLE credit.subscription IS 'The plans that accounts are on, as versions in force in [effective_at, ended_at). An account has one at a time in each unit.';
COMMENT ON COLUMN credit.subscription.subscription IS 'The subscription''s id.';
COMMENT ON COLUMN credit.subscription.origin IS 'The first of the subscriptions that share their periods.';
COMMENT ON COLUMN credit.subscription.predecessor IS 'The one before; NULL for the first.';
COMMENT ON COLUMN credit.subscription.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.subscription.ended_at IS 'Until when; NULL when it is open. What was announced and does not come ended when it was to begin.';
COMMENT ON COLUMN credit.subscription.agreed_at IS 'The instant as of which list price and tiers of the plan counted.';
COMMENT ON COLUMN credit.subscription.anchor IS 'What its periods are counted from, on the account''s calendar.';
COMMENT ON COLUMN credit.subscription.committed_until IS 'Until when the account is committed to it; NULL for no commitment.';
COMMENT ON COLUMN credit.subscription.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.subscription.agreement IS 'The agreement that counted.';
COMMENT ON COLUMN credit.subscription.tier_version IS 'The version of the tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.subscription.phase IS 'How many months after the anchor a period begins.';
COMMENT ON COLUMN credit.subscription.account IS 'The account.';
COMMENT ON COLUMN credit.subscription.unit IS 'The unit of its credits.';
COMMENT ON COLUMN credit.subscription.plan IS 'The plan.';
COMMENT ON COLUMN credit.subscription.tier IS 'The tier that was reached.';
COMMENT ON COLUMN credit.subscription.billing_period IS 'How long a period is: month, quarter or year.';
COMMENT ON COLUMN credit.subscription.quantity IS 'How many credits a whole period grants.';
COMMENT ON COLUMN credit.subscription.price IS 'What a whole period costs, in the currency, with all its decimals.';
COMMENT ON COLUMN credit.subscription.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.subscription.list_price IS 'The list price of one credit.';
COMMENT ON COLUMN credit.subscription.discount IS 'The part of it that is taken off.';
COMMENT ON COLUMN credit.subscription.unit_price IS 'What one credit costs in the reached tier; NULL for bundles and steps.';
COMMENT ON COLUMN credit.subscription.expiry IS 'How long its lots live; NULL for ever.';
COMMENT ON COLUMN credit.subscription.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.subscription.override_reason IS 'Why it may be below the floor margin, or leave a commitment.';
COMMENT ON COLUMN credit.subscription.end_reason IS 'Why it was cancelled before its commitment ended.';
COMMENT ON COLUMN credit.subscription.metadata IS 'Your own data. Not interpreted.';

COMMENT ON TABLE credit.plan_change IS 'What each call of credit_change_plan() did, as it returned it.';
COMMENT ON COLUMN credit.plan_change.change IS 'The change''s id.';
COMMENT ON COLUMN credit.plan_change.subscription IS 'The subscription that it began.';
COMMENT ON COLUMN credit.plan_change.effective_at IS 'When it took effect, or will.';
COMMENT ON COLUMN credit.plan_change.period_end IS 'When the period ends in which it was made; of a new period, when that ends.';
COMMENT ON COLUMN credit.plan_change.committed_until IS 'Until when the account is committed then.';
COMMENT ON COLUMN credit.plan_change.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.plan_change.days_left IS 'The days of the period that were left, the day of the change included.';
COMMENT ON COLUMN credit.plan_change.days_in_period IS 'The days of the whole period.';
COMMENT ON COLUMN credit.plan_change.lots_kept IS 'How many lots from before still held credits: they stay as they are.';
COMMENT ON COLUMN credit.plan_change.account IS 'The account.';
COMMENT ON COLUMN credit.plan_change.from_plan IS 'The plan before; NULL for the first one.';
COMMENT ON COLUMN credit.plan_change.to_plan IS 'The plan from then on.';
COMMENT ON COLUMN credit.plan_change.charge IS 'Money to be charged, in the currency.';
COMMENT ON COLUMN credit.plan_change.credit IS 'Money to be paid back, in the currency.';
COMMENT ON COLUMN credit.plan_change.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.plan_change.granted IS 'How many credits it granted.';
COMMENT ON COLUMN credit.plan_change.returned IS 'How many unused credits it took back.';
COMMENT ON COLUMN credit.plan_change.renewals IS 'How many periods had begun and were bought first.';
COMMENT ON COLUMN credit.plan_change.renewed_granted IS 'How many credits these granted, besides granted.';
COMMENT ON COLUMN credit.plan_change.renewed_charge IS 'What they cost, besides charge.';
COMMENT ON COLUMN credit.plan_change.renewed_currency IS 'The currency of that; NULL when nothing was renewed.';
COMMENT ON COLUMN credit.plan_change.new_price IS 'What a whole period costs from then on.';
COMMENT ON COLUMN credit.plan_change.note IS 'What to know of it; NULL for nothing.';
COMMENT ON COLUMN credit.plan_change.recorded_by IS 'The login role of the session that recorded it.';

COMMENT ON TABLE credit.subscription_purchase IS 'The purchases of subscriptions: one for each period, and what changes within it granted besides.';
COMMENT ON COLUMN credit.subscription_purchase.purchase IS 'The purchase.';
COMMENT ON COLUMN credit.subscription_purchase.subscription IS 'The subscription.';
COMMENT ON COLUMN credit.subscription_purchase.origin IS 'The first of the subscriptions that share the period.';
COMMENT ON COLUMN credit.subscription_purchase.change IS 'The change that made it; NULL for a renewal.';
COMMENT ON COLUMN credit.subscription_purchase.renewed_in IS 'The change that had the period renewed first; NULL for one that credit_renew() bought.';
COMMENT ON COLUMN credit.subscription_purchase.period_start IS 'When the period begins.';
COMMENT ON COLUMN credit.subscription_purchase.period_end IS 'When the period ends.';
COMMENT ON COLUMN credit.subscription_purchase.account IS 'The account.';
COMMENT ON COLUMN credit.subscription_purchase.reason IS 'period, the period itself; or change, what a change granted besides.';

COMMENT ON TABLE credit.subscription_return IS 'Unused credits that a change took back from a lot, and the money for them.';
COMMENT ON COLUMN credit.subscription_return.posting IS 'The posting in the ledger.';
COMMENT ON COLUMN credit.subscription_return.lot IS 'The lot.';
COMMENT ON COLUMN credit.subscription_return.subscription IS 'The subscription that began.';
COMMENT ON COLUMN credit.subscription_return.origin IS 'The first of the subscriptions whose period granted them.';
COMMENT ON COLUMN credit.subscription_return.change IS 'The change.';
COMMENT ON COLUMN credit.subscription_return.period_start IS 'When the period began that had granted them.';
COMMENT ON COLUMN credit.subscription_return.account IS 'The account.';
COMMENT ON COLUMN credit.subscription_return.returned IS 'How many credits.';
COMMENT ON COLUMN credit.subscription_return.credit IS 'What is paid back for them: their cost basis, rounded down to the currency.';

COMMENT ON SEQUENCE credit.subscription_id IS 'Ids of subscriptions.';
COMMENT ON SEQUENCE credit.plan_change_id IS 'Ids of changes of plans.';
COMMENT ON INDEX credit.subscription_current IS 'An account has one open subscription in a unit.';
COMMENT ON INDEX credit.subscription_by_unit IS 'The subscriptions of an account in their order.';
COMMENT ON INDEX credit.subscription_purchase_of_period IS 'A period is bought once.';
COMMENT ON INDEX credit.subscription_purchase_by_origin IS 'What a period was granted.';
COMMENT ON INDEX credit.subscription_return_by_lot IS 'What was returned of a lot.';
COMMENT ON INDEX credit.subscription_return_by_origin IS 'What was returned in a period.';

COMMENT ON TRIGGER subscription_90_refuse_update ON credit.subscription IS 'Only the end of a version that has not come can be set (ENABLE ALWAYS).';
COMMENT ON TRIGGER subscription_91_refuse_delete ON credit.subscription IS 'Versions stay (ENABLE ALWAYS).';
COMMENT ON TRIGGER subscription_92_refuse_truncate ON credit.subscription IS 'Versions stay (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_change_90_refuse_change ON credit.plan_change IS 'What happened stays (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_change_92_refuse_truncate ON credit.plan_change IS 'What happened stays (ENABLE ALWAYS).';
COMMENT ON TRIGGER subscription_purchase_90_refuse_change ON credit.subscription_purchase IS 'What was bought stays (ENABLE ALWAYS).';
COMMENT ON TRIGGER subscription_purchase_92_refuse_truncate ON credit.subscription_purchase IS 'What was bought stays (ENABLE ALWAYS).';
COMMENT ON TRIGGER subscription_return_90_refuse_change ON credit.subscription_return IS 'What was paid back stays (ENABLE ALWAYS).';
COMMENT ON TRIGGER subscription_return_92_refuse_truncate ON credit.subscription_return IS 'What was paid back stays (ENABLE ALWAYS).';

COMMENT ON VIEW credit.instalments IS 'One row per part of a purchase: how much is due when. The amounts add up to what is kept of what was paid (credit.purchases.kept_paid), while it is not pending.';
COMMENT ON COLUMN credit.instalments.account IS 'The account.';
COMMENT ON COLUMN credit.instalments.purchase IS 'The purchase.';
COMMENT ON COLUMN credit.instalments.line IS 'Its position in the purchase, from 1.';
COMMENT ON COLUMN credit.instalments.plan IS 'The plan.';
COMMENT ON COLUMN credit.instalments.tier IS 'The tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.instalments.billing_period IS 'How often the tier is billed: month, quarter or year.';
COMMENT ON COLUMN credit.instalments.status IS 'Of the purchase: pending, active or void.';
COMMENT ON COLUMN credit.instalments.due_at IS 'When it is due, on the account''s calendar; of a pending purchase, if it were activated when it was made.';
COMMENT ON COLUMN credit.instalments.amount IS 'How much, in the currency, with all its decimals: as agreed, less the price of what was voided of its lot and what was paid back for it; 0 of a void purchase.';
COMMENT ON COLUMN credit.instalments.agreed IS 'How much was agreed. These add up to what was paid.';
COMMENT ON COLUMN credit.instalments.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.instalments.granted IS 'The credits it is for, in the unit of the plan.';
COMMENT ON COLUMN credit.instalments.lot IS 'Their lot.';
COMMENT ON COLUMN credit.instalments.is_due IS 'Whether it is due by now.';

COMMENT ON VIEW credit.subscriptions IS 'One row per subscription in force, and per change that is announced.';
COMMENT ON COLUMN credit.subscriptions.account IS 'The account.';
COMMENT ON COLUMN credit.subscriptions.unit IS 'The unit of its credits.';
COMMENT ON COLUMN credit.subscriptions.subscription IS 'The subscription.';
COMMENT ON COLUMN credit.subscriptions.plan IS 'The plan.';
COMMENT ON COLUMN credit.subscriptions.tier IS 'The tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.subscriptions.quantity IS 'How many credits a whole period grants.';
COMMENT ON COLUMN credit.subscriptions.price IS 'What a whole period costs, in the currency.';
COMMENT ON COLUMN credit.subscriptions.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.subscriptions.billing_period IS 'How long a period is: month, quarter or year.';
COMMENT ON COLUMN credit.subscriptions.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.subscriptions.ended_at IS 'Until when; NULL when it is open.';
COMMENT ON COLUMN credit.subscriptions.committed_until IS 'Until when the account is committed to it.';
COMMENT ON COLUMN credit.subscriptions.is_announced IS 'Whether it begins later.';
COMMENT ON COLUMN credit.subscriptions.period_start IS 'When the current period began, if it was bought.';
COMMENT ON COLUMN credit.subscriptions.period_end IS 'When it ends.';

COMMENT ON FUNCTION credit_change_plan(text, text, numeric, timestamptz, boolean, text, timestamptz, text, text, jsonb) IS
'Puts an account on a plan with so many credits (quantity) for each billing period, or changes that; quantity stays as it was unless given. What costs more for the same time takes effect at once: it grants and charges what the days that are left entitle to, less what the period granted and charged already; its price also where it grants no more credits of its own. What costs less takes effect when the period ends; with at => now() unused credits that the period does not entitle to any more are taken back and credited at their cost basis, as far as the price of the days falls. Lots are kept. at: now, or the end of the period. preview: nothing changes, and the row is what applying it at that instant gives. billing_period: month, quarter or year; as the tier says, or as before. anchor: what periods are counted from, for the first subscription. override_reason: why a commitment may be left, or a price be below the floor; it is recorded. Under a key, a repetition changes nothing and returns the same row. charge and credit: money in currency; granted and returned: credits. Periods that had begun and were not bought are bought first: renewals says how many, renewed_granted and renewed_charge (in renewed_currency) what they came to, besides granted and charge.
Errors: as credit_quote(); 22023 no quantity for the first subscription; 55000 before a commitment ends, at another instant, when nothing changes, or with periods to renew in two currencies; 23505 key reused; 40001 when a lot expired while it was waited for.';
COMMENT ON FUNCTION credit_renew(text, timestamptz, text) IS
'Buys each period of an account''s subscriptions that has begun until at (now) and is not bought, in their order, usable from when it began. A period whose credits would have expired is passed over. Two at once buy once. A row for each period: granted in credits, paid in the currency.
Errors: 22023 malformed argument; P0002 unknown account; 55000 an instant in the future.';
COMMENT ON FUNCTION credit_cancel_plan(text, text, text) IS
'Ends the subscription of an account in a unit (its own) with the last period that was bought, and drops what is announced. It buys nothing: where nobody renewed, that end has passed. override_reason: why a commitment may be left; it is recorded. Returns when it ends.
Errors: 22023 malformed argument; P0002 unknown account, or no subscription; 55000 before its commitment ends.';
