//! The invariants that hold for any octets: messages, identifiers, and the decisions of section 5.

use std::sync::LazyLock;

use conformance::oracle::Broken;
use tokenbind_wire::{
    DecodeOptions, EncodingProfile, KeyParameters, Negotiated, Outcome, PkiTypes, PointEncoding,
    Position, ProtocolVersion, Referred, RustCrypto, Session, TlsFacts, TlsUnique,
    TokenBindingAlpn, TokenBindingId, TokenBindingIdRef, TokenBindingMessage,
    TokenBindingMessageRef, TokenBindingType, establish,
};

/// Checks that a message that decodes encodes to the same bytes, and that neither one byte less nor one byte more
/// decodes. An error points into the input, or to its end.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn message(bytes: &[u8], profile: EncodingProfile) -> Result<(), Broken> {
    let decoded = match TokenBindingMessageRef::from_bytes(bytes, profile) {
        Ok(decoded) => decoded,
        Err(error) if error.offset() <= bytes.len() => return Ok(()),
        Err(error) => return Err(format!("{error}: offset outside {} bytes", bytes.len())),
    };
    let owned =
        TokenBindingMessage::from_bytes(bytes, profile).map_err(|error| error.to_string())?;
    if owned != decoded.clone().into_owned() {
        return Err("owned and borrowed form differ".into());
    }
    let encoded = owned.to_vec().map_err(|error| error.to_string())?;
    if encoded != bytes {
        return Err(format!("encodes to {} other bytes", encoded.len()));
    }
    for binding in decoded.token_bindings() {
        id(binding.id().as_bytes(), profile.point)?;
    }
    let more = [bytes, &[0]].concat();
    let less = bytes.split_last().map(|(_, less)| less).unwrap_or_default();
    for (name, other) in [("more", more.as_slice()), ("less", less)] {
        if TokenBindingMessageRef::from_bytes(other, profile).is_ok() {
            return Err(format!("one byte {name} decodes too"));
        }
    }
    Ok(())
}

/// An identifier that decodes is the bytes it was decoded from, its key is where it should be, and
/// neither one byte less nor one byte more decodes.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn id(bytes: &[u8], point: PointEncoding) -> Result<(), Broken> {
    let decoded = match TokenBindingIdRef::from_bytes(bytes, point) {
        Ok(decoded) => decoded,
        Err(error) if error.offset() <= bytes.len() => return Ok(()),
        Err(error) => return Err(format!("{error}: offset outside {} bytes", bytes.len())),
    };
    let owned = TokenBindingId::from_bytes(bytes, point).map_err(|error| error.to_string())?;
    if owned.as_bytes() != bytes || decoded.as_bytes() != bytes || owned.view() != decoded {
        return Err("the identifier is not the bytes".into());
    }
    let (head, key) = bytes.split_at(3);
    let expected_head = [
        decoded.tokenbinding_type().0,
        decoded.algorithm().hash.0,
        decoded.algorithm().signature.0,
    ];
    if head != expected_head || encoded_key(decoded)? != key {
        return Err("the parts are not the whole".into());
    }
    if decoded.with_other_type(point)?.key_id() != decoded.key_id() {
        return Err("the key id depends on the type".into());
    }
    let more = [bytes, &[0]].concat();
    let less = bytes.split_last().map(|(_, less)| less).unwrap_or_default();
    for (name, other) in [("more", more.as_slice()), ("less", less)] {
        if TokenBindingIdRef::from_bytes(other, point).is_ok() {
            return Err(format!("one byte {name} decodes too"));
        }
    }
    Ok(())
}

trait OtherType {
    fn with_other_type(self, point: PointEncoding) -> Result<TokenBindingId, Broken>;
}

impl OtherType for TokenBindingIdRef<'_> {
    fn with_other_type(self, point: PointEncoding) -> Result<TokenBindingId, Broken> {
        let other = self
            .into_owned()
            .with_type(TokenBindingType(!self.tokenbinding_type().0));
        TokenBindingId::from_bytes(other.as_bytes(), point).map_err(|error| error.to_string())
    }
}

