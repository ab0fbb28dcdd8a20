//! Owns Sprig's functions on maps (dict.go). Maps are shared, so `set` on one is seen by all who hold it; what is set under a condition says so.

use crate::func::{Call, Failure, Function, function};
use crate::object::MAP;
use crate::origin::O;
use crate::value::{ListType, MapId, Value};

type Given = Result<Value, Failure>;

pub(crate) static ALL: &[&Function] = &[
    &DICT,
    &GET,
    &SET,
    &UNSET,
    &HAS_KEY,
    &PLUCK,
    &KEYS,
    &VALUES,
    &PICK,
    &OMIT,
    &DIG,
    &MERGE,
    &MUST_MERGE,
    &MERGE_OVERWRITE,
    &MUST_MERGE_OVERWRITE,
    &DEEP_COPY,
    &MUST_DEEP_COPY,
];

/// Maps inside maps that `merge` and `deepCopy` follow: a map can hold itself.
const MAX_DEPTH: usize = 512;

fn id(value: &Value) -> Option<MapId> {
    match value {
        Value::Map(_, id) => Some(*id),
        _ => None,
    }
}

/// Interns a text argument.
fn sym(c: &mut Call<'_>, value: &Value) -> crate::Sym {
    let name = c.bytes(value).to_vec();
    c.heap.sym(&name)
}

function!(DICT, "dict", [], Any, Exact, |c, a| {
    c.heap.reserve(a.len() * 32)?;
    let id = c.heap.map(&MAP);
    for pair in a.chunks(2) {
        let (text, own) = c.strval(pair[0])?;
        let name = c.heap.bytes(text).to_vec();
        let key = c.heap.sym(&name);
        let origin = c.heap.origin(Value::Str(own, text));
        let value = pair.get(1).copied().unwrap_or(Value::EMPTY);
        c.heap.get_mut(id).set(key, origin, value);
    }
    Ok(Value::Map(O::NONE, id))
});
function!(GET, "get", [Map, Str], , Parts, |c, a| {
    let Some(map) = id(&a[0]) else { return Ok(Value::EMPTY) };
    let key = sym(c, &a[1]);
    if let Some(entry) = c.heap.get(map).get(key) {
        return Ok(entry.value);
    }
    let origin = c.heap.absent(a[0].origin(), map, key);
    Ok(Value::EMPTY.with(origin))
});
function!(SET, "set", [Map, Str, Any], , Parts, |c, a| {
    let Some(map) = id(&a[0]).filter(|map| !c.heap.get(*map).ty.is_nil) else {
        return Err(Failure::new("assignment to entry in nil map"));
    };
    c.heap.reserve(64)?;
    let key = sym(c, &a[1]);
    let key_origin = c.heap.origin(a[1]);
    let ctl = c.heap.here.ctl;
    let mut value = c.heap.under(a[2], ctl);
    if let Some(before) = c.heap.get(map).get(key).map(|entry| entry.value.origin()) {
        value = c.heap.over(value, before);
    }
    c.heap.get_mut(map).set(key, key_origin, value);
    Ok(a[0])
});
function!(UNSET, "unset", [Map, Str], , Parts, |c, a| {
    if let Some(map) = id(&a[0]) {
        let key = sym(c, &a[1]);
        let by = c.heap.origin(a[1]);
        let ctl = c.heap.here.ctl;
        if let Some(gone) = c.heap.get_mut(map).remove(key)
            && c.heap.origins.tracing()
        {
            let by = c.heap.origins.over(by, gone.value.origin());
            let by = c.heap.under(Value::Nil(by), ctl).origin();
            c.heap.get_mut(map).erased.push((key, by));
        }
    }
    Ok(a[0])
});
function!(HAS_KEY, "hasKey", [Map, Str], , Exact, |c, a| {
    let key = sym(c, &a[1]);
    let by = c.heap.origin(a[1]);
    let Some(map) = id(&a[0]) else { return Ok(Value::Bool(by, false)) };
    let (found, origin) = match c.heap.get(map).get(key) {
        Some(entry) => (true, entry.key_origin),
        None => (false, c.heap.absent(a[0].origin(), map, key)),
    };
    let origin = c.heap.origins.join(origin, by);
    Ok(Value::Bool(origin, found))
});
function!(PLUCK, "pluck", [Str], Map, Exact, |c, a| {
    let key = sym(c, &a[0]);
    let found: Vec<Value> = a[1..].iter().filter_map(|map| Some(c.heap.get(id(map)?).get(key)?.value)).collect();
    let mut origin = c.heap.origin(a[0]);
    for map in &a[1..] {
        let shape = c.heap.shape(*map);
        origin = c.heap.origins.join(origin, shape);
    }
    Ok(c.list(&found)?.with(origin))
});
// Go gives keys and values in no order; the order of the keys is the one that is the same every time.
function!(KEYS, "keys", [], Map, Exact, |c, a| {
    let (mut all, mut origin) = (Vec::new(), O::NONE);
    for map in a.iter().filter_map(id) {
        for entry in c.heap.sorted(map) {
            all.push(Value::Str(entry.key_origin, c.heap.name_str(entry.key)));
        }
    }
    for map in a {
        origin = c.heap.origins.join(origin, map.origin());
    }
    c.heap.reserve(all.len() * 16)?;
    Ok(c.heap.list(ListType::Strings, &all).with(origin))
});
function!(VALUES, "values", [Map], , Exact, |c, a| {
    let all: Vec<Value> = id(&a[0]).map(|map| c.heap.sorted(map)).unwrap_or_default().into_iter().map(|entry| entry.value).collect();
    Ok(c.list(&all)?.with(a[0].origin()))
});

