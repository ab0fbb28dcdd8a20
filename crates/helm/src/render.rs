//! Owns one render of a chart, as `helm template` does it: values layered, templates parsed and executed, the outputs sorted
//! (helm: pkg/engine/engine.go, pkg/action/install.go, pkg/action/action.go).

use std::borrow::Cow;
use std::sync::Arc;

use plumb_gotemplate::{
    Exec, Functions, Heap, Host, Limits, ListType, MAP, MapId, MapType, MissingKey, O, Origin, Scope, Traced, Value, Zero, parse,
    without_no_value,
};
use plumb_world::{FileId, Span};

use crate::capabilities::Capabilities;
use crate::chart::{Chart, File};
use crate::dependencies::{Named, Part, is_compatible};
use crate::failed::{exec_error, parse_error};
use crate::files::{files, texts};
use crate::manifest::{Hook, Manifest, sorted};
use crate::metadata::{Dependency, Metadata};
use crate::prepared::Prepared;
use crate::schema::{self, Refused};
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
    _templates: Arc<Scope>,
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
        let manifests = self.manifests.iter().map(|manifest| (manifest.source.as_str(), Cow::Borrowed(manifest.content.as_str())));
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

/// A template to execute.
struct Template {
    source: String,
    file: Option<FileId>,
    data: Value,
    base_path: String,
}

/// Renders a chart.
pub fn render(chart: &Chart, options: &Options<'_>, host: &mut dyn Host) -> Result<Rendered, Error> {
    let mut warnings = Vec::new();
    match rendered(chart, options, host, &mut warnings) {
        Ok(rendered) => Ok(Rendered { warnings, ..rendered }),
        Err(error) => Err(Error { warnings: warnings.into(), ..error }),
    }
}

fn rendered(chart: &Chart, options: &Options<'_>, host: &mut dyn Host, warnings: &mut Vec<String>) -> Result<Rendered, Error> {
    let nobody = |_: &str, _: &File| None;
    let named: &Named<'_> = options.trace.unwrap_or(&nobody);
    let prepared = options.prepared.filter(|_| options.trace.is_none());
    let mut heap = match prepared {
        Some(prepared) => prepared.heap(),
        None => Heap::new(options.trace.is_some(), options.limits.heap_bytes),
    };
    let values = given(&mut heap, named, options)?;
    installable(chart)?;
    is_release_name(options.release)?;
    let mut part = Part::new(&mut heap, chart, named)?;
    part.settle(&mut heap, values).map_err(|error| format!("chart dependencies processing failed: {error}"))?;
    let known = &options.capabilities;
    let wanted = &part.metadata.kube_version;
    let values = layered(&mut heap, &part, values, Nulls::Erase, warnings)?;
    checked(&heap, &part, values, options, warnings)?;
    if !wanted.is_empty() && !is_compatible(wanted, &known.normalized) {
        let version = &known.kube_version;
        let message = format!("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {version}");
        return Err(Error { written: Some(Vec::new()), ..message.into() });
    }
    let Written { mut outputs, heap, templates } = write(heap, &part, values, named, options, host)?;
    let own_notes = format!("{}/templates/{NOTES}", part.metadata.name);
    let notes = outputs.iter().find(|output| output.source == own_notes);
    let notes = notes.map(|output| String::from_utf8_lossy(&output.text.bytes).into_owned()).unwrap_or_default();
    outputs.retain(|output| !output.source.ends_with(NOTES));
    let texts: Vec<_> = outputs.iter().map(|output| text_of(&output.text.bytes)).collect();
    let sorted = sorted(outputs.iter().zip(&texts).map(|(output, text)| (output.source.as_str(), text.as_ref())));
    let (manifests, hooks) = sorted.map_err(|message| {
        let all = outputs.iter().zip(&texts).filter(|(_, text)| !text.trim().is_empty());
        let written = all.map(|(output, text)| (output.source.clone(), text.clone().into_owned())).collect();
        Error { written: Some(written), ..message.into() }
    })?;
    let mut crds = Vec::new();
    add_crds(&part, "", &mut crds);
    drop(texts);
    Ok(Rendered { crds, manifests, hooks, notes, outputs, heap, warnings: Vec::new(), _templates: templates })
}

/// Returns the values that a user gives: files, and arguments over them.
pub(crate) fn given(heap: &mut Heap, named: &Named<'_>, options: &Options<'_>) -> Result<MapId, Error> {
    let mut values = heap.map(&MAP);
    for ValuesFile { name, content, secret } in options.values {
        let file = named(name, &File { name: name.clone(), data: Arc::clone(content) });
        let over = read(heap, content, file, *secret).map_err(|error| format!("failed to parse {name}: {error}"))?;
        values = merged(heap, values, over);
    }
    let no_files = |name: &str| Err(format!("no file is read here: {name}"));
    let read_file: &ReadFile<'_> = options.read_file.unwrap_or(&no_files);
    for (form, text) in options.arguments {
        argument(heap, values, *form, text, read_file)?;
    }
    Ok(values)
}

