/* Makes every flush to disk take at least FLUSH_MS milliseconds, in whatever program this is preloaded into.
 *
 * SQLite and PostgreSQL, as they are configured by default on Linux, make durable with fsync and fdatasync alone:
 * neither opens files with O_DSYNC, and sync_file_range only starts writing, for nobody to wait for.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

typedef int (*flush)(int);

static void wait_since(struct timespec start) {
    const char *text = getenv("FLUSH_MS");
    long long nanoseconds = text ? (long long)(atof(text) * 1e6) : 0;
    start.tv_sec += (start.tv_nsec + nanoseconds) / 1000000000LL;
    start.tv_nsec = (start.tv_nsec + nanoseconds) % 1000000000LL;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &start, NULL) != 0) {
    }
}

static int slowly(const char *name, int file) {
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    int result = ((flush)dlsym(RTLD_NEXT, name))(file);
    wait_since(start);
    return result;
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
