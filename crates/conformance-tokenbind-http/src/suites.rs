//! The suites of `tokenbind-http`: draft-balfanz-https-token-binding-00.

use conformance::{Input, MalformedCase, Outcome, Ran, Stopped, Suite, malformed, violated};
use conformance_tokenbind_wire::case::{FACTS, Profile, bytes};
use serde::Deserialize;
use serde_json::{Value, json};
use tokenbind_http::{
    ReferredTokenBinding,
    federation::{Disclosure, Party, TokenToIssue, UnboundReason},
    header::{Header, HeaderOptions},
    origin::{Origin, OriginError, ScopeRule},
    server::{self, RequestOutcome},
    tls::{Choice, ClientOffer, VersionPreference},
};
use tokenbind_wire::{
    DecodeOptions, EncodingProfile, KeyParameters, Negotiated, RustCrypto, Session,
    SignatureAndHashAlgorithm, TlsUnique, TokenBindingAlpn,
};

use crate::oracle;

const fn suite(name: &'static str, run: fn(Input) -> Ran) -> Suite {
    Suite {
        name,
        run,
        import: None,
        is_right: None,
    }
}

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    suite("tokenbind-http/header", header),
    suite("tokenbind-http/request", request),
    suite("tokenbind-http/token-to-issue", token),
    suite("tokenbind-http/redirect", redirect),
    suite("tokenbind-http/xhr", xhr),
    suite("tokenbind-http/client-hello", client_hello),
    suite("tokenbind-http/server-policy", server_policy),
    suite("tokenbind-http/origin", origin),
];

/// Header values: each character of the text is one octet.
fn octets(values: &[String]) -> Result<Vec<Vec<u8>>, MalformedCase> {
    let octets = |value: &String| value.chars().map(u8::try_from).collect();
    let values: Result<_, _> = values.iter().map(octets).collect();
    values.map_err(|_| malformed("a header value has a character above U+00FF"))
}

fn slices(values: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    values.iter().map(Vec::as_slice)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderInput {
    values: Vec<String>,
    #[serde(default)]
    allow_padding: bool,
}

fn header(input: Input) -> Ran {
    let case: HeaderInput = input.parse()?;
    let values = octets(&case.values)?;
    for value in &values {
        oracle::header(value).map_err(violated)?;
    }
    let options = HeaderOptions {
        allow_padding: case.allow_padding,
    };
    Ok(match Header::from_values(slices(&values)).decode(options) {
        Ok(message) => Outcome::Accept(json!({"message": message.map(hex::encode)})),
        Err(error) => Outcome::reject(error.kind().name(), error.field(), error.offset()),
    })
}

/// A server's connection.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Connection {
    negotiated: Option<String>,
    tls_unique: Option<String>,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    allow_padding: bool,
    #[serde(default)]
    allow_later_requests_without_header: bool,
}

impl Connection {
    fn outcomes(self, requests: &[Vec<String>]) -> Result<Vec<RequestOutcome>, Stopped> {
        let session = match (self.negotiated, self.tls_unique) {
            (None, _) => None,
            (Some(alpn), Some(unique)) => {
                let alpn = TokenBindingAlpn::parse(alpn.as_bytes())
                    .ok_or_else(|| malformed("negotiated: not a Token Binding identifier"))?;
                let unique = bytes(&unique)?;
                Some(Session {
                    negotiated: Negotiated::try_new(alpn, FACTS).map_err(malformed)?,
                    tls_unique: TlsUnique::from_engine(&unique, FACTS).map_err(malformed)?,
                })
            }
            (Some(_), None) => return Err(malformed("tls_unique is missing").into()),
        };
        let options = server::Options {
            decode: DecodeOptions::from(EncodingProfile::from(self.profile)),
            header: HeaderOptions {
                allow_padding: self.allow_padding,
            },
            allow_later_requests_without_header: self.allow_later_requests_without_header,
        };
        let requests: Result<Vec<_>, _> = requests.iter().map(|values| octets(values)).collect();
        oracle::request_sequence(session, options, &requests?, &RustCrypto).map_err(violated)
    }
}

