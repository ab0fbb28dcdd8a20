//! Owns paths of fields as replacements write them (`yaml/match.go` and `PathGetter` of kyaml): names, indices, `[name=value]`, `*`, and paths that go on
//! in a text that is YAML itself. Errors are messages.

use std::sync::Arc;

use plumb_go::regexp::Regexp;
use plumb_world::{RelPath, SourceFile};
use plumb_yaml::Style;

use crate::fieldspec::split_escaped;
use crate::limits::MAX_PATH_PARTS;
use crate::run::Run;
use crate::tree::{Field, Kind, Node, Origin, Stamp, View, node_text};

/// Splits a path at dots, which do not count behind a backslash and in brackets.
pub(crate) fn split(path: &str) -> Result<Vec<String>, String> {
    let mut parts = Vec::new();
    let mut rest = split_escaped(path, '.').into_iter();
    while let Some(mut part) = rest.next() {
        if part.starts_with('[') && !part.ends_with(']') {
            for more in rest.by_ref() {
                part.push('.');
                part.push_str(&more);
                if more.ends_with(']') {
                    break;
                }
            }
            if !part.contains('=') {
                part = part.trim_matches(['[', ']']).to_owned();
            }
        }
        parts.push(part);
    }
    if parts.len() > MAX_PATH_PARTS {
        return Err(format!("a path has at most {MAX_PATH_PARTS} parts"));
    }
    Ok(parts)
}

fn index(part: &str) -> Option<i64> {
    part.parse().ok()
}

fn is_match(part: &str) -> bool {
    part.starts_with('[') && part.ends_with(']')
}

/// Splits `[field=value]`.
fn field_and_value(part: &str) -> Result<(&str, &str), String> {
    let inner = part.strip_suffix(']').unwrap_or(part);
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    inner.split_once('=').ok_or_else(|| "list path element must contain fieldName=fieldValue for element to match".to_owned())
}

/// The shape that the next part of a path asks for.
fn kind_for(next: Option<&String>, last: Kind) -> Kind {
    match next {
        None => last,
        Some(next) if next.is_empty() => last,
        Some(next) if is_match(next) || index(next).is_some_and(|index| index >= 0) => Kind::List,
        Some(_) => Kind::Map,
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Scalar => "ScalarNode",
        Kind::List => "SequenceNode",
        Kind::Map => "MappingNode",
    }
}

/// A null passes for anything.
fn expect(view: View<'_, '_>, kind: Kind) -> Result<(), String> {
    if view.is_null() || view.kind() == kind {
        return Ok(());
    }
    Err(format!("wrong node kind: expected {} but got {}", kind_name(kind), kind_name(view.kind())))
}

