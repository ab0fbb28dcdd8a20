//! Owns the drafts of JSON Schema: which one a schema is of, where schemas are inside schemas, and the schemas of schemas (json-schema.org, draft-04 to 2020-12).

use std::collections::BTreeMap;

use super::json::Json;

/// A draft by its year or number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    D4,
    D6,
    D7,
    D2019,
    D2020,
}

/// How many drafts there are.
pub(super) const DRAFTS: usize = 5;

/// How a keyword holds schemas.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    One,
    List,
    Map,
    OneOrList,
}

/// Keywords with schemas in them, and the draft that brought each.
const HOLDERS: &[(&str, Holds, Draft)] = &[
    ("definitions", Holds::Map, Draft::D4),
    ("not", Holds::One, Draft::D4),
    ("allOf", Holds::List, Draft::D4),
    ("anyOf", Holds::List, Draft::D4),
    ("oneOf", Holds::List, Draft::D4),
    ("properties", Holds::Map, Draft::D4),
    ("additionalProperties", Holds::One, Draft::D4),
    ("patternProperties", Holds::Map, Draft::D4),
    ("items", Holds::OneOrList, Draft::D4),
    ("additionalItems", Holds::One, Draft::D4),
    ("dependencies", Holds::Map, Draft::D4),
    ("propertyNames", Holds::One, Draft::D6),
    ("contains", Holds::One, Draft::D6),
    ("if", Holds::One, Draft::D7),
    ("then", Holds::One, Draft::D7),
    ("else", Holds::One, Draft::D7),
    ("$defs", Holds::Map, Draft::D2019),
    ("dependentSchemas", Holds::Map, Draft::D2019),
    ("unevaluatedProperties", Holds::One, Draft::D2019),
    ("unevaluatedItems", Holds::One, Draft::D2019),
    ("contentSchema", Holds::One, Draft::D2019),
    ("prefixItems", Holds::List, Draft::D2020),
];

/// The newest draft: what a schema without `$schema` is of.
pub(super) const LATEST: Draft = Draft::D2020;

impl Draft {
    pub(super) fn number(self) -> u16 {
        match self {
            Self::D4 => 4,
            Self::D6 => 6,
            Self::D7 => 7,
            Self::D2019 => 2019,
            Self::D2020 => 2020,
        }
    }

    pub(super) fn url(self) -> &'static str {
        match self {
            Self::D4 => "http://json-schema.org/draft-04/schema",
            Self::D6 => "http://json-schema.org/draft-06/schema",
            Self::D7 => "http://json-schema.org/draft-07/schema",
            Self::D2019 => "https://json-schema.org/draft/2019-09/schema",
            Self::D2020 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// Returns the draft that `$schema` names: with either scheme and an empty fragment or none.
    pub(super) fn named(url: &str) -> Option<Self> {
        let url = url.strip_suffix('#').unwrap_or(url);
        let bare = url.strip_prefix("http://").or(url.strip_prefix("https://")).unwrap_or(url);
        if bare == "json-schema.org/schema" {
            return Some(LATEST);
        }
        let all = [Self::D4, Self::D6, Self::D7, Self::D2019, Self::D2020];
        all.into_iter().find(|draft| draft.url().split_once("://").is_some_and(|(_, known)| known == bare))
    }

    /// Returns the `$id` of a schema, without a fragment.
    pub(super) fn id_of(self, schema: &Json) -> Option<&str> {
        if self < Self::D2019 && schema.get("$ref").is_some() {
            return None;
        }
        let id = schema.get(if self == Self::D4 { "id" } else { "$id" })?.text()?;
        let id = id.split('#').next().unwrap_or_default();
        (!id.is_empty()).then_some(id)
    }

    /// Calls `see` with each schema right inside another, and its place in it.
    pub(super) fn each_inner<'j>(self, schema: &'j Json, see: &mut dyn FnMut(String, &'j Json)) {
        for (keyword, holds, _) in HOLDERS.iter().filter(|(_, _, since)| *since <= self) {
            let Some(value) = schema.get(keyword) else { continue };
            match (value, holds) {
                (Json::List(items), Holds::List | Holds::OneOrList) => {
                    items.iter().enumerate().for_each(|(nth, item)| see(format!("/{keyword}/{nth}"), item));
                }
                (Json::Map(entries), Holds::Map) => {
                    entries.iter().for_each(|(key, entry)| see(format!("/{keyword}/{}", escaped(key)), entry));
                }
                (value, Holds::One | Holds::OneOrList) => see(format!("/{keyword}"), value),
                _ => {}
            }
        }
    }
}

/// A key as a part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// What a keyword's value must be.
#[derive(Clone, Copy)]
enum Is {
    Anything,
    Schema,
    Schemas,
    SchemaOrSchemas,
    SchemaOrBool,
    SchemaMap,
    SchemaMapByPattern,
    Dependencies,
    Text,
    Format(&'static str),
    Id,
    Anchor,
    AnchorReference,
    Vocabulary,
    Bool,
    Number,
    AboveZero,
    Count,
    CountFromZero,
    Values,
    Choices,
    Keys,
    KeyMap,
    Types,
}

type Keywords = &'static [(&'static str, Is)];

