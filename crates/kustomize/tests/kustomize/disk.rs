//! Owns the world of recorded cases: a folder on disk, read into memory.

use std::fs;
use std::path::Path;

use plumb_suite::MemoryWorld;
use plumb_world::TreeId;

/// Reads a folder with all in it.
pub(crate) fn read(folder: &Path) -> (MemoryWorld, TreeId) {
    let mut files = Vec::new();
    let mut links = Vec::new();
    walk(folder, "", &mut files, &mut links);
    let mut world = MemoryWorld::new();
    let named: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let tree = world.tree(&named);
    for (path, target) in &links {
        world.link(tree, path, target);
    }
    (world, tree)
}

pub(crate) fn walk(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>, links: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files, links);
        } else if kind.is_symlink() {
            links.push((path, fs::read_link(entry.path()).unwrap().to_string_lossy().into_owned()));
        } else {
            files.push((path, fs::read(entry.path()).unwrap()));
        }
    }
}
