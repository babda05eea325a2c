# make demo   fresh machine: environment, then the main job on the mini split, ending in a table
# make test   fresh machine: environment, then all tests
# make gate   the mini world at a small size against the stored baseline, clip by clip; make baseline
#             stores it anew, for a change that moves numbers on purpose (docs/ci.md)
# The parts: setup check bench clean; docs redraws the figures and pages of docs/;
# site builds them as a site, build/site, which opens from disk;
# gpu-check measures a GPU in at most 8 minutes (docs/gpu.md); gpu-packages fills the folder that it
# takes along to a machine where nothing can be installed.
# effects runs what docs/effects.md compares, on 128 clips, and writes it again;
# mini-weights trains the mini AC-Foley again, judges the networks of the mini judge: both replace
# the weights that come with the package.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
STAMP := $(VENV)/.setup-done
DEMO_CLIPS ?= 12
# Those of Table 1, which bench reproduce runs, and others beside them.
DEMO_TABLE_1 := acfoley-mini acfoley-mini-clap-encoder
DEMO_OTHERS := reference-loop motion-grains noise oracle
DEMO_MODELS := $(DEMO_TABLE_1) $(DEMO_OTHERS)
DEMO_RUNS := $(DEMO_MODELS:%=runs/%/mini/full-42) runs/acfoley-mini/mini/no-audio-42
EFFECT_MODELS := $(addprefix acfoley-mini-,overlap-only non-overlap-only attention-pooling clap-encoder) \
  reference-loop motion-grains ground-truth
# Compared by simulated raters, for the figure of docs/study.md.
STUDY_MODELS := oracle reference-loop
TEST_WORKERS ?= auto
# Plain Python: they run with any Python and torch. Where their own dependencies are missing, stand-ins
# take their place, for the networks need none of them.
GPU_PACKAGES := hear21passt torchvggish panns-inference torchlibrosa open_clip_torch
GPU_FOLDER := build/gpu-packages

.PHONY: demo test setup check gate baseline bench docs site effects judges mini-weights gpu-check gpu-packages clean

demo: setup
	$(BIN)/bench data prepare mini --clips $(DEMO_CLIPS)
	@for model in $(DEMO_OTHERS); do \
	  echo "== $$model"; \
	  $(BIN)/bench run --model $$model --split mini --limit $(DEMO_CLIPS) > /dev/null || exit 1; \
	done
	@echo "== Table 1 of the paper, on rendered clips"
	@$(BIN)/bench reproduce 1 --world mini --limit $(DEMO_CLIPS)
	@$(BIN)/bench table $(DEMO_RUNS)
	@echo "Samples: runs/<model>/mini/full-42 (no-audio-42: without a reference), scores below it."
	@echo "All columns: $(BIN)/bench table runs --extras"
	@$(BIN)/bench report $(DEMO_RUNS) --out runs/report

test: setup
	$(BIN)/pytest -n $(TEST_WORKERS)

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --config-settings editable_mode=compat -e '.[all,dev]'
	$(PIP) --no-deps vggsounder==1.0
	touch $(STAMP)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/check_words.py

gate: setup
	$(BIN)/python -m benchmarks.gate check

baseline: setup
	$(BIN)/python -m benchmarks.gate baseline

bench: setup
	$(PIP) --config-settings editable_mode=compat -e '.[benchmarks]'
	$(PIP) --no-deps bigvgan==2.4.1
	$(BIN)/python -m benchmarks.peers
	$(BIN)/python benchmarks/metrics_speed.py
	$(BIN)/python benchmarks/runs_speed.py
	$(BIN)/python -m benchmarks.frechet_speed
	$(BIN)/python -m benchmarks.generation_speed

docs: setup
	$(BIN)/bench data sheet
	$(BIN)/bench data prepare mini
	$(BIN)/bench validate
	rm -rf build/study
	@for model in $(STUDY_MODELS); do \
	  $(BIN)/bench run --model $$model --split mini --limit 24 --metrics onset_acc --runs build/study \
	    || exit 1; \
	done
	$(BIN)/bench study design $(STUDY_MODELS:%=build/study/%/mini/full-42/first-24) \
	  --out build/study/raters
	$(BIN)/bench study simulate build/study/raters --raters 31
	$(BIN)/bench study analyse build/study/raters --figure docs/study-forest.png

# No setup: what Python there is, with torch, is what is measured.
gpu-check:
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m benchmarks.gpu_check \
	  $(if $(wildcard $(GPU_FOLDER)),--packages $(GPU_FOLDER)) $(GPU_OPTIONS)

gpu-packages: setup
	$(PIP) --no-deps --upgrade --target $(GPU_FOLDER) $(GPU_PACKAGES)

site: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

effects: export BENCH_BOUNDS = 0
effects: setup
	$(BIN)/bench data prepare mini
	$(BIN)/bench ablate --model acfoley-mini --split mini --mask all
	@for model in $(EFFECT_MODELS); do \
	  $(BIN)/bench run --model $$model --split mini || exit 1; \
	done
	$(BIN)/bench run --model acfoley-mini --split mini-references
	$(BIN)/bench run --model acfoley-mini --split mini-references --mask audio
	$(BIN)/bench effects
	$(BIN)/bench samples runs/acfoley-mini/mini/full-42 --out docs/mini-acfoley.png

mini-weights: setup
	$(BIN)/python -m acfoley.mini.train
	$(BIN)/python -m acfoley.mini.training_curves

judges: setup
	$(BIN)/python -m bench.mini_judges.train
	$(BIN)/python -m bench.mini_judges.evaluate

clean:
	rm -rf $(VENV) runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
