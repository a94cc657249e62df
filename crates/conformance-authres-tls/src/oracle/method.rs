//! Invariants of any text as the value of a `tls` property, of any bytes as a field with `tls` results, and of any
//! report.

use authres_tls::{
    AuthenticationResults, AuthenticationResultsBuf, Options, ResInfoBuf, TlsResInfo, WriteOptions,
    policy::TlsReport,
    syntax::Property,
    tls::dn::{AttributeValue, DistinguishedName},
    tls::san::{AltName, AltNames},
    tls::{
        CipherSuite, Fingerprint, PropertyError, TlsDiagnosticKind, TlsProperty, ValueError, Word,
    },
};
use conformance::oracle::Broken;

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(what()) }
}

fn points_into(error: ValueError, text: &str) -> Result<(), Broken> {
    check(error.offset() <= text.len(), || {
        format!("{error}: after the end at {} bytes", text.len())
    })
}

/// Returns `true` if folding and collapsing leave a text unchanged, and it is printable ASCII.
fn survives(text: &str) -> bool {
    text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
        && !text.contains("  ")
        && !text.starts_with(' ')
        && !text.ends_with(' ')
}

type Attributes = Vec<Vec<(String, AttributeValue<'static>)>>;

/// The RDNs of a name, with texts of their own.
#[must_use]
pub fn rdns(name: &DistinguishedName<'_>) -> Attributes {
    name.rdns()
        .map(|rdn| {
            rdn.attributes()
                .map(|it| {
                    let value = match it.value() {
                        AttributeValue::Text(text) => AttributeValue::from(text.into_owned()),
                        AttributeValue::Der(octets) => AttributeValue::Der(octets),
                    };
                    (it.attribute_type().to_owned(), value)
                })
                .collect()
        })
        .collect()
}

/// Checks that a name that is read is written so that it reads back the same, in ASCII that folding does not change;
/// the parts of the text that are types and values appear in it, and no RDN is empty.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn distinguished_name(text: &str) -> Result<(), Broken> {
    let name = match DistinguishedName::parse(text) {
        Ok(name) => name,
        Err(error) => return points_into(error, text),
    };
    let parts = rdns(&name);
    check(parts.iter().all(|rdn| !rdn.is_empty()), || {
        "an empty RDN".into()
    })?;
    let written = name.to_rfc4514();
    check(survives(&written), || {
        format!("{written:?} does not survive a fold")
    })?;
    let again =
        DistinguishedName::parse(&*written).map_err(|error| format!("{written:?}: {error}"))?;
    check(rdns(&again) == parts, || {
        format!("{parts:?} became {:?}", rdns(&again))
    })?;
    check(again.to_rfc4514() == written, || {
        format!("{written:?} is not final")
    })?;
    let rebuilt = DistinguishedName::from_rdns(parts.iter().map(|rdn| {
        rdn.iter()
            .map(|(attribute_type, value)| (&**attribute_type, value.clone()))
    }))
    .map_err(|error| format!("{parts:?}: {error}"))?;
    check(rebuilt == again, || format!("{rebuilt:?} is not {again:?}"))?;
    // Every byte belongs to a type, a value, a separator or white space.
    let of_parts: usize = name
        .attributes()
        .map(|it| it.attribute_type().len() + it.raw_value().len() + 1)
        .sum();
    let rest = text.len().checked_sub(of_parts).ok_or("parts overlap")?;
    check(rest >= name.attributes().count().saturating_sub(1), || {
        "a separator is missing".into()
    })
}

/// A list of names that is read is written so that it reads back the same, in ASCII that no fold harms.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn alt_names(text: &str) -> Result<(), Broken> {
    let names = match AltNames::parse(text) {
        Ok(names) => names,
        Err(error) => return points_into(error, text),
    };
    let parts: Vec<_> = names.iter().collect();
    let written = match AltNames::from_names(parts.iter().cloned()) {
        Ok(written) => written,
        // A kind that only this writer knows.
        Err(_) if parts.iter().any(|it| matches!(it, AltName::Other { .. })) => return Ok(()),
        Err(error) => return Err(format!("{parts:?}: {error}")),
    };
    check(survives(written.as_str()) || parts.is_empty(), || {
        format!("{written:?} does not survive a fold")
    })?;
    check(written.iter().eq(parts.iter().cloned()), || {
        format!("{parts:?} became {:?}", written.iter().collect::<Vec<_>>())
    })
}

