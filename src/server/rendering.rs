//! Settings under which the catalog's definitions read the same in every session.

use std::ffi::CStr;

use pgrx::pg_sys;

/// The settings that the server consults when it writes an expression as text.
const SETTINGS: [(&CStr, &CStr); 5] = [
    (c"datestyle", c"ISO, YMD"),
    (c"intervalstyle", c"postgres"),
    (c"timezone", c"UTC"),
    (c"quote_all_identifiers", c"off"),
    (c"extra_float_digits", c"1"),
];

/// Runs `work` with those settings. After an error the server puts the session's own back.
pub fn with_plain_settings<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the server begins a level of settings, as for a function with SET clauses. It ends below, or after an error with
    // the (sub)transaction.
    let level = unsafe { pg_sys::NewGUCNestLevel() };
    for (name, value) in SETTINGS {
        // SAFETY: name and value end with a zero byte, and the server copies them. An unknown name or a bad value is an error.
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
    // SAFETY: the level was begun above, and those that began in `work` have ended.
    unsafe { pg_sys::AtEOXact_GUC(true, level) };
    result
}
