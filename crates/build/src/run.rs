//! Owns a build under way: what its steps gather, and how that becomes manifests. What one object must be is `object`'s to say, what a step
//! reads is the step's own file's.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_manifest::{Manifest, ObjectKey, Role};
use plumb_schema::Schema;
use plumb_unit::{Step, StepKind, Unit};
use plumb_world::{Diagnostic, FileTable, Need, RelPath, Severity, SourceFile, Span, World};
use serde_json::{Value, json};

use crate::document::{DUPLICATE_KEY, Node, hide_secrets_of_text, read_documents};
use crate::files::Reader;
use crate::limits::{MAX_COLLECTED, MAX_DIAGNOSTICS, MAX_LIST_DEPTH, MAX_OBJECTS};
use crate::object::{Draft, Inherited, draft, settle};
use crate::queries::{Asked, Questions};
use crate::{Built, Request, SourceTree, path_in_tree};

/// How many unanswered questions a warning names.
const SHOWN_NEEDS: usize = 5;

/// How the objects of a text are taken.
#[derive(Clone)]
pub(crate) struct Taken {
    /// The part they play.
    pub(crate) role: Role,
    /// Whether they hold secrets, whatever their kind.
    pub(crate) sensitive: bool,
    /// Whether a step of the build made the text.
    pub(crate) made: bool,
    /// Name and namespace of the Helm release that they belong to.
    pub(crate) release: Option<(String, String)>,
}

/// A build under way.
pub(crate) struct Run<'a> {
    pub(crate) world: &'a dyn World,
    pub(crate) questions: Questions<'a>,
    pub(crate) unit: &'a Unit,
    pub(crate) trees: &'a BTreeMap<Arc<str>, SourceTree>,
    /// Learns the CRDs of the set, so that a custom resource beside its CRD has a scope.
    schema: Cow<'a, Schema>,
    pub(crate) files: FileTable,
    pub(crate) reader: Reader,
    /// One place per object, in the order of the sources; those whose kind is not known yet wait in `open`.
    slots: Vec<Option<(Manifest, bool)>>,
    open: Vec<(usize, Draft)>,
    objects: usize,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The texts of steps whose objects another step takes, by the step's name.
    kept: BTreeMap<Arc<str>, Vec<(Span, Taken)>>,
    /// The step under way, if another one takes its objects.
    keeping: Option<Arc<str>>,
}

