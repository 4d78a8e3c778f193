//! The operations that change credits by usage. Each operation is a file; all of them obey one order of locks:
//!
//! 1. the idempotency keys, by account and key;
//! 2. the counters of a charge's periods;
//! 3. where something is dated in the past, the account's lock against closing a period ([`crate::ledger::closed`]);
//! 4. where lots may come to an account, or be opened again, or somebody takes a seat, its lock against new caps
//!    ([`crate::server::locks::arrival`]);
//! 5. the account's row, where something of its schedules is due or a seat comes, and then the member's row, if it is new;
//! 6. holds by their ids ([`crate::holds`]);
//! 7. spending caps by their ids: the cap's row, then all its slots ([`crate::caps`]); where one free slot of each suffices
//!    it is only tried for, whatever is held;
//! 8. for late usage, what expired lots lost, in drawdown order ([`late`]);
//! 9. lots in drawdown order: the lot's row, then all its slots by number ([`crate::ledger::whole_lot`]);
//!    of the last lot that a debit goes on to, one slot that nobody holds suffices ([`collect`]);
//! 10. a debit that one slot covers locks only that slot, and never waits for anything while it holds it ([`debit`]).
//!
//! A call for several accounts ([`batch`]) takes each of these for all of them, in the order of their names, before the next; one
//! that goes item by item locks all of it ahead ([`ahead`]). A debit that gives back ended holds takes them in their turn: all
//! that it may wait for afterwards is locked first ([`crate::holds::ended`]).
//!
//! Rows of an attempt that may be taken back are locked in its one subtransaction, never in one within it that has ended: a
//! transaction that waits for such a row goes on waiting for the whole of ours, first in the row's queue, when the outer one is
//! taken back. So keys and accounts' rows come before. No lot is waited for that has expired: late usage may have it locked and
//! go on to those in force.
//!
//! A new cap writes the account's row last. A direct insert takes no lock of its own: what a correction gave back
//! ([`crate::ledger::correction`]) is written with the lot of the line locked.
//!
//! Time, snapshot and the choice of lots are taken anew after every wait.

pub mod ahead;
pub mod available;
pub mod backdating;
pub mod batch;
pub mod capped;
pub mod check;
pub mod closed_period;
pub mod collect;
pub mod debit;
pub mod direct;
pub mod draw;
pub mod drawing;
pub mod head;
pub mod known_head;
pub mod late;
pub mod outcome;
pub mod request;
pub mod write;
