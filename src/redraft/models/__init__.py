"""Floor 3: diffusion models as backbones: families of diffusers pipelines, LoRA, checkpoint format, export."""
