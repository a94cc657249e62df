//! The end of a task by a signal: what the task started ends before it.

use std::{fs, io, process::exit, thread};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// The signals that ask a task to end: by a terminal that closes, by the keyboard, and by `kill`.
const SIGNALS: [SignalKind; 3] = [
    SignalKind::hangup(),
    SignalKind::interrupt(),
    SignalKind::terminate(),
];

/// Ends this process on such a signal, after the processes that it started.
///
/// # Errors
/// Returns an error if the system takes no handler.
pub fn end_with_descendants() -> io::Result<()> {
    let ignored = ignored(&fs::read_to_string("/proc/self/status").unwrap_or_default());
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_io()
        .build()?;
    let entered = runtime.enter();
    for kind in SIGNALS {
        // One that nohup or a shell ignores for this process stays so.
        if ignored & (1 << (kind.as_raw_value() - 1)) != 0 {
            continue;
        }
        let mut signals = signal(kind)?;
        runtime.spawn(async move {
            signals.recv().await;
            if let Err(error) = conformance::end_descendants() {
                eprintln!("error: {error}");
            }
            exit(128 + kind.as_raw_value());
        });
    }
    drop(entered);
    // It waits for signals until the process ends.
    thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    Ok(())
}

/// Returns the set of signals that are ignored, from the text of `/proc/self/status`.
fn ignored(status: &str) -> u64 {
    let mut lines = status.lines();
    let set = lines.find_map(|line| line.strip_prefix("SigIgn:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_set_of_signals_that_are_ignored() {
        let status =
            "Name:\txtask\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\nSigCgt:\t0\n";
        assert_eq!(ignored(status), 0x1003);
        assert_eq!(ignored(""), 0);
    }
}
