#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""treecmp.py [options] DIR1 DIR2: compares two trees without following links.

Types, modes, owners, mtimes (ns), xattrs, contents, link targets, device numbers, link counts and
which names are the same inode.  Prints one line per difference; exits 1 when there are any.
"""
import argparse
import os
import stat
import sys


def names(root):
    """All paths beneath root as bytes, the root itself as b""."""
    todo = [b""]
    while todo:
        rel = todo.pop()
        yield rel
        path = os.path.join(root, rel) if rel else root
        if stat.S_ISDIR(os.lstat(path).st_mode):
            todo.extend(os.path.join(rel, n) if rel else n for n in os.listdir(path))


def xattrs(path, skip):
    out = {}
    for name in os.listxattr(path, follow_symlinks=False):
        if not any(name.startswith(s) for s in skip):
            out[name] = os.getxattr(path, name, follow_symlinks=False)
    return out


def same_content(a, b):
    with open(a, "rb") as fa, open(b, "rb") as fb:
        while True:
            x, y = fa.read(1 << 20), fb.read(1 << 20)
            if x != y:
                return False
            if not x:
                return True


def facts(path, opts):
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    out = {"type": oct(kind), "mode": oct(stat.S_IMODE(st.st_mode)), "uid": st.st_uid,
           "gid": st.st_gid, "mtime": st.st_mtime_ns, "xattrs": xattrs(path, opts.skip_xattr)}
    if opts.seconds:
        out["mtime"] //= 10**9
    if kind != stat.S_IFDIR:
        out["links"] = st.st_nlink
    if kind == stat.S_IFLNK:
        out["target"] = os.readlink(path)
    if kind in (stat.S_IFCHR, stat.S_IFBLK):
        out["rdev"] = (os.major(st.st_rdev), os.minor(st.st_rdev))
    if kind == stat.S_IFREG:
        out["size"] = st.st_size
    return out, st.st_ino


def describe(key, a, b):
    if isinstance(a, dict) and isinstance(b, dict):
        keys = sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
        return f"{key}: " + ", ".join(f"{k}: {a.get(k)} != {b.get(k)}" for k in keys)
    return f"{key}: {a} != {b}"


def compare(root1, root2, opts):
    diffs = []
    left, right = set(names(root1)), set(names(root2))
    for rel in sorted(left ^ right):
        diffs.append((rel, "only in " + os.fsdecode(root1 if rel in left else root2)))
    ino1, ino2 = {}, {}
    for rel in sorted(left & right):
        p1, p2 = os.path.join(root1, rel), os.path.join(root2, rel)
        f1, i1 = facts(p1, opts)
        f2, i2 = facts(p2, opts)
        if opts.clock and f1["mtime"] >= opts.clock * 10**9:
            f1["mtime"] = f2["mtime"]
        for key in sorted(f1.keys() | f2.keys()):
            if f1.get(key) != f2.get(key) and key not in opts.ignore:
                diffs.append((rel, describe(key, f1.get(key), f2.get(key))))
        if "size" in f1 and f1.get("size") == f2.get("size") and not same_content(p1, p2):
            diffs.append((rel, "content differs"))
        if "links" in f1 and (ino1.setdefault(i1, rel) != ino2.setdefault(i2, rel)):
            diffs.append((rel, "is a link of another file"))
    return diffs, len(left & right)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("dir1")
    p.add_argument("dir2")
    p.add_argument("--skip-xattr", action="append", default=[], metavar="PREFIX")
    p.add_argument("--ignore", action="append", default=[], metavar="FACT")
    p.add_argument("--clock", type=int, default=0, metavar="SECONDS",
                   help="ignore times of DIR1 from then on: no archive told them")
    p.add_argument("--seconds", action="store_true", help="compare times without fractions")
    opts = p.parse_args()
    diffs, nr = compare(os.fsencode(opts.dir1), os.fsencode(opts.dir2), opts)
    for rel, what in diffs[:200]:
        print(f"{rel[-80:]!r}: {what[:300]}")
    print(f"{nr} names compared, {len(diffs)} differences")
    return 1 if diffs else 0


if __name__ == "__main__":
    sys.exit(main())
