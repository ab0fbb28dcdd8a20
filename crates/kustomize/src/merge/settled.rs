//! Owns the look before the walk: whether it would leave a node as it is.

use std::collections::HashSet;

use plumb_schema::kustomize::Type;
use plumb_yaml::Style;

use super::{MAX_DEPTH, Merging, list};
use crate::tree::{Kind, Tag, View, is_yaml11_text};

impl<'a> Merging<'_, 'a> {
    /// Returns whether walking a node changes nothing, if nothing or (`itself`) the node itself is laid over it. It may say no where it does not.
    pub(super) fn is_settled(&self, view: View<'_, 'a>, of: Option<Type>, itself: bool, depth: usize) -> bool {
        if depth > MAX_DEPTH {
            return true;
        }
        match view.kind() {
            Kind::Scalar => view.scalar().is_some_and(|scalar| match scalar.tag {
                Tag::Null => !itself && !scalar.text.is_empty(),
                Tag::None => scalar.style != Style::Plain || is_yaml11_text(scalar.text),
                _ => true,
            }),
            Kind::Map => view.fields().all(|(key, value)| {
                let of = of.and_then(|of| self.schema.field(of, key.text));
                !(itself && key.text == "$patch") && self.is_settled(value, self.type_of(Some(value), None, of), itself, depth + 1)
            }),
            Kind::List => !self.is_associative(Some(view), None, of) || self.is_settled_list(view, of, itself, depth),
        }
    }

    fn is_settled_list(&self, view: View<'_, 'a>, of: Option<Type>, itself: bool, depth: usize) -> bool {
        let Some(of) = of else { return false };
        let keys: Vec<&str> = self.schema.merge(of).keys().collect();
        if keys.is_empty() {
            let mut seen = HashSet::new();
            return view.items().all(|item| {
                item.scalar().is_some_and(|scalar| !scalar.text.is_empty() && scalar.tag != Tag::Null && !scalar.tagged)
                    && seen.insert(item.text())
            });
        }
        let elements = self.schema.elements(of);
        // Each key in all items or in none: then no item can stand for another one.
        let Some(first) = view.items().next() else { return true };
        let present: Vec<bool> = keys.iter().map(|key| first.get(key).is_some()).collect();
        if !present.contains(&true) {
            return false;
        }
        let mut seen = HashSet::new();
        view.items().all(|item| {
            let values: Vec<&str> = keys.iter().map(|key| list::key_text(item, key)).collect();
            item.kind() == Kind::Map
                && keys.iter().zip(&present).all(|(key, present)| item.get(key).is_some() == *present)
                && values.iter().zip(&present).all(|(value, present)| value.is_empty() != *present)
                && seen.insert(values)
                && self.is_settled(item, self.type_of(Some(item), None, elements), itself, depth + 1)
        })
    }
}
