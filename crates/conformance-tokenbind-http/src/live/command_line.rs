//! Clients on the command line, which know nothing of Token Binding: `openssl s_client` and `curl`.

use std::{io::ErrorKind, process::Stdio, time::Duration};

use axum::{Router, routing::get};
use conformance::{
    Live,
    outcome::{Checked, Failure, passed, same},
};
use tokenbind_http::server;
use tokenbind_wire::TerminateKind;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

use super::site::{Adapter, Setup, Site};

/// The longest time that a command may take.
const PATIENCE: Duration = Duration::from_secs(20);

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Runs a command to its end: its exit code, and what it prints, errors last. Nothing if it is not
/// installed.
async fn run(
    command: &str,
    arguments: &[&str],
    input: &str,
) -> Checked<Option<(Option<i32>, String)>> {
    let child = Command::new(command)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // A command may end without having read it.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = timeout(PATIENCE, child.wait_with_output()).await??;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Ok(Some((output.status.code(), said)))
}

fn contains(what: &str, said: &str, parts: &[&str]) -> Checked<()> {
    match parts.iter().find(|part| !said.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(Failure::new(format!("{what}: no {part:?} in {said}"))),
    }
}

async fn site(adapter: Adapter) -> Checked<Site> {
    let setup = Setup {
        adapter,
        ..Setup::default()
    };
    let app = Router::new().fallback(get(|| async { "answered" }));
    setup.start(app).await
}

/// The requests that the application saw, none of them bound, and why connections were terminated.
fn looked_at(site: &Site, requests: usize, refusals: &[TerminateKind]) -> Checked<()> {
    let bound: Vec<_> = site
        .seen()
        .iter()
        .map(|seen| seen.provided.is_some())
        .collect();
    same("bound", bound, vec![false; requests])?;
    let kinds: Vec<_> = site
        .refusals()
        .iter()
        .map(|refusal| refusal.kind())
        .collect();
    let expected: Vec<_> = refusals
        .iter()
        .copied()
        .map(server::TerminateKind::Message)
        .collect();
    same("refusals", kinds, expected)
}

const MISSING: TerminateKind = TerminateKind::MissingMessage;
const NOT_NEGOTIATED: TerminateKind = TerminateKind::NotNegotiated;

/// One run of `openssl s_client`, and what is typed in.
struct Typed {
    request: &'static str,
    options: &'static [&'static str],
    printed: &'static [&'static str],
    answered: bool,
    refusals: &'static [TerminateKind],
}

const TYPED: &[Typed] = &[
    Typed {
        request: "",
        options: &["-tls1_2", "-alpn", "h2_tb_p256"],
        printed: &["ALPN protocol: h2_tb_p256", "Extended master secret: yes"],
        answered: false,
        refusals: &[],
    },
    Typed {
        request: REQUEST,
        options: &[
            "-ign_eof",
            "-tls1_2",
            "-alpn",
            "http/1.1_tb_rsa2048,http/1.1",
        ],
        printed: &[
            "ALPN protocol: http/1.1_tb_rsa2048",
            "Extended master secret: yes",
        ],
        answered: false,
        refusals: &[MISSING],
    },
    Typed {
        request: REQUEST,
        options: &["-ign_eof", "-alpn", "http/1.1"],
        printed: &["ALPN protocol: http/1.1\n", "TLSv1.3"],
        answered: true,
        refusals: &[],
    },
    Typed {
        request: REQUEST,
        options: &["-ign_eof", "-tls1_3", "-alpn", "http/1.1_tb_p256,http/1.1"],
        printed: &["ALPN protocol: http/1.1\n", "TLSv1.3"],
        answered: true,
        refusals: &[],
    },
    Typed {
        request: "",
        options: &["-tls1_3", "-alpn", "h2_tb_p256"],
        printed: &["no application protocol"],
        answered: false,
        refusals: &[],
    },
];

/// `openssl s_client`: the negotiated protocol, and the answer to a request that is typed in.
pub(super) async fn s_client() -> Checked {
    for adapter in Adapter::BOTH {
        let site = site(adapter).await?;
        let address = format!("127.0.0.1:{}", site.port());
        for typed in TYPED {
            let common = ["s_client", "-connect", &address];
            let name = ["-servername", "localhost"];
            let arguments = [common.as_slice(), &name, typed.options].concat();
            let Some((_, said)) = run("openssl", &arguments, typed.request).await? else {
                return Ok(Live::Skipped("openssl is not installed".to_owned()));
            };
            let what = format!("{adapter:?}, {:?}", typed.options);
            contains(&what, &said, typed.printed)?;
            same(&what, said.contains("200 OK"), typed.answered)?;
            same(&what, said.contains("answered"), typed.answered)?;
            looked_at(&site, usize::from(typed.answered), typed.refusals)?;
        }
    }
    passed(
        "negotiates h2_tb_p256 and http/1.1_tb_rsa2048 under TLS 1.2, where a request without a header \
         is not answered; gets http/1.1 and an answer if it offers no other or under TLS 1.3; serve_connection and \
         Server",
    )
}

/// `curl` as any plain client: served, unless it sends a header.
pub(super) async fn curl() -> Checked {
    for adapter in Adapter::BOTH {
        let site = site(adapter).await?;
        let url = site.url("/");
        for (options, version) in [
            (["--http1.1", "--tlsv1.3"].as_slice(), "1.1"),
            (&["--http1.1", "--tls-max", "1.2"], "1.1"),
            (&["--http2", "--tlsv1.3"], "2"),
            (&["--http2", "--tls-max", "1.2"], "2"),
        ] {
            let common = ["--silent", "--show-error", "--insecure", "--max-time", "10"];
            let write = ["--write-out", " %{http_code} %{http_version}", &url];
            let what = format!("{adapter:?}, {options:?}");
            let plain = [common.as_slice(), options, &write].concat();
            let Some(served) = run("curl", &plain, "").await? else {
                return Ok(Live::Skipped("curl is not installed".to_owned()));
            };
            let expected = (Some(0), format!("answered 200 {version}"));
            same(&what, served, expected)?;
            looked_at(&site, 1, &[])?;

            let header = ["--header", "Token-Binding: AAA"];
            let with_header = [common.as_slice(), options, &header, &write].concat();
            let ended = run("curl", &with_header, "").await?;
            let (code, said) = ended.unwrap_or_default();
            same(&what, code == Some(0), false)?;
            same(&what, said.contains("answered"), false)?;
            looked_at(&site, 0, &[NOT_NEGOTIATED])?;
        }
    }
    passed(
        "HTTP/1.1 and HTTP/2, TLS 1.2 and 1.3: served; with a header: no answer; serve_connection and Server",
    )
}
