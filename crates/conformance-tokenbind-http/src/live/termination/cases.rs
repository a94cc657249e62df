//! The cases: the requests of one connection, of which the last is refused.

use conformance::outcome::Checked;
use tokenbind_http::{header::HeaderErrorKind, server};
use tokenbind_wire::{ErrorKind, KeyParameters, P256Key, Sign, TerminateKind};

use crate::live::forge::{
    ALGORITHM_AT, CURVE_AT, ECDSA_SHA256, EXPONENT_AT, Forge, MODULUS_AT, P256_SIGNATURE_AT,
    POINT_AT, PROVIDED, REFERRED, RSA_SIGNATURE_AT, binding, header, key_id, message, p256, rsa,
};

const HEADER: &str = "Token-Binding";
const MESSAGE: &str = "TokenBindingMessage";
const TOKENBINDINGS: &str = "TokenBindingMessage.tokenbindings";
const ID: &str = "TokenBindingID";
const TYPE: &str = "TokenBindingID.tokenbinding_type";
const ALGORITHM: &str = "TokenBindingID.algorithm";
const CURVE: &str = "ECDSAParams.namedcurve";
const POINT: &str = "ECDSAParams.point";
const MODULUS: &str = "RSAPublicKey.modulus";
const EXPONENT: &str = "RSAPublicKey.publicexponent";
const SIGNATURE: &str = "TokenBinding.signature";
const EXTENSIONS: &str = "TokenBinding.extensions";
const EXTENSION_DATA: &str = "Extension.extension_data";

/// The longest message of the site that has small limits.
pub(super) const MESSAGE_BYTES: usize = 200;
/// The longest extensions of that site.
pub(super) const EXTENSION_BYTES: usize = 8;

/// The site that a case is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// One as any other.
    Site,
    /// One that does not offer Token Binding.
    Plain,
    /// One whose verifier cannot do what is negotiated.
    Blind,
    /// One with small limits.
    Limited,
}

/// A case: the requests of one connection, of which the last is refused.
pub(super) struct Case {
    pub(super) at: At,
    /// The values of the `Token-Binding` headers of each.
    pub(super) requests: Vec<Vec<Vec<u8>>>,
    pub(super) kind: server::TerminateKind,
    pub(super) field: &'static str,
    pub(super) offset: usize,
}

/// One connection's client.
pub(super) struct Client {
    pub(super) key: P256Key,
    pub(super) other: P256Key,
    pub(super) forge: Option<Forge>,
}

impl Client {
    fn binding(&self, tokenbinding_type: u8, key: &dyn Sign) -> Checked<Vec<u8>> {
        match &self.forge {
            Some(forge) => forge.binding(tokenbinding_type, key),
            // Not negotiated: any will do.
            None => Ok(binding(tokenbinding_type, &key_id(key)?, &der(), &[])),
        }
    }

    fn provided(&self) -> Checked<Vec<u8>> {
        self.binding(PROVIDED, &self.key)
    }

    fn good(&self) -> Checked<Vec<u8>> {
        Ok(header(&message(&[self.provided()?])))
    }
}

/// A signature in good form: r and s are 1.
fn der() -> Vec<u8> {
    vec![0x30, 6, 2, 1, 1, 2, 1, 1]
}

/// Cases about the header's value alone.
const VALUES: &[(&[u8], HeaderErrorKind, usize)] = &[
    (b"", HeaderErrorKind::Empty, 0),
    (b"AAH-,AAH-", HeaderErrorKind::List, 4),
    (b"AAH- AAH-", HeaderErrorKind::Whitespace, 4),
    (b"AA\tA", HeaderErrorKind::Whitespace, 2),
    (b"AAH+", HeaderErrorKind::StandardAlphabet, 3),
    (b"AA/A", HeaderErrorKind::StandardAlphabet, 2),
    (b"AA.A", HeaderErrorKind::Alphabet, 2),
    (b"A\xff\xff\xff", HeaderErrorKind::Alphabet, 1),
    (b"AA==", HeaderErrorKind::Padding, 2),
    (b"AAAAA", HeaderErrorKind::Length, 5),
    (b"AB", HeaderErrorKind::TrailingBits, 1),
];

