-- Comments of plans, agreements and purchases.

COMMENT ON TABLE credit.plan IS 'Plans: what credits are sold by. What they cost is in credit.plan_price and credit.tier.';
COMMENT ON COLUMN credit.plan.plan IS 'The plan.';
COMMENT ON COLUMN credit.plan.unit IS 'The unit of its credits.';
COMMENT ON COLUMN credit.plan.currency IS 'ISO 4217 code of the money it is paid with.';
COMMENT ON COLUMN credit.plan.model IS 'How the tiers make a price: volume, all credits at the reached tier''s; graduated, each band at its own; package, in bundles; stairstep, one price from one tier to the next.';
COMMENT ON COLUMN credit.plan.reach IS 'What reaches a tier: this purchase, or all that was bought in the year of the account''s agreement (cumulative).';
COMMENT ON COLUMN credit.plan.floor_margin IS 'The least margin, as a part of the price: 0.3 is 30 %. NULL for none.';
COMMENT ON COLUMN credit.plan.below_floor IS 'What happens below the floor margin: refuse or flag.';
COMMENT ON COLUMN credit.plan.expiry IS 'How long its lots live, where neither purchase, agreement nor tier say it. NULL for ever.';
COMMENT ON COLUMN credit.plan.rate_card IS 'The rate card of accounts that have an agreement about the plan, where neither account nor agreement name one.';
COMMENT ON COLUMN credit.plan.created_at IS 'When it was created.';
COMMENT ON COLUMN credit.plan.note IS 'For people. Not interpreted.';

COMMENT ON TABLE credit.plan_price IS 'List prices of plans, as versions: each counts from effective_at until the next one.';
COMMENT ON COLUMN credit.plan_price.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.plan_price.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.plan_price.plan IS 'The plan.';
COMMENT ON COLUMN credit.plan_price.list_price IS 'Money for one credit.';
COMMENT ON COLUMN credit.plan_price.recorded_by IS 'The login role of the session that recorded it.';

COMMENT ON TABLE credit.plan_cost IS 'What one credit costs the provider, by how many are bought. The newest of the highest quantity that is reached counts.';
COMMENT ON COLUMN credit.plan_cost.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.plan_cost.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.plan_cost.plan IS 'The plan.';
COMMENT ON COLUMN credit.plan_cost.from_quantity IS 'From how many credits on.';
COMMENT ON COLUMN credit.plan_cost.unit_cost IS 'Money for one credit, in the plan''s currency.';
COMMENT ON COLUMN credit.plan_cost.recorded_by IS 'The login role of the session that recorded it.';

COMMENT ON TABLE credit.tier IS 'Versions of the tiers of plans, in force in [effective_at, ended_at).';
COMMENT ON COLUMN credit.tier.version IS 'The version''s id.';
COMMENT ON COLUMN credit.tier.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.tier.ended_at IS 'Until when; NULL when it is open.';
COMMENT ON COLUMN credit.tier.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.tier.negotiated IS 'Whether it has a price by agreement only.';
COMMENT ON COLUMN credit.tier.plan IS 'The plan.';
COMMENT ON COLUMN credit.tier.tier IS 'The tier.';
COMMENT ON COLUMN credit.tier.from_quantity IS 'From how many credits on it counts; the size of the bundle for packages.';
COMMENT ON COLUMN credit.tier.discount IS 'Part of the list price that is taken off: 0.12 is 12 %.';
COMMENT ON COLUMN credit.tier.unit_price IS 'Money for one credit.';
COMMENT ON COLUMN credit.tier.flat IS 'Money besides: for whoever reaches the tier, or enters the band; the price of a bundle or step.';
COMMENT ON COLUMN credit.tier.billing_period IS 'How often it is billed: month, quarter or year. The billing period of subscriptions in it.';
COMMENT ON COLUMN credit.tier.commitment IS 'For how long a subscription in it commits.';
COMMENT ON COLUMN credit.tier.expiry IS 'How long the lots live that are bought in it. NULL as the plan says.';
COMMENT ON COLUMN credit.tier.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.tier.override_reason IS 'Why it may be below the floor margin.';
COMMENT ON COLUMN credit.tier.note IS 'For people. Not interpreted.';

