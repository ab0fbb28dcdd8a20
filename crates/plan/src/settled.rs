//! Owns *settled* and *drift*: the server's answer to an apply at the paths of the manifest, and how a live object differs from it.
//!
//! The paths are those of our own managedFields entry in the answer, so associative lists match by the keys the server itself uses.
//! Both sides are in the server's form, so nothing is normalised.

use plumb_manifest::{FieldPath, Gvk, ObjectKey, Segment};
use plumb_schema::{List, Node, Schema};
use serde_json::{Map, Value};

use crate::fields::{applied_fields, owner_of, segment};
use crate::packed::{Reader, Tag, Writer};
use crate::quantity::same_quantity;
use crate::redact::{is_secret, secret_path};
use crate::{FieldChange, ObjectRules, Redactor};

/// First byte of the packed form.
const FORMAT: u8 = 1;
/// How deep a walk goes.
const MAX_DEPTH: usize = 256;

/// The settled values of one object, packed. A value of a Secret is kept as its keyed hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Settled(Box<[u8]>);

impl std::fmt::Debug for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settled({} bytes)", self.0.len())
    }
}

/// Why there are no settled values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettledError {
    /// The object has no Apply entry of our manager.
    #[error("{key} has no managedFields entry of `{manager}`; apply it again")]
    NoEntry {
        /// The object.
        key: ObjectKey,
        /// Our manager.
        manager: String,
    },
}

impl Settled {
    /// Reads settled values: from the answer to an apply, or after a restart from a live object that stands ([`crate::covers`]).
    ///
    /// `manifest` is what was applied, as [`crate::effective`] gave it. For a kind that is not built in it tells an empty map, which owns
    /// only its being there, from an atomic one; see [`Self::read_with`].
    pub fn read(key: &ObjectKey, manifest: &Value, answer: &Value, manager: &str, redactor: &Redactor) -> Result<Self, SettledError> {
        Self::read_with(&Schema::builtin(), key, manifest, answer, manager, redactor)
    }

    /// Reads settled values as [`Self::read`] does, with the schema of custom resources.
    pub fn read_with(
        schema: &Schema,
        key: &ObjectKey,
        manifest: &Value,
        answer: &Value,
        manager: &str,
        redactor: &Redactor,
    ) -> Result<Self, SettledError> {
        let no_entry = || SettledError::NoEntry { key: key.clone(), manager: manager.to_owned() };
        let fields = applied_fields(answer, manager).and_then(Value::as_object).ok_or_else(no_entry)?;
        let mut packer = Packer { out: Writer(vec![FORMAT]), secret: is_secret(key).then_some(redactor), path: Vec::new() };
        let text = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or_default();
        let gvk = Gvk::new(text("apiVersion"), text("kind"));
        packer.node(fields, Some(answer), Some(manifest), schema.root(&gvk));
        Ok(Self(packer.out.0.into_boxed_slice()))
    }

    /// Takes bytes that [`Self::as_bytes`] gave. Bytes that are not such show no drift and no values.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Returns the packed bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns what was settled, as a partial object.
    pub fn value(&self) -> Value {
        self.reader().and_then(|mut reader| reader.unpack()).flatten().unwrap_or(Value::Null)
    }

    fn reader(&self) -> Option<Reader<'_>> {
        let (format, rest) = self.0.split_first()?;
        (*format == FORMAT).then(|| Reader::new(rest))
    }
}

struct Packer<'a> {
    out: Writer,
    secret: Option<&'a Redactor>,
    path: Vec<&'a str>,
}

impl<'a> Packer<'a> {
    fn node(&mut self, fields: &'a Map<String, Value>, answer: Option<&Value>, manifest: Option<&Value>, schema: Node<'_>) {
        let first = fields.keys().find(|key| *key != ".").map(|key| &key.as_bytes()[..key.len().min(2)]);
        match first {
            Some(b"f:") => self.fields(fields, answer, manifest, schema),
            Some(b"k:") => self.items(fields, answer, manifest, schema),
            Some(b"v:") => self.set(fields, answer),
            _ => self.leaf(answer, manifest, schema),
        }
    }

