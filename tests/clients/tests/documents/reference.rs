//! The reference is true: the pages docs/reference/*.md say what the catalog says.
//!
//! Compared are the functions that somebody may call, with each argument, default and result; the tables and views that somebody
//! may read, with each column; the settings with their defaults; the access levels; and the SQLSTATEs that a function's comment
//! names. Each of them stands on one page only. docs/reference/README.md says how a page is written. The test `readme` runs the
//! examples.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::slice::from_ref;

use pg_credit_clients::{Client, Database, Session};

const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");

/// Pages that are not about one noun.
const OTHER_PAGES: &[&str] = &["README", "errors", "settings"];

/// A function as it is called; of a procedure `result` is empty.
#[derive(Clone, Debug, Default, PartialEq)]
struct Signature {
    arguments: Vec<String>,
    result: String,
    columns: Vec<String>,
}

/// The catalog's words about a function with all its forms.
#[derive(Debug, Default)]
struct Function {
    forms: Vec<Signature>,
    levels: BTreeSet<String>,
    sqlstates: BTreeSet<String>,
    is_required: bool,
}

/// The catalog's words about a table or a view.
#[derive(Debug, Default)]
struct Relation {
    columns: Vec<(String, String)>,
    levels: BTreeSet<String>,
    is_required: bool,
}

#[derive(Debug, Default)]
struct Catalog {
    functions: BTreeMap<String, Function>,
    relations: BTreeMap<String, Relation>,
    settings: BTreeMap<String, String>,
}

/// A part of a page: what stands below one heading.
#[derive(Debug, Default)]
struct Part {
    page: String,
    heading: String,
    /// Blocks of code: their language and their text.
    blocks: Vec<(String, String)>,
    /// Tables by the first word of their head; rows as cells without backquotes.
    tables: Vec<(String, Vec<Vec<String>>)>,
    levels: Option<BTreeSet<String>>,
}

impl Part {
    fn rows(&self, head: &str) -> impl Iterator<Item = &Vec<String>> {
        let head = head.to_owned();
        self.tables.iter().filter(move |(first, _)| *first == head).flat_map(|(_, rows)| rows)
    }

    /// The names in the first cells of a kind of table; a cell may hold several.
    fn names(&self, head: &str) -> Vec<String> {
        self.rows(head).flat_map(|row| row[0].split(',').map(|name| name.trim().to_owned())).collect()
    }

    fn is_relation(&self) -> bool {
        self.tables.iter().any(|(head, rows)| head == "column" && rows.first().is_some_and(|row| row.len() > 2))
    }
}

/// The text between `open`, which is the first letter, and the parenthesis that closes it; and what follows.
fn in_parentheses(text: &str) -> (&str, &str) {
    let (mut depth, mut is_quoted) = (0, false);
    for (position, letter) in text.char_indices() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (&text[1..position], &text[position + 1..]);
        }
    }
    panic!("a parenthesis is not closed: {text}");
}

/// A list at its commas, but for those in parentheses and quotes.
fn items(list: &str) -> Vec<String> {
    let (mut items, mut depth, mut is_quoted) = (vec![String::new()], 0, false);
    for letter in list.chars() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 && !is_quoted {
            items.push(String::new());
        } else {
            items.last_mut().expect("an item").push(letter);
        }
    }
    items.into_iter().map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}

/// A block with a signature: the name, and how it is called.
fn signature(block: &str) -> Option<(String, Signature)> {
    let text = block.split_whitespace().collect::<Vec<_>>().join(" ");
    let call = text.strip_prefix("PROCEDURE ").unwrap_or(&text);
    let (arguments, rest) = in_parentheses(&call[call.find('(')?..]);
    let result = rest.trim().strip_prefix("RETURNS").unwrap_or_default().trim();
    let mut form = Signature { arguments: items(arguments), result: result.to_owned(), columns: Vec::new() };
    if let Some(columns) = result.strip_prefix("TABLE") {
        form.result = "TABLE".to_owned();
        form.columns = items(in_parentheses(columns.trim()).0);
    }
    Some((call[..call.find('(')?].trim().to_owned(), form))
}

/// The cells of a row of a table, without backquotes.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    inner.split('|').map(|cell| cell.replace('\u{1}', "|").replace('`', "").trim().to_owned()).collect()
}

/// The access levels that a line names, but for what stands in parentheses.
fn levels_of(line: &str) -> BTreeSet<String> {
    let outside = line.split('(').map(|part| part.rsplit(')').next().unwrap_or_default()).collect::<String>();
    ["public", "read", "spend", "admin"]
        .iter()
        .filter(|level| outside.contains(&format!("`{level}`")))
        .map(|level| (*level).to_owned())
        .collect()
}

