#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""oci_layout.py DIR:TAG LAYER.tar...: makes an OCI image layout of plain tars, gzip inside.

Also a module: write_layout(dir, tag, tars, config={}).  Same tars, same bytes.
"""
import gzip
import hashlib
import json
import os
import sys


def sha256_file(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            h.update(chunk)
    return h.hexdigest()


def put(root, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(os.path.join(root, "blobs/sha256", digest), "wb") as f:
        f.write(data)
    return "sha256:" + digest, len(data)


def put_layer(root, tar, level):
    """Compresses a tar into the layout; returns (descriptor, diff_id)."""
    tmp = os.path.join(root, "blobs/sha256/tmp")
    with open(tar, "rb") as src, open(tmp, "wb") as out:
        with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0, compresslevel=level) as z:
            while chunk := src.read(1 << 20):
                z.write(chunk)
    digest = sha256_file(tmp)
    os.rename(tmp, os.path.join(root, "blobs/sha256", digest))
    size = os.path.getsize(os.path.join(root, "blobs/sha256", digest))
    desc = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
            "digest": "sha256:" + digest, "size": size}
    return desc, "sha256:" + sha256_file(tar)


def write_layout(root, tag, tars, config=None, level=6):
    os.makedirs(os.path.join(root, "blobs/sha256"), exist_ok=True)
    pairs = [put_layer(root, t, level) for t in tars]
    cfg = {"architecture": "amd64", "os": "linux", "config": config or {},
           "rootfs": {"type": "layers", "diff_ids": [p[1] for p in pairs]}}
    cfg_digest, cfg_size = put(root, json.dumps(cfg).encode())
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
                           "digest": cfg_digest, "size": cfg_size},
                "layers": [p[0] for p in pairs]}
    digest, size = put(root, json.dumps(manifest).encode())
    index = {"schemaVersion": 2, "manifests": [
        {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest,
         "size": size, "annotations": {"org.opencontainers.image.ref.name": tag}}]}
    with open(os.path.join(root, "index.json"), "w", encoding="ascii") as f:
        json.dump(index, f)
    with open(os.path.join(root, "oci-layout"), "w", encoding="ascii") as f:
        json.dump({"imageLayoutVersion": "1.0.0"}, f)
    return [os.path.join(root, "blobs/sha256", p[0]["digest"][7:]) for p in pairs]


if __name__ == "__main__":
    where, ref = sys.argv[1].rsplit(":", 1)
    print("\n".join(write_layout(where, ref, sys.argv[2:])))
