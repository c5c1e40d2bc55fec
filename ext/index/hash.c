/*
** hash.c - XXH3-128, by libxxhash.
**
** Only its header is used, which has all of the code: a library to be loaded would make each start of a process slower,
** and be one more thing for packages to name.
**
** A build with -DTR_WITHOUT_INDEX (make WITH_INDEX=0) does without: then no index is kept.
*/
#include "index.h"

#include <string.h>
#include <unistd.h>

#ifdef TR_WITHOUT_INDEX

bool tr_fast_hash_is_there(void) {
  return false;
}

void tr_fast_hash(const void *bytes, size_t length, uint64_t seed, unsigned char out[TR_INDEX_HASH_BYTES]) {
  (void)bytes, (void)length, (void)seed;
  memset(out, 0, TR_INDEX_HASH_BYTES);
}

TrFastHash *tr_fast_hash_new(void) {
  return NULL;
}

void tr_fast_hash_begin(TrFastHash *hash, uint64_t seed) {
  (void)hash, (void)seed;
}

void tr_fast_hash_add(TrFastHash *hash, const void *bytes, size_t length) {
  (void)hash, (void)bytes, (void)length;
}

void tr_fast_hash_end(TrFastHash *hash, unsigned char out[TR_INDEX_HASH_BYTES]) {
  (void)hash;
  memset(out, 0, TR_INDEX_HASH_BYTES);
}

void tr_fast_hash_free(TrFastHash *hash) {
  (void)hash;
}

#else

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#if XXH_VERSION_NUMBER < 800
#error "libxxhash 0.8.0 or newer is needed: before that, XXH3 was not final. Or build with WITH_INDEX=0"
#endif

struct TrFastHash {
  XXH3_state_t *state; /* owned; aligned, as only libxxhash can tell */
};

static void put_digest(XXH128_hash_t digest, unsigned char out[TR_INDEX_HASH_BYTES]) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, digest);
  memcpy(out, canonical.digest, TR_INDEX_HASH_BYTES);
}

bool tr_fast_hash_is_there(void) {
  return true;
}

void tr_fast_hash(const void *bytes, size_t length, uint64_t seed, unsigned char out[TR_INDEX_HASH_BYTES]) {
  put_digest(XXH3_128bits_withSeed(bytes, length, seed), out);
}

TrFastHash *tr_fast_hash_new(void) {
  TrFastHash *hash = sqlite3_malloc64(sizeof *hash);
  if (hash == NULL) return NULL;
  hash->state = XXH3_createState();
  if (hash->state) return hash;
  sqlite3_free(hash);
  return NULL;
}

void tr_fast_hash_begin(TrFastHash *hash, uint64_t seed) {
  XXH3_128bits_reset_withSeed(hash->state, seed);
}

void tr_fast_hash_add(TrFastHash *hash, const void *bytes, size_t length) {
  XXH3_128bits_update(hash->state, bytes, length);
}

void tr_fast_hash_end(TrFastHash *hash, unsigned char out[TR_INDEX_HASH_BYTES]) {
  put_digest(XXH3_128bits_digest(hash->state), out);
}

void tr_fast_hash_free(TrFastHash *hash) {
  if (hash == NULL) return;
  XXH3_freeState(hash->state);
  sqlite3_free(hash);
}

#endif

#define AT_ONCE (16 * 1024)

bool tr_fast_hash_add_file(TrFastHash *hash, int fd, int64_t from, int64_t to) {
  unsigned char bytes[AT_ONCE];
  while (from < to) {
    size_t wanted = to - from < AT_ONCE ? (size_t)(to - from) : AT_ONCE;
    ssize_t got = TEMP_FAILURE_RETRY(pread(fd, bytes, wanted, from));
    if (got <= 0) return false;
    tr_fast_hash_add(hash, bytes, (size_t)got);
    from += got;
  }
  return true;
}
