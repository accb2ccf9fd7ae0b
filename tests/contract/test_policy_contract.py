"""Every policy engine keeps the port's contract."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from governance.errors import PolicyError
from governance.ports import PolicyEngine
from governance.testing.corpus import example_data
from governance.testing.policy import FakePolicyEngine, PolicyEngineContract, admission_facts
from governance.types import Decision, Outcome, Reason, Stage
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.policy.opa import OpaEngine
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.policy.signed import build_archive
from support.bundles import bundle_at
from support.opa_server import opa_server, real_opa


class TestFakePolicyEngine(PolicyEngineContract):
    def engine(self) -> PolicyEngine:
        fake = FakePolicyEngine()

        def release(stage: Stage, facts) -> Decision:
            if facts["findings"][0]["score_millionths"] >= 1_000_000:
                return fake.answer(stage, Outcome.DENY, Reason("finding.denied", "Too high.", "/findings/0"))
            return fake.answer(stage, Outcome.ALLOW)

        fake.script = {Stage.RELEASE: release}
        return fake

    def undefined_engine(self) -> PolicyEngine:
        return FakePolicyEngine(undefined=frozenset({Stage.ADMISSION}))

    def broken_engine(self) -> PolicyEngine:
        return FakePolicyEngine({Stage.ADMISSION: PolicyError("The engine is down.", remedy="Start it.")})

    def test_it_keeps_what_it_was_asked(self) -> None:
        fake = FakePolicyEngine()
        scripted = fake.answer(Stage.ADMISSION, Outcome.REVIEW, approvals=1)
        fake.script = {Stage.ADMISSION: scripted}
        assert fake.decide(Stage.ADMISSION, admission_facts()) is scripted
        assert fake.asked == [(Stage.ADMISSION, admission_facts())]


class TestRegorusEngine(PolicyEngineContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def engine(self) -> PolicyEngine:
        bundle = Bundle.load(default_bundle_path())
        return RegorusEngine(dataclasses.replace(bundle, data=example_data(bundle.data)))

    def undefined_engine(self) -> PolicyEngine:
        return self._engine_of("decision := 1 if input.nothing\n")

    def broken_engine(self) -> PolicyEngine:
        return self._engine_of("decision := 1 / (input.version - 1)\n")

    def _engine_of(self, rule: str) -> PolicyEngine:
        root = self.folder / "bundle"
        shutil.copytree(default_bundle_path(), root)
        (root / "admission" / "admission.rego").write_text(f"package governance.admission\n\n{rule}")
        return RegorusEngine(Bundle.load(root))


class TestOpaEngine(PolicyEngineContract):
    @pytest.fixture(autouse=True)
    def _servers(self, tmp_path: Path) -> Iterator[None]:
        self.folder, self.opa = tmp_path, real_opa()
        with ExitStack() as self.servers:
            yield

    def engine(self) -> PolicyEngine:
        return self._engine_at(bundle_at(self.folder / "bundle"))

    def undefined_engine(self) -> PolicyEngine:
        return self._engine_of("decision := 1 if input.nothing\n")

    def broken_engine(self) -> PolicyEngine:
        return self._engine_of("decision := 1 / (input.version - 1)\n")

    def _engine_of(self, rule: str) -> PolicyEngine:
        root = bundle_at(self.folder / "bundle")
        (root / "admission" / "admission.rego").write_text(f"package governance.admission\n\n{rule}")
        return self._engine_at(root)

    def _engine_at(self, root: Path) -> PolicyEngine:
        bundle, archive = Bundle.load(root), self.folder / "bundle.tar.gz"
        build_archive(bundle, archive, opa=self.opa)
        server = self.servers.enter_context(opa_server(self.opa, self.folder, "--bundle", archive))
        return OpaEngine(bundle, server.url, timeout=20)
