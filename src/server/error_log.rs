//! The server's log of an error that passes through Rust.
//!
//! pgrx catches every error of the server that is raised below us, carries it through Rust as a panic, and raises it anew. It
//! carries the code, the message, DETAIL and HINT. It loses the detail that is meant for the log alone, such as the queries of a
//! deadlock, and the context, such as the row that was waited for. So both are noted where the error is raised first, by a
//! callback as those that add to the context, and given back where it is logged: in the DETAIL of the log, which the client does
//! not get.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::error::names;

/// An error, and what it would lose.
#[derive(Debug)]
struct Noted {
    code: i32,
    message: Option<String>,
    detail: Option<String>,
    detail_log: Option<String>,
    context: Option<String>,
}

thread_local! {
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// The hook that was there before ours.
static mut NEXT: pg_sys::emit_log_hook_type = None;

static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

/// Adds what was noted to what is logged; once per backend.
pub fn register() {
    if !IS_REGISTERED.swap(true, Ordering::Relaxed) {
        // SAFETY: these are variables of the server and of ours that only the one thread of this backend uses. The hook is set
        // once: a hook that followed itself would never end.
        unsafe {
            NEXT = pg_sys::emit_log_hook;
            pg_sys::emit_log_hook = Some(give_back);
        }
    }
}

/// Runs `work`, and notes what an error in it would lose.
pub fn noting<T>(work: impl FnOnce() -> T) -> T {
    // Forgets an error that somebody caught.
    NOTED.take();
    names::begin();
    // SAFETY: this is the server's own variable, and this backend has one thread.
    let previous = unsafe { pg_sys::error_context_stack };
    let mut callback = pg_sys::ErrorContextCallback { previous, callback: Some(note), arg: ptr::null_mut() };
    let _within = Within { previous };
    // SAFETY: the callback lies on the stack of this function. `_within` takes it off the server's list before this function
    // ends, whether `work` returns or panics.
    unsafe { pg_sys::error_context_stack = &raw mut callback };
    work()
}

/// Takes the callback away.
struct Within {
    previous: *mut pg_sys::ErrorContextCallback,
}

impl Drop for Within {
    fn drop(&mut self) {
        // SAFETY: what was on the list before belongs to callers that still run.
        unsafe { pg_sys::error_context_stack = self.previous };
        names::attach_again();
    }
}

/// Called by the server as it raises an error, or says something less.
///
/// # Safety
/// Only the server calls it, with an error at hand.
#[pg_guard]
unsafe extern "C-unwind" fn note(_argument: *mut c_void) {
    // SAFETY: the server calls this with an error at hand, which it copies into a context that stays. The copy is read and then
    // freed; it must not lie in the context that errors are made in. The context that was current before is current again
    // afterwards.
    unsafe {
        // Nothing can be copied where there is no memory left.
        if pg_sys::geterrcode() == PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as i32 {
            return;
        }
        let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let copy = pg_sys::CopyErrorData();
        let error = &*copy;
        if error.elevel == PgLogLevel::ERROR as i32 {
            let noted = Noted::of(error);
            NOTED.with_borrow_mut(|known| match known {
                // An error of a call within another one has lost what is known of it when it is raised anew.
                Some(known) if known.is_of(error) && noted.detail_log.is_none() => known.add_context(noted.context),
                _ => *known = Some(noted),
            });
        }
        pg_sys::FreeErrorData(copy);
        pg_sys::MemoryContextSwitchTo(before);
    }
}

/// Called by the server with what it is about to log.
///
/// # Safety
/// Only the server calls it, with an error that nobody else uses meanwhile.
#[pg_guard]
unsafe extern "C-unwind" fn give_back(error: *mut pg_sys::ErrorData) {
    // SAFETY: the error is valid until this returns. What is allocated lies in the current context, in which errors are made, and
    // lives as long as the error. Only the one thread of this backend uses NEXT, which gets the same error.
    unsafe {
        let logged = &mut *error;
        if logged.elevel == PgLogLevel::ERROR as i32
            && let Some(noted) = NOTED.take()
            && noted.is_of(logged)
        {
            // The caller's message stays as it is: the texts of our statements mean nothing to them.
            let raised = text(logged.context).unwrap_or_default();
            let context = noted.context.filter(|context| !raised.starts_with(context.as_str()));
            let detail = text(logged.detail_log).or(noted.detail_log).or_else(|| text(logged.detail));
            let lines: Vec<String> = detail.into_iter().chain(context.map(|context| format!("Context: {context}"))).collect();
            if !lines.is_empty() {
                logged.detail_log = copied(&lines.join("\n"));
            }
        }
        if let Some(next) = NEXT {
            next(error);
        }
    }
}

impl Noted {
    /// The facts of an error that are noted.
    ///
    /// # Safety
    /// The texts of the error are null or end with a zero byte.
    unsafe fn of(error: &pg_sys::ErrorData) -> Noted {
        // SAFETY: the caller vouches for the texts.
        unsafe {
            Noted {
                code: error.sqlerrcode,
                message: text(error.message),
                detail: text(error.detail),
                detail_log: text(error.detail_log),
                context: text(error.context),
            }
        }
    }

    /// Adds the context that an outer call has.
    fn add_context(&mut self, outer: Option<String>) {
        let Some(outer) = outer else { return };
        self.context = Some(match self.context.take() {
            Some(inner) if inner.ends_with(&outer) => inner,
            Some(inner) if !outer.starts_with(&inner) => format!("{inner}\n{outer}"),
            _ => outer,
        });
    }

    /// Whether it is the same error, perhaps raised anew.
    ///
    /// # Safety
    /// The texts of `error` are null or end with a zero byte.
    unsafe fn is_of(&self, error: &pg_sys::ErrorData) -> bool {
        let message = |text: &Option<String>| text.as_deref().unwrap_or_default().to_owned();
        // SAFETY: the caller vouches for the texts.
        unsafe {
            self.code == error.sqlerrcode
                && message(&self.message) == message(&text(error.message))
                && message(&self.detail) == message(&text(error.detail))
        }
    }
}

/// A text of the server's in Rust's own memory; `None` where there is none.
///
/// # Safety
/// `of` is null or points to a text that ends with a zero byte.
unsafe fn text(of: *const c_char) -> Option<String> {
    // SAFETY: it is not null here, and the caller vouches that the text ends with a zero byte.
    (!of.is_null()).then(|| unsafe { CStr::from_ptr(of) }.to_string_lossy().into_owned())
}

/// A copy in the current memory context.
///
/// # Safety
/// The server has a current memory context, which lives as long as the copy is used.
unsafe fn copied(text: &str) -> *mut c_char {
    match CString::new(text) {
        // SAFETY: the text ends with a zero byte; the caller vouches for the context.
        Ok(text) => unsafe { pg_sys::pstrdup(text.as_ptr()) },
        Err(_) => ptr::null_mut(),
    }
}
