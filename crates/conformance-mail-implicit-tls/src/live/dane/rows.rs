//! The table of certificates and TLSA records, with the right end of each row under both readings of DANE.

use conformance::outcome::Checked;
use mail_implicit_tls::{
    dane::DaneRules,
    verdict::{
        CertificateUsage, ChainProblem, ChainVerdict, DaneNotUsed, DaneVerdict, RecordProblem,
    },
};

use super::{
    certificates::{EXPIRED, Shown, Shows, WRONG, tlsa},
    ends::{
        End, TRUSTED, accepted, differing, differs, finding, matches, matching, not_verified,
        refused, rejected, verdict,
    },
};

/// The right end of an attempt to connect to a host.
pub(super) type Right<'r> = &'r dyn Fn(&str, DaneRules) -> Checked<End>;

pub(super) type Record<'r> = &'r dyn Fn(&Shown) -> String;

/// The certificate and the records of a host of the tree, and the outcome of the client's attempt under each reading of DANE.
pub(super) struct Row<'r> {
    pub(super) label: &'static str,
    pub(super) shows: Shows,
    pub(super) records: Vec<Record<'r>>,
    pub(super) right: Right<'r>,
}

/// Returns the rows.
pub(super) fn rows() -> Vec<Row<'static>> {
    use CertificateUsage::{DaneEe, DaneTa, PkixEe, PkixTa};

    const DATE: ChainProblem = ChainProblem::Expired { not_after: EXPIRED };
    vec![
        Row {
            label: "ee",
            shows: Shows::Good,
            records: vec![&|it| tlsa(&it.own, 3, 1, 1)],
            right: &|host, rules| accepted(TRUSTED, host, matches(DaneEe, rules)),
        },
        Row {
            label: "ee-private",
            shows: Shows::Private,
            records: vec![&|it| tlsa(&it.own, 3, 0, 2)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneEe, rules)),
        },
        Row {
            label: "ee-full-key",
            shows: Shows::Private,
            records: vec![&|it| tlsa(&it.own, 3, 1, 0)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneEe, rules)),
        },
        Row {
            label: "ee-wrong",
            shows: Shows::Good,
            records: vec![&|_| format!("3 1 1 {WRONG}")],
            right: &|host, _| {
                let dane = differs([3, 1, 1], RecordProblem::NoMatch);
                rejected(TRUSTED, host, dane)
            },
        },
        Row {
            label: "ee-one-of-two",
            shows: Shows::Private,
            records: vec![&|_| format!("3 1 1 {WRONG}"), &|it| tlsa(&it.own, 3, 1, 1)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneEe, rules)),
        },
        Row {
            label: "ee-authority",
            shows: Shows::OwnAuthority,
            records: vec![&|it| tlsa(&it.own, 3, 1, 1)],
            right: &|host, rules| {
                let chain = refused(&[ChainProblem::IsAuthority, ChainProblem::SelfSigned]);
                accepted(chain, host, matches(DaneEe, rules))
            },
        },
        Row {
            label: "ee-expired",
            shows: Shows::Expired,
            records: vec![&|it| tlsa(&it.own, 3, 1, 1)],
            right: &|host, rules| {
                let chain = refused(&[DATE]);
                accepted(chain, host, matches(DaneEe, rules))
            },
        },
        Row {
            label: "ee-other-name",
            shows: Shows::OtherName,
            records: vec![&|it| tlsa(&it.own, 3, 1, 1)],
            right: &|host, rules| {
                let of = |expected| differing(expected, "other.example");
                Ok(match rules {
                    DaneRules::Rfc7671 => Ok(verdict(
                        unknown(),
                        of(&[host, host])?,
                        matches(DaneEe, rules),
                    )),
                    _ => {
                        let dane = differs([3, 1, 1], RecordProblem::Identity);
                        not_verified(verdict(unknown(), of(&[host])?, dane))
                    }
                })
            },
        },
        Row {
            label: "ee-agility",
            shows: Shows::Private,
            records: vec![&|it| tlsa(&it.own, 3, 1, 1), &|_| {
                format!("3 1 2 {WRONG}{WRONG}")
            }],
            right: &|host, rules| {
                Ok(match rules {
                    DaneRules::Rfc7671 => {
                        let findings = vec![
                            finding([3, 1, 1], RecordProblem::WeakerDigest),
                            finding([3, 1, 2], RecordProblem::NoMatch),
                        ];
                        not_verified(verdict(
                            unknown(),
                            matching(host)?,
                            DaneVerdict::Differs(findings),
                        ))
                    }
                    _ => Ok(verdict(unknown(), matching(host)?, matches(DaneEe, rules))),
                })
            },
        },
        Row {
            label: "ta",
            shows: Shows::Private,
            records: vec![&|it| tlsa(&it.authority, 2, 0, 1)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneTa, rules)),
        },
        Row {
            label: "ta-key",
            shows: Shows::Private,
            records: vec![&|it| tlsa(&it.authority, 2, 1, 2)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneTa, rules)),
        },
        Row {
            label: "ta-not-sent",
            shows: Shows::Good,
            records: vec![&|it| tlsa(&it.authority, 2, 0, 1)],
            right: &|host, _| {
                let dane = differs([2, 0, 1], RecordProblem::NoMatch);
                rejected(TRUSTED, host, dane)
            },
        },
        Row {
            label: "ta-in-the-record",
            shows: Shows::Good,
            records: vec![&|it| tlsa(&it.authority, 2, 0, 0)],
            right: &|host, rules| accepted(TRUSTED, host, matches(DaneTa, rules)),
        },
        Row {
            label: "ta-of-the-server",
            shows: Shows::Private,
            records: vec![&|it| tlsa(&it.own, 2, 1, 1)],
            right: &|host, _| {
                let dane = differs([2, 1, 1], RecordProblem::NoMatch);
                rejected(unknown(), host, dane)
            },
        },
        Row {
            label: "ta-other-name",
            shows: Shows::OtherName,
            records: vec![&|it| tlsa(&it.authority, 2, 0, 1)],
            right: &|host, _| {
                let identity = differing(&[host], "other.example")?;
                let dane = differs([2, 0, 1], RecordProblem::Identity);
                Ok(not_verified(verdict(unknown(), identity, dane)))
            },
        },
        Row {
            label: "ta-expired",
            shows: Shows::Expired,
            records: vec![&|it| tlsa(&it.authority, 2, 0, 1)],
            right: &|host, _| {
                let chain = refused(&[DATE]);
                let dane = differs([2, 0, 1], RecordProblem::Path(DATE));
                rejected(chain, host, dane)
            },
        },
        Row {
            label: "pkix-ta",
            shows: Shows::Good,
            records: vec![&|it| tlsa(&it.authority, 0, 0, 1)],
            right: &|host, rules| accepted(TRUSTED, host, matches(PkixTa, rules)),
        },
        Row {
            label: "pkix-ee",
            shows: Shows::Good,
            records: vec![&|it| tlsa(&it.own, 1, 1, 1)],
            right: &|host, rules| accepted(TRUSTED, host, matches(PkixEe, rules)),
        },
        Row {
            label: "pkix-ee-private",
            shows: Shows::Private,
            records: vec![&|it| tlsa(&it.own, 1, 1, 1)],
            right: &|host, _| {
                let path = RecordProblem::Path(ChainProblem::UnknownIssuer);
                let dane = differs([1, 1, 1], path);
                rejected(unknown(), host, dane)
            },
        },
        Row {
            label: "unusable",
            shows: Shows::Good,
            records: vec![&|_| format!("255 1 1 {WRONG}")],
            right: &|host, _| {
                let findings = vec![finding([255, 1, 1], RecordProblem::Usage)];
                let dane = DaneVerdict::NotUsed(DaneNotUsed::Unusable(findings));
                accepted(TRUSTED, host, dane)
            },
        },
        Row {
            label: "unusable-private",
            shows: Shows::Private,
            records: vec![&|_| "3 1 3 00".to_owned()],
            right: &|host, _| {
                let findings = vec![finding([3, 1, 3], RecordProblem::MatchingType)];
                let dane = DaneVerdict::NotUsed(DaneNotUsed::Unusable(findings));
                rejected(unknown(), host, dane)
            },
        },
        Row {
            label: "unusable-beside-a-match",
            shows: Shows::Private,
            records: vec![&|_| format!("3 9 1 {WRONG}"), &|it| tlsa(&it.own, 3, 1, 1)],
            right: &|host, rules| accepted(unknown(), host, matches(DaneEe, rules)),
        },
        Row {
            label: "no-records",
            shows: Shows::Good,
            records: Vec::new(),
            right: &|host, _| {
                let dane = DaneVerdict::NotUsed(DaneNotUsed::NoRecords);
                accepted(TRUSTED, host, dane)
            },
        },
    ]
}

fn unknown() -> ChainVerdict {
    refused(&[ChainProblem::UnknownIssuer])
}
