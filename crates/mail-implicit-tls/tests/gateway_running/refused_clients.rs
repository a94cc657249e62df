//! Backends that refuse one client, whose address they know, and serve others.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use mail_implicit_tls::{
    gateway::{ClientAddress, proxy_protocol::Header},
    service::Service,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use crate::{
    script::{SUBMISSION_GREETING, Script},
    world::{ImapDouble, Setup, World, clear, serve},
};

#[tokio::test]
async fn passes_on_the_words_of_a_backend_that_refuses_a_client() {
    for (service, others, words) in [
        (Service::IMAPS, "* OK hi\r\n", "* BYE banned: 127.0.0.1\r\n"),
        (Service::POP3S, "+OK hi\r\n", "-ERR [AUTH] banned\r\n"),
        (
            Service::SUBMISSIONS,
            SUBMISSION_GREETING,
            "421 4.7.0 mx Error: too many connections from 127.0.0.1\r\n",
        ),
        (
            Service::SUBMISSIONS,
            SUBMISSION_GREETING,
            "554-5.7.1 Client host rejected\r\n554 5.7.1 see https://example.org\r\n",
        ),
    ] {
        let first = Picky::start(Answer::Words(words), Answer::Words(others)).await;
        let second = Picky::start(Answer::Words(others), Answer::Words(others)).await;
        let world = world(service, &[&first, &second]).await;
        assert_eq!(world.connect().await.rest().await, words);
        assert_eq!(world.told.wait("ended").await, "ended refused");
        let lines = world.told.lines();
        let port = first.address.port();
        assert_eq!(
            lines[1..],
            [
                format!("backend {port} Reached"),
                format!("backend {port} ClientRefused(Refuses)"),
                "session Closed 0".to_owned(),
                "ended refused".to_owned(),
            ]
        );
        // A per-client limit of each backend would be passed around by the others.
        assert_eq!(second.counts(), [0, 0]);
    }
}

/// A backend may drop a client, or let it wait, in place of an answer.
#[tokio::test]
async fn blames_no_backend_that_does_not_greet_a_client() {
    for (answer, failure) in [
        (Answer::Close, "Closed"),
        (Answer::Silence, "Silent"),
        (Answer::Words("HTTP/1.1 400\r\n"), "Session("),
    ] {
        let first = Picky::start(answer, Answer::Words("* OK hi\r\n")).await;
        let second = Picky::start(answer, Answer::Words("* OK hi\r\n")).await;
        let world = world(Service::IMAPS, &[&first, &second]).await;
        let said = world.connect().await.rest().await;
        assert!(said.starts_with("* BYE [UNAVAILABLE]"), "{said}");
        assert_eq!(world.told.wait("ended").await, "ended refused");
        let told = format!("backend {} ClientRefused({failure}", first.address.port());
        world.told.wait(&told).await;
        assert_eq!(second.counts(), [0, 0]);
    }
}

#[tokio::test]
async fn tries_the_next_backend_after_one_that_refuses_all() {
    for answer in [
        Answer::Words("* BYE full\r\n"),
        Answer::Close,
        Answer::Silence,
    ] {
        let first = Picky::start(answer, answer).await;
        let second = Picky::start(Answer::Words("* OK hi\r\n"), Answer::Close).await;
        let world = world(Service::IMAPS, &[&first, &second]).await;
        for _ in 0..2 {
            assert_eq!(world.connect().await.line().await, "* OK hi");
        }
        let failed = format!("backend {} Failed", first.address.port());
        let lines = world.told.lines();
        let failures = lines.iter().filter(|it| it.starts_with(&failed));
        assert_eq!(failures.count(), 1, "{lines:?}");
        // The second client did not ask again.
        assert_eq!(first.counts(), [1, 1]);
        assert_eq!(second.counts(), [2, 0]);
    }
}

/// The gateway's own connections count among those of its address at the backend.
#[tokio::test]
async fn asks_a_backend_once_for_many_clients() {
    let words = Answer::Words("* BYE banned\r\n");
    let backend = Picky::start(words, Answer::Words("* OK hi\r\n")).await;
    let world = world(Service::IMAPS, &[&backend]).await;
    let begin = Instant::now();
    for _ in 0..10 {
        assert_eq!(world.connect().await.rest().await, "* BYE banned\r\n");
    }
    let [of_clients, own] = backend.counts();
    assert_eq!(of_clients, 10);
    let seconds = usize::try_from(begin.elapsed().as_secs()).unwrap();
    assert!((1..=1 + seconds).contains(&own), "{own}");
}

/// Without the client's address, it is the gateway that is refused.
#[tokio::test]
async fn asks_no_backend_that_does_not_know_the_client() {
    let full = serve(|mut tcp| async move {
        let _ = tcp.write_all(b"* BYE full\r\n").await;
    })
    .await;
    let double = ImapDouble::start().await;
    for address in [ClientAddress::None, ClientAddress::ImapId] {
        let mut setup = Setup::imaps(&[full, double.address]);
        setup.address = address;
        let world = World::start(setup).await;
        assert!(world.connect().await.line().await.starts_with("* OK"));
        let failed = format!("backend {} Failed(Refuses)", full.port());
        assert_eq!(world.told.lines()[1], failed);
    }
}

