"""Video, prompt and reference to the features that the flow network is conditioned on.

encoders     CLIP, the video half of Synchformer and, for one preset, the audio half of CLAP;
             how a reference waveform is prepared
clip         CLIP: its frames, network, tokeniser and features
cache        all features of a clip, computed once and kept in memory and on disk
"""

from acfoley.encoders.encoders import Encoders, PromptFeatures, load_encoders

__all__ = ["Encoders", "PromptFeatures", "load_encoders"]
