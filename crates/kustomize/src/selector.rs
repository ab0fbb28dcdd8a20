//! Owns selecting objects (`types.Selector`): expressions that match as a whole, and selectors of labels and annotations.

use plumb_go::regexp::Regexp;

use crate::args::Selector;
use crate::id::{Gvk, Id};
use crate::problem::{Outcome, wrong};
use crate::resource::Resource;
use crate::run::Run;

/// A selector that is ready to match.
pub(crate) struct Matcher<'a> {
    group: Option<Regexp>,
    version: Option<Regexp>,
    kind: Option<Regexp>,
    name: Option<Regexp>,
    namespace: Option<Regexp>,
    labels: Vec<Requirement<'a>>,
    annotations: Vec<Requirement<'a>>,
}

/// What a label must be.
#[derive(Debug, PartialEq)]
enum Requirement<'a> {
    Exists(&'a str),
    Missing(&'a str),
    In(&'a str, Vec<&'a str>),
    NotIn(&'a str, Vec<&'a str>),
    Above(&'a str, i64),
    Below(&'a str, i64),
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(selector: &Selector<'a>) -> Outcome<Self> {
        let expression = |field: &str, text: &str| -> Outcome<Option<Regexp>> {
            if text.is_empty() {
                return Ok(None);
            }
            Regexp::compile(format!("^(?:{text})$").as_bytes()).map(Some).map_err(|error| {
                let message = format!("`{field}: {text}` is no regular expression: {}", String::from_utf8_lossy(&error.message()));
                wrong("selector", message, selector.place).hint("Put a backslash before a character that stands for itself.").into()
            })
        };
        let requirements = |field: &str, text: &'a str| -> Outcome<Vec<Requirement<'a>>> {
            parse(text).map_err(|error| {
                let mistake = wrong("selector", format!("`{field}: {text}` cannot be read: {error}"), selector.place);
                mistake.hint("Write it as `kubectl get --selector` takes it: `a=b,c!=d,e in (f, g)`.").into()
            })
        };
        Ok(Self {
            group: expression("group", selector.gvk.group)?,
            version: expression("version", selector.gvk.version)?,
            kind: expression("kind", selector.gvk.kind)?,
            name: expression("name", selector.name)?,
            namespace: expression("namespace", selector.namespace)?,
            labels: requirements("labelSelector", selector.labels)?,
            annotations: requirements("annotationSelector", selector.annotations)?,
        })
    }

    pub(crate) fn matches_gvk(&self, gvk: &Gvk<'_>) -> bool {
        matches(&self.group, gvk.group) && matches(&self.version, gvk.version) && matches(&self.kind, gvk.kind)
    }

    pub(crate) fn matches_name(&self, name: &str) -> bool {
        matches(&self.name, name)
    }

    pub(crate) fn matches_namespace(&self, namespace: &str) -> bool {
        matches(&self.namespace, namespace)
    }

    /// Returns whether an identity matches, with the namespace as it is written.
    pub(crate) fn matches_id(&self, id: &Id<'_>) -> bool {
        self.matches_gvk(&id.gvk) && self.matches_name(id.name) && self.matches_namespace(id.namespace)
    }

    /// Returns whether it asks for a name, kind or namespace at all.
    pub(crate) fn has_id(&self) -> bool {
        [&self.group, &self.version, &self.kind, &self.name, &self.namespace].into_iter().any(Option::is_some)
    }

    pub(crate) fn has_labels(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }

    /// Returns whether labels and annotations match.
    pub(crate) fn matches_labels(&self, resource: &Resource<'_>) -> bool {
        self.labels.is_empty() && self.annotations.is_empty() || {
            let (labels, annotations) = (resource.labels(), resource.annotations());
            self.labels.iter().all(|requirement| requirement.is_met(&labels))
                && self.annotations.iter().all(|requirement| requirement.is_met(&annotations))
        }
    }

    /// Returns whether an object is selected (`Select`): by what it is called now or was called first.
    pub(crate) fn selects<'r>(&self, resource: &Resource<'r>, run: &Run<'r>) -> bool {
        let (now, first) = (resource.id(run), resource.original_id(run));
        (self.matches_namespace(first.effective_namespace()) || self.matches_namespace(now.effective_namespace()))
            && (self.matches_name(first.name) || self.matches_name(now.name))
            && self.matches_gvk(&now.gvk)
            && self.matches_labels(resource)
    }
}

fn matches(expression: &Option<Regexp>, text: &str) -> bool {
    expression.as_ref().is_none_or(|expression| expression.is_match(text.as_bytes()))
}

impl Requirement<'_> {
    fn is_met(&self, labels: &[(&str, &str)]) -> bool {
        let value = |key: &str| labels.iter().find(|(known, _)| *known == key).map(|(_, value)| *value);
        let number = |key: &str| value(key).and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Exists(key) => value(key).is_some(),
            Self::Missing(key) => value(key).is_none(),
            Self::In(key, values) => value(key).is_some_and(|value| values.contains(&value)),
            Self::NotIn(key, values) => value(key).is_none_or(|value| !values.contains(&value)),
            Self::Above(key, than) => number(key).is_some_and(|value| value > *than),
            Self::Below(key, than) => number(key).is_some_and(|value| value < *than),
        }
    }
}

