//! Owns the world of tests: trees made of texts, links that lead nowhere good, files that cannot be read, and a record of what was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use plumb_world::{Blob, BlobId, Entry, EntryKind, RelPath, TreeId, World, WorldError};

/// One question that a world was asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// A file's content.
    File(TreeId, RelPath),
    /// A folder's entries.
    List(TreeId, RelPath),
}

#[derive(Clone, Debug)]
enum Item {
    File(Arc<[u8]>),
    Link(String),
    Submodule,
    Broken(WorldError),
}

/// Trees made of texts. Links are followed inside their tree; every question is recorded, absences too.
#[derive(Debug, Default)]
pub struct MemoryWorld {
    trees: Vec<BTreeMap<RelPath, Item>>,
    reads: Mutex<Vec<Read>>,
}

const MAX_LINKS: usize = 16;

impl MemoryWorld {
    /// Returns a world without a tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a world of one tree with these files.
    pub fn of<T: AsRef<[u8]>>(files: &[(&str, T)]) -> (Self, TreeId) {
        let mut world = Self::new();
        let tree = world.tree(files);
        (world, tree)
    }

    /// Adds a tree with these files and names it.
    pub fn tree<T: AsRef<[u8]>>(&mut self, files: &[(&str, T)]) -> TreeId {
        let files = files.iter().map(|(path, text)| (parse(path), Item::File(text.as_ref().into())));
        self.trees.push(files.collect());
        TreeId(self.trees.len() as u32 - 1)
    }

    /// Adds a symbolic link with its target as Git would store it.
    pub fn link(&mut self, tree: TreeId, path: &str, target: &str) {
        self.put(tree, path, Item::Link(target.to_owned()));
    }

    /// Adds a submodule.
    pub fn submodule(&mut self, tree: TreeId, path: &str) {
        self.put(tree, path, Item::Submodule);
    }

    /// Adds a file whose reading fails with this error.
    pub fn broken(&mut self, tree: TreeId, path: &str, error: WorldError) {
        self.put(tree, path, Item::Broken(error));
    }

    /// Returns every question so far, in the order they were asked.
    pub fn reads(&self) -> Vec<Read> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&mut self, tree: TreeId, path: &str, item: Item) {
        let Some(tree) = self.trees.get_mut(tree.0 as usize) else { panic!("no {tree:?} in this world") };
        tree.insert(parse(path), item);
    }

    fn record(&self, read: Read) -> Result<&BTreeMap<RelPath, Item>, WorldError> {
        let (Read::File(tree, _) | Read::List(tree, _)) = read;
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).push(read);
        self.trees.get(tree.0 as usize).ok_or(WorldError::UnknownTree(tree))
    }
}

impl World for MemoryWorld {
    fn file(&self, tree: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        let items = self.record(Read::File(tree, path.clone()))?;
        let real = follow(items, path)?;
        match items.get(&real) {
            Some(Item::File(bytes)) => Ok(Some(Blob { id: address(bytes), bytes: bytes.clone() })),
            Some(Item::Broken(error)) => Err(error.clone()),
            Some(Item::Submodule) => Err(WorldError::WrongKind { path: path.clone(), found: "a submodule", wanted: "a file" }),
            None if is_folder(items, &real) => Err(WorldError::WrongKind { path: path.clone(), found: "a folder", wanted: "a file" }),
            Some(Item::Link(_)) | None => Ok(None),
        }
    }

    fn real_path(&self, tree: TreeId, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        let items = self.trees.get(tree.0 as usize).ok_or(WorldError::UnknownTree(tree))?;
        follow(items, path).map(Some)
    }

