#!/usr/bin/env python3
"""The rules of sql/: a number is one file's, src/install.rs installs the files in the order of their numbers, and each object has its
comment behind it, in the same file."""

import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NUMBERED = re.compile(r"(\d\d)_\w+\.sql")
CREATED = re.compile(
    r"^ *CREATE (?:UNIQUE )?(SCHEMA|TABLE|INDEX|SEQUENCE|VIEW|TYPE|DOMAIN|FUNCTION|PROCEDURE|TRIGGER) (?:(?:credit|@extschema@)\.)?(\w+)", re.M
)


def check_numbers():
    text = (REPOSITORY / "src/install.rs").read_text()
    steps = re.findall(r'extension_sql_file!\(\s*"\.\./sql/([^"]+)",\s*name = "(\w+)",(.*?)\);', text, re.S)
    installed = [file for file, _, _ in steps]
    there = sorted(path.name for path in (REPOSITORY / "sql").iterdir() if NUMBERED.fullmatch(path.name))
    for file in sorted(set(installed) ^ set(there)):
        yield f"sql/{file}: it must be both in sql/ and in src/install.rs"
    numbers = [NUMBERED.fullmatch(file) and file[:2] for file in installed]
    for (before, number), file in zip(zip(numbers, numbers[1:]), installed[1:]):
        if not (before and number and before < number):
            yield f"src/install.rs: {file} must have a higher number than the file before it"
    for (_, before, _), (file, _, order) in zip(steps, steps[1:]):
        if f'"{before}"' not in order and "finalize" not in order:
            yield f'src/install.rs: {file} must require "{before}", the file before it'


def check_comments():
    for path in sorted((REPOSITORY / "sql").iterdir()):
        if not NUMBERED.fullmatch(path.name):
            continue
        text = path.read_text()
        for created in CREATED.finditer(text):
            kind, name = created.groups()
            comment = re.compile(rf"^COMMENT ON {kind} (?:(?:credit|@extschema@)\.)?{name}\b", re.M)
            if not comment.search(text, created.end()):
                line = text.count("\n", 0, created.start()) + 1
                yield f"sql/{path.name}:{line}: {kind} {name} has no COMMENT behind it in this file"


broken = [*check_numbers(), *check_comments()]
print("\n".join(broken), end="\n" if broken else "")
sys.exit(bool(broken))
