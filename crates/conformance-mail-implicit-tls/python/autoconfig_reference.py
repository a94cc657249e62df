"""A second implementation of what mail-implicit-tls reads in Mozilla's configuration files, from their description in
docs/vectors.md: ElementTree reads the XML. The results in the vectors are stated by hand."""

import re
import xml.etree.ElementTree as ElementTree

LONGEST, MOST_SERVERS, MOST_NODES = 65536, 32, 4096
SERVICES = {
    ("incomingServer", "imap"): ("imaps", "imap"),
    ("incomingServer", "pop3"): ("pop3s", "pop3"),
    ("outgoingServer", "smtp"): ("submissions", "submission"),
}
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


class Refused(Exception):
    pass


class Bad(Exception):
    """The reason for which a server is refused."""


def host_name(text):
    """A host name in A-labels."""
    try:
        labels = [label.encode("idna").decode().lower() for label in text.split(".")]
    except UnicodeError:
        raise Bad("host") from None
    if not all(LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise Bad("host")
    return ".".join(labels)


def text_of(element, name, reason):
    """The text of the only child of this name, without white space around it."""
    found = element.findall(name)
    if len(found) != 1 or len(found[0]):
        raise Bad(reason)
    return (found[0].text or "").strip()


def server(element, replaced):
    services = SERVICES.get((element.tag, element.get("type")))
    if not services:
        raise Bad("type")
    host = host_name(replaced(text_of(element, "hostname", "host")))
    port = text_of(element, "port", "port")
    if not re.fullmatch("[0-9]+", port, re.ASCII) or not 0 < int(port) < 65536:
        raise Bad("port")
    implicit, clear = services
    service = {"SSL": implicit, "STARTTLS": f"{clear} with STARTTLS", "plain": f"{clear} in clear text"}
    socket = text_of(element, "socketType", "socket-type")
    if socket not in service:
        raise Bad("socket-type")
    username = element.findtext("username")
    return {
        "service": service[socket], "host": host, "port": int(port), "username": username and replaced(username.strip()),
        "authentication": [(it.text or "").strip() for it in element.findall("authentication")],
    }


def read(user, file):
    """`{servers, refused}`; raises Refused."""
    local, _, domain = user.rpartition("@")
    known = {"EMAILADDRESS": user, "EMAILLOCALPART": local, "EMAILDOMAIN": domain}

    def replaced(text):
        return re.sub("%(EMAILADDRESS|EMAILLOCALPART|EMAILDOMAIN)%", lambda found: known[found[1]], text)

    if len(file.encode()) > LONGEST or "<!DOCTYPE" in file:
        raise Refused
    try:
        root = ElementTree.fromstring(file.removeprefix("\ufeff"))
    except ElementTree.ParseError:
        raise Refused from None
    provider = root.find("emailProvider") if root.tag == "clientConfig" else None
    if provider is None or sum(1 for _ in root.iter()) > MOST_NODES:
        raise Refused
    found = [it for it in provider if it.tag in ("incomingServer", "outgoingServer")]
    if len(found) > MOST_SERVERS:
        raise Refused
    servers, refused = [], []
    for index, element in enumerate(found):
        try:
            servers.append(server(element, replaced))
        except Bad as bad:
            refused.append([index, str(bad)])
    return {"servers": servers, "refused": refused}
