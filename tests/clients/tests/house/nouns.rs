//! One noun per feature: `tests/lint/nouns.txt` says which paths belong to which noun.

use crate::{assert_none, files_below, list};

/// A row of the list: a noun, and how the paths of its files begin.
fn nouns() -> Vec<(String, Vec<String>)> {
    let row = |line: String| {
        let (noun, paths) = line.split_once(':').expect("noun: paths");
        (noun.trim().to_owned(), paths.split_whitespace().map(str::to_owned).collect())
    };
    list("nouns.txt").into_iter().map(row).collect()
}

fn begins_with(file: &str, path: &str) -> bool {
    file.strip_prefix(path).is_some_and(|rest| path.ends_with('/') || rest.starts_with('.'))
}

#[test]
fn every_file_has_one_noun() {
    let nouns = nouns();
    let mut wrong = Vec::new();
    for file in files_below(&["src", "sql", "docs"], &[".rs", ".sql", ".md", ".txt"]) {
        let of: Vec<&str> = nouns
            .iter()
            .filter(|(_, paths)| paths.iter().any(|path| begins_with(&file, path)))
            .map(|(noun, _)| noun.as_str())
            .collect();
        match of.as_slice() {
            [_] => {}
            [] => wrong.push(format!("{file} has no noun")),
            several => wrong.push(format!("{file} has several: {}", several.join(", "))),
        }
    }
    assert_none("files without just one noun (tests/lint/nouns.txt)", &wrong);
}

#[test]
fn every_path_of_a_noun_has_a_file() {
    let files = files_below(&["src", "sql", "docs"], &[".rs", ".sql", ".md", ".txt"]);
    let is_idle = |path: &&String| !files.iter().any(|file| begins_with(file, path));
    let wrong: Vec<String> = nouns()
        .iter()
        .flat_map(|(noun, paths)| paths.iter().filter(is_idle).map(move |path| format!("{noun}: {path}")))
        .collect();
    assert_none("paths of nouns without a file", &wrong);
}

/// Golden files are numbered from 1 in the order in which they run, and their name begins with a noun.
#[test]
fn golden_files_are_numbered_and_begin_with_a_noun() {
    let nouns = nouns();
    let mut files = files_below(&["tests/pg_regress/sql"], &[".sql"]);
    files.sort_unstable();
    let mut wrong = Vec::new();
    for (number, file) in (1..).zip(&files) {
        let name = file.rsplit('/').next().unwrap_or_default();
        let topic = name.strip_prefix(&format!("{number:02}_"));
        let is_of =
            |noun: &str| topic.is_some_and(|topic| topic.starts_with(&format!("{noun}_")) || topic == format!("{noun}.sql"));
        if !nouns.iter().any(|(noun, _)| is_of(noun)) {
            wrong.push(format!("{file} does not begin with {number:02} and a noun"));
        }
    }
    assert_none("names of golden files", &wrong);
}
