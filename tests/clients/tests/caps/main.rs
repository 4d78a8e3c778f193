//! Caps, of the calendar and rolling.

mod caps;
mod rolling_caps;
