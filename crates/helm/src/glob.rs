//! Owns the globs of `.Files.Glob`: gobwas/glob's syntax with `/` as the separator.

/// Returns whether a name matches: `*` and `?` stop at `/`, `**` does not; `[a-z]`, `[!a]`, `{a,b}`, `\x`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    if !is_well_formed(&pattern) {
        // Helm takes every file then.
        return true;
    }
    let name: Vec<char> = name.chars().collect();
    let mut budget = BUDGET;
    step(&pattern, &name, &mut budget)
}

/// How many comparisons one name may take.
const BUDGET: u32 = 200_000;

/// Whether gobwas/glob can read a pattern: what is opened is closed, and something is behind a backslash.
fn is_well_formed(pattern: &[char]) -> bool {
    let (mut at, mut open) = (0, 0_usize);
    while let Some(c) = pattern.get(at) {
        match c {
            '\\' if at + 1 == pattern.len() => return false,
            '\\' => at += 1,
            '{' => open += 1,
            '}' => match open.checked_sub(1) {
                Some(left) => open = left,
                None => return false,
            },
            '[' => match class(&pattern[at + 1..]) {
                Some((set, _, after)) if !set.is_empty() => at = pattern.len() - after.len() - 1,
                _ => return false,
            },
            _ => {}
        }
        at += 1;
    }
    open == 0
}

fn step(mut pattern: &[char], mut name: &[char], budget: &mut u32) -> bool {
    // What is neither a star nor a choice goes forward without a call: names may be long.
    while let Some(c) = pattern.first().filter(|c| !matches!(c, '*' | '{' | '[' | '?' | '\\')) {
        if name.first() != Some(c) {
            return false;
        }
        (pattern, name) = (&pattern[1..], &name[1..]);
    }
    *budget = budget.saturating_sub(1);
    if *budget == 0 {
        return false;
    }
    match pattern {
        [] => name.is_empty(),
        ['*', '*', rest @ ..] => {
            let rest = &rest[rest.iter().take_while(|c| **c == '*').count()..];
            (0..=name.len()).any(|at| step(rest, &name[at..], budget))
        }
        ['*', rest @ ..] => {
            let reach = name.iter().take_while(|c| **c != '/').count();
            (0..=reach).any(|at| step(rest, &name[at..], budget))
        }
        ['?', rest @ ..] => name.first().is_some_and(|c| *c != '/') && step(rest, &name[1..], budget),
        ['{', rest @ ..] => match alternatives(rest) {
            Some((all, after)) => all.iter().any(|one| step(&[one.as_slice(), after].concat(), name, budget)),
            None => false,
        },
        ['[', rest @ ..] => match (class(rest), name.first()) {
            (Some((set, negated, after)), Some(c)) => {
                set.iter().any(|(low, high)| low <= c && c <= high) != negated && step(after, &name[1..], budget)
            }
            _ => false,
        },
        ['\\', c, rest @ ..] | [c, rest @ ..] => name.first() == Some(c) && step(rest, &name[1..], budget),
    }
}

fn alternatives(pattern: &[char]) -> Option<(Vec<Vec<char>>, &[char])> {
    let (mut all, mut one, mut depth) = (Vec::new(), Vec::new(), 0);
    for (at, c) in pattern.iter().enumerate() {
        match c {
            '}' if depth == 0 => {
                all.push(one);
                return Some((all, &pattern[at + 1..]));
            }
            ',' if depth == 0 => all.push(std::mem::take(&mut one)),
            '{' => {
                depth += 1;
                one.push(*c);
            }
            '}' => {
                depth -= 1;
                one.push(*c);
            }
            c => one.push(*c),
        }
    }
    None
}

/// Ranges of a class, whether it is negated, and what follows it.
type Class<'p> = (Vec<(char, char)>, bool, &'p [char]);

fn class(pattern: &[char]) -> Option<Class<'_>> {
    let negated = matches!(pattern.first(), Some('!' | '^'));
    let body = &pattern[usize::from(negated)..];
    let end = body.iter().position(|c| *c == ']')?;
    let (mut set, mut at) = (Vec::new(), 0);
    while at < end {
        if at + 2 < end && body[at + 1] == '-' {
            set.push((body[at], body[at + 2]));
            at += 3;
        } else {
            set.push((body[at], body[at]));
            at += 1;
        }
    }
    Some((set, negated, &body[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn globs_stop_at_slashes_but_for_two_stars() {
        for (pattern, name, expect) in [
            ("files/*.yaml", "files/a.yaml", true),
            ("files/*.yaml", "files/b/a.yaml", false),
            ("files/**", "files/b/a.yaml", true),
            ("**.json", "a/b.json", true),
            ("{a,b}/?.txt", "b/x.txt", true),
            ("[!a]*", "bc", true),
            ("[a-c]x", "dx", false),
            ("[", "any", true),
            ("{a,b", "any", true),
        ] {
            assert_eq!(matches(pattern, name), expect, "{pattern} {name}");
        }
    }
}
