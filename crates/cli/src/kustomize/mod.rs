//! Owns `plumb kustomize`: the commands of kustomize that need no cluster, with its flags and its output.

mod args;
mod build;
mod disk;
mod fetched;
mod nearby;

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;

use self::args::{Kustomize, KustomizeCommand};
use crate::printer::Printer;
use crate::problem::Done;

pub(crate) use args::LoadRestrictor;
pub(crate) use build::{Here, request, tell};
pub(crate) use disk::Disk;
pub(crate) use nearby::Nearby;

/// Returns whether a folder is that of a kustomization.
pub(crate) fn is_kustomization(folder: &Path) -> bool {
    ["kustomization.yaml", "kustomization.yml", "Kustomization"].iter().any(|name| folder.join(name).is_file())
}

/// Carries out a command of `plumb kustomize`. Its words have a grammar of their own: `-o` names a file there.
pub(crate) fn run(printer: &Printer, words: &[OsString]) -> Done {
    let name = OsString::from("plumb kustomize");
    match Kustomize::parse_from(std::iter::once(&name).chain(words)).command {
        KustomizeCommand::Build(args) => build::run(printer, &args),
    }
}
