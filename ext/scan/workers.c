/*
** workers.c - blocks that are parsed before the scan needs them, by helper threads and by the caller.
**
** A ring of blocks. The caller posts them in the order in which it wants them back. Whoever is free parses the oldest
** block that nobody has taken: helpers at all times, the caller while its next block is not done. So no thread waits
** while there is work, and without helpers the caller does all of it.
**
**   post -> [ released ... taken ... posted ] -> take, release
**
** Three counters hold the state: blocks below `released` are free again, those below `taken` are being parsed or are
** done, those below `posted` wait. Block n is in ring[n % WORKERS_BLOCKS].
*/
#include "scan.h"

#include <assert.h>
#include <pthread.h>
#include <unistd.h>

#define WORKERS_BLOCKS 6 /* with fewer, a helper is idle now and then; with more, less of them stays in the cache */
#define WAIT_MS 2        /* between two checks for an interrupt */

typedef struct TrHelper {
  TrWorkers *workers;
  TrUnpacker unpacker;
} TrHelper;

struct TrWorkers {
  TrWanted wanted;
  TrParser parser;                 /* the caller's, */
  TrMappedParser mapped;           /* and for the parser */
  TrHelper helper[TR_MAX_THREADS]; /* the last one is the caller */
  TrBlock ring[WORKERS_BLOCKS];
  pthread_mutex_t mutex; /* protects the fields below, and which thread has which block */
  pthread_cond_t work;   /* there is something to parse, or it is time to stop */
  pthread_cond_t done;   /* a helper has parsed a block */
  uint64_t posted, taken, released;
  bool stop;
  pid_t pid; /* the process that started the threads */
  pthread_t thread[TR_MAX_THREADS - 1];
  unsigned thread_count;
};

static TrBlock *block_at(TrWorkers *workers, uint64_t n) {
  return &workers->ring[n % WORKERS_BLOCKS];
}

/* In a forked child there are no helpers, and its copy of the mutex may stay locked for ever. A block that a helper was
** parsing is incomplete there, and is parsed again. */
static bool is_forked(const TrWorkers *workers) {
  return workers->pid != getpid();
}

/* Called with the mutex locked; unlocks it while it parses. */
static void parse_oldest(TrWorkers *workers, TrParser *parser, TrUnpacker *unpacker) {
  assert(workers->taken < workers->posted);
  TrBlock *block = block_at(workers, workers->taken++);
  pthread_mutex_unlock(&workers->mutex);
  tr_block_parse(block, &workers->wanted, parser, unpacker);
  pthread_mutex_lock(&workers->mutex);
  block->done = true;
}

static void *help(void *argument) {
  TrHelper *helper = argument;
  TrWorkers *workers = helper->workers;
  TrParser parser;
  TrMappedParser mapped;
  tr_parser_init(&parser);
  tr_parser_map(&parser, &mapped, workers->wanted.mapping);
  pthread_mutex_lock(&workers->mutex);
  while (!workers->stop) {
    if (workers->taken == workers->posted) {
      pthread_cond_wait(&workers->work, &workers->mutex);
      continue;
    }
    parse_oldest(workers, &parser, &helper->unpacker);
    pthread_cond_signal(&workers->done);
  }
  pthread_mutex_unlock(&workers->mutex);
  return NULL;
}

/* --- for the caller ----------------------------------------------------------------------------------------------- */

static bool allocate_blocks(TrWorkers *workers) {
  size_t max_line = workers->wanted.max_line, longest = max_line < TR_BLOCK_LINE_BYTES ? max_line : TR_BLOCK_LINE_BYTES;
  for (unsigned i = 0; i < WORKERS_BLOCKS; i++) {
    TrBlock *block = &workers->ring[i];
    if (!tr_block_make_room(block, TR_BLOCK_ALIGNMENT + TR_BLOCK_BYTES + longest + 1, TR_BLOCK_LINES)) return false;
  }
  return true;
}

static bool start_helpers(TrWorkers *workers, unsigned threads) {
  while (workers->thread_count + 1 < threads) {
    TrHelper *helper = &workers->helper[workers->thread_count];
    helper->workers = workers;
    if (!tr_thread_start(&workers->thread[workers->thread_count], help, helper)) break;
    workers->thread_count++;
  }
  return workers->thread_count > 0;
}

