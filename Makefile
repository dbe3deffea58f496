# `make demo` and `make test` need Python 3.10 or newer and a package index, nothing else.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SHARED ?= ../shared

.PHONY: help demo test lint golden docs accuracy bench fit fit-training clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

demo: $(VENV)/installed ## analyse a bundled network on a Jetson Nano
	$(BIN)/graphcost analyze examples/models/mobilenet_v2.onnx --device nano

test: $(VENV)/installed-dev ## check style and types, run every test on all cores
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/installed-dev ## style and types only
	$(BIN)/ruff check .
	$(BIN)/mypy

golden: $(VENV)/installed-dev ## write the golden files anew from what the passes give now
	$(BIN)/python -m pytest tests/golden --update-golden

docs: $(VENV)/installed-dev ## write the generated pages anew
	$(BIN)/python -m graphcost.lint.documentation > docs/lint.md
	$(BIN)/graphcost operators -o docs/operators.md

accuracy: $(VENV)/installed-dev ## write docs/ACCURACY.md anew from the measurements in ../shared
	$(BIN)/python tools/common_form.py ../shared/data/latency build/measurements
	$(BIN)/python -m graphcost.accuracy.document docs/accuracy.toml > build/ACCURACY.md
	mv build/ACCURACY.md docs/ACCURACY.md

fit: $(VENV)/installed-dev ## fit the shipped devices anew to ../shared (writes graphcost/devices/fitted)
	$(BIN)/python tools/common_form.py $(SHARED)/data/latency build/measurements
	grep -v '^rtx' $(SHARED)/data/latency/jetson_networks.csv > build/measurements/jetsons.csv
	grep -e '^device,' -e '^rtx.*,fp16,' -e '^rtx.*,int8,' $(SHARED)/data/latency/jetson_networks.csv > build/measurements/desktops.csv
	$(BIN)/graphcost fit build/measurements/nano_fp32_synthetic_cnn.csv build/measurements/nasbench201_nano_fp16.csv \
	  build/measurements/jetsons.csv --models $(SHARED)/models --generator tools/common_form.py \
	  --shipped graphcost/devices/fitted --most-per-family 120
	$(BIN)/graphcost fit build/measurements/desktops.csv --models $(SHARED)/models --shipped graphcost/devices/fitted

fit-training: $(VENV)/installed-dev ## fit the time of training steps anew from the measurements in ../shared (needs scipy, scikit-learn)
	$(BIN)/python -m graphcost.cost_models.eager.fitting $(SHARED)/data/training/tx2_pytorch_training.csv \
	  $(SHARED)/models
	$(BIN)/python -m graphcost.cost_models.perf4sight.fitting $(SHARED)/data/training/tx2_pytorch_training.csv \
	  $(SHARED)/models

bench: $(VENV)/installed-dev ## cold start, scaling, peers: side by side, as ratios
	$(BIN)/python benchmarks/run.py

clean: ## remove the virtual environment and what was built
	rm -rf $(VENV) build dist *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e .
	@$(BIN)/python -m compileall -q graphcost passes cost_models
	@touch $@

$(VENV)/installed-dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e '.[dev,graphsurgeon,onnxruntime,peers]'
	@$(BIN)/python -m compileall -q graphcost passes cost_models
	@touch $(VENV)/installed $@
