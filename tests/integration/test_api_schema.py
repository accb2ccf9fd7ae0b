"""The API keeps to its own description: schemathesis asks whatever the description allows, and much that it does not."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup

from governance_adapters.web.keys import create_key
from support.api import EVERYTHING, Office, client

BOUNDED = settings(
    max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def office(tmp_path_factory, served_bundle):
    with Office.at(tmp_path_factory.mktemp("office"), served_bundle) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(office):
    with office.served() as url:
        yield url


@pytest.fixture(scope="module")
def key(office):
    roles = ["reviewer", "counsel", "auditor"]
    return create_key(office.api.keys, office.api.ledger, "everybody@example.org", roles, EVERYTHING, 1).text


@pytest.fixture(scope="module")
def known(office):
    """Names of things that there are, by the parameter that they go into."""
    released = office.released()
    return {
        "entry_id": released.entry.id,
        "asset": released.asset.digest,
        "hold_id": office.hold(),
        "work_id": office.work('=HYPERLINK("http://example.org")').id,
        "number": 0,
    }


OF_TILES = {"level": "0", "number": "000.p/1"}
"""What a tile that there is goes by: `number` is that of a tile here, and that of a picture elsewhere."""


def test_a_held_draft_comes_as_a_picture_a_sound_or_whatever_else_it_is(url):
    with client(url) as opened:
        paths = opened.get("/openapi.json").json()["paths"]
    answer = paths["/v1/holds/{hold_id}/view"]["post"]["responses"]["200"]
    assert sorted(answer["content"]) == ["application/octet-stream", "audio/wav", "image/png"]


REFUSALS = [400, 401, 403, 404, 409, 413, 414, 415, 422]
LISTS = ("listEntries", "listHolds", "listWorks")
CONFIG = {
    # An address that is too long is refused as such before anything looks at its parameters.
    "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
    # What no schema can say: whether a cursor was signed here, whether bytes are a picture, and whether a time or a day is
    # one, ranges hold scores, and words say something.
    # And a file of a form is bytes, whatever other type was put into it: any bytes can be verified.
    "operations": [
        {
            "include-operation-id": ["verifyFile", "findPicture"],
            "checks": {"negative_data_rejection": {"expected-statuses": [200, *REFUSALS]}},
        },
        {
            "include-operation-id": [*LISTS, "addWork", "searchEntries", "findPicture", "readRollups"],
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", 401, 403, 404, 409, 422]}},
        },
    ],
}


@pytest.fixture(scope="module")
def described(url):
    config = schemathesis.Config.from_dict(CONFIG)
    return schemathesis.openapi.from_url(f"{url}/v1/openapi.json", wait_for_schema=10, config=config)


def answers_of(operation, mode, key, names):
    """Ask the operation what is generated, check each answer, and count the statuses; `names` replace those in the path."""
    answers: Counter[int] = Counter()

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        if names is not None:
            those = {**names, **OF_TILES} if "/tile/" in operation.path else names
            case.path_parameters = {name: those[name] for name in case.path_parameters or {}}
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {key}"})
        answers[answer.status_code] += 1

    with suppress(Unsatisfiable):  # nothing is wrong that could be said to an operation without parameters
        ask()
    return answers


@pytest.mark.parametrize(
    ("mode", "real"),
    [(GenerationMode.POSITIVE, False), (GenerationMode.NEGATIVE, False), (GenerationMode.POSITIVE, True)],
)
def test_every_operation_keeps_to_its_description(described, key, known, mode, real):
    failures, asked = [], 0
    for found in described.get_all_operations():
        operation = found.ok()
        try:
            answers = answers_of(operation, mode, key, known if real else None)
        except (Failure, FailureGroup) as error:
            failures.append(f"{operation.label}: {error}\n{getattr(error, 'exceptions', '')}")
            continue
        print(f"{mode.value} {operation.label:40} {dict(sorted(answers.items()))}")
        asked += answers.total()
    assert not failures, "\n".join(failures)
    assert asked > 100
