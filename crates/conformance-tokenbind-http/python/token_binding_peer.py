"""A client and a server of Token Binding over HTTP, independent of the crates: TLS and tls-unique are
OpenSSL's, through Python's ssl; keys and signatures come from `cryptography`, HTTP/2 from `h2`.

    token_binding_peer.py client PLAN    connects as PLAN says, prints a line of JSON a connection
    token_binding_peer.py server PLAN    prints {"port": ...}, then a line of JSON for each request,
                                         handshake that failed, and connection

PLAN is JSON. Of both sides: `certificate` (DER, hex), `alpn` (list), `tls` ("1.2" or "1.3"),
`extended_master_secret` (boolean), `resumption` ("ticket" or "session-id").

Of the client: `port`, and `connections`, each a list of requests, each `{"path": ..., "header": ...}`;
`header` is one of

    none        no header
    provided    a new message with the provided binding
    p256        one with a referred binding of a P-256 key, too
    rsa2048     one with a referred binding of an RSA key, too
    again       the same octets as in the request before
    foreign     a message that is signed for another connection
    unsigned    a message in good form on a connection that negotiated nothing

Of the server: `private_key` (PKCS#8, DER, hex), `connections` (how many to serve), `redirect` (where
`/login` redirects to, permitting to reveal the binding), `forced` (an identifier that is chosen
whether it was offered or not; needs pyOpenSSL).
"""

import http.client
import json
import os
import socket
import ssl
import sys
import tempfile
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

HOST = "localhost"
TIMEOUT_SECONDS = 20
LABEL = b"token binding\0"
PROVIDED, REFERRED = 0, 1
RSA_SHA256, ECDSA_SHA256, SECP256R1 = b"\4\1", b"\4\3", b"\0\x17"
# OpenSSL's SSL_OP_NO_EXTENDED_MASTER_SECRET, which the ssl module does not name.
NO_EXTENDED_MASTER_SECRET = 1 << 0


# --- messages, draft-popov-token-binding-00 section 4 ------------------------------------------


def new_key(parameters):
    if parameters == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def vector(length_bytes, octets):
    return len(octets).to_bytes(length_bytes, "big") + octets


def token_binding_id(kind, key):
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = public.public_numbers()
        modulus, exponent = numbers.n.to_bytes(256, "big"), numbers.e.to_bytes(3, "big")
        return bytes([kind]) + RSA_SHA256 + vector(2, modulus) + vector(1, exponent)
    form = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    return bytes([kind]) + ECDSA_SHA256 + SECP256R1 + vector(1, public.public_bytes(*form))


def token_binding(kind, key, tls_unique):
    octets = LABEL + tls_unique
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(octets, ec.ECDSA(hashes.SHA256()))
    return token_binding_id(kind, key) + vector(2, signature) + vector(2, b"")


def header_of(bindings):
    return urlsafe_b64encode(vector(2, b"".join(bindings))).rstrip(b"=").decode()


class Reader:
    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, count):
        taken = self.octets[self.at : self.at + count]
        if len(taken) != count:
            raise ValueError("the message ends early")
        self.at += count
        return taken

    def vector(self, length_bytes):
        return self.take(int.from_bytes(self.take(length_bytes), "big"))

    def more(self):
        return self.at < len(self.octets)


def read_key(reader):
    algorithm = reader.take(2)
    if algorithm == RSA_SHA256:
        modulus, exponent = reader.vector(2), reader.vector(1)
        numbers = rsa.RSAPublicNumbers(
            int.from_bytes(exponent, "big"), int.from_bytes(modulus, "big")
        )
        return numbers.public_key()
    if algorithm + reader.take(2) == ECDSA_SHA256 + SECP256R1:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), reader.vector(1))
    raise ValueError("an unknown algorithm or curve")


