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
    Template(Box<TemplateArgs>),
    /// Manage what a chart needs
    #[command(subcommand, aliases = ["dep", "dependencies"])]
    Dependency(DependencyCommand),
    /// Fetch a chart from a repository or registry
    #[command(alias = "fetch")]
    Pull(PullArgs),
    /// Look for what is wrong in charts, as `helm lint` does
    Lint(LintArgs),
    /// Print what is in a chart, as `helm show` does
    #[command(subcommand, alias = "inspect")]
    Show(ShowCommand),
}

/// Values on the command line.
#[derive(Debug, Args)]
pub(crate) struct ValuesArgs {
    /// File of values; later ones go over earlier ones
    #[arg(short = 'f', long, value_name = "FILE", value_delimiter = ',')]
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
    /// Do not hold values against `values.schema.json`
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) skip_schema_validation: bool,
    /// Kubernetes version that the chart is told
    #[arg(long, value_name = "VERSION")]
    pub(crate) kube_version: Option<String>,
}

impl ValuesArgs {
    /// Returns whether no values are given.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
            && [&self.set, &self.set_string, &self.set_file, &self.set_json, &self.set_literal].iter().all(|texts| texts.is_empty())
    }
}

/// A switch as Go's flags read it: `--switch`, `--switch=false`.
fn truth(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(format!("{other:?} is neither true nor false")),
    }
}

/// Options of `helm template`.
#[derive(Debug, Args)]
pub(crate) struct TemplateArgs {
    /// Name of the release, and the chart: a folder, a .tgz, `oci://HOST/PATH/CHART`, the URL of a .tgz, or a name with `--repo`; the chart alone where
    /// there is one word
    #[arg(value_name = "[NAME] CHART", required = true)]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    /// Bring `charts/` to what Chart.yaml asks for first, if something is missing
    #[arg(long)]
    pub(crate) dependency_update: bool,
    #[command(flatten)]
    pub(crate) given: ValuesArgs,
    /// Print what is in `crds/` too
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) include_crds: bool,
    /// Leave out hooks
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) no_hooks: bool,
    /// Leave out hooks that are tests
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) skip_tests: bool,
    /// API that the chart is told is there: `group/version` or `group/version/Kind`
    #[arg(short, long, value_name = "API", value_delimiter = ',')]
    pub(crate) api_versions: Vec<String>,
    /// Tell the chart that it is an upgrade
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) is_upgrade: bool,
    /// Print only what comes of these templates: a path in the chart, with `*`
    #[arg(short, long, value_name = "PATH")]
    pub(crate) show_only: Vec<String>,
    /// Write files into a folder instead of printing
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Put the name of the release into the paths of those files
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) release_name: bool,
    /// Template that gives the name of the release
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) name_template: Option<String>,
    /// Take no name of a release
    #[arg(short, long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) generate_name: bool,
    /// Let charts look up addresses of hosts
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) enable_dns: bool,
    /// Print what is no YAML too
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) debug: bool,
    /// `client`: there is no other way here
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "unset", conflicts_with = "validate")]
    pub(crate) dry_run: Option<String>,
    /// Refused: no cluster is asked
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) validate: bool,
    /// Refused: nothing is executed
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) post_renderer: Option<String>,
    /// Labels of the release, which is not made
    #[arg(short, long, hide = true, value_delimiter = ',', value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) unused: UnusedArgs,
}

/// Flags of `helm template` that mean something only where a cluster is.
#[derive(Debug, Args)]
pub(crate) struct UnusedArgs {
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    create_namespace: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    force: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    force_replace: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    force_conflicts: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    server_side: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    replace: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    wait_for_jobs: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    disable_openapi_validation: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    rollback_on_failure: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    atomic: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    skip_crds: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    render_subchart_notes: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    hide_notes: bool,
    #[arg(long, hide = true, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    take_ownership: bool,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    wait: Option<String>,
    #[arg(long, hide = true)]
    timeout: Option<String>,
    #[arg(long, hide = true)]
    description: Option<String>,
}

/// Options of `helm lint`.
#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Charts: folders or .tgz
    #[arg(value_name = "CHART", required = true)]
    pub(crate) charts: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) given: ValuesArgs,
    /// Fail on warnings too
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) strict: bool,
    /// Look at the charts in `charts/` too
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) with_subcharts: bool,
    /// Print warnings and errors only
    #[arg(long, value_parser = truth, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, hide_possible_values = true)]
    pub(crate) quiet: bool,
}

/// What `helm show` shows.
#[derive(Debug, Subcommand)]
pub(crate) enum ShowCommand {
    /// Print all there is
    All(ShowArgs),
    /// Print the readme
    Readme(ShowArgs),
    /// Print values.yaml
    Values(ShowArgs),
    /// Print Chart.yaml
    Chart(ShowArgs),
    /// Print the definitions of `crds/`
    Crds(ShowArgs),
}

/// Options of `helm show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Chart: a folder, a .tgz, `oci://HOST/PATH/CHART`, the URL of a .tgz, or a name with `--repo`
    pub(crate) chart: String,
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
}
