//! Access: roles, what is installed, who acts.

mod catalog;
mod encoding;
mod guards;
mod identity;
mod installation;
mod roles;
