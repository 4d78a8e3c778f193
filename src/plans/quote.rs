//! The price of a quantity of credits for an account, by a plan and its agreement; or the quantity that a budget buys.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::amount::Amount;
use crate::domain::currency;
use crate::domain::exact::{Fraction, MAX_RATE_DECIMALS, Rounding};
use crate::domain::plans::price_list::search::NextTier;
use crate::domain::plans::price_list::{self, Model, PriceList};
use crate::error::{self, BelowFloor, Result};
use crate::store::Snapshot;
use crate::store::plans::agreements::{self, Agreement};
use crate::store::plans::{self, Plan, TierVersion};

/// How many decimals a computed discount has: as many as a discount that is declared may have.
const DISCOUNT_DECIMALS: u32 = 6;

/// The request for a quote.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub plan: &'a str,
    pub account: Option<&'a str>,
    pub quantity: Option<Amount>,
    pub budget: Option<Amount>,
    pub currency: Option<&'a str>,
}

/// A part of the quantity at one price.
#[derive(Clone, Debug)]
pub struct Line {
    /// `None` where the price is agreed.
    pub tier: Option<String>,
    pub quantity: Amount,
    /// `None` where only the flat price counts.
    pub unit_price: Option<Decimal>,
    pub amount: Amount,
}

/// The step above.
#[derive(Clone, Debug)]
pub struct Next {
    pub tier: String,
    /// How many more credits reach it.
    pub more: Amount,
    /// The price of one credit there; `None` where only the flat price counts.
    pub unit_price: Option<Decimal>,
    pub total: Amount,
}

/// The price, and how it comes about.
#[derive(Clone, Debug)]
pub struct Quoted {
    pub plan: Plan,
    /// The tier that is reached; `None` where the price is agreed.
    pub tier: Option<TierVersion>,
    pub agreement: Option<Agreement>,
    pub quantity: Amount,
    pub list_price: Decimal,
    pub discount: Option<Decimal>,
    pub unit_price: Option<Decimal>,
    pub total: Amount,
    /// It has a price, of which nothing is left when it is rounded.
    pub is_too_small: bool,
    pub currency_decimals: u32,
    pub lines: Vec<Line>,
    /// More that costs less: the quantity and its total.
    pub cheaper: Option<(Amount, Amount)>,
    pub next: Option<Next>,
    /// The provider's cost of one credit, if that is known.
    pub unit_cost: Option<Decimal>,
    /// The credits that come on top of the quantity.
    pub bonus: Option<Amount>,
    /// The part of the total that is left after costs, if they are known.
    pub margin: Option<Fraction>,
    /// Its margin is below the plan's floor.
    pub is_below_floor: bool,
}

impl Quoted {
    /// The average price of one credit, as precisely as a price is written.
    pub fn effective_price(&self) -> Option<Decimal> {
        let price = Fraction::from(self.total).over(&Fraction::from(self.quantity))?;
        price.round_decimal(MAX_RATE_DECIMALS, Rounding::HalfEven).or_else(|| price.round_decimal(9, Rounding::HalfEven))
    }

    /// The margin in percent.
    pub fn margin_percent(&self) -> Option<Decimal> {
        self.margin.as_ref()?.times(&Fraction::whole(100)).round_decimal(2, Rounding::HalfEven)
    }

    /// The error's facts when it is refused.
    pub fn below_floor(&self) -> BelowFloor {
        BelowFloor {
            quantity: self.quantity,
            bonus: self.bonus,
            total: self.total,
            margin_percent: self.margin_percent(),
            floor_margin: self.plan.floor_margin,
        }
    }

    /// The same with a bonus of credits on top: they cost the provider too, and bring no money.
    pub fn with_bonus(mut self, bonus: Amount) -> Option<Quoted> {
        let quantity = self.quantity.checked_add(bonus)?;
        (self.margin, self.is_below_floor) = margin(&self.plan, quantity, self.total, self.unit_cost);
        self.bonus = Some(bonus);
        Some(self)
    }

    /// The same for a caller who may not see the cost of a credit: only whether the quote is refused can be seen.
    pub fn without_costs(self) -> Quoted {
        Quoted { unit_cost: None, margin: None, ..self }
    }

    /// Whether it must not be sold at this price: below the floor, and nobody recorded a reason why it may be. A reason for the
    /// price of a tier or an agreement is none for a bonus on top.
    pub fn is_refused(&self) -> bool {
        let is_excused = match (&self.agreement, &self.tier) {
            (Some(agreement), _) if agreement.is_excused => true,
            (_, Some(tier)) => tier.is_excused,
            _ => false,
        };
        self.is_below_floor && !self.plan.flags_only && (!is_excused || self.bonus.is_some())
    }
}

/// The price of one credit in a tier; zero where only a flat price counts.
///
/// # Errors
/// 22003 when it has too many digits.
pub fn unit_price(tier: &TierVersion, list_price: Decimal) -> Result<Decimal> {
    match (tier.discount, tier.unit_price) {
        (Some(discount), _) => discounted(list_price, discount),
        (None, price) => Ok(price.unwrap_or_default()),
    }
}

