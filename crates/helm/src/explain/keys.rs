//! Owns which key of a file of values a place is the value of.

use std::collections::BTreeMap;

use plumb_world::{FileId, Span};
use plumb_yaml::{NodeRef, Options, parse};

use crate::sources::{Layer, Source};

/// Paths of keys with dots, by where their values begin.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    files: BTreeMap<FileId, Vec<Key>>,
}

/// A key of a file of values.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Path with dots; items of lists by number.
    pub(super) path: String,
    /// Its last name alone.
    pub(super) own: String,
    /// Where the key itself is; where the value begins for an item.
    pub(super) name: (u32, u32),
    /// Where the value is.
    pub(super) value: (u32, u32),
    /// Whether it is a map or list with something in it.
    pub(super) collection: bool,
    /// The key around it, by its number.
    pub(super) up: Option<usize>,
}

impl Keys {
    pub(super) fn of(sources: &[Source]) -> Self {
        let yaml = |source: &&Source| matches!(source.layer, Layer::Chart(_) | Layer::Values(_) | Layer::Definition(_) | Layer::Told);
        let files = sources.iter().filter(yaml).map(|source| (source.file, read(&source.data))).collect();
        Self { files }
    }

    /// Returns the keys of a file in the order of the text.
    pub(super) fn of_file(&self, file: FileId) -> &[Key] {
        self.files.get(&file).map_or(&[], Vec::as_slice)
    }

    /// Returns the path of the key whose value or name a place is, or is part of; the empty path for all of a file.
    pub(super) fn path(&self, place: Span) -> Option<String> {
        if place.start == 0 && place.end == 0 {
            return Some(String::new());
        }
        self.at(place).map(|key| key.path.clone())
    }

    /// Returns the key whose value or name a place is, or is part of.
    pub(super) fn at(&self, place: Span) -> Option<&Key> {
        let keys = self.files.get(&place.file)?;
        // A map or list is where it begins, and so is what comes first in it: the outermost that begins there.
        if place.start == place.end {
            return keys
                .iter()
                .find(|key| key.collection && key.value.0 == place.start)
                .or_else(|| keys.iter().find(|key| key.value.0 == place.start));
        }
        // In the order of the text, the last one that begins before a place is at it, or beside something that is around it.
        let mut at = keys.partition_point(|key| key.name.0.min(key.value.0) <= place.start).checked_sub(1);
        while let Some(key) = at.and_then(|at| keys.get(at)) {
            if key.name == (place.start, place.end) || key.value.0 <= place.start && place.end <= key.value.1 {
                return Some(key);
            }
            at = key.up;
        }
        None
    }
}

fn read(data: &[u8]) -> Vec<Key> {
    let stream = parse(data, &Options::default());
    let mut keys = Vec::new();
    for document in stream.documents().flatten() {
        add(document.root(), "", None, &mut keys);
    }
    keys
}

fn add(node: NodeRef<'_>, path: &str, up: Option<usize>, keys: &mut Vec<Key>) {
    for entry in node.entries() {
        let path = if path.is_empty() { entry.name().to_owned() } else { format!("{path}.{}", entry.name()) };
        let name = (entry.key.span().start, entry.key.span().end);
        add_value(entry.value, path, entry.name(), name, up, keys);
    }
    for (nth, item) in node.items().enumerate() {
        let name = (item.span().start, item.span().start);
        add_value(item, format!("{path}[{nth}]"), &format!("[{nth}]"), name, up, keys);
    }
}

fn add_value(node: NodeRef<'_>, path: String, own: &str, name: (u32, u32), up: Option<usize>, keys: &mut Vec<Key>) {
    let value = (node.span().start, node.span().end);
    keys.push(Key { path: path.clone(), own: own.to_owned(), name, value, collection: !node.is_empty(), up });
    let here = keys.len() - 1;
    add(node, &path, Some(here), keys);
}

/// Returns the path that an argument sets at a place: what stands before the `=`.
pub(super) fn of_argument(text: &[u8], place: Span) -> Option<String> {
    let before = text.get(..place.start as usize)?;
    let rest = text.get(place.start as usize..)?;
    // A key's own place lies before its `=`, a value's behind it.
    let is_comma = |at: usize| text[at] == b',' && (at == 0 || text[at - 1] != b'\\');
    let mut from = (0..before.len()).rev().find(|at| is_comma(*at)).map_or(0, |at| at + 1);
    // Commas inside `{…}` are between items of a list.
    if let Some(open) = before.iter().rposition(|byte| *byte == b'{')
        && !before[open..].contains(&b'}')
    {
        from = (0..open).rev().find(|at| is_comma(*at)).map_or(0, |at| at + 1);
    }
    let end = match before[from..].iter().position(|byte| *byte == b'=') {
        Some(at) => from + at,
        None => place.start as usize + rest.iter().position(|byte| *byte == b'=')?,
    };
    Some(String::from_utf8_lossy(&text[from..end]).into_owned())
}
