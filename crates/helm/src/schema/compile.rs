//! Owns reading a schema into nodes: documents and the resources in them, anchors, references, and what each keyword says
//! (santhosh-tekuri/jsonschema v6: roots.go, root.go, compiler.go, objcompiler.go). Nothing outside of the chart is read: see [`Documents::load`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use plumb_go::regexp::Regexp;
use plumb_go::strconv::quote;

use super::decimal::Decimal;
use super::draft::{DRAFTS, Draft, LATEST, escaped, known};
use super::format::Format;
use super::json::Json;
use super::node::{Additional, Combined, Dependency, Items, ListRules, MapRules, Node, NodeId, Pattern, ScalarRules, types};
use super::reference::{decoded, encoded, joined, split};

/// Schemas in a schema.
pub(super) const MAX_SCHEMAS: usize = 100_000;
/// Regular expressions in a schema.
pub(super) const MAX_PATTERNS: usize = 2_000;
/// Where Helm says that a chart's schema is.
pub(super) const ROOT: &str = "file:///values.schema.json";

/// A schema with an `$id`, or a document's root.
#[derive(Clone, Debug)]
struct Resource {
    place: String,
    id: String,
    draft: Draft,
    anchors: BTreeMap<String, String>,
    dynamic_anchors: BTreeSet<String>,
}

struct Document {
    url: String,
    root: Json,
    resources: BTreeMap<String, Resource>,
    seen: BTreeSet<String>,
}

/// Where a schema is: the document and the JSON pointer.
type Place = (usize, String);

/// A compiled schema and what it is checked with.
pub(super) struct Compiled {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
    /// In a schema of schemas: which schema is for the parts of the checked one that name another draft.
    pub(super) dialects: BTreeMap<String, NodeId>,
    /// What Helm only warns of.
    pub(super) warnings: Vec<String>,
}

/// Compiles a chart's schema; it has met the schema of its draft then. The error is Helm's.
pub(super) fn compile(root: Json) -> Result<Compiled, String> {
    let mut documents = Documents { all: Vec::new(), warnings: Vec::new() };
    documents.add(ROOT, root)?;
    Compiler::new(documents).run((0, String::new()), false)
}

/// Compiles the schema of schemas of a draft, for a schema that names others in its parts.
fn compile_meta(draft: Draft, parts: &BTreeMap<String, Resource>) -> Result<Compiled, String> {
    let mut documents = Documents { all: Vec::new(), warnings: Vec::new() };
    let at = documents.find_or_load(draft.url())?;
    let mut compiler = Compiler::new(documents);
    let mut others = BTreeMap::new();
    for (place, part) in parts.iter().filter(|(place, _)| !place.is_empty()) {
        let at = compiler.documents.find_or_load(part.draft.url())?;
        others.insert(place.clone(), compiler.enqueue((at, String::new()))?);
    }
    let mut compiled = compiler.run((at, String::new()), true)?;
    compiled.dialects = others;
    Ok(compiled)
}

/// Documents by their URLs.
struct Documents {
    all: Vec<Document>,
    warnings: Vec<String>,
}

impl Documents {
    fn find_or_load(&mut self, url: &str) -> Result<usize, String> {
        match self.all.iter().position(|document| document.url == url) {
            Some(at) => Ok(at),
            None => {
                let root = self.load(url)?;
                self.add(url, root)
            }
        }
    }

    /// Returns a document that a schema names. Only the schemas of schemas are known; files, addresses and anything else outside of the
    /// chart's own schema are refused, whatever Helm would find there: a chart must render alike everywhere and read nothing of the machine.
    fn load(&mut self, url: &str) -> Result<Json, String> {
        if let Some(known) = known(url) {
            return Ok(known);
        }
        if url.starts_with("urn:") {
            // Helm takes a schema that allows everything for a URN that nobody resolves, and says so.
            self.warnings.push(format!("unresolved URN reference ignored; using permissive schema urn={url}"));
            return Ok(Json::Bool(true));
        }
        let why = match url.split(':').next() {
            Some("file") => "a schema reads no file: what it refers to must be in values.schema.json itself",
            Some("http" | "https") => "a schema fetches nothing: what it refers to must be in values.schema.json itself",
            _ => "what a schema refers to must be in values.schema.json itself",
        };
        Err(format!("failing loading {}: {why}", quote(url)))
    }

