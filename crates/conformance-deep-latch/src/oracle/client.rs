//! Invariants of a client of `deep-latch` for any octets that a server sends.
//!
//! The first byte of the input says which client it is and how its handshake fails, the second what else happens; what the server says in
//! clear, over TLS and after login follows, with 0xff between, which is no byte of the protocols.

use conformance::oracle::Broken;
use deep_latch::{
    Facilities, Host, ImapClient, LatchRecord, LatchSession, PopClient, SecurityTag, SmtpClient,
    TlsFacts,
    client::{Client, ClientError, ClientEvent, ClientOptions, Demand, Protocol, TlsStart},
    facts::{ChainVerdict, DaneVerdict, IdentityVerdict, Login, ProtocolVersion},
    failure::{CertificateFailure, CertificateFault, HandshakeFault, LatchFailure},
};

/// The limit of bytes that a client may send, and of its events: both are bounded, whatever the server sends. A
/// command is at most some kilobytes, and there are at most nine.
const MAX_SENT_BYTES: usize = 16_384;
const MAX_EVENTS: usize = 4096;

/// The separator of the parts.
pub const SEPARATOR: u8 = 0xff;

/// The settings that the server does not control.
#[derive(Clone, Copy, Debug)]
struct Setting {
    tls: TlsStart,
    latched: &'static [&'static str],
    facts: Result<TlsFacts, HandshakeFault>,
    login: Option<Login>,
    report: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    LogIn,
    Ready,
    Refused(LatchFailure),
    RefusedCertificate(CertificateFailure),
    Failed(ClientError),
}

/// The observed behaviour of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Done {
    sent: [Vec<u8>; 3],
    stored: Vec<LatchRecord>,
    events: Vec<ClientEvent>,
    end: End,
    /// The octets that are left for the caller, if the session continues.
    left: Vec<u8>,
    record: LatchRecord,
}

/// However the server's bytes are cut, the client does the same; it sends what it may and nothing else, and
/// latches what it may and nothing else.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn any(data: &[u8]) -> Result<(), Broken> {
    let (Some(&kind), Some(&choice)) = (data.first(), data.get(1)) else {
        return Ok(());
    };
    let setting = setting(choice, kind / 3);
    let said = data.get(2..).unwrap_or_default();
    let mut parts = said.split(|octet| *octet == SEPARATOR);
    let mut part = || parts.next().unwrap_or_default();
    let server = [part(), part(), part()];
    let record = record(setting)?;
    let session = LatchSession::try_new(record.clone(), Facilities::new());
    let session = session.map_err(|failure| failure.to_string())?;
    let options = ClientOptions {
        tls: setting.tls,
        name: Some("n".to_owned()),
        report: setting.report,
        ..ClientOptions::default()
    };
    match kind % 3 {
        0 => {
            let client = ImapClient::new(session, options);
            holds(&client, setting, server, &record, imap_command)
        }
        1 => {
            let client = PopClient::new(session, options);
            holds(&client, setting, server, &record, pop_command)
        }
        _ => {
            let client = SmtpClient::try_new(session, options, "a.example")
                .map_err(|error| error.to_string())?;
            holds(&client, setting, server, &record, smtp_command)
        }
    }
}

fn setting(choice: u8, rest: u8) -> Setting {
    let good = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        strength_bits: Some(128),
        chain: ChainVerdict::Trusted,
        identity: IdentityVerdict::Matches,
        dane: match rest / 7 % 2 {
            0 => DaneVerdict::NotChecked,
            _ => DaneVerdict::Differs,
        },
    };
    let faults = [
        HandshakeFault::Negotiation,
        HandshakeFault::Transport,
        HandshakeFault::Server,
        HandshakeFault::Local,
        HandshakeFault::Certificate(CertificateFault::Chain),
        HandshakeFault::Certificate(CertificateFault::Identity),
        HandshakeFault::Certificate(CertificateFault::Dane),
    ];
    Setting {
        tls: match choice & 3 {
            0 => TlsStart::StartTls,
            1 => TlsStart::StartTlsIfOffered,
            _ => TlsStart::Implicit,
        },
        latched: match choice >> 2 & 3 {
            0 | 1 => &[],
            2 => &["tls10"],
            _ => &["tls-cert", "tls12"],
        },
        facts: match choice >> 4 & 3 {
            0 | 1 => Ok(good),
            2 => Ok(TlsFacts {
                chain: ChainVerdict::Refused,
                ..good
            }),
            _ => Err(faults[usize::from(rest) % 7]),
        },
        login: match choice >> 6 {
            0 => None,
            1 => Some(Login::ScramPlus),
            _ => Some(Login::Done),
        },
        report: choice >> 6 != 3,
    }
}

