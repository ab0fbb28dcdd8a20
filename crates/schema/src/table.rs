//! Owns the compact table: types that have something to say about merging, and kinds that point at them; its text form both ways.
//!
//! One line each, fields separated by tabs. Types are numbered by their place: `map` with `field:type` and `*:type` for the other keys,
//! `items` with keys (`name` or `name=default`) and `>type`, `set`, `atomic`. Kinds: `kind group version kind plural N|C type|-`.
//! A field that is not named is plain: a map that merges by key, an atomic list, or a scalar.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use plumb_manifest::Gvk;

use crate::{ListKey, Scope};

/// First line of the text form.
pub(crate) const HEADER: &str = "plumb-schema 1";

/// A type's place in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TypeId(pub(crate) u32);

/// What a type says about merging.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    /// Merges by key.
    Map {
        /// Fields with something to say.
        fields: BTreeMap<Arc<str>, TypeId>,
        /// Values of the other keys.
        rest: Option<TypeId>,
    },
    /// A list told apart by keys.
    Items {
        /// The keys.
        keys: Vec<ListKey>,
        /// Its items, if they have something to say.
        item: Option<TypeId>,
    },
    /// A list of values that merges value by value.
    Set,
    /// A map that is replaced as a whole.
    AtomicMap,
}

/// One kind at one version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kind {
    pub(crate) plural: Arc<str>,
    pub(crate) scope: Scope,
    pub(crate) root: Option<TypeId>,
}

type ByName<T> = BTreeMap<Arc<str>, T>;

/// Types and kinds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    pub(crate) shapes: Vec<Shape>,
    /// Group → kind → version.
    kinds: ByName<ByName<ByName<Kind>>>,
}

impl Table {
    pub(crate) fn kind(&self, gvk: &Gvk) -> Option<&Kind> {
        self.kinds.get(&gvk.group)?.get(&gvk.kind)?.get(&gvk.version)
    }

    pub(crate) fn kinds_of(&self, group: &str, kind: &str) -> impl Iterator<Item = &Kind> {
        self.kinds.get(group).and_then(|kinds| kinds.get(kind)).into_iter().flat_map(|versions| versions.values())
    }

    pub(crate) fn insert(&mut self, gvk: Gvk, kind: Kind) {
        self.kinds.entry(gvk.group).or_default().entry(gvk.kind).or_default().insert(gvk.version, kind);
    }

    pub(crate) fn shape(&self, id: TypeId) -> Option<&Shape> {
        self.shapes.get(id.0 as usize)
    }

    pub(crate) fn push(&mut self, shape: Shape) -> TypeId {
        self.shapes.push(shape);
        TypeId(u32::try_from(self.shapes.len() - 1).unwrap_or(u32::MAX))
    }

    pub(crate) fn render(&self) -> String {
        let mut out = format!("{HEADER}\n");
        for shape in &self.shapes {
            render_shape(shape, &mut out);
            out.push('\n');
        }
        for (group, kinds) in &self.kinds {
            for (kind, versions) in kinds {
                for (version, known) in versions {
                    let scope = if known.scope == Scope::Namespaced { "N" } else { "C" };
                    let root = known.root.map_or_else(|| "-".to_owned(), |id| id.0.to_string());
                    let _ = writeln!(out, "kind\t{group}\t{version}\t{kind}\t{}\t{scope}\t{root}", known.plural);
                }
            }
        }
        out
    }

    /// Reads the text form; nothing when a line does not have it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != HEADER {
            return None;
        }
        let mut table = Self::default();
        for line in lines {
            let (word, rest) = line.split_once('\t').unwrap_or((line, ""));
            let parts = || rest.split('\t').filter(|part| !part.is_empty());
            match word {
                "map" => table.shapes.push(parse_map(parts())?),
                "items" => table.shapes.push(parse_items(parts())?),
                "set" => table.shapes.push(Shape::Set),
                "atomic" => table.shapes.push(Shape::AtomicMap),
                "kind" => {
                    let [group, version, kind, plural, scope, root] = rest.split('\t').collect::<Vec<_>>().try_into().ok()?;
                    let root = if root == "-" { None } else { Some(TypeId(root.parse().ok()?)) };
                    let scope = if scope == "N" { Scope::Namespaced } else { Scope::Cluster };
                    let gvk = Gvk { group: group.into(), version: version.into(), kind: kind.into() };
                    table.insert(gvk, Kind { plural: plural.into(), scope, root });
                }
                _ => return None,
            }
        }
        Some(table)
    }
}

fn render_shape(shape: &Shape, out: &mut String) {
    match shape {
        Shape::Map { fields, rest } => {
            out.push_str("map");
            for (name, id) in fields {
                let _ = write!(out, "\t{name}:{}", id.0);
            }
            if let Some(id) = rest {
                let _ = write!(out, "\t*:{}", id.0);
            }
        }
        Shape::Items { keys, item } => {
            out.push_str("items");
            for key in keys {
                let _ = write!(out, "\t{}", key.name);
                if let Some(default) = &key.default {
                    let _ = write!(out, "={default}");
                }
            }
            if let Some(id) = item {
                let _ = write!(out, "\t>{}", id.0);
            }
        }
        Shape::Set => out.push_str("set"),
        Shape::AtomicMap => out.push_str("atomic"),
    }
}

fn parse_map<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Shape> {
    let (mut fields, mut rest) = (BTreeMap::new(), None);
    for part in parts {
        let (name, id) = part.rsplit_once(':')?;
        let id = TypeId(id.parse().ok()?);
        if name == "*" {
            rest = Some(id);
        } else {
            fields.insert(name.into(), id);
        }
    }
    Some(Shape::Map { fields, rest })
}

fn parse_items<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Shape> {
    let (mut keys, mut item) = (Vec::new(), None);
    for part in parts {
        if let Some(id) = part.strip_prefix('>') {
            item = Some(TypeId(id.parse().ok()?));
        } else if let Some((name, default)) = part.split_once('=') {
            keys.push(ListKey { name: name.into(), default: Some(serde_json::from_str(default).ok()?) });
        } else {
            keys.push(ListKey { name: part.into(), default: None });
        }
    }
    Some(Shape::Items { keys, item })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_goes_both_ways() {
        let text = include_str!("../data/kinds.txt");
        let table = Table::parse(text).expect("the recorded table parses");
        assert_eq!(table.render(), text);
        assert!(table.shapes.len() > 100);
    }

    #[test]
    fn what_is_not_the_text_form_is_refused() {
        for bad in [
            "",
            "plumb-schema 2\n",
            "plumb-schema 1\nmap\tx",
            "plumb-schema 1\nwhat\t1",
            "plumb-schema 1\nkind\ta\tb",
            "plumb-schema 1\nitems\ta={",
        ] {
            assert_eq!(Table::parse(bad), None, "{bad:?}");
        }
    }
}
