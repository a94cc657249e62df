"""A second implementation of the order of SRV records (RFC 2782) and of the lookup of a host (RFC 7671 section 7, RFC
7672 section 2.2). The order is computed record by record as docs/vectors.md describes it, in O(n^2)."""

import ipaddress

MOST_RECORDS, MOST_OCTETS = 128, 65532


def order(records, numbers):
    """`numbers` gives the random numbers of 64 bits, as an iterator."""
    ordered = []
    for priority in sorted({record[0] for record in records}):
        group = [record for record in records if record[0] == priority]
        lists = {bits: [it for it in group if it[1].bit_length() == bits] for bits in range(17)}
        for _ in group:
            bits, place = drawn(lists, lambda bound: next(numbers) * bound >> 64)
            ordered.append(lists[bits][place])
            # The last record of the list takes the place.
            lists[bits][place] = lists[bits][-1]
            del lists[bits][-1]
    return ordered


def drawn(lists, below):
    """The list and the place in it of the record to be used next."""
    held = [(bits, place) for bits in lists if bits for place in range(len(lists[bits]))]
    for left in reversed(range(64)):
        ticket = below(1 + sum(2**bits for bits, _ in held))
        if ticket == 0:
            firsts = [(0, place) for place in range(len(lists[0]))] or held
            return firsts[below(len(firsts))]
        for bits, place in held:
            if ticket <= 2**bits:
                break
            ticket -= 2**bits
        if ticket <= lists[bits][place][1] or left == 0:
            return bits, place


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
