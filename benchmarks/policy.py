"""What a decision costs: embedded and by the real Open Policy Agent server, alone and with threads; and loading a bundle.

    python benchmarks/policy.py [--decisions 500] [--terms 100000]

Both engines decide on the same request, with a prompt of 300 characters, by the shipped bundle, in the same run; `opa` must
be on PATH for the server. The figures with pauses are those of a line that makes images between its decisions.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import regorus

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from governance.ports import PolicyEngine
from governance.testing import example_request
from governance.testing.corpus import example_data
from governance.testing.policy import admission_facts
from governance.types import Outcome, Stage
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.opa import OpaEngine
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.policy.signed import build_archive
from support.opa_server import opa_server

PROMPT = (
    "a quiet fishing harbour at dawn, wet cobblestones, red sails, gulls over the old lighthouse, soft morning fog, an "
    "elderly painter with a straw hat sits beside crates of silver herring, warm light through tall windows, distant "
    "green hills, oil on canvas, loose brushwork, muted palette, wide view, calm mood"
)[:300]
FACTS = admission_facts(example_request(PROMPT))
PAUSE_SECONDS = 0.02
THREADS = (1, 2, 8)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--terms", type=int, default=100_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = example_bundle(Path(folder) / "bundle")
        embedded = RegorusEngine(bundle)
        alone = in_process(bundle)
        print(f"one decision, ms ({len(PROMPT)} characters, {len(FACTS['prompts'][0]['ngrams'])} n-grams)")  # type: ignore[index,call-overload]
        print(f"{'':34}{'p50':>8}{'p95':>8}")
        row("regorus in this process, bare", times(alone, chosen.decisions))
        mine = row("embedded", times(lambda: decide(embedded), chosen.decisions))
        row("embedded, 20 ms pauses", times(lambda: decide(embedded), chosen.decisions // 5, PAUSE_SECONDS))
        opa = shutil.which("opa")
        if opa is None:
            print("NOT MEASURED: there is no `opa` on PATH")
            throughput({"embedded": embedded}, chosen.decisions)
        else:
            archive = Path(folder) / "bundle.tar.gz"
            build_archive(bundle, archive, opa=opa)
            with opa_server(opa, Path(folder) / "server", "--bundle", archive) as server:
                asked = OpaEngine(bundle, server.url)
                theirs = row("OPA server", times(lambda: decide(asked), chosen.decisions))
                row("OPA server, 20 ms pauses", times(lambda: decide(asked), chosen.decisions // 5, PAUSE_SECONDS))
                print(f"embedded / server: {mine / theirs:.2f} (target 0.60), embedded p50 target 1 ms")
                throughput({"embedded": embedded, "OPA server": asked}, chosen.decisions)
        loading(Path(folder) / "large", chosen.terms)


def example_bundle(root: Path) -> Bundle:
    """The shipped bundle with the example model allowed."""
    shutil.copytree(default_bundle_path(), root)
    data = example_data(json.loads((root / "data.json").read_text()))
    (root / "data.json").write_text(json.dumps(data))
    return Bundle.load(root)


def decide(engine: PolicyEngine) -> None:
    """One decision, which must be the right one."""
    if engine.decide(Stage.ADMISSION, FACTS).outcome is not Outcome.ALLOW:
        raise SystemExit("the example request was not allowed: nothing was measured")


def in_process(bundle: Bundle) -> Callable[[], object]:
    """The bare engine, in this process: no schema, no process between, no bound. What the rules themselves cost."""
    engine = regorus.Engine()
    engine.set_rego_v0(False)
    for path, text in bundle.policies.items():
        engine.add_policy(path, text)
    engine.add_data_json(json.dumps(bundle.data))
    content = json.dumps(FACTS)

    def answer() -> object:
        engine.set_input_json(content)
        return engine.eval_rule_as_json("data.governance.admission.decision")

    return answer


def times(call: Callable[[], object], rounds: int, pause: float = 0.0) -> list[float]:
    """Seconds of each of `rounds` calls, after ten that are not counted."""
    measured = []
    for number in range(rounds + 10):
        time.sleep(pause)
        start = time.perf_counter()
        call()
        if number >= 10:
            measured.append(time.perf_counter() - start)
    return measured


def row(name: str, measured: list[float]) -> float:
    """Print p50 and p95 in milliseconds; returns p50 in seconds."""
    cuts = statistics.quantiles(measured, n=20)
    middle = statistics.median(measured)
    print(f"{name:34}{middle * 1e3:8.2f}{cuts[-1] * 1e3:8.2f}")
    return middle


def throughput(engines: dict[str, PolicyEngine], decisions: int) -> None:
    """Print decisions a second with several threads asking one engine."""
    print(f"\ndecisions a second\n{'threads':34}" + "".join(f"{count:>8}" for count in THREADS))
    for name, engine in engines.items():
        rates = []
        for count in THREADS:
            with ThreadPoolExecutor(count) as pool:
                list(pool.map(lambda _: decide(engine), range(count * 4)))  # noqa: B023 - drained in this turn
                start = time.perf_counter()
                list(pool.map(lambda _: decide(engine), range(decisions)))  # noqa: B023
                rates.append(decisions / (time.perf_counter() - start))
        print(f"{name:34}" + "".join(f"{rate:8.0f}" for rate in rates))


def loading(root: Path, terms: int) -> None:
    """Print how long a bundle with `terms` more blocked terms takes to load and to be ready."""
    shutil.copytree(default_bundle_path(), root)
    data = json.loads((root / "data.json").read_text())
    data["blocked_terms"] |= {term: {"category": "brand"} for term in made_up(terms)}
    (root / "data.json").write_text(json.dumps(data, ensure_ascii=False))
    start = time.perf_counter()
    bundle = Bundle.load(root)
    checked = time.perf_counter()
    engine = RegorusEngine(bundle)
    ready = time.perf_counter()
    print(f"\nload of {len(bundle.data['blocked_terms']):,} terms, s (target 2 for 100,000)")
    print(f"{'read and checked':34}{checked - start:8.2f}\n{'engine ready':34}{ready - checked:8.2f}")
    print(f"{'together':34}{ready - start:8.2f}")
    engine.close()
    deciding = RegorusEngine(dataclasses.replace(bundle, data=example_data(bundle.data)))
    row("one decision by it, ms", times(lambda: decide(deciding), 100))


def made_up(count: int) -> list[str]:
    """`count` different plausible words, some in pairs."""
    rng = random.Random(7)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
    words: set[str] = set()
    while len(words) < count:
        word = "".join(rng.choices(syllables, k=4))
        words.add(word if rng.random() < 0.7 else f"{word} {''.join(rng.choices(syllables, k=3))}")
    return sorted(words)


if __name__ == "__main__":
    main()
