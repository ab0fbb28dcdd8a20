//! Owns how a path leads to an entry: links are followed inside their tree only, and boundedly. The same for a Git tree
//! and a folder on disk.

use plumb_world::{EntryKind, RelPath, WorldError};

use crate::limits::MAX_LINK_HOPS;

/// Where a path is looked up.
pub(crate) trait Nodes {
    /// An entry that has been reached.
    type Node: Clone;

    /// Returns an entry of a folder.
    fn child(&self, folder: &Self::Node, name: &str, at: &RelPath) -> Result<Option<(EntryKind, Self::Node)>, WorldError>;

    /// Returns the target of a link.
    fn target(&self, link: &Self::Node, at: &RelPath) -> Result<String, WorldError>;
}

/// What a path leads to.
pub(crate) enum Lookup<N> {
    /// An entry, never a link.
    Found {
        kind: EntryKind,
        node: N,
        /// Its path without links.
        path: RelPath,
    },
    /// Nothing.
    Absent {
        /// The first path that would have to be there, without links.
        at: RelPath,
    },
}

/// Looks a path up. The links crossed are told in `crossed`, also when it fails.
pub(crate) fn resolve<N: Nodes>(
    nodes: &N,
    root: N::Node,
    path: &RelPath,
    crossed: &mut Vec<RelPath>,
) -> Result<Lookup<N::Node>, WorldError> {
    let mut stack = vec![(RelPath::root(), EntryKind::Directory, root)];
    let mut todo: Vec<String> = path.as_str().rsplit('/').map(str::to_owned).collect();
    while let Some(segment) = todo.pop() {
        let bad = |at: &RelPath, why: &str| WorldError::BadLink { path: at.clone(), why: why.to_owned() };
        let link = crossed.last().unwrap_or(path).clone();
        let Some((here, kind, folder)) = stack.last().cloned() else {
            return Err(bad(&link, "that leads out of its source"));
        };
        match segment.as_str() {
            "" | "." => continue,
            ".." => {
                stack.pop();
                if stack.is_empty() {
                    return Err(bad(&link, "that leads out of its source"));
                }
                continue;
            }
            _ => {}
        }
        match kind {
            EntryKind::Directory => {}
            EntryKind::Submodule => {
                return Err(WorldError::WrongKind { path: here, found: "a submodule, which is not fetched", wanted: "a folder" });
            }
            _ => return Ok(Lookup::Absent { at: here }),
        }
        let at = here.join(&segment).map_err(|error| WorldError::Unreadable { path: here.clone(), why: error.to_string() })?;
        let Some((kind, node)) = nodes.child(&folder, &segment, &at)? else { return Ok(Lookup::Absent { at }) };
        if kind != EntryKind::Link {
            stack.push((at, kind, node));
            continue;
        }
        crossed.push(at.clone());
        if crossed.len() > MAX_LINK_HOPS {
            return Err(bad(&at, &format!("in a circle, or one of more than {MAX_LINK_HOPS} in a row")));
        }
        let target = nodes.target(&node, &at)?;
        if target.starts_with('/') {
            return Err(bad(&at, "to an absolute path, which no source may have"));
        }
        if target.is_empty() || target.contains(['\\', '\0']) {
            return Err(bad(&at, "to something that is no path"));
        }
        todo.extend(target.split('/').rev().map(str::to_owned));
    }
    match stack.pop() {
        Some((path, kind, node)) => Ok(Lookup::Found { kind, node, path }),
        None => Err(WorldError::BadLink { path: path.clone(), why: "that leads out of its source".to_owned() }),
    }
}
