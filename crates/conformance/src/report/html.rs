//! The report as pages: one of all, and one for each suite. They need no other file, and no script to be read.

mod case;
mod changes;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use askama::Template;

use super::{Judgement, Report};
use crate::{
    evidence::Origin,
    finding::{
        EvidenceReport, EvidenceState, LedgerReport, RequirementReport, RequirementState,
        SuiteReport,
    },
    ledger::{Evidence, Level, Status},
    locate::TestPlaces,
    part::{Files, replace},
    scenario::LiveState,
    text::counted,
};

pub(super) use case::shown;
use changes::Changes;

/// The page of all.
#[derive(Template)]
#[template(path = "index.html")]
struct Index<'a> {
    report: &'a Report,
    /// The folder of the suites' pages.
    folder: String,
    json: String,
    junit: String,
    tiles: Vec<Tile>,
    drafts: Vec<Draft<'a>>,
    /// The entries that are met in part or in another way.
    gathered: Vec<Entry<'a>>,
    /// Each package, the origin of its tests' outcomes, and their number.
    packages: Vec<(&'a str, String, String)>,
    /// The difference to the run before.
    changes: Option<Changes<'a>>,
}

/// A number at the top of the page.
struct Tile {
    number: String,
    label: &'static str,
    tone: &'static str,
}

/// The ledger of a draft.
struct Draft<'a> {
    name: &'a str,
    link: Option<String>,
    statuses: String,
    levels: Vec<LevelBar>,
    entries: Vec<Entry<'a>>,
}

/// The entries of one level, as a bar.
struct LevelBar {
    name: &'static str,
    shown: usize,
    total: usize,
    words: String,
    parts: Vec<BarPart>,
}

struct BarPart {
    tone: &'static str,
    count: usize,
}

/// One requirement.
#[derive(Clone)]
struct Entry<'a> {
    report: &'a RequirementReport,
    level: &'static str,
    role: &'static str,
    tone: &'static str,
    link: Option<String>,
    evidence: Vec<Shown<'a>>,
    /// The number of cases that name the requirement and are not listed as evidence.
    others: usize,
}

/// One piece of evidence.
#[derive(Clone)]
struct Shown<'a> {
    report: &'a EvidenceReport,
    link: Option<String>,
    /// The file and line of a test.
    place: Option<String>,
    tone: &'static str,
}

/// The page of a suite.
#[derive(Template)]
#[template(path = "suite.html")]
struct SuitePage<'a> {
    report: &'a Report,
    suite: &'a SuiteReport,
    /// The name of the page of all.
    page: String,
    /// The vector file, if it is in the repository.
    file: Option<String>,
    annotated: bool,
    cases: Vec<case::View<'a>>,
}

impl Report {
    /// Returns the tone of the verdict.
    fn tone(&self) -> &'static str {
        use Judgement::{
            Conforms, ConformsAsRecorded, DoesNotConform, PartFailed, PartPassed, TestsLeftOut,
        };
        match self.verdict {
            Conforms => "good",
            ConformsAsRecorded | TestsLeftOut | PartPassed => "warn",
            DoesNotConform | PartFailed => "bad",
        }
    }
}

/// Writes the page of all to `page`, which is below `root`, and those of the suites to a folder beside it.
pub(super) fn write(report: &Report, root: &Path, page: &Path) -> io::Result<()> {
    let folder = root.join(page.with_file_name(folder(page)));
    // Pages of suites that are gone would stay otherwise.
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for suite in &report.suites {
        let text = suite_page(report, suite, page).map_err(io::Error::other)?;
        replace(&folder.join(format!("{}.html", slug(&suite.suite))), &text)?;
    }
    let text = index(report, root).map_err(io::Error::other)?;
    replace(&root.join(page), &text)
}

/// Returns the name of a file without its folders.
fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Returns the name of the folder of the suites' pages.
fn folder(page: &Path) -> String {
    match page
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .as_ref()
    {
        "index" => "suites".to_owned(),
        part => format!("{part}-suites"),
    }
}

/// Returns the page of all. Tests are looked up in the sources below `root`.
pub(super) fn index(report: &Report, root: &Path) -> Result<String, askama::Error> {
    let files = Files::of(report.part);
    let folder = folder(&files.page);
    let mut tests = TestPlaces::new(root);
    let ledgers = report.ledgers.iter();
    let drafts: Vec<_> = ledgers.map(|it| draft(it, &folder, &mut tests)).collect();
    let is_gathered = |entry: &&Entry<'_>| {
        matches!(
            entry.report.requirement.status,
            Status::Partial | Status::Deviates | Status::Open
        )
    };
    let entries = drafts.iter().flat_map(|draft| &draft.entries);
    let gathered = entries.filter(is_gathered).cloned().collect();
    let index = Index {
        report,
        folder,
        json: name(&files.json),
        junit: name(&files.junit),
        tiles: tiles(report),
        gathered,
        packages: packages(report),
        changes: report.difference.as_ref().map(Changes::new),
        drafts,
    };
    index.render()
}