fn record(setting: Setting) -> Result<LatchRecord, Broken> {
    let host = Host::try_new("mail.example.com").map_err(|error| error.to_string())?;
    let tags: Result<Vec<_>, _> = setting
        .latched
        .iter()
        .map(|tag| SecurityTag::parse(tag))
        .collect();
    let tags = tags.map_err(|error| error.to_string())?;
    Ok(LatchRecord::preset(host, tags))
}

fn imap_command(line: &str) -> bool {
    let command = line.strip_prefix("deep").and_then(|it| it.split_once(' '));
    command.is_some_and(|(tag, command)| {
        tag.bytes().all(|octet| octet.is_ascii_digit())
            && (["CAPABILITY", "STARTTLS", "LOGOUT"].contains(&command)
                || command.starts_with("ID "))
    })
}

fn pop_command(line: &str) -> bool {
    ["CAPA", "STLS"].contains(&line)
}

fn smtp_command(line: &str) -> bool {
    ["EHLO a.example", "STARTTLS", "QUIT"].contains(&line) || line.starts_with("CLIENT ")
}

fn holds<P: Protocol + Clone>(
    client: &Client<P>,
    setting: Setting,
    server: [&[u8]; 3],
    before: &LatchRecord,
    may_send: fn(&str) -> bool,
) -> Result<(), Broken> {
    let whole = play(client.clone(), setting, server, usize::MAX)?;
    for piece in [1, 5] {
        let pieces = play(client.clone(), setting, server, piece)?;
        if pieces != whole {
            return Err(format!("{whole:?}, but in pieces of {piece}: {pieces:?}"));
        }
    }
    let check = |holds: bool, what: &str| match holds {
        true => Ok(()),
        false => Err(format!("{what}: {whole:?}")),
    };
    let mut commands = Vec::new();
    for sent in &whole.sent {
        let sent = str::from_utf8(sent).map_err(|error| error.to_string())?;
        check(sent.is_empty() || sent.ends_with("\r\n"), "half a command")?;
        commands.push(sent);
        check(
            sent.split_terminator("\r\n").all(may_send),
            "a command that it may not send",
        )?;
        let told = sent.contains("latch") || sent.contains("security-tags");
        check(
            setting.report || !told,
            "a report is sent, but the caller turned reports off",
        )?;
    }
    let clear = commands.first().is_some_and(|sent| sent.contains("latch"));
    check(!clear, "a report is sent in clear")?;

    let in_use = matches!(whole.end, End::LogIn | End::Ready);
    let over_tls = setting.tls == TlsStart::Implicit
        || commands
            .first()
            .is_some_and(|sent| sent.contains("STARTTLS") || sent.contains("STLS"));
    let has_tls = over_tls && setting.facts.is_ok();
    let contradicted = setting
        .facts
        .is_ok_and(|facts| facts.dane == DaneVerdict::Differs);
    check(
        !(in_use && has_tls && contradicted),
        "continues although TLSA records contradict the certificate",
    )?;
    let good = setting
        .facts
        .ok()
        .filter(|facts| facts.chain == ChainVerdict::Trusted && !contradicted);
    let latched: Vec<_> = before.latched().collect();
    let cert = latched.contains(&&SecurityTag::TLS_CERT);
    check(
        !(in_use && cert && good.is_none()),
        "continues although tls-cert is latched and not achieved",
    )?;
    // STARTTLS may be refused, and the account allow clear: never with a latch.
    let clear_allowed = setting.tls == TlsStart::StartTlsIfOffered && latched.is_empty();
    check(!in_use || has_tls || clear_allowed, "in clear")?;
    check(
        !matches!(whole.end, End::Ready) || setting.login.is_some() || preauth(server),
        "ready without a login",
    )?;

    let now = &whole.record;
    check(
        before.latched().all(|tag| now.is_latched(tag)),
        "a latch is gone",
    )?;
    let authenticated = good.is_some() || setting.login == Some(Login::ScramPlus);
    for tag in now.latched().filter(|tag| !before.is_latched(tag)) {
        check(has_tls, "latched without TLS")?;
        let negotiable = [SecurityTag::TLS10, SecurityTag::TLS12].contains(tag);
        check(
            good.is_some() || negotiable,
            "latched without authentication",
        )?;
    }
    let recorded = now.status() != before.status();
    check(!recorded || has_tls && authenticated, "recorded")?;
    let stored = whole.stored.last().unwrap_or(before);
    check(
        stored == now,
        "the last stored record is not the present one",
    )?;
    if let End::Refused(failure) = &whole.end {
        let of_the_record = |tag: &SecurityTag<'_>| before.is_latched(tag);
        check(
            !failure.tags().is_empty() && failure.tags().iter().all(of_the_record),
            "refused for what was not latched",
        )?;
        // No status was recorded before this connection.
        check(failure.actions().len() == 2, "a page of this server's")?;
    }
    if let End::RefusedCertificate(failure) = &whole.end {
        let [_, over_tls, after_login] = &commands[..] else {
            return Err("three parts".to_owned());
        };
        check(
            over_tls.is_empty() && after_login.is_empty(),
            "something is sent to a server whose certificate is refused",
        )?;
        check(failure.actions().len() == 2, "a page of this server's")?;
    }
    check(whole.events.len() <= MAX_EVENTS, "too many events")?;
    let sent: usize = whole.sent.iter().map(Vec::len).sum();
    check(sent <= MAX_SENT_BYTES, "too much sent")
}

