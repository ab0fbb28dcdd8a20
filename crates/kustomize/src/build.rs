//! Owns a whole build: from a folder to text, as `kustomize build` prints it.

use std::ops::Range;
use std::sync::Arc;

use plumb_world::{Diagnostic, FileId, FileTable, RelPath, TreeId, World, WorldError};
use plumb_yaml::{Dialect, Emitter};

use crate::args::SortOptions;
use crate::explain;
use crate::generators::helm::Charts;
use crate::limits::Limit;
use crate::load::{File, Loader};
use crate::metadata::{add_managed_by, clean};
use crate::objects::read_objects;
use crate::problem::{Failure, Outcome, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::sort;
use crate::target::Target;
use crate::tree::{Kind, Origin, Texts, check_yaml, write_yaml_in_parts};

/// The version of kustomize whose behaviour this is.
pub const KUSTOMIZE_VERSION: &str = "v5.8.1";

/// What is between two documents.
const SEPARATOR: &[u8] = b"---\n";
/// How much of a document is written before it is handed on.
const PART_BYTES: usize = 64 << 10;

/// The order of the objects, when the kustomization itself says nothing of it (`--reorder`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reorder {
    /// Namespaces first, webhooks last, and so on: kustomize's default.
    #[default]
    Legacy,
    /// As they were gathered.
    None,
}

/// How to build.
#[derive(Clone, Debug)]
pub struct Options {
    /// The order of the objects.
    pub reorder: Reorder,
    /// Whether files must lie below the kustomization that names them (`LoadRestrictionsRootOnly`).
    pub restricted: bool,
    /// Whether objects get a label that says who built them (`--enable-managedby-label`).
    pub managed_by_label: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { reorder: Reorder::Legacy, restricted: true, managed_by_label: false }
    }
}

/// An object that was built: where in the text it is, and what it is.
#[derive(Clone, Debug)]
pub struct Object {
    /// The bytes of its document, without a separator.
    pub text: Range<usize>,
    /// What `kustomize build --output FOLDER` calls its file.
    pub file_name: String,
    /// Which of the files that were given it is from.
    pub given: Option<usize>,
    /// The file that it is written in, or that asks for it.
    pub source: Option<FileId>,
}

/// What came of a build.
#[derive(Clone, Debug)]
pub struct Built<T = Output> {
    /// The objects, one document each, as `kustomize build` prints them; or every mistake.
    pub result: Result<T, Vec<Diagnostic>>,
    /// What the user should know all the same.
    pub warnings: Vec<Diagnostic>,
    /// The files that were read: what spans point into.
    pub files: FileTable,
}

/// Objects as text.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// The documents with `---` between them.
    pub text: Vec<u8>,
    /// The objects in the order of the text.
    pub objects: Vec<Object>,
}

/// What to build.
#[derive(Clone, Debug)]
pub struct Request {
    /// The tree that the kustomization lies in.
    pub tree: TreeId,
    /// Its folder.
    pub path: RelPath,
    /// The alias of the source that the tree is of, and how its revision is called: for the table of files.
    pub source: Arc<str>,
    /// How the source's revision is called.
    pub revision: Arc<str>,
    /// Files of the table that hold objects which come before the kustomization's own resources.
    pub given: Vec<FileId>,
    /// How to build.
    pub options: Options,
}

impl Request {
    /// Returns a request for the kustomization in a folder.
    pub fn new(tree: TreeId, path: RelPath, options: Options) -> Self {
        Self { tree, path, source: "".into(), revision: "".into(), given: Vec::new(), options }
    }
}

/// Builds a kustomization. Files that it reads are added to a table that may have some; without `charts` it may use none. `Err` means that the world failed, not the user.
pub fn build(world: &dyn World, request: &Request, charts: Option<&dyn Charts>, files: FileTable) -> Result<Built, WorldError> {
    let mut text = Vec::new();
    let Built { result, warnings, files } = run(world, request, charts, files, &mut |part| text.extend_from_slice(part), objects)?;
    Ok(Built { result: result.map(|objects| Output { text, objects }), warnings, files })
}

