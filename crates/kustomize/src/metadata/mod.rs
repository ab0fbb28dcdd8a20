//! Owns `buildMetadata`: annotations that say where objects come from and what changed them (`resource/origin.go`), and the label that says who built
//! them. kustomize keeps the annotations while it builds, whichever are asked for, and takes those out in the end that are not.

#[cfg(test)]
mod tests;

use plumb_yaml::{Dialect, Emitter, NodeRef};

use crate::problem::{Outcome, wrong};
use crate::repository;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Node, Origin, Stamp, View};

/// Where an object comes from.
pub(crate) const ORIGIN_ANNOTATION: &str = "config.kubernetes.io/origin";
/// What changed it.
pub(crate) const TRANSFORMATIONS_ANNOTATION: &str = "alpha.config.kubernetes.io/transformations";
/// Who built it.
const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
const BY: &str = "buildMetadata";
/// As kustomize writes YAML.
const DIALECT: Dialect = Dialect::V3 { indent: 2, compact: true };

/// Where an object or a step comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    pub(crate) path: String,
    pub(crate) repo: String,
    pub(crate) reference: String,
    /// The file that configures the generator or transformer.
    pub(crate) configured_in: String,
    pub(crate) configured_by: ConfiguredBy,
}

/// The object that configures a generator or transformer; of a built-in one only its kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfiguredBy {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

fn joined(base: &str, path: &str) -> String {
    String::from_utf8_lossy(&plumb_go::path::join(&[base.as_bytes(), path.as_bytes()])).into_owned()
}

/// Returns whether a path is the address of a repository.
pub(crate) fn is_repository(path: &str) -> bool {
    repository::parse(path).is_some()
}

impl Provenance {
    /// Returns where a path leads from here: deeper, or into a repository if it is the address of one.
    #[must_use]
    pub(crate) fn appended(&self, path: &str) -> Self {
        match crate::repository::parse(path) {
            Some(repository) => {
                let path = joined("", repository.path());
                Self { path, repo: repository.clone, reference: repository.reference, ..self.clone() }
            }
            None => Self { path: joined(&self.path, path), ..self.clone() },
        }
    }

    /// Returns what a step is made by that a field of the kustomization here asks for.
    pub(crate) fn of_builtin(&self, kustomization_file: &str, plugin: &str) -> Self {
        Self {
            path: String::new(),
            repo: self.repo.clone(),
            reference: self.reference.clone(),
            configured_in: joined(&self.path, kustomization_file),
            configured_by: ConfiguredBy { api_version: "builtin".to_owned(), kind: plugin.to_owned(), ..ConfiguredBy::default() },
        }
    }

    /// Returns what a step is made by that an object configures; nothing if the object does not say where it comes from.
    pub(crate) fn of_plugin<'a>(config: &Resource<'a>, run: &Run<'a>) -> Outcome<Option<Self>> {
        Ok(Self::of(config, run)?.map(|origin| Self {
            path: String::new(),
            repo: origin.repo,
            reference: origin.reference,
            configured_in: origin.path,
            configured_by: ConfiguredBy {
                api_version: config.api_version().to_owned(),
                kind: config.kind().to_owned(),
                name: config.name().to_owned(),
                namespace: config.namespace().to_owned(),
            },
        }))
    }

    /// Reads where an object says that it comes from.
    pub(crate) fn of<'a>(resource: &Resource<'a>, run: &Run<'a>) -> Outcome<Option<Self>> {
        let read = read_annotation(resource, ORIGIN_ANNOTATION, run, Self::read)?;
        Ok(read.map(Option::unwrap_or_default))
    }

    fn read(node: NodeRef<'_>) -> Option<Self> {
        if node.kind() != plumb_yaml::Kind::Map {
            return None;
        }
        let text = |node: NodeRef<'_>, key: &str| node.get(key).map(|value| value.text().to_owned()).unwrap_or_default();
        let by = node.get("configuredBy");
        let by_text = |key: &str| by.map(|by| text(by, key)).unwrap_or_default();
        Some(Self {
            path: text(node, "path"),
            repo: text(node, "repo"),
            reference: text(node, "ref"),
            configured_in: text(node, "configuredIn"),
            configured_by: ConfiguredBy {
                api_version: by_text("apiVersion"),
                kind: by_text("kind"),
                name: by_text("name"),
                namespace: by_text("namespace"),
            },
        })
    }

    /// Returns the text of the annotation.
    pub(crate) fn text(&self) -> String {
        let mut out = Emitter::with(DIALECT, Vec::new());
        self.write(&mut out);
        String::from_utf8_lossy(&out.finish()).into_owned()
    }

    fn write(&self, out: &mut Emitter) {
        let by = &self.configured_by;
        let by = [("apiVersion", &by.api_version), ("kind", &by.kind), ("name", &by.name), ("namespace", &by.namespace)];
        let by: Vec<_> = by.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        let own = [("path", &self.path), ("repo", &self.repo), ("ref", &self.reference), ("configuredIn", &self.configured_in)];
        let own: Vec<_> = own.into_iter().filter(|(_, text)| !text.is_empty()).collect();
        out.begin_map(own.len() + usize::from(!by.is_empty()));
        for (key, text) in own {
            out.key(key);
            out.text(text);
        }
        if !by.is_empty() {
            out.key("configuredBy");
            out.begin_map(by.len());
            for (key, text) in by {
                out.key(key);
                out.text(text);
            }
            out.end();
        }
        out.end();
    }
}

