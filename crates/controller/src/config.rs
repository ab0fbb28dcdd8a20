//! Owns reading the operator's own small configuration files, in YAML or JSON.

use serde::de::DeserializeOwned;

/// Reads one document into a type. The error holds the parser's words and never a value of the file.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    let json = plumb_yaml::to_json(text).map_err(|error| error.to_string())?;
    serde_json::from_slice(&json).map_err(|error| format!("{} error in line {}", category(&error), error.line()))
}

/// serde's own message may quote what it found.
fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "unknown field or wrong type:",
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof => "syntax",
        serde_json::error::Category::Io => "read",
    }
}
