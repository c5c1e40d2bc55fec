"""blocks.py DOCUMENT DIRECTORY - writes the blocks of the document that need a server to DIRECTORY/1, DIRECTORY/2, ... in their order."""
import pathlib
import sys

import documents

blocks = documents.blocks_of(documents.pathlib.Path(sys.argv[1]), "examples/clickhouse/README.md")
wanted = [key for key, reason in documents.NOT_RUN.items() if reason is documents.SERVER]
for number, block in enumerate((block for block in blocks if block.language == "sh" and block.fits(wanted)), 1):
    pathlib.Path(sys.argv[2], str(number)).write_text(block.code, encoding="utf-8")
