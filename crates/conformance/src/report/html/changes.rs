//! The difference to the run before on the page: counts by kind, the first of each list, and the rest folded away.

use crate::{
    report::difference::{Change, Difference},
    text::counted,
};

/// The number of names of a list that are shown before the rest is folded away.
const FIRST: usize = 8;

/// A difference as it is shown.
pub(super) struct Changes<'a> {
    pub(super) changed: Folded<'a, Change>,
    pub(super) added: Folded<'a, String>,
    pub(super) removed: Folded<'a, String>,
}

/// A list of which the first are shown, and the others are folded away.
pub(super) struct Folded<'a, T> {
    /// The number of names of each kind, in words.
    pub(super) counts: String,
    pub(super) first: Vec<&'a T>,
    pub(super) rest: Vec<&'a T>,
}

impl<'a> Changes<'a> {
    pub(super) fn new(difference: &'a Difference) -> Self {
        let mut changed: Vec<_> = difference.changed.iter().collect();
        // The worse ones are first; the sort keeps the order of the others.
        changed.sort_by_key(|change| is_good(&change.now));
        let kinds = changed.iter().map(|change| {
            let (before, now) = (&change.before, &change.now);
            format!("{} from {before} to {now}", kind(&change.name))
        });
        Self {
            changed: Folded::new(kinds.collect(), changed),
            added: names(&difference.added),
            removed: names(&difference.removed),
        }
    }

    /// Returns the lists of names, and what happened to them.
    pub(super) const fn names(&self) -> [(&'static str, &Folded<'a, String>); 2] {
        [("new", &self.added), ("gone", &self.removed)]
    }
}

impl<'a, T> Folded<'a, T> {
    fn new(kinds: Vec<String>, mut all: Vec<&'a T>) -> Self {
        let mut counts = Vec::<(String, usize)>::new();
        for kind in kinds {
            match counts.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((kind, 1)),
            }
        }
        let counts: Vec<_> = counts
            .into_iter()
            .map(|(kind, count)| {
                // The noun is in front of what happened to it.
                let (noun, rest) = kind.split_once(' ').unwrap_or((&kind, ""));
                format!("{} {rest}", counted(count, noun))
                    .trim_end()
                    .to_owned()
            })
            .collect();
        // A single name is not worth a fold.
        let first = if all.len() <= FIRST + 1 {
            all.len()
        } else {
            FIRST
        };
        Self {
            counts: counts.join("; "),
            rest: all.split_off(first),
            first: all,
        }
    }

    /// Returns the number of all names.
    pub(super) const fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }
}

fn names(names: &[String]) -> Folded<'_, String> {
    let kinds = names.iter().map(|name| kind(name).to_owned());
    Folded::new(kinds.collect(), names.iter().collect())
}

/// Returns the noun for what a name with its kind before it is.
fn kind(name: &str) -> &str {
    match name.split_once(':') {
        Some(("vector", _)) => "case",
        Some(("live", _)) => "scenario",
        Some((kind, _)) => kind,
        None => "name",
    }
}

fn is_good(verdict: &str) -> bool {
    verdict == "passed" || verdict.ends_with(", shown")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(changed: &[(&str, &str, &str)], added: &[String]) -> Difference {
        let change = |(name, before, now): &(&str, &str, &str)| Change {
            name: (*name).into(),
            before: (*before).into(),
            now: (*now).into(),
        };
        Difference {
            since: "s".into(),
            changed: changed.iter().map(change).collect(),
            added: added.to_vec(),
            removed: Vec::new(),
        }
    }

    #[test]
    fn counts_changes_by_kind_and_shows_the_worse_ones_first() {
        let difference = difference(
            &[
                ("live:p/l", "skipped", "passed"),
                ("requirement:r", "done, left-out", "done, shown"),
                ("test:p::t", "passed", "failed"),
                ("test:p::u", "passed", "failed"),
                ("vector:p/a/c", "passed", "differs"),
            ],
            &[],
        );
        let changes = Changes::new(&difference);
        let names: Vec<_> = changes.changed.first.iter().map(|it| &it.name).collect();
        assert_eq!(
            names,
            [
                "test:p::t",
                "test:p::u",
                "vector:p/a/c",
                "live:p/l",
                "requirement:r"
            ]
        );
        assert_eq!(
            changes.changed.counts,
            "2 tests from passed to failed; 1 case from passed to differs; 1 scenario from skipped to passed; \
             1 requirement from done, left-out to done, shown"
        );
        assert_eq!(changes.added.counts, "");
        assert_eq!(changes.removed.len(), 0);
    }

    #[test]
    fn folds_all_but_the_first_of_a_long_list() {
        for (count, first, rest) in [(1, 1, 0), (8, 8, 0), (9, 9, 0), (10, 8, 2), (100, 8, 92)] {
            let added: Vec<_> = (0..count).map(|it| format!("vector:p/a/{it}")).collect();
            let difference = difference(&[], &added);
            let added = Changes::new(&difference).added;
            assert_eq!((added.first.len(), added.rest.len()), (first, rest));
            assert_eq!(added.len(), count);
            assert_eq!(added.first[0], "vector:p/a/0");
            assert_eq!(added.counts, counted(count, "case"));
        }
    }
}
