-- What every object of the credit-to-value mapping is, its unit, and the errors it raises.

COMMENT ON SEQUENCE credit.rate_id IS 'Ids of rates, drafts and versions alike. Below 2^53, so that clients that read numbers as doubles keep them exact. Gaps are normal.';

COMMENT ON COLUMN credit.account.rate_card IS 'The card the account is charged by; NULL for the default card of its unit.';
COMMENT ON COLUMN credit.entry.dimensions IS 'What the usage was of, beside its operation (model, region, ...), as a flat JSON object of texts; NULL when that was not said.';

COMMENT ON TABLE credit.unit_value IS 'What one credit of an abstract unit is worth in the unit''s currency, from when on: until the next row of the unit. Written by credit_unit(); never changed (42501).';
COMMENT ON COLUMN credit.unit_value.effective_at IS 'The first instant of this value.';
COMMENT ON COLUMN credit.unit_value.recorded_at IS 'When it was recorded, by the clock at the write.';
COMMENT ON COLUMN credit.unit_value.unit IS 'The unit.';
COMMENT ON COLUMN credit.unit_value.fiat_per_credit IS 'Money for one credit, in the unit''s currency. Above 0, below 10^15.';
COMMENT ON COLUMN credit.unit_value.recorded_by IS 'The login role of the session that recorded it.';
COMMENT ON COLUMN credit.unit_value.note IS 'Why, for people. Not interpreted.';

COMMENT ON TABLE credit.rate_card IS 'Rate cards: price lists in credits of one unit. Created and changed by credit_rate_card(); never renamed or deleted (42501).';
COMMENT ON COLUMN credit.rate_card.card IS 'The card''s name. 1 to 255 characters; compared by byte.';
COMMENT ON COLUMN credit.rate_card.unit IS 'The unit its prices are in, and charges are debited in. It cannot change once rates are published (55000).';
COMMENT ON COLUMN credit.rate_card.is_default IS 'Accounts of the unit that name no card are charged by this one. At most one for each unit.';
COMMENT ON COLUMN credit.rate_card.notice IS 'How long before it takes effect a worse rate must be published while accounts use the card (else 55000).';
COMMENT ON COLUMN credit.rate_card.agreement IS 'The reference of the contract behind a negotiated card; NULL for a list everybody gets.';
COMMENT ON COLUMN credit.rate_card.note IS 'For people. Not interpreted.';
COMMENT ON COLUMN credit.rate_card.created_at IS 'When the card was created.';
COMMENT ON COLUMN credit.rate_card.published_at IS 'When rates of it were last published; NULL when none were.';
COMMENT ON COLUMN credit.rate_card.notice_kept_until IS 'A longer notice that was in effect while accounts used the card holds until then, although the card has a shorter one by now.';
COMMENT ON INDEX credit.rate_card_default IS 'At most one default card for each unit.';

COMMENT ON TABLE credit.rate IS 'Published rates, as versions that never change: what an operation costs within [effective_at, ended_at). Written by credit_publish(). The versions of one card, operation and dimensions never overlap (23P01).';
COMMENT ON COLUMN credit.rate.rate IS 'The version''s id: that of the draft it was. Entries of charges name it.';
COMMENT ON COLUMN credit.rate.effective_at IS 'The first instant whose usage this version prices.';
COMMENT ON COLUMN credit.rate.ended_at IS 'The first instant whose usage it does not price any more; NULL while no end is known. Equal to effective_at for an announced version that another one superseded: it was never in force.';
COMMENT ON COLUMN credit.rate.published_at IS 'When it was published, by the clock at the write.';
COMMENT ON COLUMN credit.rate.block IS 'Every started per of a call costs as much as a whole one.';
COMMENT ON COLUMN credit.rate.card IS 'The card it is on.';
COMMENT ON COLUMN credit.rate.operation IS 'The operation it prices.';
COMMENT ON COLUMN credit.rate.dimensions IS 'It prices usage that has all of these; of several rates the one with the most. A flat JSON object of texts.';
COMMENT ON COLUMN credit.rate.credits IS 'Credits, in the card''s unit, for each per of the quantity (of its first band).';
COMMENT ON COLUMN credit.rate.per IS 'The quantity that credits are for.';
COMMENT ON COLUMN credit.rate.minimum IS 'The least that a quantity above zero costs, in the card''s unit; NULL for none.';
COMMENT ON COLUMN credit.rate.tier_from IS 'Where the second and later bands of the quantity begin; NULL for one band.';
COMMENT ON COLUMN credit.rate.tier_credits IS 'Credits for each per in these bands.';
COMMENT ON COLUMN credit.rate.tier_scope IS 'What the bands are counted over: a call, or what the account used in a day, month, quarter or year of its time zone.';
COMMENT ON COLUMN credit.rate.unit_cost IS 'What one of the quantity costs the provider, in the currency of the card''s unit; NULL when unknown.';
COMMENT ON COLUMN credit.rate.published_by IS 'The login role of the session that published it.';
COMMENT ON COLUMN credit.rate.override_reason IS 'Why it got worse without the card''s notice; NULL when the notice was kept.';
COMMENT ON COLUMN credit.rate.note IS 'For people. Not interpreted.';
COMMENT ON INDEX credit.rate_by_operation IS 'The versions of an operation, for pricing.';
COMMENT ON INDEX credit.rate_versions_do_not_overlap IS 'The versions of one card, operation and dimensions never overlap in time.';
COMMENT ON CONSTRAINT rate_versions_do_not_overlap ON credit.rate IS 'The versions of one card, operation and dimensions never overlap in time.';

