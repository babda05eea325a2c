"""Training the flow network: from clips to features on disk, to weights.

    clips, window     which clips, and what of each is target and reference
    encoding          functions that make features of a clip, by name
    precompute        clips to shards, resumable; what fails is a row
    shards, corpus    features on disk, written whole and read by memory map
    recipe, presets   how a network is trained; every variant that the tables compare
    sampler, batches  which clips at which step, and all that is random about them
    feed              the batches of a run, read ahead
    objective         the loss of a batch
    guard, validation what stops a run; what is only looked at
    ema, snapshots    two averages of the weights, and any other made of them afterwards
    checkpoint, log   what a run leaves behind; a killed run goes on as if it had not been
    world, start      one process or many; what they begin with
    settings, loop    how a recipe is carried out; the steps

A small model plugs in with its own features and sizes; the code is the same:

    encoding = Encoding(
        identity="mini-1, 4 references inside",  # names all that decides the features
        columns={
            "target": codec_target(codec),
            "inside": codec_inside(codec, n_crops=4),
            "after": codec_after(codec),
            "video": small_video,                # Source to {"video": [64, 16]}, or None
            "sync": small_sync,                  # {"sync": [192, 8]}
            "text": small_text,                  # {"text": [77, 16]}, None without a prompt
        },
        empty_text=small_empty_text,             # [77, 16]
    )
    precompute(ClipList(clips), encoding, folder, Window())
    recipe = RECIPES["mini"]
    sizes = replace(recipe.params, clip_width=16, sync_width=8, text_width=16)
    train(replace(recipe, params=sizes), Data([folder], held_out=[other]), run)
    synthesise(run, 0.05, run / "weights.safetensors")

A column is a function of a ``Source`` (sound and picture of one clip, read when asked for) that
returns named arrays, or None where the clip lacks the component. Widths are the encoders' own, as
long as the network's parameters say the same; lengths are those of ``sequence_lengths``. Without a
codec, targets and references may be any latents ``[L, D]`` with a deviation beside the mean.
"""
