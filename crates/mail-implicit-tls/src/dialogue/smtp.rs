//! Replies of SMTP before login (RFC 5321, 3207).

use super::{Dialogue, DialogueError, Greeting, Step};

impl Dialogue {
    pub(super) fn smtp(&mut self, line: String) -> Result<(), DialogueError> {
        let code = line
            .get(..3)
            .filter(|code| code.bytes().all(|octet| octet.is_ascii_digit()));
        let code: u16 = code
            .and_then(|code| code.parse().ok())
            .ok_or(DialogueError::Unexpected)?;
        let is_last = match line.as_bytes().get(3) {
            None | Some(b' ') => true,
            Some(b'-') => false,
            Some(_) => return Err(DialogueError::Unexpected),
        };
        if self
            .lines
            .first()
            .is_some_and(|first| first.get(..3) != line.get(..3))
        {
            return Err(DialogueError::Unexpected);
        }
        self.lines.push(line);
        if !is_last {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.lines);
        match (self.step, code) {
            (Step::Greeting, 220) => {
                self.greeting = Some(Greeting {
                    authenticated: false,
                    encrypted: self.encrypted,
                    lines,
                });
                self.ask_capabilities()
            }
            (Step::Capabilities, 250) => {
                let items = lines
                    .iter()
                    .skip(1)
                    .filter_map(|line| line.get(4..))
                    .map(str::to_owned);
                self.capabilities(items.collect())
            }
            (Step::Upgrade, 220) => self.begin_tls(),
            (Step::Upgrade, 400..=599) => Err(DialogueError::StartTlsRefused),
            (Step::Greeting | Step::Capabilities, 400..=599) => Err(DialogueError::Refused),
            _ => Err(DialogueError::Unexpected),
        }
    }
}
