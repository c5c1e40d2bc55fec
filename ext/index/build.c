/*
** build.c - lines -> blocks.
**
** The hash of a block is that of the bytes that were parsed, in memory: so if a file changes while it is read, its
** index does not match it. Lines follow each other in the caller's buffer, newlines included, so they are hashed many
** at a time. What is not in memory (blank lines that were left out, a line that is too long) is read again.
**
** A line that is not whole may grow. And while a prune is at work, a line that begins with a NUL is a place that will
** be filled in (prune/drain.c), so neither it nor anything behind it is known for good.
*/
#include "index.h"

#include <string.h>
#include <unistd.h>

struct TrIndexBuilder {
  TrFastHash *hash;   /* owned */
  TrIndexBlock block; /* its `packed` is owned, with room for packed_room bytes */
  size_t packed_room;
  TrIndexed last;           /* see packed.c */
  const unsigned char *run; /* bytes that are not yet hashed: borrowed, within one call of tr_index_add */
  size_t run_bytes;
};

/* --- bytes -> hash ------------------------------------------------------------------------------------------------ */

static void hash_run(struct TrIndexBuilder *builder) {
  if (builder->run_bytes) tr_fast_hash_add(builder->hash, builder->run, builder->run_bytes);
  builder->run = NULL;
  builder->run_bytes = 0;
}

static void hash_line(struct TrIndexBuilder *builder, const TrLine *line) {
  if (builder->run == NULL || builder->run + builder->run_bytes != line->text) {
    hash_run(builder);
    builder->run = line->text;
  }
  builder->run_bytes += (size_t)line->length + 1;
}

