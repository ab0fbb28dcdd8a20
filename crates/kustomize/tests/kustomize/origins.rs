//! Owns the measure of what is said of fields: one scalar is changed, the kustomization is built again, and what changed is held against who was said
//! to have had a hand in it (docs/origins.md).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use plumb_kustomize::explain::{Explained, Field, explain};
use plumb_kustomize::{Charts, Options, Request};
use plumb_suite::{Content, MemoryWorld, kustomize_files, recorded};
use plumb_world::{FileTable, RelPath, Span};
use plumb_yaml::{Kind, NodeRef, Style};
use serde_json::Value;

use crate::recorded::{FAMILIES, NoCluster, arguments};

/// How many scalars of one kustomization are changed for each of both questions, of small ones and of real ones.
const CHANGES: (usize, usize) = (8, 2);
/// Of how many real trees one is looked at, unless `PLUMB_ORIGINS=all`.
const STEP: usize = 5;
/// Kustomizations with fields that depend on more than is said of them, and on what.
const EXCEPTIONS: [(&str, &str); 7] = [
    ("namespace: a transformer for all service accounts", "the kind of a subject decides whether its namespace is set"),
    ("patches: mounts, volumes, secrets, aliases, tolerations", PAIRS),
    ("patches: ports without a protocol beside ports with one", PAIRS),
    ("schemas: with a schema", PAIRS),
    ("schemas: a schema of a base is not one of the overlay", PAIRS),
    ("schemas: a schema of the overlay over one of its base", PAIRS),
    ("schemas: a schema in YAML", PAIRS),
];
const PAIRS: &str = "the key of a list's item decides which items meet, and items without a name are compared by their number";
/// Steps whose names are made of all that an object holds.
const OF_CONTENT: [&str; 2] = ["hash", "nameReference"];

/// A kustomization in memory.
struct Case {
    name: String,
    files: Vec<(String, Vec<u8>)>,
    links: Vec<(String, String)>,
    folder: String,
    options: Options,
    charts: bool,
    changes: usize,
}

#[derive(Default)]
struct Count {
    fields: usize,
    with_place: usize,
    named: usize,
    named_wrong: Vec<String>,
    changes: usize,
    changed: usize,
    unsaid: Vec<String>,
}

impl Case {
    fn explained(&self, files: &[(String, Vec<u8>)]) -> Explained {
        let mut world = MemoryWorld::new();
        let named: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        let tree = world.tree(&named);
        self.links.iter().for_each(|(path, target)| world.link(tree, path, target));
        let request = Request::new(tree, RelPath::parse(&self.folder).unwrap(), self.options.clone());
        explain(&world, &request, self.charts.then_some(&NoCluster as &dyn Charts), FileTable::default()).unwrap()
    }

    /// Builds with another letter at the end of a range of a file; nothing where none can be changed.
    fn with_change(&self, path: &str, start: usize, end: usize) -> Option<Explained> {
        let mut files = self.files.clone();
        let (_, bytes) = files.iter_mut().find(|(known, _)| known == path)?;
        let at = start + bytes.get(start..end)?.iter().rposition(u8::is_ascii_alphanumeric)?;
        bytes[at] = changed(bytes[at]);
        Some(self.explained(&files))
    }
}

/// All fields by object and path.
fn fields(explained: &Explained) -> Option<BTreeMap<(usize, String), &Field>> {
    let objects = explained.result.as_ref().ok()?;
    let all = objects.iter().enumerate().flat_map(|(at, object)| object.fields.iter().map(move |field| (at, field)));
    Some(all.map(|(at, field)| ((at, field.positions.to_string()), field)).collect())
}

fn path_of(explained: &Explained, place: Span) -> Option<String> {
    explained.files.get(place.file).filter(|file| !file.made).map(|file| file.path.to_string())
}

/// So many of a list, spread over it.
fn some<T>(list: Vec<T>, changes: usize) -> Vec<T> {
    let step = list.len().div_ceil(changes).max(1);
    list.into_iter().step_by(step).collect()
}

