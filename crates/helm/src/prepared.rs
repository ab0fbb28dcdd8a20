//! Owns templates of a chart that are parsed once for any number of renders.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_gotemplate::{Functions, Heap, Limits, Tree, trees};

use crate::chart::{Chart, File};

/// A chart's templates, parsed: under the names they have in a render, which are those of aliases too.
#[derive(Debug)]
pub struct Prepared {
    heap: Heap,
    /// By path.
    templates: BTreeMap<String, Parsed>,
}

/// What a file was parsed to; one that does not have the same text is parsed anew.
#[derive(Debug)]
struct Parsed {
    text: Arc<[u8]>,
    trees: Vec<Arc<Tree>>,
}

impl Prepared {
    /// Parses a chart's templates. What cannot be parsed is left for the render, which tells it.
    pub fn new(chart: &Chart, limits: &Limits) -> Self {
        let mut prepared = Self { heap: Heap::new(false, limits.heap_bytes), templates: BTreeMap::new() };
        prepared.add(chart, &chart.metadata.name, &Functions::helm());
        prepared
    }

    fn add(&mut self, chart: &Chart, path: &str, functions: &Functions) {
        for file in &chart.templates {
            let source = format!("{path}/{}", file.name);
            let (name, text) = (self.heap.sym(source.as_bytes()), self.heap.share(&file.data));
            if let Ok(trees) = trees(&mut self.heap, functions, name, text, None) {
                self.templates.insert(source, Parsed { text: file.data.clone(), trees });
            }
        }
        for inner in &chart.dependencies {
            let own = &inner.metadata.name;
            let aliases = chart.metadata.dependencies.iter().filter(|wanted| wanted.name == *own && !wanted.alias.is_empty());
            let names = std::iter::once(own).chain(aliases.map(|wanted| &wanted.alias));
            for name in names {
                self.add(inner, &format!("{path}/charts/{name}"), functions);
            }
        }
    }

    /// Returns a memory that the templates are in.
    pub(crate) fn heap(&self) -> Heap {
        self.heap.clone()
    }

    /// Returns the templates of a file.
    pub(crate) fn templates(&self, source: &str, file: &File) -> Option<&[Arc<Tree>]> {
        let Parsed { text, trees } = self.templates.get(source)?;
        (Arc::ptr_eq(text, &file.data) || *text == file.data).then_some(trees.as_slice())
    }
}
