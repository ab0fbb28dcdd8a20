//! What the cache keeps on disk: it is Git's, it stays small, it survives a restart, it is not shared by accident.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use plumb_plane::git::HttpOptions;
use plumb_source::{Cache, CacheOptions, FetchClass, FetchError, Limits, classify};
use plumb_unit::GitRef;

use crate::{Stage, bearer, branch, open, read, soon, source};

/// Returns the folder of the only cached repository.
pub(crate) fn repository(stage: &Stage) -> PathBuf {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    };
    let urls = folders(&stage.folder.path().join("cache/0"));
    let generations: Vec<_> = folders(&urls[0]).into_iter().filter(|path| path.join("HEAD").is_file()).collect();
    assert_eq!((urls.len(), generations.len()), (1, 1), "{urls:?} {generations:?}");
    generations[0].clone()
}

pub(crate) fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("--git-dir").arg(repository).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn git_finds_nothing_wrong_with_it() {
    let stage = Stage::new();
    let mut commits = Vec::new();
    for number in 0..5 {
        stage.repo.write(&format!("dir/{number}"), "x").unwrap();
        commits.push(stage.push("a", &number.to_string()));
        stage.main();
    }
    let repository = repository(&stage);
    git(&repository, &["fsck", "--full", "--strict", &commits[4]]);
    for (number, commit) in commits.iter().enumerate() {
        assert_eq!(git(&repository, &["show", &format!("{commit}:a")]), number.to_string());
    }
}

#[test]
fn many_packs_become_one() {
    let stage = Stage::limited(HttpOptions::default(), Limits { packs: 3, ..Limits::default() });
    stage.push("a", "first");
    let first = stage.main();
    for number in 0..40 {
        stage.push("a", &number.to_string());
        stage.main();
    }
    assert!(stage.cache.counts().rewrites >= 5, "{:?}", stage.cache.counts());
    let repository = repository(&stage);
    let packs = fs::read_dir(repository.join("objects/pack")).unwrap();
    assert!(packs.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|e| e == "pack")).count() <= 4);
    // What somebody reads stays, what nobody does goes.
    assert_eq!(read(&first, "a").as_deref(), Some("first"));
    assert_eq!(read(&stage.main(), "a").as_deref(), Some("39"));
    git(&repository, &["fsck", "--full", "--strict", &stage.repo.head().unwrap()]);
    let kept: usize = fs::read_to_string(repository.join("shallow")).unwrap().lines().count();
    assert!(kept <= plumb_source::limits::KEPT_COMMITS + 4, "{kept}");
}

#[test]
fn a_restart_downloads_nothing_again_and_knows_what_was_last() {
    let Stage { folder, mut server, repo, cache, url } = Stage::with(HttpOptions { token: Some("t".to_owned()), ..HttpOptions::default() });
    repo.write("a", "1").unwrap();
    let commit = repo.commit("One").unwrap();
    repo.push().unwrap();
    let source = source(&url, branch("main"));
    cache.fetch(&source, Some(&bearer("t")), &soon()).unwrap();
    drop(cache);

    let cache = open(&folder.path().join("cache"), Limits::default());
    assert!(!cache.fetch(&source, Some(&bearer("t")), &soon()).unwrap().downloaded);
    drop(cache);

    server.stop();
    let cache = open(&folder.path().join("cache"), Limits::default());
    assert!(matches!(cache.fetch(&source, Some(&bearer("t")), &soon()).unwrap_err(), FetchError::Unreachable { .. }));
    let last = cache.last(&cache.key(&source, Some(&bearer("t"))).unwrap()).unwrap();
    assert_eq!((last.revision().commit.as_str(), last.revision().reference.as_str()), (commit.as_str(), "main"));
    assert_eq!(read(&last, "a").as_deref(), Some("1"));
    assert!(cache.last(&cache.key(&source, Some(&bearer("u"))).unwrap()).is_none());
    assert!(cache.last(&cache.key(&source, None).unwrap()).is_none());
}

