//! Owns one render of a chart, as `helm template` does it: values layered, templates parsed and executed, the outputs sorted
//! (helm: pkg/engine/engine.go, pkg/action/install.go, pkg/action/action.go).

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use plumb_gotemplate::{
    Branch, Ctl, CtlId, Exec, Functions, Heap, Host, Limits, ListType, MAP, MapId, MapType, MissingKey, O, Origin, RenderError, Scope,
    Traced, Value, Zero, without_no_value,
};
use plumb_world::{FileId, Span};
use plumb_yaml::Memory;

use crate::capabilities::Capabilities;
use crate::chart::{Chart, File};
use crate::dependencies::{Disabled, Part, is_compatible};
use crate::failed::{exec_error, parse_error};
use crate::files::{files, texts};
use crate::manifest::{Hook, Manifest, Sorted, sorted, told_apart};
use crate::metadata::Dependency;
use crate::prepared::Prepared;
use crate::ready::{Both, Ready, Schemas, Trees, Unparsed, ready};
use crate::schema::{self, Refused};
use crate::sources::{Definition, Layer, Named, Naming, Source, at};
use crate::strvals::{Form, ReadFile, argument};
use crate::values::{Nulls, layered, merged, read, table};

/// `common.Values`.
static VALUES: MapType = MapType { name: "common.Values", element: "interface {}", zero: Zero::Nil, methods: &[], is_nil: false };

/// How a chart is rendered.
pub struct Options<'o> {
    /// Name of the release.
    pub release: &'o str,
    /// Its namespace.
    pub namespace: &'o str,
    /// Files of values, later ones over earlier ones.
    pub values: &'o [ValuesFile],
    /// Arguments of `--set` and its kin, over the files: each in its form, in this order.
    pub arguments: &'o [(Form, String)],
    /// Reads the files that `--set-file` names.
    pub read_file: Option<&'o ReadFile<'o>>,
    /// What the chart is told of the cluster.
    pub capabilities: Capabilities,
    /// Whether what is in `crds/` comes first in the text.
    pub include_crds: bool,
    /// Whether it is an upgrade and no installation.
    pub is_upgrade: bool,
    /// How often the release was installed, this time among them: `.Release.Revision`.
    pub revision: u32,
    /// Whether values go unchecked by `values.schema.json`.
    pub skip_schema: bool,
    /// Whether it is to be looked at only, as Helm's linter does: `fail` and `required` do not fail.
    pub lint: bool,
    /// Named limits.
    pub limits: Limits,
    /// The chart's templates, when they have been parsed before; not used with origins.
    pub prepared: Option<&'o Prepared>,
    /// Names the files whose content origins point into; nobody does without origins.
    pub trace: Option<&'o Named<'o>>,
    /// Carries out two things at once, where there are threads for it.
    pub both: Option<&'o Both<'o>>,
}

/// A file of values.
#[derive(Clone, Debug)]
pub struct ValuesFile {
    /// What messages call it.
    pub name: String,
    /// YAML.
    pub content: Arc<[u8]>,
    /// Whether its values are secret: so is whatever is made of them.
    pub secret: bool,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            release: "release-name",
            namespace: "default",
            values: &[],
            arguments: &[],
            read_file: None,
            capabilities: Capabilities::default(),
            include_crds: false,
            is_upgrade: false,
            revision: 1,
            skip_schema: false,
            lint: false,
            limits: Limits::default(),
            prepared: None,
            trace: None,
            both: None,
        }
    }
}

/// What a template wrote.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its path, beginning with the chart's name.
    pub source: String,
    /// The text with its origins.
    pub text: Traced,
}

/// What a chart came to.
#[derive(Debug)]
pub struct Rendered {
    /// Documents of `crds/`, as they stand: path and content.
    pub crds: Vec<(String, Arc<[u8]>)>,
    /// Documents in the order of installation.
    pub manifests: Vec<Manifest>,
    /// Hooks, in the same order.
    pub hooks: Vec<Hook>,
    /// NOTES.txt of the chart itself.
    pub notes: String,
    /// What each template wrote: manifests are parts of it.
    pub outputs: Vec<Output>,
    /// What Helm logs meanwhile: values that do not fit together, references of schemas that lead nowhere.
    pub warnings: Vec<String>,
    /// What origins refer to.
    pub heap: Heap,
    /// The parsed templates: freed with the rest, so that a command that ends can leave all of it to the system.
    pub(crate) templates: Arc<Scope>,
    /// What origins point into, and what else explains a render; nothing without origins.
    pub told: Option<Box<Told>>,
}

