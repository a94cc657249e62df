"""Writes mail-implicit-tls/vectors/autoconfig.json: Mozilla's configuration files. Every result is stated by hand, and
autoconfig_reference.py must find the same.

    python3 crates/conformance-mail-implicit-tls/python/autoconfig_vectors.py [--check]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

import autoconfig_reference  # noqa: E402

SOURCE = "crates/conformance-mail-implicit-tls/python/autoconfig_vectors.py"
USER = "alice@example.org"
CASES = {}


def entry(kind="imap", host="imap.example.org", port="993", socket="SSL", more="", element="incomingServer"):
    return f'<{element} type="{kind}"><hostname>{host}</hostname><port>{port}</port><socketType>{socket}</socketType>{more}</{element}>'


def document(*servers):
    return '<clientConfig version="1.1"><emailProvider id="example.org"><domain>example.org</domain>' + "".join(servers) + "</emailProvider></clientConfig>"


def server(service="imaps", host="imap.example.org", port=993, username=None, authentication=()):
    return {"service": service, "host": host, "port": port, "username": username, "authentication": list(authentication)}


def case(name, file, servers=(), refused=(), reject=None, user=USER):
    assert name not in CASES, name
    fields = {"name": name, "requirements": [], "user": user, "file": file}
    if reject:
        fields["reject"] = dict(zip(("kind", "field", "offset"), (reject[0], "clientConfig", reject[1])))
    else:
        fields["accept"] = {"servers": list(servers), "refused": [list(one) for one in refused]}
    try:
        read = autoconfig_reference.read(user, file)
    except autoconfig_reference.Refused:
        read = None
    assert read == fields.get("accept"), f"{name}: {read}"
    CASES[name] = fields


case("imaps", document(entry()), [server()])
case("pop3s", document(entry("pop3", port="995")), [server("pop3s", port=995)])
case("submissions", document(entry("smtp", port="465", element="outgoingServer")), [server("submissions", port=465)])
case("starttls", document(entry(port="143", socket="STARTTLS")), [server("imap with STARTTLS", port=143)])
case("plain", document(entry(port="143", socket="plain")), [server("imap in clear text", port=143)])
case("order-of-the-file", document(entry(port="1"), entry(port="2")), [server(port=1), server(port=2)])
case("white-space", document(entry(host=" imap.example.org\n", port=" 993 ", socket=" SSL ")), [server()])
case("comment-before-host", document("<!-- x -->", entry()), [server()])
case("host-in-upper-case", document(entry(host="IMAP.Example.ORG")), [server()])
case("host-of-u-labels", document(entry(host="imap.bücher.example")), [server(host="imap.xn--bcher-kva.example")])
case("host-of-placeholder", document(entry(host="imap.%EMAILDOMAIN%")), [server()])
case("byte-order-mark", "\ufeff" + document(entry()), [server()])
case("other-domain", document(entry(host="imap.hoster.example")), [server(host="imap.hoster.example")])
for name, text, expected in [("address", "%EMAILADDRESS%", USER), ("local-part", "%EMAILLOCALPART%", "alice"), ("domain", "x-%EMAILDOMAIN%", "x-example.org"), ("unknown-placeholder", "%X%", "%X%"), ("percent", "100%", "100%")]:
    case(f"username-{name}", document(entry(more=f"<username>{text}</username>")), [server(username=expected)])
case("username-not-searched-again", document(entry(more="<username>%EMAILLOCALPART%</username>")), [server(username="%EMAILDOMAIN%")], user="%EMAILDOMAIN%@example.org")
case("authentication-twice", document(entry(more="<authentication>OAuth2</authentication><authentication>password-cleartext</authentication>")), [server(authentication=["OAuth2", "password-cleartext"])])
case("unknown-elements", document("<x><incomingServer/></x>", entry(more="<y/>")), [server()])
case("no-servers", document())
for name, element in [("exchange", entry("exchange")), ("smtp-incoming", entry("smtp")), ("imap-outgoing", entry(element="outgoingServer")), ("upper-case", entry("IMAP"))]:
    case(f"type-{name}", document(element, entry()), [server()], [(0, "type")])
for name, host in [("address", "192.0.2.1"), ("underscore", "a_b.example"), ("empty", ""), ("control", "a\tb"), ("url", "https://a.example/"), ("wildcard", "*.example.org"), ("element", "<b/>a.example")]:
    case(f"host-{name}", document(entry(), entry(host=host)), [server()], [(1, "host")])
for name, port in [("zero", "0"), ("65536", "65536"), ("signed", "+993"), ("negative", "-1"), ("word", "imaps"), ("empty", "")]:
    case(f"port-{name}", document(entry(), entry(port=port)), [server()], [(1, "port")])
for name, socket in [("tls", "TLS"), ("lower-case", "ssl"), ("empty", "")]:
    case(f"socket-{name}", document(entry(), entry(socket=socket)), [server()], [(1, "socket-type")])
case("host-twice", document(entry(more="<hostname>b.example</hostname>")), [], [(0, "host")])
case("32-servers", document(entry() * 32), [server()] * 32)
case("33-servers", document(entry() * 33), reject=("too-many-servers", document(entry() * 32).index("</emailProvider>")))
case("dtd", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + document(entry(host="&e;")), reject=("dtd", 0))
case("dtd-without-entities", "<!DOCTYPE clientConfig>" + document(entry()), reject=("dtd", 0))
case("undefined-entity", document(entry(host="&e;")), reject=("xml", 0))
case("empty", "", reject=("xml", 0))
case("html", "<html><body>Not found</body></html>", reject=("format", 0))
case("no-provider", "<clientConfig/>", reject=("format", 0))
case("unterminated", document(entry())[:-3], reject=("xml", 0))
case("64-kB", document(" " * 65536), reject=("too-long", 65536))
case("5000-elements", document("<a/>" * 5000), reject=("too-many-nodes", 0))

main(None, SuiteFile("mail-implicit-tls/autoconfig", SOURCE, list(CASES.values())))
