"""What a document of record is made of: questions of its form, and for each an answer out of records, a marked gap, or both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from governance.canonical import Json
from governance.errors import DocumentError

STATEMENT: Final = (
    "Made from the records of the operator's ledger and registers. What no record says is marked as not stated. Whether the "
    "records are true, and whether this document is what a law asks for, is for the operator and counsel to judge."
)
"""What every document says of itself."""

NOT_STATED: Final = "NOT STATED"
"""The words before every gap, wherever a gap has to be a text."""

YES: Final = "yes"
NO: Final = "no"
NOT_APPLICABLE: Final = "not applicable"


class DocumentKind(StrEnum):
    """The documents that there are."""

    EU_SUMMARY = "eu-summary"
    AB2013 = "ab2013"
    CROISSANT = "croissant"
    SPDX = "spdx"
    CYCLONEDX = "cyclonedx"
    MODEL_CARD = "model-card"


@dataclass(frozen=True, slots=True)
class Gap:
    """What no record says: the field that is open, why it is, and what would fill it."""

    field: str
    why: str
    fill: str

    def text(self) -> str:
        """The mark where a text has to stand."""
        return f"{NOT_STATED}: {self.why} {self.fill}"

    def as_json(self) -> dict[str, Json]:
        """Its values by name."""
        return {"field": self.field, "gap": self.why, "fill": self.fill}


@dataclass(frozen=True, slots=True)
class Reply:
    """What records say to one question, and what they do not.

    `value` is None where they say nothing; its texts and numbers come from records alone, its names from the form. `sources`
    are the ids of the entries that say so (`setting:NAME` for one of the installation's settings). `why` and `fill` are empty
    where nothing is open.
    """

    value: Json = None
    sources: tuple[str, ...] = ()
    why: str = ""
    fill: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a form: its number there, a short name for programs, and its words."""

    number: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Form:
    """The questions of a document, in order, with the titles of its sections by their numbers.

    A question belongs to the section with the longest number that its own begins with.
    """

    title: str
    source: str
    sections: Mapping[str, str]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with what records say to it."""

    question: Question
    reply: Reply

    @property
    def gap(self) -> Gap | None:
        """What is open, if anything is."""
        if not self.reply.why:
            return None
        return Gap(self.field, self.reply.why, self.reply.fill)

    @property
    def field(self) -> str:
        """The field's name: of a standard its own, of a form the question's number and short name."""
        if self.question.key == self.question.text:
            return self.question.key
        return f"{self.question.number} {self.question.key.rpartition('/')[2]}".strip()

    def as_json(self) -> dict[str, Json]:
        """Its values by name; `gap` and `fill` only where something is open, `answer` and `from` only where something is said."""
        value: dict[str, Json] = {
            "number": self.question.number,
            "key": self.question.key,
            "question": self.question.text,
        }
        if self.reply.value is not None:
            value |= {"answer": self.reply.value, "from": list(self.reply.sources)}
        if self.reply.why:
            value |= {"gap": self.reply.why, "fill": self.reply.fill}
        return value


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a document: its number (may be empty), its title, and its answers."""

    number: str
    title: str
    answers: tuple[Answer, ...]


def found(value: Json, *sources: str) -> Reply:
    """A reply that records give in full.

    Raises:
        DocumentError: nothing says so: an answer without a record would be invented.
    """
    return partly(value, sources, "", "")


def partly(value: Json, sources: tuple[str, ...], why: str, fill: str) -> Reply:
    """A reply that records give in part; `why` says what is open, `fill` what would close it.

    Raises:
        DocumentError: nothing says so.
    """
    told = tuple(dict.fromkeys(source for source in sources if source))
    if value is None or not told:
        raise DocumentError(
            "An answer names no record that gives it.", remedy="This is a fault of the program: report it."
        )
    return Reply(value, told, why, fill)


def lacking(why: str, fill: str) -> Reply:
    """A reply that no record gives."""
    return Reply(None, (), why, fill)


def filled(form: Form, replies: Mapping[str, Reply]) -> tuple[Section, ...]:
    """The sections of `form` with these replies by the questions' short names.

    Raises:
        DocumentError: a question has no reply, or a reply no question.
    """
    keys = [question.key for question in form.questions]
    if set(keys) != set(replies) or len(set(keys)) != len(keys):
        wrong = sorted(set(keys) ^ set(replies))
        raise DocumentError(
            f"The form {form.title!r} is not answered question by question: {', '.join(wrong)}.",
            remedy="This is a fault of the program: report it.",
        )
    made: dict[str, list[Answer]] = {number: [] for number in form.sections}
    for question in form.questions:
        made[_section_of(form, question)].append(Answer(question, replies[question.key]))
    return tuple(Section(number, form.sections[number], tuple(answers)) for number, answers in made.items())


def gaps_of(sections: tuple[Section, ...]) -> Iterator[Gap]:
    """What is open in these sections, in order."""
    for section in sections:
        for answer in section.answers:
            if answer.gap is not None:
                yield answer.gap


def said(value: Json) -> str:
    """A value as one text: nested names with colons, one part after the other."""
    if isinstance(value, Mapping):
        return (
            "; ".join(
                f"{name}: ({said(each)})" if isinstance(each, Mapping) else f"{name}: {said(each)}"
                for name, each in value.items()
            )
            or "none"
        )
    if isinstance(value, list | tuple):
        return ", ".join(said(each) for each in value) or "none"
    return str(value)


def _section_of(form: Form, question: Question) -> str:
    beginnings = [number for number in form.sections if f"{question.number}.".startswith(f"{number}.") or not number]
    if not beginnings:
        raise DocumentError(
            f"Question {question.number} is in no section of {form.title!r}.",
            remedy="This is a fault of the program: report it.",
        )
    return max(beginnings, key=len)
