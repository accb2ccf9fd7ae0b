"""Digests of tokenizers: fast ones by the state of their backend, those in plain Python by every attribute."""

from __future__ import annotations

import inspect
import json
import re
import threading
from collections.abc import Iterator
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from transformers import PreTrainedTokenizerBase

from governance.canonical import Digest, Json, canonical_bytes, digest, without_floats
from governance_adapters.pipelines.description.plain_state import attributes_of

_SET_BY_CALLS = ("truncation", "padding")
"""Parts of a tokenizer's state that every call of it sets anew."""

_SAID_ELSEWHERE = ("_special_tokens_map",)
"""Attributes that hold, now as texts and now as tokens, what the Python side and the added tokens say."""

_PADDING_SIDE = "padding_side"
_SETS_PADDING_SIDE = re.compile(rf"\.{_PADDING_SIDE}\s*=[^=]")
_STATES_KEPT = 8

_tokenizers: WeakKeyDictionary[PreTrainedTokenizerBase, dict[Digest, Digest]] = WeakKeyDictionary()
_lock = threading.Lock()


def tokenizer_digest(
    name: str, tokenizer: PreTrainedTokenizerBase, *, left_out: frozenset[str] = frozenset()
) -> Digest:
    """Normaliser, pre-tokenizer, vocabulary, merges and added tokens, and what the Python side adds.

    The whole state is written out and hashed each time; that of a fast one is parsed again only when it is another state.
    `left_out` are settings that the pipeline's own call sets, see `set_by_calls`.

    Raises:
        ModelError: a tokenizer in plain Python with an attribute that cannot be described.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    around = {part: value for part, value in _python_side(tokenizer).items() if part not in left_out}
    if backend is None or not hasattr(backend, "to_str"):
        vocabulary = digest(json.dumps(tokenizer.get_vocab(), sort_keys=True).encode("utf-8", "surrogatepass"))
        attributes = attributes_of(name, tokenizer)
        state = {part: value for part, value in attributes.items() if part not in {*left_out, *_SAID_ELSEWHERE}}
        return digest(canonical_bytes({"state": state, "vocabulary": vocabulary, "tokenizer": around}))
    return _fast_digest(tokenizer, backend.to_str(), around)


@cache
def set_by_calls(pipeline: type[Any]) -> frozenset[str]:
    """The settings of a tokenizer that the code of this pipeline's class sets in every call, as that of Sana does.

    They differ before the first call and after it, and say nothing of what it makes: the class does.
    """
    return frozenset({_PADDING_SIDE} if any(map(_SETS_PADDING_SIDE.search, _sources(pipeline))) else ())


def _sources(pipeline: type[Any]) -> Iterator[str]:
    for each in pipeline.__mro__:
        try:
            yield inspect.getsource(each)
        except (OSError, TypeError):  # made at runtime, or built in
            continue


def _fast_digest(tokenizer: PreTrainedTokenizerBase, raw: str, around: dict[str, Json]) -> Digest:
    key = digest(canonical_bytes(around) + raw.encode())
    with _lock:
        known = _tokenizers.setdefault(tokenizer, {}).get(key)
    if known is not None:
        return known
    state: dict[str, Any] = json.loads(raw)
    for volatile in _SET_BY_CALLS:
        state.pop(volatile, None)
    described = digest(canonical_bytes({"backend": without_floats(state), "tokenizer": around}))
    with _lock:
        states = _tokenizers.setdefault(tokenizer, {})
        if len(states) >= _STATES_KEPT:
            states.clear()
        states[key] = described
    return described


def _python_side(tokenizer: PreTrainedTokenizerBase) -> dict[str, Json]:
    """What transformers itself adds to the backend's work."""
    special: Any = tokenizer.special_tokens_map
    template = getattr(tokenizer, "chat_template", None)
    return {
        "model_max_length": str(tokenizer.model_max_length),
        "padding_side": str(tokenizer.padding_side),
        "truncation_side": str(tokenizer.truncation_side),
        "split_special_tokens": bool(getattr(tokenizer, "split_special_tokens", False)),
        "input_names": [str(name) for name in tokenizer.model_input_names],
        "special_tokens": {str(kind): str(token) for kind, token in special.items()},
        "chat_template": template if isinstance(template, str) else json.dumps(template, sort_keys=True),
    }
