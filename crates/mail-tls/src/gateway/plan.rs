//! A configuration that was checked: acceptors, backends and options, from which services are made.

use std::{ops::Range, sync::Arc, time::SystemTime};

use command_support::{
    files::{FileKind, read_text},
    pem,
};
use deep_latch::{
    Advertisement, DeepStatus, Facilities, MailProtocol, TlsFacts,
    facts::{
        CertificateUsage, ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion, SessionFacts,
    },
    server::AdvertisementConfig,
};
use mail_implicit_tls::{
    account::Server,
    client::Connector,
    dns::{Resolve, anchors::TrustAnchors, resolver::ValidatingResolver},
    gateway::{
        AfterLogin, Backend, Backends, ClientAddress, ExternalLogin, GatewayOptions,
        GatewayService, MasterUser, PenaltyRules, SessionLimits, SessionTimes, Shared,
        proxy_protocol::Networks,
    },
    server::{Acceptor, UnknownName},
    service::{Protocol, Service},
    verifier::Trust,
};
use rustls::{
    RootCertStore, crypto::CryptoProvider, server::ProducesTickets, server::WebPkiClientVerifier,
};
use toml::Spanned;

use super::{
    addresses::{Place, Places},
    certificates::{Pair, Served},
    clients::UserMap,
    config::{self, BackendConfig, Config, ServiceConfig},
    reports::Database,
    source::{ConfigError, Source},
};

/// The parts of the process that outlive a configuration.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) tickets: Arc<dyn ProducesTickets>,
}

/// A service that was checked.
pub(super) struct PlannedService {
    pub(super) listen: Vec<Place>,
    pub(super) acceptor: Acceptor,
    pub(super) backends: Arc<Backends>,
    pub(super) options: GatewayOptions,
    pub(super) proxies: Networks,
}

/// A configuration that was checked.
pub(super) struct Plan {
    pub(super) services: Vec<PlannedService>,
    pub(super) certificates: Arc<Served>,
    pub(super) resolver: Option<Arc<dyn Resolve>>,
    pub(super) trust: Arc<Trust>,
    pub(super) limits: SessionLimits,
    pub(super) penalty: PenaltyRules,
    pub(super) times: SessionTimes,
    pub(super) reports: Option<Database>,
    pub(super) config: Config,
    pub(super) source: Source,
    pub(super) warnings: Vec<String>,
}

impl Plan {
    /// Reads the configuration and all files that it names. `former` is what a configuration before this one serves.
    ///
    /// # Errors
    /// Returns a message with file, line and value.
    pub(super) fn read(
        source: Source,
        process: &Process,
        former: Option<&Served>,
    ) -> Result<Self, ConfigError> {
        let config = source.parse()?;
        let files = config.certificate.get_ref();
        let pair = |files: &config::CertificateFiles| Pair {
            chain: source.resolve(files.chain.get_ref()),
            key: source.resolve(&files.key),
        };
        let pairs = files.iter().map(pair).collect();
        let unknown = match config.tls.unknown_name {
            config::UnknownName::FirstCertificate => UnknownName::FirstCertificate,
            config::UnknownName::Refuse => UnknownName::Refuse,
        };
        let served = Served::load(pairs, unknown, process.provider.clone(), former);
        let certificates = served.map_err(|error| {
            let at = files.get(error.place).map(|files| files.chain.span());
            let at = at.unwrap_or_else(|| config.certificate.span());
            source.error(at, error.message)
        })?;
        let (trust, resolver) = backend_tls(&config, &source)?;
        let mut plan = Self {
            services: Vec::new(),
            certificates: Arc::new(certificates),
            resolver,
            trust: Arc::new(trust),
            limits: SessionLimits {
                total: config.limits.sessions.get(),
                per_client: config.limits.sessions_per_client.get(),
                logins_per_client: config.limits.logins_per_client.get(),
            },
            penalty: PenaltyRules {
                free: config.failed_logins.free,
                first: config.failed_logins.first_delay.into(),
                most: config.failed_logins.longest_delay.into(),
                forget: config.failed_logins.forget.into(),
            },
            times: SessionTimes {
                connect: config.limits.connect.into(),
                login: config.limits.login.into(),
                idle: config.limits.idle.into(),
                linger: config.limits.linger.into(),
                drain: config.limits.drain.into(),
            },
            reports: None,
            config,
            source,
            warnings: Vec::new(),
        };
        plan.check_parts()?;
        plan.services = plan.services(process)?;
        for planned in &plan.services {
            if planned.proxies.has_every_address() {
                plan.warnings.push(format!(
                    "{}: proxies has every address: every client can name another address than its own",
                    planned.acceptor.service().name()
                ));
            }
        }
        Ok(plan)
    }

