//! On whose behalf a function acts: that of its caller, or of who owns the ledger.

use pgrx::pg_sys;

use crate::server::heap::relations;

/// The search path that SECURITY DEFINER functions pin: pg_temp last, so that nobody plants a name.
const SEARCH_PATH: &std::ffi::CStr = c"pg_catalog, credit, pg_temp";

/// The role as which a function runs: its caller's, unless it runs as its owner.
pub fn current_user() -> pg_sys::Oid {
    // SAFETY: it reads what the server keeps for the session.
    unsafe { pg_sys::GetUserId() }
}

/// Who a function acted for before it became the owner, and under which settings.
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
        unsafe {
            pg_sys::AtEOXact_GUC(true, self.settings);
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}
