//! The server's side, draft-newman-email-deep-02 sections 5.3, 7.1 to 7.3 and 10.6: the advertisement, and the answers to
//! reports of clients.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

use crate::{
    error::{EncodeError, EncodeErrorKind, ErrorKind, ParseError},
    facility::{Achievement, Facilities},
    facts::SessionFacts,
    host::Host,
    imap::{IdCommand, IdParameters},
    pop::CapaLine,
    protocol::MailProtocol,
    report::{ClientReport, FieldNames},
    smtp::EhloLine,
    status::{DeepStatus, DeepTag},
    tag::SecurityTag,
};

/// The names of the status in a response to ID.
const STATUS_FIELDS: &[&str] = &["deep", "deep-status"];

/// The configuration of an advertisement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdvertisementConfig {
    /// The status. Each of its tags is "a commitment to support that security facility indefinitely"
    /// (section 5.1).
    pub status: DeepStatus<'static>,
    /// The name of the server's software, for IMAP's ID. The name is optional.
    pub name: Option<String>,
    /// The version of the server's software, for IMAP's ID.
    pub version: Option<String>,
    /// The names of fields in IMAP's ID response.
    pub field_names: FieldNames,
    /// The protocols. The lines of POP and SMTP are shorter than those of IMAP.
    pub protocols: Vec<MailProtocol>,
}

/// The advertisement of a server: a status that the server achieves, and that its protocols can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    status: DeepStatus<'static>,
    id: Option<String>,
    capa: Option<String>,
    ehlo: Option<String>,
}

/// The reason why a status cannot be advertised.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdvertiseError {
    /// The server does not achieve these tags, or it is not known whether it does. Clients that latch them could not
    /// connect again.
    NotKept(Vec<SecurityTag<'static>>),
    /// The protocol cannot carry the status.
    Protocol(MailProtocol, EncodeError),
}

impl fmt::Display for AdvertiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotKept(tags) => {
                f.write_str("the server does not achieve:")?;
                tags.iter().try_for_each(|tag| write!(f, " {tag}"))
            }
            Self::Protocol(protocol, error) => write!(f, "{protocol}: {error}"),
        }
    }
}

impl core::error::Error for AdvertiseError {}

/// A recommendation about an advertisement that works.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// The status lacks tls10: "MSPs SHOULD advertise a DEEP status that includes tls10", section 10.6.
    NoTls10,
    /// The status lacks tls-cert, section 10.6.
    NoTlsCert,
    /// The status lacks an https URL, section 10.6.
    NoUrl,
    /// The URL is at the host of the service: users cannot open it when the TLS of the host fails (section 10.6: "to
    /// inform clients of service outages").
    UrlAtThisHost,
    /// The status has a tag twice.
    Repeated(SecurityTag<'static>),
    /// The status has more than one URL. Section 5.3 mentions one, and clients use the first.
    MoreUrls,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTls10 => "tls10 should be advertised",
            Self::NoTlsCert => "tls-cert should be advertised",
            Self::NoUrl => "an https URL should be advertised",
            Self::UrlAtThisHost => "the URL should be at another host than the service",
            Self::Repeated(tag) => return write!(f, "{tag} appears twice"),
            Self::MoreUrls => "the status has more than one URL",
        })
    }
}

/// The trust in `tls` of a report: the cipher suite of the client's connection to a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TlsField {
    /// The field is removed from the report: the peer can be any client.
    #[default]
    Ignore,
    /// The field is kept: the peer is a proxy of the same operator, "over a fully private secure network" (section 7.1),
    /// which removes the field from commands of clients ([`Forwarded`](crate::proxy::Forwarded)).
    Trust,
}

/// The codes in replies of SMTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ReplyCodes {
    /// Basic codes (RFC 5321).
    #[default]
    Basic,
    /// Enhanced status codes (RFC 2034) after the basic ones.
    Enhanced,
}

/// The server's answer to a report, and the report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Answer {
    /// The response or reply, each line with its CRLF.
    pub response: String,
    /// The report, for a `ReportSink` of the feature `reports`; or the reason why it is malformed.
    pub report: Result<ClientReport, ParseError>,
}

