//! Owns JSON patches (RFC 6902) as `evanphx/json-patch` v4 applies them, which is more lenient than the standard: replacing what is not there adds it, a
//! negative index counts from the end, and an operation without a value sets null.

mod json;

use std::sync::Arc;

use plumb_world::{Diagnostic, FileId, SourceFile, Span};
use plumb_yaml::{NodeRef, Scalar as Read};

use crate::limits::MAX_DEPTH;
use crate::problem::{Outcome, wrong};
use crate::run::Run;
use crate::tree::{Field, Kind, Node, Stamp, View};

/// One operation.
#[derive(Clone, Debug)]
struct Operation<'a> {
    name: Option<&'a str>,
    path: Option<&'a str>,
    from: Option<&'a str>,
    value: Option<Node<'a>>,
    /// The value as it is written, if the patch is JSON.
    raw: Option<NodeRef<'a>>,
    place: Option<Span>,
}

/// A patch that was read.
#[derive(Clone, Debug)]
pub(crate) struct JsonPatch<'a>(Vec<Operation<'a>>);

impl<'a> JsonPatch<'a> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Reads a patch: JSON if it begins like a list of JSON, else YAML, of which the first document counts. The error says why it is none.
    pub(crate) fn read(file: FileId, text: &Arc<str>, run: &Run<'a>) -> Result<Self, String> {
        let is_json = text.starts_with('[');
        let Some(root) = (if is_json { json_root(file, text, run)? } else { yaml_root(file, text, run)? }) else {
            return Ok(Self(Vec::new()));
        };
        if matches!(root.scalar(), Some(Read::Null)) {
            return Ok(Self(Vec::new()));
        }
        if root.kind() != plumb_yaml::Kind::List {
            return Err(format!("a JSON patch is a list of operations, not {}", kind_name(View::Written(root).kind())));
        }
        root.items().map(|item| Operation::read(item, is_json, run)).collect::<Result<_, _>>().map(Self)
    }

    /// Applies the operations one after the other. The object stays as it is if one of them fails.
    pub(crate) fn apply(&self, node: &mut Node<'a>, by: &'static str, run: &Run<'a>) -> Outcome<()> {
        let mut patched = node.clone();
        for operation in &self.0 {
            let stamp = Stamp { by, place: operation.place };
            operation.apply(&mut patched, stamp, run).map_err(|message| operation.mistake(message, node.view(), run))?;
        }
        if patched.kind() != Kind::Map {
            let place = self.0.last().and_then(|operation| operation.place);
            let message = "json: cannot unmarshal array into Go value of type map[string]interface {}";
            return Err(wrong("json-patch", message, place).hint("An object is a map; this makes it a list.").into());
        }
        if let Some(as_json) =
            json::through_json(patched.view(), run.texts, 0).map_err(|error| wrong("json-patch", error, run.texts.place(node.view())))?
        {
            patched = as_json;
        }
        *node = patched;
        Ok(())
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Map => "a map",
        Kind::List => "a list",
        Kind::Scalar => "a single value",
    }
}

fn yaml_root<'a>(file: FileId, text: &Arc<str>, run: &Run<'a>) -> Result<Option<NodeRef<'a>>, String> {
    match run.texts.read(file, Arc::clone(text)).documents().next() {
        None => Ok(None),
        Some(Ok(document)) => Ok(Some(document.root())),
        Some(Err(errors)) => Err(errors.first().map_or("the text is not YAML".to_owned(), ToString::to_string)),
    }
}

/// Reads JSON as YAML, for its places. What YAML reads otherwise is written anew first.
fn json_root<'a>(file: FileId, text: &Arc<str>, run: &Run<'a>) -> Result<Option<NodeRef<'a>>, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if !text.contains("\\u")
        && let Ok(Some(root)) = yaml_root(file, text, run)
    {
        return Ok(Some(root));
    }
    let again: Arc<str> = Arc::from(value.to_string());
    let path = run.texts.path(file);
    let Some(path) = path else { return Ok(None) };
    let made =
        run.texts.add(SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: Arc::from(again.as_bytes()), made: true });
    yaml_root(made, &again, run)
}

impl<'a> Operation<'a> {
    fn read(node: NodeRef<'a>, is_json: bool, run: &Run<'a>) -> Result<Self, String> {
        let is_null = matches!(node.scalar(), Some(Read::Null));
        if node.kind() != plumb_yaml::Kind::Map && !is_null {
            return Err(format!("an operation of a JSON patch is a map, not {}", kind_name(View::Written(node).kind())));
        }
        let text = |name: &str| node.get(name).filter(|value| matches!(value.scalar(), Some(Read::Str(_)))).map(|value| value.text());
        let value = node.get("value");
        let read = |value: NodeRef<'a>| if is_json { Ok(Node::written(value)) } else { json::from_yaml(value, run.texts, 0) };
        Ok(Self {
            name: text("op"),
            path: text("path"),
            from: text("from"),
            value: value.map(read).transpose()?,
            raw: value.filter(|_| is_json),
            place: run.texts.span(node),
        })
    }

