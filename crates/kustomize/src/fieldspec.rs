//! Owns following the path of a field spec in an object (`filters/fieldspec`): finding the fields it leads to, making them where that is asked for.
//!
//! Nothing is opened before it is known that the path leads somewhere.

use plumb_world::Diagnostic;

use crate::args::FieldSpec;
use crate::id::Gvk;
use crate::limits::{MAX_NESTED_LISTS, MAX_PATH_PARTS};
use crate::problem::{Outcome, wrong};
use crate::run::Run;
use crate::tree::{Kind, Node, Scalar, Stamp, Tag, View};

/// What a field becomes that is missing or null. The tag is a scalar's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Create {
    pub(crate) kind: Kind,
    pub(crate) tag: Tag,
}

impl Create {
    pub(crate) const TEXT: Self = Self { kind: Kind::Scalar, tag: Tag::Str };
    pub(crate) const MAP: Self = Self { kind: Kind::Map, tag: Tag::None };
}

/// A field spec with its path in parts.
#[derive(Clone, Debug)]
pub(crate) struct Path<'a> {
    pub(crate) spec: FieldSpec<'a>,
    pub(crate) parts: Vec<&'a str>,
}

impl<'a> Path<'a> {
    pub(crate) fn new(spec: FieldSpec<'a>, run: &Run<'a>) -> Self {
        Self { spec, parts: split(spec.path, '/', run) }
    }

    pub(crate) fn all(specs: &[FieldSpec<'a>], run: &Run<'a>) -> Vec<Self> {
        specs.iter().map(|spec| Self::new(*spec, run)).collect()
    }
}

/// Splits a path at a separator that may be escaped with a backslash (`PathSplitter`).
pub(crate) fn split<'a>(path: &'a str, separator: char, run: &Run<'a>) -> Vec<&'a str> {
    if path.contains('\\') {
        split_escaped(path, separator).into_iter().map(|part| run.texts.keep(part)).collect()
    } else {
        path.strip_prefix(separator).unwrap_or(path).split(separator).collect()
    }
}

/// Splits a path like [`split`], into texts of its own.
pub(crate) fn split_escaped(path: &str, separator: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in path.strip_prefix(separator).unwrap_or(path).split(separator) {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(separator);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Returns a part without the `[]` that marks a list, and whether it had it.
fn bare(part: &str) -> (&str, bool) {
    part.strip_suffix("[]").map_or((part, false), |name| (name, true))
}

/// Returns why a name cannot be looked up in a map: kyaml takes it for a place in a list.
fn not_a_name(name: &str) -> Option<&'static str> {
    let name = name.trim();
    if name == "*" {
        return Some("wildcard is not supported in PathGetter");
    }
    let index = name == "-" || name.parse::<i64>().is_ok() || name.starts_with('[') && name.ends_with(']');
    index.then_some("wrong node kind: expected SequenceNode but was MappingNode")
}

/// What is done to the fields that a path leads to.
pub(crate) type Set<'s, 'a> = dyn FnMut(&mut Node<'a>) -> Outcome<()> + 's;

/// Following paths for one step.
pub(crate) struct Follow<'r, 'a> {
    pub(crate) run: &'r Run<'a>,
    /// What to make of fields that are missing, where the spec allows it, or null.
    pub(crate) create: Option<Create>,
    pub(crate) stamp: Stamp,
}

impl<'a> Follow<'_, 'a> {
    /// Calls `set` on the fields of all paths in an object of their kinds.
    pub(crate) fn apply_all(&self, node: &mut Node<'a>, paths: &[Path<'a>], set: &mut Set<'_, 'a>) -> Outcome<()> {
        paths.iter().try_for_each(|path| self.apply(node, path, set))
    }

    /// Returns whether a path would lead to something in an object of its kind, or go wrong. Nothing is opened.
    pub(crate) fn reaches(&self, view: View<'_, 'a>, path: &Path<'a>) -> bool {
        let walk = Walk { follow: self, path };
        gvk_of(view).is_selected(&path.spec.gvk) && (path.parts.len() > MAX_PATH_PARTS || walk.leads_somewhere(view, &path.parts, 0))
    }

    /// Calls `set` on the fields of a path in an object, if it is of the path's kind.
    pub(crate) fn apply(&self, node: &mut Node<'a>, path: &Path<'a>, set: &mut Set<'_, 'a>) -> Outcome<()> {
        if !gvk_of(node.view()).is_selected(&path.spec.gvk) {
            return Ok(());
        }
        let walk = Walk { follow: self, path };
        if path.parts.len() > MAX_PATH_PARTS {
            let message = format!("the path of a field spec has {} parts, which is more than {MAX_PATH_PARTS}", path.parts.len());
            return Err(walk.wrong(message, node.view()).into());
        }
        if !walk.leads_somewhere(node.view(), &path.parts, 0) {
            return Ok(());
        }
        let walked = walk.walk(node, &path.parts, 0, set);
        walked.map_err(|failure| match failure {
            crate::problem::Failure::Wrong(mistakes) => {
                let id = id_text(node.view());
                let around = |mistake: Diagnostic| Diagnostic {
                    message: format!("considering field '{}' of object {id}: {}", path.spec.path, mistake.message),
                    ..mistake
                };
                crate::problem::Failure::Wrong(mistakes.into_iter().map(around).collect())
            }
            world => world,
        })
    }
}

/// Returns the kind of an object.
pub(crate) fn gvk_of<'a>(view: View<'_, 'a>) -> Gvk<'a> {
    Gvk::of(view.get("apiVersion").map_or("", View::text), view.get("kind").map_or("", View::text))
}

fn id_text(view: View<'_, '_>) -> String {
    let meta = |key: &str| view.at(&["metadata", key]).map_or("", View::value_text);
    crate::id::Id { gvk: gvk_of(view), name: meta("name"), namespace: meta("namespace"), cluster_scoped: false }.to_string()
}

struct Walk<'w, 'r, 'a> {
    follow: &'w Follow<'r, 'a>,
    path: &'w Path<'a>,
}

