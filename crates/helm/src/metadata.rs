//! Owns Chart.yaml: what a chart says of itself (helm: pkg/chart/v2/metadata.go, dependency.go).

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
    node.get(key).map(scalar).unwrap_or_default()
}

fn scalar(node: NodeRef<'_>) -> String {
    match node.scalar() {
        Some(Scalar::Str(text)) => text.into_owned(),
        _ => String::new(),
    }
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

fn texts(node: NodeRef<'_>, key: &str) -> Vec<String> {
    node.get(key).map(|list| list.items().map(scalar).collect()).unwrap_or_default()
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
            return Err(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal into Go value of type chart.Metadata".to_owned()
            );
        }
        for entry in root.entries() {
            self.field(entry.name(), entry.value, root)?;
        }
        Ok(())
    }

    fn field(&mut self, name: &str, value: NodeRef<'_>, root: NodeRef<'_>) -> Result<(), String> {
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
            _ => {
                self.collection(name, value, root);
                return Ok(());
            }
        };
        match value.kind() {
            Kind::Str => *field = scalar(value),
            Kind::Null => {}
            _ => {
                let word = if matches!(value.kind(), Kind::Bool) { "bool" } else { "number" };
                return Err(format!(
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {word} into Go struct field Metadata.{name} of type string"
                ));
            }
        }
        Ok(())
    }

    /// Takes a field that is no text.
    fn collection(&mut self, name: &str, value: NodeRef<'_>, root: NodeRef<'_>) {
        match name {
            "sources" => self.sources = texts(root, "sources"),
            "keywords" => self.keywords = texts(root, "keywords"),
            "deprecated" => self.deprecated = matches!(value.scalar(), Some(Scalar::Bool(true))),
            "annotations" => {
                self.annotations = value.entries().map(|entry| (entry.name().to_owned(), scalar(entry.value))).collect();
            }
            "maintainers" => {
                let read = |node| Maintainer { name: text(node, "name"), email: text(node, "email"), url: text(node, "url") };
                self.maintainers = value.items().map(read).collect();
            }
            "dependencies" => self.dependencies = value.items().map(dependency).collect(),
            _ => {}
        }
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
        _ => Import { child: format!("exports.{}", scalar(node)), parent: ".".to_owned(), exported: true },
    };
    Dependency {
        name: text(node, "name"),
        version: text(node, "version"),
        repository: text(node, "repository"),
        condition: text(node, "condition"),
        tags: texts(node, "tags"),
        enabled: false,
        import_values: node.get("import-values").map(|list| list.items().map(import).collect()).unwrap_or_default(),
        alias: text(node, "alias"),
    }
}
