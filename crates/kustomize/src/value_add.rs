//! Owns adding a value at paths of objects (`ValueAddTransformer`), as a part of a file's path where that is asked for.

use plumb_world::Span;

use crate::args::Selector;
use crate::decode::{Fields, Mode};
use crate::fieldspec::split_escaped;
use crate::load::Loader;
use crate::path::{Walk, lookup_mut};
use crate::problem::{Outcome, all, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::selector::Matcher;
use crate::tree::{Kind, Node, Stamp, Tag, View};

const BY: &str = "ValueAddTransformer";
/// A path that is not added to like others: it is where the namespace of an object is.
const NAMESPACE_PATH: &str = "metadata/namespace";

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Config<'a> {
    value: &'a str,
    targets: Vec<Target<'a>>,
    place: Option<Span>,
}

#[derive(Clone, Debug)]
struct Target<'a> {
    selector: Option<Selector<'a>>,
    path: &'a str,
    /// From 1; 0 if the value takes the place of what is there.
    position: usize,
    place: Option<Span>,
}

/// Reads the transformer from an object that configures it. Without a value it is the name of the kustomization's folder.
pub(crate) fn read_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>, loader: &Loader) -> Outcome<Config<'a>> {
    let mut fields = Fields::open(run, config, "a ValueAddTransformer", Mode::Plugin);
    let value = fields.text("value").trim();
    let mut targets = fields.list("targets", Target::read);
    let file_place = fields.get("targetFilePath").and_then(|path| run.texts.place(path));
    let file_path = fields.text("targetFilePath");
    let place = fields.place();
    fields.close()?;
    if !file_path.is_empty() {
        let file = loader.file(run, crate::decode::Placed { text: file_path, place: file_place })?;
        let text = String::from_utf8_lossy(&file.bytes()).into_owned();
        match run.texts.read(file.id, text.into()).documents().next() {
            Some(Ok(document)) => {
                let mut fields = Fields::open(run, View::Written(document.root()), "a file of targets", Mode::Plugin);
                targets.extend(fields.list("targets", Target::read));
                fields.close()?;
            }
            Some(Err(errors)) => {
                let why = errors.first().map(ToString::to_string).unwrap_or_default();
                return Err(wrong("value-add", format!("`{file_path}` is no YAML: {why}"), file_place).into());
            }
            None => {}
        }
    }
    if targets.is_empty() {
        return Err(wrong("value-add", "must specify at least one target", place)
            .hint("Give it `targets`, each with a `fieldPath`.")
            .into());
    }
    let value = if value.is_empty() { run.texts.keep(loader.root.name().to_owned()) } else { value };
    Ok(Config { value, targets, place })
}

impl<'a> Target<'a> {
    fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let (path, position) = (fields.text("fieldPath"), fields.int("filePathPosition"));
        if path.is_empty() {
            fields.wrong("fieldPath cannot be empty");
        }
        if position < 0 {
            fields.wrong(format!("value of FilePathPosition ({position}) cannot be negative"));
        }
        let read = Self {
            selector: fields.map("selector", Selector::read),
            path,
            position: usize::try_from(position).unwrap_or(0),
            place: fields.place(),
        };
        fields.close()?;
        Ok(read)
    }
}

/// Adds the value. `set_namespace` is what the namespace transformer does to one object without a configuration.
pub(crate) fn apply<'a>(
    config: &Config<'a>,
    resources: &mut Resources<'a>,
    run: &Run<'a>,
    set_namespace: &dyn Fn(&mut Resource<'a>, &'a str) -> Outcome<()>,
) -> Outcome<()> {
    for target in &config.targets {
        let matcher = target.selector.as_ref().map(Matcher::new).transpose()?;
        let parts =
            resources.list_mut().iter_mut().filter(|resource| matcher.as_ref().is_none_or(|matcher| matcher.selects(resource, run)));
        let parts = parts.map(|resource| match target.path {
            NAMESPACE_PATH => set_namespace(resource, config.value),
            _ => add(resource, config, target, run),
        });
        all(parts)?;
    }
    Ok(())
}

