//! credit_quote(), credit_purchase() and credit_activate().

use pgrx::JsonB;
use pgrx::prelude::*;

use crate::api::plans::length;
use crate::arguments;
use crate::domain::ledger::request::{Body, Fingerprint};
use crate::error::{self, Result};
use crate::ledger::idempotency::Keyed;
use crate::plans::purchase::{self, Lots, Purchase};
use crate::plans::quote::{self, Asked, Line, Quoted};
use crate::server::{clock, identity};
use crate::store::{Snapshot, access, connected, connected_on_demand};
use crate::values;
use crate::values::json::JsonText;

/// The most instalments of a purchase.
const INSTALMENTS: std::ops::RangeInclusive<i32> = 2..=120;

/// The price of a quantity, or the quantity that a budget buys; one row.
///
/// Not SECURITY DEFINER: whether costs are shown is decided by the role that calls, which a function that runs as its owner does
/// not see.
#[pg_extern(stable, parallel_safe)]
#[allow(clippy::type_complexity)]
fn credit_quote(
    plan: Option<&str>,
    quantity: default!(Option<AnyNumeric>, "NULL"),
    account: default!(Option<&str>, "NULL"),
    budget: default!(Option<AnyNumeric>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
) -> Result<
    TableIterator<
        'static,
        (
            name!(tier, Option<String>),
            name!(quantity, AnyNumeric),
            name!(list_price, AnyNumeric),
            name!(discount, Option<AnyNumeric>),
            name!(unit_price, Option<AnyNumeric>),
            name!(total, AnyNumeric),
            name!(currency, String),
            name!(effective_price, Option<AnyNumeric>),
            name!(lines, JsonB),
            name!(margin_percent, Option<AnyNumeric>),
            name!(next_tier, Option<String>),
            name!(next_quantity, Option<AnyNumeric>),
            name!(marginal_price, Option<AnyNumeric>),
            name!(next_total, Option<AnyNumeric>),
            name!(warning, Option<String>),
            name!(agreement, Option<i64>),
        ),
    >,
> {
    let asked = asked(plan, arguments::optional_name("account", account)?, quantity, budget, currency)?;
    let caller = identity::current_user();
    let quoted = connected_on_demand(|| {
        let quoted = quote::quote(asked, clock::now(), Snapshot::OfCaller)?;
        // A caller who may only read or spend does not see the provider's cost of a credit, nor anything that it can be computed
        // from.
        let quoted = if access::sees_costs(caller) { quoted } else { quoted.without_costs() };
        match quoted.is_refused() {
            true => Err(error::quote_below_floor(asked.plan, &quoted.below_floor())),
            false => Ok(quoted),
        }
    })?;
    let money = |amount| values::money(amount, quoted.currency_decimals);
    let next = quoted.next.as_ref();
    let row = (
        quoted.tier.as_ref().map(|tier| tier.tier.clone()),
        values::numeric(quoted.quantity),
        values::numeric_of_decimal(quoted.list_price),
        quoted.discount.map(values::numeric_of_decimal),
        quoted.unit_price.map(values::numeric_of_decimal),
        money(quoted.total),
        quoted.plan.currency.clone(),
        quoted.effective_price().map(values::numeric_of_decimal),
        JsonB(serde_json::from_str(&lines(&quoted)).expect("JSON that was just written")),
        quoted.margin_percent().map(values::numeric_of_decimal),
        next.map(|next| next.tier.clone()),
        next.map(|next| values::numeric(next.more)),
        next.and_then(|next| next.unit_price).map(values::numeric_of_decimal),
        next.map(|next| money(next.total)),
        warning(&quoted),
        quoted.agreement.as_ref().map(|agreement| agreement.agreement),
    );
    Ok(TableIterator::once(row))
}

fn asked<'a>(
    plan: Option<&'a str>,
    account: Option<&'a str>,
    quantity: Option<AnyNumeric>,
    budget: Option<AnyNumeric>,
    currency: Option<&'a str>,
) -> Result<Asked<'a>> {
    Ok(Asked {
        plan: arguments::name("plan", plan)?,
        account,
        quantity: quantity.map(|quantity| arguments::positive_amount("quantity", Some(&quantity))).transpose()?,
        budget: budget.map(|budget| arguments::positive_amount("budget", Some(&budget))).transpose()?,
        currency: arguments::optional_currency(currency)?,
    })
}

