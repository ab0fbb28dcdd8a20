//! Owns running one step over objects that are written in a test.

use std::sync::Arc;

use plumb_suite::MemoryWorld;
use plumb_world::{FileTable, RelPath, SourceFile, TreeId};
use plumb_yaml::{Dialect, Emitter};

use crate::build::{Options, Request};
use crate::load::Loader;
use crate::problem::{Failure, Outcome};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Node, Texts, View, write_yaml};

/// What a step may look at.
pub(crate) struct Scene<'s, 'a> {
    pub(crate) run: &'s Run<'a>,
    pub(crate) loader: &'s Loader,
}

impl<'a> Scene<'_, 'a> {
    /// Reads the first document of a text.
    pub(crate) fn read(&self, path: &str, text: &str) -> View<'a, 'a> {
        View::Written(self.documents(path, text).into_iter().next().expect("a document"))
    }

    fn documents(&self, path: &str, text: &str) -> Vec<plumb_yaml::NodeRef<'a>> {
        let path = RelPath::parse(path).expect("a path");
        let bytes = Arc::from(text.as_bytes());
        let file = self.run.texts.add(SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: bytes, made: false });
        self.run.texts.read(file, Arc::from(text)).documents().map(|document| document.expect("YAML").root()).collect()
    }
}

/// Returns a build of nothing in particular.
pub(crate) fn bare<'a>(world: &'a MemoryWorld, texts: &'a Texts) -> Run<'a> {
    Run::new(world, texts, &Request::new(TreeId(0), RelPath::root(), Options::default()), None)
}

/// Runs a step over the objects of a text, and returns what it makes of them, or all that is wrong with hints.
pub(crate) fn run_on(
    files: &[(&str, &[u8])],
    objects: &str,
    step: impl for<'a> FnOnce(&mut Resources<'a>, &Scene<'_, 'a>) -> Outcome<()>,
) -> Result<String, String> {
    let (world, tree) = MemoryWorld::of(files);
    let root = RelPath::parse("app").expect("a path");
    let loader = Loader::new(tree, root.clone(), false);
    let texts = Texts::new(FileTable::default());
    let run = Run::new(&world, &texts, &Request::new(tree, root, Options::default()), None);
    let scene = Scene { run: &run, loader: &loader };
    let mut resources = Resources::default();
    for root in scene.documents("objects.yaml", objects) {
        resources.append(Resource::new(Node::written(root)), &run).map_err(|failure| text_of(failure, &texts))?;
    }
    step(&mut resources, &scene).map_err(|failure| text_of(failure, &texts))?;
    write_all(&resources)
}

/// Writes objects as they are printed.
pub(crate) fn write_all(resources: &Resources<'_>) -> Result<String, String> {
    let mut parts = Vec::new();
    for resource in resources.iter() {
        let mut out = Emitter::with(Dialect::V2, Vec::new());
        write_yaml(resource.view(), &mut out, true)?;
        parts.push(String::from_utf8_lossy(&out.finish()).into_owned());
    }
    Ok(parts.join("---\n"))
}

/// Mistakes as lines: place, message, hints.
fn text_of(failure: Failure, texts: &Texts) -> String {
    match failure {
        Failure::World(error) => format!("world: {error}"),
        Failure::Wrong(mistakes) => {
            let lines = mistakes.into_iter().map(|mistake| {
                let place = mistake.labels.first().map(|label| format!("{}: ", texts.files().place(label.span))).unwrap_or_default();
                format!("{place}{}{}", mistake.message, mistake.hints.iter().map(|hint| format!(" | {hint}")).collect::<String>())
            });
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}
