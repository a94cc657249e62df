"""Reads messages as Python programs do: a JSON list of messages in hexadecimal on standard input, and for each on standard
output the values of the fields called Authentication-Results that some reader sees."""

import email
import email.policy
import json
import sys

NAME = "authentication-results"


def of_email(message):
    return [str(value) for name, value in message.raw_items() if name.strip().lower() == NAME]


def folded_again(message):
    """What `email` writes itself, read again: it splits values with `splitlines`."""
    try:
        return message.as_bytes()
    except Exception:
        return b""


def by_splitlines(text):
    fields = []
    for line in text.splitlines():
        if not line:
            break
        if line[0] in " \t" and fields:
            fields[-1][1] += "\n" + line
        else:
            name, colon, value = line.partition(":")
            fields.append([name if colon else "", value])
    return [value for name, value in fields if name.strip().lower() == NAME]


def seen(data):
    values = []
    for octets in (data, data.replace(b"\0", b"")):
        values += of_email(email.message_from_bytes(octets))
        modern = email.message_from_bytes(octets, policy=email.policy.default)
        values += of_email(modern)
        values += of_email(email.message_from_bytes(folded_again(modern)))
        text = octets.decode("utf-8", "replace")
        values += of_email(email.message_from_string(text))
        values += by_splitlines(text)
    # Octets that are no text have no place in JSON.
    return [value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for value in values]


print(json.dumps([seen(bytes.fromhex(message)) for message in json.load(sys.stdin)]))