/// All cases, for one connection.
pub(super) fn cases(client: &Client) -> Checked<Vec<Case>> {
    let mut cases = Vec::new();
    let mut case = |at, requests: Vec<Vec<Vec<u8>>>, kind, field, offset| {
        cases.push(Case {
            at,
            requests,
            kind,
            field,
            offset,
        });
    };
    let good = client.good()?;

    // The header.
    for (value, kind, offset) in VALUES {
        let kind = server::TerminateKind::Header(*kind);
        case(At::Site, vec![vec![value.to_vec()]], kind, HEADER, *offset);
    }
    let too_long = server::TerminateKind::Header(HeaderErrorKind::TooLong { actual: 87_385 });
    case(
        At::Site,
        vec![vec![vec![b'A'; 87_385]]],
        too_long,
        HEADER,
        87_384,
    );
    let duplicate = server::TerminateKind::Header(HeaderErrorKind::Duplicate);
    let twice = vec![good.clone(), good.clone()];
    case(At::Site, vec![twice.clone()], duplicate, HEADER, 0);
    case(
        At::Site,
        vec![vec![good.clone()], twice],
        duplicate,
        HEADER,
        0,
    );

    // A header too few, or too many.
    let later = server::TerminateKind::MissingInLaterRequest;
    case(At::Site, vec![vec![good.clone()], vec![]], later, HEADER, 0);
    let missing = server::TerminateKind::Message(TerminateKind::MissingMessage);
    case(At::Site, vec![vec![]], missing, MESSAGE, 0);
    let not_negotiated = server::TerminateKind::Message(TerminateKind::NotNegotiated);
    case(
        At::Plain,
        vec![vec![good.clone()]],
        not_negotiated,
        MESSAGE,
        0,
    );
    case(
        At::Plain,
        vec![vec![], vec![b"?".to_vec()]],
        not_negotiated,
        MESSAGE,
        0,
    );

    // Another key, a key that the verifier does not support, signatures of others.
    let changed = header(&message(&[client.binding(PROVIDED, &client.other)?]));
    let kind = server::TerminateKind::ProvidedKeyChanged;
    case(
        At::Site,
        vec![vec![good.clone()], vec![changed]],
        kind,
        HEADER,
        0,
    );
    let negotiated = KeyParameters::P256;
    let kind = server::TerminateKind::Message(TerminateKind::VerifierUnsupported { negotiated });
    case(
        At::Blind,
        vec![vec![good.clone()]],
        kind,
        ALGORITHM,
        ALGORITHM_AT,
    );

    let mut of_message = |octets: &[u8], kind, field, offset| {
        let kind = server::TerminateKind::Message(kind);
        case(At::Site, vec![vec![header(octets)]], kind, field, offset);
    };
    let key = key_id(&client.key)?;
    let provided = client.provided()?;
    let referred = client.binding(REFERRED, &client.other)?;
    let one = message(&[&provided]);
    let unsigned = binding(PROVIDED, &key, &der(), &[]);
    let kind = TerminateKind::SignatureInvalid;
    of_message(&message(&[&unsigned]), kind, SIGNATURE, P256_SIGNATURE_AT);
    let unsigned_referred = binding(REFERRED, &key_id(&client.other)?, &der(), &[]);
    let offset = one.len() + P256_SIGNATURE_AT - 2;
    of_message(
        &message(&[&provided, &unsigned_referred]),
        kind,
        SIGNATURE,
        offset,
    );

    // Other parameters than negotiated.
    let kind = TerminateKind::KeyParametersMismatch { negotiated };
    let modulus = [0xc1; 256];
    let rsa_key = rsa(&modulus, &[1, 0, 1]);
    let of_rsa = message(&[binding(PROVIDED, &rsa_key, &[1; 256], &[])]);
    of_message(&of_rsa, kind, ALGORITHM, ALGORITHM_AT);
    let other_hash = [&[6, 3], &key[2..]].concat();
    of_message(
        &message(&[binding(PROVIDED, &other_hash, &der(), &[])]),
        kind,
        ALGORITHM,
        ALGORITHM_AT,
    );
    let other_curve = [&ECDSA_SHA256, &[0, 24], &key[4..]].concat();
    of_message(
        &message(&[binding(PROVIDED, &other_curve, &der(), &[])]),
        kind,
        CURVE,
        CURVE_AT,
    );
    of_message(
        &message(&[vec![PROVIDED, 4, 9, 0]]),
        kind,
        ALGORITHM,
        ALGORITHM_AT,
    );
    let kind = TerminateKind::MissingProvided;
    of_message(&message(&[&referred]), kind, TOKENBINDINGS, 2);
    of_message(&message(&[vec![REFERRED, 4, 9, 0]]), kind, TOKENBINDINGS, 2);

    // Messages that are not messages.
    let mut malformed = |octets: &[u8], kind, field, offset| {
        of_message(octets, TerminateKind::Malformed(kind), field, offset);
    };
    let length = one.len();
    let cut = &one[..length - 1];
    let (needed, left) = (length - 2, length - 3);
    malformed(cut, ErrorKind::Truncated { needed, left }, TOKENBINDINGS, 2);
    let more = [&one[..], &[0]].concat();
    malformed(&more, ErrorKind::TrailingBytes { left: 1 }, MESSAGE, length);
    malformed(&[0, 0], ErrorKind::NoTokenBinding, TOKENBINDINGS, 2);
    let many: Vec<_> = std::iter::repeat_with(|| binding(7, &key, &der(), &[]))
        .take(17)
        .collect();
    let offset = message(&many[..16]).len();
    let kind = ErrorKind::TooManyTokenBindings { limit: 16 };
    malformed(&message(&many), kind, TOKENBINDINGS, offset);
    let kind = ErrorKind::DuplicateTokenBindingType {
        tokenbinding_type: 0,
    };
    malformed(&message(&[&provided, &unsigned]), kind, TYPE, length);
    let same_key = client.binding(REFERRED, &client.key)?;
    malformed(
        &message(&[&provided, &same_key]),
        ErrorKind::SameKey,
        ID,
        length,
    );
    let extension = binding(PROVIDED, &key, &der(), &[1, 0, 2, 0]);
    let kind = ErrorKind::Truncated { needed: 2, left: 1 };
    let offset = P256_SIGNATURE_AT + der().len() + 2 + 3;
    malformed(&message(&[extension]), kind, EXTENSION_DATA, offset);

    // Points and signatures that are none.
    let mut of_key = |key: &[u8], signature: &[u8], kind, field, offset| {
        malformed(
            &message(&[binding(PROVIDED, key, signature, &[])]),
            kind,
            field,
            offset,
        );
    };
    let point = &key[5..];
    let (expected, actual) = (65, 64);
    let kind = ErrorKind::PointLength { expected, actual };
    of_key(&p256(&point[1..]), &der(), kind, POINT, POINT_AT);
    let compressed = [&[2], &point[1..]].concat();
    let kind = ErrorKind::PointFormat { actual: 2 };
    of_key(&p256(&compressed), &der(), kind, POINT, POINT_AT);
    let mut off = point.to_vec();
    off[64] ^= 1;
    of_key(
        &p256(&off),
        &der(),
        ErrorKind::PointNotOnCurve,
        POINT,
        POINT_AT,
    );
    of_key(&p256(&[]), &der(), ErrorKind::Empty, POINT, POINT_AT);
    of_key(
        &key,
        &[0; 64],
        ErrorKind::SignatureDer,
        SIGNATURE,
        P256_SIGNATURE_AT,
    );
    let kind = ErrorKind::SignatureDer;
    of_key(
        &key,
        &[&der()[..], &[0]].concat(),
        kind,
        SIGNATURE,
        P256_SIGNATURE_AT,
    );
    of_key(
        &rsa(&[], &[3]),
        &[1; 256],
        ErrorKind::Empty,
        MODULUS,
        MODULUS_AT,
    );
    let leading = [&[0], &modulus[..]].concat();
    of_key(
        &rsa(&leading, &[3]),
        &[1; 256],
        ErrorKind::LeadingZero,
        MODULUS,
        MODULUS_AT,
    );
    let kind = ErrorKind::ModulusSize { bits: 2040 };
    of_key(
        &rsa(&modulus[1..], &[3]),
        &[1; 256],
        kind,
        MODULUS,
        MODULUS_AT,
    );
    let mut even = modulus;
    even[255] ^= 1;
    of_key(
        &rsa(&even, &[3]),
        &[1; 256],
        ErrorKind::Even,
        MODULUS,
        MODULUS_AT,
    );
    for (exponent, kind) in [
        (&[][..], ErrorKind::Empty),
        (&[0, 3], ErrorKind::LeadingZero),
        (&[1], ErrorKind::ExponentTooSmall),
        (&[1, 0], ErrorKind::Even),
    ] {
        of_key(
            &rsa(&modulus, exponent),
            &[1; 256],
            kind,
            EXPONENT,
            EXPONENT_AT,
        );
    }
    let (expected, actual) = (256, 255);
    let kind = ErrorKind::SignatureLength { expected, actual };
    of_key(&rsa_key, &[1; 255], kind, SIGNATURE, RSA_SIGNATURE_AT);

    // Limits that are an option.
    let both = message(&[&provided, &referred]);
    let (limit, actual) = (MESSAGE_BYTES, both.len());
    let kind = TerminateKind::Malformed(ErrorKind::MessageTooLong { limit, actual });
    let kind = server::TerminateKind::Message(kind);
    case(At::Limited, vec![vec![header(&both)]], kind, MESSAGE, limit);
    let extensions = [1, 0, 6, 1, 2, 3, 4, 5, 6];
    let long = message(&[binding(PROVIDED, &key, &der(), &extensions)]);
    let (limit, actual) = (EXTENSION_BYTES, extensions.len());
    let kind = TerminateKind::Malformed(ErrorKind::ExtensionsTooLong { limit, actual });
    let kind = server::TerminateKind::Message(kind);
    let offset = P256_SIGNATURE_AT + der().len() + 2;
    case(
        At::Limited,
        vec![vec![header(&long)]],
        kind,
        EXTENSIONS,
        offset,
    );
    Ok(cases)
}
