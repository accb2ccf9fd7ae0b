"""Switches with which a pipeline has a language model of its own rewrite the prompt in the call, where policy does not see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from governance.errors import UnsupportedArgumentError

SWITCHES: Final[Mapping[str, bool | None]] = {
    "enable_prompt_rewrite": False,
    "use_pe": False,
    "caption_upsample_temperature": None,
    "enable_prompt_enhancement": False,
    "prompt_upsampling": False,
    "expand_prompts": False,
}
"""The parameters of diffusers' calls that switch it on, each with what switches it off."""


def refuse_rewriting(pipeline: str, values: Mapping[str, Any]) -> None:
    """Refuse a call in which such a switch is on. `values` are its arguments, with the defaults of those left out.

    Raises:
        UnsupportedArgumentError: a switch is anything but False or None, also where that is its default.
    """
    for name, off in SWITCHES.items():
        value = values.get(name)
        if value is not None and value is not False:
            raise UnsupportedArgumentError(
                f"With `{name}` on, {pipeline} would rewrite the prompt in the call: policy would see another text than "
                "the one that makes the picture.",
                remedy=f"Pass `{name}={off}`, and as the prompt the text that is to be used.",
            )
