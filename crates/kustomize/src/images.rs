//! Owns new names, tags and digests of images (`ImageTagTransformer`): in every `containers` and `initContainers` there is, and then at the paths of
//! the configuration. What both reach is changed twice, as in kustomize: a suffix of a tag is put there twice.

use std::cell::Cell;

use plumb_go::regexp::Regexp;

use crate::args::{FieldSpec, Image};
use crate::decode::{Fields, Mode};
use crate::fieldspec::{Follow, Path};
use crate::problem::{Outcome, all, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Node, Stamp, Tag, View};

const BY: &str = "images";
/// The lists whose items have an `image`.
const LISTS: [&str; 2] = ["containers", "initContainers"];

/// An image to look for, with the expression that finds it.
pub(crate) struct Finder<'a> {
    image: Image<'a>,
    pattern: Regexp,
    /// Whether the name stands for itself: then most others are told apart without the expression.
    literal: bool,
    /// Whether it found one.
    found: Cell<bool>,
}

/// One step down a tree.
#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

/// Reads the transformer from an object that configures it.
pub(crate) fn read_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>) -> Outcome<(Image<'a>, Vec<FieldSpec<'a>>)> {
    let mut fields = Fields::open(run, config, "an ImageTagTransformer", Mode::Plugin);
    let image = fields.map("imageTag", Image::read).unwrap_or_default();
    let specs = fields.list("fieldSpecs", FieldSpec::read);
    fields.close()?;
    Ok((image, specs))
}

/// Changes images, one after another.
pub(crate) fn apply<'a>(images: &[Image<'a>], specs: &[FieldSpec<'a>], resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let finders = all(images.iter().map(Finder::new))?;
    if finders.is_empty() {
        return Ok(());
    }
    // Where there are images does not change on the way, so that each object is walked once and not once for each image.
    let paths = Path::all(specs, run);
    let follow = Follow { run, create: None, stamp: Stamp { by: BY, place: None } };
    let with_images: Vec<(usize, bool, Vec<usize>)> = resources
        .iter()
        .enumerate()
        .filter(|(_, resource)| resource.kind() != "CustomResourceDefinition")
        .filter_map(|(at, resource)| {
            let reaches = |path: &Path<'a>| follow.reaches(resource.view(), path);
            let reached: Vec<usize> = paths.iter().enumerate().filter(|(_, path)| reaches(path)).map(|(at, _)| at).collect();
            let has_list = has_list(resource.view());
            (has_list || !reached.is_empty()).then_some((at, has_list, reached))
        })
        .collect();
    // What one finds decides what the next one sees, so that the names are those from before.
    let list = resources.list_mut();
    for finder in &finders {
        let parts = with_images.iter().filter_map(|(at, has_list, reached)| {
            let resource = list.get_mut(*at)?;
            let paths = reached.iter().filter_map(|path| paths.get(*path));
            Some(finder.change(resource, *has_list, paths, run))
        });
        all(parts)?;
        if !finder.found.get() {
            warn(&finder.image, list, run);
        }
    }
    Ok(())
}

/// Says that nothing has an image, and which was meant.
fn warn<'a>(image: &Image<'a>, resources: &[Resource<'a>], run: &Run<'a>) {
    let mut names = Vec::new();
    resources.iter().for_each(|resource| names_in(resource.view(), &mut names));
    names.sort_unstable();
    names.dedup();
    let message = format!("no container has the image `{}`, so this changes nothing", image.name);
    // The registry is what is left out or changed most often.
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let near = plumb_manifest::nearest(image.name, names.iter().copied())
        .or_else(|| names.iter().copied().find(|name| last(name) == last(image.name)));
    run.missed("image-name", message, image.place, near, &names);
}

/// Adds the names of images in lists of containers.
fn names_in<'a>(view: View<'_, 'a>, names: &mut Vec<&'a str>) {
    for (key, value) in view.fields() {
        if LISTS.contains(&key.text) {
            names.extend(value.items().filter_map(|item| item.get("image")).map(|image| split(image.text()).0));
        }
        names_in(value, names);
    }
    view.items().for_each(|item| names_in(item, names));
}

/// Returns whether there is a list of containers anywhere.
fn has_list(view: View<'_, '_>) -> bool {
    match view.kind() {
        Kind::Map => view.fields().any(|(key, value)| LISTS.contains(&key.text) && value.kind() == Kind::List || has_list(value)),
        Kind::List => view.items().any(has_list),
        Kind::Scalar => false,
    }
}

