//! Lines for the journal: each begins with its priority in angle brackets (sd-daemon(3)), which the journal takes off.

/// Returns a line of the log with its priority. It is written at once.
pub(super) fn line(severity: u8, line: &[u8]) -> Vec<u8> {
    let mut whole = format!("<{severity}>").into_bytes();
    whole.extend_from_slice(line.trim_ascii_start());
    whole
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::super::{Queue, format, severity};

    #[test]
    fn writes_each_event_at_once_and_after_its_priority() {
        let kept = Arc::<Mutex<Vec<String>>>::default();
        let out = kept.clone();
        let queue = Queue::start(move |level, line| {
            let line = super::line(severity(level), line);
            out.lock().unwrap().push(String::from_utf8(line).unwrap());
            Ok(())
        })
        .unwrap();
        let written = queue.log();
        let log = format(Level::TRACE)
            .without_time()
            .with_writer(queue)
            .finish();
        tracing::subscriber::with_default(log, || {
            tracing::error!(reason = "a\nb", "failed");
            tracing::warn!("slow");
            tracing::info!("ready");
            tracing::debug!("connected");
            tracing::trace!("read");
        });
        drop(written);
        assert_eq!(
            *kept.lock().unwrap(),
            [
                "<3>ERROR failed reason=\"a\\nb\"\n",
                "<4>WARN slow\n",
                "<6>INFO ready\n",
                "<7>DEBUG connected\n",
                "<7>TRACE read\n",
            ]
        );
    }
}
