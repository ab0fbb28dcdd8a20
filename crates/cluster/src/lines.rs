//! Owns the first look at an object's bytes: watch lines cut from a stream, and what can be told of an object without building a tree of it.
//! Must not keep anything of managedFields.

use std::borrow::Cow;
use std::fmt;

use plumb_manifest::Digest;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Longest line of a watch. etcd bounds an object at a few MiB; what is longer is not read.
pub const MAX_LINE: usize = 32 << 20;
/// A line buffer larger than this is given back after use.
const KEEP_BUFFER: usize = 64 << 10;

/// Cuts a stream of bytes into lines.
#[derive(Default)]
pub(crate) struct Lines {
    pending: Vec<u8>,
}

/// A line did not end within [`MAX_LINE`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    /// Takes a chunk and hands each finished line to `each`; stops at the first that returns `false`.
    pub(crate) fn feed(&mut self, mut chunk: &[u8], mut each: impl FnMut(&[u8]) -> bool) -> Result<bool, TooLong> {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&chunk[..end], &chunk[end + 1..]);
            chunk = rest;
            let go_on = if self.pending.is_empty() {
                line.is_empty() || each(line)
            } else {
                self.pending.extend_from_slice(line);
                let go_on = each(&self.pending);
                self.pending.clear();
                self.pending.shrink_to(KEEP_BUFFER);
                go_on
            };
            if !go_on {
                return Ok(false);
            }
        }
        if self.pending.len() + chunk.len() > MAX_LINE {
            return Err(TooLong);
        }
        self.pending.extend_from_slice(chunk);
        Ok(true)
    }
}

/// One line of a watch.
#[derive(serde::Deserialize)]
pub(crate) struct WatchLine<'a> {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) object: &'a RawValue,
}

/// What is read of every object.
#[derive(Debug, PartialEq)]
pub(crate) struct Head<'a> {
    pub(crate) meta: MetaHead<'a>,
    /// Hash of all that a manifest can set: everything but status, managedFields, generation and resourceVersion.
    pub(crate) content: Digest,
    /// Hash of the status.
    pub(crate) status: Digest,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct MetaHead<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) namespace: Cow<'a, str>,
    pub(crate) uid: Cow<'a, str>,
    pub(crate) version: Cow<'a, str>,
    pub(crate) generation: Option<i64>,
    pub(crate) deleting: bool,
    pub(crate) initial_events_end: bool,
}

/// Reads an object's head.
pub(crate) fn head(object: &[u8]) -> Result<Head<'_>, serde_json::Error> {
    serde_json::from_slice(object)
}

struct HeadVisitor;

impl<'de> Deserialize<'de> for Head<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadVisitor)
    }
}

/// Gathers the hash of some fields, in the order in which the server writes them.
struct Gather(blake3::Hasher);

impl Gather {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    fn add(&mut self, key: &str, raw: &str) {
        self.0.update(&(key.len() as u64).to_le_bytes()).update(key.as_bytes());
        self.0.update(&(raw.len() as u64).to_le_bytes()).update(raw.as_bytes());
    }

    fn digest(&self) -> Digest {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0.finalize().as_bytes()[..16]);
        Digest(short)
    }
}

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of the Kubernetes API")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut meta = MetaHead::default();
        let mut content = Gather::new();
        let mut status = Gather::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "metadata" => {
                    let raw: &RawValue = map.next_value()?;
                    let mut reader = serde_json::Deserializer::from_str(raw.get());
                    meta = reader.deserialize_map(MetaVisitor { content: &mut content }).map_err(serde::de::Error::custom)?;
                }
                "status" => status.add("status", map.next_value::<&RawValue>()?.get()),
                key => {
                    let raw: &RawValue = map.next_value()?;
                    content.add(key, raw.get());
                }
            }
        }
        Ok(Head { meta, content: content.digest(), status: status.digest() })
    }
}

struct MetaVisitor<'h> {
    content: &'h mut Gather,
}

