"""A second implementation of section 3 of draft-newman-email-deep-02: a table of what gives which level. Its outcomes are
those of the vectors that privacy_vectors.py writes."""

ACTIONS = ["work-offline", "try-again-later", {"open": "https://status.example.org/"}]


def authenticated(chain, identity, dane, pin):
    """Section 3.1: by PKIX or DANE, and by name. Section 3.2: a pin is not that."""
    if pin != "not-pinned" or dane == "differs":
        return False
    usage, covers = dane["matches"] if isinstance(dane, dict) else (None, False)
    path = chain == "trusted" or usage in (2, 3)
    return path and (identity == "matches" or covers)


def judge(profile, level, ignore_certificate, connection):
    """What comes of a connection of an account."""
    if level == "low" and profile == "rfc8314":
        return {"configuration": "level-of-profile"}
    if connection == "clear":
        return {"configuration": "clear-text-with-high"} if level == "high" else {"accepted": None}
    tls = connection["tls"]
    private = authenticated(tls["chain"], tls["identity"], tls["dane"], tls["pin"])
    # Section 3.3 lets a client ignore a certificate that is not validated, not one that is another than was pinned, and
    # not one that TLSA records refute.
    tolerated = level == "low" and tls["pin"] != "differs" and tls["dane"] != "differs" and (ignore_certificate or tls["pin"] == "matches")
    if not private and not tolerated:
        return {"actions": ACTIONS, "clear_text": False}
    return {"accepted": "high" if private and tls["version"] >= 0x0301 else "low"}