fn suite_page(report: &Report, suite: &SuiteReport, page: &Path) -> Result<String, askama::Error> {
    let cases = suite.cases.iter();
    let page = SuitePage {
        report,
        suite,
        page: name(page),
        file: PathBuf::from(&suite.file)
            .is_relative()
            .then(|| format!("../../../{}", suite.file)),
        annotated: suite.cases.iter().any(|it| it.detail.pictures.is_some()),
        cases: cases.map(case::View::new).collect(),
    };
    page.render()
}

fn tiles(report: &Report) -> Vec<Tile> {
    let tile = |passed: usize, all: usize, label| Tile {
        number: if passed == all {
            passed.to_string()
        } else {
            format!("{passed} of {all}")
        },
        label,
        tone: if passed == all { "" } else { "bad" },
    };
    let (passed, cases) = report.cases();
    let mut tiles = vec![tile(passed, cases, "cases of vectors passed")];
    if let Some(tests) = &report.tests {
        let mut of_tests = tile(
            tests.passed,
            tests.passed + tests.failed,
            if tests.recorded {
                "tests passed as recorded"
            } else {
                "tests passed"
            },
        );
        if tests.passed + tests.failed == 0 {
            of_tests.tone = "warn";
        }
        tiles.push(of_tests);
    }
    if report.part.is_none() {
        let live = report.live.iter();
        let passed = live.filter(|it| it.state == LiveState::Passed).count();
        tiles.push(tile(passed, report.live.len(), "live scenarios passed"));
        let entries = report.ledgers.iter().flat_map(|it| &it.requirements);
        let with_evidence: Vec<_> = entries
            .filter(|it| it.state != RequirementState::NoEvidence)
            .collect();
        let is_shown = |it: &&&RequirementReport| it.state == RequirementState::Shown;
        let shown = with_evidence.iter().filter(is_shown).count();
        let mut of_requirements = tile(shown, with_evidence.len(), "requirements shown");
        let failed = with_evidence
            .iter()
            .any(|it| it.state == RequirementState::Failed);
        if !failed && shown < with_evidence.len() {
            of_requirements.tone = "warn";
        }
        tiles.push(of_requirements);
    }
    tiles
}

fn packages(report: &Report) -> Vec<(&str, String, String)> {
    let Some(tests) = &report.tests else {
        return Vec::new();
    };
    let packages = tests.packages.iter();
    packages
        .map(|(package, origin)| {
            let origin = match origin {
                Origin::Ran => "ran".to_owned(),
                Origin::Recorded(commit) => format!("as recorded at {commit}"),
                Origin::Changed(commit) => {
                    format!("left out: changed since they were recorded at {commit}")
                }
                Origin::NotRecorded => "left out: never recorded".to_owned(),
            };
            let count = tests.outcomes.get(package).map_or(0, BTreeMap::len);
            (package.as_str(), origin, counted(count, "test"))
        })
        .collect()
}

fn draft<'a>(ledger: &'a LedgerReport, folder: &str, tests: &mut TestPlaces<'_>) -> Draft<'a> {
    let statuses = [
        (Status::Partial, "partial"),
        (Status::Deviates, "deviating"),
        (Status::Open, "open"),
        (Status::NotApplicable, "not applicable"),
    ];
    let mut words = vec![format!("{} done", ledger.count(Status::Done))];
    for (status, label) in statuses {
        let count = ledger.count(status);
        if count > 0 {
            words.push(format!("{count} {label}"));
        }
    }
    let levels = [
        ("MUST", [Level::Must, Level::MustNot]),
        ("SHOULD", [Level::Should, Level::ShouldNot]),
        ("MAY", [Level::May, Level::May]),
        ("statement", [Level::Statement, Level::Statement]),
    ];
    let levels = levels.into_iter().filter_map(|(name, levels)| {
        let entries = ledger.requirements.iter();
        let of_level: Vec<_> = entries
            .filter(|it| levels.contains(&it.requirement.level))
            .collect();
        bar(name, &of_level)
    });
    let entries = ledger.requirements.iter();
    Draft {
        name: &ledger.draft,
        link: link(&ledger.document, ""),
        statuses: words.join(", "),
        levels: levels.collect(),
        entries: entries
            .map(|it| entry(it, &ledger.document, folder, tests))
            .collect(),
    }
}

fn bar(name: &'static str, entries: &[&RequirementReport]) -> Option<LevelBar> {
    let states = [
        (RequirementState::Shown, "good"),
        (RequirementState::Failed, "bad"),
        (RequirementState::LeftOut, "warn"),
        (RequirementState::NoEvidence, "none"),
    ];
    let in_state = |state| entries.iter().filter(|it| it.state == state).count();
    let (mut parts, mut words) = (Vec::new(), Vec::new());
    for (state, tone) in states {
        let count = in_state(state);
        if count > 0 {
            parts.push(BarPart { tone, count });
            words.push(format!("{count} {}", state.label()));
        }
    }
    (!entries.is_empty()).then(|| LevelBar {
        name,
        shown: in_state(RequirementState::Shown),
        // Those without evidence are not applicable, and count nowhere else either.
        total: entries.len() - in_state(RequirementState::NoEvidence),
        words: format!("{name}: {}", words.join(", ")),
        parts,
    })
}

