//! The clear text that an account of low privacy permits after TLS failed (section 3.3).

use crate::{
    account::{Account, Server},
    failure::Cause,
    privacy::PrivacyLevel,
    service::{Security, Service},
};

/// Returns `true` if the account permits to connect again in clear text after this cause.
pub(super) fn permits_clear_text(account: &Account, server: &Server, cause: &Cause) -> bool {
    account.level() == PrivacyLevel::Low
        && account.low().clear_text_fallback
        && server.service.security != Security::Clear
        && cause.is_tls_negotiation()
}

/// Returns the service and the port of an attempt without TLS: the clear port of the protocol after implicit TLS, whose
/// port has no clear text, and the same port after `STARTTLS`.
pub(super) const fn clear_text_sibling(server: &Server) -> (Service, u16) {
    let clear = Service::new(server.service.protocol, Security::Clear);
    match server.service.security {
        Security::Implicit => (clear, clear.default_port()),
        Security::StartTls | Security::Clear => (clear, server.port),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::{
        account::{AccountId, AccountSetup, Host, LowPrivacy},
        dialogue::DialogueError,
        failure::{Stage, TlsFailure},
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
            assert_eq!(clear_text_sibling(&server(service)), (clear, port));
            // Another port than the registered one is kept only if clear text is spoken on it.
            let port = match service.security {
                Security::Implicit => port,
                _ => 10_143,
            };
            let other = server(service).with_port(10_143);
            assert_eq!(clear_text_sibling(&other), (clear, port));
        }
    }

    #[test]
    fn permits_clear_text_after_failures_of_tls_only() {
        let of = server;
        let server = of(Service::IMAPS);
        let account = |low: Option<LowPrivacy>| {
            let setup = AccountSetup::new(AccountId::try_new("alice").unwrap());
            let setup = match low {
                Some(low) => setup.low(low),
                None => setup,
            };
            setup.server(server.clone()).build().unwrap()
        };
        let high = account(None);
        let low = |clear_text_fallback| {
            account(Some(LowPrivacy {
                ignore_certificate: true,
                clear_text_fallback,
            }))
        };
        let refused = Verdict::default();
        for (cause, expected) in [
            (Cause::SpeaksClearText, true),
            (Cause::Tls(TlsFailure::Version), true),
            (Cause::Tls(TlsFailure::Closed), true),
            (Cause::Tls(TlsFailure::Configuration), false),
            (Cause::Timeout(Stage::Handshake), true),
            (Cause::Dialogue(DialogueError::NoStartTls), true),
            (Cause::Dialogue(DialogueError::StartTlsRefused), true),
            (Cause::NotVerified(refused.into()), false),
            (Cause::Dialogue(DialogueError::Injected), false),
            (Cause::Dialogue(DialogueError::PreauthInClear), false),
            (Cause::Dialogue(DialogueError::Refused), false),
            (Cause::Dialogue(DialogueError::Closed), false),
            (Cause::Timeout(Stage::Lookup), false),
            (Cause::Timeout(Stage::Connect), false),
            (Cause::Timeout(Stage::Greeting), false),
            (Cause::Connect(io::ErrorKind::ConnectionRefused), false),
            (Cause::ClearText, false),
        ] {
            let permits = |account: &Account| permits_clear_text(account, &server, &cause);
            assert_eq!(permits(&low(true)), expected, "{cause:?}");
            assert!(!permits(&low(false)), "{cause:?}");
            // A connection in clear text is not repeated.
            let clear = of(Service::IMAP_CLEAR);
            assert!(!permits_clear_text(&low(true), &clear, &cause));
            assert!(!permits(&high), "{cause:?}");
        }
    }
}
