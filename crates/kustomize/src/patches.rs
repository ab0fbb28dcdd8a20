//! Owns patches: finding out what a patch is and which objects it is for, and applying it (kustomize's `PatchTransformer`,
//! `PatchStrategicMergeTransformer` and `PatchJson6902Transformer`, and `ApplySmPatch`).

use std::collections::HashSet;
use std::sync::Arc;

use plumb_world::{Diagnostic, FileId, RelPath, SourceFile, Span};

use crate::args::{Patch, Selector};
use crate::decode::{Fields, Mode, Placed};
use crate::id::Id;
use crate::json_patch::JsonPatch;
use crate::limits::Limit;
use crate::load::Loader;
use crate::merge::merge;
use crate::objects::read_objects;
use crate::problem::{self, Failure, Outcome, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::selector::select;
use crate::tree::{Node, Stamp, Tag, View};

/// A patch that was read.
enum Read<'a> {
    Strategic(Vec<Resource<'a>>),
    Json(JsonPatch<'a>),
}

/// The text of a patch, in a file of its own where it is written in a kustomization.
struct Text {
    file: FileId,
    text: Arc<str>,
}

/// Applies `patches`, one after the other. What one gets wrong does not keep the others from being looked at.
pub(crate) fn apply<'a>(patches: &[Patch<'a>], loader: &Loader, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let read = problem::all(patches.iter().map(|patch| read_patch(patch, loader, run)))?;
    let applied = patches.iter().zip(read).map(|(patch, read)| {
        let done = match read {
            Read::Strategic(objects) => strategic(patch, &objects, resources, run),
            Read::Json(operations) => json(patch, &operations, resources, run),
        };
        done.map_err(|failure| failure.through(patch.place, "by this patch"))
    });
    problem::all(applied.collect::<Vec<_>>()).map(drop)?;
    drop_deleted(resources);
    Ok(())
}

/// Applies `patchesStrategicMerge`: each one is the text of patches, or the path of a file with some.
pub(crate) fn apply_strategic<'a>(paths: &[Placed<'a>], loader: &Loader, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    const BY: &str = "patchesStrategicMerge";
    let read = problem::all(paths.iter().map(|path| strategic_of_path(*path, loader, run)))?;
    if !paths.is_empty() && read.iter().all(Vec::is_empty) {
        return Err(wrong("patch", "patch appears to be empty", paths.first().and_then(|path| path.place)).into());
    }
    let applied =
        paths.iter().zip(&read).flat_map(|(path, objects)| objects.iter().map(move |object| (path, object))).map(|(path, object)| {
            let id = object.id(run);
            let done = match target(&id, resources, run) {
                Err(message) => Err(no_target(message, &id, object, resources, run).into()),
                Ok(at) => {
                    let targets = current_ids(&[at], resources, run);
                    merge_into(&targets, object, BY, resources, run)
                }
            };
            done.map_err(|failure: Failure| failure.through(path.place, "by this patch"))
        });
    problem::all(applied.collect::<Vec<_>>()).map(drop)
}

/// Applies `patchesJson6902`.
pub(crate) fn apply_json6902<'a>(patches: &[Patch<'a>], loader: &Loader, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    const BY: &str = "patchesJson6902";
    let read = problem::all(patches.iter().map(|patch| read_json6902(patch, loader, run)))?;
    let applied = patches.iter().zip(&read).map(|(patch, (selector, operations))| {
        let targets = targets(selector, resources, run)?;
        let done = targets.into_iter().map(|at| match resources.list_mut().get_mut(at) {
            Some(resource) => patch_json(resource, operations, BY, patch.place, run),
            None => Ok(()),
        });
        problem::all(done.collect::<Vec<_>>()).map(drop).map_err(|failure| failure.through(patch.place, "by this patch"))
    });
    problem::all(applied.collect::<Vec<_>>()).map(drop)
}

/// Reads a `PatchTransformer` from an object that configures it.
pub(crate) fn read_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>) -> Outcome<Patch<'a>> {
    Patch::read(Fields::open(run, config, "a PatchTransformer", Mode::Plugin))
}

