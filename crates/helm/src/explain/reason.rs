//! Owns why one field is what it is: its bytes by their places, the templates they came through, the values and conditions behind them.

use std::collections::BTreeSet;
use std::ops::Range;

use plumb_gotemplate::{Branch, CtlId, Depends, Hole, O, Origin, Origins, Seg, Sym, Traced};
use plumb_world::Span;

use super::{Explained, Field};
use crate::sources::Layer;

/// Why a field is what it is.
#[derive(Clone, Debug, Default)]
pub struct Reason {
    /// Its bytes in order, by where they are from.
    pub pieces: Vec<Piece>,
    /// The templates it came through, from the outside in, each with the call or action that led further.
    pub steps: Vec<Step>,
    /// The values whose text it carries, or that decided which it carries.
    pub values: Vec<Setting>,
    /// The blocks it stands under, from the outside in.
    pub conditions: Vec<Condition>,
    /// Functions that do not show which byte is from where, with their calls.
    pub functions: Vec<(&'static str, Span)>,
    /// Whether anything of it is secret.
    pub secret: bool,
}

/// Bytes of a field that are from one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bytes in the output.
    pub at: Range<usize>,
    /// Where they are written; several for what is made of several, none for what a function made of nothing.
    pub places: Vec<Span>,
    /// Whether that is the one place they are from, as they stand there.
    pub exact: bool,
}

/// A template on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The call or action.
    pub site: Span,
    /// Whether another template is called there: `include`, `tpl`, `template`.
    pub call: bool,
}

/// A value that was read, and the layers it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its path with dots, as the file that sets it has it; as the chart asked for it where nobody set it.
    pub key: String,
    /// Who set it; nobody where it is absent.
    pub place: Option<Span>,
    /// Whom that overrode, the topmost first. For what is absent, who erased it and what that was.
    pub overridden: Vec<Span>,
    /// Whether its text is in the field, rather than having decided what is.
    pub carried: bool,
}

/// A block around a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// `if`, `else if`, `with` or `range`; `condition` for that of a chart in charts.
    pub word: &'static str,
    /// The block from its condition on.
    pub site: Span,
    /// What the condition says.
    pub text: String,
    /// Whether its own branch was taken, and not its `else`.
    pub held: bool,
    /// The values it was made of.
    pub values: Vec<Setting>,
}

impl Explained {
    /// Returns why a field is what it is.
    pub fn why(&self, field: &Field) -> Reason {
        let Some(output) = self.rendered.outputs.get(field.output) else { return Reason::default() };
        let text = &output.text;
        let origins = &self.rendered.heap.origins;
        let why = origins.why(text, field.at.clone());
        let mut reason = Reason {
            pieces: self.pieces_of(text, field.at.clone()),
            steps: self.steps_of(text, field.at.clone()),
            functions: why.through.clone(),
            secret: why.secret,
            ..Reason::default()
        };
        for seg in text.under(field.at.clone()) {
            self.settings(seg.origin, true, &mut reason.values);
        }
        reason.conditions = why.around.iter().rev().filter_map(|ctl| self.condition(*ctl)).collect();
        reason
    }

    /// Returns all places that a field's value or its being there depends on.
    pub fn cover(&self, field: &Field) -> BTreeSet<Span> {
        let mut all = Depends::default();
        if let Some(output) = self.rendered.outputs.get(field.output) {
            let mut see = |range: Range<usize>| self.rendered.heap.origins.depends(&output.text, range, &mut all);
            see(field.at.clone());
            self.steps.each(field, &mut see);
            // What would cut a document in two decides which object a field is of.
            let (_, own) = output.source.split_once('/').unwrap_or(("", &output.source));
            let origins = &self.rendered.heap.origins;
            let cuts = |hole: &&Hole| {
                self.source(hole.site).is_some_and(|source| {
                    source.name == own
                        && source
                            .data
                            .get(hole.site.start as usize..hole.site.end as usize)
                            .is_some_and(|text| memchr::memmem::find(text, b"\n---").is_some())
                })
            };
            origins.holes().iter().filter(cuts).for_each(|hole| origins.depends_on(hole.cond, &mut all));
        }
        all.places
    }

    /// Returns a field's bytes in order, by where they are from.
    pub fn pieces(&self, field: &Field) -> Vec<Piece> {
        self.rendered.outputs.get(field.output).map(|output| self.pieces_of(&output.text, field.at.clone())).unwrap_or_default()
    }

    /// Returns the places whose text a field carries, for tests of what is claimed.
    pub fn data(&self, field: &Field) -> Vec<Span> {
        let Some(output) = self.rendered.outputs.get(field.output) else { return Vec::new() };
        self.rendered.heap.origins.data(&output.text, field.at.clone())
    }

