//! Owns walking two trees side by side: only what differs is visited, so the work is in proportion to the change.

use gix_hash::ObjectId;
use plumb_world::EntryKind;

use crate::limits::MAX_TREE_DEPTH;
use crate::objects::{ObjectError, Objects};
use crate::tree::Item;

/// One difference, at a path.
pub(crate) struct Change<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) old: Option<&'a Item>,
    pub(crate) new: Option<&'a Item>,
}

/// A tree and where it is read from.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) objects: &'a Objects,
    pub(crate) tree: ObjectId,
}

/// Visits each entry that is in one tree and not in the other, or differs. Folders that differ are visited before what
/// is in them.
pub(crate) fn differences(
    old: Option<Side<'_>>,
    new: Option<Side<'_>>,
    limit: u64,
    mut visit: impl FnMut(Change<'_>) -> Result<(), ObjectError>,
) -> Result<(), ObjectError> {
    let mut todo = vec![(Vec::new(), 0, old.map(|side| side.tree), new.map(|side| side.tree))];
    let mut visited: u64 = 0;
    while let Some((folder, depth, old_tree, new_tree)) = todo.pop() {
        if depth > MAX_TREE_DEPTH {
            return Err(ObjectError::Broken(format!("a tree has folders more than {MAX_TREE_DEPTH} deep")));
        }
        let read = |side: Option<Side<'_>>, id: Option<ObjectId>| match (side, id) {
            (Some(side), Some(id)) => side.objects.tree(&id).map(Some),
            _ => Ok(None),
        };
        let (old_tree, new_tree) = (read(old, old_tree)?, read(new, new_tree)?);
        let old_items = old_tree.as_ref().map_or(&[][..], |tree| &tree.items);
        let new_items = new_tree.as_ref().map_or(&[][..], |tree| &tree.items);
        for (before, after) in merge(old_items, new_items) {
            if before.zip(after).is_some_and(|(a, b)| a.id == b.id && a.kind == b.kind) {
                continue;
            }
            visited += 1;
            if visited > limit {
                return Err(ObjectError::Broken(format!("a tree has more than {limit} entries")));
            }
            let mut path: Vec<u8> = folder.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(before.or(after).map_or(&[], |item| &item.name));
            visit(Change { path: &path, old: before, new: after })?;
            let below = |item: Option<&Item>| item.filter(|item| item.kind == EntryKind::Directory).map(|item| item.id);
            if below(before).is_some() || below(after).is_some() {
                todo.push((path, depth + 1, below(before), below(after)));
            }
        }
    }
    Ok(())
}

/// Pairs entries of the same name; both lists are ordered by it.
fn merge<'a>(old: &'a [Item], new: &'a [Item]) -> impl Iterator<Item = (Option<&'a Item>, Option<&'a Item>)> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    std::iter::from_fn(move || {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Less,
            (None, Some(_)) => Greater,
            (Some(a), Some(b)) => a.name.cmp(&b.name),
        };
        Some(match order {
            Less => (old.next(), None),
            Greater => (None, new.next()),
            Equal => (old.next(), new.next()),
        })
    })
}
