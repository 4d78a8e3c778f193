//! How credits are sold: plans and their tiers, what was agreed with customers, quotes, and purchases.
//!
//! - [`plan`]: plans, list prices, tiers and costs, as versions
//! - [`standard`]: Starter, Growth, Scale and Enterprise in one call
//! - [`agreement`]: what was agreed with an account
//! - [`quote`]: what a quantity costs an account, or what a budget buys it
//! - [`purchase`]: buying, activating, and voiding what is pending
//! - [`subscription`]: the plan that an account is on, and its changes; [`giving_back`]: what they take back
//! - [`renewal`]: each period of a subscription is bought once
//!
//! A purchase and an agreement lock the account's row, then the plan for reading: what an account bought so far, and what was
//! agreed with it, does not change between the quote and the purchase. What subscribes, changes or renews does the same, and
//! locks the lots of which it takes something back after that.

pub mod agreement;
pub mod giving_back;
pub mod plan;
pub mod purchase;
pub mod quote;
pub mod renewal;
pub mod standard;
pub mod subscription;
