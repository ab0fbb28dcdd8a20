//! Owns the objects of a build in their order (`resmap`): looked up by the identities they have and had.

use std::collections::HashMap;

use plumb_world::Diagnostic;

use crate::id::{Gvk, Id};
use crate::limits::{Limit, MAX_OBJECTS};
use crate::problem::{Outcome, wrong};
use crate::resource::{Behavior, Resource};
use crate::run::Run;
use crate::tree::{Field, Kind, Node, Origin, Texts};

type Key<'a> = (Gvk<'a>, &'a str, &'a str);

/// Objects in their order. No two have the same identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resources<'a> {
    list: Vec<Resource<'a>>,
    /// How many have an identity; nothing while somebody may have changed one.
    index: Option<HashMap<Key<'a>, usize>>,
}

impl<'a> Resources<'a> {
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Resource<'a>> {
        self.list.iter()
    }

    /// Returns the objects to be changed, names too.
    pub(crate) fn list_mut(&mut self) -> &mut Vec<Resource<'a>> {
        self.index = None;
        &mut self.list
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Resource<'a>> {
        self.list.get(at)
    }

    /// Takes the objects out.
    pub(crate) fn into_list(self) -> Vec<Resource<'a>> {
        self.list
    }

    fn count(&mut self, id: &Id<'a>, run: &Run<'a>) -> usize {
        let list = &self.list;
        let index = self.index.get_or_insert_with(|| {
            let mut index = HashMap::with_capacity(list.len());
            for resource in list {
                *index.entry(resource.id(run).key()).or_insert(0) += 1;
            }
            index
        });
        index.get(&id.key()).copied().unwrap_or(0)
    }

    /// Adds an object; one with its identity is an error that names both places.
    pub(crate) fn append(&mut self, resource: Resource<'a>, run: &Run<'a>) -> Outcome<()> {
        let id = resource.id(run);
        if self.list.len() >= MAX_OBJECTS {
            let mistake = wrong("limit", format!("a build may have {MAX_OBJECTS} objects"), run.texts.place(resource.view()));
            return Err(mistake.hint("Split what is built into several kustomizations.").into());
        }
        if self.count(&id, run) > 0 {
            return Err(self.duplicate(&id, &resource, run).into());
        }
        if let Some(index) = &mut self.index {
            *index.entry(id.key()).or_insert(0) += 1;
        }
        self.list.push(resource);
        Ok(())
    }

    fn duplicate(&self, id: &Id<'a>, again: &Resource<'a>, run: &Run<'a>) -> Diagnostic {
        let mut diagnostic =
            wrong("duplicate-object", format!("may not add resource with an already registered id: {id}"), run.texts.place(again.view()));
        let first = self.list.iter().find(|known| known.id(run).same(id)).and_then(|known| run.texts.place(known.view()));
        if let Some(first) = first {
            diagnostic = diagnostic.at(first, "it is here already");
        }
        diagnostic.hint("Name each object once; a change of one that a base has belongs in `patches`.")
    }

    pub(crate) fn append_all(&mut self, more: Resources<'a>, run: &Run<'a>) -> Outcome<()> {
        crate::problem::all(more.list.into_iter().map(|resource| self.append(resource, run))).map(drop)
    }

    /// Returns the positions of the objects that have or had such an identity; objects with nothing left in them do not count.
    pub(crate) fn by_any_id(&self, run: &Run<'a>, matches: impl Fn(&Id<'a>) -> bool) -> Vec<usize> {
        let is = |resource: &Resource<'a>| {
            !resource.view().is_null_or_empty() && (matches(&resource.id(run)) || resource.previous_ids(run).iter().any(&matches))
        };
        (0..self.list.len()).filter(|at| is(&self.list[*at])).collect()
    }

    /// Takes generated objects in, each as its behaviour says (`AbsorbAll`).
    pub(crate) fn absorb_all(&mut self, more: Resources<'a>, run: &Run<'a>, origin: Origin) -> Outcome<()> {
        crate::problem::all(more.list.into_iter().map(|resource| self.absorb(resource, run, origin))).map(drop)
    }

    fn absorb(&mut self, mut resource: Resource<'a>, run: &Run<'a>, origin: Origin) -> Outcome<()> {
        let id = resource.id(run);
        let place = run.texts.place(resource.view());
        let behavior = resource.behavior.unwrap_or_default();
        run.take(Limit::Steps, self.list.len(), place)?;
        let matches = self.by_any_id(run, |other| other.same(&id));
        match (matches.as_slice(), behavior) {
            ([], Behavior::Merge | Behavior::Replace) => {
                let mistake = wrong("generator", format!("id {id} does not exist; cannot merge or replace"), place);
                Err(mistake.hint("Leave `behavior` out, or name an object that a resource or a generator of a base makes.").into())
            }
            ([], _) => self.append(resource, run),
            ([at], Behavior::Replace | Behavior::Merge) => {
                let old = &self.list[*at];
                if behavior == Behavior::Merge {
                    for key in ["data", "binaryData"] {
                        merge_data(&mut resource.node, &old.node, key, origin, run.texts);
                    }
                }
                resource.take_metadata(old, origin, run.texts);
                if behavior == Behavior::Merge {
                    keep_origin_annotation(&mut resource, old, run);
                }
                if resource.id(run).same(&old.id(run)) {
                    self.list[*at] = resource;
                    self.index = None;
                    Ok(())
                } else {
                    Err(wrong("generator", format!("cannot find resource with id {} to replace", resource.id(run)), place).into())
                }
            }
            ([_], _) => {
                let message = format!("id {id} exists; can not use behavior: '{}', behavior must be merge or replace", behavior.name());
                Err(wrong("generator", message, place).into())
            }
            _ => Err(wrong("generator", format!("found multiple objects that could accept merge of {id}"), place).into()),
        }
    }

    /// Returns the tree of one object to be changed.
    pub(crate) fn node_mut(&mut self, at: usize) -> Option<&mut Node<'a>> {
        self.index = None;
        self.list.get_mut(at).map(|resource| &mut resource.node)
    }
}