fn chosen(c: &mut Call<'_>, a: &[Value], keep: bool) -> Given {
    let new = c.heap.map(&MAP);
    let names: Vec<crate::Sym> = a[1..].iter().map(|name| sym(c, name)).collect();
    let mut origin = a[0].origin();
    for name in &a[1..] {
        let by = c.heap.origin(*name);
        origin = c.heap.origins.join(origin, by);
    }
    for entry in id(&a[0]).map(|map| c.heap.sorted(map)).unwrap_or_default() {
        if names.contains(&entry.key) == keep {
            c.heap.get_mut(new).set(entry.key, entry.key_origin, entry.value);
        }
    }
    Ok(Value::Map(origin, new))
}

function!(PICK, "pick", [Map], Str, Exact, |c, a| chosen(c, a, true));
function!(OMIT, "omit", [Map], Str, Exact, |c, a| chosen(c, a, false));

function!(DIG, "dig", [], Any, Parts, |c, a| {
    let [keys @ .., default, map] = a else { return Err(Failure::new("dig needs at least three arguments")) };
    if keys.is_empty() {
        return Err(Failure::new("dig needs at least three arguments"));
    }
    let mut at = *map;
    for key in keys {
        let Value::Map(own, map) = at else {
            let ty = if at.is_nil() { "nil".to_owned() } else { c.heap.type_name(at) };
            return Err(Failure::new(format!("interface conversion: interface {{}} is {ty}, not map[string]interface {{}}")));
        };
        if !matches!(key, Value::Str(..)) {
            return Err(Failure::new(format!("interface conversion: interface {{}} is {}, not string", c.heap.type_name(*key))));
        }
        let name = sym(c, key);
        match c.heap.get(map).get(name) {
            Some(entry) => at = entry.value,
            None => {
                let absent = c.heap.absent(own, map, name);
                c.heap.origins.mark_used(absent);
                return Ok(c.heap.beside(*default, absent));
            }
        }
    }
    Ok(at)
});

/// Whether mergo takes a value for empty.
fn empty(c: &Call<'_>, value: Value) -> bool {
    match value {
        Value::Obj(..) => false,
        other => !c.heap.truth(other),
    }
}

