//! Owns checking a value against a compiled schema (santhosh-tekuri/jsonschema v6: validator.go). Keys come in their order, so that messages do.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::Compiled;
use super::decimal::Decimal;
use super::draft::escaped;
use super::json::Json;
use super::node::{Additional, Dependency, Items, ListRules, MapRules, Node, NodeId, ScalarRules, types};
use super::violation::{Violation, count, display, number, quote, quoted_list};

/// How deep schemas may lead to schemas while a value is checked.
pub(super) const MAX_NESTED: usize = 400;
/// Checks of a value against a schema, for one document.
pub(super) const MAX_CHECKS: usize = 2_000_000;

/// What kind of violation it is, as far as its place among others depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Plain,
    /// Several of one schema; never said itself.
    Group,
    /// Of a reference; not said where there is one cause only.
    Reference,
}

struct Found {
    shape: Shape,
    violation: Box<Violation>,
    causes: Vec<Found>,
}

impl Found {
    /// What is said of it: references with one cause are left out.
    fn told(self, out: &mut Vec<Violation>) {
        let mut causes = Vec::new();
        let is_skipped = self.shape == Shape::Reference && self.causes.len() == 1;
        self.causes.into_iter().for_each(|cause| cause.told(&mut causes));
        if is_skipped {
            out.append(&mut causes);
        } else {
            out.push(Violation { causes, ..*self.violation });
        }
    }
}

/// What no schema has looked at yet.
#[derive(Default)]
struct Unevaluated {
    keys: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Unevaluated {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.items.is_empty()
    }

    fn of(value: &Json, node: &Node, is_asked: bool) -> Self {
        let mut left = Self::default();
        match value {
            Json::Map(entries) => {
                let rules = node.maps.as_deref();
                let all = rules.is_some_and(|rules| rules.additional.is_some());
                if !all && (is_asked || rules.is_some_and(|rules| rules.unevaluated.is_some())) {
                    left.keys = entries.keys().cloned().collect();
                }
            }
            Json::List(items) => {
                let rules = node.lists.as_deref();
                let (all, first) = rules.map_or((false, 0), looked_at);
                if !all && (is_asked || rules.is_some_and(|rules| rules.unevaluated.is_some())) {
                    left.items = (first..items.len()).collect();
                }
            }
            _ => {}
        }
        left
    }

    fn merge(&mut self, other: &Self) {
        self.keys.retain(|key| other.keys.contains(key));
        self.items.retain(|item| other.items.contains(item));
    }
}

/// Whether a schema looks at all items, and at how many first ones.
fn looked_at(rules: &ListRules) -> (bool, usize) {
    match &rules.items {
        Some(Items::Each(_)) => (true, 0),
        Some(Items::Listed(list)) => (rules.additional.is_some(), list.len()),
        None => (rules.rest.is_some() || rules.additional.is_some(), rules.first.len()),
    }
}

/// One step on the way to a schema.
struct Step {
    node: NodeId,
    /// The keyword that led there, where it was a reference.
    keyword: &'static str,
    /// How deep the value is.
    depth: usize,
}

struct Checker<'c> {
    nodes: &'c [Node],
    dialects: &'c BTreeMap<String, NodeId>,
    path: Vec<String>,
    steps: Vec<Step>,
    checks: usize,
    /// Why the whole check was given up.
    given_up: Option<String>,
    /// Which schema of schemas is in force.
    meta: NodeId,
}

/// Returns what a value does not meet. The error says why it could not be told.
pub(super) fn check(compiled: &Compiled, value: &Json) -> Result<Vec<Violation>, String> {
    let mut checker = Checker {
        nodes: &compiled.nodes,
        dialects: &compiled.dialects,
        path: Vec::new(),
        steps: Vec::new(),
        checks: 0,
        given_up: None,
        meta: compiled.root,
    };
    let found = checker.whole(compiled.root, value);
    if let Some(why) = checker.given_up {
        return Err(why);
    }
    let mut violations = Vec::new();
    found.into_iter().for_each(|one| one.told(&mut violations));
    Ok(violations)
}

