//! Owns what a schema says once it is compiled: one [`Node`] for each schema in it.

use std::collections::BTreeMap;

use plumb_go::regexp::Regexp;

use super::decimal::Decimal;
use super::format::Format;
use super::json::Json;

/// Names a node of a compilation.
pub(super) type NodeId = usize;

/// JSON's types as bits, in the order in which messages list them.
pub(super) mod types {
    use super::Json;

    pub(in super::super) const INTEGER: u8 = 1 << 3;
    const NAMES: [&str; 7] = ["null", "boolean", "number", "integer", "string", "array", "object"];

    /// Returns the bit of a type's name; none for what is no type.
    pub(in super::super) fn named(name: &str) -> u8 {
        NAMES.iter().position(|known| *known == name).map_or(0, |at| 1 << at)
    }

    pub(in super::super) fn name(value: &Json) -> &'static str {
        match value {
            Json::Null => NAMES[0],
            Json::Bool(_) => NAMES[1],
            Json::Number(_) => NAMES[2],
            Json::Text(_) => NAMES[4],
            Json::List(_) => NAMES[5],
            Json::Map(_) => NAMES[6],
        }
    }

    pub(in super::super) fn of(value: &Json) -> u8 {
        named(name(value))
    }

    pub(in super::super) fn names(set: u8) -> Vec<&'static str> {
        NAMES.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0).map(|(_, name)| *name).collect()
    }
}

/// A regular expression as Go reads it, and as it was written.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) compiled: Regexp,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) enum Additional {
    Allowed(bool),
    Schema(NodeId),
}

#[derive(Debug)]
pub(super) enum Dependency {
    Keys(Vec<String>),
    Schema(NodeId),
}

#[derive(Debug)]
pub(super) enum Items {
    Each(NodeId),
    Listed(Vec<NodeId>),
}

/// What is asked of maps.
#[derive(Debug, Default)]
pub(super) struct MapRules {
    pub(super) least: Option<i64>,
    pub(super) most: Option<i64>,
    pub(super) required: Vec<String>,
    pub(super) properties: BTreeMap<String, NodeId>,
    pub(super) patterns: Vec<(Pattern, NodeId)>,
    pub(super) additional: Option<Additional>,
    pub(super) dependencies: BTreeMap<String, Dependency>,
    pub(super) names: Option<NodeId>,
    pub(super) dependent_schemas: BTreeMap<String, NodeId>,
    pub(super) dependent_required: BTreeMap<String, Vec<String>>,
    pub(super) unevaluated: Option<NodeId>,
}

/// What is asked of lists.
#[derive(Debug, Default)]
pub(super) struct ListRules {
    pub(super) least: Option<i64>,
    pub(super) most: Option<i64>,
    pub(super) unique: bool,
    pub(super) items: Option<Items>,
    pub(super) additional: Option<Additional>,
    /// Since 2020-12: `prefixItems` and what `items` means then.
    pub(super) first: Vec<NodeId>,
    pub(super) rest: Option<NodeId>,
    pub(super) contains: Option<NodeId>,
    pub(super) least_contained: Option<i64>,
    pub(super) most_contained: Option<i64>,
    pub(super) unevaluated: Option<NodeId>,
}

/// What is asked of texts and numbers.
#[derive(Debug, Default)]
pub(super) struct ScalarRules {
    pub(super) shortest: Option<i64>,
    pub(super) longest: Option<i64>,
    pub(super) pattern: Option<Pattern>,
    pub(super) minimum: Option<Decimal>,
    pub(super) maximum: Option<Decimal>,
    pub(super) above: Option<Decimal>,
    pub(super) below: Option<Decimal>,
    pub(super) multiple_of: Option<Decimal>,
}

/// What is asked of a value by other schemas that it must or must not meet.
#[derive(Debug, Default)]
pub(super) struct Combined {
    pub(super) not: Option<NodeId>,
    pub(super) all_of: Vec<NodeId>,
    pub(super) any_of: Vec<NodeId>,
    pub(super) one_of: Vec<NodeId>,
    pub(super) if_: Option<NodeId>,
    pub(super) then: Option<NodeId>,
    pub(super) else_: Option<NodeId>,
}

/// A compiled schema.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Document and place in it, as messages name them.
    pub(super) location: String,
    pub(super) draft: u16,
    /// The schema with an `$id` that this one is in.
    pub(super) resource: NodeId,
    pub(super) boolean: Option<bool>,
    pub(super) types: u8,
    pub(super) constant: Option<Json>,
    pub(super) choices: Option<Vec<Json>>,
    pub(super) format: Option<Format>,
    pub(super) reference: Option<NodeId>,
    pub(super) recursive: Option<NodeId>,
    pub(super) is_recursive_anchor: bool,
    /// Where it leads first, and the anchor that is looked for.
    pub(super) dynamic: Option<(NodeId, Option<String>)>,
    pub(super) dynamic_anchor: Option<String>,
    /// Of a resource: where each dynamic anchor in it is.
    pub(super) dynamic_anchors: BTreeMap<String, NodeId>,
    pub(super) maps: Option<Box<MapRules>>,
    pub(super) lists: Option<Box<ListRules>>,
    pub(super) scalars: Option<Box<ScalarRules>>,
    pub(super) combined: Option<Box<Combined>>,
}
