"""Writes the seeds of tokenbind-http's fuzz targets, fuzz/seeds, from the vectors."""

import base64
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from seeds import MOST_BYTES, finish, vectors, write  # noqa: E402

# The orders of TokenBindingAlpn::ALL and EncodingProfile::ALL, which section_5's first byte indexes.
ALPN = ["h2_tb_p256", "h2_tb_rsa2048", "http/1.1_tb_p256", "http/1.1_tb_rsa2048"]
PROFILES = [("x962", "der"), ("x962", "raw64"), ("bare64", "der"), ("bare64", "raw64")]

# The forms that conformance_tokenbind_http::oracle reads are described there.


def number(operation, n):
    return bytes([operation]) + n.to_bytes(2, "big")


def octets(values):
    return [value.encode("latin-1") for value in values]


def request(values, earlier):
    if not values:
        return number(0, 0)
    if values in earlier:
        return number(4, earlier.index(values))
    if len(values) == 2 and values[:1] == values[1:] and values[:1] in earlier:
        return number(4, 0x8000 | earlier.index(values[:1]))
    body = values[0].rstrip(b"=")
    if len(values) == 1 and re.fullmatch(rb"[A-Za-z0-9_-]*", body) and len(body) % 4 != 1:
        message = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
        for operation, encoded in enumerate((base64.urlsafe_b64encode(message).rstrip(b"="), base64.urlsafe_b64encode(message)), 2):
            if encoded == values[0]:
                return number(operation, len(message)) + message
    return number(1, len(values[0])) + values[0]


def connection(fields):
    choice = ALPN.index(fields["negotiated"]) if fields["negotiated"] else 16
    choice |= PROFILES.index((fields["profile"]["point"], fields["profile"]["signature"])) << 2
    return choice | fields["allow_padding"] << 5 | fields["allow_later_requests_without_header"] << 6


PARTIES = {"https://rp.example": 0, "https://idp.example": 1, "https://third.example:8443": 2}


def party(fields):
    return PARTIES.get(fields["origin"], 3) | {None: 0, "rsa2048": 1, "p256": 2}[fields["negotiated"]] << 2


for case in vectors("tokenbind-http", "header"):
    values = octets(case["values"])
    if len(values) == 1 and len(values[0]) <= MOST_BYTES:
        write("token_binding_header", case["name"], values[0])
for case in vectors("tokenbind-http", "request"):
    # A length has two octets; so long a header is no seed.
    if any(len(value) > MOST_BYTES for values in case["requests"] for value in values):
        continue
    data, earlier = bytes([connection(case["connection"])]), []
    for values in map(octets, case["requests"]):
        data += request(values, earlier)
        earlier.append(values)
    if len(data) <= 2 * MOST_BYTES:
        write("requests", case["name"], data)
for case in vectors("tokenbind-http", "redirect"):
    data = bytes([party(case["consumer"])])
    for hop in case["hops"]:
        values = octets(hop["headers"])
        data += bytes([party(hop["to"]), hop["status"] - 290 & 255, len(values)])
        data += b"".join(bytes([len(value)]) + value for value in values)
    write("redirect", case["name"], data)
for case in vectors("tokenbind-http", "client-hello"):
    data = bytes.fromhex(case["records"])
    if len(data) <= MOST_BYTES:
        write("client_hello", case["name"], data)
# sealed_token's first byte: see the oracle of that name.
MAC_LAST, TEXT, COOKIES = 0, 64, 128
NAME = "__Host-session"
for case in vectors("tokenbind-http", "sealed-token"):
    token = case["token"]
    if len(token) > MOST_BYTES:
        continue
    options = (case["bearer_policy"] == "honor") | (case["connection"] is None) << 1
    if case["cookie"] == NAME:
        for name, header in (
            ("once", f"{NAME}={token}"), ("between", f"a=b; {NAME}={token}; c=d"),
            ("in-the-second-header", f"a=b; c\n{NAME}={token}"), ("twice", f"{NAME}={token}; {NAME}={token}"),
            ("twice-in-two-headers", f"{NAME}={token}\n{NAME}="), ("quoted", f'{NAME}="{token}"'),
            ("blanks", f" \t{NAME}={token}\t ;"), ("no-break-space", f"\u00a0{NAME}={token}"), ("form-feed", f"\f{NAME}={token}"),
            ("absent", "a=b"),
        ):
            write("sealed_token", "cookie-" + name, bytes([COOKIES | options]) + header.encode("latin-1"))
    bad_text = "reject" in case and case["reject"]["field"] == "SealedToken"
    if bad_text or "accept" in case:
        write("sealed_token", "text-" + case["name"].removeprefix("text-"), bytes([TEXT | options]) + token.encode())
    if not bad_text and not case["name"].startswith("mac-"):
        octets = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        second_key = octets[1:5] == b"\xff" * 4
        write("sealed_token", "octets-" + case["name"], bytes([MAC_LAST | options | second_key << 2]) + octets[:-32])

finish()
