"""A second implementation of the dialogues before login and before TLS, from RFC 2595, 3207, 3501, 1939, 2449 and 5321
and sections 4 and 9.1 of the draft. It reads whole turns only: a turn is what the peer sends before it waits."""

import re

MOST_OCTETS, MOST_LINE, MOST_LINES = 65536, 8192, 256


class Failed(Exception):
    pass


def utf8(octets):
    return octets.decode("utf-8", "replace")


class Reader:
    """The lines that a turn has. What the server sent before TLS is never read after it."""

    def __init__(self, octets):
        self.left = octets

    def line(self):
        end = self.left.find(b"\n")
        if end < 0:
            if len(self.left) > MOST_LINE:
                raise Failed("too-long")
            if b"\r" in self.left[:-1] or b"\0" in self.left:
                raise Failed("octet")
            return None
        if end > MOST_LINE:
            raise Failed("too-long")
        line, self.left = self.left[: end + 1], self.left[end + 1 :]
        if not line.endswith(b"\r\n") or re.search(rb"[\0\r\n]", line[:-2]):
            raise Failed("octet")
        return utf8(line[:-2])


class Client:
    """As a generator: yields when it needs another turn, returns when it may log in."""

    def __init__(self, service, upgraded, without_authentication):
        self.protocol = {"i": "imap", "p": "pop", "s": "smtp"}[service[0]]
        self.upgraded = upgraded
        self.tls = service in ("imaps", "pop3s", "submissions")
        self.needs_auth = self.protocol == "smtp" and not without_authentication
        self.sent, self.total, self.reader = [], 0, Reader(b"")

    def run(self):
        greeting, words = yield from getattr(self, f"{self.protocol}_greeting")()
        within = self.tls
        if words is None:
            words = yield from self.capabilities()
        if self.upgraded:
            name = "STLS" if self.protocol == "pop" else "STARTTLS"
            if name not in [word.split(" ")[0].upper() for word in words]:
                raise Failed("no-starttls")
            yield from self.upgrade(name)
            words = yield from self.capabilities()
        mechanisms = self.mechanisms(words)
        if self.needs_auth and not mechanisms:
            raise Failed("no-authentication")
        return {
            "greeting": greeting,
            "authenticated": self.protocol == "imap" and greeting[0].split(" ")[1].upper() == "PREAUTH",
            "encrypted": within,
            "capabilities": words,
            "mechanisms": mechanisms,
            "rest": utf8(self.reader.left),
        }

    def next_line(self):
        while (line := self.reader.line()) is None:
            self.reader.left += yield "receive"
        return line

    def send(self, command):
        early = self.reader.left
        if self.protocol == "imap":
            # Untagged responses come at any time.
            bad = [it for it in early.split(b"\n") if it and not it.startswith(b"* ") and it != b"*"]
        else:
            bad = early
        if bad:
            raise Failed("unexpected")
        self.sent.append(command)

    def mechanisms(self, words):
        if self.protocol == "imap":
            found = [word[5:] for word in words if word[:5].upper() == "AUTH="]
        else:
            name = "SASL" if self.protocol == "pop" else "AUTH"
            lines = [word.split(" ")[1:] for word in words if word.split(" ")[0].upper() == name]
            found = [word for word in lines[0] if word] if lines else []
        found = [word.upper() for word in found]
        if self.protocol not in ("imap", "pop"):
            # Some servers have the form of 1999 alone.
            old = (word.upper() for line in words if line[:5].upper() == "AUTH=" for word in line[5:].split(" ") if word)
            found += [word for word in dict.fromkeys(old) if word not in found]
        return found

    def upgrade(self, name):
        if self.protocol == "imap":
            self.send(f"c {name}\r\n")
            status = yield from self.tagged("c")
            refused, fine = ("NO", "BAD"), "OK"
        else:
            self.send(f"{name}\r\n")
            if self.protocol == "pop":
                line = yield from self.next_line()
                status = line.split(" ")[0]
                refused, fine = ("-ERR",), "+OK"
            else:
                lines = yield from self.smtp_reply()
                status = lines[0][:3]
                refused, fine = tuple(map(str, range(400, 600))), "220"
        if status in refused:
            raise Failed("starttls-refused")
        if status != fine:
            raise Failed("unexpected")
        # RFC 3207 section 6 and 2595: whatever came with the reply is an attacker's.
        if self.reader.left:
            raise Failed("injected")
        came = yield "tls"
        if came is not None:
            raise Failed("injected")
        self.tls = True

    def capabilities(self):
        return (yield from getattr(self, f"{self.protocol}_capabilities")())

    # IMAP

    def imap_greeting(self):
        line = yield from self.next_line()
        parts = line.split(" ")
        if parts[0] != "*" or len(parts) < 2:
            raise Failed("unexpected")
        status = parts[1].upper()
        if status == "BYE":
            raise Failed("refused")
        if status == "PREAUTH" and not self.tls:
            raise Failed("preauth-in-clear")
        if status not in ("OK", "PREAUTH"):
            raise Failed("unexpected")
        code = re.match(r"\* \S+ \[capability( [^\]]*)?\]", line, re.I)
        return [line], (code[1] or "").split() if code else None

    def tagged(self, tag, seen=None):
        while True:
            line = yield from self.next_line()
            first, space, rest = line.partition(" ")
            if not space:
                raise Failed("unexpected")
            word = rest.split(" ")[0].upper()
            if first == tag:
                return word
            if first != "*" or word == "PREAUTH":
                raise Failed("unexpected")
            if word == "BYE":
                raise Failed("refused")
            if word == "CAPABILITY" and seen is not None:
                seen.append(line.split()[2:])
            elif line.endswith("}"):
                raise Failed("unexpected")

    def imap_capabilities(self):
        tag, seen = "t" if self.tls else "c", []
        self.send(f"{tag} CAPABILITY\r\n")
        status = yield from self.tagged(tag, seen)
        if status != "OK" or not seen:
            raise Failed("unexpected")
        return seen[-1]

    # POP

    def pop_greeting(self):
        line = yield from self.next_line()
        word = line.split(" ")[0]
        if word == "-ERR":
            raise Failed("refused")
        if word != "+OK":
            raise Failed("unexpected")
        return [line], None

    def pop_capabilities(self):
        self.send("CAPA\r\n")
        word = (yield from self.next_line()).split(" ")[0]
        if word == "-ERR":
            return []
        if word != "+OK":
            raise Failed("unexpected")
        words = []
        while True:
            line = yield from self.next_line()
            # The first line and the last, the dot, are lines too.
            if len(words) + 1 >= MOST_LINES:
                raise Failed("too-long")
            if line == ".":
                break
            words.append(line[1:] if line.startswith(".") else line)
        return words

    # SMTP

    def smtp_reply(self):
        lines = []
        while True:
            line = yield from self.next_line()
            if len(lines) >= MOST_LINES:
                raise Failed("too-long")
            if not re.match(r"[0-9]{3}([ -]|$)", line) or lines and lines[0][:3] != line[:3]:
                raise Failed("unexpected")
            lines.append(line)
            if line[3:4] != "-":
                return lines

    def smtp_expect(self, code, lines):
        if lines[0][0] in "45":
            raise Failed("refused")
        if lines[0][:3] != code:
            raise Failed("unexpected")
        return lines

    def smtp_greeting(self):
        return self.smtp_expect("220", (yield from self.smtp_reply())), None

    def smtp_capabilities(self):
        self.send("EHLO [127.0.0.1]\r\n")
        lines = self.smtp_expect("250", (yield from self.smtp_reply()))
        return [line[4:] for line in lines[1:] if len(line) > 3]


