//! The tables that are read and written directly: which columns of them are used, by name and type, and by which indexes rows are
//! found.
//!
//! This is the only place that says so. A column has no fixed position: [`Positions`] has where it stands in the table as it is,
//! so columns that somebody added or dropped do no harm. A nullable column of our own that debits do not write needs no entry
//! here; one that they write or read is one more line in its table.

use std::ffi::CStr;
use std::marker::PhantomData;

use pgrx::pg_sys;

use crate::server::heap::obstacle::Obstacle;

/// The most columns that are used of one table.
const MAX_COLUMNS: usize = 20;

/// A column as it must be to be used: a text compares by byte (COLLATE "C").
#[derive(Debug)]
pub struct Column {
    /// The column's name.
    pub name: &'static CStr,
    /// The type; of a domain the one that it is made of.
    kind: pg_sys::Oid,
    /// Whether rows without a value may be written.
    is_nullable: bool,
}

/// A table, described by an enumeration of its columns that are used.
pub trait Columns: Copy + 'static {
    /// The table's name in the schema `credit`.
    const TABLE: &'static CStr;
    /// The columns in the order of the enumeration.
    const ALL: &'static [Column];
    /// The column's place in [`Columns::ALL`].
    fn index(self) -> usize;
}

macro_rules! nullable {
    (NOT NULL) => {
        false
    };
    () => {
        true
    };
}

macro_rules! table {
    ($(#[$doc:meta])* $table:ident $name:literal {
        $($column:ident $column_name:literal $kind:ident $(NOT $null:ident)?),+ $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        #[allow(clippy::enum_variant_names, reason = "a column has the name of its table")]
        pub enum $table {
            $($column),+
        }

        impl Columns for $table {
            const TABLE: &'static CStr = $name;
            const ALL: &'static [Column] = &[
                $(Column { name: $column_name, kind: pg_sys::$kind, is_nullable: nullable!($(NOT $null)?) }),+
            ];

            fn index(self) -> usize {
                self as usize
            }
        }

        const _: () = assert!($table::ALL.len() <= MAX_COLUMNS);
    };
}

table! {
    /// `credit.account`, of which debits read the terms.
    Account c"account" {
        Account c"account" TEXTOID NOT NULL,
        Unit c"unit" TEXTOID NOT NULL,
        Pooling c"pooling" TEXTOID NOT NULL,
        RequireMembers c"require_members" BOOLOID NOT NULL,
        LateUsage c"late_usage" TEXTOID NOT NULL,
        RefreshAt c"refresh_at" TIMESTAMPTZOID,
        ClosedUntil c"closed_until" TIMESTAMPTZOID,
        HasCaps c"has_caps" BOOLOID NOT NULL,
        HasPoolingRules c"has_pooling_rules" BOOLOID NOT NULL,
        SelfSeating c"self_seating" BOOLOID NOT NULL,
    }
}

table! {
    /// `credit.unit`, of which debits read what an amount may be.
    Unit c"unit" {
        Unit c"unit" TEXTOID NOT NULL,
        Decimals c"decimals" INT2OID NOT NULL,
        Currency c"currency" TEXTOID,
    }
}

table! {
    /// `credit.member`, of which debits read the member who spends.
    Member c"member" {
        Account c"account" TEXTOID NOT NULL,
        Member c"member" TEXTOID NOT NULL,
        Department c"department" TEXTOID,
        Active c"active" BOOLOID NOT NULL,
        CreatedAt c"created_at" TIMESTAMPTZOID NOT NULL,
        SeatedAt c"seated_at" TIMESTAMPTZOID,
    }
}

table! {
    /// `credit.lot`, of which debits read the one that pays first.
    Lot c"lot" {
        Lot c"lot" INT8OID NOT NULL,
        EffectiveAt c"effective_at" TIMESTAMPTZOID NOT NULL,
        ExpiresAt c"expires_at" TIMESTAMPTZOID,
        Priority c"priority" INT2OID NOT NULL,
        Slots c"slots" INT2OID NOT NULL,
        Account c"account" TEXTOID NOT NULL,
        Unit c"unit" TEXTOID NOT NULL,
        AppliesTo c"applies_to" TEXTARRAYOID,
    }
}

table! {
    /// `credit.slot`, of which debits change what remains.
    Slot c"slot" {
        Lot c"lot" INT8OID NOT NULL,
        Slot c"slot" INT2OID NOT NULL,
        Account c"account" TEXTOID NOT NULL,
        Remaining c"remaining" NUMERICOID NOT NULL,
    }
}

