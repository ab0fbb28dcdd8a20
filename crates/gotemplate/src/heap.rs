//! Owns the memory of one render: texts, lists, maps, objects, names and origins. Nothing is freed before the render ends, so
//! handles are plain numbers, values are copied freely and cycles made with `set` leak nothing. Its size is limited.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::func::Failure;
use crate::object::{MapType, Object};
use crate::origin::{CtlId, O, Origins};
use crate::pile::Pile;
use crate::shared::{Held, Shared};
use crate::text::{Seg, Str, Traced};
use crate::value::{Items, ListType, MapId, ObjId, Value};

/// An interned name: a map's key, a field.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Sym(pub u32);

/// One entry of a map.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The key.
    pub key: Sym,
    /// Where the key is from.
    pub key_origin: O,
    /// The value.
    pub value: Value,
}

/// A map with string keys. Go gives no order; whatever can be seen goes by key ([`Heap::sorted`]).
#[derive(Clone, Debug)]
pub struct GoMap {
    /// Its Go type: decides what a missing key gives, how `%T` and `typeOf` call it, which methods it has.
    pub ty: &'static MapType,
    entries: Vec<Entry>,
    /// Index by key, once there are many.
    index: Option<Box<HashMap<Sym, u32>>>,
    sorted: bool,
    /// Keys that a layer set to nothing (`null`), and where: they explain absence.
    pub erased: Vec<(Sym, O)>,
}

impl GoMap {
    /// From this many entries on there is an index.
    const INDEXED: usize = 12;

    fn new(ty: &'static MapType) -> Self {
        Self { ty, entries: Vec::new(), index: None, sorted: true, erased: Vec::new() }
    }

    fn find(&self, key: Sym) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&key).map(|at| *at as usize),
            None => self.entries.iter().position(|entry| entry.key == key),
        }
    }

    /// Returns the entry of a key.
    pub fn get(&self, key: Sym) -> Option<&Entry> {
        self.find(key).map(|at| &self.entries[at])
    }

    /// Returns how many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entries in no order that may be seen.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Sets a key.
    pub fn set(&mut self, key: Sym, key_origin: O, value: Value) {
        if let Some(at) = self.find(key) {
            self.entries[at] = Entry { key, key_origin, value };
            return;
        }
        let at = self.entries.len();
        self.entries.push(Entry { key, key_origin, value });
        self.sorted = at == 0;
        if let Some(index) = &mut self.index {
            index.insert(key, at as u32);
        } else if at + 1 >= Self::INDEXED {
            self.reindex();
        }
    }

    /// Removes a key; returns what it had.
    pub fn remove(&mut self, key: Sym) -> Option<Entry> {
        let at = self.find(key)?;
        // Order is kept, so what was sorted stays sorted.
        let gone = self.entries.remove(at);
        if self.index.is_some() {
            self.reindex();
        }
        Some(gone)
    }

    fn reindex(&mut self) {
        self.index = (self.entries.len() >= Self::INDEXED)
            .then(|| Box::new(self.entries.iter().enumerate().map(|(at, entry)| (entry.key, at as u32)).collect()));
    }
}

/// Memory that a heap asks for at once, as it would be moved again and again when it grows: what is not written to costs nothing.
const TEXT_BYTES: usize = 4 << 20;
const LIST_ITEMS: usize = 1 << 16;

/// The memory of one render.
#[derive(Clone, Debug)]
pub struct Heap {
    text: Traced,
    /// Texts that are not copied here.
    shared: Shared,
    lists: Vec<Value>,
    maps: Pile<GoMap>,
    /// About how many entries the maps were given.
    entries: usize,
    objects: Vec<Object>,
    names: Vec<Str>,
    by_name: HashTable<Sym>,
    hasher: DefaultHashBuilder,
    /// Where things are from.
    pub origins: Origins,
    /// What is being executed now: the origin of constants and the condition that text is written under.
    pub here: Here,
    limit: usize,
}

fn bytes_of<'t>(own: &'t Traced, shared: &'t Shared, text: Str) -> &'t [u8] {
    if Shared::has(text) { shared.bytes(text) } else { &own.bytes[text.range()] }
}

