// simdjson.cpp - the tasks of the bench with simdjson's On Demand, as fast as an honest program can be made with it.
//
//   version              simdjson's, and the kernel it runs
//   count FILE           T1: how many records failed; the file loaded with padded_string::load, one iterate_many
//   count-blocks FILE    T1 in bounded memory: iterate_many over blocks of whole lines, in one buffer
//   count-lines FILE     T1 with a verdict on each line: iterate() on every one; a bad one is counted and passed over
//   stats DIR THREADS    T2: job|runs|successes of every *.jsonl, sorted; the files are divided among the threads
//   csv FILE OUT         T4: RFC 4180 CSV of all records
//   phrase FILE PHRASE   T5: how many failed with the phrase in their error
//
// Keys are looked up by name, in any order. What is judged: stage 1 checks each batch as a whole for UTF-8, raw control
// characters in strings and unclosed strings; a value is only checked when it is taken. Values that are passed over,
// what stands between them, duplicate keys and the ends of lines are not. So these programs read less strictly than the
// extension, which validates every byte.
//
// An error of simdjson's ends the program with a message and status 1, except in count-lines. Built twice: with
// SIMDJSON_THREADS_ENABLED, iterate_many indexes the next batch in a thread of its own.
#include <simdjson.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace simdjson;

namespace {

constexpr size_t BLOCK_BYTES = 64 * 1024;

[[noreturn]] void fail(const std::string &what) {
  fprintf(stderr, "simdjson: %s\n", what.c_str());
  exit(1);
}

void check(error_code code) {
  if (code) fail(error_message(code));
}

// Calls record(document) for each of a text's documents. A batch of always the same size lets the parser keep its
// memory.
template <typename Record> void each_document(ondemand::parser &parser, const char *text, size_t size, Record record) {
  if (size == 0) return;
  ondemand::document_stream stream;
  check(
      parser.iterate_many(text, size, std::max(BLOCK_BYTES, std::min(size, ondemand::DEFAULT_BATCH_SIZE))).get(stream));
  for (auto document : stream) {
    check(document.error());
    record(document);
  }
  if (stream.truncated_bytes()) fail("the last document is not whole");
}

// The bytes of one file after the other in blocks that end behind a newline, with the padding that simdjson wants
// behind each, in one buffer.
class Blocks {
public:
  Blocks() : buffer(BLOCK_BYTES + SIMDJSON_PADDING) {}
  Blocks(const Blocks &) = delete;
  Blocks &operator=(const Blocks &) = delete;
  ~Blocks() { close(file); }

  void start(const char *path) {
    close(file);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail(std::string(path) + ": cannot be opened");
    filled = used = 0;
    ended = false;
  }

  // The next block, or an empty one at the end.
  std::string_view next() {
    memmove(buffer.data(), buffer.data() + used, filled - used);
    filled -= used;
    used = 0;
    for (;;) {
      fill();
      const void *newline = memrchr(buffer.data(), '\n', filled);
      if (newline || ended) {
        used = newline ? static_cast<const char *>(newline) - buffer.data() + 1 : filled;
        return {buffer.data(), used};
      }
      buffer.resize(2 * buffer.size());
    }
  }

private:
  void fill() {
    while (!ended && filled < buffer.size() - SIMDJSON_PADDING) {
      ssize_t got = read(file, buffer.data() + filled, buffer.size() - SIMDJSON_PADDING - filled);
      if (got < 0) fail("read failed");
      if (got == 0) ended = true;
      filled += got;
    }
  }

