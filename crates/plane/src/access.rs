//! Owns the way into a running plane: kubectl, kubeconfigs for users, namespaces. It
//! starts and ends nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use std::{env, fs, io, process};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plane::StartError;
use crate::run::{self, CommandError};
use crate::state::write_private;
use crate::tools::Tools;

/// How long a call of kubectl may take.
const KUBECTL: Duration = Duration::from_secs(60);
const CERTIFICATE: Duration = Duration::from_secs(20);
/// The name of the file that describes a plane in its folder.
const RECORD: &str = "plane.json";

/// What a folder must remember of its plane for others to use it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The name of the kubeconfigs' context.
    pub(crate) context: String,
    pub(crate) token: String,
    pub(crate) api_port: u16,
    pub(crate) etcd_port: u16,
    pub(crate) etcd_peer_port: u16,
}

impl Record {
    pub(crate) fn exists(directory: &Path) -> bool {
        directory.join(RECORD).is_file()
    }

    pub(crate) fn read(directory: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(directory.join(RECORD))?)?)
    }

    pub(crate) fn write(&self, directory: &Path) -> io::Result<()> {
        write_private(&directory.join(RECORD), serde_json::to_vec_pretty(self)?)
    }
}

/// The way into a running plane, its own or another process's.
#[derive(Debug)]
pub struct Access {
    directory: PathBuf,
    record: Record,
    kube: PathBuf,
    oracle: PathBuf,
    kubeconfig: PathBuf,
}