/// Builds a kustomization as [`build`] does, and hands the text on part by part while it is written: all of it, or nothing if there are mistakes.
/// What is large is never in memory as a whole then.
pub fn print(
    world: &dyn World,
    request: &Request,
    charts: Option<&dyn Charts>,
    files: FileTable,
    part: &mut dyn FnMut(&[u8]),
) -> Result<Built<()>, WorldError> {
    run(world, request, charts, files, part, |_, _, _| ())
}

/// Builds, writes, and looks with `result` at what was written: the objects, and where each of them is.
fn run<T>(
    world: &dyn World,
    request: &Request,
    charts: Option<&dyn Charts>,
    files: FileTable,
    part: &mut dyn FnMut(&[u8]),
    result: for<'a> fn(&Resources<'a>, &Run<'a>, Vec<Range<usize>>) -> T,
) -> Result<Built<T>, WorldError> {
    let untouched = charts.map(|_| files.clone());
    let texts = Texts::new(files);
    let run = Run::new(world, &texts, request, charts);
    let written = finished(&run, request).and_then(|resources| {
        let documents = write(&resources, &run, part)?;
        Ok(result(&resources, &run, documents))
    });
    let result = run.ended(written)?;
    let warnings = run.texts.found(run.warnings());
    let mistakes = result.as_ref().err().map_or(&[][..], Vec::as_slice);
    if let Some(files) = untouched
        && (run.is_of_chart(&warnings) || run.is_of_chart(mistakes))
    {
        // What is said of a chart's text is said of its templates and values: the same once more, with origins.
        let told = explain::explain(world, request, charts, files)?;
        let result = match (result, told.result) {
            (Err(_), Err(mistakes)) => Err(mistakes),
            (result, _) => result,
        };
        return Ok(Built { result, warnings: told.warnings, files: told.files });
    }
    drop(run);
    Ok(Built { result, warnings, files: texts.into_files() })
}

/// Returns the objects in their order as they are printed.
pub(crate) fn finished<'a>(run: &Run<'a>, request: &Request) -> Outcome<Resources<'a>> {
    let options = &request.options;
    let target = Target::root(Loader::new(request.tree, request.path.clone(), options.restricted), run)?;
    let mut resources = target.build(given(request, run)?, run)?;
    order(&target, options, &mut resources, run)?;
    let metadata = |name: &str| target.kustomization.build_metadata.iter().any(|option| option.text == name);
    if options.managed_by_label || metadata("managedByLabel") {
        add_managed_by(&mut resources, KUSTOMIZE_VERSION, run);
    }
    for resource in resources.list_mut() {
        // Taking annotations out makes the map that they would be in.
        if resource.view().get("metadata").is_none() {
            resource.node.get_or_insert("metadata", Kind::Map, Origin::WRITTEN, run.texts);
        }
        resource.finish(run.texts);
    }
    clean(&mut resources, metadata("originAnnotations"), metadata("transformerAnnotations"), run);
    run.check_limits(None)?;
    run.check_mistakes()?;
    check(&resources, run)?;
    Ok(resources)
}

/// Reads the objects that another step made.
fn given<'a>(request: &Request, run: &Run<'a>) -> Outcome<Resources<'a>> {
    let mut resources = Resources::default();
    for (nth, id) in request.given.iter().enumerate() {
        let Some(bytes) = run.texts.bytes(*id) else { continue };
        for mut object in read_objects(run, *id, File::of_table(*id, bytes).text()?)? {
            object.given = Some(nth);
            resources.append(object, run)?;
        }
    }
    Ok(resources)
}

