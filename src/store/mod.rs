//! Every SQL text, as statements that are planned once per backend and kept. What they mean is decided elsewhere.

mod statement;

pub mod access;
pub mod account_calendar;
pub mod accounts;
pub mod agreements;
pub mod balances;
pub mod breakage;
pub mod cap_slots;
pub mod caps;
pub mod chargeback;
pub mod closed_periods;
pub mod conversion_table;
pub mod conversions;
pub mod corrections;
pub mod departments;
pub mod design;
pub mod eligible;
pub mod entries;
pub mod forecast;
pub mod lots;
pub mod maintenance;
pub mod plan_schedules;
pub mod plans;
pub mod pooling;
pub mod purchases;
pub mod rate_cards;
pub mod rates;
pub mod repricing;
pub mod requests;
pub mod rollup;
pub mod schedules;
pub mod sequences;
pub mod slots;
pub mod subscription_moves;
pub mod subscriptions;
pub mod transfers;
pub mod true_up;
pub mod units;
pub mod verify;

pub use crate::server::connection::{connected, connected_on_demand};
pub use statement::{Column, Parameter, Snapshot};
