"""The flow network: from noisy latents, a time and what is known of a clip to a velocity.

It reads like the paper's Figure 2: features of picture, text, synchronisation and reference are
projected and joined to one vector (``conditions``, once per clip); latents, picture and text attend
to one another in joint blocks, latents alone in fused blocks, all modulated by that vector, the
time and, frame by frame, the synchronisation (``forward``, at every step).

Tensors are named as in the official checkpoints of MMAudio (Cheng et al., CVPR 2025) and AC-Foley.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from acfoley.network.attention import rotary_angles, time_frequencies
from acfoley.network.conditions import (
    DISTINCT_EMPTY_TOKENS,
    EMPTY_REFERENCE_TOKENS,
    Component,
    Conditions,
    Features,
    Mask,
    row_places,
)
from acfoley.network.layers import (
    CLIP_KERNEL,
    EDGE_KERNEL,
    AttentionPool,
    Condition,
    FinalLayer,
    FusedBlock,
    GatedPerceptron,
    JointBlock,
    Projection,
    TimeConvolution,
    TimeEmbedding,
)
from acfoley.params import (
    SYNC_TOKENS_PER_SEGMENT,
    TEXT_TOKENS,
    FlowParams,
    ReferenceParams,
    SequenceLengths,
)

#: Nothing is masked.
NO_MASK = Mask()


class FlowNetwork(nn.Module):
    """MMAudio's multimodal transformer and, where the parameters have a reference, AC-Foley's."""

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
            FusedBlock(width, n_heads) for _ in range(params.n_fused_blocks)
        )
        self.final_layer = FinalLayer(width, params.latent_width)

    def forward(self, latents: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        """Return the velocity ``[B, L, 40]`` at ``latents [B, L, 40]`` and ``times [B]``.

        Latents are normalised; time 0 is noise, 1 is sound.
        """
        latent = self.audio_input_proj(latents)
        vector = self.t_embed(times, conditions.frequencies) + conditions.vector
        shared = Condition(vector)
        sync = conditions.sync_rows + vector[conditions.sync_clips]
        frames = Condition(sync, conditions.sync_places)
        streams = latent, conditions.video, conditions.text
        for block in self.joint_blocks:
            streams = block(streams, frames, shared, conditions.angles)
        latent = streams[0]
        for block in self.fused_blocks:
            latent = block(latent, frames, conditions.angles[0])
        velocity: Tensor = self.final_layer(latent, shared)
        return velocity

    def conditions(
        self, features: Features, lengths: SequenceLengths, mask: Mask = NO_MASK
    ) -> Conditions:
        """Project ``features`` of clips of these ``lengths``; what is missing is the learned empty.

        Raises:
            ValueError: features do not have the shape that the lengths ask for, or there is a
                reference and the network knows none.
        """
        self._check(features, lengths)
        n_clips = features.n_clips
        seen, in_vector = features.without(mask.hidden), features.without(mask.components)
        video = pooled_video = self._tokens("video", seen, n_clips, lengths)
        text = pooled_text = self._tokens("text", seen, n_clips, lengths)
        if mask.components != mask.hidden:
            pooled_video = self._tokens("video", in_vector, n_clips, lengths)
            pooled_text = self._tokens("text", in_vector, n_clips, lengths)
        sync_rows, sync_places = self._sync(seen.sync, n_clips, lengths)
        return Conditions(
            video=video,
            text=text,
            vector=self._vector(pooled_video, pooled_text, seen.audio, n_clips),
            sync_rows=sync_rows.flatten(0, 1),
            sync_clips=torch.arange(n_clips).repeat_interleave(sync_rows.shape[1]).to(video.device),
            sync_places=sync_places,
            angles=self._angles(lengths),
            frequencies=self._time_frequencies(),
        )

    def empty_features(self, n_clips: int, lengths: SequenceLengths) -> Features:
        """The learned features of nothing, repeated to the lengths of clips."""
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

    def normalised(self, latents: Tensor) -> Tensor:
        """Latents of the codec ``[B, L, 40]`` as the flow knows them: mean 0, deviation 1."""
        return (latents - self.latent_mean) / self.latent_std

    def denormalised(self, latents: Tensor) -> Tensor:
        """The inverse: latents that the codec can decode."""
        return latents * self.latent_std + self.latent_mean

    def _add_learned_features(self, params: FlowParams) -> None:
        """What stands for a missing component, and the statistics of latents."""
        fixed = {"requires_grad": False}
        self.latent_mean = nn.Parameter(torch.empty(1, 1, params.latent_width), **fixed)
        self.latent_std = nn.Parameter(torch.empty(1, 1, params.latent_width), **fixed)
        self.empty_string_feat = nn.Parameter(torch.empty(TEXT_TOKENS, params.text_width), **fixed)
        self.empty_clip_feat = nn.Parameter(torch.empty(1, params.clip_width))
        self.empty_sync_feat = nn.Parameter(torch.empty(1, params.sync_width))
        places = SYNC_TOKENS_PER_SEGMENT
        self.sync_pos_emb = nn.Parameter(torch.empty(1, 1, places, params.sync_width))
        if params.reference is not None:
            self.empty_audio_feat = nn.Parameter(torch.empty(1, params.reference.width))

    def _add_projections(self, params: FlowParams) -> None:
        """From features to tokens, and from tokens to the vector that all blocks share."""
        width = params.width
        self.audio_input_proj = _sequence_projection(params, params.latent_width, EDGE_KERNEL)
        self.sync_input_proj = _sequence_projection(params, params.sync_width, CLIP_KERNEL)
        self.clip_input_proj = _token_projection(params, params.clip_width, CLIP_KERNEL)
        self.text_input_proj = _token_projection(params, params.text_width, 1)
        self.clip_cond_proj = nn.Linear(width, width)
        self.text_cond_proj = nn.Linear(width, width)
        width_in = width
        if (reference := params.reference) is not None:
            self.audio_feature_proj = _reference_projection(params, reference)
            self.audio_cond_proj = nn.Linear(width, width)
            if reference.pooling == "attention":
                self.audio_pool = AttentionPool(width, params.n_heads)
            width_in = 2 * width if reference.fusion == "concatenate" else width
        self.global_cond_mlp = GatedPerceptron(width, width_in=width_in)

    def _tokens(
        self, name: Literal["video", "text"], features: Features, n_clips: int, to: SequenceLengths
    ) -> Tensor:
        """Tokens of picture or text ``[B, L, D]``."""
        projection, empty, n_tokens = {
            "video": (self.clip_input_proj, self.empty_clip_feat, to.clip_frames),
            "text": (self.text_input_proj, self.empty_string_feat, to.text_tokens),
        }[name]
        found = _or_empty(features.get(name), empty, n_clips, n_tokens)
        tokens: Tensor = projection(found)
        return tokens

    def _vector(self, video: Tensor, text: Tensor, audio: Tensor | None, n_clips: int) -> Tensor:
        """The vector ``[B, D]`` of picture, text and reference (paper, section 3.3)."""
        seen = self.clip_cond_proj(video.mean(dim=1)) + self.text_cond_proj(text.mean(dim=1))
        if (reference := self.params.reference) is not None:
            heard = self._heard(audio, reference, n_clips)
            is_apart = reference.fusion == "concatenate"
            seen = torch.cat([seen, heard], dim=-1) if is_apart else seen + heard
        vector: Tensor = self.global_cond_mlp(seen[:, None])
        return vector[:, 0]

    def _heard(self, audio: Tensor | None, reference: ReferenceParams, n_clips: int) -> Tensor:
        """The reference as one vector ``[B, D]``."""
        n_tokens = _empty_reference_tokens(reference)
        tokens = self.audio_feature_proj(_or_empty(audio, self.empty_audio_feat, n_clips, n_tokens))
        pooled = self.audio_pool(tokens) if reference.pooling == "attention" else tokens.mean(dim=1)
        heard: Tensor = self.audio_cond_proj(pooled)
        return heard

    def _sync(
        self, sync: Tensor | None, n_clips: int, lengths: SequenceLengths
    ) -> tuple[Tensor, Tensor]:
        """Projected sync tokens ``[B, S, D]``, and by latent the place among those of all clips."""
        n_empty = min(lengths.sync_tokens, DISTINCT_EMPTY_TOKENS)
        tokens = _or_empty(sync, self.empty_sync_feat, n_clips, n_empty)
        segments = tokens.reshape(n_clips, -1, SYNC_TOKENS_PER_SEGMENT, tokens.shape[-1])
        rows = self.sync_input_proj((segments + self.sync_pos_emb).flatten(1, 2))
        places = row_places(lengths.sync_tokens, lengths.latents, is_empty=sync is None)
        first = rows.shape[1] * torch.arange(n_clips)[:, None]
        return rows, (places + first).to(rows.device)

    def _angles(self, lengths: SequenceLengths) -> tuple[Tensor, Tensor]:
        """Frames lie on the time of latents: their places are that much further apart."""
        device, width = self.latent_mean.device, self.params.head_width
        step = lengths.latents / lengths.clip_frames
        latents = rotary_angles(lengths.latents, width)
        frames = rotary_angles(lengths.clip_frames, width, step)
        return latents.to(device), frames.to(device)

    def _time_frequencies(self) -> Tensor:
        """Made anew for each clip, so that no cast of the network can round them."""
        params = self.params
        frequencies = time_frequencies(params.time_width, params.highest_time_frequency)
        return frequencies.to(self.latent_mean.device)

    def _check(self, features: Features, lengths: SequenceLengths) -> None:
        params, reference = self.params, self.params.reference
        if features.audio is not None and reference is None:
            raise ValueError("this network knows no reference sound: use a preset that does")
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
    """Sequences in time: a wide convolution, and a perceptron over ``kernel`` neighbours."""
    return nn.Sequential(
        TimeConvolution(width_in, params.width, EDGE_KERNEL),
        _activation(params),
        GatedPerceptron(params.width, kernel),
    )


def _token_projection(params: FlowParams, width_in: int, kernel: int) -> nn.Sequential:
    """Features of CLIP: version 2 has one more activation, which shifts the names after it."""
    between = [] if params.version == 1 else [_activation(params)]
    first, last = Projection(width_in, params.width), GatedPerceptron(params.width, kernel)
    return nn.Sequential(first, *between, last)


def _reference_projection(params: FlowParams, reference: ReferenceParams) -> nn.Module:
    """Latents of the codec like the latents of the flow; a CLAP embedding by one layer."""
    if reference.encoder == "vae":
        return _sequence_projection(params, reference.width, EDGE_KERNEL)
    return Projection(reference.width, params.width)


def _empty_reference_tokens(reference: ReferenceParams) -> int:
    return EMPTY_REFERENCE_TOKENS if reference.encoder == "vae" else 1


def _or_empty(found: Tensor | None, empty: Tensor, n_clips: int, n_tokens: int) -> Tensor:
    """What was found in the type of the network, or ``empty`` as often as is needed."""
    return empty.expand(n_clips, n_tokens, -1) if found is None else found.to(empty.dtype)
