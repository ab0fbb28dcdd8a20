//! Owns how a folder or file on this machine becomes a unit that can be built.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use plumb_build::{Built, Request, SourceTree};
use plumb_manifest::Digest;
use plumb_schema::Schema;
use plumb_source::FolderWorld;
use plumb_unit::{NodeKey, Policy, SourceSpec, Target, Unit};
use plumb_world::{RelPath, World};

use crate::printer::shown;
use crate::problem::Problem;

/// The installation that one-shot commands own objects under.
pub(crate) const INSTALLATION: &str = "cli";
/// The namespace of a one-shot unit's own name when `-n` gives none.
const NAMESPACE: &str = "default";
/// The alias of the one source.
const SOURCE: &str = "main";

/// A folder or file as a unit.
pub(crate) struct Folder {
    /// The unit.
    pub(crate) unit: Unit,
    world: FolderWorld,
    trees: BTreeMap<Arc<str>, SourceTree>,
    /// Where it is, for evidence: the same folder under another name is another source.
    #[cfg(feature = "operator")]
    place: PathBuf,
}

impl Folder {
    /// Opens a folder or file. `namespace` is that of objects that name none, and of the unit.
    pub(crate) fn open(path: &str, name: Option<&str>, namespace: Option<&str>) -> Result<Self, Problem> {
        let typed = Path::new(path);
        let wrong = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Problem::new(format!("there is no file or folder `{}`", shown(typed))),
            _ => Problem::new(format!("`{}` cannot be read: {error}", shown(typed))),
        };
        let place = std::fs::canonicalize(typed).map_err(wrong)?;
        let (root, inside) = split(typed, &place)?;
        let inside = RelPath::parse(&inside).map_err(|error| Problem::new(error.to_string()))?;
        let world = FolderWorld::open(&root).map_err(wrong)?;
        let tree = SourceTree { tree: FolderWorld::TREE, revision: "".into() };
        let name = name.map_or_else(|| default_name(&place), |name| Ok(name.to_owned()))?;
        let unit = Unit {
            key: NodeKey::unit(INSTALLATION, namespace.unwrap_or(NAMESPACE), &name),
            sources: BTreeMap::from([(SOURCE.into(), SourceSpec::Folder(inside))]),
            build: Vec::new(),
            target: Target { cluster: "".into(), namespace: namespace.map(Into::into), create_namespace: false, service_account: None },
            depends_on: Vec::new(),
            policy: Policy::standard(),
            declared_at: String::new(),
            digest: Digest::of(b""),
        };
        Ok(Self {
            unit: unit.with_digest(),
            world,
            trees: BTreeMap::from([(SOURCE.into(), tree)]),
            #[cfg(feature = "operator")]
            place,
        })
    }

    /// Builds the manifests offline: what a chart asks of a cluster is not answered.
    pub(crate) fn build(&self, schema: &Schema) -> Result<Built, Problem> {
        self.build_in(&self.world, schema)
    }

    fn build_in(&self, world: &dyn World, schema: &Schema) -> Result<Built, Problem> {
        let request = Request { unit: &self.unit, trees: self.trees.clone() };
        plumb_build::build(world, &request, schema).map_err(|error| Problem::of(&error))
    }
}

#[cfg(feature = "operator")]
impl Folder {
    /// Builds the manifests with what is known so far; [`Built::needs`] says what else has to be.
    pub(crate) fn build_with(&self, known: &plumb_world::Known, schema: &Schema) -> Result<Built, Problem> {
        self.build_in(&plumb_world::AnsweredWorld { world: &self.world, known }, schema)
    }

    /// Returns what a build read, as evidence for what is gone.
    pub(crate) fn evidence(&self, built: &Built) -> plumb_unit::Evidence {
        let parts = built.files.iter().filter(|(_, file)| !file.made).flat_map(|(_, file)| [file.path.as_str().as_bytes(), &file.text]);
        plumb_unit::Evidence { source: format!("folder:{}", self.place.display()), commit: Digest::of_parts(parts).to_string() }
    }
}

/// Returns the folder to open and the path in it. A path below the working folder keeps the words it was typed in, so that messages name
/// files as the user would.
fn split(typed: &Path, place: &Path) -> Result<(PathBuf, String), Problem> {
    let text = |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| Problem::new(format!("`{}` is not UTF-8", shown(path))));
    let plain = typed.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let below: PathBuf = typed.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    // A link on the way would be refused by the tree, which follows none that leave it.
    let direct = || std::env::current_dir().and_then(|here| here.canonicalize()).is_ok_and(|here| place == here.join(&below));
    if plain && !below.as_os_str().is_empty() && direct() {
        return Ok((PathBuf::from("."), text(&below)?));
    }
    if place.is_dir() {
        return Ok((place.to_owned(), String::new()));
    }
    let parent = place.parent().unwrap_or(place);
    let name = place.file_name().map(Path::new).unwrap_or(Path::new(""));
    Ok((parent.to_owned(), text(name)?))
}

/// Returns a unit's name after its folder, or a file's without its ending.
fn default_name(place: &Path) -> Result<String, Problem> {
    let stem = if place.is_dir() { place.file_name() } else { place.file_stem() };
    let name: String = stem.map(|stem| stem.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let name = name.trim_matches(['-', '.']).to_owned();
    if name.is_empty() {
        Err(Problem::usage(format!("`{}` gives no name", shown(place))).hint("Name the unit with `--name`."))
    } else {
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_named_after_its_folder() {
        let name = |text: &str| default_name(Path::new(text)).map_err(|problem| problem.message);
        assert_eq!(name("deploy/Shop_Front"), Ok("shop-front".into()));
        assert_eq!(name("deploy/web.yaml"), Ok("web".into()));
        assert!(name("/").is_err());
    }
}