impl Behavior {
    fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Merge => "merge",
        }
    }
}

/// An object that is merged into stays what came from where it came from.
fn keep_origin_annotation<'a>(merged: &mut Resource<'a>, old: &Resource<'a>, run: &Run<'a>) {
    let path = ["metadata", "annotations", crate::metadata::ORIGIN_ANNOTATION];
    if let Some(was) = old.view().at(&path).map(|was| was.to_node())
        && let Some(annotation) = merged.node.at_mut(&path, run.texts)
    {
        *annotation = was;
    }
}

/// Puts the entries of the old one's map below the new one's (`MergeDataMapFrom`): texts in the order of their keys.
fn merge_data<'a>(new: &mut Node<'a>, old: &Node<'a>, key: &'static str, origin: Origin, texts: &'a Texts) {
    let mut entries: Vec<(&'a str, Node<'a>)> = Vec::new();
    for map in [old.view().get(key), new.view().get(key)].into_iter().flatten() {
        for (name, value) in map.fields() {
            // Whatever they are, they become texts.
            let origin = value.node_ref().map_or(value.origin(), |written| texts.written(written));
            let mut node = Node::string(value.value_text()).stamped(origin);
            node.quote_if_needed(texts);
            match entries.iter_mut().find(|(known, _)| *known == name.text) {
                Some(entry) => entry.1 = node,
                None => entries.push((name.text, node)),
            }
        }
    }
    new.remove(key, texts);
    if entries.is_empty() {
        return;
    }
    entries.sort_by_key(|(key, _)| *key);
    let fields = entries.into_iter().map(|(name, node)| Field::new(name, node)).collect();
    if new.kind() == Kind::Map {
        new.put(key, Node::map(fields).stamped(origin), texts);
    }
}
