//! Invariants of any message whose forged fields are removed.

use std::ops::Range;

use authres_tls::{
    AuthenticationResults, AuthservId, Options, StripPolicy, Stripper,
    strip::{StripReason, StripScope, StripVerdict, Stripped},
    syntax::{Body, Mode},
};
use conformance::oracle::Broken;

/// Local ids, from which the choice selects one.
const OWN: [&str; 4] = [
    "example.com",
    "mx.example.com",
    "b\u{fc}cher.example",
    "mail_1",
];

/// Checks what is removed from a message, under the policy that the first byte chooses: parts that hold the
/// field's name; all else stays byte for byte, and so does the body; in pieces the message gives the same;
/// what is left claims no local id for any of three readers, whose line breaks differ; and a second pass
/// removes nothing.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn strip(data: &[u8]) -> Result<(), Broken> {
    let (choice, message) = data.split_first().unwrap_or((&0, &[]));
    let own = OWN[usize::from(choice >> 3) % OWN.len()];
    let own = AuthservId::try_new(own).map_err(|error| error.to_string())?;
    let policy = StripPolicy {
        subdomains: choice & 1 == 0,
        scope: match choice & 6 {
            6 => StripScope::None,
            2 => StripScope::All,
            _ => StripScope::OwnIds(vec![own]),
        },
    };
    let stripped = policy.strip(message);
    if in_pieces(&policy, message, usize::from(choice >> 3) + 1) != stripped {
        return Err("in pieces the message is stripped otherwise".into());
    }
    let spans: Vec<_> = stripped.removals.iter().map(|it| it.span.clone()).collect();
    if !spans.is_sorted_by(|one, next| one.end <= next.start) {
        return Err(format!("{spans:?} are not in order"));
    }
    if without(message, &spans) != stripped.message {
        return Err("something else of the message changed".into());
    }
    let body = body_of(message);
    for span in &spans {
        let removed = message
            .get(span.clone())
            .ok_or("a part that is not there is removed")?;
        if !has_name(removed) {
            return Err(format!(
                "{span:?} is removed, but is not a field of this name"
            ));
        }
        if body.is_some_and(|body| span.end > body) {
            return Err(format!("{span:?} is removed from the body"));
        }
    }
    for (field, value) in named_fields(message, Reader::LineFeed) {
        let verdict = policy.verdict(&value);
        let removed = spans.iter().any(|span| span.contains(&field.start));
        let next = message.get(field.end);
        // Some readers continue the value after an octet that is neither visible nor a line break.
        let is_doubtful =
            next.is_some_and(|octet| !octet.is_ascii_graphic() && !b"\r\n".contains(octet));
        let may_go = is_doubtful && removes(policy.verdict(&[value.as_slice(), b"\x0b"].concat()));
        if body.is_some() && removed != removes(verdict) && !(removed && may_go) {
            return Err(format!("{verdict:?} of the field at {}", field.start));
        }
        plain_verdict(&policy, &value)?;
    }
    let again = policy.strip(&stripped.message);
    if again.message != stripped.message || !again.removals.is_empty() {
        return Err(format!("a second pass removes {:?}", again.removals));
    }
    if policy.scope == StripScope::None {
        return Ok(());
    }
    for reader in [Reader::LineFeed, Reader::PythonEmail, Reader::SplitLines] {
        let left = named_fields(&stripped.message, reader);
        if policy.scope == StripScope::All && !left.is_empty() {
            return Err(format!("{reader:?} sees a field where all go"));
        }
        for (_, value) in left {
            stays(&policy, &value)?;
        }
    }
    Ok(())
}

const fn removes(verdict: StripVerdict) -> bool {
    matches!(verdict, StripVerdict::Remove(_))
}

fn in_pieces(policy: &StripPolicy, message: &[u8], length: usize) -> Stripped {
    let mut stripper = Stripper::new(policy);
    let (mut out, mut removals) = (Vec::new(), Vec::new());
    for piece in message.chunks(length) {
        stripper.push(piece, &mut out);
        removals.extend(stripper.take_removals());
    }
    stripper.finish(&mut out);
    removals.extend(stripper.take_removals());
    Stripped {
        message: out,
        removals,
    }
}

fn without(message: &[u8], spans: &[Range<usize>]) -> Vec<u8> {
    let octets = message.iter().enumerate();
    let kept = octets.filter(|(at, _)| !spans.iter().any(|span| span.contains(at)));
    kept.map(|(_, octet)| *octet).collect()
}

/// Returns the offset of the body of a message whose header has line breaks of one kind only.
fn body_of(message: &[u8]) -> Option<usize> {
    for line_break in [b"\r\n".as_slice(), b"\n"] {
        let empty_line = line_break.repeat(2);
        let end = message
            .windows(empty_line.len())
            .position(|octets| octets == empty_line);
        let Some(end) = end else { continue };
        let header = String::from_utf8_lossy(&message[..end]).replace("\r\n", "\n");
        let crlf = message[..end].windows(2).filter(|it| it == b"\r\n").count();
        let feeds = header.matches('\n').count();
        let is_one_kind = crlf == if line_break == b"\n" { 0 } else { feeds };
        if is_one_kind && !header.contains('\r') {
            return Some(end + empty_line.len());
        }
    }
    None
}