/// Changes what is named as the last to have written a field: the field changes.
fn named_places_count(case: &Case, before: &Explained, count: &mut Count) {
    let Some(all) = fields(before) else { return };
    count.fields += all.len();
    count.with_place += all.values().filter(|field| field.chain.iter().any(|change| change.place.is_some())).count();
    let plain = all.into_iter().filter_map(|(key, field)| {
        // A reference says where the name is written that it follows: another name there is another object's.
        let place = field.chain.first().filter(|change| !OF_CONTENT.contains(&change.by))?.place?;
        let path = path_of(before, place)?;
        let text = written_text(field);
        let (_, bytes) = case.files.iter().find(|(known, _)| *known == path)?;
        let written = bytes.get(place.start as usize..place.end as usize)?;
        // What was found out from texts that are quoted or made of parts is not asked for.
        (written == text.as_bytes() && !["kind", "apiVersion", "metadata.name", "metadata.namespace"].contains(&key.1.as_str()))
            .then_some((key, field, path, place))
    });
    for (key, field, path, place) in some(plain.collect(), case.changes) {
        let Some(after) = case.with_change(&path, place.start as usize, place.end as usize) else { continue };
        count.named += 1;
        let Some(now) = fields(&after) else { continue };
        // The key of a list's item makes another item of it, which may stand beside the one that a patch brings in.
        let changed = changed_text(&written_text(field));
        let stands_beside = now.iter().any(|((object, _), other)| *object == key.0 && written_text(other) == changed);
        if now.get(&key).is_some_and(|now| now.value == field.value) && !stands_beside {
            count.named_wrong.push(format!("{}: {} {} says {path}:{}", case.name, key.0, key.1, before.files.position(place).line));
        }
    }
}

