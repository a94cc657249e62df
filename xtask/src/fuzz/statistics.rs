//! The lines of libFuzzer.

/// The last statistics of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The executions so far.
    pub executions: u64,
    /// The executions in a second.
    pub per_second: u64,
    /// The edges of the control flow that were reached.
    pub coverage: u64,
    /// The inputs in the corpus.
    pub corpus: u64,
    /// The file with the input that failed.
    pub artifact: Option<String>,
}

impl Statistics {
    /// Takes over what a line says.
    pub fn read(&mut self, line: &str) {
        let number = |word: &str| word.split('/').next().and_then(|word| word.parse().ok());
        if let Some(count) = line.strip_prefix('#') {
            let count = count.split_whitespace().next();
            self.executions = count.and_then(number).unwrap_or(self.executions);
        }
        let mut words = line.split_whitespace();
        while let Some(word) = words.next() {
            let place = match word {
                "cov:" => &mut self.coverage,
                "corp:" => &mut self.corpus,
                "exec/s:" | "stat::average_exec_per_sec:" => &mut self.per_second,
                "stat::number_of_executed_units:" => &mut self.executions,
                _ => continue,
            };
            *place = words.next().and_then(number).unwrap_or(*place);
        }
        // The target prints the directory's prefix in front.
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.artifact = Some(path.trim().to_owned());
        }
    }
}

/// Returns a number with a space between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_statistics_and_the_artifact_of_a_run() {
        let mut statistics = Statistics::default();
        for line in [
            "INFO: Running with entropic power schedule (0xFF, 100).",
            "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 40Mb",
            "#131072\tpulse  cov: 532 ft: 1234 corp: 56/7890b lim: 4096 exec/s: 43690 rss: 45Mb",
        ] {
            statistics.read(line);
        }
        let mut expected = Statistics {
            executions: 131_072,
            per_second: 43_690,
            coverage: 532,
            corpus: 56,
            artifact: None,
        };
        assert_eq!(statistics, expected);
        // A line that breaks off changes nothing.
        statistics.read("#\tpulse  cov: ft: corp:");
        assert_eq!(statistics, expected);
        for line in [
            "artifact_prefix='/p/fuzz/artifacts/id/'; Test unit written to /p/fuzz/artifacts/id/crash-0a",
            "stat::number_of_executed_units: 140000",
            "stat::average_exec_per_sec:     35000",
        ] {
            statistics.read(line);
        }
        (expected.executions, expected.per_second) = (140_000, 35_000);
        expected.artifact = Some("/p/fuzz/artifacts/id/crash-0a".to_owned());
        assert_eq!(statistics, expected);
    }

    #[test]
    fn groups_digits() {
        let numbers = [0, 999, 1_000, 21_418_554];
        assert_eq!(numbers.map(grouped), ["0", "999", "1 000", "21 418 554"]);
    }
}