/// What is being executed now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Here {
    /// The block.
    pub ctl: CtlId,
    /// The call or constant.
    pub site: Option<plumb_world::Span>,
}

impl Heap {
    /// Returns an empty heap that may grow to about so many bytes.
    pub fn new(tracing: bool, limit_bytes: usize) -> Self {
        Self {
            text: Traced { bytes: Vec::with_capacity(TEXT_BYTES.min(limit_bytes)), segs: Vec::new() },
            shared: Shared::default(),
            lists: Vec::with_capacity(LIST_ITEMS),
            maps: Pile::new(),
            entries: 0,
            objects: Vec::new(),
            names: Vec::new(),
            by_name: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            origins: Origins::new(tracing),
            here: Here::default(),
            limit: limit_bytes,
        }
    }

    /// Returns an empty heap in which the texts that this one shares have the same positions.
    pub(crate) fn empty_beside(&self) -> Self {
        Self { shared: self.shared.clone(), ..Self::new(false, self.limit) }
    }

    /// Returns about how many bytes are in use.
    pub fn used_bytes(&self) -> usize {
        self.text.bytes.len()
            + (self.text.segs.len() + self.lists.len()) * 16
            + (self.maps.len() + self.objects.len() + self.names.len()) * 64
            + self.entries * size_of::<Entry>()
    }

    /// Fails when the heap, with so many bytes more, is over its limit. Called before anything whose size a template decides.
    pub fn reserve(&mut self, more: usize) -> Result<(), Failure> {
        if self.used_bytes().saturating_add(more) > self.limit {
            return Err(Failure::limit(format!("a render may use {} MiB", self.limit >> 20)));
        }
        Ok(())
    }

    // Names.

    /// Interns a name.
    pub fn sym(&mut self, name: &[u8]) -> Sym {
        let hash = self.hasher.hash_one(name);
        if let Some(known) = self.named(hash, name) {
            return known;
        }
        let text = self.push(name, O::NONE);
        self.add_name(hash, text)
    }

    /// Returns the name if anything has it.
    pub fn find_sym(&self, name: &[u8]) -> Option<Sym> {
        self.named(self.hasher.hash_one(name), name)
    }

    fn named(&self, hash: u64, name: &[u8]) -> Option<Sym> {
        self.by_name.find(hash, |known| self.name(*known) == name).copied()
    }

    fn add_name(&mut self, hash: u64, text: Str) -> Sym {
        let sym = Sym(self.names.len() as u32);
        self.names.push(text);
        let Self { names, text, shared, hasher, by_name, .. } = self;
        by_name.insert_unique(hash, sym, |known| hasher.hash_one(bytes_of(text, shared, names[known.0 as usize])));
        sym
    }

    /// Returns how many names there are.
    pub(crate) fn names(&self) -> usize {
        self.names.len()
    }

    /// Returns a name's text.
    pub fn name(&self, sym: Sym) -> &[u8] {
        self.bytes(self.names[sym.0 as usize])
    }

    /// Returns a name as a text, without copying it.
    pub fn name_str(&self, sym: Sym) -> Str {
        self.names[sym.0 as usize]
    }

    // Texts.

    /// Returns a text's bytes.
    pub fn bytes(&self, text: Str) -> &[u8] {
        bytes_of(&self.text, &self.shared, text)
    }

    /// Keeps a text's bytes while the heap changes: a shared text is not copied for it.
    pub(crate) fn held(&self, text: Str) -> Held {
        if Shared::has(text) { self.shared.held(text) } else { Held::Own(self.bytes(text).into()) }
    }