    /// Checks what concerns several values.
    fn check_parts(&mut self) -> Result<(), ConfigError> {
        let Self { config, source, .. } = self;
        if let Some(metrics) = &config.metrics {
            let address = metrics.listen.get_ref();
            if !metrics.beyond_loopback && !address.ip().to_canonical().is_loopback() {
                let message = "an address of loopback expected, or beyond-loopback = true";
                return Err(source.error(metrics.listen.span(), message));
            }
        }
        self.reports = Database::read(&config.reports, source)?;
        Ok(())
    }

    fn services(&mut self, process: &Process) -> Result<Vec<PlannedService>, ConfigError> {
        let Self { config, source, .. } = self;
        let advertisement = advertisement(config, source)?;
        let clients = match &config.client_certificates {
            Some(clients) => Some(Clients::read(clients, source, process)?),
            None => None,
        };
        let mut places = Places::default();
        let services = config.service.get_ref();
        if services.is_empty() {
            return Err(source.error(config.service.span(), "at least one service expected"));
        }
        let mut planned = Vec::new();
        for service in services {
            let listen = service.listen.get_ref();
            if listen.is_empty() {
                let message = "at least one address expected";
                return Err(source.error(service.listen.span(), message));
            }
            let kind = Service::from(*service.kind.get_ref());
            let listen = listen.iter().map(|address| {
                let place = places.add(*address.get_ref(), kind);
                place.map_err(|message| source.error(address.span(), message))
            });
            let listen = listen.collect::<Result<Vec<_>, _>>()?;
            let mut acceptor = Acceptor::new(
                kind,
                self.certificates.certificates(),
                process.provider.clone(),
            )
            .map_err(|error| source.error(service.kind.span(), error))?
            .with_name(config.name.0.as_str())
            .with_tickets(process.tickets.clone())
            .with_handshake_timeout(config.limits.handshake.into());
            let mut external = ExternalLogin::Unavailable;
            if let Some(clients) = &clients {
                acceptor = acceptor
                    .with_client_certificates(clients.verifier.clone(), clients.users.clone())
                    .map_err(|error| source.error(clients.span.clone(), error))?;
                external = clients.login.clone();
            }
            let mut options = options(service, kind.protocol, config, source)?
                .with_name(config.name.0.as_str())
                .with_external(external);
            if let Some(advertisement) = &advertisement {
                options = options.with_advertisement(advertisement.clone());
            }
            let backends = backends(service, kind.protocol, source, self.resolver.is_some())?;
            planned.push(PlannedService {
                listen,
                acceptor,
                backends,
                options,
                proxies: service.proxies.0.clone(),
            });
        }
        if let Some(metrics) = &config.metrics {
            let checked = places.check(*metrics.listen.get_ref());
            checked.map_err(|message| source.error(metrics.listen.span(), message))?;
        }
        Ok(planned)
    }

    /// Returns the connector to the backends.
    pub(super) fn connector(&self, process: &Process) -> Connector {
        let connector = Connector::new(process.provider.clone(), self.trust.clone())
            .with_ehlo(self.config.name.0.as_str());
        match &self.resolver {
            Some(resolver) => connector.with_resolver(resolver.clone()),
            None => connector,
        }
    }

    /// Returns a service of the plan.
    pub(super) fn service(&self, planned: &PlannedService, shared: &Arc<Shared>) -> GatewayService {
        GatewayService::new(
            planned.acceptor.clone(),
            planned.backends.clone(),
            planned.options.clone(),
            shared.clone(),
        )
        .with_proxies(planned.proxies.clone())
        .with_times(self.times)
    }
}

