//! SQL on a connection: values as text, errors as refusals.

use std::fmt;
use std::time::Duration;

use postgres::{Client, Error, GenericClient, SimpleQueryMessage};

use crate::Random;

/// An error of the server: its SQLSTATE and what it says. A lost connection is 08006.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

impl Refusal {
    /// Whether the transaction is to be repeated: a serialization failure or a deadlock.
    pub fn is_retryable(&self) -> bool {
        matches!(self.code.as_str(), "40001" | "40P01")
    }

    /// A number or name in DETAIL, which is of the form `name=value name=value`.
    pub fn detail_of(&self, name: &str) -> Option<&str> {
        let detail = self.detail.as_deref()?;
        detail.split_whitespace().filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Fails the test unless the SQLSTATE is `code`.
    pub fn expect(self, code: &str) -> Refusal {
        assert_eq!(self.code, code, "the SQLSTATE of: {self}");
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.code, self.message)?;
        if let Some(detail) = &self.detail {
            write!(formatter, " | DETAIL {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, " | HINT {hint}")?;
        }
        Ok(())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error.as_db_error() {
            Some(refused) => Refusal {
                code: refused.code().code().to_owned(),
                message: refused.message().to_owned(),
                detail: refused.detail().map(str::to_owned),
                hint: refused.hint().map(str::to_owned),
            },
            None => Refusal { code: "08006".to_owned(), message: error.to_string(), detail: None, hint: None },
        }
    }
}

/// SQL on a connection or in a transaction. Statements are sent as they are; values come as the text psql would show.
pub trait Session {
    /// All rows of the last statement that returned any.
    fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Refusal>;

    /// The first column of the first row; `None` when it is NULL or there is no row.
    fn ask(&mut self, sql: &str) -> Result<Option<String>, Refusal> {
        Ok(self.try_rows(sql)?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// As [`Session::try_rows`], NULL as an empty text; an error fails the test.
    fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let rows = self.try_rows(sql).unwrap_or_else(|refusal| panic!("{refusal}\nin: {sql}"));
        rows.into_iter().map(|row| row.into_iter().map(Option::unwrap_or_default).collect()).collect()
    }

    /// The one value that is asked for; an error, NULL or no row fails the test.
    fn text(&mut self, sql: &str) -> String {
        let value = self.ask(sql).unwrap_or_else(|refusal| panic!("{refusal}\nin: {sql}"));
        value.unwrap_or_else(|| panic!("no value from: {sql}"))
    }

    /// The one value that is asked for, as a whole number.
    fn number(&mut self, sql: &str) -> i64 {
        let text = self.text(sql);
        text.parse().unwrap_or_else(|_| panic!("{text} is no whole number\nin: {sql}"))
    }

    /// Runs statements; an error fails the test.
    fn run(&mut self, sql: &str) {
        if let Err(refusal) = self.try_rows(sql) {
            panic!("{refusal}\nin: {sql}");
        }
    }

    /// The error of a statement that must fail.
    fn refusal(&mut self, sql: &str) -> Refusal {
        match self.ask(sql) {
            Err(refusal) => refusal,
            Ok(value) => panic!("not refused, but {value:?}: {sql}"),
        }
    }

    /// Whether a single debit fits: it does not where the credits do not cover it (NULL) or a cap leaves less (54000).
    fn fits(&mut self, debit: &str) -> bool {
        match self.ask(debit) {
            Ok(posting) => posting.is_some(),
            Err(refusal) => {
                refusal.expect("54000");
                false
            }
        }
    }

    /// The process id of the session's backend.
    fn backend(&mut self) -> i32 {
        self.number("SELECT pg_backend_pid()") as i32
    }
}

impl<C: GenericClient> Session for C {
    fn try_rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Refusal> {
        let mut rows = Vec::new();
        for message in self.simple_query(sql)? {
            match message {
                SimpleQueryMessage::RowDescription(_) => rows.clear(),
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    }
}

/// Runs `work` in a transaction that `begin` starts, and repeats all of it on 40001 and 40P01, at most `attempts` times.
///
/// # Errors
/// Any other error, or the last one.
pub fn with_retries<T>(
    client: &mut Client,
    begin: &str,
    attempts: u32,
    mut work: impl FnMut(&mut Client) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let mut random = Random::new(client.backend() as u64);
    let mut attempt = 0;
    loop {
        attempt += 1;
        client.try_rows(begin)?;
        let outcome = work(client).and_then(|value| client.try_rows("COMMIT").map(|_| value));
        match outcome {
            Err(refusal) => {
                client.try_rows("ROLLBACK")?;
                if attempt >= attempts || !refusal.is_retryable() {
                    return Err(refusal);
                }
            }
            done => return done,
        }
        std::thread::sleep(Duration::from_micros(random.below(2_000)));
    }
}

/// A text as an SQL literal.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
