//! Owns how Helm 4 tells of templates that do not parse or run (helm: pkg/engine/engine.go).

use plumb_go::strconv::quote_bytes;
use plumb_gotemplate::{ErrorSite, FailureKind, RenderError};

use crate::render::Error;

/// Tells of a template that does not parse (`cleanupParseError`).
pub(crate) fn parse_error(message: &[u8]) -> Error {
    let message = String::from_utf8_lossy(message).into_owned();
    let parts: Vec<&str> = message.split(": ").collect();
    match parts.as_slice() {
        [_, location, .., last] => format!("parse error at ({location}): {last}").into(),
        _ => message.into(),
    }
}

/// Tells of a template that does not run (`reformatExecErrorMsg`): in one line where the chart itself refuses, and in several where each
/// template on the way can be told.
pub(crate) fn exec_error(error: &RenderError) -> Error {
    let message = String::from_utf8_lossy(&error.message).into_owned();
    let place = error.sites.first().map(|site| (site.source.clone(), site.line, site.column));
    let told = message.split_once("HELM_ERR_START").and_then(|(_, rest)| Some(rest.rsplit_once("HELM_ERR_END")?.0.to_owned()));
    let location = message.split(": ").nth(1).map(str::to_owned);
    let message = match (told, location) {
        (Some(told), Some(location)) => format!("execution error at ({location}): {told}"),
        _ if error.sites.is_empty() => message,
        _ => in_lines(&message, &error.sites).unwrap_or(message),
    };
    Error { asked: error.kind == FailureKind::Asked, place, ..message.into() }
}

/// What Helm makes of one error of a chain.
#[derive(PartialEq, Eq)]
struct Told {
    location: String,
    function: String,
    message: String,
}

/// Tells each error of a chain on lines of its own; nothing where one of them is not of templates.
fn in_lines(message: &str, sites: &[ErrorSite]) -> Option<String> {
    let mut chain: Vec<Told> = Vec::new();
    let mut rest = Some(message);
    while let Some(error) = rest {
        let told = parsed(error)?;
        if chain.last() != Some(&told) {
            chain.push(told);
        }
        rest = cause(error, sites);
    }
    let line = |told: &Told| {
        let mut out = String::new();
        if !told.location.is_empty() {
            out.push_str(&format!("{}\n  ", told.location));
        }
        if !told.function.is_empty() {
            out.push_str(&format!("{}\n    ", told.function));
        }
        if !told.message.is_empty() {
            out.push_str(&format!("{}\n", told.message));
        }
        out
    };
    Some(chain.iter().map(line).collect::<String>().trim().to_owned())
}

/// The error that one wraps: what a function that was called gave.
fn cause<'m>(error: &'m str, sites: &[ErrorSite]) -> Option<&'m str> {
    let own = sites.iter().find_map(|site| {
        let template = quote_bytes(site.template.as_bytes());
        let begin = format!("template: {}:{}:{}: executing {template} at <{}>: ", site.source, site.line, site.column, site.node);
        error.strip_prefix(begin.as_str())
    })?;
    own.strip_prefix("error calling ")?.split_once(": ").map(|(_, cause)| cause)
}

/// Reads an error of text/template back (`parseTemplateExecErrorString`).
fn parsed(error: &str) -> Option<Told> {
    let rest = error.strip_prefix("template: ")?;
    let told = |location: &str, function: String, message: &str| Told {
        location: location.to_owned(),
        function,
        message: message.split(" template:").next().unwrap_or_default().to_owned(),
    };
    if rest.starts_with("no template ") {
        return Some(Told { location: String::new(), function: String::new(), message: error.to_owned() });
    }
    let executing = rest.split_once(": executing ").and_then(|(name, after)| {
        let (function, after) = after.strip_prefix('"')?.split_once('"')?;
        let (location, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
        Some(told(name, format!("executing \"{function}\" at <{location}>:"), message))
    });
    executing.or_else(|| rest.rsplit_once(": ").map(|(name, message)| told(name, String::new(), message)))
}
