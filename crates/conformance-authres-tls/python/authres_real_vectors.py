"""Writes crates/conformance-authres-tls/vectors/real.json: Authentication-Results values as mail servers write them, personal
details replaced, and what a person who works with mail reads in them.

    python3 crates/conformance-authres-tls/python/authres_real_vectors.py [--check]

Results are written as `method=result`, then ` | ` and a property, `ptype.property=value` or `key=value`; `!` begins a
reason. Behind ` ~ ` are the kinds of diagnostics, in alphabetical order.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "conformance/python"))
from cases import SuiteFile, main  # noqa: E402

SOURCE = "crates/conformance-authres-tls/python/authres_real_vectors.py; each case names where such a value was met"
REQUIREMENTS = ["rfc8601-lenient-1", "rfc8601-lenient-2"]

CASES = []


def case(name, met, value, *expected, arc=False):
    results, diagnostics = [], []
    for text in expected:
        if text.startswith("~"):
            diagnostics = text[1:].split()
            continue
        head, *properties = text.split(" | ")
        method, result = head.split("=", 1)
        fields = {"method": method, "result": result}
        if properties and properties[0].startswith("!"):
            fields["reason"] = properties.pop(0)[1:]
        fields["properties"] = [property_.split("=", 1) for property_ in properties]
        results.append(fields)
    fields = {"name": name, "requirements": REQUIREMENTS, "met": met, "value": value}
    if arc:
        fields["arc"] = True
    fields["accept"] = {"results": results, "diagnostics": diagnostics}
    CASES.append(fields)


def as_reported():
    """Values from archives, issue threads and the test suites of others."""
    case("qq-empty-mailfrom", "mx.qq.com, mail archive",
         "mx.qq.com; spf=none smtp.mailfrom=;\r\n dkim=none; dmarc=none(permerror) header.from=a.example",
         "spf=none | smtp.mailfrom=", "dkim=none", "dmarc=none | header.from=a.example", "~empty-value")
    case("plesk-empty-mailfrom-helo", "linux-arch archive, Plesk",
         "server.a.example;\r\n        spf=pass (sender IP is 127.0.0.1) smtp.mailfrom= smtp.helo=server.a.example",
         "spf=pass | smtp.mailfrom= | smtp.helo=server.a.example", "~empty-value")
    case("microsoft-id-after-the-first-result", "jstedfast/MimeKit#527",
         "spf=temperror (sender IP is 192.0.2.1) smtp.helo=tes.a.example; b.example; dkim=none (message not signed) "
         "header.d=none;b.example; dmarc=none action=none header.from=;",
         "spf=temperror | smtp.helo=tes.a.example", "dkim=none | header.d=none",
         "dmarc=none | action=none | header.from=",
         "~bad-resinfo empty-value missing-authserv-id trailing-semicolon undotted-pair")
    case("empty-ptr-lookup", "test suite of Mail::AuthenticationResults",
         "test.example.com;\r\n iprev=fail policy.iprev=192.0.2.123 (NOT FOUND);\r\n x-ptr=fail "
         "x-ptr-helo=bad.name.example x-ptr-lookup=",
         "iprev=fail | policy.iprev=192.0.2.123", "x-ptr=fail | x-ptr-helo=bad.name.example | x-ptr-lookup=",
         "~empty-value undotted-pair")
    case("for-a-recipient-at-the-end", "jstedfast/MimeKit#592",
         "i=1;    relay.a.example;    dkim=pass header.d=b.example header.s=aabc header.b=xyz;    dmarc=pass "
         "(policy=none) header.from=b.example;    spf=pass (relay.a.example: domain of bounces@b.example designates "
         "192.0.2.33 as permitted sender) smtp.mailfrom=bounces@b.example for c@d.example",
         "dkim=pass | header.d=b.example | header.s=aabc | header.b=xyz", "dmarc=pass | header.from=b.example",
         "spf=pass | smtp.mailfrom=bounces@b.example", "~junk-in-resinfo", arc=True)
    case("microsoft-bestguesspass", "jstedfast/MimeKit#490",
         "spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=eu-west-1.a.example; recv.example; dkim=pass (signature was "
         "verified) header.d=b.example;b1.example; dmarc=bestguesspass action=none header.from=b.example;",
         "spf=fail | smtp.mailfrom=eu-west-1.a.example", "dkim=pass | header.d=b.example",
         "dmarc=bestguesspass | action=none | header.from=b.example",
         "~bad-resinfo missing-authserv-id trailing-semicolon undotted-pair")
    case("google-gateway-spf", "jstedfast/MimeKit#1208 and LKML archives",
         "i=2; mx.google.com;\r\n       gateway.spf=pass (google.com: domain gapps.a.example configured 192.0.2.120 as "
         "internal address) smtp.mailfrom=u@a.example smtp.remote-ip=192.0.2.120 policy.d=gapps.a.example",
         "gateway.spf=pass | smtp.mailfrom=u@a.example | smtp.remote-ip=192.0.2.120 | policy.d=gapps.a.example",
         "~dotted-method", arc=True)
    case("semicolons-between-properties", "emersion/go-msgauth#64",
         "spf=pass (sender IP is 192.0.2.48); smtp.mailfrom=a.example; dkim=pass (signature was verified); "
         "header.d=a.example;dmarc=pass action=none; header.from=a.example;compauth=pass reason=100",
         "spf=pass", "dkim=pass", "dmarc=pass | action=none", "compauth=pass | !100",
         "~bad-resinfo missing-authserv-id undotted-pair")
    case("microsoft-arc-with-version", "trusteddomainproject/OpenARC#163",
         "i=1; mx.microsoft.com 1; spf=pass\r\n smtp.mailfrom=a.example; dmarc=pass action=none\r\n "
         "header.from=a.example; dkim=pass header.d=a.example; arc=none",
         "spf=pass | smtp.mailfrom=a.example", "dmarc=pass | action=none | header.from=a.example",
         "dkim=pass | header.d=a.example", "arc=none", "~undotted-pair", arc=True)
    case("openarc-remote-ip-of-version-6", "trusteddomainproject/OpenARC#143",
         "mail.a.example; arc=none smtp.remote-ip=2001:db8:0:1::3",
         "arc=none | smtp.remote-ip=2001:db8:0:1::3", "~unquoted-tspecials")
    case("auth-without-id", "pimlie/authres_status#25",
         "auth=pass smtp.auth=sendonly smtp.mailfrom=operations@a.example",
         "auth=pass | smtp.auth=sendonly | smtp.mailfrom=operations@a.example", "~missing-authserv-id")
    case("opendmarc-old-without-semicolon", "pimlie/authres_status#61",
         "example.com dmarc=pass (p=none dis=none) header.from=b.example",
         "dmarc=pass | header.from=b.example", "~missing-semicolon")
    case("opendkim-adsp-and-atps", "lieser/dkim_verifier#47",
         "mail4.a.example;\r\n        dkim=pass (1024-bit key; insecure) header.d=b.example header.i=info@b.example "
         "header.b=PD0FkJpv;\r\n        dkim-adsp=pass; dkim-atps=neutral",
         "dkim=pass | header.d=b.example | header.i=info@b.example | header.b=PD0FkJpv", "dkim-adsp=pass",
         "dkim-atps=neutral", "~")
    case("fastmail-x-bits", "lieser/dkim_verifier#384",
         "mx5.a.example;\r\n    arc=none (no signatures found);\r\n    dkim=pass (2048-bit rsa key sha256) "
         "header.d=b.example\r\n      header.i=@b.example header.b=AbCdEfGh header.a=rsa-sha256\r\n      header.s=sel "
         "x-bits=2048;\r\n    dmarc=pass policy.published-domain-policy=quarantine\r\n      "
         "policy.applied-disposition=none policy.evaluated-disposition=none\r\n      "
         "(p=quarantine,d=none,d.eval=none) policy.policy-from=p\r\n      header.from=b.example;\r\n    x-vs=clean "
         "score=20 state=0",
         "arc=none",
         "dkim=pass | header.d=b.example | header.i=@b.example | header.b=AbCdEfGh | header.a=rsa-sha256 | header.s=sel"
         " | x-bits=2048",
         "dmarc=pass | policy.published-domain-policy=quarantine | policy.applied-disposition=none | "
         "policy.evaluated-disposition=none | policy.policy-from=p | header.from=b.example",
         "x-vs=clean | score=20 | state=0", "~undotted-pair")
    case("smf-spf-angle-brackets", "jcbf/smf-spf#20",
         "mx.a.example; spf=pass smtp.mailfrom=<u@b.example> smtp.helo=h.b.example",
         "spf=pass | smtp.mailfrom=<u@b.example> | smtp.helo=h.b.example", "~unquoted-tspecials")
    case("rspamd-id-alone", "rspamd/rspamd#2772", "mx.a.example", "~empty-resinfo")
    case("spf-twice", "happyDomain/happydeliver#14",
         "mx.a.example;\r\n    spf=none (x) smtp.helo=mail-oo1.b.example;\r\n    spf=pass (x) "
         "smtp.mailfrom=user@a.example;\r\n    dkim=pass header.d=a.example;\r\n    dmarc=pass header.from=a.example",
         "spf=none | smtp.helo=mail-oo1.b.example", "spf=pass | smtp.mailfrom=user@a.example",
         "dkim=pass | header.d=a.example", "dmarc=pass | header.from=a.example", "~")
    case("fastmail-return-mx", "trusteddomainproject/OpenARC#113",
         "mrouter00.a.example;\r\n    dkim=fail (message has been altered, 2048-bit rsa key sha256) "
         "header.d=b.20150623.c.example header.i=@b.20150623.c.example header.b=0vPzhS0n header.a=rsa-sha256 "
         "header.s=20150623;\r\n    x-return-mx=pass header.domain=b.example policy.is_org=yes (MX Record found);\r\n"
         "    x-return-mx=pass smtp.domain=c.example policy.is_org=yes (MX Record found);\r\n    x-trusted-ip=pass",
         "dkim=fail | header.d=b.20150623.c.example | header.i=@b.20150623.c.example | header.b=0vPzhS0n | "
         "header.a=rsa-sha256 | header.s=20150623",
         "x-return-mx=pass | header.domain=b.example | policy.is_org=yes",
         "x-return-mx=pass | smtp.domain=c.example | policy.is_org=yes", "x-trusted-ip=pass", "~underscore-in-keyword")
    case("comments-around-the-id", "ValiMail/arc_test_suite#25", "(testing) lists.example.org (test); arc=none;",
         "arc=none", "~trailing-semicolon")
    case("sympa-arc", "sympa-community/sympa#1450",
         "i=1; auth.service.id; arc=none;\r\n\tdkim=pass header.d=y.example header.s=selector header.b=\"XXXXXXXX\";\r\n"
         "\tdmarc=pass (policy=none) header.from=y.example;\r\n\tspf=pass (...) smtp.mailfrom=x@y.example",
         "arc=none", "dkim=pass | header.d=y.example | header.s=selector | header.b=XXXXXXXX",
         "dmarc=pass | header.from=y.example", "spf=pass | smtp.mailfrom=x@y.example", "~", arc=True)
    case("amazon-ses", "Amazon SES, archives",
         "amazonses.com;\r\n spf=pass (spfCheck: domain of _spf.a.example designates 192.0.2.178 as permitted sender) "
         "client-ip=192.0.2.178; envelope-from=u@a.example; helo=mail-qt1.a.example;\r\n dkim=pass "
         "header.i=@a.example;\r\n dmarc=pass header.from=a.example;",
         "spf=pass | client-ip=192.0.2.178", "dkim=pass | header.i=@a.example", "dmarc=pass | header.from=a.example",
         "~bad-resinfo trailing-semicolon undotted-pair")
    case("proton-0-bit", "Proton Mail, archives",
         "mail.protonmail.ch; dkim=fail (Bad 0 bit\r\n    rsa-sha256 signature.) header.d=a.example header.a=rsa-sha256",
         "dkim=fail | header.d=a.example | header.a=rsa-sha256", "~")
    case("cisco-esa", "Cisco ESA (iphmx), archives",
         "esa3.a.example; dkim=none (message not signed) header.i=none; spf=Pass smtp.mailfrom=U.V@a.example; spf=None "
         "smtp.helo=postmaster@email.a.example; dmarc=pass (p=none dis=none) d=a.example",
         "dkim=none | header.i=none", "spf=Pass | smtp.mailfrom=U.V@a.example",
         "spf=None | smtp.helo=postmaster@email.a.example", "dmarc=pass | d=a.example", "~undotted-pair")
    case("exim-iprev", "Exim 4.97, archives", "mail.a.example;\r\n\tiprev=pass (localhost) smtp.remote-ip=::1",
         "iprev=pass | smtp.remote-ip=::1", "~unquoted-tspecials")
    case("momentum-user-after-the-id", "Road Runner and RCN (Momentum), archives",
         "cdptpa-omtalb.mail.a.example smtp.user=u@b.example; auth=pass (PLAIN)",
         "auth=pass", "~junk-after-authserv-id")
    case("sendmail-job-id", "sendmail with OpenDKIM, archives",
         "mail.a.example/57D7KEov2513876; auth=pass (PLAIN) smtp.auth=u@a.example",
         "auth=pass | smtp.auth=u@a.example", "~malformed-authserv-id")
    case("iprev-permerror", "University of Michigan, archives",
         "maleficent.a.example;\r\n        iprev=permerror policy.iprev=192.0.2.2 (unknown);\r\n        auth=pass "
         "smtp.auth=u",
         "iprev=permerror | policy.iprev=192.0.2.2", "auth=pass | smtp.auth=u", "~")
    case("hotmail-sender-id", "Hotmail of 2012",
         "hotmail.com; sender-id=none (sender IP is 192.0.2.157) header.from=s@a.example; dkim=pass (testing mode) "
         "header.d=a.example; x-hmca=pass",
         "sender-id=none | header.from=s@a.example", "dkim=pass | header.d=a.example", "x-hmca=pass", "~")
    case("fastmail-transactional", "Fastmail, archives",
         "phl-mx-04.a.example;\r\n    x-tls=pass smtp.version=TLSv1.3 smtp.cipher=TLS_AES_256_GCM_SHA384\r\n      "
         "smtp.bits=256/256;\r\n    x-vs=transactional:account score=20 state=14",
         "x-tls=pass | smtp.version=TLSv1.3 | smtp.cipher=TLS_AES_256_GCM_SHA384 | smtp.bits=256/256",
         "x-vs=transactional:account | score=20 | state=14", "~undotted-pair unquoted-tspecials")
    case("spamexperts", "SpamExperts, archives",
         "registrar-servers.example; auth=pass (plain) smtp.auth=out-01@o1.a.example",
         "auth=pass | smtp.auth=out-01@o1.a.example", "~")
    case("yandex", "Yandex (deltachat corpus)", "iva1-1.mail.yandex.net; dkim=pass header.i=@a.example",
         "dkim=pass | header.i=@a.example", "~")
    case("gmx", "GMX (deltachat corpus)", "gmx.net; dkim=none", "dkim=none", "~")
    case("icloud-dmarc", "iCloud", "dmarc.icloud.com; dmarc=pass header.from=a.example",
         "dmarc=pass | header.from=a.example", "~")
    case("bimi-uri", "test data of dkim_verifier (Fastmail)",
         "mx.a.example;\r\n bimi=pass header.d=b.example header.selector=default policy.authority=pass\r\n  "
         "policy.authority-uri=https://c.example/b/timestamped.pem",
         "bimi=pass | header.d=b.example | header.selector=default | policy.authority=pass | "
         "policy.authority-uri=https://c.example/b/timestamped.pem", "~unquoted-tspecials")
    case("reason-after-a-property", "as MDaemon writes",
         "mail.a.example;\r\n\tauth=pass (plain) smtp.auth=u@a.example;\r\n\tiprev=fail policy.iprev=192.0.2.9 "
         "reason=\"reverse lookup does not match\"",
         "auth=pass | smtp.auth=u@a.example",
         "iprev=fail | policy.iprev=192.0.2.9 | reason=reverse lookup does not match", "~undotted-pair")


def by_writer():
    """Values in the manner of each writer, with what goes wrong in it."""
    case("google-dkim-spf-dmarc", "Google, 2024",
         "mx.google.com;\r\n       dkim=pass header.i=@a.example header.s=s1 header.b=\"AbC/d+E1\";\r\n       spf=pass "
         "(google.com: domain of u@a.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=u@a.example;\r\n"
         "       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=a.example;\r\n       dara=pass header.i=@b.example",
         "dkim=pass | header.i=@a.example | header.s=s1 | header.b=AbC/d+E1", "spf=pass | smtp.mailfrom=u@a.example",
         "dmarc=pass | header.from=a.example", "dara=pass | header.i=@b.example", "~")
    case("google-header-b-unquoted", "Google, 2019",
         "mx.google.com;\r\n       dkim=pass header.i=@a.example header.s=20161025 header.b=tM/ofQEB;\r\n       spf=pass "
         "(google.com: domain of u+caf_=v=b.example@a.example designates 2607:f8b0:4864:20::734 as permitted sender) "
         "smtp.mailfrom=\"u+caf_=v=b.example@a.example\"",
         "dkim=pass | header.i=@a.example | header.s=20161025 | header.b=tM/ofQEB",
         "spf=pass | smtp.mailfrom=u+caf_=v=b.example@a.example", "~unquoted-tspecials")
    case("google-spf-of-an-empty-sender", "Google, bounces",
         "mx.google.com;\r\n       spf=pass (google.com: domain of postmaster@h.a.example designates 192.0.2.1 as "
         "permitted sender) smtp.helo=h.a.example smtp.mailfrom=;\r\n       dkim=neutral (body hash did not verify) "
         "header.i=@a.example",
         "spf=pass | smtp.helo=h.a.example | smtp.mailfrom=", "dkim=neutral | header.i=@a.example", "~empty-value")
    case("google-gateway-spf-and-dkim", "Google Workspace, inbound gateway",
         "mx.google.com;\r\n       dkim=pass header.i=@a.example;\r\n       gateway.spf=softfail (google.com: domain of "
         "u@a.example does not designate 192.0.2.2 as permitted sender) smtp.mailfrom=u@a.example "
         "smtp.remote-ip=192.0.2.2;\r\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=a.example",
         "dkim=pass | header.i=@a.example",
         "gateway.spf=softfail | smtp.mailfrom=u@a.example | smtp.remote-ip=192.0.2.2",
         "dmarc=pass | header.from=a.example", "~dotted-method")
    case("google-for-a-recipient", "Google, forwarded",
         "mx.google.com; spf=pass (x) smtp.mailfrom=u@a.example for <v@b.example>; dkim=pass header.i=@a.example",
         "spf=pass | smtp.mailfrom=u@a.example", "dkim=pass | header.i=@a.example", "~junk-in-resinfo")
    case("microsoft-365", "Exchange Online, 2024",
         "spf=pass (sender IP is 192.0.2.48)\r\n smtp.mailfrom=a.example; dkim=pass (signature was verified)\r\n "
         "header.d=a.example;dmarc=pass action=none\r\n header.from=a.example;compauth=pass reason=100",
         "spf=pass | smtp.mailfrom=a.example", "dkim=pass | header.d=a.example",
         "dmarc=pass | action=none | header.from=a.example", "compauth=pass | !100",
         "~missing-authserv-id undotted-pair")
    case("microsoft-365-none-of-all", "Exchange Online, internal mail",
         "dkim=none (message not signed)\r\n header.d=none;dmarc=none action=none header.from=a.example;",
         "dkim=none | header.d=none", "dmarc=none | action=none | header.from=a.example",
         "~missing-authserv-id trailing-semicolon undotted-pair")
    case("microsoft-365-empty-everything", "Exchange Online, a bounce",
         "spf=none (sender IP is )\r\n smtp.mailfrom=; dkim=none (message not signed)\r\n header.d=;dmarc=none action= "
         "header.from=;compauth=none reason=",
         "spf=none | smtp.mailfrom=", "dkim=none | header.d=", "dmarc=none | action= | header.from=",
         "compauth=none | !", "~empty-value missing-authserv-id undotted-pair")
    case("microsoft-arc-oda", "Exchange Online, ARC",
         "i=1; mx.microsoft.com 1; spf=pass (sender ip is 192.0.2.7) smtp.rcpttodomain=b.example "
         "smtp.mailfrom=a.example; dmarc=pass (p=none sp=none pct=100) action=none header.from=a.example; dkim=none "
         "(message not signed); arc=pass (0 oda=1 ltdi=1 spf=[1,1,smtp.mailfrom=a.example] "
         "dkim=[1,1,header.d=a.example] dmarc=[1,1,header.from=a.example])",
         "spf=pass | smtp.rcpttodomain=b.example | smtp.mailfrom=a.example",
         "dmarc=pass | action=none | header.from=a.example", "dkim=none", "arc=pass", "~undotted-pair", arc=True)
    case("microsoft-two-domains-after-dkim", "Exchange Online Protection, 2017",
         "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; b.example; dkim=pass (signature was verified) "
         "header.d=a.example;b.example; dmarc=bestguesspass action=none header.from=a.example;b.example; dkim=pass "
         "(signature was verified) header.d=c.example;",
         "spf=pass | smtp.mailfrom=a.example", "dkim=pass | header.d=a.example",
         "dmarc=bestguesspass | action=none | header.from=a.example", "dkim=pass | header.d=c.example",
         "~bad-resinfo missing-authserv-id trailing-semicolon undotted-pair")
    case("yahoo-from-after-the-id", "Yahoo, 2012",
         "mta1331.mail.gq1.yahoo.com  from=a.example; domainkeys=neutral (no sig);  from=a.example; dkim=pass (ok)",
         "domainkeys=neutral", "dkim=pass", "~bad-resinfo junk-after-authserv-id")
    case("yahoo-atlas", "Yahoo, 2023",
         "atlas-production.v2-mail-prod1-gq1.omega.yahoo.com;\r\n dkim=pass header.i=@a.example header.s=s1;\r\n spf=pass "
         "smtp.mailfrom=a.example;\r\n dmarc=pass(p=REJECT) header.from=a.example;",
         "dkim=pass | header.i=@a.example | header.s=s1", "spf=pass | smtp.mailfrom=a.example",
         "dmarc=pass | header.from=a.example", "~trailing-semicolon")
    case("yahoo-unknown-and-null", "Yahoo, 2021",
         "atlas101.free.mail.bf1.yahoo.com; dkim=unknown; spf=none smtp.mailfrom=; dmarc=unknown header.from=",
         "dkim=unknown", "spf=none | smtp.mailfrom=", "dmarc=unknown | header.from=", "~empty-value")
    case("aol", "AOL, 2016",
         "mx.aol.com;\r\n\tspf=pass (aol.com: the domain a.example reports 192.0.2.4 as a permitted sender.) "
         "smtp.mailfrom=a.example;\r\n\tdmarc=pass (aol.com: the domain a.example reports that Both SPF and DKIM "
         "strictly align.) header.from=a.example;",
         "spf=pass | smtp.mailfrom=a.example", "dmarc=pass | header.from=a.example", "~trailing-semicolon")
    case("fastmail-all", "Fastmail, 2024",
         "mx1.messagingengine.com;\r\n    x-csa=none;\r\n    x-me-sender=none;\r\n    x-ptr=pass smtp.helo=h.a.example "
         "policy.ptr=h.a.example;\r\n    bimi=skipped (DMARC Policy is not at enforcement);\r\n    "
         "arc=none (no signatures found);\r\n    dkim=pass (2048-bit rsa key sha256) header.d=a.example\r\n      "
         "header.i=@a.example header.b=AbCdEfGh header.a=rsa-sha256\r\n      header.s=s1;\r\n    iprev=pass "
         "smtp.remote-ip=192.0.2.1 (h.a.example);\r\n    spf=pass smtp.mailfrom=u@a.example\r\n      "
         "smtp.helo=h.a.example;\r\n    x-vs=clean score=0 state=0",
         "x-csa=none", "x-me-sender=none", "x-ptr=pass | smtp.helo=h.a.example | policy.ptr=h.a.example",
         "bimi=skipped", "arc=none",
         "dkim=pass | header.d=a.example | header.i=@a.example | header.b=AbCdEfGh | header.a=rsa-sha256 | header.s=s1",
         "iprev=pass | smtp.remote-ip=192.0.2.1", "spf=pass | smtp.mailfrom=u@a.example | smtp.helo=h.a.example",
         "x-vs=clean | score=0 | state=0", "~undotted-pair")
    case("fastmail-marketing", "Fastmail, 2023",
         "mx5.messagingengine.com;\r\n    x-vs=marketing:newsletter:list score=40 state=1;\r\n    spf=pass "
         "smtp.mailfrom=u@a.example",
         "x-vs=marketing:newsletter:list | score=40 | state=1", "spf=pass | smtp.mailfrom=u@a.example",
         "~undotted-pair unquoted-tspecials")
    case("fastmail-aligned-from-with-addresses", "Fastmail, 2022",
         "mx2.messagingengine.com;\r\n    x-aligned-from=orgdomain_pass (Domain org match);\r\n    x-return-mx=warn "
         "header.domain=a.example policy.is_org=yes\r\n      policy.mx_error=NOERROR policy.a_error= "
         "policy.org_domain=b.example",
         "x-aligned-from=orgdomain_pass",
         "x-return-mx=warn | header.domain=a.example | policy.is_org=yes | policy.mx_error=NOERROR | policy.a_error= | "
         "policy.org_domain=b.example", "~empty-value underscore-in-keyword")
    case("proton", "Proton Mail, 2024",
         "mail.protonmail.ch; dmarc=pass (p=reject dis=none)\r\n header.from=a.example\r\n",
         "dmarc=pass | header.from=a.example", "~")
    case("proton-arc-and-tls", "Proton Mail, 2024",
         "mail.protonmail.ch; arc=none smtp.remote-ip=192.0.2.1",
         "arc=none | smtp.remote-ip=192.0.2.1", "~")
    case("proton-bad-key", "Proton Mail, 2022",
         "mail.protonmail.ch; dkim=fail (key not found \"s1._domainkey.a.example\"; no key) header.d=a.example",
         "dkim=fail | header.d=a.example", "~")
    case("gmx-two-signatures", "GMX, 2023",
         "gmx.net; dkim=pass header.i=@a.example; dkim=pass header.i=@b.example",
         "dkim=pass | header.i=@a.example", "dkim=pass | header.i=@b.example", "~")
    case("gmx-empty-identity", "GMX, 2020", "gmx.net; dkim=none header.i=; spf=none",
         "dkim=none | header.i=", "spf=none", "~empty-value")
    case("mail-ru", "mail.ru, 2022",
         "mxs.mail.ru; spf=pass (mx253.i.mail.ru: domain of a.example designates 192.0.2.1 as permitted sender) "
         "smtp.mailfrom=u@a.example smtp.helo=h.a.example;\r\n\t dkim=pass header.d=a.example; dmarc=pass "
         "header.from=u@a.example",
         "spf=pass | smtp.mailfrom=u@a.example | smtp.helo=h.a.example", "dkim=pass | header.d=a.example",
         "dmarc=pass | header.from=u@a.example", "~")
    case("mail-ru-empty-sender", "mail.ru, bounces",
         "mxs.mail.ru; spf=none () smtp.mailfrom= smtp.helo=h.a.example; dkim=invalid header.d=; dmarc=fail "
         "header.from=postmaster@a.example",
         "spf=none | smtp.mailfrom= | smtp.helo=h.a.example", "dkim=invalid | header.d=",
         "dmarc=fail | header.from=postmaster@a.example", "~empty-value")
    case("zoho", "Zoho, 2023",
         "mx.zohomail.com;\r\n\tdkim=pass;\r\n\tspf=pass (zohomail.com: domain of a.example designates 192.0.2.1 as "
         "permitted sender)  smtp.mailfrom=u@a.example;\r\n\tdmarc=pass(p=none dis=none)  header.from=u@a.example "
         "(a.example)",
         "dkim=pass", "spf=pass | smtp.mailfrom=u@a.example", "dmarc=pass | header.from=u@a.example", "~")
    case("zoho-arc", "Zoho, ARC",
         "i=1; mx.zohomail.com;\r\n\tdkim=pass  header.i=a.example;\r\n\tspf=pass  smtp.mailfrom=u@a.example;\r\n\t"
         "dmarc=pass header.from=<u@a.example>",
         "dkim=pass | header.i=a.example", "spf=pass | smtp.mailfrom=u@a.example",
         "dmarc=pass | header.from=<u@a.example>", "~unquoted-tspecials", arc=True)
    case("mimecast", "Mimecast, 2023",
         "relay.mimecast.com;\r\n\tdkim=pass header.d=a.example header.s=s1 header.b=AbCdEfGh;\r\n\tdmarc=pass "
         "(policy=reject) header.from=a.example;\r\n\tspf=pass (relay.mimecast.com: domain of u@a.example designates "
         "192.0.2.1 as permitted sender) smtp.mailfrom=u@a.example",
         "dkim=pass | header.d=a.example | header.s=s1 | header.b=AbCdEfGh", "dmarc=pass | header.from=a.example",
         "spf=pass | smtp.mailfrom=u@a.example", "~")
    case("mimecast-null-sender", "Mimecast, bounces",
         "relay.mimecast.com;\r\n\tdkim=none;\r\n\tdmarc=none;\r\n\tspf=none (relay.mimecast.com: domain of "
         "postmaster@h.a.example has no SPF policy when checking 192.0.2.1) smtp.mailfrom=\"\"",
         "dkim=none", "dmarc=none", "spf=none | smtp.mailfrom=", "~")
    case("proofpoint", "Proofpoint, 2023",
         "ppops.net; spf=pass smtp.mailfrom=u@a.example smtp.helo=h.a.example; dkim=pass header.d=a.example "
         "header.s=s1; dmarc=pass header.from=a.example",
         "spf=pass | smtp.mailfrom=u@a.example | smtp.helo=h.a.example", "dkim=pass | header.d=a.example | header.s=s1",
         "dmarc=pass | header.from=a.example", "~")
    case("proofpoint-without-semicolon", "Proofpoint, 2019",
         "ppops.net spf=softfail smtp.mailfrom=u@a.example; dkim=fail header.d=a.example",
         "spf=softfail | smtp.mailfrom=u@a.example", "dkim=fail | header.d=a.example", "~missing-semicolon")
    case("opendkim", "OpenDKIM 2.11",
         "mx.a.example;\r\n\tdkim=pass (2048-bit key; unprotected) header.d=b.example header.i=@b.example "
         "header.a=rsa-sha256 header.s=s1 header.b=AbCdEfGh;\r\n\tdkim-atps=neutral",
         "dkim=pass | header.d=b.example | header.i=@b.example | header.a=rsa-sha256 | header.s=s1 | header.b=AbCdEfGh",
         "dkim-atps=neutral", "~")
    case("opendkim-reason", "OpenDKIM 2.10",
         "mx.a.example; dkim=fail reason=\"signature verification failed\" (1024-bit key) header.d=b.example",
         "dkim=fail | !signature verification failed | header.d=b.example", "~")
    case("opendkim-reason-without-quotes", "OpenDKIM 2.4",
         "mx.a.example; dkim=fail reason=verification failed; insecure key\r\n\theader.i=@b.example",
         "dkim=fail | !verification", "~bad-resinfo junk-in-resinfo")
    case("opendkim-job-id-and-version", "OpenDKIM with AuthservIDWithJobID",
         "mx.a.example/1A2B3C4D5E; dkim=permerror (bad message/signature format)",
         "dkim=permerror", "~malformed-authserv-id")
    case("opendmarc", "OpenDMARC 1.4",
         "OpenDMARC; dmarc=pass (p=none dis=none) header.from=a.example", "dmarc=pass | header.from=a.example", "~")
    case("opendmarc-spf", "OpenDMARC 1.3",
         "mx.a.example; spf=pass smtp.mailfrom=u@b.example", "spf=pass | smtp.mailfrom=u@b.example", "~")
    case("opendmarc-empty-from", "OpenDMARC, a message without From",
         "mx.a.example; dmarc=permerror header.from=", "dmarc=permerror | header.from=", "~empty-value")
    case("openarc", "OpenARC 1.0", "mx.a.example; arc=pass smtp.remote-ip=192.0.2.1 arc.chain=\"b.example:c.example\"",
         "arc=pass | smtp.remote-ip=192.0.2.1 | arc.chain=b.example:c.example", "~")
    case("openarc-chain-unquoted", "OpenARC 0.9",
         "mx.a.example; arc=pass header.oldest-pass=0 smtp.remote-ip=192.0.2.1 arc.chain=b.example:c.example",
         "arc=pass | header.oldest-pass=0 | smtp.remote-ip=192.0.2.1 | arc.chain=b.example:c.example",
         "~unquoted-tspecials")
    case("rspamd", "rspamd 3.8",
         "mx.a.example;\r\n\tdkim=pass header.d=b.example header.s=s1 header.b=AbCdEfGh;\r\n\tspf=pass (mx.a.example: "
         "domain of u@b.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=u@b.example;\r\n\tdmarc=pass "
         "(policy=quarantine) header.from=b.example",
         "dkim=pass | header.d=b.example | header.s=s1 | header.b=AbCdEfGh", "spf=pass | smtp.mailfrom=u@b.example",
         "dmarc=pass | header.from=b.example", "~")
    case("rspamd-null-sender", "rspamd 3.4",
         "mx.a.example;\r\n\tdkim=none;\r\n\tspf=none (mx.a.example: domain of \"postmaster@h.b.example\" has no SPF "
         "policy when checking 192.0.2.1) smtp.helo= smtp.mailfrom=postmaster@h.b.example",
         "dkim=none", "spf=none | smtp.helo= | smtp.mailfrom=postmaster@h.b.example", "~empty-value")
    case("rspamd-quoted-selector", "rspamd 2.7",
         "mx.a.example;\r\n\tdkim=reject (\"signature (1) did not verify\") header.d=b.example header.s=\"s 1\" "
         "header.b=\"AbC=\"",
         "dkim=reject | header.d=b.example | header.s=s 1 | header.b=AbC=", "~")
    case("amavis", "amavis 2.12",
         "mx.a.example (amavisd-new); dkim=pass (1024-bit key)\r\n\theader.d=b.example header.b=AbCdEfGh; "
         "domainkeys=softfail (invalid, public key: not available)\r\n\theader.from=u@b.example header.d=b.example",
         "dkim=pass | header.d=b.example | header.b=AbCdEfGh",
         "domainkeys=softfail | header.from=u@b.example | header.d=b.example", "~")
    case("amavis-reason-after-a-comment", "amavis 2.8",
         "mx.a.example (amavisd-new); dkim=softfail (fail, body has been altered)\r\n\treason=\"fail (message has been "
         "altered)\" header.d=b.example",
         "dkim=softfail | !fail (message has been altered) | header.d=b.example", "~")
    case("exim", "Exim 4.96",
         "mx.a.example;\r\n\tiprev=pass (h.b.example) smtp.remote-ip=192.0.2.1;\r\n\tauth=pass (PLAIN) "
         "smtp.auth=u@a.example;\r\n\tspf=pass smtp.mailfrom=b.example;\r\n\tdkim=pass header.d=b.example header.s=s1 "
         "header.a=rsa-sha256;\r\n\tdmarc=pass header.from=b.example;\r\n\tarc=none",
         "iprev=pass | smtp.remote-ip=192.0.2.1", "auth=pass | smtp.auth=u@a.example", "spf=pass | smtp.mailfrom=b.example",
         "dkim=pass | header.d=b.example | header.s=s1 | header.a=rsa-sha256", "dmarc=pass | header.from=b.example",
         "arc=none", "~")
    case("exim-arc-oldest", "Exim 4.94",
         "mx.a.example;\r\n\tarc=fail (i=2)(AMS body-hash miscompare) header.s=arc-20160816 arc.oldest-pass=0 "
         "smtp.remote-ip=2001:db8::1",
         "arc=fail | header.s=arc-20160816 | arc.oldest-pass=0 | smtp.remote-ip=2001:db8::1", "~unquoted-tspecials")
    case("exim-spf-of-helo", "Exim 4.92",
         "mx.a.example; spf=pass smtp.helo=h.b.example; dkim=invalid (public key record (currently?) unavailable) "
         "header.d=b.example header.s=s1 header.a=rsa-sha256; dmarc=none header.from=<>",
         "spf=pass | smtp.helo=h.b.example", "dkim=invalid | header.d=b.example | header.s=s1 | header.a=rsa-sha256",
         "dmarc=none | header.from=<>", "~unquoted-tspecials")
    case("stalwart", "Stalwart 0.8",
         "mx.a.example;\r\n\tdkim=pass header.d=b.example header.s=s1 header.b=AbCdEf;\r\n\tspf=pass (mx.a.example: domain "
         "of u@b.example designates 192.0.2.1 as permitted sender) smtp.mailfrom=u@b.example "
         "smtp.helo=h.b.example;\r\n\tiprev=pass policy.iprev=192.0.2.1;\r\n\tdmarc=pass header.from=b.example "
         "policy.dmarc=reject",
         "dkim=pass | header.d=b.example | header.s=s1 | header.b=AbCdEf",
         "spf=pass | smtp.mailfrom=u@b.example | smtp.helo=h.b.example", "iprev=pass | policy.iprev=192.0.2.1",
         "dmarc=pass | header.from=b.example | policy.dmarc=reject", "~")
    case("stalwart-null-sender", "Stalwart 0.6",
         "mx.a.example; spf=none smtp.mailfrom=<> smtp.helo=h.b.example; iprev=temperror policy.iprev=2001:db8::1",
         "spf=none | smtp.mailfrom=<> | smtp.helo=h.b.example", "iprev=temperror | policy.iprev=2001:db8::1",
         "~unquoted-tspecials")
    case("spamassassin", "Mail::SpamAssassin::Plugin::AuthRes",
         "mx.a.example; dkim=pass (2048-bit key; secure) header.d=b.example header.i=@b.example header.b=\"AbCdEfGh\"; "
         "dkim-atps=neutral; spf=permerror (bad record) smtp.mailfrom=b.example",
         "dkim=pass | header.d=b.example | header.i=@b.example | header.b=AbCdEfGh", "dkim-atps=neutral",
         "spf=permerror | smtp.mailfrom=b.example", "~")
    case("policyd-spf", "pypolicyd-spf 2.9",
         "mx.a.example; spf=pass (sender SPF authorized) smtp.mailfrom=b.example (client-ip=192.0.2.1; helo=h.b.example; "
         "envelope-from=u@b.example; receiver=v@a.example)",
         "spf=pass | smtp.mailfrom=b.example", "~")
    case("policyd-spf-without-semicolon", "pypolicyd-spf 1.1",
         "mx.a.example 1 spf=none smtp.mailfrom=b.example smtp.helo=h", "spf=none | smtp.mailfrom=b.example | smtp.helo=h",
         "~missing-semicolon")
    case("qpsmtpd", "qpsmtpd 0.96",
         "mx.a.example; iprev=pass; auth=pass (login) smtp.auth=u; dkim=pass header.i=@b.example; spf=fail (x) "
         "smtp.mailfrom=\"u@b.example\"",
         "iprev=pass", "auth=pass | smtp.auth=u", "dkim=pass | header.i=@b.example",
         "spf=fail | smtp.mailfrom=u@b.example", "~")
    case("haraka", "Haraka 3.0",
         "mx.a.example; iprev=pass; dkim=pass (no error) header.i=@b.example header.d=b.example; spf=pass "
         "smtp.mailfrom=; auth=pass (plain)",
         "iprev=pass", "dkim=pass | header.i=@b.example | header.d=b.example", "spf=pass | smtp.mailfrom=", "auth=pass",
         "~empty-value")
    case("apache-james", "Apache James 3.8",
         "mx.a.example; spf=pass smtp.mailfrom=u@b.example smtp.client-ip=192.0.2.1 smtp.helo=h.b.example; dkim=pass "
         "header.d=b.example header.s=s1 header.b=AbC==",
         "spf=pass | smtp.mailfrom=u@b.example | smtp.client-ip=192.0.2.1 | smtp.helo=h.b.example",
         "dkim=pass | header.d=b.example | header.s=s1 | header.b=AbC==", "~unquoted-tspecials")
    case("barracuda", "Barracuda",
         "mx.a.example; spf=pass smtp.mailfrom=u@b.example; dkim=pass header.d=b.example, header.s=s1",
         "spf=pass | smtp.mailfrom=u@b.example", "dkim=pass | header.d=b.example, | header.s=s1", "~unquoted-tspecials")
    case("symantec-cloud", "Symantec.cloud",
         "symauth.service.identifier; spf=pass (receiver mx.a.example: domain of u@b.example) smtp.mailfrom=u@b.example; "
         "dkim=pass header.d=b.example; dmarc=pass p=reject header.from=b.example",
         "spf=pass | smtp.mailfrom=u@b.example", "dkim=pass | header.d=b.example",
         "dmarc=pass | p=reject | header.from=b.example", "~undotted-pair")
    case("trend-micro", "Trend Micro Email Security",
         "tmes.trendmicro.com; spf=Pass (sender IP address: 192.0.2.1) smtp.mailfrom=b.example smtp.helo=h.b.example; "
         "dkim=Pass (v=1; a=rsa-sha256; d=b.example) header.d=b.example; dmarc=Pass action=none header.from=b.example; "
         "arc=none action=none",
         "spf=Pass | smtp.mailfrom=b.example | smtp.helo=h.b.example", "dkim=Pass | header.d=b.example",
         "dmarc=Pass | action=none | header.from=b.example", "arc=none | action=none", "~undotted-pair")
    case("mailgun-tls", "a relay that reports TLS",
         "mx.a.example; tls=pass tls.v=TLS1.3 key.ciphersuite=TLS_AES_256_GCM_SHA384 tls.length=256/256; spf=pass",
         "tls=pass | tls.v=TLS1.3 | key.ciphersuite=TLS_AES_256_GCM_SHA384 | tls.length=256/256", "spf=pass",
         "~unquoted-tspecials")
    case("naver", "Naver",
         "mx.naver.com; spf=pass (mx.naver.com: domain of u@a.example designates 192.0.2.1 as permitted sender)\r\n  "
         "smtp.mailfrom=u@a.example;\r\n  dkim=pass header.i=@a.example",
         "spf=pass | smtp.mailfrom=u@a.example", "dkim=pass | header.i=@a.example", "~")
    case("tencent-exmail", "Tencent Exmail",
         "mx.exmail.qq.com; spf=pass smtp.mailfrom=<u@a.example>; dkim=none(permerror); dmarc=none(permerror) "
         "header.from=a.example",
         "spf=pass | smtp.mailfrom=<u@a.example>", "dkim=none", "dmarc=none | header.from=a.example",
         "~unquoted-tspecials")
    case("netease", "NetEase (163.com)",
         "mail-m121.163.com; spf=pass smtp.mail=u@a.example; dkim=pass header.i=@a.example",
         "spf=pass | smtp.mail=u@a.example", "dkim=pass | header.i=@a.example", "~")
    case("seznam", "Seznam.cz",
         "email.seznam.cz 1; spf/1=pass smtp.mailfrom=u@a.example; dkim/1=pass header.d=a.example; dmarc/1=pass fromdomain="
         "a.example",
         "spf=pass | smtp.mailfrom=u@a.example", "dkim=pass | header.d=a.example", "dmarc=pass | fromdomain=a.example",
         "~undotted-pair")
    case("web-de-no-id", "a gateway that writes no id", "; spf=pass smtp.mailfrom=a.example; dkim=none",
         "spf=pass | smtp.mailfrom=a.example", "dkim=none", "~missing-authserv-id")


def damaged():
    """Values that are not met as they are, each with one thing wrong that could be."""
    case("two-empty-values", "by hand", "a.example; dkim=fail header.i= header.d= header.s=; spf=pass",
         "dkim=fail | header.i= | header.d= | header.s=", "spf=pass", "~empty-value")
    case("empty-value-before-an-address", "by hand", "a.example; spf=pass smtp.helo= smtp.mailfrom=u@b.example",
         "spf=pass | smtp.helo= | smtp.mailfrom=u@b.example", "~empty-value")
    case("empty-value-before-a-comment", "by hand", "a.example; spf=pass smtp.mailfrom= (none) smtp.helo=h.example",
         "spf=pass | smtp.mailfrom= | smtp.helo=h.example", "~empty-value")
    case("empty-value-before-a-key", "by hand", "a.example; dmarc=fail header.from= action=none",
         "dmarc=fail | header.from= | action=none", "~empty-value undotted-pair")
    case("empty-value-before-a-spaced-property", "by hand", "a.example; spf=pass smtp.mailfrom= smtp . helo = h.example",
         "spf=pass | smtp.mailfrom= | smtp.helo=h.example", "~empty-value")
    case("value-on-the-next-line", "by hand", "a.example; spf=pass smtp.mailfrom=\r\n prvs=12=u@b.example smtp.helo=\r\n h.example",
         "spf=pass | smtp.mailfrom=prvs=12=u@b.example | smtp.helo=h.example", "~")
    case("base64-on-the-next-line", "by hand", "a.example; dkim=pass header.b=\r\n AbC= header.s=\r\n s1",
         "dkim=pass | header.b=AbC= | header.s=s1", "~unquoted-tspecials")
    case("base64-of-two-pads-on-the-next-line", "by hand", "a.example; dkim=pass header.b=\r\n AbCd== header.s=s1",
         "dkim=pass | header.b=AbCd== | header.s=s1", "~unquoted-tspecials")
    case("name-on-the-next-line", "by hand", "a.example; tls=pass cert.client=\r\n CN=b.example,O=c tls.v=TLS1.3",
         "tls=pass | cert.client=CN=b.example,O=c | tls.v=TLS1.3", "~unquoted-tspecials")
    case("empty-reason", "by hand", "a.example; dkim=fail reason= header.d=b.example; spf=fail reason=",
         "dkim=fail | ! | header.d=b.example", "spf=fail | !", "~empty-value")
    case("words-between-properties", "by hand", "a.example; spf=pass by me smtp.mailfrom=b.example and , you smtp.helo=h",
         "spf=pass | smtp.mailfrom=b.example | smtp.helo=h", "~junk-in-resinfo")
    case("quotes-between-properties", "by hand", "a.example; spf=pass \"; dkim=pass\" smtp.helo=h \"x\"\"; arc=pass\"",
         "spf=pass | smtp.helo=h", "~junk-in-resinfo")
    case("quotes-in-an-unquoted-value", "by hand", "a.example; spf=fail smtp.helo=x\"; dkim=pass\"y smtp.mailfrom=b.example",
         "spf=fail | smtp.helo=x | smtp.mailfrom=b.example", "~junk-in-resinfo unquoted-tspecials")
    case("property-without-an-equals-sign", "by hand", "a.example; spf=pass smtp.mailfrom b.example smtp.helo=h",
         "spf=pass | smtp.helo=h", "~junk-in-resinfo")
    case("property-without-a-name", "by hand", "a.example; spf=pass .mailfrom=b.example smtp.=c smtp.helo=h =d",
         "spf=pass | smtp.helo=h", "~junk-in-resinfo")
    case("parenthesis-too-many", "by hand", "a.example; spf=pass (a)) smtp.mailfrom=b.example; dkim=pass",
         "spf=pass | smtp.mailfrom=b.example", "dkim=pass", "~junk-in-resinfo")
    case("result-with-a-comma", "by hand", "a.example; spf=pass, smtp.mailfrom=b.example; dkim=none,",
         "spf=pass | smtp.mailfrom=b.example", "dkim=none", "~junk-in-resinfo")
    case("result-missing", "by hand", "a.example; spf= smtp.mailfrom=b.example; dkim=; arc= (x); dmarc=pass",
         "dmarc=pass", "~bad-resinfo")
    case("result-missing-before-a-result", "by hand", "a.example; spf= dkim=pass header.d=b.example",
         "dkim=pass | header.d=b.example", "~junk-in-resinfo")
    case("result-missing-before-a-result-with-spaces", "by hand", "a.example; spf= dkim = pass header.d=b.example; arc=none =",
         "dkim=pass | header.d=b.example", "arc=none", "~junk-in-resinfo")
    case("result-in-quotes", "by hand", "a.example; spf=\"pass\"; dkim=pass", "dkim=pass", "~bad-resinfo")
    case("method-version-that-is-none", "by hand", "a.example; spf/x=pass; dkim/1.0=fail; arc/=none",
         "spf=pass", "dkim=fail", "arc=none", "~malformed-method-version")
    case("words-before-a-method", "by hand", "a.example; b.example dkim=pass header.d=c.example; the \"; x\" spf=fail",
         "dkim=pass | header.d=c.example", "spf=fail", "~junk-in-resinfo")
    case("words-before-the-first-method", "by hand", "a.example and so on (x) spf=fail; dkim=pass", "spf=fail", "dkim=pass",
         "~junk-after-authserv-id missing-semicolon")
    case("id-with-a-colon", "by hand", "a.example: spf=fail; dkim=pass", "spf=fail", "dkim=pass",
         "~malformed-authserv-id missing-semicolon")
    case("id-in-quotes-and-more", "by hand", "\"a.example\"x; spf=fail", "spf=fail",
         "~junk-after-authserv-id malformed-authserv-id")
    case("missing-id-and-a-version-of-the-method", "by hand", "dkim/1=pass header.d=b.example; spf=none",
         "dkim=pass | header.d=b.example", "spf=none", "~missing-authserv-id")
    case("missing-id-and-a-gateway", "by hand", "gateway.spf=fail; gateway.x.dkim=pass", "gateway.spf=fail",
         "gateway.x.dkim=pass", "~dotted-method missing-authserv-id")
    case("none-and-a-word", "by hand", "a.example; none of it; spf=pass", "spf=pass", "~bad-resinfo")
    case("method-that-is-no-method", "by hand", "a.example; smtp.mailfrom=pass; a.b=pass; spf=pass", "spf=pass",
         "~bad-resinfo")

    # No client's text becomes a result.
    case("helo-that-forges", "by hand", "a.example; spf=fail smtp.helo=x dkim=pass smtp.mailfrom=b.example",
         "spf=fail | smtp.helo=x | dkim=pass | smtp.mailfrom=b.example", "~undotted-pair")
    case("helo-that-forges-after-a-semicolon", "by hand", "a.example; spf=fail; smtp.helo=x dkim=pass; smtp.helo= arc=pass",
         "spf=fail", "~bad-resinfo")
    case("helo-that-forges-after-the-id", "by hand", "a.example smtp.helo=x dkim=pass; spf=fail", "spf=fail",
         "~junk-after-authserv-id")
    case("subject-that-forges", "by hand",
         "a.example; tls=fail cert.client=\"CN=x; dkim=pass header.d=bank.example\" \"; spf=pass\" (; arc=pass)",
         "tls=fail | cert.client=CN=x; dkim=pass header.d=bank.example", "~junk-in-resinfo")
    case("subject-that-forges-in-a-bad-result", "by hand",
         "a.example; x cert.client=\"CN=x; dkim=pass\"; y \" dkim=pass\" ( dkim=pass) z; spf=fail", "spf=fail",
         "~bad-resinfo")
    case("local-part-that-forges", "by hand", "a.example; spf=fail smtp.mailfrom=\"x; dkim=pass\"@b.example smtp.helo=h",
         "spf=fail | smtp.mailfrom=\"x; dkim=pass\"@b.example | smtp.helo=h", "~")


if __name__ == "__main__":
    for part in (as_reported, by_writer, damaged):
        part()
    main(__doc__, SuiteFile("authres-tls/real", SOURCE, CASES))
