//! The proof of postings: their lines belong together, and say only what their kind may say.

use crate::store::maintenance::verify::Invariants;

pub(super) static INVARIANTS: Invariants = Invariants::always_in_bulk(
    "WITH dated AS MATERIALIZED (
         SELECT account, posting, lot FROM credit.entry
         WHERE kind IN ('grant', 'roll_in') AND occurred_at <> recorded_at AND ($1 IS NULL OR account = $1)
     ), brought AS MATERIALIZED (
         -- What schedules bring, and when.
         SELECT b.account, b.posting, GREATEST(l.effective_at, s.recorded_at) AS at
         FROM dated b JOIN credit.lot l ON l.account = b.account AND l.lot = b.lot
         JOIN credit.schedule_period p ON p.account = l.account AND p.lot = l.lot JOIN credit.schedule s ON s.account = p.account
             AND s.schedule = p.schedule
         WHERE ($1 IS NULL OR l.account = $1) AND ($1 IS NULL OR p.account = $1) AND ($1 IS NULL OR s.account = $1)
     )
     SELECT 'the lines of a posting are numbered, and recorded together' AS invariant, account, NULL::bigint AS lot,
         count(*) || ' lines',
         concat_ws(' ', min(line), 'to', max(line), 'in posting', posting, 'recorded', min(recorded_at), max(recorded_at),
             min(recorded_by), max(recorded_by)) AS found
     FROM credit.entry WHERE ($1 IS NULL OR account = $1) GROUP BY account, posting
     HAVING max(line) <> count(*) OR min(line) <> 1 OR max(recorded_at) - min(recorded_at) > interval '12 hours'
         OR min(recorded_by) <> max(recorded_by)
     UNION ALL
     SELECT 'a line says what its kind may say', account, lot, kind,
         concat_ws(' ', 'corrects', corrects, 'rate', rate, 'member', member, 'department', department,
         'operation', operation, 'quantity', quantity, 'dimensions', dimensions, 'run', run,
         'hold', hold, 'in posting', posting)
     FROM credit.entry WHERE ($1 IS NULL OR account = $1) AND (kind NOT IN ('debit', 'adjustment')
             AND num_nonnulls(operation, quantity, rate, dimensions, run) > 0 OR kind <> 'debit' AND hold IS NOT NULL
             OR kind NOT IN ('debit', 'adjustment', 'expiry_reversal')
                 AND corrects IS NOT NULL
         OR kind = 'adjustment' AND corrects IS NULL AND rate IS NOT NULL OR department IS NOT NULL AND member IS NULL
         OR quantity IN ('NaN', 'Infinity', '-Infinity') OR kind = 'debit' AND quantity < 0)
     UNION ALL
     SELECT 'a line of a lot is of its member', e.account, e.lot, COALESCE(l.member, 'no member'),
         COALESCE(e.member, 'no member') || ' in posting ' || e.posting
     FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot LEFT JOIN credit.lot p
         ON p.account = l.account AND p.lot = l.parent
     WHERE ($1 IS NULL OR e.account = $1) AND e.kind NOT IN ('debit', 'adjustment') AND e.member IS DISTINCT FROM l.member
         AND NOT (e.kind = 'move_in' AND l.member IS NULL AND e.member IS NOT DISTINCT FROM p.member)
     UNION ALL
     SELECT 'what is corrected is in the ledger', e.account, e.lot, 'posting ' || e.corrects, 'none, in posting ' || e.posting
     FROM credit.entry e WHERE ($1 IS NULL OR e.account = $1) AND e.corrects IS NOT NULL
         AND NOT EXISTS (SELECT FROM credit.entry c
         WHERE c.account = e.account AND c.posting = e.corrects AND c.posting <> e.posting)
     UNION ALL
     -- Usage may come late. Everything else happens when it is recorded, or at the end of what is closed; what a schedule brings,
     -- when it takes effect and the
     -- schedule is there.
     SELECT 'a line happens when it is recorded, or when its lot says', e.account, e.lot, e.recorded_at::text,
         e.kind || ' at ' || e.occurred_at || ' in posting ' || e.posting
     FROM credit.entry e WHERE ($1 IS NULL OR e.account = $1) AND e.occurred_at <> e.recorded_at
         AND (e.occurred_at > e.recorded_at OR e.kind NOT IN ('debit', 'adjustment', 'expiry', 'expiry_reversal'))
         AND NOT EXISTS (SELECT FROM credit.true_up t WHERE t.account = e.account AND t.ends_at = e.occurred_at)
         AND NOT EXISTS (SELECT FROM brought b WHERE e.kind IN ('grant', 'roll_in', 'roll_out') AND b.account = e.account
             AND b.posting = e.posting
             AND b.at = e.occurred_at)
     UNION ALL
     SELECT 'a lot expires when it says', e.account, e.lot, COALESCE(l.expires_at::text, 'never'),
         e.occurred_at || ' in posting ' || e.posting
     FROM credit.entry e JOIN credit.lot l ON l.account = e.account AND l.lot = e.lot
     WHERE ($1 IS NULL OR e.account = $1) AND e.kind = 'expiry' AND e.occurred_at IS DISTINCT FROM l.expires_at
         AND NOT EXISTS (SELECT FROM credit.schedule_period p WHERE p.account = l.account AND p.lot = l.lot)
         AND NOT EXISTS (SELECT FROM credit.true_up t WHERE t.account = e.account AND t.ends_at = e.occurred_at)
         -- What came back from a hold or by a refund after the lot had expired, expired then.
         AND NOT (e.occurred_at > l.expires_at AND (EXISTS (SELECT FROM credit.hold h WHERE h.account = e.account
                 AND e.occurred_at IN (h.settled_at, h.expires_at) AND e.lot = ANY (h.lots))
             OR EXISTS (SELECT FROM credit.entry r WHERE ($1 IS NULL OR r.account = $1) AND r.account = e.account
                 AND r.lot = e.lot AND r.kind = 'adjustment' AND r.corrects IS NOT NULL AND r.recorded_at = e.occurred_at)))
     UNION ALL
     SELECT 'a posting is of one account, and a lot too', min(x.account), min(x.lot), 'one account',
         string_agg(x.account, ' and ') || ' of ' || x.name
     FROM (SELECT DISTINCT account, NULL::bigint AS lot, 'posting ' || posting AS name FROM credit.entry
         UNION ALL SELECT account, lot, 'lot ' || lot FROM credit.lot) x
     WHERE $1 IS NULL GROUP BY x.name HAVING count(*) > 1",
);
