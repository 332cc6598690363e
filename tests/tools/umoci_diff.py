#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""umoci_diff.py LAYER2EROFS [IMAGE...]: the same layers by umoci and by us, compared name by name.

For each image of gen_layers.py (or tar files given by path): an OCI layout, `umoci unpack`, our
EROFS checked by fsck.erofs and mounted by the kernel, treecmp.py.  TAP; needs root.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import gen_layers  # noqa: E402
import oci_layout  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

def sh(*cmd, **kw):
    return subprocess.run(cmd, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **kw).stdout


def compare(tool, tars, tmp):
    layout, bundle = os.path.join(tmp, "oci"), os.path.join(tmp, "bundle")
    blobs = oci_layout.write_layout(layout, "latest", tars)
    gz = []
    for n, b in enumerate(blobs):
        gz.append(os.path.join(tmp, f"{n}.tar.gz"))
        os.symlink(b, gz[-1])
    # umoci gives parents that no layer describes the time of the day, we the epoch.
    start = int(time.time()) - 1
    sh("umoci", "unpack", "--image", layout + ":latest", bundle)
    img, mnt = os.path.join(tmp, "root.erofs"), os.path.join(tmp, "mnt")
    sh(tool, img, *gz)
    sh("fsck.erofs", img)
    os.mkdir(mnt)
    sh("mount", "-t", "erofs", "-o", "loop,ro", img, mnt)
    try:
        r = subprocess.run([os.path.join(HERE, "treecmp.py"), "--skip-xattr=trusted.overlay.",
                            "--skip-xattr=user.overlay.", f"--clock={start}",
                            os.path.join(bundle, "rootfs"), mnt],
                           stdout=subprocess.PIPE, text=True, check=False)
    finally:
        sh("umount", mnt)
    return r.returncode == 0, r.stdout


def main():
    tool, names = os.path.abspath(sys.argv[1]), sys.argv[2:] or list(gen_layers.IMAGES)
    if os.geteuid() != 0 or not shutil.which("umoci"):
        print("1..0 # SKIP needs root and umoci")
        return 0
    failed = 0
    print(f"1..{len(names)}")
    for n, name in enumerate(names, 1):
        tmp = tempfile.mkdtemp(prefix="umoci-diff.", dir=os.environ.get("TMPDIR", "/var/tmp"))
        try:
            tars = [name] if os.path.exists(name) else gen_layers.write_image(tmp, name)
            ok, text = compare(tool, tars, tmp)
        except subprocess.CalledProcessError as err:
            ok, text = False, f"{err}\n{err.stdout}"
        finally:
            shutil.rmtree(tmp, ignore_errors=True)
        failed += not ok
        print(f"{'ok' if ok else 'not ok'} {n} - {name}: as umoci unpacks it")
        if not ok or os.environ.get("V"):
            print("".join("# " + line + "\n" for line in text.splitlines()), end="")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
