//! Owns the tests of reading: recorded answers of Go, hostile input, the public API, and the comparison with Go itself.
#![expect(clippy::unwrap_used, reason = "a test ends where it finds something else than it expects")]

mod api;
mod differential;
mod hostile;
mod limits;
mod property;
mod recorded;
mod writing;

use plumb_yaml::{Error, ErrorCode, Options, Stream, parse, to_json};

/// What Go says of a text's first document: its JSON, or the whole error.
type Answer = Result<String, String>;

/// The options, with the line reader or by tokens alone.
fn options(line_reader: bool) -> Options {
    let mut options = Options::default();
    options.line_reader = line_reader;
    options
}

/// One answer per document.
fn answers(stream: &Stream) -> Vec<Answer> {
    let answer = |document: Result<plumb_yaml::Document<'_>, &[Error]>| {
        let document = document.map_err(as_go_says)?;
        let mut json = Vec::new();
        to_json(document.root(), &mut json).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(json).unwrap())
    };
    stream.documents().map(answer).collect()
}

/// Go joins duplicate keys to one error, and names only the first of all others.
fn as_go_says(errors: &[Error]) -> String {
    let mut text = errors[0].to_string();
    for error in errors[1..].iter().filter(|error| error.code == ErrorCode::DuplicateKey) {
        text.push_str(error.to_string().trim_start_matches("yaml: unmarshal errors:"));
    }
    text
}

/// The first document's answer as `sigs.k8s.io/yaml` gives it: no document is null.
fn first(text: &[u8], options: &Options) -> Answer {
    answers(&parse(text, options)).into_iter().next().unwrap_or(Ok("null".to_owned()))
}
