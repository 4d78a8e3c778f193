-- Comments on the reports of the credit-to-value mapping: their views and functions.

COMMENT ON VIEW credit.units IS 'One row per unit, with what one of it is worth in money now.';
COMMENT ON COLUMN credit.units.unit IS 'The unit.';
COMMENT ON COLUMN credit.units.decimals IS 'The decimals that amounts of it may have.';
COMMENT ON COLUMN credit.units.rounding IS 'How computed prices in it are rounded, once: half_even, half_up, up or down.';
COMMENT ON COLUMN credit.units.currency IS 'The currency of its value (ISO 4217); NULL when it has none.';
COMMENT ON COLUMN credit.units.kind IS 'money: one of it is one of the currency. abstract: what it buys is said by rate cards.';
COMMENT ON COLUMN credit.units.fiat_per_credit IS 'Money per credit now, in currency; NULL when no value is in force.';
COMMENT ON COLUMN credit.units.since IS 'Since when this value is in force; NULL for money.';
COMMENT ON COLUMN credit.units.next_fiat_per_credit IS 'The next announced value; NULL when none is.';
COMMENT ON COLUMN credit.units.next_at IS 'When it comes into force.';

COMMENT ON VIEW credit.conversion_table IS 'The published table: one row per rate in force now, in both directions, with the next announced change. It shows no costs. Filter on card.';
COMMENT ON COLUMN credit.conversion_table.card IS 'The rate card.';
COMMENT ON COLUMN credit.conversion_table.unit IS 'The unit that the card charges in.';
COMMENT ON COLUMN credit.conversion_table.operation IS 'What is charged for.';
COMMENT ON COLUMN credit.conversion_table.dimensions IS 'The dimensions that usage must have for this rate; {} for any.';
COMMENT ON COLUMN credit.conversion_table.credits IS 'Credits per `per` units of quantity; with tiers, in the first band.';
COMMENT ON COLUMN credit.conversion_table.per IS 'The quantity that `credits` buy.';
COMMENT ON COLUMN credit.conversion_table.block IS 'Whether each started `per` is charged wholly.';
COMMENT ON COLUMN credit.conversion_table.minimum IS 'What a call costs at least, in credits; NULL for no minimum.';
COMMENT ON COLUMN credit.conversion_table.tiers IS 'The further bands: from which quantity, how many credits per `per`.';
COMMENT ON COLUMN credit.conversion_table.tier_scope IS 'Within what the bands count: a call, or an account''s day, month, quarter or year.';
COMMENT ON COLUMN credit.conversion_table.credits_per_unit IS 'Credits for one unit of quantity; with tiers, in the first band.';
COMMENT ON COLUMN credit.conversion_table.units_per_credit IS 'The quantity that one credit buys; NULL when it is free.';
COMMENT ON COLUMN credit.conversion_table.fiat_per_unit IS 'Money for one unit of quantity, in currency; NULL when the unit has no value now.';
COMMENT ON COLUMN credit.conversion_table.currency IS 'The currency of fiat_per_unit (ISO 4217).';
COMMENT ON COLUMN credit.conversion_table.since IS 'Since when the rate is in force.';
COMMENT ON COLUMN credit.conversion_table.next_credits IS 'The credits of the next announced version; NULL when none is announced.';
COMMENT ON COLUMN credit.conversion_table.next_per IS 'The quantity that next_credits buy.';
COMMENT ON COLUMN credit.conversion_table.next_at IS 'When the rate changes, or ends when next_credits is NULL; NULL for neither.';
COMMENT ON COLUMN credit.conversion_table.rate IS 'The version''s id, as ledger lines name it.';

