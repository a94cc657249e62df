//! The responses of a token consumer (draft-balfanz-https-token-binding-00 section 3.3).

#![allow(clippy::unwrap_used, reason = "tests")]

use http::{HeaderValue, Response, StatusCode, header::LOCATION};
use tokenbind_http::{
    federation::{
        PermissionError, permit_referral, redirect_to_provider, redirect_to_provider_with,
    },
    header::INCLUDE_REFERER_TOKEN_BINDING_ID,
};

fn redirect(status: u16, location: &str) -> Result<Response<()>, PermissionError> {
    redirect_to_provider_with(StatusCode::from_u16(status).unwrap(), location)
}

#[test]
fn redirects_with_the_permission_under_301_and_302_only() {
    let to = "https://provider.example/token?for=me";
    for status in [301, 302] {
        let response = redirect(status, to).unwrap();
        assert_eq!(response.status().as_u16(), status);
        let headers = response.headers();
        assert_eq!(headers[LOCATION], to);
        assert_eq!(headers[INCLUDE_REFERER_TOKEN_BINDING_ID], "true");
        assert_eq!(headers.len(), 2);
    }
    let response: Response<String> = redirect_to_provider(to).unwrap();
    assert_eq!(response.status(), StatusCode::FOUND);
    for status in [200, 300, 303, 304, 307, 308, 400] {
        let error = redirect(status, to).unwrap_err();
        let named = StatusCode::from_u16(status).unwrap();
        assert_eq!(error, PermissionError::Status(named));
        let said =
            format!("include-referer-token-binding-id needs status 301 or 302, not {status}");
        assert_eq!(error.to_string(), said);
    }
}

#[test]
fn refuses_a_location_to_which_nothing_is_revealed() {
    for location in [
        "http://provider.example/",
        "/token",
        "provider.example",
        "",
        "https://",
        "https:///token",
        "https://:443/",
        "https://user@/",
        "wss://provider.example/",
        "https://provider.example/\r\nX: y",
    ] {
        let refused = redirect(302, location).map(|_| ());
        assert_eq!(refused, Err(PermissionError::Location), "{location:?}");
    }
}

#[test]
fn permits_a_redirect_made_elsewhere_once_or_leaves_it_alone() {
    let mut response = Response::builder()
        .status(302)
        .header(LOCATION, "HTTPS://provider.example")
        .header(INCLUDE_REFERER_TOKEN_BINDING_ID, "false")
        .body(())
        .unwrap();
    permit_referral(&mut response).unwrap();
    let values = response
        .headers()
        .get_all(INCLUDE_REFERER_TOKEN_BINDING_ID)
        .iter();
    assert_eq!(values.collect::<Vec<_>>(), ["true"]);

    let mut other = Response::builder().status(303).body(()).unwrap();
    let refused = permit_referral(&mut other);
    assert_eq!(refused, Err(PermissionError::Status(StatusCode::SEE_OTHER)));
    *other.status_mut() = StatusCode::FOUND;
    let refused = permit_referral(&mut other);
    assert_eq!(refused, Err(PermissionError::NoLocation));
    for location in ["https://one.example/", "https://two.example/"] {
        let location = HeaderValue::from_static(location);
        other.headers_mut().append(LOCATION, location);
    }
    let refused = permit_referral(&mut other);
    assert_eq!(refused, Err(PermissionError::NoLocation));
    assert!(
        !other
            .headers()
            .contains_key(INCLUDE_REFERER_TOKEN_BINDING_ID)
    );
}
