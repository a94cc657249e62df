//! Replies of POP before login (RFC 1939, 2449, 2595).

use super::{Dialogue, DialogueError, Greeting, Step};

impl Dialogue {
    pub(super) fn pop(&mut self, line: String) -> Result<(), DialogueError> {
        let positive = has_prefix(&line, "+OK");
        let negative = has_prefix(&line, "-ERR");
        match self.step {
            Step::Greeting if positive => {
                self.greeting = Some(Greeting {
                    authenticated: false,
                    encrypted: self.encrypted,
                    lines: vec![line],
                });
                self.ask_capabilities()
            }
            Step::Greeting if negative => Err(DialogueError::Refused),
            Step::Upgrade if positive => self.begin_tls(),
            Step::Upgrade if negative => Err(DialogueError::StartTlsRefused),
            Step::Capabilities if self.lines.is_empty() && positive => {
                self.lines.push(line);
                Ok(())
            }
            // RFC 2449 section 5: a server without CAPA answers -ERR, and says nothing about its capabilities.
            Step::Capabilities if self.lines.is_empty() && negative => {
                self.capabilities(Vec::new())
            }
            Step::Capabilities if !self.lines.is_empty() => {
                if line == "." {
                    let items = self.lines.drain(..).skip(1).collect();
                    return self.capabilities(items);
                }
                let line = line.strip_prefix('.').map_or(line.clone(), str::to_owned);
                self.lines.push(line);
                Ok(())
            }
            _ => Err(DialogueError::Unexpected),
        }
    }
}

/// Returns `true` if a reply of POP begins with this indicator.
fn has_prefix(line: &str, indicator: &str) -> bool {
    line.strip_prefix(indicator)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
