//! The two texts of a statement of the proof: of one account, which reaches the account's rows by their indexes, and of all
//! accounts.
//!
//! A kept plan must serve every value, so `$1 IS NULL OR account = $1` would read all rows in both cases. The texts are made of
//! the written one: "of one" keeps the comparison alone, "of all" has no condition in its place.

/// How the condition begins that limits a table's rows to the account.
const CONDITION: &str = "$1 IS NULL OR ";
/// How it ends, after the name of the column.
const COMPARISON: &str = " = $1";

/// The text about the account that `$1` is.
pub fn of_one(sql: &str) -> String {
    sql.replace(CONDITION, "")
}

/// The text about all accounts.
pub fn of_all(sql: &str) -> String {
    let mut parts = sql.split(CONDITION);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (column, rest) = part.split_once(COMPARISON).expect("a comparison with the account");
        assert!(is_column(column), "no column: {column}");
        text.push_str("true");
        text.push_str(rest);
    }
    text
}

fn is_column(name: &str) -> bool {
    name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_' || letter == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "SELECT 1 FROM credit.lot l WHERE ($1 IS NULL OR l.account = $1) AND l.closed
        UNION ALL SELECT 2 FROM credit.rate WHERE $1 IS NULL UNION ALL SELECT 3 FROM credit.slot
            WHERE $1 IS NULL OR account = $1";

    #[test]
    fn one_account_is_compared_with() {
        assert_eq!(
            of_one(WRITTEN),
            "SELECT 1 FROM credit.lot l WHERE (l.account = $1) AND l.closed
        UNION ALL SELECT 2 FROM credit.rate WHERE $1 IS NULL UNION ALL SELECT 3 FROM credit.slot WHERE account = $1"
        );
    }

    #[test]
    fn all_accounts_are_not_compared() {
        assert_eq!(
            of_all(WRITTEN),
            "SELECT 1 FROM credit.lot l WHERE (true) AND l.closed
        UNION ALL SELECT 2 FROM credit.rate WHERE $1 IS NULL UNION ALL SELECT 3 FROM credit.slot WHERE true"
        );
    }
}
