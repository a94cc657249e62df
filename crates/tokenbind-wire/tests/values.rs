//! Keys and identifiers as values: import, export, storage, printing; limits; the registries.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

use tokenbind_wire::{
    ApplicationProtocol, DecodeOptions, EncodingProfile, ErrorKind, Extension, Limits, Negotiated,
    P256Key, PointEncoding, ProtocolVersion, Rsa2048Key, Session, Sign, SignError, TlsFacts,
    TlsUnique, TokenBinding, TokenBindingAlpn, TokenBindingId, TokenBindingIdRef,
    TokenBindingMessage, TokenBindingMessageRef, TokenBindingType,
    registry::{self, ExtensionType},
    sign_message,
};

const FACTS: TlsFacts = TlsFacts {
    version: ProtocolVersion::TLS1_2,
    extended_master_secret: true,
};

fn session(alpn: TokenBindingAlpn) -> Session {
    Session {
        negotiated: Negotiated::try_new(alpn, FACTS).unwrap(),
        tls_unique: TlsUnique::from_engine(&[9; 12], FACTS).unwrap(),
    }
}

#[test]
fn owns_an_identifier_behind_a_reference() {
    let key = P256Key::generate().unwrap();
    let id = TokenBindingId::try_new(
        TokenBindingType::PROVIDED,
        key.public_key(),
        PointEncoding::X962,
    )
    .unwrap();
    let view: &TokenBindingIdRef<'_> = &id.view();
    let owned: TokenBindingId = view.into_owned();
    assert_eq!(owned, id);
    let mapped: Option<TokenBindingId> = Some(view).map(|view| view.into_owned());
    assert_eq!(mapped, Some(id));
}

#[test]
fn prints_no_secret() {
    let key = P256Key::generate().unwrap();
    assert_eq!(format!("{key:?}"), "P256Key { .. }");
    let id = TokenBindingId::try_new(
        TokenBindingType::PROVIDED,
        key.public_key(),
        PointEncoding::X962,
    );
    assert_eq!(
        format!("{:?}", id.unwrap()),
        "TokenBindingID { tokenbinding_type: provided_token_binding(0), algorithm: \
         SignatureAndHashAlgorithm { hash: sha256(4), signature: ecdsap256(3) }, .. }"
    );
    let session = session(TokenBindingAlpn::Http11P256);
    assert_eq!(format!("{:?}", session.tls_unique), "TlsUnique(12 bytes)");
    assert_eq!(
        format!("{:?}", session.tls_unique.signed_octets()),
        "SignedOctets(26 bytes)"
    );
}

#[test]
fn exports_keys_and_imports_only_their_own_kind() {
    let p256 = P256Key::generate().unwrap();
    let rsa = Rsa2048Key::generate().unwrap();
    let (p256_der, rsa_der) = (p256.to_pkcs8_der().unwrap(), rsa.to_pkcs8_der().unwrap());
    assert_eq!(
        P256Key::from_pkcs8_der(&p256_der).unwrap().public_key(),
        p256.public_key()
    );
    assert_eq!(
        Rsa2048Key::from_pkcs8_der(&rsa_der).unwrap().public_key(),
        rsa.public_key()
    );
    assert_eq!(
        P256Key::from_pkcs8_der(&rsa_der).unwrap_err(),
        SignError::Key
    );
    assert_eq!(
        Rsa2048Key::from_pkcs8_der(&p256_der).unwrap_err(),
        SignError::Key
    );
    assert_eq!(
        P256Key::from_pkcs8_der(&p256_der[1..]).unwrap_err(),
        SignError::Key
    );
}

