"""Stable Diffusion 1 and 2, and what was made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    CLIPImageProjection,
    DDIMInverseScheduler,
    DDIMParallelScheduler,
    DDIMScheduler,
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    PriorTransformer,
    UnCLIPScheduler,
)
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from transformers import CLIPProcessor, DPTConfig, DPTForDepthEstimation, DPTImageProcessorPil

from support.tiny_pipelines import parts
from support.tiny_pipelines.instance import Tiny

WORDS = {"prompt": "a b", "num_inference_steps": 1}
EDIT = WORDS | {"image": parts.PICTURE, "num_inference_steps": 2, "strength": 0.5}
PAINT = WORDS | {"image": parts.PICTURE, "mask_image": parts.MASK, "height": parts.SIDE, "width": parts.SIDE}


def stable(name: str, folder: Path, *, unet: dict[str, Any] | None = None, **other: Any) -> DiffusionPipeline:
    """A pipeline of the parts of Stable Diffusion; `unet` changes the denoiser's configuration, `other` the parts."""
    return parts.put_together(
        name,
        **{
            "vae": parts.vae(),
            "text_encoder": parts.clip_text(),
            "tokenizer": parts.clip_tokenizer(folder),
            "unet": parts.unet(**(unet or {})),
            "scheduler": parts.scheduler(),
            "safety_checker": None,
            "feature_extractor": None,
            "image_encoder": None,
            "requires_safety_checker": False,
        }
        | other,
    )


def built(name: str, unet: dict[str, Any] | None = None, **other: Callable[[], Any]) -> Callable[[Path], Any]:
    """How a pipeline of `name` is built: `other` makes the parts that are not those of Stable Diffusion."""
    return lambda folder: stable(name, folder, unet=unet, **{key: make() for key, make in other.items()})


def ip_adapter(unet: Any, *, tokens: int = 4) -> dict[str, dict[str, torch.Tensor]]:
    """The weights of an IP-Adapter for a denoiser's cross attention, as a file of them holds them."""
    torch.manual_seed(0)
    wide = unet.config.cross_attention_dim
    projection = {
        "proj.weight": torch.randn(tokens * wide, parts.WIDTH) / 8,
        "proj.bias": torch.zeros(tokens * wide),
        "norm.weight": torch.ones(wide),
        "norm.bias": torch.zeros(wide),
    }
    layers = [name for name in unet.attn_processors if name.endswith("attn2.processor")]
    heads = {}
    for place, name in enumerate(layers):
        width = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
        for part in ("k", "v"):
            heads[f"{2 * place + 1}.to_{part}_ip.weight"] = torch.randn(width, wide) / 8
    return {"image_proj": projection, "ip_adapter": heads}


def with_ip_adapter(pipe: Any) -> Any:
    """`pipe` with an IP-Adapter loaded, through the pipeline's own loader."""
    pipe.load_ip_adapter(ip_adapter(pipe.unet), subfolder="", weight_name="", image_encoder_folder=None)
    pipe.set_ip_adapter_scale(0.5)
    return pipe


def _depth() -> DPTForDepthEstimation:
    config = DPTConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5],
        is_hybrid=False,
    )
    return parts.seeded(DPTForDepthEstimation, config)


def _prior() -> PriorTransformer:
    return parts.seeded(
        PriorTransformer, num_attention_heads=2, attention_head_dim=8, embedding_dim=parts.WIDTH, num_layers=1
    )


def _prior_scheduler() -> UnCLIPScheduler:
    return UnCLIPScheduler(variance_type="fixed_small_log", prediction_type="sample")


def _normalizer() -> StableUnCLIPImageNormalizer:
    return StableUnCLIPImageNormalizer(embedding_dim=parts.WIDTH)


