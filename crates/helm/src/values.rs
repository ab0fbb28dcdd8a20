//! Owns values as maps of a render: reading them, layering them over one another, and looking into them
//! (helm: pkg/chart/common/util/coalesce.go, pkg/chart/common/values.go, pkg/chart/v2/loader/load.go).

use plumb_gotemplate::{Heap, MAP, MapId, O, Origin, Sym, Value, print as printed, value_of_yaml};
use plumb_world::{FileId, Span};
use plumb_yaml::{Kind, Options, parse};

use crate::metadata::mismatch;

/// Where `.Values.global` is.
const GLOBAL: &[u8] = b"global";

/// Reads the documents of a values file, later ones over earlier ones; `secret`: so is every value in it. The error is a message.
pub(crate) fn read(heap: &mut Heap, bytes: &[u8], file: Option<FileId>, secret: bool) -> Result<MapId, String> {
    let stream = parse(bytes, &Options::default());
    let mut whole = heap.map(&MAP);
    for document in stream.documents() {
        let document = document.map_err(|errors| {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            format!("cannot unmarshal yaml document: error converting YAML to JSON: {first}")
        })?;
        let root = document.root();
        match root.kind() {
            Kind::Null => continue,
            Kind::Map => {}
            _ => {
                return mismatch(root, "value", "map[string]interface {}")
                    .map_err(|error: String| format!("cannot unmarshal yaml document: {error}"));
            }
        }
        let read = value_of_yaml(heap, root, &mut |heap: &mut Heap, start, end| {
            let origin = match file {
                Some(file) if heap.origins.tracing() => heap.origins.add(Origin::At(Span { file, start, end })),
                _ => O::NONE,
            };
            if secret { origin.secret() } else { origin }
        });
        if let Value::Map(_, map) = read {
            whole = merged(heap, whole, map);
        }
    }
    Ok(whole)
}

/// Reads values.yaml as Helm's linter does: its first document. The error is Go's.
pub(crate) fn read_first(heap: &mut Heap, bytes: &[u8]) -> Result<MapId, String> {
    let stream = parse(bytes, &Options::default());
    let empty = heap.map(&MAP);
    let Some(document) = stream.documents().next() else { return Ok(empty) };
    let told = |errors: &[plumb_yaml::Error]| errors.first().map(ToString::to_string).unwrap_or_default();
    let root = document.map_err(|errors| format!("error converting YAML to JSON: {}", told(errors)))?.root();
    match root.kind() {
        Kind::Null => return Ok(empty),
        Kind::Map => {}
        _ => return mismatch(root, "value", "common.Values"),
    }
    match value_of_yaml(heap, root, &mut |_: &mut Heap, _, _| O::NONE) {
        Value::Map(_, map) => Ok(map),
        _ => Ok(empty),
    }
}

/// Returns a map that has what both have, the second's values over the first's; maps in both are merged (`MergeMaps`).
pub(crate) fn merged(heap: &mut Heap, under: MapId, over: MapId) -> MapId {
    let out = heap.same_entries(under);
    for entry in heap.get(over).entries().to_vec() {
        let value = match (get(heap, out, entry.key), entry.value) {
            (Some(Value::Map(was, below)), Value::Map(origin, above)) => {
                let origin = heap.origins.over(origin, was);
                Value::Map(origin, merged(heap, below, above))
            }
            (Some(below), _) => heap.over(entry.value, below.origin()),
            (None, _) => entry.value,
        };
        heap.get_mut(out).set(entry.key, entry.key_origin, value);
    }
    out
}

/// Returns a copy that shares no map with the original.
pub(crate) fn copied(heap: &mut Heap, map: MapId) -> MapId {
    let out = heap.same_entries(map);
    for at in 0..heap.get(out).len() {
        let value = heap.entry(out, at).value;
        if matches!(value, Value::Map(..) | Value::List(..)) {
            let value = copied_value(heap, value);
            heap.set_entry(out, at, value);
        }
    }
    out
}