/// A fingerprint that is read is written as its octets, and reads back.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn fingerprint(text: &str) -> Result<(), Broken> {
    let read = match Fingerprint::parse(text) {
        Ok(read) => read,
        Err(error) => return points_into(error, text),
    };
    let written = read.to_string();
    let digits: String = written.split(':').collect();
    check(digits.len() == 2 * read.as_bytes().len(), || {
        written.clone()
    })?;
    let mut given: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    given.make_ascii_uppercase();
    check(given.ends_with(&digits), || {
        format!("{written} is not in {text:?}")
    })?;
    let again = Fingerprint::parse(&written).map_err(|error| error.to_string())?;
    check(again.as_bytes() == read.as_bytes(), || {
        format!("{again} is not {read}")
    })
}

/// Checks that the accessors of `tls` and the diagnostics of a field agree: an accessor fails where there is a
/// diagnostic of its property, and only there.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn tls(value: &[u8]) -> Result<(), Broken> {
    let Ok(header) = AuthenticationResults::parse(value, &Options::lenient()) else {
        return Ok(());
    };
    for lint in TlsResInfo::lint_all(&header) {
        check(lint.span().end() <= value.len(), || {
            format!("{lint}: after the end of the value")
        })?;
    }
    for tls in TlsResInfo::all(&header).filter_map(Result::ok) {
        let kinds: Vec<_> = tls.diagnostics().map(|it| it.kind()).collect();
        let outside = tls.diagnostics().find(|it| it.span().end() > value.len());
        check(outside.is_none(), || {
            format!("{outside:?}: after the end of the value")
        })?;
        let unknown = kinds.contains(&TlsDiagnosticKind::UnknownResult);
        check(unknown == tls.result().is_none(), || {
            "result and diagnostics differ".into()
        })?;
        // A result is read without regard to case, and in one wrong spelling.
        let spelt = tls.res_info().result().unfolded().to_ascii_lowercase();
        let spelt = spelt.replace("permererror", "permerror");
        check(tls.result().is_none_or(|it| it.name() == spelt), || {
            format!("{spelt} is {:?}", tls.result())
        })?;
        let mut conflicts = false;
        let mut bad = false;
        let mut note = |error: Option<PropertyError>| match error {
            Some(PropertyError::Conflict(_)) => conflicts = true,
            Some(_) => bad = true,
            None => {}
        };
        note(tls.cert_client().err());
        note(tls.cert_server().err());
        note(tls.cert_client_alt().err());
        note(tls.cert_server_alt().err());
        note(tls.cert_client_issuer().err());
        note(tls.cert_server_issuer().err());
        note(tls.cert_verif().err().map(PropertyError::from));
        note(tls.tls_v().err().map(PropertyError::from));
        note(
            tls.value(TlsProperty::KeyCiphersuite)
                .err()
                .map(PropertyError::from),
        );
        note(tls.key_fingerprint().err());
        note(tls.key_length().err());
        note(tls.key_strength().err().map(PropertyError::from));
        let noted = |kind: fn(&TlsDiagnosticKind) -> bool| kinds.iter().any(kind);
        check(
            conflicts == noted(|it| *it == TlsDiagnosticKind::DuplicateProperty),
            || format!("a conflict, or none, beside {kinds:?}"),
        )?;
        let noted_bad = noted(|it| {
            matches!(
                it,
                TlsDiagnosticKind::BadDn(_)
                    | TlsDiagnosticKind::BadAltName(_)
                    | TlsDiagnosticKind::BadFingerprint(_)
                    | TlsDiagnosticKind::BadKeyLength(_)
            )
        });
        // A property that appears twice may hide a bad value from the accessor.
        check(bad == noted_bad || conflicts && noted_bad, || {
            format!("a bad value, or none, beside {kinds:?}")
        })?;
        canonical(tls)?;
        for property in TlsProperty::ALL {
            for text in tls
                .values(property)
                .map(|text| text.collapsed().into_owned())
            {
                distinguished_name(&text)?;
                alt_names(&text)?;
                fingerprint(&text)?;
            }
        }
    }
    Ok(())
}

