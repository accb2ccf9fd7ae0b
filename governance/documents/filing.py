"""A document as it is filed: its content for programs, its sections for people, and what is open in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from governance.canonical import Json
from governance.documents.answers import STATEMENT, DocumentKind, Form, Gap, Reply, Section, filled, gaps_of
from governance.documents.sources import Cited, DatasetSource, Sources
from governance.errors import DocumentError
from governance.registers.standing import State

VERSION: Final = 1
"""Of the shape of our own forms as JSON."""


@dataclass(frozen=True, slots=True)
class Filing:
    """One document about `subject`.

    `content` is what is written as JSON: of a standard, exactly what that standard says; of a law's form, the shape in
    docs/documents.md. `sections` say the same to people. `gaps` are all that is open, `entries` what the document stands on.
    `front` is what a model card begins with for programs, empty elsewhere.
    """

    kind: DocumentKind
    title: str
    source: str
    subject: str
    sources: Sources
    sections: tuple[Section, ...]
    content: Mapping[str, Any]
    front: Mapping[str, Any]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What no record says."""
        return tuple(gaps_of(self.sections))

    @property
    def entries(self) -> tuple[Cited, ...]:
        """The entries that it names."""
        return self.sources.entries

    @property
    def basis_rows(self) -> tuple[tuple[str, str], ...]:
        """What the document stands on, as names and values for people."""
        basis = self.sources.basis
        rows = [
            ("About", self.subject),
            ("Form", self.source),
            ("Made", f"{basis.made} with {basis.maker}"),
            ("Log", f"{basis.log}, its first {basis.size} entries"),
            ("Root of the log", basis.root),
        ]
        rows += [(f"Root of {name}", root) for name, root in roots_of(self.sources)]
        return tuple(rows)


def filing(
    kind: DocumentKind,
    form: Form,
    subject: str,
    sources: Sources,
    replies: Mapping[str, Reply],
    *,
    write: Callable[[Filing], Mapping[str, Any]] | None = None,
    front: Mapping[str, Any] | None = None,
) -> Filing:
    """The document of `form` with these replies; `write` makes its JSON, which is the form's own without it.

    Raises:
        DocumentError: a question has no reply, or a reply no question.
    """
    sections = filled(form, replies)
    made = Filing(kind, form.title, form.source, subject, sources, sections, {}, front or {})
    return replace(made, content=(write or own_content)(made))


def own_content(filing: Filing) -> dict[str, Json]:
    """A law's form, or a model card, as JSON."""
    return {
        "version": VERSION,
        "document": filing.kind.value,
        "title": filing.title,
        "form": filing.source,
        "subject": filing.subject,
        "statement": STATEMENT,
        "basis": basis_json(filing.sources),
        "sections": [
            {
                "number": section.number,
                "title": section.title,
                "answers": [answer.as_json() for answer in section.answers],
            }
            for section in filing.sections
        ],
        "gaps": [gap.as_json() for gap in filing.gaps],
    }


def basis_json(sources: Sources) -> dict[str, Json]:
    """What a document stands on, as JSON."""
    basis = sources.basis
    return {
        "log": basis.log,
        "size": basis.size,
        "root": basis.root,
        "made": basis.made,
        "maker": basis.maker,
        "datasets": [{"name": name, "root": root} for name, root in roots_of(sources)],
        "entries": [cited.as_json() for cited in sources.entries],
    }


def roots_of(sources: Sources) -> list[tuple[str, str]]:
    """Name and signed root of each audit that the document is about, each once: two runs may stand on two of one dataset."""
    datasets = [use.dataset for use in sources.uses if use.dataset is not None]
    if sources.dataset is not None:
        datasets.append(sources.dataset)
    return list(dict.fromkeys((dataset.name, str(dataset.root)) for dataset in datasets))


def about(sources: Sources, kind: DocumentKind) -> str:
    """What a document about a model or an adapter calls it: its name and its digest, and its state where it is not registered.

    Raises:
        DocumentError: it is about neither.
    """
    if sources.model is None:
        raise DocumentError(
            f"A document of the kind {kind.value} is about a model or an adapter.",
            remedy="Name one of the register: `governance registers list models` shows them.",
        )
    item = sources.model.item
    state = "" if sources.model.state == State.REGISTERED else f", {sources.model.state} now"
    return f"{item.name} (SHA-256 {item.key}{state})"


def about_dataset(sources: Sources, kind: DocumentKind) -> DatasetSource:
    """The dataset that a document is about.

    Raises:
        DocumentError: it is about none.
    """
    if sources.dataset is None:
        raise DocumentError(
            f"A document of the kind {kind.value} is about a dataset.",
            remedy="Name one: `governance dataset list` shows them.",
        )
    return sources.dataset


def dataset_words(dataset: DatasetSource) -> str:
    """What a document about a dataset calls it."""
    return f"{dataset.name} (root {dataset.root})"
