//! Owns the Go programs: it builds them from `testplane/` on first use and keeps them
//! outside the clone, so that a second clone or run finds them built.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{env, fmt};

use crate::run::{self, CommandError};

/// How long to wait for another process that builds the same program. A cold build on two
/// busy cores takes a quarter of that.
const BUILD_WAIT: Duration = Duration::from_secs(3600);
/// How many of the last lines of a failed build its error shows.
const SHOWN_LINES: usize = 20;

/// Why a program could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// There is no `go`.
    #[error("`go` is not on the PATH: install Go 1.26 or newer")]
    NoGo,
    /// There is no folder to keep built programs in.
    #[error("no folder to keep built programs in: set `PLUMB_CACHE`, `XDG_CACHE_HOME` or `HOME`")]
    NoCache,
    /// The Go sources are not where they should be.
    #[error("the Go sources are not in {}: set `PLUMB_TESTPLANE` to the clone's `testplane` folder", path.display())]
    NoSources {
        /// Where they were looked for.
        path: PathBuf,
    },
    /// A file of the cache or of the sources could not be used.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process has been building the program for too long.
    #[error("another process has been building `{tool}` for {} minutes; it holds {}", BUILD_WAIT.as_secs() / 60, lock.display())]
    Busy {
        /// The program.
        tool: &'static str,
        /// The file it has locked.
        lock: PathBuf,
    },
    /// Go could not build the program.
    #[error("building `{tool}` failed; the last lines were:\n{output}")]
    Build {
        /// The program.
        tool: &'static str,
        /// The end of what Go wrote.
        output: String,
    },
    /// Go could not be asked something.
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// A step of a build, for people who wait.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The program that is being built.
    pub tool: &'a str,
    /// How many packages have been compiled.
    pub done: usize,
    /// How many packages the program has; those that Go has compiled earlier are never
    /// reported as done. Zero until it is known.
    pub total: usize,
    /// What Go just said.
    pub line: &'a str,
}

/// A program that can be built.
struct Tool {
    name: &'static str,
    /// Below `testplane/`; empty for itself.
    folder: &'static str,
}

const KUBE: Tool = Tool { name: "plane-kube", folder: "" };
const ORACLE: Tool = Tool { name: "oracle", folder: "oracle" };
const REGISTRY: Tool = Tool { name: "registry", folder: "registry" };
const HELM_ORACLE: Tool = Tool { name: "helm-oracle", folder: "helm" };

/// A program of somebody else's, in the version that Plumb is compared with.
struct Peer {
    name: &'static str,
    package: &'static str,
    version: &'static str,
}

const HELM: Peer = Peer { name: "helm", package: "helm.sh/helm/v4/cmd/helm", version: HELM_VERSION };
const KUSTOMIZE: Peer = Peer { name: "kustomize", package: "sigs.k8s.io/kustomize/kustomize/v5", version: KUSTOMIZE_VERSION };

/// The Helm that behaviour and speed are compared with.
pub const HELM_VERSION: &str = "v4.3.1";
/// The Kustomize that behaviour and speed are compared with.
pub const KUSTOMIZE_VERSION: &str = "v5.8.1";

/// The Go programs that the plane and the tests need.
///
/// Clones share what they know, so one value serves a whole process.
#[derive(Clone)]
pub struct Tools {
    sources: PathBuf,
    cache: PathBuf,
    report: Arc<dyn Fn(Progress<'_>) + Send + Sync>,
    built: Arc<Mutex<BTreeMap<&'static str, PathBuf>>>,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools").field("sources", &self.sources).field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Tools {
    /// Finds the sources (`PLUMB_TESTPLANE`, else the clone this crate was compiled in) and
    /// the cache folder (`PLUMB_CACHE`, else `plumb` in `XDG_CACHE_HOME` or `~/.cache`).
    /// Builds nothing.
    ///
    /// # Errors
    ///
    /// When one of them cannot be found.
    pub fn locate() -> Result<Self, ToolsError> {
        let sources =
            env::var_os("PLUMB_TESTPLANE").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testplane"), PathBuf::from);
        if !sources.join("go.mod").is_file() {
            return Err(ToolsError::NoSources { path: sources });
        }
        let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("PLUMB_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("plumb")))
            .or_else(|| set("HOME").map(|folder| folder.join(".cache/plumb")))
            .ok_or(ToolsError::NoCache)?;
        Ok(Self { sources, cache, report: Arc::new(|_| ()), built: Arc::default() })
    }

    /// Returns the same tools, telling `report` about each step of a build.
    #[must_use]
    pub fn with_progress(self, report: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        Self { report: Arc::new(report), ..self }
    }

    /// Returns the same tools, kept in another folder.
    #[must_use]
    pub fn with_cache(self, cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), built: Arc::default(), ..self }
    }

