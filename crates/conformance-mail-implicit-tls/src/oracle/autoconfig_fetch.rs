//! Fetches of configuration files: responses, redirects and bodies of any octets.

use conformance::oracle::Broken;
use mail_implicit_tls::setup::{
    address::MailAddress,
    autoconfig::{
        ClientConfig, Location, MAX_FILE_BYTES,
        fetch::{
            Body, Fetch, FetchProblem, MAX_LOCATION_BYTES, MAX_REDIRECTS, RefusedRedirect, Step,
        },
    },
};

/// The octet between two responses.
const NEXT: u8 = 0xff;

/// The number of times that a body comes with the third bit of the first octet: longer than a file may be.
const REPEATED: usize = 1_000;

/// Checks a fetch of the file of `alice@example.org` from a place that gives these responses.
///
/// The first octet decides the place, whether the address is sent, and whether bodies are long. Responses follow, with
/// 0xff between them: a line with the status, lines of header fields, an empty line, and the body.
///
/// - Each request is for a host of the mail domain, and its target is a path of visible ASCII with nothing of a fragment.
/// - The address is in the first request only, and only if it is to be sent; else it comes from a redirect.
/// - The result is the one that the status and the fields have, read anew; a redirect leads where its text says.
/// - There are no more redirects than the limit.
/// - A body gives the same file in whatever pieces it comes, and none if it is longer than the limit.
///
/// # Errors
/// Returns the invariant that was broken.
pub fn autoconfig_fetch(data: &[u8]) -> Result<(), Broken> {
    let Some((choice, responses)) = data.split_first() else {
        return Ok(());
    };
    let user = MailAddress::parse("alice@example.org").map_err(|error| error.to_string())?;
    let (location, path) = match choice & 1 {
        0 => (Location::AutoconfigHost, "/mail/config-v1.1.xml"),
        _ => (
            Location::WellKnown,
            "/.well-known/autoconfig/mail/config-v1.1.xml",
        ),
    };
    let mut fetch = Fetch::new(location, &user).ok_or("no request for a short domain")?;
    let mut target = path.to_owned();
    if choice & 2 != 0 {
        fetch = fetch.tell_address();
        target += "?emailaddress=alice%40example.org";
    }
    if fetch.target() != target {
        return Err(format!("first request: {}", fetch.target()));
    }
    for (redirects, octets) in responses.split(|octet| *octet == NEXT).enumerate() {
        request(&fetch, &user)?;
        let response = Response::of(octets);
        let expected = response.expected(redirects);
        match (
            fetch.clone().head(response.status, response.fields.clone()),
            expected,
        ) {
            (Err(problem), Expected::Problem(expected)) if problem == expected => return Ok(()),
            // Whether a host or a path can be used is for the parser of URLs to say.
            (Err(FetchProblem::Redirect(_)), Expected::Redirect(_)) => return Ok(()),
            (Ok(Step::Redirect(next)), Expected::Redirect(text)) => {
                followed(&fetch, &next, text)?;
                fetch = next;
            }
            (Ok(Step::Body(body)), Expected::Body) => {
                let times = if choice & 4 == 0 { 1 } else { REPEATED };
                return read(&body, &response.body.repeat(times), &user);
            }
            (step, expected) => return Err(format!("{step:?} in place of {expected:?}")),
        }
        if redirects >= MAX_REDIRECTS {
            return Err(format!("{} redirects", redirects + 1));
        }
    }
    Ok(())
}

/// A response as it is given.
struct Response<'a> {
    status: u16,
    fields: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
}

/// The result that a response has.
#[derive(Debug)]
enum Expected<'a> {
    Problem(FetchProblem),
    /// A redirect with one location, if it can be used.
    Redirect(&'a str),
    Body,
}

impl<'a> Response<'a> {
    fn of(octets: &'a [u8]) -> Self {
        let end = octets.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = match end {
            Some(end) => (&octets[..end], &octets[end + 2..]),
            None => (octets, &[][..]),
        };
        let mut lines = head.split(|octet| *octet == b'\n');
        let status = lines.next().and_then(|line| std::str::from_utf8(line).ok());
        let field = |line: &'a [u8]| {
            let colon = line.iter().position(|octet| *octet == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            let value = &line[colon + 1..];
            Some((name, value.strip_prefix(b" ").unwrap_or(value)))
        };
        Self {
            status: status.and_then(|line| line.parse().ok()).unwrap_or(200),
            fields: lines.filter_map(field).collect(),
            body,
        }
    }