/// The parts of a page.
fn parts(page: &str, text: &str) -> Vec<Part> {
    let begin = |heading: &str| Part { page: page.to_owned(), heading: heading.to_owned(), ..Part::default() };
    let mut parts = vec![begin("")];
    let (mut block, mut is_in_table): (Option<(String, String)>, bool) = (None, false);
    for line in text.lines() {
        let part = parts.last_mut().expect("a part");
        if let Some((language, mut code)) = block.take() {
            if line.trim_end() == "```" {
                part.blocks.push((language, code));
            } else {
                code.push_str(line);
                code.push('\n');
                block = Some((language, code));
            }
        } else if let Some(language) = line.strip_prefix("```") {
            block = Some((language.trim().to_owned(), String::new()));
        } else if line.starts_with('#') {
            let heading = line.trim_start_matches('#').trim().replace('`', "");
            parts.push(begin(if line.starts_with("### ") { &heading } else { "" }));
        } else if line.starts_with('|') && !is_in_table {
            part.tables.push((cells(line)[0].clone(), Vec::new()));
        } else if line.starts_with('|') && !line.starts_with("|-") {
            part.tables.last_mut().expect("a table").1.push(cells(line));
        } else if line.starts_with("Levels:") {
            part.levels = Some(levels_of(line));
        }
        is_in_table = line.starts_with('|');
    }
    assert!(block.is_none(), "{page}: a block of code without an end");
    parts
}

/// The pages with their texts.
fn pages() -> BTreeMap<String, String> {
    let files = fs::read_dir(Path::new(PAGES)).expect("the directory docs/reference");
    let paths =
        files.map(|file| file.expect("a file").path()).filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    paths
        .map(|path| (name(&path), fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))))
        .collect()
}

/// The SQLSTATEs that a comment names behind the word Errors.
fn sqlstates(comment: &str) -> BTreeSet<String> {
    let errors = comment.find("Errors").map_or("", |position| &comment[position..]);
    let words = errors.split(|letter: char| !letter.is_ascii_alphanumeric());
    let is_code = |word: &&str| {
        word.len() == 5
            && word.starts_with(|first: char| first.is_ascii_digit() || first == 'P')
            && word.chars().filter(char::is_ascii_digit).count() >= 3
            && !word.chars().any(|letter| letter.is_ascii_lowercase())
    };
    words.filter(is_code).map(str::to_owned).collect()
}

/// Every function of the extension but for those of triggers: a row for each form and argument, in order. Types and defaults are
/// written as the pages write them: `timestamptz`, and no cast behind a default.
const FUNCTIONS: &str = "
    SELECT p.oid, CASE WHEN n.nspname = 'credit' THEN 'credit.' ELSE '' END || p.proname, p.prokind = 'p',
        p.proretset, replace(format_type(p.prorettype, NULL), 'timestamp with time zone', 'timestamptz'),
        COALESCE(obj_description(p.oid, 'pg_proc'), ''),
        (SELECT COALESCE(string_agg(DISTINCT r.level, ','), '') FROM credit.access_rule r
         WHERE r.kind IN ('FUNCTION', 'PROCEDURE')
             AND r.object = format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))),
        a.mode, concat_ws(' ', a.name, replace(format_type(a.type, NULL), 'timestamp with time zone', 'timestamptz'),
            'DEFAULT ' || regexp_replace(pg_get_function_arg_default(p.oid, a.number::integer), '::[a-z ]+(\\[\\])?$', ''))
    FROM pg_proc p
    JOIN pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND x.extname = 'pg_credit'
    LEFT JOIN LATERAL unnest(COALESCE(p.proallargtypes, p.proargtypes::oid[]), p.proargnames, p.proargmodes)
        WITH ORDINALITY AS a (type, name, mode, number) ON true
    WHERE p.prorettype <> 'trigger'::regtype
    ORDER BY 2, p.oid, a.number";

/// Every column of every table and view of the extension, in order.
const COLUMNS: &str = "
    SELECT format('credit.%I', c.relname), a.attname,
        replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz'),
        (SELECT COALESCE(string_agg(DISTINCT r.level, ','), '') FROM credit.access_rule r
         WHERE r.kind = 'TABLE' AND r.privilege LIKE 'SELECT%' AND r.object = format('credit.%I', c.relname))
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'credit'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f')
    ORDER BY 1, a.attnum";

