//! Values in pieces, with damage between them.

use super::*;

/// A method with a result, and its properties as `name=value`.
pub(crate) type Meant = (String, Vec<String>);

/// A value in pieces: the id, and for each result its words.
#[derive(Clone, Debug)]
pub(crate) struct Pieces {
    pub(crate) id: &'static str,
    pub(crate) results: Vec<Vec<String>>,
}

/// Methods with a word that each may have for a result.
pub(crate) const RESULTS: &[&str] = &[
    "spf=pass",
    "spf=softfail",
    "dkim=pass",
    "dkim=fail",
    "dmarc=bestguesspass",
    "arc=none",
    "iprev=permerror",
    "auth=pass",
    "tls=pass",
    "sender-id=none",
    "gateway.spf=pass",
    "dkim/1=neutral",
    "compauth=fail",
    "x-vs=clean",
];

/// Properties, each with a text that could be mistaken for something else.
pub(crate) const PROPERTIES: &[&str] = &[
    "smtp.mailfrom=b.example",
    "smtp.mailfrom=u@b.example",
    "smtp.helo=evil.",
    "header.i=@b.example",
    "header.b=\"AbC=\"",
    "cert.client=\"CN=x; dkim=pass header.d=bank.example\"",
    "smtp.mailfrom=\"x; spf=pass\"@b.example",
    "header.from=<u@b.example>",
    "policy.iprev=2001:db8::1",
    "action=none",
    "score=20",
    "smtp.helo=",
    "header.d=",
];

/// Words that are neither result nor property.
pub(crate) const DAMAGE: &[&str] = &[
    "foo.bar",
    "foo.=bar",
    ".bar=foo",
    "=",
    "=foo",
    "for",
    "c@d.example",
    "<u@b.example>",
    ",",
    ")",
    "a)b",
    "\"; dkim=pass header.d=bank.example\"",
    "x\"; spf=pass\"y",
    "\"dkim=pass\"",
    "(; dkim=pass)",
    "( dkim=pass )",
    "\" dkim=pass \"( spf=pass )",
    "@",
    "/1",
    "a/b",
    "[192.0.2.1]",
    "\\",
    "a.b.c",
    "smtp.mailfrom",
    "\u{fc}ber",
];

/// Pieces between two `;` that name no registered method.
pub(crate) const NO_RESULTS: &[&str] = &[
    "",
    "b.example",
    "smtp.mailfrom=b.example",
    "client-ip=192.0.2.1",
    "from=b.example",
    "spf=",
    "=pass",
    "spf",
    "spf=\"pass\"",
    "smtp.helo=x dkim=pass",
    "foo=bar.baz dkim=pass",
    "x \"; dkim=pass\"",
    "(; dkim=pass)",
    "a.b=pass",
    "smtp.helo= dkim=pass",
];

pub(crate) fn pieces() -> impl Strategy<Value = Pieces> {
    let property = select(PROPERTIES).prop_map(str::to_owned);
    let result = (select(RESULTS), vec(property, 0..4)).prop_map(|(result, properties)| {
        let mut words = vec![result.to_owned()];
        words.extend(properties);
        words
    });
    let id = select(
        &[
            "a.example",
            "\"a b\"",
            "[::1]",
            "a.example 1",
            "a.example/1A2B",
        ][..],
    );
    (id, vec(result, 1..5)).prop_map(|(id, results)| Pieces { id, results })
}

/// A method without its version, the result, and the properties, of what was generated.
pub(crate) fn meant(pieces: &Pieces) -> Vec<Meant> {
    let meant = |words: &Vec<String>| {
        let (result, properties) = words.split_first().expect("a result");
        let unquoted = properties.iter().map(|it| match it.split_once('=') {
            Some((name, value)) if value.starts_with('"') && value.ends_with('"') => {
                format!("{name}={}", value.trim_matches('"'))
            }
            _ => it.clone(),
        });
        (result.replace("/1", ""), unquoted.collect())
    };
    pieces.results.iter().map(meant).collect()
}

pub(crate) fn read(value: &str) -> Result<Vec<Meant>, TestCaseError> {
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::lenient());
    let header = header.map_err(|error| TestCaseError::fail(format!("{error}: {value:?}")))?;
    let results = header.results().map(|it| {
        let properties = it.all_properties().map(|it| match it.ptype() {
            Some(ptype) => format!("{ptype}.{}={}", it.property(), it.value()),
            None => format!("{}={}", it.property(), it.value()),
        });
        let result = format!("{}={}", it.method(), it.result());
        (result, properties.collect())
    });
    Ok(results.collect())
}

pub(crate) fn value(pieces: &Pieces, gap: &str) -> String {
    let results = pieces.results.iter().map(|words| words.join(gap));
    let results: Vec<_> = results.collect();
    format!("{};{gap}{}", pieces.id, results.join(&format!(";{gap}")))
}

pub(crate) const GAPS: &[&str] = &[" ", "  ", "\r\n\t", "\n ", " (x) ", "(; dkim=pass)"];
