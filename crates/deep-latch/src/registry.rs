//! The registry "Email Security Tags", draft-newman-email-deep-02 sections 11.1 and 11.2: its entries, and the part of
//! an expert's review that a program can do.

use alloc::{borrow::Cow, vec::Vec};
use core::fmt;

use crate::{
    error::{ErrorKind, ParseError},
    tag::SecurityTag,
};

/// The name of the IMAP capability, the POP capability and the EHLO keyword, draft-newman-email-deep-02
/// sections 11.6 to 11.8.
pub const DEEP: &str = "DEEP";

/// "Intended Usage", draft-newman-email-deep-02 section 11.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntendedUsage {
    /// `COMMON`
    Common,
    /// `LIMITED USE`
    LimitedUse,
    /// `OBSOLETE`
    Obsolete,
}

impl IntendedUsage {
    /// All usages.
    pub const ALL: [Self; 3] = [Self::Common, Self::LimitedUse, Self::Obsolete];

    /// Returns the usage in the spelling of the registry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Common => "COMMON",
            Self::LimitedUse => "LIMITED USE",
            Self::Obsolete => "OBSOLETE",
        }
    }

    /// Returns the usage of a text in the spelling of the registry.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|usage| usage.as_str() == text)
    }
}

impl fmt::Display for IntendedUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The fields of a registration, draft-newman-email-deep-02 section 11.1, as they were submitted:
/// [`Registry::review`] reports the faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration<'a> {
    /// "Name"
    pub name: Cow<'a, str>,
    /// "Description": the meaning, and the conditions under which the tag is latched.
    pub description: Cow<'a, str>,
    /// "Intended Usage": see [`IntendedUsage`].
    pub intended_usage: Cow<'a, str>,
    /// "Reference", which is optional.
    pub reference: Option<Cow<'a, str>>,
    /// "Submitter"
    pub submitter: Cow<'a, str>,
    /// "Change Controller"
    pub change_controller: Cow<'a, str>,
}

impl Registration<'_> {
    /// Returns the name as a tag.
    ///
    /// # Errors
    /// Returns an error if the name is not a `security-tag`.
    pub fn tag(&self) -> Result<SecurityTag<'_>, ParseError> {
        SecurityTag::parse(&self.name)
    }

    fn is_of(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The origin of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A document that the IETF produces.
    Ietf,
    /// Anywhere else.
    Other,
}

/// A finding of a review. Section 11.1 has more criteria for an expert: the clarity of the description, and its
/// consequences for security, privacy and interoperability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Finding {
    /// The name does not follow the ABNF.
    Name(ParseError),
    /// The name is registered, perhaps in other letters' case: names are equal without regard to it.
    AlreadyRegistered,
    /// The name is not registered: there is nothing to update.
    NotRegistered,
    /// There is no description.
    NoDescription,
    /// The description does not say when the tag is latched.
    NoLatchCondition,
    /// The description is that of a registered tag. The review does not report this for `LIMITED USE`, for which overlap
    /// is less of a concern.
    SameDescription,
    /// The intended usage is not one of [`IntendedUsage`].
    UnknownUsage,
    /// The reference is empty: it should be omitted.
    BlankReference,
    /// There is no submitter.
    NoSubmitter,
    /// There is no change controller.
    NoChangeController,
    /// The document is one of the IETF, and the change controller is not the IESG.
    ChangeControllerNotIesg,
    /// The submitter may not be changed.
    SubmitterChanged,
    /// Neither the change controller of the entry nor the IESG asks for the update.
    NotItsChangeController,
}

