"""contributing.py CHECKOUT DOCUMENT - does everything that the document names exist?

Names are what stands in `…` and in blocks of shell, outside of links (document_links.py follows those):

  a path       it exists; NAME and VERSION in one stand for what the reader makes, so some file must fit them
  make X       X is a target of the Makefile
  name()       something of that name is in ext/, shell/ or tests/lib/
  NAME or CAPITALS_WITH_UNDERSCORES, ending or not in =: a word of the Makefile or of include/taskresults.h

Prints each name that does not exist, and exits 1; at the end, how many names there were.
"""
import pathlib
import re
import sys

PATH = re.compile(r"\.{0,2}[\w.\-/]*(?:/[\w.\-]*|\.(?:md|c|h|bash|bats|awk|py|yml|sh))")


def words_of(text):
    """What is named: inline code, and the lines of blocks of shell up to their comments."""
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        for line in block.splitlines():
            yield line.split("#")[0].strip()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def sources(checkout):
    for folder in ("ext", "shell", "tests/lib"):
        for path in sorted((checkout / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".bash"):
                yield path.read_text(encoding="utf-8")


class Checker:
    def __init__(self, checkout):
        self.checkout = checkout
        makefile = (checkout / "Makefile").read_text(encoding="utf-8")
        self.targets = {name for line in re.findall(r"^([\w\- ]+):(?!=)", makefile, re.M) for name in line.split()}
        self.constants = set(re.findall(r"\b[A-Z][A-Z_]+\b", makefile + (checkout / "include/taskresults.h").read_text()))
        self.code = "\n".join(sources(checkout))

    def path_fault(self, word):
        path = word.lstrip("./") if word.startswith("./") else word
        pattern = re.sub(r"NAME|VERSION", "*", path)
        if pattern != path:
            return None if list(self.checkout.glob(pattern)) else f"no file fits {word}"
        return None if (self.checkout / path).exists() else f"no such file: {word}"

    def faults_of(self, text):
        """(whether it is a name at all, what is wrong with it) for each name in the text."""
        for target in re.findall(r"\bmake ((?:-s )?[a-z\-]+(?: [a-z\-]+)*)", text):
            for name in target.replace("-s ", "").split():
                yield None if name in self.targets else f"no target of the Makefile: {name}"
        call = re.fullmatch(r"(\w+)\(\)", text)
        if call:
            name = re.compile(r"\b" + call[1].replace("NAME", r"\w+") + r"\b")
            yield None if name.search(self.code) else f"no such function: {text}"
        if re.fullmatch(r"[A-Z][A-Z_]+", text) and text not in ("NAME", "VERSION", "UTC"):
            yield None if text in self.constants else f"neither in the Makefile nor in the header: {text}"
        for word in text.split():
            if PATH.fullmatch(word):
                yield self.path_fault(word)


def main(checkout, document):
    checker, names, faults = Checker(pathlib.Path(checkout)), 0, []
    for text in words_of(pathlib.Path(document).read_text(encoding="utf-8")):
        for fault in checker.faults_of(text):
            names += 1
            faults += [fault] if fault else []
    print("".join(f"{fault}\n" for fault in faults) + f"{names} names")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
