//! Owns `plumb explain` for kustomizations: who wrote each field last, whom that went over, down to the base; and into the chart, for what one wrote.

use plumb_kustomize::Charts;
use plumb_kustomize::explain::{Explained, Field, Inflated, Object, explain};
use plumb_manifest::{Called, Near, Pathed, find_fields, find_objects};
use plumb_world::{FileTable, Position, Span};
use serde_json::{Value, json};

use super::charts::View;
use super::{MAX_LISTED, Places, cut, guessed, is_secret, line_at, object_json, several};
use crate::args::{ExplainArgs, Format, Global};
use crate::helm::Given;
use crate::kustomize::{Disk, Here, Nearby, request, tell};
use crate::printer::{Printer, Tone, clean_line};
use crate::problem::{DONE, Done, Problem};
use crate::with_version;

/// Explains the fields of an object that a kustomization builds.
pub(super) fn run(printer: &Printer, global: &Global, args: &ExplainArgs) -> Done {
    possible(args)?;
    let options = plumb_kustomize::Options { restricted: args.load_restrictor.is_restricted(), ..Default::default() };
    let request = request(&args.path, options)?;
    let here = Here { capabilities: Given::read(&args.given)?.capabilities, api_versions: args.api_versions.clone() };
    let explained = explain(&Disk, &request, Some(&here as &dyn Charts), FileTable::default()).map_err(|error| Problem::of(&error))?;
    let nearby = Nearby::of_working_folder();
    for warning in &explained.warnings {
        tell(printer, warning, &explained.files, &nearby);
    }
    let objects = match &explained.result {
        Ok(objects) => objects,
        Err(mistakes) => return Err(Problem::report(nearby.report(mistakes, &explained.files, printer.color_err()))),
    };
    let shown = Shown { explained: &explained, printer, places: OfBuild { files: &explained.files, nearby: &nearby, chart: None } };
    let object = find(objects, &args.object, global.namespace.as_deref())?;
    let fields: Vec<&Field> = match &args.field {
        None => object.fields.iter().collect(),
        Some(path) => {
            let pathed: Vec<Pathed<'_>> =
                object.fields.iter().map(|field| Pathed { path: &field.path, positions: &field.positions }).collect();
            let found = find_fields(path, &pathed).map_err(|near| {
                let message = format!("`{}` has no field `{}`", clean_line(&called(object).id()), clean_line(path));
                guessed(Problem::new(message), near.meant.as_deref(), &near.known)
            })?;
            found.into_iter().map(|at| &object.fields[at]).collect()
        }
    };
    if let Some(format @ (Format::Json | Format::Yaml)) = global.output {
        let fields: Vec<Value> = fields.iter().map(|field| shown.json(object, field)).collect();
        let about = object_json(&object.api_version, &object.kind, &object.namespace, &object.name);
        printer.document(format, &with_version(json!({"object": about, "fields": fields})))?;
        return Ok(DONE);
    }
    match (&args.field, fields.as_slice()) {
        (Some(_), [field]) => printer.data(&shown.field(object, field))?,
        _ => printer.data(&shown.list(object, &fields))?,
    }
    Ok(DONE)
}

/// Refuses what only charts are given.
fn possible(args: &ExplainArgs) -> Result<(), Problem> {
    if args.given.is_empty() && args.release.is_none() && !args.is_upgrade {
        return Ok(());
    }
    let problem = Problem::usage(
        "a kustomization says itself which values its charts get: `-f`, `--set`, `--release` and `--is-upgrade` are for charts",
    );
    Err(problem.hint("Write them in `helmCharts` of the kustomization: `valuesInline`, `valuesFile`, `releaseName`."))
}

fn called(object: &Object) -> Called<'_> {
    Called { api_version: &object.api_version, kind: &object.kind, name: &object.name }
}

