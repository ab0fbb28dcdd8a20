//! Owns Sprig's defaults, choices and types (defaults.go, reflect.go). What was rejected is joined to what was picked.

use crate::func::{Call, Failure, Function, function};
use crate::heap::Heap;
use crate::origin::O;
use crate::value::Value;

pub(crate) static ALL: &[&Function] = &[
    &HELLO,
    &DEFAULT,
    &EMPTY,
    &COALESCE,
    &ALL_OF,
    &ANY_OF,
    &TERNARY,
    &TYPE_OF,
    &TYPE_IS,
    &TYPE_IS_LIKE,
    &KIND_OF,
    &KIND_IS,
    &DEEP_EQUAL,
    &FAIL,
];

/// Sprig's `empty`: nothing, or the zero of its type.
pub(super) fn empty(heap: &Heap, value: Value) -> bool {
    !heap.truth(value)
}

/// What is picked, with what had to be empty for it.
fn chosen(c: &mut Call<'_>, value: Value, passed: &[Value]) -> Value {
    let mut all = O::NONE;
    for value in passed {
        let origin = c.heap.condition(*value);
        c.heap.origins.mark_used(origin);
        all = c.heap.origins.join(all, origin);
    }
    c.heap.beside(value, all)
}

function!(HELLO, "hello", [], , Exact, |c, _| c.text(b"Hello!"));
function!(DEFAULT, "default", [Any], Any, Parts, |c, a| {
    Ok(match a {
        [_, given, ..] if !empty(c.heap, *given) => {
            let origin = c.heap.condition(*given);
            c.heap.origins.mark_used(origin);
            *given
        }
        [other, given, ..] => chosen(c, *other, &[*given]),
        [other, ..] => *other,
        [] => Value::NIL,
    })
});
function!(EMPTY, "empty", [Any], , Exact, |c, a| {
    let origin = c.heap.condition(a[0]);
    c.heap.origins.mark_used(origin);
    Ok(Value::Bool(origin, empty(c.heap, a[0])))
});
function!(COALESCE, "coalesce", [], Any, Parts, |c, a| {
    for (nth, value) in a.iter().enumerate() {
        if !empty(c.heap, *value) {
            return Ok(chosen(c, *value, &a[..nth]));
        }
    }
    Ok(chosen(c, Value::NIL, a))
});
function!(ALL_OF, "all", [], Any, Union, |c, a| Ok(Value::bool(a.iter().all(|value| !empty(c.heap, *value)))));
function!(ANY_OF, "any", [], Any, Union, |c, a| Ok(Value::bool(a.iter().any(|value| !empty(c.heap, *value)))));
function!(TERNARY, "ternary", [Any, Any, Bool], , Parts, |c, a| {
    let picked = if matches!(a[2], Value::Bool(_, true)) { a[0] } else { a[1] };
    Ok(chosen(c, picked, &a[2..]))
});

function!(TYPE_OF, "typeOf", [Any], , Union, |c, a| {
    let name = c.heap.type_name(a[0]);
    c.text(name.as_bytes())
});
function!(TYPE_IS, "typeIs", [Str, Any], , Union, |c, a| Ok(Value::bool(c.bytes(&a[0]) == c.heap.type_name(a[1]).as_bytes())));
function!(TYPE_IS_LIKE, "typeIsLike", [Str, Any], , Union, |c, a| {
    let name = c.heap.type_name(a[1]);
    let wanted = c.bytes(&a[0]);
    Ok(Value::bool(wanted == name.as_bytes() || name.strip_prefix('*').is_some_and(|name| name.as_bytes() == wanted)))
});
function!(KIND_OF, "kindOf", [Any], , Union, |c, a| {
    let kind = super::lists::kind(c.heap, a[0]);
    c.text(kind.as_bytes())
});
function!(KIND_IS, "kindIs", [Str, Any], , Union, |c, a| Ok(Value::bool(c.bytes(&a[0]) == super::lists::kind(c.heap, a[1]).as_bytes())));
function!(DEEP_EQUAL, "deepEqual", [Any, Any], , Union, |c, a| Ok(Value::bool(super::lists::deep_equal(c.heap, a[0], a[1], 0))));
function!(FAIL, "fail", [Str], , Union, |c, a| Err(Failure::new(c.bytes(&a[0]).to_vec())));