COMMENT ON VIEW credit.rate_history IS 'One row per version of a rate, with the change it brought. Filter on card.';
COMMENT ON COLUMN credit.rate_history.card IS 'The rate card.';
COMMENT ON COLUMN credit.rate_history.operation IS 'What is charged for.';
COMMENT ON COLUMN credit.rate_history.dimensions IS 'The dimensions that usage must have for this rate; {} for any.';
COMMENT ON COLUMN credit.rate_history.version IS 'The version''s number among those of its card, operation and dimensions, from 1.';
COMMENT ON COLUMN credit.rate_history.rate IS 'The version''s id, as ledger lines name it.';
COMMENT ON COLUMN credit.rate_history.status IS 'past, current, announced, or superseded: it ended before it began.';
COMMENT ON COLUMN credit.rate_history.credits IS 'Credits per `per` units of quantity; with tiers, in the first band.';
COMMENT ON COLUMN credit.rate_history.per IS 'The quantity that `credits` buy.';
COMMENT ON COLUMN credit.rate_history.block IS 'Whether each started `per` is charged wholly.';
COMMENT ON COLUMN credit.rate_history.minimum IS 'What a call costs at least, in credits; NULL for no minimum.';
COMMENT ON COLUMN credit.rate_history.tiers IS 'The further bands: from which quantity, how many credits per `per`.';
COMMENT ON COLUMN credit.rate_history.tier_scope IS 'Within what the bands count: a call, or an account''s day, month, quarter or year.';
COMMENT ON COLUMN credit.rate_history.effective_at IS 'The first instant at which the version prices.';
COMMENT ON COLUMN credit.rate_history.ended_at IS 'The first instant at which it does not price any more; NULL for no end.';
COMMENT ON COLUMN credit.rate_history.previous IS 'The version in force before; NULL for the first.';
COMMENT ON COLUMN credit.rate_history.previous_credits IS 'The credits of the previous version.';
COMMENT ON COLUMN credit.rate_history.previous_per IS 'The quantity that previous_credits buy.';
COMMENT ON COLUMN credit.rate_history.change_percent IS 'How much dearer (positive) or cheaper a unit of quantity became, in percent, rounded to 4 decimals; with tiers, in the first band. NULL without a previous price above zero.';
COMMENT ON COLUMN credit.rate_history.published_at IS 'When the version was published.';
COMMENT ON COLUMN credit.rate_history.published_by IS 'The login role of the session that published it.';
COMMENT ON COLUMN credit.rate_history.override_reason IS 'Why it was published sooner than the card''s notice; NULL where the notice was kept.';
COMMENT ON COLUMN credit.rate_history.note IS 'Anything said about the version.';

COMMENT ON VIEW credit.margin IS 'One row per rate in force now: its price in money, the provider''s cost, and what is between them, for a unit of quantity.';
COMMENT ON COLUMN credit.margin.card IS 'The rate card.';
COMMENT ON COLUMN credit.margin.operation IS 'What is charged for.';
COMMENT ON COLUMN credit.margin.dimensions IS 'The dimensions that usage must have for this rate; {} for any.';
COMMENT ON COLUMN credit.margin.rate IS 'The version''s id.';
COMMENT ON COLUMN credit.margin.currency IS 'The currency of prices and costs (ISO 4217): that of the card''s unit.';
COMMENT ON COLUMN credit.margin.price IS 'Money for a unit of quantity, at the value of the card''s unit; with tiers, in the first band.';
COMMENT ON COLUMN credit.margin.lowest_price IS 'The same in the cheapest band.';
COMMENT ON COLUMN credit.margin.cost IS 'The provider''s price of a unit of quantity; NULL when unknown.';
COMMENT ON COLUMN credit.margin.margin IS 'price - cost.';
COMMENT ON COLUMN credit.margin.margin_percent IS 'The margin in percent of the price, rounded to 4 decimals.';
COMMENT ON COLUMN credit.margin.lowest_margin_percent IS 'The same in the cheapest band.';

COMMENT ON VIEW credit.margin_by_account IS 'What was earned by usage that rates priced, from the ledger, by account, card and operation. Filter on account.';
COMMENT ON COLUMN credit.margin_by_account.account IS 'The account.';
COMMENT ON COLUMN credit.margin_by_account.card IS 'The rate card that priced.';
COMMENT ON COLUMN credit.margin_by_account.operation IS 'What was charged for.';
COMMENT ON COLUMN credit.margin_by_account.currency IS 'The currency of the money (ISO 4217): that of the card''s unit.';
COMMENT ON COLUMN credit.margin_by_account.quantity IS 'How much of the operation was used.';
COMMENT ON COLUMN credit.margin_by_account.credits IS 'The credits it cost.';
COMMENT ON COLUMN credit.margin_by_account.list_value IS 'What those credits were worth by the unit''s value at the time of use.';
COMMENT ON COLUMN credit.margin_by_account.revenue IS 'What the customer paid for those credits: at the cost basis of the lots, where it is in this currency.';
COMMENT ON COLUMN credit.margin_by_account.credits_without_price IS 'The credits among them that brought no revenue in this currency: given away, or sold in another.';
COMMENT ON COLUMN credit.margin_by_account.cost IS 'What the provider charged: quantity x the cost of the rate that priced it, where it is known.';
COMMENT ON COLUMN credit.margin_by_account.quantity_without_cost IS 'The quantity whose cost is unknown.';
COMMENT ON COLUMN credit.margin_by_account.margin IS 'revenue - cost; NULL when no cost is known.';
COMMENT ON COLUMN credit.margin_by_account.margin_percent IS 'The margin in percent of the revenue, rounded to 4 decimals; NULL without revenue or cost.';

