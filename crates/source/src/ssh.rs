//! Owns SSH for Git: a host whose key must be known, a key as the only way to sign in, `git-upload-pack` as the only command.
//! Must not read `~/.ssh`, speak to an agent or start a program.

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use bytes::{Buf, Bytes};
use gix_transport::Protocol;
use gix_transport::client::git::ConnectMode;
use gix_transport::client::git::blocking_io::Connection;
use plumb_unit::Credentials;
use russh::client::{AuthResult, Config, Handle, Handler, Msg};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Preferred};

use crate::error::{FetchError, GIT, chain, quote};
use crate::known_hosts::{HostKeys, Verdict};
use crate::limits::MAX_STDERR_BYTES;
use crate::link::Link;
use crate::url::GitUrl;

/// Who signs in when neither the URL nor the credentials name a user, as all Git services have it.
const DEFAULT_USER: &str = "git";

/// What the server said beside the conversation: its complaints and how its command ended.
#[derive(Default)]
pub(crate) struct Aside {
    stderr: Vec<u8>,
    status: Option<u32>,
}

impl Aside {
    /// Returns the failure that the complaints mean, if there are any.
    pub(crate) fn failure(&self, url: &str) -> Option<FetchError> {
        let text = String::from_utf8_lossy(&self.stderr);
        let url = url.to_owned();
        if text.trim().is_empty() {
            let status = self.status.filter(|status| *status != 0)?;
            return Some(FetchError::Protocol { url, expected: GIT, why: format!("its command ended with status {status}") });
        }
        let said = text.to_lowercase();
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| said.contains(phrase));
        Some(if has(&["not appear to be a git repository", "not found", "no such", "does not exist", "could not be found"]) {
            FetchError::NotFound { url }
        } else if has(&["denied", "forbidden", "not authorized", "unauthorized", "not allowed", "insufficient"]) {
            FetchError::Forbidden { url, why: quote(&text) }
        } else if self.status == Some(0) {
            return None;
        } else {
            FetchError::Protocol { url, expected: GIT, why: quote(&text) }
        })
    }
}

/// Checks the host's key.
struct Doorman {
    keys: HostKeys,
    verdict: Arc<Mutex<Option<Verdict>>>,
}

impl Handler for Doorman {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let verdict = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.keys.judge(key),
            PublicKeyOrCertificate::Certificate(_) => Verdict::Changed,
        };
        let known = verdict == Verdict::Known;
        if let Ok(mut last) = self.verdict.lock() {
            *last = Some(verdict);
        }
        Ok(known)
    }
}

/// What is needed to sign in, checked before anything is sent.
struct Identity {
    user: String,
    key: Arc<PrivateKey>,
    hosts: HostKeys,
}

fn identity(url: &GitUrl, credentials: &Credentials) -> Result<Identity, FetchError> {
    let wrong = |why: String| FetchError::Credentials { url: url.to_string(), why };
    let Some(pem) = &credentials.identity else {
        return Err(wrong("ssh needs a private key; name a Secret with `identity` and `known_hosts`".to_owned()));
    };
    let passphrase = credentials.password.as_ref().map(|password| password.reveal().trim_end_matches(['\r', '\n']));
    let key = decode_secret_key(pem.reveal(), passphrase).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => wrong("`identity` is encrypted; give its passphrase as `password`".to_owned()),
        error => wrong(format!("`identity` is no private key that can be read: {}", chain(&error))),
    })?;
    let Some(known) = credentials.known_hosts.as_ref().filter(|known| !known.trim().is_empty()) else {
        return Err(wrong(format!("`known_hosts` is missing; take it from `ssh-keyscan -p {} {}`, and check it", url.port(), url.host())));
    };
    let hosts = HostKeys::read(known, url.host(), url.port());
    if hosts.is_empty() {
        let why = "`known_hosts` has no key of it; add its line, checked against what the host's owner publishes".to_owned();
        return Err(FetchError::HostKey { host: format!("{}:{}", url.host(), url.port()), why });
    }
    let user = url.user().or(credentials.username.as_deref()).unwrap_or(DEFAULT_USER).to_owned();
    Ok(Identity { user, key: Arc::new(key), hosts })
}