COMMENT ON TABLE credit.rate_draft IS 'Rates that are prepared with credit_rate(), at most one for each card, operation and dimensions. credit_publish() turns them into versions.';
COMMENT ON COLUMN credit.rate_draft.rate IS 'The id the version will have.';
COMMENT ON COLUMN credit.rate_draft.effective_at IS 'When it shall take effect; NULL leaves that to credit_publish().';
COMMENT ON COLUMN credit.rate_draft.created_at IS 'When it was prepared.';
COMMENT ON COLUMN credit.rate_draft.withdrawn IS 'Publishing ends the rate instead of beginning a new version.';
COMMENT ON COLUMN credit.rate_draft.block IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.card IS 'The card.';
COMMENT ON COLUMN credit.rate_draft.operation IS 'The operation.';
COMMENT ON COLUMN credit.rate_draft.dimensions IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.credits IS 'As in credit.rate; NULL when the rate is withdrawn.';
COMMENT ON COLUMN credit.rate_draft.per IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.minimum IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.tier_from IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.tier_credits IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.tier_scope IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.unit_cost IS 'As in credit.rate.';
COMMENT ON COLUMN credit.rate_draft.created_by IS 'The login role of the session that prepared it.';
COMMENT ON COLUMN credit.rate_draft.note IS 'For people. Not interpreted.';

COMMENT ON TABLE credit.rate_usage IS 'How much of a rate an account has used in a calendar period of its time zone, for rates whose tiers count over a period. Written by charges.';
COMMENT ON COLUMN credit.rate_usage.period_start IS 'The first instant of the period.';
COMMENT ON COLUMN credit.rate_usage.account IS 'The account.';
COMMENT ON COLUMN credit.rate_usage.card IS 'The rate''s card.';
COMMENT ON COLUMN credit.rate_usage.operation IS 'The rate''s operation.';
COMMENT ON COLUMN credit.rate_usage.dimensions IS 'The rate''s dimensions.';
COMMENT ON COLUMN credit.rate_usage.tier_scope IS 'The kind of period: day, month, quarter or year.';
COMMENT ON COLUMN credit.rate_usage.quantity IS 'The quantity charged so far.';

COMMENT ON TRIGGER rate_90_refuse_update ON credit.rate IS 'Versions never change, but for their end, until it has come (ENABLE ALWAYS).';
COMMENT ON TRIGGER rate_91_refuse_delete ON credit.rate IS 'Versions are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER rate_92_refuse_truncate ON credit.rate IS 'Versions are never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER rate_95_announce ON credit.rate IS 'Tells the backends that remember rates (ENABLE ALWAYS).';
COMMENT ON TRIGGER rate_card_90_refuse_rename ON credit.rate_card IS 'Cards are never renamed: versions name them (ENABLE ALWAYS).';
COMMENT ON TRIGGER rate_card_91_refuse_delete ON credit.rate_card IS 'Cards are never deleted: versions name them (ENABLE ALWAYS).';
COMMENT ON TRIGGER rate_card_92_refuse_truncate ON credit.rate_card IS 'Cards are never deleted: versions name them (ENABLE ALWAYS).';
COMMENT ON TRIGGER rate_card_95_announce ON credit.rate_card IS 'Tells the backends that remember cards (ENABLE ALWAYS).';
COMMENT ON TRIGGER unit_value_90_refuse_update ON credit.unit_value IS 'What a credit was worth never changes (ENABLE ALWAYS).';
COMMENT ON TRIGGER unit_value_91_refuse_delete ON credit.unit_value IS 'What a credit was worth is never deleted (ENABLE ALWAYS).';
COMMENT ON TRIGGER unit_value_92_refuse_truncate ON credit.unit_value IS 'What a credit was worth is never deleted (ENABLE ALWAYS).';

