"""Writes mail-implicit-tls/vectors/privacy.json: accounts of both levels and connections of every kind. The outcome comes
from privacy_reference.py.

    python3 crates/conformance-mail-implicit-tls/python/privacy_vectors.py [--check]
"""

from itertools import product

from privacy_reference import judge
from suite_file import SuiteFile, main

FILE = SuiteFile("privacy", __file__, [])
CHAINS, IDENTITIES = ("not-checked", "trusted", "refused"), ("not-checked", "matches", "differs")
DANES = ("not-used", {"matches": [0, False]}, {"matches": [1, False]}, {"matches": [2, False]}, {"matches": [3, False]}, {"matches": [3, True]}, "differs")
PINS = ("not-pinned", "matches", "differs")


def shown(level, connection, accept):
    """The requirements that a case shows."""
    if "configuration" in accept:
        return ["newman-3-1-1"]
    requirements = ["newman-3-1-1" if level == "high" else "newman-3-3-1"]
    if connection != "clear" and connection["tls"]["pin"] == "matches":
        requirements.append("newman-3-2-4")
    return [*requirements, "newman-3-1-4"] if "actions" in accept else requirements


def case(name, profile, level, ignore, clear, connection):
    accept = judge(profile, level, ignore, connection)
    FILE.case(name, accept, shown(level, connection, accept), profile=profile, level=level, ignore_certificate=ignore, clear_text_fallback=clear, connection=connection)


def word(value):
    return value if isinstance(value, str) else f"usage-{value['matches'][0]}{'-covers' if value['matches'][1] else ''}"


for chain, identity, dane, pin in product(CHAINS, IDENTITIES, DANES, PINS):
    tls = {"tls": {"chain": chain, "identity": identity, "dane": dane, "pin": pin, "version": 0x0304}}
    name = f"{chain}.{identity}.{word(dane)}.{pin}"
    case(f"high.{name}", "draft", "high", False, False, tls)
    case(f"low.{name}", "draft", "low", False, True, tls)
    case(f"low-ignoring.{name}", "draft", "low", True, False, tls)
for version in (0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0305, 0xFEFD):
    tls = {"chain": "trusted", "identity": "matches", "dane": "not-used", "pin": "not-pinned", "version": version}
    for level in ("high", "low"):
        case(f"{level}.version-{version:04x}", "draft", level, False, False, {"tls": tls})
    case(f"rfc8314.version-{version:04x}", "rfc8314", "high", False, False, {"tls": tls})
for identity in IDENTITIES:
    tls = {"chain": "trusted", "identity": identity, "dane": "not-used", "pin": "not-pinned", "version": 0x0304}
    for level, ignore, clear in product(("high", "low"), (False, True), (False, True)):
        name = f"{level}-{ignore}-{clear}.{identity}".lower()
        case(f"rfc8314.{name}", "rfc8314", level, ignore, clear, {"tls": tls})
        # Concessions that a level does not have are of no effect.
        case(f"draft.{name}", "draft", level, ignore, clear, {"tls": tls})
for profile, level in product(("draft", "rfc8314"), ("high", "low")):
    case(f"{profile}.{level}.clear", profile, level, False, False, "clear")

main(FILE)
