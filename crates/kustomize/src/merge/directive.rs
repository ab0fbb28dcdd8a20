//! Owns the directives of patches: `$patch` in a map, or in an item of its own of a list.
//!
//! `$setElementOrder`, `$deleteFromPrimitiveList` and `$retainKeys` are fields like others, as they are to kustomize.

use crate::tree::{Kind, Node, Texts, View};

const KEY: &str = "$patch";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

fn read(text: &str) -> Result<Directive, &str> {
    match text {
        "merge" => Ok(Directive::Merge),
        "replace" => Ok(Directive::Replace),
        "delete" => Ok(Directive::Delete),
        other => Err(other),
    }
}

/// Returns what a map asks for. The error is what is none.
pub(super) fn of_map<'a>(patch: View<'_, 'a>) -> Result<Directive, &'a str> {
    patch.get(KEY).map_or(Ok(Directive::Merge), |value| read(value.text()))
}

pub(super) fn take_from_map<'a>(patch: &mut Node<'a>, texts: &'a Texts) {
    patch.remove(KEY, texts);
}

/// Returns the item of a list that asks something for the list: the first one with a directive, if it has nothing else.
fn asking<'t, 'a>(patch: View<'t, 'a>) -> Option<View<'t, 'a>> {
    let item = patch.items().find(|item| item.get(KEY).is_some())?;
    if item.len() == 1 { item.get(KEY) } else { None }
}

/// Returns what a list asks for.
pub(super) fn of_list<'a>(patch: View<'_, 'a>) -> Result<Directive, &'a str> {
    asking(patch).map_or(Ok(Directive::Merge), |value| read(value.text()))
}

/// Takes the items out that ask the same; nulls and empty maps go with them.
pub(super) fn take_from_list<'a>(patch: &mut Node<'a>, texts: &'a Texts) {
    let Some(asked) = asking(patch.view()).map(View::text) else { return };
    let Some(items) = patch.items_mut(texts) else { return };
    items.retain(|item| {
        let view = item.view();
        let is_empty = view.is_null() || view.kind() == Kind::Map && view.len() == 0;
        let is_asking = view.get(KEY).is_some_and(|value| value.text() == asked);
        !is_empty && !is_asking
    });
}