const APPLICATORS: Keywords = &[
    ("additionalProperties", Is::Schema),
    ("properties", Is::SchemaMap),
    ("propertyNames", Is::Schema),
    ("contains", Is::Schema),
    ("allOf", Is::Schemas),
    ("anyOf", Is::Schemas),
    ("oneOf", Is::Schemas),
    ("not", Is::Schema),
];
const CONDITIONS: Keywords = &[("if", Is::Schema), ("then", Is::Schema), ("else", Is::Schema)];
const LIMITS: Keywords = &[
    ("maximum", Is::Number),
    ("minimum", Is::Number),
    ("maxLength", Is::Count),
    ("minLength", Is::CountFromZero),
    ("pattern", Is::Format("regex")),
    ("maxItems", Is::Count),
    ("minItems", Is::CountFromZero),
    ("uniqueItems", Is::Bool),
    ("maxProperties", Is::Count),
    ("minProperties", Is::CountFromZero),
    ("required", Is::Keys),
    ("type", Is::Types),
];
const NUMBERS: Keywords = &[("multipleOf", Is::AboveZero), ("exclusiveMaximum", Is::Number), ("exclusiveMinimum", Is::Number)];
const LIMITS_2019: Keywords = &[
    ("maxContains", Is::Count),
    ("minContains", Is::Count),
    ("dependentRequired", Is::KeyMap),
    ("const", Is::Anything),
    ("enum", Is::Values),
];
const WORDS: Keywords = &[("title", Is::Text), ("description", Is::Text), ("default", Is::Anything)];
const NOTES: Keywords = &[("readOnly", Is::Bool), ("writeOnly", Is::Bool), ("examples", Is::Values)];
const NOTES_2019: Keywords = &[("deprecated", Is::Bool)];
const CONTENT: Keywords = &[("contentMediaType", Is::Text), ("contentEncoding", Is::Text)];
const OLD: Keywords = &[
    ("$schema", Is::Format("uri")),
    ("definitions", Is::SchemaMap),
    ("dependencies", Is::Dependencies),
    ("format", Is::Text),
    ("items", Is::SchemaOrSchemas),
    ("enum", Is::Choices),
];

fn text(text: &str) -> Json {
    Json::Text(text.to_owned())
}

