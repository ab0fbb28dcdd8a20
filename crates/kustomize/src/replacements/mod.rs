//! Owns replacements (`filters/replacement`): a value of one object, or one that is written down, goes to fields of others.

mod comments;
mod embedded;
#[cfg(test)]
mod tests;

use plumb_world::{Diagnostic, Span};

use crate::args::{FieldOptions, Replacement, SourceSelector, TargetSelector};
use crate::decode::{Fields, Mode, Placed};
use crate::id::{DEFAULT_NAMESPACE, Id};
use crate::limits::Limit;
use crate::load::Loader;
use crate::path::{Walk, dead_end, lookup, split};
use crate::problem::{Outcome, all, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::selector::Matcher;
use crate::tree::{Kind, Node, Scalar, Stamp, View};

const BY: &str = "replacements";
/// The link of an origin's chain that is the field a value was taken from.
const SOURCE: &str = "replacements source";
/// What a path is that is not said.
const DEFAULT_PATH: &str = "metadata.name";

/// Reads the transformer from an object that configures it.
pub(crate) fn read_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>) -> Outcome<Vec<Replacement<'a>>> {
    let mut fields = Fields::open(run, config, "a ReplacementTransformer", Mode::Plugin);
    let replacements = fields.list("replacements", Replacement::read);
    fields.close()?;
    Ok(replacements)
}

/// Reads the files that stand for replacements, and returns all of them in their order.
pub(crate) fn load<'a>(replacements: Vec<Replacement<'a>>, loader: &Loader, run: &Run<'a>) -> Outcome<Vec<Replacement<'a>>> {
    let parts = replacements.into_iter().map(|replacement| {
        if replacement.path.text.is_empty() {
            return Ok(vec![replacement]);
        }
        if replacement.source.is_some() || !replacement.targets.is_empty() {
            let mistake = wrong("replacement", "cannot specify both path and inline replacement", replacement.place);
            return Err(mistake.hint("Move what is written here to the file, or take `path` out.").into());
        }
        let file = loader.file(run, replacement.path)?;
        let text = String::from_utf8_lossy(&file.bytes()).into_owned();
        match run.texts.read(file.id, text.into()).documents().next() {
            Some(Ok(document)) if document.root().kind() == plumb_yaml::Kind::Map || document.root().kind() == plumb_yaml::Kind::List => {
                Replacement::read_file(run, View::Written(document.root()))
            }
            Some(Err(errors)) => {
                let why = errors.first().map(ToString::to_string).unwrap_or_default();
                Err(wrong("replacement", format!("`{}` is no YAML: {why}", replacement.path.text), replacement.path.place).into())
            }
            _ => {
                let message = format!("`{}` is neither a replacement nor a list of replacements", replacement.path.text);
                Err(wrong("replacement", message, replacement.path.place).into())
            }
        }
    });
    Ok(all(parts)?.into_iter().flatten().collect())
}

/// Replaces, one after another.
pub(crate) fn apply<'a>(replacements: &[Replacement<'a>], resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    if replacements.is_empty() {
        return Ok(());
    }
    let list = resources.list_mut();
    let mut ids: Vec<Vec<Id<'a>>> = list.iter().map(|resource| ids_of(resource, run)).collect();
    all(replacements.iter().map(|replacement| replace(replacement, list, &mut ids, run)))?;
    list.retain(|resource| !resource.view().is_null_or_empty());
    Ok(())
}

/// The identities an object has and had, with namespaces as they are written.
fn ids_of<'a>(resource: &Resource<'a>, run: &Run<'a>) -> Vec<Id<'a>> {
    std::iter::once(resource.id(run)).chain(resource.previous_ids(run)).collect()
}

/// How many of those are noted who had a hand in a value before it was put elsewhere.
const MAX_HANDS: usize = 16;

/// What is put into targets.
struct Value<'a> {
    node: Node<'a>,
    /// Who had a hand in it, the last one first.
    places: Vec<Span>,
    /// The object that it is part of, and where: what a target changes there, the next one gets.
    lives_in: Option<(usize, Vec<String>)>,
}

