//! Sessions with every combination of verdicts.

use super::*;

pub(crate) fn fields(name: &str) -> CertificateFields {
    CertificateFields {
        subject: Some(DistinguishedName::parse(format!("CN={name}")).unwrap()),
        alt_names: Some(AltNames::parse(format!("DNS:{name}")).unwrap()),
        issuer: Some(DistinguishedName::parse(format!("CN=CA of {name}")).unwrap()),
        sha256: Some([1; 32]),
        public_key_sha256: Some([2; 32]),
        public_key_bits: Some(2048),
    }
}

pub(crate) fn over_tls(client: ClientCertificate) -> Session {
    Session::Tls(TlsSession {
        version: Some(ProtocolVersion::Tls1_3),
        cipher_suite: CipherSuite::from_description("TLS_AES_128_GCM_SHA256"),
        key_bits: Some(128),
        client,
        server: Some(Box::new(fields("mx.example.net"))),
    })
}

/// Verdicts on a certificate, and what DANE and local policies outweigh.
pub(crate) type Facts = (
    ChainVerdict,
    HostVerdict,
    DaneVerdict,
    LocalVerdict,
    Outweigh,
);

pub(crate) fn each(mut check: impl FnMut(Facts, &TlsReport)) {
    let mut seen = 0;
    for chain in ChainVerdict::ALL {
        for host in HostVerdict::ALL {
            for dane in DaneVerdict::ALL {
                for local in LocalVerdict::ALL {
                    for outweigh in Outweigh::ALL {
                        let facts = (chain, host, dane, local, outweigh);
                        check(facts, &report(facts));
                        seen += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen, 13 * 3 * 4 * 3 * 3);
}

pub(crate) fn report((chain, host, dane, local, outweigh): Facts) -> TlsReport {
    let presented = PresentedCertificate {
        fields: fields("smtp.example.com"),
        chain,
        host,
        dane,
        local,
    };
    let policy = Policy {
        outweigh,
        ..Policy::default()
    };
    policy.evaluate(&over_tls(presented.into()))
}

pub(crate) fn value(report: &TlsReport, property: TlsProperty) -> Option<&str> {
    let mut properties = report.properties.iter();
    properties
        .find(|(it, _)| *it == property)
        .map(|(_, value)| value.as_str())
}
