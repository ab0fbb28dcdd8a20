//! Owns Masterminds' semver, version 3.5.0: versions, their order, constraints, and the library's error texts
//! (github.com/Masterminds/semver/v3, version.go and constraints.go).
//!
//! The library reads with regular expressions. Here they are scanners: each of its patterns is unambiguous, so taking as much as fits gives the
//! same parts.

use std::cmp::Ordering;

use crate::strconv;

/// Bytes of a version.
const MAX_VERSION_LEN: usize = 256;
/// Bytes of a constraint.
const MAX_CONSTRAINT_LEN: usize = 512;
/// Alternatives of a constraint.
const MAX_CONSTRAINT_GROUPS: usize = 32;

/// A version.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Version {
    /// First number.
    pub major: u64,
    /// Second number.
    pub minor: u64,
    /// Third number.
    pub patch: u64,
    /// What follows `-`, without it.
    pub pre: String,
    /// What follows `+`, without it.
    pub metadata: String,
    /// As it was written.
    pub original: String,
}

/// Why a text is no version or no constraint: the library's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// It does not look like a version.
    #[error("invalid semantic version")]
    Invalid,
    /// Nothing was given.
    #[error("version string empty")]
    Empty,
    /// A number has something else in it.
    #[error("invalid characters in version")]
    Characters,
    /// A number begins with 0.
    #[error("version segment starts with 0")]
    LeadingZero,
    /// What follows `+` is wrong.
    #[error("invalid metadata string")]
    Metadata,
    /// What follows `-` is wrong.
    #[error("invalid prerelease string")]
    Prerelease,
    /// Too many bytes.
    #[error("version string is too long (max {MAX_VERSION_LEN} bytes)")]
    VersionTooLong,
    /// A number does not fit.
    #[error("error parsing version segment: strconv.ParseUint: parsing {}: value out of range", strconv::quote(.0))]
    Segment(String),
    /// A number does not fit, where the library says nothing around it.
    #[error("strconv.ParseUint: parsing {}: {}", strconv::quote(.0), .1)]
    Number(String, strconv::NumberError),
    /// It does not look like a constraint.
    #[error("improper constraint: {}", strconv::quote_bytes(.0))]
    Improper(Vec<u8>),
    /// A constraint's version is none.
    #[error("constraint parser error")]
    Constraint,
    /// Too many bytes.
    #[error("constraint string is too long (max {MAX_CONSTRAINT_LEN} bytes)")]
    ConstraintTooLong,
    /// Too many alternatives.
    #[error("too many constraint groups (max {MAX_CONSTRAINT_GROUPS})")]
    TooManyGroups,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if !self.metadata.is_empty() {
            write!(f, "+{}", self.metadata)?;
        }
        Ok(())
    }
}