fn level_set(list: &str) -> BTreeSet<String> {
    list.split(',').filter(|level| !level.is_empty()).map(str::to_owned).collect()
}

fn functions_of(session: &mut Client) -> BTreeMap<String, Function> {
    let mut functions: BTreeMap<String, Function> = BTreeMap::new();
    let mut last = String::new();
    for row in session.rows(FUNCTIONS) {
        let [oid, name, is_procedure, is_set, result, comment, levels, mode, argument] = &row[..] else { panic!("{row:?}") };
        let function = functions.entry(name.clone()).or_default();
        if *oid != last {
            last.clone_from(oid);
            let result = match (is_procedure.as_str(), is_set.as_str()) {
                ("t", _) => String::new(),
                (_, "t") => format!("SETOF {result}"),
                _ => result.clone(),
            };
            function.forms.push(Signature { result, ..Signature::default() });
            function.levels.extend(level_set(levels));
            function.sqlstates.extend(sqlstates(comment));
            function.is_required = name.starts_with("credit_") || !function.levels.is_empty();
        }
        let form = function.forms.last_mut().expect("a form");
        if mode == "t" {
            form.result = "TABLE".to_owned();
            form.columns.push(argument.clone());
        } else if !argument.is_empty() {
            form.arguments.push(argument.clone());
        }
    }
    functions
}

fn relations_of(session: &mut Client) -> BTreeMap<String, Relation> {
    let mut relations: BTreeMap<String, Relation> = BTreeMap::new();
    for row in session.rows(COLUMNS) {
        let [name, column, kind, levels] = &row[..] else { panic!("{row:?}") };
        let relation = relations.entry(name.clone()).or_default();
        relation.columns.push((column.clone(), kind.clone()));
        relation.levels = level_set(levels);
        relation.is_required = !relation.levels.is_empty();
    }
    relations
}

fn catalog() -> Catalog {
    let database = Database::new();
    let mut session = database.connect();
    let functions = functions_of(&mut session);
    let relations = relations_of(&mut session);
    // Reading the catalog loads no library, and the settings come with it.
    session.run("SELECT credit.now()");
    let settings = session.rows("SELECT name, boot_val FROM pg_settings WHERE name LIKE 'credit.%'");
    let settings = settings.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    Catalog { functions, relations, settings }
}

/// The parts that a page has and the catalog lacks, and the other way round; or that the order is another one.
fn compare(what: &str, page: &[String], catalog: &[String]) -> Vec<String> {
    if page == catalog {
        return Vec::new();
    }
    let only = |side: &[String], other: &[String]| {
        side.iter().filter(|item| !other.contains(item)).map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ")
    };
    let (surplus, missing) = (only(page, catalog), only(catalog, page));
    match (surplus.is_empty(), missing.is_empty()) {
        (true, true) => vec![format!("{what}: another order or number than {}", catalog.join(", "))],
        (false, true) => vec![format!("{what}: {surplus} is not in the catalog")],
        (true, false) => vec![format!("{what}: {missing} is missing")],
        (false, false) => vec![format!("{what}: {surplus} instead of {missing}")],
    }
}

/// The name that a declaration begins with.
fn declared(declaration: &str) -> String {
    declaration.split(' ').next().unwrap_or_default().to_owned()
}

/// Names of all forms, each once.
fn names_of(lists: impl Iterator<Item = Vec<String>>) -> BTreeSet<String> {
    lists.flatten().map(|item| declared(&item)).collect()
}

/// A table of a page has each name once.
fn compare_names(what: &str, page: &[String], catalog: &BTreeSet<String>) -> Vec<String> {
    let mut sorted = page.to_vec();
    sorted.sort();
    compare(what, &sorted, &catalog.iter().cloned().collect::<Vec<_>>())
}

/// Each form of the page beside the form of the catalog that it is.
fn compare_forms(page: &[Signature], catalog: &[Signature]) -> Vec<String> {
    let others =
        |side: &[Signature], other: &[Signature]| side.iter().filter(|form| !other.contains(form)).cloned().collect::<Vec<_>>();
    let (surplus, missing) = (others(page, catalog), others(catalog, page));
    let mut wrong = Vec::new();
    if page.len() != catalog.len() {
        wrong.push(format!("{} signatures, not {}", page.len(), catalog.len()));
    }
    for (form, true_form) in surplus.iter().zip(&missing) {
        wrong.extend(compare("arguments", &form.arguments, &true_form.arguments));
        wrong.extend(compare("result", from_ref(&form.result), from_ref(&true_form.result)));
        wrong.extend(compare("columns of the result", &form.columns, &true_form.columns));
    }
    wrong
}

