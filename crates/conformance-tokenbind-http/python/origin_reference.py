"""A second implementation of origins and of the scope of a key (draft-balfanz-https-token-binding-00 section 4.2): URLs are read by
Ada, an implementation of the URL standard in C++, and registrable domains are found as publicsuffix.org/list describes it."""

from implementation_interface import Unsupported

try:
    import ada_url
except ImportError:
    ada_url = None

# The rules of the public suffix list that names of the cases can meet.
RULES = {"com", "de", "io", "github.io", "uk", "co.uk", "ck", "*.ck", "!www.ck"}


class Refused(Exception):
    def __init__(self, kind):
        super().__init__(kind)
        self.reject = {"kind": kind, "field": "URL", "offset": 0}


def registrable_domain(host):
    """The public suffix and one label more; `None` without a rule for the name, or without a label before the suffix."""
    absolute = "." * host.endswith(".")
    labels = host.removesuffix(".").split(".")
    if "" in labels:
        return None
    for first in range(len(labels)):
        name, sibling = ".".join(labels[first:]), ".".join(["*", *labels[first + 1 :]])
        if f"!{name}" in RULES:
            return name + absolute
        if name in RULES or sibling in RULES:
            return ".".join(labels[first - 1 :]) + absolute if first else None
    return None


def origin(url, scope_rule):
    if ada_url is None:
        raise Unsupported("ada_url is not installed: pip install -r crates/conformance/python/requirements.txt")
    try:
        read = ada_url.URL(url)
    except ValueError:
        raise Refused("url") from None
    if read.protocol != "https:":
        raise Refused("scheme")
    domain = None
    if scope_rule == "registrable-domain" and read.host_type == ada_url.HostType.DEFAULT:
        domain = registrable_domain(read.hostname)
    return {"origin": read.origin, "scope": read.origin if domain is None else f"domain:{domain}"}
