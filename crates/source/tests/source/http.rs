//! Fetching over HTTP: refs, credentials, certificates, and what servers do wrong.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use plumb_plane::git::HttpOptions;
use plumb_source::{CacheCounts, FetchClass, FetchError, FetchOptions, classify};
use plumb_unit::{Credentials, GitRef};

use crate::{Stage, basic, bearer, branch, read, soon, source};

#[test]
fn a_branch_a_tag_a_commit_and_the_default() {
    let stage = Stage::new();
    let first = stage.push("deploy/web.yaml", "one");
    stage.repo.git(&["tag", "--annotate", "--message", "First", "v1"]).unwrap();
    stage.repo.git(&["tag", "light"]).unwrap();
    stage.repo.git(&["push", "--quiet", "origin", "v1", "light"]).unwrap();
    let second = stage.push("deploy/web.yaml", "two");

    for (reference, commit, content, shown) in [
        (GitRef::Default, &second, "two", "main"),
        (branch("main"), &second, "two", "main"),
        (GitRef::Tag("v1".to_owned()), &first, "one", "v1"),
        (GitRef::Tag("light".to_owned()), &first, "one", "light"),
        (GitRef::Commit(second.clone()), &second, "two", ""),
        (GitRef::Commit(first.clone()), &first, "one", ""),
    ] {
        let snapshot = stage.fetch(reference.clone()).unwrap().snapshot;
        assert_eq!(&snapshot.revision().commit, commit, "{reference:?}");
        assert_eq!(snapshot.revision().reference, shown, "{reference:?}");
        assert_eq!(read(&snapshot, "deploy/web.yaml").as_deref(), Some(content), "{reference:?}");
        assert_eq!(read(&snapshot, "deploy/none.yaml"), None);
    }
    // Two commits, however many names led to them.
    assert_eq!(stage.cache.counts().downloads, 2);
}

#[test]
fn a_commit_tells_who_and_what() {
    let stage = Stage::new();
    stage.repo.write("a", "1").unwrap();
    stage.repo.commit_as("Make it so\n\nWith a body.", "Grace Hopper <grace@example.com>").unwrap();
    stage.repo.push().unwrap();
    let snapshot = stage.main();
    assert_eq!(snapshot.commit().author, "Grace Hopper <grace@example.com>");
    assert_eq!(snapshot.commit().subject, "Make it so");
    assert_eq!(snapshot.commit().time.to_string(), stage.repo.git(&["log", "-1", "--format=%ct"]).unwrap());
    assert_eq!(snapshot.tree().to_string(), stage.repo.git(&["rev-parse", "HEAD^{tree}"]).unwrap());
}

#[test]
fn only_tips_are_downloaded() {
    let stage = Stage::new();
    for number in 0..20 {
        stage.push("a", &format!("{number} {}", "x".repeat(1000)));
    }
    stage.main();
    let cached = crate::cached::repository(&stage);
    assert_eq!(crate::cached::git(&cached, &["rev-list", "--count", &stage.repo.head().unwrap()]), "1");
    // The next push brings one commit, one tree and one file, not the whole again.
    stage.repo.write("other", "1").unwrap();
    stage.push("a", "new");
    stage.main();
    let counts = crate::cached::git(&cached, &["count-objects", "-v"]);
    assert!(counts.contains("in-pack: 7\n"), "{counts}");
}

#[test]
fn nothing_new_costs_one_listing() {
    let stage = Stage::new();
    stage.push("a", "1");
    stage.main();
    stage.server.forget_requests().unwrap();
    assert!(!stage.fetch(branch("main")).unwrap().downloaded);
    let commands: Vec<_> = stage.server.requests().unwrap().into_iter().map(|request| request.command).collect();
    assert_eq!(commands, ["refs", "ls-refs"]);
}

#[test]
fn the_newest_is_what_was_fetched_last() {
    let stage = Stage::new();
    let first = stage.push("a", "1");
    let second = stage.push("a", "2");
    assert_eq!(stage.main().revision().commit, second);
    stage.repo.git(&["reset", "--hard", "--quiet", &first]).unwrap();
    stage.repo.force_push().unwrap();
    let back = stage.main();
    assert_eq!(back.revision().commit, first);
    assert_eq!(read(&back, "a").as_deref(), Some("1"));
    stage.repo.git(&["reset", "--hard", "--quiet", &second]).unwrap();
    stage.repo.force_push().unwrap();
    assert_eq!(stage.main().revision().commit, second);
    assert_eq!(stage.cache.counts().downloads, 2);

    stage.repo.git(&["tag", "v", &first]).unwrap();
    stage.repo.git(&["push", "--quiet", "origin", "v"]).unwrap();
    let tag = GitRef::Tag("v".to_owned());
    assert_eq!(stage.fetch(tag.clone()).unwrap().snapshot.revision().commit, first);
    stage.repo.git(&["tag", "--force", "v", &second]).unwrap();
    stage.repo.git(&["push", "--quiet", "--force", "origin", "v"]).unwrap();
    assert_eq!(stage.fetch(tag).unwrap().snapshot.revision().commit, second);
}

