//! Owns lists that merge item by item (kyaml's `associative_sequence.go`, and `ElementSetter` and `ElementMatcher` of its `fns.go`). Their order of steps
//! decides what comes of items without a key and of keys that only some items have, so it is kept.

use plumb_schema::kustomize::Type;

use super::directive::{self, Directive};
use super::{From, Merging, Over, Visit, Walked, node_kind};
use crate::problem::{Outcome, wrong};
use crate::tree::{Kind, Node, Origin, View};

/// The value that tells an item apart; empty if it has none.
pub(super) fn key_text<'a>(item: View<'_, 'a>, key: &str) -> &'a str {
    item.get(key).filter(|value| !value.is_null_or_empty()).map_or("", View::text)
}

/// Returns whether all items have a name.
pub(super) fn named(list: View<'_, '_>) -> bool {
    list.items().all(|item| item.get("name").is_some())
}

/// The values of an item's keys, one for each key.
type Values<'a> = Vec<&'a str>;

impl<'a> Merging<'_, 'a> {
    pub(super) fn walk_list(&self, dest: Option<Node<'a>>, over: Over<'a>, of: Option<Type>, depth: usize) -> Outcome<Option<Walked<'a>>> {
        let (mut list, over, from) = match self.visit_list(dest, over)? {
            Visit::Gone => return Ok(None),
            Visit::Done(walked) => return Ok(Some(walked)),
            Visit::Below(list, over, from) => (list, over, from),
        };
        let merge = of.map(|of| self.schema.merge(of)).unwrap_or_default();
        let mut keys: Vec<&str> = merge.keys().collect();
        if merge.strategy.is_empty() && keys.is_empty() {
            keys.push(self.inferred_key(&list, &over)?);
        }
        let values = self.all_values(&list, &over, &keys);
        if keys.is_empty() {
            keys.push("");
        }
        let own = list.items_mut(self.texts).map(std::mem::take).unwrap_or_default();
        let mut patch = match over {
            Over::Nothing => Items::None,
            Over::Itself => Items::Itself,
            Over::Patch(mut patch) => Items::Patch(patch.items_mut(self.texts).map(std::mem::take).unwrap_or_default()),
        };
        let items = self.merge_items(own, &mut patch, values, &keys, of, depth)?;
        if let Some(place) = list.items_mut(self.texts) {
            *place = items;
        }
        Ok(Some(Walked { node: list, from }))
    }

    fn visit_list(&self, dest: Option<Node<'a>>, over: Over<'a>) -> Outcome<Visit<'a>> {
        let Some(mut own) = dest.filter(|node| !node.view().is_null()) else {
            // Here a directive stays an item.
            return Ok(match over {
                Over::Patch(patch) if !patch.view().is_null() => Visit::Below(patch, Over::Itself, From::Patch),
                _ => Visit::Gone,
            });
        };
        Ok(match over {
            Over::Nothing => Visit::Below(own, over, From::Object),
            Over::Itself => {
                let found = self.directive(directive::of_list(own.view()), own.view())?;
                directive::take_from_list(&mut own, self.texts);
                if found == Directive::Delete { Visit::Gone } else { Visit::Below(own, over, From::Object) }
            }
            Over::Patch(patch) if patch.view().is_null() => Visit::Gone,
            Over::Patch(mut patch) => {
                let found = self.directive(directive::of_list(patch.view()), patch.view())?;
                directive::take_from_list(&mut patch, self.texts);
                match found {
                    Directive::Delete => Visit::Gone,
                    Directive::Replace => Visit::Below(patch, Over::Itself, From::Patch),
                    Directive::Merge => Visit::Below(own, Over::Patch(patch), From::Object),
                }
            }
        })
    }

    fn inferred_key(&self, list: &Node<'a>, over: &Over<'a>) -> Outcome<&'static str> {
        let views = [Some(list.view()), over.patch()];
        let mut with_items = views.into_iter().flatten().filter(|view| view.len() > 0);
        if with_items.all(named) && views.iter().flatten().any(|view| view.len() > 0) {
            return Ok("name");
        }
        Err(wrong("patch", "no merge key found for a list, or not the same in both", self.place(list.view())).into())
    }

    /// Returns the values of all items' keys, each once: the patch's first where new items go first.
    fn all_values(&self, list: &Node<'a>, over: &Over<'a>, keys: &[&str]) -> Vec<Values<'a>> {
        let (own, patch) = (Some(list.view()), over.patch());
        let mut all: Vec<Values<'a>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for view in if self.prepend { [patch, own] } else { [own, patch] }.into_iter().flatten() {
            for item in view.items() {
                let values: Values<'a> =
                    if keys.is_empty() { vec![item.text()] } else { keys.iter().map(|key| key_text(item, key)).collect() };
                if seen.insert(values.clone()) {
                    all.push(values);
                }
            }
        }
        all
    }

    fn merge_items(
        &self,
        mut own: Vec<Node<'a>>,
        patch: &mut Items<'a>,
        mut all: Vec<Values<'a>>,
        keys: &[&str],
        of: Option<Type>,
        depth: usize,
    ) -> Outcome<Vec<Node<'a>>> {
        // Each item is looked for among all others.
        self.take_steps(all.len().saturating_mul(own.len() + patch.len() + all.len()))?;
        let elements = of.and_then(|of| self.schema.elements(of));
        let mut added: Vec<Node<'a>> = Vec::new();
        if keys.len() > 1 {
            merge_values(&mut all);
        }
        let used = used_keys(&all, keys.len());
        let mut valid_keys: Vec<&str> = Vec::new();
        for values in &all {
            let valid_values;
            (valid_keys, valid_values) = valid(&used, values, keys);
            let (near_keys, near_values) =
                valid(&used_keys(std::slice::from_ref(&valid_values), valid_keys.len()), &valid_values, &valid_keys);
            let at = find(&own, &near_keys, &near_values);
            let patch_at = match patch {
                Items::Patch(items) => find(items, &near_keys, &near_values),
                Items::None | Items::Itself => None,
            };
            let over = match patch {
                Items::Itself if at.is_some() => Over::Itself,
                Items::None | Items::Itself => Over::Nothing,
                Items::Patch(items) => patch_at.and_then(|at| items.get(at)).map_or(Over::Nothing, |item| Over::Patch(item.clone())),
            };
            let dest = at.and_then(|at| own.get(at)).cloned();
            let was = dest.as_ref().map(|node| self.texts.history(node.view()));
            let walked = self.walk(dest, over, elements, depth + 1)?;
            // A directive counts once: other keys may lead to the same item again.
            let visited = match patch {
                Items::Itself => at.and_then(|at| own.get_mut(at)),
                Items::Patch(items) => patch_at.and_then(|at| items.get_mut(at)),
                Items::None => None,
            };
            if let Some(item) = visited.filter(|item| directive::of_map(item.view()).is_ok()) {
                directive::take_from_map(item, self.texts);
            }
            let Some(Walked { mut node, from }) = walked.filter(|walked| !is_empty(walked.node.view())) else {
                self.set_element(&mut own, None, &valid_keys, &valid_values)?;
                continue;
            };
            self.fill_keys(&mut node, &valid_keys, &valid_values)?;
            match (from, at.and_then(|at| own.get_mut(at))) {
                (From::Patch, _) => node = self.stamped(node, was.unwrap_or(Origin::WRITTEN)),
                (_, Some(place)) => place.clone_from(&node),
                (_, None) => {}
            }
            self.set_element(&mut added, Some(node), &valid_keys, &valid_values)?;
        }
        if all.is_empty() {
            return Ok(own);
        }
        let (mut first, second) = if self.prepend { (added, own) } else { (own, added) };
        for item in second {
            self.append(&mut first, item, &valid_keys)?;
        }
        Ok(first)
    }

    /// Puts keys into an item that has come to lack them. A single value has none, and loses its tag.
    fn fill_keys(&self, node: &mut Node<'a>, keys: &[&str], values: &[&'a str]) -> Outcome<()> {
        for (key, value) in keys.iter().zip(values) {
            if value.is_empty() || node.view().get(key).is_some() {
                continue;
            }
            match node.view().scalar() {
                Some(scalar) if key.is_empty() => {
                    if scalar.tagged {
                        let origin = self.texts.history(node.view());
                        *node = Node::scalar(crate::tree::Scalar { tag: crate::tree::Tag::None, tagged: false, ..scalar }).stamped(origin);
                    }
                }
                None if node.kind() == Kind::Map && !key.is_empty() => self.fill(node, key, value),
                _ => return Err(self.wrong_item(node.view(), if key.is_empty() { Kind::Scalar } else { Kind::Map }).into()),
            }
        }
        Ok(())
    }

    fn wrong_item(&self, item: View<'_, 'a>, expected: Kind) -> plumb_world::Diagnostic {
        let message = format!("wrong node kind: expected {} but got {}", node_kind(expected), node_kind(item.kind()));
        wrong("patch", message, self.place(item))
    }

    /// Returns whether an item's key has a value; any will do for an empty one.
    fn matches(&self, item: View<'_, 'a>, key: &str, value: &str) -> Outcome<bool> {
        let expected = if key.is_empty() { Kind::Scalar } else { Kind::Map };
        if item.kind() != expected {
            return Err(self.wrong_item(item, expected).into());
        }
        if key.is_empty() {
            return Ok(item.value_text() == value);
        }
        Ok(item.get(key).is_some_and(|found| value.is_empty() || found.text() == value))
    }

    /// Puts an item in the place of those that match, or at the end; nothing takes them out. Nulls and empty maps go.
    fn set_element(&self, items: &mut Vec<Node<'a>>, element: Option<Node<'a>>, keys: &[&str], values: &[&str]) -> Outcome<()> {
        let only_maps = keys.first().is_some_and(|key| !key.is_empty()) && values.first().is_some_and(|value| !value.is_empty());
        let mut has_matched = false;
        let mut kept = Vec::with_capacity(items.len() + 1);
        for item in std::mem::take(items) {
            let view = item.view();
            if is_empty(view) {
                continue;
            }
            if view.kind() != Kind::Map && only_maps {
                kept.push(item);
                continue;
            }
            // A key without a value counts as the key before it did.
            let (mut is_match, mut last) = (true, false);
            for (index, key) in keys.iter().enumerate() {
                if let Some(value) = values.get(index) {
                    last = self.matches(view, key, value)?;
                }
                if !last {
                    is_match = false;
                    break;
                }
            }
            if is_match {
                has_matched = true;
                kept.extend(element.clone());
            } else if !values.is_empty() {
                kept.push(item);
            }
        }
        if let Some(element) = element.filter(|element| !has_matched && !element.view().is_null()) {
            kept.push(element);
        }
        *items = kept;
        Ok(())
    }

    /// Adds an item to a list, in the place of the one with its keys. One without its keys drives the others out.
    fn append(&self, items: &mut Vec<Node<'a>>, item: Node<'a>, keys: &[&str]) -> Outcome<()> {
        if keys.first().is_some_and(|key| key.is_empty()) {
            let value = item.view().text();
            return self.set_element(items, Some(item), &[""], &[value]);
        }
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            let view = item.view();
            if !view.is_null() && view.kind() != Kind::Map {
                return Err(self.wrong_item(view, Kind::Map).into());
            }
            match view.get(key) {
                Some(value) => values.push(value.text()),
                None => items.push(item.clone()),
            }
        }
        if keys.len() > 1 {
            self.set_element(items, None, keys, &values)?;
        }
        self.set_element(items, Some(item), keys, &values)
    }
}

