"""What of an entry can be searched and counted: from its body, its personal fields, and the documents that it names.

An outcome names no model itself: the redacted policy input that its decision was made on does. What was erased is no
trait any more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from governance.canonical import Json, parsed_digest, parsed_json
from governance.entries import Entry, EntryKind, PersonalField
from governance.errors import CanonicalError, QueryError
from governance.lineage.recall_entries import named_by
from governance.normalise import BREAK, normalise
from governance.records import asset_digest, asset_id, mark_named
from governance.search import ANY, TOP, Query, instant
from governance.shadow import SHADOW
from governance.words import unspaced

Score = tuple[str, str, int]
"""Detector, label, and the score in millionths."""

ASKED_FIELDS: Final = ("/principal/id", "/hold/requester")
DECIDED_FIELD: Final = "/reviewer/id"
PROMPT_FIELDS: Final = "/prompts/"
"""What the names of the personal fields begin with that hold prompts."""
_TRAININGS: Final = (EntryKind.TRAINING, EntryKind.TRAINING_DENIED, EntryKind.TRAINING_FAILED, EntryKind.TRAINED)
_NO_MODEL: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Traits:
    """What one entry is compared by. `moment` is its time as `governance.search.instant` has it; None: no time."""

    kind: EntryKind
    subject: str
    moment: tuple[str, str] | None
    principals: frozenset[str]
    reviewers: frozenset[str]
    purposes: frozenset[str]
    models: frozenset[str]
    model_digest: str
    adapters: frozenset[str]
    bundles: frozenset[str]
    stage: str
    outcome: str
    reasons: frozenset[str]
    scores: tuple[Score, ...]
    works: frozenset[str]
    assets: frozenset[str]
    mark: tuple[str, str] | None
    """Algorithm and id (decimal) of the watermark that a release names."""
    words: frozenset[str]
    """The words of its prompts, normalised, in every reading."""
    shadows: frozenset[str]
    """Of what was made in shadow mode `any`, and what enforcement would have made of it."""
    recalled: frozenset[str]
    """What a `recalled` entry names: ids of `released` entries and of audits, keys of models, digests of LoRAs."""

    @property
    def day(self) -> str | None:
        """The day (UTC) of its time."""
        return None if self.moment is None else self.moment[0][:10]


def traits_of(entry: Entry, fields: Iterable[PersonalField], documents: Mapping[str, bytes]) -> Traits:
    """The traits of an entry. `fields` are those of its personal fields that were not erased; `documents` by digest, of
    those that `input_digests` names.
    """
    body: Any = entry.body
    decision = _mapping(body.get("decision"))
    policy_input = _document(documents, decision.get("input"))
    model = _mapping(policy_input.get("model")) or _document(documents, body.get("model"))
    findings = [_mapping(each) for each in _sequence(body.get("findings"))]
    named = mark_named(entry)
    personal = {field.name: field.value for field in fields}
    digest = _model_digest(body, model)
    return Traits(
        kind=entry.kind,
        subject=entry.subject,
        moment=_moment(entry.time),
        principals=_texts(value for name, value in personal.items() if name in ASKED_FIELDS),
        reviewers=_texts([personal.get(DECIDED_FIELD)]),
        purposes=_texts(
            [body.get("purpose"), *(_mapping(policy_input.get(part)).get("purpose") for part in ("request", "hold"))]
        ),
        models=_texts(
            [
                *(digest, body.get("model"), model.get("pipeline")),
                *_mapping(model.get("components")).values(),
                *_trained(entry, "model"),
            ]
        ),
        model_digest=digest,
        adapters=_texts(
            [
                *(
                    value
                    for adapter in _sequence(model.get("adapters"))
                    for value in (_mapping(adapter).get("name"), _mapping(adapter).get("digest"))
                ),
                *_trained(entry, "adapter"),
            ]
        ),
        bundles=_texts(
            [decision.get("bundle_revision"), body.get("revision") if entry.kind is EntryKind.POLICY else None]
        ),
        stage=str(decision.get("stage") or ""),
        outcome=str(decision.get("outcome") or ""),
        reasons=_texts(
            [
                *(_mapping(each).get("code") for each in _sequence(decision.get("reasons"))),
                *_sequence(body.get("codes")),
            ]
        ),
        scores=tuple(score for each in findings if (score := _score(each)) is not None),
        works=_texts(each.get("work") for each in findings),
        assets=_texts([asset_digest(entry), asset_id(entry)]),
        mark=None if named is None else (named[0], named[2]),
        words=frozenset(
            word for name, value in personal.items() if name.startswith(PROMPT_FIELDS) for word in _prompt_words(value)
        ),
        shadows=_texts([ANY, _mapping(body[SHADOW]).get("verdict")] if SHADOW in body else ()),
        recalled=_texts(named_by(body) if entry.kind is EntryKind.RECALLED else ()),
    )


def input_digests(entry: Entry) -> tuple[str, ...]:
    """The documents of an entry that its traits come from: the policy input, and the model where it names one."""
    body: Any = entry.body
    named = [_mapping(body.get("decision")).get("input"), body.get("model")]
    return tuple(each for each in named if isinstance(each, str))


def matches(query: Query, traits: Traits) -> bool:
    """Whether every filter holds: what a search answers, whatever it finds its answers by."""
    return all(_holds(query, traits))


def finds_word(wanted: str, words: Iterable[str]) -> bool:
    """Whether a word of a query is among `words`.

    In scripts that do not space their words: as a part of one. Korean: as its beginning, since particles follow.
    """
    if unspaced(wanted):
        return any(wanted in word for word in words if unspaced(word))
    if is_syllabic(wanted):
        return any(word.startswith(wanted) for word in words)
    return wanted in words


def is_syllabic(word: str) -> bool:
    """Whether a word begins with a Korean syllable."""
    return "\uac00" <= word[:1] <= "\ud7a3"


def rollups_of(traits: Traits) -> Mapping[tuple[str, str, str], int]:
    """What an entry counts for, by day, name and value; nothing where its time is none.

    `kind`; `outcome`, as `release:allow`; `reason`, a code; `model`, a digest; `bundle`, a revision; `risk`, as
    `nsfw/nsfw:0.3`: the highest score of a detector's label, rounded down to tenths. Nothing is personal, and nothing is
    text that people are free to choose, such as a purpose.
    """
    day = traits.day
    if day is None:
        return {}
    highest: dict[tuple[str, str], int] = {}
    for detector, label, score in traits.scores:
        highest[detector, label] = max(score, highest.get((detector, label), 0))
    counted = [
        ("kind", traits.kind.value),
        *([("outcome", f"{traits.stage}:{traits.outcome}")] if traits.outcome else []),
        *(("reason", code) for code in traits.reasons),
        *([("model", traits.model_digest)] if traits.model_digest else []),
        *(("bundle", revision) for revision in traits.bundles),
        *(("risk", f"{name[0]}/{name[1]}:{score * 10 // TOP / 10}") for name, score in highest.items()),
    ]
    return Counter((day, name, value) for name, value in counted)


def _holds(query: Query, traits: Traits) -> Iterator[bool]:
    if query.since is not None:
        yield traits.moment is not None and instant(query.since) <= traits.moment
    if query.until is not None:
        yield traits.moment is not None and traits.moment < instant(query.until)
    for wanted, values in (
        (query.principal, traits.principals),
        (query.reviewer, traits.reviewers),
        (query.purpose, traits.purposes),
        (query.model, traits.models),
        (query.adapter, traits.adapters),
        (query.bundle, traits.bundles),
        (query.stage, (traits.stage,)),
        (query.outcome, (traits.outcome,)),
        (query.kind, (traits.kind,)),
        (query.reason, traits.reasons),
        (query.asset, traits.assets),
        (query.subject, (traits.subject,)),
        (query.work, traits.works),
        (query.shadow, traits.shadows),
        (query.recalled, traits.recalled),
    ):
        yield wanted is None or wanted in values
    for scores in query.scores:
        yield any(scores.holds(*each) for each in traits.scores)
    if query.watermark is not None:
        algorithm, mark_id = traits.mark or ("", "")
        yield mark_id == str(query.watermark) and query.algorithm in (None, algorithm)
    for word in query.wanted_words:
        yield finds_word(word, traits.words)


def _prompt_words(value: Json) -> Iterator[str]:
    """The words of one prompt's field, as it was normalised then; a bare text is normalised now."""
    normalised = value.get("normalised") if isinstance(value, Mapping) else value
    if isinstance(normalised, str):
        if not isinstance(value, Mapping):
            normalised = normalise(normalised)
        yield from (word for word in normalised.split() if word != BREAK.strip())


