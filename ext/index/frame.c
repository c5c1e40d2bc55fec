/*
** frame.c - blocks <-> the bytes of the file of an index.
**
**   file   = magic, seed, frame...
**   frame  = FRAME_MAGIC, bytes of the payload, payload, hash
**   payload = head, first, count, block...
**   block  = end, counts, flags, times, hash, bytes of the packed records, packed records
**
** Numbers are little-endian, and of 4 or 8 bytes; the order of a block's and a head's is that of the functions below.
** A frame replaces the blocks of the frames before it, from number `first` on. Its hash is that of its position, the
** hash of the frame before it, and its payload: so a frame is whole, in its place, and behind the one that it goes on
** from. What follows the last whole frame is ignored, and cut off by the next writer.
*/
#include "index.h"

#include <string.h>
#include <unistd.h>

#define FILE_MAGIC "trindex\1"
#define FILE_HEADER_BYTES 16
#define FRAME_MAGIC UINT32_C(0x72667274) /* "trfr" */
#define FRAME_HEADER_BYTES 8
#define HEAD_BYTES (7 * 8 + 2 * TR_INDEX_HASH_BYTES)
#define PAYLOAD_HEADER_BYTES (HEAD_BYTES + 8)
#define BLOCK_HEADER_BYTES TR_INDEX_BLOCK_HEADER_BYTES
#define IS_CANONICAL 1U

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static unsigned char *put_u32(unsigned char *at, uint32_t number) {
  for (int i = 0; i < 4; i++) *at++ = (unsigned char)(number >> 8 * i);
  return at;
}

static unsigned char *put_u64(unsigned char *at, uint64_t number) {
  return put_u32(put_u32(at, (uint32_t)number), (uint32_t)(number >> 32));
}

static unsigned char *put_i64(unsigned char *at, int64_t number) {
  return put_u64(at, (uint64_t)number);
}

static unsigned char *put_index_hash(unsigned char *at, const unsigned char hash[TR_INDEX_HASH_BYTES]) {
  memcpy(at, hash, TR_INDEX_HASH_BYTES);
  return at + TR_INDEX_HASH_BYTES;
}

/* The caller has looked that there are enough bytes. */
static uint32_t take_u32(const unsigned char **at) {
  uint32_t number = 0;
  for (int i = 0; i < 4; i++) number |= (uint32_t) * (*at)++ << 8 * i;
  return number;
}

static uint64_t take_u64(const unsigned char **at) {
  uint64_t low = take_u32(at);
  return low | (uint64_t)take_u32(at) << 32;
}

static int64_t take_i64(const unsigned char **at) {
  return (int64_t)take_u64(at);
}

static void take_index_hash(const unsigned char **at, unsigned char hash[TR_INDEX_HASH_BYTES]) {
  memcpy(hash, *at, TR_INDEX_HASH_BYTES);
  *at += TR_INDEX_HASH_BYTES;
}

/* --- heads and blocks --------------------------------------------------------------------------------------------- */

static unsigned char *put_head(unsigned char *at, const TrIndexHead *head) {
  at = put_u64(at, head->identity.inode);
  at = put_i64(at, head->identity.size);
  at = put_i64(at, head->identity.changed_ns);
  at = put_i64(at, head->identity.status_changed_ns);
  at = put_i64(at, head->identity.born_ns);
  at = put_i64(at, head->opened_us);
  at = put_i64(at, head->end);
  return put_index_hash(put_index_hash(at, head->first_page), head->last_page);
}

static void take_head(const unsigned char **at, TrIndexHead *head) {
  head->identity.inode = take_u64(at);
  head->identity.size = take_i64(at);
  head->identity.changed_ns = take_i64(at);
  head->identity.status_changed_ns = take_i64(at);
  head->identity.born_ns = take_i64(at);
  head->opened_us = take_i64(at);
  head->end = take_i64(at);
  take_index_hash(at, head->first_page);
  take_index_hash(at, head->last_page);
}

