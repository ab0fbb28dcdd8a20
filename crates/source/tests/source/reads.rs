//! What builds read is recorded, and tells which commits touch them.

use std::collections::BTreeSet;

use plumb_source::{ReadIndex, ReadSet, Snapshot, SnapshotWorld, TreeDiff};
use plumb_world::{TreeId, World};

use crate::{Stage, path};

/// Reads as a build does: a whole folder, or one file.
fn reads(snapshot: &Snapshot, files: &[&str], folders: &[&str]) -> ReadSet {
    let mut world = SnapshotWorld::new();
    let tree = world.add(snapshot.clone(), path(""));
    // Also what cannot be read is an answer.
    files.iter().for_each(|file| drop(world.file(tree, &path(file))));
    folders.iter().for_each(|folder| drop(world.list(tree, &path(folder))));
    world.into_reads().remove(&tree).unwrap()
}

fn names(diff: &TreeDiff) -> Vec<&str> {
    diff.paths().map(|path| path.as_str()).collect()
}

#[test]
fn a_diff_names_what_changed() {
    let stage = Stage::new();
    for file in ["a.yaml", "dir/b.yaml", "dir/deep/c.yaml", "gone/d.yaml", "same/e.yaml"] {
        stage.repo.write(file, "1").unwrap();
    }
    stage.push("kind", "1");
    let old = stage.main();
    stage.repo.write("dir/deep/c.yaml", "2").unwrap();
    stage.repo.write("new/f/g.yaml", "1").unwrap();
    stage.repo.remove("gone/d.yaml").unwrap();
    stage.repo.git(&["rm", "--quiet", "kind"]).unwrap();
    stage.push("kind/h.yaml", "1");
    let new = stage.main();
    let diff = TreeDiff::between(&old, &new);
    let expect = ["dir/deep/c.yaml", "gone", "gone/d.yaml", "kind", "kind/h.yaml", "new", "new/f", "new/f/g.yaml"];
    assert_eq!(names(&diff), expect);
    assert_eq!(names(&TreeDiff::between(&new, &old)), expect);
    assert!(TreeDiff::between(&new, &new).is_empty());

    let other = Stage::new();
    other.push("a.yaml", "1");
    assert!(TreeDiff::between(&old, &other.main()).is_everything());
}

/// Each case: what is read before, what is done, and whether that touches it. Three ways of telling must agree.
#[test]
fn a_commit_touches_those_that_read_what_changed() {
    let stage = Stage::new();
    for file in ["app/a.yaml", "app/sub/b.yaml", "other/c.yaml", "shared/d.yaml", "top.yaml"] {
        stage.repo.write(file, "1").unwrap();
    }
    std::os::unix::fs::symlink("../shared/d.yaml", stage.repo.directory().join("app/link.yaml")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", stage.repo.directory().join("bad")).unwrap();
    stage.push("z", "1");
    let base = stage.repo.head().unwrap();
    let old = stage.main();
    let write = |file: &str, content: &str| drop(stage.push(file, content));
    let remove = |file: &str| {
        stage.repo.remove(file).unwrap();
        stage.repo.commit("Remove").unwrap();
        stage.repo.push().unwrap();
    };
    type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a dyn Fn(), bool);
    let cases: &[Case<'_>] = &[
        (&["app/a.yaml"], &[], &|| write("app/a.yaml", "2"), true),
        (&["app/a.yaml"], &[], &|| write("app/sub/b.yaml", "2"), false),
        (&["app/a.yaml"], &[], &|| write("app/new.yaml", "2"), false),
        (&["app/a.yaml"], &[], &|| remove("app/a.yaml"), true),
        (&["app/a.yaml"], &[], &|| remove("app"), true),
        (&[], &["app"], &|| write("app/new.yaml", "2"), true),
        (&[], &["app"], &|| write("app/a.yaml", "2"), true),
        (&[], &["app"], &|| write("other/c.yaml", "2"), false),
        (&[], &["app"], &|| write("app/sub/b.yaml", "2"), false),
        (&[], &["app"], &|| write("app/fresh/b.yaml", "2"), true),
        (&[], &["app"], &|| remove("app/sub/b.yaml"), true),
        (&[], &["app", "app/sub"], &|| write("app/sub/b.yaml", "2"), true),
        (&[], &["app"], &|| remove("app"), true),
        (&[], &[""], &|| write("new.yaml", "2"), true),
        (&["none.yaml"], &[], &|| write("none.yaml", "1"), true),
        (&["none/deep/x.yaml"], &[], &|| write("none/deep/x.yaml", "1"), true),
        (&["none.yaml"], &[], &|| write("other.yaml", "1"), false),
        (&[], &["none"], &|| write("none/x.yaml", "1"), true),
        (&["app/link.yaml"], &[], &|| write("shared/d.yaml", "2"), true),
        (&["app/link.yaml"], &[], &|| remove("app/link.yaml"), true),
        (&["app/link.yaml"], &[], &|| write("app/a.yaml", "2"), false),
        (&["bad"], &[], &|| remove("bad"), true),
        (&["app"], &[], &|| remove("app"), true),
        (&[], &["top.yaml"], &|| remove("top.yaml"), true),
        (&["top.yaml/x"], &[], &|| remove("top.yaml"), false),
    ];
    for (number, (files, folders, act, touched)) in cases.iter().enumerate() {
        let reads = reads(&old, files, folders);
        act();
        let new = stage.main();
        let diff = TreeDiff::between(&old, &new);
        assert_eq!(reads.touched_by(&new), *touched, "case {number} by answers");
        // By paths it may be told too often, never too seldom.
        assert!(reads.may_be_touched_by(&diff) || !touched, "case {number} by paths");
        if files.iter().all(|file| !file.starts_with("top")) {
            assert_eq!(reads.may_be_touched_by(&diff), *touched, "case {number} by paths");
        }
        assert!(!reads.touched_by(&old) && !reads.may_be_touched_by(&TreeDiff::between(&old, &old)), "case {number}");
        stage.repo.git(&["reset", "--hard", "--quiet", &base]).unwrap();
        stage.repo.force_push().unwrap();
    }
}

