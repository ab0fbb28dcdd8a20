//! Owns the files of values that an inflated chart gets: one that is put together of what the chart, a file and the kustomization say, and the
//! additional ones over it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use plumb_helm::ValuesFile;
use plumb_world::{FileId, RelPath, SourceFile, Span};
use plumb_yaml::{Emitter, NodeRef};

use super::BY;
use crate::args::HelmChart;
use crate::explain::{Change, changes};
use crate::load::{File, Loader};
use crate::merge::Merging;
use crate::problem::{Failure, Outcome, wrong};
use crate::run::Run;
use crate::tree::{Node, Texts, View, write_yaml};

/// What a chart is given.
pub(super) struct Values {
    pub(super) files: Vec<ValuesFile>,
    /// The files of the build that they are, by their names.
    pub(super) names: BTreeMap<String, FileId>,
    /// Who wrote what in the one that was put together.
    pub(super) made: Made,
}

/// A file that was put together, and who wrote what in it.
#[derive(Debug, Default)]
pub(crate) struct Made {
    file: Option<FileId>,
    places: HashMap<Span, Vec<Change>>,
}

impl Made {
    /// Returns who wrote what is at a place; nothing for one in another file.
    pub(crate) fn written_by(&self, place: Span) -> Option<&[Change]> {
        self.file.filter(|file| *file == place.file)?;
        // A map is where its first key is: what is written there is told by the start alone, too.
        let from = || self.places.iter().filter(|(at, _)| at.start == place.start).min_by_key(|(at, _)| at.end).map(|(_, by)| by);
        self.places.get(&place).or_else(from).map(Vec::as_slice)
    }

    /// Returns a text with the places of the file in it named as those who wrote what is there.
    pub(super) fn named(&self, text: &str, run: &Run<'_>) -> String {
        let mut named = text.to_owned();
        let mut places: Vec<(&Span, &Vec<Change>)> = self.places.iter().collect();
        places.sort_by_key(|(at, _)| (at.start, at.end));
        for (at, by) in places {
            let own = run.texts.named(*at);
            if let Some(place) = by.iter().find_map(|change| change.place).filter(|_| named.contains(&own)) {
                named = named.replace(&own, &run.texts.named(place));
            }
        }
        named
    }
}

/// The values that come first.
enum Own<'a> {
    /// A file as it is.
    File(File),
    /// Put together.
    Made(Node<'a>),
}

/// Returns the files of values that the chart gets.
pub(super) fn values<'a>(args: &HelmChart<'a>, chart: &RelPath, loader: &Loader, run: &Run<'a>) -> Outcome<Values> {
    let mut values = Values { files: Vec::new(), names: BTreeMap::new(), made: Made::default() };
    match own_values(args, chart, loader, run)? {
        Own::File(file) => values.add(file, run),
        Own::Made(node) => values.add_made(&node, args, chart, run)?,
    }
    for path in &args.additional_values_files {
        values.add(loader.file(run, *path)?, run);
    }
    Ok(values)
}

impl Values {
    fn add(&mut self, file: File, run: &Run<'_>) {
        let name = run.texts.path(file.id).map_or_else(|| "values.yaml".to_owned(), |path| path.to_string());
        self.names.insert(name.clone(), file.id);
        self.files.push(ValuesFile { name, content: file.bytes(), secret: false });
    }

    fn add_made<'a>(&mut self, node: &Node<'a>, args: &HelmChart<'a>, chart: &RelPath, run: &Run<'a>) -> Outcome<()> {
        let mut out = Emitter::new();
        write_yaml(node.view(), &mut out, true)
            .map_err(|why| wrong("helm-chart", format!("the values cannot be written: {why}"), args.place))?;
        let content: Arc<[u8]> = out.finish().into();
        let path = chart.join("values.yaml (as given)").unwrap_or_else(|_| chart.clone());
        let name = path.to_string();
        let (source, revision) = (Arc::clone(&run.source), Arc::clone(&run.revision));
        let file = run.texts.add(SourceFile { source, revision, path, text: Arc::clone(&content), made: true });
        let stream = plumb_yaml::parse(&content, &plumb_yaml::Options::default());
        if let Some(Ok(document)) = stream.documents().next() {
            places(document.root(), node.view(), file, run.texts, &mut self.made.places);
        }
        self.made.file = Some(file);
        self.names.insert(name.clone(), file);
        self.files.push(ValuesFile { name, content, secret: false });
        Ok(())
    }
}

/// Walks what was written and what it was written of side by side.
fn places(written: NodeRef<'_>, of: View<'_, '_>, file: FileId, texts: &Texts, found: &mut HashMap<Span, Vec<Change>>) {
    let at = |node: NodeRef<'_>| Span { file, start: node.span().start, end: node.span().end };
    found.entry(at(written)).or_insert_with(|| changes(of, texts));
    for entry in written.entries() {
        let Some(value) = of.get(entry.key.text()) else { continue };
        let key = texts.key_place(of, entry.key.text()).map(|place| vec![Change { by: "", place: Some(place) }]);
        found.entry(at(entry.key)).or_insert_with(|| key.unwrap_or_else(|| changes(value, texts)));
        places(entry.value, value, file, texts, found);
    }
    for (item, of) in written.items().zip(of.items()) {
        places(item, of, file, texts, found);
    }
}

/// The chart's values, or those of `valuesFile`, with the ones written in the kustomization as `valuesMerge` says.
fn own_values<'a>(args: &HelmChart<'a>, chart: &RelPath, loader: &Loader, run: &Run<'a>) -> Outcome<Own<'a>> {
    let inline = args.values_inline.as_ref().filter(|inline| inline.view().len() > 0);
    if !matches!(args.values_merge, "" | "override" | "merge" | "replace") {
        return Err(wrong("helm-chart", "valuesMerge must be one of [merge override replace]", args.place).into());
    }
    if let (Some(inline), "replace") = (inline, args.values_merge) {
        return Ok(Own::Made(inline.clone()));
    }
    let file = match args.values_file.text {
        "" => {
            let path = chart.join("values.yaml").map_err(|error| wrong("path", error.to_string(), args.place))?;
            match loader.at(run, &path)? {
                Some(file) => file,
                None => {
                    return Err(wrong("helm-chart", format!("'{path}' is not there"), args.place)
                        .hint("Name a file of values in `valuesFile`.")
                        .into());
                }
            }
        }
        _ => loader.file(run, args.values_file)?,
    };
    let Some(inline) = inline else { return Ok(Own::File(file)) };
    let stream = run.texts.read(file.id, file.text()?);
    let of_file = match stream.documents().next() {
        Some(Ok(document)) if !document.is_empty() => Node::written(document.root()),
        Some(Err(errors)) => {
            let at = |span: plumb_yaml::ByteSpan| Some(Span { file: file.id, start: span.start, end: span.end });
            return Err(Failure::Wrong(errors.iter().map(|error| wrong("yaml-syntax", error.to_string(), at(error.span))).collect()));
        }
        _ => Node::map(Vec::new()),
    };
    let schema = run.schema();
    let merging = Merging { schema: &schema, texts: run.texts, by: BY, prepend: false, infer: false };
    let merged = if args.values_merge == "merge" { merging.merge(inline.clone(), &of_file)? } else { merging.merge(of_file, inline)? };
    Ok(Own::Made(merged.unwrap_or_else(|| Node::map(Vec::new()))))
}
