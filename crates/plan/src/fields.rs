//! Owns `managedFields`: finding entries, reading fieldsV1 as a set of paths, and asking what an entry covers and who owns a path.
//!
//! fieldsV1 nests: `f:` a field, `k:` the item of an associative list by its keys (defaulted ones too), `v:` the member of a set, `i:` a
//! position; `.` says that the item itself is owned. An empty node is a leaf: a scalar, an atomic list or map, or an empty container.

use std::collections::BTreeMap;

use plumb_manifest::{FieldPath, Segment};
use plumb_schema::{List, Node};
use serde_json::{Map, Value};

/// A JSON map: fieldsV1, or an item of a list.
type Fields = Map<String, Value>;

/// How deep fieldsV1 may nest.
pub const MAX_FIELDS_DEPTH: usize = 100;

/// Why fieldsV1 cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldsError {
    /// A node is not a map.
    #[error("fieldsV1 has a node under `{0}` that is not a map")]
    NotAMap(String),
    /// A key has none of the known prefixes.
    #[error("fieldsV1 has the key `{0}`, which is neither `f:`, `k:`, `v:`, `i:` nor `.`")]
    BadKey(String),
    /// It nests deeper than [`MAX_FIELDS_DEPTH`].
    #[error("fieldsV1 nests deeper than {MAX_FIELDS_DEPTH}")]
    TooDeep,
}

/// A set of field paths, as fieldsV1 writes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// Whether the place itself is a member.
    member: bool,
    /// By fieldsV1 key (`f:name`).
    children: BTreeMap<Box<str>, FieldSet>,
}

impl FieldSet {
    /// Reads a fieldsV1 value.
    pub fn parse(fields: &Value) -> Result<Self, FieldsError> {
        let mut set = Self::read(fields, "", 0)?;
        set.member = false;
        Ok(set)
    }

    fn read(fields: &Value, under: &str, depth: usize) -> Result<Self, FieldsError> {
        if depth > MAX_FIELDS_DEPTH {
            return Err(FieldsError::TooDeep);
        }
        let map = fields.as_object().ok_or_else(|| FieldsError::NotAMap(under.to_owned()))?;
        let mut set = Self { member: map.is_empty(), children: BTreeMap::new() };
        for (key, below) in map {
            if key == "." {
                set.member = true;
            } else if matches!(key.as_bytes(), [b'f' | b'k' | b'v' | b'i', b':', ..]) {
                set.children.insert(key.as_str().into(), Self::read(below, key, depth + 1)?);
            } else {
                return Err(FieldsError::BadKey(key.clone()));
            }
        }
        Ok(set)
    }

