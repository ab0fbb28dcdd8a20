//! Owns where values and bytes come from: origins as small indices, the arena behind them, and the conditions they stand under.
//! With tracing off every origin is [`O::NONE`] or [`O::SECRET`], and nothing here costs more than a comparison.

use std::collections::HashSet;

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use plumb_world::Span;

use crate::text::{Seg, Traced};

/// Where a value is from: an index into [`Origins`], and whether anything it is made of is secret (the top bit).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct O(u32);

impl O {
    /// Nothing is known. For a text: what its segments say.
    pub const NONE: Self = Self(0);
    /// Secret, and nothing else is known.
    pub const SECRET: Self = Self(1 << 31);

    /// Returns whether anything it is made of is secret.
    pub fn is_secret(self) -> bool {
        self.0 & Self::SECRET.0 != 0
    }

    /// Returns it marked as secret.
    #[must_use]
    pub fn secret(self) -> Self {
        Self(self.0 | Self::SECRET.0)
    }

    /// Returns whether there is more to know than secrecy.
    pub fn is_known(self) -> bool {
        self.index() != 0
    }

    fn index(self) -> u32 {
        self.0 & !Self::SECRET.0
    }
}

/// Names a block or include that was entered; 0 is the top of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct CtlId(pub u32);

/// Which way a block went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Branch {
    /// `if`, `with` or `range` whose pipeline held.
    Then,
    /// Its `else`.
    Else,
    /// A template that was called: `template`, `include` or `tpl`.
    Call,
    /// No block: an action that wrote what a pipeline gave. It decides nothing.
    Emit,
}

/// A block or call that was entered.
#[derive(Clone, Copy, Debug)]
pub struct Ctl {
    /// The one around it.
    pub up: CtlId,
    /// Where it is written.
    pub site: Span,
    /// What its condition was made of; for a call, what was passed to it does not count.
    pub cond: O,
    /// Which way it went.
    pub taken: Branch,
}

/// A block that wrote nothing: what "why not?" searches.
#[derive(Clone, Copy, Debug)]
pub struct Hole {
    /// Position in the output of the file being rendered.
    pub at: u32,
    /// The block's place.
    pub site: Span,
    /// What its condition was made of.
    pub cond: O,
    /// What it stands under.
    pub ctl: CtlId,
    /// Whether it was taken all the same, and there was nothing to write.
    pub taken: bool,
}

/// What is known of an origin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Origin {
    /// It is written here.
    At(Span),
    /// Nobody set it: the map (by its origin) has no such key.
    Absent {
        /// The origin of the map that was asked.
        of: O,
        /// The key.
        key: crate::Sym,
    },
    /// One layer over another: who set it, and whom that overrode.
    Over {
        /// Who set it.
        now: O,
        /// Whom that overrode.
        was: O,
    },
    /// Made of both.
    Join(O, O),
    /// Picked because of something that is not in it: a default that was passed over, a condition, a key.
    Beside {
        /// What was picked.
        of: O,
        /// What decided that.
        by: O,
    },
    /// Made under a condition that its place does not show: assigned in a block and used outside.
    Under(O, CtlId),
    /// Made by a function that does not show which byte is from where.
    Via {
        /// The function's name.
        function: &'static str,
        /// The call.
        site: Span,
        /// What went in.
        of: O,
    },
    /// An answer to a query, by its number.
    Answer(u32),
}

/// All origins of one render; append-only.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    tracing: bool,
    list: Vec<Origin>,
    /// Places in the list, by what is there.
    memo: HashTable<u32>,
    hasher: DefaultHashBuilder,
    ctls: Vec<Ctl>,
    /// Blocks not taken.
    pub(crate) holes: Vec<Hole>,
    /// By index of an origin: whether anything came of the value (for unread values).
    used: Vec<bool>,
}

impl Origins {
    /// Returns an empty arena; with `tracing` off nothing but secrecy is ever kept.
    pub fn new(tracing: bool) -> Self {
        let top =
            Ctl { up: CtlId(0), site: Span { file: plumb_world::FileId(u32::MAX), start: 0, end: 0 }, cond: O::NONE, taken: Branch::Call };
        Self { tracing, ctls: vec![top], ..Self::default() }
    }

