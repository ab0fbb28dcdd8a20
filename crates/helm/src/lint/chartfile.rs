//! Owns what the linter says of Chart.yaml (helm: pkg/chart/v2/lint/rules/chartfile.go).

use plumb_go::semver::{Constraints, Version};
use plumb_go::strconv::quote;
use plumb_yaml::{Kind, NodeRef, Options, parse};

use super::addresses::{is_email, is_request_url, is_url};
use super::{Findings, Severity};
use crate::metadata::Metadata;

const PLACE: &str = "Chart.yaml";

const FIELDS: [&str; 17] = [
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];
const MAINTAINER: [&str; 3] = ["name", "email", "url"];
const DEPENDENCY: [&str; 8] = ["name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias"];

type Checked = Result<(), String>;

fn wrong(message: impl Into<String>) -> Checked {
    Err(message.into())
}

pub(super) fn check(file: &[u8], findings: &mut Findings) {
    let mut chart = Metadata::default();
    let read = chart.read(file).map_err(|error| format!("unable to parse YAML\n\t{error}"));
    if !findings.check(Severity::Error, PLACE, read) {
        return;
    }
    let strict = strictly(file).map_err(|error| format!("failed to strictly parse chart metadata file\n\t{error}"));
    findings.check(Severity::Warning, PLACE, strict);
    let mut all = |severity, result: Checked| findings.check(severity, PLACE, result);
    all(Severity::Error, name(&chart));
    all(Severity::Error, api_version(&chart));
    all(Severity::Error, is_text(file, "version"));
    all(Severity::Error, version(&chart));
    all(Severity::Error, is_text(file, "appVersion"));
    all(Severity::Error, maintainers(&chart));
    all(Severity::Error, sources(&chart));
    all(Severity::Info, if chart.icon.is_empty() { wrong("icon is recommended") } else { Ok(()) });
    all(Severity::Error, icon(&chart));
    all(Severity::Error, kind(&chart));
    all(Severity::Error, dependencies(&chart));
    let strict =
        Version::parse_strict(&chart.version).map(|_| ()).map_err(|_| format!("version '{}' is not a valid SemVerV2", chart.version));
    all(Severity::Warning, strict);
}

/// Reads the file as Go's `UnmarshalStrict` does: no key twice, none that nobody knows.
fn strictly(file: &[u8]) -> Checked {
    let stream = parse(file, &Options::default().strict());
    let Some(document) = stream.documents().next() else { return Ok(()) };
    let document = document.map_err(|errors| {
        let mut lines = errors.iter().map(ToString::to_string);
        let first = lines.next().unwrap_or_default();
        let rest: String = lines.filter_map(|line| Some(format!("\n{}", line.split_once('\n')?.1))).collect();
        format!("error converting YAML to JSON: {first}{rest}")
    })?;
    unknown(document.root(), &FIELDS)
        .map_or(Ok(()), |name| wrong(format!("error unmarshaling JSON: while decoding JSON: json: unknown field {}", quote(name))))
}

/// The first key that is no field; in the order of keys, as they are JSON in between.
fn unknown<'d>(map: NodeRef<'d>, fields: &[&str]) -> Option<&'d str> {
    let mut entries: Vec<_> = map.entries().collect();
    entries.sort_by_key(plumb_yaml::Entry::name);
    entries.into_iter().find_map(|entry| {
        let name = entry.name();
        if !fields.iter().any(|field| field.eq_ignore_ascii_case(name)) {
            return Some(name);
        }
        match name {
            "maintainers" => entry.value.items().find_map(|item| unknown(item, &MAINTAINER)),
            "dependencies" => entry.value.items().find_map(|item| unknown(item, &DEPENDENCY)),
            _ => None,
        }
    })
}

fn is_text(file: &[u8], key: &str) -> Checked {
    let stream = parse(file, &Options::default());
    let Some(Ok(document)) = stream.documents().next() else { return Ok(()) };
    let Some(value) = document.root().get(key) else { return Ok(()) };
    let word = match value.kind() {
        Kind::Str => return Ok(()),
        Kind::Null => "<nil>",
        Kind::Bool => "bool",
        Kind::Map => "map[string]interface {}",
        Kind::List => "[]interface {}",
        _ => "float64",
    };
    wrong(format!("{key} should be of type string but it's of type {word}"))
}

fn name(chart: &Metadata) -> Checked {
    if chart.name.is_empty() {
        return wrong("name is required");
    }
    let base = String::from_utf8_lossy(plumb_go::path::base(chart.name.as_bytes())).into_owned();
    if base == chart.name { Ok(()) } else { wrong(format!("chart name {} is invalid", quote(&chart.name))) }
}

fn api_version(chart: &Metadata) -> Checked {
    match chart.api_version.as_str() {
        "v1" | "v2" => Ok(()),
        "" => wrong("apiVersion is required. The value must be either \"v1\" or \"v2\""),
        other => wrong(format!("apiVersion '{other}' is not valid. The value must be either \"v1\" or \"v2\"")),
    }
}

fn version(chart: &Metadata) -> Checked {
    if chart.version.is_empty() {
        return wrong("version is required");
    }
    let Ok(version) = Version::parse(&chart.version) else {
        return wrong(format!("version '{}' is not a valid SemVer", chart.version));
    };
    let above_zero = Constraints::parse(">0.0.0-0").map_err(|error| error.to_string())?;
    match above_zero.validate(&version).first() {
        Some(message) => wrong(format!("version {message}")),
        None => Ok(()),
    }
}

fn maintainers(chart: &Metadata) -> Checked {
    for one in &chart.maintainers {
        if chart.has_null_maintainer && one.name.is_empty() && one.email.is_empty() && one.url.is_empty() {
            return wrong("a maintainer entry is empty");
        }
        if one.name.is_empty() {
            return wrong("each maintainer requires a name");
        }
        if !one.email.is_empty() && !is_email(&one.email) {
            return wrong(format!("invalid email '{}' for maintainer '{}'", one.email, one.name));
        }
        if !one.url.is_empty() && !is_url(&one.url) {
            return wrong(format!("invalid url '{}' for maintainer '{}'", one.url, one.name));
        }
    }
    Ok(())
}

fn sources(chart: &Metadata) -> Checked {
    match chart.sources.iter().find(|source| !is_request_url(source)) {
        Some(source) => wrong(format!("invalid source URL '{source}'")),
        None => Ok(()),
    }
}

fn icon(chart: &Metadata) -> Checked {
    if chart.icon.is_empty() || is_request_url(&chart.icon) { Ok(()) } else { wrong(format!("invalid icon URL '{}'", chart.icon)) }
}

fn kind(chart: &Metadata) -> Checked {
    if chart.kind.is_empty() || chart.api_version == "v2" {
        return Ok(());
    }
    wrong(format!("chart type is not valid in apiVersion '{}'. It is valid in apiVersion 'v2'", chart.api_version))
}

fn dependencies(chart: &Metadata) -> Checked {
    if chart.dependencies.is_empty() || chart.api_version == "v2" {
        return Ok(());
    }
    let version = &chart.api_version;
    wrong(format!("dependencies are not valid in the Chart file with apiVersion '{version}'. They are valid in apiVersion 'v2'"))
}
