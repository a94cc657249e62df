//! Policies of inbound mail: MTA-STS and TLS-RPT.

use mail_implicit_tls::{
    dns::{DnsName, LookupFailure, Mx, host::HostFailure},
    failure::{Cause, Stage},
    monitor::{Check, PolicyFile, State, TransportSecurity},
    verdict::Verdict,
};

use crate::facts::{fresh, observation, of_check, only, report};

const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.org\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

fn transport() -> TransportSecurity {
    let mx = |exchange: &str| Mx {
        preference: 10,
        exchange: DnsName::parse(exchange).unwrap(),
    };
    TransportSecurity {
        mx: Ok(vec![mx("mx.example.org"), mx("a.example.net")]),
        mta_sts: Ok(vec!["v=STSv1; id=20261201;".to_owned()]),
        policy: Some(PolicyFile::Text(POLICY.to_owned())),
        tls_rpt: Ok(vec!["v=TLSRPTv1; rua=mailto:tls@example.org".to_owned()]),
    }
}

fn found(check: Check, transport: TransportSecurity) -> (State, String) {
    let mut observation = observation(&fresh());
    observation.transport = Some(transport);
    let (state, subject, sentence) = only(&report(&observation), check);
    assert_eq!(subject, "domain");
    (state, sentence)
}

fn of_policy(text: &str) -> (State, String) {
    let policy = Some(PolicyFile::Text(text.to_owned()));
    found(
        Check::MtaSts,
        TransportSecurity {
            policy,
            ..transport()
        },
    )
}

#[test]
fn looks_at_policies_only_if_they_were_asked_for() {
    let report = report(&observation(&fresh()));
    assert_eq!(of_check(&report, Check::MtaSts), []);
    assert_eq!(of_check(&report, Check::TlsRpt), []);
}

#[test]
fn accepts_a_policy_that_covers_all_mx_hosts() {
    assert_eq!(
        found(Check::MtaSts, transport()),
        (
            State::Good,
            "The policy of MTA-STS is enforced, and kept for 7 days".to_owned()
        )
    );
}

#[test]
fn reports_mx_hosts_that_the_policy_lacks() {
    let enforced = "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n";
    assert_eq!(
        of_policy(enforced),
        (
            State::Bad,
            "The policy of MTA-STS lacks the MX hosts a.example.net: add them to the policy, and change the id of the \
             record _mta-sts"
                .to_owned()
        )
    );
    assert_eq!(
        of_policy(&enforced.replace("enforce", "testing")).0,
        State::Warning
    );
    assert_eq!(
        of_policy(&enforced.replace("enforce", "none")).0,
        State::Advice
    );
    // A wildcard covers one label.
    let deep = POLICY.replace("*.example.net", "*.net");
    assert_eq!(of_policy(&deep).0, State::Bad);
}

#[test]
fn reports_policies_that_senders_refuse() {
    for (text, reason) in [
        ("", "its first field is not version: STSv1"),
        ("mode: enforce\n", "its first field is not version: STSv1"),
        ("version: STSv1\nmode\n", "a line is not a field"),
        ("version: STSv1\nmode: on\n", "its mode is unknown"),
        (
            "version: STSv1\nmode: enforce\nmax_age: 1\n",
            "it names no mx",
        ),
        (
            "version: STSv1\nmode: enforce\nmx: a.example\n",
            "its max_age is missing or too large",
        ),
        (
            "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 31557601\n",
            "its max_age is missing or too large",
        ),
    ] {
        let expected =
            format!("Senders refuse the policy of MTA-STS, since {reason}: correct the policy");
        assert_eq!(of_policy(text), (State::Bad, expected));
    }
    let short = POLICY.replace("604800", "86399");
    assert_eq!(of_policy(&short).0, State::Advice);
    let day = POLICY.replace("604800", "86400");
    assert_eq!(of_policy(&day).0, State::Good);
    assert_eq!(
        of_policy(&POLICY.replace("enforce", "testing")).0,
        State::Advice
    );
}

#[test]
fn distinguishes_policies_that_could_not_be_fetched() {
    let fetched = |policy| {
        found(
            Check::MtaSts,
            TransportSecurity {
                policy,
                ..transport()
            },
        )
        .0
    };
    let failed = |cause| Some(PolicyFile::Failed(cause));
    assert_eq!(
        fetched(failed(Cause::Timeout(Stage::Connect))),
        State::NotKnown
    );
    assert_eq!(
        fetched(failed(Cause::Lookup(HostFailure::NoAddress))),
        State::Bad
    );
    assert_eq!(
        fetched(failed(Cause::Lookup(HostFailure::Address(
            LookupFailure::Timeout
        )))),
        State::NotKnown
    );
    let refused = Cause::NotVerified(Verdict::default().into());
    assert_eq!(fetched(failed(refused)), State::Bad);
    let refused = PolicyFile::Refused("the status is 404".to_owned());
    assert_eq!(fetched(Some(refused)), State::Bad);
    assert_eq!(fetched(None), State::NotKnown);
}

#[test]
fn judges_the_records_of_both() {
    let sts = |texts: &[&str]| {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        let mta_sts = Ok(texts);
        found(
            Check::MtaSts,
            TransportSecurity {
                mta_sts,
                ..transport()
            },
        )
        .0
    };
    assert_eq!(sts(&[]), State::Advice);
    assert_eq!(sts(&["v=spf1 -all"]), State::Advice);
    assert_eq!(sts(&["v=STSv1; id=1", "v=STSv1; id=2"]), State::Warning);
    assert_eq!(sts(&["v=STSv1;"]), State::Warning);
    assert_eq!(sts(&["v=STSv1; id=a-b"]), State::Warning);
    assert_eq!(sts(&["v=STSv1; id=1", "v=spf1 -all"]), State::Good);
    let rpt = |tls_rpt| {
        found(
            Check::TlsRpt,
            TransportSecurity {
                tls_rpt,
                ..transport()
            },
        )
    };
    let texts = |text: &str| Ok(vec![text.to_owned()]);
    assert_eq!(
        rpt(texts(
            "v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/r"
        ))
        .0,
        State::Good
    );
    assert_eq!(rpt(texts("v=TLSRPTv1; rua=a@b.example")).0, State::Warning);
    assert_eq!(
        rpt(Ok(Vec::new())),
        (
            State::Advice,
            "The domain has no record _smtp._tls: publish v=TLSRPTv1; rua=mailto:ADDRESS, so that senders report \
             failures of TLS"
                .to_owned()
        )
    );
    assert_eq!(rpt(Err(LookupFailure::Timeout)).0, State::NotKnown);
    assert_eq!(rpt(Err(LookupFailure::Bogus)).0, State::Bad);
}