/// Reads an annotation that is YAML; nothing if there is none.
fn read_annotation<'a, T>(resource: &Resource<'a>, key: &str, run: &Run<'a>, read: impl Fn(NodeRef<'_>) -> T) -> Outcome<Option<T>> {
    let Some(annotation) = resource.view().at(&["metadata", "annotations", key]) else { return Ok(None) };
    let stream = plumb_yaml::parse(annotation.text().as_bytes(), &plumb_yaml::Options::default());
    match stream.documents().next() {
        Some(Ok(document)) => Ok(Some(read(document.root()))),
        Some(Err(errors)) => {
            let why = errors.first().map(ToString::to_string).unwrap_or_default();
            let mistake = wrong("build-metadata", format!("the annotation `{key}` is no YAML: {why}"), run.texts.place(annotation));
            Err(mistake.hint("kustomize writes this annotation itself; take it out.").into())
        }
        None => Ok(None),
    }
}

/// Gives the annotation to the objects that have none.
pub(crate) fn annotate_new<'a>(resources: &mut Resources<'a>, origin: &Provenance, run: &Run<'a>) {
    let text = run.texts.keep(origin.text());
    for resource in resources.list_mut() {
        if resource.view().at(&["metadata", "annotations", ORIGIN_ANNOTATION]).is_none() {
            set_annotation(resource, ORIGIN_ANNOTATION, text, run);
        }
    }
}

/// Gives one object the annotation.
pub(crate) fn annotate_origin<'a>(resource: &mut Resource<'a>, origin: &Provenance, run: &Run<'a>) {
    set_annotation(resource, ORIGIN_ANNOTATION, run.texts.keep(origin.text()), run);
}

/// Notes a transformer with every object; one that does not say where it comes from was made by it.
pub(crate) fn add_transformation<'a>(resources: &mut Resources<'a>, step: &Provenance, run: &Run<'a>) -> Outcome<()> {
    for resource in resources.list_mut() {
        if Provenance::of(resource, run)?.is_none() {
            annotate_origin(resource, step, run);
            continue;
        }
        let read = |root: NodeRef<'_>| root.items().filter_map(|item| Provenance::read(item)).collect::<Vec<_>>();
        let mut steps = read_annotation(resource, TRANSFORMATIONS_ANNOTATION, run, read)?.unwrap_or_default();
        steps.push(step.clone());
        let mut out = Emitter::with(DIALECT, Vec::new());
        out.begin_list(steps.len());
        for step in &steps {
            step.write(&mut out);
        }
        out.end();
        let text = run.texts.keep(String::from_utf8_lossy(&out.finish()).into_owned());
        set_annotation(resource, TRANSFORMATIONS_ANNOTATION, text, run);
    }
    Ok(())
}

fn set_annotation<'a>(resource: &mut Resource<'a>, key: &'static str, text: &'a str, run: &Run<'a>) {
    let mut entries = resource.annotations();
    match entries.iter_mut().find(|(known, _)| *known == key) {
        Some(entry) => entry.1 = text,
        None => entries.push((key, text)),
    }
    let origin = run.texts.over(Stamp { by: BY, place: None }, Origin::WRITTEN);
    resource.set_meta_map("annotations", entries, origin, run.texts);
}

/// Takes the annotations out that are not asked for. Doing so makes texts of all values, and takes out a map with nothing in it, also where there was
/// none of these annotations.
pub(crate) fn clean<'a>(resources: &mut Resources<'a>, keep_origins: bool, keep_transformations: bool, run: &Run<'a>) {
    if keep_origins && keep_transformations {
        return;
    }
    let goes = |key: &str| !keep_origins && key == ORIGIN_ANNOTATION || !keep_transformations && key == TRANSFORMATIONS_ANNOTATION;
    let is_wanted = |view: View<'_, 'a>| {
        view.len() > 0
            && view.fields().all(|(key, value)| !goes(key.text) && value.scalar().is_some_and(|scalar| scalar.tag == crate::tree::Tag::Str))
    };
    let unchanged = |resource: &Resource<'a>| resource.view().at(&["metadata", "annotations"]).is_none_or(is_wanted);
    if resources.iter().all(unchanged) {
        return;
    }
    for resource in resources.list_mut() {
        if !unchanged(resource) {
            let mut entries = resource.annotations();
            entries.retain(|(key, _)| !goes(key));
            resource.set_meta_map("annotations", entries, Origin::WRITTEN, run.texts);
        }
    }
}

/// Gives every object the label of who built it; `version` is kustomize's (`v5.8.1`).
pub(crate) fn add_managed_by<'a>(resources: &mut Resources<'a>, version: &str, run: &Run<'a>) {
    let text = run.texts.keep(format!("kustomize-{version}"));
    for resource in resources.list_mut() {
        let origin = run.texts.over(Stamp { by: BY, place: None }, Origin::WRITTEN);
        let labels = resource
            .node
            .get_or_insert("metadata", Kind::Map, origin, run.texts)
            .and_then(|metadata| metadata.get_or_insert("labels", Kind::Map, origin, run.texts));
        if let Some(labels) = labels {
            if labels.view().is_null() {
                *labels = Node::map(Vec::new()).stamped(origin);
            }
            labels.set(MANAGED_BY_LABEL, Node::string(text).stamped(origin), run.texts);
        }
    }
}
