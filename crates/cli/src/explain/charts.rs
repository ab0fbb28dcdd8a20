//! Owns `plumb explain` for charts: which line of which file each field is from, and why. Runs without a runtime or a cluster.

use std::path::Path;

use plumb_helm::{Condition, Explained, Field, File, Layer, Missing, Object, Options, Reason, Setting, explain};
use plumb_world::Span;
use serde_json::{Value, json};

use super::{MAX_LISTED, MAX_ROWS, MAX_SHOWN, Places, cut, guessed, is_secret, line_at, object_json, several};
use crate::args::{ExplainArgs, Format, Global};
use crate::helm::{Files, Given, Machine, read_chart, read_file, report};
use crate::printer::{Printer, Tone, clean_line};
use crate::problem::{DONE, Done, Problem};
use crate::with_version;

/// Explains the fields of an object of a chart.
pub(super) fn run(printer: &Printer, global: &Global, args: &ExplainArgs) -> Done {
    let explained = rendered(global, args, printer.color_err())?;
    let names = OfChart { explained: &explained, folder: folder(&args.path) };
    let view = View { explained: &explained, printer, places: &names };
    for warning in explained.unread() {
        printer.warning(&view.unread(&warning));
    }
    for no in explained.taken_for_true() {
        printer.warning(&view.taken_for_true(&no));
    }
    let objects = explained.find(&args.object).map_err(|missing| view.no_object(&args.object, &missing))?;
    let [object] = objects.as_slice() else {
        let names: Vec<String> = objects.iter().map(|object| format!("`{}` ({})", object.id(), object.source)).collect();
        return Err(several(&args.object, &names));
    };
    let fields = match &args.field {
        None => object.fields.iter().collect(),
        Some(path) => explained.fields(object, path).map_err(|missing| view.no_field(object, path, &missing))?,
    };
    if let Some(format @ (Format::Json | Format::Yaml)) = global.output {
        let fields: Vec<Value> = fields.iter().map(|field| view.json(object, field)).collect();
        let shape = json!({"object": object_json(&object.api_version, &object.kind, &object.namespace, &object.name), "template": object.source, "fields": fields});
        printer.document(format, &with_version(shape))?;
        return Ok(DONE);
    }
    match (&args.field, fields.as_slice()) {
        (Some(_), [field]) => printer.data(&view.field(object, field))?,
        _ => printer.data(&view.list(object, &fields))?,
    }
    Ok(DONE)
}

fn rendered(global: &Global, args: &ExplainArgs, color: bool) -> Result<Explained, Problem> {
    let chart = read_chart(Path::new(&args.path))?;
    let given = Given::read(&args.given)?;
    let files = Files::default();
    let named = |name: &str, file: &File| files.name(name, file);
    let mut options = Options {
        release: args.release.as_deref().unwrap_or("release-name"),
        namespace: global.namespace.as_deref().unwrap_or("default"),
        values: &given.values,
        arguments: &given.arguments,
        read_file: Some(&read_file),
        is_upgrade: args.is_upgrade,
        trace: Some(&named),
        skip_schema: args.given.skip_schema_validation,
        capabilities: given.capabilities,
        ..Options::default()
    };
    options.capabilities.api_versions.extend(args.api_versions.iter().cloned());
    explain(&chart, &options, &mut Machine::default()).map_err(|error| {
        let details = report(&chart, Options { trace: None, ..options }, false, color);
        Problem { details, ..Problem::new(error.message) }
    })
}

/// Returns what stands before the names of a chart's files; nothing for an archive.
fn folder(path: &str) -> String {
    if Path::new(path).is_dir() { format!("{}/", path.trim_end_matches('/')) } else { String::new() }
}

/// The files of a chart as people find them.
struct OfChart<'v> {
    explained: &'v Explained,
    folder: String,
}

impl Places for OfChart<'_> {
    fn file(&self, place: Span) -> String {
        let Some(source) = self.explained.source(place) else { return "?".to_owned() };
        let of_chart = matches!(source.layer, Layer::Template | Layer::Chart(_) | Layer::Definition(_) | Layer::File);
        clean_line(&if of_chart { format!("{}{}", self.folder, source.name) } else { source.name.clone() })
    }

    fn position(&self, place: Span) -> plumb_world::Position {
        self.explained.position(place)
    }

    fn line(&self, place: Span) -> String {
        self.explained.source(place).map(|source| line_at(&source.data, place)).unwrap_or_default()
    }
}

/// How an explanation is shown.
pub(super) struct View<'v> {
    pub(super) explained: &'v Explained,
    pub(super) printer: &'v Printer,
    pub(super) places: &'v dyn Places,
}

