#!/usr/bin/env python3
"""Prints the licences of all crates that are linked into the programs.

    licences.py [--target TRIPLE]

Each text is printed once, under the crates that have it. A crate without a file of its own
is listed with its licence expression. Needs the crates' sources, which a build downloads.
"""

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = re.compile(r"(licen[cs]e|copying|notice|unlicense|copyright)", re.IGNORECASE)


def metadata(target=None):
    """Returns what cargo knows of the workspace and its dependencies."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    if target:
        command += ["--filter-platform", target]
    return json.loads(subprocess.check_output(command, cwd=ROOT))


def linked(meta):
    """Returns the packages of the programs, without those of tests and build scripts."""
    nodes = {node["id"]: node for node in meta["resolve"]["nodes"]}
    found, waiting = set(), list(meta["workspace_members"])
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            waiting += [
                dep["pkg"]
                for dep in nodes[package]["deps"]
                if any(kind["kind"] is None for kind in dep["dep_kinds"])
            ]
    found -= set(meta["workspace_members"])
    packages = [package for package in meta["packages"] if package["id"] in found]
    return sorted(packages, key=lambda package: (package["name"], package["version"]))


def texts(target=None):
    """Returns all licences as one text."""
    names_of, without = defaultdict(list), []
    for package in linked(metadata(target)):
        name = f"{package['name']} {package['version']}"
        folder = Path(package["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir() if path.is_file() and FILE.match(path.name))
        for path in files:
            text = path.read_text("utf-8", "replace").strip()
            if name not in names_of[text]:
                names_of[text].append(name)
        if not files:
            authors = ", ".join(re.sub(r"\s*<[^>]*>", "", author) for author in package["authors"])
            without.append(f"{name}: {package['license']}" + (f" ({authors})" if authors else ""))
    parts = ["interrogate and build-index contain the crates below, under these licences."]
    if without:
        parts.append("Crates that name a licence and have no text of it:\n\n" + "\n".join(without))
    for text, names in sorted(names_of.items(), key=lambda item: item[1]):
        parts.append("\n".join(names) + "\n\n" + text)
    return ("\n\n" + "=" * 80 + "\n\n").join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", help="target triple (default: all targets)")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.write(texts(parser.parse_args().target))


if __name__ == "__main__":
    main()