def _model_digest(body: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """The digest of the model as policy saw it, which all entries of a generation share, or else the one that the entry
    names; empty without either.
    """
    named = body.get("model")
    try:
        return parsed_digest(model) if model else named if isinstance(named, str) else ""
    except CanonicalError:
        return ""


def _trained(entry: Entry, kind: str) -> Iterator[object]:
    """What a training run changed, its base, and what came of it, so far as that is a `kind`: `model` or `adapter`."""
    if entry.kind in _TRAININGS:
        body: Any = entry.body
        result = _mapping(body.get("result"))
        yield body.get("base") if kind == "model" else None
        yield result.get("digest") if result.get("kind") == kind else None


def _score(finding: Mapping[str, Any]) -> Score | None:
    detector, label, score = (finding.get(name) for name in ("detector", "label", "score_millionths"))
    if not isinstance(detector, str) or not isinstance(label, str) or type(score) is not int or not 0 <= score <= TOP:
        return None
    return detector, label, score


def _moment(time: str) -> tuple[str, str] | None:
    try:
        return instant(time)
    except QueryError:
        return None


def _document(documents: Mapping[str, bytes], digest: object) -> Mapping[str, Any]:
    """A document as a mapping; an empty one where it is not kept, or is something else."""
    content = documents.get(digest) if isinstance(digest, str) else None
    try:
        return _NO_MODEL if content is None else _mapping(parsed_json(content))
    except (ValueError, RecursionError):
        return _NO_MODEL


def _texts(values: Iterable[object]) -> frozenset[str]:
    return frozenset(value for value in values if isinstance(value, str) and value)


def _mapping(value: object) -> Mapping[str, Any]:
    # What was parsed is a dict, which is quicker to tell.
    return value if isinstance(value, dict) or isinstance(value, Mapping) else _NO_MODEL  # noqa: SIM101


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
