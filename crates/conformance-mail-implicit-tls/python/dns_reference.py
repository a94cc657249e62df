"""A second implementation of the order of SRV records (RFC 2782) and of the lookup of a host (RFC 7671 section 7, RFC
7672 section 2.2). The order is computed as RFC 2782 words it, in O(n^2)."""

import ipaddress

MOST_RECORDS, MOST_OCTETS = 128, 65532


def order(records, numbers):
    """`numbers` gives the random numbers of 64 bits, as an iterator."""

    def below(bound):
        return next(numbers) * bound >> 64

    ordered = []
    for priority in sorted({record[0] for record in records}):
        left = sorted((record for record in records if record[0] == priority), key=lambda it: (it[1], it[2], it[3]))
        # RFC 2782 leaves the order of records of weight 0, and of all others, open: they are shuffled first.
        for end in range(len(left) - 1, 0, -1):
            other = below(end + 1)
            left[end], left[other] = left[other], left[end]
        left = [it for it in left if it[1] == 0] + [it for it in left if it[1] != 0]
        while left:
            number, running = below(sum(it[1] for it in left) + 1), 0
            for record in left:
                running += record[1]
                if running >= number:
                    break
            ordered.append(record)
            left.remove(record)
    return ordered


class Failed(Exception):
    pass


class Lookup:
    def __init__(self, answers):
        self.answers, self.asked = answers, []

    def ask(self, name, kind):
        question = f"{name}. {kind}"
        if question not in self.asked:
            self.asked.append(question)
        answer = self.answers.get(question, {"failed": "unreachable"})
        if "records" in answer:
            data = answer["records"]["data"]
            if len(data) > MOST_RECORDS or any(it.get("long", 0) > MOST_OCTETS for it in data):
                return {"failed": "too-large"}
            if not data or not all(self.is_of(it, kind) for it in data):
                return {"failed": "malformed"}
        return answer

    @staticmethod
    def is_of(data, kind):
        if "address" in data:
            return kind == {4: "A", 6: "AAAA"}[ipaddress.ip_address(data["address"]).version]
        return kind == {"alias": "CNAME", "srv": "SRV", "tlsa": "TLSA", "long": "TLSA"}[next(iter(data))]

    def host(self, host, port, dane):
        v6, v4 = self.ask(host, "AAAA"), self.ask(host, "A")
        failures = [it["failed"] for it in (v6, v4) if "failed" in it]
        found = [it["records"] for it in (v6, v4) if "records" in it]
        if not found:
            return {"failed": ["address", failures[0]] if failures else "no-address"}
        end = found[0]["owner"]
        found = [it for it in found if it["owner"] == end]
        secure = all(it["dnssec"] == "secure" for it in found)
        try:
            tlsa = "not-requested" if dane == "never" else self.tlsa(host, end, secure, port)
        except Failed as failed:
            return {"failed": ["tlsa", str(failed)]}
        addresses = [data["address"] for it in found for data in it["data"]]
        return {"addresses": addresses, "tlsa": tlsa, "failed_family": failures[0] if failures else None}

    def tlsa(self, host, end, secure, port):
        bases = []
        if secure:
            # "the fully CNAME-expanded name", then the original one.
            bases = [end, host] if end != host and "_" not in end else [host]
        elif end != host:
            alias = self.ask(host, "CNAME")
            if "failed" in alias:
                raise Failed(alias["failed"])
            if "records" in alias and alias["records"]["dnssec"] == "secure":
                bases = [host]
        if not bases:
            return "address-insecure"
        result = "none"
        for base in bases:
            answer = self.ask(f"_{port}._tcp.{base}", "TLSA")
            if "failed" in answer:
                raise Failed(answer["failed"])
            if "records" in answer:
                if answer["records"]["dnssec"] == "secure":
                    records = [it["tlsa"] if "tlsa" in it else [3, 0, 0, "00" * it["long"]] for it in answer["records"]["data"]]
                    return {"base": base, "records": records}
                result = "insecure"
        return result