/// Reads a `PatchStrategicMergeTransformer` from an object that configures it.
pub(crate) fn read_strategic_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>) -> Outcome<Vec<Placed<'a>>> {
    let mut fields = Fields::open(run, config, "a PatchStrategicMergeTransformer", Mode::Plugin);
    let mut paths = fields.texts("paths");
    let inline = fields.placed("patches");
    if paths.is_empty() && inline.text.is_empty() {
        fields.wrong("empty file path and empty patch content");
    }
    if !inline.text.is_empty() {
        paths.push(inline);
    }
    fields.close()?;
    Ok(paths)
}

/// Reads a `PatchJson6902Transformer` from an object that configures it.
pub(crate) fn read_json6902_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>) -> Outcome<Patch<'a>> {
    let mut fields = Fields::open(run, config, "a PatchJson6902Transformer", Mode::Plugin);
    let read = Patch {
        path: fields.placed("path"),
        patch: fields.placed("jsonOp"),
        target: fields.map("target", Selector::read),
        place: fields.place(),
        ..Patch::default()
    };
    fields.close()?;
    Ok(read)
}

fn read_json6902<'a>(patch: &Patch<'a>, loader: &Loader, run: &Run<'a>) -> Outcome<(Selector<'a>, JsonPatch<'a>)> {
    let mistake = |message: &str| Failure::from(wrong("patch", message, patch.place));
    let target = patch.target.ok_or_else(|| mistake("must specify a target for the patch"))?;
    if target.name.is_empty() {
        return Err(mistake("must specify the target name"));
    }
    let text = match (patch.path.text, patch.patch.text) {
        ("", "") => return Err(mistake("empty file path and empty jsonOp")),
        ("", inline) => inline_text(inline, patch.patch.place, run),
        (_, "") => file_text(patch.path, loader, run)?,
        _ => return Err(mistake("must specify a file path or jsonOp, not both")),
    };
    if text.text.is_empty() {
        return Err(mistake(&format!("patch file '{}' seems to be empty", patch.path.text)));
    }
    let operations = JsonPatch::read(text.file, &text.text, run)
        .map_err(|error| Failure::from(wrong("patch", format!("decoding the JSON patch: {error}"), whole(&text))))
        .map_err(|failure| failure.through(patch.place, "this patch"))?;
    if operations.len() == 0 {
        return Err(mistake("patch appears to be empty"));
    }
    Ok((target, operations))
}

/// Returns the text that is written in a kustomization, as a file of its own.
fn inline_text(text: &str, place: Option<Span>, run: &Run<'_>) -> Text {
    let within = place.and_then(|place| run.texts.path(place.file).map(|path| path.to_string()));
    let name = format!("{} (patch)", within.unwrap_or_default());
    let path = RelPath::parse(name.trim()).unwrap_or_else(|_| RelPath::root());
    let text: Arc<str> = Arc::from(text);
    let bytes = Arc::clone(&text).into();
    let made = SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: bytes, made: true };
    Text { file: run.texts.add_within(made, place), text }
}

fn file_text(path: Placed<'_>, loader: &Loader, run: &Run<'_>) -> Outcome<Text> {
    let file = loader.file(run, path)?;
    match file.text() {
        Ok(text) => Ok(Text { file: file.id, text }),
        Err(_) => Err(wrong("patch", format!("`{}` is not UTF-8", path.text), path.place).into()),
    }
}

fn whole(text: &Text) -> Option<Span> {
    Some(Span { file: text.file, start: 0, end: 0 })
}

