"""Silent video of a scene: shapes painted on a canvas, one animation per action."""

from bench.synthetic.video.renderer import SIDE, render_frames

__all__ = ["SIDE", "render_frames"]
