//! Owns how `helm template` names the release (helm: pkg/action/install.go, NameAndChart).

use std::sync::Arc;

use plumb_gotemplate::{Exec, Functions, Heap, Limits, MissingKey, O, Options, Scope, Traced, Value, parse};

use super::args::TemplateArgs;
use super::machine::Machine;
use crate::problem::Problem;

/// What a release is called where nobody names it.
const UNNAMED: &str = "release-name";
/// The name of the template that gives a name.
const TEMPLATE: &[u8] = b"name-template";

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
    let limits = Limits::default();
    let functions = Functions::sprig();
    let mut heap = Heap::new(false, limits.heap_bytes);
    let name = heap.sym(TEMPLATE);
    let mut scope = Scope::new(name);
    let text = heap.push(template.as_bytes(), O::NONE);
    let told = |message: &[u8]| Problem::new(String::from_utf8_lossy(message).into_owned());
    parse(&mut heap, &functions, &mut scope, name, text, None).map_err(|message| told(&message))?;
    let mut machine = Machine::default();
    let mut exec = Exec::new(heap, &functions, &mut machine, Options { missing_key: MissingKey::Invalid, lint: false, limits });
    let mut out = Traced::default();
    exec.render(&Arc::new(scope), name, Value::NIL, &mut out).map_err(|error| told(&error.message))?;
    Ok(String::from_utf8_lossy(&out.bytes).into_owned())
}
