//! Owns `helm template`: gathers what is rendered from flags and files, and prints what comes of it.

use std::path::Path;

use plumb_helm::{Chart, Error, Options, Rendered, render};

use super::args::TemplateArgs;
use super::dependency;
use super::folder::find_chart;
use super::given::{Given, read_file, tell};
use super::machine::Machine;
use super::manifests;
use super::name::name_and_chart;
use super::named::report;
use super::threads::both;
use crate::args::{Format, Global};
use crate::printer::Printer;
use crate::problem::{DONE, Done, Problem};

/// Labels that Helm keeps for itself.
const OWN_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// Prints what a chart renders to.
pub(super) fn run(printer: &Printer, global: &Global, args: &TemplateArgs) -> Done {
    possible(printer, global, args)?;
    let (release, place) = name_and_chart(args)?;
    let chart = whole_chart(printer, place, args)?;
    let given = Given::read(&args.given)?;
    if chart.metadata.deprecated {
        printer.warning("this chart is deprecated");
    }
    let mut options = Options {
        release: &release,
        namespace: global.namespace.as_deref().unwrap_or("default"),
        values: &given.values,
        arguments: &given.arguments,
        read_file: Some(&read_file),
        is_upgrade: args.is_upgrade,
        skip_schema: args.given.skip_schema_validation,
        capabilities: given.capabilities,
        both: Some(&both),
        ..Options::default()
    };
    options.capabilities.api_versions.extend(args.api_versions.iter().cloned());
    match render(&chart, &options, &mut Machine { has_dns: args.enable_dns }) {
        Ok(rendered) => {
            tell(printer, &rendered.warnings);
            print(printer, args, &release, rendered)
        }
        Err(error) => {
            tell(printer, &error.warnings);
            let details = report(&chart, options, args.enable_dns, printer.color_err());
            failed(printer, args, error).map_err(|problem| Problem { details, ..problem })
        }
    }
}

/// Finds a chart with all that it needs, which `--dependency-update` brings in.
fn whole_chart(printer: &Printer, place: &str, args: &TemplateArgs) -> Result<Chart, Problem> {
    let chart = find_chart(printer, place, &args.remote)?;
    let missing = dependency::missing(&chart);
    if missing.is_empty() {
        return Ok(chart);
    }
    if !args.dependency_update || !Path::new(place).is_dir() {
        let message = format!(
            "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
            missing.join(", ")
        );
        return Err(Problem::new(message).hint("`--dependency-update` fetches them first."));
    }
    dependency::update(printer, Path::new(place), &args.remote.access, dependency::Told::Err)?;
    find_chart(printer, place, &args.remote)
}

/// Refuses what cannot be done here.
fn possible(printer: &Printer, global: &Global, args: &TemplateArgs) -> Result<(), Problem> {
    if matches!(global.output, Some(Format::Json | Format::Yaml | Format::Name)) {
        return Err(Problem::usage("`helm template` prints documents as the chart wrote them: it has no `--output`"));
    }
    let on_server = || {
        let problem = Problem::new("`plumb helm template` asks no cluster: there is neither `--validate` nor `--dry-run=server`");
        Err(problem.hint("`plumb apply PATH --dry-run` has a cluster look at what is rendered."))
    };
    match args.dry_run.as_deref() {
        _ if args.validate => return on_server(),
        None | Some("client") => {}
        Some("server") => return on_server(),
        Some("unset") => printer.warning("`--dry-run` is deprecated; it is `--dry-run=client`"),
        Some(text @ ("1" | "t" | "T" | "true" | "TRUE" | "True")) => {
            printer.warning(&format!("`--dry-run={text}` is deprecated; it is `--dry-run=client`"));
        }
        Some(text @ ("none" | "0" | "f" | "F" | "false" | "FALSE" | "False")) => {
            return Err(Problem::new(format!("invalid dry-run value ({text:?}). Must be \"server\" or \"client\"")));
        }
        Some(text) => return Err(Problem::new(format!("invalid dry-run value ({text:?}). Must be \"none\", \"server\", or \"client\""))),
    }
    if args.post_renderer.is_some() {
        let problem = Problem::new("`--post-renderer` is not there: Plumb runs no program on a chart's behalf");
        return Err(problem.hint("A unit's `kustomize` or `patch` step after its `helm` step changes what is rendered."));
    }
    let is_own = |label: &String| OWN_LABELS.contains(&label.split('=').next().unwrap_or_default());
    if args.labels.iter().any(is_own) {
        let own = OWN_LABELS.join(" ");
        return Err(Problem::new(format!("user supplied labels contains system reserved label name. System labels: [{own}]")));
    }
    Ok(())
}

fn print(printer: &Printer, args: &TemplateArgs, release: &str, mut rendered: Rendered) -> Done {
    rendered.hooks.retain(|hook| !(args.no_hooks || args.skip_tests && hook.events.contains(&"test")));
    let written = match &args.output_dir {
        Some(folder) if !folder.as_os_str().is_empty() => {
            manifests::write(printer, folder, args, release, &rendered)?;
            // Nothing is left to print, and Helm ends that with a line.
            Some("\n".to_owned())
        }
        _ => None,
    };
    if written.is_none() && args.show_only.is_empty() {
        printer.parts(|write| rendered.parts(args.include_crds, &mut |text| write(text.as_bytes())))?;
    } else {
        let text = written.unwrap_or_else(|| rendered.text(args.include_crds));
        let text = if args.show_only.is_empty() { text } else { manifests::shown_only(&text, &args.show_only)? };
        printer.data(&text)?;
    }
    // The process ends here: the system frees all of it at once.
    std::mem::forget(rendered);
    Ok(DONE)
}

fn failed(printer: &Printer, args: &TemplateArgs, error: Error) -> Done {
    let problem = Problem::new(error.message.clone());
    let Some(written) = &error.written else { return Err(problem) };
    if !args.debug {
        return Err(problem.hint("`--debug` prints what is no YAML too."));
    }
    let all: String = written.iter().map(|(source, content)| format!("---\n# Source: {source}\n{content}\n")).collect();
    let text = format!("{}\n", all.trim());
    let text = if args.show_only.is_empty() { text } else { manifests::shown_only(&text, &args.show_only).unwrap_or_default() };
    printer.data(&text)?;
    Err(problem)
}
