//! The encoding of the database: texts here are UTF-8.

use std::ffi::{CStr, c_int};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error;

/// The file that functions of this library name, without its folder and ending.
const LIBRARY: &str = "pg_credit";

/// The hooks that were there before ours.
static mut NEXT_NEED: pg_sys::needs_fmgr_hook_type = None;
static mut NEXT_CALL: pg_sys::fmgr_hook_type = None;

static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

/// Refuses a database whose encoding is not UTF8.
///
/// # Errors
/// 0A000.
pub fn require_utf8() -> error::Result<()> {
    if is_utf8() { Ok(()) } else { Err(error::unsupported_encoding(&name())) }
}

fn is_utf8() -> bool {
    // SAFETY: the server reads a value that it set when this session connected to its database.
    unsafe { pg_sys::GetDatabaseEncoding() == pg_sys::pg_enc::PG_UTF8 as i32 }
}

/// Raises 0A000 for a database whose encoding is not UTF8, if the library is loaded for a call. While a session begins, or the
/// server starts, an error would keep everybody out; then calls are refused later.
pub fn require_utf8_where_used() {
    // SAFETY: these are the server's own variables. They are set before a library is loaded, and this backend has one thread.
    let is_used =
        unsafe { pg_sys::MyDatabaseId != pg_sys::InvalidOid && pg_sys::Mode == pg_sys::ProcessingMode::NormalProcessing };
    if is_used {
        require_utf8_or_raise();
    }
}

/// Raises 0A000 for a database whose encoding is not UTF8.
pub fn require_utf8_or_raise() {
    if let Err(refusal) = require_utf8() {
        refusal.report(PgLogLevel::ERROR);
    }
}

/// Sees to it that in a database whose encoding is not UTF8 every function of the library is refused as the server looks it up,
/// before pgrx reads an argument. A library that was loaded before there was a database needs it; once per backend.
pub fn register() {
    if !IS_REGISTERED.swap(true, Ordering::Relaxed) {
        // SAFETY: these are variables of the server and of ours that only the one thread of this backend uses. The hooks are set
        // once: a hook of ours that followed itself would never end.
        unsafe {
            NEXT_NEED = pg_sys::needs_fmgr_hook;
            pg_sys::needs_fmgr_hook = Some(look_up);
            NEXT_CALL = pg_sys::fmgr_hook;
            pg_sys::fmgr_hook = Some(call);
        }
    }
}

/// Called by the server as it looks a function up; whether some hook follows its calls.
///
/// # Safety
/// Only the server calls it, in a transaction, with a function that exists.
unsafe extern "C-unwind" fn look_up(function: pg_sys::Oid) -> bool {
    // SAFETY: the server calls this in a transaction, with a function that exists. The hook before ours gets the same. Only the
    // one thread of this backend uses NEXT_NEED.
    unsafe {
        if !is_utf8() {
            refuse(function);
        }
        NEXT_NEED.is_some_and(|next| next(function))
    }
}

/// Called by the server before and after a call of a function that changes the role or a setting: such a function is not looked
/// up with [`look_up`].
///
/// # Safety
/// Only the server calls it, in a transaction, with the function that it calls.
unsafe extern "C-unwind" fn call(
    event: pg_sys::FmgrHookEventType::Type,
    function: *mut pg_sys::FmgrInfo,
    argument: *mut pg_sys::Datum,
) {
    // SAFETY: the server calls this in a transaction, and the function that it passes lives as long as its call. The hook before
    // ours gets the same. Only the one thread of this backend uses NEXT_CALL.
    unsafe {
        if !is_utf8() && event == pg_sys::FmgrHookEventType::FHET_START {
            refuse((*function).fn_oid);
        }
        if let Some(next) = NEXT_CALL {
            next(event, function, argument);
        }
    }
}

/// Raises 0A000 for a function of this library.
///
/// # Safety
/// A transaction runs, in which the catalog can be read.
#[pg_guard]
unsafe extern "C-unwind" fn refuse(function: pg_sys::Oid) {
    // SAFETY: the caller vouches for the transaction. The row of the function is held until it has been read, and the name is
    // copied.
    let library = unsafe {
        let row = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::PROCOID as c_int, function.into());
        if row.is_null() {
            return;
        }
        let mut is_null = false;
        let cache = pg_sys::SysCacheIdentifier::PROCOID as c_int;
        let library = pg_sys::SysCacheGetAttr(cache, row, pg_sys::Anum_pg_proc_probin as pg_sys::AttrNumber, &raw mut is_null);
        let library =
            if is_null { None } else { Some(CStr::from_ptr(pg_sys::text_to_cstring(library.cast_mut_ptr())).to_owned()) };
        pg_sys::ReleaseSysCache(row);
        library
    };
    let is_ours = |library: &CStr| Path::new(&*library.to_string_lossy()).file_stem().is_some_and(|name| name == LIBRARY);
    if library.as_deref().is_some_and(is_ours) {
        require_utf8_or_raise();
    }
}

fn name() -> String {
    // SAFETY: the server returns a constant text that ends with a zero byte.
    unsafe { CStr::from_ptr(pg_sys::GetDatabaseEncodingName()) }.to_string_lossy().into_owned()
}
