//! Live scenarios of deep-latch with foreign servers that advertise DEEP: Dovecot, nginx's mail proxy,
//! aiosmtpd; and with foreign clients on top of ours: async-imap, lettre.

mod agent;
mod certificates;
mod dovecot;
mod nginx;
mod plug_ins;

use std::process::Stdio;

use conformance::{
    Live, Scenario,
    outcome::{Checked, passed, run, same},
    process,
};
use deep_latch::{
    SecurityTag,
    client::{ClientError, TlsStart},
    connection::RunError,
    failure::Stage,
};
use tokio::process::Command;

use self::{
    agent::{Agent, Speaks, offers_the_page},
    certificates::{Authorities, SWAPPED, Shown},
    dovecot::Dovecot,
    nginx::Nginx,
};

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::with_peer(DOVECOT, "deep-latch/dovecot-latches-over-imap", |_| {
        Live::unless(dovecot::missing(), || run(dovecot_latches()))
    }),
    Scenario::with_peer(DOVECOT, "deep-latch/dovecot-certificate-swapped", |_| {
        Live::unless(dovecot::missing(), || run(dovecot_certificate_swapped()))
    }),
    Scenario::with_peer(DOVECOT, "deep-latch/dovecot-starttls-stripped", |_| {
        Live::unless(dovecot::missing(), || run(dovecot_starttls_stripped()))
    }),
    Scenario::with_peer(DOVECOT, "deep-latch/dovecot-status-withdrawn", |_| {
        Live::unless(dovecot::missing(), || run(dovecot_status_withdrawn()))
    }),
    Scenario::with_peer(NGINX, "deep-latch/nginx-latches-over-imap-pop-smtp", |_| {
        Live::unless(nginx::missing(), || run(nginx_latches()))
    }),
    Scenario::with_peer(NGINX, "deep-latch/nginx-certificate-swapped", |_| {
        Live::unless(nginx::missing(), || run(nginx_certificate_swapped()))
    }),
    Scenario::with_peer(NGINX, "deep-latch/nginx-tls-version-lowered", |_| {
        Live::unless(nginx::missing(), || run(nginx_version_lowered()))
    }),
    Scenario::with_peer(NGINX, "deep-latch/nginx-starttls-stripped", |_| {
        Live::unless(nginx::missing(), || run(nginx_starttls_stripped()))
    }),
    Scenario::with_peer(DOVECOT, "deep-latch/async-imap-over-dovecot", |root| {
        Live::unless(dovecot::missing(), || {
            plug_ins::built(root)?;
            run(plug_ins::async_imap(root))
        })
    }),
    Scenario::with_peer("aiosmtpd", "deep-latch/lettre-over-aiosmtpd", |root| {
        Live::unless(plug_ins::no_aiosmtpd(root), || {
            plug_ins::built(root)?;
            run(plug_ins::lettre(root))
        })
    }),
];

const DOVECOT: &str = "Dovecot";
const NGINX: &str = "nginx";

const PAGE: &str = "https://www.example.com/privacy-support.html";
const STATUS: &str = "tls12 tls-cert <https://www.example.com/privacy-support.html>";
const ID: &str = "deep-status \"tls12 tls-cert <https://www.example.com/privacy-support.html>\"";

const GOOD: dovecot::Setup = dovecot::Setup {
    shown: Shown::Good,
    id: Some(ID),
    tls: true,
};

/// Returns what is stored once [`STATUS`] was seen.
fn latched() -> (Vec<String>, Option<String>) {
    let tags = ["tls-cert", "tls12"].map(str::to_owned);
    (tags.to_vec(), Some(STATUS.to_owned()))
}

fn latching() -> [String; 4] {
    [
        "report accepted by the server".to_owned(),
        "tls12 latched: server authenticated by PKIX".to_owned(),
        "tls-cert latched: server authenticated by PKIX".to_owned(),
        format!("status recorded: {STATUS}"),
    ]
}

