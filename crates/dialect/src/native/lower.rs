//! Owns lowering a whole root: its files → nodes, with everything that is wrong in any of them, and what an absence may be concluded from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_build::files::{self, Reader};
use plumb_build::limits::MAX_COLLECTED;
use plumb_build::{DUPLICATE_KEY, Kind, Node as YamlNode, read_documents};
use plumb_unit::{Node, NodeKey};
use plumb_world::{Diagnostic, FileId, FileTable, RelPath, Severity, Span, TreeId, World, WorldError};

use super::fields::Log;
use super::root::RootSpec;
use super::suggest::nearest;
use super::unit::{self, API_VERSION};

/// How many units one root may declare.
pub const MAX_UNITS: usize = 10_000;

/// What a root says at one revision.
#[derive(Clone, Debug, Default)]
pub struct Lowered {
    /// The nodes that are declared without a mistake. A unit with a field that is not carried yet is there, stalled.
    pub nodes: BTreeMap<NodeKey, Node>,
    /// Where each of them is declared.
    pub declared: BTreeMap<NodeKey, Span>,
    /// What is wrong, and what is worth knowing, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the root was read whole and without a mistake, and declares anything at all: only then does a unit's absence mean that it was removed.
    pub complete: bool,
    /// Units that are declared, but with a mistake: they keep the state they have.
    pub uncertain: BTreeSet<NodeKey>,
    /// Files in which a document could not be told to be any unit: what they declared before may still be meant.
    pub unparsed: BTreeSet<RelPath>,
}

/// Reads all units of a root at one revision: every `*.yaml`, `*.yml` and `*.json` file below its path, as [`plumb_build::files`] finds them.
///
/// The files go into the table, which the diagnostics' places point into. `Err` means that the world failed: nothing is known of the root, which is
/// not the same as a root without units.
pub fn lower_root(world: &dyn World, tree: TreeId, root: &RootSpec, revision: &str, files: &mut FileTable) -> Result<Lowered, WorldError> {
    let mut lowering = Lowering { root, found: BTreeMap::new(), lowered: Lowered::default(), dependencies: Vec::new() };
    let path = &root.source.path;
    let listing = files::list(world, tree, path)?;
    let failed = listing.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    lowering.lowered.diagnostics.extend(listing.diagnostics);
    if !listing.found && !failed {
        let message = format!("the root's `{path}` is neither a folder nor a file at {revision}");
        lowering.lowered.diagnostics.push(Diagnostic::error("no-path", message).hint("No unit is removed on that ground."));
    }
    let (alias, revision): (Arc<str>, Arc<str>) = ("root".into(), revision.into());
    let mut reader = Reader::default();
    for file in &listing.files {
        match reader.read(world, files::From { source: &alias, revision: &revision, tree }, file, files)? {
            Ok(whole) => lowering.file(whole.file, files),
            Err(diagnostic) => {
                lowering.lowered.diagnostics.push(diagnostic);
                lowering.lowered.unparsed.insert(file.clone());
            }
        }
    }
    Ok(lowering.finish())
}

struct Lowering<'a> {
    root: &'a RootSpec,
    /// Every key that is declared, right or wrong, and where.
    found: BTreeMap<NodeKey, Span>,
    lowered: Lowered,
    /// Who depends on whom, and where that is said.
    dependencies: Vec<(NodeKey, NodeKey, Span)>,
}