/// The list price less a discount, exactly.
fn discounted(list_price: Decimal, discount: Decimal) -> Result<Decimal> {
    let rest = Fraction::whole(1).minus(&Fraction::from(discount));
    let exact = Fraction::from(list_price).times(&rest);
    exact
        .round_decimal(MAX_RATE_DECIMALS, Rounding::HalfEven)
        .filter(|price| Fraction::from(*price) == exact)
        .ok_or_else(|| error::result_out_of_range("the discounted price", format!("list_price={list_price} discount={discount}")))
}

/// The tiers with a price as a price list.
///
/// # Errors
/// 55000 when they leave a gap or overlap; 22003 a price with too many digits.
pub fn price_list(name: &str, plan: &Plan, tiers: &[TierVersion], list_price: Decimal) -> Result<PriceList> {
    let priced = tiers.iter().filter(|tier| !tier.is_negotiated).map(|tier| {
        let unit_price = unit_price(tier, list_price)?;
        Ok(price_list::Tier { name: tier.tier.clone(), from: tier.from, unit_price, flat: tier.flat })
    });
    let decimals = currency_decimals(&plan.currency)?;
    PriceList::new(plan.model, priced.collect::<Result<_>>()?, plan.unit_decimals, decimals)
        .map_err(|broken| error::no_price_list(name, &broken))
}

/// The decimals of a currency.
///
/// # Errors
/// 22023 for one that is not known.
pub fn currency_decimals(code: &str) -> Result<u32> {
    currency::check(code).map_err(|broken| error::invalid_currency(code, broken))
}

/// Checks money that is named in a currency.
///
/// # Errors
/// 22023 when it cannot be paid.
pub fn check_money(argument: &str, money: Amount, code: &str) -> Result<()> {
    currency::check_money(money, code).map_err(|broken| error::invalid_money(argument, &money.to_string(), code, broken))
}

/// All that prices a quantity: the plan, what was agreed, and the ladder that follows from both.
struct Ladder {
    plan: Plan,
    agreement: Option<Agreement>,
    list_price: Decimal,
    /// The tiers with a price, in the order of the list; none where the price is agreed.
    tiers: Vec<TierVersion>,
    list: PriceList,
    /// From this quantity on there is a price by agreement only.
    negotiated_from: Option<Amount>,
    /// The quantity that was bought before in the same commitment year.
    before: Amount,
}

/// The price of a quantity, or the quantity that a budget buys.
///
/// # Errors
/// 22023 neither or both of quantity and budget, another currency, a budget that buys nothing; P0002 unknown plan; 55000 no price
/// without an agreement; 22003 a total out of range.
pub fn quote(asked: Asked<'_>, now: DateTime<Utc>, snapshot: Snapshot) -> Result<Quoted> {
    let ladder = ladder(asked, now, snapshot)?;
    if let Some(budget) = asked.budget {
        check_money("budget", budget, &ladder.plan.currency)?;
    }
    let quantity = match (asked.quantity, asked.budget) {
        (Some(quantity), None) => quantity
            .within(ladder.plan.unit_decimals)
            .map_err(|_| error::too_many_decimals("quantity", &quantity.to_string(), ladder.plan.unit_decimals))?,
        (None, Some(budget)) => {
            ladder.list.buys(budget, ladder.before).ok_or_else(|| error::budget_buys_no_quantity(asked.plan, budget))?
        }
        _ => return Err(error::quantity_or_budget()),
    };
    let out_of_range = |what| error::result_out_of_range(what, format!("quantity={quantity} bought_before={}", ladder.before));
    let reached = ladder.before.checked_add(quantity).ok_or_else(|| out_of_range("the quantity that is reached"))?;
    if let Some(from) = ladder.negotiated_from.filter(|from| *from <= reached) {
        return Err(error::needs_agreement(asked.plan, quantity, from));
    }
    let quote = ladder.list.quote(quantity, ladder.before).ok_or_else(|| out_of_range("the total"))?;
    let cost = plans::unit_cost(asked.plan, reached, now, snapshot);
    Ok(ladder.quoted(asked.account, quote, quantity, cost))
}

