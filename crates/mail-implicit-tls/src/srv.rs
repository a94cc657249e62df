//! The order of SRV records: RFC 2782.

use crate::dns::Srv;

/// Orders SRV records for use: by priority, and within a priority at random by weight, as RFC 2782 describes.
///
/// `random` returns numbers that are uniformly distributed over all values of `u64`. With the same numbers the order
/// is the same. The cost is O(n log n).
#[must_use]
pub fn order(records: &[Srv], random: &mut dyn FnMut() -> u64) -> Vec<Srv> {
    let mut records = records.to_vec();
    records.sort();
    let mut ordered = Vec::with_capacity(records.len());
    for group in records.chunk_by(|left, right| left.priority == right.priority) {
        let mut group = group.to_vec();
        shuffle(&mut group, random);
        // "those with weight 0 are placed at the beginning of the list"
        group.sort_by_key(|record| record.weight != 0);
        let mut weights = Weights::of(&group);
        for _ in 0..group.len() {
            // "a uniform random number between 0 and the sum computed (inclusive)"
            let chosen = weights.take(below(weights.sum().saturating_add(1), random));
            ordered.extend(group.get(chosen).cloned());
        }
    }
    ordered
}

/// Returns a number below `bound`, which is less than 2^32, with a bias below 2^-32.
fn below(bound: u64, random: &mut dyn FnMut() -> u64) -> u64 {
    let product = u128::from(random()).saturating_mul(u128::from(bound));
    u64::try_from(product >> 64).unwrap_or_default()
}

fn shuffle(records: &mut [Srv], random: &mut dyn FnMut() -> u64) {
    for end in (1..records.len()).rev() {
        let bound = u64::try_from(end).unwrap_or(u64::MAX).saturating_add(1);
        records.swap(
            end,
            usize::try_from(below(bound, random)).unwrap_or_default(),
        );
    }
}

/// Sums of weights in a binary indexed tree, from which records are taken one by one.
struct Weights {
    /// Element `i` is the sum of the weights, and the number, of the records that are left among the `i & -i` ones
    /// that end with record `i - 1`.
    sums: Vec<(u64, usize)>,
    weights: Vec<u64>,
}

impl Weights {
    fn of(records: &[Srv]) -> Self {
        let weights: Vec<_> = records
            .iter()
            .map(|record| u64::from(record.weight))
            .collect();
        let mut tree = Self {
            sums: vec![(0, 0); weights.len().saturating_add(1)],
            weights,
        };
        for (index, weight) in tree.weights.clone().into_iter().enumerate() {
            tree.change(index, |(sum, count)| {
                (sum.saturating_add(weight), count.saturating_add(1))
            });
        }
        tree
    }

    /// Applies a change to each sum that has the record.
    fn change(&mut self, index: usize, change: impl Fn((u64, usize)) -> (u64, usize)) {
        let mut node = index.saturating_add(1);
        while let Some(sums) = self.sums.get_mut(node) {
            *sums = change(*sums);
            node = node.saturating_add(lowest_bit(node));
        }
    }

    /// Returns the sum of the weights that are left.
    fn sum(&self) -> u64 {
        let mut sum = 0_u64;
        let mut node = self.weights.len();
        while node > 0 {
            sum = sum.saturating_add(self.sums.get(node).map_or(0, |sums| sums.0));
            node = node.saturating_sub(lowest_bit(node));
        }
        sum
    }

    /// Takes the first record whose running sum is not below `number`, and returns its index.
    fn take(&mut self, number: u64) -> usize {
        let mut node = 0_usize;
        let mut rest = number;
        let mut step = self
            .weights
            .len()
            .checked_ilog2()
            .map_or(0, |log| 1_usize << log);
        while step > 0 {
            let next = node.saturating_add(step);
            if let Some((sum, count)) = self.sums.get(next).copied() {
                // A sum of no record that is left is skipped also where `rest` is 0.
                if count == 0 || sum < rest {
                    node = next;
                    rest = rest.saturating_sub(sum);
                }
            }
            step >>= 1;
        }
        let weight = self.weights.get(node).copied().unwrap_or_default();
        self.change(node, |(sum, count)| {
            (sum.saturating_sub(weight), count.saturating_sub(1))
        });
        node
    }
}

fn lowest_bit(node: usize) -> usize {
    node & node.wrapping_neg()
}
