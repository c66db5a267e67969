"""Archives of tar, made of names and contents."""

import io
import tarfile


def tarred(members, mode="w:gz"):
    """The bytes of an archive. members: (name, its bytes, or the type of a link and where it leads)."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
            else:
                info.type, info.linkname = content
            archive.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return held.getvalue()
