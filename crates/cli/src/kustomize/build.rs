//! Owns `kustomize build`: builds a folder's kustomization and prints it.

use std::fs;
use std::path::Path;

use plumb_build::report;
use plumb_gotemplate::Host;
use plumb_helm::Capabilities;
use plumb_kustomize::{Built, Charts, Options, Output, Request, build, print};
use plumb_world::{Diagnostic, FileTable, RelPath, WorldError};

use super::args::{BuildArgs, LoadRestrictor, Reorder};
use super::disk::Disk;
use crate::helm::Machine;
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem};

/// Prints what a kustomization builds to.
pub(super) fn run(printer: &Printer, args: &BuildArgs) -> Done {
    possible(args)?;
    let typed = Path::new(&args.path);
    let place = fs::canonicalize(typed).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::new(format!("there is no folder `{}`", shown(typed))),
        _ => Problem::new(format!("`{}` cannot be read: {error}", shown(typed))),
    })?;
    if !place.is_dir() {
        let problem = Problem::new(format!("`{}` is a file, not the folder of a kustomization", shown(typed)));
        return Err(problem.hint("Name the folder that it is in."));
    }
    let path = place.to_str().ok_or_else(|| Problem::new(format!("the path of `{}` is not UTF-8", shown(typed))))?;
    let path = RelPath::parse(path.trim_start_matches('/')).map_err(|error| Problem::new(error.to_string()))?;
    let options = Options {
        reorder: match args.reorder {
            Some(Reorder::None) => plumb_kustomize::Reorder::None,
            Some(Reorder::Legacy) | None => plumb_kustomize::Reorder::Legacy,
        },
        restricted: args.load_restrictor == LoadRestrictor::RootOnly,
        managed_by_label: args.enable_managedby_label,
    };
    let here = Here { args };
    let charts = args.enable_helm.then_some(&here as &dyn Charts);
    let request = Request::new(Disk::TREE, path, options);
    let disk = Disk::default();
    if let Some(place) = &args.output {
        let built = build(&disk, &request, charts, FileTable::default());
        return write(place, &told(printer, built)?);
    }
    let built = printer.parts(|part| print(&disk, &request, charts, FileTable::default(), part))?;
    told(printer, built).map(|()| DONE)
}

/// Tells what is to be known of a build, and returns what came of it.
fn told<T>(printer: &Printer, built: Result<Built<T>, WorldError>) -> Result<T, Problem> {
    let built = built.map_err(|error| Problem::of(&error))?;
    for warning in &built.warnings {
        tell(printer, warning, &built.files);
    }
    built.result.map_err(|mistakes| Problem::report(report::render(&mistakes, &built.files, "", printer.color_err())))
}

/// What charts are told: what the flags say, and what `helm template` would.
struct Here<'a> {
    args: &'a BuildArgs,
}

impl Charts for Here<'_> {
    fn host(&self, _: &str) -> Box<dyn Host + '_> {
        Box::new(Machine::default())
    }

    fn capabilities(&self) -> Result<Capabilities, String> {
        let mut capabilities = Capabilities::default();
        if let Some(version) = &self.args.helm_kube_version {
            capabilities.set_kube_version(version)?;
        }
        capabilities.api_versions.extend(self.args.helm_api_versions.iter().cloned());
        Ok(capabilities)
    }
}

/// Refuses what cannot be done here.
fn possible(args: &BuildArgs) -> Result<(), Problem> {
    let functions = args.enable_exec || args.network || args.network_name.is_some() || !args.mount.is_empty() || !args.env.is_empty();
    if args.enable_alpha_plugins || functions || args.as_current_user {
        let problem = Problem::new(
            "Plumb runs no program and no container on behalf of a kustomization: KRM functions and exec plugins are not there",
        );
        return Err(problem.hint("Leave `--enable-alpha-plugins` and the flags of functions out; all builtin plugins work without."));
    }
    Ok(())
}

/// Old forms of fields are told in kustomize's own words, everything else with its place.
fn tell(printer: &Printer, warning: &Diagnostic, files: &FileTable) {
    if warning.code == "deprecated-field" {
        printer.note(&format!("# Warning: {}", warning.message));
    } else {
        printer.note(report::render(std::slice::from_ref(warning), files, "", printer.color_err()).trim_end());
    }
}

fn write(place: &Path, output: &Output) -> Done {
    if !place.is_dir() {
        fs::write(place, &output.text).map_err(|error| unwritable(place, &error))?;
        return Ok(DONE);
    }
    for object in &output.objects {
        let path = place.join(&object.file_name);
        fs::write(&path, &output.text[object.text.clone()]).map_err(|error| unwritable(&path, &error))?;
    }
    Ok(DONE)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(format!("`{}` cannot be written: {error}", shown(path)))
}
