//! Mozilla's configuration files: servers, placeholders, and files that are refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use mail_implicit_tls::{
    dns::Dnssec,
    name::DomainName,
    privacy::PrivacyLevel,
    service::Service,
    setup::{
        Candidate, Offer, Source, Warning,
        address::{MAX_LOCAL_PART_BYTES, MailAddress},
        autoconfig::{
            AutoconfigErrorKind, ClientConfig, MAX_FILE_BYTES, MAX_SERVERS, MAX_TEXT_BYTES,
            RefusedServer, urls,
        },
    },
};

fn user() -> MailAddress {
    MailAddress::parse("alice@example.org").unwrap()
}

fn parse(file: &str) -> Result<ClientConfig, (AutoconfigErrorKind, usize)> {
    ClientConfig::parse(file.as_bytes(), &user()).map_err(|it| (it.kind(), it.offset()))
}

/// Returns a file with these servers.
fn file(servers: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\"><emailProvider id=\"example.org\">\
         <domain>example.org</domain><displayName>Example</displayName>{servers}</emailProvider></clientConfig>"
    )
}

fn server(element: &str, kind: &str, host: &str, port: &str, socket: &str) -> String {
    format!(
        "<{element} type=\"{kind}\"><hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType>\
         <username>%EMAILADDRESS%</username><authentication>OAuth2</authentication>\
         <authentication>password-cleartext</authentication><unknown><x/></unknown></{element}>"
    )
}

fn candidate(service: Service, host: &str, port: u16) -> Candidate {
    let name = |text| DomainName::parse(text).unwrap();
    Candidate::new(
        service,
        name(host),
        port,
        name("example.org"),
        Source::Autoconfig,
    )
}

#[test]
fn asks_over_https_only() {
    let domain = DomainName::parse("bücher.example").unwrap();
    assert_eq!(
        urls(&domain),
        [
            "https://autoconfig.xn--bcher-kva.example/mail/config-v1.1.xml",
            "https://xn--bcher-kva.example/.well-known/autoconfig/mail/config-v1.1.xml",
        ]
    );
}

#[test]
fn prefers_implicit_tls_and_offers_clear_text_at_the_low_level_if_there_is_nothing_else() {
    let servers = [
        server("incomingServer", "imap", "a.example.org", "143", "plain"),
        server("incomingServer", "imap", "b.example.org", "143", "STARTTLS"),
        server("incomingServer", "pop3", "d.example.org", "995", "SSL"),
        server("incomingServer", "imap", "c.example.org", "993", "SSL"),
        server("outgoingServer", "smtp", "e.example.org", "587", "plain"),
    ];
    let config = parse(&file(&servers.concat())).unwrap();
    let private = vec![
        candidate(Service::IMAPS, "c.example.org", 993),
        candidate(Service::IMAP_STARTTLS, "b.example.org", 143),
    ];
    let alone = candidate(Service::SUBMISSION_CLEAR, "e.example.org", 587);
    assert_eq!(alone.warnings(), [Warning::ClearText]);
    let candidates = |candidates, clear| Offer::Candidates {
        candidates,
        clear,
        refused: Vec::new(),
    };
    let none = Offer::NotAdvertised(Dnssec::Insecure);
    for (level, submission) in [
        (PrivacyLevel::High, none),
        (PrivacyLevel::Low, candidates(Vec::new(), vec![alone])),
    ] {
        let offers = config.offers(level);
        assert_eq!(offers.imap, candidates(private.clone(), Vec::new()));
        assert_eq!(offers.submission, submission);
    }
}

