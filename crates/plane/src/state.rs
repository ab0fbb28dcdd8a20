//! Owns the folder that a running plane keeps its files in, and the loopback ports it
//! listens on.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{env, ops};

/// Below the range that systems take the ports of outgoing connections from. A client that
/// keeps trying a port of that range while nobody listens may one day connect to itself,
/// and then the server cannot have its port back.
const PORTS: ops::Range<u16> = 15_000..32_000;
const PREFIX: &str = "plumb-plane-";
const LOCK: &str = "lock";

/// A folder that only its owner may read.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    /// Locked for as long as the plane's process lives.
    lock: File,
    disposable: bool,
}

impl State {
    /// Makes a folder that goes when the plane goes, and removes those whose planes went
    /// without doing so.
    pub(crate) fn temporary() -> io::Result<Self> {
        let parent = env::temp_dir();
        sweep(&parent);
        let path = parent.join(format!("{PREFIX}{}", random()?));
        let lock = Self::make(&path)?;
        Ok(Self { path, lock, disposable: true })
    }

    /// Takes a folder that stays.
    pub(crate) fn kept(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let lock = Self::make(&path)?;
        Ok(Self { path, lock, disposable: false })
    }

    fn make(path: &Path) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        // Locked before it has its name: a sweep that comes by never sees it free.
        let unnamed = path.join("lock.new");
        let file = private().open(&unnamed)?;
        if let Ok(held) = File::open(path.join(LOCK)) {
            held.try_lock().map_err(|_| io::Error::other("another plane runs in this folder"))?;
        }
        file.try_lock().map_err(|_| io::Error::other("another plane starts in this folder"))?;
        fs::rename(&unnamed, path.join(LOCK))?;
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn is_disposable(&self) -> bool {
        self.disposable
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.disposable {
            // What cannot be removed now is swept by a later plane.
            let _ = fs::remove_dir_all(&self.path);
        }
        let _ = self.lock.unlock();
    }
}

/// Removes the folders of planes whose processes are gone.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // Of another user, or being made right now: not ours to remove.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    private().open(path)?.write_all(content.as_ref())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options
}

/// Returns 32 random hexadecimal digits.
pub(crate) fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Returns ports that were free a moment ago; someone else may still take them first.
pub(crate) fn free_ports<const COUNT: usize>() -> io::Result<[u16; COUNT]> {
    let mut bytes = [0; 2];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let length = PORTS.end - PORTS.start;
    let start = u16::from_ne_bytes(bytes) % length;
    let candidates = (0..length).map(|step| PORTS.start + (start + step) % length);
    // Held until all are found, so that they differ.
    let mut held = Vec::with_capacity(COUNT);
    for port in candidates {
        if held.len() == COUNT {
            break;
        }
        held.extend(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(|listener| (port, listener)));
    }
    let ports: Vec<u16> = held.iter().map(|(port, _)| *port).collect();
    ports.try_into().map_err(|_| io::Error::other("no free port on 127.0.0.1"))
}