/// The lines as a JSON array.
fn lines(quoted: &Quoted) -> String {
    let line = |line: &Line| {
        let tier = line.tier.as_ref().map_or("null".to_owned(), |tier| serde_json::Value::from(tier.as_str()).to_string());
        let amount = values::money_text(line.amount, quoted.currency_decimals);
        let unit_price = line.unit_price.map_or_else(|| "null".to_owned(), |price| price.to_string());
        format!(r#"{{"tier": {tier}, "quantity": {}, "unit_price": {unit_price}, "amount": {amount}}}"#, line.quantity)
    };
    format!("[{}]", quoted.lines.iter().map(line).collect::<Vec<_>>().join(", "))
}

/// A warning to a buyer or a seller, before the quote is taken.
fn warning(quoted: &Quoted) -> Option<String> {
    let cheaper = quoted.cheaper.map(|(quantity, total)| {
        let total = values::money_text(total, quoted.currency_decimals);
        format!("{quantity} credits would be cheaper: {total} {}", quoted.plan.currency)
    });
    let shows_margin = quoted.is_below_floor && quoted.unit_cost.is_some();
    let below = shows_margin.then(|| "the margin is below the floor of the plan".to_owned());
    let warnings: Vec<_> = cheaper.into_iter().chain(below).collect();
    (!warnings.is_empty()).then(|| warnings.join("; "))
}

/// Buys credits; the first lot's id.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
#[allow(clippy::too_many_arguments)]
fn credit_purchase(
    account: Option<&str>,
    plan: Option<&str>,
    quantity: default!(Option<AnyNumeric>, "NULL"),
    budget: default!(Option<AnyNumeric>, "NULL"),
    currency: default!(Option<&str>, "NULL"),
    pending: default!(Option<bool>, "false"),
    bonus: default!(Option<AnyNumeric>, "NULL"),
    blend: default!(Option<bool>, "false"),
    by_band: default!(Option<bool>, "false"),
    instalments: default!(Option<i32>, "NULL"),
    instalment_period: default!(Option<Interval>, "NULL"),
    prorate: default!(Option<bool>, "false"),
    member: default!(Option<&str>, "NULL"),
    expiry: default!(Option<Interval>, "NULL"),
    override_reason: default!(Option<&str>, "NULL"),
    key: default!(Option<&str>, "NULL"),
    metadata: default!(Option<JsonText>, "NULL"),
) -> Result<i64> {
    let account = arguments::name("account", account)?;
    let metadata = arguments::metadata(metadata)?;
    let by_band = arguments::required("by_band", by_band)?;
    let mut request = Purchase {
        account,
        asked: asked(plan, Some(account), quantity, budget, currency)?,
        is_pending: arguments::required("pending", pending)?,
        bonus: bonus.map(|bonus| arguments::positive_amount("bonus", Some(&bonus))).transpose()?,
        blends: arguments::required("blend", blend)?,
        prorates: arguments::required("prorate", prorate)?,
        lots: split(by_band, instalments, length("instalment_period", instalment_period)?)?,
        member: arguments::optional_name("member", member)?,
        expiry: length("expiry", expiry)?,
        override_reason: arguments::optional_name("override_reason", override_reason)?,
        keyed: None,
        metadata: metadata.as_deref(),
    };
    if by_band && request.blends {
        return Err(error::two_splits("by_band", "blend"));
    }
    if by_band && request.prorates {
        return Err(error::two_splits("by_band", "prorate"));
    }
    let key = arguments::optional_name("key", key)?;
    request.keyed = key.map(|key| Keyed { key, function: "credit_purchase", fingerprint: fingerprint(&request) });
    connected(|| purchase::purchase(&request))
}

fn split(by_band: bool, instalments: Option<i32>, period: Option<Interval>) -> Result<Lots> {
    match (by_band, instalments, period) {
        (true, None, None) => Ok(Lots::Bands),
        (false, None, None) => Ok(Lots::One),
        (true, _, _) => Err(error::two_splits("by_band", "instalments")),
        (false, Some(number), period) if INSTALMENTS.contains(&number) => Ok(Lots::Instalments(number, period)),
        (false, number, _) => Err(error::invalid_instalments(number)),
    }
}

/// The same terms are the same request. Terms that were not given do not count.
fn fingerprint(request: &Purchase<'_>) -> Body {
    let length = |length: Interval| format!("{:?}", (length.months(), length.days(), length.micros()));
    let said = |flag: bool| flag.then_some(true);
    let instalments = match request.lots {
        Lots::Instalments(number, period) => Some(format!("{number} {}", period.map(length).unwrap_or_default())),
        _ => None,
    };
    Fingerprint::of("credit_purchase")
        .with("account", Some(request.account))
        .with("plan", Some(request.asked.plan))
        .with("quantity", request.asked.quantity)
        .with("budget", request.asked.budget)
        .with("currency", request.asked.currency)
        .with("pending", said(request.is_pending))
        .with("bonus", request.bonus)
        .with("blend", said(request.blends))
        .with("by_band", said(matches!(request.lots, Lots::Bands)))
        .with("instalments", instalments)
        .with("prorate", said(request.prorates))
        .with("member", request.member)
        .with("expiry", request.expiry.map(length))
        .with("override_reason", request.override_reason)
        .finish()
}

/// Grants a purchase that was pending: its payment is confirmed. Its lot's id.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_activate(account: Option<&str>, lot: Option<i64>) -> Result<i64> {
    let account = arguments::name("account", account)?;
    let lot = arguments::required("lot", lot)?;
    connected(|| purchase::activate(account, lot))
}
