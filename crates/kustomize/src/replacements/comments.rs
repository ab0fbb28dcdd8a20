//! Owns keeping the comments of a YAML text that was read without them, changed and written again: they go back to the lines they were at, where those
//! can be told. go-yaml keeps comments in its tree; empty lines it keeps only behind the comment that heads the document.

/// A line as it was written, with the line of the text without comments that it is.
struct Line<'t> {
    /// The comments before it.
    before: Vec<Comment<'t>>,
    /// The comment at its end.
    behind: Option<&'t str>,
}

struct Comment<'t> {
    text: &'t str,
    /// What it is indented by in the end.
    indent: usize,
    /// Whether it belongs to what is before it.
    is_foot: bool,
}

/// Puts comments back. `bare` is what was written, written again without a change; `changed` is with it. Nothing if the lines cannot be matched.
pub(super) fn put_back(written: &str, bare: &str, changed: &str) -> Option<String> {
    let bare_lines: Vec<&str> = bare.trim_end().lines().collect();
    let changed_lines: Vec<&str> = changed.trim_end().lines().collect();
    let (lines, rest, head) = lines_of(written, &bare_lines)?;
    let prefix = bare_lines.iter().zip(&changed_lines).take_while(|(old, new)| old == new).count();
    let most = bare_lines.len().min(changed_lines.len()) - prefix;
    let suffix = bare_lines.iter().rev().zip(changed_lines.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
    let mut out = String::with_capacity(written.len() + changed.len());
    let mut push = |text: &str, indent: usize| {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(text);
        out.push('\n');
    };
    // What is made anew comes behind the comments that end what was there, parted from them.
    let first_new = (changed_lines.len() > bare_lines.len()).then(|| bare_lines.len() - suffix);
    let after_new = lines.get(bare_lines.len() - suffix).map_or(&rest, |line| &line.before);
    // Those that are deeper than what is made or replaced end what was in it.
    let depth = changed_lines.get(first_new.unwrap_or(prefix)).map_or(0, |line| line.len() - line.trim_start().len());
    let is_gone = changed_lines.len() < bare_lines.len();
    let ends = |comment: &&Comment<'_>| comment.is_foot && (comment.indent > depth || comment.indent == depth && !is_gone);
    let feet = if first_new.is_some() || is_gone { after_new.iter().take_while(ends).count() } else { 0 };
    let is_after_new = |old: Option<usize>| old == Some(bare_lines.len() - suffix);
    for (at, new) in changed_lines.iter().enumerate() {
        if first_new == Some(at) && feet > 0 {
            for comment in after_new.iter().take(feet) {
                push(comment.text, comment.indent);
            }
            push("", 0);
        }
        let from_end = changed_lines.len() - at;
        let old = match at {
            _ if at < prefix => Some(at),
            _ if from_end <= suffix => Some(bare_lines.len() - from_end),
            _ if at < bare_lines.len() - suffix => Some(at),
            _ => None,
        };
        let line = old.and_then(|old| lines.get(old));
        let done = if is_after_new(old) { feet } else { 0 };
        for (number, comment) in line.into_iter().flat_map(|line| &line.before).enumerate().skip(done) {
            push(comment.text, comment.indent);
            if at == 0 && Some(number + 1) == head {
                push("", 0);
            }
        }
        match line.and_then(|line| line.behind) {
            Some(comment) => push(&format!("{new} {comment}"), 0),
            None => push(new, 0),
        }
    }
    for comment in rest.iter().skip(if suffix == 0 { feet } else { 0 }) {
        push(comment.text, comment.indent);
    }
    Some(out)
}

/// Comments with their indentation, before it is known where they go.
type Waiting<'t> = Vec<(&'t str, usize)>;
/// Lines with their comments, the comments behind the last one, and how many comments head the document before an empty line.
type Matched<'t> = (Vec<Line<'t>>, Vec<Comment<'t>>, Option<usize>);

fn lines_of<'t>(written: &'t str, bare: &[&str]) -> Option<Matched<'t>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines: Vec<Line<'t>> = Vec::with_capacity(bare.len());
    let (mut before, mut head, mut shift): (Waiting<'t>, Option<usize>, (usize, usize)) = (Vec::new(), None, (0, 0));
    // A comment goes where the line is now that it was in one column with: the next one, else the one before.
    let moved = |comments: Waiting<'t>, last: (usize, usize), next: Option<(usize, usize)>| -> Vec<Comment<'t>> {
        let place = |was: usize| match next {
            Some((old, new)) if old == was => (new, false),
            _ if last.0 == was => (last.1, true),
            Some((_, new)) => (new, false),
            None => (was.min(last.1), true),
        };
        let moved = |(text, (indent, is_foot))| Comment { text, indent, is_foot };
        comments.into_iter().map(|(text, was)| moved((text, place(was)))).collect()
    };
    for line in written.lines() {
        let text = line.trim();
        let expected = bare.get(lines.len()).map(|line| line.trim());
        let behind = match expected {
            Some(expected) if expected == text => None,
            _ if text.starts_with('#') => {
                before.push((text, indent(line)));
                continue;
            }
            _ if text.is_empty() => {
                if lines.is_empty() && !before.is_empty() {
                    head = Some(before.len());
                }
                continue;
            }
            Some(expected) => Some(text.strip_prefix(expected)?.trim_start()).filter(|comment| comment.starts_with('#')).map(Some)?,
            None => return None,
        };
        let next = (indent(line), bare.get(lines.len()).map_or(0, |line| indent(line)));
        lines.push(Line { before: moved(std::mem::take(&mut before), shift, Some(next)), behind });
        shift = next;
    }
    (lines.len() == bare.len()).then(|| (lines, moved(before, shift, None), head))
}