async fn dovecot_latches() -> Checked {
    let authorities = Authorities::new()?;
    // By the name of the examples, and by that of the text.
    let by_text = "deep \"tls12 tls-cert <https://www.example.com/privacy-support.html>\"";
    for (id, tls) in [(ID, TlsStart::Implicit), (by_text, TlsStart::StartTls)] {
        let setup = dovecot::Setup {
            id: Some(id),
            ..GOOD
        };
        let dovecot = Dovecot::start(&authorities, &setup).await?;
        let agent = Agent::new(&authorities)?;
        let address = match tls {
            TlsStart::Implicit => dovecot.address(dovecot.imaps),
            _ => dovecot.address(dovecot.imap),
        };
        let events = agent.visit(Speaks::ImapLogin, address, tls).await?.good()?;
        // The status came within TLS before login, so it is not asked for again after it.
        same("the first time", events, latching())?;
        same("kept", agent.kept().await?, latched())?;
        // Dovecot's log of the first and of the second failure.
        let first = "name=demo_mail, version=1.5, security-tags=tls10 tls12 tls-cert";
        same(
            "without latches",
            dovecot.was_told("security-tags=tls10 tls12").await?,
            first,
        )?;
        let events = agent.visit(Speaks::Imap, address, tls).await?.good()?;
        same("the second time", events, ["report accepted by the server"])?;
        let second = "name=demo_mail, version=1.5, latch=tls-cert tls12, security-tags=tls10";
        same(
            "with latches",
            dovecot.was_told("latch=tls-cert").await?,
            second,
        )?;
        // The latches are of the host, so they hold over POP too, which says nothing of DEEP.
        let address = dovecot.address(dovecot.pop3s);
        let visit = agent
            .visit(Speaks::Pop, address, TlsStart::Implicit)
            .await?;
        let withdrawn = "the server advertises no status any more; latches stay";
        same("over POP", visit.good()?, [withdrawn])?;
        same("kept", agent.kept().await?, latched())?;
    }
    passed(
        "IMAP at once and by STARTTLS, `deep-status` and `deep`; its log has latch and security-tags",
    )
}

/// A client that has latched what a good Dovecot advertises.
async fn latched_agent(authorities: &Authorities) -> Checked<Agent> {
    let dovecot = Dovecot::start(authorities, &GOOD).await?;
    let agent = Agent::new(authorities)?;
    let address = dovecot.address(dovecot.imaps);
    let visit = agent.visit(Speaks::Imap, address, TlsStart::Implicit);
    same("latching", visit.await?.good()?, latching())?;
    Ok(agent)
}

async fn dovecot_certificate_swapped() -> Checked {
    let authorities = Authorities::new()?;
    let agent = latched_agent(&authorities).await?;
    for shown in SWAPPED {
        // A page of the attacker's is not what is offered.
        let id = Some("deep-status \"tls10 <https://attacker.example/>\"");
        let setup = dovecot::Setup { shown, id, ..GOOD };
        let dovecot = Dovecot::start(&authorities, &setup).await?;
        for (port, tls) in [
            (dovecot.imaps, TlsStart::Implicit),
            (dovecot.imap, TlsStart::StartTls),
        ] {
            let visit = agent.visit(Speaks::ImapLogin, dovecot.address(port), tls);
            let (failure, events) = visit.await?.refused()?;
            let what = format!("{shown:?}");
            same(&what, failure.tags(), &[SecurityTag::TLS_CERT][..])?;
            same(&what, failure.stage(), Stage::Handshake)?;
            offers_the_page(&failure, PAGE)?;
            let expected = [
                "refused (after the handshake): tls-cert",
                "report accepted by the server",
                "status not recorded: the connection is refused",
            ];
            same(&what, events, expected)?;
        }
        let told = "name=demo_mail, version=1.5, latch-fail=tls-cert";
        same("told", dovecot.was_told("latch-fail").await?, told)?;
        let said = dovecot.server.said();
        same("logins", said.contains("Login: user=<"), false)?;
        same("kept", agent.kept().await?, latched())?;
    }
    passed(
        "another authority, another name, expired: refused over both ports, the recorded page offered, \
         latch-fail in its log, no login",
    )
}

async fn dovecot_starttls_stripped() -> Checked {
    let authorities = Authorities::new()?;
    let agent = latched_agent(&authorities).await?;
    let setup = dovecot::Setup { tls: false, ..GOOD };
    let dovecot = Dovecot::start(&authorities, &setup).await?;
    let address = dovecot.address(dovecot.imap);
    for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
        let (failure, _) = agent
            .visit(Speaks::ImapLogin, address, tls)
            .await?
            .refused()?;
        let tags = [SecurityTag::TLS_CERT, SecurityTag::TLS12];
        same("tags", failure.tags(), &tags[..])?;
        same("stage", failure.stage(), Stage::NoTls)?;
        offers_the_page(&failure, PAGE)?;
    }
    dovecot
        .server
        .line_with(&["imap-login", "Disconnected"])
        .await?;
    let said = dovecot.server.said();
    same("ID sent in clear", said.contains("ID sent"), false)?;
    same("logins", said.contains("Login: user=<"), false)?;
    same("kept", agent.kept().await?, latched())?;
    passed(
        "refused, also if the account allows clear text; the client sends no ID and does not log in",
    )
}

