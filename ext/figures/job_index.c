/*
** job_index.c - the jobs of files that several jobs share: a host and a job -> its number, from 0 on, in the order in
** which they were first seen.
**
** A hash with a random seed, since others write the names. Beside what a table keeps of a job, each takes up to 150
** bytes and its name.
*/
#include "figures.h"

static uint64_t hash_of_job(const TrJobIndex *index, TrBytes host, TrBytes job) {
  uint64_t hash = UINT64_C(14695981039346656037) ^ index->seed;
  for (size_t i = 0; i < host.length; i++) hash = (hash ^ (unsigned char)host.text[i]) * UINT64_C(1099511628211);
  hash = (hash ^ (job.text ? 0x100 : 0x200)) * UINT64_C(1099511628211);
  for (size_t i = 0; i < job.length; i++) hash = (hash ^ (unsigned char)job.text[i]) * UINT64_C(1099511628211);
  return hash ^ hash >> 32;
}

static bool is_same_text(TrBytes a, TrBytes b) {
  if (!a.text != !b.text || a.length != b.length) return false;
  return a.length == 0 || memcmp(a.text, b.text, a.length) == 0;
}

/* The slot of the job, or the free one where it would go. The table is never full. */
static size_t slot_of_job(const TrJobIndex *index, TrBytes host, TrBytes job) {
  size_t slot = hash_of_job(index, host, job) & (index->slot_count - 1);
  while (index->slot[slot]) {
    const TrIndexedJob *there = &index->job[index->slot[slot] - 1];
    if (is_same_text(there->job, job) && is_same_text(there->host, host)) break;
    slot = (slot + 1) & (index->slot_count - 1);
  }
  return slot;
}

static int grow_index(TrJobIndex *index) {
  size_t wanted = index->slot_count ? 2 * index->slot_count : 64;
  size_t *slot = sqlite3_malloc64(wanted * sizeof *slot);
  if (slot == NULL) return SQLITE_NOMEM;
  if (index->slot_count == 0) sqlite3_randomness(sizeof index->seed, &index->seed);
  memset(slot, 0, wanted * sizeof *slot);
  sqlite3_free(index->slot);
  index->slot = slot;
  index->slot_count = wanted;
  for (size_t i = 0; i < index->count; i++)
    index->slot[slot_of_job(index, index->job[i].host, index->job[i].job)] = i + 1;
  return SQLITE_OK;
}

/* One allocation for both texts; a text that is not there stays so. */
static int copy_names(TrIndexedJob *to, TrBytes host, TrBytes job) {
  to->names = sqlite3_malloc64(host.length + job.length + 1);
  if (to->names == NULL) return SQLITE_NOMEM;
  if (host.length) memcpy(to->names, host.text, host.length);
  if (job.length) memcpy(to->names + host.length, job.text, job.length);
  to->host = (TrBytes){host.text ? to->names : NULL, host.length};
  to->job = (TrBytes){job.text ? to->names + host.length : NULL, job.length};
  return SQLITE_OK;
}

int tr_job_index_find(TrJobIndex *index, TrBytes host, TrBytes job, size_t *which, bool *is_new) {
  if (2 * (index->count + 1) > index->slot_count && grow_index(index) != SQLITE_OK) return SQLITE_NOMEM;
  size_t slot = slot_of_job(index, host, job);
  *is_new = index->slot[slot] == 0;
  *which = index->slot[slot] - 1;
  if (!*is_new) return SQLITE_OK;
  TrIndexedJob *grown = tr_array_reserve(index->job, &index->room, index->count + 1, sizeof *grown);
  if (grown == NULL) return SQLITE_NOMEM;
  index->job = grown;
  if (copy_names(&index->job[index->count], host, job) != SQLITE_OK) return SQLITE_NOMEM;
  *which = index->count++;
  index->slot[slot] = index->count;
  return SQLITE_OK;
}

void tr_job_index_free(TrJobIndex *index) {
  for (size_t i = 0; i < index->count; i++) sqlite3_free(index->job[i].names);
  sqlite3_free(index->job);
  sqlite3_free(index->slot);
  *index = (TrJobIndex){0};
}
