"""A person's program that was not written for us: let in by a code that they type (RFC 8628), and by the browser beside it (RFC 8252, RFC 7636)."""

import sys
from urllib.parse import parse_qs, urlsplit

from authlib.common.security import generate_token
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from foreign import Dpop, ask, endpoints, fetched, http, origin, present, program, tell, why

ME = f"{origin}/v1/me"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LOOPBACK = "http://127.0.0.1:43210/callback"
FAR = {"X-Forwarded-For": "198.51.100.7"}


def begins(dpop, headers={}):
    form = {"client_id": "sallyport-cli", "name": "somebody else's program"}
    return dpop.sends("POST", f"{origin}/v1/oauth/device", data=form, headers=headers)


def polls(dpop, code, headers={}):
    """Authlib's session polls: the token, or the word for why there is none."""
    return fetched(dpop, program(), headers=headers, grant_type=DEVICE_GRANT, device_code=code)


def word(got):
    return got.get("error") or got["token_type"]


def codes():
    dpop, thief = Dpop(), Dpop()
    off = [why(begins(dpop)), word(polls(dpop, "A" * 43)), "device_authorization_endpoint" in endpoints]
    ask(what="switched on")
    first = begins(dpop).json()
    waits = [word(polls(dpop, first["device_code"])) for _ in range(2)]
    stolen = word(polls(thief, first["device_code"]))
    ask(what="later", by=10)
    slower = word(polls(dpop, first["device_code"]))
    said = ask(approve=first["user_code"])
    let_in = polls(dpop, first["device_code"])
    access = let_in["access_token"]
    again = word(polls(dpop, first["device_code"]))
    me = dpop.sends("GET", ME, access).json()
    proofs = {"elevate": {"proof": {"totp": said["code"]}}, "programs": {}, "totp/start": {"proof": {"totp": said["code"]}}}
    may = {path: why(dpop.sends("POST", f"{ME}/{path}", access, json=body)) for path, body in proofs.items()}
    waiting = f"{origin}{said['request']}"
    may["proofs"] = why(dpop.sends("POST", f"{waiting}/proofs", access, json={"totp": said["code"]}))
    may["read"] = why(dpop.sends("GET", f"{origin}/v1/devices", access))
    may["bearer"] = why(http.get(ME, headers={"Authorization": f"Bearer {access}"}))
    may["another key"] = why(thief.sends("GET", ME, access))
    denied = begins(dpop).json()
    ask(deny=denied["user_code"])
    no = word(polls(dpop, denied["device_code"]))
    # Somewhere else than the browser: nobody lets it in.
    far = begins(dpop, FAR).json()
    elsewhere = [ask(approve=far["user_code"])["refused"], word(polls(dpop, far["device_code"], FAR))]
    late = begins(dpop).json()
    ask(what="later", by=600)
    return {
        "OA-22 off": off,
        "OA-21 codes": [sorted(first), first["expires_in"], first["interval"], len(first["device_code"]), len(first["user_code"])],
        "OA-21 waits": waits,
        "OA-21 ten seconds later": slower,
        "OA-21 another key": stolen,
        "OA-21 let in, once": [let_in["token_type"], let_in["acr"], "refresh_token" in let_in, again],
        "OA-21 no": no,
        "OA-21 too late": word(polls(dpop, late["device_code"])),
        "OA-22 what it is": [me["session"]["stage"], me["session"]["program"]],
        "OA-22 what it may": may,
        "OA-22 from elsewhere": elsewhere,
    }


class Program:
    """One that opens the browser beside it."""

    def __init__(self, method="S256"):
        self.dpop, self.session, self.verifier = Dpop(), program(), generate_token(48)
        challenge = create_s256_code_challenge(self.verifier) if method == "S256" else self.verifier
        url, self.state = self.session.create_authorization_url(
            endpoints["authorization_endpoint"],
            redirect_uri=LOOPBACK,
            code_challenge=challenge,
            code_challenge_method=method,
            dpop_jkt=self.dpop.key.thumbprint(),
        )
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.answer = ask(browser=self.asked)

    def redeems(self, dpop=None, **changed):
        """As Authlib does it: out of the address that the browser was sent to, whose state it compares."""
        back = self.answer["redirect"]
        issuer = parse_qs(urlsplit(back).query)["iss"]
        assert issuer == [endpoints["issuer"]], issuer
        fields = {"code_verifier": self.verifier, "redirect_uri": LOOPBACK} | changed
        return fetched(dpop or self.dpop, self.session, authorization_response=back, state=self.state, **present(fields))


def browser():
    right = Program()
    let_in = right.redeems()
    access = let_in["access_token"]

    def reads():
        return why(right.dpop.sends("GET", ME, access))

    before, thief = reads(), Dpop()
    reused = [word(right.redeems(dpop=thief)), reads()]
    wrong = {}
    for name, changed in {
        "another verifier": {"code_verifier": generate_token(48)},
        "the challenge as verifier": {"code_verifier": "challenge"},
        "no verifier": {"code_verifier": None},
        "another address": {"redirect_uri": "http://127.0.0.1:43211/callback"},
        "another path": {"redirect_uri": LOOPBACK + "/"},
    }.items():
        one = Program()
        changed = {field: one.asked["code_challenge"] if value == "challenge" else value for field, value in changed.items()}
        # Shown wrongly once, it is worth nothing rightly.
        wrong[name] = [word(one.redeems(**changed)), word(one.redeems())]
    another = word(Program().redeems(dpop=thief))
    late = Program()
    ask(what="later", by=60)
    return {
        "OA-23 let in": [let_in["token_type"], "refresh_token" in let_in, before],
        "OA-23 reused": reused,
        "OA-23 shown wrongly": wrong,
        "OA-23 by another key": another,
        "OA-23 after a minute": word(late.redeems()),
        "OA-23 plain": Program(method="plain").answer,
        "OA-23 refresh": word(fetched(Dpop(), program(), grant_type="refresh_token", refresh_token="x")),
    }


tell(result={"codes": codes, "browser": browser}[sys.argv[2]]())
