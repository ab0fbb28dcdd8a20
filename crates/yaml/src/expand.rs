//! Owns the second step of documents that need it: aliases, merges and duplicate keys, decoded in go-yaml's order and
//! under its budget into a tree without any of them. No recursion: depth is a matter of memory, which the node limit bounds.

use std::collections::{BTreeMap, BTreeSet};

use crate::arena::{Arena, Kind, Node, flag};
use crate::builder::key_text;
use crate::error::{ByteSpan, ErrorCode, Fault, Scanned};
use crate::limits::{ALIAS_RATIO_HIGH_NODES, ALIAS_RATIO_LOW_NODES};
use crate::names::Sym;
use crate::resolve::{Resolved, resolve_plain, resolve_tagged};

/// A document without aliases, merges and duplicates.
pub(crate) struct Expanded {
    pub(crate) root: u32,
    /// Key nodes that were set again, by a merge too: the earlier and the later one.
    pub(crate) duplicates: Vec<(u32, u32)>,
    /// The first key that JSON conversion refuses.
    pub(crate) refused_key: Option<u32>,
}

/// What is still to be done, the next thing last.
enum Task {
    /// Decode a node; its value goes on the stack of values.
    Decode(u32),
    /// The alias is decoded.
    LeaveAlias(u32),
    /// Add the value to the list when it was waited for, and decode the next item.
    List { item: u32, out: u32, last: u32, waits: bool },
    /// Decode the entry with this key into the innermost map.
    Entry(u32),
    /// The key is decoded: decode the value.
    Value { key: u32 },
    /// Key and value are decoded: set them, and go on behind the value.
    Set { value: u32 },
    /// What was merged into the innermost map is all there.
    Merged,
    /// Merge a node into the innermost map: the value of `<<`, or an item of the list that it is.
    Merge { id: u32, item: bool },
    /// The map is complete.
    Finish(u32),
}

#[derive(Default)]
struct Fields {
    /// Key and value nodes.
    entries: Vec<(u32, u32)>,
    by_key: BTreeMap<Sym, usize>,
    /// How many entries came by merges before any that is written.
    merged: usize,
    /// How many maps are being merged into it.
    merging: usize,
}

struct Decoder<'a> {
    arena: &'a mut Arena,
    source: &'a str,
    max_nodes: usize,
    /// See [`Options::by_text`](crate::Options::by_text).
    by_text: bool,
    tasks: Vec<Task>,
    values: Vec<u32>,
    maps: Vec<Fields>,
    open_aliases: BTreeSet<u32>,
    alias_depth: usize,
    decoded: u64,
    from_aliases: u64,
    out: Expanded,
}

/// Decodes the tree below a node.
pub(crate) fn expand(arena: &mut Arena, source: &str, root: u32, max_nodes: usize, by_text: bool) -> Scanned<Expanded> {
    let mut decoder = Decoder {
        arena,
        source,
        max_nodes,
        by_text,
        tasks: vec![Task::Decode(root)],
        values: Vec::new(),
        maps: Vec::new(),
        open_aliases: BTreeSet::new(),
        alias_depth: 0,
        // Go counts the document itself.
        decoded: 1,
        from_aliases: 0,
        out: Expanded { root, duplicates: Vec::new(), refused_key: None },
    };
    while let Some(task) = decoder.tasks.pop() {
        decoder.step(task)?;
    }
    let mut out = decoder.out;
    out.root = decoder.values.pop().unwrap_or(root);
    if out.refused_key.is_some() {
        // A later duplicate may have taken the map with the key away again.
        out.refused_key = find_refused_key(arena, out.root);
    }
    Ok(out)
}

/// Returns the first key below a node that JSON conversion refuses.
fn find_refused_key(arena: &Arena, root: u32) -> Option<u32> {
    let mut left = vec![root];
    while let Some(id) = left.pop() {
        let node = arena.node(id);
        if node.is(flag::KEY) && matches!(node.kind, Kind::Null | Kind::Uint) {
            return Some(id);
        }
        // The next sibling waits below the first child.
        left.extend([node.next, if node.is_collection() { node.a } else { 0 }].iter().filter(|id| **id != 0));
    }
    None
}