fn encoded_key(id: TokenBindingIdRef<'_>) -> Result<Vec<u8>, Broken> {
    use tokenbind_wire::PublicKeyRef;
    Ok(match id.key() {
        PublicKeyRef::Rsa(key) => [
            &[1, 0],
            key.modulus(),
            &[u8::try_from(key.publicexponent().len()).map_err(|error| error.to_string())?],
            key.publicexponent(),
        ]
        .concat(),
        PublicKeyRef::Ecdsa(key) => [
            &key.namedcurve().0.to_be_bytes()[..],
            &[u8::try_from(key.point().len()).map_err(|error| error.to_string())?],
            key.point(),
        ]
        .concat(),
        _ => return Err("a key of a new kind".into()),
    })
}

/// ring through `rustls-webpki`: the second, independent backend.
static RING: LazyLock<PkiTypes> = LazyLock::new(|| {
    PkiTypes::new(&[
        webpki::ring::ECDSA_P256_SHA256,
        webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    ])
});

/// Both backends decide alike on a message.
///
/// # Errors
/// Both decisions.
pub fn backends_agree(
    session: Option<&Session>,
    position: Position,
    sent: Option<&[u8]>,
    options: DecodeOptions,
) -> Result<(), Broken> {
    let first = establish(session, position, sent, &RustCrypto, options);
    let second = establish(session, position, sent, &*RING, options);
    if first == second {
        Ok(())
    } else {
        Err(format!("the backends differ: {first:?} and {second:?}"))
    }
}

/// Section 5 on any bytes: the first byte chooses what was negotiated, the position and the
/// profile, the rest is the message. Both backends decide alike; what is established was
/// negotiated; a message that does not decode terminates.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn section_5(data: &[u8]) -> Result<(), Broken> {
    let Some((&choice, sent)) = data.split_first() else {
        return Ok(());
    };
    let facts = TlsFacts {
        version: ProtocolVersion::TLS1_2,
        extended_master_secret: true,
    };
    let alpn = TokenBindingAlpn::ALL[usize::from(choice & 3)];
    let profile = EncodingProfile::ALL[usize::from(choice >> 2 & 3)];
    let position = if choice & 16 == 0 {
        Position::First
    } else {
        Position::Later
    };
    let negotiated = Negotiated::try_new(alpn, facts).map_err(|error| error.to_string())?;
    let unique: Vec<u8> = (0..12).collect();
    let tls_unique = TlsUnique::from_engine(&unique, facts).map_err(|error| error.to_string())?;
    let session = (choice & 32 == 0).then_some(Session {
        negotiated,
        tls_unique,
    });

    message(sent, profile)?;
    let options = DecodeOptions::from(profile);
    backends_agree(session.as_ref(), position, Some(sent), options)?;
    let outcome = establish(session.as_ref(), position, Some(sent), &RustCrypto, options);
    match outcome {
        Outcome::NotInUse | Outcome::Unchanged => Err("a message was not noticed".into()),
        Outcome::Terminate(_) => Ok(()),
        Outcome::Established(_) if session.is_none() => Err("established, not negotiated".into()),
        Outcome::Established(established) => {
            let id = established.provided().id();
            if id.key_parameters() != Some(negotiated.key_parameters()) {
                return Err("established under other parameters than negotiated".into());
            }
            if id.tokenbinding_type() != TokenBindingType::PROVIDED {
                return Err("established a binding that is not provided".into());
            }
            match established.referred() {
                Referred::Verified(referred) if referred.id().same_key(id) => {
                    Err("one key for both bindings".into())
                }
                Referred::Verified(referred)
                    if !matches!(
                        referred.id().key_parameters(),
                        Some(KeyParameters::P256 | KeyParameters::Rsa2048)
                    ) =>
                {
                    Err("verified a binding of unknown parameters".into())
                }
                _ => Ok(()),
            }
        }
    }
}
