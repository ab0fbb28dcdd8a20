//! Owns `text/template`'s own functions, less `and` and `or`: indexing, cutting, printing. Comparing is in `compare`, escaping in `escape`.
//! They take values by reflection, so they tell no value from a nil one.

use super::args::Args;
use super::failure::Stop;
use super::{At, Exec, Frame, Ref, Static};
use crate::func::{Failure, Ty};
use crate::heap::Sym;
use crate::object::Zero;
use crate::origin::O;
use crate::print;
use crate::tree::{Arg, Builtin};
use crate::value::{IntKind, Items, Value};

/// What `reflect` panics with when the zero value is asked for its type.
const NO_TYPE: &str = "reflect: call of reflect.Value.Type on zero Value";

impl Builtin {
    /// How many arguments there must be, and whether there may be more.
    fn arity(self) -> (usize, bool) {
        match self {
            Self::Print | Self::Println | Self::Html | Self::Js | Self::UrlQuery => (0, true),
            Self::Call | Self::Index | Self::Slice | Self::Eq | Self::Printf => (1, true),
            Self::Len | Self::Not => (1, false),
            Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => (2, false),
        }
    }

    /// Whether its arguments are `interface {}` (but for `printf`'s first, a text).
    fn prints(self) -> bool {
        matches!(self, Self::Print | Self::Println | Self::Printf | Self::Html | Self::Js | Self::UrlQuery)
    }
}