impl Lowering<'_> {
    fn file(&mut self, file: FileId, files: &mut FileTable) {
        let Some(source) = files.get(file) else { return };
        let (text, path) = (source.text.clone(), source.path.clone());
        let mut errors = Vec::new();
        let documents = read_documents(&text, file, &mut errors);
        let mut places: Vec<u32> = errors.iter().filter_map(|error| Some(error.labels.first()?.span.start)).collect();
        places.sort_unstable();
        for root in documents.roots() {
            // A key that is set twice does not keep a document from being read, but what it means is in doubt.
            let Span { start, end, .. } = root.span();
            let doubtful = places.get(places.partition_point(|place| *place < start)).is_some_and(|place| *place < end);
            let mut log = Log::new(&path);
            let known = self.document(root, doubtful, &mut log);
            if !known && !log.errors.is_empty() {
                self.lowered.unparsed.insert(path.clone());
            }
            log.hidden.drain(..).for_each(|span| files.hide(span));
            self.note(log.errors);
        }
        if errors.iter().any(|error| error.code != DUPLICATE_KEY) {
            self.lowered.unparsed.insert(path);
        }
        self.note(errors);
    }

    /// A root may have a million documents, each of them wrong.
    fn note(&mut self, mut errors: Vec<Diagnostic>) {
        errors.truncate(MAX_COLLECTED.saturating_sub(self.lowered.diagnostics.len()));
        self.lowered.diagnostics.append(&mut errors);
    }

    /// Lowers one document; returns whether it could be told which unit it is about.
    fn document(&mut self, document: YamlNode<'_>, doubtful: bool, log: &mut Log<'_>) -> bool {
        let at = document.span();
        if !expects_unit(document, log) {
            return false;
        }
        let before = log.errors.len();
        let key = unit::key(document, self.root, log);
        let Some(key) = key else {
            // All errors at once: the rest is read for its mistakes under a name that nobody has.
            let nobody = NodeKey::unit(&self.root.installation, "", "");
            drop(unit::read(document, nobody, self.root, String::new(), log));
            return false;
        };
        let read = unit::read(document, key.clone(), self.root, log.place(document), log);
        if let Some(first) = self.found.get(&key) {
            let diagnostic = Diagnostic::error("duplicate-unit", format!("unit `{key}` is declared twice"));
            log.errors.push(diagnostic.at(at, "declared again here").at(*first, "first declared here").hint("Keep one of them."));
            self.lowered.nodes.remove(&key);
            self.lowered.uncertain.insert(key);
            return true;
        }
        self.found.insert(key.clone(), at);
        if self.found.len() == MAX_UNITS + 1 {
            let message = format!("the root declares more than {MAX_UNITS} units");
            log.errors.push(Diagnostic::error("unit-count", message).at(at, "the first one too many").hint("Split the root."));
        }
        if doubtful || log.errors.len() > before {
            self.lowered.uncertain.insert(key);
            return true;
        }
        let node = match read {
            _ if !log.unsupported.is_empty() => Node::Stalled { reasons: std::mem::take(&mut log.unsupported) },
            Some(unit) => {
                let places = dependency_places(document);
                let pairs = unit.depends_on.iter().map(|on| (key.clone(), on.clone(), places.unwrap_or(at)));
                self.dependencies.extend(pairs);
                Node::Unit(Arc::new(unit))
            }
            None => return true,
        };
        self.lowered.declared.insert(key.clone(), at);
        self.lowered.nodes.insert(key, node);
        true
    }

    fn finish(mut self) -> Lowered {
        self.check_dependencies();
        let mut lowered = self.lowered;
        lowered.declared.retain(|key, _| lowered.nodes.contains_key(key));
        lowered.diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span));
        let failed = lowered.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        if self.found.is_empty() && !failed {
            let message = format!("the root `{}` declares no unit", self.root);
            lowered.diagnostics.push(Diagnostic::warning("no-units", message).hint("No unit is removed on that ground."));
        }
        lowered.complete = !failed && !self.found.is_empty();
        lowered
    }

    /// Finds circles, which would wait for themselves for ever, and names that no unit of this root has.
    fn check_dependencies(&mut self) {
        let mut edges: BTreeMap<&NodeKey, Vec<(&NodeKey, Span)>> = BTreeMap::new();
        for (from, to, at) in &self.dependencies {
            edges.entry(from).or_default().push((to, *at));
        }
        let mut circles: Vec<Vec<(NodeKey, Span)>> = Vec::new();
        let mut done: BTreeSet<&NodeKey> = BTreeSet::new();
        for start in edges.keys() {
            find_circles(start, &edges, &mut done, &mut circles);
        }
        for (from, to, at) in self.dependencies.iter().filter(|(_, to, _)| !self.found.contains_key(to)) {
            let diagnostic =
                Diagnostic::warning("unknown-dependency", format!("`{from}` depends on `{to}`, which this root does not declare"))
                    .at(*at, "");
            let names: Vec<String> = self.found.keys().map(ToString::to_string).collect();
            let hint = nearest(&to.to_string(), names.iter().map(String::as_str)).map(|name| format!("Did you mean `{name}`?"));
            self.lowered.diagnostics.push(diagnostic.hint(hint.unwrap_or_else(|| "It waits until another root declares it.".to_owned())));
        }
        for circle in circles {
            let names: Vec<String> = circle.iter().chain(circle.first()).map(|(key, _)| format!("`{key}`")).collect();
            let mut diagnostic = Diagnostic::error("cycle", format!("units depend on each other in a circle: {}", names.join(" → ")));
            for (key, at) in &circle {
                diagnostic = diagnostic.at(*at, format!("of `{key}`"));
                self.lowered.nodes.remove(key);
                self.lowered.uncertain.insert(key.clone());
            }
            self.lowered.diagnostics.push(diagnostic.hint("Take one of these dependencies out."));
        }
    }
}

