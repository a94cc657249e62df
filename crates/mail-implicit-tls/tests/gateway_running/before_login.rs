//! Clients that say much before they log in.

use mail_implicit_tls::service::Service;

use crate::{
    script::{POP_GREETING, SUBMISSION_GREETING, Script},
    world::{Setup, World, clear},
};

type Reply = fn(&str) -> &'static str;

/// Servers end such sessions too, Postfix and Exim after some 100 commands.
#[tokio::test]
async fn ends_a_session_with_too_many_commands_before_login() {
    let cases: [(Service, Service, &str, Reply, &str, &str); 4] = [
        (
            Service::IMAPS,
            Service::IMAP_CLEAR,
            "* OK hi\r\n",
            |_| "a OK done\r\n",
            "a NOOP",
            "a BAD too many commands before login\r\n",
        ),
        (
            Service::IMAPS,
            Service::IMAP_CLEAR,
            "* OK hi\r\n",
            |_| "* ID NIL\r\na OK done\r\n",
            "a ID NIL",
            "a BAD too many commands before login\r\n",
        ),
        (
            Service::POP3S,
            Service::POP3_CLEAR,
            POP_GREETING,
            |_| "+OK\r\n",
            "USER alice",
            "-ERR too many commands before login\r\n",
        ),
        (
            Service::SUBMISSIONS,
            Service::SUBMISSION_CLEAR,
            SUBMISSION_GREETING,
            |_| "250 ok\r\n",
            "NOOP",
            "421 Too many errors\r\n",
        ),
    ];
    for (own, backend, greeting, reply, command, last) in cases {
        let script = Script::start(greeting, reply).await;
        let world = World::start(Setup::new(own, vec![clear(backend, script.address)])).await;
        let mut client = world.connect().await;
        client.send(&format!("{command}\r\n").repeat(150)).await;
        let said = client.rest().await;
        assert!(said.contains(last), "{command}: {said}");
        assert_eq!(script.lines().len(), 100, "{command}");
    }
}

#[tokio::test]
async fn passes_on_few_reports_of_a_session() {
    let cases: [(Service, Service, &str, Reply, &str, &str, &str); 2] = [
        (
            Service::IMAPS,
            Service::IMAP_CLEAR,
            "* OK hi\r\n",
            |_| "* ID NIL\r\na OK done\r\n",
            "",
            "a ID (\"name\" \"#\" \"latch\" \"tls-cert\")",
            "a OK done",
        ),
        (
            Service::SUBMISSIONS,
            Service::SUBMISSION_CLEAR,
            SUBMISSION_GREETING,
            |_| "250-mx\r\n250-DEEP tls12\r\n250 AUTH PLAIN\r\n",
            "EHLO c\r\n",
            "CLIENT name=# latch=tls-cert",
            "250 OK",
        ),
    ];
    for (own, backend, greeting, reply, first, command, answer) in cases {
        let script = Script::start(greeting, reply).await;
        let world = World::start(Setup::new(own, vec![clear(backend, script.address)])).await;
        let mut client = world.connect().await;
        let commands = (0..10).map(|number| command.replace('#', &number.to_string()) + "\r\n");
        let commands: String = commands.collect();
        client.send(&format!("{first}{commands}")).await;
        let mut answered = 0;
        while answered < 10 {
            answered += usize::from(client.line().await == answer);
        }
        let lines = world.told.lines();
        let reports = lines.iter().filter(|it| it.starts_with("session Report"));
        assert_eq!(reports.count(), 3, "{lines:?}");
    }
}