#[test]
fn a_digest_tells_whether_the_same_was_read() {
    let stage = Stage::new();
    stage.repo.write("app/a.yaml", "1").unwrap();
    stage.push("other", "1");
    let digest = |files: &[&str]| reads(&stage.main(), files, &["app"]).digest();
    let before = digest(&["app/a.yaml"]);
    assert_ne!(before, digest(&["app/a.yaml", "none"]));
    stage.push("other", "2");
    assert_eq!(before, digest(&["app/a.yaml"]));
    stage.push("app/a.yaml", "2");
    assert_ne!(before, digest(&["app/a.yaml"]));
}

#[test]
fn a_world_answers_for_the_trees_it_was_given() {
    let stage = Stage::new();
    stage.push("deploy/app/a.yaml", "1");
    let mut world = SnapshotWorld::new();
    let whole = world.add(stage.main(), path(""));
    let part = world.add(stage.main(), path("deploy"));
    assert_eq!(&*world.file(part, &path("app/a.yaml")).unwrap().unwrap().bytes, b"1");
    assert_eq!(&*world.file(whole, &path("deploy/app/a.yaml")).unwrap().unwrap().bytes, b"1");
    assert_eq!(world.list(part, &path("")).unwrap().unwrap()[0].name, "app");
    assert!(world.file(TreeId(7), &path("a")).is_err());
    let recorded = world.reads(part);
    assert_eq!(recorded.files().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["deploy/app/a.yaml"]);
    assert_eq!((recorded.len(), world.reads(whole).len(), world.reads(TreeId(7)).len()), (2, 1, 0));
}

#[test]
fn a_thousand_units_and_one_file() {
    let stage = Stage::new();
    for unit in 0..1000 {
        stage.repo.write(&format!("units/{unit:04}/web.yaml"), "1").unwrap();
    }
    stage.push("shared/base.yaml", "1");
    let old = stage.main();
    let mut index = ReadIndex::default();
    for unit in 0..1000 {
        let folder = format!("units/{unit:04}");
        let files = [format!("{folder}/web.yaml"), "shared/base.yaml".to_owned()];
        index.insert(unit, &reads(&old, &[&files[0], if unit == 7 { &files[1] } else { &files[0] }], &[&folder]));
    }
    let affected = |file: &str| -> BTreeSet<i32> {
        stage.push(file, "2");
        let diff = TreeDiff::between(&old, &stage.main());
        stage.repo.git(&["reset", "--hard", "--quiet", "HEAD^"]).unwrap();
        stage.repo.force_push().unwrap();
        index.affected(&diff)
    };
    assert_eq!(affected("units/0042/web.yaml"), BTreeSet::from([42]));
    assert_eq!(affected("units/0042/new.yaml"), BTreeSet::from([42]));
    assert_eq!(affected("shared/base.yaml"), BTreeSet::from([7]));
    assert_eq!(affected("docs/readme"), BTreeSet::new());
    let other = Stage::new();
    other.push("a", "1");
    assert_eq!(index.affected(&TreeDiff::between(&old, &other.main())).len(), 1000);
    index.remove(&42);
    assert_eq!((index.len(), index.is_empty()), (999, false));
}
