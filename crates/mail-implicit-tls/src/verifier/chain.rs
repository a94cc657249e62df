//! The chain, by webpki, and the names under the constraints of its path.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, TrustAnchor};
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, RevocationCheckDepth,
    RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
    anchor_from_trusted_cert,
};
use x509_parser::{certificate::X509CertificateParser, nom::Parser};

use super::{PkixPath, Revocation, RevocationDepth, ServerCertificates};
use crate::{
    identity::{
        Disregarded, NameConstraints, ReferenceIdentity, add_constraints, add_constraints_of, judge,
    },
    verdict::{ChainProblem, ChainVerdict, IdentityVerdict, Mismatch},
};

/// The greatest number of certificates besides the server's own.
const MAX_INTERMEDIATES: usize = 100;

/// The greatest size of all certificates together, in octets. A TLS handshake message of rustls has at most 64 kB.
const MAX_CHAIN_BYTES: usize = 262_144;

/// Refuses paths.
type PathFilter<'a> = dyn Fn(&VerifiedPath<'_>) -> Result<(), Error> + 'a;

/// The result of [`verify`].
pub(super) struct Verified {
    pub(super) chain: ChainVerdict,
    pub(super) identity: IdentityVerdict,
    /// The path, if it was asked for and there is one.
    pub(super) path: Option<PkixPath>,
}

/// Verifies the chain under these trust anchors, and the names under the path that was found.
pub(super) fn verify(
    server: &ServerCertificates<'_>,
    anchors: &[TrustAnchor<'_>],
    expected: &[ReferenceIdentity],
    wants_path: bool,
) -> Verified {
    let refused = |problems| Verified {
        chain: ChainVerdict::Refused(problems),
        identity: identity_without_path(server, expected),
        path: None,
    };
    let sizes = server.intermediates.iter().map(|it| it.len());
    let size = sizes.fold(server.end_entity.len(), usize::saturating_add);
    if server.intermediates.len() > MAX_INTERMEDIATES || size > MAX_CHAIN_BYTES {
        return refused(vec![ChainProblem::TooLarge]);
    }
    let end_entity = match EndEntityCert::try_from(server.end_entity) {
        Ok(end_entity) => end_entity,
        Err(error) => return refused(problems(server, &error)),
    };
    let trust = &server.verifier.trust;
    let crls: Vec<_> = trust.crls().iter().collect();
    let build = |filter: Option<&PathFilter<'_>>| {
        end_entity.verify_for_usage(
            server.verifier.algorithms.all,
            anchors,
            server.intermediates,
            server.now,
            KeyUsage::server_auth(),
            revocation(&crls, trust.revocation()),
            filter,
        )
    };
    let verified = |path: &VerifiedPath<'_>, identity| Verified {
        chain: ChainVerdict::Trusted,
        identity,
        path: wants_path.then(|| pkix_path(server, path)),
    };
    let path = match build(None) {
        Ok(path) => path,
        Err(error) => return refused(problems(server, &error)),
    };
    let under = |path: &VerifiedPath<'_>| identity(server, expected, &constraints(path));
    let identity = under(&path);
    if is_constrained(&identity) {
        // Another path may permit the name.
        let permits = |path: &VerifiedPath<'_>| match under(path) {
            IdentityVerdict::Matches { .. } => Ok(()),
            IdentityVerdict::Differs(_) | IdentityVerdict::NotChecked => {
                Err(Error::NameConstraintViolation)
            }
        };
        if let Ok(path) = build(Some(&permits)) {
            return verified(&path, under(&path));
        }
    }
    verified(&path, identity)
}

/// Judges the names without the constraints of a path: where there is no path, or a certificate counts by itself.
pub(super) fn identity_without_path(
    server: &ServerCertificates<'_>,
    expected: &[ReferenceIdentity],
) -> IdentityVerdict {
    identity(server, expected, &NameConstraints::none())
}

fn identity(
    server: &ServerCertificates<'_>,
    expected: &[ReferenceIdentity],
    constraints: &NameConstraints,
) -> IdentityVerdict {
    match &server.names {
        Some(names) => judge(server.verifier.options, expected, names, constraints),
        None => IdentityVerdict::Differs(Box::new(Mismatch::unreadable(expected))),
    }
}

/// Returns `true` if a name matched but for the constraints of the path.
fn is_constrained(identity: &IdentityVerdict) -> bool {
    let IdentityVerdict::Differs(mismatch) = identity else {
        return false;
    };
    let mut reasons = mismatch.disregarded.iter().map(|(_, reason)| reason);
    reasons.any(|reason| *reason == Disregarded::NameConstraints)
}

fn constraints(path: &VerifiedPath<'_>) -> NameConstraints {
    let mut constraints = NameConstraints::none();
    for certificate in path.intermediate_certificates() {
        add_constraints_of(&mut constraints, &certificate.der());
    }
    if let Some(subtrees) = &path.anchor().name_constraints {
        add_constraints(&mut constraints, subtrees);
    }
    constraints
}