impl Version {
    /// Returns what `NewVersion` does with something like a version: `1`, `v1.2` and leading zeros are allowed.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let text = text.as_bytes();
        if text.len() > MAX_VERSION_LEN {
            return Err(VersionError::VersionTooLong);
        }
        let parts = Parts::scan(text, |byte| byte.is_ascii_digit()).filter(|parts| parts.len == text.len()).ok_or(VersionError::Invalid)?;
        let number = |part: &[u8]| -> Result<u64, VersionError> {
            // Digits only, so no number means one that does not fit.
            let part = ascii(part);
            if part.is_empty() { Ok(0) } else { part.parse().map_err(|_| VersionError::Segment(part.to_owned())) }
        };
        let version = Self {
            major: number(parts.major)?,
            minor: number(parts.minor)?,
            patch: number(parts.patch)?,
            pre: ascii(parts.pre).to_owned(),
            metadata: ascii(parts.metadata).to_owned(),
            original: ascii(text).to_owned(),
        };
        if !version.pre.is_empty() {
            check_pre(&version.pre)?;
        }
        if !version.metadata.is_empty() {
            check_metadata(&version.metadata)?;
        }
        Ok(version)
    }

    /// Returns what `StrictNewVersion` does: three numbers without leading zeros.
    pub fn parse_strict(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError::Empty);
        }
        if text.len() > MAX_VERSION_LEN {
            return Err(VersionError::VersionTooLong);
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return Err(VersionError::Invalid) };
        let (rest, metadata) = rest.split_once('+').map_or((rest, None), |(rest, metadata)| (rest, Some(metadata)));
        if let Some(metadata) = metadata {
            check_metadata(metadata)?;
        }
        let (patch, pre) = rest.split_once('-').map_or((rest, None), |(patch, pre)| (patch, Some(pre)));
        if let Some(pre) = pre {
            check_pre(pre)?;
        }
        for part in [major, minor, patch] {
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(VersionError::Characters);
            }
            if part.len() > 1 && part.starts_with('0') {
                return Err(VersionError::LeadingZero);
            }
        }
        let number = |part: &str| strconv::parse_uint(part, 10).map_err(|error| VersionError::Number(part.to_owned(), error));
        Ok(Self {
            major: number(major)?,
            minor: number(minor)?,
            patch: number(patch)?,
            pre: pre.unwrap_or("").to_owned(),
            metadata: metadata.unwrap_or("").to_owned(),
            original: text.to_owned(),
        })
    }

    /// Returns the order of two versions; metadata does not count.
    pub fn compare(&self, other: &Self) -> Ordering {
        let numbers = (self.major, self.minor, self.patch).cmp(&(other.major, other.minor, other.patch));
        numbers.then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_pre(&self.pre, &other.pre),
        })
    }

    /// Returns the next patch version; nothing when the number would not fit. A pre-release goes to its own release.
    pub fn next_patch(&self) -> Option<Self> {
        let patch = if self.pre.is_empty() { self.patch.checked_add(1)? } else { self.patch };
        Some(self.next(self.major, self.minor, patch))
    }

    /// Returns the next minor version; nothing when the number would not fit.
    pub fn next_minor(&self) -> Option<Self> {
        Some(self.next(self.major, self.minor.checked_add(1)?, 0))
    }

    /// Returns the next major version; nothing when the number would not fit.
    pub fn next_major(&self) -> Option<Self> {
        Some(self.next(self.major.checked_add(1)?, 0, 0))
    }

    fn next(&self, major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch, ..Self::default() }.written_like(self)
    }

    /// Returns the version with another pre-release.
    pub fn with_pre(&self, pre: &str) -> Result<Self, VersionError> {
        if !pre.is_empty() {
            check_pre(pre)?;
        }
        Ok(Self { pre: pre.to_owned(), ..self.clone() }.written_like(self))
    }

    /// Returns the version with other metadata.
    pub fn with_metadata(&self, metadata: &str) -> Result<Self, VersionError> {
        if !metadata.is_empty() {
            check_metadata(metadata)?;
        }
        Ok(Self { metadata: metadata.to_owned(), ..self.clone() }.written_like(self))
    }

    /// With a `v` in front if the other has one.
    fn written_like(mut self, other: &Self) -> Self {
        let prefix = if other.original.starts_with('v') { "v" } else { "" };
        self.original = format!("{prefix}{self}");
        self
    }
}

/// What the scanners give is ASCII.
fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or("")
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn check_pre(pre: &str) -> Result<(), VersionError> {
    for part in pre.split('.') {
        if part.is_empty() {
            return Err(VersionError::Prerelease);
        }
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            if part.len() > 1 && part.starts_with('0') {
                return Err(VersionError::LeadingZero);
            }
        } else if !part.bytes().all(is_identifier) {
            return Err(VersionError::Prerelease);
        }
    }
    Ok(())
}

fn check_metadata(metadata: &str) -> Result<(), VersionError> {
    let good = metadata.split('.').all(|part| !part.is_empty() && part.bytes().all(is_identifier));
    if good { Ok(()) } else { Err(VersionError::Metadata) }
}

/// Compares what follows `-`, part by part; the library gives an absent part the empty text.
fn compare_pre(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (one, other) => (one.unwrap_or(""), other.unwrap_or("")),
        };
        let order = compare_pre_part(one, other);
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_pre_part(one: &str, other: &str) -> Ordering {
    if one == other {
        return Ordering::Equal;
    }
    if one.is_empty() || other.is_empty() {
        return one.len().cmp(&other.len());
    }
    match (strconv::parse_uint(one, 10), strconv::parse_uint(other, 10)) {
        (Err(_), Err(_)) => one.cmp(other),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Ok(one), Ok(other)) if one > other => Ordering::Greater,
        (Ok(_), Ok(_)) => Ordering::Less,
    }
}

/// The parts of something like a version.
#[derive(Clone, Copy, Debug, Default)]
struct Parts<'t> {
    /// All of it.
    whole: &'t [u8],
    len: usize,
    major: &'t [u8],
    minor: &'t [u8],
    patch: &'t [u8],
    pre: &'t [u8],
    metadata: &'t [u8],
}