fn written_text(field: &Field) -> String {
    match &field.value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A path whatever the numbers of list items in it are.
fn without_numbers(path: &str) -> String {
    path.chars().filter(|c| !c.is_ascii_digit()).collect()
}

/// What [`Case::with_change`] makes of a text.
fn changed_text(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if let Some(at) = bytes.iter().rposition(u8::is_ascii_alphanumeric) {
        bytes[at] = changed(bytes[at]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Another letter or digit.
fn changed(byte: u8) -> u8 {
    match byte {
        b'9' | b'z' | b'Z' => byte - 1,
        other => other + 1,
    }
}

/// The plain scalars of a file that are no part of what an object is called.
fn scalars(bytes: &[u8]) -> Vec<(usize, usize)> {
    fn walk(node: NodeRef<'_>, top: bool, found: &mut Vec<(usize, usize)>) {
        match node.kind() {
            Kind::Map => {
                for entry in node.entries() {
                    let name = entry.key.text();
                    let is_identity = top && matches!(name, "kind" | "apiVersion" | "metadata") || name.starts_with('$') || name == "name";
                    if !is_identity {
                        walk(entry.value, false, found);
                    }
                }
            }
            Kind::List => node.items().for_each(|item| walk(item, false, found)),
            _ if node.style() == Style::Plain && node.tag().is_none() => {
                found.push((node.span().start as usize, node.span().end as usize));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    let stream = plumb_yaml::parse(bytes, &plumb_yaml::Options::default());
    for document in stream.documents() {
        if let Ok(document) = document
            && document.root().get("kind").is_some()
        {
            walk(document.root(), true, &mut found);
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Changes what objects and patches say: whatever changes was said to have something of that file.
fn hands_count(case: &Case, before: &Explained, count: &mut Count) {
    let Some(then) = fields(before) else { return };
    let read: Vec<String> = before.files.iter().filter(|(_, file)| !file.made).map(|(_, file)| file.path.to_string()).collect();
    let mut all = Vec::new();
    for (path, bytes) in case.files.iter().filter(|(path, _)| read.contains(path)) {
        let text = String::from_utf8_lossy(bytes);
        // What configures steps decides which fields they change: that is another question.
        if path.to_lowercase().contains("kustomization") || text.contains("builtin") || path.contains("/charts/") {
            continue;
        }
        all.extend(scalars(bytes).into_iter().map(|(start, end)| (path, start, end)));
    }
    for (path, start, end) in some(all, case.changes) {
        let Some(after) = case.with_change(path, start, end) else { continue };
        let (Some(now), Ok(old), Ok(new)) = (fields(&after), &before.result, &after.result) else { continue };
        if old.len() != new.len() {
            continue;
        }
        count.changes += 1;
        let set = |fields: &BTreeMap<(usize, String), &Field>| -> BTreeSet<(usize, String, String)> {
            fields.iter().map(|((at, path), field)| (*at, without_numbers(path), written_text(field))).collect()
        };
        let (old_set, new_set) = (set(&then), set(&now));
        for key in then.keys().chain(now.keys().filter(|key| !then.contains_key(*key))) {
            let (was, is) = (then.get(key), now.get(key));
            // The key of a list's item decides its place in the list: what only moved did not change.
            let moved = |field: Option<&&Field>, to: &BTreeSet<(usize, String, String)>| {
                field.is_none_or(|field| to.contains(&(key.0, without_numbers(&key.1), written_text(field))))
            };
            if was.map(|field| &field.value) == is.map(|field| &field.value) || moved(was, &new_set) && moved(is, &old_set) {
                continue;
            }
            count.changed += 1;
            let says = |explained: &Explained, field: &Field| {
                field.chain.iter().any(|change| {
                    OF_CONTENT.contains(&change.by)
                        || change.place.and_then(|place| path_of(explained, place)).is_some_and(|named| named == *path)
                })
            };
            let excepted = EXCEPTIONS.iter().any(|(name, _)| *name == case.name);
            if !excepted && !was.is_some_and(|field| says(before, field)) && !is.is_some_and(|field| says(&after, field)) {
                count.unsaid.push(format!("{}: {} {} after {path} at {start}", case.name, key.0, key.1));
            }
        }
    }
}

fn measure(what: &str, cases: &[Case]) -> Count {
    let mut count = Count::default();
    for case in cases {
        let before = case.explained(&case.files);
        named_places_count(case, &before, &mut count);
        hands_count(case, &before, &mut count);
    }
    let Count { fields, with_place, named, named_wrong, changes, changed, unsaid } = &count;
    eprintln!("{what}: {} kustomizations, {fields} fields, {with_place} with a place", cases.len());
    eprintln!("  {named} named places changed, {} of them without the field changing", named_wrong.len());
    eprintln!("  {changes} scalars changed, {changed} fields changed by that, {} of them unsaid", unsaid.len());
    count
}

fn recorded_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (family, text) in FAMILIES {
        for case in recorded(text) {
            let (folder, options, charts) = arguments(&case.arguments);
            let (mut files, mut links) = (Vec::new(), Vec::new());
            for (path, content) in kustomize_files(&case) {
                match content {
                    Content::Bytes(bytes) => files.push((path.to_string(), bytes.to_vec())),
                    Content::Link(target) => links.push((path.to_string(), target.to_string())),
                }
            }
            let (name, folder) = (format!("{family}: {}", case.name), folder.to_owned());
            cases.push(Case { name, files, links, folder, options, charts, changes: CHANGES.0 });
        }
    }
    cases
}

fn corpus_cases() -> Option<Vec<Case>> {
    let folder = plumb_suite::corpus()?.join("kustomize/real");
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let case = |name: &std::ffi::OsString| {
        let asked: Value = serde_json::from_slice(&fs::read(folder.join(name).join("options.json")).unwrap()).unwrap();
        let (mut files, mut links) = (Vec::new(), Vec::new());
        crate::disk::walk(&folder.join(name).join("input"), "", &mut files, &mut links);
        let options = Options { restricted: asked["loadRestrictions"] != "none", ..Options::default() };
        let folder = asked["path"].as_str().unwrap().to_owned();
        Case { name: name.to_string_lossy().into_owned(), files, links, folder, options, charts: false, changes: CHANGES.1 }
    };
    let step = if std::env::var_os("PLUMB_ORIGINS").is_some_and(|which| which == "all") { 1 } else { STEP };
    Some(names.iter().step_by(step).map(case).collect())
}

fn check(what: &str, cases: &[Case]) {
    let count = measure(what, cases);
    assert!(count.named > 0 && count.changes > 0);
    let all: Vec<&String> = count.named_wrong.iter().chain(&count.unsaid).collect();
    all.iter().for_each(|wrong| eprintln!("  {wrong}"));
    assert!(count.named_wrong.is_empty(), "named, and changed nothing:\n{}", count.named_wrong.join("\n"));
    assert!(count.unsaid.is_empty(), "changed, and was not said:\n{}", count.unsaid.join("\n"));
}

#[test]
fn recorded_fields_are_who_is_said_to_have_written_them() {
    check("recorded", &recorded_cases());
}

#[test]
fn real_fields_are_who_is_said_to_have_written_them() {
    if let Some(cases) = corpus_cases() {
        check("real", &cases);
    }
}