def client(service, script, upgraded=False, without_authentication=False):
    peer = Client(service, upgraded, without_authentication)
    running = peer.run()
    try:
        waits = next(running)
        total = 0
        for turn in script:
            if turn == "closed":
                raise Failed("closed")
            if turn == "tls":
                assert waits == "tls"
                waits = running.send(None)
                continue
            if "server" in turn:
                octets = turn["server"].encode()
            else:
                octets = (turn["repeat"][0] * turn["repeat"][1]).encode()
            total += len(octets)
            if total > MOST_OCTETS:
                raise Failed("too-long")
            waits = running.send(octets)
        result = waits
    except StopIteration as done:
        result = {"ready": done.value}
    except Failed as failed:
        result = {"failed": str(failed)}
    return {"sent": peer.sent, "result": result}


NAME = "mx.example.org"
METHODS = "GET POST PUT HEAD OPTIONS DELETE PATCH CONNECT TRACE".split()


def server(protocol, can_start_tls, turns):
    """A server before TLS."""
    tls = " STARTTLS" if can_start_tls else ""
    said = {
        "imap": [f"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED{tls}] {NAME} ready\r\n"],
        "pop": [f"+OK {NAME} ready\r\n"],
        "submission": [f"220 {NAME} ESMTP\r\n"],
    }[protocol]
    left, commands, upgrading = b"", 0, False
    for turn in turns:
        if upgrading:
            return {"said": said + [""], "end": {"closed": "injected"}}
        left += turn.encode()
        if not commands and left.startswith(b"\x16\x03"):
            return {"said": said + [""], "end": {"closed": "tls"}}
        reply = ""

        def close(reason):
            return {"said": said + [reply], "end": {"closed": reason}}

        while b"\n" in left:
            line, left = left[: left.index(b"\n") + 1], left[left.index(b"\n") + 1 :]
            if len(line) > 512:
                return close("too-long")
            text = line.decode("utf-8", "replace")
            if any(text.startswith(f"{method} ") for method in METHODS) or text.startswith("PRI * HTTP/"):
                return close("http")
            if not commands and text.startswith("PROXY "):
                return close("proxy")
            if not line.endswith(b"\r\n") or re.search(rb"[\0\r\n]", line[:-2]):
                return close("octet")
            commands += 1
            if commands > 20:
                return close("too-long")
            answer, then = answers(protocol, can_start_tls, text[:-2])
            if then == "tls" and left:
                reply = ""
                return close("injected")
            reply += answer
            if then == "quit":
                return close("quit")
            upgrading = then == "tls"
            if upgrading:
                break
        if not upgrading:
            if b"\0" in left or b"\r" in left[:-1]:
                return close("octet")
            if len(left) > 512:
                return close("too-long")
        said.append(reply)
    return {"said": said, "end": "tls" if upgrading else "receive"}


