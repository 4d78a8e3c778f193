//! Plans, subscriptions, and changes of plan.

mod change_plan;
mod plan_allotments;
mod plans;