    /// Returns a text for people or for functions that take only UTF-8: what is none is replaced.
    pub fn utf8(&self, text: Str) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(text))
    }

    /// Adds a text of one origin.
    pub fn push(&mut self, bytes: &[u8], origin: O) -> Str {
        let at = self.text.position();
        self.text.push(bytes, origin, Seg::WHOLE, CtlId(0));
        Str { at, len: bytes.len() as u32 }
    }

    /// Adds a text of no known origin without copying it, as long as that is possible.
    pub fn share(&mut self, text: &std::sync::Arc<[u8]>) -> Str {
        match self.shared.add(text) {
            Some(shared) => shared,
            None => self.push(text, O::NONE),
        }
    }

    /// Returns whether a text is one that was not copied.
    pub(crate) fn is_shared(&self, text: Str) -> bool {
        Shared::has(text)
    }

    /// Returns a text of the heap's own buffer with the bytes of any text.
    fn owned(&mut self, text: Str) -> Str {
        if !Shared::has(text) {
            return text;
        }
        let at = self.text.position();
        let Self { text: buffer, shared, .. } = self;
        buffer.push(shared.bytes(text), O::NONE, Seg::WHOLE, CtlId(0));
        Str { at, len: text.len }
    }

    /// Adds a file's text: as it stands where that is known, otherwise without copying it.
    pub fn file(&mut self, text: &std::sync::Arc<[u8]>, origin: O) -> Str {
        if origin.is_known() { self.push_linear(text, origin, 0) } else { self.share(text) }
    }

    /// Adds a text as it stands in a file: its bytes are those at and after an offset of what `origin` is the place of.
    pub fn push_linear(&mut self, bytes: &[u8], origin: O, off: u32) -> Str {
        let at = self.text.position();
        self.text.push(bytes, origin, off, CtlId(0));
        Str { at, len: bytes.len() as u32 }
    }

    /// Adds what was written elsewhere, with its segments.
    pub fn push_traced(&mut self, from: &Traced) -> Str {
        let at = self.text.position();
        self.text.copy(from, 0..from.bytes.len(), O::NONE, CtlId(0));
        Str { at, len: self.text.position() - at }
    }

    /// Writes part of a text elsewhere, with its segments; bytes that say nothing of their own get `own`.
    pub fn write(&self, text: Str, own: O, ctl: CtlId, out: &mut Traced) {
        if Shared::has(text) {
            out.push(self.shared.bytes(text), own, Seg::WHOLE, ctl);
        } else {
            out.copy(&self.text, text.range(), own, ctl);
        }
    }

    /// Returns the segments under a text.
    pub fn segs(&self, text: Str) -> impl Iterator<Item = Seg> + '_ {
        let of_others = Shared::has(text).then_some(Seg { at: text.at, origin: O::NONE, off: Seg::WHOLE, ctl: CtlId(0) });
        let own = of_others.is_none().then(|| self.text.under(text.range()));
        of_others.into_iter().chain(own.into_iter().flatten())
    }

    /// Marks whatever a text is made of as used.
    pub(crate) fn mark_used(&mut self, text: Str, own: O) {
        if !self.origins.tracing() {
            return;
        }
        let text = self.owned(text);
        let Self { text: buffer, origins, .. } = self;
        for seg in buffer.under(text.range()) {
            let origin = if seg.origin == O::NONE { own } else { seg.origin };
            if !origins.is_used(origin) {
                origins.mark_used(origin);
            }
        }
    }

    /// Begins a text made of parts.
    pub fn build(&mut self) -> Builder<'_> {
        let at = self.text.position();
        Builder { heap: self, at }
    }

    // Lists.

    /// Adds a list.
    pub fn list(&mut self, ty: ListType, items: &[Value]) -> Value {
        let at = self.lists.len() as u32;
        self.lists.extend_from_slice(items);
        Value::List(O::NONE, ty, Items { at, len: items.len() as u32 })
    }

    /// Adds a `[]string` of texts.
    pub fn strings(&mut self, texts: &[Str], origin: O) -> Value {
        let at = self.lists.len() as u32;
        self.lists.extend(texts.iter().map(|text| Value::Str(origin, *text)));
        Value::List(O::NONE, ListType::Strings, Items { at, len: texts.len() as u32 })
    }

    /// Returns a list's items.
    pub fn items(&self, items: Items) -> &[Value] {
        &self.lists[items.at as usize..][..items.len as usize]
    }

    // Maps.

    /// Adds an empty map.
    pub fn map(&mut self, ty: &'static MapType) -> MapId {
        self.maps.push(GoMap::new(ty));
        MapId(self.maps.len() as u32 - 1)
    }

    /// Adds a map of a plain type that has the same entries as another one, and the same erased.
    pub fn same_entries(&mut self, id: MapId) -> MapId {
        let GoMap { entries, index, sorted, erased, .. } = self.get(id);
        let copy = GoMap { ty: &crate::MAP, entries: entries.clone(), index: index.clone(), sorted: *sorted, erased: erased.clone() };
        self.entries += copy.entries.len();
        self.maps.push(copy);
        MapId(self.maps.len() as u32 - 1)
    }

    /// Puts another value at the place of an entry.
    pub fn set_entry(&mut self, id: MapId, at: usize, value: Value) {
        self.get_mut(id).entries[at].value = value;
    }

    /// Returns a map.
    pub fn get(&self, id: MapId) -> &GoMap {
        &self.maps[id.0 as usize]
    }

    /// Returns a map to be changed.
    pub fn get_mut(&mut self, id: MapId) -> &mut GoMap {
        // Whoever changes a map adds at most one entry to it.
        self.entries += 1;
        &mut self.maps[id.0 as usize]
    }

    /// Puts a map's entries in the order of their keys' bytes, and returns how many there are: then [`entry`](Self::entry) gives one by one.
    pub fn sort(&mut self, id: MapId) -> usize {
        let map = &mut self.maps[id.0 as usize];
        if !map.sorted {
            let (names, text, shared) = (&self.names, &self.text, &self.shared);
            map.entries.sort_by(|a, b| {
                let name = |entry: &Entry| bytes_of(text, shared, names[entry.key.0 as usize]);
                name(a).cmp(name(b))
            });
            map.sorted = true;
            map.reindex();
        }
        map.entries.len()
    }

    /// Returns an entry by its place.
    pub fn entry(&self, id: MapId, at: usize) -> Entry {
        self.maps[id.0 as usize].entries[at]
    }

    /// Returns the entries in the order of their keys' bytes.
    pub fn sorted(&mut self, id: MapId) -> Vec<Entry> {
        self.sort(id);
        self.get(id).entries.clone()
    }

    // Objects.

    /// Adds an object.
    pub fn object(&mut self, object: Object) -> Value {
        self.objects.push(object);
        Value::Obj(O::NONE, ObjId(self.objects.len() as u32 - 1))
    }

    /// Returns an object.
    pub fn obj(&self, id: ObjId) -> &Object {
        &self.objects[id.0 as usize]
    }

    // Origins.

    /// Returns what a value is made of: for a text what its segments say, for a collection everything in it.
    pub fn origin(&mut self, value: Value) -> O {
        if !self.origins.tracing() && self.text.segs.is_empty() {
            return value.origin();
        }
        match value {
            Value::Str(own, text) | Value::Bytes(own, text) => self.text_origin(text, own),
            Value::List(own, _, items) => {
                let mut all = own;
                for at in 0..items.len as usize {
                    let item = self.lists[items.at as usize + at];
                    let of = self.origin(item);
                    all = self.origins.join(all, of);
                }
                all
            }
            Value::Map(own, id) => self.map_origin(own, id, 0),
            Value::Nil(o) | Value::Bool(o, _) | Value::Int(o, ..) | Value::Float(o, _) | Value::Obj(o, _) => o,
        }
    }

    /// Returns what a text is made of, with the blocks that its parts were written under.
    fn text_origin(&mut self, text: Str, own: O) -> O {
        let segs: Vec<Seg> = self.segs(text).collect();
        if let [one] = segs.as_slice()
            && one.ctl == CtlId(0)
            && (one.origin == O::NONE || one.origin == own && one.off == Seg::WHOLE)
        {
            return own;
        }
        let here = self.origins.block(self.here.ctl);
        let mut all = if self.origins.only_decides(own) { own } else { O::NONE };
        for (nth, seg) in segs.iter().enumerate() {
            let end = segs.get(nth + 1).map_or(text.range().end as u32, |next| next.at);
            let mut of = if seg.origin == O::NONE { own } else { self.origins.part(*seg, end - seg.at) };
            let block = self.origins.block(seg.ctl);
            if block != CtlId(0) && block != here {
                of = self.origins.add(crate::origin::Origin::Under(of, block));
            }
            all = self.origins.join(all, of);
        }
        all
    }

    fn map_origin(&mut self, own: O, id: MapId, depth: usize) -> O {
        // `set` can make a map hold itself.
        const DEPTH: usize = 64;
        let mut all = own;
        for at in 0..self.get(id).len() {
            let entry = self.entry(id, at);
            let of = match entry.value {
                Value::Map(own, id) if depth < DEPTH => self.map_origin(own, id, depth + 1),
                Value::Map(own, _) => own,
                other => self.origin(other),
            };
            let of = self.origins.join(entry.key_origin, of);
            all = self.origins.join(all, of);
        }
        all
    }
}

