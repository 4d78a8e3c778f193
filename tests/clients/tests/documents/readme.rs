//! The examples of the documentation are true: every sql block of README.md and of the pages below docs is run, in order,
//! one file in one fresh database.
//!
//! A comment behind a statement says what it returns, `-- => value | value` for each row (NULL for NULL), or that it is
//! refused, `-- ERROR 23514`. A statement without one must succeed. As in psql, `AS name \gset` at the end of a line keeps what a
//! statement returns, and `:name` stands for it later.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pg_credit_clients::{Client, Database, Server, Session};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Roles that the examples create; they belong to the server, not to the database.
const ROLES: &[&str] = &["credit_app"];

/// A statement, where it stands, and what is said about it.
#[derive(Debug, Default, PartialEq)]
struct Example {
    line: usize,
    sql: String,
    rows: Vec<String>,
    error: Option<String>,
    /// The name under which its value is kept.
    kept_as: Option<String>,
}

/// The lines of the sql blocks of a page, with their numbers.
fn sql_lines(page: &str) -> Vec<(usize, &str)> {
    let mut in_sql = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(page.lines()) {
        match line.trim_end() {
            "```sql" => in_sql = true,
            "```" => in_sql = false,
            _ if in_sql => lines.push((number, line)),
            _ => {}
        }
    }
    lines
}

/// Where a statement's end is looked for: a semicolon outside of quotes.
#[derive(Clone, Debug, PartialEq)]
enum Inside {
    Code,
    Quotes(char),
    Dollars(String),
}

/// Follows one line; the position behind the semicolon that ends the statement, if one does.
fn end_of_statement(line: &str, inside: &mut Inside) -> Option<usize> {
    let mut rest = line;
    while let Some(next) = rest.chars().next() {
        let position = line.len() - rest.len();
        let mut step = next.len_utf8();
        match inside {
            Inside::Quotes(quote) => {
                if next == *quote {
                    *inside = Inside::Code;
                }
            }
            Inside::Dollars(tag) => {
                if rest.starts_with(tag.as_str()) {
                    step = tag.len();
                    *inside = Inside::Code;
                }
            }
            Inside::Code if rest.starts_with("--") => return None,
            Inside::Code if next == ';' => return Some(position + 1),
            Inside::Code if next == '\'' || next == '"' => *inside = Inside::Quotes(next),
            Inside::Code if next == '$' => {
                if let Some(tag) = dollar_tag(rest) {
                    step = tag.len();
                    *inside = Inside::Dollars(tag);
                }
            }
            Inside::Code => {}
        }
        rest = &rest[step..];
    }
    None
}

/// `$$` or `$name$` at the begin of a text.
fn dollar_tag(text: &str) -> Option<String> {
    let end = text[1..].find('$')? + 2;
    let name = &text[1..end - 1];
    name.chars().all(|letter| letter.is_alphanumeric() || letter == '_').then(|| text[..end].to_owned())
}

/// The statements of a page and what their comments say about them.
fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut statement = Example::default();
    let mut inside = Inside::Code;
    for (number, line) in sql_lines(page) {
        // Outside of quotes, since the examples have it nowhere else.
        let kept = line.strip_suffix(" \\gset").map(|line| format!("{line};"));
        let kept_as = kept.as_ref().and_then(|_| line.split_whitespace().rev().nth(1)).map(str::to_owned);
        let mut rest = kept.as_deref().unwrap_or(line);
        while let Some(end) = end_of_statement(rest, &mut inside) {
            if statement.sql.is_empty() {
                statement.line = number;
            }
            statement.sql.push_str(&rest[..end]);
            statement.kept_as = kept_as.clone();
            examples.push(std::mem::take(&mut statement));
            rest = &rest[end..];
        }
        let text = rest.trim();
        if !statement.sql.is_empty() || !(text.is_empty() || text.starts_with("--")) {
            if statement.sql.is_empty() {
                statement.line = number;
            }
            statement.sql.push_str(rest);
            statement.sql.push('\n');
        } else if let Some(last) = examples.last_mut() {
            if let Some(row) = text.strip_prefix("-- =>") {
                last.rows.push(row.trim().to_owned());
            } else if let Some(code) = text.strip_prefix("-- ERROR ") {
                last.error = Some(code[..5].to_owned());
            }
        }
    }
    assert_eq!(statement.sql, "", "an sql block without an end");
    examples
}

/// A statement with the values that were kept before.
fn with_kept(sql: &str, kept: &BTreeMap<String, String>) -> String {
    kept.iter().fold(sql.to_owned(), |sql, (name, value)| {
        let ends = |rest: &str| !rest.starts_with(|letter: char| letter.is_alphanumeric() || letter == '_');
        let named = format!(":{name}");
        let mut parts = sql.split(&named);
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let is_kept = ends(part) && !whole.ends_with(':');
            if is_kept {
                whole.push_str(value)
            } else {
                whole.push_str(&named)
            }
            whole.push_str(part);
        }
        whole
    })
}