#[test]
fn a_pinned_commit_must_be_held_by_a_ref() {
    let stage = Stage::new();
    let first = stage.push("a", "1");
    stage.push("a", "2");
    let lost = stage.push("a", "3");
    stage.push("a", "4");
    let pin = |id: &str| stage.fetch(GitRef::Commit(id.to_owned()));
    assert_eq!(pin(&lost).unwrap().snapshot.revision().commit, lost);
    stage.push("a", "5");
    assert_eq!(pin(&lost).unwrap().snapshot.revision().commit, lost);

    stage.repo.git(&["reset", "--hard", "--quiet", &first]).unwrap();
    stage.repo.force_push().unwrap();
    // The server still has it, and the cache too.
    let error = pin(&lost).unwrap_err();
    assert!(matches!(error, FetchError::CommitNotHeld { .. }), "{error}");
    assert_eq!(classify(&error), FetchClass::Absent);
    assert!(matches!(pin(&"0".repeat(40)).unwrap_err(), FetchError::CommitNotHeld { .. }));
    assert!(matches!(pin("abc").unwrap_err(), FetchError::Reference { .. }));
    assert_eq!(pin(&first).unwrap().snapshot.revision().commit, first);
}

#[test]
fn what_is_gone_is_told_apart() {
    let mut stage = Stage::new();
    stage.push("a", "1");
    stage.repo.git(&["push", "--quiet", "origin", "HEAD:refs/heads/side"]).unwrap();
    stage.fetch(branch("side")).unwrap();

    stage.repo.git(&["push", "--quiet", "origin", ":refs/heads/side"]).unwrap();
    let error = stage.fetch(branch("side")).unwrap_err();
    assert!(matches!(&error, FetchError::NoSuchRef { reference, .. } if reference == "branch `side`"), "{error}");
    assert!(classify(&error).is_absent());
    assert!(matches!(stage.fetch(GitRef::Tag("none".to_owned())).unwrap_err(), FetchError::NoSuchRef { .. }));
    // A prefix of a name is not the name.
    assert!(matches!(stage.fetch(branch("mai")).unwrap_err(), FetchError::NoSuchRef { .. }));

    let served = stage.server.path("team/shop");
    fs::remove_file(served.join("refs/heads/main")).unwrap();
    for reference in [branch("main"), GitRef::Default, GitRef::Commit("0".repeat(40))] {
        let error = stage.fetch(reference).unwrap_err();
        assert!(matches!(error, FetchError::Empty { .. }), "{error}");
        assert!(classify(&error).is_absent());
    }

    fs::rename(&served, stage.folder.path().join("moved.git")).unwrap();
    let error = stage.fetch(branch("main")).unwrap_err();
    assert!(matches!(error, FetchError::NotFound { .. }), "{error}");
    assert_eq!(classify(&error), FetchClass::Denied);

    stage.server.stop();
    let error = stage.fetch(branch("main")).unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    assert_eq!(classify(&error), FetchClass::Unavailable);
    fs::rename(stage.folder.path().join("moved.git"), &served).unwrap();
    stage.server.start_again().unwrap();
    stage.push("a", "2");
    assert_eq!(read(&stage.main(), "a").as_deref(), Some("2"));
}

#[test]
fn a_tag_of_something_else_is_no_revision() {
    let stage = Stage::new();
    stage.push("a", "1");
    stage.repo.git(&["tag", "tree", "HEAD^{tree}"]).unwrap();
    stage.repo.git(&["push", "--quiet", "origin", "tree"]).unwrap();
    let error = stage.fetch(GitRef::Tag("tree".to_owned())).unwrap_err();
    assert!(matches!(error, FetchError::NotACommit { .. }), "{error}");
}