/// Holds values against the schemas of a chart and the charts in it.
pub(crate) fn checked(heap: &Heap, part: &Part<'_>, values: MapId, options: &Options<'_>, warnings: &mut Vec<String>) -> Result<(), Error> {
    if options.skip_schema {
        return Ok(());
    }
    let verdict = schema::check(heap, part, values);
    warnings.extend(verdict.warnings.iter().cloned());
    if verdict.refused.is_empty() {
        return Ok(());
    }
    let message = verdict.message();
    Err(Error { refused: verdict.refused.into(), ..message.into() })
}

/// What the templates of a chart wrote.
pub(crate) struct Written {
    /// By path, notes among them.
    pub(crate) outputs: Vec<Output>,
    heap: Heap,
    templates: Arc<Scope>,
}

/// Executes the templates of a chart and the charts in it.
pub(crate) fn write(
    mut heap: Heap,
    part: &Part<'_>,
    values: MapId,
    named: &Named<'_>,
    options: &Options<'_>,
    host: &mut dyn Host,
) -> Result<Written, Error> {
    let functions = Functions::helm();
    let capabilities = options.capabilities.value(&mut heap);
    let mut set = Set::new(named, release(&mut heap, options), capabilities);
    set.add(&mut heap, part, "", Some(values));
    let prepared = options.prepared.filter(|_| options.trace.is_none());
    set.execute(heap, &functions, prepared, options, host).map_err(|error| Error { written: Some(Vec::new()), ..error })
}

/// As long as the name of a release may be: names made of it have 10 characters more (helm: pkg/chart/v2/util/validate_name.go).
const MAX_RELEASE_NAME_BYTES: usize = 53;