    fn add(&mut self, url: &str, root: Json) -> Result<usize, String> {
        let mut document = Document { url: url.to_owned(), root: Json::Null, resources: BTreeMap::new(), seen: BTreeSet::new() };
        collect(&mut document, &root, url, String::new(), LATEST)?;
        document.root = root;
        if known(url).is_none() {
            meets_its_draft(&document, "")?;
        }
        self.all.push(document);
        Ok(self.all.len() - 1)
    }

    /// Sees to a schema at a place where none was looked for.
    fn ensure(&mut self, (at, place): &Place) -> Result<(), String> {
        let document = &mut self.all[*at];
        if document.seen.contains(place) {
            return Ok(());
        }
        let schema = document.lookup(place)?.clone();
        let (id, draft) = {
            let resource = document.resource(place);
            (resource.id.clone(), resource.draft)
        };
        collect(document, &schema, &id, place.clone(), draft)?;
        if known(&document.url).is_some() { Ok(()) } else { meets_its_draft(document, place) }
    }
}

/// Checks a schema against the schema of its draft.
fn meets_its_draft(document: &Document, place: &str) -> Result<(), String> {
    let draft = document.resource(place).draft;
    // What lies below the place, by its path from there.
    let below = document.resources.iter().filter_map(|(key, one)| Some((key.strip_prefix(place)?.to_owned(), one.clone())));
    let below: BTreeMap<String, Resource> = below.collect();
    // Most schemas have no other one in them: then it is the same for all of a draft.
    static WHOLE: [OnceLock<Result<Compiled, String>>; DRAFTS] = [const { OnceLock::new() }; DRAFTS];
    let own;
    let meta = if below.keys().all(String::is_empty) {
        WHOLE[draft as usize].get_or_init(|| compile_meta(draft, &BTreeMap::new())).as_ref().map_err(Clone::clone)?
    } else {
        own = compile_meta(draft, &below)?;
        &own
    };
    match super::check::check(meta, document.lookup(place)?) {
        Ok(violations) if violations.is_empty() => Ok(()),
        Ok(violations) => {
            let location = quote(&format!("{}#{}", document.url, encoded(place)));
            let against = format!("jsonschema validation failed with '{}#'", draft.url());
            Err(format!("{location} is not valid against metaschema: {against}\n{}", super::violation::lines(&violations)))
        }
        Err(error) => Err(error),
    }
}

impl Document {
    /// The resource that a place is in.
    fn resource(&self, place: &str) -> &Resource {
        let mut place = place;
        loop {
            if let Some(resource) = self.resources.get(place) {
                return resource;
            }
            // The root is always one.
            place = place.rfind('/').map_or("", |slash| &place[..slash]);
        }
    }

    fn lookup(&self, place: &str) -> Result<&Json, String> {
        let location = || quote(&format!("{}#{}", self.url, encoded(place)));
        let mut value = &self.root;
        for part in place.split('/').skip(1) {
            let Some(part) = unescaped(part) else { return Err(format!("invalid json-pointer {}", location())) };
            let inner = match value {
                Json::Map(entries) => entries.get(&part),
                Json::List(items) => part.parse::<usize>().ok().and_then(|nth| items.get(nth)),
                _ => None,
            };
            value = inner.ok_or_else(|| format!("json-pointer in {} not found", location()))?;
        }
        Ok(value)
    }

    fn anchors(&mut self, schema: &Json, place: &str, id: &str) -> Result<(), String> {
        let url = self.url.clone();
        let Some(resource) = self.resources.values_mut().find(|resource| resource.id == id) else { return Ok(()) };
        let mut found = Vec::new();
        if resource.draft < Draft::D2019 {
            if schema.get("$ref").is_some() {
                return Ok(());
            }
            if let Some(id) = schema.get(if resource.draft == Draft::D4 { "id" } else { "$id" }).and_then(Json::text) {
                let (_, fragment) = split(id);
                let fragment =
                    decoded(fragment).map_err(|_| format!("error in parsing anchor at {}", quote(&format!("{url}#{}", encoded(place)))))?;
                if !fragment.is_empty() && !fragment.starts_with('/') {
                    found.push(fragment);
                }
            }
        }
        if resource.draft >= Draft::D2019 {
            found.extend(schema.get("$anchor").and_then(Json::text).map(str::to_owned));
        }
        if resource.draft >= Draft::D2020
            && let Some(anchor) = schema.get("$dynamicAnchor").and_then(Json::text)
        {
            found.push(anchor.to_owned());
            resource.dynamic_anchors.insert(anchor.to_owned());
        }
        for anchor in found {
            if let Some(other) = resource.anchors.insert(anchor.clone(), place.to_owned()).filter(|other| other != place) {
                let parts = [&anchor, &url, &other, &place.to_owned()].map(|part| quote(part));
                return Err(format!("duplicate anchor {} in {} at {} and {}", parts[0], parts[1], parts[2], parts[3]));
            }
        }
        Ok(())
    }

