//! Owns a control plane: starting, breaking and ending its five processes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fmt, fs, io, thread};

use crate::access::{Access, Record};
use crate::child::Child;
use crate::run::{self, CommandError, POLL};
use crate::state::{self, State, write_private};
use crate::tools::{Tools, ToolsError};

/// How long a plane may take to become usable. A quiet machine needs three seconds.
const START: Duration = Duration::from_secs(120);
/// How often a plane is started again because someone else took one of its ports.
const PORT_ATTEMPTS: usize = 4;

/// Why a plane cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The programs cannot be had.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// A file of the plane's state cannot be used.
    #[error("cannot use the plane's {}", path.display())]
    State {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A helper program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A part ended while the plane started.
    #[error("{part} ended while the plane started; the end of its log:\n{log}")]
    Ended {
        /// Which part.
        part: Part,
        /// The end of its log.
        log: String,
    },
    /// The plane did not become usable.
    #[error("the plane did not become usable: {reason}; its logs are in {}", logs.display())]
    NotReady {
        /// What was still missing.
        reason: String,
        /// The folder with the logs, gone when the plane is.
        logs: PathBuf,
    },
}

/// A process of the plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The database.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers of Deployments, Jobs, namespaces and the rest.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// The nodes.
    Kwok,
}

impl Part {
    const ALL: [Self; 5] = [Self::Etcd, Self::ApiServer, Self::ControllerManager, Self::Scheduler, Self::Kwok];

    fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

/// How a plane shall be.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the context in its kubeconfigs.
    pub context: String,
    /// How many nodes it has.
    pub nodes: u32,
    /// Whether the API server logs each request, for [`Access::audit`].
    pub audit: bool,
    /// Whether the API server calls admission webhooks. Without, their configurations are objects like any other: for manifests whose
    /// webhooks nothing would answer here.
    pub webhooks: bool,
    /// Whether etcd waits for the disk, so that the state survives a crash of the machine.
    pub fsync: bool,
    /// The folder of its state, which then stays: a plane started on it later has the same
    /// objects, ports and credentials. None: a temporary folder that goes with the plane.
    pub state: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { context: "plane".to_owned(), nodes: 1, audit: false, webhooks: true, fsync: false, state: None }
    }
}

/// A Kubernetes control plane on loopback.
///
/// Its processes end when it is dropped, and also when this process dies, however it dies.
/// Everything that only uses a plane is in [`Access`], which a plane dereferences to.
#[derive(Debug)]
pub struct Plane {
    // Before the state: its folder goes last.
    parts: BTreeMap<Part, Child>,
    access: Access,
    record: Record,
    options: Options,
    state: State,
}

impl Deref for Plane {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl Plane {
    /// Starts a plane and waits until a first namespace can be used: the API server is
    /// ready, the nodes are Ready, the default ServiceAccount exists.
    ///
    /// # Errors
    ///
    /// When the tools cannot be had or the plane is not usable within two minutes.
    pub fn start(options: Options) -> Result<Self, StartError> {
        Self::start_with(&Tools::locate()?, options)
    }

    /// Starts a plane as [`Plane::start`] does, from `tools`.
    ///
    /// # Errors
    ///
    /// As [`Plane::start`].
    pub fn start_with(tools: &Tools, options: Options) -> Result<Self, StartError> {
        let mut attempt = 1;
        loop {
            match Self::attempt(tools, &options) {
                Err(StartError::Ended { log, .. }) if attempt < PORT_ATTEMPTS && log.contains("address already in use") => attempt += 1,
                result => return result,
            }
        }
    }

    /// Returns the plane that the tests of this process share: the one whose folder
    /// `PLUMB_PLANE` names, else one that is started now and ends with this process.
    ///
    /// # Errors
    ///
    /// As [`Plane::start`]; the first error stays.
    pub fn shared() -> Result<&'static Access, &'static StartError> {
        enum Shared {
            Own(Plane),
            Other(Access),
        }
        static SHARED: OnceLock<Result<Shared, StartError>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| match env::var_os("PLUMB_PLANE") {
            Some(directory) => Access::open(directory).map(Shared::Other),
            None => Self::start(Options::default()).map(Shared::Own),
        });
        shared.as_ref().map(|shared| match shared {
            Shared::Own(plane) => &plane.access,
            Shared::Other(access) => access,
        })
    }

    /// Starts a part that does not run. Waits until the API server is ready, if it is that.
    ///
    /// # Errors
    ///
    /// When the part cannot be started, or ends at once.
    pub fn start_part(&mut self, part: Part) -> Result<(), StartError> {
        if self.parts.get_mut(&part).is_none_or(Child::ended) {
            let log = self.access.directory().join(format!("{part}.log"));
            let child = Child::start(&mut self.command(part), &log).map_err(|source| StartError::State { path: log, source })?;
            self.parts.insert(part, child);
        }
        if part == Part::ApiServer { self.ready(0) } else { Ok(()) }
    }

