//! Owns strategic merge of trees (kyaml's `merge2` over `walk`): a patch is laid over an object field by field, and item by item where the schema says that
//! a list merges so. What it comes to where Go's code changes a list while it reads it is matched to the letter.
//!
//! The walk goes through all of an object, also where the patch has nothing: nulls that are written as nothing go, and items that share a key become one.
//! What it would leave as it is is looked at only.

mod directive;
mod list;
mod settled;

use std::collections::BTreeSet;

use plumb_schema::kustomize::{Schema, Type};
use plumb_world::Span;

use crate::limits::{Limit, MAX_DEPTH};
use crate::problem::{Outcome, wrong};
use crate::run::Run;
use crate::tree::{Field, Kind, Node, Origin, Stamp, Tag, Texts, View};
use directive::Directive;

/// How a patch is laid over.
#[derive(Clone, Copy)]
pub(crate) struct Merging<'r, 'a> {
    pub(crate) schema: &'r Schema,
    pub(crate) texts: &'a Texts,
    /// The step that merges.
    pub(crate) by: &'static str,
    /// Whether new items go before those that are there.
    pub(crate) prepend: bool,
    /// Whether lists that the schema does not know merge if their items have names.
    pub(crate) infer: bool,
}

/// Lays a patch over a node as kustomize does. Nothing if the patch deletes it.
pub(crate) fn merge<'a>(dest: Node<'a>, patch: &Node<'a>, by: &'static str, run: &Run<'a>) -> Outcome<Option<Node<'a>>> {
    let schema = run.schema();
    Merging { schema: &schema, texts: run.texts, by, prepend: true, infer: false }.merge(dest, patch)
}

/// What is laid over a node.
#[derive(Clone)]
enum Over<'a> {
    Nothing,
    /// The node itself: it is the patch's, put where nothing was.
    Itself,
    Patch(Node<'a>),
}

impl<'a> Over<'a> {
    fn patch(&self) -> Option<View<'_, 'a>> {
        match self {
            Self::Patch(node) => Some(node.view()),
            Self::Nothing | Self::Itself => None,
        }
    }
}

/// What a step of the walk comes to.
struct Walked<'a> {
    node: Node<'a>,
    from: From,
}

/// Whose node it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Object,
    Patch,
    /// The object's, and a null that stays.
    Kept,
}

/// Whether the walk goes on below a node: with which node and what over it.
enum Visit<'a> {
    Gone,
    Done(Walked<'a>),
    Below(Node<'a>, Over<'a>, From),
}

