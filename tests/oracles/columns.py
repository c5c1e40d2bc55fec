"""columns.py PAGE TABLE - does the man page describe every column of the table, with its type, and no other?

PAGE is taskresults-tables.7. What the table has comes as PRAGMA table_xinfo gives it on standard input, one column a line:
name|type|hidden. In the page, a table's section begins with its name, and its first list, of the columns, has the names as
terms, and below each the type, and "hidden" if SELECT * leaves it out.
"""
import re
import sys


def plain(text):
    text = re.sub(r"\\f[BIR]", "", text)
    return text.replace("\\-", "-").replace("\\(aq", "'").replace("\\(dq", '"').replace("\\&", "")


def described(page, table):
    """The columns in the first list of the table's section: [(name, its description)]."""
    sections = re.split(r"^\.SS ", page, flags=re.M)
    section = next(text for text in sections if re.match(rf"{table}\b", plain(text)))
    lines = section.split("\n")
    found = []
    for number, line in enumerate(lines):
        if line == ".TP":
            found += [(name, plain(lines[number + 2])) for name in plain(lines[number + 1]).split(", ")]
        elif found and line in (".PP", ".RS 4"):
            break
    return found


def main(path, table):
    with open(path, encoding="utf-8") as file:
        columns = described(file.read(), table)
    expected = [line.split("|") for line in sys.stdin.read().splitlines()]
    assert expected, f"no columns of {table} to compare with"
    faults = [f"{table}.{name}: not described" for name, _, _ in expected if name not in dict(columns)]
    faults += [f"{table}.{name}: no such column" for name, _ in columns if name not in {name for name, _, _ in expected}]
    faults += [f"{table}.{name}: twice" for name in dict(columns) if [n for n, _ in columns].count(name) > 1]
    for name, kind, hidden in expected:
        words = dict(columns).get(name, "").split(":")[0]
        if name in dict(columns) and ("hidden" in words) != (hidden != "0"):
            faults.append(f"{table}.{name}: hidden is {hidden}, the page says: {words}")
        said = re.search(r"\b(TEXT|INTEGER|REAL)\b", words)
        if said and said[1] != kind:
            faults.append(f"{table}.{name}: {kind}, the page says {said[1]}")
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main(*sys.argv[1:]))
