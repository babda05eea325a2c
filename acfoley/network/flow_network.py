"""The flow network: noisy latents, a time and the conditions of a clip to a velocity.

It follows the paper's Figure 2. ``conditions`` (once per clip) projects the features of video,
text, synchronisation and reference and merges their means into one vector. ``forward`` (at every
step) lets latents, video and text attend to one another in joint blocks, then latents alone in
single blocks, all modulated by that vector, the time and, per latent, the synchronisation.

Tensors are named as in the official checkpoints of MMAudio (Cheng et al., CVPR 2025) and AC-Foley.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from acfoley.network.attention import AttentionPool, rotary_angles
from acfoley.network.blocks import (
    CLIP_KERNEL,
    EDGE_KERNEL,
    FinalLayer,
    JointBlock,
    SingleBlock,
)
from acfoley.network.conditions import (
    DISTINCT_EMPTY_TOKENS,
    EMPTY_REFERENCE_TOKENS,
    Component,
    Conditions,
    Features,
    hidden_components,
    sync_row_indices,
)
from acfoley.network.layers import (
    Conditioning,
    Projection,
    SwiGLU,
    TimeConvolution,
    TimeEmbedding,
    time_frequencies,
)
from acfoley.params import (
    SYNC_TOKENS_PER_SEGMENT,
    TEXT_TOKENS,
    FlowParams,
    ReferenceParams,
    SequenceLengths,
)
from bench.types import FULL, Condition


class FlowNetwork(nn.Module):
    """MMAudio's multimodal transformer and, where the parameters have a reference, AC-Foley's."""

    #: Whether ``prepare_inference`` has been called.
    is_prepared = False

    def __init__(self, params: FlowParams) -> None:
        super().__init__()
        self.params = params
        width, n_heads = params.width, params.n_heads
        self._add_learned_features(params)
        self._add_projections(params)
        self.t_embed = TimeEmbedding(width, params.time_width)
        last = params.n_joint_blocks - 1
        self.joint_blocks = nn.ModuleList(
            JointBlock(width, n_heads, is_last=index == last) for index in range(last + 1)
        )
        self.fused_blocks = nn.ModuleList(
            SingleBlock(width, n_heads) for _ in range(params.n_fused_blocks)
        )
        self.final_layer = FinalLayer(width, params.latent_width)

    def forward(self, latents: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        """Return the velocity ``[B, L, 40]`` at ``latents [B, L, 40]`` and ``times [B]``.

        Latents are normalised; time 0 is noise, 1 is audio. Conditions of k B clips, B after B,
        give the velocities ``[k B, L, 40]`` of the same latents under each of them.
        """
        n_sides = conditions.n_clips // len(latents)
        # Latents and times are the same under all conditions, and their projection is an eighth of
        # the work of a step at the smallest preset, by its kernels of seven tokens. Batches of
        # another size are rounded otherwise, so that it takes a prepared network to share it.
        if not self.is_prepared:
            latents, times, n_sides = latents.repeat(n_sides, 1, 1), times.repeat(n_sides), 1
        latent = self.audio_input_proj(latents).repeat(n_sides, 1, 1)
        embedded = self.t_embed(times, conditions.frequencies).repeat(n_sides, 1)
        vector = embedded + conditions.vector
        shared = Conditioning(vector)
        # Latents that share a sync token share the work of its modulation: rows are the tokens of
        # all clips one after another, 192 for 8 s, where there are 345 latents.
        sync = conditions.sync_rows + vector[conditions.sync_clips]
        frames = Conditioning(sync, conditions.sync_indices)
        streams = latent, conditions.video, conditions.text
        for block in self.joint_blocks:
            streams = block(streams, frames, shared, conditions.angles)
        latent = streams[0]
        for block in self.fused_blocks:
            latent = block(latent, frames, conditions.angles[0])
        velocity: Tensor = self.final_layer(latent, shared)
        return velocity

    def prepare_inference(self) -> None:
        """Choose the fastest layers for a CPU in float32, and transform weights for them once.

        A step takes two thirds of the time (benchmarks/flow_speed.py) and outputs change by
        rounding. Needs ``transformed_bytes`` more memory. Weights must not change afterwards.
        """
        self.is_prepared = True
        for module in self.modules():
            if isinstance(module, Projection):
                module.is_prepared = True
        for convolution in self._short_convolutions():
            convolution.prepare()

    @property
    def transformed_bytes(self) -> int:
        """Memory of the weights that ``prepare_inference`` adds."""
        return sum(2 * convolution.weight.nbytes for convolution in self._short_convolutions())

    def _short_convolutions(self) -> list[TimeConvolution]:
        """Return the blocks' convolutions, all of three tokens."""
        modules = itertools.chain(self.joint_blocks.modules(), self.fused_blocks.modules())
        return [module for module in modules if isinstance(module, TimeConvolution)]

    def conditions(
        self, features: Features, lengths: SequenceLengths, condition: Condition = FULL
    ) -> Conditions:
        """Project ``features`` of clips of these ``lengths``.

        Components that are missing, or that ``condition`` masks, are the learned empty ones.

        Raises:
            ValueError: features do not have the shape that the lengths ask for, or there is a
                reference and the network has no input for one.
        """
        self._check(features, lengths)
        n_clips = features.n_clips
        kept = features.without(hidden_components(condition))
        in_vector = features.without(condition.masked)
        video = pooled_video = self._video_tokens(kept.video, n_clips, lengths)
        text = pooled_text = self._text_tokens(kept.text, n_clips)
        if condition.scope == "vector":
            pooled_video = self._video_tokens(in_vector.video, n_clips, lengths)
            pooled_text = self._text_tokens(in_vector.text, n_clips)
        # Frequencies are computed anew for each clip, so that no cast of the network rounds them.
        frequencies = time_frequencies(self.params.time_width, self.params.highest_time_frequency)
        sync = self._sync_tokens(kept.sync, n_clips, lengths)
        is_empty = kept.sync is None
        indices = sync_row_indices(lengths.sync_tokens, lengths.latents, is_empty=is_empty)
        first_row = sync.shape[1] * torch.arange(n_clips)
        device = self.latent_mean.device
        return Conditions(
            video=video,
            text=text,
            vector=self._vector(pooled_video, pooled_text, kept.audio, n_clips),
            sync_rows=sync.flatten(0, 1),
            sync_clips=torch.arange(n_clips).repeat_interleave(sync.shape[1]).to(device),
            sync_indices=(first_row[:, None] + indices).to(device),
            angles=self._angles(lengths),
            frequencies=frequencies.to(device),
        )

    def empty_features(self, n_clips: int, lengths: SequenceLengths) -> Features:
        """Return the learned empty features, repeated to the lengths of clips."""
        audio = None
        if self.params.reference is not None:
            n_tokens = _empty_reference_tokens(self.params.reference)
            audio = self.empty_audio_feat.expand(n_clips, n_tokens, -1)
        return Features(
            audio=audio,
            sync=self.empty_sync_feat.expand(n_clips, lengths.sync_tokens, -1),
            video=self.empty_clip_feat.expand(n_clips, lengths.clip_frames, -1),
            text=self.empty_string_feat.expand(n_clips, -1, -1),
        )

    def normalise(self, latents: Tensor) -> Tensor:
        """Bring latents of the codec ``[B, L, 40]`` to mean 0 and deviation 1, as the flow has."""
        return (latents - self.latent_mean) / self.latent_std

    def denormalise(self, latents: Tensor) -> Tensor:
        """Undo ``normalise``: return latents that the codec can decode."""
        return latents * self.latent_std + self.latent_mean

    def _angles(self, lengths: SequenceLengths) -> tuple[Tensor, Tensor]:
        """Rotary angles of latents and of video frames."""
        # Frames share the time line of the latents, where their positions are further apart.
        device, width = self.latent_mean.device, self.params.head_width
        latents = rotary_angles(lengths.latents, width)
        frames = rotary_angles(lengths.clip_frames, width, lengths.latents / lengths.clip_frames)
        return latents.to(device), frames.to(device)

    def _add_learned_features(self, params: FlowParams) -> None:
        """Add the empty features of missing components, and the statistics of latents."""
        # Measured, not trained: statistics of the training set, and CLIP's empty prompt.
        fixed = {"requires_grad": False}
        self.latent_mean = nn.Parameter(torch.empty(1, 1, params.latent_width), **fixed)
        self.latent_std = nn.Parameter(torch.empty(1, 1, params.latent_width), **fixed)
        self.empty_string_feat = nn.Parameter(torch.empty(TEXT_TOKENS, params.text_width), **fixed)
        self.empty_clip_feat = nn.Parameter(torch.empty(1, params.clip_width))
        self.empty_sync_feat = nn.Parameter(torch.empty(1, params.sync_width))
        self.sync_pos_emb = nn.Parameter(
            torch.empty(1, 1, SYNC_TOKENS_PER_SEGMENT, params.sync_width)
        )
        if params.reference is not None:
            self.empty_audio_feat = nn.Parameter(torch.empty(1, params.reference.width))

    def _add_projections(self, params: FlowParams) -> None:
        """Add the layers from features to tokens, and from tokens to the shared vector."""
        width = params.width
        self.audio_input_proj = _sequence_projection(params, params.latent_width, EDGE_KERNEL)
        self.sync_input_proj = _sequence_projection(params, params.sync_width, CLIP_KERNEL)
        self.clip_input_proj = _token_projection(params, params.clip_width, CLIP_KERNEL)
        self.text_input_proj = _token_projection(params, params.text_width, 1)
        self.clip_cond_proj = nn.Linear(width, width)
        self.text_cond_proj = nn.Linear(width, width)
        width_in = width
        if (reference := params.reference) is not None:
            # Latents are projected like those of the flow, CLAP's one embedding by one layer.
            self.audio_feature_proj = (
                _sequence_projection(params, reference.width, EDGE_KERNEL)
                if reference.encoder == "vae"
                else Projection(reference.width, width)
            )
            self.audio_cond_proj = nn.Linear(width, width)
            if reference.pooling == "attention":
                self.audio_pool = AttentionPool(width, params.n_heads)
            width_in = 2 * width if reference.fusion == "concatenate" else width
        self.global_cond_mlp = SwiGLU(width, width_in=width_in)

    def _video_tokens(self, video: Tensor | None, n_clips: int, lengths: SequenceLengths) -> Tensor:
        """Project features of frames to tokens ``[B, 8 s, D]``."""
        features = _fill(video, self.empty_clip_feat, n_clips, lengths.clip_frames)
        tokens: Tensor = self.clip_input_proj(features)
        return tokens

    def _text_tokens(self, text: Tensor | None, n_clips: int) -> Tensor:
        """Project features of the prompt to tokens ``[B, 77, D]``."""
        tokens: Tensor = self.text_input_proj(
            _fill(text, self.empty_string_feat, n_clips, TEXT_TOKENS)
        )
        return tokens

    def _vector(self, video: Tensor, text: Tensor, audio: Tensor | None, n_clips: int) -> Tensor:
        """Merge video, text and reference into the vector ``[B, D]`` (paper, section 3.3)."""
        vector = self.clip_cond_proj(video.mean(dim=1)) + self.text_cond_proj(text.mean(dim=1))
        if (reference := self.params.reference) is not None:
            n_tokens = _empty_reference_tokens(reference)
            tokens = self.audio_feature_proj(_fill(audio, self.empty_audio_feat, n_clips, n_tokens))
            # Pooled to one vector, so that a reference may have any number of tokens.
            has_pool = reference.pooling == "attention"
            pooled = self.audio_cond_proj(self.audio_pool(tokens) if has_pool else tokens.mean(1))
            is_concatenated = reference.fusion == "concatenate"
            vector = torch.cat([vector, pooled], dim=-1) if is_concatenated else vector + pooled
        merged: Tensor = self.global_cond_mlp(vector[:, None])
        return merged[:, 0]

    def _sync_tokens(self, sync: Tensor | None, n_clips: int, lengths: SequenceLengths) -> Tensor:
        """Project sync features to tokens ``[B, S, D]``, after adding the position in a segment.

        Of empty features only three segments: all others repeat the middle one.
        """
        n_empty = min(lengths.sync_tokens, DISTINCT_EMPTY_TOKENS)
        features = _fill(sync, self.empty_sync_feat, n_clips, n_empty)
        segments = features.reshape(n_clips, -1, SYNC_TOKENS_PER_SEGMENT, features.shape[-1])
        tokens: Tensor = self.sync_input_proj((segments + self.sync_pos_emb).flatten(1, 2))
        return tokens

    def _check(self, features: Features, lengths: SequenceLengths) -> None:
        params, reference = self.params, self.params.reference
        if features.audio is not None and reference is None:
            raise ValueError(
                "this network has no input for reference audio: use a preset that has one"
            )
        expected: dict[Component, tuple[int | None, int]] = {
            "sync": (lengths.sync_tokens, params.sync_width),
            "video": (lengths.clip_frames, params.clip_width),
            "text": (lengths.text_tokens, params.text_width),
        }
        if reference is not None:
            expected["audio"] = (None, reference.width)
        for name, (n_tokens, width) in expected.items():
            found = features.get(name)
            if found is not None and (
                found.dim() != 3
                or found.shape[1] < 1
                or (n_tokens is not None and found.shape[1] != n_tokens)
                or found.shape[2] != width
            ):
                raise ValueError(
                    f"features of {name} must be [B, {n_tokens or 'L'}, {width}], "
                    f"got {list(found.shape)}"
                )


