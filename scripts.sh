#!/usr/bin/env bash
# Everything from one place. Without an argument: set up what is missing, then run the pipeline on a simulated Luno.
#   bash scripts.sh [PAIR...] [options of `lunomm up`]
#   bash scripts.sh setup | test | lint | types | soak | bench | screens | compat | down | lock | help
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venv="$root/.venv"
python="$venv/bin/python"

say() { printf 'scripts.sh: %s\n' "$*" >&2; }

die() {
    say "$*"
    exit 3
}

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s' "$candidate"
            return
        fi
    done
    die "needs Python 3.11 or newer, and none of python3, python3.13, python3.12, python3.11 is. Install one and run again"
}

# make_venv PYTHON [FOLDER]
make_venv() {
    local base="$1" venv="${2:-$venv}" log="$root/.venv.log"
    local python="$venv/bin/python"
    rm -rf "$venv"
    # Debian without python3-venv has no ensurepip: then its own pip installs into a bare environment.
    if "$base" -m venv "$venv" >"$log" 2>&1; then
        :
    elif rm -rf "$venv" && "$base" -m venv --without-pip "$venv" >>"$log" 2>&1 &&
        "$base" -m pip --python "$python" install --quiet pip >>"$log" 2>&1; then
        :
    else
        tail -n 5 "$log" >&2
        die "cannot make $venv (see above). On Debian and Ubuntu: apt-get install python3-venv, or python3-pip"
    fi
    rm -f "$log"
}

# The stamp is the hash of what was installed: a second run checks it and starts at once.
stamp_of() {
    "$python" - "$root/requirements.lock" "$root/pyproject.toml" "$1" "$root" <<'PY'
import hashlib, sys
digest = hashlib.sha256(sys.version.encode())
for path in sys.argv[1:3]:
    digest.update(open(path, "rb").read())
print(sys.argv[3], sys.argv[4], digest.hexdigest())
PY
}

# setup runtime|all: install from the lock, every file checked against its hash.
setup() {
    local what="$1" stamp="$venv/.stamp" have="" want=""
    cd "$root"
    if [[ -x "$python" ]] && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        [[ -f "$stamp" ]] && have="$(cat "$stamp")"
        want="$(stamp_of "$what")"
        [[ "$have" == "$want" || "$have" == "$(stamp_of all)" ]] && return
    else
        local base
        base="$(find_python)"
        make_venv "$base"
    fi
    say "installing into .venv (once; later runs start at once) ..."
    local lock="$root/requirements.lock"
    if [[ "$what" == runtime ]]; then
        lock="$venv/runtime.lock"
        sed '/^# development$/,$d' "$root/requirements.lock" >"$lock"
    fi
    local quiet=(-qq --disable-pip-version-check --no-input)
    "$python" -m pip install "${quiet[@]}" --require-hashes -r "$lock" || die "installation failed (see above)"
    "$python" -m pip install "${quiet[@]}" --no-deps --no-build-isolation -e "$root" || die "installation failed (see above)"
    stamp_of "$what" >"$stamp"
}

lint() {
    "$python" -m ruff format --check lunomm tests
    "$python" -m ruff check lunomm tests
}

types() { "$python" -m mypy --strict lunomm; }

run_tests() {
    # Each worker has a Redis of its own; --dist loadfile keeps a file's fixtures in one process.
    "$python" -m pytest -q -n "${LUNOMM_TEST_WORKERS:-auto}" --dist loadfile "$@"
}

# compat_venv FOLDER LOCK WHAT: an environment of its own for what pins versions that must not be ours.
compat_venv() {
    local folder="$1" lock="$2" what="$3" stamp="$1/.stamp" want
    want="$root $("$python" -c 'import hashlib, sys; print(sys.version_info[:2], hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$lock")"
    if [[ ! -x "$folder/bin/python" || ! -f "$stamp" || "$(cat "$stamp")" != "$want" ]]; then
        say "installing $what into ${folder##*/} (once) ..."
        make_venv "$("$python" -c 'import sys; print(sys._base_executable)')" "$folder"
        "$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-input --require-hashes -r "$lock" ||
            die "installation failed (see above)"
        printf '%s\n' "$want" >"$stamp"
    fi
}

# Other people's Luno clients against the simulated exchange. ccxt pins what it needs, so they have an environment of
# their own; the exchange they meet is started from .venv, as a user starts it.
compat_clients() {
    compat_venv "$root/.venv-compat" "$root/tests/compat/requirements.lock" "the clients (170 MB)"
    LUNOMM_PYTHON="$python" "$root/.venv-compat/bin/python" -m pytest -q -c tests/compat/pytest.ini \
        --rootdir tests/compat -p no:cacheprovider tests/compat "$@"
}