fn replace<'a>(replacement: &Replacement<'a>, list: &mut [Resource<'a>], ids: &mut [Vec<Id<'a>>], run: &Run<'a>) -> Outcome<()> {
    if replacement.source.is_none() && replacement.source_value.is_none() || replacement.targets.is_empty() {
        let mistake = wrong("replacement", "replacements must specify a source and at least one target", replacement.place);
        return Err(mistake.hint("Give it a `source` (or a `sourceValue`) and `targets`.").into());
    }
    let mut value = value_of(replacement, list, ids, run)?;
    for target in &replacement.targets {
        run.take(Limit::Steps, list.len(), target.place)?;
        let matchers = Matchers::new(target, replacement.place)?;
        let mut selected = false;
        for at in 0..list.len() {
            let (Some(resource), Some(own_ids)) = (list.get_mut(at), ids.get_mut(at)) else { continue };
            if !matchers.select(resource, own_ids) {
                continue;
            }
            selected = true;
            resource.show_annotations(run.texts);
            put(target, replacement, resource, at, &mut value, run)?;
            *own_ids = ids_of(resource, run);
        }
        if let (false, Some(select)) = (selected, &target.select) {
            let names: Vec<&str> = list.iter().map(Resource::name).collect();
            let near = plumb_manifest::nearest(select.name, names.iter().copied());
            let message = "no object matches this target of a replacement, so it changes nothing".to_owned();
            run.missed("replacement-target", message, select.place.or(target.place), near, &[]);
        }
    }
    Ok(())
}

/// Takes the value from its source.
fn value_of<'a>(replacement: &Replacement<'a>, list: &[Resource<'a>], ids: &[Vec<Id<'a>>], run: &Run<'a>) -> Outcome<Value<'a>> {
    let source = match (&replacement.source, replacement.source_value) {
        (Some(_), Some(_)) => {
            let mistake = wrong("replacement", "value and resource selectors are mutually exclusive", replacement.place);
            return Err(mistake.hint("Write either `source` or `sourceValue`.").into());
        }
        (Some(source), None) => source,
        (None, text) => {
            return Ok(Value { node: Node::untagged(text.unwrap_or("")), places: replacement.place.into_iter().collect(), lives_in: None });
        }
    };
    let at = find_source(source, list, ids, run)?;
    let path = if source.field_path.is_empty() { DEFAULT_PATH } else { source.field_path };
    let wrong_path = |error: String| wrong("replacement-source", format!("error looking up replacement source: {error}"), source.place);
    let parts = split(path).map_err(wrong_path)?;
    let root = list.get(at).map(Resource::view).ok_or_else(|| wrong_path("it is gone".to_owned()))?;
    let found = lookup(root, &parts).map_err(wrong_path)?;
    let Some(found) = found.filter(|found| !found.is_null_or_empty()) else {
        let message = format!("fieldPath `{path}` is missing for replacement source {}", source_id(source));
        let mistake = with_keys(wrong("replacement-source", message, source.place), root, &parts);
        return Err(match run.texts.place(root) {
            Some(place) => mistake.at(place, "the source is here").into(),
            None => mistake.into(),
        });
    };
    let places = hands(found, run);
    match source.options.filter(|options| !options.delimiter.is_empty()) {
        Some(options) => Ok(Value { node: part_of(found, &options, source, run)?, places, lives_in: None }),
        None => Ok(Value { node: found.to_node(), places, lives_in: Some((at, parts)) }),
    }
}

/// Takes one of the parts that a delimiter makes of a text.
fn part_of<'a>(found: View<'_, 'a>, options: &FieldOptions<'a>, source: &SourceSelector<'a>, run: &Run<'a>) -> Outcome<Node<'a>> {
    let Some(scalar) = found.scalar() else {
        let mistake = wrong("replacement-source", "delimiter option can only be used with scalar nodes", source.place);
        return Err(mistake.hint(format!("`{}` is a list or map; take the options out, or name a field in it.", source.field_path)).into());
    };
    let text = found.value_text();
    let part = usize::try_from(options.index).ok().and_then(|index| text.split(options.delimiter).nth(index));
    match part {
        Some(part) => {
            let origin = found.node_ref().map_or(found.origin(), |written| run.texts.written(written));
            Ok(Node::scalar(Scalar { text: part, ..scalar }).stamped(origin))
        }
        None => {
            let message = format!("options.index {} is out of bounds for value {text}", options.index);
            let parts = text.split(options.delimiter).count();
            let mistake = wrong("replacement-source", message, source.place);
            Err(mistake.hint(format!("`{}` makes {parts} of it; the first one has the index 0.", options.delimiter)).into())
        }
    }
}

fn source_id(source: &SourceSelector<'_>) -> String {
    Id { gvk: source.gvk, name: source.name, namespace: source.namespace, cluster_scoped: false }.to_string()
}

