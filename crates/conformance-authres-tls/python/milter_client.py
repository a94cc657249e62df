"""Sends messages to an MTA on loopback, as a scenario describes them on standard input, and prints how each session went.

A session is {"port", "tls": null | "1.2" | "1.3", "certificate": path without extension | null, "helo", "anonymous",
"resumed", "greets_again", "utf8", "messages": [text]}; its answer is {"cipher": [name, version, bits] | null, "resumed"} or
{"error"}. Standard input is {"sessions", "parallel"}.
"""

import json
import smtplib
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor


def context(session):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[session["tls"]]
    made.minimum_version = made.maximum_version = version
    if session["anonymous"]:
        made.set_ciphers("aNULL:@SECLEVEL=0")
    if session["certificate"]:
        made.load_cert_chain(session["certificate"] + ".pem", session["certificate"] + ".key")
    return made


def send(session, made=None, before=None):
    smtp = smtplib.SMTP("127.0.0.1", session["port"], local_hostname=session["helo"], timeout=60)
    smtp.ehlo()
    answer = {"cipher": None, "resumed": False}
    if session["tls"]:
        code, _ = smtp.docmd("STARTTLS")
        assert code == 220, code
        smtp.sock = made.wrap_socket(smtp.sock, session=before)
        smtp.file = None
        answer = {"cipher": smtp.sock.cipher(), "resumed": smtp.sock.session_reused}
        if session["greets_again"]:
            smtp.ehlo()
    for message in session["messages"]:
        parameters = " SMTPUTF8" if session["utf8"] else ""
        for command in (f"MAIL FROM:<a@example.com>{parameters}", "RCPT TO:<b@example.net>", "DATA"):
            code, text = smtp.docmd(command)
            assert code in (250, 354), (command, code, text)
        octets = message.encode("utf-8", "surrogateescape")
        lines = octets.split(b"\r\n")
        smtp.send(b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b".\r\n")
        code, text = smtp.getreply()
        assert code == 250, (code, text)
    tickets = smtp.sock.session if session["tls"] else None
    smtp.quit()
    return answer, tickets


def run(session):
    try:
        made = context(session) if session["tls"] else None
        before = send({**session, "messages": []}, made)[1] if session["resumed"] else None
        return send(session, made, before)[0]
    except Exception as error:
        return {"error": repr(error)}


def main():
    given = json.load(sys.stdin)
    with ThreadPoolExecutor(given["parallel"]) as pool:
        print(json.dumps(list(pool.map(run, given["sessions"]))))


main()