impl View<'_> {
    fn place(&self, place: Span) -> String {
        self.places.place(place)
    }

    fn line(&self, place: Span) -> String {
        self.places.line(place)
    }

    fn hidden(&self, object: &Object, field: &Field, reason: &Reason) -> bool {
        reason.secret || is_secret(&object.api_version, &object.kind, &field.path)
    }

    /// What a field is, unless nobody may see it.
    fn value(&self, object: &Object, field: &Field) -> String {
        if is_secret(&object.api_version, &object.kind, &field.path) {
            "(hidden)".to_owned()
        } else {
            cut(&clean_line(&field.value.to_string()))
        }
    }

    /// One line for each field.
    fn list(&self, object: &Object, fields: &[&Field]) -> String {
        let rows: Vec<(String, String, String)> = fields
            .iter()
            .map(|field| {
                let place = self.explained.place_of(field).map(|place| self.place(place)).unwrap_or_default();
                (clean_line(&field.path.to_string()), self.value(object, field), place)
            })
            .collect();
        let width = |part: fn(&(String, String, String)) -> &String| rows.iter().map(|row| part(row).chars().count()).max().unwrap_or(0);
        let (paths, values) = (width(|row| &row.0).min(MAX_SHOWN), width(|row| &row.1).min(MAX_SHOWN / 2));
        let mut out = format!("{}  {}\n", self.printer.paint(Tone::Strong, &clean_line(&object.id())), clean_line(&object.source));
        for (path, value, place) in rows {
            out.push_str(&format!("{path:paths$}  {value:values$}  {place}\n"));
        }
        out
    }

    /// All there is to say of one field.
    fn field(&self, object: &Object, field: &Field) -> String {
        let reason = self.explained.why(field);
        let value = if self.hidden(object, field, &reason) { "(hidden)".to_owned() } else { self.value(object, field) };
        let head = format!("{} {} = {value}", clean_line(&object.id()), clean_line(&field.path.to_string()));
        let mut out = format!("{}\n", self.printer.paint(Tone::Strong, &head));
        for (word, text) in self.rows(object, field, &reason) {
            out.push_str(&format!("  {word:<11} {text}\n"));
        }
        out
    }

    /// The same in rows, each with the word before it.
    pub(super) fn rows(&self, object: &Object, field: &Field, reason: &Reason) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        let mut row = |word: &str, text: String| rows.push((word.to_owned(), text));
        for step in reason.steps.iter().filter(|step| step.call) {
            row("called at", format!("{}  {}", self.place(step.site), self.line(step.site)));
        }
        if let Some(place) = self.explained.written(field, reason) {
            row("written at", format!("{}  {}", self.place(place), self.line(place)));
        }
        let written = self.explained.written(field, reason);
        let says_more = reason.pieces.len() > 1
            || reason.values.iter().all(|value| !value.carried)
                && reason.pieces.iter().any(|piece| piece.places.first() != written.as_ref());
        for piece in reason.pieces.iter().filter(|_| says_more).take(MAX_ROWS) {
            let text = self.explained.bytes(field.output, piece.at.clone());
            let text = if self.hidden(object, field, reason) { "(hidden)".to_owned() } else { format!("{:?}", cut(&clean_line(&text))) };
            let from: Vec<String> = piece.places.iter().take(MAX_LISTED).map(|place| self.place(*place)).collect();
            let word = if piece.exact { "is" } else { "is made of" };
            row("part", format!("{text} {word} {}", from.join(", ")));
        }
        if says_more && reason.pieces.len() > MAX_ROWS {
            row("", format!("and {} parts more (`-o json` has all)", reason.pieces.len() - MAX_ROWS));
        }
        for setting in reason.values.iter().take(MAX_ROWS) {
            row(if setting.carried { "value" } else { "decided by" }, self.setting(setting));
            for place in self.overridden(setting) {
                row("", format!("  over {}  {}", self.place(place), self.line(place)));
            }
        }
        if reason.values.len() > MAX_ROWS {
            row("", format!("and {} values more", reason.values.len() - MAX_ROWS));
        }
        for (function, site) in &reason.functions {
            row("through", format!("`{function}` at {}", self.place(*site)));
        }
        for condition in &reason.conditions {
            row("under", self.condition(condition));
            for setting in &condition.values {
                row("", format!("  {}", self.setting(setting)));
            }
        }
        if self.hidden(object, field, reason) {
            // The lines beside the places have the values in them.
            for (_, text) in &mut rows {
                let indent = text.len() - text.trim_start().len();
                let end = text[indent..].find("  ").map_or(text.len(), |at| indent + at);
                text.truncate(end);
            }
        }
        rows
    }

    /// Whom a value overrode, each place once.
    fn overridden(&self, setting: &Setting) -> Vec<Span> {
        let mut found: Vec<Span> = setting.place.map(|place| self.places.written(place)).unwrap_or_default();
        let own = found.len().min(1);
        for place in setting.overridden.iter().flat_map(|place| self.places.written(*place)) {
            if !found.contains(&place) {
                found.push(place);
            }
        }
        found.split_off(own)
    }

    fn setting(&self, setting: &Setting) -> String {
        match setting.place {
            Some(place) => format!("`{}` set at {}  {}", clean_line(&setting.key), self.place(place), self.line(place)),
            None if setting.overridden.is_empty() => format!("`{}` nobody sets", clean_line(&setting.key)),
            None => format!("`{}` taken away", clean_line(&setting.key)),
        }
    }

    fn condition(&self, condition: &Condition) -> String {
        let not = if condition.held { "" } else { "else of " };
        format!("{not}`{} {}` at {}", condition.word, cut(&clean_line(&condition.text)), self.place(condition.site))
    }

    fn unread(&self, unread: &plumb_helm::Unread) -> String {
        let position = self.explained.position(unread.place);
        let (file, key) = (self.places.file(unread.place), clean_line(&unread.key));
        if let Some(disabled) = &unread.disabled {
            return format!("{file}:{}: nothing reads '{key}': the chart '{}' is disabled", position.line, clean_line(disabled));
        }
        let meant = unread.meant.as_ref().map(|meant| format!("; did you mean '{}'?", clean_line(meant))).unwrap_or_default();
        format!("{file}:{}: nothing reads '{key}'{meant}", position.line)
    }

    fn taken_for_true(&self, no: &plumb_helm::NoText) -> String {
        let (key, text, site) = (clean_line(&no.key), &no.text, self.place(no.site));
        format!("{}: '{key}' is the text \"{text}\", which counts as true at {site}; leave the quotes out", self.place(no.place))
    }

    fn missing(&self, problem: Problem, missing: &Missing, what: &str) -> Problem {
        let mut problem = problem;
        problem = guessed(problem, missing.meant.as_deref(), &[]);
        for condition in &missing.left_out {
            let values: Vec<String> = condition.values.iter().map(|setting| self.setting(setting)).collect();
            let values = if values.is_empty() { String::new() } else { format!(": {}", values.join("; ")) };
            let block = format!("`{} {}` at {}", condition.word, cut(&clean_line(&condition.text)), self.place(condition.site));
            problem = problem.hint(format!("The block {block} would write {what}; it was not taken{values}."));
        }
        if missing.meant.is_none() { guessed(problem, None, &missing.known) } else { problem }
    }

    fn no_object(&self, asked: &str, missing: &Missing) -> Problem {
        let problem = self.missing(Problem::new(format!("the chart has no object `{}`", clean_line(asked))), missing, "one");
        if missing.meant.is_none() && missing.known.is_empty() {
            let all: Vec<String> = self.explained.objects().iter().take(MAX_LISTED).map(|object| clean_line(&object.id())).collect();
            return problem.hint(format!("It has {}.", all.join(", ")));
        }
        problem
    }

    fn no_field(&self, object: &Object, asked: &str, missing: &Missing) -> Problem {
        let message = format!("`{}` has no field `{}`", clean_line(&object.id()), clean_line(asked));
        self.missing(Problem::new(message), missing, "it")
    }

    // The same for programs (docs/cli-output.md).

    fn place_json(&self, place: Span) -> Value {
        self.places.json(place)
    }

    fn setting_json(&self, setting: &Setting) -> Value {
        let over: Vec<Value> = self.overridden(setting).into_iter().map(|place| self.place_json(place)).collect();
        let mut json = json!({"key": setting.key, "carried": setting.carried, "over": over});
        if let Some(place) = setting.place {
            json["place"] = self.place_json(place);
        }
        json
    }

    pub(super) fn json(&self, object: &Object, field: &Field) -> Value {
        let reason = self.explained.why(field);
        let places = |places: &[Span]| places.iter().map(|place| self.place_json(*place)).collect::<Vec<Value>>();
        let settings = |all: &[Setting]| all.iter().map(|setting| self.setting_json(setting)).collect::<Vec<Value>>();
        let hidden = self.hidden(object, field, &reason);
        let pieces = reason.pieces.iter().map(|piece| {
            let mut json = json!({"exact": piece.exact, "places": places(&piece.places)});
            if !hidden {
                json["text"] = Value::from(self.explained.bytes(field.output, piece.at.clone()));
            }
            json
        });
        let conditions = reason.conditions.iter().map(|condition| {
            json!({"word": condition.word, "text": condition.text, "held": condition.held,
                   "place": self.place_json(condition.site), "values": settings(&condition.values)})
        });
        let calls: Vec<Span> = reason.steps.iter().filter(|step| step.call).map(|step| step.site).collect();
        let functions = reason.functions.iter().map(|(name, site)| json!({"name": name, "place": self.place_json(*site)}));
        let mut json = json!({
            "path": field.path.to_string(),
            "sensitive": hidden,
            "calls": places(&calls),
            "parts": pieces.collect::<Vec<Value>>(),
            "values": settings(&reason.values),
            "conditions": conditions.collect::<Vec<Value>>(),
            "functions": functions.collect::<Vec<Value>>(),
        });
        if let Some(place) = self.explained.written(field, &reason) {
            json["written"] = self.place_json(place);
        }
        if !hidden {
            json["value"] = field.value.clone();
        }
        json
    }
}
