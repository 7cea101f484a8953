# Proves one script's grant from its bytes: verify-one-grant.py VECTORS.json CASE (what devices refuse besides: verify-grant.py)
import base64, hashlib, json, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
b64, unhex, sha = lambda text: base64.b64decode(text, validate=True), bytes.fromhex, lambda *parts: hashlib.sha256(b"".join(parts)).digest()
verify = lambda key, signature, text: Ed25519PublicKey.from_public_bytes(key).verify(signature, text)
encoded = lambda media, body: f"DSSEv1 {len(media)} {media} {len(body)} ".encode() + body
crockford = lambda digits: sum("0123456789abcdefghjkmnpqrstvwxyz".index(d) << 5 * n for n, d in enumerate(reversed(digits)))
def in_tree(leaf, index, size, proof, root):  # RFC 9162, section 2.1.3.2
    last = size - 1
    for sibling in map(unhex, proof):
        leaf = sha(b"\x01", sibling, leaf) if index % 2 or index == last else sha(b"\x01", leaf, sibling)
        while index == last and index % 2 == 0 and index: index, last = index >> 1, last >> 1
        index, last = index >> 1, last >> 1
    assert last == 0 and leaf == root, "not in the tree"
vectors = json.load(open(sys.argv[1])) if __debug__ else sys.exit("not with -O: the proofs are assertions")
case = next(case for case in vectors["cases"] if case["name"] == sys.argv[2])
root_envelope, grant_envelope = json.loads(vectors["root"]), json.loads(case["envelope"])
# 1. The authority that the device pinned signed the trust root.
root, by = b64(root_envelope["payload"]), root_envelope["signatures"][0]
authority = unhex(json.loads(root)["authority"][0])
assert sha(b"sallyport.authority/1\n", (1).to_bytes(4, "big"), authority).hex() == vectors["authority_pin"], "another authority"
verify(authority, b64(by["sig"]), encoded(root_envelope["payloadType"], root))
# 2. The root's attestation key signed who proved what for exactly this grant.
root, payload, by = json.loads(root), b64(grant_envelope["payload"]), grant_envelope["signatures"][0]
grant, digest = json.loads(payload), sha(encoded(grant_envelope["payloadType"], payload)).hex()
verify(unhex(root["attestation"]), b64(by["sig"]), encoded("application/vnd.sallyport.attestation.v1+json", b64(by["statement"])))
assert json.loads(b64(by["statement"]))["grant"] == digest, "the statement is about another grant"
# 3. It is for this device, now, and for these bytes.
device = sha(b"\x00sallyport.target/1\n", crockford(grant["tenant"][4:]).to_bytes(16, "big"), sha(unhex(case["device"])))
in_tree(device, case["target_index"], grant["targets"]["count"], case["target_proof"], unhex(grant["targets"]["root"]))
assert grant["not_before"] <= case["now"] < grant["expires"] and sha(case["script"].encode()).hex() == grant["action"]["run_script"]["script_sha256"]
# 4. The audit log has it, in a checkpoint that the log's key signed.
text, _, signature = case["checkpoint"].partition("\n\n")
verify(unhex(root["log"]["key"]), b64(signature.split()[2])[4:], text.encode() + b"\n")
keys = [signature["keyid"] for signature in grant_envelope["signatures"]]
entry = {"type": "sallyport.log.grant/1", "envelope": digest, "action": "run_script", "targets": grant["targets"]["root"], "keys": keys}
origin, size, top = text.split("\n")
assert origin == root["log"]["origin"], "another log"
in_tree(sha(b"\x00", json.dumps(entry, separators=(",", ":")).encode()), case["log_index"], int(size), case["log_proof"], b64(top))
print(f"genuine: {grant['requested_by']['email']} on {grant['targets']['count']} devices, entry {case['log_index']} of {origin}")
