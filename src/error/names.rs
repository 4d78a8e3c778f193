//! The names by which programs tell refusals apart: the field "constraint name" of an error, and its routine.
//!
//! PostgreSQL has one SQLSTATE for all violated checks, and applications have checks of their own. pgrx cannot set the name of a
//! constraint. So a refusal carries its name as that of its function, and a callback of the server's, which is asked while an
//! error is on its way out, copies it. It leaves every error alone whose function is not one of these names.

use std::cell::Cell;
use std::ffi::{CStr, c_void};

use pgrx::pg_sys;

macro_rules! names {
    ($($(#[$doc:meta])* $constant:ident $name:literal,)+) => {
        $($(#[$doc])* pub const $constant: &str = $name;)+

        /// All of them, in the order of the alphabet.
        const ALL: &[&str] = &[$($name),+];
    };
}

names! {
    /// 55000: the account has lots or members.
    ACCOUNT_IN_USE "credit_account_in_use",
    /// 55000: the lot's life is over; credits that come to it would be lost at once.
    ADJUSTMENT_OF_ENDED_LOT "credit_adjustment_of_ended_lot",
    /// 55000: a later agreement is announced.
    AGREEMENT_ANNOUNCED "credit_agreement_announced",
    /// 55000: an agreement for the past stays as it was.
    AGREEMENT_IN_FORCE "credit_agreement_in_force",
    /// 55000: a later change of the same rate is announced.
    ALREADY_ANNOUNCED "credit_already_announced",
    /// 22003: the magnitude is 10^15 or more.
    AMOUNT_OUT_OF_RANGE "credit_amount_out_of_range",
    /// 55000: the periods of a subscription are counted from where they were.
    ANCHOR_IS_SET "credit_anchor_is_set",
    /// 55000: the periods of a cap stay where they are.
    ANCHOR_OF_CAP "credit_anchor_of_cap",
    /// 55000: a price that leaves less than the plan's floor margin.
    BELOW_FLOOR "credit_below_floor",
    /// 2D000: a procedure that commits was called where nothing may commit.
    CANNOT_COMMIT "credit_cannot_commit",
    /// 22023 or 22003: no rate follows from the new cost.
    CANNOT_REPRICE "credit_cannot_reprice",
    /// 54000: a spending cap leaves less than is to be debited.
    CAP "credit_cap",
    /// 55000: the unit of a card whose rates are published.
    CARD_UNIT_IN_USE "credit_card_unit_in_use",
    /// 55000: a change at an instant at which none can be.
    CHANGE_AT "credit_change_at",
    /// 55000: the clock is far behind what was written of the account's subscriptions.
    CLOCK_BEHIND_SUBSCRIPTION "credit_clock_behind_subscription",
    /// 55000: a commitment in money, and no price of a credit.
    COMMITMENT_WITHOUT_PRICE "credit_commitment_without_price",
    /// 22003: a conversion that would become more than any lot can hold.
    CONVERTS_OUT_OF_RANGE "credit_converts_out_of_range",
    /// 55000: a correction gives back more than is left, or takes more than was given back.
    CORRECTION_EXCEEDS "credit_correction_exceeds",
    /// 55000: the hold has ended, and cannot be kept open.
    HOLD_EXPIRED "credit_hold_expired",
    /// 55000: the hold was captured, released or has expired.
    HOLD_SETTLED "credit_hold_settled",
    /// 23514: more is to be captured than is held.
    HOLD_TOO_SHORT "credit_hold_too_short",
    /// 55000: the hold was not made for a quantity.
    HOLD_WITHOUT_RATE "credit_hold_without_rate",
    /// 42501: the ledger, and the terms of lots, do not change.
    IMMUTABLE "credit_immutable",
    /// 55000: the member was deactivated.
    INACTIVE_MEMBER "credit_inactive_member",
    /// 23514: less than the requested amount is usable.
    INSUFFICIENT "credit_insufficient",
    /// 22023: an argument, or a row, that is malformed.
    INVALID_ARGUMENT "credit_invalid_argument",
    /// 22021: a text is not UTF-8.
    INVALID_TEXT "credit_invalid_text",
    /// 23505: the key was used for another request, of this function or another one.
    KEY_REUSED "credit_key_reused",
    /// 55000: usage that came after a lot's expiry and the account's grace.
    LATE_USAGE "credit_late_usage",
    /// 55000: nothing can be done with this lot any more, or not yet.
    LOT_NOT_USABLE "credit_lot_not_usable",
    /// 55000: the lot that is named is not the giver's, or of another unit.
    LOT_OF_ANOTHER_OWNER "credit_lot_of_another_owner",
    /// 55000: a quantity from this on has a price by agreement only.
    NEEDS_AGREEMENT "credit_needs_agreement",
    /// 25001: the statement must see what other transactions write.
    NEEDS_READ_COMMITTED "credit_needs_read_committed",
    /// 55000: the same plan, quantity and price as now.
    NOTHING_CHANGES "credit_nothing_changes",
    /// 55000: so little is left of the period that nothing can be bought for it.
    NOTHING_LEFT_OF_PERIOD "credit_nothing_left_of_period",
    /// P0002: a rate is withdrawn that is not in force.
    NOTHING_TO_WITHDRAW "credit_nothing_to_withdraw",
    /// 55000: dearer, and sooner than the card promises.
    NOTICE_NOT_KEPT "credit_notice_not_kept",
    /// 55000: the posting is no debit.
    NOT_REFUNDABLE "credit_not_refundable",
    /// 55000: periods of another length, or another currency, begin when the current period ends.
    NOT_WITHIN_A_PERIOD "credit_not_within_a_period",
    /// P0002: the account has no card, and its unit no default one.
    NO_CARD "credit_no_card",
    /// P0002: the plan had no list price yet.
    NO_LIST_PRICE "credit_no_list_price",
    /// P0002: the card prices the operation never, or not at that time, or not with these dimensions.
    NO_RATE "credit_no_rate",
    /// P0002: no version of this rate is in force.
    NO_RATE_IN_FORCE "credit_no_rate_in_force",
    /// P0002: the account is on no plan in the unit.
    NO_SUBSCRIPTION "credit_no_subscription",
    /// 55000: nothing says when the account's periods begin.
    NO_TRUE_UP_TERMS "credit_no_true_up_terms",
    /// 55000: drafts that an import would publish along.
    OTHER_DRAFTS "credit_other_drafts",
    /// 55000: something would be dated in a closed period.
    PERIOD_CLOSED "credit_period_closed",
    /// 55000: there is time between the last closed period and this one.
    PERIOD_LEAVES_GAP "credit_period_leaves_gap",
    /// 55000: the period is still running.
    PERIOD_NOT_OVER "credit_period_not_over",
    /// 55000: part of the period was closed already.
    PERIOD_OVERLAPS "credit_period_overlaps",
    /// 40001: the change was of a period that is over.
    PERIOD_PASSED "credit_period_passed",
    /// 55000: a transaction that began before the end of the period has not ended.
    PERIOD_STILL_WRITTEN "credit_period_still_written",
    /// 55000: it has ended.
    PLAN_SCHEDULE_ENDED "credit_plan_schedule_ended",
    /// 55000: an end in the past.
    PLAN_SCHEDULE_END_PASSED "credit_plan_schedule_end_passed",
    /// 55000: the unit, currency or model of a plan that is in use cannot change.
    PLAN_SETTLED "credit_plan_settled",
    /// 55000: a price that was in force stays as it was.
    PRICE_IN_FORCE "credit_price_in_force",
    /// 55000: a purchase that was voided cannot be activated.
    PURCHASE_VOID "credit_purchase_void",
    /// 55000: a quote that leaves less than the plan's floor margin.
    QUOTE_BELOW_FLOOR "credit_quote_below_floor",
    /// 55000: nothing is left of the debit.
    REFUNDED_WHOLLY "credit_refunded_wholly",
    /// 55000: more is to be refunded than is left of the debit.
    REFUND_EXCEEDS "credit_refund_exceeds",
    /// 55000: the periods that are to be renewed first are in two currencies.
    RENEWALS_IN_TWO_CURRENCIES "credit_renewals_in_two_currencies",
    /// 55000: a period is bought when it has begun.
    RENEWAL_TOO_EARLY "credit_renewal_too_early",
    /// 22003: the result of a call would be 10^15 or more.
    RESULT_OUT_OF_RANGE "credit_result_out_of_range",
    /// 55000: usage of that time may have been charged by what is to change.
    REWRITES_HISTORY "credit_rewrites_history",
    /// 55000: a run of maintenance that has ended.
    RUN_HAS_ENDED "credit_run_has_ended",
    /// 55000: it has ended.
    SCHEDULE_ENDED "credit_schedule_ended",
    /// 55000: an end in the past.
    SCHEDULE_END_PASSED "credit_schedule_end_passed",
    /// 55000: an account's schedule that comes with its plan.
    SCHEDULE_OF_PLAN "credit_schedule_of_plan",
    /// 55000: the unit has a default card.
    SECOND_DEFAULT_CARD "credit_second_default_card",
    /// 55000: ids would be given a second time.
    SEQUENCE_BEHIND "credit_sequence_behind",
    /// 40001: others overtook it without end, or its snapshot is too old: repeat the transaction.
    SERIALIZATION "credit_serialization",
    /// 55000: the commitment has not ended.
    STILL_COMMITTED "credit_still_committed",
    /// 55000: a later version of the tier is announced.
    TIER_ANNOUNCED "credit_tier_announced",
    /// 22008: a beginning or an end that lies outside of what the server's calendar holds.
    TIMESTAMP_OUT_OF_RANGE "credit_timestamp_out_of_range",
    /// 55000: the account's time zone dates its expiries already.
    TIME_ZONE_IN_USE "credit_time_zone_in_use",
    /// 54000: debits registered as many members of the account within a day as they may.
    TOO_MANY_NEW_MEMBERS "credit_too_many_new_members",
    /// 55000: the account's policy has no transfers between these two.
    TRANSFER_FORBIDDEN "credit_transfer_forbidden",
    /// 55000: the unit of a document is another here.
    UNIT_DIFFERS "credit_unit_differs",
    /// 55000: amounts were posted in this unit.
    UNIT_IN_USE "credit_unit_in_use",
    /// P0002: no such account.
    UNKNOWN_ACCOUNT "credit_unknown_account",
    /// P0002: the account has no agreement about the plan.
    UNKNOWN_AGREEMENT "credit_unknown_agreement",
    /// P0002: no such cap in the account.
    UNKNOWN_CAP "credit_unknown_cap",
    /// P0002: no such card.
    UNKNOWN_CARD "credit_unknown_card",
    /// P0002: no such hold in the account.
    UNKNOWN_HOLD "credit_unknown_hold",
    /// P0002: no such lot in the account.
    UNKNOWN_LOT "credit_unknown_lot",
    /// P0002: no such member, in an account that requires members to be registered.
    UNKNOWN_MEMBER "credit_unknown_member",
    /// P0002: no such plan.
    UNKNOWN_PLAN "credit_unknown_plan",
    /// P0002: no such schedule of a plan.
    UNKNOWN_PLAN_SCHEDULE "credit_unknown_plan_schedule",
    /// P0002: no such posting in the account.
    UNKNOWN_POSTING "credit_unknown_posting",
    /// P0002: the lot is none of a purchase.
    UNKNOWN_PURCHASE "credit_unknown_purchase",
    /// P0002: no such role.
    UNKNOWN_ROLE "credit_unknown_role",
    /// P0002: a run of maintenance that was never begun.
    UNKNOWN_RUN "credit_unknown_run",
    /// P0002: no such schedule.
    UNKNOWN_SCHEDULE "credit_unknown_schedule",
    /// P0002: no such tier, or none with a price.
    UNKNOWN_TIER "credit_unknown_tier",
    /// P0002: no such closed period.
    UNKNOWN_TRUE_UP "credit_unknown_true_up",
    /// P0002: no such unit.
    UNKNOWN_UNIT "credit_unknown_unit",
    /// 0A000: the encoding of the database is not UTF8.
    UNSUPPORTED_ENCODING "credit_unsupported_encoding",
    /// 55000: the value of a unit at that time is known already.
    VALUE_IN_FORCE "credit_value_in_force",
}

/// The field "constraint name" of an error, as `PG_DIAG_CONSTRAINT_NAME` of the server's postgres_ext.h has it.
const CONSTRAINT_NAME: i32 = b'n' as i32;

thread_local! {
    /// The name of the refusal that was made last.
    static LAST: Cell<&'static str> = const { Cell::new("") };
}

/// The callback, once it is on the server's stack of them. It lies in memory that is never given back: whoever was below it on
/// the stack takes it off together with themselves.
static mut CALLBACK: pg_sys::ErrorContextCallback =
    pg_sys::ErrorContextCallback { previous: std::ptr::null_mut(), callback: Some(copy_name), arg: std::ptr::null_mut() };

/// The name of the refusal that was made last in this backend.
pub fn last() -> &'static str {
    LAST.get()
}

/// Sees to it that a refusal of this name says so when it is raised.
pub fn attach(name: &'static str) {
    LAST.set(name);
    push();
}

/// Nothing was refused in the call that begins.
pub fn begin() {
    LAST.set("");
}

/// The same as [`attach`] for what was refused since [`begin`], after other callbacks were taken off the stack, and ours with
/// them.
pub fn attach_again() {
    if !LAST.get().is_empty() {
        push();
    }
}

fn push() {
    let own = &raw mut CALLBACK;
    // SAFETY: a backend has one thread. The server keeps the stack of callbacks valid: each is taken off before its memory ends.
    // Ours is never twice on it, so the list has no circle.
    unsafe {
        let mut known = pg_sys::error_context_stack;
        while !known.is_null() {
            if known == own {
                return;
            }
            known = (*known).previous;
        }
        (*own).previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = own;
    }
}

/// Called by the server for each error that leaves while the callback is on its stack.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn copy_name(_argument: *mut c_void) {
    // SAFETY: the server calls this in the middle of an error, of which it makes a copy in memory that outlives this function,
    // and which is given back here. A function's name, where there is one, ends with a zero byte.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let error = pg_sys::CopyErrorData();
        let function = (*error).funcname;
        let is_named = !(*error).constraint_name.is_null();
        let name = if function.is_null() { None } else { CStr::from_ptr(function).to_str().ok() };
        if let Some(name) = name.and_then(|name| ALL.iter().find(|known| **known == name)).filter(|_| !is_named) {
            let text = std::ffi::CString::new(*name).expect("a name without a zero byte");
            pg_sys::err_generic_string(CONSTRAINT_NAME, text.as_ptr());
        }
        pg_sys::FreeErrorData(error);
        pg_sys::MemoryContextSwitchTo(before);
    }
}
