"""Somebody else's reader of the API's description (Schemathesis) tries every operation as one kind of caller, and says what it found:
a status of 500 or more, an answer that the description does not have, or an answer to somebody who has no right to it."""

import base64, collections, hashlib, json, os, re, sys, time, uuid

import requests
import schemathesis
from schemathesis import GenerationMode
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import content_type_conformance, response_headers_conformance, response_schema_conformance, status_code_conformance

who = json.load(sys.stdin)
origin = who["origin"]
document = json.load(open(who["document"]))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, response_headers_conformance]
# The status of each code, as the page about refusals has it.
PAGE = os.path.join(os.path.dirname(who["document"]), "docs/guide/errors.md")
STATUSES = {code: int(status) for code, status in re.findall(r"^## (\w+)\n\nHTTP (\d+)\.", open(PAGE).read(), re.M)}
# What ends the caller comes last; what never ends is looked at on its own.
ENDS = ["/v1/me/sessions", "/v1/me/not-me", "/v1/me/password", "/v1/sign-out"]
ENDLESS = "/v1/events"
# What takes whatever it gets: nothing is wrong there.
ANYTHING = "/v1/connections/{id}/proxy/{path}"


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signed(requests.auth.AuthBase):
    """Signs each request with the caller's key (RFC 9449, with the hashes of query and body)."""

    def __init__(self, scalar):
        self.key = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
        point = self.key.public_key().public_numbers()
        self.jwk = {"kty": "EC", "crv": "P-256", "x": text(point.x.to_bytes(32, "big")), "y": text(point.y.to_bytes(32, "big"))}
        self.nonce = None

    def __call__(self, request):
        if self.nonce is None:
            self.nonce = requests.get(f"{origin}/v1/nonce").headers["DPoP-Nonce"]
        path, _, query = request.path_url.partition("?")
        claims = {"jti": text(uuid.uuid4().bytes), "htm": request.method, "htu": origin + path, "iat": int(time.time()), "nonce": self.nonce}
        if query:
            claims["htq"] = query
        body = request.body.encode() if isinstance(request.body, str) else request.body
        if body:
            claims["bh"] = text(hashlib.sha256(body).digest())
        if "token" in who:
            claims["ath"] = text(hashlib.sha256(who["token"].encode()).digest())
            request.headers["Authorization"] = f"DPoP {who['token']}"
        if "cookie" in who:
            request.headers["Cookie"] = f"__Host-sallyport={who['cookie']}"
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}
        signed = f"{text(json.dumps(header).encode())}.{text(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        request.headers["DPoP"] = f"{signed}.{text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
        return request


auth = Signed(bytes([who["key"]] * 32))
found = collections.OrderedDict()
calls = answered = 0


def tell(operation, what):
    found.setdefault(f"{operation}: {what}"[:400], None)


def needs(operation):
    """The capability that the description names; None where anybody may ask."""
    said = re.match(r"Needs `([^`]+)`", operation.definition.raw.get("description", ""))
    return said and said.group(1)


def look(case, response, label, capability):
    global calls, answered
    calls += 1
    auth.nonce = response.headers.get("DPoP-Nonce", auth.nonce)
    if "sallyport-token" in response.headers:
        who["token"] = response.headers["sallyport-token"]
    if response.status_code < 400:
        answered += 1
        if capability is not None and capability not in who["may"]:
            tell(label, f"{response.status_code} to a caller without {capability}")
    if "application/problem+json" in response.headers.get("content-type", ""):
        problem = json.loads(response.text)
        if not STATUSES.get(problem["code"]) == problem["status"] == response.status_code:
            tell(label, f"{response.status_code} with {problem['code']} and {problem['status']}")
        if not problem["type"].endswith("#" + problem["code"]):
            tell(label, f"{problem['code']} leads to {problem['type']}")
    if not who["may"] and capability is not None and response.status_code != 401:
        tell(label, f"{response.status_code} to somebody who is nobody")
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as group:
        for failure in group.exceptions:
            tell(label, f"{response.status_code} {failure.title}: {getattr(failure, 'message', '')} {response.text[:150]}")
    except Failure as failure:
        tell(label, f"{response.status_code} {failure.title}: {failure.message} {response.text[:150]}")


def attempt(operation, mode, examples):
    capability = needs(operation)
    label = f"{operation.method.upper()} {operation.path}"
    turn = [0]

    @settings(max_examples=examples, derandomize=True, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        turn[0] += 1
        kind = operation.path.split("/")[2] if operation.path.startswith("/v1/") else ""
        # Every other time, something that is there.
        if turn[0] % 2 and kind in who["ids"] and "id" in (case.path_parameters or {}):
            case.path_parameters["id"] = who["ids"][kind]
        look(case, case.call(base_url=origin, auth=auth, timeout=20), label, capability)

    run()


schema = schemathesis.openapi.from_dict(document)
# Who asks is decided here; a made-up session or token would stand in the way of the real one.
schema.config.generation.update(with_security_parameters=False)
operations = [result.ok() for result in schema.get_all_operations()]
operations.sort(key=lambda one: ENDS.index(one.path) if one.path in ENDS else -1)
for operation in operations:
    if operation.path == ENDLESS:
        with requests.get(origin + ENDLESS, auth=auth, stream=True, timeout=20) as response:
            good = response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
            allowed = needs(operation) in who["may"]
            if good != allowed or (not allowed and response.status_code not in (401, 403)):
                tell(f"GET {ENDLESS}", f"{response.status_code} where the right is {allowed}")
        continue
    attempt(operation, GenerationMode.POSITIVE, who["examples"])
    # Where there is something to get wrong: a path alone can always be one.
    if who["wrong"] and (list(operation.query) or list(operation.body)) and operation.path != ANYTHING:
        attempt(operation, GenerationMode.NEGATIVE, who["wrong"])
print(json.dumps({"operations": len(operations), "calls": calls, "answered": answered, "found": list(found)}))
