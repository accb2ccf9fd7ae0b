"""What is put around a policy engine is a policy engine itself, and keeps the port's contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance.candidate import CandidatePolicy
from governance.errors import PolicyError
from governance.in_force import RecordedPolicy
from governance.ports import PolicyEngine
from governance.testing import FakeLedger
from governance.testing.policy import FakePolicyEngine, PolicyEngineContract
from governance.types import Decision, Outcome, Reason, Stage
from governance_adapters.policy.regorus import RegorusEngine
from governance_adapters.policy.reload import ReloadingEngine
from support.bundles import bundle_at


class WrapperContract(PolicyEngineContract):
    """Fakes of each kind, with `wrap` around them."""

    def wrap(self, engine: PolicyEngine) -> PolicyEngine:
        raise NotImplementedError

    def engine(self) -> PolicyEngine:
        fake = FakePolicyEngine()

        def release(stage: Stage, facts) -> Decision:
            if facts["findings"][0]["score_millionths"] >= 1_000_000:
                return fake.answer(stage, Outcome.DENY, Reason("finding.denied", "Too high.", "/findings/0"))
            return fake.answer(stage, Outcome.ALLOW)

        fake.script = {Stage.RELEASE: release}
        return self.wrap(fake)

    def undefined_engine(self) -> PolicyEngine:
        return self.wrap(FakePolicyEngine(undefined=frozenset({Stage.ADMISSION})))

    def broken_engine(self) -> PolicyEngine:
        return self.wrap(FakePolicyEngine({Stage.ADMISSION: PolicyError("The engine is down.", remedy="Start it.")}))


class TestRecordedPolicy(WrapperContract):
    def wrap(self, engine: PolicyEngine) -> PolicyEngine:
        return RecordedPolicy(engine, FakeLedger())


class TestCandidatePolicy(WrapperContract):
    def wrap(self, engine: PolicyEngine) -> PolicyEngine:
        return CandidatePolicy(engine, FakePolicyEngine())


class TestReloadingEngine(PolicyEngineContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def engine(self) -> PolicyEngine:
        return ReloadingEngine(bundle_at(self.folder / "bundle"), RegorusEngine, 0.001)

    def undefined_engine(self) -> PolicyEngine:
        return self._engine_of("decision := 1 if input.nothing\n")

    def broken_engine(self) -> PolicyEngine:
        return self._engine_of("decision := 1 / (input.version - 1)\n")

    def _engine_of(self, rule: str) -> PolicyEngine:
        path = bundle_at(self.folder / "bundle")
        (path / "admission" / "admission.rego").write_text(f"package governance.admission\n\n{rule}")
        return ReloadingEngine(path, RegorusEngine, 0.001)
