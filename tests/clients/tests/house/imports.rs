//! What the files of `src` import from each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module by its path from the crate's root; the root itself is empty.
pub type Module = Vec<String>;

/// Which modules each module of a crate names.
pub struct Imports {
    pub of: BTreeMap<Module, BTreeSet<Module>>,
}

impl Imports {
    /// Reads all files below a directory.
    pub fn read(source: &Path) -> Imports {
        let mut files = BTreeMap::new();
        collect(source, source, &mut files);
        let of = files.iter().map(|(module, file)| (module.clone(), named_by(module, file, &files))).collect();
        Imports { of }
    }

    /// Circles: sets of files each of which reaches the others.
    pub fn circles(&self) -> Vec<Vec<Module>> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> = self.of.keys().map(|from| (from, self.reached_from(from))).collect();
        let mut known = BTreeSet::new();
        let mut circles = Vec::new();
        for module in self.of.keys().filter(|module| !module.is_empty()) {
            let circle: Vec<Module> =
                reached[module].iter().filter(|other| reached[*other].contains(module)).map(|other| (*other).clone()).collect();
            if circle.len() > 1 && known.insert(circle.clone()) {
                circles.push(circle);
            }
        }
        circles
    }

    fn reached_from<'a>(&'a self, from: &'a Module) -> BTreeSet<&'a Module> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(module) = open.pop() {
            let next = self.of[module].iter().filter(|next| !next.is_empty());
            open.extend(next.filter(|next| reached.insert(*next)));
        }
        reached
    }
}

fn collect(source: &Path, directory: &Path, files: &mut BTreeMap<Module, PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(source, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(module_of(source, &path), path);
        }
    }
}

fn module_of(source: &Path, file: &Path) -> Module {
    let relative = file.strip_prefix(source).expect("a file of the sources").with_extension("");
    let mut module: Module = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

/// The modules that a file names, but for those that its unit tests name.
fn named_by(module: &Module, file: &Path, files: &BTreeMap<Module, PathBuf>) -> BTreeSet<Module> {
    let text = fs::read_to_string(file).expect("a file of the sources");
    let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let code = code.split("\nmod tests {").next().unwrap_or_default();
    let mut paths = Vec::new();
    for (begin, _) in code.match_indices("crate::") {
        let is_word = code[..begin].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$');
        if !is_word {
            paths_of_tree(&code[begin + "crate::".len()..], &[], &mut paths);
        }
    }
    for (begin, _) in code.match_indices("super::") {
        let parent: Vec<&str> = module.iter().map(String::as_str).take(module.len().saturating_sub(1)).collect();
        paths_of_tree(&code[begin + "super::".len()..], &parent, &mut paths);
    }
    let longest =
        |path: &Module| (0..=path.len()).rev().map(|length| path[..length].to_vec()).find(|prefix| files.contains_key(prefix));
    paths.iter().filter_map(longest).filter(|named| named != module).collect()
}

/// The paths of a tree such as `store::{Snapshot, ledger::lots}`, up to where it ends.
fn paths_of_tree(tree: &str, prefix: &[&str], paths: &mut Vec<Module>) {
    let mut prefix: Vec<String> = prefix.iter().map(|part| (*part).to_owned()).collect();
    let mut rest = tree;
    loop {
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        if end > 0 {
            prefix.push(rest[..end].to_owned());
        }
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(next) if end > 0 => rest = next,
            _ => break,
        }
    }
    let Some(group) = rest.strip_prefix('{') else {
        paths.push(prefix);
        return;
    };
    let parts: Vec<&str> = prefix.iter().map(String::as_str).collect();
    members(group).into_iter().for_each(|member| paths_of_tree(member.trim_start(), &parts, paths));
}

/// The members of a group up to its closing brace.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut found) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(&group[begin..at]);
                return found;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(&group[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    found
}