def verifies(key, signature, octets):
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, octets, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, octets, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def read_header(value, tls_unique):
    """The bindings in a header, and whether each verifies on this connection."""
    if "=" in value:
        raise ValueError("the header is padded")
    outer = Reader(urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    reader = Reader(outer.vector(2))
    if outer.more():
        raise ValueError("octets follow the message")
    bindings = []
    while reader.more():
        start = reader.at
        kind = reader.take(1)[0]
        key = read_key(reader)
        identifier = reader.octets[start : reader.at]
        signature = reader.vector(2)
        if reader.vector(2):
            raise ValueError("an extension")
        verified = verifies(key, signature, LABEL + tls_unique)
        bindings.append({"type": kind, "id": identifier.hex(), "verified": verified})
    return bindings


# --- TLS ---------------------------------------------------------------------------------------


def tls_context(plan, protocol):
    context = ssl.SSLContext(protocol)
    version = ssl.TLSVersion.TLSv1_2 if plan["tls"] == "1.2" else ssl.TLSVersion.TLSv1_3
    context.minimum_version = context.maximum_version = version
    if not plan["extended_master_secret"]:
        context.options |= NO_EXTENDED_MASTER_SECRET
    if plan["resumption"] == "session-id":
        context.options |= ssl.OP_NO_TICKET
    context.set_alpn_protocols(plan["alpn"])
    return context


def facts(tls):
    """What OpenSSL says of a connection. Its tls-unique of TLS 1.3 means nothing."""
    unique = tls.get_channel_binding("tls-unique") if tls.version() == "TLSv1.2" else None
    return {
        "alpn": tls.selected_alpn_protocol(),
        "version": tls.version(),
        "reused": bool(tls.session_reused),
        "tls_unique": unique and unique.hex(),
    }


def is_http2(tls):
    return (tls.selected_alpn_protocol() or "").startswith("h2")


# --- client ------------------------------------------------------------------------------------


class Headers:
    """Writes the headers of one connection."""

    def __init__(self, keys, said):
        self.keys, self.latest = keys, None
        negotiated = said["alpn"] or ""
        self.parameters = negotiated.rpartition("_tb_")[2] if "_tb_" in negotiated else "p256"
        self.unique = bytes.fromhex(said["tls_unique"] or "00" * 12)

    def key(self, name, parameters):
        if (name, parameters) not in self.keys:
            self.keys[name, parameters] = new_key(parameters)
        return self.keys[name, parameters]

    def header(self, what):
        if what == "none":
            return None
        if what != "again":
            unique = bytes(12) if what in ("foreign", "unsigned") else self.unique
            provided = self.key("provided", self.parameters)
            bindings = [token_binding(PROVIDED, provided, unique)]
            if what in ("p256", "rsa2048"):
                bindings.append(token_binding(REFERRED, self.key("referred", what), unique))
            self.latest = header_of(bindings)
        return self.latest

    def ids(self):
        kinds = {"provided": PROVIDED, "referred": REFERRED}
        return {
            f"{name} {parameters}": token_binding_id(kinds[name], key).hex()
            for (name, parameters), key in self.keys.items()
        }


def request_http1(tls, path, header):
    """The response; nothing if the connection ends without a single octet."""
    connection = http.client.HTTPConnection(HOST)
    connection.sock = tls
    try:
        connection.request("GET", path, headers={"Token-Binding": header} if header else {})
        response = connection.getresponse()
        return {"status": response.status, "body": response.read().decode()}
    except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
        return None


class Http2Client:
    def __init__(self, tls):
        from h2.connection import H2Connection

        self.tls, self.h2 = tls, H2Connection()
        self.h2.initiate_connection()
        self.flush()

    def flush(self):
        self.tls.sendall(self.h2.data_to_send())

    def request(self, path, header):
        from h2 import events

        stream = self.h2.get_next_available_stream_id()
        fields = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", HOST),
            (":path", path),
        ]
        # As the client SHOULD: the header goes into the table of HPACK.
        fields += [("token-binding", header)] if header else []
        self.h2.send_headers(stream, fields, end_stream=True)
        status, body = None, b""
        try:
            self.flush()
            while octets := self.tls.recv(65536):
                for event in self.h2.receive_data(octets):
                    if isinstance(event, events.ResponseReceived):
                        status = int(dict(event.headers)[b":status"])
                    elif isinstance(event, events.DataReceived):
                        body += event.data
                    elif isinstance(event, events.StreamEnded):
                        self.flush()
                        return {"status": status, "body": body.decode()}
                self.flush()
        except (ConnectionError, ssl.SSLError):
            pass
        if status is not None:
            raise ValueError("the connection ended amid a response")
        return None


def client(plan):
    context = tls_context(plan, ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bytes.fromhex(plan["certificate"]))
    keys, session = {}, None
    for requests in plan["connections"]:
        raw = socket.create_connection(("127.0.0.1", plan["port"]), TIMEOUT_SECONDS)
        with context.wrap_socket(raw, server_hostname=HOST, session=session) as tls:
            said = facts(tls)  # A connection that ended has none.
            headers = Headers(keys, said)
            http2 = Http2Client(tls) if is_http2(tls) else None
            responses = []
            for request in requests:
                header = headers.header(request["header"])
                if http2:
                    responses.append(http2.request(request["path"], header))
                else:
                    responses.append(request_http1(tls, request["path"], header))
            session = tls.session
            say({**said, "ids": headers.ids(), "responses": responses})


