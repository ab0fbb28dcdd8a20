//! Owns the steps that change the same fields of all objects: namespaces, prefixes and suffixes of names, labels and annotations.

pub(crate) mod affixes;
pub(crate) mod entries;
pub(crate) mod namespace;

#[cfg(test)]
pub(crate) mod tests;
