//! Owns how a chart's archive becomes objects of the cached repository: a tree of its files and a commit that names it, so
//! that a chart is read, compared and kept as a commit of Git is. Must not fetch.
//!
//! What an archive may hold is `plumb_helm`'s to say: its limits and its names are Helm's. The objects of one archive are
//! always the same, whoever brings it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use gix_hash::ObjectId;
use gix_object::Kind;
use plumb_helm::Metadata;

use crate::limits::MAX_TREE_DEPTH;
use crate::objects::ObjectError;
use crate::pack::Writer;

/// A chart as objects that are not in a repository yet.
pub(crate) struct Import {
    objects: BTreeMap<ObjectId, (Kind, Vec<u8>)>,
    /// The commit that names all of them.
    pub(crate) commit: ObjectId,
    /// The chart's version, as it says itself.
    pub(crate) version: String,
}

enum Node {
    File(ObjectId),
    Folder(BTreeMap<String, Node>),
}

impl Import {
    /// Unpacks an archive. The error is why it is no chart, as a clause.
    pub(crate) fn unpack(archive: &[u8], digest: &str) -> Result<Self, String> {
        let files = plumb_helm::unpack(archive).map_err(|error| error.to_string())?;
        let mut metadata = Metadata::default();
        let own = files.iter().rfind(|file| file.name == "Chart.yaml").ok_or("it has no Chart.yaml")?;
        metadata.read(&own.data).map_err(|why| format!("its Chart.yaml cannot be read: {why}"))?;
        let mut import = Self { objects: BTreeMap::new(), commit: ObjectId::null(gix_hash::Kind::Sha1), version: metadata.version };
        let mut root = BTreeMap::new();
        for file in files {
            let blob = import.add(Kind::Blob, file.data.to_vec())?;
            place(&mut root, &file.name, blob)?;
        }
        let tree = import.tree(&root)?;
        let who = "A chart <chart@localhost> 0 +0000";
        let title = format!("{} {}", line(&metadata.name), line(&import.version));
        let commit = format!("tree {tree}\nauthor {who}\ncommitter {who}\n\n{title}\n\nsha256:{digest}\n");
        import.commit = import.add(Kind::Commit, commit.into_bytes())?;
        Ok(import)
    }

    fn add(&mut self, kind: Kind, data: Vec<u8>) -> Result<ObjectId, String> {
        let id = gix_object::compute_hash(gix_hash::Kind::Sha1, kind, &data).map_err(|error| error.to_string())?;
        self.objects.insert(id, (kind, data));
        Ok(id)
    }

    fn tree(&mut self, folder: &BTreeMap<String, Node>) -> Result<ObjectId, String> {
        let mut entries = Vec::with_capacity(folder.len());
        for (name, node) in folder {
            entries.push(match node {
                Node::File(id) => (name.clone(), format!("100644 {name}\0"), *id),
                // Git orders a folder as if its name ended with a slash.
                Node::Folder(inner) => (format!("{name}/"), format!("40000 {name}\0"), self.tree(inner)?),
            });
        }
        entries.sort();
        let data = entries.iter().flat_map(|(_, head, id)| [head.as_bytes(), id.as_slice()].concat()).collect();
        self.add(Kind::Tree, data)
    }

    /// Returns the objects as a pack.
    pub(crate) fn pack(&self, scratch: &Path) -> Result<BufReader<File>, ObjectError> {
        let broken = |error: std::io::Error| ObjectError::Local(error.to_string());
        let mut writer = Writer::new(tempfile::tempfile_in(scratch).map_err(broken)?, self.objects.len()).map_err(broken)?;
        for (kind, data) in self.objects.values() {
            writer.add(*kind, data).map_err(broken)?;
        }
        writer.finish().map_err(broken)
    }
}

/// Puts a file where its name says. Of two with one name the later counts, as for Helm.
fn place(root: &mut BTreeMap<String, Node>, name: &str, blob: ObjectId) -> Result<(), String> {
    let shown = || format!("`{}`", name.escape_debug());
    if name.chars().any(char::is_control) {
        return Err(format!("{} has a control character in its name", shown()));
    }
    let (folders, own) = name.rsplit_once('/').map_or((None, name), |(folders, own)| (Some(folders), own));
    let (mut folder, mut depth) = (root, 0);
    for part in folders.into_iter().flat_map(|folders| folders.split('/')) {
        depth += 1;
        if depth > MAX_TREE_DEPTH {
            return Err(format!("{} lies more than {MAX_TREE_DEPTH} folders deep", shown()));
        }
        let next = folder.entry(part.to_owned()).or_insert_with(|| Node::Folder(BTreeMap::new()));
        match next {
            Node::Folder(inner) => folder = inner,
            Node::File(_) => return Err(format!("{} lies in a file", shown())),
        }
    }
    match folder.insert(own.to_owned(), Node::File(blob)) {
        Some(Node::Folder(_)) => Err(format!("{} is a file and a folder", shown())),
        _ => Ok(()),
    }
}

fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_place() {
        let blob = ObjectId::null(gix_hash::Kind::Sha1);
        let check = |names: &[&str]| {
            let mut root = BTreeMap::new();
            names.iter().try_for_each(|name| place(&mut root, name, blob))
        };
        assert_eq!(check(&["a", "a", "b/c", "b/d", "b.x"]), Ok(()));
        assert!(check(&["a", "a/b"]).is_err());
        assert!(check(&["a/b", "a"]).is_err());
        assert!(check(&["a\nb"]).is_err());
        let deep = |depth: usize| format!("{}x", "d/".repeat(depth));
        assert_eq!(check(&[&deep(MAX_TREE_DEPTH)]), Ok(()));
        assert!(check(&[&deep(MAX_TREE_DEPTH + 1)]).is_err());
    }
}
