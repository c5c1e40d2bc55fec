/*
** index.c - fuzz target: any bytes as a job's file that grows, with an index that is asked, damaged and asked again:
** what it knows is what the file says. Or any bytes as the payload of a frame whose hash is right: its blocks follow
** each other, and their records can be read.
**
** Aimed at ext/index/.
*/
#include "tr.h"

#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

#define INDEXED_NAME "j.jsonl"

static char fuzz_base[200], cache_path[256];
static TrDir fuzz_results = {.fd = -1, .store = &tr_results_store, .path = fuzz_base};
static TrIndexPlace fuzz_place;
static int first_job_fd = -1;

static void remove_place(void) {
  char command[256];
  snprintf(command, sizeof command, "rm -rf '%s'", fuzz_base);
  if (system(command) != 0) fprintf(stderr, "%s is still there\n", fuzz_base);
}

static void make_place(void) {
  const char *base = getenv("TMPDIR");
  snprintf(fuzz_base, sizeof fuzz_base, "%s/index.XXXXXX", base ? base : "/tmp");
  MUST(mkdtemp(fuzz_base) != NULL);
  atexit(remove_place);
  snprintf(cache_path, sizeof cache_path, "%s/cache", fuzz_base);
  fuzz_results.fd = open(fuzz_base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  MUST(fuzz_results.fd >= 0);
  MUST(tr_index_place_open(&fuzz_place, cache_path, &fuzz_results, 10000, NULL, NULL) == SQLITE_OK);
  MUST(tr_index_place_enter(&fuzz_place, true));
  first_job_fd = openat(fuzz_results.fd, INDEXED_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  MUST(first_job_fd >= 0);
}

/* --- what is known ------------------------------------------------------------------------------------------------ */

typedef struct Sum { /* of the records, in order */
  uint64_t of_records;
  int64_t records, rejects;
} Sum;

static void add_to_sum(Sum *sum, const TrIndexed *record) {
  uint64_t parts[4] = {sum->of_records, (uint64_t)record->offset, (uint64_t)record->time_us,
                       (uint64_t)record->success << 1 | record->has_time};
  sum->of_records = tr_hash_bytes(parts, sizeof parts);
  sum->records++;
}

static void sum_lines(int fd, int64_t from, int64_t size, Sum *sum, TrIndex *index) {
  TrLines lines = {0};
  TrPoll poll = {0};
  TrParser parser;
  TrParsed parsed;
  MUST(tr_lines_open(&lines, fd, from, size, 10000, false, &poll) == SQLITE_OK);
  tr_parser_init(&parser);
  while (tr_parse_next(&parser, &lines, &parsed) == SQLITE_ROW) {
    if (index) MUST(tr_index_add(index, &parsed, 1) == SQLITE_OK);
    if (parsed.reason != TR_OK) {
      sum->rejects += parsed.reason != TR_BLANK;
      continue;
    }
    const TrSpan *success = &parsed.record.field[TR_SUCCESS];
    TrIndexed record = {.offset = parsed.line.offset, .success = TR_INDEXED_OTHER};
    if (success->kind == TR_TRUE) record.success = TR_INDEXED_TRUE;
    if (success->kind == TR_FALSE) record.success = TR_INDEXED_FALSE;
    if (success->kind == TR_NULL || success->kind == TR_ABSENT) record.success = TR_INDEXED_NULL;
    record.has_time = tr_span_time_us(&parsed.line, &parsed.record.field[TR_TIMESTAMP], &record.time_us);
    if (!record.has_time) record.time_us = 0;
    add_to_sum(sum, &record);
  }
  tr_lines_close(&lines);
}

static void sum_blocks(const TrIndex *index, Sum *sum) {
  TrIndexWalk walk;
  TrIndexed record;
  for (size_t i = 0; i < index->count; i++) {
    MUST(index->block[i].from == (i ? index->block[i - 1].to : 0) && index->block[i].to > index->block[i].from);
    tr_index_walk_begin(&walk, index, i);
    while (tr_index_walk_next(&walk, &record)) add_to_sum(sum, &record);
    sum->rejects += index->block[i].rejects;
  }
}

static int64_t ask_index(void) {
  TrIndex index;
  TrPoll poll = {0};
  Sum with = {0}, without = {0};
  TrFile file = {.fd = first_job_fd};
  MUST(fstat(file.fd, &file.stat) == 0);
  MUST(tr_index_load(&fuzz_place, INDEXED_NAME, &file, &poll, &index) == SQLITE_OK);
  int64_t known = index.end;
  sum_blocks(&index, &with);
  sum_lines(file.fd, known, file.stat.st_size, &with, &index);
  tr_index_save(&fuzz_place, INDEXED_NAME, &index);
  tr_index_free(&index);
  sum_lines(file.fd, 0, file.stat.st_size, &without, NULL);
  MUST(with.of_records == without.of_records && with.records == without.records && with.rejects == without.rejects);
  return known;
}

static void damage_index(uint8_t at, uint8_t how) {
  struct stat found;
  uint8_t byte;
  int fd = openat(fuzz_place.fd, INDEXED_NAME, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  MUST(fstat(fd, &found) == 0);
  off_t offset = found.st_size * at / 256;
  if (how % 4 == 0) {
    MUST(ftruncate(fd, offset) == 0);
  } else if (pread(fd, &byte, 1, offset) == 1) {
    byte = (uint8_t)(byte ^ (how ? how : 1));
    MUST(pwrite(fd, &byte, 1, offset) == 1);
  }
  close(fd);
}

static void check_growing(const uint8_t *data, size_t size) {
  uint8_t choices[16] = {0};
  size_t count = size < sizeof choices ? size : sizeof choices;
  memcpy(choices, data, count);
  data += count, size -= count;
  MUST(ftruncate(first_job_fd, 0) == 0);
  unlinkat(fuzz_place.fd, INDEXED_NAME, 0);
  for (size_t i = 0, put = 0; i < sizeof choices / 2; i++) {
    size_t to = i + 1 == sizeof choices / 2 ? size : size * choices[i] / 256;
    if (to > put) MUST(pwrite(first_job_fd, data + put, to - put, (off_t)put) == (ssize_t)(to - put));
    if (to > put) put = to;
    ask_index();
    if (choices[8 + i] % 2) damage_index(choices[i], choices[8 + i]);
  }
}

/* --- a frame ------------------------------------------------------------------------------------------------------ */

static void check_frame(const uint8_t *data, size_t size) {
  TrIndex index = {0};
  TrIndexHead head;
  Sum sum = {0};
  bool has_head;
  size_t length = 16 + 8 + size + 16;
  uint8_t *bytes = sqlite3_malloc64(length), hashed[24] = {16};
  TrFastHash *hash = tr_fast_hash_new();
  MUST(bytes && hash);
  memset(bytes, 0, length);
  memcpy(bytes, "trindex\1", 8);
  memcpy(bytes + 16, "trfr", 4);
  for (int i = 0; i < 4; i++) bytes[20 + i] = (uint8_t)(size >> 8 * i);
  memcpy(bytes + 24, data, size);
  tr_fast_hash_begin(hash, 0);
  tr_fast_hash_add(hash, hashed, sizeof hashed);
  tr_fast_hash_add(hash, bytes + 16, 8 + size);
  tr_fast_hash_end(hash, bytes + 24 + size);
  tr_fast_hash_free(hash);
  index.saved.bytes = bytes;
  index.saved.size = (int64_t)length;
  MUST(tr_index_decode(&index, &head, &has_head) == SQLITE_OK);
  if (size >= 96) MUST(index.saved.whole == (int64_t)length);
  if (has_head) sum_blocks(&index, &sum);
  tr_index_free(&index);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (fuzz_place.fd <= 0) make_place();
  if (fuzz_byte(&data, &size) % 2)
    check_growing(data, size);
  else
    check_frame(data, size);
  return 0;
}
