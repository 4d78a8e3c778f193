//! The rules of plans: tiers and prices, subscriptions.

pub mod price_list;
pub mod subscription;
