//! Owns the inflation of charts (`helmCharts`, `HelmChartInflationGenerator`): what kustomize runs `helm template` for is rendered here, and comes to the
//! same objects.

mod traced;
mod values;

use std::cell::RefCell;
use std::sync::Arc;

use plumb_gotemplate::Host;
use plumb_helm::{Capabilities, Chart, File, Ignore, Options};
use plumb_world::{EntryKind, RelPath, SourceFile, WorldError};

use crate::args::{HelmChart, HelmGlobals};
use crate::decode::{Fields, Mode, Placed};
use crate::explain::Inflated;
use crate::limits::MAX_CHART_DEPTH;
use crate::load::Loader;
use crate::objects::read_objects;
use crate::problem::{Outcome, wrong};
use crate::resources::Resources;
use crate::run::Run;
use crate::steps::Generated;
use crate::tree::{Stamp, View};

use self::traced::{Naming, documents, reasons};
pub(crate) use self::values::Made;
use self::values::values;

const BY: &str = "helmCharts";
/// Where charts are, from the kustomization on, unless `helmGlobals` say otherwise.
const CHART_HOME: &str = "charts";

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
    let named = Naming { chart: &at, known: RefCell::new(values.names), run };
    let name = |name: &str, file: &File| named.name(name, file);
    let options = Options {
        release: &release,
        namespace: if args.namespace.is_empty() { charts.namespace() } else { args.namespace },
        values: &values.files,
        capabilities,
        include_crds: args.include_crds,
        trace: if run.is_traced() { Some(&name) } else { None },
        ..Options::default()
    };
    let rendered = plumb_helm::render(&chart, &options, &mut *charts.host(&release));
    let mut rendered = rendered.map_err(|error| {
        let options = Options { trace: Some(&name), ..options };
        let diagnostics = plumb_helm::diagnose(&chart, &options, &mut *charts.host(&release));
        reasons(diagnostics, args.name, &error.message, args.place, &values.made, run)
    })?;
    rendered.hooks.retain(|hook| !(args.skip_hooks || args.skip_tests && hook.events.contains(&"test")));
    let text: Arc<str> = Arc::from(rendered.text(args.include_crds));
    let file = run.texts.add(SourceFile {
        source: Arc::clone(&run.source),
        revision: Arc::clone(&run.revision),
        path: at.clone(),
        text: Arc::from(text.as_bytes()),
        made: true,
    });
    run.add_chart_text(file);
    if run.is_traced() {
        let documents = documents(&rendered, args.include_crds, &text);
        let explained = plumb_helm::Explained::of(rendered);
        let chart = Inflated { place: args.place, explained, text: file, documents, values: values.made };
        chart.warn(run);
        run.keep_chart(chart);
    }
    let mut resources = Resources::default();
    for mut object in read_objects(run, file, text).map_err(|failure| failure.through(args.place, "the chart is used here"))? {
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

/// Returns the release's name: what is given, what a template makes of nothing, or Helm's own name for what has none.
fn release_name(args: &HelmChart<'_>, host: &mut dyn Host) -> Outcome<String> {
    if !args.name_template.is_empty() {
        return plumb_helm::name_of_template(args.name_template, host)
            .map_err(|why| wrong("helm-chart", format!("`nameTemplate` cannot be executed: {why}"), args.place).into());
    }
    Ok(if args.release_name.is_empty() { plumb_helm::UNNAMED.to_owned() } else { args.release_name.to_owned() })
}