impl<'t> Parts<'t> {
    /// Takes as much as looks like a version, its numbers made of what `class` allows.
    fn scan(text: &'t [u8], class: impl Fn(u8) -> bool) -> Option<Self> {
        let run = |at: usize| text.get(at..).unwrap_or(&[]).iter().take_while(|byte| class(**byte)).count();
        let mut at = usize::from(text.first() == Some(&b'v'));
        let mut parts = Self::default();
        let len = run(at);
        if len == 0 {
            return None;
        }
        parts.major = &text[at..at + len];
        at += len;
        for nth in 0..2 {
            let len = if text.get(at) == Some(&b'.') { run(at + 1) } else { 0 };
            if len == 0 {
                break;
            }
            let part = &text[at + 1..at + 1 + len];
            if nth == 0 {
                parts.minor = part;
            } else {
                parts.patch = part;
            }
            at += 1 + len;
        }
        for (sign, part) in [(b'-', &mut parts.pre), (b'+', &mut parts.metadata)] {
            if text.get(at) == Some(&sign) {
                let len = identifiers(&text[at + 1..]);
                if len > 0 {
                    *part = &text[at + 1..at + 1 + len];
                    at += 1 + len;
                }
            }
        }
        (parts.whole, parts.len) = (&text[..at], at);
        Some(parts)
    }
}

/// How far identifiers with dots between them go.
fn identifiers(text: &[u8]) -> usize {
    let run = |at: usize| text.get(at..).unwrap_or(&[]).iter().take_while(|byte| is_identifier(**byte)).count();
    let mut at = run(0);
    while at > 0 && text.get(at) == Some(&b'.') {
        let len = run(at + 1);
        if len == 0 {
            break;
        }
        at += 1 + len;
    }
    at
}

/// Which way a constraint compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// One comparison.
#[derive(Clone, Debug)]
struct Comparison {
    operator: Operator,
    /// The operator and the version as written.
    written: (Box<str>, Box<str>),
    version: Version,
    /// There is a wildcard, or a number is left out.
    dirty: bool,
    minor_dirty: bool,
    patch_dirty: bool,
}

/// Constraints that a version may be checked against: alternatives of comparisons that must all hold.
#[derive(Clone, Debug)]
pub struct Constraints {
    groups: Vec<Vec<Comparison>>,
    /// Whether pre-releases count even where no comparison names one.
    pub include_prerelease: bool,
}

impl Constraints {
    /// Returns what `NewConstraint` does.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_CONSTRAINT_LEN {
            return Err(VersionError::ConstraintTooLong);
        }
        let text = rewrite_ranges(text.as_bytes());
        let alternatives = split_alternatives(&text);
        if alternatives.len() > MAX_CONSTRAINT_GROUPS {
            return Err(VersionError::TooManyGroups);
        }
        let groups = alternatives.into_iter().map(group).collect::<Result<_, _>>()?;
        Ok(Self { groups, include_prerelease: false })
    }

    /// Returns whether a version satisfies them.
    pub fn check(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            let pre = self.counts_pre(group);
            group.iter().all(|comparison| comparison.check(version, pre).is_ok())
        })
    }

    /// Returns why a version does not satisfy them, one sentence for each comparison that fails; nothing when it does.
    pub fn validate(&self, version: &Version) -> Vec<String> {
        let (mut reasons, mut told) = (Vec::new(), false);
        for group in &self.groups {
            let (before, pre) = (reasons.len(), self.counts_pre(group));
            let mut holds = true;
            for comparison in group {
                if !pre && !version.pre.is_empty() {
                    if !told {
                        reasons.push(only_releases(version));
                        told = true;
                    }
                    holds = false;
                } else if let Err(reason) = comparison.check(version, pre) {
                    reasons.push(reason);
                }
            }
            if holds && reasons.len() == before {
                return Vec::new();
            }
        }
        reasons
    }

    fn counts_pre(&self, group: &[Comparison]) -> bool {
        self.include_prerelease || group.iter().any(|comparison| !comparison.version.pre.is_empty())
    }
}

impl std::fmt::Display for Constraints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, group) in self.groups.iter().enumerate() {
            if nth > 0 {
                f.write_str(" || ")?;
            }
            for (nth, comparison) in group.iter().enumerate() {
                let space = if nth > 0 { " " } else { "" };
                write!(f, "{space}{}{}", comparison.written.0, comparison.written.1)?;
            }
        }
        Ok(())
    }
}

fn split_alternatives(text: &[u8]) -> Vec<&[u8]> {
    let (mut parts, mut from, mut at) = (Vec::new(), 0, 0);
    while at + 1 < text.len() {
        if &text[at..at + 2] == b"||" {
            parts.push(&text[from..at]);
            at += 2;
            from = at;
        } else {
            at += 1;
        }
    }
    parts.push(&text[from..]);
    parts
}

/// `\s` of Go's expressions.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

fn spaces(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_space(**byte)).count()
}

/// What the numbers of a constraint are made of; the library's pattern lets `|` through.
fn is_wild_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'|' | b'x' | b'X' | b'*')
}

/// `1.2 - 2` becomes `>= 1.2, <= 2 `.
fn rewrite_ranges(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut at = 0;
    while at < text.len() {
        let Some((len, low, high)) = range_at(&text[at..]) else {
            at += 1;
            continue;
        };
        let (found, new) = (&text[at..at + len], [b">= ", low, b", <= ", high, b" "].concat());
        if let Some(place) = out.windows(len).position(|window| window == found) {
            out.splice(place..place + len, new);
        }
        at += len;
    }
    out
}

