//! A `text[]` whose texts are checked.
//!
//! pgrx takes the elements of an array as `&str` without a look at their bytes. In a database whose encoding is not UTF8 they
//! need not be UTF-8, and what reads them then reads past their end.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::datum::{Datum, UnboxDatum};
use pgrx::nullable::Nullable;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;

use crate::error;

/// The elements of a `text[]`; NULL as `None`.
#[derive(Clone, Debug, Default)]
pub struct TextArray(pub Vec<Option<String>>);

/// A text in Rust's own memory.
///
/// # Errors
/// 22021 when it is not UTF-8.
fn checked(bytes: &[u8]) -> error::Result<String> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| error::invalid_text())
}

impl FromDatum for TextArray {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, kind: pg_sys::Oid) -> Option<TextArray> {
        // SAFETY: the caller vouches that it is a text[] or NULL. A text is bytes of any length, which `&[u8]` reads without
        // judging them.
        let elements = unsafe { Array::<'_, &[u8]>::from_polymorphic_datum(datum, is_null, kind) }?;
        let texts: error::Result<_> = elements.iter().map(|bytes| bytes.map(checked).transpose()).collect();
        Some(TextArray(texts.unwrap_or_else(|refusal| {
            refusal.report(PgLogLevel::ERROR);
            unreachable!("an error has been raised")
        })))
    }
}

impl IntoDatum for TextArray {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        self.0.into_datum()
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::TEXTARRAYOID
    }
}

// SAFETY: the datum is read as a text[] and copied into Rust's own memory.
unsafe impl UnboxDatum for TextArray {
    type As<'src> = TextArray;
    unsafe fn unbox<'src>(datum: Datum<'src>) -> TextArray
    where
        Self: 'src,
    {
        // SAFETY: the caller vouches that it is a text[] and not NULL; nothing borrows from it afterwards.
        unsafe { TextArray::from_datum(datum.sans_lifetime(), false) }.expect("a value that is not NULL")
    }
}

// SAFETY: the argument is declared as text[] (ARGUMENT_SQL below), and is read as one.
unsafe impl<'fcx> ArgAbi<'fcx> for TextArray {
    unsafe fn unbox_arg_unchecked(argument: Arg<'_, 'fcx>) -> TextArray {
        // SAFETY: the argument is a text[], as it is declared.
        unsafe { argument.unbox_arg_using_from_datum() }.expect("an argument that is not NULL")
    }

    unsafe fn unbox_nullable_arg(argument: Arg<'_, 'fcx>) -> Nullable<TextArray> {
        // SAFETY: the argument is a text[], as it is declared, or NULL.
        unsafe { argument.unbox_arg_using_from_datum().into() }
    }
}

// SAFETY: text[] is the type that the functions above read.
unsafe impl SqlTranslatable for TextArray {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(TextArray);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::literal("text[]"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Ok(ReturnsRef::One(SqlMappingRef::literal("text[]")));
}