impl Heap {
    /// Returns Go's truth of a value: whether it is not the zero of its type.
    pub fn truth(&self, value: Value) -> bool {
        match value {
            Value::Nil(_) => false,
            Value::Bool(_, value) => value,
            Value::Int(_, _, value) => value != 0,
            Value::Float(_, value) => value != 0.0,
            Value::Str(_, text) | Value::Bytes(_, text) => !text.is_empty(),
            Value::List(_, _, items) => items.len > 0,
            Value::Map(_, id) => !self.get(id).is_empty(),
            Value::Obj(_, id) => !matches!(self.obj(id), Object::Complex(re, im) if *re == 0.0 && *im == 0.0),
        }
    }

    /// Returns what the outcome of a test of a value is made of: of a text its bytes and what they stand under (charts use texts as
    /// booleans), of a collection its shape.
    pub fn condition(&mut self, value: Value) -> O {
        if !self.origins.tracing() {
            return value.origin();
        }
        match value {
            Value::Str(own, text) => {
                let mut all = self.origin(value);
                if text.is_empty() {
                    all = self.origins.join(all, own);
                }
                let ctls: std::collections::BTreeSet<CtlId> = self.segs(text).map(|seg| seg.ctl).collect();
                for ctl in ctls {
                    all = self.ctl_origin(all, ctl);
                }
                all
            }
            Value::List(..) | Value::Map(..) => self.shape(value),
            other => other.origin(),
        }
    }