/// What explains a render beside its origins.
#[derive(Clone, Debug)]
pub struct Told {
    /// The files that origins point into.
    pub sources: Vec<Source>,
    /// The values that the charts have by themselves.
    pub defaults: MapId,
    /// The values that the chart is rendered with; what there was of them where it did not come to that.
    pub values: MapId,
    /// Charts that do not take part.
    pub disabled: Vec<Disabled>,
}

impl Rendered {
    /// Returns what `helm template` prints.
    pub fn text(&self, include_crds: bool) -> String {
        let mut size = 0;
        self.parts(include_crds, &mut |part| size += part.len());
        let mut text = String::with_capacity(size);
        self.parts(include_crds, &mut |part| text.push_str(part));
        text
    }

    /// Calls `write` with the parts of what `helm template` prints, one after the other: nothing is copied for it.
    pub fn parts(&self, include_crds: bool, write: &mut dyn FnMut(&str)) {
        let crds = self.crds.iter().filter(|_| include_crds).map(|(source, content)| (source.as_str(), text_of(content)));
        let manifests = self.manifests.iter().map(|manifest| (manifest.source.as_str(), Cow::Borrowed(&*manifest.content)));
        // Space at the end is left out, whatever it is the end of.
        let mut held = String::new();
        for (source, content) in crds.chain(manifests) {
            write(&std::mem::take(&mut held));
            let kept = content.trim_end();
            for part in ["---\n# Source: ", source, if kept.is_empty() { "" } else { "\n" }, kept] {
                write(part);
            }
            if kept.is_empty() {
                held.push('\n');
            }
            held.push_str(&content[kept.len()..]);
            held.push('\n');
        }
        write("\n");
        for hook in &self.hooks {
            for part in ["---\n# Source: ", &hook.manifest.source, "\n", &hook.manifest.content, "\n"] {
                write(part);
            }
        }
    }
}

/// Why a chart did not come to anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What Helm says.
    pub message: String,
    /// Whether the chart itself refuses: `fail` or `required`.
    pub asked: bool,
    /// Template, line from 1 and column in bytes from 0 of the innermost place, where it is a template that failed.
    pub place: Option<(String, u32, u32)>,
    /// Which values do not meet which schema, where that is the reason.
    pub refused: Box<[Refused]>,
    /// What templates wrote, by path, where that is what is wrong; empty when a template did not come to its end. Nothing when none ran.
    pub written: Option<Vec<(String, String)>>,
    /// What Helm logged before.
    pub warnings: Box<[String]>,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self { message, asked: false, place: None, refused: Box::default(), written: None, warnings: Box::default() }
    }
}

/// What is told after an installation.
const NOTES: &str = "NOTES.txt";

/// Templates with less in them are rendered before a thread has begun.
const WORTH_A_THREAD_BYTES: usize = 128 << 10;

/// A template to execute.
struct Template {
    source: String,
    file: Option<FileId>,
    data: Value,
    /// Its chart's values: of a type of their own to it, and plain to the charts around it.
    values: MapId,
    base_path: String,
    /// What decides that its chart takes part.
    around: CtlId,
}

/// Renders a chart.
pub fn render(chart: &Chart, options: &Options<'_>, host: &mut dyn Host) -> Result<Rendered, Error> {
    try_render(chart, options, host).map_err(|failed| failed.error)
}

/// Renders a chart, and keeps what there is of one that comes to nothing.
pub(crate) fn try_render(chart: &Chart, options: &Options<'_>, host: &mut dyn Host) -> Result<Rendered, Box<Failed>> {
    let mut warnings = Vec::new();
    match rendered(chart, options, host, &mut warnings) {
        Ok(rendered) => Ok(Rendered { warnings, ..rendered }),
        Err(mut failed) => {
            failed.error.warnings = warnings.into();
            Err(failed)
        }
    }
}