table! {
    /// `credit.entry`, to which debits add lines.
    Entry c"entry" {
        Posting c"posting" INT8OID NOT NULL,
        Lot c"lot" INT8OID NOT NULL,
        OccurredAt c"occurred_at" TIMESTAMPTZOID NOT NULL,
        RecordedAt c"recorded_at" TIMESTAMPTZOID NOT NULL,
        Corrects c"corrects" INT8OID,
        Rate c"rate" INT8OID,
        Hold c"hold" INT8OID,
        Line c"line" INT4OID NOT NULL,
        Posted c"posted" BOOLOID NOT NULL,
        Account c"account" TEXTOID NOT NULL,
        Kind c"kind" TEXTOID NOT NULL,
        Amount c"amount" NUMERICOID NOT NULL,
        Member c"member" TEXTOID,
        Department c"department" TEXTOID,
        Operation c"operation" TEXTOID,
        Quantity c"quantity" NUMERICOID,
        Run c"run" TEXTOID,
        RecordedBy c"recorded_by" TEXTOID NOT NULL,
        Metadata c"metadata" JSONBOID,
        Dimensions c"dimensions" JSONBOID,
    }
}

/// An index that rows are found by, with its keys in their order.
pub struct Index<T: 'static> {
    /// The index's name in the schema `credit`.
    pub name: &'static CStr,
    /// Its keys; `None` stands for an expression.
    pub keys: &'static [Option<T>],
}

/// The accounts by name.
pub const ACCOUNTS: Index<Account> = Index { name: c"account_pkey", keys: &[Some(Account::Account)] };

/// The units by name.
pub const UNITS: Index<Unit> = Index { name: c"unit_pkey", keys: &[Some(Unit::Unit)] };

/// The members of an account by name.
pub const MEMBERS: Index<Member> = Index { name: c"member_pkey", keys: &[Some(Member::Account), Some(Member::Member)] };

/// The members of an account whom debits registered, by the instant.
pub const REGISTRATIONS: Index<Member> =
    Index { name: c"member_self_registered", keys: &[Some(Member::Account), Some(Member::CreatedAt)] };

/// The open lots in drawdown order: owner, general, expiry and paid are expressions.
pub const DRAWDOWN: Index<Lot> = Index {
    name: c"lot_drawdown",
    keys: &[
        Some(Lot::Account),
        Some(Lot::Unit),
        None,
        Some(Lot::Priority),
        None,
        None,
        None,
        Some(Lot::EffectiveAt),
        Some(Lot::Lot),
    ],
};

/// The slots of a lot.
pub const SLOTS: Index<Slot> = Index { name: c"slot_pkey", keys: &[Some(Slot::Account), Some(Slot::Lot), Some(Slot::Slot)] };

/// Where the columns that are used stand in their table, counted from 0.
#[derive(Debug)]
pub struct Positions<T> {
    at: [u16; MAX_COLUMNS],
    of: PhantomData<T>,
}

impl<T> Clone for Positions<T> {
    fn clone(&self) -> Positions<T> {
        *self
    }
}

impl<T> Copy for Positions<T> {}

impl<T: Columns> Positions<T> {
    /// Finds the columns in the table, or says which of them is missing or of another type.
    ///
    /// # Safety
    /// The description is that of a relation that is open until this returns.
    pub(super) unsafe fn find(description: pg_sys::TupleDesc) -> Result<Positions<T>, Obstacle> {
        let mut at = [0; MAX_COLUMNS];
        // SAFETY: the caller vouches for the description, and what is returned is used only here.
        let present = unsafe { attributes(description) };
        for (column, at) in T::ALL.iter().zip(&mut at) {
            let place = |attribute: &&pg_sys::FormData_pg_attribute| !attribute.attisdropped && name(attribute) == column.name;
            let position = present.iter().position(place).ok_or(Obstacle::NoColumn(column.name.to_owned()))?;
            if !is_of_type(present[position], column.kind) {
                return Err(Obstacle::OtherType(column.name.to_owned()));
            }
            *at = position as u16;
        }
        Ok(Positions { at, of: PhantomData })
    }

    /// Where the column stands.
    pub fn of(&self, column: T) -> usize {
        usize::from(self.at[column.index()])
    }

    /// Whether the keys of an index are these.
    pub(super) fn are_keys(&self, keys: &[Option<T>], numbers: &[i16]) -> bool {
        let number = |key: &Option<T>| key.map_or(0, |column| self.of(column) as i16 + 1);
        keys.len() == numbers.len() && keys.iter().zip(numbers).all(|(key, found)| number(key) == *found)
    }