COMMENT ON TABLE credit.agreement IS 'What was agreed with accounts about plans, valid in [effective_at, ended_at).';
COMMENT ON COLUMN credit.agreement.agreement IS 'The agreement''s id.';
COMMENT ON COLUMN credit.agreement.effective_at IS 'From when on.';
COMMENT ON COLUMN credit.agreement.ended_at IS 'Until when; NULL when it is open.';
COMMENT ON COLUMN credit.agreement.agreed_at IS 'The instant as of which list price and tiers of the plan count.';
COMMENT ON COLUMN credit.agreement.recorded_at IS 'When it was recorded.';
COMMENT ON COLUMN credit.agreement.account IS 'The account.';
COMMENT ON COLUMN credit.agreement.plan IS 'The plan.';
COMMENT ON COLUMN credit.agreement.tier IS 'The tier whose price all credits have, whatever the quantity.';
COMMENT ON COLUMN credit.agreement.unit_price IS 'Money for one credit.';
COMMENT ON COLUMN credit.agreement.discount IS 'Part of the list price that is taken off.';
COMMENT ON COLUMN credit.agreement.committed_quantity IS 'How many credits it commits to buy in each year, from effective_at on.';
COMMENT ON COLUMN credit.agreement.committed_money IS 'How much money it commits to pay in each year, from effective_at on.';
COMMENT ON COLUMN credit.agreement.expiry IS 'How long the lots live that are bought by it.';
COMMENT ON COLUMN credit.agreement.pooling IS 'How the account pools its credits from effective_at until ended_at, unless the account is told otherwise meanwhile; see credit.pooling.';
COMMENT ON COLUMN credit.agreement.rate_card IS 'The account''s rate card, where the account names none.';
COMMENT ON COLUMN credit.agreement.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.agreement.override_reason IS 'Why it may be below the floor margin.';
COMMENT ON COLUMN credit.agreement.note IS 'For people. Not interpreted.';

COMMENT ON TABLE credit.purchase IS 'What accounts bought, and at which price.';
COMMENT ON COLUMN credit.purchase.purchase IS 'The purchase''s id.';
COMMENT ON COLUMN credit.purchase.recorded_at IS 'When it was bought.';
COMMENT ON COLUMN credit.purchase.settled_at IS 'When it became active or void; NULL while it is pending.';
COMMENT ON COLUMN credit.purchase.agreement IS 'The agreement that counted.';
COMMENT ON COLUMN credit.purchase.tier_version IS 'The version of the tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.purchase.account IS 'The account.';
COMMENT ON COLUMN credit.purchase.plan IS 'The plan.';
COMMENT ON COLUMN credit.purchase.status IS 'pending, active or void. Only an active one has lots.';
COMMENT ON COLUMN credit.purchase.tier IS 'The tier that was reached.';
COMMENT ON COLUMN credit.purchase.quantity IS 'How many credits were bought, in the unit; 0 for what a dearer plan charges besides.';
COMMENT ON COLUMN credit.purchase.bonus IS 'How many came on top.';
COMMENT ON COLUMN credit.purchase.list_price IS 'The list price of one credit.';
COMMENT ON COLUMN credit.purchase.discount IS 'The part of it that was taken off.';
COMMENT ON COLUMN credit.purchase.unit_price IS 'What one credit cost in the reached tier; NULL for bundles and steps.';
COMMENT ON COLUMN credit.purchase.paid IS 'What it cost, in the currency, with all its decimals.';
COMMENT ON COLUMN credit.purchase.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.purchase.unit IS 'The unit.';
COMMENT ON COLUMN credit.purchase.member IS 'Whose lots they are; NULL for the pool.';
COMMENT ON COLUMN credit.purchase.expiry IS 'How long its lots live; NULL for ever.';
COMMENT ON COLUMN credit.purchase.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.purchase.override_reason IS 'Why it may be below the floor margin.';
COMMENT ON COLUMN credit.purchase.metadata IS 'Your own data. Not interpreted.';