fn rendered(chart: &Chart, options: &Options<'_>, host: &mut dyn Host, warnings: &mut Vec<String>) -> Result<Rendered, Box<Failed>> {
    let naming = Naming::new(options.trace);
    let prepared = options.prepared.filter(|_| options.trace.is_none());
    let mut heap = match prepared {
        Some(prepared) => prepared.heap(),
        None => Heap::new(options.trace.is_some(), options.limits.heap_bytes),
    };
    let none = heap.map(&MAP);
    let mut layers = Settled { values: none, defaults: none };
    let mut disabled = Vec::new();
    let settled = settled(&mut heap, chart, &mut layers, &naming, options, warnings);
    let Settled { values, defaults } = layers;
    let mut result = match settled {
        Ok(part) => {
            part.each(&mut |part| disabled.extend(part.disabled.iter().cloned()));
            let functions = Functions::helm();
            let mut set = Set::filled(&mut heap, &part, values, &naming, options);
            let Ready { templates, schemas } = set.ready(&mut heap, &functions, &part, prepared, options);
            match allowed(&heap, &part, values, &schemas, options, warnings) {
                Ok(()) => {
                    let written = set.execute(heap, templates, &functions, &told_apart, options, host);
                    written.map_err(ran).and_then(|written| finished(&part, written))
                }
                Err(error) => Err(refused(error, heap)),
            }
        }
        Err(error) => Err(refused(error, heap)),
    };
    let rendered = match &mut result {
        Ok(rendered) => Some(rendered),
        Err(failed) => failed.rendered.as_mut(),
    };
    if let (Some(rendered), Some(_)) = (rendered, options.trace) {
        rendered.told = Some(Box::new(Told { sources: naming.into_sources(), defaults, values, disabled }));
    }
    result
}

/// The values of a render, as far as they came.
struct Settled {
    values: MapId,
    /// Those that the charts have by themselves; with origins only.
    defaults: MapId,
}

/// Settles which charts take part and with which values.
fn settled<'c>(
    heap: &mut Heap,
    chart: &'c Chart,
    Settled { values, defaults }: &mut Settled,
    naming: &Naming<'_>,
    options: &Options<'_>,
    warnings: &mut Vec<String>,
) -> Result<Part<'c>, Error> {
    *values = given(heap, naming, options)?;
    installable(chart).inspect_err(|_| _ = Definition::read(chart, naming))?;
    is_release_name(options.release)?;
    let mut part = Part::new(heap, chart, naming)?;
    part.settle(heap, *values).map_err(|error| format!("chart dependencies processing failed: {error}"))?;
    if heap.origins.tracing() {
        *defaults = layered(heap, &part, *defaults, Nulls::Erase, &mut Vec::new())?;
    }
    *values = layered(heap, &part, *values, Nulls::Erase, warnings)?;
    Ok(part)
}

/// Holds the values against the schemas, and the chart against the cluster.
fn allowed(
    heap: &Heap,
    part: &Part<'_>,
    values: MapId,
    schemas: &Schemas,
    options: &Options<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    checked(heap, part, values, schemas, options, warnings)?;
    let (known, wanted) = (&options.capabilities, &part.metadata.kube_version);
    if !wanted.is_empty() && !is_compatible(wanted, &known.normalized) {
        let version = &known.kube_version;
        let message = format!("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {version}");
        return Err(Error { written: Some(Vec::new()), ..message.into() });
    }
    Ok(())
}

/// A render that ended before any template.
fn refused(error: Error, mut heap: Heap) -> Box<Failed> {
    let none = Arc::new(Scope::new(heap.sym(b"gotpl")));
    let rendered = Some(Rendered::unsorted(Vec::new(), heap, none));
    Box::new(Failed { error, cause: Cause::Given, rendered })
}

