"""Unpacks npm's tarballs: files and folders, nothing else, nowhere else."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from agentbox.errors import InstallError


def unpack(archive: Path, target: Path, what: str, wanted: Callable[[str], bool] = lambda _: True) -> None:
    """The files in the archive's one folder (mostly called `package`), as npm does: links and devices are left out."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                parts = PurePosixPath(member.name).parts[1:]
                if ".." in parts or PurePosixPath(member.name).is_absolute():
                    raise InstallError(what, f"its archive reaches out of its folder: {member.name}")
                if not parts or not member.isfile() or not wanted("/".join(parts)):
                    continue
                path = target.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                source = tar.extractfile(member)
                assert source is not None
                with source, path.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                path.chmod(0o755 if member.mode & 0o111 else 0o644)
    except (tarfile.TarError, EOFError) as error:
        raise InstallError(what, f"its archive cannot be read: {error}") from None
