//! `authres stamp`: a message of a pipe, with the facts of its Received field.

use std::fs;

use crate::{Ran, authres};

const ARGUMENTS: [&str; 3] = ["stamp", "--authserv-id", "mx.example.org"];

/// A Received field as Postfix 3.7 writes it.
const RECEIVED: &str = "Received: from smtp.example.com (smtp.example.com [192.0.2.1])\n\
    \t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n\
    \t key-exchange X25519 server-signature ECDSA (prime256v1) server-digest SHA256)\n\
    \t(Client CN \"smtp.example.com\", Issuer \"Test CA\" (verified OK))\n\
    \tby mx.example.org (Postfix) with ESMTPS id 5238898E127\n\
    \tfor <u@example.net>; Mon, 30 Nov 2026 14:15:30 +0000 (UTC)\n";
const CERTIFICATE: &str = "cert.client=\"CN=smtp.example.com\"\n\tcert.clientissuer=\"CN=Test CA\" cert.verif=CA tls.v=TLS1.3\n\
    \tkey.ciphersuite=TLS_AES_256_GCM_SHA384 key.length=256 key.strength=high\n";
const FORGED: &str = "Authentication-Results: mx.example.org; dkim=pass\n";
const REST: &str =
    "From: a@example.com\nSubject: s\n\nAuthentication-Results: mx.example.org; in=body\n";

fn unchecked() -> String {
    format!(
        "Authentication-Results: mx.example.org;\n\ttls=permerror (host identity not checked) {CERTIFICATE}"
    )
}

