//! Owns what has been read of a TOML document: tables in the making, and the rules about what may be defined again (parse.go).

use std::collections::{BTreeMap, BTreeSet};

use super::key_text;
use crate::heap::Heap;
use crate::object::MAP;
use crate::origin::O;
use crate::value::{ListType, Value};

/// A value in the making.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Leaf(Value),
    Array(Vec<Data>),
    Table(Table),
    Tables(Vec<Table>),
}

/// A table: keys with their origins.
pub(super) type Table = BTreeMap<Vec<u8>, (O, Data)>;

/// A key of several parts.
pub(super) type Key = [(Vec<u8>, O)];

/// All tables of a document.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) root: Table,
    /// Keys that were made on the way to others.
    implicit: BTreeSet<Vec<u8>>,
    /// Keys whose value is an array.
    arrays: BTreeSet<Vec<u8>>,
}

/// Returns a key as messages show it.
pub(super) fn key_name(key: &Key) -> Vec<u8> {
    let mut name = Vec::new();
    for (nth, (part, _)) in key.iter().enumerate() {
        if nth > 0 {
            name.push(b'.');
        }
        key_text(part, &mut name);
    }
    name
}

fn message(before: &str, key: &Key, after: &str) -> Vec<u8> {
    [before.as_bytes(), &key_name(key), after.as_bytes()].concat()
}

/// Goes into a table, or the last of an array of them.
fn inside(data: &mut Data) -> Option<&mut Table> {
    match data {
        Data::Table(table) => Some(table),
        Data::Tables(tables) => tables.last_mut(),
        Data::Leaf(_) | Data::Array(_) => None,
    }
}

impl Tables {
    /// Marks a key as made on the way.
    pub(super) fn add_implicit(&mut self, key: &Key) {
        self.implicit.insert(key_name(key));
    }

    /// Notes whether a key's value is an array.
    pub(super) fn set_array(&mut self, key: &Key, array: bool) {
        let name = key_name(key);
        if array {
            self.arrays.insert(name);
        } else {
            self.arrays.remove(&name);
        }
    }

    /// Opens the table of a key, or another one in the array of tables of that key. With the message comes whether its parents were open already.
    pub(super) fn open(&mut self, key: &Key, array: bool) -> Result<(), (bool, Vec<u8>)> {
        let Some(((last, origin), parents)) = key.split_last() else { return Ok(()) };
        let Self { root, implicit, .. } = self;
        let mut table = root;
        for (nth, (part, origin)) in parents.iter().enumerate() {
            let so_far = parents.get(..=nth).unwrap_or_default();
            let slot = table.entry(part.clone()).or_insert_with(|| {
                implicit.insert(key_name(so_far));
                (*origin, Data::Table(Table::new()))
            });
            let Some(next) = inside(&mut slot.1) else {
                return Err((false, message("Key '", so_far, "' was already created as a hash.")));
            };
            table = next;
        }
        if array {
            let slot = table.entry(last.clone()).or_insert_with(|| (*origin, Data::Tables(Vec::new())));
            let Data::Tables(tables) = &mut slot.1 else {
                return Err((true, message("Key '", key, "' was already created and cannot be used as an array.")));
            };
            tables.push(Table::new());
            return Ok(());
        }
        self.set(parents, last, *origin, Data::Table(Table::new())).map_err(|message| (true, message))
    }

    /// Sets a key in a table that is open.
    pub(super) fn set(&mut self, context: &Key, key: &[u8], origin: O, value: Data) -> Result<(), Vec<u8>> {
        let mut full = context.to_vec();
        full.push((key.to_vec(), origin));
        let name = key_name(&full);
        let Self { root, implicit, arrays } = self;
        let mut table = root;
        for (nth, (part, _)) in context.iter().enumerate() {
            let so_far = context.get(..=nth).unwrap_or_default();
            let next = table.get_mut(part).and_then(|slot| inside(&mut slot.1));
            let Some(next) = next else { return Err(message("Key '", so_far, "' has already been defined.")) };
            table = next;
        }
        if !table.contains_key(key) {
            table.insert(key.to_vec(), (origin, value));
            return Ok(());
        }
        // What was made on the way may be defined once.
        if !implicit.remove(&name) {
            return Err(message("Key '", &full, "' has already been defined."));
        }
        if arrays.contains(&name) {
            table.insert(key.to_vec(), (origin, value));
        }
        Ok(())
    }
}

/// Returns what was read as values of the heap.
pub(super) fn value_of(heap: &mut Heap, data: Data) -> Value {
    match data {
        Data::Leaf(value) => value,
        Data::Array(items) => {
            let items: Vec<Value> = items.into_iter().map(|item| value_of(heap, item)).collect();
            heap.list(ListType::Any, &items)
        }
        Data::Tables(tables) => {
            let items: Vec<Value> = tables.into_iter().map(|table| value_of(heap, Data::Table(table))).collect();
            heap.list(ListType::Any, &items)
        }
        Data::Table(table) => {
            let id = heap.map(&MAP);
            for (key, (origin, data)) in table {
                let value = value_of(heap, data);
                let key = heap.sym(&key);
                heap.get_mut(id).set(key, origin, value);
            }
            Value::Map(O::NONE, id)
        }
    }
}