#[test]
fn basic_credentials() {
    let stage = Stage::with(HttpOptions { basic: Some(("ada".to_owned(), "s3cret".to_owned())), ..HttpOptions::default() });
    stage.push("a", "1");
    let fetch = |credentials: Option<Credentials>| stage.fetch_as(branch("main"), credentials.as_ref());
    assert_eq!(read(&fetch(Some(basic("ada", "s3cret"))).unwrap().snapshot, "a").as_deref(), Some("1"));
    // As Secrets often have it.
    fetch(Some(basic("ada", "s3cret\n"))).unwrap();
    for wrong in [None, Some(basic("ada", "wrong")), Some(basic("eve", "s3cret")), Some(bearer("s3cret"))] {
        let error = fetch(wrong).unwrap_err();
        assert!(matches!(error, FetchError::Unauthorized { .. }), "{error}");
        assert_eq!(classify(&error), FetchClass::Denied);
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let both = Credentials { bearer_token: bearer("t").bearer_token, ..basic("ada", "s3cret") };
    assert!(matches!(fetch(Some(both)).unwrap_err(), FetchError::Credentials { .. }));
    assert!(matches!(fetch(Some(bearer("a\nb"))).unwrap_err(), FetchError::Credentials { .. }));
}

#[test]
fn bearer_tokens_and_revoked_rights() {
    let options = |token: &str| HttpOptions { token: Some(token.to_owned()), ..HttpOptions::default() };
    let mut stage = Stage::with(options("t0ken"));
    let commit = stage.push("a", "1");
    let fetched = stage.fetch_as(branch("main"), Some(&bearer("t0ken"))).unwrap();
    assert_eq!(fetched.snapshot.revision().commit, commit);

    stage.server.reconfigure(options("other")).unwrap();
    let error = stage.fetch_as(branch("main"), Some(&bearer("t0ken"))).unwrap_err();
    assert!(matches!(error, FetchError::Unauthorized { .. }), "{error}");
    // What was read before stays readable.
    assert_eq!(read(&fetched.snapshot, "a").as_deref(), Some("1"));
}

#[test]
fn a_commit_is_only_for_whom_the_server_showed_it() {
    let stage = Stage::with(HttpOptions { token: Some("t0ken".to_owned()), ..HttpOptions::default() });
    let commit = stage.push("a", "1");
    stage.fetch_as(branch("main"), Some(&bearer("t0ken"))).unwrap();
    for reference in [branch("main"), GitRef::Commit(commit)] {
        let error = stage.fetch_as(reference.clone(), None).unwrap_err();
        assert!(matches!(error, FetchError::Unauthorized { .. }), "{error}");
        let key = stage.cache.key(&source(&stage.url, reference), Some(&bearer("wrong"))).unwrap();
        assert!(stage.cache.last(&key).is_none());
    }
    // Who is shown it does not download it again.
    let other = stage.fetch_as(branch("main"), Some(&basic("somebody", "t0ken"))).unwrap();
    assert!(!other.downloaded && !other.shared);
}

#[test]
fn a_private_authority() {
    let stage = Stage::with(HttpOptions { tls: true, ..HttpOptions::default() });
    stage.push("a", "1");
    assert!(stage.url.starts_with("https://"));
    let error = stage.fetch(branch("main")).unwrap_err();
    assert!(matches!(error, FetchError::Tls { .. }), "{error}");
    assert_eq!(classify(&error), FetchClass::Denied);

    let pem = fs::read_to_string(stage.server.authority().unwrap()).unwrap();
    let trusting = Credentials { ca_crt: Some(pem), ..Credentials::default() };
    assert_eq!(read(&stage.fetch_as(branch("main"), Some(&trusting)).unwrap().snapshot, "a").as_deref(), Some("1"));

    let other = Stage::with(HttpOptions { tls: true, ..HttpOptions::default() });
    let pem = fs::read_to_string(other.server.authority().unwrap()).unwrap();
    let wrong = Credentials { ca_crt: Some(pem), ..Credentials::default() };
    assert!(matches!(stage.fetch_as(branch("main"), Some(&wrong)).unwrap_err(), FetchError::Tls { .. }));
    let broken = Credentials { ca_crt: Some("no".to_owned()), ..Credentials::default() };
    assert!(matches!(stage.fetch_as(branch("main"), Some(&broken)).unwrap_err(), FetchError::Credentials { .. }));
}

#[test]
fn a_server_that_hangs_costs_no_more_than_was_given() {
    let mut stage = Stage::new();
    stage.push("a", "1");
    stage.server.pause();
    let begun = Instant::now();
    let options = FetchOptions { timeout: Duration::from_millis(300), ..FetchOptions::default() };
    let error = stage.cache.fetch(&source(&stage.url, branch("main")), None, &options).unwrap_err();
    assert!(matches!(error, FetchError::DeadlineExceeded { .. }), "{error}");
    assert_eq!(classify(&error), FetchClass::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(20));

    let options = soon();
    options.interrupt.store(true, Ordering::Relaxed);
    let error = stage.cache.fetch(&source(&stage.url, branch("main")), None, &options).unwrap_err();
    assert!(matches!(error, FetchError::Interrupted { .. }), "{error}");
    stage.server.resume();
    stage.main();
}

#[test]
fn a_thousand_units_share_one_fetch() {
    let stage = Stage::new();
    let before = stage.cache.counts();
    for round in 1..=2 {
        stage.push("a", &round.to_string());
        stage.server.forget_requests().unwrap();
        let options = FetchOptions { since: Some(stage.cache.tick()), ..soon() };
        std::thread::scope(|scope| {
            let unit = || {
                for _ in 0..125 {
                    let fetched = stage.cache.fetch(&source(&stage.url, branch("main")), None, &options).unwrap();
                    assert_eq!(read(&fetched.snapshot, "a").unwrap(), round.to_string());
                }
            };
            (0..8).for_each(|_| drop(scope.spawn(unit)));
        });
        let commands: Vec<_> = stage.server.requests().unwrap().into_iter().map(|request| request.command).collect();
        assert_eq!(commands, ["refs", "ls-refs", "fetch"]);
    }
    let after = stage.cache.counts();
    assert_eq!(after, CacheCounts { listings: before.listings + 2, downloads: before.downloads + 2, rewrites: 0 });
}

#[test]
fn who_asks_after_a_push_sees_it() {
    let stage = Stage::new();
    for round in 0..5 {
        let commit = stage.push("a", &round.to_string());
        // Without a moment named, no earlier answer will do.
        assert_eq!(stage.main().revision().commit, commit);
    }
}
