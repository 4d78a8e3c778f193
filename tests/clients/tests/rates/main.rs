//! Rates, cards, prices and the reports about them.

mod price_list;
mod prices;
mod rate_cards;
mod rate_promises;
mod rate_reports;