fn add<'a>(resource: &mut Resource<'a>, config: &Config<'a>, target: &Target<'a>, run: &Run<'a>) -> Outcome<()> {
    let stamp = Stamp { by: BY, place: target.place.or(config.place) };
    let parts = split_escaped(target.path, '/');
    let place = run.texts.place(resource.view());
    let wrong_field = |error: String| {
        let mistake = wrong("value-add", format!("`{}`: {error}", target.path), target.place);
        place.map_or(mistake.clone(), |place| mistake.at(place, "in this object"))
    };
    let found = lookup_mut(&mut resource.node, &parts, Some(Kind::Scalar), Walk { run, stamp });
    let Some(node) = found.map_err(wrong_field)? else { return Ok(()) };
    set(node, config.value, target.position, stamp, run).map_err(wrong_field)?;
    Ok(())
}

fn set<'a>(node: &mut Node<'a>, value: &'a str, position: usize, stamp: Stamp, run: &Run<'a>) -> Result<(), String> {
    let Some(scalar) = node.view().scalar() else { return Err("a value cannot take the place of a list or map".to_owned()) };
    let text = match position.checked_sub(1) {
        Some(at) => run.texts.keep(with_part(scalar.text, at, value)),
        None => value,
    };
    if !text.is_empty() {
        node.set_text(text, Tag::None, stamp, run.texts);
    }
    Ok(())
}

/// Puts a part into a file's path. One that begins at the root stays so.
fn with_part(path: &str, at: usize, part: &str) -> String {
    if part.is_empty() {
        return path.to_owned();
    }
    let is_absolute = path.starts_with('/');
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(at.min(parts.len()), part);
    let joined = plumb_go::path::clean(parts.join("/").as_bytes());
    format!("{}{}", if is_absolute { "/" } else { "" }, String::from_utf8_lossy(&joined))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::run_on;

    fn check(config: &str) -> Result<String, String> {
        let files: &[(&str, &[u8])] = &[("app/targets.yaml", b"targets: [{fieldPath: spec/from-file}]\n")];
        let objects = "kind: A\nmetadata: {name: a, annotations: {a/b: x}}\nspec: {path: /x/y, list: [{name: n, v: old}], quoted: \"1\"}\n";
        run_on(files, objects, |resources, scene| {
            let config = read_plugin(scene.run, scene.read("config.yaml", config), scene.loader)?;
            apply(&config, resources, scene.run, &|resource, namespace| {
                resource.set_namespace(namespace, crate::tree::Origin::WRITTEN, scene.run.texts);
                Ok(())
            })
        })
    }

    #[test]
    fn values_are_added_at_paths() {
        for (config, expect) in [
            ("value: v\ntargets: [{fieldPath: spec/new/deep}]", "  new:\n    deep: v\n"),
            ("value: v\ntargets: [{fieldPath: spec/path, filePathPosition: 2}]", "  path: /x/v/y\n"),
            ("value: v\ntargets: [{fieldPath: 'spec/list/[name=n]/v'}]", "  - name: \"n\"\n    v: v\n"),
            ("value: v\ntargets: [{fieldPath: 'metadata/annotations/a\\/b'}]", "    a/b: v\n"),
            ("value: 5\ntargets: [{fieldPath: spec/quoted}]", "  quoted: \"5\"\n"),
            ("value: '5'\ntargets: [{fieldPath: spec/quoted}]", "  quoted: \"5\"\n"),
            ("value: v\ntargets: [{fieldPath: metadata/namespace}]", "  namespace: v\n"),
            ("targetFilePath: targets.yaml", "  from-file: app\n"),
            ("value: v", "must specify at least one target"),
            ("value: v\ntargets: [{fieldPath: ''}]", "fieldPath cannot be empty"),
            ("value: v\ntargets: [{fieldPath: spec, selector: {kind: B}}]", "kind: A\n"),
            ("value: v\ntargets: [{fieldPath: spec}]", "cannot take the place of a list or map"),
        ] {
            let (Ok(made) | Err(made)) = check(config);
            assert!(made.contains(expect), "{config}\n{made}");
        }
    }

    #[test]
    fn a_part_goes_where_it_is_asked_for() {
        for (path, position, expect) in [
            ("", 1, "PEACH"),
            ("", 9, "PEACH"),
            ("/", 1, "/PEACH"),
            ("pie", 1, "PEACH/pie"),
            ("/pie", 1, "/PEACH/pie"),
            ("raw", 2, "raw/PEACH"),
            ("/raw", 2, "/raw/PEACH"),
            ("a/nice/warm/pie", 4, "a/nice/warm/PEACH/pie"),
            ("/a/nice/warm/pie", 4, "/a/nice/warm/PEACH/pie"),
        ] {
            assert_eq!(with_part(path, position - 1, "PEACH"), expect, "{path} {position}");
        }
    }
}
