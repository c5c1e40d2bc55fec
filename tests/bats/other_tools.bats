#!/usr/bin/env bats
# What examples/tools/README.md says of lnav, Miller, sqlite-utils and DuckDB, with the real programs.

# shellcheck disable=SC2154  # helpers.bash and bats set them

load ../lib/helpers

@test "lnav, Miller, sqlite-utils and DuckDB count the same runs and failures as the files have" {
  [[ ${TASKRESULTS_TOOLS-} ]] || skip 'make tools runs it: the programs take 120 MB'
  command -v npm >/dev/null || missing_extra npm
  run "$root/tests/tools/run" "$root/build/tools"
  ((status != 4)) || missing_extra 'the packages lnav, miller and sqlite-utils'
  echo "$output"
  [[ $status -eq 0 && $(grep -c ^ran <<<"$output") -eq 9 ]]
}

@test "the format for lnav and the metadata for Datasette are JSON; each query of these runs with the read-only entry point" {
  python3 - "$root" "$extension" <<'PYTHON'
import json, os, subprocess, sys
root, extension = sys.argv[1:]
with open(f"{root}/examples/tools/taskresults.lnav.json", encoding="utf-8") as file:
    value = json.load(file)["taskresults_log"]["value"]
with open(f"{root}/examples/results/price-watch.jsonl", encoding="utf-8") as file:
    assert set(json.loads(file.readline())) - {"timestamp"} == set(value)
with open(f"{root}/examples/tools/datasette.json", encoding="utf-8") as file:
    queries = json.load(file)["databases"]["_memory"]["queries"]
script = f".load {extension} sqlite3_taskresults_readonly_init\n.parameter set :job price\n" + ";\n".join(query["sql"] for query in queries.values()) + ";\n"
done = subprocess.run(["sqlite3", "-init", "/dev/null", "-batch", "-bail", ":memory:"], input=script, text=True, check=True, stdout=subprocess.PIPE,
                      env=dict(os.environ, SCHEDULER_RESULTS_DIR=f"{root}/examples/results"))
assert "price-watch|48|6|" in done.stdout, done.stdout
PYTHON
}