    /// Writes the set as fieldsV1.
    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.children.is_empty() {
            map.insert(".".to_owned(), Value::Object(Map::new()));
        }
        for (key, below) in &self.children {
            map.insert(key.to_string(), below.to_value());
        }
        Value::Object(map)
    }

    /// Returns whether no path is in it.
    pub fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(Self::is_empty)
    }

    /// Returns whether the path itself is in it.
    pub fn contains(&self, path: &FieldPath) -> bool {
        self.at(&path.0).is_some_and(|node| node.member)
    }

    /// Returns whether the path, or one below it, is in it.
    pub fn touches(&self, path: &FieldPath) -> bool {
        self.at(&path.0).is_some_and(|node| !node.is_empty())
    }

    /// Returns the paths of an object as it is applied, each place that it names a member. `schema` tells how items of lists are told apart;
    /// a list that merges as a whole, as unknown ones do, is a leaf.
    pub(crate) fn of(object: &Value, schema: Node<'_>) -> Self {
        let mut children = BTreeMap::new();
        match (object, schema.list()) {
            (Value::Object(map), _) if !schema.atomic_map() => {
                children.extend(map.iter().map(|(name, value)| (format!("f:{name}").into(), Self::of(value, schema.field(name)))));
            }
            (Value::Array(items), List::Map(keys)) => {
                let value = |item: &Value, key: &plumb_schema::ListKey| item.get(&*key.name).cloned().or_else(|| key.default.clone());
                for item in items {
                    let identity: Fields = keys.iter().filter_map(|key| Some((key.name.to_string(), value(item, key)?))).collect();
                    children.insert(format!("k:{}", Value::Object(identity)).into(), Self::of(item, schema.item()));
                }
            }
            (Value::Array(items), List::Set) => children.extend(items.iter().map(|item| (format!("v:{item}").into(), Self::default()))),
            _ => {}
        }
        Self { member: true, children }
    }

    /// Returns what is below, by fieldsV1 key.
    pub(crate) fn children(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.children.iter().map(|(key, below)| (&**key, below))
    }

    /// Returns what is below a fieldsV1 key.
    pub(crate) fn child(&self, key: &str) -> Option<&Self> {
        self.children.get(key)
    }

    /// Returns whether the place itself is in the set.
    pub(crate) fn is_member(&self) -> bool {
        self.member
    }

    /// Returns whether nothing is below.
    pub(crate) fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }

    fn at(&self, path: &[Segment]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        let found = match first {
            Segment::Key(key) => self.children.get(format!("f:{key}").as_str()),
            Segment::Index(index) => self.children.get(format!("i:{index}").as_str()),
            Segment::Member(value) => self.children.get(format!("v:{value}").as_str()),
            Segment::Item(keys) => self.children.iter().find(|(key, _)| key_matches(key, keys)).map(|(_, node)| node),
        };
        found?.at(rest)
    }

    /// Returns the paths in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut children = self.children.clone();
        for (key, below) in &other.children {
            let merged = children.get(key).map_or_else(|| below.clone(), |mine| mine.union(below));
            children.insert(key.clone(), merged);
        }
        Self { member: self.member || other.member, children }
    }

    /// Returns the paths in this one that are not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut children = BTreeMap::new();
        for (key, below) in &self.children {
            let left = other.children.get(key).map_or_else(|| below.clone(), |theirs| below.difference(theirs));
            if !left.is_empty() {
                children.insert(key.clone(), left);
            }
        }
        Self { member: self.member && !other.member, children }
    }

    /// Returns the paths, parents before what is below them.
    pub fn paths(&self) -> Vec<FieldPath> {
        let mut paths = Vec::new();
        self.collect(&FieldPath::default(), &mut paths);
        paths
    }

    fn collect(&self, at: &FieldPath, paths: &mut Vec<FieldPath>) {
        if self.member {
            paths.push(at.clone());
        }
        for (key, below) in &self.children {
            if let Some(segment) = segment(key) {
                below.collect(&at.child(segment), paths);
            }
        }
    }
}

/// Reads a fieldsV1 key.
pub(crate) fn segment(key: &str) -> Option<Segment> {
    let (prefix, text) = key.split_at_checked(2)?;
    match prefix {
        "f:" => Some(Segment::Key(text.to_owned())),
        "i:" => text.parse().ok().map(Segment::Index),
        "v:" => serde_json::from_str(text).ok().map(Segment::Member),
        "k:" => match serde_json::from_str(text).ok()? {
            Value::Object(keys) => Some(Segment::Item(keys.into_iter().collect())),
            _ => None,
        },
        _ => None,
    }
}

fn key_matches(key: &str, keys: &[(String, Value)]) -> bool {
    match segment(key) {
        Some(Segment::Item(have)) => have.len() == keys.len() && keys.iter().all(|pair| have.contains(pair)),
        _ => false,
    }
}

/// Returns the managedFields entries of a live object.
pub fn entries(live: &Value) -> &[Value] {
    live.get("metadata").and_then(|metadata| metadata.get("managedFields")).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Returns the fieldsV1 of the entry that a manager's own applies keep.
pub fn applied_fields<'a>(live: &'a Value, manager: &str) -> Option<&'a Value> {
    entries(live).iter().find(|entry| is_applied_by(entry, manager)).and_then(|entry| entry.get("fieldsV1"))
}

fn is_applied_by(entry: &Value, manager: &str) -> bool {
    let is = |field: &str, text: &str| entry.get(field).and_then(Value::as_str) == Some(text);
    is("manager", manager) && is("operation", "Apply") && entry.get("subresource").is_none_or(|sub| sub.as_str() == Some(""))
}

/// Returns whether a manager's own applies keep a path: nobody has changed its value since. If it is another one all the same, the server
/// changed it by itself, by admission or because the kind is defined otherwise now; neither is tracked.
pub fn keeps(live: &Value, path: &FieldPath, manager: &str) -> bool {
    applied_fields(live, manager).and_then(Value::as_object).is_some_and(|fields| holds(fields, &path.0))
}

