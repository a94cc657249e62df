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
    use std::{
        cell::RefCell,
        io::{BufReader, Read},
        rc::Rc,
    };

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

    /// A suite whose name begins as that of another.
    const LONGER: Suite = Suite {
        name: "toy/octet-and-more",
        run: |_| Ok(Outcome::Accept(json!({}))),
        ..TOY
    };

    const PROTOCOL: Protocol = Protocol {
        name: "toy",
        suites: &[&[LONGER], &[TOY]],
        scenarios: &[],
        annotators: &[],
        peers: &[],
    };

    const OTHER: Protocol = Protocol {
        name: "other",
        suites: &[],
        ..PROTOCOL
    };

    /// Returns the answers, and the error that ended them.
    fn served(requests: impl AsRef<[u8]>) -> (String, Option<io::Error>) {
        let mut answers = Vec::new();
        let error = serve(&[OTHER, PROTOCOL], requests.as_ref(), &mut answers).err();
        (String::from_utf8(answers).expect("UTF-8"), error)
    }

    #[test]
    fn answers_each_request_with_a_line() {
        let asked = |octet: &str| {
            format!(r#"{{"suite":"toy/octet","name":"c","input":{{"octet":{octet}}}}}"#) + "\n"
        };
        let requests: Vec<_> = ["3", "0", "1", "2", "\"\""].map(asked).into();
        let others = [
            r#"{"suite":"toy/octet-and-more","name":"m","input":{}}"#,
            r#"{"suite":"toy/octe","name":"d","input":{}}"#,
            r#"{"suite":"toy/octets","name":"e","input":{"octet":3}}"#,
        ];
        let (answers, error) = served(requests.concat() + &others.join("\n"));
        assert!(error.is_none(), "{error:?}");
        let answers: Vec<_> = answers.lines().collect();
        assert_eq!(
            answers,
            [
                r#"{"accept":{"octet":3,"text":"\u00e9"},"name":"c"}"#,
                r#"{"name":"c","reject":{"field":"octet","kind":"zero","offset":1}}"#,
                r#"{"name":"c","unsupported":"violated: one"}"#,
                r#"{"name":"c","unsupported":"violated: panicked: two"}"#,
                r#"{"name":"c","unsupported":"malformed case: invalid type: string \"\", expected u8"}"#,
                r#"{"accept":{},"name":"m"}"#,
                r#"{"name":"d","unsupported":"unknown suite toy/octe"}"#,
                r#"{"name":"e","unsupported":"unknown suite toy/octets"}"#,
            ]
        );
    }

    /// Requests, each of which is read by itself, and answers, with the order in which both are there.
    #[derive(Clone, Default)]
    struct Dialogue {
        requests: Rc<RefCell<Vec<&'static str>>>,
        written: Rc<RefCell<Vec<u8>>>,
        order: Rc<RefCell<Vec<String>>>,
    }

    impl Read for Dialogue {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let request = self.requests.borrow_mut().pop().unwrap_or_default();
            self.order.borrow_mut().push(request.trim_end().to_owned());
            request.as_bytes().read(buffer)
        }
    }

    impl Write for Dialogue {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.written.borrow_mut().write(octets)
        }

        fn flush(&mut self) -> io::Result<()> {
            let answer = std::mem::take(&mut *self.written.borrow_mut());
            let answer = String::from_utf8(answer).expect("UTF-8");
            self.order.borrow_mut().push(answer);
            Ok(())
        }
    }

    #[test]
    fn flushes_each_answer_before_the_next_request_is_read() {
        let (first, second) = (
            r#"{"suite":"toy/octet","name":"a","input":{"octet":3}}"#,
            r#"{"suite":"toy/octet","name":"b","input":{"octet":0}}"#,
        );
        let dialogue = Dialogue::default();
        dialogue.requests.borrow_mut().extend([
            concat!(
                r#"{"suite":"toy/octet","name":"b","input":{"octet":0}}"#,
                "\n"
            ),
            concat!(
                r#"{"suite":"toy/octet","name":"a","input":{"octet":3}}"#,
                "\n"
            ),
        ]);
        serve(
            &[PROTOCOL],
            BufReader::new(dialogue.clone()),
            dialogue.clone(),
        )
        .expect("answers");
        let order = dialogue.order.borrow();
        let answer = |text: &str| format!("{text}\n");
        assert_eq!(
            *order,
            [
                first.to_owned(),
                answer(r#"{"accept":{"octet":3,"text":"\u00e9"},"name":"a"}"#),
                second.to_owned(),
                answer(r#"{"name":"b","reject":{"field":"octet","kind":"zero","offset":1}}"#),
                String::new(),
            ]
        );
    }

    #[test]
    fn ends_at_a_line_that_is_no_request() {
        let good = r#"{"suite":"toy/octet","name":"c","input":{"octet":0}}"#;
        let answer =
            "{\"name\":\"c\",\"reject\":{\"field\":\"octet\",\"kind\":\"zero\",\"offset\":1}}\n";
        for (line, why) in [
            ("x", "expected value at line 1 column 1"),
            ("", "EOF while parsing a value at line 1 column 0"),
            (
                r#"{"suite":"a","name":"b","input":{},"x":1}"#,
                "unknown field `x`, expected one of `suite`, `name`, `input`",
            ),
            (r#"{"suite":"a","input":{}}"#, "missing field `name`"),
            (
                r#"{"suite":"a","name":"b","input":[]}"#,
                "invalid type: sequence, expected a map",
            ),
            (
                r#"{"suite":"toy/octet","name":"b","input":{"octet":1,"octet":2}}"#,
                "duplicate key `octet` at line 1 column 58",
            ),
        ] {
            let (answers, error) = served(format!("{good}\n{line}\n{good}\n"));
            assert_eq!(answers, answer, "{line}");
            let error = error.expect("an error");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{line}");
            assert_eq!(error.to_string(), format!("not a request: {why}"), "{line}");
        }
        let (answers, error) = served([good.as_bytes(), b"\n\xff\n"].concat());
        assert_eq!(answers, answer);
        assert_eq!(error.map(|it| it.kind()), Some(io::ErrorKind::InvalidData));
    }
}
