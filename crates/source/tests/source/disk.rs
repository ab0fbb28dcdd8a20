//! A folder on disk as a world, for one-shot commands.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plumb_source::FolderWorld;
use plumb_world::{EntryKind, World, WorldError};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use crate::path;

#[test]
fn reads_what_is_inside_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("app/sub")).unwrap();
    fs::create_dir_all(root.join(".git")).unwrap();
    fs::write(root.join(".git/config"), "config").unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    fs::write(root.join("app/a.yaml"), "hello\n").unwrap();
    fs::write(root.join("run"), "#!").unwrap();
    fs::set_permissions(root.join("run"), PermissionsExt::from_mode(0o755)).unwrap();
    for (target, link) in [
        ("/etc/passwd", "absolute"),
        ("../secret", "out"),
        ("app/../../secret", "sly"),
        ("loop", "loop"),
        ("app/a.yaml", "good"),
        ("app", "folder"),
        ("none", "dangling"),
    ] {
        symlink(target, root.join(link)).unwrap();
    }
    let world = FolderWorld::open(&root).unwrap();
    let file = |at: &str| world.file(FolderWorld::TREE, &path(at));
    let blob = file("app/a.yaml").unwrap().unwrap();
    assert_eq!(&*blob.bytes, b"hello\n");
    // As `git hash-object` has it.
    assert_eq!(blob.id.to_string(), "ce013625030ba8dba906f756967f9e9ca394464a");
    for good in ["good", "folder/a.yaml"] {
        assert_eq!(&*file(good).unwrap().unwrap().bytes, b"hello\n", "{good}");
    }
    for none in ["none", "dangling", ".git/config", "app/../.git/config", "app/none", "run/x", "none/none"] {
        assert!(file(none).unwrap().is_none(), "{none}");
    }
    for bad in ["absolute", "out", "sly", "loop", "absolute/x"] {
        assert!(matches!(file(bad).unwrap_err(), WorldError::BadLink { .. }), "{bad}");
    }
    assert!(matches!(file("app").unwrap_err(), WorldError::WrongKind { .. }));

    let list = |at: &str| world.list(FolderWorld::TREE, &path(at));
    let entries = list("").unwrap().unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["absolute", "app", "dangling", "folder", "good", "loop", "out", "run", "sly"]);
    assert_eq!(entries[0].kind, EntryKind::Link);
    assert_eq!(entries[7].kind, EntryKind::Executable);
    assert_eq!(list("folder").unwrap().unwrap().len(), 2);
    assert!(list("none").unwrap().is_none());
    assert!(list("run").is_err() && list("out").is_err());
    assert!(world.file(plumb_world::TreeId(1), &path("run")).is_err());
}

#[test]
fn pipes_do_not_block_and_huge_files_are_refused() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let huge = fs::File::create(folder.path().join("huge")).unwrap();
    huge.set_len(plumb_source::limits::MAX_BLOB_BYTES + 1).unwrap();
    let world = FolderWorld::open(folder.path()).unwrap();
    let file = |at: &str| world.file(FolderWorld::TREE, &path(at)).unwrap_err();
    assert!(matches!(file("pipe"), WorldError::WrongKind { .. }));
    assert!(matches!(file("huge"), WorldError::TooLarge { .. }));
    assert_eq!(world.list(FolderWorld::TREE, &path("")).unwrap().unwrap().len(), 1);
    assert!(FolderWorld::open(&folder.path().join("none")).is_err());
}

/// S2: what is a file when it is looked up and a link when it is opened. Exchanged as fast as it goes while it is read.
#[test]
fn a_link_that_is_swapped_in_leads_nowhere() {
    const MET: usize = 2_000;
    let folder = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(outside.path().join("file"), "canary").unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/file"), "inside").unwrap();
    fs::write(at("file"), "inside").unwrap();
    symlink(outside.path(), at("folder-link")).unwrap();
    symlink(outside.path().join("file"), at("file-link")).unwrap();
    let world = FolderWorld::open(folder.path()).unwrap();
    let done = AtomicBool::new(false);
    let (mut good, mut refused, mut leaked) = (0, 0, None);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for name in ["file", "folder"] {
                    renameat_with(CWD, at(name), CWD, at(&format!("{name}-link")), RenameFlags::EXCHANGE).unwrap();
                }
            }
        });
        let begun = Instant::now();
        // Until both were met often; an assertion in here would leave the other thread running.
        while leaked.is_none() && (good < MET || refused < MET) && begun.elapsed() < Duration::from_secs(30) {
            for name in ["file", "folder/file"] {
                match world.file(FolderWorld::TREE, &path(name)) {
                    Ok(Some(blob)) if &*blob.bytes == b"inside" => good += 1,
                    Ok(Some(_)) => leaked = Some(name),
                    Ok(None) | Err(_) => refused += 1,
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(leaked, None);
    assert!(good >= MET && refused >= MET, "both were met: {good} and {refused}");
}
