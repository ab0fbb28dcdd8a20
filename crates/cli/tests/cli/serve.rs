//! Owns a running `plumb serve`: starting it, asking it, and ending it in every way there is.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::world::{APP, Site};

/// The program.
pub(crate) const PLUMB: &str = env!("CARGO_BIN_EXE_plumb");
/// Longer than anything here takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);
/// How long to wait before looking again.
const LOOK: Duration = Duration::from_millis(25);
/// How much of a log a failure shows.
const SHOWN_LINES: usize = 30;

/// A `plumb serve`. It is killed when dropped.
pub(crate) struct Serve {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
    /// How long the log was when it started.
    from: usize,
    /// What shows the objects of its site.
    look: Command,
}

impl Serve {
    /// Starts it.
    pub(crate) fn start(site: &Site) -> Self {
        Self::spawn(Self::command(site, "serve"), site, "serve")
    }

    /// Starts it so that it dies at one of its writes.
    pub(crate) fn doomed(site: &Site, fault: &str) -> Self {
        let mut command = Self::command(site, "serve");
        command.env("PLUMB_FAULT", fault);
        Self::spawn(command, site, "serve")
    }

    /// Starts one more process of the same installation; `name` tells their sockets and folders apart.
    pub(crate) fn another(site: &Site, name: &str) -> Self {
        Self::spawn(Self::command(site, name), site, name)
    }

    /// Returns the command that starts it.
    pub(crate) fn command(site: &Site, name: &str) -> Command {
        Self::command_at(site, name, &socket(site, name))
    }

    /// Returns the command that starts it on a socket.
    pub(crate) fn command_at(site: &Site, name: &str, at: &Path) -> Command {
        let mut command = Command::new(PLUMB);
        command.env_clear().env("HOME", &site.folder);
        command.args(["serve", "--poll", "1s", "--root", &site.root, "--installation", &site.installation]);
        command.args(["--clusters", site.plane.context(), "--kubeconfig"]).arg(site.plane.kubeconfig());
        command.arg("--state").arg(site.folder.join(name)).arg("--socket").arg(at);
        command
    }

    /// Starts a command that becomes a `plumb serve` of a site.
    pub(crate) fn spawn(mut command: Command, site: &Site, name: &str) -> Self {
        let log = site.folder.join(format!("{name}.log"));
        let lines = File::options().create(true).append(true).open(&log).unwrap();
        let from = usize::try_from(lines.metadata().unwrap().len()).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(lines).spawn().unwrap();
        let mut look = site.plane.command();
        look.args(["-n", &site.namespace, "get", "all,configmaps,secrets,serviceaccounts,roles,rolebindings"]);
        Self { child, socket: socket(site, name), log, from, look }
    }

    /// Ends it as the system does when it runs out of memory.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it as an administrator does, and returns how it ended and how long that took.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        while begun.elapsed() < LIMIT {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, begun.elapsed());
            }
            std::thread::sleep(LOOK);
        }
        panic!("it does not end\n{}", self.log_end());
    }

    /// Returns whether it has died.
    pub(crate) fn is_dead(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Returns its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap().split_off(self.from)
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }

    /// Asks its API; none when it has no answer.
    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        let (head, body) = self.ask(path)?;
        head.starts_with("HTTP/1.1 200").then(|| serde_json::from_str(&body).ok())?
    }

    /// Returns whether it answers that it knows no such unit.
    pub(crate) fn knows_nothing_of(&self, unit: &str) -> bool {
        self.ask(&format!("/v1/units/team/{unit}")).is_some_and(|(head, _)| head.starts_with("HTTP/1.1 404"))
    }

    fn ask(&self, path: &str) -> Option<(String, String)> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: plumb\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.to_owned(), body.to_owned()))
    }

    /// Returns a unit as its API shows it; none when it knows no such unit, or does not answer.
    pub(crate) fn unit(&self, name: &str) -> Option<Value> {
        self.get(&format!("/v1/units/team/{name}"))
    }

    /// Runs a command against it.
    pub(crate) fn plumb(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PLUMB);
        command.args(arguments).arg("--socket").arg(&self.socket).env_clear().stdin(Stdio::null()).output().unwrap()
    }

    /// Returns whether a unit is at a commit and has nothing to do.
    pub(crate) fn is_synced(&self, unit: &str, commit: &str) -> bool {
        let Some(unit) = self.unit(unit) else { return false };
        unit["sync"] == "synced" && unit["synced"]["main"]["commit"] == commit && unit["activity"]["state"] == "resting"
    }

    /// Returns whether it may write.
    pub(crate) fn leads(&self) -> bool {
        let log = self.log();
        let last = log.lines().rev().find(|line| line.contains("the lease"));
        last.is_some_and(|line| line.contains("holds the lease"))
    }

    /// Approves what the unit waits for, if it does.
    pub(crate) fn approve_if_asked(&self) {
        let asks = |unit: Value| unit["gates"].as_array().is_some_and(|gates| gates.iter().any(|gate| gate["kind"] == "approval"));
        if self.unit(APP).is_some_and(asks) {
            // It may be approved already, or the process dies of it.
            self.plumb(&["approve", &format!("team/{APP}"), "--no-wait"]);
        }
    }

    /// Waits until a unit is at a commit and has nothing to do.
    pub(crate) fn until_synced(&mut self, unit: &str, commit: &str) {
        self.until(&format!("{unit} is at {commit}"), |serve| serve.is_synced(unit, commit));
    }

    /// Waits for a condition of the living process.
    pub(crate) fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        self.wait(what, |serve| {
            let met = condition(serve);
            assert!(met || !serve.is_dead(), "it died before: {what}\n{}", serve.log_end());
            met
        });
    }

    /// Waits for a condition; says what the process thinks when it does not come.
    pub(crate) fn wait(&mut self, what: &str, mut condition: impl FnMut(&mut Self) -> bool) {
        let begun = Instant::now();
        while !condition(self) {
            if begun.elapsed() > LIMIT {
                let units = self.get("/v1/units").unwrap_or_default();
                let live = self.look.output().unwrap().stdout;
                panic!("waited in vain: {what}\n{units:#}\n{}\n{}", String::from_utf8_lossy(&live), self.log_end());
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        if !self.is_dead() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn socket(site: &Site, name: &str) -> PathBuf {
    Path::new(&site.folder).join(format!("{name}.sock"))
}