impl<'a> Walk<'_, '_, 'a> {
    /// What a part makes of a field that is missing or null: the kind and whether a missing one is made too.
    fn creation(&self, is_list: bool, last: bool) -> (Option<Create>, bool) {
        match self.follow.create {
            _ if is_list => (Some(Create { kind: Kind::List, tag: Tag::None }), false),
            Some(_) if !self.path.spec.create => (None, false),
            Some(create) if last => (Some(create), true),
            Some(_) => (Some(Create::MAP), true),
            None => (None, false),
        }
    }

    /// Returns whether anything would be changed, or is wrong.
    fn leads_somewhere(&self, view: View<'_, 'a>, parts: &[&'a str], nesting: usize) -> bool {
        let Some((part, rest)) = parts.split_first() else { return true };
        match view.kind() {
            Kind::Scalar => !view.is_null(),
            Kind::List => nesting >= MAX_NESTED_LISTS || view.items().any(|item| self.leads_somewhere(item, parts, nesting + 1)),
            Kind::Map => {
                let (name, is_list) = bare(part);
                let (creation, makes) = self.creation(is_list, rest.is_empty());
                match view.get(name) {
                    _ if name.is_empty() || not_a_name(name).is_some() => true,
                    None => makes,
                    Some(value) => value.is_null() && creation.is_some() || self.leads_somewhere(value, rest, 0),
                }
            }
        }
    }

    fn wrong(&self, cause: impl Into<String>, view: View<'_, 'a>) -> Diagnostic {
        wrong("field-spec", cause, self.follow.run.texts.place(view))
            .hint(format!("Check the path `{}` of the field spec against the object.", self.path.spec.path))
    }

    fn walk(&self, node: &mut Node<'a>, parts: &[&'a str], nesting: usize, set: &mut Set<'_, 'a>) -> Outcome<()> {
        let Some((part, rest)) = parts.split_first() else { return set(node) };
        match node.kind() {
            Kind::Scalar if node.view().is_null() => Ok(()),
            Kind::Scalar => Err(self.wrong("expected sequence or mapping node", node.view()).into()),
            Kind::List if nesting >= MAX_NESTED_LISTS => Err(self.wrong("lists lie too deep in lists", node.view()).into()),
            Kind::List => {
                let items = node.items_mut(self.follow.run.texts).map(Vec::as_mut_slice).unwrap_or_default();
                items.iter_mut().try_for_each(|item| self.walk(item, parts, nesting + 1, set))
            }
            Kind::Map => self.step(node, part, rest, set),
        }
    }

    fn step(&self, node: &mut Node<'a>, part: &'a str, rest: &[&'a str], set: &mut Set<'_, 'a>) -> Outcome<()> {
        let (name, is_list) = bare(part);
        if name.is_empty() {
            return Err(self.wrong("cannot set or create an empty field name", node.view()).into());
        }
        if let Some(cause) = not_a_name(name) {
            return Err(self.wrong(format!("fieldName: {name}: {cause}"), node.view()).into());
        }
        let (creation, makes) = self.creation(is_list, rest.is_empty());
        let texts = self.follow.run.texts;
        let found = match creation {
            Some(create) if makes && node.view().get(name).is_none() => {
                node.get_or_insert(name, create.kind, texts.over(self.follow.stamp, crate::tree::Origin::WRITTEN), texts)
            }
            _ => node.get_mut(name, texts),
        };
        let Some(field) = found else { return Ok(()) };
        if let (true, Some(create)) = (field.view().is_null(), creation) {
            let made = match (create.kind, field.view().scalar()) {
                // Only the tag changes: what stood for null is the text now.
                (Kind::Scalar, Some(scalar)) => Node::scalar(Scalar { tag: create.tag, tagged: false, ..scalar }),
                (kind, _) => Node::empty(kind),
            };
            field.replace(made, self.follow.stamp, texts);
        }
        self.walk(field, rest, 0, set)
    }
}

/// The paths of many field specs as one tree: what an object has of them is found out in one walk.
pub(crate) struct PathTree<'a> {
    branches: Vec<Branch<'a>>,
}

