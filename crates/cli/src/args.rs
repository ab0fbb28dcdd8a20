//! Owns the command line's grammar: what may be typed, and nothing of what it does.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Keep running systems plumb with what Git says
#[derive(Debug, Parser)]
#[command(name = "plumb", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The options that every command takes
    #[command(flatten)]
    pub(crate) global: Global,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Namespace of the unit or of objects that name none
    #[arg(short, long, global = true, value_parser = namespace)]
    pub(crate) namespace: Option<String>,
    /// Output format
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Kubeconfig file; what `$KUBECONFIG` or the home folder names when left out
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Kubeconfig context; its current one when left out
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Socket of the running `plumb serve`
    #[arg(long, global = true, value_name = "FILE", env = "PLUMB_SOCKET", hide_env_values = true)]
    pub(crate) socket: Option<PathBuf>,
}

/// Reads a namespace as the API server would take it.
fn namespace(text: &str) -> Result<String, String> {
    if plumb_manifest::is_dns_label(text) {
        return Ok(text.to_owned());
    }
    Err(format!("a namespace has lowercase letters, digits and `-`, and at most {} characters", plumb_manifest::MAX_LABEL))
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON document, in the shape docs/cli-output.md describes
    Json,
    /// The same as YAML
    Yaml,
    /// Names only
    Name,
    /// More columns
    Wide,
}

/// What `plumb` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the manifests of a folder or file, offline
    Render(PathArgs),
    /// Show which line of which file each field of an object is from, and why, for a chart or a kustomization
    Explain(Box<ExplainArgs>),
    /// Bring a folder's manifests to a cluster once, or sync a unit now
    Apply(ApplyArgs),
    /// Show what differs between a folder or unit and the cluster
    Diff(DiffArgs),
    /// List units
    Get(GetArgs),
    /// Show how units do, and what each waits for
    Status(OptionalUnit),
    /// Show a unit's objects and what they own
    Tree(UnitArg),
    /// Show recent events of a unit's objects
    Events(UnitArg),
    /// Show a unit's past syncs
    History(HistoryArgs),
    /// Bring a unit back to an earlier state and hold it there
    Rollback(RollbackArgs),
    /// Fetch and sync a unit now
    Reconcile(RequestArgs),
    /// Stop syncing a unit by itself
    Suspend(SuspendArgs),
    /// Let a suspended or rolled back unit follow its source again
    Resume(RequestArgs),
    /// Let a plan run that waits for approval
    Approve(ApproveArgs),
    /// Delete a unit's objects and keep them deleted
    Delete(DeleteArgs),
    /// Run the operator
    Serve(Box<ServeArgs>),
    /// Work with Helm charts, without Helm
    #[command(subcommand)]
    Helm(Box<crate::helm::HelmCommand>),
    /// Walk through three mistakes in a small shop and how they are found; needs no cluster
    Tour(crate::tour::TourArgs),
    /// Work with kustomizations, without kustomize
    #[command(disable_help_flag = true)]
    Kustomize(KustomizeArgs),
}

/// What `kustomize` is asked; its grammar is its own.
#[derive(Debug, Args)]
pub(crate) struct KustomizeArgs {
    /// Command of kustomize and its options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) words: Vec<std::ffi::OsString>,
}

/// A folder or file of manifests.
#[derive(Debug, Args)]
pub(crate) struct PathArgs {
    /// Folder, file, or unit of the running `plumb serve`
    pub(crate) path: String,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Chart (a folder or a .tgz), or the folder of a kustomization
    pub(crate) path: String,
    /// Object: `deploy/web`, `Deployment/web`, `deployment.apps/web`
    pub(crate) object: String,
    /// Field: `spec.replicas`, `spec.template.spec.containers[name=web].image`; all of them when left out
    pub(crate) field: Option<String>,
    /// Name of the release; `release-name` when left out
    #[arg(long, value_name = "NAME")]
    pub(crate) release: Option<String>,
    /// Values for the chart
    #[command(flatten)]
    pub(crate) given: crate::helm::ValuesArgs,
    /// API that the chart is told is there: `group/version` or `group/version/Kind`
    #[arg(short, long, value_name = "API", value_delimiter = ',')]
    pub(crate) api_versions: Vec<String>,
    /// Tell the chart that it is an upgrade
    #[arg(long)]
    pub(crate) is_upgrade: bool,
    /// Whether a kustomization may name files outside its folder
    #[arg(long, value_enum, value_name = "RULE", default_value = "LoadRestrictionsRootOnly")]
    pub(crate) load_restrictor: crate::kustomize::LoadRestrictor,
}

/// Options of `apply`.
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// Folder or file, or unit of the running `plumb serve`
    pub(crate) path: String,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Name of the unit that will own the objects; the folder's name when left out
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Take over objects that others manage
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Let a deletion run that would otherwise wait for approval
    #[arg(long)]
    pub(crate) approve: bool,
    /// How long to wait for health
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = crate::moment::duration)]
    pub(crate) timeout: Duration,
}