# hftbacktest's L3 queues against our paper venue on one recording; it pins numpy. Without the recording nothing is
# installed.
compat_hftbacktest() {
    if "$python" -m tests.compat.fills --is-here; then
        compat_venv "$root/.venv-compat-hftbacktest" "$root/tests/compat/fills/requirements.lock" "hftbacktest (900 MB)"
        "$python" -m tests.compat.fills "$root/.venv-compat-hftbacktest/bin/python"
    fi
}

# The order books that `bench peers` measures beside ours, each in an environment of its own. Nothing runs here.
compat_peers() {
    compat_venv "$root/.venv-compat" "$root/tests/compat/requirements.lock" "luno-python and ccxt (170 MB)"
    compat_venv "$root/.venv-compat-hftbacktest" "$root/tests/compat/fills/requirements.lock" "hftbacktest (900 MB)"
    compat_venv "$root/.venv-compat-nautilus" "$root/tests/compat/nautilus/requirements.lock" "nautilus_trader (680 MB)"
    say "the peers are here. bash scripts.sh bench peers"
}

# A sweep on a Dask cluster of this machine. Dask and what it needs would double the development environment.
compat_dask() {
    local venv_dask="$root/.venv-dask"
    local python_dask="$venv_dask/bin/python"
    if [[ ! -x "$python_dask" ]] || ! "$python_dask" -c 'import distributed, lunomm, pytest' 2>/dev/null; then
        say "installing Dask into .venv-dask (once) ..."
        make_venv "$("$python" -c 'import sys; print(sys._base_executable)')" "$venv_dask"
        local quiet=(-qq --disable-pip-version-check --no-input)
        "$python_dask" -m pip install "${quiet[@]}" --require-hashes -r "$root/requirements.lock" &&
            "$python_dask" -m pip install "${quiet[@]}" --no-build-isolation -e "$root[cluster]" ||
            die "installation failed (see above)"
    fi
    cd "$root"
    "$python_dask" -m pytest -q -n 0 -p no:cacheprovider tests/integration/test_sweep_cluster.py "$@"
}

# Make requirements.lock anew from pyproject.toml (needs uv): runtime first, then what only development needs; and
# those of the clients, of hftbacktest and of nautilus_trader.
lock() {
    command -v uv >/dev/null 2>&1 || die "lock needs uv on PATH"
    local common=(--universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet) work
    work="$(mktemp -d)"
    printf 'hatchling>=1.27\neditables>=0.5\n' >"$work/build.in"
    uv pip compile "$root/pyproject.toml" "$work/build.in" --extra dev "${common[@]}" -o "$work/all"
    uv pip compile "$root/pyproject.toml" "$work/build.in" -c "$work/all" "${common[@]}" -o "$work/runtime"
    uv pip compile "$root/tests/compat/requirements.in" "${common[@]}" -o "$root/tests/compat/requirements.lock"
    uv pip compile "$root/tests/compat/fills/requirements.in" "${common[@]}" -o "$root/tests/compat/fills/requirements.lock"
    uv pip compile "$root/tests/compat/nautilus/requirements.in" "${common[@]}" -o "$root/tests/compat/nautilus/requirements.lock"
    python3 - "$work" "$root/requirements.lock" <<'PY'
import re, sys
work, target = sys.argv[1:]
def entries(path):
    return [e for e in re.split(r"\n(?=\S)", open(path).read().strip()) if e.strip()]
everything, runtime = entries(f"{work}/all"), entries(f"{work}/runtime")
heads = {e.split("\\")[0].strip() for e in runtime}
first = [e for e in everything if e.split("\\")[0].strip() in heads]
assert len(first) == len(runtime), "the runtime part differs from the whole"
rest = [e for e in everything if e not in first]
text = ["# Made by `bash scripts.sh lock` from pyproject.toml. Installed with pip --require-hashes.", "# runtime", *first]
open(target, "w").write("\n".join([*text, "# development", *rest]) + "\n")
PY
    rm -rf "$work"
}

