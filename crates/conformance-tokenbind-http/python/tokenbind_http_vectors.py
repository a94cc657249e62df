"""Generates the conformance vectors of draft-balfanz-https-token-binding-00.

The independent source of tokenbind-http's known answers: messages and signatures are those of
token_binding_vectors.py (`cryptography`), header values are Python's own base64, ClientHellos are
OpenSSL's or written field by field. Decisions are stated case by case.

    tokenbind_http_vectors.py            write the vector files
    tokenbind_http_vectors.py --check    compare them with the committed ones
"""

import base64
import sys
from pathlib import Path

# The messages are those of tokenbind-wire.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance-tokenbind-wire/python"))
from token_binding_vectors import (
    ALGORITHM, BINDINGS, CURVE, DEFAULT, DER, ECDSA_SHA256, G_DER, G_DER_2, G_MODULUS, G_POINT, G_POINT_2, G_RAW,
    G_RSA, H1_P256, H1_RSA, H2_P256, H2_RSA, ID, MESSAGE, MODULUS, ORDER, P1, P2, P3, POINT, PROFILES, PROVIDED, R1,
    R2, RAW64, REFERRED, SIGNATURE, TLS_UNIQUE, TYPE, X962, Binding, Raw, Suite, build, literal_p256, literal_rsa,
    main, reject, signed_octets, wire_signature,
)

FIELD = "Token-Binding"
ALL = [H2_P256, H2_RSA, H1_P256, H1_RSA]
OTHER_UNIQUE = bytes(range(50, 62))


class HttpSuite(Suite):
    source = "crates/conformance-tokenbind-http/python/tokenbind_http_vectors.py (Python cryptography, base64)"

    def __init__(self, name):
        super().__init__(f"tokenbind-http/{name}")


# The longest header: what 65,537 octets take, with padding.
LONGEST = 87384


def web_safe(data, padding=False):
    text = base64.urlsafe_b64encode(bytes(data)).decode()
    return text if padding else text.rstrip("=")


def header(*bindings, **options):
    return web_safe(build(*bindings, **options).data)


# The four known answers of the wire suite as header values, from another base64 than Python's.
G_HEADERS = {
    "g1-provided-p256-x962-der":
        "AJEABAMAF0EEDfmFwKMjkYQcssBnSLaXZm9B75tI8A_uOi-RkkzjBgeCaZc13VpGmdCZcr2CFSat21Lqn97a5KUxchUo4jCDKwBGMEQCIHV0"
        "v4BiBdXxn2zpWR9lX-AVQebS2uKNuwerMntYbNPNAiBtNlG_k3SKqoCtXNW3ndu0tdOUWvQlHWRpCbn_WOv_SQAA",
    "g2-provided-p256-x962-raw64":
        "AIsABAMAF0EEDfmFwKMjkYQcssBnSLaXZm9B75tI8A_uOi-RkkzjBgeCaZc13VpGmdCZcr2CFSat21Lqn97a5KUxchUo4jCDKwBAdXS_gGIF"
        "1fGfbOlZH2Vf4BVB5tLa4o27B6sye1hs081tNlG_k3SKqoCtXNW3ndu0tdOUWvQlHWRpCbn_WOv_SQAA",
    "g5-provided-rsa2048":
        "Ag0ABAEBAIBtmPiAxISq8Tf5GY6dnqyyG0nvhYGBC1u4_LhWlsb_olQ5T74Ikgb3vuhszjnON_CYf9f-3iKJtGN1feMiBD2wlVZcif8Q1S-w"
        "QpQG21pd9ztWwVmKO1vj1xtLpPBLWqC_e4_ebgcmP9sydKL86dKTGwRiDd6ISZeTDwv5SHyt4ah8LqsOw7D8RQo34YBuCiBG1WEiSeKwcCvU"
        "ANZ9c3tBZTFiHl6DyGE6G0yed6ziF9Y3jvlUGDUmcOjc_4Tu6rkSgDniFiXTxxlbj-oUu2Xk8mwYidsOW2K6RSGAcf7odGiwrt9whdiTK2x8"
        "HTc2556DCppZ9O2uZwwReQMyiB8DAQABAQAwUEoFsO1kt9S8KPclVG_EAAxKkuhGMKHsEfmJXNjbgbV8FgvHuRv6mo8scoJE2IUQC5F9dT8A"
        "11x8MPOgoW6PPF-6qe_rvZxHuha-rx7ZHu0IrU1SvbBblP4iv7drbzGX-uhmXZ5DnYLBCmITVm6omudidO7NhhTYODYWT7OplJb_-CeqsE0q"
        "MFZkZ80Dq5mCUv52deDUbGI9wAQ5pOKD8V2X2qVmXCsHd7_og_mn9JMAtSlfT6eV0d17rg-davEZehN7-84UkMmTqQQiTr1X65dinbXWdGk0"
        "Y_BPFDrk8QaCvxX8XXmZUubh9BwLoQGurA2e9Kpg8IqmpY6_pmyrAAA",
    "g6-provided-and-referred-p256":
        "ASMABAMAF0EEDfmFwKMjkYQcssBnSLaXZm9B75tI8A_uOi-RkkzjBgeCaZc13VpGmdCZcr2CFSat21Lqn97a5KUxchUo4jCDKwBGMEQCIHV0"
        "v4BiBdXxn2zpWR9lX-AVQebS2uKNuwerMntYbNPNAiBtNlG_k3SKqoCtXNW3ndu0tdOUWvQlHWRpCbn_WOv_SQAAAQQDABdBBEevBm3SEMqx"
        "6pKKyRdLHpGCb3_IldN6GxsW2lm6gBCXrbGMaawenNzMeSgxwRmY7BW3hVuV3nPxGsV9B8N0ZicARzBFAiEAw3v_uk1C97d0WnfNilRcFHzv"
        "zuVf_R6UkJGH_BilpeACIBJzJExop61HRMWNHCrJJ3IqIYkJLNEKswY6rQQCOYorAAA",
}
G1 = literal_p256(PROVIDED, G_POINT, G_DER)
G2 = literal_p256(PROVIDED, G_POINT, G_RAW)
G5 = literal_rsa(PROVIDED, G_MODULUS, "010001", G_RSA)
G6 = literal_p256(REFERRED, G_POINT_2, G_DER_2)
# name: (bindings, negotiated, profile)
KNOWN = {
    "g1-provided-p256-x962-der": ([G1], H1_P256, DEFAULT),
    "g2-provided-p256-x962-raw64": ([G2], H2_P256, {"point": X962, "signature": RAW64}),
    "g5-provided-rsa2048": ([G5], H1_RSA, DEFAULT),
    "g6-provided-and-referred-p256": ([G1, G6], H2_P256, DEFAULT),
}


# --- section 2: the header -----------------------------------------------------------------------


