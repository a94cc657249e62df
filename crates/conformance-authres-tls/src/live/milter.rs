//! `authres milter` on Debian's Postfix and Sendmail: certificates of each kind, forged fields, many messages, and beside other milters.

mod sendmail;
mod site;

use std::{fs, path::Path};

use authres_tls::{AuthservId, StripPolicy, message::fields};
use conformance::{
    Live, Origin, Scenario, VectorFile, Written, build_command,
    outcome::{Checked, Failure, passed, run, same},
    process::{Server, directory, installed, ports},
};
use serde_json::Value;

use self::site::{CLIENT, FORGING, Said, Session, Site, missing};
use super::{WasRead, certificates::SERVER, peers::read_back, read};

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("authres-tls/milter-on-postfix", |root| {
        on_postfix(root, |root| run(each_kind(root)))
    }),
    scenario("authres-tls/milter-on-postfix-compares-names", |root| {
        on_postfix(root, |root| run(names(root)))
    }),
    scenario("authres-tls/milter-on-postfix-forged-fields", |root| {
        on_postfix(root, |root| run(forged(root)))
    }),
    scenario("authres-tls/milter-on-postfix-1000-messages", |root| {
        on_postfix(root, |root| run(thousand(root)))
    })
    .alone(),
    Scenario::with_peer(
        "Postfix, OpenDKIM, OpenDMARC",
        "authres-tls/milter-beside-opendkim-and-opendmarc",
        |root| match ["opendkim", "opendmarc"].map(installed) {
            [Some(_), Some(_)] => on_postfix(root, |root| run(beside(root))),
            _ => Ok(Live::Skipped(
                "apt-get install opendkim opendmarc".to_owned(),
            )),
        },
    ),
    sendmail::SCENARIO,
];

const fn scenario(name: &'static str, run: fn(&Path) -> Result<Live, String>) -> Scenario {
    Scenario::with_peer("Postfix", name, run)
}

fn on_postfix(root: &Path, run: impl Fn(&Path) -> Result<Live, String>) -> Result<Live, String> {
    if let Some(missing) = missing() {
        return Ok(Live::Skipped(missing));
    }
    build_command(root, "authres")?;
    run(root)
}

/// Returns a message with this subject and further fields.
fn message(subject: &str, more: &str) -> String {
    format!("{more}From: a@example.com\r\nSubject: {subject}\r\n\r\nbody\r\n")
}

/// Returns the value of the field on top, and the fields of the name that follow it.
fn own(message: &str) -> Checked<(String, Vec<String>)> {
    // A maildir has LF, and the delivery's own fields are above.
    let message = message.replace('\n', "\r\n");
    let of_delivery = [&b"Return-Path"[..], b"X-Original-To", b"Delivered-To"];
    let mut all =
        fields(message.as_bytes()).skip_while(|field| of_delivery.contains(&field.name()));
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let first = all
        .next()
        .filter(|field| field.name() == b"Authentication-Results");
    let first = first.ok_or_else(|| Failure::new(format!("no field on top: {message}")))?;
    let others = all.filter(|field| field.name().eq_ignore_ascii_case(b"Authentication-Results"));
    Ok((
        text(first.value()),
        others.map(|field| text(field.value())).collect(),
    ))
}

/// The properties of a session whose cipher the client saw, after those of a certificate.
fn expected(
    result: &str,
    comment: &str,
    certificate: &[(&str, &str)],
    said: &Said,
) -> Checked<WasRead> {
    let Said::Sent {
        cipher: Some((suite, version, bits)),
        ..
    } = said
    else {
        return Err(Failure::new("no TLS was used"));
    };
    let suite = match suite.as_str() {
        "ECDHE-ECDSA-AES256-GCM-SHA384" => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ADH-AES256-GCM-SHA384" => "TLS_DH_anon_WITH_AES_256_GCM_SHA384",
        "AECDH-AES256-SHA" => "TLS_ECDH_anon_WITH_AES_256_CBC_SHA",
        suite => suite,
    };
    let version = version.replace("TLSv", "TLS");
    let bits = bits.to_string();
    let strength = if suite.ends_with("SHA") {
        "medium"
    } else {
        "high"
    };
    let session = [
        ("tls.v", version.as_str()),
        ("key.ciphersuite", suite),
        ("key.length", &bits),
        ("key.strength", strength),
    ];
    let properties = certificate.iter().chain(&session);
    let properties = properties.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let comments = Some(comment).filter(|comment| !comment.is_empty());
    Ok((
        result.to_owned(),
        comments.map(str::to_owned).into_iter().collect(),
        properties.collect(),
    ))
}

