"""A second reader and writer of headers of the PROXY protocol, from proxy-protocol.txt."""

import ipaddress
import re
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PEER = "10.1.2.3:4711"
MOST = 4096


class Refused(Exception):
    def __init__(self, kind, field, offset):
        super().__init__(kind, field, offset)
        self.reject = {"kind": kind, "field": field, "offset": offset}


def address(text, family):
    """An address in its canonical form."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    if parsed.version != family or "%" in text:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def endpoint(ip, port):
    return f"{ip}:{port}" if ip.version == 4 else f"[{ip}]:{port}"


def crc32c(octets):
    value = 0xFFFFFFFF
    for octet in octets:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def version_1(octets):
    end = next((at for at, octet in enumerate(octets[:107]) if octet in b"\r\n"), None)
    if end is None or end == 106 and octets[106:107] == b"\r":
        if len(octets) >= 107:
            raise Refused("too-long", "line", 107)
        return None
    if octets[end : end + 2] == b"\r":
        return None
    if octets[end : end + 2] != b"\r\n":
        raise Refused("syntax", "line", end)
    words, at = octets[6:end].decode("latin-1").split(" "), 6
    names = ["protocol", "source address", "destination address", "source port", "destination port"]
    values = []
    for index, name in enumerate(names):
        word = words[index] if index < len(words) else ""
        if index == 0:
            if word == "UNKNOWN":
                return None, end + 2
            value = {"TCP4": 4, "TCP6": 6}.get(word)
        elif index < 3:
            value = address(word, values[0])
        else:
            fits = re.fullmatch("0|[1-9][0-9]{0,4}", word) and int(word) < 65536
            value = int(word) if fits else None
        if value is None:
            raise Refused("syntax", name, at)
        values.append(value)
        at += len(word) + 1
    if len(words) > 5:
        raise Refused("syntax", "line", at - 1)
    return (endpoint(values[1], values[3]), endpoint(values[2], values[4])), end + 2


def text(value, field, at):
    try:
        decoded = value.decode()
    except UnicodeDecodeError:
        raise Refused("value", field, at) from None
    if re.search("[\0-\x1f\x7f-\x9f]", decoded):
        raise Refused("value", field, at)
    return decoded


def fields(octets, at, end):
    while at < end:
        if at + 3 > end:
            raise Refused("truncated", "pp2_tlv", at)
        kind, length = struct.unpack_from("!BH", octets, at)
        at += 3
        if at + length > end:
            raise Refused("truncated", "pp2_tlv", at)
        yield kind, at, octets[at : at + length]
        at += length


def ssl(octets, at, end):
    for field, length in (("client", 1), ("verify", 4)):
        if at + length > end:
            raise Refused("truncated", field, at)
        at += length
    client, verify = octets[at - 5], octets[at - 4 : at]
    names = {0x21: "version", 0x22: "cn", 0x23: "cipher"}
    found = {}
    for kind, place, value in fields(octets, at, end):
        if kind in names:
            field = f"PP2_SUBTYPE_SSL_{names[kind].upper()}"
            value = text(value, field, place)
            if names[kind] in found:
                raise Refused("duplicate", field, place)
            found[names[kind]] = value
    nothing = {"version": None, "cipher": None, "certificate": None}
    if not client & 1:
        return nothing
    certificate = {"cn": found.get("cn"), "connection": bool(client & 2), "verified": verify == bytes(4)}
    found.pop("cn", None)
    return nothing | found | {"certificate": certificate if client & 6 else None}


def name(value, at):
    """A host name. Vectors have names of ASCII only."""
    host = text(value, "PP2_TYPE_AUTHORITY", at).lower().removesuffix(".")
    label = "(?!-)[a-z0-9-]{1,63}(?<!-)"
    if not re.fullmatch(rf"{label}(\.{label})*", host) or re.fullmatch(r"[0-9]+|.*\.[0-9]+", host):
        raise Refused("value", "PP2_TYPE_AUTHORITY", at)
    return host


def version_2(octets):
    if len(octets) < 13:
        return None
    if octets[12] not in (0x20, 0x21):
        raise Refused("not-supported", "ver_cmd", 12)
    if len(octets) < 16:
        return None
    family, length = struct.unpack_from("!BH", octets, 13)
    end = 16 + length
    if end > MOST:
        raise Refused("too-long", "len", 14)
    if len(octets) < end:
        return None
    header = {"addresses": None, "authority": None, "unique_id": None, "ssl": None}
    if octets[12] == 0x20 or family == 0:
        return header, end
    size = {0x11: 4, 0x21: 16, 0x31: 108}.get(family)
    if size is None:
        raise Refused("not-supported", "fam", 13)
    at, found = 16, []
    for part in [size, size, 2, 2] if size < 108 else [216]:
        if at + part > end:
            raise Refused("truncated", "proxy_addr", at)
        found.append(octets[at : at + part])
        at += part
    if size < 108:
        ips = [ipaddress.ip_address(it) for it in found[:2]]
        ips = [getattr(it, "ipv4_mapped", None) or it for it in ips]
        ports = [int.from_bytes(it) for it in found[2:]]
        header["addresses"] = [endpoint(*it) for it in zip(ips, ports)]
    checksum = None
    for kind, place, value in fields(octets, at, end):
        if kind == 0x02:
            key, value = "authority", name(value, place)
        elif kind == 0x03:
            if len(value) != 4:
                raise Refused("value", "PP2_TYPE_CRC32C", place)
            if checksum is not None:
                raise Refused("duplicate", "PP2_TYPE_CRC32C", place)
            checksum = place, int.from_bytes(value)
            continue
        elif kind == 0x05:
            if len(value) > 128:
                raise Refused("value", "PP2_TYPE_UNIQUE_ID", place)
            key, value = "unique_id", value.hex()
        elif kind == 0x20:
            key, value = "ssl", ssl(octets, place, place + len(value))
        else:
            continue
        if header[key] is not None:
            raise Refused("duplicate", f"PP2_TYPE_{key.upper()}", place)
        header[key] = value
    if checksum:
        place, value = checksum
        if crc32c(octets[:place] + bytes(4) + octets[place + 4 : end]) != value:
            raise Refused("checksum", "PP2_TYPE_CRC32C", place)
    return header, end


def field(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def written(header):
    """The header as a gateway writes it, or None if a value is too long."""
    if not header["addresses"]:
        return SIGNATURE + b"\x20\0\0\0"
    ips, ports = [], b""
    for it in header["addresses"]:
        host, _, port = it.rpartition(":")
        ips.append(ipaddress.ip_address(host.strip("[]")))
        ports += struct.pack("!H", int(port))
    if any(it.version == 6 for it in ips):
        ips = [ipaddress.ip_address(f"::ffff:{it}") if it.version == 4 else it for it in ips]
    block = b"".join(it.packed for it in ips) + ports
    if header["authority"]:
        block += field(0x02, header["authority"].encode())
    if header["unique_id"] is not None:
        block += field(0x05, bytes.fromhex(header["unique_id"]))
    if header["ssl"] is not None:
        tls, certificate = header["ssl"], header["ssl"]["certificate"]
        if tls["version"] is None:
            block += field(0x20, b"\0\0\0\0\1")
        else:
            flags, cn = 1, None
            if certificate:
                flags, cn = 7 if certificate["connection"] else 5, certificate["cn"]
            verified = bool(certificate and certificate["verified"])
            value = bytes([flags, 0, 0, 0, not verified])
            for kind, it in ((0x21, tls["version"]), (0x22, cn), (0x23, tls["cipher"])):
                if it is not None:
                    if len(it.encode()) > 320:
                        return None
                    value += field(kind, it.encode())
            block += field(0x20, value)
    family = 0x11 if ips[0].version == 4 else 0x21
    head = SIGNATURE + struct.pack("!BBH", 0x21, family, len(block) + 7)
    sum_field = b"\x03\0\x04"
    return head + block + sum_field + crc32c(head + block + sum_field + bytes(4)).to_bytes(4)


def opening(octets, listed=True):
    """The begin of a connection of PEER."""
    octets = bytes.fromhex(octets)
    for begin, read in ((b"PROXY ", version_1), (SIGNATURE, version_2)):
        if octets.startswith(begin):
            if not listed:
                raise Refused("not-listed", "header", 0)
            found = read(octets)
            break
        if begin.startswith(octets):
            return {"incomplete": True}
    else:
        if listed:
            raise Refused("missing", "header", 0)
        return {"client": PEER, "header": None, "rest": octets.hex()}
    if found is None:
        return {"incomplete": True}
    header, length = found
    if not isinstance(header, dict):
        header = {"addresses": header and list(header), "authority": None, "unique_id": None, "ssl": None}
    as_written = written(header)
    header["written"] = as_written and as_written.hex()
    client = header["addresses"][0] if header["addresses"] else PEER
    return {"client": client, "header": header, "rest": octets[length:].hex()}
