# `make run` does the main job, `make test` runs the tests; each sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: run test check ui server cluster cluster-run lock keys clean

run: $(VENV)/installed
	PATH="$(BIN):$$PATH" mlflow run . -e compare --env-manager local --experiment-name tandem

test: $(VENV)/installed
	$(BIN)/python -m pytest

check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ui: $(VENV)/installed
	$(BIN)/mlflow server --host 127.0.0.1 --port 5000

# A master and two workers of Spark on this machine, until Ctrl-C.
cluster: $(VENV)/installed
	$(BIN)/python experiments/cluster/start.py

cluster-run: $(VENV)/installed
	$(BIN)/python experiments/cluster/run.py

# MLflow for a team, on PostgreSQL; make server KEYS="server.port=5001 server.folder=/srv/mlflow"
server: $(VENV)/installed
	@exec $(BIN)/tandem server $(KEYS)

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed -> make PYTHON=/path/to/python3.11" >&2; exit 4; }
	@[ -e $(BIN)/mlflow ] || df -Pk . "$${UV_CACHE_DIR:-$$HOME}" | awk 'NR > 1 && $$4 < 4 * 2 ^ 20 { \
	  print $$6 " has " int($$4 / 2 ^ 10) " MB of disk left; installing takes 4 GB -> free some, or move: a clone elsewhere, UV_CACHE_DIR"; \
	  exit 4 }' >&2
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV): a minute or a few, 4 GB of disk ..."
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > $(VENV)/uv.txt
	$(PIP) --require-hashes --no-deps -r $(VENV)/uv.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements.lock || \
	  $(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps -e .
	@$(BIN)/uv cache prune --quiet || true  # what a mirror without ETag makes uv fetch and build anew: 2 GB each time
	@touch $@

lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --custom-compile-command "make lock" --group dev --extra connect --extra delta --extra server --extra spark pyproject.toml -o requirements.lock

keys: $(VENV)/installed
	$(BIN)/python -c "from pathlib import Path; from tandem.manual import keys_table; \
	  page = Path('conf/README.md'); text = page.read_text('utf-8'); mark = '<!-- keys: make keys -->\n'; \
	  before, _, rest = text.partition(mark); after = rest.partition('<!-- end -->')[2]; \
	  page.write_text(before + mark + keys_table() + '<!-- end -->' + after, 'utf-8')"

clean:
	rm -rf $(VENV)
