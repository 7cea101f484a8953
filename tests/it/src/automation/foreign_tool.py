"""A tool that was not written for us, with an API client: what it signs, rightly and wrongly, and what comes of it."""

import http.client, sys, uuid
from urllib.parse import urlsplit

from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from jwcrypto import jwk

from foreign import Dpop, ask, endpoints, fetched, http as web, new_key, now, origin, public, signed, tell, text, unsigned, why

key, thief = new_key(), new_key()
client = ask(key=public(key))["client"]
dpop = Dpop()
issuer, token_endpoint, devices = endpoints["issuer"], endpoints["token_endpoint"], f"{origin}/v1/devices"
TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KIND = {"typ": "client-authentication+jwt"}


def session(signer=key, audience=issuer, headers=KIND):
    """Authlib's own, which signs its assertions itself."""
    secret = ECKey.import_key(signer.export_to_pem(private_key=True, password=None).decode())
    claims = {"aud": audience, "iat": now(), "exp": now() + 60}
    own = OAuth2Session(client, secret, token_endpoint_auth_method="private_key_jwt", revocation_endpoint_auth_method="private_key_jwt")
    own.trust_env = False
    own.register_client_auth_method(PrivateKeyJWT(token_endpoint, claims=claims, headers=headers, alg="ES256"))
    return own


def token(**changed):
    return fetched(dpop, session(**changed), grant_type="client_credentials")


def claims(**changed):
    return {"iss": client, "sub": client, "aud": issuer, "jti": str(uuid.uuid4()), "iat": now(), "exp": now() + 60} | changed


def assertion(header={}, signer=key, **changed):
    return signed({"alg": "ES256"} | KIND | header, claims(**changed), signer)


def shows(asserted, proof=None, **fields):
    """One request for a token, with whatever is shown."""
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": asserted} | fields
    headers = {"DPoP": proof or dpop.proof("POST", token_endpoint)}
    return dpop.learn(web.post(token_endpoint, data=form, headers=headers))


def refused(**changed):
    return why(shows(assertion(**changed)))


def reads(access, proof, scheme="DPoP", url=devices):
    headers = {"Authorization": f"{scheme} {access}"} | ({"DPoP": proof} if proof else {})
    return why(dpop.learn(web.get(url, headers=headers)))


def assertions():
    good = token()
    access = good["access_token"]
    once = assertion()
    first = [why(shows(once)), why(shows(once))]
    secrets = [public(key)["x"], text(key.export_to_pem()), text(key.export_public().encode())]
    symmetric = [jwk.JWK(kty="oct", k=secret) for secret in secrets]
    return {
        "OA-01 good": [good["token_type"], good["scope"], "refresh_token" in good],
        "OA-01 other grants": [why(shows(assertion(), grant_type=kind)) for kind in ("password", "refresh_token")],
        "OA-01 more scope": why(shows(assertion(), scope="people.write")),
        "OA-02 jti twice": first,
        "OA-02 jti missing": refused(jti=None),
        "OA-02 exp missing": refused(exp=None),
        "OA-02 exp past": refused(iat=now() - 120, exp=now() - 65),
        "OA-02 exp too far": refused(exp=now() + 3600),
        "OA-02 iat in the future": refused(iat=now() + 90, exp=now() + 120),
        "OA-02 nbf in the future": refused(nbf=now() + 90),
        "OA-02 iss is another": refused(iss="clt_other"),
        "OA-02 sub is another": refused(sub="clt_other"),
        "OA-02 half a minute off": refused(iat=now() + 30),
        "OA-03 the token endpoint": token(audience=token_endpoint)["error"],
        "OA-03 a list": token(audience=[issuer])["error"],
        "OA-03 none": refused(aud=None),
        "OA-03 plain type": token(headers={"typ": "JWT"})["error"],
        "OA-03 no type": refused(header={"typ": None}),
        "OA-04 seconds": good["expires_in"],
        "OA-04 an assertion as a token": reads(assertion(), dpop.proof("GET", devices, assertion())),
        "OA-04 a token as an assertion": why(shows(access)),
        "OA-04 a proof as an assertion": why(shows(dpop.proof("POST", token_endpoint))),
        "OA-24 another's key": token(signer=thief)["error"],
        "OA-24 jwk": [refused(header={"jwk": public(by)}, signer=by) for by in (key, thief)],
        "OA-24 jku": [refused(header={"jku": f"{origin}/keys"}, signer=by) for by in (key, thief)],
        "OA-24 x5u": [refused(header={"x5u": f"{origin}/cert"}, signer=by) for by in (key, thief)],
        "OA-24 none": why(shows(unsigned({"alg": "none"} | KIND, claims()))),
        "OA-24 public key as a secret": [refused(header={"alg": "HS256"}, signer=secret) for secret in symmetric],
        "none of it harmed it": [shows(assertion()).status_code, reads(access, dpop.proof("GET", devices, access))],
    }


def told():
    """It has no nonce, is told one, and tries again: at the token endpoint with the very assertion, and at the API."""
    own, once = Dpop(), assertion()
    form = {"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": once}
    first = own.sends("POST", token_endpoint, data=form)
    access = first.json()["access_token"]
    own.nonce = None
    second = own.sends("GET", devices, access)
    return [own.told, first.status_code, second.status_code]


