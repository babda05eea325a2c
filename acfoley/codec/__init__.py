"""The 44.1 kHz codec: waveforms to latents and back.

codec                 Codec: the front door, and how to load the published one
mel                   waveform -> log-mel spectrogram
autoencoder           log-mel <-> latents; its layers in autoencoder_layers
vocoder               log-mel -> waveform (BigVGAN v2); its activation in snake and snake_cpu
griffin_lim           log-mel -> waveform without a network, for the mini world
"""

from acfoley.codec.codec import Codec, Posterior, load_codec

__all__ = ["Codec", "Posterior", "load_codec"]