impl<'a> Merging<'_, 'a> {
    pub(crate) fn merge(&self, dest: Node<'a>, patch: &Node<'a>) -> Outcome<Option<Node<'a>>> {
        let walked = self.walk(Some(dest), Over::Patch(patch.clone()), None, 0)?;
        Ok(walked.map(|walked| if walked.from == From::Patch { self.stamped(walked.node, Origin::WRITTEN) } else { walked.node }))
    }

    /// Counts looks at items.
    fn take_steps(&self, count: usize) -> Outcome<()> {
        if self.texts.meter().take(Limit::Steps, count) {
            Ok(())
        } else {
            Err(wrong("limit", Limit::Steps.message(), None).hint("Make the lists that are merged shorter.").into())
        }
    }

    fn walk(&self, dest: Option<Node<'a>>, over: Over<'a>, of: Option<Type>, depth: usize) -> Outcome<Option<Walked<'a>>> {
        let of = self.type_of(dest.as_ref().map(Node::view), over.patch(), of);
        if let (Some(node), Over::Nothing | Over::Itself) = (&dest, &over)
            && self.is_settled(node.view(), of, matches!(over, Over::Itself), depth)
        {
            return Ok(dest.map(|node| Walked { node, from: From::Object }));
        }
        if depth > MAX_DEPTH {
            let place = over.patch().and_then(|patch| self.texts.place(patch));
            return Err(wrong("patch", format!("a patch reaches deeper than {MAX_DEPTH} levels"), place).into());
        }
        let own = dest.as_ref().map(Node::view).filter(|view| !view.is_null());
        let patch = over.patch().filter(|view| !view.is_null());
        if let (Some(own), Some(patch)) = (own, patch)
            && own.kind() != patch.kind()
        {
            return Err(self.wrong_kind(own, patch).into());
        }
        match own.or(patch).map(View::kind) {
            None | Some(Kind::Map) => self.walk_map(dest, over, of, depth),
            Some(Kind::List) if self.is_associative(own, patch, of) => self.walk_list(dest, over, of, depth),
            Some(Kind::List | Kind::Scalar) => Ok(match over {
                // What says the same changes nothing, and the object's own place still explains it.
                Over::Patch(node) if dest.as_ref().is_some_and(|dest| says_the_same(dest.view(), node.view())) => {
                    dest.map(|node| Walked { node, from: From::Object })
                }
                Over::Patch(node) => Some(Walked { node, from: From::Patch }),
                Over::Nothing | Over::Itself => dest.map(|node| Walked { node, from: From::Object }),
            }),
        }
    }

    fn wrong_kind(&self, own: View<'_, 'a>, patch: View<'_, 'a>) -> plumb_world::Diagnostic {
        let message = format!("wrong node kind: expected {} but got {}", node_kind(own.kind()), node_kind(patch.kind()));
        let mut diagnostic = wrong("patch", message, self.texts.place(patch));
        if let Some(place) = self.texts.place(own) {
            diagnostic = diagnostic.at(place, format!("here it is {}", kind_name(own.kind())));
        }
        diagnostic.hint(format!("Patch it with {}, or delete it first with `null`.", kind_name(own.kind())))
    }

    /// Returns the type that a node is known to have, or that it says it has.
    fn type_of(&self, own: Option<View<'_, 'a>>, patch: Option<View<'_, 'a>>, of: Option<Type>) -> Option<Type> {
        of.or_else(|| {
            [own, patch].into_iter().flatten().find_map(|view| {
                let kind = view.get("kind").map_or("", View::value_text);
                let api_version = view.get("apiVersion").map_or("", View::value_text);
                if kind.is_empty() || api_version.is_empty() { None } else { self.schema.of(api_version, kind) }
            })
        })
    }

    fn is_associative(&self, own: Option<View<'_, 'a>>, patch: Option<View<'_, 'a>>, of: Option<Type>) -> bool {
        match of {
            Some(of) => self.schema.merge(of).is_associative(),
            None => self.infer && [own, patch].into_iter().flatten().any(|view| list::named(view)),
        }
    }

    fn walk_map(&self, dest: Option<Node<'a>>, over: Over<'a>, of: Option<Type>, depth: usize) -> Outcome<Option<Walked<'a>>> {
        let (mut node, over, from) = match self.visit_map(dest, over)? {
            Visit::Gone => return Ok(None),
            Visit::Done(walked) => return Ok(Some(walked)),
            Visit::Below(node, over, from) => (node, over, from),
        };
        let mut names: BTreeSet<&'a str> = node.view().fields().map(|(key, _)| key.text).collect();
        names.extend(over.patch().into_iter().flat_map(View::fields).map(|(key, _)| key.text));
        for name in names {
            let of = of.and_then(|of| self.schema.field(of, name));
            let over = match &over {
                Over::Nothing => Over::Nothing,
                Over::Itself => Over::Itself,
                Over::Patch(patch) => patch.view().get(name).map_or(Over::Nothing, |value| Over::Patch(value.to_node())),
            };
            self.walk_field(&mut node, name, over, of, depth)?;
        }
        Ok(Some(Walked { node, from }))
    }

    /// Merges one field and puts it where it was, or takes it out.
    fn walk_field(&self, map: &mut Node<'a>, name: &'a str, over: Over<'a>, of: Option<Type>, depth: usize) -> Outcome<()> {
        let view = map.view().get(name);
        if let (Some(view), Over::Nothing | Over::Itself) = (view, &over)
            && self.is_settled(view, self.type_of(Some(view), None, of), matches!(over, Over::Itself), depth + 1)
        {
            return Ok(());
        }
        let was = view.map(|view| (self.texts.history(view), view.kind() == Kind::Scalar));
        let dest = map.get_mut(name, self.texts).map(|node| match node.kind() {
            // Its style is looked at later.
            Kind::Scalar => node.share(),
            Kind::List | Kind::Map => std::mem::replace(node, Node::null()),
        });
        let walked = self.walk(dest, over, of, depth + 1)?;
        match walked {
            None => {
                map.remove(name, self.texts);
            }
            Some(Walked { node, from: From::Kept }) => map.put(name, node, self.texts),
            Some(Walked { node, .. }) if node.view().is_null() => {
                map.remove(name, self.texts);
            }
            Some(Walked { mut node, from: From::Object }) => {
                // A text that was read means the same with and without quotes; one that a step put together may not.
                if node.view().scalar().is_some_and(|scalar| scalar.tag == Tag::None) {
                    node.quote_if_needed(self.texts);
                }
                map.put(name, node, self.texts);
            }
            Some(Walked { node, from: From::Patch }) => {
                let mut node = self.stamped(node, was.map_or(Origin::WRITTEN, |(origin, _)| origin));
                if was.is_some_and(|(_, is_scalar)| is_scalar) {
                    map.set(name, node, self.texts);
                } else {
                    node.quote_if_needed(self.texts);
                    map.put(name, node, self.texts);
                }
            }
        }
        Ok(())
    }

    fn visit_map(&self, dest: Option<Node<'a>>, over: Over<'a>) -> Outcome<Visit<'a>> {
        let Some(own) = dest.filter(|node| !node.view().is_null() || matches!(over, Over::Nothing)) else {
            let Over::Patch(mut patch) = over else { return Ok(Visit::Gone) };
            if patch.view().is_null() {
                return Ok(Visit::Gone);
            }
            // What is no directive is a field here.
            if let Ok(found) = directive::of_map(patch.view()) {
                directive::take_from_map(&mut patch, self.texts);
                if found == Directive::Delete {
                    return Ok(Visit::Gone);
                }
            }
            return Ok(Visit::Below(patch, Over::Itself, From::Patch));
        };
        if own.view().is_null() {
            // A null that is written out stays.
            let is_written = !own.view().text().is_empty();
            return Ok(if is_written { Visit::Done(Walked { node: own, from: From::Kept }) } else { Visit::Gone });
        }
        let (mut own, mut over) = (own, over);
        let found = match &over {
            Over::Nothing => Directive::Merge,
            Over::Itself => self.directive(directive::of_map(own.view()), own.view())?,
            Over::Patch(patch) if patch.view().is_null() => return Ok(Visit::Gone),
            Over::Patch(patch) => self.directive(directive::of_map(patch.view()), patch.view())?,
        };
        match &mut over {
            Over::Nothing => {}
            Over::Itself => directive::take_from_map(&mut own, self.texts),
            Over::Patch(patch) => directive::take_from_map(patch, self.texts),
        }
        Ok(match (found, over) {
            (Directive::Delete, _) => Visit::Gone,
            (Directive::Replace, Over::Patch(patch)) => Visit::Below(patch, Over::Itself, From::Patch),
            (_, over) => Visit::Below(own, over, From::Object),
        })
    }

    fn directive(&self, found: Result<Directive, &'a str>, patch: View<'_, 'a>) -> Outcome<Directive> {
        found.map_err(|text| {
            let mistake = wrong("patch", format!("unknown patch strategy '{text}'"), self.texts.place(patch));
            mistake.hint("`$patch` may be `delete`, `replace` or `merge`.").into()
        })
    }

    fn place(&self, view: View<'_, 'a>) -> Option<Span> {
        self.texts.place(view)
    }

    /// Notes that the patch put a node where another one was.
    fn stamped(&self, node: Node<'a>, was: Origin) -> Node<'a> {
        let stamp = Stamp { by: self.by, place: self.place(node.view()) };
        node.laid_over(was, stamp, self.texts)
    }

    /// Puts a key into an item that lost it.
    fn fill(&self, node: &mut Node<'a>, key: &str, text: &'a str) {
        let origin = self.texts.history(node.view());
        let mut value = Node::untagged(text).stamped(origin);
        value.quote_if_needed(self.texts);
        if let Some(fields) = node.fields_mut(self.texts) {
            fields.push(Field::new(self.texts.keep(key.to_owned()), value));
        }
    }
}

fn says_the_same(own: View<'_, '_>, patch: View<'_, '_>) -> bool {
    match (own.scalar(), patch.scalar()) {
        (Some(own), Some(patch)) => {
            let is_same_tag = own.tag == patch.tag && own.tagged == patch.tagged;
            own.text == patch.text && own.tag != Tag::Null && (is_same_tag || own.meaning() == patch.meaning())
        }
        _ => false,
    }
}

fn node_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Map => "MappingNode",
        Kind::List => "SequenceNode",
        Kind::Scalar => "ScalarNode",
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Map => "a map",
        Kind::List => "a list",
        Kind::Scalar => "a single value",
    }
}

#[cfg(test)]
pub(crate) mod tests;
