//! The registry "Email Authentication Parameters" of IANA with the meaning of methods, results and properties, as
//! RFC 8601 and its companions define them, and with the entries that the draft adds for `tls`.

/// A result that a method may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultName {
    /// The keyword.
    pub name: &'static str,
    /// The meaning, as a phrase.
    pub meaning: &'static str,
}

/// A property that a method may report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PropertyName {
    /// `ptype`
    pub ptype: &'static str,
    /// `property`
    pub property: &'static str,
    /// The meaning of its value, as a phrase.
    pub meaning: &'static str,
}

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// The keyword.
    pub name: &'static str,
    /// The subject of its check, as a phrase.
    pub meaning: &'static str,
    /// The document that defines it.
    pub defined: &'static str,
    /// Its results.
    pub results: &'static [ResultName],
    /// Its properties.
    pub properties: &'static [PropertyName],
}

impl Method {
    /// Returns the method of this name, which compares without regard to case.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        METHODS
            .iter()
            .find(|method| method.name.eq_ignore_ascii_case(name))
    }

    /// Returns the result of this name, which compares without regard to case.
    #[must_use]
    pub fn result(&self, name: &str) -> Option<&'static ResultName> {
        let mut results = self.results.iter();
        results.find(|result| result.name.eq_ignore_ascii_case(name))
    }

    /// Returns the property of this name, which compares without regard to case.
    #[must_use]
    pub fn property(&self, ptype: &str, property: &str) -> Option<&'static PropertyName> {
        self.properties.iter().find(|it| {
            it.ptype.eq_ignore_ascii_case(ptype) && it.property.eq_ignore_ascii_case(property)
        })
    }
}

const fn result(name: &'static str, meaning: &'static str) -> ResultName {
    ResultName { name, meaning }
}

const fn property(
    ptype: &'static str,
    property: &'static str,
    meaning: &'static str,
) -> PropertyName {
    PropertyName {
        ptype,
        property,
        meaning,
    }
}

const TEMPERROR: ResultName = result(
    "temperror",
    "the check could not be done now; a later attempt may succeed",
);
const PERMERROR: ResultName = result(
    "permerror",
    "the check cannot be done, e.g. because of a bad record; a later attempt will not succeed",
);

const SIGNATURE_RESULTS: &[ResultName] = &[
    result("none", "the message was not signed"),
    result("pass", "signed, and the signature is acceptable and valid"),
    result("fail", "signed, but the signature is not valid"),
    result(
        "policy",
        "signed, but a local policy does not accept the signature",
    ),
    result("neutral", "signed, but the signature cannot be processed"),
    TEMPERROR,
    PERMERROR,
];

const SPF_RESULTS: &[ResultName] = &[
    result("none", "no policy record was found"),
    result("pass", "the client is authorized to use the name"),
    result("fail", "the client is not authorized to use the name"),
    result("softfail", "the client is probably not authorized"),
    result("neutral", "the domain states nothing about the client"),
    result("policy", "a local policy overrides the result"),
    TEMPERROR,
    PERMERROR,
];

