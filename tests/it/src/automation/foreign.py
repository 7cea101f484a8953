"""A client that was not written for us: Authlib asks for tokens and jwcrypto signs. It talks with its test in lines of JSON."""

import base64, hashlib, json, sys, time, uuid

import requests
from authlib.integrations.requests_client import OAuth2Session
from jwcrypto import jwk, jws

origin = sys.argv[1]
http = requests.Session()
http.trust_env = False
endpoints = http.get(f"{origin}/.well-known/oauth-authorization-server").json()
# How far the server's clock is from this one.
skew = 0


def tell(**words):
    print(json.dumps(words), flush=True)


def ask(**words):
    """Tells the test what is wanted of a person, and waits for what came of it. The time is the server's."""
    global skew
    tell(**words)
    answer = json.loads(sys.stdin.readline())
    skew = answer.pop("now") - int(time.time())
    return answer


def now():
    return int(time.time()) + skew


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def new_key():
    return jwk.JWK.generate(kty="EC", crv="P-256")


def public(key):
    return json.loads(key.export_public())


def present(members):
    return {name: value for name, value in members.items() if value is not None}


def signed(header, claims, key):
    """A JWT of whatever it says; what is None is left out."""
    token = jws.JWS(json.dumps(present(claims)))
    token.add_signature(key, None, json.dumps(present(header)))
    return token.serialize(compact=True)


def unsigned(header, claims):
    return f"{text(json.dumps(present(header)).encode())}.{text(json.dumps(present(claims)).encode())}."


def why(answer):
    """Its status, and the word for the refusal where it is one."""
    said = {} if answer.ok else answer.json()
    return [answer.status_code, said.get("code") or said.get("error") or ""]


class Dpop:
    """Proofs by one key (RFC 9449). It has no nonce before it is told one, and tries once more with it."""

    def __init__(self):
        self.key, self.nonce, self.told = new_key(), None, []

    def parts(self, method, url, token=None):
        claims = {"jti": str(uuid.uuid4()), "htm": method, "htu": url.split("?")[0], "iat": now(), "nonce": self.nonce}
        if token:
            claims["ath"] = text(hashlib.sha256(token.encode()).digest())
        return {"typ": "dpop+jwt", "alg": "ES256", "jwk": public(self.key)}, claims

    def proof(self, method, url, token=None, header={}, key=None, **changed):
        right, claims = self.parts(method, url, token)
        return signed(right | header, claims | changed, key or self.key)

    def learn(self, answer):
        self.nonce = answer.headers.get("DPoP-Nonce", self.nonce)
        return answer

    def again(self, error, tries):
        """Whether to try once more: with the nonce that came with the refusal."""
        self.told += [error]
        return error == "use_dpop_nonce" and self.nonce is not None and tries == 1

    def sends(self, method, url, token=None, **more):
        for tries in (1, 2):
            headers = {"DPoP": self.proof(method, url, token)} | ({"Authorization": f"DPoP {token}"} if token else {})
            headers |= more.get("headers", {})
            answer = self.learn(http.request(method, url, **(more | {"headers": headers})))
            if answer.ok or not self.again(why(answer)[1], tries):
                return answer


def fetched(dpop, session, headers={}, **fields):
    """What Authlib's session gets from the token endpoint: the token, or OAuth's word for the refusal."""
    session.trust_env = False
    session.register_compliance_hook("access_token_response", dpop.learn)
    for tries in (1, 2):
        proof = {"DPoP": dpop.proof("POST", endpoints["token_endpoint"])}
        try:
            return session.fetch_token(endpoints["token_endpoint"], headers=proof | headers, **fields)
        except Exception as error:
            word = getattr(error, "error", repr(error))
            if not dpop.again(word, tries):
                return {"error": word}


def program():
    """A person's program: a public client."""
    return OAuth2Session("sallyport-cli", token_endpoint_auth_method="none")


ask(what="the time")
