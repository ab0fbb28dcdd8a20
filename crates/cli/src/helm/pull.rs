//! Owns `helm pull`: a chart's archive, or its files, written where the user says (helm: pkg/action/pull.go).

use std::fs;
use std::path::{Component, Path, PathBuf};

use clap::Args;
use plumb_helm::{File, Metadata, unpack};

use super::remote::{Remote, RemoteArgs};
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem};

/// Options of `helm pull`.
#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// Charts: `oci://HOST/PATH/CHART`, the URL of an archive, `REPOSITORY/CHART`, or a name with `--repo`
    #[arg(required = true, value_name = "CHART")]
    charts: Vec<String>,
    #[command(flatten)]
    remote: RemoteArgs,
    /// Folder to write to
    #[arg(short, long, default_value = ".", value_name = "FOLDER")]
    destination: PathBuf,
    /// Unpack the chart
    #[arg(long)]
    untar: bool,
    /// Folder to unpack into, from `--destination` on
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    untardir: PathBuf,
    /// Refused: signatures of charts are not read
    #[arg(long)]
    prov: bool,
    /// Refused: signatures of charts are not read
    #[arg(long)]
    verify: bool,
}

/// Fetches charts and writes them.
pub(super) fn run(printer: &Printer, args: &PullArgs) -> Done {
    if args.prov || args.verify {
        let hint = "A digest pins a chart: `oci://HOST/PATH/CHART@sha256:…`.";
        return Err(Problem::usage("provenance files are not read or checked: leave out `--prov` and `--verify`").hint(hint));
    }
    let remote = Remote::open(&args.remote.access)?;
    for chart in &args.charts {
        let pulled = remote.pull(chart, &args.remote)?;
        if let Some(told) = &pulled.told {
            printer.data(told)?;
        }
        if args.untar {
            untar(&pulled.archive.bytes, &args.destination.join(&args.untardir))?;
        } else {
            write_whole(&args.destination.join(&pulled.file), &pulled.archive.bytes)?;
        }
    }
    Ok(DONE)
}

/// Unpacks a chart into a folder of its own name, which must not be there yet: so nothing in it can be a link of somebody's.
fn untar(archive: &[u8], into: &Path) -> Result<(), Problem> {
    let broken = |error: &dyn std::fmt::Display| Problem::new(format!("failed to untar: {error}"));
    let files = unpack(archive).map_err(|error| broken(&error))?;
    let name = chart_name(&files).map_err(|error| broken(&error))?;
    // `.` at the start of a path says nothing.
    let folder: PathBuf = into.join(&name).components().filter(|part| *part != Component::CurDir).collect();
    if fs::symlink_metadata(&folder).is_ok() {
        return Err(broken(&format!("a file or directory with the name {} already exists", shown(&folder))));
    }
    for file in &files {
        let path = folder.join(&file.name);
        // Reading an archive has refused such names; what is written to a disk is looked at once more.
        if Path::new(&file.name).components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(broken(&format!("{} leads out of the chart", file.name.escape_debug())));
        }
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).map_err(|error| broken(&error))?;
        fs::write(&path, &file.data).map_err(|error| broken(&format!("{}: {error}", shown(&path))))?;
    }
    Ok(())
}

/// Returns the name that a chart gives itself. The error is a message.
pub(super) fn chart_name(files: &[File]) -> Result<String, String> {
    let own = files.iter().rfind(|file| file.name == "Chart.yaml").ok_or("chart.yaml not found in the archive")?;
    let mut metadata = Metadata::default();
    metadata.read(&own.data)?;
    let name = metadata.name;
    let one = Path::new(&name).components().collect::<Vec<_>>();
    match one.as_slice() {
        [Component::Normal(only)] if only.to_str() == Some(&name) && !name.contains(char::is_control) => Ok(name),
        _ => Err(format!("{:?} cannot be a chart's name", name)),
    }
}

/// Writes a file so that it is there whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Problem> {
    let broken = |error: std::io::Error| Problem::new(format!("{} cannot be written: {error}", shown(path)));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let unfinished = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // What is left of it is of no use; that it cannot be removed is not what the user has to know.
        let _ = fs::remove_file(&unfinished);
    }
    written.map_err(broken)
}
