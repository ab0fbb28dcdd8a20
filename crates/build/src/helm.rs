//! Owns the `helm` step: a chart read from a tree, values from all their places, and what the chart renders to.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_gotemplate::Limits;
use plumb_helm::{Capabilities, Chart, File, Form, Ignore, MAX_RELEASE_NAME, Options, Rendered, ValuesFile};
use plumb_manifest::{Hook, HookDelete, Moment, Role};
use plumb_unit::{HelmStep, SetKind, ValuesLayer, ValuesObject};
use plumb_world::{Answer, Diagnostic, EntryKind, FileId, FileTable, Lookup, Need, RelPath, SourceFile, Span, WorldError};
use serde_json::Value;

use crate::files::{self, blame};
use crate::limits::MAX_FOLDER_DEPTH;
use crate::queries::{Questions, Release};
use crate::run::{Run, Taken};

/// How many of Helm's warnings a step tells: one for each value that does not fit.
const MAX_WARNINGS: usize = 100;

/// Names the files of a render by those that the build read; what is no file of a source, as values written in a unit, is added as made.
struct Naming<'f> {
    files: RefCell<&'f mut FileTable>,
    revision: Arc<str>,
}

impl Naming<'_> {
    fn name(&self, name: &str, data: &Arc<[u8]>) -> FileId {
        let mut files = self.files.borrow_mut();
        let known = files.iter().find(|(_, file)| Arc::ptr_eq(&file.text, data) && !file.text.is_empty()).map(|(id, _)| id);
        known.unwrap_or_else(|| {
            let path = name.split(':').next().unwrap_or_default();
            let path = RelPath::parse(path).unwrap_or_else(|_| RelPath::root());
            files.add(SourceFile { source: "".into(), revision: self.revision.clone(), path, text: data.clone(), made: true })
        })
    }
}

/// The values of a step, as the chart is given them.
#[derive(Default)]
struct Values {
    files: Vec<ValuesFile>,
    arguments: Vec<(Form, String)>,
}

