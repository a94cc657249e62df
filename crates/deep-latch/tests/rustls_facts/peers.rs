//! A client with latches, a server, and the handshake between them.

use super::*;

/// rustls asks the verifier with its own clock, so the certificates are of now.
pub(super) fn now() -> UnixTime {
    UnixTime::now()
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A server's certificate. Its common name is no identity.
pub(super) fn server(names: &[&str]) -> Certificate {
    Certificate::server(names).common_name(NAME)
}

pub(super) fn server_config(
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    Arc::new(identity.server_config(provider(), versions))
}

pub(super) fn host() -> Host {
    Host::try_new(NAME).unwrap()
}

/// A client of a host with these latches, and its connection.
pub(super) struct Client {
    pub(super) latches: LatchSession,
    pub(super) verifier: Arc<DeferredServerVerifier>,
    pub(super) config: Arc<ClientConfig>,
}

impl Client {
    pub(super) fn new(
        trusted: &Authority,
        latched: &[SecurityTag<'static>],
        on: OnCertificateFailure,
    ) -> Self {
        let record = LatchRecord::preset(host(), latched.iter().cloned());
        let latches = LatchSession::try_new(record, Facilities::new()).unwrap();
        let requirements = latches.requirements();
        let verifier = DeferredServerVerifier::new(trusted.verifier(provider()), &requirements, on);
        let verifier = Arc::new(verifier);
        let config = verifier
            .clone()
            .client_config(provider(), &requirements)
            .unwrap();
        Self {
            latches,
            verifier,
            config: Arc::new(config),
        }
    }

    pub(super) fn connect(&self) -> ClientConnection {
        let name = ServerName::try_from(NAME).unwrap();
        ClientConnection::new(self.config.clone(), name).unwrap()
    }

    pub(super) fn facts(
        &self,
        connection: &ClientConnection,
    ) -> Result<TlsFacts, HandshakeUnfinishedError> {
        let dane = DaneVerdict::NotChecked;
        self.verifier.facts(connection, &host(), now(), dane)
    }
}

/// Returns the facts for a client that continues in any case, and the error of one that does not.
pub(super) fn seen(
    trusted: &Authority,
    identity: &Identity,
    version: &'static SupportedProtocolVersion,
) -> (TlsFacts, Option<rustls::Error>) {
    let config = server_config(identity, &[version]);
    let goes_on = Client::new(trusted, &[], OnCertificateFailure::GoOn);
    let (mut client, mut server) = (
        goes_on.connect(),
        ServerConnection::new(config.clone()).unwrap(),
    );
    assert_eq!(goes_on.facts(&client), Err(HandshakeUnfinishedError));
    exchange(&mut client, &mut server).unwrap();
    let facts = goes_on.facts(&client).unwrap();

    let aborts = Client::new(trusted, &[], OnCertificateFailure::Abort);
    let (mut client, mut server) = (aborts.connect(), ServerConnection::new(config).unwrap());
    let error = exchange(&mut client, &mut server).err();
    match &error {
        Some(_) => assert_eq!(aborts.facts(&client), Err(HandshakeUnfinishedError)),
        None => assert_eq!(aborts.facts(&client), Ok(facts)),
    }
    (facts, error)
}

/// A verifier that finds another name than rustls does, or none at all.
#[derive(Debug)]
pub(super) struct Stricter(pub(super) Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for Stricter {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Err(CertificateError::NotValidForName.into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
