//! credit_conversion_markdown() and credit_export_rate_card(): a card as a page for people, and as a document for other
//! databases.

use pgrx::prelude::*;

use crate::arguments;
use crate::domain::rates::document::Document;
use crate::domain::rates::markdown::{self, Align};
use crate::error::{self, Result};
use crate::rates::import;
use crate::store::connected;
use crate::store::rates::conversion_table::{self, CardUnit, PublishedRate};
use crate::values;
use crate::values::json::JsonText;

/// The rates of a card in force now, as a table in Markdown.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_conversion_markdown(card: Option<&str>) -> Result<String> {
    let card = arguments::name("card", card)?;
    connected(|| {
        let unit = conversion_table::unit_of_card(card).ok_or_else(|| error::unknown_card(card))?;
        Ok(page(&unit, &conversion_table::published(card)))
    })
}

/// The rates of a card in force now, as JSON that credit_import_rate_card() reads.
#[pg_extern(security_definer, stable, parallel_safe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_export_rate_card(card: Option<&str>, costs: default!(Option<bool>, "true")) -> Result<JsonText> {
    let card = arguments::name("card", card)?;
    let costs = arguments::required("costs", costs)?;
    let document = connected(|| conversion_table::document(card, costs).ok_or_else(|| error::unknown_card(card)))?;
    Ok(JsonText(document))
}

/// Makes a card of a document, or changes it; how many rates differed from those in force.
#[pg_extern(security_definer, volatile, parallel_unsafe)]
#[search_path(pg_catalog, credit, pg_temp)]
fn credit_import_rate_card(document: Option<JsonText>, publish: default!(Option<bool>, "false")) -> Result<i32> {
    let json = arguments::required("document", document)?;
    let publish = arguments::required("publish", publish)?;
    let document = Document::parse(&json.0).map_err(|problem| error::malformed_document(&problem))?;
    let notice = arguments::notice(Some(values::interval_of_text(&document.notice)))?;
    connected(|| import::import(&document, notice.expect("a notice that was given"), publish))
}

/// The page: the worth of a credit, where that is known, and the table.
fn page(unit: &CardUnit, rates: &[PublishedRate]) -> String {
    let worth = match (&unit.currency, &unit.fiat_per_credit) {
        (Some(currency), Some(fiat)) => format!("1 {} = {fiat} {currency}\n\n", markdown::escape(&unit.unit)),
        _ => String::new(),
    };
    let money = unit.currency.as_deref().map(|currency| format!("{currency} per unit"));
    let price = format!("Price in {}", unit.unit);
    let mut head = vec![("Operation", Align::Left), (price.as_str(), Align::Left), ("Units per credit", Align::Right)];
    head.extend(money.as_deref().map(|money| (money, Align::Right)));
    head.extend([("Since", Align::Left), ("Next change", Align::Left)]);
    let rows: Vec<_> = rates.iter().map(|rate| cells(rate, money.is_some())).collect();
    worth + &markdown::table(&head, &rows)
}

fn cells(rate: &PublishedRate, money: bool) -> Vec<String> {
    let operation = match &rate.dimensions {
        Some(dimensions) => format!("{} ({dimensions})", rate.operation),
        None => rate.operation.clone(),
    };
    let mut cells = vec![operation, price(rate), rate.units_per_credit.clone().unwrap_or_default()];
    if money {
        cells.push(rate.fiat_per_unit.clone().unwrap_or_default());
    }
    cells.push(rate.since.clone());
    cells.push(match (&rate.next_credits, &rate.next_per, &rate.next_on) {
        (Some(credits), Some(per), Some(on)) => format!("{} from {on}", quotient(credits, per)),
        (_, _, Some(on)) => format!("ends on {on}"),
        _ => String::new(),
    });
    cells
}

/// A price as people say it: `0.25 per 1000; from 1000000: 0.2 (in a month); at least 1`.
fn price(rate: &PublishedRate) -> String {
    let started = if rate.block { "started " } else { "" };
    let mut price = match rate.per.as_str() {
        "1" if !rate.block => rate.credits.clone(),
        per => format!("{} per {started}{per}", rate.credits),
    };
    if let Some(tiers) = &rate.tiers {
        let scope = rate.tier_scope.as_deref().unwrap_or_default();
        price.push_str(&format!("; {tiers} (in a {scope})"));
    }
    if let Some(minimum) = &rate.minimum {
        price.push_str(&format!("; at least {minimum}"));
    }
    price
}

fn quotient(credits: &str, per: &str) -> String {
    if per == "1" { credits.to_owned() } else { format!("{credits} per {per}") }
}
