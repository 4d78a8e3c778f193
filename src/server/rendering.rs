//! Settings under which the catalog's definitions read the same in every session.

use std::ffi::CStr;

use pgrx::pg_sys;

/// What the server consults when it writes an expression as text.
const SETTINGS: [(&CStr, &CStr); 5] = [
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"quote_all_identifiers", c"off"),
    (c"extra_float_digits", c"1"),
];

/// Runs `work` with those settings. After an error the server puts the session's own back.
pub fn with_plain_settings<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: as the server does for a function with SET clauses.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in SETTINGS {
        unsafe {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
    let result = work();
    // SAFETY: the level that was begun above.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}
