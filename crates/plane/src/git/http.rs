//! Owns a Git server over HTTP: `git http-backend` behind `oracle git-http`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::{GitError, Remote, bare, create_bare, start_listening};
use crate::child::Child;
use crate::state;
use crate::tools::Tools;

/// How a server shall be.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// Ask for this user and password.
    pub basic: Option<(String, String)>,
    /// Ask for this bearer token; as any user's password it is taken too. With `basic`,
    /// either opens.
    pub token: Option<String>,
    /// Serve HTTPS with an authority of its own, [`HttpServer::authority`].
    pub tls: bool,
    /// Tell this receiver about each push.
    pub notify: Option<Notify>,
}

/// Who is told about pushes, with GitHub's push event.
#[derive(Debug, Clone)]
pub struct Notify {
    /// Where to post the event.
    pub url: String,
    /// What to sign it with (`X-Hub-Signature-256`).
    pub secret: String,
}

/// A request that a server answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GitRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The URL's path.
    pub path: String,
    /// The repository, as `team/shop.git`; empty when the request was refused.
    pub repository: String,
    /// `upload-pack` (reading), `receive-pack` (writing), or empty.
    pub service: String,
    /// `refs` (the first request of any conversation), `ls-refs`, `fetch` (objects were
    /// asked for), `push`, or empty.
    pub command: String,
    /// The `Git-Protocol` header, as `version=2`.
    pub protocol: String,
    /// Who asked; `anonymous` when the server asks nobody, `token` for a bearer token.
    pub user: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// A Git server over HTTP on loopback.
#[derive(Debug)]
pub struct HttpServer {
    child: Option<Child>,
    program: PathBuf,
    root: PathBuf,
    port: u16,
    options: HttpOptions,
}

impl HttpServer {
    /// Serves the bare repositories in `root`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// When the program cannot be had or does not listen.
    pub fn start(root: &Path, options: HttpOptions) -> Result<Self, GitError> {
        Self::start_with(&Tools::locate()?, root, options)
    }

    /// Serves as [`HttpServer::start`] does, from `tools`.
    ///
    /// # Errors
    ///
    /// As [`HttpServer::start`].
    pub fn start_with(tools: &Tools, root: &Path, options: HttpOptions) -> Result<Self, GitError> {
        let program = tools.oracle()?;
        let root = std::path::absolute(root).map_err(GitError::file(root))?;
        let own = own_folder(&root);
        fs::create_dir_all(&own).map_err(GitError::file(&own))?;
        let [port] = state::free_ports().map_err(GitError::file(&root))?;
        let mut server = Self { child: None, program, root, port, options };
        server.start_again()?;
        Ok(server)
    }

    /// Makes an empty repository, unless it is there, and returns where it is.
    ///
    /// # Errors
    ///
    /// When Git cannot make it.
    pub fn create(&self, name: &str) -> Result<Remote, GitError> {
        create_bare(&self.root, &bare(name))?;
        Ok(self.remote(name))
    }

    /// Returns a repository's URL, without credentials.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("{}://127.0.0.1:{}/{}", self.scheme(), self.port, bare(name))
    }

    /// Returns where a repository is, with the credentials that open it.
    #[must_use]
    pub fn remote(&self, name: &str) -> Remote {
        let token = || self.options.token.as_ref().map(|token| ("git".to_owned(), token.clone()));
        let url = match self.options.basic.clone().or_else(token) {
            Some((user, password)) => {
                format!("{}://{user}:{password}@127.0.0.1:{}/{}", self.scheme(), self.port, bare(name))
            }
            None => self.url(name),
        };
        let trusted = self.authority().map(|path| ("GIT_SSL_CAINFO".to_owned(), path.display().to_string()));
        Remote { url, environment: trusted.into_iter().collect() }
    }

    /// Returns the folder of a bare repository.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(bare(name))
    }

    /// Returns the PEM file of the authority that signed the server's certificate.
    #[must_use]
    pub fn authority(&self) -> Option<PathBuf> {
        self.options.tls.then(|| own_folder(&self.root).join("tls/ca.crt"))
    }

    /// Returns the requests answered since the start, or since they were last forgotten.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn requests(&self) -> Result<Vec<GitRequest>, GitError> {
        let path = self.request_log();
        let log = fs::read_to_string(&path).map_err(GitError::file(&path))?;
        // The last line may be half written.
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Forgets the requests so far.
    ///
    /// # Errors
    ///
    /// When the log cannot be emptied.
    pub fn forget_requests(&self) -> Result<(), GitError> {
        let path = self.request_log();
        File::create(&path).map(drop).map_err(GitError::file(&path))
    }

    /// Ends the server at once; connections to its port are refused from now on.
    pub fn stop(&mut self) {
        self.child = None;
    }

    /// Starts a stopped server again on the same port.
    ///
    /// # Errors
    ///
    /// As [`HttpServer::start`].
    pub fn start_again(&mut self) -> Result<(), GitError> {
        if self.child.is_none() {
            self.child = Some(self.spawn()?);
        }
        Ok(())
    }

    /// Starts the server again with other options on the same port, as when a right is
    /// revoked.
    ///
    /// # Errors
    ///
    /// As [`HttpServer::start`].
    pub fn reconfigure(&mut self, options: HttpOptions) -> Result<(), GitError> {
        self.stop();
        self.options = options;
        self.start_again()
    }

    /// Stops the server where it stands: it takes connections and answers nothing.
    pub fn pause(&mut self) {
        if let Some(child) = &mut self.child {
            child.pause();
        }
    }

    /// Lets a paused server go on.
    pub fn resume(&mut self) {
        if let Some(child) = &mut self.child {
            child.resume();
        }
    }

    fn spawn(&self) -> Result<Child, GitError> {
        let own = own_folder(&self.root);
        let mut command = Command::new(&self.program);
        command.arg("git-http").arg("--root").arg(&self.root).arg("--log").arg(self.request_log());
        command.arg(format!("--listen=127.0.0.1:{}", self.port));
        if let Some((user, password)) = &self.options.basic {
            command.args(["--user", user, "--password", password]);
        }
        if let Some(token) = &self.options.token {
            command.args(["--token", token]);
        }
        if self.options.tls {
            command.arg("--tls").arg(own.join("tls"));
        }
        if let Some(notify) = &self.options.notify {
            command.args(["--notify", &notify.url, "--hmac-secret", &notify.secret]);
        }
        let log = own.join("server.log");
        let told = format!("{}://127.0.0.1:{}\n", self.scheme(), self.port);
        start_listening(&mut command, &log, &told)
    }

    fn scheme(&self) -> &'static str {
        if self.options.tls { "https" } else { "http" }
    }

    fn request_log(&self) -> PathBuf {
        own_folder(&self.root).join("requests.jsonl")
    }
}

/// Where the server keeps what is not a repository.
fn own_folder(root: &Path) -> PathBuf {
    root.join(".server")
}
