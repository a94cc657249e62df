//! The chances of SRV records against RFC 2782's algorithm, which is carried out as it is written with every list and
//! every number.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use std::collections::BTreeMap;

use mail_implicit_tls::{
    dns::{DnsName, Srv},
    srv::order,
};

#[test]
fn draws_each_order_with_the_probability_of_the_algorithm() {
    const DRAWS: u32 = 5_000;
    let sets: [&[u16]; 13] = [
        &[0, 0, 0],
        &[0, 1],
        &[0, 0, 3],
        &[0, 2, 0, 1],
        &[1, 1, 1, 1],
        &[1, 3],
        &[2, 2],
        &[1, 2, 4, 8],
        &[4, 5, 6, 7],
        &[7, 4],
        &[0, 9, 16],
        &[60, 30, 10],
        &[0, 5, 0, 5],
    ];
    for (seed, weights) in (1..).zip(sets) {
        let records = records(weights);
        let mut random = random(seed);
        let mut drawn = BTreeMap::<_, u32>::new();
        for _ in 0..DRAWS {
            let ordered = order(&records, &mut random);
            let ports: Vec<_> = ordered.iter().map(|record| record.port).collect();
            *drawn.entry(ports).or_default() += 1;
        }
        let expected = orders(&records);
        assert!(
            drawn.keys().all(|order| expected.contains_key(order)),
            "{weights:?}"
        );
        let mut square = 0.0;
        for (order, probability) in &expected {
            let times = probability * f64::from(DRAWS);
            assert!(times > 10.0, "{weights:?} {order:?}: too rare");
            let drawn = f64::from(drawn.get(order).copied().unwrap_or_default());
            square += (drawn - times).powi(2) / times;
        }
        let freedom = f64::from(u32::try_from(expected.len() - 1).unwrap());
        assert!(square < limit(freedom), "{weights:?}: {square}");
    }
}

#[test]
fn chooses_as_the_algorithm_does_once_the_list_is_given() {
    // The first number draws the first record, or nothing; those after it are 0, and each record then takes two of
    // them. So the count of the numbers tells the three ends apart.
    let sets: [&[u16]; 5] = [
        &[0, 0, 1, 2, 3, 4, 5, 8],
        &[1, 2, 3, 7, 6],
        &[300, 0, 65_535],
        &[0, 0],
        &[32_768],
    ];
    for weights in sets {
        let records = records(weights);
        let rest = 2 * (records.len() - 1);
        let tickets = |weight: &u16| match weight {
            0 => 0,
            weight => 1_u64 << (weight.ilog2() + 1),
        };
        let count = 1 + weights.iter().map(tickets).sum::<u64>();
        let mut chosen = BTreeMap::<_, u64>::new();
        let mut of_number_0 = Vec::new();
        for ticket in 0..count {
            // The least number that gives the ticket.
            let number = (u128::from(ticket) << 64).div_ceil(u128::from(count));
            let mut numbers = vec![u64::try_from(number).unwrap()].into_iter();
            let mut taken = 0;
            let ordered = order(&records, &mut || {
                taken += 1;
                numbers.next().unwrap_or_default()
            });
            match taken - rest {
                1 => *chosen.entry(ordered[0].clone()).or_default() += 1,
                2 => of_number_0.push(ordered[0].clone()),
                3 => {}
                _ => panic!("{taken} numbers"),
            }
        }
        // With further numbers of 0, the list is that of the records as they are, by the length of their weights.
        let mut list = records.clone();
        list.sort_by_key(|record| record.weight.checked_ilog2());
        let mut expected = BTreeMap::<_, u64>::new();
        let selected = selected(&list);
        for record in &selected[1..] {
            *expected.entry((*record).clone()).or_default() += 1;
        }
        assert_eq!(chosen, expected);
        assert_eq!(of_number_0, [selected[0].clone()]);
    }
}

/// Records of one priority. The port tells them apart.
fn records(weights: &[u16]) -> Vec<Srv> {
    let record = |(port, weight): (u16, &u16)| Srv {
        priority: 1,
        weight: *weight,
        port,
        target: DnsName::parse("h.example").unwrap(),
    };
    (0..).zip(weights).map(record).collect()
}

/// Returns the record that each number from 0 to the sum selects from a list.
fn selected(list: &[Srv]) -> Vec<&Srv> {
    let sum: u64 = list.iter().map(|record| u64::from(record.weight)).sum();
    let select = |number| {
        let mut running = 0;
        let reaches = |record: &&Srv| {
            running += u64::from(record.weight);
            running >= number
        };
        list.iter().find(reaches).unwrap()
    };
    (0..=sum).map(select).collect()
}

/// Returns all lists of these records: "any order, except that all those with weight 0 are placed at the beginning".
fn lists(left: &[Srv]) -> Vec<Vec<Srv>> {
    if left.is_empty() {
        return vec![Vec::new()];
    }
    let has_zero = left.iter().any(|record| record.weight == 0);
    let may_be_first = |record: &&Srv| record.weight == 0 || !has_zero;
    let with_first = |first: &Srv| {
        let rest = lists(&without(left, first));
        rest.into_iter()
            .map(|rest| [vec![first.clone()], rest].concat())
            .collect::<Vec<_>>()
    };
    left.iter()
        .filter(may_be_first)
        .flat_map(with_first)
        .collect()
}

fn without(records: &[Srv], taken: &Srv) -> Vec<Srv> {
    let other = |record: &&Srv| *record != taken;
    records.iter().filter(other).cloned().collect()
}

/// Returns the probability of each order of the records' ports.
fn orders(left: &[Srv]) -> BTreeMap<Vec<u16>, f64> {
    if left.is_empty() {
        return [(Vec::new(), 1.0)].into();
    }
    let mut orders = BTreeMap::new();
    let lists = lists(left);
    for list in &lists {
        let selected = selected(list);
        let of_each = f64::from(u32::try_from(lists.len() * selected.len()).unwrap()).recip();
        let mut chances = BTreeMap::<&Srv, f64>::new();
        for record in selected {
            *chances.entry(record).or_default() += of_each;
        }
        for (first, chance) in chances {
            for (rest, of_rest) in self::orders(&without(left, first)) {
                *orders.entry([vec![first.port], rest].concat()).or_default() += chance * of_rest;
            }
        }
    }
    orders
}

/// Returns chi-square's value that is exceeded with a probability of one in a million (Wilson and Hilferty).
fn limit(freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    freedom * (1.0 - spread + 4.753 * spread.sqrt()).powi(3)
}

fn random(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
