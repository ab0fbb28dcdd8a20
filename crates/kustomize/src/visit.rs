//! Owns walking to the fields of a field spec, until `fieldspec` does (to be replaced by it): `api/filters/fieldspec` as images and replicas need it.

use crate::args::FieldSpec;
use crate::resource::Resource;
use crate::run::Run;
use crate::tree::{Field, Kind, Node, Scalar, Stamp, Tag, View};

/// A walk along one field spec.
pub(crate) struct Visit<'s, 'a> {
    pub(crate) spec: &'s FieldSpec<'a>,
    /// Whether a missing field is made (a scalar).
    pub(crate) create: bool,
    pub(crate) stamp: Stamp,
}

/// Splits a path at `/`; `\/` is part of a name.
pub(crate) fn split_path(path: &str, delimiter: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut open = false;
    let path = path.strip_prefix(delimiter).unwrap_or(path);
    for part in path.split(delimiter) {
        match parts.last_mut() {
            Some(last) if open => {
                last.pop();
                last.push(delimiter);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
        open = parts.last().is_some_and(|last| last.ends_with('\\'));
    }
    parts
}

impl<'a> Visit<'_, 'a> {
    /// Returns whether the walk would reach something in the object, or go wrong. Nothing is opened.
    pub(crate) fn reaches(&self, resource: &Resource<'a>) -> bool {
        resource.gvk().is_selected(&self.spec.gvk) && self.reaches_in(resource.view(), &split_path(self.spec.path, '/'))
    }

    fn reaches_in(&self, view: View<'_, 'a>, path: &[String]) -> bool {
        let [name, rest @ ..] = path else { return true };
        match view.kind() {
            Kind::Scalar => !view.is_null(),
            Kind::List => view.items().any(|item| self.reaches_in(item, path)),
            Kind::Map => match view.get(name.strip_suffix("[]").unwrap_or(name)) {
                Some(value) if value.is_null() => name.ends_with("[]") || self.create || rest.is_empty(),
                Some(value) => self.reaches_in(value, rest),
                None => self.create && !name.ends_with("[]"),
            },
        }
    }

    /// Calls a setter for each node that the path reaches. The error is a message.
    pub(crate) fn each(
        &self,
        resource: &mut Resource<'a>,
        run: &Run<'a>,
        set: &mut dyn FnMut(&mut Node<'a>) -> Result<(), String>,
    ) -> Result<(), String> {
        if !self.reaches(resource) {
            return Ok(());
        }
        let path = split_path(self.spec.path, '/');
        let id = resource.id(run).to_string();
        self.walk(&mut resource.node, &path, run, set)
            .map_err(|error| format!("considering field '{}' of object {id}: {error}", self.spec.path))
    }

    fn walk(
        &self,
        node: &mut Node<'a>,
        path: &[String],
        run: &Run<'a>,
        set: &mut dyn FnMut(&mut Node<'a>) -> Result<(), String>,
    ) -> Result<(), String> {
        let [name, rest @ ..] = path else { return set(node) };
        match node.kind() {
            Kind::Scalar if node.view().is_null() => Ok(()),
            Kind::Scalar => Err("expected sequence or mapping node".to_owned()),
            Kind::List => {
                for item in node.items_mut(run.texts).into_iter().flatten() {
                    if self.reaches_in(item.view(), path) {
                        self.walk(item, path, run, set)?;
                    }
                }
                Ok(())
            }
            Kind::Map => {
                let (name, is_list) = name.strip_suffix("[]").map_or((name.as_str(), false), |name| (name, true));
                if name.is_empty() {
                    return Err("cannot set or create an empty field name".to_owned());
                }
                let origin = run.texts.over(self.stamp, crate::tree::Origin::WRITTEN);
                let makes = self.create && !is_list;
                let kind = if rest.is_empty() { Kind::Scalar } else { Kind::Map };
                if makes && node.view().get(name).is_none() {
                    let key = run.texts.keep(name.to_owned());
                    if let Some(fields) = node.fields_mut(run.texts) {
                        fields.push(Field::new(key, Node::empty(kind).stamped(origin)));
                    }
                }
                let Some(field) = node.get_mut(name, run.texts) else { return Ok(()) };
                if field.view().is_null() && (is_list || makes) {
                    let empty = match kind {
                        _ if is_list => Node::list(Vec::new()),
                        Kind::Scalar => Node::scalar(Scalar { tag: Tag::Int, ..Scalar::untagged("") }),
                        kind => Node::empty(kind),
                    };
                    field.replace(empty, self.stamp, run.texts);
                }
                self.walk(field, rest, run, set)
            }
        }
    }
}
