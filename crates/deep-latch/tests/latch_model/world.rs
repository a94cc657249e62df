//! The statuses, the TLS sessions and the events that can happen.

use super::*;

pub(super) struct Status {
    pub(super) tags: u8,
    pub(super) url: Option<StatusUrl<'static>>,
    pub(super) status: DeepStatus<'static>,
}

/// All that can happen.
pub(super) struct World {
    pub(super) statuses: Vec<Status>,
    /// A TLS session of each kind that the specification tells apart.
    pub(super) connections: Vec<(TlsFacts, Connection)>,
    pub(super) on_mismatch: OnTlsaMismatch,
}

pub(super) fn status(tags_of: u8, url: Option<&str>) -> Status {
    let url = url.map(|url| StatusUrl::parse(url).unwrap().into_owned());
    let status = DeepStatus::try_new(tags(tags_of), url.as_ref()).unwrap();
    Status {
        tags: tags_of,
        url,
        status,
    }
}

/// Every combination of facts that a TLS engine could report.
pub(super) fn all_facts() -> Vec<TlsFacts> {
    // SSL 3.0, TLS 1.0 to 1.3, one to come, DTLS 1.2.
    let versions = [0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x0305, 0xfefd];
    let strengths = [None, Some(0), Some(112), Some(127), Some(128), Some(256)];
    let chains = [
        ChainVerdict::NotChecked,
        ChainVerdict::Trusted,
        ChainVerdict::Refused,
    ];
    let identities = [
        IdentityVerdict::NotChecked,
        IdentityVerdict::Matches,
        IdentityVerdict::Differs,
    ];
    let danes = [
        DaneVerdict::NotChecked,
        DaneVerdict::NoRecords,
        DaneVerdict::Differs,
        DaneVerdict::Matches(CertificateUsage::PkixTa),
        DaneVerdict::Matches(CertificateUsage::PkixEe),
        DaneVerdict::Matches(CertificateUsage::DaneTa),
        DaneVerdict::Matches(CertificateUsage::DaneEe),
    ];
    let mut all = Vec::new();
    for version in versions {
        for strength_bits in strengths {
            for chain in chains {
                for identity in identities {
                    for dane in danes {
                        let version = ProtocolVersion(version);
                        all.push(TlsFacts {
                            version,
                            strength_bits,
                            chain,
                            identity,
                            dane,
                        });
                    }
                }
            }
        }
    }
    all
}

pub(super) const LOGINS: [Option<Login>; 3] = [None, Some(Login::Done), Some(Login::ScramPlus)];

/// The recorded statuses of a host: none, one without a URL, one with a URL.
pub(super) const INITIAL: [Option<u8>; 3] = [None, Some(0), Some(1)];

impl World {
    /// Creates a world with statuses of these tags, after those that can have been recorded earlier.
    pub(super) fn new(advertised: impl IntoIterator<Item = u8>) -> Self {
        let mut statuses = vec![
            status(TLS10 | CERT, None),
            status(TLS10, Some("https://earlier.example/")),
        ];
        // A URL stands beside every other set of tags.
        let url = |tags: u8| tags.count_ones().is_multiple_of(2);
        let url = |tags| url(tags).then_some("https://now.example/help");
        statuses.extend(
            advertised
                .into_iter()
                .map(|tags_of| status(tags_of, url(tags_of))),
        );
        let mut connections: Vec<(TlsFacts, Connection)> = Vec::new();
        for facts in all_facts() {
            let connection = Connection::of(&facts);
            if connections.iter().all(|(_, known)| *known != connection) {
                connections.push((facts, connection));
            }
        }
        Self {
            statuses,
            connections,
            on_mismatch: OnTlsaMismatch::Refuse,
        }
    }

    pub(super) fn events(&self) -> Vec<Happens> {
        let connections = (0..self.connections.len()).map(|at| Happens::Handshake(at as u8));
        let statuses = (0..self.statuses.len()).map(|at| Happens::Status(at as u8));
        let others = [
            Happens::NoTls,
            Happens::NoStatus,
            Happens::LoggedIn(Login::Done),
            Happens::LoggedIn(Login::ScramPlus),
        ];
        others
            .into_iter()
            .chain(FAULTS.map(Happens::HandshakeFailed))
            .chain(connections)
            .chain(statuses)
            .collect()
    }

    pub(super) fn event(&self, happens: Happens) -> Event<'_> {
        match happens {
            Happens::NoTls => Event::NoTls,
            Happens::HandshakeFailed(fault) => Event::HandshakeFailed(fault),
            Happens::Handshake(at) => Event::Handshake(self.connections[usize::from(at)].0),
            Happens::Status(at) => Event::Status(&self.statuses[usize::from(at)].status),
            Happens::NoStatus => Event::NoStatus,
            Happens::LoggedIn(login) => Event::LoggedIn(login),
        }
    }

    pub(super) fn status(&self, at: u8) -> &Status {
        &self.statuses[usize::from(at)]
    }

    pub(super) fn connection(&self, at: u8) -> Connection {
        self.connections[usize::from(at)].1
    }

    /// A host with these latches and this status: a session of a server that has all facilities has set
    /// them, but for what no session sets.
    pub(super) fn record(&self, latched: u8, recorded: Option<u8>) -> LatchRecord {
        let host = Host::try_new("imap.example.com").unwrap();
        let mut record = LatchRecord::preset(host.clone(), tags(latched));
        if let Some(at) = recorded {
            // Nothing of it is achieved but what the server is authenticated by.
            let mut session =
                LatchSession::try_new(LatchRecord::new(host), Facilities::new()).unwrap();
            let facts = TlsFacts {
                version: ProtocolVersion::TLS1_2,
                strength_bits: None,
                chain: ChainVerdict::NotChecked,
                identity: IdentityVerdict::Matches,
                dane: DaneVerdict::Matches(CertificateUsage::DaneTa),
            };
            let _ = session.step(Event::Handshake(facts));
            let _ = session.step(Event::Status(&self.status(at).status));
            assert_eq!(session.record().latched().count(), 0);
            record.merge(session.record());
        }
        record
    }
}
