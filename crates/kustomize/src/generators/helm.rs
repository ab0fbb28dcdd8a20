//! Owns the inflation of charts (`helmCharts`, `HelmChartInflationGenerator`): what kustomize runs `helm template` for is rendered here, and comes to the
//! same objects.

use std::sync::Arc;

use plumb_gotemplate::Host;
use plumb_helm::{Capabilities, Chart, File, Ignore, Options, ValuesFile};
use plumb_world::{EntryKind, RelPath, SourceFile, Span, WorldError};
use plumb_yaml::Emitter;

use crate::args::{HelmChart, HelmGlobals};
use crate::decode::{Fields, Mode, Placed};
use crate::load::Loader;
use crate::merge::Merging;
use crate::objects::read_objects;
use crate::problem::{Failure, Outcome, wrong};
use crate::resources::Resources;
use crate::run::Run;
use crate::steps::Generated;
use crate::tree::{Node, Stamp, View, write_yaml};

const BY: &str = "helmCharts";
/// Where charts are, from the kustomization on, unless `helmGlobals` say otherwise.
const CHART_HOME: &str = "charts";
/// How deep the folders of a chart may lie.
const MAX_CHART_DEPTH: usize = 64;

/// What charts are told, and whom they may ask. Whoever builds a kustomization without one allows no charts.
pub trait Charts {
    /// Returns who answers what the templates of a release ask.
    fn host(&self, release: &str) -> Box<dyn Host + '_>;
    /// Returns what charts are told of the cluster. The error is a message.
    fn capabilities(&self) -> Result<Capabilities, String>;
    /// Returns the namespace of releases that name none.
    fn namespace(&self) -> &str {
        "default"
    }
}

/// Reads the generator from an object that configures it.
pub(crate) fn read_plugin<'a>(run: &Run<'a>, config: View<'_, 'a>) -> Outcome<(HelmChart<'a>, HelmGlobals<'a>)> {
    let mut fields = Fields::open(run, config, "a HelmChartInflationGenerator", Mode::Plugin);
    let globals = HelmGlobals { chart_home: fields.text("chartHome"), config_home: fields.text("configHome") };
    let chart = HelmChart::read_open(&mut fields);
    fields.close()?;
    Ok((chart, globals))
}

/// Renders a chart and reads its objects.
pub(crate) fn inflate<'a>(args: &HelmChart<'a>, globals: HelmGlobals<'a>, loader: &Loader, run: &Run<'a>) -> Outcome<Generated<'a>> {
    let mistake = |message: String| wrong("helm-chart", message, args.place);
    let Some(charts) = run.charts else {
        return Err(mistake("must specify --enable-helm".to_owned()).hint("Charts are rendered only where they are allowed.").into());
    };
    if args.name.is_empty() {
        return Err(mistake("chart name cannot be empty".to_owned()).into());
    }
    let home = folder(args, globals, loader)?;
    let name = Placed { text: args.name, place: args.place };
    let at = home.join(name.text).map_err(|error| mistake(error.to_string()))?;
    let Some(files) = read_chart(loader, &at, run).map_err(|failure| failure.through(args.place, "the chart is used here"))? else {
        return Err(not_here(args, &at).into());
    };
    let chart = Chart::load(files).map_err(|error| mistake(format!("chart `{}`: {error}", args.name)))?;
    let values = values(args, &at, loader, run)?;
    let release = release_name(args, &mut *charts.host(args.name))?;
    let mut capabilities = charts.capabilities().map_err(&mistake)?;
    if !args.kube_version.is_empty() {
        capabilities.set_kube_version(args.kube_version).map_err(|error| mistake(error.to_string()))?;
    }
    capabilities.api_versions.extend(args.api_versions.iter().map(|version| version.text.to_owned()));
    let options = Options {
        release: &release,
        namespace: if args.namespace.is_empty() { charts.namespace() } else { args.namespace },
        values: &values,
        capabilities,
        include_crds: args.include_crds,
        ..Options::default()
    };
    let rendered = plumb_helm::render(&chart, &options, &mut *charts.host(&release));
    let mut rendered = rendered.map_err(|error| mistake(format!("chart `{}` does not render: {}", args.name, error.message)))?;
    rendered.hooks.retain(|hook| !(args.skip_hooks || args.skip_tests && hook.events.contains(&"test")));
    let text: Arc<str> = Arc::from(rendered.text(args.include_crds));
    let file = SourceFile {
        source: Arc::clone(&run.source),
        revision: Arc::clone(&run.revision),
        path: at,
        text: Arc::from(text.as_bytes()),
        made: true,
    };
    let mut resources = Resources::default();
    for mut object in
        read_objects(run, run.texts.add(file), text).map_err(|failure| failure.through(args.place, "the chart is used here"))?
    {
        object.from_helm = true;
        resources.append(object, run)?;
    }
    Ok(Generated { resources, stamp: Stamp { by: BY, place: args.place } })
}

