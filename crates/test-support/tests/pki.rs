//! The certificates, as rustls judges them.

use std::sync::Arc;

use rustls::{
    CertificateError, ClientConnection, Error, HandshakeKind, ServerConnection, crypto::ring,
    pki_types::ServerName, server::WebPkiClientVerifier, version::TLS13,
};
use test_support::pki::{Authority, Certificate, Identity, copy};

const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&TLS13];

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Connects in memory; the client's error, if it has one.
fn connect(authority: &Authority, server: &Identity, name: &'static str) -> Result<(), Error> {
    let client = authority.client_config(provider(), VERSIONS);
    let server = server.server_config(provider(), VERSIONS);
    handshake(client, server, name)
}

fn handshake(
    client: rustls::ClientConfig,
    server: rustls::ServerConfig,
    name: &'static str,
) -> Result<(), Error> {
    let name = ServerName::try_from(name).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut sent = Vec::new();
        client.write_tls(&mut sent).unwrap();
        server.read_tls(&mut &sent[..]).unwrap();
        server.process_new_packets()?;
        let mut sent = Vec::new();
        server.write_tls(&mut sent).unwrap();
        client.read_tls(&mut &sent[..]).unwrap();
        client.process_new_packets()?;
    }
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
    Ok(())
}

#[test]
fn issues_certificates_that_rustls_accepts() {
    let authority = Authority::new("Trusted CA");
    let good = Certificate::server(&["imap.example.org", "127.0.0.1"]).issue(&authority);
    assert_eq!(connect(&authority, &good, "imap.example.org"), Ok(()));
    assert_eq!(connect(&authority, &good, "127.0.0.1"), Ok(()));
    let wildcard = Certificate::server(&["*.example.org"]).issue(&authority);
    assert_eq!(connect(&authority, &wildcard, "imap.example.org"), Ok(()));
    let own = Certificate::server(&["localhost"]).self_signed();
    let (client, server) = (
        own.client_config(provider(), VERSIONS),
        own.server_config(provider(), VERSIONS),
    );
    assert_eq!(handshake(client, server, "localhost"), Ok(()));
}

#[test]
fn issues_certificates_that_rustls_refuses() {
    let (authority, other) = (Authority::new("Trusted CA"), Authority::new("Other CA"));
    let server = Certificate::server(&["imap.example.org"]);
    let refusal = |identity: &Identity| match connect(&authority, identity, "imap.example.org") {
        Err(Error::InvalidCertificate(error)) => error,
        other => panic!("{other:?}"),
    };
    let expired = refusal(&server.clone().expired().issue(&authority));
    assert!(matches!(expired, CertificateError::ExpiredContext { .. }));
    assert_eq!(
        refusal(&server.issue(&other)),
        CertificateError::UnknownIssuer
    );
    assert_eq!(
        refusal(&server.self_signed()),
        CertificateError::UnknownIssuer
    );
    let another = Certificate::server(&["imap.example.net"]).issue(&authority);
    assert!(matches!(
        refusal(&another),
        CertificateError::NotValidForNameContext { .. }
    ));
    let services = Certificate::server(&[]).srv_ids(&["_imaps.example.org", "_pop3s.example.org"]);
    assert!(matches!(
        refusal(&services.issue(&authority)),
        CertificateError::NotValidForNameContext { .. }
    ));
    let client = Certificate::client("alice").change(|params| {
        params.subject_alt_names = server.params().subject_alt_names.clone();
    });
    assert!(matches!(
        refusal(&client.issue(&authority)),
        CertificateError::InvalidPurposeContext { .. }
    ));
}

#[test]
fn issues_certificates_of_clients_and_intermediates() {
    let authority = Authority::new("Trusted CA");
    let intermediate = authority.intermediate("Intermediate", |_| {});
    let server = Certificate::server(&["imap.example.org"]).issue(&authority);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(authority.roots()), provider());
    let config = server.server_config_with(provider(), VERSIONS, verifier.build().unwrap());
    let alice = Certificate::client("alice")
        .organization("ACME")
        .serial(7)
        .issue(&intermediate);
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(VERSIONS)
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_client_auth_cert(
            vec![alice.certificate(), intermediate.certificate()],
            alice.private_key(),
        );
    assert_eq!(
        handshake(client.unwrap(), config, "imap.example.org"),
        Ok(())
    );
}

#[test]
fn issues_more_certificates_for_the_key_of_an_authority() {
    let root = Authority::new("Trusted CA");
    let one = root.intermediate("Intermediate", |_| {});
    let other = root.intermediate_with_key("Intermediate", copy(one.key()), |_| {});
    let again = Authority::with_key("Trusted CA", copy(root.key()), |_| {});
    assert_ne!(one.certificate(), other.certificate());
    assert_eq!(one.identity().public_key(), other.identity().public_key());
    assert_eq!(root.identity().public_key(), again.identity().public_key());
    // Either certificate of the root verifies a chain, since name and key are the same.
    let server = Certificate::server(&["imap.example.org"]).issue(&root);
    for authority in [&root, &again] {
        assert_eq!(connect(authority, &server, "imap.example.org"), Ok(()));
    }
}

#[test]
fn gives_the_certificate_and_key_of_an_authority() {
    let authority = Authority::new("Trusted CA");
    let identity = authority.identity();
    assert_eq!(identity.certificate(), authority.certificate());
    assert_eq!(identity.pem(), authority.pem());
    assert_eq!(identity.key_pem(), copy(authority.key()).serialize_pem());
}

#[test]
fn writes_pem() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = (
        directory.path().join("c.pem"),
        directory.path().join("k.pem"),
    );
    let identity = Certificate::server(&["localhost"]).self_signed();
    identity.write(&certificate, &key);
    assert_eq!(
        std::fs::read_to_string(certificate).unwrap(),
        identity.pem()
    );
    assert_eq!(std::fs::read_to_string(key).unwrap(), identity.key_pem());
}
