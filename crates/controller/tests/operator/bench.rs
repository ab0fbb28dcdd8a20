//! Owns what every test here starts with: a namespace of the shared control plane, a Git server with one repository, a running operator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use plumb_controller::core::{Activity, Gate, Order, Request, RequestId, SyncWord};
use plumb_controller::{ClusterOptions, Operator, OperatorOptions, UnitState};
use plumb_dialect::native::RootSpec;
use plumb_manifest::Digest;
use plumb_plan::HealthStatus;
use plumb_plane::git::{HttpOptions, HttpServer, Repo};
use plumb_plane::{Access, CommandError, Plane};
use plumb_store::SyncSummary;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One test's world. Its operator ends with it.
pub(crate) struct Bench {
    pub(crate) plane: &'static Access,
    pub(crate) namespace: String,
    pub(crate) git: HttpServer,
    pub(crate) repo: Repo,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) installation: String,
    /// Who the operator is to the cluster.
    pub(crate) kubeconfig: PathBuf,
    pub(crate) poll: Duration,
    /// The key that secrets of the history are encrypted with.
    pub(crate) history_key: Option<PathBuf>,
    /// Whether a unit creates the namespace.
    creates: bool,
    running: Option<Running>,
}

/// A running operator.
pub(crate) struct Running {
    runtime: Runtime,
    pub(crate) operator: Operator,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(options: OperatorOptions) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = watch::channel(false);
        let (operator, running) = runtime.block_on(Operator::open(options)).unwrap();
        let task = runtime.spawn(running.run(stopped));
        Self { runtime, operator, stop, task }
    }

    /// Ends it as a signal does.
    pub(crate) fn stop(self) {
        self.stop.send_replace(true);
        self.runtime.block_on(self.task).unwrap();
    }

    /// Ends it where it stands: nothing is finished and the lease is not given back.
    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }
}

impl Bench {
    /// Makes the world with an empty repository; its unit creates the namespace, and the operator is not started yet.
    pub(crate) fn new() -> Self {
        Self::on(Plane::shared().unwrap(), true)
    }

    /// The same with a namespace that several units can share.
    pub(crate) fn several() -> Self {
        Self::on(Plane::shared().unwrap(), false)
    }

    /// Makes the world on a plane.
    pub(crate) fn on(plane: &'static Access, creates: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = HttpServer::start(&folder.path().join("git"), HttpOptions::default()).unwrap();
        let remote = git.create("shop").unwrap();
        let repo = Repo::create(&folder.path().join("work"), &remote).unwrap();
        let namespace = plane.fresh_name("op");
        if !creates {
            plane.kubectl(&["create", "namespace", &namespace]).unwrap();
        }
        let installation = format!("t{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let kubeconfig = plane.kubeconfig().to_owned();
        Self {
            plane,
            namespace,
            git,
            repo,
            folder,
            installation,
            kubeconfig,
            poll: Duration::from_secs(1),
            history_key: None,
            creates,
            running: None,
        }
    }

    /// Starts the operator on the repository's `units` folder.
    pub(crate) fn start(&mut self) {
        self.running = Some(self.another("state"));
    }

    /// Starts an operator of the same installation with a state folder of its own, and leaves it to the caller.
    pub(crate) fn another(&self, state: &str) -> Running {
        let root = RootSpec::parse(&self.installation, &format!("{}//units@main", self.git.url("shop"))).unwrap();
        Running::start(OperatorOptions {
            installation: self.installation.as_str().into(),
            roots: vec![root],
            clusters: ClusterOptions {
                kubeconfig: Some(self.kubeconfig.clone()),
                contexts: vec![self.plane.context().into()],
                requests_per_second: 2000,
            },
            credentials: None,
            state: self.folder.path().join(state),
            history_key: self.history_key.clone(),
            poll: self.poll,
        })
    }

    /// Ends the operator as a signal does.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    /// Ends the operator as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }

    pub(crate) fn operator(&self) -> &Operator {
        &self.running.as_ref().unwrap().operator
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.running.as_ref().unwrap().runtime.block_on(future)
    }

    /// Declares a unit that reads a folder of the same repository.
    pub(crate) fn declare(&self, name: &str, more: &str) {
        let (namespace, create) = (&self.namespace, self.creates);
        let text = format!(
            "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  source: {{path: apps/{name}}}\n  target: {{namespace: {namespace}, createNamespace: {create}}}\n{more}"
        );
        self.repo.write(&format!("units/{name}.yaml"), text).unwrap();
    }

    /// Writes a ConfigMap into a unit's folder.
    pub(crate) fn config_map(&self, unit: &str, name: &str, value: &str) {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"{value}\"}}\n");
        self.repo.write(&format!("apps/{unit}/{name}.yaml"), text).unwrap();
    }

    /// Commits and pushes all that was written, and says so to the operator if it runs.
    pub(crate) fn push(&self, message: &str) -> String {
        let commit = self.repo.commit(message).unwrap();
        self.repo.push().unwrap();
        if let Some(running) = &self.running {
            running.operator.pushed(|_| true);
        }
        commit
    }

    /// Reads an object of the namespace; none only when the server says that it is not there.
    pub(crate) fn live(&self, object: &str) -> Option<Value> {
        match self.plane.json(&["-n", &self.namespace, "get", object]) {
            Ok(live) => Some(live),
            Err(CommandError::Failed { stderr, .. }) if stderr.contains("NotFound") => None,
            Err(error) => panic!("{object}: {error}"),
        }
    }