# --- server ------------------------------------------------------------------------------------


def answer(plan, path):
    if path == "/login":
        fields = [("location", plan["redirect"]), ("include-referer-token-binding-id", "true")]
        return 302, fields, b""
    return 200, [], b"answered"


def note(tls, connection, path, values):
    said = {**facts(tls), "connection": connection, "path": path, "headers": len(values)}
    if len(values) == 1 and said["tls_unique"]:
        said["bindings"] = read_header(values[0], bytes.fromhex(said["tls_unique"]))
    say(said)


def serve_http1(plan, tls, connection):
    with tls.makefile("rb") as stream:
        while line := stream.readline():
            _, path, _ = line.decode().split(" ")
            headers = http.client.parse_headers(stream)
            stream.read(int(headers.get("content-length", "0")))
            note(tls, connection, path, headers.get_all("token-binding", []))
            status, fields, body = answer(plan, path)
            fields = [*fields, ("content-length", str(len(body)))]
            head = "".join(f"{name}: {value}\r\n" for name, value in fields)
            tls.sendall(f"HTTP/1.1 {status} \r\n{head}\r\n".encode() + body)


def serve_http2(plan, tls, connection):
    from h2 import events
    from h2.config import H2Configuration
    from h2.connection import H2Connection

    h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    h2.initiate_connection()
    tls.sendall(h2.data_to_send())
    paths = {}
    while octets := tls.recv(65536):
        for event in h2.receive_data(octets):
            if isinstance(event, events.RequestReceived):
                fields = event.headers
                paths[event.stream_id] = dict(fields)[":path"]
                values = [value for name, value in fields if name == "token-binding"]
                note(tls, connection, paths[event.stream_id], values)
            elif isinstance(event, events.StreamEnded):
                status, fields, body = answer(plan, paths.pop(event.stream_id))
                h2.send_headers(event.stream_id, [(":status", str(status)), *fields])
                h2.send_data(event.stream_id, body, end_stream=True)
        tls.sendall(h2.data_to_send())


def pem(plan, directory):
    """Certificate and key in a file, which is what the ssl module reads them from."""
    key = serialization.load_der_private_key(bytes.fromhex(plan["private_key"]), None)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = os.path.join(directory, "server.pem")
    with open(path, "w", encoding="ascii") as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, *form).decode())
        file.write(ssl.DER_cert_to_PEM_cert(bytes.fromhex(plan["certificate"])))
    return path


def server(plan):
    context = tls_context(plan, ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(pem(plan, directory))
    listener = socket.create_server(("127.0.0.1", 0))
    say({"port": listener.getsockname()[1]})
    for connection in range(plan["connections"]):
        raw, _ = listener.accept()
        raw.settimeout(TIMEOUT_SECONDS)
        try:
            tls = context.wrap_socket(raw, server_side=True)
        except (ssl.SSLError, ConnectionError) as error:
            say({"connection": connection, "failed": str(error)})
            continue
        with tls:
            try:
                (serve_http2 if is_http2(tls) else serve_http1)(plan, tls, connection)
                tls.unwrap()  # OpenSSL forgets sessions that are not shut down.
            except (ssl.SSLError, ConnectionError) as error:
                say({"connection": connection, "failed": str(error)})
                continue
        say({"connection": connection, "ended": True})


def forcing_server(plan):
    """Chooses an identifier whether it was offered or not, which the ssl module cannot."""
    from OpenSSL import SSL

    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    with tempfile.TemporaryDirectory() as directory:
        path = pem(plan, directory)
        context.use_privatekey_file(path)
        context.use_certificate_file(path)
    context.set_alpn_select_callback(lambda _, offered: plan["forced"].encode())
    listener = socket.create_server(("127.0.0.1", 0))
    say({"port": listener.getsockname()[1]})
    for connection in range(plan["connections"]):
        raw, _ = listener.accept()
        raw.settimeout(None)
        tls = SSL.Connection(context, raw)
        tls.set_accept_state()
        try:
            tls.do_handshake()
            tls.recv(1)
            say({"connection": connection, "served": True})
        except SSL.Error as error:
            say({"connection": connection, "failed": str(error)})
        raw.close()


def say(line):
    print(json.dumps(line), flush=True)


def main():
    role, plan = sys.argv[1], json.loads(sys.argv[2])
    if role == "client":
        client(plan)
    elif plan.get("forced"):
        forcing_server(plan)
    else:
        server(plan)


if __name__ == "__main__":
    main()
