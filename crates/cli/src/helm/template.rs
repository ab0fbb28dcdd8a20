//! Owns `helm template`: gathers what is rendered from flags and files, and prints what comes of it.

use std::path::Path;

use plumb_helm::{Chart, Form, Options, ValuesFile, render};

use super::args::TemplateArgs;
use super::dependency;
use super::folder::{find_chart, read};
use super::machine::Machine;
use crate::args::{Format, Global};
use crate::printer::Printer;
use crate::problem::{DONE, Done, Problem};

/// Prints what a chart renders to.
pub(super) fn run(printer: &Printer, global: &Global, args: &TemplateArgs) -> Done {
    if matches!(global.output, Some(Format::Json | Format::Yaml | Format::Name)) {
        return Err(Problem::usage("`helm template` prints documents as the chart wrote them: it has no `--output`"));
    }
    let (release, place) = match &args.chart {
        Some(chart) => (args.name.as_str(), chart),
        None => ("release-name", &args.name),
    };
    let chart = whole_chart(printer, place, args)?;
    let mut values = Vec::new();
    for path in &args.values {
        values.push(ValuesFile { name: path.display().to_string(), content: read(path)?.into(), secret: false });
    }
    // Helm's order, whatever the order on the command line is.
    let forms = [
        (Form::Json, &args.set_json),
        (Form::Typed, &args.set),
        (Form::Text, &args.set_string),
        (Form::File, &args.set_file),
        (Form::Literal, &args.set_literal),
    ];
    let arguments: Vec<(Form, String)> =
        forms.into_iter().flat_map(|(form, texts)| texts.iter().map(move |text| (form, text.clone()))).collect();
    let read_file = |name: &str| read(Path::new(name)).map_err(|problem| problem.message);
    let mut options = Options {
        release,
        namespace: global.namespace.as_deref().unwrap_or("default"),
        values: &values,
        arguments: &arguments,
        read_file: Some(&read_file),
        is_upgrade: args.is_upgrade,
        ..Options::default()
    };
    if let Some(version) = &args.kube_version {
        options.capabilities.set_kube_version(version).map_err(Problem::usage)?;
    }
    options.capabilities.api_versions.extend(args.api_versions.iter().cloned());
    let mut rendered = render(&chart, &options, &mut Machine).map_err(|error| {
        let problem = Problem::new(error.message.clone());
        match error.place {
            Some((template, line, column)) if !error.message.contains(&format!("{template}:{line}:{column}")) => {
                problem.hint(format!("It happens at {template}:{line}:{column}."))
            }
            _ => problem,
        }
    })?;
    rendered.hooks.retain(|hook| !(args.no_hooks || args.skip_tests && hook.events.contains(&"test")));
    printer.data(&rendered.text(args.include_crds))?;
    Ok(DONE)
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