    /// Returns the value of a ConfigMap that [`Self::config_map`] wrote.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        Some(self.live(&format!("configmap/{name}"))?["data"]["value"].as_str()?.to_owned())
    }

    pub(crate) fn unit(&self, name: &str) -> Option<UnitState> {
        self.operator().unit(&self.operator().key("team", name))
    }

    /// Returns the last failure of a unit, empty when there is none.
    pub(crate) fn failure(&self, name: &str) -> String {
        self.unit(name).and_then(|unit| unit.status.failure).map(|failure| failure.message.to_string()).unwrap_or_default()
    }

    /// Returns what holds a unit.
    pub(crate) fn gates(&self, name: &str) -> Vec<Gate> {
        self.unit(name).map(|unit| unit.status.gates).unwrap_or_default()
    }

    /// Returns what a unit waits to have approved: the digest and the reasons.
    pub(crate) fn approval(&self, name: &str) -> Option<(Digest, String)> {
        self.gates(name).into_iter().find_map(|gate| match gate {
            Gate::Approval { digest, reasons } => Some((digest, reasons.join("; "))),
            _ => None,
        })
    }

    /// Waits until a unit asks for an approval, and returns its digest and reasons.
    pub(crate) fn until_held(&self, name: &str) -> (Digest, String) {
        self.until(&format!("{name} asks for an approval"), || self.approval(name).is_some());
        self.approval(name).unwrap()
    }

    /// Returns the identity of an object of the namespace.
    pub(crate) fn uid(&self, object: &str) -> String {
        self.live(object).unwrap_or_else(|| panic!("{object} is there"))["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// Returns UID and version of everything that tests create in the namespace, and of the installation's records.
    pub(crate) fn versions(&self) -> BTreeMap<String, (String, String)> {
        let kinds = "configmaps,secrets,services,serviceaccounts,deployments.apps,roles,rolebindings";
        let records = format!("plumb.dev/inventory={}", self.installation);
        let lists = [
            self.plane.json(&["-n", &self.namespace, "get", kinds]),
            self.plane.json(&["-n", "plumb-system", "get", "configmaps", "-l", &records]),
        ];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let items = lists.into_iter().flat_map(|list| list.unwrap()["items"].as_array().cloned().unwrap_or_default());
        items
            .map(|item| {
                let metadata = &item["metadata"];
                (
                    format!("{}/{}", text(&item["kind"]), text(&metadata["name"])),
                    (text(&metadata["uid"]), text(&metadata["resourceVersion"])),
                )
            })
            .collect()
    }

    /// Returns a number that the operator counts.
    pub(crate) fn counter(&self, name: &str) -> u64 {
        self.operator().counters().into_iter().find(|(found, ..)| *found == name).unwrap().2
    }

    /// Returns what the history tells of a unit, the newest first.
    pub(crate) fn history(&self, name: &str) -> Vec<SyncSummary> {
        self.block_on(async {
            self.operator().store().flush().await.unwrap();
            self.operator().store().history(&self.operator().key("team", name), 100).await.unwrap()
        })
    }

    /// Waits for a condition; says what the operator thinks when it does not come.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !condition() {
            if begun.elapsed() > LIMIT {
                let units: Vec<_> =
                    self.operator().units().into_iter().map(|unit| (unit.key.to_string(), unit.status, unit.report)).collect();
                let sources: Vec<_> = self.operator().sources().into_iter().map(|source| (source.key.to_string(), source.status)).collect();
                panic!("waited in vain: {what}\n{units:#?}\n{sources:#?}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a condition while no operator runs.
    pub(crate) fn until_plainly(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !condition() {
            assert!(begun.elapsed() <= LIMIT, "waited in vain: {what}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until a unit is at the newest commit and healthy.
    pub(crate) fn until_synced(&self, name: &str) {
        let head = self.repo.head().unwrap();
        self.until(&format!("{name} is synced"), || self.is_synced(name, &head));
    }

    /// Waits until a unit is at the newest commit and has nothing to do.
    pub(crate) fn until_at_rest(&self, name: &str) {
        let head = self.repo.head().unwrap();
        let resting = || self.unit(name).is_some_and(|unit| unit.status.activity == Activity::Resting);
        self.until(&format!("{name} is at rest"), || self.is_synced(name, &head) && resting());
    }

    pub(crate) fn is_synced(&self, name: &str, commit: &str) -> bool {
        self.unit(name).is_some_and(|unit| {
            unit.status.sync == SyncWord::Synced
                && unit.status.health == HealthStatus::Healthy
                && unit.status.synced.is_some_and(|synced| synced.values().all(|revision| revision.commit == commit))
        })
    }

    /// Orders something and waits until it has ended.
    pub(crate) fn order(&self, name: &str, order: Order) -> Arc<plumb_controller::core::Ended> {
        let id = RequestId(format!("r{}", COUNT.fetch_add(1, Ordering::Relaxed)).as_str().into());
        let request = Request { id: id.clone(), by: "ada".into(), reason: "a test".into(), order };
        self.operator().request(self.operator().key("team", name), request);
        self.until("the request ends", || self.operator().ended(&id).is_some());
        self.operator().ended(&id).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(Running { runtime, stop, task, .. }) = self.running.take() {
            stop.send_replace(true);
            let _ = runtime.block_on(task);
        }
        let _ = self.plane.kubectl(&["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"]);
    }
}