/// Finds the one node at a path (`Lookup`).
pub(crate) fn lookup<'t, 'a>(root: View<'t, 'a>, parts: &[String]) -> Result<Option<View<'t, 'a>>, String> {
    let mut at = root;
    for part in parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let next = match index(part) {
            Some(index) if index < 0 => return Err(format!("array index {index} cannot be negative")),
            Some(index) => {
                expect(at, Kind::List)?;
                at.items().nth(usize::try_from(index).unwrap_or(usize::MAX))
            }
            None if part == "-" => {
                expect(at, Kind::List)?;
                at.items().last()
            }
            None if part == "*" => return Err("wildcard is not supported in PathGetter".to_owned()),
            None if is_match(part) => {
                expect(at, Kind::List)?;
                let (field, value) = field_and_value(part)?;
                at.items().find(|item| match field {
                    "" => item.text() == value,
                    field => item.get(field).is_some_and(|found| found.text() == value && !found.is_null()),
                })
            }
            None => {
                expect(at, Kind::Map)?;
                at.get(part)
            }
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// Finds the one node at a path to change it. Maps and lists on the way are made with `create`, which is the shape of what is at its end.
pub(crate) fn lookup_mut<'n, 'a>(
    root: &'n mut Node<'a>,
    parts: &[String],
    create: Option<Kind>,
    walk: Walk<'_, 'a>,
) -> Result<Option<&'n mut Node<'a>>, String> {
    let texts = walk.run.texts;
    let parts: Vec<String> = parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    let mut at = root;
    for (number, part) in parts.iter().enumerate() {
        let view = at.view();
        let found = match index(part) {
            Some(index) if index < 0 => return Err(format!("array index {index} cannot be negative")),
            None if part == "*" => return Err("wildcard is not supported in PathGetter".to_owned()),
            Some(_) => Some(index(part).unwrap_or(0)),
            None if part == "-" => Some(i64::try_from(view.len()).unwrap_or(0) - 1),
            None if is_match(part) => {
                expect(view, Kind::List)?;
                let (field, value) = field_and_value(part)?;
                let found = view.items().position(|item| match field {
                    "" => item.text() == value,
                    field => item.get(field).is_some_and(|found| found.text() == value && !found.is_null()),
                });
                if found.is_none() && create.is_some() {
                    let item = walk.item(field, value);
                    let Some(items) = at.items_mut(texts) else { return Ok(None) };
                    items.push(item);
                    Some(i64::try_from(items.len()).unwrap_or(0) - 1)
                } else {
                    Some(found.and_then(|found| i64::try_from(found).ok()).unwrap_or(-1))
                }
            }
            None => None,
        };
        at = match found {
            Some(index) => {
                expect(at.view(), Kind::List)?;
                let Some(item) = at.items_mut(texts).and_then(|items| items.get_mut(usize::try_from(index).ok()?)) else { return Ok(None) };
                item
            }
            None => {
                expect(at.view(), Kind::Map)?;
                if at.view().get(part).is_none() {
                    let Some(last) = create else { return Ok(None) };
                    let (key, value) = (texts.keep(part.clone()), walk.empty(kind_for(parts.get(number + 1), last)));
                    let Some(fields) = at.fields_mut(texts) else { return Ok(None) };
                    fields.push(Field::new(key, value));
                }
                let Some(value) = at.get_mut(part, texts) else { return Ok(None) };
                value
            }
        };
    }
    Ok(Some(at))
}

/// What a walk along paths needs.
#[derive(Clone, Copy)]
pub(crate) struct Walk<'r, 'a> {
    pub(crate) run: &'r Run<'a>,
    /// Who makes what is not there.
    pub(crate) stamp: Stamp,
}

/// What is done to each node that is found.
pub(crate) type Set<'s, 'a> = dyn FnMut(&mut Node<'a>) -> Result<(), String> + 's;

impl<'a> Walk<'_, 'a> {
    fn origin(&self) -> Origin {
        self.run.texts.over(self.stamp, Origin::WRITTEN)
    }

    fn empty(&self, kind: Kind) -> Node<'a> {
        Node::empty(kind).stamped(self.origin())
    }

    /// An item as `[field=value]` wants it.
    fn item(&self, field: &str, value: &str) -> Node<'a> {
        let texts = self.run.texts;
        let value = Node::untagged(texts.keep(value.to_owned())).stamped(self.origin());
        if field.is_empty() { value } else { Node::map(vec![Field::new(texts.keep(field.to_owned()), value)]).stamped(self.origin()) }
    }

    /// Sets all nodes that a path matches (`PathMatcher`), and returns how many they are.
    pub(crate) fn each(&self, node: &mut Node<'a>, parts: &[String], create: Option<Kind>, set: &mut Set<'_, 'a>) -> Result<usize, String> {
        let [part, rest @ ..] = parts else {
            set(node)?;
            return Ok(1);
        };
        if index(part).is_some_and(|index| index >= 0) {
            self.at_index(node, part, rest, create, set)
        } else if is_match(part) {
            self.at_matches(node, part, rest, create, set)
        } else if part == "*" {
            expect(node.view(), Kind::List)?;
            let mut count = 0;
            for item in node.items_mut(self.run.texts).into_iter().flatten() {
                count += self.each(item, rest, create, set)?;
            }
            Ok(count)
        } else {
            self.at_field(node, part, rest, create, set)
        }
    }

    fn at_index(
        &self,
        node: &mut Node<'a>,
        part: &str,
        rest: &[String],
        create: Option<Kind>,
        set: &mut Set<'_, 'a>,
    ) -> Result<usize, String> {
        expect(node.view(), Kind::List)?;
        let index = usize::try_from(index(part).unwrap_or(0)).unwrap_or(usize::MAX);
        let len = node.view().len();
        if node.view().is_null() && index == 0 && create.is_some() {
            // What is put into a null is lost.
            return Ok(1);
        }
        let Some(items) = node.items_mut(self.run.texts) else {
            return Err(format!("index {index} specified but only {len} elements found"));
        };
        if let (true, Some(last)) = (len == index, create) {
            items.push(self.empty(kind_for(rest.first(), last)));
        }
        match items.get_mut(index) {
            Some(item) => self.each(item, rest, create, set),
            None => Err(format!("index {index} specified but only {len} elements found")),
        }
    }

    /// The value in brackets is an expression that is searched for.
    fn at_matches(
        &self,
        node: &mut Node<'a>,
        part: &str,
        rest: &[String],
        create: Option<Kind>,
        set: &mut Set<'_, 'a>,
    ) -> Result<usize, String> {
        let (field, expression) = field_and_value(part)?;
        expect(node.view(), Kind::List)?;
        if node.view().is_null() {
            return Ok(usize::from(create.is_some()));
        }
        let count = self.matching(node, field, expression, rest, create, set)?;
        if count > 0 || create.is_none() {
            return Ok(count);
        }
        let item = self.item(field, expression);
        if let Some(items) = node.items_mut(self.run.texts) {
            items.push(item);
        }
        // kustomize would go on making items for ever if this one did not match.
        match self.matching(node, field, expression, rest, create, set)? {
            0 => Err(format!("the item that {part} makes is not matched by it")),
            count => Ok(count),
        }
    }

    fn matching(
        &self,
        node: &mut Node<'a>,
        field: &str,
        expression: &str,
        rest: &[String],
        create: Option<Kind>,
        set: &mut Set<'_, 'a>,
    ) -> Result<usize, String> {
        if node.view().len() == 0 {
            return Ok(0);
        }
        let expression = Regexp::compile(expression.as_bytes()).map_err(|error| String::from_utf8_lossy(&error.message()).into_owned())?;
        let mut count = 0;
        for item in node.items_mut(self.run.texts).into_iter().flatten() {
            let value = if field.is_empty() { Some(item.view()) } else { item.view().get(field) };
            let is_match = value.is_some_and(|value| match value.scalar() {
                // Most are names without quotes.
                Some(scalar) if scalar.style == Style::Plain && scalar.text.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                    expression.is_match(scalar.text.as_bytes())
                }
                _ => expression.is_match(node_text(value).trim().as_bytes()),
            });
            if is_match && field.is_empty() {
                set(item)?;
                count += 1;
            } else if is_match {
                count += self.each(item, rest, create, set)?;
            }
        }
        Ok(count)
    }

    fn at_field(
        &self,
        node: &mut Node<'a>,
        part: &str,
        rest: &[String],
        create: Option<Kind>,
        set: &mut Set<'_, 'a>,
    ) -> Result<usize, String> {
        if node.view().is_null() {
            return Ok(usize::from(create.is_some()));
        }
        expect(node.view(), Kind::Map)?;
        if node.view().get(part).is_none() {
            let Some(last) = create else { return Ok(0) };
            let (key, value) = (self.run.texts.keep(part.to_owned()), self.empty(kind_for(rest.first(), last)));
            if let Some(fields) = node.fields_mut(self.run.texts) {
                fields.push(Field::new(key, value));
            }
        }
        let Some(value) = node.get_mut(part, self.run.texts) else { return Ok(0) };
        if value.kind() == Kind::Scalar && !rest.is_empty() {
            // What is changed in here is not written back, in kustomize neither.
            let mut inner = self.parse(value.view().text())?;
            return self.each(&mut inner, rest, create, set);
        }
        self.each(value, rest, create, set)
    }

    /// Reads a text as YAML: its first document.
    pub(crate) fn parse(&self, text: &str) -> Result<Node<'a>, String> {
        let path = RelPath::parse("embedded.yaml").unwrap_or_else(|_| RelPath::root());
        let source = SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: Arc::from(text.as_bytes()), made: true };
        let file = self.run.texts.add(source);
        match self.run.texts.read(file, Arc::from(text)).documents().next() {
            Some(Ok(document)) => Ok(Node::written(document.root())),
            Some(Err(errors)) => Err(errors.first().map(ToString::to_string).unwrap_or_default()),
            None => Ok(Node::untagged("")),
        }
    }
}

/// Returns the keys that are there where a path leads nowhere, and the part that is not: for hints.
pub(crate) fn dead_end<'p, 'a>(root: View<'_, 'a>, parts: &'p [String]) -> Option<(&'p str, Vec<&'a str>)> {
    for (number, part) in parts.iter().enumerate() {
        match lookup(root, parts.get(..=number)?) {
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                let before = lookup(root, parts.get(..number)?).ok().flatten()?;
                let item = part.strip_prefix('[').and_then(|part| part.strip_suffix(']')?.split_once('='));
                if let Some((key, value)) = item {
                    return Some((value, before.items().filter_map(|item| item.get(key)).map(View::text).collect()));
                }
                return Some((part, before.fields().map(|(key, _)| key.text).collect()));
            }
        }
    }
    None
}
