"""Writes dns/expired.zone: the zone expired.test, signed in January 2020 for one month, and its DS record.

    pip install dnspython cryptography
    python3 crates/conformance-mail-implicit-tls/python/expired_zone.py

The key is made anew and thrown away, so each run writes other signatures.
"""

from datetime import datetime, timezone
from pathlib import Path

import dns.dnssec
import dns.name
import dns.rdataclass
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.dnssectypes import Algorithm

FILE = Path(__file__).resolve().parents[1] / "dns/expired.zone"
RECORDS = f"""
@ SOA ns hm 1 900 300 86400 60
@ NS ns
ns A 127.0.0.1
mail A 127.0.0.17
_993._tcp.mail TLSA 3 1 1 {'a' * 64}
_imaps._tcp SRV 0 1 993 mail
"""

origin = dns.name.from_text("expired.test.")
zone = dns.zone.from_text(f"$TTL 300\n{RECORDS}", origin=origin, relativize=False)
key = ec.generate_private_key(ec.SECP256R1())
dnskey = dns.dnssec.make_dnskey(key.public_key(), Algorithm.ECDSAP256SHA256, flags=257)
with zone.writer() as transaction:
    dns.dnssec.sign_zone(
        zone,
        transaction,
        keys=[(key, dnskey)],
        dnskey_ttl=300,
        inception=datetime(2020, 1, 1, tzinfo=timezone.utc),
        expiration=datetime(2020, 2, 1, tzinfo=timezone.utc),
        add_dnskey=True,
    )
ds = dns.dnssec.make_ds(origin, dnskey, "SHA256")
text = zone.to_text(relativize=False, sorted=True, want_origin=False)
FILE.write_text(f"; expired.test, signed until 2020-02-01. python/expired_zone.py writes this file.\n; DS {ds}\n{text}")