    /// Joins in the conditions of a block and of those around it, up to where execution is now.
    pub(crate) fn ctl_origin(&mut self, mut all: O, mut ctl: CtlId) -> O {
        while ctl != self.here.ctl {
            let Some(known) = self.origins.ctl(ctl).copied() else { break };
            all = self.origins.join(all, known.cond);
            ctl = known.up;
        }
        all
    }

    /// Returns what the keys or the number of items of a collection are made of.
    pub fn shape(&mut self, value: Value) -> O {
        let mut all = value.origin();
        if !self.origins.tracing() {
            return all;
        }
        match value {
            Value::Map(_, id) => {
                for at in 0..self.get(id).len() {
                    let entry = self.entry(id, at);
                    all = self.origins.join(all, entry.key_origin);
                }
                for at in 0..self.get(id).erased.len() {
                    let by = self.get(id).erased[at].1;
                    all = self.origins.join(all, by);
                }
            }
            Value::List(_, _, items) => {
                for at in 0..items.len as usize {
                    let own = self.lists[items.at as usize + at].origin();
                    all = self.origins.join(all, own);
                }
            }
            _ => {}
        }
        all
    }

    /// Returns what decided that parts of the values were not written, where one of them is a text that knows.
    pub(crate) fn decided(&mut self, values: &[Value]) -> O {
        let mut all = O::NONE;
        if self.origins.tracing() {
            for value in values {
                if let Value::Str(own, _) = value
                    && self.origins.only_decides(*own)
                {
                    all = self.origins.both_decide(all, *own);
                }
            }
        }
        all
    }

