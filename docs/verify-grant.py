#!/usr/bin/env python3
"""Checks grants as a device does, from nothing but their bytes: verify-grant.py VECTORS.json [CASE NAME]

Needs Python 3.11 and the package `cryptography`. Exit code 0 where every offer was decided as the file says."""
import base64, datetime, hashlib, json, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
when = datetime.datetime.fromisoformat
signed_by = lambda key, sig, text: Ed25519PublicKey.from_public_bytes(key).verify(sig, text)
KEYS = "type id tenant class action targets not_before expires nonce requested_by".split()
REMOTE = "session kind access joins client_key run_as columns rows consent record ask_secs unanswered clipboard virtual_display idle_secs max_secs".split()
PROOF = "user email method at".split()
GRANT, ATTESTATION, ROOT = (f"application/vnd.sallyport.{name}.v1+json" for name in ("grant", "attestation", "root"))

def want(holds, why):
    if not holds: raise ValueError(why)

def id_bytes(text):  # Crockford base32 after the prefix
    value = 0
    for digit in text.split("_")[1]: value = value << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(digit)
    return value.to_bytes(16, "big")

def once(pairs):
    want(len(dict(pairs)) == len(pairs), "malformed")
    return dict(pairs)

def in_tree(leaf, index, size, proof, root):  # RFC 9162, section 2.1.3.2
    node, last = index, size - 1
    for sibling in map(bytes.fromhex, proof):
        if last == 0: return False
        if node % 2 or node == last:
            leaf = sha(b"\x01", sibling, leaf)
            while node % 2 == 0 and node: node, last = node >> 1, last >> 1
        else: leaf = sha(b"\x01", leaf, sibling)
        node, last = node >> 1, last >> 1
    return index < size and last == 0 and leaf == root

def encoded(media, body):  # DSSE's pre-authentication encoding
    return f"DSSEv1 {len(media)} {media} {len(body)} ".encode() + body

def opened(text, media):  # the payload of an envelope, its signatures
    envelope = json.loads(text, object_pairs_hook=once)
    want(envelope["payloadType"] == media, "malformed")
    for s in envelope["signatures"]: want(("statement" in s) == (s["kind"] == "server" and media == GRANT), "malformed")
    return base64.b64decode(envelope["payload"], validate=True), envelope["signatures"]

def check(signatures, key, kind, covered, bad, unknown):  # a signature by the key over what it must cover
    found = [s for s in signatures if s["kind"] == kind and s["keyid"] == sha(key).hex()]
    want(found, unknown)
    try: signed_by(key, base64.b64decode(found[0]["sig"], validate=True), covered(found[0]))
    except InvalidSignature: raise ValueError(bad)
    return found[0]

def attested(signatures, key, pae):  # the proofs in the server's statement about the grant with this encoding
    said = lambda s: base64.b64decode(s["statement"], validate=True)
    signature = check(signatures, key, "server", lambda s: encoded(ATTESTATION, said(s)), "bad_signature", "unknown_signer")
    statement = json.loads(said(signature), object_pairs_hook=once)
    want(list(statement) == ["type", "grant", "proofs"] and statement["type"] == "sallyport.attestation/1", "malformed")
    want(1 <= len(statement["proofs"]) <= 16 and all(list(p) == PROOF for p in statement["proofs"]), "malformed")
    want(statement["grant"] == sha(pae).hex(), "wrong_grant")
    return statement["proofs"]

def remote_session(it):
    opens, terminal = it["joins"] == "opens", it["kind"] == "terminal"
    sized = all((1 <= it[n] <= 1000) if opens and terminal else it[n] == 0 for n in ("columns", "rows"))
    times = 1 <= it["idle_secs"] <= 3600 and it["idle_secs"] <= it["max_secs"] <= 43200
    account = it["run_as"] is None or opens and it["kind"] in ("terminal", "files")
    asked = 10 <= it["ask_secs"] <= 120 if it["consent"] == "ask" else (it["ask_secs"], it["unanswered"]) == (0, "refuse")
    screen = it["kind"] == "viewer" or (it["clipboard"], it["virtual_display"]) == ("off", "never")
    return list(it) == REMOTE and sized and asked and screen and times and account and not (opens and terminal and it["access"] == "view") and any(bytes.fromhex(it["client_key"]))

