//! The analysis of a field: its strict and its lenient reading, and all findings.

use std::ops::Range;

use authres_tls::{
    AuthenticationResults, ParseError, ResInfo, TlsResInfo,
    registry::Method,
    strip::Disguise,
    syntax::{Body, Diagnostic, DiagnosticKind, Span},
    tls::{NotTlsError, TlsDiagnostic, TlsDiagnosticKind, TlsLint, TlsLintKind},
};

use crate::{
    arguments::Read,
    finding::{Finding, Severity},
    input::Found,
    visible::Visible,
};

/// A field and its readings.
pub(crate) struct Analysis<'a> {
    /// The verdict of the strict reading; `None` if it was not requested.
    pub(crate) strict: Option<Result<(), ParseError>>,
    /// The verdict of the lenient reading; `None` if it was not requested.
    pub(crate) lenient: Option<Result<(), ParseError>>,
    /// The tree of the lenient reading, or of the strict one if that is the only one.
    pub(crate) tree: Result<AuthenticationResults<'a>, ParseError>,
    disguise: Option<Disguise>,
}

impl<'a> Analysis<'a> {
    pub(crate) fn of(found: &'a Found, read: &Read) -> Self {
        let parse = if found.is_arc() {
            AuthenticationResults::parse_arc
        } else {
            AuthenticationResults::parse
        };
        let strictly = (!read.lenient).then(|| parse(found.octets(), &read.strict_options()));
        let leniently = (!read.strict).then(|| parse(found.octets(), &read.lenient_options()));
        let verdict = |it: &Result<AuthenticationResults<'a>, ParseError>| match it {
            Ok(_) => Ok(()),
            Err(error) => Err(*error),
        };
        Self {
            strict: strictly.as_ref().map(verdict),
            lenient: leniently.as_ref().map(verdict),
            tree: leniently
                .or(strictly)
                .unwrap_or_else(|| parse(found.octets(), &read.strict_options())),
            disguise: found.disguise,
        }
    }

    /// Returns the faults of the form: an error, or the deviations accepted with a warning, in the order of the bytes.
    pub(crate) fn findings_of_form(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.disguise.map(hidden).into_iter().collect();
        let tree = match &self.tree {
            Ok(tree) => tree,
            Err(error) => {
                findings.push(refused(*error));
                return findings;
            }
        };
        findings.extend(tree.diagnostics().iter().map(accepted));
        let tls = TlsResInfo::all(tree).filter_map(Result::ok);
        findings.extend(tls.flat_map(|it| it.diagnostics()).map(accepted_tls));
        if let (true, Some(Err(error))) = (tree.diagnostics().is_empty(), self.strict) {
            findings.push(refused(error));
        }
        findings.sort_by_key(|finding| finding.at.start);
        findings
    }

    /// Returns all findings, in the order of the bytes.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = self.findings_of_form();
        if let Ok(tree) = &self.tree {
            if let (Body::UnsupportedVersion, Some(version)) = (tree.body(), tree.version()) {
                findings.push(Finding::new(
                    Severity::Warning,
                    "unsupported-version",
                    "a version that is unknown version: the field must not be used",
                    version.span(),
                ));
            }
            findings.extend(tree.results().flat_map(of_registry));
            findings.extend(TlsResInfo::lint_all(tree).map(contradiction));
        }
        findings.sort_by_key(|finding| finding.at.start);
        findings
    }
}

fn hidden(disguise: Disguise) -> Finding {
    let text = match disguise {
        Disguise::LineBreak => {
            "only some readers see this field: it begins after a character that they read as a line break"
        }
        _ => "only some readers see this field: its name has characters that they ignore",
    };
    Finding {
        severity: Severity::Warning,
        code: "hidden-field",
        text: text.to_owned(),
        at: byte(0),
    }
}

/// Returns a place of which only the first byte is known.
fn byte(offset: usize) -> Range<usize> {
    offset..offset.saturating_add(1)
}

fn refused(error: ParseError) -> Finding {
    Finding {
        severity: Severity::Error,
        code: error.kind().name(),
        text: error.to_string(),
        at: byte(error.offset()),
    }
}

fn accepted(diagnostic: &Diagnostic) -> Finding {
    use DiagnosticKind as Kind;
    let field = diagnostic.field();
    let text = match diagnostic.kind() {
        Kind::MalformedAuthservId => {
            "the authserv-id is neither a token nor a quoted-string".to_owned()
        }
        Kind::MissingAuthservId => {
            "there is no authserv-id: the server that made these checks is unknown".to_owned()
        }
        Kind::JunkAfterAuthservId => {
            "skipped: text between the authserv-id and the first \";\"".to_owned()
        }
        Kind::MissingSemicolon => "no \";\" before the first result".to_owned(),
        Kind::BadResinfo(why) => {
            format!(
                "skipped: a result that cannot be parsed ({field}: {})",
                why.name()
            )
        }
        Kind::JunkInResinfo(why) => {
            format!(
                "skipped: words in a result that are not a property ({field}: {})",
                why.name()
            )
        }
        Kind::MissingCfws => "no white space between a reason and the next property".to_owned(),
        Kind::DottedMethod => "names before the method, with full stops".to_owned(),
        Kind::MalformedMethodVersion => {
            "the version of the method is not a number: the result must be ignored".to_owned()
        }
        Kind::EmptyValue => format!("no value after the \"=\"; it is read as empty ({field})"),
        Kind::EmptyResinfo => "no result between two \";\"".to_owned(),
        Kind::TrailingSemicolon => "a \";\" at the end, and no result after it".to_owned(),
        Kind::NoneMixed => "skipped: \"none\" together with results".to_owned(),
        Kind::UnderscoreInKeyword => format!("an underscore in the keyword ({field})"),
        Kind::KeywordEndsWithHyphen => format!("the keyword ends with a hyphen ({field})"),
        Kind::UndottedPair => "key=value where ptype.property=value is expected".to_owned(),
        Kind::UnquotedTspecials => {
            "special characters in a value without quotes; its end is assumed at the next space, \
             \";\", comment or quote"
                .to_owned()
        }
        Kind::BareLfFold => "a line is folded with LF where CRLF is expected".to_owned(),
        Kind::NonAscii => format!("characters outside ASCII ({field})"),
        _ => format!("accepted with a warning: {diagnostic}"),
    };
    Finding {
        severity: Severity::Warning,
        code: diagnostic.kind().name(),
        text,
        at: byte(diagnostic.offset()),
    }
}