fn compare_levels(part: &Part, levels: &BTreeSet<String>) -> Vec<String> {
    match &part.levels {
        None => vec![format!("no line \"Levels:\", which has {levels:?}")],
        Some(found) if found != levels => vec![format!("levels {found:?}, not {levels:?}")],
        Some(_) => Vec::new(),
    }
}

fn compare_function(part: &Part, function: &Function) -> Vec<String> {
    let mut forms = Vec::new();
    let mut wrong = Vec::new();
    for (name, form) in part.blocks.iter().filter(|(language, _)| language == "text").filter_map(|(_, code)| signature(code)) {
        if name == part.heading {
            forms.push(form);
        } else {
            wrong.push(format!("a signature of {name}"));
        }
    }
    wrong.extend(compare_forms(&forms, &function.forms));
    let arguments = names_of(function.forms.iter().map(|form| form.arguments.clone()));
    wrong.extend(compare_names("table of arguments", &part.names("argument"), &arguments));
    let columns = names_of(function.forms.iter().map(|form| form.columns.clone()));
    wrong.extend(compare_names("table of the result's columns", &part.names("column"), &columns));
    wrong.extend(compare_levels(part, &function.levels));
    let named: BTreeSet<String> = part.names("SQLSTATE").into_iter().collect();
    let missing: Vec<&String> = function.sqlstates.difference(&named).collect();
    if !missing.is_empty() {
        wrong.push(format!("table of errors: {missing:?} of the comment is missing"));
    }
    let is_call = |(language, code): &(String, String)| language == "sql" && code.contains(&format!("{}(", part.heading));
    if part.heading.starts_with("credit_") && !part.blocks.iter().any(is_call) {
        wrong.push("no example calls it".to_owned());
    }
    wrong
}

fn compare_relation(part: &Part, relation: &Relation) -> Vec<String> {
    let page: Vec<String> = part.rows("column").map(|row| row[..2].join(" ")).collect();
    let catalog: Vec<String> = relation.columns.iter().map(|(column, kind)| format!("{column} {kind}")).collect();
    let mut wrong = compare("columns", &page, &catalog);
    wrong.extend(compare_levels(part, &relation.levels));
    wrong
}

/// The settings of a part: those of the catalog have the default that stands here.
fn compare_settings(part: &Part, settings: &BTreeMap<String, String>) -> Vec<String> {
    let check = |row: &Vec<String>| match settings.get(&row[0]) {
        None => Some(format!("{} is no setting", row[0])),
        Some(default) if row[1] != *default => Some(format!("{} is {:?} by default, not {:?}", row[0], default, row[1])),
        Some(_) => None,
    };
    part.rows("setting").filter_map(check).collect()
}

/// Where each object stands: the pages by its name.
fn places(parts: &[Part]) -> BTreeMap<String, Vec<&str>> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for part in parts {
        let is_object = part.heading.starts_with("credit_") || part.heading.starts_with("credit.");
        for name in part.names("setting").into_iter().chain(is_object.then(|| part.heading.clone())) {
            places.entry(name).or_default().push(&part.page);
        }
    }
    places
}

/// The words of a page about one object, beside the catalog.
fn compare_part(part: &Part, catalog: &Catalog) -> Vec<String> {
    let mut wrong = compare_settings(part, &catalog.settings);
    if !(part.heading.starts_with("credit_") || part.heading.starts_with("credit.")) {
        return wrong;
    }
    wrong.extend(match (catalog.functions.get(&part.heading), catalog.relations.get(&part.heading)) {
        (_, Some(relation)) if part.is_relation() => compare_relation(part, relation),
        (Some(function), _) => compare_function(part, function),
        (None, Some(_)) => vec!["no table of its columns (| column | type | what |)".to_owned()],
        (None, None) => vec!["the extension has no such object".to_owned()],
    });
    wrong
}

/// Objects that no page has, or more than one.
fn compare_places(parts: &[Part], catalog: &Catalog) -> Vec<String> {
    let places = places(parts);
    let functions = catalog.functions.iter().filter(|(_, function)| function.is_required).map(|(name, _)| name);
    let relations = catalog.relations.iter().filter(|(_, relation)| relation.is_required).map(|(name, _)| name);
    let required = functions.chain(relations).chain(catalog.settings.keys());
    let missing = required.filter(|name| !places.contains_key(*name)).map(|name| format!("no page has {name}"));
    let twice = places
        .iter()
        .filter(|(_, pages)| pages.len() > 1)
        .map(|(name, pages)| format!("{name} stands more than once: {pages:?}"));
    twice.chain(missing).collect()
}

