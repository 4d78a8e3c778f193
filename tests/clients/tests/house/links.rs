//! Links from page to page lead somewhere, and headings that are linked exist.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{assert_none, files_below, repository};

/// The targets of links of a page, with their lines; code blocks have none.
fn links(page: &str) -> Vec<(usize, String)> {
    let (mut in_code, mut found) = (false, Vec::new());
    for (line, number) in page.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if !in_code {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            found.extend(targets.map(|target| (number, target.to_owned())));
        }
    }
    found
}

/// The name of a heading in a link, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text: String = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

fn has_heading(page: &Path, wanted: &str) -> bool {
    let text = fs::read_to_string(page).unwrap_or_default();
    let mut in_code = false;
    text.lines().any(|line| {
        in_code ^= line.trim_start().starts_with("```");
        !in_code && line.starts_with('#') && anchor(line) == wanted
    })
}

#[test]
fn links_lead_somewhere() {
    let mut wrong = Vec::new();
    for file in files_below(&["*.md", "docs", ".github"], &[".md"]) {
        let page = repository().join(&file);
        let text = fs::read_to_string(&page).expect("a page");
        for (line, target) in
            links(&text).into_iter().filter(|(_, target)| !target.contains("://") && !target.starts_with("mailto:"))
        {
            let (path, heading) = target.split_once('#').map_or((target.as_str(), None), |(path, heading)| (path, Some(heading)));
            let to: PathBuf = if path.is_empty() { page.clone() } else { page.parent().expect("a directory").join(path) };
            if !to.exists() {
                wrong.push(format!("{file}:{line} links to {target}, which is not there"));
            } else if heading.is_some_and(|heading| !has_heading(&to, heading)) {
                wrong.push(format!("{file}:{line} links to {target}, which has no such heading"));
            }
        }
    }
    assert_none("broken links", &wrong);
}