fn options(
    service: &ServiceConfig,
    protocol: Protocol,
    config: &Config,
    source: &Source,
) -> Result<GatewayOptions, ConfigError> {
    let (address, span) = match &service.client_address {
        Some(name) => (ClientAddress::from(*name.get_ref()), name.span()),
        None => (ClientAddress::None, service.kind.span()),
    };
    let options = GatewayOptions::try_new(protocol, address);
    let mut options = options.map_err(|error| source.error(span, error))?;
    if let Some(parse) = service
        .parse_after_login
        .as_ref()
        .filter(|it| *it.get_ref())
    {
        if protocol != Protocol::Imap {
            let message = "only sessions of IMAP have a choice: those of POP are never parsed after login, those of \
                           Submission always";
            return Err(source.error(parse.span(), message));
        }
        options = options.with_after_login(AfterLogin::Parsed);
    }
    if let Some(utf8) = service
        .utf8_before_login
        .as_ref()
        .filter(|it| *it.get_ref())
    {
        if protocol == Protocol::Submission {
            let message = "names and passwords of Submission are base64";
            return Err(source.error(utf8.span(), message));
        }
        options = options.allow_utf8_before_login();
    }
    let received = service.received.as_ref().filter(|it| *it.get_ref());
    match received {
        Some(received) if protocol != Protocol::Submission => {
            let message = "only messages of Submission have a Received field";
            Err(source.error(received.span(), message))
        }
        Some(_) => Ok(options.with_received(config.name.0.clone(), now)),
        None => Ok(options),
    }
}

/// Returns the time in seconds since the Unix epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn backends(
    service: &ServiceConfig,
    protocol: Protocol,
    source: &Source,
    has_resolver: bool,
) -> Result<Arc<Backends>, ConfigError> {
    let configured = service.backend.get_ref();
    if configured.is_empty() {
        return Err(source.error(service.backend.span(), "at least one backend expected"));
    }
    let backends = configured
        .iter()
        .map(|backend| backend_of(backend, protocol, source, has_resolver))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Backends::new(backends, service.balance.into()))
}

fn backend_of(
    backend: &BackendConfig,
    protocol: Protocol,
    source: &Source,
    has_resolver: bool,
) -> Result<Backend, ConfigError> {
    let service = backend.tls.service(protocol);
    let dane = backend.dane.as_ref().filter(|dane| *dane.get_ref());
    if let Some(dane) = dane {
        if !service.uses_tls() {
            return Err(source.error(dane.span(), "a backend in clear text has no DANE"));
        }
        if !has_resolver {
            let message = "DANE needs the key resolver of the table backend-tls";
            return Err(source.error(dane.span(), message));
        }
    }
    let server = Server::new(service, backend.host.0.clone()).with_port(*backend.port.get_ref());
    Backend::try_new(server, dane.is_some())
        .map_err(|error| source.error(backend.port.span(), error))
}

/// Returns the trust anchors of backends, and the resolver.
fn backend_tls(
    config: &Config,
    source: &Source,
) -> Result<(Trust, Option<Arc<dyn Resolve>>), ConfigError> {
    let tls = &config.backend_tls;
    let message = |error: &dyn std::fmt::Display| source.message(error);
    let trust = match &tls.authorities {
        Some(path) => {
            let certificates =
                pem::certificates(&source.resolve(path)).map_err(|error| message(&error))?;
            Trust::in_certificates(certificates).map_err(|error| message(&error))?
        }
        None => Trust::of_platform().unwrap_or_else(|_| Trust::none()),
    };
    let anchors = match &tls.anchors {
        Some(path) => {
            let path = source.resolve(path);
            let text = read_text(&path, FileKind::TrustAnchors).map_err(|error| message(&error))?;
            TrustAnchors::parse(&text)
                .map_err(|error| message(&format!("{}: {error}", path.display())))?
        }
        None => TrustAnchors::iana(),
    };
    let resolver: Option<Arc<dyn Resolve>> = match tls.resolver {
        Some(resolver) => Some(Arc::new(ValidatingResolver::new(resolver.0, &anchors))),
        None => None,
    };
    Ok((trust, resolver))
}

