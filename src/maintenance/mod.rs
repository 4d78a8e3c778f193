//! Maintenance: its steps, each done in batches, and the log of them. The usable credits never depend on it.

mod step;

pub use step::Step;

use crate::error::{self, Result};
use crate::server::locks::named;
use crate::store::maintenance::{self, Due, Run};

/// Does one batch of each step, in the transaction of the caller, and logs it; what each step did.
pub fn maintain(max_rows: i32) -> Vec<(Step, i64)> {
    let one_batch = |step: Step| {
        let run = maintenance::begin(step.name());
        let handled = step.run(max_rows);
        maintenance::count_batch(run, handled);
        maintenance::end(run, None);
        (step, handled)
    };
    Step::ALL.into_iter().map(one_batch).collect()
}

/// The work that each step would find now.
pub fn due() -> Vec<(Step, Due)> {
    Step::ALL.map(|step| (step, step.due())).to_vec()
}

/// Logs that a step begins.
///
/// # Errors
/// 22023 unknown step.
pub fn begin(step: &str) -> Result<i64> {
    find_step(step).map(|step| maintenance::begin(step.name()))
}

/// Does one batch of a run's step; how much that was, or `None` while another session is at a batch of that step: it goes
/// on with the rest, so this one need not.
///
/// # Errors
/// P0002 unknown run; 55000 when the run has ended.
pub fn batch(run: i64, max_rows: i32) -> Result<Option<i64>> {
    let step = find_step(&open_run(run)?.step)?;
    if !named::try_acquire_step(step as u64) {
        return Ok(None);
    }
    let handled = step.run(max_rows);
    maintenance::count_batch(run, handled);
    Ok(Some(handled))
}

/// Logs that a run's step ended, by an error if there is one.
///
/// # Errors
/// P0002 unknown run; 55000 when it has ended already.
pub fn end(run: i64, error: Option<&str>) -> Result<()> {
    open_run(run)?;
    maintenance::end(run, error);
    Ok(())
}

fn find_step(name: &str) -> Result<Step> {
    let known = || Step::ALL.map(Step::name).join(", ");
    Step::ALL.into_iter().find(|step| step.name() == name).ok_or_else(|| error::unknown_option("step", name, &known()))
}

fn open_run(run: i64) -> Result<Run> {
    let found = maintenance::run(run).ok_or_else(|| error::unknown_run(run))?;
    if found.has_ended { Err(error::run_has_ended(run)) } else { Ok(found) }
}
