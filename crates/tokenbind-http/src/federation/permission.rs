//! The client's decision to reveal its binding with a token consumer to a token provider
//! (draft-balfanz-https-token-binding-00 sections 3.3 and 3.4). In doubt the binding is withheld.

use std::fmt;

use tokenbind_wire::KeyParameters;

use crate::origin::Origin;

/// The properties of a connection that the decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The origin of the connection.
    pub origin: Origin,
    /// The key parameters negotiated on the connection; `None` without Token Binding.
    pub negotiated: Option<KeyParameters>,
}

/// The reason why a binding is not revealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WithheldReason {
    /// The response has no `Include-Referer-Token-Binding-ID`, or the option is not set.
    NotAsked,
    /// The header appears more than once.
    DuplicateHeader,
    /// The header's value is not `true`.
    HeaderValue,
    /// balfanz-3-3-3: the status is neither 301 nor 302.
    Status,
    /// Token Binding was not negotiated with the token consumer.
    ConsumerNotNegotiated,
    /// Token Binding was not negotiated with the token provider.
    ProviderNotNegotiated,
    /// Consumer and provider are one origin: one key must not sign twice.
    SameOrigin,
    /// The keys were reset after the permission was given.
    KeysReset,
}

impl WithheldReason {
    /// Returns the name as it appears in conformance vectors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::DuplicateHeader => "duplicate-header",
            Self::HeaderValue => "header-value",
            Self::Status => "status",
            Self::ConsumerNotNegotiated => "consumer-not-negotiated",
            Self::ProviderNotNegotiated => "provider-not-negotiated",
            Self::SameOrigin => "same-origin",
            Self::KeysReset => "keys-reset",
        }
    }
}

impl fmt::Display for WithheldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for WithheldReason {}

/// A token consumer's permission to reveal the client's binding with it, for the one request that
/// its redirect or script makes: it cannot be cloned, and deciding uses it up.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Permission {
    consumer: Origin,
    parameters: KeyParameters,
    /// The generation of the keys when the permission was given; see `client::State::reset`.
    pub(crate) generation: u64,
}

/// The decision about a referred binding in the request to the token provider.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Disclosure {
    /// Sign with the client's key for this origin, and with the parameters negotiated with it
    /// (section 3.5), whatever those of the provider.
    Reveal(Referral),
    /// Send the provided binding only.
    Withhold(WithheldReason),
}

/// The key to sign the referred binding with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    consumer: Origin,
    parameters: KeyParameters,
}

impl Referral {
    /// Returns the token consumer.
    #[must_use]
    pub const fn consumer(&self) -> &Origin {
        &self.consumer
    }

    /// Returns the parameters negotiated with the token consumer.
    #[must_use]
    pub const fn parameters(&self) -> KeyParameters {
        self.parameters
    }
}