fn allowed_alias_ratio(decoded: u64) -> f64 {
    if decoded <= ALIAS_RATIO_LOW_NODES {
        0.99
    } else if decoded >= ALIAS_RATIO_HIGH_NODES {
        0.10
    } else {
        0.99 - 0.89 * ((decoded - ALIAS_RATIO_LOW_NODES) as f64 / (ALIAS_RATIO_HIGH_NODES - ALIAS_RATIO_LOW_NODES) as f64)
    }
}

impl Decoder<'_> {
    fn step(&mut self, task: Task) -> Scanned<()> {
        match task {
            Task::Decode(id) => self.decode(id),
            Task::LeaveAlias(id) => {
                self.open_aliases.remove(&id);
                self.alias_depth -= 1;
                Ok(())
            }
            Task::List { item, out, last, waits } => {
                self.list(item, out, last, waits);
                Ok(())
            }
            Task::Entry(key) => {
                self.entry(key);
                Ok(())
            }
            Task::Value { key } => self.value(key),
            Task::Set { value } => {
                self.set();
                self.tasks.push(Task::Entry(self.arena.node(value).next));
                Ok(())
            }
            Task::Merged => {
                if let Some(fields) = self.maps.last_mut() {
                    fields.merged = fields.entries.len();
                    fields.merging -= 1;
                }
                Ok(())
            }
            Task::Merge { id, item } => self.merge(id, item),
            Task::Finish(out) => {
                self.finish(out);
                Ok(())
            }
        }
    }

    fn fault(&self, id: u32, code: ErrorCode, message: impl Into<std::borrow::Cow<'static, str>>) -> Box<Fault> {
        let node = self.arena.node(id);
        Fault::plain(code, ByteSpan { start: node.start, end: node.end }, message)
    }

    /// Counts one decoded node against the budget.
    fn count(&mut self, id: u32) -> Scanned<()> {
        const FREE_ALIASES: u64 = 100;
        const FREE_NODES: u64 = 1000;
        self.decoded += 1;
        self.from_aliases += u64::from(self.alias_depth > 0);
        let over = self.from_aliases > FREE_ALIASES && self.decoded > FREE_NODES;
        if over && self.from_aliases as f64 / self.decoded as f64 > allowed_alias_ratio(self.decoded) {
            return Err(self.fault(id, ErrorCode::AliasBudget, "document contains excessive aliasing"));
        }
        Ok(())
    }

    fn copy(&mut self, id: u32) -> Scanned<u32> {
        let copy = self.arena.nodes.len();
        if copy >= self.max_nodes {
            return Err(self.fault(id, ErrorCode::Limit, format!("more than {} nodes", self.max_nodes)));
        }
        let mut node = Node { next: 0, ..*self.arena.node(id) };
        node.flags = node.flags & !flag::KEY | flag::EXPANDED;
        if node.is_collection() {
            (node.a, node.b) = (0, 0);
        }
        if let Some(props) = self.arena.props(id).copied() {
            self.arena.props.push(crate::arena::Props { node: copy as u32, ..props });
        }
        self.arena.nodes.push(node);
        Ok(copy as u32)
    }

    /// Enters an alias; returns its target.
    fn enter(&mut self, alias: u32) -> Scanned<u32> {
        if !self.open_aliases.insert(alias) {
            let node = self.arena.node(alias);
            let name = self.source.get(node.start as usize + 1..node.end as usize).unwrap_or("");
            return Err(self.fault(alias, ErrorCode::AliasCycle, format!("anchor '{name}' value contains itself")));
        }
        self.alias_depth += 1;
        self.tasks.push(Task::LeaveAlias(alias));
        Ok(self.arena.node(alias).a)
    }

    fn decode(&mut self, id: u32) -> Scanned<()> {
        self.count(id)?;
        let node = *self.arena.node(id);
        if node.kind == Kind::Alias {
            let target = self.enter(id)?;
            self.tasks.push(Task::Decode(target));
            return Ok(());
        }
        if node.is(flag::BAD_TAG) {
            let problem = resolve_tagged(self.arena.tag(id), self.arena.text(self.source, id)).err();
            return Err(self.fault(id, ErrorCode::Tag, problem.unwrap_or_default()));
        }
        let out = self.copy(id)?;
        match node.kind {
            Kind::List => self.tasks.push(Task::List { item: node.a, out, last: 0, waits: false }),
            Kind::Map => {
                self.maps.push(Fields::default());
                self.tasks.push(Task::Finish(out));
                self.entries(node.a);
            }
            _ => self.values.push(out),
        }
        Ok(())
    }

    fn list(&mut self, item: u32, out: u32, mut last: u32, waits: bool) {
        if waits && let Some(value) = self.values.pop() {
            self.arena.nodes[value as usize].key = Sym::NONE;
            self.link(out, last, value);
            self.arena.nodes[out as usize].b += 1;
            last = value;
        }
        if item == 0 {
            self.values.push(out);
        } else {
            self.tasks.push(Task::List { item: self.arena.node(item).next, out, last, waits: true });
            self.tasks.push(Task::Decode(item));
        }
    }

    fn link(&mut self, parent: u32, last: u32, child: u32) {
        if last == 0 {
            self.arena.nodes[parent as usize].a = child;
        } else {
            self.arena.nodes[last as usize].next = child;
        }
    }

    /// Decodes the entries from a first key on into the innermost map.
    fn entries(&mut self, first: u32) {
        self.tasks.push(Task::Entry(first));
        if !self.by_text {
            return;
        }
        // What is merged comes first, so that what is written goes over it.
        let mut key = first;
        let tasks = self.tasks.len();
        while key != 0 {
            let (is_merge, value) = (self.arena.node(key).is(flag::MERGE), self.arena.node(key).next);
            if is_merge {
                self.tasks.push(Task::Merge { id: value, item: false });
            }
            key = self.arena.node(value).next;
        }
        if self.tasks.len() > tasks {
            self.tasks.insert(tasks, Task::Merged);
            if let Some(fields) = self.maps.last_mut() {
                fields.merging += 1;
            }
        }
    }

    fn entry(&mut self, key: u32) {
        if key == 0 {
            return;
        }
        let node = self.arena.node(key);
        if node.is(flag::MERGE) {
            let value = node.next;
            self.tasks.push(Task::Entry(self.arena.node(value).next));
            if !self.by_text {
                self.tasks.push(Task::Merge { id: value, item: false });
            }
        } else {
            self.tasks.push(Task::Value { key });
            self.tasks.push(Task::Decode(key));
        }
    }

    fn value(&mut self, key: u32) -> Scanned<()> {
        let decoded = self.values.last().copied().unwrap_or(key);
        if self.arena.node(decoded).is_collection() {
            let mut message = "invalid map key: ".to_owned();
            go_syntax(self.arena, self.source, decoded, &mut message, 0);
            return Err(self.fault(key, ErrorCode::CollectionKey, message));
        }
        let value = self.arena.node(key).next;
        self.tasks.push(Task::Set { value });
        self.tasks.push(Task::Decode(value));
        Ok(())
    }

    fn set(&mut self) {
        let (Some(value), Some(key)) = (self.values.pop(), self.values.pop()) else { return };
        let sym = self.key_sym(key);
        if matches!(self.arena.node(key).kind, Kind::Null | Kind::Uint) {
            self.out.refused_key.get_or_insert(key);
        }
        let node = &mut self.arena.nodes[key as usize];
        (node.key, node.flags, node.next) = (sym, node.flags | flag::KEY, value);
        self.arena.nodes[value as usize].key = sym;
        let Some(fields) = self.maps.last_mut() else { return };
        match fields.by_key.get(&sym) {
            Some(index) => {
                let earlier = std::mem::replace(&mut fields.entries[*index], (key, value));
                if fields.merging == 0 && *index >= fields.merged {
                    self.out.duplicates.push((earlier.0, key));
                }
            }
            None => {
                fields.by_key.insert(sym, fields.entries.len());
                fields.entries.push((key, value));
            }
        }
    }

    /// Names a key; one that came through an alias has no name yet.
    fn key_sym(&mut self, key: u32) -> Sym {
        let text = self.arena.text(self.source, key).to_owned();
        if self.by_text {
            return self.arena.names.intern(&text);
        }
        let resolved = match self.arena.node(key) {
            node if node.is(flag::BINARY) => Resolved::Binary,
            node if node.kind == Kind::Str => Resolved::Str,
            node => match resolve_plain(&text) {
                Resolved::Int(value) if node.is(flag::FLOAT_TAG) => Resolved::Float(value as f64),
                resolved => resolved,
            },
        };
        self.arena.names.intern(&key_text(resolved, &text))
    }

    fn merge(&mut self, id: u32, is_item: bool) -> Scanned<()> {
        let node = *self.arena.node(id);
        match node.kind {
            Kind::Map => {
                self.count(id)?;
                self.entries(node.a);
            }
            Kind::Alias if self.arena.node(node.a).kind == Kind::Map => {
                self.count(id)?;
                let target = self.enter(id)?;
                self.count(target)?;
                self.entries(self.arena.node(target).a);
            }
            Kind::List if !is_item => {
                // Go goes through the list backwards, so that earlier maps win; the last task is the first to be done.
                let mut item = node.a;
                while item != 0 {
                    self.tasks.push(Task::Merge { id: item, item: true });
                    item = self.arena.node(item).next;
                }
            }
            _ => return Err(self.fault(id, ErrorCode::Merge, "map merge requires map or sequence of maps as the value")),
        }
        Ok(())
    }

    fn finish(&mut self, out: u32) {
        let Some(fields) = self.maps.pop() else { return };
        let mut last = 0;
        for (key, value) in &fields.entries {
            self.link(out, last, *key);
            self.arena.nodes[*value as usize].next = 0;
            last = *value;
        }
        self.arena.nodes[out as usize].b = fields.entries.len() as u32;
        self.values.push(out);
    }
}

