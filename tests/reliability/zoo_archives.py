"""Archives that mean harm: names, links, members that lie in each other, bombs, lies about sizes (Z6 to Z11)."""

import struct
import zipfile
import zlib

from .attack import Attack, bytes_of, copied
from .rebuilding import CONFIG, METADATA, WEIGHTS, parts, zipped

CENTRAL, LOCAL, END = b"PK\1\2", b"PK\3\4", b"PK\5\6"
FILE, FOLDER, LINK, PIPE, DEVICE = 0o100644, 0o040755, 0o120777, 0o010666, 0o020666


def special(name, mode):
    """A member that is a link, a pipe or the like."""
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def unnamed(name, stored):
    """A member whose name is written as it is, what ZipInfo would make of it notwithstanding."""
    info = zipfile.ZipInfo(name)
    info.filename = stored
    return info


def more(*members):
    """The good archive with more members."""
    return lambda good, trap: zipped([*parts(good).items(), *members])


def changed(name, content, method=zipfile.ZIP_STORED):
    """The good archive with another content of one member: content(of the good one)."""
    def build(good, trap):
        held = parts(good)
        return zipped({**held, name: content(held[name])}.items(), method)

    return build


def replaced(info, content=b""):
    """The good archive with a special member in the place of its metadata."""
    return lambda good, trap: zipped([(info, content), *list(parts(good).items())[1:]])


def patched(name, place, size, value, mark=CENTRAL, method=zipfile.ZIP_STORED, content=None):
    """The archive with some bytes changed in a member's entry, in the table of contents or (LOCAL) in front of it."""
    def build(good, trap):
        held = parts(good)
        raw = bytearray(zipped({**held, name: held[name] if content is None else content}.items(), method))
        at = raw.rindex(name.encode()) if mark == CENTRAL else raw.index(name.encode())
        start = raw.rindex(mark, 0, at)
        raw[start + place:start + place + size] = value.to_bytes(size, "little")
        return bytes(raw)

    return build


def end_patched(place, size, value):
    """The archive with some bytes of its last record changed."""
    def build(good, trap):
        raw = bytearray(good.read_bytes())
        start = raw.rindex(END) + place
        raw[start:start + size] = value.to_bytes(size, "little")
        return bytes(raw)

    return build


def in_64_bits(good, trap):
    """An entry that tells its size in the field for large ones: 2^63 bytes."""
    raw = bytearray(good.read_bytes())
    start = raw.rindex(CENTRAL, 0, raw.rindex(WEIGHTS.encode()))
    extra = struct.pack("<HHQ", 1, 8, 2**63)
    name, had = struct.unpack_from("<HH", raw, start + 28)
    raw[start + 24:start + 28] = b"\xff" * 4
    struct.pack_into("<H", raw, start + 30, had + len(extra))
    at = start + 46 + name
    raw[at:at] = extra
    end = raw.rindex(END)
    struct.pack_into("<L", raw, end + 12, struct.unpack_from("<L", raw, end + 12)[0] + len(extra))
    return bytes(raw)


def quined(good, trap):
    """An archive within: a .keras file as the weights of a .keras file."""
    return zipped({**parts(good), WEIGHTS: good.read_bytes()}.items())


def renamed(good, trap):
    """A member that is called otherwise in front of it than in the table of contents."""
    raw = bytearray(good.read_bytes())
    at = raw.index(CONFIG.encode())
    raw[at:at + len(CONFIG)] = b"CONFIG.JSON"
    return bytes(raw)


def other_checksum(good, trap):
    raw = bytearray(good.read_bytes())
    start = raw.rindex(CENTRAL, 0, raw.rindex(WEIGHTS.encode()))
    struct.pack_into("<L", raw, start + 16, zlib.crc32(b"another"))
    return bytes(raw)


BLANKS = lambda content: b" " * 30_000_000 + content
ZEROS = lambda content: bytes(30_000_000)