    fn mistake(&self, message: String, object: View<'_, 'a>, run: &Run<'a>) -> Diagnostic {
        let mut mistake = wrong("json-patch", message, self.place);
        if let Some(place) = run.texts.place(object) {
            mistake = mistake.at(place, "in this object");
        }
        let path = self.path.unwrap_or("");
        match near(object, path) {
            Some(near) => mistake.hint(format!("Did you mean `{near}`?")),
            None if !path.starts_with('/') => mistake.hint("A path begins with `/`."),
            None => mistake,
        }
    }

    fn apply(&self, root: &mut Node<'a>, stamp: Stamp, run: &Run<'a>) -> Result<(), String> {
        let name = self.name.unwrap_or("unknown");
        if !["add", "remove", "replace", "move", "test", "copy"].contains(&name) {
            return Err(format!("Unexpected kind: {name}"));
        }
        for path in [self.path, self.from].into_iter().flatten() {
            if path.split('/').count() > MAX_DEPTH {
                return Err(format!("{name} operation has a path of more than {MAX_DEPTH} parts"));
            }
        }
        if matches!(name, "move" | "copy") {
            return self.transfer(name, root, stamp, run);
        }
        let path = self.path.ok_or_else(|| format!("{name} operation failed to decode path: missing value"))?;
        if path.is_empty() && name == "test" {
            return self.test(Some(root.view()), path);
        }
        if path.is_empty() && name == "replace" {
            let value = self.value.clone().filter(|value| value.kind() != Kind::Scalar);
            let was = run.texts.history(root.view());
            *root = value.ok_or("replace operation value must be object or array")?.laid_over(was, stamp, run.texts);
            return Ok(());
        }
        let Some((container, key)) = find(root, path, run) else {
            return Err(match name {
                "add" | "remove" => format!("{name} operation does not apply: doc is missing path: \"{path}\": missing value"),
                "test" => format!("test operation does not apply: is missing path: {path}: missing value"),
                _ => format!("replace operation does not apply: doc is missing path: {path}: missing value"),
            });
        };
        match name {
            "add" => add(container, &key, self.node(), stamp, run).map_err(|error| format!("error in add for path: '{path}': {error}")),
            "remove" => remove(container, &key, run).map(drop).map_err(|error| format!("error in remove for path: '{path}': {error}")),
            "test" => {
                let found = get(container.view(), &key).map_err(|error| format!("error in test for path: '{path}': {error}"))?;
                self.test(found, path)
            }
            _ => {
                get(container.view(), &key)
                    .map_err(|_| format!("replace operation does not apply: doc is missing key: {path}: missing value"))?;
                set(container, &key, self.node(), stamp, run).map_err(|error| format!("error in remove for path: '{path}': {error}"))
            }
        }
    }

    fn node(&self) -> Node<'a> {
        self.value.clone().unwrap_or_else(Node::null)
    }

    fn transfer(&self, name: &str, root: &mut Node<'a>, stamp: Stamp, run: &Run<'a>) -> Result<(), String> {
        let from = self.from.ok_or_else(|| format!("{name} operation failed to decode from: missing value"))?;
        let missing =
            |what: &str, path: &str| format!("{name} operation does not apply: doc is missing {what} path: {path}: missing value");
        let (container, key) = find(root, from, run).ok_or_else(|| missing("from", from))?;
        let wrong = |error: String| {
            if name == "move" {
                format!("error in move for path: '{key}': {error}")
            } else {
                format!("error in copy for from: '{from}': {error}")
            }
        };
        let found =
            get(container.view(), &key).map_err(wrong)?.map_or_else(Node::null, |view| view.to_node().stamped(run.texts.history(view)));
        if name == "move" {
            remove(container, &key, run).map_err(|error| format!("error in move for path: '{key}': {error}"))?;
        }
        let path = self.path.ok_or_else(|| format!("{name} operation failed to decode path: missing value"))?;
        run.take_copy(found.view(), path.split('/').count() - 1)?;
        let (container, key) = find(root, path, run).ok_or_else(|| missing("destination", path))?;
        add(container, &key, found, stamp, run).map_err(|error| {
            if name == "move" {
                format!("error in move for path: '{path}': {error}")
            } else {
                format!("error while adding value during copy: {error}")
            }
        })
    }

    fn test(&self, found: Option<View<'_, 'a>>, path: &str) -> Result<(), String> {
        let is_null = |view: &View<'_, 'a>| view.is_null();
        let found = found.filter(|view| !is_null(view));
        let value = self.value.as_ref().map(Node::view).filter(|view| !is_null(view));
        let is_same = match (found, value) {
            (None, None) => true,
            (Some(found), Some(value)) => json::same(found, value, self.raw.is_some(), 0),
            _ => false,
        };
        if is_same { Ok(()) } else { Err(format!("testing value {path} failed: test failed")) }
    }
}

