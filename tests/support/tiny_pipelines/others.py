"""Pipelines of one kind each: masked tokens, examples to paint by, depth maps, three dimensions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diffusers import (
    AmusedScheduler,
    DiffusionPipeline,
    HeunDiscreteScheduler,
    LCMScheduler,
    PriorTransformer,
    Transformer2DModel,
    UVit2DModel,
    VQDiffusionScheduler,
)
from diffusers.pipelines.deprecated.alt_diffusion.modeling_roberta_series import (
    RobertaSeriesConfig,
    RobertaSeriesModelWithTransformation,
)
from diffusers.pipelines.deprecated.paint_by_example.image_encoder import PaintByExampleImageEncoder
from diffusers.pipelines.deprecated.vq_diffusion.pipeline_vq_diffusion import LearnedClassifierFreeSamplingEmbeddings
from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import LDMBertConfig, LDMBertModel
from diffusers.pipelines.shap_e.renderer import ShapERenderer

from support.tiny_pipelines import parts, spelling
from support.tiny_pipelines.instance import Tiny
from support.tiny_pipelines.kandinsky import words
from support.tiny_pipelines.stable_diffusion import WORDS, built
from support.tiny_pipelines.unconditional import vq

CODES = 32
LATENTS = parts.SIDE // parts.FACTOR
EDIT = {"prompt": "a b", "image": parts.PICTURE, "num_inference_steps": 2, "strength": 0.6}


def _amused(name: str) -> Callable[[Path], DiffusionPipeline]:
    def build(folder: Path) -> DiffusionPipeline:
        transformer = parts.seeded(
            UVit2DModel,
            hidden_size=16,
            cond_embed_dim=parts.WIDTH,
            micro_cond_encode_dim=4,
            micro_cond_embed_dim=5 * 4,
            encoder_hidden_size=parts.WIDTH,
            vocab_size=CODES + 1,
            codebook_size=CODES,
            in_channels=16,
            block_out_channels=16,
            num_res_blocks=1,
            block_num_heads=2,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            sample_size=LATENTS,
        )
        return parts.put_together(
            name,
            vqvae=vq(channels=8, lookup_from_codebook=True),
            tokenizer=parts.clip_tokenizer(folder),
            text_encoder=parts.clip_text_projected(),
            transformer=transformer,
            scheduler=AmusedScheduler(mask_token_id=CODES),
        )

    return build


def _vq_diffusion(folder: Path) -> DiffusionPipeline:
    transformer = parts.seeded(
        Transformer2DModel,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=parts.WIDTH,
        sample_size=LATENTS,
        num_vector_embeds=CODES + 1,
        num_embeds_ada_norm=100,
        norm_type="ada_norm",
        activation_fn="geglu-approximate",
        norm_num_groups=4,
        attention_bias=True,
    )
    return parts.put_together(
        "VQDiffusionPipeline",
        vqvae=vq(vq_embed_dim=4),
        text_encoder=parts.clip_text(),
        tokenizer=parts.clip_tokenizer(folder),
        transformer=transformer,
        scheduler=VQDiffusionScheduler(num_vec_classes=CODES + 1),
        learned_classifier_free_sampling_embeddings=LearnedClassifierFreeSamplingEmbeddings(learnable=False),
    )


def _by_example() -> PaintByExampleImageEncoder:
    return parts.seeded(PaintByExampleImageEncoder, parts.clip_vision().config, proj_size=parts.WIDTH)


def _alt_reader() -> RobertaSeriesModelWithTransformation:
    config = RobertaSeriesConfig(
        hidden_size=parts.WIDTH,
        project_dim=parts.WIDTH,
        intermediate_size=37,
        vocab_size=spelling.VOCABULARY,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=96,
    )
    return parts.seeded(RobertaSeriesModelWithTransformation, config)


def _first_latent(_: Path) -> DiffusionPipeline:
    config = LDMBertConfig(
        vocab_size=spelling.VOCABULARY,
        encoder_layers=1,
        encoder_ffn_dim=37,
        encoder_attention_heads=2,
        head_dim=8,
        d_model=parts.WIDTH,
    )
    return parts.put_together(
        "LDMTextToImagePipeline",
        vqvae=parts.vae(8),
        bert=parts.seeded(LDMBertModel, config),
        tokenizer=spelling.bert(),
        unet=parts.unet(sample_size=parts.SIDE // 8),
        scheduler=parts.scheduler(),
    )


def _marigold(name: str, outputs: int = 1, **more: Any) -> Callable[[Path], DiffusionPipeline]:
    def build(folder: Path) -> DiffusionPipeline:
        return parts.put_together(
            name,
            unet=parts.unet(in_channels=4 + 4 * outputs, out_channels=4 * outputs),
            vae=parts.vae(),
            scheduler=LCMScheduler(),
            text_encoder=parts.clip_text(),
            tokenizer=parts.clip_tokenizer(folder),
            default_denoising_steps=1,
            default_processing_resolution=parts.SIDE,
            **more,
        )

    return build


def _shap_e(folder: Path) -> DiffusionPipeline:
    shapes = ((8, 93), (8, 8), (8, 8), (8, 8))
    prior = parts.seeded(
        PriorTransformer,
        num_attention_heads=2,
        attention_head_dim=4,
        num_layers=1,
        embedding_dim=8,
        num_embeddings=sum(rows for rows, _ in shapes),
        additional_embeddings=0,
        time_embed_act_fn="gelu",
        norm_in_type="layer",
        encoder_hid_proj_type=None,
        added_emb_type=None,
        time_embed_dim=32,
        embedding_proj_dim=parts.WIDTH,
        clip_embed_dim=16,
    )
    return parts.put_together(
        "ShapEPipeline",
        prior=prior,
        text_encoder=parts.clip_text_projected(),
        tokenizer=parts.clip_tokenizer(folder),
        scheduler=HeunDiscreteScheduler(prediction_type="sample", use_karras_sigmas=True, clip_sample=True),
        shap_e_renderer=parts.seeded(ShapERenderer, param_shapes=shapes, d_latent=8, d_hidden=8),
    )


TINY = {
    "AmusedPipeline": Tiny(_amused("AmusedPipeline"), WORDS),
    "AmusedImg2ImgPipeline": Tiny(_amused("AmusedImg2ImgPipeline"), EDIT),
    "AmusedInpaintPipeline": Tiny(_amused("AmusedInpaintPipeline"), EDIT | {"mask_image": parts.MASK}),
    "LDMTextToImagePipeline": Tiny(_first_latent, WORDS),
    "VQDiffusionPipeline": Tiny(_vq_diffusion, WORDS | {"num_inference_steps": 2}),
    "PaintByExamplePipeline": Tiny(
        built(
            "PaintByExamplePipeline",
            {"in_channels": 9},
            image_encoder=_by_example,
            feature_extractor=parts.clip_pictures,
        ),
        {
            "example_image": parts.SMALL,
            "image": parts.PICTURE,
            "mask_image": parts.MASK,
            "num_inference_steps": 1,
        },
    ),
    "AltDiffusionPipeline": Tiny(built("AltDiffusionPipeline", text_encoder=_alt_reader, tokenizer=words), WORDS),
    "AltDiffusionImg2ImgPipeline": Tiny(
        built("AltDiffusionImg2ImgPipeline", text_encoder=_alt_reader, tokenizer=words), EDIT
    ),
    "MarigoldDepthPipeline": Tiny(
        _marigold("MarigoldDepthPipeline", prediction_type="depth"), {"image": parts.PICTURE}, refused="predictions"
    ),
    "MarigoldNormalsPipeline": Tiny(
        _marigold("MarigoldNormalsPipeline", prediction_type="normals"), {"image": parts.PICTURE}, refused="predictions"
    ),
    "MarigoldIntrinsicsPipeline": Tiny(
        _marigold(
            "MarigoldIntrinsicsPipeline",
            2,
            prediction_type="intrinsics",
            target_properties={"target_names": ["albedo", "material"], "albedo": {"prediction_space": "srgb"}},
        ),
        {"image": parts.PICTURE},
        refused="predictions",
    ),
    "ShapEPipeline": Tiny(
        _shap_e, {"prompt": "a b", "num_inference_steps": 1, "frame_size": 64}, refused="three-dimensional"
    ),
}
