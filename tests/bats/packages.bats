#!/usr/bin/env bats
# What is made for other machines: one C file, a Python wheel, npm packages. `make test-packages` installs all of them, and
# the Debian packages, in bare systems.

load ../lib/helpers

setup_file() {
  make -s -C "${BATS_TEST_DIRNAME}/../.." amalgamation wheel >/dev/null
}

setup() {
  root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  cd "$root" || return
  version=$(version_built)
  export SCHEDULER_RESULTS_DIR=examples/results
  records=$(sqlite3 -cmd '.load ./taskresults' :memory: 'SELECT count(*) FROM task_results')
  ((records > 100))
}

# compile OUTPUT OPTION... - the one file, by the command that it names itself, but for the optimization.
compile() {
  local output=$1
  shift
  (cd build/amalgamation && cc -O0 -Wall -Wextra -Werror -fPIC -shared -o "$output" taskresults.c -I/usr/include/cjson "$@" -lcjson -lm -pthread)
}

@test "the library as one file compiles by the command in it, without a warning, exports the entry points alone, and reads" {
  extension=$BATS_TEST_TMPDIR/taskresults.so
  grep -qF 'cc -O2 -fPIC -shared -o taskresults.so taskresults.c -I/usr/include/cjson -lcjson -lm -pthread' build/amalgamation/taskresults.c
  compile "$extension"
  exported=$(nm -D --defined-only "$extension" | awk '{ print $3 }' | sort | tr '\n' ' ')
  [[ $exported == 'sqlite3_modtaskresults_init sqlite3_taskresults_init sqlite3_taskresults_readonly_init ' ]] || { echo "$exported"; return 1; }
  [[ $(sqlite3 -cmd ".load $extension" :memory: 'SELECT count(*) FROM task_results') == "$records" ]]
  # Without zlib, a compressed file is an error that says so.
  mkdir "$BATS_TEST_TMPDIR/results"
  gzip -c examples/results/nightly-backup.jsonl >"$BATS_TEST_TMPDIR/results/j.jsonl.1.gz"
  SCHEDULER_RESULTS_DIR=$BATS_TEST_TMPDIR/results run sqlite3 -cmd ".load $extension" :memory: 'SELECT count(*) FROM task_history'
  [[ $status -ne 0 && $output == *j.jsonl.1.gz* ]] || { echo "$status $output"; return 1; }
}

@test "the Python wheel: its list of files is right, and Python loads the library from it, with or without the power to act" {
  wheel=$(echo build/packages/taskresults-"$version"-py3-none-manylinux_*.whl)
  (cd "$BATS_TEST_TMPDIR" && /usr/bin/python3 -m zipfile -e "$root/$wheel" there)
  /usr/bin/python3 - "$BATS_TEST_TMPDIR/there" "$version" "$records" <<'PY'
import base64, csv, glob, hashlib, os, sqlite3, sys
there, version, records = sys.argv[1:]
sys.dont_write_bytecode = True
sys.path.insert(0, there)
info = f"{there}/taskresults-{version}.dist-info"
listed = {path: (digest, size) for path, digest, size in csv.reader(open(f"{info}/RECORD"))}
found = {os.path.relpath(path, there) for path in glob.glob(f"{there}/**", recursive=True) if os.path.isfile(path)}
assert set(listed) == found, (listed, found)
for path, (digest, size) in listed.items():
    data = open(f"{there}/{path}", "rb").read()
    expected = "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    assert path.endswith("/RECORD") or (digest, size) == (expected, str(len(data))), path

import taskresults
assert taskresults.__version__ == version and taskresults.loadable_path().startswith(there)
for read_only, functions in ((False, 1), (True, 0)):
    db = sqlite3.connect(":memory:")
    taskresults.load(db, read_only=read_only)
    assert db.execute("SELECT count(*) FROM task_results").fetchone() == (int(records),)
    assert len(db.execute("SELECT 1 FROM pragma_function_list WHERE name = 'taskresults_prune'").fetchall()) == functions
    try:
        db.execute("SELECT load_extension('x')")
        raise AssertionError("extensions can still be loaded")
    except sqlite3.OperationalError:
        pass

class WithoutExtensions:
    pass
try:
    taskresults.load(WithoutExtensions())
    raise AssertionError("no error")
except RuntimeError as error:
    assert "apsw" in str(error) and "/usr/bin/python3" in str(error), error
PY
}

@test "the npm packages: Node finds the library by them, and is told where there is none" {
  for program in node npm; do
    command -v "$program" >/dev/null || { [[ ! ${TASKRESULTS_EXTRAS-} ]] && skip "no $program (Debian: apt-get install nodejs npm)"; return 1; }
  done
  make -s npm >/dev/null
  cd "$BATS_TEST_TMPDIR"
  for package in taskresults-linux-x64 taskresults; do
    mkdir -p node_modules/"$package"
    tar -xzf "$root/build/packages/$package-$version.tgz" -C node_modules/"$package" --strip-components=1
  done
  path=$(node -p "require('taskresults').getLoadablePath()")
  [[ $(readlink -f "$path") == "$(readlink -f node_modules/taskresults-linux-x64/taskresults.so)" ]]
  [[ $(SCHEDULER_RESULTS_DIR=$root/examples/results sqlite3 -cmd ".load $path" :memory: 'SELECT count(*) FROM task_results') == "$records" ]]
  rm -r node_modules/taskresults-linux-x64
  run node -p "require('taskresults').getLoadablePath()"
  [[ $status -ne 0 && $output == *'taskresults-linux-x64 is not installed'* ]]
  run node -p "Object.defineProperty(process, 'arch', { value: 's390x' }); require('taskresults').getLoadablePath()"
  [[ $status -ne 0 && $output == *'no package for linux-s390x'* ]]
}
