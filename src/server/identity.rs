//! The role as which a function acts: that of its caller, or the owner of the ledger.

use pgrx::pg_sys;

use crate::server::heap::relations;

/// The search path that SECURITY DEFINER functions pin: pg_temp last, so that nobody plants a name.
const SEARCH_PATH: &std::ffi::CStr = c"pg_catalog, credit, pg_temp";

/// The role as which a function runs: its caller's, unless it runs as its owner.
pub fn current_user() -> pg_sys::Oid {
    // SAFETY: the server reads a variable of this backend, which is set while a function runs.
    unsafe { pg_sys::GetUserId() }
}

/// The role and the settings under which a function ran before it became the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    user: pg_sys::Oid,
    context: i32,
    settings: i32,
}

impl Identity {
    /// Acts as the owner of the ledger from now on, with a pinned search path, as the server does for a function that is SECURITY
    /// DEFINER. An error ends it like everything else that its transaction or subtransaction began.
    pub fn become_owner() -> Identity {
        let owner = relations::relations().owner;
        let (mut user, mut context) = (pg_sys::InvalidOid, 0);
        // SAFETY: the server writes into variables of ours, and copies both texts, which end with a zero byte. The owner is a
        // role that exists. `restore`, or the end of the (sub)transaction after an error, ends the new level of settings.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            pg_sys::SetUserIdAndSecContext(owner, context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
            let settings = pg_sys::NewGUCNestLevel();
            pg_sys::set_config_option(
                c"search_path".as_ptr(),
                SEARCH_PATH.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
            Identity { user, context, settings }
        }
    }

    /// Acts as before again.
    pub fn restore(self) {
        // SAFETY: the level was begun by become_owner(), and those that began in it have ended. The role is the one before.
        unsafe {
            pg_sys::AtEOXact_GUC(true, self.settings);
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}