/// The folder that the chart's own folder is in: one with the version in its name for charts of repositories.
fn folder(args: &HelmChart<'_>, globals: HelmGlobals<'_>, loader: &Loader) -> Outcome<RelPath> {
    let home = if globals.chart_home.is_empty() { CHART_HOME } else { globals.chart_home };
    let home =
        if args.version.is_empty() || args.repo.is_empty() { home.to_owned() } else { format!("{home}/{}-{}", args.name, args.version) };
    loader.root.join(&home).map_err(|error| wrong("path", error.to_string(), args.place).into())
}

fn not_here(args: &HelmChart<'_>, at: &RelPath) -> plumb_world::Diagnostic {
    if args.repo.is_empty() {
        let message = format!("no repo specified for pull, no chart found at '{at}'");
        return wrong("helm-chart", message, args.place).hint("Put the chart there, or say in `chartHome` of `helmGlobals` where it is.");
    }
    let version = if args.version.is_empty() { String::new() } else { format!(" --version {}", args.version) };
    let untar = at.parent().unwrap_or_else(RelPath::root);
    let chart = if args.repo.starts_with("oci://") {
        format!("{}/{}", args.repo.trim_end_matches('/'), args.name)
    } else {
        format!("{} --repo {}", args.name, args.repo)
    };
    wrong("helm-chart", format!("chart `{}` is not at '{at}', and is not fetched in a build", args.name), args.place)
        .hint(format!("Fetch it once, and keep it beside the kustomization: plumb helm pull {chart}{version} --untar --untardir {untar}"))
}

