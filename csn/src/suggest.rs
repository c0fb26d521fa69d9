//! The nearest of several names: what somebody who mistyped probably meant.

/// The candidate that takes the fewest edits (insert, delete, replace, swap neighbours) to come from `word`, where
/// that is few enough to be a typing mistake: one edit for short words, a third of the letters for longer ones.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let first = word.chars().next();
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter(|c| c.len().abs_diff(word.len()) <= limit)
        .map(|c| (distance(&word, &c.to_ascii_lowercase()), c))
        .filter(|(d, _)| *d <= limit)
        // people seldom mistype the first letter
        .min_by_key(|(d, c)| (*d, c.chars().next().map(|c| c.to_ascii_lowercase()) != first))
        .map(|(_, c)| c)
}

/// Optimal string alignment distance.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let last = &rows[i - 1];
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + usize::from(a[i - 1] != b[j - 1]));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_are_found_and_other_words_are_not() {
        let fields = ["srcip", "dstip", "dstport", "proto"];
        assert_eq!(nearest("scrip", fields), Some("srcip"));
        assert_eq!(nearest("destport", fields), Some("dstport"));
        assert_eq!(nearest("PORTO", fields), Some("proto"));
        assert_eq!(nearest("kps", ["pps", "kpps"]), Some("kpps"));
        assert_eq!(nearest("weight", fields), None);
        assert_eq!(nearest("", fields), None);
    }
}
