//! Chart repositories, registries and archives that are not honest, or broken: each answers by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use plumb_source::{Cache, CacheOptions, FetchClass, FetchError, Limits, classify};
use plumb_unit::{ChartSource, ChartVersion, GitRef};
use tempfile::TempDir;

use crate::charts::{Item, chart, file, gzip, in_registry, in_repository, range, sha256, tar};
use crate::raw::{Request, Server, answer};
use crate::{basic, open, read, soon, source};

const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";

fn fetch_within(source: &ChartSource, limits: Limits) -> Result<plumb_source::Fetched, FetchError> {
    let folder = TempDir::new().unwrap();
    open(folder.path(), limits).fetch(source, Some(&basic("ada", "s3cret")), &soon())
}

fn fail(source: &ChartSource) -> FetchError {
    let error = fetch_within(source, Limits::default()).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
    error
}

fn repository(server: &Server) -> ChartSource {
    in_repository(&format!("http://{}/charts", server.address), "redis", "")
}

fn registry(server: &Server, version: &str) -> ChartSource {
    in_registry(&format!("oci://{}/charts/redis", server.address), range(version))
}

fn index(url: &str, digest: &str) -> Vec<u8> {
    let digest = if digest.is_empty() { String::new() } else { format!("    digest: \"{digest}\"\n") };
    format!("apiVersion: v1\nentries:\n  redis:\n  - name: redis\n    version: 1.0.0\n    urls: [\"{url}\"]\n{digest}").into_bytes()
}

fn manifest(config: &str, layer: &str, digest: &str) -> Vec<u8> {
    let empty = sha256(b"{}");
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"{config}","digest":"sha256:{empty}","size":2}},"layers":[{{"mediaType":"{layer}","digest":"sha256:{digest}","size":1}}]}}"#
    )
    .into_bytes()
}

fn ok(body: &[u8]) -> Vec<u8> {
    answer("200 OK", "", body)
}

fn redirect(to: &str) -> Vec<u8> {
    answer("302 Found", &format!("Location: {to}\r\n"), b"")
}

fn authorized(server: &Server) -> Vec<Option<String>> {
    server.seen().iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
}

#[test]
fn credentials_stay_with_the_repository_when_it_leads_elsewhere() {
    let archive = chart("redis", "1.0.0", "a: 1\n");
    let elsewhere = {
        let (archive, index) = (archive.clone(), index("redis.tgz", &sha256(&archive)));
        Server::start(move |request| if request.target().ends_with(".yaml") { ok(&index) } else { ok(&archive) })
    };
    let away = format!("http://{}", elsewhere.address);
    // A redirect of the index, a redirect of the archive, an index that names an archive elsewhere.
    let to_index = {
        let away = away.clone();
        Server::start(move |_| redirect(&format!("{away}/index.yaml")))
    };
    let to_archive = {
        let away = away.clone();
        Server::start(move |request| {
            if request.target().ends_with(".yaml") { ok(&index("redis.tgz", "")) } else { redirect(&format!("{away}/redis.tgz")) }
        })
    };
    let names = {
        let away = away.clone();
        Server::start(move |_| ok(&index(&format!("{away}/redis.tgz"), "")))
    };
    for server in [&to_archive, &names] {
        fetch_within(&repository(server), Limits::default()).unwrap();
    }
    // The archive is named from the repository on, wherever the index came from; this one answers everything with a redirect.
    fail(&repository(&to_index));
    for server in [&to_index, &to_archive, &names] {
        assert!(authorized(server).iter().all(Option::is_some));
    }
    assert!(elsewhere.seen().len() >= 3);
    assert!(authorized(&elsewhere).iter().all(Option::is_none), "{:?}", elsewhere.seen());
}

/// A registry that asks for user and password, and has its blobs elsewhere.
fn asking(blobs: String, digest: String) -> Server {
    Server::start(move |request: &Request| {
        if request.header("authorization").is_none() {
            return answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", b"");
        }
        match request.target() {
            target if target.contains("/manifests/") => ok(&manifest(CONFIG, CHART, &digest)),
            _ => redirect(&blobs),
        }
    })
}