/// The properties of a certificate that the trusted authority issued.
const VERIFIED: [(&str, &str); 3] = [
    ("cert.client", "CN=smtp.example.com"),
    ("cert.clientissuer", "CN=Trusted CA"),
    ("cert.verif", "CA"),
];
const NOT_KNOWN: &str = "client certificate not known";
const UNCHECKED: &str = "host identity not checked";

async fn each_kind(root: &Path) -> Checked {
    let site = Site::start(root, &[], "%s").await?;
    let mut sessions = vec![site.session(vec![message("clear", "")])];
    let mut checks = vec![("clear".to_owned(), "none", "", vec![])];
    let mut add = |name: String, session: Session, comment, certificate: &[_]| {
        let named = vec![message(&name, ""), message(&format!("{name}, again"), "")];
        let messages = named;
        sessions.push(Session {
            messages,
            ..session
        });
        checks.push((name, "permerror", comment, certificate.to_vec()));
    };
    for version in ["1.2", "1.3"] {
        let tls = Session {
            tls: Some(version),
            ..site.session(Vec::new())
        };
        add(format!("none {version}"), tls.clone(), NOT_KNOWN, &[]);
        for name in ["self-signed", "expired", "wrong-authority"] {
            let session = Session {
                certificate: Some(site.certificate(name)),
                ..tls.clone()
            };
            add(format!("{name} {version}"), session, NOT_KNOWN, &[]);
        }
        // Postfix asks no list of revoked certificates.
        for name in ["trusted", "revoked"] {
            let session = Session {
                certificate: Some(site.certificate(name)),
                ..tls.clone()
            };
            add(format!("{name} {version}"), session, UNCHECKED, &VERIFIED);
        }
        let certificate = Some(site.certificate("trusted"));
        let resumed = Session {
            certificate,
            resumed: true,
            ..tls.clone()
        };
        add(format!("resumed {version}"), resumed, UNCHECKED, &VERIFIED);
        let silent = Session {
            greets_again: false,
            ..tls.clone()
        };
        add(
            format!("no second greeting {version}"),
            silent,
            NOT_KNOWN,
            &[],
        );
        let unasked = Session {
            port: site.ports[1],
            certificate: Some(site.certificate("trusted")),
            ..tls.clone()
        };
        add(format!("not requested {version}"), unasked, NOT_KNOWN, &[]);
        let utf8 = Session {
            utf8: true,
            ..tls.clone()
        };
        add(
            format!("SMTPUTF8 gr\u{fc}n {version}"),
            utf8,
            NOT_KNOWN,
            &[],
        );
    }
    let anonymous = Session {
        tls: Some("1.2"),
        port: site.ports[1],
        anonymous: true,
        ..site.session(Vec::new())
    };
    add("anonymous".to_owned(), anonymous, NOT_KNOWN, &[]);
    let forging = Session {
        tls: Some("1.3"),
        certificate: Some(site.certificate("forging")),
        ..site.session(Vec::new())
    };
    let escaped = FORGING
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace(';', "\\;");
    let subject = format!("CN={escaped}");
    add(
        "forging".to_owned(),
        forging,
        UNCHECKED,
        &[("cert.client", &subject), VERIFIED[1], VERIFIED[2]],
    );
    let said = site.send(root, &sessions, 1).await?;
    let count = sessions.iter().map(|session| session.messages.len()).sum();
    let delivered = site.delivered(count).await?;
    let mut values = Vec::new();
    for ((name, result, comment, certificate), said) in checks.iter().zip(&said) {
        let of = |failure: Failure| failure.of(name);
        let again = format!("{name}, again");
        for subject in [name, &again] {
            let Some(message) = delivered.get(subject) else {
                if subject == &again && *result == "none" {
                    continue;
                }
                return Err(Failure::new(format!("{subject} did not come")));
            };
            let (value, others) = own(message).map_err(of)?;
            same("other fields", others, Vec::<String>::new()).map_err(of)?;
            let was = read(&value).map_err(of)?;
            let expected = match *result {
                "none" => ("none".to_owned(), Vec::new(), Vec::new()),
                result => expected(result, comment, certificate, said).map_err(of)?,
            };
            same("content read", was, expected).map_err(of)?;
            values.push((format!("milter/{subject}"), value));
        }
        if let Said::Sent { resumed, .. } = said {
            same("resumed", *resumed, name.starts_with("resumed")).map_err(of)?;
        }
    }
    let read_back = read_back(root, &values).await?;
    passed(format!("{count} messages; read back: {read_back}"))
}