fn ladder(asked: Asked<'_>, now: DateTime<Utc>, snapshot: Snapshot) -> Result<Ladder> {
    let plan = plans::plan(asked.plan, snapshot).ok_or_else(|| error::unknown_plan(asked.plan))?;
    if let Some(currency) = asked.currency.filter(|currency| *currency != plan.currency) {
        return Err(error::other_currency(asked.plan, &plan.currency, currency));
    }
    let agreement = asked.account.and_then(|account| agreements::in_force(account, asked.plan, now, snapshot));
    let agreed_at = agreement.as_ref().map_or(now, |agreement| agreement.agreed_at);
    let list_price =
        plans::list_price(asked.plan, agreed_at, snapshot).ok_or_else(|| error::no_list_price(asked.plan, agreed_at))?;
    let mut tiers = plans::tiers_from(asked.plan, agreed_at, snapshot);
    tiers.retain(|tier| tier.is_in_force(agreed_at));
    let before = match (&agreement, asked.account) {
        (Some(agreement), Some(account)) if plan.is_cumulative => agreements::bought(account, agreement.agreement, now, snapshot),
        _ => Amount::ZERO,
    };
    if let Some(own) = agreement.as_ref().map(|agreement| own_price(agreement, list_price)).transpose()?.flatten() {
        let tier = price_list::Tier { name: asked.plan.to_owned(), from: Amount::ZERO, unit_price: own, flat: None };
        let decimals = currency_decimals(&plan.currency)?;
        let list = PriceList::new(Model::Volume, vec![tier], plan.unit_decimals, decimals).expect("one tier from zero on");
        return Ok(Ladder { plan, agreement, list_price, tiers: Vec::new(), list, negotiated_from: None, before });
    }
    if let Some(tier) = agreement.as_ref().and_then(|agreement| own_tier(agreement, &plan, &tiers)) {
        tiers = vec![tier];
    }
    let negotiated_from = tiers.iter().find(|tier| tier.is_negotiated).map(|tier| tier.from);
    let list = price_list(asked.plan, &plan, &tiers, list_price)?;
    tiers.retain(|tier| !tier.is_negotiated);
    Ok(Ladder { plan, agreement, list_price, tiers, list, negotiated_from, before })
}

/// The price of one credit that was agreed, if one was: its own, or a discount off the list price.
pub fn own_price(agreement: &Agreement, list_price: Decimal) -> Result<Option<Decimal>> {
    match agreement.discount {
        Some(discount) => discounted(list_price, discount).map(Some),
        None => Ok(agreement.unit_price),
    }
}

/// The tier that was agreed for every quantity, if one was. A bundle keeps its size.
pub fn own_tier(agreement: &Agreement, plan: &Plan, tiers: &[TierVersion]) -> Option<TierVersion> {
    let agreed = agreement.tier.as_ref()?;
    let tier = tiers.iter().find(|tier| tier.tier == *agreed)?.clone();
    Some(if plan.model == Model::Package { tier } else { TierVersion { from: Amount::ZERO, ..tier } })
}

impl Ladder {
    fn quoted(self, account: Option<&str>, quote: price_list::Quote, asked: Amount, cost: Option<Decimal>) -> Quoted {
        let tiers = self.list.tiers();
        let name = |position: usize| (!self.tiers.is_empty()).then(|| tiers[position].name.clone());
        let has_unit_prices = matches!(self.list_model(), Model::Volume | Model::Graduated);
        let unit_price = |position: usize| has_unit_prices.then_some(tiers[position].unit_price);
        let lines = quote.lines.iter().map(|line| Line {
            tier: name(line.tier),
            quantity: line.quantity,
            unit_price: unit_price(line.tier),
            amount: line.amount,
        });
        let lines = lines.collect();
        let next = self.list.next(asked, self.before).map(|NextTier { tier, more, total }| Next {
            tier: tiers[tier].name.clone(),
            more,
            unit_price: unit_price(tier),
            total,
        });
        let reached = &tiers[quote.tier];
        let unit_price = unit_price(quote.tier);
        let (margin, is_below_floor) = margin(&self.plan, quote.quantity, quote.total, cost);
        let agreed = self.agreement.filter(|_| account.is_some());
        let price = unit_price.map(Fraction::from);
        let price = price.or_else(|| Fraction::from(quote.total).over(&Fraction::from(quote.quantity)));
        Quoted {
            tier: self.tiers.into_iter().find(|tier| tier.tier == reached.name),
            agreement: agreed,
            quantity: quote.quantity,
            list_price: self.list_price,
            discount: price.and_then(|price| discount(self.list_price, &price)),
            unit_price,
            total: quote.total,
            is_too_small: quote.is_too_small,
            currency_decimals: currency::decimals(&self.plan.currency).expect("a currency that was checked"),
            lines,
            cheaper: self.list.cheaper_and_more(asked, self.before),
            next,
            unit_cost: cost,
            bonus: None,
            margin,
            is_below_floor,
            plan: self.plan,
        }
    }

    /// An agreed price is one for all credits, whatever the plan's model.
    fn list_model(&self) -> Model {
        if self.tiers.is_empty() { Model::Volume } else { self.plan.model }
    }
}

/// How much less than the list price that is.
fn discount(list_price: Decimal, price: &Fraction) -> Option<Decimal> {
    let ratio = price.over(&Fraction::from(list_price))?;
    Fraction::whole(1).minus(&ratio).round_decimal(DISCOUNT_DECIMALS, Rounding::HalfEven)
}

/// The margin, and whether it is below the plan's floor. A quantity that is given away has no margin, and is below any floor when
/// it costs the provider something.
fn margin(plan: &Plan, quantity: Amount, total: Amount, unit_cost: Option<Decimal>) -> (Option<Fraction>, bool) {
    let Some(unit_cost) = unit_cost else { return (None, false) };
    let costs = Fraction::from(unit_cost).times(&Fraction::from(quantity));
    let total = Fraction::from(total);
    let is_below = plan.floor_margin.is_some_and(|floor| {
        let keeps = Fraction::whole(1).minus(&Fraction::from(floor));
        costs > total.times(&keeps)
    });
    (total.minus(&costs).over(&total), is_below)
}
