//! Reports of consumption, beside running writers.

mod consumption;
