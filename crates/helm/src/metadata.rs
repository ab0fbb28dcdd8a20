//! Owns Chart.yaml: what a chart says of itself (helm: pkg/chart/v2/metadata.go, dependency.go).

use plumb_go::strconv::quote;
use plumb_yaml::{Kind, NodeRef, Options, Scalar, parse};

/// Chart.yaml, and requirements.yaml of charts for Helm 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are Chart.yaml's own, by its names")]
pub struct Metadata {
    pub name: String,
    pub home: String,
    pub sources: Vec<String>,
    pub version: String,
    pub description: String,
    pub keywords: Vec<String>,
    pub maintainers: Vec<Maintainer>,
    pub icon: String,
    pub api_version: String,
    pub condition: String,
    pub tags: String,
    pub app_version: String,
    pub deprecated: bool,
    pub annotations: Vec<(String, String)>,
    pub kube_version: String,
    pub dependencies: Vec<Dependency>,
    pub kind: String,
    /// A maintainer is written as nothing at all.
    pub has_null_maintainer: bool,
    /// So is a dependency.
    pub has_null_dependency: bool,
}

fn refused<T>(why: impl std::fmt::Display) -> Result<T, String> {
    Err(format!("validation: {why}"))
}

/// Somebody who looks after a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are Chart.yaml's own, by its names")]
pub struct Maintainer {
    pub name: String,
    pub email: String,
    pub url: String,
}

/// A chart that another one needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are Chart.yaml's own, by its names")]
pub struct Dependency {
    pub name: String,
    pub version: String,
    pub repository: String,
    pub condition: String,
    pub tags: Vec<String>,
    pub enabled: bool,
    pub import_values: Vec<Import>,
    pub alias: String,
}

/// Values that a parent takes from a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Where they are in the dependency.
    pub child: String,
    /// Where they go in the parent; `.` is its root.
    pub parent: String,
    /// Written as a name: what the dependency has below `exports`.
    pub exported: bool,
}

fn text(node: NodeRef<'_>, key: &str) -> String {
    node.get(key).and_then(scalar).unwrap_or_default()
}

/// What a scalar is where a text is wanted: sigs.k8s.io/yaml writes numbers and truths out. Nothing for a list or map.
pub(crate) fn scalar(node: NodeRef<'_>) -> Option<String> {
    Some(match node.scalar()? {
        Scalar::Null => String::new(),
        Scalar::Str(text) => text.into_owned(),
        Scalar::Bool(truth) => truth.to_string(),
        Scalar::Int(int) => int.to_string(),
        Scalar::Uint(int) => int.to_string(),
        Scalar::Float(float) => plumb_go::strconv::format_float(float, 'g', None),
    })
}

/// A scalar of any kind as Go's `%v` prints it.
fn printed(node: NodeRef<'_>) -> String {
    match node.scalar() {
        None | Some(Scalar::Null) => "<nil>".to_owned(),
        Some(Scalar::Str(text)) => text.into_owned(),
        Some(Scalar::Bool(truth)) => truth.to_string(),
        Some(Scalar::Int(int)) => plumb_go::strconv::format_float_g64(int as f64),
        Some(Scalar::Uint(int)) => plumb_go::strconv::format_float_g64(int as f64),
        Some(Scalar::Float(float)) => plumb_go::strconv::format_float_g64(float),
    }
}

fn texts(list: NodeRef<'_>) -> Vec<String> {
    list.items().map(|item| scalar(item).unwrap_or_default()).collect()
}

/// What encoding/json calls a value in a message.
pub(crate) fn word(node: NodeRef<'_>) -> &'static str {
    match node.kind() {
        Kind::Map => "object",
        Kind::List => "array",
        Kind::Str => "string",
        Kind::Bool => "bool",
        Kind::Null => "null",
        _ => "number",
    }
}

/// Says that a value is of another type than Go's, in its words.
pub(crate) fn mismatch<T>(node: NodeRef<'_>, target: &str, ty: &str) -> Result<T, String> {
    Err(format!("error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go {target} of type {ty}", word(node)))
}

/// Spaces and what cannot be printed, as Helm cleans what a chart says of itself (`sanitizeString`).
fn cleaned(text: &mut String) {
    let is_clean = |c: char| !c.is_whitespace() && plumb_go::strconv::is_print(c) || c == ' ';
    if text.chars().all(is_clean) {
        return;
    }
    let cleaned = text.chars().filter_map(|c| match c {
        c if c.is_whitespace() => Some(' '),
        c => plumb_go::strconv::is_print(c).then_some(c),
    });
    *text = cleaned.collect();
}

impl Dependency {
    /// Returns what decides whether it takes part, in the words of Chart.yaml.
    pub(crate) fn tested(&self) -> String {
        let tags = if self.tags.is_empty() { String::new() } else { format!("tags {}", self.tags.join(", ")) };
        let condition = if self.condition.is_empty() { String::new() } else { format!("condition {}", self.condition) };
        [condition, tags].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" and ")
    }
}

