//! Holds, captures and releases with real connections.

mod caps;
mod captures;
mod ended;
mod lots;
mod many;
