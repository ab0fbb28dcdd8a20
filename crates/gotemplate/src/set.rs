//! Owns sets of templates by name: a file's templates replace those of the same name, and a text given to `tpl` sees those around it.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::heap::{Heap, Sym};
use crate::tree::Tree;

/// Templates by name, and those around them. Cheap to enter: nothing is copied.
#[derive(Debug)]
pub struct Scope {
    /// The name of the set itself, for messages: Helm calls its own `gotpl`.
    name: Sym,
    templates: HashMap<Sym, Arc<Tree>>,
    /// The text's own template, when this is the set of a text given to `tpl`.
    main: Option<Arc<Tree>>,
    around: Option<Arc<Self>>,
}

impl Scope {
    /// Returns an empty set.
    pub fn new(name: Sym) -> Self {
        Self { name, templates: HashMap::new(), main: None, around: None }
    }

    /// Returns an empty set inside another.
    pub fn inside(around: &Arc<Self>) -> Self {
        Self { name: around.name, templates: HashMap::new(), main: None, around: Some(around.clone()) }
    }

    pub(crate) fn set_main(&mut self, tree: Arc<Tree>) {
        self.main = Some(tree);
    }

    /// Returns the text's own template.
    pub(crate) fn main(&self) -> Option<&Arc<Tree>> {
        self.main.as_ref()
    }

    /// Returns the set's name.
    pub fn name(&self) -> Sym {
        self.name
    }

    /// Adds a template. An empty one replaces nothing (`text/template`'s `associate`).
    pub fn add(&mut self, heap: &Heap, tree: Arc<Tree>) {
        if tree.is_empty(heap) && self.find(tree.name).is_some() {
            return;
        }
        self.templates.insert(tree.name, tree);
    }

    /// Returns the names of its own templates, in no order.
    pub fn names(&self) -> impl Iterator<Item = Sym> + '_ {
        self.templates.keys().copied()
    }

    /// Returns the template of a name.
    pub fn find(&self, name: Sym) -> Option<Arc<Tree>> {
        let mut scope = self;
        loop {
            if let Some(tree) = scope.templates.get(&name) {
                return Some(tree.clone());
            }
            scope = scope.around.as_deref()?;
        }
    }
}
