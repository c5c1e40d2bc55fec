/*
** seek_table.c - the tables at the end of an archived segment: their bytes, and when they are believed.
*/
#include "tr.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define RECORDS_BYTES 30 /* of the two frames; the reader does not look at them */

static const TrFrameEntry two_frames[] = {
    {.compressed = 10, .decompressed = 256, .first_us = 1, .last_us = 0x0102030405060708, .flags = 3, .lines = 5},
    {.compressed = 20, .decompressed = 1048576, .flags = 4, .lines = 65536},
};

/* Written from the definition of the format, by hand. */
static const unsigned char written[] = {
    0x54, 0x2A, 0x4D, 0x18, 56, 0,  0, 0, 'T',  'R',  'T',  'I',  'M',  'E',  'S',  '1', /**/
    1,    0,    0,    0,    0,  0,  0, 0, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, 3,
    0,    0,    0,    5,    0,  0,  0, /**/
    0,    0,    0,    0,    0,  0,  0, 0, 0,    0,    0,    0,    0,    0,    0,    0,    4,
    0,    0,    0,    0,    0,  1,  0, /**/
    0x5E, 0x2A, 0x4D, 0x18, 33, 0,  0, 0, 10,   0,    0,    0,    0,    1,    0,    0,    20,
    0,    0,    0,    0,    0,  16, 0, /**/
    64,   0,    0,    0,    0,  0,  0, 0, 3,    0,    0,    0,    0,    0xB1, 0xEA, 0x92, 0x8F,
};

static int temporary(void) {
  char path[] = "/tmp/seek_table.XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0) exit(3);
  unlink(path);
  return fd;
}

/* The file: records, and then these bytes. */
static bool is_found(int fd, const unsigned char *bytes, size_t length, TrSeekTable *table) {
  static const unsigned char records[RECORDS_BYTES];
  bool found = false;
  if (ftruncate(fd, 0) != 0 || pwrite(fd, records, sizeof records, 0) != RECORDS_BYTES) exit(3);
  if (pwrite(fd, bytes, length, RECORDS_BYTES) != (ssize_t)length) exit(3);
  CHECK(tr_seek_table_read(table, fd, RECORDS_BYTES + (int64_t)length, &found) == SQLITE_OK);
  CHECK(found == (table->frame != NULL) && found == (table->count > 0));
  return found;
}

static bool is_same_entry(const TrFrameEntry *a, const TrFrameEntry *b) {
  return a->compressed == b->compressed && a->decompressed == b->decompressed && a->first_us == b->first_us &&
         a->last_us == b->last_us && a->flags == b->flags && a->lines == b->lines;
}

static void what_is_written_is_the_format(void) {
  TrSeekTable table = {0};
  unsigned char *bytes;
  size_t length;
  for (int i = 0; i < 2; i++) CHECK(tr_seek_table_add(&table, &two_frames[i]) == SQLITE_OK);
  CHECK(tr_seek_table_encode(&table, &bytes, &length) == SQLITE_OK);
  CHECK(length == sizeof written && memcmp(bytes, written, length) == 0);
  sqlite3_free(bytes);
  tr_seek_table_free(&table);
}

static void what_was_written_is_read(void) {
  TrSeekTable table;
  int fd = temporary();
  CHECK(is_found(fd, written, sizeof written, &table));
  CHECK(table.count == 2);
  for (size_t i = 0; i < table.count; i++) CHECK(is_same_entry(&table.frame[i], &two_frames[i]));
  tr_seek_table_free(&table);
  close(fd);
}

static void a_file_that_is_cut_or_goes_on_has_none(void) {
  unsigned char longer[sizeof written + 1] = {0};
  TrSeekTable table;
  int fd = temporary();
  memcpy(longer, written, sizeof written);
  CHECK(!is_found(fd, longer, sizeof longer, &table));
  for (size_t length = 0; length < sizeof written; length++) CHECK(!is_found(fd, written, length, &table));
  close(fd);
}

/* Which bits of the times may change without being noticed: the times of the first frame and the counts of lines. */
static bool may_differ(size_t at) {
  bool is_time = at >= 16 && at < 32, is_lines = (at >= 36 && at < 40) || (at >= 60 && at < 64);
  return is_time || is_lines;
}

static void each_changed_bit_is_noticed_or_in_a_time_or_count(void) {
  unsigned char changed[sizeof written];
  TrSeekTable table;
  int fd = temporary();
  for (size_t bit = 0; bit < 8 * sizeof written; bit++) {
    memcpy(changed, written, sizeof written);
    changed[bit / 8] ^= (unsigned char)(1 << bit % 8);
    bool found = is_found(fd, changed, sizeof changed, &table);
    /* That two bits of flags, and the lower bits of a size, are no mistake in themselves. */
    bool is_flag = (bit / 8 == 32 && bit % 8 == 2) || (bit / 8 == 56 && (bit % 8 == 0 || bit % 8 == 2));
    is_flag |= bit / 8 == 56 && bit % 8 == 1; /* "there is a time": 1970 */
    bool is_size = bit / 8 >= 76 && bit / 8 < 80 && bit % 8 < 8;
    if (found && !may_differ(bit / 8) && !is_flag && !is_size) {
      printf("# bit %zu of byte %zu\n", bit % 8, bit / 8);
      CHECK(false);
    }
    tr_seek_table_free(&table);
  }
  close(fd);
}

static void sizes_out_of_bounds_are_not_believed(void) {
  static const TrFrameEntry wrong[] = {
      {.compressed = 30, .decompressed = TR_FRAME_BYTES + 1, .flags = 1},
      {.compressed = 30, .decompressed = 0, .flags = 1},
      {.compressed = 30, .decompressed = 1, .flags = 0}, /* the first frame begins inside a line */
      {.compressed = 30, .decompressed = 1, .flags = 9},
      {.compressed = 30, .decompressed = 1, .flags = 3, .first_us = 2, .last_us = 1},
      {.compressed = 31, .decompressed = 1, .flags = 1},
      {.compressed = 29, .decompressed = 1, .flags = 1},
  };
  TrSeekTable read;
  int fd = temporary();
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    TrSeekTable table = {0};
    unsigned char *bytes;
    size_t length;
    CHECK(tr_seek_table_add(&table, &wrong[i]) == SQLITE_OK);
    CHECK(tr_seek_table_encode(&table, &bytes, &length) == SQLITE_OK);
    CHECK(!is_found(fd, bytes, length, &read));
    sqlite3_free(bytes);
    tr_seek_table_free(&table);
  }
  close(fd);
}

/* A footer that promises more frames than there can be makes nobody allocate memory for them. */
static void a_footer_alone_is_none(void) {
  static const uint32_t counts[] = {0, 1, 2, 3, 1000, 131073, 131074, UINT32_MAX};
  unsigned char bytes[sizeof written];
  TrSeekTable table;
  int fd = temporary();
  memcpy(bytes, written, sizeof written);
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    for (int k = 0; k < 4; k++) bytes[sizeof bytes - 9 + k] = (unsigned char)(counts[i] >> (8 * k));
    CHECK(is_found(fd, bytes, sizeof bytes, &table) == (counts[i] == 3));
    tr_seek_table_free(&table);
  }
  close(fd);
}

int main(void) {
  RUN(what_is_written_is_the_format);
  RUN(what_was_written_is_read);
  RUN(a_file_that_is_cut_or_goes_on_has_none);
  RUN(each_changed_bit_is_noticed_or_in_a_time_or_count);
  RUN(sizes_out_of_bounds_are_not_believed);
  RUN(a_footer_alone_is_none);
  return check_result();
}
