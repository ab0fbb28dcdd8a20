//! Owns the documents of a text as the linter reads them one after another (k8s.io/apimachinery: pkg/util/yaml), and the little it looks at in each.

use plumb_yaml::{Kind, NodeRef, Options, parse};

use crate::metadata::{mismatch, scalar};

/// What the linter looks at in an object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
}

/// Calls `see` with each document: what it looks at, nothing for an empty one, or why it cannot be read, which ends it.
pub(super) fn each(text: &str, see: &mut dyn FnMut(Result<Option<Head>, String>)) {
    let mut chunk = String::new();
    for line in text.lines().map(Some).chain([None]) {
        let rest = line.and_then(|line| line.strip_prefix("---"));
        if let Some(rest) = rest.map(str::trim).filter(|rest| !rest.is_empty() && !rest.starts_with('#')) {
            return see(Err(format!("invalid Yaml document separator: {rest}")));
        }
        if let (Some(line), None) = (line, rest) {
            chunk.push_str(line);
            chunk.push('\n');
            continue;
        }
        if chunk.is_empty() {
            continue;
        }
        let head = read(&chunk);
        let failed = head.is_err();
        see(head);
        if failed {
            return;
        }
        chunk.clear();
    }
}

/// Reads one document. The error is sigs.k8s.io/yaml's.
pub(super) fn with_root<T>(text: &str, read: impl FnOnce(NodeRef<'_>) -> Result<T, String>) -> Result<Option<T>, String> {
    let stream = parse(text.as_bytes(), &Options::default());
    let Some(document) = stream.documents().next() else { return Ok(None) };
    let told = |errors: &[plumb_yaml::Error]| {
        format!("error converting YAML to JSON: {}", errors.first().map(ToString::to_string).unwrap_or_default())
    };
    let root = document.map_err(told)?.root();
    if root.kind() == Kind::Null { Ok(None) } else { read(root).map(Some) }
}

fn read(text: &str) -> Result<Option<Head>, String> {
    with_root(text, |root| {
        if root.kind() != Kind::Map {
            return mismatch(root, "value", "rules.k8sYamlStruct");
        }
        let mut head = Head::default();
        // Go takes keys as they come, whatever their case is.
        for entry in root.entries() {
            match entry.name().to_ascii_lowercase().as_str() {
                "apiversion" => take(&mut head.api_version, entry.value, "apiVersion")?,
                "kind" => take(&mut head.kind, entry.value, "Kind")?,
                "metadata" => metadata(&mut head, entry.value)?,
                _ => {}
            }
        }
        Ok(head)
    })
}

fn metadata(head: &mut Head, value: NodeRef<'_>) -> Result<(), String> {
    match value.kind() {
        Kind::Map => {}
        Kind::Null => return Ok(()),
        _ => return mismatch(value, "struct field k8sYamlStruct.Metadata", "rules.k8sYamlMetadata"),
    }
    let mut namespace = String::new();
    for entry in value.entries() {
        match entry.name().to_ascii_lowercase().as_str() {
            "name" => take(&mut head.name, entry.value, "Metadata.Name")?,
            "namespace" => take(&mut namespace, entry.value, "Metadata.Namespace")?,
            _ => {}
        }
    }
    Ok(())
}

fn take(field: &mut String, value: NodeRef<'_>, name: &str) -> Result<(), String> {
    match scalar(value) {
        Some(_) if value.kind() == Kind::Null => Ok(()),
        Some(text) => {
            *field = text;
            Ok(())
        }
        None => mismatch(value, &format!("struct field k8sYamlStruct.{name}"), "string"),
    }
}