fn pkix_path(server: &ServerCertificates<'_>, path: &VerifiedPath<'_>) -> PkixPath {
    let anchor = path.anchor();
    let is_anchor = |certificate: &&CertificateDer<'_>| {
        anchor_from_trusted_cert(certificate).is_ok_and(|it| it == *anchor)
    };
    let certificates = server.verifier.trust.certificates();
    PkixPath {
        intermediates: path
            .intermediate_certificates()
            .map(|certificate| certificate.der().into_owned())
            .collect(),
        anchor: anchor.to_owned(),
        anchor_certificates: certificates.iter().filter(is_anchor).cloned().collect(),
    }
}

fn revocation<'a>(
    crls: &'a [&'a CertRevocationList<'a>],
    policy: Revocation,
) -> Option<RevocationOptions<'a>> {
    let depth = match policy.depth {
        RevocationDepth::Chain => RevocationCheckDepth::Chain,
        RevocationDepth::EndEntity => RevocationCheckDepth::EndEntity,
    };
    let unknown = if policy.allow_unknown {
        UnknownStatusPolicy::Allow
    } else {
        UnknownStatusPolicy::Deny
    };
    let expired = if policy.allow_expired {
        ExpirationPolicy::Ignore
    } else {
        ExpirationPolicy::Enforce
    };
    let builder = RevocationOptionsBuilder::new(crls).ok()?;
    let builder = builder.with_depth(depth).with_status_policy(unknown);
    Some(builder.with_expiration_policy(expired).build())
}

/// Returns the reason why the engine cannot verify signatures with the key of a certificate.
pub(super) fn unusable(certificate: &CertificateDer<'_>) -> Option<ChainProblem> {
    let error = EndEntityCert::try_from(certificate).err()?;
    Some(problem(&error))
}

/// Returns the problem that webpki reports, and those beside it: webpki stops at one.
fn problems(server: &ServerCertificates<'_>, error: &Error) -> Vec<ChainProblem> {
    let mut problems = vec![problem(error)];
    let mut add = |problem| {
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    };
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    let Ok((_, certificate)) = parser.parse(server.end_entity) else {
        return problems;
    };
    let seconds = |time: i64| Duration::from_secs(time.try_into().unwrap_or_default());
    let not_after = seconds(certificate.validity().not_after.timestamp());
    let not_before = seconds(certificate.validity().not_before.timestamp());
    let now = Duration::from_secs(server.now.as_secs());
    let dated = matches!(
        error,
        Error::CertExpired { .. } | Error::CertNotValidYet { .. }
    );
    // The error may be about the date of another certificate of the path.
    if now > not_after {
        add(ChainProblem::Expired { not_after });
    } else if now < not_before {
        add(ChainProblem::NotYetValid { not_before });
    } else if dated {
        add(ChainProblem::IssuerDates);
    }
    let self_issued = certificate.subject().as_raw() == certificate.issuer().as_raw();
    if self_issued && matches!(error, Error::UnknownIssuer | Error::CaUsedAsEndEntity) {
        add(ChainProblem::SelfSigned);
    } else if matches!(error, Error::UnknownIssuer) && server.intermediates.is_empty() {
        add(ChainProblem::IntermediateMissing);
    }
    if dated {
        problems.retain(|problem| *problem != ChainProblem::Other);
    }
    problems
}

/// Returns the problem of an error. Dates are those of the server's certificate, which [`problems`] adds.
const fn problem(error: &Error) -> ChainProblem {
    match error {
        Error::UnknownIssuer => ChainProblem::UnknownIssuer,
        Error::CertRevoked => ChainProblem::Revoked,
        Error::UnknownRevocationStatus => ChainProblem::RevocationUnknown,
        Error::CrlExpired { .. } => ChainProblem::RevocationListExpired,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => ChainProblem::Purpose,
        Error::CaUsedAsEndEntity => ChainProblem::IsAuthority,
        Error::NameConstraintViolation
        | Error::MalformedNameConstraint
        | Error::InvalidNetworkMaskConstraint => ChainProblem::NameConstraints,
        Error::InvalidSignatureForPublicKey
        | Error::SignatureAlgorithmMismatch
        | Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => ChainProblem::Signature,
        Error::UnsupportedCertVersion => ChainProblem::Version,
        Error::BadDer
        | Error::BadDerTime
        | Error::TrailingData(_)
        | Error::ExtensionValueInvalid
        | Error::MalformedExtensions
        | Error::InvalidCertValidity
        | Error::InvalidSerialNumber => ChainProblem::Malformed,
        Error::MaximumNameConstraintComparisonsExceeded
        | Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded => ChainProblem::TooLarge,
        _ => ChainProblem::Other,
    }
}
