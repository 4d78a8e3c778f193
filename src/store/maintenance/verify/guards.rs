//! The guards of the books, against their list: triggers, checks, keys, columns, and how functions and tables are set up.
//!
//! The list is src/store/maintenance/verify/guards.txt: what the catalog of a fresh installation says. A test compares the two,
//! and `scripts/guards.sh` writes it.

use pgrx::pg_sys::{TEXTARRAYOID, TEXTOID};
use pgrx::prelude::*;

use crate::server::rendering::with_plain_settings;
use crate::store::maintenance::verify::Violation;
use crate::store::statement::{Row, Statement};

/// A guard in each line: its kind, its name and its definition, with tabs between them.
const LIST: &str = include_str!("guards.txt");

/// A guard as the list has it, and as it is.
pub struct Guard {
    pub kind: String,
    pub object: String,
    /// The definition that a fresh installation has.
    pub expected: Option<String>,
    /// The definition that the catalog has.
    pub found: Option<String>,
}

// Functions in the schema that the extension was installed into stand without it. Overloads of a function share a line. Some
// servers name the library with the directory it is in.
static GUARDS: Statement = Statement::new(
    "WITH owner AS MATERIALIZED (
         SELECT relowner AS owner FROM pg_class WHERE oid = 'credit.entry'::regclass
     ), members AS MATERIALIZED (
         SELECT d.classid, d.objid, x.extnamespace FROM pg_depend d
         JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = 'pg_credit'
         WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
     ), relations AS MATERIALIZED (
         SELECT c.* FROM pg_class c JOIN members m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
     ), found AS MATERIALIZED (
         SELECT 'trigger' AS kind, format('credit.%I.%I', c.relname, t.tgname) AS object,
             CASE WHEN t.tgconstraint <> 0 THEN 'constraint trigger ' ELSE '' END
                 || regexp_replace(pg_get_triggerdef(t.oid), '^CREATE (CONSTRAINT )?TRIGGER [^ ]+ ',
                     '') || ', ' || CASE t.tgenabled WHEN 'O' THEN 'enabled' WHEN 'A' THEN 'always' WHEN 'R' THEN 'replica'
                     ELSE 'disabled' END AS definition
         FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid WHERE NOT t.tgisinternal
         UNION ALL
         SELECT 'constraint', format('credit.%I.%I', c.relname, k.conname), pg_get_constraintdef(k.oid)
         FROM relations c JOIN pg_constraint k ON k.conrelid = c.oid WHERE k.contype <> 'n'
         UNION ALL
         SELECT 'constraint', format('credit.%I.%I', t.typname, k.conname), pg_get_constraintdef(k.oid)
         FROM pg_type t JOIN members m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid JOIN pg_constraint k
             ON k.contypid = t.oid
         UNION ALL
         SELECT 'unique index', format('credit.%I', r.relname), pg_get_indexdef(i.indexrelid)
             || CASE WHEN i.indisvalid AND i.indisready THEN '' ELSE ', not valid' END
         FROM relations c JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique JOIN pg_class r ON r.oid = i.indexrelid
         UNION ALL
         SELECT 'column', format('credit.%I.%I', c.relname, a.attname), concat(format_type(a.atttypid, a.atttypmod),
             CASE WHEN a.attnotnull THEN ' NOT NULL' END, ' DEFAULT ' || pg_get_expr(v.adbin, v.adrelid))
         FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_attrdef v ON v.adrelid = c.oid AND v.adnum = a.attnum
         WHERE c.relkind = 'r' AND (a.attnotnull OR a.atthasdef)
         UNION ALL
         SELECT CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' ELSE 'sequence' END, format('credit.%I', c.relname),
             concat(
             CASE c.relpersistence WHEN 'p' THEN 'logged' ELSE 'not logged' END,
             CASE WHEN c.relowner = o.owner THEN ', of the owner' ELSE ', of ' || pg_get_userbyid(c.relowner) END,
             CASE c.relkind WHEN 'v' THEN ', ' || array_to_string(c.reloptions, ', ') END)
         FROM relations c, owner o WHERE c.relkind IN ('r', 'v', 'S')
         UNION ALL
         SELECT CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
             CASE WHEN n.nspname = 'credit' THEN 'credit.' ELSE '' END || quote_ident(p.proname),
                 string_agg(DISTINCT concat(l.lanname,
                 CASE WHEN p.prosecdef THEN ', security definer' ELSE ', security invoker' END,
                 ', ' || array_to_string(p.proconfig, ', '),
                 ', library ' || regexp_replace(p.probin, '^.*/', ''),
                 ', ' || CASE WHEN l.lanname = 'c' THEN p.prosrc
                     ELSE left(encode(sha256(convert_to(COALESCE(pg_get_function_sqlbody(p.oid), p.prosrc), 'UTF8')), 'hex'),
                         16) END,
                 CASE WHEN p.proowner = o.owner THEN ', of the owner' ELSE ', of ' || pg_get_userbyid(p.proowner) END), ' | ')
         FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
         JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang, owner o
         GROUP BY 1, 2
     )
     SELECT COALESCE(e.kind, f.kind) AS kind, COALESCE(e.object, f.object) AS object, e.definition AS expected,
         f.definition AS found
     FROM unnest($1, $2, $3) AS e (kind, object, definition)
     FULL JOIN found f ON f.kind = e.kind AND f.object = e.object
     ORDER BY 1, 2",
    &[TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID],
);