/// Checks of one value against one schema.
struct Frame<'v> {
    id: NodeId,
    value: &'v Json,
    left: Unevaluated,
    found: Vec<Found>,
    /// Only whether there is something is asked.
    is_asked_whether: bool,
}

type Checked = Result<Unevaluated, Found>;

impl<'c> Checker<'c> {
    /// A check that begins anew: of a document, or of a key.
    fn whole(&mut self, id: NodeId, value: &Json) -> Vec<Found> {
        let left = Unevaluated::of(value, &self.nodes[id], false);
        let steps = std::mem::replace(&mut self.steps, vec![Step { node: id, keyword: "", depth: 0 }]);
        let result = self.run(Frame { id, value, left, found: Vec::new(), is_asked_whether: false });
        self.steps = steps;
        match result {
            Ok(_) => Vec::new(),
            Err(found) if found.shape == Shape::Group => found.causes,
            Err(found) => vec![found],
        }
    }

    fn found(&self, frame: &Frame<'_>, message: impl FnOnce() -> String) -> Found {
        self.shaped(frame, Shape::Plain, message)
    }

    fn shaped(&self, frame: &Frame<'_>, shape: Shape, message: impl FnOnce() -> String) -> Found {
        let mut violation = Box::new(Violation { path: Vec::new(), message: String::new(), schema: String::new(), causes: Vec::new() });
        if !frame.is_asked_whether {
            violation.path.clone_from(&self.path);
            violation.message = message();
            violation.schema.clone_from(&self.nodes[frame.id].location);
        }
        Found { shape, violation, causes: Vec::new() }
    }

    fn run(&mut self, mut frame: Frame<'_>) -> Checked {
        let node: &'c Node = &self.nodes[frame.id];
        self.checks += 1;
        if self.checks > MAX_CHECKS || self.steps.len() > MAX_NESTED {
            self.given_up.get_or_insert_with(|| {
                if self.steps.len() > MAX_NESTED {
                    format!("schemas may lead to schemas {MAX_NESTED} deep")
                } else {
                    format!("a schema may take {MAX_CHECKS} checks")
                }
            });
        }
        if self.given_up.is_some() {
            return Ok(frame.left);
        }
        match node.boolean {
            Some(true) => return Ok(frame.left),
            Some(false) => return Err(self.found(&frame, || "false schema".to_owned())),
            None => {}
        }
        if let Some(cycle) = self.cycle() {
            let message = || {
                let (one, other) = (self.keywords(self.steps.len() - 1), self.keywords(cycle));
                format!("both {one} and {other} resolve to {} causing reference cycle", plumb_go::strconv::quote(&node.location))
            };
            return Err(self.found(&frame, message));
        }
        if let Some(message) = self.plain(node, frame.value) {
            return Err(self.found(&frame, || message));
        }
        if let Some(target) = node.reference {
            let result = self.refer(&mut frame, target, "$ref");
            if node.draft < 2019 {
                return result.map_or(Ok(frame.left), Err);
            }
            frame.found.extend(result);
        }
        match frame.value {
            Json::Map(entries) => {
                if let Some(rules) = &node.maps {
                    self.map(&mut frame, node, rules, entries);
                }
            }
            Json::List(items) => {
                if let Some(rules) = &node.lists {
                    self.list(&mut frame, node, rules, items);
                }
            }
            Json::Text(text) => {
                if let Some(rules) = &node.scalars {
                    self.text(&mut frame, rules, text);
                }
            }
            Json::Number(digits) => {
                if let Some(rules) = &node.scalars {
                    self.number(&mut frame, rules, digits);
                }
            }
            Json::Null | Json::Bool(_) => {}
        }
        if frame.found.is_empty() || !frame.is_asked_whether {
            self.references(&mut frame, node);
            self.combined(&mut frame, node);
            self.unevaluated(&mut frame, node);
        }
        match frame.found.len() {
            0 => Ok(frame.left),
            1 => Err(frame.found.remove(0)),
            _ => {
                let mut group = self.shaped(&frame, Shape::Group, || "validation failed".to_owned());
                group.causes = frame.found;
                Err(group)
            }
        }
    }

