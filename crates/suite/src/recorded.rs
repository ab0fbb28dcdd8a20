//! Owns recorded families of cases: one text with small inputs and what a reference program answered to each. The test replays them, `cargo xtask record`
//! asks the program again.
//!
//! A family begins with a comment, and files that all its cases have. A case begins with `=== NAME`; then come its arguments (`$ …`, words in `'` where they
//! have spaces), its files (`+++ PATH`, then lines), and the answer (`>>> output` or `>>> error`, then lines). A file whose last line does not end has
//! ` (unended)` behind its path. A line between `=== each` and the next `===` is a case of its own whose answer is on the line after it, behind ` = ` or ` ! `.

use std::collections::BTreeMap;

/// What a program answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What it printed.
    Output(String),
    /// What it complained of.
    Error(String),
}

/// One case of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its name; of a line the line itself.
    pub name: String,
    /// Arguments.
    pub arguments: Vec<String>,
    /// Path → text: those of the family and its own.
    pub files: BTreeMap<String, String>,
    /// Whether it is one line among others.
    pub is_line: bool,
    /// What was recorded; nothing for a case that was never asked.
    pub answer: Option<Answer>,
}

const UNENDED: &str = " (unended)";
const EACH: &str = "each";

/// Returns the cases of a family.
pub fn recorded(text: &str) -> Vec<Recorded> {
    let mut cases: Vec<Recorded> = Vec::new();
    walk(text, &mut |case| {
        cases.push(case);
        None
    });
    cases
}

/// Returns a family with new answers.
pub fn answered(text: &str, ask: &mut dyn FnMut(&Recorded) -> Answer) -> String {
    walk(text, &mut |case| Some(ask(&case)))
}

/// What is being read.
enum Part {
    Comment,
    File(String),
    Answer,
    Lines,
}

/// Walks a family, shows each case, and returns the family with the answers that were given, or those it had.
fn walk(text: &str, see: &mut dyn FnMut(Recorded) -> Option<Answer>) -> String {
    let mut out = String::new();
    let mut shared: BTreeMap<String, String> = BTreeMap::new();
    let mut case: Option<Recorded> = None;
    let mut part = Part::Comment;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("=== ") {
            end(&mut case, &mut out, see);
            out.push_str(&format!("{line}\n"));
            if name == EACH {
                part = Part::Lines;
            } else {
                case = Some(Recorded { name: name.to_owned(), arguments: Vec::new(), files: shared.clone(), is_line: false, answer: None });
                part = Part::Comment;
            }
            continue;
        }
        if let Some(path) = line.strip_prefix("+++ ") {
            out.push_str(&format!("{line}\n"));
            let files = case.as_mut().map_or(&mut shared, |case| &mut case.files);
            files.insert(path.trim_end_matches(UNENDED).to_owned(), String::new());
            part = Part::File(path.to_owned());
            continue;
        }
        if let (Some(kind), Some(case)) = (line.strip_prefix(">>> "), &mut case) {
            let is_error = kind == "error";
            case.answer = Some(if is_error { Answer::Error(String::new()) } else { Answer::Output(String::new()) });
            part = Part::Answer;
            continue;
        }
        match &part {
            Part::Comment => {
                out.push_str(&format!("{line}\n"));
                if let (Some(arguments), Some(case)) = (line.strip_prefix("$ "), &mut case) {
                    case.arguments = words(arguments);
                }
            }
            Part::File(path) => {
                out.push_str(&format!("{line}\n"));
                let files = case.as_mut().map_or(&mut shared, |case| &mut case.files);
                let ends = !path.ends_with(UNENDED) || lines.peek().is_some_and(|next| !is_header(next));
                if let Some(file) = files.get_mut(path.trim_end_matches(UNENDED)) {
                    file.push_str(line);
                    file.push_str(if ends { "\n" } else { "" });
                }
            }
            Part::Answer => {
                if let Some(Answer::Output(answer) | Answer::Error(answer)) = case.as_mut().and_then(|case| case.answer.as_mut()) {
                    answer.push_str(&format!("{line}\n"));
                }
            }
            Part::Lines if line.is_empty() || line.starts_with('#') => out.push_str(&format!("{line}\n")),
            Part::Lines => {
                let answer = lines.next_if(|next| next.starts_with(" = ") || next.starts_with(" ! "));
                let answer = answer.map(|answer| {
                    let told = answer[3..].to_owned();
                    if answer.starts_with(" = ") { Answer::Output(told) } else { Answer::Error(told) }
                });
                let one =
                    Recorded { name: line.to_owned(), arguments: Vec::new(), files: shared.clone(), is_line: true, answer: answer.clone() };
                out.push_str(&format!("{line}\n"));
                match see(one).or(answer) {
                    Some(Answer::Output(told)) => out.push_str(&format!(" = {told}\n")),
                    Some(Answer::Error(told)) => out.push_str(&format!(" ! {told}\n")),
                    None => {}
                }
            }
        }
    }
    end(&mut case, &mut out, see);
    out
}

