//! Owns a real OCI registry and a chart repository beside it, on loopback: `testplane/registry`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;

use crate::child::{Child, NotListening};
use crate::run::{self, CommandError};
use crate::state;
use crate::tools::{Tools, ToolsError};

/// How long bringing one chart in may take.
const PUSH: Duration = Duration::from_secs(60);

/// Why something with the registry did not work.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Its program cannot be had.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// A chart could not be brought in.
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
    /// It ended, or did not listen in time.
    #[error("the registry did not start; the end of its log:\n{log}")]
    NotListening {
        /// The end of its log.
        log: String,
    },
}

impl RegistryError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}

/// How a registry shall be.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// Ask for this user and password.
    pub basic: Option<(String, String)>,
    /// Have the registry ask for signed tokens, which its token service gives: to that user, or to anybody.
    pub token: bool,
}

/// A request that was answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RegistryRequest {
    /// `GET`, `HEAD` or what uploads need.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// `basic`, `bearer`, or nothing.
    pub credentials: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// What to bring into a registry.
#[derive(Debug, Clone)]
pub struct Push<'a> {
    /// The repository: `charts/redis`.
    pub name: &'a str,
    /// The tag, with `_` for `+`.
    pub tag: &'a str,
    /// The chart's archive.
    pub archive: &'a [u8],
    /// The archive's media type, where it is not that of charts.
    pub layer_type: Option<&'a str>,
}

/// Packs files as an archive of a chart, in the order given: the chart's own folder is part of each name.
#[must_use]
pub fn pack(files: &[(&str, &str)]) -> Vec<u8> {
    /// What a tape was written in, and archives still are.
    const BLOCK: usize = 512;
    let mut all = Vec::new();
    for (name, content) in files {
        let mut header = [0_u8; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        all.extend_from_slice(&header);
        all.extend_from_slice(content.as_bytes());
        all.resize(all.len().div_ceil(BLOCK) * BLOCK, 0);
    }
    all.resize(all.len() + 2 * BLOCK, 0);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = packed.write_all(&all);
    packed.finish().unwrap_or_default()
}

/// A registry on loopback, with a folder that is served as a chart repository below `/charts/`.
#[derive(Debug)]
pub struct Registry {
    child: Option<Child>,
    program: PathBuf,
    root: PathBuf,
    port: u16,
    options: RegistryOptions,
}

impl Registry {
    /// Serves what is in `root`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// When the program cannot be had or does not listen.
    pub fn start(root: &Path, options: RegistryOptions) -> Result<Self, RegistryError> {
        let program = Tools::locate()?.registry()?;
        let charts = root.join("charts");
        fs::create_dir_all(&charts).map_err(RegistryError::file(&charts))?;
        let [port] = state::free_ports().map_err(RegistryError::file(root))?;
        let mut registry = Self { child: None, program, root: root.to_owned(), port, options };
        registry.start_again()?;
        Ok(registry)
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the URL of the chart repository.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("http://{}/charts", self.host())
    }

    /// Returns the folder that is served as a chart repository: `index.yaml` goes there, and archives.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.root.join("charts")
    }

    /// Brings a chart in as `helm push` does, and returns its manifest's digest.
    ///
    /// # Errors
    ///
    /// When the registry does not take it.
    pub fn push(&self, push: &Push<'_>) -> Result<String, RegistryError> {
        let file = self.root.join(format!("push-{}.tgz", push.tag));
        fs::write(&file, push.archive).map_err(RegistryError::file(&file))?;
        let mut command = Command::new(&self.program);
        command.args(["push", "--to", &format!("http://{}", self.host()), "--name", push.name, "--tag", push.tag]);
        if let Some((user, password)) = &self.options.basic {
            command.args(["--user", user, "--password", password]);
        }
        if self.options.token {
            command.arg("--token");
        }
        if let Some(layer_type) = push.layer_type {
            command.args(["--layer-type", layer_type]);
        }
        let digest = run::run(command.arg(&file), b"", PUSH)?;
        Ok(digest.trim().to_owned())
    }

    /// Returns the requests answered since the start, or since they were last forgotten.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn requests(&self) -> Result<Vec<RegistryRequest>, RegistryError> {
        let path = self.request_log();
        let log = fs::read_to_string(&path).map_err(RegistryError::file(&path))?;
        // The last line may be half written.
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Forgets the requests so far.
    ///
    /// # Errors
    ///
    /// When the log cannot be emptied.
    pub fn forget_requests(&self) -> Result<(), RegistryError> {
        let path = self.request_log();
        File::create(&path).map(drop).map_err(RegistryError::file(&path))
    }

    /// Ends the registry at once; connections to its port are refused from now on.
    pub fn stop(&mut self) {
        self.child = None;
    }

    /// Starts a stopped registry again on the same port.
    ///
    /// # Errors
    ///
    /// As [`Registry::start`].
    pub fn start_again(&mut self) -> Result<(), RegistryError> {
        if self.child.is_none() {
            self.child = Some(self.spawn()?);
        }
        Ok(())
    }

    fn spawn(&self) -> Result<Child, RegistryError> {
        let mut command = Command::new(&self.program);
        command.arg("--root").arg(&self.root).arg("--log").arg(self.request_log());
        command.arg(format!("--listen={}", self.host()));
        if let Some((user, password)) = &self.options.basic {
            command.args(["--user", user, "--password", password]);
        }
        if self.options.token {
            command.arg("--token");
        }
        let log = self.root.join("registry.log");
        let told = format!("http://{}\n", self.host());
        Child::start_listening(&mut command, &log, &told).map_err(|error| match error {
            NotListening::File(source) => RegistryError::File { path: log.clone(), source },
            NotListening::Silent { log } => RegistryError::NotListening { log },
        })
    }

    fn request_log(&self) -> PathBuf {
        self.root.join("requests.jsonl")
    }
}
