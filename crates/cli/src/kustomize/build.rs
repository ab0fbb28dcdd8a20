//! Owns `kustomize build`: builds a folder's kustomization and prints it.

use std::fs;
use std::path::Path;

use plumb_gotemplate::Host;
use plumb_helm::Capabilities;
use plumb_kustomize::{Built, Charts, Options, Output, Request, build, print};
use plumb_world::{Diagnostic, FileTable, RelPath, Remote, TreeId, World, WorldError};

use super::args::{BuildArgs, Reorder};
use super::disk::Disk;
use super::nearby::Nearby;
use crate::helm::Machine;
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem};

/// Prints what a kustomization builds to.
pub(super) fn run(printer: &Printer, args: &BuildArgs) -> Done {
    possible(args)?;
    let disk = Disk::default();
    let options = Options {
        reorder: match args.reorder {
            Some(Reorder::None) => plumb_kustomize::Reorder::None,
            Some(Reorder::Legacy) | None => plumb_kustomize::Reorder::Legacy,
        },
        restricted: args.load_restrictor.is_restricted(),
        managed_by_label: args.enable_managedby_label,
    };
    let request = request(&args.path, options, &disk)?;
    let here = Here::new(args)?;
    let charts = args.enable_helm.then_some(&here as &dyn Charts);
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
    let nearby = Nearby::of_working_folder();
    for warning in &built.warnings {
        tell(printer, warning, &built.files, &nearby);
    }
    built.result.map_err(|mistakes| Problem::report(nearby.report(&mistakes, &built.files, printer.color_err())))
}

/// Returns what is asked of a folder that somebody typed, or of one in a repository.
pub(crate) fn request(typed: &str, options: Options, disk: &Disk) -> Result<Request, Problem> {
    let (tree, path) = root(typed, disk)?;
    let source = if tree == Disk::TREE { "" } else { typed };
    Ok(Request { source: source.into(), ..Request::new(tree, path, options) })
}

/// Returns the folder to build: one of this machine, or of a repository.
fn root(typed: &str, disk: &Disk) -> Result<(TreeId, RelPath), Problem> {
    let path = Path::new(typed);
    let place = match fs::canonicalize(path) {
        Ok(place) => place,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let Some((remote, folder)) = plumb_kustomize::remote(typed) else {
                return Err(Problem::new(format!("there is no folder `{}`", shown(path))));
            };
            return match disk.remote_tree(&remote) {
                Remote::Here(tree) => {
                    let folder = RelPath::parse(&folder).map_err(|error| Problem::new(error.to_string()))?;
                    Ok((tree, folder))
                }
                Remote::Denied(why) => Err(Problem::new(format!("`{}` cannot be fetched: {why}", shown(path)))),
                Remote::NotHere => Err(Problem::new(format!("there is no folder `{}`", shown(path)))),
            };
        }
        Err(error) => return Err(Problem::new(format!("`{}` cannot be read: {error}", shown(path)))),
    };
    if !place.is_dir() {
        let problem = Problem::new(format!("`{}` is a file, not the folder of a kustomization", shown(path)));
        return Err(problem.hint("Name the folder that it is in."));
    }
    let text = place.to_str().ok_or_else(|| Problem::new(format!("the path of `{}` is not UTF-8", shown(path))))?;
    let path = RelPath::parse(text.trim_start_matches('/')).map_err(|error| Problem::new(error.to_string()))?;
    Ok((Disk::TREE, path))
}

/// What charts are told: what the flags say, and what `helm template` would.
pub(crate) struct Here {
    pub(crate) capabilities: Capabilities,
    pub(crate) api_versions: Vec<String>,
}

impl Here {
    fn new(args: &BuildArgs) -> Result<Self, Problem> {
        let mut capabilities = Capabilities::default();
        if let Some(version) = args.helm_kube_version.as_ref().filter(|_| args.enable_helm) {
            capabilities.set_kube_version(version).map_err(Problem::new)?;
        }
        Ok(Self { capabilities, api_versions: args.helm_api_versions.clone() })
    }
}

impl Charts for Here {
    fn host(&self, _: &str) -> Box<dyn Host + '_> {
        Box::new(Machine::default())
    }

    fn capabilities(&self) -> Result<Capabilities, String> {
        let mut capabilities = self.capabilities.clone();
        capabilities.api_versions.extend(self.api_versions.iter().cloned());
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
pub(crate) fn tell(printer: &Printer, warning: &Diagnostic, files: &FileTable, nearby: &Nearby) {
    if warning.code == "deprecated-field" {
        printer.note(&format!("# Warning: {}", warning.message));
    } else {
        printer.note(nearby.report(std::slice::from_ref(warning), files, printer.color_err()).trim_end());
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