    fn pieces_of(&self, text: &Traced, at: Range<usize>) -> Vec<Piece> {
        let origins = &self.rendered.heap.origins;
        let segs: Vec<Seg> = text.under(at.clone()).collect();
        let mut pieces: Vec<Piece> = Vec::new();
        for (nth, seg) in segs.iter().enumerate() {
            let end = segs.get(nth + 1).map_or(at.end, |next| next.at as usize);
            let range = seg.at as usize..end;
            if is_blank(text.bytes.get(range.clone()).unwrap_or_default()) && segs.len() > 1 {
                continue;
            }
            let mut places = origins.data(text, range.clone());
            if places.is_empty() {
                // What nothing is known of is from the action that wrote it.
                places.extend(self.steps_of(text, range.clone()).last().map(|step| step.site));
            }
            let piece = Piece { at: range, places, exact: origins.exact(seg.origin).is_some() };
            match pieces.last_mut() {
                Some(last) if last.places == piece.places && last.exact == piece.exact => last.at.end = piece.at.end,
                _ => pieces.push(piece),
            }
        }
        pieces
    }

    /// The calls and actions around the bytes of a range, from the outside in.
    fn steps_of(&self, text: &Traced, at: Range<usize>) -> Vec<Step> {
        let origins = &self.rendered.heap.origins;
        let mut steps: Vec<Step> = Vec::new();
        for seg in text.under(at) {
            let mut chain = Vec::new();
            let mut ctl = seg.ctl;
            while let Some(known) = origins.ctl(ctl) {
                if matches!(known.taken, Branch::Call | Branch::Emit) {
                    chain.push(Step { site: known.site, call: known.taken == Branch::Call });
                }
                ctl = known.up;
            }
            for step in chain.into_iter().rev() {
                if !steps.contains(&step) {
                    steps.push(step);
                }
            }
        }
        steps
    }

    pub(super) fn condition(&self, ctl: CtlId) -> Option<Condition> {
        let known = self.rendered.heap.origins.ctl(ctl)?;
        if !matches!(known.taken, Branch::Then | Branch::Else) {
            return None;
        }
        let mut values = Vec::new();
        self.settings(known.cond, false, &mut values);
        Some(self.block(known.site, known.taken == Branch::Then, values))
    }

    /// Returns a block as it is written: its word before the place, its condition from there on.
    pub(super) fn block(&self, site: Span, held: bool, values: Vec<Setting>) -> Condition {
        let data = self.source(site).map_or(&[][..], |source| &source.data);
        if self.source(site).is_some_and(|source| matches!(source.layer, Layer::Definition(_))) {
            return Condition { word: "condition", site, text: self.text(site), held, values };
        }
        let before = String::from_utf8_lossy(data.get(..site.start as usize).unwrap_or_default()).into_owned();
        let words = ["else if", "else with", "if", "with", "range"];
        let word = words.into_iter().find(|word| before.trim_end().ends_with(word)).unwrap_or("block");
        let rest = String::from_utf8_lossy(data.get(site.start as usize..site.end as usize).unwrap_or_default()).into_owned();
        let text = rest.split("}}").next().unwrap_or_default().trim_end_matches(['-', ' ', '\t', '\n']).trim().to_owned();
        Condition { word, site, text, held, values }
    }

