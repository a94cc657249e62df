//! Runs live scenarios, several at a time.

use std::{
    path::Path,
    slice::Iter,
    sync::{
        Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use crate::scenario::{LiveReport, Scenario};

/// The time after which it is reported that scenarios still run.
const SILENCE: Duration = Duration::from_secs(1);

/// The number of executables, or of scenarios, that run for each processor: most wait for one another's answers, or
/// until a deadline has passed.
const FOR_EACH_PROCESSOR: usize = 2;

/// A thing that a scenario of a run did.
#[derive(Clone, Copy, Debug)]
pub enum LiveEvent<'a> {
    /// The scenario begins.
    Begins(&'a Scenario),
    /// The scenario ended.
    Ended(&'a LiveReport),
    /// The scenarios that began still run.
    Waiting,
}

/// Returns the number of executables, or of scenarios, that run at a time.
#[must_use]
pub fn at_once() -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    processors.saturating_mul(FOR_EACH_PROCESSOR)
}

/// Runs scenarios, as many at a time as `at_once` says. Those that must be alone run after the others, one at a time.
///
/// The reports have the order of the scenarios, whatever the order of their ends.
pub fn run_scenarios(
    root: &Path,
    scenarios: &[Scenario],
    at_once: usize,
    mut seen: impl FnMut(LiveEvent<'_>),
) -> Vec<LiveReport> {
    let numbered = scenarios.iter().enumerate();
    let (alone, others): (Vec<_>, Vec<_>) = numbered.partition(|(_, it)| it.alone);
    let mut reports = Vec::new();
    for (threads, group) in [(at_once.max(1), others), (1, alone)] {
        run_group(root, threads, &group, &mut reports, &mut seen);
    }
    reports.sort_by_key(|(number, _)| *number);
    reports.into_iter().map(|(_, report)| report).collect()
}

/// A scenario with its number.
type Numbered<'a> = (usize, &'a Scenario);

/// A scenario began, or the report of one that ended.
enum Event<'a> {
    Begins(&'a Scenario),
    Ended(usize, LiveReport),
}

fn run_group(
    root: &Path,
    threads: usize,
    group: &[Numbered<'_>],
    reports: &mut Vec<(usize, LiveReport)>,
    seen: &mut impl FnMut(LiveEvent<'_>),
) {
    let queue = Mutex::new(group.iter());
    let (sender, events) = channel();
    thread::scope(|scope| {
        for _ in 0..threads.min(group.len()) {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || run_queue(root, queue, &sender));
        }
        drop(sender);
        loop {
            match events.recv_timeout(SILENCE) {
                Ok(Event::Begins(scenario)) => seen(LiveEvent::Begins(scenario)),
                Ok(Event::Ended(number, report)) => {
                    seen(LiveEvent::Ended(&report));
                    reports.push((number, report));
                }
                Err(RecvTimeoutError::Timeout) => seen(LiveEvent::Waiting),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
}

/// Runs the scenarios of a queue, which other threads take from too.
fn run_queue<'a>(root: &Path, queue: &Mutex<Iter<'_, Numbered<'a>>>, events: &Sender<Event<'a>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some((number, scenario)) = next else {
            return;
        };
        // Events are received until all scenarios have ended.
        let _ = events.send(Event::Begins(scenario));
        let _ = events.send(Event::Ended(*number, scenario.report(root)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::scenario::{Live, LiveState};

    /// Waits for each other: one alone would not end.
    static MET: AtomicUsize = AtomicUsize::new(0);

    fn meets(_: &Path) -> Result<Live, String> {
        MET.fetch_add(1, Ordering::SeqCst);
        for _ in 0..1000 {
            if MET.load(Ordering::SeqCst) >= 2 {
                return Ok(Live::Passed("met".to_owned()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err("nobody came".to_owned())
    }

    /// The number of scenarios that run while one must be alone.
    static RUNNING: AtomicUsize = AtomicUsize::new(0);

    fn counts(_: &Path) -> Result<Live, String> {
        let before = RUNNING.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        RUNNING.fetch_sub(1, Ordering::SeqCst);
        Ok(Live::Passed(before.to_string()))
    }

    fn names(reports: &[LiveReport]) -> Vec<&str> {
        reports.iter().map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn runs_scenarios_beside_each_other_and_reports_them_in_their_order() {
        let slow = |_: &Path| {
            thread::sleep(Duration::from_millis(50));
            Ok(Live::Passed(String::new()))
        };
        let scenarios = [
            Scenario::ours("p/slow", slow),
            Scenario::ours("p/a", meets),
            Scenario::ours("p/panics", |_| panic!("at the end")),
            Scenario::ours("p/b", meets),
        ];
        let (mut began, mut ended) = (Vec::new(), 0);
        let reports = run_scenarios(Path::new("."), &scenarios, 4, |event| match event {
            LiveEvent::Begins(scenario) => began.push(scenario.name),
            LiveEvent::Ended(report) => {
                assert!(began.contains(&report.name.as_str()));
                ended += 1;
            }
            LiveEvent::Waiting => {}
        });
        assert_eq!(names(&reports), ["p/slow", "p/a", "p/panics", "p/b"]);
        let states: Vec<_> = reports.iter().map(|it| it.state).collect();
        use LiveState::{Failed, Passed};
        assert_eq!(states, [Passed, Passed, Failed, Passed]);
        assert_eq!((began.len(), ended), (4, 4));
    }

    #[test]
    fn runs_those_that_must_be_alone_one_at_a_time_after_the_others() {
        let alone = |name| Scenario::ours(name, counts).alone();
        let scenarios = [alone("p/a"), Scenario::ours("p/b", counts), alone("p/c")];
        let mut began = Vec::new();
        let reports = run_scenarios(Path::new("."), &scenarios, 3, |event| {
            if let LiveEvent::Begins(scenario) = event {
                began.push(scenario.name);
            }
        });
        assert_eq!(began, ["p/b", "p/a", "p/c"]);
        assert_eq!(names(&reports), ["p/a", "p/b", "p/c"]);
        let seen: Vec<_> = reports.iter().map(|it| it.detail.as_str()).collect();
        assert_eq!(seen, ["0", "0", "0"]);
    }

    #[test]
    fn runs_nothing_where_there_is_nothing() {
        let reports = run_scenarios(Path::new("."), &[], 0, |_| panic!("an event"));
        assert_eq!(names(&reports), Vec::<&str>::new());
    }
}