/// Reads an entry of `patches`, which may be of either kind.
fn read_patch<'a>(patch: &Patch<'a>, loader: &Loader, run: &Run<'a>) -> Outcome<Read<'a>> {
    let mistake = |message: &str| Failure::from(wrong("patch", message, patch.place));
    let text = match (patch.path.text, patch.patch.text.trim()) {
        ("", "") => return Err(mistake("must specify one of patch and path")),
        ("", inline) => inline_text(inline, patch.patch.place, run),
        (_, "") => file_text(patch.path, loader, run)?,
        _ => return Err(mistake("patch and path can't be set at the same time")),
    };
    let objects = read_objects(run, text.file, Arc::clone(&text.text));
    let operations =
        if text.text.is_empty() { Err("empty json patch operations".to_owned()) } else { JsonPatch::read(text.file, &text.text, run) };
    match (objects, operations) {
        (Ok(objects), Ok(operations)) if !objects.is_empty() && operations.len() > 0 => {
            Err(mistake("illegally qualifies as both an SM and JSON patch"))
        }
        (Ok(mut objects), _) => {
            for object in &mut objects {
                object.allow_name_change |= patch.allow_name_change;
                object.allow_kind_change |= patch.allow_kind_change;
            }
            Ok(Read::Strategic(objects))
        }
        (Err(Failure::World(error)), _) => Err(Failure::World(error)),
        (Err(_), Ok(operations)) => Ok(Read::Json(operations)),
        (Err(objects), Err(operations)) => {
            // What it looks like decides which of the reasons is told.
            let failure = if text.text.trim_start().starts_with(['-', '[']) {
                wrong("patch", format!("unable to parse SM or JSON patch: {operations}"), whole(&text)).into()
            } else {
                prefixed(objects)
            };
            Err(failure.through(patch.place, "this patch"))
        }
    }
}

/// Says of what is wrong with objects that they were meant as a patch.
fn prefixed(failure: Failure) -> Failure {
    match failure {
        Failure::Wrong(mut mistakes) => {
            for mistake in &mut mistakes {
                mistake.message = format!("unable to parse SM or JSON patch from what is written: {}", mistake.message);
            }
            Failure::Wrong(mistakes)
        }
        world => world,
    }
}

fn strategic_of_path<'a>(path: Placed<'a>, loader: &Loader, run: &Run<'a>) -> Outcome<Vec<Resource<'a>>> {
    // A path can be the text of a patch; one that cannot be a map is none.
    if path.text.trim().is_empty() {
        return Ok(Vec::new());
    }
    if path.text.contains([':', '{']) {
        let text = inline_text(path.text, path.place, run);
        match read_objects(run, text.file, text.text) {
            Ok(objects) => return Ok(objects),
            Err(failure) if path.text.contains('\n') => return Err(failure.through(path.place, "this patch")),
            Err(_) => {}
        }
    }
    let text = file_text(path, loader, run)?;
    read_objects(run, text.file, text.text).map_err(|failure| failure.through(path.place, "this patch"))
}

const BY: &str = "patches";

fn strategic<'a>(patch: &Patch<'a>, objects: &[Resource<'a>], resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let Some(selector) = &patch.target else {
        let done = objects.iter().map(|object| {
            let id = object.id(run);
            let at = target(&id, resources, run).map_err(|message| {
                let message = format!("no resource matches strategic merge patch {}: {message}", plumb_go::strconv::quote(&id.to_string()));
                no_target(message, &id, object, resources, run)
            })?;
            match resources.list_mut().get_mut(at) {
                Some(resource) => merge_one(resource, object, BY, run),
                None => Ok(()),
            }
        });
        return problem::all(done.collect::<Vec<_>>()).map(drop);
    };
    let [object] = objects else {
        if objects.is_empty() {
            return Ok(());
        }
        let message = "Multiple Strategic-Merge Patches in one `patches` entry is not allowed to set `patches.target` field";
        return Err(wrong("patch", message, patch.place).hint("Give each patch an entry of its own.").into());
    };
    let selected = targets(selector, resources, run)?;
    let ids = current_ids(&selected, resources, run);
    merge_into(&ids, object, BY, resources, run)
}

fn json<'a>(patch: &Patch<'a>, operations: &JsonPatch<'a>, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    if operations.len() == 0 {
        return Ok(());
    }
    let Some(selector) = &patch.target else {
        let mistake = wrong("patch", "must specify a target for JSON patch", patch.place);
        return Err(mistake.hint("Say with `target:` which objects it is for.").into());
    };
    let done = targets(selector, resources, run)?.into_iter().map(|at| {
        let Some(resource) = resources.list_mut().get_mut(at) else { return Ok(()) };
        resource.store_previous(run);
        patch_json(resource, operations, BY, patch.place, run)
    });
    problem::all(done.collect::<Vec<_>>()).map(drop)
}

