//! Owns a proxy in front of an API server that refuses, breaks off, is slow, answers badly, or lets only so many requests through:
//! `oracle fault-proxy`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::Access;
use crate::child::{Child, NotListening};
use crate::plane::StartError;
use crate::state;
use crate::tools::{Tools, ToolsError};

/// How long an order may take.
const ORDER: Duration = Duration::from_secs(20);

/// Why a proxy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The program cannot be had.
    #[error(transparent)]
    Tools(#[from] ToolsError),
    /// The kubeconfig cannot be written.
    #[error(transparent)]
    Kubeconfig(#[from] StartError),
    /// A file or connection cannot be used.
    #[error("cannot use {what}")]
    Io {
        /// Which.
        what: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The proxy ended, or did not listen in time.
    #[error("the proxy did not start; the end of its log:\n{log}")]
    NotListening {
        /// The end of its log.
        log: String,
    },
    /// The proxy does not understand an order.
    #[error("the proxy did not take an order: {0}")]
    Order(String),
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> ProxyError {
    move |source| ProxyError::Io { what: what.into(), source }
}

/// What happens to some requests. Of several faults the first that matches a request counts.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    methods: Vec<&'static str>,
    path: String,
    times: u32,
    status: u16,
    expired: bool,
    hangup: bool,
    delay_ms: u64,
    truncate: usize,
}

impl Fault {
    /// Returns a fault of requests whose path and query match a regular expression; what happens to them has yet to be said.
    fn of(path: &str) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// Answers requests whose path and query match a regular expression with an HTTP status.
    #[must_use]
    pub fn status(path: &str, status: u16) -> Self {
        Self { status, ..Self::of(path) }
    }

    /// Lets watches begin with the event that says that their version is too old.
    #[must_use]
    pub fn expired(path: &str) -> Self {
        Self { expired: true, ..Self::of(path) }
    }

    /// Closes the connection without an answer.
    #[must_use]
    pub fn hangup(path: &str) -> Self {
        Self { hangup: true, ..Self::of(path) }
    }

    /// Passes requests on only after a time.
    #[must_use]
    pub fn delay(path: &str, by: Duration) -> Self {
        Self { delay_ms: u64::try_from(by.as_millis()).unwrap_or(u64::MAX), ..Self::of(path) }
    }

    /// Breaks answers off after so many bytes.
    #[must_use]
    pub fn truncate(path: &str, after: usize) -> Self {
        Self { truncate: after, ..Self::of(path) }
    }

    /// Makes it one of these methods only.
    #[must_use]
    pub fn methods(self, methods: &[&'static str]) -> Self {
        Self { methods: methods.to_vec(), ..self }
    }

    /// Makes it strike so many times only.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }
}

/// A request that came to the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Request {
    /// When it was answered, milliseconds since 1970.
    pub ms: u64,
    /// `GET`, `PATCH` and so on.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The status of the answer; 0 where there was none.
    pub status: u16,
    /// Whether the proxy itself answered, or did something to the answer.
    pub fault: bool,
}

/// A proxy in front of a plane's API server. Until it is told otherwise it passes everything on.
#[derive(Debug)]
pub struct FaultyProxy {
    _child: Child,
    kubeconfig: PathBuf,
    log: PathBuf,
    control: u16,
}

impl FaultyProxy {
    /// Starts a proxy that keeps its log in `folder`.
    ///
    /// # Errors
    ///
    /// When the program cannot be had or does not listen.
    pub fn start(access: &Access, folder: &Path) -> Result<Self, ProxyError> {
        let program = Tools::locate()?.oracle()?;
        let [port, control] = state::free_ports().map_err(io_error("a port"))?;
        let (log, requests) = (folder.join("proxy.log"), folder.join("proxy-requests.jsonl"));
        File::create(&requests).map_err(io_error(requests.display().to_string()))?;
        let address = |port: u16| format!("{}:{port}", Ipv4Addr::LOCALHOST);
        let mut command = Command::new(program);
        command.args(["fault-proxy", "--listen", &address(port), "--control", &address(control), "--server", &access.server()]);
        command.arg("--authority").arg(access.authority()).arg("--log").arg(&requests);
        command.arg("--certificate").arg(access.pki("server.crt")).arg("--key").arg(access.pki("server.key"));
        let url = format!("https://{}", address(port));
        let child = Child::start_listening(&mut command, &log, &format!("{url}\n")).map_err(|error| match error {
            NotListening::File(source) => ProxyError::Io { what: log.display().to_string(), source },
            NotListening::Silent { log } => ProxyError::NotListening { log },
        })?;
        let kubeconfig = access.kubeconfig_through(&url, &format!("through-{port}"))?;
        Ok(Self { _child: child, kubeconfig, log: requests, control })
    }

    /// Returns the administrator's kubeconfig that goes through the proxy.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Lets these faults strike from now on, and no others; none of them ends all.
    ///
    /// # Errors
    ///
    /// When the proxy has ended, or a path is no regular expression.
    pub fn strike(&self, faults: &[Fault]) -> Result<(), ProxyError> {
        self.order(&json!({"faults": faults}))
    }

    /// Refuses connections from now on and closes those that stand, or takes them again.
    ///
    /// # Errors
    ///
    /// When the proxy has ended.
    pub fn refuse(&self, refuse: bool) -> Result<(), ProxyError> {
        self.order(&json!({"refuse": refuse}))
    }

    /// Closes all connections that stand, watches too.
    ///
    /// # Errors
    ///
    /// When the proxy has ended.
    pub fn drop_connections(&self) -> Result<(), ProxyError> {
        self.order(&json!({"drop": true}))
    }

    /// Lets so many requests through in a second and answers the others with 429; all with 0.
    ///
    /// # Errors
    ///
    /// When the proxy has ended.
    pub fn limit(&self, per_second: u32) -> Result<(), ProxyError> {
        self.order(&json!({"rate": per_second}))
    }

    /// Returns the requests so far.
    ///
    /// # Errors
    ///
    /// When the log cannot be read.
    pub fn requests(&self) -> Result<Vec<Request>, ProxyError> {
        let log = fs::read_to_string(&self.log).map_err(io_error(self.log.display().to_string()))?;
        // The last line may be half written.
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    /// Gives an order and waits until it holds.
    fn order(&self, order: &Value) -> Result<(), ProxyError> {
        let failed = |source| ProxyError::Io { what: "the proxy's control connection".to_owned(), source };
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, self.control)).map_err(failed)?;
        connection.set_read_timeout(Some(ORDER)).map_err(failed)?;
        connection.write_all(format!("{order}\n").as_bytes()).map_err(failed)?;
        let mut answer = String::new();
        BufReader::new(connection).read_line(&mut answer).map_err(failed)?;
        if answer.trim() == "ok" { Ok(()) } else { Err(ProxyError::Order(answer.trim().to_owned())) }
    }
}
