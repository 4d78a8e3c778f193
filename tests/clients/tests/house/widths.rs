//! No line is wider than 130 characters, in code, comments and SQL alike.

use std::fs;

use crate::{assert_none, files_below, repository};

const WIDTH: usize = 130;

/// Files with a literal that cannot be broken.
const EXEMPT: &[&str] = &["tests/clients/tests/schedules/cycles_model/policy.rs"];

#[test]
fn no_line_is_too_wide() {
    let mut wrong = Vec::new();
    for file in files_below(&["src", "sql", "tests/clients"], &[".rs", ".sql"]) {
        if EXEMPT.contains(&file.as_str()) {
            continue;
        }
        let text = fs::read_to_string(repository().join(&file)).expect("a text");
        let wide = text.lines().zip(1..).filter(|(line, _)| line.chars().count() > WIDTH);
        wrong.extend(wide.map(|(line, number)| format!("{file}:{number} has {}", line.chars().count())));
    }
    assert_none("lines wider than 130", &wrong);
}