/// The backend greets again once it has the client's address.
#[tokio::test]
async fn passes_on_the_words_of_a_backend_that_refuses_a_client_after_xclient() {
    type Reply = fn(&str) -> &'static str;

    let cases: [(Reply, &str, &str); 4] = [
        (
            |line| xclient(line, "421 4.7.0 too many connections\r\n"),
            "421 4.7.0 too many connections\r\n",
            "ended refused",
        ),
        (
            |line| xclient(line, "554-5.7.1 rejected\r\n554 5.7.1 you\r\n"),
            "554-5.7.1 rejected\r\n554 5.7.1 you\r\n",
            "ended refused",
        ),
        // The command is refused, and the backend does not know the client.
        (
            |line| xclient(line, "501 5.5.4 bad attribute\r\n"),
            "421 Service not available\r\n",
            "ended violation",
        ),
        // It is the gateway that is refused.
        (
            |line| match line.starts_with("EHLO") {
                true => "421 4.7.0 internal-host is full\r\n",
                false => "",
            },
            "421 Service not available\r\n",
            "ended violation",
        ),
    ];
    for (reply, expected, end) in cases {
        let script = Script::start(SUBMISSION_GREETING, reply).await;
        let backend = clear(Service::SUBMISSION_CLEAR, script.address);
        let mut setup = Setup::new(Service::SUBMISSIONS, vec![backend]);
        setup.address = ClientAddress::Xclient;
        let world = World::start(setup).await;
        assert_eq!(world.connect().await.rest().await, expected);
        assert_eq!(world.told.wait("ended").await, end);
        let lines = world.told.lines();
        let refused = format!("backend {} ClientRefused", script.address.port());
        let is_told = lines.iter().any(|it| it.starts_with(&refused));
        assert_eq!(is_told, end == "ended refused", "{lines:?}");
        assert!(!lines.iter().any(|it| it.contains("Failed")), "{lines:?}");
    }
}

fn xclient(line: &str, reply: &'static str) -> &'static str {
    match line.split(' ').next().unwrap_or_default() {
        "EHLO" => "250-mx\r\n250 XCLIENT ADDR PORT\r\n",
        "XCLIENT" => reply,
        _ => "",
    }
}

/// The answer of a backend to the header of the PROXY protocol.
#[derive(Clone, Copy)]
enum Answer {
    Words(&'static str),
    Close,
    Silence,
}

/// A server that has one answer for clients, and another one for connections of the gateway's own.
struct Picky {
    address: SocketAddr,
    counts: Arc<[AtomicUsize; 2]>,
}

impl Picky {
    async fn start(for_clients: Answer, for_others: Answer) -> Self {
        let counts = Arc::<[AtomicUsize; 2]>::default();
        let counted = counts.clone();
        let address = serve(move |mut tcp| {
            let counted = counted.clone();
            async move {
                let is_client = read_header(&mut tcp).await.addresses.is_some();
                let (answer, count) = match is_client {
                    true => (for_clients, &counted[0]),
                    false => (for_others, &counted[1]),
                };
                count.fetch_add(1, Ordering::SeqCst);
                match answer {
                    Answer::Words(words) => tcp.write_all(words.as_bytes()).await.unwrap(),
                    Answer::Close => return,
                    Answer::Silence => {}
                }
                sleep(Duration::from_secs(60)).await;
            }
        })
        .await;
        Self { address, counts }
    }

    /// Returns the number of connections of clients, and that of the gateway's own.
    fn counts(&self) -> [usize; 2] {
        let count = |index: usize| self.counts[index].load(Ordering::SeqCst);
        [count(0), count(1)]
    }
}

async fn read_header(tcp: &mut TcpStream) -> Header {
    let mut octets = vec![0; 16];
    tcp.read_exact(&mut octets).await.unwrap();
    let length = usize::from(u16::from_be_bytes([octets[14], octets[15]]));
    octets.resize(16 + length, 0);
    tcp.read_exact(&mut octets[16..]).await.unwrap();
    Header::read(&octets).unwrap().unwrap().0
}

/// A gateway whose backends receive the client's address by the PROXY protocol.
async fn world(service: Service, backends: &[&Picky]) -> World {
    let own = match service {
        Service::POP3S => Service::POP3_CLEAR,
        Service::SUBMISSIONS => Service::SUBMISSION_CLEAR,
        _ => Service::IMAP_CLEAR,
    };
    let backends = backends.iter().map(|it| clear(own, it.address));
    let mut setup = Setup::new(service, backends.collect());
    setup.address = ClientAddress::ProxyV2;
    setup.times.connect = Duration::from_millis(1500);
    World::start(setup).await
}