impl Finding {
    /// Returns the finding's name in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::AlreadyRegistered => "already-registered",
            Self::NotRegistered => "not-registered",
            Self::NoDescription => "no-description",
            Self::NoLatchCondition => "no-latch-condition",
            Self::SameDescription => "same-description",
            Self::UnknownUsage => "unknown-usage",
            Self::BlankReference => "blank-reference",
            Self::NoSubmitter => "no-submitter",
            Self::NoChangeController => "no-change-controller",
            Self::ChangeControllerNotIesg => "change-controller-not-iesg",
            Self::SubmitterChanged => "submitter-changed",
            Self::NotItsChangeController => "not-its-change-controller",
        }
    }

    /// Returns `true` if the registration cannot be accepted as it is. Other findings are for an expert to judge.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        !matches!(self, Self::NoLatchCondition | Self::SameDescription)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name(error) => match error.kind() {
                ErrorKind::Limit { limit } => {
                    return write!(f, "the name is longer than {limit} characters");
                }
                _ => {
                    let place = error.offset();
                    return write!(f, "the name does not follow the ABNF at byte {place}");
                }
            },
            Self::AlreadyRegistered => "the name is registered already",
            Self::NotRegistered => "the name is not registered",
            Self::NoDescription => "there is no description",
            Self::NoLatchCondition => "the description does not say when the tag is latched",
            Self::SameDescription => "the description is that of a registered tag",
            Self::UnknownUsage => "the intended usage is not COMMON, LIMITED USE or OBSOLETE",
            Self::BlankReference => "the reference is empty",
            Self::NoSubmitter => "there is no submitter",
            Self::NoChangeController => "there is no change controller",
            Self::ChangeControllerNotIesg => {
                "the change controller of an IETF document's registration is not IESG"
            }
            Self::SubmitterChanged => "the submitter may not be changed",
            Self::NotItsChangeController => {
                "the update is requested neither by the entry's change controller nor by the IESG"
            }
        })
    }
}

/// The change controller of documents of the IETF.
const IESG: &str = "IESG";

/// The registry of security tags.
///
/// ```
/// use deep_latch::registry::{Finding, Origin, Registration, Registry};
///
/// let registry = Registry::initial();
/// let registration = Registration {
///     name: "TLS12".into(),
///     description: "TLS 1.2 or later. It is latched whenever it is seen.".into(),
///     intended_usage: "COMMON".into(),
///     reference: None,
///     submitter: "A. Person".into(),
///     change_controller: "A. Person".into(),
/// };
/// let findings = registry.review(&registration, Origin::Other);
/// assert_eq!(findings, [Finding::AlreadyRegistered]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    entries: Vec<Registration<'static>>,
}

