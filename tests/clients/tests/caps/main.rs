//! Caps, of the calendar and rolling, and what holds have of them.

mod caps;
mod holds;
mod rolling_caps;
