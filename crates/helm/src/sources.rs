//! Owns which files a render's origins point into, and what each of them is: templates, layers of values, what a chart is told.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use plumb_gotemplate::{Heap, O, Origin};
use plumb_world::{FileId, Span};
use plumb_yaml::{Kind, NodeRef, Options, parse};

use crate::chart::{Chart, File};
use crate::strvals::Form;

/// Names a file, so that origins can point into it: its path in the chart, or the name of a file of values or of an argument
/// (`--set[0]`). The same name gets the same id.
pub type Named<'n> = dyn Fn(&str, &File) -> Option<FileId> + 'n;

/// What a file is to a render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A template of a chart.
    Template,
    /// values.yaml of the chart at a place; the empty place is the chart itself.
    Chart(String),
    /// A file of values, by its number.
    Values(usize),
    /// An argument, by its form and its number among those of that form.
    Argument(Form, usize),
    /// A file that `--set-file` names.
    Content,
    /// Chart.yaml of the chart at a place.
    Definition(String),
    /// Any other file of a chart: what `.Files` has.
    File,
    /// What the chart is told: its release, and the cluster.
    Told,
}

/// A file that origins point into.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name among origins.
    pub file: FileId,
    /// The name it was given to [`Named`] by.
    pub name: String,
    /// What it is.
    pub layer: Layer,
    /// Its content.
    pub data: std::sync::Arc<[u8]>,
}

/// Names files and remembers what they are.
pub(crate) struct Naming<'n> {
    named: Option<&'n Named<'n>>,
    known: RefCell<BTreeMap<FileId, Source>>,
}

impl<'n> Naming<'n> {
    pub(crate) fn new(named: Option<&'n Named<'n>>) -> Self {
        Self { named, known: RefCell::default() }
    }

    /// Names a file, where anybody does.
    pub(crate) fn name(&self, name: &str, data: &std::sync::Arc<[u8]>, layer: Layer) -> Option<FileId> {
        let file = File { name: name.to_owned(), data: data.clone() };
        let id = (self.named?)(name, &file)?;
        let source = || Source { file: id, name: name.to_owned(), layer, data: data.clone() };
        self.known.borrow_mut().entry(id).or_insert_with(source);
        Some(id)
    }

    /// Returns what was named.
    pub(crate) fn into_sources(self) -> Vec<Source> {
        self.known.into_inner().into_values().collect()
    }
}

/// Returns the origin of a range of a file.
pub(crate) fn at(heap: &mut Heap, file: Option<FileId>, start: usize, end: usize) -> O {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    match file {
        Some(file) if heap.origins.tracing() => heap.origins.add(Origin::At(Span { file, start: offset(start), end: offset(end) })),
        _ => O::NONE,
    }
}

/// Where a chart's definition says what.
#[derive(Clone, Default)]
pub(crate) struct Definition {
    file: Option<FileId>,
    /// By path with dots, as Chart.yaml names the fields.
    places: Rc<BTreeMap<String, (u32, u32)>>,
}

impl Definition {
    /// Reads where the chart's definition says what; without naming nobody wants to know.
    pub(crate) fn read(chart: &Chart, naming: &Naming<'_>) -> Self {
        let Some(definition) = &chart.definition else { return Self::default() };
        let name = format!("{}{}", chart.place, definition.name);
        let Some(file) = naming.name(&name, &definition.data, Layer::Definition(chart.place.clone())) else { return Self::default() };
        let mut places = BTreeMap::new();
        let stream = parse(&definition.data, &Options::default());
        if let Some(Ok(document)) = stream.documents().next() {
            add_places(document.root(), "", &mut places);
        }
        Self { file: Some(file), places: Rc::new(places) }
    }

    /// Returns the origin of a field; the beginning of the file where it does not say that.
    pub(crate) fn origin(&self, heap: &mut Heap, path: &str) -> O {
        let (start, end) = self.places.get(path).copied().unwrap_or_default();
        at(heap, self.file, start as usize, end as usize)
    }
}

fn add_places(node: NodeRef<'_>, path: &str, places: &mut BTreeMap<String, (u32, u32)>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match node.kind() {
        Kind::Map => node.entries().for_each(|entry| add_places(entry.value, &below(entry.name()), places)),
        Kind::List => node.items().enumerate().for_each(|(nth, item)| add_places(item, &below(&nth.to_string()), places)),
        _ => _ = places.insert(path.to_owned(), (node.span().start, node.span().end)),
    }
}
