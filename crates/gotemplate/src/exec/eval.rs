//! Owns pipelines, commands, fields and calls: what `text/template` does by reflection, on Plumb's values.

use super::args::Args;
use super::failure::Stop;
use super::{At, Exec, Frame, MissingKey, Ref, Static};
use crate::func::{Call, CallKey, Function, Trace, Ty};
use crate::heap::Sym;
use crate::object::{Object, Zero};
use crate::origin::{O, Origin};
use crate::tree::{Arg, Callee, Cmd, Number, Pipe};
use crate::value::{ListType, MapId, Value};

impl Exec<'_> {
    pub(crate) fn pipeline<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, pipe: &'t Pipe) -> Result<Ref, Stop> {
        frame.at = At::Pipe(pipe);
        let mut value = None;
        for cmd in &pipe.cmds {
            // A value of type interface{} is what it holds from here on.
            value = Some(self.command(frame, dot, cmd, value)?.unboxed());
        }
        let value = value.unwrap_or(Ref::invalid(O::NONE));
        for name in &pipe.decl {
            if pipe.is_assign {
                self.assign(frame, *name, value)?;
            } else {
                frame.vars.push((*name, value, self.heap.here.ctl));
            }
        }
        Ok(value)
    }

    /// Sets a variable that exists. What is assigned inside a block and used outside depends on the block.
    pub(crate) fn assign(&mut self, frame: &mut Frame<'_>, name: Sym, value: Ref) -> Result<(), Stop> {
        let Some(at) = frame.vars.iter().rposition(|(known, ..)| *known == name) else {
            let name = String::from_utf8_lossy(self.heap.name(name)).into_owned();
            return Err(self.stop_text(frame, format!("undefined variable: {name}")));
        };
        let here = self.heap.here.ctl;
        let value = if frame.vars[at].2 == here { value } else { Ref { value: self.heap.under(value.value, here), ..value } };
        frame.vars[at].1 = value;
        Ok(())
    }

    fn variable(&mut self, frame: &Frame<'_>, name: Sym) -> Result<Ref, Stop> {
        match frame.vars.iter().rfind(|(known, ..)| *known == name) {
            Some((_, value, _)) => Ok(*value),
            None => {
                let name = String::from_utf8_lossy(self.heap.name(name)).into_owned();
                Err(self.stop_text(frame, format!("undefined variable: {name}")))
            }
        }
    }

    fn command<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, cmd: &'t Cmd, last: Option<Ref>) -> Result<Ref, Stop> {
        let first = &cmd.args[0];
        match first {
            Arg::Field(_, names) => {
                frame.at = At::Arg(first);
                return self.chain(frame, dot, dot, first, names, &cmd.args, last);
            }
            Arg::Chain(_, inner, names) => {
                frame.at = At::Arg(first);
                let receiver = self.chained(frame, dot, inner, first)?;
                return self.chain(frame, dot, receiver, first, names, &cmd.args, last);
            }
            Arg::Function(_, name, callee) => {
                frame.at = At::Arg(first);
                return self.function(frame, dot, *name, *callee, At::Cmd(cmd), &cmd.args, last);
            }
            Arg::Pipe(pipe) => {
                self.no_arguments(frame, first, &cmd.args, last)?;
                return super::grown(|| self.pipeline(frame, dot, pipe));
            }
            Arg::Variable(_, name, names) => {
                frame.at = At::Arg(first);
                let value = self.variable(frame, *name)?;
                if names.is_empty() {
                    self.no_arguments(frame, first, &cmd.args, last)?;
                    return Ok(value);
                }
                return self.chain(frame, dot, value, first, names, &cmd.args, last);
            }
            Arg::Dot(_) | Arg::Nil(_) | Arg::Bool(..) | Arg::Number(..) | Arg::Text(..) => {}
        }
        frame.at = At::Arg(first);
        self.no_arguments(frame, first, &cmd.args, last)?;
        match first {
            Arg::Dot(_) => Ok(dot),
            Arg::Nil(_) => Err(self.stop_text(frame, "nil is not a command")),
            _ => self.constant(frame, first),
        }
    }

    fn no_arguments(&mut self, frame: &Frame<'_>, first: &Arg, args: &[Arg], last: Option<Ref>) -> Result<(), Stop> {
        if args.len() > 1 || last.is_some() {
            let shown = self.written(first);
            return Err(self.stop_text(frame, format!("can't give argument to non-function {shown}")));
        }
        Ok(())
    }

    /// A constant where no type is asked for: its syntax decides.
    fn constant(&mut self, frame: &Frame<'_>, arg: &Arg) -> Result<Ref, Stop> {
        let value = match arg {
            Arg::Bool(_, value) => Value::bool(*value),
            Arg::Text(_, _, value) => *value,
            Arg::Number(_, number) => match self.ideal(frame, number)? {
                Some(value) => value,
                None => return Ok(Ref::invalid(O::NONE)),
            },
            _ => {
                let shown = plumb_go::strconv::quote_bytes(self.written(arg).as_bytes());
                return Err(self.stop_text(frame, format!("can't evaluate command {shown}")));
            }
        };
        Ok(Ref::of(self.here(frame, arg, value)))
    }

    /// Gives a constant its place as origin. A text's segments say it already.
    fn here(&mut self, frame: &Frame<'_>, arg: &Arg, value: Value) -> Value {
        if !self.heap.origins.tracing() {
            return value;
        }
        let place = self.at_place(frame, At::Arg(arg));
        let origin = self.heap.origins.add(Origin::At(place));
        value.with(origin)
    }

    /// What a number is where no type is asked for: its syntax decides.
    fn ideal(&mut self, frame: &Frame<'_>, number: &Number) -> Result<Option<Value>, Stop> {
        match *number {
            Number { complex: Some((re, im)), .. } => Ok(Some(self.heap.object(Object::Complex(re, im)))),
            Number { float: Some(float), is_float: true, .. } => Ok(Some(Value::float(float))),
            Number { int: Some(int), .. } => Ok(Some(Value::int(int))),
            Number { uint: Some(_), text, .. } => {
                let text = self.heap.utf8(text).into_owned();
                Err(self.stop_text(frame, format!("{text} overflows int")))
            }
            Number { .. } => Ok(None),
        }
    }

    fn chained<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, inner: &'t Arg, whole: &'t Arg) -> Result<Ref, Stop> {
        if matches!(inner, Arg::Nil(_)) {
            let shown = self.written(whole);
            return Err(self.stop_text(frame, format!("indirection through explicit nil in {shown}")));
        }
        self.operand(frame, dot, inner)
    }

    /// `.a.b.c`, the last one with arguments if it is a method.
    #[expect(clippy::too_many_arguments, reason = "as many as the rule has: environment, receiver, node, names, arguments")]
    fn chain<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: Ref,
        receiver: Ref,
        node: &'t Arg,
        names: &[Sym],
        args: &'t [Arg],
        last: Option<Ref>,
    ) -> Result<Ref, Stop> {
        let mut value = receiver;
        let Some((end, way)) = names.split_last() else { return Ok(value) };
        for name in way {
            value = self.field(frame, dot, value, node, *name, &[], None)?;
        }
        self.field(frame, dot, value, node, *end, args, last)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as the rule has: environment, receiver, node, name, arguments")]
    fn field<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: Ref,
        receiver: Ref,
        node: &'t Arg,
        name: Sym,
        args: &'t [Arg],
        last: Option<Ref>,
    ) -> Result<Ref, Stop> {
        if !receiver.is_valid() {
            if self.options.missing_key == MissingKey::Error {
                let name = plumb_go::strconv::quote_bytes(self.heap.name(name));
                return Err(self.stop_text(frame, format!("nil data; no entry for key {name}")));
            }
            return Ok(Ref::invalid(receiver.value.origin()));
        }
        if receiver.value.is_nil() {
            let name = String::from_utf8_lossy(self.heap.name(name)).into_owned();
            return Err(self.stop_nil(frame, receiver.value.origin(), format!("nil pointer evaluating interface {{}}.{name}")));
        }
        if let Some(method) = self.heap.method(receiver.value, name) {
            return self.call(frame, dot, method, Some(receiver.value), At::Arg(node), args, last);
        }
        let has_args = args.len() > 1 || last.is_some();
        match receiver.value {
            Value::Map(_, id) => {
                if has_args {
                    let name = String::from_utf8_lossy(self.heap.name(name)).into_owned();
                    return Err(self.stop_text(frame, format!("{name} is not a method but has arguments")));
                }
                self.key(frame, receiver.value.origin(), id, name)
            }
            Value::Obj(_, id) => {
                if let Some(value) = self.heap.obj(id).field(name) {
                    if has_args {
                        let name = String::from_utf8_lossy(self.heap.name(name)).into_owned();
                        return Err(self.stop_text(frame, format!("{name} has arguments but cannot be invoked as function")));
                    }
                    return Ok(Ref::of(value));
                }
                self.no_field(frame, receiver, name)
            }
            _ => self.no_field(frame, receiver, name),
        }
    }

    fn no_field(&mut self, frame: &Frame<'_>, receiver: Ref, name: Sym) -> Result<Ref, Stop> {
        let name = String::from_utf8_lossy(self.heap.name(name)).into_owned();
        let ty = if receiver.is == Static::Boxed { "interface {}".to_owned() } else { self.heap.type_name(receiver.value) };
        let about = self.blamed([receiver.value]);
        Err(self.stop_nil(frame, about, format!("can't evaluate field {name} in type {ty}")))
    }

    /// An entry of a map, or what a missing key gives.
    fn key(&mut self, frame: &Frame<'_>, of: O, id: MapId, name: Sym) -> Result<Ref, Stop> {
        if let Some(entry) = self.heap.get(id).get(name) {
            let value = entry.value;
            return Ok(self.map_element(id, value));
        }
        let origin = self.heap.absent(of, id, name);
        match self.options.missing_key {
            MissingKey::Invalid => Ok(Ref::invalid(origin)),
            MissingKey::Zero => Ok(self.zero(id, origin)),
            MissingKey::Error => {
                let name = plumb_go::strconv::quote_bytes(self.heap.name(name));
                Err(self.stop_text(frame, format!("map has no entry for key {name}")))
            }
        }
    }

    /// The zero of a map's values.
    pub(crate) fn zero(&self, id: MapId, origin: O) -> Ref {
        match self.heap.get(id).ty.zero {
            Zero::Nil => Ref::boxed(Value::Nil(origin)),
            Zero::Text => Ref::of(Value::EMPTY.with(origin)),
            Zero::Bytes => Ref::of(Value::Bytes(origin, crate::text::Str::default())),
        }
    }

    /// A value as an element of a map: in an interface, unless the map's values have a type.
    pub(crate) fn map_element(&self, id: MapId, value: Value) -> Ref {
        if self.heap.get(id).ty.zero == Zero::Nil { Ref::boxed(value) } else { Ref::of(value) }
    }

    /// A value as an element of a list.
    pub(crate) fn element(&self, ty: ListType, value: Value) -> Ref {
        if ty == ListType::Any { Ref::boxed(value) } else { Ref::of(value) }
    }

    #[expect(clippy::too_many_arguments, reason = "as many as the rule has: environment, function, node, arguments")]
    fn function<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: Ref,
        name: Sym,
        callee: Callee,
        node: At<'t>,
        args: &'t [Arg],
        last: Option<Ref>,
    ) -> Result<Ref, Stop> {
        match callee {
            Callee::Plain(function) => self.call(frame, dot, function, None, node, args, last),
            Callee::Special(special) => self.special(frame, dot, special, name, node, args, last),
        }
    }

    /// Calls a function or method; `args` begins with the function itself.
    #[expect(clippy::too_many_arguments, reason = "as many as the rule has: environment, function, receiver, node, arguments")]
    pub(crate) fn call<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: Ref,
        function: &'static Function,
        receiver: Option<Value>,
        node: At<'t>,
        args: &'t [Arg],
        last: Option<Ref>,
    ) -> Result<Ref, Stop> {
        let args = args.get(1..).unwrap_or(&[]);
        self.count(frame, function.name, function.params.len(), function.variadic.is_some(), args.len(), last.is_some())?;
        let mut values = Args::new(Value::NIL);
        if let Some(receiver) = receiver {
            values.push(receiver);
        }
        let ty = |nth: usize| function.params.get(nth).copied().or(function.variadic).unwrap_or(Ty::Any);
        for (nth, arg) in args.iter().enumerate() {
            values.push(self.argument(frame, dot, ty(nth), arg)?);
        }
        if let Some(last) = last {
            values.push(self.assignable(frame, last, ty(args.len()))?);
        }
        self.invoke(frame, function, node, values.as_slice()).map(Ref::returned)
    }

    /// Checks how many arguments there are.
    pub(crate) fn count(
        &mut self,
        frame: &Frame<'_>,
        name: &str,
        fixed: usize,
        variadic: bool,
        given: usize,
        last: bool,
    ) -> Result<(), Stop> {
        let all = given + usize::from(last);
        if variadic && all < fixed {
            return Err(self.stop_text(frame, format!("wrong number of args for {name}: want at least {fixed} got {given}")));
        }
        if !variadic && all != fixed {
            return Err(self.stop_text(frame, format!("wrong number of args for {name}: want {fixed} got {all}")));
        }
        Ok(())
    }

    /// Runs a function on arguments of the right types, and settles the origin of what it gives.
    fn invoke<'t>(&mut self, frame: &mut Frame<'t>, function: &'static Function, node: At<'t>, values: &[Value]) -> Result<Value, Stop> {
        self.spend(frame)?;
        if self.heap.origins.tracing() {
            self.heap.here.site = Some(self.at_place(frame, node));
        }
        let key = CallKey { file: &self.file, define: &frame.tree.title, function: function.name };
        let result = (function.run)(&mut Call { heap: &mut self.heap, host: &mut *self.host, key }, values);
        let value = match result {
            Ok(value) => value,
            Err(failure) => {
                frame.at = node;
                let about = self.blamed(values.iter().copied());
                return Err(self.stop_call(frame, function.name, failure).about(about));
            }
        };
        Ok(match function.trace {
            Trace::Exact | Trace::Parts => match value {
                Value::Str(O::NONE, text) => Value::Str(self.heap.decided(values), text),
                other => other,
            },
            Trace::Union | Trace::Coarse => self.united(function, values, value),
        })
    }

    /// Gives a value the union of its arguments' origins.
    fn united(&mut self, function: &'static Function, values: &[Value], value: Value) -> Value {
        let mut all = value.origin();
        for argument in values {
            let of = self.heap.origin(*argument);
            all = self.heap.origins.join(all, of);
        }
        if function.trace == Trace::Coarse {
            self.heap.origins.mark_used(all);
            if let Some(site) = self.heap.here.site {
                all = self.heap.origins.add(Origin::Via { function: function.name, site, of: all });
            }
        }
        value.with(all)
    }

    /// Counts a call or a round; fails when a render takes too many.
    pub(crate) fn spend(&mut self, frame: &Frame<'_>) -> Result<(), Stop> {
        self.steps += 1;
        if self.steps > self.options.limits.steps {
            let steps = self.options.limits.steps;
            return Err(self.stop(frame, crate::func::Failure::limit(format!("a render may take {steps} steps"))));
        }
        // What a function makes of its arguments is small beside them, but there may be many calls.
        self.heap.reserve(0).map_err(|failure| self.stop(frame, failure))
    }

    /// Evaluates an argument for a parameter of a type.
    pub(crate) fn argument<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, ty: Ty, arg: &'t Arg) -> Result<Value, Stop> {
        frame.at = At::Arg(arg);
        match arg {
            Arg::Nil(_) => {
                if ty.can_be_nil() {
                    return Ok(Value::NIL);
                }
                Err(self.stop_text(frame, format!("cannot assign nil to {}", ty.name())))
            }
            Arg::Dot(_) | Arg::Field(..) | Arg::Variable(..) | Arg::Pipe(_) | Arg::Function(..) | Arg::Chain(..) => {
                let value = self.operand(frame, dot, arg)?;
                self.assignable(frame, value, ty)
            }
            Arg::Bool(..) | Arg::Number(..) | Arg::Text(..) => self.typed_constant(frame, ty, arg),
        }
    }

    /// Evaluates an operand without arguments.
    pub(crate) fn operand<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, arg: &'t Arg) -> Result<Ref, Stop> {
        frame.at = match arg {
            Arg::Pipe(pipe) => At::Pipe(pipe),
            other => At::Arg(other),
        };
        match arg {
            Arg::Dot(_) => Ok(dot),
            Arg::Field(_, names) => self.chain(frame, dot, dot, arg, names, &[], None),
            Arg::Variable(_, name, names) => {
                let value = self.variable(frame, *name)?;
                self.chain(frame, dot, value, arg, names, &[], None)
            }
            Arg::Pipe(pipe) => super::grown(|| self.pipeline(frame, dot, pipe)),
            Arg::Function(_, name, callee) => self.function(frame, dot, *name, *callee, At::Arg(arg), &[], None),
            Arg::Chain(_, inner, names) => {
                let receiver = self.chained(frame, dot, inner, arg)?;
                self.chain(frame, dot, receiver, arg, names, &[], None)
            }
            Arg::Nil(_) => Ok(Ref::boxed(Value::NIL)),
            Arg::Bool(..) | Arg::Number(..) | Arg::Text(..) => self.constant(frame, arg),
        }
    }

    /// A constant for a parameter of a type.
    fn typed_constant<'t>(&mut self, frame: &mut Frame<'t>, ty: Ty, arg: &'t Arg) -> Result<Value, Stop> {
        let value = match (ty, arg) {
            (Ty::Any, _) => return self.constant(frame, arg).map(|constant| constant.value),
            (Ty::Bool, Arg::Bool(_, value)) => Value::bool(*value),
            (Ty::Str, Arg::Text(_, _, value)) => *value,
            (Ty::Int, Arg::Number(_, number)) if number.int.is_some() => Value::int(number.int.unwrap_or_default()),
            (Ty::Int64, Arg::Number(_, number)) if number.int.is_some() => Value::int64(number.int.unwrap_or_default()),
            (Ty::Uint32, Arg::Number(_, number)) if number.uint.is_some() => {
                // Go cuts what does not fit.
                Value::Int(O::NONE, crate::value::IntKind::Uint32, i64::from(number.uint.unwrap_or_default() as u32))
            }
            (Ty::Duration, Arg::Number(_, number)) if number.int.is_some() => {
                Value::Int(O::NONE, crate::value::IntKind::Duration, number.int.unwrap_or_default())
            }
            (Ty::Float, Arg::Number(_, number)) if number.float.is_some() => Value::float(number.float.unwrap_or_default()),
            (Ty::Bool | Ty::Str | Ty::Int | Ty::Int64 | Ty::Uint32 | Ty::Duration | Ty::Float, _) => {
                let (expected, found) = (ty.constant_name(), self.written(arg));
                return Err(self.stop_text(frame, format!("expected {expected}; found {found}")));
            }
            _ => {
                let found = self.written(arg);
                return Err(self.stop_text(frame, format!("can't handle {found} for arg of type {}", ty.name())));
            }
        };
        Ok(self.here(frame, arg, value))
    }

    /// Checks that a value can be given to a parameter of a type.
    pub(crate) fn assignable(&mut self, frame: &Frame<'_>, value: Ref, ty: Ty) -> Result<Value, Stop> {
        if ty == Ty::Any {
            return Ok(value.value);
        }
        if !value.is_valid() {
            if ty.can_be_nil() {
                return Ok(value.value);
            }
            return Err(self.stop_nil(frame, value.value.origin(), format!("invalid value; expected {}", ty.name())));
        }
        if self.heap.is_of(value.value, ty) {
            return Ok(value.value);
        }
        let got = if value.value.is_nil() { "interface {}".to_owned() } else { self.heap.type_name(value.value) };
        Err(self.stop_nil(frame, value.value.origin(), format!("wrong type for value; expected {}; got {got}", ty.name())))
    }
}

impl Ref {
    /// What a function returned: nil is a nil interface until the pipeline takes it out.
    pub(crate) fn returned(value: Value) -> Self {
        if value.is_nil() { Self::boxed(value) } else { Self::of(value) }
    }
}
