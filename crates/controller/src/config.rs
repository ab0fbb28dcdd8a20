//! Owns reading the operator's own small configuration files, in YAML or JSON.

use plumb_yaml::{Options, parse, to_json};
use serde::de::DeserializeOwned;

/// Reads one document into a type. The error holds the parser's words and never a value of the file.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let stream = parse(text, &Options::default());
    let mut json = Vec::new();
    for document in stream.documents() {
        let document = document.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        to_json(document.root(), &mut json).map_err(|error| error.to_string())?;
    }
    serde_json::from_slice(&json).map_err(|error| category(&error).to_owned())
}

/// serde's own message may quote what it found.
fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "a field is unknown or has another type",
        serde_json::error::Category::Syntax => "there is more than one document",
        serde_json::error::Category::Eof => "it is empty",
        serde_json::error::Category::Io => "it cannot be read",
    }
}