/// The place of a property in the table of the draft.
fn place(property: Property<'_>) -> Option<usize> {
    let mut all = TlsProperty::ALL.into_iter();
    all.position(|it| property.is(it.ptype(), it.property()))
}

/// Returns the meaning of a result without its spelling, and the text of the parts that cannot be read.
fn meaning(tls: TlsResInfo<'_, '_>) -> Vec<String> {
    let suites = tls.values(TlsProperty::KeyCiphersuite).map(|it| {
        let text = it.unfolded();
        CipherSuite::from_name(&text).map_or(text.into_owned(), |suite| suite.to_string())
    });
    let verif = tls.cert_verif().ok().flatten().map(Word::known);
    let version = tls.tls_v().ok().flatten().map(Word::known);
    let strength = tls.key_strength().ok().flatten().map(Word::known);
    let name =
        |name: Result<Option<DistinguishedName<'_>>, _>| name.ok().map(|it| it.map(|it| rdns(&it)));
    let names = |names: Result<Option<AltNames<'_>>, _>| {
        names
            .ok()
            .map(|it| it.map(|it| it.iter().map(|it| it.to_string()).collect::<Vec<_>>()))
    };
    let octets = tls
        .key_fingerprint()
        .ok()
        .flatten()
        .map(|it| it.as_bytes().to_vec());
    let read = tls.res_info();
    let others: Vec<_> = read
        .properties()
        .filter(|it| place(*it).is_none())
        .map(|it| {
            format!(
                "{:?}.{}={}",
                it.ptype().map(|it| it.unfolded().to_ascii_lowercase()),
                it.property().unfolded().to_ascii_lowercase(),
                it.value()
            )
        })
        .collect();
    vec![
        format!(
            "{:?} {:?}",
            tls.result(),
            read.reason().map(|it| it.unfolded())
        ),
        format!("{:?}", suites.collect::<Vec<_>>()),
        format!(
            "{verif:?} {version:?} {strength:?} {octets:?} {:?}",
            tls.key_length().ok()
        ),
        format!(
            "{:?} {:?}",
            name(tls.cert_client()),
            name(tls.cert_server())
        ),
        format!(
            "{:?} {:?}",
            name(tls.cert_client_issuer()),
            name(tls.cert_server_issuer())
        ),
        format!(
            "{:?} {:?}",
            names(tls.cert_client_alt()),
            names(tls.cert_server_alt())
        ),
        format!("{} {others:?}", read.all_properties().count()),
    ]
}

/// Checks that a result that is written in the draft's form keeps its meaning, with diagnostics only of what cannot
/// be read and what appears twice; written so again, it is the same.
fn canonical(tls: TlsResInfo<'_, '_>) -> Result<(), Broken> {
    // A value that a lenient reading accepts may not be writable.
    let Ok(again) = tls.to_canonical() else {
        return Ok(());
    };
    let header =
        AuthenticationResultsBuf::try_new("mx.example.net").map_err(|it| it.to_string())?;
    let written = header.with_result(again.clone());
    let written = written.write(&WriteOptions::unfolded().with_utf8(true));
    let written = written.map_err(|error| format!("{again:?}: {error}"))?;
    let header =
        AuthenticationResults::parse(written.as_bytes(), &Options::strict().with_utf8(true));
    let header = header.map_err(|error| format!("{written}: {error}"))?;
    let read: Vec<_> = TlsResInfo::all(&header).filter_map(Result::ok).collect();
    let ([read], 1) = (read.as_slice(), header.results().len()) else {
        return Err(format!("{written}: not one result"));
    };
    check(meaning(*read) == meaning(tls), || {
        format!("{:?} became {:?}", meaning(tls), meaning(*read))
    })?;
    let spelling = read.diagnostics().find(|it| {
        use TlsDiagnosticKind as Kind;
        matches!(
            it.kind(),
            Kind::ResultAlias
                | Kind::DnWhitespace
                | Kind::CertVerifCase
                | Kind::TlsVSpelling
                | Kind::FingerprintFolded
                | Kind::KeyStrengthCase
        )
    });
    check(spelling.is_none(), || format!("{written}: {spelling:?}"))?;
    let places: Vec<_> = read
        .res_info()
        .properties()
        .map(|it| place(it).unwrap_or(usize::MAX))
        .collect();
    check(places.is_sorted(), || format!("{written}: out of order"))?;
    check(read.to_canonical().as_ref() == Ok(&again), || {
        format!("{written} is not final")
    })
}

