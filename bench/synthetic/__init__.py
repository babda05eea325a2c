"""The mini world: procedural clips whose ground truth is known exactly.

    actions, materials   the two tables that span the classes: 10 actions on 6 materials
    scene                Scene, Event, Timbre, Look; make_scene(split, index), label, truth as JSON
    motion               agent positions that audio and video share
    audio                render_audio(scene) -> [T]: modal synthesis and room
    excitation           its forces and noise
    video                render_frames(scene) -> frames: background, textures, light
    canvas, animations   shapes and how they are painted; one animation per action
    corruptions          known errors of a scene, or of its finished audio, for the oracles
    dataset              clips on disk: render_clip, manifest, verify
    protocols            hits_pairs, reference_scenes
    figures              the two pages of docs/ that show scenes

SciPy is imported where clips are rendered and by no module, so that listing splits and systems is
quick. A new action is a row of ``actions.ACTIONS`` and a function in ``animations``; a new material
is a row of ``materials.MATERIALS`` and a tile in ``video``. Both raise ``scene.WORLD_VERSION``.
"""