    /// Returns the place that a fragment names in a resource.
    fn fragment(&self, fragment: &str, resource: &Resource) -> Result<String, String> {
        if fragment.is_empty() || fragment.starts_with('/') {
            return Ok(format!("{}{fragment}", resource.place));
        }
        resource.anchors.get(fragment).cloned().ok_or_else(|| {
            let reference = quote(&format!("{}#{}", resource.id, encoded(fragment)));
            format!("anchor in {reference} not found in schema {}", quote(&self.url))
        })
    }
}

fn unescaped(part: &str) -> Option<String> {
    let mut out = String::with_capacity(part.len());
    let mut rest = part.split('~');
    out.push_str(rest.next().unwrap_or_default());
    for piece in rest {
        let (first, after) = (piece.chars().next()?, piece.get(1..)?);
        out.push(match first {
            '0' => '~',
            '1' => '/',
            _ => return None,
        });
        out.push_str(after);
    }
    Some(out)
}

/// Finds the resources and anchors of a schema and the schemas in it.
fn collect(document: &mut Document, schema: &Json, base: &str, place: String, around: Draft) -> Result<(), String> {
    if document.seen.contains(&place) {
        return Ok(());
    }
    if document.seen.len() >= MAX_SCHEMAS {
        return Err(format!("a schema may have {MAX_SCHEMAS} schemas in it"));
    }
    let fresh = |id: &str, draft| Resource {
        place: place.clone(),
        id: id.to_owned(),
        draft,
        anchors: BTreeMap::new(),
        dynamic_anchors: BTreeSet::new(),
    };
    let location = || quote(&format!("{}#{}", document.url, encoded(&place)));
    if !matches!(schema, Json::Map(_)) {
        if place.is_empty() {
            document.resources.insert(String::new(), fresh(base, around));
        }
        document.seen.insert(place);
        return Ok(());
    }
    let mut draft = match schema.get("$schema").and_then(Json::text) {
        None => around,
        Some(named) => match Draft::named(named) {
            Some(draft) => draft,
            None if place.is_empty() || schema.get("$id").is_some() => {
                return Err(format!("draft {} is not supported", quote(split(named).0)));
            }
            None => around,
        },
    };
    let mut id = draft.id_of(schema);
    if id.is_none() && !place.is_empty() {
        draft = around;
        id = draft.id_of(schema);
    }
    let base = match id {
        Some(id) => joined(base, id).map_err(|_| format!("error in parsing id at {}", location()))?.0,
        None => base.to_owned(),
    };
    if id.is_some() || place.is_empty() {
        match document.resources.values().find(|resource| resource.id == base) {
            Some(other) if other.place != place => {
                let parts = [&base, &document.url, &place, &other.place].map(|part| quote(part));
                return Err(format!("duplicate id {} in {} at {} and {}", parts[0], parts[1], parts[2], parts[3]));
            }
            Some(_) => {}
            None => {
                let resource = fresh(&base, draft);
                document.resources.insert(place.clone(), resource);
            }
        }
    }
    document.anchors(schema, &place, &base)?;
    let around = document.resources.values().find(|resource| resource.id == base).map_or(draft, |resource| resource.draft);
    document.seen.insert(place.clone());
    let mut inner = Vec::new();
    draft.each_inner(schema, &mut |path, schema| inner.push((path, schema)));
    inner.into_iter().try_for_each(|(path, schema)| collect(document, schema, &base, format!("{place}{path}"), around))
}

struct Compiler {
    documents: Documents,
    nodes: Vec<Node>,
    known: BTreeMap<Place, NodeId>,
    places: Vec<Place>,
    patterns: usize,
    /// A schema of schemas checks formats in each draft.
    is_meta: bool,
}

impl Compiler {
    fn new(documents: Documents) -> Self {
        Self { documents, nodes: Vec::new(), known: BTreeMap::new(), places: Vec::new(), patterns: 0, is_meta: false }
    }