/// Returns the one object of a name: of the namespace that is asked for, where several have it. A name from before a prefix, suffix or hash will do.
fn find<'o>(objects: &'o [Object], asked: &str, namespace: Option<&str>) -> Result<&'o Object, Problem> {
    let candidates: Vec<&Object> =
        objects.iter().filter(|object| namespace.is_none_or(|asked| object.namespace.is_empty() || object.namespace == asked)).collect();
    let now: Vec<Called<'_>> = candidates.iter().map(|object| called(object)).collect();
    let found = find_objects(asked, &now).or_else(|near: Near| {
        let before: Vec<(usize, Called<'_>)> = candidates
            .iter()
            .enumerate()
            .flat_map(|(at, object)| object.former_names.iter().map(move |name| (at, Called { name, ..called(object) })))
            .collect();
        let all: Vec<Called<'_>> = before.iter().map(|(_, called)| *called).collect();
        let mut found: Vec<usize> = find_objects(asked, &all).map_err(|_| near)?.into_iter().map(|nth| before[nth].0).collect();
        found.sort_unstable();
        found.dedup();
        Ok(found)
    });
    let found = found.map_err(|near| no_object(&candidates, asked, &near))?;
    match found.as_slice() {
        [at] => Ok(candidates[*at]),
        several_of => {
            let name = |at: &usize| {
                let object = candidates[*at];
                format!(
                    "`{}`{}",
                    called(object).id(),
                    if object.namespace.is_empty() { String::new() } else { format!(" in {}", object.namespace) }
                )
            };
            Err(several(asked, &several_of.iter().map(name).collect::<Vec<_>>()).hint("`-n` says which namespace is meant."))
        }
    }
}

fn no_object(objects: &[&Object], asked: &str, near: &Near) -> Problem {
    let problem = Problem::new(format!("the kustomization builds no object `{}`", clean_line(asked)));
    if near.meant.is_none() && near.known.is_empty() {
        let all: Vec<String> = objects.iter().take(MAX_LISTED).map(|object| clean_line(&called(object).id())).collect();
        return problem.hint(format!("It builds {}.", all.join(", ")));
    }
    guessed(problem, near.meant.as_deref(), &near.known)
}

/// The files of a build as people find them.
#[derive(Clone, Copy)]
struct OfBuild<'v> {
    files: &'v FileTable,
    nearby: &'v Nearby,
    /// The chart whose values may have been put together.
    chart: Option<&'v Inflated>,
}

impl OfBuild<'_> {
    /// The place that speaks for one in a file that was put together.
    fn real(&self, place: Span) -> Span {
        self.written(place).first().copied().unwrap_or(place)
    }
}

impl Places for OfBuild<'_> {
    fn file(&self, place: Span) -> String {
        let path = self.files.get(self.real(place).file).map_or("?", |file| file.path.as_str());
        // What a chart is told has no file.
        let told = path.rsplit('/').next().filter(|name| self.chart.is_some() && matches!(*name, "release" | "cluster"));
        clean_line(&told.map_or_else(|| self.nearby.path(path), str::to_owned))
    }

    fn position(&self, place: Span) -> Position {
        self.files.position(self.real(place))
    }

    fn line(&self, place: Span) -> String {
        let place = self.real(place);
        self.files.get(place.file).map(|file| line_at(&file.text, place)).unwrap_or_default()
    }

    fn written(&self, place: Span) -> Vec<Span> {
        match self.chart.and_then(|chart| chart.written_by(place)) {
            Some(by) => {
                let mut places: Vec<Span> = by.iter().filter_map(|change| change.place).collect();
                places.dedup();
                places
            }
            None => vec![place],
        }
    }
}

/// How an explanation is shown.
struct Shown<'v> {
    explained: &'v Explained,
    printer: &'v Printer,
    places: OfBuild<'v>,
}

/// One link of a field's chain, as it is shown.
#[derive(PartialEq)]
struct Link {
    by: &'static str,
    place: Option<Value>,
    /// The place and the line there.
    text: String,
}

/// What a chart says of a field.
struct OfChart<'v> {
    chart: &'v Inflated,
    object: &'v plumb_helm::Object,
    field: &'v plumb_helm::Field,
}

