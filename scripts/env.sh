# The Python environment of this checkout: sourced by ./forebay and by scripts/check, never run.
#
#     env_ensure runtime   what requirements.txt pins, enough to run forebay
#     env_ensure dev       that and what requirements-dev.txt adds, enough to check it
#
# The caller sets `root`, the checkout's folder. The environment is $FOREBAY_VENV or .venv beside this checkout.
# Both kinds share it, since the second holds the first with the same pins. Each kind leaves a stamp when it is
# complete: the interpreter, the checkout, and a copy of the requirements that were installed. A stamp that
# differs in any of the three, or is missing because an install was cut short, means: make it again.
#
# On the way that every start takes (nothing to install) one small process is started, `cmp`.

env_dir=${FOREBAY_VENV:-$root/.venv}
case $env_dir in /*) ;; *) env_dir=$PWD/$env_dir ;; esac
env_python=$env_dir/bin/python
env_state=$env_dir/.forebay

env_say() { printf 'forebay: %s\n' "$*" >&2; }

env_requirements() {
    case $1 in
        runtime) env_file=$root/requirements.txt ;;
        dev) env_file=$root/requirements-dev.txt ;;
    esac
}

env_is_current() {
    local interpreter checkout
    env_requirements "$1"
    [[ -x $env_python && -f $env_state/$1 ]] || return 1
    {
        IFS= read -r interpreter && IFS= read -r checkout || return 1
        # -ef: still the same interpreter, after an upgrade of the system as well
        [[ $env_python -ef $interpreter && $checkout == "$root" ]] && cmp -s - "$env_file"
    } <"$env_state/$1"
}

env_ensure() {
    env_is_current "$1" || env_install "$1"
}

# Everything below runs only when something has to be installed.

env_install() {
    export UV_PYTHON_DOWNLOADS=never
    mkdir -p "$(dirname "$env_dir")" || return
    if command -v flock >/dev/null; then
        ( flock 9 && env_install_locked "$1" ) 9>"$env_dir.lock"
    else
        env_lock_by_folder
        ( trap 'rm -rf "$env_dir.lock.d"' EXIT; env_install_locked "$1" )
    fi
}

# Where there is no flock (macOS): a folder can be made by one process only. A holder that died is noticed by its id.
env_lock_by_folder() {
    local holder
    until mkdir "$env_dir.lock.d" 2>/dev/null; do
        sleep 0.2
        holder=$(cat "$env_dir.lock.d/pid" 2>/dev/null)
        if [[ -n $holder ]] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$env_dir.lock.d"; fi
    done
    echo $$ >"$env_dir.lock.d/pid"
}

env_install_locked() {
    local kind=$1
    env_is_current "$kind" && return # the process that we waited for has done it
    if [[ -d $env_dir && ! -d $env_state && -n $(ls -A "$env_dir") ]]; then
        env_say "$env_dir was not made by forebay, so it stays as it is:" \
            "move it away, or name another folder in FOREBAY_VENV"
        return 1
    fi
    mkdir -p "$env_state" || return
    # Only a complete runtime without any dev stamp is added to; all else starts from nothing, so that
    # what a former requirements file brought does not linger.
    if [[ $kind == runtime || -f $env_state/dev ]] || ! env_is_current runtime; then
        rm -f "$env_state/runtime" "$env_state/dev"
        find "$env_dir" -mindepth 1 -maxdepth 1 ! -name .forebay -exec rm -rf {} +
        env_make || return
    fi
    env_say "installing the pinned Python packages into $env_dir (once, about half a minute)"
    env_fill "$kind" || return
    printf '%s\n' "$root/src" >"$("$env_python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/forebay.pth"
    if [[ $kind == dev ]]; then env_stamp runtime || return; fi
    env_stamp "$kind"
}

# A new enough interpreter; with a first argument, one that can also make an environment that has pip in it.
env_find_python() {
    local python test='import sys; sys.exit(sys.version_info < (3, 11))'
    local candidates=(python3 python3.14 python3.13 python3.12 python3.11)
    if [[ -n ${FOREBAY_PYTHON:-} ]]; then candidates=("$FOREBAY_PYTHON"); fi
    if [[ -n ${1:-} ]]; then test="import ensurepip, venv; $test"; fi
    for python in "${candidates[@]}"; do
        if command -v "$python" >/dev/null && "$python" -c "$test" 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}

env_make() {
    local python
    if ! python=$(env_find_python); then
        env_say "needs Python 3.11 or newer, and none of ${FOREBAY_PYTHON:-python3, python3.11 ... python3.14} is:" \
            "install one (Debian, Ubuntu: apt install python3 python3-venv)," \
            "or name it in FOREBAY_PYTHON"
        return 1
    fi
    if command -v uv >/dev/null; then
        env_run uv venv --quiet --allow-existing --python "$(command -v "$python")" "$env_dir"
    elif python=$(env_find_python with_pip); then
        env_run "$python" -m venv "$env_dir"
    else
        env_say "this Python has no venv and ensurepip: install them (Debian, Ubuntu: apt install python3-venv)," \
            "or install uv"
        return 1
    fi
}

# Wheels only: nothing is built here, and no package's code runs while it is installed.
env_fill() {
    env_requirements "$1"
    if command -v uv >/dev/null; then
        env_run uv pip install --quiet --python "$env_python" --require-hashes --only-binary :all: \
            --compile-bytecode -r "$env_file"
    else
        env_run env PIP_USER=0 "$env_python" -m pip install --quiet --disable-pip-version-check --no-input \
            --require-hashes --only-binary :all: -r "$env_file"
    fi
}

# Quiet while it goes well; the end of what it said when it does not.
env_run() {
    "$@" >"$env_state/log" 2>&1 </dev/null && return
    env_say "failed: $1 (all it said is in $env_state/log)"
    tail -n 20 "$env_state/log" >&2
    return 1
}

env_stamp() {
    env_requirements "$1"
    {
        "$env_python" -c 'import os, sys; print(os.path.realpath(sys.executable))' &&
            printf '%s\n' "$root" && cat "$env_file"
    } >"$env_state/new" && mv "$env_state/new" "$env_state/$1"
}
