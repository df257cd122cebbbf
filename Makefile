# The commands of the house. Each works in a fresh clone with make and Python 3.11 or newer, and nothing else.
# Only the installs go to the package index; everything after them is offline.

PYTHON ?= python3
# Your own photos for the demo: make demo PHOTOS=DIR
PHOTOS ?=
# How many photos the benchmarks take, and a Python with torch and transformers for the one that needs a peer:
# make bench IMAGES=100 PEER_PYTHON=... PHOTOS=DIR. Without PHOTOS they take the sample photos of scikit-image.
IMAGES ?= 4
PEER_PYTHON ?=
# A folder with MNIST's IDX files, and a Python with Keras and TensorFlow, for the benchmarks of training.
MNIST ?=
KERAS_PYTHON ?=
# More arguments for pytest: make test ARGS="-k orientation"
ARGS ?=

DEMO_ENV := .venv-demo
# CI names another place, so that its environment is fresh and a developer's stays.
TEST_ENV ?= .venv-test

PINS := pyproject.toml constraints.txt
SOURCES := $(shell find src -type f -not -path '*/__pycache__/*')
# OpenVINO and the format plug-ins belong to the tests: every registered runtime and format is held to one contract
# suite, and one that is not installed would go untested.
TEST_EXTRAS := dev,formats,openvino,train

# Found without importing it, and only when a recipe asks.
SAMPLE_PHOTOS = import importlib.util as u; print(u.find_spec("skimage").submodule_search_locations[0] + "/data")
BENCH_PHOTOS = "$(or $(PHOTOS),$$($(TEST_ENV)/bin/python -c '$(SAMPLE_PHOTOS)'))"

# The build backend is pinned too. Which of the two names is read depends on the version of pip.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help demo test check style types layers format bench clean

help:
	@echo "make demo [PHOTOS=DIR]   the main job on real photos: writes demo/index.html"
	@echo "make test [ARGS=...]     the tests"
	@echo "make check               style, types and layers"
	@echo "make format              put the style right where a tool can"
	@echo "make bench [PHOTOS=DIR]  the benchmarks, one JSON line each"
	@echo "make clean               remove what these commands made, environments included"

demo: $(DEMO_ENV)/.installed $(if $(PHOTOS),,$(DEMO_ENV)/.photos)
	$(DEMO_ENV)/bin/pixelwright demo $(if $(PHOTOS),--photos "$(PHOTOS)") -o demo

test: $(TEST_ENV)/.installed
	$(TEST_ENV)/bin/python -m pytest -n auto $(ARGS)

check: style types layers

style: $(TEST_ENV)/.installed
	$(TEST_ENV)/bin/ruff check .
	$(TEST_ENV)/bin/ruff format --check .

types: $(TEST_ENV)/.installed
	$(TEST_ENV)/bin/pyright --pythonpath $(TEST_ENV)/bin/python

layers: $(TEST_ENV)/.installed
	$(TEST_ENV)/bin/lint-imports

format: $(TEST_ENV)/.installed
	$(TEST_ENV)/bin/ruff check --fix .
	$(TEST_ENV)/bin/ruff format .

bench: $(TEST_ENV)/.installed
	$(TEST_ENV)/bin/python benchmarks/bench_startup.py
	$(TEST_ENV)/bin/python benchmarks/bench_memory.py
	$(TEST_ENV)/bin/python benchmarks/bench_enhance.py --photos $(BENCH_PHOTOS) --images $(IMAGES)
	$(TEST_ENV)/bin/python benchmarks/bench_similar.py --photos $(BENCH_PHOTOS)
	$(TEST_ENV)/bin/python benchmarks/bench_video.py
	@# It needs files to convert: make bench MODELS="a.tflite b.tflite".
	-$(TEST_ENV)/bin/python benchmarks/bench_tflite.py $(MODELS)
	@# These need a data set: make bench MNIST=DIR KERAS_PYTHON=...
	-$(TEST_ENV)/bin/python benchmarks/bench_zoo.py --data "$(MNIST)"
	-$(TEST_ENV)/bin/python benchmarks/bench_train_step.py --data "$(MNIST)"
	-$(TEST_ENV)/bin/python benchmarks/bench_keras_mnist.py --data "$(MNIST)" --peer "$(KERAS_PYTHON)"
	@# It may need a network made first, which it says; the others are measured all the same.
	-$(TEST_ENV)/bin/python benchmarks/bench_classify.py --photos $(BENCH_PHOTOS) --images $(IMAGES) \
		$(if $(PEER_PYTHON),--peer-python "$(PEER_PYTHON)")

clean:
	rm -rf $(DEMO_ENV) .venv-test build dist demo .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests recipes benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +

# The light core, as a user gets it: from the built package, without extras.
$(DEMO_ENV)/.installed: $(DEMO_ENV)/.created $(SOURCES) README.md LICENSE
	$(DEMO_ENV)/bin/pip install --quiet -c constraints.txt .
	@touch $@

# Sample photos: scikit-image's wheel carries real ones that are free to use, and the demo reads them as files,
# without importing it. Its dependencies stay out: 150 MB that nothing here would use.
$(DEMO_ENV)/.photos: $(DEMO_ENV)/.installed
	$(DEMO_ENV)/bin/pip install --quiet --no-deps -c constraints.txt scikit-image
	@touch $@

$(TEST_ENV)/.installed: $(TEST_ENV)/.created
	$(TEST_ENV)/bin/pip install --quiet -c constraints.txt -e ".[$(TEST_EXTRAS)]"
	@touch $@

# Made anew whenever a pin or a dependency changes, so that nothing old stays behind.
$(DEMO_ENV)/.created $(TEST_ENV)/.created: %/.created: $(PINS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv --clear $*
	@touch $@
