//! Owns which of a chart's versions a range means, as Helm has it (helm: `IndexFile.Get`, `GetTagMatchingVersionOrConstraint`):
//! the very version if it is there, else the newest in the range. Prereleases are in a range only where it names one.

use plumb_go::semver::{Constraints, Version};

/// Orders versions, newest first; what is no version goes.
pub(crate) fn newest_first<T>(versions: Vec<T>, text: impl Fn(&T) -> String) -> Vec<(Version, T)> {
    let mut parsed: Vec<(Version, T)> =
        versions.into_iter().filter_map(|version| Some((Version::parse(&text(&version)).ok()?, version))).collect();
    parsed.sort_by(|(a, _), (b, _)| b.compare(a));
    parsed
}

/// Takes the version that a range means. The error is why it is no range.
pub(crate) fn pick<T>(versions: Vec<(Version, T)>, range: &str, text: impl Fn(&T) -> String) -> Result<Option<T>, String> {
    let constraints = Constraints::parse(if range.is_empty() { "*" } else { range }).map_err(|error| error.to_string())?;
    let exact = versions.iter().position(|(_, version)| !range.is_empty() && text(version) == range);
    let at = exact.or_else(|| versions.iter().position(|(version, _)| constraints.check(version)));
    Ok(at.and_then(|at| versions.into_iter().nth(at)).map(|(_, version)| version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_means_the_newest_in_it() {
        let versions = ["1.0.0", "2.1.0-rc.1", "1.10.0", "2.0.0", "1.9.0", "v3.0.0", "nonsense", "2.0.0+build"];
        for (range, expect) in [
            ("", Some("v3.0.0")),
            ("*", Some("v3.0.0")),
            ("^1", Some("1.10.0")),
            ("~1.9", Some("1.9.0")),
            ("1.0.0", Some("1.0.0")),
            (">=2.1.0-0 <3", Some("2.1.0-rc.1")),
            (">2 <3", None),
            (">0.0.0-0", Some("v3.0.0")),
            ("2.1.0-rc.1", Some("2.1.0-rc.1")),
            ("2.0.0+build", Some("2.0.0+build")),
            ("9.x", None),
        ] {
            let sorted = newest_first(versions.to_vec(), |text| (*text).to_owned());
            assert_eq!(pick(sorted, range, |text| (*text).to_owned()).expect(range), expect, "{range}");
        }
        assert!(pick(Vec::<(Version, &str)>::new(), "new", |text| (*text).to_owned()).is_err());
    }
}
