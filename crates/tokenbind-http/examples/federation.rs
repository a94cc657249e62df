//! Federation (draft-balfanz-https-token-binding-00 section 3.3): a token provider binds a token to
//! the key that the client uses with a token consumer, and no other client can use it there.
//!
//! ```sh
//! cargo run -p tokenbind-http --features client,hmac,hyper --example federation
//! ```
//!
//! Three parties over TLS on loopback, the consumer with P-256 over HTTP/2, the provider with
//! RSA-2048 over HTTP/1.1 (section 3.5: each binding keeps its own algorithm). Ends with an error if
//! anything is not as it must be.

mod loopback;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{
    Response, StatusCode,
    header::{HeaderValue, LOCATION},
};
use loopback::{Error, Localhost, Result, get, must, serve, short, text};
use tokenbind_http::{
    ProvidedTokenBinding, ReferredTokenBinding,
    client::{Disclosed, HttpClient, RequestOptions},
    federation::{Disclosure, TokenToIssue, redirect_to_provider},
    header::INCLUDE_REFERER_TOKEN_BINDING_ID,
    sealed_tokens::{BoundTokens, SealedTokenVerdict, TokenKeyId, TokenKeys},
    server,
};
use tokenbind_wire::{TokenBindingAlpn, token::DiscardReason};
use tokio::net::TcpListener;

/// The lifetime of a token.
const LIFETIME: Duration = Duration::from_secs(300);

/// The tokens for this consumer: both services have the secret.
type Tokens = Arc<BoundTokens>;

fn tokens() -> Result<Tokens> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    let keys = TokenKeys::try_new(TokenKeyId(1), &secret)?;
    Ok(Arc::new(BoundTokens::try_new(
        Arc::new(keys),
        "login at the consumer",
    )?))
}

/// Issues a token (section 3.5): bound to the key of the referred binding, or unbound if there is no binding that the
/// provider can verify.
fn issue(tokens: &Tokens, referred: Option<&ReferredTokenBinding>) -> Result<String> {
    let expires = SystemTime::now().checked_add(LIFETIME);
    let expires = expires.ok_or("the clock is at its end")?;
    Ok(tokens.seal(&TokenToIssue::from_referred(referred), b"alice", expires)?)
}

/// Returns `true` if the token is valid on a connection with this provided binding.
fn check(
    tokens: &Tokens,
    token: &str,
    provided: Option<&ProvidedTokenBinding>,
) -> SealedTokenVerdict {
    let connection = provided.and_then(|binding| binding.id().provided());
    tokens.open(token.as_bytes(), connection, SystemTime::now())
}

/// The token consumer: who comes without a token is sent to the provider for one.
fn consumer(
    request: &server::Request,
    tokens: &Tokens,
    provider: &str,
) -> Result<Response<String>> {
    let provided = request.extensions().get::<ProvidedTokenBinding>();
    let key = provided.map_or_else(|| "none".into(), |binding| short(binding.id()));
    let token = request
        .uri()
        .query()
        .and_then(|query| query.strip_prefix("token="));
    let mut response = Response::new(String::new());
    match token {
        None => {
            println!("   consumer sees key {key}, and no token");
            // Section 3.3: the client may reveal its binding with us to where it is sent.
            response = redirect_to_provider(&format!("{provider}/token"))?;
        }
        Some(token) => match check(tokens, token, provided) {
            SealedTokenVerdict::HonorBound(_) => {
                println!("   consumer sees key {key}, and a token that is bound to it");
                *response.body_mut() = "welcome".to_owned();
            }
            verdict => {
                println!("   consumer sees key {key}, and a token: {verdict:?}");
                *response.status_mut() = StatusCode::UNAUTHORIZED;
                *response.body_mut() = match verdict {
                    SealedTokenVerdict::Discard(refusal) => refusal.kind().name().to_owned(),
                    _ => String::new(),
                };
            }
        },
    }
    Ok(response)
}