impl<'de> Visitor<'de> for MetaVisitor<'_> {
    type Value = MetaHead<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut meta = MetaHead::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "name" => meta.name = map.next_value()?,
                "namespace" => meta.namespace = map.next_value()?,
                "uid" => meta.uid = map.next_value()?,
                "resourceVersion" => meta.version = map.next_value()?,
                "generation" => meta.generation = map.next_value()?,
                "managedFields" | "creationTimestamp" | "deletionGracePeriodSeconds" => {
                    map.next_value::<IgnoredAny>()?;
                }
                "deletionTimestamp" => {
                    meta.deleting = true;
                    map.next_value::<IgnoredAny>()?;
                }
                key => {
                    let raw: &RawValue = map.next_value()?;
                    meta.initial_events_end |= key == "annotations" && raw.get().contains("\"k8s.io/initial-events-end\"");
                    self.content.add(key, raw.get());
                }
            }
        }
        Ok(meta)
    }
}

/// Reads what a page of a list says of itself, and each item's bytes.
#[derive(serde::Deserialize)]
pub(crate) struct Page<'a> {
    #[serde(default)]
    pub(crate) metadata: PageMeta,
    #[serde(borrow, default)]
    pub(crate) items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, serde::Deserialize)]
pub(crate) struct PageMeta {
    #[serde(default, rename = "continue")]
    pub(crate) next: String,
    #[serde(default, rename = "resourceVersion")]
    pub(crate) version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for chunk in chunks {
            let fed = lines.feed(chunk, |line| {
                found.push(String::from_utf8_lossy(line).into_owned());
                true
            });
            assert_eq!(fed, Ok(true));
        }
        found
    }

    #[test]
    fn cuts_lines_wherever_chunks_end() {
        for chunks in [&[&b"ab\ncd\ne"[..], b"f\n"][..], &[b"a", b"b\n", b"cd", b"\nef\n"], &[b"ab\n\ncd\nef\n"]] {
            assert_eq!(cut(chunks), ["ab", "cd", "ef"]);
        }
        assert_eq!(cut(&[b"unfinished"]), [""; 0]);
    }

    #[test]
    fn a_line_may_not_grow_for_ever() {
        let mut lines = Lines::default();
        let chunk = vec![b'x'; MAX_LINE];
        assert_eq!(lines.feed(&chunk, |_| true), Ok(true));
        assert_eq!(lines.feed(b"x", |_| true), Err(TooLong));
    }

    #[test]
    fn the_content_is_what_a_manifest_can_set() {
        let object = |version: u32, image: &str, ready: u32, fields: &str| {
            format!(
                r#"{{"kind":"X","metadata":{{"name":"a","namespace":"n","uid":"u","resourceVersion":"{version}","generation":{version},
                "managedFields":[{fields}],"labels":{{"a":"b"}}}},"spec":{{"image":"{image}"}},"status":{{"ready":{ready}}}}}"#
            )
        };
        let texts = [object(1, "a", 0, ""), object(2, "a", 0, "{}"), object(3, "a", 1, ""), object(4, "b", 1, "")];
        let heads: Vec<Head<'_>> = texts.iter().map(|text| head(text.as_bytes()).expect("head")).collect();
        assert_eq!((&*heads[0].meta.name, &*heads[0].meta.namespace, &*heads[0].meta.uid, &*heads[1].meta.version), ("a", "n", "u", "2"));
        assert_eq!((heads[0].content, heads[0].status), (heads[1].content, heads[1].status));
        assert_eq!((heads[1].content == heads[2].content, heads[1].status == heads[2].status), (true, false));
        assert_ne!(heads[2].content, heads[3].content);
    }

    #[test]
    fn reads_bookmarks() {
        let line = br#"{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        let read: WatchLine<'_> = serde_json::from_slice(line).expect("line");
        let head = head(read.object.get().as_bytes()).expect("head");
        assert_eq!((&*read.kind, &*head.meta.version, head.meta.initial_events_end), ("BOOKMARK", "9", true));
        for bad in [&b"{\"type\":\"ADDED\"}"[..], b"", b"[1]", b"{\"type\":1,\"object\":{}}"] {
            assert!(serde_json::from_slice::<WatchLine<'_>>(bad).is_err());
        }
    }
}
