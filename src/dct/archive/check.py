#!/usr/bin/env python3
"""Checks the signatures and hashes in an archive of Docker Content Trust data, with python3 and openssl alone.

usage: python3 check.py [FOLDER]      FOLDER: the archive; the folder of this file if none is given
"""
import base64, hashlib, json, os, subprocess, sys, tempfile

wrong = 0


def canonical(value):
    """Members sorted bytewise, no white space, and only the quote and the backslash escaped."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode())
        return "{" + ",".join(canonical(name) + ":" + canonical(value[name]) for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return json.dumps(value)


def key_id(key):
    bare = {"keytype": key["keytype"], "keyval": {"private": None, "public": key["keyval"]["public"]}}
    return hashlib.sha256(canonical(bare).encode()).hexdigest()


def openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, capture_output=True)


def public_key(key):
    """The key in PEM."""
    public = base64.b64decode(key["keyval"]["public"])
    if key["keytype"].endswith("-x509"):
        return openssl("x509", "-noout", "-pubkey", stdin=public).stdout
    if key["keytype"] == "ed25519":
        public = bytes.fromhex("302a300506032b6570032100") + public
    return openssl("pkey", "-pubin", "-inform", "DER", stdin=public).stdout


def integer(number):
    number = number.lstrip(b"\0") or b"\0"
    number = b"\0" + number if number[0] & 0x80 else number
    return bytes([2, len(number)]) + number


def ecdsa_der(signature):
    half = len(signature) // 2
    body = integer(signature[:half]) + integer(signature[half:])
    return bytes([0x30]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x81, len(body)])) + body


def verifies(key, signature, message):
    method, value = signature["method"].lower(), base64.b64decode(signature["sig"])
    with tempfile.TemporaryDirectory() as folder:
        path = lambda name: os.path.join(folder, name)
        value = ecdsa_der(value) if method == "ecdsa" else value
        for name, content in [("key", public_key(key)), ("signature", value), ("message", message)]:
            with open(path(name), "wb") as file:
                file.write(content)
        if method == "eddsa":
            command = ["pkeyutl", "-verify", "-pubin", "-inkey", path("key"), "-rawin", "-in", path("message"),
                       "-sigfile", path("signature")]
        elif method in ("ecdsa", "rsapss", "rsapkcs1v15"):
            pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"] if method == "rsapss" else []
            command = ["dgst", "-sha256", *pss, "-verify", path("key"), "-signature", path("signature"),
                       path("message")]
        else:
            return False
        return openssl(*command).returncode == 0


def tell(ok, what):
    global wrong
    wrong += not ok
    print("  ok     " if ok else "  WRONG  ", what, sep="")


def check_signatures(name, file, role, keys):
    message = canonical(file["signed"]).encode()
    signers = {s["keyid"] for s in file["signatures"] or []
               if s["keyid"] in role["keyids"] and s["keyid"] in keys
               and key_id(keys[s["keyid"]]) == s["keyid"] and verifies(keys[s["keyid"]], s, message)}
    threshold = role["threshold"]
    tell(len(signers) >= threshold > 0, f"{name}: {len(signers)} of {threshold} signatures, version "
         f"{file['signed']['version']}, expires {file['signed']['expires']}")


def check_hash(name, content, listed, by):
    found = {"sha256": hashlib.sha256(content).digest(), "sha512": hashlib.sha512(content).digest()}
    hashes = (listed or {}).get("hashes", {})
    same = [base64.b64decode(value) == found[kind] for kind, value in hashes.items() if kind in found]
    tell(bool(same) and all(same) and listed["length"] == len(content), f"{name}: hash that {by} lists")


def check_repository(folder):
    contents = {}
    for base, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(base, name), "rb") as file:
                contents[os.path.relpath(os.path.join(base, name), folder).replace(os.sep, "/")] = file.read()
    files = {name: json.loads(content) for name, content in contents.items()}
    for name in ("root", "timestamp", "snapshot", "targets"):
        if name + ".json" not in files:
            return tell(False, f"{name}.json is missing: nothing can be checked")
    root = files["root.json"]["signed"]
    version = lambda name: int(name.split(".")[0])
    roots = sorted((n for n in files if n.endswith(".root.json") and version(n) < root["version"]), key=version)
    for older, newer in zip(roots, roots[1:] + ["root.json"]):
        signed = files[older]["signed"]
        check_signatures(older, files[older], signed["roles"]["root"], signed["keys"])
        check_signatures(f"{newer} by the keys of {older}", files[newer], signed["roles"]["root"], signed["keys"])
    print("  root keys:", ", ".join(root["roles"]["root"]["keyids"]))
    for name in ("root", "timestamp", "snapshot", "targets"):
        check_signatures(name + ".json", files[name + ".json"], root["roles"][name], root["keys"])
    check_hash("snapshot.json", contents["snapshot.json"],
               files["timestamp.json"]["signed"]["meta"].get("snapshot"), "timestamp.json")
    listed = files["snapshot.json"]["signed"]["meta"]
    waiting, reached = ["targets"], []
    while waiting:
        parent = waiting.pop(0)
        reached.append(parent)
        delegations = files[parent + ".json"]["signed"].get("delegations") or {}
        for role in delegations.get("roles") or []:
            name = role["name"] + ".json"
            if name in files and role["name"] not in reached + waiting:
                check_signatures(name, files[name], role, delegations["keys"])
                waiting.append(role["name"])
    for name in ["root", *reached]:
        check_hash(name + ".json", contents[name + ".json"], listed.get(name), "snapshot.json")


def main():
    archive = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    repositories = os.path.join(archive, "v2")
    for base, folders, _ in sorted(os.walk(repositories)):
        if base.endswith(os.path.join("_trust", "tuf")):
            print(os.path.relpath(base, repositories)[: -len("/_trust/tuf")])
            try:
                check_repository(base)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                tell(False, f"a file is not what it should be: {error!r}")
            folders.clear()
    sys.exit(1 if wrong else 0)


main()