async fn dovecot_status_withdrawn() -> Checked {
    let authorities = Authorities::new()?;
    let agent = latched_agent(&authorities).await?;
    // Without DEEP, and with DEEP but no status.
    for id in [None, Some("comment withdrawn")] {
        let setup = dovecot::Setup { id, ..GOOD };
        let dovecot = Dovecot::start(&authorities, &setup).await?;
        let address = dovecot.address(dovecot.imaps);
        let visit = agent.visit(Speaks::Imap, address, TlsStart::Implicit);
        let events = visit.await?.good()?;
        let withdrawn = "the server advertises no status any more; latches stay";
        same("events", events.last().map(String::as_str), Some(withdrawn))?;
        same("kept", agent.kept().await?, latched())?;
        drop(dovecot);
        let shown = Shown::OfAnotherAuthority;
        let setup = dovecot::Setup { shown, id, ..GOOD };
        let dovecot = Dovecot::start(&authorities, &setup).await?;
        let address = dovecot.address(dovecot.imaps);
        let visit = agent.visit(Speaks::ImapLogin, address, TlsStart::Implicit);
        let (failure, _) = visit.await?.refused()?;
        same("tags", failure.tags(), &[SecurityTag::TLS_CERT][..])?;
        offers_the_page(&failure, PAGE)?;
        // The server still has ID, so the failure is reported to it.
        dovecot.was_told("latch-fail=tls-cert").await?;
    }
    passed("latches and page stay, and the next downgrade fails as before")
}

const PROXY: nginx::Setup = nginx::Setup {
    shown: Shown::Good,
    deep: Some("DEEP tls12 tls-cert <https://www.example.com/privacy-support.html>"),
    protocols: "TLSv1.2 TLSv1.3",
    starttls: "on",
};

async fn nginx_latches() -> Checked {
    let authorities = Authorities::new()?;
    let nginx = Nginx::start(&authorities, &PROXY).await?;
    let [_, rest @ ..] = latching();
    // The server answers CLIENT with 500.
    let not_accepted = "report refused by the server".to_owned();
    let by_smtp = [&rest[..], std::slice::from_ref(&not_accepted)].concat();
    for (speaks, port, tls, expected) in [
        (Speaks::Pop, nginx.pop3s, TlsStart::Implicit, rest.to_vec()),
        (
            Speaks::Smtp,
            nginx.submissions,
            TlsStart::Implicit,
            by_smtp.clone(),
        ),
    ] {
        let agent = Agent::new(&authorities)?;
        let visit = agent.visit(speaks, process::at(port), tls).await?;
        same(&format!("{speaks:?}"), visit.good()?, expected)?;
        same("kept", agent.kept().await?, latched())?;
        let again = agent.visit(speaks, process::at(port), tls).await?.good()?;
        let expected = by_smtp.last().filter(|_| speaks == Speaks::Smtp);
        same("again", again.last(), expected)?;
    }
    for (speaks, port) in [(Speaks::Pop, nginx.pop3), (Speaks::Smtp, nginx.submission)] {
        for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
            let agent = Agent::new(&authorities)?;
            let visit = agent.visit(speaks, process::at(port), tls).await?;
            let events = visit.good()?;
            let in_clear = [
                "tls12 not latched: advertised in clear",
                "tls-cert not latched: advertised in clear",
                "status not recorded: advertised in clear",
            ];
            let begins: Vec<_> = events.iter().take(3).map(String::as_str).collect();
            same(&format!("{speaks:?}"), begins, in_clear)?;
            same("kept", agent.kept().await?, latched())?;
        }
    }
    // The server advertises DEEP over IMAP, and does not know ID.
    let agent = Agent::new(&authorities)?;
    let visit = agent.visit(Speaks::Imap, process::at(nginx.imaps), TlsStart::Implicit);
    same("IMAP", visit.await?.good()?, [not_accepted])?;
    same("kept", agent.kept().await?, (Vec::new(), None))?;
    passed("POP and SMTP, at once and by STARTTLS; CLIENT answered with 500, IMAP's ID with BAD")
}

async fn latched_at_nginx(authorities: &Authorities, speaks: Speaks) -> Checked<Agent> {
    let nginx = Nginx::start(authorities, &PROXY).await?;
    let agent = Agent::new(authorities)?;
    let port = if speaks == Speaks::Pop {
        nginx.pop3s
    } else {
        nginx.submissions
    };
    let visit = agent.visit(speaks, process::at(port), TlsStart::Implicit);
    visit.await?.good()?;
    same("kept", agent.kept().await?, latched())?;
    Ok(agent)
}