fn range_at(text: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let mut at = spaces(text);
    let low = Parts::scan(&text[at..], is_wild_digit)?;
    at += low.len;
    let before = spaces(&text[at..]);
    at += before;
    let dash = before > 0 && text.get(at) == Some(&b'-');
    let after = spaces(text.get(at + 1..)?);
    if !dash || after == 0 {
        return None;
    }
    at += 1 + after;
    let high = Parts::scan(&text[at..], is_wild_digit)?;
    at += high.len;
    at += spaces(&text[at..]);
    Some((at, low.whole, high.whole))
}

fn group(text: &[u8]) -> Result<Vec<Comparison>, VersionError> {
    let improper = || VersionError::Improper(text.to_vec());
    let (mut group, mut at) = (Vec::new(), 0);
    loop {
        at += spaces(&text[at..]);
        let (operator, len) = operator(&text[at..]).ok_or_else(improper)?;
        let written = ascii(&text[at..at + len]);
        at += len;
        at += spaces(&text[at..]);
        let parts = Parts::scan(&text[at..], is_wild_digit).ok_or_else(improper)?;
        at += parts.len;
        group.push((operator, written, parts));
        let between = spaces(&text[at..]);
        at += between;
        match text.get(at) {
            None => break,
            Some(b',') => at += 1,
            Some(_) if between > 0 => {}
            Some(_) => return Err(improper()),
        }
    }
    group.into_iter().map(|(operator, written, parts)| comparison(operator, written, &parts)).collect()
}

fn operator(text: &[u8]) -> Option<(Operator, usize)> {
    let len = text.iter().take_while(|byte| b"=!<>~^".contains(byte)).count();
    let operator = match &text[..len] {
        b"" | b"=" => Operator::Equal,
        b"!=" => Operator::NotEqual,
        b">" => Operator::Greater,
        b"<" => Operator::Less,
        b">=" | b"=>" => Operator::GreaterEqual,
        b"<=" | b"=<" => Operator::LessEqual,
        b"~" | b"~>" => Operator::Tilde,
        b"^" => Operator::Caret,
        _ => return None,
    };
    Some((operator, len))
}

fn comparison(operator: Operator, written: &str, parts: &Parts<'_>) -> Result<Comparison, VersionError> {
    let wild = |part: &[u8]| matches!(part, b"" | b"x" | b"X" | b"*");
    let pre = if parts.pre.is_empty() { String::new() } else { format!("-{}", ascii(parts.pre)) };
    let (major, minor) = (ascii(parts.major), ascii(parts.minor));
    let (text, dirty, minor_dirty, patch_dirty) = if wild(parts.major) {
        (format!("0.0.0{pre}"), true, false, false)
    } else if wild(parts.minor) {
        (format!("{major}.0.0{pre}"), true, true, false)
    } else if wild(parts.patch) {
        (format!("{major}.{minor}.0{pre}"), true, false, true)
    } else {
        (ascii(parts.whole).to_owned(), false, false, false)
    };
    let version = Version::parse(&text).map_err(|_| VersionError::Constraint)?;
    Ok(Comparison { operator, written: (written.into(), ascii(parts.whole).into()), version, dirty, minor_dirty, patch_dirty })
}

fn quoted(version: &Version) -> String {
    strconv::quote(&version.to_string())
}

fn only_releases(version: &Version) -> String {
    format!("{} is a prerelease version and the constraint is only looking for release versions", quoted(version))
}

/// Why a comparison fails: what stands between the version and the constraint's, and what follows.
#[derive(Clone, Copy)]
struct Problem(&'static str, &'static str);

const fn plain(text: &'static str) -> Option<Problem> {
    Some(Problem(text, ""))
}

impl Comparison {
    /// Returns whether it holds, or why not.
    fn check(&self, version: &Version, pre: bool) -> Result<(), String> {
        if !version.pre.is_empty() && !pre {
            return Err(only_releases(version));
        }
        let problem = match self.operator {
            Operator::Equal if self.dirty => self.tilde(version),
            Operator::Equal if version.compare(&self.version) == Ordering::Equal => None,
            Operator::Equal => plain("is not equal to"),
            Operator::NotEqual => self.not_equal(version),
            Operator::Greater => self.greater(version),
            Operator::Less if version.compare(&self.version) == Ordering::Less => None,
            Operator::Less => plain("is greater than or equal to"),
            Operator::GreaterEqual if version.compare(&self.version) != Ordering::Less => None,
            Operator::GreaterEqual => plain("is less than"),
            Operator::LessEqual => self.less_equal(version),
            Operator::Tilde => self.tilde(version),
            Operator::Caret => self.caret(version),
        };
        match problem {
            None => Ok(()),
            Some(problem) => Err(format!("{} {} {}{}", quoted(version), problem.0, strconv::quote(&self.written.1), problem.1)),
        }
    }