/// The two directions of the command's channel, and the session that carries it.
pub(crate) struct Tunnel {
    pub(crate) connection: Connection<Reader, Writer>,
    pub(crate) aside: Rc<RefCell<Aside>>,
    /// The session ends when this is dropped.
    pub(crate) session: Box<dyn Any>,
}

/// Signs in and starts `git-upload-pack`.
pub(crate) fn open(url: &GitUrl, credentials: &Credentials, link: &Rc<Link>) -> Result<Tunnel, FetchError> {
    let identity = identity(url, credentials)?;
    let opened = start(url, &identity, link);
    let (session, channel) = opened.map_err(|error| link.failure().unwrap_or_else(|| unreachable(url, &error)))?;
    let aside = Rc::new(RefCell::new(Aside::default()));
    let (read, write) = channel.split();
    let reader = Reader { link: link.clone(), half: read, chunk: Bytes::new(), ended: false, aside: aside.clone() };
    let writer = Writer { link: link.clone(), half: write };
    let none: Option<(&str, Option<u16>)> = None;
    let connection = Connection::new(reader, writer, Protocol::V2, url.path(), none, ConnectMode::Process, false);
    Ok(Tunnel { connection, aside, session: Box::new(session) })
}

fn unreachable(url: &GitUrl, error: &io::Error) -> FetchError {
    FetchError::Unreachable { url: url.to_string(), why: quote(&error.to_string()) }
}

fn start(url: &GitUrl, identity: &Identity, link: &Link) -> io::Result<(Handle<Doorman>, Channel<Msg>)> {
    let preferred = Preferred { key: Cow::Owned(identity.hosts.algorithms(&Preferred::DEFAULT.key)), ..Preferred::DEFAULT };
    let config = Config { preferred, nodelay: true, ..Config::default() };
    let verdict = Arc::new(Mutex::new(None));
    let doorman = Doorman { keys: identity.hosts.clone(), verdict: verdict.clone() };
    let stream = link.connect(url.host(), url.port())?;
    let connected = link.wait(russh::client::connect_stream(Arc::new(config), stream, doorman))?;
    let mut session = connected.map_err(|error| refused_host(url, link, &verdict, &error))?;
    sign_in(url, identity, link, &mut session)?;
    let broken = |error: russh::Error| link.unreachable(&error);
    let channel = link.wait(session.channel_open_session())?.map_err(broken)?;
    // A server that does not take it answers in the older protocol, which is spoken too.
    link.wait(channel.set_env(false, "GIT_PROTOCOL", "version=2"))?.map_err(broken)?;
    link.wait(channel.exec(false, command(url.path())))?.map_err(broken)?;
    Ok((session, channel))
}

fn sign_in(url: &GitUrl, identity: &Identity, link: &Link, session: &mut Handle<Doorman>) -> io::Result<()> {
    let broken = |error: russh::Error| link.unreachable(&error);
    let hash = if identity.key.algorithm().is_rsa() {
        // A server that does not say which it takes is new enough for SHA-2: OpenSSH has ended SHA-1 in 2021.
        let best = link.wait(session.best_supported_rsa_hash())?.map_err(broken)?;
        best.unwrap_or(Some(russh::keys::HashAlg::Sha256))
    } else {
        None
    };
    let key = PrivateKeyWithHashAlg::new(identity.key.clone(), hash);
    let outcome = link.wait(session.authenticate_publickey(identity.user.clone(), key))?.map_err(broken)?;
    match outcome {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => {
            let why = format!("the key is not accepted for user `{}`; add its public half to the repository's deploy keys", identity.user);
            Err(link.fail(FetchError::Unauthorized { url: url.to_string(), why }))
        }
    }
}

