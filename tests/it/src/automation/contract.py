"""Somebody else's reader of the API's description (Schemathesis) tries every operation as each kind of caller, and says what it found:
a status of 500 or more, an answer that the description does not have, an answer to somebody who has no right to it, or a right that is refused."""

import base64, collections, gc, hashlib, json, os, re, sys, time, uuid
from http.cookiejar import DefaultCookiePolicy

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

setup = json.loads(sys.stdin.readline())
origin = setup["origin"]
document = json.load(open(setup["document"]))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, response_headers_conformance]
# The status of each code, as the page about refusals has it.
PAGE = os.path.join(os.path.dirname(setup["document"]), "docs/guide/errors.md")
STATUSES = {code: int(status) for code, status in re.findall(r"^## (\w+)\n\nHTTP (\d+)\.", open(PAGE).read(), re.M)}
# What is said to somebody whose role, session or kind has no right to it.
NO_RIGHT = ("role_refused", "session_restricted", "client_refused")
# What ends the caller comes last; what never ends is looked at on its own.
ENDS = ["/v1/me/sessions", "/v1/me/not-me", "/v1/me/password", "/v1/sign-out"]
ENDLESS = "/v1/events"
# What takes whatever it gets: nothing is wrong there.
ANYTHING = "/v1/connections/{id}/proxy/{path}"


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signed(requests.auth.AuthBase):
    """Signs each request with the caller's key (RFC 9449, with the hashes of query and body)."""

    def __init__(self, who):
        self.who = who
        scalar = bytes([who["key"]] * 32)
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
        if "token" in self.who:
            claims["ath"] = text(hashlib.sha256(self.who["token"].encode()).digest())
            request.headers["Authorization"] = f"DPoP {self.who['token']}"
        if "cookie" in self.who:
            request.headers["Cookie"] = f"__Host-sallyport={self.who['cookie']}"
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk}
        signed = f"{text(json.dumps(header).encode())}.{text(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        request.headers["DPoP"] = f"{signed}.{text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
        return request


def needs(operation):
    """The capability that the description names; None where anybody may ask."""
    said = re.match(r"Needs `([^`]+)`", operation.definition.raw.get("description", ""))
    return said and said.group(1)


class Caller:
    def __init__(self, who):
        self.who, self.auth = who, Signed(who)
        self.found, self.calls, self.answered = collections.OrderedDict(), 0, 0
        self.wire = requests.Session()
        self.wire.trust_env = False
        self.wire.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def tell(self, operation, what):
        self.found.setdefault(f"{operation}: {what}"[:400], None)

    def look(self, case, response, label, capability):
        self.calls += 1
        self.auth.nonce = response.headers.get("DPoP-Nonce", self.auth.nonce)
        if "sallyport-token" in response.headers:
            self.who["token"] = response.headers["sallyport-token"]
        if response.status_code < 400:
            self.answered += 1
            if capability is not None and capability not in self.who["may"]:
                self.tell(label, f"{response.status_code} to a caller without {capability}")
        if "application/problem+json" in response.headers.get("content-type", ""):
            problem = json.loads(response.text)
            if not STATUSES.get(problem["code"]) == problem["status"] == response.status_code:
                self.tell(label, f"{response.status_code} with {problem['code']} and {problem['status']}")
            if problem["code"] in NO_RIGHT and capability in self.who["may"]:
                self.tell(label, f"{problem['code']} to a caller who has {capability}: {problem['detail']}")
            if not problem["type"].endswith("#" + problem["code"]):
                self.tell(label, f"{problem['code']} leads to {problem['type']}")
        if not self.who["may"] and capability is not None and response.status_code != 401:
            self.tell(label, f"{response.status_code} to somebody who is nobody")
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.tell(label, f"{response.status_code} {failure.title}: {getattr(failure, 'message', '')} {response.text[:150]}")
        except Failure as failure:
            self.tell(label, f"{response.status_code} {failure.title}: {failure.message} {response.text[:150]}")

    def follows(self, operation):
        with requests.get(origin + ENDLESS, auth=self.auth, stream=True, timeout=20) as response:
            good = response.status_code == 200 and response.headers["content-type"].startswith("text/event-stream")
            allowed = needs(operation) in self.who["may"]
            if good != allowed or (not allowed and response.status_code not in (401, 403)):
                self.tell(f"GET {ENDLESS}", f"{response.status_code} where the right is {allowed}")

    def tries(self):
        for operation, attempts in plan:
            label = f"{operation.method.upper()} {operation.path}"
            kind = operation.path.split("/")[2] if operation.path.startswith("/v1/") else ""
            if operation.path == ENDLESS:
                self.follows(operation)
            for cases in attempts:
                for turn, case in enumerate(cases):
                    # Every other time, something that is there.
                    if turn % 2 == 0 and kind in self.who["ids"] and "id" in (case.path_parameters or {}):
                        case.path_parameters["id"] = self.who["ids"][kind]
                    answer = case.call(base_url=origin, session=self.wire, auth=self.auth, timeout=20)
                    self.look(case, answer, label, needs(operation))
        said = {"kind": self.who["kind"], "operations": len(plan), "calls": self.calls, "answered": self.answered, "found": list(self.found)}
        return json.dumps(said).encode()


def made_up(operation, mode, count):
    cases = []

    @settings(max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        cases.append(case)

    run()
    return cases


def attempts(operation):
    """What is right, and what is wrong where there is something to get wrong: a path alone can always be one."""
    if operation.path == ENDLESS:
        return []
    right = made_up(operation, GenerationMode.POSITIVE, setup["examples"])
    if not (list(operation.query) or list(operation.body)) or operation.path == ANYTHING:
        return [right]
    return [right, made_up(operation, GenerationMode.NEGATIVE, setup["wrong"])]


def at_once(callers):
    """Each in a process of its own, with what was made up before."""
    pipes = []
    for who in callers:
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                with os.fdopen(writes, "wb") as pipe:
                    pipe.write(Caller(who).tries())
                os._exit(0)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        os.close(writes)
        pipes.append((child, reads))
    for child, reads in pipes:
        with os.fdopen(reads, "rb") as pipe:
            said = pipe.read()
        assert os.waitpid(child, 0)[1] == 0
        yield json.loads(said)


schema = schemathesis.openapi.from_dict(document)
# Who asks is decided here; a made-up session or token would stand in the way of the real one.
schema.config.generation.update(with_security_parameters=False)
operations = [result.ok() for result in schema.get_all_operations()]
operations.sort(key=lambda one: ENDS.index(one.path) if one.path in ENDS else -1)
# The same for every caller, so it is made up once; a token that nobody uses is over in a minute, and is asked for after this.
plan = [(operation, attempts(operation)) for operation in operations]
gc.freeze()
print("ready", flush=True)
for callers in json.loads(sys.stdin.readline()):
    for said in at_once(callers):
        print(json.dumps(said), flush=True)
