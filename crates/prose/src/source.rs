//! Reads a Rust file: its doc comments, its message literals and the names of its tests.

/// A doc comment: consecutive lines that begin with `///` or `//!`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Doc {
    /// `true` if a command line shows the text as help.
    pub help: bool,
    /// The lines, each with its number in the file.
    pub lines: Vec<(usize, String)>,
}

/// The texts of a Rust file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its doc comments.
    pub docs: Vec<Doc>,
    /// Its string literals that contain prose, outside of tests, each with its line.
    pub messages: Vec<(usize, String)>,
    /// The names of its test functions, each with its line.
    pub tests: Vec<(usize, String)>,
}

/// A part of a Rust file that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Doc(String),
    Word(String),
    Text(String),
    Sign(char),
}

/// The derives of clap, under which doc comments are help.
const HELP: &[&str] = &["Parser", "Args", "Subcommand", "ValueEnum"];

/// The attributes whose strings people read: clap's, and those of derived errors.
const SHOWN: &[&str] = &["arg", "clap", "command", "deprecated", "error", "value"];

/// A block between braces.
#[derive(Clone, Copy, Default)]
struct Block {
    help: bool,
    test: bool,
}

impl Source {
    /// Reads a file. `messages` is `false` for a file whose strings no user reads, such as a test.
    #[must_use]
    pub fn parse(text: &str, messages: bool) -> Self {
        let tokens = tokens(text);
        let mut source = Self::default();
        let mut blocks = vec![Block::default()];
        let mut next = Block::default();
        let mut is_test = false;
        let mut item_docs = source.docs.len();
        let mut at = 0;
        while let Some((line, token)) = tokens.get(at) {
            at += 1;
            let block = blocks.last().copied().unwrap_or_default();
            match token {
                Token::Doc(text) => match source.docs.last_mut() {
                    Some(doc) if doc.lines.last().is_some_and(|(last, _)| last + 1 == *line) => {
                        doc.lines.push((*line, text.clone()));
                    }
                    _ => source.docs.push(Doc {
                        help: block.help,
                        lines: vec![(*line, text.clone())],
                    }),
                },
                Token::Sign('#') => {
                    let (end, attribute) = attribute(&tokens, at);
                    at = end;
                    let words: Vec<&str> = attribute
                        .iter()
                        .filter_map(|(_, token)| word(token))
                        .collect();
                    match words.first() {
                        Some(&"derive") if words.iter().any(|word| HELP.contains(word)) => {
                            next.help = true
                        }
                        Some(&"cfg") if words.contains(&"test") && !words.contains(&"not") => {
                            next.test = true
                        }
                        Some(&"test") => is_test = true,
                        Some(&"tokio") if words.get(1) == Some(&"test") => is_test = true,
                        Some(name) if SHOWN.contains(name) && messages && !block.test => {
                            source.messages.extend(attribute.iter().filter_map(message));
                        }
                        _ => {}
                    }
                }
                Token::Word(word) if word == "fn" => {
                    if let (true, Some((line, Token::Word(name)))) = (is_test, tokens.get(at)) {
                        source.tests.push((*line, name.clone()));
                    }
                    is_test = false;
                }
                Token::Text(_) => {
                    if messages && !block.test {
                        source.messages.extend(message(&(*line, token.clone())));
                    }
                }
                Token::Sign('{') => {
                    if next.help {
                        for doc in source.docs.iter_mut().skip(item_docs) {
                            doc.help = true;
                        }
                    }
                    blocks.push(Block {
                        help: next.help,
                        test: block.test || next.test,
                    });
                    next = Block::default();
                    item_docs = source.docs.len();
                }
                Token::Sign('}') => {
                    if blocks.len() > 1 {
                        blocks.pop();
                    }
                    item_docs = source.docs.len();
                }
                Token::Sign(';') => {
                    next = Block::default();
                    item_docs = source.docs.len();
                }
                Token::Word(_) | Token::Sign(_) => {}
            }
        }
        source
    }
}

