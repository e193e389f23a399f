// Rhone's kernels: products with quantized weights, attention over pages and sampling, as nodes of ggml's graphs.
//
// Shapes are logical, outermost first, then ggml's `ne`, which is reversed: f32 [n, k] is ne [k, n]. Types are numbered
// as ggml numbers them. Every row of a result is the same to the bit whatever the other rows, their number, the number
// of threads and the variant are.
#pragma once
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define RK_API extern "C" __attribute__((visibility("default")))
#else
#define RK_API extern "C"
#endif

typedef struct rk_tensor rk_tensor;  // struct ggml_tensor
typedef struct rk_graph rk_graph;    // the parameters of one graph's nodes
typedef struct rk_team rk_team;      // threads

// Types of weights that there are products for.
enum { RK_Q4_0 = 2, RK_Q4_1 = 3, RK_Q8_0 = 8, RK_Q4_K = 12, RK_Q5_K = 13, RK_Q6_K = 14 };

// How rows are quantized, for the weights that they meet.
enum {
  RK_PER_32 = 0,   // int8 with one f16-rounded scale per 32, as ggml's Q8_0: for Q4_0, Q4_1, Q8_0
  RK_PER_256 = 1,  // int8 with one f32 scale per 256, as ggml's Q8_K: for Q4_K, Q5_K, Q6_K
};

// What rows go through before they are quantized.
enum {
  RK_PLAIN = 0,   // nothing
  RK_NORM = 1,    // x / sqrt(mean(x^2) + eps) * b, b f32 [k]
  RK_SWIGLU = 2,  // silu(x) * b, b f32 [n, k]
};

// The version of this header.
RK_API int rk_abi(void);
// Bytes of struct ggml_tensor that these kernels were compiled for.
RK_API size_t rk_tensor_size(void);
// The variants that this processor runs, best first, such as "amx-int8,avx512-vnni,avx2"; "" if none.
RK_API const char *rk_variants(void);
// Chooses what all later nodes compute with. -1 when this processor does not run it. Call it, and rk_bind, before
// anything else; choose again only while no graph computes. Packed weights and graphs serve every variant.
RK_API int rk_choose(const char *variant);
// Takes the addresses of ggml_custom_4d, which makes the nodes, and of ggml_view_2d.
RK_API void rk_bind(void *ggml_custom_4d, void *ggml_view_2d);

// Bytes that weights [rows, k] (ne [k, rows]) take when packed; 0 when there is no product for the type or k.
RK_API size_t rk_packed_bytes(int type, int64_t rows, int64_t k);
// Packs rows [first, first + count) of [rows, k] into `dst`, the start of the whole packed matrix. `src` is row `first`
// in GGUF's layout. `first` is a multiple of 16; so is `count`, unless the rows end there. `dst` must stay where it is.
RK_API void rk_pack(void *dst, const void *src, int type, int64_t rows, int64_t k, int64_t first, int64_t count);

// Threads that compute nodes together with the one that computes the graph: `threads` with it. Fewer when the system
// gives no more. NULL: no memory. Free it while nothing computes, and no node of its graphs is computed again.
RK_API rk_team *rk_team_new(int threads);
RK_API void rk_team_free(rk_team *team);

// Holds the parameters of at most `most_nodes` nodes, which must live as long as the graph is computed. `team` computes
// each node when ggml computes the graph with one thread; with NULL, or more threads of ggml, those do. NULL: no memory.
RK_API rk_graph *rk_graph_new(int most_nodes, rk_team *team);
// Forgets the nodes, so that others can be made.
RK_API void rk_graph_reset(rk_graph *graph);
RK_API void rk_graph_free(rk_graph *graph);

