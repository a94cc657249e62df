//! The table and the JSON.

use crate::world::{World, text};

fn advice(server: &str) -> String {
    format!(
        "  advice     srv     _imaps._tcp SRV\n\
         \x20                    The domain advertises one server, whose names clients do not trust: sign the zone with DNSSEC\n\
         \x20 advice     srv     _pop3s._tcp SRV\n\
         \x20                    The domain advertises no pop3s: publish _pop3s._tcp.example.org. IN SRV 0 1 995 HOST. for a \
         server, or SRV 0 0 0 . if there is none\n\
         \x20 advice     srv     _submissions._tcp SRV\n\
         \x20                    The domain advertises no submissions: publish _submissions._tcp.example.org. IN SRV 0 1 465 \
         HOST. for a server, or SRV 0 0 0 . if there is none\n\
         \x20 advice     dnssec  domain\n\
         \x20                    No signature secures _imaps._tcp.example.org. SRV and imap.example.org. A: sign the zones with DNSSEC, and publish their DS records\n\
         \x20 advice     tlsa    {server}\n\
         \x20                    No TLSA record can protect the server, whose address is not secured by DNSSEC: sign the \
         zone of the host\n"
    )
}

#[test]
fn shows_findings_with_what_to_do() {
    let world = World::with_days_left(60);
    let output = world.run(&[]);
    let server = world.server();
    let advice = advice(&server);
    assert_eq!(
        text(&output),
        format!("OK example.org: 5 advice, 6 good\n{advice}")
    );
    // The progress is for terminals.
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn shows_checks_that_passed_if_asked_for() {
    let world = World::with_days_left(60);
    let output = text(&world.run(&["--all"]));
    let good: Vec<_> = output
        .lines()
        .filter(|line| line.starts_with("  good  "))
        .collect();
    let at = format!("{} at 127.0.0.1", world.server());
    let expected = [
        "connection",
        "validity",
        "chain",
        "names",
        "versions",
        "deep",
    ]
    .map(|check| format!("  good       {check:10}  {at}"));
    assert_eq!(good, expected);
}

#[test]
fn uses_colours_on_a_terminal_only() {
    let world = World::with_days_left(60);
    assert!(!world.run(&[]).stdout.contains(&0x1b));
    let mut command = world.command(&[]);
    let output = command.env("CLICOLOR_FORCE", "1").output().unwrap();
    let begin = "\x1b[36mOK\x1b[0m \x1b[1mexample.org\x1b[0m: 5 advice, 6 good\n";
    assert!(text(&output).starts_with(begin), "{}", text(&output));
}

#[test]
fn prints_json() {
    let world = World::with_days_left(60);
    let output = world.run(&["--json"]);
    let mut value: serde_json::Value = serde_json::from_str(&text(&output)).unwrap();
    let domain = value["domains"][0].as_object_mut().unwrap();
    let findings = domain.remove("findings").unwrap();
    assert!(
        domain
            .remove("at")
            .unwrap()
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let certificate = &mut domain["servers"][0]["addresses"][0]["certificate"];
    let certificate = certificate.as_object_mut().unwrap();
    for digest in ["sha256", "key_sha256"] {
        let digest = certificate.remove(digest).unwrap();
        assert_eq!(digest.as_str().unwrap().len(), 64);
    }
    let time = |name: &str| certificate[name].as_str().unwrap().len();
    assert_eq!((time("not_before"), time("not_after")), (17, 17));
    for name in ["not_before", "not_after"] {
        certificate.remove(name);
    }
    assert_eq!(
        value,
        serde_json::json!({
            "version": 1,
            "domains": [{
                "domain": "example.org",
                "state": "advice",
                "servers": [{
                    "server": world.server(),
                    "addresses": [{
                        "address": "127.0.0.1",
                        "verified": true,
                        "tls": { "version": "TLSv1.3", "cipher_suite": "TLS_AES_256_GCM_SHA384" },
                        "certificate": { "names": ["DNS-ID example.org"] },
                    }],
                }],
            }],
        })
    );
    let findings = findings.as_array().unwrap();
    assert_eq!(findings.len(), 11);
    assert_eq!(
        findings[0],
        serde_json::json!({
            "check": "srv",
            "subject": "_imaps._tcp SRV",
            "state": "advice",
            "fact": "The domain advertises one server, whose names clients do not trust",
            "action": "sign the zone with DNSSEC",
        })
    );
}
