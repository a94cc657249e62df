//! Replies of IMAP before login (RFC 3501).

use super::{CLEAR_TAG, Dialogue, DialogueError, Greeting, Step, TLS_TAG};

impl Dialogue {
    pub(super) fn imap(&mut self, line: String) -> Result<(), DialogueError> {
        let (tag, rest) = line.split_once(' ').ok_or(DialogueError::Unexpected)?;
        if self.step == Step::Greeting {
            if tag != "*" {
                return Err(DialogueError::Unexpected);
            }
            return match first_word(rest).as_str() {
                "OK" => self.imap_greeting(line, false),
                "PREAUTH" if !self.encrypted => Err(DialogueError::PreauthInClear),
                "PREAUTH" => self.imap_greeting(line, true),
                "BYE" => Err(DialogueError::Refused),
                _ => Err(DialogueError::Unexpected),
            };
        }
        if tag == "*" {
            match first_word(rest).as_str() {
                "BYE" => return Err(DialogueError::Refused),
                "PREAUTH" => return Err(DialogueError::Unexpected),
                "CAPABILITY" if self.step == Step::Capabilities => self.lines.push(line),
                // Other responses are permitted at any time (RFC 3501 section 7), also one with a literal, which
                // no server needs before login: it would desynchronize the lines.
                _ if line.ends_with('}') => return Err(DialogueError::Unexpected),
                _ => {}
            }
            return Ok(());
        }
        let expected = if self.encrypted { TLS_TAG } else { CLEAR_TAG };
        if tag != expected {
            return Err(DialogueError::Unexpected);
        }
        let status = first_word(rest);
        match (self.step, status.as_str()) {
            (Step::Capabilities, "OK") => {
                let words = self
                    .lines
                    .last()
                    .map(|line| line.split_ascii_whitespace().skip(2));
                let items = words.map(|words| words.map(str::to_owned).collect());
                self.capabilities(items.ok_or(DialogueError::Unexpected)?)
            }
            (Step::Upgrade, "OK") => self.begin_tls(),
            (Step::Upgrade, "NO" | "BAD") => Err(DialogueError::StartTlsRefused),
            _ => Err(DialogueError::Unexpected),
        }
    }

    fn imap_greeting(&mut self, line: String, authenticated: bool) -> Result<(), DialogueError> {
        let code = capability_code(&line);
        self.greeting = Some(Greeting {
            authenticated,
            encrypted: self.encrypted,
            lines: vec![line],
        });
        match code {
            Some(items) => self.capabilities(items),
            None => self.ask_capabilities(),
        }
    }
}

fn first_word(text: &str) -> String {
    text.split(' ')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase()
}

/// Returns the capabilities that a line lists: those of `* CAPABILITY`, or of the code of a status response.
#[cfg(feature = "gateway")]
pub(crate) fn listed(line: &str) -> Option<Vec<String>> {
    let mut words = line.split_ascii_whitespace();
    let is_list = words.next() == Some("*") && words.next()?.eq_ignore_ascii_case("CAPABILITY");
    match is_list {
        true => Some(words.map(str::to_owned).collect()),
        false => capability_code(line),
    }
}

/// Returns the words of `[CAPABILITY ...]` in a status response.
fn capability_code(line: &str) -> Option<Vec<String>> {
    let code = line.splitn(3, ' ').nth(2)?.strip_prefix('[')?;
    let (code, _) = code.split_once(']')?;
    let mut words = code.split_ascii_whitespace();
    let is_capability = words.next()?.eq_ignore_ascii_case("CAPABILITY");
    is_capability.then(|| words.map(str::to_owned).collect())
}
