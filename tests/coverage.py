#!/usr/bin/env python3
"""Prints which lines of src/ the tests run, by folder and file, and those that they do not run; fails where too few are.

  coverage.py LCOV     a report of `cargo llvm-cov --lcov`

Code that is only there for tests (`#[cfg(test)]`, and files in a folder `tests`) is not counted."""
import collections
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What decides, and is fed by others: of each folder so much must be run.
STRICT = ["wire", "peer", "pieces", "torrent", "session"]
LEAST = 95.0


def lines_run(report):
    """How often each line was run that has code: {path: {line: count}}."""
    counts, path = collections.defaultdict(dict), None
    for line in open(report):
        if line.startswith("SF:"):
            path = os.path.relpath(line[3:].strip(), ROOT)
        elif line.startswith("DA:"):
            number, count = map(int, line[3:].split(",")[:2])
            counts[path][number] = max(counts[path].get(number, 0), count)
    return counts


def for_tests(text):
    """The numbers of the lines that are compiled for tests only."""
    numbers, inside = set(), None
    for number, line in enumerate(text, 1):
        if inside is None and line.strip() == "#[cfg(test)]":
            inside = line[: len(line) - len(line.lstrip())]
        elif inside is not None:
            numbers.add(number)
            # The item ends with its brace, where it began, or is of one line.
            if line.rstrip() == inside + "}" or re.match(r"\S.*;$", line[len(inside):]):
                inside = None
    return numbers


def main():
    rooms = collections.defaultdict(dict)
    for path, counts in lines_run(sys.argv[1]).items():
        parts = path.split(os.sep)
        if parts[0] != "src" or "tests" in parts or parts[-1] == "tests.rs":
            continue
        text = open(os.path.join(ROOT, path)).read().split("\n")
        left_out = for_tests(text)
        counted = {n: c for n, c in counts.items() if n not in left_out}
        if counted:
            room = parts[1] if len(parts) > 2 else "."
            rooms[room][path] = (counted, text)
    failed = []
    for room, files in sorted(rooms.items()):
        lines = sum(len(counted) for counted, _ in files.values())
        run = sum(1 for counted, _ in files.values() for count in counted.values() if count)
        share = 100 * run / lines
        print(f"src/{room}: {run} of {lines} lines, {share:.2f} %")
        for path, (counted, text) in sorted(files.items()):
            missed = [number for number, count in sorted(counted.items()) if not count]
            print(f"  {path}: {len(counted) - len(missed)} of {len(counted)}")
            for number in missed if room in STRICT else []:
                print(f"    {number}: {text[number - 1].strip()}")
        if room in STRICT and share < LEAST:
            failed.append(f"src/{room}: {share:.2f} %")
    missing = [room for room in STRICT if room not in rooms]
    if failed or missing:
        sys.exit(f"less than {LEAST} % of lines: " + ", ".join(failed + missing))


main()
