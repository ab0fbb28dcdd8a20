//! Owns which values that somebody gave were read by nobody: a misspelt key, or a chart that does not take part. What the chart's own values.yaml
//! has is the chart's own affair.
//!
//! A value counts as read when anything came of it, of what goes over it or of what it took away. One that was not is told of only where the chart
//! does not know its key: it is not in the values that the charts have by themselves, no template and no value says its name, and what stands beside
//! it was read. So what is behind a block that was not taken, and maps that are the user's own, are left alone.

use std::collections::{BTreeMap, BTreeSet};

use plumb_gotemplate::{MapId, O, Origin, Value};
use plumb_manifest::nearest;
use plumb_world::{FileId, Span};

use super::Explained;
use super::keys::Key;
use crate::sources::{Layer, Source};

/// A value that nobody read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its key, or that of the map that it is in where nobody read any of that.
    pub place: Span,
    /// The key's path with dots.
    pub key: String,
    /// What may have been meant.
    pub meant: Option<String>,
    /// The chart that it is for, where that does not take part.
    pub disabled: Option<String>,
}

impl Explained {
    /// Returns the values of files and arguments that nobody read, in their order.
    pub fn unread(&self) -> Vec<Unread> {
        let read = self.rendered.heap.origins.read_places();
        let mut found: Vec<Unread> = Vec::new();
        for source in &self.told.sources {
            match source.layer {
                Layer::Values(_) => self.of_file(source.file, &read, &mut found),
                Layer::Argument(..) => self.of_argument(source.file, &read, &mut found),
                _ => {}
            }
        }
        found
    }

    fn of_file(&self, file: FileId, read: &BTreeSet<Span>, found: &mut Vec<Unread>) {
        let keys = self.keys.of_file(file);
        for key in keys.iter().filter(|key| !key.collection && key.value.0 < key.value.1) {
            if read.contains(&Span { file, start: key.value.0, end: key.value.1 }) {
                continue;
            }
            let mut way: Vec<&Key> = vec![key];
            while let Some(up) = way.last().and_then(|key| keys.get(key.up?)) {
                way.push(up);
            }
            way.reverse();
            let names: Vec<&str> = way.iter().map(|key| key.own.as_str()).collect();
            let Some((depth, meant, disabled)) = self.unknown(&names, read) else { continue };
            let Some(at) = way.get(depth) else { continue };
            let place = Span { file, start: at.name.0, end: at.name.1 };
            if found.iter().all(|known| known.place != place) {
                found.push(Unread { place, key: at.path.clone(), meant, disabled });
            }
        }
    }

    fn of_argument(&self, file: FileId, read: &BTreeSet<Span>, found: &mut Vec<Unread>) {
        let mut keys: BTreeMap<String, (Span, bool)> = BTreeMap::new();
        for place in self.rendered.heap.origins.places_in(file) {
            let Some(key) = self.key(place) else { continue };
            // A key's own place says nothing of its value.
            let behind =
                self.source(place).is_some_and(|source| source.data.get(..place.start as usize).is_some_and(|b| b.contains(&b'=')));
            let entry = keys.entry(key).or_insert((place, false));
            entry.1 |= behind && read.contains(&place);
        }
        for (key, (place, was_read)) in keys {
            let names: Vec<&str> = key.split(['.', '[']).filter(|name| !name.ends_with(']')).collect();
            let longer = |known: &Unread| key.starts_with(&known.key) && known.place.file == file;
            if was_read || found.iter().any(longer) {
                continue;
            }
            if let Some((depth, meant, disabled)) = self.unknown(&names, read) {
                found.push(Unread { place, key: names.get(..=depth).unwrap_or(&names).join("."), meant, disabled });
            }
        }
    }

    /// Returns which name of a path the charts do not know, what may have been meant, and the chart that is disabled; nothing for what they do know.
    fn unknown(&self, names: &[&str], read: &BTreeSet<Span>) -> Option<(usize, Option<String>, Option<String>)> {
        for disabled in &self.told.disabled {
            let chart: Vec<&str> = disabled.path.split('.').collect();
            if names.len() > chart.len() && names.starts_with(&chart) {
                return Some((chart.len() - 1, None, Some(disabled.path.clone())));
            }
        }
        let heap = &self.rendered.heap;
        let mut map = self.told.defaults;
        for (depth, name) in names.iter().enumerate() {
            let entry = heap.find_sym(name.as_bytes()).and_then(|sym| heap.get(map).get(sym));
            match entry.map(|entry| entry.value) {
                Some(Value::Map(_, below)) if !heap.get(below).is_empty() => map = below,
                Some(_) => return None,
                None => {
                    let beside_read = depth == 0 || self.any_read(map, read, 0);
                    if !beside_read {
                        return None;
                    }
                    if self.is_said(name) {
                        // A value of a chart in charts that was written as the chart's own.
                        let below = self.of_chart_below(name).filter(|_| depth == 0);
                        return below.map(|meant| (depth, Some(meant), None));
                    }
                    return Some((depth, self.meant(&names[..depth], name, map), None));
                }
            }
        }
        None
    }