    /// Returns the path of `plane-kube` (etcd, the control plane, kwok and kubectl in one),
    /// building it first if need be: minutes when nothing is cached.
    ///
    /// # Errors
    ///
    /// When Go is missing or the build fails.
    pub fn kube(&self) -> Result<PathBuf, ToolsError> {
        self.tool(&KUBE)
    }

    /// Returns the path of `oracle` (Git over HTTP, certificates, reference answers),
    /// building it first if need be: seconds.
    ///
    /// # Errors
    ///
    /// When Go is missing or the build fails.
    pub fn oracle(&self) -> Result<PathBuf, ToolsError> {
        self.tool(&ORACLE)
    }

    /// Returns the path of `registry` (an OCI registry with a chart repository beside it),
    /// building it first if need be: a minute or two when nothing is cached.
    ///
    /// # Errors
    ///
    /// When Go is missing or the build fails.
    pub fn registry(&self) -> Result<PathBuf, ToolsError> {
        self.tool(&REGISTRY)
    }

    /// Returns the path of `helm-oracle` (Helm's library: reference renders, and how fast),
    /// building it first if need be: a minute.
    ///
    /// # Errors
    ///
    /// When Go is missing or the build fails.
    pub fn helm_oracle(&self) -> Result<PathBuf, ToolsError> {
        self.tool(&HELM_ORACLE)
    }

    /// Returns the path of the real `helm` of [`HELM_VERSION`], installing it first if need
    /// be: a minute.
    ///
    /// # Errors
    ///
    /// When Go is missing or the build fails.
    pub fn helm(&self) -> Result<PathBuf, ToolsError> {
        self.peer(&HELM)
    }

    /// Returns the path of the real `kustomize` of [`KUSTOMIZE_VERSION`], installing it first
    /// if need be: a minute.
    ///
    /// # Errors
    ///
    /// When Go is missing or the build fails.
    pub fn kustomize(&self) -> Result<PathBuf, ToolsError> {
        self.peer(&KUSTOMIZE)
    }

    /// Whether [`Tools::kube`] would answer without building.
    ///
    /// # Errors
    ///
    /// When Go is missing or the sources cannot be read.
    pub fn kube_is_built(&self) -> Result<bool, ToolsError> {
        Ok(self.path(&KUBE)?.is_file())
    }

    fn peer(&self, peer: &Peer) -> Result<PathBuf, ToolsError> {
        let folder = self.cache.join("tools");
        let path = folder.join(format!("{}-{}", peer.name, peer.version));
        if path.is_file() {
            return Ok(path);
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ToolsError::File { path, source }
        };
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let _lock = self.lock(peer.name, folder.join(format!("{}.lock", peer.name)))?;
        if path.is_file() {
            return Ok(path);
        }
        let unfinished = folder.join(format!("{}.unfinished", peer.name));
        let mut install = go(&self.sources);
        install.env("GOBIN", &unfinished).args(["install", &format!("{}@{}", peer.package, peer.version)]);
        self.follow(peer.name, &mut install, |line, _| Some(Progress { tool: peer.name, done: 0, total: 0, line }))?;
        let built = unfinished.join(peer.name);
        fs::rename(&built, &path).map_err(failed(&built))?;
        Ok(path)
    }

    fn tool(&self, tool: &Tool) -> Result<PathBuf, ToolsError> {
        // Held while building: a second thread waits, as a second process would.
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = built.get(tool.name) {
            return Ok(path.clone());
        }
        let path = self.path(tool)?;
        if !path.is_file() {
            self.build_once(tool, &path)?;
        }
        built.insert(tool.name, path.clone());
        Ok(path)
    }

    /// Where a program built from the present sources by the present Go lies.
    fn path(&self, tool: &Tool) -> Result<PathBuf, ToolsError> {
        let folder = self.sources.join(tool.folder);
        let mut key = DefaultHasher::new();
        go_version(&folder)?.hash(&mut key);
        for path in sources(&folder)? {
            path.file_name().hash(&mut key);
            fs::read(&path).map_err(|source| ToolsError::File { path, source })?.hash(&mut key);
        }
        Ok(self.cache.join("tools").join(format!("{}-{:016x}", tool.name, key.finish())))
    }

    fn build_once(&self, tool: &Tool, path: &Path) -> Result<(), ToolsError> {
        let folder = self.cache.join("tools");
        fs::create_dir_all(&folder).map_err(|source| ToolsError::File { path: folder.clone(), source })?;
        // The lock goes when the file is closed, which a killed process does too.
        let _lock = self.lock(tool.name, folder.join(format!("{}.lock", tool.name)))?;
        if path.is_file() {
            return Ok(());
        }
        let unfinished = path.with_extension("unfinished");
        self.build(tool, &unfinished)?;
        fs::rename(&unfinished, path).map_err(|source| ToolsError::File { path: path.to_owned(), source })
    }

