# taskresults - see `make help`.

VERSION := $(shell sed -n 's/^\#define TASKRESULTS_VERSION "\(.*\)"$$/\1/p' include/taskresults.h)
CC      ?= cc
CFLAGS  ?= -O2 -g
PREFIX  ?= /usr/local
libdir  ?= $(PREFIX)/lib
# WITH_ARCHIVE=0 leaves out zlib and libzstd: then compressed files of results are errors. WITH_SEAL=0 leaves out
# libcrypto, which is loaded when it is needed, and not linked: then receipts of prunes have no SHA-256.
WITH_ARCHIVE ?= 1
WITH_SEAL ?= 1
# WITH_INDEX=0 leaves out the index of results, which needs the header of libxxhash (and not the library).
WITH_INDEX ?= 1
LINKED  := libcjson $(if $(filter-out 0,$(WITH_ARCHIVE)),zlib libzstd)
PKGS    := sqlite3 $(LINKED) $(if $(filter-out 0,$(WITH_SEAL)),libcrypto) $(if $(filter-out 0,$(WITH_INDEX)),libxxhash)
PKG_CONFIG ?= pkg-config
OBJCOPY ?= objcopy

# From the lowest to the highest: each folder includes only folders before it (ext/tr.h is the map, .ci/lint keeps the
# order).
FOLDERS := base mapping read figures scheduler write export codec history index seal query marks prune scan tables functions
SOURCES := $(foreach folder,$(FOLDERS),$(sort $(wildcard ext/$(folder)/*.c))) ext/extension.c

# Elsewhere than on Linux, ext/base/platform_posix.c is compiled instead of platform_linux.c. make PLATFORM=posix does so
# on Linux, too.
SYSTEM := $(shell uname -s)
PLATFORM ?= $(if $(filter Linux,$(SYSTEM)),linux,posix)

# All that POSIX.1-2008 has, and no more but what tests/posix/shared.h declares, where the headers can be told so.
POSIX_CFLAGS := -DTR_POSIX
ifeq ($(SYSTEM),Linux)
POSIX_CFLAGS += -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -include tests/posix/shared.h -Werror=implicit-function-declaration
else ifeq ($(SYSTEM),Darwin)
POSIX_CFLAGS += -include xlocale.h -Dst_mtim=st_mtimespec -Dfdatasync=tr_full_sync
endif
PLATFORM_CFLAGS := $(if $(filter posix,$(PLATFORM)),$(POSIX_CFLAGS))

# Only where a long has 32 bits: elsewhere off_t has 64 anyway, and the calls would have other names, such as openat64,
# which the libraries of tests/shim do not stand in for.
LARGE_FILES = $(eval LARGE_FILES := $(if $(filter 4,$(shell echo __SIZEOF_LONG__ | $(CC) $(CFLAGS) -E -P -)),-D_FILE_OFFSET_BITS=64))$(LARGE_FILES)

# Recursive (=) on purpose: pkg-config runs only when something is compiled, after `deps` has installed it.
PKG_CFLAGS = $(LARGE_FILES) $(shell $(PKG_CONFIG) --cflags $(PKGS)) $(if $(filter 0,$(WITH_ARCHIVE)),-DTR_WITHOUT_ARCHIVE) \
             $(if $(filter 0,$(WITH_SEAL)),-DTR_WITHOUT_DIGEST) $(if $(filter 0,$(WITH_INDEX)),-DTR_WITHOUT_INDEX)
LINKED_LIBS = $(shell $(PKG_CONFIG) --libs $(LINKED))
SQLITE_LIBS = $(shell $(PKG_CONFIG) --libs sqlite3)
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wno-sign-conversion
ALL_CFLAGS = -std=c11 -MMD -MP -fPIC -fvisibility=hidden $(WARNINGS) -Iinclude $(PKG_CFLAGS) $(CFLAGS) $(VARIANT_CFLAGS) \
             $(PLATFORM_CFLAGS)

.PHONY: all static demo test check check-quick test-long test-loaded test-surroundings unit bats deps asan tsan valgrind matrix locales widths coverage faults fuzz lint format bench bench-lanes instructions schedules ship-killed import-killed archive-killed tools shippers amalgamation dist deb wheel npm test-packages test-platforms install uninstall clean help

# The runner is for Linux alone.
all: taskresults.so $(if $(filter linux,$(PLATFORM)),taskresults-run) ## build the loadable extension, taskresults.so, and the program behind `taskresults run`

# SQLite's functions come from the host, through a table of pointers; everything else must be linked here (-z defs).
ifeq ($(SYSTEM),Darwin)
LINK_SHARED = $(CC) $(CFLAGS) $(LDFLAGS) -dynamiclib -undefined dynamic_lookup
else
LINK_SHARED = $(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,--as-needed,-z,defs
endif

OBJECTS := $(SOURCES:%.c=build/release/%.o)

# All objects depend on a file that is named after these variables: when one has another value than in the last build,
# the file is missing, and everything is compiled anew. A tree from before there was such a file is taken to have been
# built with the defaults: then the file is older than all.
OPTIONS := build/options/$(PLATFORM)$(foreach part,ARCHIVE SEAL INDEX,$(if $(filter 0,$(WITH_$(part))),-without-$(part)))
$(OPTIONS):
	@[ -d build/options -o $(@F) != linux ] && when= || when='-t 197001020000' && \
	  rm -rf build/options && mkdir -p build/options && touch $$when $@

taskresults.so: $(OBJECTS)
	$(LINK_SHARED) -o $@ $^ $(LINKED_LIBS) -lm -pthread

build/release/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(RELEASE) -c -o $@ $<

# The program behind `taskresults run`, and behind -o FILE of the other commands.
RUNNER := capture delay environment keep line lock log main offspring outcome ping ping_text platform_linux record say \
          settings signals stream supervise tail timeout watch write
RUNNER_OBJECTS := $(RUNNER:%=build/runner/shell/runner/%.o) $(addprefix build/runner/ext/,base/fresh_folder.o base/target.o base/platform_linux.o \
                  base/text.o base/timespan.o read/epoch.o read/timestamp.o)
taskresults-run: $(RUNNER_OBJECTS)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -pthread

build/runner/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) -std=c11 -MMD -MP $(WARNINGS) -Iinclude -Iext -DSQLITE_CORE $(PKG_CFLAGS) $(CFLAGS) -c -o $@ $<

# Invariants are asserted in every build for tests alone: the tiny one, those of .ci/asan and .ci/tsan, and of the fuzzers. What
# is installed goes without (NDEBUG): a host must not be ended by us.
RELEASE := -DNDEBUG

# A build with tiny limits, so that tests reach them: a read buffer of 7 bytes (every boundary falls everywhere; its rows
# are compared with the real ones), files shared by two threads from 64 bytes on, transactions of at most 100,000 bytes.
SMALL_LIMITS := -DTR_SHARE_BYTES=64 -DTR_BLOCK_BYTES=61 -DTR_BLOCK_LINES=3 -DTR_BLOCK_LINE_BYTES=4096 -DTR_TIMES_AT_ONCE=3 -DTR_MOST_HELD_FILES=2 -DTR_RECEIPT_MAX_DAYS=100 \
                -DTR_ARCHIVE_FRAME_BYTES=2000 -DTR_ARCHIVE_TAKE_BYTES=3000 -DTR_INDEX_BLOCK_BYTES=500 -DTR_INDEX_LEAST_BYTES=100 \
                -DTR_INDEX_LEAST_NEW_BYTES=50
TINY_LIMITS := $(SMALL_LIMITS) -DTR_READ_BYTES=7 -DTR_MAX_BATCH_BYTES=100000
TINY_OBJECTS := $(SOURCES:%.c=build/tiny/%.o)
build/tiny/taskresults.so: $(TINY_OBJECTS)
	$(LINK_SHARED) -o $@ $^ $(LINKED_LIBS) -lm -pthread
build/tiny/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(TINY_LIMITS) -c -o $@ $<

# A build without zlib and libzstd, whatever WITH_ARCHIVE says. The other sources know nothing of that.
PLAIN_OBJECTS := $(patsubst %.c,build/plain/%.o,$(shell grep -ls TR_WITHOUT_ARCHIVE $(SOURCES)))
build/plain/taskresults.so: $(PLAIN_OBJECTS) $(filter-out $(PLAIN_OBJECTS:build/plain/%=build/release/%),$(OBJECTS))
	$(LINK_SHARED) -o $@ $^ $(shell $(PKG_CONFIG) --libs libcjson) -lm -pthread
build/plain/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -UTR_WITHOUT_ARCHIVE -DTR_WITHOUT_ARCHIVE $(RELEASE) -c -o $@ $<

# A build without pushdown: every answer must be the same.
build/every_line/taskresults.so: $(filter-out %/plan.o,$(OBJECTS)) build/every_line/every_line.o
	$(LINK_SHARED) -o $@ $^ $(LINKED_LIBS) -lm -pthread
build/every_line/%.o: tests/live/%.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Iext -c -o $@ $<

# A build without libcrypto: as WITH_SEAL=0.
build/no_digest/taskresults.so: $(filter-out %/digest.o,$(OBJECTS)) build/no_digest/ext/history/digest.o
	$(LINK_SHARED) -o $@ $^ $(LINKED_LIBS) -lm -pthread
build/no_digest/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(RELEASE) -DTR_WITHOUT_DIGEST -c -o $@ $<

# A build without libxxhash: as WITH_INDEX=0.
build/no_index/taskresults.so: $(filter-out %/index/hash.o,$(OBJECTS)) build/no_index/ext/index/hash.o
	$(LINK_SHARED) -o $@ $^ $(LINKED_LIBS) -lm -pthread
build/no_index/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(RELEASE) -DTR_WITHOUT_INDEX -c -o $@ $<

# For hosts that have SQLite linked in: one object in which only the entry points are visible.
static: libtaskresults.a ## build libtaskresults.a, for programs that have SQLite linked in (-DSQLITE_CORE)
EXPORTED := sqlite3_taskresults_init sqlite3_taskresults_readonly_init sqlite3_modtaskresults_init
CORE_OBJECTS := $(SOURCES:%.c=build/core/%.o)
libtaskresults.a: $(CORE_OBJECTS)
	$(CC) -r -o build/core/taskresults.o $^
	$(OBJCOPY) $(EXPORTED:%=--keep-global-symbol=%) build/core/taskresults.o
	rm -f $@ && $(AR) rcs $@ build/core/taskresults.o
build/core/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(RELEASE) -DSQLITE_CORE -c -o $@ $<

# For systems whose sqlite3 cannot load extensions. SQLITE_SRC is a directory with SQLite's shell.c, sqlite3.c and headers,
# as in the archives of sqlite.org called "amalgamation" and "autoconf"; or, from npm: tests/matrix/package sqlite3 6.0.1
# DIRECTORY, and what is in its deps.
SQLITE_OPTIONS := -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_ENABLE_DBSTAT_VTAB \
                  -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_ENABLE_RTREE -DSQLITE_USE_URI \
                  -DSQLITE_EXTRA_INIT=taskresults_at_start
BUILT_IN_OBJECTS := $(SOURCES:%.c=build/built_in/%.o) build/built_in/.packages/sqlite3_init.o
taskresults-sqlite3: $(if $(wildcard $(SQLITE_SRC)/shell.c),$(BUILT_IN_OBJECTS)) ## build a sqlite3 program with taskresults in it; SQLITE_SRC=DIR has SQLite's sources
	@test -f "$(SQLITE_SRC)/shell.c" -a -f "$(SQLITE_SRC)/sqlite3.c" || { \
	  echo "taskresults-sqlite3: SQLITE_SRC=DIRECTORY has to name SQLite's sources (shell.c, sqlite3.c, sqlite3.h and" >&2; \
	  echo "sqlite3ext.h): unpack an \"amalgamation\" from https://sqlite.org/download.html" >&2; exit 3; }
	$(CC) $(CFLAGS) -w $(SQLITE_OPTIONS) -c -o build/built_in/sqlite3.o $(SQLITE_SRC)/sqlite3.c
	$(CC) $(CFLAGS) $(LDFLAGS) -w $(SQLITE_OPTIONS) -I$(SQLITE_SRC) -o $@ $(SQLITE_SRC)/shell.c build/built_in/sqlite3.o $^ \
	  $(LINKED_LIBS) -lm -ldl -pthread
build/built_in/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) -I$(SQLITE_SRC) $(ALL_CFLAGS) $(RELEASE) -DSQLITE_CORE -c -o $@ $<

# What other systems than Linux get, on Linux. `make check-posix` tells whether the other objects could be the same there.
POSIX_SOURCES := ext/base/platform_linux.c ext/base/platform_posix.c
POSIX_OBJECTS := $(POSIX_SOURCES:%.c=build/posix/%.o)
build/posix/taskresults.so: $(POSIX_OBJECTS) $(filter-out $(POSIX_OBJECTS:build/posix/%=build/release/%),$(OBJECTS))
	$(LINK_SHARED) -o $@ $^ $(LINKED_LIBS) -lm -pthread
build/posix/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(POSIX_CFLAGS) $(RELEASE) -c -o $@ $<

build/posix/target: tests/unit/target.c $(filter-out %/platform_linux.o,$(CORE_OBJECTS)) $(POSIX_SOURCES)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -D_GNU_SOURCE -DTR_POSIX -o $@ $< $(filter-out %/platform_posix.o,$(filter %.c %.o,$(filter-out $<,$^))) \
	  $(LINKED_LIBS) $(SQLITE_LIBS) -lm -pthread

.PHONY: check-posix
check-posix: | build-deps # for .ci/lint
	@$(CC) -Werror -fsyntax-only $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(POSIX_CFLAGS) $(SOURCES)

.PHONY: build-deps
build-deps:
	@if command -v dpkg-query >/dev/null; then .ci/deps --look build; else CC="$(CC)" PKG_CONFIG="$(PKG_CONFIG)" .ci/needs $(PKGS); fi

# The only targets that install packages are these two and `test`. All others name what is missing, and the command.
DEPS := build test
deps: ## install what building and testing need (Debian), or print the command; also DEPS='build lint'
	@.ci/deps $(DEPS)

# The compiler's lines are shown only if it fails.
demo: ## build, and show what the commands do with the example data
	@.ci/deps build
	@mkdir -p build
	@$(MAKE) -s all >build/demo.log 2>&1 || { cat build/demo.log >&2; exit 3; }
	@examples/demo.sh

# --- tests ---------------------------------------------------------------------------------------------------------

UNIT := $(basename $(notdir $(wildcard tests/unit/*.c)))
UNIT_CFLAGS = -std=c11 $(WARNINGS) -Iinclude -Iext -Ishell/runner $(PKG_CFLAGS) $(CFLAGS) -DSQLITE_CORE

# The runner's sources that its C units test.
TESTED_RUNNER := capture delay keep line offspring outcome ping_text platform_linux say signals tail timeout
UNIT_RUNNER := $(patsubst %,build/runner/shell/runner/%.o,$(TESTED_RUNNER))
build/unit/%: tests/unit/%.c $(wildcard tests/unit/*.h ext/*.h ext/*/*.h) $(CORE_OBJECTS) $(UNIT_RUNNER)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -o $@ $< $(CORE_OBJECTS) $(UNIT_RUNNER) $(LINKED_LIBS) $(SQLITE_LIBS) -lm -pthread

# A fuzz target without a fuzzer: it runs over the files that it is given.
build/replay/%: tests/fuzz/%.c tests/fuzz/replay.c $(CORE_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -o $@ $^ $(LINKED_LIBS) $(SQLITE_LIBS) -lm -pthread

build/shim/%.so: tests/shim/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) $(CFLAGS) -Wno-missing-prototypes -shared -fPIC -o $@ $< -ldl

# Hosts in C, which load the extension as an application would.
LIVE := $(basename $(notdir $(filter-out %/every_line.c %/threads.c,$(wildcard tests/live/*.c))))
build/live/%: tests/live/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) $(PKG_CFLAGS) $(CFLAGS) -o $@ $< $(SQLITE_LIBS) -lpthread

# A host in which each of our functions reports its folder when called: tests/live/walk.c. Not optimized, so that none
# is inlined.
WALK_OBJECTS := $(SOURCES:%.c=build/walk/%.o)
build/live/walk: tests/live/walk.c $(WALK_OBJECTS)
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -Iinclude $(PKG_CFLAGS) -DSQLITE_CORE -o $@ $^ $(LINKED_LIBS) $(SQLITE_LIBS) -lm -pthread
build/walk/%.o: %.c | build-deps
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -O0 $(RELEASE) -DSQLITE_CORE -finstrument-functions -c -o $@ $<
	$(OBJCOPY) --redefine-sym __cyg_profile_func_enter=walk_enter_$(basename $(word 2,$(subst /, ,$*))) \
	  --redefine-sym __cyg_profile_func_exit=walk_leave $@

# When a test fails, make prints a line of its own as the last one; so that line has the count.
count-tests = $(if $(shell cat build/tests-failed 2>/dev/null),$(error $(shell cat build/tests-failed)))

test: run-tests ## run every test, in about ten minutes; the last line has the result
	@$(count-tests)

check: test

check-quick: run-quick-tests ## lint what has changed, and run the tests that find most mistakes, within a minute
	@$(count-tests)

test-long: run-long-tests ## run every test, with all random cases and all steps where `make test` takes some; takes long
	@$(count-tests)

test-loaded: run-loaded-tests ## run every test while ten other processes use the processors (Debian: stress-ng)
	@$(count-tests)

test-surroundings: test-binaries ## run some tests with ignored signals, without standard input, on a terminal, in Turkish
	@.ci/deps --look build test
	@tests/surroundings

unit: run-units ## run only the C unit tests
	@$(count-tests)

bats: run-bats ## run only the bats files
	@$(count-tests)

.PHONY: run-tests run-quick-tests run-long-tests run-loaded-tests run-units run-bats
run-tests run-quick-tests run-long-tests run-loaded-tests run-units run-bats: export TEST_FAILED_FILE := $(CURDIR)/build/tests-failed

run-tests:
	@.ci/deps build test
	@tests/run

run-quick-tests:
	@.ci/deps --look build test lint
	@.ci/lint --changed
	@tests/run --quick

run-long-tests:
	@.ci/deps --look build test
	@TASKRESULTS_LONG=1 TASKRESULTS_STRIDE=1 tests/run

run-loaded-tests:
	@.ci/deps --look build test load
	@tests/run --loaded

run-units:
	@.ci/deps --look build test
	@tests/run tests/unit/

run-bats:
	@.ci/deps --look build test
	@tests/run tests/bats/

SHIMS := $(basename $(notdir $(wildcard tests/shim/*.c)))
TEST_LIBRARIES := taskresults.so build/tiny/taskresults.so build/plain/taskresults.so libtaskresults.a \
                  $(SHIMS:%=build/shim/%.so) build/every_line/taskresults.so build/no_digest/taskresults.so \
                  build/no_index/taskresults.so \
                  build/posix/taskresults.so build/posix/target \
                  $(LIVE:%=build/live/%)
.PHONY: test-binaries test-libraries test-units
test-binaries: test-libraries test-units
test-libraries: $(TEST_LIBRARIES)
test-units: $(UNIT:%=build/unit/%)

.PHONY: print-sources
print-sources: # for .ci/asan, which builds them its own way
	@echo $(SOURCES)

.PHONY: print-tested-runner
print-tested-runner:
	@echo $(TESTED_RUNNER:%=shell/runner/%.c)

.PHONY: print-fuzz-limits
print-fuzz-limits: # with which targets are fuzzed, and their corpora replayed
	@echo $(SMALL_LIMITS) -DTR_READ_BYTES=61

asan: ## run the C unit tests, each allocation failing in turn, and the differential test of SQL under ASan and UBSan
	@.ci/deps --look build test lint
	@.ci/asan

tsan: ## run a program with many threads under ThreadSanitizer, for TSAN_SECONDS (30)
	@.ci/deps --look build
	@.ci/tsan $(or $(TSAN_SECONDS),30)

valgrind: all test-binaries ## run a SQL session and the C unit tests under memcheck, and look for leaks
	@.ci/deps --look build valgrind
	@.ci/valgrind

matrix: ## run the SQL tests on eight versions of SQLite from 3.38.5 to 3.54.1 (from npm), or on VERSIONS
	@.ci/deps --look build test matrix
	@tests/matrix/run $(VERSIONS)

test-platforms: ## build for arm64, s390x, i386, musl and macOS's kind of system, and run tests of them (Debian: qemu-user-static, musl-tools); takes long
	@.ci/deps --look build test
	@tests/platforms/run

locales: test-binaries ## run every command in every locale (Debian: locales-all); takes minutes
	@.ci/deps --look build test
	@TASKRESULTS_LOCALES=all TASKRESULTS_EXTRAS=1 TASKRESULTS_ROOT="$(CURDIR)" bats --tap -f 'every locale' tests/bats/shell/environment.bats

coverage: ## measure which lines and branches the tests run; see tests/coverage/REPORT.md
	@.ci/deps --look build test coverage
	@tests/coverage/run

lint: ## check with gcc and clang (-Werror), clang-format, shellcheck and rules of our own
	@.ci/deps --look build test lint
	@.ci/lint

faults: test-binaries taskresults-run ## let each call into libc and each allocation fail in turn, and files change between two; see tests/live/each_call.py and ship_faults.py
	@for unit in memory slots_memory write_memory; do TASKRESULTS_STRIDE=1 build/unit/$$unit || exit; done
	@TASKRESULTS_ROOT="$(CURDIR)" python3 tests/live/each_call.py
	@TASKRESULTS_ROOT="$(CURDIR)" python3 tests/live/changed_between_calls.py
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && PYTHONDONTWRITEBYTECODE=1 python3 tests/live/ship_faults.py \
	  "$(CURDIR)/shell" "$(CURDIR)/taskresults.so" "$$place/faults" && PYTHONDONTWRITEBYTECODE=1 python3 \
	  tests/live/ship_damaged.py "$(CURDIR)/shell" "$(CURDIR)/taskresults.so" "$$place/damaged" 0 300

fuzz: ## fuzz each target for FUZZ_SECONDS (60) of CPU time with libFuzzer and AFL++; see tests/fuzz/run
	@.ci/deps --look build fuzz
	@tests/fuzz/run

# Longer than in the suite: with croniter, 100,000 expressions take two minutes.
SCHEDULES := TASKRESULTS_ROOT="$(CURDIR)" PYTHONPATH=tests/lib PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/oracles/schedules.py
schedules: all ## compare 100,000 random schedules with croniter and zoneinfo; takes minutes
	@.ci/deps --look build test
	@$(SCHEDULES) cron 100000 7
	@$(SCHEDULES) zones 2000 7
	@$(SCHEDULES) words 100000 7
	@$(SCHEDULES) times 100000 7

# Three seeds, as each tries another mixture of prunes, cuts and new cursors.
shippers: all ## run rsyslog and syslog-ng beside our pruner, as examples/clickhouse/OTHER_SHIPPERS.md tells
	@.ci/deps --look build test
	@TASKRESULTS_SHIPPERS=1 TASKRESULTS_EXTRAS=1 TASKRESULTS_ROOT="$(CURDIR)" bats --tap tests/bats/other_shippers.bats

ship-killed: all build/shim/kill_at.so ## kill `taskresults ship` 120 times, also at any write of a commit; takes minutes
	@.ci/deps --look build test
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && for seed in 0 1 2; do PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 \
	  tests/live/ship_killed.py "$(CURDIR)/shell" "$(CURDIR)/taskresults.so" "$$place/$$seed" $$seed 40 || exit; done

tools: all ## run what examples/tools says of lnav, Miller, sqlite-utils and DuckDB with the real programs; unpacks 120 MB
	@.ci/deps --look build test
	@TASKRESULTS_TOOLS=1 TASKRESULTS_EXTRAS=1 TASKRESULTS_ROOT="$(CURDIR)" bats --tap tests/bats/other_tools.bats

import-killed: all ## kill `taskresults import` at each of its steps; takes a minute
	@.ci/deps --look build test
	@command -v strace >/dev/null || { echo "import-killed: no strace; on Debian: apt-get install strace" >&2; exit 3; }
	@place=$$(mktemp -d) && trap 'rm -rf "$$place"' EXIT && PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 \
	  tests/live/import_killed.py "$(CURDIR)/shell" "$(CURDIR)/taskresults.so" "$$place" 1

# The short forms of these are in tests/bats/archive.bats.
archive-killed: all build/shim/prune_faults.so ## kill a prune that archives 300 times beside writers and readers, and at each system call
	@.ci/deps --look build test
	@for mode in kill recovery faults offline power; do echo "$$mode:" && TASKRESULTS_ROOT="$(CURDIR)" \
	  tests/prune/archived.py $$mode $(or $(STRIDE),1) || exit; done
	@for mode in "between $(or $(STRIDE),1)" "instant $(or $(STRIDE),1)" "recovery $(or $(STRIDE),11)" "faults $(or $(STRIDE),11)"; do \
	  echo "rotated, $$mode:" && TASKRESULTS_ROOT="$(CURDIR)" tests/prune/rotated.py $$mode || exit; done
	@TASKRESULTS_ROOT="$(CURDIR)" tests/prune/stress.py archive=1 kills=300 writers=4 readers=4 keep=500

widths: ## write shell/terminal/width_data.awk again, from the Unicode tables of Perl
	shell/terminal/make_widths >shell/terminal/width_data.awk.new
	mv shell/terminal/width_data.awk.new shell/terminal/width_data.awk

format: ## format the C sources with clang-format
	@.ci/deps --look lint
	clang-format -i $$(git ls-files '*.c' '*.cpp' '*.h' '*.inc')

build/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) $(PKG_CFLAGS) $(CFLAGS) -o $@ $< $(SQLITE_LIBS)

# A rival, at its best: for this very processor; with simdjson's helper thread (2) and without (1).
SIMDJSON_CXX = $(CXX) -std=c++17 -O3 -march=native -Wall -Wextra
build/bench/simdjson_1 build/bench/simdjson_2: build/bench/simdjson_%: tests/bench/simdjson.cpp
	@mkdir -p $(@D)
	$(SIMDJSON_CXX) $(if $(filter 2,$*),-DSIMDJSON_THREADS_ENABLED=1) -o $@ $< -lsimdjson

bench: all build/bench/append_host build/bench/one_run ## compare the speed with grep, ripgrep, jq, python3, simdjson and DuckDB; see tests/bench/run
	@.ci/deps --look build bench
	@$(MAKE) -s build/bench/simdjson_1 build/bench/simdjson_2 || echo "bench: simdjson is not measured"
	@tests/bench/run

build/bench/lanes: tests/bench/lanes.c $(CORE_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) -o $@ $< $(CORE_OBJECTS) $(LINKED_LIBS) $(SQLITE_LIBS) -lm -pthread

bench-lanes: build/bench/lanes ## compare the speed of the fast lanes that this processor has
	@test -e build/bench/lanes.jsonl || python3 tests/bench/generate.py build/bench/lanes.jsonl 20000000
	@build/bench/lanes 15 build/bench/lanes.jsonl

instructions: all ## count the instructions of a small workload, and compare them with the recorded counts
	@.ci/deps --look build instructions
	@tests/instructions/run

# --- installing ----------------------------------------------------------------------------------------------------

bindir  ?= $(PREFIX)/bin
includedir ?= $(PREFIX)/include
datadir ?= $(PREFIX)/share
mandir  ?= $(datadir)/man
docdir  ?= $(datadir)/doc/taskresults
DIRECTORIES = $(foreach name,DESTDIR PREFIX bindir libdir includedir datadir mandir docdir VERSION LINKED,$(name)="$($(name))")

# The man pages are the commands' header comments, laid out.
.PHONY: man
man: ## write the man pages to build/man
	@rm -rf build/man
	@shell/man/make_man build/man $(VERSION)

install: all static man ## copy the library, commands, man pages, documents and examples below DESTDIR/PREFIX
	@$(DIRECTORIES) .ci/install

uninstall: ## remove what install copied
	@$(DIRECTORIES) .ci/install --remove

# --- packages ------------------------------------------------------------------------------------------------------

PACKAGES := build/packages

amalgamation: ## write the library as one C file, for applications that compile it themselves, to build/amalgamation
	@.packages/amalgamate build/amalgamation $(VERSION)
	@echo build/amalgamation/taskresults.c

dist: ## write the release archive of this commit to build/packages, build what is in it, and try it
	@.ci/deps --look build
	@.packages/dist $(PACKAGES) $(VERSION)

deb: dist ## build the Debian packages of the release archive, for this Debian
	@.ci/deps --look build packages
	@.packages/deb $(PACKAGES) $(VERSION)

build/portable/glibc: $(OBJECTS)
	@rm -rf build/portable && mkdir -p build/portable
	@.packages/binary build/portable/files >$@.new && mv $@.new $@

wheel: build/portable/glibc ## build a Python wheel for this kind of machine, to build/packages
	@mkdir -p $(PACKAGES)
	@.packages/wheel build/portable/files "$$(cat $<)" $(VERSION) $(PACKAGES)

npm: build/portable/glibc ## build the npm packages for this kind of machine, to build/packages
	@mkdir -p $(PACKAGES)
	@.packages/npm_pack build/portable/files $(VERSION) $(PACKAGES)

test-packages: deb wheel npm ## install the packages in bare Debian systems, use and remove them; needs root, takes minutes
	@.ci/deps --look build packages
	@tests/packages/run $(SUITES)

clean: ## remove everything that was built
	rm -rf build taskresults.so taskresults-run taskresults-sqlite3 libtaskresults.a

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-19s %s\n", $$1, $$2}' Makefile

$(OBJECTS) $(TINY_OBJECTS) $(PLAIN_OBJECTS) $(CORE_OBJECTS) $(BUILT_IN_OBJECTS) $(POSIX_OBJECTS) $(WALK_OBJECTS) \
  build/every_line/every_line.o build/no_digest/ext/history/digest.o build/no_index/ext/index/hash.o: $(OPTIONS)

# The dependencies of each object, written by the compiler.
-include $(patsubst %.o,%.d,$(OBJECTS) $(RUNNER_OBJECTS) $(TINY_OBJECTS) $(CORE_OBJECTS) $(PLAIN_OBJECTS)) build/every_line/every_line.d $(WALK_OBJECTS:.o=.d)