help() {
    cat <<'TEXT'
bash scripts.sh [PAIR...] [OPTIONS]  set up what is missing, then run the pipeline on a simulated Luno (`lunomm up`)
bash scripts.sh setup                only set up (.venv, from requirements.lock)
bash scripts.sh test [PYTEST ARGS]   every check: format, lint, types, tests
bash scripts.sh lint                 format check and lint
bash scripts.sh types                mypy --strict
bash scripts.sh soak [OPTIONS]       the deterministic simulation on fresh seeds, on every core (--help)
bash scripts.sh soak replay SEED     one of its seeds, told line by line
bash scripts.sh soak chaos [OPTIONS] kill, freeze and double real processes, for an hour or so (tests/chaos; --help)
bash scripts.sh soak ctrl-c          Ctrl-C with ten live orders, a hundred times: seconds to the verified end
bash scripts.sh soak book             every field of the tick after each of 100,000 generated frames, against a naive book
bash scripts.sh soak day [OPTIONS]   a day of simulated flow through book, quoter and gateway: memory must stay flat (--help)
bash scripts.sh soak paper [OPTIONS] the paper venue's fills against the matching engine's, on many seeds (--help)
bash scripts.sh bench [NAME...]      measure speed as ratios of one run (tests/benchmarks/README.md); --keep keeps them
bash scripts.sh bench --readme       the README's table from what is kept
bash scripts.sh screens [FOLDER]     take the pictures of .github/screens from a simulated session (some minutes)
bash scripts.sh screens text         make the stored pictures of every screen anew (tests/unit/views/screens)
bash scripts.sh compat clients       luno-python and ccxt against the simulated exchange (tests/compat/README.md)
bash scripts.sh compat peers         build the order books that bench measures beside ours (luno-python, ccxt, nautilus_trader, ...)
bash scripts.sh compat dask          a sweep on a Dask cluster of this machine gives the table of a local one
bash scripts.sh compat hftbacktest   our paper fills against hftbacktest's on a recording (tests/compat/README.md)
bash scripts.sh down                 end the pieces, the simulated exchange and the embedded Redis
bash scripts.sh lock                 make every requirements.lock anew (needs uv)
bash scripts.sh help                 this
Needs Python 3.11 or newer. The options of the pipeline: .venv/bin/lunomm up --help
TEXT
}

case "${1:-}" in
    help | --help | -h) help ;;
    setup) setup runtime ;;
    lock) lock ;;
    test)
        shift
        setup all
        lint
        types
        run_tests "$@"
        ;;
    lint | types)
        setup all
        "$1"
        ;;
    soak)
        shift
        setup all
        cd "$root"
        case "${1:-}" in
            chaos)
                shift
                exec "$python" -m tests.chaos "$@"
                ;;
            ctrl-c)
                shift
                exec "$python" -m tests.chaos.ctrl_c "$@"
                ;;
            book)
                # The book's whole tick after each of 100,000 generated frames against a naive one of Decimals.
                shift
                LUNOMM_SOAK_TICKS="${LUNOMM_SOAK_TICKS:-100000}" exec "$python" -m pytest -q -n 0 -p no:cacheprovider \
                    --timeout 3600 "$root/tests/property/test_book_against_naive.py" "$@"
                ;;
            day)
                shift
                PYTHONPATH="$root/tests" exec "$python" -m day_of_flow "$@"
                ;;
            paper)
                shift
                PYTHONPATH="$root/tests" exec "$python" -m campaign.paper_truth "$@"
                ;;
            *)
                PYTHONPATH="$root/tests" exec "$python" -W ignore -m campaign "$@"
                ;;
        esac
        ;;
    bench)
        shift
        setup all
        exec "$python" "$root/tests/benchmarks" "$@"
        ;;
    screens)
        setup all
        cd "$root"
        if [[ "${2:-}" == text ]]; then
            exec "$python" tests/unit/views/test_screens.py
        fi
        shift
        exec "$python" -m tests.screens "$@"
        ;;
    compat)
        which="${2:-}"
        if [[ "$which" != clients && "$which" != dask && "$which" != hftbacktest && "$which" != peers ]]; then
            say "compat: say which: clients, dask, hftbacktest, peers"
            exit 2
        fi
        shift 2
        setup runtime
        cd "$root"
        "compat_$which" "$@"
        ;;
    down)
        shift
        setup runtime
        exec "$venv/bin/lunomm" down "$@"
        ;;
    "" | -* | [A-Z]*)
        # The caller's folder stays the working directory: .env and --tape paths are the caller's.
        here="$PWD"
        setup runtime
        cd "$here"
        exec "$venv/bin/lunomm" up "$@"
        ;;
    *)
        say "no such command: $1"
        help >&2
        exit 2
        ;;
esac
