//! Owns what the measuring commands share: a real control plane, one repository, `plumb serve`, and reading what the process uses.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plumb_plane::git::{HttpOptions, HttpServer, Notify, Repo};
use plumb_plane::{Options, Plane, Tools};
use serde_json::Value;

use crate::setup;

const HOOK_SECRET: &str = "stage-push-secret";
/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(900);
/// How long `serve` may take to end.
const STOP: Duration = Duration::from_secs(30);

/// A control plane, a repository of units, and the operator.
pub(crate) struct Stage {
    pub(crate) plane: Plane,
    pub(crate) repo: Repo,
    pub(crate) tools: Tools,
    git: HttpServer,
    folder: tempfile::TempDir,
    listen: std::net::SocketAddr,
    plumb: PathBuf,
    kubeconfig: Option<PathBuf>,
    child: Option<Child>,
}

impl Stage {
    /// Builds `plumb` in a profile, starts a control plane and makes a repository; nothing is written to either yet.
    pub(crate) fn new(profile: &str, options: Options) -> Result<Self> {
        let plumb = setup::plumb(profile)?;
        let tools = setup::tools()?;
        let plane = Plane::start_with(&tools, options)?;
        let folder = tempfile::tempdir()?;
        let listen = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?;
        let notify = Notify { url: format!("http://{listen}/hooks/github"), secret: HOOK_SECRET.to_owned() };
        let git =
            HttpServer::start_with(&tools, &folder.path().join("git"), HttpOptions { notify: Some(notify), ..HttpOptions::default() })?;
        let repo = Repo::create(&folder.path().join("work"), &git.create("fleet")?)?;
        Ok(Self { plane, repo, tools, git, folder, listen, plumb, kubeconfig: None, child: None })
    }

    /// Has `plumb serve` reach the cluster another way, as through a proxy.
    pub(crate) fn connect_through(&mut self, kubeconfig: &Path) {
        self.kubeconfig = Some(kubeconfig.to_owned());
    }

    /// Starts `plumb serve` and waits until it answers.
    pub(crate) fn serve(&mut self) -> Result<()> {
        self.spawn()?;
        self.until_answers()
    }

    /// Waits until `plumb serve` answers.
    pub(crate) fn until_answers(&self) -> Result<()> {
        self.until("`plumb serve` answers", || Ok(self.plumb(&["get", "units", "-o", "json"]).is_ok()))
    }

    /// Starts `plumb serve`.
    pub(crate) fn spawn(&mut self) -> Result<()> {
        let secret = self.folder.path().join("hook-secret");
        std::fs::write(&secret, HOOK_SECRET)?;
        setup::run(Command::new("chmod").arg("600").arg(&secret))?;
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("serve.log"))?;
        let child = Command::new(&self.plumb)
            .arg("serve")
            .args(["--root", &format!("{}//units@main", self.git.url("fleet"))])
            .arg("--kubeconfig")
            .arg(self.kubeconfig.as_deref().unwrap_or(self.plane.kubeconfig()))
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
        Ok(())
    }

    /// Ends `plumb serve` as an orderly shutdown does.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.child.take().map_or(Ok(()), |child| setup::end(child, STOP))
    }

    /// Returns the folder of the operator's log, state and socket.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the socket at which the operator answers.
    pub(crate) fn socket(&self) -> PathBuf {
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

    /// Reads one of the operator's figures, with its labels if it has any.
    pub(crate) fn metric(&self, name: &str) -> Result<u64> {
        let output =
            Command::new("curl").args(["--silent", "--fail", "--noproxy", "*", &format!("http://{}/metrics", self.listen)]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        let Some(line) = line else {
            // A label that nothing has now is left out.
            return if name.contains('{') { Ok(0) } else { bail!("no metric {name}") };
        };
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

impl Drop for Stage {
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
