"""Attempts by weights and code that are loaded."""

import torch


class ByLoading:
    """Attempts by weights and code that are loaded."""

    def a_pickled_lora(self, t):
        torch.save({}, t.folder / "style.bin")
        return t.pipe.load_lora_weights(str(t.folder), weight_name="style.bin")

    def a_lora_without_safetensors(self, t):
        return t.pipe.load_lora_weights(str(t.folder), use_safetensors=False)

    def a_pickled_textual_inversion(self, t):
        torch.save({"<a>": torch.ones(32)}, t.folder / "learned.pt")
        return t.pipe.load_textual_inversion(t.folder / "learned.pt")

    def a_pickled_ip_adapter(self, t):
        return t.pipe.load_ip_adapter(str(t.folder), subfolder="", weight_name="ip-adapter.bin")

    def a_pickled_pipeline_folder(self, t):
        t.pipe.save_pretrained(t.folder / "saved")
        return type(t.pipe).from_pretrained(t.folder / "saved", use_safetensors=False)

    def remote_code(self, t):
        return type(t.pipe).from_pretrained(t.folder, custom_pipeline=str(t.folder), trust_remote_code=True)

    def a_part_of_remote_code(self, t):
        kind = type("Decoder", (type(t.pipe.vae),), {"__module__": "diffusers_modules.local.decoder"})
        t.pipe.vae.__class__ = kind
        return t.ask().images[0]
