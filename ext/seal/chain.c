/*
** chain.c - lines -> the head of their chain.
**
** Each line costs one SHA-256 of its own, so the digest is made once and started again for each. A line may be longer
** than memory: its parts are added as they come.
*/
#include "seal.h"

#include <errno.h>

int tr_chain_open(TrChain *chain, char **message) {
  *chain = (TrChain){0};
  int code = tr_digest_new(&chain->digest, message);
  if (code != SQLITE_OK) return code;
  if (chain->digest == NULL) {
    return tr_error(message, SQLITE_ERROR, "seals need SHA-256, and this build is without it (make WITH_SEAL=0)");
  }
  chain->buffer = sqlite3_malloc64(TR_CHAIN_READ_BYTES);
  if (chain->buffer) return SQLITE_OK;
  tr_chain_close(chain);
  return SQLITE_NOMEM;
}

void tr_chain_close(TrChain *chain) {
  tr_digest_free(chain->digest);
  sqlite3_free(chain->buffer);
  *chain = (TrChain){0};
}

int tr_chain_hash(TrChain *chain, const void *text, size_t length, unsigned char out[TR_DIGEST_BYTES]) {
  int code = tr_digest_restart(chain->digest);
  if (code == SQLITE_OK) code = tr_digest_add(chain->digest, text, length);
  return code == SQLITE_OK ? tr_digest_end_bytes(chain->digest, out) : code;
}

void tr_chain_resume(TrChain *chain, const unsigned char head[TR_DIGEST_BYTES], int64_t lines, int64_t bytes) {
  memcpy(chain->head, head, TR_DIGEST_BYTES);
  chain->lines = lines;
  chain->bytes = bytes;
  chain->in_line = false;
  chain->part = 0;
}

int tr_chain_begin(TrChain *chain, const char *job_id, size_t length) {
  unsigned char head[TR_DIGEST_BYTES];
  int code = tr_digest_restart(chain->digest);
  if (code == SQLITE_OK) code = tr_digest_add(chain->digest, TR_SEAL_TAG, sizeof TR_SEAL_TAG - 1);
  if (code == SQLITE_OK) code = tr_digest_add(chain->digest, job_id, length);
  if (code == SQLITE_OK) code = tr_digest_end_bytes(chain->digest, head);
  if (code == SQLITE_OK) tr_chain_resume(chain, head, 0, 0);
  return code;
}

static int begin_chained_line(TrChain *chain) {
  int code = tr_digest_restart(chain->digest);
  chain->in_line = true;
  return code == SQLITE_OK ? tr_digest_add(chain->digest, chain->head, TR_DIGEST_BYTES) : code;
}

static int end_chained_line(TrChain *chain) {
  chain->in_line = false;
  chain->lines++;
  chain->bytes += chain->part + 1;
  chain->part = 0;
  return tr_digest_end_bytes(chain->digest, chain->head);
}

int tr_chain_add(TrChain *chain, const void *text, size_t length) {
  const unsigned char *at = text, *end = at + length;
  int code = SQLITE_OK;
  while (at < end && code == SQLITE_OK) {
    const unsigned char *newline = memchr(at, '\n', (size_t)(end - at));
    size_t count = (size_t)((newline ? newline : end) - at);
    if (!chain->in_line) code = begin_chained_line(chain);
    if (code == SQLITE_OK) code = tr_digest_add(chain->digest, at, count);
    chain->part += (int64_t)count;
    if (code == SQLITE_OK && newline) code = end_chained_line(chain);
    at += count + (newline != NULL);
  }
  return code;
}

int tr_chain_add_file(TrChain *chain, int fd, TrRange range, TrPoll *poll, int64_t *reached) {
  int code = SQLITE_OK;
  *reached = range.from;
  while (code == SQLITE_OK && *reached < range.to) {
    int64_t left = range.to - *reached;
    size_t room = left < TR_CHAIN_READ_BYTES ? (size_t)left : TR_CHAIN_READ_BYTES;
    ssize_t count = (ssize_t)TEMP_FAILURE_RETRY(pread(fd, chain->buffer, room, *reached));
    if (count < 0) return SQLITE_IOERR_READ;
    if (count == 0) break;
    code = tr_chain_add(chain, chain->buffer, (size_t)count);
    *reached += count;
    if (code == SQLITE_OK) code = tr_poll(poll);
  }
  return code;
}

int tr_chain_tail(TrChain *chain, int fd, int64_t end, unsigned char tail[TR_DIGEST_BYTES], bool *is_whole) {
  size_t count = end < TR_SEAL_TAIL_BYTES ? (size_t)end : TR_SEAL_TAIL_BYTES;
  *is_whole = true;
  if (count > 0 && tr_read_at(fd, chain->buffer, count, end - (int64_t)count, is_whole) != 0) return SQLITE_IOERR_READ;
  return *is_whole ? tr_chain_hash(chain, chain->buffer, count, tail) : SQLITE_OK;
}
