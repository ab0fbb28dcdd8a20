//! Owns where values and bytes come from: origins as small indices, the arena behind them, and the conditions they stand under.
//! With tracing off every origin is [`O::NONE`] or [`O::SECRET`], and nothing here costs more than a comparison.

use hashbrown::HashMap;

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

/// A block that was not taken: what "why not?" searches.
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
    memo: HashMap<Origin, O>,
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
        };
        if !self.tracing {
            return if secret { O::SECRET } else { O::NONE };
        }
        if let Some(known) = self.memo.get(&origin) {
            return *known;
        }
        self.list.push(origin);
        self.used.push(false);
        // 2^31 origins are far above the limit on a render's memory.
        let id = O(u32::try_from(self.list.len()).unwrap_or(u32::MAX >> 1));
        let id = if secret { id.secret() } else { id };
        self.memo.insert(origin, id);
        id
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
            }
        }
    }

    /// Returns the blocks that were not taken.
    pub fn holes(&self) -> &[Hole] {
        &self.holes
    }

    /// Returns whether anything came of what is written at a place.
    pub fn used_at(&self, place: Span) -> bool {
        self.memo.get(&Origin::At(place)).is_some_and(|o| self.is_used(*o))
    }

    /// Returns whether anything came of the value.
    pub fn is_used(&self, o: O) -> bool {
        (o.index() as usize).checked_sub(1).is_some_and(|at| self.used[at])
    }

    /// Calls `see` with each place that an origin is made of, once; whoever was overridden only where `overridden` says so.
    pub fn places(&self, o: O, overridden: bool, see: &mut dyn FnMut(Span)) {
        let (mut open, mut seen) = (vec![o], std::collections::BTreeSet::new());
        while let Some(o) = open.pop() {
            if !seen.insert(o.index()) {
                continue;
            }
            match self.get(o) {
                Some(Origin::At(span)) => see(span),
                Some(Origin::Absent { of, .. } | Origin::Under(of, _) | Origin::Via { of, .. }) => open.push(of),
                Some(Origin::Over { now, was }) => {
                    open.push(now);
                    if overridden {
                        open.push(was);
                    }
                }
                Some(Origin::Join(a, b)) => open.extend([a, b]),
                Some(Origin::Answer(_)) | None => {}
            }
        }
    }

    /// Returns the origin of so many bytes of a segment: of a text that is written at one place, those bytes alone.
    pub(crate) fn part(&mut self, seg: Seg, len: u32) -> O {
        match self.get(seg.origin) {
            Some(Origin::At(span)) if seg.off != Seg::WHOLE => {
                let start = span.start.saturating_add(seg.off);
                let part = self.add(Origin::At(Span { start, end: span.end.min(start.saturating_add(len)), ..span }));
                if seg.origin.is_secret() { part.secret() } else { part }
            }
            _ => seg.origin,
        }
    }

    /// Returns the one place that a segment's first byte is written at, where there is one.
    pub fn place(&self, seg: Seg) -> Option<Span> {
        let Some(Origin::At(span)) = self.get(seg.origin) else { return None };
        if seg.off == Seg::WHOLE {
            return Some(span);
        }
        Some(Span { start: span.start.saturating_add(seg.off), ..span })
    }

    /// Returns what is known of a range of an output.
    pub fn why(&self, text: &Traced, range: std::ops::Range<usize>) -> Why {
        let mut why = Why::default();
        let segs: Vec<Seg> = text.under(range.clone()).collect();
        for (nth, seg) in segs.iter().enumerate() {
            let end = segs.get(nth + 1).map_or(range.end, |next| next.at as usize);
            let len = u32::try_from(end.saturating_sub(seg.at as usize)).unwrap_or(u32::MAX);
            why.secret |= seg.origin.is_secret();
            match self.place(*seg) {
                Some(place) if seg.off != Seg::WHOLE => {
                    note(&mut why.data, Span { end: place.end.min(place.start.saturating_add(len)), ..place });
                }
                _ => self.carried(seg.origin, &mut why),
            }
            self.around(seg.ctl, &mut why);
        }
        why
    }

    /// Adds what an origin is made of.
    fn carried(&self, o: O, why: &mut Why) {
        let (mut open, mut seen) = (vec![o], std::collections::BTreeSet::new());
        while let Some(o) = open.pop() {
            if !seen.insert(o.index()) {
                continue;
            }
            match self.get(o) {
                Some(Origin::At(span)) => note(&mut why.data, span),
                Some(Origin::Absent { of, key }) => {
                    note(&mut why.absent, key);
                    open.push(of);
                }
                Some(Origin::Over { now, was }) => {
                    open.push(now);
                    self.places(was, true, &mut |span| note(&mut why.overridden, span));
                }
                Some(Origin::Join(a, b)) => open.extend([b, a]),
                Some(Origin::Under(of, ctl)) => {
                    self.around(ctl, why);
                    open.push(of);
                }
                Some(Origin::Via { function, site, of }) => {
                    note(&mut why.through, (function, site));
                    open.push(of);
                }
                Some(Origin::Answer(number)) => note(&mut why.answers, number),
                None => {}
            }
        }
    }

    /// Adds the blocks and calls around something, from the inside out.
    fn around(&self, mut ctl: CtlId, why: &mut Why) {
        while let Some(known) = self.ctl(ctl) {
            // Whatever is around a block that was seen was seen with it.
            if why.around.contains(&ctl) {
                return;
            }
            why.around.push(ctl);
            self.condition_places(known.cond, why);
            ctl = known.up;
        }
    }

    fn condition_places(&self, cond: O, why: &mut Why) {
        self.places(cond, false, &mut |span| note(&mut why.conditions, span));
    }
}

/// What is known of a range of an output. Everything once, in the order of the output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Why {
    /// The places whose bytes or values are in it.
    pub data: Vec<Span>,
    /// The places that those override.
    pub overridden: Vec<Span>,
    /// Keys that were asked for and that nobody set.
    pub absent: Vec<crate::Sym>,
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
