"""Read and write files safely: tensors, JSON and arrays.

A file is written under a temporary name, flushed to the disk and renamed. So no reader ever sees half of it,
not even after a power failure. Tensors are safetensors, everything else is JSON or plain .npz. Nothing is
ever loaded with pickle. Only the functions that take tensors import torch.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from gmvae.data.limits import JSON_BYTES, check_file, check_size

if TYPE_CHECKING:
    import torch


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, with a JSON object as metadata, as one safetensors file."""
    from safetensors.torch import save_file

    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write_whole(path, lambda part: save_file(whole, part, {"gmvae": json.dumps(about)}))


def read_tensors(
    path: str | Path, device: str | torch.device = "cpu"
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what :func:`write_tensors` wrote; ``ValueError`` if the file is anything else."""
    if not Path(path).is_file():
        raise ValueError(f"{path} does not exist: it must be a file that gmvae wrote")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            about = json.loads((file.metadata() or {})["gmvae"])
            if not isinstance(about, dict):
                raise ValueError("its metadata are not a JSON object")
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a complete file that gmvae wrote") from error


def checksum(tensors: Mapping[str, torch.Tensor], about: Mapping[str, Any]) -> str:
    """SHA-256 of tensors, with their names, types and shapes, and of a JSON object: 64 hexadecimal digits."""
    import torch

    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """``write`` a file under a temporary name in the same folder, then rename it to ``path``. It has the
    permissions of any new file.

    Raises:
        OSError: with the path, if it cannot be written, for example on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.touch()
        mode = part.stat().st_mode
        write(part)
        part.chmod(mode)  # safetensors has made it readable for the owner only
        _to_disk(part)
        os.replace(part, path)
        _to_disk(path.parent)
    except SafetensorError as error:
        raise OSError(errno.EIO, f"cannot be written ({error})", str(path)) from error
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def remove_parts(folder: Path) -> None:
    """Remove the unfinished files of killed processes in a folder and its subfolders, but not those that are
    being written now."""
    for part in folder.rglob(".*.part"):
        number = part.name.split(".")[-2]
        if not (number.isdecimal() and _runs(int(number))):
            part.unlink(missing_ok=True)


def _runs(process: int) -> bool:
    """Whether a process with this number exists."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it belongs to another user
        return True
    return True


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, have reached the disk."""
    if os.name != "posix" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect the numbers."""
    packages = ("gmvae", "torch", "numpy", "scikit-learn")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write an object as indented JSON."""
    write_whole(path, lambda part: part.write_text(text_of(value)))


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write an object as indented JSON, with its checksum."""
    write_json(path, {**value, "sha256": checksum({}, value)})


def read_sealed(path: Path, *, whole: bool = True) -> dict[str, Any]:
    """Read what :func:`write_sealed` wrote, and verify it byte for byte. Without ``whole`` the checksum can
    be missing, as in files of earlier versions.

    Raises:
        ValueError: if it is anything else.
    """
    value = read_json(path)
    known = value.get("sha256")
    if known is None and not whole:
        return value
    if known is None:
        raise ValueError(
            f"{path} has no checksum: it was written by an older version of gmvae, or was damaged or changed "
            "after it was written: start a new run"
        )
    text = path.read_bytes()
    rest = {name: item for name, item in value.items() if name != "sha256"}
    if known != checksum({}, rest) or text != text_of({**rest, "sha256": known}).encode():
        raise ValueError(
            f"{path} was damaged or changed after it was written: put back the file that belongs here, or "
            "start a new run"
        )
    return rest


def text_of(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """An object as the text of a JSON file."""
    return json.dumps(value, indent=2) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read the object in a JSON file; ``ValueError`` if it does not hold one."""
    value = _read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path} does not hold a JSON object")
    return value


def read_json_list(path: Path) -> list[Any]:
    """Read the list in a JSON file; ``ValueError`` if it does not hold one."""
    value = _read_json(path)
    if not isinstance(value, list):
        raise ValueError(f"{path} does not hold a JSON list")
    return value


def _read_json(path: Path) -> Any:
    return parse_json(path, read_bounded(path))


def read_bounded(path: Path) -> bytes:
    """Read the bytes of a JSON file.

    Raises:
        ValueError: if there are more than :data:`gmvae.data.limits.JSON_BYTES`, or it is not a regular file.
    """
    check_file(path)
    if path.stat().st_size > JSON_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes: at most {JSON_BYTES:,} are read")
    return path.read_bytes()


def parse_json(path: Path, text: str | bytes) -> Any:
    """Parse the text of a JSON file; ``ValueError``, with the path, if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also for wrong UTF-8 and for numbers with too many digits
        raise ValueError(f"{path} is not a complete JSON file") from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays as one .npz file."""

    def write(part: Path) -> None:
        with open(part, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    write_whole(path, write)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read the arrays of a .npz file; ``ValueError`` if it is not complete."""
    check_file(path)
    try:
        with ZipFile(path) as archive:
            check_size(path, sum(member.file_size for member in archive.infolist()), "its arrays have")
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (BadZipFile, ValueError, EOFError, LookupError, RuntimeError, SyntaxError, zlib.error) as error:
        raise ValueError(f"{path} is not a complete .npz file of arrays") from error