/// Runs a statement; what is wrong with what is said about it.
fn check(session: &mut Client, example: &Example, kept: &mut BTreeMap<String, String>) -> Result<(), String> {
    let outcome = session.try_rows(&with_kept(&example.sql, kept));
    if let (Some(name), Ok(rows)) = (&example.kept_as, &outcome) {
        let value = rows.first().and_then(|row| row.last()).and_then(Clone::clone).unwrap_or_default();
        kept.insert(name.clone(), value);
    }
    match (outcome, &example.error) {
        (Ok(_), Some(code)) => Err(format!("not refused with {code}")),
        (Err(refusal), Some(code)) if refusal.code == *code => Ok(()),
        (Err(refusal), _) => Err(refusal.to_string()),
        (Ok(_), None) if example.rows.is_empty() => Ok(()),
        (Ok(rows), None) => {
            let text = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
            let found: Vec<String> =
                rows.into_iter().map(|row| row.into_iter().map(text).collect::<Vec<_>>().join(" | ")).collect();
            if found == example.rows { Ok(()) } else { Err(format!("returns {found:?}, not {:?}", example.rows)) }
        }
    }
}

fn drop_roles() {
    let mut session = Server::under_test().connect("postgres");
    for role in ROLES {
        session.run(&format!("SET client_min_messages = warning; DROP ROLE IF EXISTS {role}"));
    }
}

/// The pages in a directory and in those within it.
fn pages_below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let (directories, files): (Vec<PathBuf>, Vec<PathBuf>) =
        entries.map(|entry| entry.expect("an entry").path()).partition(|path| path.is_dir());
    let pages = files.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    pages.chain(directories.iter().flat_map(|directory| pages_below(directory))).collect()
}

/// Runs all examples of a page: how many there were, and what is wrong. The roles that it creates are gone before and afterwards.
fn run_page(path: &Path) -> (usize, Vec<String>) {
    drop_roles();
    let page = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let examples = examples(&page);
    let wrong = wrong_examples(&examples);
    drop_roles();
    let shown = path.strip_prefix(REPOSITORY).unwrap_or(path).display();
    (examples.len(), wrong.into_iter().map(|(line, fault)| format!("{shown}:{line}: {fault}")).collect())
}

/// Runs examples in a fresh database: the lines of those that are not true, and why.
fn wrong_examples(examples: &[Example]) -> Vec<(usize, String)> {
    let database = Database::bare(&Server::under_test());
    let mut session = database.connect();
    let mut kept = BTreeMap::new();
    let fault = |example: &Example| {
        let fault = check(&mut session, example, &mut kept).err()?;
        Some((example.line, format!("{fault}\n{}", example.sql)))
    };
    examples.iter().filter_map(fault).collect()
}

#[test]
fn the_examples_of_the_documentation_are_true() {
    let mut pages = pages_below(&Path::new(REPOSITORY).join("docs"));
    pages.push(PathBuf::from(REPOSITORY).join("README.md"));
    pages.sort();
    let (counts, wrong): (Vec<usize>, Vec<Vec<String>>) = pages.iter().map(|page| run_page(page)).unzip();
    let (examples, wrong) = (counts.iter().sum::<usize>(), wrong.concat());
    assert!(wrong.is_empty(), "{} of {examples} examples:\n{}", wrong.len(), wrong.join("\n"));
    assert!(examples > 50, "only {examples} examples were found: are the blocks still marked as sql?");
}

#[test]
fn statements_end_at_semicolons_outside_of_quotes() {
    let page = "text\n```sql\nSELECT ';', \";\" -- ;\n  , 1; SELECT 2;\n-- => 2\n\
        DO $x$ a; $$; $x$;  -- said\n-- ERROR 22023\n```\nSELECT 3;\n";
    let found = examples(page);
    let sql: Vec<&str> = found.iter().map(|example| example.sql.trim()).collect();
    assert_eq!(sql, ["SELECT ';', \";\" -- ;\n  , 1;", "SELECT 2;", "DO $x$ a; $$; $x$;"]);
    assert_eq!((found[1].rows.as_slice(), found[2].error.as_deref()), (["2".to_owned()].as_slice(), Some("22023")));
    assert_eq!((found[0].line, found[2].line), (3, 6));
}

/// What PGXN reads says what the crate says.
#[test]
fn the_metadata_agrees_with_the_crate() {
    let read =
        |name: &str| fs::read_to_string(Path::new(REPOSITORY).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let meta: serde_json::Value = serde_json::from_str(&read("META.json")).expect("META.json is JSON");
    let version = meta["version"].as_str().expect("a version");
    assert!(
        read("Cargo.toml").contains(&format!("\nversion = \"{version}\"\n")),
        "Cargo.toml has another version than META.json"
    );
    assert_eq!(meta["provides"]["pg_credit"]["version"], version);
    assert!(read("CHANGELOG.md").contains(version), "CHANGELOG.md does not mention {version}");
    // What the specification of PGXN requires.
    for key in ["name", "abstract", "maintainer", "license", "provides", "meta-spec"] {
        assert!(!meta[key].is_null(), "META.json has no {key}");
    }
    for key in ["file", "docfile"] {
        let file = meta["provides"]["pg_credit"][key].as_str().expect("a file");
        assert!(Path::new(REPOSITORY).join(file).exists(), "META.json: {file}");
    }
}
