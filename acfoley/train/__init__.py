"""Training of the flow network: from clips to stored features to weights.

    clips             which clips, and which samples of each are target and reference
    features          functions that compute features of a clip, by name
    precompute        encodes clips into shards, resumable; failed clips are recorded
    shards, dataset   features on disk, written atomically and read by memory map
    recipe            how a network is trained; one recipe for each variant of the paper's tables
    loader, collate   which clips are in the batch of a step, and everything random about them
    loss              the loss of a batch and of held-out clips; stops at values that are not finite
    ema               power-function averages of the weights, and others made of them afterwards
    checkpoint        the state of a run: made at the start, saved, and loaded by a resumed run
    log               losses by step in CSV files, and progress on a terminal
    distributed       one process or many
    loop, cli         the settings of a run and its steps; the commands

A small model needs only its own features and sizes; the code is the same:

    encoding = Encoding(
        identity="mini-1, 4 references inside",  # names everything that decides the features
        columns={
            **codec_columns(codec, n_crops=4),   # target, inside, after
            "video": small_video,                # Source to {"video": [64, 16]}, or None
            "sync": small_sync,                  # {"sync": [192, 8]}
            "text": small_text,                  # {"text": [77, 16]}, None without a prompt
        },
        empty_text=small_empty_text,             # [77, 16]
    )
    precompute(ClipList(clips), encoding, folder, CropLayout())
    recipe = RECIPES["mini"]
    sizes = replace(recipe.params, clip_width=16, sync_width=8, text_width=16)
    train(replace(recipe, params=sizes), TrainingData([folder], held_out=[other]), run)
    synthesise(run, 0.05, run / "weights.safetensors")

A column is a function of a ``Source`` (audio and video of one clip, read when needed) that returns
named arrays, or None where the clip has no such component. Widths are those of the encoders and
must equal those of the network's parameters; lengths are those of ``sequence_lengths``. Without a
codec, targets and references may be any latents ``[L, D]`` with a mean and a standard deviation.
"""
