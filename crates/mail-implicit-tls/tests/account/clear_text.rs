//! The clear text that an account of low privacy permits after TLS failed (draft-newman-email-deep-02 section 3.3).

use std::io;

use mail_implicit_tls::{
    account::{AccountId, AccountSetup, Host, LowPrivacy, Profile, Server},
    dns::LookupFailure,
    failure::{Cause, Stage},
    service::{Security, Service},
    verdict::Verdict,
};

fn server(service: Service) -> Server {
    let host = Host::Address(std::net::Ipv4Addr::LOCALHOST.into());
    Server::new(service, host)
}

/// Section 3.3: the clear-text sibling of each service.
#[test]
fn falls_back_to_the_clear_port_of_the_protocol() {
    for (service, clear, port) in [
        (Service::IMAPS, Service::IMAP_CLEAR, 143),
        (Service::POP3S, Service::POP3_CLEAR, 110),
        (Service::SUBMISSIONS, Service::SUBMISSION_CLEAR, 587),
        (Service::IMAP_STARTTLS, Service::IMAP_CLEAR, 143),
        (Service::POP3_STARTTLS, Service::POP3_CLEAR, 110),
        (Service::SUBMISSION_STARTTLS, Service::SUBMISSION_CLEAR, 587),
    ] {
        assert_eq!(server(service).clear_text_sibling(), (clear, port));
        // Another port than the registered one is kept only if clear text is spoken on it.
        let port = match service.security {
            Security::Implicit => port,
            _ => 10_143,
        };
        let other = server(service).with_port(10_143);
        assert_eq!(other.clear_text_sibling(), (clear, port));
    }
}

/// Returns each failure, and `true` if it permits clear text where the account does: section 3.3.
fn failures() -> Vec<(Cause, bool)> {
    use mail_implicit_tls::{
        dialogue::DialogueError as Dialogue,
        dns::host::HostFailure::{Address, NoAddress, Tlsa},
        failure::TlsFailure as Tls,
    };

    let mut failures = vec![
        // The server lacks TLS.
        (Cause::SpeaksClearText, true),
        (Cause::Dialogue(Dialogue::NoStartTls), true),
        (Cause::Dialogue(Dialogue::StartTlsRefused), true),
        (Cause::Tls(Tls::NotTls), true),
        (Cause::Tls(Tls::Closed), true),
        (Cause::Timeout(Stage::Handshake), true),
        // It lacks a version or algorithm.
        (Cause::Tls(Tls::Version), true),
        (Cause::Tls(Tls::Incompatible), true),
        // Octets of an attacker.
        (Cause::Dialogue(Dialogue::Injected), false),
        (Cause::Tls(Tls::Protocol), false),
        (Cause::Dialogue(Dialogue::PreauthInClear), false),
        (Cause::Dialogue(Dialogue::Unexpected), false),
        (Cause::Dialogue(Dialogue::Octet), false),
        (Cause::Dialogue(Dialogue::TooLong), false),
        // The certificate.
        (Cause::NotVerified(Verdict::default().into()), false),
        // The local side.
        (Cause::Tls(Tls::Configuration), false),
        (Cause::ClearText, false),
        // Nothing about TLS.
        (Cause::Dialogue(Dialogue::Refused), false),
        (Cause::Dialogue(Dialogue::NoAuthentication), false),
        (Cause::Dialogue(Dialogue::Closed), false),
        (Cause::Timeout(Stage::Lookup), false),
        (Cause::Timeout(Stage::Connect), false),
        (Cause::Timeout(Stage::Greeting), false),
        (Cause::Timeout(Stage::Replies), false),
        (Cause::Timeout(Stage::Encrypted), false),
        (Cause::Connect(io::ErrorKind::ConnectionRefused), false),
        (Cause::Connect(io::ErrorKind::ConnectionReset), false),
        (Cause::Lookup(NoAddress), false),
        (Cause::Lookup(Address(LookupFailure::Bogus)), false),
        (Cause::Lookup(Tlsa(LookupFailure::Timeout)), false),
    ];
    // Of all alerts, those by which a server states that it has no TLS in common with the client, or none that works.
    let stated = [40, 70, 71, 80, 90, 109, 110, 120];
    failures.extend((0..=u8::MAX).map(|alert| {
        let cause = Cause::Tls(Tls::Alert(alert));
        (cause, stated.contains(&alert))
    }));
    failures
}

#[test]
fn permits_clear_text_after_failures_of_tls_only() {
    let starttls = [Service::IMAP_STARTTLS, Service::POP3_STARTTLS];
    let services = [Service::IMAPS, Service::SUBMISSIONS].into_iter();
    for server in services.chain(starttls).map(server) {
        let setup = || {
            let id = AccountId::try_new("alice").unwrap();
            AccountSetup::new(id).server(server.clone())
        };
        let low = |ignore_certificate, clear_text_fallback| {
            setup().low(LowPrivacy {
                ignore_certificate,
                clear_text_fallback,
            })
        };
        let levels = [
            (setup(), false),
            (setup().profile(Profile::Rfc8314), false),
            (low(false, false), false),
            (low(true, false), false),
            (low(false, true), true),
            (low(true, true), true),
        ];
        for (level, (setup, may)) in levels.into_iter().enumerate() {
            let account = setup.build().unwrap();
            for (cause, is_tls) in failures() {
                let permitted = account.permits_clear_text(&server, &cause);
                assert_eq!(
                    permitted,
                    may && is_tls,
                    "{server}, level {level}: {cause:?}"
                );
                // A connection in clear text is not repeated.
                let clear = self::server(Service::IMAP_CLEAR);
                assert!(!account.permits_clear_text(&clear, &cause), "{cause:?}");
            }
        }
    }
}
