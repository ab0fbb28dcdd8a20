//! Owns real Git for tests: servers over HTTP and SSH, and working copies to commit in.
//!
//! All of it runs the `git` program with nothing of the machine's configuration.
//!
//! ```no_run
//! use plumb_plane::git::{HttpOptions, HttpServer, Repo};
//!
//! let folder = std::env::temp_dir().join("git-example");
//! let server = HttpServer::start(&folder.join("served"), HttpOptions::default())?;
//! let repo = Repo::create(&folder.join("work"), &server.create("team/shop")?)?;
//! repo.write("deploy/web.yaml", "kind: Deployment\n")?;
//! repo.commit("Add web")?;
//! repo.push()?;
//! # Ok::<(), plumb_plane::git::GitError>(())
//! ```

mod http;
mod repo;
mod ssh;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, io};

pub use http::{GitRequest, HttpOptions, HttpServer, Notify};
pub use repo::Repo;
pub use ssh::SshServer;

use crate::child::{Child, NotListening};
use crate::run::{self, CommandError};
use crate::tools::ToolsError;

/// How long one command of Git may take.
const GIT: Duration = Duration::from_secs(120);
/// The branch that repositories start with.
pub const BRANCH: &str = "main";

/// Why something with Git did not work.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The server's program cannot be had.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A file could not be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no SSH server to start.
    #[error("`sshd` is not installed: `apt-get install openssh-server`")]
    NoSshd,
    /// A server ended, or did not listen in time.
    #[error("the Git server did not start; the end of its log:\n{log}")]
    NotListening {
        /// The end of its log.
        log: String,
    },
}

impl GitError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// A repository somewhere, and the environment that `git` needs to reach it.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its URL, with the credentials in it if there are any.
    pub url: String,
    /// What to set for `git`: an authority to trust, or a key to use.
    pub environment: Vec<(String, String)>,
}

impl Remote {
    /// Returns the remote of a repository on this machine.
    #[must_use]
    pub fn file(path: &Path) -> Self {
        Self { url: format!("file://{}", path.display()), environment: Vec::new() }
    }
}

/// Makes an empty bare repository, unless there is one.
fn create_bare(root: &Path, name: &str) -> Result<(), GitError> {
    let path = root.join(name);
    if !path.join("HEAD").is_file() {
        let branch = format!("--initial-branch={BRANCH}");
        run::run(git().args(["init", "--quiet", "--bare", &branch]).arg(path), b"", GIT)?;
    }
    Ok(())
}

/// Starts a server and waits until it tells that it listens.
fn start_listening(command: &mut Command, log: &Path, told: &str) -> Result<Child, GitError> {
    Child::start_listening(command, log, told).map_err(|error| match error {
        NotListening::File(source) => GitError::File { path: log.to_owned(), source },
        NotListening::Silent { log } => GitError::NotListening { log },
    })
}

/// Returns `name` as a bare repository's folder is called.
fn bare(name: &str) -> String {
    if name.ends_with(".git") { name.to_owned() } else { format!("{name}.git") }
}

/// Returns a `git` that knows nothing of this machine and its user.
fn git() -> Command {
    let mut command = Command::new("git");
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    command.envs([
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Ada Author"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_NAME", "Ada Author"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ("LC_ALL", "C"),
        // Its own process would outlive the command, and the folder.
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "gc.auto"),
        ("GIT_CONFIG_VALUE_0", "0"),
    ]);
    command
}
