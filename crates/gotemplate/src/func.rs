//! Owns how functions are declared: Go's parameter types, what becomes of origins, and how a call fails.
//!
//! The executor checks and converts arguments by [`Function::params`] as `text/template` does by reflection, so a function sees only
//! what its types allow. What a function says of origins is [`Origins`]; the default is sound and coarse, so forgetting nothing is the rule.

use plumb_world::CertificateNeed;

use crate::heap::Heap;
use crate::value::Value;

/// A parameter's Go type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ty {
    /// `interface {}`: anything, nil too.
    Any,
    /// `string`.
    Str,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int64`.
    Int64,
    /// `uint32`.
    Uint32,
    /// `float64`.
    Float,
    /// `[]byte`.
    Bytes,
    /// `[]interface {}`.
    List,
    /// `[]string`.
    Strings,
    /// `map[string]interface {}`: also named types of it.
    Map,
    /// `map[string]string`.
    StringMap,
    /// `time.Time`.
    Time,
    /// `time.Duration`.
    Duration,
    /// `error`.
    Error,
    /// Another type by its Go name.
    Named(&'static str),
}

impl Ty {
    /// Returns whether nil can be given.
    pub fn can_be_nil(self) -> bool {
        match self {
            Self::Str | Self::Bool | Self::Int | Self::Int64 | Self::Uint32 | Self::Float | Self::Time | Self::Duration => false,
            // Pointers, lists and maps; structs are always there.
            Self::Named(name) => name.starts_with(['*', '[']) || name.starts_with("map["),
            Self::Any | Self::Bytes | Self::List | Self::Strings | Self::Map | Self::StringMap | Self::Error => true,
        }
    }

    /// Returns the type as Go writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Str => "string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Uint32 => "uint32",
            Self::Float => "float64",
            Self::Bytes => "[]uint8",
            Self::List => "[]interface {}",
            Self::Strings => "[]string",
            Self::Map => "map[string]interface {}",
            Self::StringMap => "map[string]string",
            Self::Time => "time.Time",
            Self::Duration => "time.Duration",
            Self::Error => "error",
            Self::Named(name) => name,
        }
    }

    /// Returns what a message calls a constant of the type.
    pub(crate) fn constant_name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Str => "string",
            Self::Float => "float",
            Self::Uint32 => "unsigned integer",
            _ => "integer",
        }
    }
}

/// What becomes of the arguments' origins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace {
    /// The function sets the origins of its result itself, byte by byte or item by item.
    Exact,
    /// The result gets the union of all arguments' origins, wherever the function left none.
    Union,
    /// The same, through a function that hides which part is from where (hashes, encryption).
    Coarse,
    /// The result is one of the arguments or their parts; those keep their own, and those that were only tested are joined in by the function.
    Parts,
}

/// A function that templates can call.
pub struct Function {
    /// Its name in templates.
    pub name: &'static str,
    /// Its fixed parameters.
    pub params: &'static [Ty],
    /// The type of the rest, if it takes any number.
    pub variadic: Option<Ty>,
    /// What becomes of origins.
    pub trace: Trace,
    /// Does it.
    pub run: fn(&mut Call<'_>, &[Value]) -> Result<Value, Failure>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a function works with.
pub struct Call<'c> {
    /// The render's memory.
    pub heap: &'c mut Heap,
    /// Whoever answers queries.
    pub host: &'c mut dyn Host,
    /// Names this call among all of a render: what recorded randomness is found again by.
    pub key: CallKey<'c>,
}

/// Names one call of a function in a way that editing other lines does not change (never line and column).
#[derive(Clone, Copy, Debug)]
pub struct CallKey<'c> {
    /// The template file.
    pub file: &'c str,
    /// The `define` around it.
    pub define: &'c str,
    /// The function.
    pub function: &'static str,
}

/// Answers what a render may not find out by itself. Every answer is recorded by whoever implements it, with the
/// call's key, the arguments, and how many-th of those it is.
pub trait Host {
    /// Returns that many random bytes for a call.
    fn random(&mut self, key: CallKey<'_>, arguments: &[u8], bytes: usize) -> Result<Vec<u8>, Failure>;
    /// Returns the time as seconds and nanoseconds since 1970 and the zone's offset in seconds.
    fn now(&mut self) -> Result<(i64, u32, i32), Failure>;
    /// Returns live objects as JSON; nothing when there is none.
    fn lookup(&mut self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Option<Vec<u8>>, Failure>;
    /// Returns the address of a host name; empty where that is not allowed.
    fn address(&mut self, name: &str) -> Result<String, Failure>;
    /// Makes certificates and keys: `function` with its arguments, PEM texts as the answer (certificate, key).
    /// For `genPrivateKey` the common name is the kind of key (`rsa`, `dsa`, `ecdsa`, `ed25519`) and the answer has no certificate.
    fn certificate(&mut self, key: CallKey<'_>, request: &CertificateRequest<'_>) -> Result<(String, String), Failure>;
}

/// What a certificate is asked for.
#[derive(Clone, Debug)]
pub struct CertificateRequest<'r> {
    /// Common name.
    pub common_name: &'r str,
    /// Addresses.
    pub addresses: Vec<&'r str>,
    /// DNS names.
    pub names: Vec<&'r str>,
    /// How long it holds, in days.
    pub days: i64,
    /// Whether it may sign others.
    pub authority: bool,
    /// Who signs it: certificate and key as PEM; itself where there is nobody.
    pub signer: Option<(&'r str, &'r str)>,
    /// The key to use as PEM; a new one where there is none.
    pub key: Option<&'r str>,
}

impl From<&CertificateRequest<'_>> for CertificateNeed {
    fn from(request: &CertificateRequest<'_>) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            common_name: request.common_name.to_owned(),
            addresses: owned(&request.addresses),
            names: owned(&request.names),
            days: request.days,
            authority: request.authority,
            signer: request.signer.map(|(certificate, key)| (certificate.to_owned(), key.to_owned())),
            key: request.key.map(str::to_owned),
        }
    }
}

/// Why a call failed: the text that Go's function would have returned or panicked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Go's text: any bytes.
    pub message: Vec<u8>,
    /// What kind of failure it is.
    pub kind: FailureKind,
}

/// What kind of failure a call ended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailureKind {
    /// The function refused its arguments.
    Refused,
    /// The chart says so: `fail`, `required`.
    Asked,
    /// A named limit was reached.
    Limit,
    /// Not answered yet: the render goes on with the reference tool's empty answer and is thrown away.
    Later,
    /// An error that already names its place: passed on as it is (`include`, `tpl`).
    Nested,
}

impl Failure {
    /// Returns a refusal with Go's text.
    pub fn new(message: impl Into<Vec<u8>>) -> Self {
        Self { message: message.into(), kind: FailureKind::Refused }
    }

    /// Returns that a limit was reached.
    pub fn limit(message: impl Into<Vec<u8>>) -> Self {
        Self { message: message.into(), kind: FailureKind::Limit }
    }
}

impl Call<'_> {
    /// Returns a text argument's range; nothing in it for anything else.
    pub(crate) fn str(&self, value: &Value) -> crate::Str {
        match value {
            Value::Str(_, text) | Value::Bytes(_, text) => *text,
            _ => crate::Str::default(),
        }
    }

    /// Returns a text argument's bytes.
    pub fn bytes(&self, value: &Value) -> &[u8] {
        self.heap.bytes(self.str(value))
    }

    /// Returns a whole argument.
    pub(crate) fn int(&self, value: &Value) -> i64 {
        match value {
            Value::Int(_, _, int) => *int,
            _ => 0,
        }
    }

    /// Adds a text of no origin of its own: the executor gives it the union of the arguments'.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> Result<Value, Failure> {
        self.heap.reserve(bytes.len())?;
        Ok(Value::Str(crate::O::NONE, self.heap.push(bytes, crate::O::NONE)))
    }

    /// Returns the items of a list of any type, with the origin of a list of bytes; nothing for anything else.
    pub(crate) fn items(&mut self, value: &Value) -> Option<Vec<Value>> {
        match value {
            Value::List(_, _, items) => Some(self.heap.items(*items).to_vec()),
            Value::Bytes(own, text) => {
                let bytes = self.heap.bytes(*text);
                Some(bytes.iter().map(|byte| Value::Int(*own, crate::IntKind::Uint8, i64::from(*byte))).collect())
            }
            _ => None,
        }
    }

    /// Adds a list of any.
    pub(crate) fn list(&mut self, items: &[Value]) -> Result<Value, Failure> {
        self.heap.reserve(items.len() * 16)?;
        Ok(self.heap.list(crate::ListType::Any, items))
    }

    /// Returns a value as Sprig's `strval` makes it a text, with its origins.
    pub(crate) fn strval(&mut self, value: Value) -> Result<(crate::Str, crate::O), Failure> {
        match value {
            Value::Str(own, text) | Value::Bytes(own, text) => Ok((text, own)),
            other => {
                let origin = self.heap.origin(other);
                let text = crate::print::default(self.heap, other);
                self.heap.reserve(text.len())?;
                Ok((self.heap.push(&text, origin), origin))
            }
        }
    }
}

/// Declares a function: its name in templates, its parameters, what becomes of origins, and what it does.
macro_rules! function {
    ($id:ident, $name:literal, [$($param:ident),*], $($rest:ident)?, $trace:ident, $run:expr) => {
        pub(crate) static $id: $crate::func::Function = $crate::func::Function {
            name: $name,
            params: &[$($crate::func::Ty::$param),*],
            variadic: function!(@rest $($rest)?),
            trace: $crate::func::Trace::$trace,
            run: $run,
        };
    };
    (@rest) => { None };
    (@rest $rest:ident) => { Some($crate::func::Ty::$rest) };
}
pub(crate) use function;
