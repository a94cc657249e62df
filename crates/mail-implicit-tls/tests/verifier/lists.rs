//! Certificates that revocation lists judge, and the lists.

use std::sync::Arc;

use mail_implicit_tls::{
    account::HostSource,
    identity::Rules,
    verdict::Verdict,
    verifier::{Revocation, ServerVerifier, Trust},
};
use test_support::pki::{
    Authority, Certificate,
    rcgen::{
        CertificateRevocationList, CertificateRevocationListParams, CrlDistributionPoint,
        CrlIssuingDistributionPoint, KeyIdMethod, RevokedCertParams, SerialNumber, date_time_ymd,
    },
};

use crate::{
    accounts::{account, provider},
    certificates::{NOW, ROOT, at, issued, named},
};

pub(crate) fn crl(
    issuer: &Authority,
    revoked: &[u64],
    until: i32,
    point: Option<&str>,
) -> CertificateRevocationList {
    let revoked = revoked.iter().map(|serial| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: date_time_ymd(2026, 1, 2),
        reason_code: None,
        invalidity_date: None,
    });
    let point = point.map(|uri| CrlIssuingDistributionPoint {
        distribution_point: CrlDistributionPoint {
            uris: vec![uri.to_owned()],
        },
        scope: None,
    });
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(until, 2, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: point,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap()
}

pub(crate) fn serial(serial: u64, point: Option<&str>) -> Certificate {
    let points = point.map(|uri| CrlDistributionPoint {
        uris: vec![uri.to_owned()],
    });
    let certificate = named(&["imap.example.org"]).serial(serial);
    certificate.change(|params| params.crl_distribution_points = points.into_iter().collect())
}

pub(crate) fn with_revocation(
    lists: &[CertificateRevocationList],
    policy: Revocation,
    certificate: &Certificate,
) -> Verdict {
    let trust = Trust::in_certificates([ROOT.certificate()]).unwrap();
    let lists = lists.iter().map(|list| list.der().clone());
    let trust = Arc::new(trust.with_revocation(lists, policy).unwrap());
    let account = account(Rules::Rfc7817, HostSource::User);
    let verifier = ServerVerifier::new(&account, &account.servers()[0], trust, &provider());
    verifier.judge(&issued(certificate, &ROOT), &[], at(NOW))
}
