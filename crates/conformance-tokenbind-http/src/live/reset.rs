//! A user resets keys and cookies (draft-balfanz-https-token-binding-00 section 4.2).

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use axum::{Router, routing::get};
use conformance::outcome::{Checked, different, passed, same};
use http_body_util::Full;
use tokenbind_http::{
    client::{ClearCookies, ClientError},
    federation::{Disclosure, WithheldReason},
    keys::{KeyStoreError, Reset},
    origin::Origin,
};
use tokenbind_wire::TokenBindingAlpn;

use super::{
    agent::Agent,
    site::{Setup, Site},
};

/// By origin.
#[derive(Default)]
struct Cookies(Mutex<BTreeMap<Origin, &'static str>>);

impl Cookies {
    fn all(&self) -> BTreeMap<Origin, &'static str> {
        let cookies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.clone()
    }

    fn set(&self, origin: Origin) {
        let mut cookies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cookies.insert(origin, "a cookie");
    }
}

impl ClearCookies for Cookies {
    fn clear(&self, which: &Reset) -> Result<(), KeyStoreError> {
        let mut cookies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match which {
            Reset::All => cookies.clear(),
            Reset::Origin(origin) => {
                cookies.remove(origin);
            }
        }
        Ok(())
    }
}

/// A request to each site; the identifiers they saw.
async fn visit(agent: &Agent, sites: [&Site; 2]) -> Checked<[String; 2]> {
    let mut ids = Vec::new();
    for site in sites {
        let answer = agent.get(&site.url("/")).await?;
        let parameters = answer.binding.party().negotiated;
        let parameters =
            parameters.ok_or_else(|| conformance::outcome::Failure::new("not bound"))?;
        let id = agent.provided(site.origin(), parameters)?;
        let seen: Vec<_> = site.seen().into_iter().map(|seen| seen.provided).collect();
        same("identifier", seen, [Some(id.clone())])?;
        ids.push(id);
    }
    Ok([ids.remove(0), ids.remove(0)])
}

pub(super) async fn keys() -> Checked {
    let app = || Router::new().fallback(get(|| async { "answered" }));
    let one = Setup::new(TokenBindingAlpn::Http11P256)
        .start(app())
        .await?;
    let other = Setup::new(TokenBindingAlpn::H2P256).start(app()).await?;
    let sites = [&one, &other];
    let agent = Agent::new(&TokenBindingAlpn::ALL)?;
    let cookies = Cookies::default();
    for site in sites {
        cookies.set(site.origin().clone());
    }

    let [first_one, first_other] = visit(&agent, sites).await?;
    different("one key a site", &first_one, &first_other)?;
    let again = visit(&agent, sites).await?;
    same(
        "the keys persist",
        &again,
        &[first_one.clone(), first_other.clone()],
    )?;
    let kept = agent.connect(&one).await?;
    let permission = agent.state.script_permission(true, one.origin())?;

    agent
        .state
        .reset(&Reset::Origin(one.origin().clone()), &cookies)?;
    let left = BTreeMap::from([(other.origin().clone(), "a cookie")]);
    same("cookies of one origin reset", cookies.all(), left)?;
    let of_kept = kept.binding().header(&agent.state, None);
    same(
        "a connection from before",
        of_kept,
        Err(ClientError::KeysReset),
    )?;
    let request = http::Request::get(other.url("/")).body(Full::default())?;
    let answer = agent.send(request, Some(permission)).await?;
    let withheld = Disclosure::Withhold(WithheldReason::KeysReset);
    same(
        "a permission from before",
        answer.disclosure,
        Some(withheld),
    )?;
    let seen: Vec<_> = other.seen().into_iter().map(|seen| seen.referred).collect();
    same("referred", seen, [None])?;
    let [second_one, second_other] = visit(&agent, sites).await?;
    different("a new key for the origin", &first_one, &second_one)?;
    same("the other's key", &second_other, &first_other)?;

    agent.state.reset(&Reset::All, &cookies)?;
    same("cookies all reset", cookies.all(), BTreeMap::new())?;
    let [third_one, third_other] = visit(&agent, sites).await?;
    different("a new key", &second_one, &third_one)?;
    different("a new key for the other, too", &second_other, &third_other)?;
    for site in sites {
        same("refusals", site.refusals(), [])?;
    }
    passed(
        "one origin's key and cookies reset, then all: new keys on new connections; connections and \
         permissions from before are of no use; HTTP/1.1, HTTP/2",
    )
}
