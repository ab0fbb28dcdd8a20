//! Owns reading objects from files, as kustomize's resource factory does: lists are taken apart, empty documents left out, and each object must have a
//! kind and a name.

use std::collections::VecDeque;
use std::sync::Arc;

use plumb_world::{Diagnostic, FileId, Span};

use crate::problem::{Failure, Outcome, wrong};
use crate::resource::Resource;
use crate::run::Run;
use crate::tree::{Kind, Node, View};

/// Reads the objects of a text: all of them, or all that is wrong with it.
pub(crate) fn read_objects<'a>(run: &Run<'a>, file: FileId, text: Arc<str>) -> Outcome<Vec<Resource<'a>>> {
    let stream = run.texts.read(file, text);
    let at = |span: plumb_yaml::ByteSpan| Some(Span { file, start: span.start, end: span.end });
    let mut mistakes: Vec<Diagnostic> = Vec::new();
    let mut nodes: VecDeque<Node<'a>> = VecDeque::new();
    mistakes.extend(bad_separators(stream.text(), file));
    let mut documents = 0;
    for document in stream.documents() {
        match document {
            Err(errors) => mistakes.extend(errors.iter().map(|error| wrong("yaml-syntax", error.to_string(), at(error.span)))),
            Ok(document) if document.is_empty() || View::Written(document.root()).is_null() => {}
            Ok(document) => {
                documents += 1;
                for duplicate in document.duplicates() {
                    let message = format!("mapping key {:?} already defined", duplicate.key);
                    let mistake = wrong("duplicate-key", message, at(duplicate.again));
                    mistakes.push(match at(duplicate.first) {
                        Some(first) => mistake.at(first, "it is set here first"),
                        None => mistake,
                    });
                }
                nodes.push_back(Node::written(document.root()));
            }
        }
    }
    // kustomize's reader takes apart a list that is alone in its file, whatever its items are; the others are taken apart by their kind.
    if documents == 1
        && let Some(list) = nodes.front()
        && matches!(list.view().get("kind").map_or("", View::text), "List" | "ResourceList")
        && let Some(items) = list.view().get("items")
    {
        nodes = items.items().map(View::to_node).collect();
    }
    let mut resources = Vec::new();
    while let Some(node) = nodes.pop_front() {
        if node.view().is_null_or_empty() {
            continue;
        }
        if let Err(mistake) = check(node.view(), run) {
            mistakes.push(mistake);
            continue;
        }
        let is_list = node.view().get("kind").map_or("", View::text).ends_with("List");
        match node.view().get("items").filter(|_| is_list) {
            None => {
                let mut resource = Resource::new(node);
                match resource.read_kept(run.texts) {
                    Ok(()) => resources.push(resource),
                    Err(why) => mistakes.push(wrong("object", why, run.texts.place(resource.view()))),
                }
            }
            Some(items) if items.is_null() => {}
            Some(items) if items.kind() == Kind::List => nodes.extend(items.items().map(View::to_node)),
            Some(items) => mistakes.push(wrong("object", "`items` of a list is no list", run.texts.place(items))),
        }
    }
    if mistakes.is_empty() { Ok(resources) } else { Err(Failure::Wrong(mistakes)) }
}

/// Checks that an object says what it is (`GetValidatedMetadata`).
pub(crate) fn check(object: View<'_, '_>, run: &Run<'_>) -> Result<(), Diagnostic> {
    let place = run.texts.place(object);
    if object.kind() != Kind::Map {
        return Err(wrong("object", "missing Resource metadata: this is no object", place)
            .hint("An object is a map with `apiVersion`, `kind` and `metadata`."));
    }
    let kind = object.get("kind").filter(|kind| !kind.is_null_or_empty()).map_or("", View::text);
    if kind.is_empty() {
        return Err(wrong("object", "missing kind in object", place).hint("Add `kind:` to it."));
    }
    if kind.ends_with("List") {
        return Ok(());
    }
    let name = object.at(&["metadata", "name"]).filter(|name| !name.is_null_or_empty()).map_or("", View::text);
    if name.is_empty() {
        return Err(
            wrong("object", format!("missing metadata.name in object of kind {kind}"), place).hint("Add `metadata: {name: …}` to it.")
        );
    }
    Ok(())
}

/// Returns the `---` lines with more than a comment on them, which kustomize refuses. (The first line is none.)
fn bad_separators(text: &str, file: FileId) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if text.starts_with('%') && text.contains("\n---") {
        // It cuts the text before it reads it, and a directive alone is no document.
        let end = text.find('\n').unwrap_or(text.len());
        let mistake = wrong("yaml-syntax", "did not find expected <document start>", Some(Span { file, start: 0, end: end as u32 }));
        found.push(mistake.hint("kustomize takes no directive before a document: leave it out."));
    }
    for at in memchr::memmem::find_iter(text.as_bytes(), b"\n---") {
        let start = at + 1;
        let rest = text.get(start + 3..).unwrap_or("");
        let Some(line) = rest.find('\n').and_then(|end| rest.get(..end)) else { break };
        let content = line.trim();
        if !content.is_empty() && !content.starts_with('#') {
            let span = Span { file, start: start as u32, end: (start + 3 + line.len()) as u32 };
            found.push(wrong("yaml-syntax", format!("invalid document separator: ---{}", line.trim_end()), Some(span)));
        }
    }
    found
}