/// The milter with the option to compare names, and with local names.
async fn names(root: &Path) -> Checked {
    let other = [
        ("cert.client", "CN=smtp.example.com"),
        ("cert.clientissuer", "CN=Trusted CA"),
        ("cert.verif", "LOCAL"),
    ];
    let mut values = Vec::new();
    for (arguments, helo, result, comment, certificate) in [
        (["--host-identity", "helo"], CLIENT, "pass", "", VERIFIED),
        (
            ["--host-identity", "helo"],
            "other.example",
            "invalidhost",
            "certificate of another host",
            VERIFIED,
        ),
        // 127.0.0.1 is localhost, which no certificate names.
        (
            ["--host-identity", "reverse-dns"],
            CLIENT,
            "permerror",
            UNCHECKED,
            VERIFIED,
        ),
        (["--local-name", CLIENT], "other.example", "pass", "", other),
    ] {
        let site = Site::start(root, &arguments, "%s").await?;
        let session = Session {
            tls: Some("1.3"),
            certificate: Some(site.certificate("trusted")),
            helo,
            ..site.session(vec![message("s", "")])
        };
        let said = site.send(root, &[session], 1).await?;
        let delivered = site.delivered(1).await?;
        let (value, _) = own(&delivered["s"])?;
        let said = said.first().ok_or_else(|| Failure::new("no answer"))?;
        let expected = expected(result, comment, &certificate, said)?;
        let name = arguments.join(" ");
        same("content read", read(&value)?, expected).map_err(|failure| failure.of(&name))?;
        values.push((name, value));
    }
    let read_back = read_back(root, &values).await?;
    passed(format!("pass, invalidhost, LOCAL; read back: {read_back}"))
}

/// Each value of the suite `authres-tls/strip`, as a field of a message to a border with the same ids.
async fn forged(root: &Path) -> Checked {
    let file = VectorFile::load(
        &root.join("crates/conformance-authres-tls/vectors/strip.json"),
        Origin::Own,
    )?;
    let own_ids = ["example.com", "b\u{fc}cher.example"];
    let site = Site::start(root, &["--own", own_ids[0], "--own", own_ids[1]], "%s").await?;
    let ids = own_ids
        .iter()
        .chain(&[SERVER])
        .map(|id| AuthservId::try_new(id));
    let policy = StripPolicy::new(ids.collect::<Result<Vec<_>, _>>()?);
    let (mut messages, mut removed) = (Vec::new(), 0);
    for case in &file.cases {
        let value = case.input.get("value").cloned().unwrap_or(Value::Null);
        let value = String::from(serde_json::from_value::<Written>(value)?);
        if value.len() > 4096 {
            continue;
        }
        for (kind, more) in [
            ("field", format!("Authentication-Results:{value}\r\n")),
            (
                "twice",
                format!(
                    "authentication-results : {value}\r\nX-A: a\r\nAuthentication-Results: {value}\r\n"
                ),
            ),
        ] {
            let subject = format!("{kind} {}", case.name);
            messages.push(message(
                &subject,
                &format!(
                    "{more}ARC-Authentication-Results: i=1; {}; arc=pass\r\n",
                    SERVER
                ),
            ));
        }
    }
    let count = messages.len();
    let sessions: Vec<_> = messages
        .chunks(20)
        .map(|messages| site.session(messages.to_vec()))
        .collect();
    site.send(root, &sessions, 4).await?;
    let delivered = site.delivered(count).await?;
    let mut values = Vec::new();
    for (subject, message) in &delivered {
        let of = |failure: Failure| failure.of(subject);
        values.push((subject.clone(), own(message).map_err(of)?.0));
        // Without the field of our own, nothing that claims a local id is left for any reader.
        let at = message.find("Authentication-Results: ").unwrap_or_default();
        let end = message[at..]
            .find("\nReceived:")
            .map_or(at, |end| at + end + 1);
        let rest = [&message[..at], &message[end..]].concat();
        let found = policy.strip(rest.as_bytes()).removals.len();
        same("forged fields left", found, 0).map_err(of)?;
        same(
            "ARC fields",
            rest.matches("ARC-Authentication-Results:").count(),
            1,
        )
        .map_err(of)?;
    }
    let said = site.said();
    for line in said.lines().filter(|line| line.contains("result=\"none\"")) {
        let number = line
            .rsplit_once("removed=")
            .and_then(|(_, it)| it.parse::<usize>().ok());
        removed += number.unwrap_or_default();
    }
    if removed < 80 {
        return Err(Failure::new(format!("only {removed} fields were removed")));
    }
    let read_back = read_back(root, &values).await?;
    passed(format!(
        "{count} messages, {removed} forged fields removed; read back: {read_back}"
    ))
}

