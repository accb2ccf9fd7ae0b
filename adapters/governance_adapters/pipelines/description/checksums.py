"""Checksums over all of a model's memory, where the memory is: what shows that weights are still the ones hashed before.

The words of a storage, 32 bits each, are multiplied by random 64-bit keys and summed modulo 2^64, block by block (the
multilinear hash of Carter and Wegman, "Universal classes of hash functions", 1979, with the word size of Lemire and Kaser,
"Strongly universal string hashing is fast", 2014). Whatever the two contents, the same block sums come out with probability
2^-33 at most: each word counts by its place, so words that changed places change the sum. The keys are drawn once for each
process and never leave it; so a checksum means nothing to another process, and nobody can write weights to fit it.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import numpy as np
import torch

_WORDS = 4096
"""Words of a block: as many keys."""
_ROWS_ON_CPU, _ROWS_ON_DEVICE = 8, 4096
"""Blocks at a time: what stays in a core's cache, or is worth a kernel; 64 MB of a device's memory, and twice that."""
_WORD_BYTES, _KEY_BYTES = 4, 8
_SMALL = 64 << 10
"""Bytes below which a storage is summed together with others."""
_WORTH_THREADS = 64 << 20
"""Bytes from which on several threads are quicker."""

Span: TypeAlias = tuple[torch.Tensor, int, int]
"""The bytes of one storage, and from where to where they are summed; a span begins where a block does."""

_keys: dict[torch.device, torch.Tensor] = {}
_lock = threading.Lock()


def memory_checksum(storages: Sequence[torch.UntypedStorage]) -> bytes:
    """The checksum of `storages`, in their order, 32 bytes: the same for the same bytes, on whichever device they are.

    What is on a device is summed there: eight bytes for each 16 KiB are all that is copied to the host.
    """
    sha = hashlib.sha256()
    of_device: dict[torch.device, list[torch.Tensor]] = {}
    for storage in storages:
        of_device.setdefault(storage.device, []).append(_content(storage))
    for contents in of_device.values():
        sha.update(str([content.numel() for content in contents]).encode())
        sha.update(torch.cat(_summed(list(_spans(contents)))).cpu().numpy().tobytes())
    return sha.digest()


def _content(storage: torch.UntypedStorage) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8, device=storage.device).set_(storage)


def _spans(contents: Sequence[torch.Tensor]) -> Iterator[Span]:
    """Small ones are put together first: a model has many, and each alone would cost as much as a large one."""
    small = [content for content in contents if content.numel() < _SMALL]
    for content in (torch.cat(small), *(each for each in contents if each.numel() >= _SMALL)) if small else contents:
        yield content, 0, content.numel()


def _summed(spans: Sequence[Span]) -> list[torch.Tensor]:
    device, total = spans[0][0].device, sum(stop - start for _, start, stop in spans)
    keys, workers = _keys_on(device), torch.get_num_threads()
    if device.type != "cpu" or workers == 1 or total < _WORTH_THREADS:
        return [each for span in spans for each in _sums(span, keys)]
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(lambda span: list(_sums(span, keys)), _pieces(spans))
        return [each for part in parts for each in part]


def _pieces(spans: Sequence[Span]) -> Iterator[Span]:
    """The same spans in pieces of 16 MiB, so that one large storage keeps every thread busy."""
    length = 1024 * _WORDS * _WORD_BYTES
    for content, start, stop in spans:
        for begin in range(start, stop, length):
            yield content, begin, min(begin + length, stop)


def _sums(span: Span, keys: torch.Tensor) -> Iterator[torch.Tensor]:
    """One sum for each block, one for the words that make no whole block, and one for the bytes that make no word."""
    content, start, stop = span
    whole = start + (stop - start) // _WORD_BYTES * _WORD_BYTES
    words = content[start:whole].view(torch.int32)
    blocks = len(words) // _WORDS
    table = words[: blocks * _WORDS].view(blocks, _WORDS)
    on_cpu = content.device.type == "cpu"
    step = _ROWS_ON_CPU if on_cpu else _ROWS_ON_DEVICE
    wide = torch.empty(min(step, blocks), _WORDS, dtype=torch.int64, device=content.device)
    for first in range(0, blocks, step):
        rows = table[first : first + step]
        factors = wide[: len(rows)].copy_(rows)
        yield torch.mv(factors, keys) if on_cpu else factors.mul_(keys).sum(1)
    for rest in (words[blocks * _WORDS :], content[whole:stop]):
        if len(rest) or start == stop:
            yield (rest.to(torch.int64) * keys[: len(rest)]).sum().reshape(1)


def _keys_on(device: torch.device) -> torch.Tensor:
    with _lock:
        if not _keys:
            drawn = np.frombuffer(secrets.token_bytes(_WORDS * _KEY_BYTES), np.int64)
            _keys[torch.device("cpu")] = torch.from_numpy(drawn.copy())
        if device not in _keys:
            _keys[device] = _keys[torch.device("cpu")].to(device)
        return _keys[device]
