#!/usr/bin/env bats
# Building, installing and the packages that are needed.

load ../lib/helpers

# listing DIRECTORY - its files, directories and links, with modes, times and contents.
listing() {
  (cd "$1" && find . -printf '%y %m %p %l %T@\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

@test "make install installs everything; uninstall removes it, and leaves what was there before" {
  stage=$BATS_TEST_TMPDIR/'a stage'
  mkdir -p "$stage/usr/share/man/man1"
  echo theirs >"$stage/usr/share/man/man1/theirs.1"
  before=$(listing "$stage" | sed 's/ [0-9.]*$//')
  # One line says what was installed, and where.
  run make -s -C "$root" install DESTDIR="$stage" PREFIX=/usr
  [[ $status -eq 0 && ${#lines[@]} -eq 1 && $output == "Installed taskresults "*" $stage/usr/bin, "*" $stage/usr/lib/sqlite3/taskresults.so,"* ]]
  cd "$stage/usr"
  for file in lib/sqlite3/taskresults.so lib/libtaskresults.a lib/pkgconfig/taskresults.pc include/taskresults.h \
    bin/taskresults bin/view_results share/man/man1/taskresults-list.1 share/man/man1/view_results.1 share/man/man7/taskresults-{tables,index}.7 \
    share/bash-completion/completions/{taskresults,view_results} share/zsh/site-functions/_taskresults \
    share/doc/taskresults/{README.md,CHANGELOG.md,LICENSE,ext/TABLES.md,ext/WRITING.md,ext/PRUNING.md,ext/SEALS.md,ext/INDEX.md,ext/SECURITY.md} \
    share/doc/taskresults/{shell/README.md,examples/fresh.sh,examples/embed.c,examples/sql/audit.sql,examples/clickhouse/README.md,examples/clickhouse/18.16/tables.sql}; do
    [[ -f $file ]] || { echo "not installed: $file"; return 1; }
  done
  # No link leads outside the stage, into the checkout, or nowhere; and nothing is writable for others.
  [[ -z $(find . -xtype l -o -perm /022 ! -type l) ]]
  run grep -rlF "$root" share include lib/pkgconfig bin
  [[ -z $output ]]
  # Every link of every installed document leads to something that is installed. A link to a source file has become text.
  run env PYTHONDONTWRITEBYTECODE=1 python3 "$root/tests/lib/document_links.py" share/doc/taskresults
  [[ $status -eq 0 && -z $output ]] || { echo "$output"; return 1; }
  grep -qF '(ext/TABLES.md)' share/doc/taskresults/README.md
  grep -qF '(prune/prune.c)' "$root/ext/PRUNING.md"
  grep -qF '`prune/prune.c` lists the steps' share/doc/taskresults/ext/PRUNING.md
  # shellcheck disable=SC2034  # read by sql() in tests/lib/helpers.bash
  extension=lib/sqlite3/taskresults
  make_job a 3
  assert_rows 3 'SELECT count(*) FROM task_results'
  [[ $(bin/taskresults list --csv) == *$'\na,3,'* ]]
  once=$(listing "$stage")
  make -s -C "$root" install DESTDIR="$stage" PREFIX=/usr
  diff <(echo "$once") <(listing "$stage")
  make -s -C "$root" uninstall DESTDIR="$stage" PREFIX=/usr
  diff <(echo "$before") <(listing "$stage" | sed 's/ [0-9.]*$//')
  make -s -C "$root" uninstall DESTDIR="$stage" PREFIX=/usr # again: nothing is there, which is fine
  diff <(echo "$before") <(listing "$stage" | sed 's/ [0-9.]*$//')
}

@test "uninstall also removes files of older versions, and nothing that install did not make" {
  stage=$BATS_TEST_TMPDIR/stage
  make -s -C "$root" install DESTDIR="$stage" PREFIX=/usr
  note=$stage/usr/share/taskresults/installed
  grep -qx /usr/bin/taskresults "$note"
  mkdir "$stage/usr/share/taskresults/gone"
  touch "$stage/usr/share/taskresults/gone/older.bash" "$stage/usr/share/theirs"
  printf '%s\n' /usr/share/taskresults/gone/ /usr/share/taskresults/gone/older.bash >>"$note"
  make -s -C "$root" install DESTDIR="$stage" PREFIX=/usr
  make -s -C "$root" uninstall DESTDIR="$stage" PREFIX=/usr
  [[ $(cd "$stage" && find . | sort | tr '\n' ' ') == '. ./usr ./usr/share ./usr/share/theirs ' ]]
}

@test "the C example is built from what is installed, as pkg-config says, and runs" {
  prefix=$BATS_TEST_TMPDIR/prefix
  make -s -C "$root" install PREFIX="$prefix"
  export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
  [[ $(pkg-config --modversion taskresults) == "$(version_built)" ]]
  make_job a 3 3
  cd "$BATS_TEST_TMPDIR"
  static_of_sqlite=$(pkg-config --static --libs sqlite3) # may name a library (-lz) whose package Debian's does not bring
  for static in '' --static; do
    # shellcheck disable=SC2086  # words
    [[ ! $static ]] || cc -shared -x c /dev/null -o empty.so $static_of_sqlite 2>/dev/null || continue
    read -ra flags < <(pkg-config --cflags --libs ${static:+"$static"} taskresults)
    cc -Wall -Werror "$prefix/share/doc/taskresults/examples/embed.c" "${flags[@]}" -o embed
    [[ $(./embed "$results") == 'a: 3 runs, 1 failed' ]]
  done
  # In a stage, with the prefix changed to the stage's.
  make -s -C "$root" install DESTDIR="$BATS_TEST_TMPDIR/stage" PREFIX=/usr
  PKG_CONFIG_PATH=$BATS_TEST_TMPDIR/stage/usr/lib/pkgconfig
  [[ $(pkg-config --variable=includedir taskresults) == /usr/include ]]
  [[ $(pkg-config --define-variable=prefix=/opt/x --variable=libdir taskresults) == /opt/x/lib ]]
}

@test "libdir and docdir move the libraries and the documents" {
  make -s -C "$root" install DESTDIR="$BATS_TEST_TMPDIR/stage" libdir=/usr/lib/there docdir=/srv/doc
  [[ -f $BATS_TEST_TMPDIR/stage/srv/doc/README.md && ! -e $BATS_TEST_TMPDIR/stage/usr/local/share/doc ]]
  [[ -f $BATS_TEST_TMPDIR/stage/usr/lib/there/sqlite3/taskresults.so ]]
  [[ $("$BATS_TEST_TMPDIR/stage/usr/local/bin/taskresults" version) == 'taskresults '* ]]
  grep -qx 'libdir=/usr/lib/there' "$BATS_TEST_TMPDIR/stage/usr/lib/there/pkgconfig/taskresults.pc"
}

@test "deps does nothing when everything is there" {
  run "$root/.ci/deps" build test
  [[ $status -eq 0 && -z $output ]]
}

@test "deps prints the exact command when it may not install" {
  dpkg-query() { return 1; } # nothing is installed
  export -f dpkg-query
  as_nobody=()
  ((EUID)) || as_nobody=(setpriv --reuid=65534 --clear-groups)
  run "${as_nobody[@]}" bash -s build <"$root/.ci/deps"
  [[ $status -eq 3 ]]
  [[ $output == *'apt-get install -y --no-install-recommends gcc libc6-dev pkg-config libsqlite3-dev libcjson-dev zlib1g-dev libzstd-dev libssl-dev libxxhash-dev sqlite3'* ]]
}

# on_system ID COMMAND... - runs it where there is neither Debian's tools nor anything to build with.
on_system() {
  local only=$BATS_TEST_TMPDIR/only program
  mkdir -p "$only"
  for program in sh bash make uname sed tr sort dirname true; do ln -sf "$(type -P "$program")" "$only"; done
  printf 'NAME="Some Linux"\nID=%s\nID_LIKE="%s"\n' "$1" "${like-}" >"$BATS_TEST_TMPDIR/os-release"
  shift
  run env PATH="$only" OS_RELEASE="$BATS_TEST_TMPDIR/os-release" "$@"
  echo "$output"
}

@test "on other systems, make names what is missing, and prints the command that installs it there" {
  local tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree"
  cp -r "$root"/{Makefile,.ci,ext,include} "$tree"
  on_system fedora make -s -C "$tree" taskresults.so
  [[ $status -ne 0 && $output == *'Missing: cc '*'pkg-config'*'  dnf install '*' cjson-devel '*' libzstd-devel '* ]]
  on_system arch make -s -C "$tree" taskresults.so
  [[ $status -ne 0 && $output == *'  pacman -S '*' cjson '*' zstd '* ]]
  on_system alpine make -s -C "$tree" taskresults.so
  [[ $status -ne 0 && $output == *'  apk add '*' cjson-dev '*' zstd-dev '* ]]
  like='rhel fedora' on_system rocky "$tree/.ci/needs"
  [[ $status -eq 3 && ${#lines[@]} -eq 2 && $output == *'  dnf install '* ]]
  on_system plan9 "$tree/.ci/needs"
  [[ $status -eq 3 && ${#lines[@]} -eq 2 && $output == *'cJSON'* ]]
  printf '#!/bin/sh\n' >"$BATS_TEST_TMPDIR/only/brew"
  chmod +x "$BATS_TEST_TMPDIR/only/brew"
  on_system plan9 "$tree/.ci/needs"
  [[ $status -eq 3 && $output == *'  brew install '*' cjson '*' zstd '* ]]
}

@test "on other systems, a library that is missing is named by its pkg-config name; nothing is said if all is there" {
  local only=$BATS_TEST_TMPDIR/only
  on_system fedora true
  ln -s true "$only/cc"
  ln -s true "$only/awk"
  ln -s true "$only/sqlite3"
  printf '#!/bin/sh\n[ "$2" != libcjson ]\n' >"$only/pkg-config"
  chmod +x "$only/pkg-config"
  on_system fedora "$root/.ci/needs" sqlite3 libcjson zlib
  [[ $status -eq 3 && ${lines[0]} == 'Missing: libcjson. What building needs:' ]]
  on_system fedora "$root/.ci/needs" sqlite3 zlib
  [[ $status -eq 0 && -z $output ]]
}

@test "make compiles anew what was compiled with other options, and nothing twice" {
  local tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree/ext" "$tree/tests"
  cp -r "$root"/{Makefile,.ci,include} "$tree"
  cp -r "$root"/ext/{base,extension.c} "$tree/ext" # some of the sources will do
  cp -r "$root/tests/posix" "$tree/tests"
  printf '#!/bin/sh\nwhile [ $# -gt 1 ]; do [ "$1" != -o ] || : >"$2"; shift; done\n' >"$BATS_TEST_TMPDIR/cc"
  chmod +x "$BATS_TEST_TMPDIR/cc"
  compiled() { # how many commands have the word $1, when make is called with the others
    (unset MAKEFLAGS MAKELEVEL && make -C "$tree" CC="$BATS_TEST_TMPDIR/cc" PKG_CONFIG=true "${@:2}" taskresults.so) |
      grep -c -e " $1 "
  }
  (($(compiled -c) > 5))
  [[ $(compiled -c) == 0 ]]
  (($(compiled -DTR_POSIX PLATFORM=posix) > 5))
  [[ $(compiled -c PLATFORM=posix) == 0 ]]
  (($(compiled -DTR_WITHOUT_INDEX WITH_INDEX=0 -n) > 5))
  (($(compiled -DTR_WITHOUT_DIGEST WITH_SEAL=0 -n) > 5))
  (($(compiled -DTR_WITHOUT_ARCHIVE WITH_ARCHIVE=0 -n) > 5))
  [[ $(compiled -c PLATFORM=posix) == 0 ]]
}

# fake_packages - stand-ins for Debian's tools: no package is known until apt-get has run, which only leaves a mark.
fake_packages() {
  fakes=$BATS_TEST_TMPDIR/fakes installed=$BATS_TEST_TMPDIR/installed
  mkdir "$fakes"
  printf '#!/bin/sh\n[ -e "%s" ] && printf installed\n' "$installed" >"$fakes/dpkg-query"
  printf '#!/bin/sh\necho "$*" >>"%s"\n' "$installed" >"$fakes/apt-get"
  chmod +x "$fakes"/*
}

@test "only deps, demo and test install packages; the other targets name what is missing, with the command" {
  fake_packages
  local target targets
  targets=$(make -s -C "$root" help | awk '$2 !~ /^(deps|demo|test|man|amalgamation|uninstall|clean|help|widths|taskresults-sqlite3)$/ {print $2}')
  [[ $targets == *all*install* ]]
  for target in taskresults.so $targets; do
    PATH=$fakes:$PATH run make -s -C "$root" "$target" DESTDIR="$BATS_TEST_TMPDIR/stage"
    echo "$target: $output"
    [[ $status -ne 0 && $output == *'apt-get install -y --no-install-recommends '*' Error 3'* && ! -e $installed ]]
  done
  [[ ! -e $BATS_TEST_TMPDIR/stage ]]
}

@test "deps, demo and test install what is missing, and go on" {
  ((EUID == 0)) || skip 'only root installs packages'
  fake_packages
  PATH=$fakes:$PATH run make -s -C "$root" demo
  echo "$output"
  [[ $status -eq 0 && $output == 'Installing: gcc '* && $(wc -l <"$installed") -eq 2 ]] # update, install
  [[ $(wc -l <<<"$output") -le 40 && $output == *'$ shell/taskresults list'*'$ shell/taskresults errors'*'build/status.html'* ]]
  rm "$installed"
  mkdir "$BATS_TEST_TMPDIR/tree" "$BATS_TEST_TMPDIR/tree/tests"
  cp -r "$root/Makefile" "$root/.ci" "$root/include" "$BATS_TEST_TMPDIR/tree"
  printf '#!/bin/sh\necho the tests ran\n' >"$BATS_TEST_TMPDIR/tree/tests/run"
  chmod +x "$BATS_TEST_TMPDIR/tree/tests/run"
  PATH=$fakes:$PATH run make -s -C "$BATS_TEST_TMPDIR/tree" test
  [[ $status -eq 0 && $output == 'Installing: gcc '*'bats'*'the tests ran' && $(wc -l <"$installed") -eq 2 ]]
  rm "$installed"
  PATH=$fakes:$PATH run make -s -C "$BATS_TEST_TMPDIR/tree" deps DEPS=lint
  [[ $status -eq 0 && $(grep -c '^install .*shellcheck' "$installed") -eq 1 ]]
}

@test "make help lists the targets" {
  run make -s -C "$root" help
  for target in all static demo test deps asan coverage lint format bench man install uninstall clean help; do
    [[ $output == *"make $target "* ]]
  done
}
