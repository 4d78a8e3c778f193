//! A rate card as a JSON document: what an export writes, and an import reads. It refuses a field that it does not know.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use crate::domain::exact::{self, Rounding};
use crate::domain::names;
use crate::domain::rates::dimensions::Dimensions;
use crate::domain::rates::rate::{Rate, Scope, Tier};

/// The form that is read.
pub const FORMAT: &str = "pg_credit rate card 1";

/// A card with its unit and its rates.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    format: String,
    /// The card.
    pub card: String,
    /// Whether it is the default card of its unit.
    pub is_default: bool,
    /// The contract behind it.
    pub agreement: Option<String>,
    /// Anything said about it.
    pub note: Option<String>,
    /// The notice, as SQL writes an interval.
    pub notice: String,
    /// The unit that the card charges in.
    pub unit: UnitDocument,
    /// Its rates.
    pub rates: Vec<RateDocument>,
}

/// The unit of a card.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitDocument {
    /// The unit.
    pub unit: String,
    /// Its decimals.
    pub decimals: u8,
    /// Its rounding, by its name.
    pub rounding: String,
    /// The currency of its value.
    pub currency: Option<String>,
    /// The worth of a credit; not there for money.
    #[serde(default, deserialize_with = "optional_decimal")]
    pub fiat_per_credit: Option<Decimal>,
}

/// A rate of a card.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawRate")]
pub struct RateDocument {
    /// The operation that is charged for.
    pub operation: String,
    /// The usages of the operation that the rate is for.
    pub dimensions: Dimensions,
    /// The price.
    pub rate: Rate,
    /// The seller's cost of one.
    pub unit_cost: Option<Decimal>,
    /// Anything said about it.
    pub note: Option<String>,
}

/// A rate as it stands there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRate {
    operation: String,
    #[serde(default)]
    dimensions: Map<String, Value>,
    #[serde(deserialize_with = "decimal")]
    credits: Decimal,
    #[serde(deserialize_with = "decimal")]
    per: Decimal,
    #[serde(default)]
    block: bool,
    #[serde(default, deserialize_with = "optional_decimal")]
    minimum: Option<Decimal>,
    #[serde(default)]
    tiers: Vec<RawTier>,
    tier_scope: Option<String>,
    #[serde(default, deserialize_with = "optional_decimal")]
    unit_cost: Option<Decimal>,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTier {
    #[serde(deserialize_with = "decimal")]
    from: Decimal,
    #[serde(deserialize_with = "decimal")]
    credits: Decimal,
}

fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let text = Number::deserialize(deserializer)?.to_string();
    exact::parse_decimal(&text)
        .map_err(|broken| serde::de::Error::custom(format!("{text} cannot be a rate or a cost: {broken:?}")))
}

fn optional_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    decimal(deserializer).map(Some)
}

impl TryFrom<RawRate> for RateDocument {
    type Error = String;
    fn try_from(raw: RawRate) -> Result<RateDocument, String> {
        let of = |problem: String| format!("operation {:?}: {problem}", raw.operation);
        names::check(&raw.operation).map_err(|broken| of(format!("its name must {}", broken.rule())))?;
        let dimensions = Value::Object(raw.dimensions).to_string();
        let dimensions = Dimensions::parse(&dimensions).map_err(|broken| of(format!("dimensions: {broken:?}")))?;
        let scope = raw.tier_scope.as_deref().unwrap_or("call");
        let scope: Scope = scope.parse().map_err(|()| of(format!("tier_scope {scope:?} is not known")))?;
        let tiers = raw.tiers.iter().map(|tier| Tier { from: tier.from, credits: tier.credits }).collect();
        let rate = Rate { credits: raw.credits, per: raw.per, block: raw.block, minimum: raw.minimum, tiers, scope };
        rate.check().map_err(|broken| of(format!("{broken:?}")))?;
        Ok(RateDocument { dimensions, rate, unit_cost: raw.unit_cost, note: raw.note, operation: raw.operation })
    }
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// A text that says what is wrong with the document.
    pub fn parse(json: &str) -> Result<Document, String> {
        let document: Document = serde_json::from_str(json).map_err(|broken| broken.to_string())?;
        if document.format != FORMAT {
            return Err(format!("format {:?} is not {FORMAT:?}", document.format));
        }
        for (what, name) in [("card", &document.card), ("unit", &document.unit.unit)] {
            names::check(name).map_err(|broken| format!("{what} {name:?} must {}", broken.rule()))?;
        }
        if document.unit.rounding.parse::<Rounding>().is_err() || document.unit.decimals > 9 {
            return Err("the unit's decimals or rounding are not known".to_owned());
        }
        let mut subjects: Vec<_> = document.rates.iter().map(|rate| (&rate.operation, &rate.dimensions)).collect();
        subjects.sort();
        match subjects.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(twice) => Err(format!("operation {:?} with dimensions {} stands there twice", twice[0].0, twice[0].1.to_json())),
            None => Ok(document),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = r#"{"format": "pg_credit rate card 1", "card": "list", "is_default": false, "notice": "30 days",
        "unit": {"unit": "compute", "decimals": 6, "rounding": "half_even", "currency": "USD", "fiat_per_credit": 0.01},
        "rates": [{"operation": "chat", "credits": 0.123456789012345678, "per": 1000, "unit_cost": 0.000000000000000001,
            "dimensions": {"model": "large"}, "tiers": [{"from": 10, "credits": 0.1}], "tier_scope": "month"}]}"#;

    #[test]
    fn numbers_keep_every_digit() {
        let document = Document::parse(CARD).unwrap();
        let rate = &document.rates[0];
        assert_eq!(rate.rate.credits.to_string(), "0.123456789012345678");
        assert_eq!(rate.unit_cost.unwrap().to_string(), "0.000000000000000001");
        assert_eq!((rate.rate.tiers.len(), rate.rate.scope, rate.dimensions.count()), (1, Scope::Month, 1));
    }

    #[test]
    fn what_is_not_known_or_makes_no_sense_is_refused() {
        for (from, to, problem) in [
            ("card 1", "card 2", "format"),
            ("\"notice\"", "\"notize\"", "notize"),
            ("\"per\": 1000", "\"per\": 0", "NoPer"),
            ("\"per\": 1000", "\"per\": -1", "Negative"),
            ("\"per\": 1000", "\"per\": \"1000\"", "number"),
            ("\"tiers\"", "\"bands\"", "bands"),
            ("\"month\"", "\"moon\"", "moon"),
            ("half_even", "sometimes", "rounding"),
            ("\"list\"", "\" list\"", "card"),
            (
                "\"rates\": [",
                "\"rates\": [{\"operation\": \"chat\", \"credits\": 1, \"per\": 1, \"dimensions\": {\"model\": \"large\"}},",
                "twice",
            ),
        ] {
            let broken = Document::parse(&CARD.replacen(from, to, 1)).unwrap_err();
            assert!(broken.contains(problem), "{to}: {broken}");
        }
    }
}