fn is_header(line: &str) -> bool {
    ["=== ", "+++ ", ">>> "].iter().any(|header| line.starts_with(header))
}

fn end(case: &mut Option<Recorded>, out: &mut String, see: &mut dyn FnMut(Recorded) -> Option<Answer>) {
    let Some(case) = case.take() else { return };
    let known = case.answer.clone();
    match see(case).or(known) {
        Some(Answer::Output(told)) => out.push_str(&format!(">>> output\n{told}")),
        Some(Answer::Error(told)) => out.push_str(&format!(">>> error\n{told}")),
        None => {}
    }
}

/// Words of a line: apart by spaces, those in `'` may have some.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').unwrap_or((quoted, "")),
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// Returns the files of the chart that a case is about. A line is put into a template, whose output is a text in JSON.
pub fn chart_files(case: &Recorded) -> BTreeMap<String, String> {
    let mut files = case.files.clone();
    files.entry("Chart.yaml".to_owned()).or_insert_with(|| "apiVersion: v2\nname: c\nversion: 1.0.0\n".to_owned());
    if case.is_line {
        files.insert("templates/_e.tpl".to_owned(), format!("{{{{ define \"e\" }}}}{}{{{{ end }}}}", case.name));
        files.insert("templates/a.yaml".to_owned(), "v: {{ include \"e\" . | toJson }}\n".to_owned());
    }
    files
}

/// What a file of a case holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A symbolic link there.
    Link(String),
}

/// Returns the files of the kustomization that a case is about. The bytes of a file with ` (hex)` behind its path are written in
/// hexadecimal, as they are no text or have carriage returns; one with ` (link)` is a link to what its line says.
pub fn kustomize_files(case: &Recorded) -> BTreeMap<String, Content> {
    let one = |(path, text): (&String, &String)| {
        if let Some(path) = path.strip_suffix(" (hex)") {
            return (path.to_owned(), Content::Bytes(bytes(text)));
        }
        match path.strip_suffix(" (link)") {
            Some(path) => (path.to_owned(), Content::Link(text.trim_end().to_owned())),
            None => (path.clone(), Content::Bytes(text.clone().into_bytes())),
        }
    };
    case.files.iter().map(one).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// Returns the answer about a line as it stands behind it: JSON in any case.
pub fn line_answer(answer: Answer) -> Answer {
    match answer {
        Answer::Output(text) => Answer::Output(text.split_once("\nv: ").map_or(text.as_str(), |(_, value)| value).trim_end().to_owned()),
        Answer::Error(text) => Answer::Error(serde_json::Value::from(text.trim_end()).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kustomization_has_bytes_and_links() {
        let cases = recorded("About.\n=== one\n+++ a (hex)\nff 0D\n0a\n+++ b (link)\n../c\n+++ d\ne\n");
        let files = kustomize_files(&cases[0]);
        assert_eq!(files["a"], Content::Bytes(vec![0xff, 0x0d, 0x0a]));
        assert_eq!(files["b"], Content::Link("../c".to_owned()));
        assert_eq!(files["d"], Content::Bytes(b"e\n".to_vec()));
    }

    const FAMILY: &str = "What it is about.\n+++ values.yaml\na: 1\n\n=== one\n$ --set 'a b=c' -f x\n+++ templates/a.yaml (unended)\nx\ny\n>>> output\n---\nx\n\
                          === each\n# comment\n{{ 1 }}\n = 1\n{{ 2 }}\n=== two\n>>> error\nError: no\n";

    #[test]
    fn a_family_is_read_and_written_again() {
        let cases = recorded(FAMILY);
        assert_eq!(cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), ["one", "{{ 1 }}", "{{ 2 }}", "two"]);
        assert_eq!(cases[0].arguments, ["--set", "a b=c", "-f", "x"]);
        assert_eq!(cases[0].files["templates/a.yaml"], "x\ny");
        assert_eq!(cases[0].files["values.yaml"], "a: 1\n\n");
        assert_eq!(cases[0].answer, Some(Answer::Output("---\nx\n".to_owned())));
        assert_eq!((cases[1].answer.clone(), cases[2].answer.clone()), (Some(Answer::Output("1".to_owned())), None));
        assert_eq!(cases[3].answer, Some(Answer::Error("Error: no\n".to_owned())));
        let mut answers = cases.iter().map(|case| case.answer.clone().unwrap_or(Answer::Output("2".to_owned())));
        let again = answered(FAMILY, &mut |_| answers.next().expect("an answer for each"));
        assert_eq!(again, FAMILY.replace("{{ 2 }}\n", "{{ 2 }}\n = 2\n"));
    }
}
