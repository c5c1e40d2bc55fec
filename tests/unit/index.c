/*
** index.c - what is kept of a job's file outside of it: that what is known is always what the file says, whatever has
** become of the file, and of the index.
**
** ask() is a question: it takes what the index knows, reads the rest, and compares all of it with the whole file, read
** anew. So each test needs only to change something between two questions.
*/
#include "tr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#include "allocator.h"
#include "random.h"

#define JOB_FILE "job.jsonl"
#define MOST_BYTES (4 * 1024 * 1024)

static char base[64], results_path[96], cache_path[256], index_path[512];
static TrDir results = {.fd = -1, .store = &tr_results_store, .path = results_path};

/* --- calls that fail, or after which the process is killed -------------------------------------------------------- */

static int calls, killed_at, short_write; /* killed_at: at which call from 1 on; short_write: bytes that fit */

static void count_call(void) {
  if (++calls == killed_at) _exit(0);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
  count_call();
  if (short_write && (size_t)short_write < length) length = (size_t)short_write;
  return syscall(SYS_pwrite64, fd, bytes, length, offset);
}

int ftruncate(int fd, off_t length) {
  count_call();
  return (int)syscall(SYS_ftruncate, fd, length);
}

int flock(int fd, int operation) {
  count_call();
  return (int)syscall(SYS_flock, fd, operation);
}

int mkdirat(int fd, const char *name, mode_t mode) {
  count_call();
  return (int)syscall(SYS_mkdirat, fd, name, mode);
}

/* --- the job's file ----------------------------------------------------------------------------------------------- */