/// A source as kustomize names it in messages.
fn source_text(source: &SourceSelector<'_>) -> String {
    let mut text = source_id(source);
    if !source.field_path.is_empty() {
        text.push_str(&format!(":{}", source.field_path));
    }
    if let Some(options) = source.options.filter(|options| !options.delimiter.is_empty() || options.create) {
        text.push_str(&format!(":{}({}), create={}", options.delimiter, options.index, options.create));
    }
    text
}

fn find_source<'a>(source: &SourceSelector<'a>, list: &[Resource<'a>], ids: &[Vec<Id<'a>>], run: &Run<'a>) -> Outcome<usize> {
    let namespace = Some(source.namespace).filter(|namespace| !namespace.is_empty());
    let is_it = |id: &Id<'a>| {
        (source.name.is_empty() || source.name == id.name)
            && namespace.is_none_or(|namespace| namespace == id.effective_namespace())
            && id.gvk.is_selected(&source.gvk)
    };
    let mut found = ids.iter().enumerate().filter(|(_, ids)| ids.iter().any(is_it)).map(|(at, _)| at);
    match (found.next(), found.next()) {
        (Some(at), None) => Ok(at),
        (Some(first), Some(second)) => {
            let mut mistake = wrong("replacement-source", format!("multiple matches for selector {}", source_text(source)), source.place);
            for at in [first, second] {
                if let Some(place) = list.get(at).and_then(|resource| run.texts.place(resource.view())) {
                    mistake = mistake.at(place, "one of them is here");
                }
            }
            Err(mistake.hint("Say more of the source: its `kind`, `name` and `namespace`.").into())
        }
        (None, _) => {
            let mut mistake = wrong("replacement-source", format!("nothing selected by {}", source_text(source)), source.place);
            let names = ids.iter().flatten().filter(|id| id.gvk.is_selected(&source.gvk)).map(|id| id.name);
            if let Some(near) = plumb_helm::nearest(source.name, names) {
                mistake = mistake.hint(format!("Did you mean `{near}`?"));
            } else if let Some(id) = ids.iter().flatten().find(|id| id.name == source.name) {
                let namespace = if id.namespace.is_empty() { DEFAULT_NAMESPACE } else { id.namespace };
                mistake = mistake.hint(format!("There is a {} of that name in the namespace {namespace}.", id.gvk.kind));
            }
            Err(mistake.into())
        }
    }
}

/// Which objects a target means.
struct Matchers {
    select: Matcher,
    reject: Vec<Matcher>,
}

impl Matchers {
    fn new(target: &TargetSelector<'_>, place: Option<Span>) -> Outcome<Self> {
        let Some(select) = &target.select else {
            let mistake = wrong("replacement-target", "target must specify resources to select", target.place.or(place));
            return Err(mistake.hint("Give the target a `select` with a `kind` or a `name`.").into());
        };
        Ok(Self { select: Matcher::new(select)?, reject: all(target.reject.iter().map(Matcher::new))? })
    }

    /// Labels reject whatever the rest of that entry says.
    fn select(&self, resource: &Resource<'_>, ids: &[Id<'_>]) -> bool {
        let rejects = |reject: &Matcher| {
            reject.has_labels() && reject.matches_labels(resource) || reject.has_id() && ids.iter().any(|id| reject.matches_id(id))
        };
        ids.iter().any(|id| self.select.matches_id(id)) && self.select.matches_labels(resource) && !self.reject.iter().any(rejects)
    }
}

/// Puts the value into the fields of one object.
fn put<'a>(
    target: &TargetSelector<'a>,
    replacement: &Replacement<'a>,
    resource: &mut Resource<'a>,
    at: usize,
    value: &mut Value<'a>,
    run: &Run<'a>,
) -> Outcome<()> {
    let default = [Placed { text: DEFAULT_PATH, place: target.place }];
    let paths = if target.field_paths.is_empty() { &default[..] } else { &target.field_paths };
    let options = target.options.unwrap_or_default();
    for path in paths {
        let walk = Walk { run, stamp: Stamp { by: BY, place: path.place.or(replacement.place) } };
        let create = options.create.then(|| value.node.kind());
        let outcome = split(path.text).and_then(|parts| put_at(&parts, create, &options, resource, value, walk));
        match outcome {
            Ok(0) => return Err(not_found(path, None, options.create, resource, run).into()),
            Ok(_) => {}
            Err(error) => return Err(not_found(path, Some(error), options.create, resource, run).into()),
        }
        if let Some((lives_at, parts)) = &value.lives_in
            && *lives_at == at
            && let Ok(Some(now)) = lookup(resource.view(), parts)
        {
            value.node = now.to_node();
        }
    }
    Ok(())
}

