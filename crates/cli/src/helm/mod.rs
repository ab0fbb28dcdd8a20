//! Owns `plumb helm`: the commands of Helm that need no cluster, with its flags and its output. One file a command.

mod archive;
mod args;
mod dependency;
mod folder;
mod given;
mod lint;
mod lock;
mod machine;
mod manifests;
mod name;
mod named;
mod pull;
mod remote;
mod repositories;
mod show;
mod status;
mod template;
mod threads;

pub(crate) use args::{HelmCommand, ValuesArgs};
pub(crate) use folder::read_chart;
pub(crate) use given::{Given, read_file};
pub(crate) use machine::Machine;
pub(crate) use named::{Files, report};

use crate::args::Global;
use crate::printer::Printer;
use crate::problem::Done;

/// Carries out a command of `plumb helm`.
pub(crate) fn run(printer: &Printer, global: &Global, command: &HelmCommand) -> Done {
    match command {
        HelmCommand::Template(args) => template::run(printer, global, args),
        HelmCommand::Dependency(command) => dependency::run(printer, command),
        HelmCommand::Pull(args) => pull::run(printer, args),
        HelmCommand::Lint(args) => lint::run(printer, global, args),
        HelmCommand::Show(command) => show::run(printer, command),
    }
}
