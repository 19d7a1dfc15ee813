"""Whole programs, as tools run them: what both benches time, each as (name, script, what prepares its folder, goal)."""

from __future__ import annotations

GIT = "git -c user.name=a -c user.email=a@b"


def _files(folder: str, count: int) -> str:
    return (
        f"i=0; mkdir -p {folder}; cd {folder}; while [ $i -lt {count} ]; "
        "do mkdir -p d$((i/100)); echo line $i > d$((i/100))/f$i; i=$((i+1)); done"
    )


SOURCES = """mkdir c; cd c; i=0; while [ $i -lt 50 ]; do
    echo "#include <stdio.h>\nint f$i(void){return puts(\\"x\\");}" > $i.c; i=$((i+1)); done"""
PACKAGE = """mkdir -p p q; printf '{"name":"p","version":"1.0.0"}' > p/package.json; printf '{"name":"q"}' > q/package.json
    cd p; npm pack -s"""
INSTALL = "cd q; rm -rf node_modules; npm install -s --offline --no-audit --no-fund ../p/p-1.0.0.tgz"

WORK = [
    (
        "git status, 5,000 files",
        "cd g; git status --porcelain; git status --porcelain",
        f"{_files('g', 5000)}; git init -q .; git add .; {GIT} commit -qm x",
        1.05,
    ),
    ("gcc, 50 files", "cd c; for f in *.c; do cc -O1 -c $f; done", SOURCES, 1.05),
    ("npm install, cached package", INSTALL, PACKAGE, 1.05),
    ("grep -r, 10,000 files", "grep -r nothing-to-find n || true", _files("n", 10000), 1.20),
]