    fn lock(&self, tool: &'static str, path: PathBuf) -> Result<File, ToolsError> {
        let failed = |source| ToolsError::File { path: path.clone(), source };
        let file = File::create(&path).map_err(failed)?;
        let deadline = Instant::now() + BUILD_WAIT;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(ToolsError::Busy { tool, lock: path });
                }
                Err(TryLockError::WouldBlock) => {}
            }
            if !told {
                told = true;
                (self.report)(Progress { tool, done: 0, total: 0, line: "another process is building it" });
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn build(&self, tool: &Tool, output: &Path) -> Result<(), ToolsError> {
        let folder = self.sources.join(tool.folder);
        let mut total = 0;
        // Listing also downloads the modules, and says which.
        self.follow(tool.name, go(&folder).args(["list", "-deps", "."]), |line, from_stdout| {
            total += usize::from(from_stdout);
            (!from_stdout).then_some(Progress { tool: tool.name, done: 0, total: 0, line })
        })?;
        let mut done = 0;
        let mut build = go(&folder);
        build.args(["build", "-v", "-trimpath", "-buildvcs=false", "-ldflags"]);
        build.arg(link_flags(&folder)?).arg("-o").arg(output).arg(".");
        self.follow(tool.name, &mut build, |line, _| {
            // A package's name is all it says of a package that compiles.
            done += usize::from(!line.contains(' '));
            Some(Progress { tool: tool.name, done, total, line })
        })
    }

    /// Runs Go to its end, whatever time that takes, and reports its lines as they come.
    fn follow(
        &self,
        tool: &'static str,
        command: &mut Command,
        mut progress: impl for<'l> FnMut(&'l str, bool) -> Option<Progress<'l>>,
    ) -> Result<(), ToolsError> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(no_go)?;
        let (lines, received) = mpsc::channel();
        let readers = [
            child.stdout.take().map(|pipe| read_lines(pipe, true, lines.clone())),
            child.stderr.take().map(|pipe| read_lines(pipe, false, lines)),
        ];
        let mut last = VecDeque::new();
        for (line, from_stdout) in received {
            if let Some(progress) = progress(&line, from_stdout) {
                (self.report)(progress);
            }
            // The names of packages that compiled tell nothing about one that did not.
            if line.contains(' ') {
                last.push_back(line);
            }
            if last.len() > SHOWN_LINES {
                last.pop_front();
            }
        }
        for reader in readers.into_iter().flatten() {
            let _ = reader.join();
        }
        let output = Vec::from(last).join("\n");
        match child.wait() {
            Ok(status) if status.success() => Ok(()),
            _ => Err(ToolsError::Build { tool, output }),
        }
    }
}

fn read_lines(pipe: impl io::Read + Send + 'static, from_stdout: bool, lines: Sender<(String, bool)>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if lines.send((line, from_stdout)).is_err() {
                return;
            }
        }
    })
}

/// Returns the files that a Go module in `folder` is built from, in order.
fn sources(folder: &Path) -> Result<Vec<PathBuf>, ToolsError> {
    let failed = |source| ToolsError::File { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_file() && matches!(extension, Some("go" | "mod" | "sum" | "yaml")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn go(folder: &Path) -> Command {
    let mut command = Command::new("go");
    // Pure Go, so that no C compiler is needed; and no workspace file from further up.
    command.current_dir(folder).env("CGO_ENABLED", "0").env("GOWORK", "off");
    command
}

fn go_version(folder: &Path) -> Result<String, ToolsError> {
    run::run(go(folder).args(["env", "GOVERSION"]), b"", Duration::from_secs(60)).map_err(|error| match error {
        CommandError::Start { source, .. } => no_go(source),
        other => other.into(),
    })
}

fn no_go(source: io::Error) -> ToolsError {
    match source.kind() {
        io::ErrorKind::NotFound => ToolsError::NoGo,
        _ => CommandError::Start { program: "go".to_owned(), source }.into(),
    }
}

/// Returns the linker's flags. A Kubernetes binary learns its version there, and kubectl
/// refuses to talk about one it was not told.
fn link_flags(folder: &Path) -> Result<String, ToolsError> {
    let path = folder.join("go.mod");
    let module = fs::read_to_string(&path).map_err(|source| ToolsError::File { path, source })?;
    let version = module.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"));
    let Some((version, [major, minor])) = version.and_then(|version| {
        let mut numbers = version.split('.');
        Some((version, [numbers.next()?, numbers.next()?]))
    }) else {
        return Ok("-s -w".to_owned());
    };
    let component = "k8s.io/component-base/version";
    Ok(format!(
        "-s -w -X {component}.gitVersion=v{version} -X {component}.gitMajor={major} -X {component}.gitMinor={minor} \
         -X k8s.io/client-go/pkg/version.gitVersion=v{version}"
    ))
}
