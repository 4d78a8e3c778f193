//! Debits, one by one and many, under concurrency, crashes and load, against a model.

mod available;
mod batch;
mod boundary;
mod check;
mod crash;
mod drain;
mod fire;
mod known_head;
mod late;
mod model;
mod places;
mod replay;
mod server_log;
