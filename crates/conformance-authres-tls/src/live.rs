//! Live scenarios of authres-tls: mail over STARTTLS on loopback, and what the server writes of it.

mod certificates;
mod email;
mod exchange;
mod field;
mod milter;
mod peers;
mod script;

use authres_tls::{AuthenticationResults, Options, Policy, TlsResInfo};
use conformance::{
    Comparison, Scenario,
    outcome::{Checked, Failure, passed, run, same},
    second_implementation,
};

use crate::PROTOCOL;

use self::{
    certificates::{Kind, SERVER, World},
    exchange::{Sent, Version},
    field::{MESSAGE, the_field},
};

pub(crate) use self::milter::SCENARIOS as MILTER;

/// All of them but those of the milter.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::ours("authres-tls/each-kind-of-client-certificate-tls12", |_| {
        run(each_kind(Version::Tls12))
    }),
    Scenario::ours("authres-tls/each-kind-of-client-certificate-tls13", |_| {
        run(each_kind(Version::Tls13))
    }),
    Scenario::ours("authres-tls/in-clear", |_| run(in_clear())),
    Scenario::ours("authres-tls/forged-fields-are-removed", |_| run(forged())),
    Scenario::with_peer("Python authres", "authres-tls/python-authres", |root| {
        run(peers::compare(root, peers::Peer::Python))
    }),
    Scenario::with_peer("Python email", "authres-tls/python-email", |root| {
        run(email::compare(root))
    }),
    Scenario::with_peer(
        "Perl Mail::AuthenticationResults",
        "authres-tls/perl-mail-authenticationresults",
        |root| run(peers::compare(root, peers::Peer::Perl)),
    ),
    Scenario::with_peer("mailauth", "authres-tls/mailauth", |root| {
        run(peers::compare(root, peers::Peer::Mailauth))
    }),
    Scenario::with_peer(
        "Python authres",
        "authres-tls/python-authres-on-vectors",
        |root| peers::on_vectors(root, peers::Peer::Python),
    ),
    Scenario::with_peer(
        "Perl Mail::AuthenticationResults",
        "authres-tls/perl-mail-authenticationresults-on-vectors",
        |root| peers::on_vectors(root, peers::Peer::Perl),
    ),
    Scenario::with_peer(
        "second implementation in Python",
        "authres-tls/second-implementation",
        |root| {
            let suites = ["authres-tls/write"];
            second_implementation(root, &PROTOCOL, &suites, Comparison::Strict)
        },
    ),
];

/// The content of a field: the result, its comments, its properties.
type WasRead = (String, Vec<String>, Vec<(String, String)>);

fn read(value: &str) -> Checked<WasRead> {
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::strict())?;
    same("authserv-id", &*header.authserv_id().unfolded(), SERVER)?;
    same("results", header.results().len(), 1)?;
    let found: Option<Result<TlsResInfo<'_, '_>, _>> = TlsResInfo::all(&header).next();
    let tls = found.ok_or_else(|| Failure::new("no tls result"))?;
    let tls = tls.map_err(|error| Failure::new(error.to_string()))?;
    let noted: Vec<_> = tls.diagnostics().map(|it| it.to_string()).collect();
    same("diagnostics", noted, Vec::<String>::new())?;
    let result = tls.res_info();
    let comments = result
        .comments()
        .map(|it| it.text().unfolded().into_owned());
    let properties = result.properties().map(|it| {
        let ptype = it.ptype().map(|it| it.to_string()).unwrap_or_default();
        let name = format!("{ptype}.{}", it.property());
        (name, it.value().unfolded().into_owned())
    });
    let name = tls.result().map(|it| it.name().to_owned());
    let name = name.ok_or_else(|| Failure::new("not a result of the draft"))?;
    Ok((name, comments.collect(), properties.collect()))
}