def answers(protocol, can_start_tls, line):
    words = line.split(" ")
    if protocol == "imap":
        tag, word = words[0], (words + [""])[1].upper()
        if not re.fullmatch(r"[!#$&',\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,64}", tag):
            return "* BAD tag expected\r\n", None
        tls = " STARTTLS" if can_start_tls else ""
        if word == "CAPABILITY":
            return f"* CAPABILITY IMAP4rev1 LOGINDISABLED{tls}\r\n{tag} OK done\r\n", None
        if word == "NOOP":
            return f"{tag} OK done\r\n", None
        if word == "LOGOUT":
            return f"* BYE closing\r\n{tag} OK done\r\n", "quit"
        if word == "STARTTLS":
            return (f"{tag} OK begin TLS\r\n", "tls") if can_start_tls else (f"{tag} BAD TLS is not available\r\n", None)
        return f"{tag} NO [PRIVACYREQUIRED] TLS is required\r\n", None
    word = words[0].upper()
    if protocol == "pop":
        if word == "CAPA":
            return "+OK\r\n" + ("STLS\r\n" if can_start_tls else "") + "RESP-CODES\r\n.\r\n", None
        if word == "QUIT":
            return "+OK closing\r\n", "quit"
        if word == "STLS":
            return ("+OK begin TLS\r\n", "tls") if can_start_tls else ("-ERR TLS is not available\r\n", None)
        return "-ERR [SYS/PERM] TLS is required\r\n", None
    if word == "EHLO":
        lines = [NAME, "ENHANCEDSTATUSCODES"] + ["STARTTLS"] * can_start_tls
        return "".join(f"250{'- '[n == len(lines) - 1]}{it}\r\n" for n, it in enumerate(lines)), None
    if word == "HELO":
        return f"250 {NAME}\r\n", None
    if word in ("NOOP", "RSET"):
        return "250 2.0.0 OK\r\n", None
    if word == "QUIT":
        return "221 2.0.0 closing\r\n", "quit"
    if word == "STARTTLS":
        return ("220 2.0.0 begin TLS\r\n", "tls") if can_start_tls else ("454 4.7.0 TLS is not available\r\n", None)
    return "530 5.7.0 TLS is required\r\n", None
