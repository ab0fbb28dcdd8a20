//! Owns `helm lint`: looks at charts one after another and prints what is found (helm: pkg/cmd/lint.go, pkg/action/lint.go).

use std::fs;
use std::path::{Path, PathBuf};

use plumb_helm::lint::{Finding, Folder, Presence, Severity, lint};
use plumb_helm::{Chart, File, Ignore, Options, unpack};

use super::args::LintArgs;
use super::folder::{load_folder, read};
use super::given::{Given, read_file};
use super::machine::Machine;
use crate::args::Global;
use crate::printer::Printer;
use crate::problem::{DONE, Done, Problem};

/// Folders inside folders in which charts are looked for.
const MAX_DEPTH: usize = 64;

/// Looks at charts.
pub(super) fn run(printer: &Printer, global: &Global, args: &LintArgs) -> Done {
    let given = Given::read(&args.given)?;
    let options = Options {
        release: "test-release",
        namespace: global.namespace.as_deref().unwrap_or("default"),
        values: &given.values,
        arguments: &given.arguments,
        read_file: Some(&read_file),
        skip_schema: args.given.skip_schema_validation,
        lint: true,
        capabilities: given.capabilities,
        ..Options::default()
    };
    let mut charts = args.charts.clone();
    if args.with_subcharts {
        args.charts.iter().for_each(|chart| add_inner(&chart.join("charts"), 0, &mut charts));
    }
    let (mut text, mut failed, mut with_findings) = (String::new(), 0, 0);
    for place in &charts {
        let found = chart(place, &options)?;
        let weighs = |least: Severity| matches!(&found, Ok(found) if found.iter().any(|finding| finding.severity >= least));
        let is_told = found.is_err() || weighs(Severity::Warning);
        with_findings += usize::from(is_told);
        if args.quiet && !is_told {
            continue;
        }
        text.push_str(&format!("==> Linting {}\n", place.display()));
        let least = if args.quiet { Severity::Warning } else { Severity::Info };
        match &found {
            Ok(found) => {
                found.iter().filter(|finding| finding.severity >= least).for_each(|finding| text.push_str(&format!("{finding}\n")));
            }
            Err(error) => text.push_str(&format!("Error {error}\n")),
        }
        failed += usize::from(found.is_err() || weighs(if args.strict { Severity::Warning } else { Severity::Error }));
        text.push('\n');
    }
    let summary = format!("{} chart(s) linted, {failed} chart(s) failed", charts.len());
    if failed > 0 {
        printer.data(&text)?;
        return Err(Problem::new(summary));
    }
    if !args.quiet || with_findings > 0 {
        text.push_str(&format!("{summary}\n"));
    }
    printer.data(&text)?;
    Ok(DONE)
}

/// Adds the charts below a folder: in the order of their paths, folders with a Chart.yaml and archives.
fn add_inner(folder: &Path, depth: usize, charts: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut entries: Vec<_> = entries.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "Chart.yaml" {
            charts.push(folder.to_owned());
        } else if name.ends_with(".tgz") || name.ends_with(".tar.gz") {
            charts.push(path.clone());
        }
        // Links are not followed here, as Go's `filepath.Walk` does not.
        if depth < MAX_DEPTH && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            add_inner(&path, depth + 1, charts);
        }
    }
}

type Looked = Result<Vec<Finding>, String>;

/// Looks at one chart: what is found, or why it could not be looked at.
fn chart(place: &Path, options: &Options<'_>) -> Result<Looked, Problem> {
    let name = place.to_string_lossy();
    if name.ends_with(".tgz") || name.ends_with(".tar.gz") { archive(place, options) } else { folder(place, options) }
}

fn folder(place: &Path, options: &Options<'_>) -> Result<Looked, Problem> {
    let chart_file = place.join("Chart.yaml");
    if let Err(error) = fs::metadata(&chart_file) {
        return Ok(Err(format!("unable to check Chart.yaml file in chart: {}", stat_error(&chart_file, &error))));
    }
    let content = |name: &str| match read(&place.join(name)) {
        Ok(content) => Some(content),
        Err(_) => place.join(name).exists().then(Vec::new),
    };
    let chart = load_folder(place);
    let (file, values, schema) = (content("Chart.yaml").unwrap_or_default(), content("values.yaml"), content("values.schema.json"));
    let here = std::env::current_dir().unwrap_or_default();
    let looked = Folder {
        place: clean(&here.join(place)),
        chart_file: &file,
        values: values.as_deref(),
        schema: schema.as_deref(),
        templates: presence(&place.join("templates")),
        crds: presence(&place.join("crds")),
        chart: chart.as_ref().map_err(Clone::clone),
    };
    look(&looked, options)
}

fn archive(place: &Path, options: &Options<'_>) -> Result<Looked, Problem> {
    let bytes = match fs::read(place) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(format!("unable to open tarball: {}", open_error(place, &error)))),
    };
    let files = match unpack(&bytes) {
        Ok(files) => files,
        Err(error) => return Ok(Err(format!("unable to extract tarball: {error}"))),
    };
    let content = |name: &str| files.iter().find(|file| file.name == name).map(|file| file.data.to_vec());
    let has = |folder: &str| if files.iter().any(|file| file.name.starts_with(folder)) { Presence::Folder } else { Presence::Absent };
    let Some(file) = content("Chart.yaml") else { return Ok(Err("unable to check Chart.yaml file in chart".to_owned())) };
    let (values, schema) = (content("values.yaml"), content("values.schema.json"));
    let rules = content(".helmignore").map(|rules| String::from_utf8_lossy(&rules).into_owned()).unwrap_or_default();
    let chart = Ignore::parse(&rules).and_then(|ignore| {
        let kept: Vec<File> = files.iter().filter(|file| !is_ignored(&ignore, &file.name)).cloned().collect();
        Chart::load(kept).map_err(|error| error.to_string())
    });
    let looked = Folder {
        place: place.display().to_string(),
        chart_file: &file,
        values: values.as_deref(),
        schema: schema.as_deref(),
        templates: has("templates/"),
        crds: has("crds/"),
        chart: chart.as_ref().map_err(Clone::clone),
    };
    look(&looked, options)
}

/// Whether rules name a file or a folder that it is in.
fn is_ignored(ignore: &Ignore, name: &str) -> bool {
    name.match_indices('/').any(|(at, _)| ignore.ignores(&name[..at], true)) || ignore.ignores(name, false)
}

fn look(folder: &Folder<'_>, options: &Options<'_>) -> Result<Looked, Problem> {
    let number = |text: &str| text.parse().unwrap_or_default();
    let kubernetes = (number(&options.capabilities.major), number(&options.capabilities.minor));
    lint(folder, options, kubernetes, &mut Machine::default()).map(Ok).map_err(|error| Problem::new(error.message))
}

fn presence(path: &Path) -> Presence {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Presence::Folder,
        Ok(_) => Presence::File,
        Err(_) => Presence::Absent,
    }
}

/// A path without `.` and `..`, as Go's `filepath.Abs` gives it.
fn clean(path: &Path) -> String {
    String::from_utf8_lossy(&plumb_go::path::clean(path.to_string_lossy().as_bytes())).into_owned()
}

/// What went wrong, in Go's words where it is what happens usually.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn stat_error(path: &Path, error: &std::io::Error) -> String {
    format!("stat {}: {}", path.display(), reason(error))
}

fn open_error(path: &Path, error: &std::io::Error) -> String {
    format!("open {}: {}", path.display(), reason(error))
}
