"""The mini world: procedural clips whose truth is known to the last number.

    world       Scene, Timbre, Look; make_scene(split, index), label, truth as JSON and back
    damage      shift_events, with_timbre_at, with_other_class: known damage for oracles
    spoil       with_noise, low_passed, ...: known damage to a finished sound
    sound       render_sound(scene) -> [T]        from excitation, modes and room
    picture     render_frames(scene) -> frames    from acts, stage, texture and draw
    clips       render_clip, manifest, verify: clips on disk
    protocols   hits_pairs, reference_scenes
    sheet       the two pages of docs/ that show it

Tables: ``actions.ACTIONS`` and ``materials.MATERIALS``. A new action is a row, and an act that
draws it; a new material is a row, and a tile. Both raise ``world.WORLD_VERSION``.
"""
