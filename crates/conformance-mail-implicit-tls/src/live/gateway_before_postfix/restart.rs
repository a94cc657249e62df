//! The gateway before a Postfix that is killed in the middle of sessions, and comes back: what the clients read, and that no
//! message is submitted twice, accepted without Postfix or refused for good.

use conformance::{
    Live, Scenario,
    outcome::{Checked, passed, run, same},
};
use mail_implicit_tls::gateway::ClientAddress;
use tokio::time::{Duration, Instant, sleep};

use super::{
    gateway,
    peers::{HELD, Logins, Sink},
    start,
};
use crate::live::{gateway::client::Client, mailbox::Notes, servers::postfix, site::Site};

/// The scenario.
pub(super) const SCENARIO: Scenario = Scenario::with_peer(
    "Postfix",
    "mail-implicit-tls/gateway-before-postfix-that-is-killed",
    |_| Live::unless(postfix::missing(), || run(killed())),
);

const EHLO: &str = "EHLO c.example\r\n";
const LOGIN: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";
const TRANSACTION: &str = "MAIL FROM:<a@example.test>\r\nRCPT TO:<b@example.test>\r\n";
const UNAVAILABLE: &str = "service is temporarily unavailable, try again later\r\n";

/// The point of a session at which Postfix is killed.
struct Point {
    name: &'static str,
    /// The texts that are sent before, each with the begin of the last line of its reply.
    said: Vec<(String, &'static str)>,
    /// The octets that are sent then, whose reply never arrives.
    open: String,
    /// The code, and for clients that know of the extension the status, of the only reply: before login.
    reply: Option<&'static str>,
}

/// Returns the points, the client's texts up to each of them.
fn points() -> Vec<Point> {
    let said = |texts: &[(&str, &'static str)]| -> Vec<_> {
        let texts = texts.iter();
        texts
            .map(|(text, end)| ((*text).to_owned(), *end))
            .collect()
    };
    let point = |name, texts: &[(&str, &'static str)], open: &str, reply| Point {
        name,
        said: said(texts),
        open: open.to_owned(),
        reply,
    };
    let greeted = (EHLO, "250 ");
    let logged_in = (LOGIN, "235");
    let addressed = (TRANSACTION, "250 2.1.5");
    let data = ("DATA\r\n", "354");
    let held = format!("{HELD}\r\n\r\nhello\r\n");
    let chunk = "BDAT 10\r\nSubject: x";
    vec![
        point("before EHLO", &[], "", Some("421 ")),
        point("before login", &[greeted], "", Some("421 4.3.2 ")),
        point(
            "within a login",
            &[greeted, ("AUTH PLAIN\r\n", "334")],
            "",
            Some("421 4.3.2 "),
        ),
        point("after login", &[greeted, logged_in], "", None),
        point(
            "within a transaction",
            &[greeted, logged_in, addressed],
            "",
            None,
        ),
        point(
            "within DATA",
            &[greeted, logged_in, addressed, data],
            "Subject: never\r\n\r\nhalf of a li",
            None,
        ),
        point(
            "within BDAT",
            &[greeted, logged_in, addressed, (chunk, "250")],
            "BDAT 1000 LAST\r\n: never\r\n\r\nhalf of a chunk",
            None,
        ),
        point(
            "after the last line of DATA",
            &[greeted, logged_in, addressed, data],
            &format!("{held}.\r\n"),
            None,
        ),
        point(
            "after the last octet of BDAT",
            &[greeted, logged_in, addressed],
            &format!("BDAT {} LAST\r\n{held}", held.len()),
            None,
        ),
    ]
}

/// The time in which octets that have no reply arrive.
const ARRIVAL: Duration = Duration::from_millis(500);

async fn killed() -> Checked {
    let site = Site::new()?;
    let (logins, sink) = (Logins::start().await?, Sink::start().await?);
    let postfix = start(logins.port, sink.port).await?;
    let mut read = Vec::new();
    for ((_, backend), address) in [
        (postfix.ports[0], ClientAddress::ProxyV2),
        (postfix.ports[1], ClientAddress::Xclient),
    ] {
        let port = gateway(&site, backend, address, Notes::default()).await?;
        let mut clients = Vec::new();
        for point in points() {
            let mut client = Client::connect(&site, port).await?;
            client.line().await?;
            for (text, end) in &point.said {
                client
                    .ask(text, end)
                    .await
                    .map_err(|it| it.of(point.name))?;
            }
            client.send(&point.open).await?;
            clients.push((point, client));
        }
        // Both held messages are complete.
        let deadline = Instant::now() + super::peers::PATIENCE;
        let mut messages = Vec::new();
        while messages.len() < 2 && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
            messages.extend(sink.notes.take());
        }
        sleep(ARRIVAL).await;
        for (point, client) in &mut clients {
            same(point.name, client.is_silent(Duration::ZERO).await?, true)?;
        }
        postfix.kill()?;
        for (point, client) in &mut clients {
            let rest = client.rest().await?;
            let expected = point
                .reply
                .map_or(String::new(), |it| format!("{it}{UNAVAILABLE}"));
            same(point.name, rest.as_str(), expected.as_str())?;
        }
        let mut late = Client::connect(&site, port).await?;
        let expected = format!("421 {UNAVAILABLE}");
        same("without a Postfix", late.rest().await?.as_str(), &expected)?;

        postfix.start_again().await?;
        let mut client = Client::connect(&site, port).await?;
        client.line().await?;
        for (text, end) in [(EHLO, "250 "), (LOGIN, "235"), (TRANSACTION, "250 2.1.5")] {
            client.ask(text, end).await?;
        }
        client.ask("DATA\r\n", "354").await?;
        client
            .ask("Subject: again\r\n\r\nhello\r\n.\r\n", "250")
            .await?;
        client.ask("QUIT\r\n", "221").await?;
        messages.extend(sink.notes.take());
        let subjects: Vec<_> = messages.iter().flat_map(|it| it.lines()).collect();
        let subjects = subjects.into_iter().filter(|it| it.starts_with("Subject:"));
        let expected = [HELD, HELD, "Subject: again"];
        same(
            "messages",
            subjects.collect::<Vec<_>>().as_slice(),
            expected.as_slice(),
        )?;
        read.push(format!("{address:?}: {} points", clients.len()));
    }
    passed(format!(
        "{}; before login 421, after login the close alert and nothing else; each message once; submission works again \
         after the restart",
        read.join(", ")
    ))
}