#[track_caller]
fn stamps(more: &[&str], message: &str, expected: &str) {
    let arguments: Vec<_> = ARGUMENTS.iter().chain(more).copied().collect();
    let ran = authres(&arguments, message);
    assert_eq!(String::from_utf8_lossy(&ran.out), expected);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[track_caller]
fn fails(more: &[&str], message: &str, code: i32, error: &str) {
    let arguments: Vec<_> = ARGUMENTS.iter().chain(more).copied().collect();
    let Ran {
        code: ended,
        out,
        err,
    } = authres(&arguments, message);
    assert_eq!((ended, out, err.as_str()), (Some(code), Vec::new(), error));
}

#[test]
fn adds_field_on_top_and_removes_forged_ones() {
    let message = format!("{RECEIVED}{FORGED}{REST}");
    stamps(&[], &message, &format!("{}{RECEIVED}{REST}", unchecked()));
}

#[test]
fn writes_line_ends_of_the_message() {
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let message = format!("{RECEIVED}{FORGED}{REST}");
    let expected = format!("{}{RECEIVED}{REST}", unchecked());
    stamps(&[], &crlf(&message), &crlf(&expected));
}

#[test]
fn keeps_line_of_mbox_first() {
    let line = "From a@example.com Mon Nov 30 14:15:30 2026\n";
    let expected = format!("{line}{}{RECEIVED}{REST}", unchecked());
    stamps(&[], &format!("{line}{RECEIVED}{REST}"), &expected);
}

#[test]
fn takes_topmost_received_field_of_a_local_host() {
    let other = "Received: from localhost (localhost [127.0.0.1])\n\tby filter.example.org (Postfix) with ESMTP id 1\n\
        \tfor <u@example.net>; Mon, 30 Nov 2026 14:15:30 +0000 (UTC)\n";
    let forged = RECEIVED.replace("using TLSv1.3", "using TLSv1");
    let message = format!("{other}{RECEIVED}{forged}{REST}");
    stamps(&[], &message, &format!("{}{message}", unchecked()));
    let clear = "Authentication-Results: mx.example.org;\n\ttls=none\n";
    stamps(
        &["--host", "filter.example.org"],
        &message,
        &format!("{clear}{message}"),
    );
}

#[test]
fn ignores_by_in_the_name_that_the_client_gives() {
    let forged = RECEIVED
        .replace("from smtp.example.com", "from by")
        .replace("by mx.example.org", "by other.example");
    let message = format!("{forged}{REST}");
    let error = "authres: no Received field of a local host\n";
    fails(&[], &message, 75, error);
}

#[test]
fn compares_host_names() {
    let helo = ["--host-identity", "helo"];
    let message = format!("{RECEIVED}{REST}");
    let ran = authres(&[&ARGUMENTS[..], &helo].concat(), &message);
    let text = String::from_utf8_lossy(&ran.out).into_owned();
    assert!(
        text.contains("\ttls=pass cert.client=\"CN=smtp.example.com\""),
        "{text}"
    );
    let other = RECEIVED.replace("from smtp.example.com", "from other.example");
    let message = format!("{other}{REST}");
    let field = "Authentication-Results: mx.example.org;\n\ttls=invalidhost (certificate of another host)\n\
        \tcert.client=\"CN=smtp.example.com\" cert.clientissuer=\"CN=Test CA\"\n\
        \tcert.verif=CA tls.v=TLS1.3 key.ciphersuite=TLS_AES_256_GCM_SHA384\n\
        \tkey.length=256 key.strength=high\n";
    stamps(&helo, &message, &format!("{field}{message}"));
    stamps(
        &[
            "--host-identity",
            "reverse-dns",
            "--local-name",
            "a.example",
        ],
        &other.replace("(smtp.example.com [", "(unknown ["),
        &format!(
            "{}{}",
            unchecked(),
            other.replace("(smtp.example.com [", "(unknown [")
        ),
    );
}

#[test]
fn leaves_messages_of_trusted_networks_as_they_are() {
    let message = format!("{RECEIVED}{FORGED}{REST}");
    stamps(&["--trusted-network", "192.0.2.0/24"], &message, &message);
}

#[test]
fn strips_alone_for_authenticated_clients_if_told() {
    let received = RECEIVED.replace("with ESMTPS", "with ESMTPSA");
    let message = format!("{received}{FORGED}{REST}");
    stamps(
        &["--authenticated", "strip"],
        &message,
        &format!("{received}{REST}"),
    );
}

#[test]
fn strips_alone_messages_of_local_users() {
    let received = "Received: by mx.example.org (Postfix, from userid 1000)\n\tid 4DC4C98E05E; Mon, 30 Nov 2026 14:15:30 +0000 (UTC)\n";
    let message = format!("{received}{FORGED}{REST}");
    stamps(&[], &message, &format!("{received}{REST}"));
}

#[test]
fn fails_for_later_or_strips_alone_without_facts() {
    let message = format!("{FORGED}{REST}");
    let error = "authres: no Received field of a local host\n";
    fails(&[], &message, 75, error);
    let ran = authres(
        &[&ARGUMENTS[..], &["--on-error", "accept"]].concat(),
        &message,
    );
    assert_eq!(String::from_utf8_lossy(&ran.out), REST);
    let warning = "authres: no field was added: no Received field of a local host\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), warning));
    let exim = "Received: from smtp.example.com ([192.0.2.1] helo=a)\n\tby mx.example.org with esmtps (TLS1.3)\n\tid 1; Mon, 30 Nov 2026 14:15:30 +0000\n";
    let error = "authres: with expected at byte 68\n";
    fails(&[], &format!("{exim}{REST}"), 75, error);
}

#[test]
fn streams_a_long_body() {
    let body = "x".repeat(77) + "\n";
    let message = format!("{RECEIVED}{REST}{}", body.repeat(40_000));
    stamps(&[], &message, &format!("{}{message}", unchecked()));
}

#[test]
fn refuses_a_wrong_file_with_a_caret() {
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/stamp.toml");
    for (file, error) in [
        (
            "[message]\nauthserv-id = \"\"\n",
            "TOML parse error at line 2, column 15\n  |\n2 | authserv-id = \"\"\n  |               ^^\nauthserv-id: expected a host or domain name, or another ASCII text\n",
        ),
        (
            "[message]\ntrusted-network = [\"192.0.2.0/33\"]\n",
            "TOML parse error at line 2, column 19\n  |\n2 | trusted-network = [\"192.0.2.0/33\"]\n  |                   ^^^^^^^^^^^^^^^^\nnetwork: expected an address, or an address and the length of its prefix\n",
        ),
        (
            "[message]\nauthserv-di = \"a\"\n",
            "TOML parse error at line 2, column 1\n  |\n2 | authserv-di = \"a\"\n  | ^^^^^^^^^^^\nunknown field `authserv-di`, expected one of `authserv-id`, `own`, `subdomains`, `task`, `authenticated`, `trusted-network`, `host-identity`, `local-name`, `disclose`, `on-error`\n",
        ),
    ] {
        fs::write(path, file).expect("a file");
        let ran = authres(&["stamp", "--config", path], REST);
        assert_eq!(ran.err, format!("authres: {path}: {error}\n"), "{file}");
        assert_eq!((ran.code, ran.out), (Some(2), Vec::new()));
    }
    let ran = authres(&["stamp"], REST);
    let error = "authres: authserv-id: missing; give --authserv-id ID, or authserv-id in the table [message]\n";
    assert_eq!((ran.code, ran.err.as_str()), (Some(2), error));
}
