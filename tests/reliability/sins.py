"""What no reader may do, done on purpose, so that it is known that the watch sees it."""

import ctypes
import faulthandler
import marshal
import os
import pickle
import socket
import time
from pathlib import Path

import h5py

COMPILED = compile("1", "x", "exec")
MARSHALLED = marshal.dumps(1)


def run_code(path, trap):
    exec(COMPILED)


def compile_code(path, trap):
    compile("1", "x", "eval")


def read_code(path, trap):
    marshal.loads(MARSHALLED)


def import_a_module(path, trap):
    __import__("this")


def call_the_shell(path, trap):
    os.system("true")


def unpickle_a_function(path, trap):
    pickle.loads(b"cos\ngetcwd\n.")


def load_a_library(path, trap):
    ctypes.CDLL(None)


def call_somebody(path, trap):
    socket.socket().connect((b"127.0.0.1", int(trap["url"].split(":")[2].split("/")[0])))


def write_a_file(path, trap):
    Path(trap["home"], "x").write_text("x")


def write_by_hdf5(path, trap):
    """Of which Python does not know."""
    h5py.File(os.path.join(trap["home"], "x.h5"), "w").close()


def read_a_file(path, trap):
    Path("/etc/passwd").read_text()


def read_by_hdf5(path, trap):
    h5py.File(trap["secret"], "r").close()


def take_memory(path, trap):
    return len(b"x" * (100 * 2**20))


def take_time(path, trap):
    began = time.process_time()
    while time.process_time() - began < 2.5:
        continue


def change_the_model(path, trap):
    from . import readers

    readers._READERS[0].target.seed = 99
    raise _refusal(path, "no")


def hang(path, trap):
    time.sleep(60)


def die(path, trap):
    faulthandler._sigsegv()


def fail(path, trap):
    raise KeyError("x")


def refuse_without_a_name(path, trap):
    raise _refusal("nothing", "no")


def refuse_with_escapes(path, trap):
    raise _refusal(path, "\x1b[2J")


def refuse_at_length(path, trap):
    raise _refusal(path, "x" * 10_000)


def load_another(path, trap):
    return "another"


def refuse_with_other_words(path, trap):
    raise _refusal(path, "something is wrong")


def _refusal(path, text):
    from jaxseq.models import FileRejected

    return FileRejected(f"{path}: {text}")


ALL = {name: each for name, each in list(globals().items())
       if callable(each) and getattr(each, "__module__", "") == __name__ and not name.startswith("_")}


def commit(name, trap):
    """In a cell: lets every loader do that from now on."""
    from . import readers

    readers._READERS[0].read = lambda kind, loader, path: ALL[name](path, trap)
