//! Time zones that the server knows, asked for by name: the list of all of them is read from hundreds of files.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

/// How many bytes the server has for a name, with the zero byte behind it.
const MAX_LENGTH: usize = 256;

/// The meaning of a name to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeZone {
    /// A zone of this name, as it is spelt.
    Named(String),
    /// A rule such as EST5EDT, or UTC+3: those that have a file are zones, the others are not listed.
    Rule(String),
    Unknown,
}

/// Looks a name up.
pub fn find(name: &str) -> TimeZone {
    let Some(text) = CString::new(name).ok().filter(|text| text.as_bytes_with_nul().len() <= MAX_LENGTH) else {
        return TimeZone::Unknown;
    };
    // SAFETY: the name is a C string that the server copies; the zone that it finds is kept for as long as the process lives.
    let canonical = unsafe {
        let zone = pg_sys::pg_tzset(text.as_ptr());
        if zone.is_null() || !pg_sys::pg_tz_acceptable(zone) {
            return TimeZone::Unknown;
        }
        CStr::from_ptr(pg_sys::pg_get_timezone_name(zone)).to_string_lossy().into_owned()
    };
    // The server spells rules in capitals, and each has a number of hours.
    let is_rule = |byte: u8| byte.is_ascii_digit();
    match canonical.bytes().any(|byte| byte.is_ascii_lowercase()) || !canonical.bytes().any(is_rule) {
        true => TimeZone::Named(canonical),
        false => TimeZone::Rule(canonical),
    }
}