    /// Returns a value that was made or put somewhere under a block, so that it depends on the block wherever it is used.
    pub fn under(&mut self, value: Value, ctl: CtlId) -> Value {
        if !self.origins.tracing() || ctl == CtlId(0) {
            return value;
        }
        match value {
            Value::Str(own, text) => {
                let text = self.owned(text);
                let at = self.text.position();
                self.text.copy_within(text.range(), own, ctl);
                let text = Str { at, len: self.text.position() - at };
                let own = self.origins.add(crate::origin::Origin::Under(own, ctl));
                Value::Str(own, text)
            }
            other => {
                let o = self.origins.add(crate::origin::Origin::Under(other.origin(), ctl));
                other.with(o)
            }
        }
    }

    /// Returns a value with something beside that decided it (a rejected default, a passed test), byte for byte.
    pub fn beside(&mut self, value: Value, decided: O) -> Value {
        if decided == O::NONE {
            return value;
        }
        self.changed(value, |origins, of| origins.beside(of, decided))
    }

    /// Returns a layer's value with the one it goes over, byte for byte.
    pub fn over(&mut self, value: Value, was: O) -> Value {
        if !self.origins.tracing() {
            return value;
        }
        self.changed(value, |origins, now| origins.over(now, was))
    }

    /// Returns a value with another origin; of a text, each part's.
    fn changed(&mut self, value: Value, mut change: impl FnMut(&mut Origins, O) -> O) -> Value {
        let own = change(&mut self.origins, value.origin());
        match value {
            Value::Str(before, text) if !self.text.segs.is_empty() && !text.is_empty() => {
                let text = self.owned(text);
                let segs: Vec<Seg> = self.segs(text).collect();
                let at = self.text.position();
                for (nth, seg) in segs.iter().enumerate() {
                    let end = segs.get(nth + 1).map_or(text.range().end, |next| next.at as usize);
                    let origin = if seg.origin == O::NONE { before } else { seg.origin };
                    let origin = change(&mut self.origins, origin);
                    self.text.mark(origin, seg.off, seg.ctl);
                    self.text.bytes.extend_from_within(seg.at as usize..end);
                }
                Value::Str(own, Str { at, len: self.text.position() - at })
            }
            other => other.with(own),
        }
    }

    /// Returns a text with other bytes, as many as before, each from where the one in its place was.
    pub(crate) fn replaced(&mut self, text: Str, own: O, bytes: &[u8]) -> Str {
        let text = self.owned(text);
        let at = self.text.position();
        self.text.copy_within(text.range(), own, CtlId(0));
        self.text.bytes[at as usize..].copy_from_slice(bytes);
        Str { at, len: text.len }
    }

    /// Returns a text whose bytes all say themselves where they are from.
    pub fn settled(&mut self, text: Str, own: O) -> Str {
        if own == O::NONE || !self.origins.tracing() {
            return text;
        }
        let text = self.owned(text);
        let at = self.text.position();
        self.text.copy_within(text.range(), own, CtlId(0));
        Str { at, len: self.text.position() - at }
    }

    /// Returns the origin of a key's absence: the map that was asked, and whoever erased the key.
    pub fn absent(&mut self, of: O, id: MapId, key: Sym) -> O {
        if !self.origins.tracing() {
            return O::NONE;
        }
        let erased = self.get(id).erased.iter().find(|(known, _)| *known == key).map(|(_, by)| *by);
        let of = match erased {
            Some(by) => self.origins.join(of, by),
            None => of,
        };
        self.origins.add(crate::origin::Origin::Absent { of, key })
    }

