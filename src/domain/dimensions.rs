//! What distinguishes the uses of one operation (model, region, quality), and which of several rates applies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::names;

/// Names and their values, as text. A rate has those it is limited to, a usage all that are known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dimensions(BTreeMap<String, String>);

/// Why a JSON value is no set of dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DimensionsError {
    /// It is not an object.
    NotAnObject,
    /// This name's value is neither a text, a number nor a boolean.
    NotPlain(String),
    /// This name, or its value, is empty, too long, padded or not printable: two of them would look the same.
    Malformed(String),
    /// There are more than [`MAX_DIMENSIONS`].
    TooMany,
}

/// The most dimensions of a rate or a usage.
pub const MAX_DIMENSIONS: usize = 16;

impl Dimensions {
    /// Reads a flat JSON object; numbers and booleans count as text, 1.50 as 1.5.
    pub fn parse(json: &str) -> Result<Dimensions, DimensionsError> {
        let Ok(Value::Object(object)) = serde_json::from_str(json) else { return Err(DimensionsError::NotAnObject) };
        if object.len() > MAX_DIMENSIONS {
            return Err(DimensionsError::TooMany);
        }
        let pair = |(name, value): (String, Value)| {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => without_trailing_zeros(&number.to_string()).to_owned(),
                Value::Bool(flag) => flag.to_string(),
                _ => return Err(DimensionsError::NotPlain(name)),
            };
            let can_name = names::check(&name).and_then(|()| names::check(&text));
            if can_name.is_ok() { Ok((name, text)) } else { Err(DimensionsError::Malformed(name)) }
        };
        object.into_iter().map(pair).collect::<Result<_, _>>().map(Dimensions)
    }

    /// As a JSON object, always the same for the same dimensions.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("texts are JSON")
    }

    /// How many there are: the more, the more specific.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a rate with these applies to a usage with those.
    pub fn match_usage(&self, usage: &Dimensions) -> bool {
        self.0.iter().all(|(name, value)| usage.0.get(name) == Some(value))
    }

    /// Whether some usage has both.
    pub fn meet(&self, other: &Dimensions) -> bool {
        self.0.iter().all(|(name, value)| other.0.get(name).is_none_or(|others| others == value))
    }

    /// The usage that has both and nothing else.
    pub fn union(&self, other: &Dimensions) -> Dimensions {
        Dimensions(self.0.iter().chain(&other.0).map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// A number as it is meant, however it was written.
fn without_trailing_zeros(number: &str) -> &str {
    let is_fraction = number.contains('.') && !number.contains(['e', 'E']);
    if is_fraction { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// The most specific of the rates that apply to the usage, by position. Publishing sees to it that there is only one.
pub fn most_specific<'a>(rates: impl IntoIterator<Item = &'a Dimensions>, usage: &Dimensions) -> Option<usize> {
    let matching = rates.into_iter().enumerate().filter(|(_, rate)| rate.match_usage(usage));
    matching.max_by_key(|(_, rate)| rate.count()).map(|(position, _)| position)
}

/// Two of the rates that would both be the most specific for some usage, by position.
pub fn tie(rates: &[&Dimensions]) -> Option<(usize, usize)> {
    for (position, one) in rates.iter().enumerate() {
        for (other_position, other) in rates.iter().enumerate().skip(position + 1) {
            if one.count() != other.count() || one == other || !one.meet(other) {
                continue;
            }
            // Whatever has both has all of their union: a rate for that, or for enough of it, decides.
            let union = one.union(other);
            if !rates.iter().any(|rate| rate.count() > one.count() && rate.match_usage(&union)) {
                return Some((position, other_position));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dimensions(json: &str) -> Dimensions {
        Dimensions::parse(json).unwrap()
    }

    #[test]
    fn reads_flat_objects_only() {
        assert_eq!(dimensions(r#"{"b": 1, "a": true}"#).to_json(), r#"{"a":"true","b":"1"}"#);
        assert_eq!(dimensions(r#"{"a": 1.50, "b": 10, "c": 10.0}"#).to_json(), r#"{"a":"1.5","b":"10","c":"10"}"#);
        for malformed in [r#"{"": "x"}"#, r#"{"a": ""}"#, r#"{"a": " x"}"#, r#"{"a": "x\n"}"#] {
            assert!(matches!(Dimensions::parse(malformed), Err(DimensionsError::Malformed(_))), "{malformed}");
        }
        assert_eq!(Dimensions::parse("[1]"), Err(DimensionsError::NotAnObject));
        assert_eq!(Dimensions::parse(r#"{"a": null}"#), Err(DimensionsError::NotPlain("a".into())));
        assert_eq!(Dimensions::parse(r#"{"a": {"b": 1}}"#), Err(DimensionsError::NotPlain("a".into())));
    }

    #[test]
    fn the_most_specific_wins() {
        let rates = [dimensions("{}"), dimensions(r#"{"model":"a"}"#), dimensions(r#"{"model":"a","region":"eu"}"#)];
        let wins = |usage| most_specific(&rates, &dimensions(usage));
        assert_eq!(wins(r#"{"model":"b"}"#), Some(0));
        assert_eq!(wins(r#"{"model":"a","region":"us"}"#), Some(1));
        assert_eq!(wins(r#"{"model":"a","region":"eu","quality":"high"}"#), Some(2));
        assert_eq!(most_specific(&rates[1..], &dimensions("{}")), None);
    }

    #[test]
    fn a_tie_needs_a_usage_that_has_both() {
        let (model, region, other) =
            (dimensions(r#"{"model":"a"}"#), dimensions(r#"{"region":"eu"}"#), dimensions(r#"{"model":"b"}"#));
        let both = dimensions(r#"{"model":"a","region":"eu"}"#);
        assert_eq!(tie(&[&model, &other]), None);
        assert_eq!(tie(&[&model, &region]), Some((0, 1)));
        assert_eq!(tie(&[&model, &region, &both]), None);
    }

    proptest! {
        #[test]
        fn without_a_tie_one_rate_decides(
            rates in prop::collection::btree_set(prop::collection::btree_map("[ab]", "[xy]", 0..3), 1..5),
            usage in prop::collection::btree_map("[abc]", "[xy]", 0..4),
        ) {
            let rates: Vec<_> = rates.into_iter().map(Dimensions).collect();
            let usage = Dimensions(usage);
            if tie(&rates.iter().collect::<Vec<_>>()).is_none()
                && let Some(best) = most_specific(&rates, &usage)
            {
                let as_specific = rates.iter().filter(|rate| rate.match_usage(&usage) && rate.count() == rates[best].count());
                prop_assert_eq!(as_specific.count(), 1);
            }
        }
    }
}