static void put(const char *text, size_t length) {
  int fd = openat(results.fd, JOB_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  CHECK(fd >= 0 && write(fd, text, length) == (ssize_t)length);
  close(fd);
}

static void put_line(const char *text) {
  put(text, strlen(text));
  put("\n", 1);
}

static int second;

static size_t record_text(char *out, size_t room) {
  static const char *const success[] = {"true", "true", "true", "false", "null", "1", "\"\"", "[]"};
  unsigned minute = (unsigned)++second;
  return (size_t)snprintf(
      out, room,
      "{\"timestamp\": \"2026-%02u-%02uT%02u:%02u:00.%06uZ\", \"job_id\": \"job\", \"success\": %s, "
      "\"output\": \"%.*s\", \"error\": null}\n",
      minute / 40320 % 12 + 1, minute / 1440 % 28 + 1, minute / 60 % 24, minute % 60, minute % 7 * 1000,
      success[random_below(8)], (int)random_below(200),
      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
      "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
      "23456789012345678901234567890");
}

/* Lines of many kinds, about so many bytes. */
static void put_records(size_t bytes) {
  char *text = malloc(bytes + 1024);
  size_t length = 0;
  while (length < bytes) {
    length += record_text(text + length, 1024);
    const char *odd[] = {"\n",
                         " \t\r\n",
                         "{\"success\": tru\n",
                         "{\"timestamp\": 5}\n",
                         "{\"timestamp\": \"2026-01-01 10:00\", \"success\": 0}\n",
                         "[1]\n"};
    if (random_below(20) == 0) length += (size_t)snprintf(text + length, 512, "%s", odd[random_below(6)]);
  }
  put(text, length);
  free(text);
}

static void patch(int64_t offset, const char *text) {
  int fd = openat(results.fd, JOB_FILE, O_WRONLY | O_CLOEXEC);
  CHECK(fd >= 0 && syscall(SYS_pwrite64, fd, text, strlen(text), (off_t)offset) == (ssize_t)strlen(text));
  close(fd);
}

static int64_t size_of(int dir_fd, const char *name) {
  struct stat found;
  return fstatat(dir_fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0 ? (int64_t)found.st_size : -1;
}

/* Its times become older than what is still unsettled; the time of its status cannot be set, so see `settle`. */
static void set_times(time_t seconds_ago) {
  struct timespec now, times[2];
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec -= seconds_ago;
  times[0] = times[1] = now;
  CHECK(utimensat(results.fd, JOB_FILE, times, 0) == 0);
}

/* --- a question --------------------------------------------------------------------------------------------------- */

typedef struct Answer {
  TrIndexed *record;
  size_t count, room;
  int64_t rejects;
} Answer;

static void answer(Answer *to, const TrIndexed *record) {
  to->record = tr_array_reserve(to->record, &to->room, to->count + 1, sizeof *record);
  to->record[to->count++] = *record;
}

static uint8_t success_in(const TrParsed *parsed) {
  const TrSpan *span = &parsed->record.field[TR_SUCCESS];
  if (span->kind == TR_ABSENT || span->kind == TR_NULL) return TR_INDEXED_NULL;
  if (span->kind == TR_TRUE) return TR_INDEXED_TRUE;
  return span->kind == TR_FALSE ? TR_INDEXED_FALSE : TR_INDEXED_OTHER;
}

static void answer_line(Answer *to, const TrParsed *parsed) {
  if (parsed->reason != TR_OK) {
    to->rejects += parsed->reason != TR_BLANK;
    return;
  }
  TrIndexed record = {.offset = parsed->line.offset, .success = success_in(parsed)};
  record.has_time = tr_span_time_us(&parsed->line, &parsed->record.field[TR_TIMESTAMP], &record.time_us);
  if (!record.has_time) record.time_us = 0;
  answer(to, &record);
}

static size_t max_line = 100000;

static void read_lines(int fd, int64_t from, int64_t size, Answer *to, TrIndex *index) {
  TrLines lines = {0};
  TrPoll poll = {0};
  TrParser parser;
  TrParsed parsed;
  int code = tr_lines_open(&lines, fd, from, size, max_line, false, &poll);
  tr_parser_init(&parser);
  while (code == SQLITE_OK && tr_parse_next(&parser, &lines, &parsed) == SQLITE_ROW) {
    answer_line(to, &parsed);
    if (index && parsed.reason != TR_BLANK) code = tr_index_add(index, &parsed, 1);
  }
  CHECK(code == SQLITE_OK);
  tr_lines_close(&lines);
}

/* The counts of the blocks are those of their records. */
static void check_block(const TrIndex *index, size_t number, Answer *to) {
  const TrIndexBlock *block = &index->block[number];
  TrIndexWalk walk;
  TrIndexed record;
  uint32_t records = 0, failures = 0, others = 0, untimed = 0;
  int64_t least_us = INT64_MAX, greatest_us = INT64_MIN;
  CHECK(block->from == (number ? index->block[number - 1].to : 0));
  tr_index_walk_begin(&walk, index, number);
  while (tr_index_walk_next(&walk, &record)) {
    CHECK(record.offset >= block->from && record.offset < block->to);
    records++;
    failures += record.success == TR_INDEXED_FALSE || record.success == TR_INDEXED_NULL;
    others += record.success == TR_INDEXED_OTHER;
    untimed += !record.has_time;
    if (record.has_time && record.time_us < least_us) least_us = record.time_us;
    if (record.has_time && record.time_us > greatest_us) greatest_us = record.time_us;
    if (to) answer(to, &record);
  }
  CHECK(block->records == records && block->failures == failures && block->others == others);
  CHECK(block->untimed == untimed && block->least_us == least_us && block->greatest_us == greatest_us);
  if (to) to->rejects += block->rejects;
}

static bool is_same(const Answer *a, const Answer *b) {
  if (a->count != b->count || a->rejects != b->rejects) return false;
  for (size_t i = 0; i < a->count; i++) {
    const TrIndexed *x = &a->record[i], *y = &b->record[i];
    if (x->offset != y->offset || x->has_time != y->has_time || x->time_us != y->time_us) return false;
    if (x->success != y->success) return false;
  }
  return true;
}

static TrFile open_job(void) {
  TrFile file = {.fd = openat(results.fd, JOB_FILE, O_RDONLY | O_CLOEXEC)};
  CHECK(file.fd >= 0 && fstat(file.fd, &file.stat) == 0);
  return file;
}

static TrIndexPlace open_place(void) {
  TrIndexPlace place;
  char *message = NULL;
  CHECK(tr_index_place_open(&place, cache_path, &results, max_line, NULL, &message) == SQLITE_OK);
  sqlite3_free(message);
  return place;
}

static char why[256]; /* of the last question's place */

/* Returns how many bytes were known. */
static int64_t ask(void) {
  TrIndexPlace place = open_place();
  TrIndex index = {0};
  TrPoll poll = {0};
  Answer with = {0}, without = {0};
  TrFile file = open_job();
  CHECK(tr_index_load(&place, JOB_FILE, &file, &poll, &index) == SQLITE_OK);
  int64_t known = index.end;
  for (size_t i = 0; i < index.count; i++) check_block(&index, i, &with);
  read_lines(file.fd, known, file.stat.st_size, &with, &index);
  tr_index_save(&place, JOB_FILE, &index);
  for (size_t i = 0; i < index.count; i++) check_block(&index, i, NULL);
  read_lines(file.fd, 0, file.stat.st_size, &without, NULL);
  CHECK(is_same(&with, &without));
  if (place.path) snprintf(index_path, sizeof index_path, "%s/" JOB_FILE, place.path);
  memcpy(why, place.why, sizeof why);
  tr_index_free(&index);
  tr_index_place_close(&place);
  close(file.fd);
  sqlite3_free(with.record);
  sqlite3_free(without.record);
  return known;
}

static void remove_all(const char *path) {
  char command[640];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  CHECK(system(command) == 0);
}

static void begin(void) {
  snprintf(base, sizeof base, "/tmp/index.XXXXXX");
  CHECK(mkdtemp(base) != NULL);
  snprintf(results_path, sizeof results_path, "%s/results", base);
  snprintf(cache_path, sizeof cache_path, "%s/cache", base);
  CHECK(mkdir(results_path, 0755) == 0);
  results.fd = open(results_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  short_write = killed_at = 0;
}

static void end(void) {
  close(results.fd);
  remove_all(base);
}

/* --- what is known ------------------------------------------------------------------------------------------------ */

static void a_second_question_reads_nothing(void) {
  begin();
  put_records(3 * 1024 * 1024);
  CHECK(ask() == 0);
  CHECK(ask() == size_of(results.fd, JOB_FILE));
  CHECK(ask() == size_of(results.fd, JOB_FILE));
  int64_t bytes = size_of(AT_FDCWD, index_path);
  CHECK(bytes > 0 && bytes < 200 * 1024);
  end();
}

static void a_little_more_is_read_but_not_saved(void) {
  begin();
  put_records(200 * 1024);
  ask();
  int64_t known = ask(), bytes = size_of(AT_FDCWD, index_path);
  put_records(1000);
  CHECK(ask() == known && ask() == known);
  CHECK(size_of(AT_FDCWD, index_path) == bytes);
  put_records(20 * 1024);
  CHECK(ask() == known);
  CHECK(ask() == size_of(results.fd, JOB_FILE));
  end();
}

static void outdated_frames_are_dropped(void) {
  begin();
  put_records(40 * 1024);
  int64_t most = 0;
  for (int i = 0; i < 60; i++) {
    put_records(20 * 1024);
    ask();
    if (size_of(AT_FDCWD, index_path) > most) most = size_of(AT_FDCWD, index_path);
  }
  CHECK(ask() == size_of(results.fd, JOB_FILE));
  CHECK(most < 3 * size_of(results.fd, JOB_FILE) / 50); /* three times what one frame takes, at the most */
  end();
}

static void small_files_have_no_index(void) {
  begin();
  put_records(30 * 1024);
  CHECK(ask() == 0 && ask() == 0);
  CHECK(size_of(AT_FDCWD, cache_path) == -1);
  end();
}

static void lines_of_all_kinds_are_known(void) {
  begin();
  char *longest = malloc(300000);
  memset(longest, 'x', 299999);
  longest[299999] = '\0';
  put_records(50 * 1024);
  put("\n\n  \n", 5);
  put_line(longest);
  put("{\"success\": true}\r\n", 19);
  put("\0\0\0\n", 4);
  put_line("\xff\xfe");
  put_records(20 * 1024);
  put("{\"success\": tr", 14); /* not whole */
  CHECK(ask() == 0);
  CHECK(ask() == size_of(results.fd, JOB_FILE) - 14);
  put("ue}\n", 4);
  CHECK(ask() == size_of(results.fd, JOB_FILE) - 18);
  free(longest);
  end();
}

static bool canonical_after(const char *line) {
  begin();
  put_line(line);
  for (int i = 0; i < 2000; i++) put_line("{\"timestamp\": \"2026-02-14T09:30:00Z\", \"success\": true}");
  ask();
  TrIndexPlace place = open_place();
  TrIndex index;
  TrPoll poll = {0};
  TrFile file = open_job();
  CHECK(tr_index_load(&place, JOB_FILE, &file, &poll, &index) == SQLITE_OK);
  bool is_canonical = index.count == 1 && index.block[0].is_canonical;
  CHECK(index.count == 1);
  tr_index_free(&index);
  tr_index_place_close(&place);
  close(file.fd);
  end();
  return is_canonical;
}

static void texts_that_sort_like_their_times_are_canonical(void) {
  CHECK(canonical_after("{\"timestamp\": \"2026-02-14T09:30:00Z\"}"));
  CHECK(canonical_after("{\"timestamp\": \"2026-02-14T09:30:00.123456Z\"}"));
  CHECK(!canonical_after("{\"timestamp\": \"2026-02-14 09:30:00Z\"}"));
  CHECK(!canonical_after("{\"timestamp\": \"2026-02-14T09:30:00+01:00\"}"));
  CHECK(!canonical_after("{\"timestamp\": \"2026-02-14T09:30:00\"}"));
  CHECK(!canonical_after("{\"timestamp\": \"2026-02-14T09:30Z\"}"));
  CHECK(!canonical_after("{\"timestamp\": \"2026-02-14T09:30:60Z\"}"));
  CHECK(!canonical_after("{\"timestamp\": \"2026-02-14T09:30:00,5Z\"}"));
  CHECK(!canonical_after("{\"timestamp\": \"2026-02-14t09:30:00z\"}"));
  CHECK(!canonical_after("{\"timestamp\": \"2026-02-14T09:30:0\\u0030Z\"}"));
  CHECK(!canonical_after("{\"timestamp\": 1771061400}"));
  CHECK(!canonical_after("{\"success\": true}"));
}

/* What each line is, by version 1. If this fails since lines are read otherwise, and rightly so: raise
** TR_VERDICT_VERSION in index.h, and then write here what they are now. Else old indexes go on telling old verdicts. */
static const struct {
  const char *line, *verdict; /* success: T F N O, and the time; or nothing, for a reject */
} verdicts[] = {{"{\"success\": true, \"timestamp\": \"2026-02-14T09:30:00Z\"}", "T 1771061400000000"},
                {"{\"success\": false, \"timestamp\": \"2026-02-14T09:30:00.25+01:00\"}", "F 1771057800250000"},
                {"{\"success\": null, \"timestamp\": \"2026-02-14 09:30\"}", "N 1771061400000000"},
                {"{\"success\": 1, \"timestamp\": \"2026-02-14\"}", "O -"},
                {"{\"success\": \"true\", \"timestamp\": 1771061400}", "O -"},
                {"{\"success\": NaN, \"timestamp\": \"2026-02-30T00:00:00Z\"}", "O -"},
                {"{\"success\": true, \"success\": false}", "F -"},
                {"{\"succe\\u0073s\": true}", "T -"},
                {"{\"timestamp\": \"2026-02-14T09:30:60Z\"}", "N 1771061460000000"},
                {"{\"timestamp\": \"2026-02-14T09:30:00,5z\"}", "N 1771061400500000"},
                {"{}", "N -"},
                {" {} ", "N -"},
                {"[]", ""},
                {"{\"a\": 1,}", ""},
                {"{\"a\": 01}", ""},
                {"{\"a\": \"\x01\"}", ""},
                {"{\"a\": \"\xff\"}", ""},
                {"\xef\xbb\xbf{}", ""},
                {"{} {}", ""},
                {"{\"a\": \"\\ud800\"}", "N -"}};

static void verdicts_are_those_of_their_version(void) {
  TrParser parser;
  CHECK(TR_VERDICT_VERSION == 1);
  tr_parser_init(&parser);
  for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
    unsigned char text[256] = {0};
    char verdict[64] = "";
    TrParsed parsed = {.line = {.text = text, .length = strlen(verdicts[i].line), .terminated = true}};
    int64_t time_us;
    memcpy(text, verdicts[i].line, parsed.line.length);
    text[parsed.line.length] = '\n';
    if (tr_parse(&parser, &parsed.line, &parsed.record) == TR_OK) {
      bool has_time = tr_span_time_us(&parsed.line, &parsed.record.field[TR_TIMESTAMP], &time_us);
      snprintf(verdict, sizeof verdict, "%c -", "FTNO"[success_in(&parsed)]);
      if (has_time) snprintf(verdict + 2, sizeof verdict - 2, "%lld", (long long)time_us);
    }
    if (strcmp(verdict, verdicts[i].verdict) != 0) printf("# %s: %s\n", verdicts[i].line, verdict);
    CHECK(strcmp(verdict, verdicts[i].verdict) == 0);
  }
}

/* --- what is believed --------------------------------------------------------------------------------------------- */

static void a_replaced_file_starts_anew(void) {
  begin();
  put_records(100 * 1024);
  ask();
  CHECK(ask() > 0);
  CHECK(renameat(results.fd, JOB_FILE, results.fd, "old") == 0);
  put_records(120 * 1024);
  CHECK(ask() == 0);
  CHECK(ask() == size_of(results.fd, JOB_FILE));
  end();
}

static void a_truncated_file_starts_anew(void) {
  begin();
  put_records(100 * 1024);
  ask();
  int fd = openat(results.fd, JOB_FILE, O_WRONLY | O_CLOEXEC);
  CHECK(syscall(SYS_ftruncate, fd, (off_t)60 * 1024) == 0);
  close(fd);
  CHECK(ask() == 0);
  put_records(100 * 1024); /* longer than before, and with another end where the old one was */
  ask();
  CHECK(ask() > 0);
  end();
}

static void an_edit_of_the_same_length_is_noticed_by_the_times(void) {
  begin();
  put_line("{\"success\": true, \"output\": \"first\"}");
  put_records(60 * 1024);
  put_line("{\"success\": true, \"output\": \"here\"}");
  int64_t at = size_of(results.fd, JOB_FILE) - 37 + 12;
  put_records(60 * 1024);
  set_times(100);
  ask();
  CHECK(ask() > 0);
  patch(at, "null");
  set_times(100);
  CHECK(ask() == 0);
  end();
}

static void an_edit_of_the_last_page_is_noticed_though_the_file_grows(void) {
  begin();
  put_records(100 * 1024);
  put_line("{\"success\": true, \"output\": \"here\"}");
  int64_t at = size_of(results.fd, JOB_FILE) - 36 + 12;
  ask();
  CHECK(ask() > 0);
  patch(at, "null");
  put_records(2000);
  CHECK(ask() == 0);
  end();
}

/* A file with the same bytes, but for one, takes its name. */
static void replace_by_copy(int64_t changed_at) {
  char *bytes = malloc(MOST_BYTES);
  int fd = openat(results.fd, JOB_FILE, O_RDONLY | O_CLOEXEC);
  ssize_t length = read(fd, bytes, MOST_BYTES);
  CHECK(length > changed_at);
  close(fd);
  bytes[changed_at] ^= 1;
  fd = openat(results.fd, "copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  CHECK(write(fd, bytes, (size_t)length) == length && renameat(results.fd, "copy", results.fd, JOB_FILE) == 0);
  close(fd);
  free(bytes);
}

/* Each time: a block that is read at random, of several, would notice it only sometimes. */
static void changes_of_a_long_file_are_noticed_each_time(void) {
  begin();
  put_records(3 * 1024 * 1024);
  for (int i = 0; i < 24; i++) {
    set_times(100);
    ask();
    int64_t known = ask();
    CHECK(known > 0);
    if (i % 4 == 0) patch(1000 + i, "\x02");
    if (i % 4 == 1) patch(known - 1000 - i, "\x02");
    if (i % 4 == 2) patch(known - 10000 - i, "\x02");
    if (i % 4 == 3) replace_by_copy(2000000 + i);
    if (i % 4 < 2) put_records(100); /* else its times are others */
    CHECK(ask() == 0);
  }
  end();
}

static void places_that_a_prune_fills_in_are_not_known(void) {
  begin();
  char journal[TR_LEFTOVER_NAME_SIZE];
  put_records(100 * 1024);
  int64_t before = size_of(results.fd, JOB_FILE);
  put("\0\0\0\0\n", 5);
  put_records(100 * 1024);
  tr_leftover_name("job", 3, ".journal", journal);
  close(openat(results.fd, journal, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  CHECK(ask() == 0);
  CHECK(ask() == before);
  CHECK(ask() == before);
  CHECK(unlinkat(results.fd, journal, 0) == 0);
  CHECK(ask() == before);
  CHECK(ask() == size_of(results.fd, JOB_FILE));
  end();
}

/* --- hostile and damaged files of the index ----------------------------------------------------------------------- */

static char *saved_index(size_t *length) {
  *length = (size_t)size_of(AT_FDCWD, index_path);
  char *bytes = malloc(*length);
  int fd = open(index_path, O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && read(fd, bytes, *length) == (ssize_t)*length);
  close(fd);
  return bytes;
}

static void put_index(const char *bytes, size_t length) {
  unlink(index_path); /* not O_TRUNC, after which ext4 writes to the disk at once */
  int fd = open(index_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
  close(fd);
}

static void begin_with_index(void) {
  begin();
  put_records(40 * 1024);
  ask();
  put_records(18 * 1024);
  set_times(100);
  ask();
}

static void an_index_that_was_cut_is_read_up_to_its_last_whole_frame(void) {
  begin_with_index();
  size_t length;
  char *bytes = saved_index(&length);
  int64_t whole = ask();
  CHECK(whole == size_of(results.fd, JOB_FILE));
  for (size_t cut = 0; cut < length; cut++) {
    put_index(bytes, cut);
    int64_t known = ask();
    CHECK(known < whole);
    if (random_below(8) == 0) CHECK(ask() == whole); /* and it was mended */
  }
  free(bytes);
  end();
}

static void flipped_bits_are_seen(void) {
  begin_with_index();
  size_t length;
  char *bytes = saved_index(&length);
  for (size_t i = 0; i < length; i++) {
    bytes[i] ^= (char)(1 << random_below(8));
    put_index(bytes, length);
    CHECK(ask() < size_of(results.fd, JOB_FILE));
    put_index(bytes, length);
    bytes[i] = (char)0xff; /* huge lengths and numbers */
    put_index(bytes, length);
    ask();
    free(bytes);
    put_index("", 0);
    ask();
    bytes = saved_index(&length);
  }
  free(bytes);
  end();
}

static void whats_no_file_of_ours_is_left_alone(void) {
  begin_with_index();
  char elsewhere[128];
  snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", base);
  CHECK(rename(index_path, elsewhere) == 0 && symlink(elsewhere, index_path) == 0);
  CHECK(ask() == 0 && ask() == 0);
  CHECK(unlink(index_path) == 0 && link(elsewhere, index_path) == 0);
  CHECK(ask() == 0 && ask() == 0);
  CHECK(unlink(elsewhere) == 0);
  CHECK(ask() > 0);
  CHECK(chmod(index_path, 0620) == 0);
  CHECK(ask() == 0 && ask() == 0);
  CHECK(unlink(index_path) == 0 && mkfifo(index_path, 0600) == 0);
  CHECK(ask() == 0 && ask() == 0);
  CHECK(unlink(index_path) == 0 && mkdir(index_path, 0700) == 0);
  CHECK(ask() == 0 && ask() == 0);
  CHECK(rmdir(index_path) == 0);
  ask();
  CHECK(ask() > 0);
  if (geteuid() == 0) {
    CHECK(chown(index_path, 12345, (gid_t)-1) == 0);
    CHECK(ask() == 0 && ask() == 0);
  }
  end();
}

static void folders_of_others_are_not_used(void) {
  begin();
  char folder[160], link_path[160];
  put_records(60 * 1024);
  snprintf(folder, sizeof folder, "%s/open", base);
  CHECK(mkdir(folder, 0700) == 0 && chmod(folder, 0777) == 0);
  snprintf(cache_path, sizeof cache_path, "%s/cache", folder);
  CHECK(ask() == 0 && ask() == 0 && strstr(why, "other users may write to it"));
  CHECK(chmod(folder, 0700) == 0);
  ask();
  CHECK(ask() > 0);
  snprintf(link_path, sizeof link_path, "%s/link", base); /* our own link: it is followed */
  CHECK(symlink("open", link_path) == 0);
  snprintf(cache_path, sizeof cache_path, "%s/cache", link_path);
  CHECK(ask() > 0);
  if (geteuid() == 0) {
    CHECK(lchown(link_path, 12345, (gid_t)-1) == 0);
    CHECK(ask() == 0 && strstr(why, "it is a link of another user"));
    snprintf(cache_path, sizeof cache_path, "%s/cache", folder);
    CHECK(ask() > 0);
    CHECK(chown(folder, 12345, (gid_t)-1) == 0);
    CHECK(ask() == 0 && strstr(why, "it belongs to another user"));
  }
  end();
}

static void what_the_setting_may_be(void) {
  TrIndexPlace place;
  char *message = NULL;
  begin();
  CHECK(tr_index_place_open(&place, NULL, &results, 1000, NULL, NULL) == SQLITE_OK && !tr_index_is_on(&place));
  CHECK(tr_index_place_open(&place, "off", &results, 1000, NULL, NULL) == SQLITE_OK && !tr_index_is_on(&place));
  CHECK(tr_index_place_open(&place, "cache", &results, 1000, NULL, &message) == SQLITE_ERROR);
  CHECK(message && strstr(message, "'cache' is neither off, nor auto, nor an absolute path"));
  sqlite3_free(message);
  setenv("XDG_CACHE_HOME", "relative", 1);
  CHECK(tr_index_place_open(&place, "auto", &results, 1000, NULL, NULL) == SQLITE_OK && !tr_index_is_on(&place));
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", base, 1);
  CHECK(tr_index_place_open(&place, "auto", &results, 1000, NULL, NULL) == SQLITE_OK && tr_index_is_on(&place));
  CHECK(strncmp(place.path, base, strlen(base)) == 0 && strstr(place.path, "/.cache/taskresults/"));
  CHECK(strstr(place.path, "/1.1.1000.native") && place.fd < 0);
  tr_index_place_close(&place);
  unsetenv("HOME");
  CHECK(tr_index_place_open(&place, "auto", &results, 1000, NULL, NULL) == SQLITE_OK && !tr_index_is_on(&place));
  end();
}

/* --- several at once, and what fails ------------------------------------------------------------------------------ */

typedef struct Asker {
  TrIndexPlace place;
  TrIndex index;
  TrFile file;
} Asker;

static void load_asker(Asker *asker) {
  TrPoll poll = {0};
  Answer answers = {0};
  asker->place = open_place();
  asker->file = open_job();
  CHECK(tr_index_load(&asker->place, JOB_FILE, &asker->file, &poll, &asker->index) == SQLITE_OK);
  read_lines(asker->file.fd, asker->index.end, asker->file.stat.st_size, &answers, &asker->index);
  sqlite3_free(answers.record);
}

static void save_asker(Asker *asker) {
  tr_index_save(&asker->place, JOB_FILE, &asker->index);
  tr_index_free(&asker->index);
  tr_index_place_close(&asker->place);
  close(asker->file.fd);
}

static void of_two_at_once_the_first_saves(void) {
  Asker one, other;
  begin();
  put_records(50 * 1024);
  load_asker(&one);
  put_records(20 * 1024);
  load_asker(&other);
  save_asker(&one);
  int64_t bytes = size_of(AT_FDCWD, index_path), known;
  save_asker(&other);
  known = ask();
  CHECK(known > 0 && known < size_of(results.fd, JOB_FILE));
  CHECK(bytes <= size_of(AT_FDCWD, index_path));
  put_records(20 * 1024);
  load_asker(&one);
  put_records(20 * 1024);
  load_asker(&other);
  save_asker(&other);
  bytes = size_of(AT_FDCWD, index_path);
  save_asker(&one);
  CHECK(size_of(AT_FDCWD, index_path) == bytes);
  CHECK(ask() == size_of(results.fd, JOB_FILE));
  end();
}

static void nobody_waits_for_a_lock(void) {
  begin_with_index();
  put_records(30 * 1024);
  int64_t bytes = size_of(AT_FDCWD, index_path);
  int fd = open(index_path, O_RDWR | O_CLOEXEC);
  CHECK(flock(fd, LOCK_EX) == 0);
  ask();
  CHECK(size_of(AT_FDCWD, index_path) == bytes);
  close(fd);
  ask();
  CHECK(size_of(AT_FDCWD, index_path) > bytes);
  end();
}

static void a_full_disk_costs_only_the_index(void) {
  begin();
  put_records(60 * 1024);
  short_write = 100;
  CHECK(ask() == 0 && ask() == 0);
  CHECK(size_of(AT_FDCWD, index_path) == 0);
  short_write = 0;
  ask();
  int64_t known = ask();
  CHECK(known > 0);
  put_records(40 * 1024);
  short_write = 100;
  CHECK(ask() == known && ask() <= known); /* if it was to be written anew, it is gone */
  short_write = 0;
  ask();
  known = ask();
  put_records(40 * 1024);
  struct rlimit limit, before;
  CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
  limit = before;
  limit.rlim_cur = 64;
  CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK(ask() == known && ask() == known); /* no SIGXFSZ */
  CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
  CHECK(ask() == known && ask() > known);
  end();
}

static void ask_and_be_killed_at(int call) {
  pid_t child = fork();
  if (child == 0) {
    calls = 0;
    killed_at = call;
    ask();
    _exit(1);
  }
  int status;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
}

static void a_kill_at_any_call_costs_only_the_index(void) {
  begin();
  put_records(60 * 1024);
  for (int call = 1; call <= 8; call++) {
    remove_all(cache_path);
    ask_and_be_killed_at(call);
    ask();
    CHECK(ask() == size_of(results.fd, JOB_FILE));
  }
  for (int call = 1; call <= 4; call++) {
    put_records(20 * 1024);
    size_t length;
    char *bytes = saved_index(&length);
    put_index(bytes, length);
    put_index(bytes, length);
    int fd = open(index_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(write(fd, bytes, 50) == 50); /* a torn frame, which is cut off first */
    close(fd);
    free(bytes);
    ask_and_be_killed_at(call);
    ask();
    CHECK(ask() == size_of(results.fd, JOB_FILE));
  }
  end();
}

/* Whatever allocation fails: no memory, or an index that is not saved, and then not known; nothing is leaked. */
static void ask_without_memory(long failing, bool all_after) {
  TrIndexPlace place = {.fd = -1};
  TrIndex index = {0};
  TrPoll poll = {0};
  TrLines lines = {0};
  TrParser parser;
  TrParsed parsed;
  long long before = outstanding;
  TrFile file = open_job();
  arm(failing, all_after);
  int code = tr_index_place_open(&place, cache_path, &results, max_line, NULL, NULL);
  if (code == SQLITE_OK) code = tr_index_load(&place, JOB_FILE, &file, &poll, &index);
  if (code == SQLITE_OK) {
    code = tr_lines_open(&lines, file.fd, index.end, (int64_t)file.stat.st_size, max_line, false, &poll);
  }
  tr_parser_init(&parser);
  while (code == SQLITE_OK && (code = tr_parse_next(&parser, &lines, &parsed)) == SQLITE_ROW) {
    code = tr_index_add(&index, &parsed, 1);
  }
  CHECK(code == SQLITE_DONE || code == SQLITE_NOMEM);
  tr_index_save(&place, JOB_FILE, &index);
  armed = false;
  tr_lines_close(&lines);
  tr_index_free(&index);
  tr_index_place_close(&place);
  close(file.fd);
  CHECK(outstanding == before);
}

static void no_memory_costs_only_the_index(void) {
  begin();
  put_records(1200 * 1024);
  for (int all_after = 0; all_after < 2; all_after++) {
    has_failed = true;
    for (long n = first_allocation(); has_failed; n += allocation_stride()) {
      remove_all(cache_path);
      ask_without_memory(n, all_after);
      bool has_ended = !has_failed;
      ask();
      put_records(17 * 1024);
      ask_without_memory(n, all_after);
      has_failed = has_failed || !has_ended;
      ask();
    }
    CHECK(ask() == size_of(results.fd, JOB_FILE));
    CHECK(unlinkat(results.fd, JOB_FILE, 0) == 0);
    put_records(1200 * 1024);
  }
  end();
}

/* --- anything may happen ------------------------------------------------------------------------------------------ */

static void happen(void) {
  int64_t size = size_of(results.fd, JOB_FILE);
  size_t length;
  int fd;
  switch (random_below(12)) {
  case 0:
  case 1: put_records(random_below(2000) + 1); break;
  case 2:
  case 3: put_records(random_below(40000) + 1); break;
  case 4: put("{\"success\": ", random_below(12) + 1); break; /* a torn tail */
  case 5: put("\n", 1); break;
  case 6: /* truncated */
    fd = openat(results.fd, JOB_FILE, O_WRONLY | O_CLOEXEC);
    CHECK(syscall(SYS_ftruncate, fd, (off_t)((size_t)size - random_below((size_t)size / 8 + 1))) == 0);
    close(fd);
    break;
  case 7: /* replaced by fewer lines, as a prune does */
    CHECK(renameat(results.fd, JOB_FILE, results.fd, "old") == 0);
    put_records(random_below(80000) + 1);
    break;
  case 8: /* another one's index */
    if (size_of(AT_FDCWD, index_path) <= 0) break;
    char *bytes = saved_index(&length);
    bytes[random_below(length)] ^= 4;
    put_index(bytes, length - random_below(length / 2));
    free(bytes);
    break;
  case 9: unlink(index_path); break;
  case 10: set_times((time_t)random_below(10)); break; /* the clock steps */
  default:                                             /* an edit that keeps the length, of the last page */
    if (size > 2000) patch(size - 1 - (int64_t)random_below(1000), "n");
  }
}

static void answers_are_the_same_whatever_happens(void) {
  int rounds = getenv("TASKRESULTS_LONG") ? 5000 : 300;
  for (int start = 0; start < 4; start++) {
    begin();
    put_records(random_below(2) ? 1300 * 1024 : 50 * 1024);
    for (int i = 0; i < rounds / 4; i++) {
      happen();
      if (size_of(results.fd, JOB_FILE) > MOST_BYTES) {
        CHECK(unlinkat(results.fd, JOB_FILE, 0) == 0);
        put_records(1000);
      }
      ask();
    }
    end();
  }
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  install_allocator();
  if (!tr_fast_hash_is_there()) {
    puts("ok # skip a build without an index");
    return 0;
  }
  RUN(a_second_question_reads_nothing);
  RUN(a_little_more_is_read_but_not_saved);
  RUN(outdated_frames_are_dropped);
  RUN(small_files_have_no_index);
  RUN(lines_of_all_kinds_are_known);
  RUN(texts_that_sort_like_their_times_are_canonical);
  RUN(verdicts_are_those_of_their_version);
  RUN(a_replaced_file_starts_anew);
  RUN(a_truncated_file_starts_anew);
  RUN(an_edit_of_the_same_length_is_noticed_by_the_times);
  RUN(an_edit_of_the_last_page_is_noticed_though_the_file_grows);
  RUN(changes_of_a_long_file_are_noticed_each_time);
  RUN(places_that_a_prune_fills_in_are_not_known);
  RUN(an_index_that_was_cut_is_read_up_to_its_last_whole_frame);
  RUN(flipped_bits_are_seen);
  RUN(whats_no_file_of_ours_is_left_alone);
  RUN(folders_of_others_are_not_used);
  RUN(what_the_setting_may_be);
  RUN(of_two_at_once_the_first_saves);
  RUN(nobody_waits_for_a_lock);
  RUN(a_full_disk_costs_only_the_index);
  RUN(a_kill_at_any_call_costs_only_the_index);
  RUN(no_memory_costs_only_the_index);
  RUN(answers_are_the_same_whatever_happens);
  return check_result();
}