COMMENT ON FUNCTION credit_conversion_markdown(text) IS
'The rates of a card in force now, as a table in Markdown (GFM) for a page of documentation. Dates are UTC; units per credit are rounded to 6 decimals, money to 12.
Errors: 22023 malformed argument; P0002 unknown card.';
COMMENT ON FUNCTION credit_export_rate_card(text, boolean) IS
'The rates of a card in force now, with the card and its unit, as JSON that credit_import_rate_card() reads; without the costs where it is for others.
Errors: 22023 malformed argument; P0002 unknown card.';
COMMENT ON FUNCTION credit_check_design(numeric, integer) IS
'Inconsistencies of units, cards and rates, a row for each: severity (error or warning), what was found, about what, the numbers, and a way out. max_spread: how far prices of an operation may lie apart without an agreement, as a share of the lowest; days: how much usage counts, back from now.
Errors: 22023 malformed argument.';

COMMENT ON TABLE credit.conversion IS 'Conversions between units of an account: the posting has the entries, this row the rate. Written by credit_convert() only.';
COMMENT ON COLUMN credit.conversion.posting IS 'The posting.';
COMMENT ON COLUMN credit.conversion.recorded_at IS 'When it was written.';
COMMENT ON COLUMN credit.conversion.account IS 'The account.';
COMMENT ON COLUMN credit.conversion.from_unit IS 'The unit that was given.';
COMMENT ON COLUMN credit.conversion.to_unit IS 'The unit that was got.';
COMMENT ON COLUMN credit.conversion.from_amount IS 'How much was given, in from_unit.';
COMMENT ON COLUMN credit.conversion.to_amount IS 'How much was got, in to_unit, rounded once.';
COMMENT ON COLUMN credit.conversion.rate IS 'Of to_unit for one of from_unit, to as many as 18 decimals; the amount is computed from the exact ratio.';
COMMENT ON COLUMN credit.conversion.recorded_by IS 'The login role of the session that wrote it.';
COMMENT ON TRIGGER conversion_90_refuse_change ON credit.conversion IS 'A recorded conversion never changes (ENABLE ALWAYS).';
COMMENT ON TRIGGER conversion_92_refuse_truncate ON credit.conversion IS 'A recorded conversion never changes (ENABLE ALWAYS).';

COMMENT ON FUNCTION credit_convert(text, numeric, text, text, numeric, text, text, text, jsonb) IS
'Converts an amount of from_unit (NULL: the account''s own) into to_unit and returns the posting''s id. Takes what a debit of this member and operation would draw; each lot that gives becomes a lot of the new unit with the same terms, and the part of its price goes along, to the last decimal. rate: credits of to_unit for one of from_unit; unless given, what both are worth in the same currency now. The whole is rounded once, by the rounding of to_unit. Under a key, a repetition returns the same posting.
Errors: 23514 insufficient credits; 22023 malformed argument, one unit only, units without a common currency, or too little to convert; 22003 from 10^15 on; P0002 unknown account or unit, or unregistered member where members must be; 23505 key used for another request; 55000 inactive member; 40001 and 40P01: repeat the transaction.';

COMMENT ON FUNCTION credit_reprice(text, text, numeric, text, timestamptz, numeric, jsonb) IS
'Writes the draft of the rate that follows when the provider''s price of a unit of quantity changes; credit_publish() publishes it. policy pass_through: the customer keeps the difference, the margin stays the same share of the price; hold: the rate stays, the margin moves; adjust: the margin becomes target_margin, a share (0.6 is 60%). Tiers keep their proportion, a minimum stays; credits are rounded once, half to even, to 9 decimals. Returns the draft''s id, both rates, the change for the customer in percent, and the margins as shares of the price of the first band.
Errors: 22023 malformed argument, no old cost, or no value in money; 22003 out of range; P0002 unknown card, or no rate in force at effective_at (now unless given).';
COMMENT ON FUNCTION credit_reprice_preview(text, text, integer) IS
'The same as credit_reprice_preview(card, days), of one account.
Errors: 22023 malformed argument; P0002 unknown card or account; 22003 out of range.';
COMMENT ON FUNCTION credit_reprice_preview(text, integer) IS
'Replays the usage that the card priced in the last days by the card as it will be once its drafts are published: a row per account with what it was charged, what it would have been, the difference, and the change in percent. unpriced: what was charged for usage that the card would have no rate for; it is left out of the difference. Calls of one posting, operation and rate count as one.
Errors: 22023 malformed argument; P0002 unknown card or account; 22003 out of range.';
COMMENT ON FUNCTION credit_import_rate_card(jsonb, boolean) IS
'Makes the card of a document that credit_export_rate_card() wrote, with its unit, or changes it, and prepares the rates that differ from those in force; with publish they are published at once. Returns how many differed. Rates that the document does not name stay. A unit that exists must be the same.
Errors: 22023 malformed document or rate; 55000 another unit, other drafts, or what publishing refuses; 22007 a notice that is no length of time.';
