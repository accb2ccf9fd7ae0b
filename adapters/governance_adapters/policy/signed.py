"""A bundle as one archive for policy servers, built and signed by the `opa` program (OPA documentation, "Bundles: Signing").

The archive carries our revision, by which `OpaEngine` knows which bundle answers. A server that is given the public key
activates no archive of another content or another signer.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from governance.errors import ConfigurationError, PolicyError, StorageError
from governance.files import write_atomically
from governance_adapters.policy.bundle import Bundle
from governance_adapters.policy.opa_command import OpaCommand

SECONDS: Final = 120
"""How long one build may take."""
_SAID: Final = 500


def build_archive(
    bundle: Bundle,
    output: Path,
    *,
    opa: str = "opa",
    signing_key: Path | None = None,
    key_id: str = "default",
    algorithm: str = "ES256",
) -> None:
    """Write `bundle`, as it was read and without its tests, to `output` (.tar.gz), whole or not at all.

    `opa` is the program, by name or path. `signing_key` is a PEM private key (a secret where `algorithm` is of the HS
    family), `key_id` the name that servers know its public half by, `algorithm` a name of RFC 7518, section 3.1.

    Raises:
        ConfigurationError: there is no such program or key.
        PolicyError: the bundle's files are no longer those that were read, or `opa` refuses them or the key.
        StorageError: the archive cannot be written.
    """
    program = shutil.which(opa)
    if program is None:
        raise ConfigurationError(
            f"There is no program {opa!r}.", remedy="Install the Open Policy Agent, and put `opa` on PATH."
        )
    # `opa` takes what is no file for the secret itself.
    if signing_key is not None and not signing_key.is_file():
        raise ConfigurationError(f"There is no signing key {signing_key}.", remedy="Name a PEM file.")
    signing = ["--signing-key", str(signing_key.resolve()), "--signing-alg", algorithm] if signing_key else []
    named = ["--verification-key-id", key_id] if signing_key else []
    with TemporaryDirectory() as folder:
        copy, built = Path(folder) / "bundle", Path(folder) / "bundle.tar.gz"
        _copy(bundle, copy)
        arguments = ["--bundle", copy.name, "--revision", bundle.revision, *signing, *named, "--output", built.name]
        _build(program, arguments, Path(folder))
        write_atomically(output, built.read_bytes())


def _copy(bundle: Bundle, folder: Path) -> None:
    """Copy what the revision covers, and see that it still has that revision: then nothing else can be built."""
    try:
        for name in (".manifest", "data.json", *bundle.policies):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle.root / name, folder / name, follow_symlinks=False)
        shutil.copytree(bundle.root / "schemas", folder / "schemas", symlinks=True)
    except FileNotFoundError as error:
        raise _changed(bundle) from error
    except OSError as error:
        raise StorageError(
            f"The bundle at {bundle.root} cannot be copied: {error.strerror or error}.",
            remedy="Check that it can be read, and that the disk has room.",
        ) from error
    if Bundle.load(folder).revision != bundle.revision:
        raise _changed(bundle)


def _changed(bundle: Bundle) -> PolicyError:
    return PolicyError(
        f"The files at {bundle.root} are not those of the bundle {bundle.revision}.",
        remedy="Load the bundle again, and build that.",
    )


def _build(program: str, arguments: list[str], folder: Path) -> None:
    done = OpaCommand(program).run(folder, "build", *arguments, seconds=SECONDS)
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())[:_SAID]
        raise PolicyError(
            f"`opa build` refused the bundle or its key: {said}.",
            remedy="Check the policy with `governance policy check`, and that the key fits the algorithm.",
        )