impl Exec<'_> {
    #[expect(clippy::too_many_arguments, reason = "as many as the rule has: environment, function, node, arguments")]
    pub(super) fn builtin<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: Ref,
        builtin: Builtin,
        name: Sym,
        node: At<'t>,
        args: &'t [Arg],
        last: Option<Ref>,
    ) -> Result<Ref, Stop> {
        let given = args.get(1..).unwrap_or(&[]);
        let (fixed, variadic) = builtin.arity();
        let total = given.len() + usize::from(last.is_some());
        if total < fixed || total > fixed && !variadic {
            let name = self.heap.utf8(self.heap.name_str(name)).into_owned();
            self.count(frame, &name, fixed, variadic, given.len(), last.is_some())?;
        }
        self.spend(frame)?;
        let mut values = Args::refs();
        for (nth, arg) in given.iter().enumerate() {
            let value = self.reflected(frame, dot, builtin, nth, arg)?;
            values.push(value);
        }
        if let Some(last) = last {
            let value = match self.print_type(builtin, given.len()) {
                Some(ty) => Ref::boxed(self.assignable(frame, last, ty)?),
                None => last,
            };
            values.push(value);
        }
        let computed = given.iter().map(|arg| !matches!(arg, Arg::Text(..) | Arg::Number(..) | Arg::Bool(..)));
        let result = match builtin {
            Builtin::Index => self.index(values.as_slice(), computed),
            Builtin::Slice => self.slice(values.as_slice()),
            Builtin::Len => self.length(values.as_slice()[0]),
            Builtin::Not => {
                let value = values.as_slice()[0].value;
                let origin = self.heap.condition(value);
                self.heap.origins.mark_used(origin);
                Ok(Ref::of(Value::Bool(origin, !self.heap.truth(value))))
            }
            Builtin::Call => Err(self.call_value(values.as_slice()[0], given)),
            Builtin::Print | Builtin::Println => {
                let values: Vec<Value> = values.as_slice().iter().map(|value| value.value).collect();
                print::print(&mut self.heap, &values, builtin == Builtin::Println).map(Ref::of)
            }
            Builtin::Printf => {
                let values: Vec<Value> = values.as_slice().iter().map(|value| value.value).collect();
                let (format, rest) = values.split_first().unwrap_or((&Value::EMPTY, &[]));
                print::printf(&mut self.heap, *format, rest).map(Ref::of)
            }
            Builtin::Html | Builtin::Js | Builtin::UrlQuery => Ok(self.escaped(builtin, values.as_slice())),
            Builtin::Eq | Builtin::Ne | Builtin::Lt | Builtin::Le | Builtin::Gt | Builtin::Ge => {
                self.compared(builtin, values.as_slice()).map(|value| Ref::of(Value::Bool(value.0, value.1)))
            }
        };
        result.map_err(|failure| {
            frame.at = node;
            let name = self.heap.utf8(self.heap.name_str(name)).into_owned();
            let about = self.blamed(values.as_slice().iter().map(|value| value.value));
            self.stop_call(frame, &name, failure).about(about)
        })
    }

    fn print_type(&self, builtin: Builtin, nth: usize) -> Option<Ty> {
        builtin.prints().then_some(if builtin == Builtin::Printf && nth == 0 { Ty::Str } else { Ty::Any })
    }

    fn reflected<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, builtin: Builtin, nth: usize, arg: &'t Arg) -> Result<Ref, Stop> {
        match self.print_type(builtin, nth) {
            Some(ty) => self.argument(frame, dot, ty, arg).map(Ref::boxed),
            None => {
                frame.at = At::Arg(arg);
                if let Arg::Nil(_) = arg { Ok(Ref::invalid(O::NONE)) } else { self.operand(frame, dot, arg) }
            }
        }
    }

    /// What Go calls the type of a value as it is held.
    pub(super) fn held_type(&self, value: Ref) -> Result<String, Failure> {
        match value.is {
            Static::Invalid => Err(Failure::new(NO_TYPE)),
            Static::Boxed if value.value.is_nil() => Ok("interface {}".to_owned()),
            Static::Boxed | Static::Concrete => Ok(self.heap.type_name(value.value)),
        }
    }

    /// `index`: `computed` says of each argument whether it was computed rather than written as a constant.
    fn index(&mut self, args: &[Ref], computed: impl Iterator<Item = bool>) -> Result<Ref, Failure> {
        let Some((item, indexes)) = args.split_first() else { return Ok(Ref::invalid(O::NONE)) };
        let mut item = item.unboxed();
        if !item.is_valid() {
            return Err(Failure::new("index of untyped nil"));
        }
        let mut decided = O::NONE;
        let mut computed = computed.skip(1).chain(std::iter::repeat(true));
        for index in indexes {
            let index = index.unboxed();
            if item.value.is_nil() {
                return Err(Failure::new("index of nil pointer"));
            }
            if self.heap.origins.tracing() {
                let of = self.heap.origin(index.value);
                self.heap.origins.mark_used(of);
                if computed.next().unwrap_or(true) {
                    decided = self.heap.origins.join(decided, of);
                }
            }
            item = self.at_index(item, index)?;
        }
        Ok(Ref { value: self.heap.beside(item.value, decided), ..item })
    }

    fn at_index(&mut self, item: Ref, index: Ref) -> Result<Ref, Failure> {
        match item.value {
            Value::Str(own, text) | Value::Bytes(own, text) => {
                let at = self.index_of(index, text.len)?;
                let Some(byte) = self.heap.bytes(text).get(at).copied() else {
                    let what = if matches!(item.value, Value::Str(..)) { "string" } else { "slice" };
                    return Err(Failure::new(format!("reflect: {what} index out of range")));
                };
                let origin = self.heap.segs(text.slice(at, at + 1)).next().map_or(O::NONE, |seg| seg.origin);
                let origin = if origin == O::NONE { own } else { origin };
                Ok(Ref::of(Value::Int(origin, IntKind::Uint8, i64::from(byte))))
            }
            Value::List(_, ty, items) => {
                let at = self.index_of(index, items.len)?;
                match self.heap.items(items).get(at) {
                    Some(value) => Ok(self.element(ty, *value)),
                    None => Err(Failure::new("reflect: slice index out of range")),
                }
            }
            Value::Map(own, id) => {
                let Value::Str(_, key) = index.value else {
                    if !index.is_valid() {
                        return Err(Failure::new("value is nil; should be of type string"));
                    }
                    return Err(Failure::new(format!("value has type {}; should be string", self.heap.type_name(index.value))));
                };
                let key = self.heap.find_sym(self.heap.bytes(key));
                if let Some(entry) = key.and_then(|key| self.heap.get(id).get(key)) {
                    let value = entry.value;
                    return Ok(self.map_element(id, value));
                }
                let origin = match key {
                    Some(key) => self.heap.absent(own, id, key),
                    None => own,
                };
                Ok(match self.heap.get(id).ty.zero {
                    Zero::Nil => Ref::boxed(Value::Nil(origin)),
                    _ => self.zero(id, origin),
                })
            }
            other => Err(Failure::new(format!("can't index item of type {}", self.heap.type_name(other)))),
        }
    }

    /// A value as an index up to and with `cap`.
    fn index_of(&self, index: Ref, cap: u32) -> Result<usize, Failure> {
        match index.value {
            _ if !index.is_valid() => Err(Failure::new("cannot index slice/array with nil")),
            _ if index.is == Static::Boxed => Err(Failure::new("cannot index slice/array with type interface {}")),
            Value::Int(_, _, at) => match usize::try_from(at) {
                Ok(at) if at <= cap as usize => Ok(at),
                _ => Err(Failure::new(format!("index out of range: {at}"))),
            },
            other => Err(Failure::new(format!("cannot index slice/array with type {}", self.heap.type_name(other)))),
        }
    }

    fn slice(&mut self, args: &[Ref]) -> Result<Ref, Failure> {
        let Some((item, indexes)) = args.split_first() else { return Ok(Ref::invalid(O::NONE)) };
        let item = item.unboxed();
        if !item.is_valid() {
            return Err(Failure::new("slice of untyped nil"));
        }
        if indexes.len() > 3 {
            return Err(Failure::new(format!("too many slice indexes: {}", indexes.len())));
        }
        let len = match item.value {
            Value::Str(..) if indexes.len() == 3 => return Err(Failure::new("cannot 3-index slice a string")),
            Value::Str(_, text) | Value::Bytes(_, text) => text.len,
            // A list's capacity is its length here; Go's can be larger by how it was made.
            Value::List(_, _, items) => items.len,
            other => return Err(Failure::new(format!("can't slice item of type {}", self.heap.type_name(other)))),
        };
        let mut bounds = [0, len as usize, len as usize];
        // Go does not look into interfaces here, so what a map or list holds is no index.
        for (bound, index) in bounds.iter_mut().zip(indexes) {
            *bound = self.index_of(*index, len)?;
        }
        let [start, end, cap] = bounds;
        if start > end {
            return Err(Failure::new(format!("invalid slice index: {start} > {end}")));
        }
        if indexes.len() == 3 && end > cap {
            return Err(Failure::new(format!("invalid slice index: {end} > {cap}")));
        }
        Ok(Ref::of(match item.value {
            Value::Str(own, text) => Value::Str(own, text.slice(start, end)),
            Value::Bytes(own, text) => Value::Bytes(own, text.slice(start, end)),
            Value::List(own, ty, items) => Value::List(own, ty, Items { at: items.at + start as u32, len: (end - start) as u32 }),
            other => other,
        }))
    }

    fn length(&mut self, item: Ref) -> Result<Ref, Failure> {
        if item.is == Static::Boxed && item.value.is_nil() {
            return Err(Failure::new("len of nil pointer"));
        }
        let len = match item.value {
            Value::Str(_, text) | Value::Bytes(_, text) => text.len as usize,
            Value::List(_, _, items) => items.len as usize,
            Value::Map(_, id) => self.heap.get(id).len(),
            _ => return Err(Failure::new(format!("len of type {}", self.held_type(item)?))),
        };
        let origin = self.heap.condition(item.value);
        self.heap.origins.mark_used(origin);
        Ok(Ref::of(Value::int(len as i64).with(origin)))
    }

    /// `call`: no value is a function.
    fn call_value(&mut self, function: Ref, args: &[Arg]) -> Failure {
        let function = function.unboxed();
        if !function.is_valid() {
            return Failure::new("call of nil");
        }
        let ty = self.heap.type_name(function.value);
        let name = match (args.first(), function.value) {
            (Some(arg), _) => self.written(arg),
            (None, Value::Str(_, text)) => self.heap.utf8(text).into_owned(),
            (None, _) => format!("<{ty} Value>"),
        };
        Failure::new(format!("non-function {name} of type {ty}"))
    }
}
