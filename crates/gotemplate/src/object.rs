//! Owns what is neither scalar nor collection: Go types by name, their fields and methods.

use std::fmt;

use crate::func::Function;
use crate::heap::Sym;
use crate::text::Str;
use crate::value::Value;

/// What a missing key of a map gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Zero {
    /// A nil interface.
    Nil,
    /// The empty text.
    Text,
    /// No bytes.
    Bytes,
}

/// A map's Go type.
pub struct MapType {
    /// Its name, as `%T` writes it.
    pub name: &'static str,
    /// The type of its values, for messages: `interface {}` unless it is typed.
    pub element: &'static str,
    /// What a missing key gives.
    pub zero: Zero,
    /// Its methods; they get the map as the first argument.
    pub methods: &'static [&'static Function],
    /// Whether there is no map: nil of that type, which encoders write as such.
    pub is_nil: bool,
}

impl fmt::Debug for MapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// `map[string]interface {}`.
pub static MAP: MapType =
    MapType { name: "map[string]interface {}", element: "interface {}", zero: Zero::Nil, methods: &[], is_nil: false };
/// `map[string]string`.
pub static STRINGS: MapType = MapType { name: "map[string]string", element: "string", zero: Zero::Text, methods: &[], is_nil: false };
/// `map[string]interface {}(nil)`: what reading nothing gives.
pub static NO_MAP: MapType =
    MapType { name: "map[string]interface {}", element: "interface {}", zero: Zero::Nil, methods: &[], is_nil: true };
/// `map[string]string(nil)`.
pub static NO_STRINGS: MapType = MapType { name: "map[string]string", element: "string", zero: Zero::Text, methods: &[], is_nil: true };

/// A struct's Go type.
pub struct StructType {
    /// Its name, as `%T` writes it.
    pub name: &'static str,
    /// Its methods; they get the struct as the first argument.
    pub methods: &'static [&'static Function],
    /// How it is printed by `%v` when it has a `String` method; otherwise its fields in braces.
    pub text: Option<fn(&Struct, &crate::Heap) -> Vec<u8>>,
}

impl fmt::Debug for StructType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A struct: its type and its exported fields in Go's order.
#[derive(Clone, Debug)]
pub struct Struct {
    /// Its type.
    pub ty: &'static StructType,
    /// Its fields.
    pub fields: Vec<(Sym, Value)>,
}

/// Anything that is neither scalar nor collection.
#[derive(Clone, Debug)]
pub enum Object {
    /// `time.Time`.
    Time(plumb_go::time::Time),
    /// `*semver.Version`.
    Version(Box<plumb_go::semver::Version>),
    /// An `error` as a value.
    Error(Str),
    /// A complex number.
    Complex(f64, f64),
    /// A struct of the host's or of a function's.
    Struct(Struct),
}

impl Object {
    /// Returns an exported field.
    pub fn field(&self, name: Sym) -> Option<Value> {
        match self {
            Self::Struct(known) => known.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value),
            Self::Time(_) | Self::Version(_) | Self::Error(_) | Self::Complex(..) => None,
        }
    }
}
