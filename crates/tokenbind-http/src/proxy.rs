//! Feature `proxy`: a reverse proxy that terminates Token Binding and sends the identifiers to its backend
//! in headers.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::bindings::{ProvidedTokenBinding, ReferredTokenBinding, TokenBindings};

/// The header for the Provided Token Binding ID of the request's client, base64url. The name is that of
/// draft-ietf-tokbind-ttrp, which backends know.
pub const SEC_PROVIDED_TOKEN_BINDING_ID: HeaderName =
    HeaderName::from_static("sec-provided-token-binding-id");

/// The header for the Referred Token Binding ID, base64url, if it was verified.
pub const SEC_REFERRED_TOKEN_BINDING_ID: HeaderName =
    HeaderName::from_static("sec-referred-token-binding-id");

/// The header for the algorithm (hash and signature: two numbers with a full stop between them) of a referred
/// binding that is not supported here: the backend issues an unbound token (section 3.5).
pub const SEC_UNSUPPORTED_REFERRED_TOKEN_BINDING: HeaderName =
    HeaderName::from_static("sec-unsupported-referred-token-binding");

/// Returns `true` if a client must not be able to send this header or trailer, because the backend would
/// trust it as set by the proxy, or because it is for the proxy only.
///
/// Also returns `true` for names that a backend may confuse with these, e.g. in a CGI environment, where `_`
/// replaces `-`, and in some environments all other signs, too.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let fold = |sign: char| {
        if sign.is_ascii_alphanumeric() {
            sign
        } else {
            '-'
        }
    };
    // In lower case already.
    let folded: String = name.as_str().chars().map(fold).collect();
    folded == "token-binding" || (folded.starts_with("sec-") && folded.contains("token-binding"))
}

/// Removes the client's headers of reserved names, then adds those of the verified bindings. `bindings` is
/// `None` for a connection without Token Binding.
///
/// Remove hop-by-hop headers first: a client's `Connection` header may name these headers, too.
pub fn forward(headers: &mut HeaderMap, bindings: Option<&TokenBindings>) {
    let provided = bindings.map(TokenBindings::provided);
    set(
        headers,
        provided,
        bindings.and_then(TokenBindings::referred),
    );
}

/// Does the same as [`forward`] for a request that a server of this crate has checked, which has the verified
/// bindings as extensions.
pub fn forward_request<B>(request: &mut Request<B>) {
    let provided = request.extensions().get().cloned();
    let referred = request.extensions().get().cloned();
    set(request.headers_mut(), provided.as_ref(), referred.as_ref());
}

fn set(
    headers: &mut HeaderMap,
    provided: Option<&ProvidedTokenBinding>,
    referred: Option<&ReferredTokenBinding>,
) {
    strip(headers);
    let Some(provided) = provided else { return };
    let value = |bytes: &[u8]| HeaderValue::from_str(&URL_SAFE_NO_PAD.encode(bytes));
    if let Ok(provided) = value(provided.id().as_bytes()) {
        headers.insert(SEC_PROVIDED_TOKEN_BINDING_ID, provided);
    }
    match referred {
        Some(ReferredTokenBinding::Verified(id)) => {
            if let Ok(referred) = value(id.as_bytes()) {
                headers.insert(SEC_REFERRED_TOKEN_BINDING_ID, referred);
            }
        }
        Some(ReferredTokenBinding::Unsupported(algorithm)) => {
            let numbers = format!("{}.{}", algorithm.hash.0, algorithm.signature.0);
            if let Ok(numbers) = HeaderValue::from_str(&numbers) {
                headers.insert(SEC_UNSUPPORTED_REFERRED_TOKEN_BINDING, numbers);
            }
        }
        None => {}
    }
}

/// Removes all headers of reserved names. For trailers, and for responses.
pub fn strip(headers: &mut HeaderMap) {
    let reserved: Vec<_> = headers
        .keys()
        .filter(|name| is_reserved(name))
        .cloned()
        .collect();
    for name in reserved {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_headers_that_a_backend_would_trust_as_the_proxys() {
        let mut headers = HeaderMap::new();
        for name in [
            "sec-provided-token-binding-id",
            "Sec-Provided-Token-Binding-ID",
            "sec_provided_token_binding_id",
            "sec-provided_token-binding_id",
            "sec-referred-token-binding-id",
            "sec-other-token-binding-id",
            "sec-token-binding-context",
            "sec-unsupported-referred-token-binding",
            "token-binding",
            "Token_Binding",
            "sec.provided.token.binding.id",
            "sec-provided!token~binding-id",
            "token.binding",
        ] {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(&name, HeaderValue::from_static("forged"));
            headers.append(name, HeaderValue::from_static("twice"));
        }
        headers.insert("sec-fetch-mode", HeaderValue::from_static("kept"));
        headers.insert("token-binding-like", HeaderValue::from_static("kept"));
        forward(&mut headers, None);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["sec-fetch-mode", "token-binding-like"]);
    }
}