impl Run<'_> {
    /// Runs one `helm` step.
    pub(crate) fn helm(&mut self, step: &HelmStep) -> Result<(), WorldError> {
        let before = self.errors();
        let chart = self.chart(step)?;
        let values = self.values(step)?;
        let name = step.release.clone().unwrap_or_else(|| self.unit.key.name.to_string());
        if name.len() > MAX_RELEASE_NAME {
            let message = format!("the release name `{name}` has {} characters; Helm takes {MAX_RELEASE_NAME}", name.len());
            self.diagnostics.push(Diagnostic::error("release-name", message).hint("Set `releaseName` of the step."));
        }
        let (Some(chart), true) = (chart, self.errors() == before) else { return Ok(()) };
        if let Some(rendered) = self.rendered(step, &chart, &values, &name) {
            self.take_rendered(step, &name, rendered);
        }
        Ok(())
    }

    fn rendered(&mut self, step: &HelmStep, chart: &Chart, values: &Values, name: &str) -> Option<Rendered> {
        let capabilities = match self.capabilities(step) {
            Ok(capabilities) => capabilities,
            Err(message) => {
                self.diagnostics.push(Diagnostic::error("capabilities", message));
                return None;
            }
        };
        let (revision, is_upgrade) = self.moment();
        let namespace = self.release_namespace().to_owned();
        let options = Options {
            release: name,
            namespace: &namespace,
            values: &values.files,
            arguments: &values.arguments,
            read_file: None,
            capabilities,
            include_crds: step.crds,
            is_upgrade,
            revision,
            skip_schema: !step.schema,
            lint: false,
            limits: Limits::default(),
            prepared: None,
            trace: None,
            both: None,
        };
        let mut host = Release { questions: &self.questions, name: name.to_owned(), calls: BTreeMap::new() };
        match plumb_helm::render(chart, &options, &mut host) {
            Ok(rendered) => {
                self.warn(&rendered.warnings);
                Some(rendered)
            }
            Err(error) => {
                self.warn(&error.warnings);
                self.refuse(&error, chart, options);
                None
            }
        }
    }

    /// Takes over what Helm logs of values that do not fit together, each once.
    fn warn(&mut self, warnings: &[String]) {
        for (nth, warning) in warnings.iter().enumerate().filter(|(nth, warning)| !warnings[..*nth].contains(warning)) {
            if nth >= MAX_WARNINGS {
                break;
            }
            let message = warning.strip_prefix("warning: ").unwrap_or(warning);
            self.diagnostics.push(Diagnostic::warning("chart", message));
        }
    }

    /// Says why a chart came to nothing: each thing that is wrong, and each value that its schemas refuse, by itself.
    fn refuse(&mut self, error: &plumb_helm::Error, chart: &Chart, options: Options<'_>) {
        let name = options.release;
        let files = Naming { files: RefCell::new(&mut self.files), revision: "".into() };
        let named = |name: &str, file: &File| Some(files.name(name, &file.data));
        // Once more, with origins: the answers are the same, so it fails at the same place.
        let mut host = Release { questions: &self.questions, name: name.to_owned(), calls: BTreeMap::new() };
        let told =
            plumb_helm::diagnose(chart, &Options { trace: Some(&named), capabilities: options.capabilities.clone(), ..options }, &mut host);
        drop(files);
        for secret in options.values.iter().filter(|file| file.secret) {
            let places: Vec<Span> = self.files.iter().filter(|(_, file)| Arc::ptr_eq(&file.text, &secret.content)).map(whole).collect();
            places.into_iter().for_each(|place| self.files.hide(place));
        }
        if told.is_empty() {
            self.diagnostics.push(Diagnostic::error("chart", error.message.clone()));
        }
        self.diagnostics.extend(told);
    }

    /// Adds what a chart came to: CRDs first, then objects in Helm's order, then hooks.
    fn take_rendered(&mut self, step: &HelmStep, name: &str, rendered: Rendered) {
        let release = (name.to_owned(), self.release_namespace().to_owned());
        let secret = |source: &str, range: std::ops::Range<usize>| {
            let output = rendered.outputs.iter().find(|output| output.source == source);
            output.is_some_and(|output| output.text.under(range).any(|seg| seg.origin.is_secret()))
        };
        if step.crds {
            for (source, content) in &rendered.crds {
                self.made(
                    &step.source,
                    source,
                    &String::from_utf8_lossy(content),
                    Taken { role: Role::Base, sensitive: false, made: true, release: None },
                );
            }
        }
        for manifest in &rendered.manifests {
            let sensitive = secret(&manifest.source, manifest.range.clone());
            self.made(
                &step.source,
                &manifest.source,
                &manifest.content,
                Taken { role: Role::Object, sensitive, made: true, release: Some(release.clone()) },
            );
        }
        let mut hooks: Vec<_> = if step.hooks { rendered.hooks.iter().collect() } else { Vec::new() };
        // The sort keeps Helm's order among those of one weight (pkg/release/v1/hook.go: by weight, then as they came).
        hooks.sort_by_key(|hook| hook.weight);
        for hook in hooks {
            let moments: BTreeSet<Moment> = hook.events.iter().filter_map(|event| Moment::parse(event)).collect();
            if moments.is_empty() {
                continue;
            }
            let sensitive = secret(&hook.manifest.source, hook.manifest.range.clone());
            let delete = policy(&hook.delete_policies);
            let role = Role::Hook(Arc::new(Hook { moments, weight: hook.weight, delete }));
            self.made(&step.source, &hook.manifest.source, &hook.manifest.content, Taken { role, sensitive, made: true, release: None });
        }
    }

    /// Takes the objects of a text that a step made.
    fn made(&mut self, source: &Arc<str>, name: &str, content: &str, taken: Taken) {
        let Ok(path) = RelPath::parse(name) else {
            return self.diagnostics.push(Diagnostic::error("file-name", format!("`{name}` is no path of a file")));
        };
        let revision = self.trees.get(source).map_or_else(|| "".into(), |tree| tree.revision.clone());
        let end = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let file = self.files.add(SourceFile { source: source.clone(), revision, path, text: content.as_bytes().into(), made: true });
        let whole = Span { file, start: 0, end };
        if taken.sensitive {
            self.files.hide(whole);
        }
        self.file(whole, &taken);
    }

    /// The namespace of the release; Helm's own default where the unit has none.
    pub(crate) fn release_namespace(&self) -> &str {
        self.unit.target.namespace.as_deref().unwrap_or("default")
    }

    /// What the chart is told of the cluster: what the step says, else what the cluster says.
    fn capabilities(&self, step: &HelmStep) -> Result<Capabilities, String> {
        let mut capabilities = served(&self.questions)?;
        if let Some(version) = &step.kube_version {
            capabilities.set_kube_version(version)?;
        }
        capabilities.api_versions.extend(step.api_versions.iter().cloned());
        Ok(capabilities)
    }

    /// Which revision of its release this build is, and whether it is an upgrade.
    fn moment(&self) -> (u32, bool) {
        let Answer::Known(json) = self.questions.ask(Need::Release) else { return (1, false) };
        let told: Value = serde_json::from_slice(&json).unwrap_or(Value::Null);
        let revision = told["revision"].as_u64().and_then(|revision| u32::try_from(revision).ok());
        (revision.unwrap_or(1), told["upgrade"].as_bool().unwrap_or(false))
    }

    /// Reads a chart: a folder or an archive of a source.
    fn chart(&mut self, step: &HelmStep) -> Result<Option<Chart>, WorldError> {
        let Some((from, path)) = self.place(&step.source, &step.chart).map(|(from, path)| (from.tree, path)) else { return Ok(None) };
        let wrong = |message: String| Diagnostic::error("chart", message);
        let nothing = format!("there is no chart at `{path}` in source `{}` at {}", step.source, self.trees[&step.source].revision);
        let files = match self.world.list(from, &path) {
            Ok(Some(_)) => self.chart_files(step, &path)?,
            Ok(None) => {
                self.diagnostics.push(wrong(nothing).hint("Check `chart` of the step, `path` of the source, and the ref."));
                return Ok(None);
            }
            Err(WorldError::WrongKind { .. }) => {
                let Some(whole) = self.read(&step.source, &path)? else { return Ok(None) };
                let bytes = self.files.get(whole.file).map(|file| file.text.clone()).unwrap_or_default();
                match plumb_helm::unpack(&bytes) {
                    Ok(files) => Some(files),
                    Err(error) => {
                        self.diagnostics.push(wrong(format!("`{path}` is no archive of a chart: {error}")));
                        None
                    }
                }
            }
            Err(error) => {
                self.diagnostics.push(blame(error)?);
                None
            }
        };
        let Some(files) = files else { return Ok(None) };
        match Chart::load(files) {
            Ok(chart) => Ok(Some(chart)),
            Err(error) => {
                self.diagnostics.push(wrong(format!("`{path}`: {error}")));
                Ok(None)
            }
        }
    }

    /// Reads a chart's folder, less what its `.helmignore` leaves out. Nothing when something in it cannot be read.
    fn chart_files(&mut self, step: &HelmStep, chart: &RelPath) -> Result<Option<Vec<File>>, WorldError> {
        let before = self.errors();
        let tree = self.trees[&step.source].tree;
        let rules = match chart.join(".helmignore") {
            Ok(path) => self.world.file(tree, &path)?.map(|blob| String::from_utf8_lossy(&blob.bytes).into_owned()).unwrap_or_default(),
            Err(_) => String::new(),
        };
        let ignore = match Ignore::parse(&rules) {
            Ok(ignore) => ignore,
            Err(error) => {
                self.diagnostics.push(Diagnostic::error("chart", format!("`{chart}/.helmignore`: {error}")));
                return Ok(None);
            }
        };
        let mut found = Vec::new();
        self.walk_chart(tree, chart, "", &ignore, 0, &mut found)?;
        let mut files = Vec::new();
        for (name, path) in found {
            let Some(whole) = self.read(&step.source, &path)? else { continue };
            let data = self.files.get(whole.file).map(|file| file.text.clone()).unwrap_or_default();
            let data = data.strip_prefix(b"\xef\xbb\xbf").map_or_else(|| data.clone(), Into::into);
            files.push(File { name, data });
        }
        Ok((self.errors() == before).then_some(files))
    }

    /// Finds a chart's files. Links are followed inside the tree, as Helm follows them.
    fn walk_chart(
        &mut self,
        tree: plumb_world::TreeId,
        folder: &RelPath,
        inside: &str,
        ignore: &Ignore,
        depth: usize,
        found: &mut Vec<(String, RelPath)>,
    ) -> Result<(), WorldError> {
        if depth > MAX_FOLDER_DEPTH {
            let message = format!("`{folder}` is nested deeper than {MAX_FOLDER_DEPTH} folders");
            self.diagnostics.push(Diagnostic::error("folder-depth", message));
            return Ok(());
        }
        let entries = match self.world.list(tree, folder) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => return blame(error).map(|diagnostic| self.diagnostics.push(diagnostic)),
        };
        for entry in entries {
            let name = format!("{inside}{}", entry.name);
            let Ok(path) = folder.join(&entry.name) else {
                let message = format!("`{folder}` holds `{}`, a name that no file may have", entry.name.escape_default());
                self.diagnostics.push(Diagnostic::error("file-name", message));
                continue;
            };
            let is_folder = match entry.kind {
                EntryKind::Directory => true,
                EntryKind::Submodule => {
                    self.diagnostics.push(Diagnostic::warning("submodule", format!("`{path}` is a submodule: nothing in it is read")));
                    continue;
                }
                EntryKind::Link => !ignore.ignores(&name, false) && matches!(self.world.list(tree, &path), Ok(Some(_))),
                EntryKind::File | EntryKind::Executable => false,
            };
            if ignore.ignores(&name, is_folder) {
                continue;
            }
            if is_folder {
                self.walk_chart(tree, &path, &format!("{name}/"), ignore, depth + 1, found)?;
            } else {
                found.push((name, path));
            }
        }
        Ok(())
    }

    /// Gathers the layers of values in their order.
    fn values(&mut self, step: &HelmStep) -> Result<Values, WorldError> {
        let mut values = Values::default();
        for layer in &step.values {
            match layer {
                ValuesLayer::File { source, path, optional } => self.values_files(source, path, *optional, &mut values.files)?,
                ValuesLayer::Inline { json, declared_at } => {
                    values.files.push(ValuesFile { name: declared_at.clone(), content: json.as_bytes().into(), secret: false });
                }
                ValuesLayer::Object { kind, name, key, optional } => {
                    values.files.extend(self.values_object(*kind, name, key, *optional));
                }
                ValuesLayer::Set { kind, text } => {
                    let form = match kind {
                        SetKind::Typed => Form::Typed,
                        SetKind::Text => Form::Text,
                        SetKind::Json => Form::Json,
                        SetKind::Literal => Form::Literal,
                    };
                    values.arguments.push((form, text.clone()));
                }
            }
        }
        Ok(values)
    }

    fn values_files(&mut self, source: &Arc<str>, path: &RelPath, optional: bool, values: &mut Vec<ValuesFile>) -> Result<(), WorldError> {
        let Some((tree, path)) = self.place(source, path).map(|(from, path)| (from.tree, path)) else { return Ok(()) };
        let paths = if path.name().contains(['*', '?', '[']) { self.matching(tree, &path)? } else { vec![path.clone()] };
        let mut some = false;
        for path in paths {
            let there = match self.world.file(tree, &path) {
                Ok(blob) => blob.is_some(),
                Err(error) => {
                    self.diagnostics.push(blame(error)?);
                    some = true;
                    continue;
                }
            };
            if !there {
                continue;
            }
            some = true;
            let Some(whole) = self.read(source, &path)? else { continue };
            let content = self.files.get(whole.file).map(|file| file.text.clone()).unwrap_or_default();
            values.push(ValuesFile { name: path.as_str().to_owned(), content, secret: false });
        }
        if !some && !optional {
            let message = format!("there is no values file `{path}` in source `{source}` at {}", self.trees[source].revision);
            self.diagnostics.push(Diagnostic::error("no-values", message).hint("Check the path, or say `optional: true`."));
        }
        Ok(())
    }

    /// Returns the files of a folder whose names match a pattern, by name.
    fn matching(&mut self, tree: plumb_world::TreeId, pattern: &RelPath) -> Result<Vec<RelPath>, WorldError> {
        let folder = pattern.parent().unwrap_or_else(RelPath::root);
        let entries = match self.world.list(tree, &folder) {
            Ok(entries) => entries.unwrap_or_default(),
            Err(error) => {
                self.diagnostics.push(blame(error)?);
                return Ok(Vec::new());
            }
        };
        let mut paths = Vec::new();
        for entry in entries.iter().filter(|entry| matches!(entry.kind, EntryKind::File | EntryKind::Executable | EntryKind::Link)) {
            match plumb_go::path::matches(pattern.name().as_bytes(), entry.name.as_bytes()) {
                Ok(true) => paths.extend(folder.join(&entry.name)),
                Ok(false) => {}
                Err(_) => {
                    self.diagnostics.push(Diagnostic::error("no-values", format!("`{pattern}` is no pattern of file names")));
                    return Ok(Vec::new());
                }
            }
        }
        Ok(paths)
    }

    /// Reads a key of a ConfigMap or Secret of the target.
    fn values_object(&mut self, kind: ValuesObject, name: &str, key: &str, optional: bool) -> Option<ValuesFile> {
        let word = kind.word();
        let Some(namespace) = self.unit.target.namespace.as_deref() else {
            let message = format!("the values of {word} `{name}` are read in the unit's target namespace, and it has none");
            self.diagnostics.push(Diagnostic::error("no-values", message).hint("Set `spec.target.namespace` of the unit."));
            return None;
        };
        let lookup = Lookup { api_version: "v1".to_owned(), kind: word.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() };
        let at = format!("{word} {namespace}/{name}");
        let object: Value = match self.questions.ask(Need::Object(lookup)) {
            Answer::Known(json) => serde_json::from_slice(&json).unwrap_or(Value::Null),
            Answer::Later | Answer::Unanswered => return None,
            Answer::Absent if optional => return None,
            Answer::Absent => {
                let diagnostic = Diagnostic::error("no-values", format!("there is no {at}, whose `{key}` holds values"));
                self.diagnostics.push(diagnostic.hint("Create it, or say `optional: true`."));
                return None;
            }
            Answer::Denied(why) => {
                self.diagnostics.push(Diagnostic::error("no-values", format!("{at} may not be read: {why}")));
                return None;
            }
        };
        let text = object["data"][key].as_str().map(str::to_owned);
        let content = match kind {
            ValuesObject::ConfigMap => text.map(String::into_bytes),
            ValuesObject::Secret => text.and_then(|text| plumb_go::base64::decode(text.as_bytes())),
        };
        if content.is_none() && !optional {
            self.diagnostics.push(Diagnostic::error("no-values", format!("{at} has no key `{key}` that holds values")));
        }
        Some(ValuesFile { name: format!("{at}, {key}"), content: content?.into(), secret: kind == ValuesObject::Secret })
    }

    /// Reads a file of a source into the table; what cannot be read is a diagnostic.
    fn read(&mut self, source: &Arc<str>, path: &RelPath) -> Result<Option<Span>, WorldError> {
        let Some(tree) = self.trees.get(source) else { return Ok(None) };
        let from = files::From { source, revision: &tree.revision, tree: tree.tree };
        match self.reader.read(self.world, from, path, &mut self.files)? {
            Ok(whole) => Ok(Some(whole)),
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                Ok(None)
            }
        }
    }
}