#[test]
fn what_a_registry_was_shown_goes_no_further() {
    let archive = chart("redis", "1.0.0", "a: 1\n");
    let blobs = {
        let archive = archive.clone();
        Server::start(move |_| ok(&archive))
    };
    let server = asking(format!("http://{}/blob", blobs.address), sha256(&archive));
    let fetched = fetch_within(&registry(&server, "1.0.0"), Limits::default()).unwrap();
    assert_eq!(read(&fetched.snapshot, "values.yaml").as_deref(), Some("a: 1\n"));
    assert_eq!(authorized(&blobs), [None]);

    // Who is led to after a redirect, and asks, is told nothing.
    let evil = Server::start(|_| answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", b""));
    let away = format!("http://{}/", evil.address);
    let leading = Server::start(move |_| redirect(&away));
    assert!(matches!(fail(&registry(&leading, "1.0.0")), FetchError::Unauthorized { .. }));
    assert_eq!(authorized(&evil), [None]);
    assert_eq!(authorized(&leading), [None]);

    // So is who stands behind the next page of tags.
    let evil = Server::start(|_| ok(b"{\"tags\":[\"9.9.9\"]}"));
    let away = format!("Link: <http://{}/v2/x/tags/list>; rel=\"next\"\r\n", evil.address);
    let pages = Server::start(move |_| answer("200 OK", &away, b"{\"tags\":[\"1.0.0\"]}"));
    assert!(matches!(fail(&registry(&pages, "1.x")), FetchError::Protocol { why, .. } if why.contains("somewhere else")));
    assert!(evil.seen().is_empty());
}

#[test]
fn a_token_service_that_gives_none() {
    for (realm, body) in
        [("/token", &b"{}"[..]), ("/token", b"s3cret"), ("/token", b"{\"token\":\"a\\nb\"}"), ("ftp://x/y", b""), ("", b"")]
    {
        let service = Server::start(move |_| ok(body));
        let realm = if realm.starts_with('/') { format!("http://{}{realm}", service.address) } else { realm.to_owned() };
        let challenge = format!("WWW-Authenticate: Bearer realm=\"{realm}\"\r\n");
        let server = Server::start(move |_| answer("401 Unauthorized", &challenge, b""));
        assert!(matches!(fail(&registry(&server, "1.0.0")), FetchError::Protocol { .. }), "{realm}");
    }
    // One that asks again and again is told once.
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let server = Server::start(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", b"")
    });
    assert!(matches!(fail(&registry(&server, "1.0.0")), FetchError::Unauthorized { .. }));
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[test]
fn every_status_has_its_meaning() {
    for (status, class) in [
        ("401 Unauthorized", FetchClass::Denied),
        ("403 Forbidden", FetchClass::Denied),
        ("404 Not Found", FetchClass::Denied),
        ("429 Too Many Requests", FetchClass::Unavailable),
        ("500 Oops", FetchClass::Unavailable),
        ("418 Teapot", FetchClass::Refused),
    ] {
        let server = Server::start(move |_| answer(status, "", b"\x1b[31mno"));
        for source in [repository(&server), registry(&server, "1.x")] {
            let error = fail(&source);
            assert_eq!(classify(&error), class, "{status}: {error}");
            assert!(!error.to_string().contains('\x1b'));
        }
    }
    // A manifest that is not there is a version that is not there; a repository that is not there may only be hidden.
    let server = Server::start(move |_| answer("404 Not Found", "", b""));
    assert!(matches!(fail(&registry(&server, "1.0.0")), FetchError::NoSuchVersion { .. }));
}

#[test]
fn redirects_and_pages_end() {
    let round = Server::start(|request| redirect(&format!("{}x", request.target())));
    for source in [repository(&round), registry(&round, "1.x"), registry(&round, "1.0.0")] {
        assert!(matches!(fail(&source), FetchError::Protocol { why, .. } if why.contains("redirects more than")));
    }
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let pages = Server::start(move |_| {
        let page = counted.fetch_add(1, Ordering::Relaxed);
        answer("200 OK", &format!("Link: </v2/charts/redis/tags/list?last={page}>; rel=\"next\"\r\n"), b"{\"tags\":[\"1.0.0\"]}")
    });
    assert!(matches!(fail(&registry(&pages, "1.x")), FetchError::Protocol { why, .. } if why.contains("pages")));
    assert_eq!(count.load(Ordering::Relaxed), plumb_source::limits::MAX_TAG_PAGES);
    let same = Server::start(move |request| answer("200 OK", &format!("Link: <{}>; rel=\"next\"\r\n", request.target()), b"{\"tags\":[]}"));
    assert!(matches!(fail(&registry(&same, "1.x")), FetchError::Protocol { why, .. } if why.contains("its own next one")));
}

#[test]
fn pages_of_tags_are_put_together() {
    let archive = chart("redis", "1.2.0", "");
    let digest = sha256(&archive);
    let server = Server::start(move |request| match request.target() {
        target if target.contains("last=b") => ok(b"{\"tags\":[\"1.2.0\"]}"),
        target if target.contains("last=a") => answer("200 OK", "Link: <?last=b>; rel=\"next\"\r\n", b"{\"tags\":null}"),
        target if target.contains("/tags/") => {
            answer("200 OK", "Link: </v2/charts/redis/tags/list?last=a>; rel=\"next\"\r\n", b"{\"tags\":[\"1.1.0\",\"x\"]}")
        }
        target if target.contains("/manifests/") => ok(&manifest(CONFIG, CHART, &digest)),
        _ => ok(&archive),
    });
    let fetched = fetch_within(&registry(&server, "1.x"), Limits::default()).unwrap();
    assert_eq!(fetched.snapshot.revision().reference, "1.2.0");
}

#[test]
fn what_is_shorter_than_promised_is_not_taken() {
    let short = |body: &[u8]| {
        let mut whole = answer("200 OK", "", body);
        whole.truncate(whole.len() - 1);
        whole
    };
    let archive = chart("redis", "1.0.0", "");
    let (of_index, of_archive) = (short(&index("redis.tgz", "")), short(&archive));
    let cut_index = Server::start(move |_| of_index.clone());
    let whole = index("redis.tgz", "");
    let cut_archive = Server::start(move |request| if request.target().ends_with(".yaml") { ok(&whole) } else { of_archive.clone() });
    let (of_manifest, of_tags) = (short(&manifest(CONFIG, CHART, &sha256(&archive))), short(b"{\"tags\":[]}"));
    let cut_manifest =
        Server::start(move |request| if request.target().contains("/tags/") { of_tags.clone() } else { of_manifest.clone() });
    for source in [repository(&cut_index), repository(&cut_archive), registry(&cut_manifest, "1.x"), registry(&cut_manifest, "1.0.0")] {
        let error = fail(&source);
        assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
    }
}

#[test]
fn nothing_is_read_beyond_its_limit() {
    let zeros = gzip(&vec![b'#'; 4 << 20]);
    let packed = Server::start(move |_| answer("200 OK", "Content-Encoding: gzip\r\n", &zeros));
    let limits =
        || Limits { index_bytes: 1 << 20, index_entry_bytes: 1 << 16, archive_bytes: 100, listing_bytes: 100, ..Limits::default() };
    let too_large = |source: &ChartSource, what: &str| match fetch_within(source, limits()).unwrap_err() {
        FetchError::TooLarge { what: found, .. } => assert!(found.contains(what), "{found}"),
        error => panic!("{what}: {error:?}"),
    };
    too_large(&repository(&packed), "one chart");
    let lines = gzip(&b"# a line of a comment\n".repeat(100_000));
    let packed = Server::start(move |_| answer("200 OK", "Content-Encoding: gzip\r\n", &lines));
    too_large(&repository(&packed), "the index");
    let archive = chart("redis", "1.0.0", "");
    let server = Server::start(move |request| if request.target().ends_with(".yaml") { ok(&index("redis.tgz", "")) } else { ok(&archive) });
    too_large(&repository(&server), "the chart");
    let tags = Server::start(|_| ok(&[b' '; 101]));
    too_large(&registry(&tags, "1.x"), "the list of tags");
    let huge = Server::start(|_| ok(&vec![b' '; plumb_source::limits::MAX_MANIFEST_BYTES as usize + 1]));
    too_large(&registry(&huge, "1.0.0"), "the manifest");
    let service = Server::start(|_| ok(&vec![b' '; plumb_source::limits::MAX_TOKEN_BYTES as usize + 1]));
    let challenge = format!("WWW-Authenticate: Bearer realm=\"http://{}/\"\r\n", service.address);
    let asks = Server::start(move |_| answer("401 Unauthorized", &challenge, b""));
    too_large(&registry(&asks, "1.0.0"), "the token");
}

#[test]
fn what_is_not_what_its_digest_says_is_refused() {
    let archive = chart("redis", "1.0.0", "");
    let wrong = sha256(b"another");
    let layer = {
        let (archive, wrong) = (archive.clone(), wrong.clone());
        Server::start(
            move |request| if request.target().contains("/manifests/") { ok(&manifest(CONFIG, CHART, &wrong)) } else { ok(&archive) },
        )
    };
    assert!(matches!(fail(&registry(&layer, "1.0.0")), FetchError::Digest { .. }));
    let pinned = ChartSource { version: ChartVersion::Digest(format!("sha256:{wrong}")), ..registry(&layer, "") };
    assert!(matches!(fail(&pinned), FetchError::Digest { wanted, .. } if wanted == wrong));
    for digest in ["nonsense", "sha256:00", "md5:0123"] {
        let named = Server::start(move |_| ok(&index("redis.tgz", digest)));
        assert!(matches!(fail(&repository(&named)), FetchError::Protocol { why, .. } if why.contains("no SHA-256")), "{digest}");
    }
}

#[test]
fn what_is_no_chart_says_so() {
    let archive = chart("redis", "1.0.0", "");
    let digest = sha256(&archive);
    for (body, says) in [
        (manifest("application/vnd.oci.image.config.v1+json", CHART, &digest), "its config is of the type"),
        (manifest(CONFIG, "application/vnd.oci.image.layer.v1.tar", &digest), "no layer of the type"),
        (b"{\"manifests\":[]}".to_vec(), "no config"),
        (b"<html>".to_vec(), "cannot be read"),
        (String::from_utf8(manifest(CONFIG, CHART, &digest)).unwrap().replace("sha256:", "sha512:").into_bytes(), "no SHA-256 digest"),
    ] {
        let server = Server::start(move |_| ok(&body));
        assert!(matches!(fail(&registry(&server, "1.0.0")), FetchError::NotAChart { why, .. } if why.contains(says)), "{says}");
    }
    for body in [&b"<html>Please sign in</html>"[..], b"", b"apiVersion: v1\nentries: [\n", b"{\"apiVersion\":", b"\xff\xfe\x00"] {
        let server = Server::start(move |_| ok(body));
        assert!(matches!(fail(&repository(&server)), FetchError::Protocol { .. }), "{body:?}");
    }
    for url in ["file:///etc/passwd", "oci://a/b", "http://a b/c", "http://ada:s3cret@a/b"] {
        let server = Server::start(move |_| ok(&index(url, "")));
        assert!(matches!(fail(&repository(&server)), FetchError::Protocol { .. }), "{url}");
    }
}

#[test]
fn an_archive_holds_files_of_the_chart_and_nothing_else() {
    let about = "apiVersion: v2\nname: redis\nversion: 1.0.0\n";
    let deep = format!("redis/{}x", "d/".repeat(40));
    let own = || file("redis/Chart.yaml", about);
    let link = |name: &'static str, link: &'static str, kind: u8| Item { name, kind, link, content: b"" };
    let archives: Vec<(Vec<u8>, &str)> = vec![
        (tar(&[own(), file("redis/../../etc/passwd", "x")]), "references parent directory"),
        (tar(&[own(), file("/etc/passwd", "x")]), "absolute paths"),
        (tar(&[own(), file("C:\\windows", "x")]), "absolute paths"),
        (tar(&[own(), file("redis\\..\\..\\x", "x")]), "references parent directory"),
        (tar(&[file("redis/values.yaml", "")]), "no Chart.yaml"),
        (tar(&[file("redis/Chart.yaml", "name: [")]), "Chart.yaml cannot be read"),
        (tar(&[own(), file("redis/a", "x"), file("redis/a/b", "x")]), "lies in a file"),
        (tar(&[own(), file("redis/a/b", "x"), file("redis/a", "x")]), "a file and a folder"),
        (tar(&[]), "no files"),
        (vec![0; 101 << 20], "larger than the maximum size"),
        (
            tar(&[own(), Item { name: "redis/big", kind: b'0', link: "", content: &vec![0; (5 << 20) + 1] }]),
            "larger than the maximum file size",
        ),
    ];
    for (archive, says) in archives {
        let packed = gzip(&archive);
        let server =
            Server::start(move |request| if request.target().ends_with(".yaml") { ok(&index("redis.tgz", "")) } else { ok(&packed) });
        let error = fail(&repository(&server));
        assert!(matches!(&error, FetchError::NotAChart { why, .. } if why.contains(says)), "{says}: {error}");
        assert_eq!(classify(&error), FetchClass::Refused);
    }
    for packed in [b"no gzip".to_vec(), gzip(&tar(&[own()]))[..40].to_vec()] {
        let server =
            Server::start(move |request| if request.target().ends_with(".yaml") { ok(&index("redis.tgz", "")) } else { ok(&packed) });
        assert!(matches!(fail(&repository(&server)), FetchError::NotAChart { .. }));
    }
    // Links and devices are left out, and what is deep is not too deep.
    let packed = gzip(&tar(&[
        own(),
        link("redis/passwd", "/etc/passwd", b'2'),
        link("redis/hard", "redis/Chart.yaml", b'1'),
        link("redis/dev", "", b'3'),
        file(&deep, "end"),
    ]));
    let server = Server::start(move |request| if request.target().ends_with(".yaml") { ok(&index("redis.tgz", "")) } else { ok(&packed) });
    let fetched = fetch_within(&repository(&server), Limits::default()).unwrap();
    let names: Vec<String> = fetched.snapshot.list(&crate::path("")).unwrap().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["Chart.yaml", "d"]);
    assert_eq!(read(&fetched.snapshot, deep.trim_start_matches("redis/")).as_deref(), Some("end"));
}