impl<'a> Finder<'a> {
    pub(crate) fn new(image: &Image<'a>) -> Outcome<Self> {
        let pattern = format!("^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", image.name);
        let pattern = Regexp::compile(pattern.as_bytes()).map_err(|error| {
            let message =
                format!("the name of an image, `{}`, is no regular expression: {}", image.name, String::from_utf8_lossy(&error.message()));
            wrong("image-name", message, image.place).hint("Put a backslash before a character that stands for itself.")
        })?;
        let literal = image.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b':' | b'@'));
        Ok(Self { image: *image, pattern, literal, found: Cell::new(false) })
    }

    fn matches(&self, text: &str) -> bool {
        (!self.literal || text.starts_with(self.image.name)) && self.pattern.is_match(text.as_bytes())
    }

    /// Whether a node is to be changed, or is none that could be.
    fn wants(&self, view: View<'_, 'a>) -> bool {
        view.kind() != Kind::Scalar || self.matches(view.text())
    }

    fn change<'s>(
        &self,
        resource: &mut Resource<'a>,
        has_list: bool,
        paths: impl Iterator<Item = &'s Path<'a>>,
        run: &Run<'a>,
    ) -> Outcome<()>
    where
        'a: 's,
    {
        if has_list {
            let mut found = Vec::new();
            self.find(resource.view(), &mut Vec::new(), &mut found, run)?;
            for path in found {
                if let Some(node) = at_steps(&mut resource.node, &path, run) {
                    self.set_image(node, run)?;
                }
            }
        }
        let follow = Follow { run, create: None, stamp: Stamp { by: BY, place: self.image.place } };
        for path in paths {
            follow.apply(&mut resource.node, path, &mut |node| if self.wants(node.view()) { self.set_image(node, run) } else { Ok(()) })?;
        }
        Ok(())
    }

    /// Finds the images in lists of containers that are to be changed.
    fn find<'t>(&self, view: View<'t, 'a>, steps: &mut Vec<Step<'a>>, found: &mut Vec<Vec<Step<'a>>>, run: &Run<'a>) -> Outcome<()> {
        match view.kind() {
            Kind::Scalar => {}
            Kind::List => {
                for (at, item) in view.items().enumerate() {
                    steps.push(Step::Item(at));
                    self.find(item, steps, found, run)?;
                    steps.pop();
                }
            }
            Kind::Map => {
                for (key, value) in view.fields() {
                    steps.push(Step::Field(key.text));
                    self.find(value, steps, found, run)?;
                    if LISTS.contains(&key.text) && value.kind() == Kind::List {
                        self.find_in_list(value, steps, found, run)?;
                    }
                    steps.pop();
                }
            }
        }
        Ok(())
    }

    fn find_in_list<'t>(&self, list: View<'t, 'a>, steps: &[Step<'a>], found: &mut Vec<Vec<Step<'a>>>, run: &Run<'a>) -> Outcome<()> {
        for (at, item) in list.items().enumerate() {
            if item.kind() != Kind::Map && !item.is_null() {
                let mistake = wrong("image", "an item of a list of containers is no map", run.texts.place(item));
                return Err(mistake
                    .hint("kustomize takes every list named `containers` or `initContainers` for one of containers.")
                    .into());
            }
            if item.get("image").is_some_and(|image| self.wants(image)) {
                let mut path = steps.to_vec();
                path.extend([Step::Item(at), Step::Field("image")]);
                found.push(path);
            }
        }
        Ok(())
    }

    /// Changes an image if it is the one: its quotes stay.
    pub(crate) fn set_image(&self, node: &mut Node<'a>, run: &Run<'a>) -> Outcome<()> {
        let Some(scalar) = node.view().scalar() else {
            let mistake = wrong("image", "an image is no text", run.texts.place(node.view()));
            return Err(mistake.hint("Write an image as `name:tag`.").into());
        };
        if self.matches(scalar.text) {
            self.found.set(true);
            let text = run.texts.keep(renamed(scalar.text, &self.image));
            node.set_text(text, Tag::None, Stamp { by: BY, place: self.image.says }, run.texts);
        }
        Ok(())
    }
}

