/*
 * Preloaded into a process: every fsync and fdatasync takes BENCH_SYNC_MS more. The file BENCH_SYNC_FILE gets their count and
 * the nanoseconds in them, 8 bytes each in the machine's own order.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static struct {
  atomic_ulong count;
  atomic_ulong ns;
} *syncs;
static struct timespec more;

__attribute__((constructor)) static void begin(void) {
  const char *ms = getenv("BENCH_SYNC_MS");
  const char *path = getenv("BENCH_SYNC_FILE");
  const long length = ms == NULL ? 0 : atol(ms);
  more = (struct timespec){length / 1000, length % 1000 * 1000000};
  const int file = path == NULL ? -1 : open(path, O_RDWR);
  if (file < 0) return;
  void *page = mmap(NULL, sizeof *syncs, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) syncs = page;
  close(file);
}

static unsigned long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000UL + time.tv_nsec;
}

static int slowly(const char *name, int file) {
  int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  const unsigned long started = now();
  if (more.tv_sec > 0 || more.tv_nsec > 0) nanosleep(&more, NULL);
  const int result = sync(file);
  if (syncs != NULL) {
    atomic_fetch_add(&syncs->count, 1);
    atomic_fetch_add(&syncs->ns, now() - started);
  }
  return result;
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
