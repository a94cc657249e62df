//! What must hold for any message whose forged fields are removed.

use std::ops::Range;

use authres_tls::{
    AuthenticationResults, AuthservId, Body, Mode, Options, StripPolicy, StripReason, StripVerdict,
    fields,
};

use super::super::Broken;

/// Ids of one's own, of which the choice takes one.
const OWN: [&str; 4] = [
    "example.com",
    "mx.example.com",
    "b\u{fc}cher.example",
    "mail_1",
];

/// What is removed from a message, under the policy that the first byte chooses: fields of the name, for
/// reasons that hold when the simplest restatement is asked; all else stays byte for byte; what is left
/// claims no id of one's own in any reading, and a second pass removes nothing.
///
/// # Errors
/// What was broken.
pub fn strip(data: &[u8]) -> Result<(), Broken> {
    let (choice, message) = data.split_first().unwrap_or((&0, &[]));
    let own = OWN[usize::from(choice >> 3) % OWN.len()];
    let own = AuthservId::try_new(own).map_err(|error| error.to_string())?;
    let policy = StripPolicy {
        subdomains: choice & 1 == 0,
        from_trusted: choice & 6 == 6,
        all: choice & 6 == 2,
        ..StripPolicy::new([own])
    };
    let (stripped, removals) = policy.strip(message);
    if removals != policy.removals(message) {
        return Err("two answers to one question".into());
    }
    let spans: Vec<_> = fields(message).map(|field| field.span()).collect();
    let places: Vec<_> = removals.iter().map(|removal| removal.index).collect();
    if !places.is_sorted_by(|one, next| one < next) {
        return Err(format!("{places:?} are not in order"));
    }
    let removed: Option<Vec<_>> = places.iter().map(|at| spans.get(*at).cloned()).collect();
    let removed = removed.ok_or("a field that is not there is removed")?;
    if without(message, &removed) != stripped {
        return Err("something else of the message changed".into());
    }
    let named = named_fields(message);
    let mut expected = Vec::new();
    for (span, value) in &named {
        if let StripVerdict::Remove(_) = policy.verdict(value) {
            expected.push(span.clone());
        }
        plain_verdict(&policy, value)?;
    }
    if removed != expected {
        return Err(format!("{removed:?} were removed, not {expected:?}"));
    }
    let (again, removals) = policy.strip(&stripped);
    if again != stripped || !removals.is_empty() {
        return Err(format!("a second pass removes {removals:?}"));
    }
    if policy.from_trusted {
        return Ok(());
    }
    let left = named_fields(&stripped);
    if policy.all && !left.is_empty() {
        return Err("a field is left where all go".into());
    }
    left.iter().try_for_each(|(_, value)| stays(&policy, value))
}

fn without(message: &[u8], spans: &[Range<usize>]) -> Vec<u8> {
    let octets = message.iter().enumerate();
    let kept = octets.filter(|(at, _)| !spans.iter().any(|span| span.contains(at)));
    kept.map(|(_, octet)| *octet).collect()
}

/// The fields called Authentication-Results, line by line: where each is, and its value.
fn named_fields(message: &[u8]) -> Vec<(Range<usize>, &[u8])> {
    let mut inside = false;
    let mut end = 0;
    let mut groups = Vec::<Range<usize>>::new();
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let start = end;
        end += line.len();
        let more = inside && matches!(line.first(), Some(b' ' | b'\t'));
        match groups.last_mut() {
            Some(group) if more => group.end = end,
            _ if line == b"\r\n" || line == b"\n" => break,
            _ => groups.push(start..end),
        }
        inside = true;
    }
    let name_of = |group: &[u8]| -> Option<usize> {
        const NAME: &[u8] = b"authentication-results";
        let (name, rest) = group.split_at_checked(NAME.len())?;
        let blanks = rest.iter().take_while(|octet| octet.is_ascii_whitespace());
        let colon = NAME.len() + blanks.count();
        (name.eq_ignore_ascii_case(NAME) && group.get(colon) == Some(&b':')).then_some(colon + 1)
    };
    let with_value = |span: Range<usize>| {
        let group = message.get(span.clone())?;
        let value = group.get(name_of(group)?..)?;
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        Some((span, value.strip_suffix(b"\r").unwrap_or(value)))
    };
    groups.into_iter().filter_map(with_value).collect()
}

/// Of values that begin with a name without quotes, comments and folds, and `;` behind it.
fn plain_verdict(policy: &StripPolicy, value: &[u8]) -> Result<(), Broken> {
    let Ok(value) = std::str::from_utf8(value) else {
        return Ok(());
    };
    let Some((id, _)) = value.split_once(';') else {
        return Ok(());
    };
    let id = id.trim_matches(' ').to_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = id.trim_end_matches('.');
    if name.is_empty() || !id.chars().all(is_plain) || id.contains("xn--") {
        return Ok(());
    }
    let own = policy.own.iter().map(AuthservId::as_str);
    let mut reasons = own.filter_map(|own| match name.strip_suffix(own) {
        Some("") => Some(StripReason::OwnId),
        Some(below) if policy.subdomains && below.ends_with('.') => Some(StripReason::BelowOwnId),
        _ => None,
    });
    let expected = match (policy.from_trusted, policy.all) {
        (true, _) => StripVerdict::Keep,
        (_, true) => StripVerdict::Remove(StripReason::All),
        _ => reasons
            .next()
            .map_or(StripVerdict::Keep, StripVerdict::Remove),
    };
    let verdict = policy.verdict(value.as_bytes());
    if verdict == expected {
        return Ok(());
    }
    Err(format!("{verdict:?} of {id:?}, not {expected:?}"))
}

/// That no reading of the value finds an id of one's own, or a version that this crate cannot read.
fn stays(policy: &StripPolicy, value: &[u8]) -> Result<(), Broken> {
    for mode in [Mode::Strict, Mode::Lenient] {
        for utf8 in [false, true] {
            let options = Options {
                mode,
                ..Options::default()
            };
            let read = AuthenticationResults::parse(value, &options.with_utf8(utf8));
            let Ok(header) = read else { continue };
            let id = header.authserv_id().unfolded();
            if header.body() == Body::UnsupportedVersion {
                return Err(format!("{id:?} stays with an unsupported version"));
            }
            let Ok(claimed) = AuthservId::try_new(&id) else {
                return Err(format!("{id:?} stays and is no name"));
            };
            let is_own =
                |own: &AuthservId| *own == claimed || policy.subdomains && own.covers(&claimed);
            if policy.own.iter().any(is_own) {
                return Err(format!("{id:?} stays and is one's own"));
            }
        }
    }
    Ok(())
}
