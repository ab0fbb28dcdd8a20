//! Owns `helm show`: prints what is in a chart.

use plumb_helm::{Show, show};

use super::args::ShowCommand;
use super::folder::find_chart;
use crate::printer::Printer;
use crate::problem::{DONE, Done};

/// Prints a part of a chart, or all of it.
pub(super) fn run(printer: &Printer, command: &ShowCommand) -> Done {
    let (what, args) = match command {
        ShowCommand::All(args) => (Show::All, args),
        ShowCommand::Chart(args) => (Show::Chart, args),
        ShowCommand::Values(args) => (Show::Values, args),
        ShowCommand::Readme(args) => (Show::Readme, args),
        ShowCommand::Crds(args) => (Show::Crds, args),
    };
    let chart = find_chart(printer, &args.chart, &args.remote)?;
    printer.data(&show(&chart, what))?;
    Ok(DONE)
}
