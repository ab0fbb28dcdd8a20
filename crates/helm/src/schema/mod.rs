//! Owns `values.schema.json`: the values of a chart, and of the charts in it, against the JSON schemas they bring
//! (helm: pkg/chart/common/util/jsonschema.go over santhosh-tekuri/jsonschema v6). Must not read anything but the schema it is given: a `$ref`
//! that leads out of it is an error.
//!
//! No crate does this here: those that are kept (`boon`, `jsonschema`) seed their hash maps from the machine's randomness, have no limit to
//! how deep or how often schemas lead to schemas, and read regular expressions in another dialect than Helm.

mod check;
mod compile;
mod decimal;
mod draft;
mod format;
mod json;
mod node;
mod reference;
mod violation;

#[cfg(test)]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests read recorded cases from disk and count them")]
mod tests;

use plumb_gotemplate::{Heap, MapId, O, Value};

pub use violation::Violation;

use crate::chart::File;
use crate::dependencies::Part;
use json::Json;

/// What a chart's values do not meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Name of the chart, or its alias.
    pub chart: String,
    /// Where its values are in those of the chart that is rendered: keys from there.
    pub at: Vec<String>,
    /// What is wrong at each place.
    pub violations: Vec<Violation>,
    /// Why nothing could be told: the schema cannot be used, or the values are no map.
    pub unusable: Option<String>,
}

impl Refused {
    /// Returns the text that Helm prints for the chart.
    fn text(&self) -> String {
        let name = &self.chart;
        match &self.unusable {
            Some(why) => format!("{name}:\n{why}"),
            None => format!("{name}:\n{}\n", violation::lines(&self.violations)),
        }
    }
}

/// What all charts of a render came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) refused: Vec<Refused>,
    pub(crate) warnings: Vec<String>,
}

impl Verdict {
    /// Returns what `ValidateAgainstSchema` says, after the words that Helm puts before it.
    pub(crate) fn message(&self) -> String {
        let texts: String = self.refused.iter().map(Refused::text).collect();
        format!("values don't meet the specifications of the schema(s) in the following chart(s):\n{texts}")
    }
}

/// A schema that was compiled.
pub(crate) struct Schema(compile::Compiled);

/// Compiles a schema. The error says why it cannot be used.
pub(crate) fn compile(schema: &[u8]) -> Result<Schema, String> {
    compile::compile(Json::read(schema)?).map(Schema)
}

/// Finds the schema that a file was compiled to.
pub(crate) type Find<'f> = dyn Fn(&File) -> Result<&'f Schema, String> + 'f;

/// Checks the values of a chart and of the charts in it.
pub(crate) fn check(heap: &Heap, part: &Part<'_>, values: MapId, find: &Find<'_>) -> Verdict {
    let mut verdict = Verdict::default();
    each(heap, part, values, find, &[], &mut verdict);
    verdict
}

fn each(heap: &Heap, part: &Part<'_>, values: MapId, find: &Find<'_>, at: &[String], verdict: &mut Verdict) {
    let refused = |violations, unusable| Refused { chart: part.metadata.name.clone(), at: at.to_vec(), violations, unusable };
    if let Some(file) = &part.chart.schema {
        match find(file).and_then(|schema| one(heap, schema, values, &mut verdict.warnings)) {
            Ok(violations) if violations.is_empty() => {}
            Ok(mut violations) => {
                violations.iter_mut().for_each(|violation| hide(heap, values, violation));
                verdict.refused.push(refused(violations, None));
            }
            Err(why) => verdict.refused.push(refused(Vec::new(), Some(why))),
        }
    }
    for inner in &part.inner {
        let name = &inner.metadata.name;
        let below = heap.find_sym(name.as_bytes()).and_then(|key| heap.get(values).get(key)).map(|entry| entry.value);
        let at = [at, std::slice::from_ref(name)].concat();
        match below {
            None | Some(Value::Nil(_)) => {}
            Some(Value::Map(_, below)) => each(heap, inner, below, find, &at, verdict),
            Some(other) => {
                let why = format!("invalid type for values: expected object (map), got {}\n", heap.type_name(other));
                verdict.refused.push(Refused { chart: name.clone(), at, violations: Vec::new(), unusable: Some(why) });
            }
        }
    }
}

/// Takes the value out of what is said of one that is secret.
fn hide(heap: &Heap, values: MapId, violation: &mut Violation) {
    let below = |value: Option<Value>, name: &String| match value? {
        Value::Map(_, map) => heap.get(map).get(heap.find_sym(name.as_bytes())?).map(|entry| entry.value),
        Value::List(_, _, items) => heap.items(items).get(name.parse::<usize>().ok()?).copied(),
        _ => None,
    };
    let value = violation.path.iter().fold(Some(Value::Map(O::NONE, values)), below);
    let is_secret = value.is_some_and(|value| !matches!(value, Value::Map(..) | Value::List(..)) && value.origin().is_secret());
    if is_secret && !violation.message.starts_with("got ") {
        violation.message = "a value that is secret does not meet this".to_owned();
    }
    violation.causes.iter_mut().for_each(|cause| hide(heap, values, cause));
}

/// Checks values against one schema. The error says why the schema cannot be used.
pub(crate) fn one(heap: &Heap, Schema(compiled): &Schema, values: MapId, warnings: &mut Vec<String>) -> Result<Vec<Violation>, String> {
    warnings.extend(compiled.warnings.iter().cloned());
    check::check(compiled, &Json::of_map(heap, values, 0)?)
}

/// Returns what Helm's linter says of values against one schema.
pub(crate) fn single_message(heap: &Heap, schema: &[u8], values: MapId) -> Result<(), String> {
    match one(heap, &compile(schema)?, values, &mut Vec::new())? {
        violations if violations.is_empty() => Ok(()),
        violations => Err(format!("{}\n", violation::lines(&violations))),
    }
}