    /// Returns whether origins are kept.
    pub fn tracing(&self) -> bool {
        self.tracing
    }

    /// Adds an origin and names it. The secrecy of what it is made of stays.
    pub fn add(&mut self, origin: Origin) -> O {
        let secret = match origin {
            Origin::At(_) | Origin::Answer(_) => false,
            Origin::Absent { of, .. } | Origin::Under(of, _) | Origin::Via { of, .. } => of.is_secret(),
            Origin::Over { now, was } => now.is_secret() || was.is_secret(),
            Origin::Join(a, b) => a.is_secret() || b.is_secret(),
            Origin::Beside { of, by } => of.is_secret() || by.is_secret(),
        };
        if !self.tracing {
            return if secret { O::SECRET } else { O::NONE };
        }
        let Self { list, memo, hasher, .. } = self;
        let hash = hasher.hash_one(origin);
        let known = memo.find(hash, |at| list[*at as usize] == origin).copied();
        let at = known.unwrap_or_else(|| {
            // 2^31 origins are far above the limit on a render's memory.
            let at = u32::try_from(list.len()).unwrap_or(u32::MAX >> 1);
            list.push(origin);
            memo.insert_unique(hash, at, |at| hasher.hash_one(list[*at as usize]));
            self.used.push(false);
            at
        });
        let id = O(at + 1);
        if secret { id.secret() } else { id }
    }

    /// Returns the origin of what is made of both.
    pub fn join(&mut self, a: O, b: O) -> O {
        if a == b || b == O::NONE {
            return a;
        }
        if a == O::NONE {
            return b;
        }
        if !a.is_known() || !b.is_known() {
            let known = if a.is_known() { a } else { b };
            return if a.is_secret() || b.is_secret() { known.secret() } else { known };
        }
        // The same pair in either order is one origin.
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        if let Some(Origin::Join(x, y)) = self.get(b)
            && (x == a || y == a)
        {
            return b;
        }
        self.add(Origin::Join(a, b))
    }

    /// Returns what is known of an origin; nothing for one that only says whether it is secret.
    pub fn get(&self, o: O) -> Option<Origin> {
        self.list.get((o.index() as usize).checked_sub(1)?).copied()
    }

    /// Enters a block or call.
    pub fn enter(&mut self, ctl: Ctl) -> CtlId {
        if !self.tracing {
            return CtlId(0);
        }
        self.ctls.push(ctl);
        CtlId(u32::try_from(self.ctls.len() - 1).unwrap_or(u32::MAX))
    }

    /// Returns a block or call that was entered.
    pub fn ctl(&self, id: CtlId) -> Option<&Ctl> {
        self.ctls.get(id.0 as usize).filter(|_| id.0 != 0)
    }

    /// Marks what an origin is made of as used: it was written, tested, compared, or given to a function that hides what it does with it.
    pub fn mark_used(&mut self, o: O) {
        let mut open = vec![o];
        while let Some(o) = open.pop() {
            let Some(at) = (o.index() as usize).checked_sub(1) else { continue };
            if std::mem::replace(&mut self.used[at], true) {
                continue;
            }
            match self.list[at] {
                Origin::At(_) | Origin::Answer(_) => {}
                Origin::Absent { of, .. } | Origin::Under(of, _) | Origin::Via { of, .. } => open.push(of),
                // What was overridden was read by nobody.
                Origin::Over { now, .. } => open.push(now),
                Origin::Join(a, b) => open.extend([a, b]),
                Origin::Beside { of, by } => open.extend([of, by]),
            }
        }
    }

