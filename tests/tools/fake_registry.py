#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A registry that misbehaves: fake_registry.py LAYOUT PORTFILE.

It serves the first image of an OCI layout under any name; the name says what goes wrong:
/v2/<fault>/manifests/... and /v2/<fault>/blobs/....  It logs each request with its Authorization
and Range headers to standard output.
"""
import http.server
import json
import os
import sys

LAYOUT, PORTFILE = sys.argv[1:3]
CUTS = {}


def blob(digest):
    with open(os.path.join(LAYOUT, "blobs", "sha256", digest[7:]), "rb") as f:
        return f.read()


def first_manifest():
    with open(os.path.join(LAYOUT, "index.json"), encoding="utf-8") as f:
        return json.load(f)["manifests"][0]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", cut=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.close_connection = True

    def token_missing(self, name):
        if self.headers.get("Authorization") == "Bearer good-token":
            return False
        realm = {"token-file": "file:///etc/passwd", "token-metadata": "http://169.254.169.254/"}
        realm = realm.get(name, f"http://{self.headers['Host']}/token")
        self.reply(401, WWW_Authenticate=f'Bearer realm="{realm}",service="s"')
        return True

    def serve_blob(self, name, digest):
        body = blob(digest)
        if name == "cut":
            # Each try gets a sixteenth further.
            start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            CUTS[digest] = CUTS.get(digest, 0) + 1
            self.reply(206 if start else 200, body[start:], cut=max(1, len(body) // 16),
                       Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")
        elif name == "wrong-range":
            if self.headers.get("Range"):
                self.reply(206, body, Content_Range=f"bytes 1-{len(body)}/{len(body) + 1}")
            else:
                self.reply(200, body, cut=10)
        elif name == "endless":
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(100000):
                    self.wfile.write(bytes(65536))
            except OSError:
                pass
            self.close_connection = True
        else:
            self.reply(200, body)

    def do_GET(self):
        print(self.path, self.headers.get("Authorization"), self.headers.get("Range"), flush=True)
        parts = self.path.split("/")
        if self.path.startswith("/token"):
            self.reply(200, json.dumps({"token": "good-token"}).encode())
            return
        name, kind, what = parts[2], parts[3], parts[4]
        if name.startswith("token") and self.token_missing(name):
            return
        if name == "loop":
            self.reply(302, Location=self.path + "x")
        elif name == "to-file":
            self.reply(302, Location="file:///etc/passwd")
        elif name == "to-plain":
            self.reply(302, Location="http://192.0.2.1/v2/")
        elif name == "headers":
            self.reply(200, **{f"X-{i}": "x" * 1000 for i in range(90)})
        elif kind == "manifests" and name == "big":
            self.reply(200, b" " * (5 << 20), Content_Type="application/json")
        elif kind == "manifests" and name == "other-digest":
            self.reply(200, blob(first_manifest()["digest"]), Docker_Content_Digest="sha256:" + "0" * 64)
        elif kind == "manifests" and name == "other-type":
            self.reply(200, blob(first_manifest()["digest"]),
                       Content_Type="application/vnd.oci.image.index.v1+json")
        elif kind == "manifests":
            self.reply(200, blob(first_manifest()["digest"]),
                       Content_Type=first_manifest()["mediaType"])
        elif name == "elsewhere" and not self.headers["Host"].startswith("localhost"):
            port = self.headers["Host"].rsplit(":", 1)[1]
            self.reply(307, Location=f"http://localhost:{port}{self.path}")
        elif name == "token-elsewhere" and not self.headers["Host"].startswith("localhost"):
            port = self.headers["Host"].rsplit(":", 1)[1]
            self.reply(307, Location=f"http://localhost:{port}/v2/elsewhere/blobs/{what}")
        else:
            self.serve_blob(name, what)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with open(PORTFILE + ".new", "w", encoding="ascii") as f:
        f.write(str(server.server_port))
    os.rename(PORTFILE + ".new", PORTFILE)
    server.serve_forever()


main()
