//! The cost of one operation relative to another, as criterion measures time: a ratio, whose two sides
//! run in turns of milliseconds, so that what else the machine does falls on both alike.

use std::time::{Duration, Instant};

use criterion::{
    Criterion, SamplingMode, Throughput,
    measurement::{Measurement, ValueFormatter},
};

/// A ratio of times as criterion's measured value.
#[derive(Debug)]
pub struct Ratio;

impl Measurement for Ratio {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    fn end(&self, (): ()) -> f64 {
        0.0
    }

    fn add(&self, one: &f64, other: &f64) -> f64 {
        one + other
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, ratio: &f64) -> f64 {
        *ratio
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Ratio {
    fn format_value(&self, value: f64) -> String {
        format!("{value:.4}")
    }

    fn scale_values(&self, _: f64, _: &mut [f64]) -> &'static str {
        "times"
    }

    fn scale_throughputs(&self, _: f64, _: &Throughput, _: &mut [f64]) -> &'static str {
        "times"
    }

    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "times"
    }
}

/// Criterion for ratios.
#[must_use]
pub fn ratios() -> Criterion<Ratio> {
    Criterion::default()
        .with_measurement(Ratio)
        .sample_size(50)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
}

/// Criterion for times.
#[must_use]
pub fn times() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

/// Measures the time of `of` over that of `to`. Each runs its subject the given number of times:
/// `turn` times in a row, which should take some tenths of a millisecond.
///
/// A round is four turns; a sample is the median of its rounds, so that a round into which another
/// process broke does not count.
pub fn compare(
    criterion: &mut Criterion<Ratio>,
    id: &str,
    turn: u32,
    mut of: impl FnMut(u32),
    mut to: impl FnMut(u32),
) {
    let mut round = || {
        // In this order neither a drift nor the order counts for one side.
        let first = timed(&mut of, turn);
        let both = timed(&mut to, turn) + timed(&mut to, turn);
        (first + timed(&mut of, turn)) / both
    };
    let mut group = criterion.benchmark_group("ratio");
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut ratios: Vec<_> = (0..rounds).map(|_| round()).collect();
            ratios.sort_by(f64::total_cmp);
            let median = ratios.get(ratios.len() / 2).copied().unwrap_or_default();
            // Criterion divides by the number of rounds.
            (0..rounds).map(|_| median).sum()
        });
    });
    group.finish();
}

/// In seconds.
fn timed(run: &mut impl FnMut(u32), turn: u32) -> f64 {
    let start = Instant::now();
    run(turn);
    start.elapsed().as_secs_f64()
}
