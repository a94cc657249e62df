//! Failures, and the actions that may be offered (section 3.1).

use mail_implicit_tls::{
    failure::{Action, Cause, Failure, StatusPage},
    service::Service,
    verdict::{ChainProblem, ChainVerdict, Verdict},
};

#[test]
fn offers_acceptable_actions_only() {
    let cause = Cause::NotVerified(Box::default());
    let failure = Failure::new(Service::IMAPS, "imap.example.org", cause);
    assert_eq!(
        failure.actions(),
        [Action::WorkOffline, Action::TryAgainLater]
    );
    let page = StatusPage::parse("https://status.example.org/").unwrap();
    let open = Action::OpenStatusPage(page.clone());
    let actions = failure.with_status_page(page).actions();
    assert_eq!(actions, [Action::WorkOffline, Action::TryAgainLater, open]);
}

#[test]
fn describes_a_failure_in_one_line() {
    let verdict = Verdict {
        chain: ChainVerdict::Refused(vec![ChainProblem::UnknownIssuer, ChainProblem::SelfSigned]),
        ..Verdict::default()
    };
    let cause = Cause::NotVerified(Box::new(verdict));
    assert_eq!(
        Failure::new(Service::IMAPS, "imap.example.org", cause).to_string(),
        "imaps at imap.example.org: chain: the certificate was issued by an unknown authority, the certificate is \
         self-signed; identity: not checked; DANE: not used, not requested"
    );
}

#[test]
fn accepts_https_urls_as_status_pages() {
    let offset = |text: &str| StatusPage::parse(text).map_err(|error| error.offset());
    assert!(offset("HTTPS://status.example.org").is_ok());
    assert_eq!(offset("http://status.example.org/"), Err(0));
    assert_eq!(offset("https://"), Err(8));
    assert_eq!(offset("https:///x"), Err(8));
    assert_eq!(offset("https://a b"), Err(9));
    assert_eq!(offset("https://a\u{1b}[0m"), Err(9));
    assert_eq!(offset("https://\u{fc}.example"), Err(8));
    assert_eq!(offset(&format!("https://{}", "a".repeat(2041))), Err(2048));
    assert!(offset(&format!("https://{}", "a".repeat(2040))).is_ok());
}