fn put_at<'a>(
    parts: &[String],
    create: Option<Kind>,
    options: &FieldOptions<'a>,
    resource: &mut Resource<'a>,
    value: &Value<'a>,
    walk: Walk<'_, 'a>,
) -> Result<usize, String> {
    walk.run.take_copy(value.node.view(), parts.len())?;
    if embedded::put(&mut resource.node, parts, create, value, walk) {
        return Ok(1);
    }
    walk.each(&mut resource.node, parts, create, &mut |node| set(node, value, options, walk))
}

/// Sets one field. A scalar keeps its type and quotes, whatever comes.
fn set<'a>(node: &mut Node<'a>, value: &Value<'a>, options: &FieldOptions<'a>, walk: Walk<'_, 'a>) -> Result<(), String> {
    let old = node.view().scalar();
    let mut text = value.node.view().text();
    if !options.delimiter.is_empty() {
        let old = old.ok_or_else(|| "delimiter option can only be used with scalar nodes".to_owned())?;
        text = walk.run.texts.keep(joined(old.text, value.node.view().value_text(), options));
    }
    let new = match old {
        Some(old) => Node::scalar(Scalar { text, ..old }),
        None => value.node.clone(),
    };
    stamp(node, new, value, walk);
    Ok(())
}

/// Puts a part in its place among those that a delimiter makes; before the first or behind the last one there is room too.
fn joined(old: &str, part: &str, options: &FieldOptions<'_>) -> String {
    let mut parts: Vec<&str> = old.split(options.delimiter).collect();
    match usize::try_from(options.index) {
        Err(_) => parts.insert(0, part),
        Ok(index) => match parts.get_mut(index) {
            Some(old) => *old = part,
            None => parts.push(part),
        },
    }
    parts.join(options.delimiter)
}

/// Returns the places of those who had a hand in a value, the last one first, each once. A value may have come from where it goes to: without an end to
/// it, what is noted would double with each replacement.
fn hands(view: View<'_, '_>, run: &Run<'_>) -> Vec<Span> {
    let mut places = Vec::new();
    for place in run.texts.chain(view).into_iter().filter_map(|stamp| stamp.place) {
        if places.len() < MAX_HANDS && !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// Replaces a node and notes both: the field it was taken from, and the replacement.
fn stamp<'a>(node: &mut Node<'a>, new: Node<'a>, value: &Value<'a>, walk: Walk<'_, 'a>) {
    let (first, rest) = value.places.split_last().map_or((None, &[][..]), |(first, rest)| (Some(*first), rest));
    node.replace(new, Stamp { by: SOURCE, place: first }, walk.run.texts);
    for place in rest.iter().rev() {
        let origin = walk.run.texts.over(Stamp { by: SOURCE, place: Some(*place) }, node.view().origin());
        *node = std::mem::replace(node, Node::null()).stamped(origin);
    }
    let origin = walk.run.texts.over(walk.stamp, node.view().origin());
    let stamped = std::mem::replace(node, Node::null()).stamped(origin);
    *node = stamped;
}

fn not_found<'a>(path: &Placed<'a>, why: Option<String>, create: bool, resource: &Resource<'a>, run: &Run<'a>) -> Diagnostic {
    let find = if create { "find or create" } else { "find" };
    let mut message = format!("unable to {find} field {:?} in replacement target", path.text);
    if let Some(why) = why {
        message.push_str(&format!(": {why}"));
    }
    let mut mistake = wrong("replacement-target", message, path.place);
    if let Some(place) = run.texts.place(resource.view()) {
        mistake = mistake.at(place, "the target is here");
    }
    let parts = split(path.text).unwrap_or_default();
    let mistake = with_keys(mistake, resource.view(), &parts);
    if create { mistake } else { mistake.hint("With `options: {create: true}` the field is made where it is missing.") }
}

/// Says which keys are there where a path leads nowhere.
fn with_keys<'a>(mistake: Diagnostic, root: View<'_, 'a>, parts: &[String]) -> Diagnostic {
    const SHOWN: usize = 5;
    let Some((part, keys)) = dead_end(root, parts) else { return mistake };
    if let Some(near) = plumb_helm::nearest(part, keys.iter().copied()) {
        return mistake.hint(format!("There is no `{part}`; did you mean `{near}`?"));
    }
    if keys.is_empty() {
        return mistake;
    }
    let shown: Vec<String> = keys.iter().take(SHOWN).map(|key| format!("`{key}`")).collect();
    mistake.hint(format!("There is no `{part}`, but {}{}.", shown.join(", "), if keys.len() > SHOWN { " and others" } else { "" }))
}