#[test]
fn nothing_leads_to_where_a_machine_keeps_its_secrets() {
    let metadata = "http://169.254.169.254/latest/meta-data";
    let leading = Server::start(move |_| redirect(metadata));
    let named = Server::start(move |_| ok(&index(metadata, "")));
    let mapped = Server::start(|_| redirect("http://[::ffff:169.254.169.254]/"));
    let mut errors: Vec<FetchError> =
        [repository(&leading), registry(&leading, "1.x"), repository(&named), repository(&mapped)].iter().map(fail).collect();
    errors.push(fail(&in_repository("http://169.254.169.254", "redis", "")));
    let folder = TempDir::new().unwrap();
    let cache = open(folder.path(), Limits::default());
    errors.push(cache.fetch(&source(&format!("http://{}/a.git", leading.address), GitRef::Default), None, &soon()).unwrap_err());
    for error in errors {
        assert!(matches!(error, FetchError::Egress { .. }), "{error:?}");
        assert_eq!(classify(&error), FetchClass::Denied);
    }
}

#[test]
fn a_process_whose_roots_are_elsewhere_asks_nobody_here() {
    let server = Server::start(|_| ok(b""));
    let folder = TempDir::new().unwrap();
    let cache = Cache::open(folder.path(), CacheOptions::default()).unwrap();
    let git = source(&format!("http://{}/a.git", server.address), GitRef::Default);
    let errors = [
        cache.fetch(&repository(&server), None, &soon()).unwrap_err(),
        cache.fetch(&registry(&server, "1.x"), None, &soon()).unwrap_err(),
        cache.fetch(&git, None, &soon()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(&error, FetchError::Egress { why, .. } if why.contains("this machine itself")), "{error:?}");
    }
    assert!(server.seen().is_empty());
}