/// If the field's name is there, past what some reader ignores.
fn has_name(removed: &[u8]) -> bool {
    let text = String::from_utf8_lossy(removed);
    let letters = text.chars().filter_map(|c| match c {
        '\u{17f}' => Some('s'),
        '\u{130}' | '\u{131}' => Some('i'),
        '!'..='~' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    letters
        .collect::<String>()
        .contains("authentication-results:")
}

/// Readers of a message, by the octets that end a line for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// LF, and a CR before it.
    LineFeed,
    /// Besides a bare CR, as Python's `email`.
    PythonEmail,
    /// Besides what Python's `splitlines` has.
    SplitLines,
}

impl Reader {
    fn ends_line(self, line: &str, next: Option<char>) -> bool {
        match line.chars().next_back() {
            Some('\n') => true,
            Some('\r') => self != Self::LineFeed && next != Some('\n'),
            Some('\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}') => {
                self == Self::SplitLines
            }
            _ => false,
        }
    }
}

/// The fields called Authentication-Results that a reader sees: the place of each, and its value.
fn named_fields(message: &[u8], reader: Reader) -> Vec<(Range<usize>, Vec<u8>)> {
    let mut lines = vec![(0, 0, String::new())];
    let mut at = 0;
    for chunk in message.utf8_chunks() {
        let mut characters = chunk.valid().chars().peekable();
        while let Some(c) = characters.next() {
            at += c.len_utf8();
            let Some((_, end, line)) = lines.last_mut() else {
                break;
            };
            line.push(c);
            *end = at;
            if reader.ends_line(line, characters.peek().copied()) {
                lines.push((at, at, String::new()));
            }
        }
        at += chunk.invalid().len();
        if let Some((_, end, line)) = lines.last_mut() {
            line.push(char::REPLACEMENT_CHARACTER);
            *end = at;
        }
    }
    let mut fields = Vec::<(usize, usize)>::new();
    for (start, end, line) in lines {
        if line.trim_end_matches(['\r', '\n']).is_empty() && !line.is_empty() {
            break;
        }
        match fields.last_mut() {
            Some(field) if line.starts_with([' ', '\t']) => field.1 = end,
            _ => fields.push((start, end)),
        }
    }
    let value_of = |(start, end): (usize, usize)| {
        const NAME: &[u8] = b"authentication-results";
        let field = message.get(start..end.min(message.len()))?;
        let (name, rest) = field.split_at_checked(NAME.len())?;
        let blanks = rest.iter().take_while(|octet| octet.is_ascii_whitespace());
        let value = rest.get(blanks.count()..)?.strip_prefix(b":")?;
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        let is_named = name.eq_ignore_ascii_case(NAME);
        is_named.then(|| (start..end, value.to_vec()))
    };
    fields.into_iter().filter_map(value_of).collect()
}

fn own(policy: &StripPolicy) -> &[AuthservId] {
    match &policy.scope {
        StripScope::OwnIds(own) => own,
        StripScope::All | StripScope::None => &[],
    }
}

/// Checks the verdict on values that begin with a name without quotes, comments and folds, followed by `;`.
fn plain_verdict(policy: &StripPolicy, value: &[u8]) -> Result<(), Broken> {
    let Ok(value) = std::str::from_utf8(value) else {
        return Ok(());
    };
    let Some((id, _)) = value.split_once(';') else {
        return Ok(());
    };
    let id = id.trim_matches(' ').to_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = id.trim_end_matches('.');
    if name.is_empty() || !id.chars().all(is_plain) || id.contains("xn--") {
        return Ok(());
    }
    let own = own(policy).iter().map(AuthservId::as_str);
    let mut reasons = own.filter_map(|own| match name.strip_suffix(own) {
        Some("") => Some(StripReason::OwnId),
        Some(below) if policy.subdomains && below.ends_with('.') => Some(StripReason::BelowOwnId),
        _ => None,
    });
    let expected = match policy.scope {
        StripScope::None => StripVerdict::Keep,
        StripScope::All => StripVerdict::Remove(StripReason::All),
        StripScope::OwnIds(_) => reasons
            .next()
            .map_or(StripVerdict::Keep, StripVerdict::Remove),
    };
    let verdict = policy.verdict(value.as_bytes());
    if verdict == expected {
        return Ok(());
    }
    Err(format!("{verdict:?} of {id:?}, not {expected:?}"))
}

/// Checks that no reading of the value finds a local id, or a version that this crate cannot read.
fn stays(policy: &StripPolicy, value: &[u8]) -> Result<(), Broken> {
    for mode in [Mode::Strict, Mode::Lenient] {
        for utf8 in [false, true] {
            let options = Options {
                mode,
                ..Options::default()
            };
            let read = AuthenticationResults::parse(value, &options.with_utf8(utf8));
            let Ok(header) = read else { continue };
            let id = header.authserv_id().unfolded();
            if header.body() == Body::UnsupportedVersion {
                return Err(format!("{id:?} stays with an unsupported version"));
            }
            let Ok(claimed) = AuthservId::try_new(&id) else {
                return Err(format!("{id:?} stays and is no name"));
            };
            let is_own =
                |own: &AuthservId| *own == claimed || policy.subdomains && own.covers(&claimed);
            if own(policy).iter().any(is_own) {
                return Err(format!("{id:?} stays, but is a local id"));
            }
        }
    }
    Ok(())
}
