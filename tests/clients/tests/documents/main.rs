//! The pages of the documentation, run and compared.

mod readme;
mod reference;
