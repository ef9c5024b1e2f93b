#!/usr/bin/env python3
"""Writes a linker script that puts what the commands of every day run next to each other, and prints its path:

    tools/startup-order.py PROGRAM FOLDER

PROGRAM is linked with its symbols. Valgrind runs it, to see which functions these commands enter: a verification enters one
in sixteen. They stand all over an executable otherwise, and for each the system maps the sixteen pages around it. Registries
and key services are asked by plain HTTP, and no key service signs, so that what only TLS needs stays where it was.

The script's name is a hash of the program, so that cargo links again when the program changes. The keys are new in each run,
and a few functions depend on their bytes: two builders' scripts, and so their executables, can differ in these.
"""

import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

# Fewer than these are not all that a verification enters.
FEWEST = 500
REF_NAME = "org.opencontainers.image.ref.name"


def main(program, to):
    made_from = hashlib.sha256(program.read_bytes() + Path(__file__).read_bytes()).hexdigest()
    script = to / f"startup-order-{made_from[:16]}.ld"
    if not script.exists():
        with tempfile.TemporaryDirectory() as folder:
            functions = Trace(program, Path(folder)).functions()
        lines = [f"    *(.text.{name} .text.unlikely.{name})" for name in functions]
        text = "\n".join(["SECTIONS {", "  .text.everyday : {", *lines, "  }", "} INSERT BEFORE .text;", ""])
        to.mkdir(parents=True, exist_ok=True)
        whole = script.with_suffix(".new")
        whole.write_text(text)
        whole.rename(script)
    for other in to.glob("startup-order-*.ld"):
        if other != script:
            other.unlink()
    print(script)


class Trace:
    """Runs commands of a program in a folder, with nothing of whoever builds it."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "quickstart/config"),
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "AWS_REGION": "us-east-1",
        }
        symbols = subprocess.run(["nm", "--defined-only", program], check=True, capture_output=True, text=True).stdout
        self.known = {name for _, kind, name in map(str.split, symbols.splitlines()) if kind in ["t", "T"]}

    def functions(self):
        """The functions that commands enter, each once: first those of the commands that are to be quickest."""
        quickstart = self.folder / "quickstart"
        subprocess.run(
            [self.program, "quickstart", "--to", quickstart], check=True, env=self.environment, stdout=subprocess.DEVNULL
        )
        policy = quickstart / "config/notation/trustpolicy.json"
        if not policy.exists():
            sys.exit(f"startup-order: {self.program} makes no quickstart")
        policy.write_text(policy.read_text().replace('"local/quickstart"', '"*"'))
        layout, chain = quickstart / "layout", quickstart / "keys/chain.pem"
        key = ["--id", f"file://{quickstart}/keys/signing.key.pem", "--cert-chain", chain]
        scope = ["--oci-layout", "--scope", "local/quickstart"]
        server = Server(layout)
        artifact = ["--insecure-registry", f"{server.address}/none@{server.digests['v1']}"]
        request = {
            "contractVersion": "1.0",
            "keyId": "awskms:///alias/none",
            "keySpec": "EC-256",
            "hashAlgorithm": "SHA-256",
            "payload": "bm9uZQ==",
            "pluginConfig": {"cert-chain": str(chain), "aws-endpoint-url": f"http://{server.address}"},
        }
        verified = self.enter("verified: ", "verify", *scope, f"{layout}:v1")
        if len(verified) < FEWEST:
            sys.exit(f"startup-order: {len(verified)} functions are not all that a verification enters")
        entered = [
            self.enter("supportedContractVersions", "get-plugin-metadata", given="{}"),
            verified,
            self.enter("verified: ", "verify", *artifact),
            self.enter("signed: ", "sign", "--force", *key, *artifact),
        ]
        # The signature that is left is in COSE.
        forget_signatures(layout)
        entered += [
            self.enter("signed: ", "sign", "--oci-layout", "--signature-format", "cose", *key, f"{layout}:v1"),
            self.enter('"result": "verified"', "verify", *scope, "--output", "json", f"{layout}:v1"),
            self.enter("alias/none was not found", "generate-signature", given=json.dumps(request)),
        ]
        return dict.fromkeys(name for names in entered for name in sorted(names))

    def enter(self, expected, *words, given=""):
        """The functions that a command enters, which prints what is expected if it comes as far as it is to come."""
        calls = self.folder / "calls"
        valgrind = ["valgrind", "--quiet", "--tool=callgrind", "--demangle=no", f"--callgrind-out-file={calls}"]
        ran = subprocess.run(
            [*valgrind, self.program, *words],
            env=self.environment,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if expected not in ran.stdout:
            sys.exit(f"startup-order: {words[0]} has not printed {expected!r}, but: {ran.stdout}")
        # A function has its name where it is met first; a number behind ' is the depth of a recursion.
        met = re.findall(r"^c?fn=\(\d+\) ([^'\n]+)", calls.read_text(), re.MULTILINE)
        return self.known.intersection(met)


class Server:
    """A registry of what a layout holds, which takes everything, and a key service that knows no key."""

    def __init__(self, layout):
        index = json.loads((layout / "index.json").read_text())
        self.digests = {entry["annotations"][REF_NAME]: entry["digest"] for entry in tagged(index)}
        blobs = {f"sha256:{blob.name}": blob.read_bytes() for blob in (layout / "blobs/sha256").iterdir()}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                *_, kind, digest = self.path.split("?")[0].split("/")
                if kind == "referrers":
                    return self.answer(200, listing(blobs, digest), "application/vnd.oci.image.index.v1+json")
                if digest not in blobs:
                    return self.answer(404, b"{}")
                self.answer(200, blobs[digest], media_type(blobs[digest]), {"Docker-Content-Digest": digest})

            do_HEAD = do_GET

            def do_PUT(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                subject = json.loads(body).get("subject", {}).get("digest", "")
                self.answer(201, b"", headers={"OCI-Subject": subject})

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                if self.path == "/":
                    return self.answer(400, b'{"__type":"NotFoundException"}', "application/x-amz-json-1.1")
                self.answer(202, b"", headers={"Location": self.path + "none"})

            def answer(self, status, body, media_type="application/json", headers={}):
                self.send_response(status)
                for name, value in {"Content-Type": media_type, "Content-Length": len(body), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.address = f"127.0.0.1:{server.server_port}"


def forget_signatures(layout):
    """Leaves what has a tag in the index of a layout."""
    index = json.loads((layout / "index.json").read_text())
    (layout / "index.json").write_text(json.dumps({**index, "manifests": tagged(index)}))


def tagged(index):
    return [entry for entry in index["manifests"] if REF_NAME in entry.get("annotations", {})]


def listing(blobs, subject):
    """The list of the signatures of an artifact."""
    listed = []
    for digest, blob in blobs.items():
        manifest = as_json(blob)
        if manifest.get("subject", {}).get("digest") == subject:
            listed.append({
                "mediaType": manifest["mediaType"],
                "digest": digest,
                "size": len(blob),
                "artifactType": manifest["config"]["mediaType"],
                "annotations": manifest["annotations"],
            })
    return json.dumps({"schemaVersion": 2, "manifests": listed}).encode()


def media_type(blob):
    return as_json(blob).get("mediaType", "application/octet-stream")


def as_json(blob):
    try:
        return json.loads(blob)
    except ValueError:
        return {}


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
