//! Owns what kustomize knows of kinds: the OpenAPI document it embeds, which decides in a build how lists merge and which kinds have namespaces, and
//! documents that a kustomization names in its place. Must not know what else the API says of kinds: see [`crate::Schema`].

mod document;
mod recorded;

use std::sync::Arc;

use serde_json::Value;

use document::Document;
pub use document::record;
use recorded::Recorded;

/// The version of the document that is embedded.
pub const VERSION: &str = "v1.21.2";

/// How deep references lead from one to the next.
const MAX_REFERENCES: usize = 64;

/// Says that a type is of the document that a kustomization names.
const OF_DOCUMENT: u32 = 1 << 31;

/// The type of a node: only good for the schema that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Type(u32);

/// How a list merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Merge<'s> {
    /// `x-kubernetes-patch-strategy`: names with commas between them; empty for none.
    pub strategy: &'s str,
    /// The field that tells items apart; empty for none.
    pub key: &'s str,
    /// All fields that do (`x-kubernetes-list-map-keys`), with commas between them; empty for none.
    list_keys: &'s str,
}

impl<'s> Merge<'s> {
    /// Returns whether items merge, rather than lists as a whole.
    pub fn is_associative(&self) -> bool {
        self.strategy.split(',').any(|name| name == "merge")
    }

    /// Returns the fields that tell items apart. There are none without a strategy.
    pub fn keys(&self) -> impl Iterator<Item = &'s str> {
        let keys = match (self.strategy, self.list_keys) {
            ("", _) => "",
            (_, "") => self.key,
            (_, keys) => keys,
        };
        keys.split(',').filter(|key| !key.is_empty())
    }
}

/// Where what is embedded stands beside a document that a kustomization names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Embedded {
    /// It is not used. So it is where the outermost kustomization names the document.
    Unused,
    /// The document goes over it. So it is where kinds were looked up before the document was named.
    Below,
    /// It goes over the document. So it is where only the scope of kinds was asked for before.
    Above,
}

/// What is known of kinds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Schema {
    document: Option<(Arc<Document>, Embedded)>,
}

impl Schema {
    /// Returns what kustomize embeds.
    pub fn builtin() -> Self {
        Self { document: None }
    }

    /// Returns what is embedded of a version of Kubernetes; nothing of others than [`VERSION`].
    pub fn of_version(version: &str) -> Option<Self> {
        (version == VERSION).then(Self::builtin)
    }

    /// Returns what an OpenAPI document says.
    pub fn of_document(document: &Value, embedded: Embedded) -> Self {
        Self { document: Some((Arc::new(Document::read(document)), embedded)) }
    }

    /// Returns whether a kind is known to have no namespaces.
    pub fn is_certainly_cluster_scoped(&self, api_version: &str, kind: &str) -> bool {
        self.is_namespaced(api_version, kind) == Some(false)
    }

    /// Returns whether a kind has namespaces; nothing if that is not known.
    pub fn is_namespaced(&self, api_version: &str, kind: &str) -> Option<bool> {
        // What is embedded goes first, whatever document is in force.
        let embedded = Recorded::get().kind(api_version, kind).and_then(|found| found.namespaced);
        embedded.or_else(|| self.document.as_ref()?.0.is_namespaced(api_version, kind))
    }

    /// Returns the type of a kind's objects.
    pub fn of(&self, api_version: &str, kind: &str) -> Option<Type> {
        let recorded = Recorded::get();
        let embedded = recorded.kind(api_version, kind).and_then(|found| found.root);
        let Some((document, beside)) = &self.document else { return embedded.map(Type) };
        let own = embedded.filter(|id| recorded.is_own(*id));
        let of_document = || document.root(api_version, kind).map(|id| id | OF_DOCUMENT);
        let found = match beside {
            Embedded::Unused => own.or_else(of_document),
            Embedded::Below => own.or_else(of_document).or(embedded),
            Embedded::Above => embedded.or_else(of_document),
        };
        found.map(Type)
    }

    /// Returns the type of a map's field.
    pub fn field(&self, of: Type, name: &str) -> Option<Type> {
        match self.in_document(of) {
            Some((document, id)) => self.resolve_in_document(document, document.field(id, name)?),
            None => self.resolve_recorded(Recorded::get().field(of.0, name)?),
        }
    }

    /// Returns the type of a list's items.
    pub fn elements(&self, of: Type) -> Option<Type> {
        match self.in_document(of) {
            Some((document, id)) => self.resolve_in_document(document, document.elements(id)?),
            None => self.resolve_recorded(Recorded::get().elements(of.0)?),
        }
    }

    /// Returns how a list of a type merges.
    pub fn merge(&self, of: Type) -> Merge<'_> {
        match self.in_document(of) {
            Some((document, id)) => document.merge(id),
            None => Recorded::get().merge(of.0),
        }
    }

    fn in_document(&self, of: Type) -> Option<(&Document, u32)> {
        let (document, _) = self.document.as_ref()?;
        (of.0 & OF_DOCUMENT != 0).then_some((document.as_ref(), of.0 & !OF_DOCUMENT))
    }

    /// A definition that the document has too may not be the embedded one.
    fn resolve_recorded(&self, id: u32) -> Option<Type> {
        let recorded = Recorded::get();
        match &self.document {
            Some((document, Embedded::Below)) if !recorded.is_own(id) => match document.definition(recorded.name(id)) {
                Some(over) => self.resolve_in_document(document, document::Reach::Type(over)),
                None => Some(Type(id)),
            },
            _ => Some(Type(id)),
        }
    }

    /// Follows references, out of the document too.
    fn resolve_in_document(&self, document: &Document, mut reach: document::Reach<'_>) -> Option<Type> {
        let recorded = Recorded::get();
        let beside = self.document.as_ref().map(|(_, beside)| *beside)?;
        for _ in 0..MAX_REFERENCES {
            let name = match reach {
                document::Reach::Type(id) => match document.reference(id) {
                    Some(name) => name,
                    None => return Some(Type(id | OF_DOCUMENT)),
                },
                document::Reach::Definition(name) => name,
            };
            let embedded = recorded.definition(name);
            if let Some(id) = embedded.filter(|id| recorded.is_own(*id) || beside == Embedded::Above) {
                return Some(Type(id));
            }
            match document.definition(name) {
                Some(id) => reach = document::Reach::Type(id),
                None => return embedded.filter(|_| beside == Embedded::Below).map(Type),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