/// Returns `true` if the server may have greeted with PREAUTH.
fn preauth(server: [&[u8]; 3]) -> bool {
    server.iter().any(|said| {
        said.get(..9)
            .is_some_and(|begins| begins.eq_ignore_ascii_case(b"* PREAUTH"))
    })
}

fn play<P: Protocol>(
    mut client: Client<P>,
    setting: Setting,
    server: [&[u8]; 3],
    piece: usize,
) -> Result<Done, Broken> {
    let [mut left, tls, after_login] = server;
    if setting.tls == TlsStart::Implicit {
        // The server sends nothing in clear.
        left = b"";
    }
    let mut sent = [const { Vec::new() }; 3];
    let mut stored = Vec::new();
    let mut events = Vec::new();
    let mut given_back = Vec::new();
    let mut stage = 0;
    let mut demands = 0_usize;
    let end = loop {
        demands += 1;
        if demands > 1_000_000 {
            return Err("it does not end".to_owned());
        }
        events.extend(client.take_events());
        match client.demand() {
            Ok(Demand::Send(bytes)) => {
                sent[stage].extend(bytes);
                client.sent();
            }
            Ok(Demand::Store) => {
                stored.push(client.session().record().clone());
                client.stored();
            }
            Ok(Demand::Receive) if left.is_empty() => client.end_of_input(),
            Ok(Demand::Receive) => {
                let now;
                (now, left) = left.split_at(piece.min(left.len()));
                client.receive(now);
            }
            Ok(Demand::StartTls) => {
                // The octets that follow in clear.
                client.receive(left);
                (stage, left) = (1, tls);
                match setting.facts {
                    Ok(facts) => client.handshake(facts),
                    Err(fault) => client.handshake_failed(fault),
                }
            }
            Ok(Demand::LogIn) => {
                given_back.extend(client.take_leftover());
                given_back.extend(left);
                let Some(login) = setting.login else {
                    break End::LogIn;
                };
                (stage, left) = (2, after_login);
                client.logged_in(login);
            }
            Ok(Demand::Ready) => {
                given_back.extend(client.take_leftover());
                given_back.extend(left);
                break End::Ready;
            }
            Ok(Demand::Refused(failure)) => break End::Refused(failure),
            Ok(Demand::RefusedCertificate(failure)) => break End::RefusedCertificate(failure),
            Err(error) => break End::Failed(error),
        }
    };
    // A second call returns the same.
    let again = match client.demand() {
        Ok(Demand::LogIn) => End::LogIn,
        Ok(Demand::Ready) => End::Ready,
        Ok(Demand::Refused(failure)) => End::Refused(failure),
        Ok(Demand::RefusedCertificate(failure)) => End::RefusedCertificate(failure),
        Ok(other) => return Err(format!("{other:?} after {end:?}")),
        Err(error) => End::Failed(error),
    };
    if again != end {
        return Err(format!("{end:?}, and then {again:?}"));
    }
    events.extend(client.take_events());
    let left = match end {
        End::LogIn | End::Ready => given_back,
        _ => Vec::new(),
    };
    let record = client.session().record().clone();
    Ok(Done {
        sent,
        stored,
        events,
        end,
        left,
        record,
    })
}
