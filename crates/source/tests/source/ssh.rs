//! Fetching over SSH: kinds of keys, host keys, and what servers refuse.

use std::fs;
use std::path::Path;
use std::process::Command;

use plumb_plane::git::{Repo, SshServer};
use plumb_source::{Cache, FetchClass, FetchError, Limits, classify};
use plumb_unit::Credentials;
use plumb_world::Secret;
use tempfile::TempDir;

use crate::{branch, open, read, soon, source};

struct Site {
    folder: TempDir,
    server: SshServer,
    repo: Repo,
    cache: Cache,
    url: String,
}

impl Site {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let server = SshServer::start(&folder.path().join("served")).unwrap();
        let mut remote = server.create("team/shop").unwrap();
        remote.url = format!("file://{}", folder.path().join("served/team/shop.git").display());
        let repo = Repo::create(&folder.path().join("work"), &remote).unwrap();
        repo.write("a", "1").unwrap();
        repo.commit("One").unwrap();
        repo.push().unwrap();
        let cache = open(&folder.path().join("cache"), Limits::default());
        let url = server.url("team/shop");
        Self { folder, server, repo, cache, url }
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            identity: Some(Secret::new(fs::read_to_string(self.server.private_key()).unwrap())),
            known_hosts: Some(fs::read_to_string(self.server.known_hosts()).unwrap()),
            ..Credentials::default()
        }
    }

    /// Makes a key that the server accepts.
    fn key(&self, name: &str, arguments: &[&str]) -> Credentials {
        let file = self.folder.path().join(name);
        keygen(&file, arguments);
        let accepted = self.server.private_key().with_extension("pub");
        let keys = fs::read_to_string(&accepted).unwrap() + &fs::read_to_string(file.with_extension("pub")).unwrap();
        fs::write(&accepted, keys).unwrap();
        Credentials { identity: Some(Secret::new(fs::read_to_string(&file).unwrap())), ..self.credentials() }
    }

    fn fetch(&self, credentials: &Credentials) -> Result<String, FetchError> {
        let fetched = self.cache.fetch(&source(&self.url, branch("main")), Some(credentials), &soon())?;
        Ok(read(&fetched.snapshot, "a").unwrap())
    }
}

fn keygen(file: &Path, arguments: &[&str]) {
    let made = Command::new("ssh-keygen").args(["-q", "-C", "test", "-f"]).arg(file).args(arguments).status().unwrap();
    assert!(made.success());
}

#[test]
fn every_kind_of_key() {
    let site = Site::new();
    assert_eq!(site.fetch(&site.credentials()).unwrap(), "1");
    for (name, arguments) in [
        ("ecdsa256", &["-t", "ecdsa", "-b", "256", "-N", ""][..]),
        ("ecdsa384", &["-t", "ecdsa", "-b", "384", "-N", ""]),
        ("ecdsa521", &["-t", "ecdsa", "-b", "521", "-N", ""]),
        ("rsa", &["-t", "rsa", "-b", "2048", "-N", ""]),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM"]),
        ("ed25519", &["-t", "ed25519", "-N", ""]),
    ] {
        assert_eq!(site.fetch(&site.key(name, arguments)).unwrap(), "1", "{name}");
    }
    let locked = site.key("locked", &["-t", "ed25519", "-N", "open sesame", "-a", "1"]);
    assert!(matches!(site.fetch(&locked).unwrap_err(), FetchError::Credentials { why, .. } if why.contains("passphrase")));
    let opened = Credentials { password: Some(Secret::new("open sesame".to_owned())), ..locked };
    assert_eq!(site.fetch(&opened).unwrap(), "1");
}

#[test]
fn a_second_push_brings_only_what_is_new() {
    let site = Site::new();
    site.fetch(&site.credentials()).unwrap();
    site.repo.write("a", "2").unwrap();
    site.repo.commit("Two").unwrap();
    site.repo.push().unwrap();
    assert_eq!(site.fetch(&site.credentials()).unwrap(), "2");
    assert_eq!(site.cache.counts().downloads, 2);
}

