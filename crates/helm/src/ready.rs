//! Owns what a render makes of a chart's files alone, whatever the values are: templates parsed and schemas compiled. There is much of it and nothing in
//! it waits for anything, so two work on it where there are threads for that.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plumb_gotemplate::{Apart, Functions, Heap, Str, Tree, trees};

use crate::chart::File;
use crate::schema::{Schema, compile};

/// Carries out two things: at once where there are threads, else the first one first. The first is carried out where it is asked for.
pub type Both<'o> = dyn Fn(&mut dyn FnMut(), &mut (dyn FnMut() + Send)) + 'o;

/// A template to parse.
pub(crate) struct Unparsed<'t> {
    pub(crate) source: &'t str,
    pub(crate) text: Str,
    pub(crate) file: Option<plumb_world::FileId>,
}

/// What came of the files.
pub(crate) struct Ready {
    /// Trees of each template, or the parser's message.
    pub(crate) templates: Vec<Result<Vec<Arc<Tree>>, Vec<u8>>>,
    pub(crate) schemas: Schemas,
}

/// Each schema, or why it cannot be used.
#[derive(Default)]
pub(crate) struct Schemas(Vec<(Arc<[u8]>, Result<Schema, String>)>);

impl Schemas {
    /// Returns what a file was compiled to.
    pub(crate) fn find(&self, file: &File) -> Result<&Schema, String> {
        let found = self.0.iter().find(|(data, _)| Arc::ptr_eq(data, &file.data));
        found.map_or_else(|| Err(format!("{} was not compiled", file.name)), |(_, schema)| schema.as_ref().map_err(Clone::clone))
    }
}

/// Makes files ready.
pub(crate) fn ready(
    heap: &mut Heap,
    functions: &Functions,
    schemas: &[&File],
    templates: &[Unparsed<'_>],
    both: Option<&Both<'_>>,
) -> Ready {
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < schemas.len() + templates.len());
    // Schemas first: one of them can take as long as all templates.
    let template = |at: usize| at.checked_sub(schemas.len());
    let (mut compiled, mut parsed) = (Vec::new(), Vec::new());
    let mut apart = both.and_then(|_| Apart::new(heap, templates.iter().map(|template| template.text)));
    let mut compiled_apart = Vec::new();
    let mut here = || {
        while let Some(at) = take() {
            match template(at) {
                None => compiled.push((at, compile(&schemas[at].data))),
                Some(nth) => {
                    let Unparsed { source, text, file } = templates[nth];
                    let name = heap.sym(source.as_bytes());
                    parsed.push((nth, trees(heap, functions, name, text, file)));
                }
            }
        }
    };
    match (both, &mut apart) {
        (Some(both), Some(apart)) => both(&mut here, &mut || {
            while let Some(at) = take() {
                match template(at) {
                    None => compiled_apart.push((at, compile(&schemas[at].data))),
                    Some(nth) => apart.parse(nth, functions, templates[nth].source.as_bytes(), templates[nth].text),
                }
            }
        }),
        _ => here(),
    }
    compiled.extend(compiled_apart);
    parsed.extend(apart.into_iter().flat_map(|apart| apart.into_heap(heap)));
    let schemas = schemas.iter().map(|file| file.data.clone()).zip(in_order(compiled)).collect();
    Ready { templates: in_order(parsed), schemas: Schemas(schemas) }
}

fn in_order<T>(mut numbered: Vec<(usize, T)>) -> Vec<T> {
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, one)| one).collect()
}