static INSTALLED_VERSION: Statement = Statement::new("SELECT extversion FROM pg_extension WHERE extname = 'pg_credit'", &[]);

static ENABLE: Statement = Statement::new(
    "SELECT format('ALTER TABLE %s ENABLE %sTRIGGER %s', t.relation, CASE t.state WHEN 'always' THEN 'ALWAYS ' ELSE '' END,
        t.name)
     FROM (SELECT regexp_replace($1, '[.][^.]*$', '') AS relation, regexp_replace($1, '^.*[.]', '') AS name,
               regexp_replace($2, '^.*, ', '') AS state) AS t",
    &[TEXTOID, TEXTOID],
);

/// All guards: those of the list, and those that are there.
pub fn guards() -> Vec<Guard> {
    let mut columns: [Vec<&str>; 3] = Default::default();
    for line in LIST.lines() {
        for (column, text) in columns.iter_mut().zip(line.split('\t')) {
            column.push(text);
        }
    }
    let [kinds, objects, definitions] = columns;
    let rows = with_plain_settings(|| GUARDS.read(&[&kinds, &objects, &definitions]));
    let guard = |row: Row<'_>| Guard { kind: row.get(1), object: row.get(2), expected: row.optional(3), found: row.optional(4) };
    rows.iter().map(guard).collect()
}

/// The guards that are not as they were installed. `credit.installation` has those that somebody added.
pub fn violations() -> Vec<Violation> {
    let installed: String = INSTALLED_VERSION.read(&[]).first().map_or_else(|| "none".to_owned(), |row| row.get(1));
    if installed != env!("CARGO_PKG_VERSION") {
        return vec![of_version(installed)];
    }
    let weakened = |guard: &Guard| guard.expected.is_some() && guard.expected != guard.found;
    guards().into_iter().filter(weakened).map(violation).collect()
}

/// The list is that of the library: it says nothing about a database that has yet to be upgraded.
fn of_version(installed: String) -> Violation {
    Violation {
        invariant: "the library has the version that is installed".to_owned(),
        account: None,
        lot: None,
        expected: Some(format!("{}: ALTER EXTENSION pg_credit UPDATE", env!("CARGO_PKG_VERSION"))),
        found: Some(installed),
    }
}

fn violation(guard: Guard) -> Violation {
    let is_switched = only_switched(&guard);
    let state = |definition: String| definition.rsplit_once(", ").map_or(definition.clone(), |parts| parts.1.to_owned());
    let shown = |definition: String| if is_switched { state(definition) } else { definition };
    let (expected, found) =
        (guard.expected.map(shown).unwrap_or_default(), guard.found.map_or_else(|| "missing".to_owned(), shown));
    Violation {
        invariant: match guard.kind.as_str() {
            "trigger" => "the triggers that guard the books are on",
            _ => "what guards the books is as it was installed",
        }
        .to_owned(),
        account: None,
        lot: None,
        expected: Some(if is_switched { format!("{expected}; credit_enable_triggers() sets it") } else { expected }),
        found: Some(format!("{} {}: {found}", guard.kind, guard.object)),
    }
}

/// A trigger that is as it was installed, but for being on.
fn only_switched(guard: &Guard) -> bool {
    let definition =
        |text: &Option<String>| text.as_ref().and_then(|text| text.rsplit_once(", ").map(|parts| parts.0.to_owned()));
    guard.kind == "trigger" && guard.expected != guard.found && definition(&guard.expected) == definition(&guard.found)
}

/// Switches the listed triggers on as they were installed; how many were not.
pub fn enable_triggers() -> i64 {
    let mut switched = 0;
    for guard in guards().iter().filter(|guard| only_switched(guard)) {
        let expected = guard.expected.as_deref().expect("a trigger of the list");
        let statement: String = ENABLE.run(&[&guard.object.as_str(), &expected]).first().expect("one row").get(1);
        Spi::run(&statement).expect("a statement that the server built");
        switched += 1;
    }
    switched
}