impl Advertisement {
    /// Checks that a status can be advertised.
    ///
    /// `facts` are the facts of a connection of an up-to-date client to the service, e.g. of a probe: they decide which
    /// tags the server achieves. The login of the probe counts too. A tag that `facilities` do not know is refused: it is
    /// not known whether the server achieves it.
    ///
    /// ```
    /// use deep_latch::{
    ///     Advertisement, DeepStatus, Facilities, MailProtocol, SecurityTag, TlsFacts,
    ///     facts::{ChainVerdict, DaneVerdict, IdentityVerdict, ProtocolVersion, SessionFacts},
    ///     server::{AdvertiseError, AdvertisementConfig},
    /// };
    ///
    /// let probe = SessionFacts {
    ///     tls: Some(TlsFacts {
    ///         version: ProtocolVersion::TLS1_3,
    ///         strength_bits: Some(256),
    ///         chain: ChainVerdict::Trusted,
    ///         identity: IdentityVerdict::Matches,
    ///         dane: DaneVerdict::NoRecords,
    ///     }),
    ///     login: None,
    /// };
    /// let mut config = AdvertisementConfig {
    ///     status: DeepStatus::parse("tls10 tls12 <https://www.example.com/privacy-support.html>")?,
    ///     protocols: vec![MailProtocol::Pop],
    ///     ..AdvertisementConfig::default()
    /// };
    /// let advertisement = Advertisement::try_new(&config, &Facilities::new(), &probe)?;
    /// let line = "DEEP tls10 tls12 <https://www.example.com/privacy-support.html>";
    /// assert_eq!(advertisement.capa_line(), Some(line));
    ///
    /// config.status = DeepStatus::parse("tls-cert tls-dane-tlsa")?;
    /// let refused = Advertisement::try_new(&config, &Facilities::new(), &probe);
    /// let not_kept = AdvertiseError::NotKept(vec![SecurityTag::TLS_DANE_TLSA]);
    /// assert_eq!(refused, Err(not_kept));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`AdvertiseError::NotKept`] if the server does not achieve a tag, and [`AdvertiseError::Protocol`] if one of
    /// the protocols cannot carry the status.
    pub fn try_new(
        config: &AdvertisementConfig,
        facilities: &Facilities,
        facts: &SessionFacts,
    ) -> Result<Self, AdvertiseError> {
        let not_kept =
            |tag: &SecurityTag<'_>| facilities.achieves(facts, tag) != Achievement::Achieved;
        let not_kept: Vec<_> = config.status.tags().filter(not_kept).collect();
        if !not_kept.is_empty() {
            let not_kept = not_kept.into_iter().map(SecurityTag::into_owned);
            return Err(AdvertiseError::NotKept(not_kept.collect()));
        }
        let status = &config.status;
        let by = |protocol, line: Result<String, EncodeError>| {
            config
                .protocols
                .contains(&protocol)
                .then_some(line)
                .transpose()
                .map_err(|error| AdvertiseError::Protocol(protocol, error))
        };
        Ok(Self {
            status: status.clone(),
            id: by(MailProtocol::Imap, id_line(config))?,
            capa: by(
                MailProtocol::Pop,
                CapaLine::try_new(status.clone()).map(|it| it.to_string()),
            )?,
            ehlo: by(
                MailProtocol::Smtp,
                EhloLine::try_new(status.clone()).map(|it| it.to_string()),
            )?,
        })
    }

