//! Credits that go back after they were spent, and credits that are taken out before: refunds and withdrawals.

pub mod refund;
pub mod withdraw;