fn algorithm(algorithm: SignatureAndHashAlgorithm) -> Value {
    json!({"hash": algorithm.hash.0, "signature": algorithm.signature.0})
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestInput {
    connection: Connection,
    requests: Vec<Vec<String>>,
}

fn request(input: Input) -> Ran {
    let case: RequestInput = input.parse()?;
    let outcomes = case.connection.outcomes(&case.requests)?;
    let outcomes: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            RequestOutcome::NotInUse => json!("not-in-use"),
            RequestOutcome::Bound(bindings) => {
                let referred = bindings.referred().map(|referred| match referred {
                    ReferredTokenBinding::Verified(id) => {
                        json!({"verified": hex::encode(id.as_bytes())})
                    }
                    ReferredTokenBinding::Unsupported(unsupported) => {
                        json!({"unsupported": algorithm(*unsupported)})
                    }
                });
                let provided = hex::encode(bindings.provided().id().as_bytes());
                json!({"bound": {"provided": provided, "referred": referred}})
            }
            RequestOutcome::Terminate(refusal) => json!({"terminate": {
                "kind": refusal.kind().name(),
                "field": refusal.field(),
                "offset": refusal.offset(),
            }}),
        })
        .collect();
    Ok(Outcome::Accept(json!({"outcomes": outcomes})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenInput {
    connection: Connection,
    headers: Vec<String>,
}

fn token(input: Input) -> Ran {
    let case: TokenInput = input.parse()?;
    let outcomes = case.connection.outcomes(&[case.headers])?;
    let referred = match outcomes.first() {
        Some(RequestOutcome::Bound(bindings)) => bindings.referred(),
        Some(RequestOutcome::Terminate(refusal)) => {
            let (kind, field) = (refusal.kind().name(), refusal.field());
            return Ok(Outcome::reject(kind, field, refusal.offset()));
        }
        Some(RequestOutcome::NotInUse) | None => None,
    };
    Ok(Outcome::Accept(
        match TokenToIssue::from_referred(referred) {
            TokenToIssue::BoundTo(id) => json!({
                "bound_to": hex::encode(id.as_bytes()),
                "key_id": hex::encode(id.key_id()),
            }),
            TokenToIssue::Unbound(UnboundReason::NotReferred) => json!({"unbound": "not-referred"}),
            TokenToIssue::Unbound(UnboundReason::UnsupportedAlgorithm(unsupported)) => json!({
                "unbound": "unsupported-algorithm",
                "algorithm": algorithm(unsupported),
            }),
            TokenToIssue::Unbound(_) => return Err(violated("a reason of a new kind")),
        },
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartyInput {
    origin: String,
    negotiated: Option<String>,
}

impl PartyInput {
    fn party(&self) -> Result<Party, MalformedCase> {
        Ok(Party {
            origin: self.origin.parse().map_err(malformed)?,
            negotiated: match self.negotiated.as_deref() {
                None => None,
                Some("p256") => Some(KeyParameters::P256),
                Some("rsa2048") => Some(KeyParameters::Rsa2048),
                Some(other) => return Err(malformed(format!("negotiated: {other}"))),
            },
        })
    }
}

fn disclosed(disclosure: &Disclosure) -> Value {
    match disclosure {
        Disclosure::Reveal(referral) => json!({"reveal": {
            "consumer": referral.consumer().to_string(),
            "parameters": referral.parameters().name(),
        }}),
        Disclosure::Withhold(reason) => json!({"withhold": reason.name()}),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HopInput {
    status: u16,
    headers: Vec<String>,
    to: PartyInput,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedirectInput {
    consumer: PartyInput,
    hops: Vec<HopInput>,
}

fn redirect(input: Input) -> Ran {
    let case: RedirectInput = input.parse()?;
    let hops: Result<Vec<_>, MalformedCase> = case
        .hops
        .iter()
        .map(|hop| {
            Ok(oracle::Hop {
                status: hop.status,
                values: octets(&hop.headers)?,
                to: hop.to.party()?,
            })
        })
        .collect();
    let disclosures = oracle::redirects(&case.consumer.party()?, &hops?).map_err(violated)?;
    let requests: Vec<_> = disclosures.iter().map(disclosed).collect();
    Ok(Outcome::Accept(json!({"requests": requests})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct XhrInput {
    with_referer_token_binding_id: bool,
    consumer: PartyInput,
    provider: PartyInput,
}

fn xhr(input: Input) -> Ran {
    let case: XhrInput = input.parse()?;
    let (consumer, provider) = (case.consumer.party()?, case.provider.party()?);
    let disclosure = oracle::script(case.with_referer_token_binding_id, &consumer, &provider);
    Ok(Outcome::Accept(disclosed(&disclosure.map_err(violated)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientHelloInput {
    records: String,
}

fn client_hello(input: Input) -> Ran {
    let case: ClientHelloInput = input.parse()?;
    let records = bytes(&case.records)?;
    oracle::client_hello(&records).map_err(violated)?;
    let Ok(offer) = ClientOffer::from_records(&records) else {
        return Ok(Outcome::reject("unreadable", "ClientHello", 0));
    };
    let alpn: Vec<_> = offer.alpn.iter().map(hex::encode).collect();
    let mut accept = json!({
        "alpn": alpn,
        "extended_master_secret": offer.extended_master_secret,
        "tls12": offer.tls12,
        "tls13": offer.tls13,
        "cipher_suites": offer.cipher_suites,
    });
    if !offer.uncompressed_points {
        accept["uncompressed_points"] = false.into();
    }
    Ok(Outcome::Accept(accept))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfferInput {
    alpn: Vec<String>,
    extended_master_secret: bool,
    tls12: bool,
    tls13: bool,
    cipher_suites: Vec<u16>,
    #[serde(default = "yes")]
    uncompressed_points: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Prefer {
    TokenBinding,
    Tls13,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerInput {
    alpn: Vec<String>,
    tls12_cipher_suites: Vec<u16>,
    prefer: Prefer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyInput {
    offer: OfferInput,
    server: ServerInput,
}

fn server_policy(input: Input) -> Ran {
    let case: PolicyInput = input.parse()?;
    let offer = ClientOffer {
        alpn: case.offer.alpn.into_iter().map(Into::into).collect(),
        extended_master_secret: case.offer.extended_master_secret,
        tls12: case.offer.tls12,
        tls13: case.offer.tls13,
        cipher_suites: case.offer.cipher_suites,
        uncompressed_points: case.offer.uncompressed_points,
    };
    let parse = |alpn: &String| TokenBindingAlpn::parse(alpn.as_bytes());
    let ours: Option<Vec<_>> = case.server.alpn.iter().map(parse).collect();
    let ours = ours.ok_or_else(|| malformed("alpn: not a Token Binding identifier"))?;
    let preference = match case.server.prefer {
        Prefer::TokenBinding => VersionPreference::TokenBinding,
        Prefer::Tls13 => VersionPreference::Tls13,
    };
    let suites = case.server.tls12_cipher_suites;
    Ok(Outcome::Accept(
        match offer.choose(&ours, &suites, preference) {
            Choice::TokenBinding => json!({"choice": "token-binding"}),
            Choice::Plain(reason) => json!({"choice": "plain", "reason": reason.name()}),
        },
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RuleInput {
    Origin,
    RegistrableDomain,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginInput {
    url: String,
    scope_rule: RuleInput,
}

fn origin(input: Input) -> Ran {
    let case: OriginInput = input.parse()?;
    let rule = match case.scope_rule {
        RuleInput::Origin => ScopeRule::Origin,
        RuleInput::RegistrableDomain => ScopeRule::RegistrableDomain,
    };
    let kind = match case.url.parse::<Origin>() {
        Ok(origin) => {
            let scope = rule.scope(&origin);
            return Ok(Outcome::Accept(json!({
                "origin": origin.to_string(),
                "scope": scope.as_str(),
            })));
        }
        Err(OriginError::Url) => "url",
        Err(OriginError::Scheme) => "scheme",
        Err(OriginError::Host) => "host",
        Err(_) => return Err(violated("an error of a new kind")),
    };
    Ok(Outcome::reject(kind, "URL", 0))
}
