//! Owns `.helmignore` (helm: pkg/ignore/rules.go): which files of a folder are no part of a chart.

/// The rules of one `.helmignore`.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    negated: bool,
    must_be_folder: bool,
    /// Matches the name alone, not the path.
    name_only: bool,
}

impl Ignore {
    /// Reads rules, and adds Helm's own: hidden files of `templates/` are left out. The error is a message.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut rules = Vec::new();
        for line in text.trim_start_matches('\u{feff}').lines() {
            if let Some(rule) = Rule::parse(line)? {
                rules.push(rule);
            }
        }
        rules.extend(Rule::parse("templates/.?*")?);
        Ok(Self { rules })
    }

    /// Returns whether a path (with `/`, relative to the chart) is left out.
    pub fn ignores(&self, path: &str, is_folder: bool) -> bool {
        if path.is_empty() || path == "." || path == "./" {
            return false;
        }
        for rule in &self.rules {
            let matched = rule.matches(path);
            if rule.negated {
                if rule.must_be_folder && !is_folder || !matched {
                    return true;
                }
                continue;
            }
            if rule.must_be_folder && !is_folder {
                continue;
            }
            if matched {
                return true;
            }
        }
        false
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Option<Self>, String> {
        let mut rule = line.trim();
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(None);
        }
        if rule.contains("**") {
            return Err("double-star (**) syntax is not supported".to_owned());
        }
        let negated = rule.starts_with('!');
        rule = rule.strip_prefix('!').unwrap_or(rule);
        let must_be_folder = rule.ends_with('/');
        rule = rule.strip_suffix('/').unwrap_or(rule);
        if !well_formed(rule) {
            return Err("syntax error in pattern".to_owned());
        }
        let rooted = rule.strip_prefix('/');
        let name_only = rooted.is_none() && !rule.contains('/');
        Ok(Some(Self { pattern: rooted.unwrap_or(rule).to_owned(), negated, must_be_folder, name_only }))
    }

    fn matches(&self, path: &str) -> bool {
        let path = if self.name_only { path.trim_end_matches('/').rsplit('/').next().unwrap_or(path) } else { path };
        path_match(&self.pattern.chars().collect::<Vec<_>>(), &path.chars().collect::<Vec<_>>())
    }
}

fn well_formed(pattern: &str) -> bool {
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' if rest.next().is_none() => return false,
            '[' if !rest.any(|c| c == ']') => return false,
            _ => {}
        }
    }
    true
}

/// `filepath.Match`.
fn path_match(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['*', rest @ ..] => {
            let reach = name.iter().take_while(|c| **c != '/').count();
            (0..=reach).any(|at| path_match(rest, &name[at..]))
        }
        ['?', rest @ ..] => name.first().is_some_and(|c| *c != '/') && path_match(rest, &name[1..]),
        ['[', rest @ ..] => {
            let Some(c) = name.first() else { return false };
            let negated = rest.first() == Some(&'^');
            let body = &rest[usize::from(negated)..];
            let Some(end) = body.iter().position(|c| *c == ']') else { return false };
            let (mut at, mut found) = (0, false);
            while at < end {
                let low = body[at];
                let high = if at + 2 < end && body[at + 1] == '-' { body[at + 2] } else { low };
                found |= low <= *c && *c <= high;
                at += if high == low { 1 } else { 3 };
            }
            found != negated && path_match(&body[end + 1..], &name[1..])
        }
        ['\\', c, rest @ ..] | [c, rest @ ..] => name.first() == Some(c) && path_match(rest, &name[1..]),
    }
}