#[derive(Default)]
struct Branch<'a> {
    children: Vec<(&'a str, usize)>,
    /// Which paths end here.
    ends: Vec<usize>,
}

impl<'a> PathTree<'a> {
    pub(crate) fn new<'p>(paths: impl IntoIterator<Item = &'p Path<'a>>) -> Self
    where
        'a: 'p,
    {
        let mut tree = Self { branches: vec![Branch::default()] };
        for (index, path) in paths.into_iter().enumerate() {
            let mut at = 0;
            // What is longer is refused when it is followed.
            for part in path.parts.iter().take(MAX_PATH_PARTS) {
                let next = tree.branches.len();
                let Some(branch) = tree.branches.get_mut(at) else { break };
                match branch.children.iter().find(|(name, _)| name == part) {
                    Some((_, child)) => at = *child,
                    None => {
                        branch.children.push((part, next));
                        tree.branches.push(Branch::default());
                        at = next;
                    }
                }
            }
            if let Some(branch) = tree.branches.get_mut(at) {
                branch.ends.push(index);
            }
        }
        tree
    }

    /// Calls `found` with the number of each path that leads somewhere, and with what is there; with nothing where a path is at odds with what is
    /// there, so that only following it tells.
    pub(crate) fn find<'t>(&self, view: View<'t, 'a>, found: &mut dyn FnMut(usize, Option<View<'t, 'a>>)) {
        self.descend(0, view, 0, found);
    }

    fn descend<'t>(&self, at: usize, view: View<'t, 'a>, nesting: usize, found: &mut dyn FnMut(usize, Option<View<'t, 'a>>)) {
        let Some(branch) = self.branches.get(at) else { return };
        if nesting == 0 {
            branch.ends.iter().for_each(|index| found(*index, Some(view)));
        }
        if branch.children.is_empty() || view.is_null() {
            return;
        }
        match view.kind() {
            Kind::List if nesting < MAX_NESTED_LISTS => view.items().for_each(|item| self.descend(at, item, nesting + 1, found)),
            Kind::List | Kind::Scalar => branch.children.iter().for_each(|(_, child)| self.at_odds(*child, found)),
            Kind::Map => {
                for (part, child) in &branch.children {
                    let (name, is_list) = bare(part);
                    match view.get(name) {
                        _ if name.is_empty() || not_a_name(name).is_some() => self.at_odds(*child, found),
                        Some(value) if is_list && value.is_null() => self.at_odds(*child, found),
                        Some(value) => self.descend(*child, value, 0, found),
                        None => {}
                    }
                }
            }
        }
    }

    fn at_odds<'t>(&self, from: usize, found: &mut dyn FnMut(usize, Option<View<'t, 'a>>)) {
        let mut open = vec![from];
        while let Some(branch) = open.pop().and_then(|at| self.branches.get(at)) {
            branch.ends.iter().for_each(|index| found(*index, None));
            open.extend(branch.children.iter().map(|(_, child)| *child));
        }
    }
}

/// Adds a field spec to a list (`FsSlice.MergeOne`): nothing if it is covered already. The error is kustomize's message.
pub(crate) fn merge_one<'a>(list: &mut Vec<FieldSpec<'a>>, spec: FieldSpec<'a>) -> Result<(), String> {
    match list.iter().find(|known| known.path == spec.path && known.gvk.is_selected(&spec.gvk)) {
        Some(known) if known.create != spec.create => Err(format!(
            "conflicting fieldspecs: `{}` of {} is given with `create: {}` and with `create: {}`",
            spec.path, spec.gvk, known.create, spec.create
        )),
        Some(_) => Ok(()),
        None => {
            list.push(spec);
            Ok(())
        }
    }
}

/// Adds field specs to a list (`FsSlice.MergeAll`).
pub(crate) fn merge_all<'a>(list: &mut Vec<FieldSpec<'a>>, specs: &[FieldSpec<'a>]) -> Result<(), String> {
    specs.iter().try_for_each(|spec| merge_one(list, *spec))
}

#[cfg(test)]
mod tests;
