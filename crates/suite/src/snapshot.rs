//! Owns comparing a result with what was recorded, and recording it again when asked.

/// The environment variable that makes tests write what they got: `UPDATE=1 cargo test`.
pub const UPDATE: &str = "UPDATE";

/// Returns whether results are to be recorded instead of compared.
pub fn updating() -> bool {
    std::env::var(UPDATE).is_ok_and(|value| value == "1")
}

/// Returns how the texts differ, line by line with `-` for what was expected and `+` for what came; nothing when they are the same.
pub fn difference(expected: &str, actual: &str) -> Option<String> {
    if expected == actual {
        return None;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    let mut push = |mark: char, line: &str| {
        text.push(mark);
        text.push_str(line);
        text.push('\n');
    };
    old[head.saturating_sub(2)..head].iter().for_each(|line| push(' ', line));
    old[head..old.len() - tail].iter().for_each(|line| push('-', line));
    new[head..new.len() - tail].iter().for_each(|line| push('+', line));
    old[old.len() - tail..].iter().take(2).for_each(|line| push(' ', line));
    if old == new {
        push('~', "the line breaks at the end differ");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_only_what_differs() {
        assert_eq!(difference("a\n", "a\n"), None);
        assert_eq!(difference("a\nb\nc\n", "a\nx\nc\n").expect("differs"), " a\n-b\n+x\n c\n");
        assert!(difference("a\n", "a").expect("differs").contains("line breaks"));
    }
}