    fn leaf(&mut self, answer: Option<&Value>, manifest: Option<&Value>, schema: Node<'_>) {
        let secret = self.secret.and_then(|redactor| Some((redactor, secret_path(&self.path)?)));
        match (answer, secret) {
            (None | Some(Value::Null), _) if is_open(manifest, manifest, schema) => self.out.any(),
            (None | Some(Value::Null), _) => self.out.absent(),
            (Some(value), _) if is_open(Some(value), manifest, schema) => self.out.exists(),
            (Some(value), Some((redactor, encoded))) => self.out.secret(redactor.hash_value(value, encoded)),
            (Some(value), None) => self.out.value(value),
        }
    }

    fn fields(&mut self, fields: &'a Map<String, Value>, answer: Option<&Value>, manifest: Option<&Value>, schema: Node<'_>) {
        let children = || fields.iter().filter_map(|(key, below)| Some((key.strip_prefix("f:")?, below.as_object()?)));
        self.out.fields(children().count());
        for (name, below) in children() {
            self.out.text(name);
            self.path.push(name);
            self.node(below, answer.and_then(|value| value.get(name)), manifest.and_then(|value| value.get(name)), schema.field(name));
            self.path.pop();
        }
    }

    fn items(&mut self, fields: &'a Map<String, Value>, answer: Option<&Value>, manifest: Option<&Value>, schema: Node<'_>) {
        let children: Vec<_> = fields.iter().filter_map(|(key, below)| Some((key, item_keys(key)?, below.as_object()?))).collect();
        self.out.items(children.len());
        for (name, keys, below) in children {
            self.out.number(keys.len() as u64);
            for (key, value) in &keys {
                self.out.text(key);
                self.out.value(value);
            }
            let find = |list: Option<&'_ Value>, lenient| {
                list.and_then(Value::as_array).and_then(|items| items.iter().find(|item| has_keys(item, &keys, lenient))).cloned()
            };
            self.path.push(name);
            let item = find(answer, false);
            let wanted = find(manifest, false).or_else(|| find(manifest, true));
            self.node(below, item.as_ref(), wanted.as_ref(), schema.item());
            self.path.pop();
        }
    }

    fn set(&mut self, fields: &Map<String, Value>, answer: Option<&Value>) {
        let members = answer.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let owned: Vec<Value> = fields
            .keys()
            .filter_map(|key| match segment(key)? {
                Segment::Member(value) => members.contains(&value).then_some(value),
                _ => None,
            })
            .collect();
        self.out.set(owned.len());
        owned.iter().for_each(|value| self.out.value(value));
    }
}

/// Whether a leaf owns only that something is there, as an empty map does that others may put fields into. The schema tells it from
/// an atomic one; without a schema, that the manifest wrote it empty.
fn is_open(value: Option<&Value>, manifest: Option<&Value>, schema: Node<'_>) -> bool {
    let written_empty = match manifest {
        None | Some(Value::Null) => true,
        Some(Value::Object(map)) => map.is_empty(),
        Some(_) => false,
    };
    match value {
        Some(Value::Object(_)) if schema.is_known() => !schema.atomic_map(),
        Some(Value::Object(_)) => written_empty,
        Some(Value::Array(_)) => schema.list() != List::Atomic,
        None | Some(Value::Null) => written_empty,
        Some(_) => false,
    }
}

fn item_keys(key: &str) -> Option<Vec<(String, Value)>> {
    match segment(key)? {
        Segment::Item(keys) => Some(keys),
        _ => None,
    }
}

/// Leniently, an item that lacks a key has it: the server fills in the default.
fn has_keys(item: &Value, keys: &[(String, Value)], lenient: bool) -> bool {
    keys.iter().all(|(name, wanted)| match item.get(name) {
        Some(have) => have == wanted,
        None => lenient,
    })
}

