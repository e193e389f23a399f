import { expect, it } from "vitest";
import { samplesByKind, tableOf } from "./profile-step.mjs";

const REPORT = `# Samples: 1K of event 'cpu-clock:ppp'
#
 600        ;librhone-kernels.so  ;[.] void (anonymous namespace)::Blocks<(anonymous namespace)::Q4_0>::tile<8>
 100        ;librhone-kernels.so  ;[.] _ZN12_GLOBAL__N_112SuperblocksINS_4Q4_KEE4tileILi8EEEvRKNS_4TileE
    50;librhone-kernels.so  ;[.] rk_attend_avx2
    40;librhone-kernels.so  ;[.] rk_quantize_avx2
    30;librhone-kernels.so  ;[.] compute_write(rk_tensor*, int, int, void*)
    20;librhone-kernels.so  ;[.] rk_read_rows_avx512_vnni
    10;librhone-kernels.so  ;[.] rk_graph_node
    45;libggml-cpu-haswell.so;[.] ggml_barrier
    15;librhone-kernels.so  ;[.] bool (anonymous namespace)::spin<rk_team::await_end()::{lambda()#1}>
    35;libggml-cpu-haswell.so;[.] ggml_compute_forward_get_rows
    25;node                 ;[.] 0x0000000000c3a1f0
    15;[JIT] tid 4711       ;[.] 0x00007f0000000000
    15;[kernel.kallsyms]    ;[k] 0xffffffff8126a1d0
`;
const samples = samplesByKind(REPORT);

it.each([
  ["products", 700],
  ["attention", 50],
  ["quantization, norms, SwiGLU", 40],
  ["RoPE, K and V to pages", 30],
  ["tokens from logits", 20],
  ["other kernels", 10],
  ["waiting for other threads", 60],
  ["ggml", 35],
  ["Node.js and JavaScript", 40],
  ["Linux, C library", 15],
])("counts the samples of %s", (kind, count) => expect(samples.get(kind)).toBe(count));

it("prints shares, processor time per step and the rate of products", () => {
  const table = tableOf([{ name: "8 streams", samples, steps: 10, macs: 7e9 }]);
  expect(table).toContain("| products | 70.0 % |");
  // 1,000 samples at 999 Hz in 10 steps; 10 times 7e9 in 700 samples.
  expect(table).toContain("| processor time per step, ms | 100.1 |");
  expect(table).toContain("| products, GMAC/s per core | 99.9 |");
});
