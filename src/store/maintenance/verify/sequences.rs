//! The proof that no id is given twice: every sequence is ahead of the ids in the books.

use crate::store::ledger::sequences::taken;
use crate::store::maintenance::verify::Invariants;

/// The invariants, and the statement that finds what violates them.
pub(super) static INVARIANTS: Invariants = Invariants::new(concat!(
    "SELECT 'a sequence is ahead of the ids in the books' AS invariant, NULL::text AS account, NULL::bigint AS lot,
        'beyond ' || max(t.id),
         COALESCE(pg_sequence_last_value(('credit.' || t.name)::regclass), 0) || ' of credit.' || t.name AS found
     FROM (",
    taken!("$1 IS NULL OR account = $1"),
    ") t
     GROUP BY t.name HAVING max(t.id) > COALESCE(pg_sequence_last_value(('credit.' || t.name)::regclass), 0)"
));
