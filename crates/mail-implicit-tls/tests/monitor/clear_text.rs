//! Logins that are offered before TLS.

use mail_implicit_tls::{
    monitor::{Check, ClearText, NotKnown, State},
    service::Service,
};

use crate::facts::{first, fresh, observation, of_check, only, report};

fn found(service: Service, clear: Option<Result<ClearText, NotKnown>>) -> Vec<(State, String)> {
    let mut observation = observation(&fresh());
    observation.servers.first_mut().unwrap().service = service;
    first(&mut observation).clear = clear;
    let found = of_check(&report(&observation), Check::ClearText);
    found
        .into_iter()
        .map(|(state, _, sentence)| (state, sentence))
        .collect()
}

fn offered(logins: &[&str], starttls: bool) -> Option<Result<ClearText, NotKnown>> {
    let logins = logins.iter().map(|login| (*login).to_owned()).collect();
    Some(Ok(ClearText { logins, starttls }))
}

#[test]
fn reports_servers_that_do_not_enforce_starttls() {
    assert_eq!(
        found(Service::SUBMISSION_STARTTLS, offered(&["PLAIN", "LOGIN"], true)),
        [(
            State::Bad,
            "Passwords may be sent in clear text, since the server offers PLAIN and LOGIN before TLS: let the server \
             require TLS before authentication"
                .to_owned()
        )]
    );
    assert_eq!(
        found(Service::IMAP_STARTTLS, offered(&["LOGIN"], false)),
        [(
            State::Bad,
            "Passwords may be sent in clear text, since the server offers LOGIN before TLS: enable STARTTLS, and let \
             the server require it before authentication"
                .to_owned()
        )]
    );
}

#[test]
fn accepts_servers_that_offer_no_login_before_tls() {
    assert_eq!(
        found(Service::IMAP_STARTTLS, offered(&[], true)),
        [(State::Good, "No login is offered before TLS".to_owned())]
    );
    // Implicit TLS has no clear text.
    assert_eq!(found(Service::IMAPS, None), []);
}

#[test]
fn distinguishes_servers_that_refuse_the_monitor() {
    assert_eq!(
        found(Service::SUBMISSION_STARTTLS, Some(Err(NotKnown::Refuses))),
        [(
            State::NotKnown,
            "The logins that are offered before TLS are not known, the server refuses the connection: run the monitor \
             again, from another network too"
                .to_owned()
        )]
    );
    let mut observation = observation(&fresh());
    first(&mut observation).clear = Some(Err(NotKnown::Refuses));
    observation.servers.first_mut().unwrap().service = Service::IMAP_STARTTLS;
    assert_eq!(
        only(&report(&observation), Check::ClearText).0,
        State::NotKnown
    );
}