fn entry<'a>(
    report: &'a RequirementReport,
    document: &str,
    folder: &str,
    tests: &mut TestPlaces<'_>,
) -> Entry<'a> {
    let requirement = &report.requirement;
    let pieces = requirement.evidence.iter().zip(&report.shown_by);
    let evidence: Vec<_> = pieces
        .map(|(evidence, report)| {
            let (link, place) = match evidence {
                Evidence::Vector { suite, case } => {
                    let page = format!("{folder}/{}.html#{}", slug(suite), anchor(case));
                    (Some(page), None)
                }
                Evidence::Test { package, path } => {
                    let found = tests.find(package, path);
                    let link = found
                        .as_ref()
                        .map(|(file, line)| format!("../../{file}#L{line}"));
                    (link, found.map(|(file, line)| format!("{file}:{line}")))
                }
                Evidence::Live { name } => (Some(format!("#{}", anchor(name))), None),
            };
            let tone = match report.state {
                EvidenceState::Passed => "good",
                EvidenceState::LeftOut => "warn",
                EvidenceState::Failed | EvidenceState::DidNotRun => "bad",
            };
            Shown {
                report,
                link,
                place,
                tone,
            }
        })
        .collect();
    let is_vector = |it: &&Evidence| matches!(it, Evidence::Vector { .. });
    let listed = requirement.evidence.iter().filter(is_vector).count();
    Entry {
        report,
        level: requirement.level.label(),
        role: requirement.role.label(),
        tone: match report.state {
            RequirementState::Shown => "good",
            RequirementState::Failed => "bad",
            RequirementState::LeftOut => "warn",
            RequirementState::NoEvidence => "plain",
        },
        link: link(document, &requirement.section),
        evidence,
        others: report.cases.saturating_sub(listed),
    }
}

/// Returns the address of a section of an RFC or an Internet-Draft, or of the document if the section is empty.
pub(super) fn link(document: &str, section: &str) -> Option<String> {
    // An entry may name a section of another RFC, or several sections.
    let (document, section) = match section.strip_prefix("RFC ") {
        Some(other) => {
            let (number, section) = other.split_once(" section ").unwrap_or((other, ""));
            (format!("rfc{number}"), section)
        }
        None => (document.to_owned(), section),
    };
    let base = if document.starts_with("rfc") {
        format!("https://www.rfc-editor.org/rfc/{document}")
    } else if document.starts_with("draft-") {
        format!("https://datatracker.ietf.org/doc/html/{document}")
    } else {
        return None;
    };
    let first = section.split(',').next().unwrap_or_default().trim();
    Some(match first.chars().next() {
        None => base,
        Some(letter) if letter.is_ascii_alphabetic() => format!("{base}#appendix-{first}"),
        Some(_) => format!("{base}#section-{first}"),
    })
}

/// Returns the name of the page of a suite.
pub(super) fn slug(suite: &str) -> String {
    anchor(&suite.replace('/', "-"))
}

/// Returns a name that an address can hold.
pub(super) fn anchor(name: &str) -> String {
    let mut anchor = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            it if it.is_ascii_alphanumeric() || "-./".contains(it) => anchor.push(it),
            it => anchor += &format!("_{:x}_", u32::from(it)),
        }
    }
    anchor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_sections_of_drafts_and_rfcs() {
        let draft = "https://datatracker.ietf.org/doc/html/draft-a-b-00";
        let rfc = "https://www.rfc-editor.org/rfc/rfc";
        for (document, section, expected) in [
            ("draft-a-b-00", "7.1", format!("{draft}#section-7.1")),
            ("draft-a-b-00", "A.1", format!("{draft}#appendix-A.1")),
            ("draft-a-b-00", "", draft.to_owned()),
            ("rfc8601", "2.2, 2.5", format!("{rfc}8601#section-2.2")),
            (
                "rfc8601",
                "RFC 8616 section 5",
                format!("{rfc}8616#section-5"),
            ),
        ] {
            assert_eq!(link(document, section), Some(expected));
        }
        assert_eq!(link("another-kind", "1"), None);
    }

    #[test]
    fn names_cases_by_addresses_that_differ() {
        let names = ["a=b", "a b", "a_3d_b", "a-b", "é"].map(anchor);
        let expected = ["a_3d_b", "a_20_b", "a_5f_3d_5f_b", "a-b", "_e9_"];
        assert_eq!(names, expected);
        assert_eq!(slug("p/some-suite"), "p-some-suite");
    }
}
