"""Settings to policy engines: the engine over the bundle in force, its reloading, and the candidate beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from governance.candidate import CandidatePolicy
from governance.errors import ConfigurationError
from governance.ports import PolicyEngine
from governance_adapters.installation import existing
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.reload import ReloadingEngine, close_engine
from governance_adapters.settings import EngineName, Settings

if TYPE_CHECKING:
    from governance_adapters.policy.opa import OpaEngine
    from governance_adapters.policy.regorus import RegorusEngine


def open_policy(settings: Settings) -> PolicyEngine:
    """What decides: the engine over the bundle in force, read again when it changes, with the candidate beside it.

    A candidate is always evaluated by the embedded engine: a server has one bundle in force.

    Raises:
        ConfigurationError: a bundle is missing, or the settings of the engine contradict each other.
        PolicyError: a bundle is unsound.
    """
    enforced = _reloading(existing(settings.bundle_path), engine_maker(settings), settings)
    if settings.candidate is None:
        return enforced
    try:
        return CandidatePolicy(enforced, _reloading(settings.candidate, _embedded(settings), settings))
    except BaseException:  # Ctrl-C too: whatever ends it, the processes of the other engine are let go of; raised again
        close_engine(enforced)
        raise


def engine_maker(settings: Settings) -> Callable[[Bundle], RegorusEngine | OpaEngine]:
    """What makes an engine for a bundle, as the settings say.

    Raises:
        ConfigurationError: settings of a server without one, or a server without its URL; an unreadable token.
    """
    given = [name for name in Settings.model_fields if name.startswith("opa_") and getattr(settings, name) is not None]
    if settings.engine is EngineName.REGORUS:
        if given:
            raise ConfigurationError(
                f"{', '.join(given)} is set, but the engine is regorus, which asks no server.",
                remedy="Set engine to opa, or unset it.",
            )
        return _embedded(settings)
    if settings.opa_url is None:
        raise ConfigurationError("The engine is opa, but no server is named.", remedy="Set opa_url.")
    try:
        from governance_adapters.policy.opa import OpaEngine
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error}.", remedy="Install the client of policy servers: pip install 'diffusion-governance[opa]'."
        ) from error
    return partial(
        OpaEngine,
        url=settings.opa_url,
        token=None if settings.opa_token_file is None else _token(settings.opa_token_file),
        ca=settings.opa_ca,
        certificate=settings.opa_certificate,
        key=settings.opa_key,
        timeout=settings.policy_timeout,
    )


def _reloading(path: Path, make: Callable[[Bundle], PolicyEngine], settings: Settings) -> PolicyEngine:
    if settings.reload_seconds:
        return ReloadingEngine(path, make, settings.reload_seconds)
    return make(Bundle.load(path))


def _embedded(settings: Settings) -> Callable[[Bundle], RegorusEngine]:
    from governance_adapters.policy.regorus import RegorusEngine

    return partial(RegorusEngine, engines=settings.policy_engines, timeout=settings.policy_timeout)


def _token(file: Path) -> str:
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The token file {file} cannot be read: {error}.", remedy="Correct it.") from error
    if not token:
        raise ConfigurationError(f"The token file {file} is empty.", remedy="Write the bearer token into it.")
    return token
