//! The order of SRV records against RFC 2782 and against an independent computation of its distribution.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;

use mail_implicit_tls::{
    dns::{DnsName, Srv},
    srv::order,
};
use proptest::prelude::*;

fn srv(priority: u16, weight: u16, target: &str) -> Srv {
    Srv {
        priority,
        weight,
        port: 993,
        target: DnsName::parse(target).unwrap(),
    }
}

/// A generator of another kind than the crate's: xorshift64*.
fn random(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

/// Returns how often each record is first in this number of draws.
fn first(records: &[Srv], draws: u32) -> BTreeMap<String, u32> {
    let mut random = random(7);
    let mut counts = BTreeMap::new();
    for _ in 0..draws {
        let ordered = order(records, &mut random);
        *counts.entry(ordered[0].target.to_string()).or_default() += 1;
    }
    counts
}

#[test]
fn sorts_by_priority() {
    let records = [
        srv(20, 9, "c.example"),
        srv(0, 0, "a.example"),
        srv(10, 65535, "b.example"),
    ];
    let ordered = order(&records, &mut random(1));
    let targets: Vec<_> = ordered
        .iter()
        .map(|record| record.target.as_str())
        .collect();
    assert_eq!(targets, ["a.example", "b.example", "c.example"]);
}

#[test]
fn draws_in_proportion_to_weight() {
    let records = [
        srv(0, 60, "a.example"),
        srv(0, 30, "b.example"),
        srv(0, 10, "c.example"),
    ];
    let counts = first(&records, 10_000);
    // A number from 0 to 100: the first record of the list has one more chance than its weight.
    for (target, weight) in [
        ("a.example.", 60.0),
        ("b.example.", 30.0),
        ("c.example.", 10.0),
    ] {
        let share = f64::from(counts[target]) / 100.0;
        assert!((share - weight).abs() < 2.0, "{target}: {share} %");
    }
}

#[test]
fn draws_weight_zero_rarely_beside_others() {
    let records = [srv(0, 0, "zero.example"), srv(0, 99, "heavy.example")];
    let counts = first(&records, 10_000);
    // A number from 0 to 99 chooses the zero for 0 only: 1 %.
    let zero = counts["zero.example."];
    assert!((60..=140).contains(&zero), "{zero} of 10,000");
}

#[test]
fn draws_all_alike_when_all_weights_are_zero() {
    let records: Vec<_> = ["a", "b", "c", "d"]
        .map(|name| srv(0, 0, &format!("{name}.example")))
        .into();
    let counts = first(&records, 10_000);
    assert_eq!(counts.len(), 4);
    for (target, count) in counts {
        assert!(
            (2_300..=2_700).contains(&count),
            "{target}: {count} of 10,000"
        );
    }
}

#[test]
fn gives_the_same_order_for_the_same_numbers() {
    let records: Vec<_> = (0..50)
        .map(|it| srv(it % 3, it, &format!("h{it}.example")))
        .collect();
    let mut reversed = records.clone();
    reversed.reverse();
    assert_eq!(
        order(&records, &mut random(5)),
        order(&reversed, &mut random(5))
    );
    assert_ne!(
        order(&records, &mut random(5)),
        order(&records, &mut random(6))
    );
}

/// RFC 2782's algorithm as it is written, over a list that it shrinks: quadratic.
fn as_written(records: &[Srv], mut number: impl FnMut(u64) -> u64) -> Vec<Srv> {
    let mut list = records.to_vec();
    let mut ordered = Vec::new();
    while !list.is_empty() {
        let sum: u64 = list.iter().map(|record| u64::from(record.weight)).sum();
        let number = number(sum);
        let mut running = 0;
        let chosen = list.iter().position(|record| {
            running += u64::from(record.weight);
            running >= number
        });
        ordered.push(list.remove(chosen.unwrap()));
    }
    ordered
}

proptest! {
    #[test]
    fn keeps_every_record(weights in prop::collection::vec(0_u16..40, 1..40), seed: u64) {
        let records: Vec<_> = weights.iter().map(|weight| srv(1, *weight, "h.example")).collect();
        let ordered = order(&records, &mut random(seed | 1));
        let mut sorted = ordered.clone();
        sorted.sort();
        let mut expected = records.clone();
        expected.sort();
        prop_assert_eq!(sorted, expected);
    }

    #[test]
    fn takes_any_numbers(weights in prop::collection::vec(any::<u16>(), 0..60), numbers in prop::collection::vec(any::<u64>(), 1..8)) {
        let records: Vec<_> = weights.iter().zip(0_u16..).map(|(weight, it)| srv(it % 2, *weight, &format!("h{it}.example"))).collect();
        let mut cycle = numbers.iter().copied().cycle();
        let ordered = order(&records, &mut || cycle.next().unwrap());
        prop_assert_eq!(ordered.len(), records.len());
        prop_assert!(ordered.windows(2).all(|pair| pair[0].priority <= pair[1].priority));
    }
}

#[test]
fn chooses_as_the_algorithm_does_once_the_list_is_given() {
    // One record of weight zero and some others: with the shuffle's numbers at their greatest the list keeps its
    // order, and then each number chooses as RFC 2782 says.
    let records: Vec<_> = [0_u16, 1, 2, 3, 5, 8]
        .map(|weight| srv(1, weight, &format!("w{weight}.example")))
        .into();
    for numbers in [
        [0_u64; 6],
        [u64::MAX; 6],
        [1 << 63; 6],
        [1 << 62; 6],
        [3 << 61; 6],
    ] {
        let mut given = vec![u64::MAX; records.len() - 1];
        given.extend(numbers);
        let mut given = given.into_iter();
        let ordered = order(&records, &mut || given.next().unwrap());
        let mut drawn = numbers.into_iter();
        let expected = as_written(&records, |sum| {
            u64::try_from((u128::from(drawn.next().unwrap()) * u128::from(sum + 1)) >> 64).unwrap()
        });
        assert_eq!(ordered, expected);
    }
}