impl<'v> Shown<'v> {
    /// The chart that wrote what a field was at first.
    fn chart(&self, field: &Field) -> Option<OfChart<'v>> {
        self.chart_at(field.chain.last()?.place?)
    }

    fn chart_at(&self, place: Span) -> Option<OfChart<'v>> {
        self.explained.charts.iter().find_map(|chart| chart.field(place).map(|(object, field)| OfChart { chart, object, field }))
    }

    /// The links of a field's chain, each once. What a chart wrote is told by the chart, and what was taken from there by its place there.
    fn links(&self, field: &Field) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for change in &field.chain {
            let is_made = |place: &Span| self.places.files.get(place.file).is_some_and(|file| file.made);
            let link = match change.place.filter(is_made) {
                Some(_) if change.by.is_empty() => continue,
                Some(place) => {
                    let Some(of) = self.chart_at(place) else { continue };
                    let places = OfBuild { chart: Some(of.chart), ..self.places };
                    let Some(place) = of.chart.explained.place_of(of.field) else { continue };
                    Link {
                        by: change.by,
                        place: Some(places.json(place)),
                        text: format!("{}  {}", places.place(place), places.line(place)),
                    }
                }
                None => {
                    let text = change.place.map(|place| format!("{}  {}", self.places.place(place), self.places.line(place)));
                    Link { by: change.by, place: change.place.map(|place| self.places.json(place)), text: text.unwrap_or_default() }
                }
            };
            if !links.contains(&link) {
                links.push(link);
            }
        }
        links
    }

    fn value(&self, object: &Object, field: &Field) -> String {
        if is_secret(&object.api_version, &object.kind, &field.path) {
            return "(hidden)".to_owned();
        }
        cut(&clean_line(&field.value.to_string()))
    }

    /// One line for each field: the place that wrote it last.
    fn list(&self, object: &Object, fields: &[&'v Field]) -> String {
        let rows: Vec<(String, String, String)> = fields
            .iter()
            .map(|field| {
                let place = match self.links(field).first() {
                    Some(link) => {
                        let place = link.text.split("  ").next().unwrap_or_default();
                        format!("{place}{}", if link.by.is_empty() { String::new() } else { format!(" ({})", link.by) })
                    }
                    None => self.chart(field).map(|of| self.chart_place(&of)).unwrap_or_default(),
                };
                (clean_line(&field.path.to_string()), self.value(object, field), place)
            })
            .collect();
        let width = |part: fn(&(String, String, String)) -> &String| rows.iter().map(|row| part(row).chars().count()).max().unwrap_or(0);
        let (paths, values) = (width(|row| &row.0).min(super::MAX_SHOWN), width(|row| &row.1).min(super::MAX_SHOWN / 2));
        let namespace = if object.namespace.is_empty() { String::new() } else { format!("  in {}", clean_line(&object.namespace)) };
        let mut out = format!("{}{namespace}\n", self.printer.paint(Tone::Strong, &clean_line(&called(object).id())));
        for (path, value, place) in rows {
            out.push_str(&format!("{path:paths$}  {value:values$}  {place}\n"));
        }
        out
    }

    fn chart_place(&self, of: &OfChart<'_>) -> String {
        let places = OfBuild { chart: Some(of.chart), ..self.places };
        of.chart.explained.place_of(of.field).map(|place| format!("{} (helmCharts)", places.place(place))).unwrap_or_default()
    }

    /// All there is to say of one field.
    fn field(&self, object: &Object, field: &'v Field) -> String {
        let hidden = is_secret(&object.api_version, &object.kind, &field.path);
        let head = format!("{} {} = {}", clean_line(&called(object).id()), clean_line(&field.path.to_string()), self.value(object, field));
        let mut out = format!("{}\n", self.printer.paint(Tone::Strong, &head));
        let mut row = |word: &str, text: &str| out.push_str(&format!("  {word:<19} {text}\n"));
        for link in self.links(field) {
            let text = if hidden { link.text.split("  ").next().unwrap_or_default() } else { link.text.as_str() };
            row(if link.by.is_empty() { "written at" } else { link.by }, text.trim_end());
        }
        if let Some(of) = self.chart(field) {
            if let Some(place) = of.chart.place {
                row("helmCharts", &format!("{}  {}", self.places.place(place), self.places.line(place)));
            }
            let places = OfBuild { chart: Some(of.chart), ..self.places };
            let view = View { explained: &of.chart.explained, printer: self.printer, places: &places };
            for (word, text) in view.rows(of.object, of.field, &of.chart.explained.why(of.field)) {
                row(&format!("  {word}"), &text);
            }
        }
        out
    }

    /// The same for programs (docs/cli-output.md).
    fn json(&self, object: &Object, field: &'v Field) -> Value {
        let hidden = is_secret(&object.api_version, &object.kind, &field.path);
        let chain = self.links(field).into_iter().map(|link| {
            let mut json = json!({"by": if link.by.is_empty() { "written" } else { link.by }});
            if let Some(place) = link.place {
                json["place"] = place;
            }
            json
        });
        let chain: Vec<Value> = chain.collect();
        let mut json = json!({"path": field.path.to_string(), "sensitive": hidden, "chain": chain});
        if !hidden {
            json["value"] = field.value.clone();
        }
        if let Some(of) = self.chart(field) {
            let places = OfBuild { chart: Some(of.chart), ..self.places };
            let view = View { explained: &of.chart.explained, printer: self.printer, places: &places };
            let mut chart = view.json(of.object, of.field);
            chart["template"] = Value::from(of.object.source.clone());
            if let Some(place) = of.chart.place {
                chart["place"] = self.places.json(place);
            }
            json["chart"] = chart;
        }
        json
    }
}
