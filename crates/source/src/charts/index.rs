//! Owns reading the `index.yaml` of a chart repository as a stream: one line at a time, and of all charts only the one that
//! is wanted is kept. Must not open anything.
//!
//! Indexes are written by programs (`helm repo index`, registries that also speak this protocol): block style, one chart
//! a key below `entries`, or JSON. A line that is indented as those keys are begins the next chart; such a line
//! cannot be part of a value, as a value's lines are indented more or begin with a dash. Reading ends with the chart.

use std::fmt;
use std::io::{self, BufRead, Read};

use plumb_go::semver::Version;
use plumb_yaml::{Kind, NodeRef};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::limits::Limits;

/// A version of the chart, as the index has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Listed {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) urls: Vec<String>,
    #[serde(default)]
    pub(crate) digest: String,
}

impl Listed {
    /// Returns whether Helm would not pass over it when it reads an index.
    fn is_valid(&self) -> bool {
        !self.name.is_empty() && Version::parse(&self.version).is_ok()
    }
}

/// Why an index could not be read.
#[derive(Debug)]
pub(crate) enum IndexError {
    /// It did not come whole.
    Read(io::Error),
    /// It is no index, as a clause.
    Malformed(String),
    /// It, or what it says of the chart, has too many bytes.
    TooLarge { what: &'static str, limit: u64 },
}

/// Returns the versions of one chart; none when the index does not have it.
pub(crate) fn read(input: &mut dyn BufRead, chart: &str, limits: &Limits) -> Result<Option<Vec<Listed>>, IndexError> {
    let mut input = input.take(limits.index_bytes + 1);
    let first = skip_blank(&mut input)?;
    let found = match first {
        None => return Err(IndexError::Malformed("it is empty".to_owned())),
        Some(b'{') => read_json(&mut input, chart),
        Some(_) => read_yaml(&mut input, chart, limits),
    };
    if input.limit() == 0 {
        return Err(IndexError::TooLarge { what: "the index", limit: limits.index_bytes });
    }
    Ok(found?.map(|versions| versions.into_iter().filter(Listed::is_valid).collect()))
}

fn skip_blank(input: &mut dyn BufRead) -> Result<Option<u8>, IndexError> {
    loop {
        let buffer = input.fill_buf().map_err(IndexError::Read)?;
        if buffer.is_empty() {
            return Ok(None);
        }
        match buffer.iter().position(|byte| !byte.is_ascii_whitespace()) {
            Some(at) => {
                let first = buffer[at];
                // Blanks before the first line are part of its indentation.
                let before = buffer[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                input.consume(before);
                return Ok(Some(first));
            }
            None => {
                let count = buffer.len();
                input.consume(count);
            }
        }
    }
}

/// Where reading has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Outside of `entries`.
    Outside,
    /// In `entries`, whose keys are indented so far; 0 before the first.
    Entries { indent: usize },
    /// In `entries` that is written as one value, all of which is kept.
    Value,
}

fn read_yaml(input: &mut io::Take<&mut dyn BufRead>, chart: &str, limits: &Limits) -> Result<Option<Vec<Listed>>, IndexError> {
    let too_large = IndexError::TooLarge { what: "what the index says of one chart", limit: limits.index_entry_bytes };
    let (mut line, mut kept, mut number) = (Vec::new(), Vec::new(), 0_u64);
    let (mut at, mut wanted, mut done, mut has_version, mut has_entries) = (At::Outside, false, false, false, false);
    loop {
        line.clear();
        number += 1;
        let read = Read::take(&mut *input, limits.index_entry_bytes + 1).read_until(b'\n', &mut line).map_err(IndexError::Read)?;
        if read == 0 || (done && has_version) {
            break;
        }
        if line.len() as u64 > limits.index_entry_bytes || kept.len() as u64 > limits.index_entry_bytes {
            return Err(too_large);
        }
        let indent = line.iter().take_while(|byte| **byte == b' ').count();
        let text = line[indent..].trim_ascii();
        if text.is_empty() || text[0] == b'#' {
            if wanted {
                kept.extend_from_slice(&line);
            }
            continue;
        }
        let is_item = text == b"-" || text.starts_with(b"- ");
        match at {
            _ if indent == 0 && !is_item => {
                done |= wanted && at != At::Outside;
                wanted = false;
                at = At::Outside;
                if text.starts_with(b"---") || text.starts_with(b"%") {
                    continue;
                }
                let Some((key, value)) = key_of(text) else {
                    return Err(IndexError::Malformed(format!("line {number} is no part of an index")));
                };
                has_version |= key == "apiVersion" && !value.is_empty();
                if key == "entries" {
                    has_entries = true;
                    at = if value.is_empty() { At::Entries { indent: 0 } } else { At::Value };
                    wanted = at == At::Value;
                }
            }
            At::Entries { indent: 0 } if indent > 0 => {
                at = At::Entries { indent };
                wanted = begins(text, chart, number)?;
            }
            At::Entries { indent: own } if indent == own && !is_item => {
                done |= wanted;
                wanted = begins(text, chart, number)?;
            }
            At::Entries { indent: own } if indent < own => {
                return Err(IndexError::Malformed(format!("line {number} is indented less than the charts before it")));
            }
            _ => {}
        }
        if wanted {
            kept.extend_from_slice(&line);
        }
    }
    if !has_version {
        return Err(IndexError::Malformed("it has no `apiVersion`".to_owned()));
    }
    if !has_entries || kept.is_empty() {
        return Ok(None);
    }
    versions(&kept, chart)
}

/// Returns whether a line begins the wanted chart; each line at its place begins some chart.
fn begins(text: &[u8], chart: &str, number: u64) -> Result<bool, IndexError> {
    let (key, _) = key_of(text).ok_or_else(|| IndexError::Malformed(format!("line {number} begins no chart")))?;
    Ok(key == chart)
}

/// Splits a line at the end of its key, and takes quotes off that.
fn key_of(text: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(text).ok()?;
    let (key, value) = match text.as_bytes() {
        [quote @ (b'"' | b'\''), ..] => {
            let (key, value) = text[1..].split_once(char::from(*quote))?;
            (key, value.trim_start().strip_prefix(':')?)
        }
        _ => match text.split_once(": ") {
            Some(pair) => pair,
            None => (text.strip_suffix(':')?, ""),
        },
    };
    let value = value.trim();
    Some((key.trim_end(), if value.starts_with('#') { "" } else { value }))
}

/// Reads the lines of one chart, or of `entries` as a whole.
fn versions(lines: &[u8], chart: &str) -> Result<Option<Vec<Listed>>, IndexError> {
    let stream = plumb_yaml::parse(lines, &plumb_yaml::Options::default());
    let malformed = |error: &dyn fmt::Display| IndexError::Malformed(format!("what it says of `{chart}` cannot be read: {error}"));
    let Some(document) = stream.documents().next() else { return Ok(None) };
    let document = document.map_err(|errors| malformed(&errors.first().map(ToString::to_string).unwrap_or_default()))?;
    let root = document.root();
    let Some(list) = root.get("entries").unwrap_or(root).get(chart) else { return Ok(None) };
    let text = |node: Option<NodeRef<'_>>| node.and_then(|node| node.as_str().map(str::to_owned)).unwrap_or_default();
    let read = |node: NodeRef<'_>| Listed {
        name: text(node.get("name")),
        version: text(node.get("version")),
        urls: node.get("urls").map(|urls| urls.items().map(|url| text(Some(url))).collect()).unwrap_or_default(),
        // Whatever it was written as: a digest that is passed over would not be checked.
        digest: node.get("digest").filter(|digest| digest.kind() != Kind::Null).map(|digest| digest.text().to_owned()).unwrap_or_default(),
    };
    Ok(Some(list.items().map(read).collect()))
}

