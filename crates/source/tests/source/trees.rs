//! Reading trees, those of an attacker too: built object by object, as Git would not make them.

use std::fs;
use std::time::Instant;

use plumb_plane::git::HttpOptions;
use plumb_source::{FetchError, Limits, Snapshot};
use plumb_world::{EntryKind, WorldError};

use crate::{Stage, branch, path, read};

/// An entry of a tree: mode, name, content.
type Raw<'a> = (&'a str, &'a [u8], &'a str);

impl Stage {
    fn object(&self, kind: &str, content: &[u8]) -> String {
        let file = self.folder.path().join("object");
        fs::write(&file, content).unwrap();
        self.repo.git(&["hash-object", "-w", "--literally", "-t", kind, file.to_str().unwrap()]).unwrap()
    }

    fn tree(&self, entries: &[Raw<'_>]) -> String {
        let mut content = Vec::new();
        for (mode, name, what) in entries {
            let id = match *mode {
                "40000" | "160000" => (*what).to_owned(),
                _ => self.object("blob", what.as_bytes()),
            };
            content.extend_from_slice(&[mode.as_bytes(), b" ", name, b"\0"].concat());
            content.extend((0..20).map(|at| u8::from_str_radix(&id[at * 2..at * 2 + 2], 16).unwrap()));
        }
        self.object("tree", &content)
    }

    /// Serves a tree as the tip of `main`, past all of Git's checks, and fetches it.
    fn serve(&self, tree: &str) -> Snapshot {
        self.try_serve(tree).unwrap()
    }

    fn try_serve(&self, tree: &str) -> Result<Snapshot, FetchError> {
        let commit = format!("tree {tree}\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> 1 +0000\n\nHostile\n");
        let id = self.object("commit", commit.as_bytes());
        self.repo.git(&["update-ref", "refs/heads/main", &id]).unwrap();
        self.repo.git(&["push", "--quiet", "--force", "origin", &format!("{id}:refs/heads/main")]).unwrap();
        Ok(self.fetch(branch("main"))?.snapshot)
    }
}

#[test]
fn lists_what_is_there() {
    let stage = Stage::new();
    let below = stage.tree(&[("100644", b"x.yaml", "x")]);
    let tree = stage.tree(&[
        ("40000", b"dir", &below),
        ("100644", b"file", "f"),
        ("120000", b"link", "file"),
        ("100755", b"run", "r"),
        ("160000", b"sub", &"1".repeat(40)),
    ]);
    let snapshot = stage.serve(&tree);
    let entries = snapshot.list(&path("")).unwrap().unwrap();
    let shown: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    use EntryKind::{Directory, Executable, File, Link, Submodule};
    assert_eq!(shown, [("dir", Directory), ("file", File), ("link", Link), ("run", Executable), ("sub", Submodule)]);
    assert_eq!(entries[0].id.to_string(), below);
    assert_eq!(snapshot.list(&path("none")).unwrap(), None);
    assert_eq!(read(&snapshot, "file/below"), None);
    for (at, wanted) in [("dir", "file"), ("sub", "file")] {
        assert!(matches!(snapshot.file(&path(at)).unwrap_err(), WorldError::WrongKind { .. }), "{at} as {wanted}");
    }
    assert!(matches!(snapshot.list(&path("file")).unwrap_err(), WorldError::WrongKind { .. }));
    for inside in ["sub/x", "sub/x/y"] {
        let error = snapshot.file(&path(inside)).unwrap_err();
        assert!(error.to_string().contains("submodule"), "{error}");
    }
    assert_eq!(snapshot.file(&path("run")).unwrap().unwrap().id.to_string(), stage.object("blob", b"r"));
}

#[test]
fn links_stay_in_their_repository() {
    let stage = Stage::new();
    let canary = stage.folder.path().join("canary");
    fs::write(&canary, "secret").unwrap();
    let absolute = canary.to_str().unwrap();
    let shared = stage.tree(&[("100644", b"common.yaml", "common")]);
    let app = stage.tree(&[
        ("120000", b"absolute", absolute),
        ("120000", b"dangling", "none"),
        ("120000", b"dots", "../../../../../../etc/passwd"),
        ("120000", b"empty", ""),
        ("120000", b"folder", "../shared"),
        ("120000", b"git", "../../.git/config"),
        ("120000", b"passwd", "/etc/passwd"),
        ("120000", b"sibling", "../shared/common.yaml"),
        ("120000", b"twice", "sibling"),
        ("120000", b"up", ".."),
        ("120000", b"zigzag", "../app/../app/.././shared//common.yaml"),
    ]);
    let snapshot = stage.serve(&stage.tree(&[("40000", b"app", &app), ("40000", b"shared", &shared)]));
    for good in ["app/sibling", "app/twice", "app/zigzag", "app/folder/common.yaml", "app/up/app/up/shared/common.yaml"] {
        assert_eq!(read(&snapshot, good).as_deref(), Some("common"), "{good}");
    }
    assert_eq!(snapshot.list(&path("app/folder")).unwrap().unwrap()[0].name, "common.yaml");
    assert_eq!(read(&snapshot, "app/dangling"), None);
    for bad in ["app/absolute", "app/dots", "app/empty", "app/git", "app/passwd", "app/passwd/x"] {
        assert!(matches!(snapshot.file(&path(bad)).unwrap_err(), WorldError::BadLink { .. }), "{bad}");
        assert!(snapshot.list(&path(bad)).is_err(), "{bad}");
    }
}

#[test]
fn links_in_circles_and_long_chains() {
    let stage = Stage::new();
    let names: Vec<String> = (0..1000).map(|n| format!("c{n:04}")).collect();
    let targets: Vec<String> = (0..1000).map(|n| if n == 999 { "end".to_owned() } else { format!("c{:04}", n + 1) }).collect();
    let mut entries: Vec<Raw<'_>> = vec![("120000", b"a", "b"), ("120000", b"b", "a")];
    // Each level doubles the work for who does not count.
    let bomb: Vec<(String, String)> = (0..30).map(|n| (format!("bomb{n:02}"), format!("bomb{:02}/bomb{:02}", n + 1, n + 1))).collect();
    entries.push(("120000", b"bomb30", "."));
    entries.extend(bomb.iter().map(|(name, target)| ("120000", name.as_bytes(), target.as_str())));
    // The chain would take 1,000 objects made one by one; its last part is enough.
    entries.extend((900..1000).map(|n| ("120000", names[n].as_bytes(), targets[n].as_str())));
    entries.extend([("100644", &b"end"[..], "end"), ("120000", b"self", "self"), ("120000", b"under", "under/x")]);
    let snapshot = stage.serve(&stage.tree(&entries));
    let begun = Instant::now();
    for bad in ["a", "b", "self", "self/x", "under", "bomb00", "c0900", "c0959"] {
        let error = snapshot.file(&path(bad)).unwrap_err();
        assert!(matches!(&error, WorldError::BadLink { why, .. } if why.contains("40")), "{bad}: {error}");
    }
    for good in ["c0960", "c0999"] {
        assert_eq!(read(&snapshot, good).as_deref(), Some("end"), "{good}");
    }
    assert!(begun.elapsed().as_secs() < 10);
    let long = stage.serve(&stage.tree(&[("120000", b"long", &"x/".repeat(3000))]));
    assert!(matches!(long.file(&path("long")).unwrap_err(), WorldError::TooLarge { limit: 4096, .. }));
}

#[test]
fn names_that_git_refuses() {
    let stage = Stage::new();
    let names: [&[u8]; 8] = [b"..", b".", b".GIT", b".git", b"git~1", b"a/b", b"/etc", b".g\xe2\x80\x8cit"];
    for name in names {
        let evil = stage.tree(&[("100644", name, "evil"), ("100644", b"z.yaml", "z")]);
        let snapshot = stage.serve(&stage.tree(&[("40000", b"bad", &evil), ("100644", b"good", "good")]));
        let shown = String::from_utf8_lossy(name).into_owned();
        assert!(matches!(snapshot.list(&path("bad")).unwrap_err(), WorldError::Unreadable { .. }), "{shown}");
        assert!(matches!(snapshot.file(&path("bad/z.yaml")).unwrap_err(), WorldError::Unreadable { .. }), "{shown}");
        // The rest of the repository is not held hostage.
        assert_eq!(read(&snapshot, "good").as_deref(), Some("good"), "{shown}");
    }
    let twice = stage.tree(&[("100644", b"a", "1"), ("120000", b"a", "/etc/passwd")]);
    assert!(stage.serve(&twice).file(&path("a")).is_err());
}

#[test]
fn trees_that_are_malformed_or_missing() {
    let stage = Stage::new();
    // Git's own server would refuse to pack it.
    let url = format!("file://{}", stage.repo.directory().display());
    let serve = |commit: &str| {
        fs::write(stage.repo.directory().join(".git/refs/heads/main"), format!("{commit}\n")).unwrap();
        stage.cache.fetch(&crate::source(&url, branch("main")), None, &crate::soon()).unwrap_err()
    };
    let garbage = stage.object("tree", b"100644 a\0short");
    let blob = stage.object("blob", b"x");
    for tree in [&garbage, &blob, &"7".repeat(40), &stage.tree(&[("40000", b"d", &garbage)]), &stage.tree(&[("40000", b"d", &blob)])] {
        let commit = format!("tree {tree}\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> 1 +0000\n\nBroken\n");
        let error = serve(&stage.object("commit", commit.as_bytes()));
        assert!(matches!(error, FetchError::Corrupt { .. }), "{error:?}");
    }
    for commit in [stage.object("commit", b"nothing like a commit"), "7".repeat(40)] {
        let error = serve(&commit);
        assert!(matches!(error, FetchError::Corrupt { .. }), "{error:?}");
    }
}

#[test]
fn folders_within_folders_within_folders() {
    let stage = Stage::new();
    let mut tree = stage.tree(&[("100644", b"a", "deep")]);
    for _ in 0..300 {
        tree = stage.tree(&[("40000", b"d", &tree)]);
    }
    let error = stage.try_serve(&tree).unwrap_err();
    assert!(matches!(&error, FetchError::Corrupt { why, .. } if why.contains("256")), "{error}");

    // 2^20 paths from 20 objects: each is visited, so there is a limit.
    let stage = Stage::limited(HttpOptions::default(), Limits { tree_entries: 10_000, ..Limits::default() });
    let mut tree = stage.tree(&[("100644", b"a", "bomb")]);
    for _ in 0..20 {
        tree = stage.tree(&[("40000", b"l", &tree), ("40000", b"r", &tree)]);
    }
    let error = stage.try_serve(&tree).unwrap_err();
    assert!(matches!(&error, FetchError::Corrupt { why, .. } if why.contains("10000")), "{error}");
}

#[test]
fn files_over_the_limit() {
    let stage = Stage::limited(HttpOptions::default(), Limits { blob_bytes: 1000, ..Limits::default() });
    stage.repo.write("big", "x".repeat(1001)).unwrap();
    stage.push("fits", &"x".repeat(1000));
    let snapshot = stage.main();
    assert_eq!(read(&snapshot, "fits").unwrap().len(), 1000);
    let error = snapshot.file(&path("big")).unwrap_err();
    assert!(matches!(error, WorldError::TooLarge { size: 1001, limit: 1000, .. }), "{error}");
    assert_eq!(snapshot.list(&path("")).unwrap().unwrap().len(), 2);

    // It compresses to almost nothing and would unfold in memory.
    let stage = Stage::limited(HttpOptions::default(), Limits { object_bytes: 1 << 20, ..Limits::default() });
    stage.push("bomb", &"\0".repeat((1 << 20) + 1));
    let error = stage.fetch(branch("main")).unwrap_err();
    assert!(matches!(error, FetchError::Corrupt { .. } | FetchError::TooLarge { .. }), "{error}");
    stage.push("bomb", "defused");
    stage.main();
}
