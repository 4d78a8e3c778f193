//! True-ups.

mod true_up;