fn order<'a>(target: &Target<'a>, options: &Options, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    match (&target.kustomization.sort_options, options.reorder) {
        (Some(order), _) => sort::apply(order, resources, run),
        (None, Reorder::Legacy) => sort::apply(&SortOptions { order: "legacy", ..SortOptions::default() }, resources, run),
        (None, Reorder::None) => Ok(()),
    }
}

/// Finds out what cannot be written before anything is.
fn check<'a>(resources: &Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let mistake = |resource: &Resource<'a>| check_yaml(resource.view()).err().map(|why| unwritable(resource, &why, run));
    let mistakes: Vec<Diagnostic> = resources.iter().filter_map(mistake).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::Wrong(mistakes)) }
}

/// Writes the objects and returns where each of them is.
fn write<'a>(resources: &Resources<'a>, run: &Run<'a>, part: &mut dyn FnMut(&[u8])) -> Outcome<Vec<Range<usize>>> {
    let mut documents = Vec::with_capacity(resources.len());
    let mut buffer = Vec::new();
    let mut written = 0;
    let mut part = |text: &[u8]| {
        written += text.len();
        part(text);
        written
    };
    let mut end = 0;
    for resource in resources.iter() {
        let start = if documents.is_empty() { 0 } else { part(SEPARATOR) };
        let mut emitter = Emitter::with(Dialect::V2, buffer);
        let mut hand_on = |out: &mut Emitter| {
            if out.position() > PART_BYTES {
                out.hand_over(&mut |lines| end = part(lines));
            }
        };
        write_yaml_in_parts(resource.view(), &mut emitter, &mut hand_on).map_err(|why| unwritable(resource, &why, run))?;
        buffer = emitter.finish();
        end = part(&buffer);
        run.take(Limit::OutputBytes, end - start, None)?;
        documents.push(start..end);
    }
    Ok(documents)
}

/// Names the objects that were written.
fn objects<'a>(resources: &Resources<'a>, run: &Run<'a>, documents: Vec<Range<usize>>) -> Vec<Object> {
    let several = namespaces(resources, run) > 1;
    let object = |(text, resource): (Range<usize>, &Resource<'a>)| Object {
        text,
        file_name: file_name(resource, several, run),
        given: resource.given,
        source: source(resource, run),
    };
    documents.into_iter().zip(resources.iter()).map(object).collect()
}

/// The file at the end of an object's history.
fn source<'a>(resource: &Resource<'a>, run: &Run<'a>) -> Option<FileId> {
    run.texts.chain(resource.view()).into_iter().filter_map(|stamp| stamp.place).next_back().map(|place| place.file)
}

/// How many namespaces there are objects in.
fn namespaces<'a>(resources: &Resources<'a>, run: &Run<'a>) -> usize {
    let mut names: Vec<&str> =
        resources.iter().map(|resource| resource.id(run)).filter(|id| !id.cluster_scoped).map(|id| id.effective_namespace()).collect();
    names.sort_unstable();
    names.dedup();
    names.len()
}

/// The name of an object's file: its kind and name, behind its namespace where there is more than one (`writer.go`). No slash of a name makes a folder.
fn file_name<'a>(resource: &Resource<'a>, several: bool, run: &Run<'a>) -> String {
    let id = resource.id(run);
    let gvk = [id.gvk.group, id.gvk.version, id.gvk.kind].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    let namespace = if several && !id.cluster_scoped { format!("{}_", id.effective_namespace()) } else { String::new() };
    format!("{namespace}{gvk}_{}.yaml", id.name).to_lowercase().replace('/', "_")
}

fn unwritable(resource: &Resource<'_>, why: &str, run: &Run<'_>) -> Diagnostic {
    let message = format!("{} {} cannot be written: {why}", resource.kind(), resource.name());
    let mistake = wrong("object", message, run.texts.place(resource.view()));
    if why.contains("map[interface") { mistake.hint("Keys of maps must be texts: put numbers and the like in quotes.") } else { mistake }
}