impl Metadata {
    /// Reads Chart.yaml over what is known already: requirements.yaml adds its dependencies. The error is a message.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), String> {
        let stream = parse(bytes, &Options::default());
        let Some(document) = stream.documents().next() else { return Ok(()) };
        let document =
            document.map_err(|errors| errors.first().map(|error| format!("error converting YAML to JSON: {error}")).unwrap_or_default())?;
        let root = document.root();
        if root.kind() == Kind::Null {
            return Ok(());
        }
        if root.kind() != Kind::Map {
            return mismatch(root, "value", "v2.Metadata");
        }
        root.entries().try_for_each(|entry| self.field(entry.name(), entry.value))
    }

    fn field(&mut self, name: &str, value: NodeRef<'_>) -> Result<(), String> {
        let field = match name {
            "name" => &mut self.name,
            "home" => &mut self.home,
            "version" => &mut self.version,
            "description" => &mut self.description,
            "icon" => &mut self.icon,
            "apiVersion" => &mut self.api_version,
            "condition" => &mut self.condition,
            "tags" => &mut self.tags,
            "appVersion" => &mut self.app_version,
            "kubeVersion" => &mut self.kube_version,
            "type" => &mut self.kind,
            _ => return self.collection(name, value),
        };
        match scalar(value) {
            Some(_) if value.kind() == Kind::Null => {}
            Some(text) => *field = text,
            None => return mismatch(value, &format!("struct field Metadata.{name}"), "string"),
        }
        Ok(())
    }

    /// Takes a field that is no text.
    fn collection(&mut self, name: &str, value: NodeRef<'_>) -> Result<(), String> {
        let place = format!("struct field Metadata.{name}");
        let (kind, ty) = match name {
            "deprecated" => (Kind::Bool, "bool"),
            "sources" | "keywords" => (Kind::List, "[]string"),
            "annotations" => (Kind::Map, "map[string]string"),
            "maintainers" => (Kind::List, "[]*v2.Maintainer"),
            "dependencies" => (Kind::List, "[]*v2.Dependency"),
            _ => return Ok(()),
        };
        if value.kind() == Kind::Null {
            return Ok(());
        }
        if value.kind() != kind {
            return mismatch(value, &place, ty);
        }
        let inner = match name {
            "sources" | "keywords" => value.items().find(|item| matches!(item.kind(), Kind::Map | Kind::List)),
            "annotations" => value.entries().map(|entry| entry.value).find(|value| matches!(value.kind(), Kind::Map | Kind::List)),
            _ => None,
        };
        if let Some(inner) = inner {
            return mismatch(inner, &place, "string");
        }
        match name {
            "sources" => self.sources = texts(value),
            "keywords" => self.keywords = texts(value),
            "deprecated" => self.deprecated = matches!(value.scalar(), Some(Scalar::Bool(true))),
            "annotations" => {
                let entries = value.entries().map(|entry| (entry.name().to_owned(), scalar(entry.value).unwrap_or_default()));
                self.annotations = entries.collect();
            }
            "maintainers" => {
                let read = |node| Maintainer { name: text(node, "name"), email: text(node, "email"), url: text(node, "url") };
                self.has_null_maintainer = value.items().any(|item| item.kind() == Kind::Null);
                self.maintainers = value.items().map(read).collect();
            }
            _ => {
                self.has_null_dependency = value.items().any(|item| item.kind() == Kind::Null);
                self.dependencies = value.items().map(dependency).collect();
            }
        }
        Ok(())
    }

    /// Cleans what the chart says of itself, and finds what Helm refuses (`Metadata.Validate`).
    pub(crate) fn validate(&mut self) -> Result<(), String> {
        let texts = [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ];
        texts.into_iter().for_each(cleaned);
        self.sources.iter_mut().chain(&mut self.keywords).for_each(cleaned);
        let base = self.name.rsplit('/').next().unwrap_or_default();
        if self.name.is_empty() {
            return refused("chart.metadata.name is required");
        }
        if matches!(self.name.as_str(), "." | "..") {
            return refused(format!("chart.metadata.name {} is not allowed", quote(&self.name)));
        }
        if base != self.name {
            return refused(format!("chart.metadata.name {} is invalid", quote(&self.name)));
        }
        if self.version.is_empty() {
            return refused("chart.metadata.version is required");
        }
        if plumb_go::semver::Version::parse(&self.version).is_err() {
            return refused(format!("chart.metadata.version {} is invalid", quote(&self.version)));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return refused("chart.metadata.type must be application or library");
        }
        if self.has_null_maintainer {
            return refused("maintainers must not contain empty or null nodes");
        }
        for one in &mut self.maintainers {
            [&mut one.name, &mut one.email, &mut one.url].into_iter().for_each(cleaned);
        }
        self.validate_dependencies()
    }

    fn validate_dependencies(&mut self) -> Result<(), String> {
        if self.has_null_dependency {
            return refused("dependencies must not contain empty or null nodes");
        }
        let mut known = std::collections::BTreeSet::new();
        for one in &mut self.dependencies {
            [&mut one.name, &mut one.version, &mut one.repository, &mut one.condition].into_iter().for_each(cleaned);
            one.tags.iter_mut().for_each(cleaned);
            if !one.alias.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
                return refused(format!("dependency {} has disallowed characters in the alias", quote(&one.name)));
            }
            let key = if one.alias.is_empty() { &one.name } else { &one.alias };
            if !known.insert(key.clone()) {
                return refused(format!("more than one dependency with name or alias {}", quote(key)));
            }
        }
        Ok(())
    }

    /// Returns whether it only gives templates to others.
    pub fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }
}

fn dependency(node: NodeRef<'_>) -> Dependency {
    let import = |node: NodeRef<'_>| match node.kind() {
        Kind::Map => Import {
            child: node.get("child").map_or_else(|| "<nil>".to_owned(), printed),
            parent: node.get("parent").map_or_else(|| "<nil>".to_owned(), printed),
            exported: false,
        },
        _ => Import { child: format!("exports.{}", scalar(node).unwrap_or_default()), parent: ".".to_owned(), exported: true },
    };
    Dependency {
        name: text(node, "name"),
        version: text(node, "version"),
        repository: text(node, "repository"),
        condition: text(node, "condition"),
        tags: node.get("tags").map(texts).unwrap_or_default(),
        enabled: false,
        import_values: node.get("import-values").map(|list| list.items().map(import).collect()).unwrap_or_default(),
        alias: text(node, "alias"),
    }
}
