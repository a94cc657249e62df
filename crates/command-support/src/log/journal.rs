//! Lines for the journal: each begins with its priority in angle brackets (sd-daemon(3)), which the journal takes off.

use std::io::{self, Write};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::severity;

/// Standard error, or what tests have in its place, as lines with a priority.
pub(super) struct Journal<M>(pub(super) M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Journal<M> {
    type Writer = Line<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line(self.0.make_writer(), severity(tracing::Level::INFO))
    }

    fn make_writer_for(&'a self, of: &Metadata<'_>) -> Self::Writer {
        Line(self.0.make_writer_for(of), severity(*of.level()))
    }
}

/// A line of the log, which is written at once, so that lines of several threads stay apart.
pub(super) struct Line<W>(W, u8);

impl<W: Write> Write for Line<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Self(out, severity) = self;
        let mut whole = format!("<{severity}>").into_bytes();
        whole.extend_from_slice(line.trim_ascii_start());
        out.write_all(&whole)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    /// Counts the writes, and keeps what they wrote.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    impl Write for Kept {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let text = String::from_utf8(octets.to_vec()).unwrap();
            self.0.lock().unwrap().push(text);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn writes_each_event_at_once_and_after_its_priority() {
        let kept = Kept::default();
        let out = kept.clone();
        let log = super::super::format(Level::TRACE)
            .without_time()
            .with_writer(Journal(move || out.clone()))
            .finish();
        tracing::subscriber::with_default(log, || {
            tracing::error!(reason = "a\nb", "failed");
            tracing::warn!("slow");
            tracing::info!("ready");
            tracing::debug!("connected");
            tracing::trace!("read");
        });
        assert_eq!(
            *kept.0.lock().unwrap(),
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
