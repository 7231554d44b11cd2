#!/usr/bin/env python3
"""Completes a folder of archives to the files of a release.

    release.py DIR --repository URL --tag vVERSION

Writes SHA256SUMS, the installer install.sh and the Homebrew formula interrogate.rb into DIR,
with the version, the address and the checksums of this release. The archives of all targets
must be there, except with --partial.
"""

import argparse
import hashlib
import re
from pathlib import Path

import licences
from archive import GLIBC, fail, version_of

# The archives of a release, by target.
TARGETS = {
    "x86_64-unknown-linux-gnu": ".tar.gz",
    "aarch64-unknown-linux-gnu": ".tar.gz",
    "x86_64-apple-darwin": ".tar.gz",
    "aarch64-apple-darwin": ".tar.gz",
    "x86_64-pc-windows-msvc": ".zip",
}


def stamped(template, values):
    """Returns a template with its `@NAME@` replaced."""
    def value(match):
        if match[1] not in values:
            fail(f"{template}: no value for @{match[1]}@")
        return values[match[1]]

    return re.sub(r"@([A-Z][A-Z0-9_]*)@", value, template.read_text("utf-8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the archives")
    parser.add_argument("--repository", required=True, help="address of the repository")
    parser.add_argument("--tag", required=True, help="tag of the release")
    parser.add_argument("--url", help="address of the files (default: the repository's release)")
    parser.add_argument("--partial", action="store_true", help="allow archives to be missing")
    args = parser.parse_args()
    version = version_of(licences.metadata())
    if args.tag != f"v{version}":
        fail(f"Cargo.toml: expected the version of the tag {args.tag}, found {version}")
    url = args.url or f"{args.repository}/releases/download/{args.tag}"
    values = {"VERSION": version, "URL": url, "HOMEPAGE": args.repository, "GLIBC": GLIBC}
    if not re.fullmatch(r"[0-9A-Za-z.+-]+", version) or not re.fullmatch(r"[!-&(-~]+", url + args.repository):
        fail("version and addresses: expected neither spaces nor quotes")
    sums = []
    for target, ending in TARGETS.items():
        path = args.folder / f"interrogate-{version}-{target}{ending}"
        digest = "0" * 64
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            sums.append(f"{digest}  {path.name}\n")
        elif not args.partial:
            fail(f"{path}: missing")
        values["SHA256_" + target.replace("-", "_").upper()] = digest
    packaging = Path(__file__).resolve().parent
    for name, mode in [("install.sh", 0o755), ("interrogate.rb", 0o644)]:
        text = stamped(packaging / name, values)
        (args.folder / name).write_text(text, "utf-8", newline="\n")
        (args.folder / name).chmod(mode)
    (args.folder / "SHA256SUMS").write_text("".join(sums), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
