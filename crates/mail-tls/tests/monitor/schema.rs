//! The JSON of the command, against the schema that describes it.

use std::process::Command;

use jsonschema::Validator;
use mail_implicit_tls::monitor::{Check, State};
use serde_json::{Value, json};

use crate::world::{World, text};

const SCHEMA: &str = include_str!("../../schemas/monitor.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// Forbids members that the schema does not describe: readers must accept them, and this release has none.
fn strict(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            members.values_mut().for_each(strict);
        }
        Value::Array(items) => items.iter_mut().for_each(strict),
        _ => {}
    }
}

fn validator() -> Validator {
    let mut schema = schema();
    strict(&mut schema);
    jsonschema::draft202012::new(&schema).unwrap()
}

fn check(validator: &Validator, value: &Value) {
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}: {value:#}");
}

fn printed(world: &World, more: &[&str]) -> Value {
    let output = world.run(&[&["--json"], more].concat());
    serde_json::from_str(&text(&output)).unwrap_or_else(|_| panic!("{output:?}"))
}

#[test]
fn describes_what_the_command_prints() {
    let validator = validator();
    let world = World::with_days_left(60);
    let state = world.path("states.db");
    let state = ["--state", state.to_str().unwrap()];
    let since = [&state[..], &["--since", "last"]].concat();
    let certificate = world.path("roots.pem");
    let all = [
        "--mx",
        "--mta-sts",
        "--server",
        "imap:nobody.example.org",
        "--cert",
        certificate.to_str().unwrap(),
    ];
    let good = printed(&world, &state);
    check(&validator, &good);
    check(&validator, &printed(&world, &all));
    world.replace(&world.issue(-1));
    let changed = printed(&world, &since);
    check(&validator, &changed);
    assert!(
        !changed["domains"][0]["changes"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    check(&validator, &printed(&world, &since));
    let expired = printed(&world, &["example.net", "--mx"]);
    check(&validator, &expired);
    assert_eq!(expired["domains"].as_array().unwrap().len(), 2);
    // No resolver answers.
    let output = Command::new(env!("CARGO_BIN_EXE_mail-tls"))
        .args(["monitor", "example.org", "--json", "--timeout", "1"])
        .args(["--resolver", "127.0.0.1:1", "--ca"])
        .arg(world.path("roots.pem"))
        .output()
        .unwrap();
    check(&validator, &serde_json::from_str(&text(&output)).unwrap());
    // What does not have the form is found.
    for (member, value) in [
        ("version", json!(2)),
        ("more", json!(1)),
        ("domains", json!([])),
    ] {
        let mut other = good.clone();
        other[member] = value;
        assert!(!validator.is_valid(&other), "{member}");
    }
}

#[test]
fn names_each_check_and_each_state() {
    let schema = schema();
    let names = |value: &Value| -> Vec<String> {
        let names = value.as_array().unwrap().iter();
        names.map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let of_schema = names(&schema["$defs"]["check"]["examples"]);
    assert_eq!(of_schema, Check::ALL.map(Check::name));
    let of_schema = names(&schema["$defs"]["state"]["enum"]);
    assert_eq!(of_schema, State::ALL.map(State::name));
    // Each name has the form of one.
    let mut check = schema["$defs"]["check"].clone();
    check["$schema"] = schema["$schema"].clone();
    let validator = jsonschema::draft202012::new(&check).unwrap();
    for name in Check::ALL.map(Check::name) {
        assert!(validator.is_valid(&json!(name)), "{name}");
    }
}