    fn not_equal(&self, version: &Version) -> Option<Problem> {
        const EQUAL: Option<Problem> = plain("is equal to");
        let wanted = &self.version;
        if self.dirty {
            if wanted.major != version.major {
                return None;
            }
            if wanted.minor != version.minor && !self.minor_dirty {
                return None;
            }
            if self.minor_dirty {
                return EQUAL;
            }
            if wanted.patch != version.patch && !self.patch_dirty {
                return None;
            }
            if self.patch_dirty {
                let differs = compare_pre(&version.pre, &wanted.pre) != Ordering::Equal;
                return if differs { None } else { EQUAL };
            }
        }
        if version.compare(wanted) == Ordering::Equal { EQUAL } else { None }
    }

    fn greater(&self, version: &Version) -> Option<Problem> {
        let wanted = &self.version;
        let greater = match version.major.cmp(&wanted.major) {
            Ordering::Greater if self.dirty => true,
            Ordering::Less if self.dirty => false,
            // `>11` is 12 and more, `>11.1` is 11.2 and more.
            _ if self.minor_dirty => false,
            _ if self.patch_dirty => version.minor > wanted.minor,
            _ => version.compare(wanted) == Ordering::Greater,
        };
        if greater { None } else { plain("is less than or equal to") }
    }

    fn less_equal(&self, version: &Version) -> Option<Problem> {
        let wanted = &self.version;
        let greater = if self.dirty {
            version.major > wanted.major || version.major == wanted.major && version.minor > wanted.minor && !self.minor_dirty
        } else {
            version.compare(wanted) == Ordering::Greater
        };
        if greater { plain("is greater than") } else { None }
    }

    fn tilde(&self, version: &Version) -> Option<Problem> {
        let wanted = &self.version;
        if version.compare(wanted) == Ordering::Less {
            return plain("is less than");
        }
        // `~0.0.0` takes every version.
        if (wanted.major, wanted.minor, wanted.patch) == (0, 0, 0) && !self.minor_dirty && !self.patch_dirty {
            return None;
        }
        if version.major != wanted.major {
            return plain("does not have same major version as");
        }
        if version.minor != wanted.minor && !self.minor_dirty {
            return plain("does not have same major and minor version as");
        }
        None
    }

    fn caret(&self, version: &Version) -> Option<Problem> {
        let wanted = &self.version;
        let unless = |good: bool, problem: Problem| if good { None } else { Some(problem) };
        if version.compare(wanted) == Ordering::Less {
            return plain("is less than");
        }
        if wanted.major > 0 || self.minor_dirty {
            return unless(version.major == wanted.major, Problem("does not have same major version as", ""));
        }
        if version.major > 0 {
            return plain("does not have same major version as");
        }
        if wanted.minor > 0 || self.patch_dirty {
            return unless(
                version.minor == wanted.minor,
                Problem("does not have same minor version as", ". Expected minor versions to match when constraint major version is 0"),
            );
        }
        if version.minor > 0 {
            return plain("does not have same minor version as");
        }
        unless(
            wanted.patch == version.patch,
            Problem("does not equal", ". Expect version and constraint to equal when major and minor versions are 0"),
        )
    }
}

