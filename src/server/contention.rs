//! How long an operation goes on that others overtake.

/// How often an operation may find that everything changed while it waited, before it gives up with 40001. Each time somebody
/// else came through, so this ends only what is overtaken without end.
pub const MAX_ATTEMPTS: u32 = 10_000;
