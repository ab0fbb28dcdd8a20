//! Owns following names: fields that hold the name of an object get the name that it has now (`nameref.go`, `namereferencetransformer.go`).

use std::collections::HashMap;

use plumb_world::Diagnostic;

use super::candidates::{Candidates, Referrer, Wanted};
use crate::config::Referrers;
use crate::fieldspec::{Follow, Path, PathTree};
use crate::id::Gvk;
use crate::problem::{Failure, Outcome, all, wrong};
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Node, Origin, Stamp, Tag, View};

/// The fields of a kind that hold names: each with the kind it refers to.
struct Fields<'a> {
    paths: Vec<Path<'a>>,
    targets: Vec<Gvk<'a>>,
    tree: PathTree<'a>,
}

/// What becomes of one name.
#[derive(Clone, Copy)]
struct Change<'a> {
    name: &'a str,
    /// Written too, where the field is a map.
    namespace: &'a str,
    stamp: Stamp,
}

/// Gives all fields that refer to objects by name the names that these have now.
pub(crate) fn follow<'a>(references: &[Referrers<'a>], resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let candidates = Candidates::new(resources, run);
    // Role bindings are looked at even if no name changed: a namespace that is blank is an error in any case.
    if candidates.none_had_another() && resources.iter().all(|resource| resource.kind() != "RoleBinding") {
        return Ok(());
    }
    let mut of_kind: HashMap<Gvk<'a>, Fields<'a>> = HashMap::new();
    let mut outcomes = Vec::new();
    for at in 0..resources.len() {
        let Some(resource) = resources.get(at) else { continue };
        let gvk = Gvk { kind: resource.previous.first().map_or(resource.kind(), |first| first.kind), ..resource.gvk() };
        let fields = of_kind.entry(gvk).or_insert_with(|| Fields::of(&gvk, references, run));
        if resource.kind() == "RoleBinding" && !fields.paths.is_empty() {
            outcomes.push(candidates.referrer(at, resources, run).map(drop));
            if outcomes.last().is_some_and(Result::is_err) {
                continue;
            }
        }
        let marked = fields.marked(resource.view(), &candidates);
        if marked.is_empty() {
            continue;
        }
        outcomes.push(follow_in(at, fields, &marked, &candidates, resources, run));
    }
    all(outcomes).map(drop)
}

impl<'a> Fields<'a> {
    fn of(gvk: &Gvk<'a>, references: &[Referrers<'a>], run: &Run<'a>) -> Self {
        let (mut paths, mut targets) = (Vec::new(), Vec::new());
        for Referrers { target, fields } in references {
            for spec in fields.iter().filter(|spec| gvk.is_selected(&spec.gvk)) {
                // It is the first kind that counts, so that an object whose kind was changed is still followed.
                let spec = crate::args::FieldSpec { gvk: Gvk::default(), ..*spec };
                paths.push(Path::new(spec, run));
                targets.push(*target);
            }
        }
        let tree = PathTree::new(&paths);
        Self { paths, targets, tree }
    }

    /// Returns which fields may have to change, in their order: those whose names some object had, and those that only a closer look tells about.
    fn marked(&self, view: View<'_, 'a>, candidates: &Candidates<'a>) -> Vec<usize> {
        let mut marked = Vec::new();
        self.tree.find(view, &mut |index, leaf| {
            let maybe = match leaf {
                Some(leaf) if leaf.kind() == Kind::Scalar => !leaf.is_null() && candidates.had(leaf.text()),
                _ => true,
            };
            if maybe {
                marked.push(index);
            }
        });
        marked.sort_unstable();
        marked.dedup();
        marked
    }
}

/// Follows the marked fields of one object, one after the other: what one changes is what the next one sees.
fn follow_in<'a>(
    at: usize,
    fields: &Fields<'a>,
    marked: &[usize],
    candidates: &Candidates<'a>,
    resources: &mut Resources<'a>,
    run: &Run<'a>,
) -> Outcome<()> {
    for index in marked {
        let (Some(path), Some(target)) = (fields.paths.get(*index), fields.targets.get(*index)) else { continue };
        let Some(referrer) = candidates.referrer(at, resources, run)? else { continue };
        let mut survey = Survey { path, target, referrer: &referrer, candidates, resources, run, changes: Vec::new() };
        let surveyed = survey.paths(referrer.resource.view());
        let changes = survey.changes;
        let id = referrer.id;
        let around = |failure| match failure {
            Failure::Wrong(mistakes) => {
                let prefix = format!("updating name reference in '{}' field of '{id}': ", path.spec.path);
                Failure::Wrong(
                    mistakes.into_iter().map(|mistake| Diagnostic { message: prefix.clone() + &mistake.message, ..mistake }).collect(),
                )
            }
            world => world,
        };
        surveyed.map_err(around)?;
        // Fields that no change is known of are still followed if they are at odds with the path, for the error.
        if changes.iter().all(Option::is_none) && !at_odds(path, referrer.resource.view()) {
            continue;
        }
        let Some(resource) = resources.node_mut(at) else { continue };
        let follow = Follow { run, create: None, stamp: Stamp { by: "nameReference", place: None } };
        let mut changes = changes.into_iter();
        follow.apply(resource, path, &mut |field| carry_out(field, &mut changes, run)).map_err(around)?;
    }
    Ok(())
}