def _with_prior(folder: Path) -> DiffusionPipeline:
    return stable(
        "StableUnCLIPPipeline",
        folder,
        unet={"class_embed_type": "projection", "projection_class_embeddings_input_dim": 2 * parts.WIDTH},
        prior_tokenizer=parts.clip_tokenizer(folder, "prior_tokenizer"),
        prior_text_encoder=parts.clip_text_projected(),
        prior=_prior(),
        prior_scheduler=_prior_scheduler(),
        image_normalizer=_normalizer(),
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
    )


def _gligen_pictures(folder: Path) -> DiffusionPipeline:
    return stable(
        "StableDiffusionGLIGENTextImagePipeline",
        folder,
        unet={"attention_type": "gated-text-image"},
        processor=CLIPProcessor(parts.clip_pictures(), parts.clip_tokenizer(folder)),
        image_encoder=parts.clip_vision(),
        image_project=parts.seeded(CLIPImageProjection, hidden_size=parts.WIDTH),
    )


LATENT_MASK = parts.MASK.resize(2 * [parts.SIDE // parts.FACTOR])
# What inverting a picture gives: its latents at the one step that two steps of this strength leave.
INVERTED = torch.randn(1, 1, 4, *(2 * [parts.SIDE // parts.FACTOR]), generator=torch.Generator().manual_seed(0))
SEEN = {"image_encoder": parts.clip_vision, "feature_extractor": parts.clip_pictures}
BOXES = {"gligen_phrases": ["c"], "gligen_boxes": [[0.1, 0.1, 0.6, 0.6]], "gligen_scheduled_sampling_beta": 1}

TINY = {
    "StableDiffusionPipeline": Tiny(built("StableDiffusionPipeline"), WORDS),
    "StableDiffusionPipeline+ip_adapter": Tiny(
        lambda folder: with_ip_adapter(built("StableDiffusionPipeline", **SEEN)(folder)),
        WORDS | {"ip_adapter_image": parts.SMALL},
    ),
    "StableDiffusionImg2ImgPipeline": Tiny(built("StableDiffusionImg2ImgPipeline"), EDIT),
    "StableDiffusionInpaintPipeline": Tiny(built("StableDiffusionInpaintPipeline", {"in_channels": 9}), PAINT),
    "StableDiffusionInstructPix2PixPipeline": Tiny(
        built("StableDiffusionInstructPix2PixPipeline", {"in_channels": 8}),
        WORDS | {"image": parts.PICTURE},
    ),
    "StableDiffusionUpscalePipeline": Tiny(
        built(
            "StableDiffusionUpscalePipeline",
            {"in_channels": 7, "num_class_embeds": 1000},
            vae=lambda: parts.vae(4),
            low_res_scheduler=DDPMScheduler,
        ),
        WORDS | {"image": parts.SMALL},
    ),
    "StableDiffusionLatentUpscalePipeline": Tiny(
        built(
            "StableDiffusionLatentUpscalePipeline",
            {"in_channels": 8, "out_channels": 5, "time_cond_proj_dim": 2 * 64 + parts.WIDTH},
            scheduler=EulerDiscreteScheduler,
        ),
        WORDS | {"image": parts.PICTURE.resize((128, 128))},
    ),
    "StableDiffusionDepth2ImgPipeline": Tiny(
        built(
            "StableDiffusionDepth2ImgPipeline",
            {"in_channels": 5},
            depth_estimator=_depth,
            feature_extractor=lambda: DPTImageProcessorPil(size={"height": 32, "width": 32}),
        ),
        EDIT,
    ),
    "StableDiffusionImageVariationPipeline": Tiny(
        built("StableDiffusionImageVariationPipeline", **SEEN), {"image": parts.PICTURE, "num_inference_steps": 1}
    ),
    "StableUnCLIPPipeline": Tiny(_with_prior, WORDS | {"prior_num_inference_steps": 2}),
    "StableUnCLIPImg2ImgPipeline": Tiny(
        built(
            "StableUnCLIPImg2ImgPipeline",
            {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 2 * parts.WIDTH},
            image_normalizer=_normalizer,
            image_noising_scheduler=lambda: DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
            **SEEN,
        ),
        WORDS | {"image": parts.PICTURE},
    ),
    "LatentConsistencyModelPipeline": Tiny(
        built("LatentConsistencyModelPipeline", {"time_cond_proj_dim": 16}, scheduler=LCMScheduler), WORDS
    ),
    "LatentConsistencyModelImg2ImgPipeline": Tiny(
        built("LatentConsistencyModelImg2ImgPipeline", {"time_cond_proj_dim": 16}, scheduler=LCMScheduler), EDIT
    ),
    "StableDiffusionPAGPipeline": Tiny(built("StableDiffusionPAGPipeline"), WORDS),
    "StableDiffusionPAGImg2ImgPipeline": Tiny(built("StableDiffusionPAGImg2ImgPipeline"), EDIT),
    "StableDiffusionPAGInpaintPipeline": Tiny(
        built("StableDiffusionPAGInpaintPipeline"), PAINT | {"num_inference_steps": 2}
    ),
    "StableDiffusionPanoramaPipeline": Tiny(
        built("StableDiffusionPanoramaPipeline"), WORDS | {"height": parts.SIDE, "width": 512}
    ),
    "StableDiffusionSAGPipeline": Tiny(built("StableDiffusionSAGPipeline"), WORDS),
    "StableDiffusionAttendAndExcitePipeline": Tiny(
        built("StableDiffusionAttendAndExcitePipeline"),
        WORDS | {"token_indices": [1, 2], "attn_res": (8, 8), "max_iter_to_alter": 1},
    ),
    "StableDiffusionDiffEditPipeline": Tiny(
        built("StableDiffusionDiffEditPipeline", inverse_scheduler=lambda: DDIMInverseScheduler(clip_sample=False)),
        WORDS | {"mask_image": LATENT_MASK, "image_latents": INVERTED, "num_inference_steps": 2},
    ),
    "StableDiffusionGLIGENPipeline": Tiny(
        built("StableDiffusionGLIGENPipeline", {"attention_type": "gated"}), WORDS | BOXES
    ),
    "StableDiffusionGLIGENTextImagePipeline": Tiny(_gligen_pictures, WORDS | BOXES | {"gligen_images": [parts.SMALL]}),
    "StableDiffusionLDM3DPipeline": Tiny(
        built("StableDiffusionLDM3DPipeline", vae=lambda: parts.vae(in_channels=6, out_channels=6)),
        WORDS | {"output_type": "np"},
        refused="depth maps",
    ),
    "SemanticStableDiffusionPipeline": Tiny(
        built("SemanticStableDiffusionPipeline"), WORDS | {"editing_prompt": ["c", "d"], "edit_warmup_steps": 0}
    ),
    "StableDiffusionPipelineSafe": Tiny(built("StableDiffusionPipelineSafe"), WORDS),
    "StableDiffusionInpaintPipelineLegacy": Tiny(
        built("StableDiffusionInpaintPipelineLegacy"), EDIT | {"mask_image": parts.MASK}
    ),
    "CycleDiffusionPipeline": Tiny(
        built("CycleDiffusionPipeline", scheduler=lambda: DDIMScheduler(clip_sample=False, set_alpha_to_one=False)),
        EDIT | {"source_prompt": "c"},
    ),
    "StableDiffusionModelEditingPipeline": Tiny(built("StableDiffusionModelEditingPipeline"), WORDS),
    "StableDiffusionParadigmsPipeline": Tiny(
        built("StableDiffusionParadigmsPipeline", scheduler=lambda: DDIMParallelScheduler(clip_sample=False)), WORDS
    ),
    "LEditsPPPipelineStableDiffusion": Tiny(
        built("LEditsPPPipelineStableDiffusion", scheduler=DPMSolverMultistepScheduler),
        {"editing_prompt": ["c"]},
        refused="before the call",
    ),
}
