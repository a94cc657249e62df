//! This project's crates as an implementation that reads requests and writes answers.

use std::io::{self, BufRead, Write};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    answer::{Answer, ascii},
    protocol::Protocol,
    ran::{MalformedCase, Stopped},
    suite::Input,
    unambiguous::unambiguous,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    suite: String,
    name: String,
    input: Map<String, Value>,
}

/// Answers each line of `requests` with a line, until there is no more.
///
/// # Errors
/// Returns an error if a line cannot be read or written, or is not a request.
pub fn serve(
    protocols: &[Protocol],
    requests: impl BufRead,
    mut answers: impl Write,
) -> io::Result<()> {
    for line in requests.lines() {
        let request: Request = unambiguous(&line?)
            .and_then(serde_json::from_value)
            .map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("not a request: {error}"),
                )
            })?;
        let mut answer = answer(protocols, &request.suite, request.input).to_value();
        if let Value::Object(answer) = &mut answer {
            answer.insert("name".to_owned(), request.name.into());
        }
        writeln!(answers, "{}", ascii(&answer))?;
        answers.flush()?;
    }
    Ok(())
}

fn answer(protocols: &[Protocol], suite: &str, input: Map<String, Value>) -> Answer {
    let mut suites = protocols.iter().flat_map(Protocol::suites);
    let Some(suite) = suites.find(|it| it.name == suite) else {
        return Answer::Unsupported(format!("unknown suite {suite}"));
    };
    match suite.answer(Input(input)) {
        Ok(outcome) => outcome.into(),
        Err(Stopped::Malformed(MalformedCase(why))) => {
            Answer::Unsupported(format!("malformed case: {why}"))
        }
        Err(Stopped::Violated(what)) => Answer::Unsupported(format!("violated: {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ran::{Outcome, Ran, violated},
        suite::Suite,
    };
    use serde_json::json;

    fn toy(input: Input) -> Ran {
        #[derive(Deserialize)]
        struct Toy {
            octet: u8,
        }
        match input.parse::<Toy>()?.octet {
            0 => Ok(Outcome::reject("zero", "octet", 1)),
            1 => Err(violated("one")),
            2 => panic!("two"),
            octet => Ok(Outcome::Accept(json!({"octet": octet, "text": "\u{e9}"}))),
        }
    }

    const TOY: Suite = Suite {
        name: "toy/octet",
        run: toy,
        import: None,
        is_right: None,
    };

    const PROTOCOL: Protocol = Protocol {
        name: "toy",
        suites: &[&[TOY]],
        scenarios: &[],
        annotators: &[],
        peers: &[],
    };

    fn served(requests: &str) -> Result<String, String> {
        let mut answers = Vec::new();
        serve(&[PROTOCOL], requests.as_bytes(), &mut answers).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answers).expect("UTF-8"))
    }

    #[test]
    fn answers_each_request_with_a_line() {
        let asked = |octet: &str| {
            format!(r#"{{"suite":"toy/octet","name":"c","input":{{"octet":{octet}}}}}"#) + "\n"
        };
        let requests: Vec<_> = ["3", "0", "1", "2", "\"\""].map(asked).into();
        let other = r#"{"suite":"toy/other","name":"d","input":{}}"#.to_owned();
        let answers = served(&(requests.concat() + &other)).expect("answers");
        let answers: Vec<_> = answers.lines().collect();
        assert_eq!(
            answers,
            [
                r#"{"accept":{"octet":3,"text":"\u00e9"},"name":"c"}"#,
                r#"{"name":"c","reject":{"field":"octet","kind":"zero","offset":1}}"#,
                r#"{"name":"c","unsupported":"violated: one"}"#,
                r#"{"name":"c","unsupported":"violated: panicked: two"}"#,
                r#"{"name":"c","unsupported":"malformed case: invalid type: string \"\", expected u8"}"#,
                r#"{"name":"d","unsupported":"unknown suite toy/other"}"#,
            ]
        );
    }

    #[test]
    fn ends_at_a_line_that_is_no_request() {
        let not_json = "not a request: expected value at line 1 column 1";
        assert_eq!(served("x"), Err(not_json.to_owned()));
        let unknown = r#"{"suite":"a","name":"b","input":{},"x":1}"#;
        assert_eq!(
            served(unknown),
            Err(
                "not a request: unknown field `x`, expected one of `suite`, `name`, `input`".into()
            )
        );
    }
}
