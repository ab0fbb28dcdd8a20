//! Owns `.Files`: the files of a chart that are neither templates nor values, by name, and what templates ask of them (helm: pkg/engine/files.go).

use plumb_gotemplate::{Call, Failure, Function, Heap, ListType, MAP, MapId, MapType, O, Str, Trace, Ty, Value, Zero, to_yaml};

use crate::chart::File;
use crate::glob;
use crate::sources::{Layer, Naming, at};

/// `engine.files`.
static FILES: MapType = MapType {
    name: "engine.files",
    element: "[]uint8",
    zero: Zero::Bytes,
    methods: &[&GET, &GET_BYTES, &GLOB, &AS_CONFIG, &AS_SECRETS, &LINES],
    is_nil: false,
};

/// Returns `.Files` of a chart.
pub(crate) fn files(heap: &mut Heap, place: &str, files: &[File], naming: &Naming<'_>) -> Value {
    let map = heap.map(&FILES);
    for file in files {
        let place = format!("{place}{}", file.name);
        let id = naming.name(&place, &file.data, Layer::File);
        let (name_origin, origin) = (at(heap, id, 0, 0), at(heap, id, 0, file.data.len()));
        let key = heap.sym(file.name.as_bytes());
        let text = if origin.is_known() { heap.push_linear(&file.data, origin, 0) } else { heap.file(&file.data, O::NONE) };
        heap.get_mut(map).set(key, name_origin, Value::Bytes(origin, text));
    }
    Value::Map(O::NONE, map)
}

fn map_of(value: &Value) -> Option<MapId> {
    match value {
        Value::Map(_, map) => Some(*map),
        _ => None,
    }
}

fn content(c: &Call<'_>, files: &Value, name: &Value) -> (O, Str) {
    let known = map_of(files).and_then(|map| c.heap.get(map).get(c.heap.find_sym(c.bytes(name))?));
    match known.map(|entry| entry.value) {
        Some(Value::Bytes(origin, text)) => (origin, text),
        _ => (O::NONE, Str::default()),
    }
}

const fn method(name: &'static str, params: &'static [Ty], run: fn(&mut Call<'_>, &[Value]) -> Result<Value, Failure>) -> Function {
    Function { name, params, variadic: None, trace: Trace::Exact, run }
}

static GET: Function = method("Get", &[Ty::Str], |c, a| {
    let (origin, text) = content(c, &a[0], &a[1]);
    Ok(Value::Str(origin, text))
});
static GET_BYTES: Function = method("GetBytes", &[Ty::Str], |c, a| {
    let (origin, text) = content(c, &a[0], &a[1]);
    Ok(Value::Bytes(origin, text))
});
static GLOB: Function = method("Glob", &[Ty::Str], |c, a| {
    let pattern = String::from_utf8_lossy(c.bytes(&a[1])).into_owned();
    let out = c.heap.map(&FILES);
    let entries = map_of(&a[0]).map(|map| c.heap.sorted(map)).unwrap_or_default();
    for entry in entries {
        if glob::matches(&pattern, &String::from_utf8_lossy(c.heap.name(entry.key))) {
            c.heap.get_mut(out).set(entry.key, entry.key_origin, entry.value);
        }
    }
    Ok(Value::Map(O::NONE, out))
});
static AS_CONFIG: Function = method("AsConfig", &[], |c, a| flat(c, &a[0], false));
static AS_SECRETS: Function = method("AsSecrets", &[], |c, a| flat(c, &a[0], true));
static LINES: Function = method("Lines", &[Ty::Str], |c, a| {
    let (origin, text) = content(c, &a[0], &a[1]);
    if text.is_empty() {
        return Ok(c.heap.strings(&[], O::NONE));
    }
    let bytes = c.heap.bytes(text);
    let end = bytes.len() - usize::from(bytes.last() == Some(&b'\n'));
    let mut starts = vec![0];
    starts.extend(bytes[..end].iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1));
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([end]);
    let lines: Vec<Str> = starts.iter().zip(ends).map(|(start, end)| text.slice(*start, end)).collect();
    Ok(c.heap.strings(&lines, origin))
});

/// Returns the files as the data of a ConfigMap or Secret: by the last part of their names.
fn flat(c: &mut Call<'_>, files: &Value, encoded: bool) -> Result<Value, Failure> {
    let out = c.heap.map(&MAP);
    let entries = map_of(files).map(|map| c.heap.sorted(map)).unwrap_or_default();
    for entry in entries {
        let Value::Bytes(origin, text) = entry.value else { continue };
        let name = plumb_go::path::base(c.heap.name(entry.key)).to_vec();
        let key = c.heap.sym(&name);
        let text = if encoded {
            let encoded = plumb_go::base64::encode(c.heap.bytes(text));
            c.heap.push(encoded.as_bytes(), origin)
        } else {
            text
        };
        c.heap.get_mut(out).set(key, entry.key_origin, Value::Str(origin, text));
    }
    to_yaml(c, Value::Map(O::NONE, out))
}

/// Returns a list of texts.
pub(crate) fn texts(heap: &mut Heap, texts: &[String], mut origin: impl FnMut(&mut Heap, usize) -> O) -> Value {
    let mut items = Vec::with_capacity(texts.len());
    for (nth, text) in texts.iter().enumerate() {
        let of = origin(heap, nth);
        items.push(Value::Str(of, heap.push(text.as_bytes(), of)));
    }
    heap.list(ListType::Any, &items)
}
