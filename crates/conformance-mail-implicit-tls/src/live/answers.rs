//! Questions to the signed tree, and the right answer to each.

use std::net::IpAddr;

use mail_implicit_tls::dns::{
    Answer, Denial, DnsName, Dnssec, LookupFailure, Question, Record, RecordKind, Records, Resolve,
    Srv, Tlsa,
};

/// An answer without its time to live, which resolvers count down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// The records, sorted, the name that has them, and their state.
    Records(Vec<Record>, DnsName, Dnssec),
    /// A denial and its state.
    Denied(Denial, Dnssec),
    /// A failure.
    Failed(LookupFailure),
}

/// The right answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// This answer.
    Is(Given),
    /// A failure, never a denial. A validating server reports SERVFAIL if a plain server's answer is bogus.
    Bogus,
}

impl Right {
    pub(super) fn accepts(&self, given: &Given) -> bool {
        match self {
            Self::Is(right) => right == given,
            Self::Bogus => {
                let bogus = [LookupFailure::Bogus, LookupFailure::ServerFailure];
                matches!(given, Given::Failed(failure) if bogus.contains(failure))
            }
        }
    }
}

pub(super) fn name(text: &str) -> DnsName {
    DnsName::parse(text).expect("a constant name")
}

pub(super) fn question(text: &str, kind: RecordKind) -> Question {
    let name = name(text);
    Question { name, kind }
}

/// Asks, and returns the answer without its time to live, which must not be more than the zones have.
pub(super) async fn given(resolver: &dyn Resolve, question: &Question) -> Given {
    match resolver.lookup(question).await {
        Answer::Failed(failure) => Given::Failed(failure),
        Answer::Denied { denial, dnssec } => Given::Denied(denial, dnssec),
        Answer::Records(Records {
            mut records,
            owner,
            dnssec,
            ttl,
        }) => {
            if ttl.as_secs() > 300 {
                return Given::Failed(LookupFailure::Malformed);
            }
            records.sort();
            Given::Records(records, owner, dnssec)
        }
    }
}

pub(super) const SECURE: Dnssec = Dnssec::Secure;
const INSECURE: Dnssec = Dnssec::Insecure;

fn at(address: &str, owner: &str, dnssec: Dnssec) -> Right {
    let address: IpAddr = address.parse().expect("a constant address");
    let records = vec![Record::Address(address)];
    Right::Is(Given::Records(records, name(owner), dnssec))
}

fn srv(target: &str, owner: &str, dnssec: Dnssec) -> Right {
    let record = Record::Srv(Srv {
        priority: 0,
        weight: 1,
        port: 993,
        target: name(target),
    });
    Right::Is(Given::Records(vec![record], name(owner), dnssec))
}

/// The only TLSA record of the tree, but for those of names that have many.
pub(super) fn the_tlsa() -> Tlsa {
    Tlsa {
        usage: 3,
        selector: 1,
        matching_type: 1,
        association: vec![0xaa; 32],
    }
}

fn tlsa(owner: &str, dnssec: Dnssec) -> Right {
    let records = vec![Record::Tlsa(the_tlsa())];
    Right::Is(Given::Records(records, name(owner), dnssec))
}

const fn denied(denial: Denial, dnssec: Dnssec) -> Right {
    Right::Is(Given::Denied(denial, dnssec))
}

/// The questions with their right answers.
pub(super) fn table() -> Vec<(Question, Right)> {
    use RecordKind::{A, Cname, Srv as SrvKind, Tlsa as TlsaKind};

    let mut table = Vec::new();
    let mut row = |text: &str, kind, right| table.push((question(text, kind), right));
    for zone in ["good.test", "n3.test", "a7.test"] {
        let of = |label: &str| format!("{label}.{zone}");
        let mail = of("_993._tcp.mail");
        row(&mail, TlsaKind, tlsa(&mail, SECURE));
        row(&of("mail"), A, at("127.0.0.10", &of("mail"), SECURE));
        row(
            &of("_imaps._tcp"),
            SrvKind,
            srv(&of("mail"), &of("_imaps._tcp"), SECURE),
        );
        row(&of("_993._tcp.alias"), TlsaKind, tlsa(&mail, SECURE));
        row(&of("alias"), TlsaKind, denied(Denial::NoData, SECURE));
        row(&of("alias"), A, at("127.0.0.10", &of("mail"), SECURE));
        let alias = Record::Alias(name(&of("mail")));
        let itself = Given::Records(vec![alias], name(&of("alias")), SECURE);
        row(&of("alias"), Cname, Right::Is(itself));
        row(&of("mail"), Cname, denied(Denial::NoData, SECURE));
        row(&of("x.w"), A, at("127.0.0.11", &of("x.w"), SECURE));
        let wildcard = of("_993._tcp.mailw");
        row(&wildcard, TlsaKind, tlsa(&wildcard, SECURE));
        row(&of("_993._tcp.mailx"), TlsaKind, tlsa(&mail, SECURE));
        row(
            &of("_995._tcp.mail"),
            TlsaKind,
            denied(Denial::NoName, SECURE),
        );
        row(
            &of("mail"),
            RecordKind::Aaaa,
            denied(Denial::NoData, SECURE),
        );
        row(
            &of("host.dn"),
            A,
            at("127.0.0.12", "host.plain.test", INSECURE),
        );
        row(
            &of("_imaps._tcp.sub"),
            SrvKind,
            srv(&of("mail"), &of("_imaps._tcp"), SECURE),
        );
        let plain = "_imaps._tcp.plain.test";
        row(
            &of("_imaps._tcp.ext"),
            SrvKind,
            srv("host.plain.test", plain, INSECURE),
        );
        row(&of("out"), A, at("127.0.0.12", "host.plain.test", INSECURE));
    }
    let secure = "_993._tcp.mail.good.test";
    row(
        "_993._tcp.tosec.plain.test",
        TlsaKind,
        tlsa(secure, INSECURE),
    );
    row(
        "host.plain.test",
        TlsaKind,
        denied(Denial::NoData, INSECURE),
    );
    row(
        "nope.plain.test",
        TlsaKind,
        denied(Denial::NoName, INSECURE),
    );
    row("_993._tcp.mail.bad.test", TlsaKind, Right::Bogus);
    row("nope.bad.test", TlsaKind, Right::Bogus);
    row("mail.bad.test", A, Right::Bogus);
    row("_imaps._tcp.bad.test", SrvKind, Right::Bogus);
    // Signatures that were right until 2020.
    row("_993._tcp.mail.expired.test", TlsaKind, Right::Bogus);
    row("nope.expired.test", TlsaKind, Right::Bogus);
    row("mail.expired.test", A, Right::Bogus);
    table
}
