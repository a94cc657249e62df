//! The key words of a document's text, and the entries that cover them.

use std::{collections::BTreeMap, fmt, ops::AddAssign};

use serde::{Deserialize, Serialize};

use super::{Ledger, Level, Requirement};

/// Numbers of key words of RFC 2119. A level counts its negative too: `must` counts MUST and MUST NOT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keywords {
    /// MUST, SHALL and REQUIRED.
    pub must: usize,
    /// SHOULD and RECOMMENDED.
    pub should: usize,
    /// MAY and OPTIONAL.
    pub may: usize,
}

impl Keywords {
    /// Returns the total of all levels.
    #[must_use]
    pub const fn total(self) -> usize {
        self.must + self.should + self.may
    }

    /// Returns the key words that an entry of this level covers unless it says another number.
    const fn of(level: Level) -> Self {
        let (must, should, may) = match level {
            Level::Must | Level::MustNot => (1, 0, 0),
            Level::Should | Level::ShouldNot => (0, 1, 0),
            Level::May => (0, 0, 1),
            Level::Statement => (0, 0, 0),
        };
        Self { must, should, may }
    }
}

impl AddAssign for Keywords {
    fn add_assign(&mut self, other: Self) {
        self.must += other.must;
        self.should += other.should;
        self.may += other.may;
    }
}

impl fmt::Display for Keywords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let levels = [
            (self.must, "MUST"),
            (self.should, "SHOULD"),
            (self.may, "MAY"),
        ];
        let parts: Vec<_> = levels
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, level)| format!("{count} {level}"))
            .collect();
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

impl Requirement {
    /// Returns the numbers of key words that the entry covers.
    #[must_use]
    pub fn covers(&self) -> Keywords {
        self.covers.unwrap_or_else(|| Keywords::of(self.level))
    }
}

/// The key words of one document and the entries that cover them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DocumentCoverage {
    /// The document.
    pub document: String,
    /// The reason for which they are not counted, if they are not.
    pub not_counted: Option<String>,
    /// The sections that have key words or entries that cover some, in order.
    pub sections: Vec<SectionCoverage>,
}

/// The key words of one section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SectionCoverage {
    /// The section.
    pub section: String,
    /// The numbers in the section's text.
    pub counted: Keywords,
    /// The numbers that entries cover.
    pub covered: Keywords,
    /// The entries that cover some.
    pub entries: Vec<String>,
}

impl SectionCoverage {
    /// Returns `true` if entries cover each key word and no more.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.counted == self.covered
    }
}

impl DocumentCoverage {
    /// Returns a sentence for each section whose entries cover fewer or more key words than its text has.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let wrong = self.sections.iter().filter(|it| !it.is_complete());
        wrong
            .map(|it| {
                format!(
                    "{} section {}: the text has {} and entries cover {}",
                    self.document, it.section, it.counted, it.covered
                )
            })
            .collect()
    }

    /// Returns the numbers of key words in all sections.
    #[must_use]
    pub fn counted(&self) -> Keywords {
        let mut all = Keywords::default();
        for section in &self.sections {
            all += section.counted;
        }
        all
    }
}

/// Returns a key that sorts sections in the order of their document: `9.1` before `10`, and appendices last.
#[must_use]
fn section_order(section: &str) -> Vec<String> {
    let parts = section.split('.').map(str::trim);
    parts
        .map(|part| match part.parse::<u32>() {
            Ok(number) => format!("{number:05}"),
            Err(_) => part.to_owned(),
        })
        .collect()
}

/// Returns the key words of each document and the entries that cover them, in order of the documents' names.
#[must_use]
pub fn coverage(ledgers: &[Ledger]) -> Vec<DocumentCoverage> {
    let mut documents = BTreeMap::<&str, Vec<&Ledger>>::new();
    for ledger in ledgers {
        documents.entry(&ledger.document).or_default().push(ledger);
    }
    let of_document = |(document, ledgers): (&str, Vec<&Ledger>)| {
        let not_counted = ledgers.iter().find_map(|it| it.not_counted.clone());
        let sections = not_counted.is_none().then(|| sections(&ledgers));
        DocumentCoverage {
            document: document.to_owned(),
            not_counted,
            sections: sections.unwrap_or_default(),
        }
    };
    documents.into_iter().map(of_document).collect()
}