impl<'a> Run<'a> {
    /// Returns the tree of a source and what a path of a step means in it.
    pub(crate) fn place(&mut self, source: &Arc<str>, path: &RelPath) -> Option<(&'a SourceTree, RelPath)> {
        let path = match path_in_tree(self.unit, source, path) {
            Ok(path) => path,
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                return None;
            }
        };
        let tree = self.trees.get(source);
        if tree.is_none() {
            self.diagnostics.push(Diagnostic::error("unknown-source", format!("source `{source}` has no revision yet")));
        }
        Some((tree?, path))
    }

    pub(crate) fn new(world: &'a dyn World, request: &'a Request<'_>, schema: &'a Schema) -> Self {
        Self {
            world,
            questions: Questions::new(world),
            unit: request.unit,
            trees: &request.trees,
            schema: Cow::Borrowed(schema),
            files: FileTable::default(),
            reader: Reader::default(),
            slots: Vec::new(),
            open: Vec::new(),
            objects: 0,
            diagnostics: Vec::new(),
            kept: BTreeMap::new(),
            keeping: None,
        }
    }

    /// Begins a step: its objects are the unit's, unless another step takes them.
    pub(crate) fn begin(&mut self, step: &Step, steps: &[Step]) {
        let takes = |other: &Step| matches!(&other.kind, StepKind::Kustomize { after: Some(taken), .. } if *taken == step.name);
        self.keeping = steps.iter().any(takes).then(|| step.name.clone());
    }

    /// Returns what a step made that another one takes.
    pub(crate) fn take_kept(&mut self, step: &str) -> Vec<(Span, Taken)> {
        self.kept.remove(step).unwrap_or_default()
    }

    /// Returns how many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count()
    }

    /// Takes all objects of a text.
    pub(crate) fn file(&mut self, whole: Span, taken: &Taken) {
        if let Some(step) = &self.keeping {
            return self.kept.entry(step.clone()).or_default().push((whole, taken.clone()));
        }
        let Some(file) = self.files.get(whole.file) else { return };
        let text = file.text.clone();
        let mut errors = Vec::new();
        let documents = read_documents(&text, whole.file, &mut errors);
        if !errors.is_empty() {
            hide_secrets_of_text(&text, whole.file, &mut self.files);
        }
        if taken.made {
            // Helm reads what charts write as Go does: the last of two equal keys wins.
            errors.iter_mut().filter(|error| error.code == DUPLICATE_KEY).for_each(|error| error.severity = Severity::Warning);
        }
        errors.truncate(MAX_COLLECTED.saturating_sub(self.diagnostics.len()));
        self.diagnostics.append(&mut errors);
        for root in documents.roots() {
            let at = if documents.as_written { whole_lines(root.span(), &text) } else { root.span() };
            self.object(root, at, &Inherited::of_document(documents.as_written), taken, 0);
        }
    }

    /// Takes an object, or the items of a list of objects.
    fn object(&mut self, node: Node<'_>, at: Span, inherited: &Inherited, taken: &Taken, depth: usize) {
        if let Some(items) = list_items(node) {
            if depth == MAX_LIST_DEPTH {
                let message = format!("lists of objects are nested deeper than {MAX_LIST_DEPTH}");
                return self.diagnostics.push(Diagnostic::error("list-depth", message).at(at, ""));
            }
            let inherited = Inherited::of_list(node);
            return items.for_each(|item| self.object(item, item.span(), &inherited, taken, depth + 1));
        }
        self.objects += 1;
        if self.objects > MAX_OBJECTS {
            if self.objects == MAX_OBJECTS + 1 {
                let message = format!("the unit has more than {MAX_OBJECTS} objects");
                self.diagnostics
                    .push(Diagnostic::error("object-count", message).at(at, "the first one too many").hint("Split it into several units."));
            }
            return;
        }
        let Some(mut draft) = draft(node, at, inherited, &self.schema, &mut self.files, &mut self.diagnostics) else { return };
        draft.role = taken.role.clone();
        draft.sensitive = taken.sensitive;
        if let Some((name, namespace)) = &taken.release {
            draft.mark_release(name, namespace);
        }
        let slot = self.slots.len();
        self.slots.push(None);
        if let Some(crd) = draft.definition() {
            self.schema.to_mut().add_crd(crd);
        }
        if self.schema.scope(&draft.gvk).is_some() {
            self.slots[slot] = settle(draft, &self.schema, &self.unit.target, &mut self.diagnostics);
        } else {
            self.open.push((slot, draft.packed()));
        }
    }

    /// Settles what waited for CRDs, finds objects that are there twice, and adds what the unit itself asks for.
    pub(crate) fn finish(mut self) -> Built {
        for (slot, draft) in std::mem::take(&mut self.open) {
            self.slots[slot] = settle(draft, &self.schema, &self.unit.target, &mut self.diagnostics);
        }
        let mut known: BTreeMap<ObjectKey, Span> = BTreeMap::new();
        for (manifest, _) in self.slots.iter().flatten().filter(|(manifest, _)| manifest.hook().is_none()) {
            match known.get(&manifest.key) {
                Some(first) => self.diagnostics.push(twice(&manifest.key, *first, manifest.at)),
                None => drop(known.insert(manifest.key.clone(), manifest.at)),
            }
        }
        let mut made: Vec<(Manifest, bool)> = self.namespace(&known).into_iter().collect();
        made.extend(self.slots.drain(..).flatten());
        let asked = self.questions.into_asked();
        self.diagnostics.extend(unanswered(&asked));
        let (mut errors, mut warnings): (Vec<_>, Vec<_>) =
            self.diagnostics.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error);
        in_order(&mut errors, Diagnostic::error);
        in_order(&mut warnings, Diagnostic::warning);
        let (manifests, verbatim): (Vec<_>, Vec<_>) = made.into_iter().map(|(manifest, verbatim)| (Arc::new(manifest), verbatim)).unzip();
        let result = if errors.is_empty() { Ok(manifests) } else { Err(errors) };
        Built { result, warnings, files: self.files, asked: asked.all, needs: asked.later, verbatim }
    }

    fn namespace(&mut self, known: &BTreeMap<ObjectKey, Span>) -> Option<(Manifest, bool)> {
        let name = self.unit.target.namespace.as_ref().filter(|_| self.unit.target.create_namespace)?;
        let key = ObjectKey::new("", "Namespace", None, name);
        if known.contains_key(&key) {
            return None;
        }
        let value: Value = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": &**name}});
        let text = format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n");
        let declared = self.unit.declared_at.split(':').next().unwrap_or_default();
        let path = RelPath::parse(declared).unwrap_or_else(|_| RelPath::root());
        let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let file = self.files.add(SourceFile { source: "".into(), revision: "".into(), path, text: text.into_bytes().into(), made: true });
        let gvk = plumb_manifest::Gvk::new("v1", "Namespace");
        Some((Manifest::new(key, gvk, &value, Span { file, start: 0, end }).with_role(Role::Base), true))
    }
}