fn patch_json<'a>(
    resource: &mut Resource<'a>,
    operations: &JsonPatch<'a>,
    by: &'static str,
    place: Option<Span>,
    run: &Run<'a>,
) -> Outcome<()> {
    resource.show_annotations(run.texts);
    operations.apply(&mut resource.node, by, run)?;
    // kustomize puts its own annotations back, which makes all of them texts.
    let annotations = resource.view().at(&["metadata", "annotations"]);
    let has_others = annotations
        .is_some_and(|map| map.len() == 0 || map.fields().any(|(_, value)| value.scalar().is_none_or(|scalar| scalar.tag != Tag::Str)));
    if has_others {
        let origin = run.texts.over(Stamp { by, place }, crate::tree::Origin::WRITTEN);
        let entries = resource.annotations();
        resource.set_meta_map("annotations", entries, origin, run.texts);
    }
    Ok(())
}

type Key<'a> = (crate::id::Gvk<'a>, &'a str, &'a str);

fn current_ids<'a>(selected: &[usize], resources: &Resources<'a>, run: &Run<'a>) -> HashSet<Key<'a>> {
    selected.iter().filter_map(|at| resources.get(*at)).map(|resource| resource.id(run).key()).collect()
}

/// Merges a patch into all objects with an identity (`resWrangler.ApplySmPatch`). It takes the version of each.
fn merge_into<'a>(
    ids: &HashSet<Key<'a>>,
    patch: &Resource<'a>,
    by: &'static str,
    resources: &mut Resources<'a>,
    run: &Run<'a>,
) -> Outcome<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let names: HashSet<&str> = ids.iter().map(|(_, name, _)| *name).collect();
    let mut copy = patch.clone();
    let origin = run.texts.history(patch.view());
    copy.take_metadata(patch, origin, run.texts);
    let done: Vec<Outcome<()>> = resources
        .list_mut()
        .iter_mut()
        .filter(|resource| names.contains(resource.name()) && ids.contains(&resource.id(run).key()))
        .map(|resource| {
            let api_version = resource.api_version();
            if copy.api_version() != api_version {
                copy.node.put("apiVersion", Node::untagged(api_version).stamped(origin), run.texts);
            }
            merge_one(resource, &copy, by, run)
        })
        .collect();
    problem::all(done)?;
    drop_deleted(resources);
    if patch.allow_name_change || patch.allow_kind_change {
        let all = std::mem::take(resources);
        resources.append_all(all, run)?;
    }
    Ok(())
}

/// Merges a patch into an object, which keeps its name, namespace and kind unless the patch may change them (`Resource.ApplySmPatch`).
fn merge_one<'a>(resource: &mut Resource<'a>, patch: &Resource<'a>, by: &'static str, run: &Run<'a>) -> Outcome<()> {
    let texts = run.texts;
    let (name, namespace, kind) = (resource.name(), resource.namespace(), resource.kind());
    if patch.allow_name_change || patch.allow_kind_change {
        resource.store_previous(run);
    }
    if patch.view().get("$patch").is_some_and(|directive| directive.text() == "replace") {
        // kustomize puts the patch in the object's place and then forgets to keep it.
        let warning = plumb_world::Diagnostic::warning("patch", "`$patch: replace` at the root of a patch changes nothing");
        let warning = warning.hint("Put the directive into the map that is to be replaced, `spec` for one.");
        run.warn(match texts.place(patch.view()) {
            Some(place) => warning.at(place, ""),
            None => warning,
        });
        return Ok(());
    }
    let was = resource.node.clone();
    let Some(merged) = merge(std::mem::replace(&mut resource.node, Node::null()), &patch.node, by, run)? else {
        resource.node = Node::null();
        return Ok(());
    };
    resource.node = merged;
    if resource.view().is_null_or_empty() {
        return Ok(());
    }
    let old = |path: &[&str]| was.view().at(path).map(|view| view.to_node());
    let origin = texts.history(was.view());
    if !patch.allow_kind_change && resource.kind() != kind {
        let node = old(&["kind"]).unwrap_or_else(|| Node::untagged(kind).stamped(origin));
        resource.node.put("kind", node, texts);
    }
    if !patch.allow_name_change && resource.name() != name {
        match (old(&["metadata", "name"]), resource.node.get_mut("metadata", texts)) {
            (Some(node), Some(metadata)) => metadata.put("name", node, texts),
            _ => resource.set_name(name, origin, texts),
        }
    }
    if resource.namespace() != namespace {
        match (old(&["metadata", "namespace"]), resource.node.get_mut("metadata", texts)) {
            (Some(node), Some(metadata)) => metadata.put("namespace", node, texts),
            _ => resource.set_namespace(namespace, origin, texts),
        }
    }
    Ok(())
}