COMMENT ON FUNCTION credit_unit(text, integer, text, text, numeric, timestamptz, text) IS
'Creates a unit, or changes what is given of it. With a currency alone it is money: one of it is one of the currency. With fiat_per_credit it is abstract and worth that much in the currency, from effective_at (now) on; another value is another version. Returns the unit.
Errors: 22023 malformed argument, or a value without a currency; 55000 what a unit in use cannot become, or a value that would change the past.';
COMMENT ON FUNCTION credit_rate_card(text, text, interval, boolean, text, text) IS
'Creates a rate card in a unit, or changes what is given of it. notice: how long before it takes effect a worse rate must be published. is_default: for accounts of the unit that name no card. agreement: the reference of the contract behind a negotiated card. Returns the card.
Errors: 22023 malformed argument; P0002 unknown unit; 55000 another unit once rates are published, or a second default card of the unit.';
COMMENT ON FUNCTION credit_rate(text, text, numeric, numeric, timestamptz, numeric, jsonb, text, boolean, numeric, numeric[], numeric[], text, boolean) IS
'Prepares a rate: credits for each per of an operation''s quantity, in the place of what was prepared for the same operation and dimensions. block: each started per. minimum: the least a price is. tier_from, tier_credits, tier_scope: bands of the quantity with rates of their own, counted in a call or over what the account used in a day, month, quarter or year. unit_cost: what one of the quantity costs the provider. withdraw: the rate ends. Nothing is charged by it before credit_publish(). Returns the id its version will have.
Errors: 22023 malformed or contradictory argument; P0002 unknown card.';
COMMENT ON FUNCTION credit_discard_drafts(text, text, jsonb) IS
'Throws prepared rates away: of an operation, of its dimensions, or all of the card. Returns how many.
Errors: 22023 malformed argument; P0002 unknown card.';
COMMENT ON FUNCTION credit_publish(text, timestamptz, text, boolean) IS
'Makes versions of all rates prepared for a card, in one step: each ends the version it follows. effective_at (now unless given) is for those that do not say it themselves. override_reason: why a rate may get worse without the card''s notice; it is recorded. supersede: announced changes that begin at or after a new one give way. Returns how many.
Errors: 22023 two rates that would apply equally; P0002 unknown card, or nothing to withdraw; 55000 a change of the past, of what is announced, or for the worse without notice.';
COMMENT ON FUNCTION credit_publish_preview(text, timestamptz, boolean) IS
'What credit_publish() would change: for each prepared rate what the same usage costs until and from then, the change in percent, whether some quantity costs more, the earliest instant if that is too soon for the notice, and how many accounts are charged by the card.
Errors: as credit_publish(), but for the notice.';
COMMENT ON FUNCTION credit_price(text, text, numeric, jsonb, timestamptz, text) IS
'What a quantity of an operation costs by a card, or by that of an account, at an instant (now): the number that credit_charge() would debit, in the card''s unit. With an account, bands that are counted over a period begin with what it has used.
Errors: 22023 malformed argument; P0002 unknown card or account, or no rate that applies; 22003 a price from 10^15 on.';
COMMENT ON FUNCTION credit_charge(text, text, numeric, text, jsonb, timestamptz, text, jsonb) IS
'Prices a quantity of an operation by the account''s rate card as it was at the usage''s instant, and debits the price; the entries keep quantity, dimensions and rate version. Returns the posting, NULL when it costs nothing. Under a key, a repetition returns the same posting, whatever the rates are by then.
Errors: as credit_debit(); P0002 no card, or no rate that applies; 22003 a price from 10^15 on.';
COMMENT ON FUNCTION credit_charge_request(text, text[], numeric[], text, jsonb, timestamptz, text, jsonb) IS
'Charges several operations of one request (input, output, tool calls) as one posting: all of it or nothing, each operation priced and rounded on its own. Returns the posting, NULL when all of it costs nothing.
Errors: as credit_charge(), with item= in the DETAIL.';
COMMENT ON FUNCTION credit_charge_many(text[], text[], numeric[], text[], jsonb[], timestamptz[], text[], jsonb[], text) IS
'Charges the elements of parallel arrays in turn, at most 100,000, with the result of charging them one by one; returns a row per item: posting, price, and what was missing. Modes and keys as in credit_debit_many().
Errors: as credit_charge(), with item= in the DETAIL.';
