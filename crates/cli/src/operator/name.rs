//! Owns how people name units: `NAME`, or `NAMESPACE/NAME`. Must not guess between two.

use crate::problem::Problem;

/// A unit as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitName {
    /// The namespace, if one was given.
    pub(crate) namespace: Option<String>,
    /// The name.
    pub(crate) name: String,
}

impl UnitName {
    /// Reads a name; `-n` fills in a namespace that was left out.
    pub(crate) fn parse(text: &str, namespace: Option<&str>) -> Result<Self, Problem> {
        let wrong = || Problem::usage(format!("`{text}` does not name a unit")).hint("Write `NAME` or `NAMESPACE/NAME`.");
        let (space, name) = match text.split_once('/') {
            Some((space, name)) => (Some(space), name),
            None => (None, text),
        };
        if name.is_empty() || name.contains('/') || space == Some("") {
            return Err(wrong());
        }
        match (space, namespace) {
            (Some(space), Some(asked)) if space != asked => {
                Err(Problem::usage(format!("`{text}` is in namespace `{space}`, but `-n` says `{asked}`"))
                    .hint("Leave one of the two out."))
            }
            (space, asked) => Ok(Self { namespace: space.or(asked).map(str::to_owned), name: name.to_owned() }),
        }
    }

    /// Returns whether a unit has this name.
    pub(crate) fn matches(&self, namespace: &str, name: &str) -> bool {
        self.name == name && self.namespace.as_deref().is_none_or(|asked| asked == namespace)
    }

    /// Returns the one unit that has this name.
    pub(crate) fn pick<'a>(&self, units: &[(&'a str, &'a str)]) -> Result<(&'a str, &'a str), Problem> {
        let found: Vec<_> = units.iter().copied().filter(|(namespace, name)| self.matches(namespace, name)).collect();
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(self.nobody(units)),
            several => {
                let names: Vec<String> = several.iter().map(|(namespace, name)| format!("`{namespace}/{name}`")).collect();
                Err(Problem::new(format!("`{}` names {} units: {}", self.name, several.len(), names.join(", ")))
                    .hint("Write it as `NAMESPACE/NAME`, or give the namespace with `-n`."))
            }
        }
    }

    fn nobody(&self, units: &[(&str, &str)]) -> Problem {
        let asked = match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.name),
            None => self.name.clone(),
        };
        let problem = Problem::new(format!("there is no unit `{asked}`"));
        let elsewhere = units.iter().find(|(_, name)| *name == self.name).or_else(|| units.iter().find(|(_, name)| near(name, &self.name)));
        match elsewhere {
            Some((namespace, name)) => problem.hint(format!("Did you mean `{namespace}/{name}`?")),
            None => problem.hint("`plumb get units` lists those that there are."),
        }
    }
}

/// How many changed letters are taken for a slip; in a short name, one.
const MAX_DISTANCE: usize = 2;
/// What a short name is.
const SHORT: usize = 4;

/// Returns whether one name becomes the other by few changes of a letter.
fn near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let shorter = one.len().min(other.len());
    let limit = if shorter <= SHORT { 1 } else { MAX_DISTANCE };
    if one.len().abs_diff(other.len()) > limit || shorter <= MAX_DISTANCE {
        return false;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()] <= limit
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: [(&str, &str); 3] = [("team-a", "shop"), ("team-b", "shop"), ("team-a", "billing")];

    fn pick(text: &str, namespace: Option<&str>) -> Result<String, String> {
        let name = UnitName::parse(text, namespace).map_err(|problem| problem.message)?;
        name.pick(&UNITS)
            .map(|(namespace, name)| format!("{namespace}/{name}"))
            .map_err(|problem| format!("{} {}", problem.message, problem.hints.join(" ")))
    }

    #[test]
    fn one_match_suffices() {
        assert_eq!(pick("billing", None), Ok("team-a/billing".into()));
        assert_eq!(pick("shop", Some("team-b")), Ok("team-b/shop".into()));
        assert_eq!(pick("team-a/shop", None), Ok("team-a/shop".into()));
    }

    #[test]
    fn an_ambiguous_name_is_refused_with_all_it_could_be() {
        let error = pick("shop", None).unwrap_err();
        assert!(error.contains("`team-a/shop`, `team-b/shop`"), "{error}");
    }

    #[test]
    fn a_slip_is_answered_with_what_may_be_meant() {
        assert!(pick("biling", None).unwrap_err().contains("Did you mean `team-a/billing`?"));
        assert!(pick("team-c/billing", None).unwrap_err().contains("Did you mean `team-a/billing`?"));
        assert!(UnitName::parse("nope", None).unwrap().pick(&[("a", "gone")]).unwrap_err().hints.concat().contains("plumb get units"));
        assert!(pick("zzz", None).unwrap_err().contains("plumb get units"));
        assert!(pick("a/b/c", None).is_err());
        assert!(pick("team-a/shop", Some("team-b")).is_err());
    }
}