impl Permission {
    /// Returns the permission that a response of `consumer` gives (section 3.3). `status` is that of the
    /// response; `values` must be the values of all its `Include-Referer-Token-Binding-ID` headers.
    ///
    /// # Errors
    /// [`WithheldReason::NotAsked`], [`DuplicateHeader`](WithheldReason::DuplicateHeader) or
    /// [`HeaderValue`](WithheldReason::HeaderValue) if there is not exactly one header with the value
    /// `true`; [`Status`](WithheldReason::Status) if the status is neither 301 nor 302;
    /// [`ConsumerNotNegotiated`](WithheldReason::ConsumerNotNegotiated) if Token Binding was not negotiated
    /// with `consumer`.
    pub fn by_redirect<'v>(
        status: u16,
        values: impl IntoIterator<Item = &'v [u8]>,
        consumer: &Party,
    ) -> Result<Self, WithheldReason> {
        let mut values = values.into_iter();
        // balfanz-3-3-2
        let value = values.next().ok_or(WithheldReason::NotAsked)?;
        if values.next().is_some() {
            return Err(WithheldReason::DuplicateHeader);
        }
        if !matches!(status, 301 | 302) {
            // balfanz-3-3-3
            return Err(WithheldReason::Status);
        }
        if value != b"true" {
            return Err(WithheldReason::HeaderValue);
        }
        Self::of(consumer)
    }

    /// Returns the permission that a page of `consumer` gives with the option
    /// `with_referer_token_binding_id` of a request (section 3.4).
    ///
    /// # Errors
    /// [`WithheldReason::NotAsked`] if the option is `false`;
    /// [`ConsumerNotNegotiated`](WithheldReason::ConsumerNotNegotiated) if Token Binding was not negotiated
    /// with `consumer`.
    pub fn by_script(
        with_referer_token_binding_id: bool,
        consumer: &Party,
    ) -> Result<Self, WithheldReason> {
        if !with_referer_token_binding_id {
            // balfanz-3-4-1
            return Err(WithheldReason::NotAsked);
        }
        Self::of(consumer)
    }

    fn of(consumer: &Party) -> Result<Self, WithheldReason> {
        let negotiated = consumer.negotiated;
        Ok(Self {
            consumer: consumer.origin.clone(),
            // balfanz-3-3-4, balfanz-3-4-2, balfanz-3-5-1
            parameters: negotiated.ok_or(WithheldReason::ConsumerNotNegotiated)?,
            generation: 0,
        })
    }

    pub(crate) fn of_generation(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    /// Returns a copy for the same request over another connection, after the first failed.
    #[cfg(feature = "hyper")]
    pub(crate) fn for_another_attempt(&self) -> Self {
        Self {
            consumer: self.consumer.clone(),
            parameters: self.parameters,
            generation: self.generation,
        }
    }

    /// Decides if the request to `provider` reveals the binding (sections 3.3 and 3.4).
    pub fn disclose(self, provider: &Party) -> Disclosure {
        let Self {
            consumer,
            parameters,
            ..
        } = self;
        if provider.negotiated.is_none() {
            // balfanz-3-3-4, balfanz-3-4-2
            Disclosure::Withhold(WithheldReason::ProviderNotNegotiated)
        } else if provider.origin == consumer {
            // balfanz-4-2-3
            Disclosure::Withhold(WithheldReason::SameOrigin)
        } else {
            Disclosure::Reveal(Referral {
                consumer,
                parameters,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(origin: &str, negotiated: Option<KeyParameters>) -> Party {
        Party {
            origin: origin.parse().expect("an origin"),
            negotiated,
        }
    }

    #[test]
    fn permits_under_two_statuses_of_all() {
        let consumer = party("https://rp.example", Some(KeyParameters::P256));
        let permits =
            |status: &u16| match Permission::by_redirect(*status, [&b"true"[..]], &consumer) {
                Ok(permission) => permission.consumer == consumer.origin,
                Err(reason) => {
                    assert_eq!(reason, WithheldReason::Status);
                    false
                }
            };
        let permitting: Vec<_> = (0..=u16::MAX).filter(permits).collect();
        assert_eq!(permitting, [301, 302]);
    }

    #[test]
    fn permits_with_the_parameters_of_the_connection_that_gave_the_permission() {
        use KeyParameters::{P256, Rsa2048};
        let provider = party("https://idp.example", Some(P256));
        for parameters in [P256, Rsa2048] {
            let consumer = party("https://rp.example", Some(parameters));
            let by_redirect = Permission::by_redirect(301, [&b"true"[..]], &consumer);
            let by_script = Permission::by_script(true, &consumer);
            assert_eq!(by_redirect, by_script);
            let referral = Referral {
                consumer: consumer.origin,
                parameters,
            };
            for permission in [by_redirect, by_script] {
                let disclosure = permission.expect("permitted").disclose(&provider);
                assert_eq!(disclosure, Disclosure::Reveal(referral.clone()));
            }
        }
    }

    #[test]
    fn reveals_nothing_within_one_origin() {
        let consumer = party("https://rp.example", Some(KeyParameters::P256));
        for (provider, reason) in [
            (consumer.clone(), WithheldReason::SameOrigin),
            (
                party("https://rp.example:443/x", Some(KeyParameters::Rsa2048)),
                WithheldReason::SameOrigin,
            ),
            (
                party("https://rp.example", None),
                WithheldReason::ProviderNotNegotiated,
            ),
        ] {
            let permission = Permission::by_script(true, &consumer).expect("permitted");
            assert_eq!(permission.disclose(&provider), Disclosure::Withhold(reason));
        }
    }

    #[test]
    fn names_reasons_as_the_vectors_do() {
        let reasons = [
            WithheldReason::NotAsked,
            WithheldReason::DuplicateHeader,
            WithheldReason::HeaderValue,
            WithheldReason::Status,
            WithheldReason::ConsumerNotNegotiated,
            WithheldReason::ProviderNotNegotiated,
            WithheldReason::SameOrigin,
            WithheldReason::KeysReset,
        ];
        let names = reasons.map(|reason| reason.to_string()).join(" ");
        let expected = "not-asked duplicate-header header-value status consumer-not-negotiated \
                        provider-not-negotiated same-origin keys-reset";
        assert_eq!(names, expected);
    }
}
