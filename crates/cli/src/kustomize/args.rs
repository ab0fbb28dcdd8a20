//! Owns the flags of `plumb kustomize`: kustomize's own names and meanings.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Work with kustomizations, without kustomize
#[derive(Debug, Parser)]
#[command(name = "plumb kustomize", bin_name = "plumb kustomize", disable_help_subcommand = true)]
pub(super) struct Kustomize {
    /// What to do
    #[command(subcommand)]
    pub(super) command: KustomizeCommand,
}

/// What `kustomize` does.
#[derive(Debug, Subcommand)]
pub(super) enum KustomizeCommand {
    /// Print what a kustomization builds to, as `kustomize build` does
    Build(Box<BuildArgs>),
}

/// Options of `kustomize build`.
#[derive(Debug, Args)]
pub(super) struct BuildArgs {
    /// Folder of the kustomization, or an address of one in a Git repository: `https://HOST/REPOSITORY//FOLDER?ref=NAME`
    #[arg(default_value = ".", value_name = "DIR")]
    pub(super) path: String,
    /// File or folder to write to instead of stdout; in a folder each object gets a file
    #[arg(short, long, value_name = "PATH")]
    pub(super) output: Option<PathBuf>,
    /// Whether a kustomization may name files outside its folder
    #[arg(long, value_enum, value_name = "RULE", default_value = "LoadRestrictionsRootOnly")]
    pub(super) load_restrictor: LoadRestrictor,
    /// Order of the objects, unless the kustomization's `sortOptions` say it
    #[arg(long, value_enum, value_name = "ORDER")]
    pub(super) reorder: Option<Reorder>,
    /// Label objects with who built them
    #[arg(long)]
    pub(super) enable_managedby_label: bool,
    /// Render the charts that kustomizations name
    #[arg(long)]
    pub(super) enable_helm: bool,
    /// Not used: charts are rendered here
    #[arg(long, value_name = "PATH", hide = true)]
    pub(super) helm_command: Option<String>,
    /// API that charts are told is there
    #[arg(long, value_name = "API")]
    pub(super) helm_api_versions: Vec<String>,
    /// Kubernetes version that charts are told
    #[arg(long, value_name = "VERSION")]
    pub(super) helm_kube_version: Option<String>,
    /// Not used: an error says all there is
    #[arg(long, hide = true)]
    pub(super) helm_debug: bool,
    /// Not there: Plumb runs nothing on behalf of a kustomization
    #[arg(long, hide = true)]
    pub(super) enable_alpha_plugins: bool,
    /// Not there: Plumb runs nothing on behalf of a kustomization
    #[arg(long, hide = true)]
    pub(super) enable_exec: bool,
    /// Of functions, which are not there
    #[arg(long, hide = true)]
    pub(super) network: bool,
    /// Of functions, which are not there
    #[arg(long, hide = true, value_name = "NAME")]
    pub(super) network_name: Option<String>,
    /// Of functions, which are not there
    #[arg(long, hide = true, value_name = "MOUNT")]
    pub(super) mount: Vec<String>,
    /// Of functions, which are not there
    #[arg(short, long, hide = true, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// Of functions, which are not there
    #[arg(long, hide = true)]
    pub(super) as_current_user: bool,
}

/// Where files may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LoadRestrictor {
    /// In or below the folder of the kustomization that names them
    #[value(name = "LoadRestrictionsRootOnly")]
    RootOnly,
    /// Anywhere
    #[value(name = "LoadRestrictionsNone", alias = "none")]
    Anywhere,
}

impl LoadRestrictor {
    /// Returns whether files must lie below the kustomization that names them.
    pub(crate) fn is_restricted(self) -> bool {
        self == Self::RootOnly
    }
}

/// The order of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Reorder {
    /// Namespaces first, webhooks last, and so on
    Legacy,
    /// As they were gathered
    None,
}
