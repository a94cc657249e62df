//! Python's `email` as a reader of stripped messages: by its own notion of a line break, it finds no field of a local
//! authserv-id.

use std::path::Path;

use authres_tls::{
    AuthservId, StripPolicy,
    strip::{StripReason, StripVerdict},
};
use conformance::{
    Live,
    outcome::{Checked, Failure, passed},
    python,
};

use super::script::answer;

/// Messages are made of these.
const PIECES: [&[u8]; 40] = [
    b"Authentication-Results: own.example; dkim=pass",
    b"Authentication-Results: own.example; dkim=pass",
    b"Authentication-Results: other.example; spf=pass",
    b"Authentication-Results",
    b"authentication-RESULTS",
    b"Authentication-Re",
    b"sults: own.example; x",
    b": own.example; y",
    b"own.example",
    b"Subject: a",
    b"X: b",
    b"From a",
    b"text",
    b"A",
    b"(",
    b";",
    b" ",
    b"\t",
    b"\n",
    b"\n",
    b"\r\n",
    b"\r\n",
    b"\r\n",
    b"\r",
    b"\r",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    b"\x1d",
    b"\x1e",
    b"\x1f",
    b"\0",
    b"\x85",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xa9",
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
    b"\xc3\x85",
    b"\xff",
];

const MESSAGES: usize = 4000;

/// Messages that are the same in every run.
fn messages() -> Vec<Vec<u8>> {
    let mut state = 8601_u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below
    };
    let mut message = || {
        let pieces = next(20) + 2;
        let pieces: Vec<_> = (0..pieces).map(|_| PIECES[next(PIECES.len())]).collect();
        pieces.concat()
    };
    (0..MESSAGES).map(|_| message()).collect()
}

async fn seen(
    script: &Path,
    interpreter: &Path,
    messages: &[Vec<u8>],
) -> Checked<Vec<Vec<String>>> {
    let input: Vec<_> = messages.iter().map(hex::encode).collect();
    let seen: Vec<Vec<String>> = answer(interpreter, script, &input).await?;
    if seen.len() == messages.len() {
        Ok(seen)
    } else {
        Err(Failure::new(format!("{} answers", seen.len())))
    }
}

pub(super) async fn compare(root: &Path) -> Checked {
    let interpreter = match python(root) {
        Ok(interpreter) => interpreter,
        Err(error) => return Ok(Live::Skipped(error.to_string())),
    };
    let script = root.join("crates/conformance-authres-tls/python/email_peer.py");
    let policy = StripPolicy::new([AuthservId::try_new("own.example")?]);
    let is_forged = |value: &String| {
        use StripReason::{BelowOwnId, OwnId};
        let verdict = policy.verdict(value.as_bytes());
        matches!(verdict, StripVerdict::Remove(OwnId | BelowOwnId))
    };
    let messages = messages();
    let before = seen(&script, &interpreter, &messages).await?;
    let forged = before
        .iter()
        .filter(|values| values.iter().any(is_forged))
        .count();
    if forged < MESSAGES / 10 {
        return Err(Failure::new(format!(
            "only {forged} messages had forged fields"
        )));
    }
    let strip = |message: &Vec<u8>| policy.strip(message).message;
    let stripped: Vec<_> = messages.iter().map(strip).collect();
    let after = seen(&script, &interpreter, &stripped).await?;
    for ((message, stripped), values) in messages.iter().zip(&stripped).zip(&after) {
        if let Some(value) = values.iter().find(|value| is_forged(value)) {
            return Err(Failure::new(format!(
                "{value:?} is seen in \"{}\", which was \"{}\"",
                stripped.escape_ascii(),
                message.escape_ascii()
            )));
        }
    }
    passed(format!(
        "{MESSAGES} messages, of which {forged} had forged fields for some reader, and none has"
    ))
}