fn map<const N: usize>(entries: [(&str, Json); N]) -> Json {
    Json::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn number(number: &str) -> Json {
    Json::Number(number.to_owned())
}

/// Writes the schema of schemas of a draft.
struct Writer(Draft);

impl Writer {
    /// Refers to the schema of schemas itself.
    fn schema(&self) -> Json {
        match self.0 {
            Draft::D2020 => map([("$dynamicRef", text("#meta"))]),
            Draft::D2019 => map([("$recursiveRef", text("#"))]),
            _ => map([("$ref", text("#"))]),
        }
    }

    fn defined(&self, name: &str) -> Json {
        let holder = if self.0 >= Draft::D2019 { "$defs" } else { "definitions" };
        map([("$ref", text(&format!("#/{holder}/{name}")))])
    }

    fn kind(name: &str) -> Json {
        map([("type", text(name))])
    }

    fn formatted(format: &str) -> Json {
        map([("type", text("string")), ("format", text(format))])
    }

    fn each(schema: Json) -> Json {
        map([("type", text("object")), ("additionalProperties", schema)])
    }

    fn any_of(one: Json, other: Json) -> Json {
        map([("anyOf", Json::List(vec![one, other]))])
    }

    fn is(&self, is: Is) -> Json {
        let count = if self.0 == Draft::D4 { "positiveInteger" } else { "nonNegativeInteger" };
        let list = || map([("type", text("array"))]);
        match is {
            Is::Anything => Json::Bool(true),
            Is::Schema => self.schema(),
            Is::Schemas => self.defined("schemaArray"),
            Is::SchemaOrSchemas => Self::any_of(self.schema(), self.defined("schemaArray")),
            Is::SchemaOrBool => Self::any_of(Self::kind("boolean"), self.schema()),
            Is::SchemaMap => Self::each(self.schema()),
            Is::SchemaMapByPattern => {
                let mut each = Self::each(self.schema());
                if let Json::Map(entries) = &mut each {
                    entries.insert("propertyNames".to_owned(), map([("format", text("regex"))]));
                }
                each
            }
            Is::Dependencies => {
                let keys = match self.0 {
                    Draft::D2019 | Draft::D2020 => map([("$ref", text("meta/validation#/$defs/stringArray"))]),
                    _ => self.defined("stringArray"),
                };
                Self::each(Self::any_of(self.schema(), keys))
            }
            Is::Text => Self::kind("string"),
            Is::Format(format @ ("uri" | "uri-reference")) if self.0 == Draft::D2020 => {
                self.defined(if format == "uri" { "uriString" } else { "uriReferenceString" })
            }
            Is::Format(format) => Self::formatted(format),
            Is::Id => {
                let mut id = self.is(Is::Format("uri-reference"));
                if let Json::Map(entries) = &mut id {
                    entries.insert("pattern".to_owned(), text("^[^#]*#?$"));
                }
                id
            }
            Is::Anchor if self.0 == Draft::D2020 => self.defined("anchorString"),
            Is::Anchor => map([("type", text("string")), ("pattern", text("^[A-Za-z][-A-Za-z0-9.:_]*$"))]),
            Is::AnchorReference => map([("$ref", text("meta/core#/$defs/anchorString"))]),
            Is::Vocabulary => {
                let mut each = Self::each(Self::kind("boolean"));
                let uri = self.is(Is::Format("uri"));
                if let Json::Map(entries) = &mut each {
                    entries.insert("propertyNames".to_owned(), uri);
                }
                each
            }
            Is::Bool => Self::kind("boolean"),
            Is::Number => Self::kind("number"),
            Is::AboveZero if self.0 == Draft::D4 => {
                map([("type", text("number")), ("minimum", number("0")), ("exclusiveMinimum", Json::Bool(true))])
            }
            Is::AboveZero => map([("type", text("number")), ("exclusiveMinimum", number("0"))]),
            Is::Count => self.defined(count),
            Is::CountFromZero => self.defined(&format!("{count}Default0")),
            Is::Values => list(),
            Is::Choices => map([("type", text("array")), ("minItems", number("1")), ("uniqueItems", Json::Bool(true))]),
            Is::Keys => self.defined("stringArray"),
            Is::KeyMap => Self::each(self.defined("stringArray")),
            Is::Types => Self::any_of(
                self.defined("simpleTypes"),
                map([
                    ("type", text("array")),
                    ("items", self.defined("simpleTypes")),
                    ("minItems", number("1")),
                    ("uniqueItems", Json::Bool(true)),
                ]),
            ),
        }
    }

    fn properties(&self, groups: &[Keywords]) -> Json {
        Json::Map(groups.iter().flat_map(|group| group.iter()).map(|(name, is)| ((*name).to_owned(), self.is(*is))).collect())
    }

    /// What the keywords above refer to.
    fn definitions(&self) -> Json {
        let names = ["array", "boolean", "integer", "null", "number", "object", "string"].map(text).to_vec();
        let count = if self.0 == Draft::D4 { "positiveInteger" } else { "nonNegativeInteger" };
        let from_zero = match self.0 {
            Draft::D2019 | Draft::D2020 => self.defined(count),
            _ => map([("allOf", Json::List(vec![self.defined(count), map([("default", number("0"))])]))]),
        };
        let mut keys = map([("type", text("array")), ("items", Self::kind("string")), ("uniqueItems", Json::Bool(true))]);
        if let (Draft::D4, Json::Map(entries)) = (self.0, &mut keys) {
            entries.insert("minItems".to_owned(), number("1"));
        }
        let whole = map([("type", text("integer")), ("minimum", number("0"))]);
        let schemas = map([("type", text("array")), ("minItems", number("1")), ("items", self.schema())]);
        let anchor = map([("type", text("string")), ("pattern", text("^[A-Za-z_][-A-Za-z0-9._]*$"))]);
        map([
            ("schemaArray", schemas),
            (count, whole),
            (&format!("{count}Default0"), from_zero),
            ("simpleTypes", map([("enum", Json::List(names))])),
            ("stringArray", keys),
            ("anchorString", anchor),
            ("uriString", Self::formatted("uri")),
            ("uriReferenceString", Self::formatted("uri-reference")),
        ])
    }

    /// A document of drafts 4 to 7.
    fn whole(&self) -> Json {
        let number_flags: Keywords = &[("multipleOf", Is::AboveZero), ("exclusiveMaximum", Is::Bool), ("exclusiveMinimum", Is::Bool)];
        let own: &[Keywords] = match self.0 {
            Draft::D4 => &[
                &APPLICATORS[4..],
                &[
                    ("properties", Is::SchemaMap),
                    ("patternProperties", Is::SchemaMap),
                    ("additionalProperties", Is::SchemaOrBool),
                    ("additionalItems", Is::SchemaOrBool),
                    ("id", Is::Text),
                    ("$ref", Is::Text),
                ],
                number_flags,
            ],
            _ => &[
                APPLICATORS,
                NUMBERS,
                &[("additionalItems", Is::Schema), ("patternProperties", Is::SchemaMap), ("const", Is::Anything)],
                &[("$id", Is::Format("uri-reference")), ("$ref", Is::Format("uri-reference"))],
            ],
        };
        let seven: &[Keywords] = match self.0 {
            Draft::D7 => &[CONDITIONS, CONTENT, NOTES, &[("$comment", Is::Text), ("patternProperties", Is::SchemaMapByPattern)]],
            _ => &[],
        };
        let groups: Vec<Keywords> = [&[OLD, LIMITS, WORDS][..], own, seven].concat();
        let kinds = match self.0 {
            Draft::D4 => text("object"),
            _ => Json::List(vec![text("object"), text("boolean")]),
        };
        let mut all = map([
            ("$schema", text(&format!("{}#", self.0.url()))),
            ("type", kinds),
            ("properties", self.properties(&groups)),
            ("definitions", self.definitions()),
        ]);
        if let (Draft::D4, Json::Map(entries)) = (self.0, &mut all) {
            let needs = |key: &str| Json::List(vec![text(key)]);
            entries
                .insert("dependencies".to_owned(), map([("exclusiveMaximum", needs("maximum")), ("exclusiveMinimum", needs("minimum"))]));
        }
        all
    }

    /// A document of the drafts since 2019-09: the schema itself, or one vocabulary of it.
    fn part(&self, url: &str, groups: &[Keywords]) -> Json {
        let mut part = map([
            ("$schema", text(self.0.url())),
            ("$id", text(url)),
            ("type", Json::List(vec![text("object"), text("boolean")])),
            ("properties", self.properties(groups)),
            ("$defs", self.definitions()),
        ]);
        if let Json::Map(entries) = &mut part {
            match self.0 {
                Draft::D2019 => entries.insert("$recursiveAnchor".to_owned(), Json::Bool(true)),
                _ => entries.insert("$dynamicAnchor".to_owned(), text("meta")),
            };
        }
        part
    }

    fn parts(&self) -> Vec<(&'static str, Vec<Keywords>)> {
        const CORE: Keywords = &[
            ("$id", Is::Id),
            ("$schema", Is::Format("uri")),
            ("$anchor", Is::Anchor),
            ("$ref", Is::Format("uri-reference")),
            ("$vocabulary", Is::Vocabulary),
            ("$comment", Is::Text),
            ("$defs", Is::SchemaMap),
        ];
        const NAMED: Keywords = &[("patternProperties", Is::SchemaMapByPattern), ("dependentSchemas", Is::SchemaMap)];
        const UNEVALUATED: Keywords = &[("unevaluatedItems", Is::Schema), ("unevaluatedProperties", Is::Schema)];
        const FORMAT: Keywords = &[("format", Is::Text)];
        const SCHEMA: Keywords = &[("contentSchema", Is::Schema)];
        let is_2020 = self.0 == Draft::D2020;
        let core: Keywords = if is_2020 {
            &[("$dynamicRef", Is::Format("uri-reference")), ("$dynamicAnchor", Is::Anchor)]
        } else {
            &[("$recursiveRef", Is::Format("uri-reference")), ("$recursiveAnchor", Is::Bool)]
        };
        let items: Keywords = if is_2020 {
            &[("prefixItems", Is::Schemas), ("items", Is::Schema)]
        } else {
            &[("items", Is::SchemaOrSchemas), ("additionalItems", Is::Schema)]
        };
        let mut parts = vec![("core", vec![CORE, core])];
        let mut applicator = vec![APPLICATORS, CONDITIONS, NAMED, items];
        if is_2020 {
            parts.push(("applicator", applicator));
            parts.push(("unevaluated", vec![UNEVALUATED]));
        } else {
            applicator.push(UNEVALUATED);
            parts.push(("applicator", applicator));
        }
        parts.push(("validation", vec![LIMITS, LIMITS_2019, NUMBERS]));
        parts.push(("meta-data", vec![WORDS, NOTES, NOTES_2019]));
        parts.push((if is_2020 { "format-annotation" } else { "format" }, vec![FORMAT]));
        parts.push(("content", vec![CONTENT, SCHEMA]));
        parts
    }
}

/// Returns the document at a URL of json-schema.org: the schema of a draft's schemas or a vocabulary of it.
pub(super) fn known(url: &str) -> Option<Json> {
    let bare = url.strip_prefix("http://").or(url.strip_prefix("https://"))?;
    if !bare.starts_with("json-schema.org/") {
        return None;
    }
    if let Some(draft) = Draft::named(url) {
        let writer = Writer(draft);
        if draft < Draft::D2019 {
            return Some(writer.whole());
        }
        let old: Keywords = &[("definitions", Is::SchemaMap), ("dependencies", Is::Dependencies)];
        let older: Keywords = &[("$recursiveAnchor", Is::AnchorReference), ("$recursiveRef", Is::Format("uri-reference"))];
        let groups: &[Keywords] = if draft == Draft::D2020 { &[old, older] } else { &[old] };
        let mut schema = writer.part(draft.url(), groups);
        if let Json::Map(entries) = &mut schema {
            let parts = writer.parts().into_iter().map(|(name, _)| map([("$ref", text(&format!("meta/{name}")))]));
            entries.insert("allOf".to_owned(), Json::List(parts.collect()));
        }
        return Some(schema);
    }
    let (folder, name) = bare.rsplit_once("/meta/")?;
    let draft = Draft::named(&format!("https://{folder}/schema")).filter(|draft| *draft >= Draft::D2019)?;
    let writer = Writer(draft);
    let parts: BTreeMap<&str, Vec<Keywords>> = writer.parts().into_iter().collect();
    let groups = parts.get(name)?;
    Some(writer.part(&format!("https://{folder}/meta/{name}"), groups))
}