fn at_steps<'n, 'a>(node: &'n mut Node<'a>, steps: &[Step<'a>], run: &Run<'a>) -> Option<&'n mut Node<'a>> {
    steps.iter().try_fold(node, |node, step| match step {
        Step::Field(key) => node.get_mut(key, run.texts),
        Step::Item(at) => node.items_mut(run.texts)?.get_mut(*at),
    })
}

/// A new tag or digest takes the place of both; a suffix goes to the tag that is there.
fn renamed(text: &str, image: &Image<'_>) -> String {
    let (name, tag, digest) = split(text);
    let mut new = if image.new_name.is_empty() { name } else { image.new_name }.to_owned();
    let (tag, digest) = match (image.new_tag, image.digest) {
        ("", "") if image.tag_suffix.is_empty() => (tag.to_owned(), digest),
        ("", "") => (format!("{tag}{}", image.tag_suffix), ""),
        (tag, digest) => (tag.to_owned(), digest),
    };
    if !tag.is_empty() {
        new.push(':');
        new.push_str(&tag);
    }
    if !digest.is_empty() {
        new.push('@');
        new.push_str(digest);
    }
    new
}

/// Splits an image into name, tag and digest. A colon before the first slash is part of a host.
fn split(image: &str) -> (&str, &str, &str) {
    let host = image.find('/').unwrap_or(0);
    let (_, rest) = image.split_at(host);
    let at = rest.find('@').map(|at| at + host);
    let colon = rest.find(':').map(|at| at + host);
    let cut = |from: usize, to: usize| image.get(from..to).unwrap_or("");
    match (colon, at) {
        (None, None) => (image, "", ""),
        (Some(colon), None) => (cut(0, colon), cut(colon + 1, image.len()), ""),
        (Some(colon), Some(at)) if colon < at => (cut(0, colon), cut(colon + 1, at), cut(at + 1, image.len())),
        (_, Some(at)) => (cut(0, at), "", cut(at + 1, image.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::run_on;

    fn check(objects: &str, config: &str) -> Result<String, String> {
        run_on(&[], objects, |resources, scene| {
            let (image, specs) = read_plugin(scene.run, scene.read("config.yaml", config))?;
            apply(&[image], &specs, resources, scene.run)
        })
    }

    #[test]
    fn images_get_names_tags_and_digests() {
        for (image, config, expect) in [
            ("nginx", "name: nginx, newTag: v2", "nginx:v2"),
            ("nginx:1", "name: nginx, newName: apache", "apache:1"),
            ("nginx:1@sha256:abc", "name: nginx, newTag: v2", "nginx:v2"),
            ("nginx:1", "name: nginx, digest: 'sha256:1'", "nginx@sha256:1"),
            ("nginx:1", "name: nginx, digest: 'sha256:1', newTag: v2", "nginx:v2@sha256:1"),
            ("nginx:1", "name: nginx, tagSuffix: -x", "nginx:1-x"),
            ("host:80/a/nginx", "name: 'host:80/a/nginx', newTag: v2", "host:80/a/nginx:v2"),
            ("nginx-2:1", "name: nginx, newTag: v2", "nginx-2:1"),
            ("nginx-2:1", "name: 'nginx.*', newTag: v2", "nginx-2:v2"),
        ] {
            let objects = format!("kind: A\nspec: {{x: [{{initContainers: [{{image: '{image}'}}, null]}}]}}\n");
            let expect = format!("kind: A\nspec:\n  x:\n  - initContainers:\n    - image: {expect}\n    - null\n");
            assert_eq!(check(&objects, &format!("imageTag: {{{config}}}")), Ok(expect), "{image} {config}");
        }
    }

    #[test]
    fn paths_of_the_configuration_come_second() {
        let config =
            "imageTag: {name: a, tagSuffix: -x}\nfieldSpecs: [{path: 'spec/containers[]/image', create: true}, {path: spec/own/image}]\n";
        let objects = "kind: A\nspec: {containers: [{image: 'a:1'}], own: {image: 'a:2'}}\n---\nkind: B\nspec: {containers: null}\n";
        let expect = "kind: A\nspec:\n  containers:\n  - image: a:1-x-x\n  own:\n    image: a:2-x\n---\nkind: B\nspec:\n  containers: []\n";
        assert_eq!(check(objects, config), Ok(expect.to_owned()));
    }

    #[test]
    fn definitions_are_left_alone_and_mistakes_told() {
        let objects = "kind: CustomResourceDefinition\nspec:\n  containers:\n  - image: a\n";
        assert_eq!(check(objects, "imageTag: {name: a, newTag: b}"), Ok(objects.to_owned()));
        for (object, name, expect) in [
            ("{containers: [x]}", "a", "objects.yaml:2:21: an item of a list of containers is no map"),
            ("{containers: [{image: [x]}]}", "a", "an image is no text"),
            ("{}", "'a('", "config.yaml:1:11: the name of an image, `a(`, is no regular expression"),
        ] {
            let made = check(&format!("kind: A\nspec: {object}\n"), &format!("imageTag: {{name: {name}, newTag: b}}"));
            assert!(made.as_ref().is_err_and(|made| made.contains(expect)), "{object} {made:?}");
        }
    }
}
