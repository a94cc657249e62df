//! Memory of parsing: no allocation, or few.

#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use allocation_counter::measure;
use authres_tls::{AuthenticationResults, Options, TlsResInfo, syntax::authserv_id};

const VALUE: &[u8] = b"mx.example.net 1 (a);\r\n\ttls=pass (verified) reason=\"ok\"\r\n\t\
    cert.client=\"CN=smtp.example.com,O=ACME\" cert.verif=CA tls.v=TLS1.3\r\n\t\
    key.ciphersuite=TLS_AES_128_GCM_SHA256 key.length=128 key.strength=high;\r\n\t\
    spf=pass smtp.mailfrom=a@example.com; dkim=pass header.d=example.com header.s=s";

/// One for each of the tree's lists: results, properties, comments.
const LISTS: u64 = 3;

#[test]
fn reads_id_without_allocation() {
    let counted = measure(|| {
        let id = authserv_id(VALUE).unwrap();
        assert!(id.eq_ignore_case("MX.example.net"));
    });
    assert_eq!(counted.count_total, 0);
}

#[test]
fn reads_value_with_one_allocation_per_list() {
    for options in [Options::strict(), Options::lenient()] {
        let counted = measure(|| {
            let header = AuthenticationResults::parse(VALUE, &options).unwrap();
            assert_eq!(header.results().len(), 3);
        });
        assert_eq!(counted.count_total, LISTS);
    }
}

#[test]
fn decodes_plain_values_without_allocation() {
    let header = AuthenticationResults::parse(VALUE, &Options::strict()).unwrap();
    let counted = measure(|| {
        for result in header.results() {
            for property in result.properties() {
                assert!(!property.value().unfolded().is_empty());
                assert!(!property.value().collapsed().is_empty());
            }
        }
        let tls = TlsResInfo::all(&header).next().unwrap().unwrap();
        let name = tls.cert_client().unwrap().unwrap();
        assert_eq!(
            name.values("CN").next().as_deref(),
            Some("smtp.example.com")
        );
        assert_eq!(tls.key_length().unwrap(), Some(128));
        assert_eq!(tls.diagnostics().count(), 0);
    });
    assert_eq!(counted.count_total, 0);
}