#[test]
fn reads_user_names_and_mechanisms_and_replaces_placeholders_once() {
    let entry = server("outgoingServer", "smtp", "%EMAILDOMAIN%", "465", "SSL");
    let config = parse(&file(&entry)).unwrap();
    let [server] = config.servers.as_slice() else {
        panic!("{config:?}")
    };
    let expected = candidate(Service::SUBMISSIONS, "example.org", 465);
    assert_eq!(server.candidate, expected);
    assert_eq!(server.username.as_deref(), Some("alice@example.org"));
    assert_eq!(server.authentication, ["OAuth2", "password-cleartext"]);
    for (local, name, expected) in [
        ("%EMAILDOMAIN%", "%EMAILLOCALPART%", "%EMAILDOMAIN%"),
        ("alice", "100%", "100%"),
        ("alice", "%NAME%EMAILLOCALPART%", "%NAMEalice"),
        ("alice", "%%EMAILLOCALPART%%", "%alice%"),
        ("alice", "%emaildomain%", "%emaildomain%"),
    ] {
        let user = MailAddress::parse(&format!("{local}@example.org")).unwrap();
        let file = file(&entry).replace("%EMAILADDRESS%", name);
        let config = ClientConfig::parse(file.as_bytes(), &user).unwrap();
        let names: Vec<_> = config
            .servers
            .iter()
            .map(|it| it.username.clone())
            .collect();
        assert_eq!(names, [Some(expected.to_owned())]);
    }
}

#[test]
fn skips_user_names_and_mechanisms_that_are_long_or_have_control_characters() {
    let entry = server("outgoingServer", "smtp", "a.example.org", "465", "SSL");
    let entry = entry.replace("<authentication>OAuth2</authentication>", "");
    let at_limit = "a".repeat(MAX_TEXT_BYTES);
    for (text, kept) in [
        (at_limit.as_str(), true),
        (&format!("{at_limit}a"), false),
        ("a&#9;b", false),
        ("a&#x85;b", false),
        ("a<b/>", false),
        (" ", false),
        ("", false),
    ] {
        let file = file(&entry)
            .replace("%EMAILADDRESS%", text)
            .replace("password-cleartext", text);
        let config = parse(&file).unwrap();
        let [server] = config.servers.as_slice() else {
            panic!("{config:?}")
        };
        let expected = kept.then(|| text.to_owned());
        assert_eq!(server.username, expected);
        assert_eq!(server.authentication, Vec::from_iter(expected));
    }
}

#[test]
fn refuses_servers_that_cannot_be_used_and_reads_the_others() {
    let good = server("incomingServer", "imap", "a.example.org", "993", "SSL");
    let cases = [
        (
            server("incomingServer", "exchange", "a", "443", "SSL"),
            RefusedServer::Type,
        ),
        (
            server("incomingServer", "smtp", "a", "465", "SSL"),
            RefusedServer::Type,
        ),
        (
            server("outgoingServer", "imap", "a", "993", "SSL"),
            RefusedServer::Type,
        ),
        (
            server("outgoingServer", "pop3", "a", "995", "SSL"),
            RefusedServer::Type,
        ),
        (
            server("incomingServer", "IMAP", "a", "993", "SSL"),
            RefusedServer::Type,
        ),
        (
            good.replace("a.example.org", "192.0.2.1"),
            RefusedServer::Host,
        ),
        (
            good.replace("a.example.org", "a_b.example"),
            RefusedServer::Host,
        ),
        (
            good.replace("a.example.org", "a\nb.example"),
            RefusedServer::Host,
        ),
        (
            good.replace("a.example.org", "<b/>a.example.org"),
            RefusedServer::Host,
        ),
        (
            good.replace("a.example.org", "a.example.org<b/>"),
            RefusedServer::Host,
        ),
        (good.replace("a.example.org", ""), RefusedServer::Host),
        (
            good.replace("<port>", "<hostname>b</hostname><port>"),
            RefusedServer::Host,
        ),
        (good.replace("993", "0"), RefusedServer::Port),
        (good.replace("993", "+993"), RefusedServer::Port),
        (good.replace("993", "65536"), RefusedServer::Port),
        (good.replace("993", "-1"), RefusedServer::Port),
        (good.replace("<port>993</port>", ""), RefusedServer::Port),
        (good.replace(">SSL<", ">TLS<"), RefusedServer::SocketType),
        (good.replace(">SSL<", "><"), RefusedServer::SocketType),
    ];
    for (bad, reason) in cases {
        let config = parse(&file(&[good.clone(), bad.clone()].concat())).unwrap();
        assert_eq!(config.refused, [(1, reason)], "{bad}");
        let hosts: Vec<_> = config
            .servers
            .iter()
            .map(|it| it.candidate.clone())
            .collect();
        assert_eq!(hosts, [candidate(Service::IMAPS, "a.example.org", 993)]);
    }
}

