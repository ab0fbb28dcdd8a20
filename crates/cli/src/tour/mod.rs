//! Owns `plumb tour`: a small shop of a chart and two overlays, broken in three ways, and how each is found. Needs no cluster; works in a temporary folder.

mod shop;
mod stops;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use self::stops::{STOPS, Stop};
use crate::printer::{Printer, Tone, shown};
use crate::problem::{DONE, Done, Problem};

/// Options of `tour`.
#[derive(Debug, Args)]
pub(crate) struct TourArgs {
    /// Stops to make, by their numbers; all when left out
    #[arg(value_name = "STOP")]
    stops: Vec<usize>,
    /// List the stops
    #[arg(long)]
    list: bool,
}

/// Leads around, or lists the stops.
pub(crate) fn run(printer: &Printer, args: &TourArgs) -> Done {
    if args.list {
        for (nth, stop) in STOPS.iter().enumerate() {
            printer.line(&format!("{}  {}", nth + 1, stop.title))?;
        }
        return Ok(DONE);
    }
    if let Some(wrong) = args.stops.iter().find(|stop| !(1..=STOPS.len()).contains(stop)) {
        return Err(Problem::usage(format!("there is no stop {wrong}")).hint("`plumb tour --list` lists them."));
    }
    let folder = Folder::new()?;
    printer.data(&format!(
        "The shop: a chart in base/charts, values of ours beside it, and overlays for staging and prod that change what comes of it.\n\
         It is in {} until the tour ends; nothing here needs a cluster.\n",
        shown(&folder.0)
    ))?;
    for (nth, stop) in STOPS.iter().enumerate().filter(|(nth, _)| args.stops.is_empty() || args.stops.contains(&(nth + 1))) {
        folder.fill()?;
        show(printer, &folder.0, nth + 1, stop)?;
    }
    printer.data("\nThat was it. docs/breakages.md has seven more; `plumb explain PATH OBJECT` does the same for charts and kustomizations of yours.\n")?;
    Ok(DONE)
}

fn show(printer: &Printer, folder: &Path, number: usize, stop: &Stop) -> Result<(), Problem> {
    let path = folder.join(stop.file);
    let text = fs::read_to_string(&path).map_err(|error| unusable(&path, &error))?;
    fs::write(&path, text.replacen(stop.right, stop.wrong, 1)).map_err(|error| unusable(&path, &error))?;
    let title = printer.paint(Tone::Strong, &format!("{number}. {}", stop.title));
    let command = printer.paint(Tone::Strong, &format!("$ plumb {}", stop.command.join(" ")));
    let lines = |text: &str, sign: char| text.lines().map(|line| format!("  {sign} {line}\n")).collect::<String>();
    let change = format!("  {}\n{}{}", stop.file, lines(stop.right, '-'), lines(stop.wrong, '+'));
    printer.data(&format!("\n{title}\n\n{}\n\n{change}\n{command}\n", stop.about))?;
    wait(printer, "Enter runs it");
    let plumb = std::env::current_exe().map_err(|error| Problem::new(format!("this program does not know where it is: {error}")))?;
    let output = Command::new(&plumb).args(stop.command).current_dir(folder).output().map_err(|error| unusable(&plumb, &error))?;
    printer.parts(|part| [&output.stderr, &output.stdout].into_iter().for_each(|text| part(text)))?;
    printer.data(&format!("\nLook at: {}\nThe fix: {}\n", stop.look, stop.fix))?;
    wait(printer, "Enter goes on");
    Ok(())
}

/// Waits for somebody who is there.
fn wait(printer: &Printer, text: &str) {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        printer.err(&format!("({text}) "));
        // Whoever closes stdin wants to see the rest at once.
        let _ = io::stdin().read_line(&mut String::new());
    }
}

/// A temporary folder with the shop in it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Problem> {
        let path = std::env::temp_dir().join(format!("plumb-tour-{}", std::process::id()));
        // One that somebody else made is not used.
        fs::create_dir(&path).map_err(|error| unusable(&path, &error))?;
        Ok(Self(path))
    }

    /// Puts all files there as they should be.
    fn fill(&self) -> Result<(), Problem> {
        for (path, text) in shop::FILES {
            let path = self.0.join(path);
            let folder = path.parent().unwrap_or(&self.0);
            fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).map_err(|error| unusable(&path, &error))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The system clears its temporary folder some day.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn unusable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(format!("`{}` cannot be used: {error}", shown(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stop_breaks_something_that_is_there() {
        for stop in &STOPS {
            let (_, text) = shop::FILES.iter().find(|(path, _)| *path == stop.file).unwrap();
            assert!(text.contains(stop.right), "{}: {} has no {:?}", stop.title, stop.file, stop.right);
        }
    }
}