    fn run(mut self, root: Place, is_meta: bool) -> Result<Compiled, String> {
        self.is_meta = is_meta;
        let root = self.enqueue(root)?;
        let mut done = 0;
        while done < self.places.len() {
            let place = self.places[done].clone();
            self.documents.ensure(&place)?;
            self.compile(done, &place)?;
            done += 1;
        }
        Ok(Compiled { nodes: self.nodes, root, dialects: BTreeMap::new(), warnings: self.documents.warnings })
    }

    fn enqueue(&mut self, place: Place) -> Result<NodeId, String> {
        if let Some(id) = self.known.get(&place) {
            return Ok(*id);
        }
        if self.places.len() >= MAX_SCHEMAS {
            return Err(format!("a schema may have {MAX_SCHEMAS} schemas in it"));
        }
        let id = self.places.len();
        self.nodes.push(Node { location: format!("{}#{}", self.documents.all[place.0].url, encoded(&place.1)), ..Node::default() });
        self.known.insert(place.clone(), id);
        self.places.push(place);
        Ok(id)
    }

    fn compile(&mut self, id: NodeId, (at, place): &Place) -> Result<(), String> {
        let document = &self.documents.all[*at];
        let schema = document.lookup(place)?.clone();
        let resource = document.resource(place).clone();
        self.nodes[id].draft = resource.draft.number();
        self.nodes[id].resource = self.enqueue((*at, resource.place.clone()))?;
        if resource.draft >= Draft::D2020 && resource.place == *place {
            for anchor in &resource.dynamic_anchors {
                let Some(target) = resource.anchors.get(anchor) else { continue };
                let target = self.enqueue((*at, target.clone()))?;
                self.nodes[id].dynamic_anchors.insert(anchor.clone(), target);
            }
        }
        match &schema {
            Json::Bool(truth) => self.nodes[id].boolean = Some(*truth),
            Json::Map(entries) if entries.is_empty() => self.nodes[id].boolean = Some(true),
            Json::Map(_) => {
                let mut object = Object { compiler: self, schema: &schema, at: *at, place, resource: &resource };
                let node = object.compile()?;
                let known = &mut self.nodes[id];
                *known = Node {
                    location: std::mem::take(&mut known.location),
                    draft: known.draft,
                    resource: known.resource,
                    dynamic_anchors: std::mem::take(&mut known.dynamic_anchors),
                    ..node
                };
            }
            _ => {}
        }
        Ok(())
    }
}

/// One schema that is a map.
struct Object<'c> {
    compiler: &'c mut Compiler,
    schema: &'c Json,
    at: usize,
    place: &'c str,
    resource: &'c Resource,
}