    /// Adds the values that an origin is made of; `carried` says whether their text is.
    pub(super) fn settings(&self, o: O, carried: bool, out: &mut Vec<Setting>) {
        self.gather(o, carried, out);
        // Keys and maps say nothing beside what is in them.
        let names: Vec<Setting> = out.iter().filter(|setting| setting.place.is_some_and(|place| self.is_name(place))).cloned().collect();
        let inside = |name: &Setting, other: &Setting| {
            other.place.is_some_and(|place| Some(place.file) == name.place.map(|place| place.file) && !self.is_name(place))
                && other.key.strip_prefix(&name.key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let said: Vec<bool> = names.iter().map(|name| out.iter().any(|other| inside(name, other))).collect();
        let mut known = BTreeSet::new();
        out.retain(|setting| match names.iter().position(|name| name == setting) {
            Some(nth) => !said[nth] && known.insert((setting.key.clone(), setting.place.map(|place| place.file))),
            None => true,
        });
    }

    /// Whether a place is that of a key, or of a map or list as a whole.
    fn is_name(&self, place: Span) -> bool {
        place.start == place.end || self.keys.at(place).is_some_and(|key| key.name == (place.start, place.end))
    }

    fn gather(&self, o: O, carried: bool, out: &mut Vec<Setting>) {
        let origins = &self.rendered.heap.origins;
        let mut open = vec![(o, carried)];
        let mut seen = BTreeSet::new();
        while let Some((o, carried)) = open.pop() {
            if !seen.insert((o, carried)) {
                continue;
            }
            match origins.get(o) {
                Some(Origin::At(place)) => self.add(place, Vec::new(), carried, out),
                Some(Origin::Over { now, was }) => {
                    let overridden = overridden(origins, o);
                    match origins.exact(now) {
                        Some(place) => self.add(place, overridden, carried, out),
                        None => open.extend([(was, false), (now, carried)]),
                    }
                    open.extend(besides(origins, now).into_iter().map(|by| (by, false)));
                }
                Some(Origin::Absent { of, key }) => self.add_absent(of, key, out),
                Some(Origin::Beside { of, by }) => open.extend([(by, false), (of, carried)]),
                Some(Origin::Join(a, b)) => open.extend([(b, carried), (a, carried)]),
                Some(Origin::Under(of, ctl)) => {
                    open.push((of, carried));
                    let mut ctl = ctl;
                    while let Some(known) = origins.ctl(ctl) {
                        open.push((known.cond, false));
                        ctl = known.up;
                    }
                }
                Some(Origin::Via { of, .. }) => open.push((of, carried)),
                Some(Origin::Answer(_)) | None => {}
            }
        }
    }

    fn add(&self, place: Span, overridden: Vec<Span>, carried: bool, out: &mut Vec<Setting>) {
        let is_value = |layer: &Layer| !matches!(layer, Layer::Template);
        if !self.source(place).is_some_and(|source| is_value(&source.layer)) {
            return;
        }
        // All of an argument says no key of its own: whom it goes over does.
        // A map or list is shown by its key.
        let whole = self.keys.at(place).filter(|key| place.start == place.end && key.name.0 < key.name.1);
        let place = whole.map_or(place, |key| Span { start: key.name.0, end: key.name.1, ..place });
        let key = self.key(place).or_else(|| overridden.iter().find_map(|below| self.key(*below))).unwrap_or_default();
        if let Some(known) = out.iter_mut().find(|known| known.place == Some(place)) {
            known.carried |= carried;
            if known.overridden.len() < overridden.len() {
                known.overridden = overridden;
            }
            return;
        }
        out.push(Setting { key, place: Some(place), overridden, carried });
    }

    fn add_absent(&self, of: O, key: Sym, out: &mut Vec<Setting>) {
        let origins = &self.rendered.heap.origins;
        let name = String::from_utf8_lossy(self.rendered.heap.name(key)).into_owned();
        let mut around = None;
        let mut erased = Vec::new();
        origins.places(of, true, &mut |place| {
            let Some(path) = self.key(place) else { return };
            if path == name || path.ends_with(&format!(".{name}")) {
                erased.push(place);
            } else if around.is_none() {
                around = Some(path);
            }
        });
        // Who took it away goes over what there was, and all over what a chart has by itself.
        erased.sort_by_key(|place| match self.source(*place).map(|source| &source.layer) {
            Some(Layer::Values(nth)) => usize::MAX / 2 - nth,
            Some(Layer::Chart(_)) => usize::MAX,
            _ => 0,
        });
        let Some(around) = around.or_else(|| erased.first().map(|_| String::new())) else { return };
        let path = if around.is_empty() { name } else { format!("{around}.{name}") };
        let setting = Setting { key: path, place: None, overridden: erased, carried: false };
        if !out.contains(&setting) {
            out.push(setting);
        }
    }
}

/// Whom an origin goes over, the topmost first.
fn overridden(origins: &Origins, mut o: O) -> Vec<Span> {
    let mut below = Vec::new();
    while let Some(Origin::Over { now, was }) = origins.get(o) {
        let mut places = Vec::new();
        origins.places(was, true, &mut |place| places.push(place));
        below.push(places);
        o = now;
    }
    // The layers were put over one another from the outermost origin down, so the innermost is the topmost.
    let mut all: Vec<Span> = Vec::new();
    for place in below.into_iter().rev().flatten() {
        if !all.contains(&place) {
            all.push(place);
        }
    }
    all
}

/// What decided that parts of a chain of layers were picked.
fn besides(origins: &Origins, mut o: O) -> Vec<O> {
    let mut all = Vec::new();
    while let Some(origin) = origins.get(o) {
        o = match origin {
            Origin::Over { now, .. } => now,
            Origin::Beside { of, by } => {
                all.push(by);
                of
            }
            Origin::Under(of, _) => of,
            _ => break,
        };
    }
    all
}

/// Whether bytes are only what YAML puts around a text: quotes, indentation, the head of a block.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'"' | b'\'' | b'|' | b'>' | b'-' | b'+'))
}
