//! Owns the key of a node.

use std::fmt;
use std::sync::Arc;

/// What sort of node it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A Git repository at one ref, shared by all units with proven access to it.
    Source,
    /// The smallest thing that is deployed.
    Unit,
    /// Reads units from a source: the root.
    Generator,
}

/// Names a node among all installations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct NodeKey {
    /// The installation's name.
    pub installation: Arc<str>,
    /// The node's sort.
    pub kind: NodeKind,
    /// Its namespace; for a source node, empty.
    pub namespace: Arc<str>,
    /// Its name; for a source node, the URL, ref and a hash of the credentials.
    pub name: Arc<str>,
}

impl NodeKey {
    /// Names a unit.
    pub fn unit(installation: &str, namespace: &str, name: &str) -> Self {
        Self { installation: installation.into(), kind: NodeKind::Unit, namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for NodeKey {
    /// `namespace/name`; the name alone where there is no namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() { f.write_str(&self.name) } else { write!(f, "{}/{}", self.namespace, self.name) }
    }
}