// RK_PER_32 or RK_PER_256, what weights of this type are multiplied by; -1 when there is no product for the type.
RK_API int rk_activation_kind(int type);
// Bytes of n quantized rows of k elements.
RK_API size_t rk_activation_bytes(int kind, int64_t n, int64_t k);
// Quantizes x, f32 [n, k], whose rows may be any distance apart. Result: I8 [rk_activation_bytes(kind, n, k)]. NULL
// when `graph` is full.
RK_API rk_tensor *rk_quantize(rk_graph *graph, void *ctx, int how, int kind, rk_tensor *x, rk_tensor *b, float eps);
// Multiplies n quantized rows by packed weights w [rows, k], and adds `residual`, f32 [n, rows], unless that is NULL.
// Result: f32 [n, rows]. NULL when `graph` is full.
RK_API rk_tensor *rk_product(rk_graph *graph, void *ctx, int type, rk_tensor *w, int64_t rows, int64_t k,
                             rk_tensor *act, int64_t n, rk_tensor *residual);
// Products of the same rows with `count` weights, w[i] of types[i] and [rows[i], k], all of the kind of `act`, in one
// node: threads wait for each other once, and share the parts of small weights out evenly. Results, into results[i]:
// f32 [n, rows[i]]. Returns 0, or -1 when `graph` is full or `count` is more than RK_MOST_PRODUCTS.
enum { RK_MOST_PRODUCTS = 4 };
RK_API int rk_products(rk_graph *graph, void *ctx, int count, const int32_t *types, rk_tensor *const *w,
                       const int64_t *rows, int64_t k, rk_tensor *act, int64_t n, rk_tensor **results);

// Types of K and V in pages.
enum { RK_PAGE_F32 = 0, RK_PAGE_F16 = 1, RK_PAGE_Q8_0 = 8 };

// A layer's pages: K and V are two tensors of `type`, [pages * page_size, n_kv_heads * head_dim]. Position p of a
// sequence is row id * page_size + p % page_size, where id is the sequence's page p / page_size.
typedef struct rk_attention {
  int32_t type, page_size;
  int32_t head_dim;             // 16 to 256, a multiple of 16; with Q8_0, of 32
  int32_t n_heads, n_kv_heads;  // query head h reads KV head h / (n_heads / n_kv_heads)
  int32_t window;               // positions that a row sees, itself included; 0: all before it
  float scale;                  // multiplies q
} rk_attention;

// Columns of a span: rows of the step that follow each other in one sequence.
enum {
  RK_SPAN_ROW = 0,         // its first row in the step
  RK_SPAN_ROWS = 1,        // number of rows
  RK_SPAN_POSITION = 2,    // position of its first row; row i is at this + i, and sees itself and what is before it
  RK_SPAN_TABLE = 3,       // where its page ids begin in `tables`
  RK_SPAN_FIRST_PAGE = 4,  // the sequence's page that tables[RK_SPAN_TABLE] is; its rows see none before it
  RK_SPAN_COLUMNS = 5,
};

// Rotary position embedding of pairs of elements of a head: pair i of a row at position p by the angle
// freq_scale * p / factors[i] * freq_base^(-2 i / dims). From "RoFormer", Su et al., 2021, as in ggml_rope_ext.
enum { RK_ROPE_NORM = 0, RK_ROPE_NEOX = 2 };
typedef struct rk_rope {
  int32_t mode;  // RK_ROPE_NORM: pair i is elements 2 i and 2 i + 1; RK_ROPE_NEOX: i and i + dims / 2
  int32_t dims;  // elements of each head that are rotated, the first ones; even, and with RK_ROPE_NEOX a multiple of 16
  float freq_base, freq_scale;
} rk_rope;

// 1 when there is attention for this shape, else 0.
RK_API int rk_attends(const rk_attention *shape);
// Attention of rows q, f32 [rows, n_heads * head_dim], rows any distance apart, over pages read in place. spans: i32
// [n_spans, RK_SPAN_COLUMNS], every row in one of them; tables: i32 [page ids], of each span up to its last row's page.
// `written` is computed before; NULL when q depends on what writes the pages. Result: f32 [rows, n_heads * head_dim].
// NULL when `graph` is full or there is no attention for the shape.
RK_API rk_tensor *rk_attend(rk_graph *graph, void *ctx, const rk_attention *shape, rk_tensor *q, rk_tensor *k,
                            rk_tensor *v, rk_tensor *spans, rk_tensor *tables, rk_tensor *written);
