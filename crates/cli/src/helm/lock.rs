//! Owns what a chart says it needs, and the lock file: reading both, the digest that ties them, and writing the lock as Helm
//! does (helm: internal/resolver/resolver.go, pkg/downloader/manager.go).

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use plumb_yaml::{Dialect, Kind, NodeRef, Scalar};

/// A chart that another one needs, as Chart.yaml or the lock has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) repository: String,
    condition: String,
    tags: Vec<String>,
    enabled: bool,
    /// As JSON, each as it was written.
    import_values: Vec<String>,
    alias: String,
}

impl Wanted {
    /// Makes an entry of a lock.
    pub(super) fn locked(&self, version: &str) -> Self {
        let (name, repository) = (self.name.clone(), self.repository.clone());
        Self { name, version: version.to_owned(), repository, ..Self::default() }
    }

    /// Writes it as Go's `encoding/json` writes the struct: what is empty is left out, but for name and repository.
    fn json(&self, out: &mut String) {
        let mut fields = vec![format!("\"name\":{}", quoted(&self.name))];
        let mut add = |key: &str, value: String| fields.push(format!("\"{key}\":{value}"));
        if !self.version.is_empty() {
            add("version", quoted(&self.version));
        }
        add("repository", quoted(&self.repository));
        if !self.condition.is_empty() {
            add("condition", quoted(&self.condition));
        }
        if !self.tags.is_empty() {
            add("tags", format!("[{}]", self.tags.iter().map(|tag| quoted(tag)).collect::<Vec<_>>().join(",")));
        }
        if self.enabled {
            add("enabled", "true".to_owned());
        }
        if !self.import_values.is_empty() {
            add("import-values", format!("[{}]", self.import_values.join(",")));
        }
        if !self.alias.is_empty() {
            add("alias", quoted(&self.alias));
        }
        let _ = write!(out, "{{{}}}", fields.join(","));
    }
}

/// What a chart needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Whether it is a chart for Helm 2, whose lock is called otherwise.
    pub(super) old: bool,
    /// Nothing where it says nothing.
    pub(super) wanted: Option<Vec<Wanted>>,
}

/// A lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) digest: String,
    pub(super) dependencies: Vec<Wanted>,
}

/// Returns what a chart needs by its Chart.yaml and, of a chart for Helm 2, its requirements.yaml. The error is a message.
pub(super) fn needs(chart: &[u8], requirements: Option<&[u8]>) -> Result<Needs, String> {
    let of_chart = parse("Chart.yaml", chart, |root| {
        let api = root.get("apiVersion").and_then(|node| node.as_str().map(str::to_owned)).unwrap_or_default();
        (api, wanted(root))
    })?;
    let (api, mut all) = of_chart.unwrap_or_default();
    if let Some(requirements) = requirements {
        all = parse("requirements.yaml", requirements, wanted)?.flatten().or(all);
    }
    Ok(Needs { old: matches!(api.as_str(), "" | "v1"), wanted: all })
}

/// Reads a lock file. The error is a message.
pub(super) fn read(name: &str, text: &[u8]) -> Result<Lock, String> {
    let lock = parse(name, text, |root| {
        let digest = root.get("digest").and_then(|node| node.as_str().map(str::to_owned)).unwrap_or_default();
        Lock { digest, dependencies: wanted(root).unwrap_or_default() }
    })?;
    Ok(lock.unwrap_or_default())
}

fn parse<T>(name: &str, text: &[u8], read: impl FnOnce(NodeRef<'_>) -> T) -> Result<Option<T>, String> {
    let stream = plumb_yaml::parse(text, &plumb_yaml::Options::default());
    let Some(document) = stream.documents().next() else { return Ok(None) };
    let document =
        document.map_err(|errors| format!("cannot load {name}: {}", errors.first().map(ToString::to_string).unwrap_or_default()))?;
    Ok(Some(read(document.root())))
}

fn wanted(root: NodeRef<'_>) -> Option<Vec<Wanted>> {
    let list = root.get("dependencies").filter(|list| list.kind() == Kind::List)?;
    let text = |node: Option<NodeRef<'_>>| node.and_then(|node| node.as_str().map(clean)).unwrap_or_default();
    let one = |node: NodeRef<'_>| Wanted {
        name: text(node.get("name")),
        version: text(node.get("version")),
        repository: text(node.get("repository")),
        condition: text(node.get("condition")),
        tags: node.get("tags").map(|tags| tags.items().map(|tag| text(Some(tag))).collect()).unwrap_or_default(),
        enabled: node.get("enabled").and_then(|enabled| enabled.as_bool()).unwrap_or(false),
        import_values: node.get("import-values").map(|values| values.items().map(json).collect()).unwrap_or_default(),
        alias: node.get("alias").and_then(|alias| alias.as_str().map(str::to_owned)).unwrap_or_default(),
    };
    Some(list.items().map(one).collect())
}

/// Takes out what cannot be printed, as Helm does when it reads a chart.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