/// Options of `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Folder or file, or unit of the running `plumb serve`
    pub(crate) path: String,
    /// Compare with the cluster
    #[arg(long, required = true)]
    pub(crate) live: bool,
    /// Name of the unit that owns the objects; the folder's name when left out
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// What `get` lists.
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// What to list
    #[arg(value_enum)]
    pub(crate) what: Listing,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Listing {
    /// The units
    #[value(alias = "unit")]
    Units,
}

/// A unit, or all.
#[derive(Debug, Args)]
pub(crate) struct OptionalUnit {
    /// `NAME` or `NAMESPACE/NAME`; all units when left out
    pub(crate) unit: Option<String>,
}

/// One unit.
#[derive(Debug, Args)]
pub(crate) struct UnitArg {
    /// `NAME` or `NAMESPACE/NAME`
    pub(crate) unit: String,
}

/// Options of `history`.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// `NAME` or `NAMESPACE/NAME`
    pub(crate) unit: String,
    /// How many syncs
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    pub(crate) limit: u32,
    /// One sync in full
    #[arg(long, value_name = "ID")]
    pub(crate) sync: Option<String>,
}

/// Options of `rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// `NAME` or `NAMESPACE/NAME`
    pub(crate) unit: String,
    /// Which sync of `plumb history` to go back to, by its id or commit; the last good one of another revision when left out
    #[arg(long, value_name = "ID|COMMIT")]
    pub(crate) to: Option<String>,
    /// Why, for the history
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Return at once
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// Options of requests that only name a unit.
#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// `NAME` or `NAMESPACE/NAME`
    pub(crate) unit: String,
    /// Why, for the history
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Return at once
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// Options of `suspend`.
#[derive(Debug, Args)]
pub(crate) struct SuspendArgs {
    /// `NAME` or `NAMESPACE/NAME`
    pub(crate) unit: String,
    /// For how long; until `plumb resume` when left out
    #[arg(long = "for", value_name = "DURATION", allow_hyphen_values = true, value_parser = crate::moment::duration)]
    pub(crate) duration: Option<Duration>,
    /// Why, for the status and the history
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

/// Options of `approve`.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// `NAME` or `NAMESPACE/NAME`
    pub(crate) unit: String,
    /// The plan's hash as `plumb status` shows it; the one that waits now when left out
    pub(crate) plan: Option<String>,
    /// Why, for the history
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Return at once
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// Options of `delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// `NAME` or `NAMESPACE/NAME`
    pub(crate) unit: String,
    /// Leave the objects running, without their stamps
    #[arg(long)]
    pub(crate) orphan: bool,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Return at once
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// Options of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where the units are declared: repository, folder in it, and branch (or `tag:NAME`, `commit:ID`); may be given again
    #[arg(long, required = true, value_name = "URL//PATH@REF")]
    pub(crate) root: Vec<String>,
    /// Namespaces that units of the roots may lie in, comma-separated; all when left out
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) allow_namespace: Vec<String>,
    /// Kubeconfig contexts to register as clusters, comma-separated; the first one is the default
    #[arg(long, value_delimiter = ',', value_name = "CONTEXTS")]
    pub(crate) clusters: Vec<String>,
    /// File with credentials, mode 0600
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials: Option<PathBuf>,
    /// Name of the credentials entry that opens the roots
    #[arg(long, value_name = "NAME")]
    pub(crate) root_credentials: Option<String>,
    /// Name of this installation; two installations in one cluster need two names
    #[arg(long, default_value = "plumb", value_name = "NAME")]
    pub(crate) installation: String,
    /// Folder for the repository cache and the history; `$XDG_STATE_HOME/plumb` or `~/.local/state/plumb` when left out
    #[arg(long, value_name = "FOLDER")]
    pub(crate) state: Option<PathBuf>,
    /// Address for push notifications, health and metrics; nothing is listened on when left out
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// File with the secret that signs push notifications, mode 0600
    #[arg(long, value_name = "FILE")]
    pub(crate) hook_secret: Option<PathBuf>,
    /// File with the key that encrypts Secrets kept for rollback, mode 0600
    #[arg(long, value_name = "FILE")]
    pub(crate) history_key: Option<PathBuf>,
    /// How often sources are asked for news when nothing pushes
    #[arg(long, default_value = "1m", value_name = "DURATION", value_parser = crate::moment::duration)]
    pub(crate) poll: Duration,
    /// Requests per second to each cluster
    #[arg(long, default_value_t = 2000, value_name = "NUMBER")]
    pub(crate) qps: u32,
    /// Let units that name no service account act with the operator's own rights
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set, value_name = "BOOL")]
    pub(crate) platform_account: bool,
    /// How much is written to stderr
    #[arg(long, value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL", env = "PLUMB_LOG", hide_env_values = true)]
    pub(crate) log: LogLevel,
}

/// How much a log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    /// What went wrong
    Error,
    /// And what may
    Warn,
    /// And what happens
    Info,
    /// And why
    Debug,
    /// Everything
    Trace,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}
