//! Benchmarks of the latch stores and of the latch machine.

fn main() {}
