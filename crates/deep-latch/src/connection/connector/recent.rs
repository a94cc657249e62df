//! Values by key, of which the ones that were used most recently are kept.

use alloc::collections::BTreeMap;

/// Values by key, which count their uses.
pub(super) struct Recent<K, V> {
    values: BTreeMap<K, (u64, V)>,
    /// The number of uses so far.
    uses: u64,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self {
            values: BTreeMap::new(),
            uses: 0,
        }
    }
}

impl<K: Clone + Ord, V> Recent<K, V> {
    fn use_number(&mut self) -> u64 {
        self.uses = self.uses.saturating_add(1);
        self.uses
    }

    /// Returns a value, which is the most recently used one then.
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        let number = self.use_number();
        let (last, value) = self.values.get_mut(key)?;
        *last = number;
        Some(value)
    }

    /// Adds or replaces a value. Values that were not used for the longest time make room for a new key.
    pub(super) fn insert(&mut self, key: K, value: V, limit: usize) {
        while self.values.len() >= limit && !self.values.contains_key(&key) {
            let oldest = self.values.iter().min_by_key(|(_, (last, _))| *last);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.values.remove(&oldest);
        }
        let number = self.use_number();
        self.values.insert(key, (number, value));
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn evicts_the_value_that_was_used_least_recently() {
        let keys = |recent: &Recent<u8, char>| recent.values.keys().copied().collect::<Vec<_>>();
        let mut recent = Recent::default();
        for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c')] {
            recent.insert(key, value, 3);
        }
        assert_eq!(recent.get(&1), Some(&'a'));
        assert_eq!(recent.get(&9), None);
        recent.insert(4, 'd', 3);
        assert_eq!(keys(&recent), [1, 3, 4]);
        // A new value of a known key takes no place of another, and counts as a use.
        recent.insert(1, 'A', 3);
        assert_eq!(keys(&recent), [1, 3, 4]);
        recent.insert(3, 'C', 3);
        assert_eq!(keys(&recent), [1, 3, 4]);
        recent.insert(5, 'e', 3);
        assert_eq!(keys(&recent), [1, 3, 5]);
        assert_eq!(recent.get(&3), Some(&'C'));
        recent.insert(6, 'f', 2);
        assert_eq!(keys(&recent), [3, 6]);
    }
}