/// The methods.
pub const METHODS: &[Method] = &[
    Method {
        name: "arc",
        meaning: "the chain of ARC seals",
        defined: "RFC 8617",
        results: &[
            result("none", "there is no chain"),
            result("pass", "the chain is valid"),
            result("fail", "the chain is not valid"),
        ],
        properties: &[
            property("smtp", "remote-ip", "the client's address"),
            property(
                "header",
                "oldest-pass",
                "the oldest instance whose message signature is valid",
            ),
            property("arc", "chain", "the domains of the chain"),
        ],
    },
    Method {
        name: "auth",
        meaning: "the SMTP client's authentication",
        defined: "RFC 8601",
        results: &[
            result("none", "the client did not authenticate"),
            result("pass", "the client authenticated"),
            result("fail", "the client tried to authenticate and failed"),
            TEMPERROR,
            PERMERROR,
        ],
        properties: &[
            property("smtp", "auth", "the AUTH parameter of the MAIL command"),
            property("smtp", "mailfrom", "the envelope's sender"),
        ],
    },
    Method {
        name: "dkim",
        meaning: "a DKIM signature",
        defined: "RFC 8601",
        results: SIGNATURE_RESULTS,
        properties: &[
            property("header", "d", "the domain that signed"),
            property("header", "i", "the user or agent the signature is for"),
            property(
                "header",
                "b",
                "the signature's beginning, to tell several apart",
            ),
            property("header", "a", "the signature's algorithm"),
            property("header", "s", "the selector of the key"),
        ],
    },
    Method {
        name: "dkim-adsp",
        meaning: "the author domain's signing practices (historic)",
        defined: "RFC 5617",
        results: &[
            result("none", "no practices are published"),
            result("pass", "the author domain signed"),
            result("unknown", "no author signature, which the domain allows"),
            result("fail", "no author signature, though the domain signs all"),
            result(
                "discard",
                "no author signature, and the domain asks to discard it",
            ),
            result("nxdomain", "the author's domain does not exist"),
            TEMPERROR,
            PERMERROR,
        ],
        properties: &[property("header", "from", "the author's address")],
    },
    Method {
        name: "dkim-atps",
        meaning: "the author domain's authorization of the signer",
        defined: "RFC 6541",
        results: &[
            result("none", "there is no signature to check"),
            result("pass", "the signer is authorized"),
            result("fail", "the signer is not authorized"),
            TEMPERROR,
            PERMERROR,
        ],
        properties: &[property("header", "from", "the author's domain")],
    },
    Method {
        name: "dmarc",
        meaning: "the author domain's authentication, by its policy",
        defined: "RFC 7489",
        results: &[
            result("none", "no policy is published"),
            result("pass", "an aligned SPF or DKIM result passed"),
            result("fail", "no aligned SPF or DKIM result passed"),
            TEMPERROR,
            PERMERROR,
        ],
        properties: &[
            property("header", "from", "the author's domain"),
            property("policy", "dmarc", "the policy that was applied"),
        ],
    },
    Method {
        name: "dnswl",
        meaning: "the client in a DNS list of good senders",
        defined: "RFC 8904",
        results: &[
            result("none", "the client is not listed"),
            result("pass", "the client is listed"),
            TEMPERROR,
            PERMERROR,
        ],
        properties: &[
            property("dns", "zone", "the list's zone"),
            property("policy", "ip", "the address the list returned"),
            property("policy", "txt", "the text the list returned"),
            property(
                "dns",
                "sec",
                "yes if the answer was secured by DNSSEC, or no, or na",
            ),
        ],
    },
    Method {
        name: "domainkeys",
        meaning: "a DomainKeys signature (historic)",
        defined: "RFC 8601",
        results: SIGNATURE_RESULTS,
        properties: &[
            property("header", "d", "the domain that signed"),
            property("header", "from", "the author's address"),
            property("header", "sender", "the sender's address"),
            property("header", "s", "the selector of the key"),
            property("header", "a", "the signature's algorithm"),
        ],
    },
    Method {
        name: "iprev",
        meaning: "a match of the client's name and address in DNS, in both directions",
        defined: "RFC 8601",
        results: &[
            result("pass", "name and address match"),
            result("fail", "name and address do not match"),
            TEMPERROR,
            PERMERROR,
        ],
        properties: &[property("policy", "iprev", "the client's address")],
    },
    Method {
        name: "rrvs",
        meaning: "the mailbox owner, who may have changed since the sender learnt the address",
        defined: "RFC 7293",
        results: &[
            result("none", "it was not checked"),
            result("unknown", "the owner is not known"),
            result("pass", "the owner has not changed"),
            result("fail", "the owner has changed"),
            TEMPERROR,
            PERMERROR,
        ],
        properties: &[property("smtp", "rcptto", "the recipient")],
    },
    Method {
        name: "sender-id",
        meaning: "the purported responsible address, by Sender ID (historic)",
        defined: "RFC 8601",
        results: SPF_RESULTS,
        properties: &[],
    },
    Method {
        name: "smime",
        meaning: "an S/MIME signature",
        defined: "RFC 7281",
        results: SIGNATURE_RESULTS,
        properties: &[
            property("body", "smime-part", "the part that is signed"),
            property("body", "smime-identifier", "the signer's address"),
            property("body", "smime-serial", "the certificate's serial number"),
            property("body", "smime-issuer", "the certificate's issuer"),
        ],
    },
    Method {
        name: "spf",
        meaning: "the client's authorization to send for a domain",
        defined: "RFC 8601",
        results: SPF_RESULTS,
        properties: &[
            property("smtp", "mailfrom", "the envelope's sender"),
            property("smtp", "helo", "the name the client gave"),
        ],
    },
    Method {
        name: "tls",
        meaning: "the TLS session the message came over",
        defined: "draft-martin-authentication-results-tls-03",
        results: &[
            result("none", "the message was sent in clear"),
            result(
                "pass",
                "sent encrypted; the client's certificate and host identity were verified",
            ),
            result(
                "selfsigned",
                "sent encrypted; the client's certificate is self-signed",
            ),
            result(
                "invalidhost",
                "sent encrypted; the certificate is valid but not the host's",
            ),
            result(
                "fail",
                "sent encrypted; the client's certificate is not valid",
            ),
            result(
                "temperror",
                "sent encrypted; the certificate could not be verified now",
            ),
            result(
                "permerror",
                "sent encrypted; the certificate was not verified",
            ),
        ],
        properties: &[
            property("cert", "client", "the subject of the client's certificate"),
            property("cert", "server", "the subject of the server's certificate"),
            property(
                "cert",
                "clientalt",
                "the alternative names of the client's certificate",
            ),
            property(
                "cert",
                "serveralt",
                "the alternative names of the server's certificate",
            ),
            property(
                "cert",
                "clientissuer",
                "the issuer of the client's certificate",
            ),
            property(
                "cert",
                "serverissuer",
                "the issuer of the server's certificate",
            ),
            property(
                "cert",
                "verif",
                "how the certificate was verified: CA, DANE, LOCAL",
            ),
            property("tls", "v", "the protocol version"),
            property("key", "ciphersuite", "the cipher suite"),
            property("key", "fingerprint", "the fingerprint of the key"),
            property("key", "length", "the length of the key in bits"),
            property(
                "key",
                "strength",
                "the server's judgement: low, medium, high",
            ),
        ],
    },
    Method {
        name: "vbr",
        meaning: "a certifier's vouching for the sender",
        defined: "RFC 6212",
        results: &[
            result("none", "no certifier was asked to vouch"),
            result("pass", "a trusted certifier vouches"),
            result("fail", "no trusted certifier vouches"),
            TEMPERROR,
            PERMERROR,
        ],
        properties: &[
            property("header", "md", "the domain vouched for"),
            property("header", "mv", "the certifier"),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_in_any_case_and_lists_each_once() {
        let tls = Method::find("TLS").expect("registered");
        assert_eq!(
            tls.result("InvalidHost").map(|it| it.name),
            Some("invalidhost")
        );
        assert_eq!(
            tls.property("Cert", "clientAlt").map(|it| it.meaning),
            Some("the alternative names of the client's certificate")
        );
        assert_eq!(tls.result("permererror"), None);
        assert_eq!(Method::find("x-tls"), None);
        for method in METHODS {
            for other in METHODS {
                assert_eq!(
                    method.name == other.name,
                    method == other,
                    "{}",
                    method.name
                );
            }
        }
    }
}
