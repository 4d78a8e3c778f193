//! Obstacles to reading or writing a table directly.

use std::ffi::CString;
use std::fmt;

/// The first thing that is not as it must be. Its text goes on after the table's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    NotHeap,
    NoColumn(CString),
    OtherType(CString),
    NotNull(CString),
    Default(CString),
    Domain(CString),
    NoIndex(CString),
    OtherIndex(CString),
    SpecialIndex(CString),
    AddedIndex,
    Trigger(CString),
    Check,
    Rule,
    RowSecurity,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |name: &CString| name.to_string_lossy().into_owned();
        match self {
            Obstacle::NotHeap => write!(f, "it is not an ordinary table that the server stores by itself"),
            Obstacle::NoColumn(column) => write!(f, "the column \"{}\" is missing", text(column)),
            Obstacle::OtherType(column) => write!(f, "the column \"{}\" has another type or collation", text(column)),
            Obstacle::NotNull(column) => write!(f, "the column \"{}\" is NOT NULL, and debits may leave it empty", text(column)),
            Obstacle::Default(column) => {
                write!(f, "the column \"{}\", which was added, has a default or is generated", text(column))
            }
            Obstacle::Domain(column) => write!(f, "the column \"{}\", which was added, has a domain as its type", text(column)),
            Obstacle::NoIndex(index) => write!(f, "the index \"{}\" is missing", text(index)),
            Obstacle::OtherIndex(index) => {
                write!(f, "the index \"{}\" has other keys, is not valid or is no b-tree", text(index))
            }
            Obstacle::SpecialIndex(index) => {
                write!(
                    f,
                    "the index \"{}\" has a predicate or an expression, is deferred, or is an exclusion constraint",
                    text(index)
                )
            }
            Obstacle::AddedIndex => write!(f, "an index was added"),
            Obstacle::Trigger(trigger) => write!(f, "the trigger \"{}\" is not of the extension", text(trigger)),
            Obstacle::Check => write!(f, "a CHECK constraint was added"),
            Obstacle::Rule => write!(f, "a rule was added"),
            Obstacle::RowSecurity => write!(f, "row-level security is enabled"),
        }
    }
}
