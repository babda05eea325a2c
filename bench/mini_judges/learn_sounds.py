"""How the three networks that hear are taught: what a sound is of, and its timbre.

Class alone would make them blind to what the Frechet distances are for, so the hidden timbre is
asked for as well, by a head that is not shipped.
"""

from __future__ import annotations

from torch import Generator, Tensor, nn
from torch.nn import functional

from bench.mini_judges import panns, passt, vggish
from bench.mini_judges.bands import Bands, Shelf
from bench.mini_judges.front_end import powers
from bench.mini_judges.labels import N_LABELS

N_TIMBRE = 9
SMOOTHING = 0.05
TIMBRE_WEIGHT = 2.0
#: A patch without a blow still counts this much beside the loudest.
QUIETEST_WEIGHT = 0.05


class SoundLesson(nn.Module):
    """The class and the timbre of whole sounds, for the roles of PaSST and PANNs."""

    def __init__(self, network: passt.Passt | panns.Panns, n_blocks: int) -> None:
        super().__init__()
        module = passt if isinstance(network, passt.Passt) else panns
        self.network = network
        self.timbre = nn.Linear(module.WIDTH, N_TIMBRE)
        self.shelf = Shelf(module.HEARING, n_blocks)

    def draw(self, generator: Generator) -> Bands:
        """A batch of 60 sounds."""
        return self.shelf.draw_any(generator)

    def forward(self, sounds: Bands) -> Tensor:
        """The loss of one batch."""
        embedding, logits = self.network.judge(sounds.frames)
        error = functional.cross_entropy(logits, sounds.label, label_smoothing=SMOOTHING)
        off = functional.mse_loss(self.timbre(embedding), sounds.timbre)
        return error + TIMBRE_WEIGHT * off


class PatchLesson(nn.Module):
    """The same of every patch of 0.96 s, which counts as much as there is to hear in it."""

    def __init__(self, network: vggish.Vggish, n_blocks: int) -> None:
        super().__init__()
        self.network = network
        self.labels = nn.Linear(vggish.WIDTH, N_LABELS)
        self.timbre = nn.Linear(vggish.WIDTH, N_TIMBRE)
        self.shelf = Shelf(vggish.HEARING, n_blocks)

    def draw(self, generator: Generator) -> Bands:
        """A batch of 60 sounds."""
        return self.shelf.draw_any(generator)

    def forward(self, sounds: Bands) -> Tensor:
        """The loss of the patches of one batch."""
        embeddings = self.network.judge(sounds.frames)
        error = functional.cross_entropy(
            self.labels(embeddings).transpose(1, 2),
            sounds.label[:, None].expand(-1, embeddings.shape[1]),
            label_smoothing=SMOOTHING,
            reduction="none",
        )
        off = (self.timbre(embeddings) - sounds.timbre[:, None]).square().mean(-1)
        weight = _loudness(sounds.frames)
        loss: Tensor = ((error + TIMBRE_WEIGHT * off) * weight).sum() / weight.sum()
        return loss


def _loudness(frames: Tensor) -> Tensor:
    """Level of each patch ``[B, P]``, 1 for the loudest of its sound."""
    patches = powers(frames).sum(dim=1).unfold(1, vggish.PATCH_FRAMES, vggish.PATCH_FRAMES)
    level = patches.mean(dim=-1).sqrt()
    return (level / level.amax(dim=1, keepdim=True)).clamp(min=QUIETEST_WEIGHT)