impl Object<'_> {
    fn compile(&mut self) -> Result<Node, String> {
        let draft = self.resource.draft;
        let mut node = Node { reference: self.reference("$ref")?, ..Node::default() };
        // What is beside a reference counts for nothing in the older drafts; but for this, in the library that Helm has.
        node.constant = self.schema.get("const").filter(|_| draft >= Draft::D6).cloned();
        if draft < Draft::D2019 && node.reference.is_some() {
            return Ok(node);
        }
        node.types = match self.schema.get("type") {
            Some(Json::Text(name)) => types::named(name),
            Some(Json::List(names)) => names.iter().filter_map(Json::text).fold(0, |set, name| set | types::named(name)),
            _ => 0,
        };
        node.choices = self.schema.get("enum").and_then(Json::items).map(<[Json]>::to_vec);
        if draft < Draft::D2019 || self.compiler.is_meta {
            node.format = self.text("format").and_then(Format::named);
        }
        if draft >= Draft::D2019 {
            node.recursive = self.reference("$recursiveRef")?;
            node.is_recursive_anchor = self.truth("$recursiveAnchor");
        }
        if draft >= Draft::D2020 {
            if let Some(target) = self.reference("$dynamicRef")? {
                let fragment = decoded(split(self.text("$dynamicRef").unwrap_or_default()).1)?;
                node.dynamic = Some((target, (!fragment.is_empty() && !fragment.starts_with('/')).then_some(fragment)));
            }
            node.dynamic_anchor = self.text("$dynamicAnchor").map(str::to_owned);
        }
        node.combined = self.combined()?;
        node.maps = self.maps()?;
        node.lists = self.lists()?;
        node.scalars = self.scalars()?;
        Ok(node)
    }

    fn has(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.schema.get(keyword).is_some())
    }

    fn combined(&mut self) -> Result<Option<Box<Combined>>, String> {
        if !self.has(&["not", "allOf", "anyOf", "oneOf", "if"]) {
            return Ok(None);
        }
        let mut combined = Combined {
            not: self.one("not")?,
            all_of: self.list("allOf")?,
            any_of: self.list("anyOf")?,
            one_of: self.list("oneOf")?,
            ..Combined::default()
        };
        if self.resource.draft >= Draft::D7 {
            combined.if_ = self.one("if")?;
            let always = self.schema.get("if");
            if combined.if_.is_some() && always != Some(&Json::Bool(false)) {
                combined.then = self.one("then")?;
            }
            if combined.if_.is_some() && always != Some(&Json::Bool(true)) {
                combined.else_ = self.one("else")?;
            }
        }
        Ok(Some(Box::new(combined)))
    }

    fn maps(&mut self) -> Result<Option<Box<MapRules>>, String> {
        const KEYWORDS: [&str; 11] = [
            "minProperties",
            "maxProperties",
            "required",
            "properties",
            "patternProperties",
            "additionalProperties",
            "dependencies",
            "propertyNames",
            "dependentSchemas",
            "dependentRequired",
            "unevaluatedProperties",
        ];
        if !self.has(&KEYWORDS) {
            return Ok(None);
        }
        let draft = self.resource.draft;
        let mut rules = MapRules {
            least: self.count("minProperties"),
            most: self.count("maxProperties"),
            required: self.schema.get("required").map(texts).unwrap_or_default(),
            properties: self.map("properties")?,
            additional: self.additional("additionalProperties")?,
            ..MapRules::default()
        };
        for (pattern, schema) in self.map("patternProperties")? {
            rules.patterns.push((self.pattern(pattern, "patternProperties")?, schema));
        }
        if let Some(Json::Map(entries)) = self.schema.get("dependencies") {
            for (key, value) in entries {
                let dependency = match value {
                    Json::List(_) => Dependency::Keys(texts(value)),
                    _ => Dependency::Schema(self.inner(&format!("/dependencies/{}", escaped(key)))?),
                };
                rules.dependencies.insert(key.clone(), dependency);
            }
        }
        if draft >= Draft::D6 {
            rules.names = self.one("propertyNames")?;
        }
        if draft >= Draft::D2019 {
            rules.dependent_schemas = self.map("dependentSchemas")?;
            rules.unevaluated = self.one("unevaluatedProperties")?;
            if let Some(Json::Map(entries)) = self.schema.get("dependentRequired") {
                let lists = entries.iter().filter(|(_, value)| matches!(value, Json::List(_)));
                rules.dependent_required = lists.map(|(key, value)| (key.clone(), texts(value))).collect();
            }
        }
        Ok(Some(Box::new(rules)))
    }

    fn lists(&mut self) -> Result<Option<Box<ListRules>>, String> {
        const KEYWORDS: [&str; 7] = ["minItems", "maxItems", "uniqueItems", "items", "prefixItems", "contains", "unevaluatedItems"];
        if !self.has(&KEYWORDS) {
            return Ok(None);
        }
        let draft = self.resource.draft;
        let mut rules = ListRules {
            least: self.count("minItems"),
            most: self.count("maxItems"),
            unique: self.truth("uniqueItems"),
            ..ListRules::default()
        };
        if draft >= Draft::D2020 {
            rules.first = self.list("prefixItems")?;
            rules.rest = self.one("items")?;
        } else if let Some(Json::List(_)) = self.schema.get("items") {
            rules.items = Some(Items::Listed(self.list("items")?));
            rules.additional = self.additional("additionalItems")?;
        } else {
            rules.items = self.one("items")?.map(Items::Each);
        }
        if draft >= Draft::D6 {
            rules.contains = self.one("contains")?;
        }
        if draft >= Draft::D2019 {
            rules.unevaluated = self.one("unevaluatedItems")?;
            if rules.contains.is_some() {
                rules.least_contained = self.count("minContains");
                rules.most_contained = self.count("maxContains");
            }
        }
        Ok(Some(Box::new(rules)))
    }

    fn scalars(&mut self) -> Result<Option<Box<ScalarRules>>, String> {
        const KEYWORDS: [&str; 8] =
            ["minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
        if !self.has(&KEYWORDS) {
            return Ok(None);
        }
        let mut rules = ScalarRules {
            shortest: self.count("minLength"),
            longest: self.count("maxLength"),
            minimum: self.number("minimum"),
            maximum: self.number("maximum"),
            above: self.number("exclusiveMinimum"),
            below: self.number("exclusiveMaximum"),
            multiple_of: self.number("multipleOf"),
            ..ScalarRules::default()
        };
        // In draft 4 they say what `minimum` and `maximum` mean.
        if self.truth("exclusiveMinimum") {
            rules.above = rules.minimum.take();
        }
        if self.truth("exclusiveMaximum") {
            rules.below = rules.maximum.take();
        }
        if let Some(pattern) = self.text("pattern").map(str::to_owned) {
            rules.pattern = Some(self.pattern(pattern, "pattern")?);
        }
        Ok(Some(Box::new(rules)))
    }

    fn text(&self, keyword: &str) -> Option<&str> {
        self.schema.get(keyword)?.text()
    }

    fn truth(&self, keyword: &str) -> bool {
        self.schema.get(keyword) == Some(&Json::Bool(true))
    }

    fn number(&self, keyword: &str) -> Option<Decimal> {
        match self.schema.get(keyword)? {
            Json::Number(number) => Decimal::parse(number),
            _ => None,
        }
    }

    fn count(&self, keyword: &str) -> Option<i64> {
        self.number(keyword).filter(Decimal::is_integer).map(|number| number.to_count())
    }

    fn pattern(&mut self, text: String, keyword: &str) -> Result<Pattern, String> {
        self.compiler.patterns += 1;
        if self.compiler.patterns > MAX_PATTERNS {
            return Err(format!("a schema may have {MAX_PATTERNS} regular expressions"));
        }
        let compiled = Regexp::compile(text.as_bytes()).map_err(|error| {
            let place = format!("{}#{}/{}", self.compiler.documents.all[self.at].url, encoded(self.place), encoded(keyword));
            format!("invalid regex {} at {}: {}", quote(&text), quote(&place), String::from_utf8_lossy(&error.message()))
        })?;
        Ok(Pattern { compiled, text })
    }

    fn inner(&mut self, path: &str) -> Result<NodeId, String> {
        let place = format!("{}{path}", self.place);
        self.compiler.enqueue((self.at, place))
    }

    fn one(&mut self, keyword: &str) -> Result<Option<NodeId>, String> {
        if self.schema.get(keyword).is_none() {
            return Ok(None);
        }
        self.inner(&format!("/{keyword}")).map(Some)
    }

    fn list(&mut self, keyword: &str) -> Result<Vec<NodeId>, String> {
        let count = self.schema.get(keyword).and_then(Json::items).map_or(0, <[Json]>::len);
        (0..count).map(|nth| self.inner(&format!("/{keyword}/{nth}"))).collect()
    }

    fn map(&mut self, keyword: &str) -> Result<BTreeMap<String, NodeId>, String> {
        let Some(Json::Map(entries)) = self.schema.get(keyword) else { return Ok(BTreeMap::new()) };
        entries.keys().map(|key| Ok((key.clone(), self.inner(&format!("/{keyword}/{}", escaped(key)))?))).collect()
    }

    fn additional(&mut self, keyword: &str) -> Result<Option<Additional>, String> {
        match self.schema.get(keyword) {
            Some(Json::Bool(allowed)) => Ok(Some(Additional::Allowed(*allowed))),
            _ => Ok(self.one(keyword)?.map(Additional::Schema)),
        }
    }

    fn reference(&mut self, keyword: &str) -> Result<Option<NodeId>, String> {
        let Some(reference) = self.text(keyword) else { return Ok(None) };
        let (url, fragment) = joined(&self.resource.id, reference)?;
        let document = &self.compiler.documents.all[self.at];
        let own =
            if url == document.url { Some(document.resource("")) } else { document.resources.values().find(|resource| resource.id == url) };
        if let Some(resource) = own {
            let place = document.fragment(&fragment, resource)?;
            return self.compiler.enqueue((self.at, place)).map(Some);
        }
        let at = self.compiler.documents.find_or_load(&url)?;
        let document = &self.compiler.documents.all[at];
        let place = document.fragment(&fragment, document.resource(""))?;
        self.compiler.enqueue((at, place)).map(Some)
    }
}

fn texts(list: &Json) -> Vec<String> {
    list.items().unwrap_or_default().iter().filter_map(|item| item.text().map(str::to_owned)).collect()
}
