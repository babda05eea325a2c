"""The mini world: procedural clips whose ground truth is known exactly.

    actions, materials   the two tables that span the classes: 10 actions on 6 materials
    rhythm, motion       event times of an action; agent positions that audio and video share
    scene                Scene, Timbre, Look; make_scene(split, index), label, truth as JSON
    audio                render_audio(scene) -> [T]: excitation, modal synthesis, room
    video                render_frames(scene) -> frames: shapes, canvas, textures, animations
    corruptions          known errors of a scene, or of its finished audio, for the oracles
    dataset              clips on disk: render_clip, manifest, verify
    protocols            hits_pairs, reference_scenes
    figures              the two pages of docs/ that show scenes

A new action is a row of ``actions.ACTIONS`` and a function in ``video.animations``; a new material
is a row of ``materials.MATERIALS`` and a tile in ``video.textures``. Both raise
``scene.WORLD_VERSION``.
"""