fn copied_value(heap: &mut Heap, value: Value) -> Value {
    match value {
        Value::Map(origin, map) => Value::Map(origin, copied(heap, map)),
        Value::List(origin, ty, items) => {
            if !heap.items(items).iter().any(|item| matches!(item, Value::Map(..) | Value::List(..))) {
                // Lists never change: only what is in them may.
                return value;
            }
            let items: Vec<Value> = heap.items(items).to_vec();
            let items: Vec<Value> = items.into_iter().map(|item| copied_value(heap, item)).collect();
            heap.list(ty, &items).with(origin)
        }
        other => other,
    }
}

fn get(heap: &Heap, map: MapId, key: Sym) -> Option<Value> {
    heap.get(map).get(key).map(|entry| entry.value)
}

fn map_at(heap: &Heap, map: MapId, key: Sym) -> Option<MapId> {
    match get(heap, map, key) {
        Some(Value::Map(_, inner)) => Some(inner),
        _ => None,
    }
}

/// Returns the map at a path with dots.
pub(crate) fn table(heap: &Heap, map: MapId, path: &str) -> Option<MapId> {
    path.split('.').try_fold(map, |map, key| map_at(heap, map, heap.find_sym(key.as_bytes())?))
}

/// Returns what is at a path with dots, unless it is a map (`PathValue`).
pub(crate) fn scalar(heap: &Heap, map: MapId, path: &str) -> Option<Value> {
    let (map, key) = match path.rsplit_once('.') {
        Some((before, key)) => (table(heap, map, before)?, key),
        None => (map, path),
    };
    get(heap, map, heap.find_sym(key.as_bytes())?).filter(|value| !matches!(value, Value::Map(..)))
}

/// The part of a chart that layering values needs.
pub(crate) trait Layers {
    /// The chart's name, or its alias.
    fn name(&self) -> &str;
    /// Its own values.
    fn values(&self) -> MapId;
    /// The charts in it.
    fn inner(&self) -> &[Self]
    where
        Self: Sized;
}

/// What becomes of keys that are set to nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// They take away what is below (`CoalesceValues`).
    Erase,
    /// They stay, to take it away later (`MergeValues`).
    Keep,
}

/// Returns values over those of a chart and the charts in it; what does not fit together is told as Helm logs it. The error is Helm's.
pub(crate) fn layered<C: Layers>(heap: &mut Heap, chart: &C, values: MapId, nulls: Nulls, told: &mut Vec<String>) -> Result<MapId, String> {
    let out = copied(heap, values);
    layer(heap, chart, out, nulls, &mut Log { prefix: String::new(), told })?;
    Ok(out)
}

/// What Helm logs of values that do not fit together, and the path of the charts and keys it is at.
pub(crate) struct Log<'t> {
    prefix: String,
    told: &'t mut Vec<String>,
}

impl<'t> Log<'t> {
    pub(crate) fn new(told: &'t mut Vec<String>) -> Self {
        Self { prefix: String::new(), told }
    }

    fn path(&self, key: &[u8]) -> String {
        let key = String::from_utf8_lossy(key);
        if self.prefix.is_empty() { key.into_owned() } else { format!("{}.{key}", self.prefix) }
    }

    /// The same log, further inside.
    fn at(&mut self, key: &[u8]) -> Log<'_> {
        Log { prefix: self.path(key), told: self.told }
    }

    fn say(&mut self, message: impl Into<String>) {
        if self.told.len() < MAX_TOLD {
            self.told.push(message.into());
        }
    }
}

/// Messages on values that do not fit together, of one layering.
const MAX_TOLD: usize = 1000;