def twice(access):
    """Two proofs with one request, as two headers."""
    at = urlsplit(origin)
    wire = http.client.HTTPConnection(at.hostname, at.port)
    wire.putrequest("GET", "/v1/devices")
    wire.putheader("Authorization", f"DPoP {access}")
    for _ in range(2):
        wire.putheader("DPoP", dpop.proof("GET", devices, access))
    wire.endheaders()
    return wire.getresponse().status


def proofs():
    asked = told()
    access = token()["access_token"]

    def proof(url=devices, **changed):
        return dpop.proof("GET", url, access, **changed)

    def broken(**changed):
        return reads(access, proof(**changed))

    def nonce(value):
        before, answer = dpop.nonce, broken(nonce=value)
        return [answer, dpop.nonce == before]

    private = {"jwk": public(dpop.key) | {"d": dpop.key.export(as_dict=True)["d"]}}
    symmetric = jwk.JWK(kty="oct", k=text(b"k" * 32))
    confused = jwk.JWK(kty="oct", k=text(dpop.key.export_to_pem()))
    once = proof()
    head, claims = dpop.parts("GET", devices, access)
    good = proof().split(".")
    turned = good[2][:-4] + ("AAAA" if good[2][-4:] != "AAAA" else "BBBB")
    signature = f"{good[0]}.{good[1]}.{turned}"
    limited = f"{devices}?limit=5"
    return {
        "the control": [reads(access, proof()), reads(access, proof(url=limited), url=limited)],
        "OA-05 none, two": [reads(access, None), twice(access), reads(access, f"{proof()}, {proof()}")],
        "OA-06 not a JWT": [reads(access, words) for words in ("x", "a.b", "a.b.c", proof() + ".x", proof().replace(".", "|", 1))],
        "OA-07 missing": [broken(**{name: None}) for name in ("jti", "htm", "htu", "iat")],
        "OA-08 type": [broken(header={"typ": kind}) for kind in (None, "JWT", "client-authentication+jwt")],
        "OA-09 none": reads(access, unsigned(head | {"alg": "none"}, claims)),
        "OA-09 symmetric": broken(header={"alg": "HS256", "jwk": symmetric.export(as_dict=True)}, key=symmetric),
        "OA-09 public key as a secret": broken(header={"alg": "HS256"}, key=confused),
        "OA-10 signature": [reads(access, signature), broken(key=thief)],
        "OA-11 private key": broken(header=private),
        "OA-12 method": broken(htm="POST"),
        "OA-13 address": [broken(htu=url) for url in (f"{origin}/v1/jobs", "https://evil.example/v1/devices", f"{devices}?x=1", f"{devices}#x")],
        "OA-14 nonce": [nonce(value) for value in (None, "", "AAAAAAAAAAAAAAAAAAAAAA", dpop.nonce[::-1])],
        "OA-15 time": [broken(iat=now() + secs) for secs in (-3600, -90, 90, 3600)],
        "OA-16 token": [broken(ath=None), broken(ath=text(b"x" * 32)), reads(access, dpop.proof("GET", devices, access, header={"jwk": public(thief)}, key=thief))],
        "OA-17 the same one": [reads(access, once), reads(access, once)],
        "OA-18 told and tried again": asked,
        "OA-19 as a bearer's": [reads(access, proof(), scheme="Bearer"), reads(access, None, scheme="Bearer")],
        "at the token endpoint": [
            why(web.post(token_endpoint, data={"grant_type": "client_credentials", "client_assertion_type": TYPE, "client_assertion": assertion()})),
            why(shows(assertion(), proof=dpop.proof("POST", token_endpoint, header={"typ": "JWT"}))),
            why(shows(assertion(), proof=dpop.proof("GET", token_endpoint))),
            why(shows(assertion(), proof=dpop.proof("POST", devices))),
        ],
        "none of it harmed it": reads(access, proof()),
    }


def revocation():
    one, other = token()["access_token"], token()["access_token"]

    def use(access):
        return reads(access, dpop.proof("GET", devices, access))

    def revokes(what, **changed):
        return session(**changed).revoke_token(endpoints["revocation_endpoint"], token=what)

    return {
        "OA-20 before": [use(one), use(other)],
        "OA-20 unknown": why(revokes("x" * 43)),
        "OA-20 by a thief": [why(revokes(one, signer=thief)), use(one)],
        "OA-20 revoked": [why(revokes(one)), use(one), why(revokes(one))],
        "OA-20 the other": use(other),
    }


def approval():
    access = token()["access_token"]
    wants = ask(what="wants")
    begun = dpop.sends("POST", f"{origin}/v1/jobs", access, json=wants["job"])
    asked = begun.json()
    path = origin + begun.headers["Location"]
    proving = [why(dpop.sends("POST", f"{path}/{end}", access, json=body)) for end, body in (("proofs", {"totp": wants["code"]}), ("deny", {}))]
    before = dpop.sends("GET", path, access).json()["state"]
    ask(approve=asked["id"])
    access = token()["access_token"]
    done = dpop.sends("GET", path, access).json()
    return {
        "OA-25 asked": [begun.status_code, asked["class"], asked["approve_at"] == f"{origin}/approvals"],
        "OA-25 its person's code in its hands": proving,
        "OA-25 before and after": [before, done["state"], done["result"].get("job", "")[:4]],
    }


tell(result={"assertions": assertions, "proofs": proofs, "revocation": revocation, "approval": approval}[sys.argv[2]]())