    /// Asks a part to end, waits until it has, and kills it after ten seconds.
    pub fn stop_part(&mut self, part: Part) {
        if let Some(child) = self.parts.remove(&part) {
            child.stop();
        }
    }

    /// Ends a part at once, as a crash would.
    pub fn kill_part(&mut self, part: Part) {
        self.parts.remove(&part);
    }

    /// Stops a part where it stands: connections stay open and nothing is answered.
    pub fn pause_part(&mut self, part: Part) {
        if let Some(child) = self.parts.get_mut(&part) {
            child.pause();
        }
    }

    /// Lets a paused part go on.
    pub fn resume_part(&mut self, part: Part) {
        if let Some(child) = self.parts.get_mut(&part) {
            child.resume();
        }
    }

    /// Ends all parts and starts them again on the same state, ports and credentials.
    ///
    /// # Errors
    ///
    /// As [`Plane::start`].
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.end();
        self.bring_up()
    }

    /// Returns the ids of the running parts' processes.
    #[must_use]
    pub fn process_ids(&self) -> BTreeMap<Part, u32> {
        self.parts.iter().map(|(part, child)| (*part, child.id())).collect()
    }

    fn attempt(tools: &Tools, options: &Options) -> Result<Self, StartError> {
        let state = match &options.state {
            Some(path) => State::kept(path).map_err(|source| StartError::State { path: path.clone(), source })?,
            None => State::temporary().map_err(|source| StartError::State { path: env::temp_dir(), source })?,
        };
        let directory = state.path().to_owned();
        let failed = |source| StartError::State { path: directory.clone(), source };
        let new = !Record::exists(&directory);
        let record = if new { new_record(options).map_err(failed)? } else { Record::read(&directory).map_err(failed)? };
        let access = Access::new(tools, directory.clone(), record.clone())?;
        let mut plane = Self { parts: BTreeMap::new(), access, record, options: options.clone(), state };
        if new {
            plane.prepare()?;
        }
        plane.bring_up()?;
        Ok(plane)
    }

    /// Writes what a plane keeps for its life: certificates, tokens, kubeconfigs. The
    /// record comes last and says that the rest is there.
    fn prepare(&self) -> Result<(), StartError> {
        let directory = self.access.directory();
        let write = |name: &str, content: String| {
            let path = directory.join(name);
            write_private(&path, content).map_err(|source| StartError::State { path, source })
        };
        let pki = directory.join("pki");
        if !pki.is_dir() {
            fs::create_dir(&pki).map_err(|source| StartError::State { path: pki.clone(), source })?;
        }
        run::run(Command::new(self.access.oracle()).arg("pki").arg("--dir").arg(&pki), b"", START)?;
        write("tokens.csv", format!("{},plane-admin,plane-admin,system:masters\n", self.record.token))?;
        write("audit-policy.json", AUDIT_POLICY.to_owned())?;
        write("stages.yaml", run::run(Command::new(self.access.kube()).arg("kwok-stages"), b"", START)?)?;
        self.access.write_admin_kubeconfig()?;
        self.access.kubeconfig_for("system:kube-controller-manager", &[])?;
        self.access.kubeconfig_for("system:kube-scheduler", &[])?;
        self.access.kubeconfig_for("kwok", &["system:masters"])?;
        self.record.write(directory).map_err(|source| StartError::State { path: directory.to_owned(), source })
    }

    fn bring_up(&mut self) -> Result<(), StartError> {
        for part in Part::ALL {
            self.start_part(part)?;
        }
        self.ready(self.options.nodes)
    }

    /// Waits until the plane can be used, or one of its parts has ended.
    fn ready(&mut self, nodes: u32) -> Result<(), StartError> {
        let mut asked = Command::new(self.access.kube());
        asked.args(["ready", "--nodes", &nodes.to_string(), "--timeout", &format!("{}s", START.as_secs())]);
        asked.arg("--kubeconfig").arg(self.access.kubeconfig());
        let log = self.access.directory().join("ready.log");
        let failed = |source| StartError::State { path: log.clone(), source };
        let out = fs::File::create(&log).map_err(failed)?;
        let mut asking = asked.stdin(Stdio::null()).stderr(out).spawn().map_err(failed)?;
        loop {
            // It gives up by itself when the time is up.
            if let Some(status) = asking.try_wait().map_err(failed)? {
                let reason = fs::read_to_string(&log).unwrap_or_default().trim().to_owned();
                let logs = self.access.directory().to_owned();
                return if status.success() { Ok(()) } else { Err(StartError::NotReady { reason, logs }) };
            }
            if let Some((part, child)) = self.parts.iter_mut().find_map(|(part, child)| child.ended().then_some((*part, child))) {
                let log = child.log_end();
                // Both fail only for a process that has ended meanwhile.
                let _ = asking.kill();
                let _ = asking.wait();
                return Err(StartError::Ended { part, log });
            }
            thread::sleep(POLL);
        }
    }

    fn command(&self, part: Part) -> Command {
        let mut command = Command::new(self.access.kube());
        // Nothing of the machine's: no proxy, no kubeconfig, no configuration of kwok.
        command.env_clear().env("HOME", self.access.directory()).current_dir(self.access.directory());
        command.arg(part.program()).args(match part {
            Part::Etcd => self.etcd(),
            Part::ApiServer => self.api_server(),
            Part::ControllerManager => self.controller_manager(),
            Part::Scheduler => client("system_kube-scheduler"),
            Part::Kwok => flags(&["--kubeconfig=kwok.kubeconfig", "--config=stages.yaml", "--manage-all-nodes=true", NODE_LEASE]),
        });
        command
    }

    fn etcd(&self) -> Vec<OsString> {
        let mut flags = flags(&["--data-dir=etcd"]);
        flags.push(format!("--client-url=http://127.0.0.1:{}", self.record.etcd_port).into());
        flags.push(format!("--peer-url=http://127.0.0.1:{}", self.record.etcd_peer_port).into());
        if self.options.fsync {
            flags.push("--fsync".into());
        }
        if self.state.is_disposable() {
            flags.push("--discard".into());
            flags.push(self.state.path().into());
        }
        flags
    }

    fn api_server(&self) -> Vec<OsString> {
        let mut flags = flags(API_SERVER);
        flags.push(format!("--secure-port={}", self.record.api_port).into());
        flags.push(format!("--etcd-servers=http://127.0.0.1:{}", self.record.etcd_port).into());
        if self.options.audit {
            flags.push("--audit-policy-file=audit-policy.json".into());
            flags.push("--audit-log-path=audit.jsonl".into());
        }
        if !self.options.webhooks {
            flags.push("--disable-admission-plugins=MutatingAdmissionWebhook,ValidatingAdmissionWebhook".into());
        }
        flags
    }

    fn controller_manager(&self) -> Vec<OsString> {
        let mut all = client("system_kube-controller-manager");
        all.extend(flags(CONTROLLER_MANAGER));
        all
    }

    fn end(&mut self) {
        // The database last, so that nobody waits for it in vain. A state that goes anyway
        // needs no orderly end.
        while let Some((_, child)) = self.parts.pop_last() {
            if !self.state.is_disposable() {
                child.stop();
            }
        }
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.end();
    }
}

