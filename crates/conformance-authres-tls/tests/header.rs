//! The oracles of reading and stripping in `authres-tls` on values that a generator makes by the grammar of
//! RFC 8601, and on the same with something wrong in them.

use authres_tls::{AuthenticationResults, Options, syntax::Body};
use conformance_authres_tls::oracle;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// Method, result, reason and properties.
type MeantResult = (String, String, Option<String>, Vec<MeantProperty>);

/// ptype, property and value.
type MeantProperty = (String, String, String);

type Built<T> = (String, T);

const BREAKS: &[&str] = &[
    ";", "\"", "\\", "(", ")", "=", ".", "@", "/", "_", "-", " ", "", "\r\n", "\n ", "\r", "\0",
    "\u{fc}", "none", "; none", "1", "2", ",", "i=1;", "tls=", "<", "\u{7f}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn reads_values_of_the_grammar_as_generated((value, meant) in header()) {
        prop_assert_eq!(read(&value)?, meant);
        prop_assert_eq!(oracle::header(value.as_bytes()), Ok(()));
        prop_assert_eq!(oracle::method::any(value.as_bytes()), Ok(()));
    }

    #[test]
    fn keeps_the_oracles_for_values_that_break_the_grammar(value in broken()) {
        prop_assert_eq!(oracle::header(&value), Ok(()));
        prop_assert_eq!(oracle::method::any(&value), Ok(()));
    }

    #[test]
    fn reads_the_same_value_after_an_instance((value, _) in header(), instance in 1_u8..=50) {
        let arc = format!("i={instance}; {value}");
        let header = AuthenticationResults::parse_arc(arc.as_bytes(), &Options::strict());
        let header = header.map_err(|error| TestCaseError::fail(format!("{error}: {arc:?}")))?;
        prop_assert_eq!(header.instance().and_then(|it| it.value()), Some(instance.into()));
        prop_assert_eq!(oracle::header(arc.as_bytes()), Ok(()));
    }

    #[test]
    fn keeps_no_field_that_claims_a_local_id(
        value in broken(),
        own in select(&["example.com", "EXAMPLE.com.", "\"ex\\ample.com\"", "(x)mx.example.com", "b\u{fc}cher.example", "\"mail_1\""][..]),
        name in select(&["Authentication-Results:", "authentication-RESULTS \t:", "X-Authentication-Results:", "Authentication-Results:\r\n "][..]),
        choice: u8,
    ) {
        let claimed = format!("{own};");
        let value = [claimed.as_bytes(), value.as_slice()].concat();
        prop_assert_eq!(oracle::strip(&message(&value, choice, name)), Ok(()));
    }

    #[test]
    fn keeps_the_oracle_of_stripping_for_any_message(
        value in broken(),
        rest in vec(any::<u8>(), 0..60),
        choice: u8,
    ) {
        let data = message(&[value, rest].concat(), choice, "Authentication-Results:");
        prop_assert_eq!(oracle::strip(&data), Ok(()));
        prop_assert_eq!(oracle::edit_any(&data), Ok(()));
    }
}

/// The generator's intent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Meant {
    authserv_id: String,
    results: Vec<MeantResult>,
}

/// `[CFWS]`
fn cfws() -> impl Strategy<Value = String> {
    let comment = select(&["(a)", "(a (b) c)", "(;)", "(\\))", "(\")", "(x=y \\( z)"][..]);
    let blank = select(&[" ", "\t", "\r\n ", " \r\n\t", "\r\n \r\n "][..]);
    prop_oneof![
        4 => Just(String::new()),
        2 => blank.clone().prop_map(str::to_owned),
        1 => comment.clone().prop_map(str::to_owned),
        1 => (blank, comment).prop_map(|(blank, comment)| format!("{blank}{comment}{blank}")),
    ]
}

/// `CFWS`
fn some_cfws() -> impl Strategy<Value = String> {
    cfws().prop_map(|text| match text.is_empty() {
        true => " ".to_owned(),
        false => text,
    })
}

fn keyword() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(&["tls", "dkim", "x-y", "reason", "none2", "1", "cert", "header"][..]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9]{1,5}(-[a-z]{1,3})?",
    ]
}

/// A quoted-string, and what it means.
fn quoted() -> impl Strategy<Value = (String, String)> {
    let piece = prop_oneof![
        Just((";".to_owned(), ";".to_owned())),
        Just(("\\\"".to_owned(), "\"".to_owned())),
        Just(("\\\\".to_owned(), "\\".to_owned())),
        Just(("\\a".to_owned(), "a".to_owned())),
        Just(("\r\n ".to_owned(), " ".to_owned())),
        Just((" (".to_owned(), " (".to_owned())),
        Just((" dkim=pass".to_owned(), " dkim=pass".to_owned())),
        "[a-z@,.=]{1,6}".prop_map(|text| (text.clone(), text)),
    ];
    vec(piece, 0..5).prop_map(|pieces| {
        let (raw, meant): (Vec<_>, Vec<_>) = pieces.into_iter().unzip();
        (format!("\"{}\"", raw.concat()), meant.concat())
    })
}

