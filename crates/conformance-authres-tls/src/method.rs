//! The suites of the `tls` method: draft-martin-authentication-results-tls-03.

use authres_tls::{
    AuthenticationResults, Options, Policy, Session, TlsResInfo,
    facts::milter::{MilterMacros, Mta},
    facts::{
        CertificateFields, ChainVerdict, ClientCertificate, DaneVerdict, HostVerdict, LocalVerdict,
        PresentedCertificate, TlsSession,
    },
    policy::{Disclosure, FingerprintOf, Outweigh},
    tls::dn::{AttributeValue, DistinguishedName},
    tls::san::AltNames,
    tls::{
        CipherSuite, ConflictError, PropertyError, ProtocolVersion, TlsDiagnosticKind, TlsProperty,
        ValueError, Word,
    },
};
use conformance::{
    Case, Expected, Input, MalformedCase, Outcome, Ran, Suite, malformed, octets::from_hex,
    violated,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::oracle::method as oracle;

/// The suites.
pub(crate) const SUITES: &[Suite] = &[
    Suite {
        name: "authres-tls/tls",
        run: tls,
        import: Some(sort_diagnostics),
        is_right: None,
    },
    Suite {
        name: "authres-tls/evaluate",
        run: evaluation,
        import: None,
        is_right: None,
    },
];

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeName {
    #[default]
    Strict,
    Lenient,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsInput {
    value: String,
    #[serde(default)]
    mode: ModeName,
    #[serde(default)]
    eai: bool,
}

fn tls(input: Input) -> Ran {
    let case: TlsInput = input.parse()?;
    let value = case.value.as_bytes();
    oracle::tls(value).map_err(violated)?;
    let options = match case.mode {
        ModeName::Strict => Options::strict(),
        ModeName::Lenient => Options::lenient(),
    };
    let header = match AuthenticationResults::parse(value, &options.with_utf8(case.eai)) {
        Ok(header) => header,
        Err(error) => {
            return Ok(Outcome::reject(
                error.kind().name(),
                error.field(),
                error.offset(),
            ));
        }
    };
    let view = match TlsResInfo::all(&header).next() {
        None => Value::Null,
        Some(Ok(tls)) => view(tls),
        Some(Err(error)) => json!({"result": null, "diagnostics": [error.name()]}),
    };
    let lints: Vec<_> = TlsResInfo::lint_all(&header)
        .map(|it| it.kind().name())
        .collect();
    Ok(Outcome::Accept(json!({"tls": view, "lints": lints})))
}

/// Sorts the diagnostics, which others may give in any order.
fn sort_diagnostics(case: &mut Case) {
    let Expected::Accept(expected) = &mut case.expected else {
        return;
    };
    let diagnostics = expected.pointer_mut("/tls/diagnostics");
    if let Some(diagnostics) = diagnostics.and_then(Value::as_array_mut) {
        diagnostics.sort_by_key(ToString::to_string);
    }
}

/// The typed view in the form of the vectors: a property that is not there is left out.
fn view(tls: TlsResInfo<'_, '_>) -> Value {
    let mut out = View(Map::new());
    out.put("result", tls.result().map(|it| it.name()));
    for (name, property, read) in [
        ("client_dn", TlsProperty::CertClient, tls.cert_client()),
        ("server_dn", TlsProperty::CertServer, tls.cert_server()),
        (
            "client_issuer_dn",
            TlsProperty::CertClientIssuer,
            tls.cert_client_issuer(),
        ),
        (
            "server_issuer_dn",
            TlsProperty::CertServerIssuer,
            tls.cert_server_issuer(),
        ),
    ] {
        if let Ok(Some(text)) = tls.value(property) {
            out.put(&format!("{name}_after_ws_collapse"), text.collapsed());
        }
        out.property(name, read, rdns);
    }
    let names = |names: AltNames<'_>| names.iter().map(|it| it.to_string()).collect::<Vec<_>>();
    out.property("san", tls.cert_client_alt(), names);
    out.property("server_san", tls.cert_server_alt(), names);
    out.word("cert_verif", tls.cert_verif(), |it| it.name());
    out.word("tls_v", tls.tls_v(), |it| it.name());
    out.word("key_strength", tls.key_strength(), |it| it.name());
    if let Ok(Some(text)) = tls.value(TlsProperty::KeyCiphersuite) {
        let mut suite = Map::new();
        suite.insert("name".into(), text.unfolded().into());
        if let Ok(Some(Word::Known(known))) = tls.key_ciphersuite() {
            suite.insert("iana".into(), json!(known.id().map(u16::to_be_bytes)));
        }
        let not_iana = |kind| kind == TlsDiagnosticKind::CipherSuiteNotIanaName;
        let noted: Vec<_> = kinds(tls)
            .filter(|kind| not_iana(*kind))
            .map(|it| it.name())
            .collect();
        if !noted.is_empty() {
            suite.insert("diagnostics".into(), json!(noted));
        }
        out.put("ciphersuite", suite);
    }
    match tls.key_fingerprint() {
        Ok(Some(fingerprint)) => {
            let octets = fingerprint.as_bytes();
            out.put("fingerprint_bytes", octets.len());
            out.put("fingerprint_hex", hex::encode(octets));
            match fingerprint.algorithm() {
                Some(algorithm) => out.put("fingerprint_alg", algorithm.name()),
                None => out.put(
                    "fingerprint_alg_guess",
                    fingerprint.guessed_algorithm().map(|it| it.name()),
                ),
            }
        }
        Err(PropertyError::Value(error)) => out.put("fingerprint_error", value_error(error)),
        _ => {}
    }
    match tls.key_length() {
        Ok(None) | Err(PropertyError::Conflict(_)) => {}
        read => out.put("key_length", read.ok().flatten()),
    }
    let conflicts = TlsProperty::ALL
        .into_iter()
        .filter_map(|it| tls.value(it).err());
    let conflicts: Vec<_> = conflicts.map(|it| it.property().name()).collect();
    if !conflicts.is_empty() {
        out.put("conflicts", conflicts);
    }
    // The diagnostic of the cipher suite is part of its own output.
    let mut diagnostics: Vec<_> = kinds(tls)
        .filter(|kind| *kind != TlsDiagnosticKind::CipherSuiteNotIanaName)
        .map(TlsDiagnosticKind::name)
        .collect();
    diagnostics.sort_unstable();
    out.put("diagnostics", diagnostics);
    out.0.into()
}

fn kinds(tls: TlsResInfo<'_, '_>) -> impl Iterator<Item = TlsDiagnosticKind> {
    tls.diagnostics().map(|it| it.kind())
}

struct View(Map<String, Value>);

impl View {
    fn put(&mut self, name: &str, value: impl serde::Serialize) {
        self.0.insert(name.to_owned(), json!(value));
    }

    fn property<T, V: serde::Serialize>(
        &mut self,
        name: &str,
        read: Result<Option<T>, PropertyError>,
        show: impl Fn(T) -> V,
    ) {
        match read {
            Ok(Some(value)) => self.put(name, show(value)),
            Err(PropertyError::Value(error)) => {
                self.put(&format!("{name}_error"), value_error(error));
            }
            _ => {}
        }
    }

    fn word<T: Copy>(
        &mut self,
        name: &str,
        read: Result<Option<Word<'_, T>>, ConflictError>,
        show: impl Fn(T) -> &'static str,
    ) {
        match read {
            Ok(Some(Word::Known(word))) => self.put(name, show(word)),
            Ok(Some(Word::Other(text))) => self.put(&format!("{name}_other"), text.unfolded()),
            _ => {}
        }
    }
}

fn value_error(error: ValueError) -> Value {
    json!({"kind": error.kind().name(), "field": error.field(), "offset": error.offset()})
}

fn rdns(name: DistinguishedName<'_>) -> Value {
    let rdns = oracle::rdns(&name).into_iter().map(|rdn| {
        let attributes = rdn.into_iter().map(|(attribute_type, value)| match value {
            AttributeValue::Text(text) => json!([attribute_type, text]),
            AttributeValue::Der(octets) => json!([attribute_type, {"der": hex::encode(octets)}]),
        });
        attributes.collect::<Value>()
    });
    rdns.collect::<Value>()
}

/// The facts of a session: as plain values, or in the words of an MTA.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluateInput {
    session: SessionInput,
    #[serde(default)]
    policy: PolicyInput,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SessionInput {
    Clear,
    Tls(TlsInputFacts),
    PostfixReceived(String),
    Milter(MilterInput),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsInputFacts {
    version: Option<u16>,
    ciphersuite: Option<u16>,
    key_bits: Option<u16>,
    #[serde(default)]
    client: ClientInput,
    server: Option<FieldsInput>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ClientInput {
    #[default]
    Unknown,
    NotRequested,
    NotPresented,
    Presented(Box<PresentedInput>),
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PresentedInput {
    fields: FieldsInput,
    chain: String,
    host: String,
    dane: String,
    local: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FieldsInput {
    subject: Option<String>,
    alt_names: Option<String>,
    issuer: Option<String>,
    sha256: Option<String>,
    public_key_sha256: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MilterInput {
    mta: String,
    tls_version: Option<String>,
    cipher: Option<String>,
    cipher_bits: Option<String>,
    cert_subject: Option<String>,
    cert_issuer: Option<String>,
    verify: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyInput {
    outweigh: String,
    disclosure: String,
    fingerprint: String,
    server: bool,
    strength: Option<bool>,
}

/// The verdict of this name, which an empty one leaves as it is by default.
fn verdict<T: Default>(name: &str, of: impl Fn(&str) -> Option<T>) -> Result<T, MalformedCase> {
    if name.is_empty() {
        return Ok(T::default());
    }
    of(name).ok_or_else(|| malformed(format!("no such thing as {name}")))
}

fn fields(input: FieldsInput) -> Result<CertificateFields, MalformedCase> {
    let name = |text: Option<String>| text.map(DistinguishedName::parse).transpose();
    let digest = |text: Option<String>| -> Result<_, MalformedCase> {
        let octets = text.map(from_hex).transpose()?;
        let octets = octets.map(<[u8; 32]>::try_from).transpose();
        octets.map_err(|_| malformed("a digest of another length"))
    };
    Ok(CertificateFields {
        subject: name(input.subject).map_err(malformed)?,
        alt_names: input
            .alt_names
            .map(AltNames::parse)
            .transpose()
            .map_err(malformed)?,
        issuer: name(input.issuer).map_err(malformed)?,
        sha256: digest(input.sha256)?,
        public_key_sha256: digest(input.public_key_sha256)?,
        public_key_bits: None,
    })
}

fn presented(input: PresentedInput) -> Result<ClientCertificate, MalformedCase> {
    let presented = PresentedCertificate {
        fields: fields(input.fields)?,
        chain: verdict(&input.chain, |name| {
            Some(match name {
                "trusted" => ChainVerdict::Trusted,
                "self-signed" => ChainVerdict::SelfSigned,
                "unknown-issuer" => ChainVerdict::UnknownIssuer,
                "expired" => ChainVerdict::Expired,
                "not-yet-valid" => ChainVerdict::NotYetValid,
                "revoked" => ChainVerdict::Revoked,
                "revocation-unavailable" => ChainVerdict::RevocationUnavailable,
                "unavailable" => ChainVerdict::Unavailable,
                "bad-signature" => ChainVerdict::BadSignature,
                "wrong-purpose" => ChainVerdict::WrongPurpose,
                "malformed" => ChainVerdict::Malformed,
                "not-accepted" => ChainVerdict::NotAccepted,
                _ => return None,
            })
        })?,
        host: verdict(&input.host, |name| match name {
            "match" => Some(HostVerdict::Match),
            "mismatch" => Some(HostVerdict::Mismatch),
            _ => None,
        })?,
        dane: verdict(&input.dane, |name| match name {
            "match" => Some(DaneVerdict::Match),
            "mismatch" => Some(DaneVerdict::Mismatch),
            "unavailable" => Some(DaneVerdict::Unavailable),
            _ => None,
        })?,
        local: verdict(&input.local, |name| match name {
            "accepted" => Some(LocalVerdict::Accepted),
            "refused" => Some(LocalVerdict::Refused),
            _ => None,
        })?,
    };
    Ok(presented.into())
}

fn session(input: TlsInputFacts) -> Result<Session, MalformedCase> {
    Ok(Session::Tls(TlsSession {
        version: input.version.and_then(ProtocolVersion::from_wire),
        cipher_suite: input.ciphersuite.and_then(CipherSuite::from_id),
        key_bits: input.key_bits,
        client: match input.client {
            ClientInput::Unknown => ClientCertificate::Unknown,
            ClientInput::NotRequested => ClientCertificate::NotRequested,
            ClientInput::NotPresented => ClientCertificate::NotPresented,
            ClientInput::Presented(input) => presented(*input)?,
        },
        server: input.server.map(fields).transpose()?.map(Box::new),
    }))
}

fn macros(input: &MilterInput) -> Result<Session, MalformedCase> {
    let mta = match input.mta.as_str() {
        "sendmail" => Mta::Sendmail,
        "postfix" => Mta::Postfix,
        other => return Err(malformed(format!("no such thing as {other}"))),
    };
    let macros = MilterMacros {
        tls_version: input.tls_version.as_deref(),
        cipher: input.cipher.as_deref(),
        cipher_bits: input.cipher_bits.as_deref(),
        cert_subject: input.cert_subject.as_deref(),
        cert_issuer: input.cert_issuer.as_deref(),
        verify: input.verify.as_deref(),
    };
    Ok(Session::from_milter_macros(&macros, mta))
}

fn policy(input: &PolicyInput) -> Result<Policy, MalformedCase> {
    let mut disclosure = verdict(&input.disclosure, |name| match name {
        "client" => Some(Disclosure::CLIENT),
        "subject" => Some(Disclosure::SUBJECT),
        "nothing" => Some(Disclosure::NOTHING),
        _ => None,
    })?;
    if !input.fingerprint.is_empty() {
        disclosure.fingerprint = Some(verdict(&input.fingerprint, |name| match name {
            "public-key" => Some(FingerprintOf::PublicKey),
            "certificate" => Some(FingerprintOf::Certificate),
            _ => None,
        })?);
    }
    disclosure.server = input.server;
    let mut policy = Policy {
        outweigh: verdict(&input.outweigh, |name| match name {
            "nothing" => Some(Outweigh::Nothing),
            "issuer" => Some(Outweigh::Issuer),
            "issuer-and-validity" => Some(Outweigh::IssuerAndValidity),
            _ => None,
        })?,
        disclosure,
        ..Policy::default()
    };
    if input.strength == Some(false) {
        policy.strength = |_| None;
    }
    Ok(policy)
}

fn evaluation(input: Input) -> Ran {
    let case: EvaluateInput = input.parse()?;
    let session = match case.session {
        SessionInput::Clear => Session::Clear,
        SessionInput::Tls(facts) => session(facts)?,
        SessionInput::Milter(input) => macros(&input)?,
        SessionInput::PostfixReceived(value) => match Session::from_postfix_received(&value) {
            Ok(session) => session,
            Err(error) => {
                return Ok(Outcome::reject(
                    error.kind().name(),
                    error.field(),
                    error.offset(),
                ));
            }
        },
    };
    let report = policy(&case.policy)?.evaluate(&session);
    oracle::report(&report).map_err(violated)?;
    let properties = report.properties.iter();
    let properties: Vec<_> = properties
        .map(|(property, value)| (property.name(), value))
        .collect();
    Ok(Outcome::Accept(json!({
        "result": report.result.name(),
        "comment": report.comment,
        "properties": properties,
    })))
}