    /// Returns the status.
    #[must_use]
    pub const fn status(&self) -> &DeepStatus<'static> {
        &self.status
    }

    /// Returns recommendations for a server of this name.
    #[must_use]
    pub fn advice(&self, host: &Host) -> Vec<Advice> {
        let mut advice = Vec::new();
        let mut tags: Vec<SecurityTag<'_>> = Vec::new();
        let mut urls = 0_usize;
        for element in self.status.elements() {
            match element {
                DeepTag::Tag(tag) if tags.contains(&tag) => {
                    advice.push(Advice::Repeated(tag.into_owned()));
                }
                DeepTag::Tag(tag) => tags.push(tag),
                DeepTag::Https(url) => {
                    urls = urls.saturating_add(1);
                    if urls == 1 && url_host(url.as_str()).eq_ignore_ascii_case(host.as_str()) {
                        advice.push(Advice::UrlAtThisHost);
                    }
                }
                DeepTag::Extension(_) => {}
            }
        }
        let has = |tag| tags.contains(&tag);
        let found = [
            (!has(SecurityTag::TLS10), Advice::NoTls10),
            (!has(SecurityTag::TLS_CERT), Advice::NoTlsCert),
            (urls == 0, Advice::NoUrl),
            (urls > 1, Advice::MoreUrls),
        ];
        let found = found.into_iter().filter(|(is, _)| *is);
        advice.extend(found.map(|(_, advice)| advice));
        advice
    }

    /// Returns the words that IMAP adds to the list of capabilities, if it is one of the protocols: `DEEP`, and `ID`, which
    /// DEEP requires.
    #[must_use]
    pub const fn imap_capabilities(&self) -> Option<&'static str> {
        match self.id {
            Some(_) => Some("DEEP ID"),
            None => None,
        }
    }

    /// Returns the line that POP adds to the answer to CAPA, without CRLF, if it is one of the protocols.
    #[must_use]
    pub fn capa_line(&self) -> Option<&str> {
        self.capa.as_deref()
    }

    /// Returns the line that SMTP adds to the answer to EHLO, without code and CRLF, if it is one of the protocols.
    #[must_use]
    pub fn ehlo_line(&self) -> Option<&str> {
        self.ehlo.as_deref()
    }

    /// Answers IMAP's ID command (section 7.1), if IMAP is one of the protocols.
    ///
    /// `BAD` is the answer to a syntax error of the command. If only a value does not have the form of the draft, the
    /// report is lost, but the answer has the status: "servers MUST provide this information in response to an ID
    /// command".
    ///
    /// ```
    /// # use deep_latch::{
    /// #     Advertisement, Facilities, MailProtocol, facts::SessionFacts, server::AdvertisementConfig,
    /// # };
    /// use deep_latch::{SecurityTag, imap::IdCommand, server::TlsField};
    /// # let config = AdvertisementConfig {
    /// #     name: Some("Demo Server".into()),
    /// #     protocols: vec![MailProtocol::Imap],
    /// #     ..AdvertisementConfig::default()
    /// # };
    /// # let facts = SessionFacts::default();
    /// # let advertisement = Advertisement::try_new(&config, &Facilities::new(), &facts)?;
    ///
    /// let command = b"a001 ID (\"latch\" \"tls10\")\r\n";
    /// let command = IdCommand::parse(command)?.ok_or("another command")?;
    /// let answer = advertisement.answer_id(&command, TlsField::Ignore).ok_or("no IMAP")?;
    /// let response = "* ID (\"name\" \"Demo Server\" \"deep\" \"\")\r\na001 OK ID completed\r\n";
    /// assert_eq!(answer.response, response);
    /// assert_eq!(answer.report?.latch, [SecurityTag::TLS10]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn answer_id(&self, command: &IdCommand<'_>, tls: TlsField) -> Option<Answer> {
        let id = self.id.as_deref()?;
        let tag = command.tag();
        Some(match command.parameters() {
            Err(error) => Answer {
                response: format!("{tag} BAD ID: {error}\r\n"),
                report: Err(error),
            },
            Ok(parameters) => Answer {
                response: format!("{id}{tag} OK ID completed\r\n"),
                report: ClientReport::from_id_parameters(&parameters)
                    .map_err(|error| command.moved(error))
                    .map(|report| tls.applied(report)),
            },
        })
    }

    /// Returns the response to IMAP's ID command of a proxy that is the public side of a server, if IMAP is one of the
    /// protocols: the parameters of the server's response, with the status of the proxy in place of the server's. The
    /// name and version of the proxy are in it only if the server's response lacks them.
    ///
    /// ```
    /// # use deep_latch::{
    /// #     Advertisement, DeepStatus, Facilities, MailProtocol, facts::SessionFacts, server::AdvertisementConfig,
    /// # };
    /// use deep_latch::imap::IdParameters;
    /// # let config = AdvertisementConfig {
    /// #     status: DeepStatus::parse("<https://www.example.com/>")?,
    /// #     protocols: vec![MailProtocol::Imap],
    /// #     ..AdvertisementConfig::default()
    /// # };
    /// # let facts = SessionFacts::default();
    /// # let advertisement = Advertisement::try_new(&config, &Facilities::new(), &facts)?;
    ///
    /// let server = IdParameters::parse(br#"("name" "Demo Server" "deep" "tls12")"#)?;
    /// let response = advertisement.merged_id(Some(&server)).ok_or("no IMAP")?;
    /// assert_eq!(response, "* ID (\"name\" \"Demo Server\" \"deep\" \"<https://www.example.com/>\")\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn merged_id(&self, server: Option<&IdParameters<'_>>) -> Option<String> {
        let line = self.id.as_deref()?;
        let list = line.strip_prefix("* ID ").unwrap_or_default().trim_end();
        // The line was written by this module.
        let own = IdParameters::parse(list.as_bytes()).unwrap_or_default();
        let is_status = |field: &str| {
            STATUS_FIELDS
                .iter()
                .any(|it| field.eq_ignore_ascii_case(it))
        };
        let mut merged = IdParameters::new();
        let server = server.into_iter().flat_map(IdParameters::pairs);
        let kept = server.filter(|(field, _)| !is_status(field));
        for (field, value) in kept.chain(own.pairs()) {
            match merged.try_push(field, value) {
                Err(error) if error.kind() != EncodeErrorKind::Duplicate => {
                    return Some(line.to_string());
                }
                _ => {}
            }
        }
        Some(format!("* ID {merged}\r\n"))
    }

    /// Answers SMTP's CLIENT command (section 7.3), a line without its CRLF, if SMTP is one of the protocols.
    /// `codes` are enhanced if the server advertises ENHANCEDSTATUSCODES (RFC 2034).
    ///
    /// ```
    /// # use deep_latch::{Advertisement, Facilities, MailProtocol, facts::SessionFacts};
    /// # use deep_latch::server::{AdvertisementConfig, ReplyCodes, TlsField};
    /// # let config = AdvertisementConfig {
    /// #     protocols: vec![MailProtocol::Smtp],
    /// #     ..AdvertisementConfig::default()
    /// # };
    /// # let facts = SessionFacts::default();
    /// # let advertisement = Advertisement::try_new(&config, &Facilities::new(), &facts)?;
    /// let line = b"CLIENT name=demo_submit version=1.5 latch=tls10,tls-cert";
    /// let answer = advertisement.answer_client(line, TlsField::Ignore, ReplyCodes::Basic).ok_or("no SMTP")?;
    /// assert_eq!(answer.response, "250 OK\r\n");
    /// let line = b"CLIENT latch=";
    /// let answer = advertisement.answer_client(line, TlsField::Ignore, ReplyCodes::Enhanced).ok_or("no SMTP")?;
    /// assert_eq!(answer.response, "501 5.5.4 Syntax error in parameters\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn answer_client(&self, line: &[u8], tls: TlsField, codes: ReplyCodes) -> Option<Answer> {
        self.ehlo.as_deref()?;
        // RFC 5321 section 4.1.1: white space at the end is tolerated.
        let end = line
            .iter()
            .rposition(|octet| !matches!(octet, b' ' | b'\t'));
        let line = line.get(..end.map_or(0, |end| end.saturating_add(1)));
        let report = core::str::from_utf8(line.unwrap_or_default())
            .map_err(|error| ParseError::new(ErrorKind::Character, "deep-cmd", error.valid_up_to()))
            .and_then(ClientReport::parse_client_command)
            .map(|report| tls.applied(report));
        let response = match (&report, codes) {
            (Ok(_), ReplyCodes::Basic) => "250 OK\r\n",
            (Ok(_), ReplyCodes::Enhanced) => "250 2.0.0 OK\r\n",
            (Err(_), ReplyCodes::Basic) => "501 Syntax error in parameters\r\n",
            (Err(_), ReplyCodes::Enhanced) => "501 5.5.4 Syntax error in parameters\r\n",
        };
        Some(Answer {
            response: response.to_string(),
            report,
        })
    }
}

impl TlsField {
    fn applied(self, mut report: ClientReport) -> ClientReport {
        if self == Self::Ignore {
            report.tls = None;
        }
        report
    }
}

/// Returns `* ID (...)`, with its CRLF.
fn id_line(config: &AdvertisementConfig) -> Result<String, EncodeError> {
    for (field, text) in [("name", &config.name), ("version", &config.version)] {
        // A line break would be written as a literal, which some clients do not support.
        let text = text.as_deref().unwrap_or_default();
        if !text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            return Err(EncodeError::new(EncodeErrorKind::Character, field));
        }
    }
    let (name, version) = (config.name.as_deref(), config.version.as_deref());
    let parameters = IdParameters::of_status(&config.status, config.field_names, name, version)?;
    Ok(format!("* ID {parameters}\r\n"))
}

/// Returns the host of a URL that was parsed before.
fn url_host(url: &str) -> &str {
    let uri = fluent_uri::Uri::parse(url).ok();
    let authority = uri.and_then(|uri| uri.authority());
    authority.map_or("", |authority| authority.host())
}
