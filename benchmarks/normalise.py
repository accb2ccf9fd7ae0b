"""What looking up a prompt costs before policy is asked: normalising, n-grams, hidden readings; one core, p50.

    python benchmarks/normalise.py [--rounds 300]

The baseline in the same run is what is commonly done instead: one regular expression of all terms, searched in the text.
It finds no disguise; it is timed with the terms that ship and with 100,000.
"""

# ruff: noqa: RUF001  (these texts are about ambiguous characters)

from __future__ import annotations

import argparse
import codecs
import json
import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

from governance.hidden import hidden_readings
from governance.normalise import is_term, ngrams, normalise

TARGET_MS = 0.3
TERMS = json.loads((Path(__file__).parents[1] / "policies" / "data.json").read_text())["blocked_terms"]
PLAIN = (
    "A wide oil painting of a quiet harbour at dawn, small wooden boats on still water, a lighthouse in the distance, "
    "gulls above the roofs, soft golden light, long shadows on the quay, a fisherman mending a net beside a red door, "
    "thin mist over the hills, muted colours, fine brushwork, in the manner of the nineteenth century"
)
SPELT = "c0unterfe1t p@$$port, f a k e  i d, gr3nade and раѕѕрort, bаnkn0te, b i r t h certif1cate, ＦＡＫＥ ＩＤ, "
TEXTS = {
    "plain": PLAIN,
    "with figures": "(masterpiece:1.2), best quality, 8k uhd, 35mm f/1.8, 1girl, <lora:detail:0.8>, " + PLAIN,
    "disguised": SPELT * 3,
    "rotated": codecs.encode(PLAIN, "rot13"),
    "Cyrillic": "Широкий вид тихой гавани на рассвете, маленькие деревянные лодки на спокойной воде, маяк вдали, чайки. "
    * 3,
    "Arabic": "مشهد واسع لميناء هادئ عند الفجر وقوارب خشبية صغيرة على ماء ساكن ومنارة بعيدة وطيور فوق السطوح. " * 4,
    "Han": "清晨安静的海港油画，平静的水面上有小木船，远处有灯塔，屋顶上有海鸥，柔和的金色光线。" * 8,
    "Thai": "ภาพวาดสีน้ำมันของท่าเรืออันเงียบสงบยามรุ่งอรุณ เรือไม้ลำเล็กบนผืนน้ำนิ่ง ประภาคารอยู่ไกล " * 4,
}
SIZES = (1_000, 10_000, 100_000)


def look_up(text: str) -> int:
    """All that a prompt goes through, and how many n-grams policy would look up."""
    hidden = hidden_readings(text)
    return len(ngrams(normalise(text))) + len(hidden.ngrams)


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """The median of `rounds` runs, after one that is not counted."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return median(taken) * 1000


def short_prompts(rounds: int) -> None:
    """300 characters of each kind, part by part."""
    print(f"\n{'300 characters':<16}{'normalise':>11}{'n-grams':>9}{'hidden':>9}{'all ms':>9}{'n-grams looked up':>20}")
    for name, whole in TEXTS.items():
        text = whole[:300]
        parts = ((normalise, text), (ngrams, normalise(text)), (hidden_readings, text), (look_up, text))
        costs = [milliseconds(partial(work, argument), rounds) for work, argument in parts]
        print(f"{name:<16}{costs[0]:>11.3f}{costs[1]:>9.3f}{costs[2]:>9.3f}{costs[3]:>9.3f}{look_up(text):>20}")
        if name == "plain":
            print(f"{'':<16}target: all of a plain prompt <= {TARGET_MS} ms; here {costs[3]:.3f}")


def lengths(rounds: int) -> None:
    """Microseconds a character as texts grow: the same in each column where time is linear."""
    print(f"\n{'us a character':<16}" + "".join(f"{size:>11,}" for size in SIZES))
    for name, text in (
        *TEXTS.items(),
        ("marks", "\u0e38\u0e48"),
        ("one letter", "a"),
        ("letters spaced", "a b c d e "),
    ):
        costs = []
        for size in SIZES:
            long = (text * (size // len(text) + 1))[:size]
            costs.append(milliseconds(partial(look_up, long), max(3, rounds * 100 // size)) * 1000 / size)
        print(f"{name:<16}" + "".join(f"{cost:>11.3f}" for cost in costs))


def baseline(rounds: int) -> None:
    """One regular expression of all terms, and how long it takes to check as many terms as a bundle may hold."""
    chance = Random(1)
    many = ["".join(chance.choices("abcdefghijklmnoprstuvwy", k=chance.randint(5, 12))) for _ in range(100_000)]
    text = TEXTS["plain"][:300]
    print(f"\n{'baseline: one regular expression of all terms, 300 characters':<66}{'ms':>9}")
    for terms in (list(TERMS), many):
        pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, terms)) + r")\b", re.IGNORECASE)
        cost = milliseconds(partial(pattern.search, text), max(3, rounds // len(terms)))
        print(f"{f'{len(terms):,} terms':<66}{cost:>9.3f}")
    print(f"{'ours, however many terms':<66}{milliseconds(lambda: look_up(text), rounds):>9.3f}")
    checked = milliseconds(lambda: sum(map(is_term, many)), 3)
    print(f"\nchecking that {len(many):,} terms are fixed points: {checked / 1000:.2f} s")


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300, help="runs per figure")
    rounds = parser.parse_args().rounds
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    short_prompts(rounds)
    lengths(rounds)
    baseline(rounds)


if __name__ == "__main__":
    main()