// Cosines, then sines, of every row of a step, for all of its layers. factors: f32 [dims / 2], or NULL for ones.
// Result: f32 [rows, dims]. NULL when `graph` is full or `dims` is odd.
RK_API rk_tensor *rk_rotations(rk_graph *graph, void *ctx, const rk_rope *rope, rk_tensor *spans, int64_t rows,
                               rk_tensor *factors);
// Rotates q, f32 [rows, n_heads * head_dim], and k, f32 [rows, n_kv_heads * head_dim], and writes k and v, of k's
// shape, to the pages of their positions: rounded to f16, or quantized to Q8_0, as ggml_set_rows does. Rows may be any
// distance apart. Result: the rotated q, f32 [rows, n_heads * head_dim]; attention that reads it follows the writing.
// NULL when `graph` is full or the shape has no kernel.
RK_API rk_tensor *rk_write_kv(rk_graph *graph, void *ctx, const rk_attention *shape, const rk_rope *rope, rk_tensor *q,
                              rk_tensor *k, rk_tensor *v, rk_tensor *k_pages, rk_tensor *v_pages, rk_tensor *spans,
                              rk_tensor *tables, rk_tensor *rotations);

// How a token is drawn: not, the best one, or at random.
enum { RK_DRAW_NONE = 0, RK_DRAW_BEST = 1, RK_DRAW_RANDOM = 2 };

// What is wanted of one row of logits, f32 [n]. Log-probabilities are of the logits as they are. A token is drawn from
// logits changed in this order: tokens that are not allowed, and banned ones, become -Infinity; biases are added; those
// of tokens that were seen are divided by `repetition` where they are positive, else multiplied; `frequency` for each
// of a generated token's `counts`, and `presence`, are subtracted. Tokens outside [0, n) are passed over.
//
// Drawn at random: logit x weighs 2^((x - best) factor), rounded to whole numbers of which the best has
// 2^(53 - ceil(log2 n)), and 0 when x < best + cut. Of the best top_k tokens (0: all), the best ones that together
// reach `top_p` of the weight are kept (1: all). The token holds unit floor(uniform * sum) of what is kept, counted
// by falling logit where top_k or top_p cut, else by rising id; the lower id first among equals.
typedef struct rk_row_request {
  const int32_t *allowed;             // a bit per token, [(n + 31) / 32]; NULL: every token
  const int32_t *banned;              // [n_banned]
  const int32_t *biased;              // [n_biased]
  const float *biases;                // [n_biased]
  const int32_t *seen;                // [n_seen]
  const int32_t *generated, *counts;  // [n_generated]
  double repetition, frequency, presence;
  double factor, cut, top_p, uniform;
  int32_t n_banned, n_biased, n_seen, n_generated;
  int32_t row;           // of the logits; in one request only
  int32_t how;           // RK_DRAW_
  int32_t top_k;
  int32_t target;        // the token whose logit is wanted; -1: none
  int32_t alternatives;  // number of best tokens to list; -1: no log-probabilities at all
  int32_t unused;
} rk_row_request;

typedef struct rk_row_reading {
  double total;   // sum of the weights of the row with a factor of log2(e): log(total) - log(2^(53 - ceil(log2 n))) +
                  // best is the logarithm of the sum of exponentials
  float best;     // -Infinity without log-probabilities, or when the row has no number
  float target;   // the target's logit; NaN without one
  float logit;    // the drawn token's, before changes
  int32_t token;  // drawn; -1: none can be
  int32_t listed, unused;
} rk_row_reading;

typedef struct rk_alternative {
  int32_t token;
  float logit;
} rk_alternative;

// Reads rows of logits, f32 [rows, n] without gaps, which another graph has computed and keeps. requests: I8,
// structures rk_row_request; what they point at must live as long as the graph is computed. Result, I8: the readings of
// all requests, then most_alternatives (at least what any request wants) structures rk_alternative for each, of which
// `listed` are used, in the order of ids; then memory for at most `threads` threads. NULL when `graph` is full.
RK_API rk_tensor *rk_read_rows(rk_graph *graph, void *ctx, rk_tensor *logits, rk_tensor *requests,
                               int64_t most_alternatives, int threads);