/// The items that are laid over.
enum Items<'a> {
    None,
    Itself,
    Patch(Vec<Node<'a>>),
}

impl Items<'_> {
    fn len(&self) -> usize {
        if let Self::Patch(items) = self { items.len() } else { 0 }
    }
}

fn is_empty(view: View<'_, '_>) -> bool {
    view.is_null() || view.kind() == Kind::Map && view.len() == 0
}

/// Returns the first map whose keys have these values, or the first item that is the value.
fn find(items: &[Node<'_>], keys: &[&str], values: &[&str]) -> Option<usize> {
    if keys.first().is_none_or(|key| key.is_empty()) {
        let value = values.first().copied().unwrap_or("");
        return items.iter().position(|item| item.view().text() == value);
    }
    items.iter().position(|item| {
        let view = item.view();
        view.kind() == Kind::Map && keys.iter().zip(values).all(|(key, value)| view.get(key).is_some_and(|found| found.text() == *value))
    })
}

/// Returns which keys have a value in any item.
fn used_keys(all: &[Values<'_>], keys: usize) -> Vec<bool> {
    (0..keys).map(|index| all.iter().any(|values| values.get(index).is_some_and(|value| !value.is_empty()))).collect()
}

/// Leaves out keys that no item has, unless that leaves none.
fn valid<'k, 'a>(used: &[bool], values: &[&'a str], keys: &[&'k str]) -> (Vec<&'k str>, Values<'a>) {
    if !used.contains(&true) {
        return (keys.to_vec(), values.to_vec());
    }
    let is_used = |(value, used): (_, &bool)| used.then_some(value);
    (keys.iter().copied().zip(used).filter_map(is_used_key).collect(), values.iter().copied().zip(used).filter_map(is_used).collect())
}

fn is_used_key<'k>((key, used): (&'k str, &bool)) -> Option<&'k str> {
    used.then_some(key)
}

/// Makes items the same that have a key in common and differ only in keys that one of them lacks.
fn merge_values(all: &mut [Values<'_>]) {
    for at in 0..all.len() {
        let Some(values) = all.get(at).cloned() else { continue };
        for other in 0..all.len() {
            let Some(merged) = all.get(other).and_then(|other| merged(&values, other)) else { continue };
            for index in [at, other] {
                if let Some(place) = all.get_mut(index) {
                    place.clone_from(&merged);
                }
            }
        }
    }
}

fn merged<'a>(left: &[&'a str], right: &[&'a str]) -> Option<Values<'a>> {
    let mut has_common = false;
    let mut merged = Vec::with_capacity(left.len());
    for (left, right) in left.iter().zip(right) {
        has_common |= left == right;
        if left != right && !left.is_empty() && !right.is_empty() {
            return None;
        }
        merged.push(if left.is_empty() { *right } else { *left });
    }
    has_common.then_some(merged)
}