/// Reads a selector of labels. Commas inside of parentheses part values.
fn parse(text: &str) -> Result<Vec<Requirement<'_>>, String> {
    let mut requirements = Vec::new();
    let (mut from, mut depth) = (0, 0_usize);
    for (at, byte) in text.bytes().chain([b',']).enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 || at == text.len() => {
                let part = text.get(from..at).unwrap_or("").trim();
                from = at + 1;
                if !part.is_empty() {
                    requirements.push(requirement(part)?);
                } else if !text.trim().is_empty() {
                    return Err("found ',', expected: a key".to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(requirements)
}

fn requirement(part: &str) -> Result<Requirement<'_>, String> {
    let key = |text| checked(text, true);
    let value = |text| checked(text, false);
    if let Some((left, right)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(key(left)?, vec![value(right)?]));
    }
    if let Some((left, right)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(key(left)?, vec![value(right)?]));
    }
    if let Some((left, right)) = part.split_once(['>', '<']) {
        let than: i64 = value(right)?.parse().map_err(|_| format!("{right} is no whole number"))?;
        let key = key(left)?;
        return Ok(if part.contains('>') { Requirement::Above(key, than) } else { Requirement::Below(key, than) });
    }
    if let Some(missing) = part.strip_prefix('!') {
        return Ok(Requirement::Missing(key(missing)?));
    }
    let Some((left, right)) = part.split_once(char::is_whitespace) else { return Ok(Requirement::Exists(key(part)?)) };
    let (operator, list) = right.split_once('(').ok_or_else(|| format!("found '{right}', expected: in, notin, =, ==, !=, >, <"))?;
    let list = list.trim_end().strip_suffix(')').ok_or_else(|| "found '', expected: ')'".to_owned())?;
    let values = list.split(',').map(value).collect::<Result<Vec<_>, _>>()?;
    match operator.trim() {
        "in" => Ok(Requirement::In(key(left)?, values)),
        "notin" => Ok(Requirement::NotIn(key(left)?, values)),
        other => Err(format!("found '{other}', expected: in, notin, =, ==, !=, >, <")),
    }
}

/// A key or value with only characters that one may have.
fn checked(text: &str, is_key: bool) -> Result<&str, String> {
    let text = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') || is_key && c == '/';
    if text.chars().all(allowed) && !(is_key && text.is_empty()) {
        Ok(text)
    } else {
        Err(format!("`{text}` is no {} of a label", if is_key { "key" } else { "value" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_of_labels_match_as_in_kubernetes() {
        let labels = [("app", "web"), ("tier", "2")];
        for (selector, expect) in [
            ("", true),
            ("app=web", true),
            ("app == web, tier", true),
            ("app!=web", false),
            ("other!=x", true),
            ("app in (db, web)", true),
            ("app notin (db,web)", false),
            ("other notin (a)", true),
            ("!other", true),
            ("!app", false),
            ("tier>1,tier<3", true),
            ("tier>2", false),
        ] {
            let requirements = parse(selector).expect("a selector");
            assert_eq!(requirements.iter().all(|requirement| requirement.is_met(&labels)), expect, "{selector}");
        }
        for selector in ["app in web", "a b", ",", "a=b,", "tier>x", "a$=b"] {
            assert!(parse(selector).is_err(), "{selector}");
        }
    }
}
