//! The rules: openers, words, names of tests.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    fmt,
};

use serde::Deserialize;

use crate::{
    markdown::{Kind, paragraphs},
    source::Source,
};

/// First words of test names that end in `s` and are no verbs.
const NOT_VERBS: &[&str] = &[
    "always", "dns", "ids", "its", "less", "plus", "sans", "this", "tls", "values",
];

/// The kinds of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// Documentation: rustdoc and Markdown.
    Doc,
    /// A string that a program shows, and the doc comments that clap shows as help.
    Message,
    /// The name of a test.
    Test,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Doc => "doc",
            Self::Message => "message",
            Self::Test => "test",
        })
    }
}

/// A rule that a text breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A paragraph, list item or message opens with a word of the list.
    Opener,
    /// A line inside a paragraph opens so: a sentence that happens to begin with the line.
    Line,
    /// A word or phrase of the list.
    Word,
    /// A test's name does not begin with a verb.
    Name,
}

/// A finding, with an alternative.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The line in the file.
    pub line: usize,
    /// The kind of text.
    pub text: Text,
    /// The rule.
    pub rule: Rule,
    /// The words found.
    pub found: String,
    /// The alternative.
    pub plain: String,
    /// The line that contains them.
    pub context: String,
}

/// The findings in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The lines of documentation, without empty ones, headings and code blocks.
    pub lines: usize,
    /// The findings, in the order of the file.
    pub findings: Vec<Finding>,
}

/// The lists of openers and words.
#[derive(Debug)]
pub struct Words {
    openers: Vec<Opener>,
    /// The phrases by their first word.
    phrases: HashMap<String, Vec<Phrase>>,
}

/// The lists as they are in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    opener: Vec<Opener>,
    word: Vec<Word>,
}

/// A word that must not open a text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Opener {
    opens: String,
    plain: String,
    /// `true` if a message must not open with it in lower case either: the word is no fragment of
    /// a longer message.
    #[serde(default)]
    lower_case: bool,
}

/// Phrases with the same alternative.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Word {
    says: Vec<String>,
    plain: String,
    #[serde(default)]
    except: Vec<String>,
}

/// A phrase, split into words.
#[derive(Debug)]
struct Phrase {
    text: String,
    words: Vec<String>,
    /// The alternative; `None` for a phrase that is plain English.
    plain: Option<String>,
}

impl Phrase {
    /// The number of parts that the phrase covers at a position.
    fn length_at(&self, parts: &[(usize, String)], at: usize) -> Option<usize> {
        let mut length = 0;
        for word in &self.words {
            match (word.as_str(), parts.get(at + length)) {
                ("$", None) => {}
                ("*", Some((_, part))) if part != "$" => length += 1,
                (word, Some((_, part))) if part == word => length += 1,
                _ => return None,
            }
        }
        Some(length)
    }
}

impl Words {
    /// Reads the list that comes with this crate.
    ///
    /// # Errors
    ///
    /// Returns the TOML parser's error if the list is malformed.
    pub fn built_in() -> Result<Self, toml::de::Error> {
        let lists: Lists = toml::from_str(include_str!("../words.toml"))?;
        let mut phrases: HashMap<String, Vec<Phrase>> = HashMap::new();
        for word in lists.word {
            let plain = word
                .says
                .into_iter()
                .map(|text| (text, Some(word.plain.clone())));
            let except = word.except.into_iter().map(|text| (text, None));
            for (text, plain) in plain.chain(except) {
                let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
                let first = words.first().cloned().unwrap_or_default();
                phrases
                    .entry(first)
                    .or_default()
                    .push(Phrase { text, words, plain });
            }
        }
        Ok(Self {
            openers: lists.opener,
            phrases,
        })
    }

    /// Checks a Rust file.
    #[must_use]
    pub fn check_rust(&self, source: &Source) -> Findings {
        let mut findings = Findings::default();
        for doc in &source.docs {
            let text = if doc.help { Text::Message } else { Text::Doc };
            self.check_lines(&doc.lines, text, &mut findings);
        }
        for (line, message) in &source.messages {
            let lines = [(*line, message.clone())];
            let opener = self.openers.iter().find(|opener| {
                let lower_case = opener.lower_case && opens(message, &opener.opens.to_lowercase());
                lower_case || opens(message, &opener.opens)
            });
            if let Some(opener) = opener {
                findings.push(
                    *line,
                    Text::Message,
                    Rule::Opener,
                    &opener.opens,
                    &opener.plain,
                    message,
                );
            }
            self.check_words(&lines, Text::Message, &mut findings);
        }
        for (line, name) in &source.tests {
            let verb = name.split('_').next().unwrap_or_default();
            if !(verb.ends_with('s') || verb == "never") || NOT_VERBS.contains(&verb) {
                findings.push(
                    *line,
                    Text::Test,
                    Rule::Name,
                    name,
                    "the verb of the subject first: rejects_, keeps_",
                    name,
                );
            }
        }
        findings.findings.sort();
        findings
    }