fn new_record(options: &Options) -> io::Result<Record> {
    let [api_port, etcd_port, etcd_peer_port] = state::free_ports()?;
    Ok(Record { context: options.context.clone(), token: state::random()?, api_port, etcd_port, etcd_peer_port })
}

fn flags(flags: &[&str]) -> Vec<OsString> {
    flags.iter().map(OsString::from).collect()
}

/// The flags of a part that is a client of the API server and serves nobody itself.
fn client(name: &str) -> Vec<OsString> {
    let mut all: Vec<OsString> = ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"]
        .iter()
        .map(|flag| format!("{flag}={name}.kubeconfig").into())
        .collect();
    // Left at their defaults, the client's own limits are slower than the server.
    all.extend(flags(&["--leader-elect=false", "--secure-port=0", "--kube-api-qps=2000", "--kube-api-burst=4000"]));
    all
}

/// Without it a node stops being Ready after a minute, and its pods for good.
const NODE_LEASE: &str = "--node-lease-duration-seconds=40";

const AUDIT_POLICY: &str =
    r#"{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata"}]}"#;

const API_SERVER: &[&str] = &[
    "--bind-address=127.0.0.1",
    "--allow-privileged=true",
    "--advertise-address=127.0.0.1",
    // A loopback address is no endpoint that pods could use.
    "--endpoint-reconciler-type=none",
    // Else a server that was asked to end waits for its watchers to leave first.
    "--shutdown-watch-termination-grace-period=1s",
    "--cert-dir=pki",
    "--tls-cert-file=pki/server.crt",
    "--tls-private-key-file=pki/server.key",
    "--client-ca-file=pki/ca.crt",
    "--token-auth-file=tokens.csv",
    "--authorization-mode=Node,RBAC",
    "--service-cluster-ip-range=10.96.0.0/16",
    "--service-account-issuer=https://kubernetes.default.svc",
    "--service-account-key-file=pki/sa.pub",
    "--service-account-signing-key-file=pki/sa.key",
    // Without these the controller manager and the scheduler log errors for ever.
    "--requestheader-client-ca-file=pki/front-proxy-ca.crt",
    "--requestheader-allowed-names=front-proxy",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--proxy-client-cert-file=pki/front-proxy.crt",
    "--proxy-client-key-file=pki/front-proxy.key",
];

const CONTROLLER_MANAGER: &[&str] = &[
    "--use-service-account-credentials",
    "--service-account-private-key-file=pki/sa.key",
    "--root-ca-file=pki/ca.crt",
    "--cluster-signing-cert-file=pki/ca.crt",
    "--cluster-signing-key-file=pki/ca.key",
    "--concurrent-deployment-syncs=20",
    "--concurrent-replicaset-syncs=20",
];

/// Returns whether a process with this id is there, for tests of what is left behind.
#[must_use]
pub fn process_exists(id: u32) -> bool {
    Path::new("/proc").join(id.to_string()).exists()
}