/// `value`
fn value() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        "[!#$%&'*+^_`{|}~a-z0-9-]{1,8}".prop_map(|text| (text.clone(), text)),
        quoted(),
    ]
}

/// `pvalue`
fn pvalue() -> impl Strategy<Value = (String, String)> {
    let domain = || select(&["b.example", "xn--bcher-kva.example", "a-b.c1"][..]);
    prop_oneof![
        3 => value(),
        1 => ("[a-z!/=?][a-z]{0,4}(\\.[a-z]{1,3})?", domain())
            .prop_map(|(local, domain)| format!("{local}@{domain}"))
            .prop_map(|text| (text.clone(), text)),
        1 => domain().prop_map(|domain| format!("@{domain}")).prop_map(|text| (text.clone(), text)),
        1 => domain().prop_map(|domain| (domain.to_owned(), domain.to_owned())),
    ]
}

fn property() -> impl Strategy<Value = Built<MeantProperty>> {
    (keyword(), keyword(), pvalue(), vec(cfws(), 4)).prop_map(|(ptype, property, value, gaps)| {
        let raw = format!(
            "{ptype}{}.{}{property}{}={}{}",
            gaps[0], gaps[1], gaps[2], gaps[3], value.0
        );
        (raw, (ptype, property, value.1))
    })
}

fn result() -> impl Strategy<Value = Built<MeantResult>> {
    let version = prop::option::of(0_u32..3);
    let reason = prop::option::of(value());
    let properties = vec((some_cfws(), property()), 0..4);
    (
        keyword(),
        version,
        keyword(),
        reason,
        properties,
        vec(cfws(), 8),
        some_cfws(),
    )
        .prop_map(|(method, version, result, reason, properties, gaps, gap)| {
            let version = version.map_or(String::new(), |version| {
                format!("{}/{}{version}", gaps[0], gaps[1])
            });
            let mut raw = format!(
                "{}{method}{version}{}={}{result}",
                gaps[2], gaps[3], gaps[4]
            );
            if let Some((reason, _)) = &reason {
                raw += &format!("{gap}reason{}={}{reason}", gaps[5], gaps[6]);
            }
            let mut meant = Vec::new();
            for (gap, (property, of)) in properties {
                raw += &gap;
                raw += &property;
                meant.push(of);
            }
            raw += &gaps[7];
            let reason = reason.map(|(_, meant)| meant);
            (raw, (method, result, reason, meant))
        })
}

/// A value, and what it says.
fn header() -> impl Strategy<Value = Built<Meant>> {
    let id = prop_oneof![
        Just(("mx.example.org".to_owned(), "mx.example.org".to_owned())),
        value().prop_filter("an id is not empty", |(_, meant)| !meant.is_empty()),
    ];
    let version = prop::option::of(some_cfws());
    (id, version, vec(result(), 0..4), vec(cfws(), 4)).prop_map(|(id, version, results, gaps)| {
        let mut raw = format!("{}{}", gaps[0], id.0);
        if let Some(gap) = version {
            raw += &format!("{gap}1");
        }
        raw += &gaps[1];
        let mut meant = Meant {
            authserv_id: id.1,
            results: Vec::new(),
        };
        if results.is_empty() {
            raw += &format!(";{}none{}", gaps[2], gaps[3]);
        }
        for (text, of) in results {
            raw += ";";
            raw += &text;
            meant.results.push(of);
        }
        (raw, meant)
    })
}

/// A value with something put in, taken out or said twice.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), select(BREAKS), 0_usize..8);
    (header(), vec(change, 1..4)).prop_map(|((value, _), changes)| {
        let mut value = value.into_bytes();
        for (at, piece, taken) in changes {
            let at = at.index(value.len() + 1);
            let end = value.len().min(at + taken);
            value.splice(at..end, piece.bytes());
        }
        value
    })
}

fn read(value: &str) -> Result<Meant, TestCaseError> {
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::strict())
        .map_err(|error| TestCaseError::fail(format!("{error}: {value:?}")))?;
    let text = |text: authres_tls::syntax::Text<'_>| text.unfolded().into_owned();
    prop_assert_eq!(header.body() == Body::NoResult, header.results().len() == 0);
    Ok(Meant {
        authserv_id: text(header.authserv_id()),
        results: header
            .results()
            .map(|result| {
                let properties = result.properties().map(|it| {
                    let ptype = it.ptype().map(text).unwrap_or_default();
                    (ptype, text(it.property()), text(it.value()))
                });
                (
                    text(result.method()),
                    text(result.result()),
                    result.reason().map(text),
                    properties.collect(),
                )
            })
            .collect(),
    })
}

fn message(data: &[u8], choice: u8, name: &str) -> Vec<u8> {
    let mut message = vec![choice];
    message.extend_from_slice(b"Received: by mx\r\n");
    message.extend_from_slice(name.as_bytes());
    message.extend_from_slice(data);
    message.extend_from_slice(b"\r\nSubject: s\r\n\r\nbody\r\n");
    message
}