fn accepted_tls(diagnostic: TlsDiagnostic) -> Finding {
    use TlsDiagnosticKind as Kind;
    let text = match diagnostic.kind() {
        Kind::ResultAlias => {
            "\"permererror\", as a table of the draft misspells it, read as \"permerror\""
                .to_owned()
        }
        Kind::UnknownResult => "not a result of the draft: treated as absent".to_owned(),
        Kind::DuplicateProperty => "duplicate property: neither value can be relied on".to_owned(),
        Kind::DnWhitespace => "runs of spaces in a distinguished name, as folding leaves them; \
                               each is read as one"
            .to_owned(),
        Kind::BadDn(why) => format!("not a distinguished name ({})", why.name()),
        Kind::BadAltName(why) => format!("not a list of alternative names ({})", why.name()),
        Kind::CertVerifCase => {
            "cert.verif in another case than the draft's CA, DANE, LOCAL".to_owned()
        }
        Kind::TlsVSpelling => {
            "the version in another spelling than the draft's, e.g. TLS1.2".to_owned()
        }
        Kind::CipherSuiteNotIanaName => {
            "not a description of the IANA registry, e.g. TLS_AES_128_GCM_SHA256".to_owned()
        }
        Kind::FingerprintFolded => "spaces in a fingerprint, as folding leaves them".to_owned(),
        Kind::BadFingerprint(why) => format!("not a fingerprint ({})", why.name()),
        Kind::KeyLengthOfTwo => {
            "two numbers in key.length: the bits used, of those the algorithm has".to_owned()
        }
        Kind::BadKeyLength(why) => format!("not a number of bits ({})", why.name()),
        Kind::KeyStrengthCase => {
            "key.strength in another case than the draft's low, medium, high".to_owned()
        }
        _ => format!("accepted with a warning: {diagnostic}"),
    };
    Finding::new(
        Severity::Warning,
        diagnostic.kind().name(),
        text,
        diagnostic.span(),
    )
}

fn contradiction(lint: TlsLint) -> Finding {
    use TlsLintKind as Kind;
    let text = match lint.kind() {
        Kind::SeveralResults => {
            "more than one tls result: it is unclear which one is valid".to_owned()
        }
        Kind::UnknownProperty => "the draft has no such property".to_owned(),
        Kind::NoneWithProperties => {
            "sent in clear, yet with properties of a TLS session".to_owned()
        }
        Kind::NoCipherSuite => {
            "encrypted, but without key.ciphersuite, which is not optional".to_owned()
        }
        Kind::PassWithoutClient => {
            "passed, but without cert.client, which is not optional".to_owned()
        }
        Kind::PassWithoutEncryption => "passed, but the cipher suite does not encrypt".to_owned(),
        Kind::SuiteOfAnotherVersion => {
            "the protocol version does not have this cipher suite".to_owned()
        }
        _ => lint.to_string(),
    };
    let severity = match lint.kind() {
        Kind::UnknownProperty => Severity::Note,
        _ => Severity::Warning,
    };
    Finding::new(severity, lint.kind().name(), text, lint.span())
}

/// Returns the names that no registry has. For `tls`, the diagnostics and lints report them.
fn of_registry(result: ResInfo<'_, '_>) -> Vec<Finding> {
    let note = |code, text: String, span: Span| Finding::new(Severity::Note, code, text, span);
    let mut findings = Vec::new();
    let name = result.method().unfolded();
    let Some(method) = Method::find(&name) else {
        let text = format!("the method {} is not registered", Visible(&name));
        return vec![note("unknown-method", text, result.method().span())];
    };
    if let Some(version) = result.method_version()
        && version.value() != Some(1)
    {
        findings.push(Finding::new(
            Severity::Warning,
            "unsupported-method-version",
            "unknown version of the method: the result must be ignored",
            version.span(),
        ));
    }
    if !matches!(TlsResInfo::try_from(result), Err(NotTlsError::OtherMethod)) {
        return findings;
    }
    let word = result.result();
    if method.result(&word.unfolded()).is_none() {
        let known: Vec<_> = method.results.iter().map(|it| it.name).collect();
        let text = format!(
            "not a result of {}, which has {}",
            method.name,
            known.join(", ")
        );
        findings.push(note("unknown-result", text, word.span()));
    }
    for property in result.properties() {
        let ptype = property.ptype().map(|it| it.unfolded()).unwrap_or_default();
        if method
            .property(&ptype, &property.property().unfolded())
            .is_none()
        {
            let text = format!("the property is not registered for {}", method.name);
            findings.push(note("unknown-property", text, property.span()));
        }
    }
    findings
}