/// Reads a chart's folder, less what its `.helmignore` leaves out. Nothing if there is no folder.
fn read_chart(loader: &Loader, at: &RelPath, run: &Run<'_>) -> Outcome<Option<Vec<File>>> {
    match run.world.list(loader.tree, at) {
        Ok(Some(_)) => {}
        Ok(None) | Err(WorldError::WrongKind { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let rules = match at.join(".helmignore") {
        Ok(path) => run.world.file(loader.tree, &path)?.map(|blob| String::from_utf8_lossy(&blob.bytes).into_owned()).unwrap_or_default(),
        Err(_) => String::new(),
    };
    let ignore = Ignore::parse(&rules).map_err(|error| wrong("helm-chart", format!("`{at}/.helmignore`: {error}"), None))?;
    let mut files = Vec::new();
    walk(loader, at, "", &ignore, 0, run, &mut files)?;
    Ok(Some(files))
}

fn walk(
    loader: &Loader,
    folder: &RelPath,
    inside: &str,
    ignore: &Ignore,
    depth: usize,
    run: &Run<'_>,
    files: &mut Vec<File>,
) -> Outcome<()> {
    if depth > MAX_CHART_DEPTH {
        return Err(wrong("helm-chart", format!("`{folder}` lies more than {MAX_CHART_DEPTH} folders deep in its chart"), None).into());
    }
    for entry in run.world.list(loader.tree, folder)?.unwrap_or_default() {
        let Ok(path) = folder.join(&entry.name) else { continue };
        let name = format!("{inside}{}", entry.name);
        let is_folder = match entry.kind {
            EntryKind::Directory => true,
            EntryKind::File | EntryKind::Executable => false,
            EntryKind::Link => matches!(run.world.list(loader.tree, &path), Ok(Some(_))),
            EntryKind::Submodule => continue,
        };
        if ignore.ignores(&name, is_folder) {
            continue;
        }
        if is_folder {
            walk(loader, &path, &format!("{name}/"), ignore, depth + 1, run, files)?;
        } else if let Some(blob) = run.world.file(loader.tree, &path)? {
            let data = blob.bytes.strip_prefix(b"\xef\xbb\xbf").map_or_else(|| Arc::clone(&blob.bytes), Into::into);
            files.push(File { name, data });
        }
    }
    Ok(())
}

/// Returns the files of values that the chart gets: one that kustomize puts together, and the additional ones over it.
fn values<'a>(args: &HelmChart<'a>, chart: &RelPath, loader: &Loader, run: &Run<'a>) -> Outcome<Vec<ValuesFile>> {
    let own = own_values(args, chart, loader, run)?;
    let mut values = vec![ValuesFile { name: "values.yaml".to_owned(), content: own, secret: false }];
    for path in &args.additional_values_files {
        let file = loader.file(run, *path)?;
        values.push(ValuesFile { name: path.text.to_owned(), content: file.bytes(), secret: false });
    }
    Ok(values)
}

/// The chart's values, or those of `valuesFile`, with the ones written in the kustomization as `valuesMerge` says.
fn own_values<'a>(args: &HelmChart<'a>, chart: &RelPath, loader: &Loader, run: &Run<'a>) -> Outcome<Arc<[u8]>> {
    let inline = args.values_inline.as_ref().filter(|inline| inline.view().len() > 0);
    if !matches!(args.values_merge, "" | "override" | "merge" | "replace") {
        return Err(wrong("helm-chart", "valuesMerge must be one of [merge override replace]", args.place).into());
    }
    let written = |node: &Node<'a>| -> Outcome<Arc<[u8]>> {
        let mut out = Emitter::new();
        write_yaml(node.view(), &mut out, true)
            .map_err(|why| wrong("helm-chart", format!("the values cannot be written: {why}"), args.place))?;
        Ok(out.finish().into())
    };
    if let (Some(inline), "replace") = (inline, args.values_merge) {
        return written(inline);
    }
    let file = match args.values_file.text {
        "" => {
            let path = chart.join("values.yaml").map_err(|error| wrong("path", error.to_string(), args.place))?;
            match loader.at(run, &path)? {
                Some(file) => file,
                None => {
                    return Err(wrong("helm-chart", format!("'{path}' is not there"), args.place)
                        .hint("Name a file of values in `valuesFile`.")
                        .into());
                }
            }
        }
        _ => loader.file(run, args.values_file)?,
    };
    let Some(inline) = inline else { return Ok(file.bytes()) };
    let stream = run.texts.read(file.id, file.text()?);
    let of_file = match stream.documents().next() {
        Some(Ok(document)) if !document.is_empty() => Node::written(document.root()),
        Some(Err(errors)) => {
            let at = |span: plumb_yaml::ByteSpan| Some(Span { file: file.id, start: span.start, end: span.end });
            return Err(Failure::Wrong(errors.iter().map(|error| wrong("yaml-syntax", error.to_string(), at(error.span))).collect()));
        }
        _ => Node::map(Vec::new()),
    };
    let schema = run.schema();
    let merging = Merging { schema: &schema, texts: run.texts, by: BY, prepend: false, infer: false };
    let merged = if args.values_merge == "merge" { merging.merge(inline.clone(), &of_file)? } else { merging.merge(of_file, inline)? };
    written(&merged.unwrap_or_else(|| Node::map(Vec::new())))
}

/// Returns the release's name: what is given, what a template makes of nothing, or Helm's own name for what has none.
fn release_name(args: &HelmChart<'_>, host: &mut dyn Host) -> Outcome<String> {
    if !args.name_template.is_empty() {
        return plumb_helm::name_of_template(args.name_template, host)
            .map_err(|why| wrong("helm-chart", format!("`nameTemplate` cannot be executed: {why}"), args.place).into());
    }
    Ok(if args.release_name.is_empty() { plumb_helm::UNNAMED.to_owned() } else { args.release_name.to_owned() })
}