impl Access {
    /// Opens the plane whose state lies in `directory`, which another process runs.
    ///
    /// # Errors
    ///
    /// When there is no plane's state, or the tools cannot be had.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StartError> {
        let directory = directory.into();
        let record = Record::read(&directory).map_err(|source| StartError::State { path: directory.clone(), source })?;
        Self::new(&Tools::locate()?, directory, record)
    }

    pub(crate) fn new(tools: &Tools, directory: PathBuf, record: Record) -> Result<Self, StartError> {
        let kubeconfig = directory.join("admin.kubeconfig");
        Ok(Self { kube: tools.kube()?, oracle: tools.oracle()?, directory, record, kubeconfig })
    }

    /// Returns the folder of the plane's state and logs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns the administrator's kubeconfig (a bearer token; the authority inline).
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Returns the name of the context in each kubeconfig.
    #[must_use]
    pub fn context(&self) -> &str {
        &self.record.context
    }

    /// Returns the API server's URL.
    #[must_use]
    pub fn server(&self) -> String {
        format!("https://127.0.0.1:{}", self.record.api_port)
    }

    /// Returns the administrator's bearer token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.record.token
    }

    /// Returns the PEM file of the authority that signed the API server's certificate.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.pki("ca.crt")
    }

    /// Runs kubectl as the administrator (or as `--kubeconfig` says) and returns its stdout.
    ///
    /// # Errors
    ///
    /// When kubectl fails, or takes more than a minute.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, CommandError> {
        run::run(self.command().args(arguments), b"", KUBECTL)
    }

    /// Runs kubectl and reads its answer as JSON; `-o json` is added.
    ///
    /// # Errors
    ///
    /// When kubectl fails or does not answer with JSON.
    pub fn json(&self, arguments: &[&str]) -> Result<Value, CommandError> {
        let mut command = self.command();
        command.args(arguments).args(["-o", "json"]);
        let answer = run::run(&mut command, b"", KUBECTL)?;
        serde_json::from_str(&answer).map_err(|error| CommandError::Answer { command: run::spoken(&command), reason: error.to_string() })
    }

    /// Applies `manifests` as `kubectl apply` does (on the client's side, without a field
    /// manager of its own) in `namespace`.
    ///
    /// # Errors
    ///
    /// When kubectl fails.
    pub fn apply(&self, namespace: &str, manifests: &str) -> Result<String, CommandError> {
        run::run(self.command().args(["-n", namespace, "apply", "-f", "-"]), manifests.as_bytes(), KUBECTL)
    }

    /// Returns kubectl, set up for this plane and nothing else, for what the other methods
    /// do not cover.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.kube);
        command.arg("kubectl").env_clear().env("KUBECONFIG", &self.kubeconfig).env("HOME", &self.directory);
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Makes a kubeconfig for a user that is in `groups` and so far has the rights of any
    /// authenticated user.
    ///
    /// # Errors
    ///
    /// When the certificate cannot be issued or the file not be written.
    pub fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> Result<PathBuf, StartError> {
        let identity = self.identity(user, groups)?;
        let user_data = json!({"client-certificate-data": identity.certificate, "client-key-data": identity.key});
        self.write_kubeconfig(user, &identity.authority, &user_data)
    }

    /// Makes a kubeconfig that acts as a ServiceAccount which exists, for a day.
    ///
    /// # Errors
    ///
    /// When there is no such ServiceAccount or the file cannot be written.
    pub fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> Result<PathBuf, StartError> {
        let token = self.kubectl(&["-n", namespace, "create", "token", name, "--duration=24h"])?;
        let authority = self.authority_data()?;
        self.write_kubeconfig(&format!("{namespace}.{name}"), &authority, &json!({"token": token.trim()}))
    }

    /// Makes a kubeconfig of the administrator that goes another way, as through a proxy.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn kubeconfig_through(&self, server: &str, name: &str) -> Result<PathBuf, StartError> {
        let authority = self.authority_data()?;
        self.write_kubeconfig_to(server, name, &authority, &json!({"token": self.record.token}))
    }

    pub(crate) fn write_admin_kubeconfig(&self) -> Result<(), StartError> {
        let authority = self.authority_data()?;
        self.write_kubeconfig("admin", &authority, &json!({"token": self.record.token})).map(drop)
    }

    /// Creates a namespace that no other test has, waits until pods can be created in it,
    /// and deletes it when dropped.
    ///
    /// # Errors
    ///
    /// When the API server does not create it.
    pub fn namespace(&self, prefix: &str) -> Result<Namespace<'_>, CommandError> {
        let name = self.fresh_name(prefix);
        self.kubectl(&["create", "namespace", &name])?;
        let namespace = Namespace { access: self, name };
        // Without it the API server refuses pods.
        namespace.kubectl(&["wait", "--for=create", "serviceaccount/default", "--timeout=30s"])?;
        Ok(namespace)
    }

    /// Returns a name that no other test of this or another running process has, for a
    /// namespace that the code under test shall create, or for a cluster-wide object.
    #[must_use]
    pub fn fresh_name(&self, prefix: &str) -> String {
        static COUNTER: AtomicU32 = AtomicU32::new(1);
        format!("{prefix}-{}-{}", process::id(), COUNTER.fetch_add(1, Ordering::Relaxed))
    }

    /// Returns the API server's audit events so far, of a plane that keeps them (one JSON
    /// object per finished request, `audit.k8s.io/v1` at level Metadata).
    ///
    /// # Errors
    ///
    /// When the plane was not started with `audit`.
    pub fn audit(&self) -> io::Result<Vec<Value>> {
        let log = fs::read_to_string(self.directory.join("audit.jsonl"))?;
        // The last line may be half written.
        Ok(log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    pub(crate) fn pki(&self, name: &str) -> PathBuf {
        self.directory.join("pki").join(name)
    }

    pub(crate) fn kube(&self) -> &Path {
        &self.kube
    }

    pub(crate) fn oracle(&self) -> &Path {
        &self.oracle
    }

    /// Returns the authority's certificate as a kubeconfig holds it: it comes with any
    /// identity, here with nobody's.
    pub(crate) fn authority_data(&self) -> Result<String, CommandError> {
        self.identity("nobody", &[]).map(|identity| identity.authority)
    }

    fn identity(&self, user: &str, groups: &[&str]) -> Result<Identity, CommandError> {
        let mut command = Command::new(&self.oracle);
        command.arg("pki-client").arg("--dir").arg(self.directory.join("pki"));
        command.args(["--user", user, "--groups", &groups.join(",")]);
        let answer = run::run(&mut command, b"", CERTIFICATE)?;
        serde_json::from_str(&answer).map_err(|error| CommandError::Answer { command: run::spoken(&command), reason: error.to_string() })
    }

    fn write_kubeconfig(&self, user: &str, authority: &str, user_data: &Value) -> Result<PathBuf, StartError> {
        self.write_kubeconfig_to(&self.server(), user, authority, user_data)
    }

    fn write_kubeconfig_to(&self, server: &str, user: &str, authority: &str, user_data: &Value) -> Result<PathBuf, StartError> {
        let context = &self.record.context;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": user, "user": user_data}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
        });
        // A user's name may hold what a file's name may not.
        let name: String = user.chars().map(|char| if char.is_alphanumeric() || "-._".contains(char) { char } else { '_' }).collect();
        let path = self.directory.join(format!("{name}.kubeconfig"));
        write_private(&path, format!("{config:#}\n")).map_err(|source| StartError::State { path: path.clone(), source })?;
        Ok(path)
    }
}

/// What `oracle pki-client` answers, in the base64 of kubeconfigs.
#[derive(Deserialize)]
struct Identity {
    authority: String,
    certificate: String,
    key: String,
}

/// A namespace of one test's own.
#[derive(Debug)]
pub struct Namespace<'a> {
    access: &'a Access,
    name: String,
}

impl Namespace<'_> {
    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs kubectl in the namespace and returns its stdout.
    ///
    /// # Errors
    ///
    /// When kubectl fails, or takes more than a minute.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, CommandError> {
        self.access.kubectl(&[&["-n", &self.name], arguments].concat())
    }

    /// Runs kubectl in the namespace and reads its answer as JSON; `-o json` is added.
    ///
    /// # Errors
    ///
    /// When kubectl fails or does not answer with JSON.
    pub fn json(&self, arguments: &[&str]) -> Result<Value, CommandError> {
        self.access.json(&[&["-n", &self.name], arguments].concat())
    }

    /// Applies `manifests` in the namespace as `kubectl apply` does.
    ///
    /// # Errors
    ///
    /// When kubectl fails.
    pub fn apply(&self, manifests: &str) -> Result<String, CommandError> {
        self.access.apply(&self.name, manifests)
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        // A plane that is down or gone takes the namespace with it.
        let _ = self.access.kubectl(&["delete", "namespace", &self.name, "--wait=false", "--request-timeout=5s"]);
    }
}