/// Checks the field of a kind against the contents of its certificate and the client's view of the session.
fn compare(kind: &Kind, world: &World, sent: &Sent) -> Checked<()> {
    let (result, comments, properties) = read(the_field(&sent.arrived)?)?;
    same("result", &*result, kind.result)?;
    let comment: Vec<_> = kind.comment.map(str::to_owned).into_iter().collect();
    same("comments", comments, comment)?;
    let mut expected = Vec::new();
    if let Some(identity) = kind.presented(world) {
        expected.push(("cert.client", identity.subject.clone()));
        expected.push(("cert.clientalt", identity.alt_names.clone()));
        expected.push(("cert.clientissuer", identity.issuer.clone()));
        if kind.verified {
            expected.push(("cert.verif", "CA".to_owned()));
        }
    }
    let (version, suite, bits) = sent
        .tls
        .clone()
        .ok_or_else(|| Failure::new("no TLS was used"))?;
    expected.push(("tls.v", version));
    expected.push(("key.ciphersuite", suite));
    if let Some(identity) = kind.presented(world) {
        expected.push(("key.fingerprint", identity.fingerprint()));
    }
    expected.push(("key.length", bits.to_string()));
    expected.push(("key.strength", "high".to_owned()));
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    same("properties", properties, expected)
}

async fn each_kind(version: Version) -> Checked {
    let world = World::new()?;
    let kinds = certificates::kinds();
    for kind in &kinds {
        let check = async {
            let sent = exchange::send(&world, kind, version, MESSAGE).await?;
            compare(kind, &world, &sent)?;
            same("the rest", sent.arrived.ends_with(MESSAGE), true)
        };
        check
            .await
            .map_err(|failure: Failure| failure.of(kind.name))?;
    }
    passed(format!("{} kinds", kinds.len()))
}

async fn in_clear() -> Checked {
    let sent = exchange::send_in_clear(MESSAGE).await?;
    let read = read(the_field(&sent.arrived)?)?;
    same("content read", read, ("none".to_owned(), vec![], vec![]))?;
    let report = Policy::default().evaluate(&authres_tls::Session::Clear);
    same("result", report.result.name(), "none")?;
    passed("tls=none, and no properties")
}

/// Fields of the server's own id that a client puts into its message.
const FORGED: &[&str] = &[
    "Authentication-Results: mx.example.net; tls=pass cert.client=\"CN=bank.example\"\r\n",
    "AUTHENTICATION-RESULTS : \"mx.ex\\ample.net\" 1;\r\n\tdkim=pass header.d=bank.example\r\n",
    "Authentication-Results:\r\n (a)MX.EXAMPLE.NET.; dkim=pass\r\n",
    "Authentication-Results: dkim=pass header.d=bank.example\r\n",
    "Authentication-Results: relay.mx.example.net; spf=pass\r\n",
    "Authentication-Results: other.example 2; spf=pass\r\n",
];

/// A field of another domain, which stays.
const OF_OTHERS: &str =
    "Authentication-Results: other.example; dkim=pass header.d=other.example\r\n";

async fn forged() -> Checked {
    let world = World::new()?;
    let kinds = certificates::kinds();
    let kind = kinds.iter().find(|kind| kind.name == "no certificate");
    let kind = kind.ok_or_else(|| Failure::new("no such kind"))?;
    let message = [&FORGED.concat(), OF_OTHERS, MESSAGE].concat();
    let sent = exchange::send(&world, kind, Version::Tls13, &message).await?;
    let rest = [OF_OTHERS, MESSAGE].concat();
    let Some(own) = sent.arrived.strip_suffix(&rest) else {
        return Err(Failure::new(format!("arrived: {:?}", sent.arrived)));
    };
    compare(
        kind,
        &world,
        &Sent {
            arrived: format!("{own}\r\n"),
            ..sent.clone()
        },
    )?;
    passed(format!(
        "{} forged fields went, one of others stayed",
        FORGED.len()
    ))
}
