//! Owns parsing: a text becomes named trees, exactly as `text/template/parse` reads it, and trees become text again for messages.

mod apart;
mod lex;
mod literal;
mod parser;
mod print;

use std::sync::Arc;

pub use apart::{Apart, Numbered};
pub(crate) use print::show_at;

use crate::functions::Functions;
use crate::heap::{Heap, Sym};
use crate::set::Scope;
use crate::text::Str;
use crate::tree::Source;

/// How deep parentheses may be nested. Go allows 10,000; each level takes stack.
const PARENTHESES: usize = 1_000;

/// Parses a file's text, which lies in the heap, and adds its templates to a set. The error is Go's text (`template: name:line: …`).
pub fn file(
    heap: &mut Heap,
    functions: &Functions,
    scope: &mut Scope,
    name: Sym,
    text: Str,
    file: Option<plumb_world::FileId>,
) -> Result<(), Vec<u8>> {
    for tree in trees(heap, functions, name, text, file)? {
        scope.add(heap, tree);
    }
    Ok(())
}

/// Parses a file's text, which lies in the heap, into its templates: they can be added to sets again and again.
pub fn trees(
    heap: &mut Heap,
    functions: &Functions,
    name: Sym,
    text: Str,
    file: Option<plumb_world::FileId>,
) -> Result<Vec<Arc<crate::Tree>>, Vec<u8>> {
    let source = Arc::new(Source { name, text, file });
    Ok(parser::parse(heap, functions, &source, PARENTHESES)?.into_iter().map(Arc::new).collect())
}

/// Parses a text given to `tpl`: its templates are a set inside the one around it, its own has the set's name.
pub(crate) fn inside(heap: &mut Heap, functions: &Functions, around: &Arc<Scope>, text: Str) -> Result<Scope, Vec<u8>> {
    let mut scope = Scope::inside(around);
    let name = scope.name();
    let source = Arc::new(Source { name, text, file: None });
    for tree in parser::parse(heap, functions, &source, PARENTHESES)? {
        let tree = Arc::new(tree);
        // The text's own template is executed even where an empty one does not replace what has the set's name.
        if tree.name == name {
            scope.set_main(tree.clone());
        }
        scope.add(heap, tree);
    }
    Ok(scope)
}

/// Parses a text and returns its own template as Go prints trees, with a limit on nested parentheses: for tests against Go's.
pub fn canonical(heap: &mut Heap, functions: &Functions, name: &[u8], text: &[u8], parentheses: usize) -> Result<Vec<u8>, Vec<u8>> {
    let name = heap.sym(name);
    let text = heap.push(text, crate::O::NONE);
    let source = Arc::new(Source { name, text, file: None });
    let trees = parser::parse(heap, functions, &source, parentheses)?;
    let own = trees.iter().find(|tree| tree.name == name);
    Ok(own.map_or_else(Vec::new, |tree| print::show_tree(heap, tree)))
}
