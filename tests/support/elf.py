"""What an ELF program asks of the system that loads it (64-bit, little-endian; the System V ABI's names).

What it imports is read where it has the older table of hashes, which alone says how many symbols there are.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path

LOAD, DYNAMIC, INTERP, STACK = 1, 2, 3, 0x6474E551
NEEDED, HASH, STRTAB, SYMTAB, STRSZ, RPATH, TEXTREL, FLAGS, RUNPATH = 1, 4, 5, 6, 10, 15, 22, 30, 29
DF_TEXTREL = 4
PF_X = 1


@dataclass
class Elf:
    """What a program asks for."""

    machine: int
    interpreter: str = ""
    needed: list[str] = field(default_factory=list)
    imported: set[str] = field(default_factory=set)
    alignments: list[int] = field(default_factory=list)
    tags: set[int] = field(default_factory=set)
    text_relocations: bool = False
    executable_stack: bool = False


def read_elf(path: Path) -> Elf:
    """Read a program's headers and its dynamic section."""
    data = path.read_bytes()
    assert data[:6] == b"\x7fELF\2\1"
    (machine,) = struct.unpack_from("<H", data, 18)
    (table,) = struct.unpack_from("<Q", data, 32)
    size, n = struct.unpack_from("<HH", data, 54)
    found, segments, dynamic = Elf(machine), [], b""
    for k in range(n):
        kind, flags, offset, address, _, in_file, _, alignment = struct.unpack_from(
            "<IIQQQQQQ", data, table + k * size
        )
        content = data[offset : offset + in_file]
        if kind == LOAD:
            segments.append((address, offset, in_file))
            found.alignments.append(alignment)
        elif kind == INTERP:
            found.interpreter = content.rstrip(b"\0").decode()
        elif kind == DYNAMIC:
            dynamic = content
        elif kind == STACK:
            found.executable_stack = bool(flags & PF_X)
    _read_dynamic(found, data, segments, dynamic)
    return found


def _read_dynamic(found, data, segments, dynamic):
    entries = [pair for pair in struct.iter_unpack("<QQ", dynamic) if pair[0]]
    values = dict(entries)
    found.tags = set(values)
    found.text_relocations = TEXTREL in values or bool(values.get(FLAGS, 0) & DF_TEXTREL)
    strings, symbols = (_offset(segments, values[tag]) for tag in (STRTAB, SYMTAB))
    names = data[strings : strings + values[STRSZ]]
    found.needed = [_name(names, value) for tag, value in entries if tag == NEEDED]
    if HASH not in values:
        return
    (n_symbols,) = struct.unpack_from("<I", data, _offset(segments, values[HASH]) + 4)
    for place in range(1, n_symbols):
        name, _, _, section = struct.unpack_from("<IBBH", data, symbols + 24 * place)
        if section == 0:
            found.imported.add(_name(names, name))


def _offset(segments, address):
    return next(
        offset + address - begin for begin, offset, size in segments if begin <= address < begin + size
    )


def _name(names, place):
    return names[place : names.index(b"\0", place)].decode()
