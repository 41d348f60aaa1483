"""Packs the samples that README's table of archives is made of with Python's bz2 and lzma: Go's libraries only read these.

python3 make.py NAME...   # names below ../formats, such as plain.jsonl and ../frames/avro.bin
"""
import bz2, lzma, os, sys

here = os.path.dirname(os.path.abspath(__file__))
for name in sys.argv[1:]:
    with open(f"{here}/../formats/{name}", "rb") as f:
        body = f.read()
    for extension, packed in ((".bz2", bz2.compress(body)), (".xz", lzma.compress(body))):
        with open(f"{here}/{name.removeprefix('../').replace('/', '-')}{extension}", "wb") as f:
            f.write(packed)
