//! Owns values: what a template computes with, in Go's kinds. Cheap to copy; texts, maps, lists and objects lie in the [`Heap`](crate::Heap).

use crate::origin::O;
use crate::text::Str;

/// A number's Go kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntKind {
    /// `int`: constants, lengths, indices.
    Int,
    /// `int32`: a character constant.
    Int32,
    /// `int64`: Sprig's arithmetic, `--set`.
    Int64,
    /// `uint8`: one byte.
    Uint8,
    /// `uint32`.
    Uint32,
    /// `uint64`: above `int64`'s largest; the bits are kept in the `i64`.
    Uint64,
    /// `time.Duration`, in nanoseconds.
    Duration,
    /// `time.Month`.
    Month,
    /// `time.Weekday`.
    Weekday,
}

impl IntKind {
    /// Returns whether the kind has no sign.
    pub fn is_unsigned(self) -> bool {
        matches!(self, Self::Uint8 | Self::Uint32 | Self::Uint64)
    }

    /// Returns the type's name in Go.
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Uint8 => "uint8",
            Self::Uint32 => "uint32",
            Self::Uint64 => "uint64",
            Self::Duration => "time.Duration",
            Self::Month => "time.Month",
            Self::Weekday => "time.Weekday",
        }
    }
}

/// A list's Go type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListType {
    /// `[]interface {}`.
    Any,
    /// `[]string`.
    Strings,
    /// `[]int`.
    Ints,
    /// Helm's `common.VersionSet`: a `[]string` with a method of its own.
    Versions,
}

/// Names a map of the heap: maps are shared and change in place (`set`, `unset`, `merge`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MapId(pub u32);

/// Names an object of the heap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ObjId(pub u32);

/// Where a list's items lie in the heap. Lists never change, so a slice of one is another range.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Items {
    /// First item.
    pub at: u32,
    /// How many.
    pub len: u32,
}

/// A value with its origin: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// Go's nil interface.
    Nil(O),
    /// `bool`.
    Bool(O, bool),
    /// An integer of any kind.
    Int(O, IntKind, i64),
    /// `float64`.
    Float(O, f64),
    /// `string`: any bytes. What its segments say comes before the origin here.
    Str(O, Str),
    /// `[]byte`.
    Bytes(O, Str),
    /// A slice.
    List(O, ListType, Items),
    /// A map.
    Map(O, MapId),
    /// Anything else: a time, an error, a version, a struct, something of the host's.
    Obj(O, ObjId),
}

impl Value {
    /// Go's nil, of no known origin.
    pub const NIL: Self = Self::Nil(O::NONE);
    /// The empty text.
    pub const EMPTY: Self = Self::Str(O::NONE, Str { at: 0, len: 0 });

    /// Returns an `int`.
    pub fn int(value: i64) -> Self {
        Self::Int(O::NONE, IntKind::Int, value)
    }

    /// Returns an `int64`.
    pub fn int64(value: i64) -> Self {
        Self::Int(O::NONE, IntKind::Int64, value)
    }

    /// Returns a `bool`.
    pub fn bool(value: bool) -> Self {
        Self::Bool(O::NONE, value)
    }

    /// Returns a `float64`.
    pub fn float(value: f64) -> Self {
        Self::Float(O::NONE, value)
    }

    /// Returns its own origin: without that of its items or segments.
    pub fn origin(&self) -> O {
        match *self {
            Self::Nil(o)
            | Self::Bool(o, _)
            | Self::Int(o, ..)
            | Self::Float(o, _)
            | Self::Str(o, _)
            | Self::Bytes(o, _)
            | Self::List(o, ..)
            | Self::Map(o, _)
            | Self::Obj(o, _) => o,
        }
    }

    /// Returns the same value from elsewhere.
    #[must_use]
    pub fn with(self, o: O) -> Self {
        match self {
            Self::Nil(_) => Self::Nil(o),
            Self::Bool(_, v) => Self::Bool(o, v),
            Self::Int(_, k, v) => Self::Int(o, k, v),
            Self::Float(_, v) => Self::Float(o, v),
            Self::Str(_, v) => Self::Str(o, v),
            Self::Bytes(_, v) => Self::Bytes(o, v),
            Self::List(_, t, v) => Self::List(o, t, v),
            Self::Map(_, v) => Self::Map(o, v),
            Self::Obj(_, v) => Self::Obj(o, v),
        }
    }

    /// Returns whether it is Go's nil interface.
    pub fn is_nil(&self) -> bool {
        matches!(self, Self::Nil(_))
    }
}

const _: () = assert!(size_of::<Value>() == 16);