/// Returns each field of a live object that is not as settled, unless a rule yields it, with who owns the live value. Values of Secrets
/// are placeholders.
///
/// `live` has its managedFields. An object that lost our entry altogether has drifted too: the next apply could not drop a field.
pub fn drift(
    key: &ObjectKey,
    settled: &Settled,
    live: &Value,
    manager: &str,
    rules: &ObjectRules,
    redactor: &Redactor,
) -> Vec<FieldChange> {
    let found = differences(settled, live, Against::Live, is_secret(key).then_some(redactor));
    let mut changes: Vec<FieldChange> =
        found.into_iter().filter(|found| !rules.yields(&found.change.path, &found.positions)).map(|found| found.change).collect();
    for change in &mut changes {
        change.manager = change.new.as_ref().and_then(|_| owner_of(live, &change.path, manager)).map(str::to_owned);
    }
    if applied_fields(live, manager).is_none() {
        let entry = Segment::Item(vec![("manager".to_owned(), Value::from(manager))]);
        let path = FieldPath(vec![Segment::Key("metadata".to_owned()), Segment::Key("managedFields".to_owned()), entry]);
        changes.push(FieldChange { path, old: Some(Value::from("Apply")), new: None, manager: None });
    }
    changes
}

/// Returns each field that the server settled otherwise than the manifest says: `old` is the manifest's value, `new` the settled one.
/// Equal quantities in another spelling are not a change. To be said once.
pub fn admission_changes(key: &ObjectKey, manifest: &Value, settled: &Settled, redactor: &Redactor) -> Vec<FieldChange> {
    let found = differences(settled, manifest, Against::Manifest, is_secret(key).then_some(redactor));
    let swap = |change: FieldChange| FieldChange { path: change.path, old: change.new, new: change.old, manager: None };
    found.into_iter().map(|found| swap(found.change)).collect()
}

/// What settled values are compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Against {
    Live,
    /// May lack what the server filled in: list keys, stamps, and fields it set from nothing.
    Manifest,
}

struct Found {
    change: FieldChange,
    /// For each step of the path, the position in the list it steps into.
    positions: Vec<usize>,
}

fn differences(settled: &Settled, other: &Value, against: Against, secret: Option<&Redactor>) -> Vec<Found> {
    let mut walk = Walk { against, secret, path: Vec::new(), found: Vec::new() };
    if let Some(mut reader) = settled.reader() {
        // Bytes that are not ours end the walk early; what was found so far is true.
        let _ = walk.node(&mut reader, Some(other));
    }
    walk.found
}

/// A step of the walk: cheap, as paths are needed only where something differs.
#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Item(Reader<'a>, usize),
}

struct Walk<'a> {
    against: Against,
    secret: Option<&'a Redactor>,
    path: Vec<Step<'a>>,
    found: Vec<Found>,
}

impl<'a> Walk<'a> {
    fn node(&mut self, reader: &mut Reader<'a>, other: Option<&Value>) -> Option<()> {
        if self.path.len() > MAX_DEPTH {
            return None;
        }
        let start = *reader;
        let other = other.filter(|value| !value.is_null());
        match (reader.tag()?, other) {
            (Tag::Exact, Some(value)) => {
                if !reader.equals(value)? {
                    self.exact_differs(start, value)?;
                }
            }
            (Tag::Fields(count), Some(Value::Object(map))) => {
                for _ in 0..count {
                    let name = reader.text()?;
                    self.path.push(Step::Field(name));
                    self.node(reader, map.get(name))?;
                    self.path.pop();
                }
            }
            (Tag::Fields(count), None) => {
                for _ in 0..count {
                    let name = reader.text()?;
                    self.path.push(Step::Field(name));
                    self.node(reader, None)?;
                    self.path.pop();
                }
            }
            (Tag::Items(count), Some(Value::Array(items))) => self.items(reader, count, items)?,
            (Tag::Set(count), Some(Value::Array(items))) => {
                for _ in 0..count {
                    let member = reader.exact()?;
                    if !items.contains(&member) {
                        let path = self.field_path()?.child(Segment::Member(member.clone()));
                        self.report(path, Some(member), None);
                    }
                }
            }
            (Tag::Exists, Some(Value::Object(_) | Value::Array(_))) | (Tag::Absent, None) | (Tag::Any, _) => {}
            (Tag::Exists, None) => {
                if self.against == Against::Live {
                    self.differs(Some(Value::Object(Map::new())), None)?;
                }
            }
            (Tag::Absent, Some(value)) => {
                if self.against == Against::Live {
                    let value = value.clone();
                    self.differs(None, Some(value))?;
                }
            }
            (Tag::Secret(hash), other) => self.secret(hash, other)?,
            (_, other) => {
                *reader = start;
                let old = reader.unpack()?;
                let nothing_owned = old.is_none() || matches!(&old, Some(Value::Array(list)) if list.is_empty());
                if other.is_some() || self.against == Against::Live && !nothing_owned {
                    let other = other.cloned();
                    self.differs(old, other)?;
                }
            }
        }
        Some(())
    }

