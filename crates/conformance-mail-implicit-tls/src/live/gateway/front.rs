//! A gateway that runs before one backend.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use accept_loop::AcceptLoop;
use conformance::{
    outcome::{Checked, Failure},
    process::at,
};
use deep_latch::MailProtocol;
use mail_implicit_tls::{
    account::{Host, Server},
    gateway::{
        Backend, Backends, Balance, ClientAddress, CurrentService, Event, GatewayOptions,
        GatewayService, Notice, PenaltyRules, SessionLimits, SessionTimes, Shared,
    },
    server::Acceptor,
    service::{Security, Service},
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    advertisement::{EXAMPLE_3, advertisement},
    live::site::Site,
};

/// A gateway, which runs until it is dropped.
pub(super) struct Front {
    pub(super) service: Service,
    pub(super) port: u16,
    events: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<usize>,
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Front {
    /// Starts the gateway of a service before a backend in clear text.
    pub(super) async fn start(
        site: &Site,
        service: Service,
        backend: u16,
        address: ClientAddress,
    ) -> Checked<Self> {
        Self::start_with(site, service, backend, address, SessionTimes::default()).await
    }

    /// Starts the gateway with time limits.
    pub(super) async fn start_with(
        site: &Site,
        service: Service,
        backend: u16,
        address: ClientAddress,
        times: SessionTimes,
    ) -> Checked<Self> {
        let acceptor = Acceptor::new(service, site.certificates()?, site.provider())?;
        let events = Arc::<Mutex<Vec<String>>>::default();
        let noted = events.clone();
        let observer = move |notice: &Notice<'_>| {
            if let Notice::Session { event, .. } = notice
                && let Some(event) = written(event)
                && let Ok(mut noted) = noted.lock()
            {
                noted.push(event);
            }
        };
        let shared = Shared::new(
            site.connector()?,
            SessionLimits::default(),
            PenaltyRules::default(),
            7,
            Arc::new(observer),
        );
        let options = GatewayOptions::try_new(service.protocol, address)?;
        let advertisement = advertisement(EXAMPLE_3, &[MailProtocol::Imap, MailProtocol::Pop])
            .map_err(|error| Failure::new(error.to_string()))?;
        let options = options.with_advertisement(advertisement);
        let server = Server::new(
            Service::new(service.protocol, Security::Clear),
            Host::parse(&at(backend).ip().to_string())?,
        );
        let backend = Backend::try_new(server.with_port(backend), false)?;
        let backends = Backends::new(vec![backend], Balance::First);
        let service_of = GatewayService::new(acceptor, backends, options, shared).with_times(times);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            let current = CurrentService::new(service_of);
            let never = std::future::pending();
            current
                .serve_until(listener, AcceptLoop::new(), never)
                .await
        });
        Ok(Self {
            service,
            port,
            events,
            task,
        })
    }

    /// Returns the events of logins and reports so far.
    pub(super) fn events(&self) -> Vec<String> {
        let events = self.events.lock();
        events.map(|events| events.clone()).unwrap_or_default()
    }
}

fn written(event: &Event) -> Option<String> {
    Some(match event {
        Event::LoggedIn { mechanism } => format!("logged in by {mechanism}"),
        Event::LoginFailed { mechanism } => format!("failed {mechanism}"),
        Event::Report(report) => {
            format!("report of {}", report.name.as_deref().unwrap_or_default())
        }
        Event::Refused(refusal) => refusal.to_string(),
        _ => return None,
    })
}
