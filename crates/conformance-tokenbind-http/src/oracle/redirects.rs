//! The referred bindings that a redirect or a script reveals.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use conformance::oracle::{Broken, broken};
use tokenbind_http::{
    client,
    federation::{Disclosure, Party, Permission, WithheldReason},
    keys::{Key, KeyStore, KeyStoreError, KeyStoreErrorKind},
    origin::{Origin, Scope},
};
use tokenbind_wire::{
    EncodingProfile, KeyParameters, P256Key, PublicKey, Sign, SignError, Signature, SignedOctets,
    TokenBindingAlpn, TokenBindingMessageRef,
};

use super::{header::web_safe, session::session};

/// One redirect: the response, and where it leads.
#[derive(Clone, Debug)]
pub struct Hop {
    /// The response's status.
    pub status: u16,
    /// The values of its `Include-Referer-Token-Binding-ID` headers.
    pub values: Vec<Vec<u8>>,
    /// The next request's origin, and what is negotiated with it.
    pub to: Party,
}

/// A public key for each scope and kind, with invalid signatures: only the signed octets and the key matter here.
struct Stubs;

struct Stub(PublicKey);

impl Sign for Stub {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign(&self, _: &SignedOctets) -> Result<Signature, SignError> {
        Ok(match self.0.parameters() {
            KeyParameters::P256 => Signature::P256([1; 64]),
            _ => Signature::Rsa2048(Box::new([1; 256])),
        })
    }
}

impl KeyStore for Stubs {
    fn key(&self, scope: &Scope, parameters: KeyParameters) -> Result<Key, KeyStoreError> {
        static KEYS: LazyLock<Mutex<HashMap<String, PublicKey>>> = LazyLock::new(Mutex::default);
        if parameters == KeyParameters::Rsa2048 {
            let mut modulus = vec![0xff; 256];
            let text = scope.as_str().bytes().chain([0]);
            modulus
                .iter_mut()
                .skip(1)
                .zip(text)
                .for_each(|(to, octet)| *to = octet);
            let publicexponent = vec![1, 0, 1];
            return Ok(Arc::new(Stub(PublicKey::Rsa2048 {
                modulus,
                publicexponent,
            })));
        }
        let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = keys.get(scope.as_str()) {
            return Ok(Arc::new(Stub(key.clone())));
        }
        let new = P256Key::generate().map_err(|_| KeyStoreErrorKind::Backend)?;
        let new = new.public_key().clone();
        keys.insert(scope.as_str().to_owned(), new.clone());
        Ok(Arc::new(Stub(new)))
    }

    fn reset(&self, _: Option<&Scope>) -> Result<(), KeyStoreError> {
        Ok(())
    }
}

/// A client with connections to parties.
struct Browser {
    state: client::State,
    connections: u8,
}

impl Browser {
    fn new() -> Self {
        Self {
            state: client::State::new(Stubs, client::Options::default()),
            connections: 0,
        }
    }

    fn connect(&mut self, party: &Party) -> Result<client::Connection, Broken> {
        self.connections = self.connections.wrapping_add(1);
        let alpn = party.negotiated.map(|parameters| match parameters {
            KeyParameters::Rsa2048 => TokenBindingAlpn::Http11Rsa2048,
            _ => TokenBindingAlpn::Http11P256,
        });
        let session = alpn
            .map(|alpn| session(alpn, self.connections))
            .transpose()?;
        Ok(self.state.connection(party.origin.clone(), session))
    }

    /// Sends a request, and sees that its header holds what the disclosure says, under the keys of
    /// the parties.
    fn request(
        &self,
        to: &client::Connection,
        permission: Result<Permission, WithheldReason>,
    ) -> Result<Disclosure, Broken> {
        let (permission, withheld) = match permission {
            Ok(permission) => (Some(permission), None),
            Err(reason) => (None, Some(Disclosure::Withhold(reason))),
        };
        let header = to.header(&self.state, permission).map_err(broken)?;
        let disclosure = match (withheld, header.disclosure) {
            (Some(withheld), None) => withheld,
            (None, Some(disclosure)) => disclosure,
            _ => return Err("a disclosure without a permission, or none with one".into()),
        };
        let Some(negotiated) = to.party().negotiated else {
            let sent = header.value.is_some() || matches!(disclosure, Disclosure::Reveal(_));
            return if sent {
                Err("a header though nothing was negotiated".into())
            } else {
                Ok(disclosure)
            };
        };
        let value = header.value.ok_or("no header though negotiated")?;
        let octets = web_safe(value.as_bytes(), false).map_err(|error| format!("{error:?}"))?;
        let message = TokenBindingMessageRef::from_bytes(&octets, EncodingProfile::default())
            .map_err(broken)?;
        let provided = message.provided().ok_or("no provided binding")?.id();
        if provided.key_id() != key_id(to.origin(), negotiated)? {
            return Err("the provided binding is of another key".into());
        }
        let referred = message.referred().map(|binding| binding.id().key_id());
        let expected = match &disclosure {
            Disclosure::Reveal(referral) => {
                Some(key_id(referral.consumer(), referral.parameters())?)
            }
            Disclosure::Withhold(_) => None,
        };
        if referred != expected.as_deref() {
            return Err("the referred binding is not what is disclosed".into());
        }
        if message.token_bindings().len() != 1 + usize::from(expected.is_some()) {
            return Err("another binding is sent".into());
        }
        Ok(disclosure)
    }
}