/// Sorts what the templates of a chart wrote.
fn finished(part: &Part<'_>, written: Written) -> Result<Rendered, Box<Failed>> {
    let Written { outputs, heap, templates } = written;
    let (mut outputs, documents): (Vec<Output>, Vec<Sorted>) = outputs.into_iter().unzip();
    let own_notes = format!("{}/templates/{NOTES}", part.metadata.name);
    let notes = outputs.iter().find(|output| output.source == own_notes);
    let notes = notes.map(|output| String::from_utf8_lossy(&output.text.bytes).into_owned()).unwrap_or_default();
    outputs.retain(|output| !output.source.ends_with(NOTES));
    let (manifests, hooks) = match sorted(documents) {
        Ok(sorted) => sorted,
        Err(message) => {
            let all = outputs.iter().map(|output| (output.source.clone(), text_of(&output.text.bytes).into_owned()));
            let written = all.filter(|(_, text)| !text.trim().is_empty()).collect();
            let error = Error { written: Some(written), ..message.into() };
            return Err(Box::new(Failed { error, cause: Cause::Yaml, rendered: Some(Rendered::unsorted(outputs, heap, templates)) }));
        }
    };
    let mut crds = Vec::new();
    add_crds(part, "", &mut crds);
    Ok(Rendered { crds, manifests, hooks, notes, ..Rendered::unsorted(outputs, heap, templates) })
}

/// A render that failed, and what there is of it.
pub(crate) struct Failed {
    pub(crate) error: Error,
    pub(crate) cause: Cause,
    /// What was rendered until then; manifests and hooks are missing.
    pub(crate) rendered: Option<Rendered>,
}

/// What made a render fail.
pub(crate) enum Cause {
    /// A template.
    Template(Box<plumb_gotemplate::RenderError>),
    /// What templates wrote is no YAML.
    Yaml,
    /// A template does not parse: in Go's words.
    Unparsed(Option<FileId>, Vec<u8>),
    /// Values, a schema or Chart.yaml.
    Given,
    /// Anything else before that.
    Other,
}

impl From<String> for Box<Failed> {
    fn from(message: String) -> Self {
        Error::from(message).into()
    }
}

impl From<Error> for Box<Failed> {
    fn from(error: Error) -> Self {
        Self::new(Failed { error, cause: Cause::Other, rendered: None })
    }
}