/// Decodes a part of a path.
fn decoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('~') {
        out.push_str(before);
        let (char, after) = match after.as_bytes().first() {
            Some(b'1') => ('/', after.get(1..).unwrap_or("")),
            Some(b'0') => ('~', after.get(1..).unwrap_or("")),
            _ => ('~', after),
        };
        out.push(char);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Returns the list or map that holds what a path names, and the last part of the path. What stands before the first slash does not count.
fn find<'n, 'a>(root: &'n mut Node<'a>, path: &str, run: &Run<'a>) -> Option<(&'n mut Node<'a>, String)> {
    let (_, path) = path.split_once('/')?;
    let (parents, key) = path.rsplit_once('/').map_or((None, path), |(parents, key)| (Some(parents), key));
    let mut at = root;
    for part in parents.into_iter().flat_map(|parents| parents.split('/')) {
        let part = decoded(part);
        let next = get(at.view(), &part).ok()??;
        if next.kind() == Kind::Scalar {
            return None;
        }
        at = match at.kind() {
            Kind::List => {
                let index = index(&part, at.view().len()).ok()?;
                at.items_mut(run.texts)?.get_mut(index)?
            }
            _ => at.get_mut(&part, run.texts)?,
        };
    }
    (at.kind() != Kind::Scalar).then(|| (at, decoded(key)))
}

/// Returns the index that a part of a path means in a list of a length.
fn index(part: &str, len: usize) -> Result<usize, String> {
    let number: i64 = part.parse().map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", plumb_go::strconv::quote(part)))?;
    let at = if number < 0 { number.checked_add(len as i64) } else { Some(number) };
    let at = at.and_then(|at| usize::try_from(at).ok()).filter(|at| *at < len);
    at.ok_or_else(|| format!("Unable to access invalid index: {number}: invalid index referenced"))
}

/// Returns a member. A map that lacks it has nothing there; a list fails.
fn get<'t, 'a>(container: View<'t, 'a>, key: &str) -> Result<Option<View<'t, 'a>>, String> {
    match container.kind() {
        Kind::List => index(key, container.len()).map(|at| container.items().nth(at)),
        _ => Ok(container.get(key)),
    }
}

fn set<'a>(container: &mut Node<'a>, key: &str, value: Node<'a>, stamp: Stamp, run: &Run<'a>) -> Result<(), String> {
    if container.kind() != Kind::List {
        put(container, key, value, stamp, run);
        return Ok(());
    }
    let at = index(key, container.view().len())?;
    if let Some(place) = container.items_mut(run.texts).and_then(|items| items.get_mut(at)) {
        *place = value.laid_over(run.texts.history(place.view()), stamp, run.texts);
    }
    Ok(())
}

/// Sets a key of a map, which is a text whatever it looks like.
fn put<'a>(map: &mut Node<'a>, key: &str, value: Node<'a>, stamp: Stamp, run: &Run<'a>) {
    match map.get_mut(key, run.texts) {
        Some(place) => *place = value.laid_over(run.texts.history(place.view()), stamp, run.texts),
        None => {
            let mut field = Field::new(run.texts.keep(key.to_owned()), placed(value, stamp, run));
            field.key.is_text = true;
            if let Some(fields) = map.fields_mut(run.texts) {
                fields.push(field);
            }
        }
    }
}

/// Notes who put a value where nothing was: one that was moved keeps where it was before.
fn placed<'a>(value: Node<'a>, stamp: Stamp, run: &Run<'a>) -> Node<'a> {
    let own = value.view().origin();
    value.laid_over(own, stamp, run.texts)
}

fn add<'a>(container: &mut Node<'a>, key: &str, value: Node<'a>, stamp: Stamp, run: &Run<'a>) -> Result<(), String> {
    if container.kind() != Kind::List {
        put(container, key, value, stamp, run);
        return Ok(());
    }
    let len = container.view().len();
    let at = if key == "-" {
        len
    } else {
        index(key, len + 1).map_err(|error| match error.starts_with("strconv") {
            true => format!("value was not a proper array index: '{key}': {error}"),
            false => error,
        })?
    };
    let value = placed(value, stamp, run);
    if let Some(items) = container.items_mut(run.texts) {
        items.insert(at.min(items.len()), value);
    }
    Ok(())
}

fn remove<'a>(container: &mut Node<'a>, key: &str, run: &Run<'a>) -> Result<(), String> {
    if container.kind() != Kind::List {
        let removed = container.remove(key, run.texts);
        return removed.map(drop).ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value"));
    }
    let at = index(key, container.view().len())?;
    if let Some(items) = container.items_mut(run.texts).filter(|items| at < items.len()) {
        items.remove(at);
    }
    Ok(())
}

/// Returns a path that exists and is like one that does not.
fn near(object: View<'_, '_>, path: &str) -> Option<String> {
    let mut at = object;
    let mut known = String::new();
    for part in path.split('/').skip(1) {
        let part = decoded(part);
        if let Ok(Some(next)) = get(at, &part) {
            at = next;
            known.push('/');
            known.push_str(&part);
            continue;
        }
        let keys: Vec<&str> = at.fields().map(|(key, _)| key.text).collect();
        return plumb_helm::nearest(&part, keys.iter().copied()).map(|near| format!("{known}/{near}"));
    }
    None
}

#[cfg(test)]
mod tests;