/* Lines that the caller has left out: they are blank. */
static bool hash_blanks(TrIndex *index, int64_t from, int64_t to) {
  unsigned char bytes[512];
  while (from < to) {
    size_t wanted = to - from < (int64_t)sizeof bytes ? (size_t)(to - from) : sizeof bytes;
    ssize_t got = TEMP_FAILURE_RETRY(pread(index->fd, bytes, wanted, from));
    if (got <= 0) return false;
    for (ssize_t i = 0; i < got; i++) {
      if (!tr_is_blank(bytes[i])) return false;
    }
    tr_fast_hash_add(index->builder->hash, bytes, (size_t)got);
    from += got;
  }
  return true;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

static void clear_block(TrIndexBlock *block, int64_t from) {
  *block = (TrIndexBlock){.from = from,
                          .to = from,
                          .is_canonical = true,
                          .least_us = INT64_MAX,
                          .greatest_us = INT64_MIN,
                          .is_owned = true};
}

static void free_builder(struct TrIndexBuilder *builder) {
  if (builder == NULL) return;
  tr_fast_hash_free(builder->hash);
  sqlite3_free(builder->block.packed);
  sqlite3_free(builder);
}

void tr_index_builder_free(TrIndex *index) {
  free_builder(index->builder);
  index->builder = NULL;
}

static struct TrIndexBuilder *new_builder(uint64_t seed, int64_t from) {
  struct TrIndexBuilder *builder = sqlite3_malloc64(sizeof *builder);
  if (builder == NULL) return NULL;
  *builder = (struct TrIndexBuilder){.hash = tr_fast_hash_new(), .last.offset = from};
  clear_block(&builder->block, from);
  if (builder->hash) {
    tr_fast_hash_begin(builder->hash, seed);
    return builder;
  }
  free_builder(builder);
  return NULL;
}

/* The last record of a block, from which the next one counts. */
static TrIndexed last_of_block(const TrIndex *index, size_t number) {
  TrIndexWalk walk;
  TrIndexed record;
  tr_index_walk_begin(&walk, index, number);
  while (tr_index_walk_next(&walk, &record)) {
  }
  return walk.last;
}

int tr_index_resume(TrIndex *index, bool *is_same) {
  const TrIndexBlock *block = &index->block[index->count - 1];
  unsigned char hash[TR_INDEX_HASH_BYTES];
  *is_same = false;
  index->builder = new_builder(index->saved.seed, block->from);
  if (index->builder == NULL) return SQLITE_NOMEM;
  if (!tr_fast_hash_add_file(index->builder->hash, index->fd, block->from, block->to)) return SQLITE_OK;
  tr_fast_hash_end(index->builder->hash, hash); /* and more can be added to it */
  *is_same = memcmp(hash, block->hash, sizeof hash) == 0;
  return SQLITE_OK;
}

/* The builder has the hash of the last block already (tr_index_resume); now it takes over the rest. */
static int take_last_block(TrIndex *index) {
  struct TrIndexBuilder *builder = index->builder;
  TrIndexBlock *block = &index->block[index->count - 1];
  unsigned char *packed = tr_array_reserve(NULL, &builder->packed_room, block->packed_bytes + TR_PACKED_MOST_BYTES, 1);
  if (packed == NULL) return SQLITE_NOMEM;
  if (block->packed_bytes) memcpy(packed, block->packed, block->packed_bytes);
  builder->last = last_of_block(index, index->count - 1);
  if (block->is_owned) sqlite3_free(block->packed);
  builder->block = *block;
  builder->block.packed = packed;
  builder->block.is_owned = true;
  index->count--;
  if (index->saved_count > index->count) {
    index->saved_count = index->count;
    index->saved.outdated += TR_INDEX_BLOCK_HEADER_BYTES + (int64_t)block->packed_bytes;
  }
  index->packed_bytes -= builder->block.packed_bytes;
  return SQLITE_OK;
}

static int ready_builder(TrIndex *index) {
  if (index->builder == NULL) {
    index->builder = new_builder(index->saved.seed, index->end);
    return index->builder ? SQLITE_OK : SQLITE_NOMEM;
  }
  bool is_resumed = index->builder->block.to < index->end;
  return is_resumed ? take_last_block(index) : SQLITE_OK;
}

int tr_index_finish(TrIndex *index) {
  struct TrIndexBuilder *builder = index->builder;
  if (builder == NULL || builder->block.to == builder->block.from) return SQLITE_OK;
  TrIndexBlock *blocks = tr_array_reserve(index->block, &index->room, index->count + 1, sizeof *blocks);
  if (blocks == NULL) return SQLITE_NOMEM;
  index->block = blocks;
  tr_fast_hash_end(builder->hash, builder->block.hash);
  blocks[index->count++] = builder->block;
  index->packed_bytes += builder->block.packed_bytes;
  if (tr_index_is_full(index)) index->takes_lines = false;
  clear_block(&builder->block, index->end);
  builder->packed_room = 0;
  builder->last = (TrIndexed){.offset = index->end};
  tr_fast_hash_begin(builder->hash, index->saved.seed);
  return SQLITE_OK;
}

/* --- lines -> the block ------------------------------------------------------------------------------------------- */

static uint8_t success_of(const TrSpan *span) {
  switch ((TrKind)span->kind) {
  case TR_FALSE: return TR_INDEXED_FALSE;
  case TR_TRUE: return TR_INDEXED_TRUE;
  case TR_ABSENT:
  case TR_NULL: return TR_INDEXED_NULL;
  default: return TR_INDEXED_OTHER;
  }
}

/* 2026-02-14T09:30:00Z, perhaps with a fraction; it has been read as a time already. Texts of this form sort like their
** times, up to the second. The second 60 is the next minute's, and would sort before it. */
static bool is_canonical_time(const TrLine *line, const TrSpan *span) {
  const unsigned char *text = line->text + span->start;
  if (span->kind != TR_STRING || span->escaped || span->length < 20) return false;
  if (text[10] != 'T' || text[16] != ':' || text[17] == '6' || text[span->length - 1] != 'Z') return false;
  return span->length == 20 || text[19] == '.';
}

static int add_known_record(struct TrIndexBuilder *builder, const TrParsed *parsed) {
  TrIndexBlock *block = &builder->block;
  const TrSpan *timestamp = &parsed->record.field[TR_TIMESTAMP];
  TrIndexed record = {.offset = parsed->line.offset, .success = success_of(&parsed->record.field[TR_SUCCESS])};
  record.has_time = tr_span_time_us(&parsed->line, timestamp, &record.time_us);
  size_t wanted = block->packed_bytes + TR_PACKED_MOST_BYTES;
  unsigned char *packed = tr_array_reserve(block->packed, &builder->packed_room, wanted, 1);
  if (packed == NULL) return SQLITE_NOMEM;
  block->packed = packed;
  block->packed_bytes += tr_packed_put(packed + block->packed_bytes, &builder->last, &record);
  block->records++;
  block->failures += record.success == TR_INDEXED_FALSE || record.success == TR_INDEXED_NULL;
  block->others += record.success == TR_INDEXED_OTHER;
  block->untimed += !record.has_time;
  block->is_canonical = block->is_canonical && record.has_time && is_canonical_time(&parsed->line, timestamp);
  if (!record.has_time) return SQLITE_OK;
  if (record.time_us < block->least_us) block->least_us = record.time_us;
  if (record.time_us > block->greatest_us) block->greatest_us = record.time_us;
  return SQLITE_OK;
}

static bool may_be_filled_in(const TrIndex *index, const TrLine *line) {
  unsigned char first = 0;
  if (!index->is_draining || line->length == 0) return false;
  if (line->text) return line->text[0] == '\0';
  return TEMP_FAILURE_RETRY(pread(index->fd, &first, 1, line->offset)) != 1 || first == '\0';
}

/* The hash holds part of a line that was not added, or cannot be told: so nothing of the block is known. */
static void drop_block(TrIndex *index) {
  index->end = index->builder->block.from;
  tr_index_builder_free(index);
  index->takes_lines = false;
}

/* False: the line is not added. */
static bool add_known_bytes(TrIndex *index, const TrLine *line) {
  TrFastHash *hash = index->builder->hash;
  int64_t next = line->offset + (int64_t)line->length + 1;
  if (!line->terminated || line->offset < index->end || may_be_filled_in(index, line)) {
    index->takes_lines = false;
    return false;
  }
  if (line->text == NULL || line->offset > index->end) hash_run(index->builder);
  bool is_hashed = hash_blanks(index, index->end, line->offset);
  if (is_hashed && line->text == NULL) is_hashed = tr_fast_hash_add_file(hash, index->fd, line->offset, next);
  if (!is_hashed) {
    drop_block(index);
    return false;
  }
  if (line->text) hash_line(index->builder, line);
  index->end = index->builder->block.to = next;
  return true;
}

static int add_known_line(TrIndex *index, const TrParsed *parsed) {
  struct TrIndexBuilder *builder = index->builder;
  int code = SQLITE_OK;
  if (!add_known_bytes(index, &parsed->line)) return SQLITE_OK;
  if (parsed->reason == TR_OK) {
    code = add_known_record(builder, parsed);
  } else if (parsed->reason != TR_BLANK && parsed->reason != TR_OTHER) {
    builder->block.rejects++;
  }
  if (code != SQLITE_OK || index->end - builder->block.from < TR_INDEX_BLOCK_BYTES) return code;
  hash_run(builder);
  return tr_index_finish(index);
}

int tr_index_add(TrIndex *index, const TrParsed *lines, unsigned count) {
  if (!index->takes_lines || count == 0) return SQLITE_OK;
  int code = ready_builder(index);
  for (unsigned i = 0; i < count && code == SQLITE_OK && index->takes_lines; i++)
    code = add_known_line(index, &lines[i]);
  if (index->builder && code == SQLITE_OK) hash_run(index->builder);
  if (index->builder && code != SQLITE_OK) drop_block(index);
  if (code != SQLITE_OK) index->takes_lines = false;
  return code;
}

void tr_index_free(TrIndex *index) {
  for (size_t i = 0; i < index->count; i++) {
    if (index->block[i].is_owned) sqlite3_free(index->block[i].packed);
  }
  tr_index_builder_free(index);
  sqlite3_free(index->block);
  sqlite3_free(index->saved.bytes);
  *index = (TrIndex){0};
}
