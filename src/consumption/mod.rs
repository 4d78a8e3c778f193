//! Reports of what was consumed: kept added up, so that they are fast however long the history is.

pub mod rollup;
