//! Owns the tests of patches as kustomizations name them.

use plumb_suite::MemoryWorld;
use plumb_world::FileTable;

use super::*;
use crate::decode::{Fields, Mode};
use crate::merge::tests::{print, read};
use crate::tree::{Texts, View};

/// Builds objects with the patches of a kustomization.
fn patched(objects: &str, kustomization: &str) -> (String, Vec<String>) {
    let texts = Texts::new(FileTable::default());
    let (world, tree) = MemoryWorld::of::<&str>(&[]);
    let run = crate::fixture::bare(&world, &texts);
    let loader = Loader::new(tree, RelPath::root(), true);
    let path = RelPath::parse("objects.yaml").unwrap();
    let file =
        texts.add(SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: Arc::from(objects.as_bytes()), made: false });
    let mut resources = Resources::default();
    for object in read_objects(&run, file, Arc::from(objects)).unwrap() {
        resources.append(object, &run).unwrap();
    }
    let kustomization = read(&texts, "kustomization.yaml", kustomization);
    let mut fields = Fields::open(&run, kustomization.view(), "", Mode::Kustomization);
    let (new, old, json) =
        (fields.list("patches", Patch::read), fields.texts("patchesStrategicMerge"), fields.list("patchesJson6902", Patch::read));
    fields.close().unwrap();
    let done = apply_strategic(&old, &loader, &mut resources, &run)
        .and_then(|()| apply(&new, &loader, &mut resources, &run))
        .and_then(|()| apply_json6902(&json, &loader, &mut resources, &run));
    let warnings = run.warnings().into_iter().map(|warning| [vec![warning.message], warning.hints].concat().join(" ")).collect();
    let text = match done {
        Ok(()) => {
            for resource in resources.list_mut() {
                resource.finish(&texts);
            }
            resources.iter().map(|resource| print(&resource.node)).collect::<Vec<_>>().join("---\n")
        }
        Err(Failure::Wrong(mistakes)) => format!("error: {}\n", mistakes.first().unwrap().message),
        Err(Failure::World(error)) => panic!("{error}"),
    };
    (text, warnings)
}

/// Cases with what kustomize itself makes of them. Its errors say more of how it got there than of what is wrong: ours are found in them.
#[test]
fn patches_as_kustomize_does() {
    let mut wrong = Vec::new();
    for case in include_str!("cases.txt").split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (objects, rest) = rest.split_once("--- kustomization\n").unwrap();
        let (kustomization, expect) = rest.split_once("--- expect\n").unwrap();
        let found = patched(objects, kustomization).0;
        let is_same = match (found.strip_prefix("error: "), expect.strip_prefix("error: ")) {
            (Some(found), Some(expect)) => expect.contains(found.trim_end()) || OWN_WORDS.contains(&found.trim_end()),
            _ => found == expect,
        };
        if !is_same {
            wrong.push(format!("{name}:\n{found}instead of\n{expect}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Errors that say more than kustomize's.
const OWN_WORDS: [&str; 1] = ["unable to parse SM or JSON patch from what is written: missing Resource metadata: this is no object"];

#[test]
fn a_target_without_objects_is_told() {
    let objects = "kind: ConfigMap\nmetadata: {name: settings}\n";
    let (text, warnings) = patched(objects, "patches:\n- target: {name: setings}\n  patch: '[{\"op\": \"remove\", \"path\": \"/a\"}]'\n");
    assert!(text.contains("settings"));
    assert_eq!(warnings, ["no object matches the target of this patch, so it changes nothing Did you mean the name `settings`?"]);
}

#[test]
fn patched_fields_name_the_patch() {
    let texts = Texts::new(FileTable::default());
    let (world, tree) = MemoryWorld::of(&[("patch.yaml", "kind: ConfigMap\nmetadata: {name: a}\ndata: {x: new}\n")]);
    let run = crate::fixture::bare(&world, &texts);
    let loader = Loader::new(tree, RelPath::root(), true);
    let mut resources = Resources::default();
    let object = read(&texts, "object.yaml", "kind: ConfigMap\nmetadata: {name: a}\ndata: {x: old, y: z}\n");
    resources.append(Resource::new(object), &run).unwrap();
    let patch = Patch { path: Placed { text: "patch.yaml", place: None }, ..Patch::default() };
    apply(&[patch], &loader, &mut resources, &run).unwrap();
    let chain = |path: &[&str]| -> Vec<(String, &str)> {
        let view: View<'_, '_> = resources.get(0).unwrap().view().at(path).unwrap();
        let name = |stamp: &Stamp| stamp.place.map_or(String::new(), |place| texts.path(place.file).unwrap().to_string());
        texts.chain(view).iter().map(|stamp| (name(stamp), stamp.by)).collect()
    };
    assert_eq!(chain(&["data", "x"]), [("patch.yaml".to_owned(), "patches"), ("object.yaml".to_owned(), "")]);
    assert_eq!(chain(&["data", "y"]), [("object.yaml".to_owned(), "")]);
    assert_eq!(chain(&["metadata", "name"]), [("object.yaml".to_owned(), "")]);
}