fn is_release_name(name: &str) -> Result<(), String> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-');
    let why = if name.is_empty() {
        "no name provided"
    } else if name.len() > MAX_RELEASE_NAME_BYTES || !name.split('.').all(is_label) {
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

fn text(heap: &mut Heap, text: &str) -> Value {
    Value::Str(O::NONE, heap.push(text.as_bytes(), O::NONE))
}

fn map(heap: &mut Heap, entries: &[(&str, Value)]) -> Value {
    let map = heap.map(&MAP);
    for (key, value) in entries {
        let key = heap.sym(key.as_bytes());
        heap.get_mut(map).set(key, O::NONE, *value);
    }
    Value::Map(O::NONE, map)
}

fn release(heap: &mut Heap, options: &Options<'_>) -> Value {
    let entries = [
        ("Name", text(heap, options.release)),
        ("Namespace", text(heap, options.namespace)),
        ("IsUpgrade", Value::bool(options.is_upgrade)),
        ("IsInstall", Value::bool(!options.is_upgrade && !options.lint)),
        ("Revision", Value::int(if options.lint { 0 } else { i64::from(options.revision) })),
        ("Service", text(heap, "Helm")),
    ];
    map(heap, &entries)
}

/// `.Chart`: the fields by their Go names.
fn metadata(heap: &mut Heap, metadata: &Metadata, is_root: bool) -> Value {
    let annotations = if metadata.annotations.is_empty() {
        Value::Map(O::NONE, heap.map(&plumb_gotemplate::NO_STRINGS))
    } else {
        let annotations = heap.map(&plumb_gotemplate::STRINGS);
        for (key, value) in &metadata.annotations {
            let (key, value) = (heap.sym(key.as_bytes()), text(heap, value));
            heap.get_mut(annotations).set(key, O::NONE, value);
        }
        Value::Map(O::NONE, annotations)
    };
    let maintainers: Vec<Value> = metadata
        .maintainers
        .iter()
        .map(|one| {
            let entries = [("Name", text(heap, &one.name)), ("Email", text(heap, &one.email)), ("URL", text(heap, &one.url))];
            map(heap, &entries)
        })
        .collect();
    let dependencies: Vec<Value> = metadata.dependencies.iter().map(|one| dependency(heap, one)).collect();
    let entries = [
        ("Name", text(heap, &metadata.name)),
        ("Home", text(heap, &metadata.home)),
        ("Sources", texts(heap, &metadata.sources)),
        ("Version", text(heap, &metadata.version)),
        ("Description", text(heap, &metadata.description)),
        ("Keywords", texts(heap, &metadata.keywords)),
        ("Maintainers", heap.list(ListType::Any, &maintainers)),
        ("Icon", text(heap, &metadata.icon)),
        ("APIVersion", text(heap, &metadata.api_version)),
        ("Condition", text(heap, &metadata.condition)),
        ("Tags", text(heap, &metadata.tags)),
        ("AppVersion", text(heap, &metadata.app_version)),
        ("Deprecated", Value::bool(metadata.deprecated)),
        ("Annotations", annotations),
        ("KubeVersion", text(heap, &metadata.kube_version)),
        ("Dependencies", heap.list(ListType::Any, &dependencies)),
        ("Type", text(heap, &metadata.kind)),
        ("IsRoot", Value::bool(is_root)),
    ];
    map(heap, &entries)
}

fn dependency(heap: &mut Heap, one: &Dependency) -> Value {
    let imports: Vec<Value> = one
        .import_values
        .iter()
        .map(|import| {
            let entries = [("child", text(heap, &import.child)), ("parent", text(heap, &import.parent))];
            map(heap, &entries)
        })
        .collect();
    let entries = [
        ("Name", text(heap, &one.name)),
        ("Version", text(heap, &one.version)),
        ("Repository", text(heap, &one.repository)),
        ("Condition", text(heap, &one.condition)),
        ("Tags", texts(heap, &one.tags)),
        ("Enabled", Value::bool(one.enabled)),
        ("ImportValues", heap.list(ListType::Any, &imports)),
        ("Alias", text(heap, &one.alias)),
    ];
    map(heap, &entries)
}

/// All templates of a chart and the charts in it.
pub(crate) struct Set<'s, 'c> {
    templates: Vec<(Template, &'c File)>,
    named: &'s Named<'s>,
    pub(crate) release: Value,
    pub(crate) capabilities: Value,
    /// What a key that is not there gives.
    pub(crate) missing_key: MissingKey,
}

impl<'s, 'c> Set<'s, 'c> {
    pub(crate) fn new(named: &'s Named<'s>, release: Value, capabilities: Value) -> Self {
        Self { templates: Vec::new(), named, release, capabilities, missing_key: MissingKey::Zero }
    }

    /// Adds a chart's templates with what they are given; returns that (`recAllTpls`).
    pub(crate) fn add(&mut self, heap: &mut Heap, part: &Part<'c>, around: &str, values: Option<MapId>) -> Value {
        let is_root = around.is_empty();
        let path = if is_root { part.metadata.name.clone() } else { format!("{around}/charts/{}", part.metadata.name) };
        let given = typed(heap, values);
        let inner = heap.map(&MAP);
        for one in &part.inner {
            let below = values.and_then(|values| table(heap, values, &one.metadata.name));
            let value = self.add(heap, one, &path, below);
            let key = heap.sym(one.metadata.name.as_bytes());
            heap.get_mut(inner).set(key, O::NONE, value);
        }
        let entries = [
            ("Chart", metadata(heap, &part.metadata, is_root)),
            ("Files", files(heap, &part.chart.place, &part.chart.files, self.named)),
            ("Release", self.release),
            ("Capabilities", self.capabilities),
            ("Values", Value::Map(O::NONE, given)),
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
            let id = (self.named)(&format!("{}{}", part.chart.place, file.name), file);
            let template = Template { source, file: id, data, base_path: format!("{path}/templates") };
            self.templates.push((template, file));
        }
        data
    }

    pub(crate) fn execute(
        mut self,
        mut heap: Heap,
        functions: &Functions,
        prepared: Option<&Prepared>,
        options: &Options<'_>,
        host: &mut dyn Host,
    ) -> Result<Written, Error> {
        let depth = |source: &str| source.matches('/').count();
        self.templates.sort_by(|(one, _), (other, _)| (depth(&other.source), &other.source).cmp(&(depth(&one.source), &one.source)));
        let name = heap.sym(b"gotpl");
        let mut scope = Scope::new(name);
        for (template, file) in &self.templates {
            if let Some(trees) = prepared.and_then(|prepared| prepared.templates(&template.source, file)) {
                trees.iter().for_each(|tree| scope.add(&heap, tree.clone()));
                continue;
            }
            let name = heap.sym(template.source.as_bytes());
            let text = match template.file {
                Some(id) => {
                    let end = u32::try_from(file.data.len()).unwrap_or(u32::MAX);
                    let origin = heap.origins.add(Origin::At(Span { file: id, start: 0, end }));
                    heap.push_linear(&file.data, origin, 0)
                }
                None => heap.share(&file.data),
            };
            parse(&mut heap, functions, &mut scope, name, text, template.file).map_err(|message| parse_error(&message))?;
        }
        let how = plumb_gotemplate::Options { missing_key: self.missing_key, lint: options.lint, limits: options.limits };
        let mut exec = Exec::new(heap, functions, host, how);
        let scope = Arc::new(scope);
        let mut outputs = Vec::new();
        for (template, _) in self.templates.iter().filter(|(template, _)| !is_partial(&template.source)) {
            let heap = &mut exec.heap;
            let entries = [("Name", text(heap, &template.source)), ("BasePath", text(heap, &template.base_path))];
            let own = map(heap, &entries);
            if let Value::Map(_, data) = template.data {
                let key = heap.sym(b"Template");
                heap.get_mut(data).set(key, O::NONE, own);
            }
            let name = heap.sym(template.source.as_bytes());
            let mut out = Traced::default();
            exec.render(&scope, name, template.data, &mut out).map_err(|error| exec_error(&error))?;
            without_no_value(&mut out);
            outputs.push(Output { source: template.source.clone(), text: out });
        }
        outputs.sort_by(|one: &Output, other| one.source.cmp(&other.source));
        Ok(Written { outputs, heap: exec.heap, templates: scope })
    }
}

/// The values of a chart under their Go type.
fn typed(heap: &mut Heap, values: Option<MapId>) -> MapId {
    match values {
        Some(values) => {
            heap.get_mut(values).ty = &VALUES;
            values
        }
        None => heap.map(&VALUES),
    }
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
