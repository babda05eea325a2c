"""Human studies: raters compare two systems, pair by pair, beside the true clip (paper, Table 3).

    clips.py assignment.py  which clips are chosen; which trials a rater is given, in which order
    design.py create.py     the frozen design of a study, and how a study is created from runs
    media.py                videos for raters: equal loudness, names that give nothing away
    store.py database.py    sessions, trials, votes: SQLite, the only writer of answers
    sessions.py             what the store gives and refuses
    server/                 the survey: a page in the rater's browser, the web server behind it
    votes.py                votes by system, after the rules of exclusion
    statistics.py strengths.py power.py    rates, agreement, Bradley-Terry with ties, sample sizes
    mixed_logit.py          rates by a mixed logit, with statsmodels
    scores.py               columns of the runs, and which of them raters agree with
    analyse.py forest.py table3.py export.py    what a study found, as numbers, figure, table, CSV
    simulate.py             raters with known preferences

Everything of a study is in one folder:

    design.toml             clips, systems, questions, rules; its SHA-256 is in every result
    media/                  what is served: <32 hexadecimal digits>.mp4
    private/                key, media.json (what each file is), scores.json (of the runs)
    study.sqlite            answers; created with the first session
"""