fn layer<C: Layers>(heap: &mut Heap, chart: &C, out: MapId, nulls: Nulls, log: &mut Log<'_>) -> Result<(), String> {
    let mut log = log.at(chart.name().as_bytes());
    let log = &mut log;
    own_values(heap, chart, out, nulls, log);
    for inner in chart.inner() {
        let key = heap.sym(inner.name().as_bytes());
        let below = match get(heap, out, key) {
            Some(Value::Map(_, below)) => below,
            // Helm prints the value as a truth, whatever it is.
            Some(Value::Bool(_, truth)) => return Err(format!("type mismatch on {}: {truth}", inner.name())),
            Some(Value::Nil(_)) => return Err(format!("type mismatch on {}: %!t(<nil>)", inner.name())),
            Some(other) => {
                let word = heap.type_name(other);
                return Err(format!("type mismatch on {}: %!t({word}={})", inner.name(), shown(heap, other)));
            }
            None => {
                let below = heap.map(&MAP);
                heap.get_mut(out).set(key, O::NONE, Value::Map(O::NONE, below));
                below
            }
        };
        globals(heap, below, out, log);
        layer(heap, inner, below, nulls, log)?;
    }
    Ok(())
}

/// Sets what a chart's own values.yaml has and nobody above it.
fn own_values<C: Layers>(heap: &mut Heap, chart: &C, out: MapId, nulls: Nulls, log: &mut Log<'_>) {
    let own = copied(heap, chart.values());
    for entry in heap.get(own).entries().to_vec() {
        match get(heap, out, entry.key) {
            None => {
                if nulls == Nulls::Erase {
                    match entry.value {
                        Value::Nil(_) => continue,
                        Value::Map(_, inner) => without_nulls(heap, inner),
                        _ => {}
                    }
                }
                heap.get_mut(out).set(entry.key, entry.key_origin, entry.value);
            }
            Some(Value::Nil(origin)) if nulls == Nulls::Erase => erase(heap, out, entry.key, origin, entry.value),
            Some(Value::Map(origin, above)) => {
                let Value::Map(was, below) = entry.value else {
                    if !matches!(entry.value, Value::Nil(_)) {
                        let path = log.path(heap.name(entry.key));
                        log.say(format!("warning: skipped value for {path}: Not a table."));
                    }
                    continue;
                };
                overrides(heap, out, entry.key, Value::Map(origin, above), Value::Nil(was));
                let is_chart = chart.inner().iter().any(|inner| inner.name().as_bytes() == heap.name(entry.key));
                let nulls = if is_chart { Nulls::Keep } else { nulls };
                if nulls == Nulls::Erase {
                    without_nulls(heap, below);
                }
                let mut log = log.at(heap.name(entry.key));
                under(heap, above, below, nulls, &mut log);
            }
            Some(above) => overrides(heap, out, entry.key, above, entry.value),
        }
    }
}

/// Notes that a value goes over another one.
fn overrides(heap: &mut Heap, map: MapId, key: Sym, above: Value, below: Value) {
    if !heap.origins.tracing() {
        return;
    }
    let key_origin = heap.get(map).get(key).map_or(O::NONE, |entry| entry.key_origin);
    let value = heap.over(above, below.origin());
    heap.get_mut(map).set(key, key_origin, value);
}

/// Takes a key away by a layer that sets it to nothing.
fn erase(heap: &mut Heap, map: MapId, key: Sym, by: O, what: Value) {
    let origin = heap.origins.over(by, what.origin());
    let map = heap.get_mut(map);
    map.remove(key);
    map.erased.push((key, origin));
}