def headers():
    suite = HttpSuite("header")

    def add(name, values, message=None, outcome=None, allow_padding=False):
        values = [values] if isinstance(values, str) else values
        fields = {"values": values, "allow_padding": allow_padding}
        if outcome:
            kind, offset = outcome
            suite.add(name, "balfanz-2-2", fields, reject=reject(kind, FIELD, offset))
        else:
            suite.add(name, "balfanz-1-4 balfanz-2-2", fields, accept={"message": message and bytes(message).hex()})

    add("no-header", [])
    for name, (bindings, _, _) in KNOWN.items():
        message, value = build(*bindings).data, G_HEADERS[name]
        assert web_safe(message) == value, name
        add(f"known-answer-{name}", value, message)
    alphabet = base64.urlsafe_b64decode("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    add("each-character-of-the-alphabet", web_safe(alphabet), alphabet)
    for size in (1, 2, 3, 4, 5, 255):
        data = bytes((7 * n + 251) % 256 for n in range(size))
        add(f"octets-{size}", web_safe(data), data)
        add(f"octets-{size}-padding-allowed-and-not-there", web_safe(data), data, allow_padding=True)
        if size % 3:
            value = web_safe(data, padding=True)
            add(f"octets-{size}-padded-where-allowed", value, data, allow_padding=True)
            add(f"octets-{size}-padded-where-not-allowed", value, outcome=("padding", value.index("=")))
    add("zero-octets-only", "AAAA", bytes(3))
    longest = bytes(range(256)) * 256 + b"\xff"
    add("longest", web_safe(longest), longest)
    assert len(web_safe(longest)) == LONGEST - 1
    add("longest-padded", web_safe(longest) + "=", longest, allow_padding=True)
    add("one-character-too-long", "A" * (LONGEST + 1), outcome=("too-long", LONGEST))
    add("too-long-comes-before-what-it-holds", "," * (LONGEST + 4), outcome=("too-long", LONGEST))
    add("too-long-with-its-padding", "A" * (LONGEST - 2) + "===", outcome=("too-long", LONGEST), allow_padding=True)

    add("two-headers", ["AAH-", "AAH-"], outcome=("duplicate", 0))
    add("three-headers", ["AAH-"] * 3, outcome=("duplicate", 0))
    add("two-headers-the-first-bad", [",", "AAH-"], outcome=("duplicate", 0))
    add("two-headers-the-second-empty", ["AAH-", ""], outcome=("duplicate", 0))
    add("empty", "", outcome=("empty", 0))
    add("empty-where-padding-is-allowed", "", outcome=("empty", 0), allow_padding=True)
    for name, value, kind, offset in [
        ("list", "AAH-,AAH-", "list", 4), ("list-after-a-space", "AAH- ,AAH-", "whitespace", 4),
        ("comma-only", ",", "list", 0),
        ("space-before", " AAH-", "whitespace", 0), ("space-after", "AAH- ", "whitespace", 4),
        ("space-inside", "AA H-", "whitespace", 2), ("tab-after", "AAH-\t", "whitespace", 4),
        ("line-break-inside", "AA\r\nH-", "whitespace", 2), ("nul-inside", "AA\0-", "whitespace", 2),
        ("del-inside", "AA\x7f-", "whitespace", 2),
        ("plus", "AAH+", "standard-alphabet", 3), ("slash", "AA/-", "standard-alphabet", 2),
        ("full-stop", "AA.-", "alphabet", 2), ("tilde", "~AAA", "alphabet", 0), ("quote", '"AAH-"', "alphabet", 0),
        ("semicolon", "AAH-;q=1", "alphabet", 4), ("octet-ff", "AA\xff-", "alphabet", 2),
        ("octet-80", "AAA\x80", "alphabet", 3), ("percent", "AA%3D", "alphabet", 2),
        ("padding-first", "=AAA", "padding", 0), ("padding-inside", "AA=A", "padding", 2),
        ("padding-only", "=", "padding", 0), ("padding-after-a-whole-group", "AAAA=", "padding", 4),
        ("length-1", "A", "length", 1), ("length-5", "AAAAA", "length", 5), ("length-9", "AAAAAAAAA", "length", 9),
        ("bits-after-one-octet", "AB", "trailing-bits", 1), ("lowest-bit-after-one-octet", "AAAAAB", "trailing-bits", 5),
        ("highest-bit-after-one-octet", "AI", "trailing-bits", 1), ("bits-after-two-octets", "AAF", "trailing-bits", 2),
        ("highest-bit-after-two-octets", "AAC", "trailing-bits", 2),
        ("all-bits-after-two-octets", "__-", "trailing-bits", 2),
        ("the-first-bad-character-counts", "A+AA,", "standard-alphabet", 1),
        ("the-first-bad-character-counts-not-the-last", "A=AA AAA\n", "padding", 1),
        ("a-bad-character-comes-before-the-length", "A.AAA", "alphabet", 1),
        ("a-bad-character-comes-before-trailing-bits", "A.AAAB", "alphabet", 1),
    ]:
        add(name, value, outcome=(kind, offset))
    for name, value, kind, offset in [
        ("one-too-few", "AA=", "padding", 2), ("one-too-many", "AA===", "padding", 2),
        ("where-none-is-due", "AAAA=", "padding", 4), ("a-whole-group", "AAAA====", "padding", 4),
        ("two-where-one-is-due", "AAA==", "padding", 3), ("after-one-character", "A===", "padding", 1),
        ("alone", "====", "padding", 0), ("inside", "AA==AAAA", "padding", 2), ("inside-and-after", "A=A=", "padding", 1),
        ("before-a-space", "AA== ", "padding", 2), ("after-trailing-bits", "AB==", "trailing-bits", 1),
        ("after-two-octets-and-trailing-bits", "AAF=", "trailing-bits", 2),
        ("after-a-bad-character", "A+==", "standard-alphabet", 1),
        ("missing-and-the-length-wrong", "AAAAA", "length", 5), ("missing-and-trailing-bits", "AB", "trailing-bits", 1),
    ]:
        add(f"padding-allowed-{name}", value, outcome=(kind, offset), allow_padding=True)
    return suite


# --- section 2: a connection's requests ------------------------------------------------------------


def bound(provided, referred=None):
    if isinstance(referred, Binding):
        referred = {"verified": referred.id().hex()}
    return {"bound": {"provided": provided.id().hex(), "referred": referred}}


def unsupported(algorithm):
    return {"unsupported": {"hash": algorithm[0], "signature": algorithm[1]}}


def terminate(kind, field=FIELD, offset=0):
    return {"terminate": reject(kind, field, offset)}


def connection(negotiated=H1_P256, tls_unique=TLS_UNIQUE, profile=DEFAULT, allow_padding=False, allow_later=False):
    return {
        "negotiated": negotiated,
        "tls_unique": tls_unique.hex() if negotiated else None,
        "profile": profile,
        "allow_padding": allow_padding,
        "allow_later_requests_without_header": allow_later,
    }


def requests():
    suite = HttpSuite("request")

    def add(name, requirements, steps, **session):
        """Each step: (header values, outcome)."""
        fields = {
            "connection": connection(**session),
            "requests": [[values] if isinstance(values, str) else values for values, _ in steps],
        }
        suite.add(name, requirements, fields, accept={"outcomes": [outcome for _, outcome in steps]})

    none = []
    p1, r2 = Binding(PROVIDED, P1), Binding(PROVIDED, R2)
    ref2, ref3, ref_r2 = Binding(REFERRED, P2), Binding(REFERRED, P3), Binding(REFERRED, R2)
    one = header(p1)
    missing_first = terminate("missing-message", MESSAGE)
    missing_later = terminate("missing-in-later-request")
    not_negotiated = terminate("not-negotiated", MESSAGE)

    # The established binding.
    for name, (bindings, negotiated, profile) in KNOWN.items():
        outcome = bound(bindings[0], bindings[1] if len(bindings) > 1 else None)
        add(f"known-answer-{name}", "balfanz-2-1 balfanz-2-2 balfanz-2-3", [(G_HEADERS[name], outcome)] * 2,
            negotiated=negotiated, profile=profile)
    for alpn in ALL:
        provided = r2 if "rsa" in alpn else p1
        add(f"{alpn}-three-requests", "balfanz-1-3 balfanz-2-1 balfanz-2-6", [(header(provided), bound(provided))] * 3,
            negotiated=alpn)
        add(f"{alpn}-without-the-header", "balfanz-2-1", [(none, missing_first)] * 2, negotiated=alpn)
        add(f"{alpn}-later-without-the-header", "balfanz-2-1",
            [(header(provided), bound(provided)), (none, missing_later), (header(provided), missing_later)], negotiated=alpn)
    for profile in PROFILES:
        name = f"{profile['point']}-{profile['signature']}"
        provided, referred = (Binding(t, k, profile=profile) for t, k in ((PROVIDED, P1), (REFERRED, P2)))
        add(f"profile-{name}", "balfanz-1-5 balfanz-2-3", [(header(provided, referred), bound(provided, referred))],
            profile=profile)
    federated = "balfanz-1-5 balfanz-3-1-1 balfanz-3-3-6"
    add("referred-in-some-requests", federated,
        [(one, bound(p1)), (header(p1, ref2), bound(p1, ref2)), (one, bound(p1)), (header(p1, ref3), bound(p1, ref3)),
         (header(p1, ref2), bound(p1, ref2))])
    add("referred-in-the-first-request", federated, [(header(p1, ref2), bound(p1, ref2)), (one, bound(p1))])
    add("referred-before-provided", federated, [(header(ref2, p1), bound(p1, ref2))])
    for alpn, provided, referred in ((H1_P256, p1, ref_r2), (H2_RSA, r2, ref2), (H2_RSA, Binding(PROVIDED, R1), ref_r2)):
        kinds = ("rsa" if provided is not p1 else "p256") + "-and-" + ("rsa" if referred is ref_r2 else "p256")
        add(f"provided-and-referred-{kinds}", "balfanz-3-5-1 balfanz-3-5-2",
            [(header(provided, referred), bound(provided, referred))] * 2, negotiated=alpn)
    odd = {
        "unknown-hash": Binding(REFERRED, None, b"?", algorithm=b"\x06\x03", items=P2.key_items()),
        "unknown-curve": Binding(REFERRED, None, b"", algorithm=ECDSA_SHA256,
                                 items=[(CURVE, None, b"\x00\x18"), (POINT, 1, b"\x04" + bytes(96))]),
        "unknown-signature": Raw(REFERRED, b"\x04\x02", bytes(80)),
    }
    for name, referred in odd.items():
        outcome = bound(p1, unsupported(referred.algorithm))
        add(f"referred-of-an-{name}", "balfanz-3-5-3", [(header(p1, referred), outcome), (one, bound(p1)),
                                                        (header(p1, referred), outcome)])
    add("type-of-no-meaning-is-not-referred", "balfanz-1-5", [(header(p1, Binding(7, P2)), bound(p1))])

    # The same key may sign again.
    r, s = P1.sign_rs(signed_octets())
    again = header(Binding(PROVIDED, P1, wire_signature(r, ORDER - s)))
    extended = [header(Binding(PROVIDED, P1, extensions=[(n, b"")])) for n in range(9)]
    add("another-signature-of-the-same-key", "balfanz-2-4", [(one, bound(p1)), (again, bound(p1)), (one, bound(p1))])
    add("more-messages-than-are-remembered", "balfanz-2-4",
        [(value, bound(p1)) for value in extended + extended[::-1] + [one, extended[0]]])

    # Another key, another connection.
    changed = terminate("provided-key-changed")
    other = header(Binding(PROVIDED, P2))
    add("another-provided-key-later", "balfanz-2-4",
        [(one, bound(p1)), (other, changed), (one, changed), (none, changed)])
    add("another-provided-key-after-a-repeated-header", "balfanz-2-4",
        [(one, bound(p1)), (one, bound(p1)), (header(Binding(PROVIDED, P3), ref2), changed)])
    add("another-rsa-key-later", "balfanz-2-4",
        [(header(r2), bound(r2)), (header(Binding(PROVIDED, R1)), changed)], negotiated=H1_RSA)
    add("the-referred-key-becomes-the-provided-one", "balfanz-2-4",
        [(header(p1, ref2), bound(p1, ref2)), (header(Binding(PROVIDED, P2), Binding(REFERRED, P1)), changed)])
    elsewhere = Binding(PROVIDED, P1, octets=signed_octets(OTHER_UNIQUE))
    invalid = terminate("signature-invalid", SIGNATURE, build(elsewhere).at(SIGNATURE))
    add("replay-of-another-connections-header", "balfanz-2-4 balfanz-4-1-1",
        [(header(elsewhere), invalid), (one, invalid)])
    add("replay-of-another-connections-header-later", "balfanz-2-4", [(one, bound(p1)), (header(elsewhere), invalid)])
    add("the-other-connection-itself", "balfanz-2-4", [(header(elsewhere), bound(p1))], tls_unique=OTHER_UNIQUE)
    stolen = Binding(REFERRED, P2, octets=signed_octets(OTHER_UNIQUE))
    at = build(p1, stolen).at(SIGNATURE, 1)
    add("referred-binding-of-another-connection", "balfanz-3-3-5",
        [(header(p1, stolen), terminate("signature-invalid", SIGNATURE, at))])

    # Not negotiated.
    add("not-negotiated-not-sent", "balfanz-2-1", [(none, "not-in-use")] * 3, negotiated=None)
    for name, values in {
        "sent": one, "garbage": "garbage!", "empty": "", "twice": [one, one], "too-long": "A" * 9000,
    }.items():
        add(f"not-negotiated-{name}", "balfanz-2-1", [(values, not_negotiated), (none, not_negotiated)], negotiated=None)
        add(f"not-negotiated-{name}-later", "balfanz-2-1",
            [(none, "not-in-use"), (values, not_negotiated), (none, not_negotiated)], negotiated=None)
    add("not-negotiated-and-lenient", "balfanz-2-1", [(none, "not-in-use"), (one, not_negotiated)], negotiated=None,
        allow_padding=True, allow_later=True)

    # The option.
    kept = {"allow_later": True}
    add("later-without-the-header-where-allowed", "balfanz-2-1",
        [(one, bound(p1)), (none, bound(p1)), (none, bound(p1)), (one, bound(p1))], **kept)
    add("a-referred-binding-is-of-its-own-request-only", "balfanz-2-1 balfanz-3-1-2",
        [(header(p1, ref2), bound(p1, ref2)), (none, bound(p1)), (header(p1, ref2), bound(p1, ref2)), (none, bound(p1))],
        **kept)
    add("first-without-the-header-where-later-may-be", "balfanz-2-1", [(none, missing_first), (one, missing_first)], **kept)
    add("after-a-refusal-nothing-is-allowed", "balfanz-2-1", [(one, bound(p1)), (other, changed), (none, changed)], **kept)

    # The header itself, first and later; the refusal remains.
    bad = [
        ("duplicate", [one, one], 0), ("empty", "", 0), ("too-long", "A" * (LONGEST + 1), LONGEST), ("list", one + "," + one, len(one)),
        ("whitespace", one + " ", len(one)), ("standard-alphabet", "+" + one[1:], 0), ("alphabet", one[:9] + "!" + one[10:], 9),
        ("padding", one + "=", len(one)), ("length", one + "A" * (1 - len(one) % 4 + 4), len(one) + 5 - len(one) % 4),
        ("trailing-bits", "AB", 1),
    ]
    for kind, values, offset in bad:
        refusal = terminate(kind, offset=offset)
        add(f"header-{kind}-first", "balfanz-2-2", [(values, refusal), (one, refusal), (none, refusal)])
        add(f"header-{kind}-later", "balfanz-2-2", [(one, bound(p1)), (values, refusal), (one, refusal)])
    add("two-headers-that-differ", "balfanz-2-2", [([one, other], terminate("duplicate"))])
    add("two-headers-after-one-that-is-known", "balfanz-2-2", [(one, bound(p1)), ([one, other], terminate("duplicate"))])
    two = Binding(PROVIDED, P1, extensions=[(1, b"x" * n) for n in (1, 2)])
    three = next(b for b in (Binding(PROVIDED, P1, extensions=[(1, b"x" * n)]) for n in range(3))
                 if web_safe(build(b).data, padding=True).endswith("="))
    padded = web_safe(build(three).data, padding=True)
    add("padded-where-allowed", "balfanz-2-2", [(padded, bound(p1)), (header(three), bound(p1)), (padded, bound(p1))],
        allow_padding=True)
    add("padded-where-not-allowed", "balfanz-2-2", [(padded, terminate("padding", offset=padded.index("=")))])
    add("extensions-do-not-matter", "balfanz-2-3", [(header(two), bound(p1))])
    for size in (6200, 65300):
        large = Binding(PROVIDED, P1, extensions=[(1, bytes(size))])
        add(f"an-extension-of-{size}-octets-does-not-matter", "balfanz-2-3 popov-4-2",
            [(header(large), bound(p1)), (header(large), bound(p1)), (one, bound(p1))])

    # The message in it: every reason to terminate; the wire suite has the details.
    wrong = build(Binding(PROVIDED, P1, P2.sign()))
    referred_only = build(ref2)
    twice = build(p1, Binding(PROVIDED, P3))
    same = build(p1, Binding(REFERRED, P1))
    long_modulus = build(Binding(PROVIDED, None, bytes(256), algorithm=R2.algorithm, items=[(MODULUS, 2, b"\0" + bytes(256))]))
    whole = build(p1).data
    bad = {
        "no-binding": (b"\0\0", "no-token-binding", BINDINGS, 2),
        "no-provided-binding": (referred_only.data, "missing-provided", BINDINGS, 2),
        "other-key-parameters": (build(r2).data, "key-parameters-mismatch", ALGORITHM, 3),
        "provided-twice": (twice.data, "duplicate-token-binding-type", TYPE, twice.at(TYPE, 1)),
        "one-key-for-both": (same.data, "same-key", ID, same.at(TYPE, 1)),
        "bad-signature": (wrong.data, "signature-invalid", SIGNATURE, wrong.at(SIGNATURE)),
        "bad-modulus": (long_modulus.data, "leading-zero", MODULUS, long_modulus.at(MODULUS)),
        "one-octet-less": (whole[:-1], "truncated", BINDINGS, 2),
        "one-octet-more": (whole + b"\0", "trailing-bytes", MESSAGE, len(whole)),
    }
    for name, (data, *reason) in bad.items():
        refusal = terminate(*reason)
        requirement = "balfanz-2-3" if "provided" in name or "binding" in name else "balfanz-2-2"
        requirement = "balfanz-2-4" if "key" in name or "signature" in name else requirement
        add(f"message-{name}-first", requirement, [(web_safe(data), refusal), (one, refusal)])
        add(f"message-{name}-later", requirement, [(one, bound(p1)), (web_safe(data), refusal), (one, refusal)])
    return suite


# --- section 3.5: the token --------------------------------------------------------------------------


def tokens():
    suite = HttpSuite("token-to-issue")

    def add(name, requirements, values, token=None, outcome=None, **session):
        headers_ = [values] if isinstance(values, str) else values
        fields = {"connection": connection(**session), "headers": headers_}
        if outcome:
            suite.add(name, requirements, fields, reject=reject(*outcome))
        else:
            suite.add(name, requirements, fields, accept=token)

    def to(binding):
        return {"bound_to": binding.id().hex(), "key_id": binding.id()[1:].hex()}

    p1, r2 = Binding(PROVIDED, P1), Binding(PROVIDED, R2)
    unbound = {"unbound": "not-referred"}
    add("referred-p256", "balfanz-3-2-2", header(p1, Binding(REFERRED, P2)), to(Binding(REFERRED, P2)))
    add("referred-rsa-by-a-p256-client", "balfanz-3-2-2 balfanz-3-5-2", header(p1, Binding(REFERRED, R2)),
        to(Binding(REFERRED, R2)))
    add("referred-p256-by-an-rsa-client", "balfanz-3-2-2 balfanz-3-5-2", header(r2, Binding(REFERRED, P2)),
        to(Binding(REFERRED, P2)), negotiated=H2_RSA)
    add("known-answer-g6", "balfanz-3-2-2", G_HEADERS["g6-provided-and-referred-p256"], to(G6), negotiated=H2_P256)
    add("not-referred", "balfanz-3-1-2", header(p1), unbound)
    add("not-negotiated", "balfanz-3-1-2", [], unbound, negotiated=None)
    add("unknown-type-only", "balfanz-3-1-2", header(p1, Binding(3, P2)), unbound)
    for name, referred in {
        "sha1": Binding(REFERRED, None, b"?", algorithm=b"\x02\x03", items=P2.key_items()),
        "sha384-rsa": Binding(REFERRED, None, b"?", algorithm=b"\x05\x01", items=R2.key_items()),
        "secp384r1": Binding(REFERRED, None, b"", algorithm=ECDSA_SHA256,
                             items=[(CURVE, None, b"\x00\x18"), (POINT, 1, b"\x04" + bytes(96))]),
        "dsa-whose-key-cannot-be-read": Raw(REFERRED, b"\x04\x02", bytes(80)),
        "signature-7-of-three-octets": Raw(REFERRED, b"\x08\x07"),
    }.items():
        reason = {"unbound": "unsupported-algorithm", "algorithm": unsupported(referred.algorithm)["unsupported"]}
        add(f"unsupported-{name}", "balfanz-3-5-3", header(p1, referred), reason)
    short = build(p1, Binding(REFERRED, None, b"?", algorithm=R2.algorithm,
                              items=[(MODULUS, 2, b"\xff" * 255), ("RSAPublicKey.publicexponent", 1, b"\3")]))
    add("an-unsound-key-of-a-known-algorithm-is-no-unsupported-one", "balfanz-3-5-3", web_safe(short.data),
        outcome=("modulus-size", MODULUS, short.at(MODULUS)))
    bad = build(p1, Binding(REFERRED, P2, P1.sign()))
    add("a-referred-signature-that-is-not-valid", "balfanz-3-3-5", web_safe(bad.data),
        outcome=("signature-invalid", SIGNATURE, bad.at(SIGNATURE, 1)))
    add("no-header", "balfanz-2-1", [], outcome=("missing-message", MESSAGE, 0))
    return suite


# --- sections 3.3 and 3.4: whether a binding is revealed -----------------------------------------------


CONSUMER, PROVIDER, THIRD = "https://rp.example", "https://idp.example", "https://third.example:8443"


def party(origin, negotiated="p256"):
    return {"origin": origin, "negotiated": negotiated}


def reveal(consumer, parameters="p256"):
    return {"reveal": {"consumer": consumer, "parameters": parameters}}


def withhold(reason):
    return {"withhold": reason}


def redirects():
    suite = HttpSuite("redirect")

    def add(name, requirements, hops, consumer=None):
        """Each hop: (status, header values, the next party, what the request to it does)."""
        fields = {"consumer": consumer or party(CONSUMER)}
        fields["hops"] = [{"status": s, "headers": h, "to": to} for s, h, to, _ in hops]
        suite.add(name, requirements, fields, accept={"requests": [outcome for *_, outcome in hops]})

    provider = party(PROVIDER)
    for status in (301, 302):
        add(f"status-{status}", "balfanz-3-3-2 balfanz-3-3-4", [(status, ["true"], provider, reveal(CONSUMER))])
        add(f"status-{status}-not-asked", "balfanz-3-3-2 balfanz-3-2-3", [(status, [], provider, withhold("not-asked"))])
    for status in (100, 200, 201, 204, 300, 303, 304, 305, 306, 307, 308, 400, 401, 404, 500, 503, 0, 65535):
        add(f"status-{status}", "balfanz-3-3-3", [(status, ["true"], provider, withhold("status"))])
    add("status-307-not-asked", "balfanz-3-3-2", [(307, [], provider, withhold("not-asked"))])
    for name, value in {
        "false": "false", "capitals": "True", "all-capitals": "TRUE", "one": "1", "empty": "", "yes": "yes",
        "space-after": "true ", "space-before": " true", "list": "true, true", "parameter": "true;x", "quoted": '"true"',
        "structured-boolean": "?1", "prefix": "tru", "suffix": "truee", "nul": "true\0",
    }.items():
        add(f"value-{name}", "balfanz-3-3-2 balfanz-3-2-3", [(302, [value], provider, withhold("header-value"))])
    for name, values in {"twice": ["true", "true"], "and-false": ["true", "false"], "after-false": ["false", "true"]}.items():
        add(f"header-{name}", "balfanz-3-3-2", [(302, values, provider, withhold("duplicate-header"))])
    add("header-twice-under-another-status", "balfanz-3-3-3", [(303, ["true", "true"], provider, withhold("duplicate-header"))])
    add("other-status-and-other-value", "balfanz-3-3-3", [(303, ["no"], provider, withhold("status"))])

    add("consumer-not-negotiated", "balfanz-3-3-4",
        [(302, ["true"], provider, withhold("consumer-not-negotiated"))], party(CONSUMER, None))
    add("provider-not-negotiated", "balfanz-3-3-4", [(302, ["true"], party(PROVIDER, None), withhold("provider-not-negotiated"))])
    add("neither-negotiated", "balfanz-3-3-4", [(302, ["true"], party(PROVIDER, None), withhold("consumer-not-negotiated"))],
        party(CONSUMER, None))
    for theirs in ("p256", "rsa2048"):
        for ours in ("p256", "rsa2048"):
            add(f"consumer-{ours}-provider-{theirs}", "balfanz-3-3-5 balfanz-3-3-6 balfanz-3-5-1",
                [(302, ["true"], party(PROVIDER, theirs), reveal(CONSUMER, ours))], party(CONSUMER, ours))

    same = withhold("same-origin")
    add("same-origin", "balfanz-4-2-3", [(302, ["true"], party(CONSUMER), same)])
    add("same-origin-in-another-spelling", "balfanz-4-2-3", [(302, ["true"], party("https://RP.example:443/x"), same)])
    add("same-origin-of-other-parameters", "balfanz-4-2-3", [(302, ["true"], party(CONSUMER, "rsa2048"), same)])
    for name, origin in {
        "another-port": "https://rp.example:8443", "a-host-below": "https://login.rp.example", "the-host-above": "https://example",
        "a-trailing-dot": "https://rp.example.", "an-address": "https://127.0.0.1",
    }.items():
        add(f"another-origin-{name}", "balfanz-2-5 balfanz-4-2-3", [(302, ["true"], party(origin), reveal(CONSUMER))])

    # One hop.
    third = party(THIRD)
    once, asked, not_asked = reveal(CONSUMER), ["true"], withhold("not-asked")
    add("one-hop-only", "balfanz-3-1-2 balfanz-3-3-2", [(302, asked, provider, once), (302, [], third, not_asked)])
    add("one-hop-only-and-back", "balfanz-3-1-2", [(302, asked, provider, once), (302, [], party(CONSUMER), not_asked)])
    add("each-hop-permits-for-itself", "balfanz-3-3-5",
        [(302, asked, provider, once), (301, asked, third, reveal(PROVIDER)), (302, asked, party(CONSUMER), reveal(THIRD))])
    add("the-second-hop-permits-what-the-first-does-not", "balfanz-3-3-2",
        [(302, [], provider, not_asked), (302, asked, third, reveal(PROVIDER))])
    add("a-withheld-permission-is-not-made-up-for", "balfanz-3-3-4",
        [(302, asked, party(PROVIDER, None), withhold("provider-not-negotiated")), (302, [], third, not_asked)])
    add("a-permission-is-not-carried-over-another-status", "balfanz-3-3-3",
        [(302, asked, provider, once), (307, asked, third, withhold("status")), (302, [], party(CONSUMER), not_asked)])
    add("a-permission-is-not-carried-over-the-same-origin", "balfanz-3-1-2",
        [(302, asked, party(CONSUMER), same), (302, [], provider, not_asked)])
    add("a-middle-party-without-token-binding-permits-nothing", "balfanz-3-3-4",
        [(302, asked, party(PROVIDER, None), withhold("provider-not-negotiated")),
         (302, asked, third, withhold("consumer-not-negotiated"))])
    return suite


def scripts():
    suite = HttpSuite("xhr")

    def add(name, requirements, outcome, option=True, consumer=None, provider=None):
        fields = {
            "with_referer_token_binding_id": option,
            "consumer": consumer or party(CONSUMER),
            "provider": provider or party(PROVIDER),
        }
        suite.add(name, requirements, fields, accept=outcome)

    for theirs in ("p256", "rsa2048"):
        for ours in ("p256", "rsa2048"):
            add(f"consumer-{ours}-provider-{theirs}", "balfanz-3-4-1 balfanz-3-4-2 balfanz-3-5-1",
                reveal(CONSUMER, ours), True, party(CONSUMER, ours), party(PROVIDER, theirs))
    add("property-not-set", "balfanz-3-4-1 balfanz-3-4-2", withhold("not-asked"), False)
    add("property-not-set-and-nothing-negotiated", "balfanz-3-4-2", withhold("not-asked"), False, party(CONSUMER, None),
        party(PROVIDER, None))
    add("consumer-not-negotiated", "balfanz-3-4-2", withhold("consumer-not-negotiated"), consumer=party(CONSUMER, None))
    add("provider-not-negotiated", "balfanz-3-4-2", withhold("provider-not-negotiated"), provider=party(PROVIDER, None))
    add("neither-negotiated", "balfanz-3-4-2", withhold("consumer-not-negotiated"), consumer=party(CONSUMER, None),
        provider=party(PROVIDER, None))
    add("same-origin", "balfanz-4-2-3", withhold("same-origin"), provider=party(CONSUMER))
    add("same-origin-of-other-parameters", "balfanz-4-2-3", withhold("same-origin"), provider=party(CONSUMER, "rsa2048"))
    add("another-port-is-another-origin", "balfanz-4-2-3", reveal(CONSUMER), provider=party(CONSUMER + ":444"))
    return suite


# --- section 4.3: what a client offers, and what a server chooses ---------------------------------------


ECDHE, TLS13_SUITE, CBC = 0xC02F, 0x1301, 0xC013
EMS, VERSIONS, PROTOCOLS = 23, 43, 16


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(number, data=b""):
    return number.to_bytes(2, "big") + vector(2, data)


def alpn_extension(*identifiers):
    return extension(PROTOCOLS, vector(2, b"".join(vector(1, i) for i in identifiers)))


def versions_extension(*versions):
    return extension(VERSIONS, vector(1, b"".join(v.to_bytes(2, "big") for v in versions)))


def client_hello(extensions=b"", legacy=0x0303, suites=(ECDHE,), session=b"", kind=1, compression=b"\0"):
    body = legacy.to_bytes(2, "big") + bytes(range(32)) + vector(1, session)
    body += vector(2, b"".join(s.to_bytes(2, "big") for s in suites)) + vector(1, compression)
    if extensions is not None:
        body += vector(2, extensions)
    return bytes([kind]) + vector(3, body)


def records(message, size=16384, kind=22, version=0x0301):
    return b"".join(
        bytes([kind]) + version.to_bytes(2, "big") + vector(2, message[at : at + size]) for at in range(0, len(message), size)
    )


OPENSSL = {  # OpenSSL 3.0.19, through Python's ssl
    "tls-1.2-and-1.3": (
        "1603010200010001fc030319e640b7d3635ef74dbedea51ae5a3636dacf217809caff14be235a45363ce22208c94cc7760e5427c0fc71286"
        "c1b916dcb856aac8de49deccf781cd582539b57c0024130213031301c02cc030c02bc02fcca9cca8c024c028c023c027009f009e006b0067"
        "00ff0100018f0000000e000c0000096c6f63616c686f7374000b000403000102000a00160014001d0017001e001900180100010101020103"
        "0104002300000010002d002b0a68325f74625f7032353613687474702f312e315f74625f7273613230343802683208687474702f312e3100"
        "16000000170000000d002a0028040305030603080708080809080a080b080408050806040105010601030303010302040205020602002b00"
        "050403040303002d00020101003300260024001d0020688038653af649889ac6b72f80b2108b192c224be595c0646ac25a827ae522110015"
        "00b3" + "00" * 179
    ),
    "tls-1.2": (
        "16030100e0010000dc030388f481dbe52e07c17d03ef507d50e2b2c1d7bd7dbaa19b711c0bac54238bb30f00001ec02cc030c02bc02fcca9"
        "cca8c024c028c023c027009f009e006b006700ff010000950000000e000c0000096c6f63616c686f7374000b000403000102000a000c000a"
        "001d0017001e00190018002300000010002d002b0a68325f74625f7032353613687474702f312e315f74625f727361323034380268320868"
        "7474702f312e310016000000170000000d002a0028040305030603080708080809080a080b08040805080604010501060103030301030204"
        "0205020602"
    ),
    "tls-1.2-without-ems": (
        "16030100c2010000be0303959a8a1b4072c1800c83312368543807ddc681238b6462736dabc5fc6177357500001ec02cc030c02bc02fcca9"
        "cca8c024c028c023c027009f009e006b006700ff010000770000000e000c0000096c6f63616c686f7374000b000403000102000a000c000a"
        "001d0017001e001900180023000000100013001110687474702f312e315f74625f7032353600160000000d002a0028040305030603080708"
        "080809080a080b080408050806040105010601030303010302040205020602"
    ),
}
OPENSSL_SUITES = [0xC02C, 0xC030, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8, 0xC024, 0xC028, 0xC023, 0xC027, 0x9F, 0x9E, 0x6B, 0x67, 0xFF]


def client_hellos():
    suite = HttpSuite("client-hello")
    needs = "balfanz-4-3-1"

    def offer(alpn=(), ems=False, tls12=True, tls13=False, suites=(ECDHE,), points=True):
        alpn = [(i if isinstance(i, bytes) else i.encode()).hex() for i in alpn]
        offered = {"alpn": alpn, "extended_master_secret": ems, "tls12": tls12, "tls13": tls13,
                   "cipher_suites": list(suites)}
        return offered if points else {**offered, "uncompressed_points": False}

    def accept(name, data, **parts):
        suite.add(name, needs, {"records": data.hex()}, accept=offer(**parts))

    def refuse(name, data):
        suite.add(name, needs, {"records": data.hex()}, reject=reject("unreadable", "ClientHello", 0))

    four = [H2_P256, H1_RSA, "h2", "http/1.1"]
    full = bytes.fromhex(OPENSSL["tls-1.2-and-1.3"])
    accept("openssl-tls-1.2-and-1.3", full, alpn=four, ems=True, tls13=True,
           suites=[0x1302, 0x1303, 0x1301, *OPENSSL_SUITES])
    accept("openssl-tls-1.2", bytes.fromhex(OPENSSL["tls-1.2"]), alpn=four, ems=True, suites=OPENSSL_SUITES)
    accept("openssl-tls-1.2-without-ems", bytes.fromhex(OPENSSL["tls-1.2-without-ems"]), alpn=[H1_P256],
           suites=OPENSSL_SUITES)

    both = alpn_extension(b"h2_tb_p256") + extension(EMS)
    whole = dict(alpn=["h2_tb_p256"], ems=True)
    accept("no-extensions", records(client_hello(None)))
    accept("empty-extensions", records(client_hello()))
    accept("alpn-and-ems", records(client_hello(both)), **whole)
    accept("ems-only", records(client_hello(extension(EMS))), ems=True)
    accept("alpn-of-any-octets", records(client_hello(alpn_extension(b"\0\xff", b"h2"))), alpn=[b"\0\xff", b"h2"])
    for name, formats, points in (("uncompressed", b"\0", True), ("compressed", b"\1\2", False), ("none", b"", False),
                                  ("all", b"\1\2\0", True)):
        accept(f"point-formats-{name}", records(client_hello(both + extension(11, vector(1, formats)))), **whole,
               points=points)
    accept("the-order-of-alpn-is-the-clients", records(client_hello(alpn_extension(b"b", b"a", b"c"))), alpn=["b", "a", "c"])
    accept("a-session-id", records(client_hello(both, session=bytes(32))), **whole)
    accept("several-cipher-suites", records(client_hello(both, suites=(0x0A0A, TLS13_SUITE, ECDHE, CBC))), **whole,
           suites=[0x0A0A, TLS13_SUITE, ECDHE, CBC])
    accept("unknown-extensions", records(client_hello(extension(0x1A1A) + both + extension(0x4469, b"\0\3\2h2"))), **whole)
    accept("unknown-extension-with-content", records(client_hello(extension(65000, bytes(300)) + both)), **whole)
    for number in (15, 22, 49, 0xFFCE):
        accept(f"extension-{number}-is-not-looked-into", records(client_hello(extension(number, b"odd") + both)), **whole)
    for name, legacy, tls12 in (("tls-1.0", 0x0301, False), ("tls-1.1", 0x0302, False), ("tls-1.2", 0x0303, True),
                                ("ssl-3", 0x0300, False), ("tls-1.3", 0x0304, True)):
        accept(f"version-{name}", records(client_hello(both, legacy=legacy)), **whole, tls12=tls12)
    for name, versions, tls12, tls13 in (
        ("1.3", [0x0304], False, True), ("1.2", [0x0303], True, False), ("1.3-and-1.2", [0x0304, 0x0303], True, True),
        ("1.1", [0x0302], False, False), ("grease-and-1.2", [0x7A7A, 0x0303], True, False),
        ("grease-1.3-1.2-1.1", [0xFAFA, 0x0304, 0x0303, 0x0302], True, True),
    ):
        accept(f"supported-versions-{name}", records(client_hello(both + versions_extension(*versions))), **whole,
               tls12=tls12, tls13=tls13)
    accept("supported-versions-count-not-the-legacy-version",
           records(client_hello(both + versions_extension(0x0303), legacy=0x0301)), **whole)

    hello = client_hello(both)
    for size in (1, 2, 3, 4, 5, 40, len(hello) - 1):
        accept(f"records-of-{size}-octets", records(hello, size), **whole)
    accept("record-version-does-not-matter", records(hello, version=0x0303), **whole)
    accept("what-follows-in-the-record-is-not-looked-at", records(hello + b"\x0b\0\0\1x"), **whole)
    accept("what-follows-the-record-is-not-looked-at", records(hello) + b"\x17\x03\x03", **whole)
    accept("longer-than-a-record", records(client_hello(both + extension(65000, bytes(16400)))), **whole)
    refuse("a-length-of-16-mb", records(b"\1\xff\xff\xff" + bytes(100)))

    refuse("nothing", b"")
    refuse("http", b"GET / HTTP/1.1\r\n\r\n")
    refuse("ssl-2", bytes.fromhex("802e0100020015000000100100800300800700c0"))
    refuse("an-alert", b"\x15\3\3\0\2\2\x28")
    refuse("application-data", records(hello, kind=23))
    refuse("a-server-hello", records(client_hello(both, kind=2)))
    refuse("a-record-without-content", b"\x16\3\1\0\0" + records(hello))
    refuse("a-record-that-is-too-long", b"\x16\3\1\x41\1" + bytes(0x4101))
    refuse("cut-inside-the-record-header", records(hello)[:3])
    refuse("cut-inside-the-record", records(hello)[:-1])
    refuse("cut-between-records", records(hello[:40]))
    refuse("an-alert-between-records", records(hello[:40]) + b"\x15\3\3\0\2\1\0" + records(hello[40:]))
    refuse("an-octet-after-the-extensions", records(b"\1" + vector(3, hello[4:] + b"\0")))
    refuse("extensions-cut-short", records(client_hello(both + extension(0)[:3])))
    refuse("extension-longer-than-the-list", records(client_hello(both + b"\xff\xff\0\1")))
    refuse("ems-with-content", records(client_hello(extension(EMS, b"\0"))))
    refuse("alpn-of-one-octet", records(client_hello(extension(PROTOCOLS, b"\0"))))
    refuse("session-id-of-33-octets", records(client_hello(both, session=bytes(33))))
    refuse("odd-length-of-cipher-suites", records(b"\1" + vector(3, b"\3\3" + bytes(32) + b"\0" + b"\0\3\0\0\0" + b"\1\0")))
    return suite


def policies():
    suite = HttpSuite("server-policy")
    tb, plain_ids = [H2_P256, H2_RSA, H1_P256, H1_RSA], ["h2", "http/1.1"]

    def add(name, reason=None, alpn=None, ems=True, tls12=True, tls13=False, suites=(ECDHE,), ours=None,
            our_suites=(ECDHE, 0xC02B), prefer="token-binding", points=True):
        fields = {
            "offer": {"alpn": tb + plain_ids if alpn is None else alpn, "extended_master_secret": ems, "tls12": tls12,
                      "tls13": tls13, "cipher_suites": list(suites), **({} if points else {"uncompressed_points": False})},
            "server": {"alpn": tb if ours is None else ours, "tls12_cipher_suites": list(our_suites), "prefer": prefer},
        }
        choice = {"choice": "token-binding"} if reason is None else {"choice": "plain", "reason": reason}
        suite.add(name, "balfanz-4-3-1", fields, accept=choice)

    for alpn in tb:
        add(f"{alpn}-offered", alpn=[alpn])
        add(f"{alpn}-offered-last", alpn=[*plain_ids, alpn])
        add(f"{alpn}-not-ours", "not-offered", alpn=[alpn], ours=[a for a in tb if a != alpn])
        add(f"{alpn}-without-ems", "extended-master-secret", alpn=[alpn], ems=False)
    for prefer in ("token-binding", "tls13"):
        add(f"tls-1.2-only-{prefer}-preferred", prefer=prefer)
        add(f"tls-1.2-and-1.3-{prefer}-preferred", None if prefer == "token-binding" else "tls13-preferred", tls13=True,
            suites=(TLS13_SUITE, ECDHE), prefer=prefer)
        add(f"tls-1.3-only-{prefer}-preferred", "protocol-version", tls12=False, tls13=True, suites=(TLS13_SUITE, ECDHE),
            prefer=prefer)
        add(f"neither-version-{prefer}-preferred", "protocol-version", tls12=False, prefer=prefer)
        add(f"no-common-suite-{prefer}-preferred", "cipher-suites", tls13=True, suites=(TLS13_SUITE, CBC), prefer=prefer)
        add(f"no-common-suite-of-tls-1.2-only-{prefer}-preferred", "cipher-suites", suites=(CBC,), prefer=prefer)
        add(f"not-offered-{prefer}-preferred", "not-offered", alpn=plain_ids, tls13=True, prefer=prefer)
    for tls13 in (False, True):
        add(f"no-uncompressed-points-tls-1.{2 + tls13}", "point-formats", tls13=tls13, points=False)
    add("the-suites-count-before-the-points", "cipher-suites", suites=(CBC,), points=False)
    add("the-points-count-before-the-preference", "point-formats", tls13=True, prefer="tls13", points=False)
    add("no-alpn", "not-offered", alpn=[])
    add("no-identifier-of-ours", "not-offered", ours=[])
    add("no-suite-of-ours", "cipher-suites", our_suites=())
    add("no-suite-of-the-client", "cipher-suites", suites=())
    add("the-last-suite-in-common", suites=(CBC, TLS13_SUITE, 0xC02B))
    add("identifiers-are-case-sensitive", "not-offered", alpn=["H2_TB_P256", "HTTP/1.1_tb_p256"])
    add("a-prefix-is-another-identifier", "not-offered", alpn=["h2_tb_p25", "h2_tb_p2567", "h2_tb"])
    add("an-unknown-key-is-not-ours", "not-offered", alpn=["h2_tb_p384"])
    add("an-identifier-the-server-does-not-know", "not-offered", alpn=["h2_tb_p384", "h2"])
    add("ems-counts-before-the-version", "extended-master-secret", ems=False, tls12=False, tls13=True)
    add("the-identifiers-count-before-ems", "not-offered", alpn=["h2"], ems=False)
    add("the-version-counts-before-the-suites", "protocol-version", tls12=False, suites=())
    return suite


# --- section 4.2: origins -----------------------------------------------------------------------------


def origins():
    suite = HttpSuite("origin")

    def add(name, url, origin=None, scope=None, kind=None, rule="origin"):
        fields = {"url": url, "scope_rule": rule}
        if kind:
            suite.add(name, "balfanz-1-2", fields, reject=reject(kind, "URL", 0))
        else:
            suite.add(name, "balfanz-4-2-3", fields, accept={"origin": origin, "scope": scope or origin})

    for name, url, origin in [
        ("host-only", "https://example.com", "https://example.com"),
        ("path-query-fragment", "https://example.com/a/b?q=1#f", "https://example.com"),
        ("capitals", "HTTPS://Example.COM/", "https://example.com"),
        ("default-port", "https://example.com:443/", "https://example.com"),
        ("empty-port", "https://example.com:/", "https://example.com"),
        ("other-port", "https://example.com:8443/", "https://example.com:8443"),
        ("port-80", "https://example.com:80/", "https://example.com:80"),
        ("leading-zero-in-the-port", "https://example.com:0443/", "https://example.com"),
        ("user-and-password", "https://user:pw@example.com/", "https://example.com"),
        ("a-host-that-looks-like-a-user", "https://example.com@evil.example/", "https://evil.example"),
        ("trailing-dot", "https://example.com./", "https://example.com."),
        ("host-below", "https://www.example.com/", "https://www.example.com"),
        ("single-label", "https://localhost:1/", "https://localhost:1"),
        ("idn", "https://b\u00fccher.example/", "https://xn--bcher-kva.example"),
        ("a-label", "https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
        ("percent-encoded-host", "https://ex%61mple.com/", "https://example.com"),
        ("ipv4", "https://192.0.2.1/", "https://192.0.2.1"),
        ("ipv4-in-hex", "https://0x7f.1/", "https://127.0.0.1"),
        ("ipv4-as-a-number", "https://2130706433/", "https://127.0.0.1"),
        ("ipv6", "https://[2001:DB8:0:0::1]:2/", "https://[2001:db8::1]:2"),
        ("backslashes", "https:\\\\example.com\\a", "https://example.com"),
        ("tab-inside", "https://exa\tmple.com/", "https://example.com"),
    ]:
        add(name, url, origin)
    for name, url, kind in [
        ("http", "http://example.com/", "scheme"), ("wss", "wss://example.com/", "scheme"), ("ftp", "ftp://example.com/", "scheme"),
        ("data", "data:text/plain,x", "scheme"), ("about-blank", "about:blank", "scheme"), ("file", "file:///etc/hosts", "scheme"),
        ("blob", "blob:https://example.com/1", "scheme"), ("no-scheme", "example.com", "url"), ("relative", "/path", "url"),
        ("empty", "", "url"), ("no-host", "https://", "url"), ("port-too-large", "https://example.com:65536/", "url"),
        ("space-in-the-host", "https://exa mple.com/", "url"), ("bad-ipv6", "https://[::g]/", "url"),
        ("bad-ipv4", "https://256.256.256.256/", "url"),
    ]:
        add(f"refused-{name}", url, kind=kind)
    for name, url, origin, scope in [
        ("host-below", "https://www.example.com/", "https://www.example.com", "domain:example.com"),
        ("port", "https://example.com:8443/", "https://example.com:8443", "domain:example.com"),
        ("two-labels-of-suffix", "https://a.b.example.co.uk/", "https://a.b.example.co.uk", "domain:example.co.uk"),
        ("private-suffix", "https://me.github.io/", "https://me.github.io", "domain:me.github.io"),
        ("the-private-suffix-itself", "https://github.io/", "https://github.io", "https://github.io"),
        ("com", "https://com/", "https://com", "https://com"), ("uk", "https://uk/", "https://uk", "https://uk"),
        ("co-uk", "https://co.uk:1/", "https://co.uk:1", "https://co.uk:1"),
        ("single-label", "https://localhost/", "https://localhost", "https://localhost"),
        ("no-known-suffix", "https://intranet.corp-internal/", "https://intranet.corp-internal", "https://intranet.corp-internal"),
        ("ipv4", "https://10.0.0.1/", "https://10.0.0.1", "https://10.0.0.1"),
        ("ipv6", "https://[::1]:9/", "https://[::1]:9", "https://[::1]:9"),
        ("idn", "https://www.b\u00fccher.de/", "https://www.xn--bcher-kva.de", "domain:xn--bcher-kva.de"),
        ("trailing-dot", "https://www.example.com./", "https://www.example.com.", "domain:example.com."),
    ]:
        add(f"registrable-domain-{name}", url, origin, scope, rule="registrable-domain")
    return suite


def suites():
    return [headers(), requests(), tokens(), redirects(), scripts(), client_hellos(), policies(), origins()]


if __name__ == "__main__":
    main(__doc__, suites())
