//! Owns documents made at random: no panic, the same with and without the line reader, and spans that point into the text.

use plumb_yaml::{Kind, NodeRef, Style, parse};
use proptest::prelude::*;

use crate::{answers, options};

/// Pieces of YAML that mean something to a scanner.
const PIECES: &[&str] = &[
    " ",
    "  ",
    "\n",
    "\n  ",
    "\n- ",
    "- ",
    ": ",
    ":",
    "?",
    "? ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    " #",
    "&a ",
    "*a",
    "*a ",
    "!",
    "!!str ",
    "!!int ",
    "!!binary ",
    "|",
    ">",
    "|-\n",
    ">+2\n",
    "'",
    "\"",
    "''",
    "\\",
    "\\n",
    "\\x41",
    "%",
    "%YAML 1.1\n",
    "%TAG ! x\n",
    "@",
    "`",
    "---",
    "\n---\n",
    "\n...\n",
    "<<: ",
    "<<: *a\n",
    "~",
    "null",
    "yes",
    "0755",
    "0x1F",
    "1_0",
    ".5",
    "1e3",
    "\t",
    "\r",
    "\r\n",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "é",
    "日本",
    "a",
    "b: c\n",
    "key",
    "-",
    "--",
    "...",
    "\0",
    "\u{7f}",
    "'a': ",
    "\"b\": ",
    "\n\n",
    "      ",
    "!<tag:yaml.org,2002:int> ",
    "- - ",
    "- a: b\n",
    "&x",
    "\\\n",
    "!!float 1",
    "!!null x",
    "2001-01-01",
    "[]",
    "{}",
    "{a: b}",
    "a: |\n  x\n y\n",
    "y",
    "n",
    "on",
    "1",
    "-1",
    "+1",
    ".inf",
    ".nan",
];

/// A small generator of its own: the comparison with Go must be the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit.max(1)
    }
}

pub(crate) fn random_document(random: &mut Random) -> Vec<u8> {
    (0..1 + random.below(24)).flat_map(|_| PIECES[random.below(PIECES.len())].bytes()).collect()
}

pub(crate) fn mutate(random: &mut Random, text: &mut Vec<u8>) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(text.len() + 1);
        let piece = PIECES[random.below(PIECES.len())];
        let end = |length: usize| text.len().min(at + length);
        match random.below(6) {
            0 => _ = text.drain(at..end(random.below(8))),
            1 | 2 => _ = text.splice(at..at, piece.bytes()),
            3 => _ = text.splice(at..end(piece.len()), piece.bytes()),
            4 => {
                let copy = text[at..end(1 + random.below(20))].to_vec();
                let to = random.below(text.len() + 1);
                text.splice(to..to, copy);
            }
            _ => {
                if let Some(byte) = text.get_mut(at) {
                    *byte = b" \n:-#[]{},&*!|>'\"%@`\ta0"[random.below(23)];
                }
            }
        }
    }
}

/// Everything a reading must keep to, whatever the text.
fn check(text: &[u8]) {
    let stream = parse(text, &options(true));
    assert_eq!(answers(&stream), answers(&parse(text, &options(false))), "{:?}", String::from_utf8_lossy(text));
    for document in stream.documents().flatten() {
        check_spans(document.root(), stream.text());
        check_spans(document.raw(), stream.text());
    }
    for error in stream.errors() {
        assert!(error.span.start <= error.span.end && error.span.end as usize <= stream.text().len(), "{error:?}");
        stream.position(error.span.start);
    }
}

fn check_spans(root: NodeRef<'_>, text: &str) {
    let mut left = vec![root];
    while let Some(node) = left.pop() {
        let span = node.span();
        let written = text.get(span.start as usize..span.end as usize);
        assert!(written.is_some(), "{node:?} is no range of the text");
        if node.style() == Style::Plain
            && !matches!(node.kind(), Kind::Alias)
            && !written.unwrap().contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
        {
            assert_eq!(written, Some(node.text()), "{node:?}");
        }
        left.extend(node.items());
        left.extend(node.entries().flat_map(|entry| [entry.key, entry.value]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        check(&text);
    }

    #[test]
    fn any_pieces_are_read(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..30)) {
        check(pieces.concat().as_bytes());
    }

    #[test]
    fn mutations_are_read(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let mut text = b"apiVersion: v1\nkind: List\nitems:\n- a: &a {b: c}\n  d:\n  - 'e'\n  - <<: *a\n    f: |\n      g\n---\nh: \"i\\n\"\n".to_vec();
        mutate(&mut random, &mut text);
        check(&text);
    }
}