    fn list(&self, tree: TreeId, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
        let items = self.record(Read::List(tree, path.clone()))?;
        let real = follow(items, path)?;
        match items.get(&real) {
            Some(Item::Submodule) => return Err(WorldError::WrongKind { path: path.clone(), found: "a submodule", wanted: "a folder" }),
            Some(_) => return Err(WorldError::WrongKind { path: path.clone(), found: "a file", wanted: "a folder" }),
            None if !is_folder(items, &real) => return Ok(None),
            None => {}
        }
        let depth = real.segments().count();
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for (below, item) in items.iter().filter(|(below, _)| below.starts_with(&real)) {
            let Some(name) = below.segments().nth(depth) else { continue };
            let nested = below.segments().count() > depth + 1;
            let (kind, id) = match item {
                _ if nested => (EntryKind::Directory, address(name.as_bytes())),
                Item::File(bytes) => (EntryKind::File, address(bytes)),
                Item::Link(target) => (EntryKind::Link, address(target.as_bytes())),
                Item::Submodule => (EntryKind::Submodule, address(b"submodule")),
                Item::Broken(_) => (EntryKind::File, address(b"broken")),
            };
            entries.entry(name.to_owned()).or_insert_with(|| Entry { name: name.to_owned(), kind, id });
        }
        Ok(Some(entries.into_values().collect()))
    }
}

fn follow(items: &BTreeMap<RelPath, Item>, path: &RelPath) -> Result<RelPath, WorldError> {
    let mut path = path.clone();
    for _ in 0..MAX_LINKS {
        let Some((link, target)) = first_link(items, &path) else { return Ok(path) };
        let bad = |why: &str| WorldError::BadLink { path: link.clone(), why: why.to_owned() };
        let rest: Vec<&str> = path.segments().skip(link.segments().count()).collect();
        let folder = link.parent().unwrap_or_else(RelPath::root);
        let real = folder.join(&target).map_err(|_| bad("that leaves its source"))?;
        path = real.join(&rest.join("/")).map_err(|_| bad("that leaves its source"))?;
    }
    Err(WorldError::BadLink { path, why: "in a circle".to_owned() })
}

fn first_link(items: &BTreeMap<RelPath, Item>, path: &RelPath) -> Option<(RelPath, String)> {
    let mut prefix = RelPath::root();
    for segment in path.segments() {
        prefix = prefix.join(segment).ok()?;
        if let Some(Item::Link(target)) = items.get(&prefix) {
            return Some((prefix, target.clone()));
        }
    }
    None
}

fn is_folder(items: &BTreeMap<RelPath, Item>, path: &RelPath) -> bool {
    path.is_root() || items.keys().any(|below| below != path && below.starts_with(path))
}

fn address(bytes: &[u8]) -> BlobId {
    match BlobId::from_bytes(blake3::hash(bytes).as_bytes()) {
        Some(id) => id,
        None => panic!("a BLAKE3 hash has 32 bytes"),
    }
}

fn parse(path: &str) -> RelPath {
    match RelPath::parse(path) {
        Ok(path) => path,
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_files_and_folders_by_name() {
        let (world, tree) = MemoryWorld::of(&[("b/x.yaml", "1"), ("a.yaml", "2"), ("b/c/d.yaml", "3")]);
        let root = world.list(tree, &RelPath::root()).expect("list").expect("root");
        let names: Vec<_> = root.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
        assert_eq!(names, [("a.yaml", EntryKind::File), ("b", EntryKind::Directory)]);
        assert_eq!(world.list(tree, &parse("c")).expect("list"), None);
        assert_eq!(world.reads(), [Read::List(tree, RelPath::root()), Read::List(tree, parse("c"))]);
    }

    #[test]
    fn follows_links_inside_the_tree_only() {
        let (mut world, tree) = MemoryWorld::of(&[("real/a.yaml", "text")]);
        world.link(tree, "alias", "real");
        world.link(tree, "out", "../../etc");
        world.link(tree, "circle", "circle");
        assert_eq!(&*world.file(tree, &parse("alias/a.yaml")).expect("file").expect("there").bytes, b"text");
        assert!(matches!(world.file(tree, &parse("out/passwd")), Err(WorldError::BadLink { .. })));
        assert!(matches!(world.file(tree, &parse("circle")), Err(WorldError::BadLink { .. })));
        assert!(matches!(world.list(tree, &parse("real/a.yaml")), Err(WorldError::WrongKind { .. })));
    }
}
