//! Owns making ConfigMaps and Secrets of literals, files and env files (`api/internal/generators`): what both have in common. The nodes have the tags and
//! styles that kustomize gives them, because those decide what is quoted in the end.

mod configmap;
pub(crate) mod helm;
mod kv;
mod secret;
#[cfg(test)]
mod tests;

use plumb_yaml::Style;

pub(crate) use configmap::configmap;
pub(crate) use secret::secret;

use crate::args::{GeneratorArgs, GeneratorOptions};
use crate::decode::{Fields, Mode, Placed};
use crate::problem::{Outcome, wrong};
use crate::resource::{Behavior, Resource};
use crate::run::Run;
use crate::tree::{Field, Node, Origin, Scalar, Stamp, Tag, View};

/// Reads a generator from an object that configures it; name and namespace are those of the object unless it says others.
pub(crate) fn read_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>, is_secret: bool) -> Outcome<GeneratorArgs<'a>> {
    let mut args = GeneratorArgs::read(
        Fields::open(run, config, if is_secret { "a SecretGenerator" } else { "a ConfigMapGenerator" }, Mode::Plugin),
        is_secret,
    )?;
    let metadata = |key: &str| config.at(&["metadata", key]).map_or("", View::value_text);
    if args.name.is_empty() {
        args.name = metadata("name");
    }
    if args.namespace.is_empty() {
        args.namespace = metadata("namespace");
    }
    Ok(args)
}

/// Puts what is said for all generators below what one says itself. A true cannot be taken back.
pub(crate) fn merge_options<'a>(own: Option<GeneratorOptions<'a>>, global: Option<&GeneratorOptions<'a>>) -> Option<GeneratorOptions<'a>> {
    let Some(global) = global else { return own };
    let mut merged = own.unwrap_or_default();
    let below = |own: &mut Vec<(&'a str, Placed<'a>)>, global: &[(&'a str, Placed<'a>)]| {
        for (key, value) in global {
            if !own.iter().any(|(known, _)| known == key) {
                own.push((key, *value));
            }
        }
    };
    below(&mut merged.labels, &global.labels);
    below(&mut merged.annotations, &global.annotations);
    merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
    merged.immutable |= global.immutable;
    Some(merged)
}

/// The object with its name, before there is data in it.
fn base<'a>(kind: &'static str, by: &'static str, args: &GeneratorArgs<'a>, run: &Run<'a>) -> Outcome<Node<'a>> {
    if args.name.is_empty() {
        let mistake = wrong("generator", format!("a {} must have a name", kind.to_lowercase()), args.place);
        return Err(mistake.hint("Give the generator a `name`.").into());
    }
    let origin = run.texts.over(Stamp { by, place: args.place }, Origin::WRITTEN);
    let text = |text: &'a str| Node::string(text).stamped(origin);
    let mut metadata = Node::map(Vec::new()).stamped(origin);
    metadata.set("name", text(args.name), run.texts);
    if !args.namespace.is_empty() {
        metadata.set("namespace", text(args.namespace), run.texts);
    }
    let fields = vec![Field::new("apiVersion", text("v1")), Field::new("kind", text(kind)), Field::new("metadata", metadata)];
    Ok(Node::map(fields).stamped(origin))
}

/// A value of `data`: a text, as a block if it has lines.
fn value<'a>(text: &'a str, origin: Origin) -> Node<'a> {
    Node::string(text).stamped(origin)
}

/// Gives the object what the options say, and makes it a generated resource.
fn finish<'a>(mut node: Node<'a>, by: &'static str, args: &GeneratorArgs<'a>, run: &Run<'a>) -> Resource<'a> {
    if let Some(options) = &args.options {
        for (field, entries) in [("labels", &options.labels), ("annotations", &options.annotations)] {
            add_metadata(&mut node, field, entries, by, run);
        }
        if options.immutable {
            let origin = run.texts.over(Stamp { by, place: args.place }, Origin::WRITTEN);
            let truth = Scalar { text: "true", tag: Tag::Bool, style: Style::Plain, tagged: false };
            node.set("immutable", Node::scalar(truth).stamped(origin), run.texts);
        }
    }
    let mut resource = Resource::new(node);
    resource.behavior = Some(Behavior::of(args.behavior));
    resource.needs_hash = !args.options.as_ref().is_some_and(|options| options.disable_name_suffix_hash);
    // kustomize keeps both in annotations.
    resource
}

fn add_metadata<'a>(node: &mut Node<'a>, field: &'static str, entries: &[(&'a str, Placed<'a>)], by: &'static str, run: &Run<'a>) {
    let mut entries = entries.to_vec();
    entries.sort_by_key(|(key, _)| *key);
    for (key, placed) in entries {
        let origin = run.texts.over(Stamp { by, place: placed.place }, Origin::WRITTEN);
        let quoted = Scalar { text: placed.text, tag: Tag::Str, style: Style::SingleQuoted, tagged: false };
        let map = node
            .get_mut("metadata", run.texts)
            .and_then(|metadata| metadata.get_or_insert(field, crate::tree::Kind::Map, origin, run.texts));
        if let Some(map) = map {
            map.set(key, Node::scalar(quoted).stamped(origin), run.texts);
        }
    }
}