/// What charts are told of the cluster: what it serves, or Helm's own defaults where nobody says.
pub(crate) fn served(questions: &Questions<'_>) -> Result<Capabilities, String> {
    let mut capabilities = Capabilities::default();
    match questions.ask(Need::Capabilities) {
        Answer::Known(json) => {
            let told: Value = serde_json::from_slice(&json).map_err(|error| format!("what the cluster serves cannot be read: {error}"))?;
            capabilities.set_kube_version(told["version"].as_str().unwrap_or_default())?;
            let apis = told["apis"].as_array().into_iter().flatten().filter_map(Value::as_str);
            capabilities.api_versions = apis.map(str::to_owned).collect();
        }
        Answer::Denied(why) => return Err(why),
        Answer::Absent | Answer::Later | Answer::Unanswered => {}
    }
    Ok(capabilities)
}

/// The whole of a file.
fn whole((file, content): (FileId, &SourceFile)) -> Span {
    Span { file, start: 0, end: u32::try_from(content.text.len()).unwrap_or(u32::MAX) }
}

/// Reads `helm.sh/hook-delete-policy`; without one, what a hook left is deleted before it runs again (helm: pkg/action/hooks.go).
fn policy(words: &[String]) -> HookDelete {
    let has = |word: &str| words.iter().any(|own| own == word);
    HookDelete { before: words.is_empty() || has("before-hook-creation"), succeeded: has("hook-succeeded"), failed: has("hook-failed") }
}
