/*
 * Preloaded into a process: every fsync and fdatasync takes BENCH_SYNC_MS more, and is counted in the file BENCH_SYNC_FILE
 * (8 bytes, the machine's own order).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static atomic_ulong *count;
static struct timespec more;

__attribute__((constructor)) static void begin(void) {
  const char *ms = getenv("BENCH_SYNC_MS");
  const char *path = getenv("BENCH_SYNC_FILE");
  const long length = ms == NULL ? 0 : atol(ms);
  more = (struct timespec){length / 1000, length % 1000 * 1000000};
  const int file = path == NULL ? -1 : open(path, O_RDWR);
  if (file < 0) return;
  void *page = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) count = page;
  close(file);
}

static int slowly(const char *name, int file) {
  int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  if (count != NULL) atomic_fetch_add(count, 1);
  nanosleep(&more, NULL);
  return sync(file);
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
