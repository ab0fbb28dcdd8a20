//! Owns the notes that cases carry in their input: `# Error: …` and `# Warning: …`, beside the line or above it.

/// What a line of input is expected to be told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The line, from 1.
    pub line: u32,
    /// `Error` or `Warning`.
    pub severity: &'static str,
    /// The whole message.
    pub message: String,
}

/// What a test got for a file: the same shape as a note, with the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file's path.
    pub path: String,
    /// What was said and where.
    pub note: Note,
}

/// Returns a text's notes. A note behind other text is about its own line, a note on a line of its own about the next line that is none.
pub fn notes(text: &str) -> Vec<Note> {
    let mut found = Vec::new();
    let mut waiting: Vec<(&'static str, String)> = Vec::new();
    for (line, content) in (1u32..).zip(text.lines()) {
        let note = parse(content);
        match note {
            Some((true, severity, message)) => waiting.push((severity, message)),
            other => {
                found.extend(waiting.drain(..).map(|(severity, message)| Note { line, severity, message }));
                if let Some((_, severity, message)) = other {
                    found.push(Note { line, severity, message });
                }
            }
        }
    }
    found
}

fn parse(line: &str) -> Option<(bool, &'static str, String)> {
    for severity in ["Error", "Warning"] {
        for (at, _) in line.match_indices('#') {
            let Some(rest) = line[at + 1..].strip_prefix(' ').and_then(|rest| rest.strip_prefix(severity)) else { continue };
            let Some(message) = rest.strip_prefix(": ") else { continue };
            return Some((line[..at].trim().is_empty(), severity, message.trim().to_owned()));
        }
    }
    None
}

/// Compares the notes of all files with what was found: both ways, nothing may be left over.
/// Files without a single note are taken to leave it to a snapshot: then nothing is compared.
pub fn check_notes<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, findings: &[Finding]) -> Result<(), String> {
    let mut expected: Vec<Finding> = Vec::new();
    for (path, text) in files {
        expected.extend(notes(text).into_iter().map(|note| Finding { path: path.to_owned(), note }));
    }
    if expected.is_empty() {
        return Ok(());
    }
    let mut actual = findings.to_vec();
    let mut text = String::new();
    for finding in &expected {
        match actual.iter().position(|other| other == finding) {
            Some(at) => drop(actual.remove(at)),
            None => text.push_str(&format!("- {}\n", show(finding))),
        }
    }
    actual.iter().for_each(|finding| text.push_str(&format!("+ {}\n", show(finding))));
    if text.is_empty() { Ok(()) } else { Err(text) }
}

fn show(finding: &Finding) -> String {
    format!("{}:{}: {}: {}", finding.path, finding.note.line, finding.note.severity, finding.note.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_about_their_line_or_the_next() {
        let text = "a: 1 # Error: one\n# Warning: two\n# Error: three\nb: 2\n";
        let found: Vec<_> = notes(text).into_iter().map(|note| (note.line, note.severity, note.message)).collect();
        assert_eq!(found, [(1, "Error", "one".to_owned()), (4, "Warning", "two".to_owned()), (4, "Error", "three".to_owned())]);
    }

    #[test]
    fn nothing_may_be_left_over() {
        let finding = |line, message: &str| Finding { path: "a".into(), note: Note { line, severity: "Error", message: message.into() } };
        let files = [("a", "x: 1 # Error: bad\n")];
        assert_eq!(check_notes(files, &[finding(1, "bad")]), Ok(()));
        assert!(check_notes(files, &[]).is_err());
        assert!(check_notes(files, &[finding(1, "bad"), finding(2, "worse")]).is_err());
        assert_eq!(check_notes([("a", "x: 1\n")], &[finding(9, "left to the snapshot")]), Ok(()));
    }
}