#[test]
fn two_processes_do_not_meet() {
    let stage = Stage::new();
    stage.push("a", "1");
    stage.main();
    let second = open(&stage.folder.path().join("cache"), Limits::default());
    assert!(second.fetch(&source(&stage.url, branch("main")), None, &soon()).unwrap().downloaded);
}

#[test]
fn no_more_processes_than_there_are_parts() {
    let folder = tempfile::TempDir::new().unwrap();
    let open = || Cache::open(folder.path(), CacheOptions::default());
    let mut caches: Vec<_> = (0..16).map(|_| open().unwrap()).collect();
    let error = open().unwrap_err();
    assert!(error.to_string().contains("16 processes"), "{error}");
    caches.pop();
    open().unwrap();
}

#[test]
fn refs_and_tags_that_lead_nowhere() {
    let stage = Stage::new();
    let commit = stage.push("a", "1");
    let url = format!("file://{}", stage.repo.directory().display());
    let fetch =
        |reference| stage.cache.fetch(&source(&url, reference), None, &soon()).map(|fetched| fetched.snapshot.revision().commit.clone());
    stage.repo.git(&["symbolic-ref", "refs/heads/one", "refs/heads/two"]).unwrap();
    stage.repo.git(&["symbolic-ref", "refs/heads/two", "refs/heads/one"]).unwrap();
    assert!(matches!(fetch(branch("one")).unwrap_err(), FetchError::Corrupt { .. }));
    stage.repo.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]).unwrap();
    assert_eq!(fetch(branch("alias")).unwrap(), commit);
    stage.repo.git(&["symbolic-ref", "refs/heads/dangling", "refs/heads/none"]).unwrap();
    assert!(matches!(fetch(branch("dangling")).unwrap_err(), FetchError::NoSuchRef { .. }));

    let mut target = "HEAD".to_owned();
    for depth in 0..12 {
        let name = format!("t{depth}");
        stage.repo.git(&["tag", "--annotate", "--message", "x", &name, &target]).unwrap();
        target = name;
    }
    assert_eq!(fetch(GitRef::Tag("t8".to_owned())).unwrap(), commit);
    assert!(matches!(fetch(GitRef::Tag("t11".to_owned())).unwrap_err(), FetchError::Corrupt { why, .. } if why.contains("too deep")));
}