impl Registry {
    /// Creates the registry with the tags of section 11.2.
    #[must_use]
    pub fn initial() -> Self {
        let entries = INITIAL.into_iter().map(|(name, description)| Registration {
            name: name.into(),
            description: description.into(),
            intended_usage: IntendedUsage::Common.as_str().into(),
            reference: Some("draft-newman-email-deep-02".into()),
            submitter: "Authors of draft-newman-email-deep-02".into(),
            change_controller: IESG.into(),
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// Returns the registrations.
    pub fn entries(&self) -> impl Iterator<Item = &Registration<'static>> {
        self.entries.iter()
    }

    /// Returns the registration of a tag.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Registration<'static>> {
        self.entries().find(|entry| entry.is_of(name))
    }

    /// Reviews a new registration as far as that is possible without an expert. A review without findings does not mean
    /// that the registration is good.
    #[must_use]
    pub fn review(&self, registration: &Registration<'_>, origin: Origin) -> Vec<Finding> {
        let taken = self.entry(&registration.name).is_some();
        let taken = taken.then_some(Finding::AlreadyRegistered);
        taken
            .into_iter()
            .chain(self.review_fields(registration, origin))
            .collect()
    }

    /// Reviews an update of the entry of the same name, as far as that is possible without an expert. `by` is the party
    /// that requests the update: the entry's change controller, or the IESG, which may change any aspect.
    #[must_use]
    pub fn review_update(
        &self,
        registration: &Registration<'_>,
        origin: Origin,
        by: &str,
    ) -> Vec<Finding> {
        let Some(entry) = self.entry(&registration.name) else {
            return Vec::from([Finding::NotRegistered]);
        };
        let mut findings = Vec::new();
        if by != IESG {
            if by != entry.change_controller {
                findings.push(Finding::NotItsChangeController);
            }
            if entry.submitter != registration.submitter {
                findings.push(Finding::SubmitterChanged);
            }
        }
        findings.extend(self.review_fields(registration, origin));
        findings
    }

    /// Adds a registration that an expert has approved.
    ///
    /// ```
    /// # use deep_latch::registry::{Finding, Origin, Registry};
    /// let mut registry = Registry::initial();
    /// let again = registry.entries().next().cloned().ok_or("an entry")?;
    /// assert_eq!(registry.register(again, Origin::Ietf), Err(vec![Finding::AlreadyRegistered]));
    /// # Ok::<(), &str>(())
    /// ```
    ///
    /// # Errors
    /// Returns the findings that are refusals. The registry is unchanged then.
    pub fn register(
        &mut self,
        registration: Registration<'static>,
        origin: Origin,
    ) -> Result<(), Vec<Finding>> {
        let mut findings = self.review(&registration, origin);
        findings.retain(|finding| finding.is_refusal());
        if !findings.is_empty() {
            return Err(findings);
        }
        self.entries.push(registration);
        Ok(())
    }

    fn review_fields(
        &self,
        registration: &Registration<'_>,
        origin: Origin,
    ) -> impl Iterator<Item = Finding> {
        let blank = |text: &str| text.trim().is_empty();
        let Registration {
            name: _,
            description,
            intended_usage,
            reference,
            submitter,
            change_controller,
        } = registration;
        let same = |entry: &Registration<'_>| {
            !entry.is_of(&registration.name)
                && (entry.description.split_whitespace()).eq(description.split_whitespace())
        };
        let usage = IntendedUsage::of(intended_usage);
        let described = !blank(description);
        let latches = description.to_ascii_lowercase().contains("latch");
        let overlaps = usage != Some(IntendedUsage::LimitedUse) && self.entries().any(same);
        let controlled = !blank(change_controller);
        let wrong_controller = origin == Origin::Ietf && change_controller != IESG;
        [
            registration.tag().err().map(Finding::Name),
            (!described).then_some(Finding::NoDescription),
            (described && !latches).then_some(Finding::NoLatchCondition),
            (described && overlaps).then_some(Finding::SameDescription),
            usage.is_none().then_some(Finding::UnknownUsage),
            (reference.as_deref().is_some_and(blank)).then_some(Finding::BlankReference),
            blank(submitter).then_some(Finding::NoSubmitter),
            (!controlled).then_some(Finding::NoChangeController),
            (controlled && wrong_controller).then_some(Finding::ChangeControllerNotIesg),
        ]
        .into_iter()
        .flatten()
    }
}

/// Name and description, section 11.2.
const INITIAL: [(&str, &str); 4] = [
    (
        "tls10",
        "This indicates TLS version 1.0 [RFC2246] or later was negotiated successfully including \
         negotiation of a strong encryption layer with a symmetric key of at least 128 bits. This tag \
         does not indicate the server certificate was valid. This tag is latched if the client sees \
         this tag in the advertised server DEEP status provided after successfully negotiating TLS \
         version 1.0 or later.",
    ),
    (
        "tls12",
        "This indicates TLS version 1.2 [RFC5246] or later was negotiated successfully including \
         negotiation of a strong encryption layer with a symmetric key of at least 128 bits. This tag \
         does not indicate the server certificate was valid. This tag is latched if the client sees \
         this tag in the advertised server DEEP status provided after successfully negotiating TLS \
         version 1.2 or later.",
    ),
    (
        "tls-cert",
        "This tag indicates that TLS was successfully negotiated and the server certificate was \
         successfully verified by the client using PKIX [RFC5280] and the server certificate identity \
         was verified using the algorithm appropriate for the protocol (see Section 4). This tag is \
         latched if the client sees this tag in the advertised server DEEP status after successfully \
         negotiating TLS and verifying the certificate and server identity.",
    ),
    (
        "tls-dane-tlsa",
        "This tag indicates that TLS was successfully negotiated and the server certificate was \
         successfully verified by the client using the procedures described in [RFC6698] and the \
         server certificate identity was verified using the algorithm appropriate for the protocol \
         (see Section 4). This tag is latched if the client sees this tag in the advertised server \
         DEEP status after successfully negotiating TLS and verifying the certificate and server \
         identity.",
    ),
];
