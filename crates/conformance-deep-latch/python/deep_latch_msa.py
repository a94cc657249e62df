"""A message submission agent with the DEEP extension: aiosmtpd with handlers for DEEP and CLIENT.

    deep_latch_msa.py SUBMISSION SUBMISSIONS CERTIFICATE KEY LOG

Listens on two ports of 127.0.0.1: with STARTTLS, and with TLS at once. Writes what it is told and given
into LOG, one JSON object a line. It is stopped by a signal.
"""

import email
import json
import re
import signal
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, syntax

DEEP = "DEEP tls12 tls-cert <https://www.example.com/privacy-support.html>"

TAGS = r"[A-Za-z][A-Za-z0-9_-]{0,63}(?:,[A-Za-z][A-Za-z0-9_-]{0,63})*"
VALUE = r"[!-<>-~]+"
PARAMETER = re.compile(
    rf"(?i:(?:name|version)={VALUE}|(?:latch|latch-fail|security-tags)={TAGS}|tls=[A-Za-z0-9_]+"
    rf"|(?!(?:name|version|latch|latch-fail|security-tags|tls)(?:=|$))[A-Za-z0-9][A-Za-z0-9-]*(?:={VALUE})?)\Z"
)


class Handler:
    def __init__(self, log):
        self.log = log

    def say(self, said, **more):
        self.log.write(json.dumps({"said": said, **more}) + "\n")
        self.log.flush()

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        responses.insert(1, "250-" + DEEP)
        return responses

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        self.say("message", **{"from": envelope.mail_from, "to": envelope.rcpt_tos, "subject": message["Subject"]})
        return "250 2.0.0 taken"


class Submission(SMTP):
    @syntax("CLIENT parameter[ SP parameter]")
    async def smtp_CLIENT(self, argument):
        accepted = bool(argument) and all(PARAMETER.match(part) for part in argument.split(" "))
        self.event_handler.say("client", parameters=argument or "", accepted=accepted)
        await self.push("250 OK" if accepted else "501 5.5.4 Syntax error in parameters")


class Port(Controller):
    def factory(self):
        return Submission(self.handler, **self.SMTP_kwargs)


def main():
    submission, submissions, certificate, key, log = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    handler = Handler(open(log, "a", encoding="utf-8"))

    def authenticate(server, session, envelope, mechanism, data):
        if (data.login, data.password) != (b"alice", b"secret"):
            return AuthResult(success=False)
        handler.say("login", user=data.login.decode())
        return AuthResult(success=True)

    common = {"hostname": "127.0.0.1", "authenticator": authenticate, "auth_required": True}
    ports = [
        Port(handler, port=int(submission), tls_context=context, require_starttls=True, **common),
        # aiosmtpd knows of TLS by STARTTLS only.
        Port(handler, port=int(submissions), ssl_context=context, auth_require_tls=False, **common),
    ]
    for port in ports:
        port.start()
    handler.say("listening")
    signal.sigwait([signal.SIGTERM, signal.SIGINT])
    for port in ports:
        port.stop()


if __name__ == "__main__":
    main()
