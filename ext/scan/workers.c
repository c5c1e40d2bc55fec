/*
** workers.c - blocks, judged ahead of their turn, by helper threads and by the caller.
**
** A ring of blocks. The caller describes them (post), in the order in which it wants them back; whoever is free judges the
** oldest that nobody has: the helpers all the time, the caller while the one that it wants next is not done. So no thread
** waits for another while there is work, and with no helper the caller just does it all.
**
**   post -> [ released ... taken ... posted ] -> take, release
**
** Three counters say it all: blocks below `released` are free again, those below `taken` are being judged or done, those
** below `posted` are described. Block n is in ring[n % TR_AHEAD_BLOCKS].
*/
#include "scan.h"

#include <pthread.h>
#include <unistd.h>

#define WAIT_MS 2 /* between two looks at whether the user has had enough */

struct TrAhead {
  TrWanted wanted;
  TrParser parser; /* the caller's */
  TrBlock ring[TR_AHEAD_BLOCKS];
  pthread_mutex_t mutex; /* over what follows, and who has which block */
  pthread_cond_t work;   /* there is something to judge, or it is time to stop */
  pthread_cond_t done;   /* a helper has judged a block */
  uint64_t posted, taken, released;
  bool stop;
  pid_t pid; /* of the process whose threads they are */
  pthread_t thread[TR_MAX_THREADS - 1];
  unsigned thread_count;
};

static TrBlock *block_at(TrAhead *ahead, uint64_t n) {
  return &ahead->ring[n % TR_AHEAD_BLOCKS];
}

/* Another process that was forked from ours has no helpers, and its copy of the mutex may be locked for ever. What a helper
** was judging is left half done there: it is judged anew. */
static bool is_forked(const TrAhead *ahead) {
  return ahead->pid != getpid();
}

/* With the mutex, which is let go meanwhile. */
static void judge_oldest(TrAhead *ahead, TrParser *parser) {
  TrBlock *block = block_at(ahead, ahead->taken++);
  pthread_mutex_unlock(&ahead->mutex);
  tr_block_judge(block, &ahead->wanted, parser);
  pthread_mutex_lock(&ahead->mutex);
  block->done = true;
}

static void *help(void *argument) {
  TrAhead *ahead = argument;
  TrParser parser;
  tr_parser_init(&parser);
  pthread_mutex_lock(&ahead->mutex);
  while (!ahead->stop) {
    if (ahead->taken == ahead->posted) {
      pthread_cond_wait(&ahead->work, &ahead->mutex);
      continue;
    }
    judge_oldest(ahead, &parser);
    pthread_cond_signal(&ahead->done);
  }
  pthread_mutex_unlock(&ahead->mutex);
  return NULL;
}

/* --- for the caller ------------------------------------------------------------------------------------------------ */

static bool allocate_blocks(TrAhead *ahead) {
  size_t max_line = ahead->wanted.max_line, longest = max_line < TR_BLOCK_LINE_BYTES ? max_line : TR_BLOCK_LINE_BYTES;
  for (unsigned i = 0; i < TR_AHEAD_BLOCKS; i++) {
    TrBlock *block = &ahead->ring[i];
    block->room = TR_BLOCK_ALIGNMENT + TR_BLOCK_BYTES + longest + 1;
    block->allocated = sqlite3_malloc64(TR_BLOCK_ALIGNMENT + block->room + TR_PADDING);
    block->buffer = block->allocated + -(uintptr_t)block->allocated % TR_BLOCK_ALIGNMENT;
    block->judged = sqlite3_malloc64((TR_BLOCK_LINES + 1) * sizeof *block->judged);
    if (block->allocated == NULL || block->judged == NULL) return false;
  }
  return true;
}

static bool start_helpers(TrAhead *ahead, unsigned threads) {
  while (ahead->thread_count + 1 < threads && tr_thread_start(&ahead->thread[ahead->thread_count], help, ahead))
    ahead->thread_count++;
  return ahead->thread_count > 0;
}

TrAhead *tr_ahead_start(const TrWanted *wanted, unsigned threads) {
  TrAhead *ahead = sqlite3_malloc64(sizeof *ahead);
  if (ahead == NULL) return NULL;
  *ahead = (TrAhead){.wanted = *wanted, .pid = getpid()};
  pthread_mutex_init(&ahead->mutex, NULL);
  tr_condition_init(&ahead->work);
  tr_condition_init(&ahead->done);
  tr_parser_init(&ahead->parser);
  if (allocate_blocks(ahead) && start_helpers(ahead, threads)) return ahead;
  tr_ahead_stop(ahead);
  return NULL;
}

void tr_ahead_stop(TrAhead *ahead) {
  if (ahead == NULL) return;
  if (!is_forked(ahead)) {
    pthread_mutex_lock(&ahead->mutex);
    ahead->stop = true;
    pthread_cond_broadcast(&ahead->work);
    pthread_mutex_unlock(&ahead->mutex);
    for (unsigned i = 0; i < ahead->thread_count; i++) pthread_join(ahead->thread[i], NULL);
    pthread_cond_destroy(&ahead->work);
    pthread_cond_destroy(&ahead->done);
    pthread_mutex_destroy(&ahead->mutex);
  }
  for (uint64_t n = ahead->released; n < ahead->posted; n++) {
    if (block_at(ahead, n)->owns_file) tr_file_close(&block_at(ahead, n)->file);
  }
  for (unsigned i = 0; i < TR_AHEAD_BLOCKS; i++) {
    sqlite3_free(ahead->ring[i].allocated);
    sqlite3_free(ahead->ring[i].judged);
  }
  sqlite3_free(ahead);
}

TrBlock *tr_ahead_room(TrAhead *ahead) {
  return ahead->posted - ahead->released < TR_AHEAD_BLOCKS ? block_at(ahead, ahead->posted) : NULL;
}

bool tr_ahead_is_low(const TrAhead *ahead) {
  return ahead->posted - ahead->released <= TR_AHEAD_BLOCKS / 2;
}

void tr_ahead_post(TrAhead *ahead) {
  bool forked = is_forked(ahead);
  if (!forked) pthread_mutex_lock(&ahead->mutex);
  block_at(ahead, ahead->posted)->done = false;
  ahead->posted++;
  if (forked) return;
  pthread_cond_signal(&ahead->work);
  pthread_mutex_unlock(&ahead->mutex);
}

int tr_ahead_take(TrAhead *ahead, TrPoll *poll, TrBlock **block) {
  *block = NULL;
  if (ahead->released == ahead->posted) return SQLITE_OK;
  TrBlock *oldest = block_at(ahead, ahead->released);
  for (;;) {
    int code = tr_poll(poll);
    if (code != SQLITE_OK) return code;
    if (is_forked(ahead)) {
      if (!oldest->done) tr_block_judge(oldest, &ahead->wanted, &ahead->parser);
      *block = oldest;
      return SQLITE_OK;
    }
    pthread_mutex_lock(&ahead->mutex);
    if (!oldest->done && ahead->taken < ahead->posted) {
      judge_oldest(ahead, &ahead->parser);
    } else if (!oldest->done) {
      tr_condition_wait(&ahead->done, &ahead->mutex, WAIT_MS);
    }
    bool done = oldest->done;
    pthread_mutex_unlock(&ahead->mutex);
    if (!done) continue;
    *block = oldest;
    return SQLITE_OK;
  }
}

void tr_ahead_release(TrAhead *ahead) {
  ahead->released++;
}
