#include "team.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

namespace {

// How long a thread spins before it gives its core away, which then may go to the thread that it waits for. The last
// part of a share takes less than the first; the next node is offered within 1 us, the next graph later than the second.
constexpr int64_t WITHIN_NODE_NS = 200 * 1000, BETWEEN_NODES_NS = 20 * 1000;
constexpr int LOOKS = 32;  // from one look at the clock to the next

constexpr uint64_t SHARES = 0xffff;  // the bits of a ticket that count shares
constexpr int NODE_SHIFT = 16;

int64_t now_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits for `ready` without giving the core away; false after `limit_ns`. Not inlined, so that profiles name it.
template <class Ready> __attribute__((noinline)) bool spin(const Ready &ready, int64_t limit_ns) {
  for (const int64_t end = now_ns() + limit_ns;;) {
    for (int look = 0; look < LOOKS; look++, relax())
      if (ready()) return true;
    if (now_ns() > end) return false;
  }
}

// Wakes threads that have spun long enough. A change that threads wait for is made before `ring`, in one total order
// with `waiting`: either they see the change or `ring` sees them.
struct Bell {
  pthread_mutex_t mutex;
  pthread_cond_t rung;
  int32_t waiting;

  void open() {
    pthread_mutex_init(&mutex, nullptr);
    pthread_cond_init(&rung, nullptr);
    waiting = 0;
  }
  void close() {
    pthread_cond_destroy(&rung);
    pthread_mutex_destroy(&mutex);
  }
  // Sleeps until the next ring unless `ready`, or less: look again.
  template <class Ready> void wait(const Ready &ready) {
    pthread_mutex_lock(&mutex);
    __atomic_store_n(&waiting, 1, __ATOMIC_SEQ_CST);
    if (!ready()) pthread_cond_wait(&rung, &mutex);
    pthread_mutex_unlock(&mutex);
  }
  void ring() {
    if (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) == 0) return;
    pthread_mutex_lock(&mutex);
    __atomic_store_n(&waiting, 0, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&rung);
    pthread_mutex_unlock(&mutex);
  }
};

}  // namespace

struct rk_team {
  int threads, helpers;
  pthread_t *handles;
  rk_work work;  // written while no share is taken
  alignas(64) uint64_t ticket;  // the node's number and, in the lowest bits, the next of its shares
  alignas(64) int32_t ended;    // shares
  int32_t closing;
  Bell offered, finished;

  bool has_shares() const { return (__atomic_load_n(&ticket, __ATOMIC_SEQ_CST) & SHARES) < (uint64_t)threads; }
  bool all_ended() const { return __atomic_load_n(&ended, __ATOMIC_SEQ_CST) == threads; }
  bool is_closing() const { return __atomic_load_n(&closing, __ATOMIC_SEQ_CST) != 0; }

  void offer(const rk_work &next) {
    work = next;
    __atomic_store_n(&ended, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&ticket, ((ticket >> NODE_SHIFT) + 1) << NODE_SHIFT, __ATOMIC_SEQ_CST);
    offered.ring();
  }

  // Computes shares until none is left. A ticket of an earlier node is never taken: its shares ran out before.
  void take_shares() {
    for (uint64_t seen = __atomic_load_n(&ticket, __ATOMIC_ACQUIRE); (seen & SHARES) < (uint64_t)threads;) {
      if (!__atomic_compare_exchange_n(&ticket, &seen, seen + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) continue;
      work.compute(work.dst, (int)(seen & SHARES), threads, work.parameters);
      if (__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST) == threads) finished.ring();
      seen = __atomic_load_n(&ticket, __ATOMIC_ACQUIRE);
    }
  }

  void await_end() {
    const auto ready = [this] { return all_ended(); };
    if (spin(ready, WITHIN_NODE_NS)) return;
    while (!ready()) finished.wait(ready);
  }

  void await_offer() {
    const auto ready = [this] { return has_shares() || is_closing(); };
    const bool ends_soon = spin([&] { return ready() || all_ended(); }, WITHIN_NODE_NS);
    if (!ends_soon || !spin(ready, BETWEEN_NODES_NS)) offered.wait(ready);
  }

  static void *help(void *of) {
    rk_team *team = (rk_team *)of;
    while (!team->is_closing()) {
      team->take_shares();
      team->await_offer();
    }
    return nullptr;
  }
};

RK_API rk_team *rk_team_new(int threads) {
  rk_team *team = (rk_team *)aligned_alloc(alignof(rk_team), sizeof(rk_team));
  pthread_t *handles = (pthread_t *)malloc(sizeof(pthread_t) * (threads > 0 ? threads : 1));
  if (team == nullptr || handles == nullptr) {
    free(team);
    free(handles);
    return nullptr;
  }
  *team = {};
  team->threads = team->ended = threads;
  team->ticket = (uint64_t)threads;
  team->handles = handles;
  team->offered.open();
  team->finished.open();
  while (team->helpers < threads - 1 && pthread_create(&handles[team->helpers], nullptr, rk_team::help, team) == 0)
    team->helpers++;
  return team;
}

RK_API void rk_team_free(rk_team *team) {
  if (team == nullptr) return;
  __atomic_store_n(&team->closing, 1, __ATOMIC_SEQ_CST);
  team->offered.ring();
  for (int i = 0; i < team->helpers; i++) pthread_join(team->handles[i], nullptr);
  team->offered.close();
  team->finished.close();
  free(team->handles);
  free(team);
}

void rk_team_compute(rk_team *team, const rk_work &work) {
  team->offer(work);
  team->take_shares();
  team->await_end();
}