fn sections(ledgers: &[&Ledger]) -> Vec<SectionCoverage> {
    let mut sections = BTreeMap::<_, SectionCoverage>::new();
    let named = |section: &str| (section_order(section), section.to_owned());
    for ledger in ledgers {
        for (section, count) in &ledger.keywords {
            let (order, section) = named(section);
            let entry = sections.entry(order).or_default();
            entry.section = section;
            entry.counted += *count;
        }
        for requirement in &ledger.requirements {
            let covers = requirement.covers();
            if covers.total() > 0 {
                let (order, section) = named(&requirement.section);
                let entry = sections.entry(order).or_default();
                entry.section = section;
                entry.covered += covers;
                entry.entries.push(requirement.id.clone());
            }
        }
    }
    sections.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(name: &str, head: &str, entries: &[(&str, &str, &str)]) -> Ledger {
        let entries: String = entries
            .iter()
            .zip(1..)
            .map(|((section, level, covers), number)| {
                format!(
                    "[[requirement]]\nid='{name}-{number}'\nsection='{section}'\nlevel='{level}'\nrole='both'\n\
                     text='t'\nstatus='done'\nevidence=['live:p/l']\n{covers}\n"
                )
            })
            .collect();
        Ledger::parse(name, &format!("{head}\n{entries}")).expect("valid")
    }

    #[test]
    fn counts_entries_of_every_ledger_of_a_document_by_section_and_level() {
        let one = ledger(
            "d",
            "[keywords]\n'10' = { must = 2 }\n'9.1' = { should = 1, may = 2 }",
            &[
                ("10", "MUST", ""),
                ("9.1", "SHOULD NOT", ""),
                ("9.1", "MAY", "covers={ may = 2 }"),
                ("9.1", "statement", ""),
            ],
        );
        let two = ledger(
            "e",
            "document = 'd'",
            &[("10", "MUST NOT", ""), ("10", "MAY", "covers={}")],
        );
        let [document] = coverage(&[one, two]).try_into().expect("one document");
        assert_eq!(document.problems(), Vec::<String>::new());
        let sections: Vec<_> = document
            .sections
            .iter()
            .map(|it| {
                (
                    it.section.as_str(),
                    it.counted.to_string(),
                    it.entries.len(),
                )
            })
            .collect();
        let expected = [
            ("9.1", "1 SHOULD, 2 MAY".to_owned(), 2),
            ("10", "2 MUST".to_owned(), 2),
        ];
        assert_eq!(sections, expected);
        assert_eq!(document.counted().total(), 5);
    }

    #[test]
    fn reports_key_words_that_are_not_covered_and_those_covered_too_often() {
        let given = ledger(
            "d",
            "[keywords]\n'1' = { must = 1 }\n'2' = { must = 1 }",
            &[("2", "SHOULD", ""), ("3", "MAY", "")],
        );
        let problems: Vec<_> = coverage(&[given])
            .iter()
            .flat_map(DocumentCoverage::problems)
            .collect();
        let expected = [
            "d section 1: the text has 1 MUST and entries cover none",
            "d section 2: the text has 1 MUST and entries cover 1 SHOULD",
            "d section 3: the text has none and entries cover 1 MAY",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn says_that_a_document_is_not_counted() {
        let given = ledger("r", "not_counted = 'why'", &[("2, 3", "MUST", "")]);
        let [document] = coverage(&[given]).try_into().expect("one document");
        assert_eq!(document.not_counted.as_deref(), Some("why"));
        assert_eq!(document.sections, []);
        assert_eq!(document.problems(), Vec::<String>::new());
    }
}