/// SQLSTATEs that a page names and the page errors.md does not.
fn compare_errors(parts: &[Part]) -> Vec<String> {
    let named = |part: &&Part| part.page == "errors";
    let known: BTreeSet<String> = parts.iter().filter(named).flat_map(|part| part.names("SQLSTATE")).collect();
    let others = parts.iter().filter(|part| !named(part));
    let unknown = others.flat_map(|part| part.names("SQLSTATE").into_iter().map(move |code| (code, &part.page)));
    unknown
        .filter(|(code, _)| !known.contains(code))
        .map(|(code, page)| format!("{page}: errors.md does not have {code}"))
        .collect()
}

/// A page is called by its noun, and leads to the guide.
fn compare_title(page: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !OTHER_PAGES.contains(&page) {
        if text.lines().next() != Some(&format!("# {page}")) {
            wrong.push(format!("{page}: the first line is not \"# {page}\""));
        }
        if !text.contains(&format!("](../{page}.md")) {
            wrong.push(format!("{page}: no link to ../{page}.md"));
        }
    }
    wrong
}

#[test]
fn the_reference_says_what_the_catalog_says() {
    let (pages, catalog) = (pages(), catalog());
    let parts: Vec<Part> = pages.iter().flat_map(|(page, text)| parts(page, text)).collect();
    let of_part = |part: &Part| {
        compare_part(part, &catalog)
            .into_iter()
            .map(|fault| format!("{}: {}: {fault}", part.page, part.heading))
            .collect::<Vec<_>>()
    };
    let mut wrong: Vec<String> = pages.iter().flat_map(|(page, text)| compare_title(page, text)).collect();
    wrong.extend(parts.iter().flat_map(of_part));
    wrong.extend(compare_errors(&parts));
    wrong.extend(compare_places(&parts, &catalog));
    assert!(wrong.is_empty(), "{} differences of docs/reference from the catalog:\n{}", wrong.len(), wrong.join("\n"));
}

const PAGE: &str = r"# caps

## Functions

### credit_cap
```text
credit_cap(
    a text, b text DEFAULT 'x, (y'
) RETURNS TABLE (c bigint,
    d text)
```

Levels: `read` (not `admin`), `spend`.

| argument | what |
|---|---|
| `a`, `b` | one \| other |

### credit.caps
| column | type | what |
|---|---|---|
| `c` | bigint | |
";

#[test]
fn a_page_is_read_part_by_part() {
    let parts = parts("caps", PAGE);
    let part = |heading: &str| parts.iter().find(|part| part.heading == heading).expect("a part");
    let (function, relation) = (part("credit_cap"), part("credit.caps"));
    let form = Signature {
        arguments: vec!["a text".to_owned(), "b text DEFAULT 'x, (y'".to_owned()],
        result: "TABLE".to_owned(),
        columns: vec!["c bigint".to_owned(), "d text".to_owned()],
    };
    assert_eq!(signature(&function.blocks[0].1), Some(("credit_cap".to_owned(), form)));
    assert_eq!(function.names("argument"), ["a", "b"]);
    assert_eq!(function.rows("argument").next().map(|row| row[1].as_str()), Some("one | other"));
    assert_eq!(function.levels, Some(level_set("read,spend")));
    assert!(relation.is_relation() && !function.is_relation());
    assert_eq!(
        signature("PROCEDURE p(a interval)").map(|(name, form)| (name, form.result)),
        Some(("p".to_owned(), String::new()))
    );
}

#[test]
fn a_difference_is_told() {
    let list = |text: &str| items(text);
    assert_eq!(compare("x", &list("a, b"), &list("a, b")), Vec::<String>::new());
    assert_eq!(compare("x", &list("a, b"), &list("a, c")), ["x: `b` instead of `c`"]);
    assert_eq!(compare("x", &list("a"), &list("a, c")), ["x: `c` is missing"]);
    assert_eq!(compare("x", &list("a, c"), &list("a")), ["x: `c` is not in the catalog"]);
    assert_eq!(compare("x", &list("b, a"), &list("a, b")), ["x: another order or number than a, b"]);
    assert_eq!(sqlstates("10000 rows. Errors: 22023 malformed; P0002; 40P01"), level_set("22023,40P01,P0002"));
}
