//! Owns how a release is named that nobody names (helm: pkg/action/install.go, NameAndChart, TemplateName).

use std::sync::Arc;

use plumb_gotemplate::{Exec, Functions, Heap, Host, Limits, MissingKey, O, Options, Scope, Traced, Value, parse};

/// What a release is called where nobody names it.
pub const UNNAMED: &str = "release-name";
/// The name of the template that gives a name.
const TEMPLATE: &[u8] = b"name-template";

/// Executes a template that gives a name, with Sprig's functions and nothing else. The error is Go's message.
pub fn name_of_template(template: &str, host: &mut dyn Host) -> Result<String, String> {
    let limits = Limits::default();
    let functions = Functions::sprig();
    let mut heap = Heap::new(false, limits.heap_bytes);
    let name = heap.sym(TEMPLATE);
    let mut scope = Scope::new(name);
    let text = heap.push(template.as_bytes(), O::NONE);
    let told = |message: &[u8]| String::from_utf8_lossy(message).into_owned();
    parse(&mut heap, &functions, &mut scope, name, text, None).map_err(|message| told(&message))?;
    let mut exec = Exec::new(heap, &functions, host, Options { missing_key: MissingKey::Invalid, lint: false, limits });
    let mut out = Traced::default();
    exec.render(&Arc::new(scope), name, Value::NIL, &mut out).map_err(|error| told(&error.message))?;
    Ok(String::from_utf8_lossy(&out.bytes).into_owned())
}
