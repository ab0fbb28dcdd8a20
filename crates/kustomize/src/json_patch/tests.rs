//! Owns the tests of JSON patches: cases of operations, each with what comes of it.

use std::sync::Arc;

use plumb_world::{FileTable, RelPath, SourceFile};

use super::*;
use crate::merge::tests::{print, read};
use crate::problem::Failure;
use crate::tree::Texts;

fn patched(dest: &str, patch: &str) -> String {
    let texts = Texts::new(FileTable::default());
    let world = plumb_suite::MemoryWorld::new();
    let run = crate::fixture::bare(&world, &texts);
    let mut node = read(&texts, "object.yaml", dest);
    let path = RelPath::parse("patch.yaml").unwrap();
    let file =
        texts.add(SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: Arc::from(patch.as_bytes()), made: false });
    let read = match JsonPatch::read(file, &Arc::from(patch), &run) {
        Ok(read) => read,
        Err(error) => return format!("patch error: {error}\n"),
    };
    match read.apply(&mut node, "patches", &run) {
        Ok(()) => print(&node),
        Err(Failure::Wrong(mistakes)) => format!("error: {}\n", mistakes.first().unwrap().message),
        Err(Failure::World(error)) => panic!("{error}"),
    }
}

/// Cases with what kustomize's own code makes of them.
#[test]
fn patches_as_kustomize_does() {
    let mut wrong = Vec::new();
    for case in include_str!("cases.txt").split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (dest, rest) = rest.split_once("--- patch\n").unwrap();
        let (patch, expect) = rest.split_once("--- expect\n").unwrap();
        let found = patched(dest, patch);
        if found != expect {
            wrong.push(format!("{name}:\n{found}instead of\n{expect}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
