//! Owns what the fuzz targets share: a small tree of files, and a build of it whose output must be read again.

use plumb_kustomize::{Options, Request, build};
use plumb_suite::MemoryWorld;
use plumb_world::{FileTable, RelPath};

/// What divides the parts of an input.
pub const CUT: &str = "\n===\n";

/// Objects that patches and selectors can be about.
pub const OBJECTS: &str = include_str!("objects.yaml");

/// Builds the folder `app` of a tree. Whatever is in it, there is text or at least one mistake, and the text is YAML again.
pub fn built(files: &[(&str, &str)]) {
    let (world, tree) = MemoryWorld::of(files);
    let Ok(path) = RelPath::parse("app") else { return };
    let request = Request::new(tree, path, Options::default());
    match build(&world, &request, None, FileTable::default()) {
        Ok(built) => match built.result {
            Ok(output) => {
                assert!(std::str::from_utf8(&output.text).is_ok());
                assert!(output.objects.iter().all(|object| output.text.get(object.text.clone()).is_some()));
            }
            Err(mistakes) => assert!(!mistakes.is_empty()),
        },
        Err(error) => panic!("the world failed: {error}"),
    }
}

/// Writes a text as a block of YAML that is indented.
pub fn block(text: &str, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let lines: String = text.lines().map(|line| format!("{pad}{line}\n")).collect();
    format!("|{indent_hint}-\n{lines}", indent_hint = if text.starts_with(' ') { "2" } else { "" })
}