    /// Returns all origins.
    pub fn all(&self) -> impl Iterator<Item = Origin> + '_ {
        self.list.iter().copied()
    }

    /// Returns the places in a file that anything was read from.
    pub fn places_in(&self, file: plumb_world::FileId) -> impl Iterator<Item = Span> + '_ {
        self.all().filter_map(move |origin| match origin {
            Origin::At(place) if place.file == file => Some(place),
            _ => None,
        })
    }

    /// Returns the places that something came of, with those that such a one overrides.
    pub fn read_places(&self) -> std::collections::BTreeSet<Span> {
        let mut places = std::collections::BTreeSet::new();
        for (origin, _) in self.list.iter().zip(&self.used).filter(|(_, used)| **used) {
            match origin {
                Origin::At(place) => _ = places.insert(*place),
                Origin::Over { was, .. } => self.places(*was, true, &mut |place| _ = places.insert(place)),
                _ => {}
            }
        }
        places
    }

    /// Returns the blocks that were not taken.
    pub fn holes(&self) -> &[Hole] {
        &self.holes
    }

    /// Returns whether anything came of what is written at a place.
    pub fn used_at(&self, place: Span) -> bool {
        let origin = Origin::At(place);
        let known = self.memo.find(self.hasher.hash_one(origin), |at| self.list[*at as usize] == origin);
        known.is_some_and(|at| self.is_used(O(*at + 1)))
    }

    /// Returns whether anything came of the value.
    pub fn is_used(&self, o: O) -> bool {
        (o.index() as usize).checked_sub(1).is_some_and(|at| self.used[at])
    }

    /// Calls `see` with each place that an origin is made of, once; whoever was overridden only where `overridden` says so.
    pub fn places(&self, o: O, overridden: bool, see: &mut dyn FnMut(Span)) {
        let (mut open, mut seen) = (vec![o], std::collections::BTreeSet::new());
        let mut blocks = std::collections::BTreeSet::new();
        while let Some(o) = open.pop() {
            if !seen.insert(o.index()) {
                continue;
            }
            match self.get(o) {
                Some(Origin::At(span)) => see(span),
                Some(Origin::Under(of, mut ctl)) => {
                    open.push(of);
                    while blocks.insert(ctl)
                        && let Some(known) = self.ctl(ctl)
                    {
                        open.push(known.cond);
                        ctl = known.up;
                    }
                }
                Some(Origin::Absent { of, .. } | Origin::Via { of, .. }) => open.push(of),
                Some(Origin::Over { now, was }) => {
                    open.push(now);
                    if overridden {
                        open.push(was);
                    }
                }
                Some(Origin::Join(a, b) | Origin::Beside { of: a, by: b }) => open.extend([a, b]),
                Some(Origin::Answer(_)) | None => {}
            }
        }
    }

    /// Returns the origin of so many bytes of a segment: of a text that is written at one place, those bytes alone.
    pub(crate) fn part(&mut self, seg: Seg, len: u32) -> O {
        if seg.off == Seg::WHOLE { seg.origin } else { self.part_of(seg.origin, seg.off, len) }
    }

    fn part_of(&mut self, o: O, off: u32, len: u32) -> O {
        let narrowed = match self.get(o) {
            Some(Origin::At(span)) => {
                let start = span.start.saturating_add(off);
                Origin::At(Span { start, end: span.end.min(start.saturating_add(len)), ..span })
            }
            Some(Origin::Over { now, was }) => Origin::Over { now: self.part_of(now, off, len), was },
            Some(Origin::Beside { of, by }) => Origin::Beside { of: self.part_of(of, off, len), by },
            Some(Origin::Under(of, ctl)) => Origin::Under(self.part_of(of, off, len), ctl),
            _ => return o,
        };
        let part = self.add(narrowed);
        if o.is_secret() { part.secret() } else { part }
    }

    /// Returns what was picked with what decided it.
    pub fn beside(&mut self, of: O, by: O) -> O {
        if by == O::NONE || of == by {
            return of;
        }
        if !by.is_known() {
            return of.secret();
        }
        if let Some(Origin::Beside { by: known, .. }) = self.get(of)
            && known == by
        {
            return of;
        }
        self.add(Origin::Beside { of, by })
    }

    /// Returns a layer's value with that of the one it goes over, unless it is known already.
    pub fn over(&mut self, now: O, was: O) -> O {
        let mut at = now;
        while let Some(Origin::Over { now: above, was: below }) = self.get(at) {
            if below == was {
                return now;
            }
            at = above;
        }
        if !was.is_known() || at == was { now } else { self.add(Origin::Over { now, was }) }
    }

    /// Returns whether something was made or put somewhere under a block that its place does not show.
    pub(crate) fn stands_under(&self, mut o: O) -> bool {
        loop {
            o = match self.get(o) {
                Some(Origin::Under(..)) => return true,
                Some(Origin::Over { now: of, .. } | Origin::Beside { of, .. }) => of,
                _ => return false,
            };
        }
    }

    /// Returns whether an origin says only what decided, and nothing of what something is made of.
    pub(crate) fn only_decides(&self, o: O) -> bool {
        matches!(self.get(o), Some(Origin::Beside { of: O::NONE, .. }))
    }

    /// Returns the origin of what is decided by both, and made of neither.
    pub(crate) fn both_decide(&mut self, a: O, b: O) -> O {
        match (self.get(a), self.get(b)) {
            (Some(Origin::Beside { of: O::NONE, by: one }), Some(Origin::Beside { of: O::NONE, by: other })) => {
                let by = self.join(one, other);
                self.beside(O::NONE, by)
            }
            (None, _) => b,
            _ => a,
        }
    }

    /// Returns the block or call around an action; a block or call itself.
    pub(crate) fn block(&self, mut ctl: CtlId) -> CtlId {
        while let Some(known) = self.ctl(ctl)
            && known.taken == Branch::Emit
        {
            ctl = known.up;
        }
        ctl
    }

    /// Returns the one place that a segment's first byte is written at, where there is one.
    pub fn place(&self, seg: Seg) -> Option<Span> {
        let span = self.exact(seg.origin)?;
        if seg.off == Seg::WHOLE {
            return Some(span);
        }
        Some(Span { start: span.start.saturating_add(seg.off), ..span })
    }

    /// Returns the one place whose value something is, whomever that overrode and whatever decided it.
    pub fn exact(&self, mut o: O) -> Option<Span> {
        loop {
            o = match self.get(o)? {
                Origin::At(span) => return Some(span),
                Origin::Over { now, .. } => now,
                Origin::Beside { of, .. } | Origin::Under(of, _) => of,
                Origin::Absent { .. } | Origin::Join(..) | Origin::Via { .. } | Origin::Answer(_) => return None,
            };
        }
    }

    /// Returns what is known of a range of an output.
    pub fn why(&self, text: &Traced, range: std::ops::Range<usize>) -> Why {
        let mut all = Gather::default();
        let segs: Vec<Seg> = text.under(range.clone()).collect();
        for (nth, seg) in segs.iter().enumerate() {
            let end = segs.get(nth + 1).map_or(range.end, |next| next.at as usize);
            let len = u32::try_from(end.saturating_sub(seg.at as usize)).unwrap_or(u32::MAX);
            all.why.secret |= seg.origin.is_secret();
            match self.place(*seg) {
                Some(place) if seg.off != Seg::WHOLE => {
                    all.span(Part::Data, Span { end: place.end.min(place.start.saturating_add(len)), ..place });
                    self.beside_place(seg.origin, &mut all);
                }
                _ => self.carried(seg.origin, &mut all),
            }
            self.around(seg.ctl, &mut all);
        }
        all.why
    }

    /// Returns the places whose bytes or values are in a range of an output, in its order, and nothing of what decided them.
    pub fn data(&self, text: &Traced, range: std::ops::Range<usize>) -> Vec<Span> {
        let (mut places, mut seen, mut known) = (Vec::new(), HashSet::new(), HashSet::new());
        let segs: Vec<Seg> = text.under(range.clone()).collect();
        for (nth, seg) in segs.iter().enumerate() {
            let end = segs.get(nth + 1).map_or(range.end, |next| next.at as usize);
            let len = u32::try_from(end.saturating_sub(seg.at as usize)).unwrap_or(u32::MAX);
            let mut add = |span: Span| {
                if known.insert(span) {
                    places.push(span);
                }
            };
            match self.place(*seg) {
                Some(place) if seg.off != Seg::WHOLE => add(Span { end: place.end.min(place.start.saturating_add(len)), ..place }),
                Some(place) => add(place),
                None => {
                    let mut open = vec![seg.origin];
                    while let Some(o) = open.pop() {
                        if !seen.insert(o) {
                            continue;
                        }
                        match self.get(o) {
                            Some(Origin::At(span)) => add(span),
                            Some(
                                Origin::Over { now: of, .. } | Origin::Beside { of, .. } | Origin::Under(of, _) | Origin::Via { of, .. },
                            ) => {
                                open.push(of);
                            }
                            Some(Origin::Join(a, b)) => open.extend([b, a]),
                            Some(Origin::Absent { .. } | Origin::Answer(_)) | None => {}
                        }
                    }
                }
            }
        }
        places
    }

    /// Adds all places that a range of an output depends on: those whose bytes it has, those that decided, those that were overridden.
    pub fn depends(&self, text: &Traced, range: std::ops::Range<usize>, all: &mut Depends) {
        let segs: Vec<Seg> = text.under(range.clone()).collect();
        let mut open = Vec::new();
        for (nth, seg) in segs.iter().enumerate() {
            let end = segs.get(nth + 1).map_or(range.end, |next| next.at as usize);
            let len = u32::try_from(end.saturating_sub(seg.at as usize)).unwrap_or(u32::MAX);
            let mut o = seg.origin;
            if seg.off != Seg::WHOLE
                && let Some(place) = self.place(*seg)
            {
                all.places.insert(Span { end: place.end.min(place.start.saturating_add(len)), ..place });
                // The rest of the chain, without the whole text at its end.
                while let Some(origin) = self.get(o) {
                    o = match origin {
                        Origin::Over { now, was } => {
                            open.push(was);
                            now
                        }
                        Origin::Beside { of, by } => {
                            open.push(by);
                            of
                        }
                        Origin::Under(of, ctl) => {
                            self.depend_on_blocks(ctl, all, &mut open);
                            of
                        }
                        _ => break,
                    };
                }
            } else {
                open.push(o);
            }
            self.depend_on_blocks(seg.ctl, all, &mut open);
        }
        self.depend_on_all(open, all);
    }

    /// Adds all places that an origin depends on.
    pub fn depends_on(&self, o: O, all: &mut Depends) {
        self.depend_on_all(vec![o], all);
    }

    fn depend_on_all(&self, mut open: Vec<O>, all: &mut Depends) {
        while let Some(o) = open.pop() {
            if !all.origins.insert(o) {
                continue;
            }
            match self.get(o) {
                Some(Origin::At(span)) => _ = all.places.insert(span),
                Some(Origin::Absent { of, .. } | Origin::Via { of, .. }) => open.push(of),
                Some(Origin::Over { now: a, was: b } | Origin::Join(a, b) | Origin::Beside { of: a, by: b }) => open.extend([a, b]),
                Some(Origin::Under(of, ctl)) => {
                    open.push(of);
                    self.depend_on_blocks(ctl, all, &mut open);
                }
                Some(Origin::Answer(_)) | None => {}
            }
        }
    }

    fn depend_on_blocks(&self, mut ctl: CtlId, all: &mut Depends, open: &mut Vec<O>) {
        while all.blocks.insert(ctl)
            && let Some(known) = self.ctl(ctl)
        {
            open.push(known.cond);
            ctl = known.up;
        }
    }

    /// Adds what is known of something that is written at one place, but for that place.
    fn beside_place(&self, mut o: O, all: &mut Gather) {
        while let Some(origin) = self.get(o) {
            o = match origin {
                Origin::Over { now, was } => {
                    self.places(was, true, &mut |span| all.span(Part::Overridden, span));
                    now
                }
                Origin::Beside { of, by } => {
                    self.decided(by, all);
                    of
                }
                Origin::Under(of, ctl) => {
                    self.around(ctl, all);
                    of
                }
                _ => return,
            };
        }
    }

    /// Adds what decided that something was picked.
    fn decided(&self, by: O, all: &mut Gather) {
        if !all.decided.insert(by) {
            return;
        }
        let mut passed = Gather { decided: std::mem::take(&mut all.decided), ..Gather::default() };
        self.carried(by, &mut passed);
        all.decided = passed.decided;
        let passed = passed.why;
        passed.data.into_iter().chain(passed.decided).for_each(|span| all.span(Part::Decided, span));
        passed.overridden.into_iter().for_each(|span| all.span(Part::Overridden, span));
        passed.conditions.into_iter().for_each(|span| all.span(Part::Condition, span));
        passed.absent.into_iter().for_each(|absent| note(&mut all.why.absent, absent));
        passed.through.into_iter().for_each(|call| note(&mut all.why.through, call));
        passed.answers.into_iter().for_each(|number| note(&mut all.why.answers, number));
        for ctl in passed.around {
            if all.blocks.insert(ctl) {
                all.why.around.push(ctl);
            }
        }
    }

    /// Adds what an origin is made of.
    fn carried(&self, o: O, all: &mut Gather) {
        let mut open = vec![o];
        while let Some(o) = open.pop() {
            if !all.origins.insert(o) {
                continue;
            }
            match self.get(o) {
                Some(Origin::At(span)) => all.span(Part::Data, span),
                Some(Origin::Absent { of, key }) => {
                    note(&mut all.why.absent, (of, key));
                    self.places(of, false, &mut |span| all.span(Part::Decided, span));
                }
                Some(Origin::Beside { of, by }) => {
                    self.decided(by, all);
                    open.push(of);
                }
                Some(Origin::Over { now, was }) => {
                    open.push(now);
                    self.places(was, true, &mut |span| all.span(Part::Overridden, span));
                }
                Some(Origin::Join(a, b)) => open.extend([b, a]),
                Some(Origin::Under(of, ctl)) => {
                    self.around(ctl, all);
                    open.push(of);
                }
                Some(Origin::Via { function, site, of }) => {
                    note(&mut all.why.through, (function, site));
                    open.push(of);
                }
                Some(Origin::Answer(number)) => note(&mut all.why.answers, number),
                None => {}
            }
        }
    }

    /// Adds the blocks and calls around something, from the inside out.
    fn around(&self, mut ctl: CtlId, all: &mut Gather) {
        while let Some(known) = self.ctl(ctl) {
            // Whatever is around a block that was seen was seen with it.
            if !all.blocks.insert(ctl) {
                return;
            }
            if known.taken == Branch::Emit {
                all.span(Part::Emitted, known.site);
            } else {
                all.why.around.push(ctl);
                if all.origins_of_conditions.insert(known.cond) {
                    self.places(known.cond, false, &mut |span| all.span(Part::Condition, span));
                }
            }
            ctl = known.up;
        }
    }
}

