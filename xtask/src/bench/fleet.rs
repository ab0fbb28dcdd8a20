//! Owns the fleet that benchmarks measure: many small units in one repository, `plumb serve` in release on a real control plane, and reading
//! what the process uses.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plumb_plane::git::{HttpOptions, HttpServer, Notify, Repo};
use plumb_plane::{Plane, Tools};
use serde_json::{Value, json};

use crate::setup;

const HOOK_SECRET: &str = "bench-push-secret";
/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(900);

/// A control plane, a repository of units, and the operator.
pub(crate) struct Fleet {
    pub(crate) plane: Plane,
    pub(crate) repo: Repo,
    pub(crate) tools: Tools,
    git: HttpServer,
    folder: tempfile::TempDir,
    listen: std::net::SocketAddr,
    plumb: PathBuf,
    child: Option<Child>,
}

impl Fleet {
    /// Starts a control plane and writes a repository with so many units; nothing is pushed yet.
    pub(crate) fn new(units: usize) -> Result<Self> {
        let plumb = setup::plumb("release")?;
        let tools = Tools::locate()?;
        let plane = Plane::start_with(&tools, plumb_plane::Options::default())?;
        let folder = tempfile::tempdir()?;
        let listen = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?;
        let notify = Notify { url: format!("http://{listen}/hooks/github"), secret: HOOK_SECRET.to_owned() };
        let git = HttpServer::start_with(&tools, &folder.path().join("git"), HttpOptions { notify: Some(notify), ..HttpOptions::default() })?;
        let repo = Repo::create(&folder.path().join("work"), &git.create("fleet")?)?;
        let fleet = Self { plane, repo, tools, git, folder, listen, plumb, child: None };
        for nth in 0..units {
            fleet.repo.write(&format!("units/{}.yaml", name(nth)), unit(nth))?;
            fleet.repo.write(&format!("apps/{}/app.yaml", name(nth)), app(nth, "1"))?;
        }
        fleet.plane.kubectl(&["create", "namespace", "bench"])?;
        Ok(fleet)
    }

    /// Starts `plumb serve` and waits until it answers.
    pub(crate) fn serve(&mut self) -> Result<()> {
        let secret = self.folder.path().join("hook-secret");
        std::fs::write(&secret, HOOK_SECRET)?;
        setup::run(Command::new("chmod").arg("600").arg(&secret))?;
        let log = std::fs::File::create(self.folder.path().join("serve.log"))?;
        let child = Command::new(&self.plumb)
            .arg("serve")
            .args(["--root", &format!("{}//units@main", self.git.url("fleet"))])
            .arg("--kubeconfig")
            .arg(self.plane.kubeconfig())
            .args(["--clusters", self.plane.context(), "--listen", &self.listen.to_string(), "--poll", "10m", "--qps", "5000"])
            .arg("--hook-secret")
            .arg(&secret)
            .arg("--state")
            .arg(self.folder.path().join("state"))
            .arg("--socket")
            .arg(self.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("`plumb serve` did not start")?;
        self.child = Some(child);
        self.until("`plumb serve` answers", || Ok(self.plumb(&["get", "units", "-o", "json"]).is_ok()))
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("plumb.sock")
    }

    /// Commits and pushes; returns when the push was begun.
    pub(crate) fn push(&self, message: &str) -> Result<Instant> {
        self.repo.commit(message)?;
        let begun = Instant::now();
        self.repo.push()?;
        Ok(begun)
    }

    /// Runs a `plumb` command against the operator.
    pub(crate) fn plumb(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.plumb).args(arguments).arg("--socket").arg(self.socket()).output()?;
        if !output.status.success() {
            bail!("plumb {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns every unit's status.
    pub(crate) fn units(&self) -> Result<Vec<Value>> {
        match serde_json::from_str(&self.plumb(&["get", "units", "-o", "json"])?)? {
            Value::Array(units) => Ok(units),
            _ => bail!("`plumb get units -o json` is not a list"),
        }
    }

    /// Waits for a condition.
    pub(crate) fn until(&self, what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
        let begun = Instant::now();
        while !condition()? {
            if begun.elapsed() > LIMIT {
                bail!("waited in vain: {what}\n{}", std::fs::read_to_string(self.folder.path().join("serve.log")).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Reads one of the operator's counters.
    pub(crate) fn metric(&self, name: &str) -> Result<u64> {
        let output = Command::new("curl").args(["--silent", "--fail", &format!("http://{}/metrics", self.listen)]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '))).with_context(|| format!("no metric {name}"))?;
        Ok(line.rsplit(' ').next().unwrap_or_default().parse::<f64>()? as u64)
    }

    /// Returns the operator's process id.
    pub(crate) fn process(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("`plumb serve` does not run")?.id())
    }

    /// Returns the processor time that the operator has used.
    pub(crate) fn processor_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process()?))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        // utime and stime, in ticks of 10 ms.
        Ok((ticks(11) + ticks(12)) / 100.0)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            // Either it is gone already, or this ends it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Samples a process's anonymous resident memory until it is stopped.
pub(crate) struct Memory {
    peak_kib: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Memory {
    pub(crate) fn watch(process: u32) -> Self {
        let (peak_kib, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (peak, stopped) = (Arc::clone(&peak_kib), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                peak.fetch_max(anonymous_kib(process), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { peak_kib, stop }
    }

    /// Returns the peak so far, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.peak_kib.load(Ordering::Relaxed) as f64 / 1024.0
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Returns a process's anonymous resident memory.
pub(crate) fn anonymous_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Returns the name of the unit with a number.
pub(crate) fn name(nth: usize) -> String {
    format!("app-{nth:04}")
}

fn unit(nth: usize) -> String {
    let name = name(nth);
    format!(
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: fleet}}\nspec:\n  source: {{path: apps/{name}}}\n  target: {{namespace: bench}}\n  policy: {{wait: false}}\n"
    )
}

/// Returns the four objects of a unit as a stream.
pub(crate) fn app(nth: usize, tier: &str) -> String {
    objects(nth, "bench", tier).iter().map(|(_, object)| format!("---\n{object}\n")).collect()
}

/// Returns the four objects of a unit, each with the path it is applied at.
pub(crate) fn objects(nth: usize, namespace: &str, tier: &str) -> [(String, Value); 4] {
    let name = name(nth);
    let metadata = json!({"name": name, "labels": {"app": name, "tier": tier}});
    let pod = json!({"serviceAccountName": name, "containers": [{"name": "main", "image": "registry.example.com/app:1",
        "ports": [{"containerPort": 8080, "name": "http"}], "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m"}}}]});
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": pod});
    let backend = json!({"service": {"name": name, "port": {"name": "http"}}});
    [
        (
            format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}"),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        ),
        (
            format!("/api/v1/namespaces/{namespace}/services/{name}"),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
                "spec": {"selector": {"app": name}, "ports": [{"port": 80, "name": "http", "targetPort": "http"}]}}),
        ),
        (
            format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}}),
        ),
        (
            format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}"),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata,
                "spec": {"rules": [{"host": format!("{name}.example.com"), "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}}),
        ),
    ]
}
