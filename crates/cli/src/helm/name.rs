//! Owns how `helm template` names the release (helm: pkg/action/install.go, NameAndChart).

use plumb_helm::{UNNAMED, name_of_template};

use super::args::TemplateArgs;
use super::machine::Machine;
use crate::problem::Problem;

/// Returns the name of the release and the chart.
pub(super) fn name_and_chart(args: &TemplateArgs) -> Result<(String, &str), Problem> {
    match args.words.as_slice() {
        [_, _] if args.generate_name => Err(Problem::new("cannot set --generate-name and also specify a name")),
        [_, _] if args.name_template.is_some() => Err(Problem::new("cannot set --name-template and also specify a name")),
        [name, chart] => Ok((name.clone(), chart)),
        [chart] => match args.name_template.as_deref().filter(|template| !template.is_empty()) {
            Some(template) => Ok((from_template(template)?, chart)),
            None => Ok((UNNAMED.to_owned(), chart)),
        },
        [_, _, more @ ..] => Err(Problem::new(format!("expected at most two arguments, unexpected arguments: {}", more.join(", ")))),
        [] => Err(Problem::new("`helm template` needs a chart")),
    }
}

/// Executes a template with Sprig's functions and nothing else.
fn from_template(template: &str) -> Result<String, Problem> {
    name_of_template(template, &mut Machine::default()).map_err(Problem::new)
}