  int file = -1;
  std::vector<char> buffer;
  size_t filled = 0, used = 0;
  bool ended = false;
};

template <typename Record>
void each_document_in(const char *path, ondemand::parser &parser, Blocks &blocks, Record record) {
  blocks.start(path);
  for (std::string_view block = blocks.next(); !block.empty(); block = blocks.next())
    each_document(parser, block.data(), block.size(), record);
}

template <typename Record> void each_document_in_blocks(const char *path, Record record) {
  ondemand::parser parser;
  Blocks blocks;
  each_document_in(path, parser, blocks, record);
}

template <typename Document> bool is_success(Document &document) {
  bool success = false;
  check(document["success"].get(success));
  return success;
}

void count(const char *path) {
  padded_string text;
  check(padded_string::load(path).get(text));
  ondemand::parser parser;
  size_t failures = 0;
  each_document(parser, text.data(), text.size(), [&](auto &document) { failures += !is_success(document); });
  printf("%zu\n", failures);
}

void count_blocks(const char *path) {
  size_t failures = 0;
  each_document_in_blocks(path, [&](auto &document) { failures += !is_success(document); });
  printf("%zu\n", failures);
}

void count_lines(const char *path) {
  ondemand::parser parser;
  Blocks blocks;
  size_t failures = 0, bad = 0;
  blocks.start(path);
  for (std::string_view block = blocks.next(); !block.empty(); block = blocks.next()) {
    while (!block.empty()) {
      size_t length = std::min(block.find('\n'), block.size());
      ondemand::document document;
      bool success;
      // What follows the line in the buffer serves as its padding.
      error_code code = parser.iterate(block.data(), length, length + SIMDJSON_PADDING).get(document);
      if (!code) code = document["success"].get(success);
      if (code)
        bad++;
      else
        failures += !success;
      block.remove_prefix(std::min(length + 1, block.size()));
    }
  }
  printf("%zu\n", failures);
  if (bad) fprintf(stderr, "simdjson: %zu lines are not records\n", bad);
}

struct Job {
  std::string path, name;
  size_t runs = 0, successes = 0;
};

std::vector<Job> jobs_of(const char *directory) {
  std::vector<Job> jobs;
  for (const auto &entry : std::filesystem::directory_iterator(directory))
    if (entry.path().extension() == ".jsonl") jobs.push_back({entry.path().string(), entry.path().stem().string()});
  std::sort(jobs.begin(), jobs.end(), [](const Job &a, const Job &b) { return a.name < b.name; });
  return jobs;
}

void count_job(ondemand::parser &parser, Blocks &blocks, Job &job) {
  each_document_in(job.path.c_str(), parser, blocks, [&](auto &document) {
    job.runs++;
    job.successes += is_success(document);
  });
}

void stats(const char *directory, int thread_count) {
  std::vector<Job> jobs = jobs_of(directory);
  std::atomic<size_t> next{0};
  auto work = [&] {
    ondemand::parser parser;
    Blocks blocks;
    for (size_t i = next++; i < jobs.size(); i = next++) count_job(parser, blocks, jobs[i]);
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < thread_count; i++) threads.emplace_back(work);
  work();
  for (std::thread &thread : threads) thread.join();
  for (const Job &job : jobs) printf("%s|%zu|%zu\n", job.name.c_str(), job.runs, job.successes);
}

// A CSV file, through a buffer of a megabyte.
class Csv {
public:
  explicit Csv(const char *path) : file(fopen(path, "wb")) {
    if (!file) fail(std::string(path) + ": cannot be created");
    setvbuf(file, nullptr, _IONBF, 0);
    row.reserve(2 * FLUSH_BYTES);
  }

  void text(std::string_view value) {
    if (value.find_first_of(",\"\r\n") == std::string_view::npos && !value.empty()) {
      row.append(value);
      return;
    }
    row += '"';
    for (size_t quote = value.find('"'); quote != std::string_view::npos; quote = value.find('"')) {
      row.append(value.substr(0, quote + 1)).push_back('"');
      value.remove_prefix(quote + 1);
    }
    row.append(value).push_back('"');
  }

  void raw(std::string_view value) {
    row.append(value);
    if (row.size() >= FLUSH_BYTES) flush();
  }

  void finish() {
    flush();
    if (fclose(file)) fail("the CSV cannot be closed");
  }

private:
  static constexpr size_t FLUSH_BYTES = 1 << 20;

  void flush() {
    if (fwrite(row.data(), 1, row.size(), file) != row.size()) fail("the CSV cannot be written");
    row.clear();
  }

  FILE *file;
  std::string row;
};

template <typename Document> void write_text(Csv &csv, Document &document, const char *key) {
  ondemand::value value;
  check(document[key].get(value));
  if (value.is_null()) return;
  std::string_view text;
  check(value.get(text));
  csv.text(text);
}

void csv(const char *path, const char *out) {
  Csv csv(out);
  csv.raw("timestamp,job_id,job_name,success,output,error\r\n");
  each_document_in_blocks(path, [&](auto &document) {
    for (const char *key : {"timestamp", "job_id", "job_name"}) {
      write_text(csv, document, key);
      csv.raw(",");
    }
    csv.raw(is_success(document) ? "1," : "0,");
    write_text(csv, document, "output");
    csv.raw(",");
    write_text(csv, document, "error");
    csv.raw("\r\n");
  });
  csv.finish();
}

void phrase(const char *path, std::string_view words) {
  size_t found = 0;
  each_document_in_blocks(path, [&](auto &document) {
    std::string_view error;
    if (is_success(document)) return;
    if (document["error"].get(error)) return; // null, or no such key: it holds no phrase
    found += memmem(error.data(), error.size(), words.data(), words.size()) != nullptr;
  });
  printf("%zu\n", found);
}

} // namespace

int main(int argc, char **argv) {
  std::string task = argc > 1 ? argv[1] : "";
  if (task == "count" && argc == 3)
    count(argv[2]);
  else if (task == "count-blocks" && argc == 3)
    count_blocks(argv[2]);
  else if (task == "count-lines" && argc == 3)
    count_lines(argv[2]);
  else if (task == "stats" && argc == 4)
    stats(argv[2], atoi(argv[3]));
  else if (task == "csv" && argc == 4)
    csv(argv[2], argv[3]);
  else if (task == "phrase" && argc == 4)
    phrase(argv[2], argv[3]);
  else if (task == "version")
    printf("%s, %s\n", SIMDJSON_STRINGIFY(SIMDJSON_VERSION), get_active_implementation()->name().c_str());
  else
    return fprintf(stderr, "usage: see the top of tests/bench/simdjson.cpp\n"), 2;
  return 0;
}