fn read_json(input: &mut dyn BufRead, chart: &str) -> Result<Option<Vec<Listed>>, IndexError> {
    let mut deserializer = serde_json::Deserializer::from_reader(input);
    let read = Index { chart }.deserialize(&mut deserializer).and_then(|index| deserializer.end().map(|()| index));
    let (has_version, versions) = read.map_err(|error| match error.classify() {
        serde_json::error::Category::Io => IndexError::Read(error.into()),
        _ => IndexError::Malformed(error.to_string()),
    })?;
    if !has_version {
        return Err(IndexError::Malformed("it has no `apiVersion`".to_owned()));
    }
    Ok(versions)
}

/// Reads a whole index and keeps one chart.
struct Index<'c> {
    chart: &'c str,
}

/// Reads `entries` and keeps one chart.
struct Entries<'c>(&'c str);

impl<'de> DeserializeSeed<'de> for Index<'_> {
    type Value = (bool, Option<Vec<Listed>>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Index<'_> {
    type Value = (bool, Option<Vec<Listed>>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index of charts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut read = (false, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "apiVersion" => read.0 = map.next_value::<Option<String>>()?.is_some_and(|version| !version.is_empty()),
                "entries" => read.1 = map.next_value_seed(Entries(self.chart))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(read)
    }
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = Option<Vec<Listed>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = Option<Vec<Listed>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("charts by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            if key == self.0 {
                let versions = map.next_value::<Option<Vec<Option<Listed>>>>()?;
                found = Some(versions.into_iter().flatten().flatten().collect());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INDEX: &str = "\
apiVersion: v1
entries:
  # the first
  alpine:
  - name: alpine
    version: 0.1.0
    urls: [alpine-0.1.0.tgz]
  \"redis\":
    - description: |
        not a chart:

        # nor a comment
      digest: aa
      name: redis
      urls:
      - https://charts.example.com/redis-1.0.0.tgz
      version: 1.0.0
    - {name: redis, version: not-a-version}
    - name: redis
      urls:
      - redis-2.0.0.tgz
      version: 2.0.0
  zookeeper:
  - name: zookeeper
    version: 1.0.0
generated: \"2024-01-01T00:00:00Z\"
";

    fn check(index: &str, chart: &str) -> Result<Option<Vec<String>>, String> {
        let read = read(&mut index.as_bytes(), chart, &Limits::default());
        read.map(|found| found.map(|all| all.into_iter().map(|listed| format!("{} {}", listed.version, listed.urls.join(","))).collect()))
            .map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn keeps_one_chart() {
        let both = vec!["1.0.0 https://charts.example.com/redis-1.0.0.tgz".to_owned(), "2.0.0 redis-2.0.0.tgz".to_owned()];
        assert_eq!(check(INDEX, "redis"), Ok(Some(both)));
        assert_eq!(check(INDEX, "alpine"), Ok(Some(vec!["0.1.0 alpine-0.1.0.tgz".to_owned()])));
        assert_eq!(check(INDEX, "zookeeper"), Ok(Some(vec!["1.0.0 ".to_owned()])));
        for name in ["not a chart", "description", "generated", "redi", ""] {
            assert_eq!(check(INDEX, name), Ok(None), "{name}");
        }
    }

    #[test]
    fn reads_every_form() {
        let one = || Ok(Some(vec!["1.0.0 a.tgz".to_owned()]));
        for index in [
            "apiVersion: v1\nentries: {a: [{name: a, version: 1.0.0, urls: [a.tgz]}]}\n",
            "{\"apiVersion\":\"v1\",\"entries\":{\"b\":[{\"version\":[1]}],\"a\":[{\"name\":\"a\",\"version\":\"1.0.0\",\"urls\":[\"a.tgz\"],\"x\":{\"y\":1}},null]}}",
            "entries:\n  a:\n  - name: a\n    version: 1.0.0\n    urls:\n    - a.tgz\napiVersion: v1\n",
            "---\r\napiVersion: v1\r\nentries:\r\n  a:\r\n  - name: a\r\n    version: 1.0.0\r\n    urls:\r\n    - a.tgz\r\n",
            "\n\napiVersion: v1 # one\nentries: # all\n  a: # a\n  - name: a\n    version: '1.0.0'\n    urls: ['a.tgz']",
        ] {
            assert_eq!(check(index, "a"), one(), "{index}");
        }
        assert_eq!(check("apiVersion: v1\nentries: {}\n", "a"), Ok(None));
        assert_eq!(check("apiVersion: v1\n", "a"), Ok(None));
    }

    #[test]
    fn what_is_no_index_says_so() {
        for index in [
            "",
            " \n",
            "<html>",
            "entries:\n  a: []\n",
            "{\"entries\":{}}",
            "{\"apiVersion\":",
            "- a\n",
            "apiVersion: v1\nentries:\n    a: []\n  b: []\n",
            "apiVersion: v1\nentries:\n  a: [\n",
        ] {
            assert!(check(index, "a").is_err(), "{index}");
        }
    }

    #[test]
    fn a_huge_index_is_read_up_to_its_limits_and_no_further_than_the_chart() {
        let limits = Limits { index_bytes: 2_000, index_entry_bytes: 200, ..Limits::default() };
        let long = |chart: usize, text: usize| {
            let mut index = "apiVersion: v1\nentries:\n".to_owned();
            for number in 0..chart {
                index += &format!("  c{number}:\n  - name: c{number}\n    version: 1.0.0\n");
            }
            index + &format!("  last:\n  - name: last\n    version: 1.0.0\n    description: {}\n", "x".repeat(text))
        };
        let read = |index: &str, chart: &str| super::read(&mut index.as_bytes(), chart, &limits);
        assert!(matches!(read(&long(1_000, 0), "last"), Err(IndexError::TooLarge { what: "the index", .. })));
        assert!(matches!(read(&long(1_000, 0), "c0"), Ok(Some(versions)) if versions.len() == 1));
        assert!(matches!(read(&long(1, 300), "last"), Err(IndexError::TooLarge { limit: 200, .. })));
        assert!(read(&long(1, 20), "last").is_ok());
    }
}