    /// Checks that SQL would write the same row: the columns that are used, and NULL in all others.
    ///
    /// # Safety
    /// As of [`Positions::find`].
    pub(super) unsafe fn check_insert(&self, description: pg_sys::TupleDesc) -> Result<(), Obstacle> {
        // SAFETY: the caller vouches for the description, and what is returned is used only here.
        let present = unsafe { attributes(description) };
        for (position, attribute) in present.iter().enumerate().filter(|(_, attribute)| !attribute.attisdropped) {
            let used = self.at[..T::ALL.len()].iter().position(|at| usize::from(*at) == position).map(|used| &T::ALL[used]);
            let column = || name(attribute).to_owned();
            match used {
                Some(used) if used.is_nullable && attribute.attnotnull => return Err(Obstacle::NotNull(column())),
                Some(_) => {}
                None if attribute.attnotnull => return Err(Obstacle::NotNull(column())),
                None if attribute.atthasdef => return Err(Obstacle::Default(column())),
                None if is_domain(attribute) => return Err(Obstacle::Domain(column())),
                None => {}
            }
        }
        Ok(())
    }
}

/// A row that was read.
#[derive(Clone, Copy)]
pub struct Row<'a, T> {
    /// All values of the row, in the order of the table's columns.
    pub(super) values: &'a [Option<pg_sys::Datum>],
    /// Where the columns that are used stand.
    pub(super) positions: &'a Positions<T>,
}

impl<T: Columns> Row<'_, T> {
    /// The value of a column; `None` is NULL.
    pub fn get(&self, column: T) -> Option<pg_sys::Datum> {
        self.values[self.positions.of(column)]
    }
}

/// A row to be written; every column that is not set is NULL.
pub struct NewRow<T> {
    values: [Option<pg_sys::Datum>; MAX_COLUMNS],
    of: PhantomData<T>,
}

impl<T: Columns> NewRow<T> {
    /// A row of these values.
    pub fn of<const COUNT: usize>(values: [(T, Option<pg_sys::Datum>); COUNT]) -> NewRow<T> {
        let mut row = NewRow { values: [None; MAX_COLUMNS], of: PhantomData };
        for (column, value) in values {
            row.values[column.index()] = value;
        }
        row
    }

    /// Its values in the order of the table's columns, of which there are `columns`.
    pub(super) fn in_table(&self, positions: &Positions<T>, columns: usize) -> Vec<Option<pg_sys::Datum>> {
        let mut values = vec![None; columns];
        for (value, at) in self.values.iter().zip(&positions.at).take(T::ALL.len()) {
            values[usize::from(*at)] = *value;
        }
        values
    }
}

fn name(attribute: &pg_sys::FormData_pg_attribute) -> &CStr {
    // SAFETY: the server ends every name with a zero byte, and the name lies in the attribute, which is borrowed.
    unsafe { CStr::from_ptr(attribute.attname.data.as_ptr()) }
}

fn is_of_type(attribute: &pg_sys::FormData_pg_attribute, kind: pg_sys::Oid) -> bool {
    let is_text = kind == pg_sys::TEXTOID || kind == pg_sys::TEXTARRAYOID;
    // SAFETY: the server looks the type up in its catalog, and raises an error for an unknown one. A transaction runs.
    let found = unsafe { pg_sys::getBaseType(attribute.atttypid) };
    found == kind && (!is_text || attribute.attcollation == pg_sys::C_COLLATION_OID)
}

fn is_domain(attribute: &pg_sys::FormData_pg_attribute) -> bool {
    // SAFETY: the server looks the type up in its catalog, and raises an error for an unknown one. A transaction runs.
    unsafe { pg_sys::getBaseType(attribute.atttypid) != attribute.atttypid }
}

/// The columns of a table, dropped ones too.
///
/// # Safety
/// The description is that of an open relation, which outlives what is returned.
unsafe fn attributes<'a>(description: pg_sys::TupleDesc) -> Vec<&'a pg_sys::FormData_pg_attribute> {
    // SAFETY: the caller vouches for the description. The positions are below the number of columns.
    unsafe { (0..(*description).natts).map(|position| &*attribute(description, position)).collect() }
}

/// A column of a table.
///
/// # Safety
/// The description is that of an open relation, which has a column at the position.
#[cfg(not(feature = "pg18"))]
unsafe fn attribute(description: pg_sys::TupleDesc, position: i32) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: the caller vouches for the description, and that its array of columns has the position.
    unsafe { (*description).attrs.as_ptr().add(position as usize) }
}

/// A column of a table.
///
/// # Safety
/// The description is that of an open relation, which has a column at the position.
#[cfg(feature = "pg18")]
unsafe fn attribute(description: pg_sys::TupleDesc, position: i32) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: the caller vouches for the description and the position.
    unsafe { pg_sys::TupleDescAttr(description, position) }
}