fn key_id(origin: &Origin, parameters: KeyParameters) -> Result<Vec<u8>, Broken> {
    use tokenbind_wire::{PointEncoding, TokenBindingId, TokenBindingType};
    let scope = client::Options::default().scope.scope(origin);
    let key = Stubs.key(&scope, parameters).map_err(broken)?;
    let id = TokenBindingId::try_new(
        TokenBindingType::REFERRED,
        key.public_key(),
        PointEncoding::X962,
    );
    Ok(id.map_err(broken)?.key_id().to_vec())
}

/// A disclosure as plain data, from the parties or from the client.
fn plain(disclosure: &Disclosure) -> Result<(String, &'static str), &'static str> {
    match disclosure {
        Disclosure::Reveal(referral) => Ok((
            referral.consumer().to_string(),
            referral.parameters().name(),
        )),
        Disclosure::Withhold(reason) => Err(reason.name()),
    }
}

/// Sections 3.3 and 3.4 once more: what may be revealed if it was asked for.
fn may_reveal(
    asked: Result<(), &'static str>,
    consumer: &Party,
    provider: &Party,
) -> Result<(String, &'static str), &'static str> {
    asked?;
    let parameters = consumer.negotiated.ok_or("consumer-not-negotiated")?;
    if provider.negotiated.is_none() {
        Err("provider-not-negotiated")
    } else if consumer.origin == provider.origin {
        Err("same-origin")
    } else {
        Ok((consumer.origin.to_string(), parameters.name()))
    }
}

/// Redirects from one party to the next: what each request reveals is what its own response
/// permits, by the rule; and its header holds the keys of the parties, and nothing else.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn redirects(consumer: &Party, hops: &[Hop]) -> Result<Vec<Disclosure>, Broken> {
    let mut browser = Browser::new();
    let mut from = browser.connect(consumer)?;
    let mut disclosures = Vec::new();
    for hop in hops {
        let to = browser.connect(&hop.to)?;
        let values = hop.values.iter().map(Vec::as_slice);
        let disclosure = browser.request(&to, from.redirect_permission(hop.status, values))?;
        let asked = match (hop.values.as_slice(), hop.status) {
            ([], _) => Err("not-asked"),
            ([_, _, ..], _) => Err("duplicate-header"),
            ([_], status) if status != 301 && status != 302 => Err("status"),
            ([value], _) if value == b"true" => Ok(()),
            _ => Err("header-value"),
        };
        let expected = may_reveal(asked, &from.party(), &hop.to);
        if plain(&disclosure) != expected {
            return Err(format!("{disclosure:?}, not {expected:?}"));
        }
        disclosures.push(disclosure);
        from = to;
    }
    Ok(disclosures)
}

/// A request of a page of `consumer` to `provider`, with the property `withRefererTokenBindingID`.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn script(asked: bool, consumer: &Party, provider: &Party) -> Result<Disclosure, Broken> {
    let mut browser = Browser::new();
    browser.connect(consumer)?;
    let to = browser.connect(provider)?;
    // The page's own connection is the latest with its origin.
    browser.connect(consumer)?;
    let permission = browser.state.script_permission(asked, &consumer.origin);
    if permission != Permission::by_script(asked, consumer) {
        return Err("the client does not know what was negotiated".into());
    }
    let disclosure = browser.request(&to, permission)?;
    let asked = asked.then_some(()).ok_or("not-asked");
    let expected = may_reveal(asked, consumer, provider);
    if plain(&disclosure) != expected {
        return Err(format!("{disclosure:?}, not {expected:?}"));
    }
    Ok(disclosure)
}

/// Redirects and a script's request from any bytes: a party; then hops, of a party, a choice of
/// status, and the number of headers with their values.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn redirect(data: &[u8]) -> Result<(), Broken> {
    let Some((&first, mut data)) = data.split_first() else {
        return Ok(());
    };
    let consumer = chosen_party(first)?;
    let mut hops: Vec<Hop> = Vec::new();
    while let [to, status, headers, rest @ ..] = data
        && hops.len() < 8
    {
        data = rest;
        let mut values = Vec::new();
        for _ in 0..headers % 3 {
            let (&length, rest) = data.split_first().unwrap_or((&0, &[]));
            let (value, rest) = rest.split_at(usize::from(length).min(rest.len()));
            values.push(value.to_vec());
            data = rest;
        }
        hops.push(Hop {
            status: 290 + u16::from(*status),
            values,
            to: chosen_party(*to)?,
        });
    }
    redirects(&consumer, &hops)?;
    let provider = hops.first().map_or(&consumer, |hop| &hop.to);
    for asked in [false, true] {
        // A page has one origin, and knows it by its latest connection.
        if provider.origin != consumer.origin || provider == &consumer {
            script(asked, &consumer, provider).map(drop)?;
        }
    }
    Ok(())
}

fn chosen_party(choice: u8) -> Result<Party, Broken> {
    let origins = [
        "https://rp.example",
        "https://idp.example",
        "https://rp.example:8443",
        "https://a.rp.example",
    ];
    Ok(Party {
        origin: origins[usize::from(choice & 3)].parse().map_err(broken)?,
        negotiated: match choice >> 2 & 3 {
            0 => None,
            1 => Some(KeyParameters::Rsa2048),
            _ => Some(KeyParameters::P256),
        },
    })
}