    fn exact_differs(&mut self, mut start: Reader<'a>, value: &Value) -> Option<()> {
        let old = start.exact()?;
        if self.against == Against::Manifest && same_quantity(&old, value) {
            return Some(());
        }
        self.differs(Some(old), Some(value.clone()))
    }

    fn items(&mut self, reader: &mut Reader<'a>, count: usize, items: &[Value]) -> Option<()> {
        let mut hint = 0;
        for _ in 0..count {
            let keys = *reader;
            reader.keys(|_, _| Some(()))?;
            let found = find_item(keys, items, hint, false).or_else(|| match self.against {
                Against::Manifest => find_item(keys, items, hint, true),
                Against::Live => None,
            });
            self.path.push(Step::Item(keys, found.unwrap_or(hint)));
            match found {
                Some(at) => {
                    hint = at + 1;
                    self.node(reader, items.get(at))?;
                }
                None => {
                    let old = reader.unpack()?;
                    if self.against == Against::Live {
                        self.differs(old, None)?;
                    }
                }
            }
            self.path.pop();
        }
        Some(())
    }

    fn secret(&mut self, hash: [u8; 16], value: Option<&Value>) -> Option<()> {
        let names: Vec<&str> = self.path.iter().map(|step| if let Step::Field(name) = step { name } else { "" }).collect();
        let encoded = secret_path(&names).unwrap_or_default();
        let now = value.and_then(|value| Some(self.secret?.hash_value(value, encoded)));
        if now != Some(hash) && (now.is_some() || self.against == Against::Live) {
            let shown = |hash| Value::String(crate::redact::show(hash));
            let (old, new) = (shown(&hash), now.as_ref().map(shown));
            let path = self.field_path()?;
            self.report(path, Some(old), new);
        }
        Some(())
    }

    /// Reports a difference. What of a Secret is not a single value (its whole `data` gone or replaced) is shown as one placeholder.
    fn differs(&mut self, old: Option<Value>, new: Option<Value>) -> Option<()> {
        let path = self.field_path()?;
        let names: Vec<&str> = self.path.iter().map(|step| if let Step::Field(name) = step { name } else { "" }).collect();
        let shown = |value: Option<Value>| match (value, self.secret) {
            (Some(value), Some(redactor)) if secret_path(&names).is_some() => {
                Some(Value::String(redactor.placeholder(value.to_string().as_bytes())))
            }
            (value, _) => value,
        };
        let (old, new) = (shown(old), shown(new));
        self.report(path, old, new);
        Some(())
    }

    fn report(&mut self, path: FieldPath, old: Option<Value>, new: Option<Value>) {
        let positions = self.path.iter().map(|step| if let Step::Item(_, at) = step { *at } else { 0 }).collect();
        self.found.push(Found { change: FieldChange { path, old, new, manager: None }, positions });
    }

    fn field_path(&self) -> Option<FieldPath> {
        let mut path = FieldPath::default();
        for step in &self.path {
            path.0.push(match step {
                Step::Field(name) => Segment::Key((*name).to_owned()),
                Step::Item(keys, _) => {
                    let mut pairs = Vec::new();
                    let mut reader = *keys;
                    reader.keys(|name, mut value| {
                        pairs.push((name.to_owned(), value.exact()?));
                        Some(())
                    })?;
                    Segment::Item(pairs)
                }
            });
        }
        Some(path)
    }
}

/// Finds the item with the packed keys; looks first where the next one is expected.
fn find_item(keys: Reader<'_>, items: &[Value], hint: usize, lenient: bool) -> Option<usize> {
    let matches = |item: &Value| {
        let mut equal = true;
        let mut reader = keys;
        let read = reader.keys(|name, mut value| {
            equal &= match item.get(name) {
                Some(have) => value.equals(have)?,
                None => lenient,
            };
            Some(())
        });
        read.is_some() && equal
    };
    if items.get(hint).is_some_and(matches) {
        return Some(hint);
    }
    items.iter().position(matches)
}
