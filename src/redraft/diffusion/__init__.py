"""Floor 2: noise levels, parameterisations, step kernels, guidance, sampling and denoising objectives.

One algebra for epsilon, v and flow models: x = alpha * x0 + sigma * noise. No disk, no clock, no diffusers.
"""