#[cfg(test)]
mod tests {
    //! The answers are those of github.com/Masterminds/semver/v3 at 3.5.0.

    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, expect) in [
            (r#"1.2.3"#, Ok(r#"1.2.3"#)),
            (r#"v1.2"#, Ok(r#"1.2.0"#)),
            (r#"1"#, Ok(r#"1.0.0"#)),
            (r#"1.2.3-beta.1"#, Ok(r#"1.2.3-beta.1"#)),
            (r#"1.2.3+meta"#, Ok(r#"1.2.3+meta"#)),
            (r#"v1.2.3-a.b+c.d-e"#, Ok(r#"1.2.3-a.b+c.d-e"#)),
            (r#"01.02.03"#, Ok(r#"1.2.3"#)),
            (r#"1.2.3.4"#, Err(r#"invalid semantic version"#)),
            (r#""#, Err(r#"invalid semantic version"#)),
            (r#"abc"#, Err(r#"invalid semantic version"#)),
            (r#"1.2.3-01"#, Err(r#"version segment starts with 0"#)),
            (r#"1.2.3-"#, Err(r#"invalid semantic version"#)),
            (r#"1.2.3-a..b"#, Err(r#"invalid semantic version"#)),
            (
                r#"99999999999999999999"#,
                Err(r#"error parsing version segment: strconv.ParseUint: parsing "99999999999999999999": value out of range"#),
            ),
            (r#"1.2.3+"#, Err(r#"invalid semantic version"#)),
            (r#"1.-2"#, Err(r#"invalid semantic version"#)),
            (r#"v"#, Err(r#"invalid semantic version"#)),
            (r#"V1.2.3"#, Err(r#"invalid semantic version"#)),
            (r#"1.2.3-0"#, Ok(r#"1.2.3-0"#)),
            (r#"1.2.3--"#, Ok(r#"1.2.3--"#)),
            (r#"1.2-rc1"#, Ok(r#"1.2.0-rc1"#)),
            (r#"1+x"#, Ok(r#"1.0.0+x"#)),
            (r#"1.28.0-gke.100"#, Ok(r#"1.28.0-gke.100"#)),
            (r#" 1.2.3"#, Err(r#"invalid semantic version"#)),
            (r#"1.2.3-é"#, Err(r#"invalid semantic version"#)),
        ] {
            let found = Version::parse(text).map(|version| version.to_string()).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expect, "{text}");
        }
        assert_eq!(Version::parse(&"1".repeat(257)).unwrap_err().to_string(), "version string is too long (max 256 bytes)");
    }

    #[test]
    fn strict_versions_are_read() {
        for (text, expect) in [
            (r#"1.2.3"#, Ok(r#"1.2.3"#)),
            (r#"v1.2"#, Err(r#"invalid semantic version"#)),
            (r#"1"#, Err(r#"invalid semantic version"#)),
            (r#"1.2.3-beta.1"#, Ok(r#"1.2.3-beta.1"#)),
            (r#"1.2.3+meta"#, Ok(r#"1.2.3+meta"#)),
            (r#"v1.2.3-a.b+c.d-e"#, Err(r#"invalid characters in version"#)),
            (r#"01.02.03"#, Err(r#"version segment starts with 0"#)),
            (r#"1.2.3.4"#, Err(r#"invalid characters in version"#)),
            (r#""#, Err(r#"version string empty"#)),
            (r#"abc"#, Err(r#"invalid semantic version"#)),
            (r#"1.2.3-01"#, Err(r#"version segment starts with 0"#)),
            (r#"1.2.3-"#, Err(r#"invalid prerelease string"#)),
            (r#"1.2.3-a..b"#, Err(r#"invalid prerelease string"#)),
            (r#"99999999999999999999"#, Err(r#"invalid semantic version"#)),
            (r#"1.2.3+"#, Err(r#"invalid metadata string"#)),
            (r#"1.-2"#, Err(r#"invalid semantic version"#)),
            (r#"v"#, Err(r#"invalid semantic version"#)),
            (r#"V1.2.3"#, Err(r#"invalid characters in version"#)),
            (r#"1.2.3-0"#, Ok(r#"1.2.3-0"#)),
            (r#"1.2.3--"#, Ok(r#"1.2.3--"#)),
            (r#"1.2-rc1"#, Err(r#"invalid semantic version"#)),
            (r#"1+x"#, Err(r#"invalid semantic version"#)),
            (r#"1.28.0-gke.100"#, Ok(r#"1.28.0-gke.100"#)),
            (r#" 1.2.3"#, Err(r#"invalid characters in version"#)),
            (r#"1.2.3-é"#, Err(r#"invalid prerelease string"#)),
        ] {
            let found = Version::parse_strict(text).map(|version| version.to_string()).map_err(|error| error.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expect, "{text}");
        }
    }

    #[test]
    fn constraints_hold_for_the_same_versions() {
        const VERSIONS: [&str; 19] = [
            "1.2.3",
            "1.2.4",
            "1.3.0",
            "2.0.0",
            "0.2.3",
            "0.2.5",
            "0.0.3",
            "0.0.4",
            "0.1.0",
            "1.2.3-beta.1",
            "1.2.3-beta.10",
            "1.3.0-alpha",
            "11.1.0",
            "12.0.0",
            "1.19.0",
            "1.19.0-0",
            "1.28.0-gke.1",
            "5.0.1",
            "0.0.0",
        ];
        for (text, expect) in [
            (r#">=1.19-0"#, Ok((r#">=1.19-0"#, "0001000000001111110"))),
            (r#"^1.2.3"#, Ok((r#"^1.2.3"#, "1110000000000010000"))),
            (r#"~1.2"#, Ok((r#"~1.2"#, "1100000000000000000"))),
            (r#"1.x"#, Ok((r#"1.x"#, "1110000000000010000"))),
            (r#"*"#, Ok((r#"*"#, "1111111110001110011"))),
            (r#"x"#, Ok((r#"x"#, "1111111110001110011"))),
            (r#">1.2"#, Ok((r#">1.2"#, "0011000000001110010"))),
            (r#">11"#, Ok((r#">11"#, "0000000000000100000"))),
            (r#">= 1.0, < 2.0"#, Ok((r#">=1.0 <2.0"#, "1110000000000010000"))),
            (r#">=1.0 <2.0"#, Ok((r#">=1.0 <2.0"#, "1110000000000010000"))),
            (r#"1.0 - 2.0"#, Ok((r#">=1.0 <=2.0"#, "1111000000000010000"))),
            (r#"1.2.3 - 2.3.4 || 5"#, Ok((r#">=1.2.3 <=2.3.4 || 5"#, "1111000000000010010"))),
            (r#"!=1.2.3"#, Ok((r#"!=1.2.3"#, "0111111110001110011"))),
            (r#"!=1.2.x"#, Ok((r#"!=1.2.x"#, "0011111110001110011"))),
            (r#"!=1.x"#, Ok((r#"!=1.x"#, "0001111110001100011"))),
            (r#"=1.2"#, Ok((r#"=1.2"#, "1100000000000000000"))),
            (r#"=>1"#, Ok((r#"=>1"#, "1111000000001110010"))),
            (r#"=<2"#, Ok((r#"=<2"#, "1111111110000010001"))),
            (r#"~>1.2.3"#, Ok((r#"~>1.2.3"#, "1100000000000000000"))),
            (r#"^0.2.3"#, Ok((r#"^0.2.3"#, "0000110000000000000"))),
            (r#"^0.0.3"#, Ok((r#"^0.0.3"#, "0000001000000000000"))),
            (r#"^0.0"#, Ok((r#"^0.0"#, "0000001100000000001"))),
            (r#"^0"#, Ok((r#"^0"#, "0000111110000000001"))),
            (r#"<=1"#, Ok((r#"<=1"#, "1110111110000010001"))),
            (r#"<=1.2"#, Ok((r#"<=1.2"#, "1100111110000000001"))),
            (r#"<1.2.3-0"#, Ok((r#"<1.2.3-0"#, "0000111110000000001"))),
            (r#""#, Err(r#"improper constraint: """#)),
            (r#"1.0<2.0"#, Err(r#"improper constraint: "1.0<2.0""#)),
            (r#">>1"#, Err(r#"improper constraint: ">>1""#)),
            (r#"1|2"#, Err(r#"constraint parser error"#)),
            (r#"1,"#, Err(r#"improper constraint: "1,""#)),
            (r#"1 , 2"#, Ok((r#"1 2"#, "0000000000000000000"))),
            (r#"a"#, Err(r#"improper constraint: "a""#)),
            (r#"^1.2.3-beta.1"#, Ok((r#"^1.2.3-beta.1"#, "1110000001110011100"))),
            (r#">=1.2.3-alpha <1.3"#, Ok((r#">=1.2.3-alpha <1.3"#, "1100000001110000000"))),
            (r#"~0.0.0"#, Ok((r#"~0.0.0"#, "1111111110001110011"))),
            (r#"1.2.3.4 - 5"#, Err(r#"improper constraint: "1.>= 2.3.4, <= 5 ""#)),
            (r#">= v1.2"#, Ok((r#">=v1.2"#, "1111000000001110010"))),
            (r#">=1.2.3+meta"#, Ok((r#">=1.2.3+meta"#, "1111000000001110010"))),
            (r#"1.2.3-"#, Err(r#"improper constraint: "1.2.3-""#)),
            (r#">1.x"#, Ok((r#">1.x"#, "0001000000001100010"))),
            (r#"||1"#, Err(r#"improper constraint: """#)),
            (r#"^*"#, Ok((r#"^*"#, "0000000000000000001"))),
            (r#"1.2.*.3"#, Err(r#"improper constraint: "1.2.*.3""#)),
            (r#"~1.2.3-beta"#, Ok((r#"~1.2.3-beta"#, "1100000001100000000"))),
            (r#"!=1.2.x-beta"#, Ok((r#"!=1.2.x-beta"#, "1111111111111111111"))),
            (r#"<0.0.0-0"#, Ok((r#"<0.0.0-0"#, "0000000000000000000"))),
            (r#"=1.2.3-alpha.1"#, Ok((r#"=1.2.3-alpha.1"#, "0000000000000000000"))),
            (r#" >=1.2 "#, Ok((r#">=1.2"#, "1111000000001110010"))),
        ] {
            let found = Constraints::parse(text).map_err(|error| error.to_string()).map(|constraints| {
                let holds = |version: &&str| constraints.check(&Version::parse(version).unwrap());
                (constraints.to_string(), VERSIONS.iter().map(|version| if holds(version) { '1' } else { '0' }).collect::<String>())
            });
            assert_eq!(found, expect.map(|(shown, holds)| (shown.to_owned(), holds.to_owned())).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn reasons_are_the_librarys() {
        for (constraint, version, expect) in [
            (r#"^0.2.3"#, r#"1.2.3"#, r#""1.2.3" does not have same major version as "0.2.3""#),
            (
                r#"^0.2.3"#,
                r#"0.3.0"#,
                r#""0.3.0" does not have same minor version as "0.2.3". Expected minor versions to match when constraint major version is 0"#,
            ),
            (r#"^0.2.3"#, r#"0.0.4"#, r#""0.0.4" is less than "0.2.3""#),
            (r#"^0.2.3"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#"^0.0.3"#, r#"1.2.3"#, r#""1.2.3" does not have same major version as "0.0.3""#),
            (r#"^0.0.3"#, r#"0.3.0"#, r#""0.3.0" does not have same minor version as "0.0.3""#),
            (
                r#"^0.0.3"#,
                r#"0.0.4"#,
                r#""0.0.4" does not equal "0.0.3". Expect version and constraint to equal when major and minor versions are 0"#,
            ),
            (r#"^0.0.3"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#"^1.2"#, r#"0.3.0"#, r#""0.3.0" is less than "1.2""#),
            (r#"^1.2"#, r#"0.0.4"#, r#""0.0.4" is less than "1.2""#),
            (r#"^1.2"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#">=2"#, r#"1.2.3"#, r#""1.2.3" is less than "2""#),
            (r#">=2"#, r#"0.3.0"#, r#""0.3.0" is less than "2""#),
            (r#">=2"#, r#"0.0.4"#, r#""0.0.4" is less than "2""#),
            (r#">=2"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#"~1.9"#, r#"1.2.3"#, r#""1.2.3" is less than "1.9""#),
            (r#"~1.9"#, r#"0.3.0"#, r#""0.3.0" is less than "1.9""#),
            (r#"~1.9"#, r#"0.0.4"#, r#""0.0.4" is less than "1.9""#),
            (r#"~1.9"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#"!=1.2.3"#, r#"1.2.3"#, r#""1.2.3" is equal to "1.2.3""#),
            (r#"!=1.2.3"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#">5"#, r#"1.2.3"#, r#""1.2.3" is less than or equal to "5""#),
            (r#">5"#, r#"0.3.0"#, r#""0.3.0" is less than or equal to "5""#),
            (r#">5"#, r#"0.0.4"#, r#""0.0.4" is less than or equal to "5""#),
            (r#">5"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#"<1"#, r#"1.2.3"#, r#""1.2.3" is greater than or equal to "1""#),
            (r#"<1"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#"<=1.1"#, r#"1.2.3"#, r#""1.2.3" is greater than "1.1""#),
            (r#"<=1.1"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#"1.9"#, r#"1.2.3"#, r#""1.2.3" is less than "1.9""#),
            (r#"1.9"#, r#"0.3.0"#, r#""0.3.0" is less than "1.9""#),
            (r#"1.9"#, r#"0.0.4"#, r#""0.0.4" is less than "1.9""#),
            (r#"1.9"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (r#"~2"#, r#"1.2.3"#, r#""1.2.3" is less than "2""#),
            (r#"~2"#, r#"0.3.0"#, r#""0.3.0" is less than "2""#),
            (r#"~2"#, r#"0.0.4"#, r#""0.0.4" is less than "2""#),
            (r#"~2"#, r#"0.1.0-x"#, r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#),
            (
                r#"^0.0.3 || ^0.2"#,
                r#"1.2.3"#,
                r#""1.2.3" does not have same major version as "0.0.3"; "1.2.3" does not have same major version as "0.2""#,
            ),
            (
                r#"^0.0.3 || ^0.2"#,
                r#"0.3.0"#,
                r#""0.3.0" does not have same minor version as "0.0.3"; "0.3.0" does not have same minor version as "0.2". Expected minor versions to match when constraint major version is 0"#,
            ),
            (
                r#"^0.0.3 || ^0.2"#,
                r#"0.0.4"#,
                r#""0.0.4" does not equal "0.0.3". Expect version and constraint to equal when major and minor versions are 0; "0.0.4" is less than "0.2""#,
            ),
            (
                r#"^0.0.3 || ^0.2"#,
                r#"0.1.0-x"#,
                r#""0.1.0-x" is a prerelease version and the constraint is only looking for release versions"#,
            ),
        ] {
            let constraints = Constraints::parse(constraint).unwrap();
            assert_eq!(constraints.validate(&Version::parse(version).unwrap()).join("; "), expect);
        }
    }

    #[test]
    fn versions_have_an_order() {
        let ascending = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1",
            "1.1",
            "2",
        ];
        for pair in ascending.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(|text| Version::parse(text).unwrap());
            assert_eq!(one.compare(&other), Ordering::Less, "{pair:?}");
        }
        assert_eq!(Version::parse("1+x").unwrap().compare(&Version::parse("1").unwrap()), Ordering::Equal);
    }
}
