"""`governance init` and `governance keys`: making an installation, and its keys."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from governance.errors import ConfigurationError
from governance.files import write_atomically
from governance_adapters.commands.output import JsonFlag, err, out, print_fields, print_json
from governance_adapters.installation import initialise
from governance_adapters.marking.keys import ROOTS, KeyFolder, create_insecure_keys
from governance_adapters.marking.renewal import renew_insecure_credentials
from governance_adapters.settings import TOML_FILE, Settings
from governance_adapters.wiring import trust_root_path

keys_app = typer.Typer(no_args_is_help=True, help="The keys of this installation.")

INSECURE_NOTICE = (
    "These are INSECURE development keys: anybody who reads the key folder can sign as this installation, and nobody "
    "outside trusts its authority. Set `certificate`, `private_key` and `trust_root` before anything matters."
)


def init(
    principal: Annotated[str, typer.Option(help="Who asks, where a call does not say.")] = "designer@example.org",
    role: Annotated[str, typer.Option(help="The role of that principal.")] = "designer",
    purpose: Annotated[str, typer.Option(help="What images are made for, where a call does not say.")] = "marketing",
    as_json: JsonFlag = False,
) -> None:
    """Make an installation: settings, the default policy bundle, INSECURE development keys, an empty ledger.

    What exists already is left as it is.
    """
    settings = Settings.load()
    toml = Path(TOML_FILE)
    content = to_toml({"principal": principal, "roles": [role], "purpose": purpose})
    made = [str(path) for path in initialise(settings)]
    if not toml.exists():
        write_atomically(toml, content)
        made.append(str(toml.absolute()))
    if as_json:
        print_json({"home": str(settings.home), "made": made})
        return
    out.print(f"Installation in {settings.home}", markup=False)
    for path in made:
        out.print(f"  made {path}", markup=False)
    if not made:
        out.print("  everything was there already")
    err.print(INSECURE_NOTICE, style="yellow", markup=False)


def to_toml(values: Mapping[str, str | Sequence[str]]) -> bytes:
    """Keys and values as TOML 1.0. Its basic strings and JSON's differ in two points: surrogate pairs, and DEL.

    Raises:
        ConfigurationError: a value is not text: bytes on the command line that are not UTF-8.
    """
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())
    try:
        return "".join(lines).replace("\x7f", "\\u007f").encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            "A setting is not UTF-8 text.", remedy="Give it in the terminal's encoding."
        ) from error


@keys_app.command("init")
def keys_init(as_json: JsonFlag = False) -> None:
    """Make the INSECURE development authority and all other keys; refuses to replace existing ones."""
    settings = Settings.load()
    create_insecure_keys(settings.keys_path)
    _show(settings, as_json)
    err.print(INSECURE_NOTICE, style="yellow", markup=False)


@keys_app.command("renew")
def keys_renew(as_json: JsonFlag = False) -> None:
    """Make a new INSECURE development certificate; its root joins the old ones, and no other key changes.

    Refused where somebody else issued the certificate in use.
    """
    settings = Settings.load()
    if settings.certificate is not None or settings.private_key is not None:
        raise ConfigurationError(
            "`certificate` and `private_key` are set: the development authority does not sign here.",
            remedy="Have their authority renew them.",
        )
    expires = renew_insecure_credentials(settings.keys_path)
    fields = {"folder": str(settings.keys_path), "valid until": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}
    fields["C2PA root"] = str(settings.keys_path / ROOTS)
    if as_json:
        print_json({name.replace(" ", "_"): value for name, value in fields.items()})
    else:
        print_fields(fields)
        out.print("Whoever verifies your files needs the new C2PA root beside the old one.")
    if settings.trust_root is not None:
        err.print(f"Add the new root to {settings.trust_root}: `trust_root` names it.", style="yellow", markup=False)
    err.print(INSECURE_NOTICE, style="yellow", markup=False)


@keys_app.command("show")
def keys_show(as_json: JsonFlag = False) -> None:
    """Show what strangers need: the log's public key and the C2PA root; and the ids of the other keys."""
    _show(Settings.load(), as_json)


def _show(settings: Settings, as_json: bool) -> None:
    folder = KeyFolder(settings.keys_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keys = folder.load()
    fields = {
        "folder": str(settings.keys_path),
        "log key": str(keys.log.key),
        "C2PA root": str(trust_root_path(settings)),
        "watermark key id": keys.mark.key_id,
        "authority": "INSECURE development authority" if keys.insecure else "your own",
    }
    if as_json:
        print_json({name.replace(" ", "_"): value for name, value in fields.items()})
    else:
        print_fields(fields)
