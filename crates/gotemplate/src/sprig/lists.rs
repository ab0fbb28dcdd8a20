//! Owns Sprig's functions on lists (list.go). Elements keep their origins; what was tested to pick them is joined in.

use crate::func::{Call, Failure, Function, function};
use crate::heap::Heap;
use crate::object::Object;
use crate::origin::O;
use crate::value::{Items, ListType, Value};

type Given = Result<Value, Failure>;

pub(crate) static ALL: &[&Function] = &[
    &LIST,
    &TUPLE,
    &APPEND,
    &PUSH,
    &MUST_APPEND,
    &MUST_PUSH,
    &PREPEND,
    &MUST_PREPEND,
    &FIRST,
    &MUST_FIRST,
    &LAST,
    &MUST_LAST,
    &REST,
    &MUST_REST,
    &INITIAL,
    &MUST_INITIAL,
    &REVERSE,
    &MUST_REVERSE,
    &UNIQ,
    &MUST_UNIQ,
    &WITHOUT,
    &MUST_WITHOUT,
    &HAS,
    &MUST_HAS,
    &SLICE,
    &MUST_SLICE,
    &CONCAT,
    &COMPACT,
    &MUST_COMPACT,
    &CHUNK,
    &MUST_CHUNK,
    &UNTIL,
    &UNTIL_STEP,
    &SEQ,
];

/// Go's name of a value's kind.
pub(super) fn kind(heap: &Heap, value: Value) -> &'static str {
    match value {
        Value::Nil(_) => "invalid",
        Value::Bool(..) => "bool",
        Value::Int(_, kind, _) => match kind {
            crate::IntKind::Int | crate::IntKind::Month | crate::IntKind::Weekday => "int",
            crate::IntKind::Duration => "int64",
            other => other.type_name(),
        },
        Value::Float(..) => "float64",
        Value::Str(..) => "string",
        Value::Bytes(..) | Value::List(..) => "slice",
        Value::Map(..) => "map",
        Value::Obj(_, id) => match heap.obj(id) {
            Object::Complex(..) => "complex128",
            Object::Version(_) | Object::Error(_) => "ptr",
            Object::Time(_) | Object::Struct(_) => "struct",
        },
    }
}

/// Returns a list's items, or the error of a function that wants a list.
fn wanted(c: &mut Call<'_>, value: &Value, message: impl FnOnce(&str) -> String) -> Result<Vec<Value>, Failure> {
    if value.is_nil() {
        return Err(Failure::new("runtime error: invalid memory address or nil pointer dereference"));
    }
    match c.items(value) {
        Some(items) => Ok(items),
        None => Err(Failure::new(message(kind(c.heap, *value)))),
    }
}

fn listed(c: &mut Call<'_>, of: &Value, items: &[Value]) -> Given {
    Ok(c.list(items)?.with(of.origin()))
}

function!(LIST, "list", [], Any, Exact, |c, a| c.list(a));
function!(TUPLE, "tuple", [], Any, Exact, |c, a| c.list(a));

fn append(c: &mut Call<'_>, a: &[Value]) -> Given {
    let mut items = wanted(c, &a[0], |kind| format!("Cannot push on type {kind}"))?;
    items.push(a[1]);
    listed(c, &a[0], &items)
}

function!(APPEND, "append", [Any, Any], , Exact, append);
function!(PUSH, "push", [Any, Any], , Exact, append);
function!(MUST_APPEND, "mustAppend", [Any, Any], , Exact, append);
function!(MUST_PUSH, "mustPush", [Any, Any], , Exact, append);

fn prepend(c: &mut Call<'_>, a: &[Value]) -> Given {
    let mut items = wanted(c, &a[0], |kind| format!("Cannot prepend on type {kind}"))?;
    items.insert(0, a[1]);
    listed(c, &a[0], &items)
}

function!(PREPEND, "prepend", [Any, Any], , Exact, prepend);
function!(MUST_PREPEND, "mustPrepend", [Any, Any], , Exact, prepend);

fn picked(c: &mut Call<'_>, a: &[Value], word: &str, pick: fn(&[Value]) -> Option<&Value>) -> Given {
    let items = wanted(c, &a[0], |kind| format!("Cannot find {word} on type {kind}"))?;
    Ok(pick(&items).copied().unwrap_or(Value::Nil(a[0].origin())))
}

function!(FIRST, "first", [Any], , Parts, |c, a| picked(c, a, "first", <[Value]>::first));
function!(MUST_FIRST, "mustFirst", [Any], , Parts, |c, a| picked(c, a, "first", <[Value]>::first));
function!(LAST, "last", [Any], , Parts, |c, a| picked(c, a, "last", <[Value]>::last));
function!(MUST_LAST, "mustLast", [Any], , Parts, |c, a| picked(c, a, "last", <[Value]>::last));

fn part(c: &mut Call<'_>, a: &[Value], word: &str, cut: fn(&[Value]) -> &[Value]) -> Given {
    let items = wanted(c, &a[0], |kind| format!("Cannot find {word} on type {kind}"))?;
    listed(c, &a[0], cut(&items))
}