ARCHIVES = {
    "Z6 a way out": (more(("../../evil", b"x")), "the member '../../evil'"),
    "Z6 a place of its own": (more(("/abs/evil", b"x")), "the member '/abs/evil'"),
    "Z6 a drive": (more(("C:\\evil", b"x")), "the member 'C:"),
    "Z6 backslashes": (more(("a\\..\\evil", b"x")), "the member"),
    "Z6 assets": (more(("assets/x", b"x")), "the member 'assets/x'"),
    "Z6 a way out of the assets": (more(("assets/../../x", b"x")), "the member 'assets/../../x'"),
    "Z6 a name with a zero byte": (more((unnamed("x", CONFIG + "\0.txt"), b"x")), ""),
    "Z6 a name with escapes": (more(("\x1b[2J\r", b"x")), "the member '\\x1b[2J\\r'"),
    "Z7 a link": (replaced(special(METADATA, LINK), b"/etc/passwd"), "a link, a folder or a device"),
    "Z7 a pipe": (replaced(special(METADATA, PIPE)), "a link, a folder or a device"),
    "Z7 a device": (replaced(special(METADATA, DEVICE)), "a link, a folder or a device"),
    "Z7 a folder": (replaced(special(METADATA, FOLDER)), "a link, a folder or a device"),
    "Z7 a member behind a link": (more((special("assets", LINK), b"/etc"), ("assets/x", b"x")), "the member 'assets'"),
    "Z8 a config twice": (more((CONFIG, b"{}")), "a member that is there twice"),
    "Z8 weights twice": (more((WEIGHTS, b"")), "a member that is there twice"),
    "Z8 another case": (more(("Config.json", b"{}")), "the member 'Config.json'"),
    "Z8 a dot behind": (more((CONFIG + ".", b"{}")), "the member 'config.json.'"),
    "Z9 another name in front": (renamed, "this is no whole .keras file"),
    "Z9 two in one place": (patched(CONFIG, 42, 4, 0), "members that lie in each other"),
    "Z9 something in front": (lambda good, trap: b"#!/bin/sh\n" + good.read_bytes(), "it does not begin as a zip archive"),
    "Z9 something behind": (lambda good, trap: good.read_bytes() + b"#" * 100, "does not end as a zip archive"),
    "Z9 a comment": (lambda good, trap: (end_patched(20, 2, 2**16 - 1)(good, trap)) + b"#" * (2**16 - 1),
                     "does not end as a zip archive"),
    "Z9 a part of several": (end_patched(4, 2, 7), "is one of several"),
    "Z9 a count that is wrong": (end_patched(8, 2, 2), "is one of several"),
    "Z9 a beginning that is elsewhere": (end_patched(16, 4, 0), ""),
    "Z9 nothing": (lambda good, trap: zipped([]), "it does not begin as a zip archive"),
    "Z9 empty": (lambda good, trap: b"", "it does not begin as a zip archive"),
    "Z9 no weights": (lambda good, trap: zipped(list(parts(good).items())[:2]), "there is no model.weights.h5"),
    "Z9 no config": (lambda good, trap: zipped([each for each in parts(good).items() if each[0] != CONFIG]),
                     "there is no config.json"),
    "Z10 stored blanks": (changed(CONFIG, BLANKS), "declares 30,"),
    "Z10 a bomb of blanks": (changed(CONFIG, BLANKS, zipfile.ZIP_DEFLATED), "declares 30,"),
    "Z10 blanks by bzip2": (changed(CONFIG, BLANKS, zipfile.ZIP_BZIP2), "is compressed in the way 12"),
    "Z10 blanks by lzma": (changed(CONFIG, BLANKS, zipfile.ZIP_LZMA), "is compressed in the way 14"),
    "Z10 a bomb of zeros": (changed(WEIGHTS, ZEROS, zipfile.ZIP_DEFLATED), "model.weights.h5': declares 30,000,000 bytes"),
    "Z10 255 MiB": (changed(WEIGHTS, lambda content: bytes(255 * 2**20), zipfile.ZIP_DEFLATED), "declares 267,386,880 bytes"),
    "Z10 3.9 GiB": (patched(WEIGHTS, 24, 4, int(3.9 * 2**30)), "declares 4,187,593,113 bytes"),
    "Z10 20,000 members": (lambda good, trap: zipped([(str(number), b"") for number in range(20_000)]),
                           "20,000 members in a table of contents"),
    "Z10 an archive in the archive": (quined, "this is no whole HDF5 file"),
    "Z11 less than there is": (patched(WEIGHTS, 24, 4, 10), ""),
    "Z11 a bomb that says it is small": (patched(WEIGHTS, 24, 4, 1000, CENTRAL, zipfile.ZIP_DEFLATED, bytes(2**27)), ""),
    "Z11 another checksum": (other_checksum, "this is no whole .keras file"),
    "Z11 encrypted": (patched(CONFIG, 8, 2, 1), "is encrypted"),
    "Z11 encrypted otherwise": (patched(CONFIG, 8, 2, 0x41), "is encrypted"),
    "Z11 2^63 bytes": (in_64_bits, "declares 9,223,372,036,854,775,808 bytes"),
    "Z11 a patch": (patched(CONFIG, 8, 2, 0x20), ""),
    "Z11 more than the file": (patched(WEIGHTS, 20, 4, 2**31), ""),
    "S1 a map of shards": (more(("model.weights.json", b'{"weight_map": {"/layers/dense": ["../x"]}}')),
                           "the member 'model.weights.json'"),
}

TWIN = bytes_of(lambda good, trap: zipped(parts(good).items()))

ATTACKS = [Attack(name, "keras", told, bytes_of(build), TWIN, ("load_model", "load_weights"))
           for name, (build, told) in ARCHIVES.items()]


def cut(part, of):
    return bytes_of(lambda good, trap: (content := good.read_bytes())[:len(content) * part // of])


def short(number):
    return bytes_of(lambda good, trap: good.read_bytes()[:number])


ATTACKS += [Attack(f"Z14 {what}", kind, "", make, copied, by)
            for kind, by in (("keras", ("load_model", "load_weights")), ("weights", ("load_weights",)),
                             ("whole", ("load_model", "load_weights")), ("legacy", ("load_weights",)),
                             ("tensors", ("load_weights",)))
            for what, make in (("the first half", cut(1, 2)), ("all but the last byte", short(-1)), ("8 bytes", short(8)))]
