"""A second implementation of a client with security latches (draft-newman-email-deep-02 sections 5.1 to 5.4), which shares
nothing with the crate's. The traces of the vectors that deep_latch_trace_vectors.py writes are its own."""

NEGOTIATED = ("tls10", "tls12")
TLS = {"TLSv1.0": 1, "TLSv1.1": 2, "TLSv1.2": 3, "TLSv1.3": 4}


class Client:
    """A connection, by the rules of section 5."""

    def __init__(self, latched, status, dane_identity, on_tlsa_mismatch, after_login):
        self.latched = {tag.lower(): tag for tag in latched}
        self.status = status
        self.offer = url_of(status)
        self.dane_identity = dane_identity
        self.on_tlsa_mismatch = on_tlsa_mismatch
        self.after_login = after_login
        self.known = {"tls10", "tls12", "tls-cert", "tls-dane-tlsa", *after_login}
        self.tls = self.login = self.last = None
        self.demanded = {}
        self.end = None

    def tags(self, keys):
        return [self.latched[key] for key in sorted(keys)]

    def begin(self):
        unknown = [key for key in self.latched if key not in self.known]
        return self.answer(self.refuse("connecting", unknown) if unknown else [])

    def answer(self, transitions):
        if self.end:
            outcome = self.end
        elif self.tls is None and (self.latched or self.demanded):
            outcome = "start-tls"
        else:
            outcome = "continue"
        return {"outcome": outcome, "transitions": transitions}

    def pkix(self):
        return self.tls["chain"] == "trusted" and self.tls["identity"] == "matches"

    def dane(self):
        dane, named = self.tls["dane"], self.tls["identity"] == "matches"
        if dane in (0, 1):
            return self.pkix()
        return dane == 2 and named or dane == 3 and (named or self.dane_identity == "rfc7671")

    def has(self, key, waits=False):
        """Section 11.2. `waits`: facts that are known only after login may still come."""
        if self.tls is None or self.tls["version"] not in TLS:
            return False
        if key in self.after_login:
            return self.login == "scram-plus" or waits and self.login is None
        if key == "tls-cert":
            return self.pkix()
        if key == "tls-dane-tlsa":
            return self.dane()
        least = {"tls10": 1, "tls12": 3}.get(key)
        strong = (self.tls["strength_bits"] or 0) >= 128
        return least is not None and strong and TLS[self.tls["version"]] >= least

    def contradicted(self):
        """RFC 6698 section 4.1: no record matches. One of usage 0 or 1 matches none that PKIX refuses."""
        return self.tls["dane"] == "differs" or self.tls["dane"] in (0, 1) and self.tls["chain"] == "refused"

    def vouched(self):
        """Section 5.3."""
        if self.tls is None or self.tls["version"] not in TLS or self.contradicted():
            return None
        if self.pkix():
            return "pkix"
        if self.dane():
            return "dane"
        return "scram-plus" if self.login == "scram-plus" else None

    def lacking(self):
        return [key for key in self.latched if not self.has(key, waits=True)]

    def refuse(self, stage, keys):
        tags = self.tags(keys)
        over_tls = self.tls is not None
        self.end = {"refuse": {"tags": tags, "stage": stage, "may_report": over_tls, "url": self.offer}}
        return [{"refused": tags, "stage": stage}]

    def refuse_certificate(self, fault):
        self.end = {"refuse_certificate": {"fault": fault, "url": self.offer}}
        return [{"certificate_refused": fault}]

    def over(self, demanded):
        self.end = "over"
        return [{"not_negotiated": [demanded[key] for key in sorted(demanded)]}] if demanded else []

    def step(self, event):
        (what, value), = event.items() if isinstance(event, dict) else [(event, None)]
        if self.end:
            return self.answer([{"not_recorded": "refused"}] if what == "status" else [])
        happens = {
            "no-tls": self.no_tls,
            "handshake-failed": self.handshake_failed,
            "handshake": self.handshake,
            "status": self.advertise,
            "no-status": self.no_status,
            "logged-in": self.logged_in,
        }
        return self.answer(happens[what](value))

    def no_tls(self, _, stage="no-tls"):
        if self.tls is not None or not (self.latched or self.demanded):
            return []
        return self.failed(stage)

    def handshake_failed(self, why):
        """The rules of section 11.2 for each tag decide which tags are concerned."""
        if why == "negotiation":
            # "TLS was negotiated successfully", of each.
            told = [] if self.latched else [{"handshake_failed": why}]
            return told + self.failed("handshake-failed")
        self.tls = self.login = self.last = None
        if why in ("transport", "server", "local"):
            return [{"handshake_failed": why}] + self.over({})
        lost = {"chain": ["tls-cert"], "dane": ["tls-dane-tlsa"], "identity": ["tls-cert", "tls-dane-tlsa"]}[why]
        if self.dane_identity == "rfc7671" and why == "identity":
            lost = ["tls-cert"]
        lost = [key for key in lost if key in self.latched]
        return self.refuse("handshake-failed", lost) if lost else self.refuse_certificate(why)

    def failed(self, stage):
        self.tls = self.login = self.last = None
        return self.refuse(stage, self.latched) if self.latched else self.over(self.demanded)

    def handshake(self, tls):
        self.tls, self.login, self.last = tls, None, None
        lacking = self.lacking()
        if lacking:
            return self.refuse("handshake", lacking)
        if self.contradicted() and self.on_tlsa_mismatch == "refuse":
            return self.refuse_certificate("dane")
        weak = {key: tag for key, tag in self.demanded.items() if not self.has(key)}
        return self.over(weak) if weak else []

    def no_status(self, _):
        self.last = None
        return ["withdrawn"] if self.vouched() and self.status is not None else []

    def logged_in(self, login):
        if self.tls is None:
            if self.latched or self.demanded:
                return self.failed("no-tls")
            return []
        self.login = login
        lacking = self.lacking()
        if lacking:
            return self.refuse("login", lacking)
        return [] if self.last is None else self.advertised(self.last)

    def advertise(self, text):
        if self.tls is not None:
            return self.advertised(text)
        told = []
        for key, tag in tags_of(text).items():
            if key in NEGOTIATED:
                self.demanded.setdefault(key, tag)
            if key not in self.latched:
                told.append({"not_latched": tag, "reason": "in-clear"})
        return told + [{"not_recorded": "in-clear"}]

    def advertised(self, text):
        self.last = text
        by, told = self.vouched(), []
        for key, tag in tags_of(text).items():
            if key in self.latched:
                continue
            if key not in self.known:
                reason = "unknown"
            elif by is None and key not in NEGOTIATED:
                reason = "server-not-authenticated"
            elif not self.has(key):
                reason = "not-achieved"
            else:
                self.latched[key] = tag
                told.append({"latched": tag, "by": by or "negotiated"})
                continue
            told.append({"not_latched": tag, "reason": reason})
        if by is None:
            told.append({"not_recorded": "server-not-authenticated"})
        elif self.status != text:
            self.status = text
            told.append({"recorded": text})
        return told


def tags_of(text):
    """In their order, the first spelling of each."""
    tags = {}
    for word in text.split(" "):
        if word[:1].isalpha():
            tags.setdefault(word.lower(), word)
    return tags


def url_of(status):
    urls = [word[1:-1] for word in (status or "").split(" ") if word.startswith("<")]
    return urls[0] if urls else None


def judge(latched, status, events, dane_identity, on_tlsa_mismatch, after_login):
    """The steps of a connection, and what is recorded then."""
    client = Client(latched, status, dane_identity, on_tlsa_mismatch, after_login)
    steps = [client.begin()]
    # A client that is refused before connecting has no connection, and none of the events.
    if client.end is None:
        steps.extend(client.step(event) for event in events)
    return {"steps": steps, "record": {"latched": client.tags(client.latched), "status": client.status}}
