//! The house: floors, nouns, widths, links. These are rules of the repository itself; no server is needed.

mod imports;
mod links;
mod nouns;
mod widths;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use imports::{Imports, Module};

/// Files that may be in one circle, and why.
const CIRCLES: &[(&str, &str)] =
    &[("debits/batch", "one attempt at a batch is one struct, whose methods stand in three files by what they do")];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// The lines of a list that are not comments.
fn list(name: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join("tests/lint").join(name)).expect("a list of the lint");
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// The files that git knows, or would add, below some directories.
fn files_below(directories: &[&str], extensions: &[&str]) -> Vec<String> {
    let listed = std::process::Command::new("git")
        .args(["-C", &repository().to_string_lossy(), "ls-files", "--cached", "--others", "--exclude-standard", "--"])
        .args(directories)
        .output()
        .expect("git lists the files");
    let listed = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let is_wanted =
        |name: &&str| extensions.iter().any(|extension| name.ends_with(extension)) && repository().join(name).exists();
    listed.lines().filter(is_wanted).map(str::to_owned).collect()
}

fn show(module: &Module) -> String {
    format!("src/{}", module.join("/"))
}

/// Fails with all that is wrong at once.
fn assert_none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}: {}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_file_imports_only_from_floors_below_its_own() {
    let floors = list("floors.txt");
    let floor_of: BTreeMap<&str, usize> = floors
        .iter()
        .rev()
        .enumerate()
        .flat_map(|(height, rooms)| rooms.split_whitespace().map(move |room| (room, height)))
        .collect();
    let imports = Imports::read(&repository().join("src"));
    let mut wrong = Vec::new();
    for (from, named) in imports.of.iter().filter(|(from, _)| !from.is_empty()) {
        for to in named.iter().filter(|to| !to.is_empty() && to[0] != from[0]) {
            match (floor_of.get(from[0].as_str()), floor_of.get(to[0].as_str())) {
                (Some(of_from), Some(of_to)) if of_to < of_from => {}
                (Some(_), Some(_)) => wrong.push(format!("{} imports {}, which is not on a floor below", show(from), show(to))),
                _ => wrong.push(format!("tests/lint/floors.txt lacks the room of {} or {}", show(from), show(to))),
            }
        }
    }
    assert_none("imports up", &wrong);
}

#[test]
fn no_files_stand_in_a_circle() {
    let imports = Imports::read(&repository().join("src"));
    let is_allowed =
        |circle: &Vec<Module>| CIRCLES.iter().any(|(room, _)| circle.iter().all(|file| file.join("/").starts_with(room)));
    let wrong: Vec<String> = imports
        .circles()
        .into_iter()
        .filter(|circle| !is_allowed(circle))
        .map(|circle| circle.iter().map(show).collect::<Vec<_>>().join(" <-> "))
        .collect();
    assert_none("circles", &wrong);
}
