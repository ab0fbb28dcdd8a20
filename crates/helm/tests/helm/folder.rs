//! Owns reading a chart from a folder as Helm does, for tests and measurements.

use std::fs;
use std::path::Path;

use plumb_helm::{Chart, File, Ignore};

/// Reads a folder as Helm does. The error is a message.
pub(crate) fn load(folder: &Path) -> Result<Chart, String> {
    let rules = fs::read_to_string(folder.join(".helmignore")).unwrap_or_default();
    let ignore = Ignore::parse(&rules)?;
    let mut files = Vec::new();
    add(folder, "", &ignore, &mut files).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
    Chart::load(files).map_err(|error| error.to_string())
}

fn add(folder: &Path, path: &str, ignore: &Ignore, files: &mut Vec<File>) -> std::io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{path}{}", entry.file_name().to_string_lossy());
        let is_folder = entry.path().is_dir();
        if ignore.ignores(&name, is_folder) {
            continue;
        }
        if is_folder {
            add(&entry.path(), &format!("{name}/"), ignore, files)?;
        } else {
            let data = fs::read(entry.path())?;
            files.push(File { name, data: data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&data).into() });
        }
    }
    Ok(())
}
