//! Owns `.helmignore` (helm: pkg/ignore/rules.go): which files of a folder are no part of a chart.

/// The rules of one `.helmignore`.
#[derive(Clone, Debug, Default)]
pub struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: String,
    /// Whether nothing in the pattern is special.
    is_plain: bool,
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
        let pattern = rooted.unwrap_or(rule).to_owned();
        let is_plain = !pattern.contains(['*', '?', '[', '\\']);
        Ok(Some(Self { pattern, is_plain, negated, must_be_folder, name_only }))
    }

    fn matches(&self, path: &str) -> bool {
        let path = if self.name_only { path.trim_end_matches('/').rsplit('/').next().unwrap_or(path) } else { path };
        if self.is_plain {
            return self.pattern == path;
        }
        // Patterns that are not well formed are refused when they are read.
        plumb_go::path::matches(self.pattern.as_bytes(), path.as_bytes()).unwrap_or_default()
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