async fn nginx_certificate_swapped() -> Checked {
    let authorities = Authorities::new()?;
    for speaks in [Speaks::Pop, Speaks::Smtp] {
        let agent = latched_at_nginx(&authorities, speaks).await?;
        for shown in SWAPPED {
            let setup = nginx::Setup { shown, ..PROXY };
            let nginx = Nginx::start(&authorities, &setup).await?;
            let ports = match speaks {
                Speaks::Pop => [nginx.pop3s, nginx.pop3],
                _ => [nginx.submissions, nginx.submission],
            };
            for (port, tls) in ports
                .into_iter()
                .zip([TlsStart::Implicit, TlsStart::StartTls])
            {
                let visit = agent.visit(speaks, process::at(port), tls);
                let (failure, events) = visit.await?.refused()?;
                let what = format!("{speaks:?}, {shown:?}");
                same(&what, failure.tags(), &[SecurityTag::TLS_CERT][..])?;
                same(&what, failure.stage(), Stage::Handshake)?;
                offers_the_page(&failure, PAGE)?;
                // Over SMTP the failure is reported, and the server does not know the command; POP has no report.
                let told = "report refused by the server".to_owned();
                same(&what, events.contains(&told), speaks == Speaks::Smtp)?;
            }
            same("kept", agent.kept().await?, latched())?;
        }
    }
    passed("POP and SMTP, at once and by STARTTLS: another authority, another name, expired")
}

async fn nginx_version_lowered() -> Checked {
    let authorities = Authorities::new()?;
    for speaks in [Speaks::Pop, Speaks::Smtp] {
        let agent = latched_at_nginx(&authorities, speaks).await?;
        let protocols = "TLSv1 TLSv1.1";
        let setup = nginx::Setup { protocols, ..PROXY };
        let nginx = Nginx::start(&authorities, &setup).await?;
        let ports = match speaks {
            Speaks::Pop => [nginx.pop3s, nginx.pop3],
            _ => [nginx.submissions, nginx.submission],
        };
        same("TLS 1.1", openssl_speaks_tls11(nginx.pop3s).await?, true)?;
        for (port, tls) in ports
            .into_iter()
            .zip([TlsStart::Implicit, TlsStart::StartTls])
        {
            let visit = agent.visit(speaks, process::at(port), tls);
            let (failure, _) = visit.await?.refused()?;
            let tags = [SecurityTag::TLS_CERT, SecurityTag::TLS12];
            same("tags", failure.tags(), &tags[..])?;
            same("stage", failure.stage(), Stage::HandshakeFailed)?;
            offers_the_page(&failure, PAGE)?;
        }
        // nginx's own word for it.
        let lines = nginx
            .server
            .line_with(&["SSL_do_handshake() failed"])
            .await?;
        same("version", lines.contains("unsupported protocol"), true)?;
        same("kept", agent.kept().await?, latched())?;
    }
    passed("a server of TLS 1.1 at most: no handshake, the recorded page is offered")
}

/// Returns `true` if that server negotiates TLS 1.1 with a client that requires it, so that the version is the only
/// fault.
async fn openssl_speaks_tls11(port: u16) -> Checked<bool> {
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-tls1_1",
            "-cipher",
            "ALL:@SECLEVEL=0",
            "-connect",
        ])
        .arg(process::at(port).to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.contains("Protocol  : TLSv1.1"))
}

async fn nginx_starttls_stripped() -> Checked {
    let authorities = Authorities::new()?;
    for speaks in [Speaks::Pop, Speaks::Smtp] {
        let agent = latched_at_nginx(&authorities, speaks).await?;
        let starttls = "off";
        let setup = nginx::Setup { starttls, ..PROXY };
        let nginx = Nginx::start(&authorities, &setup).await?;
        let port = if speaks == Speaks::Pop {
            nginx.pop3
        } else {
            nginx.submission
        };
        for tls in [TlsStart::StartTls, TlsStart::StartTlsIfOffered] {
            let visit = agent.visit(speaks, process::at(port), tls);
            let (failure, _) = visit.await?.refused()?;
            same("stage", failure.stage(), Stage::NoTls)?;
            offers_the_page(&failure, PAGE)?;
        }
        same("kept", agent.kept().await?, latched())?;
        // A client that has latched nothing requires the tags that are advertised in clear.
        let stranger = Agent::new(&authorities)?;
        let visit = stranger.visit(speaks, process::at(port), TlsStart::StartTlsIfOffered);
        let outcome = visit.await?.outcome;
        let ended = matches!(outcome, Err(RunError::Client(ClientError::NoTls)));
        same("without latches", ended, true)?;
    }
    passed("POP and SMTP: refused, also where the account allows clear")
}

/// Returns the main README, which has the lines of the servers' configurations.
#[cfg(test)]
fn readme() -> String {
    let path = conformance::repository().join("README.md");
    std::fs::read_to_string(path).expect("a README")
}