    /// Returns a method of a value's type.
    pub fn method(&self, value: Value, name: Sym) -> Option<&'static crate::func::Function> {
        let methods = match value {
            Value::Map(_, id) => self.get(id).ty.methods,
            Value::Obj(_, id) => match self.obj(id) {
                Object::Struct(known) => known.ty.methods,
                Object::Time(_) => crate::methods::TIME,
                Object::Version(_) => crate::methods::VERSION,
                Object::Error(_) => crate::methods::ERROR,
                Object::Complex(..) => &[],
            },
            Value::List(_, ListType::Versions, _) => crate::methods::VERSIONS,
            Value::Int(_, crate::value::IntKind::Duration, _) => crate::methods::DURATION,
            Value::Int(_, crate::value::IntKind::Month | crate::value::IntKind::Weekday, _) => crate::methods::NAMED_INT,
            _ => &[],
        };
        let name = self.name(name);
        methods.iter().find(|method| method.name.as_bytes() == name).copied()
    }

    /// Returns a value as `%v` prints it.
    pub fn printed(&mut self, value: Value) -> Vec<u8> {
        crate::print::default(self, value)
    }

    /// Returns a value's type as Go writes it.
    pub fn type_name(&self, value: Value) -> String {
        let name = match value {
            Value::Nil(_) => "<nil>",
            Value::Bool(..) => "bool",
            Value::Int(_, kind, _) => kind.type_name(),
            Value::Float(..) => "float64",
            Value::Str(..) => "string",
            Value::Bytes(..) => "[]uint8",
            Value::List(_, ListType::Any, _) => "[]interface {}",
            Value::List(_, ListType::Strings, _) => "[]string",
            Value::List(_, ListType::Ints, _) => "[]int",
            Value::List(_, ListType::Versions, _) => "common.VersionSet",
            Value::Map(_, id) => self.get(id).ty.name,
            Value::Obj(_, id) => match self.obj(id) {
                Object::Time(_) => "time.Time",
                Object::Version(_) => "*semver.Version",
                Object::Error(_) => "*errors.errorString",
                Object::Complex(..) => "complex128",
                Object::Struct(known) => known.ty.name,
            },
        };
        name.to_owned()
    }

    /// Returns whether a value can be given to a parameter of a type.
    pub fn is_of(&self, value: Value, ty: crate::func::Ty) -> bool {
        use crate::func::Ty;
        use crate::value::IntKind;
        match (ty, value) {
            (Ty::Any, _)
            | (Ty::Str, Value::Str(..))
            | (Ty::Bool, Value::Bool(..))
            | (Ty::Int, Value::Int(_, IntKind::Int, _))
            | (Ty::Int64, Value::Int(_, IntKind::Int64, _))
            | (Ty::Uint32, Value::Int(_, IntKind::Uint32, _))
            | (Ty::Duration, Value::Int(_, IntKind::Duration, _))
            | (Ty::Float, Value::Float(..))
            | (Ty::Bytes, Value::Bytes(..))
            | (Ty::List, Value::List(_, ListType::Any, _))
            | (Ty::Strings, Value::List(_, ListType::Strings | ListType::Versions, _)) => true,
            (Ty::Map, Value::Map(_, id)) => self.get(id).ty.zero == crate::object::Zero::Nil,
            (Ty::StringMap, Value::Map(_, id)) => self.get(id).ty.zero == crate::object::Zero::Text,
            (Ty::Time, Value::Obj(_, id)) => matches!(self.obj(id), Object::Time(_)),
            (Ty::Error, Value::Obj(_, id)) => matches!(self.obj(id), Object::Error(_)),
            (Ty::Named(name), other) => self.type_name(other) == name,
            _ => false,
        }
    }
}

/// A text under construction at the end of the heap's buffer. Nothing else may be added to the heap meanwhile.
#[derive(Debug)]
pub struct Builder<'h> {
    heap: &'h mut Heap,
    at: u32,
}

impl Builder<'_> {
    /// Appends part of an existing text with its origins.
    pub fn text(&mut self, text: Str, own: O) -> &mut Self {
        if Shared::has(text) {
            let Heap { text: buffer, shared, .. } = &mut *self.heap;
            buffer.push(shared.bytes(text), own, Seg::WHOLE, CtlId(0));
        } else {
            self.heap.text.copy_within(text.range(), own, CtlId(0));
        }
        self
    }

    /// Appends bytes that are from the template itself or from nowhere (a separator, an indentation).
    pub fn bytes(&mut self, bytes: &[u8], origin: O) -> &mut Self {
        self.heap.text.push(bytes, origin, Seg::WHOLE, CtlId(0));
        self
    }

    /// Returns the bytes of a text of the heap.
    pub fn peek(&self, text: Str) -> &[u8] {
        self.heap.bytes(text)
    }

    /// Ends the text.
    pub fn end(self) -> Str {
        Str { at: self.at, len: self.heap.text.position() - self.at }
    }
}