    /// The step at which this schema was entered for the same value before.
    fn cycle(&self) -> Option<usize> {
        let (now, before) = self.steps.split_last()?;
        let same = before.iter().enumerate().rev().take_while(|(_, step)| step.depth == now.depth);
        same.filter(|(_, step)| step.node == now.node).map(|(at, _)| at).next()
    }

    /// The keywords that led to a step.
    fn keywords(&self, at: usize) -> String {
        let pairs = self.steps.windows(2).take(at);
        let part = |pair: &[Step]| match pair {
            [_, step] if !step.keyword.is_empty() => format!("/{}", step.keyword),
            [before, step] => {
                let (from, to) = (&self.nodes[before.node].location, &self.nodes[step.node].location);
                to.get(from.len()..).unwrap_or_default().to_owned()
            }
            _ => String::new(),
        };
        pairs.map(part).collect()
    }

    /// `type`, `const`, `enum` and `format`: nothing else is looked at where one of them is not met.
    fn plain(&self, node: &Node, value: &Json) -> Option<String> {
        let is = types::of(value);
        if node.types != 0 && node.types & is == 0 {
            let is_integer = match value {
                Json::Number(digits) if node.types & types::INTEGER != 0 => {
                    Decimal::parse(digits).is_some_and(|number| number.is_integer())
                }
                _ => false,
            };
            if !is_integer {
                return Some(format!("got {}, want {}", types::name(value), types::names(node.types).join(" or ")));
            }
        }
        if let Some(constant) = node.constant.as_ref().filter(|constant| !equal(value, constant)) {
            return Some(match constant {
                Json::List(_) | Json::Map(_) => "'const' failed".to_owned(),
                constant => format!("value must be {}", display(constant)),
            });
        }
        if let Some(choices) = node.choices.as_ref().filter(|choices| !choices.iter().any(|choice| equal(value, choice))) {
            return Some(match choices.as_slice() {
                choices if choices.iter().any(|choice| matches!(choice, Json::List(_) | Json::Map(_))) => "'enum' failed".to_owned(),
                [only] => format!("value must be {}", display(only)),
                choices => format!("value must be one of {}", choices.iter().map(display).collect::<Vec<_>>().join(", ")),
            });
        }
        let (format, text) = (node.format?, value.text()?);
        format.check(text).err().map(|error| format!("{} is not valid {}: {error}", quote(text), format.name))
    }

    fn inner(&mut self, frame: &mut Frame<'_>, id: NodeId, value: &Json, part: String) -> Option<Found> {
        let meta = self.meta;
        self.path.push(part);
        let id = self.dialect(id);
        let depth = self.steps.last().map_or(0, |step| step.depth) + 1;
        self.steps.push(Step { node: id, keyword: "", depth });
        let left = Unevaluated::of(value, &self.nodes[id], false);
        let result = self.run(Frame { id, value, left, found: Vec::new(), is_asked_whether: frame.is_asked_whether });
        self.steps.pop();
        self.path.pop();
        self.meta = meta;
        result.err()
    }

    fn same(&mut self, frame: &mut Frame<'_>, id: NodeId, keyword: &'static str, whether: bool) -> Option<Found> {
        let meta = self.meta;
        let id = self.dialect(id);
        let depth = self.steps.last().map_or(0, |step| step.depth);
        self.steps.push(Step { node: id, keyword, depth });
        let left = Unevaluated::of(frame.value, &self.nodes[id], !frame.left.is_empty());
        let is_asked_whether = frame.is_asked_whether || whether;
        let result = self.run(Frame { id, value: frame.value, left, found: Vec::new(), is_asked_whether });
        self.steps.pop();
        self.meta = meta;
        match result {
            Ok(left) => {
                frame.left.merge(&left);
                None
            }
            Err(found) => Some(found),
        }
    }