/// The token provider: whoever comes gets a token for the consumer. (It would ask for a password
/// first.)
fn provider(
    request: &server::Request,
    tokens: &Tokens,
    consumer: &str,
) -> Result<Response<String>> {
    let provided = request.extensions().get::<ProvidedTokenBinding>();
    let referred = request.extensions().get::<ReferredTokenBinding>();
    let key = provided.map_or_else(|| "none".into(), |binding| short(binding.id()));
    let referred_key = match referred {
        Some(ReferredTokenBinding::Verified(id)) => short(id),
        Some(ReferredTokenBinding::Unsupported(algorithm)) => format!("{algorithm:?}"),
        None => "none".to_owned(),
    };
    println!("   provider sees key {key}, and referred key {referred_key}");
    let token = issue(tokens, referred)?;
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::FOUND;
    let location = HeaderValue::from_str(&format!("{consumer}/?token={token}"))?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

fn answer(response: Result<Response<String>>) -> Response<String> {
    response.unwrap_or_else(|error| {
        let mut response = Response::new(error.to_string());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

fn location<B>(response: &Response<B>) -> Result<String> {
    let location = response.headers().get(LOCATION).ok_or("no redirect")?;
    Ok(location.to_str()?.to_owned())
}

/// Returns the consumer's answer to a client that requests this URL.
async fn try_token(client: &HttpClient, url: &str) -> Result<(StatusCode, String)> {
    let response = client.request(get(url)?, RequestOptions::default()).await?;
    Ok((response.status(), text(response).await?))
}

#[tokio::main]
async fn main() -> Result<()> {
    let localhost = Localhost::new()?;
    let (at_consumer, at_provider) = (
        TcpListener::bind(("127.0.0.1", 0)).await?,
        TcpListener::bind(("127.0.0.1", 0)).await?,
    );
    let url = |listener: &TcpListener| {
        let port = listener.local_addr()?.port();
        Ok::<_, Error>(format!("https://localhost:{port}"))
    };
    let (consumer_url, provider_url) = (url(&at_consumer)?, url(&at_provider)?);
    println!(
        "token consumer {consumer_url}, {}",
        TokenBindingAlpn::H2P256.as_str()
    );
    println!(
        "token provider {provider_url}, {}",
        TokenBindingAlpn::Http11Rsa2048.as_str()
    );

    let tokens = tokens()?;
    let (known, to) = (tokens.clone(), provider_url.clone());
    serve(
        at_consumer,
        localhost.acceptor(&[TokenBindingAlpn::H2P256])?,
        move |request| answer(consumer(&request, &known, &to)),
    );
    let (known, to) = (tokens.clone(), consumer_url.clone());
    serve(
        at_provider,
        localhost.acceptor(&[TokenBindingAlpn::Http11Rsa2048])?,
        move |request| answer(provider(&request, &known, &to)),
    );

    // `Client::request` would do all three steps by itself; one by one they can be looked at.
    let client = localhost.client(&TokenBindingAlpn::ALL)?;
    println!("\n1. client to consumer: GET {consumer_url}/");
    let request = get(&consumer_url)?;
    let (response, connection) = client.send(request, RequestOptions::default()).await?;
    let permission = connection.response_permission(&response)?;
    let redirect = location(&response)?;
    println!("   client is sent to {redirect}");
    println!("   with {INCLUDE_REFERER_TOKEN_BINDING_ID}: true");
    text(response).await?;

    println!("\n2. client to provider: GET {redirect}");
    let options = RequestOptions {
        permission: Some(permission),
        ..RequestOptions::default()
    };
    let (response, connection) = client.send(get(&redirect)?, options).await?;
    let disclosed = response.extensions().get::<Disclosed>();
    let Some(Disclosed(Disclosure::Reveal(referral))) = disclosed else {
        return Err(format!("the binding was not revealed: {disclosed:?}").into());
    };
    println!(
        "   client revealed its binding with {}",
        referral.consumer()
    );
    must(
        connection.response_permission(&response).is_err(),
        "the provider's redirect permits nothing",
    )?;
    let redirect = location(&response)?;
    println!("   client is sent to {redirect}");
    text(response).await?;

    println!("\n3. client to consumer: GET {redirect}");
    let (status, body) = try_token(&client, &redirect).await?;
    println!("   client reads {status}: {body}");
    must(
        status == StatusCode::OK && body == "welcome",
        "the token is good",
    )?;

    println!("\n4. thief to consumer, with the stolen token and a key of its own: GET {redirect}");
    let thief = localhost.client(&TokenBindingAlpn::ALL)?;
    let (status, body) = try_token(&thief, &redirect).await?;
    println!("   thief reads {status}: {body}");
    let mismatch = DiscardReason::Mismatch.name();
    must(
        status == StatusCode::UNAUTHORIZED && body == mismatch,
        "the theft fails",
    )?;

    println!(
        "\n5. thief to consumer, with the stolen token and without Token Binding: GET {redirect}"
    );
    let thief = localhost.client(&[])?;
    let (status, body) = try_token(&thief, &redirect).await?;
    println!("   thief reads {status}: {body}");
    let not_bound = DiscardReason::NoTokenBindingEstablished.name();
    must(
        status == StatusCode::UNAUTHORIZED && body == not_bound,
        "the theft fails",
    )?;

    println!("\nAll as it must be.");
    Ok(())
}
