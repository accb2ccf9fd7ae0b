"""Settings to detectors: those that come with this package, and classifiers of your own in processes of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from governance.canonical import canonical_bytes
from governance.errors import ConfigurationError, DetectorError, WorkError
from governance.facts import finding_facts
from governance.ports import Detector
from governance.types import Finding
from governance_adapters.detectors.isolated import IsolatedDetector
from governance_adapters.detectors.processes import Job
from governance_adapters.settings import ClassifierKind, ClassifierSettings, DetectorName, Settings

FACTORIES = {
    ClassifierKind.IMAGE_CLASSIFIER: "governance_adapters.detectors.classifiers:ImageClassifier",
    ClassifierKind.SAFETY_CHECKER: "governance_adapters.detectors.classifiers:SafetyChecker",
}
MAX_FINDINGS_BYTES = 20 * 1024
"""Of the 32 KiB of an entry, what the findings of all classifiers together may take, each with a reason of policy."""
_REASON_BYTES = 64
_LONGEST_SCORE = 1.2345678901234567e-05


def open_detectors(settings: Settings) -> tuple[Detector, ...]:
    """The detectors that the settings name, loaded, in their order.

    Raises:
        ConfigurationError: a classifier is not pinned, or the classes of all are too many for an entry.
        DetectorError: one cannot be loaded.
    """
    return open_named(settings, settings.detectors)


def open_named(settings: Settings, names: Iterable[str]) -> tuple[Detector, ...]:
    """Like `open_detectors`, for other names."""
    opened: list[Detector] = []
    try:
        opened.extend(open_detector(settings, name) for name in names)  # one by one: an error finds those before it
        require_room(opened)
    except BaseException:  # Ctrl-C too: whatever ends it, the processes of the others are let go of; raised again
        close_detectors(opened)
        raise
    return tuple(opened)


def open_detector(settings: Settings, name: str) -> Detector:
    """One detector, loaded.

    Raises:
        ConfigurationError: there is none of this name, or it is not pinned.
        DetectorError: it cannot be loaded.
    """
    if name == DetectorName.NSFW:
        from governance_adapters.detectors.nsfw import OpenNsfwDetector

        return OpenNsfwDetector(threads=settings.threads)
    if name == DetectorName.SIMILARITY:
        return _open_similarity(settings)
    if name in settings.classifiers:
        return IsolatedDetector(_job(name, settings.classifiers[name], settings))
    raise ConfigurationError(f"There is no detector {name!r}.", remedy="Name it in `classifiers`, or leave it out.")


def _open_similarity(settings: Settings) -> Detector:
    from governance_adapters.detectors.similarity.opening import open_similarity
    from governance_adapters.storage.works_reader import SqliteWorksReader

    try:
        register = SqliteWorksReader(settings.works_path)
    except WorkError as error:
        raise DetectorError(f"Pictures cannot be compared with the protected works: {error}") from error
    return open_similarity(register, settings.home, settings.embedding, threads=settings.threads)


def configured(settings: Settings) -> tuple[str, ...]:
    """The names of the detectors in use, then of the classifiers that are set and not in use."""
    return (*settings.detectors, *(name for name in settings.classifiers if name not in settings.detectors))


def close_detectors(detectors: Iterable[Detector]) -> None:
    """End the processes of those that have one."""
    for detector in detectors:
        if isinstance(detector, IsolatedDetector):
            detector.close()


@runtime_checkable
class Labelled(Protocol):
    """A detector that knows its labels before it has seen an image."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of its findings."""


def known_labels(detector: Detector) -> tuple[str, ...]:
    """The labels that `detector` will score, where it says so beforehand."""
    return detector.labels if isinstance(detector, Labelled) else ()


def require_room(detectors: Iterable[Detector]) -> None:
    """Refuse detectors whose findings would not fit an entry: every image would fail after its compute was spent.

    Raises:
        ConfigurationError: their labels take more than `MAX_FINDINGS_BYTES` at the worst scores.
    """
    sizes = {detector.name: sum(_room(detector, label) for label in known_labels(detector)) for detector in detectors}
    if sum(sizes.values()) > MAX_FINDINGS_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise ConfigurationError(
            f"The findings of {', '.join(sizes)} could take {sum(sizes.values())} bytes, and an entry has"
            f" {MAX_FINDINGS_BYTES} for them.",
            remedy=f"Use fewer classifiers, or a model of fewer classes or shorter names in place of {largest}.",
        )


def _room(detector: Detector, label: str) -> int:
    finding = Finding(detector.name, detector.digest, label, _LONGEST_SCORE)
    written = {**finding_facts(finding), "score_millionths": 1_000_000, "score": repr(_LONGEST_SCORE)}
    return len(canonical_bytes(written)) + 1 + _REASON_BYTES


def _job(name: str, chosen: ClassifierSettings, settings: Settings) -> Job:
    arguments: dict[str, Any] = {"name": name, "path": str(chosen.path.absolute()), "digest": chosen.digest}
    if chosen.kind is ClassifierKind.IMAGE_CLASSIFIER:
        arguments["benign"] = list(chosen.benign)
    return Job(
        name,
        FACTORIES[chosen.kind],
        arguments,
        threads=chosen.threads or settings.threads,
        seconds=settings.detector_seconds,
    )
