"""What hands text and pictures to a Qwen-VL: its processor, without the part for clips, which torchvision alone has."""

from __future__ import annotations

from transformers import PreTrainedTokenizerBase, ProcessorMixin, Qwen2_5_VLProcessor, Qwen2VLImageProcessor
from transformers.image_processing_utils import BaseImageProcessor

from support.tiny_pipelines import spelling

PATCH = 14

MERGED = 2
"""How many patches a side become one token."""


class PictureReader(Qwen2_5_VLProcessor):
    """Qwen2.5-VL's processor for text and pictures."""

    def __init__(
        self,
        image_processor: BaseImageProcessor | None = None,
        tokenizer: PreTrainedTokenizerBase | None = None,
        chat_template: str | None = None,
    ) -> None:
        self.image_token = "<|image_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token = "<|video_pad|>"
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)


def pictures() -> Qwen2VLImageProcessor:
    side = PATCH * MERGED
    return Qwen2VLImageProcessor(size={"shortest_edge": side**2, "longest_edge": 16 * side**2}, patch_size=PATCH)


def reader() -> PictureReader:
    return PictureReader(pictures(), spelling.qwen(), chat_template=spelling.TURNS)
