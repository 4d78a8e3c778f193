//! How often this session read and wrote directly, and how often through SQL: the view `credit.status` says it, and the tests
//! count it.

use std::cell::Cell;

/// A step that is done directly or through SQL.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Reading an account with its unit and member, which is remembered afterwards.
    ReadAccount,
    /// Finding the lot that pays first, which is remembered afterwards.
    FindHead,
    /// Taking from one slot and writing the line.
    Take,
    /// Writing the lines of a batch, or of a debit that many lots pay.
    WriteLines,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 4] = [Step::ReadAccount, Step::FindHead, Step::Take, Step::WriteLines];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Step::ReadAccount => "read account",
            Step::FindHead => "find head lot",
            Step::Take => "debit",
            Step::WriteLines => "write lines",
        }
    }
}

/// How often a step was done each way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// How often it was done without SQL.
    pub directly: i64,
    /// How often it was done through SQL.
    pub by_sql: i64,
}

thread_local! {
    static COUNTS: Cell<[Count; 4]> = const { Cell::new([Count { directly: 0, by_sql: 0 }; 4]) };
}

/// Counts one more.
pub fn count(step: Step, directly: bool) {
    let mut counts = COUNTS.get();
    let count = &mut counts[step as usize];
    *(if directly { &mut count.directly } else { &mut count.by_sql }) += 1;
    COUNTS.set(counts);
}

/// The counts of a step.
pub fn of(step: Step) -> Count {
    COUNTS.get()[step as usize]
}