/// Returns a document's place from the start of its first line, so that an indented one can be printed as it was written.
fn whole_lines(span: Span, text: &[u8]) -> Span {
    let before = text.get(..span.start as usize).unwrap_or(&[]);
    let spaces = before.iter().rev().take_while(|byte| **byte == b' ').count();
    let starts_line = before.len() == spaces || before[before.len() - spaces - 1] == b'\n';
    if starts_line { Span { start: span.start - u32::try_from(spaces).unwrap_or(0), ..span } } else { span }
}

/// Returns the items when an object is a list of objects: `kind: List`, or any `*List` with `items`, as kubectl takes them.
fn list_items(node: Node<'_>) -> Option<impl Iterator<Item = Node<'_>>> {
    let kind = node.get("kind")?.text()?;
    let items = node.get("items")?;
    (kind.ends_with("List") && matches!(items.kind(), crate::Kind::List | crate::Kind::Null)).then(|| items.items())
}

fn twice(key: &ObjectKey, first: Span, second: Span) -> Diagnostic {
    Diagnostic::error("duplicate-object", format!("`{key}` is declared twice"))
        .at(second, "declared again here")
        .at(first, "first declared here")
        .hint("Keep one of them; another version of the API does not make it another object.")
}

/// Says which questions nobody answered, so that what was built from stand-ins is not taken for what runs.
fn unanswered(asked: &Asked) -> Option<Diagnostic> {
    let needs = asked.unanswered.iter().filter(|need| !matches!(need, Need::Capabilities | Need::Release));
    let mut names: Vec<String> = needs.map(ToString::to_string).collect();
    names.dedup();
    let more = names.len().saturating_sub(SHOWN_NEEDS);
    names.truncate(SHOWN_NEEDS);
    let list = names.join(", ");
    let message = match (names.is_empty(), more) {
        (true, _) => return None,
        (_, 0) => format!("nobody answers here: {list}"),
        (_, more) => format!("nobody answers here: {list} and {more} more"),
    };
    Some(Diagnostic::warning("unanswered", message).hint("What depends on it is a stand-in: the cluster may well come to something else."))
}

/// Orders diagnostics by file and place, those without a place first, and counts those over the limit.
pub(crate) fn in_order(diagnostics: &mut Vec<Diagnostic>, make: fn(&'static str, String) -> Diagnostic) {
    diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.span));
    if diagnostics.len() > MAX_DIAGNOSTICS {
        let more = diagnostics.len() - MAX_DIAGNOSTICS;
        diagnostics.truncate(MAX_DIAGNOSTICS);
        diagnostics.push(make("more", format!("and {more} more of the same severity")));
    }
}
