//! Owns what somebody may have meant who wrote a name that is not there.

/// How many changed letters are taken for a slip, for each so many letters.
const LETTERS_PER_SLIP: usize = 4;
/// How many are at most.
const MAX_SLIPS: usize = 3;

/// Returns the candidate that is the nearest to what was written, if it is near enough to have been meant.
pub fn nearest<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let most = (written.chars().count() / LETTERS_PER_SLIP + 1).min(MAX_SLIPS);
    let near = candidates.into_iter().filter(|candidate| *candidate != written).filter_map(|candidate| {
        let slips = slips(written, candidate, most)?;
        // In a very short name every letter could have been another.
        (slips < candidate.chars().count().min(written.chars().count())).then_some((slips, candidate))
    });
    near.min().map(|(_, candidate)| candidate)
}

/// How many letters have to be changed, added, left out or swapped with their neighbour; nothing for more than so many.
fn slips(one: &str, other: &str, most: usize) -> Option<usize> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > most {
        return None;
    }
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1; other.len() + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row[j + 1] = least;
        }
        rows.push(row);
    }
    rows.last()?.last().copied().filter(|slips| *slips <= most)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_is_answered_and_another_word_is_not() {
        assert_eq!(nearest("tga", ["tag", "pullPolicy"]), Some("tag"));
        assert_eq!(nearest("replicaCuont", ["replicaCount", "replicas"]), Some("replicaCount"));
        assert_eq!(nearest("ingres", ["ingress", "image"]), Some("ingress"));
        assert_eq!(nearest("nodeSelector", ["tolerations", "affinity"]), None);
        assert_eq!(nearest("a", ["b"]), None);
        assert_eq!(nearest("tag", ["tag"]), None);
    }
}
