//! Owns comparisons: `eq`, `ne`, `lt`, `le`, `gt`, `ge` with the rules and texts of `text/template/funcs.go`.

use std::cmp::Ordering;

use super::{Exec, Ref};
use crate::func::Failure;
use crate::object::Object;
use crate::origin::O;
use crate::print;
use crate::tree::Builtin;
use crate::value::{ObjId, Value};

/// What can be compared, by Go's basic kinds.
#[derive(Clone, Copy, PartialEq)]
enum Basic<'h> {
    Bool(bool),
    Complex(f64, f64),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(&'h [u8]),
    Other,
}

/// A kind of values that have no basic kind: enough to tell whether Go would call two of them comparable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    Slice,
    Map,
    Struct,
    Pointer,
}

fn bad_type() -> Failure {
    Failure::new("invalid type for comparison")
}

impl Exec<'_> {
    /// Returns what the outcome is made of, and the outcome.
    pub(super) fn compared(&mut self, builtin: Builtin, args: &[Ref]) -> Result<(O, bool), Failure> {
        let holds = match (builtin, args) {
            (Builtin::Eq, [first, rest @ ..]) => self.equal(*first, rest)?,
            (Builtin::Ne, [first, rest @ ..]) => !self.equal(*first, rest)?,
            (Builtin::Lt, [a, b]) => self.less(*a, *b)?,
            (Builtin::Ge, [a, b]) => !self.less(*a, *b)?,
            (Builtin::Le, [a, b]) => self.less(*a, *b)? || self.equal(*a, &[*b])?,
            (Builtin::Gt, [a, b]) => !(self.less(*a, *b)? || self.equal(*a, &[*b])?),
            _ => false,
        };
        let mut origin = O::NONE;
        for arg in args {
            let of = self.heap.condition(arg.value);
            origin = self.heap.origins.join(origin, of);
        }
        self.heap.origins.mark_used(origin);
        Ok((origin, holds))
    }

    fn basic(&self, value: Value) -> Basic<'_> {
        match value {
            Value::Bool(_, value) => Basic::Bool(value),
            Value::Int(_, kind, value) if kind.is_unsigned() => Basic::Uint(value as u64),
            Value::Int(_, _, value) => Basic::Int(value),
            Value::Float(_, value) => Basic::Float(value),
            Value::Str(_, text) => Basic::Text(self.heap.bytes(text)),
            Value::Obj(_, id) => match self.heap.obj(id) {
                Object::Complex(re, im) => Basic::Complex(*re, *im),
                _ => Basic::Other,
            },
            Value::Nil(_) | Value::Bytes(..) | Value::List(..) | Value::Map(..) => Basic::Other,
        }
    }

    fn rest(&self, value: Value) -> Rest {
        match value {
            Value::List(..) | Value::Bytes(..) => Rest::Slice,
            Value::Map(..) => Rest::Map,
            Value::Obj(_, id) => match self.heap.obj(id) {
                Object::Struct(known) if !known.ty.name.starts_with('*') => Rest::Struct,
                Object::Time(_) => Rest::Struct,
                _ => Rest::Pointer,
            },
            _ => Rest::Nothing,
        }
    }

    fn equal(&mut self, first: Ref, rest: &[Ref]) -> Result<bool, Failure> {
        if rest.is_empty() {
            return Err(Failure::new("missing argument for comparison"));
        }
        for other in rest {
            if self.same(first.value, other.value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn same(&mut self, a: Value, b: Value) -> Result<bool, Failure> {
        let (x, y) = (self.basic(a), self.basic(b));
        match (x, y) {
            // Integers compare whatever their sign; a negative one is no unsigned number.
            (Basic::Int(x), Basic::Uint(y)) | (Basic::Uint(y), Basic::Int(x)) => Ok(u64::try_from(x) == Ok(y)),
            (Basic::Other, Basic::Other) => self.same_rest(a, b),
            _ if std::mem::discriminant(&x) == std::mem::discriminant(&y) => Ok(x == y),
            _ if a.is_nil() || b.is_nil() => Ok(false),
            _ => Err(self.incompatible(a, b)),
        }
    }

    fn incompatible(&self, a: Value, b: Value) -> Failure {
        let (a, b) = (self.heap.type_name(a), self.heap.type_name(b));
        Failure::new(format!("incompatible types for comparison: {a} and {b}"))
    }

    /// Neither has a basic kind: nil compares with everything, and what Go cannot compare is an error.
    fn same_rest(&mut self, a: Value, b: Value) -> Result<bool, Failure> {
        if a.is_nil() || b.is_nil() {
            return Ok(a.is_nil() && b.is_nil());
        }
        let (ka, kb) = (self.rest(a), self.rest(b));
        let text = |exec: &mut Self, value| exec.shown_text(value);
        if ka != kb {
            let (shown_a, shown_b) = (text(self, a), String::from_utf8_lossy(&print::default(&mut self.heap, b)).into_owned());
            let (ta, tb) = (self.heap.type_name(a), self.heap.type_name(b));
            return Err(Failure::new(format!("non-comparable types {shown_a}: {ta}, {tb}: {shown_b}")));
        }
        match (a, b) {
            (Value::Obj(_, a), Value::Obj(_, b)) => Ok(self.same_object(a, b)),
            _ => {
                let shown = text(self, b);
                Err(Failure::new(format!("non-comparable type {shown}: {}", self.heap.type_name(b))))
            }
        }
    }

    /// A value as `%s` prints it.
    fn shown_text(&mut self, value: Value) -> String {
        let format = Value::Str(O::NONE, self.heap.push(b"%s", O::NONE));
        match print::printf(&mut self.heap, format, &[value]) {
            Ok(Value::Str(_, text)) => self.heap.utf8(text).into_owned(),
            _ => String::new(),
        }
    }

    /// Go compares structs by their fields, pointers by what they point to being one.
    fn same_object(&self, a: ObjId, b: ObjId) -> bool {
        a == b || matches!((self.heap.obj(a), self.heap.obj(b)), (Object::Time(a), Object::Time(b)) if a == b)
    }

    fn less(&self, a: Ref, b: Ref) -> Result<bool, Failure> {
        let (x, y) = (self.basic(a.value), self.basic(b.value));
        if x == Basic::Other || y == Basic::Other {
            return Err(bad_type());
        }
        Ok(match (x, y) {
            (Basic::Int(x), Basic::Uint(y)) => u64::try_from(x).map_or(true, |x| x < y),
            (Basic::Uint(x), Basic::Int(y)) => u64::try_from(y).is_ok_and(|y| x < y),
            (Basic::Float(x), Basic::Float(y)) => x.partial_cmp(&y) == Some(Ordering::Less),
            (Basic::Int(x), Basic::Int(y)) => x < y,
            (Basic::Uint(x), Basic::Uint(y)) => x < y,
            (Basic::Text(x), Basic::Text(y)) => x < y,
            (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(..), Basic::Complex(..)) => return Err(bad_type()),
            _ => return Err(self.incompatible(a.value, b.value)),
        })
    }
}
