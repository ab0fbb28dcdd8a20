//! Owns why each field of a rendered chart is what it is. The data for people and programs; how it is shown is up to the caller.
//!
//! [`explain`] renders a chart with origins and reads what came out with positions. [`Explained::why`] answers for one field, from its bytes: where
//! each is written, through which templates it came, which values it carries and whom those overrode, which conditions it stands under.

mod failure;
mod fields;
mod find;
mod given;
mod keys;
mod reason;
mod text;
mod truths;
mod unparsed;
mod unread;

pub use failure::diagnose;
pub use fields::{Field, Object};
pub use find::Missing;
pub use plumb_manifest::nearest;
pub use reason::{Condition, Piece, Reason, Setting, Step};
pub use truths::NoText;
pub use unread::Unread;

use plumb_gotemplate::Host;
use plumb_world::{Position, Span};

use crate::chart::Chart;
use crate::render::{Error, Options, Rendered, Told, render};
use crate::sources::{Layer, Source};
use fields::Steps;
use keys::Keys;

/// A chart that was rendered with origins, and its objects field by field.
#[derive(Debug)]
pub struct Explained {
    rendered: Rendered,
    told: Box<Told>,
    objects: Vec<Object>,
    steps: Steps,
    keys: Keys,
}

/// Renders a chart with origins. `options.trace` names the files; without it nothing is known of any field.
pub fn explain(chart: &Chart, options: &Options<'_>, host: &mut dyn Host) -> Result<Explained, Error> {
    Ok(Explained::of(render(chart, options, host)?))
}

impl Explained {
    /// Takes what was rendered with origins.
    pub fn of(mut rendered: Rendered) -> Self {
        let told = rendered.told.take();
        let told = told.unwrap_or_else(|| {
            let defaults = rendered.heap.map(&plumb_gotemplate::MAP);
            Box::new(Told { sources: Vec::new(), defaults, values: defaults, disabled: Vec::new() })
        });
        let (objects, steps) = fields::objects(&rendered);
        let keys = Keys::of(&told.sources);
        Self { rendered, told, objects, steps, keys }
    }

    /// Returns the objects in the order of installation, hooks behind them.
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// Returns what was rendered.
    pub fn rendered(&self) -> &Rendered {
        &self.rendered
    }

    /// Returns the files that places are in.
    pub fn sources(&self) -> &[Source] {
        &self.told.sources
    }

    /// Returns what a file is to the render.
    pub fn source(&self, place: Span) -> Option<&Source> {
        let sources = &self.told.sources;
        sources.binary_search_by_key(&place.file, |source| source.file).ok().map(|at| &sources[at])
    }

    /// Returns the text of a place.
    pub fn text(&self, place: Span) -> String {
        let data = self.source(place).and_then(|source| source.data.get(place.start as usize..place.end as usize));
        String::from_utf8_lossy(data.unwrap_or_default()).into_owned()
    }

    /// Returns the path of a key by the place of its value, where that is a file of values or an argument.
    pub fn key(&self, place: Span) -> Option<String> {
        let source = self.source(place)?;
        match source.layer {
            Layer::Argument(..) => keys::of_argument(&source.data, place),
            _ => self.keys.path(place),
        }
    }

    /// Returns the line and column of a place, both from 1, the column in characters.
    pub fn position(&self, place: Span) -> Position {
        let data = self.source(place).map_or(&[][..], |source| &source.data);
        let before = &data[..(place.start as usize).min(data.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    /// Returns bytes of an output as text.
    pub fn bytes(&self, output: usize, at: std::ops::Range<usize>) -> String {
        let output = self.rendered.outputs.get(output);
        String::from_utf8_lossy(output.and_then(|output| output.text.bytes.get(at)).unwrap_or_default()).into_owned()
    }

    /// Returns where a field is written in a template: its own text, or the innermost action that wrote it.
    pub fn written(&self, field: &Field, reason: &Reason) -> Option<Span> {
        let is_template = |place: &Span| self.source(*place).is_some_and(|source| source.layer == Layer::Template);
        let literal = reason.pieces.iter().flat_map(|piece| &piece.places).find(|place| is_template(place)).copied();
        let action = reason.steps.iter().rev().find(|step| !step.call).map(|step| step.site);
        action.or(literal).or_else(|| reason.steps.last().map(|step| step.site)).or_else(|| self.key_place(field))
    }

    /// Returns the place that speaks for a field: of the value that it carries, or else where it is written.
    pub fn place_of(&self, field: &Field) -> Option<Span> {
        let reason = self.why(field);
        let value = reason.values.iter().find(|value| value.carried).and_then(|value| value.place);
        value.or_else(|| self.written(field, &reason))
    }

    /// Returns where the key of a field is written, where that is one place.
    pub fn key_place(&self, field: &Field) -> Option<Span> {
        let output = self.rendered.outputs.get(field.output)?;
        let at = self.steps.first(field)?;
        self.rendered.heap.origins.data(&output.text, at).first().copied()
    }
}
