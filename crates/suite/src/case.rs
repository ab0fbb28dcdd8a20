//! Owns cases: input files and the expected outputs beside them, in a folder (`NAME/in/…`, `NAME/out/…`) or in one archive
//! (`NAME.case`: a comment, then `-- in/path --` and `-- out/name --` headers, each followed by that file's text).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::snapshot::{difference, updating};

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name: the path below the folder of cases, without an ending.
    pub name: String,
    /// What it is about: the archive's text before the first header; empty for a folder.
    pub comment: String,
    /// Input path (below `in/`) → content.
    pub input: BTreeMap<String, Vec<u8>>,
    /// Output name (below `out/`) → recorded text.
    pub output: BTreeMap<String, String>,
    place: PathBuf,
}

const ARCHIVE: &str = "case";

/// Returns all cases below a folder ordered by name, and panics when there is none: a test that finds no case tests nothing.
pub fn load(folder: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    collect(folder, folder, &mut cases);
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!cases.is_empty(), "no case in {}", folder.display());
    cases
}

fn collect(root: &Path, folder: &Path, cases: &mut Vec<Case>) {
    if folder.join("in").is_dir() {
        cases.push(Case::from_folder(root, folder));
        return;
    }
    for entry in entries(folder) {
        if entry.is_dir() {
            collect(root, &entry, cases);
        } else if entry.extension().is_some_and(|ending| ending == ARCHIVE) {
            cases.push(Case::from_archive(root, &entry));
        }
    }
}

impl Case {
    fn from_folder(root: &Path, place: &Path) -> Self {
        let mut case = Self {
            name: name(root, place),
            comment: String::new(),
            input: BTreeMap::new(),
            output: BTreeMap::new(),
            place: place.to_owned(),
        };
        read_tree(&place.join("in"), "", &mut case.input);
        let mut output = BTreeMap::new();
        read_tree(&place.join("out"), "", &mut output);
        case.output = output.into_iter().map(|(name, text)| (name, String::from_utf8_lossy(&text).into_owned())).collect();
        case
    }

    fn from_archive(root: &Path, place: &Path) -> Self {
        let text = fs::read_to_string(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
        let (comment, files) = parse_archive(&text);
        let mut case = Self {
            name: name(root, &place.with_extension("")),
            comment,
            input: BTreeMap::new(),
            output: BTreeMap::new(),
            place: place.to_owned(),
        };
        for (path, text) in files {
            match (path.strip_prefix("in/"), path.strip_prefix("out/")) {
                (Some(path), _) => drop(case.input.insert(path.to_owned(), text.into_bytes())),
                (_, Some(name)) => drop(case.output.insert(name.to_owned(), text)),
                _ => panic!("{}: `{path}` is neither below `in/` nor below `out/`", place.display()),
            }
        }
        case
    }

    /// Returns the input as texts, lossily: what notes are looked for in.
    pub fn texts(&self) -> Vec<(String, String)> {
        self.input.iter().map(|(path, text)| (path.clone(), String::from_utf8_lossy(text).into_owned())).collect()
    }

    /// Compares the outputs with the recorded ones, or records them when `UPDATE=1` is set. Returns what differs, for a person.
    pub fn check(&self, outputs: &BTreeMap<String, String>) -> Result<(), String> {
        if outputs == &self.output {
            return Ok(());
        }
        if updating() {
            self.record(outputs);
            eprintln!("recorded {}", self.name);
            return Ok(());
        }
        let empty = String::new();
        let mut text = format!("case {} differs; UPDATE=1 records what came\n", self.name);
        let names: std::collections::BTreeSet<&String> = self.output.keys().chain(outputs.keys()).collect();
        for name in names {
            if let Some(lines) = difference(self.output.get(name).unwrap_or(&empty), outputs.get(name).unwrap_or(&empty)) {
                text.push_str(&format!("--- {name}\n{lines}"));
            }
        }
        Err(text)
    }

    fn record(&self, outputs: &BTreeMap<String, String>) {
        let write = |path: &Path, text: &str| {
            let folder = path.parent().unwrap_or(path);
            fs::create_dir_all(folder).and_then(|()| fs::write(path, text)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        };
        if self.place.is_dir() {
            for name in self.output.keys().filter(|name| !outputs.contains_key(*name)) {
                drop(fs::remove_file(self.place.join("out").join(name)));
            }
            outputs.iter().for_each(|(name, text)| write(&self.place.join("out").join(name), text));
            return;
        }
        let mut archive = self.comment.clone();
        for (path, text) in &self.input {
            archive.push_str(&format!("-- in/{path} --\n{}", String::from_utf8_lossy(text)));
            end_line(&mut archive);
        }
        for (name, text) in outputs {
            archive.push_str(&format!("-- out/{name} --\n{text}"));
            end_line(&mut archive);
        }
        write(&self.place, &archive);
    }
}

fn end_line(text: &mut String) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
}

/// Splits an archive into its comment and its files, in the order they are written.
fn parse_archive(text: &str) -> (String, Vec<(String, String)>) {
    let mut comment = String::new();
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        match line.trim_end().strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
            Some(path) => files.push((path.to_owned(), String::new())),
            None => files.last_mut().map_or(&mut comment, |(_, text)| text).push_str(line),
        }
    }
    (comment, files)
}

fn read_tree(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    if !folder.is_dir() {
        return;
    }
    for entry in entries(folder) {
        let name = format!("{prefix}{}", entry.file_name().unwrap_or_default().to_string_lossy());
        if entry.is_dir() {
            read_tree(&entry, &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(&entry).unwrap_or_else(|error| panic!("{}: {error}", entry.display())));
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut entries: Vec<PathBuf> = list.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    entries.sort();
    entries
}

fn name(root: &Path, place: &Path) -> String {
    place.strip_prefix(root).unwrap_or(place).to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_a_comment_and_files() {
        let (comment, files) = parse_archive("about\n-- in/a.yaml --\nx: 1\n---\ny: 2\n-- out/errors --\nbad\n");
        assert_eq!(comment, "about\n");
        assert_eq!(files, [("in/a.yaml".to_owned(), "x: 1\n---\ny: 2\n".to_owned()), ("out/errors".to_owned(), "bad\n".to_owned())]);
    }

    #[test]
    fn what_differs_is_shown_by_name() {
        let case = Case {
            name: "x".into(),
            comment: String::new(),
            input: BTreeMap::new(),
            output: BTreeMap::from([("errors".to_owned(), "a\n".to_owned())]),
            place: PathBuf::new(),
        };
        assert_eq!(case.check(&BTreeMap::from([("errors".to_owned(), "a\n".to_owned())])), Ok(()));
        if !updating() {
            let text = case.check(&BTreeMap::from([("errors".to_owned(), "b\n".to_owned())])).expect_err("differs");
            assert!(text.ends_with("--- errors\n-a\n+b\n"), "{text}");
        }
    }
}