    /// The schema of schemas for this part, where it names another draft.
    fn dialect(&mut self, id: NodeId) -> NodeId {
        if self.dialects.is_empty() || id != self.meta {
            return id;
        }
        let place: String = self.path.iter().map(|part| format!("/{}", escaped(part))).collect();
        match self.dialects.get(&place) {
            Some(other) => {
                self.meta = *other;
                *other
            }
            None => id,
        }
    }

    fn refer(&mut self, frame: &mut Frame<'_>, target: NodeId, keyword: &'static str) -> Option<Found> {
        let found = self.same(frame, target, keyword, false)?;
        let mut reference = self.shaped(frame, Shape::Reference, || "validation failed".to_owned());
        match found.shape {
            Shape::Group => reference.causes = found.causes,
            _ => reference.causes.push(found),
        }
        Some(reference)
    }

    fn references(&mut self, frame: &mut Frame<'_>, node: &Node) {
        if let Some(target) = node.recursive {
            let mut found = target;
            if self.nodes[target].is_recursive_anchor {
                let outermost = self.steps.iter().find(|step| self.nodes[self.nodes[step.node].resource].is_recursive_anchor);
                found = outermost.map_or(target, |step| step.node);
            }
            let result = self.refer(frame, found, "$recursiveRef");
            frame.found.extend(result);
        }
        if let Some((target, anchor)) = &node.dynamic {
            let mut found = *target;
            if let Some(anchor) = anchor.as_ref().filter(|anchor| self.nodes[*target].dynamic_anchor.as_ref() == Some(anchor)) {
                let resource = |step: &Step| self.nodes[self.nodes[step.node].resource].dynamic_anchors.get(anchor).copied();
                found = self.steps.iter().find_map(resource).unwrap_or(found);
            }
            let result = self.refer(frame, found, "$dynamicRef");
            frame.found.extend(result);
        }
    }

    fn add(&self, frame: &mut Frame<'_>, message: impl FnOnce() -> String) {
        let found = self.found(frame, message);
        frame.found.push(found);
    }

    fn add_with(&self, frame: &mut Frame<'_>, causes: Vec<Found>, message: impl FnOnce() -> String) {
        let found = self.found(frame, message);
        frame.found.push(Found { causes, ..found });
    }

    fn bounds(&self, frame: &mut Frame<'_>, words: [&str; 2], got: usize, least: Option<i64>, most: Option<i64>) {
        let got = i64::try_from(got).unwrap_or(i64::MAX);
        for (word, want, is_wrong) in
            [(words[0], least, least.is_some_and(|want| got < want)), (words[1], most, most.is_some_and(|want| got > want))]
        {
            if is_wrong {
                self.add(frame, || format!("{word}: got {}, want {}", count(got), count(want.unwrap_or_default())));
            }
        }
    }

