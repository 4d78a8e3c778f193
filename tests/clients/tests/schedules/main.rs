//! Schedules: what they bring, to whom, when, against a model.

mod cycles;
mod cycles_model;
mod one_instant;
mod plan_schedules;
mod seats;
mod time_zones;