#[test]
fn a_pinned_commit_is_looked_for_in_history() {
    let site = Site::new();
    let first = site.repo.head().unwrap();
    for number in 2..5 {
        site.repo.write("a", number.to_string()).unwrap();
        site.repo.commit("More").unwrap();
    }
    site.repo.push().unwrap();
    let pin = source(&site.url, plumb_unit::GitRef::Commit(first));
    let fetched = site.cache.fetch(&pin, Some(&site.credentials()), &soon()).unwrap();
    assert_eq!(read(&fetched.snapshot, "a").as_deref(), Some("1"));
}

#[test]
fn a_host_must_be_known() {
    let site = Site::new();
    let with = |known_hosts: Option<String>| site.fetch(&Credentials { known_hosts, ..site.credentials() }).unwrap_err();
    assert!(matches!(with(None), FetchError::Credentials { .. }));
    assert!(matches!(with(Some("\n".to_owned())), FetchError::Credentials { .. }));
    let known = site.credentials().known_hosts.unwrap();
    let elsewhere = with(Some(known.replace("127.0.0.1", "git.example.com")));
    assert!(matches!(&elsewhere, FetchError::HostKey { why, .. } if why.contains("no key of it")), "{elsewhere}");
    assert!(matches!(with(Some(format!("@revoked {known}{known}"))), FetchError::HostKey { .. }));

    let other = site.folder.path().join("other");
    keygen(&other, &["-t", "ed25519", "-N", ""]);
    let public = fs::read_to_string(other.with_extension("pub")).unwrap();
    let host = known.split(' ').next().unwrap();
    let changed = with(Some(format!("{host} {public}")));
    assert!(matches!(&changed, FetchError::HostKey { why, .. } if why.contains("in between")), "{changed}");
    assert_eq!(classify(&changed), FetchClass::Denied);

    let ecdsa = site.folder.path().join("ecdsa");
    keygen(&ecdsa, &["-t", "ecdsa", "-N", ""]);
    let public = fs::read_to_string(ecdsa.with_extension("pub")).unwrap();
    let kind = with(Some(format!("{host} {public}")));
    assert!(matches!(&kind, FetchError::HostKey { why, .. } if why.contains("kinds of key")), "{kind}");
}

#[test]
fn a_key_that_is_not_accepted() {
    let mut site = Site::new();
    let stranger = site.folder.path().join("stranger");
    keygen(&stranger, &["-t", "ed25519", "-N", ""]);
    let identity = |text: &str| Credentials { identity: Some(Secret::new(text.to_owned())), ..site.credentials() };
    let error = site.fetch(&identity(&fs::read_to_string(&stranger).unwrap())).unwrap_err();
    assert!(matches!(error, FetchError::Unauthorized { .. }), "{error}");
    assert!(matches!(site.fetch(&identity("garbage")).unwrap_err(), FetchError::Credentials { .. }));
    let none = Credentials { identity: None, ..site.credentials() };
    assert!(matches!(site.fetch(&none).unwrap_err(), FetchError::Credentials { .. }));

    site.server.stop();
    let error = site.fetch(&site.credentials()).unwrap_err();
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    site.server.start_again().unwrap();
    site.fetch(&site.credentials()).unwrap();
}

#[test]
fn a_repository_that_is_not_there() {
    let site = Site::new();
    let fetch = |url: &str| site.cache.fetch(&source(url, branch("main")), Some(&site.credentials()), &soon()).unwrap_err();
    let error = fetch(&site.server.url("team/none"));
    assert!(matches!(error, FetchError::NotFound { .. }), "{error}");
    // A path is one argument for the server's shell, whatever is in it.
    let canary = site.folder.path().join("canary");
    let error = fetch(&site.url.replace("team/shop.git", &format!("a;touch${{IFS}}{}", canary.display())));
    assert!(matches!(error, FetchError::Url(_) | FetchError::NotFound { .. }), "{error}");
    let error = fetch(&site.url.replace("team/shop.git", &format!("$(touch%20{})", canary.display())));
    assert!(matches!(error, FetchError::NotFound { .. }), "{error}");
    assert!(!canary.exists());
}
