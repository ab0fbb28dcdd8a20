//! Owns paths inside a tree: relative, normalised, unable to leave it.

use std::fmt;
use std::sync::Arc;

/// Why a text is not a path inside a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// It starts with `/`.
    #[error("`{0}` is absolute; a path here is relative to its source")]
    Absolute(String),
    /// Its `..` leave the tree.
    #[error("`{0}` leaves its source")]
    Escapes(String),
    /// It has a NUL byte or a backslash.
    #[error("`{0}` has a character that no path here may have")]
    Character(String),
}

/// A path inside a tree: `/`-separated, no empty, `.` or `..` segment; the root is the empty path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Arc<str>);

impl RelPath {
    /// Returns the tree's root.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// Parses and normalises a path: `./a//b/../c` is `a/c`.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Self::root().join(text)
    }

    /// Returns this folder's path with a relative path appended, normalised.
    pub fn join(&self, text: &str) -> Result<Self, PathError> {
        if text.starts_with('/') {
            return Err(PathError::Absolute(text.to_owned()));
        }
        if text.contains(['\0', '\\']) {
            return Err(PathError::Character(text.escape_default().to_string()));
        }
        let mut segments: Vec<&str> = self.segments().collect();
        for segment in text.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop().ok_or_else(|| PathError::Escapes(text.to_owned()))?;
                }
                name => segments.push(name),
            }
        }
        Ok(Self(segments.join("/").into()))
    }

    /// Returns the path's text; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this is the tree's root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the path's segments from the root down.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// Returns the folder this path is in; none for the root.
    pub fn parent(&self) -> Option<Self> {
        if self.is_root() {
            return None;
        }
        Some(Self(self.0.rsplit_once('/').map_or("", |(folder, _)| folder).into()))
    }

    /// Returns the last segment; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, name)| name)
    }

    /// Returns whether this path is the other one or lies below it.
    pub fn starts_with(&self, folder: &Self) -> bool {
        folder.is_root() || self == folder || (self.0.starts_with(&*folder.0) && self.0.as_bytes().get(folder.0.len()) == Some(&b'/'))
    }
}

impl serde::Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises() {
        for (input, expect) in [("", ""), (".", ""), ("./a//b/../c", "a/c"), ("a/..", ""), ("a/b/", "a/b")] {
            assert_eq!(RelPath::parse(input).expect(input).as_str(), expect);
        }
    }

    #[test]
    fn refuses_what_leaves_the_tree() {
        for input in ["/etc/passwd", "..", "a/../../b", "a\0b", "..\\b"] {
            assert!(RelPath::parse(input).is_err(), "{input:?}");
        }
    }

    #[test]
    fn a_sibling_with_the_same_prefix_is_not_below() {
        let (folder, sibling) = (RelPath::parse("app").expect("path"), RelPath::parse("app-2/x").expect("path"));
        assert!(!sibling.starts_with(&folder));
        assert!(RelPath::parse("app/x").expect("path").starts_with(&folder));
    }
}