/// A thousand messages in sessions of five, twenty sessions at a time.
async fn thousand(root: &Path) -> Checked {
    let site = Site::start(root, &[], "%s").await?;
    let forged = format!("Authentication-Results: {SERVER}; dkim=pass\r\n");
    let sessions: Vec<_> = (0..200)
        .map(|number| {
            let messages = (0..5).map(|of| message(&format!("{number} {of}"), &forged));
            Session {
                tls: Some("1.3"),
                ..site.session(messages.collect())
            }
        })
        .collect();
    let start = std::time::Instant::now();
    site.send(root, &sessions, 20).await?;
    let seconds = start.elapsed().as_secs_f64();
    let delivered = site.delivered(1000).await?;
    let mut values = Vec::new();
    for (subject, message) in &delivered {
        let of = |failure: Failure| failure.of(subject);
        let (value, others) = own(message).map_err(of)?;
        same("other fields", others, Vec::<String>::new()).map_err(of)?;
        same(
            "result",
            read(&value).map_err(of)?.0,
            "permerror".to_owned(),
        )
        .map_err(of)?;
        values.push((subject.clone(), value));
    }
    let read_back = read_back(root, &values).await?;
    passed(format!(
        "{} messages in {seconds:.1} s; read back: {read_back}",
        delivered.len()
    ))
}

/// The milter first, then OpenDKIM and OpenDMARC with the same authserv-id.
async fn beside(root: &Path) -> Checked {
    let [dkim, dmarc] = ports()?;
    let directory = directory()?;
    let path = directory.path();
    let (hosts, keys) = (path.join("hosts"), path.join("dkim.conf"));
    fs::write(&hosts, "192.0.2.255\n")?;
    fs::write(
        &keys,
        format!(
            "Mode v\nSocket inet:{dkim}@127.0.0.1\nAuthservID {SERVER}\nAlwaysAddARHeader yes\nSyslog no\nBackground no\n\
             Nameservers 127.0.0.1\nDNSTimeout 1\nInternalHosts {}\n",
            hosts.display()
        ),
    )?;
    let policy = path.join("dmarc.conf");
    fs::write(
        &policy,
        format!(
            "AuthservID {SERVER}\nTrustedAuthservIDs {SERVER}\nSocket inet:{dmarc}@127.0.0.1\nBackground false\n\
             Syslog false\nIgnoreHosts {}\nSPFIgnoreResults true\nSPFSelfValidate true\n",
            hosts.display()
        ),
    )?;
    let start = |name: &str, flag: &str, file: &Path, port: u16| {
        let program = installed(name).ok_or_else(|| Failure::new("not installed"));
        let (flag, file) = (flag.to_owned(), file.to_owned());
        async move {
            let mut command = std::process::Command::new(program?);
            command.args(["-f", &flag]).arg(file);
            let directory = conformance::process::directory()?;
            Server::start(directory, "log", &mut command, &[port]).await
        }
    };
    let _dkim = start("opendkim", "-x", &keys, dkim).await?;
    let _dmarc = start("opendmarc", "-c", &policy, dmarc).await?;
    let milters = format!("%s, inet:127.0.0.1:{dkim}, inet:127.0.0.1:{dmarc}");
    let site = Site::start(root, &[], &milters).await?;
    let forged = format!("Authentication-Results: {SERVER}; dkim=pass header.d=bank.example\r\n");
    let session = Session {
        tls: Some("1.3"),
        ..site.session(vec![message("s", &forged)])
    };
    site.send(root, &[session], 1).await?;
    let delivered = site.delivered(1).await?;
    let message = &delivered["s"];
    let (top, others) = own(message)?;
    let all: Vec<_> = std::iter::once(top).chain(others).collect();
    let tls = all
        .iter()
        .filter(|value| value.contains("tls=permerror"))
        .count();
    let of_dkim = all
        .iter()
        .filter(|value| value.contains("dkim=none"))
        .count();
    same("fields about TLS and DKIM", (tls, of_dkim), (1, 1))
        .map_err(|failure| failure.of(message))?;
    if message.contains("bank.example") {
        return Err(Failure::new(format!("the forged field stays: {message}")));
    }
    passed(format!(
        "{} fields of one id, ours among them once",
        all.len()
    ))
}
