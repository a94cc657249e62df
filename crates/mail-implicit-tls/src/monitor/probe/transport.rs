//! The policies of inbound mail: TXT records, and the policy file over https (RFC 8461 section 3.3).

use http_body_util::{BodyExt, Empty};
use hyper::{Request, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

use super::plan::Planned;
use crate::{
    dns::{Answer, DnsName, LookupFailure, Mx, Question, Record, RecordKind, Resolve},
    failure::{Cause, Stage},
    monitor::observation::{PolicyFile, ServerSource},
    name::DomainName,
    service::Service,
    setup::autoconfig::https::Fetcher,
};

/// The greatest length of a policy, which RFC 8461 section 3.2 recommends.
const MAX_POLICY_BYTES: usize = 65_536;

/// The greatest length of the head of a response.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The port of servers for inbound mail.
const SMTP_PORT: u16 = 25;

/// Returns the question for the texts of a name below the domain.
fn question(label: &str, domain: &DomainName) -> Option<Question> {
    let name = DnsName::parse(&format!("{label}.{domain}"))?;
    let kind = RecordKind::Txt;
    Some(Question { name, kind })
}

/// Returns the servers that an answer to the question for MX records names: without records it is the domain itself (RFC
/// 5321 section 5.1), and none if a record says so by the root (RFC 7505).
pub(super) fn servers(domain: &DomainName, answer: &Answer) -> Vec<Planned> {
    let planned = |host: &DomainName, dnssec| {
        let source = ServerSource::Mx(dnssec);
        Planned::new(Service::SUBMISSION_STARTTLS, host, SMTP_PORT, source)
    };
    match answer {
        Answer::Failed(_) => Vec::new(),
        Answer::Denied { dnssec, .. } => vec![planned(domain, *dnssec)],
        Answer::Records(records) => {
            let mut hosts: Vec<DomainName> = Vec::new();
            for mx in mx_records(answer).iter().flatten() {
                let host = mx.exchange.to_host();
                hosts.extend(host.filter(|host| !hosts.contains(host)));
            }
            let hosts = hosts.iter();
            hosts.map(|host| planned(host, records.dnssec)).collect()
        }
    }
}

/// Returns the texts of a name. A denial is an empty list.
pub(super) async fn texts(
    resolver: &dyn Resolve,
    label: &str,
    domain: &DomainName,
) -> Result<Vec<String>, LookupFailure> {
    let question = question(label, domain).ok_or(LookupFailure::Malformed)?;
    match resolver.lookup(&question).await.checked(&question) {
        Answer::Failed(failure) => Err(failure),
        Answer::Denied { .. } => Ok(Vec::new()),
        Answer::Records(records) => {
            let text = |record: &Record| match record {
                Record::Txt(octets) => Some(String::from_utf8_lossy(octets).into_owned()),
                _ => None,
            };
            Ok(records.records.iter().filter_map(text).collect())
        }
    }
}

/// Returns the MX records in the order of preference.
pub(super) fn mx_records(answer: &Answer) -> Result<Vec<Mx>, LookupFailure> {
    match answer {
        Answer::Failed(failure) => Err(*failure),
        Answer::Denied { .. } => Ok(Vec::new()),
        Answer::Records(records) => {
            let mx = |record: &Record| match record {
                Record::Mx(mx) => Some(mx.clone()),
                _ => None,
            };
            let mut found: Vec<_> = records.records.iter().filter_map(mx).collect();
            found.sort();
            Ok(found)
        }
    }
}

/// Fetches the policy file. Redirects are not followed (RFC 8461 section 3.3).
pub(super) async fn policy(fetcher: &Fetcher, domain: &DomainName, end: Instant) -> PolicyFile {
    let Ok(host) = DomainName::parse(&format!("mta-sts.{domain}")) else {
        return PolicyFile::Refused("the name of its host would be too long".to_owned());
    };
    match timeout_at(end, fetch(fetcher, &host)).await {
        Ok(policy) => policy,
        Err(_) => PolicyFile::Failed(Cause::Timeout(Stage::Greeting)),
    }
}

async fn fetch(fetcher: &Fetcher, host: &DomainName) -> PolicyFile {
    let stream = match fetcher.connect(host).await {
        Ok(stream) => stream,
        Err(cause) => return PolicyFile::Failed(cause),
    };
    let refused = |reason: &str| PolicyFile::Refused(reason.to_owned());
    let not_http = || refused("the response is not HTTP or ended early");
    let connecting = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await;
    let Ok((mut sender, connection)) = connecting else {
        return not_http();
    };
    let request = Request::get("/.well-known/mta-sts.txt")
        .header(header::HOST, host.as_str())
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new());
    let Ok(request) = request else {
        return not_http();
    };
    let response = async {
        let Ok(response) = sender.send_request(request).await else {
            return not_http();
        };
        let (head, mut body) = response.into_parts();
        if head.status != hyper::StatusCode::OK {
            return PolicyFile::Refused(format!("the status is {}", head.status.as_u16()));
        }
        let kind = head.headers.get(header::CONTENT_TYPE);
        let is_text = kind
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| {
                let kind = kind.split(';').next().unwrap_or_default().trim();
                kind.eq_ignore_ascii_case("text/plain")
            });
        if !is_text {
            return refused("its type is not text/plain");
        }
        let mut octets = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return not_http() };
            if let Ok(data) = frame.into_data() {
                octets.extend_from_slice(&data);
            }
            if octets.len() > MAX_POLICY_BYTES {
                return refused("it is longer than 64 kB");
            }
        }
        match String::from_utf8(octets) {
            Ok(text) => PolicyFile::Text(text),
            Err(_) => refused("it is not in UTF-8"),
        }
    };
    let drive = async {
        // The end of the connection shows in the response.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        policy = response => policy,
        () = drive => not_http(),
    }
}
