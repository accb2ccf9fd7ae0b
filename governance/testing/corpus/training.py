"""Cases of the training stage: rights in records, and training runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from governance.canonical import digest
from governance.datasets.records import OptOut, Problem
from governance.registers.standing import ContractState
from governance.testing.corpus.cases import Case, Change, both, case_maker, malformed, put, unchanged
from governance.testing.policy import EXAMPLE_TIME, record_facts, run_facts
from governance.types import Stage

_record = case_maker(Stage.TRAINING, record_facts)
_run = case_maker(Stage.TRAINING, run_facts)

_SIGNALS = [signal.value for signal in OptOut]
TRAINING: Mapping[str, Any] = {
    "approvals": 1,
    "approvers": ["counsel", "curator"],
    "audit_days": 30,
    "basis": {"computed": "allow", "none": "deny", "stated": "review"},
    "collected": {"future": "deny", "known": "allow", "missing": "note"},
    "consents": {"given": "allow", "not_needed": "allow", "refused": "deny", "unknown": "note"},
    "contracts": {"active": "allow", "expired": "deny", "none": "allow", "unknown": "deny"},
    "declared": "review",
    "methods": {"dreambooth": "note", "lora": "allow", "Ж/~": "review"},
    "near_duplicate": "note",
    "opt_outs": {**dict.fromkeys(_SIGNALS, "deny"), "robots": "review"},
    "opt_outs_under_contract": {**dict.fromkeys(_SIGNALS, "note"), "list_hash": "deny"},
    "other_bundle": "note",
    "personal": {"given": "note", "not_needed": "review", "refused": "deny", "unknown": "deny"},
    "problems": {**dict.fromkeys((problem.value for problem in Problem), "deny"), "bad_url": "review"},
    "source_kinds": {
        "crawled": "allow", "licensed": "allow", "other": "note", "own": "allow", "public": "allow", "synthetic": "allow",
        "unknown": "review", "user": "note",
    },
    "synthetic": {"no": "allow", "stated": "note", "unknown": "allow", "yes": "review"},
    "thresholds": {"nsfw": {"deny": 80, "review": 40}, "similar": {"deny": 95, "review": 88}},
    "trainers": ["designer", "researcher"],
    "unlicensed": {"contract": "note", "none": "deny", "own": "review"},
    "unscored": {"nsfw": "review", "similar": "note"},
}  # fmt: skip
"""What decides in these cases."""
DATA: Mapping[str, Any] = {
    "training": TRAINING,
    "licences": {"CC-BY-4.0": {}, "MIT": {}, "Apache-2.0": {}, "CC-BY-NC-4.0": {"purposes": ["research"]}},
    "unregistered": {"adapters": "deny", "models": "review"},
}


def malformed_cases() -> list[Case]:
    """Facts of a record and of a run, one part of them unreadable."""
    scores = ("/record/nsfw_hundredths", "/record/similar_hundredths")
    records = malformed(Stage.TRAINING, _full_record, nullable=scores, data=DATA, about="a record")
    return [*records, *malformed(Stage.TRAINING, run_facts, data=DATA, about="a run")]


def rule_cases() -> list[Case]:
    """A good record and a good run, and for each rule one that differs from it by what the rule is about."""
    return [
        *_licence_cases(),
        *_state_cases(),
        *_finding_cases(),
        *_question_cases(),
        *_person_cases(),
        *_base_cases(),
        *_dataset_cases(),
        *_data_cases(),
    ]


def _licence_cases() -> list[Case]:
    in_force = put("/record/contract", "active")
    research = put("/purpose", "research")
    limited = put("/record/licence", "CC-BY-NC-4.0")
    return [
        _about("good record", unchanged, "allow"),
        _about("licence that nobody lists", _said(licence="GPL-2.0-only"), "deny", "training.licence"),
        _about("licence in other letters", _said(licence="mit"), "deny", "training.licence"),
        _about("no licence", _said(licence=""), "deny", "training.licence"),
        _about("no licence, own work", _said(licence="", source_kind="own"), "review", "training.licence"),
        _about(
            "own work under terms that nobody knows",
            _said(licence="", source_kind="own", problems=["unknown_licence"]),
            "deny",
            "training.licence",
        ),
        _about("other licence, own work", _said(licence="X", source_kind="own"), "deny", "training.licence"),
        _about("contract in place of a licence", both(_said(licence=""), in_force), "allow", "training.licence"),
        _about("one of two licences", _said(licence="GPL-2.0-only OR MIT"), "allow"),
        _about("two licences", _said(licence="MIT AND Apache-2.0"), "allow"),
        _about("two licences, one listed", _said(licence="MIT AND GPL-2.0-only"), "deny", "training.licence"),
        _about("an expression with parentheses", _said(licence="(MIT OR CC-BY-4.0)"), "deny", "training.licence"),
        _about("licence for another purpose", limited, "deny", "training.licence"),
        _about("licence for this purpose", both(limited, research), "allow"),
        _about("licence of a prototype", _said(licence="__proto__"), "deny", "training.licence"),
        _about("purpose that nobody knows", put("/purpose", "war"), "deny", "training.purpose"),
        *(
            _about(f"contract {state}", _said(contract=state.value), "deny", "training.contract")
            for state in (ContractState.EXPIRED, ContractState.UNKNOWN)
        ),
    ]


def _state_cases() -> list[Case]:
    in_force = put("/record/contract", "active")
    return [
        _about("consent refused", _said(consent="refused"), "deny", "training.consent"),
        _about("consent unknown", _said(consent="unknown"), "allow", "training.consent"),
        _about("consent given", _said(consent="given"), "allow"),
        _about("collected in the future", _said(collected="future"), "deny", "training.collected"),
        _about("collected nobody knows when", _said(collected="missing"), "allow", "training.collected"),
        _about("made by a model", _said(synthetic="yes"), "review", "training.synthetic"),
        _about("made by a model, it is said", _said(synthetic="stated"), "allow", "training.synthetic"),
        _about("of an unknown source", _said(source_kind="unknown"), "review", "training.source"),
        _about("of users", _said(source_kind="user"), "allow", "training.source"),
        _about("digest stated", _said(basis="stated"), "review", "training.unread"),
        _about("no digest", _said(basis="none"), "deny", "training.unread"),
        *(
            _about(f"opted out by {signal}", _said(opt_outs=[signal]),
                   "review" if signal == "robots" else "deny", "training.opt_out")
            for signal in _SIGNALS
        ),
        _about("opted out, and contracted", both(_said(opt_outs=["tdmrep"]), in_force), "allow", "training.opt_out"),
        _about("on a list, and contracted", both(_said(opt_outs=["list_hash"]), in_force), "deny", "training.opt_out"),
        _about("opted out, contract expired", _said(opt_outs=["robots"], contract="expired"), "deny", "training.contract"),
        *(
            _about(f"personal data, consent {consent}", _said(personal=["exif_gps"], consent=consent), outcome,
                   "training.personal")
            for consent, outcome in (("given", "allow"), ("not_needed", "review"), ("refused", "deny"), ("unknown", "deny"))
        ),
    ]  # fmt: skip


def _finding_cases() -> list[Case]:
    similar = put("/record/similar_hundredths", 90)
    return [
        _about("nsfw below review", _said(nsfw_hundredths=39), "allow"),
        _about("nsfw at review", _said(nsfw_hundredths=40), "review", "training.nsfw"),
        _about("nsfw below deny", _said(nsfw_hundredths=79), "review", "training.nsfw"),
        _about("nsfw at deny", _said(nsfw_hundredths=80), "deny", "training.nsfw"),
        _about("more nsfw than certain", _said(nsfw_hundredths=101), "deny", "input.malformed"),
        _about("nobody looked for nsfw", _said(nsfw_hundredths=None), "review", "training.unchecked"),
        _about("nobody looked for works", _said(similar_hundredths=None), "allow", "training.unchecked"),
        _about("not similar", _said(similar_hundredths=87, work_action="deny"), "allow"),
        _about("similar to a work of which nobody said anything", similar, "review", "training.similar"),
        _about("the same as one", _said(similar_hundredths=100), "deny", "training.similar"),
        *(
            _about(f"similar to a work: {action}", both(similar, _said(work_action=action)), action, *codes)
            for action, codes in (("deny", ["training.similar"]), ("review", ["training.similar"]), ("allow", []))
        ),
        _about("looks like another", _said(near_duplicate=True), "allow", "training.near_duplicate"),
        *(
            _about(f"problem {problem}", _said(problems=[problem.value]),
                   "review" if problem is Problem.BAD_URL else "deny", "training.problem")
            for problem in Problem
        ),
        _about("all at once", _said(opt_outs=_SIGNALS, personal=["exif_gps", "faces"], problems=["missing"], basis="none"),
               "deny", "training.opt_out", "training.problem", "training.unread"),
    ]  # fmt: skip


def _question_cases() -> list[Case]:
    run, record = run_facts(), record_facts()
    return [
        _about("a run beside the record", put("/run", run["run"]), "deny", "input.malformed"),
        _about("a principal beside the record", put("/principal", run["principal"]), "deny", "input.malformed"),
        _about("another question", put("/question", "why"), "deny", "input.malformed"),
        _asked("a record beside the run", put("/record", record["record"]), "deny", "input.malformed"),
        _asked("the question of a record about a run", put("/question", "record"), "deny", "input.malformed"),
        _about("another signal", _said(opt_outs=["tdm"]), "deny", "input.malformed"),
        _about("another problem", _said(problems=["odd"]), "deny", "input.malformed"),
        _about("another source", _said(source_kind="Public"), "deny", "input.malformed"),
    ]


def _person_cases() -> list[Case]:
    roles = "/principal/roles"
    return [
        _asked("good run", unchanged, "allow"),
        _asked("no trainer", put(roles, ["counsel"]), "deny", "training.role"),
        _asked("nobody", put(roles, []), "deny", "training.role"),
        _asked("one role of several", put(roles, ["x", "researcher"]), "allow"),
        _asked("purpose that nobody knows", put("/purpose", "war"), "deny", "training.purpose"),
        _asked("method that nobody knows", put("/run/method", "full"), "deny", "training.method"),
        _asked("method of a prototype", put("/run/method", "__proto__"), "deny", "training.method"),
        _asked("method that is noted", put("/run/method", "dreambooth"), "allow", "training.method"),
        _asked("method that is held", put("/run/method", "Ж/~"), "review", "training.method"),
        _asked("declared", put("/run/lineage", "declared"), "review", "training.declared"),
        _asked("another phase", put("/run/phase", "end"), "deny", "input.malformed"),
        _asked("finished with nothing", put("/run/phase", "finish"), "deny", "training.not_consumed"),
        _asked("finished", both(put("/run/phase", "finish"), _dataset(consumed=3)), "allow"),
    ]


def _base_cases() -> list[Case]:
    return [
        _asked("base that nobody registered", _base(state="unregistered", licence=""), "review", "training.base"),
        *(
            _asked(f"base that is {state}", _base(state=state), "deny", "training.base")
            for state in ("withdrawn", "expired", "recalled")
        ),
        _asked("base registered up to now", _base(expires=EXAMPLE_TIME), "deny", "training.base"),
        _asked("base registered up to later", _base(expires="2026-11-23T14:00:00.001Z"), "allow"),
        _asked("base without a licence", _base(licence=""), "deny", "training.base_licence"),
        _asked("base of another licence", _base(licence="GPL-2.0-only"), "deny", "training.base_licence"),
        _asked("base for another purpose", _base(licence="CC-BY-NC-4.0"), "deny", "training.base_licence"),
    ]


def _dataset_cases() -> list[Case]:
    def by(person: int, *roles: str) -> dict[str, Any]:
        return {"person": person, "roles": list(roles), "assurance": "authenticated"}

    two = {**DATA, "training": {**TRAINING, "approvals": 2}}
    counsel, curator = by(1, "counsel"), by(2, "curator")
    return [
        _asked("not approved", _dataset(approvals=[], state="audited"), "deny", "training.not_approved"),
        _asked("approved by whoever trains", _dataset(approvals=[by(0, "counsel")]), "deny", "training.not_approved"),
        _asked("approved by another role", _dataset(approvals=[by(1, "designer")]), "deny", "training.not_approved"),
        _asked("approved by two, one counts", _dataset(approvals=[by(3), counsel]), "allow"),
        _run("one of two approvals", unchanged, "deny", "training.not_approved", data=two),
        _run("approved twice by one", _dataset(approvals=[counsel, counsel]), "deny", "training.not_approved", data=two),
        _run("approved by two", _dataset(approvals=[counsel, curator]), "allow", data=two),
        _asked("withdrawn", _dataset(state="withdrawn"), "deny", "training.withdrawn"),
        _asked("recalled", _dataset(state="recalled"), "deny", "training.recalled"),
        _asked("another state", _dataset(state="ended"), "deny", "input.malformed"),
        _asked("audit on its last day", _dataset(age_days=29), "allow"),
        _asked("audit too old", _dataset(age_days=30), "deny", "training.audit_expired"),
        _asked("audit that is still to come", _dataset(age_days=-1), "deny", "input.malformed"),
        _asked("judged by another bundle", _dataset(bundle_revision=digest(b"b"), same_bundle=False), "allow",
               "training.other_bundle"),
        _asked("nothing allowed", _dataset(outcomes={"allow": 0, "review": 1, "deny": 2}), "deny", "training.empty"),
        _asked("no datasets", put("/run/datasets", []), "deny", "input.malformed"),
        _asked("one of two approved", _second(approvals=[]), "deny", "training.not_approved"),
        _asked("two", _second(name="others"), "allow"),
    ]  # fmt: skip


def _data_cases() -> list[Case]:
    broken: Mapping[str, Any] = {
        "no answers about training": None,
        "list for training": [],
        **{f"training without {name}": _without(name) for name in ("consents", "opt_outs", "thresholds", "trainers")},
        "consent that nobody answers": {**TRAINING, "consents": {"given": "allow", "not_needed": "allow"}},
        "misspelt answer about records": {**TRAINING, "near_duplicate": "maybe"},
        "misspelt answer about methods": {**TRAINING, "methods": {"lora": "yes"}},
        "trained by text": {**TRAINING, "trainers": "designer"},
        "approved by no number": {**TRAINING, "approvals": 0},
        "thresholds in fractions": {**TRAINING, "thresholds": {**TRAINING["thresholds"], "nsfw": {"deny": 0.8, "review": 0.4}}},
    }  # fmt: skip
    return [
        *(
            make(f"data: {name}", unchanged, "deny", "data.malformed", data={"training": data})
            for make in (_record, _run)
            for name, data in broken.items()
        ),
        _run("data: nobody approves", unchanged, "deny", "training.not_approved",
             data={**DATA, "training": {**TRAINING, "approvers": []}}),
        _run("data: nobody trains", unchanged, "deny", "training.role",
             data={**DATA, "training": {**TRAINING, "trainers": []}}),
    ]  # fmt: skip


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in TRAINING.items() if key != name}


def _about(name: str, change: Change, outcome: str, *codes: str) -> Case:
    """A record that differs from a good one by `change`."""
    return _record(f"record, {name}", change, outcome, *codes, data=DATA)


def _asked(name: str, change: Change, outcome: str, *codes: str) -> Case:
    """A run that differs from a good one by `change`."""
    return _run(f"run, {name}", change, outcome, *codes, data=DATA)


def _said(**facts: Any) -> Change:
    return lambda content: content["record"].update(facts)


def _base(**facts: Any) -> Change:
    return lambda content: content["run"]["base"].update(facts)


def _dataset(**facts: Any) -> Change:
    return lambda content: content["run"]["datasets"][0].update(facts)


def _second(**facts: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        datasets = content["run"]["datasets"]
        datasets.append({**datasets[0], **facts})

    return change


def _full_record() -> dict[str, Any]:
    """A record with all that may be empty; allowed under `DATA`."""
    facts: dict[str, Any] = record_facts()
    contracted = {"contract": "active", "consent": "given", "work_action": "allow"}
    found = {"opt_outs": ["tdmrep"], "personal": ["exif_gps"], "problems": []}
    return {**facts, "record": {**facts["record"], **contracted, **found}}