impl Rendered {
    fn unsorted(outputs: Vec<Output>, heap: Heap, templates: Arc<Scope>) -> Self {
        let (crds, manifests, hooks, warnings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { crds, manifests, hooks, notes: String::new(), outputs, warnings, heap, templates, told: None }
    }
}

/// Returns the values that a user gives: files, and arguments over them.
pub(crate) fn given(heap: &mut Heap, naming: &Naming<'_>, options: &Options<'_>) -> Result<MapId, Error> {
    let mut values = heap.map(&MAP);
    for (nth, ValuesFile { name, content, secret }) in options.values.iter().enumerate() {
        let file = naming.name(name, content, Layer::Values(nth));
        let over = read(heap, content, file, *secret).map_err(|error| format!("failed to parse {name}: {error}"))?;
        values = merged(heap, values, over);
    }
    let no_files = |name: &str| Err(format!("no file is read here: {name}"));
    let read_file: &ReadFile<'_> = options.read_file.unwrap_or(&no_files);
    for (nth, (form, text)) in options.arguments.iter().enumerate() {
        let number = options.arguments[..nth].iter().filter(|(other, _)| other == form).count();
        let name = format!("{}[{number}]", form.flag());
        let file = naming.name(&name, &text.as_bytes().into(), Layer::Argument(*form, number));
        argument(heap, values, *form, text, read_file, file.map(|file| (file, naming)))?;
    }
    Ok(values)
}

/// Holds values against the schemas of a chart and the charts in it.
pub(crate) fn checked(
    heap: &Heap,
    part: &Part<'_>,
    values: MapId,
    schemas: &Schemas,
    options: &Options<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Error> {
    if options.skip_schema {
        return Ok(());
    }
    let verdict = schema::check(heap, part, values, &|file| schemas.find(file));
    warnings.extend(verdict.warnings.iter().cloned());
    if verdict.refused.is_empty() {
        return Ok(());
    }
    let message = verdict.message();
    Err(Error { refused: verdict.refused.into(), ..message.into() })
}

/// What the templates of a chart wrote.
pub(crate) struct Written {
    /// By path, notes among them, with the documents in it.
    pub(crate) outputs: Vec<(Output, Sorted)>,
    heap: Heap,
    templates: Arc<Scope>,
}

/// Says of a failure that templates had their turn.
pub(crate) fn ran(mut failed: Box<Failed>) -> Box<Failed> {
    failed.error.written = Some(Vec::new());
    failed
}

/// Returns the origin of what a line says behind its colon.
fn line_of(heap: &mut Heap, file: Option<FileId>, text: &str, line: usize) -> O {
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let said = text.lines().nth(line).unwrap_or_default();
    let value = said.find(": ").map_or(0, |colon| colon + 2);
    at(heap, file, start + value, start + said.len())
}

/// As long as the name of a release may be: names made of it have 10 characters more (helm: pkg/chart/v2/util/validate_name.go).
pub const MAX_RELEASE_NAME: usize = 53;

fn is_release_name(name: &str) -> Result<(), String> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-');
    let why = if name.is_empty() {
        "no name provided"
    } else if name.len() > MAX_RELEASE_NAME || !name.split('.').all(is_label) {
        r"invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    } else {
        return Ok(());
    };
    Err(format!("release name check failed: release name {}: {why}", plumb_go::strconv::quote(name)))
}

/// What `helm template` looks at before it renders.
fn installable(chart: &Chart) -> Result<(), String> {
    if !matches!(chart.metadata.kind.as_str(), "" | "application") {
        return Err(format!("{} charts are not installable", chart.metadata.kind));
    }
    let there = |name: &str| chart.dependencies.iter().any(|inner| inner.metadata.name == name);
    let missing: Vec<&str> = chart.metadata.dependencies.iter().map(|wanted| wanted.name.as_str()).filter(|name| !there(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: \
         found in Chart.yaml, but missing in charts/ directory: {}",
        missing.join(", ")
    ))
}

fn text(heap: &mut Heap, text: &str, origin: O) -> Value {
    Value::Str(origin, heap.push(text.as_bytes(), origin))
}

fn map(heap: &mut Heap, entries: &[(&str, Value)]) -> Value {
    let map = heap.map(&MAP);
    for (key, value) in entries {
        let key = heap.sym(key.as_bytes());
        heap.get_mut(map).set(key, O::NONE, *value);
    }
    Value::Map(O::NONE, map)
}

fn release(heap: &mut Heap, options: &Options<'_>, naming: &Naming<'_>) -> Value {
    let (name, namespace, upgrade) = (options.release, options.namespace, options.is_upgrade);
    let revision = if options.lint { 0 } else { i64::from(options.revision) };
    let said = format!("name: {name}\nnamespace: {namespace}\nupgrade: {upgrade}\nrevision: {revision}\nservice: Helm\n");
    let file = naming.name("release", &said.as_bytes().into(), Layer::Told);
    let [of_name, of_namespace, of_upgrade, of_revision, of_service] = [0, 1, 2, 3, 4].map(|line| line_of(heap, file, &said, line));
    let entries = [
        ("Name", text(heap, name, of_name)),
        ("Namespace", text(heap, namespace, of_namespace)),
        ("IsUpgrade", Value::bool(upgrade).with(of_upgrade)),
        ("IsInstall", Value::bool(!upgrade && !options.lint).with(of_upgrade)),
        ("Revision", Value::int(revision).with(of_revision)),
        ("Service", text(heap, "Helm", of_service)),
    ];
    map(heap, &entries)
}

/// `.Chart`: the fields by their Go names.
fn metadata(heap: &mut Heap, part: &Part<'_>, is_root: bool) -> Value {
    let (metadata, definition) = (&part.metadata, &part.definition);
    let said = |heap: &mut Heap, value: &str, path: &str| {
        let origin = definition.origin(heap, path);
        text(heap, value, origin)
    };
    let annotations = if metadata.annotations.is_empty() {
        Value::Map(O::NONE, heap.map(&plumb_gotemplate::NO_STRINGS))
    } else {
        let annotations = heap.map(&plumb_gotemplate::STRINGS);
        for (key, value) in &metadata.annotations {
            let (sym, value) = (heap.sym(key.as_bytes()), said(heap, value, &format!("annotations.{key}")));
            heap.get_mut(annotations).set(sym, value.origin(), value);
        }
        Value::Map(O::NONE, annotations)
    };
    let mut maintainers = Vec::new();
    for (nth, one) in metadata.maintainers.iter().enumerate() {
        let entries = [("Name", "name", &one.name), ("Email", "email", &one.email), ("URL", "url", &one.url)];
        let entries = entries.map(|(name, key, value)| (name, said(heap, value, &format!("maintainers.{nth}.{key}"))));
        maintainers.push(map(heap, &entries));
    }
    let dependencies: Vec<Value> =
        metadata.dependencies.iter().enumerate().map(|(nth, one)| dependency(heap, one, nth, definition)).collect();
    let deprecated = definition.origin(heap, "deprecated");
    let entries = [
        ("Name", text(heap, &metadata.name, part.named_at)),
        ("Home", said(heap, &metadata.home, "home")),
        ("Sources", texts(heap, &metadata.sources, |heap, nth| definition.origin(heap, &format!("sources.{nth}")))),
        ("Version", said(heap, &metadata.version, "version")),
        ("Description", said(heap, &metadata.description, "description")),
        ("Keywords", texts(heap, &metadata.keywords, |heap, nth| definition.origin(heap, &format!("keywords.{nth}")))),
        ("Maintainers", heap.list(ListType::Any, &maintainers)),
        ("Icon", said(heap, &metadata.icon, "icon")),
        ("APIVersion", said(heap, &metadata.api_version, "apiVersion")),
        ("Condition", said(heap, &metadata.condition, "condition")),
        ("Tags", said(heap, &metadata.tags, "tags")),
        ("AppVersion", said(heap, &metadata.app_version, "appVersion")),
        ("Deprecated", Value::bool(metadata.deprecated).with(deprecated)),
        ("Annotations", annotations),
        ("KubeVersion", said(heap, &metadata.kube_version, "kubeVersion")),
        ("Dependencies", heap.list(ListType::Any, &dependencies)),
        ("Type", said(heap, &metadata.kind, "type")),
        ("IsRoot", Value::bool(is_root)),
    ];
    map(heap, &entries)
}

fn dependency(heap: &mut Heap, one: &Dependency, nth: usize, definition: &Definition) -> Value {
    let here = definition.origin(heap, &format!("dependencies.{nth}.name"));
    let imports: Vec<Value> = one
        .import_values
        .iter()
        .map(|import| {
            let entries = [("child", text(heap, &import.child, here)), ("parent", text(heap, &import.parent, here))];
            map(heap, &entries)
        })
        .collect();
    let entries = [
        ("Name", text(heap, &one.name, here)),
        ("Version", text(heap, &one.version, here)),
        ("Repository", text(heap, &one.repository, here)),
        ("Condition", text(heap, &one.condition, here)),
        ("Tags", texts(heap, &one.tags, |_, _| here)),
        ("Enabled", Value::bool(one.enabled).with(here)),
        ("ImportValues", heap.list(ListType::Any, &imports)),
        ("Alias", text(heap, &one.alias, here)),
    ];
    map(heap, &entries)
}

/// All templates of a chart and the charts in it.
pub(crate) struct Set<'s, 'c> {
    templates: Vec<(Template, &'c File)>,
    naming: &'s Naming<'s>,
    pub(crate) release: Value,
    pub(crate) capabilities: Value,
    /// What a key that is not there gives.
    pub(crate) missing_key: MissingKey,
}

impl<'s, 'c> Set<'s, 'c> {
    pub(crate) fn new(naming: &'s Naming<'s>, release: Value, capabilities: Value) -> Self {
        Self { templates: Vec::new(), naming, release, capabilities, missing_key: MissingKey::Zero }
    }

