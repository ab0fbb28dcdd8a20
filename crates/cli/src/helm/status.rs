//! Owns `helm dependency list`: what a chart needs, and whether it is there (helm: pkg/action/dependency.go).

use std::fs;
use std::path::{Path, PathBuf};

use plumb_go::semver::{Constraints, Version};
use plumb_helm::{Chart, unpack};

use super::dependency::{ListArgs, fits, read_needs};
use super::folder::read_chart;
use super::lock::Wanted;
use crate::printer::{Printer, shown};
use crate::problem::{DONE, Done, Problem};

/// Prints what a chart needs, and what lies in `charts/` that it does not.
pub(super) fn list(printer: &Printer, args: &ListArgs) -> Done {
    let folder = &args.chart;
    let chart = read_chart(folder)?;
    let wanted = read_needs(folder)?.wanted;
    let Some(wanted) = wanted else {
        printer.line(&format!("WARNING: no dependencies at {}", shown(&folder.join("charts"))))?;
        return Ok(DONE);
    };
    let mut rows = vec![["NAME", "VERSION", "REPOSITORY", "STATUS"].map(str::to_owned)];
    for wanted in &wanted {
        let status = status(folder, wanted, &chart)?;
        rows.push([wanted.name.clone(), wanted.version.clone(), wanted.repository.clone(), status.to_owned()]);
    }
    printer.data(&table(&rows, args.max_col_width))?;
    printer.line("")?;
    for path in entries(&folder.join("charts"))? {
        if !path.is_dir() && path.extension().is_none_or(|extension| extension != "tgz") {
            continue;
        }
        match read_chart(&path) {
            Err(_) => printer.line(&format!("WARNING: {:?} is not a chart.", shown(&path)))?,
            Ok(found) if wanted.iter().all(|wanted| wanted.name != found.metadata.name) => {
                printer.line(&format!("WARNING: {:?} is not in Chart.yaml.", shown(&path)))?;
            }
            Ok(_) => {}
        }
    }
    Ok(DONE)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let broken = |error: std::io::Error| Problem::new(format!("{} cannot be read: {error}", shown(folder)));
    let mut paths = Vec::new();
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                paths.push(entry.map_err(broken)?.path());
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(broken(error)),
    }
    paths.sort();
    Ok(paths)
}

fn status(folder: &Path, wanted: &Wanted, chart: &Chart) -> Result<&'static str, Problem> {
    let start = format!("{}-", wanted.name);
    let version = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(&start)?.strip_suffix(".tgz").map(str::to_owned)
    };
    let mut archives: Vec<PathBuf> = entries(&folder.join("charts"))?.into_iter().filter(|path| version(path).is_some()).collect();
    if archives.len() > 1 {
        archives.retain(|path| version(path).is_some_and(|version| Version::parse_strict(&version).is_ok()));
        if archives.len() > 1 {
            return Ok("too many matches");
        }
    }
    if let Some(archive) = archives.first() {
        return Ok(of_archive(archive, wanted));
    }
    let Some(found) = chart.dependencies.iter().rfind(|chart| chart.metadata.name == wanted.name) else { return Ok("missing") };
    Ok(of_version(&found.metadata.version, wanted).unwrap_or("unpacked"))
}

fn of_archive(archive: &Path, wanted: &Wanted) -> &'static str {
    let files = fs::read(archive).ok().and_then(|bytes| unpack(&bytes).ok());
    let Some(chart) = files.and_then(|files| Chart::load(files).ok()) else { return "corrupt" };
    if chart.metadata.name != wanted.name {
        return "misnamed";
    }
    of_version(&chart.metadata.version, wanted).unwrap_or("ok")
}

/// Returns what is wrong with a version.
fn of_version(version: &str, wanted: &Wanted) -> Option<&'static str> {
    if version == wanted.version {
        return None;
    }
    match Constraints::parse(&wanted.version) {
        Ok(_) if Version::parse(version).is_err() => Some("invalid version"),
        Ok(range) if fits(&range, version) => None,
        Ok(_) => Some("wrong version"),
        Err(_) => Some("invalid version"),
    }
}

/// Sets a table as Helm's library does: columns filled up with spaces, a tab between them, long cells cut.
fn table(rows: &[[String; 4]], widest: usize) -> String {
    let width = |text: &str| text.chars().count();
    let limited = |text: &str| if widest == 0 { width(text) } else { width(text).min(widest) };
    let widths: Vec<usize> = (0..4).map(|column| rows.iter().map(|row| limited(&row[column])).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, room)| fitted(cell, *room)).collect();
        text.push_str(&cells.join("\t"));
        text.push('\n');
    }
    text
}

fn fitted(cell: &str, room: usize) -> String {
    if cell.chars().count() <= room {
        return format!("{cell:room$}");
    }
    let kept: String = cell.chars().take(room.saturating_sub(3).max(1)).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_helms() {
        let rows = [["NAME", "VERSION", "REPOSITORY", "STATUS"], ["foo", "0.1.x", "http://127.0.0.1:5998/charts", "ok"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        let expect = "NAME\tVERSION\tREPOSITORY                  \tSTATUS\nfoo \t0.1.x  \thttp://127.0.0.1:5998/charts\tok    \n";
        assert_eq!(table(&rows, 80), expect);
        assert_eq!(table(&rows, 10).lines().last(), Some("foo \t0.1.x  \thttp://...\tok    "));
    }
}