TrWorkers *tr_workers_start(const TrWanted *wanted, unsigned threads) {
  TrWorkers *workers = sqlite3_malloc64(sizeof *workers);
  if (workers == NULL) return NULL;
  *workers = (TrWorkers){.wanted = *wanted, .pid = getpid()};
  pthread_mutex_init(&workers->mutex, NULL);
  tr_condition_init(&workers->work);
  tr_condition_init(&workers->done);
  tr_parser_init(&workers->parser);
  tr_parser_map(&workers->parser, &workers->mapped, workers->wanted.mapping);
  if (allocate_blocks(workers) && start_helpers(workers, threads)) return workers;
  tr_workers_stop(workers);
  return NULL;
}

void tr_workers_stop(TrWorkers *workers) {
  if (workers == NULL) return;
  if (!is_forked(workers)) {
    pthread_mutex_lock(&workers->mutex);
    workers->stop = true;
    pthread_cond_broadcast(&workers->work);
    pthread_mutex_unlock(&workers->mutex);
    for (unsigned i = 0; i < workers->thread_count; i++) pthread_join(workers->thread[i], NULL);
    pthread_cond_destroy(&workers->work);
    pthread_cond_destroy(&workers->done);
    pthread_mutex_destroy(&workers->mutex);
  }
  for (uint64_t n = workers->released; n < workers->posted; n++) {
    if (block_at(workers, n)->owns_file) tr_file_close(&block_at(workers, n)->file);
  }
  for (unsigned i = 0; i < WORKERS_BLOCKS; i++) tr_block_free(&workers->ring[i]);
  for (unsigned i = 0; i < TR_MAX_THREADS; i++) tr_unpacker_close(&workers->helper[i].unpacker);
  sqlite3_free(workers);
}

TrBlock *tr_workers_room(TrWorkers *workers) {
  return workers->posted - workers->released < WORKERS_BLOCKS ? block_at(workers, workers->posted) : NULL;
}

bool tr_workers_are_low(const TrWorkers *workers) {
  return workers->posted - workers->released <= WORKERS_BLOCKS / 2;
}

/* What a helper needs is allocated here, since it must not do that itself. It sees it when it gets the mutex. */
bool tr_workers_room_for_frames(TrWorkers *workers) {
  for (unsigned i = 0; i < workers->thread_count; i++) {
    if (tr_unpacker_open(&workers->helper[i].unpacker) != SQLITE_OK) return false;
  }
  return tr_unpacker_open(&workers->helper[TR_MAX_THREADS - 1].unpacker) == SQLITE_OK &&
         tr_block_make_room(block_at(workers, workers->posted), TR_FRAME_BYTES, TR_FRAME_LINES);
}

void tr_workers_post(TrWorkers *workers) {
  bool forked = is_forked(workers);
  if (!forked) pthread_mutex_lock(&workers->mutex);
  assert(workers->posted - workers->released < WORKERS_BLOCKS);
  block_at(workers, workers->posted)->done = false;
  workers->posted++;
  if (forked) return;
  pthread_cond_signal(&workers->work);
  pthread_mutex_unlock(&workers->mutex);
}

int tr_workers_take(TrWorkers *workers, TrPoll *poll, TrBlock **block) {
  *block = NULL;
  if (workers->released == workers->posted) return SQLITE_OK;
  TrBlock *oldest = block_at(workers, workers->released);
  TrUnpacker *unpacker = &workers->helper[TR_MAX_THREADS - 1].unpacker;
  for (;;) {
    int code = tr_poll(poll);
    if (code != SQLITE_OK) return code;
    if (is_forked(workers)) {
      if (!oldest->done) tr_block_parse(oldest, &workers->wanted, &workers->parser, unpacker);
      *block = oldest;
      return SQLITE_OK;
    }
    pthread_mutex_lock(&workers->mutex);
    assert(workers->released <= workers->taken && workers->taken <= workers->posted);
    assert(workers->posted - workers->released <= WORKERS_BLOCKS);
    if (!oldest->done && workers->taken < workers->posted) {
      parse_oldest(workers, &workers->parser, unpacker);
    } else if (!oldest->done) {
      tr_condition_wait(&workers->done, &workers->mutex, WAIT_MS);
    }
    bool done = oldest->done;
    pthread_mutex_unlock(&workers->mutex);
    if (!done) continue;
    *block = oldest;
    return SQLITE_OK;
  }
}

void tr_workers_release(TrWorkers *workers) {
  assert(workers->released < workers->posted);
  workers->released++;
}
