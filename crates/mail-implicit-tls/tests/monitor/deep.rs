//! DEEP status against what connections achieve.

use mail_implicit_tls::monitor::{Check, DeepStatus, NotKnown, State};

use crate::facts::{first, fresh, observation, of_check, only, report};

fn found(tags: Option<&[&str]>, not_achieved: &[&str], has_url: Option<bool>) -> (State, String) {
    let owned = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>();
    let mut observation = observation(&fresh());
    first(&mut observation).deep = Ok(DeepStatus {
        tags: tags.map(owned),
        not_achieved: owned(not_achieved),
        has_url,
    });
    let (state, _, sentence) = only(&report(&observation), Check::Deep);
    (state, sentence)
}

/// An expired certificate breaks the promise of `tls-cert`, and clients that latched it refuse the server.
#[test]
fn reports_advertised_tags_that_are_not_achieved() {
    assert_eq!(
        found(Some(&["tls10", "tls-cert"]), &["tls-cert"], None),
        (
            State::Bad,
            "The server advertises tls-cert, which its connections do not achieve: repair the certificate or the TLSA \
             records at once, since clients that latched a tag refuse the server"
                .to_owned()
        )
    );
}

#[test]
fn recommends_the_status_of_the_draft() {
    assert_eq!(
        found(None, &[], Some(false)),
        (
            State::Advice,
            "The server advertises no DEEP status: advertise tls10, tls-cert and an https URL once certificates are \
             renewed by themselves"
                .to_owned()
        )
    );
    assert_eq!(
        found(Some(&["TLS10"]), &[], Some(false)),
        (
            State::Advice,
            "The DEEP status lacks tls-cert and an https URL: advertise tls-cert and an https URL"
                .to_owned()
        )
    );
    assert_eq!(
        found(Some(&["tls12", "tls-cert"]), &[], Some(true)),
        (
            State::Advice,
            "The DEEP status lacks tls10: advertise tls10; the tag tls10 is fulfilled by each version of TLS, and turns \
             none on"
                .to_owned()
        )
    );
    assert_eq!(
        found(Some(&["tls-cert", "tls10"]), &[], Some(true)).0,
        State::Good
    );
    // The URL of a server that is not authenticated is not known.
    assert_eq!(
        found(Some(&["tls-cert", "tls10"]), &[], None).0,
        State::Good
    );
    assert_eq!(found(Some(&["tls10"]), &[], Some(true)).0, State::Advice);
}

#[test]
fn says_nothing_about_a_status_that_could_not_be_read() {
    let mut observation = observation(&fresh());
    first(&mut observation).deep = Err(NotKnown::NotTried);
    assert_eq!(of_check(&report(&observation), Check::Deep), []);
}
