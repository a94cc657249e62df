//! A reverse proxy that terminates Token Binding and tells its backend the identifiers in headers.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::server::{ProvidedTokenBinding, ReferredTokenBinding, TokenBindings};

/// The Provided Token Binding ID of the request's client, base64url. The name is that of
/// draft-ietf-tokbind-ttrp, which backends know.
pub const SEC_PROVIDED_TOKEN_BINDING_ID: HeaderName =
    HeaderName::from_static("sec-provided-token-binding-id");

/// The Referred Token Binding ID, base64url, if there is a verified one.
pub const SEC_REFERRED_TOKEN_BINDING_ID: HeaderName =
    HeaderName::from_static("sec-referred-token-binding-id");

/// The algorithm (hash, signature: two numbers with a full stop between) of a referred binding that
/// is not supported here: the backend issues an unbound token (section 3.5).
pub const SEC_UNSUPPORTED_REFERRED_TOKEN_BINDING: HeaderName =
    HeaderName::from_static("sec-unsupported-referred-token-binding");

/// Whether a client's header of this name, or trailer, would speak with the proxy's voice, or is for
/// the proxy only. Also names that a backend may take for one of ours, e.g. in a CGI environment,
/// where `_` stands for `-`, and in some for every other sign, too.
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

/// Strips what the client said in these names, then says what was verified. `bindings` is `None` for
/// a connection without Token Binding.
///
/// Remove hop-by-hop headers before: a client's `Connection` may name these headers, too.
pub fn forward(headers: &mut HeaderMap, bindings: Option<&TokenBindings>) {
    let provided = bindings.map(TokenBindings::provided);
    say(
        headers,
        provided,
        bindings.and_then(TokenBindings::referred),
    );
}

/// [`forward`] for a request that passed a `TokenBindingLayer`, which left what was verified in the
/// request's extensions.
pub fn forward_request<B>(request: &mut Request<B>) {
    let provided = request.extensions().get().cloned();
    let referred = request.extensions().get().cloned();
    say(request.headers_mut(), provided.as_ref(), referred.as_ref());
}

fn say(
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

/// Removes all reserved names: for trailers, and for responses that are not to carry them either.
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
    fn what_could_be_taken_for_the_proxys_word_is_stripped() {
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