    /// Checks a Markdown file.
    #[must_use]
    pub fn check_markdown(&self, text: &str) -> Findings {
        let mut findings = Findings::default();
        let lines: Vec<_> = (1..).zip(text.lines().map(str::to_owned)).collect();
        self.check_lines(&lines, Text::Doc, &mut findings);
        findings.findings.sort();
        findings
    }

    fn check_lines(&self, lines: &[(usize, String)], text: Text, findings: &mut Findings) {
        for paragraph in paragraphs(lines) {
            if paragraph.kind != Kind::Heading {
                findings.lines += paragraph.lines.len();
            }
            if paragraph.kind == Kind::Text {
                for (index, (line, content)) in paragraph.lines.iter().enumerate() {
                    let content = content.trim_start_matches(['*', '_', '(', '"', '>', ' ']);
                    let rule = if index == 0 { Rule::Opener } else { Rule::Line };
                    let opener = self
                        .openers
                        .iter()
                        .find(|opener| opens(content, &opener.opens));
                    if let Some(Opener { opens, plain, .. }) = opener {
                        findings.push(*line, text, rule, opens, plain, content);
                    }
                }
            }
            self.check_words(&paragraph.lines, text, findings);
        }
    }

    fn check_words(&self, lines: &[(usize, String)], text: Text, findings: &mut Findings) {
        let mut code = false;
        let mut parts: Vec<(usize, String)> = Vec::new();
        for (line, content) in lines {
            parts.extend(
                split(content, &mut code)
                    .into_iter()
                    .map(|part| (*line, part)),
            );
        }
        // The parts that a phrase covers, longest phrase first: a match inside of it does not count.
        let mut covered: BTreeSet<usize> = BTreeSet::new();
        let mut matched: Vec<(usize, usize, &Phrase)> = Vec::new();
        for (at, (_, part)) in parts.iter().enumerate() {
            for phrase in self.phrases.get(part).into_iter().flatten() {
                if let Some(length) = phrase.length_at(&parts, at) {
                    matched.push((length, at, phrase));
                }
            }
        }
        matched.sort_by_key(|(length, at, phrase)| (phrase.plain.is_some(), Reverse(*length), *at));
        for (length, at, phrase) in matched {
            let free = covered.range(at..at + length).next().is_none();
            covered.extend(at..at + length);
            if let (true, Some(plain), Some((line, _))) = (free, &phrase.plain, parts.get(at)) {
                let context = lines.iter().find(|(number, _)| number == line);
                let context = context.map_or("", |(_, content)| content);
                findings.push(*line, text, Rule::Word, &phrase.text, plain, context);
            }
        }
    }
}

impl Findings {
    fn push(
        &mut self,
        line: usize,
        text: Text,
        rule: Rule,
        found: &str,
        plain: &str,
        context: &str,
    ) {
        self.findings.push(Finding {
            line,
            text,
            rule,
            found: found.to_owned(),
            plain: plain.to_owned(),
            context: context.to_owned(),
        });
    }
}

/// Returns `true` if a text begins with a word.
fn opens(text: &str, opener: &str) -> bool {
    text.strip_prefix(opener).is_some_and(|rest| {
        !rest.starts_with(|character: char| {
            character.is_alphanumeric() || matches!(character, '_' | '-' | ':')
        })
    })
}

/// Splits a text into lower-case words, with `` ` `` for a code span, `{}` for a placeholder of a
/// format string, and `$` for punctuation. `code` is `true` while a code span is open, which can
/// continue on the next line.
fn split(text: &str, code: &mut bool) -> Vec<String> {
    let mut parts = Vec::new();
    let mut word = String::new();
    let mut placeholder = false;
    for character in text.chars() {
        if *code || placeholder {
            match character {
                '`' => *code = false,
                '}' => placeholder = false,
                _ => {}
            }
            continue;
        }
        if character.is_alphanumeric() || matches!(character, '\'' | '\u{2019}' | '-' | '_' | '/') {
            word.extend(character.to_lowercase());
            continue;
        }
        if !word.is_empty() {
            parts.push(std::mem::take(&mut word));
        }
        match character {
            '`' => {
                parts.push("`".to_owned());
                *code = true;
            }
            '{' => {
                parts.push("{}".to_owned());
                placeholder = true;
            }
            '.' | ',' | ';' | ':' | '?' | '!' | '(' | ')' => parts.push("$".to_owned()),
            _ => {}
        }
    }
    if !word.is_empty() {
        parts.push(word);
    }
    parts
}
