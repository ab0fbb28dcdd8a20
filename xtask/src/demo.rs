//! Owns the demo: a commit becomes a running, self-healing system, on a real control plane, step by step with its time.
//! With `--check` every step is asserted and the first one that fails ends the run.

mod operator;
mod story;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use plumb_plane::git::{HttpOptions, HttpServer, Notify};
use plumb_plane::{Plane, Tools};

use crate::setup;
use operator::Operator;

/// What `demo` was asked for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    check: bool,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
}

impl Options {
    /// Returns the options of `demo --check`.
    pub(crate) fn checked() -> Self {
        Self { check: true, ..Self::default() }
    }

    /// Reads the words after `demo`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().map(|text| (*text).to_owned()).with_context(|| format!("`{word}` takes a value"));
            match *word {
                "--check" => options.check = true,
                "--kubeconfig" => options.kubeconfig = Some(value()?.into()),
                "--context" => options.context = Some(value()?),
                other => bail!("`demo` has no option `{other}`; it takes --check, --kubeconfig FILE and --context NAME"),
            }
        }
        // A cluster is somebody's: which one is written to must be said, never guessed from a current context.
        if options.kubeconfig.is_some() != options.context.is_some() {
            bail!("`--kubeconfig FILE` and `--context NAME` go together");
        }
        Ok(options)
    }

    /// Whether nothing of the test control plane is needed.
    fn uses_own_kubectl(&self) -> bool {
        self.kubeconfig.is_some() && setup::on_path("kubectl")
    }
}

/// A cluster that the demo may write to.
pub(crate) struct Cluster {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) context: String,
    /// The program, and the word before kubectl's own where it is many programs in one.
    kubectl: (PathBuf, Option<&'static str>),
    /// Kept for as long as the demo runs: its drop ends the processes.
    _plane: Option<Plane>,
}

impl Cluster {
    fn start(options: &Options, tools: &Tools) -> Result<Self> {
        if let (Some(kubeconfig), Some(context)) = (&options.kubeconfig, &options.context) {
            // Who has a cluster has a kubectl that fits it; without one, the control plane's own is built.
            let kubectl = if options.uses_own_kubectl() { ("kubectl".into(), None) } else { (tools.kube()?, Some("kubectl")) };
            return Ok(Self { kubeconfig: kubeconfig.clone(), context: context.clone(), kubectl, _plane: None });
        }
        let kubectl = (tools.kube()?, Some("kubectl"));
        let plane = Plane::start_with(tools, plumb_plane::Options::default())?;
        Ok(Self { kubeconfig: plane.kubeconfig().to_owned(), context: plane.context().to_owned(), kubectl, _plane: Some(plane) })
    }

    /// Runs kubectl and returns what it printed; a failure is an error with its words.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let output = std::process::Command::new(&self.kubectl.0)
            .args(self.kubectl.1)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--context", &self.context])
            .args(arguments)
            .output()
            .context("kubectl did not start")?;
        if !output.status.success() {
            bail!("kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Runs the demo.
pub(crate) fn run(options: Options) -> Result<()> {
    setup::ensure()?;
    let begun = Instant::now();
    let tools = setup::tools()?;
    let only_git = options.uses_own_kubectl();
    // The control plane takes minutes to build the first time: meanwhile there is something to see that needs no cluster.
    let building = {
        let tools = tools.clone();
        std::thread::spawn(move || -> Result<()> {
            if !only_git {
                tools.kube()?;
            }
            tools.oracle()?;
            Ok(())
        })
    };
    println!("building plumb");
    let plumb = setup::plumb("dev")?;
    story::offline(&plumb)?;
    if !only_git && !building.is_finished() {
        println!("\nbuilding a Kubernetes control plane from its Go modules (about 12 minutes the first time, then cached)");
    }
    match building.join() {
        Ok(result) => result?,
        Err(_) => bail!("building the control plane panicked"),
    }
    let cluster = Cluster::start(&options, &tools)?;
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let listen = free_address()?;
    let notify = Notify { url: format!("http://{listen}/hooks/github"), secret: operator::HOOK_SECRET.to_owned() };
    let options_git = HttpOptions { notify: Some(notify), ..HttpOptions::default() };
    let mut git = HttpServer::start_with(&tools, &folder.path().join("git"), options_git)?;
    println!("\nready after {:.1} s: a Kubernetes API, a Git server, and one repository\n", begun.elapsed().as_secs_f64());
    let operator = Operator::prepare(plumb, &cluster, &git, listen, folder.path())?;
    story::tell(&operator, &cluster, &mut git, folder.path())?;
    if options.check {
        println!("\nevery step held ({:.0} s)", begun.elapsed().as_secs_f64());
        return operator.stop();
    }
    operator.leave_running(&git)
}

fn free_address() -> Result<std::net::SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?)
}
