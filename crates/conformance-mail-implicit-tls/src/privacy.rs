//! The suite `mail-implicit-tls/privacy`: what an account accepts, what is shown of it, and what may be offered.

use conformance::{Input, MalformedCase, Outcome, Ran, malformed};
use mail_implicit_tls::{
    account::{
        Account, AccountErrorKind, AccountId, AccountSetup, Host, LowPrivacy, Profile, Server,
    },
    failure::{Action, Cause, Failure, StatusPage},
    identity::{PresentedIdentity, ReferenceIdentity},
    name::DomainName,
    privacy::{Indication, PrivacyLevel, ProtocolVersion},
    service::Service,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, IdentityVerdict,
        PinVerdict, Verdict,
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    profile: Profile,
    level: PrivacyLevel,
    ignore_certificate: bool,
    clear_text_fallback: bool,
    connection: Connection,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Connection {
    Clear,
    Tls {
        chain: Chain,
        identity: Identity,
        dane: Dane,
        pin: Pin,
        version: u16,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Chain {
    NotChecked,
    Trusted,
    Refused,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Identity {
    NotChecked,
    Matches,
    Differs,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Dane {
    NotUsed,
    /// The usage, and if the match covers the identity.
    Matches(u8, bool),
    Differs,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pin {
    NotPinned,
    Matches,
    Differs,
}

const PAGE: &str = "https://status.example.org/";

pub(super) fn privacy(input: Input) -> Ran {
    let case: Case = input.parse()?;
    let service = match case.connection {
        Connection::Clear => Service::ALL.iter().find(|it| !it.uses_tls()).copied(),
        Connection::Tls { .. } => Some(Service::IMAPS),
    };
    let service = service.ok_or_else(|| malformed("no service"))?;
    let host = Host::parse("imap.example.org").map_err(malformed)?;
    let page = StatusPage::parse(PAGE).map_err(malformed)?;
    let id = AccountId::try_new("alice@example.org").map_err(malformed)?;
    let setup = AccountSetup::new(id)
        .profile(case.profile)
        .server(Server::new(service, host));
    let setup = match case.level {
        PrivacyLevel::High => setup.high(),
        PrivacyLevel::Low => setup.low(LowPrivacy {
            ignore_certificate: case.ignore_certificate,
            clear_text_fallback: case.clear_text_fallback,
        }),
        _ => return Err(malformed("no level").into()),
    };
    let account = match setup.build() {
        Ok(account) => account,
        Err(error) => {
            let kind = match error.kind() {
                AccountErrorKind::LevelOfProfile => "level-of-profile",
                AccountErrorKind::ClearTextWithHigh => "clear-text-with-high",
                _ => "unknown",
            };
            return Ok(Outcome::Accept(json!({"configuration": kind})));
        }
    };
    let (accepted, indication, cause) = match case.connection {
        Connection::Clear => (true, Indication::clear(), Cause::ClearText),
        Connection::Tls {
            chain,
            identity,
            dane,
            pin,
            version,
        } => {
            let verdict = verdict(chain, identity, dane, pin)?;
            let shown = Indication::of_tls(&verdict, ProtocolVersion(version));
            let accepted = account.accepts(&verdict);
            (accepted, shown, Cause::NotVerified(Box::new(verdict)))
        }
    };
    if accepted {
        let level = indication.level().map(|level| level.to_string());
        return Ok(Outcome::Accept(json!({"accepted": level})));
    }
    let failure = Failure::new(service, "imap.example.org", cause);
    let falls_back = falls_back(&account, failure.cause());
    let actions = failure.with_status_page(page).actions();
    let actions: Vec<_> = actions.iter().map(action).collect();
    Ok(Outcome::Accept(
        json!({"actions": actions, "clear_text": falls_back}),
    ))
}

/// Returns `true` if the client may continue in clear text after this failure (section 3.3).
fn falls_back(account: &Account, cause: &Cause) -> bool {
    account.low().clear_text_fallback && cause.is_tls_negotiation()
}

fn action(action: &Action) -> Value {
    match action {
        Action::WorkOffline => json!("work-offline"),
        Action::TryAgainLater => json!("try-again-later"),
        Action::OpenStatusPage(page) => json!({"open": page.as_str()}),
        _ => json!("unknown"),
    }
}

fn verdict(
    chain: Chain,
    identity: Identity,
    dane: Dane,
    pin: Pin,
) -> Result<Verdict, MalformedCase> {
    let name = DomainName::parse("imap.example.org").map_err(malformed)?;
    Ok(Verdict {
        chain: match chain {
            Chain::NotChecked => ChainVerdict::NotChecked,
            Chain::Trusted => ChainVerdict::Trusted,
            Chain::Refused => ChainVerdict::Refused(vec![ChainProblem::UnknownIssuer]),
        },
        identity: match identity {
            Identity::NotChecked => IdentityVerdict::NotChecked,
            Identity::Matches => IdentityVerdict::Matches {
                reference: ReferenceIdentity::Dns(name),
                presented: PresentedIdentity::Dns(b"imap.example.org".as_slice().into()),
            },
            Identity::Differs => IdentityVerdict::Differs(Box::default()),
        },
        dane: match dane {
            Dane::NotUsed => DaneVerdict::NotUsed(DaneNotUsed::NoRecords),
            Dane::Matches(usage, covers_identity) => DaneVerdict::Matches {
                usage: match usage {
                    0 => CertificateUsage::PkixTa,
                    1 => CertificateUsage::PkixEe,
                    2 => CertificateUsage::DaneTa,
                    3 => CertificateUsage::DaneEe,
                    _ => return Err(malformed("no usage")),
                },
                covers_identity,
            },
            Dane::Differs => DaneVerdict::Differs(Vec::new()),
        },
        pin: match pin {
            Pin::NotPinned => PinVerdict::NotPinned,
            Pin::Matches => PinVerdict::Matches,
            Pin::Differs => PinVerdict::Differs,
        },
    })
}
