//! Owns the socket file: who may use it, who is on the other side, and what to do about a file that a dead process left.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};

use crate::api::{self, Backend, Caller};
use crate::listen::{Accept, Limits, Serving};
use crate::rate::Remote;

/// Longest path that the system takes for a socket.
const MAX_PATH_BYTES: usize = 107;
/// Longest list of users that is read to find a name.
const MAX_USERS_BYTES: u64 = 1 << 20;
const USERS: &str = "/etc/passwd";

/// Why the socket cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Another process listens there.
    #[error("another process listens on `{path}`; end it or name another socket")]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else lies at the path; it is left alone.
    #[error("`{path}` is not a socket; move it away or name another path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The system takes no such path for a socket.
    #[error("`{path}` is too long for a socket: at most {MAX_PATH_BYTES} bytes")]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// The system said no.
    #[error("socket `{path}` cannot be made")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The local API at work.
pub struct Api {
    serving: Serving,
    file: SocketFile,
}

/// The socket file while it is ours, and the lock that says so.
struct SocketFile {
    path: PathBuf,
    inode: u64,
    _lock: File,
}

impl Api {
    /// Serves the local API at a path, for this user and root only. A socket that a dead process left is replaced; one that somebody
    /// listens on, and whatever is not a socket, is left alone.
    pub fn bind(path: &Path, backend: impl Backend) -> Result<Self, SocketError> {
        let (listener, file) = bind(path)?;
        let own = own_user().map_err(|source| SocketError::Io { path: path.to_owned(), source })?;
        let listener = Unix { listener, own };
        Ok(Self { serving: Serving::start(listener, api::routes(Arc::new(backend)), Limits::local(), None), file })
    }

    /// Takes no more connections, waits a moment for the open ones to end, and removes the socket file.
    pub async fn stop(self) {
        let Self { serving, file } = self;
        serving.stop().await;
        drop(file);
    }
}

impl Drop for SocketFile {
    /// Removes the file, if it is still this one.
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            // A file that stays is taken for a dead one by the next process.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// Binds under another name, takes the rights of others away, and only then gives the socket its name.
fn bind(path: &Path) -> Result<(UnixListener, SocketFile), SocketError> {
    let io = |source| SocketError::Io { path: path.to_owned(), source };
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let unnamed = beside(".new");
    if unnamed.as_os_str().len() > MAX_PATH_BYTES {
        return Err(SocketError::TooLong { path: path.to_owned() });
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
    }
    let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(beside(".lock")).map_err(io)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(SocketError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NotASocket { path: path.to_owned() }),
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => return Err(SocketError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    match fs::remove_file(&unnamed) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&unnamed).map_err(io)?;
    fs::set_permissions(&unnamed, Permissions::from_mode(0o600)).map_err(io)?;
    let inode = fs::symlink_metadata(&unnamed).map_err(io)?.ino();
    fs::rename(&unnamed, path).map_err(io)?;
    Ok((listener, SocketFile { path: path.to_owned(), inode, _lock: lock }))
}

/// Returns the user that this process runs as: both ends of a pair are its own.
fn own_user() -> io::Result<u32> {
    let (one, _other) = UnixStream::pair()?;
    Ok(one.peer_cred()?.uid())
}

struct Unix {
    listener: UnixListener,
    own: u32,
}

impl Accept for Unix {
    type Stream = UnixStream;
    type Peer = Caller;

    async fn accept(&self) -> io::Result<(UnixStream, Caller)> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let peer = stream.peer_cred()?;
            // The file's mode lets nobody else in; this holds when somebody widens it.
            if peer.uid() == self.own || peer.uid() == 0 {
                return Ok((stream, Caller { uid: peer.uid(), name: user_name(peer.uid()) }));
            }
            tracing::warn!(uid = peer.uid(), "another user was turned away from the local socket");
        }
    }

    fn remote(_: &Caller) -> Option<Remote> {
        None
    }
}

/// Returns a user's name; `uid:<number>` where the list of users has none.
fn user_name(uid: u32) -> String {
    use std::io::Read;
    let mut users = String::new();
    // A list that cannot be read has no names.
    if let Ok(file) = File::open(USERS) {
        file.take(MAX_USERS_BYTES).read_to_string(&mut users).ok();
    }
    name_in(&users, uid).unwrap_or_else(|| format!("uid:{uid}"))
}

fn name_in(users: &str, uid: u32) -> Option<String> {
    let line = users.lines().find(|line| line.split(':').nth(2).is_some_and(|field| field.parse() == Ok(uid)))?;
    line.split(':').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_of_the_list() {
        let users = "root:x:0:0:root:/root:/bin/sh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(name_in(users, 1000).as_deref(), Some("ada"));
        assert_eq!(name_in(users, 7), None);
        assert_eq!(user_name(u32::MAX - 7), format!("uid:{}", u32::MAX - 7));
    }

    #[tokio::test]
    async fn a_socket_is_private_and_has_one_owner() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("run/plumb.sock");
        let (listener, file) = bind(&path).expect("bind");
        assert_eq!(fs::metadata(&path).expect("socket").permissions().mode() & 0o777, 0o600);
        assert!(matches!(bind(&path), Err(SocketError::InUse { .. })));
        drop((listener, file));
        assert!(!path.exists());

        // A socket that a dead process left, and one that somebody without our lock listens on.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
        let (listener, file) = bind(&path).expect("replaced");
        drop((listener, file));
        let stranger = std::os::unix::net::UnixListener::bind(&path).expect("bind");
        assert!(matches!(bind(&path), Err(SocketError::InUse { .. })));
        drop(stranger);

        fs::remove_file(&path).expect("remove");
        fs::write(&path, "a file").expect("write");
        assert!(matches!(bind(&path), Err(SocketError::NotASocket { .. })));
        assert_eq!(fs::read(&path).expect("read"), b"a file");
        let long = folder.path().join("x".repeat(MAX_PATH_BYTES));
        assert!(matches!(bind(&long), Err(SocketError::TooLong { .. })));
    }

    #[tokio::test]
    async fn a_socket_that_was_replaced_is_not_removed() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("plumb.sock");
        let (listener, file) = bind(&path).expect("bind");
        fs::remove_file(&path).expect("remove");
        let other = std::os::unix::net::UnixListener::bind(&path).expect("bind");
        drop((listener, file));
        assert!(path.exists());
        drop(other);
    }
}
