//! Owns chart archives: a `.tgz` becomes files in memory, within named limits, and nothing in it can name a place outside of it.

use std::io::Read;

use crate::File;

/// The largest archive once unpacked. Helm's own limit.
const MAX_ARCHIVE_BYTES: u64 = 100 << 20;
/// The largest file in an archive. Helm's own limit.
pub const MAX_FILE_BYTES: u64 = 5 << 20;
/// How many entries an archive may have.
pub const MAX_ENTRIES: usize = 50_000;

/// The longest path of an entry: what systems take.
pub const MAX_PATH_BYTES: usize = 4096;

const BLOCK: usize = 512;

/// Why an archive was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveError(pub String);

impl std::fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ArchiveError {}

fn refused<T>(message: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError(message.into()))
}

/// Unpacks a chart's archive; paths lose the chart's own folder. Links and devices are left out, as Helm leaves them.
pub fn unpack(bytes: &[u8]) -> Result<Vec<File>, ArchiveError> {
    let mut all = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(bytes).take(MAX_ARCHIVE_BYTES + 1);
    reader.read_to_end(&mut all).map_err(|error| ArchiveError(format!("the archive cannot be read: {error}")))?;
    if all.len() as u64 > MAX_ARCHIVE_BYTES {
        return refused(format!("decompressed chart is larger than the maximum size {MAX_ARCHIVE_BYTES}"));
    }
    let (mut files, mut at, mut long_name, mut entries) = (Vec::new(), 0, None, 0);
    while let Some(header) = all.get(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        entries += 1;
        if entries > MAX_ENTRIES {
            return refused(format!("an archive may have {MAX_ENTRIES} entries"));
        }
        let Some(size) = octal(&header[124..136]) else { return refused("the archive has an entry without a size") };
        let start = at + BLOCK;
        let Some(content) = usize::try_from(size).ok().and_then(|size| all.get(start..start.checked_add(size)?)) else {
            return refused("the archive ends inside a file");
        };
        at = start + content.len().div_ceil(BLOCK) * BLOCK;
        match header[156] {
            b'L' => long_name = Some(text(content)),
            b'x' => long_name = pax_path(content).or(long_name),
            b'g' => {}
            b'0' | 0 => {
                let name = long_name.take().unwrap_or_else(|| name(header));
                if name.len() > MAX_PATH_BYTES {
                    return refused(format!("the name of an entry may have {MAX_PATH_BYTES} bytes"));
                }
                if size > MAX_FILE_BYTES {
                    return refused(format!("decompressed chart file {name:?} is larger than the maximum file size {MAX_FILE_BYTES}"));
                }
                if let Some(name) = inside(&name)? {
                    files.push(File { name, data: content.into() });
                }
            }
            _ => long_name = None,
        }
    }
    if files.is_empty() {
        return refused("no files in chart archive");
    }
    Ok(files)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

fn name(header: &[u8]) -> String {
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    if header[257..].starts_with(b"ustar") && !prefix.is_empty() { format!("{prefix}/{name}") } else { name }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = text(field);
    u64::from_str_radix(text.trim(), 8).ok()
}

fn pax_path(content: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(content);
    text.lines().find_map(|line| line.split_once(' ')?.1.strip_prefix("path=").map(str::to_owned))
}

/// The path inside the chart: without its first folder; an error for one that leads out.
fn inside(name: &str) -> Result<Option<String>, ArchiveError> {
    let slashed = name.replace('\\', "/");
    if slashed.starts_with('/') || slashed.as_bytes().get(1) == Some(&b':') {
        return refused("chart illegally contains absolute paths");
    }
    let parts: Vec<&str> = slashed.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") {
        return refused("chart illegally references parent directory");
    }
    match parts.as_slice() {
        [] => Ok(None),
        ["Chart.yaml"] => refused("chart yaml not in base directory"),
        [_] => Ok(None),
        [_, rest @ ..] => Ok(Some(rest.join("/"))),
    }
}