#[test]
fn writes_identifiers_as_json_and_checks_them_when_it_reads() {
    let key = P256Key::generate().unwrap();
    for point in [PointEncoding::X962, PointEncoding::Bare64] {
        let id =
            TokenBindingId::try_new(TokenBindingType::REFERRED, key.public_key(), point).unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<TokenBindingId>(&json).unwrap(), id);
    }
    let refused = serde_json::from_str::<TokenBindingId>(r#"{"point":"x962","id":"AAQD"}"#);
    let text = refused.unwrap_err().to_string();
    assert!(
        text.starts_with("ECDSAParams.namedcurve: 2 bytes needed but 0 left at byte 3"),
        "{text}"
    );
    let padded = serde_json::from_str::<TokenBindingId>(r#"{"point":"x962","id":"AA=="}"#);
    assert!(
        padded
            .unwrap_err()
            .to_string()
            .starts_with("TokenBindingID: not base64url")
    );
}

#[test]
fn keeps_lowered_limits() {
    let session = session(TokenBindingAlpn::Http11P256);
    let key = P256Key::generate().unwrap();
    let profile = EncodingProfile::default();
    let built = sign_message(session.negotiated, &session.tls_unique, &key, None, profile).unwrap();
    let bindings = built.token_bindings();
    let binding = TokenBinding::new(
        bindings[0].id().clone(),
        bindings[0].signature().to_vec(),
        vec![Extension {
            extension_type: ExtensionType(1),
            extension_data: vec![0; 7],
        }],
    );
    let sent = TokenBindingMessage::try_new(vec![binding], profile)
        .unwrap()
        .to_vec()
        .unwrap();
    let decode = |limits| {
        let options = DecodeOptions { profile, limits };
        TokenBindingMessageRef::from_bytes(&sent, options)
            .map(|_| ())
            .map_err(|error| (error.kind(), error.field(), error.offset()))
    };
    let limits = Limits {
        message_bytes: sent.len(),
        token_bindings: 1,
        extension_bytes: 10,
    };
    assert_eq!(decode(limits), Ok(()));
    let (limit, actual) = (sent.len() - 1, sent.len());
    assert_eq!(
        decode(Limits {
            message_bytes: limit,
            ..limits
        }),
        Err((
            ErrorKind::MessageTooLong { limit, actual },
            "TokenBindingMessage",
            limit
        ))
    );
    let (limit, actual) = (9, 10);
    assert_eq!(
        decode(Limits {
            extension_bytes: 9,
            ..limits
        }),
        Err((
            ErrorKind::ExtensionsTooLong { limit, actual },
            "TokenBinding.extensions",
            sent.len() - 10
        ))
    );
    assert_eq!(
        decode(Limits {
            token_bindings: 0,
            ..limits
        }),
        Err((
            ErrorKind::TooManyTokenBindings { limit: 0 },
            "TokenBindingMessage.tokenbindings",
            2
        ))
    );
}

#[test]
fn registers_the_numbers_of_section_8() {
    let types: Vec<_> = registry::TOKEN_BINDING_TYPES
        .iter()
        .map(|line| (line.value.0, line.description, line.specification))
        .collect();
    let draft = "draft-popov-token-binding-00";
    assert_eq!(
        types,
        [
            (0, "provided_token_binding", draft),
            (1, "referred_token_binding", draft)
        ]
    );
    for line in registry::TOKEN_BINDING_TYPES {
        assert_eq!(line.value.name(), Some(line.description));
    }
    assert_eq!(registry::TOKEN_BINDING_EXTENSIONS, &[]);
    let sequences: Vec<_> = registry::ALPN_PROTOCOL_IDS
        .iter()
        .map(|line| hex::encode(line.value))
        .collect();
    // The identification sequences as section 8 prints them.
    assert_eq!(
        sequences,
        [
            "68325f74625f70323536",
            "68325f74625f72736132303438",
            "687474702f312e315f74625f70323536",
            "687474702f312e315f74625f72736132303438",
        ]
    );
    for (line, alpn) in registry::ALPN_PROTOCOL_IDS
        .iter()
        .zip(TokenBindingAlpn::ALL)
    {
        assert_eq!(TokenBindingAlpn::parse(line.value), Some(alpn));
        assert!(
            line.description
                .contains(match alpn.application_protocol() {
                    ApplicationProtocol::Http2 => "HTTP/2 ",
                    _ => "HTTP/1.1 ",
                })
        );
    }
}
