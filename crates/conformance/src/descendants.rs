//! The processes that a process started, with theirs, as `/proc` has them, and their end.

use std::{
    fs, io,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The time that processes have to end themselves.
const PATIENCE: Duration = Duration::from_secs(2);

/// The time between two checks of processes that end.
const PAUSE: Duration = Duration::from_millis(20);

/// Kills a process with the processes that it started, at once: none of them notices the end of another.
///
/// # Errors
/// Returns an error if the system does not tell the processes, or kills none of them.
pub(crate) fn kill(process: u32) -> io::Result<()> {
    let mut processes = of(process)?;
    processes.insert(0, process);
    for signal in ["-STOP", "-KILL"] {
        if !send(signal, &processes)? {
            return Err(io::Error::other(format!("{processes:?} cannot be killed")));
        }
    }
    Ok(())
}

/// Asks all processes that this one started, with theirs, to end, and kills those that have not ended after some time.
///
/// # Errors
/// Returns an error if the system does not tell the processes.
pub fn end_descendants() -> io::Result<()> {
    let processes = of(std::process::id())?;
    if processes.is_empty() {
        return Ok(());
    }
    // One that has ended meanwhile needs no signal.
    send("-TERM", &processes)?;
    let start = Instant::now();
    let mut left = processes;
    while !left.is_empty() && start.elapsed() < PATIENCE {
        thread::sleep(PAUSE);
        left.retain(|process| runs(*process));
    }
    if !left.is_empty() {
        send("-KILL", &left)?;
    }
    Ok(())
}

/// Sends a signal, and returns `true` if each process got it.
fn send(signal: &str, processes: &[u32]) -> io::Result<bool> {
    let mut kill = Command::new("kill");
    kill.arg(signal).args(processes.iter().map(u32::to_string));
    Ok(kill.stderr(Stdio::null()).status()?.success())
}

/// Returns the state and the parent of a process, or `None` if it is gone.
fn state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in brackets, may have any character.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// Returns `true` if a process has not ended.
fn runs(process: u32) -> bool {
    state(process).is_some_and(|(state, _)| state != 'Z')
}

/// Returns the processes that a process started, with theirs.
fn of(process: u32) -> io::Result<Vec<u32>> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let id = name.to_str().and_then(|it| it.parse::<u32>().ok());
        // A process may end meanwhile.
        if let Some((id, (_, parent))) = id.and_then(|it| Some((it, state(it)?))) {
            parents.push((id, parent));
        }
    }
    let mut found = vec![process];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|it| it.1 == parent).map(|it| it.0));
        next += 1;
    }
    found.remove(0);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn kills_a_process_with_those_that_it_started() {
        let mut shell = Command::new("sh");
        let mut child = shell
            .args(["-c", "sleep 100 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let inner: u32 = line.trim().parse().expect("a number");
        assert_eq!(of(child.id()).expect("processes"), [inner]);
        assert!(runs(inner) && of(std::process::id()).expect("processes").contains(&inner));
        kill(child.id()).expect("killed");
        child.wait().expect("an end");
        let start = Instant::now();
        while runs(inner) {
            assert!(start.elapsed() < Duration::from_secs(20), "{inner} runs");
            thread::sleep(PAUSE);
        }
        assert!(kill(child.id()).is_err());
    }
}