def decide(root, case):
    payload, signatures = opened(case["envelope"], GRANT)
    pae, keyids = encoded(GRANT, payload), [s["keyid"] for s in signatures]
    proofs = attested(signatures, bytes.fromhex(root["attestation"]), pae)
    body = json.loads(payload, object_pairs_hook=once)
    want(list(body) == KEYS and body["type"] == "sallyport.grant/1", "malformed")
    (action, run), = body["action"].items()
    targets, now = body["targets"], when(case["now"])
    want(action in ("run_script", "open_remote_session"), "malformed")
    want(action == "run_script" or remote_session(run) and targets["count"] == 1, "malformed")
    want(body["class"] >= (1 if targets["count"] == 1 else 2 if targets["count"] <= 25 else 3), "class_too_low")
    start, end = when(body["not_before"]), when(body["expires"])
    want(all(start <= when(p["at"]) <= end for p in proofs), "proof_time")
    want(any(p["method"] == "totp" or body["class"] < 2 for p in proofs), "proof_missing")
    want(body["tenant"] == root["tenant"], "wrong_tenant")
    leaf = sha(b"\x00sallyport.target/1\n", id_bytes(body["tenant"]), sha(bytes.fromhex(case["device"])))
    want(in_tree(leaf, case["target_index"], targets["count"], case["target_proof"], bytes.fromhex(targets["root"])), "wrong_device")
    want((end - start).total_seconds() <= 1020, "window_too_long")
    want(start <= now, "not_yet_valid")
    want(now < end, "expired")
    want(body["id"] not in case["used"], "used")
    text, _, signatures = case["checkpoint"].partition("\n\n")
    origin, size, log_root = text.split("\n")
    _, name, blob = signatures.rstrip("\n").split(" ")
    key, blob = bytes.fromhex(root["log"]["key"]), base64.b64decode(blob, validate=True)
    want(origin == name == root["log"]["origin"] and blob[:4] == sha(name.encode(), b"\n\x01", key)[:4], "bad_checkpoint")
    try: signed_by(key, blob[4:], text.encode() + b"\n")
    except InvalidSignature: raise ValueError("bad_checkpoint")
    entry = {"type": "sallyport.log.grant/1", "envelope": sha(pae).hex(), "action": action, "targets": targets["root"], "keys": keyids}
    entry = sha(b"\x00", json.dumps(entry, separators=(",", ":")).encode())
    want(in_tree(entry, case["log_index"], int(size), case["log_proof"], base64.b64decode(log_root)), "not_in_log")
    script = case["script"].encode()
    if action == "open_remote_session": run = {"script_sha256": sha(b"").hex(), "script_bytes": 0}  # it has no content
    want(sha(script).hex() == run["script_sha256"] and len(script) == run["script_bytes"], "content_differs")
    return "obeyed"

vectors, wrong = json.load(open(sys.argv[1])), 0
payload, signatures = opened(vectors["root"], ROOT)
root = json.loads(payload, object_pairs_hook=once)
check(signatures, bytes.fromhex(root["authority"][0]), "native-ed25519", lambda _: encoded(ROOT, payload), "root_bad_signature", "root_too_few_signatures")
pinned = sha(b"sallyport.authority/1\n", root["threshold"].to_bytes(4, "big"), *sorted(map(bytes.fromhex, root["authority"])))
want(root["threshold"] == 1 and pinned.hex() == vectors["authority_pin"], "root_other_authority")
for case in vectors["cases"]:
    if case["name"] not in (sys.argv[2:] or [case["name"]]): continue
    try: result = decide(root, case)
    except ValueError as refusal: result = str(refusal)
    wrong += result != case["expected"]
    print(f"{'ok   ' if result == case['expected'] else 'WRONG'} {case['name']}: {result}")
sys.exit(wrong != 0)
