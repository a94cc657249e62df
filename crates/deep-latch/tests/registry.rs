//! The registry of security tags: what it begins with, and what is added and changed.

use deep_latch::{
    Facilities, SecurityTag,
    facility::Achievement,
    facts::SessionFacts,
    registry::{Finding, IntendedUsage, Origin, Registration, Registry},
};

fn registration() -> Registration<'static> {
    Registration {
        name: "tls13".into(),
        description: "TLS 1.3 or later. It is latched when it is seen over TLS 1.3.".into(),
        intended_usage: "COMMON".into(),
        reference: Some("RFC 8446".into()),
        submitter: "A. Person".into(),
        change_controller: "B. Person".into(),
    }
}

#[test]
fn lists_the_tags_with_a_meaning_as_initial_entries() {
    let registry = Registry::initial();
    let names: Vec<_> = registry.entries().map(|entry| &*entry.name).collect();
    let known = Facilities::new();
    let known: Vec<_> = known.tags().map(|tag| tag.to_string()).collect();
    assert_eq!(names, ["tls10", "tls12", "tls-cert", "tls-dane-tlsa"]);
    assert_eq!(names, known);
    for entry in registry.entries() {
        let alone = Registry::default();
        assert_eq!(alone.review(entry, Origin::Ietf), [], "{}", entry.name);
        assert_eq!(entry.intended_usage, IntendedUsage::Common.as_str());
    }
}

#[test]
fn finds_registered_names_in_any_case() {
    let mut registry = Registry::initial();
    assert_eq!(registry.register(registration(), Origin::Other), Ok(()));
    let same = Registration {
        name: "TLS13".into(),
        ..registration()
    };
    let refused = registry.register(same, Origin::Other);
    assert_eq!(refused, Err(vec![Finding::AlreadyRegistered]));
    assert_eq!(registry.entry("Tls13"), Some(&registration()));
    assert_eq!(registry.entries().count(), 5);
}

#[test]
fn registers_only_what_an_expert_may_approve() {
    let mut registry = Registry::initial();
    let doubtful = Registration {
        description: "TLS 1.3 or later.".into(),
        ..registration()
    };
    let findings = registry.review(&doubtful, Origin::Other);
    assert_eq!(findings, [Finding::NoLatchCondition]);
    assert_eq!(registry.register(doubtful.clone(), Origin::Other), Ok(()));
    let mut registry = Registry::initial();
    let refused = registry.register(doubtful, Origin::Ietf);
    assert_eq!(refused, Err(vec![Finding::ChangeControllerNotIesg]));
    assert_eq!(registry, Registry::initial());
}

#[test]
fn updates_entries_by_their_change_controller_only() {
    let mut registry = Registry::initial();
    assert_eq!(registry.register(registration(), Origin::Other), Ok(()));
    let changed = Registration {
        intended_usage: "OBSOLETE".into(),
        submitter: "C. Person".into(),
        ..registration()
    };
    let by = |by| registry.review_update(&changed, Origin::Other, by);
    assert_eq!(by("B. Person"), [Finding::SubmitterChanged]);
    assert_eq!(
        by("C. Person"),
        [Finding::NotItsChangeController, Finding::SubmitterChanged]
    );
    assert_eq!(by("IESG"), []);
    let unknown = Registration {
        name: "tls14".into(),
        ..registration()
    };
    assert_eq!(
        registry.review_update(&unknown, Origin::Other, "IESG"),
        [Finding::NotRegistered]
    );
}

#[test]
fn achieves_no_registered_tag_without_a_rule() {
    let facilities = Facilities::new();
    let tag = SecurityTag::parse("tls13").expect("a tag");
    let achievement = facilities.achieves(&SessionFacts::default(), &tag);
    assert_eq!(achievement, Achievement::NotAchieved);
}