    /// Returns the templates of a chart and the charts in it, with all that they are given.
    pub(crate) fn filled(heap: &mut Heap, part: &Part<'c>, values: MapId, naming: &'s Naming<'s>, options: &Options<'_>) -> Self {
        let text = options.capabilities.text();
        let file = naming.name("cluster", &text.as_bytes().into(), Layer::Told);
        let capabilities = options.capabilities.value(heap, |heap, line| line_of(heap, file, &text, line));
        let mut set = Self::new(naming, release(heap, options, naming), capabilities);
        set.add(heap, part, "", CtlId(0), Some(values));
        set
    }

    /// Adds a chart's templates with what they are given; returns that (`recAllTpls`).
    pub(crate) fn add(&mut self, heap: &mut Heap, part: &Part<'c>, outer: &str, up: CtlId, values: Option<MapId>) -> Value {
        let is_root = outer.is_empty();
        let path = if is_root { part.metadata.name.clone() } else { format!("{outer}/charts/{}", part.metadata.name) };
        let around = match heap.origins.get(part.enabled_at) {
            Some(Origin::At(site)) if part.enabled_by.is_known() => {
                heap.origins.enter(Ctl { up, site, cond: part.enabled_by, taken: Branch::Then })
            }
            _ => up,
        };
        let given = values.unwrap_or_else(|| heap.map(&MAP));
        let inner = heap.map(&MAP);
        for one in &part.inner {
            let below = values.and_then(|values| table(heap, values, &one.metadata.name));
            let value = self.add(heap, one, &path, around, below);
            let key = heap.sym(one.metadata.name.as_bytes());
            heap.get_mut(inner).set(key, O::NONE, value);
        }
        let entries = [
            ("Chart", metadata(heap, part, is_root)),
            ("Files", files(heap, &part.chart.place, &part.chart.files, self.naming)),
            ("Release", self.release),
            ("Capabilities", self.capabilities),
            ("Values", Value::Map(part.values_at, given)),
            ("Subcharts", Value::Map(O::NONE, inner)),
        ];
        let data = map(heap, &entries);
        if let Value::Map(_, data) = data {
            heap.get_mut(data).ty = &VALUES;
        }
        for file in &part.chart.templates {
            if part.metadata.is_library() && !is_partial(&file.name) {
                continue;
            }
            let source = format!("{path}/{}", file.name);
            let id = self.naming.name(&format!("{}{}", part.chart.place, file.name), &file.data, Layer::Template);
            let template = Template { source, file: id, data, values: given, base_path: format!("{path}/templates"), around };
            self.templates.push((template, file));
        }
        data
    }

