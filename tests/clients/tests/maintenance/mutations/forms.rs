//! The values that a cell is changed to, by its type.

use pg_credit_clients::{Client, Session, quote};

/// A column of a table.
pub struct Column {
    pub name: String,
    pub is_nullable: bool,
    kind: String,
    /// The words that a CHECK lets it be.
    words: Vec<String>,
}

/// The columns of a table, in their order.
pub fn columns(session: &mut Client, table: &str) -> Vec<Column> {
    let found = session.rows(&format!(
        "SELECT a.attname, format_type(a.atttypid, NULL), NOT a.attnotnull,
             (SELECT string_agg(w.word[1], ' ') FROM pg_constraint k, \
                 regexp_matches(pg_get_constraintdef(k.oid), '''([a-z_]+)''::text', 'g') AS w (word)
              WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY (k.conkey))
         FROM pg_attribute a WHERE a.attrelid = 'credit.{table}'::regclass AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY a.attnum"
    ));
    let column = |row: Vec<String>| Column {
        name: row[0].clone(),
        kind: row[1].clone(),
        is_nullable: row[2] == "t",
        words: row[3].split_whitespace().map(str::to_owned).collect(),
    };
    found.into_iter().map(column).collect()
}

impl Column {
    /// Values other than the one that is there, as SQL; the first that the table takes is the forgery.
    pub fn values(&self, table: &str) -> Vec<String> {
        let name = &self.name;
        match self.kind.as_str() {
            "text" => {
                let other = format!("(SELECT max(o.{name}) FROM credit.{table} o WHERE o.{name} IS DISTINCT FROM m.{name})");
                let words = self.words.iter().map(|word| format!("nullif({}, {name})", quote(word)));
                [other].into_iter().chain(words).chain([format!("nullif('EUR', {name})"), "'forged'".to_owned()]).collect()
            }
            "numeric" => vec![format!("COALESCE({name} + 1, 1)"), format!("{name} / 2")],
            "credit.remaining" => vec![format!("{name} + 1")],
            "bigint" | "integer" | "smallint" => {
                [format!("COALESCE({name} + 1, 1)"), format!("{name} - 1"), format!("{name} + 1000")]
                    .map(|value| format!("({value})::{}", self.kind))
                    .into()
            }
            "boolean" => vec![format!("NOT {name}")],
            "timestamp with time zone" => vec![
                format!("COALESCE({name} + interval '1 day', '2026-04-30 00:00:00+00')"),
                format!("{name} - interval '1 day'"),
            ],
            "date" => vec![format!("{name} + 1"), format!("({name} + interval '1 month')::date")],
            "interval" => vec![format!("COALESCE({name} + interval '1 day', interval '1 month')")],
            "jsonb" => vec![r#"'{"forged": 1}'::jsonb"#.to_owned()],
            "text[]" => vec![format!("COALESCE({name}, '{{}}') || 'forged'::text")],
            "bigint[]" => vec![format!("array_prepend({name}[1] + 1, {name}[2:])")],
            "boolean[]" => vec![format!("array_prepend(NOT {name}[1], {name}[2:])")],
            "numeric[]" => vec![format!("array_prepend(COALESCE({name}[1], 0) + 1, {name}[2:])")],
            "timestamp with time zone[]" => {
                vec![format!("array_prepend(COALESCE({name}[1], '2026-04-30 00:00:00+00') - interval '1 day', {name}[2:])")]
            }
            "bytea" => vec![format!("COALESCE(set_byte({name}, 0, (get_byte({name}, 0) + 1) % 256), '\\x00')")],
            "oid" => vec![format!("({name}::bigint + 1)::oid")],
            "xid8" => vec!["pg_current_xact_id()".to_owned()],
            other => panic!("{table}.{name} is of type {other}, of which no value is forged"),
        }
    }
}
