//! Services: ports, names and registrations (draft-newman-email-deep-02 sections 4, 8 and 11).

use mail_implicit_tls::{
    name::DomainName,
    service::{PortRegistration, PortRequest, Protocol, Security, Service},
};

#[test]
fn gives_each_service_its_name_port_and_label() {
    let rows = Service::ALL.map(|it| (it.to_string(), it.default_port(), it.srv_label()));
    let expected = [
        ("pop3s", 995, "_pop3s._tcp"),
        ("imaps", 993, "_imaps._tcp"),
        ("submissions", 465, "_submissions._tcp"),
        ("pop3 with STARTTLS", 110, "_pop3._tcp"),
        ("imap with STARTTLS", 143, "_imap._tcp"),
        ("submission with STARTTLS", 587, "_submission._tcp"),
        ("pop3 in clear text", 110, "_pop3._tcp"),
        ("imap in clear text", 143, "_imap._tcp"),
        ("submission in clear text", 587, "_submission._tcp"),
    ];
    assert_eq!(
        rows,
        expected.map(|(name, port, label)| (name.to_owned(), port, label))
    );
}

#[test]
fn names_srv_records_with_the_service_name() {
    let domain = DomainName::parse("example.org").expect("a name");
    for service in Service::ALL {
        let owner = format!("_{}._tcp.example.org.", service.name());
        assert_eq!(service.srv_owner(&domain), owner);
        assert_eq!(service.uses_tls(), service.security != Security::Clear);
    }
}

#[test]
fn names_tlsa_records_by_the_port_in_use() {
    let host = DomainName::parse("IMAP.example.org.").expect("a name");
    assert_eq!(
        Service::tlsa_owner(1993, &host),
        "_1993._tcp.imap.example.org."
    );
}

/// Each template once, as the draft prints it.
#[test]
fn writes_the_registrations_as_the_draft_prints_them() {
    let drafted = |name: &str, description: &str| {
        format!(
            "Service Name: {name}\nTransport Protocol: TCP\nAssignee: IETF <iesg@ietf.org>\nContact: IESG \
             <iesg@ietf.org>\nDescription: {description}\nReference: RFC XXXX (this document once published)"
        )
    };
    assert_eq!(
        PortRegistration::POP3S.to_string(),
        drafted("pop3s", "POP3 over TLS protocol")
    );
    assert_eq!(
        PortRegistration::IMAPS.to_string(),
        drafted("imaps", "IMAP over TLS protocol")
    );
    let submissions = drafted("submissions", "Message Submission over TLS protocol");
    assert_eq!(PortRegistration::SUBMISSIONS.to_string(), submissions);
}

#[test]
fn registers_the_services_with_implicit_tls() {
    for service in Service::ALL {
        let registration = service.registration();
        assert_eq!(
            registration.is_some(),
            service.security == Security::Implicit
        );
        if let Some(registration) = registration {
            assert_eq!(registration.service_name, service.name());
            assert_eq!(registration.port, service.default_port());
            let alternate = service.protocol == Protocol::Submission;
            assert_eq!(
                registration.request == PortRequest::AlternateUsage,
                alternate
            );
        }
    }
}