fn rest(items: &[Value]) -> &[Value] {
    items.get(1..).unwrap_or(&[])
}

fn initial(items: &[Value]) -> &[Value] {
    &items[..items.len().saturating_sub(1)]
}

function!(REST, "rest", [Any], , Exact, |c, a| part(c, a, "rest", rest));
function!(MUST_REST, "mustRest", [Any], , Exact, |c, a| part(c, a, "rest", rest));
function!(INITIAL, "initial", [Any], , Exact, |c, a| part(c, a, "initial", initial));
function!(MUST_INITIAL, "mustInitial", [Any], , Exact, |c, a| part(c, a, "initial", initial));

fn reverse(c: &mut Call<'_>, a: &[Value]) -> Given {
    let mut items = wanted(c, &a[0], |kind| format!("Cannot find reverse on type {kind}"))?;
    items.reverse();
    listed(c, &a[0], &items)
}

function!(REVERSE, "reverse", [Any], , Exact, reverse);
function!(MUST_REVERSE, "mustReverse", [Any], , Exact, reverse);

/// Returns whether two values are equal as `reflect.DeepEqual` tells: types count.
pub(super) fn deep_equal(heap: &Heap, one: Value, other: Value, depth: usize) -> bool {
    // What holds itself is taken for equal once that deep.
    const DEPTH: usize = 256;
    if depth > DEPTH {
        return true;
    }
    match (one, other) {
        (Value::Nil(_), Value::Nil(_)) => true,
        (Value::Bool(_, a), Value::Bool(_, b)) => a == b,
        (Value::Int(_, kind, a), Value::Int(_, other, b)) => kind == other && a == b,
        (Value::Float(_, a), Value::Float(_, b)) => a == b,
        (Value::Str(_, a), Value::Str(_, b)) | (Value::Bytes(_, a), Value::Bytes(_, b)) => heap.bytes(a) == heap.bytes(b),
        (Value::List(_, ty, a), Value::List(_, other, b)) => {
            let (a, b) = (heap.items(a), heap.items(b));
            ty == other && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| deep_equal(heap, *a, *b, depth + 1))
        }
        (Value::Map(_, a), Value::Map(_, b)) => {
            let (a, b) = (heap.get(a), heap.get(b));
            std::ptr::eq(a.ty, b.ty)
                && a.len() == b.len()
                && a.entries()
                    .iter()
                    .all(|entry| b.get(entry.key).is_some_and(|found| deep_equal(heap, entry.value, found.value, depth + 1)))
        }
        (Value::Obj(_, a), Value::Obj(_, b)) => {
            a == b
                || match (heap.obj(a), heap.obj(b)) {
                    (Object::Time(a), Object::Time(b)) => a == b,
                    (Object::Version(a), Object::Version(b)) => a == b,
                    (Object::Error(a), Object::Error(b)) => heap.bytes(*a) == heap.bytes(*b),
                    (Object::Complex(a, b), Object::Complex(c, d)) => (a, b) == (c, d),
                    _ => false,
                }
        }
        _ => false,
    }
}

fn holds(heap: &Heap, items: &[Value], wanted: Value) -> bool {
    items.iter().any(|item| deep_equal(heap, wanted, *item, 0))
}

fn uniq(c: &mut Call<'_>, a: &[Value]) -> Given {
    let items = wanted(c, &a[0], |kind| format!("Cannot find uniq on type {kind}"))?;
    let mut once: Vec<Value> = Vec::new();
    for item in items {
        if !holds(c.heap, &once, item) {
            once.push(item);
        }
    }
    listed(c, &a[0], &once)
}

function!(UNIQ, "uniq", [Any], , Exact, uniq);
function!(MUST_UNIQ, "mustUniq", [Any], , Exact, uniq);

/// What was tested to pick elements decides which are there.
fn decided(c: &mut Call<'_>, of: &Value, by: &[Value]) -> O {
    let mut all = of.origin();
    for value in by {
        let origin = c.heap.origin(*value);
        c.heap.origins.mark_used(origin);
        all = c.heap.origins.join(all, origin);
    }
    all
}

fn without(c: &mut Call<'_>, a: &[Value]) -> Given {
    let items = wanted(c, &a[0], |kind| format!("Cannot find without on type {kind}"))?;
    let left: Vec<Value> = items.into_iter().filter(|item| !holds(c.heap, &a[1..], *item)).collect();
    let origin = decided(c, &a[0], a);
    Ok(c.list(&left)?.with(origin))
}

function!(WITHOUT, "without", [Any], Any, Exact, without);
function!(MUST_WITHOUT, "mustWithout", [Any], Any, Exact, without);

fn has(c: &mut Call<'_>, a: &[Value]) -> Given {
    if a[1].is_nil() {
        return Ok(Value::bool(false));
    }
    let items = wanted(c, &a[1], |kind| format!("Cannot find has on type {kind}"))?;
    Ok(Value::bool(holds(c.heap, &items, a[0])))
}