#[test]
fn what_a_killed_process_leaves_behind_does_no_harm() {
    let Stage { folder, server: _server, repo, cache, url } = Stage::new();
    repo.write("a", "1").unwrap();
    repo.commit("One").unwrap();
    repo.push().unwrap();
    let source = source(&url, branch("main"));
    cache.fetch(&source, None, &soon()).unwrap();
    drop(cache);

    // Killed while it wrote a new generation, while it took a pack in, and before it noted a commit as whole.
    let url_folder = fs::read_dir(folder.path().join("cache/0")).unwrap().next().unwrap().unwrap().path();
    fs::create_dir_all(url_folder.join("2/objects/pack")).unwrap();
    fs::write(url_folder.join("1/objects/pack/.tmpleft"), "half").unwrap();
    fs::create_dir(url_folder.join(".tmpleft")).unwrap();
    fs::write(url_folder.join("1/shallow"), "").unwrap();
    let cache = open(&folder.path().join("cache"), Limits::default());
    let fetched = cache.fetch(&source, None, &soon()).unwrap();
    assert_eq!(read(&fetched.snapshot, "a").as_deref(), Some("1"));
    for gone in ["2", ".tmpleft", "1/objects/pack/.tmpleft"] {
        assert!(!url_folder.join(gone).exists(), "{gone}");
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_not_the_servers_fault() {
    let stage = Stage::new();
    stage.push("a", "1");
    stage.main();
    stage.push("a", "2");
    let packs = repository(&stage).join("objects/pack");
    fs::rename(&packs, stage.folder.path().join("packs")).unwrap();
    fs::write(&packs, "").unwrap();
    let error = stage.fetch(branch("main")).unwrap_err();
    assert!(matches!(error, FetchError::Cache { .. }), "{error:?}");
    assert_eq!(classify(&error), FetchClass::Local);
    fs::remove_file(&packs).unwrap();
    fs::rename(stage.folder.path().join("packs"), &packs).unwrap();
    assert_eq!(read(&stage.main(), "a").as_deref(), Some("2"));
}

#[test]
fn damage_on_disk_is_noticed() {
    let stage = Stage::new();
    stage.push("a", &crate::noise(4000));
    let snapshot = stage.main();
    let pack = fs::read_dir(repository(&stage).join("objects/pack")).unwrap().map(|file| file.unwrap().path());
    let pack = pack.into_iter().find(|file| file.extension().is_some_and(|extension| extension == "pack")).unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    let mut permissions = fs::metadata(&pack).unwrap().permissions();
    #[expect(clippy::permissions_set_readonly_false, reason = "the test's own file")]
    permissions.set_readonly(false);
    fs::set_permissions(&pack, permissions).unwrap();
    fs::write(&pack, bytes).unwrap();
    let error = snapshot.file(&crate::path("a")).unwrap_err();
    assert!(matches!(error, plumb_world::WorldError::Unreadable { .. }), "{error}");
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Cache::open(&file, CacheOptions::default()).unwrap_err();
    assert!(matches!(&error, FetchError::Cache { .. }) && error.to_string().contains("file"), "{error}");
}

#[test]
fn repositories_of_this_machine_are_read_only_where_allowed() {
    let stage = Stage::new();
    let commit = stage.push("dir/a", "1");
    let tagged = stage.repo.git(&["tag", "--annotate", "--message", "x", "v1"]).and_then(|_| stage.repo.git(&["push", "origin", "v1"]));
    tagged.unwrap();
    let second = stage.push("dir/a", "2");
    let bare = format!("file://{}", stage.server.path("team/shop").display());
    let work = format!("file://{}", stage.repo.directory().display());
    let strict = Cache::open(&stage.folder.path().join("strict"), CacheOptions::default()).unwrap();
    assert!(matches!(strict.fetch(&source(&bare, branch("main")), None, &soon()).unwrap_err(), FetchError::FileUrl { .. }));

    for url in [&bare, &work, &bare.trim_end_matches(".git").to_owned()] {
        for (reference, expect, content) in [
            (branch("main"), &second, "2"),
            (GitRef::Default, &second, "2"),
            (GitRef::Tag("v1".to_owned()), &commit, "1"),
            (GitRef::Commit(commit.clone()), &commit, "1"),
        ] {
            let snapshot = stage.cache.fetch(&source(url, reference), None, &soon()).unwrap().snapshot;
            assert_eq!((&snapshot.revision().commit, read(&snapshot, "dir/a").as_deref()), (expect, Some(content)));
        }
        assert!(matches!(stage.cache.fetch(&source(url, branch("no")), None, &soon()).unwrap_err(), FetchError::NoSuchRef { .. }));
        let lost = GitRef::Commit("1".repeat(40));
        assert!(matches!(stage.cache.fetch(&source(url, lost), None, &soon()).unwrap_err(), FetchError::CommitNotHeld { .. }));
    }
    // Packed refs and packed objects too.
    stage.repo.git(&["gc", "--quiet"]).unwrap();
    let third = stage.push("dir/b", "3");
    assert_eq!(stage.cache.fetch(&source(&work, branch("main")), None, &soon()).unwrap().snapshot.revision().commit, third);
    let none = format!("file://{}", stage.folder.path().join("none").display());
    assert!(matches!(stage.cache.fetch(&source(&none, branch("main")), None, &soon()).unwrap_err(), FetchError::NotFound { .. }));
}
