//! The sale of credits: plans and their tiers, agreements, quotes, purchases and subscriptions.
//!
//! - [`plan`]: plans, list prices, tiers and costs, as versions
//! - [`standard`]: Starter, Growth, Scale and Enterprise in one call
//! - [`agreement`]: the terms that were agreed with an account
//! - [`quote`]: the price of a quantity for an account, or the quantity that a budget buys
//! - [`purchase`]: buying, activating, and voiding a pending order
//! - [`subscription`]: the plan that an account is on, and its changes; [`giving_back`]: what they take back
//! - [`renewal`]: each period of a subscription is bought once
//!
//! A purchase and an agreement lock the account's row, then the plan for reading: what an account bought so far, and what was
//! agreed with it, does not change between the quote and the purchase. A call that subscribes, changes or renews does the same,
//! and after that locks the lots of which it takes something back.

pub mod agreement;
pub mod giving_back;
pub mod plan;
pub mod purchase;
pub mod quote;
pub mod renewal;
pub mod standard;
pub mod subscription;