/// What ranges of an output depend on, as it is gathered.
#[derive(Clone, Debug, Default)]
pub struct Depends {
    /// The places.
    pub places: std::collections::BTreeSet<Span>,
    origins: HashSet<O>,
    blocks: HashSet<CtlId>,
}

/// Which list of [`Why`] a place is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Data,
    Overridden,
    Decided,
    Emitted,
    Condition,
}

/// A [`Why`] as it is gathered, and what is in it already.
#[derive(Default)]
struct Gather {
    why: Why,
    spans: HashSet<(Part, Span)>,
    origins: HashSet<O>,
    origins_of_conditions: HashSet<O>,
    decided: HashSet<O>,
    blocks: HashSet<CtlId>,
}

impl Gather {
    fn span(&mut self, part: Part, span: Span) {
        if !self.spans.insert((part, span)) {
            return;
        }
        match part {
            Part::Data => self.why.data.push(span),
            Part::Overridden => self.why.overridden.push(span),
            Part::Decided => self.why.decided.push(span),
            Part::Emitted => self.why.emitted.push(span),
            Part::Condition => self.why.conditions.push(span),
        }
    }
}

/// What is known of a range of an output. Everything once, in the order of the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// The places whose bytes or values are in it.
    pub data: Vec<Span>,
    /// The places that those override.
    pub overridden: Vec<Span>,
    /// The places that decided that it was picked: defaults passed over, conditions, keys.
    pub decided: Vec<Span>,
    /// The actions that wrote it, the innermost first.
    pub emitted: Vec<Span>,
    /// Keys that were asked for and that nobody set, with the map that was asked.
    pub absent: Vec<(O, crate::Sym)>,
    /// Functions that do not show which byte is from where, with their calls.
    pub through: Vec<(&'static str, Span)>,
    /// Answers to queries, by number.
    pub answers: Vec<u32>,
    /// The blocks and calls that it stands under, the innermost first.
    pub around: Vec<CtlId>,
    /// The places that decided which way those went.
    pub conditions: Vec<Span>,
    /// Whether anything of it is secret.
    pub secret: bool,
}

fn note<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