    /// Whether anything in a map was read.
    fn any_read(&self, map: MapId, read: &BTreeSet<Span>, depth: usize) -> bool {
        // Values cannot hold themselves, but a limit costs nothing.
        const DEPTH: usize = 64;
        let heap = &self.rendered.heap;
        let is_read = |o: O| {
            let mut any = false;
            heap.origins.places(o, true, &mut |place| any |= read.contains(&place));
            any
        };
        heap.get(map).entries().iter().any(|entry| match entry.value {
            Value::Map(_, below) => depth < DEPTH && self.any_read(below, read, depth + 1),
            other => is_read(other.origin()),
        })
    }

    /// Returns the one value of a chart in charts that has a name, where no template of the chart itself says that.
    fn of_chart_below(&self, name: &str) -> Option<String> {
        let mut elsewhere = Vec::new();
        self.named(self.told.defaults, "", name, &mut elsewhere, 0);
        let [only] = elsewhere.as_slice() else { return None };
        let chart = format!("charts/{}/", only.split('.').next()?);
        let sources = &self.told.sources;
        let is_chart = sources.iter().any(|source| matches!(&source.layer, Layer::Chart(place) if *place == chart));
        let is_own = |source: &Source| source.layer == Layer::Template && !source.name.starts_with("charts/");
        (is_chart && !sources.iter().filter(|source| is_own(source)).any(|source| says(&source.data, name))).then(|| only.clone())
    }

    /// Whether a template or a value says a name.
    fn is_said(&self, name: &str) -> bool {
        let is_asked = |source: &&Source| matches!(source.layer, Layer::Template | Layer::Chart(_));
        self.told.sources.iter().filter(is_asked).any(|source| says(&source.data, name))
    }

    /// Returns the key that may have been meant: one beside it that there is or that was asked for, or one of the same name elsewhere.
    fn meant(&self, around: &[&str], name: &str, map: MapId) -> Option<String> {
        let heap = &self.rendered.heap;
        let text = |sym| String::from_utf8_lossy(heap.name(sym)).into_owned();
        let path = around.join(".");
        let mut beside: BTreeSet<String> = heap.get(map).entries().iter().map(|entry| text(entry.key)).collect();
        for origin in heap.origins.all() {
            let Origin::Absent { of, key } = origin else { continue };
            let mut of_map = false;
            heap.origins.places(of, false, &mut |place| of_map |= self.key(place).is_some_and(|key| key == path));
            if of_map {
                beside.insert(text(key));
            }
        }
        let full = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        if let Some(near) = nearest(name, beside.iter().map(String::as_str)) {
            return Some(full(near));
        }
        let mut elsewhere = Vec::new();
        self.named(self.told.defaults, "", name, &mut elsewhere, 0);
        match elsewhere.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// The same for a path that was asked for.
    pub(super) fn meant_for(&self, path: &str) -> Option<String> {
        let names: Vec<&str> = path.split('.').collect();
        let (name, around) = names.split_last()?;
        let heap = &self.rendered.heap;
        let mut map = self.told.defaults;
        for key in around {
            let entry = heap.get(map).get(heap.find_sym(key.as_bytes())?)?;
            let Value::Map(_, below) = entry.value else { return None };
            map = below;
        }
        let beside: Vec<String> =
            heap.get(map).entries().iter().map(|entry| String::from_utf8_lossy(heap.name(entry.key)).into_owned()).collect();
        let near = nearest(name, beside.iter().map(String::as_str))?;
        Some(around.iter().copied().chain([near]).collect::<Vec<_>>().join("."))
    }

    fn named(&self, map: MapId, path: &str, name: &str, found: &mut Vec<String>, depth: usize) {
        const DEPTH: usize = 64;
        let heap = &self.rendered.heap;
        for entry in heap.get(map).entries() {
            let own = String::from_utf8_lossy(heap.name(entry.key)).into_owned();
            let below = if path.is_empty() { own.clone() } else { format!("{path}.{own}") };
            if own == name {
                found.push(below.clone());
            }
            if let Value::Map(_, inner) = entry.value
                && depth < DEPTH
            {
                self.named(inner, &below, name, found, depth + 1);
            }
        }
    }
}

/// Whether a text has a name in it, as a word of its own.
fn says(data: &[u8], name: &str) -> bool {
    let in_name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    memchr::memmem::find_iter(data, name.as_bytes())
        .any(|at| !in_name(at.checked_sub(1).and_then(|before| data.get(before))) && !in_name(data.get(at + name.len())))
}
