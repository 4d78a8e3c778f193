//! The domain's own unit and property tests, compiled here without PostgreSQL: proof that it needs none.

#[path = "../../../src/domain/mod.rs"]
#[allow(dead_code)]
mod domain;