/// Returns the manager, other than ours, that owns a path or something below it: the one that wrote last, where several do.
pub fn owner_of<'a>(live: &'a Value, path: &FieldPath, ours: &str) -> Option<&'a str> {
    let mut best: Option<(&str, &str)> = None;
    for entry in entries(live).iter().filter(|entry| !is_applied_by(entry, ours)) {
        let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
        let owns = entry.get("fieldsV1").and_then(Value::as_object).is_some_and(|fields| holds(fields, &path.0));
        if owns && best.is_none_or(|(time, _)| text("time") >= time) {
            best = Some((text("time"), text("manager")));
        }
    }
    best.map(|(_, manager)| manager)
}

/// Whether a node holds a path: the path is there, or ends below a leaf, as an atomic value is owned as a whole.
fn holds(fields: &Map<String, Value>, path: &[Segment]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    if fields.is_empty() {
        return true;
    }
    let below = match first {
        Segment::Key(key) => fields.get(format!("f:{key}").as_str()),
        Segment::Index(index) => fields.get(format!("i:{index}").as_str()),
        Segment::Member(value) => fields.get(format!("v:{value}").as_str()),
        Segment::Item(keys) => fields.iter().find(|(key, _)| key_matches(key, keys)).map(|(_, below)| below),
    };
    below.and_then(Value::as_object).is_some_and(|below| holds(below, rest))
}

/// Fields that the API server never puts into managedFields.
const UNTRACKED_TOP: [&str; 3] = ["apiVersion", "kind", "status"];
const UNTRACKED_METADATA: [&str; 9] =
    ["clusterName", "creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "selfLink", "uid"];

/// Returns whether an entry's fieldsV1 holds every path of an object that was applied, as [`crate::effective`] gave it: then the
/// object need not be applied again. `schema` is the root of its kind; it tells the defaults of list keys.
pub fn covers(fields: &Value, object: &Value, schema: Node<'_>) -> bool {
    let (Some(fields), Some(object)) = (fields.as_object(), object.as_object()) else { return false };
    let mut key = String::new();
    object.iter().filter(|(name, _)| !UNTRACKED_TOP.contains(&name.as_str())).all(|(name, value)| {
        let below = child(fields, &mut key, name);
        match value {
            Value::Object(metadata) if name == "metadata" => {
                let mut tracked = metadata.iter().filter(|(name, _)| !UNTRACKED_METADATA.contains(&name.as_str())).peekable();
                let metadata_schema = schema.field("metadata");
                tracked.peek().is_none()
                    || below.is_some_and(|below| {
                        tracked.all(|(name, value)| covered(child(below, &mut key, name), value, metadata_schema.field(name), &mut key))
                    })
            }
            value => covered(below, value, schema.field(name), &mut key),
        }
    })
}

fn child<'a>(fields: &'a Map<String, Value>, key: &mut String, name: &str) -> Option<&'a Map<String, Value>> {
    key.clear();
    key.push_str("f:");
    key.push_str(name);
    fields.get(key.as_str()).and_then(Value::as_object)
}

fn covered(fields: Option<&Map<String, Value>>, value: &Value, schema: Node<'_>, key: &mut String) -> bool {
    let Some(fields) = fields else { return false };
    if fields.is_empty() {
        return true;
    }
    match value {
        Value::Object(map) => map.iter().all(|(name, value)| covered(child(fields, key, name), value, schema.field(name), key)),
        Value::Array(items) => {
            let keyed: Vec<(Fields, &Fields)> = fields
                .iter()
                .filter_map(|(key, below)| {
                    let keys: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
                    Some((keys.as_object()?.clone(), below.as_object()?))
                })
                .collect();
            let defaults = if let List::Map(keys) = schema.list() { keys } else { &[] };
            let matches = |item: &Map<String, Value>, keys: &Map<String, Value>| {
                keys.iter().all(|(name, wanted)| match item.get(name) {
                    Some(have) => have == wanted,
                    None => defaults
                        .iter()
                        .find(|key| *key.name == **name)
                        .and_then(|key| key.default.as_ref())
                        .is_none_or(|default| default == wanted),
                })
            };
            items.iter().all(|item| match item {
                Value::Object(map) => keyed.iter().find(|(keys, _)| matches(map, keys)).is_some_and(|(_, below)| {
                    map.iter().all(|(name, value)| covered(child(below, key, name), value, schema.item().field(name), key))
                }),
                scalar => fields.contains_key(format!("v:{scalar}").as_str()),
            })
        }
        _ => true,
    }
}
