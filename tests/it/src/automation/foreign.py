"""A tool that was not written for us: Authlib asks for tokens, jwcrypto makes the proofs of RFC 9449."""

import base64, hashlib, json, sys, time, uuid

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from jwcrypto import jwk, jwt

origin = sys.argv[1]
assertion_key = jwk.JWK.generate(kty="EC", crv="P-256")
run_key = jwk.JWK.generate(kty="EC", crv="P-256")
thief_key = jwk.JWK.generate(kty="EC", crv="P-256")
print(assertion_key.export_public(), flush=True)
client_id = sys.stdin.readline().strip()
http = requests.Session()
http.trust_env = False
endpoints = http.get(f"{origin}/.well-known/oauth-authorization-server").json()


def nonce():
    return http.get(f"{origin}/v1/nonce").headers["DPoP-Nonce"]


def proof(method, url, key=run_key, token=None, **changed):
    claims = {"jti": str(uuid.uuid4()), "htm": method, "htu": url, "iat": int(time.time()), "nonce": nonce()}
    if token:
        digest = hashlib.sha256(token.encode()).digest()
        claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    claims.update(changed)
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": json.loads(key.export_public())}
    signed = jwt.JWT(header=header, claims=claims)
    signed.make_signed_token(key)
    return signed.serialize()


def token(audience=endpoints["issuer"], key=assertion_key, kind="client-authentication+jwt", dpop=True, alg="ES256"):
    """What fetching a token comes to: the token, or OAuth's word for the refusal."""
    secret = ECKey.import_key(key.export_to_pem(private_key=True, password=None).decode())
    session = OAuth2Session(client_id, secret, token_endpoint_auth_method="private_key_jwt")
    session.trust_env = False
    now = int(time.time())
    claims = {"aud": audience, "iat": now, "exp": now + 60}
    session.register_client_auth_method(PrivateKeyJWT(endpoints["token_endpoint"], claims=claims, headers={"typ": kind}, alg=alg))
    headers = {"DPoP": proof("POST", endpoints["token_endpoint"])} if dpop else {}
    try:
        return session.fetch_token(endpoints["token_endpoint"], grant_type="client_credentials", headers=headers)
    except Exception as error:
        return {"error": getattr(error, "error", repr(error))}


def call(access, scheme="DPoP", key=run_key, **changed):
    url = f"{origin}/v1/devices"
    headers = {"Authorization": f"{scheme} {access}", "DPoP": proof("GET", url, key, access, **changed)}
    answer = http.get(url, headers=headers)
    return [answer.status_code, "" if answer.ok else answer.json()["code"]]


good = token()
access = good.get("access_token", "")
result = {
    "good": [good.get("token_type"), good.get("scope")],
    "read": call(access),
    "as_bearer": call(access, scheme="Bearer"),
    "another_key": call(access, key=thief_key),
    "another_method": call(access, htm="POST"),
    "old_proof": call(access, iat=int(time.time()) - 3600),
    "made_up_nonce": call(access, nonce="AAAAAAAAAAAAAAAAAAAAAA"),
    "token_url_as_audience": token(audience=endpoints["token_endpoint"])["error"],
    "audiences": token(audience=[endpoints["issuer"]])["error"],
    "plain_type": token(kind="JWT")["error"],
    "wrong_key": token(key=thief_key)["error"],
    "no_proof": token(dpop=False)["error"],
}
print(json.dumps(result), flush=True)