    /// Parses the templates, those deepest in charts first, and compiles schemas.
    pub(crate) fn ready(
        &mut self,
        heap: &mut Heap,
        functions: &Functions,
        part: &Part<'_>,
        prepared: Option<&Prepared>,
        options: &Options<'_>,
    ) -> Ready {
        let schemas = if options.skip_schema { Vec::new() } else { part.schemas() };
        let depth = |source: &str| source.matches('/').count();
        self.templates.sort_by(|(one, _), (other, _)| (depth(&other.source), &other.source).cmp(&(depth(&one.source), &one.source)));
        if let Some(parsed) = prepared.and_then(|prepared| self.parsed(prepared)) {
            return Ready { templates: parsed, ..ready(heap, functions, &schemas, &[], self.both(options)) };
        }
        let mut unparsed = Vec::with_capacity(self.templates.len());
        for (template, file) in &self.templates {
            let text = match template.file {
                Some(id) => {
                    let end = u32::try_from(file.data.len()).unwrap_or(u32::MAX);
                    let origin = heap.origins.add(Origin::At(Span { file: id, start: 0, end }));
                    heap.push_linear(&file.data, origin, 0)
                }
                None => heap.share(&file.data),
            };
            unparsed.push(Unparsed { source: &template.source, text, file: template.file });
        }
        ready(heap, functions, &schemas, &unparsed, self.both(options))
    }

    /// Returns what carries out two things at once, where there is enough to do for that.
    fn both<'o>(&self, options: &Options<'o>) -> Option<&'o Both<'o>> {
        let bytes: usize = self.templates.iter().map(|(_, file)| file.data.len()).sum();
        options.both.filter(|_| bytes >= WORTH_A_THREAD_BYTES)
    }

    /// Returns the templates as they were parsed before, if all of them were.
    fn parsed(&self, prepared: &Prepared) -> Option<Vec<Trees>> {
        self.templates.iter().map(|(template, file)| Some(Ok(prepared.templates(&template.source, file)?.to_vec()))).collect()
    }