fn drop_deleted(resources: &mut Resources<'_>) {
    if resources.iter().any(|resource| resource.view().is_null_or_empty()) {
        resources.list_mut().retain(|resource| !resource.view().is_null_or_empty());
    }
}

/// Returns the one object that has or had an identity. The error is kustomize's message.
fn target<'a>(id: &Id<'a>, resources: &Resources<'a>, run: &Run<'a>) -> Result<usize, String> {
    if !run.texts.meter().take(Limit::Steps, resources.len()) {
        return Err(Limit::Steps.message());
    }
    // Names are compared first: an identity costs a look into the schema.
    let is_named = |resource: &Resource<'a>| resource.name() == id.name || resource.previous.iter().any(|was| was.name == id.name);
    let is = |resource: &Resource<'a>| {
        !resource.view().is_null_or_empty()
            && is_named(resource)
            && (resource.id(run).same(id) || resource.previous_ids(run).iter().any(|was| was.same(id)))
    };
    let found: Vec<usize> = resources.iter().enumerate().filter(|(_, resource)| is(resource)).map(|(at, _)| at).collect();
    let count = match found.as_slice() {
        [at] => return Ok(*at),
        [] => "no",
        _ => "multiple",
    };
    Err(format!("{count} matches for Id {id}; failed to find unique target for patch {id}"))
}

fn no_target<'a>(message: String, id: &Id<'a>, patch: &Resource<'a>, resources: &Resources<'a>, run: &Run<'a>) -> Diagnostic {
    let mistake = wrong("patch-target", message, run.texts.place(patch.view()));
    let of_name = resources.iter().find(|resource| resource.name() == id.name && resource.kind() == id.gvk.kind);
    let hint = match of_name {
        Some(other) => {
            let other = other.id(run);
            format!("There is `{other}`: say the same apiVersion and namespace in the patch.")
        }
        None => match near(id.gvk.kind, id.name, resources) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "Name an object that the resources or bases have, or take the patch out.".to_owned(),
        },
    };
    mistake.hint(hint)
}

/// Returns the name of an object like the one that is not there: of its kind if there is one.
fn near<'a>(kind: &str, name: &str, resources: &Resources<'a>) -> Option<&'a str> {
    let of_kind = resources.iter().filter(|resource| kind.is_empty() || resource.kind() == kind).map(Resource::name);
    let any = resources.iter().map(Resource::name);
    plumb_helm::nearest(name, of_kind).or_else(|| plumb_helm::nearest(name, any))
}

/// Returns the objects that a target means. That there are none is worth a warning.
fn targets<'a>(selector: &Selector<'a>, resources: &Resources<'a>, run: &Run<'a>) -> Outcome<Vec<usize>> {
    let selected = select(selector, resources, run)?;
    if selected.is_empty() && run.may_warn() {
        let mut warning = Diagnostic::warning("patch-target", "no object matches the target of this patch, so it changes nothing");
        if let Some(place) = selector.place {
            warning = warning.at(place, "");
        }
        let by_name = near(selector.gvk.kind, selector.name, resources).map(|near| format!("Did you mean the name `{near}`?"));
        let kinds = || plumb_helm::nearest(selector.gvk.kind, resources.iter().map(Resource::kind));
        let hint = by_name.or_else(|| kinds().map(|near| format!("Did you mean the kind `{near}`?")));
        run.warn(match hint {
            Some(hint) => warning.hint(hint),
            None => warning,
        });
    }
    Ok(selected)
}

#[cfg(test)]
mod tests;