/// Returns a value as Go's `encoding/json` writes what it read of it.
fn json(node: NodeRef<'_>) -> String {
    match node.kind() {
        Kind::List => format!("[{}]", node.items().map(json).collect::<Vec<_>>().join(",")),
        Kind::Map => {
            let mut entries: Vec<(String, String)> = node.entries().map(|entry| (entry.name().to_owned(), json(entry.value))).collect();
            entries.sort();
            let entries: Vec<String> = entries.into_iter().map(|(key, value)| format!("{}:{value}", quoted(&key))).collect();
            format!("{{{}}}", entries.join(","))
        }
        _ => match node.scalar() {
            None | Some(Scalar::Null) => "null".to_owned(),
            Some(Scalar::Bool(truth)) => truth.to_string(),
            Some(Scalar::Int(number)) => number.to_string(),
            Some(Scalar::Uint(number)) => number.to_string(),
            Some(Scalar::Float(number)) => number.to_string(),
            Some(Scalar::Str(text)) => quoted(&text),
        },
    }
}

/// Returns a text as Go's `encoding/json` writes it: fit for HTML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn list(all: &[Wanted], out: &mut String) {
    out.push('[');
    for (at, wanted) in all.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        wanted.json(out);
    }
    out.push(']');
}

/// Returns the digest that ties a lock to what the chart asks for (`HashReq`).
pub(super) fn digest(wanted: &[Wanted], locked: &[Wanted]) -> String {
    let mut text = String::from("[");
    list(wanted, &mut text);
    text.push(',');
    list(locked, &mut text);
    text.push(']');
    sha256(&text)
}

/// Returns the digest that Helm 2 wrote (`HashV2Req`).
pub(super) fn old_digest(wanted: &[Wanted]) -> String {
    let mut text = String::from("{\"dependencies\":");
    list(wanted, &mut text);
    text.push('}');
    sha256(&text)
}

fn sha256(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Returns a lock file as Helm writes it.
pub(super) fn write(lock: &Lock, generated: &str) -> Vec<u8> {
    let mut text = String::from("{\"dependencies\":");
    list(&lock.dependencies, &mut text);
    let _ = write!(text, ",\"digest\":{},\"generated\":{}}}", quoted(&lock.digest), quoted(generated));
    let stream = plumb_yaml::parse(text.as_bytes(), &plumb_yaml::Options::default());
    let document = stream.documents().next().and_then(Result::ok);
    document.map(|document| plumb_yaml::to_yaml(document.root(), Dialect::V2)).unwrap_or_default()
}

/// Returns now as Go writes a moment (RFC 3339 with as many digits as it takes), in UTC.
pub(super) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    moment(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

fn moment(seconds: i64, nanoseconds: u32) -> String {
    plumb_go::time::Time::unix(seconds, i64::from(nanoseconds)).format("2006-01-02T15:04:05.999999999Z07:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from `helm dependency update`.
    const CHART: &str = "\
apiVersion: v2
name: umb
version: 1.0.0
dependencies:
- name: foo
  version: 0.1.x
  repository: http://127.0.0.1:5998/charts
- name: bar
  version: \"^0.1\"
  alias: bar2
  repository: oci://127.0.0.1:5998/charts
  condition: bar2.enabled
  tags: [a, b]
  import-values:
  - data
  - {child: x, parent: y}
- name: loc
  version: \">=0\"
  repository: file://../loc
";
    const LOCK: &str = "\
dependencies:
- name: foo
  repository: http://127.0.0.1:5998/charts
  version: 0.1.0
- name: bar
  repository: oci://127.0.0.1:5998/charts
  version: 0.1.0
- name: loc
  repository: file://../loc
  version: 0.1.0
digest: sha256:a7c95bfd3fd7e2731236eac552a5e77e7e5d6f35e38ed284fa81054c80cca2ae
generated: \"2026-11-28T08:13:55.223605448Z\"
";

    #[test]
    fn a_lock_is_helms_byte_for_byte() {
        let wanted = needs(CHART.as_bytes(), None).unwrap().wanted.unwrap();
        let dependencies: Vec<Wanted> = wanted.iter().map(|wanted| wanted.locked("0.1.0")).collect();
        let lock = Lock { digest: digest(&wanted, &dependencies), dependencies };
        assert_eq!(String::from_utf8(write(&lock, "2026-11-28T08:13:55.223605448Z")).unwrap(), LOCK);
        assert_eq!(read("Chart.lock", LOCK.as_bytes()), Ok(lock));
    }

    #[test]
    fn a_moment_is_gos() {
        for (seconds, nanoseconds, expect) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (1_795_853_635, 223_605_448, "2026-11-28T08:13:55.223605448Z"),
            (1_795_853_635, 500_000_000, "2026-11-28T08:13:55.5Z"),
        ] {
            assert_eq!(moment(seconds, nanoseconds), expect);
        }
    }

    #[test]
    fn texts_are_escaped_as_for_html() {
        assert_eq!(quoted("a\"\\<>&\u{1}\u{2028}\n"), "\"a\\\"\\\\\\u003c\\u003e\\u0026\\u0001\\u2028\\n\"");
    }

    #[test]
    fn charts_of_helm_2_say_it_elsewhere() {
        let needs = needs(b"name: a\n", Some(b"dependencies: [{name: b, repository: ''}]\n")).unwrap();
        assert!(needs.old);
        assert_eq!(needs.wanted.unwrap()[0].name, "b");
        assert_eq!(super::needs(b"apiVersion: v2\n", None).unwrap(), Needs { old: false, wanted: None });
        assert!(super::needs(b"a: [", None).is_err());
    }
}
