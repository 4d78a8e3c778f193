//! The encoding of the database: texts here are UTF-8.

use std::ffi::CStr;

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error;

/// Refuses a database whose encoding is not UTF8.
///
/// # Errors
/// 0A000.
pub fn require_utf8() -> error::Result<()> {
    // SAFETY: it reads a value that the server sets when a session connects to its database.
    let encoding = unsafe { pg_sys::GetDatabaseEncoding() };
    if encoding == pg_sys::pg_enc::PG_UTF8 as i32 { Ok(()) } else { Err(error::unsupported_encoding(&name())) }
}

/// The same where the library is loaded for a call. While a session begins, or the server starts, an error would keep everybody out, and
/// calls are refused later.
pub fn require_utf8_where_used() {
    // SAFETY: both are the server's own variables, set before a library is loaded.
    let is_used =
        unsafe { pg_sys::MyDatabaseId != pg_sys::InvalidOid && pg_sys::Mode == pg_sys::ProcessingMode::NormalProcessing };
    if is_used {
        require_utf8_or_raise();
    }
}

/// The same, raised.
pub fn require_utf8_or_raise() {
    if let Err(refusal) = require_utf8() {
        refusal.report(PgLogLevel::ERROR);
    }
}

fn name() -> String {
    // SAFETY: the server returns the name of a known encoding, which stays.
    unsafe { CStr::from_ptr(pg_sys::GetDatabaseEncodingName()) }.to_string_lossy().into_owned()
}