static unsigned char *put_block(unsigned char *at, const TrIndexBlock *block) {
  at = put_i64(at, block->to);
  at = put_u32(at, block->records);
  at = put_u32(at, block->rejects);
  at = put_u32(at, block->failures);
  at = put_u32(at, block->others);
  at = put_u32(at, block->untimed);
  at = put_u32(at, block->is_canonical ? IS_CANONICAL : 0);
  at = put_i64(at, block->least_us);
  at = put_i64(at, block->greatest_us);
  at = put_index_hash(at, block->hash);
  at = put_u32(at, (uint32_t)block->packed_bytes);
  if (block->packed_bytes) memcpy(at, block->packed, block->packed_bytes);
  return at + block->packed_bytes;
}

/* `block->from` is set. False: that is no block. */
static bool take_index_block(const unsigned char **at, const unsigned char *stop, TrIndexBlock *block) {
  if (stop - *at < BLOCK_HEADER_BYTES) return false;
  block->to = take_i64(at);
  block->records = take_u32(at);
  block->rejects = take_u32(at);
  block->failures = take_u32(at);
  block->others = take_u32(at);
  block->untimed = take_u32(at);
  block->is_canonical = take_u32(at) & IS_CANONICAL;
  block->least_us = take_i64(at);
  block->greatest_us = take_i64(at);
  take_index_hash(at, block->hash);
  block->packed_bytes = take_u32(at);
  if (block->to <= block->from || (size_t)(stop - *at) < block->packed_bytes) return false;
  block->packed = (unsigned char *)(uintptr_t)*at; /* nobody writes there: is_owned is not set */
  *at += block->packed_bytes;
  return true;
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

/* `frame` is whole, but for its hash; `before` is that of the frame before it. */
static bool hash_frame(const TrIndexSaved *saved, const unsigned char *frame, size_t length,
                       const unsigned char before[TR_INDEX_HASH_BYTES], int64_t position,
                       unsigned char hash[TR_INDEX_HASH_BYTES]) {
  unsigned char place[8];
  TrFastHash *state = tr_fast_hash_new();
  if (state == NULL) return false;
  put_i64(place, position);
  tr_fast_hash_begin(state, saved->seed);
  tr_fast_hash_add(state, place, sizeof place);
  tr_fast_hash_add(state, before, TR_INDEX_HASH_BYTES);
  tr_fast_hash_add(state, frame, length);
  tr_fast_hash_end(state, hash);
  tr_fast_hash_free(state);
  return true;
}

/* The payload of the frame at saved->whole. NULL: there is no whole frame, or no memory. */
static const unsigned char *find_payload(const TrIndexSaved *saved, size_t *length,
                                         unsigned char hash[TR_INDEX_HASH_BYTES]) {
  const unsigned char *frame = saved->bytes + saved->whole, *at = frame;
  int64_t left = saved->size - saved->whole;
  if (left < FRAME_HEADER_BYTES + PAYLOAD_HEADER_BYTES + TR_INDEX_HASH_BYTES) return NULL;
  if (take_u32(&at) != FRAME_MAGIC) return NULL;
  *length = take_u32(&at);
  if (*length < PAYLOAD_HEADER_BYTES || (int64_t)*length > left - FRAME_HEADER_BYTES - TR_INDEX_HASH_BYTES) return NULL;
  if (!hash_frame(saved, frame, FRAME_HEADER_BYTES + *length, saved->last_hash, saved->whole, hash)) return NULL;
  return memcmp(at + *length, hash, TR_INDEX_HASH_BYTES) == 0 ? at : NULL;
}

static size_t bytes_of_blocks(const TrIndex *index, size_t first) {
  size_t bytes = 0;
  for (size_t i = first; i < index->count; i++) bytes += BLOCK_HEADER_BYTES + index->block[i].packed_bytes;
  return bytes;
}

/* Makes the blocks of a frame ours. SQLITE_CORRUPT: they are none, and it has been written by another program. */
static int take_blocks(TrIndex *index, const unsigned char *at, const unsigned char *stop) {
  uint32_t first = take_u32(&at), count = take_u32(&at);
  if (first > index->count || count > (size_t)(stop - at) / BLOCK_HEADER_BYTES) return SQLITE_CORRUPT;
  index->saved.outdated += (int64_t)bytes_of_blocks(index, first);
  index->count = first;
  TrIndexBlock *blocks = tr_array_reserve(index->block, &index->room, first + (size_t)count + 1, sizeof *blocks);
  if (blocks == NULL) return SQLITE_NOMEM;
  index->block = blocks;
  for (uint32_t i = 0; i < count; i++) {
    TrIndexBlock *block = &blocks[index->count];
    *block = (TrIndexBlock){.from = index->count ? blocks[index->count - 1].to : 0};
    if (!take_index_block(&at, stop, block)) return SQLITE_CORRUPT;
    index->count++;
  }
  return at == stop ? SQLITE_OK : SQLITE_CORRUPT;
}

static int take_frame(TrIndex *index, const unsigned char *payload, size_t length, TrIndexHead *head) {
  const unsigned char *at = payload;
  take_head(&at, head);
  int code = take_blocks(index, at, payload + length);
  int64_t end = index->count ? index->block[index->count - 1].to : 0;
  return code == SQLITE_OK && head->end != end ? SQLITE_CORRUPT : code;
}

int tr_index_decode(TrIndex *index, TrIndexHead *head, bool *has_head) {
  TrIndexSaved *saved = &index->saved;
  unsigned char hash[TR_INDEX_HASH_BYTES];
  size_t length;
  int code = SQLITE_OK;
  *has_head = false;
  saved->whole = saved->outdated = 0;
  memset(saved->last_hash, 0, sizeof saved->last_hash);
  if (saved->size < FILE_HEADER_BYTES || memcmp(saved->bytes, FILE_MAGIC, 8) != 0) return SQLITE_OK;
  const unsigned char *at = saved->bytes + 8;
  saved->seed = take_u64(&at);
  saved->whole = FILE_HEADER_BYTES;
  for (const unsigned char *payload; code == SQLITE_OK && (payload = find_payload(saved, &length, hash));) {
    if (*has_head) saved->outdated += FRAME_HEADER_BYTES + PAYLOAD_HEADER_BYTES + TR_INDEX_HASH_BYTES;
    code = take_frame(index, payload, length, head);
    *has_head = true;
    saved->whole += FRAME_HEADER_BYTES + (int64_t)length + TR_INDEX_HASH_BYTES;
    memcpy(saved->last_hash, hash, sizeof hash);
  }
  if (code != SQLITE_CORRUPT) return code;
  *has_head = false;
  return SQLITE_OK;
}

unsigned char *tr_index_encode(const TrIndex *index, const TrIndexHead *head, size_t first, size_t *length) {
  size_t payload = PAYLOAD_HEADER_BYTES + bytes_of_blocks(index, first);
  size_t header = index->saved.whole ? 0 : FILE_HEADER_BYTES;
  *length = header + FRAME_HEADER_BYTES + payload + TR_INDEX_HASH_BYTES;
  unsigned char *bytes = sqlite3_malloc64(*length), *at = bytes;
  if (bytes == NULL) return NULL;
  if (header) {
    memcpy(at, FILE_MAGIC, 8);
    at = put_u64(at + 8, index->saved.seed);
  }
  const unsigned char none[TR_INDEX_HASH_BYTES] = {0}, *before = header ? none : index->saved.last_hash;
  unsigned char *frame = at;
  at = put_u32(put_u32(at, FRAME_MAGIC), (uint32_t)payload);
  at = put_head(at, head);
  at = put_u32(put_u32(at, (uint32_t)first), (uint32_t)(index->count - first));
  for (size_t i = first; i < index->count; i++) at = put_block(at, &index->block[i]);
  int64_t position = header ? FILE_HEADER_BYTES : index->saved.whole;
  if (hash_frame(&index->saved, frame, (size_t)(at - frame), before, position, at)) return bytes;
  sqlite3_free(bytes);
  return NULL;
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

static bool hash_page(const TrIndex *index, int64_t from, int64_t to, unsigned char hash[TR_INDEX_HASH_BYTES]) {
  unsigned char page[TR_INDEX_PAGE_BYTES];
  size_t length = (size_t)(to - from);
  if (TEMP_FAILURE_RETRY(pread(index->fd, page, length, from)) != (ssize_t)length) return false;
  tr_fast_hash(page, length, index->saved.seed, hash);
  return true;
}

bool tr_index_hash_pages(const TrIndex *index, TrIndexHead *head) {
  int64_t end = head->end;
  bool is_small = end <= TR_INDEX_PAGE_BYTES;
  return hash_page(index, 0, is_small ? end : TR_INDEX_PAGE_BYTES, head->first_page) &&
         hash_page(index, is_small ? 0 : end - TR_INDEX_PAGE_BYTES, end, head->last_page);
}