/// Any bytes: as a field, and as the value of each kind of property. What is said of
/// them is said again when asked again.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn any(data: &[u8]) -> Result<(), Broken> {
    if let Ok(text) = std::str::from_utf8(data) {
        distinguished_name(text)?;
        alt_names(text)?;
        fingerprint(text)?;
    }
    tls(data)?;
    let (first, second) = (said(data), said(data));
    check(first == second, || format!("{first:?}, then {second:?}"))
}

/// All that is noted of a field, and the result.
fn said(value: &[u8]) -> Vec<String> {
    let Ok(header) = AuthenticationResults::parse(value, &Options::lenient()) else {
        return Vec::new();
    };
    let lints = TlsResInfo::lint_all(&header).map(|it| it.to_string());
    let results = TlsResInfo::all(&header).map(|tls| match tls {
        Err(error) => error.to_string(),
        Ok(tls) => {
            let noted: Vec<_> = tls.diagnostics().map(|it| it.to_string()).collect();
            format!("{:?} {noted:?} {:?}", tls.result(), tls.cert_client())
        }
    });
    lints.chain(results).collect()
}

/// A report as the value of a field, by the simplest of all writers.
#[must_use]
pub fn field_of(report: &TlsReport) -> String {
    let mut value = format!("mx.example.net; tls={}", report.result);
    if let Some(comment) = report.comment {
        value.push_str(&format!(" ({comment})"));
    }
    for (property, text) in &report.properties {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        value.push_str(&format!(" {property}=\"{escaped}\""));
    }
    value
}

/// A report reads back as what it says, with nothing to note, by whatever writer.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn report(report: &TlsReport) -> Result<(), Broken> {
    let result = ResInfoBuf::try_from(report.clone()).map_err(|error| error.to_string())?;
    let written = AuthenticationResultsBuf::try_new("mx.example.net")
        .and_then(|it| it.with_result(result).write(&WriteOptions::default()))
        .map_err(|error| error.to_string())?;
    reads_back(&field_of(report), report)?;
    reads_back(&written, report)
}

fn reads_back(value: &str, report: &TlsReport) -> Result<(), Broken> {
    let header = AuthenticationResults::parse(value.as_bytes(), &Options::strict())
        .map_err(|error| format!("{value}: {error}"))?;
    let read: Result<Vec<_>, _> = TlsResInfo::all(&header).collect();
    let read = read.map_err(|error| error.to_string())?;
    let [tls] = read.as_slice() else {
        return Err(format!("{value}: {} results", read.len()));
    };
    check(header.results().len() == 1, || {
        format!("{value}: another result")
    })?;
    check(tls.result() == Some(report.result), || {
        format!("{value}: another result")
    })?;
    let given = report.properties.iter();
    let given = given.map(|(property, text)| (property.to_string(), text.clone()));
    let got = tls.res_info().properties().map(|it| {
        let ptype = it.ptype().map(|it| it.to_string()).unwrap_or_default();
        let name = format!("{ptype}.{}", it.property());
        (name, it.value().unfolded().into_owned())
    });
    check(got.eq(given), || format!("{value}: other properties"))?;
    let mut last = None;
    for (property, _) in &report.properties {
        check(last < Some(*property), || {
            format!("{value}: {property} out of order")
        })?;
        last = Some(*property);
    }
    let noted = tls.diagnostics().next();
    check(noted.is_none(), || format!("{value}: {noted:?}"))
}
