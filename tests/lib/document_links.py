"""document_links.py DIRECTORY - does every link of every *.md below DIRECTORY lead somewhere?

Links to files of the project must exist, and a #heading in a document must be one of its headings, as GitHub names them.
Links to other sites are not followed. Prints each broken link with its document and line, and exits 1.
"""
import pathlib
import re
import sys
import urllib.parse

from documents import documents_below


def prose_of(path):
    """(number, line) of the lines outside of code."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if re.match(r" *(```|~~~)", line):
            fenced = not fenced
        elif not fenced:
            yield number, line


def anchors_of(path):
    anchors = set()
    for _, line in prose_of(path):
        heading = re.match(r"#+ +(.*?) *#*$", line)
        if heading:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            anchors.add(anchor if anchor not in anchors else f"{anchor}-1")
    return anchors


def links_of(path):
    for number, line in prose_of(path):
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            yield number, link


def leads_nowhere(path, link):
    url = urllib.parse.urlsplit(link)
    if url.scheme or url.netloc:
        return None
    target = path.parent / urllib.parse.unquote(url.path) if url.path else path
    if not target.exists():
        return "no such file"
    if url.fragment and target.suffix == ".md" and url.fragment not in anchors_of(target):
        return "no such heading"
    return None


def main(top):
    faults = 0
    for path in documents_below(top):
        for number, link in links_of(path):
            fault = leads_nowhere(path, link)
            if fault:
                faults += 1
                print(f"{path.relative_to(top)}:{number}: {link}: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