/// Walks from one unit along its dependencies, without recursion: a chain may be as long as there are units.
fn find_circles<'k>(
    start: &'k NodeKey,
    edges: &BTreeMap<&'k NodeKey, Vec<(&'k NodeKey, Span)>>,
    done: &mut BTreeSet<&'k NodeKey>,
    circles: &mut Vec<Vec<(NodeKey, Span)>>,
) {
    let mut stack: Vec<(&NodeKey, usize)> = vec![(start, 0)];
    let mut on_stack: BTreeMap<&NodeKey, usize> = BTreeMap::from([(start, 0)]);
    while let Some((key, nth)) = stack.last_mut() {
        let key = *key;
        let next = if done.contains(key) { None } else { edges.get(key).and_then(|list| list.get(*nth)) };
        let Some((to, _)) = next else {
            done.insert(key);
            on_stack.remove(key);
            stack.pop();
            continue;
        };
        *nth += 1;
        if let Some(from) = on_stack.get(to) {
            let place = |(key, nth): &(&NodeKey, usize)| Some(((*key).clone(), edges.get(key)?.get(nth.checked_sub(1)?)?.1));
            circles.push(stack[*from..].iter().filter_map(place).collect());
        } else if !done.contains(to) {
            on_stack.insert(to, stack.len());
            stack.push((to, 0));
        }
    }
}

fn dependency_places(document: YamlNode<'_>) -> Option<Span> {
    Some(document.get("spec")?.member("dependsOn")?.key_span)
}

/// Says what a root expects when a document is something else.
fn expects_unit(document: YamlNode<'_>, log: &mut Log<'_>) -> bool {
    const EXPECTED: &str = "A root declares units: `apiVersion: plumb.dev/v1alpha1`, `kind: Unit`. Manifests belong into the folders that units name as their source.";
    if document.kind() != Kind::Map {
        log.error("not-a-unit", format!("the document is {}, not a unit", document.kind().described()), document.span(), EXPECTED);
        return false;
    }
    let text = |key: &str| document.get(key).and_then(YamlNode::text);
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    match (api_version, kind) {
        (Some(API_VERSION), Some("Unit")) => true,
        (Some(version), Some("Unit")) if unit::is_own(document) => {
            let at = document.get("apiVersion").map_or(document.span(), YamlNode::span);
            log.error(
                "api-version",
                format!("`{version}` is no version of `Unit` that is known here"),
                at,
                &format!("Write `apiVersion: {API_VERSION}`."),
            );
            false
        }
        (Some(_), Some(kind)) if unit::is_own(document) => {
            let at = document.get("kind").map_or(document.span(), YamlNode::span);
            let hint = nearest(kind, ["Unit"]).map_or(EXPECTED.to_owned(), |name| format!("Did you mean `{name}`?"));
            log.error("not-a-unit", format!("`{kind}` is no kind that a root may declare"), at, &hint);
            false
        }
        (Some(api_version), Some(kind)) => {
            let at = document.get("kind").map_or(document.span(), YamlNode::span);
            log.error("not-a-unit", format!("`{kind}` of `{api_version}` is not a unit"), at, EXPECTED);
            false
        }
        _ => {
            let missing = if api_version.is_none() { "apiVersion" } else { "kind" };
            log.error("not-a-unit", format!("the document has no `{missing}`"), document.first_line(), EXPECTED);
            false
        }
    }
}
