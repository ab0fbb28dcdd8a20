//! Owns taking a build's report apart again: the operator keeps it as the text that people read, the API lists what is in it one by one.
//! The text is that of `plumb_build::report::render` without colour.

use plumb_server::api::Problem;

const PLACE: &str = "--> ";
const HINT: &str = "= help: ";
/// How a further line of a message or a hint begins.
const CONTINUED: &str = "    ";

/// Returns the diagnostics of a report, in its order.
pub(super) fn of(report: &str) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut open = false;
    for line in report.lines() {
        match (head(line), problems.last_mut()) {
            (Some(problem), _) if !open => {
                problems.push(problem);
                open = true;
            }
            (_, Some(problem)) if open && !line.is_empty() => take(problem, line),
            _ => open = false,
        }
    }
    problems.iter_mut().for_each(finish);
    problems
}

/// `error[yaml-syntax]: mapping values are not allowed here`.
fn head(line: &str) -> Option<Problem> {
    let (severity, rest) = line.split_once('[')?;
    let (code, message) = rest.split_once("]: ")?;
    if !matches!(severity, "error" | "warning") {
        return None;
    }
    let (code, severity, message) = (code.to_owned(), severity.to_owned(), message.to_owned());
    Some(Problem { code, severity, message, place: None, excerpt: None, hints: Vec::new() })
}

fn take(problem: &mut Problem, line: &str) {
    let text = line.trim_start();
    if let Some(hint) = text.strip_prefix(HINT) {
        problem.hints.push(hint.to_owned());
    } else if let (Some(hint), Some(more)) = (problem.hints.last_mut(), line.strip_prefix(CONTINUED)) {
        more_of(hint, more);
    } else if let (None, Some(place)) = (&problem.place, text.strip_prefix(PLACE)) {
        problem.place = Some(without_source(place).to_owned());
    } else if let (None, None, Some(more)) = (&problem.place, &problem.excerpt, line.strip_prefix(CONTINUED)) {
        more_of(&mut problem.message, more);
    } else {
        more_of(problem.excerpt.get_or_insert_default(), line);
    }
}

fn more_of(text: &mut String, more: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

/// Returns `path:line:column` without the source and its revision behind it.
fn without_source(place: &str) -> &str {
    if place.ends_with(')') { place.rsplit_once(" (").map_or(place, |(place, _)| place) } else { place }
}

/// The bar between an excerpt and its hints belongs to neither.
fn finish(problem: &mut Problem) {
    if let Some(excerpt) = &mut problem.excerpt {
        let rest = excerpt.strip_suffix('|').map(|rest| rest.trim_end_matches(' ').len());
        if let Some(rest) = rest.filter(|rest| excerpt[..*rest].ends_with('\n')) {
            excerpt.truncate(rest.saturating_sub(1));
        }
    }
    problem.excerpt = problem.excerpt.take().filter(|excerpt| !excerpt.is_empty());
}

#[cfg(test)]
mod tests {
    use plumb_build::report;
    use plumb_world::{Diagnostic, FileTable, RelPath, SourceFile, Span};

    use super::*;

    #[test]
    fn a_rendered_report_is_taken_apart_again() {
        let mut files = FileTable::default();
        let text = "kind: Service\nspec:\n  greeting: a: b\n";
        let path = RelPath::parse("units/settings (old).yaml").unwrap();
        let file = files.add(SourceFile {
            source: "main".into(),
            revision: "main@sha1:4f0c".into(),
            path,
            text: text.as_bytes().into(),
            made: false,
        });
        let at = |start: u32, end: u32| Span { file, start, end };
        let syntax =
            Diagnostic::error("yaml-syntax", "mapping values are\nnot allowed here").at(at(34, 35), "here").at(at(22, 30), "the first one");
        let diagnostics = [syntax.hint("Quote the value.").hint("Or\nnot."), Diagnostic::warning("no-place", "nothing to point at")];
        let problems = of(&report::render(&diagnostics, &files, "team-a/shop", false));
        assert_eq!(problems.len(), 2, "{problems:#?}");
        let first = &problems[0];
        assert_eq!((first.code.as_str(), first.severity.as_str()), ("yaml-syntax", "error"));
        assert_eq!(first.message, "mapping values are\nnot allowed here");
        assert_eq!(first.place.as_deref(), Some("units/settings (old).yaml:3:15"));
        let excerpt = first.excerpt.as_deref().unwrap();
        assert!(
            excerpt.contains("3 |   greeting: a: b") && excerpt.contains("the first one") && excerpt.ends_with("the first one"),
            "{excerpt}"
        );
        assert_eq!(first.hints, ["Quote the value.", "Or\nnot."]);
        let second = Problem {
            code: "no-place".into(),
            severity: "warning".into(),
            message: "nothing to point at".into(),
            place: None,
            excerpt: None,
            hints: Vec::new(),
        };
        assert_eq!(problems[1], second);
    }

    #[test]
    fn other_text_has_no_problems() {
        for text in ["", "team-a/shop: 1 error", "error: something else", "note[x]: y", "\n\n"] {
            assert_eq!(of(text), [], "{text:?}");
        }
    }
}
