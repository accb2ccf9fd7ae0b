"""Control networks and T2I-Adapters beside Stable Diffusion and SDXL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diffusers import ControlNetUnionModel, ControlNetXSAdapter, T2IAdapter

from support.tiny_pipelines import parts
from support.tiny_pipelines.instance import Tiny
from support.tiny_pipelines.stable_diffusion import EDIT, PAINT, WORDS, built
from support.tiny_pipelines.stable_diffusion_xl import CONDITIONS, PAINT_XL, built_xl

CONTROL = {"control_image": parts.PICTURE}
UNION = {"control_image": [parts.PICTURE], "control_mode": [1]}


def _control() -> Any:
    return parts.controlnet()


def _control_xl() -> Any:
    return parts.controlnet(**CONDITIONS)


def _union() -> Any:
    return parts.seeded(
        ControlNetUnionModel,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        attention_head_dim=8,
        conditioning_embedding_out_channels=(8, 8, 8, 8, 8),
        num_trans_channel=16,
        num_trans_head=2,
        num_proj_channel=16,
        **CONDITIONS,
    )


def _xs(cross: int) -> Callable[[], Any]:
    return lambda: parts.seeded(
        ControlNetXSAdapter,
        conditioning_embedding_out_channels=(8, 8, 8, 8, 8),
        num_attention_heads=2,
        block_out_channels=(8, 8),
        base_block_out_channels=(16, 32),
        cross_attention_dim=cross,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        sample_size=parts.SIDE // parts.FACTOR,
        max_norm_num_groups=4,
        use_linear_projection=False,
    )


def _adapter(kind: str, shrinks: int) -> Callable[[], Any]:
    return lambda: parts.seeded(
        T2IAdapter, channels=[16, 32], num_res_blocks=1, downscale_factor=shrinks, adapter_type=kind
    )


SHOWN = WORDS | {"image": parts.PICTURE}
_SHOWN = {
    "StableDiffusionControlNetPipeline": SHOWN,
    "StableDiffusionControlNetImg2ImgPipeline": EDIT | CONTROL,
    "StableDiffusionControlNetInpaintPipeline": PAINT | CONTROL,
    "StableDiffusionControlNetPAGPipeline": SHOWN,
    "StableDiffusionControlNetPAGInpaintPipeline": PAINT | CONTROL,
}
_SHOWN_XL = {
    "StableDiffusionXLControlNetPipeline": SHOWN,
    "StableDiffusionXLControlNetImg2ImgPipeline": EDIT | CONTROL,
    "StableDiffusionXLControlNetInpaintPipeline": PAINT_XL | CONTROL,
    "StableDiffusionXLControlNetPAGPipeline": SHOWN,
    "StableDiffusionXLControlNetPAGImg2ImgPipeline": EDIT | CONTROL,
}
_UNION = {
    "StableDiffusionXLControlNetUnionPipeline": WORDS | UNION,
    "StableDiffusionXLControlNetUnionImg2ImgPipeline": EDIT | UNION,
    "StableDiffusionXLControlNetUnionInpaintPipeline": PAINT_XL | UNION,
}

TINY = (
    {name: Tiny(built(name, controlnet=_control), call) for name, call in _SHOWN.items()}
    | {name: Tiny(built_xl(name, controlnet=_control_xl), call) for name, call in _SHOWN_XL.items()}
    | {name: Tiny(built_xl(name, controlnet=_union), call) for name, call in _UNION.items()}
    | {
        "StableDiffusionControlNetXSPipeline": Tiny(
            built("StableDiffusionControlNetXSPipeline", {"layers_per_block": 2}, controlnet=_xs(parts.WIDTH)), SHOWN
        ),
        "StableDiffusionXLControlNetXSPipeline": Tiny(
            built_xl("StableDiffusionXLControlNetXSPipeline", {"layers_per_block": 2}, controlnet=_xs(2 * parts.WIDTH)),
            SHOWN,
        ),
        "StableDiffusionAdapterPipeline": Tiny(
            built(
                "StableDiffusionAdapterPipeline",
                {"down_block_types": ("CrossAttnDownBlock2D",) * 2, "up_block_types": ("CrossAttnUpBlock2D",) * 2},
                adapter=_adapter("full_adapter", parts.FACTOR),
            ),
            SHOWN,
        ),
        "StableDiffusionXLAdapterPipeline": Tiny(
            # what it adds comes after the first level of the denoiser, which halves
            built_xl("StableDiffusionXLAdapterPipeline", adapter=_adapter("full_adapter_xl", 2 * parts.FACTOR)),
            SHOWN,
        ),
    }
)