def _activation(params: FlowParams) -> nn.Module:
    return nn.SELU() if params.version == 1 else nn.SiLU()


def _sequence_projection(params: FlowParams, width_in: int, kernel: int) -> nn.Sequential:
    """Make the projection of sequences in time: a wide convolution, then SwiGLU."""
    return nn.Sequential(
        TimeConvolution(width_in, params.width, EDGE_KERNEL),
        _activation(params),
        SwiGLU(params.width, kernel),
    )


def _token_projection(params: FlowParams, width_in: int, kernel: int) -> nn.Sequential:
    """Make the projection of CLIP features."""
    # Version 2 has one more activation, which shifts the names of the tensors after it.
    between = [] if params.version == 1 else [_activation(params)]
    first, last = Projection(width_in, params.width), SwiGLU(params.width, kernel)
    return nn.Sequential(first, *between, last)


def _empty_reference_tokens(reference: ReferenceParams) -> int:
    return EMPTY_REFERENCE_TOKENS if reference.encoder == "vae" else 1


def _fill(features: Tensor | None, empty: Tensor, n_clips: int, n_tokens: int) -> Tensor:
    """Return ``features`` in the dtype of the network, or ``empty`` for every clip and token."""
    return empty.expand(n_clips, n_tokens, -1) if features is None else features.to(empty.dtype)