COMMENT ON TABLE credit.purchase_lot IS 'The lots of purchases. Those of a pending purchase are planned: the ids are taken, the lots do not exist.';
COMMENT ON COLUMN credit.purchase_lot.lot IS 'The lot.';
COMMENT ON COLUMN credit.purchase_lot.purchase IS 'The purchase.';
COMMENT ON COLUMN credit.purchase_lot.step IS 'How long after the activation it takes effect; NULL for at once.';
COMMENT ON COLUMN credit.purchase_lot.line IS 'Its position in the purchase, from 1.';
COMMENT ON COLUMN credit.purchase_lot.account IS 'The account.';
COMMENT ON COLUMN credit.purchase_lot.category IS 'paid or promotional.';
COMMENT ON COLUMN credit.purchase_lot.granted IS 'How many credits.';
COMMENT ON COLUMN credit.purchase_lot.paid IS 'Its part of what was paid: the parts add up to it.';

COMMENT ON SEQUENCE credit.tier_id IS 'Ids of versions of tiers.';
COMMENT ON SEQUENCE credit.agreement_id IS 'Ids of agreements.';
COMMENT ON SEQUENCE credit.purchase_id IS 'Ids of purchases.';
COMMENT ON INDEX credit.tier_by_plan IS 'The versions of a plan''s tiers.';
COMMENT ON INDEX credit.tier_current IS 'A tier has one version that is open.';
COMMENT ON INDEX credit.agreement_current IS 'An account has one open agreement about a plan.';
COMMENT ON INDEX credit.purchase_by_plan IS 'What an account bought by a plan.';
COMMENT ON INDEX credit.purchase_lot_by_purchase IS 'The lots of a purchase in their order.';

COMMENT ON TABLE credit.voided IS 'What credit_void() took out of lots. One row per void entry.';
COMMENT ON COLUMN credit.voided.posting IS 'The posting of the void entry.';
COMMENT ON COLUMN credit.voided.lot IS 'The lot.';
COMMENT ON COLUMN credit.voided.origin IS 'The lot that it descends from in its unit: of bought credits the one that the purchase granted; itself where it descends from none.';
COMMENT ON COLUMN credit.voided.account IS 'The account.';
COMMENT ON COLUMN credit.voided.amount IS 'How many credits.';
COMMENT ON COLUMN credit.voided.granted IS 'How many of them the lot was granted with. The others were added by adjustments, which leave last and have no price.';
COMMENT ON COLUMN credit.voided.paid IS 'What they had cost: their part of the lot''s price, cut to nine decimals; 0 for what was given.';
COMMENT ON INDEX credit.voided_by_origin IS 'What was voided of what a purchase granted.';
COMMENT ON TRIGGER voided_90_refuse_change ON credit.voided IS 'What was voided stays (ENABLE ALWAYS).';
COMMENT ON TRIGGER voided_92_refuse_truncate ON credit.voided IS 'What was voided stays (ENABLE ALWAYS).';