/// Returns the DEEP status that the gateway advertises.
///
/// The gateway knows that it uses TLS 1.2 or later with strong ciphers, and that its certificate is valid. Clients may
/// trust other authorities, and TLSA records are not looked up: `mail-tls connect` shows what a client achieves.
fn advertisement(config: &Config, source: &Source) -> Result<Option<Advertisement>, ConfigError> {
    let Some(deep) = &config.deep else {
        return Ok(None);
    };
    let fails = |error: &dyn std::fmt::Display| source.error(deep.span(), error);
    let status = DeepStatus::parse(&deep.get_ref().status).map_err(|error| fails(&error))?;
    let mut protocols = Vec::new();
    for service in config.service.get_ref() {
        let protocol = match Service::from(*service.kind.get_ref()).protocol {
            Protocol::Imap => MailProtocol::Imap,
            Protocol::Pop => MailProtocol::Pop,
            Protocol::Submission => MailProtocol::Smtp,
        };
        if !protocols.contains(&protocol) {
            protocols.push(protocol);
        }
    }
    let advertised = AdvertisementConfig {
        status: status.into_owned(),
        protocols,
        ..AdvertisementConfig::default()
    };
    let facts = SessionFacts {
        tls: Some(TlsFacts {
            version: ProtocolVersion::TLS1_2,
            strength_bits: Some(128),
            chain: ChainVerdict::Trusted,
            identity: IdentityVerdict::Matches,
            dane: DaneVerdict::Matches(CertificateUsage::DaneEe),
        }),
        login: None,
    };
    Advertisement::try_new(&advertised, &Facilities::new(), &facts)
        .map(Some)
        .map_err(|error| fails(&error))
}

/// The certificates of clients.
struct Clients {
    verifier: Arc<dyn rustls::server::danger::ClientCertVerifier>,
    users: Arc<UserMap>,
    login: ExternalLogin,
    span: Range<usize>,
}

impl Clients {
    fn read(
        clients: &Spanned<config::ClientCertificates>,
        source: &Source,
        process: &Process,
    ) -> Result<Self, ConfigError> {
        let span = clients.span();
        let clients = clients.get_ref();
        let fails = |error: &dyn std::fmt::Display| source.error(span.clone(), error);
        if clients.users.is_empty() && !clients.common_name {
            return Err(fails(
                &"users, or common-name = true, expected: no certificate could log in",
            ));
        }
        let mut roots = RootCertStore::empty();
        let authorities = pem::certificates(&source.resolve(&clients.authorities));
        for certificate in authorities.map_err(|error| fails(&error))? {
            roots.add(certificate).map_err(|error| fails(&error))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), process.provider.clone());
        let login = match clients.login {
            config::ExternalLogin::External => {
                let file = clients.master_password_file.as_ref();
                let user = clients.master_user.as_ref();
                if let Some(span) = user.map(Spanned::span).or_else(|| Some(file?.span())) {
                    return Err(source.error(span, "a master user is for login = \"plain\""));
                }
                ExternalLogin::External
            }
            config::ExternalLogin::Plain => {
                let (Some(user), Some(file)) =
                    (&clients.master_user, &clients.master_password_file)
                else {
                    let message = "login = \"plain\" needs master-user and master-password-file";
                    return Err(fails(&message));
                };
                let path = source.resolve(file.get_ref());
                let password = read_text(&path, FileKind::Secret).map_err(|error| fails(&error))?;
                let password = password.trim_end_matches(['\r', '\n']).to_owned();
                let user = MasterUser::try_new(user.get_ref().as_str(), password);
                ExternalLogin::Plain(user.map_err(|error| fails(&error))?)
            }
        };
        Ok(Self {
            verifier: verifier.build().map_err(|error| fails(&error))?,
            users: Arc::new(UserMap::new(clients)),
            login,
            span,
        })
    }
}