/// mergo's `deepMerge` of maps (dario.cat/mergo 1.0.1). What is set shares the source's maps and lists, as in Go.
fn merge_into(c: &mut Call<'_>, into: MapId, from: MapId, overwrite: bool, depth: usize) -> Result<(), Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::limit(format!("maps may be merged {MAX_DEPTH} deep")));
    }
    if into == from {
        return Ok(());
    }
    let entries = c.heap.sorted(from);
    c.heap.reserve(entries.len() * 32)?;
    for entry in entries {
        let before = c.heap.get(into).get(entry.key).map(|entry| entry.value);
        if entry.value.is_nil() {
            if overwrite {
                put(c, into, &entry, before);
            }
            continue;
        }
        if let (Value::Map(_, source), Some(Value::Map(_, target))) = (entry.value, before) {
            merge_into(c, target, source, overwrite, depth + 1)?;
            if !c.heap.get(target).is_empty() && !empty(c, before.unwrap_or(Value::NIL)) {
                continue;
            }
        }
        let full = before.is_some_and(|before| !empty(c, before));
        if full && matches!(entry.value, Value::List(..) | Value::Bytes(..)) {
            if overwrite {
                put(c, into, &entry, before);
            }
            continue;
        }
        if overwrite || !full {
            put(c, into, &entry, before);
        }
    }
    Ok(())
}

fn put(c: &mut Call<'_>, into: MapId, entry: &crate::Entry, before: Option<Value>) {
    let mut value = entry.value;
    if c.heap.origins.tracing() {
        let ctl = c.heap.here.ctl;
        value = c.heap.under(value, ctl);
        if let (Some(before), false) = (before, matches!(value, Value::Map(..))) {
            value = c.heap.over(value, before.origin());
        }
    }
    c.heap.get_mut(into).set(entry.key, entry.key_origin, value);
}

fn merge(c: &mut Call<'_>, a: &[Value], overwrite: bool) -> Given {
    let into = match id(&a[0]) {
        Some(into) => into,
        None => c.heap.map(&MAP),
    };
    for source in a[1..].iter().filter_map(id) {
        merge_into(c, into, source, overwrite, 0)?;
    }
    let origin = a.iter().map(Value::origin).fold(O::NONE, |all, one| c.heap.origins.join(all, one));
    Ok(Value::Map(origin, into))
}

function!(MERGE, "merge", [Map], Map, Parts, |c, a| merge(c, a, false));
function!(MUST_MERGE, "mustMerge", [Map], Map, Parts, |c, a| merge(c, a, false));
function!(MERGE_OVERWRITE, "mergeOverwrite", [Map], Map, Parts, |c, a| merge(c, a, true));
function!(MUST_MERGE_OVERWRITE, "mustMergeOverwrite", [Map], Map, Parts, |c, a| merge(c, a, true));

fn copied(c: &mut Call<'_>, value: Value, depth: usize) -> Given {
    if depth > MAX_DEPTH {
        return Err(Failure::limit(format!("maps may be copied {MAX_DEPTH} deep")));
    }
    Ok(match value {
        Value::Map(own, id) => {
            let ty = c.heap.get(id).ty;
            c.heap.reserve(c.heap.get(id).len() * 32)?;
            let new = c.heap.map(ty);
            for entry in c.heap.sorted(id) {
                let value = copied(c, entry.value, depth + 1)?;
                c.heap.get_mut(new).set(entry.key, entry.key_origin, value);
            }
            let erased = c.heap.get(id).erased.clone();
            c.heap.get_mut(new).erased = erased;
            Value::Map(own, new)
        }
        Value::List(own, ty, items) => {
            let items = c.heap.items(items).to_vec();
            let items = items.into_iter().map(|item| copied(c, item, depth + 1)).collect::<Result<Vec<_>, _>>()?;
            c.heap.reserve(items.len() * 16)?;
            c.heap.list(ty, &items).with(own)
        }
        other => other,
    })
}

/// What `copystructure` does: nothing is no value that it could ask for its type.
fn deep_copy(c: &mut Call<'_>, value: Value) -> Result<Value, Failure> {
    if value.is_nil() {
        return Err(Failure::new("reflect: call of reflect.Value.Type on zero Value"));
    }
    copied(c, value, 0)
}

function!(DEEP_COPY, "deepCopy", [Any], , Exact, |c, a| deep_copy(c, a[0]));
function!(MUST_DEEP_COPY, "mustDeepCopy", [Any], , Exact, |c, a| deep_copy(c, a[0]));