COMMENT ON VIEW credit.purchases IS 'One row per purchase, and what is kept of it: less what was voided of its lots, or taken back and paid back by a change of plan.';
COMMENT ON COLUMN credit.purchases.account IS 'The account.';
COMMENT ON COLUMN credit.purchases.purchase IS 'The purchase.';
COMMENT ON COLUMN credit.purchases.plan IS 'The plan.';
COMMENT ON COLUMN credit.purchases.tier IS 'The tier that was reached; NULL where the price was agreed.';
COMMENT ON COLUMN credit.purchases.agreement IS 'The agreement that counted.';
COMMENT ON COLUMN credit.purchases.status IS 'pending, active or void.';
COMMENT ON COLUMN credit.purchases.recorded_at IS 'When it was ordered.';
COMMENT ON COLUMN credit.purchases.settled_at IS 'When it became active or void; NULL while it is pending.';
COMMENT ON COLUMN credit.purchases.unit IS 'The unit of its credits.';
COMMENT ON COLUMN credit.purchases.quantity IS 'How many credits were bought, without a bonus.';
COMMENT ON COLUMN credit.purchases.paid IS 'What they cost, in the currency.';
COMMENT ON COLUMN credit.purchases.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.purchases.kept_quantity IS 'How many of them count as bought; 0 of a purchase that is not active.';
COMMENT ON COLUMN credit.purchases.kept_paid IS 'What of the money counts as paid.';

COMMENT ON VIEW credit.tier_economics IS 'One row per tier in force: its price, cost and margin, and what was sold in it. A tier that is over has a row without a price as long as something was sold in it; sales at agreed prices have one without a tier.';
COMMENT ON COLUMN credit.tier_economics.plan IS 'The plan.';
COMMENT ON COLUMN credit.tier_economics.tier IS 'The tier; NULL for what was sold at agreed prices.';
COMMENT ON COLUMN credit.tier_economics.from_quantity IS 'From how many credits on.';
COMMENT ON COLUMN credit.tier_economics.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.tier_economics.list_price IS 'The list price of one credit now.';
COMMENT ON COLUMN credit.tier_economics.discount IS 'The part of it that is taken off.';
COMMENT ON COLUMN credit.tier_economics.unit_price IS 'What one credit costs; of a bundle or step at its own quantity.';
COMMENT ON COLUMN credit.tier_economics.unit_cost IS 'What one credit costs the provider at that quantity.';
COMMENT ON COLUMN credit.tier_economics.margin_percent IS 'What is left of the price, in percent.';
COMMENT ON COLUMN credit.tier_economics.floor_margin IS 'The plan''s least margin.';
COMMENT ON COLUMN credit.tier_economics.below_floor IS 'Whether the price is below it.';
COMMENT ON COLUMN credit.tier_economics.customers IS 'How many accounts bought in it and kept something of that.';
COMMENT ON COLUMN credit.tier_economics.credits_sold IS 'How many credits they bought, less what was voided or taken back.';
COMMENT ON COLUMN credit.tier_economics.revenue IS 'What they paid, in the currency, less the price of what was voided and what was paid back.';

COMMENT ON VIEW credit.commitments IS 'One row per year of a commitment that has begun: what was promised, what was bought, what is missing.';
COMMENT ON COLUMN credit.commitments.account IS 'The account.';
COMMENT ON COLUMN credit.commitments.agreement IS 'The agreement.';
COMMENT ON COLUMN credit.commitments.plan IS 'The plan.';
COMMENT ON COLUMN credit.commitments.year IS 'The year of the agreement, from 1.';
COMMENT ON COLUMN credit.commitments.starts_at IS 'When the year begins.';
COMMENT ON COLUMN credit.commitments.ends_at IS 'When it ends, or the agreement does.';
COMMENT ON COLUMN credit.commitments.committed_quantity IS 'How many credits it commits to buy.';
COMMENT ON COLUMN credit.commitments.committed_money IS 'How much it commits to pay.';
COMMENT ON COLUMN credit.commitments.currency IS 'ISO 4217 code.';
COMMENT ON COLUMN credit.commitments.bought IS 'How many credits it bought in the year by the plan, from when they were paid, less what was voided or taken back.';
COMMENT ON COLUMN credit.commitments.paid IS 'What it paid for them, less the price of what was voided and what was paid back.';
COMMENT ON COLUMN credit.commitments.missing_quantity IS 'How many credits are missing.';
COMMENT ON COLUMN credit.commitments.missing_money IS 'How much money is missing.';

