"""Objects of a Kafka archive as the Confluent S3 sink lays them out, and the records in them.

It finds the objects below a folder, undoes their compression and cuts them into records, one per
line. It knows nothing of payroll, of windows or of rows, and it must not be clever: damage of any
kind ends the reading. Called by oracle.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# Small, so that one piece of a hostile gzip stream can't become more than about 64 MiB.
CHUNK_BYTES = 64 * 1024
LAST_OFFSET = 2**63 - 1
BLANKS = b" \t\r"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# topic+partition+first offset, then the extension, of which only the side views matter here.
OBJECT_NAME = re.compile(
    r"(?P<topic>[A-Za-z0-9._-]{1,249})\+(?P<partition>[0-9]+)\+(?P<first>[0-9]{1,40})(?P<rest>(?:\.[^/]+)?)"
)
SIDE_VIEW = re.compile(r"\.(?:keys|headers)(?:\.|$)")
FOREIGN_MAGIC = {
    b"Obj\x01": "Avro",
    b"PAR1": "Parquet",
    b"\xff\x06\x00\x00": "snappy",
    b"\x82SNA": "snappy",
    b"\x04\x22\x4d\x18": "lz4",
    b"BZh": "bzip2",
    b"\xfd7zX": "xz",
    b"PK\x03\x04": "zip",
}


class DamagedObjectError(Exception):
    """An object that can't be read to its end; the text names it and says why."""


class MissingToolError(Exception):
    """A program that has to be installed before an object can be read."""


@dataclass(frozen=True)
class ArchiveObject:
    """One file of the archive; first is the Kafka offset that its name gives to its first record."""

    topic: str
    partition: int
    first: int
    path: Path


def find_objects(folder: Path) -> tuple[list[ArchiveObject], list[Path]]:
    """Returns the value objects below folder by topic, partition, first offset, path; and the other files."""
    objects: list[ArchiveObject] = []
    others: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = OBJECT_NAME.fullmatch(path.name)
        if name is None or SIDE_VIEW.match(name["rest"]) or int(name["first"]) > LAST_OFFSET:
            others.append(path)
            continue
        objects.append(ArchiveObject(name["topic"], int(name["partition"]), int(name["first"]), path))
    objects.sort(key=lambda o: (o.topic, o.partition, o.first, str(o.path)))
    return objects, others


def read_records(path: Path) -> Iterator[bytes]:
    """Yields each record of an object: its line without the blanks around it. Blank lines are none."""
    for number, line in enumerate(split_lines(read_chunks(path))):
        if number == 0:
            line = line.removeprefix(BYTE_ORDER_MARK)
        record = line.strip(BLANKS)
        if record:
            yield record


def count_records(path: Path) -> int:
    """Counts the records of an object."""
    return sum(1 for _ in read_records(path))


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cuts a stream of bytes at every newline, wherever the chunks end."""
    pending: list[bytes] = []
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        pending.append(first)
        for part in rest:
            yield b"".join(pending)
            pending = [part]
    yield b"".join(pending)


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yields the decompressed bytes of an object. The codec is read from its first bytes."""
    with path.open("rb") as file:
        magic = file.read(4)
    for foreign, name in FOREIGN_MAGIC.items():
        if magic.startswith(foreign):
            raise DamagedObjectError(f"{path}: is {name}, not JSON lines")
    if magic.startswith(b"\x1f\x8b"):
        return read_gzip(path)
    if magic == b"\x28\xb5\x2f\xfd" or (magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5):
        return read_zstd(path)
    return read_plain(path)


def read_plain(path: Path) -> Iterator[bytes]:
    """Yields the bytes as they are."""
    with path.open("rb") as file:
        while data := file.read(CHUNK_BYTES):
            yield data


def read_gzip(path: Path) -> Iterator[bytes]:
    """Yields the bytes of every gzip member; anything else after a member is damage."""
    member = None
    for data in read_plain(path):
        while data:
            # 31: a gzip header is demanded, and its checksum and length are verified.
            member = member or zlib.decompressobj(wbits=31)
            try:
                yield member.decompress(data)
            except zlib.error as error:
                raise DamagedObjectError(f"{path}: damaged gzip: {error}") from error
            data = member.unused_data
            if member.eof:
                member = None
    if member is not None:
        raise DamagedObjectError(f"{path}: damaged gzip: ends inside a member")


def read_zstd(path: Path) -> Iterator[bytes]:
    """Yields the bytes of every zstd frame, decompressed by the zstd program."""
    program = shutil.which("zstd")
    if program is None:
        raise MissingToolError(f"{path}: is zstd, and the program zstd is not installed")
    command = [program, "-d", "-c", "-q", "--long=31"]
    with path.open("rb") as file, subprocess.Popen(
        command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        while data := process.stdout.read(CHUNK_BYTES):
            yield data
        reason = process.stderr.read(1000).decode(errors="replace").strip()
    if process.returncode != 0:
        raise DamagedObjectError(f"{path}: damaged zstd: {reason}")
