//! Owns the `plumb serve` that the demo runs, and asking it things as a person would: through the command line.

use std::io::BufRead;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plumb_plane::git::HttpServer;
use serde_json::Value;

use super::Cluster;

/// A running `plumb serve`.
pub(crate) struct Operator {
    plumb: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

/// How long `serve` may take to end.
const STOP: Duration = Duration::from_secs(10);
/// What signs the demo's push notifications.
pub(crate) const HOOK_SECRET: &str = "demo-push-secret";
/// The name under which the demo's unit is known.
pub(crate) const UNIT: &str = "demo/hello";

impl Operator {
    /// Starts `serve` on a repository that is still empty.
    pub(crate) fn prepare(plumb: PathBuf, cluster: &Cluster, git: &HttpServer, listen: SocketAddr, folder: &Path) -> Result<Self> {
        let url = git.create("hello")?.url;
        let secret = folder.join("hook-secret");
        write_private(&secret, HOOK_SECRET.as_bytes())?;
        let (socket, log) = (folder.join("plumb.sock"), folder.join("serve.log"));
        let child = Command::new(&plumb)
            .arg("serve")
            .args(["--root", &format!("{url}//clusters/demo@main")])
            .arg("--kubeconfig")
            .arg(&cluster.kubeconfig)
            .args(["--clusters", &cluster.context, "--listen", &listen.to_string(), "--poll", "10s"])
            .arg("--hook-secret")
            .arg(&secret)
            .arg("--state")
            .arg(folder.join("state"))
            .arg("--socket")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).context("no log file")?)
            .spawn()
            .context("`plumb serve` did not start")?;
        let operator = Self { plumb, socket, log, child: Some(child) };
        operator.wait("`plumb serve` answers", Duration::from_secs(30), || operator.run(&["get", "units", "-o", "json"]).is_ok())?;
        Ok(operator)
    }

    /// Runs a `plumb` command against the running operator and returns what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.plumb).args(arguments).arg("--socket").arg(&self.socket).output().context("plumb did not start")?;
        if !output.status.success() {
            bail!("plumb {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns what `plumb status UNIT -o json` says.
    pub(crate) fn status(&self) -> Result<Value> {
        serde_json::from_str(&self.run(&["status", UNIT, "-o", "json"])?).context("`plumb status -o json` is not JSON")
    }

    /// Waits for a condition, and says what the operator thinks when it does not come.
    pub(crate) fn wait(&self, what: &str, limit: Duration, mut condition: impl FnMut() -> bool) -> Result<Duration> {
        let begun = Instant::now();
        while !condition() {
            if begun.elapsed() > limit {
                let status = self.run(&["status", UNIT]).unwrap_or_else(|error| error.to_string());
                bail!("waited {} s in vain: {what}\n{status}\n{}", limit.as_secs(), self.last_log_lines());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(begun.elapsed())
    }

    fn last_log_lines(&self) -> String {
        let Ok(file) = std::fs::File::open(&self.log) else { return String::new() };
        let lines: Vec<String> = std::io::BufReader::new(file).lines().map_while(Result::ok).collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Ends `serve`.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end()
    }

    /// Leaves everything running for a person to play with, until they press Ctrl-C.
    pub(crate) fn leave_running(mut self, git: &HttpServer) -> Result<()> {
        println!("\nIt is yours now. In another terminal:");
        println!("  git clone {} && cd hello   # change something, push, and watch", git.url("hello"));
        println!("  export PLUMB_SOCKET={}", self.socket.display());
        println!("  {} status {UNIT}", self.plumb.display());
        println!("  {} history {UNIT}", self.plumb.display());
        println!("Ctrl-C ends the demo.");
        match self.child.as_mut() {
            Some(child) => child.wait().map(|_| ()).context("`plumb serve` could not be waited for"),
            None => Ok(()),
        }
    }

    fn end(&mut self) -> Result<()> {
        self.child.take().map_or(Ok(()), |child| crate::setup::end(child, STOP))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            // Nothing can be done about a failure here: the process is either gone or not ours any more.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(bytes)?)
}
