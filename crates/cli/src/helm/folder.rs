//! Owns reading charts and values from this machine's folders, as Helm reads them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use plumb_helm::{Chart, File, Ignore, MAX_ENTRIES, MAX_FILE_BYTES, unpack};

use super::remote::{self, RemoteArgs, is_remote};
use super::repositories::Repositories;
use super::threads::both;
use crate::printer::{Printer, shown};
use crate::problem::Problem;

/// Folders inside folders of a chart.
const MAX_DEPTH: usize = 64;

/// Reads a file of at most [`MAX_FILE_BYTES`].
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let mut data = Vec::new();
    read_into(path, &mut data)?;
    Ok(data)
}

/// Reads a file of at most [`MAX_FILE_BYTES`] into an empty buffer.
fn read_into(path: &Path, data: &mut Vec<u8>) -> Result<(), Problem> {
    let cannot = |error: std::io::Error| Problem::new(format!("{} cannot be read: {error}", shown(path)));
    let file = fs::File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len().min(MAX_FILE_BYTES + 1);
    data.clear();
    data.reserve(usize::try_from(size).unwrap_or_default());
    // A device has no size, and some have no end. Whoever knows the size need not ask for the end.
    let limit = if size == 0 { MAX_FILE_BYTES + 1 } else { size };
    Read::take(file, limit).read_to_end(data).map_err(cannot)?;
    if data.len() as u64 > MAX_FILE_BYTES {
        return Err(Problem::new(format!("{} is larger than {MAX_FILE_BYTES} bytes", shown(path))));
    }
    Ok(())
}

/// Reads the chart that a reference means: what is here, else what is somewhere else.
pub(super) fn find_chart(printer: &Printer, reference: &str, args: &RemoteArgs) -> Result<Chart, Problem> {
    let place = Path::new(reference);
    if !is_remote(reference, args) && (place.exists() || !named_elsewhere(reference)) {
        return read_chart(place);
    }
    let files = unpack(&remote::fetch(printer, reference, args)?);
    files.map_err(|error| error.to_string()).and_then(|files| Chart::load(files).map_err(|error| error.to_string())).map_err(Problem::new)
}

/// Returns whether a reference may be `REPOSITORY/CHART` of the user's own repositories.
fn named_elsewhere(reference: &str) -> bool {
    let name = reference.split_once('/').filter(|(_, chart)| !chart.is_empty() && !chart.contains('/')).map(|(name, _)| name);
    name.is_some_and(|name| !name.starts_with('.') && Repositories::read().is_ok_and(|known| known.named(name).is_some()))
}

/// Reads the chart at a place: a folder or an archive.
pub(crate) fn read_chart(place: &Path) -> Result<Chart, Problem> {
    let is_folder = match fs::metadata(place) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) => return Err(Problem::new(format!("there is no chart at {}: {error}", shown(place)))),
    };
    let chart = if is_folder { load_folder(place) } else { load_archive(place) };
    chart.map_err(|error| Problem::new(format!("{}: {error}", shown(place))))
}

/// Reads the chart in an archive. The error is a message.
fn load_archive(place: &Path) -> Result<Chart, String> {
    let files = unpack(&fs::read(place).map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
    Chart::load(files).map_err(|error| error.to_string())
}

/// Reads the chart in a folder, without what its `.helmignore` names. The error is a message.
pub(super) fn load_folder(place: &Path) -> Result<Chart, String> {
    let files = read_files(place).map_err(|problem| problem.message)?;
    Chart::load(files).map_err(|error| error.to_string())
}

/// Reads the files of a chart's folder that its `.helmignore` does not leave out.
pub(super) fn read_files(place: &Path) -> Result<Vec<File>, Problem> {
    let rules = match fs::read_to_string(place.join(".helmignore")) {
        Ok(rules) => rules,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Problem::new(format!("{} cannot be read: {error}", shown(&place.join(".helmignore"))))),
    };
    let ignore = Ignore::parse(&rules).map_err(|error| Problem::new(format!("{}: {error}", shown(&place.join(".helmignore")))))?;
    let mut listing = Listing { ignore, files: Vec::new() };
    listing.add(place, "", 0)?;
    let files = listing.files;
    if files.len() < FEW_FILES {
        return read_some(&files, 0..).into_iter().map(|(_, file)| file).collect();
    }
    let next = AtomicUsize::new(0);
    let numbers = || std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
    let (mut here, mut there) = (Vec::new(), Vec::new());
    both(&mut || here = read_some(&files, numbers()), &mut || there = read_some(&files, numbers()));
    here.append(&mut there);
    here.sort_by_key(|(number, _)| *number);
    here.into_iter().map(|(_, file)| file).collect()
}

/// So few files are read before a thread has begun.
const FEW_FILES: usize = 32;

/// Reads files by their numbers, up to the first number that none has, each into one buffer first.
fn read_some(files: &[(PathBuf, String)], numbers: impl Iterator<Item = usize>) -> Vec<(usize, Result<File, Problem>)> {
    let mut buffer = Vec::new();
    let mut read = |(path, name): &(PathBuf, String)| {
        read_into(path, &mut buffer)?;
        let data = buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&buffer).into();
        Ok(File { name: name.clone(), data })
    };
    numbers.map_while(|number| Some((number, read(files.get(number)?)))).collect()
}

/// The files of a chart's folder.
struct Listing {
    ignore: Ignore,
    files: Vec<(PathBuf, String)>,
}

impl Listing {
    /// Adds the files of a folder. Links are followed, as Helm does: they are the user's own.
    fn add(&mut self, folder: &Path, name: &str, depth: usize) -> Result<(), Problem> {
        let cannot = |error: std::io::Error| Problem::new(format!("{} cannot be read: {error}", shown(folder)));
        if depth > MAX_DEPTH {
            return Err(Problem::new(format!("{} lies more than {MAX_DEPTH} folders deep", shown(folder))));
        }
        let mut entries: Vec<(PathBuf, bool)> = Vec::new();
        for entry in fs::read_dir(folder).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            let path = entry.path();
            // The folder itself tells what most entries are.
            let is_folder = match entry.file_type() {
                Ok(kind) if !kind.is_symlink() => kind.is_dir(),
                _ => path.is_dir(),
            };
            entries.push((path, is_folder));
        }
        entries.sort();
        for (path, is_folder) in entries {
            let Some(own) = path.file_name().and_then(|own| own.to_str()) else {
                return Err(Problem::new(format!("the name of {} is no UTF-8", shown(&path))));
            };
            let name = format!("{name}{own}");
            if self.ignore.ignores(&name, is_folder) {
                continue;
            }
            if is_folder {
                self.add(&path, &format!("{name}/"), depth + 1)?;
                continue;
            }
            if self.files.len() >= MAX_ENTRIES {
                return Err(Problem::new(format!("a chart may have {MAX_ENTRIES} files")));
            }
            self.files.push((path, name));
        }
        Ok(())
    }
}
