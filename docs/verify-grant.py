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
SCHEDULE, TERMS = "schedule run terms rule".split(), "cron zone offsets window late_secs jitter_secs gap_secs at_once".split()
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

NAMES = (0, 59, ""), (0, 23, ""), (1, 31, ""), (1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"), (0, 7, "sun mon tue wed thu fri sat")

def field(text, first, last, words):  # the values that a field of a cron expression names
    words, found = words.split(), set()
    value = lambda word: words.index(word.lower()) + first if word.lower() in words else int(word)
    for part in text.split(","):
        span, _, step = part.partition("/")
        ends = [first, last] if span == "*" else [value(word) for word in (span.split("-") * 2)[:2]]
        found |= {n % 7 if last == 7 else n for n in range(ends[0], ends[1] + 1, int(step or 1))}
    return found

def named(cron, wall):  # whether a cron expression names a minute, counted from 1970 by the clock on the wall
    texts, at = cron.split(), when("1970-01-01T00:00:00+00:00") + datetime.timedelta(minutes=wall)
    shown = at.minute, at.hour, at.day, at.month, at.isoweekday() % 7
    minute, hour, day, month, weekday = (n in field(text, *names) for n, text, names in zip(shown, texts, NAMES))
    either = not (texts[2].startswith("*") or texts[4].startswith("*"))
    return minute and hour and month and (day or weekday if either else day and weekday)

def runs_at(terms, at):  # clocks that change are taken as Vixie cron does
    changes = [(when(o["from"]).timestamp(), o["secs"]) for o in terms["offsets"]]
    wall = lambda secs: int(at + secs) // 60
    offset = [secs for since, secs in changes if since <= at][-1:] or [changes[0][1]]
    if terms["cron"].split()[1].startswith("*"): return at % 60 == 0 and named(terms["cron"], wall(offset[0]))
    last = [(old, since, new) for (_, old), (since, new) in zip(changes, changes[1:]) if since <= at][-1:]
    again = any(at < since + old - new for old, since, new in last)
    skipped = any(since == at and any(named(terms["cron"], m) for m in range(wall(old), wall(new))) for old, since, new in last)
    return at % 60 == 0 and (named(terms["cron"], wall(offset[0])) and not again or skipped)

def window_open(terms, at):
    if terms["window"] is None: return True
    secs = [o["secs"] for o in terms["offsets"] if when(o["from"]).timestamp() <= at][-1:] or [terms["offsets"][0]["secs"]]
    shown = when("1970-01-01T00:00:00+00:00") + datetime.timedelta(seconds=at + secs[0])
    minute, today, first, end = shown.hour * 60 + shown.minute, shown.isoweekday() % 7, terms["window"]["from_minute"], terms["window"]["to_minute"]
    on = lambda day: terms["window"]["days"] >> day & 1
    if first < end: return bool(on(today) and first <= minute < end)
    return bool(on(today) and minute >= first or on((today + 6) % 7) and minute < end)

def occurrence(it, span, pae, due, now):  # its id; how far apart runs must be, only the device's journal knows
    want(due is not None and span[0] <= when(due) < span[1] and runs_at(it["terms"], when(due).timestamp()), "not_an_occurrence")
    due, now, terms = when(due).timestamp(), now.timestamp(), it["terms"]
    want(now >= due - 120, "not_yet_valid")
    want(now < due + terms["jitter_secs"] + terms["late_secs"], "expired")
    want(window_open(terms, max(now, due)), "outside_window")
    return sha(b"sallyport.occurrence/1\n", sha(pae), int(due * 1_000_000).to_bytes(8, "big", signed=True))[:16]

def decide(root, case):
    payload, signatures = opened(case["envelope"], GRANT)
    pae, keyids = encoded(GRANT, payload), [s["keyid"] for s in signatures]
    proofs = attested(signatures, bytes.fromhex(root["attestation"]), pae)
    body = json.loads(payload, object_pairs_hook=once)
    want(list(body) == KEYS and body["type"] == "sallyport.grant/1", "malformed")
    (action, run), = body["action"].items()
    targets, now = body["targets"], when(case["now"])
    unattended = action == "run_schedule"
    want(action in ("run_script", "run_schedule", "open_remote_session"), "malformed")
    want(action != "open_remote_session" or remote_session(run) and targets["count"] == 1, "malformed")
    want(not unattended or list(run) == SCHEDULE and list(run["terms"]) == TERMS and not run["run"]["secrets"], "malformed")
    want(body["class"] >= (1 if targets["count"] == 1 and not unattended else 2 if targets["count"] <= 25 else 3), "class_too_low")
    start, end = when(body["not_before"]), when(body["expires"])
    want(all(start <= when(p["at"]) <= min(end, start + datetime.timedelta(seconds=1020)) for p in proofs), "proof_time")
    want(any(p["method"] == "totp" or body["class"] < 2 for p in proofs), "proof_missing")
    want(body["tenant"] == root["tenant"], "wrong_tenant")
    leaf = sha(b"\x00sallyport.target/1\n", id_bytes(body["tenant"]), sha(bytes.fromhex(case["device"])))
    want(in_tree(leaf, case["target_index"], targets["count"], case["target_proof"], bytes.fromhex(targets["root"])), "wrong_device")
    want((end - start).total_seconds() <= (400 * 86400 + 120 if unattended else 1020), "window_too_long")
    want(start <= now, "not_yet_valid")
    want(now < end, "expired")
    want(unattended or case.get("occurrence") is None, "not_an_occurrence")
    use = occurrence(run, (start, end), pae, case.get("occurrence"), now) if unattended else id_bytes(body["id"])
    want(use not in map(id_bytes, case["used"]), "used")
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
    if unattended: run = run["run"]
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
