//! Owns one tree object: decoding it, and refusing names that no honest tree has.

use gix_hash::ObjectId;
use gix_object::TreeRefIter;
use gix_object::tree::EntryKind as Kind;
use plumb_world::{Entry, EntryKind};

use crate::snapshot::blob_id;

/// One entry; the name is raw, as Git has it.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) name: Box<[u8]>,
    pub(crate) kind: EntryKind,
    pub(crate) id: ObjectId,
}

/// A decoded tree, ordered by name.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) items: Vec<Item>,
    /// Why nothing in it may be read, as a clause.
    pub(crate) hostile: Option<String>,
}

impl Tree {
    /// Decodes a tree. A malformed one is an error; one with names that Git refuses can still be walked, but not read.
    pub(crate) fn decode(data: &[u8]) -> Result<Self, String> {
        let mut items = Vec::new();
        for entry in TreeRefIter::from_bytes(data, gix_hash::Kind::Sha1) {
            let entry = entry.map_err(|_| "the tree is malformed".to_owned())?;
            let kind = match entry.mode.kind() {
                Kind::Tree => EntryKind::Directory,
                Kind::Blob => EntryKind::File,
                Kind::BlobExecutable => EntryKind::Executable,
                Kind::Link => EntryKind::Link,
                Kind::Commit => EntryKind::Submodule,
            };
            items.push(Item { name: entry.filename.to_vec().into(), kind, id: entry.oid.to_owned() });
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        let twice = items.windows(2).find(|pair| pair[0].name == pair[1].name).map(|pair| pair[0].name.clone());
        let hostile = match twice {
            Some(name) => Some(format!("its folder has two entries named {}", show(&name))),
            None => items.iter().find_map(|item| objection(&item.name).map(|why| format!("its folder has {}, {why}", show(&item.name)))),
        };
        Ok(Self { items, hostile })
    }

    /// Returns the entry of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Item> {
        self.items.binary_search_by(|item| (*item.name).cmp(name.as_bytes())).ok().map(|at| &self.items[at])
    }

    /// Returns the entries as the world has them, or a clause naming one that the world's paths cannot express.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, String> {
        let entry = |item: &Item| {
            let name = std::str::from_utf8(&item.name).ok().filter(|name| !name.contains('\\'));
            let name = name.ok_or_else(|| format!("its folder has {}, which is no path of UTF-8 without backslashes", show(&item.name)))?;
            Ok(Entry { name: name.to_owned(), kind: item.kind, id: blob_id(item.id) })
        };
        self.items.iter().map(entry).collect()
    }
}

fn show(name: &[u8]) -> String {
    format!("`{}`", String::from_utf8_lossy(name).escape_debug())
}

/// Returns why no honest tree has this name: the checks of `git fsck`, and what file systems take for `.git`.
fn objection(name: &[u8]) -> Option<&'static str> {
    if name.is_empty() {
        return Some("an entry without a name");
    }
    if name == b"." || name == b".." {
        return Some("which leads out of it");
    }
    if name.contains(&b'/') {
        return Some("a name with a slash");
    }
    is_dot_git(name).then_some("which some file systems take for `.git`")
}

fn is_dot_git(name: &[u8]) -> bool {
    // HFS+ passes over these characters when it compares names.
    const IGNORED: [char; 16] = [
        '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{206a}', '\u{206b}',
        '\u{206c}', '\u{206d}', '\u{206e}', '\u{206f}', '\u{feff}',
    ];
    let text = String::from_utf8_lossy(name);
    let folded: String = text.chars().filter(|c| !IGNORED.contains(c)).flat_map(char::to_lowercase).collect();
    // NTFS passes over dots and blanks at the end and what follows a colon, and has short names.
    let plain = folded.split(':').next().unwrap_or_default().trim_end_matches([' ', '.']);
    plain == ".git" || plain == "git~1"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(names: &[&[u8]]) -> Vec<u8> {
        let entry = |name: &&[u8]| [b"100644 ", *name, b"\0", &[7; 20]].concat();
        names.iter().flat_map(entry).collect()
    }

    #[test]
    fn decodes_and_orders() {
        let tree = Tree::decode(&encode(&[b"b", b"a.yaml"])).expect("tree");
        assert_eq!(tree.hostile, None);
        assert_eq!(tree.entries().expect("entries").iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["a.yaml", "b"]);
        assert!(tree.get("b").is_some() && tree.get("c").is_none());
    }

    #[test]
    fn names_that_no_honest_tree_has() {
        let names: [&[u8]; 16] = [
            b"",
            b".",
            b"..",
            b"a/b",
            b"/etc",
            b".git",
            b".GIT",
            b".Git",
            b".git ",
            b".git...",
            b".git::$INDEX_ALLOCATION",
            b"git~1",
            b"GIT~1",
            ".g\u{200c}it".as_bytes(),
            ".\u{feff}GIT".as_bytes(),
            b"../../etc/passwd",
        ];
        for name in names {
            assert!(Tree::decode(&encode(&[name])).expect("tree").hostile.is_some(), "{}", String::from_utf8_lossy(name));
        }
        for name in [&b".gitignore"[..], b".gitmodules", b"git", b"...", b".git2", b"a.git", b"git~2"] {
            assert_eq!(Tree::decode(&encode(&[name])).expect("tree").hostile, None, "{}", String::from_utf8_lossy(name));
        }
        assert!(Tree::decode(&encode(&[b"a", b"a"])).expect("tree").hostile.is_some());
    }

    #[test]
    fn malformed_trees_are_errors() {
        for data in [&b"100644 a"[..], b"100644 a\0short", b"x", b"100644a\0aaaaaaaaaaaaaaaaaaaa", b"\0"] {
            assert!(Tree::decode(data).is_err(), "{data:?}");
        }
    }

    #[test]
    fn names_that_paths_cannot_express_only_stop_a_listing() {
        for name in [&b"a\\b"[..], b"\xff"] {
            let tree = Tree::decode(&encode(&[name, b"ok"])).expect("tree");
            assert_eq!(tree.hostile, None);
            assert!(tree.get("ok").is_some());
            assert!(tree.entries().is_err());
        }
    }
}