/// Adds to a map what another one has and it has not (`CoalesceTables`, `MergeTables`).
pub(crate) fn under(heap: &mut Heap, above: MapId, below: MapId, nulls: Nulls, log: &mut Log<'_>) {
    let there: Vec<(Sym, Value)> = heap
        .get(below)
        .entries()
        .iter()
        .filter(|entry| !matches!(entry.value, Value::Nil(_)))
        .map(|entry| (entry.key, entry.value))
        .collect();
    let had = |key: Sym| there.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
    for entry in heap.get(above).entries().to_vec() {
        if matches!(entry.value, Value::Nil(_)) {
            heap.get_mut(below).set(entry.key, entry.key_origin, entry.value);
        }
    }
    for entry in heap.get(below).entries().to_vec() {
        match (get(heap, above, entry.key), entry.value) {
            (Some(Value::Nil(origin)), value) if nulls == Nulls::Erase && had(entry.key).is_some() => {
                erase(heap, above, entry.key, origin, had(entry.key).unwrap_or(value));
            }
            (None, value) => heap.get_mut(above).set(entry.key, entry.key_origin, value),
            (Some(value @ Value::Map(_, inner)), Value::Map(was, below)) => {
                overrides(heap, above, entry.key, value, Value::Nil(was));
                let mut log = log.at(heap.name(entry.key));
                under(heap, inner, below, nulls, &mut log);
            }
            (Some(value), below) => {
                match (value, below) {
                    (_, Value::Map(..)) => {
                        let (path, value) = (log.path(heap.name(entry.key)), shown(heap, below));
                        log.say(format!("warning: cannot overwrite table with non table for {path} ({value})"));
                    }
                    (Value::Map(..), below) if !matches!(below, Value::Nil(_)) => {
                        let (path, value) = (log.path(heap.name(entry.key)), shown(heap, below));
                        log.say(format!("warning: destination for {path} is a table. Ignoring non-table value ({value})"));
                    }
                    _ => {}
                }
                overrides(heap, above, entry.key, value, below);
            }
        }
    }
}

fn shown(heap: &mut Heap, value: Value) -> String {
    String::from_utf8_lossy(&printed(heap, value)).into_owned()
}

fn without_nulls(heap: &mut Heap, map: MapId) {
    for entry in heap.get(map).entries().to_vec() {
        match entry.value {
            Value::Nil(origin) => erase(heap, map, entry.key, origin, Value::NIL),
            Value::Map(_, inner) => without_nulls(heap, inner),
            _ => {}
        }
    }
}

/// Gives an inner chart the globals of the one around it, whose values win (`coalesceGlobals`).
fn globals(heap: &mut Heap, to: MapId, from: MapId, log: &mut Log<'_>) {
    let key = heap.sym(GLOBAL);
    let below = match get(heap, to, key) {
        Some(Value::Map(_, below)) => below,
        None => heap.map(&MAP),
        Some(_) => return log.say("warning: skipping globals because destination global is not a table."),
    };
    let above = match get(heap, from, key) {
        Some(Value::Map(_, above)) => above,
        None => heap.map(&MAP),
        Some(_) => return log.say("warning: skipping globals because source global is not a table."),
    };
    for entry in heap.get(above).entries().to_vec() {
        match (entry.value, get(heap, below, entry.key)) {
            (Value::Map(origin, map), known) => {
                let map = heap.same_entries(map);
                match known {
                    None => {}
                    Some(Value::Map(_, known)) => {
                        let mut log = log.at(heap.name(entry.key));
                        under(heap, map, known, Nulls::Keep, &mut log);
                    }
                    Some(_) => {
                        let key = plumb_go::strconv::quote_bytes(heap.name(entry.key));
                        log.say(format!("Conflict: cannot merge map onto non-map for {key}. Skipping."));
                        continue;
                    }
                }
                heap.get_mut(below).set(entry.key, entry.key_origin, Value::Map(origin, map));
            }
            (_, Some(Value::Map(..))) => {
                let key = String::from_utf8_lossy(heap.name(entry.key)).into_owned();
                log.say(format!("key {key} is table. Skipping"));
            }
            (value, known) => {
                let value = known.map_or(value, |known| heap.over(value, known.origin()));
                heap.get_mut(below).set(entry.key, entry.key_origin, value);
            }
        }
    }
    heap.get_mut(to).set(key, O::NONE, Value::Map(O::NONE, below));
}

/// Returns a map at a path with dots inside new ones; `.` is the map itself.
pub(crate) fn at_path(heap: &mut Heap, path: &str, map: MapId) -> MapId {
    if path == "." {
        return map;
    }
    path.rsplit('.').fold(map, |map, key| {
        let around = heap.map(&MAP);
        let key = heap.sym(key.as_bytes());
        heap.get_mut(around).set(key, O::NONE, Value::Map(O::NONE, map));
        around
    })
}
