//! Owns `kustomize build`: builds a folder's kustomization and prints it.

use std::fs;
use std::path::Path;

use plumb_build::report;
use plumb_gotemplate::Host;
use plumb_helm::Capabilities;
use plumb_kustomize::{Charts, Options, Output, Request, build};
use plumb_world::{Diagnostic, FileTable, RelPath, Remote, TreeId, World};

use super::args::{BuildArgs, LoadRestrictor, Reorder};
use super::disk::Disk;
use crate::helm::Machine;
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem};

/// Prints what a kustomization builds to.
pub(super) fn run(printer: &Printer, args: &BuildArgs) -> Done {
    possible(args)?;
    let disk = Disk::default();
    let (tree, path) = root(&args.path, &disk)?;
    let source = if tree == Disk::TREE { "" } else { args.path.as_str() };
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
    let request = Request { source: source.into(), ..Request::new(tree, path, options) };
    let built = build(&disk, &request, charts, FileTable::default());
    let built = built.map_err(|error| Problem::of(&error))?;
    let files = seen_from_here(&built.files);
    for warning in &built.warnings {
        tell(printer, warning, &files);
    }
    match built.result {
        Ok(output) => write(printer, args, &output),
        Err(mistakes) => Err(Problem::report(report::render(&mistakes, &files, "", printer.color_err()))),
    }
}

/// Names files as somebody would type them in this folder; those elsewhere on this machine are said to be in `/`.
fn seen_from_here(files: &FileTable) -> FileTable {
    let here = std::env::current_dir().ok().and_then(|here| fs::canonicalize(here).ok());
    let here = here.as_deref().and_then(Path::to_str).map(|here| format!("{}/", here.trim_matches('/')));
    let mut seen = FileTable::default();
    for (id, file) in files.iter() {
        let mut file = file.clone();
        if file.source.is_empty() && !file.made {
            let below = here.as_deref().and_then(|here| file.path.as_str().strip_prefix(here)).and_then(|path| RelPath::parse(path).ok());
            match below {
                Some(path) => file.path = path,
                None => file.source = "in /".into(),
            }
        }
        seen.add(file);
        files.hidden(id).for_each(|span| seen.hide(span));
    }
    seen
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

fn write(printer: &Printer, args: &BuildArgs, output: &Output) -> Done {
    match &args.output {
        Some(folder) if folder.is_dir() => {
            for object in &output.objects {
                let path = folder.join(&object.file_name);
                fs::write(&path, &output.text[object.text.clone()]).map_err(|error| unwritable(&path, &error))?;
            }
        }
        Some(path) => fs::write(path, &output.text).map_err(|error| unwritable(path, &error))?,
        None => printer.bytes(&output.text)?,
    }
    Ok(DONE)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::new(format!("`{}` cannot be written: {error}", shown(path)))
}
