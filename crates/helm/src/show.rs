//! Owns what `helm show` prints of a chart (helm: pkg/action/show.go).

use plumb_yaml::{Dialect, Options, parse, to_yaml};
use serde_json::{Map, Value, json};

use crate::chart::{Chart, File};
use crate::metadata::{Dependency, Metadata};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// Everything.
    All,
    /// Chart.yaml, as Helm understands it.
    Chart,
    /// values.yaml as it stands.
    Values,
    /// The readme.
    Readme,
    /// The definitions of `crds/`, of the charts in it too.
    Crds,
}

/// Returns what `helm show` prints.
pub fn show(chart: &Chart, what: Show) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let text = |file: &File| String::from_utf8_lossy(&file.data).into_owned();
    // Writing to a string cannot fail.
    if matches!(what, Show::Chart | Show::All) {
        let _ = writeln!(out, "{}", chart.metadata.yaml());
    }
    if let (Show::Values | Show::All, Some(values)) = (what, &chart.values) {
        let _ = writeln!(out, "{}{}", if what == Show::All { "---\n" } else { "" }, text(values));
    }
    if let (Show::Readme | Show::All, Some(readme)) = (what, readme(chart)) {
        let _ = writeln!(out, "{}{}", if what == Show::All { "---\n" } else { "" }, text(readme));
    }
    if matches!(what, Show::Crds | Show::All) {
        chart.each_crd(&mut |file| {
            let text = text(file);
            let _ = writeln!(out, "{}{text}", if text.starts_with("---") { "" } else { "---\n" });
        });
    }
    out
}

fn readme(chart: &Chart) -> Option<&File> {
    let is_readme = |name: &str| ["readme.md", "readme.txt", "readme"].iter().any(|known| name.eq_ignore_ascii_case(known));
    chart.files.iter().find(|file| is_readme(&file.name))
}

/// Adds a field that is not empty.
fn add(fields: &mut Map<String, Value>, name: &str, value: Value) {
    let is_empty = match &value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(truth) => !truth,
        Value::Null | Value::Number(_) => false,
    };
    if !is_empty {
        fields.insert(name.to_owned(), value);
    }
}

impl Metadata {
    /// Returns Chart.yaml as Go writes it: keys in order, what is empty left out.
    pub fn yaml(&self) -> String {
        let mut fields = Map::new();
        let annotations: Map<String, Value> = self.annotations.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        let maintainers = self.maintainers.iter().map(|one| {
            let mut fields = Map::new();
            for (name, text) in [("name", &one.name), ("email", &one.email), ("url", &one.url)] {
                add(&mut fields, name, json!(text));
            }
            Value::Object(fields)
        });
        let all = [
            ("name", json!(self.name)),
            ("home", json!(self.home)),
            ("sources", json!(self.sources)),
            ("version", json!(self.version)),
            ("description", json!(self.description)),
            ("keywords", json!(self.keywords)),
            ("maintainers", maintainers.collect()),
            ("icon", json!(self.icon)),
            ("apiVersion", json!(self.api_version)),
            ("condition", json!(self.condition)),
            ("tags", json!(self.tags)),
            ("appVersion", json!(self.app_version)),
            ("deprecated", json!(self.deprecated)),
            ("annotations", Value::Object(annotations)),
            ("kubeVersion", json!(self.kube_version)),
            ("dependencies", self.dependencies.iter().map(dependency).collect()),
            ("type", json!(self.kind)),
        ];
        all.into_iter().for_each(|(name, value)| add(&mut fields, name, value));
        let json = Value::Object(fields).to_string();
        let stream = parse(json.as_bytes(), &Options::default());
        let yaml = stream.documents().next().and_then(Result::ok).map(|document| to_yaml(document.root(), Dialect::V2));
        String::from_utf8_lossy(&yaml.unwrap_or_default()).into_owned()
    }
}

fn dependency(one: &Dependency) -> Value {
    let mut fields = Map::new();
    let imports = one.import_values.iter().map(|import| match import.child.strip_prefix("exports.") {
        Some(name) if import.exported => json!(name),
        _ => json!({"child": import.child, "parent": import.parent}),
    });
    // Go writes these two even when they are empty.
    fields.insert("name".to_owned(), json!(one.name));
    fields.insert("repository".to_owned(), json!(one.repository));
    let all = [
        ("version", json!(one.version)),
        ("condition", json!(one.condition)),
        ("tags", json!(one.tags)),
        ("enabled", json!(one.enabled)),
        ("import-values", imports.collect()),
        ("alias", json!(one.alias)),
    ];
    all.into_iter().for_each(|(name, value)| add(&mut fields, name, value));
    Value::Object(fields)
}