fn refused_host(url: &GitUrl, link: &Link, verdict: &Mutex<Option<Verdict>>, error: &russh::Error) -> io::Error {
    let last = verdict.lock().ok().and_then(|verdict| verdict.clone());
    let host = format!("{}:{}", url.host(), url.port());
    let why = match last {
        Some(Verdict::Changed) => "it is not the one in `known_hosts`; somebody may be in between, or the host has a new key".to_owned(),
        Some(Verdict::Revoked) => "it is marked as revoked in `known_hosts`".to_owned(),
        _ if matches!(error, russh::Error::NoCommonAlgo { .. }) => {
            "it has none of the kinds of key in `known_hosts`; add a line for one it has".to_owned()
        }
        _ => return link.unreachable(error),
    };
    link.fail(FetchError::HostKey { host, why })
}

/// Returns the one command, its argument quoted as Git quotes for a shell. A path relative to the user's home is sent as
/// such, because the services take nothing else.
fn command(path: &str) -> String {
    let path = match path.strip_prefix("/~/") {
        Some(relative) => relative,
        None if path.starts_with("/~") => &path[1..],
        None => path,
    };
    format!("git-upload-pack '{}'", path.replace('\'', "'\\''").replace('!', "'\\!'"))
}

/// What the server's command writes.
pub(crate) struct Reader {
    link: Rc<Link>,
    half: ChannelReadHalf,
    chunk: Bytes,
    ended: bool,
    aside: Rc<RefCell<Aside>>,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() && !self.ended {
            match self.link.wait(self.half.wait())? {
                Some(ChannelMsg::Data { data }) => {
                    self.link.count(data.len())?;
                    self.chunk = data;
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    self.link.count(data.len())?;
                    let mut aside = self.aside.borrow_mut();
                    let room = MAX_STDERR_BYTES.saturating_sub(aside.stderr.len());
                    aside.stderr.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => self.aside.borrow_mut().status = Some(exit_status),
                // The status and the last complaints may come after the end of the data.
                Some(ChannelMsg::Close) | None => self.ended = true,
                Some(_) => {}
            }
        }
        let count = self.chunk.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.chunk[..count]);
        self.chunk.advance(count);
        Ok(count)
    }
}

/// What the server's command reads.
pub(crate) struct Writer {
    link: Rc<Link>,
    half: ChannelWriteHalf<Msg>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.link.wait(self.half.data_bytes(Bytes::copy_from_slice(bytes)))?;
        sent.map_err(|error| self.link.unreachable(&error))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_the_path_for_the_servers_shell() {
        for (path, expect) in [
            ("/srv/a.git", "git-upload-pack '/srv/a.git'"),
            ("/~/team/a.git", "git-upload-pack 'team/a.git'"),
            ("/~ada/a.git", "git-upload-pack '~ada/a.git'"),
            ("/a'; touch b; '", "git-upload-pack '/a'\\''; touch b; '\\'''"),
            ("/$(touch b)`c`", "git-upload-pack '/$(touch b)`c`'"),
            ("/a!b", "git-upload-pack '/a'\\!'b'"),
        ] {
            assert_eq!(command(path), expect);
        }
    }

    #[test]
    fn reads_the_servers_complaints() {
        let failure = |stderr: &str, status| Aside { stderr: stderr.as_bytes().to_vec(), status }.failure("ssh://a/b");
        assert!(matches!(failure("ERROR: Repository not found.\nfatal", Some(1)), Some(FetchError::NotFound { .. })));
        let local = "fatal: '/x' does not appear to be a git repository";
        assert!(matches!(failure(local, Some(128)), Some(FetchError::NotFound { .. })));
        assert!(matches!(failure("ERROR: access denied", Some(1)), Some(FetchError::Forbidden { .. })));
        assert!(matches!(failure("fatal: boom\x1b[31m", Some(128)), Some(FetchError::Protocol { why, .. }) if !why.contains('\x1b')));
        assert_eq!(failure("Welcome!", Some(0)), None);
        assert_eq!(failure("", None), None);
    }
}