    fn values(&self, name: &str) -> Vec<&'a [u8]> {
        let fields = self.fields.iter();
        let named = fields.filter(|(it, _)| it.to_lowercase() == name);
        named.map(|(_, value)| *value).collect()
    }

    fn expected(&self, redirects: usize) -> Expected<'a> {
        let problem = match self.status {
            200 if self
                .values("content-encoding")
                .iter()
                .any(|it| is_encoded(it)) =>
            {
                FetchProblem::Encoding
            }
            200 if self.values("content-length").iter().any(|it| is_long(it)) => {
                FetchProblem::TooLong
            }
            200 => return Expected::Body,
            301..=303 | 307 | 308 => match self.values("location")[..] {
                _ if redirects >= MAX_REDIRECTS => FetchProblem::TooManyRedirects,
                [location] if location.len() <= MAX_LOCATION_BYTES => {
                    match std::str::from_utf8(location) {
                        Ok(location) => return Expected::Redirect(location),
                        Err(_) => FetchProblem::Redirect(RefusedRedirect::Location),
                    }
                }
                _ => FetchProblem::Redirect(RefusedRedirect::Location),
            },
            404 | 410 => FetchProblem::NotFound,
            status => FetchProblem::Status(status),
        };
        Expected::Problem(problem)
    }
}

fn is_encoded(value: &[u8]) -> bool {
    !value.trim_ascii().eq_ignore_ascii_case(b"identity")
}

fn is_long(value: &[u8]) -> bool {
    let length = std::str::from_utf8(value).ok();
    let length = length.and_then(|text| text.trim().parse::<usize>().ok());
    length.is_none_or(|length| length > MAX_FILE_BYTES)
}

fn request(fetch: &Fetch, user: &MailAddress) -> Result<(), Broken> {
    let host = fetch.host().as_str();
    let domain = user.domain().as_str();
    if host != domain && !host.ends_with(&format!(".{domain}")) {
        return Err(format!("request to {host}"));
    }
    let target = fetch.target();
    let is_path = target.starts_with('/') && target.bytes().all(|it| it.is_ascii_graphic());
    if !is_path || target.contains('#') {
        return Err(format!("target {target:?}"));
    }
    Ok(())
}

/// Compares a redirect that is followed with its text, read without a parser of URLs.
fn followed(from: &Fetch, to: &Fetch, text: &str) -> Result<(), Broken> {
    let wrong = |what: &str| Err(format!("{text:?} leads to {to:?}: {what}"));
    // As browsers read it: white space around it, tabs and line ends, and backslashes.
    let text = text.trim_matches(|it: char| it <= ' ');
    let text: String = text
        .chars()
        .filter(|it| !matches!(it, '\t' | '\r' | '\n'))
        .collect();
    let text = text.replace('\\', "/");
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let scheme = scheme.filter(|it| {
        it.starts_with(|first: char| first.is_ascii_alphabetic())
            && it
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
    });
    if scheme.is_some_and(|scheme| !scheme.eq_ignore_ascii_case("https")) {
        return wrong("another scheme");
    }
    let rest = match scheme {
        Some(scheme) => &text[scheme.len() + 1..],
        None => text.as_str(),
    };
    // `https:a` is relative to a base of the same scheme.
    if !rest.starts_with("//") {
        return match to.host() == from.host() {
            true => Ok(()),
            false => wrong("another host"),
        };
    }
    let authority = rest
        .trim_start_matches('/')
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    let place = authority
        .rsplit_once('@')
        .map_or(authority, |(_, place)| place);
    let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
    if !matches!(port.trim_start_matches('0'), "" | "443") || port == "0" {
        return wrong("another port");
    }
    let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-');
    let host = host.to_ascii_lowercase();
    if host.chars().all(is_plain) && host.trim_end_matches('.') != to.host().as_str() {
        return wrong("another host");
    }
    Ok(())
}

/// Checks that a body gives one file in whatever pieces it comes.
fn read(body: &Body, octets: &[u8], user: &MailAddress) -> Result<(), Broken> {
    let expected = match octets.len() {
        0..=MAX_FILE_BYTES => ClientConfig::parse(octets, user).map_err(FetchProblem::File),
        _ => Err(FetchProblem::TooLong),
    };
    for piece in [1, 7, 4_096, usize::MAX] {
        let mut body = body.clone();
        let mut pieces = octets.chunks(piece);
        let pushed = pieces.try_for_each(|piece| body.push(piece));
        let file = pushed.and_then(|()| body.finish());
        if file != expected {
            return Err(format!(
                "in pieces of {piece}: {file:?} in place of {expected:?}"
            ));
        }
    }
    Ok(())
}
