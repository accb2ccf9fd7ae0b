"""`governance policy test`: the Rego tests of a bundle, and the conformance corpus."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Final

import typer
from rich.text import Text

from governance.canonical import Json
from governance_adapters.commands.bundle_check import NO_OPA
from governance_adapters.commands.bundle_choice import BundleArgument, chosen_bundle
from governance_adapters.commands.output import JsonFlag, err, out, print_json
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.corpus_run import CorpusRun, run_corpus
from governance_adapters.policy.opa_command import OpaCommand, RegoTests
from governance_adapters.policy.regorus import RegorusEngine

NOT_RUN: Final = 2
_LISTED: Final = 50
"""How many unexpected cases are listed; `--json` has all."""


def run_tests(
    bundle: BundleArgument = None,
    corpus: Annotated[
        bool, typer.Option("--corpus", help="Run the conformance corpus on a bundle that is not the shipped one, too.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Run the bundle's Rego tests with coverage, and the conformance corpus against it.

    Exit code 0: all pass and cover every line. 1: something fails, or a line is not covered. 2: the Rego tests were not
    run, for there is no `opa`.
    """
    loaded = chosen_bundle(bundle)
    with closing(RegorusEngine(loaded, engines=1)):
        pass  # rules that do not compile are one problem, not one for each case
    opa = OpaCommand.find()
    with err.status("running the Rego tests"):
        tests = opa.test(loaded.root) if opa else None
    ran = None
    if corpus or loaded.revision == Bundle.load(default_bundle_path()).revision:
        from governance.testing.corpus import cases

        with err.status("running the conformance corpus"):
            ran = run_corpus(loaded, cases(), lambda changed: closing(RegorusEngine(changed, engines=1)))
    if as_json:
        print_json(
            {
                "bundle": str(loaded.root),
                "revision": loaded.revision,
                "rego_tests": _tests_json(tests),
                "corpus": _corpus_json(ran),
            }
        )
    else:
        _print_tests(tests)
        _print_corpus(ran)
    if (tests and not tests.complete) or (ran and ran.unexpected):
        raise typer.Exit(1)
    if tests is None:
        err.print(f"THE REGO TESTS WERE NOT RUN: {NO_OPA}", style="yellow")
        raise typer.Exit(NOT_RUN)


def _print_tests(tests: RegoTests | None) -> None:
    if tests is None:
        out.print(Text(f"Rego tests: NOT RUN: {NO_OPA}", style="yellow"))
        return
    out.print(f"Rego tests: {len(tests.passed)} passed, {len(tests.failed)} failed, {len(tests.skipped)} skipped")
    for state, names in (("failed", tests.failed), ("skipped", tests.skipped)):
        for name in names:
            out.print(Text(f"  {state}: {name}", style="red"))
    if not tests.passed and not tests.failed:
        out.print(Text("  the bundle has no tests, so nothing was tested", style="red"))
    if tests.not_covered is None:
        out.print("coverage: not measured, for tests fail")
        return
    missed = sum(map(len, tests.not_covered.values()))
    total = (tests.covered or 0) + missed
    out.print(f"coverage: {tests.covered} of {total} lines")
    for file, lines in sorted(tests.not_covered.items()):
        out.print(Text(f"  not covered: {file} {', '.join(map(str, lines))}", style="red"))


def _print_corpus(ran: CorpusRun | None) -> None:
    if ran is None:
        out.print("conformance corpus: not run: this is not the shipped bundle; ask for it with --corpus")
        return
    stages = ", ".join(f"{count} {stage}" for stage, count in ran.cases.items())
    out.print(f"conformance corpus: {ran.total} cases ({stages}), {len(ran.unexpected)} not as the corpus says")
    for case in ran.unexpected[:_LISTED]:
        wanted, found = _answer(case.wanted, case.wanted_codes), _answer(case.outcome, case.codes)
        why = f": {case.problem}" if case.problem else ""
        out.print(Text(f"  {case.name}: {found} instead of {wanted}{why}", style="red"))
    if len(ran.unexpected) > _LISTED:
        out.print(f"  and {len(ran.unexpected) - _LISTED} more: see --json")


def _answer(outcome: str, codes: tuple[str, ...]) -> str:
    return f"{outcome} ({', '.join(codes)})" if codes else outcome


def _tests_json(tests: RegoTests | None) -> Json:
    if tests is None:
        return None
    missed = tests.not_covered
    return {
        "passed": list(tests.passed),
        "failed": list(tests.failed),
        "skipped": list(tests.skipped),
        "covered_lines": tests.covered,
        "not_covered": None if missed is None else {file: list(lines) for file, lines in missed.items()},
    }


def _corpus_json(ran: CorpusRun | None) -> Json:
    if ran is None:
        return None
    return {
        "cases": dict(ran.cases),
        "unexpected": [
            {
                "name": case.name,
                "wanted": {"outcome": case.wanted, "codes": list(case.wanted_codes)},
                "found": {"outcome": case.outcome, "codes": list(case.codes)},
                "problem": case.problem,
            }
            for case in ran.unexpected
        ],
    }
