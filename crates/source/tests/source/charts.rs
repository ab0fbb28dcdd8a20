//! Charts from a real registry and a real chart repository.

use std::fs;
use std::io::Write;
use std::path::Path;

use plumb_plane::{Push, Registry, RegistryOptions};
use plumb_source::{Cache, FetchClass, FetchError, Fetched, Limits, ReadIndex, SnapshotWorld, TreeDiff, classify};
use plumb_unit::{ChartRepository, ChartSource, ChartVersion, Credentials, SecretRef};
use plumb_world::{RelPath, World};
use tempfile::TempDir;

use crate::{basic, bearer, open, path, read, soon};

/// One entry of an archive: its name, its type (`0` for a file), what a link leads to, its content.
pub(crate) struct Item<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: u8,
    pub(crate) link: &'a str,
    pub(crate) content: &'a [u8],
}

pub(crate) fn file<'a>(name: &'a str, content: &'a str) -> Item<'a> {
    Item { name, kind: b'0', link: "", content: content.as_bytes() }
}

/// Packs an archive as `tar` would.
pub(crate) fn tar(items: &[Item<'_>]) -> Vec<u8> {
    let mut all = Vec::new();
    for item in items {
        let mut header = [0_u8; 512];
        header[..item.name.len()].copy_from_slice(item.name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", item.content.len()).as_bytes());
        header[156] = item.kind;
        header[157..157 + item.link.len()].copy_from_slice(item.link.as_bytes());
        header[257..263].copy_from_slice(b"ustar\0");
        all.extend_from_slice(&header);
        all.extend_from_slice(item.content);
        all.resize(all.len().div_ceil(512) * 512, 0);
    }
    all.resize(all.len() + 1024, 0);
    all
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Packs a chart with one template and its values.
pub(crate) fn chart(name: &str, version: &str, values: &str) -> Vec<u8> {
    let about = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let template = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n";
    gzip(&tar(&[
        file(&format!("{name}/Chart.yaml"), &about),
        file(&format!("{name}/values.yaml"), values),
        file(&format!("{name}/templates/a.yaml"), template),
    ]))
}

pub(crate) fn in_registry(url: &str, version: ChartVersion) -> ChartSource {
    let repository = ChartRepository::Oci { url: url.to_owned(), insecure: true };
    ChartSource { repository, version, secret: None, path: RelPath::root() }
}

pub(crate) fn in_repository(url: &str, chart: &str, version: &str) -> ChartSource {
    let repository = ChartRepository::Http { url: url.to_owned(), chart: chart.to_owned() };
    ChartSource { repository, version: range(version), secret: None, path: RelPath::root() }
}

pub(crate) fn range(text: &str) -> ChartVersion {
    ChartVersion::Range(text.to_owned())
}

/// A registry with a chart of some versions, and a cache.
struct Stage {
    folder: TempDir,
    registry: Registry,
    cache: Cache,
}

impl Stage {
    fn new(options: RegistryOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let registry = Registry::start(&folder.path().join("served"), options).unwrap();
        let cache = open(&folder.path().join("cache"), Limits::default());
        Self { folder, registry, cache }
    }

    /// Pushes a version to the registry, and returns its manifest's digest.
    fn push(&self, version: &str) -> String {
        let archive = chart("redis", version, &format!("of: {version}\n"));
        let tag = version.replace('+', "_");
        self.registry.push(&Push { name: "charts/redis", tag: &tag, archive: &archive, layer_type: None }).unwrap()
    }

    /// Publishes versions in the chart repository, each with the digest of its archive.
    fn publish(&self, versions: &[&str]) {
        publish(&self.registry.folder(), versions, |version, file| {
            format!("    urls: [{file}]\n    digest: {}\n", sha256(&chart("redis", version, "")))
        });
    }

    fn url(&self) -> String {
        format!("oci://{}/charts/redis", self.registry.host())
    }

    fn fetch(&self, version: ChartVersion, credentials: Option<&Credentials>) -> Result<Fetched, FetchError> {
        self.cache.fetch(&in_registry(&self.url(), version), credentials, &soon())
    }

    fn fetch_published(&self, version: &str) -> Result<Fetched, FetchError> {
        self.cache.fetch(&in_repository(&self.registry.repository(), "redis", version), None, &soon())
    }
}

/// Writes archives and an index; what the index says of each version beside name and version is the caller's.
pub(crate) fn publish(folder: &Path, versions: &[&str], says: impl Fn(&str, &str) -> String) {
    let mut index = "apiVersion: v1\nentries:\n  other:\n  - name: other\n    version: 9.9.9\n    urls: [none.tgz]\n  redis:\n".to_owned();
    for version in versions {
        let name = format!("redis-{version}.tgz");
        fs::write(folder.join(&name), chart("redis", version, "")).unwrap();
        index += &format!("  - name: redis\n    version: {version}\n{}", says(version, &name));
    }
    fs::write(folder.join("index.yaml"), index + "generated: \"2024-01-01T00:00:00Z\"\n").unwrap();
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(fetched: &Fetched) -> String {
    fetched.snapshot.revision().to_string()
}

#[test]
fn a_range_gives_the_newest_version_and_its_digest() {
    let stage = Stage::new(RegistryOptions::default());
    let digests: Vec<String> = ["20.1.0", "20.1.7+build.5", "20.2.0", "21.0.0-rc.1"].iter().map(|version| stage.push(version)).collect();
    for (wanted, expect) in [
        (range("~20.1"), format!("20.1.7+build.5@{}", digests[1])),
        (range(""), format!("20.2.0@{}", digests[2])),
        (range("20.1.0"), format!("20.1.0@{}", digests[0])),
        (range("20.1.7+build.5"), format!("20.1.7+build.5@{}", digests[1])),
        (range(">=21.0.0-0"), format!("21.0.0-rc.1@{}", digests[3])),
        (ChartVersion::Tag("20.1.7_build.5".to_owned()), format!("20.1.7+build.5@{}", digests[1])),
        (ChartVersion::Digest(digests[3].clone()), format!("21.0.0-rc.1@{}", digests[3])),
    ] {
        assert_eq!(shown(&stage.fetch(wanted.clone(), None).unwrap()), expect, "{wanted:?}");
    }
    // Four versions, however they were named.
    assert_eq!(stage.cache.counts().downloads, 4);
    let error = stage.fetch(range("^22"), None).unwrap_err();
    assert_eq!(classify(&error), FetchClass::Absent);
    assert_eq!(error.to_string(), format!("{} has no version of `redis` that fits `^22`; the newest is 21.0.0-rc.1", stage.url()));
    let error = stage.fetch(ChartVersion::Tag("none".to_owned()), None).unwrap_err();
    assert!(matches!(error, FetchError::NoSuchVersion { .. }), "{error}");
}

#[test]
fn a_chart_is_read_as_a_tree_and_two_versions_are_compared() {
    let stage = Stage::new(RegistryOptions::default());
    stage.push("1.0.0");
    let old = stage.fetch(range("1.x"), None).unwrap().snapshot;
    assert_eq!(read(&old, "values.yaml").as_deref(), Some("of: 1.0.0\n"));
    let names: Vec<String> = old.list(&RelPath::root()).unwrap().unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["Chart.yaml", "templates", "values.yaml"]);

    let mut world = SnapshotWorld::new();
    let values = world.add(old.clone(), RelPath::root());
    let templates = world.add(old.clone(), path("templates"));
    world.file(values, &path("values.yaml")).unwrap();
    world.list(templates, &RelPath::root()).unwrap();
    let mut index = ReadIndex::default();
    for (tree, reads) in world.into_reads() {
        index.insert(if tree == values { "values" } else { "templates" }, &reads);
    }
    stage.push("1.1.0");
    let new = stage.fetch(range("1.x"), None).unwrap().snapshot;
    assert_eq!(new.revision().reference, "1.1.0");
    let diff = TreeDiff::between(&old, &new);
    assert_eq!(diff.paths().map(RelPath::as_str).collect::<Vec<_>>(), ["Chart.yaml", "values.yaml"]);
    assert_eq!(index.affected(&diff).into_iter().collect::<Vec<_>>(), ["values"]);
}

#[test]
fn a_poll_without_news_costs_two_small_requests() {
    let stage = Stage::new(RegistryOptions::default());
    stage.push("1.0.0");
    stage.fetch(range("1.x"), None).unwrap();
    stage.registry.forget_requests().unwrap();
    assert!(!stage.fetch(range("1.x"), None).unwrap().downloaded);
    let paths: Vec<String> = stage.registry.requests().unwrap().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/v2/charts/redis/tags/list?n=1000", "/v2/charts/redis/manifests/1.0.0"]);
}

#[test]
fn a_tag_that_moves_is_another_revision() {
    let stage = Stage::new(RegistryOptions::default());
    stage.push("1.0.0");
    let latest = |values: &str| {
        let archive = chart("redis", "1.0.0", values);
        stage.registry.push(&Push { name: "charts/redis", tag: "stable", archive: &archive, layer_type: None }).unwrap()
    };
    let (first, wanted) = (latest("a: 1\n"), ChartVersion::Tag("stable".to_owned()));
    assert_eq!(shown(&stage.fetch(wanted.clone(), None).unwrap()), format!("stable@{first}"));
    let second = latest("a: 2\n");
    let fetched = stage.fetch(wanted, None).unwrap();
    assert_eq!(shown(&fetched), format!("stable@{second}"));
    assert_eq!(read(&fetched.snapshot, "values.yaml").as_deref(), Some("a: 2\n"));
}

#[test]
fn a_token_is_asked_for_with_the_credentials_and_shown_instead_of_them() {
    let stage = Stage::new(RegistryOptions { basic: Some(("ada".to_owned(), "s3cret".to_owned())), token: true });
    stage.push("1.0.0");
    stage.registry.forget_requests().unwrap();
    stage.fetch(range("1.x"), Some(&basic("ada", "s3cret"))).unwrap();
    let requests = stage.registry.requests().unwrap();
    let seen: Vec<(&str, &str, u16)> = requests
        .iter()
        .map(|request| (request.path.split(['?', '/']).nth(1).unwrap_or_default(), request.credentials.as_str(), request.status))
        .collect();
    assert_eq!(seen, [("v2", "", 401), ("token", "basic", 200), ("v2", "bearer", 200), ("v2", "bearer", 200), ("v2", "bearer", 200)]);

    let refused = |credentials: Option<&Credentials>| stage.fetch(range("1.x"), credentials).unwrap_err();
    for (error, says) in [(refused(None), "none were given"), (refused(Some(&basic("ada", "wr0ng"))), "they are wrong")] {
        assert!(matches!(&error, FetchError::Unauthorized { why, .. } if why.contains(says)), "{error}");
        assert_eq!(classify(&error), FetchClass::Denied);
        assert!(!error.to_string().contains("wr0ng"));
    }
}

#[test]
fn a_registry_that_asks_for_user_and_password_gets_them() {
    let stage = Stage::new(RegistryOptions { basic: Some(("ada".to_owned(), "s3cret".to_owned())), token: false });
    stage.push("1.0.0");
    stage.registry.forget_requests().unwrap();
    stage.fetch(range("1.x"), Some(&basic("ada", "s3cret"))).unwrap();
    let seen: Vec<(String, u16)> =
        stage.registry.requests().unwrap().into_iter().map(|request| (request.credentials, request.status)).collect();
    assert_eq!(seen[0], (String::new(), 401));
    assert!(seen[1..].iter().all(|seen| *seen == ("basic".to_owned(), 200)), "{seen:?}");
    assert!(matches!(stage.fetch(range("1.x"), Some(&bearer("t0ken"))).unwrap_err(), FetchError::Unauthorized { .. }));
}

#[test]
fn anybody_may_have_a_token_where_no_user_is_asked_for() {
    let stage = Stage::new(RegistryOptions { basic: None, token: true });
    stage.push("1.0.0");
    stage.fetch(range("1.x"), None).unwrap();
}

#[test]
fn tags_that_are_no_versions_are_passed_over_and_those_that_are_have_a_limit() {
    let stage = Stage::new(RegistryOptions::default());
    stage.push("1.0.0");
    let archive = chart("redis", "1.0.0", "");
    for number in 0..3 {
        let tag = format!("edge-{number}");
        stage.registry.push(&Push { name: "charts/redis", tag: &tag, archive: &archive, layer_type: None }).unwrap();
    }
    assert_eq!(stage.fetch(range(""), None).unwrap().snapshot.revision().reference, "1.0.0");
    let limits = Limits { tags: 0, ..Limits::default() };
    let cache = open(&stage.folder.path().join("small"), limits);
    let error = cache.fetch(&in_registry(&stage.url(), range("")), None, &soon()).unwrap_err();
    assert!(matches!(&error, FetchError::Protocol { why, .. } if why.contains("more than 0 tags")), "{error}");
}

#[test]
fn an_index_gives_the_newest_version_and_the_archives_digest() {
    let stage = Stage::new(RegistryOptions::default());
    stage.publish(&["20.1.0", "20.1.7", "20.2.0", "21.0.0-rc.1"]);
    for (wanted, version) in [("~20.1", "20.1.7"), ("", "20.2.0"), ("20.1.0", "20.1.0"), (">20.2-0", "21.0.0-rc.1")] {
        let expect = format!("{version}@sha256:{}", sha256(&chart("redis", version, "")));
        assert_eq!(shown(&stage.fetch_published(wanted).unwrap()), expect, "{wanted}");
    }
    stage.registry.forget_requests().unwrap();
    assert!(!stage.fetch_published("~20.1").unwrap().downloaded);
    let paths: Vec<String> = stage.registry.requests().unwrap().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/charts/index.yaml"]);
    let error = stage.fetch_published("^22").unwrap_err();
    let url = stage.registry.repository();
    assert_eq!(error.to_string(), format!("{url} has no version of `redis` that fits `^22`; the newest is 21.0.0-rc.1"));
    let error = stage.cache.fetch(&in_repository(&url, "radis", ""), None, &soon()).unwrap_err();
    assert_eq!(error.to_string(), format!("{url} has no chart `radis`; check its name"));
    assert_eq!(classify(&error), FetchClass::Absent);
}

#[test]
fn an_index_without_digests_still_names_the_revision_by_the_archives() {
    let stage = Stage::new(RegistryOptions::default());
    publish(&stage.registry.folder(), &["1.0.0"], |_, file| format!("    urls: [{file}]\n"));
    let fetched = stage.fetch_published("").unwrap();
    assert_eq!(fetched.snapshot.revision().commit, sha256(&chart("redis", "1.0.0", "")));
    assert!(fetched.downloaded);
    assert!(!stage.fetch_published("").unwrap().downloaded);
}

#[test]
fn a_wrong_digest_is_refused_and_leaves_nothing() {
    let stage = Stage::new(RegistryOptions::default());
    publish(&stage.registry.folder(), &["1.0.0"], |_, file| format!("    urls: [{file}]\n    digest: {}\n", "0".repeat(64)));
    let error = stage.fetch_published("").unwrap_err();
    assert!(matches!(&error, FetchError::Digest { wanted, .. } if *wanted == "0".repeat(64)), "{error}");
    assert_eq!(classify(&error), FetchClass::Refused);
    let source = in_repository(&stage.registry.repository(), "redis", "");
    assert!(stage.cache.last(&stage.cache.key(&source, None).unwrap()).is_none());
}

#[test]
fn what_was_shown_last_is_there_after_a_restart_for_the_same_eyes_only() {
    let mut stage = Stage::new(RegistryOptions { basic: Some(("ada".to_owned(), "s3cret".to_owned())), token: true });
    stage.push("1.0.0");
    let (source, ada) = (in_registry(&stage.url(), range("1.x")), basic("ada", "s3cret"));
    let revision = stage.cache.fetch(&source, Some(&ada), &soon()).unwrap().snapshot.revision().clone();
    stage.registry.stop();
    drop(stage.cache);
    let cache = open(&stage.folder.path().join("cache"), Limits::default());
    let last = |source: &ChartSource, credentials: Option<&Credentials>| cache.last(&cache.key(source, credentials).unwrap());
    assert_eq!(last(&source, Some(&ada)).unwrap().revision(), &revision);
    assert!(last(&source, None).is_none());
    assert!(last(&source, Some(&basic("eve", "s3cret"))).is_none());
    // How it is named is part of what was asked; which Secret holds the credentials is not.
    assert!(last(&ChartSource { secret: Some(SecretRef { name: "x".to_owned() }), ..source.clone() }, Some(&ada)).is_some());
    assert!(last(&ChartSource { version: range("1.0.x"), ..source }, Some(&ada)).is_none());
}

#[test]
fn many_versions_make_the_cache_no_heap_of_packs() {
    let stage = Stage::new(RegistryOptions::default());
    let limits = Limits { packs: 3, ..Limits::default() };
    let cache = open(&stage.folder.path().join("few"), limits);
    for minor in 0..8 {
        let version = format!("1.{minor}.0");
        stage.push(&version);
        let fetched = cache.fetch(&in_registry(&stage.url(), range("")), None, &soon()).unwrap();
        assert_eq!(read(&fetched.snapshot, "values.yaml"), Some(format!("of: {version}\n")));
    }
    assert!(cache.counts().rewrites > 0);
    // Gone or not, an older version can be had.
    let first = cache.fetch(&in_registry(&stage.url(), range("1.0.0")), None, &soon()).unwrap();
    assert_eq!(read(&first.snapshot, "values.yaml").as_deref(), Some("of: 1.0.0\n"));
}