    fn missing<'k>(entries: &BTreeMap<String, Json>, wanted: &'k [String]) -> Vec<&'k str> {
        wanted.iter().map(String::as_str).filter(|key| !entries.contains_key(*key)).collect()
    }

    fn map(&mut self, frame: &mut Frame<'_>, node: &Node, rules: &MapRules, entries: &BTreeMap<String, Json>) {
        self.bounds(frame, ["minProperties", "maxProperties"], entries.len(), rules.least, rules.most);
        let missing = Self::missing(entries, &rules.required);
        if !missing.is_empty() {
            let word = if missing.len() == 1 { "property" } else { "properties" };
            self.add(frame, || format!("missing {word} {}", quoted_list(&missing)));
        }
        if frame.is_asked_whether && !frame.found.is_empty() {
            return;
        }
        let needs = |key: &str, missing: &[&str]| format!("properties {} required, if {} exists", quoted_list(missing), quote(key));
        for (key, dependency) in rules.dependencies.iter().filter(|(key, _)| entries.contains_key(*key)) {
            match dependency {
                Dependency::Keys(wanted) => {
                    let missing = Self::missing(entries, wanted);
                    if !missing.is_empty() {
                        self.add(frame, || needs(key, &missing));
                    }
                }
                Dependency::Schema(id) => {
                    let result = self.same(frame, *id, "", false);
                    frame.found.extend(result);
                }
            }
        }
        self.entries(frame, rules, entries);
        if node.draft == 4 {
            return;
        }
        if let Some(names) = rules.names {
            for key in entries.keys() {
                let path = std::mem::take(&mut self.path);
                let causes = self.whole(names, &Json::Text(key.clone()));
                self.path = path;
                if !causes.is_empty() {
                    self.add_with(frame, causes, || format!("invalid propertyName {}", quote(key)));
                }
            }
        }
        for (_, id) in rules.dependent_schemas.iter().filter(|(key, _)| entries.contains_key(*key)) {
            let result = self.same(frame, *id, "", false);
            frame.found.extend(result);
        }
        for (key, wanted) in rules.dependent_required.iter().filter(|(key, _)| entries.contains_key(*key)) {
            let missing = Self::missing(entries, wanted);
            if !missing.is_empty() {
                self.add(frame, || needs(key, &missing));
            }
        }
    }

    /// `properties`, `patternProperties` and `additionalProperties`.
    fn entries(&mut self, frame: &mut Frame<'_>, rules: &MapRules, entries: &BTreeMap<String, Json>) {
        let mut too_many = Vec::new();
        for (key, value) in entries {
            if frame.is_asked_whether && !frame.found.is_empty() {
                return;
            }
            let mut is_seen = false;
            let named = rules.properties.get(key).copied();
            let matching = rules.patterns.iter().filter(|(pattern, _)| pattern.compiled.is_match(key.as_bytes())).map(|(_, id)| *id);
            for id in named.into_iter().chain(matching) {
                is_seen = true;
                let result = self.inner(frame, id, value, key.clone());
                frame.found.extend(result);
            }
            match &rules.additional {
                Some(Additional::Allowed(false)) if !is_seen => too_many.push(key.as_str()),
                Some(Additional::Schema(id)) if !is_seen => {
                    let result = self.inner(frame, *id, value, key.clone());
                    frame.found.extend(result);
                }
                _ => {}
            }
            if is_seen || rules.additional.is_some() {
                frame.left.keys.remove(key);
            }
        }
        if !too_many.is_empty() {
            self.add(frame, || format!("additional properties {} not allowed", quoted_list(&too_many)));
        }
    }

    fn each(&mut self, frame: &mut Frame<'_>, id: NodeId, items: &[Json], from: usize) {
        for (nth, item) in items.iter().enumerate().skip(from) {
            let result = self.inner(frame, id, item, nth.to_string());
            frame.found.extend(result);
        }
    }

    fn list(&mut self, frame: &mut Frame<'_>, node: &Node, rules: &ListRules, items: &[Json]) {
        self.bounds(frame, ["minItems", "maxItems"], items.len(), rules.least, rules.most);
        if rules.unique
            && let Some((one, other)) = self.duplicates(items)
        {
            self.add(frame, || format!("items at {} and {} are equal", count(one as i64), count(other as i64)));
        }
        let listed = match &rules.items {
            Some(Items::Each(id)) => {
                self.each(frame, *id, items, 0);
                items.len()
            }
            Some(Items::Listed(list)) => self.listed(frame, list, items),
            None => self.listed(frame, &rules.first, items),
        };
        match &rules.additional {
            Some(Additional::Allowed(false)) if listed < items.len() => {
                self.add(frame, || format!("last {} additionalItem(s) not allowed", count((items.len() - listed) as i64)));
            }
            Some(Additional::Schema(id)) => self.each(frame, *id, items, listed),
            _ => {}
        }
        if let Some(id) = rules.rest {
            self.each(frame, id, items, listed);
        }
        if let Some(id) = rules.contains {
            self.contains(frame, node, rules, items, id);
        }
    }

    fn listed(&mut self, frame: &mut Frame<'_>, list: &[NodeId], items: &[Json]) -> usize {
        for (nth, (id, item)) in list.iter().zip(items).enumerate() {
            let result = self.inner(frame, *id, item, nth.to_string());
            frame.found.extend(result);
        }
        list.len().min(items.len())
    }

    fn contains(&mut self, frame: &mut Frame<'_>, node: &Node, rules: &ListRules, items: &[Json], id: NodeId) {
        let (mut causes, mut matched) = (Vec::new(), Vec::new());
        for (nth, item) in items.iter().enumerate() {
            match self.inner(frame, id, item, nth.to_string()) {
                Some(found) => causes.push(found),
                None => {
                    matched.push(nth);
                    if node.draft >= 2020 {
                        frame.left.items.remove(&nth);
                    }
                }
            }
        }
        let places = || matched.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
        let got = matched.len() as i64;
        match rules.least_contained {
            Some(want) if got < want => self.add_with(frame, causes, || {
                let want = count(want);
                if got == 0 {
                    return format!("min {want} items required to match contains schema, but none matched");
                }
                format!("min {want} items required to match contains schema, but matched {} items at {}", count(got), places())
            }),
            None if got == 0 => self.add_with(frame, causes, || "no items match contains schema".to_owned()),
            _ => {}
        }
        if let Some(want) = rules.most_contained.filter(|want| got > *want) {
            self.add(frame, || {
                format!("max {} items required to match contains schema, but matched {} items at {}", count(want), count(got), places())
            });
        }
    }

    fn text(&mut self, frame: &mut Frame<'_>, rules: &ScalarRules, text: &str) {
        if rules.shortest.is_some() || rules.longest.is_some() {
            self.bounds(frame, ["minLength", "maxLength"], text.chars().count(), rules.shortest, rules.longest);
        }
        if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.compiled.is_match(text.as_bytes())) {
            self.add(frame, || format!("{} does not match pattern {}", quote(text), quote(&pattern.text)));
        }
    }

    fn number(&mut self, frame: &mut Frame<'_>, rules: &ScalarRules, digits: &str) {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let Some(got) = Decimal::parse(digits) else { return };
        let bounds: [(&str, &Option<Decimal>, &[std::cmp::Ordering]); 4] = [
            ("minimum", &rules.minimum, &[Less]),
            ("maximum", &rules.maximum, &[Greater]),
            ("exclusiveMinimum", &rules.above, &[Less, Equal]),
            ("exclusiveMaximum", &rules.below, &[Greater, Equal]),
        ];
        for (word, want, wrong) in bounds {
            if let Some(want) = want.as_ref().filter(|want| wrong.contains(&got.compare(want))) {
                self.add(frame, || format!("{word}: got {}, want {}", number(got.to_f64()), number(want.to_f64())));
            }
        }
        let Some(want) = &rules.multiple_of else { return };
        match got.is_multiple_of(want) {
            Some(true) => {}
            Some(false) => self.add(frame, || format!("multipleOf: got {}, want {}", number(got.to_f64()), number(want.to_f64()))),
            None => {
                self.given_up.get_or_insert_with(|| format!("whether {digits} is a multiple of {} cannot be told", number(want.to_f64())));
            }
        }
    }

    fn combined(&mut self, frame: &mut Frame<'_>, node: &Node) {
        let Some(combined) = &node.combined else { return };
        if let Some(id) = combined.not
            && self.same(frame, id, "", true).is_none()
        {
            self.add(frame, || "'not' failed".to_owned());
        }
        let mut causes = Vec::new();
        for id in &combined.all_of {
            causes.extend(self.same(frame, *id, "", false));
            if frame.is_asked_whether && !causes.is_empty() {
                break;
            }
        }
        if !causes.is_empty() {
            self.add_with(frame, causes, || "'allOf' failed".to_owned());
        }
        self.any_of(frame, &combined.any_of);
        self.one_of(frame, &combined.one_of);
        if let Some(id) = combined.if_ {
            let branch = if self.same(frame, id, "", true).is_none() { combined.then } else { combined.else_ };
            if let Some(id) = branch {
                let result = self.same(frame, id, "", false);
                frame.found.extend(result);
            }
        }
    }

    fn any_of(&mut self, frame: &mut Frame<'_>, any_of: &[NodeId]) {
        let (mut causes, mut is_met) = (Vec::new(), any_of.is_empty());
        for id in any_of {
            match self.same(frame, *id, "", false) {
                Some(found) => causes.push(found),
                None => {
                    is_met = true;
                    // All must be looked at where it matters which keys were.
                    if frame.left.is_empty() {
                        break;
                    }
                }
            }
        }
        if !is_met {
            self.add_with(frame, causes, || "'anyOf' failed".to_owned());
        }
    }

    fn one_of(&mut self, frame: &mut Frame<'_>, one_of: &[NodeId]) {
        let (mut causes, mut met) = (Vec::new(), None);
        for (nth, id) in one_of.iter().enumerate() {
            match (self.same(frame, *id, "", met.is_some()), met) {
                (Some(found), None) => causes.push(found),
                (Some(_), Some(_)) => {}
                (None, None) => met = Some(nth),
                (None, Some(first)) => {
                    self.add(frame, || format!("'oneOf' failed, subschemas {}, {} matched", count(first as i64), count(nth as i64)));
                    break;
                }
            }
        }
        if met.is_none() && !one_of.is_empty() {
            self.add_with(frame, causes, || "'oneOf' failed, none matched".to_owned());
        }
    }

    fn unevaluated(&mut self, frame: &mut Frame<'_>, node: &Node) {
        match frame.value {
            Json::Map(entries) => {
                let Some(id) = node.maps.as_ref().and_then(|rules| rules.unevaluated) else { return };
                for key in std::mem::take(&mut frame.left.keys) {
                    let Some(value) = entries.get(&key) else { continue };
                    let result = self.inner(frame, id, value, key);
                    frame.found.extend(result);
                }
            }
            Json::List(items) => {
                let Some(id) = node.lists.as_ref().and_then(|rules| rules.unevaluated) else { return };
                for nth in std::mem::take(&mut frame.left.items) {
                    let Some(value) = items.get(nth) else { continue };
                    let result = self.inner(frame, id, value, nth.to_string());
                    frame.found.extend(result);
                }
            }
            _ => {}
        }
    }

    /// The first pair of equal items, in Go's order of looking.
    fn duplicates(&mut self, items: &[Json]) -> Option<(usize, usize)> {
        for (later, item) in items.iter().enumerate() {
            self.checks += later / 64;
            if self.checks > MAX_CHECKS {
                self.given_up.get_or_insert_with(|| format!("a schema may take {MAX_CHECKS} checks"));
                return None;
            }
            if let Some(earlier) = items[..later].iter().position(|other| equal(item, other)) {
                return Some((earlier, later));
            }
        }
        None
    }
}

/// Compares values as schemas do: numbers by what they are.
fn equal(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => match (Decimal::parse(one), Decimal::parse(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one == other,
        },
        (Json::List(one), Json::List(other)) => one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other)),
        (Json::Map(one), Json::Map(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|((key, one), (other_key, other))| key == other_key && equal(one, other))
        }
        (one, other) => one == other,
    }
}
