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
    assert_eq!(
        order(&records, &mut random(5)),
        order(&records, &mut random(5))
    );
    assert_ne!(
        order(&records, &mut random(5)),
        order(&records, &mut random(6))
    );
}

#[test]
fn sorts_by_both_octets_of_the_priority() {
    let records = [256, 1, 65_535, 257, 0, 255, 65_280]
        .map(|priority| srv(priority, 1, &format!("p{priority}.example")));
    let ordered = order(&records, &mut random(1));
    let priorities: Vec<_> = ordered.iter().map(|record| record.priority).collect();
    assert_eq!(priorities, [0, 1, 255, 256, 257, 65_280, 65_535]);
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
fn draws_64_times_at_most_for_a_record() {
    // Of the tickets of a weight of 4 to 6, the last loses.
    let records = [4, 5, 6].map(|weight| srv(1, weight, &format!("w{weight}.example")));
    let mut drawn = 0;
    let ordered = order(&records, &mut || {
        drawn += 1;
        u64::MAX
    });
    let weights: Vec<_> = ordered.iter().map(|record| record.weight).collect();
    assert_eq!((weights, drawn), (vec![6, 5, 4], 3 * 64));
}

#[test]
fn takes_few_numbers_whatever_the_weights_are() {
    let worst: [fn(u16) -> u16; 5] = [|_| 0, |_| 1, |_| 32_768, |it| it, |it| 65_535 >> (it % 16)];
    for weight in worst {
        let records: Vec<_> = (0..1_000)
            .map(|it| srv(0, weight(it), &format!("h{it}.example")))
            .collect();
        let (mut random, mut drawn) = (random(3), 0);
        let _ = order(&records, &mut || {
            drawn += 1;
            random()
        });
        assert!((1_000..=2_100).contains(&drawn), "{drawn}");
    }
}

#[test]
fn moves_the_last_record_to_the_place_of_the_one_taken() {
    let hosts = |weight, numbers: [u64; 8]| {
        let records: Vec<_> = ["a", "b", "c", "d"]
            .map(|name| srv(0, weight, &format!("{name}.example")))
            .into();
        let mut numbers = numbers.into_iter();
        order(&records, &mut || numbers.next().unwrap())
            .into_iter()
            .map(|record| record.target.to_string())
            .collect::<Vec<_>>()
    };
    let expected = ["a.example.", "d.example.", "c.example.", "b.example."];
    assert_eq!(hosts(0, [0; 8]), expected);
    // Each record of weight 1 has two tickets, the first of which wins: the ticket 1 of 8, 6, 4 and 2.
    let one_of = |count| u64::MAX / count + 1;
    let numbers = [one_of(9), one_of(7), one_of(5), one_of(3), 0, 0, 0, 0];
    assert_eq!(hosts(1, numbers), expected);
}
