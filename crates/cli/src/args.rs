//! Owns the command line's grammar: what may be typed, and nothing of what it does.

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
    #[cfg(feature = "operator")]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) kubeconfig: Option<std::path::PathBuf>,
    /// Kubeconfig context; its current one when left out
    #[cfg(feature = "operator")]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// Socket of the running `plumb serve`
    #[cfg(feature = "operator")]
    #[arg(long, global = true, value_name = "FILE", env = "PLUMB_SOCKET", hide_env_values = true)]
    pub(crate) socket: Option<std::path::PathBuf>,
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
    /// What needs a cluster or a running operator
    #[cfg(feature = "operator")]
    #[command(flatten)]
    Operator(crate::operator::OperatorCommand),
    /// The same of a build without it: nothing but why there is none
    #[cfg(not(feature = "operator"))]
    #[command(flatten)]
    Operator(crate::absent::AbsentCommand),
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
    #[cfg_attr(feature = "operator", doc = "Folder, file, or unit of the running `plumb serve`")]
    #[cfg_attr(not(feature = "operator"), doc = "Folder or file")]
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
