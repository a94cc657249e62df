//! The suite `tokenbind-wire/message`, and what files from elsewhere may spell in another way.

use conformance::{Case, Expected, Input, Outcome, Ran, violated};
use serde_json::{Value, json};
use tokenbind_wire::{DecodeOptions, Outcome as Section5, RustCrypto, establish};

use crate::{case::Message, oracle};

/// Establishes the bindings of a message.
pub(super) fn message(input: Input) -> Ran {
    let Message {
        session,
        sent,
        position,
        profile,
    } = Message::read(input)?;
    if let Some(sent) = &sent {
        oracle::message(sent, profile).map_err(violated)?;
    }
    let options = DecodeOptions::from(profile);
    oracle::backends_agree(session.as_ref(), position, sent.as_deref(), options)
        .map_err(violated)?;
    Ok(
        match establish(
            session.as_ref(),
            position,
            sent.as_deref(),
            &RustCrypto,
            options,
        ) {
            Section5::NotInUse => Outcome::Accept(json!({"outcome": "not-in-use"})),
            Section5::Unchanged => Outcome::Accept(json!({"outcome": "unchanged"})),
            Section5::Terminate(reason) => {
                Outcome::reject(reason.kind().name(), reason.field(), reason.offset())
            }
            Section5::Established(established) => {
                let message = established.message();
                let bindings: Vec<_> = message
                    .token_bindings()
                    .iter()
                    .map(|binding| {
                        let extensions: Vec<_> = binding
                            .extensions()
                            .map(|extension| {
                                json!({
                                    "type": extension.extension_type().0,
                                    "data": hex::encode(extension.extension_data()),
                                })
                            })
                            .collect();
                        json!({
                            "type": binding.id().tokenbinding_type().0,
                            "id": hex::encode(binding.id().as_bytes()),
                            "key_id": hex::encode(binding.id().key_id()),
                            "signature": hex::encode(binding.signature()),
                            "extensions": extensions,
                            "verified": established.is_verified(binding),
                        })
                    })
                    .collect();
                let unreadable = established.unreadable().map(|tail| {
                    json!({
                        "offset": message.offset_of(tail.as_bytes()),
                        "type": tail.tokenbinding_type().0,
                        "bytes": hex::encode(tail.as_bytes()),
                    })
                });
                Outcome::Accept(json!({"bindings": bindings, "unreadable": unreadable}))
            }
        },
    )
}

/// Brings what others may spell in another way into the one form: input fields in an object `options`, the message as
/// `input`, a bare array of bindings, names instead of numbers, and absent `unreadable` or `extensions`.
pub(super) fn import_message(case: &mut Case) {
    if let Some(Value::Object(options)) = case.input.remove("options") {
        case.input.extend(options);
    }
    case.rename("input", "message");
    let Expected::Accept(expected) = &mut case.expected else {
        return;
    };
    if expected.is_array() {
        *expected = json!({"bindings": expected.take()});
    }
    let Some(fields) = expected.as_object_mut() else {
        return;
    };
    let Some(bindings) = fields.get_mut("bindings").and_then(Value::as_array_mut) else {
        return;
    };
    for binding in bindings.iter_mut().filter_map(Value::as_object_mut) {
        let number = match binding.get("type").and_then(Value::as_str) {
            Some("provided_token_binding" | "provided") => Some(0),
            Some("referred_token_binding" | "referred") => Some(1),
            _ => None,
        };
        if let Some(number) = number {
            binding.insert("type".into(), number.into());
        }
        binding.entry("extensions").or_insert_with(|| json!([]));
    }
    fields.entry("unreadable").or_insert(Value::Null);
}
