//! Owns one server process: it ends when asked, when dropped, and when this process dies.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::run::POLL;

/// How long a server that was asked to end may take before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may take until it listens.
const LISTEN: Duration = Duration::from_secs(20);
/// How much of a log's end an error shows.
const SHOWN_BYTES: u64 = 2000;

/// Why a server does not listen.
pub(crate) enum NotListening {
    /// Its log cannot be written, or it cannot be started.
    File(io::Error),
    /// It ended, or did not say in time that it listens.
    Silent {
        /// The end of its log.
        log: String,
    },
}

/// A server that was started here.
///
/// Its stdin is a pipe that this process holds and never writes: the server ends when the
/// pipe does, so it cannot outlive this process. It has a process group of its own. When
/// this process dies that group is orphaned, and the kernel then continues what is stopped
/// in it, so that a paused server ends as well.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    log: PathBuf,
    paused: bool,
}

impl Child {
    /// Starts a server that writes to the end of `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> io::Result<Self> {
        let out = OpenOptions::new().create(true).append(true).mode(0o600).open(log)?;
        let err = out.try_clone()?;
        let process = command.stdin(Stdio::piped()).stdout(out).stderr(err).process_group(0).spawn()?;
        Ok(Self { process, log: log.to_owned(), paused: false })
    }

    /// Starts a server and waits until it tells in its log that it listens. A connection would not prove it: somebody else's server may be the
    /// one that answers.
    pub(crate) fn start_listening(command: &mut Command, log: &Path, told: &str) -> Result<Self, NotListening> {
        // What an earlier one told does not count.
        fs::write(log, "").map_err(NotListening::File)?;
        let mut child = Self::start(command, log).map_err(NotListening::File)?;
        let deadline = Instant::now() + LISTEN;
        while !fs::read_to_string(log).is_ok_and(|log| log.contains(told)) {
            if child.ended() || Instant::now() >= deadline {
                return Err(NotListening::Silent { log: child.log_end() });
            }
            thread::sleep(POLL);
        }
        Ok(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ended(&mut self) -> bool {
        // An error means that there is nothing to wait for any more.
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Stops the process where it stands: it holds its connections and answers nothing.
    pub(crate) fn pause(&mut self) {
        self.signal(Signal::STOP);
        self.paused = true;
    }

    pub(crate) fn resume(&mut self) {
        self.signal(Signal::CONT);
        self.paused = false;
    }

    /// Asks the process to end, and kills it when it takes too long.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        if self.paused {
            self.resume();
        }
        let deadline = Instant::now() + PATIENCE;
        while !self.ended() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }

    /// Returns the end of what the process logged.
    pub(crate) fn log_end(&self) -> String {
        log_end(&self.log)
    }

    fn signal(&self, signal: Signal) {
        send(&self.process, signal);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended() {
            // Both fail only for a process that has ended meanwhile.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

/// Asks a process that was started here to end (SIGTERM), without a program for it: a small system has no `kill`.
pub fn ask_to_end(process: &std::process::Child) {
    send(process, Signal::TERM);
}

fn send(process: &std::process::Child, signal: Signal) {
    // The process has not been waited for, so its id is still its own; one that has ended meanwhile needs no signal.
    let _ = kill_process(Pid::from_child(process), signal);
}

/// Returns the end of a log; empty when there is none.
fn log_end(path: &Path) -> String {
    let read = || {
        let mut file = fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(SHOWN_BYTES)))?;
        let mut end = Vec::new();
        file.read_to_end(&mut end)?;
        io::Result::Ok(String::from_utf8_lossy(&end).trim().to_owned())
    };
    read().unwrap_or_default()
}