function!(HAS, "has", [Any, Any], , Union, has);
function!(MUST_HAS, "mustHas", [Any, Any], , Union, has);

fn slice(c: &mut Call<'_>, a: &[Value]) -> Given {
    let items = wanted(c, &a[0], |kind| format!("list should be type of slice or array but {kind}"))?;
    if items.is_empty() {
        return Ok(Value::Nil(a[0].origin()));
    }
    let start = a.get(1).map_or(0, |start| super::math::to_int(c, *start));
    let end = a.get(2).map_or(items.len() as i64, |end| super::math::to_int(c, *end));
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        return Err(Failure::new("reflect.Value.Slice: slice index out of bounds"));
    };
    if from > to || to > items.len() {
        return Err(Failure::new("reflect.Value.Slice: slice index out of bounds"));
    }
    Ok(match a[0] {
        Value::List(own, ty, whole) => Value::List(own, ty, Items { at: whole.at + from as u32, len: (to - from) as u32 }),
        Value::Bytes(own, text) => Value::Bytes(own, text.slice(from, to)),
        other => other,
    })
}

function!(SLICE, "slice", [Any], Any, Exact, slice);
function!(MUST_SLICE, "mustSlice", [Any], Any, Exact, slice);

function!(CONCAT, "concat", [], Any, Exact, |c, a| {
    let (mut all, mut origin) = (Vec::new(), O::NONE);
    for value in a {
        all.extend(wanted(c, value, |kind| format!("Cannot concat type {kind} as list"))?);
        origin = c.heap.origins.join(origin, value.origin());
    }
    Ok(c.list(&all)?.with(origin))
});

fn compact(c: &mut Call<'_>, a: &[Value]) -> Given {
    let items = wanted(c, &a[0], |kind| format!("Cannot compact on type {kind}"))?;
    let full: Vec<Value> = items.into_iter().filter(|item| !super::flow::empty(c.heap, *item)).collect();
    let origin = decided(c, &a[0], &a[..1]);
    Ok(c.list(&full)?.with(origin))
}

function!(COMPACT, "compact", [Any], , Exact, compact);
function!(MUST_COMPACT, "mustCompact", [Any], , Exact, compact);

fn chunk(c: &mut Call<'_>, a: &[Value]) -> Given {
    let items = wanted(c, &a[1], |kind| format!("Cannot chunk type {kind}"))?;
    let Ok(size) = usize::try_from(c.int(&a[0])) else { return Err(Failure::new("runtime error: makeslice: len out of range")) };
    if size == 0 {
        return Err(Failure::new("runtime error: makeslice: len out of range"));
    }
    let mut chunks = Vec::new();
    for part in items.chunks(size) {
        chunks.push(c.list(part)?);
    }
    listed(c, &a[1], &chunks)
}

function!(CHUNK, "chunk", [Int, Any], , Exact, chunk);
function!(MUST_CHUNK, "mustChunk", [Int, Any], , Exact, chunk);

/// `untilStep`: numbers from a start to before a stop.
fn numbers(c: &mut Call<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Failure> {
    let count = match (stop < start, step) {
        (true, step) if step < 0 => (start - stop + (-step) - 1) / -step,
        (false, step) if step > 0 => (stop - start + step - 1) / step,
        _ => 0,
    };
    c.heap.reserve((count.max(0) as usize).saturating_mul(32))?;
    Ok((0..count).map(|nth| start + nth * step).collect())
}

fn ints(c: &mut Call<'_>, numbers: &[i64]) -> Value {
    let items: Vec<Value> = numbers.iter().map(|number| Value::int(*number)).collect();
    c.heap.list(ListType::Ints, &items)
}

function!(UNTIL, "until", [Int], , Union, |c, a| {
    let count = c.int(&a[0]);
    let all = numbers(c, 0, count, if count < 0 { -1 } else { 1 })?;
    Ok(ints(c, &all))
});
function!(UNTIL_STEP, "untilStep", [Int, Int, Int], , Union, |c, a| {
    let all = numbers(c, c.int(&a[0]), c.int(&a[1]), c.int(&a[2]))?;
    Ok(ints(c, &all))
});
function!(SEQ, "seq", [], Int, Union, |c, a| {
    let given: Vec<i64> = a.iter().map(|value| c.int(value)).collect();
    let sign = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let all = match given.as_slice() {
        [end] => numbers(c, 1, end + sign(1, *end), sign(1, *end))?,
        [start, end] => numbers(c, *start, end + sign(*start, *end), sign(*start, *end))?,
        [start, step, end] if *end < *start && *step > 0 => {
            let _ = start;
            Vec::new()
        }
        [start, step, end] => numbers(c, *start, end + sign(*start, *end), *step)?,
        _ => Vec::new(),
    };
    let text: Vec<String> = all.iter().map(ToString::to_string).collect();
    c.text(text.join(" ").as_bytes())
});
