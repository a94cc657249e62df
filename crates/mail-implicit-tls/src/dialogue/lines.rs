//! The lines of a peer before login, in whatever pieces they come.

/// Octets of a peer that are read line by line. Each octet is examined and moved a bounded number of times, however the
/// octets are cut into pieces and lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// The offset of the first octet of the next line.
    start: usize,
    /// The offset before which no line feed is left.
    examined: usize,
    /// `true` if the incomplete line has an octet that no line has.
    has_bad_octet: bool,
    /// The number of octets that were examined or moved.
    #[cfg(test)]
    work: usize,
}

impl Lines {
    /// Adds octets of the peer.
    pub(crate) fn extend(&mut self, octets: &[u8]) {
        if self.start > 0 {
            #[cfg(test)]
            self.count(self.unread().len());
            self.buffer.drain(..self.start);
            self.examined = self.examined.saturating_sub(self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// Returns the next line with its line feed, or nothing while there is none.
    pub(crate) fn next_line(&mut self) -> Option<&[u8]> {
        let new = self.buffer.get(self.examined..).unwrap_or_default();
        let end = new.iter().position(|octet| *octet == b'\n');
        #[cfg(test)]
        self.count(end.unwrap_or(new.len()));
        let Some(end) = end else {
            // A CR may end the part of the line that was examined before.
            let from = self.examined.saturating_sub(1).max(self.start);
            let part = self.buffer.get(from..).unwrap_or_default();
            let has_bare_cr = part.split_last().is_some_and(|(_, it)| it.contains(&b'\r'));
            self.has_bad_octet |= has_bare_cr || part.contains(&0);
            self.examined = self.buffer.len();
            return None;
        };
        let begin = self.start;
        self.start = self.examined.saturating_add(end).saturating_add(1);
        self.examined = self.start;
        self.has_bad_octet = false;
        self.buffer.get(begin..self.start)
    }

    /// Returns the octets that no line was made of.
    pub(crate) fn unread(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Returns `true` if the incomplete line, which [`next_line`](Self::next_line) examined, has NUL or a CR before
    /// another octet.
    pub(crate) const fn has_bad_octet(&self) -> bool {
        self.has_bad_octet
    }

    /// Returns the first octets of each line, complete or not, whose begin [`next_line`](Self::next_line) has not
    /// passed.
    pub(crate) fn begins(&self) -> impl Iterator<Item = &[u8]> {
        let new = self.buffer.get(self.examined..).unwrap_or_default();
        let lines = new.split(|octet| *octet == b'\n').skip(1);
        let first = self.unread();
        let first = first.get(..2).unwrap_or(first);
        let first = first.split(|octet| *octet == b'\n').take(1);
        first.chain(lines)
    }

    /// Skips octets that no line was made of: they were read otherwise than as lines.
    #[cfg(feature = "gateway")]
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.buffer.len());
        self.examined = self.start;
        self.has_bad_octet = false;
    }

    /// Takes the octets that no line was made of.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let Self {
            mut buffer, start, ..
        } = std::mem::take(self);
        buffer.drain(..start);
        buffer
    }

    #[cfg(test)]
    const fn count(&mut self, octets: usize) {
        self.work = self.work.saturating_add(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_work_that_is_linear_in_the_octets() {
        for line in [
            "\r\n",
            "* OK hello\r\n",
            &format!("{}\r\n", "a".repeat(8000)),
        ] {
            let octets = line.repeat(65_536 / line.len());
            for pieces in [1, 3, 4096, 65_536] {
                let mut lines = Lines::default();
                let mut count = 0;
                for piece in octets.as_bytes().chunks(pieces) {
                    lines.extend(piece);
                    while lines.next_line().is_some() {
                        count += 1;
                    }
                }
                assert_eq!(count, 65_536 / line.len());
                assert!(
                    lines.work <= 2 * octets.len(),
                    "{} for {} octets in pieces of {pieces}",
                    lines.work,
                    octets.len()
                );
            }
        }
    }

    #[test]
    fn reads_the_same_lines_in_all_pieces() {
        let octets = b"a\r\n\r\nb\rc\n\n\0d\r\r\ne\r";
        for pieces in 1..=octets.len() {
            let mut lines = Lines::default();
            let mut read = Vec::new();
            for piece in octets.chunks(pieces) {
                lines.extend(piece);
                while let Some(line) = lines.next_line() {
                    read.push(line.to_vec());
                }
            }
            let expected: [&[u8]; 5] = [b"a\r\n", b"\r\n", b"b\rc\n", b"\n", b"\0d\r\r\n"];
            assert_eq!(read, expected);
            assert_eq!(lines.unread(), b"e\r");
            assert!(!lines.has_bad_octet());
            lines.extend(b"f");
            assert_eq!(lines.next_line(), None);
            assert!(lines.has_bad_octet());
            assert_eq!(lines.take(), b"e\rf");
            assert_eq!(lines.unread(), b"");
        }
    }
}