/// Appends a value as Go's `%#v` shows it, shortened when it is large.
pub(crate) fn go_syntax(arena: &Arena, source: &str, id: u32, out: &mut String, depth: usize) {
    const MAX_TEXT: usize = 400;
    const MAX_SHOWN_DEPTH: usize = 8;
    let node = arena.node(id);
    if out.len() > MAX_TEXT || depth > MAX_SHOWN_DEPTH {
        if !out.ends_with("...") {
            out.push_str("...");
        }
        return;
    }
    let text = arena.text(source, id);
    match node.kind {
        Kind::Null => out.push_str("interface {}(nil)"),
        Kind::Str if node.is(flag::BINARY) => out.push_str(&plumb_go::strconv::quote(&key_text(Resolved::Binary, text))),
        Kind::Str => {
            let cut = text.char_indices().map(|(at, _)| at).find(|at| *at > MAX_TEXT).unwrap_or(text.len());
            out.push_str(&plumb_go::strconv::quote(&text[..cut]));
        }
        Kind::Float => match resolve_plain(text) {
            Resolved::Float(value) => out.push_str(&plumb_go::strconv::format_float_g64(value)),
            _ => out.push_str(text),
        },
        Kind::Uint => match resolve_plain(text) {
            Resolved::Uint(value) => out.push_str(&format!("{value:#x}")),
            _ => out.push_str(text),
        },
        Kind::Bool | Kind::Int => out.push_str(&key_text(resolve_plain(text), text)),
        Kind::List => {
            out.push_str("[]interface {}{");
            let mut item = node.a;
            while item != 0 && !out.ends_with("...") {
                if item != node.a {
                    out.push_str(", ");
                }
                go_syntax(arena, source, item, out, depth + 1);
                item = arena.node(item).next;
            }
            out.push('}');
        }
        Kind::Map => go_map_syntax(arena, source, node, out, depth),
        Kind::Alias => out.push('*'),
    }
}

/// Go orders the entries it shows by their keys.
fn go_map_syntax(arena: &Arena, source: &str, node: &Node, out: &mut String, depth: usize) {
    let mut keys = Vec::new();
    let mut key = node.a;
    while key != 0 {
        keys.push(key);
        key = arena.node(arena.node(key).next).next;
    }
    keys.sort_by_key(|key| arena.names.get(arena.node(*key).key));
    out.push_str("map[interface {}]interface {}{");
    for (index, key) in keys.iter().enumerate() {
        if out.ends_with("...") {
            break;
        }
        if index > 0 {
            out.push_str(", ");
        }
        go_syntax(arena, source, *key, out, depth + 1);
        out.push(':');
        go_syntax(arena, source, arena.node(*key).next, out, depth + 1);
    }
    out.push('}');
}
