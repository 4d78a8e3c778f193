//! The settings `credit.*`.

use std::ffi::CString;

use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting};

use crate::domain::ledger::layout::MAX_SLOTS;

static CLOCK: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static MAX_SLOTS_PER_LOT: GucSetting<i32> = GucSetting::<i32>::new(32);
static MAX_NEW_MEMBERS_PER_DAY: GucSetting<i32> = GucSetting::<i32>::new(10_000);
static MAX_METADATA_BYTES: GucSetting<i32> = GucSetting::<i32>::new(16_384);
static MAX_BACKDATING_DAYS: GucSetting<i32> = GucSetting::<i32>::new(400);
static KEY_RETENTION_DAYS: GucSetting<i32> = GucSetting::<i32>::new(30);

/// Registers the settings with the server.
pub fn register() {
    GucRegistry::define_string_guc(
        c"credit.clock",
        c"The instant that pg_credit takes for now; empty means the real time.",
        c"A timestamp with time zone. For tests and demonstrations: expiry, eligibility and recorded_at follow it.",
        &CLOCK,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"credit.max_slots",
        c"The most slots a lot is split into when debits have to wait for it.",
        c"More slots let more debits of one lot commit together; each is one narrow row.",
        &MAX_SLOTS_PER_LOT,
        1,
        i32::from(MAX_SLOTS),
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"credit.key_retention_days",
        c"For how many days an idempotency key of a debit or a charge is kept at least.",
        c"credit_maintain() forgets older ones; a forgotten key can be used again. Keys of everything else are kept for good.",
        &KEY_RETENTION_DAYS,
        1,
        36_500,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"credit.max_new_members_per_day",
        c"How many members of an account debits may register within 24 hours by naming them.",
        c"credit_member() and credit_grant() register as many as they like.",
        &MAX_NEW_MEMBERS_PER_DAY,
        0,
        1_000_000_000,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"credit.max_metadata_bytes",
        c"How long metadata, dimensions or a note may be.",
        c"In bytes of their text.",
        &MAX_METADATA_BYTES,
        64,
        1_000_000_000,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"credit.max_backdating_days",
        c"For how many days back a debit or a charge may be dated.",
        c"An account's late_grace counts in addition.",
        &MAX_BACKDATING_DAYS,
        0,
        100_000,
        GucContext::Suset,
        GucFlags::default(),
    );
    // From now on a misspelt setting is an error. The server drops placeholders that somebody set without the right to do so.
    // SAFETY: the prefix ends with a zero byte, and the server copies it. It is called as the library is loaded, in one thread.
    unsafe { pgrx::pg_sys::MarkGUCPrefixReserved(c"credit".as_ptr()) };
}

/// `credit.clock`, when it is set to something.
pub fn clock() -> Option<CString> {
    CLOCK.get().filter(|text| !text.is_empty())
}

/// `credit.max_slots`.
pub fn max_slots() -> i16 {
    MAX_SLOTS_PER_LOT.get() as i16
}

/// `credit.max_new_members_per_day`.
pub fn max_new_members_per_day() -> i32 {
    MAX_NEW_MEMBERS_PER_DAY.get()
}

/// `credit.max_metadata_bytes`.
pub fn max_metadata_bytes() -> usize {
    MAX_METADATA_BYTES.get() as usize
}

/// `credit.max_backdating_days`.
pub fn max_backdating_days() -> i64 {
    MAX_BACKDATING_DAYS.get().into()
}

/// `credit.key_retention_days`.
pub fn key_retention_days() -> i32 {
    KEY_RETENTION_DAYS.get()
}
