#!/usr/bin/env python3
"""Writes the archive of a release for one target, from programs that are built already.

    archive.py --target TRIPLE --bin DIR --out DIR

DIR/interrogate-VERSION-TRIPLE.tar.gz (.zip for Windows) holds both programs, completions,
manual pages, licences, dictionaries and the README, in a folder of the same name. The same
programs give the same bytes. Runs the programs, so they must be of this machine's kind.
"""

import argparse
import gzip
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import licences

ROOT = licences.ROOT
PROGRAMS = ["interrogate", "build-index"]

# The oldest glibc that Linux programs may need. install.sh compares it with the system's.
GLIBC = "2.34"

# Completion scripts by shell, under the names by which the shells look for them.
COMPLETIONS = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish", "powershell": "_{}.ps1"}


def fail(message):
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def version_of(meta):
    """Returns the version of the programs, in Cargo.toml."""
    return next(p["version"] for p in meta["packages"] if p["name"] == "interrogate-cli")


def output(*command):
    """Returns what a program prints."""
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        fail(f"{Path(command[0]).name}: {error}")


def check_version(program, name, version):
    """Checks that a program is of this version and has the starter."""
    lines = output(program, "--version").decode().splitlines()
    if lines[0] != f"{name} {version}":
        fail(f"{program}: expected {name} {version}, found {lines[0]}")
    if not any(re.match(r"features: .*\bstarter\b", line) for line in lines):
        fail(f"{program}: missing the starter; build it from a clone, with default features")


def check_glibc(program):
    """Checks that a Linux program needs no later glibc than `GLIBC`."""

    def number(version):
        return [int(part) for part in version.split(".")]

    found = re.findall(r"\bGLIBC_([0-9.]+)", output("objdump", "-p", program).decode())
    needed = max(found, key=number, default=GLIBC)
    print(f"{program}: needs glibc {needed}", file=sys.stderr)
    if number(needed) > number(GLIBC):
        fail(f"{program}: expected glibc {GLIBC} or older, found {needed}; build it on an older system")


def contents(target, folder, version):
    """Returns the files of the archive: names, bytes and modes."""
    files = {}
    suffix = ".exe" if "windows" in target else ""
    for name in PROGRAMS:
        program = folder / (name + suffix)
        if not program.is_file():
            fail(f"{program}: missing")
        check_version(program, name, version)
        if "linux-gnu" in target:
            check_glibc(program)
        files[name + suffix] = (program.read_bytes(), 0o755)
        for shell, file in COMPLETIONS.items():
            script = output(program, "completions", shell)
            files[f"completions/{file.format(name)}"] = (script, 0o644)
        with tempfile.TemporaryDirectory() as pages:
            output(program, "man", "--out", pages)
            for page in Path(pages).iterdir():
                files[f"man/{page.name}"] = (page.read_bytes(), 0o644)
    for name in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"]:
        files[name] = ((ROOT / name).read_bytes(), 0o644)
    files["THIRD-PARTY.txt"] = (licences.texts(target).encode(), 0o644)
    weights = ROOT / "crates/interrogate/weights"
    for path in [weights / "PROVENANCE.md", *(weights / "licences").iterdir()]:
        files[f"starter/{path.relative_to(weights).as_posix()}"] = (path.read_bytes(), 0o644)
    for path in (ROOT / "dicts").iterdir():
        files[f"dicts/{path.name}"] = (path.read_bytes(), 0o644)
    return sorted(files.items())


def commit_time():
    """Returns SOURCE_DATE_EPOCH, or the time of HEAD, or else the first day of a zip."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if not given:
        command = ["git", "log", "-1", "--format=%ct"]
        found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        given = found.stdout.strip() if found.returncode == 0 else ""
    return max(int(given or 0), 315619200)


def write_tar(path, folder, files, seconds):
    with path.open("wb") as raw:
        with gzip.GzipFile("", "wb", 6, raw, seconds) as zipped:
            with tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for name, (data, mode) in files:
                    entry = tarfile.TarInfo(f"{folder}/{name}")
                    entry.size, entry.mode, entry.mtime = len(data), mode, seconds
                    archive.addfile(entry, io.BytesIO(data))


def write_zip(path, folder, files, seconds):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, (data, mode) in files:
            entry = zipfile.ZipInfo(f"{folder}/{name}", time.gmtime(seconds)[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, mode << 16
            archive.writestr(entry, data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", required=True, help="target triple of the programs")
    parser.add_argument("--bin", required=True, type=Path, help="folder of the programs")
    parser.add_argument("--out", required=True, type=Path, help="folder for the archive")
    args = parser.parse_args()
    version = version_of(licences.metadata(args.target))
    files = contents(args.target, args.bin, version)
    args.out.mkdir(parents=True, exist_ok=True)
    folder = f"interrogate-{version}-{args.target}"
    is_zip = "windows" in args.target
    path = args.out / (folder + (".zip" if is_zip else ".tar.gz"))
    (write_zip if is_zip else write_tar)(path, folder, files, commit_time())
    print(path)


if __name__ == "__main__":
    main()
