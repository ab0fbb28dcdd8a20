//! Owns the flags of `plumb helm`: Helm's own names and meanings.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::dependency::DependencyCommand;
use super::pull::PullArgs;
use super::remote::RemoteArgs;

/// What `helm` does.
#[derive(Debug, Subcommand)]
pub(crate) enum HelmCommand {
    /// Print what a chart renders to, as `helm template` does
    Template(TemplateArgs),
    /// Manage what a chart needs
    #[command(subcommand, aliases = ["dep", "dependencies"])]
    Dependency(DependencyCommand),
    /// Fetch a chart from a repository or registry
    #[command(alias = "fetch")]
    Pull(PullArgs),
}

/// Options of `helm template`.
#[derive(Debug, Args)]
pub(crate) struct TemplateArgs {
    /// Name of the release; the chart where there is no second word
    pub(crate) name: String,
    /// Chart: a folder, a .tgz, `oci://HOST/PATH/CHART`, the URL of a .tgz, or a name with `--repo`
    pub(crate) chart: Option<String>,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Bring `charts/` to what Chart.yaml asks for first, if something is missing
    #[arg(long)]
    pub(crate) dependency_update: bool,
    /// File of values; later ones go over earlier ones
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) values: Vec<PathBuf>,
    /// Value over the files: `a.b[0]=text,c=1`; truths, `null` and whole numbers are such
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The same, always a text
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set_string: Vec<String>,
    /// The same, with the content of a file as the value
    #[arg(long, value_name = "KEY=FILE")]
    pub(crate) set_file: Vec<String>,
    /// The same, with JSON as the value; or a whole JSON object
    #[arg(long, value_name = "KEY=JSON")]
    pub(crate) set_json: Vec<String>,
    /// One value as it stands, whatever characters are in it
    #[arg(long, value_name = "KEY=TEXT")]
    pub(crate) set_literal: Vec<String>,
    /// Print what is in `crds/` too
    #[arg(long)]
    pub(crate) include_crds: bool,
    /// Leave out hooks
    #[arg(long)]
    pub(crate) no_hooks: bool,
    /// Leave out hooks that are tests
    #[arg(long)]
    pub(crate) skip_tests: bool,
    /// Kubernetes version that the chart is told
    #[arg(long, value_name = "VERSION")]
    pub(crate) kube_version: Option<String>,
    /// API that the chart is told is there: `group/version` or `group/version/Kind`
    #[arg(short, long, value_name = "API", value_delimiter = ',')]
    pub(crate) api_versions: Vec<String>,
    /// Tell the chart that it is an upgrade
    #[arg(long)]
    pub(crate) is_upgrade: bool,
}