#[test]
fn rejects_entities_and_files_larger_than_the_limits() {
    use AutoconfigErrorKind as Kind;

    let good = server("incomingServer", "imap", "a.example.org", "993", "SSL");
    let xxe = format!(
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{}",
        file(&good).replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "")
    );
    assert_eq!(parse(&xxe), Err((Kind::Dtd, 0)));
    assert_eq!(parse(&file("&e;")), Err((Kind::Xml, 0)));
    let empty = file("").len();
    let longest = file(&" ".repeat(MAX_FILE_BYTES - empty));
    assert_eq!(parse(&longest).map(|it| it.servers.len()), Ok(0));
    let long = file(&" ".repeat(MAX_FILE_BYTES));
    assert_eq!(parse(&long), Err((Kind::TooLong, MAX_FILE_BYTES)));
    let nodes = file(&"<a/>".repeat(5000));
    assert_eq!(parse(&nodes), Err((Kind::TooManyNodes, 0)));
    let deep = file(&["<a>".repeat(4500), "</a>".repeat(4500)].concat());
    assert_eq!(parse(&deep), Err((Kind::TooManyNodes, 0)));
    // As deep as the limit of nodes permits.
    let deep = file(&["<a>".repeat(4000), "</a>".repeat(4000)].concat());
    assert_eq!(parse(&deep).map(|it| it.servers.len()), Ok(0));
    let at_limit = parse(&file(&good.repeat(MAX_SERVERS))).unwrap();
    assert_eq!(at_limit.servers.len(), MAX_SERVERS);
    let many = file(&good.repeat(MAX_SERVERS + 1));
    let last = many.rfind("<incomingServer").unwrap();
    assert_eq!(parse(&many), Err((Kind::TooManyServers, last)));
    let latin = ClientConfig::parse(b"<clientConfig>\xe4", &user()).unwrap_err();
    assert_eq!((latin.kind(), latin.offset()), (Kind::Utf8, 14));
    assert_eq!(latin.to_string(), "clientConfig: UTF-8 expected at byte 14");
}

#[test]
fn rejects_what_is_not_a_configuration() {
    use AutoconfigErrorKind as Kind;

    for (text, expected) in [
        ("", (Kind::Xml, 0)),
        ("<html>", (Kind::Xml, 0)),
        ("<html><emailProvider/></html>", (Kind::Format, 0)),
        ("<!-- x -->\n<html/>", (Kind::Format, 11)),
        ("\u{feff}<html/>", (Kind::Format, 3)),
        (
            "<clientConfig><a><emailProvider/></a></clientConfig>",
            (Kind::Format, 0),
        ),
    ] {
        assert_eq!(parse(text), Err(expected), "{text}");
    }
    let empty = parse("\u{feff}<clientConfig><emailProvider/></clientConfig>").unwrap();
    assert_eq!((empty.servers, empty.refused), (Vec::new(), Vec::new()));
}

#[test]
fn parses_addresses_of_users() {
    let address = MailAddress::parse("a@b@Bücher.example.").unwrap();
    assert_eq!(address.to_string(), "a@b@xn--bcher-kva.example");
    let long = "a".repeat(MAX_LOCAL_PART_BYTES + 1);
    let longest = format!("{}@example.org", "a".repeat(MAX_LOCAL_PART_BYTES));
    assert_eq!(MailAddress::parse(&longest).unwrap().to_string(), longest);
    for (text, offset) in [
        ("alice", 5),
        ("@example.org", 0),
        ("al ice@example.org", 2),
        ("al\r\nice@example.org", 2),
        ("al\0ice@example.org", 2),
        ("al\u{a0}ice@example.org", 2),
        ("alice@", 6),
        ("alice@a..b", 8),
        ("alice@192.0.2.1", 6),
        (&format!("{long}@example.org"), MAX_LOCAL_PART_BYTES),
    ] {
        let error = MailAddress::parse(text).unwrap_err();
        assert_eq!(error.offset(), offset, "{text}");
    }
}