/// The tokens of an attribute whose `#` was read, and the position after it.
fn attribute(tokens: &[(usize, Token)], from: usize) -> (usize, &[(usize, Token)]) {
    let mut at = from;
    if tokens.get(at).map(|(_, token)| token) == Some(&Token::Sign('!')) {
        at += 1;
    }
    if tokens.get(at).map(|(_, token)| token) != Some(&Token::Sign('[')) {
        return (from, &[]);
    }
    let mut depth = 0_usize;
    let start = at;
    while let Some((_, token)) = tokens.get(at) {
        at += 1;
        match token {
            Token::Sign('[') => depth += 1,
            Token::Sign(']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    (at, tokens.get(start..at).unwrap_or_default())
}

/// The word that a token is.
fn word(token: &Token) -> Option<&str> {
    match token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

/// The message that a token is: a string in which a space separates two words.
fn message((line, token): &(usize, Token)) -> Option<(usize, String)> {
    let Token::Text(text) = token else {
        return None;
    };
    let mut words = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphabetic));
    let prose = words.next().is_some() && words.next().is_some();
    prose.then(|| (*line, text.clone()))
}

/// Splits a file into tokens, each with its line.
fn tokens(text: &str) -> Vec<(usize, Token)> {
    let characters: Vec<char> = text.chars().collect();
    let mut reader = Reader {
        characters: &characters,
        at: 0,
        line: 1,
    };
    let mut tokens = Vec::new();
    while let Some(character) = reader.peek(0) {
        let line = reader.line;
        match character {
            '/' if reader.peek(1) == Some('/') => {
                let comment = reader.take_while(|character| character != '\n');
                let text = match comment.strip_prefix("//!") {
                    Some(text) => Some(text),
                    None => comment
                        .strip_prefix("///")
                        .filter(|text| !text.starts_with('/')),
                };
                if let Some(text) = text {
                    tokens.push((line, Token::Doc(text.to_owned())));
                }
            }
            '/' if reader.peek(1) == Some('*') => reader.block_comment(),
            '"' => tokens.push((line, Token::Text(reader.string()))),
            '\'' => reader.quote(),
            _ if character.is_alphanumeric() || character == '_' => {
                let word =
                    reader.take_while(|character| character.is_alphanumeric() || character == '_');
                match (word.as_str(), reader.peek(0)) {
                    ("r" | "br" | "cr", Some('"' | '#')) => match reader.raw_string() {
                        Some(text) => tokens.push((line, Token::Text(text))),
                        None => tokens.push((line, Token::Word(word))),
                    },
                    ("b" | "c", Some('"')) => {
                        let text = reader.string();
                        tokens.push((line, Token::Text(text)));
                    }
                    ("b", Some('\'')) => reader.quote(),
                    _ => tokens.push((line, Token::Word(word))),
                }
            }
            _ => {
                reader.next();
                if !character.is_whitespace() {
                    tokens.push((line, Token::Sign(character)));
                }
            }
        }
    }
    tokens
}

/// A position in a file.
struct Reader<'c> {
    characters: &'c [char],
    at: usize,
    line: usize,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek(0)?;
        self.at += 1;
        if character == '\n' {
            self.line += 1;
        }
        Some(character)
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(character) = self.peek(0).filter(|character| keep(*character)) {
            taken.push(character);
            self.next();
        }
        taken
    }

    /// Skips a comment, with the comments inside it.
    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while let Some(character) = self.next() {
            match (character, self.peek(0)) {
                ('/', Some('*')) => {
                    depth += 1;
                    self.next();
                }
                ('*', Some('/')) => {
                    depth = depth.saturating_sub(1);
                    self.next();
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    /// Reads a string literal. A line that ends with `\` continues without its indentation.
    fn string(&mut self) -> String {
        self.next();
        let mut text = String::new();
        while let Some(character) = self.next() {
            match character {
                '"' => break,
                '\\' => match self.next() {
                    Some('\n') => {
                        self.take_while(char::is_whitespace);
                    }
                    Some('n' | 't' | 'r') => text.push(' '),
                    Some(escaped) => text.push(escaped),
                    None => break,
                },
                _ => text.push(character),
            }
        }
        text
    }

    /// Reads a raw string literal after its `r`; `None` for a raw identifier.
    fn raw_string(&mut self) -> Option<String> {
        let hashes = (0..)
            .take_while(|ahead| self.peek(*ahead) == Some('#'))
            .count();
        if self.peek(hashes) != Some('"') {
            return None;
        }
        for _ in 0..=hashes {
            self.next();
        }
        let mut text = String::new();
        while let Some(character) = self.next() {
            if character == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..hashes {
                    self.next();
                }
                break;
            }
            text.push(character);
        }
        Some(text)
    }

    /// Skips a character literal, or the quote of a lifetime.
    fn quote(&mut self) {
        self.next();
        match (self.peek(0), self.peek(1)) {
            (Some('\\'), _) => {
                self.next();
                self.next();
                while self.next().is_some_and(|character| character != '\'') {}
            }
            (Some(_), Some('\'')) => {
                self.next();
                self.next();
            }
            _ => {}
        }
    }
}
