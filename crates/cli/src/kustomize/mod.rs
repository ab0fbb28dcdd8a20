//! Owns `plumb kustomize`: the commands of kustomize that need no cluster, with its flags and its output.

mod args;
mod build;
mod disk;

use std::ffi::OsString;

use clap::Parser;

use self::args::{Kustomize, KustomizeCommand};
use crate::printer::Printer;
use crate::problem::Done;

/// Carries out a command of `plumb kustomize`. Its words have a grammar of their own: `-o` names a file there.
pub(crate) fn run(printer: &Printer, words: &[OsString]) -> Done {
    let name = OsString::from("plumb kustomize");
    match Kustomize::parse_from(std::iter::once(&name).chain(words)).command {
        KustomizeCommand::Build(args) => build::run(printer, &args),
    }
}
