//! A `jsonb` argument as its text.
//!
//! pgrx's own type parses the value into a tree, which refuses deep nesting with an internal error and costs two conversions.
//! Metadata is only passed on and compared, and jsonb's text is already normal: sorted keys, exact numbers.

use std::ffi::CStr;

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::{Datum, UnboxDatum};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;

/// The text of a jsonb.
#[derive(Clone, Debug)]
pub struct JsonText(pub String);

impl JsonText {
    /// The normal form of a JSON text: what jsonb makes of it.
    pub fn normal(text: &str) -> JsonText {
        let jsonb = crate::values::jsonb(text).expect("jsonb_in returns a value or an error");
        // SAFETY: the datum is the jsonb that was just made.
        unsafe { JsonText::from_datum(jsonb, false) }.expect("a value that is not NULL")
    }
}

impl IntoDatum for JsonText {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        crate::values::jsonb(&self.0)
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

impl FromDatum for JsonText {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _type: pg_sys::Oid) -> Option<JsonText> {
        if is_null {
            return None;
        }
        // SAFETY: the caller vouches that the datum is a jsonb, and it is not NULL. jsonb_out takes one, and returns a text that
        // ends with a zero byte, which is copied at once.
        let text: Option<&CStr> = unsafe { pgrx::direct_function_call(pg_sys::jsonb_out, &[Some(datum)]) };
        text.map(|text| JsonText(text.to_string_lossy().into_owned()))
    }
}

// SAFETY: the datum is read as a jsonb and copied into Rust's own memory.
unsafe impl UnboxDatum for JsonText {
    type As<'src> = JsonText;
    unsafe fn unbox<'src>(datum: Datum<'src>) -> JsonText
    where
        Self: 'src,
    {
        // SAFETY: the caller vouches that it is a jsonb and not NULL; nothing borrows from it afterwards.
        unsafe { JsonText::from_datum(datum.sans_lifetime(), false) }.expect("a value that is not NULL")
    }
}

// SAFETY: the argument is declared as jsonb (ARGUMENT_SQL below), and is read as one.
unsafe impl<'fcx> ArgAbi<'fcx> for JsonText {
    unsafe fn unbox_arg_unchecked(argument: Arg<'_, 'fcx>) -> JsonText {
        // SAFETY: the argument is a jsonb, as it is declared.
        unsafe { argument.unbox_arg_using_from_datum() }.expect("an argument that is not NULL")
    }

    unsafe fn unbox_nullable_arg(argument: Arg<'_, 'fcx>) -> Nullable<JsonText> {
        // SAFETY: the argument is a jsonb, as it is declared, or NULL.
        unsafe { argument.unbox_arg_using_from_datum().into() }
    }
}

// SAFETY: what is returned is a jsonb, as it is declared (RETURN_SQL below).
unsafe impl BoxRet for JsonText {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        match crate::values::jsonb(&self.0) {
            // SAFETY: the datum is a jsonb, which the server allocated in the memory context of the call.
            Some(jsonb) => unsafe { fcinfo.return_raw_datum(jsonb) },
            None => fcinfo.return_null(),
        }
    }
}

// SAFETY: jsonb is the type that the functions above read and return.
unsafe impl SqlTranslatable for JsonText {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(JsonText);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("jsonb"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("jsonb")));
}