/// Returns whether following a path ends at something that is neither a map nor a list, or makes a list of a null.
fn at_odds<'a>(path: &Path<'a>, view: View<'_, 'a>) -> bool {
    let mut odd = false;
    PathTree::new([path]).find(view, &mut |_, leaf| odd |= leaf.is_none());
    odd
}

/// Finding out what becomes of the names in one field, before anything is opened.
struct Survey<'s, 'r, 'a> {
    path: &'s Path<'a>,
    target: &'s Gvk<'a>,
    referrer: &'s Referrer<'r, 'a>,
    candidates: &'s Candidates<'a>,
    resources: &'s Resources<'a>,
    run: &'s Run<'a>,
    /// One for each name, in the order in which they are visited.
    changes: Vec<Option<Change<'a>>>,
}

impl<'a> Survey<'_, '_, 'a> {
    fn paths(&mut self, view: View<'_, 'a>) -> Outcome<()> {
        let tree = PathTree::new([self.path]);
        let mut outcome = Ok(());
        tree.find(view, &mut |_, leaf| {
            if let (Ok(()), Some(leaf)) = (&outcome, leaf) {
                outcome = self.field(leaf);
            }
        });
        outcome
    }

    fn field(&mut self, field: View<'_, 'a>) -> Outcome<()> {
        match field.kind() {
            Kind::List => field.items().try_for_each(|item| match item.kind() {
                Kind::List => {
                    let message = "a name is expected to be either a string or a map of string, not a list";
                    let mistake = wrong("field-spec", message, self.run.texts.place(item));
                    Err(mistake.hint("Check the path of the `nameReference` against the object.").into())
                }
                _ => self.name(item),
            }),
            _ => self.name(field),
        }
    }

    fn name(&mut self, field: View<'_, 'a>) -> Outcome<()> {
        if field.is_null() {
            return Ok(());
        }
        let is_map = field.kind() == Kind::Map;
        let name = if is_map { field.get("name") } else { Some(field) };
        let Some(name) = name else {
            let mistake = wrong("field-spec", "path config error; no 'name' field in node", self.run.texts.place(field));
            return Err(mistake.hint("Let the path of the `nameReference` end at a name, or at a map with a `name`.").into());
        };
        let name = name.text();
        let map = is_map.then(|| field.get("namespace").map(View::text));
        let wanted = Wanted { name, target: self.target, role: self.role(), map };
        let Some(at) = self.candidates.select(self.referrer, &wanted, self.resources, self.run)? else {
            self.changes.push(None);
            return Ok(());
        };
        let Some(referral) = self.resources.get(at) else { return Ok(()) };
        let change = Change {
            name: referral.name(),
            namespace: referral.namespace(),
            stamp: Stamp {
                by: "nameReference",
                place: referral.view().at(&["metadata", "name"]).and_then(|name| self.run.texts.place(name)),
            },
        };
        let same = change.name == name && (!is_map || change.namespace.is_empty());
        self.changes.push((!same).then_some(change));
        Ok(())
    }

    /// Returns the kind that `roleRef` names, if the field is its name.
    fn role(&self) -> Option<Gvk<'a>> {
        if !self.path.spec.path.ends_with("roleRef/name") {
            return None;
        }
        let role = self.referrer.resource.view().get("roleRef")?;
        Some(Gvk { group: role.get("apiGroup")?.text(), version: "", kind: role.get("kind")?.text() })
    }
}

/// Carries out on a field what the survey found, name by name in the same order.
fn carry_out<'a>(field: &mut Node<'a>, changes: &mut impl Iterator<Item = Option<Change<'a>>>, run: &Run<'a>) -> Outcome<()> {
    if field.kind() == Kind::List {
        for item in field.items_mut(run.texts).map(Vec::as_mut_slice).unwrap_or_default() {
            change_name(item, changes, run);
        }
    } else {
        change_name(field, changes, run);
    }
    Ok(())
}

fn change_name<'a>(field: &mut Node<'a>, changes: &mut impl Iterator<Item = Option<Change<'a>>>, run: &Run<'a>) {
    if field.view().is_null() {
        return;
    }
    let Some(change) = changes.next().flatten() else { return };
    match field.kind() {
        Kind::Scalar if !change.name.is_empty() => field.set_text(change.name, Tag::None, change.stamp, run.texts),
        Kind::Map => {
            put(field, "name", change.name, change.stamp, run);
            if !change.namespace.is_empty() {
                put(field, "namespace", change.namespace, change.stamp, run);
            }
        }
        _ => {}
    }
}

/// Sets a text of a map without a tag; one that is there keeps its style.
fn put<'a>(map: &mut Node<'a>, key: &'static str, text: &'a str, stamp: Stamp, run: &Run<'a>) {
    let texts = run.texts;
    match map.get_mut(key, texts) {
        Some(old) => old.set_text(text, Tag::None, stamp, texts),
        None => map.set(key, Node::untagged(text).stamped(texts.over(stamp, Origin::WRITTEN)), texts),
    }
}
