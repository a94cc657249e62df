//! The order of SRV records: RFC 2782.

use crate::dns::Srv;

/// One list for each number of bits that a weight can have: 0 to 16.
const LISTS: usize = 17;

/// The greatest number of tickets that are drawn for one record. More than half of the tickets win, so as many as this
/// lose with a probability below 2^-64. The limit also ends the search where the numbers are not random.
const MAX_TICKETS: usize = 64;

/// Orders SRV records for use: by priority, and within a priority at random by weight, as RFC 2782 describes.
///
/// `random` returns numbers that are uniformly distributed over all values of `u64`. With the same records in the same
/// order and the same numbers, the result is the same. The cost is linear in the number of records: on average, a
/// record takes less than two numbers by its weight, and one more for "the first of the list".
#[must_use]
pub fn order(records: &[Srv], random: &mut dyn FnMut() -> u64) -> Vec<Srv> {
    let mut sorted: Vec<_> = records.iter().collect();
    sort_by(&mut sorted, |record| record.priority.to_be_bytes()[1]);
    sort_by(&mut sorted, |record| record.priority.to_be_bytes()[0]);
    let mut ordered = Vec::with_capacity(sorted.len());
    for group in sorted.chunk_by(|left, right| left.priority == right.priority) {
        let mut left = Left::of(group);
        ordered.extend(group.iter().filter_map(|_| left.take(random)).cloned());
    }
    ordered
}

/// Sorts by an octet. Records with the same octet keep their order.
fn sort_by(records: &mut Vec<&Srv>, octet: impl Fn(&Srv) -> u8) {
    let mut lists = vec![Vec::new(); 256];
    for record in records.drain(..) {
        if let Some(list) = lists.get_mut(usize::from(octet(record))) {
            list.push(record);
        }
    }
    records.extend(lists.into_iter().flatten());
}

/// The records of one priority that are left, by the number of bits of their weight.
struct Left<'a>([Vec<&'a Srv>; LISTS]);

impl<'a> Left<'a> {
    fn of(records: &[&'a Srv]) -> Self {
        let mut lists: [Vec<_>; LISTS] = Default::default();
        for record in records {
            let bits = u16::BITS.saturating_sub(record.weight.leading_zeros());
            if let Some(list) = usize::try_from(bits).ok().and_then(|it| lists.get_mut(it)) {
                list.push(*record);
            }
        }
        Self(lists)
    }

    /// Takes a record by weight.
    ///
    /// RFC 2782 draws "a uniform random number between 0 and the sum" of the weights: the number 0 selects the first
    /// of the list, and of the other numbers as many select a record as its weight says. Here, each number is a ticket
    /// that wins. A record whose weight has `bits` bits holds 2^`bits` tickets, so that a ticket's record is found by a
    /// division; those in excess of its weight lose, and then another ticket is drawn.
    fn take(&mut self, random: &mut dyn FnMut() -> u64) -> Option<&'a Srv> {
        let tickets = |bits, list: &[_]| match bits {
            0 => 0,
            _ => count(list) << bits,
        };
        let sum: u64 = (0..)
            .zip(&self.0)
            .map(|(bits, list)| tickets(bits, list))
            .sum();
        for drawn in 1..=MAX_TICKETS {
            let Some(ticket) = below(sum.saturating_add(1), random).checked_sub(1) else {
                return self.take_first(random);
            };
            let (bits, list, ticket) = self.find(ticket, tickets)?;
            let place = usize::try_from(ticket >> bits).ok()?;
            let number = ticket & !(u64::MAX << bits);
            if number < u64::from(list.get(place)?.weight) || drawn == MAX_TICKETS {
                return Some(list.swap_remove(place));
            }
        }
        None
    }

    /// Takes the first record of a list that has any order, "except that all those with weight 0 are placed at the
    /// beginning".
    fn take_first(&mut self, random: &mut dyn FnMut() -> u64) -> Option<&'a Srv> {
        let firsts = self
            .0
            .first()
            .map(|list| count(list))
            .filter(|zeros| *zeros > 0);
        let firsts = firsts.unwrap_or_else(|| self.0.iter().map(|list| count(list)).sum());
        let (_, list, place) = self.find(below(firsts, random), |_, list| count(list))?;
        Some(list.swap_remove(usize::try_from(place).ok()?))
    }

    /// Returns the list that has a number, where each list has the next so many numbers, and the number within it.
    fn find(
        &mut self,
        mut number: u64,
        size: impl Fn(u32, &[&'a Srv]) -> u64,
    ) -> Option<(u32, &mut Vec<&'a Srv>, u64)> {
        for (bits, list) in (0..).zip(&mut self.0) {
            match number.checked_sub(size(bits, list)) {
                Some(rest) => number = rest,
                None => return Some((bits, list, number)),
            }
        }
        None
    }
}

fn count(list: &[&Srv]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// Returns a number below `bound`. Its bias is below `bound` / 2^64.
fn below(bound: u64, random: &mut dyn FnMut() -> u64) -> u64 {
    let product = u128::from(random()).saturating_mul(u128::from(bound));
    u64::try_from(product >> 64).unwrap_or_default()
}