    /// Executes the templates; `sort` looks at what each wrote, beside the ones that follow where there are threads.
    pub(crate) fn execute(
        &self,
        mut heap: Heap,
        templates: Vec<Trees>,
        functions: &Functions,
        sort: &(dyn Fn(&str, &str, &mut Memory) -> Sorted + Sync),
        options: &Options<'_>,
        host: &mut dyn Host,
    ) -> Result<Written, Box<Failed>> {
        let mut scope = Scope::new(heap.sym(b"gotpl"));
        for ((template, _), trees) in self.templates.iter().zip(templates) {
            match trees {
                Ok(trees) => trees.into_iter().for_each(|tree| scope.add(&heap, tree)),
                Err(message) => {
                    let rendered = Some(Rendered::unsorted(Vec::new(), heap, Arc::new(scope)));
                    let error = parse_error(&message);
                    return Err(Box::new(Failed { error, cause: Cause::Unparsed(template.file, message), rendered }));
                }
            }
        }
        let how = plumb_gotemplate::Options { missing_key: self.missing_key, lint: options.lint, limits: options.limits };
        let mut exec = Exec::new(heap, functions, host, how);
        let scope = Arc::new(scope);
        let (send, written) = mpsc::channel::<Output>();
        let written = Mutex::new(written);
        let next = || written.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
        let sorted = |memory: &mut Memory, output: Output| {
            let is_told = output.source.ends_with(NOTES);
            let documents = if is_told { Ok(Default::default()) } else { sort(&output.source, &text_of(&output.text.bytes), memory) };
            (output, documents)
        };
        let (mut failed, mut here, mut there) = (None, Vec::new(), Vec::new());
        let mut write = |send: mpsc::Sender<Output>| {
            for (template, file) in self.templates.iter().filter(|(template, _)| !is_partial(&template.source)) {
                match output(&mut exec, &scope, template, file) {
                    Ok(output) => _ = send.send(output),
                    Err(error) => return Some(error),
                }
            }
            None
        };
        let mut send = Some(send);
        let mut work = || {
            failed = send.take().and_then(&mut write);
            // Nothing comes behind what waits now.
            let mut memory = Memory::default();
            here.extend(std::iter::from_fn(next).map(|output| sorted(&mut memory, output)));
        };
        match self.both(options) {
            Some(both) => both(&mut work, &mut || {
                let mut memory = Memory::default();
                there.extend(std::iter::from_fn(next).map(|output| sorted(&mut memory, output)));
            }),
            None => work(),
        }
        let mut outputs = here;
        outputs.extend(there);
        if let Some(error) = failed {
            let outputs = outputs.into_iter().map(|(output, _)| output).collect();
            let rendered = Some(Rendered::unsorted(outputs, exec.heap, scope));
            return Err(Box::new(Failed { error: exec_error(&error), cause: Cause::Template(Box::new(error)), rendered }));
        }
        outputs.sort_by(|(one, _), (other, _)| one.source.cmp(&other.source));
        Ok(Written { outputs, heap: exec.heap, templates: scope })
    }
}

/// Executes one template.
fn output(exec: &mut Exec<'_>, scope: &Arc<Scope>, template: &Template, file: &File) -> Result<Output, RenderError> {
    let heap = &mut exec.heap;
    let own = at(heap, template.file, 0, 0);
    let entries = [("Name", text(heap, &template.source, own)), ("BasePath", text(heap, &template.base_path, own))];
    let own = map(heap, &entries);
    if let Value::Map(_, data) = template.data {
        let key = heap.sym(b"Template");
        heap.get_mut(data).set(key, O::NONE, own);
    }
    let name = heap.sym(template.source.as_bytes());
    // Most templates write about as much as they have.
    let mut out = Traced { bytes: Vec::with_capacity(file.data.len()), segs: Vec::new() };
    exec.around = template.around;
    exec.heap.get_mut(template.values).ty = &VALUES;
    let done = exec.render(scope, name, template.data, &mut out);
    exec.heap.get_mut(template.values).ty = &MAP;
    done?;
    without_no_value(&mut out);
    Ok(Output { source: template.source.clone(), text: out })
}

/// Bytes as a text. Nearly all are one, which is told faster than it is made.
fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn is_partial(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with('_'))
}

fn add_crds(part: &Part<'_>, around: &str, crds: &mut Vec<(String, Arc<[u8]>)>) {
    let name = &part.metadata.name;
    let path = if around.is_empty() { name.clone() } else { format!("{around}/charts/{name}") };
    let is_manifest = |name: &str| [".yaml", ".yml", ".json"].iter().any(|ending| name.to_lowercase().ends_with(ending));
    for file in part.chart.files.iter().filter(|file| file.name.starts_with("crds/") && is_manifest(&file.name)) {
        crds.push((format!("{path}/{}", file.name), file.data.clone()));
    }
    part.inner.iter().for_each(|inner| add_crds(inner, &path, crds));
}
