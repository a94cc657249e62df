"""A second implementation of what SRV records offer for account setup: draft-newman-email-deep-02 section 8, RFC 6186,
RFC 2782, and of the changes that a later lookup shows. It works on the answers, one protocol after the other, and shares
nothing with the crate but the description in docs/vectors.md."""

import re

import dns_reference

LABELS = {"imap": ("_imaps", "_imap"), "pop": ("_pop3s", "_pop3"), "submission": ("_submissions", "_submission")}
PLAIN = {"imap": "imap", "pop": "pop3", "submission": "submission"}


def names(protocol):
    plain = PLAIN[protocol]
    return f"{plain}s", f"{plain} with STARTTLS", f"{plain} in clear text"


def split_mix(seed):
    """The generator of Steele, Lea and Flood (2014)."""
    mask = 2**64 - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


def is_host(target):
    labels = target.rstrip(".").split(".")
    ldh = all(re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(?<!-)", label) for label in labels)
    return ldh and not labels[-1].isdigit()


def worse(states):
    return "insecure" if "insecure" in states else "secure"


class Setup:
    def __init__(self, domain, level, seed, answers, confirmed):
        self.domain, self.level, self.seed, self.answers, self.confirmed = domain, level, seed, answers, confirmed

    def offer(self, protocol):
        tls, starttls, clear = names(protocol)
        candidates, refused, none, denied, advertises_tls = [], [], [], [], False
        for label, service in zip(LABELS[protocol], (tls, starttls)):
            answer = self.answers.get(label, {"failed": "timeout"})
            if "failed" in answer:
                return {"failed": [service, answer["failed"]]}
            if "denied" in answer:
                denied.append(answer["denied"][1])
                continue
            dnssec = answer["records"]["dnssec"]
            records = [it["srv"] for it in answer["records"]["data"]]
            roots = [it for it in records if it[3] == "."]
            if len(roots) == len(records):
                none.append(dnssec)
                continue
            advertises_tls = advertises_tls or service == tls
            if roots:
                refused += [[it, "root-beside-others"] for it in records]
                continue
            bare = [[*it[:3], it[3].rstrip(".").lower()] for it in records]
            for record in dns_reference.order(bare, split_mix(self.seed)):
                full = [*record[:3], record[3] + "."]
                if not is_host(record[3]):
                    refused.append([full, "target"])
                elif record[2] == 0:
                    refused.append([full, "port"])
                else:
                    candidates.append(self.candidate(service, record[3], record[2], dnssec))
        if not candidates and not refused:
            return {"unavailable": worse(none)} if none else {"not_advertised": worse(denied)}
        in_clear = []
        if self.level == "low" and not advertises_tls:
            in_clear = [self.candidate(clear, it["host"], it["port"], it["dnssec"]) for it in candidates]
        return {"candidates": candidates, "clear": in_clear, "refused": refused}

    def candidate(self, service, host, port, dnssec):
        trusted = dnssec == "secure" or self.confirmed
        warnings = []
        if not trusted:
            warnings.append("not-authenticated")
            if host != self.domain and not host.endswith("." + self.domain):
                warnings.append(["foreign-host", self.domain, host])
        if service.endswith("clear text"):
            warnings.append("clear-text")
        of_srv = [f"SRV-ID _{service.split()[0]}.{self.domain}", f"DNS-ID {self.domain}"]
        references = ([f"DNS-ID {host}"] if trusted else []) + of_srv
        references = list(dict.fromkeys(references))
        return {"service": service, "host": host, "port": port, "dnssec": dnssec, "warnings": warnings, "references": references}

    def change(self, service, host, port):
        protocol = next(it for it, plain in PLAIN.items() if service.split()[0] in (plain, plain + "s"))
        tls = names(protocol)[0]
        offer = self.offer(protocol)
        configured = [service, host, port]
        if "unavailable" in offer:
            return ["unavailable", configured]
        found = [[it["service"], it["host"], it["port"]] for it in offer.get("candidates", [])]
        if not found:
            return None
        if service != tls and found[0][0] == tls:
            return ["more-private", configured, found[0]]
        # A server with STARTTLS and one in clear text are advertised by the same record.
        if any(it[1:] == [host, port] and (it[0] == tls) == (service == tls) for it in found):
            return None
        return ["not-advertised", configured, found[0]]

    def result(self, configured):
        found = {protocol: self.offer(protocol) for protocol in LABELS}
        changes = [self.change(*it) for it in configured]
        return found | {"changes": [it for it in changes if it]}