COMMENT ON TRIGGER plan_90_refuse_rename ON credit.plan IS 'Plans are never renamed: versions name them (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_91_refuse_delete ON credit.plan IS 'Plans are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_92_refuse_truncate ON credit.plan IS 'Plans are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_price_90_refuse_update ON credit.plan_price IS 'List prices never change (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_price_91_refuse_delete ON credit.plan_price IS 'List prices are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_price_92_refuse_truncate ON credit.plan_price IS 'List prices are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_cost_90_refuse_update ON credit.plan_cost IS 'Costs never change (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_cost_91_refuse_delete ON credit.plan_cost IS 'Costs are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_cost_92_refuse_truncate ON credit.plan_cost IS 'Costs are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER tier_90_refuse_update ON credit.tier IS 'Versions of tiers never change, but for their end, until it has come (ENABLE ALWAYS).';
COMMENT ON TRIGGER tier_91_refuse_delete ON credit.tier IS 'Versions of tiers are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER tier_92_refuse_truncate ON credit.tier IS 'Versions of tiers are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER agreement_90_refuse_update ON credit.agreement IS 'Agreements never change, but for their end, until it has come (ENABLE ALWAYS).';
COMMENT ON TRIGGER agreement_91_refuse_delete ON credit.agreement IS 'Agreements are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER agreement_92_refuse_truncate ON credit.agreement IS 'Agreements are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER purchase_90_refuse_update ON credit.purchase IS 'What was bought never changes; a pending purchase becomes active or void, once (ENABLE ALWAYS).';
COMMENT ON TRIGGER purchase_91_refuse_delete ON credit.purchase IS 'Purchases are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER purchase_92_refuse_truncate ON credit.purchase IS 'Purchases are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER purchase_lot_90_refuse_update ON credit.purchase_lot IS 'Lots of purchases never change (ENABLE ALWAYS).';
COMMENT ON TRIGGER purchase_lot_91_refuse_delete ON credit.purchase_lot IS 'Lots of purchases are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER purchase_lot_92_refuse_truncate ON credit.purchase_lot IS 'Lots of purchases are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER plan_95_announce ON credit.plan IS 'Tells the backends that remember rate cards (ENABLE ALWAYS).';
COMMENT ON TRIGGER agreement_95_announce ON credit.agreement IS 'Tells the backends that remember rate cards (ENABLE ALWAYS).';

COMMENT ON FUNCTION credit_plan(text, text, text, numeric, text, text, numeric, text, interval, text, text) IS
'Creates a plan, or changes what is given of it. unit: of its credits; currency: ISO 4217; list_price: money for one credit, another one is another version from now on. model: volume, graduated, package or stairstep. reach: purchase, or cumulative over the year of the account''s agreement. floor_margin: the least margin (0.3), and below_floor what happens below it: refuse or flag. expiry: how long its lots live. rate_card: of accounts with an agreement about the plan. Returns the plan.
Errors: 22023 malformed argument or unknown currency; P0002 unknown unit or rate card; 55000 another unit, currency or model once it has tiers.';
COMMENT ON FUNCTION credit_tier(text, text, numeric, numeric, numeric, numeric, text, interval, interval, boolean, timestamptz, boolean, text, text) IS
'Makes a version of a tier from effective_at (now) on, in the place of the one before. from_quantity: from how many credits on (the size of a bundle). discount off the list price (0.12), or unit_price; flat: money besides, or alone. negotiated: it has a price by agreement only. billing_period, commitment: for your contracts. expiry: how long its lots live. withdraw: the tier ends. override_reason: why it may be below the plan''s floor margin; it is recorded. Returns the version.
Errors: 22023 malformed argument, or tiers that leave a gap or overlap; P0002 unknown plan or tier; 55000 in the past, after a version that is announced, or below the floor margin.';
COMMENT ON FUNCTION credit_plan_cost(text, numeric, numeric) IS
'Records what one credit costs the provider, in the plan''s currency, from from_quantity credits on (0), from now on. Returns the plan.
Errors: 22023 malformed argument; P0002 unknown plan; 55000 when a cost from this instant on is known.';
COMMENT ON FUNCTION credit_standard_plan(text, text, text, numeric, numeric, numeric, numeric) IS
'Installs the standard structure as a plan by volume: starter at the list price and growth 12 % below it, billed by the month; scale 25 % below it, billed by the year; enterprise by agreement only. growth_from, scale_from, enterprise_from: from how many credits on. Every tier can be changed with credit_tier() afterwards. Returns the plan.
Errors: as credit_plan() and credit_tier().';
COMMENT ON FUNCTION credit_agreement(text, text, text, numeric, numeric, numeric[], numeric[], interval, text, text, timestamptz, timestamptz, text, text) IS
'Agrees with an account about a plan, from effective_at (now) until ended_at; it ends the agreement before. tier: all credits at that tier''s price; or unit_price, or discount off the list price; without any of them the plan''s prices as they are now. committed_quantity or committed_money: what it commits to buy or pay in each year. expiry, pooling, rate_card: its own; pooling counts for the account while the agreement does, unless it is told otherwise meanwhile. override_reason: why it may be below the plan''s floor margin; it is recorded. Returns the agreement.
Errors: 22023 malformed or contradictory argument; P0002 unknown plan, tier or rate card; 55000 in the past, before an agreement that is announced, or below the floor margin.';
COMMENT ON FUNCTION credit_end_agreement(text, text, timestamptz) IS
'Ends what was agreed with an account about a plan, at ended_at (now), and what it said of the account''s pooling. Returns the account.
Errors: 22023 malformed argument; P0002 no agreement; 55000 in the past, or when another agreement is announced.';
COMMENT ON FUNCTION credit_quote(text, numeric, text, numeric, text) IS
'What a quantity of credits costs by a plan, or how many credits a budget buys. With an account, by what was agreed with it: agreement says by which. total is rounded once, to the currency. lines: each band or bundle, they add up to the total. next_tier: how many more credits (next_quantity) reach it, what one of them costs (marginal_price) and the total then (next_total). warning: where more credits cost less, or the margin is below the floor. margin_percent and that warning are for roles that may read credit.plan_cost.
Errors: 22023 malformed argument, another currency than the plan''s, neither or both of quantity and budget; P0002 unknown plan; 55000 a quantity that needs an agreement, or a price below the floor margin; 22003 a total out of range.';
COMMENT ON FUNCTION credit_purchase(text, text, numeric, numeric, text, boolean, numeric, boolean, boolean, integer, interval, boolean, text, interval, text, text, jsonb) IS
'Buys credits as credit_quote() says, and grants them as a lot; by_band: one for each band; instalments: so many, an instalment_period apart (the billing period of the tier). prorate: only the part, of the quantity and its price, that is left of the account''s billing period by days. pending: nothing is granted before credit_activate(); credit_void() gives it up. bonus: credits on top, as a promotional lot, or with blend as a paid one that shares the cost basis; it counts to the costs. member: whose lots. expiry: how long they live. override_reason: why it may be below the plan''s floor margin; it is recorded. Under a key, a repetition buys nothing. Returns the first lot.
Errors: as credit_quote(); 22023 so few that nothing is left of their price when it is rounded; 23505 key reused; P0002 unregistered and 55000 inactive member; to prorate, P0002 no subscription, and 55000 nothing left of its period.';
COMMENT ON FUNCTION credit_activate(text, bigint) IS
'Grants a purchase that is pending: its payment is confirmed. Its lots live from now on. Nothing when that was done before. Returns the lot.
Errors: 22023 malformed argument; P0002 no such lot of a purchase; 55000 when the purchase was voided, or its member is inactive.';
