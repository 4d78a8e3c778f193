//! The proof of seats: schedules give to members who have a seat.

use crate::store::maintenance::verify::Invariants;

// A member who had a seat once has the instant of it for good.
pub(super) static INVARIANTS: Invariants = Invariants::in_bulk(
    "SELECT 'only a seat brings what schedules give to members', g.account, g.lot, 'a seat of ' || g.member, 'none'
     FROM (SELECT account, member, lot FROM credit.schedule_period WHERE member <> '' AND rolled = 0
         AND ($1 IS NULL OR account = $1)
         UNION SELECT account, member, lot FROM credit.schedule_seat WHERE $1 IS NULL OR account = $1) AS g
     WHERE NOT EXISTS (SELECT FROM credit.member m WHERE ($1 IS NULL OR m.account = $1) AND m.account = g.account
         AND m.member = g.member AND m.seated_at IS NOT NULL)",
);
