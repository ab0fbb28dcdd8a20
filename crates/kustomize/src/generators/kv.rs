//! Owns pairs of keys and values (`api/kv`): from literals, files and env files, each with the place it comes from.

use plumb_world::{Diagnostic, FileId, Span};

use crate::args::GeneratorArgs;
use crate::decode::Placed;
use crate::load::Loader;
use crate::problem::{Outcome, all, wrong};
use crate::run::Run;
use crate::tree::{Origin, Stamp};

/// A line of an env file that Go's scanner takes is at most this long. What comes behind a longer one is not read.
const MAX_ENV_LINE: usize = 64 * 1024 - 1;

/// A key with its value.
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    pub(super) value: Vec<u8>,
    pub(super) place: Option<Span>,
    pub(super) origin: Origin,
}

/// Returns all pairs in the order of their keys.
pub(super) fn pairs<'a>(args: &GeneratorArgs<'a>, by: &'static str, loader: &Loader, run: &Run<'a>) -> Outcome<Vec<Pair<'a>>> {
    let source = Source { by, loader, run };
    let envs = args.envs.iter().map(|path| source.env_file(*path));
    let literals = args.literals.iter().map(|literal| source.literal(*literal).map(|pair| vec![pair]));
    let files = args.files.iter().map(|file| source.file(*file).map(|pair| vec![pair]));
    let mut pairs: Vec<Pair<'a>> = all(envs.chain(literals).chain(files))?.into_iter().flatten().collect();
    // Stable, so that the first of two with one key comes first.
    pairs.sort_by_key(|pair| pair.key);
    let repeated = pairs.windows(2).filter_map(|two| match two {
        [first, again] if first.key == again.key => Some(Err(repeats(args.name, first, again).into())),
        _ => None,
    });
    all::<()>(repeated)?;
    Ok(pairs)
}

fn repeats(name: &str, first: &Pair<'_>, again: &Pair<'_>) -> Diagnostic {
    let mut mistake = wrong("generator", format!("`{name}` repeats the key `{}`", again.key), again.place);
    if let Some(place) = first.place {
        mistake = mistake.at(place, "it is here already");
    }
    mistake.hint("Give each literal, file and line of an env file a key of its own.")
}

struct Source<'s, 'a> {
    by: &'static str,
    loader: &'s Loader,
    run: &'s Run<'a>,
}

impl<'a> Source<'_, 'a> {
    /// Notes where a value is written, below the entry that names its file.
    fn origin(&self, place: Option<Span>, entry: Option<Span>) -> Origin {
        let texts = self.run.texts;
        let below = if entry == place { Origin::WRITTEN } else { texts.over(Stamp { by: self.by, place: entry }, Origin::WRITTEN) };
        texts.over(Stamp { by: self.by, place }, below)
    }

    fn literal(&self, literal: Placed<'a>) -> Outcome<Pair<'a>> {
        match literal.text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                let value = unquoted(value).as_bytes().to_vec();
                Ok(Pair { key, value, place: literal.place, origin: self.origin(literal.place, literal.place) })
            }
            _ => {
                let mistake = wrong("generator", format!("invalid literal source {}, expected key=value", literal.text), literal.place);
                Err(mistake.hint("Write a literal as `KEY=value`.").into())
            }
        }
    }

    fn file(&self, source: Placed<'a>) -> Outcome<Pair<'a>> {
        let (key, path) = self.file_source(source)?;
        let file = self.loader.file(self.run, path)?;
        let place = whole(file.id, file.bytes().len());
        Ok(Pair { key, value: file.bytes().to_vec(), place, origin: self.origin(place, source.place) })
    }

    /// Splits `[key=]path`.
    fn file_source(&self, source: Placed<'a>) -> Outcome<(&'a str, Placed<'a>)> {
        let text = source.text;
        let mistake = match text.split_once('=') {
            None => {
                let key = std::str::from_utf8(plumb_go::path::base(text.as_bytes())).unwrap_or(text);
                return Ok((if text.is_empty() { "." } else { self.run.texts.keep(key.to_owned()) }, source));
            }
            Some((_, path)) if path.contains('=') => format!("source {text:?} key name or file path contains '='"),
            Some(("", path)) => format!("missing key name for file path {path:?} in source {text:?}"),
            Some((key, "")) => format!("missing file path for key name {key:?} in source {text:?}"),
            Some((key, path)) => return Ok((key, Placed { text: path, place: source.place })),
        };
        Err(wrong("generator", mistake, source.place).hint("Write a file as `path` or as `key=path`.").into())
    }

    fn env_file(&self, path: Placed<'a>) -> Outcome<Vec<Pair<'a>>> {
        let file = self.loader.file(self.run, path)?;
        let mut pairs = Vec::new();
        let mut at = 0;
        for (number, whole_line) in file.bytes().split_inclusive(|byte| *byte == b'\n').enumerate() {
            let line = whole_line.strip_suffix(b"\n").unwrap_or(whole_line);
            let span = span(file.id, at, at + line.len());
            at += whole_line.len();
            if line.len() > MAX_ENV_LINE {
                let message = format!("line {} of `{}` is longer than 64 KiB: it and all behind it is left out", number + 1, path.text);
                self.run.warn(Diagnostic { severity: plumb_world::Severity::Warning, ..wrong("generator", message, span) });
                break;
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let Ok(text) = std::str::from_utf8(line) else {
                return Err(wrong("generator", format!("line {} of `{}` has invalid utf8 bytes", number + 1, path.text), span).into());
            };
            let text = if number == 0 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
            let text = text.trim_start();
            let (key, value) = text.split_once('=').unwrap_or((text, ""));
            if text.starts_with('#') || key.is_empty() {
                continue;
            }
            let key = self.run.texts.keep(key.to_owned());
            pairs.push(Pair { key, value: value.as_bytes().to_vec(), place: span, origin: self.origin(span, path.place) });
        }
        Ok(pairs)
    }
}

fn whole(file: FileId, len: usize) -> Option<Span> {
    span(file, 0, len)
}

fn span(file: FileId, start: usize, end: usize) -> Option<Span> {
    Some(Span { file, start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
}

/// Takes quotes off that are on both sides.
fn unquoted(text: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}
